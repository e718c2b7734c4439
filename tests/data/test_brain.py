"""Simulated brains: their anatomy, space, landmarks, lesion, and that one seed is one patient."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from medlearn.data.brain import between, simulate_brain
from medlearn.data.brain_anatomy import CENTRE_MM, Voxels, labels_of, sample_shares, template_shares
from medlearn.data.brain_landmarks import brain_landmarks
from medlearn.data.brain_lesion import Lesion, lesion_share, white_places
from medlearn.data.brain_pose import random_pose
from medlearn.data.brain_warp import apply
from medlearn.data.scans import load_brain_template

CLEAN = {"bias": 0, "noise": 0}


@pytest.fixture(scope="module")
def scan():
    return simulate_brain(0)


@pytest.fixture(scope="module")
def clean():
    return simulate_brain(0, **CLEAN)


@pytest.fixture(scope="module")
def unbent():
    return simulate_brain(0, max_displacement_mm=0, **CLEAN)


@pytest.fixture(scope="module")
def clean_ct():
    return simulate_brain(0, contrast="CT", **CLEAN)


@pytest.fixture(scope="module")
def three_with_lesions():
    """Three patients with a lesion of half a millilitre, of which the labels know nothing."""
    return [simulate_brain(seed, lesion=Lesion(5)) for seed in range(3)]


def correlation(one, other):
    return float(np.corrcoef(np.ravel(one), np.ravel(other))[0, 1])


def sampled(image, points_mm):
    """The values of an image at points, linearly; 0 outside."""
    index = (np.asarray(points_mm) - image.GetOrigin()) / image.GetSpacing()
    return ndimage.map_coordinates(sitk.GetArrayFromImage(image), index[..., ::-1].reshape(-1, 3).T, order=1)


def test_geometry_is_that_of_the_template(scan):
    assert scan.image.GetSize() == scan.labels.GetSize() == (99, 117, 95)
    assert scan.image.GetSpacing() == (2.0, 2.0, 2.0) and scan.image.GetOrigin() == (-98.0, -98.0, -72.0)
    assert scan.image.GetDirection() == tuple(np.eye(3).ravel())
    assert scan.image.GetPixelID() == sitk.sitkFloat32 and scan.labels.GetPixelID() == sitk.sitkUInt8
    fine, template = Voxels.over_the_template(1.0, 1.0), load_brain_template().t1
    assert fine.size == template.GetSize() == (197, 233, 189) and fine.origin_mm == template.GetOrigin()


def test_same_seed_same_bits(scan):
    again = simulate_brain(0)
    assert np.array_equal(again.array, scan.array) and np.array_equal(again.label_array, scan.label_array)
    np.testing.assert_array_equal(again.landmarks_mm, scan.landmarks_mm)
    point = (12.0, -30.0, 20.0)
    assert again.to_subject.TransformPoint(point) == scan.to_subject.TransformPoint(point)


def test_one_seed_is_one_anatomy_whatever_the_picture(scan, three_with_lesions):
    for options in ({"contrast": "CT"}, {"noise": 0.1, "bias": 0.5, "visit": 3}):
        other = simulate_brain(0, **options)
        assert np.array_equal(other.label_array, scan.label_array) and other.patient == scan.patient
        assert not np.array_equal(other.array, scan.array)
    other = three_with_lesions[1]
    assert (scan.patient, other.patient) == ("SIM-BRAIN-0", "SIM-BRAIN-1")
    assert np.mean(other.label_array != scan.label_array) > 0.03


def test_coarse_and_fine_voxels_show_one_brain(scan):
    coarse = simulate_brain(0, spacing_mm=5)
    for tissue in ("csf", "grey", "white"):
        assert coarse.volumes_ml[tissue] == pytest.approx(scan.volumes_ml[tissue], rel=0.005)
    np.testing.assert_allclose(coarse.landmarks_mm, scan.landmarks_mm)


def test_the_card_says_that_it_is_simulated(scan):
    assert scan.card.synthetic and "SIMULATED" in str(scan.card)


def test_labels_are_what_fills_most():
    # CSF, grey, white in six voxels; the rest is background. In the last two, none has more than the background.
    csf, grey, white = [0.6, 0.2, 0.1, 0.0, 0.3, 0.0], [0.3, 0.5, 0.3, 0.0, 0.3, 0.5], [0.1, 0.1, 0.5, 0.1, 0.0, 0.0]
    shares = np.array([csf, grey, white], np.float32)
    assert labels_of(shares.reshape(3, 1, 1, 6)).ravel().tolist() == [1, 2, 3, 0, 0, 0]


def test_a_voxel_is_the_mean_over_its_own_box():
    # A voxel of 2 mm over voxel i of the template has samples at i - 0.5 and i + 0.5 mm. Each is the mean of two
    # neighbours, so along each axis the template counts 1/4, 1/2, 1/4.
    voxels = Voxels((-10.0, 20.0, 10.0), (2.0, 2.0, 2.0), (12, 10, 8))
    found = sample_shares(voxels, sitk.Transform(3, sitk.sitkIdentity))
    white = template_shares()[2]
    x, y, z = white.TransformPhysicalPointToIndex(voxels.origin_mm)
    weights = np.einsum("i,j,k->ijk", *[[0.25, 0.5, 0.25]] * 3)
    expected = ndimage.convolve(sitk.GetArrayFromImage(white), weights)[z : z + 16 : 2, y : y + 20 : 2, x : x + 24 : 2]
    np.testing.assert_allclose(found[2], expected, atol=1e-5)
    assert np.ptp(expected) > 0.9


def test_a_voxel_of_a_subject_is_the_mean_of_where_its_samples_come_from(scan):
    voxels = Voxels((-20.0, 10.0, 20.0), (2.0, 2.0, 3.0), (5, 4, 3))
    found = sample_shares(voxels, scan.to_template)[1]
    grey = template_shares()[1]
    for k, j, i in ((0, 0, 0), (2, 3, 4), (1, 2, 0)):
        centre = np.array(voxels.origin_mm) + np.array([i, j, k]) * voxels.spacing_mm
        steps = [[-0.5, 0.5], [-0.5, 0.5], [-1.0, 0.0, 1.0]]
        samples = centre + np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
        assert sampled(grey, apply(scan.to_template, samples)).mean() == pytest.approx(found[k, j, i], abs=1e-4)


def test_shares_of_the_template_add_up_and_keep_the_largest():
    csf, grey, white = (sitk.GetArrayFromImage(image) for image in template_shares())
    total = csf + grey + white
    assert np.all((np.abs(total - 1) < 1e-4) | (total == 0))
    template = load_brain_template()
    low = template.t1.TransformPhysicalPointToIndex(template_shares()[0].GetOrigin())
    size = template_shares()[0].GetSize()
    box = tuple(slice(low[k], low[k] + size[k]) for k in (2, 1, 0))
    raw_grey, raw_white = (sitk.GetArrayFromImage(image)[box] for image in (template.grey, template.white))
    inside = total > 0
    assert np.mean((grey > white)[inside] == (raw_grey > raw_white)[inside]) > 0.999


def test_volumes_are_those_of_a_brain_of_the_template(three_with_lesions):
    # Measured over 12 seeds at 2 mm: grey 964 to 1,139, white 597 to 689, CSF 162 to 192 ml.
    volumes = [scan.volumes_ml for scan in three_with_lesions]
    for tissue, low, high in (("grey", 850, 1300), ("white", 500, 850), ("csf", 120, 260)):
        assert all(low < found[tissue] < high for found in volumes), tissue
    assert len({round(found["grey"]) for found in volumes}) == 3


def test_an_unbent_subject_is_the_template(unbent):
    for share, tissue in zip(template_shares(), ("csf", "grey", "white"), strict=True):
        expected = sitk.GetArrayFromImage(share).sum(dtype=float) / 1000  # voxels of 1 mm are microlitres
        assert unbent.volumes_ml[tissue] == pytest.approx(expected, rel=0.005)
    np.testing.assert_allclose(unbent.landmarks_mm, brain_landmarks()[1], atol=1e-6)
    t1 = sitk.GetArrayFromImage(load_brain_template(2).t1)  # blocks of 2 mm that begin half a millimetre higher
    inside = (unbent.label_array[:94, :116, :98] > 1) & (t1 > 0.05)
    assert correlation(unbent.array[:94, :116, :98][inside], t1[inside]) > 0.85


def test_brightness_is_that_of_the_tissues(clean, clean_ct):
    values = {
        s.contrast: [np.median(s.array[sitk.GetArrayFromImage(sitk.BinaryErode(s.labels == k, [1, 1, 1])) == 1])
                     for k in (1, 2, 3)]
        for s in (clean, simulate_brain(0, contrast="T2", **CLEAN), clean_ct)
    }  # fmt: skip
    assert values["T1"][2] > values["T1"][1] > values["T1"][0]
    assert values["T2"][0] > values["T2"][1] > values["T2"][2]
    assert values["CT"] == pytest.approx([8, 38, 29], abs=2.5)


def test_borders_hold_the_mean_of_what_meets_there(clean):
    bright = np.unique(clean.array.round(2))
    assert len(bright) > 5_000  # not three values: partial volume
    assert clean.array.min() == 0 and clean.array.max() == pytest.approx(100, abs=0.1)


def test_a_thick_slice_is_the_mean_of_thin_ones(clean):
    # 6 mm are three slices of 2 mm; the stacks begin at one height, -73 mm, so thick slice 7 is thin 21, 22 and 23.
    thick = simulate_brain(0, slice_thickness_mm=6, **CLEAN)
    assert thick.image.GetSize() == (99, 117, 32) and thick.image.GetSpacing() == (2, 2, 6)
    assert thick.image.GetOrigin()[2] == -70.0
    by_hand = clean.array[:93].reshape(31, 3, 117, 99).mean(axis=1)
    np.testing.assert_allclose(thick.array[:31], by_hand, atol=1e-3)
    np.testing.assert_allclose(thick.array[7], clean.array[21:24].mean(0), atol=1e-3)
    assert thick.volumes_ml == pytest.approx(clean.volumes_ml, rel=1e-3)


def test_bias_and_noise_are_as_large_as_asked(clean, clean_ct):
    biased, noisy = simulate_brain(0, bias=0.4, noise=0), simulate_brain(0, bias=0, noise=0.05)
    ratio = biased.array[clean.array > 20] / clean.array[clean.array > 20]
    assert 0.79 < ratio.min() < 1 < ratio.max() < 1.21 and np.ptp(ratio) > 0.2
    empty = noisy.array[clean.array == 0]
    assert empty.mean() == pytest.approx(5 * np.sqrt(np.pi / 2), rel=0.01)  # Rayleigh
    white = clean.array > 95
    assert (noisy.array - clean.array)[white].std() == pytest.approx(5, rel=0.05)
    ct = simulate_brain(0, contrast="CT", noise=0.04)
    assert (ct.array - clean_ct.array).std() == pytest.approx(4, rel=0.01)
    assert (ct.array - clean_ct.array).mean() == pytest.approx(0, abs=0.02)


def test_there_and_back_misses_by_no_more_than_it_says(scan):
    assert 0 < scan.inverse_error_mm < 0.35
    points = np.random.default_rng(0).uniform((-60, -60, -60), (60, 95, 70), (400, 3))
    missed = np.linalg.norm(apply(scan.to_template, apply(scan.to_subject, points)) - points, axis=1)
    assert missed.max() <= 1.2 * scan.inverse_error_mm and missed.mean() < 0.08


def test_landmarks_come_home_exactly(scan):
    names, points_mm = brain_landmarks()
    assert scan.landmark_names == names and scan.landmarks_mm.shape == points_mm.shape == (32, 3)
    np.testing.assert_allclose(apply(scan.to_template, scan.landmarks_mm), points_mm, atol=1e-3)
    assert np.linalg.norm(scan.landmarks_mm - points_mm, axis=1).mean() > 1.0


def test_landmarks_are_mirrored_pairs_on_the_sides_that_they_name():
    names, points_mm = brain_landmarks()
    places = dict(zip(names, points_mm, strict=True))
    for name, place in places.items():
        if name.startswith("left"):
            assert place[0] > 1  # LPS: x grows to the patient's left
            mirrored = places[name.replace("left", "right", 1)] * [-1, 1, 1]
            np.testing.assert_allclose(place, mirrored, atol=0.7)  # of readers, on a symmetric template
    # The genu is in front of the commissure, the splenium behind: y grows to the back.
    assert places["genu of the corpus callosum"][1] < places["anterior commissure"][1]
    assert places["anterior commissure"][1] < places["splenium of the corpus callosum"][1]


def test_the_image_around_a_landmark_looks_as_around_it_on_the_template(clean, unbent):
    # A cube of 14 mm around each landmark, not bent: alike where the landmark is, less so elsewhere.
    cube = np.stack(np.meshgrid(*[np.arange(-6.0, 7.0, 2.0)] * 3, indexing="ij"), -1)
    _, points_mm = brain_landmarks()

    def likeness(places):
        cubes = ((sampled(unbent.image, p + cube), sampled(clean.image, q + cube)) for p, q in pairs(places))
        return np.array([correlation(*both) for both in cubes])

    def pairs(places):
        return zip(points_mm, places, strict=True)

    there = likeness(clean.landmarks_mm)
    assert np.median(there) > 0.9 and there.min() > 0.5
    for direction in np.eye(3):
        assert np.median(there) > np.median(likeness(clean.landmarks_mm + 5 * direction)) + 0.1
    assert np.median(there) > np.median(likeness(points_mm))  # and better than where the template has it


def test_the_transform_brings_the_image_home(clean, unbent):
    # Resampled through to_subject, the subject looks like the unbent subject of the same seed.
    home = sitk.Resample(clean.image, unbent.image, clean.to_subject, sitk.sitkLinear, 0.0)
    brain = unbent.label_array > 0
    assert correlation(sitk.GetArrayFromImage(home)[brain], unbent.array[brain]) > 0.95
    assert correlation(clean.array[brain], unbent.array[brain]) < 0.8
    there = sitk.Resample(unbent.image, clean.image, clean.to_template, sitk.sitkLinear, 0.0)
    brain = clean.label_array > 0
    assert correlation(sitk.GetArrayFromImage(there)[brain], clean.array[brain]) > 0.95


def test_between_leads_from_subject_to_subject(clean):
    other = simulate_brain(1, pose="rigid", **CLEAN)
    there = apply(between(clean, other), clean.landmarks_mm)
    assert np.linalg.norm(there - other.landmarks_mm, axis=1).max() < 0.3
    home = apply(between(other, clean), there)
    assert np.linalg.norm(home - clean.landmarks_mm, axis=1).max() < 0.5
    seen = sitk.GetArrayFromImage(sitk.Resample(other.image, clean.image, between(clean, other)))
    brain = clean.label_array > 0
    assert correlation(seen[brain], clean.array[brain]) > 0.9
    assert correlation(other.array[brain], clean.array[brain]) < 0.7
    with pytest.raises(ValueError, match="between needs two BrainScans, of simulate_brain, got Image"):
        between(clean, other.image)


def test_a_given_pose_moves_everything_by_itself(scan):
    pose = sitk.TranslationTransform(3, (4.0, -6.0, 8.0))  # whole voxels of 2 mm
    moved = simulate_brain(0, pose=pose)
    np.testing.assert_allclose(moved.landmarks_mm - scan.landmarks_mm, [[4.0, -6.0, 8.0]] * 32, atol=1e-9)
    np.testing.assert_array_equal(moved.label_array[4:90, :100, 2:], scan.label_array[:86, 3:103, :-2])
    pose.SetOffset((0.0, 0.0, 0.0))  # the scan has its own copy
    before, after = (apply(each.to_subject, CENTRE_MM) for each in (scan, moved))
    np.testing.assert_allclose(after - before, [[4.0, -6.0, 8.0]], atol=1e-9)


def test_a_rigid_pose_keeps_distances_and_volumes(scan):
    posed, later = (simulate_brain(0, pose="rigid", visit=visit) for visit in (0, 1))
    for points in (posed.landmarks_mm, later.landmarks_mm):
        lengths = [np.linalg.norm(np.diff(p[[0, 17]], axis=0)) for p in (points, scan.landmarks_mm)]
        assert lengths[0] == pytest.approx(lengths[1], abs=1e-6)
    assert posed.volumes_ml["white"] == pytest.approx(scan.volumes_ml["white"], rel=0.01)
    assert np.linalg.norm(posed.landmarks_mm - later.landmarks_mm, axis=1).max() > 1
    affine = simulate_brain(0, spacing_mm=4, pose="affine")
    assert affine.volumes_ml["white"] != pytest.approx(scan.volumes_ml["white"], rel=0.01)
    np.testing.assert_allclose(apply(affine.to_template, affine.landmarks_mm), brain_landmarks()[1], atol=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_random_pose_stays_within_its_limits(seed):
    pose = random_pose(seed, max_angle_deg=15, max_shift_mm=20)
    matrix = np.reshape(pose.GetMatrix(), (3, 3))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    assert np.degrees(np.arccos((np.trace(matrix) - 1) / 2)) <= 15
    assert np.linalg.norm(np.array(pose.TransformPoint(CENTRE_MM)) - CENTRE_MM) <= 20
    assert pose.GetParameters() == random_pose(seed).GetParameters()  # these are the defaults
    assert pose.GetParameters() != random_pose(seed + 1).GetParameters()


def test_random_poses_use_the_whole_range():
    poses = [random_pose(seed, max_stretch=0.1) for seed in range(60)]
    shifts = [np.linalg.norm(np.array(p.TransformPoint(CENTRE_MM)) - CENTRE_MM) for p in poses]
    assert min(shifts) < 4 and max(shifts) > 16
    determinants = [np.linalg.det(np.reshape(sitk.AffineTransform(p).GetMatrix(), (3, 3))) for p in poses]
    assert min(determinants) < 0.95 and max(determinants) > 1.05


def lesion_scan(radius_mm, **options):
    lesion = Lesion(radius_mm, options.pop("centre_mm", None))
    return simulate_brain(4, contrast=options.pop("contrast", "FLAIR"), lesion=lesion, **CLEAN | options)


def test_a_lesion_has_the_volume_of_its_ball():
    for radius_mm in (4.0, 12.0):
        scan = lesion_scan(radius_mm)
        expected = 4 / 3 * np.pi * radius_mm**3 / 1000
        assert scan.volumes_ml["lesion"] == pytest.approx(expected, rel=0.03)
        assert sitk.GetArrayFromImage(scan.lesion_mask).sum() * 0.008 == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("radius_mm", [1.0, 2.0, 3.0, 6.0])
def test_a_small_lesion_has_more_than_its_ball(radius_mm):
    # A surface smeared over 1 mm: the mean of (r + u)^3 over u from -1/2 to 1/2 is r^3 + r / 4, so 1 / (4 r^2) more.
    voxels = Voxels((-30.0,) * 3, (1.0,) * 3, (61,) * 3)
    share = lesion_share(voxels, Lesion(radius_mm), np.zeros(3), sitk.Euler3DTransform(), np.random.default_rng(0))
    ball = 4 / 3 * np.pi * radius_mm**3
    assert share.sum() / ball == pytest.approx(1 + 1 / (4 * radius_mm**2), abs=0.02)


def test_a_lesion_grows_where_it_is_and_turns_with_the_head():
    first, later = lesion_scan(9), lesion_scan(9, pose="rigid", visit=1)
    small, large = (sitk.GetArrayFromImage(s.lesion_mask) == 1 for s in (lesion_scan(5), first))
    assert np.all(large[small]) and large.sum() / small.sum() == pytest.approx((9 / 5) ** 3, rel=0.15)
    assert later.volumes_ml["lesion"] == pytest.approx(first.volumes_ml["lesion"], rel=0.02)
    back = sitk.Resample(later.lesion_mask, first.lesion_mask, between(first, later), sitk.sitkNearestNeighbor)
    one, other = (sitk.GetArrayFromImage(mask) == 1 for mask in (back, first.lesion_mask))
    assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.85  # Dice, on voxels of 2 mm


@pytest.mark.parametrize("seed", range(3))
def test_a_lesion_lies_in_white_matter(seed, three_with_lesions):
    scan = three_with_lesions[seed]
    inside = scan.label_array[sitk.GetArrayFromImage(scan.lesion_mask) == 1]
    assert np.mean(inside == 3) > 0.9


def test_a_lesion_lies_where_it_is_asked_for():
    centre = (28.0, 5.0, 4.0)  # the left putamen
    scan = lesion_scan(6, centre_mm=centre)
    z, y, x = np.nonzero(sitk.GetArrayFromImage(scan.lesion_mask))
    found = np.array([x.mean(), y.mean(), z.mean()]) * 2 + scan.image.GetOrigin()
    assert np.linalg.norm(found - scan.to_subject.TransformPoint(centre)) < 1.5


def test_a_lesion_changes_its_own_voxels_only():
    healthy, ill = simulate_brain(4, contrast="FLAIR", **CLEAN), lesion_scan(6)
    mask = sitk.GetArrayFromImage(ill.lesion_mask) == 1
    np.testing.assert_array_equal(healthy.label_array, ill.label_array)
    changed = np.abs(ill.array - healthy.array) > 1e-3
    assert changed[mask].all() and changed.sum() < 3 * mask.sum()
    assert np.median(ill.array[mask]) > healthy.array.max()  # the brightest of FLAIR
    assert healthy.lesion_mask is None and healthy.volumes_ml["lesion"] == 0
    whole = [sum(s.volumes_ml.values()) for s in (healthy, ill)]
    assert whole[0] == pytest.approx(whole[1], rel=1e-5)  # it takes the place of tissue


def test_places_for_a_lesion_are_deep_in_white_matter_at_any_height():
    assert len(white_places()) > 1000
    assert np.all(np.abs(white_places(40.0)[:, 2] - 40) <= 0.5)


def test_a_head_may_be_cut_off_but_not_leave_the_picture():
    cut = simulate_brain(0, spacing_mm=4, pose=sitk.TranslationTransform(3, (100.0, 0.0, 0.0)))
    assert 0 < cut.volumes_ml["white"] < 400
    with pytest.raises(ValueError, match="pose moves the whole brain out of the picture"):
        simulate_brain(0, spacing_mm=4, pose=sitk.TranslationTransform(3, (300.0, 0.0, 0.0)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"visit": -1}, "visit must be a whole number"),
        ({"spacing_mm": 0.5}, r"spacing_mm must be 1 to 8 \(the template has voxels of 1 mm\), got 0.5"),
        ({"spacing_mm": np.nan}, "spacing_mm must be 1 to 8"),
        ({"spacing_mm": 3, "slice_thickness_mm": 2}, r"slice_thickness_mm must be 3.0 to 20, got 2"),
        ({"slice_thickness_mm": 50}, "slice_thickness_mm must be 2.0 to 20"),
        ({"contrast": "T3"}, "contrast must be one of T1, T2, PD, FLAIR, CT, random, got 'T3'"),
        ({"contrast": ["T1"]}, "contrast must be one of"),
        ({"bias": 1.5}, "bias must be 0 to 1, got 1.5"),
        ({"bias": 0.2, "contrast": "CT"}, "bias must be 0 or None for CT"),
        ({"noise": -0.1}, "noise must be 0 to 1"),
        ({"lesion": 6}, r"lesion must be a Lesion, such as Lesion\(radius_mm=6\), or None, got 6"),
        ({"max_displacement_mm": 30}, "max_displacement_mm must be 0 to 20"),
        ({"pose": "tilted"}, "pose must be None, 'rigid', 'affine' or a SimpleITK transform, got 'tilted'"),
        ({"pose": sitk.Euler2DTransform()}, "linear transform in 3-D, .* got a Euler2DTransform in 2-D"),
        ({"pose": sitk.BSplineTransform(3)}, "linear transform in 3-D"),
        ({"pose": sitk.ScaleTransform(3, (-1.0, 1.0, 1.0))}, "not mirror the head: .* got -1"),
        ({"pose": sitk.ScaleTransform(3, (0.0, 1.0, 1.0))}, "must have an inverse"),
    ],
)
def test_simulate_brain_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_brain(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius_mm": 0.5}, "radius_mm must be 1 to 30"),
        ({"radius_mm": np.inf}, "radius_mm must be 1 to 30"),
        ({"roughness": 0.9}, "roughness must be 0 to 0.4"),
        ({"centre_mm": (1, 2)}, "centre_mm must be three numbers"),
        ({"centre_mm": (np.nan, 2, 3)}, "centre_mm must be three numbers"),
        ({"centre_mm": (0, -95, 0)}, "centre_mm must be inside the brain of the template"),
        ({"centre_mm": (500, 0, 0)}, "centre_mm must be inside the brain of the template"),
    ],
)
def test_lesion_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        Lesion(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": "a"}, "seed must be a whole number"),
        ({"max_angle_deg": 200}, "max_angle_deg must be 0 to 180"),
        ({"max_shift_mm": -1}, "max_shift_mm must be 0 to 500"),
        ({"max_stretch": 0.5}, "max_stretch must be 0 to 0.3"),
    ],
)
def test_random_pose_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        random_pose(**{"seed": 0} | options)
