"""The quiz: what it shows, and what it says of a text that is none. The keyboard is tested in the browser."""

import base64
import json

import pytest
from IPython.utils.capture import capture_output

from medlearn.widgets import quiz

QUESTIONS = [{"question": "1 + 1?", "type": "numeric", "answers": [{"type": "value", "value": 2, "correct": True}]}]


def test_show_quiz_shows_style_quiz_and_script(monkeypatch):
    shown = []
    monkeypatch.setattr(quiz, "display_quiz", lambda questions, colors: shown.append((questions, colors)))
    monkeypatch.setattr(quiz, "display", lambda thing: shown.append(type(thing).__name__))
    quiz.show_quiz(f"\n{base64.b64encode(json.dumps(QUESTIONS).encode()).decode()}\n")
    assert [shown[0], shown[1][0], shown[2]] == ["HTML", QUESTIONS, "Javascript"]
    assert len(set(shown[1][1].values())) == 2


def test_show_quiz_of_a_text_that_is_no_quiz():
    with capture_output(), pytest.raises(ValueError, match="Expecting value"):
        quiz.show_quiz(base64.b64encode(b"no quiz").decode())
