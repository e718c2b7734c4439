"""DeLong's variance of the AUC in O(n log n), for single cases and for cases that come in patients."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from medlearn.metrics.binomial import exact_of_effective
from medlearn.metrics.checks import check_cases, check_level
from medlearn.metrics.estimate import Interval


@dataclass(frozen=True)
class Placements:
    """The AUC and how far each unit pulls it.

    Attributes
    ----------
    auc : float
    influence : ndarray, shape (num_units,)
        The variance of the AUC is the sum of the squares; the covariance of two AUCs on the same cases that of the
        products.
    of_positives, of_negatives : ndarray
        The placement of each positive, and of each negative.
    pairs : int
        Pairs of a positive and a negative that share no unit: the independent comparisons at hand.
    """

    auc: float
    influence: np.ndarray
    of_positives: np.ndarray
    of_negatives: np.ndarray
    pairs: int


def delong_interval(labels, scores, *, patients=None, level=0.95):
    """Return DeLong's confidence interval of the AUC, symmetric and cut at 0 and 1.

    With patients, the variance is Obuchowski's for clustered data. Where DeLong's variance is 0 or cannot be had (an
    AUC of 0 or 1, one patient in a class), the interval is the exact one of as many independent cases as there are
    pairs of a positive and a negative that share no patient. For an AUC of 1 that bound is a theorem: all those pairs
    are in order with a probability of at most ``auc ** pairs``.

    Parameters
    ----------
    labels : sequence of n numbers, 0 or 1
    scores : sequence of n finite numbers
        Higher means more likely diseased.
    patients : sequence of length n, optional
        The patient of each case.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        ``(low, high)``; NaN where there is one class or one patient only.

    Raises
    ------
    ValueError
        If lengths differ, there are no cases, labels are not 0 or 1, or scores hold NaN or infinite values.

    Notes
    -----
    For 50 simulated patients with several images each, 88 to 93 % of the 95 % intervals held the truth; the default of
    :func:`medlearn.metrics.auc_score` 94.0 to 95.8 %.

    Examples
    --------
    >>> low, high = delong_interval([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 5, 4, 6, 7, 8])
    >>> print(f"{low:.3f} to {high:.3f}")
    0.764 to 1.000

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), doi:10.2307/2531595. Sun and Xu (2014), doi:10.1109/LSP.2014.2337313.
    Obuchowski (1997), doi:10.2307/2533958.
    """
    cases = check_cases(labels, scores, patients, kind="scores")
    level = check_level(level)
    if not np.ptp(cases.labels) or cases.num_units == 1:
        return Interval(np.nan, np.nan)
    return wald_interval(place(cases), level=level)[0]


def wald_interval(placed, *, level):
    """Return the symmetric interval of an AUC, and its name."""
    error = np.sqrt(np.sum(placed.influence**2))
    if not error > 0 or not 0 < placed.auc < 1:
        return exact_of_effective(placed.auc, placed.pairs, level), f"exact, as for {placed.pairs} independent pairs"
    half = stats.norm.ppf((1 + level) / 2) * error
    return Interval(float(max(0.0, placed.auc - half)), float(min(1.0, placed.auc + half))), "delong"


def place(cases):
    """Return the AUC of checked cases of both classes with its influence by unit.

    The placement of a positive is the share of the negatives below it, ties counting half; that of a negative the
    share of the positives above it. Both come from mid-ranks, so no pair is ever formed.

    Parameters
    ----------
    cases : medlearn.metrics.checks.Cases

    Returns
    -------
    Placements
    """
    positive = cases.labels == 1
    of_positives, of_negatives = _placements(cases.values[positive], cases.values[~positive])
    auc = float(min(1.0, max(0.0, of_positives.mean())))
    up, num_up = _unit_sums(of_positives - auc, cases.units[positive], cases.num_units)
    down, num_down = _unit_sums(of_negatives - auc, cases.units[~positive], cases.num_units)
    # The products of the two scaled sums are the covariance within patients that have both classes.
    influence = up * _inflation(num_up) + down * _inflation(num_down)
    pairs = max(1, min(num_up, num_down, cases.num_units // 2))
    return Placements(auc, influence, of_positives, of_negatives, pairs)


def _placements(positive, negative):
    """Return the placements of positives and negatives by mid-ranks."""
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    of_positives = (ranks[: len(positive)] - stats.rankdata(positive)) / len(negative)
    of_negatives = 1 - (ranks[len(positive) :] - stats.rankdata(negative)) / len(positive)
    return of_positives, of_negatives


def _unit_sums(deviations, units, num_units):
    """Return the sums of the deviations by unit over the number of cases, and how many units have cases."""
    return np.bincount(units, deviations, num_units) / len(units), len(np.unique(units))


def _inflation(num_units):
    return np.sqrt(num_units / (num_units - 1)) if num_units > 1 else np.nan


def auc_without_each(cases, placed):
    """Return the AUC without each unit, in O(n log n); NaN where a unit has all cases of a class.

    All pairs in order, less those that the unit has a part in, over the pairs that remain.
    """
    positive, of_positives, of_negatives = cases.labels == 1, placed.of_positives, placed.of_negatives
    num_positive = np.bincount(cases.units[positive], minlength=cases.num_units)
    num_negative = np.bincount(cases.units[~positive], minlength=cases.num_units)
    wins = np.bincount(cases.units[positive], of_positives, cases.num_units) * len(of_negatives)
    losses = np.bincount(cases.units[~positive], of_negatives, cases.num_units) * len(of_positives)
    remain = wins.sum() - wins - losses + _wins_within_units(cases)
    pairs = (len(of_positives) - num_positive) * (len(of_negatives) - num_negative)
    return np.where(pairs > 0, remain / np.maximum(pairs, 1), np.nan)


def _wins_within_units(cases):
    """Return how many pairs of each unit's own cases are in order, ties counting half."""
    positive = cases.labels == 1
    _, ranks = np.unique(cases.values, return_inverse=True)
    place = cases.units * (ranks.max() + 1) + ranks  # sorts by unit, then by score
    negatives = np.sort(place[~positive])
    first = np.searchsorted(negatives, (cases.units * (ranks.max() + 1))[positive])
    below = np.searchsorted(negatives, place[positive], side="left")
    not_above = np.searchsorted(negatives, place[positive], side="right")
    return np.bincount(cases.units[positive], (below + not_above) / 2 - first, cases.num_units)
