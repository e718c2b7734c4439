"""The exercise engine: three states, the learner's actual mistake, and nothing that stops a notebook."""

import _thread
import errno
import os
import signal
import threading
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas
import pytest
import torch

from medlearn.exercises import lesson_00, progress
from medlearn.exercises.engine import ExerciseNotRight, exercise
from medlearn.exercises.messages import NOT_TRIED, RIGHT, WRONG
from medlearn.exercises.testing import assert_exercises_hold


def off_by_one(values, width):
    return values[: width - 1]


@exercise(
    task="Return the first values.",
    cases=lambda rng: [(np.arange(5.0), 3), (rng.normal(size=8), 2)],
    mistakes=[(off_by_one, "You stopped one too early.")],
    hints=["Slice.", "values[:width]"],
)
def first(values, width):
    # the caller's data stay as they are
    return values[:width].copy()


@exercise(task="How many legs?", mistakes=[(lambda: 8, "That is a spider.")], hints=["It is a horse."])
def legs():
    return 2 + 2


def test_evaluate_the_solution_is_right():
    assert first.evaluate(first.solution_function).state == RIGHT
    assert legs.evaluate(4).state == RIGHT


def test_evaluate_names_the_mistake_by_running_it():
    message = first.evaluate(lambda values, width: values[0 : width - 1].copy())
    assert (message.state, message.text) == (WRONG, "You stopped one too early.")
    assert legs.evaluate(8).text == "That is a spider."


def test_evaluate_the_stub_is_not_tried():
    assert first.evaluate(lambda values, width: ...).state == NOT_TRIED
    assert first.evaluate(...).state == NOT_TRIED
    assert legs.evaluate(...).state == NOT_TRIED


def test_evaluate_a_blank_inside_the_code_is_not_tried():
    def half_done(values, width):
        start = ...
        return values[start + width]

    message = first.evaluate(half_done)
    assert message.state == NOT_TRIED
    assert "return values[start + width]" in message.text


@pytest.mark.parametrize("use", [float, lambda v: v + 1, lambda v: v[0], np.sqrt, np.zeros])
def test_evaluate_knows_what_python_says_of_a_blank(use):
    assert first.evaluate(lambda values, width: use(...)).state == NOT_TRIED


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no words")


def endless_list():
    items = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    "odd",
    [Unshowable(), endless_list(), 10**5000, pandas.Series([1.0, 2.0]), np.ma.masked_array([0.0, 1.0, 2.0], mask=True)],
    ids=["unshowable", "endless", "huge", "series", "masked"],
)
def test_evaluate_says_no_to_odd_results_without_a_traceback(odd):
    assert first.evaluate(lambda values, width: odd).state == WRONG
    assert legs.evaluate(odd).state == WRONG


@pytest.mark.parametrize("number", [Fraction(8, 2), Decimal(4), np.int8(4), 4.0, torch.tensor(4).item()])
def test_evaluate_takes_any_kind_of_number(number):
    assert legs.evaluate(number).state == RIGHT


@pytest.mark.parametrize("number", [10**400, Fraction(1, 3), Decimal("1e999")])
def test_evaluate_compares_numbers_that_no_array_holds(number):
    assert "not right" in legs.evaluate(number).text


def test_evaluate_a_tensor_that_numpy_cannot_hold():
    message = first.evaluate(lambda values, width: torch.zeros(width, dtype=torch.bfloat16))
    assert ".numpy() makes one of it" in message.text


def test_evaluate_takes_a_right_answer_in_a_buffer_that_is_used_again():
    buffer = np.zeros(8)

    def reuse(values, width):
        buffer[:width] = values[:width]
        return buffer[:width]

    assert first.evaluate(reuse).state == RIGHT


def test_evaluate_shows_the_learners_line_under_a_decorator():
    @torch.no_grad()
    def decorated(values, width):
        return values[width + 100]

    assert "    return values[width + 100]" in first.evaluate(decorated).code


def test_evaluate_says_where_nothing_is_the_learners_own():
    assert "inside broadcast_to, which has no line of your own code" in first.evaluate(np.broadcast_to).code


def test_evaluate_an_index_error_is_no_blank():
    message = first.evaluate(lambda values, width: values[values.max()])  # NumPy's message names the ellipsis
    assert message.state == WRONG and "ellipsis" in message.text


def test_evaluate_shows_the_line_of_an_exception():
    def broken(values, width):
        wide = width + 100
        return values[wide]

    message = first.evaluate(broken)
    assert message.state == WRONG
    assert "IndexError" in message.text and "return values[wide]" in message.code
    assert "Called as first(values=array([0., 1., 2., 3., 4.]), width=3)" in message.code


def test_evaluate_shows_the_learners_line_when_a_library_raises():
    def broken(values, width):
        return np.concatenate(values)

    assert "return np.concatenate(values)" in first.evaluate(broken).code


def test_evaluate_survives_exit():
    assert "SystemExit" in first.evaluate(lambda values, width: exit(3)).text


def test_evaluate_an_endless_loop_can_be_interrupted():
    def endless(values, width):
        while True:
            width += 1

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it switched off
    try:
        threading.Timer(0.3, _thread.interrupt_main).start()
        message = first.evaluate(endless)
    finally:
        signal.signal(signal.SIGINT, before)
    assert message.state == WRONG
    assert "You stopped it after" in message.text and "Does this loop end?" in message.text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (7, "expected the function itself"),
        (lambda values: values, r"takes (values); the exercise calls it with (values, width)"),
        (lambda values, width: None, "Is there a `return`"),
        (lambda values, width: list(values[:width]), "np.array(...)"),
        (lambda values, width: values[: width + 1].copy(), "The shape is (4,); expected (3,)"),
        (lambda values, width: values[:width].astype(int), "dtype is int64"),
        (lambda values, width: values[:width] * np.nan, "not a number (NaN)"),
        (lambda values, width: values[:width] + 1, "came back"),
    ],
)
def test_evaluate_says_what_is_wrong(answer, words):
    message = first.evaluate(answer)
    assert message.state == WRONG
    assert words in str(message)


def test_evaluate_finds_a_changed_input():
    def changes(values, width):
        values[0] = 99
        return values[:width]

    assert "changed its input 'values'" in first.evaluate(changes).text


def test_evaluate_a_value_exercise_keeps_the_answer_back():
    message = legs.evaluate(5)
    assert message.state == WRONG
    assert "4" not in message.text
    assert "asks for a value" in legs.evaluate(lambda: 4).text


def test_evaluate_a_value_exercise_keeps_an_array_answer_back():
    @exercise(task="Give the kernel.", mistakes=[], hints=["?"])
    def kernel():
        return np.array([4.25, 7.5])

    for answer in (np.array([0.0, 0.0]), np.zeros(3), [0.0]):
        text = kernel.evaluate(answer).text
        assert "4.25" not in text and "(2,)" not in text


def test_check_remembers_what_is_right(capsys):
    first.check(off_by_one)
    assert not progress.is_right(first.lesson, "first")
    first.check(first.solution_function)
    assert progress.is_right(first.lesson, "first")
    assert "✔ Right: first" in capsys.readouterr().out


def test_check_raises_where_strict(monkeypatch):
    monkeypatch.setenv("MEDLEARN_STRICT", "1")
    with pytest.raises(ExerciseNotRight, match="You stopped one too early"):
        first.check(off_by_one)
    with pytest.raises(ExerciseNotRight, match="Not tried yet"):
        first.check(...)
    first.check(first.solution_function)


def test_check_on_a_full_disk_is_right_all_the_same(monkeypatch, capsys):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    first.check(first.solution_function)
    said = capsys.readouterr().out
    assert "✔ Right" in said and "No space left on device" in said
    assert list(progress.progress_folder().rglob("*")) == [progress.progress_folder() / first.lesson]


def test_hint_goes_on_to_the_last(capsys):
    for _ in range(3):
        first.hint()
    said = capsys.readouterr().out
    assert said.count("Hint 1 of 2") == 1 and said.count("Hint 2 of 2") == 2
    with pytest.raises(ValueError, match="has the hints 1 to 2"):
        first.hint(3)


def test_solution_is_the_tested_code_itself(capsys):
    first.solution()
    said = capsys.readouterr().out
    assert (
        "def first(values, width):\n    # the caller's data stay as they are\n    return values[:width].copy()" in said
    )
    assert "@exercise" not in said


def test_solution_of_a_value_exercise_can_be_pasted():
    scope = {}
    exec(legs.solution_source(), scope)
    assert legs.solution_source() == "legs = 2 + 2" and legs.evaluate(scope["legs"]).state == RIGHT


def test_evaluate_lines_up_what_came_back_and_what_was_expected():
    message = first.evaluate(lambda values, width: values[:width] + 1)
    assert message.code.splitlines()[1:] == ["Came back array([1., 2., 3.])", "Expected  array([0., 1., 2.])"]
    assert f"<pre>{message.code}</pre>" in message._repr_html_()


def test_messages_are_escaped_in_html():
    message = first.evaluate(lambda values, width: "<script>alert(1)</script>")
    assert "<script>" not in message._repr_html_()
    assert "✘" in message._repr_html_()


def test_lesson_00_holds():
    assert_exercises_hold(lesson_00)


def test_assert_exercises_hold_fails_for_a_mistake_that_is_none():
    class Module:
        __name__ = "broken"

    @exercise(task="Zero.", mistakes=[(lambda: 0, "Wrong.")], hints=["?"])
    def zero():
        return 0

    module = Module()
    module.zero = zero
    with pytest.raises(AssertionError, match=r"on 'Wrong\.' said: ✔ Right: zero"):
        assert_exercises_hold(module)
