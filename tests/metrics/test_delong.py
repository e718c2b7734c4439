"""DeLong's interval: published examples, the definition pair by pair, and the cases where the variance is 0."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlearn.metrics import auc_score, delong_interval
from medlearn.metrics.checks import check_cases
from medlearn.metrics.delong import place

untimed = settings(deadline=None, max_examples=60)  # a timing is never a test

# Ratings of 109 CT images, definitely normal to definitely abnormal: Hanley and McNeil (1982),
# doi:10.1148/radiology.143.1.7063747
CT = ([33, 6, 6, 11, 2], [3, 2, 2, 11, 33])
# World Federation of Neurological Surgeons grade of 113 patients with good and poor outcome: Turck et al. (2010),
# doi:10.1007/s00134-009-1641-y, the example of R's pROC (doi:10.1186/1471-2105-12-77)
SUBARACHNOID = ([37, 20, 3, 8, 4], [2, 12, 1, 8, 18])


def unfold(table):
    """Return labels and ratings of a table of counts."""
    negative, positive = table
    labels = np.repeat([0] * len(negative) + [1] * len(positive), [*negative, *positive])
    return labels, np.repeat([*range(len(negative)), *range(len(positive))], [*negative, *positive])


def pair_by_pair(labels, scores):
    """Return DeLong's AUC and variance from all pairs, as the definition has it."""
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    positive, negative = scores[labels == 1][:, None], scores[labels == 0][None, :]
    wins = (positive > negative) + 0.5 * (positive == negative)
    rows, columns = wins.mean(axis=1), wins.mean(axis=0)
    return wins.mean(), rows.var(ddof=1) / len(rows) + columns.var(ddof=1) / len(columns)


def test_delong_agrees_with_statas_example():
    # Stata's manual, roctab: ROC area 0.8932, 95 % 0.83295 to 0.95339 on these ratings
    got = auc_score(*unfold(CT), method="delong")
    assert got.value == pytest.approx(0.8932, abs=5e-5)  # Hanley and McNeil print 0.893
    assert got.interval == pytest.approx((0.83295, 0.95339), abs=5e-6)


def test_delong_agrees_with_procs_example():
    # pROC prints for the grade: area 0.8237, 95 % CI 0.7485-0.8988 (DeLong)
    got = auc_score(*unfold(SUBARACHNOID), method="delong")
    assert got.value == pytest.approx(0.8237, abs=5e-5)
    assert got.interval == pytest.approx((0.7485, 0.8988), abs=5e-5)
    assert delong_interval(*unfold(SUBARACHNOID)) == got.interval


def test_delong_by_hand():
    # Positives 4 6 7 8, negatives 1 2 3 5: 15 of 16 pairs in order. Placements 3/4 1 1 1 and 1 1 1 3/4, each of
    # variance 1/64; standard error sqrt(2 / 64 / 4) = 0.08839; 0.9375 - 1.96 * 0.08839 = 0.7643.
    low, high = delong_interval([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 5, 4, 6, 7, 8])
    assert (round(low, 4), high) == (0.7643, 1.0)


few_levels = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=4, max_size=60)


@untimed
@given(few_levels)
def test_delong_agrees_with_the_definition_with_ties(cases):
    labels, scores = np.array([c[0] for c in cases], dtype=int), [c[1] for c in cases]
    if not 2 <= labels.sum() <= len(labels) - 2:
        return
    auc, variance = pair_by_pair(labels, scores)
    placed = place(check_cases(labels, scores, None, kind="scores"))
    assert placed.auc == pytest.approx(auc, abs=1e-12)
    assert np.sum(placed.influence**2) == pytest.approx(variance, abs=1e-12)


def test_clustered_variance_agrees_with_obuchowski():
    # Her formula, sum by sum: doi:10.2307/2533958
    rng = np.random.default_rng(4)
    patients = np.repeat(np.arange(12), rng.integers(1, 6, 12))
    labels = rng.integers(0, 2, len(patients))
    scores = np.round(labels + rng.standard_normal(12)[patients] + rng.standard_normal(len(patients)), 1)
    positive, negative = scores[labels == 1], scores[labels == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    auc, m, n = wins.mean(), len(positive), len(negative)
    x, y = np.zeros(12), np.zeros(12)
    np.add.at(x, patients[labels == 1], wins.mean(axis=1) - auc)
    np.add.at(y, patients[labels == 0], wins.mean(axis=0) - auc)
    i10, i01, both = len(set(patients[labels == 1])), len(set(patients[labels == 0])), 12
    s10, s01 = i10 / ((i10 - 1) * m) * np.sum(x**2), i01 / ((i01 - 1) * n) * np.sum(y**2)
    s11 = both / (both - 1) * np.sum(x * y)
    expected = s10 / m + s01 / n + 2 * s11 / (m * n)
    placed = place(check_cases(labels, scores, patients, kind="scores"))
    # Ours scales the product by the root of both corrections, hers by that of the patients in all: a per cent or two.
    assert np.sum(placed.influence**2) == pytest.approx(expected, rel=0.02)


def test_one_image_a_patient_equals_no_patients():
    labels, scores = unfold(CT)
    names = [f"patient {i}" for i in range(len(labels))]
    assert delong_interval(labels, scores, patients=names) == pytest.approx(delong_interval(labels, scores), abs=1e-12)


def test_a_perfect_order_gets_an_exact_bound():
    # Ten pairs that share no case are all in order: at 95 %, low^10 = 0.025.
    labels, scores = [0] * 10 + [1] * 30, range(40)
    for method in ("delong", "logit", "percentile", "bca"):
        got = auc_score(labels, scores, method=method)
        assert got.value == 1 and got.interval == pytest.approx((0.025**0.1, 1.0), abs=1e-12)
        assert "exact" in got.method
    reversed_order = auc_score(labels, [-score for score in scores])
    assert reversed_order.value == 0 and reversed_order.interval == pytest.approx((0.0, 1 - 0.025**0.1), abs=1e-12)


def test_a_perfect_order_of_few_patients_is_worth_few_pairs():
    # Six patients with both labels: three pairs at most share no patient.
    labels, scores = [0, 0, 1, 1] * 6, [0, 1, 2, 3] * 6
    got = auc_score(labels, scores, patients=[i // 4 for i in range(24)])
    assert got.value == 1 and got.low == pytest.approx(0.025 ** (1 / 3), abs=1e-12)


def test_one_positive_case_has_a_wide_interval():
    got = auc_score([1] + [0] * 50, [45.5, *range(50)])
    assert got.value == pytest.approx(0.92)
    assert got.low < 0.05 and got.high > 0.99  # one patient says little
    assert "exact" in got.method


def test_scores_a_hair_apart_are_not_ties():
    # pROC's issue 25: neighbouring doubles; midpoints between them made other tools disagree with themselves
    scores = [0.653549466997938477419, 0.653549466997938588442, 0.653549466997938699464]
    assert auc_score([0, 1, 0], scores).value == 0.5
    assert auc_score([0, 1, 1], scores).value == 1.0


def test_a_hundred_thousand_pairs_by_a_hundred_thousand_do_not_overflow():
    # pROC's issue 19: 32-bit counts of pairs gave areas above 1
    rng = np.random.default_rng(0)
    labels = rng.random(200_000) < 0.5
    got = auc_score(labels, rng.standard_normal(200_000) + labels, method="delong")
    assert got.low < 0.76025 < got.high  # the normal distribution function at 1 / sqrt(2)
    assert 0.0039 < got.high - got.low < 0.0043


def test_memory_grows_with_the_cases_not_with_the_pairs():
    peaks = []
    for size in (50_000, 100_000):
        labels = np.arange(size) % 3 == 0
        scores = np.random.default_rng(0).standard_normal(size)
        tracemalloc.start()
        auc_score(labels, scores, patients=np.arange(size) // 4)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # All pairs would be 4 * 2.2 billion; a few arrays of 100,000 numbers are some 30 MB.
    assert peaks[1] < 2.3 * peaks[0] and peaks[1] < 60e6


@untimed
@given(few_levels, st.sampled_from(["logit", "delong"]))
def test_auc_interval_properties(cases, method):
    labels, scores = np.array([c[0] for c in cases], dtype=int), np.array([c[1] for c in cases], dtype=float)
    if not np.ptp(labels):
        return
    patients = np.arange(len(labels)) // 2
    got = auc_score(labels, scores, patients=patients, method=method)
    assert 0 <= got.low <= got.value <= got.high <= 1
    stretched = auc_score(labels, np.exp(scores / 3) - 5, patients=patients, method=method)
    assert stretched.interval == pytest.approx(got.interval, abs=1e-9)
    swapped = auc_score(1 - labels, scores, patients=patients, method=method)
    assert (swapped.low, swapped.high) == pytest.approx((1 - got.high, 1 - got.low), abs=1e-9)
    wider = auc_score(labels, scores, patients=patients, method=method, level=0.99)
    assert wider.low <= got.low and got.high <= wider.high


def test_undefined_and_single_patient():
    assert np.isnan(delong_interval([1, 1], [0.2, 0.3])).all()
    assert auc_score([1, 1], [0.2, 0.3]).reason == "one class: all labels are 1"
    lone = auc_score([0, 1, 1], [0.1, 0.2, 0.3], patients=["ann"] * 3)
    assert lone.value == 1 and np.isnan(lone.low) and "one patient" in lone.reason
    assert np.isnan(delong_interval([0, 1, 1], [0.1, 0.2, 0.3], patients=["ann"] * 3)).all()
