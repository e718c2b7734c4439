"""A diffusion model (DDPM) on patches: add noise in fifty known steps, learn to take it away, one step at a time.

The parts are in their own modules and can be reached from here: :class:`Denoiser` (the network), :func:`schedule`,
:func:`add_noise`, :func:`posterior` and :func:`step_back` (the noise).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from medlearn import runtime
from medlearn.models import gan, gan_making
from medlearn.models.diffusion_network import Denoiser
from medlearn.models.diffusion_schedule import Schedule, add_noise, posterior, schedule, step_back
from medlearn.models.gan_scaling import check_scaled
from medlearn.models.rates import rise_and_fall
from medlearn.models.weights import load

__all__ = [
    "Denoiser",
    "DiffusionRun",
    "Schedule",
    "add_noise",
    "load_denoiser",
    "make_patches",
    "posterior",
    "schedule",
    "step_back",
    "train",
]

WEIGHTS = Path(__file__).with_name("nodule_denoiser.safetensors")


@dataclass(frozen=True)
class DiffusionRun:
    """What :func:`train` returns.

    Attributes
    ----------
    denoiser, averaged : Denoiser
        The last weights, and their moving average, which makes the better patches.
    losses : ndarray, shape (num_steps,)
        The mean squared error of the noise, at each step of training.
    """

    denoiser: Denoiser
    averaged: Denoiser
    losses: np.ndarray


def train(
    images, *, conditions=None, denoiser=None, num_steps=1000, batch_size=64, learning_rate=2e-3, decay=0.995,
    seed=0, device=None, progress=True,
):  # fmt: skip
    """Train a denoiser: draw patches, steps and noise, and let it say the noise.

    Parameters
    ----------
    images : float32 tensor, shape (n, 1, height, width), in [-1, 1]
        Such as ``gan.scale(images_hu)``.
    conditions : float32 tensor, shape (n, c), optional
        Such as ``gan.conditions(labels, diameters_mm)``.
    denoiser : Denoiser, optional
        To be trained further, in place; None builds a fresh one with the cosine schedule.
    num_steps, batch_size : int, optional
        Of training; the fifty steps of noise are the denoiser's.
    learning_rate : float, optional
        Of Adam, at its highest: it rises for 100 steps, or a tenth of all, and falls to 0 along half a cosine.
    decay : float, optional
        Of the moving average of the weights.
    seed : int, optional
        Of the fresh weights and of every draw.
    device : str or torch.device, optional
        None: ``runtime.pick_device()``.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    DiffusionRun

    Raises
    ------
    ValueError
        If shapes or counts do not fit, or an image lies outside -1..1.

    Examples
    --------
    >>> images = torch.zeros(8, 1, 16, 16)
    >>> small = Denoiser(schedule().alpha_bars, channels=(8, 8))
    >>> run = train(images, denoiser=small, num_steps=3, batch_size=4, progress=False)
    >>> run.losses.shape
    (3,)
    """
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f"images must have the shape (n, 1, height, width), got {tuple(images.shape)}: gan.scale.")
    check_scaled(images, conditions)
    if num_steps < 1:
        raise ValueError(f"num_steps must be 1 or more, got {num_steps}.")
    device, draws = device or runtime.pick_device(), torch.Generator().manual_seed(seed)
    if denoiser is None:
        denoiser = _fresh(0 if conditions is None else conditions.shape[1], seed)
    denoiser = denoiser.to(device).train()
    averaged = gan.MovingAverage(denoiser, decay=decay)
    chain = _chain_of(denoiser)
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=learning_rate)
    rising = min(100, max(1, num_steps // 10))
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, rise_and_fall(num_steps, rising))
    losses = np.zeros(num_steps)
    for number in tqdm(range(num_steps), desc="steps", disable=not progress, leave=False):
        rows = torch.randint(len(images), (batch_size,), generator=draws)
        steps = torch.randint(1, len(chain) + 1, (batch_size,), generator=draws)
        clean = images[rows]
        noise = torch.randn(clean.shape, generator=draws)
        told = None if conditions is None else conditions[rows].to(device)
        found = denoiser(add_noise(clean, steps, noise, chain).to(device), steps.to(device), told)
        loss = ((noise.to(device) - found) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        averaged.update(denoiser)
        losses[number] = loss.item()
    return DiffusionRun(denoiser.eval(), averaged.model.eval(), losses)


@torch.no_grad()
def make_patches(denoiser, count_or_conditions, *, seed=0, batch_size=256, size=32):
    """Make patches from noise, one step of noise after the other.

    Parameters
    ----------
    denoiser : Denoiser
    count_or_conditions : int or float32 tensor, shape (n, c)
        How many, for a denoiser without conditions; else the conditions of each patch.
    seed : int, optional
        Equal seeds make equal patches, whatever the batch size.
    batch_size : int, optional
        Patches at a time.
    size : int, optional
        Height and width in pixels.

    Returns
    -------
    ndarray of float32, shape (n, size, size), in HU

    Raises
    ------
    ValueError
        If the count is not positive or the conditions do not fit the network.

    Examples
    --------
    >>> denoiser = Denoiser(schedule().alpha_bars, channels=(8, 8))
    >>> make_patches(denoiser, 3).shape
    (3, 32, 32)
    """
    count, conditions = gan_making.asked_for(count_or_conditions)
    device = next(denoiser.parameters()).device
    chain = _chain_of(denoiser)
    draws = torch.Generator().manual_seed(seed)
    noisy = torch.randn(count, 1, size, size, generator=draws)
    for step in range(len(chain), 0, -1):
        found = []
        for rows in torch.arange(count).split(batch_size):
            told = None if conditions is None else conditions[rows].to(device)
            steps = torch.full((len(rows),), step, device=device)
            found.append(denoiser(noisy[rows].to(device), steps, told).cpu())
        fresh = torch.randn(noisy.shape, generator=draws)
        noisy = step_back(noisy, torch.cat(found), step, chain, fresh=fresh, limit=1.0)
    return gan.unscale(noisy)


def load_denoiser():
    """Return the conditional denoiser that comes with the library: see WEIGHTS.md.

    Returns
    -------
    Denoiser
        Trained on simulated patches; it takes ``gan.conditions(labels, diameters_mm)``.

    Examples
    --------
    >>> make_patches(load_denoiser(), gan.conditions([1, 0], [12.0, np.nan])).shape
    (2, 32, 32)
    """
    return load(_fresh(2, 0), WEIGHTS).eval()


def _fresh(conditions, seed):
    """Return the denoiser of the shipped weights' size, freshly drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Denoiser(schedule().alpha_bars, conditions=conditions)


def _chain_of(denoiser):
    """Return the schedule that a denoiser was built for."""
    bars = denoiser.alpha_bars.double().cpu()
    return Schedule(1 - bars / torch.cat([torch.ones(1, dtype=torch.float64), bars[:-1]]), bars)
