"""What the plotting functions ask of their input, with errors that say how to mend it."""

import numpy as np

from medlearn.intensity import WINDOWS_HU


def check_image(image, *, name="image"):
    """Return ``image`` as a 2-D array of numbers.

    Raises
    ------
    ValueError
        If it is not 2-D, is empty, is not numeric, or has no finite value.

    Examples
    --------
    >>> check_image([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    array = np.asarray(image)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"{name} must be a 2-D array of shape (rows, columns), got shape {array.shape}."
            " Take one slice of a volume first, such as volume[30] or volume[:, 128, :]."
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}. Convert it with .astype(float).")
    if not np.isfinite(array).any():
        raise ValueError(
            f"{name} has no finite value: all {array.size} pixels are NaN or infinite. Look at its source."
        )
    return array


def check_spacing(spacing_mm):
    """Return ``(row_mm, column_mm)`` from one number, a pair, or None.

    Raises
    ------
    ValueError
        If a spacing is not a positive number.

    Examples
    --------
    >>> check_spacing(0.7)
    (0.7, 0.7)
    """
    if spacing_mm is None:
        return None
    pair = np.asarray(spacing_mm, dtype=float).ravel()
    if pair.size not in (1, 2) or not np.isfinite(pair).all() or (pair <= 0).any():
        raise ValueError(
            f"spacing_mm must be one positive number or a pair (row_mm, column_mm), got {spacing_mm!r}."
            " Of a SimpleITK image seen from above: image.GetSpacing() is (x, y, z), so pass (y, x)."
        )
    return float(pair[0]), float(pair[-1])


def window_limits(window_hu):
    """Return ``(low_hu, high_hu)`` of a window: its name or ``(center, width)``.

    Raises
    ------
    ValueError
        If the name is not in :data:`medlearn.geometry.WINDOWS_HU`, or the width is not positive.

    Examples
    --------
    >>> window_limits((40, 400))
    (-160.0, 240.0)
    """
    if isinstance(window_hu, str) and window_hu not in WINDOWS_HU:
        raise ValueError(
            f"there is no window called {window_hu!r}; the names are {', '.join(WINDOWS_HU)}."
            " You can also pass (center, width) in HU."
        )
    pair = WINDOWS_HU[window_hu] if isinstance(window_hu, str) else window_hu
    values = np.asarray(pair, dtype=float).ravel()
    if values.size != 2 or not np.isfinite(values).all() or values[1] <= 0:
        raise ValueError(
            f"window_hu must be (center, width) in HU with a positive width, got {window_hu!r}."
            " The usual lung window is (-600, 1500)."
        )
    return float(values[0] - values[1] / 2), float(values[0] + values[1] / 2)


def display_limits(images, *, window_hu=None, limits=None):
    """Return the lowest and the highest value that a figure of ``images`` shows.

    A window or limits decide; without them, the range of the finite values.

    Raises
    ------
    ValueError
        If both are given, or ``limits`` does not rise.

    Examples
    --------
    >>> import numpy as np
    >>> display_limits([np.array([[0.0, np.nan, 3.0]])])
    (0.0, 3.0)
    """
    if window_hu is not None and limits is not None:
        raise ValueError("give window_hu or limits, not both: each one decides which values are black and white.")
    if window_hu is not None:
        return window_limits(window_hu)
    if limits is not None:
        values = np.asarray(limits, dtype=float).ravel()
        if values.size != 2 or not np.isfinite(values).all() or values[0] >= values[1]:
            raise ValueError(f"limits must be (low, high) with low < high, got {limits!r}.")
        return float(values[0]), float(values[1])
    finite = [image[np.isfinite(image)] for image in images]
    return float(min(f.min() for f in finite)), float(max(f.max() for f in finite))


def check_count(what, names, count):
    """Raise a ValueError unless there are ``count`` names."""
    if isinstance(names, str) or len(names) != count:
        raise ValueError(f"{what} must be a list of {count} texts, one for each, got {names!r}.")
