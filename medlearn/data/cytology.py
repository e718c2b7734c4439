"""Breast cytology: 30 measurements of cell nuclei on real microscope images, a table that scikit-learn ships."""

from dataclasses import dataclass

import numpy as np

from medlearn.data.catalogue import Card, card

_UNITS = {"radius": "px", "perimeter": "px", "area": "px²", "texture": "grey levels"}  # the others have none


@dataclass(frozen=True)
class FeatureTable:
    """Numbers measured on images: one line for each item.

    Attributes
    ----------
    features : ndarray of float64, shape (n, num_features)
    feature_names : tuple of str
    units : tuple of str
        The unit of each feature; empty where it has none.
    labels : ndarray of int64, shape (n,)
    label_names : tuple of str
        What 0 and 1 mean.
    patients : tuple of str
    card : Card
    """

    features: np.ndarray
    feature_names: tuple[str, ...]
    units: tuple[str, ...]
    labels: np.ndarray
    label_names: tuple[str, ...]
    patients: tuple[str, ...]
    card: Card

    def __len__(self):
        return len(self.labels)


def load_breast_cytology():
    """Load the Wisconsin Diagnostic table: 569 fine-needle aspirates of breast masses, 212 of them malignant.

    On a digitised image of each aspirate the borders of the nuclei were outlined, and ten features measured on each
    nucleus. The table has their mean, the standard error of the mean, and the mean of the three largest ("worst"). They
    have very different units and ranges: area runs to 4,254, fractal dimension lies between 0.05 and 0.21.

    Label 1 is **malignant** here. scikit-learn codes it the other way round (0 = malignant).

    The authors describe a consecutive series of 569 patients (Wolberg 1994), so each line counts as one. The table
    itself names no patient: ``patients`` numbers the lines.

    Returns
    -------
    FeatureTable
        Features of shape (569, 30).

    Examples
    --------
    >>> table = load_breast_cytology()
    >>> table.features.shape, int(table.labels.sum()), table.label_names[1]
    ((569, 30), 212, 'malignant')
    >>> table.feature_names[3], table.units[3], table.patients[0]
    ('mean area', 'px²', 'WDBC-000')

    References
    ----------
    Street WN, Wolberg WH, Mangasarian OL, Proc SPIE 1905:861, 1993, doi:10.1117/12.148698.
    Wolberg WH, Street WN, Mangasarian OL, Cancer Lett 77:163, 1994, doi:10.1016/0304-3835(94)90099-X.
    """
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    names = tuple(str(name) for name in table.feature_names)
    units = tuple(next((unit for part, unit in _UNITS.items() if part in name), "") for name in names)
    malignant = list(table.target_names).index("malignant")
    return FeatureTable(
        features=table.data.astype(np.float64),
        feature_names=names,
        units=units,
        labels=(table.target == malignant).astype(np.int64),
        label_names=("benign", "malignant"),
        patients=tuple(f"WDBC-{index:03d}" for index in range(len(table.target))),
        card=card("breast_cytology"),
    )
