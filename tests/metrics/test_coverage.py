"""A short coverage study: intervals over patients hold the truth, those over images do not. Benchmarks has more."""

import numpy as np
import pytest
from scipy import stats

from medlearn import metrics

STUDIES, PATIENTS = 300, 50
# Where an interval holds the truth with chance 0.95, fewer than 273 or more than 295 of 300 do so with chance 0.002.
FEWEST, MOST = stats.binom.ppf([0.001, 0.999], STUDIES, 0.95)
SEPARATION, SHARED, THRESHOLD = 1.5, 0.5, 0.75


def study(seed):
    """Return labels, scores and patients: half the variance of a score is the patient's."""
    rng = np.random.default_rng([5, seed])
    patients = np.repeat(np.arange(PATIENTS), rng.integers(2, 9, PATIENTS))
    labels = (rng.random(len(patients)) < 0.4).astype(int)
    own = rng.standard_normal(PATIENTS)[patients] * np.sqrt(SHARED)
    return labels, SEPARATION * labels + own + rng.standard_normal(len(patients)) * np.sqrt(1 - SHARED), patients


TRUTH = {
    "sensitivity_score": stats.norm.sf(THRESHOLD - SEPARATION),
    "specificity_score": stats.norm.cdf(THRESHOLD),
    "balanced_accuracy_score": stats.norm.cdf(THRESHOLD),
    "auc_score": stats.norm.cdf(SEPARATION / np.sqrt(2)),
}


@pytest.mark.parametrize("name", TRUTH)
def test_default_intervals_hold_the_truth_about_as_often_as_they_say(name):
    held = 0
    for seed in range(STUDIES):
        labels, scores, patients = study(seed)
        values = scores if name == "auc_score" else scores >= THRESHOLD
        low, high = getattr(metrics, name)(labels, values, patients=patients).interval
        held += low <= TRUTH[name] <= high
    assert FEWEST <= held <= MOST


@pytest.mark.parametrize("name", ["sensitivity_score", "specificity_score"])
def test_intervals_that_ignore_the_patients_hold_it_less_often(name):
    held = 0
    for seed in range(STUDIES):
        labels, scores, _ = study(seed)
        low, high = getattr(metrics, name)(labels, scores >= THRESHOLD, method="percentile").interval
        held += low <= TRUTH[name] <= high
    assert held < FEWEST - 15  # visibly


def test_comparison_of_equal_models_holds_no_difference():
    held = 0
    for seed in range(STUDIES):
        labels, scores, patients = study(seed)
        rng = np.random.default_rng([6, seed])
        a, b = (scores + rng.standard_normal(PATIENTS)[patients] for _ in range(2))
        low, high = metrics.compare_auc(labels, a, b, patients=patients).difference.interval
        held += low <= 0 <= high
    assert FEWEST <= held <= MOST


def test_plain_wilson_holds_the_truth_on_average_but_not_everywhere():
    # Exactly, from the binomial distribution: at 20 cases the coverage moves with the true share.
    shares = np.linspace(0.02, 0.98, 481)[:, None]
    low, high = np.array([metrics.wilson_interval(right, 20) for right in range(21)]).T
    inside = (low <= shares) & (shares <= high)
    coverage = (inside * stats.binom.pmf(np.arange(21), 20, shares)).sum(axis=1)
    assert coverage.mean() == pytest.approx(0.952, abs=0.003)
    assert coverage.min() < 0.91 and coverage.max() > 0.98
