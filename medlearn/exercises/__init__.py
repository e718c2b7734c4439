"""Exercises that name the learner's actual mistake: one module per lesson, and the engine they share.

A lesson's notebook does ``from medlearn.exercises import lesson_02 as ex`` and then calls
``ex.convolve.check(convolve)``, ``ex.convolve.hint()`` or ``ex.convolve.solution()``.
"""
