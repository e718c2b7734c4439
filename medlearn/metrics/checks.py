"""What comes in: labels, predictions, scores and patients as arrays, or an error that says what is wrong."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cases:
    """Checked cases: one label and one value each, and the unit (patient) that each belongs to.

    Without patients, each case is a unit of its own and ``num_patients`` is None.
    """

    labels: np.ndarray
    values: np.ndarray
    units: np.ndarray
    num_units: int
    num_patients: int | None

    def __len__(self):
        return len(self.labels)

    def only(self, chosen):
        """Return the chosen cases; patients without one are left out."""
        if self.num_patients is None:
            units, num_units, num_patients = np.arange(chosen.sum()), int(chosen.sum()), None
        else:
            names, units = np.unique(self.units[chosen], return_inverse=True)
            num_units = num_patients = len(names)
        return Cases(self.labels[chosen], self.values[chosen], units, num_units, num_patients)


def check_cases(labels, values, patients, *, kind):
    """Return checked cases; ``kind`` is "predictions", "scores" or "probabilities"."""
    labels = check_binary(labels, "labels")
    check_values = {"predictions": check_predictions, "scores": check_scores, "probabilities": check_probabilities}
    values = check_values[kind](values, kind)
    check_lengths(labels=labels, **{kind: values})
    units, num_patients = check_patients(patients, len(labels))
    return Cases(labels, values, units, len(labels) if num_patients is None else num_patients, num_patients)


def check_lengths(**arrays):
    """Raise if the arrays are empty or differ in length."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise ValueError(f"lengths differ: {said}. Each case needs one of each, in the same order.")
    if 0 in lengths.values():
        raise ValueError(f"no cases: {' and '.join(lengths)} are empty. A score needs one case at least.")


def check_level(level):
    """Return the confidence level as a float between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}; such as 0.95 for a 95 % interval.")
    return float(level)


def check_method(method, allowed):
    """Raise if the method of the interval is not among those of this score."""
    if method not in allowed:
        raise ValueError(f"method must be one of {', '.join(map(repr, allowed))}, got {method!r}.")


def as_vector(values, name):
    """Return a list, a NumPy array, a tensor on any device or a pandas column as a one-dimensional array."""
    if hasattr(values, "detach"):  # a torch tensor, perhaps on a GPU or with a gradient
        values = values.detach().cpu()
        values = (values.double() if values.is_floating_point() else values).numpy()
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(
            f"{name} must have one dimension, got shape {array.shape}. Pass one value for each case, such as"
            f" {name}[:, 1] of a table or {name}.ravel() of a single column."
        )
    return array


def _as_numbers(values, name):
    array = as_vector(values, name)
    try:
        array = array.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, got {array.dtype} ({error}).") from error
    if np.isnan(array).any():
        raise ValueError(
            f"{name} hold NaN in {np.isnan(array).sum()} of {len(array)} cases, the first at position"
            f" {np.flatnonzero(np.isnan(array))[0]}. Find out why first: without those cases it is another task."
        )
    return array


def check_binary(values, name):
    """Return labels or predictions as an array of int, 0 or 1."""
    array = _as_numbers(values, name)
    if not np.isin(array, (0, 1)).all():
        found = ", ".join(f"{value:g}" for value in np.unique(array)[:5])
        raise ValueError(f"{name} must be 0 or 1 (1 = diseased), got {found}{_advice(array, name)}")
    return array.astype(np.int64)


def _advice(array, name):
    if name == "predictions":
        return ". Choose a threshold first: predictions = scores >= threshold."
    if len(np.unique(array)) == 2:
        return f". Say which one is diseased: {name} == {np.max(array):g}."
    return f". For one class against the rest: {name} == 2."


def check_predictions(values, name):
    """Return 0/1 predictions as an array of int."""
    return check_binary(values, name)


def check_scores(values, name):
    """Return scores as an array of float, all finite."""
    array = _as_numbers(values, name)
    if np.isinf(array).any():
        raise ValueError(
            f"{name} hold {np.isinf(array).sum()} infinite values, such as the log of 0. Pass finite ones: logits, say."
        )
    return array


def check_probabilities(values, name):
    """Return probabilities as an array of float within [0, 1]."""
    array = check_scores(values, name)
    if ((array < 0) | (array > 1)).any():
        raise ValueError(
            f"{name} must lie in 0 to 1, got {array.min():g} to {array.max():g}. Logits become probabilities with"
            " 1 / (1 + exp(-logit))."
        )
    return array


def check_patients(patients, num_cases):
    """Return the index of each case's patient, and the number of patients (None where none are given)."""
    if patients is None:
        return np.arange(num_cases), None
    if isinstance(patients, str):
        raise ValueError(f"patients must be a sequence, one for each case, got the text {patients!r}.")
    names = check_names(patients, "patients")
    if len(names) != num_cases:
        raise ValueError(f"lengths differ: {len(names)} patients for {num_cases} cases. Each case needs its patient.")
    distinct, units = np.unique(np.asarray(names), return_inverse=True)
    return units, len(distinct)


def check_names(values, name):
    """Return patients or classes as a list of numbers or of texts, none missing."""
    # A list becomes an array of objects: as an array of texts, None and 7 would become names.
    names = as_vector(np.array(values, dtype=object) if isinstance(values, list | tuple) else values, name).tolist()
    missing = [at for at, value in enumerate(names) if _is_missing(value) or value == ""]
    if missing:
        raise ValueError(
            f"{name} miss an entry in {len(missing)} of {len(names)} cases, the first at position {missing[0]}."
            " Find out whose it is before you go on."
        )
    if len({isinstance(value, str) for value in names}) > 1:
        raise ValueError(f"{name} mix texts and numbers, so 7 and '7' would be two {name}. Make them all texts.")
    return names


def _is_missing(value):
    return not isinstance(value, str) and str(value) in ("None", "nan", "NaT", "<NA>")
