"""Scores of probabilities: the Brier score, and the expected calibration error."""

import numpy as np

from medlearn.metrics.checks import check_cases
from medlearn.metrics.intervals import estimate, from_table


def brier_score(labels, probabilities, *, patients=None, level=0.95, method="logit", seed=0):
    """Return the mean squared difference of probability and label: 0 is best, 0.25 what always saying 0.5 gets.

    Parameters
    ----------
    labels : sequence of n numbers, 0 or 1
    probabilities : sequence of n numbers from 0 to 1
        The probability of label 1.
    patients : sequence of length n, optional
        The patient of each case; the interval then is over patients.
    level : float, optional
        Confidence level of the interval.
    method : {"logit", "percentile", "bca"}, optional
        "logit": jackknife over patients, t quantile, on the logit scale. The others are bootstraps.
    seed : int, optional
        Seed of the bootstrap.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If lengths differ, there are no cases, labels are not 0 or 1, or probabilities not within 0 to 1.

    Examples
    --------
    >>> f"{float(brier_score([1, 0, 1, 0], [0.9, 0.2, 0.6, 0.1])):.3f}"
    '0.055'
    """
    cases = check_cases(labels, probabilities, patients, kind="probabilities")
    errors = (cases.values - cases.labels) ** 2
    table = np.column_stack([np.bincount(cases.units, errors), np.bincount(cases.units)])
    statistic = from_table(table, lambda sums: sums[..., 0] / sums[..., 1], pairs=cases.num_units)
    return estimate(statistic, cases, level=level, method=method, seed=seed)


def expected_calibration_error(
    labels, probabilities, *, num_bins=10, patients=None, level=0.95, method="logit", seed=0
):
    """Return the expected calibration error: the mean distance of predicted and observed share, over equal bins.

    Even a perfectly calibrated model gets more than 0, the more bins and the fewer cases the more: the distances do
    not cancel.

    Parameters
    ----------
    labels : sequence of n numbers, 0 or 1
    probabilities : sequence of n numbers from 0 to 1
        The probability of label 1.
    num_bins : int, optional
        Bins of equal width; each holds its lower edge, the last also 1.
    patients, level, method, seed
        As in :func:`brier_score`.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        As in :func:`brier_score`, and if ``num_bins`` is below 1.

    Examples
    --------
    >>> f"{float(expected_calibration_error([0, 1, 1, 1], [0.25, 0.25, 0.75, 0.75], num_bins=2)):.3f}"
    '0.250'

    References
    ----------
    Naeini, Cooper and Hauskrecht (2015), doi:10.1609/aaai.v29i1.9602. Broecker (2012), doi:10.1007/s00382-011-1191-1.
    """
    cases = check_cases(labels, probabilities, patients, kind="probabilities")
    bins = equal_bins(cases.values, num_bins)
    gaps = np.bincount(cases.units * num_bins + bins, cases.labels - cases.values, cases.num_units * num_bins)
    table = np.column_stack([gaps.reshape(cases.num_units, num_bins), np.bincount(cases.units)])
    statistic = from_table(table, _calibration_error, pairs=cases.num_units)
    return estimate(statistic, cases, level=level, method=method, seed=seed)


def equal_bins(probabilities, num_bins):
    """Return the bin of each probability: bins of equal width that hold their lower edge, the last also 1."""
    if num_bins != int(num_bins) or num_bins < 1:
        raise ValueError(f"num_bins must be a whole number, 1 or more, got {num_bins}; such as 10.")
    edges = np.linspace(0, 1, num_bins + 1)
    return np.searchsorted(edges[1:-1], probabilities, side="right")


def _calibration_error(sums):
    return np.abs(sums[..., :-1]).sum(axis=-1) / sums[..., -1]
