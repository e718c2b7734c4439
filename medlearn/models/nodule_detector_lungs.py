"""The lungs of a chest CT by threshold and morphology, and the checks of the scan that goes in."""

import numpy as np
import SimpleITK as sitk

AIR_HU = -400.0  # halfway between lung and soft tissue
GAS_HU = -960.0  # the mean of gas in the bowel or outside the body; lungs are denser, emphysema too
GRID_MM = 2.8
LEAST_LUNG_ML = 100.0
CLOSING_MM = 10.0


def segment_lungs(image, *, closing_mm=CLOSING_MM):
    """Return the mask of the lungs with their vessels and nodules, those on the pleura too.

    Air inside the body (below -400 HU, not connected to the sides of the slices), in pieces of 100 ml or more, is
    closed by a ball: gaps in which it finds no room, such as vessels and nodules on the wall, become lung.

    Parameters
    ----------
    image : SimpleITK.Image
        Chest CT in HU, 3-D, any spacing and direction.
    closing_mm : float, optional
        Radius of the ball, 0 to 30; 0 leaves vessels and the nodules on the wall out.

    Returns
    -------
    SimpleITK.Image of uint8, the geometry of ``image``
        1 in the lungs, with trachea and large bronchi where they join them.

    Raises
    ------
    ValueError
        If ``image`` is not a 3-D SimpleITK image in HU, or has no lungs.

    Notes
    -----
    Beside the masks of 40 simulated patients (``benchmarks/nodule_detection.py``): Dice 0.966 to 0.973, and 107 of 110
    nodule centres inside. Masses as wide as the ball, and fluid, stay out.

    Examples
    --------
    >>> from medlearn import data
    >>> scan = data.simulate_patient(3, num_pixels=64, spacing_mm=5.6, num_slices=20, slice_spacing_mm=5)
    >>> lungs = segment_lungs(scan.image)
    >>> lungs.GetSize(), bool((sitk.GetArrayViewFromImage(lungs) == 1).any())
    ((64, 64, 20), True)
    """
    check_scan(image)
    if isinstance(closing_mm, bool) or not 0 <= closing_mm <= 30:
        raise ValueError(f"closing_mm must be 0 to 30, got {closing_mm!r}; 10 keeps nodules on the pleura.")
    small = sitk.DICOMOrient(image, "LPS")  # the last axis now runs along the body, however the scan is stored
    factors = [max(1, round(GRID_MM / spacing)) for spacing in small.GetSpacing()]
    small = sitk.BinShrink(small, factors) if max(factors) > 1 else small
    lungs = _close(_large_air(small), closing_mm) if closing_mm else _large_air(small)
    share = sitk.Resample(
        sitk.Cast(lungs, sitk.sitkFloat32), image, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32, True
    )  # the last option: beyond the outermost voxel centres of the coarse grid, the nearest ones
    return sitk.Cast(share > 0.5, sitk.sitkUInt8)


def check_scan(image):
    """Raise unless this is a 3-D SimpleITK image that may be a CT in HU."""
    if not isinstance(image, sitk.Image):
        raise ValueError(
            f"expected a SimpleITK image, which knows its spacing, got {type(image).__name__}. Make one with"
            " sitk.GetImageFromArray(array) and image.SetSpacing([x, y, z])."
        )
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise ValueError(
            f"expected a volume with one value per voxel, got {image.GetDimension()}-D with"
            f" {image.GetNumberOfComponentsPerPixel()} values. Join slices with sitk.JoinSeries."
        )
    if min(image.GetSize()) < 4:
        raise ValueError(f"expected 4 voxels or more along each axis, got {image.GetSize()}: too thin for a detector.")
    values = sitk.GetArrayViewFromImage(image)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"the scan holds NaN or infinite values in {(~np.isfinite(values)).sum()} voxels.")
    if values.min() >= -500 or values.max() > 50_000:
        raise ValueError(
            f"expected Hounsfield units, air near -1000, got values from {values.min():g} to {values.max():g}. Stored"
            " values become HU with the rescale slope and intercept: see medlearn.geometry.hounsfield."
        )


def check_mask(lungs, image):
    """Raise unless the mask is a 3-D SimpleITK image of the scan's size, with something in it."""
    if not isinstance(lungs, sitk.Image) or lungs.GetSize() != image.GetSize():
        found = lungs.GetSize() if isinstance(lungs, sitk.Image) else type(lungs).__name__
        raise ValueError(
            f"expected a lung mask of the scan's size {image.GetSize()}, got {found}. Use segment_lungs(image)."
        )
    if not (sitk.GetArrayViewFromImage(lungs) > 0).any():
        raise ValueError("the lung mask is empty: nothing to search. Look at the scan, and at segment_lungs(image).")


def _large_air(image):
    """Return air inside the body, pieces of 100 ml or more."""
    pieces = sitk.ConnectedComponent(sitk.Cast(image < AIR_HU, sitk.sitkUInt8))
    labels, values = sitk.GetArrayViewFromImage(pieces), sitk.GetArrayViewFromImage(image)
    sides = (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1])
    outside = np.unique(np.concatenate([side.ravel() for side in sides]))
    counts = np.bincount(labels.ravel())
    mean_hu = np.bincount(labels.ravel(), values.ravel()) / np.maximum(counts, 1)
    volume_ml = counts * np.prod(image.GetSpacing()) / 1000
    kept = np.flatnonzero((volume_ml >= LEAST_LUNG_ML) & (mean_hu > GAS_HU))
    kept = np.setdiff1d(kept, np.append(outside, 0))
    if not len(kept):
        raise ValueError(
            f"no lungs found: no piece of air of {LEAST_LUNG_ML:g} ml or more inside the body. The image is"
            f" {' x '.join(f'{n * s:.0f}' for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True))} mm: check"
            " the spacing, that it shows the chest with the skin around it, and that its values are HU."
        )
    return _like(np.isin(labels, kept), image)


def _close(mask, radius_mm):
    """Return the mask closed by a ball, by distances; the border of the image takes nothing away."""
    dilated = _like(_distance_to(mask) <= radius_mm, mask)
    return sitk.BinaryFillhole(_like(_distance_to(1 - dilated) > radius_mm, mask))


def _distance_to(mask):
    """Return the distance of each voxel to the nearest voxel of the mask, in mm, as an array."""
    distance = sitk.SignedMaurerDistanceMap(mask, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return sitk.GetArrayFromImage(distance)


def _like(array, image):
    mask = sitk.GetImageFromArray(np.asarray(array, np.uint8))
    mask.CopyInformation(image)
    return mask
