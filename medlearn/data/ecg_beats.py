"""Heart beats as a learner gets them, and how they are cut out of a record: windows around R, and intervals."""

from dataclasses import dataclass, replace

import numpy as np

from medlearn.data.catalogue import Card
from medlearn.data.ecg_record import bridge_gaps

#: The columns of ``Beats.rr_s``.
RR_NAMES = ("before", "after", "local mean", "record mean")


@dataclass(frozen=True)
class Beats:
    """Beats of several patients, record by record and in the order of time.

    Attributes
    ----------
    signals_mv : ndarray of float32, shape (beat, time, lead)
        Windows around the R peak, which stands at ``r_index``.
    rr_s : ndarray of float32, shape (beat, 4)
        Seconds: the interval before the beat, the one after it, the mean of the ten around it, the mean of the record.
        **The last three look ahead**: a monitor that must answer at once does not have them.
    labels : ndarray of int64, shape (beat,)
        Index into ``class_names``.
    class_names : tuple of str
    symbols : ndarray of str, shape (beat,)
        The symbol of the annotation: N, L, A, V, ...
    patients, records : ndarray of str, shape (beat,)
    times_s : ndarray of float64, shape (beat,)
        Time of the beat in its record.
    leads : tuple of str
    sampling_rate_hz : float
    r_index : int
    card : Card or None
        None for a folder of files that belong to no data set of the catalogue.
    """

    signals_mv: np.ndarray
    rr_s: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    symbols: np.ndarray
    patients: np.ndarray
    records: np.ndarray
    times_s: np.ndarray
    leads: tuple[str, ...]
    sampling_rate_hz: float
    r_index: int
    card: Card | None

    def __len__(self):
        return len(self.labels)

    @property
    def rr_ratios(self):
        """Intervals that do not depend on the patient's rate, shape (beat, 3): before and after, each over the local
        mean, and before over the record's mean."""
        before, after, local, record = self.rr_s.T
        return np.column_stack([before / local, after / local, before / record])

    @property
    def counts(self):
        """How many beats each class has, by its name."""
        return dict(zip(self.class_names, np.bincount(self.labels, minlength=len(self.class_names)).tolist(),
                        strict=True))  # fmt: skip

    def select(self, indices):
        """Take some of the beats.

        Parameters
        ----------
        indices : slice, ndarray of bool of length n, or ndarray of int

        Returns
        -------
        Beats
            With copies, or views for a slice.

        Raises
        ------
        ValueError
            If a mask has another length, or an index is out of range.
        """
        if not isinstance(indices, slice):
            indices = np.asarray(indices)
            if indices.dtype == bool and indices.shape != (len(self),):
                raise ValueError(f"a mask needs one value for each of the {len(self)} beats, got {indices.shape}.")
            if indices.dtype != bool and indices.size and not -len(self) <= indices.min() <= indices.max() < len(self):
                raise ValueError(f"indices must be under {len(self)}, got {indices.min()} to {indices.max()}.")
            indices = indices if indices.size else np.zeros(0, np.int64)
        names = ("signals_mv", "rr_s", "labels", "symbols", "patients", "records", "times_s")
        return replace(self, **{name: getattr(self, name)[indices] for name in names})


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
