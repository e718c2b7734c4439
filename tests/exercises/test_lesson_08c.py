"""Lesson 08c's exercises: the solutions against the library, scikit-learn, simulation and hand arithmetic."""

import numpy as np
import pytest

from medlearn.data import class_labels, split_by_patient
from medlearn.data.ecg_classes import AAMI5
from medlearn.exercises import lesson_08c as ex
from medlearn.metrics import classification_report


@pytest.fixture
def rng():
    return np.random.default_rng(83)


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def test_aami_classes_are_those_of_the_library():
    symbols = [symbol for group in AAMI5.values() for symbol in group]
    names = list(AAMI5)
    expected = [names[k] for k in class_labels(symbols)]
    assert solution(ex.aami_classes)([*symbols[:7], "+", *symbols[7:], "~"]) == expected


@pytest.mark.parametrize("kind", [tuple, np.array, "".join])
def test_aami_classes_may_come_in_any_sequence(kind):
    assert ex.aami_classes.evaluate(lambda symbols: kind(solution(ex.aami_classes)(symbols))).state == "right"


def test_macro_f1_equals_the_reports_macro_average(rng):
    labels, calls = rng.integers(0, 4, size=300), rng.integers(0, 4, size=300)
    confusion = np.zeros((4, 4), dtype=int)
    np.add.at(confusion, (labels, calls), 1)
    expected = classification_report(labels, calls)["macro average"].f1.value
    assert solution(ex.macro_f1)(confusion) == pytest.approx(expected)


def test_macro_f1_equals_scikit_learns(rng):
    sklearn = pytest.importorskip("sklearn.metrics")
    labels, calls = rng.integers(0, 3, size=200), rng.integers(0, 3, size=200)
    confusion = sklearn.confusion_matrix(labels, calls)
    assert solution(ex.macro_f1)(confusion) == pytest.approx(sklearn.f1_score(labels, calls, average="macro"))


def test_macro_f1_by_hand():
    # class 0: 8 hits, row 10, column 9: 16 / 19; class 1: 1 hit, row 2, column 3: 2 / 5
    assert solution(ex.macro_f1)(np.array([[8, 2], [1, 1]])) == pytest.approx((16 / 19 + 2 / 5) / 2)


@pytest.mark.parametrize(
    ("before_s", "usual_s", "width_s", "expected"),
    [
        (1.0, 1.0, 0.2, "N"),
        (0.84, 1.0, 0.0999, "S"),
        (0.84, 1.0, 0.1, "V"),
        (0.85, 1.0, 0.1, "N"),
        (1.0, 1.25, 0.1, "V"),  # 80 % of a slow heart's interval
        (0.42, 0.5, 0.1, "V"),  # 84 %, though 0.08 s only
    ],
)
def test_rr_rule_at_its_borders(before_s, usual_s, width_s, expected):
    assert solution(ex.rr_rule)(before_s, usual_s, width_s) == expected


def test_rr_rule_may_be_written_as_a_share_too_early():
    # 1 - 0.85 is a little more than 0.15 in floating point: the case on the border must not punish this style
    def mine(before_s, usual_s, width_s):
        return "N" if not 1 - before_s / usual_s > 0.15 else "V" if width_s >= 0.1 else "S"

    assert ex.rr_rule.evaluate(mine).state == "right"


def test_patient_folds_keep_patients_whole_and_folds_even(rng):
    patients = rng.choice([f"p{k:02d}" for k in range(22)], size=500)
    folds = solution(ex.patient_folds)(patients, 5)
    of_patient = {name: set(folds[patients == name]) for name in np.unique(patients)}
    assert all(len(found) == 1 for found in of_patient.values())
    sizes = np.bincount([found.pop() for found in of_patient.values()])
    assert sizes.tolist() == [5, 5, 4, 4, 4]  # 22 = 5 + 5 + 4 + 4 + 4


def test_patient_folds_do_not_depend_on_the_order_of_the_beats():
    # sorted: a, b, c are 0, 1, 2; in two folds 0, 1, 0
    assert solution(ex.patient_folds)(np.array(["c", "b", "a", "c"]), 2).tolist() == [0, 1, 0, 0]
    assert solution(ex.patient_folds)(np.array(["b", "c", "a"]), 2).tolist() == [1, 0, 0]


def test_patient_folds_pass_the_guard(rng):
    from medlearn.data import assert_no_patient_overlap

    patients = rng.choice(list("abcdefgh"), size=60)
    folds = solution(ex.patient_folds)(patients, 3)
    assert_no_patient_overlap(*(patients[folds == fold] for fold in range(3)))


def test_a_split_by_the_library_is_no_answer_to_patient_folds():
    # another rule is another answer: the folds are fixed, so that everyone has the same
    def mine(patients, num_folds):
        folds = np.empty(len(patients), dtype=int)
        for fold, index in enumerate(split_by_patient(patients, fractions=(1 / num_folds,) * num_folds)):
            folds[index] = fold
        return folds

    assert ex.patient_folds.evaluate(mine).state == "wrong"


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
def test_adjusted_calls_are_those_of_divided_probabilities(rng, tau):
    logits, counts = rng.normal(size=(200, 4)) * 2, np.array([800, 40, 130, 30])
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.argmax(p / (counts / 1000) ** tau, axis=1)
    np.testing.assert_array_equal(solution(ex.adjusted_calls)(logits, counts, tau), expected)


def test_adjusted_calls_have_the_best_mean_sensitivity(rng):
    # two normal classes of 95 % and 5 %: true logits -(x - mean)^2 / 2 + log share. With tau = 1 the border is where
    # the densities cross, at 1; the mean sensitivity there is the best of all tau
    shares, labels = np.array([0.95, 0.05]), np.repeat([0, 1], [95_000, 5_000])
    x = rng.normal(2.0 * labels, 1)
    logits = -((x[:, None] - np.array([0.0, 2.0])) ** 2) / 2 + np.log(shares)

    def mean_sensitivity(tau):
        calls = solution(ex.adjusted_calls)(logits, shares * 100_000, tau)
        return np.mean([np.mean(calls[labels == k] == k) for k in (0, 1)])

    found = [mean_sensitivity(tau) for tau in (0.0, 0.5, 1.0, 1.5, 2.0)]
    assert int(np.argmax(found)) == 2
    assert found[2] == pytest.approx(0.8413, abs=0.01)  # the normal distribution function at 1


def test_sampling_weights_draw_every_class_equally_often(rng):
    labels = rng.permutation(np.repeat([0, 1, 2, 3], [900, 25, 70, 5]))
    weights = solution(ex.sampling_weights)(labels)
    drawn = labels[rng.choice(len(labels), size=40_000, p=weights)]
    # a share of 1/4 of 40,000 draws has a standard error of 0.0022; six of them are 0.013
    np.testing.assert_allclose(np.bincount(drawn) / 40_000, 0.25, atol=0.013)


def test_sampling_weights_by_hand():
    np.testing.assert_allclose(solution(ex.sampling_weights)(np.array([0, 0, 0, 1])), [1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_aami_scores_by_hand():
    # S row: 2 + 6 + 1 + 1 + 0 = 10. S column N, S, V, F: 3 + 6 + 1 + 2 = 12. V row: 1 + 1 + 8 + 4 + 2 = 16.
    # V column N, S, V: 1 + 1 + 8 = 10
    confusion = np.array([[90, 3, 1, 0, 0], [2, 6, 1, 1, 0], [1, 1, 8, 4, 2], [0, 2, 50, 1, 0], [0, 70, 60, 0, 1]])
    assert solution(ex.aami_scores)(confusion) == pytest.approx((0.6, 0.5, 0.5, 0.8))


def test_aami_scores_without_fusion_and_unclassifiable_are_the_reports(rng):
    labels, calls = rng.integers(0, 3, size=400), rng.integers(0, 3, size=400)
    confusion = np.zeros((5, 5), dtype=int)
    np.add.at(confusion, (labels, calls), 1)
    report = classification_report(labels, calls, class_names=["N", "S", "V"])
    expected = [e.value for name in ("S", "V") for e in report[name].cells[:2]]
    assert solution(ex.aami_scores)(confusion) == pytest.approx(expected)


def test_aami_scores_may_come_as_a_list():
    assert ex.aami_scores.evaluate(lambda confusion: list(solution(ex.aami_scores)(confusion))).state == "right"


def test_alarms_per_hour_by_hand():
    # two of the three normal beats are called something else, in 0.5 + 3.5 hours
    labels, calls = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 2, 1, 0])
    assert solution(ex.alarms_per_hour)(labels, calls, {"ann": 0.5, "bob": 3.5}) == pytest.approx(0.5)
