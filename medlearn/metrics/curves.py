"""Curves to draw: the ROC curve, and the calibration curve with an interval for each bin."""

from dataclasses import dataclass

import numpy as np
from sklearn import metrics as sklearn_metrics

from medlearn.metrics.checks import check_cases, check_level
from medlearn.metrics.probabilities import equal_bins
from medlearn.metrics.proportions import proportion


@dataclass(frozen=True)
class RocCurve:
    """Sensitivity against false positive rate, from the strictest threshold to the laxest.

    Attributes
    ----------
    false_positive_rate, sensitivity : ndarray, shape (k,)
    thresholds : ndarray, shape (k,)
        A case is called diseased at ``score >= threshold``. The first is infinite: nobody is.
    """

    false_positive_rate: np.ndarray
    sensitivity: np.ndarray
    thresholds: np.ndarray


@dataclass(frozen=True)
class CalibrationCurve:
    """Observed share of diseased against predicted probability; bins without cases are left out.

    Attributes
    ----------
    predicted, observed : ndarray, shape (k,)
        Mean probability and share of label 1 in each bin.
    low, high : ndarray, shape (k,)
        Wilson's interval of ``observed``, over patients where they are given.
    counts : ndarray of int, shape (k,)
        Cases in each bin.
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray


def roc_curve(labels, scores):
    """Return the ROC curve, each distinct score a threshold.

    Parameters
    ----------
    labels : sequence of n numbers, 0 or 1
    scores : sequence of n finite numbers

    Returns
    -------
    RocCurve

    Raises
    ------
    ValueError
        As :func:`medlearn.metrics.auc_score`, and where all labels are the same: such cases have no curve.

    Examples
    --------
    >>> curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> curve.sensitivity.tolist(), curve.false_positive_rate.tolist()
    ([0.0, 0.5, 0.5, 1.0, 1.0], [0.0, 0.0, 0.5, 0.5, 1.0])
    """
    cases = check_cases(labels, scores, None, kind="scores")
    if not np.ptp(cases.labels):
        raise ValueError(f"one class: all labels are {cases.labels[0]}. A ROC curve needs cases of both classes.")
    return RocCurve(*sklearn_metrics.roc_curve(cases.labels, cases.values, drop_intermediate=False))


def calibration_curve(labels, probabilities, *, num_bins=10, strategy="uniform", patients=None, level=0.95):
    """Return what was observed where a probability was predicted, bin by bin.

    Parameters
    ----------
    labels : sequence of n numbers, 0 or 1
    probabilities : sequence of n numbers from 0 to 1
    num_bins : int, optional
    strategy : {"uniform", "quantile"}, optional
        Bins of equal width, or of about equal numbers of cases.
    patients : sequence of length n, optional
        The patient of each case; the intervals then are over patients.
    level : float, optional
        Confidence level of the intervals: each bin for itself.

    Returns
    -------
    CalibrationCurve

    Raises
    ------
    ValueError
        As :func:`medlearn.metrics.brier_score`, or if the strategy is unknown.

    Examples
    --------
    >>> curve = calibration_curve([0, 1, 1, 1], [0.25, 0.25, 0.75, 0.75], num_bins=2)
    >>> curve.predicted.tolist(), curve.observed.tolist(), curve.counts.tolist()
    ([0.25, 0.75], [0.5, 1.0], [2, 2])
    """
    cases = check_cases(labels, probabilities, patients, kind="probabilities")
    level = check_level(level)
    if strategy not in ("uniform", "quantile"):
        raise ValueError(f"strategy must be 'uniform' or 'quantile', got {strategy!r}.")
    bins = equal_bins(cases.values, num_bins)
    if strategy == "quantile":
        edges = np.quantile(cases.values, np.linspace(0, 1, num_bins + 1))
        bins = np.searchsorted(edges[1:-1], cases.values, side="right")
    rows = []
    for chosen in (bins == number for number in np.unique(bins)):
        observed = proportion(cases, chosen, cases.labels == 1, level=level, method="wilson", seed=0, empty="")
        rows.append((cases.values[chosen].mean(), observed.value, observed.low, observed.high, observed.num_cases))
    predicted, observed, low, high, counts = (np.array(column) for column in zip(*rows, strict=True))
    return CalibrationCurve(predicted, observed, low, high, counts)
