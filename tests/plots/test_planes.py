"""Planes are turned the right way round for any direction matrix."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from medlearn.plots.planes import PLANES, anatomical_axes, plane_axis, plane_image, plane_point

# All 48 ways in which voxel axes can lie along the patient's axes, mirrored ones too.
SIGNED_PERMUTATIONS = [
    np.eye(3)[:, list(order)] * signs
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def rotation(axis, degrees):
    """Rotate about a unit axis (Rodrigues' formula)."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def volume(direction, size=(4, 5, 6), spacing=(0.5, 2.0, 3.0)):
    array = np.arange(np.prod(size), dtype=np.float32).reshape(size[::-1])
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetDirection(np.asarray(direction, dtype=float).ravel().tolist())
    return image


def world_of(image, index_xyz):
    return np.array(image.TransformIndexToPhysicalPoint([int(i) for i in index_xyz]))


@pytest.mark.parametrize("direction", SIGNED_PERMUTATIONS)
@pytest.mark.parametrize("plane", PLANES)
def test_plane_image_equals_itk_reoriented_to_lps(direction, plane):
    # Independent oracle: ITK's DICOMOrient to LPS; then rows run to P, or from S to I by reversing z.
    image = volume(direction)
    lps = sitk.GetArrayFromImage(sitk.DICOMOrient(image, "LPS"))  # (S, P, L)
    through = {"axial": 0, "coronal": 1, "sagittal": 2}[plane]
    axis, length = plane_axis(image, plane)
    shown = plane_image(image, plane, 1).pixels
    wanted = [np.take(lps, k, axis=through) for k in range(length)]
    wanted = [part if plane == "axial" else part[::-1] for part in wanted]
    assert sum(np.array_equal(shown, part) for part in wanted) == 1
    assert np.array_equal(
        np.sort(shown, axis=None), np.sort(np.take(sitk.GetArrayFromImage(image), 1, axis), axis=None)
    )


@settings(max_examples=60, deadline=None)
@given(
    base=st.sampled_from(range(48)),
    axis=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    degrees=st.floats(-30, 30),
    plane=st.sampled_from(["axial", "coronal", "sagittal"]),
)
def test_plane_letters_point_where_the_patient_lies(base, axis, degrees, plane):
    # The letter at an edge must be the world direction in which the picture runs there: walk from the first to
    # the last pixel, across and down, and look at where the world position went.
    image = volume(rotation(axis, degrees) @ SIGNED_PERMUTATIONS[base])
    part = plane_image(image, plane, 2)
    left, right, top, bottom = part.letters
    array = sitk.GetArrayFromImage(image)

    def world(row, column):
        z, y, x = np.argwhere(array == part.pixels[row, column])[0]
        return world_of(image, (x, y, z))

    across, down = world(0, -1) - world(0, 0), world(-1, 0) - world(0, 0)
    vectors = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
    assert np.dot(across, vectors[right]) > 0 > np.dot(across, vectors[left])
    assert np.dot(down, vectors[bottom]) > 0 > np.dot(down, vectors[top])
    # and the spacing is that of the axis walked along
    rows, columns = part.pixels.shape
    assert np.linalg.norm(down) == pytest.approx((rows - 1) * part.spacing_mm[0], rel=1e-6)
    assert np.linalg.norm(across) == pytest.approx((columns - 1) * part.spacing_mm[1], rel=1e-6)


@pytest.mark.parametrize("direction", SIGNED_PERMUTATIONS)
def test_plane_expression_and_point_find_the_voxel(direction):
    image = volume(direction)
    array = sitk.GetArrayFromImage(image)
    voxel = (1, 3, 4)
    for plane in PLANES:
        axis, _ = plane_axis(image, plane)
        part = plane_image(image, plane, voxel[2 - axis])
        taken = eval(part.expression, {"array": array})
        assert np.array_equal(np.sort(taken, axis=None), np.sort(part.pixels, axis=None))
        x_mm, y_mm = plane_point(image, plane, voxel)
        row, column = round(y_mm / part.spacing_mm[0]), round(x_mm / part.spacing_mm[1])
        assert part.pixels[row, column] == array[4, 3, 1]


def test_anatomical_axes_of_the_identity_and_of_a_tilt():
    assert anatomical_axes(np.eye(3)) == ((0, 1, 2), (1, 1, 1), 0.0)
    axes, signs, tilt = anatomical_axes(rotation((1, 0, 0), 12) @ np.diag([-1, -1, 1]))
    assert (axes, signs) == ((0, 1, 2), (-1, -1, 1))
    assert tilt == pytest.approx(12)


def test_plane_image_hand_case():
    # 2 x 2 x 1 voxels, x to the patient's right, y to anterior: the array [[0, 1], [2, 3]] is turned by 180 degrees.
    image = volume(np.diag([-1, -1, 1]), size=(2, 2, 1))
    assert plane_image(image, "axial", 0).pixels.tolist() == [[3, 2], [1, 0]]


@pytest.mark.parametrize(
    ("plane", "index", "match"),
    [("oblique", 0, "plane must be one of axial, coronal, sagittal"), ("axial", 6, "index must be from 0 to 5"),
     ("coronal", -1, "index must be from 0 to 4")],
)  # fmt: skip
def test_plane_image_refuses(plane, index, match):
    with pytest.raises(ValueError, match=match):
        plane_image(volume(np.eye(3)), plane, index)
