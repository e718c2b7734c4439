"""What a network, or a forest, is told of a heart beat: how far it is from what is usual for this patient.

Shapes differ more between patients than between a patient's normal and abnormal beats: a QRS complex that is wide for
one is the usual one for another. So each beat is set against the others **of its record**. No label is used, but the
whole record is: a monitor that must answer at once would have to wait for it.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

#: Windows in seconds from R: where the P wave, the QRS complex, and ST segment and T wave stand.
WAVES_S = {"P": (-0.256, -0.08), "QRS": (-0.08, 0.104), "T": (0.12, 0.448)}
#: The first features of ``rr``; six more for each lead follow, see :func:`prepare`.
RR_NAMES = (
    "before / usual", "after / usual", "before / record's", "the one earlier / usual", "the one later / usual",
    "before / the one earlier", "after / before", "surprise of before", "surprise of after", "irregularity",
)  # fmt: skip
_BEATS_AROUND = 8  # on either side: what is usual at this time
_LEAST_MV = 0.2  # a lead without a QRS complex is not blown up


def prepare(signals_mv, rr_s, records, *, sampling_rate_hz=125.0, r_index=50):
    """Turn beats into the inputs of a :class:`~medlearn.models.ecg_rnn.RhythmNet`.

    The signal of a beat is its **difference from the median beat of its record**, in units of the size of the median
    QRS complex. (Where beats differ much anyhow, the unit is larger: six times the usual difference.) The features
    hold logarithms of intervals over the usual interval of the 17 beats around, over the record's median, and over one
    another; how surprising the first two are, given how irregular the rhythm is at this time: in atrial fibrillation
    an early beat is no news; and for each lead and each of P, QRS and T how far the beat is from the median beat,
    beside how far the others are, and in units of the QRS complex. A premature beat from the atria has a strange P
    wave and the usual QRS complex, a ventricular one has a strange QRS complex.

    Parameters
    ----------
    signals_mv : ndarray, shape (beat, time, lead)
        Windows around R, the beats of a record together and in the order of time; such as ``Beats.signals_mv``.
    rr_s : ndarray, shape (beat, 2 or more)
        Seconds: the interval before and the one after; such as ``Beats.rr_s``.
    records : ndarray, shape (beat,)
        The record of each beat. **All of its beats** must be there, or their median is not its usual beat.
    sampling_rate_hz : float, optional
    r_index : int, optional
        Where R stands in the windows; 0.256 s or more before it and 0.448 s after it must be there.

    Returns
    -------
    signals : ndarray of float32, shape (beat, time, lead)
    rr : ndarray of float32, shape (beat, 10 + 6 * lead)
        :data:`RR_NAMES`, then for each of P, QRS and T: beside the others (each lead), in units of QRS (each lead).

    Raises
    ------
    ValueError
        If shapes do not fit, a value is NaN or an interval not positive, the windows are too short, or the beats of a
        record do not stand together.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signals, rr = prepare(rng.normal(size=(30, 112, 2)), np.full((30, 2), 0.8), np.repeat(["a", "b"], 15))
    >>> signals.shape, rr.shape, rr[0, :3].tolist()  # the intervals are the usual ones: their logarithm is 0
    ((30, 112, 2), (30, 22), [0.0, 0.0, 0.0])
    """
    signals_mv, rr_s, records = _checked(signals_mv, rr_s, records)
    windows = _windows(signals_mv.shape[1], sampling_rate_hz, r_index)
    parts = [_of_record(signals_mv[place], rr_s[place], windows) for place in record_slices(records)]
    signals, rr = (np.concatenate(each).astype(np.float32) for each in zip(*parts, strict=True))
    return signals, rr


def forest_features(signals_mv, rr_s):
    """Return what the random forest of the course knows of a beat: the shape as it is, and three ratios of intervals.

    Parameters
    ----------
    signals_mv : ndarray, shape (beat, time, lead)
    rr_s : ndarray, shape (beat, 4)
        Seconds: before, after, local mean, mean of the record; as ``Beats.rr_s``.

    Returns
    -------
    ndarray of float32, shape (beat, time * lead + 3)

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> forest_features(np.zeros((5, 100, 2)), np.ones((5, 4))).shape
    (5, 203)
    """
    signals_mv, rr_s = np.asarray(signals_mv), np.asarray(rr_s)
    if signals_mv.ndim != 3 or rr_s.shape != (len(signals_mv), 4):
        raise ValueError(
            "forest_features needs signals_mv of the shape (beat, time, lead) and rr_s of the shape (beat, 4), got"
            f" {signals_mv.shape} and {rr_s.shape}."
        )
    before, after, local, record = rr_s.T
    shape = signals_mv.reshape(len(signals_mv), -1)  # (beat, time, lead) -> (beat, time * lead)
    return np.column_stack([shape, before / local, after / local, before / record]).astype(np.float32)


def record_slices(records):
    """Return where each record begins and ends, in the order of the beats.

    Parameters
    ----------
    records : ndarray, shape (beat,)

    Returns
    -------
    list of slice

    Raises
    ------
    ValueError
        If a record appears twice.

    Examples
    --------
    >>> record_slices(np.array(["b", "b", "a"]))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    records = np.asarray(records)
    starts = np.flatnonzero(np.append(True, records[1:] != records[:-1]))
    if len(np.unique(records[starts])) < len(starts):
        raise ValueError("the beats of a record must stand together, in the order of time; a record appears twice.")
    return [slice(int(a), int(b)) for a, b in zip(starts, [*starts[1:], len(records)], strict=True)]


def _of_record(signals_mv, rr_s, windows):
    """Return the signals and the features of the beats of one record."""
    level = signals_mv - np.median(signals_mv, axis=1, keepdims=True)  # each window's wander is taken off
    usual = np.median(level, axis=0)  # (beat, time, lead) -> (time, lead)
    difference = level - usual
    start, stop = windows["QRS"]
    size = np.maximum(np.ptp(usual[start - 2 : stop], axis=0), _LEAST_MV)  # (lead,)
    typical = np.median(_rms(difference[:, start:stop]), axis=0)  # (lead,)
    distances = [_distance(difference[:, a:b], size, centred=name == "P") for name, (a, b) in windows.items()]
    return difference / np.maximum(size, 6 * typical), np.column_stack([_rhythm(rr_s), *distances])


def _distance(difference, size, *, centred):
    """Return how far each beat is from the median beat in one window, beside the others and in units of QRS."""
    if centred:  # the level before the P wave wanders
        difference = difference - difference.mean(axis=1, keepdims=True)
    distance = _rms(difference)  # (beat, time, lead) -> (beat, lead)
    typical = np.maximum(np.median(distance, axis=0), 1e-3)
    return np.column_stack([np.log(distance / typical + 0.1), np.log(distance / size + 0.02)])  # (beat, 2 * lead)


def _rms(values):
    return np.sqrt((values**2).mean(axis=1))


def _rhythm(rr_s):
    """Return :data:`RR_NAMES` of each beat of one record; logarithms, so that half and double are as far from 0."""
    before, after = rr_s[:, 0], rr_s[:, 1]
    earlier, later = np.append(before[:1], before[:-1]), np.append(after[1:], after[-1:])
    around = sliding_window_view(np.pad(before, _BEATS_AROUND, mode="edge"), 2 * _BEATS_AROUND + 1)  # (beat, 17)
    usual = np.median(around, axis=1)
    irregular = 1.5 * np.median(np.abs(np.log(around / usual[:, None])), axis=1) + 0.03  # near one standard deviation
    ratios = np.log(
        np.column_stack(
            [before / usual, after / usual, before / np.median(before), earlier / usual, later / usual,
             before / earlier, after / before]
        )
    )  # fmt: skip
    surprise = np.clip(ratios[:, :2] / irregular[:, None], -6, 6)
    return np.column_stack([3 * np.clip(ratios, -1.5, 1.5), surprise / 2, np.log(irregular) + 2.5])


def _windows(num_samples, sampling_rate_hz, r_index):
    """Return first and last sample of each wave."""
    if not sampling_rate_hz > 0:
        raise ValueError(f"sampling_rate_hz must be positive, got {sampling_rate_hz}.")
    windows = {
        name: (r_index + round(start * sampling_rate_hz), r_index + round(stop * sampling_rate_hz))
        for name, (start, stop) in WAVES_S.items()
    }
    if windows["P"][0] < 0 or windows["T"][1] > num_samples or r_index != int(r_index):
        raise ValueError(
            f"windows of {num_samples} samples with R at {r_index} are too short at {sampling_rate_hz:g} Hz: from"
            " 0.256 s before R to 0.448 s after it must be there, such as load_beats(window_s=(0.4, 0.5)) gives."
        )
    return windows


def _checked(signals_mv, rr_s, records):
    signals_mv, rr_s = np.asarray(signals_mv, dtype=np.float32), np.asarray(rr_s, dtype=np.float64)
    records = np.asarray(records)
    count = len(signals_mv)
    if signals_mv.ndim != 3 or not count or rr_s.ndim != 2 or rr_s.shape[1] < 2 or rr_s.shape[0] != count:
        raise ValueError(
            "prepare needs signals_mv of the shape (beat, time, lead) and rr_s of the shape (beat, 2 or more), got"
            f" {signals_mv.shape} and {rr_s.shape}."
        )
    if records.shape != (count,):
        raise ValueError(f"records must name the record of each of the {count} beats, got the shape {records.shape}.")
    if not np.isfinite(signals_mv).all():
        raise ValueError("signals_mv hold NaN or infinity; load_beats bridges lost samples.")
    if not (rr_s[:, :2] > 0).all():
        raise ValueError("rr_s must be positive: an interval of a record with one beat is NaN, so leave it out.")
    return signals_mv, rr_s, records
