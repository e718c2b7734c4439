"""AUC and average precision of many resamples at once: sort once, then add up weights.

A resample of the cases is a weight for each case: how often it was drawn. With the scores sorted once, the AUC of a
resample needs no sorting, only sums of weights up to each rank; ties need no care, because the ranks below and not
above are looked up once.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SortedCases:
    """The units of the cases in the order of the scores, and where each positive stands.

    Attributes
    ----------
    negatives, positives : ndarray of int
        Units of the negative and of the positive cases, scores ascending.
    below, not_above : ndarray of int, one for each positive
        How many negatives have a lower score, and how many a score that is not higher.
    positives_below : ndarray of int, one for each positive
        How many positives have a lower score.
    """

    negatives: np.ndarray
    positives: np.ndarray
    below: np.ndarray
    not_above: np.ndarray
    positives_below: np.ndarray


def sort_cases(cases):
    """Return the sorted cases: O(n log n), once for all resamples."""
    order = np.argsort(cases.values, kind="stable")
    labels, scores, units = cases.labels[order], cases.values[order], cases.units[order]
    negative, positive = scores[labels == 0], scores[labels == 1]
    return SortedCases(
        negatives=units[labels == 0],
        positives=units[labels == 1],
        below=np.searchsorted(negative, positive, side="left"),
        not_above=np.searchsorted(negative, positive, side="right"),
        positives_below=np.searchsorted(positive, positive, side="left"),
    )


def auc_of_weights(ranked, weights):
    """Return the AUC for each row of weights.

    Parameters
    ----------
    ranked : SortedCases
    weights : ndarray, shape (resamples, num_units)

    Returns
    -------
    ndarray, shape (resamples,)
        NaN where a resample has one class only.
    """
    negative = cumulated(weights, ranked.negatives)  # (resamples, negatives + 1)
    positive = weights.take(ranked.positives, axis=1)  # (resamples, positives)
    beaten = negative.take(ranked.below, axis=1) + negative.take(ranked.not_above, axis=1)
    pairs = positive.sum(axis=1, dtype=float) * negative[:, -1]
    with np.errstate(invalid="ignore"):  # as floats: whole numbers, exact up to 2^53
        return np.einsum("rp,rp->r", positive, beaten, dtype=float) / (2 * pairs)


def average_precision_of_weights(ranked, weights):
    """Return the average precision for each row of weights; parameters as in :func:`auc_of_weights`."""
    negative = cumulated(weights, ranked.negatives)
    positive = cumulated(weights, ranked.positives)
    found = positive[:, -1:] - positive.take(ranked.positives_below, axis=1)  # true positives there
    called = found + negative[:, -1:] - negative.take(ranked.below, axis=1)
    drawn = weights.take(ranked.positives, axis=1)
    precision = found / np.maximum(called, 1)
    with np.errstate(invalid="ignore"):
        return np.einsum("rp,rp->r", drawn, precision) / positive[:, -1]


def cumulated(weights, units):
    """Return the sums of the weights of the first 0, 1, 2, ... cases, shape (resamples, cases + 1)."""
    sums = np.zeros((len(weights), len(units) + 1), dtype=weights.dtype)
    np.cumsum(weights.take(units, axis=1), axis=1, out=sums[:, 1:])
    return sums


def average_precision_influence(ranked, num_units):
    """Return how far each unit pulls the average precision: its derivative by the weight of the unit."""
    positives, negatives = len(ranked.positives), len(ranked.negatives)
    found = positives - ranked.positives_below
    called = found + negatives - ranked.below
    precision = found / called
    value = precision.mean()
    # A case at or above the score of a positive changes the precision there.
    upto = np.append(0.0, np.cumsum(precision / called))  # sums over the first positives, ascending
    helped = np.append(0.0, np.cumsum(1 / called))
    positives_not_above = np.searchsorted(ranked.positives_below, ranked.positives_below, side="right")
    of_positive = (precision - value + helped[positives_not_above] - upto[positives_not_above]) / positives
    reached = np.searchsorted(ranked.below, np.arange(negatives), side="right")  # positives not above each negative
    of_negative = -upto[reached] / positives
    return np.bincount(ranked.positives, of_positive, num_units) + np.bincount(ranked.negatives, of_negative, num_units)
