import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from medlearn import metrics
from medlearn.metrics import match_r_peaks


def best_by_assignment(reference, detected, tolerance):
    """Return the number of pairs and the summed error of the best pairing: the assignment problem, not in time."""
    distance = np.abs(np.subtract.outer(reference, detected))
    price = np.where(distance <= tolerance + 1e-9, distance - 1e3, 0.0)  # one more pair outweighs any error
    rows, columns = linear_sum_assignment(price)
    real = price[rows, columns] < 0
    return int(real.sum()), float(distance[rows, columns][real].sum())


def test_match_r_peaks_of_a_record_worked_by_hand():
    # beat 1.0 -> 1.02 (late by 0.02), 2.0 -> 1.95 (early by 0.05), 3.0 missed, 4.0 -> 4.15 (at the limit);
    # 2.5 has no beat within 0.15; 4.3 is 0.3 from 4.0.
    found = match_r_peaks([1.0, 2.0, 3.0, 4.0], [1.02, 1.95, 2.5, 4.15, 4.3])
    assert (found.num_true, found.num_missed, found.num_false) == (3, 1, 2)
    np.testing.assert_allclose(found.errors_s, [0.02, -0.05, 0.15])
    assert (found.missed_s.tolist(), found.false_s.tolist()) == ([3.0], [2.5, 4.3])
    assert repr(found) == "PeakMatches(num_true=3, num_missed=1, num_false=2)"


def test_match_r_peaks_counts_a_second_hit_on_a_beat_as_false():
    found = match_r_peaks([1.0], [0.9, 0.98, 1.1])
    assert (found.num_true, found.false_s.tolist()) == (1, [0.9, 1.1])
    np.testing.assert_allclose(found.errors_s, [-0.02])


def test_match_r_peaks_is_not_greedy():
    # In order of nearness 1.00 takes 1.06 and nothing is left for 1.10. Best: 1.00 - 0.90 and 1.10 - 1.06.
    np.testing.assert_allclose(match_r_peaks([1.00, 1.10], [0.90, 1.06]).errors_s, [-0.10, -0.04])
    # In order of time 1.00 takes 0.86 and 1.10 takes 1.00: two pairs with 0.24. Best: 1.00 - 1.00 and 1.10 - 1.12.
    np.testing.assert_allclose(match_r_peaks([1.00, 1.10], [0.86, 1.00, 1.12]).errors_s, [0, 0.02], atol=1e-12)


@pytest.mark.parametrize(("distance", "pairs"), [(0.1499, 1), (0.15, 1), (0.1501, 0)])
def test_match_r_peaks_at_the_edge_of_the_tolerance(distance, pairs):
    for start in (0.3, 1.0, 1234.5):  # whatever the rounding of the sum
        assert match_r_peaks([start], [start + distance]).num_true == pairs
        assert match_r_peaks([start + distance], [start]).num_true == pairs


times = st.lists(st.integers(0, 120), max_size=9).map(lambda values: np.sort(np.array(values, dtype=float)) / 60)


@given(times.filter(len), times, st.sampled_from([0.0, 0.05, 0.15, 0.4]))
@settings(max_examples=300, deadline=None)
def test_match_r_peaks_equals_the_assignment_problem(reference, detected, tolerance):
    found = match_r_peaks(reference, detected, tolerance_s=tolerance)
    pairs, error = best_by_assignment(reference, detected, tolerance)
    assert found.num_true == pairs
    assert np.abs(found.errors_s).sum() == pytest.approx(error, abs=1e-9)
    assert (found.num_missed, found.num_false) == (len(reference) - pairs, len(detected) - pairs)
    assert np.all(np.abs(found.errors_s) <= tolerance + 1e-9)


@given(times.filter(len), times)
@settings(max_examples=100, deadline=None)
def test_match_r_peaks_does_not_mind_who_is_the_reference(reference, detected):
    if not len(detected):
        return
    there, back = match_r_peaks(reference, detected), match_r_peaks(detected, reference)
    assert (there.num_true, there.num_missed, there.num_false) == (back.num_true, back.num_false, back.num_missed)
    assert np.abs(there.errors_s).sum() == pytest.approx(np.abs(back.errors_s).sum())


def test_match_r_peaks_equals_wfdb_where_nothing_crowds():
    processing = pytest.importorskip("wfdb.processing")
    rng = np.random.default_rng(5)
    beats = np.cumsum(rng.integers(200, 400, size=400))  # samples at 360 Hz: 0.56 s or more apart
    jittered = (beats + rng.integers(-80, 81, size=400))[rng.random(400) > 0.1]
    heard = np.unique(np.concatenate([jittered, rng.integers(0, beats[-1], size=40)]))
    oracle = processing.compare_annotations(beats, heard, 55)  # wfdb: strictly nearer than 55 samples
    found = match_r_peaks(beats / 360, heard / 360, tolerance_s=54.5 / 360)
    assert (found.num_true, found.num_missed, found.num_false) == (oracle.tp, oracle.fn, oracle.fp)


def test_match_r_peaks_skips_the_start_but_pairs_first():
    # From 10 s on: 10.0 keeps its detection at 9.95; 9.99 with 10.06 is a beat of the start, and 10.06 is no false one.
    beats, found_at = [5.0, 9.0, 10.0, 12.0], [5.4, 9.08, 9.95, 12.01, 13.0]
    found = match_r_peaks(beats, found_at, skip_s=10)
    np.testing.assert_allclose(found.errors_s, [-0.05, 0.01])
    assert (found.missed_s.tolist(), found.false_s.tolist()) == ([], [13.0])
    early = match_r_peaks([9.99, 12.0], [10.06, 12.0], skip_s=10)
    assert (early.num_true, early.num_missed, early.num_false) == (1, 0, 0)


def test_match_r_peaks_without_detections_misses_all():
    found = match_r_peaks([1.0, 2.0], [])
    assert (found.num_true, found.missed_s.tolist(), found.num_false) == (0, [1.0, 2.0], 0)


def test_match_r_peaks_of_a_long_record_with_many_false_detections():
    beats, heard = np.arange(2000) * 0.8, np.arange(32_000) * 0.05  # every 50 ms: each beat has one at its own time
    found = match_r_peaks(beats, heard)
    assert (found.num_true, found.num_false) == (2000, 30_000)
    np.testing.assert_allclose(found.errors_s, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (([1, np.nan], [1]), {}, "reference_s must be finite, got nan at position 1"),
        (([1], [1, np.inf]), {}, "detected_s must be finite, got inf"),
        (([2, 1], [1]), {}, "reference_s must ascend, but 1 at position 1 follows 2"),
        (([1], [3, 2.5]), {}, "detected_s must ascend"),
        (([1], [1]), {"tolerance_s": -0.1}, "tolerance_s must be 0 or more seconds, got -0.1"),
        (([1], [1]), {"tolerance_s": np.nan}, "tolerance_s must be 0 or more"),
        (([1], [1]), {"skip_s": -1}, "skip_s must be 0 or more"),
        (([], [1]), {}, "no annotated beats: nothing"),
        (([1, 2], [1]), {"skip_s": 3}, "no annotated beats at or after skip_s = 3 s"),
        (([[1, 2]], [1]), {}, "reference_s must have one dimension"),
        ((["a"], [1]), {}, "reference_s must be times in seconds"),
    ],
)
def test_match_r_peaks_says_what_is_wrong(arguments, options, said):
    with pytest.raises(ValueError, match=said):
        match_r_peaks(*arguments, **options)


# Three records: A 3 found, 1 missed, 1 false; B 4, 0, 0; C 2, 2, 2. Together 9, 3, 3.
A = match_r_peaks([1, 2, 3, 4], [1.01, 2.02, 3.03, 3.5])
B = match_r_peaks([1, 2, 3, 4], [1.00, 2.00, 3.00, 3.99])
C = match_r_peaks([1, 2, 3, 4], [1.1, 1.5, 2.1, 2.5])


def test_r_peaks_by_hand():
    report = metrics.r_peaks([A, B, C])
    assert (report.num_true, report.num_missed, report.num_false) == (9, 3, 3)
    # 9 / 12, 9 / 12, 18 / 24; errors in ms: -10 0 0 0 10 20 30 100 100, the fifth is the median
    assert [e.value for e in (report.sensitivity, report.precision, report.f1)] == pytest.approx([0.75] * 3)
    assert report.median_error_s.value == pytest.approx(0.010)
    assert report.quartiles_error_s == pytest.approx((0.0, 0.030))  # where a quarter, and 3 quarters, are reached
    assert report.sensitivity.unit == "record" and report.sensitivity.num_patients == 3


def test_r_peaks_takes_the_lower_of_two_middle_errors():
    report = metrics.r_peaks([match_r_peaks([1, 2, 3, 4], [1.0, 2.01, 3.02, 4.03])])
    assert report.median_error_s.value == pytest.approx(0.010)
    assert report.quartiles_error_s == pytest.approx((0.0, 0.020))


def test_r_peaks_equals_the_scores_of_the_beats_as_cases():
    report = metrics.r_peaks([A, B, C], patients=["a", "b", "a"])
    labels = [*(1, 1, 1, 1, 0), *(1, 1, 1, 1), *(1, 1, 1, 1, 0, 0)]
    predictions = [*(1, 1, 1, 0, 1), *(1, 1, 1, 1), *(1, 1, 0, 0, 1, 1)]
    whose = ["a"] * 5 + ["b"] * 4 + ["a"] * 6
    for mine, score in ((report.sensitivity, metrics.sensitivity_score), (report.precision, metrics.precision_score),
                        (report.f1, metrics.f1_score)):  # fmt: skip
        assert mine == score(labels, predictions, patients=whose)
    assert report.sensitivity.num_patients == 2 and report.sensitivity.unit == "patient"


def test_r_peaks_of_one_patient_twice_is_no_second_patient():
    alone = metrics.r_peaks([A, C], patients=["a", "a"])
    assert np.isnan(alone.sensitivity.low) and np.isnan(alone.median_error_s.low)
    assert "one patient" in alone.sensitivity.reason and "middle half" in str(alone)


def test_r_peaks_bootstraps_the_median_over_patients():
    rng = np.random.default_rng(1)
    shifts = rng.normal(0, 0.02, size=30)
    beats = np.arange(1, 41.0)
    records = [match_r_peaks(beats, beats + shift + rng.normal(0, 0.005, size=40)) for shift in shifts]
    errors = np.concatenate([record.errors_s for record in records])
    report = metrics.r_peaks(records)
    oracle = metrics.bootstrap(np.median, errors, patients=np.repeat(np.arange(30), 40))
    # the same kind of bootstrap over the errors themselves; bins of 0.1 ms, other draws
    for end in ("value", "low", "high"):
        assert getattr(report.median_error_s, end) == pytest.approx(getattr(oracle, end), abs=0.0015)
    assert report.quartiles_error_s == pytest.approx(np.quantile(errors, [0.25, 0.75]), abs=0.0005)


def test_r_peaks_without_any_pair():
    report = metrics.r_peaks([match_r_peaks([1, 2], []), match_r_peaks([1, 2], [])])
    assert report.sensitivity.value == 0 and np.isnan(report.precision.value) and np.isnan(report.median_error_s.value)
    assert "undefined: no beat was found" in str(report)


def test_r_peaks_prints_a_table():
    said = str(metrics.r_peaks([A, B, C])).splitlines()
    assert said[0].startswith("sensitivity   0.7500 (95 % CI 0.") and said[0].endswith("3 records)")
    assert said[3].startswith("timing error  median +10.0 ms (95 % CI ") and said[3].endswith("+0.0 to +30.0 ms")
    assert said[4] == "beats         9 found, 3 missed, 3 false"


@pytest.mark.parametrize(
    ("records", "options", "said"),
    [
        (A, {}, "one PeakMatches for each record; for one pass"),
        ([], {}, "no records"),
        ([A, (3, 1, 1)], {}, "record 1 is tuple, expected PeakMatches"),
        ([A, B], {"patients": ["a"]}, "1 patients for 2 cases"),
        ([A, B], {"patients": ["a", None]}, "patients miss an entry"),
        ([A, B], {"level": 95}, "level must lie between 0 and 1"),
    ],
)
def test_r_peaks_says_what_is_wrong(records, options, said):
    with pytest.raises(ValueError, match=said):
        metrics.r_peaks(records, **options)
