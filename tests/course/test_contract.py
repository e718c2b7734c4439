"""The lesson contract: each thing that the builder refuses, with its file, its line and its mend."""

import json
from dataclasses import replace

import pytest
from build import glossary_terms
from contract import lesson_problems
from lesson_source import read_source
from syllabus import COURSE, CourseError, load_syllabus

LESSON = load_syllabus().lessons[0]
TEXT = (COURSE / "lessons" / f"{LESSON.name}.py").read_text(encoding="utf-8")
QUIZ = json.loads((COURSE / "quizzes" / f"{LESSON.name}.json").read_text(encoding="utf-8"))


def problems_of(tmp_path, text=TEXT, quiz=QUIZ):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "quizzes").mkdir()
    (tmp_path / "lessons" / f"{LESSON.name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "quizzes" / f"{LESSON.name}.json").write_text(json.dumps(quiz, indent=1), encoding="utf-8")
    return lesson_problems(LESSON, read_source(LESSON.name, course=tmp_path), glossary_terms())


def line_of(text, part):
    return next(i for i, line in enumerate(text.splitlines(), start=1) if part in line)


def test_lesson_problems_of_a_good_lesson(tmp_path):
    assert problems_of(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "marker", "what", "mend"),
    [
        (
            'tags=["exercise"]',
            'tags=["exercice"]',
            'tags=["exercice"]',
            "The tag 'exercice' is unknown",
            "Use one of check",
        ),
        ("## Real patients", "## Real people", "## Summary", "'Real patients' is missing", "A lesson ends with"),
        ("### Key terms", "### Terms", "## Summary", "'### Key terms' is missing", "Add it"),
        ("https://doi.org/10.", "see 10.", "## Summary", "has no DOI", "Cite by DOI"),
        (
            "from medlearn import doctor",
            "from . import doctor",
            "from . import doctor",
            "is relative",
            "from medlearn import",
        ),
        (
            "ex.num_voxels.check(num_voxels)",
            "ex.num_pixels.check(num_voxels)",
            None,
            "no exercise 'num_pixels'",
            "lesson_00 has",
        ),
        ("num_voxels = ...  #", "num_voxels = 3  #", "num_voxels = 3", "has no blank", "Write `...`"),
        ("glossary:voxel", "glossary:voxle", "## Summary", "no term 'voxle'", "course/glossary.md"),
        ("# Welcome.", "# # Welcome.", "# # Welcome.", "is typed here", "drawn from syllabus.yml"),
        (
            "figure, axis = plt.subplots",
            "plt.show()\nfigure, axis = plt.subplots",
            "plt.show()",
            "no alternative text",
            "plots.picture",
        ),
        ("doctor.examine()", "doctor.examine(]", "doctor.examine(]", "This is not Python", "Mend it"),
        ("doctor.examine()", "print(positive_predictive_value)", None, None, None),
        ("doctor.examine()", "print(num_voxels)", "print(num_voxels)", "the learner's answer", "Use the library's"),
        ("# # Your machine", "#", None, None, None),
        (
            "## Your machine is enough",
            "## One\n#\n# ## Two\n#\n# ## Three\n#\n# ## Four\n#\n# ## Five",
            None,
            "9 sections of ideas",
            "split",
        ),
        (
            "# **Predict:** will the doctor",
            "# Guess: will the doctor",
            "## Your machine",
            "asks for no prediction",
            "**Predict:**",
        ),
    ],
)
def test_lesson_problems_name_line_and_mend(tmp_path, old, new, marker, what, mend):
    text = TEXT.replace(old, new)
    found = problems_of(tmp_path, text)
    if what is None:  # a change that breaks nothing
        assert found == []
        return
    [problem] = [p for p in found if what in p.what][:1]
    assert mend in problem.mend
    assert problem.path == tmp_path / "lessons" / f"{LESSON.name}.py"
    if marker is not None:
        # the cell's marker, the heading or the line itself: within the cell, never far away
        assert abs(problem.line - line_of(text, marker)) <= 1


def test_lesson_problems_of_too_few_exercises(tmp_path):
    text = TEXT.replace('tags=["exercise"]', "").replace('tags=["check"]', "")
    assert "0 exercises." in [p.what for p in problems_of(tmp_path, text)]


def test_lesson_problems_of_an_exercise_left_out(tmp_path):
    text = TEXT.replace("ex.num_voxels.check(num_voxels)", "print(1)")
    whats = [p.what for p in problems_of(tmp_path, text)]
    assert "The code cell after this exercise is not its check." in whats
    assert "The exercise 'num_voxels' is not in the lesson." in whats


def test_lesson_problems_of_a_long_cell(tmp_path):
    text = TEXT.replace("doctor.examine()", "\n".join(f"x{i} = {i}" for i in range(20)))
    [problem] = problems_of(tmp_path, text)
    assert "The cell has 21 lines of code." == problem.what
    assert problem.line == line_of(text, "from medlearn import doctor") - 1


def test_lesson_problems_of_a_short_quiz(tmp_path):
    [problem] = problems_of(tmp_path, quiz=QUIZ[:4])
    assert (problem.path.name, problem.what) == (f"{LESSON.name}.json", "The quiz has 4 questions.")


@pytest.mark.parametrize("quiz", [[1, 2, 3, 4, 5], None, [{**QUIZ[0], "type": "multiple_choise"}, *QUIZ[1:]]])
def test_lesson_problems_of_a_quiz_that_jupyterquiz_cannot_read(tmp_path, quiz):
    [problem] = problems_of(tmp_path, quiz=quiz)
    assert problem.what == "This is not what JupyterQuiz reads." and "multiple_choice" in problem.mend


def test_lesson_problems_of_a_summary_inside_another_cell(tmp_path):
    [problem] = problems_of(tmp_path, TEXT.replace("# %% [markdown]\n# ## Summary", "#\n# ## Summary"))
    assert problem.what == "'## Summary' does not begin its cell."


def test_lesson_problems_of_a_lesson_without_exercises(tmp_path):
    problems_of(tmp_path)
    lesson = replace(LESSON, number="77")
    whats = [p.what for p in lesson_problems(lesson, read_source(LESSON.name, course=tmp_path), glossary_terms())]
    assert whats == ["There is no module medlearn.exercises.lesson_77."]


@pytest.mark.parametrize("marker", ['# %% [markdown] tags=["check"]', "# %% [raw]"])
def test_lesson_problems_of_tags_that_prose_has_not(tmp_path, marker):
    found = problems_of(tmp_path, TEXT.replace("# %% [markdown]\n# Welcome", f"{marker}\n# Welcome"))
    assert [p.line for p in found if "Only code cells have tags" in p.mend] == [1]


def test_lesson_problems_ignore_headings_in_fenced_code(tmp_path):
    fenced = "# Welcome.\n#\n# ```bash\n# # install\n# ## x\n# ```\n#"
    assert problems_of(tmp_path, TEXT.replace("# Welcome.", fenced)) == []


def test_lesson_problems_of_an_answer_below_its_question(tmp_path):
    text = TEXT.replace("# %%\nimage = np.array", '# %% tags=["nbval-check-output"]\nimage = np.array')
    [problem] = problems_of(tmp_path, text)
    assert "asks to predict it" in problem.what and problem.line == line_of(text, "image = np.array") - 1


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("num_voxels = num_voxels * 2", 1),
        ("def g():\n    return num_voxels", 1),
        ("def g(num_voxels):\n    return num_voxels", 0),
        ("for num_voxels in range(3):\n    print(num_voxels)", 0),
        ("num_voxels = 3\nprint(num_voxels)", 0),
    ],
)
def test_lesson_problems_of_a_learners_answer_in_later_code(tmp_path, code, count):
    found = problems_of(tmp_path, TEXT.replace("doctor.examine()", code))
    assert ["the learner's answer" in p.what for p in found] == [True] * count


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda answer: {**answer, "feedback": ""}, "an answer has no reason"),
        (lambda answer: {**answer, "correct": False}, "no answer is correct"),
    ],
)
def test_lesson_problems_of_a_quiz_answer(tmp_path, change, what):
    quiz = [{**QUIZ[0], "answers": [change(a) for a in QUIZ[0]["answers"]]}, *QUIZ[1:]]
    [problem] = problems_of(tmp_path, quiz=quiz)
    assert what in problem.what
    assert problem.line > 1


def test_read_source_refuses_text_before_the_first_cell(tmp_path):
    with pytest.raises(CourseError, match=r"Begin the file with `# %%`"):
        problems_of(tmp_path, "import os\n" + TEXT)


def test_read_source_refuses_a_quiz_that_is_not_json(tmp_path):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "quizzes").mkdir()
    (tmp_path / "lessons" / f"{LESSON.name}.py").write_text(TEXT, encoding="utf-8")
    (tmp_path / "quizzes" / f"{LESSON.name}.json").write_text("[\n {]", encoding="utf-8")
    with pytest.raises(CourseError, match=r"00_start_here\.json:2: This is not JSON"):
        read_source(LESSON.name, course=tmp_path)


def test_read_source_of_a_lesson_without_file(tmp_path):
    with pytest.raises(CourseError, match="The syllabus lists 03_losses, and there is no such lesson"):
        read_source("03_losses", course=tmp_path)


def test_contract_counts_only_code(tmp_path):
    comments = "\n".join("# a comment" for _ in range(30))
    assert problems_of(tmp_path, TEXT.replace("doctor.examine()", f"{comments}\ndoctor.examine()")) == []


def test_lesson_needs_its_own_data(tmp_path):
    from build import _unknown_data

    [problem] = _unknown_data(load_syllabus(), replace(LESSON, data=("no_such_set",)))
    assert "no_such_set" in problem.what and "mitdb" in problem.mend
