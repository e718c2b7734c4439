"""The networks of :mod:`medlearn.models.nodule_cnn` in PyTorch, and how to move and keep weights.

Every network here takes ``(n, 1, height, width)`` and returns one **logit** a patch, shape ``(n,)``:
``torch.sigmoid(logit)`` is the probability that the Keras twin returns. Fresh weights are drawn as Keras draws them.
"""

import torch
from torch import nn

from medlearn.models.nodule_cnn import check_pooled, check_seed_size
from medlearn.models.nodule_net import NoduleNet
from medlearn.models.weights import load, save

__all__ = ["NoduleNet", "PooledCNN", "SeedCNN", "copy_weights", "initialize_as_keras", "load", "save"]

_WITH_WEIGHTS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)


class SeedCNN(nn.Module):
    """The twin of :func:`medlearn.models.nodule_cnn.seed_cnn`: parameters and errors as there.

    Examples
    --------
    >>> network = SeedCNN(size=64)
    >>> network(torch.zeros(5, 1, 64, 64)).shape
    torch.Size([5])
    """

    def __init__(self, size=256):
        super().__init__()
        check_seed_size(size)
        left = ((size - 2) // 2 - 2) // 2
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),  # channels first: Keras flattens channels last
            nn.Linear(64 * left * left, 128),
            nn.ReLU(),
            nn.Linear(128, 1),
        )
        initialize_as_keras(self)

    def forward(self, patches):
        return self.layers(patches)[:, 0]  # (n, 1, size, size) -> (n, 1) -> (n,)


class PooledCNN(nn.Module):
    """The twin of :func:`medlearn.models.nodule_cnn.pooled_cnn`: parameters and errors as there.

    Examples
    --------
    >>> network = PooledCNN(channels=(8, 16), batch_normalization=True)
    >>> network(torch.zeros(5, 1, 50, 50)).shape
    torch.Size([5])
    """

    def __init__(self, size=64, *, channels=(16, 32, 64), batch_normalization=False, dropout=0.0):
        super().__init__()
        check_pooled(size, channels, dropout)
        self.layers = nn.Sequential()
        for index, (before, count) in enumerate(zip((1, *channels), channels, strict=False)):
            if index:
                self.layers.append(nn.MaxPool2d(2))
            self.layers.append(nn.Conv2d(before, count, 3, padding=1, bias=not batch_normalization))
            if batch_normalization:
                self.layers.append(nn.BatchNorm2d(count, eps=1e-3, momentum=0.01))  # Keras's defaults
            self.layers.append(nn.ReLU())
        self.layers.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels[-1], 1)])
        initialize_as_keras(self)

    def forward(self, patches):
        return self.layers(patches)[:, 0]  # (n, 1, height, width) -> (n, 1) -> (n,)


def initialize_as_keras(network):
    """Draw the weights as Keras does: Glorot's uniform distribution for the weights, 0 for the biases.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place.

    References
    ----------
    Glorot X, Bengio Y, AISTATS 2010, https://proceedings.mlr.press/v9/glorot10a.html.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def copy_weights(keras_model, torch_model):
    """Copy the weights of a Keras network into its PyTorch twin, so that both give equal outputs.

    A convolution's weights change from ``(height, width, in, out)`` to ``(out, in, height, width)``, a dense layer's
    from ``(in, out)`` to ``(out, in)``. Behind a Flatten the inputs stand in another order too: Keras counts rows,
    columns, channels, PyTorch channels, rows, columns.

    Parameters
    ----------
    keras_model : keras.Sequential
        Such as :func:`medlearn.models.nodule_cnn.seed_cnn`.
    torch_model : torch.nn.Module
        Its twin; changed in place.

    Returns
    -------
    torch.nn.Module
        ``torch_model``.

    Raises
    ------
    ValueError
        If the networks are no twins. ``torch_model`` is then as it was.

    Examples
    --------
    >>> from medlearn.models import nodule_cnn
    >>> twin = copy_weights(nodule_cnn.seed_cnn(size=32), SeedCNN(size=32))
    """
    sources = _weights_in_torch_order(keras_model)
    targets = [_copied_tensors(layer) for layer in torch_model.modules() if isinstance(layer, _WITH_WEIGHTS)]
    shapes = [[{name: tuple(t.shape) for name, t in layer.items()} for layer in side] for side in (sources, targets)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"the networks are no twins: Keras has layers with {shapes[0]}, PyTorch with {shapes[1]}."
            " Build both with the same size and the same options."
        )
    with torch.no_grad():
        for source, target in zip(sources, targets, strict=True):
            for name, value in source.items():
                target[name].copy_(value)
    return torch_model


def _copied_tensors(layer):
    """Return the weights and running means of a layer, without the count of batches, which Keras does not keep."""
    tensors = layer.state_dict(keep_vars=True)
    return {name: value for name, value in tensors.items() if name != "num_batches_tracked"}


def _weights_in_torch_order(keras_model):
    """Return the weights of each Keras layer that has some, under PyTorch's names and in its order."""
    found, flattened = [], None
    for layer in keras_model.layers:
        kind, values = type(layer).__name__, [weight.value.detach() for weight in layer.weights]
        if kind == "Flatten":
            flattened = layer.input.shape[1:]  # (height, width, channels)
        elif kind == "BatchNormalization":
            found.append(dict(zip(("weight", "bias", "running_mean", "running_var"), values, strict=True)))
        elif kind == "Conv2D":
            values[0] = values[0].permute(3, 2, 0, 1)  # (h, w, in, out) -> (out, in, h, w)
        elif kind == "Dense":
            if flattened:
                of_places = values[0].reshape(*flattened, -1)  # (h * w * c, out) -> (h, w, c, out)
                values[0] = of_places.permute(2, 0, 1, 3).flatten(0, 2)  # (h, w, c, out) -> (c * h * w, out)
            values[0], flattened = values[0].T, None  # (in, out) -> (out, in)
        elif values:
            raise ValueError(f"copy_weights knows no layer {kind}; it copies Conv2D, BatchNormalization and Dense.")
        if kind in ("Conv2D", "Dense"):
            found.append(dict(zip(("weight", "bias"), values, strict=False)))
    return found
