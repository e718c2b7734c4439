"""Compare what a learner's code returned with what was expected, and say in words how they differ."""

import sys
from numbers import Number

import numpy as np

SINGLE_PRECISION_RTOL = 1e-5


def is_blank(value):
    """Tell whether a value still has a ``...`` of the stub in it.

    Examples
    --------
    >>> is_blank(...), is_blank((3, ...)), is_blank([1, 2])
    (True, True, False)
    """
    if value is ...:
        return True
    if isinstance(value, (tuple, list)):
        return any(is_blank(item) for item in value)
    if isinstance(value, dict):
        return any(is_blank(item) for item in value.values())
    if isinstance(value, np.ndarray) and value.dtype == object:
        return any(item is ... for item in value.flat)
    return False


def kind_of(value):
    """Name the kind of a value in a learner's words.

    Examples
    --------
    >>> kind_of(3.5), kind_of(np.zeros(2)), kind_of((1, 2)), kind_of(None)
    ('number', 'array', 'sequence', 'nothing')
    """
    if value is None:
        return "nothing"
    if isinstance(value, (bool, np.bool_)):
        return "truth value"
    if isinstance(value, (Number, np.number)):
        return "number"
    if isinstance(value, np.ma.MaskedArray):
        return "masked array"
    if isinstance(value, np.ndarray):
        return "array"
    if _is_instance_of(value, "torch", "Tensor"):
        return "tensor"
    if _is_instance_of(value, "SimpleITK", "Image"):
        return "image"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (tuple, list)):
        return "sequence"
    if isinstance(value, dict):
        return "dictionary"
    return type(value).__name__


def same(result, expected, *, rtol=1e-6, atol=1e-8):
    """Tell whether two values are the same, within tolerance, in kind, shape, dtype kind and content.

    Parameters
    ----------
    result, expected : object
        Numbers, arrays, PyTorch tensors, SimpleITK images, text, or sequences and dictionaries of those.
    rtol, atol : float
        Relative and absolute tolerance of numbers. Single precision widens ``rtol`` to 1e-5.

    Returns
    -------
    bool

    Examples
    --------
    >>> same((1, 2.0), [1, 2 + 1e-9])
    True
    >>> same(np.array([1, 2]), np.array([1.0, 2.0]))
    False
    """
    return explain_difference(result, expected, rtol=rtol, atol=atol) is None


def explain_difference(result, expected, *, rtol=1e-6, atol=1e-8):
    """Say how a result differs from what was expected.

    Returns
    -------
    str or None
        The first difference, the coarsest first (kind, shape, dtype, NaN, values); None where there is none.

    Examples
    --------
    >>> print(explain_difference(np.zeros((2, 3)), np.zeros((3, 2))))
    The shape is (2, 3); expected (3, 2).
    """
    found, wanted = kind_of(result), kind_of(expected)
    if found != wanted:
        return _explain_kind(result, expected)
    if wanted == "tensor":
        if result.requires_grad and not expected.requires_grad:
            return "The tensor still carries a gradient; return its values with .detach()."
        return _explain_arrays(_numpy(result), _numpy(expected), rtol, atol)
    if wanted in ("array", "number"):
        return _explain_arrays(_numpy(result), _numpy(expected), rtol, atol, strict=wanted == "array")
    if wanted == "image":
        return _explain_images(result, expected, rtol, atol)
    if wanted == "sequence":
        return _explain_sequences(result, expected, rtol, atol)
    if wanted == "dictionary":
        return _explain_dictionaries(result, expected, rtol, atol)
    return None if result == expected else "It is not the value that was expected."


def describe(value):
    """Show a value in a line or a few: its content where it is small, its type and shape where it is not.

    Examples
    --------
    >>> print(describe(np.array([1.0, 2.0])))
    array([1., 2.])
    >>> print(describe(np.zeros((50, 60), dtype=np.float32)))
    an array of float32, shape (50, 60), values 0 to 0
    """
    kind = kind_of(value)
    if kind in ("array", "tensor"):
        array = _numpy(value)
        if array.size > 64:
            return f"an {'array' if kind == 'array' else 'tensor'} of {array.dtype}, shape {array.shape}{_span(array)}"
        text = np.array2string(array, precision=4, separator=", ")
        return f"{kind}({text})"
    if kind == "image":
        return f"an image of size {value.GetSize()} and spacing {value.GetSpacing()} mm"
    if kind == "sequence" and len(value) <= 8:
        inside = ", ".join(describe(item) for item in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
    if isinstance(value, np.generic):
        return repr(value.item())
    text = repr(value)
    return text if len(text) <= 300 else text[:297] + "..."


def _span(array):
    """Say from where to where an array's values go, NaN left out; nothing where that makes no sense."""
    shown = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    return f", values {shown.min():.4g} to {shown.max():.4g}" if array.dtype.kind in "iuf" and shown.size else ""


def _is_instance_of(value, module, name):
    """Tell whether a value is of a class of a module, without importing that module."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def _numpy(value):
    if _is_instance_of(value, "torch", "Tensor"):
        value = value.detach().cpu().to_dense().resolve_conj().resolve_neg()
        return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    array = np.asarray(value)
    if array.dtype == object and isinstance(value, Number):  # a fraction, a decimal, an integer beyond 64 bits
        return np.asarray(float(value) if abs(value) < 1e300 else np.inf)
    return array


def _explain_kind(result, expected):
    found, wanted = kind_of(result), kind_of(expected)
    if found == "nothing":
        return f"Nothing came back (None); expected {_with_article(wanted)}. Is there a `return` at the end?"
    mend = {
        ("sequence", "array"): " np.array(...) makes one of it.",
        ("tensor", "array"): " .numpy() makes one of it.",
        ("array", "tensor"): " torch.from_numpy(...) makes one of it.",
        ("tensor", "number"): " .item() makes one of it.",
        ("array", "number"): " Take the single value out of the array, or look for a missing sum or mean.",
        ("array", "sequence"): " tuple(...) makes one of it.",
        ("number", "array"): " Is a sum or a mean taken over an axis that should stay?",
    }.get((found, wanted), "")
    return f"The type is wrong: {_with_article(found)} came back; expected {_with_article(wanted)}.{mend}"


def _with_article(kind):
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _explain_arrays(result, expected, rtol, atol, strict=True):
    if result.shape != expected.shape:
        return f"The shape is {result.shape}; expected {expected.shape}."
    kinds = {
        "i": "integers",
        "u": "integers",
        "f": "floating-point numbers",
        "b": "truth values",
        "c": "complex",
        "U": "texts",
    }
    found, wanted = (kinds.get(a.dtype.kind, str(a.dtype)) for a in (result, expected))
    if strict and found != wanted:
        return f"The dtype is {result.dtype} ({found}); expected {expected.dtype} ({wanted})."
    if {result.dtype.kind, expected.dtype.kind} & {"f", "c"}:
        missing = np.isnan(result) & ~np.isnan(expected)
        if missing.any():
            return f"{_count(missing)} not a number (NaN). Look for 0 / 0, the log of 0, or inf - inf."
        wrong = ~_is_close(result, expected, rtol, atol)
    else:
        wrong = result != expected
    if not wrong.any():
        return None
    if result.ndim == 0:
        return "The number is not right."
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = where[0] if len(where) == 1 else where
    return (
        f"{_count(wrong)} wrong; the first at index {place}:"
        f" {describe(result[where])} came back, expected {describe(expected[where])}."
    )


def _is_close(result, expected, rtol, atol):
    """Compare element by element; where either is single precision, within 1e-5 of the largest expected value."""
    if {result.dtype.itemsize, expected.dtype.itemsize} & {2, 4}:
        largest = float(np.max(np.abs(expected), initial=0, where=np.isfinite(expected)))
        rtol, atol = max(rtol, SINGLE_PRECISION_RTOL), max(atol, SINGLE_PRECISION_RTOL * largest)
    return np.isclose(result, expected, rtol=rtol, atol=atol, equal_nan=True)


def _count(flags):
    number = int(flags.sum())
    return f"{number} of {flags.size} values {'is' if number == 1 else 'are'}"


def _explain_images(result, expected, rtol, atol):
    import SimpleITK as sitk

    for name in ("Size", "Spacing", "Origin", "Direction"):
        found, wanted = getattr(result, f"Get{name}")(), getattr(expected, f"Get{name}")()
        if len(found) != len(wanted) or not np.allclose(found, wanted, rtol=rtol, atol=1e-6):
            return f"The image's {name.lower()} is {found}; expected {wanted}."
    arrays = sitk.GetArrayViewFromImage(result), sitk.GetArrayViewFromImage(expected)
    return _explain_arrays(*arrays, rtol, atol)


def _explain_sequences(result, expected, rtol, atol):
    if len(result) != len(expected):
        items = f"{len(result)} item{'' if len(result) == 1 else 's'}"
        return f"{items} came back; expected {len(expected)}."
    for index, (found, wanted) in enumerate(zip(result, expected, strict=True)):
        problem = explain_difference(found, wanted, rtol=rtol, atol=atol)
        if problem:
            return f"In item {index}: {problem}"
    return None


def _explain_dictionaries(result, expected, rtol, atol):
    if result.keys() != expected.keys():
        return f"The keys are {sorted(map(str, result))}; expected {sorted(map(str, expected))}."
    for key, wanted in expected.items():
        problem = explain_difference(result[key], wanted, rtol=rtol, atol=atol)
        if problem:
            return f"Under {key!r}: {problem}"
    return None
