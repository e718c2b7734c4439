"""What every lesson's exercises must hold: the solution is right, the stub is not tried, each mistake is named."""

from medlearn.exercises.engine import exercises_of
from medlearn.exercises.messages import NOT_TRIED, RIGHT, WRONG


def assert_exercises_hold(module):
    """Run each check of a lesson on its solution, on its stub and on every listed mistake.

    Parameters
    ----------
    module : module
        Such as ``medlearn.exercises.lesson_02``.

    Raises
    ------
    AssertionError
        Naming the exercise and what it said.
    """
    exercises = exercises_of(module)
    assert exercises, f"{module.__name__} has no exercises"
    for exercise in exercises:
        _assert_complete(exercise)
        for answer, state in [(_answer(exercise, exercise.solution_function), RIGHT), (..., NOT_TRIED)]:
            message = exercise.evaluate(answer)
            assert message.state == state, f"{exercise!r} on its {'solution' if state == RIGHT else 'stub'}: {message}"
        if not exercise.is_value:
            assert exercise.evaluate(lambda *arguments: ...).state == NOT_TRIED, f"{exercise!r} on a blank function"
        for mistake, text in exercise.mistakes:
            message = exercise.evaluate(_answer(exercise, mistake))
            assert (message.state, message.text) == (WRONG, text), f"{exercise!r} on {text!r} said: {message}"


def _answer(exercise, function):
    """Return what a learner would pass: the function, or for a value exercise what it returns."""
    return function() if exercise.is_value else function


def _assert_complete(exercise):
    assert exercise.task and exercise.hints and exercise.mistakes, f"{exercise!r} lacks a task, hints or mistakes"
    begins = f"{exercise.name} = " if exercise.is_value else f"def {exercise.name}("
    assert begins in exercise.solution_source(), f"{exercise!r} has no source to show"
