"""A variational autoencoder on patches: it learns to say a patch in a few numbers, and makes patches from such numbers.

The parts are in their own module and can be reached from here: :class:`VAE` (the network), :func:`draw_latent`,
:func:`gaussian_kl` and :func:`vae_loss`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from medlearn import runtime
from medlearn.models import gan, gan_making
from medlearn.models.gan_scaling import check_scaled
from medlearn.models.vae_network import VAE, draw_latent, gaussian_kl, vae_loss
from medlearn.models.weights import load

__all__ = ["VAE", "VAERun", "draw_latent", "gaussian_kl", "load_vae", "make_patches", "train", "vae_loss"]

WEIGHTS = Path(__file__).with_name("nodule_vae.safetensors")


@dataclass(frozen=True)
class VAERun:
    """What :func:`train` returns.

    Attributes
    ----------
    vae : VAE
    reconstruction, divergence : ndarray, shape (num_steps,)
        The two parts of the loss, in nats a patch.
    """

    vae: VAE
    reconstruction: np.ndarray
    divergence: np.ndarray


def train(
    images, *, conditions=None, vae=None, num_steps=1000, batch_size=64, learning_rate=2e-3, beta=1.0, seed=0,
    device=None, progress=True,
):  # fmt: skip
    """Train a variational autoencoder with Adam.

    Parameters
    ----------
    images : float32 tensor, shape (n, 1, 32, 32), in [-1, 1]
        Such as ``gan.scale(images_hu)``.
    conditions : float32 tensor, shape (n, c), optional
        Such as ``gan.conditions(labels, diameters_mm)``.
    vae : VAE, optional
        To be trained further, in place; None builds a fresh one.
    num_steps, batch_size : int, optional
    learning_rate : float, optional
        At its highest; it falls to 0 along half a cosine.
    beta : float, optional
        Weight of the divergence.
    seed : int, optional
        Of the fresh weights and of every draw.
    device : str or torch.device, optional
        None: ``runtime.pick_device()``.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    VAERun

    Raises
    ------
    ValueError
        If shapes or counts do not fit, or an image lies outside -1..1.

    Examples
    --------
    >>> run = train(torch.zeros(8, 1, 32, 32), vae=VAE(latent=2, channels=4), num_steps=3, progress=False)
    >>> run.divergence.shape
    (3,)
    """
    check_scaled(images, conditions)
    device, draws = device or runtime.pick_device(), torch.Generator().manual_seed(seed)
    vae = vae or _fresh(0 if conditions is None else conditions.shape[1], seed)
    vae = vae.to(device).train()
    optimizer = torch.optim.Adam(vae.parameters(), lr=learning_rate)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    parts = np.zeros((2, num_steps))
    for step in tqdm(range(num_steps), desc="steps", disable=not progress, leave=False):
        rows = torch.randint(len(images), (batch_size,), generator=draws)
        batch, told = images[rows].to(device), None if conditions is None else conditions[rows].to(device)
        found = vae(batch, told, draws)
        loss, *two = vae_loss(batch, *found, log_noise=vae.log_noise, beta=beta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        parts[:, step] = [part.item() for part in two]
    return VAERun(vae.eval(), *parts)


@torch.no_grad()
def make_patches(vae, count_or_conditions, *, seed=0, pixel_noise=False, batch_size=256):
    """Make patches from latent numbers drawn from the standard normal distribution.

    Parameters
    ----------
    vae : VAE
    count_or_conditions : int or float32 tensor, shape (n, c)
        How many, for a network without conditions; else the conditions of each patch.
    seed : int, optional
        Equal seeds make equal patches, whatever the batch size.
    pixel_noise : bool, optional
        True draws from the whole model: the decoder's mean plus independent noise in each pixel. False, as is usual,
        returns the mean.
    batch_size : int, optional
        Patches at a time.

    Returns
    -------
    ndarray of float32, shape (n, 32, 32), in HU

    Raises
    ------
    ValueError
        If the count is not positive or the conditions do not fit the network.

    Examples
    --------
    >>> make_patches(VAE(channels=4), 3).shape
    (3, 32, 32)
    """
    count, conditions = gan_making.asked_for(count_or_conditions)
    device, draws = next(vae.parameters()).device, torch.Generator().manual_seed(seed)
    latent = torch.randn(count, vae.latent, generator=draws)
    images = []
    for rows in torch.arange(count).split(batch_size):
        told = None if conditions is None else conditions[rows].to(device)
        images.append(vae.decode(latent[rows].to(device), told).cpu())
    images = torch.cat(images)
    if pixel_noise:
        images = images + vae.log_noise.exp().cpu() * torch.randn(images.shape, generator=draws)
    return gan.unscale(images.clamp(-1, 1))


def load_vae():
    """Return the conditional autoencoder that comes with the library: see WEIGHTS.md.

    Returns
    -------
    VAE
        Trained on simulated patches; it takes ``gan.conditions(labels, diameters_mm)``.

    Examples
    --------
    >>> make_patches(load_vae(), gan.conditions([1, 0], [12.0, np.nan])).shape
    (2, 32, 32)
    """
    return load(_fresh(2, 0), WEIGHTS).eval()


def _fresh(conditions, seed):
    """Return the network of the shipped weights' size, freshly drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VAE(conditions=conditions)
