"""What the exercises of every lesson hold, found by glob: a new lesson's module is tested here without a new line."""

import ast
import importlib
from pathlib import Path

import numpy as np
import pytest
from assemble import SETUP
from lesson_source import read_source
from syllabus import load_syllabus

import medlearn
from medlearn.exercises.engine import exercises_of
from medlearn.exercises.testing import assert_exercises_hold

LESSONS = {lesson.number: lesson.name for lesson in load_syllabus().lessons}
FILES = sorted(Path(importlib.import_module("medlearn.exercises").__file__).parent.glob("lesson_*.py"))
MODULES = [importlib.import_module(f"medlearn.exercises.{path.stem}") for path in FILES]
EXERCISES = [(module, exercise) for module in MODULES for exercise in exercises_of(module)]


def number_of(module):
    return module.__name__.rsplit("_", 1)[1]


def cells_until(module, name=None):
    """Return the code cells of a module's lesson, up to the stub of one exercise."""
    cells = [cell for cell in read_source(LESSONS[number_of(module)]).cells if cell.kind == "code"]
    stop = next((i for i, cell in enumerate(cells) if f"ex.{name}.check(" in cell.source), len(cells))
    return cells[:stop]


def imported_before(module, name):
    """Return what the lesson's setup and its cells have imported where an exercise is set."""
    setup = SETUP.format(number=number_of(module), install="", version=medlearn.__version__)
    trees = [ast.parse(setup), *(cell.tree for cell in cells_until(module, name))]
    lines = [node for tree in trees for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {}
    exec(compile(ast.Module(lines, []), "imports of the lesson", "exec"), names)
    return names


@pytest.mark.parametrize("module", MODULES, ids=number_of)
def test_each_solution_stub_and_mistake_is_judged_as_it_should(module):
    assert_exercises_hold(module)


@pytest.mark.parametrize("module", [m for m in MODULES if number_of(m) != "00"], ids=number_of)
def test_the_exercises_stand_in_the_order_of_the_lesson(module):
    checks = [cell.source for cell in cells_until(module) if "check" in cell.tags]
    for check, exercise in zip(checks, exercises_of(module), strict=True):
        assert f"ex.{exercise.name}.check(" in check


@pytest.mark.parametrize(("module", "exercise"), EXERCISES, ids=[f"{number_of(m)}-{e.name}" for m, e in EXERCISES])
def test_each_exercise_has_hints_and_mistakes(module, exercise):
    assert 1 <= len(exercise.hints) <= 3
    assert len(exercise.mistakes) >= 3, f"{exercise!r} names {len(exercise.mistakes)} mistakes"


@pytest.mark.parametrize(("module", "exercise"), EXERCISES, ids=[f"{number_of(m)}-{e.name}" for m, e in EXERCISES])
def test_the_solution_runs_when_it_is_pasted_into_the_lesson(module, exercise):
    names = imported_before(module, exercise.name)
    exec(exercise.solution_source(), names)
    assert exercise.evaluate(names[exercise.name]).state == "right"


def test_the_setup_cell_gives_numpy():
    assert imported_before(MODULES[-1], exercises_of(MODULES[-1])[0].name)["np"] is np
