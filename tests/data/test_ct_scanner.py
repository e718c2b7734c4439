"""The physics of the simulated scanner against filtered back-projection, closed forms and a real scan."""

import numpy as np
import pytest
from scipy import ndimage

from medlearn import data
from medlearn.data import ct_scanner
from medlearn.data.ct_projection import back_project, project, scan_slice
from medlearn.data.ct_scanner import KERNELS, Scanner, acquire, blur, make_noise, noise_spectrum, transfer
from medlearn.data.voxels import Grid


def radial_spectrum(images, spacing_mm):
    """The mean power at each radial frequency of square images without trend, up to half of the sampling rate."""
    size = images.shape[-1]
    rows, columns = np.mgrid[:size, :size].reshape(2, -1) / size
    trend = np.column_stack([np.ones(size**2), rows, columns, rows**2, columns**2, rows * columns])
    flat = images.reshape(len(images), -1).T
    flat = flat - trend @ np.linalg.lstsq(trend, flat, rcond=None)[0]
    power = np.mean(np.abs(np.fft.fft2(flat.T.reshape(images.shape))) ** 2, axis=0) * (spacing_mm / size) ** 2
    frequency = np.fft.fftfreq(size, spacing_mm)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    ring = np.rint(radius * size * spacing_mm).astype(int)
    rings = range(1, size // 2)
    return np.array([radius[ring == k].mean() for k in rings]), np.array([power[ring == k].mean() for k in rings])


def windows(image, size, step):
    views = np.lib.stride_tricks.sliding_window_view(image, (size, size))[::step, ::step]
    return views.reshape(-1, size, size)


def pixel_means(image):
    """Mean of each 2 x 2 pixels."""
    return image.reshape(len(image) // 2, 2, -1, 2).mean(axis=(1, 3))


@pytest.mark.parametrize("kernel", KERNELS)
def test_noise_has_the_spectrum_of_filtered_back_projection(kernel):
    # White noise on a detector, reconstructed at 0.3 mm and averaged to pixels of 0.6 mm: the reference.
    rng, angles = np.random.default_rng(1), np.arange(200) * np.pi / 200
    sinograms = rng.standard_normal((4, 200, 220))
    slow = [pixel_means(back_project(s, 0.6, angles, kernel, size=256, pixel_mm=0.3)) for s in sinograms]
    fast = make_noise((16, 128, 128), (0.6, 0.6, 1.0), Scanner(kernel, 5), thickness_mm=1.0, rng=rng)
    frequency, expected = radial_spectrum(np.concatenate([windows(image, 32, 16) for image in slow]), 0.6)
    _, found = radial_spectrum(np.concatenate([windows(image, 32, 16) for image in fast]), 0.6)
    ratio = found / found.sum() / (expected / expected.sum())
    assert np.abs(ratio - 1).max() < 0.2 and np.abs(ratio - 1).mean() < 0.08
    assert frequency[-1] > 0.7  # beyond where the sharpest kernel ends


def test_noise_of_scanned_slices_has_the_same_spectrum():
    # Photon noise of a water disc, the whole chain: the difference of two scans is noise alone.
    rows, columns = np.mgrid[:160, :160] - 79.5
    disc = np.where(np.hypot(rows, columns) < 70, 0.0, -1000.0)
    scans = [scan_slice(disc, 1.0, "soft", photons=3e5, num_angles=180, seed=s) for s in range(4)]
    pairs = [(scans[k] - scans[k + 1])[45:115, 45:115] for k in (0, 2)]
    frequency, found = radial_spectrum(np.concatenate([windows(pair, 28, 7) for pair in pairs]), 1.0)
    expected = noise_spectrum(frequency, "soft")
    assert np.corrcoef(found, expected)[0, 1] > 0.95
    assert scans[0][60:100, 60:100].mean() == pytest.approx(0, abs=3)


def test_noise_has_the_spectrum_of_a_real_scan():
    if not data.available("lidc_idri_0314"):
        pytest.skip("lidc_idri_0314 is not in the cache")
    # Neighbouring slices, 1 mm apart, differ by noise: soft tissue only. Its kernel is a sharp one.
    slices = data.load_lidc_slices()
    pixel_mm, found = slices.spacing_mm[0], []
    for k in np.flatnonzero(np.abs(np.diff(slices.position_mm) - 1) < 0.1):
        smooth = [ndimage.gaussian_filter(slices.image_hu[i], 2.5) for i in (k, k + 1)]
        soft = np.all([(s > 0) & (s < 80) for s in smooth], axis=0)
        difference = slices.image_hu[k + 1] - slices.image_hu[k]
        found.append(windows(difference, 24, 12)[windows(soft, 24, 12).all(axis=(1, 2))])
    rng = np.random.default_rng(0)
    ours = make_noise((40, 96, 96), (pixel_mm, pixel_mm, 1.0), Scanner("sharp"), thickness_mm=1.0, rng=rng)
    _, power = radial_spectrum(np.concatenate(found), pixel_mm)
    _, simulated = radial_spectrum(np.concatenate([windows(image, 24, 24) for image in ours]), pixel_mm)
    assert np.abs(power / power.max() - simulated / simulated.max()).max() < 0.2


def test_back_projection_undoes_projection():
    # A disc of radius 20 and value 3: chords of length 2 sqrt(r^2 - s^2); inside, the image comes back.
    rows, columns = np.mgrid[:96, :96] - 47.5
    disc = 3.0 * np.clip(20.5 - np.hypot(rows, columns), 0, 1)
    angles = np.arange(180) * np.pi / 180
    sinogram = project(disc, 0.5, angles)
    offset = np.arange(96) - 47.5
    chord = 3.0 * 2 * np.sqrt(np.maximum(20.0**2 - offset**2, 0)) * 0.5
    assert np.abs(sinogram - chord).max() < 0.03 * chord.max()
    image = back_project(sinogram, 0.5, angles, "sharp")
    assert image[40:56, 40:56].mean() == pytest.approx(3.0, rel=0.02)
    assert abs(image[4:8, 40:56].mean()) < 0.03


def test_projections_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"square slice, got shape \(4, 5\)"):
        project(np.zeros((4, 5)), 1.0, np.zeros(1))
    with pytest.raises(ValueError, match=r"each of 3 angles, got \(2, 4\)"):
        back_project(np.zeros((2, 4)), 1.0, np.zeros(3), "soft")
    with pytest.raises(ValueError, match="photons must be more than 0, got 0"):
        scan_slice(np.zeros((8, 8)), 1.0, "soft", photons=0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_noise_has_the_standard_deviation_of_the_scanner(kernel):
    # On pixels much finer than the blur all of the power is there.
    scanner = Scanner(kernel, 4.0)
    noise = make_noise((4, 256, 256), (0.12, 0.12, 2.0), scanner, thickness_mm=2.0, rng=np.random.default_rng(0))
    assert noise.std() == pytest.approx(scanner.noise_hu(2.0), rel=0.03)
    assert abs(noise.mean()) < 0.02 * noise.std()


def test_noise_falls_with_dose_thickness_and_softness():
    # A quarter of the dose, or of the thickness: twice the noise.
    assert Scanner("soft", 2.0).noise_hu(2.5) == pytest.approx(2 * Scanner("soft", 8.0).noise_hu(2.5))
    assert Scanner("soft", 8.0).noise_hu(1.0) == pytest.approx(2 * Scanner("soft", 8.0).noise_hu(4.0))
    soft, standard, sharp = (Scanner(kernel).noise_hu(1.0) for kernel in KERNELS)
    assert soft < standard < sharp


def test_large_pixels_average_noise_away():
    scanner, rng = Scanner("sharp", 4.0), np.random.default_rng(0)
    fine, coarse = (make_noise((4, 128, 128), (s, s, 1.0), scanner, thickness_mm=1.0, rng=rng) for s in (0.5, 2.0))
    assert coarse.std() < 0.35 * fine.std()


def test_overlapping_slices_share_noise():
    # Slices of 3 mm every 1 mm: neighbours share 2 of 3 mm, those 3 mm apart nothing.
    noise = make_noise((40, 64, 64), (0.8, 0.8, 1.0), Scanner(), thickness_mm=3.0, rng=np.random.default_rng(2))
    near, far = (np.corrcoef(noise[:-k].ravel(), noise[k:].ravel())[0, 1] for k in (1, 3))
    alone = make_noise((40, 64, 64), (0.8, 0.8, 3.0), Scanner(), thickness_mm=3.0, rng=np.random.default_rng(2))
    assert noise.std() == pytest.approx(alone.std(), rel=0.05)
    assert near == pytest.approx(2 / 3, abs=0.03) and far == pytest.approx(0, abs=0.03)


def test_few_thick_slices_keep_the_noise_and_their_ends_are_apart():
    # 2 slices, 20 mm thick, 0.3 mm apart: almost one noise, and its size that of one slice. 8 slices of 5 mm every mm:
    # the first and the last lie 7 mm apart and share nothing.
    for count, step_mm, thick_mm, shared in ((2, 0.3, 20.0, 1.0), (8, 1.0, 5.0, 0.0)):
        rng = np.random.default_rng(3)
        noise = make_noise((count, 128, 128), (0.2, 0.2, step_mm), Scanner(), thickness_mm=thick_mm, rng=rng)
        assert noise.std() == pytest.approx(Scanner().noise_hu(thick_mm), rel=0.15)
        assert np.corrcoef(noise[0].ravel(), noise[-1].ravel())[0, 1] == pytest.approx(shared, abs=0.1)


@pytest.mark.parametrize("kernel", KERNELS)
def test_transfer_is_one_at_zero_and_a_half_where_it_says(kernel):
    assert transfer(0.0, kernel) == pytest.approx(1)
    assert transfer(ct_scanner._HALF_MM[kernel], kernel) == pytest.approx(0.5)
    assert transfer(3.0, kernel) < 0.01


def test_blur_of_waves_is_the_transfer_function():
    # A cosine of 0.25 per mm on pixels of 0.5 mm; its pixel means are sinc(0.125) of the wave. The wave fits 80 pixels.
    place = np.arange(160) * 0.5
    wave = np.cos(2 * np.pi * 0.25 * place) * np.sinc(0.25 * 0.5)
    image = np.broadcast_to(wave, (1, 160, 160)).astype(np.float32)
    shown = blur(image, (0.5, 0.5, 1.0), "standard")[0, 80, 40:120]
    assert np.ptp(shown) / 2 == pytest.approx(transfer(0.25, "standard"), abs=0.01)


def test_blur_keeps_flat_images_and_their_borders():
    flat = np.full((2, 32, 40), -870.0, np.float32)
    np.testing.assert_allclose(blur(flat, (0.7, 0.7, 1), "sharp"), flat, atol=0.01)


def test_acquire_depends_on_the_generator_alone_and_is_not_below_air():
    grid = Grid((-16.0, -16.0, 0.0), (1.0, 1.0, 1.0), (32, 32, 1), 1.0)
    image = np.full((1, 32, 32), -1000.0, np.float32)
    first, again, other = (acquire(image, grid, Scanner("sharp", 1.0), np.random.default_rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other) and first.min() == -1024


def test_scanner_refuses():
    with pytest.raises(ValueError, match="kernel must be one of soft, standard, sharp, got 'B30f'"):
        Scanner("B30f")
    with pytest.raises(ValueError, match=r"dose_mgy must be 0.01 to 1000 \(a screening CT has 1 to 3\), got 0"):
        Scanner("soft", 0)
    with pytest.raises(ValueError, match=r"dose_mgy must be 0.01 to 1000 .*, got nan"):
        Scanner("soft", float("nan"))
    with pytest.raises(ValueError, match=r"dose_mgy must be .*, got 'low'"):
        Scanner("soft", "low")
