"""What the scores accept, and what they say of bad input: each mistake has a message of its own."""

import numpy as np
import pandas as pd
import pytest
import torch

from medlearn import metrics

LABELS = [0, 1, 0, 1, 1, 0]
SCORES = [0.1, 0.4, 0.35, 0.8, 0.7, 0.5]
CALLED = [0, 0, 0, 1, 1, 1]
OF_PREDICTIONS = (
    metrics.sensitivity_score,
    metrics.specificity_score,
    metrics.precision_score,
    metrics.negative_predictive_value_score,
    metrics.accuracy_score,
    metrics.f1_score,
    metrics.balanced_accuracy_score,
    metrics.matthews_score,
)
OF_SCORES = (metrics.auc_score, metrics.average_precision_score)
OF_PROBABILITIES = (metrics.brier_score, metrics.expected_calibration_error)
EVERY = [(f, CALLED) for f in OF_PREDICTIONS] + [(f, SCORES) for f in (*OF_SCORES, *OF_PROBABILITIES)]
every_score = pytest.mark.parametrize(("score", "values"), EVERY, ids=lambda value: getattr(value, "__name__", ""))

KINDS = {
    "list": list,
    "array": np.array,
    "float32": lambda values: np.array(values, dtype=np.float32),
    "tensor": torch.tensor,
    "with gradient": lambda values: torch.tensor(values, dtype=torch.float64, requires_grad=True),
    "pandas": lambda values: pd.Series(values, index=range(10, 10 + len(values))),
}


@every_score
@pytest.mark.parametrize("kind", KINDS)
def test_scores_take_any_vector(score, values, kind):
    expected, got = score(LABELS, values), score(KINDS[kind](LABELS), KINDS[kind](values))
    assert got.value == pytest.approx(expected.value, abs=1e-7)
    assert got.interval == pytest.approx(expected.interval, abs=1e-6)


def test_scores_take_bool_labels_and_bfloat16_scores():
    expected = metrics.auc_score(LABELS, SCORES)
    coarse = torch.tensor(SCORES, dtype=torch.bfloat16)  # NumPy has no such type
    assert metrics.auc_score(np.array(LABELS, dtype=bool), coarse).value == expected.value
    assert metrics.f1_score(np.array(LABELS) == 1, np.array(CALLED) == 1) == metrics.f1_score(LABELS, CALLED)


@every_score
def test_patients_may_be_texts_or_numbers(score, values):
    texts = ["ann", "ann", "bob", "bob", "cem", "cem"]
    by_text = score(LABELS, values, patients=texts)
    assert by_text == score(LABELS, values, patients=pd.Series(texts))
    by_number = score(LABELS, values, patients=torch.tensor([7, 7, 1, 1, 2, 2]))
    assert by_number.interval == pytest.approx(by_text.interval, abs=1e-12)
    assert by_text.num_patients <= 3


@every_score
def test_lengths_that_differ_are_refused(score, values):
    with pytest.raises(ValueError, match="lengths differ: 5 labels, 6 "):
        score(LABELS[:5], values)
    with pytest.raises(ValueError, match="lengths differ: 2 patients for 6 cases"):
        score(LABELS, values, patients=[1, 2])


@every_score
def test_no_cases_are_refused(score, values):
    with pytest.raises(ValueError, match=r"no cases: labels and .* are empty"):
        score([], values[:0])


@every_score
def test_nan_is_refused_and_its_place_is_named(score, values):
    with pytest.raises(ValueError, match="hold NaN in 1 of 6 cases, the first at position 2"):
        score(LABELS, [*values[:2], float("nan"), *values[3:]])
    with pytest.raises(ValueError, match="labels hold NaN in 1 of 6 cases, the first at position 0"):
        score([float("nan"), *LABELS[1:]], values)


@every_score
def test_labels_that_are_not_0_or_1_are_refused(score, values):
    with pytest.raises(ValueError, match=r"labels must be 0 or 1 .* got 1, 2. Say which one is diseased: labels == 2"):
        score([1, 2, 1, 2, 2, 1], values)
    with pytest.raises(ValueError, match=r"got 0, 1, 2. For one class against the rest: labels == 2"):
        score([0, 1, 2, 1, 1, 0], values)
    with pytest.raises(ValueError, match="labels must be numbers"):
        score(["well", "ill", "well", "ill", "ill", "well"], values)


@every_score
def test_tables_are_refused(score, values):
    with pytest.raises(ValueError, match=r"must have one dimension, got shape \(6, 1\)"):
        score(LABELS, np.array(values)[:, None])
    with pytest.raises(ValueError, match=r"labels must have one dimension, got shape \(1, 6\)"):
        score([LABELS], values)


@every_score
@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan")])
def test_level_outside_0_to_1_is_refused(score, values, level):
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        score(LABELS, values, level=level)


@every_score
def test_unknown_method_is_refused(score, values):
    with pytest.raises(ValueError, match=r"method must be one of .*, got 'magic'"):
        score(LABELS, values, method="magic")


@pytest.mark.parametrize("score", OF_PREDICTIONS)
def test_scores_in_place_of_predictions_are_refused(score):
    with pytest.raises(ValueError, match=r"predictions must be 0 or 1 .* Choose a threshold first"):
        score(LABELS, SCORES)


@pytest.mark.parametrize("score", OF_PROBABILITIES)
def test_logits_in_place_of_probabilities_are_refused(score):
    with pytest.raises(ValueError, match=r"probabilities must lie in 0 to 1, got -1 to 2. Logits become"):
        score(LABELS, [-1, 2, 0, 0, 1, 1])


@pytest.mark.parametrize("score", OF_SCORES)
def test_infinite_scores_are_refused(score):
    with pytest.raises(ValueError, match="scores hold 1 infinite value"):
        score(LABELS, [float("-inf"), *SCORES[1:]])


@pytest.mark.parametrize(
    ("patients", "message"),
    [
        ("aabbcc", "patients must be a sequence"),
        ([1, 1, 2, 2, None, 3], "patients miss an entry in 1 of 6 cases, the first at position 4"),
        ([1.0, 1.0, 2.0, 2.0, float("nan"), 3.0], "miss an entry in 1 of 6 cases, the first at position 4"),
        (["a", "a", "b", "", "c", "c"], "miss an entry in 1 of 6 cases, the first at position 3"),
        (["a", "a", "b", float("nan"), "c", "c"], "miss an entry in 1 of 6 cases, the first at position 3"),
        ([7, "7", 8, 8, 9, 9], "patients mix texts and numbers"),
        (pd.array([1, 1, None, 2, 2, 3], dtype="Int64"), "miss an entry in 1 of 6 cases, the first at position 2"),
        (np.array([[1, 1], [2, 2], [3, 3]]), "patients must have one dimension"),
    ],
)
def test_bad_patients_are_refused(patients, message):
    with pytest.raises(ValueError, match=message):
        metrics.auc_score(LABELS, SCORES, patients=patients)
