"""From a score and how each patient pulls it to an estimate with its interval, by one of several methods."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from medlearn.metrics.binomial import exact_of_effective
from medlearn.metrics.checks import check_level, check_method
from medlearn.metrics.estimate import Estimate, Interval
from medlearn.metrics.resampling import bca_interval, percentile_interval, resample

METHODS = ("logit", "percentile", "bca")
NO_SPREAD = 1e-9  # a standard error below this is rounding


@dataclass(frozen=True)
class Statistic:
    """A score and what its intervals need.

    Attributes
    ----------
    value : float
    resampled : callable
        Maps weights of the units, shape (resamples, num_units), to the values, shape (resamples,).
    influence : ndarray, shape (num_units,)
        How far each unit pulls the value; the variance is the sum of the squares.
    degrees : float
        Degrees of freedom of that variance: see :func:`degrees_of_freedom`.
    pairs : int
        The units that carry the score when it has no spread: the effective number of cases of the exact interval.
    lowest : float
        0, or -1 for a correlation; the highest is 1.
    """

    value: float
    resampled: Callable
    influence: np.ndarray
    degrees: float
    pairs: int
    lowest: float = 0.0


def degrees_of_freedom(cases):
    """Return the effective number of units, less 1 and at least 1.

    A few patients with most of the images make a variance as uncertain as that of a few patients: with ``m`` images
    each, there are in effect ``sum(m)^2 / sum(m^2)`` of them.

    References
    ----------
    Kish (1965), Survey Sampling, section 8.2. Carter, Schnepel and Steigerwald (2017), doi:10.1162/REST_a_00639.
    """
    images = np.bincount(cases.units).astype(float)
    return max(1.0, float(images.sum() ** 2 / np.sum(images**2)) - 1)


def jackknife_influence(left_out):
    """Return how far each unit pulls a score, from the values with each unit left out: the sum of squares is a
    variance.

    NaN where a unit cannot be left out.

    References
    ----------
    Efron and Stein (1981), The jackknife estimate of variance, doi:10.1214/aos/1176345462.
    """
    num_units = len(left_out)
    return np.sqrt((num_units - 1) / num_units) * (left_out.mean() - left_out)


def from_table(table, function, cases, *, pairs, lowest=0.0):
    """Return the statistic of a function of sums over units.

    Parameters
    ----------
    table : ndarray, shape (num_units, k)
        What each unit adds to each of the k sums.
    function : callable
        Maps sums, shape (..., k), to values, shape (...); NaN where undefined.
    cases : medlearn.metrics.checks.Cases
    pairs : int
    lowest : float, optional

    Returns
    -------
    Statistic
    """
    table = np.asarray(table, dtype=float)
    total = table.sum(axis=0)

    def of_sums(sums):
        with np.errstate(divide="ignore", invalid="ignore"):
            return function(sums)

    influence = jackknife_influence(of_sums(total - table))  # (num_units,)
    degrees = degrees_of_freedom(cases)
    return Statistic(float(of_sums(total)), lambda weights: of_sums(weights @ table), influence, degrees, pairs, lowest)


def estimate(statistic, cases, *, level, method, seed):
    """Return the estimate of a statistic of checked cases.

    Parameters
    ----------
    statistic : Statistic
    cases : medlearn.metrics.checks.Cases
    level : float
    method : str
        "logit", "percentile" or "bca".
    seed : int

    Returns
    -------
    Estimate
    """
    check_method(method, METHODS)
    level = check_level(level)
    if cases.num_units == 1:
        return without_interval(statistic.value, cases, level=level)
    if method == "logit" or not np.abs(statistic.influence).max() > NO_SPREAD:
        interval, said = logit_interval(statistic, level=level)
        reason = ""
    else:
        interval, said, reason = bootstrap_interval(statistic, cases.num_units, level=level, method=method, seed=seed)
    return Estimate(statistic.value, *interval, level, cases.num_patients, len(cases), said, reason)


def without_interval(value, cases, *, level):
    """Return the estimate of a single unit: a value, and no interval."""
    unit = "case" if cases.num_patients is None else "patient"
    reason = f"one {unit} says nothing about how {unit}s differ"
    return Estimate(value, np.nan, np.nan, level, cases.num_patients, len(cases), "none", reason)


def logit_interval(statistic, *, level):
    """Return the interval that is symmetric on the logit scale, and its name.

    A score without spread (all right, or all wrong) has no such interval: it gets the exact one of as many independent
    cases as there are units that carry it.
    """
    width = 1 - statistic.lowest
    value = (statistic.value - statistic.lowest) / width
    error = np.sqrt(np.sum((statistic.influence / width) ** 2))
    if not error > NO_SPREAD or not 0 < value < 1:
        interval = exact_of_effective(value, statistic.pairs, level)
        said = f"exact, as for {statistic.pairs} independent cases"
    else:
        half = stats.t.ppf((1 + level) / 2, statistic.degrees) * error / (value * (1 - value))
        odds = np.log(value / (1 - value))
        interval, said = special.expit([odds - half, odds + half]), "logit"
    return Interval(*(float(statistic.lowest + width * end) for end in interval)), said


def bootstrap_interval(statistic, num_units, *, level, method, seed):
    """Return the bootstrap interval, its name, and the reason where there is none."""
    resampled = resample(statistic.resampled, num_units, seed=seed)
    return finish_bootstrap(resampled, statistic.value, statistic.influence, level=level, method=method)


def finish_bootstrap(resampled, value, influence, *, level, method):
    """Return the interval of resampled values, its name with the number left out, and the reason where there is
    none."""
    defined = resampled[~np.isnan(resampled)]
    lost = len(resampled) - len(defined)
    said = f"{method} bootstrap, {len(resampled)} resamples"
    if lost:
        said += f" ({lost} undefined, left out)"
    if len(defined) < len(resampled) / 2:
        return Interval(np.nan, np.nan), said, f"{lost} of {len(resampled)} resamples do not define the score"
    if method == "bca":
        return bca_interval(defined, value, influence, level=level), said, ""
    return percentile_interval(defined, level=level), said, ""
