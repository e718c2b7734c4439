"""The reader's test: the truth is kept, the answers are counted, and nothing tells which patch is which."""

import re

import numpy as np
import pytest

from medlearn.metrics import wilson_interval
from medlearn.widgets import draw_reading, read_blind, reading_truth, score_reading

REAL = np.random.default_rng(0).uniform(-1000, 400, (4, 6, 6))
MADE = np.random.default_rng(1).uniform(-1000, 400, (3, 6, 6))


def shown(picture):
    return [np.asarray(axes.images[0].get_array()) for axes in picture.figure.axes]


def test_truth_belongs_to_the_patches_that_are_shown():
    truth = reading_truth(4, 3, seed=5)
    assert truth.sum() == 3
    for patch, is_made in zip(shown(draw_reading(REAL, MADE, seed=5)), truth, strict=True):
        assert any(np.array_equal(patch, other) for other in (MADE if is_made else REAL))


def test_seeds_give_other_orders_and_the_same_seed_the_same():
    assert np.array_equal(reading_truth(10, 10, seed=2), reading_truth(10, 10, seed=2))
    assert len({tuple(reading_truth(10, 10, seed=seed)) for seed in range(8)}) == 8


def test_score_counts_and_gives_wilsons_interval():
    truth = [True] * 10 + [False] * 10
    answers = [True] * 8 + [False] * 2 + [True] * 4 + [False] * 6  # 8 + 6 right
    low, high = wilson_interval(14, 20)
    assert score_reading(truth, answers) == (
        f"14 of 20 right: 0.70 (95 % CI {low:.2f} to {high:.2f}, 20 patches). Called made: 8 of 10 made patches,"
        " 4 of 10 real ones."
    )


def test_a_reading_by_its_buttons():
    reading = read_blind(REAL, MADE, seed=3)
    real_button, made_button = reading.widget.children[2].children
    assert "Patch 1 of 7" in reading.html and (real_button.description, made_button.description) == ("real", "made")
    for is_made in reading.truth:  # all right but the last
        pressed = made_button if is_made and len(reading.answers) < 6 else real_button
        pressed.click()
    assert reading.answers[:6] == reading.truth[:6].tolist()
    assert repr(reading) == score_reading(reading.truth, reading.answers)
    assert real_button.disabled and made_button.disabled
    reading.answer(made=True)
    assert len(reading.answers) == 7
    assert score_reading(reading.truth, reading.answers) in reading.widget.children[0].value


def test_the_end_marks_every_patch():
    truth = reading_truth(4, 3, seed=3)
    picture = draw_reading(REAL, MADE, seed=3, answers=[True] * 7)
    titles = [axes.get_title() for axes in picture.figure.axes]
    assert titles == [f"{k + 1}: {'made, right' if made else 'real, WRONG'}" for k, made in enumerate(truth)]


def test_the_still_picture_does_not_tell():
    still = read_blind(REAL, MADE, seed=3)._repr_mimebundle_()["text/html"]
    assert 'alt="7 patches, numbered from 1: some real, some made."' in still
    assert not re.search("right|wrong", re.sub("base64,[^\"]*", "", still), re.IGNORECASE)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_reading(REAL[0], MADE, seed=0), r"shape \(patch, height, width\)"),
        (lambda: draw_reading(REAL, MADE[:, :5], seed=0), "patches of one size"),
        (lambda: draw_reading(REAL, MADE, seed=0, answers=[True]), "each of the 7 patches, got 1"),
        (lambda: score_reading([True, False], [True]), "each of the 2 patches, got 1"),
        (lambda: read_blind(REAL[:0], MADE, seed=0), "a real and a made patch at least, got 0 and 3"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
