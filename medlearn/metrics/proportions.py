"""Scores that are a proportion of cases: sensitivity, specificity, precision, negative predictive value, accuracy."""

import numpy as np
from scipy import stats

from medlearn.metrics.binomial import clopper_pearson_interval, exact_of_effective, wilson_interval, wilson_of_effective
from medlearn.metrics.checks import check_cases, check_level, check_method
from medlearn.metrics.estimate import Estimate, undefined
from medlearn.metrics.intervals import bootstrap_interval, from_table, without_interval

METHODS = ("wilson", "clopper_pearson", "percentile", "bca")


def sensitivity_score(labels, predictions, *, patients=None, level=0.95, method="wilson", seed=0):
    """Return the share of the diseased (label 1) that were called diseased; also called recall.

    Parameters
    ----------
    labels, predictions : sequence of n numbers, 0 or 1
    patients : sequence of length n, optional
        The patient of each case, as texts or numbers. Cases of a patient resemble each other, so they count for less.
    level : float, optional
        Confidence level of the interval.
    method : {"wilson", "clopper_pearson", "percentile", "bca"}, optional
        The interval. With patients, the first two use the effective number of cases, and Wilson's a t quantile.
    seed : int, optional
        Seed of the bootstrap.

    Returns
    -------
    Estimate
        Undefined (NaN) without diseased cases. Its ``num_cases`` and ``num_patients`` count the diseased only.

    Raises
    ------
    ValueError
        If lengths differ, there are no cases, or labels or predictions are not 0 or 1.

    Examples
    --------
    >>> print(sensitivity_score([1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 1]))
    0.75 (95 % CI 0.30 to 0.95, 4 cases)
    """
    cases = check_cases(labels, predictions, patients, kind="predictions")
    diseased, right, empty = cases.labels == 1, cases.values == 1, "no case has label 1"
    return proportion(cases, diseased, right, level=level, method=method, seed=seed, empty=empty)


def specificity_score(labels, predictions, *, patients=None, level=0.95, method="wilson", seed=0):
    """Return the share of the healthy (label 0) that were called healthy.

    Parameters, errors and methods as in :func:`sensitivity_score`.

    Returns
    -------
    Estimate
        Undefined (NaN) without healthy cases. Its ``num_cases`` and ``num_patients`` count the healthy only.

    Examples
    --------
    >>> print(specificity_score([1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1]))
    0.75 (95 % CI 0.30 to 0.95, 4 cases)
    """
    cases = check_cases(labels, predictions, patients, kind="predictions")
    healthy, right, empty = cases.labels == 0, cases.values == 0, "no case has label 0"
    return proportion(cases, healthy, right, level=level, method=method, seed=seed, empty=empty)


def precision_score(labels, predictions, *, patients=None, level=0.95, method="wilson", seed=0):
    """Return the share of those called diseased that are; also called positive predictive value.

    It depends on the prevalence in these cases. Parameters, errors and methods as in :func:`sensitivity_score`.

    Returns
    -------
    Estimate
        Undefined (NaN) where nobody is called diseased. Its ``num_cases`` and ``num_patients`` count those called
        diseased.

    Examples
    --------
    >>> print(precision_score([1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0]))
    0.75 (95 % CI 0.30 to 0.95, 4 cases)
    """
    cases = check_cases(labels, predictions, patients, kind="predictions")
    called, right, empty = cases.values == 1, cases.labels == 1, "no case is predicted 1"
    return proportion(cases, called, right, level=level, method=method, seed=seed, empty=empty)


def negative_predictive_value_score(labels, predictions, *, patients=None, level=0.95, method="wilson", seed=0):
    """Return the share of those called healthy that are.

    It depends on the prevalence in these cases. Parameters, errors and methods as in :func:`sensitivity_score`.

    Returns
    -------
    Estimate
        Undefined (NaN) where nobody is called healthy. Its ``num_cases`` and ``num_patients`` count those called
        healthy.

    Examples
    --------
    >>> print(negative_predictive_value_score([0, 0, 0, 1, 1], [0, 0, 0, 0, 1]))
    0.75 (95 % CI 0.30 to 0.95, 4 cases)
    """
    cases = check_cases(labels, predictions, patients, kind="predictions")
    called, right, empty = cases.values == 0, cases.labels == 0, "no case is predicted 0"
    return proportion(cases, called, right, level=level, method=method, seed=seed, empty=empty)


def accuracy_score(labels, predictions, *, patients=None, level=0.95, method="wilson", seed=0):
    """Return the share of the cases that were called right.

    Parameters, errors and methods as in :func:`sensitivity_score`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> print(accuracy_score([1, 1, 0, 0], [1, 0, 0, 0]))
    0.75 (95 % CI 0.30 to 0.95, 4 cases)
    """
    cases = check_cases(labels, predictions, patients, kind="predictions")
    everyone = np.ones(len(cases), dtype=bool)
    return proportion(cases, everyone, cases.labels == cases.values, level=level, method=method, seed=seed, empty="")


def proportion(cases, chosen, successes, *, level, method, seed, empty):
    """Return the share of successes among the chosen cases.

    Parameters
    ----------
    cases : medlearn.metrics.checks.Cases
    chosen, successes : ndarray of bool, shape (n,)
    level, method, seed : see :func:`sensitivity_score`
    empty : str
        The reason to give when no case is chosen.

    Returns
    -------
    Estimate
    """
    check_method(method, METHODS)
    level, cases, successes = check_level(level), cases.only(chosen), successes[chosen]
    if not len(cases):
        return undefined(empty, level=level, num_patients=cases.num_patients, num_cases=0)
    value = float(successes.mean())
    sums = np.column_stack([np.bincount(cases.units, successes), np.bincount(cases.units)])  # (num_units, 2)
    reason = ""
    if cases.num_patients == 1:
        return without_interval(value, cases, level=level)
    statistic = from_table(sums, _ratio, pairs=cases.num_units)
    if method in ("wilson", "clopper_pearson") or not statistic.influence.any():  # all alike: nothing to resample
        method = method if method == "clopper_pearson" else "wilson"
        interval, said = _binomial_interval(sums, level=level, method=method)
    else:
        interval, said, reason = bootstrap_interval(statistic, cases.num_units, level=level, method=method, seed=seed)
    return Estimate(value, *interval, level, cases.num_patients, len(cases), said, reason)


def _ratio(sums):
    return sums[..., 0] / sums[..., 1]


def _binomial_interval(sums, *, level, method):
    """Return Wilson's or the exact interval for successes and cases of each unit, and its name."""
    right, counts = sums.sum(axis=0)
    if (sums[:, 1] == 1).all():
        plain = {"wilson": wilson_interval, "clopper_pearson": clopper_pearson_interval}[method]
        return plain(int(right), int(counts), level), method
    n = effective_number(sums)
    said = f"{method}, {counts:g} cases count as {n:.1f}"
    if method == "clopper_pearson":
        return exact_of_effective(right / counts, n, level), said
    return wilson_of_effective(right / counts, n, stats.t.ppf((1 + level) / 2, len(sums) - 1)), said


def effective_number(sums):
    """Return how many independent cases would vary as much as these clustered ones.

    The variance of the proportion is that of a ratio of two sums over patients. Where all cases are right, or all
    wrong, it is 0: then each patient counts as one case.

    Parameters
    ----------
    sums : ndarray, shape (num_units, 2)
        Successes and cases of each unit.

    Returns
    -------
    float
        Not more than the number of cases.

    References
    ----------
    Rao and Scott (1992), A simple method for the analysis of clustered binary data, doi:10.2307/2532311.
    """
    num_units, (right, counts) = len(sums), sums.sum(axis=0)
    share = right / counts
    residuals = sums[:, 0] - share * sums[:, 1]
    variance = num_units / (num_units - 1) * np.sum(residuals**2) / counts**2
    if right in (0, counts) or variance == 0:
        return float(num_units)
    return float(min(counts, share * (1 - share) / variance))
