"""Tapering tubes (vessels, bronchi, spicules) as the share of each voxel that they fill."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from medlearn.data.voxels import across

_THICK = 2.4  # pixels of radius


@dataclass(frozen=True)
class Tubes:
    """Straight pieces: ends of shape (tube, 3) in mm and the radius at both ends in mm."""

    start_mm: np.ndarray
    end_mm: np.ndarray
    start_radius_mm: np.ndarray
    end_radius_mm: np.ndarray

    def __len__(self):
        return len(self.start_mm)

    def __getitem__(self, chosen):
        return Tubes(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @classmethod
    def join(cls, parts):
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    @property
    def radius_mm(self):
        return (self.start_radius_mm + self.end_radius_mm) / 2

    @cached_property
    def _boxes_mm(self):
        reach = np.maximum(self.start_radius_mm, self.end_radius_mm)[:, None]
        low, high = np.minimum(self.start_mm, self.end_mm) - reach, np.maximum(self.start_mm, self.end_mm) + reach
        return low.T.astype(np.float32).copy(), high.T.astype(np.float32).copy()

    def touching(self, low_mm, high_mm):
        """Return the tubes whose bounding box meets the box between two corners."""
        low, high = self._boxes_mm
        near = np.flatnonzero((low[2] <= high_mm[2]) & (high[2] >= low_mm[2]))
        for axis in (0, 1):
            near = near[(low[axis][near] <= high_mm[axis]) & (high[axis][near] >= low_mm[axis])]
        return self[near]


def tube_shares(tubes, grid):
    """Return the share of each voxel that lies in some tube.

    A tube thicker than a voxel is drawn by its distance, a thinner one as drops along its middle that carry its volume.

    Parameters
    ----------
    tubes : Tubes
    grid : Grid

    Returns
    -------
    ndarray of float32, [z, y, x], 0 to 1
    """
    tubes = tubes.touching(*grid.bounds_mm(grid.spacing_mm[0]))
    thick = np.maximum(tubes.start_radius_mm, tubes.end_radius_mm) > _THICK * grid.spacing_mm[0]
    shares = _deposit(*_drops(tubes[~thick], grid), grid)
    for start, end, *radii in zip(*(getattr(tubes[thick], n) for n in Tubes.__dataclass_fields__), strict=True):
        _draw_thick(shares, start, end, radii, grid)
    return np.minimum(shares, 1, out=shares)


def _drops(tubes, grid):
    """Return drops along the middle of tubes, or spread over their cross-section where it is not small.

    Returns
    -------
    tuple of ndarray
        Places in voxels x, y, z, shape (drop, 3), and the volume of each drop in voxels.
    """
    along = tubes.end_mm - tubes.start_mm
    length = np.linalg.norm(along, axis=1)
    counts = np.ceil(length / (0.6 * min(grid.spacing_mm[0], grid.thickness_mm))).astype(int)
    owner = np.repeat(np.arange(len(tubes)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    place = (place + 0.5) / counts[owner]
    radius = tubes.start_radius_mm[owner] * (1 - place) + tubes.end_radius_mm[owner] * place
    height = tubes.start_mm[owner, 2] + place * along[owner, 2]
    low, high = grid.bounds_mm()
    seen = (height > low[2] - radius) & (height < high[2] + radius)  # a long tube is mostly outside a thin slice
    owner, place, radius = owner[seen], place[seen], radius[seen]
    volume = np.pi * radius**2 * (length / np.maximum(counts, 1))[owner] / grid.extent_mm.prod()
    start, along_here = tubes.start_mm.take(owner, axis=0), along.take(owner, axis=0)
    middle = (start + place[:, None] * along_here - grid.origin_mm) / grid.spacing_mm
    aside = [side / grid.spacing_mm for side in _right_angles(along / np.maximum(length, 1e-9)[:, None])]
    pieces, edges = [], np.array([0, 0.4, 0.8, 1.5, np.inf]) * grid.spacing_mm[0]
    for count, low, high in zip((1, 4, 19, 48), edges, edges[1:], strict=False):
        chosen = np.flatnonzero((radius > low) & (radius <= high))
        tube = owner[chosen]
        u, v = (side.take(tube, axis=0)[:, None] * radius[chosen, None, None] for side in aside)  # (drop, 1, 3)
        a, b = _disc(count).T[..., None]
        pieces.append(((middle[chosen, None] + u * a + v * b).reshape(-1, 3), np.repeat(volume[chosen] / count, count)))
    return tuple(np.concatenate(part) for part in zip(*pieces, strict=True))


def _right_angles(along):
    """Return two unit vectors at right angles to each of some unit vectors (tube, 3) and to each other."""
    helper = np.where(abs(along[:, 2:]) < 0.8, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    first = np.cross(along, helper)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    return first, np.cross(along, first)


@lru_cache(maxsize=4)
def _disc(count):
    """Return points spread evenly over the unit disc: a sunflower; one point: its middle."""
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    ring = np.sqrt((np.arange(count) + 0.5) / count) * (count > 1)
    return np.column_stack([ring * np.cos(turn), ring * np.sin(turn)])


def _deposit(places, volume, grid):
    """Share each drop out between four pixels, in each slice whose thickness holds it."""
    half = grid.thickness_mm / grid.spacing_mm[2] / 2
    reach = int(np.ceil(half - 0.5))
    padded = (grid.size[2], grid.size[1] + 2, grid.size[0] + 2)  # one pixel around, where what lies outside is dropped
    corner = np.floor(places[:, :2]).astype(np.int64)
    right, below = (places[:, :2] - corner).T
    corner = np.clip(corner, -1, np.array(grid.size[:2]) - 1) + 1
    index, weight = [], []
    for shift in range(-reach, reach + 1):
        slices = np.rint(places[:, 2]).astype(np.int64) + shift
        hit = (abs(slices - places[:, 2]) <= half) & (slices >= 0) & (slices < grid.size[2])
        first = ((slices * padded[1] + corner[:, 1]) * padded[2] + corner[:, 0])[hit]
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            part = volume * (right if column else 1 - right) * (below if row else 1 - below)
            index.append(first + row * padded[2] + column)
            weight.append(part[hit])
    total = np.bincount(np.concatenate(index), np.concatenate(weight), np.prod(padded))
    return np.ascontiguousarray(total.reshape(padded)[:, 1:-1, 1:-1], dtype=np.float32)


def _draw_thick(shares, start_mm, end_mm, radii_mm, grid):
    """Draw one tube by the distance to its middle line, averaged over the slice thickness."""
    reach = max(radii_mm) + grid.extent_mm / 2
    low = np.floor((np.minimum(start_mm, end_mm) - reach - grid.origin_mm) / grid.spacing_mm).astype(int)
    high = np.ceil((np.maximum(start_mm, end_mm) + reach - grid.origin_mm) / grid.spacing_mm).astype(int) + 1
    low, high = np.clip(low, 0, grid.size), np.clip(high, 0, grid.size)
    if (high <= low).any():
        return
    x, y, z = (grid.axis_mm(k)[low[k] : high[k]].astype(np.float32) for k in range(3))
    fine = int(np.ceil(grid.thickness_mm / max(min(radii_mm), 0.7)))
    offsets = ((np.arange(fine) + 0.5) / fine - 0.5) * grid.thickness_mm
    inside = _cone(x, y, (z[:, None] + offsets).ravel(), start_mm, end_mm, radii_mm, grid.extent_mm / [1, 1, fine])
    inside = inside.reshape(len(z), fine, len(y), len(x)).mean(axis=1)
    part = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
    np.maximum(shares[part], inside, out=shares[part])


def _cone(x, y, z, start_mm, end_mm, radii_mm, extent_mm):
    """Return the share of each voxel in a round-ended cone, cut by the plane through its nearest surface point."""
    dx, dy, dz = (x - start_mm[0])[None, None, :], (y - start_mm[1])[None, :, None], (z - start_mm[2])[:, None, None]
    along = end_mm - start_mm
    place = np.clip((dx * along[0] + dy * along[1] + dz * along[2]) / max(along @ along, 1e-6), 0, 1)
    dx, dy, dz = dx - place * along[0], dy - place * along[1], dz - place * along[2]
    distance = np.sqrt(dx**2 + dy**2 + dz**2) + 1e-6
    width = np.maximum(across(dx, dy, dz, extent_mm) / distance, 0.2)
    radius = radii_mm[0] + place * (radii_mm[1] - radii_mm[0])
    radius = radius - width**2 / (24 * radius)  # a ramp across a round wall would add to the cross-section
    return np.clip(0.5 - (distance - radius) / width, 0, 1)
