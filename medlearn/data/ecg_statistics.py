"""Measure the beats of a record, to lay simulated patients beside real ones: intervals, QRS width, amplitudes."""

from dataclasses import dataclass

import numpy as np
from scipy import signal

from medlearn.data.ecg_record import bridge_gaps

_BEFORE_S, _AFTER_S = 0.25, 0.45


@dataclass(frozen=True)
class BeatStatistics:
    """What is typical of one kind of beat in one record.

    ``rr_s`` is the median interval before the beat and ``rmssd_s`` the root mean square of the differences between
    neighbouring intervals; ``qrs_s`` the width of the QRS complex of the median beat; ``highest_mv``, ``lowest_mv`` its
    extremes within 80 ms of the R peak, ``t_mv`` the largest swing from 150 to 420 ms, all in one lead.
    """

    count: int
    rr_s: float
    rmssd_s: float
    qrs_s: float
    highest_mv: float
    lowest_mv: float
    t_mv: float


def measure_beats(record, symbols="NLR", lead="MLII"):
    """Measure the median beat of a record.

    Parameters
    ----------
    record : EcgRecord
        At 100 Hz or more.
    symbols : str
        The kinds of beats to take together.
    lead : str
        Where the amplitudes are measured; the width is that of all leads together.

    Returns
    -------
    BeatStatistics or None
        None if there are fewer than five such beats.

    Examples
    --------
    >>> from medlearn.data import simulate_ecg
    >>> normal = measure_beats(simulate_ecg(7, duration_s=60))
    >>> 0.05 < normal.qrs_s < 0.12
    True
    """
    rate, chosen = record.sampling_rate_hz, np.isin(record.symbols, list(symbols))
    clean = _band(record, 0.5, 40.0)
    before, after = round(_BEFORE_S * rate), round(_AFTER_S * rate)
    places = record.beats[chosen & (record.beats >= before) & (record.beats < len(clean) - after)]
    if len(places) < 5:
        return None
    median = np.median(clean[places[:, None] + np.arange(-before, after)], axis=0)  # (sample, lead)
    intervals, both = np.diff(record.beats_s), chosen[1:] & chosen[:-1]
    steps = np.diff(intervals)[both[1:] & both[:-1]]
    near = median[:, record.lead_index(lead)] - _level_before(median[:, record.lead_index(lead)], rate)
    qrs = near[before - round(0.08 * rate) : before + round(0.08 * rate)]
    later = near[before + round(0.15 * rate) : before + round(0.42 * rate)]
    return BeatStatistics(
        count=len(places), rr_s=float(np.median(intervals[chosen[1:]])),
        rmssd_s=float(np.sqrt(np.mean(steps**2))) if len(steps) else float("nan"),
        qrs_s=_width(median, before, rate), highest_mv=float(qrs.max()), lowest_mv=float(qrs.min()),
        t_mv=float(later[np.argmax(np.abs(later))]),
    )  # fmt: skip


def _band(record, low_hz, high_hz):
    sos = signal.butter(2, [low_hz, high_hz], "bandpass", fs=record.sampling_rate_hz, output="sos")
    return signal.sosfiltfilt(sos, np.column_stack([bridge_gaps(x) for x in record.signals_mv.T]), axis=0)


def _level_before(wave, rate):
    """Return the level between P wave and QRS complex."""
    peak = round(_BEFORE_S * rate)
    return np.median(wave[peak - round(0.1 * rate) : peak - round(0.06 * rate)])


def _width(median, peak, rate):
    """Return how long the signals move faster than 0.15 of their fastest, from 120 ms before R to 160 ms after."""
    speed = np.linalg.norm(np.gradient(median, axis=0), axis=1)
    first, last = peak - round(0.12 * rate), peak + round(0.16 * rate)
    part = np.convolve(speed, np.ones(3) / 3, "same")[first:last]
    fast = np.flatnonzero(part > 0.15 * part.max())
    return float((fast[-1] - fast[0]) / rate)
