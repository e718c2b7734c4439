"""The grid that detectors work on: 2 mm in each direction, along the patient's axes, cut to the lungs."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from medlearn import geometry
from medlearn.models.nodule_detector_lungs import check_mask, check_scan

SPACING_MM = 2.0
MARGIN_MM = 12.0


@dataclass(frozen=True, eq=False)
class WorkingVolume:
    """The part of a scan around the lungs, 2 mm isotropic.

    Attributes
    ----------
    hu : ndarray of float32, shape (z, y, x)
    lungs : ndarray of bool, shape (z, y, x)
    geometry : medlearn.geometry.Geometry
    """

    hu: np.ndarray
    lungs: np.ndarray
    geometry: geometry.Geometry

    @property
    def spacing_mm(self):
        """Spacing along x, y, z."""
        return self.geometry.spacing_mm

    def to_mm(self, index_zyx):
        """Return the points, shape (n, 3) as x, y, z in mm, of indices [z, y, x] with fractions."""
        index = np.asarray(index_zyx, float).reshape(-1, 3)
        return geometry.voxel_to_world(index[:, ::-1], self.geometry)

    def to_index(self, points_mm):
        """Return the indices [z, y, x] with fractions of points in mm."""
        return geometry.world_to_voxel(np.asarray(points_mm, float).reshape(-1, 3), self.geometry)[:, ::-1]


def working_volume(image, lungs):
    """Resample the box around the lungs to 2 mm, linearly.

    The axes are those of the image, put into the order and direction nearest to LPS: a scan stored upside down, or as
    sagittal slices, looks as an axial one. A tilt stays; points come out in the world's coordinates all the same.

    Parameters
    ----------
    image : SimpleITK.Image
        Chest CT in HU, 3-D.
    lungs : SimpleITK.Image
        Mask of the same size.

    Returns
    -------
    WorkingVolume

    Raises
    ------
    ValueError
        If ``image`` is not a 3-D SimpleITK image in HU, or the mask is empty or of another size.
    """
    check_scan(image)
    check_mask(lungs, image)
    mask = sitk.Cast(lungs > 0, sitk.sitkUInt8)
    mask.CopyInformation(image)
    image, mask = sitk.DICOMOrient(image, "LPS"), sitk.DICOMOrient(mask, "LPS")
    target = _grid_around(mask)
    options = (target.size, sitk.Transform(), sitk.sitkLinear, target.origin_mm, target.spacing_mm,
               target.direction.ravel().tolist())  # fmt: skip
    hu = sitk.Resample(image, *options, -1000.0, sitk.sitkFloat32, True)
    share = sitk.Resample(sitk.Cast(mask, sitk.sitkFloat32), *options, 0.0, sitk.sitkFloat32, True)
    return WorkingVolume(sitk.GetArrayFromImage(hu), sitk.GetArrayFromImage(share) > 0.5, target)


def _grid_around(mask):
    """Return the 2 mm grid over the box of the mask and a margin, no further than the image reaches."""
    old = geometry.Geometry.of(mask)
    labels = sitk.LabelShapeStatisticsImageFilter()
    labels.Execute(mask)
    box = np.array(labels.GetBoundingBox(1))
    spacing = np.array(old.spacing_mm)
    low = np.maximum((box[:3] - 0.5) * spacing - MARGIN_MM, -0.5 * spacing)
    high = np.minimum((box[:3] + box[3:] - 0.5) * spacing + MARGIN_MM, (np.array(old.size) - 0.5) * spacing)
    size = np.maximum(np.ceil((high - low) / SPACING_MM - 1e-6).astype(int), 4)
    first_mm = (low + high) / 2 - (size - 1) / 2 * SPACING_MM  # along the axes, from the first voxel
    return geometry.Geometry(size, [SPACING_MM] * 3, np.array(old.origin_mm) + old.direction @ first_mm, old.direction)
