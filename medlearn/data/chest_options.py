"""Checks of the options of the simulated chest CT: each returns a plain number, or says what was expected."""

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
        raise ValueError(f"{name} must be a whole number, {low} to {high}, got {value!r}.")
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


def check_view(num_pixels, spacing_mm, num_slices, slice_spacing_mm, slice_thickness_mm, middle_mm):
    """Return the options of the grid as plain numbers; the thickness is that of the spacing if it is not given."""
    slice_spacing_mm = check_number("slice_spacing_mm", slice_spacing_mm, 0.3, 20)
    thickness_mm = slice_spacing_mm if slice_thickness_mm is None else slice_thickness_mm
    return (
        check_whole("num_pixels", num_pixels, 8, 1024),
        check_number("spacing_mm", spacing_mm, 0.3, 20),
        None if num_slices is None else check_whole("num_slices", num_slices, 1, 2000),
        slice_spacing_mm,
        check_number("slice_thickness_mm", thickness_mm, 0.3, 20),
        check_number("middle_mm", middle_mm, -300, 200),
    )


def check_count(num_nodules):
    """Return the number of nodules, or None where it is to be drawn."""
    return None if num_nodules is None else check_whole("num_nodules", num_nodules, 0, 50)
