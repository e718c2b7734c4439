"""The report: values of scikit-learn in every cell, intervals by patient, text and HTML that can be read."""

import math
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support

from medlearn.metrics import classification_report, precision_score, sensitivity_score

RNG = np.random.default_rng(5)
PATIENTS = np.repeat(np.arange(40), RNG.integers(1, 6, 40))
LABELS = RNG.integers(0, 3, 40)[PATIENTS]
CALLED = np.where(RNG.random(len(PATIENTS)) < 0.7, LABELS, RNG.integers(0, 3, len(PATIENTS)))
NAMES = ["naevus", "melanoma", "keratosis"]


@pytest.mark.parametrize("method", [None, "percentile", "bca"])
def test_values_equal_scikit_learn_and_lie_within_their_intervals(method):
    report = classification_report(LABELS, CALLED, patients=PATIENTS, class_names=NAMES, method=method)
    by_class = precision_recall_fscore_support(LABELS, CALLED)
    for number, name in enumerate(NAMES):
        row = report[name]
        assert row.precision.value == pytest.approx(by_class[0][number], abs=1e-12)
        assert row.sensitivity.value == pytest.approx(by_class[1][number], abs=1e-12)
        assert row.f1.value == pytest.approx(by_class[2][number], abs=1e-12)
        assert row.num_cases == by_class[3][number]
    for average in ("macro", "micro"):
        expected = precision_recall_fscore_support(LABELS, CALLED, average=average)
        row = report[f"{average} average"]
        assert [e.value for e in (row.precision, row.sensitivity, row.f1)] == pytest.approx(expected[:3], abs=1e-12)
    assert all(cell.low < cell.value < cell.high for row in report.rows for cell in row.cells)
    assert all(cell.num_patients <= 40 for row in report.rows for cell in row.cells)


def test_two_classes_agree_with_the_scores():
    labels, called = (LABELS == 1).astype(int), (CALLED == 1).astype(int)
    row = classification_report(labels, called, patients=PATIENTS)["1"]
    assert row.sensitivity == sensitivity_score(labels, called, patients=PATIENTS)
    assert row.precision == precision_score(labels, called, patients=PATIENTS)


def test_patients_widen_and_the_seed_repeats():
    by_image = classification_report(LABELS, CALLED)["macro average"].f1
    by_patient = classification_report(LABELS, CALLED, patients=PATIENTS)["macro average"].f1
    assert by_image.num_patients is None and by_patient.num_patients == 40
    one, same = (classification_report(LABELS, CALLED, method="bca", seed=3)["macro average"].f1 for _ in range(2))
    assert one == same


def test_text_is_a_table_with_an_interval_in_every_cell():
    lines = str(classification_report(LABELS, CALLED, patients=PATIENTS, class_names=NAMES)).splitlines()
    assert "95 % intervals" in lines[0] and "40 patients" in lines[0]
    assert lines[1].split() == ["sensitivity", "precision", "F1", "cases"]
    assert [line.split("  ")[0] for line in lines[2:]] == [*NAMES, "macro average", "micro average"]
    assert all(line.count(" to ") == 3 for line in lines[2:])


class Table(HTMLParser):
    """Collect what a screen reader needs."""

    def __init__(self, html):
        super().__init__()
        self.scopes, self.tags = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "th":
            self.scopes.append(dict(attributes).get("scope"))


def test_html_has_a_caption_and_scoped_headings():
    html = classification_report(LABELS, CALLED, class_names=["<b>", "b & c", "d"])._repr_html_()
    table = Table(html)
    assert table.scopes == ["col"] * 5 + ["row"] * 5
    assert "caption" in table.tags and "b" not in table.tags  # names are text, not markup
    assert "&lt;b&gt;" in html and "b &amp; c" in html
    assert table.tags.count("td") == 5 * 4


def test_classes_may_be_texts_and_tensors():
    texts = np.array(NAMES)
    by_text = classification_report(texts[LABELS], texts[CALLED].tolist())
    by_number = classification_report(torch.tensor(LABELS), torch.tensor(CALLED), class_names=NAMES)
    assert by_text["melanoma"].f1.value == by_number["melanoma"].f1.value
    assert [row.name for row in by_text.rows[:3]] == sorted(NAMES)


def test_a_class_that_is_absent_is_undefined_and_says_why():
    report = classification_report([0, 1, 0, 1], [0, 1, 1, 1], class_names=["a", "b", "c"])
    assert math.isnan(report["c"].sensitivity.value) and report["c"].num_cases == 0
    assert str(report["c"].f1) == "undefined: no case of this class, none predicted"
    assert str(report["macro average"].precision) == "undefined: a score of one class is undefined"
    assert "undefined: no case of this class" in str(report) and "undefined" in report._repr_html_()


def test_one_patient_has_values_and_no_intervals():
    report = classification_report([0, 1, 1], [0, 1, 0], patients=["ann"] * 3)
    assert report["macro average"].f1.value == pytest.approx(2 / 3)
    assert "no interval: one patient" in str(report)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="lengths differ: 2 labels, 3 predictions"):
        classification_report([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match="no cases"):
        classification_report([], [])
    with pytest.raises(ValueError, match=r"must be whole numbers or texts, got 0\.0, 1\.0, 0\.2"):
        classification_report([0, 1], [0.2, 0.9])
    with pytest.raises(ValueError, match="labels miss an entry in 1 of 2 cases, the first at position 1"):
        classification_report(["a", float("nan")], ["a", "b"])
    with pytest.raises(ValueError, match="classes mix texts and numbers"):
        classification_report([0, 1], ["0", "1"])
    with pytest.raises(ValueError, match="2 class names for classes 0 to 2"):
        classification_report([0, 1], [0, 2], class_names=["a", "b"])
    with pytest.raises(ValueError, match="1 class names for 2 classes: a, b"):
        classification_report(["a", "b"], ["a", "b"], class_names=["a"])
    with pytest.raises(KeyError, match="the rows are 0, 1, macro average, micro average"):
        classification_report([0, 1], [0, 1])["2"]
