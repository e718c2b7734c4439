"""What disturbs an ECG in life: baseline wander, mains hum, muscle, electrode motion, leads that fall off."""

from dataclasses import dataclass

import numpy as np
from scipy import signal

from medlearn.data.ecg_mcsharry import narrow_band
from medlearn.data.options import check_number

_DROPOUT_S = (0.4, 4.0)


@dataclass(frozen=True)
class Noise:
    """The noise of a recording: standard deviations in mV, events for each minute.

    ``wander_mv`` is slower than 0.6 Hz, ``hum_mv`` lies at ``mains_hz`` and its third harmonic, ``muscle_mv`` above 20
    Hz with bursts ten times as strong, ``motion_per_min`` counts jerks of an electrode as large as beats, and
    ``dropouts_per_min`` the times when one lead falls off for 0.4 to 4 seconds.
    """

    wander_mv: float
    hum_mv: float
    mains_hz: float
    muscle_mv: float
    motion_per_min: float
    dropouts_per_min: float

    def __post_init__(self):
        for name, most in (("wander_mv", 5), ("hum_mv", 5), ("muscle_mv", 5), ("motion_per_min", 600),
                           ("dropouts_per_min", 600)):  # fmt: skip
            check_number(name, getattr(self, name), 0, most)
        check_number("mains_hz", self.mains_hz, 45, 65)

    @classmethod
    def draw(cls, rng):
        """Return the noise of one recording, spread as in MIT-BIH."""
        wander, hum, muscle = (0.13, 0.003, 0.007) * np.exp(rng.normal(0, (0.5, 0.6, 0.45)))
        motion, dropouts = (0.5, 0.05) * np.exp(rng.normal(0, (0.9, 1.2)))
        return cls(float(wander), float(hum), float(rng.choice([50.0, 60.0])), float(muscle),
                   float(min(motion, 5)), float(min(dropouts, 1)))  # fmt: skip

    @classmethod
    def none(cls):
        """Return the noise of a perfect recording.

        Examples
        --------
        >>> Noise.none().muscle_mv
        0.0
        """
        return cls(0.0, 0.0, 50.0, 0.0, 0.0, 0.0)


def add_noise(signals_mv, noise, *, sampling_rate_hz, breathing, rng):
    """Return the signals with noise, and the times when it is strong.

    Parameters
    ----------
    signals_mv : ndarray, shape (sample, lead)
    noise : Noise
    sampling_rate_hz : float
    breathing : ndarray, shape (sample,)
        Moves the baseline.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (sample, lead)
    list of (float, float, int or None)
        Start and end in seconds, and the lead that fell off, or None for a jerk.
    """
    num_samples, num_leads = signals_mv.shape
    rng_of = dict(zip(("wander", "hum", "muscle", "motion", "drop"), rng.spawn(5), strict=True))
    noisy = signals_mv + _wander(num_samples, num_leads, noise, sampling_rate_hz, breathing, rng_of["wander"])
    noisy += _hum(num_samples, num_leads, noise, sampling_rate_hz, rng_of["hum"])
    noisy += _muscle(num_samples, num_leads, noise, sampling_rate_hz, rng_of["muscle"])
    motion, episodes = _motion(num_samples, num_leads, noise, sampling_rate_hz, rng_of["motion"])
    noisy += motion
    return noisy, sorted(episodes + _drop(noisy, noise, sampling_rate_hz, rng_of["drop"]), key=lambda e: e[0])


def _wander(num_samples, num_leads, noise, rate_hz, breathing, rng):
    """Breathing, and a slow walk below 0.3 Hz."""
    slow = np.column_stack([narrow_band(num_samples, rate_hz, 0.0, 0.13, rng) for _ in range(num_leads)])
    share = rng.uniform(0.2, 0.7, num_leads)
    return noise.wander_mv * ((1 - share) * slow + share * breathing[:, None])


def _hum(num_samples, num_leads, noise, rate_hz, rng):
    """The mains and its third harmonic, with a strength that changes within seconds."""
    time_s = np.arange(num_samples) / rate_hz
    strength = 1 + 0.4 * narrow_band(num_samples, rate_hz, 0.0, 0.05, rng)
    phase = rng.uniform(0, 2 * np.pi, (2, 1))
    waves = np.sin(2 * np.pi * noise.mains_hz * np.array([[1.0], [3.0]]) * time_s + phase)
    if 3 * noise.mains_hz >= rate_hz / 2:
        waves[1] = 0.0  # the recorder's filter takes what would alias
    hum = np.sqrt(2) * strength * (waves[0] + 0.2 * waves[1]) * (noise.mains_hz < rate_hz / 2)
    return noise.hum_mv * hum[:, None] * rng.uniform(0.5, 1.5, num_leads)


def _muscle(num_samples, num_leads, noise, rate_hz, rng):
    """Noise above 20 Hz, always a little and in bursts."""
    time_s = np.arange(num_samples) / rate_hz
    strength = np.ones(num_samples)
    for _ in range(rng.poisson(1.2 * num_samples / rate_hz / 60)):
        middle, length = rng.uniform(0, time_s[-1]), rng.uniform(0.3, 3.0)
        strength += rng.uniform(2, 10) * np.exp(-0.5 * ((time_s - middle) / length) ** 2)
    band = signal.butter(2, [20, min(100, 0.45 * rate_hz)], "bandpass", fs=rate_hz, output="sos")
    white = signal.sosfilt(band, rng.normal(size=(num_samples, num_leads)), axis=0)
    return noise.muscle_mv * strength[:, None] * white / white.std(axis=0)


def _motion(num_samples, num_leads, noise, rate_hz, rng):
    """Jerks of an electrode: a burst of 1 to 8 Hz, as large as beats, and a step that creeps back."""
    total, episodes = np.zeros((num_samples, num_leads)), []
    band = signal.butter(2, [1, 8], "bandpass", fs=rate_hz, output="sos")
    for _ in range(rng.poisson(noise.motion_per_min * num_samples / rate_hz / 60)):
        start, length = rng.uniform(0, num_samples / rate_hz), rng.uniform(0.3, 1.5)
        first = int(np.ceil(start * rate_hz))
        t = (np.arange(first, min(first + round(6 * length * rate_hz), num_samples)) / rate_hz - start) / length
        burst = signal.sosfilt(band, rng.normal(size=len(t) + 60))
        step = rng.normal() * np.exp(-t) * (1 - np.exp(-8 * t))
        swing = burst[60:] / burst.std() * 2 * t * np.exp(1 - 2 * t) + step
        total[first : first + len(t)] += swing[:, None] * rng.normal(0, 0.4, num_leads)
        episodes.append((start, min(start + 2 * length, num_samples / rate_hz), None))
    return total, episodes


def _drop(noisy, noise, rate_hz, rng):
    """Let one lead fall off: it is flat until it is back. Changes ``noisy``; the other lead stays."""
    episodes = []
    duration_s = len(noisy) / rate_hz
    for _ in range(rng.poisson(noise.dropouts_per_min * duration_s / 60)):
        start, length = rng.uniform(0, duration_s), rng.uniform(*_DROPOUT_S)
        lead, level = int(rng.integers(noisy.shape[1])), rng.choice([0.0, -5.0], p=[0.7, 0.3])
        first, last = int(start * rate_hz), int(min(start + length, duration_s) * rate_hz)
        noisy[first:last, lead] = level
        episodes.append((start, min(start + length, duration_s), lead))
    return episodes
