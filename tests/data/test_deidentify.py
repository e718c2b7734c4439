"""An invented patient is planted, found, removed, and looked for again."""

import copy

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicomanonymizer import simpledicomanonymizer as profile
from pydicom.data import get_testdata_file

from medlearn.data.burned_in import blank_rectangles, find_burned_in_text
from medlearn.data.deidentify import deidentify, find_identifiers
from medlearn.data.dicom import read_dicom_series, write_dicom_series
from medlearn.data.fake_identifiers import fake_identity, plant_identifiers


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """Three slices of a smooth volume of 128 x 128, read back from their files."""
    smooth = 600 - 500 * np.hypot(*np.meshgrid(*[np.linspace(-1, 1, 128)] * 2))  # bright in the middle
    array = np.stack([smooth + 10 * k for k in range(3)]).astype(np.int16)
    paths = write_dicom_series(sitk.GetImageFromArray(array), tmp_path_factory.mktemp("series"), seed=1)
    return [pydicom.dcmread(path) for path in paths]


@pytest.fixture
def planted(slices):
    return plant_identifiers(slices[0], seed=3)


def text_of(dataset):
    """All that a file says outside its pixels, as one text."""
    bare = copy.deepcopy(dataset)
    del bare.PixelData
    return f"{bare.file_meta} {bare}".lower()


def test_planted_identifiers_are_in_all_four_places_and_the_original_stays(slices, planted):
    who = fake_identity(3)
    found = find_identifiers(planted, secrets=who.secrets)
    places = {finding.place: finding.kind for finding in found}
    assert places["PatientName"] == places["StudyDescription"] == "secret"
    assert places["OtherPatientIDsSequence[0].PatientID"] == "secret"
    assert places["SourceImageSequence[0].PatientName"] == "secret"
    assert places["(0011,1001)"] == "secret" and places["(0011,0010)"] == "private"
    assert places["InstitutionName"] == "listed"
    assert [finding.kind for finding in found].count("pixels") == 1
    assert not any(secret.lower() in text_of(slices[0]) for secret in who.secrets)


def test_planted_patients_are_obviously_invented_and_differ():
    assert len({fake_identity(seed) for seed in range(20)}) > 15
    assert all(fake_identity(seed).patient_id.startswith("FAKE-") for seed in range(20))


@pytest.mark.parametrize("seed", range(6))
def test_deidentify_removes_every_planted_secret(slices, seed):
    who, dataset = fake_identity(seed), plant_identifiers(slices[0], seed)
    boxes = find_burned_in_text(dataset.pixel_array)
    clean = deidentify(dataset, patient_id="case-017", blank=boxes)
    assert find_identifiers(clean, secrets=who.secrets, pseudonym="case-017") == []
    for secret in (*who.secrets, "Imaginary", "Nowhere", "20200229"):
        assert secret.lower() not in text_of(clean)
    assert clean.PatientName == clean.PatientID == "case-017"


def test_deidentify_leaves_its_input_alone(planted):
    before = copy.deepcopy(planted)
    deidentify(planted, blank=[(0, 0, 9, 9)])
    assert planted == before and planted.PixelData == before.PixelData


def test_deidentify_keeps_what_makes_the_image(slices, planted):
    clean = deidentify(planted)
    for keyword in (
        "Modality", "Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
        "RescaleSlope", "RescaleIntercept", "SOPClassUID", "SliceThickness",
    ):  # fmt: skip
        assert clean[keyword].value == planted[keyword].value, keyword
    np.testing.assert_array_equal(clean.pixel_array, planted.pixel_array)


def test_three_fields_by_hand_are_not_enough(planted):
    naive = copy.deepcopy(planted)
    naive.PatientName = naive.PatientID = naive.PatientBirthDate = ""
    kinds = [finding.kind for finding in find_identifiers(naive, secrets=fake_identity(3).secrets)]
    assert kinds.count("secret") >= 4


def test_the_library_alone_forgets_the_name_inside_a_kept_sequence(planted):
    # Why deidentify goes into sequences itself. If this fails, the library does it now.
    dataset = copy.deepcopy(planted)
    profile.anonymize_dataset(dataset)
    alone = {f.place for f in find_identifiers(dataset, secrets=fake_identity(3).secrets)}
    ours = {f.place for f in find_identifiers(deidentify(planted), secrets=fake_identity(3).secrets)}
    assert not any("Sequence" in place for place in ours)
    nested = pydicom.Dataset()
    nested.PatientName = "Nobody^Nell"
    outer = pydicom.Dataset()
    outer.DerivationCodeSequence = [nested]
    profile.anonymize_dataset(outer)
    assert "Nobody" in str(outer) and ours <= alone


def test_names_are_removed_at_any_depth():
    dataset = pydicom.Dataset()
    dataset.PatientName = "Nobody^Nell"
    for keyword in ("DerivationCodeSequence", "PurposeOfReferenceCodeSequence", "ViewCodeSequence"):
        outer = pydicom.Dataset()
        setattr(outer, keyword, [dataset])
        outer.private_block(0x0013, "FAKE", create=True).add_new(1, "LO", "nell")
        dataset = outer
    assert "nell" not in str(deidentify(dataset)).lower()


def test_a_sequence_that_the_profile_replaces_is_emptied():
    # PS3.15, Table E.1-1: Content Sequence is D. Its items may say anything, also in tags that are not listed.
    item = pydicom.Dataset()
    item.CodeMeaning = "Nobody, Nell"
    dataset = pydicom.Dataset()
    dataset.ContentSequence = [item]
    assert len(deidentify(dataset).ContentSequence) == 0


def test_uids_are_replaced_consistently(slices):
    first, second = (deidentify(plant_identifiers(s), key="a secret") for s in slices[:2])
    again, other = deidentify(slices[0], key="a secret"), deidentify(slices[0], key="another")
    assert first.SeriesInstanceUID == second.SeriesInstanceUID != slices[0].SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SOPInstanceUID == first.file_meta.MediaStorageSOPInstanceUID == again.SOPInstanceUID
    assert first.SourceImageSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert again.SOPInstanceUID != other.SOPInstanceUID
    assert first.SOPClassUID == slices[0].SOPClassUID
    assert all(len(uid) <= 64 and pydicom.uid.UID(uid).is_valid for uid in (first.SOPInstanceUID, other.SOPInstanceUID))


def test_uids_without_a_key_hold_together_in_one_session(slices):
    assert deidentify(slices[0]).SeriesInstanceUID == deidentify(slices[1]).SeriesInstanceUID


def test_lists_of_uids_are_replaced_one_by_one():
    dataset = pydicom.Dataset()
    dataset.IrradiationEventUID = ["1.2.3", "1.2.4"]
    clean = deidentify(dataset, key="k")
    assert len(set(clean.IrradiationEventUID) | {"1.2.3", "1.2.4"}) == 4


def test_an_empty_key_is_refused(slices):
    with pytest.raises(ValueError, match="key is empty"):
        deidentify(slices[0], key="")


def test_dates_are_replaced_and_the_note_is_left(planted):
    clean = deidentify(planted, blank=[(0, 0, 12, 64)])
    assert (clean.StudyDate, clean.PatientBirthDate) == ("00010101", "00010101")
    assert clean.PatientIdentityRemoved == "YES"
    codes = [item.CodeValue for item in clean.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113101"]  # PS3.16 CID 7050: basic profile, clean pixel data
    assert [item.CodeValue for item in deidentify(planted).DeidentificationMethodCodeSequence] == ["113100"]


def test_preamble_and_file_header_are_cleaned(planted, tmp_path):
    planted.preamble = b"Nell Nobody was here".ljust(128, b"\0")
    planted.file_meta.SourceApplicationEntityTitle = "NELLS_PC"
    found = find_identifiers(planted, secrets=["Nell"])
    assert {"preamble", "secret"} <= {finding.kind for finding in found}
    assert "file_meta.SourceApplicationEntityTitle" in {finding.place for finding in found}
    deidentify(planted, blank=find_burned_in_text(planted.pixel_array)).save_as(tmp_path / "clean.dcm")
    data = (tmp_path / "clean.dcm").read_bytes()
    assert not any(secret.encode() in data for secret in ("Nell", "NELLS", *fake_identity(3).secrets))


def test_a_cleaned_series_is_still_one_volume(slices, tmp_path):
    for index, dataset in enumerate(slices):
        deidentify(plant_identifiers(dataset), key="k").save_as(tmp_path / f"{index}.dcm")
    assert read_dicom_series(tmp_path).GetSize() == (128, 128, 3)


def test_secrets_in_bytes_and_lists_are_found():
    dataset = pydicom.Dataset()
    dataset.private_block(0x0011, "FAKE", create=True).add_new(1, "UN", b"\x01\x02N\xe9ll\x00")
    dataset.ImageType = ["DERIVED", "NELL"]
    places = [finding.place for finding in find_identifiers(dataset, secrets=["Nell", "Néll"])]
    kinds = [finding.kind for finding in find_identifiers(dataset, secrets=["Nell", "Néll"])]
    assert places == ["ImageType", "(0011,0010)", "(0011,1001)"]
    assert kinds == ["secret", "private", "secret"]


def test_burned_in_annotation_yes_is_reported():
    dataset = pydicom.Dataset()
    dataset.BurnedInAnnotation = "YES"
    assert [str(finding) for finding in find_identifiers(dataset)] == ["pixels   BurnedInAnnotation: YES"]


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "J2K_pixelrep_mismatch.dcm", "waveform_ecg.dcm"])
def test_real_files_come_out_clean_and_can_be_written(name, tmp_path):
    dataset = pydicom.dcmread(get_testdata_file(name))
    assert find_identifiers(dataset)
    clean = deidentify(dataset)
    assert find_identifiers(clean) == []
    clean.save_as(tmp_path / "clean.dcm")
    assert pydicom.dcmread(tmp_path / "clean.dcm").PatientIdentityRemoved == "YES"


def test_pixels_that_cannot_be_decoded_are_reported():
    dataset = pydicom.dcmread(get_testdata_file("MR_truncated.dcm"))
    assert any("cannot be looked at" in finding.value for finding in find_identifiers(dataset))


# --- text in the pixels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "J2K_pixelrep_mismatch.dcm"])
def test_no_text_is_seen_where_there_is_none(name):
    dataset = pydicom.dcmread(get_testdata_file(name))
    assert [f for f in find_identifiers(dataset) if f.kind == "pixels"] == []


def test_text_of_a_real_ultrasound_is_seen():
    # The picture has the name of a hospital and a time in its first rows.
    dataset = pydicom.dcmread(get_testdata_file("examples_rgb_color.dcm"))
    boxes = find_burned_in_text(dataset.pixel_array.max(axis=-1))
    assert any(row < 40 and width > 25 for row, _, _, width in boxes)


def letters(*places):
    """A dark picture with bright blocks of (row, column, height, width)."""
    picture = np.zeros((120, 400))
    for row, column, height, width in places:
        picture[row : row + height, column : column + width] = 255
    return picture


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(20, 10 + 9 * k, 8, 5) for k in range(6)], [(20, 10, 8, 50)]),  # six letters, the last from 55 to 60
        ([(20, 10 + 9 * k, 8, 5) for k in range(4)], []),  # too few
        ([(20, 10 + 30 * k, 8, 5) for k in range(6)], []),  # 25 pixels apart, at a height of 8
        ([(10 + 9 * k, 10 + 9 * k, 8, 5) for k in range(6)], []),  # a staircase
        ([(60 - h, 10 + 9 * k, h, 5) for k, h in enumerate([8, 24, 8, 24, 8, 24])], []),  # high beside low
        ([(20, 10 + 9 * k, 3, 5) for k in range(6)], []),  # lower than a letter
        ([(20, 10 + 9 * k, 8, 5) for k in range(6)] + [(70, 10 + 9 * k, 8, 5) for k in range(6)],
         [(20, 10, 8, 50), (70, 10, 8, 50)]),
    ],
)  # fmt: skip
def test_text_is_letters_in_a_row(places, expected):
    assert find_burned_in_text(letters(*places)) == expected


def test_planted_text_is_inside_the_rectangle(slices, planted):
    changed = np.argwhere(planted.pixel_array != slices[0].pixel_array)
    ((row, column, height, width),) = find_burned_in_text(planted.pixel_array)
    assert (changed.min(axis=0) >= [row, column]).all()
    assert (changed.max(axis=0) < [row + height, column + width]).all()


def test_find_burned_in_text_refuses_a_stack():
    with pytest.raises(ValueError, match="must be 2-D"):
        find_burned_in_text(np.zeros((3, 4, 5)))


def test_blanking_touches_the_rectangle_only(slices):
    dataset = copy.deepcopy(slices[0])
    blank_rectangles(dataset, [(2, 3, 4, 5)])
    expected = slices[0].pixel_array.copy()
    expected[2:6, 3:8] = expected.min()
    np.testing.assert_array_equal(dataset.pixel_array, expected)


@pytest.mark.parametrize(
    "name", ["MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm"]
)
def test_blanking_of_other_transfer_syntaxes(name, tmp_path):
    dataset = pydicom.dcmread(get_testdata_file(name))
    blank_rectangles(dataset, [(10, 20, 5, 7)])
    dataset.save_as(tmp_path / "blank.dcm")
    expected = pydicom.dcmread(get_testdata_file("MR_small.dcm")).pixel_array.copy()
    expected[10:15, 20:27] = expected.min()
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "blank.dcm").pixel_array, expected)


def test_blanking_of_colour():
    dataset = pydicom.dcmread(get_testdata_file("examples_rgb_color.dcm"))
    before = dataset.pixel_array.copy()
    blank_rectangles(dataset, [(0, 0, 40, 320)])
    assert dataset.pixel_array[:40].max() == before.min()
    np.testing.assert_array_equal(dataset.pixel_array[40:], before[40:])


@pytest.mark.parametrize(
    ("name", "rectangle", "message"),
    [
        ("MR_small.dcm", (60, 0, 10, 5), "is not inside the picture of 64 x 64"),
        ("MR_small.dcm", (-1, 0, 5, 5), "is not inside the picture"),
        ("rtplan.dcm", (0, 0, 1, 1), "has no pixel data"),
        ("SC_rgb_rle.dcm", (0, 0, 1, 1), r"3 values per pixel and 1 frames; decompress it first"),
        ("SC_ybr_full_422_uncompressed.dcm", (0, 0, 1, 1), "convert to RGB first"),
    ],
)
def test_blanking_refuses(name, rectangle, message):
    with pytest.raises(ValueError, match=message):
        blank_rectangles(pydicom.dcmread(get_testdata_file(name)), [rectangle])


@pytest.mark.parametrize(
    ("name", "message"), [("examples_rgb_color.dcm", "one value per pixel"), ("rtdose_1frame.dcm", "16 x 64 or larger")]
)
def test_planting_refuses(name, message):
    with pytest.raises(ValueError, match=message):
        plant_identifiers(pydicom.dcmread(get_testdata_file(name)))


# --- what neither the library nor a first look finds --------------------------------------------------------------


def test_person_names_that_the_profile_does_not_list_are_removed():
    # Evaluator Name (0014,2006) is a person's name, and not in Table E.1-1.
    dataset = pydicom.Dataset()
    dataset.EvaluatorName = "Nobody^Nell"
    assert [finding.place for finding in find_identifiers(dataset)] == ["EvaluatorName"]
    clean = deidentify(dataset)
    assert clean.EvaluatorName == "" and find_identifiers(clean) == []


def test_curves_and_overlays_are_found_and_removed_at_any_depth():
    item = pydicom.Dataset()
    item.add_new(0x60023000, "OW", b"\1\2")  # overlay data: a picture over the picture
    dataset = pydicom.Dataset()
    dataset.SourceImageSequence = [item]
    dataset.add_new(0x50100022, "LO", "Nell's curve")
    dataset.add_new(0x60004000, "LT", "Nell's overlay")
    places = [finding.place for finding in find_identifiers(dataset)]
    assert places == ["SourceImageSequence[0].(6002,3000)", "(5010,0022)", "(6000,4000)"]
    assert find_identifiers(deidentify(dataset)) == []


def test_references_to_instances_that_the_profile_does_not_list_follow_the_new_uids():
    dataset = pydicom.Dataset()
    dataset.SOPInstanceUID = dataset.MultiFrameSourceSOPInstanceUID = "1.2.3.4"
    dataset.SOPInstanceUIDOfConcatenationSource = "1.2.3.4"
    dataset.FrameOfReferenceUID = dataset.VolumeFrameOfReferenceUID = "1.2.3.5"
    dataset.SOPClassUID, dataset.CodingSchemeUID = pydicom.uid.CTImageStorage, "2.16.840.1.113883.6.96"
    clean = deidentify(dataset, key="k")
    assert clean.SOPInstanceUID not in ("", "1.2.3.4")
    assert clean.MultiFrameSourceSOPInstanceUID == clean.SOPInstanceUIDOfConcatenationSource == clean.SOPInstanceUID
    assert clean.VolumeFrameOfReferenceUID == clean.FrameOfReferenceUID != "1.2.3.5"
    assert (clean.SOPClassUID, clean.CodingSchemeUID) == (dataset.SOPClassUID, dataset.CodingSchemeUID)


def test_uids_that_the_standard_defines_stay():
    # 1.2.840.10008.1.4.1.1 is the Talairach brain atlas, for everybody.
    dataset = pydicom.Dataset()
    dataset.FrameOfReferenceUID = "1.2.840.10008.1.4.1.1"
    assert deidentify(dataset).FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"


def test_secrets_may_be_names_and_numbers_but_not_one_text():
    dataset = pydicom.Dataset()
    dataset.PatientName, dataset.ContrastBolusAgent = "Nobody^Nell", "none, see 4711"
    kinds = [finding.kind for finding in find_identifiers(dataset, secrets=[dataset.PatientName, 4711])]
    assert kinds == ["secret", "secret"]
    with pytest.raises(ValueError, match=r"secrets must be a list, got the text 'Nell'"):
        find_identifiers(dataset, secrets="Nell")


def test_secrets_in_utf_8_bytes_are_found():
    dataset = pydicom.Dataset()
    dataset.add_new(0x00189998, "UN", "Néll".encode())
    dataset.add_new(0x00189999, "UN", "Néll".encode("latin-1"))
    assert [finding.kind for finding in find_identifiers(dataset, secrets=["NÉLL"])] == ["secret", "secret"]


def test_several_frames_are_said_not_to_be_looked_at():
    dataset = pydicom.dcmread(get_testdata_file("examples_ybr_color.dcm"))
    pixels = [finding for finding in find_identifiers(dataset) if finding.kind == "pixels"]
    assert [finding.value for finding in pixels] == ["30 frames, not looked at: look yourself"]
