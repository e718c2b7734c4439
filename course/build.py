"""Build the notebooks from the lessons: ``python course/build.py [--check] [--force] [LESSON ...]``.

``course/lessons/NN_slug.py``, ``course/quizzes/NN_slug.json`` and ``course/syllabus.yml`` become
``notebooks/NN_slug.ipynb`` and the tables of the README. Only what changed is built; twice in a row gives the same
bytes. A notebook that a learner has written into is set aside, never overwritten.
"""

import argparse
import json
import os
import re
import sys
from datetime import datetime
from pathlib import Path

from assemble import (
    OUTPUT_TAG,
    assemble,
    execute,
    fingerprint_of_cells,
    keep_outputs,
    lesson_map,
    needs_execution,
    to_text,
)
from contract import lesson_problems, term_slug
from lesson_source import read_source
from syllabus import COURSE, ROOT, CourseError, Problem, load_syllabus
from tqdm import tqdm

import medlearn
from medlearn.data import cards

NOTEBOOKS = ROOT / "notebooks"
README = ROOT / "README.md"
ANCHORED_TERM = re.compile(r'^<a id="([^"]*)"></a>\n## (.+)$', flags=re.MULTILINE)  # JupyterLab needs the anchor


def main(arguments=None):
    """Build or check; print each problem with its file, line and mend. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="such as 02_convolution; all of the syllabus if left out")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if anything is not up to date")
    parser.add_argument("--force", action="store_true", help="build even what did not change")
    options = parser.parse_args(arguments)
    try:
        syllabus = load_syllabus()
        problems = course_problems(syllabus, course=COURSE, notebooks=NOTEBOOKS)
        if problems:
            raise CourseError(problems)
        names = _chosen(syllabus, options.lessons)
        if options.check:
            check(syllabus, names)
        else:
            build(syllabus, names, force=options.force)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def build(syllabus, names, *, notebooks=NOTEBOOKS, course=COURSE, force=False):
    """Build the named lessons that changed, with a progress bar, and the README's tables.

    Returns
    -------
    list of str
        The names that were written.
    """
    prepared = [_prepare(syllabus, lesson, course) for lesson in syllabus.lessons if lesson.name in names]
    changed = [(name, nb) for name, nb in prepared if force or not _is_current(notebooks / f"{name}.ipynb", nb)]
    with tqdm(changed, desc="notebooks", unit="lesson", disable=not changed) as bar:
        for name, notebook in bar:
            bar.set_postfix_str(name)
            path = notebooks / f"{name}.ipynb"
            if needs_execution(notebook):
                keep_outputs(notebook, execute(notebook, path=path))
            _set_aside_learners_work(path)
            _write(path, to_text(notebook))
    if notebooks == NOTEBOOKS:
        _write(README, readme_with_tables(syllabus))
    return [name for name, _ in changed]


def check(syllabus, names, *, notebooks=NOTEBOOKS, course=COURSE):
    """Compare the built notebooks and the README with their sources, byte for byte, without writing.

    The kept outputs are taken as they stand: nbval runs the notebooks and compares those.

    Raises
    ------
    CourseError
        Naming each file that is not what its source gives.
    """
    problems = []
    for lesson in syllabus.lessons:
        if lesson.name in names:
            path = notebooks / f"{lesson.name}.ipynb"
            _, notebook = _prepare(syllabus, lesson, course)
            problems += _built_problems(path, notebook)
    if notebooks == NOTEBOOKS and README.read_text(encoding="utf-8") != readme_with_tables(syllabus):
        problems.append(Problem(README, 1, "The tables are not those of the syllabus.", "Run `make notebooks`."))
    if problems:
        raise CourseError(problems)


def course_problems(syllabus, *, course, notebooks):
    """Find lessons that the syllabus does not list, quizzes and notebooks without a lesson."""
    known = {lesson.name for lesson in syllabus.lessons}
    mends = {
        course / "lessons": ("*.py", "Add an entry to syllabus.yml, or remove the file."),
        course / "quizzes": ("*.json", "Name it after its lesson, or remove it."),
        notebooks: ("*.ipynb", "Notebooks are built, not written: move your own to another folder, or remove it."),
    }
    return [
        Problem(path, 1, f"The syllabus lists no lesson {path.stem}.", mend)
        for folder, (pattern, mend) in mends.items()
        for path in sorted(folder.glob(pattern))
        if path.stem not in known and ".mine-" not in path.stem
    ]


def glossary_terms(course=COURSE):
    """Return the slugs of the glossary's terms."""
    text = (course / "glossary.md").read_text(encoding="utf-8")
    return {term_slug(term) for anchor, term in ANCHORED_TERM.findall(text) if anchor == term_slug(term)}


def readme_with_tables(syllabus):
    """Return the README with its generated tables drawn anew."""
    tables = {"lessons": lesson_map(syllabus, folder="notebooks/"), "data": data_table()}
    text = README.read_text(encoding="utf-8")
    for name, table in tables.items():
        begin, end = f"<!-- {name}: drawn by course/build.py -->", f"<!-- end of {name} -->"
        if begin not in text or end not in text:
            what = f"The marks of the table {name!r} are missing."
            raise CourseError([Problem(README, 1, what, f"Put back {begin} and {end}.")])
        head, tail = text.partition(begin)[0], text.partition(end)[2]
        text = f"{head}{begin}\n{table}\n{end}{tail}"
    return text


def data_table():
    """Return the table of data sets and their licences, from the catalogue."""
    rows = ["| Data | What | Licence | Real or simulated |", "|---|---|---|---|"]
    for name, card in cards().items():
        rows.append(f"| `{name}` | {card.title} | {card.licence} | {'simulated' if card.synthetic else 'real'} |")
    return "\n".join(rows)


def _chosen(syllabus, names):
    known = [lesson.name for lesson in syllabus.lessons]
    unknown = sorted(set(names) - set(known))
    if unknown:
        what = f"No lesson {', '.join(unknown)}."
        raise CourseError([Problem(syllabus.path, 1, what, f"Lessons: {', '.join(known)}.")])
    return names or known


def _prepare(syllabus, lesson, course):
    """Read, check and assemble one lesson, without outputs."""
    source = read_source(lesson.name, course=course)
    problems = lesson_problems(lesson, source, glossary_terms(course))
    problems += _unknown_data(syllabus, lesson)
    if problems:
        raise CourseError(problems)
    return lesson.name, assemble(syllabus, lesson, source, version=medlearn.__version__)


def _unknown_data(syllabus, lesson):
    known = cards()
    unknown = ", ".join(name for name in lesson.data if name not in known)
    what = f"Lesson {lesson.number} uses data that the catalogue does not have: {unknown}."
    return [Problem(syllabus.path, lesson.line, what, f"Known: {', '.join(known)}.")] if unknown else []


def _is_current(path, notebook):
    """Tell whether the built notebook already has these cells and this metadata, and keeps outputs where it should."""
    try:
        built = json.loads(path.read_text(encoding="utf-8"))
        return to_text(keep_outputs(notebook, built)) == path.read_text(encoding="utf-8")
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _built_problems(path, notebook):
    if not path.exists():
        return [Problem(path, 1, "The notebook is not built.", "Run `make notebooks`.")]
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        return [Problem(path, 1, "This is not a notebook.", "Run `make notebooks`.")]
    stored = [(i, cell) for i, cell in enumerate(cells) if cell.get("outputs")]
    untagged = [
        cell.get("id", f"number {i}") for i, cell in stored if OUTPUT_TAG not in cell["metadata"].get("tags", [])
    ]
    if untagged:
        mend = "Clear the outputs, or run `make notebooks`: it keeps the text of cells tagged nbval-check-output only."
        return [Problem(path, 1, f"Outputs are stored in untagged cells: {', '.join(untagged)}.", mend)]
    if not _is_current(path, notebook):
        return [Problem(path, 1, "The notebook is not what its lesson gives.", "Run `make notebooks` and commit it.")]
    return []


def _write(path, text):
    """Write a file whole or not at all, with the same bytes on every system."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _set_aside_learners_work(path):
    """Rename a notebook whose cells are not those that were built into it: somebody has worked in it."""
    if not path.exists():
        return
    try:
        built = json.loads(path.read_text(encoding="utf-8"))
        untouched = built["metadata"]["medlearn"]["cells"] == fingerprint_of_cells(built)
    except (ValueError, KeyError, TypeError):
        untouched = False
    if not untouched:
        aside = path.with_suffix(f".mine-{datetime.now():%Y%m%d-%H%M%S-%f}.ipynb")
        path.rename(aside)
        print(f"{path.name} has work in it: set aside as {Path(aside).name}.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
