"""Mixed precision: half the bits where the hardware is faster with them, and only there."""

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Precision:
    """In which type the forward pass runs.

    Attributes
    ----------
    device_type : str
    dtype : torch.dtype or None
        bfloat16, float16, or None for plain float32.
    scaler : torch.amp.GradScaler
        Keeps the small gradients of float16 above 0, and hands everything through for the other types.
    """

    device_type: str
    dtype: torch.dtype | None
    scaler: torch.amp.GradScaler

    def autocast(self):
        """Return the context in which the forward pass and the loss are computed."""
        return nullcontext() if self.dtype is None else torch.autocast(self.device_type, dtype=self.dtype)


def choose_precision(mixed_precision, device, model):
    """Choose the type of the forward pass.

    Parameters
    ----------
    mixed_precision : {"auto", True, False}
        ``"auto"`` and True: on CUDA bfloat16 from compute capability 8 on, float16 with a scaler from 7 on (the first
        with tensor cores). ``"auto"`` leaves float32 elsewhere; True refuses.
    device : torch.device
    model : torch.nn.Module
        With a recurrent layer ``"auto"`` leaves float32, and True takes float16 with a scaler: PyTorch runs such layers
        in float16 whichever type autocast is asked for, and small gradients would become 0 without the scaler.

    Returns
    -------
    Precision

    Raises
    ------
    ValueError
        If mixed precision is asked for where it does not help.
    """
    if mixed_precision not in ("auto", True, False):
        raise ValueError(f'mixed_precision must be "auto", True or False, got {mixed_precision!r}.')
    recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
    dtype = _fast_half(device) if mixed_precision else None
    if mixed_precision is True and dtype is None:
        raise ValueError(
            f"mixed_precision=True needs a CUDA device with tensor cores, this run is on {device}: there it would be"
            ' slower or less exact. mixed_precision="auto" uses it where it helps.'
        )
    if recurrent and dtype is not None:
        dtype = torch.float16 if mixed_precision is True else None
    kind = "cuda" if device.type == "cuda" else "cpu"
    return Precision(device.type, dtype, torch.amp.GradScaler(kind, enabled=dtype is torch.float16))


def _fast_half(device):
    """Return the type of 16 bits that this device computes fast, or None."""
    if device.type != "cuda":
        return None
    generation, _ = torch.cuda.get_device_capability(device)
    if generation >= 8:
        return torch.bfloat16
    return torch.float16 if generation == 7 else None
