"""Point values against scikit-learn and by hand; intervals of the confusion matrix and of probabilities; limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from medlearn import metrics
from medlearn.metrics.probabilities import draw_noise

untimed = settings(deadline=None, max_examples=60)  # a timing is never a test
RNG = np.random.default_rng(12)
PATIENTS = np.repeat(np.arange(30), RNG.integers(1, 8, 30))
LABELS = (RNG.random(len(PATIENTS)) < 0.4).astype(int)
SCORES = np.round(1.2 * LABELS + RNG.standard_normal(30)[PATIENTS] + RNG.standard_normal(len(PATIENTS)), 1)
PROBABILITIES = 1 / (1 + np.exp(-SCORES))
CALLED = (SCORES >= 0.6).astype(int)

SCIKIT_LEARN = {
    "sensitivity_score": oracle.recall_score,
    "specificity_score": lambda labels, called: oracle.recall_score(labels, called, pos_label=0),
    "precision_score": oracle.precision_score,
    "negative_predictive_value_score": lambda labels, called: oracle.precision_score(labels, called, pos_label=0),
    "accuracy_score": oracle.accuracy_score,
    "f1_score": oracle.f1_score,
    "balanced_accuracy_score": oracle.balanced_accuracy_score,
    "matthews_score": oracle.matthews_corrcoef,
    "auc_score": oracle.roc_auc_score,
    "average_precision_score": oracle.average_precision_score,
    "brier_score": oracle.brier_score_loss,
}
NAMES = [*SCIKIT_LEARN, "expected_calibration_error"]
every_score = pytest.mark.parametrize("name", NAMES)


def values_for(name):
    """Return predictions, scores or probabilities, whichever the score takes."""
    if name in ("auc_score", "average_precision_score"):
        return SCORES
    return PROBABILITIES if name in ("brier_score", "expected_calibration_error") else CALLED


@pytest.mark.parametrize("name", SCIKIT_LEARN)
def test_values_equal_scikit_learn(name):
    values = values_for(name)
    expected = SCIKIT_LEARN[name](LABELS, values)
    assert getattr(metrics, name)(LABELS, values, patients=PATIENTS).value == pytest.approx(expected, abs=1e-12)


@every_score
@pytest.mark.parametrize("method", ["default", "percentile", "bca"])
@pytest.mark.parametrize("patients", [None, PATIENTS], ids=["cases", "patients"])
def test_intervals_hold_the_value_and_widen_with_the_level(name, method, patients):
    score, values = getattr(metrics, name), values_for(name)
    options = {} if method == "default" else {"method": method}
    got = score(LABELS, values, patients=patients, **options)
    wide = score(LABELS, values, patients=patients, level=0.99, **options)
    if not (name == "expected_calibration_error" and method != "default"):  # there the bootstrap is biased: see below
        assert got.low < got.value < got.high
    assert wide.low <= got.low and got.high <= wide.high
    assert wide.high - wide.low > got.high - got.low
    assert (got.num_patients is None) == (patients is None) and got.reason == ""


@every_score
def test_patients_widen_the_interval(name):
    score, values = getattr(metrics, name), values_for(name)
    twice = np.repeat(np.arange(len(LABELS)), 6)  # each image six times: the interval over patients must not shrink
    by_image = score(LABELS[twice], values[twice])
    by_patient = score(LABELS[twice], values[twice], patients=twice)
    assert by_patient.high - by_patient.low > 1.6 * (by_image.high - by_image.low)


@every_score
def test_one_image_a_patient_equals_no_patients(name):
    score, values = getattr(metrics, name), values_for(name)
    by_patient = score(LABELS, values, patients=[f"patient {i:04}" for i in range(len(LABELS))])
    by_case = score(LABELS, values)
    assert by_patient.interval == pytest.approx(by_case.interval, abs=1e-9)
    assert by_patient.num_patients == by_patient.num_cases == by_case.num_cases


@every_score
@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_the_seed_decides(name, method):
    score, values = getattr(metrics, name), values_for(name)
    first, again, other = (score(LABELS, values, patients=PATIENTS, method=method, seed=seed) for seed in (1, 1, 2))
    assert first == again and first.interval != other.interval
    assert "2000 resamples" in first.method


def test_f1_by_hand():
    # TP 2, FP 1, FN 1: 4 / (4 + 1 + 1)
    assert metrics.f1_score([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0]).value == pytest.approx(2 / 3)


def test_logit_interval_by_hand():
    # Four patients with squared errors 0.04, 0.09, 0.16, 0.25, one image each: mean 0.135; standard error
    # sqrt(0.0251 / 3 / 4) = 0.0457347 (deviations -0.095 -0.045 0.025 0.115, squares 0.0249); t of 3 degrees 3.1824.
    errors = np.array([0.04, 0.09, 0.16, 0.25])
    got = metrics.brier_score([0, 0, 0, 0], np.sqrt(errors), method="logit")
    error = errors.std(ddof=1) / 2
    half = stats.t.ppf(0.975, 3) * error / (0.135 * 0.865)
    expected = 1 / (1 + np.exp(-(math.log(0.135 / 0.865) + np.array([-half, half]))))
    assert got.value == pytest.approx(0.135) and got.interval == pytest.approx(expected, abs=1e-9)


def test_inverse_root_interval_by_hand():
    # The same errors: 1 / sqrt(0.135) = 2.7217; its standard error 0.0456 / 2 * 0.135^-1.5 = 0.4600, times t is 1.46.
    errors = np.array([0.04, 0.09, 0.16, 0.25])
    got = metrics.brier_score([0, 0, 0, 0], np.sqrt(errors))
    half = stats.t.ppf(0.975, 3) * errors.std(ddof=1) / 2 / 2 * 0.135**-1.5
    assert got.interval == pytest.approx(((0.135**-0.5 + half) ** -2, (0.135**-0.5 - half) ** -2), abs=1e-9)
    wide = metrics.brier_score([0, 0], [0.1, 0.9], level=0.999)
    assert wide.high == 1 and wide.low > 0  # the scale has an end: no more than 1


@pytest.mark.parametrize(
    ("name", "labels", "values", "reason"),
    [
        ("sensitivity_score", [0, 0], [0, 1], "no case has label 1"),
        ("specificity_score", [1, 1], [0, 1], "no case has label 0"),
        ("precision_score", [0, 1], [0, 0], "no case is predicted 1"),
        ("negative_predictive_value_score", [0, 1], [1, 1], "no case is predicted 0"),
        ("f1_score", [0, 0], [0, 0], "no case has label 1 and none is predicted 1"),
        ("balanced_accuracy_score", [1, 1], [0, 1], "one class: all labels are 1"),
        ("matthews_score", [0, 1], [1, 1], "all predictions are 1"),
        ("auc_score", [0, 0], [0.1, 0.2], "one class: all labels are 0"),
        ("average_precision_score", [0, 0], [0.1, 0.2], "one class: all labels are 0"),
    ],
)
def test_undefined_scores_are_nan_and_say_why(name, labels, values, reason):
    for patients in (None, ["ann", "bob"]):
        got = getattr(metrics, name)(labels, values, patients=patients)
        assert math.isnan(got.value) and math.isnan(got.low) and got.reason == reason
        assert str(got) == f"undefined: {reason}"


@every_score
def test_one_patient_has_a_value_and_no_interval(name):
    values = np.array([0.9, 0.2, 0.8, 0.6]) if values_for(name) is not CALLED else [1, 0, 1, 1]
    got = getattr(metrics, name)([1, 0, 1, 0], values, patients=["ann"] * 4)
    assert not math.isnan(got.value) and math.isnan(got.low) and math.isnan(got.high)
    assert got.num_patients == 1 and "one patient says nothing" in str(got)


@every_score
@pytest.mark.parametrize("method", ["default", "percentile", "bca"])
def test_perfect_predictions_have_an_honest_interval(name, method):
    options = {} if method == "default" else {"method": method}
    labels = np.repeat([0, 1], 20)
    got = getattr(metrics, name)(labels, labels, patients=np.arange(40) // 2, **options)
    best = 0.0 if name in ("brier_score", "expected_calibration_error") else 1.0
    assert got.value == best
    assert 0.1 < got.high - got.low < 0.65  # ten or twenty patients: not certain, not clueless
    assert best in got.interval


@every_score
def test_cases_of_a_score_are_those_it_rests_on(name):
    got = getattr(metrics, name)(LABELS, values_for(name), patients=PATIENTS)
    rests_on = {
        "sensitivity_score": LABELS == 1,
        "specificity_score": LABELS == 0,
        "precision_score": CALLED == 1,
        "negative_predictive_value_score": CALLED == 0,
    }.get(name, LABELS >= 0)
    assert got.num_cases == rests_on.sum() and got.num_patients == len(set(PATIENTS[rests_on]))


confusions = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=50)


@untimed
@given(confusions, st.integers(1, 4))
def test_any_predictions_give_an_interval_within_the_range(cases, images):
    labels, called = np.array(cases).T
    patients = np.arange(len(labels)) // images
    for name in NAMES[:8]:
        got = getattr(metrics, name)(labels, called, patients=patients)
        if math.isnan(got.value) or got.num_patients < 2:
            assert got.reason
            continue
        assert -1 <= got.low <= got.value + 1e-12 and got.value - 1e-12 <= got.high <= 1, name


@untimed
@given(confusions)
def test_swapping_the_classes_swaps_the_scores(cases):
    labels, called = np.array(cases).T
    pairs = [("sensitivity_score", "specificity_score"), ("precision_score", "negative_predictive_value_score")]
    for one, other in pairs:
        a, b = getattr(metrics, one)(labels, called), getattr(metrics, other)(1 - labels, 1 - called)
        assert (a.interval == b.interval and a.value == b.value) or (math.isnan(a.value) and math.isnan(b.value))


def test_calibration_error_by_hand():
    # Bins of width 0.2. [0.2, 0.4): 0.25 and 0.35, one of two is 1: gap |1 - 0.6| = 0.4.
    # [0.8, 1]: 0.9, 1.0 and 1.0, two of three are 1: gap |2 - 2.9| = 0.9. Over five cases: 1.3 / 5 = 0.26.
    got = metrics.expected_calibration_error([1, 0, 1, 1, 0], [0.25, 0.35, 0.9, 1.0, 1.0], num_bins=5)
    assert got.value == pytest.approx(0.26, abs=1e-12)


@pytest.mark.parametrize(("edge", "label", "expected"), [(1.0, 0, 1.0), (0.0, 1, 1.0), (1.0, 1, 0.0), (0.0, 0, 0.0)])
def test_calibration_error_counts_0_and_1(edge, label, expected):
    # Other tools lost cases at 0 (bin -1), or gave those at exactly 1 a bin of their own.
    assert metrics.expected_calibration_error([label, label], [edge, edge]).value == expected
    # 0.5 opens the upper of two bins: |0.5 + -0.9| / 2
    assert metrics.expected_calibration_error([1, 0], [0.5, 0.9], num_bins=2).value == pytest.approx(0.2)
    # 0.95 and 1.0 share the last bin: |0.05 + -1| / 2
    assert metrics.expected_calibration_error([1, 0], [0.95, 1.0]).value == pytest.approx(0.475)


def test_a_bin_holds_its_lower_edge_as_written():
    # 0.30 and 0.32 share the bin from 0.3 to 0.4: |0.31 - 0.5| = 0.19; the edge np.linspace(0, 1, 11)[3] parts them
    assert metrics.expected_calibration_error([0, 1], [0.30, 0.32]).value == pytest.approx(0.19)


def test_calibration_error_of_a_calibrated_model_may_be_zero():
    rng = np.random.default_rng(0)
    said = rng.random(400)
    labels = (rng.random(400) < said).astype(int)
    got = metrics.expected_calibration_error(labels, said)
    assert got.value > 0.03 and got.low == 0  # the truth is 0: all of the value is noise
    assert metrics.expected_calibration_error(labels, said, method="percentile").low > 0.03  # and misses it


def test_noise_of_the_gaps_has_their_covariance():
    pulls = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0]])  # the third bin is empty
    noise = draw_noise(pulls.T @ pulls, seed=0)
    assert np.cov(noise.T) == pytest.approx(np.array([[5, 4, 0], [4, 5, 0], [0, 0, 0]]), abs=0.5)
    assert noise[:, 2] == pytest.approx(0)


def test_num_bins_is_checked():
    with pytest.raises(ValueError, match="num_bins must be a whole number, 1 or more, got 0"):
        metrics.expected_calibration_error([0, 1], [0.2, 0.7], num_bins=0)
