"""From the clock of a simulated heart to its signals: each beat's waves are laid out in time, and seen by the leads."""

import numpy as np

from medlearn.data.ecg_mcsharry import narrow_band, relax
from medlearn.data.ecg_person import MARGIN_S
from medlearn.data.ecg_shapes import Waves, blend, lead_vectors

_P_WIDTHS_S = (0.017, 0.020)
_REACH = 4.5  # widths to each side of a Gaussian
_PEAK_S = np.arange(-0.08, 0.1, 0.002)


def render(person, rhythm, duration_s, sampling_rate_hz, leads):
    """Return the clean signals of a rhythm, and where the R peak of each beat stands.

    Parameters
    ----------
    person : Person
    rhythm : Rhythm
    duration_s, sampling_rate_hz : float
    leads : sequence of str

    Returns
    -------
    signals_mv : ndarray, shape (sample, lead)
    peaks_s : ndarray, shape (beat,)
        The largest swing of the QRS complex in the first lead, for each beat of the rhythm.
    """
    vectors = lead_vectors(leads, person.rng("electrodes"))  # (3, lead)
    rng = person.rng("beats")
    sway = _Sway(person, duration_s)
    pieces, peaks_s = [], []
    times = [beat[0] for beat in rhythm.beats]
    for beat, interval in zip(rhythm.beats, np.diff(times, prepend=times[0] - person.mean_rr_s), strict=True):
        shape = _shape(person, beat, rng)
        qrs = sway.move(shape.qrs, beat[0], rng)
        peaks_s.append(beat[0] + _PEAK_S[np.argmax(np.abs(_sum_at(qrs, _PEAK_S) @ vectors[:, 0]))])
        recovery = sway.move(_at_rate(shape.repolarisation, 0.4 * interval + 0.6 * person.mean_rr_s), beat[0], rng)
        pieces += [_shift(qrs, beat[0]), _shift(recovery, beat[0])]
    pieces += [sway.move(waves, waves.time_s[0], rng) for waves in map(_p_wave(person, rng), rhythm.p_waves)]
    num_samples = round((duration_s + MARGIN_S) * sampling_rate_hz)
    pushed = _lay_out(pieces, vectors, num_samples, sampling_rate_hz)
    if person.fibrillates:
        pushed += _fibrillation(person, num_samples, sampling_rate_hz) @ vectors
    signals_mv = relax(pushed, sampling_rate_hz)
    return signals_mv[num_samples - round(duration_s * sampling_rate_hz) :], np.array(peaks_s)


class _Sway:
    """Breathing turns the heart and changes its strength; over minutes both wander; no beat is like the last."""

    def __init__(self, person, duration_s):
        rng = person.rng("sway")
        self.times_s, chest = person.breathing(duration_s)
        slow = narrow_band(len(chest), 1 / np.diff(self.times_s[:2])[0], 0.0, 0.004, rng)
        self.strength = 1 + rng.uniform(0.01, 0.05) * slow + rng.uniform(0.01, 0.06) * chest
        self.turn = np.radians(rng.uniform(0.5, 4.0)) * chest

    def move(self, waves, time_s, rng):
        """Return the waves as they are at a time in the record."""
        strength, turn = (np.interp(time_s, self.times_s, curve) for curve in (self.strength, self.turn))
        cos, sin = np.cos(turn), np.sin(turn)
        rotation = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        jitter = strength * (1 + 0.03 * rng.normal(size=(len(waves), 1)))
        return Waves(waves.time_s, waves.width_s, jitter * waves.dipole_mv @ rotation)


def _shape(person, beat, rng):
    _, _, name, second = beat
    if second is not None:
        return blend(person.shapes[name], person.shapes[second], rng.uniform(0.3, 0.7))
    return person.shapes[name]


def _at_rate(waves, interval_s):
    """Bring the T wave nearer where the heart is fast: QT goes with the root of the interval (Bazett)."""
    root = np.sqrt(np.clip(interval_s, 0.4, 1.3))
    return Waves(waves.time_s * root, waves.width_s * np.sqrt(root), waves.dipole_mv)


def _p_wave(person, rng):
    delay = {"sinus": person.pr_s, "ectopic": 0.92 * person.pr_s, "retrograde": 0.085, "fibrillation": person.pr_s}
    size = {kind: np.linalg.norm(dipole) for kind, dipole in person.atrial_waves.items()}

    def make(p_wave):
        time_s, kind = p_wave
        middle = time_s - delay[kind] + rng.normal(0, 0.004)
        dipole = person.atrial_waves[kind] + 0.06 * size[kind] * rng.normal(size=3)
        return Waves(middle + np.array([-0.012, 0.013]), np.array(_P_WIDTHS_S), np.array([0.65 * dipole, 0.6 * dipole]))

    return make


def _shift(waves, time_s):
    return Waves(waves.time_s + time_s, waves.width_s, waves.dipole_mv)


def _sum_at(waves, times_s):
    """Return the dipole at some times, shape (time, 3)."""
    distance = (times_s[:, None] - waves.time_s) / waves.width_s  # (time, wave)
    return np.exp(-0.5 * distance**2) @ waves.dipole_mv


def _lay_out(pieces, vectors, num_samples, rate_hz):
    """Return the sum of all Gaussians on the grid of samples, which begins MARGIN_S before the record."""
    times = np.concatenate([waves.time_s for waves in pieces]) + MARGIN_S
    widths = np.concatenate([waves.width_s for waves in pieces])
    heights = np.concatenate([waves.dipole_mv for waves in pieces]) @ vectors  # (wave, lead)
    signals = np.zeros((num_samples, vectors.shape[1]))
    for low, high in ((0.0, 0.025), (0.025, np.inf)):  # narrow and wide ones apart, so that windows are short
        chosen = (widths >= low) & (widths < high)
        if not chosen.any():
            continue
        reach = int(np.ceil(_REACH * widths[chosen].max() * rate_hz))
        index = np.rint(times[chosen] * rate_hz).astype(int)[:, None] + np.arange(-reach, reach + 1)  # (wave, sample)
        bells = np.exp(-0.5 * ((index / rate_hz - times[chosen][:, None]) / widths[chosen][:, None]) ** 2)
        inside = (index >= 0) & (index < num_samples)
        for lead, of_lead in enumerate(heights[chosen].T):
            values = (bells * of_lead[:, None])[inside]
            signals[:, lead] += np.bincount(index[inside], weights=values, minlength=num_samples)
    return signals


def _fibrillation(person, num_samples, rate_hz):
    """Return the dipole of the fibrillating atria: waves of 4 to 8 Hz, best seen in V1."""
    rng = person.rng("fibrillation")
    size = 0.045 * np.exp(rng.normal(0, 0.5)) * np.array([-0.4, 0.35, 0.85])
    pace = rng.uniform(4.5, 7.5)
    wave = narrow_band(num_samples, rate_hz, pace, 0.35, rng) + 0.35 * narrow_band(num_samples, rate_hz, 2 * pace, 0.6,
                                                                                rng)  # fmt: skip
    return wave[:, None] * size
