"""The network that tells real nodules best in a minute of training: see ``benchmarks/nodule_networks.py``."""

from itertools import pairwise

import torch
from torch import nn


class NoduleNet(nn.Module):
    """A small convolutional network with batch normalisation that knows where the middle of a patch is.

    A 5x5 convolution halves the image at once, which saves three quarters of the work. Each stage after it halves the
    image and doubles the channels. At the end each channel is summed over the places with **weights of its own**, where
    global average pooling would weigh all places alike: the question is what stands in the middle.

    Parameters
    ----------
    size : int, optional
        Height and width of a patch in pixels.
    channels : sequence of int, optional
        Channels of each stage.
    dropout : float, optional
        Share of the sums to drop in training.

    Raises
    ------
    ValueError
        If there are no channels, the size is too small for them, or the dropout is out of range.

    Examples
    --------
    >>> network = NoduleNet(size=50)
    >>> network(torch.zeros(5, 1, 50, 50)).shape
    torch.Size([5])
    >>> sum(weights.numel() for weights in network.parameters())
    74641
    """

    def __init__(self, size=50, *, channels=(16, 32, 64), dropout=0.2):
        super().__init__()
        left = _places_left(size, channels, dropout)
        self.stages = nn.Sequential(_unit(1, channels[0], 5, stride=2), _unit(channels[0], channels[0], 3))
        for before, count in pairwise(channels):
            self.stages.extend([nn.MaxPool2d(2), _unit(before, count, 3), _unit(count, count, 3)])
        self.place_weights = nn.Parameter(torch.full((channels[-1], left, left), 1 / left**2))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels[-1], 1)

    def forward(self, patches):
        maps = self.stages(patches)  # (n, 1, size, size) -> (n, channels, left, left)
        sums = (maps * self.place_weights).sum(dim=(2, 3))  # -> (n, channels)
        return self.output(self.dropout(sums))[:, 0]  # -> (n, 1) -> (n,)


def _unit(before, count, width, *, stride=1):
    """Return a convolution with batch normalisation, which makes a bias needless, and rectifier."""
    return nn.Sequential(
        nn.Conv2d(before, count, width, stride=stride, padding=width // 2, bias=False),
        nn.BatchNorm2d(count),
        nn.ReLU(),
    )


def _places_left(size, channels, dropout):
    """Return height and width of the last maps; the first convolution rounds up where it halves, the poolings down."""
    if not len(channels) or min(channels) < 1:
        raise ValueError(f"channels must be one positive number or more, got {channels!r}; such as (16, 32, 64).")
    left = (size + 1) // 2 // 2 ** (len(channels) - 1)
    if left < 1:
        raise ValueError(f"size {size} is too small for {len(channels)} stages, each of which halves the image.")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be from 0 up to but not including 1, got {dropout}.")
    return left
