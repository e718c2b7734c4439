"""Candidates for nodules: what they are, the multi-scale Laplacian of Gaussian, and suppression in mm."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from medlearn.models.nodule_detector_grid import SPACING_MM, working_volume

DIAMETERS_MM = (4, 6, 9, 13, 19)
LEAST_HU = 15.0  # weaker maxima are noise


@dataclass(frozen=True, eq=False)
class Candidates:
    """Where nodules may be, the highest score first.

    Attributes
    ----------
    points_mm : ndarray of float, shape (n, 3)
        LPS, the world coordinates of the image.
    scores : ndarray of float, shape (n,)
    diameters_mm : ndarray of float, shape (n,)
    """

    points_mm: np.ndarray
    scores: np.ndarray
    diameters_mm: np.ndarray

    def __post_init__(self):
        points = np.asarray(self.points_mm, float)
        points = points.reshape(0, 3) if points.size == 0 else points
        scores, diameters = np.asarray(self.scores, float), np.asarray(self.diameters_mm, float)
        if points.ndim != 2 or points.shape[1:] != (3,) or not scores.shape == diameters.shape == points.shape[:1]:
            raise ValueError(
                "candidates need points_mm of shape (n, 3), scores and diameters_mm of shape (n,); got"
                f" {points.shape}, {scores.shape} and {diameters.shape}."
            )
        if not (np.isfinite(points).all() and np.isfinite(scores).all() and np.isfinite(diameters).all()):
            raise ValueError("candidates hold NaN or infinite values; find out where they came from.")
        order = np.argsort(-scores, kind="stable")
        for name, values in (("points_mm", points), ("scores", scores), ("diameters_mm", diameters)):
            object.__setattr__(self, name, values[order])

    def __len__(self):
        return len(self.scores)

    def best(self, count):
        """Return the ``count`` candidates with the highest scores, or all where there are fewer."""
        return Candidates(self.points_mm[:count], self.scores[:count], self.diameters_mm[:count])

    def above(self, threshold):
        """Return the candidates with ``score >= threshold``."""
        return self.best(int((self.scores >= threshold).sum()))


def log_candidates(image, lungs, *, diameters_mm=DIAMETERS_MM, score="log", most=400):
    """Return bright balls in the lungs: maxima of the scale-normalised Laplacian of Gaussian, for each of some sizes.

    A ball of diameter d answers most to ``sigma = d / (2 sqrt 3)``. Outside the lungs the scan is filled with the
    median of the lungs, so that a nodule on the wall stands out as one within.

    Parameters
    ----------
    image : SimpleITK.Image
        Chest CT in HU, 3-D.
    lungs : SimpleITK.Image
        Mask of the same size: see :func:`segment_lungs`.
    diameters_mm : sequence of float, optional
        2 to 60. On the working grid of 2 mm, balls below about 4 mm are as wide as a voxel or two.
    score : {"log", "ball"}, optional
        "log": ``-sigma^2`` times the Laplacian, which is the sum of the three curvatures: a vessel has two of them.
        "ball": three times the smallest one: a vessel has next to none along itself. Both in HU, both have the same
        maxima as candidates, and both are the same for a ball.
    most : int, optional
        How many candidates to return, the best ones.

    Returns
    -------
    Candidates
        One nodule may have several, of several sizes: see :func:`suppress`.

    Raises
    ------
    ValueError
        If ``image`` is not a 3-D SimpleITK image in HU, the mask is empty or of another size, or an option is out of
        range.

    References
    ----------
    Lindeberg T, Int J Comput Vis 30:79, 1998, doi:10.1023/A:1008045108935. Curvatures that tell balls from tubes: Li
    Q, Sone S, Doi K, Med Phys 30:2040, 2003, doi:10.1118/1.1581411.
    """
    diameters = np.atleast_1d(np.asarray(diameters_mm, float))
    if diameters.ndim != 1 or not len(diameters) or not ((diameters >= 2) & (diameters <= 60)).all():
        raise ValueError(f"diameters_mm must be numbers from 2 to 60, got {diameters_mm!r}.")
    if score not in ("log", "ball"):
        raise ValueError(f"score must be 'log' or 'ball', got {score!r}.")
    if isinstance(most, bool) or most != int(most) or most < 1:
        raise ValueError(f"most must be a whole number of candidates, 1 or more, got {most!r}.")
    volume = working_volume(image, lungs)
    hu = np.where(volume.lungs, np.clip(volume.hu, -1000, 200), np.median(volume.hu[volume.lungs])).astype(np.float32)
    index, scores = zip(*(_balls(hu, volume.lungs, diameter, score) for diameter in diameters), strict=True)
    sizes = np.repeat(diameters, [len(some) for some in scores])
    index, scores = np.concatenate(index), np.concatenate(scores)
    order = np.argsort(-scores, kind="stable")[: int(most)]
    return Candidates(volume.to_mm(index[order]), scores[order], sizes[order])


def suppress(candidates, *, distance_mm):
    """Return the candidates that have no better one within a distance: non-maximum suppression in mm.

    Taken in the order of the scores; a candidate that was suppressed suppresses no other.

    Parameters
    ----------
    candidates : Candidates
    distance_mm : float
        0 or more; a candidate exactly as far away is kept.

    Returns
    -------
    Candidates

    Examples
    --------
    >>> row = Candidates([[0, 0, 0], [4, 0, 0], [8, 0, 0]], [0.9, 0.8, 0.7], [6, 6, 6])
    >>> suppress(row, distance_mm=5).points_mm[:, 0].tolist()
    [0.0, 8.0]
    """
    if isinstance(distance_mm, bool) or not np.isfinite(distance_mm) or distance_mm < 0:
        raise ValueError(f"distance_mm must be 0 or more, got {distance_mm!r}.")
    if not len(candidates) or distance_mm == 0:
        return candidates
    tree, kept = cKDTree(candidates.points_mm), np.ones(len(candidates), bool)
    for number, near in enumerate(tree.query_ball_point(candidates.points_mm, np.nextafter(distance_mm, 0))):
        if kept[number]:
            later = np.array(near)[np.array(near) > number]
            kept[later] = False
    return Candidates(candidates.points_mm[kept], candidates.scores[kept], candidates.diameters_mm[kept])


def _balls(hu, lungs, diameter_mm, score):
    """Return the maxima of one size as indices [z, y, x] with fractions, and their scores."""
    sigma = diameter_mm / (2 * np.sqrt(3)) / SPACING_MM  # in voxels
    smooth = ndimage.gaussian_filter(hu, sigma, truncate=3)
    response = -(sigma**2) * _laplacian(smooth)
    index = np.argwhere((response == ndimage.maximum_filter(response, 3)) & lungs & (response > LEAST_HU))
    refined = _refine(response, index)
    if score == "log":
        return refined, response[tuple(index.T)].astype(float)
    return refined, 3 * sigma**2 * _curvatures(smooth, index).min(axis=1)


def _laplacian(values):
    """Return the sum of the second differences along the three axes."""
    padded = np.pad(values, 1, mode="edge")
    total = -6 * values
    for axis in range(3):
        for start in (0, 2):
            inner = [slice(1, -1)] * 3
            inner[axis] = slice(start, start + values.shape[axis])
            total += padded[tuple(inner)]
    return total


def _curvatures(values, index):
    """Return the three curvatures (minus the eigenvalues of the Hessian) at some voxels, shape (n, 3), descending."""
    padded, steps = np.pad(values, 1, mode="edge"), np.eye(3, dtype=int)
    hessian = np.zeros((len(index), 3, 3))

    def at(offset):
        return padded[tuple((index + 1 + offset).T)].astype(float)

    for i in range(3):
        hessian[:, i, i] = at(steps[i]) - 2 * at(0 * steps[i]) + at(-steps[i])
        for j in range(i):
            plus, minus = steps[i] + steps[j], steps[i] - steps[j]
            hessian[:, i, j] = hessian[:, j, i] = (at(plus) - at(minus) - at(-minus) + at(-plus)) / 4
    return -np.linalg.eigvalsh(hessian)


def _refine(values, index):
    """Return indices with the fraction of a voxel: the peak of a parabola along each axis, [z, y, x]."""
    padded = np.pad(values, 1, mode="edge")
    fractions = np.zeros(index.shape)
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        before, here, after = (padded[tuple((index + 1 + k * step).T)] for k in (-1, 0, 1))
        bend = before - 2 * here + after
        fractions[:, axis] = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1), 0)
    return index + np.clip(fractions, -0.5, 0.5)
