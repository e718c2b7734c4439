"""Scores that need an order only: the area under the ROC curve, and the average precision."""

import numpy as np
from sklearn import metrics as sklearn_metrics

from medlearn.metrics import intervals
from medlearn.metrics.checks import check_cases, check_level, check_method
from medlearn.metrics.delong import auc_without_each, place, wald_interval
from medlearn.metrics.estimate import Estimate, undefined
from medlearn.metrics.intervals import Statistic, degrees_of_freedom, estimate, jackknife_influence
from medlearn.metrics.ranks import auc_of_weights, average_precision_influence, average_precision_of_weights, sort_cases
from medlearn.metrics.summaries import one_label

MOST_LEFT_OUT = 2_000_000


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

    Notes
    -----
    Share of 95 % intervals that held the truth in simulated studies of 50 patients with several images each, in three
    settings: "logit" 94.0 to 95.8 %, "delong" 88 to 93 %, "percentile" 88 to 95 %, "bca" 90 to 96 %.
    An AUC of 0 or 1, or a class of one patient, has the exact interval that :func:`delong_interval` explains.

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
    if method == "delong" and cases.num_units > 1:
        interval, said = wald_interval(place(cases), level=level)
        value = float(sklearn_metrics.roc_auc_score(cases.labels, cases.values))
        return Estimate(value, *interval, level, cases.num_patients, len(cases), said)
    return estimate(auc_statistic(cases), cases, level=level, method=method.replace("delong", "logit"), seed=seed)


def auc_statistic(cases):
    """Return the AUC of checked cases of both classes with what its intervals need."""
    value = float(sklearn_metrics.roc_auc_score(cases.labels, cases.values))
    placed, ranked = place(cases), sort_cases(cases)
    influence = jackknife_influence(auc_without_each(cases, placed))
    return Statistic(
        value, lambda weights: auc_of_weights(ranked, weights), influence, degrees_of_freedom(cases), placed.pairs
    )


def average_precision_score(labels, scores, *, patients=None, level=0.95, method="logit", seed=0):
    """Return the average precision: the mean, over the diseased, of the precision at the score of each.

    It depends on the prevalence in these cases; a score without information has about the prevalence.
    Parameters and errors as in :func:`auc_score`.

    Returns
    -------
    Estimate
        Undefined (NaN) where no case has label 1.

    Notes
    -----
    Share of 95 % intervals that held the truth in simulated studies of 50 patients with several images each, in three
    settings: "logit" 94.5 to 95.1 %, "percentile" 89 to 94 %, "bca" 89 to 94 %.

    Examples
    --------
    >>> float(average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])).__round__(3)
    0.833
    """
    cases = check_cases(labels, scores, patients, kind="scores")
    level = check_level(level)
    if reason := one_label(cases.labels):
        return undefined(reason, level=level, num_patients=cases.num_patients, num_cases=len(cases))
    return estimate(average_precision_statistic(cases), cases, level=level, method=method, seed=seed)


def average_precision_statistic(cases):
    """Return the average precision of checked cases of both classes with what its intervals need.

    Each unit is left out in turn, where that is no more than two million cases in all; else the derivative stands for
    it, which is the same in the limit.
    """
    value = float(sklearn_metrics.average_precision_score(cases.labels, cases.values))
    ranked, units = sort_cases(cases), cases.num_units
    if units * len(cases) <= MOST_LEFT_OUT:
        influence = jackknife_influence(average_precision_of_weights(ranked, 1 - np.eye(units, dtype=int)))
    else:
        influence = average_precision_influence(ranked, units) * np.sqrt(units / (units - 1))
    return Statistic(
        value,
        lambda weights: average_precision_of_weights(ranked, weights),
        influence,
        degrees_of_freedom(cases),
        pairs=len(np.unique(cases.units[cases.labels == 1])),
    )
