"""The simulated chest CT: anatomy on the right sides, tissues, nodules, geometry, and that one seed is one patient."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from scipy import ndimage

from medlearn import data
from medlearn.data import chest_placing
from medlearn.data.chest_ct import centred_grid, draw_equipment
from medlearn.data.chest_organs import HILA
from medlearn.data.chest_patient import Patient
from medlearn.data.chest_render import TISSUE_HU, render
from medlearn.data.ct_scanner import Scanner

QUIET = Scanner("soft", 1000)


@pytest.fixture(scope="module")
def scan():
    return data.simulate_patient(2, num_pixels=128, spacing_mm=2.8, num_slices=None, slice_spacing_mm=4, num_nodules=6,
                                 scanner=QUIET, contrast=False)  # fmt: skip


def at(scan, point_mm):
    """HU at a point."""
    return scan.image[scan.image.TransformPhysicalPointToIndex([float(p) for p in point_mm])]


def index_of(scan, point_mm):
    return scan.image.TransformPhysicalPointToIndex([float(p) for p in point_mm])[::-1]  # (z, y, x)


# --- anatomy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_heart_is_on_the_left_and_the_liver_on_the_right(seed):
    # LPS: the patient's left has high x. At the height of the ventricles more of the mediastinum is left of the middle;
    # under the right dome there is the liver, so the right lung ends higher in front.
    patient = Patient(seed)
    middle = patient.from_reference([[0, 0, -90]])[0]
    grid = centred_grid((0.0, 0.0, middle[2]), (128, 128, 1), 2.8, 4.0, 4.0)
    found = render(patient, grid)
    soft = (found.image_hu[0] > 0) & (found.lung[0] < 0.5)
    columns = grid.axis_mm(0)
    chest = (np.abs(columns - middle[0]) < 85)[None, :] & (np.abs(grid.axis_mm(1)) < 55)[:, None]
    weight = (soft & chest).sum(axis=0)
    assert (weight * (columns - middle[0])).sum() / weight.sum() > 5
    _, liver, spleen = patient.from_reference([[0, 0, 0], [-62, -20, -128], [70, -20, -150]])
    assert patient.look_up("liver", liver[None])[0] < 0 < patient.look_up("liver", spleen[None])[0]


@pytest.mark.parametrize("seed", range(4))
def test_there_are_two_lungs_of_human_volume(seed):
    # Total lung capacity of adults: about 3.5 to 8 litres; the right lung is the larger one.
    patient = Patient(seed)
    grid = centred_grid((0.0, 0.0, -45.0), (96, 96, 64), 4.0, 5.0, 5.0)
    lung = render(patient, grid).lung
    regions, count = ndimage.label(lung > 0.5)
    sizes = np.sort(np.bincount(regions.ravel())[1:])[::-1] * 80e-6
    assert count >= 2 and sizes[1] > 0.3 * sizes[0] and 2.5 < sizes[:2].sum() < 8.5
    z, y, x = np.nonzero(lung > 0.5)
    side = patient.side(np.column_stack([grid.axis_mm(k)[i] for k, i in enumerate((x, y, z))]))
    assert (side == "right").sum() > (side == "left").sum()


def test_the_trachea_is_air_before_the_spine_and_divides_at_zero(scan):
    # From 60 mm above to the carina: one tube; the gap to the main bronchi opens below.
    patient = Patient(2)
    trachea = patient.from_reference([[-2, 16, 50], [-3, 20, 20]])
    spine = patient.from_reference([[0, 44, 50], [0, 51, 20]])
    for point, bone in zip(trachea, spine, strict=True):
        assert at(scan, point) < -900 and at(scan, bone) > 60 and bone[1] > point[1]
    right, left = patient.from_reference([[-30, 24.5, -28], [30, 29.5, -24]])
    assert at(scan, right) < -800 and at(scan, left) < -800


def test_tissues_have_their_hu(scan):
    # Without noise, away from borders: blood 42, liver 58 (Schneider 1996 gives fat -105, muscle 40 to 60).
    patient = Patient(2)
    aorta, heart, liver = patient.from_reference([[-18, -32, 0], [20, -40, -90], [-62, -20, -150]])
    assert at(scan, aorta) == pytest.approx(TISSUE_HU["blood"], abs=4)
    assert at(scan, heart) == pytest.approx(TISSUE_HU["myocardium"], abs=4)
    assert at(scan, liver) == pytest.approx(TISSUE_HU["liver"], abs=4)
    array, lungs = scan.array, sitk.GetArrayFromImage(scan.lung_mask) == 1
    body = ndimage.binary_fill_holes(array[30] > -300)
    outer = body & ~ndimage.binary_erosion(body, iterations=5) & ndimage.binary_erosion(body, iterations=2)
    assert np.median(array[30][outer]) == pytest.approx(TISSUE_HU["fat"], abs=15)
    # Fully inflated lungs: -880 to -820 HU; more than 500 HU is bone, and there is some.
    inner = ndimage.binary_erosion(lungs, iterations=2)
    assert -885 < np.median(array[inner]) < -815
    assert 0.005 < (array > 500).sum() / (array > -300).sum() < 0.08


def test_the_back_of_the_lung_is_denser_than_the_front():
    # Gravity: 0.1 to 0.6 HU per mm in a patient on the back.
    for seed in range(3):
        patient = Patient(seed)
        grid = centred_grid((-75.0, 0.0, -60.0), (10, 90, 5), 2.0, 4.0, 4.0)
        found = render(patient, grid)
        empty = (found.lung > 0.99) & (found.image_hu < -700) & (found.image_hu > -930)
        rows = np.nonzero(empty)[1]
        slope = np.polyfit(grid.axis_mm(1)[rows], found.image_hu[empty], 1)[0]
        assert 0.05 < slope < 0.7


def test_vessels_taper_from_the_hilum_and_stay_in_the_lungs():
    patient = Patient(1)
    vessels, arteries = patient.vessels
    assert len(arteries) < len(vessels)
    roots = patient.from_reference(np.array([place for place, _ in HILA.values()]))
    distance = np.linalg.norm(vessels.start_mm[:, None] - roots, axis=2).min(axis=1)
    near, far = vessels.radius_mm[distance < 15].mean(), vessels.radius_mm[distance > 80].mean()
    assert near > 2 * far and vessels.start_radius_mm.max() < 9
    ends = vessels.end_mm[vessels.radius_mm < 0.45]
    assert (patient.look_up("lung", ends) < 0).mean() > 0.97


def test_from_reference_undoes_to_reference():
    points = np.random.default_rng(0).uniform(-100, 100, (50, 3))
    patient = Patient(5)
    back = np.column_stack(patient.to_reference(*patient.from_reference(points).T))
    np.testing.assert_allclose(back, points, atol=0.1)


# --- nodules ---------------------------------------------------------------------------------------------------------


def test_masks_of_free_nodules_have_the_volume_of_their_ball():
    checked = 0
    for seed in range(20, 50):
        for number, nodule in enumerate(Patient(seed, num_nodules=3).nodules, start=1):
            if nodule.attachment == "free" and nodule.diameter_mm > 6 and nodule.margin_mm < 0.5:
                grid = centred_grid(nodule.centre_mm, (60, 60, 60), 0.8, 0.8, 0.8)
                mask = render(Patient(seed, num_nodules=3), grid).nodule
                volume = (mask == number).sum() * 0.8**3
                assert volume == pytest.approx(4 / 3 * np.pi * (nodule.diameter_mm / 2) ** 3, rel=0.1)
                checked += 1
    assert checked >= 3


def test_nodules_are_where_the_table_says(scan):
    labels = sitk.GetArrayFromImage(scan.nodule_labels)
    lungs = sitk.GetArrayFromImage(scan.lung_mask)
    assert len(scan.nodules) == 6 and set(np.unique(labels)) <= set(range(7))
    for number, nodule in enumerate(scan.nodules, start=1):
        if nodule.diameter_mm > 8:
            middle = np.array(ndimage.center_of_mass(labels == number))
            offset_mm = (middle - index_of(scan, nodule.centre_mm)) * [4, 2.8, 2.8]
            assert np.linalg.norm(offset_mm) < 0.5 * nodule.diameter_mm
            assert labels[index_of(scan, nodule.centre_mm)] == number
        assert sitk.GetArrayFromImage(scan.nodule_mask(number - 1)).sum() == (labels == number).sum()
    assert lungs[labels > 0].all()  # those that lean against the wall too
    diameters = [nodule.diameter_mm for nodule in scan.nodules]
    assert diameters == sorted(diameters, reverse=True)


@pytest.fixture(scope="module")
def many():
    return [(patient, nodule) for seed in range(40) for patient in [Patient(seed, 4)] for nodule in patient.nodules]


def test_nodules_have_the_sizes_types_and_ratings_of_the_readers(many):
    from medlearn.data.chest_nodules import lidc_table

    table = lidc_table()
    seen = (table["readers"] >= 2) & (table["diameter_mm"] <= 30)
    expected = np.percentile(np.clip(table["diameter_mm"][seen], 3, 30), [25, 50, 75])
    nodules = [nodule for _, nodule in many]
    np.testing.assert_allclose(np.percentile([n.diameter_mm for n in nodules], [25, 50, 75]), expected, rtol=0.25)
    assert min(n.diameter_mm for n in nodules) >= 3 and max(n.diameter_mm for n in nodules) <= 30
    assert {n.type for n in nodules} == {"solid", "part-solid", "ground-glass"}
    assert {n.attachment for n in nodules} == {"free", "pleura", "vessel", "fissure"}
    assert np.mean([n.spiculation for n in nodules]) == pytest.approx(table["ratings"][seen, 5].mean(), abs=0.25)


def test_nodules_lie_in_the_lungs_as_they_are_attached(many):
    for patient, nodule in many:
        depth = -patient.look_up("lung", np.array([nodule.centre_mm]))[0]
        assert depth > -1
        if nodule.attachment == "free":
            assert depth > nodule.diameter_mm / 2
        assert nodule.side == patient.side(np.array([nodule.centre_mm]))[0]


def test_a_nodule_that_fits_nowhere_is_named_by_where_it_is_put(monkeypatch):
    # It goes where there is most room: 4 mm are free there, a ball wider than the lungs touches the pleura.
    monkeypatch.setattr(chest_placing, "_fits", lambda *_: False)
    patient = Patient(0)
    for diameter_mm, expected in ((4.0, "free"), (400.0, "pleura")):
        assert chest_placing._find_place(patient, diameter_mm, [], patient.rng("test"))[1] == expected


def test_risk_is_that_of_the_brock_model(many):
    for patient, nodule in many:
        expected = data.brock_probability(
            nodule.longest_mm, age=patient.age, female=patient.female, nodule_type=nodule.type,
            upper_lobe=nodule.upper_lobe, spiculated=nodule.spiculation >= 3, nodule_count=4,
            emphysema=patient.emphysema, family_history=patient.family_history,
        )  # fmt: skip
        assert nodule.malignancy_probability == (0.0 if nodule.calcified else pytest.approx(expected))
    risk = np.array([nodule.malignancy_probability for _, nodule in many])
    labels = np.array([nodule.malignant for _, nodule in many])
    # Drawn labels: their number is that of the risks, within three standard deviations.
    assert abs(labels.sum() - risk.sum()) < 3 * np.sqrt((risk * (1 - risk)).sum())


def test_hu_in_the_middle_of_solid_nodules(many):
    for patient, nodule in [pair for pair in many if pair[1].diameter_mm > 9][:12]:
        grid = centred_grid(nodule.centre_mm, (3, 3, 3), 1.0, 1.0, 1.0)
        value = np.median(render(patient, grid).image_hu)
        low, high = (100, 800) if nodule.calcified else (-60, 130) if nodule.type == "solid" else (-850, 130)
        assert low < value < high


# --- the grid, the seed, the files -----------------------------------------------------------------------------------


def test_geometry_is_that_of_the_options():
    scan = data.simulate_patient(0, num_pixels=48, spacing_mm=6, num_slices=7, slice_spacing_mm=5, middle_mm=-50)
    assert scan.image.GetSize() == (48, 48, 7) and scan.image.GetSpacing() == (6.0, 6.0, 5.0)
    assert scan.image.GetDirection() == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    # 48 pixels of 6 mm around 0: the first centre is at -47 / 2 * 6 = -141; 7 slices of 5 mm around -50: first at -65.
    assert scan.image.GetOrigin() == (-141.0, -141.0, -65.0)
    assert scan.image.GetPixelID() == sitk.sitkInt16
    for other in (scan.lung_mask, scan.nodule_labels):
        assert other.GetSize() == scan.image.GetSize() and other.GetOrigin() == scan.image.GetOrigin()


def test_same_seed_same_anatomy_at_any_resolution():
    # Pixel means of a fine grid are the coarse grid, but for the borders of thin tubes: 1.5 and 3 mm.
    patient = Patient(3)
    fine = render(patient, centred_grid((-60.0, 0.0, -40.0), (96, 96, 4), 1.5, 2.0, 2.0)).image_hu
    coarse = render(patient, centred_grid((-60.0, 0.0, -40.0), (48, 48, 2), 3.0, 4.0, 4.0)).image_hu
    means = fine.reshape(2, 2, 48, 2, 48, 2).mean(axis=(1, 3, 5))
    assert np.abs(means - coarse).mean() < 25 and np.corrcoef(means.ravel(), coarse.ravel())[0, 1] > 0.99
    small = data.simulate_patient(3, num_pixels=32, spacing_mm=12, num_slices=None, slice_spacing_mm=20)
    large = data.simulate_patient(3, num_pixels=64, spacing_mm=6, num_slices=None, slice_spacing_mm=10)
    assert [n.centre_mm for n in small.nodules] == [n.centre_mm for n in large.nodules]
    assert small.person == large.person and small.scanner == large.scanner


def test_same_call_same_scan_and_another_seed_another_patient():
    options = {"num_pixels": 40, "spacing_mm": 8, "num_slices": 4, "slice_spacing_mm": 8}
    one, again, other = (data.simulate_patient(s, **options) for s in (7, 7, 8))
    np.testing.assert_array_equal(one.array, again.array)
    assert one.nodules == again.nodules and one.patient == "SIM-CHEST-7" and other.patient == "SIM-CHEST-8"
    assert (one.array != other.array).mean() > 0.3


def test_thicker_slices_average_thin_ones():
    patient = Patient(4)
    thin = render(patient, centred_grid((60.0, 0.0, -40.0), (64, 64, 4), 1.5, 1.0, 1.0)).image_hu
    thick = render(patient, centred_grid((60.0, 0.0, -40.0), (64, 64, 1), 1.5, 4.0, 4.0)).image_hu
    difference = np.abs(thin.mean(axis=0) - thick[0])
    assert difference.mean() < 15 and np.corrcoef(thin.mean(axis=0).ravel(), thick[0].ravel())[0, 1] > 0.99


def test_contrast_medium_is_in_the_blood_alone():
    options = {"num_pixels": 96, "spacing_mm": 4, "num_slices": 1, "slice_spacing_mm": 4, "middle_mm": 0}
    without, with_medium = (data.simulate_patient(2, contrast=c, scanner=QUIET, **options) for c in (False, True))
    aorta = Patient(2).from_reference([[-18, -32, 0]])[0]
    assert at(with_medium, [*aorta[:2], 0]) - at(without, [*aorta[:2], 0]) > 60
    far = [0, 105 * Patient(2).scale[1], 0]  # muscles of the back
    assert abs(at(with_medium, far) - at(without, far)) < 6


def test_noise_is_that_of_the_scanner():
    options = {"num_pixels": 64, "spacing_mm": 5, "num_slices": 6, "slice_spacing_mm": 2.5, "contrast": False}
    loud, quiet = (data.simulate_patient(1, scanner=Scanner("soft", d), **options).array for d in (2, 1000))
    softer = data.simulate_patient(1, scanner=Scanner("soft", 8), **options).array
    assert (loud - quiet)[:, 20:44, 20:44].std() / (softer - quiet)[:, 20:44, 20:44].std() == pytest.approx(2, rel=0.15)


def test_dicom_files_come_back_as_the_same_scan(tmp_path):
    scan = data.simulate_patient(9, num_pixels=32, spacing_mm=12, num_slices=5, slice_spacing_mm=10)
    paths = scan.write_dicom(tmp_path / "series")
    image = data.read_dicom_series(tmp_path / "series")
    assert len(paths) == 5
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), scan.array)
    assert image.GetSpacing() == scan.image.GetSpacing() and image.GetOrigin() == pytest.approx(scan.image.GetOrigin())
    assert image.GetMetaData("0010|0020") == "SIM-CHEST-9"


def test_dicom_tells_the_thickness_of_slices_that_overlap_from_their_distance(tmp_path):
    scan = data.simulate_patient(9, num_pixels=24, spacing_mm=16, num_slices=3, slice_spacing_mm=2.5,
                                 slice_thickness_mm=4.0)  # fmt: skip
    header = pydicom.dcmread(scan.write_dicom(tmp_path / "series")[0])
    assert (scan.slice_thickness_mm, header.SliceThickness, header.SpacingBetweenSlices) == (4.0, 4.0, 2.5)


def test_contrast_medium_is_as_frequent_as_in_lidc():
    patients = [Patient(seed) for seed in range(300)]
    share = np.mean([draw_equipment(patient)[1] for patient in patients])
    # LIDC: 312 of 1018 scans; three standard errors of 300 draws are 3 * sqrt(0.306 * 0.694 / 300) = 0.08
    assert abs(share - 312 / 1018) < 0.08


def test_scans_stream_and_each_seed_has_its_own_patients():
    options = {"num_pixels": 24, "spacing_mm": 16, "num_slices": 2, "slice_spacing_mm": 20}
    scans = data.load_nodule_scans(3, seed=1, **options)
    assert iter(scans) is scans  # a generator: one scan at a time
    assert [scan.patient for scan in scans] == ["SIM-CHEST-10000", "SIM-CHEST-10001", "SIM-CHEST-10002"]


def test_the_card_says_that_it_is_simulated_and_whose_nodules_these_are(scan):
    assert scan.card.synthetic and "SIMULATED" in str(scan.card) and "10.1118/1.3528204" in str(scan.card)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be a whole number, 0 to .*, got -1"),
        ({"seed": 1.5}, "seed must be a whole number, .* got 1.5"),
        ({"num_pixels": 4}, "num_pixels must be a whole number, 8 to 1024, got 4"),
        ({"num_slices": 0}, "num_slices must be a whole number, 1 to 2000, got 0"),
        ({"num_nodules": 99}, "num_nodules must be a whole number, 0 to 50, got 99"),
        ({"num_nodules": True}, "num_nodules must be a whole number"),
        ({"spacing_mm": 0}, "spacing_mm must be 0.3 to 20, got 0"),
        ({"slice_spacing_mm": np.nan}, "slice_spacing_mm must be 0.3 to 20, got nan"),
        ({"slice_thickness_mm": 50}, "slice_thickness_mm must be 0.3 to 20, got 50"),
        ({"middle_mm": 900}, "middle_mm must be -300 to 200, got 900"),
        ({"spacing_mm": "0.7"}, "spacing_mm must be 0.3 to 20, got '0.7'"),
        ({"slice_spacing_mm": None}, "slice_spacing_mm must be 0.3 to 20, got None"),
        ({"scanner": "soft"}, r"scanner must be a Scanner, such as Scanner\('soft', 2.0\), or None, got 'soft'"),
        ({"contrast": "yes"}, "contrast must be True or False, got 'yes'"),
        ({"num_pixels": 1024, "num_slices": 2000}, "2000 slices of 1024 x 1024 pixels are more than 150000000 voxels"),
    ],
)
def test_simulate_patient_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        data.simulate_patient(**options)


def test_load_nodule_scans_refuses_at_once_not_at_the_first_scan():
    with pytest.raises(ValueError, match="num_patients must be a whole number, 1 to 10000, got 0"):
        data.load_nodule_scans(0)
    with pytest.raises(ValueError, match="num_pixels must be a whole number, 8 to 1024, got 3"):
        data.load_nodule_scans(2, num_pixels=3)
    with pytest.raises(ValueError, match="num_nodules must be a whole number, 0 to 50, got -1"):
        data.load_nodule_scans(2, num_nodules=-1)


def test_small_whole_numbers_of_numpy_do_not_overflow():
    options = {"num_pixels": np.uint8(255), "spacing_mm": np.float32(1.5), "num_slices": np.uint8(1)}
    scans = data.load_nodule_scans(np.uint8(1), seed=np.uint8(200), **options)
    assert [(scan.patient, scan.image.GetSize()) for scan in scans] == [("SIM-CHEST-2000000", (255, 255, 1))]


def test_listed_nodules_have_their_centre_in_a_voxel_however_thick_the_slices():
    # Slices of 20 mm every 0.3 mm see 10 mm further than the last voxel: what is only seen there is not listed.
    options = {"num_pixels": 64, "spacing_mm": 6, "num_nodules": 20, "slice_spacing_mm": 0.3, "num_slices": 40}
    scan = data.simulate_patient(4, slice_thickness_mm=20, **options)
    thin = data.simulate_patient(4, slice_thickness_mm=0.3, **options)
    assert [n.centre_mm for n in scan.nodules] == [n.centre_mm for n in thin.nodules] and scan.nodules
    for nodule in scan.nodules:
        assert all(0 <= k < n for k, n in zip(index_of(scan, nodule.centre_mm), (40, 64, 64), strict=True))


def test_nodule_mask_refuses_a_number_that_is_not_there(scan):
    for index in (6, -1, "first", 1.0):
        with pytest.raises(ValueError, match="index must be a whole number, 0 to 5, got"):
            scan.nodule_mask(index)
    none = data.simulate_patient(2, num_pixels=8, spacing_mm=20, num_slices=1, num_nodules=0)
    with pytest.raises(ValueError, match="got index 0, but SIM-CHEST-2 has no nodule in this scan"):
        none.nodule_mask(0)


def test_tissues_and_vessels_resemble_a_real_scan():
    if not data.available("lidc_idri_0314"):
        pytest.skip("lidc_idri_0314 is not in the cache")
    # The same voxels, the same rules for both: median and spread of the lungs, share of vessels in them, fat, muscle.
    real = data.load_lidc_scan().array
    found = [features(real)]
    for seed in (110, 111, 112):
        scan = data.simulate_patient(seed, num_pixels=170, spacing_mm=2.34375, num_slices=None, slice_spacing_mm=2.0,
                                     contrast=False)  # fmt: skip
        found.append(features(scan.array))
    found = np.array(found)
    lung, spread, vessels, fat, muscle = found[1:].mean(axis=0) - found[0]
    assert abs(lung) < 35 and abs(spread) < 25 and abs(fat) < 25 and abs(muscle) < 20
    assert abs(vessels) < 0.02  # of about 0.04


def features(array_hu):
    """Median and quartile distance of the lungs, share over -500 HU inside them, median of fat and of soft tissue."""
    regions, _ = ndimage.label(array_hu < -500)
    sides = (regions[:, 0], regions[:, -1], regions[:, :, 0], regions[:, :, -1])
    sizes = np.bincount(regions.ravel())
    sizes[np.unique(np.concatenate([[0], *(side.ravel() for side in sides)]))] = 0
    lungs = np.isin(regions, np.argsort(sizes)[-2:])
    inner = ndimage.binary_erosion(lungs, iterations=2)
    low, median, high = np.percentile(array_hu[inner], [25, 50, 75])
    filled = ndimage.binary_erosion(ndimage.binary_closing(lungs, iterations=3), iterations=4)
    fat, soft = (np.median(array_hu[(array_hu > a) & (array_hu < b)]) for a, b in ((-150, -50), (10, 100)))
    return median, high - low, (array_hu[filled] > -500).mean(), fat, soft
