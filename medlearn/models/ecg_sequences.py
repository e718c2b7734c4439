"""Draw short sequences of beats for training: the rare classes more often, every patient about as often."""

import math

import numpy as np
import torch

from medlearn.models.ecg_preparation import record_slices


class BeatSequences:
    """Go through sequences of beats, batch by batch; :func:`medlearn.training.fit` takes it in the place of Batches.

    A beat is drawn by its weight (:func:`beat_weights`), then a sequence of neighbouring beats of its record that holds
    it, at a place that is drawn too. It draws from torch's global generator.

    Parameters
    ----------
    signals : ndarray, shape (beat, time, lead)
    rr : ndarray, shape (beat, k)
    labels : ndarray of int, shape (beat,)
        -1: not labelled. Such a beat is never drawn; it comes along with its neighbours.
    records : ndarray, shape (beat,)
        The beats of a record stand together.
    num_beats : int, optional
        Of a sequence. Records with fewer are left out.
    batch_size : int, optional
        Sequences at a time.
    num_batches : int, optional
        Of an epoch.
    augment : function, optional
        Called with the signals of a batch.

    Raises
    ------
    ValueError
        If the lengths differ, no beat is labelled, or no record with labelled beats is long enough.

    Examples
    --------
    >>> labels, records = np.zeros(40, dtype=int), np.repeat(["a", "b"], 20)
    >>> batches = BeatSequences(np.zeros((40, 112, 2)), np.zeros((40, 22)), labels, records, num_beats=8, batch_size=5)
    >>> (signals, rr), targets = next(iter(batches))
    >>> signals.shape, rr.shape, targets.shape
    (torch.Size([5, 8, 112, 2]), torch.Size([5, 8, 22]), torch.Size([5, 8]))
    """

    def __init__(
        self, signals, rr, labels, records, *, num_beats=16, batch_size=16, num_batches=100, augment=None
    ):  # fmt: skip
        places = record_slices(records)
        if not len(signals) == len(rr) == len(labels) == len(records):
            raise ValueError(
                "signals, rr, labels and records must have one entry for each beat, got"
                f" {len(signals)}, {len(rr)}, {len(labels)} and {len(records)}."
            )
        self.signals, self.rr = (torch.as_tensor(np.asarray(each, dtype=np.float32)) for each in (signals, rr))
        self.targets = torch.as_tensor(np.asarray(labels, dtype=np.int64))
        self.num_beats, self.batch_size, self.num_batches, self.augment = num_beats, batch_size, num_batches, augment
        weights = beat_weights(labels, records)
        first, last = np.zeros((2, len(labels)), dtype=np.int64)  # the sequences that a record has room for
        for place in places:
            if place.stop - place.start < num_beats:
                weights[place] = 0
            first[place], last[place] = place.start, place.stop - num_beats
        if not weights.any():
            raise ValueError(f"no record with labelled beats has {num_beats} beats; pass a smaller num_beats.")
        self.weights, self.first, self.last = (torch.as_tensor(each) for each in (weights, first, last))

    def __len__(self):
        return self.num_batches

    def __iter__(self):
        drawn = torch.multinomial(self.weights, self.num_batches * self.batch_size, replacement=True)
        starts = drawn - torch.randint(self.num_beats, drawn.shape)
        starts = torch.minimum(torch.maximum(starts, self.first[drawn]), self.last[drawn])
        for batch in (starts[:, None] + torch.arange(self.num_beats)).split(self.batch_size):  # (batch, num_beats)
            signals = self.signals[batch]  # -> (batch, num_beats, time, lead)
            signals = signals if self.augment is None else self.augment(signals)
            yield (signals, self.rr[batch]), self.targets[batch]


def beat_weights(labels, records, *, class_power=0.75, record_power=0.5):
    """Return the chance that each beat is drawn: classes and records with many beats count less than their share.

    Parameters
    ----------
    labels, records : ndarray, shape (beat,)
        Label -1: not labelled, never drawn.
    class_power : float, optional
        A class of n beats has a share in proportion to ``n ** (1 - class_power)``: 0 as it comes, 1 all alike.
    record_power : float, optional
        The same for the records within a class.

    Returns
    -------
    ndarray of float64, shape (beat,)
        They add up to 1.

    Raises
    ------
    ValueError
        If no beat is labelled.

    Examples
    --------
    >>> beat_weights(np.array([0, 0, 0, 0, 1]), np.array(list("aaaaa")), class_power=0.5).round(3)
    array([0.167, 0.167, 0.167, 0.167, 0.333])
    """
    labels, records = np.asarray(labels), np.asarray(records)
    weights = np.zeros(len(labels))
    if not (labels >= 0).any():
        raise ValueError("no beat is labelled: every label is -1.")
    for label in np.unique(labels[labels >= 0]):
        chosen = labels == label
        _, record, counts = np.unique(records[chosen], return_inverse=True, return_counts=True)
        each = (counts**-record_power)[record]
        weights[chosen] = each / each.sum() * chosen.sum() ** (1 - class_power)
    return weights / weights.sum()


def augment(signals, *, size=0.2, shift=3, wander=0.1, noise=0.03):
    """Return beats as another electrode, another fit of R and another breath might have given them.

    Parameters
    ----------
    signals : Tensor, shape (..., time, leads)
        In units of the QRS complex, as :func:`~medlearn.models.ecg_preparation.prepare` returns them.
    size : float, optional
        Standard deviation of the logarithm of the factor of each beat and lead.
    shift : int, optional
        Move all of them by up to so many samples; what leaves at one end comes in at the other.
    wander : float, optional
        Standard deviation of the height of a slow wave, up to 1.5 periods in a window.
    noise : float, optional
        Standard deviation of white noise.

    Returns
    -------
    Tensor, the shape of ``signals``

    Examples
    --------
    >>> augment(torch.zeros(5, 16, 112, 2)).shape
    torch.Size([5, 16, 112, 2])
    """
    one = (*signals.shape[:-2], 1, signals.shape[-1])  # a number for each beat and lead
    time = torch.linspace(0, 2 * math.pi, signals.shape[-2])[:, None]  # (time, 1)
    moved = torch.roll(signals, int(torch.randint(-shift, shift + 1, ())), dims=-2)
    wave = torch.sin(1.5 * torch.rand(one) * time + 2 * math.pi * torch.rand(one))
    added = wander * torch.randn(one) * wave + noise * torch.randn(moved.shape)
    return moved * torch.exp(size * torch.randn(one)) + added
