"""Wilson and Clopper-Pearson: hand arithmetic, published tables, and SciPy's beta distribution."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from medlearn.metrics import clopper_pearson_interval, sensitivity_score, wilson_interval
from medlearn.metrics.binomial import exact_of_effective, wilson_of_effective

untimed = settings(deadline=None, max_examples=60)  # a timing is never a test


def test_wilson_interval_of_seven_in_ten():
    # p = 0.7, z = 1.96: centre (0.7 + 3.8416/20) / (1 + 3.8416/10) = 0.6445,
    # half-width 1.96 * sqrt(0.7*0.3/10 + 3.8416/400) / 1.38416 = 0.2477
    low, high = wilson_interval(7, 10)
    assert (round(low, 3), round(high, 3)) == (0.397, 0.892)


@pytest.mark.parametrize(
    ("successes", "n", "wilson", "exact"),
    [  # Newcombe (1998), table I, methods 3 and 5
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_intervals_agree_with_newcombe(successes, n, wilson, exact):
    assert wilson_interval(successes, n) == pytest.approx(wilson, abs=5.1e-5)
    assert clopper_pearson_interval(successes, n) == pytest.approx(exact, abs=5.1e-5)


def test_clopper_pearson_of_none_and_all():
    # 0 of n: the upper end solves (1 - p)^n = 0.025
    assert clopper_pearson_interval(0, 20) == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)), abs=1e-12)
    assert clopper_pearson_interval(20, 20) == pytest.approx((0.025 ** (1 / 20), 1.0), abs=1e-12)


@untimed
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_effective_forms_agree_for_whole_numbers(counts, level):
    successes, n = counts
    quantile = stats.norm.ppf((1 + level) / 2)
    assert wilson_of_effective(successes / n, n, quantile) == pytest.approx(wilson_interval(*counts, level), abs=1e-9)
    assert exact_of_effective(successes / n, n, level) == pytest.approx(
        clopper_pearson_interval(*counts, level), abs=1e-7
    )


@untimed
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_hold_the_share_and_mirror(counts):
    successes, n = counts
    for interval in (wilson_interval, clopper_pearson_interval):
        low, high = interval(successes, n)
        assert 0 <= low <= successes / n <= high <= 1 and low < high
        assert interval(n - successes, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)
        wider = interval(successes, n, 0.99)
        assert wider.low <= low and high <= wider.high


@pytest.mark.parametrize("interval", [wilson_interval, clopper_pearson_interval])
def test_impossible_counts_are_refused(interval):
    with pytest.raises(ValueError, match="n must be a whole number of cases, 1 or more, got 0"):
        interval(0, 0)
    with pytest.raises(ValueError, match="successes must be a whole number from 0 to n = 5, got 6"):
        interval(6, 5)
    with pytest.raises(ValueError, match=r"successes must be a whole number from 0 to n = 5, got 0.5"):
        interval(0.5, 5)
    with pytest.raises(ValueError, match="level must lie between 0 and 1, got 95"):
        interval(3, 5, 95)


def test_sensitivity_of_single_cases_is_a_plain_binomial():
    labels, predictions = [1] * 263 + [0] * 9, [1] * 81 + [0] * 191
    assert sensitivity_score(labels, predictions).interval == wilson_interval(81, 263)
    exact = sensitivity_score(labels, predictions, method="clopper_pearson")
    assert exact.interval == clopper_pearson_interval(81, 263)


def test_clustered_proportion_by_hand():
    # Four patients with 3, 2, 1, 0 of 3 right: share 6/12. Residuals 1.5, 0.5, -0.5, -1.5, squares add up to 5.
    # Variance 4/3 * 5 / 144 = 0.046296; effective number 0.25 / 0.046296 = 5.4.
    labels, patients = [1] * 12, [i for i in range(4) for _ in range(3)]
    predictions = [1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0]
    got = sensitivity_score(labels, predictions, patients=patients)
    assert got.interval == pytest.approx(wilson_of_effective(0.5, 5.4, stats.t.ppf(0.975, 3)), abs=1e-12)
    assert got.method == "wilson, 12 cases count as 5.4"


def test_patients_who_agree_with_themselves_count_once():
    # Each patient's three images are alike: 12 images are worth about four.
    labels, patients = [1] * 12, [i for i in range(4) for _ in range(3)]
    got = sensitivity_score(labels, [1] * 9 + [0] * 3, patients=patients)
    assert "12 cases count as 3.0" in got.method  # 4 - 1: the share itself is estimated
    everyone = sensitivity_score(labels, [1] * 12, patients=patients)
    assert "12 cases count as 4.0" in everyone.method and everyone.low < 0.6
