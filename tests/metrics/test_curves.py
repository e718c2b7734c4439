"""The ROC curve equals scikit-learn's; the calibration curve's bins, and their intervals."""

import numpy as np
import pytest
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve as oracle_curve

from medlearn.metrics import auc_score, calibration_curve, roc_curve, wilson_interval

RNG = np.random.default_rng(3)
SAID = RNG.random(300)
LABELS = (RNG.random(300) < SAID).astype(int)


def test_roc_curve_equals_scikit_learn_and_its_area_is_the_auc():
    scores = np.round(SAID, 1)
    curve = roc_curve(LABELS, scores)
    expected = oracle.roc_curve(LABELS, scores, drop_intermediate=False)
    for ours, theirs in zip((curve.false_positive_rate, curve.sensitivity, curve.thresholds), expected, strict=True):
        assert ours.tolist() == theirs.tolist()
    area = np.trapezoid(curve.sensitivity, curve.false_positive_rate)
    assert area == pytest.approx(auc_score(LABELS, scores).value, abs=1e-12)
    assert curve.thresholds[0] == np.inf
    assert roc_curve([0, 0, 0, 1, 1], range(5)).thresholds.tolist() == [np.inf, 4, 3, 2, 1, 0]  # none left out


def test_roc_curve_needs_two_classes():
    with pytest.raises(ValueError, match=r"one class: all labels are 1\. A ROC curve needs cases of both classes"):
        roc_curve([1, 1], [0.2, 0.3])


def test_calibration_curve_equals_scikit_learn():
    curve = calibration_curve(LABELS, SAID, num_bins=8)
    observed, predicted = oracle_curve(LABELS, SAID, n_bins=8)
    assert curve.observed == pytest.approx(observed) and curve.predicted == pytest.approx(predicted)
    assert curve.counts.sum() == 300


def test_calibration_curve_of_quantiles_has_bins_of_equal_size():
    curve = calibration_curve(LABELS, SAID, num_bins=5, strategy="quantile")
    assert curve.counts.tolist() == [60] * 5


def test_calibration_curve_leaves_out_empty_bins_and_keeps_the_ends():
    curve = calibration_curve([0, 1, 1], [0.0, 1.0, 0.97])
    assert curve.predicted.tolist() == [0.0, 0.985] and curve.counts.tolist() == [1, 2]


def test_calibration_curve_intervals_are_wilsons_and_widen_with_patients():
    curve = calibration_curve(LABELS, SAID, num_bins=4)
    successes = np.round(curve.observed * curve.counts).astype(int)
    for row in zip(successes, curve.counts, curve.low, curve.high, strict=True):
        assert row[2:] == pytest.approx(wilson_interval(*row[:2]))
    order = np.argsort(SAID)  # neighbours as a patient: 20 images of about equal probability
    by_patient = calibration_curve(LABELS[order], SAID[order], num_bins=4, patients=np.arange(300) // 20)
    assert by_patient.observed == pytest.approx(curve.observed)
    assert (by_patient.high - by_patient.low).mean() > (curve.high - curve.low).mean()


def test_calibration_curve_of_a_bin_with_one_patient_has_no_interval():
    curve = calibration_curve([0, 1, 1, 0], [0.1, 0.15, 0.8, 0.9], num_bins=2, patients=["a", "a", "b", "c"])
    assert np.isnan(curve.low).tolist() == [True, False]


def test_bad_strategy_is_refused():
    with pytest.raises(ValueError, match="strategy must be 'uniform' or 'quantile', got 'kmeans'"):
        calibration_curve(LABELS, SAID, strategy="kmeans")
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        calibration_curve(LABELS, SAID, level=2)
