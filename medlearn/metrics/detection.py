"""Which detections of a scan hit a finding: by the definition of the LUNA16 challenge."""

from dataclasses import dataclass, field

import numpy as np

from medlearn.metrics.checks import check_scores

#: The diameter of a finding to ignore that nobody measured, as in the challenge's evaluation script.
UNMEASURED_MM = 10.0


@dataclass(frozen=True, eq=False)
class Matches:
    """The detections of one scan beside its findings.

    Attributes
    ----------
    scores : ndarray of float, shape (num_detections,)
    kinds : ndarray of str, shape (num_detections,)
        "true": the best hit on a finding. "duplicate": a hit on findings that have a better one. "ignored": no hit, but
        on a finding to be ignored. "false": none of these.
    findings : ndarray of int, shape (num_detections,)
        The finding that a true detection or a duplicate hits (the nearest one of several), -1 where there is none.
    finding_scores : ndarray of float, shape (given findings,)
        The best score on each finding; NaN where nothing hit it, and for findings below ``smallest_mm``.
    counted : ndarray of bool, shape (given findings,)
        False for findings below ``smallest_mm``: they are ignored.
    """

    scores: np.ndarray
    kinds: np.ndarray
    findings: np.ndarray
    finding_scores: np.ndarray = field(repr=False)
    counted: np.ndarray = field(repr=False)

    @property
    def num_findings(self):
        """The findings that count."""
        return int(self.counted.sum())

    @property
    def missed(self):
        """The indices of the findings that count and that nothing hit."""
        return np.flatnonzero(self.counted & np.isnan(self.finding_scores))


def match_detections(
    findings_mm, diameters_mm, detections_mm, scores, *, ignored_mm=None, ignored_diameters_mm=None, smallest_mm=0.0
):  # fmt: skip
    """Say which detections of one scan are true, duplicate, ignored or false.

    A detection hits a finding when it lies nearer to the centre than the radius (at the radius it does not). The best
    score counts; further hits on the same finding are neither true nor false. Detections that hit no finding, but one
    to be ignored, are neither as well. Pass every detection: the threshold is chosen later, by :func:`froc`.

    Parameters
    ----------
    findings_mm : array_like, shape (num_findings, 3)
        Centres in mm; an empty list for a scan without findings.
    diameters_mm : array_like, shape (num_findings,)
        Positive.
    detections_mm : array_like, shape (num_detections, 3)
        In the same coordinates; an empty list where the detector found nothing.
    scores : array_like, shape (num_detections,)
        Finite; higher means more suspicious.
    ignored_mm : array_like, shape (num_ignored, 3), optional
        Findings that the task does not ask for, such as those that one reader of four marked.
    ignored_diameters_mm : array_like, shape (num_ignored,), optional
        Without, 10 mm each, as the challenge takes it for findings that nobody measured.
    smallest_mm : float, optional
        Findings with a smaller diameter are ignored, too. The challenge asks for nodules of 3 mm or more.

    Returns
    -------
    Matches

    Raises
    ------
    ValueError
        If positions are not finite or not (n, 3), lengths differ, diameters are not positive or scores not finite.

    Notes
    -----
    A detection within two findings hits both, as in the challenge: if it is the best on either it is true, and it may
    count for both.

    Examples
    --------
    >>> found = match_detections([[0, 0, 0]], [10], [[0, 0, 4], [3, 0, 0], [0, 5, 0]], [0.7, 0.9, 0.8])
    >>> found.kinds.tolist(), found.missed.tolist()
    (['duplicate', 'true', 'false'], [])

    References
    ----------
    Setio AAA et al., Med Image Anal 42:1, 2017, doi:10.1016/j.media.2017.06.015, and its public evaluation script.
    """
    findings, diameters = _check_balls(findings_mm, diameters_mm, "findings_mm", "diameters_mm")
    ignored, ignored_diameters = _check_ignored(ignored_mm, ignored_diameters_mm)
    detections = _check_points(detections_mm, "detections_mm")
    scores = _check_numbers(scores, "scores")
    _check_same(detections_mm=detections, scores=scores)
    if not np.isfinite(smallest_mm) or smallest_mm < 0:
        raise ValueError(f"smallest_mm must be 0 or more, got {smallest_mm!r}; 0 counts every finding.")
    counted = diameters >= smallest_mm
    distance, hit = _hits(detections, findings, diameters)
    hits_ignored = _hits(detections, ignored, ignored_diameters)[1].any(axis=1) | (hit & ~counted).any(axis=1)
    hit &= counted
    best = _best_hits(hit, distance, scores)
    kinds = np.where(hits_ignored, "ignored", np.full(len(scores), "false", dtype="<U9"))
    kinds[hit.any(axis=1)] = "duplicate"
    kinds[best[best >= 0]] = "true"
    nearest = np.where(hit, distance, np.inf)
    index = np.where(hit.any(axis=1), nearest.argmin(axis=1) if len(findings) else -1, -1)
    finding_scores = np.full(len(findings), np.nan)
    finding_scores[best >= 0] = scores[best[best >= 0]]
    return Matches(scores, kinds, index, finding_scores, counted)


def _hits(detections, findings, diameters):
    """Return the distances, and which detections are nearer than the radius: both (num_detections, num_findings)."""
    distance = np.linalg.norm(detections[:, None] - findings[None], axis=-1)
    return distance, distance < diameters / 2


def _best_hits(hit, distance, scores):
    """Return for each finding the hit with the best score, the nearest of equal ones; -1 where there is none."""
    best = np.full(hit.shape[1], -1)
    for finding in range(hit.shape[1]):
        on_it = np.flatnonzero(hit[:, finding])
        if len(on_it):
            best[finding] = on_it[np.lexsort([distance[on_it, finding], -scores[on_it]])[0]]
    return best


def _check_ignored(points, diameters):
    if points is None and diameters is not None:
        raise ValueError("ignored_diameters_mm came without ignored_mm: pass the centres of those findings, too.")
    points = _check_points([] if points is None else points, "ignored_mm")
    diameters = np.full(len(points), UNMEASURED_MM) if diameters is None else diameters
    return _check_balls(points, diameters, "ignored_mm", "ignored_diameters_mm")


def _check_balls(points, diameters, points_name, diameters_name):
    points, diameters = _check_points(points, points_name), _check_numbers(diameters, diameters_name)
    _check_same(**{points_name: points, diameters_name: diameters})
    if (diameters <= 0).any():
        raise ValueError(
            f"{diameters_name} must be positive, got {diameters.min():g}. Findings that nobody measured belong in"
            " ignored_mm, without ignored_diameters_mm."
        )
    return points, diameters


def _check_points(points, name):
    if hasattr(points, "detach"):
        points = points.detach().cpu().numpy()
    try:
        points = np.asarray(points, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be rows of three numbers, x, y and z in mm ({error}).") from error
    points = points.reshape(0, 3) if points.size == 0 else points
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"{name} must have shape (n, 3), one row of x, y, z in mm for each; got {points.shape}.")
    if not np.isfinite(points).all():
        row = np.flatnonzero(~np.isfinite(points).all(axis=1))[0]
        raise ValueError(f"{name} must be finite, got {points[row].tolist()} in row {row}. Find out how it came there.")
    return points


def _check_numbers(values, name):
    return check_scores(values, name) if len(np.shape(values)) != 1 or len(values) else np.zeros(0)


def _check_same(**arrays):
    (first, a), (second, b) = arrays.items()
    if len(a) != len(b):
        raise ValueError(f"lengths differ: {len(a)} {first}, {len(b)} {second}. Each row needs one entry.")
