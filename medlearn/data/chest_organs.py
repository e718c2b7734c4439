"""The smooth surfaces of the simulated chest: skin, muscle, cavity, diaphragm, lungs, heart, vessels, trachea.

A surface is a function of the place in mm, negative inside. All are written for one reference patient whose carina is
at z = 0; :class:`medlearn.data.chest_patient.Patient` says how each patient differs.
"""

from itertools import pairwise

import numpy as np

# Cross-sections of the reference patient by height (mm above the carina): half width, half depth, middle along y.
_HEIGHT = (-260, -200, -160, -100, -50, 0, 40, 70, 95, 120)
_CAVITY = ((120, 127, 134, 137, 135, 128, 110, 86, 52, 12), (82, 89, 96, 99, 97, 91, 74, 52, 29, 8),
           (10, 10, 9, 7, 6, 6, 8, 14, 20, 24))  # fmt: skip
_MUSCLE = ((138, 146, 154, 160, 162, 165, 170, 172, 168, 160), (101, 108, 116, 119, 117, 112, 101, 89, 78, 70),
           (10, 10, 9, 8, 8, 9, 11, 14, 16, 16))  # fmt: skip
_BLOOD = {  # middle lines (x, y, z) with the radius there
    "aorta": [(-4, -28, -70, 15), (-15, -34, -40, 16.5), (-18, -32, 0, 16.5), (-14, -20, 26, 15), (0, 0, 37, 13.5),
              (14, 20, 33, 13), (23, 32, 20, 12.5), (25, 36, 0, 12.5), (24, 37, -60, 12), (15, 34, -120, 11.5),
              (5, 28, -200, 11), (2, 20, -280, 10)],
    "pulmonary trunk": [(16, -46, -72, 14), (20, -38, -45, 14.5), (23, -14, -24, 13.5)],
    "left pulmonary artery": [(23, -14, -24, 12), (36, 10, -15, 11), (49, 28, -24, 9.5), (53, 34, -44, 8)],
    "right pulmonary artery": [(20, -6, -28, 11), (-4, 0, -27, 10.5), (-28, 4, -30, 10), (-41, 12, -36, 8.5),
                               (-44, 20, -52, 7.5)],
    "superior vena cava": [(-26, -16, 62, 8), (-29, -14, 30, 9), (-31, -10, -20, 9), (-33, -10, -60, 10)],
    "inferior vena cava": [(-26, 2, -110, 12), (-28, 6, -150, 11), (-26, 12, -280, 11)],
    "left brachiocephalic vein": [(-26, -16, 60, 7), (0, -22, 62, 6), (28, -18, 74, 6), (48, -14, 100, 6)],
    "right brachiocephalic vein": [(-26, -16, 62, 7), (-34, -8, 100, 6.5)],
    "brachiocephalic artery": [(-8, -4, 38, 6.5), (-18, 0, 62, 6), (-30, 2, 105, 5)],
    "left carotid artery": [(4, 6, 42, 4.5), (14, 4, 70, 4), (20, 6, 115, 3.5)],
    "left subclavian artery": [(13, 18, 40, 5.5), (24, 18, 72, 5), (42, 14, 110, 5)],
    "azygos vein": [(-6, 40, -200, 3.5), (-8, 42, -60, 4), (-10, 40, 4, 4.5), (-18, 26, 14, 4.5), (-27, -4, 12, 4.5)],
    "right upper vein": [(-18, 8, -52, 7), (-36, 0, -44, 6), (-48, -4, -36, 5)],
    "right lower vein": [(-20, 18, -68, 7.5), (-40, 26, -76, 6)],
    "left upper vein": [(26, 8, -48, 7), (44, 2, -38, 6), (54, -2, -28, 5)],
    "left lower vein": [(26, 18, -66, 7.5), (46, 30, -74, 6)],
}  # fmt: skip
_CHAMBERS = {  # middle, half axes
    "left atrium": ((8, 8, -62), (33, 20, 23)),
    "right atrium": ((-31, -22, -82), (25, 31, 38)),
    "right ventricle": ((9, -54, -92), (42, 27, 36)),
    "left ventricle": ((45, -28, -94), (40, 36, 42)),
    "septum": ((10, -16, -76), (24, 22, 24)),
    "apex": ((66, -44, -110), (29, 27, 25)),
}
_AIRWAYS = {
    "trachea": [(0, 4, 130, 8.5), (-1, 14, 70, 8.5), (-3, 20, 20, 8.5), (-2, 24, 2, 8.5)],
    "right main bronchus": [(-3, 24, -1, 7), (-28, 25, -20, 6.3), (-34, 24, -44, 5.2), (-38, 28, -62, 4.2)],
    "right upper bronchus": [(-23, 24, -15, 4.5), (-46, 20, -8, 3.8)],
    "left main bronchus": [(-1, 25, -1, 6.5), (24, 29, -20, 5.8), (44, 30, -34, 5.3), (49, 38, -58, 4)],
    "left upper bronchus": [(42, 28, -33, 4.5), (56, 14, -26, 3.8)],
}
#: Where the vessel trees enter the lungs: (side, kind) -> place and direction.
HILA = {
    ("right", "artery"): ((-43, 16, -42), (-0.8, 0.3, -0.2)),
    ("left", "artery"): ((52, 31, -34), (0.8, 0.3, -0.2)),
    ("right", "vein"): ((-40, 10, -58), (-0.9, 0.1, 0.1)),
    ("left", "vein"): ((48, 14, -54), (0.9, 0.1, 0.1)),
}


def spine_y(z):
    """Return the middle of the vertebral bodies: the thoracic kyphosis."""
    return 57 - 0.0013 * (z + 50) ** 2


def cross_section(x, y, z, table, power=2.2):
    """Return about the distance in mm to a superellipse whose axes change with height."""
    half_x, half_y, middle = (np.interp(z, _HEIGHT, row).astype(np.float32) for row in table)
    y = (y - middle) / half_y
    u, v = abs(x) / half_x / (1 + 0.11 * np.clip(y, -1.5, 1.0)), abs(y)  # an egg, narrower in front
    level = (u**power + v**power) ** (1 / power) + 1e-6
    slope = np.sqrt((u ** (power - 1) / half_x) ** 2 + (v ** (power - 1) / half_y) ** 2) / level ** (power - 1)
    return (level - 1) / np.maximum(slope, 1 / (2 * half_x))


def ellipsoid(x, y, z, middle, axes):
    """Return about the distance in mm to an ellipsoid."""
    scaled = [(p - m) / a for p, m, a in zip((x, y, z), middle, axes, strict=True)]
    level = np.sqrt(sum(s**2 for s in scaled))
    slope = np.sqrt(sum((s / a) ** 2 for s, a in zip(scaled, axes, strict=True)))
    return level * (level - 1) / np.maximum(slope, 1e-4)


def _pieces(chains):
    """Return the straight pieces of tubes through knots, shape (piece, 8): x, y, z, radius at either end."""
    return np.array([[*start, *end] for knots in chains.values() for start, end in pairwise(knots)])


_BLOOD_PIECES, _AIRWAY_PIECES = _pieces(_BLOOD), _pieces(_AIRWAYS)


class Places:
    """Arrays x, y, z of one shape [z, y, x] in mm, and how far each layer of them reaches."""

    def __init__(self, x, y, z):
        self.x, self.y, self.z = (np.ascontiguousarray(p, dtype=np.float32) for p in (x, y, z))
        others = ((0, 1), (0, 2), (1, 2))
        self.reach = [
            (place.min(axis=axes), place.max(axis=axes))
            for place, axes in zip((self.x, self.y, self.z), others, strict=True)
        ]

    def meets(self, low, high):
        """Return which boxes, from corners of shape (box, 3), meet the box around all places."""
        least = np.array([least.min() for least, _ in self.reach])
        most = np.array([most.max() for _, most in self.reach])
        return ((low < most) & (high > least)).all(axis=1)

    def near(self, low, high):
        """Return slices [z, y, x] that hold all places between two corners, or None."""
        slices = []
        for (least, most), a, b in zip(self.reach, low, high, strict=True):
            hits = np.flatnonzero((most > a) & (least < b))
            if not len(hits):
                return None
            slices.append(slice(hits[0], hits[-1] + 1))
        return tuple(slices[::-1])


def union_of_tubes(places, pieces, reach_mm=22.0):
    """Return the distance in mm to the nearest of some straight tubes; 99 far from all."""
    nearest = np.full(places.x.shape, 99.0, np.float32)
    start, end = pieces[:, :3], pieces[:, 4:7]
    margin = np.maximum(pieces[:, 3:4], pieces[:, 7:]) + reach_mm
    low, high = np.minimum(start, end) - margin, np.maximum(start, end) + margin
    for k in np.flatnonzero(places.meets(low, high)):
        part = places.near(low[k], high[k])
        if part is not None:
            along = (end[k] - start[k]).astype(np.float32)
            dx, dy, dz = (p[part] - s for p, s in zip((places.x, places.y, places.z), start[k], strict=True))
            t = np.clip((dx * along[0] + dy * along[1] + dz * along[2]) / (along @ along), 0, 1)
            distance = np.sqrt((dx - t * along[0]) ** 2 + (dy - t * along[1]) ** 2 + (dz - t * along[2]) ** 2)
            here = nearest[part]
            np.minimum(here, distance - (pieces[k, 3] + t * (pieces[k, 7] - pieces[k, 3])), out=here)
    return nearest


def smooth_minimum(one, other, width_mm):
    """Return the union of two surfaces, with the groove between them filled."""
    gap = np.clip(0.5 + (other - one) / (2 * width_mm), 0, 1)
    return other + (one - other) * gap - width_mm * gap * (1 - gap)


def surfaces(x, y, z, build):
    """Return the surfaces of a chest at some places of the reference patient.

    Parameters
    ----------
    x, y, z : ndarray, [z, y, x]
        Places in mm, LPS.
    build : Build
        Sex, fat, heart size, diaphragm.

    Returns
    -------
    dict of ndarray
        Negative inside: skin, muscle, cavity, abdomen, liver, lung, blood, heart, airway, esophagus; and the distance
        to the fissure of either side, positive above it.
    """
    places = Places(x, y, z)
    x, y, z = places.x, places.y, places.z
    muscle = cross_section(x, y, z, _MUSCLE, 2.3)
    found = {"cavity": _cavity(x, y, z), "muscle": muscle, **_outside(x, y, z, muscle, build)}
    found |= _diaphragm(x, y, z, build)
    found["blood"] = union_of_tubes(places, _BLOOD_PIECES)
    found["heart"] = _heart(x, y, z, build)
    found["airway"] = union_of_tubes(places, _AIRWAY_PIECES)
    found["esophagus"] = ellipsoid(x, y - spine_y(z) + 27, 0 * z, (5, 0, 0), (8, 5.5, 1e3))
    found["lung"] = np.maximum.reduce([found["cavity"], -_mediastinum(x, y, z, found), -found["abdomen"], -z - 205])
    found["fissure"] = _fissures(x, y, z)
    return found


def _cavity(x, y, z):
    """Return the inside of the ribs: an egg, pressed in by the muscles of the back and by the sternum."""
    egg = cross_section(x, y, z, _CAVITY)
    back = ellipsoid(x, y - spine_y(z), 0 * z, (0, 56, 0), (45, 41, 1e3))
    front = ellipsoid(x, y, 0 * z, (0, -114, 0), (48, 36, 1e3)) + 0.25 * np.clip(z - 20, 0, None)
    return -smooth_minimum(smooth_minimum(-egg, back, 7.0), front, 7.0)


def _outside(x, y, z, muscle, build):
    """Return the skin: fat of a thickness around the muscle, and breasts."""
    spine = np.exp(-((x / 40) ** 2)) * (y > 0)
    skin = muscle - build.fat_mm * (1 - 0.5 * spine)
    if build.female:
        for side in (-1, 1):
            size = build.breast_mm
            breast = ellipsoid(x, y, z, (side * 86, -92, -55), (size * 1.4, size, size * 1.35))
            skin = smooth_minimum(skin, breast, 12.0)
    return {"skin": skin}


def _diaphragm(x, y, z, build):
    """Return the abdomen under the two domes, and the liver in it."""
    z = z - build.diaphragm_mm
    y = y - 0.55 * np.clip(-135 - z, 0, 75)  # further back the domes reach deeper
    right = ellipsoid(x, y, z, (-60, -24, -202), (90, 102, 98))
    left = ellipsoid(x, y, z, (60, -26, -214), (86, 98, 95))
    middle = ellipsoid(x, y, z, (0, -34, -214), (90, 80, 96))
    abdomen = smooth_minimum(smooth_minimum(right, left, 14.0), middle, 10.0)
    liver = np.maximum(abdomen + 3, x - 20 + 0.3 * (z + 130))
    return {"abdomen": abdomen, "liver": liver}


def _heart(x, y, z, build):
    chambers = [ellipsoid(x / build.heart, y, z, *chamber) for chamber in _CHAMBERS.values()]
    heart = chambers[0]
    for chamber in chambers[1:]:
        heart = smooth_minimum(heart, chamber, 5.0)
    return heart


def _mediastinum(x, y, z, found):
    """Return what lies between the lungs: organs, the fat that fills their grooves, the spine."""
    envelope = smooth_minimum(found["heart"] - 3.5, found["blood"] - 2.5, 20.0)
    envelope = smooth_minimum(envelope, found["airway"] - 2.5, 10.0)
    envelope = smooth_minimum(envelope, found["esophagus"] - 1.5, 8.0)
    middle = ellipsoid(x, y, z, (1, 0, 12), (35, 36, 70))  # fat and nodes around the trachea
    envelope = smooth_minimum(envelope, middle, 10.0)
    width = 4 + 12 * np.clip((z - 15) / 60, 0, 1) + 8 * np.clip((-z - 60) / 60, 0, 1)
    front = ellipsoid(x - 4, y, 0 * z, (0, -70, 0), (width, 58, 1e3))
    spine = ellipsoid(x, y - spine_y(z), 0 * z, (0, 12, 0), (21.5, 30, 1e3))
    envelope = smooth_minimum(smooth_minimum(envelope, front, 14.0), spine, 7.0)
    return np.minimum(envelope, abs(x - 4 - 4 * np.sin((y + z) / 40)) - 3.0)  # else only the pleurae of both lungs


def _fissures(x, y, z):
    """Return the distance to the oblique fissure (upper lobe above) of either lung, in mm."""
    return (z + 48 - 9 * (x > 0) - 1.05 * y + 12 * np.cos(x / 40 + 0.4) - 0.002 * (y - 20) ** 2) / 1.45
