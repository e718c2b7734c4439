"""Read one lesson: a py:percent script into cells that know their line, and the quiz beside it."""

import ast
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jupytext
from syllabus import COURSE, CourseError, Problem


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson's source; ``line`` is that of its ``# %%`` marker."""

    kind: str
    source: str
    tags: tuple[str, ...]
    line: int

    @cached_property
    def tree(self):
        """The syntax tree of a code cell (cached; the source does not change)."""
        return ast.parse(self.source)


@dataclass(frozen=True)
class Quiz:
    """The questions of a lesson, in JupyterQuiz's format, and the file's text."""

    path: Path
    text: str
    questions: list


@dataclass(frozen=True)
class Source:
    """All that an author writes of one lesson."""

    path: Path
    text: str
    cells: tuple[Cell, ...]
    quiz: Quiz


def read_source(name, *, course=COURSE):
    """Read a lesson's script and quiz.

    Raises
    ------
    CourseError
        If a file is missing or cannot be parsed.
    """
    path = course / "lessons" / f"{name}.py"
    if not path.exists():
        what = f"The syllabus lists {name}, and there is no such lesson."
        raise CourseError([Problem(path, 1, what, "Write the file, or take the entry out of syllabus.yml.")])
    text = path.read_text(encoding="utf-8")
    return Source(path, text, _read_cells(path, text), _read_quiz(course / "quizzes" / f"{name}.json"))


def _read_cells(path, text):
    lines = [i for i, line in enumerate(text.splitlines(), start=1) if line.startswith("# %%")]
    cells = jupytext.reads(text, fmt="py:percent").cells
    if len(cells) != len(lines):
        what = f"{len(cells)} cells came of {len(lines)} `# %%` markers."
        raise CourseError([Problem(path, 1, what, "Begin the file with `# %%`, without a jupytext header.")])
    return tuple(
        Cell(cell.cell_type, cell.source, tuple(cell.metadata.get("tags", [])), line)
        for cell, line in zip(cells, lines, strict=True)
    )


def _read_quiz(path):
    if not path.exists():
        raise CourseError([Problem(path, 1, "The lesson has no quiz.", "Write five questions or more in this file.")])
    text = path.read_text(encoding="utf-8")
    try:
        return Quiz(path, text, json.loads(text))
    except json.JSONDecodeError as error:
        what = f"This is not JSON: {error.msg}."
        raise CourseError([Problem(path, error.lineno, what, "Mend the syntax.")]) from error
