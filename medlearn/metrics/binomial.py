"""Intervals of a proportion: Wilson and Clopper-Pearson, and both for cases that come in patients."""

import numpy as np
from scipy import stats

from medlearn.metrics.checks import check_level
from medlearn.metrics.estimate import Interval


def wilson_interval(successes, n, level=0.95):
    """Return Wilson's score interval of a proportion.

    It holds the proportions that a score test would not reject. It stays within 0 to 1, is never of width 0, and
    covers close to its level on average; for a given ``n`` its coverage moves up and down with the true proportion.

    Parameters
    ----------
    successes : int
        How many of the ``n`` cases were right.
    n : int
        How many cases; at least 1.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        ``(low, high)``.

    Raises
    ------
    ValueError
        If ``n`` is below 1, ``successes`` not within 0 to ``n``, or ``level`` not between 0 and 1.

    Examples
    --------
    >>> low, high = wilson_interval(81, 263)
    >>> print(f"{low:.4f} to {high:.4f}")
    0.2553 to 0.3662

    References
    ----------
    Wilson (1927), doi:10.1080/01621459.1927.10502953; Newcombe (1998),
    doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E.
    """
    successes, n = _check_counts(successes, n)
    return Interval(*stats.binomtest(successes, n).proportion_ci(check_level(level), method="wilson"))


def clopper_pearson_interval(successes, n, level=0.95):
    """Return the exact (Clopper-Pearson) interval of a proportion.

    It never covers less than its level, and mostly covers more: it is wider than Wilson's.

    Parameters
    ----------
    successes : int
        How many of the ``n`` cases were right.
    n : int
        How many cases; at least 1.
    level : float, optional
        Confidence level.

    Returns
    -------
    Interval
        ``(low, high)``.

    Raises
    ------
    ValueError
        If ``n`` is below 1, ``successes`` not within 0 to ``n``, or ``level`` not between 0 and 1.

    Examples
    --------
    >>> low, high = clopper_pearson_interval(81, 263)
    >>> print(f"{low:.4f} to {high:.4f}")
    0.2527 to 0.3676

    References
    ----------
    Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.
    """
    successes, n = _check_counts(successes, n)
    return Interval(*stats.binomtest(successes, n).proportion_ci(check_level(level), method="exact"))


def _check_counts(successes, n):
    if n != int(n) or n < 1:
        raise ValueError(f"n must be a whole number of cases, 1 or more, got {n}.")
    if successes != int(successes) or not 0 <= successes <= n:
        raise ValueError(f"successes must be a whole number from 0 to n = {n}, got {successes}.")
    return int(successes), int(n)


def wilson_of_effective(proportion, n, quantile):
    """Return Wilson's interval for an effective, not necessarily whole, number of cases."""
    squared = quantile**2
    centre = (proportion + squared / (2 * n)) / (1 + squared / n)
    half = quantile / (1 + squared / n) * np.sqrt(proportion * (1 - proportion) / n + squared / (4 * n**2))
    return Interval(float(max(0.0, min(centre - half, proportion))), float(min(1.0, max(centre + half, proportion))))


def exact_of_effective(proportion, n, level):
    """Return the Clopper-Pearson interval for an effective, not necessarily whole, number of cases."""
    successes, tail = proportion * n, (1 - level) / 2
    low = stats.beta.ppf(tail, successes, n - successes + 1) if successes > 0 else 0.0
    high = stats.beta.isf(tail, successes + 1, n - successes) if successes < n else 1.0
    return Interval(float(low), float(high))
