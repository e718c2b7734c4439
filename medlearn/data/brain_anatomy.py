"""The tissues of the ICBM152 brain on the voxels of a subject, with partial volume, and a lesion among them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from medlearn.data.brain_warp import apply
from medlearn.data.options import check_number
from medlearn.data.scans import load_brain_template

#: The voxels of the template: centres of the first and the last in mm, LPS.
FIRST_MM, LAST_MM = np.array([-98.0, -98.0, -72.0]), np.array([98.0, 134.0, 116.0])
BRAIN_BOX_MM = ((-74.0, -76.0, -72.0), (74.0, 110.0, 84.0))
CENTRE_MM = (0.0, 17.0, 5.0)
_FINE_MM = 1.0  # a voxel is the mean of samples at most so far apart
_COARSE_MM = 4.0  # steps in which the brain is looked for
_SLAB_VOXELS = 3_000_000  # fine ones at a time: 84 MB
_WAVES = 6


@dataclass(frozen=True)
class Voxels:
    """The voxels of a scan in LPS: centre of the first, distances in mm, counts; along x, y, z."""

    origin_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    size: tuple[int, int, int]

    @classmethod
    def over_the_template(cls, spacing_mm, thickness_mm):
        """Return voxels over the box of the template; slices of any thickness begin at one height."""
        counts = np.floor((LAST_MM - FIRST_MM) / spacing_mm + 1e-9).astype(int) + 1
        origin = (FIRST_MM + LAST_MM) / 2 - (counts - 1) / 2 * spacing_mm
        floor_mm = origin[2] - spacing_mm / 2
        slices = int(np.ceil(counts[2] * spacing_mm / thickness_mm - 1e-9))
        return cls(
            (float(origin[0]), float(origin[1]), float(floor_mm + thickness_mm / 2)),
            (spacing_mm, spacing_mm, thickness_mm),
            (int(counts[0]), int(counts[1]), slices),
        )

    @property
    def millilitres(self):
        return float(np.prod(self.spacing_mm)) / 1000

    def axes_mm(self):
        return [o + s * np.arange(n) for o, s, n in zip(self.origin_mm, self.spacing_mm, self.size, strict=True)]

    def image(self, array):
        """Return an array of shape (z, y, x) as an image."""
        image = sitk.GetImageFromArray(array)
        image.SetOrigin(self.origin_mm)
        image.SetSpacing(self.spacing_mm)
        return image


@dataclass(frozen=True)
class Lesion:
    """A lesion to simulate: it takes the place of tissue, and pushes nothing aside.

    Parameters
    ----------
    radius_mm : float
        Of the ball of equal volume, 1 to 30. The same seed with another radius is the same lesion at another date.
    centre_mm : sequence of three float, optional
        On the template, LPS, inside the brain; the lesion lies at the same place of the anatomy of every subject.
        If not given, the seed draws a place in the white matter above the commissures.
    roughness : float
        How far the surface is from a ball, 0 to 0.4: the standard deviation of the radius as a share of it.

    Raises
    ------
    ValueError
        If a value is out of its range, or the centre is not inside the brain.
    """

    radius_mm: float = 6.0
    centre_mm: tuple[float, float, float] | None = None
    roughness: float = 0.15

    def __post_init__(self):
        check_number("radius_mm", self.radius_mm, 1, 30)
        check_number("roughness", self.roughness, 0, 0.4)
        if self.centre_mm is not None:
            centre = np.asarray(self.centre_mm, dtype=float)
            if centre.shape != (3,) or not np.isfinite(centre).all():
                raise ValueError(f"centre_mm must be three numbers, x, y, z in LPS, got {self.centre_mm!r}.")
            if not _is_in_the_brain(centre):
                raise ValueError(
                    f"centre_mm must be inside the brain of the template, got {tuple(centre.tolist())}. Its middle is"
                    f" {CENTRE_MM}; y grows to the back of the head (LPS)."
                )

    def place(self, rng):
        """Return the centre on the template: the given one, or one that is drawn."""
        drawn = rng.random()  # always drawn: a given place changes nothing else
        if self.centre_mm is not None:
            return np.array(self.centre_mm, dtype=float)
        places_mm = white_places(self.radius_mm)
        return places_mm[int(drawn * len(places_mm))]


@lru_cache(maxsize=1)
def template_shares():
    """Return the shares of CSF, grey and white matter in each voxel of the template, as three images.

    What is brain and neither grey nor white is CSF. The average of 152 people has borders wider than those of one: the
    shares are squared and brought back to the sum that they had. The largest of a voxel stays the largest.
    """
    template = load_brain_template()
    t1, grey, white = (_cropped(image) for image in (template.t1, template.grey, template.white))
    brain = sitk.GetArrayFromImage(t1) > 0.05
    grey, white = sitk.GetArrayFromImage(grey) * brain, sitk.GetArrayFromImage(white) * brain
    shares = [np.clip(brain - grey - white, 0, 1) ** 2, grey**2, white**2]
    total = np.maximum(sum(shares), np.float32(1e-6))
    images = [sitk.GetImageFromArray(share / total) for share in shares]
    for image in images:
        image.CopyInformation(t1)
    return tuple(images)


def sample_shares(voxels, to_template):
    """Return the shares of CSF, grey and white matter in each voxel of a subject, shape (3, z, y, x), float32.

    A voxel is the mean of samples at most 1 mm apart: the slice profile is a box as high as the slice.
    """
    parts = np.ceil(np.array(voxels.spacing_mm) / _FINE_MM - 1e-9).astype(int)
    shares = np.zeros((3, *voxels.size[::-1]), np.float32)
    low, high = _brain_box(voxels, to_template)
    slab = max(1, int(_SLAB_VOXELS // np.prod([*(high - low)[:2], *parts])))
    for bottom in range(low[2], high[2], slab):
        top = min(bottom + slab, int(high[2]))
        part = np.s_[bottom:top, low[1] : high[1], low[0] : high[0]]
        for share, image in zip(shares, _mean_samples(voxels, parts, part, to_template), strict=True):
            share[part] = image
    return shares


def _mean_samples(voxels, parts, part, to_template):
    """Yield the mean of the samples in each voxel of a part [z, y, x], tissue by tissue."""
    first, counts = np.array([(s.start, s.stop - s.start) for s in part[::-1]]).T
    spacing = np.array(voxels.spacing_mm)
    step = spacing / parts
    origin = (np.array(voxels.origin_mm) + (first - 0.5) * spacing + step / 2).tolist()
    size, step, axes = (counts * parts).tolist(), step.tolist(), np.eye(3).ravel().tolist()
    field = sitk.TransformToDisplacementField(to_template, sitk.sitkVectorFloat64, size, origin, step, axes)
    for image in template_shares():
        fine = sitk.Warp(image, field, sitk.sitkLinear, size, origin, step, axes, 0.0)
        yield sitk.GetArrayFromImage(sitk.BinShrink(fine, parts.tolist()))


def _brain_box(voxels, to_template):
    """Return the first voxel of a subject that may hold brain, and the one behind the last: x, y, z."""
    origin, spacing = np.array(voxels.origin_mm), np.array(voxels.spacing_mm)
    coarse = sitk.Image(np.ceil(np.array(voxels.size) * spacing / _COARSE_MM + 1).astype(int).tolist(), sitk.sitkUInt8)
    coarse.SetOrigin((origin - spacing / 2).tolist())
    coarse.SetSpacing([_COARSE_MM] * 3)
    csf, grey, white = template_shares()
    brain = csf + grey + white > 0.5
    found = np.nonzero(sitk.GetArrayFromImage(sitk.Resample(brain, coarse, to_template, sitk.sitkNearestNeighbor, 0)))
    if not len(found[0]):
        raise ValueError(
            "pose moves the whole brain out of the picture, which reaches from"
            f" {FIRST_MM.tolist()} to {LAST_MM.tolist()} mm (LPS). Turn and shift it less."
        )
    low, high = (np.array([edge(axis) for axis in found[::-1]]) for edge in (np.min, np.max))
    low, high = ((low - 2) * _COARSE_MM / spacing).astype(int), np.ceil((high + 2) * _COARSE_MM / spacing).astype(int)
    return low.clip(0), np.minimum(high + 1, voxels.size)


def lesion_share(voxels, lesion, centre_mm, pose, rng):
    """Return the share of each voxel that a lesion fills, shape (z, y, x), float32.

    Parameters
    ----------
    voxels : Voxels
    lesion : Lesion
    centre_mm : ndarray
        In the subject before its pose: the shape turns with the head.
    pose : SimpleITK.Transform
    rng : numpy.random.Generator
        Draws the shape.

    Returns
    -------
    ndarray
    """
    waves, phases = rng.normal(0, 2.0, (_WAVES, 3)), rng.uniform(0, 2 * np.pi, _WAVES)

    def rough(directions):
        return 1 + lesion.roughness * np.sqrt(2 / _WAVES) * np.sin(directions @ waves.T + phases).sum(-1)

    radius_mm = lesion.radius_mm / np.mean(rough(_sphere(2000)).clip(0.2) ** 3) ** (1 / 3)
    share = np.zeros(voxels.size[::-1], np.float32)
    box, places = _fine_places(voxels, apply(pose, centre_mm)[0], 2.2 * radius_mm)
    if places is None:
        return share
    offset = _moved(pose.GetInverse(), places) - centre_mm  # (..., 3)
    distance = np.linalg.norm(offset, axis=-1)
    surface = radius_mm * rough(offset / np.maximum(distance, 1e-9)[..., None]).clip(0.2)
    inside = np.clip(0.5 + surface - distance, 0, 1)  # the surface is smeared over 1 mm
    share[box] = inside.mean(axis=(1, 3, 5))
    return share


def labels_of(shares):
    """Return the tissue that fills most of each voxel: 0 background, 1 CSF, 2 grey matter, 3 white matter."""
    most, labels = 1 - shares.sum(0), np.zeros(shares.shape[1:], np.uint8)
    for label, share in enumerate(shares, start=1):
        labels[share > most] = label
        np.maximum(most, share, out=most)
    return labels


def _cropped(image):
    low, high = (image.TransformPhysicalPointToIndex(corner) for corner in BRAIN_BOX_MM)
    return image[low[0] : high[0] + 1, low[1] : high[1] + 1, low[2] : high[2] + 1]


def white_places(radius_mm, height_mm=None):
    """Return points of the template's white matter, above the commissures, that are about as deep as a radius.

    Where none is deep enough, those that are almost as deep as the deepest.

    Returns
    -------
    ndarray, shape (n, 3)
        In mm, LPS; within half a millimetre of a height if one is given.
    """
    depth_mm, places_mm = _white_depths()
    if height_mm is not None:
        here = np.abs(places_mm[:, 2] - height_mm) <= 0.5
        depth_mm, places_mm = depth_mm[here], places_mm[here]
    return places_mm[depth_mm >= min(radius_mm, 0.8 * depth_mm.max(initial=0.0))]


def _fine_places(voxels, centre_mm, reach_mm):
    """Return which voxels are near a point, and samples in them of shape (z, parts, y, parts, x, parts, 3)."""
    ranges, samples = [], []
    for axis, place, step in zip(voxels.axes_mm(), centre_mm, voxels.spacing_mm, strict=True):
        near = np.flatnonzero(np.abs(axis - place) <= reach_mm + step)
        if not len(near):
            return None, None
        parts = int(np.ceil(2 * step / _FINE_MM))
        inner = ((np.arange(parts) + 0.5) / parts - 0.5) * step
        ranges.append(slice(near[0], near[-1] + 1))
        samples.append((axis[near][:, None] + inner).ravel())
    grid = np.stack(np.meshgrid(*samples[::-1], indexing="ij")[::-1], -1)  # (z parts, y parts, x parts, 3)
    counts = [part.stop - part.start for part in ranges[::-1]]
    shape = [n for count, size in zip(counts, grid.shape[:3], strict=True) for n in (count, size // count)]
    return tuple(ranges[::-1]), grid.reshape(*shape, 3)


def _moved(linear, points):
    """Apply a linear transform of SimpleITK to many points, shape (..., 3)."""
    corner = np.array(linear.TransformPoint((0.0, 0.0, 0.0)))
    columns = np.array([linear.TransformPoint(row) for row in np.eye(3).tolist()]) - corner
    return points @ columns + corner


def _sphere(count):
    """Return points spread evenly over the unit sphere (a Fibonacci spiral)."""
    k = np.arange(count) + 0.5
    height, angle = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - height**2)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), height], -1)


def _is_in_the_brain(point_mm):
    images = template_shares()
    index = images[0].TransformPhysicalPointToIndex(point_mm.tolist())
    inside = all(0 <= i < n for i, n in zip(index, images[0].GetSize(), strict=True))
    return inside and sum(image[index] for image in images) > 0.5


@lru_cache(maxsize=1)
def _white_depths():
    """Return how deep in the white matter of the template points above the commissures lie, and where they are."""
    image = template_shares()[2]
    white = sitk.GetArrayFromImage(image) > 0.5
    depth = ndimage.distance_transform_edt(white)
    depth[: int(5 - image.GetOrigin()[2])] = 0  # no brain stem, no cerebellum
    z, y, x = np.nonzero(depth >= 3)
    return depth[z, y, x], np.stack([x, y, z], -1) + np.array(image.GetOrigin())
