"""Scores that need an order only: the area under the ROC curve, and the average precision."""

import numpy as np
from sklearn import metrics as sklearn_metrics

from medlearn.metrics import intervals
from medlearn.metrics.checks import check_cases, check_level, check_method
from medlearn.metrics.delong import place, wald_interval
from medlearn.metrics.estimate import Estimate, undefined
from medlearn.metrics.intervals import Statistic, estimate
from medlearn.metrics.ranks import auc_of_weights, average_precision_influence, average_precision_of_weights, sort_cases
from medlearn.metrics.summaries import one_label


def auc_score(labels, scores, *, patients=None, level=0.95, method="logit", seed=0):
    """Return the area under the ROC curve: the chance that a diseased case scores higher than a healthy one.

    Parameters
    ----------
    labels : sequence of n numbers, 0 or 1
    scores : sequence of n finite numbers
        Higher means more likely diseased. Ties count half. Not only probabilities.
    patients : sequence of length n, optional
        The patient of each case; the interval then is over patients.
    level : float, optional
        Confidence level of the interval.
    method : {"logit", "delong", "percentile", "bca"}, optional
        "logit": DeLong's variance (with patients, Obuchowski's) on the logit scale, with a t quantile. "delong": the
        same variance, symmetric, as in R's pROC. The others are bootstraps.
    seed : int, optional
        Seed of the bootstrap.

    Returns
    -------
    Estimate
        Undefined (NaN) where the cases have one label only. Below 0.5 is possible: the scores order the cases the
        wrong way.

    Raises
    ------
    ValueError
        If lengths differ, there are no cases, labels are not 0 or 1, or scores hold NaN or infinite values.

    Examples
    --------
    >>> print(auc_score([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 5, 4, 6, 7, 8], method="delong"))
    0.94 (95 % CI 0.76 to 1.00, 8 cases)
    """
    check_method(method, ("delong", *intervals.METHODS))
    cases = check_cases(labels, scores, patients, kind="scores")
    level = check_level(level)
    if reason := one_label(cases.labels):
        return undefined(reason, level=level, num_patients=cases.num_patients, num_cases=len(cases))
    value = float(sklearn_metrics.roc_auc_score(cases.labels, cases.values))
    placed, ranked = place(cases), sort_cases(cases)
    if method == "delong" and cases.num_units > 1:
        interval, said = wald_interval(placed, level=level)
        return Estimate(value, *interval, level, cases.num_patients, len(cases), said)
    influence = placed.influence if np.isfinite(placed.influence).all() else np.zeros(cases.num_units)
    statistic = Statistic(
        value, lambda weights: auc_of_weights(ranked, weights), influence, placed.degrees, placed.pairs
    )
    return estimate(statistic, cases, level=level, method="logit" if method == "delong" else method, seed=seed)


def average_precision_score(labels, scores, *, patients=None, level=0.95, method="logit", seed=0):
    """Return the average precision: the mean, over the diseased, of the precision at the score of each.

    It depends on the prevalence in these cases; a score without information has about the prevalence.
    Parameters and errors as in :func:`auc_score`.

    Returns
    -------
    Estimate
        Undefined (NaN) where no case has label 1.

    Examples
    --------
    >>> float(average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])).__round__(3)
    0.833
    """
    cases = check_cases(labels, scores, patients, kind="scores")
    level = check_level(level)
    if reason := one_label(cases.labels):
        return undefined(reason, level=level, num_patients=cases.num_patients, num_cases=len(cases))
    value = float(sklearn_metrics.average_precision_score(cases.labels, cases.values))
    ranked, units = sort_cases(cases), cases.num_units
    influence = average_precision_influence(ranked, units) * np.sqrt(units / max(1, units - 1))
    carriers = len(np.unique(cases.units[cases.labels == 1]))
    statistic = Statistic(
        value,
        lambda weights: average_precision_of_weights(ranked, weights),
        influence,
        max(1.0, carriers - 1.0),
        carriers,
    )
    return estimate(statistic, cases, level=level, method=method, seed=seed)
