"""False-positive reduction: lesson 06's network looks at three planes through each candidate."""

import numpy as np
import SimpleITK as sitk
import torch
from scipy import ndimage

from medlearn import geometry
from medlearn.models.nodule_detector_candidates import Candidates
from medlearn.models.nodule_detector_lungs import check_scan
from medlearn.models.nodule_net import NoduleNet
from medlearn.models.nodule_training import predict

PATCH_PIXELS, PIXEL_MM = 32, 1.25
# Axial, coronal, sagittal: the world axes along a row and down a column, and which way down (the head is up).
_PLANES = ((0, 1, 1), (0, 2, -1), (1, 2, -1))


def false_positive_net():
    """Return the network for patches of 32 pixels, untrained: lesson 06's NoduleNet."""
    return NoduleNet(size=PATCH_PIXELS, channels=(16, 32, 48))


def cut_planes(image, points_mm, *, size=PATCH_PIXELS, pixel_mm=PIXEL_MM):
    """Cut three orthogonal patches around each point, along the world's axes.

    Parameters
    ----------
    image : SimpleITK.Image
        Chest CT in HU, 3-D, any spacing and direction.
    points_mm : array_like, shape (n, 3)
        LPS.
    size : int, optional
        Pixels along each side.
    pixel_mm : float, optional

    Returns
    -------
    ndarray of float32, shape (n, 3, size, size)
        HU; axial, coronal, sagittal. Rows run to the back or to the feet. Outside the scan -1000.

    Raises
    ------
    ValueError
        If ``image`` is not a 3-D SimpleITK image in HU, the points are not finite or not (n, 3), or the size or pixel
        is not positive.

    Examples
    --------
    >>> ramp = sitk.GetImageFromArray(np.arange(-1000, 0, dtype=np.float32).reshape(10, 10, 10))
    >>> patches = cut_planes(ramp, [[5, 5, 5]], size=3, pixel_mm=1)
    >>> patches.shape, patches[0, 0].tolist()  # axial, z = 5: -1000 + 500 + 10 y + x
    ((1, 3, 3, 3), [[-456.0, -455.0, -454.0], [-446.0, -445.0, -444.0], [-436.0, -435.0, -434.0]])
    """
    check_scan(image)
    points = np.asarray(points_mm, float)
    points = points.reshape(0, 3) if points.size == 0 else points
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ValueError(f"points_mm must be finite and of shape (n, 3), got shape {points.shape}.")
    if isinstance(size, bool) or size != int(size) or size < 1 or not 0 < pixel_mm < np.inf:
        raise ValueError(f"size must be a whole number, 1 or more, and pixel_mm positive; got {size!r}, {pixel_mm!r}.")
    steps = (np.arange(int(size)) - (size - 1) / 2) * pixel_mm
    offsets = np.zeros((3, int(size), int(size), 3))
    for plane, (across, down, sign) in enumerate(_PLANES):
        offsets[plane, ..., across] += steps[None, :]
        offsets[plane, ..., down] += sign * steps[:, None]
    index = geometry.world_to_voxel(points[:, None, None, None] + offsets, image)  # (n, 3, size, size, 3)
    values = sitk.GetArrayViewFromImage(image)
    return ndimage.map_coordinates(values, np.moveaxis(index[..., ::-1], -1, 0), np.float32, order=1, cval=-1000.0)


def reduce_false_positives(image, candidates, net, *, weight=0.5):
    """Return the candidates with new scores: those that look like a nodule in three planes rise.

    Parameters
    ----------
    image : SimpleITK.Image
        Chest CT in HU.
    candidates : Candidates
        With scores between 0 and 1.
    net : torch.nn.Module
        For patches of 32 pixels of 1.25 mm: see :func:`false_positive_net`.
    weight : float, optional
        0 keeps the old score, 1 takes the network's alone; between them the logits are mixed.

    Returns
    -------
    Candidates
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must lie between 0 and 1, got {weight!r}.")
    if not len(candidates):
        return candidates
    old = np.clip(candidates.scores, 1e-6, 1 - 1e-6)
    new = judge(net, cut_planes(image, candidates.points_mm))
    mixed = (1 - weight) * np.log(old / (1 - old)) + weight * new
    return Candidates(candidates.points_mm, 1 / (1 + np.exp(-mixed)), candidates.diameters_mm)


def judge(net, planes):
    """Return the mean logit of three planes for each candidate, shape (n,).

    Parameters
    ----------
    net : torch.nn.Module
    planes : ndarray, shape (n, 3, size, size)
        HU.
    """
    count, _, size, _ = planes.shape
    with torch.inference_mode():
        probability = predict(net, planes.reshape(-1, size, size), symmetric=True)
    probability = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(probability / (1 - probability)).reshape(count, 3).mean(axis=1)
