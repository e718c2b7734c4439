"""Geometry is tested both ways round, with any direction matrix, and against SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from medlearn.geometry import (
    WINDOWS_HU,
    Geometry,
    hounsfield,
    resample,
    resample_like,
    voxel_to_world,
    window,
    world_to_voxel,
)

TILT = np.deg2rad(10)
TILTED = np.array([[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])
quick = settings(deadline=None, max_examples=60)  # a timing is never a test


@st.composite
def geometries(draw, dimension=None):
    """Rotated, mirrored and sheared geometries, in 2-D and 3-D."""
    dimension = dimension or draw(st.sampled_from([2, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    direction, _ = np.linalg.qr(rng.normal(size=(dimension, dimension)))  # orthonormal, det +1 or -1
    if draw(st.booleans()):
        direction = direction @ (np.eye(dimension) + np.triu(rng.uniform(-0.5, 0.5, (dimension, dimension)), 1))
    return Geometry(
        rng.integers(1, 40, dimension), rng.uniform(0.1, 10, dimension), rng.uniform(-500, 500, dimension), direction
    )


def as_image(geometry, array=None):
    image = sitk.Image(geometry.size, sitk.sitkInt16) if array is None else sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.direction.ravel().tolist())
    return image


@quick
@given(geometries(), st.integers(0, 2**32 - 1))
def test_world_to_voxel_undoes_voxel_to_world(geometry, seed):
    index = np.random.default_rng(seed).uniform(-100, 600, (4, 5, geometry.dimension))
    back = world_to_voxel(voxel_to_world(index, geometry), geometry)
    np.testing.assert_allclose(back, index, atol=1e-8)


@quick
@given(geometries(), st.integers(0, 2**32 - 1))
def test_voxel_to_world_undoes_world_to_voxel(geometry, seed):
    point_mm = np.random.default_rng(seed).uniform(-500, 500, (7, geometry.dimension))
    back = voxel_to_world(world_to_voxel(point_mm, geometry), geometry)
    np.testing.assert_allclose(back, point_mm, atol=1e-8)


@quick
@given(geometries(), st.integers(0, 2**32 - 1))
def test_voxel_to_world_agrees_with_simpleitk(geometry, seed):
    image = as_image(geometry)
    index = np.random.default_rng(seed).integers(-50, 50, geometry.dimension)
    expected = image.TransformIndexToPhysicalPoint(index.tolist())
    np.testing.assert_allclose(voxel_to_world(index, image), expected, atol=1e-9)


@quick
@given(geometries(), st.integers(0, 2**32 - 1))
def test_world_to_voxel_agrees_with_simpleitk(geometry, seed):
    image = as_image(geometry)
    point_mm = np.random.default_rng(seed).uniform(-500, 500, geometry.dimension)
    expected = image.TransformPhysicalPointToContinuousIndex(point_mm.tolist())
    np.testing.assert_allclose(world_to_voxel(point_mm, image), expected, atol=1e-7)


def test_voxel_to_world_by_hand():
    # Axes rotated by 90 degrees: a step in x moves 2 mm in +y, a step in y moves 3 mm in -x.
    # (1, 2, 4): (10 - 3*2, 20 + 2*1, 30 + 5*4) = (4, 22, 50)
    geometry = Geometry([9, 9, 9], [2, 3, 5], [10, 20, 30], [[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(voxel_to_world([1, 2, 4], geometry), [4, 22, 50])


def test_a_row_vector_times_the_direction_is_wrong_for_a_tilted_scan():
    # The published mistake (D @ v one way, v @ inv(D) the other) is metres of error away from this.
    geometry = Geometry([512, 512, 300], [0.7, 0.7, 1.0], [-180.0, -180.0, -300.0], TILTED)
    index = np.array([100.0, 400.0, 250.0])
    point = voxel_to_world(index, geometry)
    wrong = (point - geometry.origin_mm) @ np.linalg.inv(TILTED) / geometry.spacing_mm
    assert np.abs(wrong - index).max() > 50
    np.testing.assert_allclose(world_to_voxel(point, geometry), index)


def test_geometry_of_image_gives_back_its_parts():
    geometry = Geometry([4, 5, 6], [0.5, 0.5, 3.0], [1.0, 2.0, 3.0], TILTED)
    assert Geometry.of(as_image(geometry)).is_close(geometry, tolerance_mm=1e-9)


def test_geometry_is_close_sees_a_shift_a_size_and_a_mirrored_axis():
    base = Geometry([4, 4], [1, 1], [0, 0], np.eye(2))
    assert base.is_close(Geometry([4, 4], [1, 1], [0.0005, 0], np.eye(2)))
    assert not base.is_close(Geometry([4, 4], [1, 1], [0.01, 0], np.eye(2)))
    assert not base.is_close(Geometry([4, 5], [1, 1], [0, 0], np.eye(2)))
    assert not base.is_close(Geometry([4, 4], [1, 1], [0, 0], np.diag([1, -1])))


def test_geometry_direction_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        Geometry([4, 4], [1, 1], [0, 0], np.eye(2)).direction[0, 0] = 2


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (([4, 4], [1, 1, 1], [0, 0], np.eye(2)), "must all be 2-D or all 3-D"),
        (([4, 4], [1, 1], [0, 0], np.eye(3)), "must all be 2-D or all 3-D"),
        (([4], [1], [0], np.eye(1)), "must all be 2-D or all 3-D"),
        (([4, 4], [1, -1], [0, 0], np.eye(2)), "mirrored axis belongs in direction"),
        (([4, 4], [1, np.nan], [0, 0], np.eye(2)), "spacing_mm must be positive"),
        (([4, 4], [1, 1], [0, 0], [[1, 1], [1, 1]]), "has no inverse"),
        (([4, 4], [1, 1], [0, 0], [[1, np.nan], [0, 1]]), "has no inverse"),
    ],
)
def test_geometry_refuses(parts, message):
    with pytest.raises(ValueError, match=message):
        Geometry(*parts)


@pytest.mark.parametrize("function", [voxel_to_world, world_to_voxel])
@pytest.mark.parametrize("points", [1.0, [1.0, 2.0], np.zeros((3, 4))])
def test_points_of_the_wrong_dimension_are_refused(function, points):
    with pytest.raises(ValueError, match=r"must have shape \(\.\.\., 3\)"):
        function(points, Geometry([4, 4, 4], [1, 1, 1], [0, 0, 0], np.eye(3)))


@quick
@given(geometries(), st.floats(0.5, 4.0), st.sampled_from(["nearest", "linear", "cubic"]))
def test_resample_keeps_a_constant_and_the_centre(geometry, factor, interpolation):
    assume(interpolation != "cubic" or 2 not in geometry.size)
    image = as_image(geometry) + 7
    result = resample(
        image, spacing_mm=np.array(geometry.spacing_mm) * factor, interpolation=interpolation, default_value=-999
    )
    np.testing.assert_array_equal(sitk.GetArrayFromImage(result), 7)
    centre = [voxel_to_world((np.array(i.GetSize()) - 1) / 2, i) for i in (image, result)]
    np.testing.assert_allclose(centre[0], centre[1], atol=1e-6)


@pytest.mark.parametrize("size", [(28, 2), (2, 28), (5, 2, 9)])
def test_cubic_along_two_voxels_is_refused(size):
    # SimpleITK 2.5.7 reads beyond such an axis: a constant image of 7 came back with -32768 in it, now and then
    image = sitk.Image(size, sitk.sitkInt16) + 7
    with pytest.raises(ValueError, match=rf"needs 3 voxels along an axis.* size is \({size[0]}, .*'linear'"):
        resample(image, spacing_mm=0.5, interpolation="cubic")
    assert np.all(sitk.GetArrayFromImage(resample(image, spacing_mm=0.5)) == 7)


@quick
@given(geometries(dimension=3))
def test_linear_resampling_keeps_a_linear_ramp_of_the_world(geometry):
    # The value of each voxel is 2x - y + 3z + 5 of its world position; so must be each resampled one inside.
    fine = Geometry(np.array(geometry.size) + 3, geometry.spacing_mm, geometry.origin_mm, geometry.direction)
    image = ramp(fine)
    result = resample(image, spacing_mm=np.array(fine.spacing_mm) * 0.7)
    index = world_to_voxel(voxel_to_world(indices(result), result), image)
    inside = np.all((index >= 0) & (index <= np.array(fine.size) - 1), axis=-1)
    expected = sitk.GetArrayFromImage(ramp(Geometry.of(result)))
    np.testing.assert_allclose(sitk.GetArrayFromImage(result)[inside], expected[inside], rtol=1e-6, atol=1e-6)


def indices(image):
    # (z, y, x, 3): the x, y, z index of each entry of the array
    return np.moveaxis(np.indices(image.GetSize()[::-1])[::-1], 0, -1)


def ramp(geometry):
    shell = as_image(geometry)
    values = voxel_to_world(indices(shell), geometry) @ np.array([2.0, -1.0, 3.0]) + 5
    return as_image(geometry, values)


def test_resample_halves_the_spacing_by_hand():
    # Voxels of 1 mm with centres 0..3; new centres -0.25, 0.25, 0.75, ...: the edges repeat, 0|10 mixes 1:3.
    image = sitk.GetImageFromArray(np.array([[0, 0, 10, 10]], dtype=np.float32))
    result = resample(image, spacing_mm=[0.5, 1.0])
    assert result.GetOrigin() == (-0.25, 0.0)
    np.testing.assert_allclose(sitk.GetArrayFromImage(result), [[0, 0, 0, 2.5, 7.5, 10, 10, 10]])


def test_resample_rounds_integers():
    # Between 0 and 3 at a quarter and three quarters: 0.75 -> 1, 2.25 -> 2; cut off it would be 0 and 2.
    image = sitk.GetImageFromArray(np.array([[0, 3]], dtype=np.int16))
    result = resample(image, spacing_mm=[0.5, 1.0])
    assert result.GetPixelID() == sitk.sitkInt16
    assert sitk.GetArrayFromImage(result).tolist() == [[0, 1, 2, 3]]


def test_cubic_overshoot_is_clamped_to_the_pixel_type():
    image = sitk.GetImageFromArray(np.array([[0, 0, 0, 255, 255, 255]] * 3, dtype=np.uint8))
    values = sitk.GetArrayFromImage(resample(image, spacing_mm=[0.25, 1.0], interpolation="cubic"))[0].astype(int)
    assert values.max() == 255 and np.abs(np.diff(values)).max() < 128  # no wrap from 255 to 0


def test_nearest_invents_no_label_and_linear_does():
    labels = sitk.GetImageFromArray(np.array([[0, 0, 2, 2]], dtype=np.uint8))
    nearest = sitk.GetArrayFromImage(resample(labels, spacing_mm=[0.4, 1.0], interpolation="nearest"))
    linear = sitk.GetArrayFromImage(resample(labels, spacing_mm=[0.4, 1.0]))
    assert set(np.unique(nearest)) == {0, 2}
    assert 1 in linear


def test_resample_like_undoes_a_rotated_grid():
    rng = np.random.default_rng(0)
    image = as_image(Geometry([6, 5, 4], [1, 1, 2], [3, 4, 5], np.eye(3)), rng.normal(size=(4, 5, 6)))
    # The same voxels, stored with x and y swapped and z backwards.
    swapped = sitk.Flip(sitk.PermuteAxes(image, [1, 0, 2]), [False, False, True])
    back = resample_like(swapped, image, interpolation="nearest")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(image))


def test_resample_like_fills_outside_with_the_smallest_value_or_the_given_one():
    image = sitk.GetImageFromArray(np.array([[-1000, 50]], dtype=np.int16))
    wide = Geometry([4, 1], [1, 1], [-1, 0], np.eye(2))
    assert sitk.GetArrayFromImage(resample_like(image, wide)).tolist() == [[-1000, -1000, 50, -1000]]
    assert sitk.GetArrayFromImage(resample_like(image, wide, default_value=7)).tolist() == [[7, -1000, 50, 7]]


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("default_value", [-1000, 256, 0.5, np.nan])
def test_a_default_value_that_the_pixel_type_cannot_hold_is_refused(interpolation, default_value):
    # SimpleITK wraps: -1000 is 24 in eight bits, a label that nobody drew.
    labels = sitk.Image([3, 1], sitk.sitkUInt8) + 3
    wide = Geometry([5, 1], [1, 1], [-1, 0], np.eye(2))
    with pytest.raises(ValueError, match=r"default_value .* 8-bit unsigned integer.*whole number from 0 to 255"):
        resample_like(labels, wide, interpolation=interpolation, default_value=default_value)
    result = resample_like(labels, wide, interpolation=interpolation, default_value=255)
    assert sitk.GetArrayFromImage(result).tolist() == [[255, 3, 3, 3, 255]]


def test_a_spacing_that_no_memory_holds_is_refused():
    with pytest.raises(ValueError, match=r"spacing_mm 1e-06 .* voxels.*larger spacing"):
        resample(sitk.Image([4, 4], sitk.sitkInt16), spacing_mm=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spacing_mm": 0}, "spacing_mm must be positive"),
        ({"spacing_mm": [1, -1]}, "spacing_mm must be positive"),
        ({"spacing_mm": [1, 1, 1]}, "one number or 2"),
        ({"spacing_mm": 1, "interpolation": "bilinear"}, "must be one of nearest, linear, cubic, got 'bilinear'"),
    ],
)
def test_resample_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        resample(sitk.Image([4, 4], sitk.sitkInt16), **options)


def test_resample_refuses_several_channels():
    with pytest.raises(ValueError, match="one channel at a time"):
        resample(sitk.Image([4, 4], sitk.sitkVectorUInt8, 3), spacing_mm=2)


def test_resample_like_refuses_another_dimension():
    with pytest.raises(ValueError, match="image is 3-D, the target 2-D"):
        resample_like(sitk.Image([4, 4, 4], sitk.sitkInt16), sitk.Image([4, 4], sitk.sitkInt16))


def test_window_ends_and_middle():
    for center_hu, width_hu in WINDOWS_HU.values():
        edges = center_hu + width_hu * np.array([-9, -0.5, -0.25, 0, 0.5, 9])
        assert window(edges, center_hu=center_hu, width_hu=width_hu).tolist() == [0, 0, 0.25, 0.5, 1, 1]


def test_window_and_hounsfield_do_not_overflow_small_integers():
    assert window(np.array([255], np.uint8), center_hu=-600, width_hu=1500).tolist() == [1.0]
    # 200 * 2 - 1024 = -624 in uint8 arithmetic would wrap
    assert hounsfield(np.array([200], np.uint8), slope=2, intercept=-1024).tolist() == [-624.0]


@pytest.mark.parametrize("width_hu", [0, -5, np.nan])
def test_window_refuses_a_width(width_hu):
    with pytest.raises(ValueError, match="width_hu must be positive"):
        window(np.zeros(3), center_hu=0, width_hu=width_hu)


def test_window_refuses_a_simpleitk_image():
    with pytest.raises(ValueError, match=r"sitk\.GetArrayFromImage"):
        window(sitk.Image([2, 2], sitk.sitkInt16), center_hu=0, width_hu=1)


@pytest.mark.parametrize(("slope", "intercept"), [(0, 0), (np.nan, 0), (1, np.inf)])
def test_hounsfield_refuses(slope, intercept):
    with pytest.raises(ValueError, match="slope must be finite"):
        hounsfield(np.zeros(3), slope=slope, intercept=intercept)
