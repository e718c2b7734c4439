"""Turn, mirror, shift, zoom and re-scale patches at random: what may change in a patch without changing its label."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Augmentation:
    """How much each patch may change. Every amount is drawn anew for each patch, uniformly from -limit to limit.

    A small patch of lung has no up, left or right of its own: a nodule stays one when the patch is turned or mirrored.
    A whole chest does have sides (the heart, the liver): do not mirror or turn one.

    Attributes
    ----------
    turn_degrees : float
        180 allows every angle.
    mirror : bool
        Mirror half of the patches.
    shift_pixels : float
        Along rows and along columns.
    zoom : float
        0.1 is a size from 1 / 1.1 to 1.1 times the true one, about.
    contrast, brightness : float
        Shares of the window: 0.05 of 1400 HU is 70 HU.

    Examples
    --------
    >>> Augmentation(turn_degrees=0, mirror=False)
    Augmentation(turn_degrees=0, mirror=False, shift_pixels=2.0, zoom=0.1, contrast=0.05, brightness=0.025)
    """

    turn_degrees: float = 180.0
    mirror: bool = True
    shift_pixels: float = 2.0
    zoom: float = 0.1
    contrast: float = 0.05
    brightness: float = 0.025

    def __post_init__(self):
        for name, value in vars(self).items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be 0 or more, got {value}; 0 switches it off.")


def augment(patches, augmentation, *, generator):
    """Change each patch at random; what lies beyond its border is filled by reflection.

    Parameters
    ----------
    patches : torch.Tensor, shape (n, channels, height, width), in [0, 1]
    augmentation : Augmentation
    generator : torch.Generator

    Returns
    -------
    torch.Tensor of the same shape, in [0, 1]

    Examples
    --------
    >>> patches = torch.rand(4, 1, 50, 50)
    >>> augment(patches, Augmentation(), generator=torch.Generator().manual_seed(1)).shape
    torch.Size([4, 1, 50, 50])
    """
    count, (height, width) = len(patches), patches.shape[2:]

    def draw(limit, *shape):
        return limit * (2 * torch.rand(count, *shape, generator=generator) - 1)

    angle = draw(math.radians(augmentation.turn_degrees))
    size = torch.exp(draw(math.log1p(augmentation.zoom)))
    mirrored = torch.sign(draw(1.0)) if augmentation.mirror else torch.ones(count)
    # Each output place (x, y), from -1 to 1, takes its value from the input place A (x, y) + shift.
    cosine, sine = torch.cos(angle) * size, torch.sin(angle) * size
    shift_x, shift_y = draw(2 * augmentation.shift_pixels / width), draw(2 * augmentation.shift_pixels / height)
    rows = [
        torch.stack([mirrored * cosine, -sine * height / width, shift_x], dim=1),
        torch.stack([mirrored * sine * width / height, cosine, shift_y], dim=1),
    ]
    places = F.affine_grid(torch.stack(rows, dim=1), patches.shape, align_corners=False)  # (n, height, width, 2)
    patches = F.grid_sample(patches, places, padding_mode="reflection", align_corners=False)
    contrast = 1 + draw(augmentation.contrast, 1, 1, 1)
    return (patches * contrast + draw(augmentation.brightness, 1, 1, 1)).clamp(0, 1)


def symmetries(patches):
    """Return the eight turns by right angles and mirror images of each patch.

    Parameters
    ----------
    patches : torch.Tensor, shape (n, channels, size, size)

    Returns
    -------
    list of 8 torch.Tensor, each of that shape
        The first is ``patches``.

    Examples
    --------
    >>> turned = symmetries(torch.arange(4.0).reshape(1, 1, 2, 2))
    >>> [int(image[0, 0, 0, 0]) for image in turned]
    [0, 1, 3, 2, 1, 0, 2, 3]
    """
    mirrored = patches.flip(3)
    return [torch.rot90(image, turns, (2, 3)) for image in (patches, mirrored) for turns in range(4)]
