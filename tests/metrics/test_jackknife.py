"""What each patient adds to a score: left out one by one, by hand and by doing it."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from medlearn.metrics import ranking
from medlearn.metrics.checks import check_cases
from medlearn.metrics.delong import auc_without_each, place
from medlearn.metrics.intervals import degrees_of_freedom, jackknife_influence
from medlearn.metrics.ranking import average_precision_statistic

RNG = np.random.default_rng(21)
PATIENTS = np.repeat(np.arange(25), RNG.integers(1, 9, 25))
LABELS = (RNG.random(len(PATIENTS)) < 0.4).astype(int)
SCORES = np.round(LABELS + RNG.standard_normal(25)[PATIENTS] + RNG.standard_normal(len(PATIENTS)), 1)
CASES = check_cases(LABELS, SCORES, PATIENTS, kind="scores")


def left_out(score):
    """Return a score without each patient."""
    return np.array([score(LABELS[PATIENTS != i], SCORES[PATIENTS != i]) for i in range(25)])


def test_auc_without_each_patient():
    assert auc_without_each(CASES, place(CASES)) == pytest.approx(left_out(roc_auc_score), abs=1e-12)


def test_auc_without_the_only_positive_patient_is_undefined():
    cases = check_cases([1, 1, 0, 0, 0], [3, 2, 1, 2, 0], ["a", "a", "b", "c", "c"], kind="scores")
    without = auc_without_each(cases, place(cases))
    # Without b: 3 beats 2 and 0, 2 ties with 2 and beats 0: 3.5 of 4. Without c: both beat 1.
    assert np.isnan(without[0]) and without[1:].tolist() == [0.875, 1.0]


def test_average_precision_leaves_out_each_patient(monkeypatch):
    exact = average_precision_statistic(CASES).influence
    assert exact == pytest.approx(jackknife_influence(left_out(average_precision_score)), abs=1e-12)
    monkeypatch.setattr(ranking, "MOST_LEFT_OUT", 0)
    by_derivative = average_precision_statistic(CASES).influence
    assert np.corrcoef(exact, by_derivative)[0, 1] > 0.97


def test_jackknife_variance_of_a_mean_is_the_textbook_one():
    values = RNG.standard_normal(12)
    without = (values.sum() - values) / 11
    assert np.sum(jackknife_influence(without) ** 2) == pytest.approx(values.var(ddof=1) / 12, abs=1e-12)


def test_degrees_of_freedom_by_hand():
    # Images 1, 1, 2: (1 + 1 + 2)^2 / (1 + 1 + 4) = 16 / 6 patients in effect
    cases = check_cases([0, 1, 0, 1], [0, 1, 2, 3], ["a", "b", "c", "c"], kind="scores")
    assert degrees_of_freedom(cases) == pytest.approx(16 / 6 - 1)
    assert degrees_of_freedom(check_cases([0, 1, 0, 1], [0, 1, 2, 3], None, kind="scores")) == 3
    lopsided = check_cases([0, 1] * 20, range(40), ["a"] * 39 + ["b"], kind="scores")
    assert degrees_of_freedom(lopsided) == 1  # never less
