"""What every lesson promises, checked before it is built (the lesson contract).

Each check is a generator of :class:`Problem`; :func:`lesson_problems` runs them all.
"""

import ast
import importlib.util
import re

from syllabus import Problem

TAGS = {"setup", "hide-input", "exercise", "check", "raises-exception", "nbval-check-output"}
ENDING = ["Real patients", "What you may claim", "Summary"]
MAX_LINES = 15  # of code in a cell that the learner reads
MAX_FOLDED_LINES = 40  # of code in a cell tagged hide-input
MIN_EXERCISES, MIN_QUESTIONS = 3, 5
SECTIONS = range(4, 9)
QUESTION_TYPES = ("multiple_choice", "many_choice", "numeric")
FENCED = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)
GLOSSARY_LINK = re.compile(r"\]\(glossary:([^)]*)\)")


def lesson_problems(lesson, source, glossary):
    """Return all that breaks the contract, in the order of the file.

    Parameters
    ----------
    lesson : Lesson
    source : Source
    glossary : set of str
        The slugs of the glossary's terms.

    Returns
    -------
    list of Problem
    """
    syntax = list(_syntax(source))
    checks = [_tags, _headings, _spoilers, _prose, _quiz]
    found = [p for check in checks for p in check(source)] + list(_glossary(source, glossary))
    if not syntax:
        found += [p for check in (_code, _answers_unused) for p in check(source)]
        found += _exercises(lesson, source)
    return sorted(syntax + found, key=lambda p: (str(p.path), p.line))


def term_slug(term):
    """Turn a glossary heading into its link, as Markdown viewers do: lower case, hyphens for spaces.

    Examples
    --------
    >>> term_slug("Hounsfield unit (HU)")
    'hounsfield-unit-hu'
    """
    return re.sub(r"[^\w\- ]", "", term.strip().lower()).replace(" ", "-")


def _code_cells(source):
    return [cell for cell in source.cells if cell.kind == "code"]


def _syntax(source):
    for cell in _code_cells(source):
        try:
            _ = cell.tree  # parses it
        except SyntaxError as error:
            mend = "A stub returns `...`; it must be Python that runs." if "exercise" in cell.tags else "Mend it."
            yield Problem(source.path, cell.line + (error.lineno or 0), f"This is not Python: {error.msg}.", mend)


def _tags(source):
    for cell in source.cells:
        if cell.kind != "code" and (cell.tags or cell.kind != "markdown"):
            what = f"A {cell.kind} cell with the tags {', '.join(cell.tags) or 'none'}."
            yield Problem(source.path, cell.line, what, "Only code cells have tags; prose is markdown.")
        for tag in sorted(set(cell.tags) - TAGS):
            mend = f"Use one of {', '.join(sorted(TAGS))}."
            yield Problem(source.path, cell.line, f"The tag {tag!r} is unknown.", mend)


def _headings_of(source, level):
    """Return (title, line, index of the cell) of every heading of a level in the prose."""
    found = []
    for index, cell in enumerate(source.cells):
        if cell.kind == "markdown":
            for offset, line in enumerate(FENCED.sub(_blank_lines, cell.source).splitlines(), start=1):
                match = re.match(rf"{'#' * level} (.+)", line)
                if match:
                    found.append((match[1].strip(), cell.line + offset, index))
    return found


def _spoilers(source):
    """Find kept outputs below a question: a learner would read the answer before running anything."""
    asked = False
    for cell in source.cells:
        if cell.kind == "markdown":
            asked = "**Predict" in cell.source
        elif asked and "nbval-check-output" in cell.tags:
            what = "The output of this cell is kept, and the text above asks to predict it."
            yield Problem(source.path, cell.line, what, "Take the tag away, and assert what the prose relies on.")
            asked = False
        else:
            asked = False


def _blank_lines(match):
    """Keep the count of lines, so that what follows keeps its line."""
    return "\n" * match[0].count("\n")


def _headings(source):
    """Check the order of the parts, the number of sections and a prediction in each."""
    for title, line, _ in _headings_of(source, 1):
        what = f"The title {title!r} is typed here."
        yield Problem(source.path, line, what, "It is drawn from syllabus.yml: leave it out.")
    sections = _headings_of(source, 2)
    titles = [title for title, _, _ in sections]
    if titles[-len(ENDING) :] != ENDING:
        lacks = [title for title in ENDING if title not in titles]
        what = f"The part {lacks[0]!r} is missing." if lacks else "The parts at the end are not in their order."
        line = sections[-1][1] if sections else 1
        yield Problem(source.path, line, what, f"A lesson ends with ## {', ## '.join(ENDING)}.")
        return
    ideas = sections[: -len(ENDING)]
    if len(ideas) not in SECTIONS:
        what = f"{len(ideas)} sections of ideas before 'Real patients'."
        mend = f"Have {SECTIONS[0]} to {SECTIONS[-1]}, one idea each, or split the lesson in two."
        yield Problem(source.path, 1, what, mend)
    for (title, line, start), (_, _, end) in zip(ideas, sections[1:], strict=False):
        if not any("**Predict" in cell.source for cell in source.cells[start:end]):
            what = f"Section {title!r} asks for no prediction."
            yield Problem(source.path, line, what, "Add a line **Predict:** ...")
    yield from _summary(source, sections[-1])


def _summary(source, summary):
    _, line, index = summary
    end = "\n".join(cell.source for cell in source.cells[index:])
    if not source.cells[index].source.startswith("## Summary"):
        mend = "Put `# %% [markdown]` before it: the quiz goes there."
        yield Problem(source.path, line, "'## Summary' does not begin its cell.", mend)
    for heading in ("### Key terms", "### Further reading"):
        if heading not in end:
            yield Problem(source.path, line, f"{heading!r} is missing in the summary.", "Add it.")
    if "https://doi.org/10." not in end.partition("### Further reading")[2]:
        mend = "Cite by DOI: [Author Year](https://doi.org/10. ...)."
        yield Problem(source.path, line, "'Further reading' has no DOI.", mend)


def _prose(source):
    for cell in source.cells:
        if cell.kind == "markdown" and re.search(r"!\[\s*\]\(", cell.source):
            mend = "Write it between the brackets."
            yield Problem(source.path, cell.line, "A picture has no alternative text.", mend)


def _glossary(source, glossary):
    for cell in source.cells:
        for slug in GLOSSARY_LINK.findall(cell.source):
            if slug not in glossary:
                what = f"The glossary has no term {slug!r}."
                mend = "Add it to course/glossary.md: an anchor and a `## Term`, as the others have."
                yield Problem(source.path, cell.line, what, mend)


def _code(source):
    for cell in _code_cells(source):
        lines = [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")]
        most = MAX_FOLDED_LINES if "hide-input" in cell.tags else MAX_LINES
        if len(lines) > most and "exercise" not in cell.tags:
            what = f"The cell has {len(lines)} lines of code."
            mend = f"Have at most {most}: split it, or move what is not taught to medlearn."
            yield Problem(source.path, cell.line, what, mend)
        for node in ast.walk(cell.tree):
            line = cell.line + getattr(node, "lineno", 0)
            if isinstance(node, ast.ImportFrom) and node.level:
                mend = "Write the package's name: from medlearn import ..."
                yield Problem(source.path, line, "This import is relative.", mend)
            if isinstance(node, ast.Attribute) and node.attr == "show" and getattr(node.value, "id", "") == "plt":
                mend = "Use plots.picture(figure, alt=...)."
                yield Problem(source.path, line, "plt.show() has no alternative text.", mend)


def _exercises(lesson, source):
    """Pair every exercise cell with its check, and the checks with the lesson's module of exercises."""
    from medlearn.exercises.engine import exercises_of

    cells = _code_cells(source)
    stubs = [i for i, cell in enumerate(cells) if "exercise" in cell.tags]
    if len(stubs) < MIN_EXERCISES:
        mend = f"Have {MIN_EXERCISES} or more, each in a cell tagged exercise."
        yield Problem(source.path, 1, f"{len(stubs)} exercises.", mend)
    checked = []
    for i in stubs:
        follower = cells[i + 1] if i + 1 < len(cells) else cells[i]
        match = re.search(r"\bex\.(\w+)\.check\(", follower.source)
        if "check" not in follower.tags or not match:
            what = "The code cell after this exercise is not its check."
            yield Problem(source.path, cells[i].line, what, "Follow it with a cell tagged check: ex.name.check(name).")
        else:
            checked.append(match[1])
        if "..." not in cells[i].source:
            yield Problem(source.path, cells[i].line, "The stub has no blank.", "Write `...` where the learner writes.")
    name = f"medlearn.exercises.lesson_{lesson.number}"
    if importlib.util.find_spec(name) is None:
        yield Problem(source.path, 1, f"There is no module {name}.", "Write the lesson's exercises there.")
        return
    module = importlib.import_module(name)
    known = [exercise.name for exercise in exercises_of(module)]
    for name in sorted(set(checked) - set(known)):
        yield Problem(source.path, 1, f"There is no exercise {name!r}.", f"{module.__name__} has {', '.join(known)}.")
    for name in sorted(set(known) - set(checked)):
        yield Problem(source.path, 1, f"The exercise {name!r} is not in the lesson.", "Add its stub and its check.")


def _answers_unused(source):
    """Check that no other cell uses what an exercise defines: an unsolved notebook runs to its end."""
    cells = _code_cells(source)
    for index, cell in enumerate(cells):
        if "exercise" not in cell.tags:
            continue
        names = _defined(cell.tree)
        for statement, other in ((s, cell) for cell in cells[index + 2 :] for s in cell.tree.body):
            nodes = list(ast.walk(statement))
            bound = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            bound |= {n.arg for n in nodes if isinstance(n, ast.arg)}
            own = set() if isinstance(statement, (ast.Assign, ast.AugAssign)) else bound  # `x = x + 1` reads x first
            for node in nodes:
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names - own:
                    what = f"This uses {node.id!r}, which is the learner's answer."
                    yield Problem(source.path, other.line + node.lineno, what, "Use the library's, or another name.")
            names -= bound | _defined(ast.Module([statement], []))


def _defined(tree):
    """Return the names that a cell's top level binds."""
    names = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {t.id for target in targets for t in ast.walk(target) if isinstance(t, ast.Name)}
    return names


def _is_question(question):
    answers = question.get("answers") if isinstance(question, dict) else None
    return (
        isinstance(answers, list)
        and all(isinstance(a, dict) for a in answers)
        and question.get("type") in QUESTION_TYPES
    )


def _quiz(source):
    quiz = source.quiz
    if not (isinstance(quiz.questions, list) and all(_is_question(question) for question in quiz.questions)):
        mend = "Write a list of {question, type, answers}; type is one of " + ", ".join(QUESTION_TYPES)
        yield Problem(quiz.path, 1, "This is not what JupyterQuiz reads.", mend + ".")
        return
    if len(quiz.questions) < MIN_QUESTIONS:
        what = f"The quiz has {len(quiz.questions)} questions."
        yield Problem(quiz.path, 1, what, f"Write {MIN_QUESTIONS} or more.")
    for question in quiz.questions:
        text = str(question.get("question", ""))
        line = next((i for i, row in enumerate(quiz.text.splitlines(), 1) if text and text[:30] in row), 1)
        answers = question.get("answers", [])
        if not text or not answers:
            yield Problem(quiz.path, line, "A question has no text or no answers.", "JupyterQuiz needs both.")
        if any(not answer.get("feedback") for answer in answers):
            yield Problem(quiz.path, line, f"{text[:40]!r}: an answer has no reason.", "Give each answer its feedback.")
        if answers and not any(answer.get("correct") for answer in answers):
            yield Problem(quiz.path, line, f"{text[:40]!r}: no answer is correct.", "Mark one.")
