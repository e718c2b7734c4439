"""The exercises of lesson 01: solutions against independent oracles, and every listed mistake by its message."""

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut

from medlearn.exercises import lesson_01 as ex


def solution(exercise):
    return exercise.solution_function


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_uptake_of_an_even_spread_is_one():
    # 70 kg, 70 MBq, scanned one half-life later: 35 MBq / 70 000 g = 500 Bq/g
    assert solution(ex.uptake)(500.0, 70e6, 70.0, 109.77, 109.77) == pytest.approx(1.0)


def test_to_hounsfield_equals_pydicom():
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    stored = dataset.pixel_array
    hu = solution(ex.to_hounsfield)(stored, float(dataset.RescaleSlope), float(dataset.RescaleIntercept))
    np.testing.assert_allclose(hu, apply_modality_lut(stored, dataset))


def test_to_hounsfield_with_a_slope_by_hand():
    # 0.5 * 100 - 300 = -250
    assert solution(ex.to_hounsfield)(np.array([100]), 0.5, -300.0).tolist() == [-250.0]


def test_window_equals_simpleitk(rng):
    image_hu = rng.normal(0, 700, size=(8, 9))
    oracle = sitk.IntensityWindowing(sitk.GetImageFromArray(image_hu), -1350, 150, 0, 1)
    np.testing.assert_allclose(
        solution(ex.window)(image_hu, -600.0, 1500.0), sitk.GetArrayFromImage(oracle), atol=1e-12
    )


def test_slice_order_of_three_sagittal_slices():
    # rows run along y, columns along -z: the normal is y x (-z) = -x, so the largest x comes first
    positions_mm = np.array([[1.0, 9.0, 9.0], [3.0, 9.0, 9.0], [2.0, 9.0, 9.0]])
    assert solution(ex.slice_order)(positions_mm, np.array([0, 1, 0]), np.array([0, 0, -1])).tolist() == [1, 2, 0]


def test_centre_mm_equals_simpleitk(rng):
    mask = rng.random((5, 7, 9)) > 0.8
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing((0.5, 0.8, 3.0))
    image.SetOrigin((-10.0, 20.0, 5.0))
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(image)
    np.testing.assert_allclose(
        solution(ex.centre_mm)(mask, image.GetSpacing(), image.GetOrigin()), shape.GetCentroid(1)
    )


def test_world_to_voxel_equals_simpleitk(rng):
    direction, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    image = sitk.Image(9, 9, 9, sitk.sitkUInt8)
    image.SetSpacing((0.7, 0.9, 3.0))
    image.SetOrigin((-12.0, 5.0, 40.0))
    image.SetDirection(direction.ravel())
    point_mm = np.array([3.0, -4.0, 50.0])
    np.testing.assert_allclose(
        solution(ex.world_to_voxel)(point_mm, np.array(image.GetSpacing()), np.array(image.GetOrigin()), direction),
        image.TransformPhysicalPointToContinuousIndex(point_mm),
    )


def test_ras_to_lps_equals_simpleitk_reading_what_nibabel_wrote(tmp_path):
    affine = np.array([[-0.8, 0, 0, 40], [0, 0.9, 0, -70], [0, 0, 2.5, 12], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), dtype=np.int16), affine), tmp_path / "image.nii")
    image = sitk.ReadImage(str(tmp_path / "image.nii"))
    oracle = np.eye(4)
    oracle[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    oracle[:3, 3] = image.GetOrigin()
    np.testing.assert_allclose(solution(ex.ras_to_lps)(affine), oracle, atol=1e-5)


def test_resample_labels_invents_none_where_linear_does():
    labels = ex._label_image(np.random.default_rng(1), (1.0, 1.0, 4.0))
    drawn = set(np.unique(sitk.GetArrayFromImage(labels)))
    resampled = solution(ex.resample_labels)(labels, (1.0, 1.0, 2.0))
    assert resampled.GetSpacing() == (1.0, 1.0, 2.0)
    assert resampled.GetSize() == (10, 8, 12)  # 10 x 8 x 6 voxels of 1 x 1 x 4 mm
    assert set(np.unique(sitk.GetArrayFromImage(resampled))) == drawn
    assert set(np.unique(sitk.GetArrayFromImage(ex.linear_on_labels(labels, (1.0, 1.0, 2.0))))) > drawn


def test_volume_ml_equals_simpleitk(rng):
    mask = rng.random((5, 7, 9)) > 0.5
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing((0.7, 0.7, 5.0))
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(image)
    assert solution(ex.volume_ml)(mask, (0.7, 0.7, 5.0)) == pytest.approx(shape.GetPhysicalSize(1) / 1000)


def test_leftovers_finds_a_name_in_each_hiding_place():
    public, nested, private = [case[0] for case in ex.leftovers.cases()]
    assert solution(ex.leftovers)(public, ["Doe"]) == ["(0008,1030)", "(0010,0010)"]
    assert solution(ex.leftovers)(nested, ["H-4711"]) == ["(0010,0020)", "(0010,1001)"]
    assert solution(ex.leftovers)(private, ["Doe"]) == ["(0011,1001)"]
    assert solution(ex.leftovers)(private, ["Miller"]) == []


def test_shared_patients_by_hand():
    # items 0, 3 and 4 are p1's, 1 is p2's, 2 is p3's: p1 alone is on both sides
    patients = np.array(["p1", "p2", "p3", "p1", "p1"])
    assert solution(ex.shared_patients)(patients, np.array([0, 1]), np.array([2, 3, 4])).tolist() == ["p1"]


def test_lists_stand_for_arrays():
    assert ex.slice_order.evaluate(lambda p, r, c: [int(i) for i in np.argsort(p @ np.cross(r, c))]).state == "right"
    assert ex.centre_mm.evaluate(lambda *given: tuple(solution(ex.centre_mm)(*given))).state == "right"
    assert ex.world_to_voxel.evaluate(lambda *given: list(solution(ex.world_to_voxel)(*given))).state == "right"
    assert ex.shared_patients.evaluate(lambda p, a, b: sorted(set(p[a]) & set(p[b]))).state == "right"
    assert ex.shared_patients.evaluate(lambda p, a, b: np.array(sorted(set(p[a]) & set(p[b])))).state == "right"


def test_ragged_and_short_lists_do_not():
    assert ex.centre_mm.evaluate(lambda *given: [1.0, [2.0, 3.0]]).state == "wrong"
    assert ex.shared_patients.evaluate(lambda *given: []).state == "wrong"


def test_uptake_refuses_a_half_life_written_into_the_code():
    # carbon-11, 20.36 min, is the second case: fluorine-18's 109.77 min must not do for it
    answer = ex.uptake.evaluate(lambda a, dose, kg, minutes, half: a / (dose * 0.5 ** (minutes / 109.77) / (1000 * kg)))
    assert answer.state == "wrong"


def test_window_refuses_a_result_of_whole_numbers():
    def into_the_images_own_dtype(image_hu, center_hu, width_hu):
        result = np.zeros_like(image_hu)  # int16 in, int16 out: every grey between 0 and 1 is lost
        result[:] = np.clip((image_hu - (center_hu - width_hu / 2)) / width_hu, 0, 1)
        return result

    message = ex.window.evaluate(into_the_images_own_dtype)
    assert message.state == "wrong"
    assert "The dtype is int16" in message.text
