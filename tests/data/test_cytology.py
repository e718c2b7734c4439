"""The breast cytology table against the file that scikit-learn ships, and against what pathology says."""

import csv
from collections import Counter
from importlib import resources

import numpy as np
import pytest
from scipy import stats

from medlearn.data import card, load_breast_cytology, split_by_patient


@pytest.fixture(scope="module")
def table():
    return load_breast_cytology()


@pytest.fixture(scope="module")
def lines():
    """The lines of scikit-learn's own file: 30 numbers and a 0 for malignant, 1 for benign."""
    path = resources.files("sklearn.datasets.data") / "breast_cancer.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        count, num_features, *names = next(reader := csv.reader(stream))
        assert (count, num_features, names) == ("569", "30", ["malignant", "benign"])
        return np.array([[float(value) for value in line] for line in reader])


def test_features_are_those_of_the_file(table, lines):
    assert table.features.shape == (569, 30) and table.features.dtype == np.float64
    np.testing.assert_array_equal(table.features, lines[:, :30])
    assert len(table) == 569


def test_label_one_is_malignant(table, lines):
    np.testing.assert_array_equal(table.labels, lines[:, 30] == 0)
    assert Counter(table.labels.tolist()) == {1: 212, 0: 357}
    assert table.labels.dtype == np.int64 and table.label_names == ("benign", "malignant")
    # Pathology, whatever the code: malignant nuclei are larger and vary more.
    for name in ("mean radius", "area error", "worst concave points"):
        values = table.features[:, table.feature_names.index(name)]
        malignant, benign = values[table.labels == 1], values[table.labels == 0]
        assert stats.mannwhitneyu(malignant, benign).statistic / (len(malignant) * len(benign)) > 0.9, name


def test_features_are_ten_measurements_three_times(table):
    stems = [name.removeprefix("mean ") for name in table.feature_names[:10]]
    assert table.feature_names[10:20] == tuple(f"{stem} error" for stem in stems)
    assert table.feature_names[20:] == tuple(f"worst {stem}" for stem in stems)
    mean, _, worst = (table.features[:, start : start + 10] for start in (0, 10, 20))
    assert (worst >= mean).mean() > 0.99  # the mean of the three largest is not below the mean


def test_units_are_those_of_the_measurements(table):
    units = dict(zip(table.feature_names, table.units, strict=True))
    assert units["mean area"] == "px²" and units["worst perimeter"] == "px" and units["radius error"] == "px"
    assert units["mean texture"] == "grey levels" and units["mean symmetry"] == units["worst concave points"] == ""
    # Area and radius agree as px² and px: a disc of the mean radius has nearly the mean area.
    radius, area = (table.features[:, table.feature_names.index(f"mean {name}")] for name in ("radius", "area"))
    assert np.median(area / (np.pi * radius**2)) == pytest.approx(1, abs=0.05)


def test_every_line_is_a_patient_of_its_own(table):
    assert len(set(table.patients)) == len(table.patients) == 569
    assert len(np.unique(table.features, axis=0)) == 569  # no line stands twice
    train, test = split_by_patient(table.patients, fractions=(0.7, 0.3), labels=table.labels)
    assert len(train) + len(test) == 569 and abs(table.labels[train].mean() - table.labels[test].mean()) < 0.02


def test_the_card_names_the_source(table):
    assert table.card is card("breast_cytology")
    assert table.card.people == 569 and not table.card.synthetic and not table.card.files
    assert "10.24432/C5DW2B" in table.card.citation and "10.1117/12.148698" in table.card.citation


def test_nothing_is_shared_between_two_calls(table):
    other = load_breast_cytology()
    other.features[:] = 0
    assert table.features.any() and load_breast_cytology().features.any()
