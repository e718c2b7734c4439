"""The dynamical model of the ECG by McSharry et al. 2003: a phase runs around a circle, waves push the signal.

The model has three states. Two of them, (x, y), run along the unit circle once for each heart beat; their angle is the
phase θ, with θ = 0 at the R peak. The third, z, is the signal: each wave i pushes it while θ passes the angle θ_i,

    dz/dt = - Σ_i a_i Δθ_i exp(-Δθ_i² / 2 b_i²) - (z - z₀),      Δθ_i = θ - θ_i.

On the circle the phase is known, so that only the equation for z is left; it is linear, and solved here in closed form.
"""

import numpy as np
from scipy import integrate, signal

#: The waves P, Q, R, S, T of the paper's table 1: angle in radians, strength, width in radians.
WAVES = {
    "P": (-np.pi / 3, 1.2, 0.25),
    "Q": (-np.pi / 12, -5.0, 0.1),
    "R": (0.0, 30.0, 0.1),
    "S": (np.pi / 12, -7.5, 0.1),
    "T": (np.pi / 2, 0.75, 0.4),
}
LF_HZ, HF_HZ, BAND_WIDTH_HZ = 0.1, 0.25, 0.01


def mcsharry_ecg(rr_s, *, sampling_rate_hz=360.0, waves=None):
    """Return the ECG of the paper for a series of RR intervals.

    Parameters
    ----------
    rr_s : sequence of float, shape (beat,)
        Seconds from each R peak to the next.
    sampling_rate_hz : float
    waves : dict of str to (angle in radians, strength, width in radians), optional
        Else :data:`WAVES`.

    Returns
    -------
    ndarray of float, shape (sample,)
        From the first R peak to the last, in the units of the strengths: the paper scales them to -0.4 to 1.2 mV.

    Raises
    ------
    ValueError
        If an interval is not positive.

    Examples
    --------
    >>> ecg = mcsharry_ecg([0.8, 0.8, 0.8, 0.8, 0.8])
    >>> int(np.argmax(ecg[430:720])) + 430  # the R peak at 1.6 s, a little later by the width of the wave
    576

    References
    ----------
    McSharry PE, Clifford GD, Tarassenko L, Smith LA. IEEE Trans Biomed Eng 50:289, 2003, doi:10.1109/TBME.2003.808805.
    """
    rr_s = np.asarray(rr_s, dtype=float)
    if rr_s.ndim != 1 or not rr_s.size or not (rr_s > 0).all():
        raise ValueError(f"rr_s must be positive seconds in one row, such as [0.8, 0.82, 0.79], got {rr_s!r}.")
    peaks_s = np.concatenate([[0.0], np.cumsum(rr_s)])
    time_s = np.arange(int(peaks_s[-1] * sampling_rate_hz) + 1) / sampling_rate_hz
    turns = np.interp(time_s, peaks_s, np.arange(len(peaks_s)))
    slope = np.zeros_like(time_s)
    for angle, strength, width in (waves or WAVES).values():
        delta = np.mod(2 * np.pi * turns - angle + np.pi, 2 * np.pi) - np.pi
        slope -= strength * delta * np.exp(-(delta**2) / (2 * width**2))
    return relax(integrate.cumulative_trapezoid(slope, dx=1 / sampling_rate_hz, initial=0.0), sampling_rate_hz)


def relax(pushed, sampling_rate_hz):
    """Solve dz/dt = dg/dt - z for the signal z, where g is the sum of all pushes; z begins at 0.

    The term -z pulls the signal back to its baseline with a time constant of one second: it is a high-pass filter at
    0.16 Hz, much like that of an ECG recorder. The solution is exact for a g that is straight between the samples:
    z_n = e^-h z_(n-1) + (g_n - g_(n-1)) (1 - e^-h) / h, with h = 1 / sampling rate.

    Parameters
    ----------
    pushed : ndarray, shape (sample,) or (sample, lead)
    sampling_rate_hz : float

    Returns
    -------
    ndarray of the same shape
    """
    step = 1 / sampling_rate_hz
    gain = -np.expm1(-step) / step
    changes = np.diff(pushed, axis=0, prepend=pushed[:1])
    return signal.lfilter([gain], [1.0, -np.exp(-step)], changes, axis=0)


def narrow_band(num_samples, sampling_rate_hz, centre_hz, width_hz, rng):
    """Return noise with a Gaussian spectrum around a frequency: mean 0, standard deviation 1.

    Parameters
    ----------
    num_samples : int
    sampling_rate_hz, centre_hz, width_hz : float
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float, shape (num_samples,)
    """
    frequencies = np.fft.rfftfreq(num_samples, 1 / sampling_rate_hz)
    height = np.exp(-((frequencies - centre_hz) ** 2) / (4 * width_hz**2))  # the root of the Gaussian power
    height[0] = 0.0
    phases = rng.uniform(0, 2 * np.pi, len(frequencies))
    noise = np.fft.irfft(height * np.exp(1j * phases), num_samples)
    return noise / noise.std()


def tachogram(duration_s, *, mean_s, lf_s, hf_s, drift_s=0.0, breathing=None, rate_hz=4.0, rng):
    """Return the RR interval as a function of time: a mean, and the two bands of heart-rate variability.

    Parameters
    ----------
    duration_s : float
    mean_s : float
        The mean interval.
    lf_s, hf_s : float
        Standard deviations of the band around 0.1 Hz (blood pressure) and of that around breathing.
    drift_s : float
        Standard deviation of what is slower than 0.04 Hz.
    breathing : ndarray, shape (round(duration_s * rate_hz),), optional
        The band around breathing with standard deviation 1; else it is drawn around 0.25 Hz.
    rate_hz : float
        Samples per second of the result.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float, shape (sample,)
        Seconds, never under 0.25.
    """
    count = round(duration_s * rate_hz)
    high = narrow_band(count, rate_hz, HF_HZ, BAND_WIDTH_HZ, rng) if breathing is None else breathing
    low = narrow_band(count, rate_hz, LF_HZ, BAND_WIDTH_HZ, rng)
    slow = narrow_band(count, rate_hz, 0.0, 0.01, rng)
    return np.maximum(mean_s + lf_s * low + hf_s * high + drift_s * slow, 0.25)
