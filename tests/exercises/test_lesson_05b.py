"""Lesson 05b's exercises: the solutions against SciPy and brute force, the reports."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from medlearn.exercises import lesson_05b as ex

FLAWS = [f"flaw_{number}" for number in range(1, 7)]
LESSON = Path(__file__).parents[2] / "course" / "lessons" / "05b_honest_evaluation.py"


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


@pytest.mark.parametrize(("successes", "n"), [(0, 8), (7, 10), (23, 25), (40, 40), (311, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_equals_scipy(successes, n, level):
    expected = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    limits = solution(ex.wilson)(successes, n, stats.norm.ppf((1 + level) / 2))
    np.testing.assert_allclose(limits, (expected.low, expected.high), atol=1e-12)


@pytest.mark.parametrize("kind", [tuple, list, np.array])
def test_wilson_may_come_from_the_roots_of_a_polynomial(kind):
    def mine(k, n, z):
        return kind(sorted(np.roots([1 + z**2 / n, -2 * k / n - z**2 / n, (k / n) ** 2]).real))

    assert ex.wilson.evaluate(mine).state == "right"


def test_wilson_of_seven_in_ten():
    # centre (0.7 + 3.8416/20) / 1.38416 = 0.6445, half-width 1.96 sqrt(0.021 + 3.8416/400) / 1.38416 = 0.2477
    low, high = solution(ex.wilson)(7, 10, 1.96)
    assert (round(low, 3), round(high, 3)) == (0.397, 0.892)


@pytest.mark.parametrize(("n", "level"), [(1, 0.5), (10, 0.95), (300, 0.99)])
def test_upper_limit_equals_the_root_of_the_binomial(n, level):
    expected = optimize.brentq(lambda p: stats.binom.pmf(0, n, p) - (1 - level), 1e-12, 1 - 1e-12)
    assert solution(ex.upper_limit)(n, level) == pytest.approx(expected, abs=1e-9)


def test_effective_images_by_hand():
    # 600 / (1 + 19 * 0.3) = 600 / 6.7 = 89.55
    assert solution(ex.effective_images)() == pytest.approx(89.55, abs=0.005)


def test_effective_images_equals_the_variance_of_simulated_means(rng):
    # beta-binomial with p = 1/2 and ICC 0.3 = 1 / (a + b + 1): a = b = 7/6. Variance of the mean of 600 images:
    chances = rng.beta(7 / 6, 7 / 6, size=(20000, 30))
    variance = (rng.binomial(20, chances).sum(axis=1) / 600).var()
    assert 0.25 / variance == pytest.approx(solution(ex.effective_images)(), rel=0.04)  # 4 standard errors of 1 %


def test_resampled_items_by_hand():
    # patient 2 has items 3, 4, 5 and is drawn twice, patient 0 has items 0 and 1
    items = solution(ex.resampled_items)(np.array([0, 0, 1, 2, 2, 2]), np.array([2, 0, 2]))
    assert sorted(items.tolist()) == [0, 1, 3, 3, 4, 4, 5, 5]


def test_resampled_items_may_come_in_any_order_and_as_a_list():
    mine = lambda patients, drawn: sorted(i for d in drawn for i in range(len(patients)) if patients[i] == d)  # noqa: E731
    assert ex.resampled_items.evaluate(mine).state == "right"


@pytest.mark.parametrize("odd", [1.5, None, "items", [[1], [2, 3]], np.zeros((2, 2)), [0.5, 1.5]])
def test_resampled_items_of_an_odd_type_are_wrong(odd):
    assert ex.resampled_items.evaluate(lambda patients, drawn: odd).state == "wrong"


def test_delong_se_equals_the_sum_over_pairs_of_pairs(rng):
    ill, healthy = rng.integers(3, 9, size=7).astype(float), rng.integers(0, 6, size=11).astype(float)
    psi = np.array([[(x > y) + (x == y) / 2 for y in healthy] for x in ill])
    # the unbiased variance of the mean of V_i is the mean over pairs i < k of (V_i - V_k)² / 2, over the number
    halves = [
        np.mean([(a - b) ** 2 / 2 for a, b in itertools.combinations(psi.mean(axis=axis), 2)]) / size
        for axis, size in ((1, 7), (0, 11))
    ]
    assert solution(ex.delong_se)(ill, healthy) == pytest.approx(np.sqrt(sum(halves)), abs=1e-14)


def test_delong_se_is_the_spread_of_the_auc_over_studies(rng):
    ill, healthy = rng.normal(1.2, 1, size=(4000, 20)), rng.normal(size=(4000, 40))
    aucs = (ill[:, :, np.newaxis] > healthy[:, np.newaxis]).mean(axis=(1, 2))
    errors = [solution(ex.delong_se)(x, y) for x, y in zip(ill[:1000], healthy[:1000], strict=True)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(aucs.std(), rel=0.06)


@pytest.mark.parametrize("counts", [(2, 11, 60, 7), (5, 5, 3, 0), (0, 1, 9, 4), (30, 12, 100, 8)])
def test_mcnemar_equals_the_sum_of_binomial_coefficients(counts):
    a_right, b_right = ex._right_or_not(*counts)
    k, n = min(counts[:2]), sum(counts[:2])
    tail = sum(np.prod([(n - j) / (j + 1) for j in range(i)]) for i in range(k + 1)) / 2**n
    assert solution(ex.mcnemar)(a_right, b_right) == pytest.approx(min(1, 2 * tail), rel=1e-9)


def test_patients_needed_by_hand():
    # 3.8416 * 0.9 * 0.1 / 0.0025 = 138.2976 ill; at a prevalence of 0.1: 1382.976, so 1383
    assert solution(ex.patients_needed)(0.9, 0.05, 0.1) == 1383


@pytest.mark.parametrize("name", FLAWS)
@pytest.mark.parametrize("spelling", ["{}", " {} ", "({})", "{}.", '"{}"'])
def test_a_letter_may_be_written_as_people_do(name, spelling):
    exercise = getattr(ex, name)
    letter = solution(exercise)()
    for form in (letter, letter.lower()):
        assert exercise.evaluate(spelling.format(form)).state == "right"


def test_the_right_letters_differ():
    assert len({solution(getattr(ex, name))() for name in FLAWS}) >= 4


@pytest.fixture(scope="module")
def reports():
    """Return the six reports of the lesson: the quoted text and its options."""
    prose = "\n".join(line.removeprefix("#").strip() for line in LESSON.read_text(encoding="utf-8").splitlines())
    parts = re.split(r"^### Exercise(?: \(further\))?: report (\d)", prose, flags=re.MULTILINE)[1:]
    assert parts[::2] == list("123456")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_each_report_is_60_to_120_words_and_says_that_it_is_fictitious(reports):
    for number, text in reports.items():
        quoted = [line for line in text.splitlines() if line.startswith(">")]
        words = sum(len(line.removeprefix(">").split()) for line in quoted)
        assert 60 <= words <= 120, f"report {number} has {words} words"
        assert "fictitious" in text.lower().split(">")[0]


@pytest.mark.parametrize("name", FLAWS)
def test_every_option_of_a_report_is_the_flaw_or_has_its_reason(name, reports):
    exercise = getattr(ex, name)
    offered = re.findall(r"^- \*\*([A-Z])\*\*", reports[name[-1]], flags=re.MULTILINE)
    answered = [mistake() for mistake, _ in exercise.mistakes]
    assert sorted([*answered, solution(exercise)()]) == offered == list("ABCDE")
    assert ex.flaw_1.evaluate("F").state == "wrong"


@pytest.mark.parametrize(("number", "successes", "n"), [("1", 476, 480), ("2", 28, 30)])
def test_the_intervals_of_the_reports_are_wilsons(number, successes, n, reports):
    low, high = solution(ex.wilson)(successes, n, 1.96)
    digits = 3 if n > 100 else 2
    assert f"{successes / n:.{digits}f}" in reports[number]
    assert f"CI {low:.{digits}f} to {high:.{digits}f}" in " ".join(reports[number].replace(">", "").split())


@pytest.fixture
def rng():
    return np.random.default_rng(5)
