"""What makes one run the same as another: a fingerprint of its settings and its data."""

import zlib

import torch

from medlearn.training.batches import Batches

MOVING = {"params", "lr", "initial_lr", "last_epoch", "T_cur", "T_i", "verbose"}  # numbers that change during a run
CYCLED = {"betas", "momentum"}  # a schedule may move these, too


def settings_of(*, train, validation, optimizer, schedule, **options):
    """Describe a run by plain values that can be compared, kept in a file and read in an error message.

    The number of epochs and the patience are left out, since a run may go on longer than was planned, and so is the
    device.

    Parameters
    ----------
    train, validation : Batches, DataLoader, another iterable with a length, or None
    optimizer : torch.optim.Optimizer
    schedule : torch scheduler, function or None
    **options
        Numbers, functions and None, such as ``loss``, ``monitor``, ``clip_norm`` and ``seed``.

    Returns
    -------
    dict
    """
    cycled = set() if schedule is None else CYCLED
    described = {name: _plain(value) for name, value in options.items()}
    described["optimizer"] = type(optimizer).__name__
    for number, group in enumerate(optimizer.param_groups):
        described[f"group {number}: number of weights"] = sum(weights.numel() for weights in group["params"])
        described[f"group {number}: learning rate"] = _plain(group.get("initial_lr", group["lr"]))
        for name in sorted(set(group) - MOVING - cycled):
            described[f"group {number}: {name}"] = _plain(group[name])
    described |= {f"schedule: {name}": value for name, value in _schedule(schedule).items()}
    described |= {f"training data: {name}": value for name, value in _data(train).items()}
    return described | {f"validation data: {name}": value for name, value in _data(validation).items()}


def _schedule(schedule):
    if not isinstance(schedule, torch.optim.lr_scheduler.LRScheduler):
        return {"kind": _plain(schedule)}
    fixed = {name: value for name, value in vars(schedule).items() if not name.startswith("_") and name not in MOVING}
    plain = {name: value for name, value in fixed.items() if isinstance(value, (bool, int, float, str))}
    return {"kind": type(schedule).__name__, **plain}


def _data(loader):
    """Describe what can be described without drawing a random number: sizes, options, checksums."""
    if loader is None:
        return {}
    described = {"batches": len(loader), "batch_size": getattr(loader, "batch_size", None)}
    if isinstance(loader, Batches):
        tensors = [*loader.inputs, loader.targets, *([] if loader.sample_weights is None else [loader.sample_weights])]
        described |= {"shuffle": loader.shuffle, "augment": _plain(loader.augment), "checksum": _checksum(tensors)}
    elif isinstance(getattr(loader, "dataset", None), torch.utils.data.TensorDataset):
        described |= {"sampler": type(loader.sampler).__name__, "checksum": _checksum(loader.dataset.tensors)}
    return described


def _checksum(tensors):
    """Tell apart the data of two folds, whose sizes may be the same."""
    value = 0
    for tensor in tensors:
        described = f"{tensor.dtype} {tuple(tensor.shape)}".encode()
        numbers = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        value = zlib.crc32(numbers, zlib.crc32(described, value))
    return value


def _plain(value):
    """Return a value that a file without code can hold: numbers as they are, a function by its name."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return getattr(value, "__name__", type(value).__name__)
