"""Lesson 02 in the lab that `make lab` starts: its figures, a slider, the quiz, an exercise."""

import json
import re
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from medlearn.exercises import lesson_02

pytestmark = pytest.mark.browser
LESSON = "02_convolution"
# JupyterQuiz 2.9.6 asks a public server for MathJax and, without one, trips over the version that is missing. Its
# questions and feedback work all the same.
KNOWN_ERRORS = (
    r"cdn\.jsdelivr\.net/npm/mathjax",
    r"Cannot read properties of undefined \(reading '0'\).*evalInContext",
)


@pytest.fixture(scope="module")
def lesson(lab, open_notebook):
    """Lesson 02, open and run from top to bottom."""
    notebook = open_notebook(LESSON, lab.url(LESSON))
    notebook.run_all()
    return notebook


@pytest.fixture(autouse=True)
def picture_of_the_end(request, lab):
    """Keep a screenshot of how each test ends, beside the copy of the course."""
    yield
    if "lesson" in request.fixturenames:
        path = lab.folder.parent / "screenshots" / f"{request.node.name}.png"
        request.getfixturevalue("lesson").page.screenshot(path=path)


def status_of(address):
    try:
        with urllib.request.urlopen(address, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_make_lab_asks_for_its_token(lab):
    assert status_of(f"{lab.address}/api/contents") == 403
    assert status_of(f"{lab.address}/api/contents?token={lab.token}") == 200


def test_make_lab_opens_lesson_00(lab, open_notebook):
    notebook = open_notebook("00_start_here", lab.opening_page.as_uri())
    assert "/lab/tree/" in notebook.page.url and notebook.page.url.endswith("00_start_here.ipynb")
    expect(notebook.cell(0).get_by_role("heading", name="00 Start here")).to_be_visible()
    notebook.page.close()


def test_lesson_runs_without_an_error(lesson):
    assert lesson.tracebacks() == []
    prompts = [text.strip() for text in lesson.cells.locator(".jp-InputPrompt").all_text_contents()]
    assert sum(re.fullmatch(r"\[\d+\]:", prompt) is not None for prompt in prompts) > 20
    assert [prompt for prompt in prompts if prompt == "[ ]:"] == []


def test_every_figure_has_a_description(lesson):
    descriptions = lesson.cells.locator(".jp-OutputArea img").evaluate_all("images => images.map(image => image.alt)")
    assert len(descriptions) > 5
    assert [text for text in descriptions if len(text.strip()) < 20] == []


def test_slider_changes_the_figure_and_its_description(lesson):
    cell = lesson.cell(lesson.index("widgets.explore"))
    figure = cell.locator("img").first
    before = figure.get_attribute("src"), figure.get_attribute("alt")
    handle = cell.locator(".widget-slider .noUi-handle").first
    handle.focus()
    handle.press("ArrowRight")
    expect(figure).not_to_have_attribute("src", before[0])
    expect(figure).not_to_have_attribute("alt", before[1])
    assert figure.get_attribute("src").startswith("data:image/png;base64,")
    assert figure.evaluate("image => image.naturalWidth") > 200


def quiz_question(lab):
    """Return the first question of the quiz with one right answer: its text, and a right and a wrong answer."""
    questions = json.loads((lab.folder / "course" / "quizzes" / f"{LESSON}.json").read_text(encoding="utf-8"))
    question = next(q for q in questions if q["type"] == "multiple_choice")
    right = next(answer for answer in question["answers"] if answer["correct"])
    wrong = next(answer for answer in question["answers"] if not answer["correct"])
    return question["question"], right, wrong


def test_quiz_gives_the_reason_of_a_wrong_and_of_the_right_answer(lesson, lab):
    question, right, wrong = quiz_question(lab)
    shown = lesson.cell(lesson.index("show_quiz")).locator(".Quiz", has_text=question)
    feedback = shown.locator(".Feedback")
    shown.locator(".MCButton").get_by_text(wrong["answer"], exact=True).click()
    expect(feedback).to_have_text(wrong["feedback"])
    expect(feedback).to_have_class(re.compile(r"\bincorrect\b"))
    shown.locator(".MCButton").get_by_text(right["answer"], exact=True).click()
    expect(feedback).to_have_text(right["feedback"])
    expect(feedback).to_have_class(re.compile(r"(^|\s)correct\b"))


def test_quiz_is_answered_by_keyboard(lesson, lab):
    question, *_ = quiz_question(lab)
    cell = lesson.index("show_quiz")
    radios = lesson.cell(cell).locator(".Quiz", has_text=question).locator("input[type=radio]")
    radios.first.focus()
    radios.first.press("ArrowDown")
    expect(radios.nth(1)).to_be_focused()
    expect(radios.nth(1)).to_be_checked()
    assert lesson.cell(cell).locator(".Quiz").first.is_visible()


def test_exercise_names_the_mistake_and_remembers_the_right_answer(lesson, lab):
    stub = lesson.index("def convolve(", tag="exercise")
    check = lesson.index("ex.convolve.check", tag="check")
    remembered = lab.home / "progress" / "lesson_02" / "convolve.json"
    expect(lesson.cell(check)).to_contain_text("Not tried yet: convolve")

    lesson.write(stub, "def convolve(signal, kernel):\n    return np.correlate(signal, kernel, mode='full')")
    lesson.run(check)
    expect(lesson.cell(check)).to_contain_text("Not yet: convolve")
    expect(lesson.cell(check)).to_contain_text("You correlated")
    assert not remembered.exists()

    lesson.write(stub, lesson_02.convolve.solution_source())
    lesson.run(check)
    expect(lesson.cell(check)).to_contain_text("Right: convolve")
    expect(lesson.cell(check)).not_to_contain_text("You correlated")
    assert remembered.exists()


def test_term_leads_to_the_glossary(lesson):
    link = lesson.cells.locator("a[href*='course/glossary.md']").first
    term = link.get_attribute("href").partition("#")[2].replace("-", " ")
    link.click()
    glossary = lesson.page.locator(".jp-MarkdownViewer")
    expect(glossary.get_by_role("heading", name=term)).to_be_in_viewport()


def test_console_shows_no_error_of_ours(lesson):
    # The last test of the module: it looks back at all that was done before.
    unknown = [error for error in lesson.errors if not any(re.search(known, error, re.S) for known in KNOWN_ERRORS)]
    assert unknown == []
