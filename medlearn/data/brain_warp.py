"""Smooth bends of space with a known inverse, in 2-D and 3-D: a random velocity field, followed forwards and back."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

_FADE_MM = 32.0  # towards the border of the lattice a bend fades to nothing
_LUMPS = ((18.0, 3.0), (11.0, 1.2))  # (standard deviation of the smoothing in mm, of the velocity)
_GROWTH = 0.03  # standard deviation of the share by which a brain is longer, wider or higher
_SQUARINGS = 5
_CORRECTIONS = 60
_CLOSE_MM = 1e-3


@dataclass(frozen=True)
class Lattice:
    """Nodes in the world, LPS: the first one in mm, their distance, and how many along x, y (, z)."""

    origin_mm: tuple[float, ...]
    spacing_mm: float
    size: tuple[int, ...]

    @classmethod
    def around(cls, low_mm, high_mm, spacing_mm):
        """Return the lattice from one corner of a box to the other, or a little beyond."""
        counts = [int(np.ceil((high - low) / spacing_mm)) + 1 for low, high in zip(low_mm, high_mm, strict=True)]
        return cls(tuple(map(float, low_mm)), float(spacing_mm), tuple(counts))

    def axes_mm(self):
        """Return the places of the nodes along x, y (, z)."""
        return [low + self.spacing_mm * np.arange(n) for low, n in zip(self.origin_mm, self.size, strict=True)]

    def image(self, array):
        """Return an array of shape (..., y, x, dimension), or without the last axis, as an image on the nodes."""
        image = sitk.GetImageFromArray(array, isVector=array.ndim > len(self.size))
        image.SetOrigin(self.origin_mm)
        image.SetSpacing([self.spacing_mm] * len(self.size))
        return image

    def field_of(self, transform):
        """Return the displacement in mm that a transform gives each node: an image of vectors."""
        return sitk.TransformToDisplacementField(
            transform, sitk.sitkVectorFloat64, self.size, self.origin_mm, [self.spacing_mm] * len(self.size)
        )

    def middles(self):
        """Return the lattice of the middles of all cells, where linear interpolation is at its worst."""
        half = self.spacing_mm / 2
        return Lattice(tuple(o + half for o in self.origin_mm), self.spacing_mm, tuple(n - 1 for n in self.size))


@dataclass(frozen=True)
class Bend:
    """A diffeomorphism and its inverse as transforms of SimpleITK: displacement fields on one lattice.

    The image of a subject is made with ``to_template``: that one is exact. ``to_subject`` undoes it at every node.
    """

    to_subject: sitk.Transform
    to_template: sitk.Transform
    lattice: Lattice

    def jacobian(self):
        """Return the Jacobian determinant of ``to_template`` at the middle of each cell: below 1 where it grew."""
        field = sitk.GetArrayFromImage(self.lattice.field_of(self.to_template))
        return jacobian_determinant(field, (self.lattice.spacing_mm,) * len(self.lattice.size))

    def errors_mm(self):
        """Return how far each middle of a cell ends from its start after ``to_subject`` and then ``to_template``."""
        return _lengths(self.lattice.middles().field_of(compose(self.to_template, self.to_subject)))


def random_bend(rng, lattice, max_displacement_mm, centre_mm):
    """Return a random bend: the exponential of a smooth velocity field, forwards and backwards.

    No point moves farther than ``max_displacement_mm``: the velocity is scaled to it, and a path is never longer than
    its highest speed. The way back comes from scaling and squaring; the way there too, and is then corrected until it
    undoes the way back at every node.

    Parameters
    ----------
    rng : numpy.random.Generator
    lattice : Lattice
        In 2-D or 3-D.
    max_displacement_mm : float
        0 or more.
    centre_mm : sequence of float
        About which a part of the bend grows or shrinks everything.

    Returns
    -------
    Bend

    Examples
    --------
    >>> plane = Lattice.around((-100, -100), (100, 130), 4)
    >>> bend = random_bend(np.random.default_rng(0), plane, 8.0, (0, 17))
    >>> bool(bend.jacobian().min() > 0), bool(bend.errors_mm().max() < 0.5)
    (True, True)

    References
    ----------
    Arsigny V et al., MICCAI 2006, LNCS 4190:924, doi:10.1007/11866565_113.
    """
    velocity = _random_velocity(rng, lattice, centre_mm)
    velocity *= max_displacement_mm / np.sqrt((velocity**2).sum(-1)).max()
    to_template = exponential(-velocity, lattice)
    return Bend(invert(to_template, exponential(velocity, lattice), lattice), to_template, lattice)


def exponential(velocity, lattice):
    """Follow a stationary velocity field for a time of 1 by scaling and squaring.

    Parameters
    ----------
    velocity : ndarray, shape (..., y, x, dimension)
        In mm per unit of time, components in the order x, y (, z); 0 at the border of the lattice.
    lattice : Lattice

    Returns
    -------
    SimpleITK.DisplacementFieldTransform

    Examples
    --------
    >>> plane, swirl = Lattice((-9, -9), 1, (19, 19)), np.zeros((19, 19, 2))
    >>> swirl[5:14, 5:14] = [0.5, 0.0]  # in its middle a constant wind: everything there moves by it
    >>> [round(x, 6) for x in exponential(swirl, plane).TransformPoint((0, 0))]
    [0.5, 0.0]
    """
    transform = _as_transform(lattice.image(velocity / 2**_SQUARINGS))
    for _ in range(_SQUARINGS):
        transform = _as_transform(lattice.field_of(compose(transform, transform)))
    return transform


def invert(transform, guess, lattice):
    """Return the displacement field that undoes a transform at every node, from a good guess.

    At each step a node gives up what still separates it from home; less of it once that stops helping.
    """
    displacement = sitk.GetArrayFromImage(lattice.field_of(guess))  # (..., y, x, dimension)
    step, before_mm = 1.0, np.inf
    for _ in range(_CORRECTIONS):
        missing = sitk.GetArrayFromImage(lattice.field_of(compose(transform, guess)))
        farthest_mm = np.abs(missing).max()
        if farthest_mm < _CLOSE_MM:
            break
        step, before_mm = (step if farthest_mm < before_mm else max(step / 2, 0.25)), farthest_mm
        displacement -= step * missing
        guess = _as_transform(lattice.image(displacement))
    return guess


def invert_points(transform, points_mm):
    """Return the points that a bend takes to the given ones, to a tenth of a micrometre.

    Parameters
    ----------
    transform : SimpleITK.Transform
        A bend, without pose: nearly the identity.
    points_mm : array_like, shape (n, dimension)

    Returns
    -------
    ndarray, shape (n, dimension)
    """
    wanted = np.asarray(points_mm, dtype=float)
    found = wanted.copy()
    for step in range(4 * _CORRECTIONS):
        missing = apply(transform, found) - wanted
        if np.abs(missing).max(initial=0.0) < 1e-4:
            break
        found -= missing * (1.0 if step % 2 else 0.6)
    return found


def compose(second, first):
    """Return one transform that applies ``first``, then ``second`` (SimpleITK lists them the other way round)."""
    both = sitk.CompositeTransform([second, first])
    both.FlattenTransform()
    return both


def apply(transform, points_mm):
    """Return the places of points, shape (n, dimension), after a transform."""
    points_mm = np.atleast_2d(np.asarray(points_mm, dtype=float))
    return np.array([transform.TransformPoint(point) for point in points_mm.tolist()]).reshape(points_mm.shape)


def jacobian_determinant(displacement_mm, spacing_mm):
    """Return the determinant of the Jacobian of ``x + displacement(x)`` at the middle of every cell, in 2-D or 3-D.

    Parameters
    ----------
    displacement_mm : ndarray, shape (..., y, x, dimension)
        Components in the order x, y (, z).
    spacing_mm : sequence of float
        Distance between the nodes along x, y (, z).

    Returns
    -------
    ndarray, one shorter than the field along each axis
        Below 0 the map folds.

    Examples
    --------
    >>> rows, columns = np.indices((4, 4)).astype(float)
    >>> jacobian_determinant(np.stack([0.5 * columns, 0 * rows], -1), (1, 1))[0]  # half as wide again
    array([1.5, 1.5, 1.5])
    """
    dimension = displacement_mm.shape[-1]
    matrix = []
    for column in range(dimension):
        slope = displacement_mm
        for axis in range(dimension):
            count = slope.shape[axis]
            low, high = np.take(slope, range(count - 1), axis), np.take(slope, range(1, count), axis)
            along = axis == dimension - 1 - column  # the last axis of an array is x
            slope = (high - low) / spacing_mm[column] if along else (high + low) / 2
        matrix.append(slope)
    return np.linalg.det(np.stack(matrix, -1) + np.eye(dimension))


def _random_velocity(rng, lattice, centre_mm):
    """Return a smooth velocity of shape (..., y, x, dimension) that is 0 at the border of the lattice."""
    dimension = len(lattice.size)
    velocity = np.zeros((*lattice.size[::-1], dimension))
    for smooth_mm, amount in _LUMPS:
        for k in range(dimension):
            noise = lattice.image(rng.standard_normal(lattice.size[::-1], dtype=np.float32))
            lumps = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, smooth_mm))
            velocity[..., k] += amount / lumps.std() * lumps
    fade = np.ones((*lattice.size[::-1], 1))
    for k, (place, growth) in enumerate(zip(lattice.axes_mm(), rng.normal(0, _GROWTH, dimension), strict=True)):
        shape = [-1 if axis == dimension - 1 - k else 1 for axis in range(dimension)]
        velocity[..., k] += (growth * (place - centre_mm[k])).reshape(shape)
        depth_mm = np.minimum(place - place[0], place[-1] - place).clip(0, _FADE_MM)
        fade *= (0.5 - 0.5 * np.cos(np.pi * depth_mm / _FADE_MM)).reshape([*shape, 1])
    return velocity * fade


def _as_transform(field):
    """Return a transform from an image of vectors; SimpleITK empties the image, so it gets a copy."""
    return sitk.DisplacementFieldTransform(sitk.Image(field))


def _lengths(field):
    return np.sqrt((sitk.GetArrayFromImage(field) ** 2).sum(-1))
