"""Patches of simulated nodules and of what looks like one: honest labels, honest difficulty."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medlearn import data
from medlearn.data.chest_mimics import MIMICS, find_mimics
from medlearn.data.chest_patient import Patient


@pytest.fixture(scope="module")
def patches():
    return data.load_nodule_patches(24, patches_per_patient=12, seed=7)


def test_patches_have_the_shapes_and_the_units(patches):
    count = 24 * 12
    assert patches.images_hu.shape == (count, 64, 64) and patches.images_hu.dtype == np.float32
    assert np.isfinite(patches.images_hu).all() and patches.images_hu.min() >= -1024
    for column in (patches.labels, patches.patients, patches.kinds, patches.diameters_mm, patches.malignancy,
                   patches.malignant):  # fmt: skip
        assert column.shape == (count,)
    assert len(patches) == count and patches.card.synthetic and patches.spacing_mm == 0.7


def test_patches_belong_to_their_patients(patches):
    names, counts = np.unique(patches.patients, return_counts=True)
    assert names.tolist() == sorted(f"SIM-CHEST-{70000 + k}" for k in range(24)) and set(counts) == {12}
    train, test = data.split_by_patient(patches.patients, fractions=(0.7, 0.3))
    data.assert_no_patient_overlap(patches.patients[train], patches.patients[test])


def test_labels_agree_with_the_table(patches):
    nodule = patches.labels == 1
    assert nodule.mean() == pytest.approx(0.35, abs=0.05)
    assert np.isfinite(patches.diameters_mm[nodule]).all() and np.isnan(patches.diameters_mm[~nodule]).all()
    assert ((patches.malignancy[nodule] >= 0) & (patches.malignancy[nodule] < 1)).all()
    assert np.isnan(patches.malignancy[~nodule]).all() and not patches.malignant[~nodule].any()
    assert set(patches.kinds[nodule]) <= {"solid", "part-solid", "ground-glass"}
    assert set(patches.kinds[~nodule]) <= {"vessel", "branching", "pleura", "scar", "bronchus", "lung"} == set(MIMICS)


def test_a_patient_is_the_same_in_patches_and_in_a_scan(patches):
    # The nodules in the patches are those of the scan with the same name, if it has any.
    scans = data.load_nodule_scans(5, seed=7, num_pixels=40, spacing_mm=10, slice_spacing_mm=20)
    known = {scan.patient: scan.nodules for scan in scans}
    assert {len(nodules) > 0 for nodules in known.values()} == {True, False}
    for name, nodules in known.items():
        here = (patches.patients == name) & (patches.labels == 1)
        facts = zip(patches.diameters_mm[here], patches.malignancy[here], patches.malignant[here], strict=True)
        listed = {(n.diameter_mm, n.malignancy_probability, n.malignant) for n in nodules}
        assert here.any() and (not nodules or set(facts) <= listed)


def test_a_nodule_is_in_the_middle_and_none_where_there_is_none(patches):
    solid = (patches.kinds == "solid") & (patches.diameters_mm > 6)
    middle = patches.images_hu[:, 22:42, 22:42].max(axis=(1, 2))
    assert np.mean(middle[solid] > -300) > 0.98
    empty = patches.kinds == "lung"
    assert np.median(patches.images_hu[empty]) < -780


def test_mimics_keep_away_from_the_nodules_and_are_of_every_kind():
    patient = Patient(3, num_nodules=12)
    places = find_mimics(patient, 120, 0.7, np.random.default_rng(0))
    assert {kind for _, kind in places} == set(MIMICS) and len(places) == 120
    for middle, _ in places:
        gaps = [np.linalg.norm(middle - n.centre_mm) - n.longest_mm / 2 for n in patient.nodules]
        assert min(gaps) > 10  # mm
        assert patient.look_up("cavity", middle[None])[0] < 10


def test_same_seed_same_patches_and_another_seed_others():
    one, again, other = (data.load_nodule_patches(1, patches_per_patient=4, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.images_hu, again.images_hu)
    assert one.patients[0] != other.patients[0]


def test_more_patients_leave_the_first_ones_as_they_are():
    few, more = (data.load_nodule_patches(n, patches_per_patient=3, seed=5) for n in (1, 2))
    np.testing.assert_array_equal(few.images_hu, more.images_hu[:3])


def test_simple_detectors_stay_below_an_auc_of_085(patches):
    # A threshold in the middle, and the strongest blob of any scale near it; 24 patients, none of them used elsewhere.
    rows, columns = np.mgrid[:64, :64] - 31.5
    near = np.hypot(rows, columns)
    images = np.clip(patches.images_hu, -1000, 400)
    brightness = images[:, near < 5].mean(axis=1)
    blobs = [
        max((-(s**2) * ndimage.gaussian_laplace(image, s))[near < 9].max() for s in (1.5, 2.5, 3.5, 5.0, 7.0))
        for image in images
    ]
    for score in (brightness, images[:, near < 8].max(axis=1), np.array(blobs)):
        assert 0.4 < roc_auc_score(patches.labels, score) < 0.85
    assert 0.5 < roc_auc_score(patches.labels, of_radius_and_mean(images, near, patches)) < 0.85


def of_radius_and_mean(images, near, patches):
    """Score by logistic regression, cross-validated over patients: radius of the strongest blob, mean HU around."""
    sigmas = np.array([1.5, 2.5, 3.5, 5.0, 7.0])  # of a disc of radius r the strongest answer is at r / sqrt(2)
    answers = [[(-(s**2) * ndimage.gaussian_laplace(image, s))[near < 9].max() for s in sigmas] for image in images]
    radius = np.sqrt(2) * sigmas[np.argmax(answers, axis=1)]
    columns = np.column_stack([radius, radius**2, images[:, near < 5].mean(axis=1)])
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return cross_val_predict(model, columns, patches.labels, groups=patches.patients, cv=GroupKFold(4),
                             method="decision_function")  # fmt: skip


def test_patches_resemble_real_crops(patches):
    if not data.available("luna16_crops"):
        pytest.skip("luna16_crops is not in the cache")
    # Lung background, spread and share of soft tissue of crops around LUNA16 candidates; the last 15 % of the rows are
    # a test set of the lessons. One function of both, as in a lesson.
    crops = data.load_luna16_crops().by_rows((0.85, 0.15))[0]
    real = data.load_luna16_patches(crops, size=50).select(np.random.default_rng(0).choice(len(crops), 400, False))
    found = [statistics(part, width) for part, width in ((real, 50), (patches, 64))]
    np.testing.assert_allclose(found[0][:2], found[1][:2], atol=60)
    assert found[1][2] == pytest.approx(found[0][2], abs=0.12)


def statistics(patches, width):
    """Lower quartile and median of HU, and the share over -300 HU, in the middle 50 x 50 pixels."""
    rim = (width - 50) // 2
    images = np.clip(patches.images_hu[:, rim : rim + 50, rim : rim + 50], -1000, 400)
    return *np.percentile(images, [25, 50]), (images > -300).mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_patients": 0}, "num_patients must be a whole number, 1 to 10000, got 0"),
        ({"patches_per_patient": 1}, "patches_per_patient must be a whole number, 2 to 10000, got 1"),
        ({"prevalence": 1.0}, "prevalence must be 0.001 to 0.999, got 1.0"),
        ({"prevalence": "half"}, "prevalence must be 0.001 to 0.999, got 'half'"),
        ({"num_patients": 10_000, "patches_per_patient": 99}, "at most 200000 patches at once .*, got 10000 patients"),
        ({"prevalence": float("nan")}, "prevalence must be 0.001 to 0.999, got nan"),
        ({"seed": -2}, "seed must be a whole number, 0 to .*, got -2"),
    ],
)
def test_load_nodule_patches_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        data.load_nodule_patches(**options)
