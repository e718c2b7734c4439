"""From surfaces and tubes in mm to the share of each voxel that they fill: partial volume on any grid."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LATTICE_MM = 4.0  # smooth surfaces are known at multiples of this distance, whatever the grid: same seed, same anatomy


@dataclass(frozen=True)
class Grid:
    """Voxels in LPS: centre of the first in mm, distances and counts along x, y, z, and the slice thickness."""

    origin_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    size: tuple[int, int, int]
    thickness_mm: float

    @property
    def extent_mm(self):
        """Width of one voxel along x, y, z; a thick slice may overlap its neighbours."""
        return np.array([*self.spacing_mm[:2], self.thickness_mm])

    @property
    def shape(self):
        return self.size[::-1]  # (z, y, x)

    def axis_mm(self, axis):
        return self.origin_mm[axis] + self.spacing_mm[axis] * np.arange(self.size[axis])

    def bounds_mm(self, margin_mm=0.0):
        """Return the lowest and the highest x, y, z of the voxels with their extent, and a margin."""
        low = np.array(self.origin_mm)
        high = low + np.array(self.spacing_mm) * (np.array(self.size) - 1)
        return low - self.extent_mm / 2 - margin_mm, high + self.extent_mm / 2 + margin_mm


def across(x, y, z, extent_mm):
    """Return the width of a voxel along a direction: that of the ramp with the variance of the voxel's projection.

    Examples
    --------
    >>> float(across(0.6, 0.0, 0.8, (1.0, 1.0, 2.0)).round(3))  # the root of 0.6² + 1.6²
    1.709
    """
    return np.sqrt((x * extent_mm[0]) ** 2 + (y * extent_mm[1]) ** 2 + (z * extent_mm[2]) ** 2)


class Lattice:
    """The points around a grid at which the smooth surfaces are computed, and the way from there to the voxels."""

    def __init__(self, grid):
        self.grid = grid
        low, high = grid.bounds_mm(LATTICE_MM)
        first, last = np.floor(low / LATTICE_MM).astype(int), np.ceil(high / LATTICE_MM).astype(int)
        self.axes_mm = [LATTICE_MM * np.arange(a, b + 1, dtype=np.float32) for a, b in zip(first, last, strict=True)]
        self.voxels_mm = [grid.axis_mm(k) for k in range(3)]
        self.weights = [_linear(a, b) for a, b in zip(self.axes_mm, self.voxels_mm, strict=True)]

    @property
    def points_mm(self):
        """x, y and z of the lattice, to be broadcast to [z, y, x]."""
        x, y, z = self.axes_mm
        return x[None, None, :], y[None, :, None], z[:, None, None]

    def region(self, inside):
        """Return the region of the grid around the true points of the lattice, or None if there is nothing."""
        flat = inside.any(axis=0)
        coarse, fine = [], []
        for axis, any_there in enumerate((inside.any(axis=(1, 2)), flat.any(axis=1), flat.any(axis=0))):
            hits = any_there.nonzero()[0]
            if not len(hits):
                return None
            low, high = max(hits[0] - 1, 0), min(hits[-1] + 1, len(any_there) - 1)
            places = self.axes_mm[2 - axis]
            first, last = self.voxels_mm[2 - axis].searchsorted((places[low] - 1e-4, places[high] + 1e-4))
            if first >= last:
                return None
            coarse.append(slice(low, high + 1))
            fine.append(slice(first, last))
        weights = [w[f, c] for w, f, c in zip(self.weights[::-1], fine, coarse, strict=True)]
        return Region(tuple(coarse), tuple(fine), weights)

    def share(self, surface, shift_mm=0.0):
        """Return the share of each voxel inside a surface (negative inside), and the region that it is in.

        A voxel is cut by a plane: its share falls from 1 to 0 over the voxel's width across the plane.

        Parameters
        ----------
        surface : ndarray, [z, y, x] of the lattice
        shift_mm : float
            Move the surface outwards by so much.

        Returns
        -------
        tuple of Region, ndarray
            Outside the region the share is 0. (None, None) if nothing is inside.
        """
        reach = self.grid.extent_mm.sum() + shift_mm
        if surface.min() > reach:
            return None, None
        slopes = np.gradient(surface, LATTICE_MM)  # along z, y, x
        steep = np.sqrt(sum(slope**2 for slope in slopes))
        width = across(*slopes[::-1], self.grid.extent_mm)
        depth = (surface - shift_mm * steep) / np.maximum(width, 0.05)
        region = self.region(depth < 0.5)
        if region is None:
            return None, None
        depth = region.voxels(np.clip(depth, -9, 9))
        return region, np.clip(np.subtract(0.5, depth, out=depth), 0, 1, out=depth)


@dataclass(frozen=True)
class Region:
    """A box of the lattice, the voxels in it, and the interpolation from one to the other."""

    coarse: tuple[slice, slice, slice]
    fine: tuple[slice, slice, slice]
    weights: list[np.ndarray]

    def voxels(self, values):
        """Interpolate values of the whole lattice linearly at the voxels of the region."""
        wz, wy, wx = self.weights
        values = np.tensordot(wz, values[self.coarse].astype(np.float32), axes=1)  # (slice, y, x)
        return np.matmul(np.matmul(wy, values), wx.T)  # (slice, row, column)


def _linear(knots, places):
    """Return the matrix that interpolates values at equidistant knots linearly at some places."""
    position = (places - knots[0]) / (knots[1] - knots[0])
    left = np.clip(position.astype(int), 0, len(knots) - 2)
    matrix = np.zeros((len(places), len(knots)), np.float32)
    rows = np.arange(len(places))
    matrix[rows, left + 1] = position - left
    matrix[rows, left] = 1 - (position - left)
    return matrix


def smooth_noise(grid, cell_mm, seed, *, period=40):
    """Return noise of variance about 1 that varies over ``cell_mm``, fixed in space: any grid sees the same noise.

    Random values sit at multiples of ``cell_mm`` and repeat after ``period`` cells.

    Parameters
    ----------
    grid : Grid
    cell_mm : float
    seed : int or sequence of int
    period : int

    Returns
    -------
    ndarray of float32, [z, y, x]
    """
    values = _random_values(tuple(np.atleast_1d(seed).tolist()), period)
    wz, wy, wx = (_tiling(grid.axis_mm(axis) / cell_mm, period) for axis in (2, 1, 0))
    return np.matmul(np.matmul(wy, np.tensordot(wz, values, axes=1)), wx.T)


@lru_cache(maxsize=8)
def _random_values(seed, period):
    return np.random.default_rng(seed).standard_normal((period,) * 3, dtype=np.float32)


def _tiling(places, period):
    """Return the matrix that interpolates ``period`` values, repeated for ever, at some places; variance kept."""
    low = np.floor(places)
    rest = places - low
    matrix = np.zeros((len(places), period), np.float32)
    rows, scale = np.arange(len(places)), 1 / np.hypot(rest, 1 - rest)  # the mean of two values would vary less
    matrix[rows, low.astype(int) % period] = (1 - rest) * scale
    matrix[rows, (low.astype(int) + 1) % period] = rest * scale
    return matrix


def paint(image_hu, region, share, value_hu):
    """Fill the share of each voxel in a region of the image with a tissue, in place."""
    if region is not None:
        here = image_hu[region.fine]
        here += share * (value_hu - here)
