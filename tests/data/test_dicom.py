"""A series is written, harmed in one way, and read: every harm has its own message."""

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from medlearn.data.dicom import DicomSeriesError, read_dicom_series, write_dicom_series
from medlearn.data.dicom_pixels import _is_padding, read_values, stored_values
from medlearn.data.dicom_slices import place
from medlearn.geometry import Geometry, voxel_to_world

CACHE = Path(os.environ.get("MEDLEARN_DATA", "/nowhere"))
T1_SERIES = CACHE / "t1_dicom_series"
LIDC_SLICES = CACHE / "lidc_idri_0314" / "dicom"
needs_t1 = pytest.mark.skipif(not T1_SERIES.is_dir(), reason="t1_dicom_series is not in MEDLEARN_DATA")
needs_lidc = pytest.mark.skipif(not LIDC_SLICES.is_dir(), reason="lidc_idri_0314 is not in MEDLEARN_DATA")


def volume(shape=(6, 5, 4), seed=0, direction=None):
    """A CT-like volume; the array has the given (z, y, x) shape."""
    values = np.random.default_rng(seed).integers(-1000, 2000, shape).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing([0.7, 0.8, 2.5])
    image.SetOrigin([-10.0, 20.0, -300.5])
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    return image


@pytest.fixture
def series(tmp_path):
    """A folder with six slices, and their paths in the order of the slices."""
    return tmp_path / "series", write_dicom_series(volume(), tmp_path / "series")


def edit(path, **tags):
    """Set tags of a file; ``None`` removes one."""
    dataset = pydicom.dcmread(path)
    for tag, value in tags.items():
        if value is None:
            delattr(dataset, tag)
        else:
            setattr(dataset, tag, value)
    dataset.save_as(path)


def assert_same_volume(first, second):
    np.testing.assert_array_equal(sitk.GetArrayFromImage(first), sitk.GetArrayFromImage(second))
    assert Geometry.of(first).is_close(Geometry.of(second), tolerance_mm=1e-6)


def test_a_written_series_reads_back_the_same(series):
    folder, _ = series
    again = read_dicom_series(folder)
    assert again.GetPixelID() == sitk.sitkInt16
    assert_same_volume(again, volume())
    assert [again.GetMetaData(key) for key in ("0008|0060", "0010|0020")] == ["CT", "SIM-0001"]


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_orientation_reads_back_to_the_same_world(seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    direction, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    image = volume(seed=seed, direction=direction)
    folder = tmp_path_factory.mktemp("any") / "series"
    write_dicom_series(image, folder, seed=seed)
    again = read_dicom_series(folder)
    if np.linalg.det(direction) < 0:  # sorted along the normal, a left-handed volume comes back with z reversed
        again = sitk.Flip(again, [False, False, True])
    assert_same_volume(again, image)


def test_slices_are_sorted_by_position_not_by_name_or_instance_number(series):
    folder, paths = series
    names = [path.name for path in paths]
    assert names != sorted(names) and names != sorted(names)[::-1]
    numbers = [pydicom.dcmread(path).InstanceNumber for path in paths]
    assert numbers != sorted(numbers)
    for path, number in zip(paths, [3, 3, 1, 9, 2, 3], strict=True):
        edit(path, InstanceNumber=number)
    assert_same_volume(read_dicom_series(folder), volume())


def test_agrees_with_simpleitks_own_series_reader(series):
    folder, _ = series
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    assert_same_volume(read_dicom_series(folder), reader.Execute())


@needs_t1
def test_t1_series_agrees_with_simpleitks_own_series_reader():
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(T1_SERIES)))
    ours, theirs = read_dicom_series(T1_SERIES), reader.Execute()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs))
    assert ours.GetSize() == (274, 384, 64)
    assert Geometry.of(ours).is_close(Geometry.of(theirs), tolerance_mm=0.01)


@needs_lidc
def test_lidc_slices_have_four_gaps_and_are_refused():
    with pytest.raises(DicomSeriesError, match=r"1\.000 mm apart, but 2\.000 mm.*4 slice\(s\) are missing, in 4 place"):
        read_dicom_series(LIDC_SLICES)


def test_rescale_differs_per_slice(series):
    folder, paths = series
    # The same HU from other stored values: HU + 1024 = 2 * (HU / 2 + 512); odd values lose half a unit.
    dataset = pydicom.dcmread(paths[2])
    stored = dataset.pixel_array // 2
    dataset.PixelData = stored.astype(np.uint16).tobytes()
    dataset.RescaleSlope = 2
    dataset.save_as(paths[2])
    difference = sitk.GetArrayFromImage(volume()) - sitk.GetArrayFromImage(read_dicom_series(folder))
    assert set(np.unique(difference[2])) == {0, 1}
    assert not difference[[0, 1, 3, 4, 5]].any()


def test_a_fractional_slope_gives_float32(series):
    folder, paths = series
    edit(paths[0], RescaleSlope="0.5")
    image = read_dicom_series(folder)
    assert image.GetPixelID() == sitk.sitkFloat32
    # stored 1024 + HU, so half of it minus 1024
    expected = (sitk.GetArrayFromImage(volume())[0] + 1024) * 0.5 - 1024
    np.testing.assert_allclose(sitk.GetArrayFromImage(image)[0], expected)


@pytest.mark.parametrize(("modality", "expected"), [("CT", -1000), ("MR", -1024)])
def test_padding_becomes_the_smallest_real_value_in_a_ct_only(tmp_path, modality, expected):
    image = volume() * 0 + 40
    image[0, 0, 0] = -1000
    paths = write_dicom_series(image, tmp_path)
    dataset = pydicom.dcmread(paths[3])
    stored = dataset.pixel_array.copy()
    stored[0, 0] = 0  # -1024 HU: the scanner's filling outside its circle
    dataset.PixelData = stored.tobytes()
    dataset.add_new("PixelPaddingValue", "US", 0)
    dataset.save_as(paths[3])
    for path in paths:
        edit(path, Modality=modality)
    array = sitk.GetArrayFromImage(read_dicom_series(tmp_path))
    assert array[3, 0, 0] == expected
    assert array[0, 0, 0] == -1000 and array[3, 1, 1] == 40


def test_padding_range_and_a_signed_padding_value_written_as_unsigned():
    path = get_testdata_file("CT_small.dcm")
    piece = place(Path(path), pydicom.dcmread(path, stop_before_pixels=True))
    assert not read_values(piece)[1].any()  # the file says -2000, and no pixel has it
    dataset = pydicom.dcmread(path)
    dataset["PixelPaddingValue"].VR, dataset["PixelPaddingValue"].value = "US", 65536 - 2000
    stored = dataset.pixel_array.copy()
    stored[5, 6], stored[7, 8] = -2000, -1990
    assert np.argwhere(_is_padding(stored, dataset)).tolist() == [[5, 6]]
    dataset.PixelPaddingRangeLimit = -1980
    assert np.argwhere(_is_padding(stored, dataset)).tolist() == [[5, 6], [7, 8]]


def test_a_negative_padding_value_of_unsigned_pixels():
    dataset = pydicom.Dataset()
    dataset.BitsAllocated, dataset.PixelRepresentation = 16, 0
    dataset.add_new("PixelPaddingValue", "SS", -2000)  # as unsigned 16 bits: 65536 - 2000
    assert _is_padding(np.array([0, 63536], np.uint16), dataset).tolist() == [False, True]


def test_a_missing_slice_is_named_with_its_neighbours(series):
    folder, paths = series
    paths[2].unlink()
    names = rf"{paths[1].name} \(-298\.00 mm\) and {paths[3].name} \(-293\.00 mm\)"
    with pytest.raises(DicomSeriesError, match=rf"2\.500 mm apart, but 5\.000 mm between .*{names}. 1 slice\(s\)"):
        read_dicom_series(folder)


def test_uneven_spacing_is_refused(series):
    folder, paths = series
    edit(paths[5], ImagePositionPatient=[-10, 20, -300.5 + 5 * 2.5 + 0.8])
    with pytest.raises(DicomSeriesError, match=r"but 3\.300 mm.*spacing is uneven in 1 place"):
        read_dicom_series(folder)


def test_two_slices_at_one_position_name_the_tag_that_differs(series):
    folder, paths = series
    dataset = pydicom.dcmread(paths[2])
    dataset.AcquisitionNumber = 2
    dataset.SOPInstanceUID = pydicom.uid.generate_uid()
    dataset.save_as(folder / "twin.dcm")
    with pytest.raises(DicomSeriesError, match=r"same position \(-295\.50 mm\);.*differ in AcquisitionNumber"):
        read_dicom_series(folder)


def test_a_copied_file_is_called_a_copy(series):
    folder, paths = series
    shutil.copy(paths[2], folder / "copy.dcm")
    with pytest.raises(DicomSeriesError, match=r"IM\d+\.dcm and copy\.dcm .*perhaps one is a copy"):
        read_dicom_series(folder)


def test_two_series_are_listed_and_one_can_be_chosen(tmp_path):
    write_dicom_series(volume(), tmp_path / "a", series_description="thin")
    write_dicom_series(volume(seed=1), tmp_path / "b", series_description="thick")
    for path in (tmp_path / "b").iterdir():
        path.rename(tmp_path / "a" / f"b{path.name}")
    with pytest.raises(
        DicomSeriesError, match=r"(?s)more than one series.*series_uid.*6 x CT thi.*6 x CT thi"
    ) as error:
        read_dicom_series(tmp_path / "a")
    uid = str(error.value).split("\n")[1].split()[0]
    assert read_dicom_series(tmp_path / "a", series_uid=uid).GetSize() == (4, 5, 6)
    with pytest.raises(DicomSeriesError, match=r"no series 1\.2\.3"):
        read_dicom_series(tmp_path / "a", series_uid="1.2.3")


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"PixelSpacing": [0.9, 0.7]}, r"differ in PixelSpacing .*IM.*\[0\.7, 0\.9\].*1 of 6"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "differ in ImageOrientationPatient.*localizer"),
        ({"Rows": 4, "Columns": 5}, r"differ in Rows and Columns.*\[4\.0, 5\.0\].*\[5\.0, 4\.0\]"),
        ({"ImagePositionPatient": None}, "has no ImagePositionPatient"),
        ({"ImagePositionPatient": [1, 2]}, "ImagePositionPatient .* expected 3 numbers"),
        ({"ImageOrientationPatient": ""}, "has no ImageOrientationPatient"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "two unit vectors at a right angle"),
        ({"PixelSpacing": None}, "has no PixelSpacing"),
        ({"PixelSpacing": [0, 1]}, "expected two positive numbers"),
        ({"RescaleSlope": None, "RescaleIntercept": None}, "has no RescaleSlope, RescaleIntercept"),
        ({"NumberOfFrames": 3}, r"has 3 frame\(s\)"),
        ({"SamplesPerPixel": 3}, r"with 3 value\(s\) per pixel"),
        ({"PixelData": None}, "has no pixel data"),
        ({"Columns": None}, "has no Columns"),
        ({"Rows": None}, "has no Rows: its header breaks off"),
        ({"PatientID": "SIM-0002"}, "differ in PatientID: "),
        ({"Modality": "MR"}, "differ in Modality: "),
        ({"ImagePositionPatient": [-10, 26, -295.5]}, "mm off the line of evenly spaced slices"),
    ],
)
def test_one_bad_header_is_named(series, tags, message):
    folder, paths = series
    edit(paths[2], **tags)
    with pytest.raises(DicomSeriesError, match=message) as error:
        read_dicom_series(folder)
    assert paths[2].name in str(error.value)


@pytest.mark.parametrize("length", [140, 154, 200, 400, 700, 950])
def test_a_header_that_breaks_off_is_named_at_the_end_of_the_volume_too(series, length):
    folder, paths = series
    paths[5].write_bytes(paths[5].read_bytes()[:length])  # no gap: without it, the volume would be one slice shorter
    with pytest.raises(DicomSeriesError, match=paths[5].name):
        read_dicom_series(folder)


@pytest.mark.parametrize(
    ("tag", "text", "message"),
    [
        ("PixelSpacing", b"a\\b ", r"PixelSpacing \['a', 'b'\]; expected 2 number"),
        ("ImagePositionPatient", b"1\\2\\x ", "ImagePositionPatient .*expected 3 number"),
        ("RescaleSlope", b"abc ", "RescaleSlope 'abc'; expected 1 number"),
        ("RescaleIntercept", b"1\\2 ", r"RescaleIntercept \['?1.*expected 1 number"),
        ("Rows", b"abc", "header of .* is damaged"),
    ],
)
def test_a_tag_that_is_no_number_is_named(series, tag, text, message):
    folder, paths = series
    dataset = pydicom.dcmread(paths[2])
    number = pydicom.datadict.tag_for_keyword(tag)
    raw = pydicom.dataelem.RawDataElement(number, dataset[tag].VR, len(text), text, 0, False, True)
    dataset._dict[number] = raw
    dataset.save_as(paths[2])
    with pytest.raises(DicomSeriesError, match=message) as error:
        read_dicom_series(folder)
    assert paths[2].name in str(error.value)


def test_an_unknown_kind_of_value_is_named(series):
    folder, paths = series
    data = paths[2].read_bytes()
    place = data.index(b"\x28\x00\x53\x10DS")  # Rescale Slope, as it stands in the file
    paths[2].write_bytes(data[: place + 4] + b"QQ" + data[place + 6 :])
    with pytest.raises(DicomSeriesError, match=rf"header of .*{paths[2].name} is damaged"):
        read_dicom_series(folder)


def test_a_link_to_nothing_is_named(series):
    folder, paths = series
    paths[5].unlink()
    paths[5].symlink_to(folder / "not_yet_fetched")
    with pytest.raises(DicomSeriesError, match=rf"{paths[5].name} is a link to a file that is not there"):
        read_dicom_series(folder)


def test_links_to_slices_and_unicode_names_are_read(series, tmp_path):
    _, paths = series
    links = tmp_path / "Schädel 頭"
    links.mkdir()
    for path in paths:
        (links / f"é{path.name}").symlink_to(path)
    assert_same_volume(read_dicom_series(links), volume())


def test_phases_that_differ_in_time_only_are_no_copies(series):
    folder, paths = series
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.AcquisitionTime, dataset.SOPInstanceUID = "100500", pydicom.uid.generate_uid()
        dataset.save_as(folder / f"later{path.name}")
    with pytest.raises(DicomSeriesError, match="differ in AcquisitionTime"):
        read_dicom_series(folder)


def test_frames_and_colours_are_named_before_missing_positions(tmp_path):
    shutil.copy(get_testdata_file("examples_ybr_color.dcm"), tmp_path)
    with pytest.raises(DicomSeriesError, match=r"has 30 frame\(s\) with 3 value\(s\) per pixel"):
        read_dicom_series(tmp_path)


def test_truncated_pixel_data_is_named(series):
    folder, paths = series
    data = paths[4].read_bytes()
    paths[4].write_bytes(data[:-20])
    with pytest.raises(DicomSeriesError, match=rf"{paths[4].name} .*cannot be read.*Perhaps a download broke off"):
        read_dicom_series(folder)


@pytest.mark.parametrize(
    ("name", "content"), [("broken.dcm", b""), ("broken", b""), ("broken.dcm", b"<html>404 not found</html>" * 20)]
)
def test_a_slice_that_is_not_dicom_is_named(series, name, content):
    folder, _ = series
    (folder / name).write_bytes(content)
    with pytest.raises(DicomSeriesError, match=r"broken.* is not a DICOM file"):
        read_dicom_series(folder)


def test_other_files_are_passed_over_with_one_warning(series):
    folder, _ = series
    (folder / "README.txt").write_text("read me")
    (folder / ".DS_Store").write_bytes(b"hidden")
    for name in ("rtplan.dcm", "test-SR.dcm", "rtdose.dcm"):
        shutil.copy(get_testdata_file(name), folder)
    with pytest.warns(UserWarning, match=r"README\.txt \(not DICOM\), .*RTDOSE.*RTPLAN.*SR") as caught:
        image = read_dicom_series(folder)
    assert len(caught) == 1
    assert_same_volume(image, volume())


def test_an_empty_folder_names_its_sub_folders(tmp_path):
    (tmp_path / "scan_1").mkdir()
    with pytest.raises(DicomSeriesError, match=r"no DICOM slices in .*sub-folders .*scan_1"):
        read_dicom_series(tmp_path)


def test_a_folder_of_other_files_says_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DicomSeriesError, match=r"It holds notes\.txt \(not DICOM\)"):
        read_dicom_series(tmp_path)


def test_a_file_instead_of_a_folder_is_refused(series):
    _, paths = series
    with pytest.raises(DicomSeriesError, match="is not a folder"):
        read_dicom_series(paths[0])


def test_a_tilted_gantry_becomes_a_shear_and_a_warning(series):
    folder, paths = series
    for index, path in enumerate(paths):  # 2.5 mm up and 0.5 mm back a slice: atan(0.2) = 11.3 degrees
        edit(path, ImagePositionPatient=[-10, 20 + 0.5 * index, -300.5 + 2.5 * index])
    with pytest.warns(UserWarning, match=r"sheared by 11\.3 degrees"):
        image = read_dicom_series(folder)
    np.testing.assert_allclose(voxel_to_world([0, 0, 5], image), [-10, 22.5, -288], atol=1e-9)


def test_one_slice_takes_its_thickness_from_the_header(series):
    folder, paths = series
    for path in paths[1:]:
        path.unlink()
    assert read_dicom_series(folder).GetSpacing() == pytest.approx((0.7, 0.8, 2.5))


def test_one_slice_with_a_negative_spacing_between_slices_is_not_mirrored(series):
    folder, paths = series
    for path in paths[1:]:
        path.unlink()
    edit(paths[0], SpacingBetweenSlices=-3)  # DICOM allows it in nuclear medicine: it says the order, not the normal
    image = read_dicom_series(folder)
    assert image.GetSpacing()[2] == pytest.approx(3) and image.GetDirection()[8] == 1


COMPRESSED = {
    "MR_small_jp2klossless.dcm": "JPEG 2000 lossless",
    "MR_small_jpeg_ls_lossless.dcm": "JPEG-LS",
    "MR_small_RLE.dcm": "RLE",
    "MR_small_bigendian.dcm": "big endian",
    "MR_small_implicit.dcm": "implicit",
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_files_hold_the_pixels_of_the_uncompressed_one(name, tmp_path):
    shutil.copy(get_testdata_file(name), tmp_path)
    image = read_dicom_series(tmp_path)
    expected = pydicom.dcmread(get_testdata_file("MR_small.dcm")).pixel_array
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image)[0], expected)


def test_jpeg_2000_ct_is_rescaled_once(tmp_path):
    shutil.copy(get_testdata_file("693_J2KI.dcm"), tmp_path)
    ours = sitk.GetArrayFromImage(read_dicom_series(tmp_path))
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(get_testdata_file("693_J2KI.dcm")))
    padding = theirs == -2000 - 1024
    assert padding.any()
    np.testing.assert_array_equal(ours[~padding], theirs[~padding])


def test_jpeg_lossless_is_decoded(tmp_path):
    dataset = pydicom.dcmread(get_testdata_file("SC_rgb_jpeg_gdcm.dcm"))
    assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.JPEGLosslessSV1
    assert stored_values(dataset).shape == (100, 100, 3)
    assert stored_values(dataset)[5, 50].tolist() == [255, 0, 0]  # the topmost stripe is red


def test_damaged_compressed_pixel_data_is_named(tmp_path):
    dataset = pydicom.dcmread(get_testdata_file("MR_small_jpeg_ls_lossless.dcm"))
    dataset.PixelData = pydicom.encaps.encapsulate([b"\x00" * 64])
    dataset.save_as(tmp_path / "damaged.dcm")
    with pytest.raises(DicomSeriesError, match=r"damaged\.dcm \(JPEG-LS Lossless.*cannot be read"):
        read_dicom_series(tmp_path)


# --- writing -----------------------------------------------------------------------------------------------------


def test_written_files_are_valid_and_have_distinct_uids(series):
    _, paths = series
    datasets = [pydicom.dcmread(path) for path in paths]
    assert len({d.SOPInstanceUID for d in datasets}) == 6
    assert len({d.SeriesInstanceUID for d in datasets}) == len({d.StudyInstanceUID for d in datasets}) == 1
    for dataset in datasets:
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for element in dataset:  # raises where a value breaks the rules of its kind
                pydicom.dataelem.DataElement(element.tag, element.VR, element.value, validation_mode=2)


def test_writing_twice_gives_the_same_bytes_and_other_voxels_other_uids(tmp_path):
    first, second = (write_dicom_series(volume(), tmp_path / n, seed=3) for n in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    other = write_dicom_series(volume(seed=9), tmp_path / "c", seed=3)
    assert pydicom.dcmread(other[0]).SeriesInstanceUID != pydicom.dcmread(first[0]).SeriesInstanceUID
    assert pydicom.dcmread(other[0]).StudyInstanceUID == pydicom.dcmread(first[0]).StudyInstanceUID


def test_two_patients_and_two_geometries_never_share_a_uid(tmp_path):
    def first(name, image, **options):
        return pydicom.dcmread(write_dicom_series(image, tmp_path / name, **options)[0])

    # Written one after the other, both patients and seeds read SIM-110.
    one, other = first("a", volume(), patient_id="SIM-1", seed=10), first("b", volume(), patient_id="SIM-11", seed=0)
    for tag in ("StudyInstanceUID", "FrameOfReferenceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert one[tag].value != other[tag].value, tag
    wide = volume()
    wide.SetSpacing([2, 2, 2])
    thin, wide = first("c", volume()), first("d", wide)
    assert thin.SeriesInstanceUID != wide.SeriesInstanceUID and thin.SOPInstanceUID != wide.SOPInstanceUID


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_file_names_are_never_in_slice_order(tmp_path, count, seed):
    names = [p.name for p in write_dicom_series(volume((count, 3, 3)), tmp_path, seed=seed)]
    assert names != sorted(names) and len(set(names)) == count


def test_mr_values_survive_to_one_step_of_65536(tmp_path):
    image = sitk.Cast(volume(), sitk.sitkFloat32) * 0.001
    write_dicom_series(image, tmp_path, modality="MR")
    again = sitk.GetArrayFromImage(read_dicom_series(tmp_path))
    expected = sitk.GetArrayFromImage(image)
    step = (expected.max() - expected.min()) / 65535
    assert np.abs(again - expected).max() <= 0.51 * step


def test_mr_counts_survive_exactly(tmp_path):
    image = sitk.Cast(volume() + 1000, sitk.sitkFloat32)
    write_dicom_series(image, tmp_path, modality="MR")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_dicom_series(tmp_path)), sitk.GetArrayFromImage(image))


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (volume(), {"modality": "PT"}, "modality must be one of CT, MR, got 'PT'"),
        (volume()[:, :, 0], {}, "expected a 3-D image .* got 2-D"),
        (volume() - 500, {}, "HU must lie in -1024 to 64511, got -1"),
        (sitk.Cast(volume(), sitk.sitkFloat32) / 0.0, {}, "NaN or infinite"),
        (volume(direction=[[1, 0.5, 0], [0, 1, 0], [0, 0, 1]]), {}, "not at right angles"),
    ],
)
def test_write_dicom_series_refuses(tmp_path, image, options, message):
    with pytest.raises(ValueError, match=message):
        write_dicom_series(image, tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_write_dicom_series_does_not_mix_two_series(series):
    folder, _ = series
    with pytest.raises(ValueError, match=r"already holds \.dcm files"):
        write_dicom_series(volume(), folder)


@pytest.mark.parametrize("thickness_mm", [0, -1.0, float("nan"), "2"])
def test_a_thickness_that_is_none_is_refused(tmp_path, thickness_mm):
    with pytest.raises(ValueError, match=r"slice_thickness_mm must be 0\.01 to 1000, got"):
        write_dicom_series(volume(), tmp_path / "a", slice_thickness_mm=thickness_mm)
    assert not (tmp_path / "a").exists()
