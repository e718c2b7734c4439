"""Scores that weigh several cells of the confusion matrix: F1, balanced accuracy, Matthews' correlation."""

import numpy as np

from medlearn.metrics.checks import check_cases, check_level
from medlearn.metrics.estimate import undefined
from medlearn.metrics.intervals import estimate, from_table


def f1_score(labels, predictions, *, patients=None, level=0.95, method="logit", seed=0):
    """Return F1, the harmonic mean of precision and sensitivity: ``2 TP / (2 TP + FP + FN)``.

    Parameters
    ----------
    labels, predictions : sequence of n numbers, 0 or 1
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
        Undefined (NaN) where no case has label 1 and none is predicted 1.

    Raises
    ------
    ValueError
        If lengths differ, there are no cases, or labels or predictions are not 0 or 1.

    Notes
    -----
    Share of 95 % intervals that held the truth in simulated studies of 50 patients with several images each, in three
    settings: "logit" 94.0 to 95.7 %, "percentile" 90 to 95 %, "bca" 88 to 95 %, for all three scores of this kind.

    Examples
    --------
    >>> f"{float(f1_score([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0])):.3f}"
    '0.667'
    """
    cases = check_cases(labels, predictions, patients, kind="predictions")
    carriers = (cases.labels == 1) | (cases.values == 1)
    empty = "" if carriers.any() else "no case has label 1 and none is predicted 1"
    return _from_confusion(cases, _f1, carriers, level=level, method=method, seed=seed, empty=empty)


def balanced_accuracy_score(labels, predictions, *, patients=None, level=0.95, method="logit", seed=0):
    """Return the mean of sensitivity and specificity.

    Parameters, errors and methods as in :func:`f1_score`.

    Returns
    -------
    Estimate
        Undefined (NaN) where the cases have one label only.

    Examples
    --------
    >>> float(balanced_accuracy_score([1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]))
    0.75
    """
    cases = check_cases(labels, predictions, patients, kind="predictions")
    rare = cases.labels == (cases.labels.mean() < 0.5)
    return _from_confusion(
        cases, _balanced_accuracy, rare, level=level, method=method, seed=seed, empty=one_label(cases.labels)
    )


def matthews_score(labels, predictions, *, patients=None, level=0.95, method="logit", seed=0):
    """Return Matthews' correlation of labels and predictions: -1 to 1, 0 for guessing.

    Parameters, errors and methods as in :func:`f1_score`.

    Returns
    -------
    Estimate
        Undefined (NaN) where the labels, or the predictions, are all the same.

    Examples
    --------
    >>> float(matthews_score([1, 1, 0, 0], [1, 0, 0, 0]).value.__round__(3))
    0.577
    """
    cases = check_cases(labels, predictions, patients, kind="predictions")
    empty = one_label(cases.labels) or ("" if np.ptp(cases.values) else f"all predictions are {cases.values[0]}")
    rare = cases.labels == (cases.labels.mean() < 0.5)
    return _from_confusion(cases, _matthews, rare, level=level, method=method, seed=seed, empty=empty, lowest=-1.0)


def one_label(labels):
    """Return the reason where all labels are the same, else an empty text."""
    return "" if np.ptp(labels) else f"one class: all labels are {labels[0]}"


def confusion_table(cases):
    """Return true positives, false positives, false negatives and true negatives of each unit, shape (num_units, 4)."""
    cell = 2 * (1 - cases.values) + (cases.labels != cases.values)  # 0 TP, 1 FP, 2 TN, 3 FN
    table = np.bincount(4 * cases.units + cell, minlength=4 * cases.num_units).reshape(-1, 4)
    return table[:, [0, 1, 3, 2]]


def _from_confusion(cases, function, carriers, *, level, method, seed, empty, lowest=0.0):
    level = check_level(level)
    if empty:
        return undefined(empty, level=level, num_patients=cases.num_patients, num_cases=len(cases))
    pairs = len(np.unique(cases.units[carriers]))
    statistic = from_table(confusion_table(cases), function, cases, pairs=pairs, lowest=lowest)
    return estimate(statistic, cases, level=level, method=method, seed=seed)


def _f1(sums):
    true_positive, false_positive, false_negative, _ = np.moveaxis(sums, -1, 0)
    return 2 * true_positive / (2 * true_positive + false_positive + false_negative)


def _balanced_accuracy(sums):
    true_positive, false_positive, false_negative, true_negative = np.moveaxis(sums, -1, 0)
    sensitivity = true_positive / (true_positive + false_negative)
    return (sensitivity + true_negative / (true_negative + false_positive)) / 2


def _matthews(sums):
    tp, fp, fn, tn = np.moveaxis(np.asarray(sums, dtype=float), -1, 0)
    return (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
