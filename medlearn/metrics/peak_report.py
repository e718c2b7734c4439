"""The scores of an R peak detector: sensitivity, precision, F1 and timing error, with intervals over patients."""

from dataclasses import dataclass

import numpy as np

from medlearn.metrics.checks import check_level, check_patients
from medlearn.metrics.estimate import Estimate, undefined
from medlearn.metrics.intervals import finish_bootstrap
from medlearn.metrics.peaks import PeakMatches
from medlearn.metrics.proportions import precision_score, sensitivity_score
from medlearn.metrics.resampling import resample
from medlearn.metrics.summaries import f1_score

_BIN_S = 1e-4  # timing errors are binned to 0.1 ms


@dataclass(frozen=True)
class RPeakReport:
    """How well a detector finds R peaks, over patients.

    Attributes
    ----------
    sensitivity : Estimate
        Beats found of all beats (EC57's "gross" figure: each beat counts once, whosever it is).
    precision : Estimate
        Detections that are beats of all detections; EC57's positive predictivity.
    f1 : Estimate
    median_error_s : Estimate
        Median of detected minus annotated time of the pairs, in steps of 0.1 ms (of two middle ones the lower);
        positive where detections are late.
    quartiles_error_s : (float, float)
        The middle half of the errors lies between them: how much they spread.
    num_true, num_missed, num_false : int
    """

    sensitivity: Estimate
    precision: Estimate
    f1: Estimate
    median_error_s: Estimate
    quartiles_error_s: tuple[float, float]
    num_true: int
    num_missed: int
    num_false: int

    def __str__(self):
        counts = f"{self.num_true} found, {self.num_missed} missed, {self.num_false} false"
        lines = [("sensitivity", f"{self.sensitivity:.4f}"), ("precision", f"{self.precision:.4f}"),
                 ("F1", f"{self.f1:.4f}"), ("timing error", self._timing()), ("beats", counts)]  # fmt: skip
        return "\n".join(f"{name:13s} {said}" for name, said in lines)

    def _timing(self):
        error, (low, high) = self.median_error_s, self.quartiles_error_s
        if np.isnan(error.value):
            return str(error)
        said = f"median {1000 * error.value:+.1f} ms"
        if not np.isnan(error.low):
            said += f" ({100 * error.level:g} % CI {1000 * error.low:+.1f} to {1000 * error.high:+.1f})"
        return f"{said}, middle half {1000 * low:+.1f} to {1000 * high:+.1f} ms"


def r_peaks(records, *, patients=None, level=0.95, seed=0):
    """Return sensitivity, precision, F1 and timing error of a detector over records, with intervals over patients.

    Parameters
    ----------
    records : sequence of PeakMatches
        One for each record: see :func:`match_r_peaks`.
    patients : sequence, optional
        The patient of each record. Records of one patient count as one draw. Without, each record is a draw.
    level : float, optional
        Confidence level of the intervals.
    seed : int, optional
        Seed of the bootstrap of the median timing error.

    Returns
    -------
    RPeakReport
        The intervals are missing for a single patient; the precision is undefined where nothing was detected.

    Raises
    ------
    ValueError
        If there are no records, one is not a :class:`PeakMatches`, or the patients do not fit.

    Notes
    -----
    The intervals are those of :func:`sensitivity_score`, :func:`precision_score` and :func:`f1_score` with patients;
    that of the median is a percentile bootstrap, which is somewhat narrow for few patients.

    Examples
    --------
    >>> from medlearn.metrics import match_r_peaks
    >>> first = match_r_peaks([1, 2, 3, 4], [1.01, 2.01, 3.02])
    >>> second = match_r_peaks([1, 2, 3], [1.02, 1.5, 2.0, 3.01])
    >>> report = r_peaks([first, second])
    >>> print(report.sensitivity)
    0.86 (95 % CI 0.03 to 1.00, 2 records)
    >>> report.num_true, report.num_missed, report.num_false
    (6, 1, 1)
    """
    level, records = check_level(level), _check_records(records)
    units, num_patients = check_patients(patients, len(records))
    counts = np.array([[r.num_true, r.num_missed, r.num_false] for r in records])  # (records, 3)
    labels, predictions = np.repeat([1, 1, 0], counts.sum(axis=0)), np.repeat([1, 0, 1], counts.sum(axis=0))
    whose = np.concatenate([np.repeat(units, kind) for kind in counts.T])  # a patient for each beat and false detection
    of_beats = [
        score(labels, predictions, patients=whose, level=level)
        for score in (sensitivity_score, precision_score, f1_score)
    ]
    errors = np.concatenate([record.errors_s for record in records])
    median, quartiles = _timing(errors, np.repeat(units, counts[:, 0]), level=level, seed=seed)
    unit = "record" if num_patients is None else "patient"
    estimates = [estimate.counted_in(unit) for estimate in (*of_beats, median)]
    return RPeakReport(*estimates, quartiles, *(int(total) for total in counts.sum(axis=0)))


def _timing(errors, units, *, level, seed):
    """Return the median of the errors with a bootstrap interval over the units, and the quartiles."""
    names, units = np.unique(units, return_inverse=True)
    size = {"num_patients": len(names), "num_cases": len(errors)}
    if not len(errors):
        return undefined("no beat was found", level=level, **size), (np.nan, np.nan)
    steps, bins = np.unique(np.rint(errors / _BIN_S), return_inverse=True)
    table = np.bincount(units * len(steps) + bins, minlength=len(names) * len(steps)).reshape(len(names), -1)
    values = steps * _BIN_S

    def quantile(weights, share):
        below = np.cumsum(weights @ table, axis=1)  # (resamples, steps)
        return values[np.argmax(below >= share * below[:, -1:], axis=1)]

    once = np.ones((1, len(names)), int)
    middle, *quartiles = (float(quantile(once, share)[0]) for share in (0.5, 0.25, 0.75))
    if len(names) == 1:
        reason = "one patient says nothing about how patients differ"
        return Estimate(middle, np.nan, np.nan, level, *size.values(), "none", reason), tuple(quartiles)
    resampled = resample(lambda weights: quantile(weights, 0.5), len(names), seed=seed)
    interval, said, reason = finish_bootstrap(resampled, middle, None, level=level, method="percentile")
    return Estimate(middle, *interval, level, *size.values(), said, reason), tuple(quartiles)


def _check_records(records):
    if isinstance(records, PeakMatches):
        raise ValueError("records must be a sequence, one PeakMatches for each record; for one pass [matches].")
    records = list(records)
    if not records:
        raise ValueError("no records: r_peaks needs one PeakMatches at least, from match_r_peaks.")
    for position, record in enumerate(records):
        if not isinstance(record, PeakMatches):
            raise ValueError(
                f"record {position} is {type(record).__name__}, expected PeakMatches: call match_r_peaks for each."
            )
    return records
