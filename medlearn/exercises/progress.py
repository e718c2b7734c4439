"""Remember which exercises are right: one small file each, in the learner's own folder.

A file each needs no lock: two notebooks that finish two exercises at once write two files, and each file appears
whole under its name or not at all.
"""

import contextlib
import html
import importlib
import json
import os
import pkgutil
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_data_path


def progress_folder():
    """Return the folder of the progress files: ``$MEDLEARN_HOME/progress``, else one in the user's data folder.

    Raises
    ------
    OSError
        If the user has no home folder.
    """
    home = os.environ.get("MEDLEARN_HOME")
    try:
        return (Path(home).expanduser() if home else user_data_path("medlearn", appauthor=False)) / "progress"
    except RuntimeError as error:
        raise OSError(f"{error} Set MEDLEARN_HOME to a folder that is yours.") from error


def record(lesson, name):
    """Remember that an exercise is right.

    Parameters
    ----------
    lesson, name : str
        For example ``"lesson_02"`` and ``"convolve"``.

    Returns
    -------
    Path
        The file that says so.

    Raises
    ------
    OSError
        If the file cannot be written. What was remembered before is untouched.
    """
    path = progress_folder() / lesson / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"right_on": datetime.now(UTC).isoformat(timespec="seconds")}, file)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def is_right(lesson, name):
    """Tell whether an exercise was right once. A damaged file is set aside, under a name that ends in ``.damaged``."""
    try:
        path = progress_folder() / lesson / f"{name}.json"
        return "right_on" in json.loads(path.read_text(encoding="utf-8"))
    except OSError:  # no file, or none that can be read
        return False
    except (ValueError, TypeError):
        with contextlib.suppress(OSError):  # a read-only folder, or another notebook was first
            path.replace(path.with_suffix(".json.damaged"))
        return False


@dataclass(frozen=True)
class LessonProgress:
    """How far one lesson is: its title and, for every exercise, whether it was right."""

    number: str
    title: str
    exercises: tuple[tuple[str, bool], ...]

    @property
    def num_right(self):
        """The number of exercises that were right."""
        return sum(right for _, right in self.exercises)

    def _repr_html_(self):
        marks = " ".join(f"{'✔' if right else '○'}&nbsp;{html.escape(name)}" for name, right in self.exercises)
        cells = [self.number, html.escape(self.title), marks, f"{self.num_right}&nbsp;of&nbsp;{len(self.exercises)}"]
        return "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>"


@dataclass(frozen=True)
class CourseProgress:
    """The whole course at a glance; prints as a table of text, shows as a table in a notebook."""

    lessons: tuple[LessonProgress, ...]

    def __str__(self):
        lines = []
        for lesson in self.lessons:
            marks = "".join("■" if right else "□" for _, right in lesson.exercises)
            lines.append(f"{lesson.number}  {lesson.title:<32} {marks}  {lesson.num_right} of {len(lesson.exercises)}")
        return "\n".join([*lines, f"Remembered in {progress_folder()}"])

    def _repr_html_(self):
        rows = "".join(lesson._repr_html_() for lesson in self.lessons)
        head = "<tr><th>Lesson</th><th>Title</th><th>Exercises (✔ right, ○ open)</th><th>Right</th></tr>"
        return f"<table>{head}{rows}</table>"


def course_progress():
    """Look up every exercise of every lesson.

    Returns
    -------
    CourseProgress

    Examples
    --------
    >>> [lesson.number for lesson in course_progress().lessons][:2]
    ['00', '01']
    """
    import medlearn.exercises as package

    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name.startswith("lesson_"))
    return CourseProgress(tuple(_lesson_progress(importlib.import_module(f"{package.__name__}.{n}")) for n in names))


def _lesson_progress(module):
    """Read number and title from the beginning of the module: ``Exercises of lesson 02, Convolution.``"""
    from medlearn.exercises.engine import exercises_of

    number, title = re.match(r"Exercises of lesson (\w+), ([^.:]+)", module.__doc__).groups()
    lesson = module.__name__.rpartition(".")[2]
    return LessonProgress(number, title, tuple((e.name, is_right(lesson, e.name)) for e in exercises_of(module)))
