"""Two AUCs on the same cases: DeLong's covariance pair by pair, and the limits."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from medlearn.metrics import auc_score, compare_auc

RNG = np.random.default_rng(8)
LABELS = RNG.integers(0, 2, 80)
SIGNAL = LABELS + RNG.standard_normal(80)
A, B = np.round(SIGNAL + 0.5 * RNG.standard_normal(80), 1), np.round(SIGNAL + RNG.standard_normal(80), 1)


def placements(scores):
    """Return the shares of pairs won, for each positive and each negative."""
    positive, negative = scores[LABELS == 1][:, None], scores[LABELS == 0]
    wins = (positive > negative) + 0.5 * (positive == negative)
    return wins.mean(axis=1), wins.mean(axis=0)


def test_comparison_agrees_with_the_definition():
    (up_a, down_a), (up_b, down_b) = placements(A), placements(B)
    variance = (up_a - up_b).var(ddof=1) / len(up_a) + (down_a - down_b).var(ddof=1) / len(down_a)
    difference = up_a.mean() - up_b.mean()
    got = compare_auc(LABELS, A, B)
    assert got.difference.value == pytest.approx(difference, abs=1e-12)
    assert got.z == pytest.approx(difference / np.sqrt(variance), abs=1e-9)
    assert got.p_value == pytest.approx(2 * stats.norm.sf(abs(got.z)), abs=1e-12)
    half = 1.959964 * np.sqrt(variance)
    assert got.difference.interval == pytest.approx((difference - half, difference + half), abs=1e-6)
    assert got.a == auc_score(LABELS, A) and got.b == auc_score(LABELS, B)


def test_comparison_is_antisymmetric_and_prints():
    forth, back = compare_auc(LABELS, A, B), compare_auc(LABELS, B, A)
    assert back.z == pytest.approx(-forth.z) and back.p_value == pytest.approx(forth.p_value)
    said = str(forth)
    assert said.splitlines()[0].startswith("AUC a       0.") and "difference  " in said
    assert f"z = {forth.z:.2f}, p = {forth.p_value:.3f}" in said


def test_comparison_names_what_stood_in_for_the_patients():
    labels, scores = [0, 1, 0, 1, 0, 1], [1, 2, 3, 4, 5, 6]
    compared = compare_auc(labels, scores, [1, 3, 2, 4, 6, 5], patients=["a", "a", "b", "b", "c", "c"])
    by_block = compared.counted_in("block")
    assert str(by_block).count("3 blocks)") == 3 and "patient" not in str(by_block)


def test_patients_widen_the_difference():
    patients = np.repeat(np.arange(20), 4)
    labels = np.repeat([0, 1], 40)
    shared = np.random.default_rng(1).standard_normal((2, 20)).repeat(4, axis=1)
    noise = 0.3 * np.random.default_rng(2).standard_normal((2, 80))
    a, b = labels + shared + noise
    plain, clustered = compare_auc(labels, a, b), compare_auc(labels, a, b, patients=patients)
    assert clustered.difference.value == plain.difference.value
    assert clustered.p_value > plain.p_value and clustered.difference.num_patients == 20
    singles = compare_auc(labels, a, b, patients=np.arange(80))
    assert singles.z == pytest.approx(plain.z, abs=1e-12)


def test_several_images_a_patient_leave_each_patient_out():
    patients = np.repeat(np.arange(16), np.tile([2, 8], 8))
    kept = [patients != i for i in range(16)]
    without = np.array([roc_auc_score(LABELS[k], A[k]) - roc_auc_score(LABELS[k], B[k]) for k in kept])
    error = np.sqrt(15 / 16 * np.sum((without - without.mean()) ** 2))
    degrees = 80**2 / (8 * 4 + 8 * 64) - 1  # Kish: (sum of images)^2 / sum of squares
    got = compare_auc(LABELS, A, B, patients=patients)
    assert got.z == pytest.approx(got.difference.value / error, abs=1e-9)
    assert got.p_value == pytest.approx(2 * stats.t.sf(abs(got.z), degrees), abs=1e-12)
    assert got.difference.high - got.difference.value == pytest.approx(stats.t.ppf(0.975, degrees) * error, abs=1e-9)


def test_models_that_order_alike_do_not_differ():
    got = compare_auc(LABELS, A, 2 * A + 1)
    assert (got.z, got.p_value, got.difference.value) == (0.0, 1.0, 0.0)
    assert "order these cases alike" in str(got)


def test_a_difference_without_spread_has_no_test():
    got = compare_auc([0, 0, 0, 1, 1, 1], [1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1])
    assert got.difference.value == 1 and np.isnan(got.p_value) and "spread of the difference cannot" in str(got)


def test_one_class_or_patient_is_undefined():
    assert str(compare_auc([1, 1], [0.1, 0.2], [0.3, 0.1]).difference) == "undefined: one class: all labels are 1"
    lone = compare_auc([0, 1], [0.1, 0.2], [0.3, 0.1], patients=["ann", "ann"])
    assert np.isnan(lone.p_value) and "one patient" in lone.difference.reason


def test_bad_second_scores_are_refused():
    with pytest.raises(ValueError, match="lengths differ: 80 labels, 79 scores_b"):
        compare_auc(LABELS, A, B[:-1])
    with pytest.raises(ValueError, match="scores_b hold NaN in 1 of 80 cases"):
        compare_auc(LABELS, A, np.where(np.arange(80) == 3, np.nan, B))
