"""What the networks of the ECG ask of their inputs, in one place."""

import torch


def check_signals(network, signals, num_leads, *, ndim=3):
    """Say what is wrong with the windows that a network is given.

    Parameters
    ----------
    network : torch.nn.Module
    signals : Tensor, shape (n, time, leads); with ``ndim=4`` (n, beats, time, leads)
    num_leads : int
    ndim : {3, 4}, optional

    Raises
    ------
    ValueError
        If the shape, the number of leads, the dtype or the device is not that of the network.
    """
    shape = "(n, time, leads)" if ndim == 3 else "(n, beats, time, leads)"
    _check_tensor(network, signals, "signals", shape, ndim, num_leads)
    if 0 in signals.shape[1:]:
        raise ValueError(f"signals must hold one sample or more, got the shape {tuple(signals.shape)}.")


def check_rr(network, signals, rr, num_rr):
    """Say what is wrong with the RR features that a network is given: one row for each beat, or None for no features.

    Parameters
    ----------
    network : torch.nn.Module
    signals : Tensor
        As :func:`check_signals` passed them.
    rr : Tensor, shape (n, num_rr) or (n, beats, num_rr), or None
    num_rr : int

    Raises
    ------
    ValueError
        If there are none where the network was built for some, or the other way round, or they do not fit.
    """
    if (rr is None) != (num_rr == 0):
        came = "None" if rr is None else f"the shape {tuple(rr.shape)}"
        raise ValueError(f"the network was built with num_rr={num_rr}, and rr is {came}; both or neither.")
    if rr is None:
        return
    shape = "(n, num_rr)" if signals.ndim == 3 else "(n, beats, num_rr)"
    _check_tensor(network, rr, "rr", shape, signals.ndim - 1, num_rr)
    if rr.shape[:-1] != signals.shape[:-2]:
        raise ValueError(
            f"rr must have one row for each beat: signals have {tuple(signals.shape[:-2])}, rr {tuple(rr.shape[:-1])}."
        )


def check_sizes(**sizes):
    """Refuse what is no positive whole number.

    Raises
    ------
    ValueError
        With the name of the argument.
    """
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number of 1 or more, got {value!r}.")


def check_channels(channels, dropout):
    """Refuse stages without channels, and a share to drop that is none."""
    if not len(channels):
        raise ValueError("channels must be one positive number or more, such as (32, 64, 64); got none.")
    check_sizes(**{f"channels[{index}]": count for index, count in enumerate(channels)})
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be from 0 up to but not including 1, got {dropout}.")


def _check_tensor(network, values, name, shape, ndim, last):
    weights = next(network.parameters())
    if not isinstance(values, torch.Tensor):
        raise ValueError(f"{name} must be a tensor, got {type(values).__name__}; torch.from_numpy(array) makes one.")
    if values.ndim != ndim or values.shape[-1] != last:
        raise ValueError(
            f"{name} must have the shape {shape} with {last} at the end, as the network was built for; got"
            f" {tuple(values.shape)}."
        )
    if values.dtype != weights.dtype:
        raise ValueError(f"{name} must be {weights.dtype}, as the weights are, got {values.dtype}; call .float().")
    if values.device != weights.device:
        raise ValueError(f"{name} are on {values.device}, the network is on {weights.device}; move one: .to(device).")
