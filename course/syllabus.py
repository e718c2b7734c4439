"""Read ``syllabus.yml``: the one ordered list of lessons."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

COURSE = Path(__file__).resolve().parent
ROOT = COURSE.parent


@dataclass(frozen=True)
class Problem:
    """What the builder refuses: where it stands, what is wrong, and how to mend it."""

    path: Path
    line: int
    what: str
    mend: str

    def __str__(self):
        path = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path
        return f"{path}:{self.line}: {self.what} {self.mend}"


class CourseError(ValueError):
    """One or more problems of the course's sources, each with its file, line and mend."""

    def __init__(self, problems):
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Lesson:
    """One lesson of the syllabus; ``line`` is where its entry begins."""

    number: str
    slug: str
    title: str
    minutes: int
    needs: tuple[str, ...]
    objectives: tuple[str, ...]
    data: tuple[str, ...]
    seconds: int
    memory_mb: int
    line: int

    @property
    def name(self):
        """Number and slug, the stem of the lesson's files."""
        return f"{self.number}_{self.slug}"


@dataclass(frozen=True)
class Syllabus:
    """The course: its public address, its lessons in order, and the titles that are planned."""

    path: Path
    repository: str
    lessons: tuple[Lesson, ...]
    planned: tuple[tuple[str, str], ...]


FIELDS = {"number", "slug", "title", "minutes", "needs", "objectives", "data", "budget"}


def load_syllabus(path=COURSE / "syllabus.yml"):
    """Read the syllabus.

    Raises
    ------
    CourseError
        If it is not YAML, or an entry lacks a field, has an unknown one or a value of the wrong kind.
    """
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = error.problem_mark.line + 1 if getattr(error, "problem_mark", None) else 1
        raise CourseError([Problem(path, line, f"This is not YAML: {error.problem}.", "Mend the syntax.")]) from error
    entries = content.get("lessons") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        mend = "Write `lessons:`, then entries that begin with `- number:`."
        raise CourseError([Problem(path, 1, "`lessons` is not a list of entries.", mend)])
    lines = _entry_lines(text)
    problems = [p for entry, line in zip(entries, lines, strict=True) for p in _entry_problems(path, entry, line)]
    if problems:
        raise CourseError(problems)
    lessons = tuple(_lesson(entry, line) for entry, line in zip(entries, lines, strict=True))
    problems = _order_problems(path, lessons)
    if problems:
        raise CourseError(problems)
    planned = tuple((p["number"], p["title"]) for p in content.get("planned") or [])
    return Syllabus(path, content.get("repository") or "", lessons, planned)


def _entry_lines(text):
    """Return where each entry of `lessons` begins, from YAML itself: any order of its fields, any way of writing."""
    nodes = {key.value: value for key, value in yaml.compose(text, Loader=yaml.SafeLoader).value}
    return [node.start_mark.line + 1 for node in nodes["lessons"].value]


def _entry_problems(path, entry, line):
    """Find what an entry lacks, has too much, or has of the wrong kind."""
    name = f"Lesson {entry.get('number')!r}"
    missing, unknown = sorted(FIELDS - entry.keys()), sorted(entry.keys() - FIELDS)
    if missing:
        yield Problem(path, line, f"{name} lacks {', '.join(missing)}.", "Add the field; the entry above shows how.")
    if unknown:
        yield Problem(path, line, f"{name} has the unknown field {', '.join(unknown)}.", f"Known: {sorted(FIELDS)}.")
    if missing or unknown:
        return
    if not isinstance(entry["number"], str) or not re.fullmatch(r"\d\d[a-z]?", entry["number"]):
        yield Problem(path, line, f"{name}: not a lesson number.", 'Write two digits in quotes, such as "03" or "03a".')
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(entry["slug"])):
        yield Problem(path, line, f"{name}: the slug {entry['slug']!r}.", "Use lower-case letters, digits and _.")
    for field in ("needs", "objectives", "data"):
        if not isinstance(entry[field], list) or not all(isinstance(item, str) for item in entry[field]):
            yield Problem(path, line, f"{name}: {field} is {entry[field]!r}.", "Write a list of texts.")
    if not isinstance(entry["title"], str) or not isinstance(entry["minutes"], int):
        what = f"{name}: title {entry['title']!r} and minutes {entry['minutes']!r}."
        yield Problem(path, line, what, "The title is a text, the minutes are a whole number.")
    if not entry["objectives"]:
        yield Problem(path, line, f"{name} has no objectives.", "Say what the learner will be able to do.")
    budget = entry["budget"]
    fields = {"seconds", "memory_mb"}
    if not isinstance(budget, dict) or budget.keys() != fields or not all(isinstance(v, int) for v in budget.values()):
        yield Problem(path, line, f"{name}: budget is {budget!r}.", "Write {seconds: 60, memory_mb: 1500}.")


def _lesson(entry, line):
    lists = {field: tuple(entry[field]) for field in ("needs", "objectives", "data")}
    rest = {field: entry[field] for field in ("number", "slug", "title", "minutes")}
    return Lesson(**rest, **lists, **entry["budget"], line=line)


def _order_problems(path, lessons):
    """Check that numbers rise, and that a lesson needs only earlier ones."""
    problems, earlier = [], []
    for lesson in lessons:
        if earlier and lesson.number <= earlier[-1]:
            what = f"Lesson {lesson.number} comes after {earlier[-1]}."
            problems.append(Problem(path, lesson.line, what, "Order the lessons by their numbers, each once."))
        for need in lesson.needs:
            if need not in earlier:
                what = f"Lesson {lesson.number} needs {need}, which does not come before it."
                problems.append(Problem(path, lesson.line, what, f"Earlier lessons: {', '.join(earlier) or 'none'}."))
        earlier.append(lesson.number)
    return problems
