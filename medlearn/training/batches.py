"""Batches of arrays that are in memory."""

import numpy as np
import torch

MOST_WEIGHTS = 2**24  # torch.multinomial takes no more


class Batches:
    """Go through inputs and targets that are in memory, batch by batch, in a new order each time.

    It takes the place of a ``torch.utils.data.DataLoader`` where all data are in memory: a batch is one indexing, not
    one call for each item. The order, the weighted draw and the augmentation draw from PyTorch's global generator,
    so ``torch.manual_seed`` fixes them; :func:`medlearn.training.fit` does that for you.

    Parameters
    ----------
    inputs : tensor or ndarray, or a tuple of them, each of shape (n, ...)
        With a tuple the network is called as ``model(*inputs)``. An ndarray of float64 becomes float32, the type of
        a network's weights; tensors stay as they are.
    targets : tensor or ndarray, shape (n, ...)
        For ``cross_entropy`` class numbers (int64).
    batch_size : int, optional
        The last batch may be smaller.
    shuffle : bool, optional
        False keeps the order: right for validation.
    sample_weights : sequence of n numbers, optional
        Draw n items **with replacement**, each with a chance that is proportional to its weight.
    augment : function, optional
        Called with the inputs of each batch, as ``augment(*inputs)``; returns them changed, in the same number. It must
        draw its random numbers from torch's global generator, or a resumed run is another one.

    Raises
    ------
    ValueError
        If there is no item, the lengths differ, or an option makes no sense.

    Examples
    --------
    >>> batches = Batches(torch.arange(5.0), torch.tensor([0, 1, 0, 1, 0]), batch_size=2, shuffle=False)
    >>> [inputs.tolist() for inputs, targets in batches]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    >>> len(batches)
    3
    """

    def __init__(self, inputs, targets, *, batch_size=64, shuffle=True, sample_weights=None, augment=None):
        self.inputs = as_inputs(inputs)
        self.targets = as_tensor(targets)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.augment = augment
        self._single = not isinstance(inputs, (tuple, list))
        _check(self.inputs, self.targets, batch_size=batch_size, augment=augment)
        self.sample_weights = None if sample_weights is None else _weights(sample_weights, len(self.targets), shuffle)

    def __len__(self):
        return -(-len(self.targets) // self.batch_size)

    def __iter__(self):
        for chosen in self._order().split(self.batch_size):
            inputs = tuple(each[chosen] for each in self.inputs)
            if self.augment is not None:
                inputs = as_inputs(self.augment(*inputs))
            yield inputs[0] if self._single else inputs, self.targets[chosen]

    def _order(self):
        """Return the index of every item in the order of this epoch."""
        count = len(self.targets)
        if self.sample_weights is not None:
            return torch.multinomial(self.sample_weights, count, replacement=True)
        return torch.randperm(count) if self.shuffle else torch.arange(count)


def as_inputs(inputs):
    """Return the inputs as a tuple of tensors."""
    return tuple(as_tensor(each) for each in (inputs if isinstance(inputs, (tuple, list)) else [inputs]))


def as_tensor(values):
    """Return a tensor; a float64 ndarray (NumPy's usual type) becomes float32."""
    if isinstance(values, torch.Tensor):
        return values
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"a network takes numbers, got an array of {values.dtype}; turn names into class numbers.")
    return torch.as_tensor(values.astype(np.float32) if values.dtype == np.float64 else values)


def _check(inputs, targets, *, batch_size, augment):
    lengths = [len(each) if each.ndim else None for each in (*inputs, targets)]
    if len(set(lengths)) != 1 or None in lengths:
        raise ValueError(
            f"inputs and targets must have one entry for each item; the inputs have the shapes"
            f" {[tuple(each.shape) for each in inputs]}, the targets {tuple(targets.shape)}. Several inputs come as a"
            " tuple."
        )
    if lengths[0] == 0:
        raise ValueError("there is no item to train on: inputs and targets are empty. Look at how they were selected.")
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}; 64 is usual.")
    if augment is not None and not callable(augment):
        raise ValueError(f"augment must be a function of the inputs, got {type(augment).__name__}.")


def _weights(sample_weights, count, shuffle):
    weights = torch.as_tensor(np.asarray(sample_weights, dtype=np.float64))
    if weights.shape != (count,) or count > MOST_WEIGHTS:
        raise ValueError(
            f"sample_weights must hold one number for each of the {count} items (at most {MOST_WEIGHTS:,}), got the"
            f" shape {tuple(weights.shape)}. Weights of classes go to the loss, or weights[targets] to this option."
        )
    if not bool((torch.isfinite(weights) & (weights >= 0)).all()) or not weights.sum() > 0:
        raise ValueError("sample_weights must be finite, not negative, and not all 0. Look for a class without items.")
    if not shuffle:
        raise ValueError("sample_weights draw at random, so shuffle=False contradicts them; leave one of them out.")
    return weights
