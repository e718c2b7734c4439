"""Lesson 06a's exercises: the solutions against Keras, SciPy and brute force."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from medlearn.exercises import lesson_06a as ex


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def test_equivalent_radius_by_hand():
    # 8 pixels of 0.49 mm²: 3.92 mm²; sqrt(3.92 / 3.14159) = 1.117
    assert solution(ex.equivalent_radius)(np.ones((2, 4), bool), 0.7) == pytest.approx(1.117, abs=5e-4)


@pytest.mark.parametrize("radius_mm", [5.0, 12.0])
def test_equivalent_radius_of_a_drawn_disc(radius_mm):
    rows, columns = (np.indices((200, 200)) - 99.3) * 0.25
    radius = solution(ex.equivalent_radius)(np.hypot(rows, columns) <= radius_mm, 0.25)
    assert radius == pytest.approx(radius_mm, rel=0.01)


@pytest.mark.parametrize("size", [10, 33, 50, 64])
def test_seed_weights_are_those_of_keras(size):
    import keras
    from keras import layers

    network = keras.Sequential(
        [
            keras.Input((size, size, 1)),
            layers.Conv2D(32, 3),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128),
            layers.Dense(1),
        ]
    )
    assert solution(ex.seed_weights)(size) == network.count_params()


def test_seed_weights_at_256_by_hand():
    # 256 -> 254 -> 127 -> 125 -> 62; 62 * 62 * 64 = 246,016; times 128 = 31,490,048; + 128 + 320 + 18,496 + 129
    assert solution(ex.seed_weights)(256) == 31_509_121


def test_nodule_share_by_counting_pixels():
    # 28.27 mm² of 2007.04 mm²: 0.01409
    assert solution(ex.nodule_share)() == pytest.approx(0.01409, abs=5e-6)
    fine = (np.indices((1280, 1280)) + 0.5) * 0.7 / 20 - 22.4  # each pixel in 20 x 20
    assert solution(ex.nodule_share)() == pytest.approx(np.mean(np.hypot(*fine) <= 3), rel=1e-3)


def test_occlusion_map_by_hand():
    # the mean of 8, 4, 2, 6 is 5; with a pixel at 0 it falls by a quarter of that pixel
    effect = solution(ex.occlusion_map)(ex.mean_value, np.array([[8.0, 4.0], [2.0, 6.0]]), 1, 0.0)
    np.testing.assert_allclose(effect, [[2.0, 1.0], [0.5, 1.5]])


def test_occlusion_map_of_a_linear_score_is_the_weighted_tile(rng):
    weights, patch = rng.normal(size=(2, 12, 8))
    effect = solution(ex.occlusion_map)(lambda image: float(np.sum(weights * image)), patch, 4, -0.5)
    labels = np.kron(np.arange(6).reshape(3, 2), np.ones((4, 4)))
    np.testing.assert_allclose(effect.ravel(), ndimage.sum_labels(weights * (patch + 0.5), labels, range(6)))


def test_screening_threshold_by_hand():
    # prevalence 1 %, a miss costs 20: 0.2 for all missed. Thresholds, missed, alarms, cost: 0.9: 1/2, 0 -> 0.1;
    # inf: 1, 0 -> 0.2; 0.6: 1/2, 1/3 -> 0.43; 0.4: 0, 1/3 -> 0.33. So 0.9.
    choose = solution(ex.screening_threshold)
    labels, scores = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.6, 0.2, 0.1])
    assert choose(labels, scores, 0.01, 20) == 0.9
    assert choose(labels, scores, 0.5, 20) == 0.4  # 0.4: 0 + 0.167; 0.9: 5
    assert choose(labels, scores, 0.001, 1) == 0.9  # 0.9: 0.0005; inf: 0.001
    assert choose(labels, scores, 0.6, 1) == 0.4  # 0.4: 0.4 / 3 = 0.13; 0.9: 0.6 / 2 = 0.3
    assert choose(1 - labels, scores, 0.001, 1) == np.inf  # the highest score is healthy
    # a tie: at 2 no miss, half of the alarms; at 4 half of the misses, no alarm: 0.25 both
    assert choose(np.array([1, 0, 1, 0]), np.array([4.0, 3.0, 2.0, 1.0]), 0.5, 1) == 2


def test_screening_threshold_is_the_cheapest_of_a_copied_population(rng):
    labels = np.repeat([1, 0], [20, 30])
    scores = np.round(rng.normal(labels, 1), 2)
    # prevalence 0.1 by copies: 20 ill x 3 = 60, 30 healthy x 18 = 540
    copies = np.where(labels == 1, 3, 18)
    population, given = np.repeat(labels, copies), np.repeat(scores, copies)
    costs = {t: np.sum((given >= t) & (population == 0)) + 7 * np.sum((given < t) & (population == 1)) for t in given}
    cheapest = min(costs.values())
    chosen = solution(ex.screening_threshold)(labels, scores, 0.1, 7)
    assert costs.get(chosen, 7 * 60) == cheapest


def test_best_auc_of_two_nodules_by_hand():
    # the first is the cancer: 0.8 * 0.8 = 0.64, right; the second: 0.2 * 0.2 = 0.04, wrong: 0.64 / 0.68
    assert solution(ex.best_auc)(np.array([0.8, 0.2])) == pytest.approx(0.64 / 0.68, abs=1e-12)


def test_best_auc_equals_the_sum_over_all_outcomes():
    p = np.array([0.5, 0.1, 0.1, 0.3, 0.7])
    right = pairs = 0.0
    for outcome in itertools.product((0, 1), repeat=len(p)):
        chance = np.prod([q if ill else 1 - q for q, ill in zip(p, outcome, strict=True)])
        for i, j in itertools.permutations(range(len(p)), 2):
            if outcome[i] and not outcome[j]:
                pairs += chance
                right += chance * (1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0)
    assert solution(ex.best_auc)(p) == pytest.approx(right / pairs, abs=1e-12)


@pytest.fixture
def rng():
    return np.random.default_rng(6)
