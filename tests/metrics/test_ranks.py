"""AUC and average precision of many resamples at once: equal to scikit-learn on each of them."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from medlearn.metrics.checks import check_cases
from medlearn.metrics.ranks import (
    auc_of_weights,
    average_precision_influence,
    average_precision_of_weights,
    sort_cases,
)
from medlearn.metrics.resampling import draw_weights


def study(seed, *, ties, num_cases=120, num_patients=15):
    """Return simulated labels, scores and patients; the scores have many ties or none."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, num_cases)
    scores = labels + rng.standard_normal(num_cases)
    return labels, np.round(scores) if ties else scores, rng.integers(0, num_patients, num_cases)


@pytest.mark.parametrize("ties", [False, True], ids=["no ties", "ties"])
@pytest.mark.parametrize("clustered", [False, True], ids=["cases", "patients"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(auc_of_weights, roc_auc_score), (average_precision_of_weights, average_precision_score)],
    ids=["auc", "average precision"],
)
def test_resampled_scores_equal_scikit_learn(ours, theirs, ties, clustered):
    labels, scores, patients = study(3, ties=ties)
    cases = check_cases(labels, scores, patients if clustered else None, kind="scores")
    weights = np.concatenate(list(draw_weights(np.random.default_rng(1), cases.num_units, 50)))
    got = ours(sort_cases(cases), weights)
    for row, value in zip(weights, got, strict=True):
        drawn = np.repeat(np.arange(len(cases)), row[cases.units])
        assert value == pytest.approx(theirs(labels[drawn], scores[drawn]), abs=1e-12)


def test_a_resample_of_one_class_is_undefined():
    ranked = sort_cases(check_cases([1, 0, 0], [0.9, 0.2, 0.4], None, kind="scores"))
    weights = np.array([[3, 0, 0], [0, 2, 1], [1, 1, 1]])
    assert np.isnan(auc_of_weights(ranked, weights)).tolist() == [True, True, False]
    assert np.isnan(average_precision_of_weights(ranked, weights)).tolist() == [False, True, False]


def test_weights_of_a_resample_add_up_to_the_patients():
    blocks = list(draw_weights(np.random.default_rng(0), 70_000, 3))
    assert [block.shape for block in blocks] == [(1, 70_000)] * 3  # one at a time: memory stays small
    assert all((block.sum(axis=1) == 70_000).all() for block in blocks)
    rows = np.concatenate(list(draw_weights(np.random.default_rng(0), 4, 40_000)))
    assert rows.shape == (40_000, 4)
    # Each patient is drawn 4 times with chance 1/4: mean 1, variance 4 * 1/4 * 3/4 = 0.75
    assert rows.mean(axis=0) == pytest.approx(np.ones(4), abs=0.02)
    assert rows.var(axis=0) == pytest.approx(np.full(4, 0.75), abs=0.03)


@pytest.mark.parametrize("ties", [False, True], ids=["no ties", "ties"])
def test_average_precision_influence_is_the_derivative(ties):
    labels, scores, patients = study(5, ties=ties)
    ranked = sort_cases(check_cases(labels, scores, patients, kind="scores"))
    num_units, step = patients.max() + 1, 1e-6
    nudged = np.ones((num_units, num_units)) + step * np.eye(num_units)
    value = average_precision_of_weights(ranked, np.ones((1, num_units)))
    by_difference = (average_precision_of_weights(ranked, nudged) - value) / step
    assert average_precision_influence(ranked, num_units) == pytest.approx(by_difference, abs=1e-6)
