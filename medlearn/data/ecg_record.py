"""An ECG record: signals of its leads, the beats with their symbols, the patient; and another sampling rate for it."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from scipy import signal

from medlearn.data.catalogue import Card
from medlearn.data.options import check_number


@dataclass(frozen=True)
class EcgRecord:
    """An ECG of one person, real or simulated.

    Attributes
    ----------
    name : str
    signals_mv : ndarray of float32, shape (sample, lead)
        NaN where the recorder marked a sample as lost.
    leads : tuple of str
        One for each column of ``signals_mv``.
    sampling_rate_hz : float
    beats : ndarray of int64, shape (beat,)
        The sample of each beat, ascending; empty where nobody marked the beats.
    symbols : ndarray of str, shape (beat,)
        What kind each beat is: see :data:`medlearn.data.ecg_classes.AAMI5`.
    remarks : tuple of (int, str, str)
        The other annotations: sample, symbol, text. ``(0, "+", "(N")`` begins sinus rhythm, ``"~"`` marks noise.
    patient : str
    card : Card or None
        None for files that belong to no data set of the catalogue.
    """

    name: str
    signals_mv: np.ndarray
    leads: tuple[str, ...]
    sampling_rate_hz: float
    beats: np.ndarray
    symbols: np.ndarray
    remarks: tuple[tuple[int, str, str], ...]
    patient: str
    card: Card | None

    @property
    def duration_s(self):
        """Length in seconds."""
        return len(self.signals_mv) / self.sampling_rate_hz

    @property
    def time_s(self):
        """Time of each sample in seconds."""
        return np.arange(len(self.signals_mv)) / self.sampling_rate_hz

    @property
    def beats_s(self):
        """Time of each beat in seconds."""
        return self.beats / self.sampling_rate_hz

    def lead(self, name):
        """Return the signal of one lead in mV, shape (sample,); a view.

        Raises
        ------
        ValueError
            If the record has no such lead.
        """
        return self.signals_mv[:, self.lead_index(name)]

    def lead_index(self, name):
        """Return the column of a lead."""
        if name not in self.leads:
            raise ValueError(f"{self.name} has no lead {name!r}; it has {', '.join(self.leads)}.")
        return self.leads.index(name)

    def strip(self, start_s, stop_s):
        """Cut out a part; its samples begin at 0.

        Parameters
        ----------
        start_s, stop_s : float
            0 <= ``start_s`` < ``stop_s`` <= ``duration_s``.

        Returns
        -------
        EcgRecord

        Raises
        ------
        ValueError
            If the part is not inside the record.
        """
        if not 0 <= start_s < stop_s <= self.duration_s:
            raise ValueError(
                f"a strip of {self.name} must lie in 0 to {self.duration_s:g} s, and start before it stops; got"
                f" {start_s!r} to {stop_s!r}."
            )
        first, last = (round(edge * self.sampling_rate_hz) for edge in (start_s, stop_s))
        inside = (self.beats >= first) & (self.beats < last)
        return replace(
            self, signals_mv=self.signals_mv[first:last], beats=self.beats[inside] - first,
            symbols=self.symbols[inside],
            remarks=tuple((s - first, symbol, text) for s, symbol, text in self.remarks if first <= s < last),
        )  # fmt: skip

    def resampled(self, sampling_rate_hz):
        """Change the sampling rate, with a filter against aliasing; beats keep their time.

        Parameters
        ----------
        sampling_rate_hz : float
            20 to 10,000.

        Returns
        -------
        EcgRecord
            Lost samples are bridged by a straight line before the filter, and are NaN again after it.

        Raises
        ------
        ValueError
            If the rate is out of range.
        """
        rate = check_number("sampling_rate_hz", sampling_rate_hz, 20, 10_000)
        if rate == self.sampling_rate_hz:
            return self
        signals = np.column_stack([_resample(x, self.sampling_rate_hz, rate) for x in self.signals_mv.T])
        last = len(signals) - 1
        return replace(
            self, signals_mv=signals.astype(np.float32), sampling_rate_hz=rate,
            beats=np.minimum(np.rint(self.beats_s * rate).astype(np.int64), last),
            remarks=tuple((min(round(s * rate / self.sampling_rate_hz), last), *rest) for s, *rest in self.remarks),
        )  # fmt: skip


def bridge_gaps(values):
    """Return a signal whose NaN are filled along straight lines between their neighbours.

    Raises
    ------
    ValueError
        If every sample is NaN.

    Examples
    --------
    >>> bridge_gaps(np.array([np.nan, 1.0, np.nan, 3.0]))
    array([1., 1., 2., 3.])
    """
    lost = np.isnan(values)
    if not lost.any():
        return values
    if lost.all():
        raise ValueError("every sample of the lead is lost (NaN): there is no signal to work on. Take another lead.")
    places = np.arange(len(values))
    return np.where(lost, np.interp(places, places[~lost], values[~lost]), values)


def _resample(values, old_hz, new_hz):
    ratio = Fraction(new_hz / old_hz).limit_denominator(5000)  # exact for usual rates; else off by some 0.00001 %
    up, down = ratio.numerator, ratio.denominator
    lost = np.isnan(values)
    if lost.all():
        return np.full(-(-len(values) * up // down), np.nan)
    found = signal.resample_poly(bridge_gaps(values.astype(float)), up, down, padtype="line")
    if lost.any():
        nearest = np.minimum(np.rint(np.arange(len(found)) * down / up).astype(int), len(values) - 1)
        found[lost[nearest]] = np.nan
    return found
