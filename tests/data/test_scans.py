"""The loaders: what they return is what the files are."""

import os
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file

from medlearn.data.dicom import DicomSeriesError, read_dicom_series
from medlearn.data.scans import (
    load_brain_template,
    load_ct_slice,
    load_lidc_crop,
    load_lidc_scan,
    load_lidc_slices,
    load_t1_series,
)
from medlearn.geometry import WINDOWS_HU, voxel_to_world, world_to_voxel

CACHE = Path(os.environ.get("MEDLEARN_DATA", "/nowhere"))
needs_t1 = pytest.mark.skipif(
    not (CACHE / "t1_dicom_series").is_dir(), reason="t1_dicom_series is not in MEDLEARN_DATA"
)
needs_lidc = pytest.mark.skipif(
    not (CACHE / "lidc_idri_0314").is_dir(), reason="lidc_idri_0314 is not in MEDLEARN_DATA"
)


def test_brain_template_is_nilearns():
    from nilearn.datasets import load_mni152_template

    template = load_brain_template()
    assert template.t1.GetDirection() == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    theirs = load_mni152_template(resolution=1)
    assert nibabel.aff2axcodes(theirs.affine) == ("R", "A", "S")
    ours = sitk.GetArrayFromImage(template.t1).T[::-1, ::-1]  # (x, y, z), L and P turned to R and A
    np.testing.assert_allclose(ours, theirs.get_fdata(), atol=0.01)


def test_brain_template_maps_are_shares():
    template = load_brain_template(3)
    for image in (template.t1, template.grey, template.white):
        array = sitk.GetArrayFromImage(image)
        assert array.dtype == np.float32 and -1e-3 <= array.min() and 0.9 < array.max() <= 1.001
    assert template.card.people == 0
    # The corpus callosum is white: (0, -5, 25) mm in LPS is 5 mm to the front of the anterior commissure.
    x, y, z = np.rint(world_to_voxel([0, -8, 20], template.white)).astype(int)
    assert sitk.GetArrayFromImage(template.white)[z - 1 : z + 2, y, x].max() > 0.7


def test_brain_template_keeps_its_volume_when_made_coarser():
    fine, coarse = (sitk.GetArrayFromImage(load_brain_template(s).grey).sum() * s**3 for s in (1, 4))
    assert coarse == pytest.approx(fine, rel=0.01)


@pytest.mark.parametrize("spacing_mm", [0.5, np.nan])
def test_brain_template_refuses_finer_voxels(spacing_mm):
    with pytest.raises(ValueError, match="spacing_mm must be 1 or more"):
        load_brain_template(spacing_mm)


@pytest.mark.parametrize("region", ["head", "chest"])
def test_ct_slice_is_pydicoms_file_in_hu(region):
    piece = load_ct_slice(region)
    dataset = pydicom.dcmread(get_testdata_file({"head": "J2K_pixelrep_mismatch.dcm", "chest": "CT_small.dcm"}[region]))
    expected = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    np.testing.assert_array_equal(piece.image_hu, np.maximum(expected, -1024))
    assert piece.spacing_mm == tuple(map(float, dataset.PixelSpacing))
    assert piece.image_hu.dtype == np.float32
    assert str(dataset.PatientID) not in piece.patient  # a number from a hospital need not be shown


def test_ct_slices_look_like_tissue():
    head, chest = load_ct_slice("head").image_hu, load_ct_slice("chest").image_hu
    center, width = WINDOWS_HU["brain"]
    brain = head[300:400, 200:330]  # the posterior fossa
    assert np.abs(np.median(brain) - center) < width / 4
    assert np.median(chest[:20, :20]) < -700  # lung in the upper left corner
    assert np.median(chest[10:40, 50:75]) > 100  # the vertebra


def test_the_chest_slice_is_a_part_and_not_a_small_copy():
    # 338.67 mm over 512 pixels is the pixel spacing of the file: its 128 pixels are a quarter of the field.
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    assert dataset.ReconstructionDiameter / 512 == pytest.approx(dataset.PixelSpacing[0], abs=1e-4)
    assert dataset.Rows == 128


def test_load_ct_slice_refuses_another_region():
    with pytest.raises(ValueError, match="region must be one of head, chest, got 'knee'"):
        load_ct_slice("knee")


@needs_t1
def test_t1_series_is_a_tilted_slab():
    scan = load_t1_series()
    assert scan.image.GetSize() == (274, 384, 64)
    # 0.6667 mm between slices, although their z differ by 0.6607 mm only: the slab is tilted.
    assert scan.image.GetSpacing() == pytest.approx((0.69999, 0.66667, 0.66667), abs=1e-5)
    step = voxel_to_world([0, 0, 1], scan.image) - voxel_to_world([0, 0, 0], scan.image)
    assert step[2] == pytest.approx(0.66069, abs=1e-5)
    assert not scan.card.synthetic and scan.patient


@needs_lidc
def test_lidc_slices_are_sixteen_of_twenty_positions():
    slices = load_lidc_slices()
    assert slices.image_hu.shape == (16, 512, 512)
    steps = np.diff(slices.position_mm)
    np.testing.assert_allclose(steps.round(3), [1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 2, 1, 2, 1])
    assert slices.image_hu.min() == -1000 and slices.spacing_mm == (0.78125, 0.78125)
    with pytest.raises(DicomSeriesError, match=r"4 slice\(s\) are missing"):
        read_dicom_series(CACHE / "lidc_idri_0314" / "dicom")


@needs_lidc
def test_lidc_slices_crop_and_scan_agree_in_the_world():
    slices, crop, scan = load_lidc_slices(), load_lidc_crop(reader=2), load_lidc_scan()
    assert scan.image.GetSize() == (170, 170, 137)
    header = pydicom.dcmread(next((CACHE / "lidc_idri_0314" / "dicom").iterdir()), stop_before_pixels=True)
    x_mm, y_mm = header.ImagePositionPatient[:2]
    corner = voxel_to_world([0, 0, 0], crop.image)
    column, row = round((corner[0] - x_mm) / 0.78125), round((corner[1] - y_mm) / 0.78125)
    for position, image_hu in zip(slices.position_mm, slices.image_hu, strict=True):
        index = round(position - corner[2])
        np.testing.assert_array_equal(crop.array[index], image_hu[row : row + 128, column : column + 128])


@needs_lidc
@pytest.mark.parametrize(("reader", "voxels"), [(1, 3071), (2, 3712), (3, 2493), (4, 3663)])
def test_lidc_outlines_of_four_readers_differ(reader, voxels):
    crop = load_lidc_crop(reader=reader)
    assert sitk.GetArrayFromImage(crop.labels).sum() == voxels
    assert crop.labels.GetOrigin() == crop.image.GetOrigin()


def test_lidc_has_four_readers():
    with pytest.raises(ValueError, match="reader must be 1, 2, 3 or 4, got 5"):
        load_lidc_crop(reader=5)
