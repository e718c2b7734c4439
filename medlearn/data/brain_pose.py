"""How a head lies in the scanner: rigid and affine transforms about the middle of the brain."""

import numpy as np
import SimpleITK as sitk

from medlearn.data.brain_anatomy import CENTRE_MM
from medlearn.data.options import check_number, check_whole

_KINDS = {  # the largest turn in degrees, shift in mm, share of stretching and shearing
    "rigid": (10.0, 10.0, 0.0),
    "affine": (10.0, 10.0, 0.05),
}


def random_pose(seed, *, max_angle_deg=15.0, max_shift_mm=20.0, max_stretch=0.0):
    """Draw a transform that turns and shifts a head about the middle of the brain.

    The turn is about an axis of any direction, by any angle up to the largest; the shift is in any direction, by any
    length up to the longest.

    Parameters
    ----------
    seed : int
        0 or more.
    max_angle_deg : float
        0 to 180.
    max_shift_mm : float
        0 to 500.
    max_stretch : float
        0 to 0.3: up to this share the head is also stretched and sheared. With 0 the transform is rigid.

    Returns
    -------
    SimpleITK.Euler3DTransform, or AffineTransform where it may stretch

    Raises
    ------
    ValueError
        If an option is out of its range.

    Examples
    --------
    >>> pose = random_pose(0, max_angle_deg=0, max_shift_mm=20)
    >>> middle = np.array(pose.TransformPoint(CENTRE_MM))
    >>> bool(np.linalg.norm(middle - CENTRE_MM) <= 20)
    True
    """
    seed = check_whole("seed", seed, 0, 10**17)
    max_angle_deg = check_number("max_angle_deg", max_angle_deg, 0, 180)
    max_shift_mm = check_number("max_shift_mm", max_shift_mm, 0, 500)
    max_stretch = check_number("max_stretch", max_stretch, 0, 0.3)
    return _draw(np.random.default_rng([seed, 31]), max_angle_deg, max_shift_mm, max_stretch)


def as_pose(pose, rng):
    """Return a pose from what a caller gives: None, a word, or a linear transform of SimpleITK.

    Raises
    ------
    ValueError
        If it is another word, no transform of 3-D, not linear, or has no inverse.
    """
    if pose is None:
        return sitk.Euler3DTransform()
    if isinstance(pose, str) and pose in _KINDS:
        return _draw(rng, *_KINDS[pose])
    if not isinstance(pose, sitk.Transform):
        raise ValueError(f"pose must be None, {', '.join(map(repr, _KINDS))} or a SimpleITK transform, got {pose!r}.")
    if pose.GetDimension() != 3 or not pose.IsLinear():
        raise ValueError(
            f"pose must be a linear transform in 3-D, such as sitk.Euler3DTransform, got a {pose.GetName()} in"
            f" {pose.GetDimension()}-D. Bends come from max_displacement_mm."
        )
    corner = np.array(pose.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.array([pose.TransformPoint(row) for row in np.eye(3).tolist()]).T - corner[:, None]
    if not np.isfinite(matrix).all() or not np.linalg.det(matrix) > 1e-3:
        raise ValueError(
            f"pose must have an inverse and not mirror the head: its determinant must be positive,"
            f" got {np.linalg.det(matrix):.3g}."
        )
    return sitk.Transform(pose)


def _draw(rng, max_angle_deg, max_shift_mm, max_stretch):
    axis, direction = rng.normal(size=(2, 3))
    angle, shift = np.radians(max_angle_deg) * rng.random(), max_shift_mm * rng.random()
    stretch = np.eye(3) + rng.uniform(-max_stretch, max_stretch, (3, 3))
    turn = sitk.VersorRigid3DTransform((axis / np.linalg.norm(axis)).tolist(), float(angle))
    matrix = np.reshape(turn.GetMatrix(), (3, 3)) @ stretch
    pose = sitk.AffineTransform(3) if max_stretch else sitk.Euler3DTransform()
    pose.SetCenter(CENTRE_MM)
    pose.SetMatrix(matrix.ravel().tolist())
    pose.SetTranslation((shift * direction / np.linalg.norm(direction)).tolist())
    return pose
