from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hatchling.builders.wheel import WheelBuilder

from medlearn import data, geometry, metrics
from medlearn.models import nodule_detector as detector


@pytest.fixture(scope="module")
def scan():
    """A simulated patient with nodules of many kinds, both lungs in part."""
    return data.simulate_patient(1_000_008, num_pixels=192, spacing_mm=1.8, num_slices=56, num_nodules=12)


@pytest.fixture(scope="module")
def lungs(scan):
    return detector.segment_lungs(scan.image)


def phantom(shapes=(), *, size=(72, 64, 60), spacing_mm=2.0, lung_hu=-850.0):
    """Return a body of water with one lung that fills its middle, and balls (centre_mm, diameter_mm, HU) in it."""
    x, y, z = np.meshgrid(*(np.arange(n) * spacing_mm for n in size), indexing="ij")
    end = (np.array(size) - 1) * spacing_mm
    hu = np.full(size, -1000.0)
    hu[(np.hypot(x - end[0] / 2, y - end[1] / 2) < end[1] / 2 - 4)] = 0
    hu[(np.hypot(x - end[0] / 2, y - end[1] / 2) < end[1] / 2 - 12)] = lung_hu
    fine = (np.arange(5) - 2) * spacing_mm / 5
    for centre, diameter, value in shapes:
        inside = sum(
            (np.sqrt((x + a - centre[0]) ** 2 + (y + b - centre[1]) ** 2 + (z + c - centre[2]) ** 2) < diameter / 2)
            for a in fine for b in fine for c in fine
        ) / 125  # fmt: skip
        hu += inside * (value - hu)
    image = sitk.GetImageFromArray(hu.transpose(2, 1, 0).astype(np.float32))
    image.SetSpacing([spacing_mm] * 3)
    return image


def moved(image, direction, origin=(30.0, -20.0, 10.0)):
    """Return the same voxels placed elsewhere in the world."""
    image = sitk.Image(image)
    image.SetDirection(np.asarray(direction, float).ravel().tolist())
    image.SetOrigin(origin)
    return image


def turn(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def test_segment_lungs_agrees_with_the_simulated_mask(scan, lungs):
    found, truth = (sitk.GetArrayFromImage(mask) > 0 for mask in (lungs, scan.lung_mask))
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.94
    assert lungs.GetSpacing() == scan.image.GetSpacing() and lungs.GetOrigin() == scan.image.GetOrigin()


def test_segment_lungs_keeps_nodules_on_the_pleura(scan, lungs):
    open_lungs = detector.segment_lungs(scan.image, closing_mm=0)
    centres = [scan.image.TransformPhysicalPointToIndex(n.centre_mm) for n in scan.nodules]
    assert {"pleura", "free"} <= {n.attachment for n in scan.nodules}
    assert np.mean([lungs[c] for c in centres]) > 0.9
    assert np.mean([open_lungs[c] for c in centres]) < 0.5  # what closing is for


def test_segment_lungs_closes_a_hole_on_the_wall_and_leaves_a_wide_one():
    # The lung is a cylinder of radius 63 - 12 = 51 mm about (71, 63). A ball of 8 mm at its wall is closed by 10 mm
    # in the main; one of 60 mm stays out.
    for diameter, inside in ((8, 1), (60, 0)):
        image = phantom([((71 + 49, 63, 60), diameter, 0.0)])
        mask = detector.segment_lungs(image)
        assert mask[image.TransformPhysicalPointToIndex((71 + 46, 63, 60))] == inside


def test_segment_lungs_finds_dense_and_light_lungs():
    for hu in (-550.0, -940.0):  # much blood, emphysema
        mask = sitk.GetArrayFromImage(detector.segment_lungs(phantom(lung_hu=hu)))
        assert mask.mean() == pytest.approx(np.pi * 51**2 / (144 * 128), rel=0.03)  # a cylinder of radius 51 mm


def test_segment_lungs_does_not_depend_on_the_direction():
    image = phantom()
    straight = sitk.GetArrayFromImage(detector.segment_lungs(image))
    assert (sitk.GetArrayFromImage(detector.segment_lungs(moved(image, turn(20)))) == straight).all()


def test_working_volume_looks_the_same_however_the_scan_is_stored():
    ball = ((90.0, 60.0, 50.0), 16, 40.0)
    image = phantom([ball])
    volume = detector.working_volume(image, detector.segment_lungs(image))
    swapped = sitk.PermuteAxes(image, [2, 0, 1])  # stored as sagittal slices
    flipped = sitk.Flip(image, [False, True, True])
    for other in (swapped, flipped):
        again = detector.working_volume(other, detector.segment_lungs(other))
        np.testing.assert_allclose(again.hu, volume.hu, atol=0.1)
        np.testing.assert_allclose(again.to_mm([[1, 2, 3]]), volume.to_mm([[1, 2, 3]]), atol=1e-6)
    z, y, x = np.rint(volume.to_index([ball[0]])[0]).astype(int)
    assert volume.hu[z, y, x] == pytest.approx(40, abs=1) and volume.geometry.spacing_mm == (2, 2, 2)


def test_working_volume_takes_points_there_and_back():
    image = moved(phantom(), turn(17))
    volume = detector.working_volume(image, detector.segment_lungs(image))
    straight = detector.working_volume(phantom(), detector.segment_lungs(phantom()))
    np.testing.assert_allclose(volume.hu, straight.hu, atol=0.1)  # a tilt moves the points, not the voxels
    index = np.random.default_rng(0).uniform(0, 20, (9, 3))
    np.testing.assert_allclose(volume.to_index(volume.to_mm(index)), index, atol=1e-9)
    expected = geometry.voxel_to_world(index[:, ::-1], volume.geometry)
    np.testing.assert_allclose(volume.to_mm(index), expected)


@pytest.mark.parametrize("diameter", [9, 13, 19])
def test_log_candidates_of_a_ball(diameter):
    # -sigma^2 Laplacian of a ball of contrast c, radius r, at its centre: c 4 pi r^3 G(r), with G the Gaussian.
    # At r = sqrt(3) sigma: 4 pi 3^(3/2) (2 pi)^(-3/2) exp(-3/2) c = 0.925 c. Contrast 850 HU: 786.
    centre = (90.0, 60.0, 50.0)
    image = phantom([(centre, diameter, 0.0)])
    found = detector.log_candidates(image, detector.segment_lungs(image)).best(1)
    assert np.linalg.norm(found.points_mm[0] - centre) < 0.5
    assert found.diameters_mm[0] == diameter
    # Second differences see less of a Gaussian of sigma voxels, by about 1 / (4 sigma^2): 15 % of the smallest.
    assert found.scores[0] == pytest.approx(0.925 * 850, rel=0.15 * (9 / diameter) ** 2)


def test_log_candidates_finds_places_between_the_voxels():
    mask = detector.segment_lungs(phantom())
    for centre in ((90.7, 59.4, 50.6), (89.4, 60.7, 49.3)):  # voxels of 2 mm: the nearest one is 1.0 to 1.2 mm away
        found = detector.log_candidates(phantom([(centre, 13, 0.0)]), mask).best(1)
        assert np.linalg.norm(found.points_mm[0] - centre) < 0.4


def test_log_candidates_finds_the_place_in_a_tilted_scan():
    image = moved(phantom([((90.0, 60.0, 50.0), 13, 0.0)]), turn(20))
    centre = geometry.voxel_to_world([45, 30, 25], image)  # 2 mm voxels
    found = detector.log_candidates(image, detector.segment_lungs(image)).best(1)
    assert np.linalg.norm(found.points_mm[0] - centre) < 0.5


def test_log_candidates_ball_score_tells_a_ball_from_a_tube():
    image = phantom([((100.0, 60.0, 50.0), 8, 0.0)])
    hu = sitk.GetArrayFromImage(image)
    hu[5:55, 29:33, 33:37] = 0  # a vessel of 8 x 8 mm along z, at x = 69, y = 61
    vessel = sitk.GetImageFromArray(hu)
    vessel.CopyInformation(image)
    mask, share = detector.segment_lungs(vessel), {}
    for score in ("log", "ball"):
        found = detector.log_candidates(vessel, mask, score=score, diameters_mm=[9], most=10_000)
        on_ball = np.linalg.norm(found.points_mm - (100, 60, 50), axis=1) < 3
        on_vessel = (np.linalg.norm(found.points_mm[:, :2] - (69, 61), axis=1) < 3) & (
            np.abs(found.points_mm[:, 2] - 60) < 30
        )
        share[score] = found.scores[on_vessel].max() / found.scores[on_ball].max()
    assert share["log"] > 0.7 and share["ball"] < 0.05


def test_suppress_equals_a_plain_loop():
    rng = np.random.default_rng(3)
    points, scores = rng.uniform(0, 30, (200, 3)), rng.random(200)
    found = detector.suppress(detector.Candidates(points, scores, np.full(200, 5.0)), distance_mm=6)
    kept = []
    for number in np.argsort(-scores):
        if all(np.linalg.norm(points[number] - points[other]) >= 6 for other in kept):
            kept.append(number)
    np.testing.assert_array_equal(found.points_mm, points[kept])
    np.testing.assert_array_equal(found.scores, scores[kept])


def test_suppress_keeps_what_is_exactly_as_far_away():
    pair = detector.Candidates([[0, 0, 0], [5, 0, 0]], [1, 2], [4, 4])
    assert len(detector.suppress(pair, distance_mm=5)) == 2 and len(detector.suppress(pair, distance_mm=5.01)) == 1
    assert len(detector.suppress(detector.Candidates([], [], []), distance_mm=5)) == 0


def test_candidates_stand_in_the_order_of_their_scores():
    some = detector.Candidates([[1, 0, 0], [2, 0, 0], [3, 0, 0]], [0.2, 0.9, 0.5], [4, 5, 6])
    assert some.points_mm[:, 0].tolist() == [2, 3, 1] and some.diameters_mm.tolist() == [5, 6, 4]
    assert len(some.best(2)) == 2 and some.above(0.5).scores.tolist() == [0.9, 0.5]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (([[0, 0]], [1], [1]), r"shape \(n, 3\)"),
        (([[0, 0, 0]], [1, 2], [1]), r"got \(1, 3\), \(2,\) and \(1,\)"),
        (([[0, 0, np.nan]], [1], [1]), "NaN or infinite"),
    ],
)
def test_candidates_refuse(values, match):
    with pytest.raises(ValueError, match=match):
        detector.Candidates(*values)


def test_cut_planes_of_a_ramp_in_a_tilted_scan():
    # HU = -1000 + x + 2 y + 3 z in the world, so a plane's values follow from its points.
    image = moved(phantom(size=(40, 40, 40)), turn(25), origin=(0.0, 0.0, 0.0))
    index = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), -1)  # [x, y, z]
    world = geometry.voxel_to_world(index, image)
    ramp = sitk.GetImageFromArray((world @ [1, 2, 3] - 1000).transpose(2, 1, 0))
    ramp.CopyInformation(image)
    centre = geometry.voxel_to_world([20, 20, 20], image)
    patches = detector.cut_planes(ramp, [centre], size=5, pixel_mm=2)[0]
    step = (np.arange(5) - 2) * 2.0
    middle = centre @ [1, 2, 3] - 1000
    np.testing.assert_allclose(patches[0], middle + step[None, :] + 2 * step[:, None], atol=1e-2)  # axial: x, y
    np.testing.assert_allclose(patches[1], middle + step[None, :] - 3 * step[:, None], atol=1e-2)  # coronal: x, head up
    np.testing.assert_allclose(patches[2], middle + 2 * step[None, :] - 3 * step[:, None], atol=1e-2)  # sagittal: y


def test_cut_planes_fills_with_air_beyond_the_scan():
    patches = detector.cut_planes(phantom(), [[-500.0, 0, 0]])
    assert patches.shape == (1, 3, 32, 32) and (patches == -1000).all()
    assert detector.cut_planes(phantom(), []).shape == (0, 3, 32, 32)


GOOD = phantom()


@pytest.mark.parametrize(
    ("image", "match"),
    [
        (np.zeros((9, 9, 9)), "expected a SimpleITK image, which knows its spacing, got ndarray"),
        (sitk.Image([9, 9], sitk.sitkFloat32), "2-D with 1 values"),
        (sitk.Image([9, 9, 9], sitk.sitkVectorFloat32, 3), "3-D with 3 values"),
        (sitk.Image([9, 9, 2], sitk.sitkFloat32), "4 voxels or more along each axis"),
        (sitk.Image([9, 9, 9], sitk.sitkFloat32), "expected Hounsfield units, air near -1000, got values from 0 to 0"),
        (GOOD + 1024, "expected Hounsfield units, air near -1000, got values from 24"),
        (GOOD * float("nan"), "NaN or infinite values"),
        (phantom(lung_hu=0.0), "no lungs found.*126 mm|no lungs found.*mm"),
        (phantom(spacing_mm=0.2), "no lungs found: no piece of air of 100 ml"),
    ],
)
@pytest.mark.parametrize("call", [detector.segment_lungs, detector.find_nodules])
def test_a_scan_that_cannot_be_searched_is_refused(call, image, match):
    with pytest.raises(ValueError, match=match):
        call(image)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda i, m: detector.segment_lungs(i, closing_mm=-1), "closing_mm must be 0 to 30, got -1"),
        (lambda i, m: detector.log_candidates(i, m * 0), "the lung mask is empty"),
        (lambda i, m: detector.find_nodules(i, lungs=m * 0), "the lung mask is empty"),
        (lambda i, m: detector.log_candidates(i, m[:, :, :9]), "lung mask of the scan's size"),
        (lambda i, m: detector.log_candidates(i, None), "lung mask of the scan's size.*got NoneType"),
        (lambda i, m: detector.log_candidates(i, m, diameters_mm=[]), "diameters_mm must be numbers from 2 to 60"),
        (lambda i, m: detector.log_candidates(i, m, diameters_mm=[1]), "diameters_mm must be numbers from 2 to 60"),
        (lambda i, m: detector.log_candidates(i, m, score="dot"), "score must be 'log' or 'ball'"),
        (lambda i, m: detector.log_candidates(i, m, most=0), "most must be a whole number"),
        (lambda i, m: detector.find_nodules(i, most=1.5), "most must be a whole number"),
        (lambda i, m: detector.suppress(detector.Candidates([], [], []), distance_mm=-1), "distance_mm must be 0 or"),
        (lambda i, m: detector.cut_planes(i, [[1, 2]]), r"of shape \(n, 3\), got shape \(1, 2\)"),
        (lambda i, m: detector.cut_planes(i, [[1, 2, np.nan]]), "points_mm must be finite"),
        (lambda i, m: detector.cut_planes(i, [[1, 2, 3]], size=0), "size must be a whole number"),
    ],
)
def test_options_out_of_range_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call(GOOD, detector.segment_lungs(GOOD))


def test_find_nodules_finds_most_of_the_large_nodules(scan, lungs):
    found = detector.find_nodules(scan.image, lungs=lungs)
    matches = metrics.match_detections(
        [n.centre_mm for n in scan.nodules], [n.diameter_mm for n in scan.nodules], found.points_mm, found.scores,
        smallest_mm=6,
    )  # fmt: skip
    assert matches.num_findings >= 4 and len(matches.missed) <= matches.num_findings / 3
    assert ((found.scores >= 0) & (found.scores <= 1)).all() and (np.diff(found.scores) <= 0).all()
    # true ones rank before false ones in the main
    assert np.median(np.flatnonzero(matches.kinds == "true")) < np.median(np.flatnonzero(matches.kinds == "false"))


def test_find_nodules_gives_the_same_points_in_a_scan_stored_upside_down(scan, lungs):
    plain = detector.find_nodules(scan.image, lungs=lungs, most=10)
    upside = detector.find_nodules(
        sitk.Flip(scan.image, [False, False, True]), lungs=sitk.Flip(lungs, [False, False, True]), most=10
    )
    np.testing.assert_allclose(upside.points_mm, plain.points_mm, atol=1e-3)
    np.testing.assert_allclose(upside.scores, plain.scores, atol=1e-3)


WEIGHTS = (detector.CENTRE_WEIGHTS, detector.FALSE_POSITIVE_WEIGHTS)


def test_shipped_weights_are_small_and_need_no_pickle():
    for path in WEIGHTS:
        assert path.suffix == ".safetensors" and path.stat().st_size < 300_000


def test_the_wheel_holds_the_weights():
    files = WheelBuilder(str(Path(__file__).parents[2])).recurse_included_files()
    held = {file.distribution_path for file in files}
    assert {f"medlearn/models/{path.name}" for path in WEIGHTS} <= held
