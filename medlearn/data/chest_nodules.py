"""Nodules of the simulated chest: sizes, ratings and shapes as the LIDC readers drew them."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from medlearn.data.shapes import harmonics
from medlearn.data.tubes import Tubes
from medlearn.data.voxels import across

SUBTLETY, CALCIFICATION, SPHERICITY, MARGIN, LOBULATION, SPICULATION, TEXTURE, MALIGNANCY = range(8)
#: Mean HU; the references stand in :func:`medlearn.data.simulate_patient`.
SOLID_HU, GROUND_GLASS_HU, CALCIFIED_HU = 35.0, -610.0, 420.0


@dataclass(frozen=True)
class Nodule:
    """One simulated nodule; the label ``malignant`` is drawn with ``malignancy_probability``.

    ``diameter_mm`` is that of the ball of equal volume, ``longest_mm`` the longest diameter. ``spiculation`` is the
    mean rating of the LIDC readers whose outline this nodule has, 1 (none) to 5 (marked).
    """

    centre_mm: tuple[float, float, float]
    diameter_mm: float
    longest_mm: float
    type: str
    calcified: bool
    spiculation: float
    attachment: str
    side: str
    upper_lobe: bool
    malignancy_probability: float
    malignant: bool
    subtlety: float
    margin_mm: float = field(repr=False)
    value_hu: float = field(repr=False)
    core: float = field(repr=False)  # radius of the solid core over the radius: part-solid nodules
    shape: np.ndarray = field(repr=False, compare=False)
    spicules: Tubes = field(repr=False, compare=False)

    def radius_mm(self, directions):
        """Return the radius in each of some unit vectors, shape (..., 3)."""
        return _mean_radius(self.shape) * self.diameter_mm / 2 * np.exp(harmonics(directions) @ self.shape)

    def share(self, grid, scale=1.0):
        """Return the share of each voxel inside the nodule, and the part [z, y, x] of the grid that it is in.

        Parameters
        ----------
        grid : Grid
        scale : float
            Draw it at another size about its centre, as for the solid core.

        Returns
        -------
        tuple of slices, ndarray
            None and None if the nodule is outside the grid.
        """
        table = _radius_table(self.shape.tobytes())
        reach = table.max() * scale * self.diameter_mm / 2 + self.margin_mm + grid.extent_mm
        low = np.ceil((self.centre_mm - reach - grid.origin_mm) / grid.spacing_mm).astype(int)
        high = np.floor((self.centre_mm + reach - grid.origin_mm) / grid.spacing_mm).astype(int) + 1
        low, high = np.clip(low, 0, grid.size), np.clip(high, 0, grid.size)
        if (high <= low).any():
            return None, None
        x, y, z = (grid.axis_mm(k)[low[k] : high[k]] - self.centre_mm[k] for k in range(3))
        fine = int(np.ceil(grid.thickness_mm / 0.6))
        offsets = ((np.arange(fine) + 0.5) / fine - 0.5) * grid.thickness_mm
        inside = self._inside(x, y, (z[:, None] + offsets).ravel(), grid.extent_mm / [1, 1, fine], scale)
        inside = inside.reshape(len(z), fine, len(y), len(x)).mean(axis=1, dtype=np.float32)
        return tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True)), inside

    def _inside(self, x, y, z, extent, scale):
        x, y, z = x[None, None, :], y[None, :, None], z[:, None, None]
        distance = np.sqrt(x**2 + y**2 + z**2) + 1e-6
        radius = scale * self.diameter_mm / 2 * _from_table(self.shape.tobytes(), x, y, z, distance)
        width = across(x, y, z, extent) / distance + self.margin_mm
        radius = radius - np.minimum(width**2 / (12 * radius), 0.3 * radius)  # a ramp across a curved wall adds volume
        return np.clip(0.5 - (distance - radius) / width, 0, 1)


@lru_cache(maxsize=64)
def _radius_table(shape_bytes, polar=48, around=96):
    """Return the relative radius at equidistant polar angles and azimuths, the mean volume kept."""
    shape = np.frombuffer(shape_bytes)
    theta, phi = np.meshgrid((np.arange(polar) + 0.5) / polar * np.pi, np.arange(around) / around * 2 * np.pi)
    directions = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)
    return (_mean_radius(shape) * np.exp(harmonics(directions) @ shape)).T


def _from_table(shape_bytes, x, y, z, distance):
    table = _radius_table(shape_bytes)
    row = np.minimum((np.arccos(np.clip(z / distance, -1, 1)) / np.pi * table.shape[0]).astype(int), len(table) - 1)
    column = np.rint(np.arctan2(y, x) / (2 * np.pi) * table.shape[1]).astype(int) % table.shape[1]
    return table[row, np.broadcast_to(column, row.shape)]


def elongation(shape):
    """Return the longest diameter of a shape over that of the ball of equal volume.

    Examples
    --------
    >>> round(elongation(np.zeros(36)), 2)
    1.0
    """
    radius = _mean_radius(shape) * np.exp(_evenly() @ shape)
    surface = radius[:, None] * _spiral()
    return float(np.ptp(surface @ _spiral()[::4].T, axis=0).max() / 2)


def _mean_radius(shape):
    """Return the factor that gives a shape the volume of the ball of radius 1."""
    return float(np.mean(np.exp(_evenly() @ shape) ** 3) ** (-1 / 3))


@lru_cache(maxsize=1)
def _evenly():
    return harmonics(_spiral())


@lru_cache(maxsize=1)
def _spiral(count=600):
    """Return directions that are spread evenly over the sphere: a Fibonacci spiral."""
    height = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    ring = np.sqrt(1 - height**2)
    return np.column_stack([ring * np.cos(turn), ring * np.sin(turn), height])


@lru_cache(maxsize=1)
def lidc_table():
    """Return the columns of the table that :mod:`medlearn.data.derive.lidc_nodules` derives, as read-only arrays.

    Examples
    --------
    >>> table = lidc_table()
    >>> len(table["scan_nodules"]), len(table["diameter_mm"])  # scans, nodules of 3 mm or more
    (1018, 2671)
    """
    with np.load(Path(__file__).with_name("lidc_nodules.npz"), allow_pickle=False) as file:
        table = {name: file[name] for name in file.files}
    for name, column in table.items():
        table[name] = column.astype(float) if column.dtype == np.float16 else column
        table[name].setflags(write=False)
    return table


def nodule_type(texture):
    """Return the type that a mean rating of texture stands for: 1 is ground glass, 3 part-solid, 5 solid.

    Examples
    --------
    >>> [nodule_type(rating) for rating in (1.0, 3.0, 4.75)]
    ['ground-glass', 'part-solid', 'solid']
    """
    return "ground-glass" if texture < 2 else "part-solid" if texture < 4 else "solid"


def draw_spicules(centre_mm, diameter_mm, spiculation, radius, rng):
    """Return thin tapering strands from the surface outwards: none below a rating of 1.5, up to about 18 at 5."""
    count = rng.poisson(4.5 * (spiculation - 1)) if spiculation >= 1.5 else 0
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    surface = radius(directions)[:, None] if count else np.zeros((0, 1))
    length = rng.uniform(0.25, 0.9, (count, 1)) * min(diameter_mm, 18.0) / 2 + 1.0
    bend = rng.normal(scale=0.2, size=(count, 3))
    start = np.array(centre_mm) + directions * surface * 0.8
    end = np.array(centre_mm) + directions * (surface + length) + bend * length
    thick = rng.uniform(0.35, 0.75, count) * (0.7 + diameter_mm / 40)
    return Tubes(start, end, thick, 0.35 * thick)
