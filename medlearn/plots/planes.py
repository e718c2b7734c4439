"""Anatomical planes of a volume, with the patient's directions at their edges.

All planes follow the radiological convention: the patient's right is on the left of the picture. Sagittal
planes face left: the front of the patient is on the left of the picture. Superior is at the top.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.optimize import linear_sum_assignment

# For each plane: the anatomical axis across the picture, the one down, the one through; and the letters at the
# left, right, top and bottom. Anatomical axes count 0 to the Left, 1 to Posterior, 2 to Superior (DICOM's LPS).
PLANES = {
    "axial": (0, 1, 2, "RLAP"),
    "coronal": (0, 2, 1, "RLSI"),
    "sagittal": (1, 2, 0, "APSI"),
}


@dataclass(frozen=True, eq=False)
class PlaneImage:
    """One plane of a volume, turned as it is shown: ``pixels`` (rows, columns) and ``spacing_mm`` (row, column)."""

    pixels: np.ndarray
    spacing_mm: tuple[float, float]
    letters: str
    expression: str


def anatomical_axes(direction):
    """Find which voxel axis runs to the patient's left, posterior and superior, and which way round.

    Parameters
    ----------
    direction : array of shape (3, 3), or its 9 numbers
        Column ``i`` is the direction of voxel axis ``i`` in LPS, as ``image.GetDirection()`` gives it.

    Returns
    -------
    axes : tuple of int
        The voxel axis (0 = x, 1 = y, 2 = z) nearest to left, posterior and superior; each axis once.
    signs : tuple of int
        1 where that axis runs to left, posterior or superior, -1 where it runs the other way.
    tilt_degrees : float
        The largest angle between a voxel axis and its anatomical axis.

    Examples
    --------
    >>> anatomical_axes([1, 0, 0, 0, 0, 1, 0, -1, 0])
    ((0, 2, 1), (1, 1, -1), 0.0)
    """
    matrix = np.asarray(direction, dtype=float).reshape(3, 3)  # (world axis, voxel axis)
    _, axes = linear_sum_assignment(-np.abs(matrix))
    along = matrix[np.arange(3), axes]
    signs = tuple(-1 if value < 0 else 1 for value in along)
    tilt = float(np.degrees(np.arccos(np.clip(np.abs(along), 0, 1))).max())
    return tuple(int(axis) for axis in axes), signs, tilt


def plane_axis(image, plane):
    """Return the axis of the array (0, 1 or 2 of ``[z, y, x]``) that runs through a plane, and its length.

    Examples
    --------
    >>> plane_axis(sitk.Image(4, 5, 6, sitk.sitkUInt8), "coronal")
    (1, 5)
    """
    axes, _, _ = anatomical_axes(image.GetDirection())
    through = axes[_check_plane(plane)[2]]
    return 2 - through, image.GetSize()[through]


def plane_image(image, plane, index):
    """Take one plane out of a volume, turned to the radiological convention.

    Parameters
    ----------
    image : SimpleITK.Image
        A 3-D image with any direction matrix.
    plane : {"axial", "coronal", "sagittal"}
    index : int
        The index along the array's own axis, see :func:`plane_axis`.

    Returns
    -------
    PlaneImage

    Examples
    --------
    >>> plane_image(sitk.Image(4, 5, 6, sitk.sitkUInt8), "axial", 2).expression
    'array[2, :, :]'
    """
    across, down, _, letters = _check_plane(plane)
    axes, signs, _ = anatomical_axes(image.GetDirection())
    axis, length = plane_axis(image, plane)
    if not 0 <= index < length:
        raise ValueError(f"index must be from 0 to {length - 1} along the {plane} planes, got {index}.")
    pixels = np.take(sitk.GetArrayViewFromImage(image), index, axis=axis)
    if axes[down] < axes[across]:  # an array's rows are its higher voxel axis
        pixels = pixels.T
    pixels = pixels[:: _down_sign(signs, down), :: signs[across]]
    spacing = image.GetSpacing()
    slots = [":", ":", ":"]
    slots[axis] = str(index)
    return PlaneImage(pixels, (spacing[axes[down]], spacing[axes[across]]), letters, f"array[{', '.join(slots)}]")


def plane_point(image, plane, voxel):
    """Return where a voxel lies on a drawn plane: mm across from the left pixel centre, mm down from the top.

    Examples
    --------
    >>> image = sitk.Image(4, 5, 6, sitk.sitkUInt8)
    >>> plane_point(image, "coronal", (1, 2, 0))  # z = 0 is the lowest of 6 rows
    (1.0, 5.0)
    """
    across, down, _, _ = _check_plane(plane)
    axes, signs, _ = anatomical_axes(image.GetDirection())
    size, spacing = image.GetSize(), image.GetSpacing()
    steps = []
    for axis, sign in ((axes[across], signs[across]), (axes[down], _down_sign(signs, down))):
        step = voxel[axis] if sign > 0 else size[axis] - 1 - voxel[axis]
        steps.append(float(step * spacing[axis]))
    return steps[0], steps[1]


def _down_sign(signs, down):
    """Return 1 where the voxel axis already runs down the page: to posterior, or to inferior."""
    return signs[down] if down == 1 else -signs[down]


def _check_plane(plane):
    if plane not in PLANES:
        raise ValueError(f"plane must be one of {', '.join(PLANES)}, got {plane!r}.")
    return PLANES[plane]
