"""The bootstrap: SciPy's intervals, whole patients, and resamples that do not define the statistic."""

import numpy as np
import pytest
import torch
from scipy import stats

from medlearn.metrics import auc_score, bootstrap
from medlearn.metrics.resampling import bca_interval, percentile_interval

SKEWED = np.random.default_rng(6).exponential(size=40)


def test_bca_and_percentile_agree_with_scipy_on_the_same_resamples():
    theirs = stats.bootstrap((SKEWED,), np.mean, n_resamples=5000, method="BCa")
    drawn = theirs.bootstrap_distribution
    left_out = np.array([np.delete(SKEWED, i).mean() for i in range(40)])
    ours = bca_interval(drawn, SKEWED.mean(), left_out.mean() - left_out, level=0.95)
    assert ours == pytest.approx(theirs.confidence_interval, abs=1e-9)
    plain = stats.bootstrap((SKEWED,), np.mean, bootstrap_result=theirs, n_resamples=0, method="percentile")
    assert percentile_interval(drawn, level=0.95) == pytest.approx(plain.confidence_interval, abs=1e-12)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_bootstrap_agrees_with_scipy_up_to_chance(method):
    name = {"percentile": "percentile", "bca": "BCa"}[method]
    theirs = stats.bootstrap((SKEWED,), np.mean, n_resamples=5000, method=name)
    ours = bootstrap(np.mean, SKEWED, num_resamples=5000, method=method)
    assert ours.interval == pytest.approx(theirs.confidence_interval, abs=0.05)
    assert ours.value == SKEWED.mean() and ours.num_cases == 40 and ours.num_patients is None


def test_bootstrap_draws_whole_patients():
    seen = []

    def look(values, owners):
        seen.append(dict(zip(*np.unique(owners, return_counts=True), strict=True)))
        return values.mean()

    got = bootstrap(look, np.arange(6.0), list("aaabbc"), patients=list("aaabbc"), num_resamples=100)
    assert got.num_patients == 3
    for counts in seen:  # a patient comes with all images, however often drawn
        assert counts.get("a", 0) % 3 == 0 and counts.get("b", 0) % 2 == 0


def test_bootstrap_over_patients_is_wider_than_over_images():
    values = np.repeat(np.random.default_rng(0).standard_normal(30), 10)  # ten equal images a patient
    by_image = bootstrap(np.mean, values, num_resamples=1000)
    by_patient = bootstrap(np.mean, values, patients=np.repeat(np.arange(30), 10), num_resamples=1000)
    # The standard error grows by the root of 10.
    ratio = (by_patient.high - by_patient.low) / (by_image.high - by_image.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.15)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_the_fast_auc_bootstrap_equals_the_slow_one(method):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 60)
    scores, patients = np.round(labels + rng.standard_normal(60), 1), np.arange(60) // 3
    slow = bootstrap(_auc, labels, scores, patients=patients, method=method, num_resamples=2000, seed=5)
    fast = auc_score(labels, scores, patients=patients, method=method, seed=5)
    assert fast.value == pytest.approx(slow.value, abs=1e-12)
    # The same seed draws the same resamples, and both leave each patient out.
    assert fast.interval == pytest.approx(slow.interval, abs=1e-12)


def test_seed_decides_and_repeats():
    first, again, other = (bootstrap(np.mean, SKEWED, num_resamples=200, seed=seed) for seed in (3, 3, 4))
    assert first == again and first.interval != other.interval


def test_undefined_resamples_are_counted_and_said():
    # One positive in 5: a resample lacks it with chance (4/5)^5 = 0.33.
    labels, scores = [1, 0, 0, 0, 0], [0.9, 0.8, 0.1, 0.3, 0.2]
    got = bootstrap(_auc, np.array(labels), np.array(scores), num_resamples=1000)
    lost = int(got.method.split("(")[1].split()[0])
    assert got.method == f"percentile bootstrap, 1000 resamples ({lost} undefined, left out)"
    assert 270 < lost < 390 and not np.isnan(got.low)
    fast = auc_score([1, 0, 0, 0, 0, 1], [*scores, 0.85], patients=[1, 2, 3, 4, 5, 1], method="percentile")
    assert "exact" in fast.method or "undefined, left out" in fast.method


def _auc(labels, scores):
    positive, negative = scores[labels == 1][:, None], scores[labels == 0]
    if not positive.size or not negative.size:
        return np.nan
    return np.mean((positive > negative) + 0.5 * (positive == negative))


def test_no_interval_where_most_resamples_are_undefined():
    def needs_everyone(values):
        if len(set(values.tolist())) < 4:
            raise ValueError("someone is missing")
        return values.mean()

    got = bootstrap(needs_everyone, np.arange(4.0), num_resamples=200)
    assert got.value == 1.5 and np.isnan(got.low)
    assert "of 200 resamples do not define the score" in got.reason


def test_bootstrap_of_an_undefined_statistic_is_undefined():
    got = bootstrap(lambda values: np.nan, [1.0, 2.0], num_resamples=100)
    assert str(got) == "undefined: the statistic is not defined on these cases"


def test_bootstrap_of_one_patient_has_no_interval():
    got = bootstrap(np.mean, [1.0, 2.0], patients=["ann", "ann"])
    assert got.value == 1.5 and np.isnan(got.high) and "one patient" in got.reason


def test_bootstrap_takes_images_and_tensors():
    images = torch.arange(24.0).reshape(6, 2, 2).requires_grad_()
    got = bootstrap(lambda batch: batch.mean(), images, num_resamples=100)
    assert got.value == 11.5 and got.num_cases == 6


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="needs the arrays"):
        bootstrap(np.mean)
    with pytest.raises(ValueError, match="array 0 is the single value"):
        bootstrap(np.mean, 3.0)
    with pytest.raises(ValueError, match="lengths differ: 2 entries in array 0, 3 entries in array 1"):
        bootstrap(np.corrcoef, [1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="num_resamples must be a whole number, 100 or more, got 10"):
        bootstrap(np.mean, [1, 2], num_resamples=10)
    with pytest.raises(ValueError, match="method must be one of 'percentile', 'bca', got 'basic'"):
        bootstrap(np.mean, [1, 2], method="basic")


def test_an_error_of_the_statistic_that_is_no_undefined_value_is_shown():
    with pytest.raises(TypeError, match="unsupported operand"):
        bootstrap(lambda values: values + None, [1.0, 2.0])
