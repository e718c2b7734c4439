"""A table of scores by class, with an interval in every cell, as text and as HTML."""

from dataclasses import dataclass
from html import escape

import numpy as np

from medlearn.metrics.checks import Cases, check_lengths, check_level, check_names, check_patients
from medlearn.metrics.estimate import Estimate, undefined
from medlearn.metrics.intervals import estimate, from_table
from medlearn.metrics.proportions import proportion

COLUMNS = ("sensitivity", "precision", "F1")


@dataclass(frozen=True)
class ReportRow:
    """One class, or an average over the classes.

    Attributes
    ----------
    name : str
    sensitivity, precision, f1 : Estimate
    num_cases : int
        Cases of this class; all cases for an average.
    """

    name: str
    sensitivity: Estimate
    precision: Estimate
    f1: Estimate
    num_cases: int

    @property
    def cells(self):
        """The three estimates, in the order of the columns."""
        return (self.sensitivity, self.precision, self.f1)


@dataclass(frozen=True)
class ClassificationReport:
    """Scores by class, then their averages; prints as text, shows as a table in a notebook.

    Attributes
    ----------
    rows : tuple of ReportRow
        The classes, then "macro average" and "micro average". ``report["melanoma"]`` is the row of that name.
    num_patients : int or None
    num_cases : int
    level : float
    """

    rows: tuple
    num_patients: int | None
    num_cases: int
    level: float

    def __getitem__(self, name):
        for row in self.rows:
            if row.name == str(name):
                return row
        raise KeyError(f"no row {name!r}; the rows are {', '.join(row.name for row in self.rows)}")

    @property
    def caption(self):
        """What the table shows, in a sentence."""
        size = f"{self.num_cases} cases"
        if self.num_patients is not None:
            size += f" of {self.num_patients} patients"
        return f"Sensitivity, precision and F1 by class with {100 * self.level:g} % intervals, {size}."

    def __str__(self):
        head = ["", *COLUMNS, "cases"]
        body = [[row.name, *map(_cell, row.cells), str(row.num_cases)] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in [head, *body]]
        return "\n".join([self.caption, *lines])

    def _repr_html_(self):
        head = "".join(f'<th scope="col">{name}</th>' for name in ("class", *COLUMNS, "cases"))
        body = "".join(
            f'<tr><th scope="row">{escape(row.name)}</th>'
            + "".join(f'<td title="{escape(cell.method)}">{escape(_cell(cell))}</td>' for cell in row.cells)
            + f"<td>{row.num_cases}</td></tr>"
            for row in self.rows
        )
        caption = f"<caption>{escape(self.caption)}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(cell):
    if np.isnan(cell.value):
        return f"undefined: {cell.reason}"
    if np.isnan(cell.low):
        return f"{cell.value:.2f} (no interval: {cell.reason})"
    return f"{cell.value:.2f} ({cell.low:.2f} to {cell.high:.2f})"


def classification_report(labels, predictions, *, patients=None, class_names=None, level=0.95, seed=0, method=None):
    """Return sensitivity, precision and F1 of every class, and their averages, each with its interval.

    The macro average is the mean over the classes: a rare class counts as much as a frequent one. The micro average
    counts every case once; for one label a case its sensitivity, precision and F1 are all the accuracy.

    Parameters
    ----------
    labels, predictions : sequence of n class numbers or class names
    patients : sequence of length n, optional
        The patient of each case; the intervals then are over patients.
    class_names : sequence of str, optional
        Names for the classes, in sorted order of the labels; where labels are numbers, name 0 is class 0, and so on.
    level : float, optional
        Confidence level of the intervals: each cell for itself.
    seed : int, optional
        Seed of the bootstrap.
    method : {None, "percentile", "bca"}, optional
        None: Wilson for sensitivity and precision, "logit" for F1 and averages. Else that bootstrap in every cell.

    Returns
    -------
    ClassificationReport

    Raises
    ------
    ValueError
        If lengths differ, there are no cases, a label is missing, or the class names do not fit.

    Examples
    --------
    >>> report = classification_report([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], class_names=["healthy", "diseased"])
    >>> print(report["healthy"].sensitivity)
    0.67 (95 % CI 0.21 to 0.94, 3 cases)
    """
    level = check_level(level)
    names, true, predicted = _check_classes(labels, predictions, class_names)
    units, num_patients = check_patients(patients, len(true))
    cases = Cases(true, predicted, units, len(true) if num_patients is None else num_patients, num_patients)
    options = {"level": level, "seed": seed, "method": method}
    rows = [_class_row(cases, number, name, **options) for number, name in enumerate(names)]
    rows += [_macro_row(cases, len(names), **options), _micro_row(cases, **options)]
    return ClassificationReport(tuple(rows), num_patients, len(cases), level)


def _check_classes(labels, predictions, class_names):
    """Return the names of the classes, and labels and predictions as class indices."""
    labels, predictions = check_names(labels, "labels"), check_names(predictions, "predictions")
    check_lengths(labels=labels, predictions=predictions)
    found = np.array(check_names([*labels, *predictions], "classes"))
    if found.dtype.kind not in "biuU" and not (found.dtype.kind == "f" and np.array_equal(found, np.round(found))):
        raise ValueError(
            f"labels and predictions must be whole numbers or texts, got {', '.join(map(str, found[:3]))} ..."
            " Choose a class first: scores.argmax(axis=1)."
        )
    classes, index = np.unique(found, return_inverse=True)
    if class_names is not None and found.dtype.kind in "biuf":
        classes, index = np.arange(len(class_names)), found.astype(int)
        if index.min() < 0 or index.max() >= len(class_names):
            raise ValueError(
                f"{len(class_names)} class names for classes {index.min()} to {index.max()}; name them from 0 on."
            )
    elif class_names is not None and len(class_names) != len(classes):
        raise ValueError(f"{len(class_names)} class names for {len(classes)} classes: {', '.join(map(str, classes))}.")
    names = [str(name) for name in (classes.tolist() if class_names is None else class_names)]
    return names, index[: len(labels)], index[len(labels) :]


def _class_row(cases, number, name, *, level, seed, method):
    true, predicted = cases.labels == number, cases.values == number
    options = {"level": level, "seed": seed, "method": method or "wilson"}
    sensitivity = proportion(cases, true, predicted, empty="no case of this class", **options)
    precision = proportion(cases, predicted, true, empty="no case predicted as this class", **options)
    f1 = _average(cases, [number], _mean_f1, "no case of this class, none predicted", **options | {"method": method})
    return ReportRow(name, sensitivity, precision, f1, int(true.sum()))


def _macro_row(cases, num_classes, **options):
    reason = "a score of one class is undefined"
    averages = [
        _average(cases, range(num_classes), mean, reason, **options)
        for mean in (_mean_sensitivity, _mean_precision, _mean_f1)
    ]
    return ReportRow("macro average", *averages, len(cases))


def _micro_row(cases, *, level, seed, method):
    everyone = np.ones(len(cases), dtype=bool)
    right = cases.labels == cases.values
    accuracy = proportion(cases, everyone, right, level=level, seed=seed, method=method or "wilson", empty="")
    return ReportRow("micro average", accuracy, accuracy, accuracy, len(cases))


def _average(cases, numbers, function, reason, *, level, seed, method):
    """Return a function of the counts of some classes: hits, cases and predictions of each."""
    columns = [
        np.bincount(cases.units, chosen, cases.num_units)
        for number in numbers
        for true, predicted in [(cases.labels == number, cases.values == number)]
        for chosen in (true & predicted, true, predicted)
    ]
    table = np.column_stack(columns)  # (num_units, 3 * classes)
    carriers = int((table.sum(axis=1) > 0).sum())
    statistic = from_table(table, function, cases, pairs=carriers)
    if np.isnan(statistic.value):
        return undefined(reason, level=level, num_patients=cases.num_patients, num_cases=len(cases))
    return estimate(statistic, cases, level=level, seed=seed, method=method or "logit")


def _mean_sensitivity(sums):
    return (sums[..., 0::3] / sums[..., 1::3]).mean(axis=-1)


def _mean_precision(sums):
    return (sums[..., 0::3] / sums[..., 2::3]).mean(axis=-1)


def _mean_f1(sums):
    return (2 * sums[..., 0::3] / (sums[..., 1::3] + sums[..., 2::3])).mean(axis=-1)
