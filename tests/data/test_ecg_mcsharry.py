"""McSharry's model against a general solver of its three equations, and the bands of heart-rate variability."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, signal

from medlearn.data.ecg_mcsharry import WAVES, mcsharry_ecg, narrow_band, relax, tachogram


def three_states(rr_s, time_s):
    """Solve equations (1) to (3) of the paper as they stand, at one constant interval."""
    omega = 2 * np.pi / rr_s
    angles, strengths, widths = np.array(list(WAVES.values())).T

    def slope(_, state):
        x, y, z = state
        pull = 1 - np.hypot(x, y)
        delta = np.mod(np.arctan2(y, x) - angles + np.pi, 2 * np.pi) - np.pi
        push = -(strengths * delta * np.exp(-(delta**2) / (2 * widths**2))).sum()
        return [pull * x - omega * y, pull * y + omega * x, push - z]

    options = {"rtol": 1e-8, "atol": 1e-10, "max_step": 0.005}
    return integrate.solve_ivp(slope, (0, time_s[-1]), [1.0, 0.0, 0.0], t_eval=time_s, **options).y[2]


@pytest.mark.parametrize("rr_s", [0.7, 1.0])
def test_the_closed_form_solves_the_three_equations(rr_s):
    found = mcsharry_ecg([rr_s] * 4, sampling_rate_hz=1000)
    expected = three_states(rr_s, np.arange(len(found)) / 1000)
    assert np.ptp(expected) > 0.02
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.ptp(expected))


def test_each_beat_has_its_own_interval():
    # R peaks at 0, 0.6, 1.6, 2.3 s: the largest values near the three inner ones, late by about b * RR / 2 pi = 14 ms.
    ecg = mcsharry_ecg([0.6, 1.0, 0.7, 0.8], sampling_rate_hz=500)
    for peak_s in (0.6, 1.6, 2.3):
        part = slice(int((peak_s - 0.2) * 500), int((peak_s + 0.2) * 500))
        assert np.argmax(ecg[part]) / 500 + peak_s - 0.2 == pytest.approx(peak_s, abs=0.02)


@pytest.mark.parametrize("rr_s", [[], [0.8, 0.0], [[0.8]], [0.8, np.nan]])
def test_intervals_that_are_none(rr_s):
    with pytest.raises(ValueError, match="rr_s must be positive seconds in one row"):
        mcsharry_ecg(rr_s)


def test_relax_of_a_step_falls_with_one_second():
    # g jumps from 0 to 1 within one sample; z = exp(-t) after it, 0.3679 after one second.
    step = np.r_[np.zeros(10), np.ones(2000)]
    found = relax(step, 1000.0)
    assert found[9] == 0 and found[10] == pytest.approx(1.0, abs=1e-3)
    assert found[1010] == pytest.approx(np.exp(-1), abs=1e-3)


def test_relax_of_a_ramp():
    # g = t: dz/dt = 1 - z from 0, so z = 1 - exp(-t), exactly, as g is straight between the samples.
    time_s = np.arange(3000) / 500
    np.testing.assert_allclose(relax(time_s, 500.0), 1 - np.exp(-time_s), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.floats(-3, 3), st.integers(0, 10**6))
def test_relax_is_linear(factor, seed):
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(2, 200))
    together = relax(one + factor * two, 360.0)
    np.testing.assert_allclose(together, relax(one, 360.0) + factor * relax(two, 360.0), atol=1e-10)


def test_narrow_band_has_its_power_where_it_should():
    noise = narrow_band(40_000, 4.0, 0.25, 0.02, np.random.default_rng(1))
    frequencies, power = signal.welch(noise, fs=4.0, nperseg=4000)
    centre = (frequencies * power).sum() / power.sum()
    width = np.sqrt((((frequencies - centre) ** 2) * power).sum() / power.sum())
    assert noise.mean() == pytest.approx(0, abs=1e-9) and noise.std() == pytest.approx(1)
    assert centre == pytest.approx(0.25, abs=0.002) and width == pytest.approx(0.02, rel=0.1)


def test_tachogram_has_the_power_of_its_two_bands():
    # Welch's spectrum, integrated over the Task Force's bands: LF 0.04 to 0.15 Hz, HF 0.15 to 0.4 Hz.
    rr = tachogram(20_000, mean_s=0.9, lf_s=0.03, hf_s=0.02, drift_s=0.01, rng=np.random.default_rng(3))
    frequencies, power = signal.welch(rr, fs=4.0, nperseg=8000)
    step = frequencies[1]

    def band(low, high):
        return np.sqrt(power[(frequencies >= low) & (frequencies < high)].sum() * step)

    assert rr.mean() == pytest.approx(0.9, abs=1e-3)
    assert band(0.04, 0.15) == pytest.approx(0.03, rel=0.07)
    assert band(0.15, 0.4) == pytest.approx(0.02, rel=0.07)
    assert band(0.0, 0.04) == pytest.approx(0.01, rel=0.15)


def test_tachogram_never_under_a_quarter_of_a_second():
    rr = tachogram(200, mean_s=0.3, lf_s=0.2, hf_s=0.2, rng=np.random.default_rng(0))
    assert rr.min() == 0.25
