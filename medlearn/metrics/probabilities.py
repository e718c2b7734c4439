"""Scores of probabilities: the Brier score, and the expected calibration error."""

from functools import partial

import numpy as np
from scipy import stats

from medlearn.metrics.checks import check_cases, check_level, check_method
from medlearn.metrics.estimate import Estimate, Interval
from medlearn.metrics.intervals import METHODS, NO_SPREAD, estimate, from_table, logit_interval, without_interval

NUM_DRAWS = 2000
HALVINGS = 10  # of the share of the gaps: found to one part in 1,000


def brier_score(labels, probabilities, *, patients=None, level=0.95, method="inverse_root", seed=0):
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
    method : {"inverse_root", "logit", "percentile", "bca"}, optional
        The first two leave each patient out in turn and take a t quantile, on the scale of ``1 / sqrt(score)`` or of
        the logit. Squared errors are skewed: on the first scale the interval misses on both sides alike. The others are
        bootstraps.
    seed : int, optional
        Seed of the bootstrap.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If lengths differ, there are no cases, labels are not 0 or 1, or probabilities not within 0 to 1.

    Notes
    -----
    Share of 95 % intervals that held the truth in simulated studies of 50 patients with several images each, in three
    settings: "inverse_root" 93.6 to 95.4 %, "logit" 93.3 to 95.4 %, "percentile" 91 to 94 %, "bca" 89 to
    94 %.

    Examples
    --------
    >>> f"{float(brier_score([1, 0, 1, 0], [0.9, 0.2, 0.6, 0.1])):.3f}"
    '0.055'
    """
    check_method(method, ("inverse_root", *METHODS))
    cases = check_cases(labels, probabilities, patients, kind="probabilities")
    statistic = brier_statistic(cases)
    if method != "inverse_root":
        return estimate(statistic, cases, level=level, method=method, seed=seed)
    return _estimate_by(inverse_root_interval, statistic, cases, level=level)


def brier_statistic(cases):
    """Return the Brier score of checked cases with what its intervals need."""
    errors = (cases.values - cases.labels) ** 2
    table = np.column_stack([np.bincount(cases.units, errors), np.bincount(cases.units)])
    return from_table(table, lambda sums: sums[..., 0] / sums[..., 1], cases, pairs=cases.num_units)


def inverse_root_interval(statistic, *, level):
    """Return the interval that is symmetric on the scale of ``1 / sqrt(value)``, at most 1, and its name."""
    error = np.sqrt(np.sum(statistic.influence**2))
    if not error > NO_SPREAD:
        return logit_interval(statistic, level=level)
    middle = statistic.value**-0.5
    half = float(stats.t.ppf((1 + level) / 2, statistic.degrees)) * float(error) * middle**3 / 2
    return Interval((middle + half) ** -2, (middle - half) ** -2 if middle - half > 1 else 1.0), "inverse root"


def _estimate_by(interval_of, statistic, cases, *, level):
    """Return the estimate with the interval of a function of the statistic; one unit has none."""
    level = check_level(level)
    if cases.num_units == 1:
        return without_interval(statistic.value, cases, level=level)
    interval, said = interval_of(statistic, level=level)
    return Estimate(statistic.value, *interval, level, cases.num_patients, len(cases), said)


def expected_calibration_error(
    labels, probabilities, *, num_bins=10, patients=None, level=0.95, method="inversion", seed=0
):
    """Return the expected calibration error: the mean distance of predicted and observed share, over equal bins.

    Even a perfectly calibrated model gets more than 0, the more bins and the fewer cases the more: the distances of
    the bins do not cancel. A bootstrap resamples noise on top of noise and moves up once more, so its interval can miss
    the truth altogether. The default asks instead how small the error can be for the value seen to be no surprise.

    Parameters
    ----------
    labels : sequence of n numbers, 0 or 1
    probabilities : sequence of n numbers from 0 to 1
        The probability of label 1.
    num_bins : int, optional
        Bins of equal width; each holds its lower edge, the last also 1.
    patients : sequence of length n, optional
        The patient of each case; the interval then is over patients.
    level : float, optional
        Confidence level of the interval.
    method : {"inversion", "logit", "percentile", "bca"}, optional
        "inversion": the low end is the smallest share of the gaps seen, times the value, that with the noise of these
        patients added gives the value or more often enough; the high end is symmetric, with a t quantile. The others
        ignore the bias.
    seed : int, optional
        Seed of the noise, or of the bootstrap.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If lengths differ, there are no cases, labels are not 0 or 1, probabilities not within 0 to 1, or ``num_bins``
        is below 1.

    Notes
    -----
    Share of 95 % intervals that held the truth in simulated studies of 50 patients with several images each, in three
    settings: "inversion" 94.7 to 98.8 %, "percentile" 0 to 92 %, "bca" 0 to 81 %; 0 where the model is
    calibrated.

    Examples
    --------
    >>> f"{float(expected_calibration_error([0, 1, 1, 1], [0.25, 0.25, 0.75, 0.75], num_bins=2)):.3f}"
    '0.250'

    References
    ----------
    Naeini, Cooper and Hauskrecht (2015), doi:10.1609/aaai.v29i1.9602.
    """
    check_method(method, ("inversion", *METHODS))
    cases = check_cases(labels, probabilities, patients, kind="probabilities")
    table = gap_table(cases, num_bins)
    statistic = calibration_statistic(table, cases)
    if method != "inversion":
        return estimate(statistic, cases, level=level, method=method, seed=seed)
    return _estimate_by(partial(inversion_interval, table, seed=seed), statistic, cases, level=level)


def gap_table(cases, num_bins):
    """Return the sum of label minus probability of each unit in each bin, and its cases: (num_units, num_bins + 1)."""
    bins = equal_bins(cases.values, num_bins)
    cells = cases.units * num_bins + bins
    gaps = np.bincount(cells, cases.labels - cases.values, cases.num_units * num_bins)
    return np.column_stack([gaps.reshape(cases.num_units, num_bins), np.bincount(cases.units)])


def calibration_statistic(table, cases):
    """Return the expected calibration error of a table of gaps with what its intervals need."""
    return from_table(table, _calibration_error, cases, pairs=cases.num_units)


def inversion_interval(table, statistic, *, level, seed):
    """Return the interval of the expected calibration error that allows for its bias, and its name.

    Were the true gaps a share of those seen, the value would be the sum of their sizes with noise added. The low end is
    the smallest share for which the value seen is not among the highest 2.5 % of such values, at a level of 95 %.

    Parameters
    ----------
    table : ndarray, shape (num_units, num_bins + 1)
    statistic : Statistic
    level : float
    seed : int

    Returns
    -------
    Interval, str
    """
    num_units, cases = len(table), table[:, -1].sum()
    gaps = table[:, :-1].sum(axis=0) / cases
    pulls = (table[:, :-1] - gaps * table[:, -1:]) / cases * np.sqrt(num_units / (num_units - 1))
    error = np.sqrt(np.sum(statistic.influence**2))
    if not error > NO_SPREAD:
        return logit_interval(statistic, level=level)
    low = _smallest_share(gaps, draw_noise(pulls.T @ pulls, seed=seed), level) * statistic.value
    half = float(stats.t.ppf((1 + level) / 2, statistic.degrees)) * error
    return Interval(low, min(1.0, statistic.value + half)), "inversion"


def draw_noise(covariance, *, seed):
    """Return normal noise of this covariance, which may be singular; shape (draws, bins)."""
    size, axes = np.linalg.eigh(covariance)
    noise = np.random.default_rng(seed).standard_normal((NUM_DRAWS, len(covariance)))
    return (noise * np.sqrt(np.maximum(size, 0))) @ axes.T


def _smallest_share(gaps, noise, level):
    """Return the smallest share of the gaps that explains their sum, by halving.

    The chance of a sum as large grows with the share: Anderson (1955), doi:10.1090/S0002-9939-1955-0069229-1.
    """
    size = np.abs(gaps).sum()

    def explains(share):
        return (np.abs(share * gaps + noise).sum(axis=1) >= size).mean() >= (1 - level) / 2

    low, high = 0.0, 1.0
    if explains(low):
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if explains(middle) else (middle, high)
    return low


def equal_bins(probabilities, num_bins):
    """Return the bin of each probability: bins of equal width that hold their lower edge, the last also 1."""
    if num_bins != int(num_bins) or num_bins < 1:
        raise ValueError(f"num_bins must be a whole number, 1 or more, got {num_bins}; such as 10.")
    edges = np.arange(num_bins + 1) / num_bins  # linspace has 0.30000000000000004, above the 0.3 that it should hold
    return np.searchsorted(edges[1:-1], probabilities, side="right")


def _calibration_error(sums):
    return np.abs(sums[..., :-1]).sum(axis=-1) / sums[..., -1]
