"""The simulated screening: its structure, its physics, and that it leaks patients as it says."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from medlearn.data import assert_no_patient_overlap, lung_anatomy, split_by_patient
from medlearn.data.lung_anatomy import PIXEL_MM, Lung, _coloured, _holes, _skewed, _transfer, _vessels
from medlearn.data.screening import simulate_screening


@pytest.fixture(scope="module")
def screening():
    return simulate_screening(seed=11)


@pytest.fixture(scope="module")
def many():
    """Many patients with one patch each: what differs between people."""
    return simulate_screening(400, slices_per_patient=1, patches_per_slice=1, prevalence=0.5, seed=3)


def test_defaults_are_sixty_patients_with_four_slices_of_five_patches(screening):
    assert screening.images.shape == (1200, 24, 24) and screening.images.dtype == np.float32
    assert screening.images.flags.c_contiguous and np.isfinite(screening.images).all()
    assert len(screening) == 1200
    for field in (screening.labels, screening.patients, screening.slices):
        assert field.shape == (1200,) and field.dtype == np.int64
    assert np.bincount(screening.patients).tolist() == [20] * 60
    assert np.bincount(screening.slices).tolist() == [5] * 240
    assert screening.card.synthetic and "SIMULATED" in str(screening.card)


def test_a_slice_belongs_to_one_patient_and_a_patient_has_one_label(screening):
    pairs = set(zip(screening.slices.tolist(), screening.patients.tolist(), strict=True))
    assert len(pairs) == 240
    pairs = set(zip(screening.patients.tolist(), screening.labels.tolist(), strict=True))
    assert len(pairs) == 60
    assert sum(label for _, label in pairs) == 24  # 0.4 of 60


@settings(max_examples=25, deadline=None)
@given(
    num_patients=st.integers(2, 7),
    slices=st.integers(1, 3),
    patches=st.integers(1, 3),
    size=st.integers(8, 20),
    prevalence=st.floats(0.001, 0.999),
    seed=st.integers(0, 2**40),
)
def test_any_options_give_whole_patients_of_both_kinds(num_patients, slices, patches, size, prevalence, seed):
    options = {"slices_per_patient": slices, "patches_per_slice": patches, "size": size, "prevalence": prevalence}
    found = simulate_screening(num_patients, **options, seed=seed)
    assert found.images.shape == (num_patients * slices * patches, size, size)
    ill = found.labels.sum() / (slices * patches)
    assert 1 <= ill <= num_patients - 1
    assert abs(ill - prevalence * num_patients) <= 1  # rounding, or one patient of each kind
    assert found.images.min() >= -1024


def test_the_seed_alone_decides():
    first, again, other = (simulate_screening(6, size=12, seed=seed) for seed in (4, 4, 5))
    for name in ("images", "labels", "patients", "slices"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.labels, other.labels) or not np.array_equal(first.images, other.images)
    assert np.abs(first.images - other.images).mean() > 5


def test_ill_patients_are_spread_over_the_numbers():
    # Were the ill always the last ones, a split by number would separate the classes.
    options = {"slices_per_patient": 1, "patches_per_slice": 1, "size": 8}
    places = [np.flatnonzero(simulate_screening(20, **options, seed=seed).labels).mean() for seed in range(30)]
    assert np.mean(places) == pytest.approx(9.5, abs=1.2)


def test_patches_of_a_slice_are_shifts_of_one_another_but_for_the_noise(monkeypatch):
    monkeypatch.setattr(lung_anatomy, "_NOISE_HU", (1e-6, 1e-6))
    found = simulate_screening(2, slices_per_patient=2, patches_per_slice=4, seed=8)

    def shift(first, second):
        """The smallest difference over all shifts by up to three pixels."""
        inner = first[3:-3, 3:-3]
        shifts = (second[r : r + 18, c : c + 18] for r, c in product(range(7), repeat=2))
        return min(np.abs(inner - moved).max() for moved in shifts)

    for index in range(1, 4):
        assert shift(found.images[0], found.images[index]) < 0.01  # of the same slice
        assert shift(found.images[0], found.images[4 + index]) > 10  # of the next one


def test_noise_is_new_in_each_patch(monkeypatch):
    monkeypatch.setattr(lung_anatomy, "_TEXTURE_HU", (0.0, 0.0))
    monkeypatch.setattr(lung_anatomy, "_VESSELS_PER_CM2", 0.0)
    monkeypatch.setattr(lung_anatomy, "_HOLES_PER_CM2", (0.0, 0.0))
    monkeypatch.setattr(lung_anatomy, "_RING_HU", (0.0, 0.0))
    monkeypatch.setattr(lung_anatomy, "_GRADIENT_HU_PER_MM", (0.0, 0.0))
    found = simulate_screening(30, slices_per_patient=1, patches_per_slice=8, seed=2)
    flat = (found.images - found.images.mean(axis=(1, 2), keepdims=True)).reshape(30, 8, -1)
    same = [np.corrcoef(patches)[np.triu_indices(8, 1)].mean() for patches in flat]
    assert abs(np.mean(same)) < 0.02
    # All that is left is noise, of the standard deviation that the patient drew: 10 to 36 HU.
    deviations = flat.std(axis=(1, 2))
    assert 9 < deviations.min() < 14 and 28 < deviations.max() < 38


def test_noise_has_the_spectrum_of_filtered_back_projection():
    # Kijewski and Judy 1987: the power is a ramp times the square of the transfer function.
    lung = Lung.draw(np.random.default_rng(1), ill=False)
    noise = lung.draw_noise(3000, 32, np.random.default_rng(2))
    assert noise.std() == pytest.approx(lung.noise_hu, rel=0.02)
    tapered = noise * np.outer(np.hanning(32), np.hanning(32))
    power = (np.abs(np.fft.fft2(tapered)) ** 2).mean(axis=0)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(32, PIXEL_MM)] * 2))
    expected = frequency * np.exp(-2 * (np.pi * frequency * lung.blur_mm / 2.355) ** 2) ** 2
    inside = (frequency > 0.15) & (frequency < 0.6)
    assert np.corrcoef(power[inside], expected[inside])[0, 1] > 0.995


@pytest.mark.parametrize("blur_mm", [0.9, 2.0])
def test_blur_has_its_width(blur_mm):
    # A Gaussian falls to half its height at half the full width.
    fine = np.exp(-((np.arange(-8, 9) * 0.1) ** 2) / (2 * (blur_mm / 2.355) ** 2))
    half = np.interp(blur_mm / 2, np.arange(0, 9) * 0.1, fine[8:]) if blur_mm <= 1.6 else None
    frequency = np.linspace(0, 40, 200_001)  # cycles per mm; the transform back is a sum of cosines
    transfer = _transfer(frequency, blur_mm)
    at = [2 * np.trapezoid(transfer * np.cos(2 * np.pi * frequency * x), frequency) for x in (0, blur_mm / 2)]
    assert at[1] / at[0] == pytest.approx(0.5, abs=1e-3)
    assert half is None or half == pytest.approx(0.5, abs=0.01)


def test_coloured_noise_and_grain_have_deviation_one():
    rng = np.random.default_rng(0)
    normal = _coloured(lambda frequency: np.maximum(frequency, 0.03) ** -1.3, (400, 40, 40), rng)
    assert normal.std() == pytest.approx(1, abs=0.02)
    assert normal.mean(axis=(1, 2)) == pytest.approx(0, abs=1e-9)
    grain = _skewed(rng.standard_normal(1_000_000))
    assert (grain.mean(), grain.std()) == (pytest.approx(0, abs=0.005), pytest.approx(1, abs=0.01))
    assert stats.skew(grain) == pytest.approx(1.75, abs=0.1)  # (e^s + 2) sqrt(e^s - 1) with s = 0.25


def test_neighbouring_slices_share_most_of_their_grain(monkeypatch):
    for name in ("_VESSELS_PER_CM2", "_TEXTURE_HU", "_HOLES_PER_CM2", "_RING_HU", "_GRADIENT_HU_PER_MM"):
        monkeypatch.setattr(lung_anatomy, name, 0.0 if name == "_VESSELS_PER_CM2" else (0.0, 0.0))
    monkeypatch.setattr(lung_anatomy, "_TEXTURE_HU", (30.0, 30.0))
    monkeypatch.setattr(lung_anatomy, "_BLUR_MM", (1e-6, 1e-6))
    rng, products = np.random.default_rng(3), []
    for _ in range(40):
        lung = Lung.draw(rng, ill=False)
        grain = (lung.draw_slices(4, 60, rng) - lung.mean_hu) / 30
        products.append([(grain[0] * grain[0]).mean(), (grain[0] * grain[3]).mean()])
    # The normal fields correlate by 0.8; exp(x / 2) of them by (e^(0.25 * 0.8) - 1) / (e^0.25 - 1) = 0.780.
    variance, covariance = np.mean(products, axis=0)
    assert variance == pytest.approx(1, abs=0.15)
    assert covariance / variance == pytest.approx(0.78, abs=0.05)


def test_vessels_are_a_share_and_thin_ones_do_not_fill_the_slice():
    rng = np.random.default_rng(5)
    shares = np.stack([_vessels(60, rng) for _ in range(40)])
    assert shares.min() == 0 and 0.5 < shares.max() <= 1
    assert 0.005 < (shares > 0).mean() < 0.3
    assert _vessels(2, np.random.default_rng(0)).shape == (2, 2)  # a field so small that none comes by


def test_vessels_fill_the_slice_as_far_as_they_are_wide(monkeypatch):
    # A vessel of radius r is 2 r high in a slice of 1.5 mm: 0.3 mm fills 0.4 of it, before pixels and blur.
    monkeypatch.setattr(lung_anatomy, "_VESSEL_RADIUS_MM", (0.3, 0.3001))
    share = max(_vessels(60, np.random.default_rng(seed)).max() for seed in range(10))
    assert 0.25 < share <= 0.4 + 1e-3


def test_holes_grow_with_the_severity():
    fields = [np.mean([_holes(s, 60, np.random.default_rng(seed)).mean() for seed in range(60)]) for s in (0, 0.5, 1)]
    assert 0 < fields[0] < fields[1] < fields[2]
    assert fields[2] / fields[0] == pytest.approx(4.3 / 0.3, rel=0.35)  # holes per cm²


def test_the_disease_takes_density_and_the_rest_is_drawn_alike():
    # The severity is Beta(2, 2), mean 0.5, so the mean loss is 0.5 of 35 HU = 17.5 HU.
    rng = np.random.default_rng(0)
    ill, healthy = ([Lung.draw(rng, ill=ill) for _ in range(3000)] for ill in (True, False))
    difference = np.mean([lung.mean_hu for lung in healthy]) - np.mean([lung.mean_hu for lung in ill])
    assert difference == pytest.approx(17.5, abs=2)  # standard error: 25 HU * sqrt(2 / 3000) = 0.65
    assert np.std([lung.mean_hu for lung in healthy]) == pytest.approx(25, rel=0.05)
    assert {lung.severity for lung in healthy} == {0.0}
    for name in ("texture_hu", "texture_slope", "blur_mm", "noise_hu"):
        assert stats.ks_2samp(*([getattr(lung, name) for lung in group] for group in (ill, healthy))).pvalue > 0.001


def test_healthy_lungs_are_as_dense_as_published(many):
    # Fromson and Denison 1988: a standard deviation of 25 HU between people. One patch adds its grain and vessels.
    means = np.median(many.images[many.labels == 0], axis=(1, 2))
    assert np.mean(means) == pytest.approx(-865, abs=8)
    assert 25 < np.std(means) < 40
    # Below -950 HU lies little of a healthy lung and more of an ill one (Gevenois 1995).
    low = (many.images < -950).mean(axis=(1, 2))
    assert low[many.labels == 0].mean() < 0.05 < low[many.labels == 1].mean()


def test_the_sign_is_weak_but_real(many):
    auc = roc_auc_score(many.labels, -many.images.mean(axis=(1, 2)))
    assert 0.6 < auc < 0.78  # one patch of a patient, by its mean alone


def test_patches_agree_more_within_a_slice_than_a_patient_than_between(screening):
    features = np.stack([screening.images.mean((1, 2)), np.diff(screening.images, axis=1).std((1, 2))], axis=1)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    per_slice = features.reshape(60, 4, 5, 2)
    within_slice = per_slice.var(axis=2, ddof=1).mean()
    between_slices = per_slice.mean(axis=2).var(axis=1, ddof=1).mean()
    between_patients = per_slice.mean(axis=(1, 2)).var(axis=0, ddof=1).mean()
    assert within_slice < between_slices < between_patients
    assert between_patients > 0.6  # of a variance of 1: the correlation within a patient


def test_bootstrap_over_images_is_too_narrow(screening):
    scores, labels = -screening.images.mean(axis=(1, 2)), screening.labels
    rng, per_image, per_patient = np.random.default_rng(0), [], []
    for _ in range(300):
        images = rng.integers(0, 1200, 1200)
        patients = (rng.integers(0, 60, 60)[:, None] * 20 + np.arange(20)).ravel()
        per_image.append(roc_auc_score(labels[images], scores[images]))
        per_patient.append(roc_auc_score(labels[patients], scores[patients]))
    assert np.std(per_patient) > 2.5 * np.std(per_image)


def test_a_forest_scores_high_by_image_lower_by_slice_and_lowest_by_patient():
    scores = {"image": [], "slice": [], "patient": []}
    for seed in (12, 13):
        found = simulate_screening(seed=seed)
        pixels = found.images.reshape(len(found), -1)
        for kind, units in (("image", np.arange(1200)), ("slice", found.slices), ("patient", found.patients)):
            train, test = split_by_patient(units, fractions=(0.7, 0.3), labels=found.labels, seed=seed)
            forest = RandomForestClassifier(50, max_features=12, random_state=0).fit(pixels[train], found.labels[train])
            scores[kind].append(roc_auc_score(found.labels[test], forest.predict_proba(pixels[test])[:, 1]))
            if kind == "patient":
                assert_no_patient_overlap(found.patients[train], found.patients[test])
    by_image, by_slice, by_patient = (np.mean(scores[kind]) for kind in ("image", "slice", "patient"))
    assert by_image > 0.88 and by_image - by_slice > 0.05 and by_slice - by_patient > 0.02
    assert 0.58 < by_patient < 0.82


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_patients": 1}, r"num_patients must be a whole number, 2 to 5000, got 1\."),
        ({"num_patients": 6000}, "num_patients must be a whole number, 2 to 5000, got 6000"),
        ({"num_patients": 10.0}, r"num_patients must be a whole number, 2 to 5000, got 10\.0"),
        ({"slices_per_patient": True}, "slices_per_patient must be a whole number, 1 to 50, got True"),
        ({"slices_per_patient": 0}, "slices_per_patient must be a whole number, 1 to 50, got 0"),
        ({"patches_per_slice": 51}, "patches_per_slice must be a whole number, 1 to 50, got 51"),
        ({"size": 7}, "size must be a whole number, 8 to 40, got 7"),
        ({"size": "24"}, "size must be a whole number, 8 to 40, got '24'"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, got -1"),
        ({"seed": None}, "seed must be a whole number, 0 or more, got None"),
        ({"prevalence": 0}, "prevalence must be between 0 and 1, got 0"),
        ({"prevalence": 40}, "prevalence must be between 0 and 1, got 40; 0.4 is two patients in five"),
        ({"prevalence": np.nan}, "prevalence must be between 0 and 1, got nan"),
        ({"num_patients": 5000, "slices_per_patient": 50}, r"1,250,000 patches of 24 x 24 need 2\.9 GB"),
    ],
)
def test_simulate_screening_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_screening(**options)
