"""Lesson 07b's exercises: the solutions against brute force and the library."""

import itertools

import numpy as np
import pytest
from scipy import stats

from medlearn import metrics
from medlearn.exercises import lesson_07b as ex


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def test_label_marks_by_hand():
    # one nodule of 10 mm at the origin: 3 mm away is a hit, so is 4 mm (lower score), 5 mm is at the radius and is not
    nodules, marks = np.zeros((1, 3)), np.array([[4.0, 0, 0], [0, 0, 3], [0, 5, 0]])
    kinds = solution(ex.label_marks)(nodules, np.array([10.0]), marks, np.array([0.6, 0.9, 0.7]))
    assert kinds == ["duplicate", "true", "false"]


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_label_marks_may_come_as_any_row_of_words(kind):
    assert ex.label_marks.evaluate(lambda *scan: kind(solution(ex.label_marks)(*scan))).state == "right"


def test_label_marks_equals_the_library(rng):
    for _ in range(20):
        nodules = rng.uniform(0, 1000, size=(rng.integers(0, 5), 3))
        diameters = rng.uniform(4, 20, size=len(nodules))
        near = np.repeat(nodules, 3, axis=0) + rng.normal(0, 5, size=(3 * len(nodules), 3))
        marks = np.vstack([near, rng.uniform(0, 1000, size=(4, 3))])
        scores = rng.permutation(len(marks)) / len(marks)
        library = metrics.match_detections(nodules, diameters, marks, scores)
        assert solution(ex.label_marks)(nodules, diameters, marks, scores) == library.kinds.tolist()


def test_froc_point_by_hand():
    # at 0.6 the two scans show true, false, true and false, ignored: 2 false in 2 scans, 2 of 3 nodules
    assert solution(ex.froc_point)(ex._toy_scans(), 0.6) == pytest.approx((1.0, 2 / 3))
    assert solution(ex.froc_point)(ex._toy_scans(), 0.95) == (0, 0)


def test_resampled_sensitivity_by_hand():
    # 1 of 1, then 4 of 8 twice: 9 of 17; the mean of the shares would be 2/3
    found, nodules = np.array([1, 4, 0]), np.array([1, 8, 1])
    assert solution(ex.resampled_sensitivity)(found, nodules, np.array([0, 1, 1])) == pytest.approx(9 / 17)


def test_specificity_needed_by_hand():
    # 97 places without a nodule, 4 of them marked: 1 - 4/97
    assert solution(ex.specificity_needed)(100, 3, 4) == pytest.approx(0.958763, abs=1e-6)


@pytest.mark.parametrize("least", [1, 2, 3])
def test_reader_sensitivity_equals_leaving_out_each_reader(least, rng):
    # brute force: every set of r of the four readers is as likely as any other, and each reader is left out in turn
    marked_by = rng.integers(1, 5, size=9)
    found = asked = 0.0
    for r in marked_by:
        sets = list(itertools.combinations(range(4), r))
        for marks, reader in itertools.product(sets, range(4)):
            if len(set(marks) - {reader}) >= least:
                asked += 1 / len(sets) / 4
                found += (reader in marks) / len(sets) / 4
    assert solution(ex.reader_sensitivity)(marked_by, least) == pytest.approx(found / asked)


def test_positive_agreement_equals_dice_over_all_pairs(rng):
    # four readers' marks as columns: the mean over pairs of 2 both / (first + second), weighted by the marks
    marks = rng.random((50, 4)) < 0.6
    marks = marks[marks.any(axis=1)]
    pairs = list(itertools.combinations(range(4), 2))
    both = sum(np.sum(marks[:, a] & marks[:, b]) for a, b in pairs)
    sizes = sum(marks[:, a].sum() + marks[:, b].sum() for a, b in pairs)
    assert solution(ex.positive_agreement)(marks.sum(axis=1)) == pytest.approx(2 * both / sizes)


@pytest.mark.parametrize("rate", [0.125, 1.0, 8.0])
def test_marked_people_equals_the_poisson_distribution(rate):
    right, wrong = solution(ex.marked_people)(400, 0.02, 0.9, rate)
    assert right == pytest.approx(400 * 0.02 * 0.9)
    assert wrong == pytest.approx(392 * stats.poisson(rate).sf(0))
