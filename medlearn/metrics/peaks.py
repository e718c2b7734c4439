"""Which detected R peaks hit a beat: the best pairing, one to one within 150 ms."""

from dataclasses import dataclass, field

import numpy as np

from medlearn.metrics.checks import as_vector

#: The window of ANSI/AAMI EC57.
TOLERANCE_S = 0.150
_ROUNDING_S = 1e-9  # 0.45 - 0.30 is a little more than 0.15


@dataclass(frozen=True, eq=False)
class PeakMatches:
    """The detected peaks of one record beside its annotated beats.

    Attributes
    ----------
    errors_s : ndarray, shape (num_true,)
        Detected minus annotated time of each pair, in the order of the beats: positive where the detection is late.
    missed_s : ndarray, shape (num_missed,)
        Times of the beats without a detection.
    false_s : ndarray, shape (num_false,)
        Times of the detections without a beat.
    """

    errors_s: np.ndarray = field(repr=False)
    missed_s: np.ndarray = field(repr=False)
    false_s: np.ndarray = field(repr=False)

    @property
    def num_true(self):
        """The beats that were found: pairs."""
        return len(self.errors_s)

    @property
    def num_missed(self):
        """The beats that were not found."""
        return len(self.missed_s)

    @property
    def num_false(self):
        """The detections where no beat is."""
        return len(self.false_s)

    def __repr__(self):
        return f"PeakMatches(num_true={self.num_true}, num_missed={self.num_missed}, num_false={self.num_false})"


def match_r_peaks(reference_s, detected_s, *, tolerance_s=TOLERANCE_S, skip_s=0.0):
    """Pair the detected R peaks of one record with its annotated beats: one to one, the best pairing there is.

    Of all pairings within the tolerance, the one with the most pairs is taken and, of those, the one with the smallest
    sum of absolute timing errors. A greedy pairing may miss a pair: see the example.

    Parameters
    ----------
    reference_s : sequence of float
        Times of the annotated beats in seconds, ascending; one at least.
    detected_s : sequence of float
        Times of the detections in seconds, ascending; empty where the detector found nothing.
    tolerance_s : float, optional
        A pair may be this far apart, and no further.
    skip_s : float, optional
        Beats and unpaired detections before this time do not count. EC57 leaves five minutes out, for detectors that
        learn as they go. The pairing is made first, so that a beat at the edge keeps its detection.

    Returns
    -------
    PeakMatches

    Raises
    ------
    ValueError
        If times are NaN, infinite or not ascending, the tolerance or ``skip_s`` is negative, or no beat counts.

    Notes
    -----
    ANSI/AAMI EC57 asks for a comparison beat by beat with a window of 150 ms. Programs for it, such as PhysioNet's
    ``bxb``, walk through both lists and decide from the next few entries; this pairing is the best over the whole
    record. They can differ only where several beats or detections crowd within the window.

    Examples
    --------
    Each beat takes the nearest detection that is free: 1.00 takes 1.06, and nothing is left for 1.10. The best pairing:

    >>> found = match_r_peaks([1.00, 1.10], [0.90, 1.06])
    >>> found, found.errors_s.round(2).tolist()
    (PeakMatches(num_true=2, num_missed=0, num_false=0), [-0.1, -0.04])

    References
    ----------
    ANSI/AAMI EC57, Testing and reporting performance results of cardiac rhythm and ST segment measurement algorithms.
    """
    reference, detected = _check_times(reference_s, "reference_s"), _check_times(detected_s, "detected_s")
    for name, value in (("tolerance_s", tolerance_s), ("skip_s", skip_s)):
        if not np.isfinite(value) or value < 0:
            raise ValueError(f"{name} must be 0 or more seconds, got {value!r}; the usual tolerance is 0.150.")
    if not (reference >= skip_s).any():
        raise ValueError(
            f"no annotated beats{f' at or after skip_s = {skip_s:g} s' if len(reference) else ''}: nothing can be found"
            " or missed. Pass the annotation's beats, in seconds."
        )
    of_beat = _best_pairs(reference, detected, tolerance_s + _ROUNDING_S)
    paired, counts = of_beat >= 0, reference >= skip_s
    free = np.setdiff1d(np.arange(len(detected)), of_beat[paired])
    errors = detected[of_beat[paired & counts]] - reference[paired & counts]
    return PeakMatches(errors, reference[~paired & counts], detected[free][detected[free] >= skip_s])


def _best_pairs(reference, detected, tolerance):
    """Return the index of the detection of each beat, -1 where it has none.

    Dynamic programming: ``best[j]`` is the best pairing of the beats so far with the first j detections, as (pairs,
    minus the summed error, chain of pairs). In time no two pairs of a best pairing need to cross, so each beat either
    ends the chain or does not. Only detections within the tolerance are tried.
    """
    first = np.searchsorted(detected, reference - tolerance, "left").tolist()
    stop = np.searchsorted(detected, reference + tolerance, "right").tolist()
    reference, detected = reference.tolist(), detected.tolist()
    best = [(0, 0.0, None)]
    for i, time in enumerate(reference):
        best.extend([best[-1]] * (stop[i] + 1 - len(best)))
        before = best[first[i]]
        for j in range(first[i], stop[i]):
            pairs, error, chain = before
            with_this = pairs + 1, error - abs(detected[j] - time), (i, j, chain)
            before = best[j + 1]
            best[j + 1] = max(before, best[j], with_this, key=lambda entry: entry[:2])
    of_beat, chain = np.full(len(reference), -1), best[-1][2]
    while chain:
        i, j, chain = chain
        of_beat[i] = j
    return of_beat


def _check_times(times, name):
    times = as_vector(times, name)
    try:
        times = times.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be times in seconds ({error}).") from error
    if not np.isfinite(times).all():
        at = np.flatnonzero(~np.isfinite(times))[0]
        raise ValueError(f"{name} must be finite, got {times[at]} at position {at}. Find out how it came there.")
    if (np.diff(times) < 0).any():
        at = np.flatnonzero(np.diff(times) < 0)[0] + 1
        raise ValueError(
            f"{name} must ascend, but {times[at]:g} at position {at} follows {times[at - 1]:g}. Sort them: np.sort."
        )
    return times
