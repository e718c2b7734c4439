"""The tissues of the ICBM152 brain on the voxels of a subject, with partial volume."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import SimpleITK as sitk

from medlearn.data.scans import load_brain_template

#: The voxels of the template: centres of the first and the last in mm, LPS.
FIRST_MM, LAST_MM = np.array([-98.0, -98.0, -72.0]), np.array([98.0, 134.0, 116.0])
BRAIN_BOX_MM = ((-74.0, -76.0, -72.0), (74.0, 110.0, 84.0))
CENTRE_MM = (0.0, 17.0, 5.0)
_FINE_MM = 1.0  # a voxel is the mean of samples at most so far apart
_COARSE_MM = 4.0  # steps in which the brain is looked for
_SLAB_VOXELS = 3_000_000  # fine ones at a time: 84 MB


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
