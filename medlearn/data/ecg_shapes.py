"""The waves of a simulated heart as a moving dipole: what the conduction makes of each kind of beat, and its leads.

A wave is a Gaussian of the dipole, with a time after the R peak, a width and a direction in the body: (left, foot,
front). A lead sees the part of the dipole along its own direction, so that all leads agree with each other.
"""

from dataclasses import dataclass

import numpy as np

#: Where the leads look: (left, foot, front). V1 to V6 go around the chest from front right to left.
LEADS = {
    "MLII": (0.55, 0.84, 0.0),
    "V1": (-0.35, 0.1, 0.7),
    "V2": (-0.1, 0.1, 1.05),
    "V4": (0.65, 0.25, 0.75),
    "V5": (0.95, 0.2, 0.3),
}


@dataclass(frozen=True)
class Waves:
    """Gaussian waves of one beat: times after R and widths in seconds, shape (wave,); dipoles in mV, (wave, 3)."""

    time_s: np.ndarray
    width_s: np.ndarray
    dipole_mv: np.ndarray

    @classmethod
    def of(cls, *rows):
        """Make waves from rows of (time in ms, width in ms, dipole)."""
        times, widths, dipoles = zip(*rows, strict=True)
        return cls(np.array(times) / 1000, np.array(widths) / 1000, np.array(dipoles, dtype=float))

    def __len__(self):
        return len(self.time_s)


@dataclass(frozen=True)
class Shape:
    """A kind of beat: its QRS complex, and its ST segment and T wave with their times at a rate of 60 a minute."""

    qrs: Waves
    repolarisation: Waves


def direction(frontal_deg, front):
    """Return a unit vector from the angle in the frontal plane (0 left, 90 foot) and how far it points to the front.

    Examples
    --------
    >>> direction(90, 0.0).round(3) + 0.0
    array([0., 1., 0.])
    """
    angle = np.radians(frontal_deg)
    vector = np.array([np.cos(angle), np.sin(angle), front])
    return vector / np.linalg.norm(vector)


def lead_vectors(leads, rng):
    """Return where the electrodes of a patient really look, shape (3, lead): they never sit on the same spot."""
    shifts = dict(zip(LEADS, rng.normal(0, 0.12, (len(LEADS), 3)), strict=True))
    return np.column_stack([np.array(LEADS[lead]) + shifts[lead] for lead in leads])


def draw_normal(rng):
    """Return the shape of a patient's normal beats."""
    axis = np.clip(rng.normal(50, 25), -30, 100)
    size = 1.95 * np.exp(rng.normal(0, 0.32))
    main = size * direction(axis, rng.normal(-0.22, 0.25))
    septal = size * abs(rng.normal(0.14, 0.09)) * direction(axis + 180 + rng.normal(0, 35), 0.9)
    terminal = size * abs(rng.normal(0.34, 0.3)) * direction(axis + 180 + rng.normal(0, 45), rng.normal(-0.6, 0.5))
    pace = rng.normal(1.0, 0.1)
    qrs = Waves.of(
        (-24 * pace, 9 * pace, septal), (-4 * pace, 10.5 * pace, 0.55 * main), (5 * pace, 10 * pace, 0.6 * main),
        (27 * pace, 11 * pace, terminal),
    )  # fmt: skip
    return Shape(qrs, _repolarisation(axis, size, rng))


def _repolarisation(axis, size, rng):
    """Return ST segment and T wave: usually along the QRS, flat or inverted in one patient of four."""
    ill = rng.random() < 0.25
    height = 0.31 * np.exp(rng.normal(0, 0.35)) * (rng.uniform(-0.9, 0.4) if ill else 1.0)
    t_wave = height * np.sqrt(size / 1.5) * direction(axis * 0.7 + 15 + rng.normal(0, 20), rng.normal(0.45, 0.35))
    st_level = rng.normal(0, 0.07 if ill else 0.025) * direction(axis, rng.normal(0, 0.4))
    peak = rng.normal(290, 22)
    return Waves.of((120, 42, st_level), (peak - 30, 55, 0.55 * t_wave), (peak + 12, 33, 0.6 * t_wave))


def block_left(normal, rng):
    """Return the same heart with a left bundle branch block: broad and notched, away from V1, T against it."""
    size = np.linalg.norm(normal.qrs.dipole_mv[1:3].sum(axis=0)) * rng.uniform(0.75, 1.15)
    axis, back = np.clip(rng.normal(25, 28), -35, 75), -rng.uniform(0.5, 1.2)
    first, second = direction(axis, back), direction(axis + rng.normal(0, 20), back - 0.3)
    stretch = rng.normal(1.0, 0.1)
    qrs = Waves.of(
        (-27 * stretch, 11, 0.35 * size * first), (-3 * stretch, 13 * stretch, 0.8 * size * first),
        (25 * stretch, 14 * stretch, 0.65 * size * second), (50 * stretch, 13, 0.25 * size * second),
    )  # fmt: skip
    return Shape(qrs, _against(qrs, 0.24 * rng.uniform(0.7, 1.3), 300 + 40 * stretch))


def block_right(normal, rng):
    """Return the same heart with a right bundle branch block: as before, then a late wave to the right and front."""
    late = rng.uniform(0.45, 0.95) * direction(180 + rng.normal(0, 25), rng.uniform(0.5, 1.1))
    stretch = rng.normal(1.0, 0.1)
    extra = Waves.of((46 * stretch, 15 * stretch, late), (72 * stretch, 16 * stretch, 0.55 * late))
    own, turned = normal.repolarisation, 0.22 * late
    repolarisation = Waves(own.time_s + 0.02, own.width_s, own.dipole_mv - np.array([0.3, 0.5, 0.5])[:, None] * turned)
    return Shape(join(normal.qrs, extra), repolarisation)


def draw_ventricular(normal, rng):
    """Return the beats of one ventricular focus: broad, from any direction, T against it; some are narrow or alike."""
    normal_mv = normal.qrs.dipole_mv[1:3].sum(axis=0)
    start = rng.normal(size=3)
    start /= np.linalg.norm(start)
    if rng.random() < 0.2:  # a focus near the conduction system: much like the patient's own beats
        start = normal_mv / np.linalg.norm(normal_mv) + 0.35 * rng.normal(size=3)
    size = 0.85 * np.linalg.norm(normal_mv) ** 0.5 * np.exp(rng.normal(0, 0.3))
    stretch = np.clip(rng.normal(1.0, 0.17), 0.6, 1.4)
    bend = 0.75 * rng.normal(size=3)
    parts = rng.uniform(0.6, 1.4, 4)
    steps = ((-33, 12, 0.5, -1.0), (-6, 16, 1.0, 0.0), (24, 17, 0.7, 1.0), (52, 15, 0.35, 1.6))
    qrs = Waves.of(*((time * stretch, width * stretch, size * own * part * (start + turn * bend))
                     for own, (time, width, part, turn) in zip(parts, steps, strict=True)))  # fmt: skip
    return Shape(qrs, _against(qrs, rng.uniform(0.17, 0.33), rng.normal(320, 20) + 30 * stretch))


def _against(qrs, share, peak_ms):
    """Return ST segment and T wave against a broad QRS complex."""
    pull = -share * qrs.dipole_mv.sum(axis=0) * 0.75
    return Waves.of((peak_ms - 160, 45, 0.35 * pull), (peak_ms - 45, 58, 0.6 * pull), (peak_ms, 38, 0.65 * pull))


def join(*waves):
    """Return several waves as one."""
    return Waves(*(np.concatenate([getattr(w, part) for w in waves]) for part in ("time_s", "width_s", "dipole_mv")))


def blend(first, second, weight):
    """Return the fusion of two beats: ``weight`` of the first and the rest of the second."""
    parts = []
    for name in ("qrs", "repolarisation"):
        one, two = getattr(first, name), getattr(second, name)
        parts.append(join(Waves(one.time_s, one.width_s, weight * one.dipole_mv),
                          Waves(two.time_s, two.width_s, (1 - weight) * two.dipole_mv)))  # fmt: skip
    return Shape(*parts)
