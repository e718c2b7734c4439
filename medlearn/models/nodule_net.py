"""The network that lesson 06b ends with, for a minute of training on two cores."""

from itertools import pairwise

import torch
from torch import nn


class NoduleNet(nn.Module):
    """A small convolutional network with batch normalisation that knows where the middle of a patch is.

    A 5x5 convolution halves the image at once, which saves three quarters of the work. Each stage after it halves the
    image and doubles the channels. At the end each channel is summed over the places with **weights of its own**, where
    global average pooling would weigh all places alike: the question is what stands in the middle. (On LUNA16's
    validation rows the two kinds of pooling scored alike: ``benchmarks/nodule_networks.py``.)

    Parameters
    ----------
    size : int, optional
        Height and width of a patch in pixels.
    channels : sequence of int, optional
        Channels of each stage.
    batch_normalization : bool, optional
        False: convolutions with a bias and nothing between them and the rectifier.
    place_weights : bool, optional
        False: global average pooling; then no weight depends on the size.
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

    def __init__(self, size=50, *, channels=(16, 32, 64), batch_normalization=True, place_weights=True, dropout=0.2):
        super().__init__()
        left, normalized = _places_left(size, channels, dropout), batch_normalization
        self.stages = nn.Sequential(
            _unit(1, channels[0], 5, normalized, stride=2), _unit(channels[0], channels[0], 3, normalized)
        )
        for before, count in pairwise(channels):
            self.stages.extend(
                [nn.MaxPool2d(2), _unit(before, count, 3, normalized), _unit(count, count, 3, normalized)]
            )
        self.place_weights = None
        if place_weights:
            self.place_weights = nn.Parameter(torch.full((channels[-1], left, left), 1 / left**2))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels[-1], 1)

    def forward(self, patches):
        maps = self.stages(patches)  # (n, 1, size, size) -> (n, channels, left, left)
        if self.place_weights is None:
            sums = maps.mean(dim=(2, 3))  # -> (n, channels)
        else:
            sums = (maps * self.place_weights).sum(dim=(2, 3))  # -> (n, channels)
        return self.output(self.dropout(sums))[:, 0]  # -> (n, 1) -> (n,)


def _unit(before, count, width, normalized, *, stride=1):
    """Return a convolution, its batch normalisation if asked for (a bias is needless then), and a rectifier."""
    convolution = nn.Conv2d(before, count, width, stride=stride, padding=width // 2, bias=not normalized)
    if not normalized:
        return nn.Sequential(convolution, nn.ReLU())
    return nn.Sequential(convolution, nn.BatchNorm2d(count), nn.ReLU())


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
