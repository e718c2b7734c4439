"""Scores that are a proportion of cases: sensitivity, specificity, precision, negative predictive value, accuracy."""

import numpy as np
from scipy import stats

from medlearn.metrics.binomial import clopper_pearson_interval, exact_of_effective, wilson_interval, wilson_of_effective
from medlearn.metrics.checks import check_cases, check_level, check_method
from medlearn.metrics.estimate import Estimate, undefined
from medlearn.metrics.intervals import NO_SPREAD, bootstrap_interval, from_table, without_interval

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

    Notes
    -----
    Share of 95 % intervals that held the truth in simulated studies of 50 patients with several images each, in three
    settings: "wilson" 93.9 to 96.5 %, "percentile" 86 to 95 %, "bca" 87 to 94 %, for all five proportions.

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
    statistic = proportion_statistic(sums, cases)
    if method in ("wilson", "clopper_pearson") or not np.abs(statistic.influence).max() > NO_SPREAD:
        method = method if method == "clopper_pearson" else "wilson"
        interval, said = _binomial_interval(sums, statistic, level=level, method=method)
    else:
        interval, said, reason = bootstrap_interval(statistic, cases.num_units, level=level, method=method, seed=seed)
    return Estimate(value, *interval, level, cases.num_patients, len(cases), said, reason)


def proportion_statistic(sums, cases):
    """Return the share of successes with what its intervals need.

    Parameters
    ----------
    sums : ndarray, shape (num_units, 2)
        Successes and cases of each unit.
    cases : medlearn.metrics.checks.Cases

    Returns
    -------
    Statistic
    """
    return from_table(sums, lambda sums: sums[..., 0] / sums[..., 1], cases, pairs=cases.num_units)


def _binomial_interval(sums, statistic, *, level, method):
    """Return Wilson's or the exact interval for successes and cases of each unit, and its name."""
    right, counts = sums.sum(axis=0)
    if (sums[:, 1] == 1).all():
        plain = {"wilson": wilson_interval, "clopper_pearson": clopper_pearson_interval}[method]
        return plain(int(right), int(counts), level), method
    n = effective_number(statistic)
    said = f"{method}, {counts:g} cases count as {n:.1f}"
    if method == "clopper_pearson":
        return exact_of_effective(statistic.value, n, level), said
    return wilson_of_effective(statistic.value, n, stats.t.ppf((1 + level) / 2, statistic.degrees)), said


def effective_number(statistic):
    """Return how many independent cases would vary as much as these clustered ones.

    Where the share does not vary between patients (all right, or all wrong), each patient counts as one case.

    References
    ----------
    Rao and Scott (1992), A simple method for the analysis of clustered binary data, doi:10.2307/2532311.
    """
    error = float(np.sqrt(np.sum(statistic.influence**2)))
    return statistic.value * (1 - statistic.value) / error**2 if error > NO_SPREAD else float(statistic.pairs)
