"""One simulated patient: what the seed draws, before any scanner looks at it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from medlearn.data.chest_organs import HILA, surfaces
from medlearn.data.chest_placing import place_nodules
from medlearn.data.tubes import Tubes
from medlearn.data.vessel_tree import grow_trees

_SEEDS_PER_ML, _END_RADIUS_MM = 1.1, 0.45
_COARSE_MM = 8.0
_LOW_MM, _HIGH_MM = (-180.0, -130.0, -250.0), (180.0, 130.0, 130.0)


@dataclass(frozen=True)
class Build:
    """The body: sex, layers of fat, size of breasts and heart, height of the diaphragm."""

    female: bool
    fat_mm: float
    breast_mm: float
    heart: float
    diaphragm_mm: float


class Patient:
    """The person, the anatomy and the nodules that a seed stands for.

    Parameters
    ----------
    seed : int
    num_nodules : int, optional
        Else as many as a scan of LIDC-IDRI, drawn by chance; it may be none.
    """

    def __init__(self, seed, num_nodules=None):
        self.seed = seed
        rng = self.rng("person")
        self.female = bool(rng.random() < 0.45)
        self.age = int(np.clip(rng.normal(62, 7), 45, 85))
        self.emphysema = bool(rng.random() < 0.3)
        self.family_history = bool(rng.random() < 0.2)
        fat_mm = float(np.clip(rng.gamma(4.0, 4.2), 5, 42))
        self.build = Build(
            self.female, fat_mm, 30 + 0.9 * fat_mm + rng.uniform(-6, 8), rng.normal(1.0, 0.05), rng.normal(4, 12)
        )
        self.scale = np.clip(rng.normal(0.93 if self.female else 1.0, 0.035), 0.82, 1.12) * rng.normal(1, 0.03, 3)
        directions = rng.normal(size=(6, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        self.wave = (2 * np.pi / rng.uniform(190, 420, (6, 1)) * directions).astype(np.float32)
        self.phase = rng.uniform(0, 2 * np.pi, 6).astype(np.float32)
        self.sway_mm = rng.normal(0, 2.2, (6, 3)).astype(np.float32)
        self.lung_hu = rng.normal(-855, 13) - 22 * self.emphysema
        self.gradient_hu_mm = rng.normal(0.32, 0.08)
        self.num_nodules = num_nodules

    def rng(self, topic):
        """Return a generator of its own for each topic, so that an option does not change the rest."""
        return np.random.default_rng([self.seed, *topic.encode()])

    def to_reference(self, x, y, z):
        """Return where places (arrays in mm) of this patient are in the reference patient."""
        x, y, z = (p / s for p, s in zip((x, y, z), self.scale.astype(np.float32), strict=True))
        waves = [np.sin(kx * x + ky * y + kz * z + p) for (kx, ky, kz), p in zip(self.wave, self.phase, strict=True)]
        return tuple(
            place + sum(wave * sway for wave, sway in zip(waves, self.sway_mm[:, axis], strict=True))
            for axis, place in enumerate((x, y, z))
        )

    def from_reference(self, points_mm):
        """Return where points (point, 3) of the reference patient are in this patient, to about 0.1 mm."""
        target = np.asarray(points_mm, dtype=float)
        found = target * self.scale
        for _ in range(6):
            found = found + (target - np.column_stack(self.to_reference(*found.T.astype(np.float32)))) * self.scale
        return found

    @cached_property
    def coarse(self):
        """The surfaces over the whole chest, every 8 mm: to place things, not to draw them."""
        axes = [np.arange(a, b + 1, _COARSE_MM, dtype=np.float32) for a, b in zip(_LOW_MM, _HIGH_MM, strict=True)]
        z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
        return surfaces(*self.to_reference(x, y, z), self.build)

    def look_up(self, name, points_mm):
        """Return a coarse surface at points (point, 3), interpolated."""
        index = (np.asarray(points_mm) - _LOW_MM) / _COARSE_MM
        return ndimage.map_coordinates(self.coarse[name], index[:, ::-1].T, order=1, mode="nearest")

    @cached_property
    def _lung_cells(self):
        return np.argwhere(self.coarse["lung"] < _COARSE_MM)[:, ::-1]

    def points_in_lungs(self, per_ml, depth_mm, rng):
        """Return points spread evenly over both lungs, at least so deep under their surface."""
        inside = self._lung_cells
        count = rng.poisson(per_ml * _COARSE_MM**3 / 1000 * len(inside))
        cells = inside[rng.integers(len(inside), size=count)]
        points = np.array(_LOW_MM) + _COARSE_MM * (cells + rng.uniform(-0.5, 0.5, cells.shape))
        return points[self.look_up("lung", points) < -depth_mm]

    @cached_property
    def vessels(self):
        """Arteries and veins of both lungs, and the arteries alone: (Tubes, Tubes)."""
        rng = self.rng("vessels")
        roots = self.from_reference(np.array([place for place, _ in HILA.values()]))
        seeds = self.points_in_lungs(2 * _SEEDS_PER_ML, 3.5, rng)
        left = self.side(seeds) == "left"
        vein = rng.random(len(seeds)) < 0.5
        tubes, tree = grow_trees(roots, seeds, left + 2 * vein, end_radius_mm=_END_RADIUS_MM, rng=rng)
        return Tubes.join([tubes, self._twigs(seeds, rng)]), tubes[tree < 2]

    def _twigs(self, ends_mm, rng):
        """Return the last generation: two short branches at each end."""
        start = np.repeat(ends_mm, 2, axis=0)
        step = rng.normal(scale=3.2, size=start.shape)
        good = self.look_up("lung", start + step) < -1.5
        start, step = start[good], step[good]
        radius = np.full(len(start), 0.6 * _END_RADIUS_MM)
        return Tubes(start, start + step, radius, 0.8 * radius)

    @cached_property
    def bronchi(self):
        """The bronchi: they run beside the arteries down to a radius of 1.2 mm. Radius: that of the lumen."""
        arteries = self.vessels[1]
        large = arteries[(arteries.end_radius_mm > 1.2)]
        aside = np.array([0.25, -0.75, 0.6]) * 1.75
        return Tubes(
            large.start_mm + aside * large.start_radius_mm[:, None],
            large.end_mm + aside * large.end_radius_mm[:, None],
            0.75 * large.start_radius_mm, 0.75 * large.end_radius_mm,
        )  # fmt: skip

    def side(self, points_mm):
        """Return "left" or "right" for points (point, 3) in the lungs."""
        x = self.to_reference(*np.asarray(points_mm, dtype=np.float32).T)[0]
        return np.where(x > 4, "left", "right")

    @cached_property
    def nodules(self):
        """The nodules, largest first."""
        return place_nodules(self)

    @cached_property
    def strands(self):
        """All thin tissue that is no vessel: scars, and the spicules of the nodules."""
        return Tubes.join([self.scars, *(nodule.spicules for nodule in self.nodules)])

    @cached_property
    def scars(self):
        """Bands and small stars of scar tissue: what looks like a nodule and is none."""
        rng = self.rng("scars")
        middles = self.points_in_lungs(0.02, 4.0, rng)
        middles = middles[rng.permutation(len(middles))[: rng.poisson(5)]]
        pieces = []
        for middle in middles:
            direction = rng.normal(size=3) * [1, 1, 0.5]
            direction /= np.linalg.norm(direction)
            steps = np.cumsum(rng.normal(scale=0.35, size=(5, 3)) + direction, axis=0)
            knots = middle + (steps - steps[2]) * rng.uniform(2.0, 6.0)
            radius = rng.uniform(0.5, 1.6) * np.array([0.3, 0.8, 1.0, 0.7, 0.3])
            pieces.append(Tubes(knots[:-1], knots[1:], radius[:-1], radius[1:]))
        empty = Tubes(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros(0))
        return Tubes.join([empty, *pieces])
