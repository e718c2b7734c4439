"""Resampling whole patients by their weights, and the intervals that it gives: percentile and BCa."""

import numpy as np
from scipy import stats

from medlearn.metrics.estimate import Interval

NUM_RESAMPLES = 2000
ELEMENTS_AT_ONCE = 1 << 17  # weights drawn at a time: 1 MB, which stays in the processor's cache


def draw_weights(rng, num_units, num_resamples):
    """Yield how often each unit stands in each resample, a block of resamples at a time.

    Parameters
    ----------
    rng : numpy.random.Generator
    num_units : int
        Patients, or cases where there are no patients.
    num_resamples : int

    Yields
    ------
    ndarray of int32, shape (resamples in this block, num_units)
        Each row adds up to ``num_units``.
    """
    rows = max(1, ELEMENTS_AT_ONCE // num_units)
    for start in range(0, num_resamples, rows):
        count = min(rows, num_resamples - start)
        drawn = rng.integers(num_units, size=(count, num_units), dtype=np.int32)
        bins = drawn + np.arange(count)[:, None] * num_units  # each row counts in bins of its own
        counts = np.bincount(bins.ravel(), minlength=count * num_units)
        yield counts.reshape(count, num_units).astype(np.int32)  # half the memory to go through


def resample(statistic, num_units, *, num_resamples=NUM_RESAMPLES, seed=0):
    """Return a statistic of weights on resamples of the units; NaN where a resample does not define it."""
    rng = np.random.default_rng(seed)
    return np.concatenate([statistic(weights) for weights in draw_weights(rng, num_units, num_resamples)])


def percentile_interval(resampled, *, level):
    """Return the middle part of the resampled values."""
    tail = (1 - level) / 2
    return Interval(*(float(end) for end in np.quantile(resampled, (tail, 1 - tail))))


def bca_interval(resampled, value, influence, *, level):
    """Return the bias-corrected and accelerated interval.

    Parameters
    ----------
    resampled : ndarray, shape (num_resamples,)
    value : float
        The statistic of the cases themselves.
    influence : ndarray, shape (num_units,)
        How much each unit pulls the statistic up, up to a common factor: for instance the mean of the leave-one-out
        values minus each of them.
    level : float

    References
    ----------
    Efron (1987), Better bootstrap confidence intervals, doi:10.1080/01621459.1987.10478410.
    """
    rounding = 1e-12 * max(1.0, abs(value))  # two ways to the same value may differ in the last digit
    below = ((resampled < value - rounding).mean() + (resampled <= value + rounding).mean()) / 2
    if not 0 < below < 1:
        return percentile_interval(resampled, level=level)
    bias = stats.norm.ppf(below)
    spread = np.sum(influence**2) ** 1.5
    acceleration = np.sum(influence**3) / (6 * spread) if spread > 0 else 0.0
    shifted = bias + stats.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    tails = stats.norm.cdf(bias + shifted / (1 - acceleration * shifted))
    return Interval(*(float(end) for end in np.quantile(resampled, tails)))
