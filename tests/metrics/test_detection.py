import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlearn import metrics

# Two toy scans on paper (mm along x; all else 0).
#
# Scan A: findings at 0 (diameter 10: radius 5) and at 100 (diameter 6: radius 3); to be ignored: one at 50 (radius 5).
#   detection   at 1    4    102   53    200   5
#   score       0.6  0.9  0.5   0.8   0.7   0.4
#   kind        dup  true true  ign   false false: 5 is not nearer than the radius
# Scan B: one finding at 0 (diameter 4: radius 2).
#   detection   at 30   1.5
#   score       0.8   0.3
#   kind        false true
A_FINDINGS, A_DIAMETERS = [[0, 0, 0], [100, 0, 0]], [10, 6]
A_DETECTIONS, A_SCORES = [[x, 0, 0] for x in (1, 4, 102, 53, 200, 5)], [0.6, 0.9, 0.5, 0.8, 0.7, 0.4]


def scan_a(**options):
    options = {"ignored_mm": [[50, 0, 0]], "ignored_diameters_mm": [10]} | options
    return metrics.match_detections(A_FINDINGS, A_DIAMETERS, A_DETECTIONS, A_SCORES, **options)


def scan_b():
    return metrics.match_detections([[0, 0, 0]], [4], [[30, 0, 0], [1.5, 0, 0]], [0.8, 0.3])


def test_match_detections_of_the_toy_scan():
    found = scan_a()
    assert found.kinds.tolist() == ["duplicate", "true", "true", "ignored", "false", "false"]
    assert found.findings.tolist() == [0, 0, 1, -1, -1, -1]
    assert found.finding_scores.tolist() == [0.9, 0.5]
    assert (found.num_findings, found.missed.tolist()) == (2, [])


def test_match_detections_takes_the_distance_in_all_three_directions():
    # (2, 3, 6) is 7 mm from the centre: a miss for a radius of 7, a hit for 7.01. No axis alone says so.
    for diameter, kind in ((14, "false"), (14.02, "true")):
        assert metrics.match_detections([[1, 1, 1]], [diameter], [[3, 4, 7]], [1]).kinds.tolist() == [kind]


def test_match_detections_without_what_is_ignored_counts_it_as_false():
    assert scan_a(ignored_mm=None, ignored_diameters_mm=None).kinds[3] == "false"


def test_match_detections_gives_an_unmeasured_finding_10_mm():
    # 53 is 3 mm from 50 and 5.5 mm from 58.5: within 5 mm, and not.
    assert scan_a(ignored_diameters_mm=None).kinds[3] == "ignored"
    assert scan_a(ignored_mm=[[58.5, 0, 0]], ignored_diameters_mm=None).kinds[3] == "false"


def test_match_detections_ignores_findings_below_the_smallest():
    found = scan_a(smallest_mm=6.5)  # the finding at 100 is no longer asked for
    assert found.kinds.tolist() == ["duplicate", "true", "ignored", "ignored", "false", "false"]
    assert (found.num_findings, found.missed.tolist()) == (1, [])
    assert found.counted.tolist() == [True, False]
    assert scan_a(smallest_mm=6.0).num_findings == 2  # at the limit it counts


def test_match_detections_hit_on_a_finding_beats_one_to_be_ignored():
    found = metrics.match_detections([[0, 0, 0]], [10], [[1, 0, 0]], [0.5], ignored_mm=[[1, 0, 0]])
    assert found.kinds.tolist() == ["true"]


def test_match_detections_one_detection_within_two_findings_counts_for_both():
    # At 2: within 5 mm of both 0 and 4; nearer or equally near to both (2 and 2), the first one is named.
    found = metrics.match_detections([[0, 0, 0], [4, 0, 0]], [10, 10], [[2.5, 0, 0]], [0.7])
    assert found.kinds.tolist() == ["true"] and found.findings.tolist() == [1]
    assert found.finding_scores.tolist() == [0.7, 0.7] and not len(found.missed)


def test_match_detections_of_equal_scores_takes_the_nearest():
    found = metrics.match_detections([[0, 0, 0]], [10], [[3, 0, 0], [1, 0, 0], [2, 0, 0]], [0.5, 0.5, 0.5])
    assert found.kinds.tolist() == ["duplicate", "true", "duplicate"]


def test_match_detections_of_nothing():
    empty = metrics.match_detections([], [], [], [])
    assert (len(empty.kinds), empty.num_findings, len(empty.missed)) == (0, 0, 0)
    silent = metrics.match_detections([[0, 0, 0], [9, 9, 9]], [5, 5], [], [])
    assert (len(silent.kinds), silent.missed.tolist()) == (0, [0, 1])
    alone = metrics.match_detections([], [], [[1, 2, 3]], [0.2])
    assert alone.kinds.tolist() == ["false"] and alone.findings.tolist() == [-1]


GOOD = {"findings_mm": [[0.0, 0, 0]], "diameters_mm": [5.0], "detections_mm": [[1.0, 0, 0]], "scores": [0.5]}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"detections_mm": [[np.nan, 0, 0]]}, r"detections_mm must be finite, got \[nan, 0.0, 0.0\] in row 0"),
        ({"findings_mm": [[0, np.inf, 0]]}, "findings_mm must be finite"),
        ({"detections_mm": [[1.0, 2.0]]}, r"detections_mm must have shape \(n, 3\).*got \(1, 2\)"),
        ({"detections_mm": [1.0, 2.0, 3.0]}, r"shape \(n, 3\).*got \(3,\)"),
        ({"findings_mm": [[0, 0, 0], [1]]}, "findings_mm must be rows of three numbers"),
        ({"findings_mm": "here"}, "findings_mm must be rows of three numbers"),
        ({"diameters_mm": [-1.0]}, "diameters_mm must be positive, got -1.*belong in ignored_mm"),
        ({"diameters_mm": [0.0]}, "diameters_mm must be positive, got 0"),
        ({"diameters_mm": [np.nan]}, "diameters_mm hold NaN"),
        ({"diameters_mm": [5.0, 6.0]}, "lengths differ: 1 findings_mm, 2 diameters_mm"),
        ({"scores": [np.inf]}, "scores hold 1 infinite"),
        ({"scores": [np.nan]}, "scores hold NaN"),
        ({"scores": []}, "lengths differ: 1 detections_mm, 0 scores"),
        ({"scores": [[0.5]]}, "scores must have one dimension"),
        ({"ignored_diameters_mm": [3.0]}, "ignored_diameters_mm came without ignored_mm"),
        ({"ignored_mm": [[0, 0, 0]], "ignored_diameters_mm": [-1]}, "ignored_diameters_mm must be positive"),
        ({"ignored_mm": [[0, 0]]}, r"ignored_mm must have shape \(n, 3\)"),
        ({"smallest_mm": -1}, "smallest_mm must be 0 or more"),
    ],
)
def test_match_detections_refuses(change, match):
    with pytest.raises(ValueError, match=match):
        metrics.match_detections(**GOOD | change)


def test_froc_of_the_two_toy_scans():
    # Marks, scores descending: A true 0.9; B false 0.8; A false 0.7; A true 0.5; A false 0.4; B true 0.3.
    # Two scans, three findings. After each: (false / 2, true / 3):
    #   (0, 0) (0, 1/3) (0.5, 1/3) (1, 1/3) (1, 2/3) (1.5, 2/3) (1.5, 1)
    curve = metrics.froc([scan_a(), scan_b()], rates=(0.25, 1, 1.25, 1.5, 8))
    np.testing.assert_allclose(curve.false_positives_per_scan, [0, 0, 0.5, 1, 1, 1.5, 1.5])
    np.testing.assert_allclose(curve.sensitivity, np.array([0, 1, 1, 1, 2, 2, 3]) / 3)
    np.testing.assert_allclose(curve.thresholds, [np.inf, 0.9, 0.8, 0.7, 0.5, 0.4, 0.3])
    # Read at a rate: the highest point there; between points linearly; level beyond the last.
    np.testing.assert_allclose([float(e) for e in curve.at_rates], [1 / 3, 2 / 3, 2 / 3, 1, 1])
    assert float(curve.cpm) == pytest.approx((1 / 3 + 2 / 3 + 2 / 3 + 1 + 1) / 5)
    assert (curve.num_scans, curve.num_findings) == (2, 3)
    assert curve.at(1) is curve.at_rates[1] and curve.cpm.unit == "scan" and curve.cpm.num_patients == 2


def test_froc_joins_a_tie_by_a_straight_line():
    # One finding, hit with 0.5; one false detection with 0.5: from (0, 0) straight to (1, 1), 0.25 at rate 0.25.
    tied = metrics.match_detections([[0, 0, 0]], [10], [[0, 0, 0], [50, 0, 0]], [0.5, 0.5])
    curve = metrics.froc([tied], rates=(0.25, 1))
    assert [float(estimate) for estimate in curve.at_rates] == [0.25, 1.0]
    assert curve.at(1).reason == "one scan says nothing about how scans differ" and np.isnan(curve.at(1).low)


def test_froc_counts_scans_without_findings_in_the_rate():
    # One false detection in one scan: 1 a scan. Three more scans with neither: 1/4 a scan.
    scan = metrics.match_detections([[0, 0, 0]], [10], [[0, 0, 0], [50, 0, 0]], [0.5, 0.9])
    empty = metrics.match_detections([], [], [], [])
    assert metrics.froc([scan]).false_positives_per_scan[-1] == 1
    assert metrics.froc([scan, empty, empty, empty]).false_positives_per_scan[-1] == 0.25


def test_froc_of_a_detector_that_finds_nothing():
    silent = metrics.match_detections([[0, 0, 0], [30, 0, 0]], [5, 5], [], [])
    curve = metrics.froc([silent] * 10)
    assert [float(estimate) for estimate in curve.at_rates] == [0] * 7 and len(curve.thresholds) == 1
    # Exact interval of 0 in 10, as for the ten scans, not the twenty findings: 1 - 0.025^(1/10) = 0.3085
    assert (curve.cpm.low, round(curve.cpm.high, 4)) == (0.0, 0.3085)


def test_froc_of_a_perfect_detector():
    perfect = metrics.match_detections([[0, 0, 0]], [5], [[0, 0, 0]], [1])
    curve = metrics.froc([perfect] * 10)
    assert curve.cpm.value == 1 and (round(curve.cpm.low, 4), curve.cpm.high) == (0.6915, 1.0)


def test_froc_without_findings_is_undefined_and_says_why():
    curve = metrics.froc([metrics.match_detections([], [], [[0, 0, 0]], [0.4])] * 3)
    assert str(curve.cpm) == "undefined: no scan has a finding that counts"
    assert curve.false_positives_per_scan.tolist() == [0, 1] and np.isnan(curve.sensitivity).all()
    assert all(estimate.unit == "scan" for estimate in curve.at_rates)


def simulated(seed, num_scans=12, decimals=1):
    """Return Matches of scans with findings, duplicates, ignored findings, false detections and ties."""
    rng, scans = np.random.default_rng(seed), []
    for _ in range(num_scans):
        findings = rng.uniform(0, 60, (rng.integers(0, 4), 3))
        near = findings[rng.integers(0, len(findings), 4)] + rng.normal(0, 3, (4, 3)) if len(findings) else findings
        detections = np.concatenate([near, rng.uniform(0, 60, (rng.integers(0, 12), 3))])
        scores = np.round(rng.random(len(detections)), decimals)
        scans.append((findings, rng.uniform(4, 20, len(findings)), detections, scores, rng.uniform(0, 60, (2, 3))))
    return scans


def matched(scans):
    return [metrics.match_detections(*scan, ignored_mm=ignored) for *scan, ignored in scans]


def by_brute_force(scans, threshold):
    """Return false positives per scan and sensitivity at one threshold: plain loops, nothing sorted."""
    false = found = total = 0
    for findings, diameters, detections, scores, ignored in scans:
        kept = [point for point, score in zip(detections, scores, strict=True) if score >= threshold]
        total += len(findings)
        for centre, diameter in zip(findings, diameters, strict=True):
            found += any(np.sqrt(((point - centre) ** 2).sum()) < diameter / 2 for point in kept)
        for point in kept:
            near = [np.sqrt(((point - c) ** 2).sum()) < d / 2 for c, d in zip(findings, diameters, strict=True)]
            near += [np.sqrt(((point - c) ** 2).sum()) < 5 for c in ignored]
            false += not any(near)
    return false / len(scans), found / total


@pytest.mark.parametrize("seed", range(6))
def test_froc_equals_brute_force_at_every_threshold(seed):
    scans = simulated(seed)
    curve = metrics.froc(matched(scans), num_resamples=100)
    expected = [by_brute_force(scans, threshold) for threshold in curve.thresholds]
    np.testing.assert_allclose(np.column_stack([curve.false_positives_per_scan, curve.sensitivity]), expected)
    every = np.unique(np.concatenate([scores for _, _, _, scores, _ in scans]))
    # A threshold that is not on the curve moves nothing: duplicates and ignored detections alone have it.
    for threshold in np.setdiff1d(every, curve.thresholds):
        step = np.flatnonzero(curve.thresholds >= threshold)[-1]
        assert by_brute_force(scans, threshold) == pytest.approx(expected[step])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_froc_is_monotone_and_needs_no_order(seed, random):
    scans = simulated(seed, num_scans=4)
    if not sum(len(findings) for findings, *_ in scans):
        return
    shuffled = []
    for findings, diameters, detections, scores, ignored in random.sample(scans, len(scans)):
        order = random.sample(range(len(scores)), len(scores))
        shuffled.append((findings[::-1], diameters[::-1], detections[order], scores[order], ignored[::-1]))
    curve, other = (metrics.froc(matched(some), num_resamples=100) for some in (scans, shuffled))
    for name in ("false_positives_per_scan", "sensitivity", "thresholds"):
        np.testing.assert_allclose(getattr(curve, name), getattr(other, name))
    assert (np.diff(curve.sensitivity) >= 0).all() and (np.diff(curve.false_positives_per_scan) >= 0).all()
    assert (np.diff(curve.thresholds) < 0).all() and 0 <= curve.cpm.value <= 1


@pytest.mark.parametrize("method", ["logit", "percentile", "bca"])
def test_froc_interval_surrounds_its_value_and_shrinks_with_more_scans(method):
    few, many = (metrics.froc(matched(simulated(1, num_scans=n, decimals=6)), method=method) for n in (40, 400))
    for curve in (few, many):
        assert all(e.low <= e.value <= e.high and e.method for e in (*curve.at_rates, curve.cpm))
    # ten times the scans: about a third of the width
    assert 0.2 < (many.cpm.high - many.cpm.low) / (few.cpm.high - few.cpm.low) < 0.5


def test_froc_percentile_interval_equals_a_plain_bootstrap_over_scans():
    scans = simulated(3, num_scans=20, decimals=6)
    curve = metrics.froc(matched(scans), rates=(1, 4), method="percentile", num_resamples=400, seed=5)
    rng, values = np.random.default_rng(11), []
    for _ in range(400):
        drawn = [scans[k] for k in rng.integers(0, 20, 20)]
        again = metrics.froc(matched(drawn), rates=(1, 4), num_resamples=100)  # repeated scans: the curve only
        values.append(again.cpm.value)
    # two sets of 400 resamples: their quantiles differ by about 0.02
    np.testing.assert_allclose(curve.cpm.interval, np.quantile(values, [0.025, 0.975]), atol=0.05)


def test_froc_default_interval_by_hand():
    # Four scans with one finding each; no false detections. Found in three: sensitivity 3/4 at every rate.
    # A resample finds a binomial share: variance (3/4)(1/4)/4 = 0.046875; times 4/3 = 0.0625, error 0.25.
    # Logit ln 3 = 1.0986, error 0.25 / 0.1875 = 1.3333; t with 4^2 / 4 - 1 = 3 degrees: 3.1824.
    # 1.0986 -+ 4.2433: expit gives 0.0413 and 0.9952. 200,000 resamples give the error to 0.2 %.
    hit = metrics.match_detections([[0, 0, 0]], [10], [[0, 0, 0]], [0.5])
    missed = metrics.match_detections([[0, 0, 0]], [10], [], [])
    found = metrics.froc([hit, hit, hit, missed], rates=(1,), num_resamples=200_000)
    assert found.cpm.value == 0.75 and found.cpm.interval == pytest.approx((0.0413, 0.9952), abs=6e-4)
    assert found.at(1).method == "logit of a bootstrap, 200000 resamples"


def test_froc_same_seed_same_interval():
    scans = matched(simulated(4))
    first, again, other = (metrics.froc(scans, seed=seed).cpm for seed in (0, 0, 1))
    assert first == again and first.interval != other.interval


@pytest.mark.parametrize(
    ("scans", "options", "match"),
    [
        ([], {}, "no scans"),
        ([None], {}, "scan 0 is NoneType, expected Matches: call match_detections"),
        (scan_a(), {}, r"pass \[matches\]"),
        ([scan_a()], {"rates": ()}, "rates must be positive"),
        ([scan_a()], {"rates": (0, 1)}, "rates must be positive"),
        ([scan_a()], {"rates": (np.nan,)}, "rates must be positive"),
        ([scan_a()], {"rates": 8}, "rates must be a sequence"),
        ([scan_a()], {"level": 95}, "level must lie between 0 and 1"),
        ([scan_a()], {"method": "wald"}, "method must be one of 'logit', 'percentile', 'bca'"),
        ([scan_a()], {"num_resamples": 10}, "num_resamples must be a whole number, 100 or more"),
    ],
)
def test_froc_refuses(scans, options, match):
    with pytest.raises(ValueError, match=match):
        metrics.froc(scans, **options)


def test_froc_at_refuses_a_rate_that_was_not_asked_for():
    with pytest.raises(ValueError, match=r"rate 3 is not among 0.125, 0.25, 0.5, 1, 2, 4, 8; ask for it"):
        metrics.froc([scan_a(), scan_b()]).at(3)
