"""The options of simulated patients: each check returns a plain number, or says what was expected."""

from numbers import Integral, Real

import numpy as np


def check_whole(name, value, low, high):
    """Return a whole number of Python, so that a small type of NumPy does not overflow later.

    Examples
    --------
    >>> check_whole("seed", 3, 0, 9)
    3
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        limits = f"{low} to {high}" if high < np.inf else f"{low} or more"
        raise ValueError(f"{name} must be a whole number, {limits}, got {value!r}.")
    return int(value)


def check_number(name, value, low, high, *, hint=""):
    """Return a float between two limits, both allowed.

    Examples
    --------
    >>> check_number("spacing_mm", 1, 0.3, 20)
    1.0
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= value <= high:
        raise ValueError(f"{name} must be {low} to {high}{hint}, got {value!r}.")
    return float(value)


def check_flag(name, value):
    """Return a bool; 0 and 1 stand for one, a word or a missing value does not.

    Examples
    --------
    >>> check_flag("contrast", 1)
    True
    """
    if not isinstance(value, (Real, np.bool_)) or value not in (0, 1):
        raise ValueError(f"{name} must be True or False, got {value!r}.")
    return bool(value)


def patient_seeds(num_patients, seed):
    """Return the seeds of the patients of a set; two sets share none.

    Examples
    --------
    >>> patient_seeds(3, 7)
    range(70000, 70003)
    """
    seed = check_whole("seed", seed, 0, 10**12)
    num_patients = check_whole("num_patients", num_patients, 1, 10_000)
    return range(seed * 10_000, seed * 10_000 + num_patients)
