"""The random numbers of one epoch: fixed by the seed and the number of the epoch, and by nothing before it.

So no state of a generator must be kept: a run that was killed in the middle of an epoch begins that epoch again, with
the order of the batches, the dropout and the augmentation that it would have had.
"""

from contextlib import contextmanager

import numpy as np
import torch


def epoch_seed(seed, epoch):
    """Mix the seed of a run and the number of an epoch into one number below 2**63.

    Examples
    --------
    >>> epoch_seed(0, 1) == epoch_seed(0, 1), epoch_seed(0, 1) == epoch_seed(1, 0)
    (True, False)
    """
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def randomness_of(epoch, *, seed, device, loaders):
    """Seed torch's generators for one epoch, and give the caller's global ones back as they were.

    Parameters
    ----------
    epoch, seed : int
    device : torch.device
        Its generator is seeded, too.
    loaders : iterables
        Generators that belong to a DataLoader or its samplers are seeded, too; they do not come back.
    """
    number = epoch_seed(seed, epoch)
    for generator in {id(each): each for loader in loaders for each in _own_generators(loader)}.values():
        generator.manual_seed(number)
    before, on_device = torch.get_rng_state(), _device_state(device)
    try:
        torch.default_generator.manual_seed(number)  # torch.manual_seed would seed devices that are not ours
        _seed_device(device, number)
        yield
    finally:
        torch.set_rng_state(before)
        _set_device_state(device, on_device)


def _own_generators(loader):
    """Find the generators of a DataLoader and its samplers."""
    parts = [loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)]
    parts.append(getattr(parts[2], "sampler", None))
    found = [getattr(part, "generator", None) for part in parts]
    return [each for each in found if isinstance(each, torch.Generator)]


def _device_state(device):
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def _seed_device(device, number):
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)


def _set_device_state(device, state):
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
