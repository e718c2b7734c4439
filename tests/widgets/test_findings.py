"""The viewer of findings: which are listed, what one frame shows, and how the controls follow one another."""

import numpy as np
import pytest
import SimpleITK as sitk
from matplotlib.patches import Circle

from medlearn.metrics import match_detections
from medlearn.widgets import Finding, draw_findings, explore_findings, list_findings

NODULES = [[20.0, 24.0, 15.0], [60.0, 24.0, 45.0], [40.0, 60.0, 30.0]]
DIAMETERS = [12.0, 8.0, 6.0]
MARKS = [[21.0, 24.0, 15.0], [60.0, 26.0, 45.0], [19.0, 24.0, 17.0], [70.0, 70.0, 10.0]]
SCORES = [0.9, 0.4, 0.3, 0.6]


@pytest.fixture(scope="module")
def scan():
    """A scan of 1.5 x 1.5 x 2.5 mm that does not begin at the origin, with a bright ball at each nodule."""
    z, y, x = np.ogrid[:24, :60, :60]
    array = np.full((24, 60, 60), -850, np.int16)
    for (cx, cy, cz), diameter in zip(NODULES, DIAMETERS, strict=True):
        inside = (1.5 * x - 5 - cx) ** 2 + (1.5 * y + 3 - cy) ** 2 + (2.5 * z - cz) ** 2 < (diameter / 2) ** 2
        array[inside] = 40
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.5, 1.5, 2.5))
    image.SetOrigin((-5.0, 3.0, 0.0))
    return image


@pytest.fixture(scope="module")
def findings():
    matches = match_detections(NODULES, DIAMETERS, MARKS, SCORES)
    return list_findings(matches, NODULES, DIAMETERS, MARKS)


def circles(axes):
    return [patch for patch in axes.patches if isinstance(patch, Circle)]


def test_list_goes_by_score_and_ends_with_the_missed(findings):
    kinds = [(finding.kind, finding.score) for finding in findings]
    assert kinds == [("true", 0.9), ("false", 0.6), ("true", 0.4), ("duplicate", 0.3), ("missed", None)]
    assert findings[4].point_mm == tuple(NODULES[2])
    assert findings[2].nodule_mm == tuple(NODULES[1]) and findings[2].diameter_mm == 8
    assert findings[1].nodule_mm is None
    assert findings[3].nodule_mm == tuple(NODULES[0])


def test_list_of_an_empty_scan():
    assert list_findings(match_detections([], [], [], []), [], [], []) == []


def test_list_refuses_other_marks():
    matches = match_detections(NODULES, DIAMETERS, MARKS, SCORES)
    with pytest.raises(ValueError, match="the matches have 4 marks and 3 nodules, but 3 marks, 3 nodules and 3 dia"):
        list_findings(matches, NODULES, DIAMETERS, MARKS[:3])
    with pytest.raises(ValueError, match="4 marks, 3 nodules and 2 diameters came"):
        list_findings(matches, NODULES, DIAMETERS[:2], MARKS)


@pytest.mark.parametrize("number", [1, 5])
def test_draw_at_both_ends(scan, findings, number):
    first = "Finding 1 of 5: true finding, score 0.90, nodule of 12.0 mm, at x 21, y 24, z 15 mm, in slice 6."
    last = "Finding 5 of 5: missed nodule of 6.0 mm, at x 40, y 60, z 30 mm, in slice 12."
    alt = draw_findings(scan, findings, number=number).alt
    assert alt.startswith(first if number == 1 else last)
    assert alt.endswith("2 true findings, 1 missed nodule, 1 false alarm, 1 second mark on a nodule in the scan.")


def test_draw_beyond_the_end_draws_the_last(scan, findings):
    assert draw_findings(scan, findings, number=99).alt == draw_findings(scan, findings, number=5).alt


def test_draw_puts_the_bright_ball_into_the_circle(scan, findings):
    # the pixels inside the circle of the missed nodule are bright in the middle, and those around it are lung
    for axes in draw_findings(scan, findings, show="missed").figure.axes[1:]:
        (circle,) = circles(axes)
        (x, y), image = circle.center, axes.images[0]
        left, right, bottom, top = image.get_extent()
        values = image.get_array()
        row = int((y - top) / (bottom - top) * values.shape[0])
        column = int((x - left) / (right - left) * values.shape[1])
        assert values[row, column] == 40
        assert values[row, max(column - 6, 0)] == -850
        assert axes.get_xlim() == pytest.approx((x - 30, x + 30))


def test_draw_has_the_head_and_the_front_of_the_body_up(scan, findings):
    # the missed nodule: 60 - 3 = 57 mm from the first row (y grows to the back), 30 mm above the first slice
    _, above, front = draw_findings(scan, findings, show="missed").figure.axes
    assert above.get_ylim() == pytest.approx((87, 27))  # bottom, top
    assert front.get_ylim() == pytest.approx((0, 60))


def test_draw_takes_the_nearest_slice(scan):
    # 16.5 mm / 2.5 mm = 6.6
    assert "in slice 7." in draw_findings(scan, [Finding("false", (20.0, 24.0, 16.5), 0.5)]).alt


def test_threshold_turns_a_true_finding_into_a_missed_nodule(scan, findings):
    # 0.4 falls away: its nodule is missed, and so does the duplicate of 0.3; 0.6 stays
    shown = draw_findings(scan, findings, show="missed", threshold=0.5)
    assert "1 of 2: missed nodule of 8.0 mm, at x 60, y 24, z 45 mm" in shown.alt
    assert "1 true finding, 2 missed nodules, 1 false alarm in the scan." in shown.alt


def test_threshold_takes_a_score_at_it(scan, findings):
    assert "2 true findings, 1 missed nodule" in draw_findings(scan, findings, threshold=0.4).alt


def test_draw_says_so_where_there_is_nothing(scan):
    assert draw_findings(scan, []).alt == "No finding of the kind all at threshold 0.00. No finding in the scan."


def test_circle_of_another_nodule_is_drawn_only_where_its_ball_reaches(scan, findings):
    # the first nodule (z = 15, radius 6) does not reach the slice of the second (z = 45)
    slices = draw_findings(scan, findings, show="true", number=2).figure.axes
    assert len(circles(slices[0])) == 1


@pytest.mark.parametrize(("options", "message"), [
    ({"show": "hits"}, "show must be one of all, true, missed, false, duplicate, ignored, got 'hits'"),
    ({"number": 0}, "number counts the findings from 1, got 0"),
])  # fmt: skip
def test_draw_refuses(scan, findings, options, message):
    with pytest.raises(ValueError, match=message):
        draw_findings(scan, findings, **options)


def test_draw_refuses_an_array(findings):
    with pytest.raises(ValueError, match="image must be a 3-D SimpleITK image"):
        draw_findings(np.zeros((3, 4, 5)), findings)


def test_explorer_keeps_its_slider_as_long_as_the_list(scan, findings):
    explorer = explore_findings(scan, findings)
    slider = explorer.controls["number"]
    assert (slider.min, slider.max) == (1, 5)
    slider.value = 5
    explorer.controls["show"].value = "true"
    assert (slider.max, slider.value) == (2, 2)
    assert "Finding 2 of 2: true finding, score 0.40" in explorer.picture.alt
    explorer.controls["threshold"].value = 0.5
    assert (slider.max, slider.value) == (1, 1)
    assert "Finding 1 of 1: true finding, score 0.90" in explorer.picture.alt
    explorer.controls["threshold"].value = 0.95
    assert slider.max == 1 and "No finding of the kind true" in explorer.picture.alt


def test_explorer_steps_to_both_ends(scan, findings):
    explorer = explore_findings(scan, findings)
    alts = []
    for number in (1, 5):
        explorer.update(number=number)
        alts.append(explorer.picture.alt)
    assert alts == [draw_findings(scan, findings, number=number).alt for number in (1, 5)]


def test_finding_of_a_false_alarm_vanishes_below_the_threshold():
    assert Finding("false", (0.0, 0.0, 0.0), 0.3).at(0.4) is None
