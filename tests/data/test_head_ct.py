"""The simulated head CT: its tissues, geometry, physics, and that one seed is one patient."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from medlearn.data.head_anatomy import Person, _closed, _distance, tissue_shares
from medlearn.data.head_ct import LABEL_NAMES, TISSUE_HU, _fine_grid, simulate_head_ct


@pytest.fixture(scope="module")
def scan():
    return simulate_head_ct(0, spacing_mm=2, slice_thickness_mm=4)


def labels_of(scan):
    return sitk.GetArrayFromImage(scan.labels)


def core(mask):
    """A mask without its outermost voxels, which share their volume with another tissue."""
    return sitk.GetArrayFromImage(sitk.BinaryErode(sitk.GetImageFromArray(mask.astype(np.uint8)), [1, 1, 1])) == 1


def test_shares_of_the_tissues_add_up_to_one():
    rng = np.random.default_rng(5)
    shares = tissue_shares(_fine_grid(3.0, 3.0), Person.draw(rng), bleed_ml=20, rng=rng)
    np.testing.assert_allclose(sum(shares.values()), 1, atol=1e-5)
    assert set(shares) == set(TISSUE_HU)
    for name, share in shares.items():
        assert share.min() >= -1e-6 and share.max() > 0.1, name


def test_values_are_those_of_the_tissues(scan):
    # Median inside each tissue, away from its border. Grey and white are blurred in the template, so some HU of play.
    array, labels = scan.array, labels_of(scan)
    for name, expected, play in (("grey matter", 38, 4), ("white matter", 29, 3), ("air", -1000, 1)):
        assert np.median(array[core(labels == LABEL_NAMES.index(name))]) == pytest.approx(expected, abs=play), name
    bone = array[labels == LABEL_NAMES.index("bone")]
    assert 700 < np.percentile(bone, 90) < 1400
    grey, white = (np.median(array[core(labels == LABEL_NAMES.index(f"{n} matter"))]) for n in ("grey", "white"))
    assert 1.1 < grey / white < 1.4


def test_the_ventricles_are_fluid():
    # The lateral ventricles of ICBM152 lie within 25 mm of the midline, 0 to 35 mm above the commissures.
    scan = simulate_head_ct(0, spacing_mm=2, slice_thickness_mm=2)
    low, high = (scan.image.TransformPhysicalPointToIndex(p) for p in ((-25.0, -25.0, 0.0), (25.0, 55.0, 35.0)))
    middle = np.s_[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    fluid = core(labels_of(scan) == LABEL_NAMES.index("csf"))[middle]
    assert fluid.sum() * 8 / 1000 > 1  # millilitres, without the outermost voxels
    assert np.median(scan.array[middle][fluid]) == pytest.approx(TISSUE_HU["csf"], abs=4)


def test_the_brain_is_inside_the_skull(scan):
    # From the centre outwards, every ray meets brain, then bone, then scalp, then air.
    labels = labels_of(scan)
    x, y, z = scan.image.TransformPhysicalPointToIndex((0.0, 17.0, 40.0))
    for ray in (labels[z, y, x:], labels[z, y, x::-1], labels[z, y:, x], labels[z, y::-1, x], labels[z:, y, x]):
        outer = [int(np.flatnonzero(ray == LABEL_NAMES.index(name))[-1]) for name in ("bone", "scalp")]
        brain = int(np.flatnonzero(ray >= LABEL_NAMES.index("grey matter"))[-1])
        assert brain < outer[0] < outer[1]
        assert ray[-1] == LABEL_NAMES.index("air")


@pytest.mark.parametrize("seed", range(3))
def test_the_skull_is_closed_all_round(seed):
    # In every slice of the vault, a path from the brain to the scalp must cross bone.
    scan = simulate_head_ct(seed, spacing_mm=2, slice_thickness_mm=4)
    x, y, z = scan.image.TransformPhysicalPointToIndex((0.0, 17.0, 0.0))
    for slice_labels in labels_of(scan)[z : z + 14]:
        regions, _ = ndimage.label(slice_labels != LABEL_NAMES.index("bone"))
        assert slice_labels[y, x] >= LABEL_NAMES.index("csf") and regions[y, x] != regions[0, 0]


def test_distance_and_closing_of_a_ball():
    grid = _fine_grid(2.0, 2.0)
    axes = [o + 2.0 * np.arange(n) for o, n in zip(grid.GetOrigin(), grid.GetSize(), strict=True)]
    radius = np.sqrt(axes[0][None, None] ** 2 + (axes[1] - 17)[None, :, None] ** 2 + (axes[2] - 30)[:, None, None] ** 2)
    distance = _distance(radius <= 40, grid)
    assert np.abs(distance - (radius - 40)).mean() < 1.0  # half a voxel
    assert _closed(radius <= 40, grid, 22.0).sum() == pytest.approx((radius <= 40).sum(), rel=0.02)


def test_a_larger_person_has_a_larger_brain():
    # A brain 1.05, 1.05 and 1.00 times as long has 1.1025 times the volume.
    grid, person = _fine_grid(3.0, 3.0), Person.draw(np.random.default_rng(0))
    volumes = []
    for scale in ((1.0, 1.0, 1.0), (1.05, 1.05, 1.0)):
        sized = replace(person, scale=np.array(scale), angles=np.zeros(3))
        shares = tissue_shares(grid, sized, bleed_ml=0, rng=np.random.default_rng(0))
        volumes.append(shares["grey"].sum() + shares["white"].sum())
    assert volumes[1] / volumes[0] == pytest.approx(1.1025, abs=0.01)


def test_geometry_is_that_of_the_options(scan):
    assert scan.image.GetSize() == (128, 128, 40)
    assert scan.image.GetSpacing() == (2.0, 2.0, 4.0)
    assert scan.image.GetDirection() == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    # The lowest 4 mm slice reaches from -44 to -40 mm, so its centre is at -42.
    assert scan.image.GetOrigin()[2] == pytest.approx(-42.0)
    assert scan.labels.GetOrigin() == scan.image.GetOrigin() and scan.labels.GetSize() == scan.image.GetSize()
    assert scan.image.GetPixelID() == sitk.sitkInt16


@pytest.mark.parametrize("thickness", [3.0, 5.0, 7.5])
def test_slices_of_any_thickness_cover_the_head(thickness):
    scan = simulate_head_ct(0, spacing_mm=3, slice_thickness_mm=thickness)
    lowest = scan.image.GetOrigin()[2] - thickness / 2
    assert scan.image.GetSpacing()[2] == pytest.approx(thickness)
    assert lowest == pytest.approx(-44, abs=thickness / 2)
    assert lowest + thickness * scan.image.GetSize()[2] == pytest.approx(116, abs=thickness)


def test_thick_slices_are_the_mean_of_thin_ones():
    # Without noise, blur and rounding to whole HU, one 6 mm slice is the mean of two of 3 mm.
    options = {"spacing_mm": 3, "noise_hu": 0, "blur_mm": 0}
    thin, thick = (simulate_head_ct(2, slice_thickness_mm=t, **options).array for t in (3, 6))
    pairs = thin[: 2 * len(thick)].reshape(-1, 2, *thin.shape[1:]).mean(axis=1)
    # The two grids start at the same place and have the same fine voxels, so the same anatomy.
    assert np.abs(pairs[: len(thick)] - thick).max() <= 1.0


def test_noise_has_the_given_standard_deviation_and_depends_on_the_seed_alone():
    quiet, noisy, again = (simulate_head_ct(1, spacing_mm=4, slice_thickness_mm=8, noise_hu=n) for n in (0, 10, 10))
    difference = (noisy.array - quiet.array)[quiet.array > -500]
    assert difference.std() == pytest.approx(10, rel=0.05)
    np.testing.assert_array_equal(noisy.array, again.array)


def test_another_seed_is_another_patient(scan):
    other = simulate_head_ct(1, spacing_mm=2, slice_thickness_mm=4)
    assert (scan.patient, other.patient) == ("SIM-0000", "SIM-0001")
    changed = (labels_of(scan) != labels_of(other)).sum() / (labels_of(scan) > 0).sum()
    assert changed > 0.05  # not only the noise


def test_bleed_has_its_volume_and_is_hyperdense():
    scan = simulate_head_ct(4, spacing_mm=2, slice_thickness_mm=2, bleed_ml=20)
    blood = labels_of(scan) == LABEL_NAMES.index("blood")
    assert blood.sum() * 8 / 1000 == pytest.approx(20, rel=0.1)  # 2 x 2 x 2 mm = 8 microlitres
    assert np.median(scan.array[core(blood)]) == pytest.approx(TISSUE_HU["blood"], abs=2)
    assert LABEL_NAMES.index("blood") not in labels_of(simulate_head_ct(4, spacing_mm=4, slice_thickness_mm=8))


def test_the_card_says_that_it_is_simulated(scan):
    assert scan.card.synthetic and "SIMULATED" in str(scan.card)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spacing_mm": 0.5}, "spacing_mm must be 1 to 4, got 0.5"),
        ({"spacing_mm": 3, "slice_thickness_mm": 2}, "slice_thickness_mm must be 3 to 16, got 2"),
        ({"noise_hu": -1}, "noise_hu must be 0 to 100"),
        ({"noise_hu": np.nan}, "noise_hu must be 0 to 100"),
        ({"blur_mm": 50}, "blur_mm must be 0 to 10"),
        ({"bleed_ml": 500}, "bleed_ml must be 0 to 60"),
    ],
)
def test_simulate_head_ct_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_head_ct(0, **options)
