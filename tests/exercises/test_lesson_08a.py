"""Lesson 08a's exercises: the solutions against the filters of SciPy, the library's matching and real leads."""

import numpy as np
import pytest
from scipy import signal

from medlearn import data, metrics
from medlearn.exercises import lesson_08a as ex


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


@pytest.mark.parametrize("angle", [-170, -91, -30, 0, 45, 60, 90, 135, 179])
def test_axis_deg_of_a_dipole_in_the_triangle(angle):
    # electrodes on a triangle with sides of 1: right arm, left arm, foot; x to the left arm, y to the feet
    right, left, foot = np.array([0.0, 0.0]), np.array([1.0, 0.0]), np.array([0.5, np.sqrt(3) / 2])
    dipole = 1.7 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    lead_i, lead_avf = dipole @ (left - right), dipole @ (foot - (left + right) / 2)
    assert solution(ex.axis_deg)(lead_i, lead_avf) == pytest.approx(angle)


def test_axis_deg_of_the_real_ecg_agrees_with_lead_two():
    ecg = data.load_12_lead_ecg()
    one, two, foot = (ecg.lead(name)[5300:5700].astype(float).sum() for name in ("I", "II", "aVF"))
    angle = np.radians(solution(ex.axis_deg)(one, foot))
    size = np.hypot(one, 2 / np.sqrt(3) * foot)
    assert size * np.cos(angle - np.pi / 3) == pytest.approx(two, rel=0.02)


def test_rate_per_minute_by_hand():
    assert solution(ex.rate_per_minute)(20, 25) == 75  # 4 big squares: 300 / 4
    assert solution(ex.rate_per_minute)(20, 50) == 150  # 0.4 s


@pytest.mark.parametrize("cutoff", [0.05, 0.5, 2.0])
def test_high_pass_gain_equals_scipy(cutoff):
    frequencies = np.array([0.1, 0.5, 1.5, 10.0])
    b, a = signal.butter(1, 2 * np.pi * cutoff, "highpass", analog=True)
    _, response = signal.freqs(b, a, 2 * np.pi * frequencies)
    np.testing.assert_allclose([solution(ex.high_pass_gain)(f, cutoff) for f in frequencies], np.abs(response))


@pytest.mark.parametrize("cutoff", [0.05, 0.5])
def test_st_shift_equals_a_filtered_impulse(cutoff):
    rate = 10_000
    pulse = np.zeros(rate)
    pulse[100:300] = 3.0  # 3 mV for 20 ms: 0.06 mV s
    after = signal.lfilter(*signal.butter(1, cutoff, "highpass", fs=rate), pulse)[301]
    assert solution(ex.st_shift_mv)(0.06, cutoff) == pytest.approx(after, rel=0.05)


def test_moving_mean_equals_a_loop(rng):
    values = rng.normal(size=30)
    for width in (1, 4, 7):
        padded = np.concatenate([np.zeros(width - 1), values])
        expected = [padded[n : n + width].mean() for n in range(30)]
        np.testing.assert_allclose(solution(ex.moving_mean)(values, width), expected, atol=1e-12)


@pytest.mark.parametrize("kind", [tuple, list, np.array])
def test_moving_mean_may_come_in_any_sequence(kind):
    assert ex.moving_mean.evaluate(lambda *arguments: kind(solution(ex.moving_mean)(*arguments))).state == "right"


def test_keep_apart_keeps_the_first_and_is_maximal(rng):
    for _ in range(50):
        times = np.sort(rng.integers(0, 60, 15) / 16).tolist()
        kept = solution(ex.keep_apart)(times, 0.25)
        assert kept[0] == times[0] and (np.diff(kept) >= 0.25).all()
        for time in set(times) - set(kept):  # each one that was dropped came too soon after a kept one
            assert any(0 <= time - other < 0.25 for other in kept)


@pytest.mark.parametrize("kind", [tuple, np.array])
def test_keep_apart_may_come_in_any_sequence(kind):
    assert ex.keep_apart.evaluate(lambda *arguments: kind(solution(ex.keep_apart)(*arguments))).state == "right"


def test_look_back_by_hand():
    times, heights = [1.0, 1.4, 1.9, 2.6], [9, 3, 5, 9]
    assert solution(ex.look_back)(times, heights, 1.0, 2.6, 0.8, 2) == 2  # 1.6 s > 1.328 s; 5 is the highest
    assert solution(ex.look_back)(times, heights, 1.0, 2.6, 1.0, 2) == -1  # 1.6 s < 1.66 s
    assert solution(ex.look_back)(times, heights, 1.0, 2.6, 0.8, 6) == -1


def test_count_beats_equals_the_best_pairing(rng):
    # the walk finds as many pairs as the best pairing does; which pairs, it does not promise
    for _ in range(300):
        beats, heard = (np.sort(rng.integers(0, 80, rng.integers(1, 12)) / 16) for _ in range(2))
        found = metrics.match_r_peaks(beats, heard, tolerance_s=0.1875)
        expected = (found.num_true, found.num_missed, found.num_false)
        assert solution(ex.count_beats)(beats, heard, 0.1875) == expected


@pytest.mark.parametrize("kind", [list, np.array])
def test_count_beats_may_come_in_any_sequence(kind):
    assert ex.count_beats.evaluate(lambda *arguments: kind(solution(ex.count_beats)(*arguments))).state == "right"
