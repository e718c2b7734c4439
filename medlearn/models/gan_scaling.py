"""What stands between patches in Hounsfield units, and what they show, and the numbers of generators and critics."""

import numpy as np
import torch

from medlearn.models.nodule_cnn import HIGH_HU, LOW_HU, to_input

SIZE = 32  # pixels: 4 doubled three times


def middle(images_hu, size=SIZE):
    """Cut the middle out of each patch.

    Parameters
    ----------
    images_hu : ndarray, shape (n, height, width)
    size : int, optional
        Height and width of what is left, in pixels.

    Returns
    -------
    ndarray, shape (n, size, size)

    Raises
    ------
    ValueError
        If the patches are smaller than that.

    Examples
    --------
    >>> middle(np.arange(36.0).reshape(1, 6, 6), size=2)
    array([[[14., 15.],
            [20., 21.]]])
    """
    images_hu = np.asarray(images_hu)
    if images_hu.ndim != 3 or min(images_hu.shape[1:]) < size:
        raise ValueError(
            f"images_hu must have the shape (n, height, width) with {size} pixels or more each, got {images_hu.shape}."
        )
    top, left = ((n - size) // 2 for n in images_hu.shape[1:])
    return images_hu[:, top : top + size, left : left + size]


def scale(images_hu):
    """Map patches in HU to the range of a generator: -1000 HU becomes -1, 400 HU becomes 1; beyond is cut off.

    Parameters
    ----------
    images_hu : ndarray, shape (n, height, width)
        All finite.

    Returns
    -------
    tensor of float32, shape (n, 1, height, width), in [-1, 1]

    Examples
    --------
    >>> scale(np.array([[[-1000.0, -300.0, 2000.0]]]))
    tensor([[[[-1.,  0.,  1.]]]])
    """
    return torch.from_numpy(to_input(images_hu, layout="NCHW")) * 2 - 1


def unscale(images):
    """Map what a generator makes back to HU: the inverse of :func:`scale` between -1000 and 400 HU.

    Parameters
    ----------
    images : tensor, shape (n, 1, height, width)

    Returns
    -------
    ndarray of float32, shape (n, height, width)

    Raises
    ------
    ValueError
        If the images have another shape.

    Examples
    --------
    >>> unscale(torch.tensor([[[[-1.0, 0.0, 1.0]]]]))
    array([[[-1000.,  -300.,   400.]]], dtype=float32)
    """
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f"images must have the shape (n, 1, height, width), got {tuple(images.shape)}.")
    zero_to_one = (images.detach().cpu().float().numpy()[:, 0] + 1) / 2  # (n, 1, h, w) -> (n, h, w)
    return zero_to_one * np.float32(HIGH_HU - LOW_HU) + np.float32(LOW_HU)


def conditions(labels, diameters_mm=None):
    """Write down what patches show as the numbers that networks take: the label, and the diameter in cm.

    Parameters
    ----------
    labels : sequence of n numbers, 0 or 1
        1 = nodule.
    diameters_mm : sequence of n numbers, optional
        Not looked at where the label is 0. NaN for a nodule: its diameter is not known.

    Returns
    -------
    tensor of float32, shape (n, 2)
        The second number is 0 where there is no nodule, and where its diameter is not known. A network can tell these
        apart by the label; a network trained on both known and unknown diameters takes "1, 0" for "any size".

    Raises
    ------
    ValueError
        If the labels are not 0 and 1, the counts differ, or a diameter of a nodule is not positive.

    Examples
    --------
    >>> conditions([1, 0, 1], [8.0, np.nan, np.nan])
    tensor([[1.0000, 0.8000],
            [0.0000, 0.0000],
            [1.0000, 0.0000]])
    """
    labels = np.asarray(labels, dtype=float)
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be a row of 0 and 1 (1 = nodule), got {np.unique(labels)[:5]}.")
    diameters = np.full(len(labels), np.nan) if diameters_mm is None else np.asarray(diameters_mm, dtype=float)
    if diameters.shape != labels.shape:
        raise ValueError(f"there are {len(labels)} labels, but diameters_mm has the shape {diameters.shape}.")
    known = (labels == 1) & ~np.isnan(diameters)
    if not ((diameters[known] > 0) & (diameters[known] < 1000)).all():
        raise ValueError(f"diameters_mm of nodules must be positive, got {diameters[known].min()} as the smallest.")
    return torch.from_numpy(np.stack([labels, np.where(known, diameters / 10, 0.0)], axis=1).astype(np.float32))


def check_scaled(images, conditions=None):
    """Refuse images to train on that are not scaled, and conditions of another count.

    Parameters
    ----------
    images : tensor, shape (n, ...)
    conditions : tensor, optional
        What each image shows.

    Raises
    ------
    ValueError
        If a value lies outside -1..1, or the counts differ.

    Examples
    --------
    >>> check_scaled(torch.full((2, 1, 32, 32), -700.0))
    Traceback (most recent call last):
    ...
    ValueError: images must lie within -1 to 1, without NaN; use gan.scale(images_hu).
    """
    if not (images.abs() <= 1).all():
        raise ValueError("images must lie within -1 to 1, without NaN; use gan.scale(images_hu).")
    if conditions is not None and len(conditions) != len(images):
        raise ValueError(f"there are {len(images)} images and {len(conditions)} conditions: give one for each image.")
