"""The solutions of lesson 09d against independent oracles."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import cKDTree

from medlearn import metrics
from medlearn.exercises import lesson_09d as ex


@pytest.fixture
def rng():
    return np.random.default_rng(9)


def solution(exercise):
    return exercise.solution_function


@pytest.mark.parametrize("margin", [0.15, 0.1, 0.07])
def test_answers_needed_is_the_first_number_whose_wilson_interval_fits(margin):
    # Half of n answers right, as a share: Wilson's interval of scipy takes whole numbers, so ask at even n around it.
    n = solution(ex.answers_needed)(margin)
    first_even, before = n + n % 2, n - 1 - (n - 1) % 2
    assert 0.5 - metrics.wilson_interval(first_even // 2, first_even).low <= margin
    assert 0.5 - metrics.wilson_interval(before // 2, before).low > margin


def test_answers_needed_by_hand():
    # 1.959964^2 = 3.84146; 3.84146 / 0.04 - 3.84146 = 92.195
    assert solution(ex.answers_needed)(0.1) == 93


def test_nearer_to_training_agrees_with_a_search_tree(rng):
    made, training, unseen = (rng.normal(size=(count, 4, 5)) for count in (60, 25, 31))
    gaps = [cKDTree(part.reshape(len(part), -1)).query(made.reshape(60, -1))[0] for part in (training, unseen)]
    assert solution(ex.nearer_to_training)(made, training, unseen) == pytest.approx(np.mean(gaps[0] < gaps[1]))


def test_nearer_to_training_is_half_for_equal_groups(rng):
    made, others = rng.normal(size=(9, 3, 3)), rng.normal(size=(7, 3, 3))
    assert solution(ex.nearer_to_training)(made, others, others) == 0.5


def test_floor_of_the_means_by_simulation(rng):
    spread = np.array([[2.0, 0.5, 0.0], [0.0, 1.0, -0.7], [0.0, 0.0, 3.0]])
    features = rng.normal(size=(20_000, 3)) @ spread
    first, second = (rng.normal(size=(3000, count, 3)) @ spread for count in (8, 20))
    squared = np.sum((first.mean(axis=1) - second.mean(axis=1)) ** 2, axis=1)
    assert solution(ex.floor_of_the_means)(features, 8, 20) == pytest.approx(squared.mean(), rel=0.06)


@pytest.mark.parametrize("neighbours", [1, 3, 6])
def test_precision_by_hand_is_that_of_the_library(rng, neighbours):
    real, made = rng.normal(size=(50, 3)), rng.normal(0.5, 1.6, size=(70, 3))
    expected = metrics.precision_recall(real, made, neighbours=neighbours).precision.value
    assert 0.1 < expected < 0.99
    assert solution(ex.precision_by_hand)(real, made, neighbours) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m"), [(5, 20), (12, 4)])
def test_variance_with_made_by_simulation(rng, n, m):
    real = rng.normal(size=(60_000, n))
    made = real.mean(axis=1, keepdims=True) + rng.normal(size=(60_000, m))
    variance = np.hstack([real, made]).mean(axis=1).var()
    assert solution(ex.variance_with_made)(n, m) == pytest.approx(variance, rel=0.03)


def test_gain_over_replicates_is_the_paired_t_interval_of_scipy(rng):
    without = rng.normal(0.8, 0.05, 5)
    with_made = without + rng.normal(0.01, 0.02, 5)
    expected = stats.ttest_rel(with_made, without).confidence_interval(0.95)
    gain, low, high = solution(ex.gain_over_replicates)(with_made, without)
    assert (low, high) == pytest.approx(expected)
    assert gain == pytest.approx((low + high) / 2)


def test_mixed_auc_is_the_auc_of_the_mixed_set(rng):
    # 40 nodules and 60 others of patients, 10 and 15 made ones: one fifth of each class is made.
    nodules = [rng.normal(1.0, 1, 40), rng.normal(2.0, 1, 10)]
    others = [rng.normal(0.0, 1, 60), rng.normal(-0.5, 2, 15)]
    auc = [
        [stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)) for b in others]
        for a in nodules
    ]  # fmt: skip
    scores = np.concatenate([*nodules, *others])
    mixed = metrics.auc_score(np.repeat([1, 0], [50, 75]), scores).value
    assert solution(ex.mixed_auc)(0.2, auc) == pytest.approx(mixed)


def test_unsound_accepts_any_order_and_case():
    assert solution(ex.unsound)() == "ABDF"
    for answer, state in (("fbda", "right"), ("A, B, D, F", "right"), ("ABDFE", "wrong"), ("ABD", "wrong")):
        assert ex.unsound.evaluate(answer).state == state
