"""What the threshold explorer draws is what SciPy and scikit-learn compute, at both ends of every slider."""

import re

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from medlearn.widgets import draw_thresholds, explore_thresholds
from medlearn.widgets.thresholds import COST_RATIOS, PEOPLE, PREVALENCES, SEPARATION

RNG = np.random.default_rng(3)
LABELS = np.repeat([1, 0], [12, 30])
SCORES = np.round(RNG.normal(size=42) + LABELS, 1)  # with ties


def line(axes, label):
    (found,) = [each for each in axes.lines if each.get_label().startswith(label)]
    return found


def points(axes, label):
    return np.array(line(axes, label).get_data())


def drawn_counts(axes):
    """Return TP, FN, FP, TN as they are written in the table."""
    return [int(text.get_text().split("\n")[0].replace(",", "")) for text in axes.texts]


@pytest.mark.parametrize("threshold", [-4.0, 0.7, 5.5])
@pytest.mark.parametrize("prevalence", [PREVALENCES[0], PREVALENCES[-1]])
@pytest.mark.parametrize("cost_ratio", [COST_RATIOS[0], COST_RATIOS[-1]])
def test_draw_equals_the_normal_distribution_at_both_ends(threshold, prevalence, cost_ratio):
    shown = draw_thresholds(threshold=threshold, prevalence=prevalence, cost_ratio=cost_ratio)
    roc, recall, table, cost = shown.figure.axes
    # SciPy's survival functions: the share of each group at or above the threshold
    sensitivity, alarms = stats.norm(SEPARATION).sf(threshold), stats.norm().sf(threshold)
    people = [PEOPLE * prevalence, PEOPLE * (1 - prevalence)]
    wanted = [people[0] * sensitivity, people[0] * (1 - sensitivity), people[1] * alarms, people[1] * (1 - alarms)]
    assert drawn_counts(table) == [round(count) for count in wanted]
    assert points(roc, "now").ravel() == pytest.approx([alarms, sensitivity])
    precision = wanted[0] / (wanted[0] + wanted[2])
    assert points(recall, "now").ravel() == pytest.approx([sensitivity, precision])
    assert points(cost, "now").ravel() == pytest.approx([threshold, wanted[2] + cost_ratio * wanted[1]])


def test_draw_finds_the_threshold_of_the_formula():
    # the cheapest score has the probability 1 / (1 + ratio): prior odds * exp(1.5 s - 1.5**2 / 2) = 1 / ratio,
    # so with 5 % and ratio 10: s = (log(1/10) - log(0.05/0.95) + 1.125) / 1.5 = 1.178, on a grid of 0.1: 1.2
    cost = draw_thresholds(prevalence=0.05, cost_ratio=10).figure.axes[3]
    assert points(cost, "cheapest")[0] == pytest.approx(1.2)


def test_draw_roc_and_precision_of_patients_equal_scikit_learn():
    # at the patients' own share of ill the curve is scikit-learn's
    share = 12 / 42
    roc, recall, _, _ = draw_thresholds(LABELS, SCORES, threshold=0.5, prevalence=share).figure.axes
    alarms, sensitivity, _ = metrics.roc_curve(LABELS, SCORES, drop_intermediate=False)
    assert set(map(tuple, points(roc, "ROC").T.round(9))) == set(
        zip(alarms.round(9), sensitivity.round(9), strict=True)
    )
    precision, sensitivity, _ = metrics.precision_recall_curve(LABELS, SCORES)
    np.testing.assert_allclose(points(recall, "precision"), [sensitivity[:-1], precision[:-1]], atol=1e-12)


@pytest.mark.parametrize("threshold", [SCORES.min(), SCORES[3], SCORES.max(), SCORES.max() + 1])
def test_draw_counts_patients_at_the_threshold_as_ill(threshold):
    table = draw_thresholds(LABELS, SCORES, threshold=threshold, prevalence=0.5).figure.axes[2]
    tn, fp, fn, tp = metrics.confusion_matrix(LABELS, SCORES >= threshold).ravel()
    assert drawn_counts(table) == [round(5000 * count) for count in (tp / 12, fn / 12, fp / 30, tn / 30)]


def test_draw_cost_of_patients_steps_and_ends_with_nobody_called():
    cost = draw_thresholds(LABELS, SCORES, threshold=0.5, prevalence=0.1, cost_ratio=5).figure.axes[3]
    thresholds, costs = points(cost, "all")
    # everybody called: 9,000 false alarms; nobody called: 1,000 missed at 5 each
    assert (costs[0], costs[-1]) == pytest.approx((9000, 5000))
    assert line(cost, "all").get_drawstyle() == "steps-pre"
    assert np.array_equal(thresholds[:-1], np.unique(SCORES))
    assert points(cost, "cheapest")[1] == pytest.approx(costs.min())


def test_draw_line_of_equal_cost_touches_the_curve_at_the_cheapest_threshold():
    # where the cost is least, no point of the curve lies above the line of equal cost
    best = (np.log(1 / 10) - np.log(0.05 / 0.95) + SEPARATION**2 / 2) / SEPARATION
    roc = draw_thresholds(threshold=best, prevalence=0.05, cost_ratio=10).figure.axes[0]
    x, y = points(roc, "ROC")
    equal = line(roc, "equal cost")
    assert equal.get_slope() == pytest.approx(0.95 / 0.05 / 10)
    (x0, y0) = equal.get_xy1()
    assert (y - y0 - equal.get_slope() * (x - x0)).max() < 1e-9


def test_draw_takes_a_threshold_that_differs_by_rounding_for_the_score_itself():
    # 0.1 + 0.2 is 0.30000000000000004: the two patients with 0.3 are called all the same
    labels, scores = [1, 0, 1, 0], [0.3, 0.3, 0.9, 0.1]
    table = draw_thresholds(labels, scores, threshold=0.1 + 0.2, prevalence=0.5).figure.axes[2]
    assert drawn_counts(table) == [5000, 0, 2500, 2500]


def test_draw_writes_thresholds_with_enough_digits():
    shown = draw_thresholds([1, 0, 0], [9e-4, 1e-4, 2e-4], threshold=2e-4)
    assert "at threshold 0.000200." in shown.alt  # steps of (9e-4 - 1e-4) / 100 = 8e-6: six digits
    assert "cheapest: 0.000900" in [each.get_label() for each in shown.figure.axes[3].lines]


def test_explorer_steps_from_rating_to_rating():
    slider = explore_thresholds([1, 1, 0, 0, 0], [5, 3, 3, 2, 1]).controls["threshold"]
    assert (slider.min, slider.max, slider.step, slider.value) == (1, 6, 1, 3)  # at 6 nobody is called


def test_explorer_of_one_score_for_all_calls_everybody_or_nobody():
    explorer = explore_thresholds([1, 0, 0], [0.3, 0.3, 0.3])
    slider = explorer.controls["threshold"]
    found = []
    for threshold in (slider.min, slider.max):
        explorer.update(threshold=threshold, prevalence=0.1, cost_ratio=10)
        found.append(explorer.picture.alt.split(": ", 1)[1].split(" true")[0])
    assert found == ["1000", "0"]


def test_draw_says_undefined_where_nobody_is_positive():
    shown = draw_thresholds(LABELS, SCORES, threshold=99.0)
    assert "positive predictive value undefined (nobody is positive)" in shown.alt
    assert np.isnan(points(shown.figure.axes[1], "now")[1]).all()


def test_draw_describes_itself():
    # prevalence 1 %: 100 ill, half of them above their own mean 1.5; 9,900 * 0.0668 = 661 false alarms
    alt = draw_thresholds(threshold=1.5, prevalence=0.01, cost_ratio=20).alt
    assert "50 true positives, 50 missed, 661 false alarms, 9239 true negatives" in alt
    assert "Sensitivity 50.0 %, specificity 93.3 %, positive predictive value 7.0 %. Cost 1661 false alarms" in alt


@pytest.mark.parametrize(("labels", "scores", "message"), [
    (LABELS, None, "give labels and scores, or neither"),
    (None, SCORES, "give labels and scores, or neither"),
    (LABELS, SCORES[1:], r"one length, got the shapes \(42,\) and \(41,\)"),
    (np.ones(42), SCORES, r"both, got \[1.0\]"),
    (LABELS + 1, SCORES, r"both, got \[1, 2\]"),
    (LABELS, np.where(LABELS, np.nan, SCORES), r"12 score\(s\) are NaN or infinite"),
])  # fmt: skip
def test_draw_refuses_patients_that_do_not_fit(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        draw_thresholds(labels, scores)


@pytest.mark.parametrize(("options", "message"), [
    ({"threshold": np.inf}, "threshold must be a finite number, got inf"),
    ({"prevalence": 0}, "prevalence must lie between 0 and 1, got 0; 5 % is 0.05"),
    ({"prevalence": 5}, "prevalence must lie between 0 and 1, got 5"),
    ({"cost_ratio": 0}, "cost_ratio must be above 0, got 0"),
])  # fmt: skip
def test_draw_refuses_numbers_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        draw_thresholds(**options)


@pytest.mark.parametrize("patients", [(), (LABELS, SCORES), (LABELS, 1 / (1 + np.exp(-SCORES)))])
def test_explorer_redraws_at_the_ends_of_its_sliders(patients):
    explorer = explore_thresholds(*patients)
    slider = explorer.controls["threshold"]
    for threshold, prevalence, ratio in [(slider.min, 0.005, 1), (slider.max, 0.5, 200)]:
        explorer.update(threshold=threshold, prevalence=prevalence, cost_ratio=ratio)
        (counts,) = re.findall(r"(\d+) true positives, (\d+) missed", explorer.picture.alt)
        ill = PEOPLE * prevalence
        # at the low end nearly all ill are found, at the high end none
        assert int(counts[threshold == slider.max]) == pytest.approx(ill, abs=1)
