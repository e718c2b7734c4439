"""The denoiser of a diffusion model: a small U-Net that is told how much noise there is."""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

EMBEDDING = 64  # numbers that tell every block the step and the conditions
GROUPS = 8  # of the group normalisations


class Denoiser(nn.Module):
    """A U-Net that says which noise was added to an image.

    It works on blocks of 2 by 2 pixels, put behind one another as channels; an image of 32 x 32 is seen at 16 x 16,
    8 x 8 and 4 x 4. Each block of convolutions is told the step, and the conditions where there are any, through a
    factor and a shift of each channel. What it returns is

    ``sqrt(1 - a) * noisy + sqrt(a) * body``, with ``a = alpha_bars[steps - 1]``:

    the first term is the best answer for images that are standard normal noise themselves, so the body only learns
    what sets images apart from noise. (Its target is the "velocity" of Salimans and Ho.)

    Parameters
    ----------
    alpha_bars : tensor, shape (num_steps,)
        The share of the signal's variance left after each step, such as ``schedule().alpha_bars``.
    conditions : int, optional
        Numbers that describe an image, such as the 2 of :func:`medlearn.models.gan.conditions`; 0 for none.
    channels : sequence of int, optional
        Channels of each level, the finest one first; multiples of 8.

    Raises
    ------
    ValueError
        If an option is out of range; in a call, if a shape is another one or the conditions are missing.

    Examples
    --------
    >>> denoiser = Denoiser(torch.linspace(0.99, 0.01, 50), conditions=2, channels=(8, 16))
    >>> noisy, steps = torch.zeros(5, 1, 32, 32), torch.tensor([1, 10, 20, 30, 50])
    >>> denoiser(noisy, steps, torch.zeros(5, 2)).shape
    torch.Size([5, 1, 32, 32])

    References
    ----------
    Ho J, Jain A, Abbeel P, NeurIPS 2020, https://doi.org/10.48550/arXiv.2006.11239. Salimans T, Ho J, ICLR 2022,
    https://doi.org/10.48550/arXiv.2202.00512.
    """

    def __init__(self, alpha_bars, *, conditions=0, channels=(24, 48, 40)):
        super().__init__()
        _check_channels(channels)
        self.conditions, self.multiple = conditions, 2 ** len(channels)
        self.register_buffer("alpha_bars", torch.as_tensor(alpha_bars, dtype=torch.float32), persistent=False)
        self.of_step = nn.Linear(EMBEDDING, EMBEDDING)
        self.of_conditions = nn.Linear(conditions, EMBEDDING, bias=False) if conditions else None
        self.told = nn.Sequential(nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU())
        self.first = nn.Conv2d(4, channels[0], 3, padding=1)
        self.encoder = nn.ModuleList([Block(channels[0], channels[0])])
        self.down, self.up, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for fine, coarse in pairwise(channels):
            self.down.append(nn.Conv2d(fine, coarse, 3, stride=2, padding=1))
            self.encoder.append(Block(coarse, coarse))
            self.up.insert(0, nn.ConvTranspose2d(coarse, fine, 2, stride=2))
            self.decoder.insert(0, Block(2 * fine, fine))
        self.last = nn.Sequential(nn.GroupNorm(GROUPS, channels[0]), nn.SiLU(), nn.Conv2d(channels[0], 4, 3, padding=1))
        for value in self.last[-1].parameters():
            nn.init.zeros_(value)  # training begins at the best answer for pure noise

    def forward(self, noisy, steps, conditions=None):
        """Return the noise, shape (n, 1, height, width), in images at the steps (n,), which count from 1."""
        self._check(noisy, conditions)
        told = self.of_step(embed(steps, EMBEDDING).to(noisy.dtype))  # (n, 64)
        told = self.told(told if conditions is None else told + self.of_conditions(conditions))  # (n, 64)
        maps = self.encoder[0](self.first(F.pixel_unshuffle(noisy, 2)), told)  # (n, 1, 32, 32) -> (n, c, 16, 16)
        skips = []
        for down, block in zip(self.down, self.encoder[1:], strict=True):
            skips.append(maps)
            maps = block(down(maps), told)  # height and width halved, the channels of the next level
        for up, block in zip(self.up, self.decoder, strict=True):
            maps = block(torch.cat([skips.pop(), up(maps)], dim=1), told)  # doubled, the channels of the level above
        body = F.pixel_shuffle(self.last(maps), 2)  # -> (n, 1, 32, 32)
        left = self.alpha_bars[steps - 1].reshape(-1, 1, 1, 1)
        return (1 - left).sqrt() * noisy + left.sqrt() * body

    def _check(self, noisy, conditions):
        if noisy.ndim != 4 or noisy.shape[1] != 1 or any(side % self.multiple for side in noisy.shape[2:]):
            raise ValueError(
                "noisy must have the shape (n, 1, height, width), with height and width multiples of"
                f" {self.multiple}, got {tuple(noisy.shape)}."
            )
        came = 0 if conditions is None else conditions.shape[-1]
        if came != self.conditions:
            raise ValueError(f"this denoiser takes {self.conditions} conditions an image, got {came}.")


class Block(nn.Module):
    """Two 3x3 convolutions around which the maps are added again, told the step by a factor and a shift a channel."""

    def __init__(self, before, count):
        super().__init__()
        self.enter = nn.Sequential(nn.GroupNorm(GROUPS, before), nn.SiLU(), nn.Conv2d(before, count, 3, padding=1))
        self.normalize = nn.GroupNorm(GROUPS, count)
        self.tell = nn.Linear(EMBEDDING, 2 * count)
        self.leave = nn.Conv2d(count, count, 3, padding=1)
        self.around = nn.Conv2d(before, count, 1) if before != count else nn.Identity()

    def forward(self, maps, told):
        factor, shift = self.tell(told)[:, :, None, None].chunk(2, dim=1)  # (n, count, 1, 1) each
        inner = self.normalize(self.enter(maps)) * (1 + factor) + shift  # (n, before, h, w) -> (n, count, h, w)
        return self.around(maps) + self.leave(F.silu(inner))


def embed(steps, size):
    """Return sines and cosines of the steps at wavelengths from 2 pi to 1,000 times that, shape (n, size).

    Neighbouring steps get similar numbers, distant ones do not; a step as one number would have to be taken apart by
    the network.

    Examples
    --------
    >>> embed(torch.tensor([0, 1]), 2)  # sin and cos of t
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """
    rates = torch.exp(-math.log(1000) * torch.linspace(0, 1, size // 2, device=steps.device))
    angles = steps[:, None] * rates  # (n, size / 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _check_channels(channels):
    if not len(channels) or any(count < 1 or count % GROUPS for count in channels):
        raise ValueError(f"channels must be one multiple of {GROUPS} or more, such as (24, 48, 40), got {channels!r}.")
