"""Lesson 05a's exercises: the solutions against scikit-learn and closed forms."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from medlearn.exercises import lesson_05a as ex


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture(params=[0, 1, 2])
def scored(request):
    """Return labels and scores with ties."""
    rng = np.random.default_rng(request.param)
    labels = (rng.random(120) < (0.1, 0.3, 0.7)[request.param]).astype(int)
    return labels, np.round(rng.normal(size=120) + (0.5, -1, 2)[request.param] * labels, 1)


def test_confusion_counts_equal_scikit_learn(rng):
    labels, predictions = rng.integers(0, 2, size=(2, 90))
    tn, fp, fn, tp = metrics.confusion_matrix(labels, predictions).ravel()
    assert solution(ex.confusion_counts)(labels, predictions) == (tp, fp, fn, tn)


def test_cheapest_threshold_by_hand():
    # costs 1 (FP) and 2 (FN). t = 0.1: 2 FP = 2. t = 0.4: 1 FP = 1. t = 0.6: 1 FP + 1 FN = 3. t = 0.8: 1 FN = 2.
    # t = inf: 2 FN = 4. The cheapest is 0.4.
    labels, probabilities = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.8])
    assert solution(ex.cheapest_threshold)(labels, probabilities, 1, 2) == 0.4


def test_cheapest_threshold_nears_the_formula_on_calibrated_probabilities(rng):
    # 5,000 calibrated patients, prices 1 and 4: the best threshold is 1 / 5
    chance = np.round(rng.random(5000), 2)
    labels = (rng.random(5000) < chance).astype(int)
    assert solution(ex.cheapest_threshold)(labels, chance, 1, 4) == pytest.approx(0.2, abs=0.06)


def test_cheapest_threshold_calls_nobody_where_false_alarms_are_dear():
    assert solution(ex.cheapest_threshold)(np.array([1, 0]), np.array([0.2, 0.7]), 10, 1) == np.inf


def test_roc_points_equal_scikit_learn(scored):
    wanted = metrics.roc_curve(*scored, drop_intermediate=False)[:2]
    for found, expected in zip(solution(ex.roc_points)(*scored), wanted, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_auc_by_pairs_equals_scikit_learn_and_mann_whitney(scored):
    labels, scores = scored
    found = solution(ex.auc_by_pairs)(labels, scores)
    assert found == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)
    u = stats.mannwhitneyu(scores[labels == 1], scores[labels == 0]).statistic
    assert found == pytest.approx(u / (labels.sum() * (1 - labels).sum()), abs=1e-12)


def test_positive_predictive_value_by_natural_frequencies():
    # 10,000 people, 50 ill: 45 of them positive. 9,950 healthy: 995 positive. 45 / 1040.
    assert solution(ex.positive_predictive_value)(0.9, 0.9, 0.005) == pytest.approx(45 / 1040)


def test_average_precision_equals_scikit_learn(scored):
    found = solution(ex.average_precision)(*scored)
    assert found == pytest.approx(metrics.average_precision_score(*scored), abs=1e-12)


def test_calibration_error_by_hand():
    # two bins. Low: 0.2, 0.4 with 1 of 2 ill: |0.3 - 0.5| = 0.2, half of the patients. High: 0.9, 1.0, both ill:
    # |0.95 - 1| = 0.05. (0.2 + 0.05) / 2 = 0.125
    labels, probabilities = np.array([0, 1, 1, 1]), np.array([0.2, 0.4, 0.9, 1.0])
    assert solution(ex.calibration_error)(labels, probabilities, 2) == pytest.approx(0.125)


@pytest.mark.parametrize("num_bins", [1, 5, 20])
def test_calibration_error_equals_scikit_learns_curve(rng, num_bins):
    probabilities = rng.beta(0.5, 1, size=400)
    labels = rng.integers(0, 2, size=400)
    observed, predicted = metrics_curve(labels, probabilities, num_bins)
    counts = np.histogram(probabilities, bins=np.linspace(0, 1, num_bins + 1))[0]
    wanted = np.sum(counts[counts > 0] * np.abs(observed - predicted)) / 400
    assert solution(ex.calibration_error)(labels, probabilities, num_bins) == pytest.approx(wanted, abs=1e-12)


def metrics_curve(labels, probabilities, num_bins):
    """Return scikit-learn's shares of ill and mean probabilities of the bins that are not empty."""
    from sklearn.calibration import calibration_curve

    return calibration_curve(labels, probabilities, n_bins=num_bins)


def test_move_prevalence_equals_bayes_on_two_normal_distributions(rng):
    # scores N(0, 1) in the healthy and N(1.5, 1) in the ill: the posterior from the densities, at either prevalence
    x = rng.normal(size=20)
    ill, healthy = stats.norm(1.5).pdf(x), stats.norm(0).pdf(x)
    old, new = (ill * pi / (ill * pi + healthy * (1 - pi)) for pi in (0.4, 0.03))
    np.testing.assert_allclose(solution(ex.move_prevalence)(old, 0.4, 0.03), new, rtol=1e-12)


def test_macro_f1_equals_scikit_learn(rng):
    table = rng.integers(1, 40, size=(4, 4))
    truth = np.repeat(np.repeat(np.arange(4), 4), table.ravel())
    called = np.repeat(np.tile(np.arange(4), 4), table.ravel())
    wanted = metrics.f1_score(truth, called, average="macro")
    assert solution(ex.macro_f1)(table) == pytest.approx(wanted, abs=1e-12)
