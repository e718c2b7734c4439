"""The strip viewer: what one frame marks and says, at both ends, and how the controls follow one another."""

import numpy as np
import pytest

from medlearn import data
from medlearn.data.ecg_record import EcgRecord
from medlearn.widgets import draw_strip, explore_strip

RATE = 100.0
SYMBOLS = ["N", "L", "V", "A", "N", "F", "Q", "N"]
TIMES_S = [1, 3, 5, 9, 11, 13, 17, 19]
#: Beat 1 (L) is N by class: agrees. Beat 2: V against N. Beat 5: F against V. Beat 6: none. Beat 7 agrees by symbol R.
PREDICTIONS = ["N", "N", "N", "S", "N", "V", None, "R"]


def make_record(symbols=SYMBOLS, times_s=TIMES_S, *, seconds=20, leads=("MLII", "V1"), card=None):
    """A record with a spike of 1 mV at each beat, in both leads."""
    signals = np.zeros((round(seconds * RATE), len(leads)), np.float32)
    beats = np.array([round(t * RATE) for t in times_s], np.int64)
    signals[beats] = 1.0
    kinds = np.array(symbols, "U1")
    return EcgRecord("r", signals, leads, RATE, beats, kinds, (), "p", card)


def texts(picture, gid):
    return [text.get_text() for text in picture.figure.axes[1].texts if text.get_gid() == gid]


def lines(picture):
    return [line for line in picture.figure.axes[0].lines if line.get_gid() == "disagreement"]


def test_strip_marks_each_beat_with_its_annotation():
    picture = draw_strip(make_record())
    assert texts(picture, "annotation") == ["N", "L (N)", "V"] and texts(picture, "prediction") == []
    assert picture.alt == "ECG of r, leads MLII, V1, 0 to 8 s on paper. 3 beats: 1 N, 1 L, 1 V."
    places = [text.get_position()[0] for text in picture.figure.axes[1].texts if text.get_gid() == "annotation"]
    assert places == pytest.approx([1, 3, 5])
    assert picture.figure.axes[1].get_xlim() == picture.figure.axes[0].get_xlim()  # above the spikes


def test_strip_marks_a_disagreement_by_sign_frame_and_line_not_by_colour_alone():
    picture = draw_strip(make_record(), predictions=PREDICTIONS)
    assert texts(picture, "prediction") == ["N", "N", "≠ N"]
    written = [text for text in picture.figure.axes[1].texts if text.get_gid() == "prediction"]
    assert [text.get_bbox_patch() is not None for text in written] == [False, False, True]
    (line,) = lines(picture)
    assert list(line.get_xdata()) == [5, 5] and line.get_linestyle() == "--"
    assert picture.alt.endswith("At 5.0 s annotated V, predicted N.")


def test_strip_emphasises_the_chosen_disagreement():
    picture = draw_strip(make_record(), 12, predictions=PREDICTIONS, disagreement=2)
    (line,) = lines(picture)
    assert line.get_linestyle() == "-" and line.get_linewidth() > 1.5
    assert "At 13.0 s annotated F, predicted V (chosen)." in picture.alt
    (line,) = lines(draw_strip(make_record(), 12, predictions=PREDICTIONS, disagreement=1))
    assert line.get_linestyle() == "--"  # the first is elsewhere


def test_strip_at_both_ends():
    record = make_record()
    assert "0 to 8 s on" in draw_strip(record, 0).alt and "12 to 20 s on" in draw_strip(record, 12).alt
    end = draw_strip(record, 16.5, predictions=PREDICTIONS)
    assert "16.5 to 20 s on paper. 2 beats: 1 Q, 1 N. 1 without a prediction. No disagreement." in end.alt
    assert texts(end, "prediction") == ["–", "R"]
    for start_s in (-0.5, 20, float("nan")):
        with pytest.raises(ValueError, match="a strip of r must lie in 0 to 20 s"):
            draw_strip(record, start_s)


def test_strip_takes_a_beat_at_its_first_sample_and_leaves_the_one_at_its_end():
    # 3 to 5 s: the beat at 3.00 s belongs to it, the one at 5.00 s to the next strip
    assert texts(draw_strip(make_record(), 3, seconds=2), "annotation") == ["L (N)"]
    assert texts(draw_strip(make_record(), 5, seconds=2), "annotation") == ["V"]


def test_strip_stays_true_to_scale():
    # 25 mm for each second, 10 mm for each mV, with a band above or without
    for predictions in (None, PREDICTIONS):
        figure = draw_strip(make_record(), predictions=predictions).figure
        paper = figure.axes[0].get_position()
        width, height = figure.get_size_inches() * 25.4
        low, high = figure.axes[0].get_xlim()
        assert paper.width * width / (high - low) == pytest.approx(25)
        assert paper.height * height / np.ptp(figure.axes[0].get_ylim()) == pytest.approx(10)
        assert width <= 9.5 * 25.4
        assert figure.axes[1].get_position().y0 == pytest.approx(paper.y1)


def test_strip_of_one_lead_and_of_two():
    assert draw_strip(make_record(), lead="V1").alt.startswith("ECG of r, lead V1, 0 to")
    for lead, count in ((None, 2), ("all", 2), ("V1", 1)):
        drawn = draw_strip(make_record(), lead=lead).figure.axes[0].lines
        assert sum(line.get_gid().startswith("row") for line in drawn) == count
    with pytest.raises(ValueError, match="r has no lead 'II'; it has MLII, V1"):
        draw_strip(make_record(), lead="II")


def test_strip_says_which_samples_are_lost():
    record = make_record()
    record.signals_mv[200:250, 0] = np.nan  # 0.5 s of the first lead
    assert "0.5 s of MLII are lost." in draw_strip(record).alt and "V1 are lost" not in draw_strip(record).alt
    assert "lost" not in draw_strip(record, 8).alt
    record.signals_mv[:800] = np.nan
    picture = draw_strip(record)
    assert "8.0 s of MLII are lost. 8.0 s of V1 are lost." in picture.alt
    assert [text.get_text() for text in picture.figure.axes[0].texts if text.get_text() == "signal lost"]
    assert not [line for line in picture.figure.axes[0].lines if "row" in line.get_gid()]
    assert texts(picture, "annotation") == ["N", "L (N)", "V"]


def test_strip_without_beats():
    empty = make_record([], [])
    for predictions in (None, []):
        picture = draw_strip(empty, predictions=predictions)
        assert picture.alt.endswith("No beat is marked.")
        assert picture.figure.axes[1].texts[0].get_text() == "no beat is annotated in this record"
    gap = draw_strip(make_record(["N"], [19]), predictions=["V"])
    assert gap.figure.axes[1].texts[0].get_text() == "no beat in this strip" and "No beat is marked" in gap.alt


def test_simulated_strip_says_so():
    picture = draw_strip(data.simulate_ecg(3, duration_s=10))
    for words in (picture.alt, picture.figure.axes[1].get_title("left")):
        assert words.startswith("SIMULATED ECG of")


def test_classes_decide_what_agrees():
    own = {"narrow": "NAL", "wide": "VF"}
    said = ["narrow", "narrow", "wide", "wide", "narrow", "wide", "narrow", "N"]
    picture = draw_strip(make_record(), 8, predictions=said, classes=own)
    # A is narrow against wide; Q is in no class of these, so it agrees with everything
    assert texts(picture, "prediction") == ["≠ wide", "narrow", "wide"]
    assert "No disagreement" in draw_strip(make_record(), 16.5, predictions=said, classes=own).alt


def test_missing_predictions_may_be_none_empty_or_nan():
    record = make_record(["V"] * 3, [1, 2, 3])
    picture = draw_strip(record, predictions=[None, "", float("nan")])
    assert texts(picture, "prediction") == ["–"] * 3
    assert picture.alt.endswith("3 without a prediction. No disagreement.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"predictions": PREDICTIONS[:7]}, "one for each of the 8 beats of r, got 7. A beat without a prediction"),
        ({"predictions": [2] * 8}, r"the prediction '2' is neither a class \(N, S, V, F, Q\) nor the symbol of a beat"),
        ({"predictions": ["X"] * 8}, "the prediction 'X' is neither a class"),
        ({"seconds": 0.5}, "seconds must be 1 to 10, which fill a page at 25 mm/s; got 0.5"),
        ({"seconds": 11}, "seconds must be 1 to 10"),
        ({"disagreement": 1}, r"disagreement must be 0 \(none\) to 0, as many as there are; got 1"),
        ({"predictions": PREDICTIONS, "disagreement": -1}, r"disagreement must be 0 \(none\) to 2"),
        ({"classes": "AAMI"}, "classes must be one of AAMI5, AAMI4"),
    ],
)
def test_strip_that_makes_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        draw_strip(make_record(), **options)


# --- the explorer


def test_explorer_slides_from_end_to_end():
    explorer = explore_strip(make_record())
    start = explorer.controls["start_s"]
    assert (start.min, start.max, start.step) == (0, 12, 0.5)
    start.value = start.max
    assert "12 to 20 s" in explorer.picture.alt and "12 to 20 s" in explorer.html
    assert "pre role" not in explorer.html


def test_explorer_offers_the_leads_where_there_are_several():
    explorer = explore_strip(make_record())
    assert explorer.controls["lead"].options == ("all", "MLII", "V1")
    explorer.controls["lead"].value = "V1"
    assert "lead V1, 0 to 8" in explorer.picture.alt
    assert list(explore_strip(make_record(), lead="V1").controls) == ["start_s"]
    assert list(explore_strip(make_record(leads=("II",))).controls) == ["start_s"]


def test_explorer_goes_to_the_disagreement_and_draws_once(monkeypatch):
    explorer = explore_strip(make_record(), predictions=PREDICTIONS)
    frames, draw = [], explorer.draw
    explorer.draw = lambda **values: (frames.append(values), draw(**values))[1]
    number = explorer.controls["disagreement"]
    assert (number.min, number.max, number.value) == (0, 2, 0)
    number.value = 1  # at 5 s: 5 - 8/2 = 1
    assert explorer.controls["start_s"].value == 1.0 and len(frames) == 1
    assert "At 5.0 s annotated V, predicted N (chosen)." in explorer.picture.alt
    number.value = 2  # at 13 s: 9
    assert explorer.controls["start_s"].value == 9.0 and len(frames) == 2
    explorer.controls["start_s"].value = 0.0  # slides on freely
    assert "0 to 8 s" in explorer.picture.alt and number.value == 2
    number.value = 0
    assert "(chosen)" not in explorer.picture.alt and explorer.controls["start_s"].value == 0.0


def test_explorer_stays_inside_for_disagreements_near_the_ends():
    explorer = explore_strip(make_record(["N"] * 2, [0.2, 19.8]), predictions=["V", "V"])
    explorer.controls["disagreement"].value = 2
    assert explorer.controls["start_s"].value == 12.0 and "At 19.8 s" in explorer.picture.alt
    explorer.controls["disagreement"].value = 1
    assert explorer.controls["start_s"].value == 0.0 and "At 0.2 s" in explorer.picture.alt


def test_buttons_step_through_the_disagreements_and_stop_at_the_ends():
    explorer = explore_strip(make_record(), predictions=PREDICTIONS)
    previous, following = explorer.widget.children[0].children[:2]
    assert (previous.description, following.description) == ("previous disagreement", "next disagreement")
    seen = []
    for button in (following, following, following, previous, previous):
        button.click()
        seen.append(explorer.controls["disagreement"].value)
    assert seen == [1, 2, 2, 1, 1]


def test_explorer_without_disagreement_has_no_control_for_it():
    for predictions in (None, SYMBOLS):
        assert "disagreement" not in explore_strip(make_record(), predictions=predictions).controls


def test_explorer_of_a_record_without_beats_and_of_one_that_is_too_short():
    assert "No beat is marked" in explore_strip(make_record([], [])).picture.alt
    with pytest.raises(ValueError, match="r is 8 s long, so a strip of 8 s cannot slide along it"):
        explore_strip(make_record(["N"], [1], seconds=8))


def test_explorer_of_a_real_strip_with_a_made_up_reader():
    record = data.load_ecg_strip()
    said = ["N"] * len(record.beats)
    explorer = explore_strip(record, predictions=said)
    wrong = int(np.isin(record.symbols, list("AaJSVEFr/fQ?")).sum())
    assert wrong > 0 and explorer.controls["disagreement"].max == wrong
    explorer.controls["disagreement"].value = wrong
    assert "(chosen)" in explorer.picture.alt
