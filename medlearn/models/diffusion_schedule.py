"""The noise of a diffusion model: how much comes in at each step, and how one step is undone."""

import math
from dataclasses import dataclass

import torch

NUM_STEPS = 50


@dataclass(frozen=True)
class Schedule:
    """How much noise comes in at each step; entry ``t - 1`` belongs to step ``t``, which counts from 1.

    Attributes
    ----------
    betas : tensor of float64, shape (num_steps,)
        The variance of the noise that a step adds.
    alpha_bars : tensor of float64, shape (num_steps,)
        The product of ``1 - beta`` up to each step: the share of the image's own variance that is left.
    """

    betas: torch.Tensor
    alpha_bars: torch.Tensor

    def __len__(self):
        return len(self.betas)


def schedule(num_steps=NUM_STEPS, *, kind="cosine", betas=None):
    """Return a noise schedule that ends close to pure noise.

    Parameters
    ----------
    num_steps : int, optional
    kind : {"cosine", "linear"}, optional
        ``"cosine"``: the signal's share falls along a squared cosine (Nichol and Dhariwal 2021), no beta above 0.999.
        ``"linear"``: the betas of Ho and others 2020, 1e-4 to 0.02 for 1,000 steps, enlarged for fewer steps.
    betas : sequence of float, optional
        Your own, instead; ``num_steps`` and ``kind`` are then not used.

    Returns
    -------
    Schedule

    Raises
    ------
    ValueError
        If the number of steps or the kind makes no sense, or a beta is not between 0 and 1.

    Examples
    --------
    >>> [round(float(schedule(50, kind=kind).alpha_bars[-1]), 5) for kind in ("cosine", "linear")]
    [0.0, 1e-05]
    """
    if betas is None:
        if num_steps < 2 or kind not in ("cosine", "linear"):
            raise ValueError(
                f'num_steps must be 2 or more and kind "cosine" or "linear", got {num_steps} and {kind!r}.'
            )
        betas = _cosine_betas(num_steps) if kind == "cosine" else _linear_betas(num_steps)
    betas = torch.as_tensor(betas, dtype=torch.float64)
    if betas.ndim != 1 or not ((betas > 0) & (betas < 1)).all():
        raise ValueError(f"betas must be a row of numbers between 0 and 1, 0 and 1 left out, got {betas}.")
    return Schedule(betas, torch.cumprod(1 - betas, dim=0))


def _cosine_betas(num_steps):
    times = torch.arange(num_steps + 1, dtype=torch.float64) / num_steps
    left = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - left[1:] / left[:-1]).clamp(max=0.999)


def _linear_betas(num_steps):
    scale = 1000 / num_steps
    return torch.linspace(1e-4 * scale, min(0.02 * scale, 0.999), num_steps, dtype=torch.float64)


def add_noise(clean, steps, noise, chain):
    """Return images as they are after ``steps`` steps of noise, in one go: draws of q(x_t | x_0).

    Parameters
    ----------
    clean, noise : tensor, shape (n, ...)
        Images, and standard normal noise of the same shape.
    steps : int tensor, shape (n,)
        From 1 to the number of steps.
    chain : Schedule

    Returns
    -------
    tensor, shape (n, ...)
        ``sqrt(alpha_bar) * clean + sqrt(1 - alpha_bar) * noise``.

    Examples
    --------
    >>> chain = schedule(betas=[0.19, 0.5])  # alpha_bar: 0.81, 0.405
    >>> add_noise(torch.ones(1, 1), torch.tensor([1]), torch.zeros(1, 1), chain)
    tensor([[0.9000]])
    """
    left = _at(chain.alpha_bars, steps, clean)
    return left.sqrt() * clean + (1 - left).sqrt() * noise


def posterior(noisy, clean, steps, chain):
    """Return mean and variance of q(x_{t-1} | x_t, x_0): one step back for somebody who knows the clean image.

    Parameters
    ----------
    noisy, clean : tensor, shape (n, ...)
        x_t and x_0.
    steps : int tensor, shape (n,)
        The t of each image, from 1 on. At 1 the mean is ``clean`` and the variance 0.
    chain : Schedule

    Returns
    -------
    mean : tensor, shape (n, ...)
    variance : tensor, shape (n, 1, ...)

    Examples
    --------
    >>> mean, variance = posterior(torch.zeros(1, 1), torch.ones(1, 1), torch.tensor([1]), schedule())
    >>> mean, variance
    (tensor([[1.]]), tensor([[0.]]))
    """
    before = torch.cat([torch.ones(1, dtype=torch.float64), chain.alpha_bars[:-1]])
    beta, spread = chain.betas, 1 - chain.alpha_bars
    of_clean = _at(before.sqrt() * beta / spread, steps, clean)
    of_noisy = _at((1 - beta).sqrt() * (1 - before) / spread, steps, clean)
    return of_clean * clean + of_noisy * noisy, _at(beta * (1 - before) / spread, steps, clean)


def step_back(noisy, noise_found, step, chain, *, fresh, limit=None):
    """Take one step towards an image: guess the clean one, then draw from :func:`posterior`.

    Parameters
    ----------
    noisy : tensor, shape (n, ...)
        The images at ``step``.
    noise_found : tensor, shape (n, ...)
        What a denoiser says about the noise in them.
    step : int
    chain : Schedule
    fresh : tensor, shape (n, ...)
        Standard normal noise; not used at step 1, where the guess is returned.
    limit : float, optional
        Cut the guess off at plus and minus this much; 1 for images in [-1, 1].

    Returns
    -------
    tensor, shape (n, ...)
        The images at ``step - 1``.

    Examples
    --------
    >>> chain = schedule(betas=[0.19, 0.5])
    >>> step_back(torch.full((1, 1), 0.9), torch.zeros(1, 1), 1, chain, fresh=torch.ones(1, 1))
    tensor([[1.]])
    """
    steps = torch.full((len(noisy),), step)
    left = _at(chain.alpha_bars, steps, noisy)
    guess = (noisy - (1 - left).sqrt() * noise_found) / left.sqrt()
    if limit is not None:
        guess = guess.clamp(-limit, limit)
    mean, variance = posterior(noisy, guess, steps, chain)
    return mean + variance.sqrt() * fresh


def _at(values, steps, like):
    """Return the entry of each step, shape (n, 1, ...), to multiply images with."""
    return values[(steps - 1).cpu()].to(like).reshape(-1, *[1] * (like.ndim - 1))
