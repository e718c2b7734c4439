"""NIfTI round trips, nibabel as an independent reader, and one clear error per fault."""

import gzip
from contextlib import nullcontext

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from medlearn.data.nifti import read_nifti, write_nifti
from medlearn.geometry import Geometry, voxel_to_world


def volume(dtype=np.int16):
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 100, (4, 5, 6)).astype(dtype))
    image.SetSpacing([0.7, 0.8, 2.5])
    image.SetOrigin([-10.0, 20.0, -300.5])
    direction, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    image.SetDirection(direction.ravel().tolist())
    return image


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_round_trip(tmp_path, name, dtype):
    write_nifti(volume(dtype), tmp_path / name)
    again = read_nifti(tmp_path / name)
    assert again.GetPixelID() == volume(dtype).GetPixelID()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(volume(dtype)))
    assert Geometry.of(again).is_close(Geometry.of(volume(dtype)), tolerance_mm=1e-3)


def test_nibabel_sees_the_same_world(tmp_path):
    write_nifti(volume(), tmp_path / "scan.nii")
    other = nibabel.load(tmp_path / "scan.nii")
    np.testing.assert_array_equal(np.asarray(other.dataobj), sitk.GetArrayFromImage(volume()).T)
    index = np.array([5, 2, 3])
    right_front_top = other.affine @ [*index, 1]  # NIfTI's world is RAS: x and y have the other sign
    expected = voxel_to_world(index, volume()) * [-1, -1, 1]
    np.testing.assert_allclose(right_front_top[:3], expected, atol=1e-3)


def test_no_such_file_names_its_neighbours(tmp_path):
    write_nifti(volume(), tmp_path / "brain.nii.gz")
    with pytest.raises(ValueError, match=r"no file .*brian\.nii\.gz.*in its folder: brain\.nii\.gz"):
        read_nifti(tmp_path / "brian.nii.gz")
    with pytest.raises(ValueError, match="There is no folder"):
        read_nifti(tmp_path / "nowhere" / "brain.nii.gz")


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.nii or \.nii\.gz, got 'scan\.mha'"):
        read_nifti(tmp_path / "scan.mha")
    with pytest.raises(ValueError, match=r"ends in \.nii or \.nii\.gz, got 'scan\.png'"):
        write_nifti(volume(), tmp_path / "scan.png")


@pytest.mark.parametrize("name", ["page.nii", "page.nii.gz"])
def test_a_web_page_is_not_nifti(tmp_path, name):
    text = b"<html>404 not found</html>" * 50
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    with pytest.raises(ValueError, match="is not a NIfTI file"):
        read_nifti(tmp_path / name)


def test_a_page_under_a_gzip_name_is_not_gzip(tmp_path):
    (tmp_path / "page.nii.gz").write_bytes(b"<html>404 not found</html>" * 50)
    with pytest.raises(ValueError, match="not a whole gzip file"):
        read_nifti(tmp_path / "page.nii.gz")


def test_an_empty_file_is_not_nifti(tmp_path):
    (tmp_path / "empty.nii").write_bytes(b"")
    with pytest.raises(ValueError, match=r"is not a NIfTI file.*\(0 bytes read\)"):
        read_nifti(tmp_path / "empty.nii")


@pytest.mark.parametrize(("name", "message"), [("cut.nii", "truncated"), ("cut.nii.gz", "not a whole gzip file")])
def test_a_truncated_file_is_named(tmp_path, name, message):
    path = tmp_path / name
    write_nifti(volume(), path)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match=rf"{name} .*{message}"):
        read_nifti(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read_whole_and_refused_cut(tmp_path, order):
    values = np.arange(60, dtype=f"{order}i2").reshape(5, 4, 3)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(np.int16)
    path = tmp_path / "other.nii"
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4), header), path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_nifti(path)), values.T)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ValueError, match=r"other\.nii is truncated: 470 bytes .* promises 472"):  # 352 + 60 * 2
        read_nifti(path)


def test_nifti_2_is_refused_with_the_way_to_convert_it(tmp_path):
    path = tmp_path / "second.nii"
    second = nibabel.Nifti2Image(np.zeros((3, 4, 5), np.int16), np.eye(4))
    nibabel.save(second, path)
    with pytest.raises(ValueError, match=r"is NIfTI-2.*nibabel\.Nifti1Image\.from_image"):
        read_nifti(path)
    nibabel.save(nibabel.Nifti1Image.from_image(nibabel.load(path)), tmp_path / "first.nii")
    assert read_nifti(tmp_path / "first.nii").GetSize() == (3, 4, 5)


def test_write_into_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
        write_nifti(volume(), tmp_path / "nowhere" / "scan.nii")


def sheared():
    """A volume as a gantry tilted by 20 degrees gives it."""
    image = sitk.GetImageFromArray(np.zeros((5, 6, 7), np.int16))
    tilt = np.radians(20)
    image.SetDirection([1, 0, 0, 0, 1, np.sin(tilt), 0, 0, np.cos(tilt)])
    return image


def test_a_sheared_volume_is_not_written(tmp_path):
    # SimpleITK would write a rotation in its place, without a word: nibabel then reads another world.
    with pytest.raises(ValueError, match=r"not at right angles.*resample_like"):
        write_nifti(sheared(), tmp_path / "scan.nii")
    assert not list(tmp_path.iterdir())


def test_a_sheared_file_is_refused_for_what_it_is(tmp_path):
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(sheared().GetDirection(), (3, 3))
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 6, 7), np.int16), affine), tmp_path / "scan.nii")
    with pytest.raises(ValueError, match=r"axes of .* are not at right angles.*nilearn\.image\.resample_img"):
        read_nifti(tmp_path / "scan.nii")


@pytest.mark.parametrize("units", ["mm", "micron"])
def test_a_second_placement_that_simpleitk_does_not_use_is_told(tmp_path, units):
    # As after a registration by SPM: the sform (aligned, code 2) is moved by 7 mm, the qform (scanner, code 1) is not.
    scale = {"mm": 1, "micron": 1000}[units]
    image = nibabel.Nifti1Image(np.zeros((5, 6, 7), np.int16), None)
    image.header.set_xyzt_units(units)
    for moved_mm, context in (
        (7, pytest.warns(UserWarning, match=r"7\.00 mm apart.*nibabel, FSL and SPM take the sform")),
        (0, nullcontext()),
    ):
        placed = np.diag([2, 2, 2, 1]) * scale
        placed[3, 3] = 1
        image.set_qform(placed, 1)
        placed[0, 3] = moved_mm * scale
        image.set_sform(placed, 2)
        nibabel.save(image, tmp_path / "scan.nii")
        with context:
            assert read_nifti(tmp_path / "scan.nii").GetSpacing() == pytest.approx((2, 2, 2))
