"""The exercise engine: check a learner's answer, name the mistake, give hints, show the tested solution."""

import copy
import inspect
import os
import re
import textwrap
import time
import traceback

import numpy as np

from medlearn.exercises import progress
from medlearn.exercises.compare import describe, explain_difference, is_blank, same
from medlearn.exercises.messages import NOT_TRIED, RIGHT, WRONG, Message, show

# What Python and NumPy say when code meets a `...` that is still in it; an index error speaks of (`...`) otherwise.
BLANK_IN_ERROR = re.compile(r"'ellipsis'|not ellipsis|of type ellipsis|'Ellipsis'")

NOT_THE_LEARNERS = re.compile(rf"{re.escape(__file__)}|site-packages|lib.python3\.\d+")

__all__ = ["Exercise", "ExerciseNotRight", "exercise", "exercises_of"]


class ExerciseNotRight(AssertionError):
    """Raised by a check instead of printing, where ``MEDLEARN_STRICT=1``: what a grader runs."""


class Exercise:
    """One exercise: its solution, the inputs it is tried on, the usual mistakes and the hints.

    Made by :func:`exercise`. A solution without parameters makes a *value exercise*: the learner passes the value
    itself, not a function.
    """

    def __init__(self, solution, *, task, hints, mistakes, cases=None, compare=None, rtol=1e-6, atol=1e-8):
        self.name = solution.__name__
        self.lesson = solution.__module__.rpartition(".")[2]
        self.task = task
        self.hints = tuple(hints)
        self.mistakes = tuple(mistakes)
        self.solution_function = solution
        self.is_value = not inspect.signature(solution).parameters
        self._cases = cases or (lambda rng: [()])
        self._tolerances = {"rtol": rtol, "atol": atol}
        self._compare = compare
        self._hints_shown = 0

    def __repr__(self):
        return f"<Exercise {self.lesson}.{self.name}: .check(answer), .hint(), .solution()>"

    def cases(self):
        """Return the argument tuples that an answer is tried on; the same ones every time."""
        return self._cases(np.random.default_rng(0))

    def evaluate(self, answer):
        """Judge an answer without showing or remembering anything.

        Parameters
        ----------
        answer : object
            The learner's function; for a value exercise, the value.

        Returns
        -------
        Message
            Its ``state`` is ``RIGHT``, ``WRONG`` or ``NOT_TRIED``; its ``text`` says why.
        """
        try:
            return self._evaluate(answer)
        except Exception as error:  # so odd a thing that it can be neither compared nor shown
            return self._wrong(f"What came back cannot be compared: {type(error).__name__}. Asked: {self.task}")

    def _evaluate(self, answer):
        if is_blank(answer):
            return self._not_tried()
        if self.is_value:
            if inspect.isroutine(answer):
                return self._wrong(f"A function came; this exercise asks for a value: check({self.name}).")
            return self._judge([()], [answer])
        if not callable(answer):
            return self._wrong(
                f"{describe(answer)} came; expected the function itself. Write check({self.name}),"
                f" without calling it: not check({self.name}(...))."
            )
        return self._try(answer)

    def check(self, answer):
        """Judge an answer, show what was found, and remember it where it is right.

        Raises
        ------
        ExerciseNotRight
            If the answer is not right and ``MEDLEARN_STRICT=1``.
        """
        message = self.evaluate(answer)
        if message.state == RIGHT:
            message = self._remember(message)
        elif os.environ.get("MEDLEARN_STRICT") == "1":
            raise ExerciseNotRight(str(message))
        show(message)

    def hint(self, number=None):
        """Show the next hint, or the one with this number (from 1)."""
        if number is None:
            number = min(self._hints_shown + 1, len(self.hints))
        if number not in range(1, len(self.hints) + 1):
            raise ValueError(f"hint {number} came; {self.name} has the hints 1 to {len(self.hints)}.")
        self._hints_shown = number
        left = len(self.hints) - number
        after = f"{left} more: call hint() again." if left else "That was the last one; solution() shows the code."
        show(Message("hint", f"Hint {number} of {len(self.hints)}", f"{self.hints[number - 1]}\n{after}"))

    def solution(self):
        """Show the solution: the very code that the tests run."""
        show(Message("solution", f"Solution of {self.name}", "", code=self.solution_source()))

    def solution_source(self):
        """Return the solution's source, without its decorator; of a value exercise, the lines that give the value."""
        lines = textwrap.dedent(inspect.getsource(self.solution_function)).splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("def "))
        if not self.is_value:
            return "\n".join(lines[first:])
        return re.sub(
            r"^return ", f"{self.name} = ", textwrap.dedent("\n".join(lines[first + 1 :])), flags=re.MULTILINE
        )

    def _try(self, answer):
        """Run the learner's function on every case, then judge what came back."""
        cases, results = self.cases(), []
        problem = self._signature_problem(answer, cases[0])
        if problem:
            return self._wrong(problem)
        for arguments in cases:
            given = copy.deepcopy(arguments)
            started = time.monotonic()
            try:
                result = answer(*given)
            except KeyboardInterrupt as error:
                seconds = f"{time.monotonic() - started:.0f} s"
                return self._wrong(f"You stopped it after {seconds}, {_where(error, answer)}\nDoes this loop end?")
            except (Exception, SystemExit) as error:
                if BLANK_IN_ERROR.search(str(error)):
                    return self._not_tried(f"There is still a `...` {_where(error, answer)}")
                code = f"{_where(error, answer)}\nCalled as {self._call(arguments)}."
                return self._wrong(f"{type(error).__name__}: {error}", code)
            if is_blank(result):
                return self._not_tried()
            changed = self._changed_argument(arguments, given)
            if changed:
                return self._wrong(
                    f"The function changed its input {changed!r}: the caller's own data is different now."
                    " Work on a copy (copy.deepcopy makes one of anything), or build a new result."
                )
            results.append(result.copy() if isinstance(result, np.ndarray) else result)  # the next call may reuse it
        return self._judge(cases, results)

    def _judge(self, cases, results):
        """Compare results with the solution's; where they differ, look for the mistake that explains all of them."""
        expected = [self.solution_function(*copy.deepcopy(arguments)) for arguments in cases]
        if all(self._same(r, e) for r, e in zip(results, expected, strict=True)):
            return Message(RIGHT, f"Right: {self.name}", "")
        for mistake, text in self.mistakes:
            if self._explains(mistake, cases, results):
                return self._wrong(text)
        for arguments, result, wanted in zip(cases, results, expected, strict=True):
            if not self._same(result, wanted):
                return self._wrong(*self._unexplained(arguments, result, wanted))
        raise AssertionError("unreachable: some result differs")

    def _unexplained(self, arguments, result, wanted):
        """Say how a result differs, and show what was asked, what came back and what was expected."""
        problem = explain_difference(result, wanted, **self._tolerances) or "It is not what was asked for."
        if self.is_value:  # the expected value is the answer itself: keep it back
            if not problem.startswith("The type is wrong"):
                problem = problem.split("; the first at")[0].split("; expected")[0].rstrip(".") + "."
            return f"{describe(result)} came. {problem} Asked: {self.task}", ""
        values = {"Asked": self._call(arguments), "Came back": describe(result), "Expected": describe(wanted)}
        return problem, "\n".join(f"{name:10}{_indented(text)}" for name, text in values.items())

    def _explains(self, mistake, cases, results):
        """Tell whether a usual mistake gives the learner's results in every case."""
        for arguments, result in zip(cases, results, strict=True):
            try:
                outcome = mistake(*copy.deepcopy(arguments))
            except Exception:  # this mistake cannot have given a result here, so it is not the learner's
                return False
            if not self._same(result, outcome):
                return False
        return True

    def _same(self, result, expected):
        if self._compare is not None:
            return self._compare(result, expected)
        return same(result, expected, **self._tolerances)

    def _parameters(self):
        return list(inspect.signature(self.solution_function).parameters)

    def _call(self, arguments):
        inside = ", ".join(f"{n}={describe(a)}" for n, a in zip(self._parameters(), arguments, strict=False))
        return f"{self.name}({inside})"

    def _signature_problem(self, answer, arguments):
        try:
            signature = inspect.signature(answer)
        except (ValueError, TypeError):  # some built-in functions have none
            return None
        try:
            signature.bind(*arguments)
        except TypeError as error:
            wanted = ", ".join(self._parameters()[: len(arguments)])
            return f"Your function takes {signature}; the exercise calls it with ({wanted}): {error}."
        return None

    def _changed_argument(self, arguments, given):
        for name, before, after in zip(self._parameters(), arguments, given, strict=False):
            has_content = type(before).__eq__ is not object.__eq__  # else equality says nothing of a copy
            if has_content and not same(after, before, rtol=0, atol=0):
                return name
        return None

    def _remember(self, message):
        try:
            progress.record(self.lesson, self.name)
        except OSError as error:
            text = f"Your answer is right, but it could not be remembered: {error}."
            return Message(message.state, message.title, text)
        return message

    def _wrong(self, text, code=""):
        return Message(WRONG, f"Not yet: {self.name}", text, code)

    def _not_tried(self, text=""):
        return Message(NOT_TRIED, f"Not tried yet: {self.name}", "\n".join(filter(None, [self.task, text])))


def exercise(*, task, hints, mistakes, cases=None, compare=None, rtol=1e-6, atol=1e-8):
    """Turn a solution into an :class:`Exercise` (a decorator).

    Parameters
    ----------
    task : str
        What is asked, in a sentence.
    hints : list of str
        From the gentlest to the one that nearly tells.
    mistakes : list of (function, str)
        The wrong code that learners write, and the message that names it. Same parameters as the solution.
    cases : function of a numpy Generator, returning a list of argument tuples
        What an answer is tried on. Left out where the solution takes no parameters (a value exercise).
    compare : function of (result, expected), returning bool, optional
        For objects that :func:`medlearn.exercises.compare.same` does not know.
    rtol, atol : float
        Tolerances of numbers.

    Examples
    --------
    >>> @exercise(task="Add one.", hints=["What is one more?"], cases=lambda rng: [(1,), (5,)],
    ...           mistakes=[(lambda x: x - 1, "You took one away.")])
    ... def add_one(x):
    ...     return x + 1
    >>> print(add_one.evaluate(lambda x: x - 1))
    ✘ Not yet: add_one
    You took one away.
    >>> add_one.evaluate(lambda x: x + 1).state
    'right'
    """

    def decorate(solution):
        options = {"cases": cases, "compare": compare, "rtol": rtol, "atol": atol}
        return Exercise(solution, task=task, hints=hints, mistakes=mistakes, **options)

    return decorate


def exercises_of(module):
    """Return the exercises of a lesson's module, in the order in which they are written."""
    return [value for value in vars(module).values() if isinstance(value, Exercise)]


def _indented(text):
    """Line up the rows of an array below one another, beside its label of ten characters."""
    return text.replace("\n", "\n" + " " * 10)


def _where(error, answer):
    """Say in which line of the learner's own code an exception arose."""
    code = getattr(inspect.unwrap(answer), "__code__", None)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not NOT_THE_LEARNERS.search(f.filename)]
    own = [f for f in frames if code is not None and f.filename == code.co_filename]
    if not frames:
        return f"inside {getattr(answer, '__name__', 'what you passed')}, which has no line of your own code."
    frame = (own or frames)[-1]
    return f"in line {frame.lineno} of your code:\n    {textwrap.shorten(frame.line or '', 100)}"
