"""Cut beats out of a record: the window around each R peak, and the intervals to its neighbours."""

import numpy as np

from medlearn.data.ecg_record import bridge_gaps


def cut_windows(record, columns, before_s, after_s):
    """Cut a window around each beat; outside of the record its first and last values are repeated.

    Parameters
    ----------
    record : EcgRecord
    columns : sequence of int
        Of the leads.
    before_s, after_s : float

    Returns
    -------
    ndarray of float32, shape (beat, time, lead)
        R stands at index ``round(before_s * rate)``. Lost samples (NaN) are bridged by straight lines.

    Raises
    ------
    ValueError
        If every sample of a lead is lost.
    """
    rate = record.sampling_rate_hz
    offsets = np.arange(-round(before_s * rate), round(after_s * rate))
    places = np.clip(record.beats[:, None] + offsets, 0, len(record.signals_mv) - 1)  # (beat, time)
    windows = np.empty((*places.shape, len(columns)), dtype=np.float32)
    for index, column in enumerate(columns):
        try:
            windows[:, :, index] = bridge_gaps(record.signals_mv[:, column])[places]
        except ValueError as error:
            raise ValueError(f"{record.name}, lead {record.leads[column]}: {error}") from error
    return windows


def rr_features(beats_s):
    """Return four intervals for each beat, in seconds.

    Parameters
    ----------
    beats_s : ndarray, shape (beat,)
        Times of all beats of a record.

    Returns
    -------
    ndarray of float32, shape (beat, 4)
        The interval before the beat, the one after it, the mean of the ten intervals around it (fewer at the ends),
        and the mean of the record. What the first and the last beat lack is the mean of the record; a record of a
        single beat has NaN.

    Examples
    --------
    >>> rr_features(np.array([0.0, 0.8, 1.3, 2.4]))[2].round(3)
    array([0.5, 1.1, 0.8, 0.8], dtype=float32)
    """
    intervals = np.diff(beats_s)
    count = len(beats_s)
    if count < 2:
        return np.full((count, 4), np.nan, dtype=np.float32)
    mean = intervals.mean()
    sums = np.concatenate([[0.0], np.cumsum(intervals)])
    first = np.maximum(np.arange(count) - 5, 0)
    last = np.minimum(np.arange(count) + 5, count - 1)
    local = (sums[last] - sums[first]) / (last - first)
    return np.column_stack(
        [np.append(mean, intervals), np.append(intervals, mean), local, np.full(count, mean)]
    ).astype(np.float32)
