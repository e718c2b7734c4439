"""Make patches with a trained generator, and watch one that is being trained."""

import numpy as np
import torch

from medlearn.models.gan_scaling import unscale

GRID, JUDGED = 64, 512  # patches of a frame; patches that a distance is computed from


@torch.no_grad()
def make_patches(generator, count_or_conditions, *, seed=0, batch_size=256):
    """Make patches with a trained generator.

    Parameters
    ----------
    generator : torch.nn.Module
        Left in evaluation mode, in which no patch depends on the others of its batch.
    count_or_conditions : int, or tensor of shape (n, c)
        How many, or what to ask for (:func:`~medlearn.models.gan.conditions`).
    seed : int, optional
        Of the noise: equal seeds give equal patches; the first patches do not change when more are asked for.
    batch_size : int, optional
        Patches at a time: memory, not the answer, depends on it.

    Returns
    -------
    ndarray of float32, shape (n, height, width), in HU

    Raises
    ------
    ValueError
        If the count is not positive or the conditions do not fit the generator.

    Examples
    --------
    >>> from medlearn.models.gan_networks import Generator
    >>> make_patches(Generator(channels=4), 3).shape
    (3, 32, 32)
    """
    count, asked = asked_for(count_or_conditions)
    generator.eval()
    device = next(generator.parameters()).device
    latents = _noise(count, generator.latent, seed).split(batch_size)
    wanted = [None] * len(latents) if asked is None else asked.split(batch_size)
    wanted = [some if some is None else some.to(device) for some in wanted]
    made = [call(generator, z.to(device), some) for z, some in zip(latents, wanted, strict=True)]
    return np.concatenate([unscale(images) for images in made])


def asked_for(count_or_conditions):
    """Return how many patches are asked for, and their conditions or None.

    Raises
    ------
    ValueError
        If there is not one patch or more.

    Examples
    --------
    >>> asked_for(3)
    (3, None)
    """
    asked = count_or_conditions if torch.is_tensor(count_or_conditions) else None
    count = count_or_conditions if asked is None else len(asked)
    if count < 1:
        raise ValueError(f"count_or_conditions must ask for one patch or more, got {count}.")
    return count, asked


def _noise(count, latent, seed):
    """Return normal numbers, shape (count, latent); the first rows do not depend on the count.

    PyTorch draws them by sixteens, and the last sixteen once more where the count is no multiple of it.
    """
    whole = -(-count // 16) * 16
    return torch.randn(whole, latent, generator=torch.Generator().manual_seed(seed))[:count]


class Watch:
    """Keep what the averaged generator makes of the same noise, and how far that is from the data."""

    def __init__(self, model, conditions, every, distance, seed):
        self.model, self.every, self.distance, self.seed = model, every, distance, seed
        self.grid = self.judged = None if conditions is None else _some(conditions, JUDGED, seed)
        if conditions is not None:  # nodules last, the largest at the end
            shown = self.judged[:GRID].tolist()
            self.grid = torch.tensor(sorted(shown), dtype=conditions.dtype)
        self.frames, self.steps, self.distances = [], [], []

    def __call__(self, step):
        if not self.every or (step != 1 and step % self.every):
            return
        self.steps.append(step)
        self.frames.append(make_patches(self.model, GRID if self.grid is None else self.grid, seed=self.seed))
        if self.distance is not None:
            made = make_patches(self.model, JUDGED if self.judged is None else self.judged, seed=self.seed + 1)
            self.distances.append(float(self.distance(made)))

    def seen(self):
        frames = np.stack(self.frames) if self.frames else np.zeros((0, GRID, 0, 0), np.float32)
        return frames, np.array(self.steps, dtype=int), np.array(self.distances)


def _some(conditions, count, seed):
    return conditions[torch.randint(len(conditions), (count,), generator=torch.Generator().manual_seed(seed))]


def call(model, values, conditions):
    """Return what a network makes of values, with conditions or without any."""
    return model(values) if conditions is None else model(values, conditions)
