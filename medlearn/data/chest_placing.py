"""Where the nodules of a simulated patient lie, and what kind each one is."""

import numpy as np

from medlearn.data.chest_nodules import (
    CALCIFICATION,
    CALCIFIED_HU,
    GROUND_GLASS_HU,
    LOBULATION,
    MARGIN,
    SOLID_HU,
    SPICULATION,
    SUBTLETY,
    TEXTURE,
    Nodule,
    draw_spicules,
    elongation,
    lidc_table,
    nodule_type,
)
from medlearn.data.nodule_risk import brock_probability

ATTACHMENTS = ("free", "pleura", "vessel", "fissure")
_ATTACHED = (0.42, 0.28, 0.22, 0.08)  # shares of the four
_LARGEST_MM = 30.0  # beyond it is called a mass
_LONGEST = 1.8  # diameters of the ball of equal volume


def place_nodules(patient):
    """Return the nodules of a patient, largest first.

    Parameters
    ----------
    patient : Patient

    Returns
    -------
    tuple of Nodule
    """
    rng, table = patient.rng("nodules"), lidc_table()
    count = patient.num_nodules
    if count is None:
        count = int(rng.choice(table["scan_nodules"]))
    rows = _choose_rows(table, count, rng)
    nodules = []
    for row in sorted(rows, key=lambda row: -table["diameter_mm"][row]):
        diameter_mm = float(np.clip(table["diameter_mm"][row], 3.0, _LARGEST_MM))
        centre, attachment = _find_place(patient, diameter_mm, nodules, rng)
        nodules.append(_make(patient, table, row, diameter_mm, centre, attachment, count, rng))
    return tuple(nodules)


def _choose_rows(table, count, rng):
    """Choose nodules that at least two readers saw: those of one reader are often no nodules."""
    allowed = np.flatnonzero((table["readers"] >= 2) & (table["diameter_mm"] <= _LARGEST_MM))
    return rng.choice(allowed, size=count)


def _find_place(patient, diameter_mm, others, rng):
    """Return a place and how the nodule is attached there; a free one keeps away from walls and large vessels."""
    radius = diameter_mm / 2
    attachment = str(rng.choice(ATTACHMENTS, p=_ATTACHED))
    for trial in range(60):
        if trial == 30:
            attachment = "free"
        point = _candidate(patient, attachment, radius, rng)
        if _fits(patient, point, attachment, radius) and _clear(point, radius, others):
            return point, attachment
    points = np.array([p for p in patient.points_in_lungs(0.06, 0.0, rng) if _clear(p, radius, others)])
    point = points[np.argmin(patient.look_up("lung", points))]  # a large one: where there is most room
    return point, "free" if -patient.look_up("lung", point[None])[0] > radius + 1 else "pleura"


def _clear(point, radius, others):
    return all(np.linalg.norm(point - other.centre_mm) > radius + other.longest_mm / 2 + 2 for other in others)


def _candidate(patient, attachment, radius, rng):
    if attachment == "vessel":
        vessels = patient.vessels[0]
        allowed = np.flatnonzero((vessels.radius_mm > 0.7) & (vessels.radius_mm < max(1.2, 0.5 * radius)))
        chosen = rng.choice(allowed)
        aside = rng.normal(size=3)
        aside *= 0.75 * radius / np.linalg.norm(aside)
        return vessels.start_mm[chosen] + rng.random() * (vessels.end_mm - vessels.start_mm)[chosen] + aside
    points = patient.points_in_lungs(0.06, 0.0, rng)
    if attachment == "free":
        return points[0]
    name, target = ("lung", -0.62 * radius) if attachment == "pleura" else ("fissure", 0.3 * radius)
    return points[np.argmin(abs(patient.look_up(name, points) - target))]


def _fits(patient, point, attachment, radius):
    depth = -patient.look_up("lung", point[None])[0]
    if attachment == "free":
        near = patient.vessels[0].touching(point - radius - 1.0, point + radius + 1.0)
        return depth > radius + 2.5 and (not len(near) or near.radius_mm.max() < 1.3)
    return depth > {"pleura": 0.2, "vessel": 0.8, "fissure": 0.8}[attachment] * radius


def _make(patient, table, row, diameter_mm, centre, attachment, count, rng):
    ratings = table["ratings"][row]
    kind = nodule_type(ratings[TEXTURE])
    calcified = bool(ratings[CALCIFICATION] < 5.2) and kind == "solid"
    shape = _shape_of(table, row, rng)
    spiculation = float(ratings[SPICULATION])
    upper_lobe = _is_upper(patient, centre)
    facts = {
        "centre_mm": tuple(float(c) for c in centre), "diameter_mm": diameter_mm, "type": kind,
        "calcified": calcified, "spiculation": spiculation, "attachment": attachment,
        "side": str(patient.side(centre[None])[0]), "upper_lobe": upper_lobe, "subtlety": float(ratings[SUBTLETY]),
        "margin_mm": float((5 - ratings[MARGIN]) * 0.35 + (1.0 if kind == "ground-glass" else 0.1)), "shape": shape,
    }  # fmt: skip
    facts["value_hu"] = _value_hu(kind, calcified, rng)
    facts["core"] = float(rng.uniform(0.35, 0.75)) if kind == "part-solid" else 0.0
    longest_mm = diameter_mm * elongation(shape)
    probability = 0.0 if calcified else brock_probability(
        longest_mm, age=patient.age, female=patient.female, nodule_type=kind, upper_lobe=upper_lobe,
        spiculated=spiculation >= 3, nodule_count=count, emphysema=patient.emphysema,
        family_history=patient.family_history,
    )  # fmt: skip
    facts |= {"longest_mm": longest_mm, "malignancy_probability": probability, "malignant": rng.random() < probability}
    bare = Nodule(**facts, spicules=None)
    spicules = draw_spicules(centre, diameter_mm, spiculation, bare.radius_mm, rng)
    return Nodule(**facts, spicules=spicules)


def _shape_of(table, row, rng):
    """Return the shape of this nodule, or of one of like size where its slices are too few; at times mirrored."""
    shape = table["shape"][row]
    if np.isnan(shape).any():
        known = np.flatnonzero(np.isfinite(table["shape"][:, 0]) & (table["diameter_mm"] < 9))
        near = known[np.argsort(abs(table["diameter_mm"][known] - table["diameter_mm"][row]))[:60]]
        shape = table["shape"][rng.choice(near)]
    degree = np.floor(np.sqrt(np.arange(len(shape)))).astype(int)
    rough = 0.012 + 0.012 * (table["ratings"][row, LOBULATION] - 1) + 0.008 * (table["ratings"][row, SPICULATION] - 1)
    shape = shape + (degree >= 3) * rng.normal(0, rough, len(shape))  # the fit is smoother than the outlines
    mirror = np.ones(len(shape))
    if rng.random() < 0.5:  # in a mirror across the x axis, the harmonics with sin(order * azimuth) change sign
        mirror[np.arange(len(shape)) - degree * (degree + 1) < 0] = -1
    shape = np.ascontiguousarray(shape * mirror)
    while elongation(shape) > _LONGEST:  # outlines that leave the middle outside have no radius: make them rounder
        shape = 0.85 * shape
    return shape


def _value_hu(kind, calcified, rng):
    if kind == "ground-glass" or kind == "part-solid":
        return float(rng.normal(GROUND_GLASS_HU, 70))
    return float(rng.normal(CALCIFIED_HU, 120)) if calcified else float(rng.normal(SOLID_HU, 18))


def _is_upper(patient, centre):
    """The lobe above the oblique fissure; on the right, what lies low in front is the middle lobe."""
    x, _, z = patient.to_reference(*(np.array([c], np.float32) for c in centre))
    above = patient.look_up("fissure", centre[None])[0] > 0
    return bool(above and not (x[0] < 0 and z[0] < -38))
