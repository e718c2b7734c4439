"""The points of a FROC curve for many resamples of the scans at once: sort once, then add up weights."""

from dataclasses import dataclass

import numpy as np

ELEMENTS_AT_ONCE = 1 << 21  # of a table with a row for each resample: 16 MB


@dataclass(frozen=True)
class Marks:
    """The detections that count, scores descending, and what stands in each scan.

    Attributes
    ----------
    scans : ndarray of int, shape (n,)
        The scan of each mark. A finding that is hit is a mark; so is a false detection.
    true : ndarray of bool, shape (n,)
    scores : ndarray of float, shape (n,)
    ends : ndarray of int
        The last mark of each distinct score.
    findings : ndarray of int, shape (num_scans,)
        Findings that count in each scan.
    """

    scans: np.ndarray
    true: np.ndarray
    scores: np.ndarray
    ends: np.ndarray
    findings: np.ndarray


def sort_marks(scans):
    """Return the marks of scans, sorted once for all resamples."""
    parts = []
    for number, scan in enumerate(scans):
        true = scan.finding_scores[~np.isnan(scan.finding_scores)]
        false = scan.scores[scan.kinds == "false"]
        parts.append((np.full(len(true) + len(false), number), np.arange(len(true) + len(false)) < len(true),
                      np.concatenate([true, false])))  # fmt: skip
    numbers, true, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    ends = np.flatnonzero(np.append(np.diff(scores) != 0, True)) if len(scores) else np.zeros(0, int)
    return Marks(numbers[order], true[order], scores, ends, np.array([scan.num_findings for scan in scans]))


def curve_points(marks):
    """Return false positives per scan, sensitivity and thresholds, each of shape (distinct scores + 1,)."""
    rate, sensitivity = _curves(marks, np.ones((1, len(marks.findings)), int))
    return rate[0], sensitivity[0], np.append(np.inf, marks.scores[marks.ends])


def read_at(marks, weights, rates):
    """Return the sensitivity at some rates, and their mean, for each row of weights.

    Parameters
    ----------
    marks : Marks
    weights : ndarray of int, shape (resamples, num_scans)
        How often each scan was drawn.
    rates : sequence of float

    Returns
    -------
    ndarray, shape (resamples, rates + 1)
        The mean stands last. NaN where a resample has no finding.
    """
    rows = max(1, ELEMENTS_AT_ONCE // (len(marks.scores) + 1))
    found = []
    for start in range(0, len(weights), rows):
        curves = _curves(marks, weights[start : start + rows])
        found += [np.interp(rates, rate, sensitivity) for rate, sensitivity in zip(*curves, strict=True)]
    found = np.array(found)
    return np.column_stack([found, found.mean(axis=1)])


def _curves(marks, weights):
    """Return false positives per scan and sensitivity: each of shape (resamples, distinct scores + 1)."""
    drawn = weights[:, marks.scans]  # (resamples, marks)
    true = np.cumsum(drawn * marks.true, axis=1)[:, marks.ends]
    both = np.cumsum(drawn, axis=1)[:, marks.ends]
    rate = (both - true) / weights.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        sensitivity = true / (weights @ marks.findings)[:, None]
        start = 0.0 / (weights @ marks.findings)[:, None]  # NaN without findings
    return np.concatenate([np.zeros_like(start), rate], axis=1), np.concatenate([start, sensitivity], axis=1)
