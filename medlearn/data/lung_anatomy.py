"""A piece of a slice of simulated lung: grain, vessels, small holes, and what a CT scanner makes of them."""

from dataclasses import dataclass

import numpy as np

PIXEL_MM = 0.7
_MARGIN_PX = 8  # computed around the piece: the Fourier transform joins opposite borders
_BLOOD_HU = 40.0

#: Between patients: mean and standard deviation, or lowest and highest value.
_PARENCHYMA_HU = (-865.0, 25.0)
_TEXTURE_HU = (25.0, 50.0)
_TEXTURE_SLOPE = (2.0, 3.2)
_BLUR_MM = (0.9, 2.0)
_NOISE_HU = (10.0, 36.0)
_GRADIENT_HU_PER_MM = (0.0, 1.5)
_RING_HU = (2.0, 8.0)
_SHARED = 0.8  # share of the variance of the grain that neighbouring slices have in common
#: Disease: what the severity 1 does; holes also without disease.
_LOSS_HU = 35.0
_HOLES_PER_CM2 = (0.3, 4.0)
_HOLE_DEPTH_HU = (40.0, 110.0)
_HOLE_RADIUS_MM = (0.8, 2.2)
#: Vessels; Murray's law for radii at a fork with two equal branches: r³ = 2 (0.79 r)³.
_VESSELS_PER_CM2 = 0.75
_VESSEL_RADIUS_MM = (0.25, 0.9)
_SLICE_MM = 1.5
_MURRAY = 0.5 ** (1 / 3)


@dataclass(frozen=True)
class Lung:
    """What is the same in every patch of a patient: the lung, and the scanner.

    ``rings_hu`` is the error of the detector along the distance from ``centre_mm``, the axis of the scanner.
    ``severity`` of the disease: 0 without it, else up to 1.
    """

    mean_hu: float
    texture_hu: float
    texture_slope: float
    blur_mm: float
    noise_hu: float
    gradient_hu_per_mm: np.ndarray
    rings_hu: np.ndarray
    centre_mm: np.ndarray
    severity: float

    @classmethod
    def draw(cls, rng, *, ill):
        severity = rng.beta(2.0, 2.0) if ill else 0.0
        return cls(
            mean_hu=rng.normal(*_PARENCHYMA_HU) - _LOSS_HU * severity,
            texture_hu=rng.uniform(*_TEXTURE_HU),
            texture_slope=rng.uniform(*_TEXTURE_SLOPE),
            blur_mm=rng.uniform(*_BLUR_MM),
            noise_hu=float(np.exp(rng.uniform(*np.log(_NOISE_HU)))),
            gradient_hu_per_mm=rng.uniform(*_GRADIENT_HU_PER_MM) * _direction(rng.uniform(0, 2 * np.pi)),
            rings_hu=rng.uniform(*_RING_HU) * rng.standard_normal(256),
            centre_mm=rng.uniform(50.0, 120.0) * _direction(rng.uniform(0, 2 * np.pi)),
            severity=severity,
        )

    def draw_slices(self, count, width, rng):
        """Return the HU of a piece of neighbouring slices, without noise, shape (count, width, width)."""
        field = width + 2 * _MARGIN_PX
        shared, *own = _coloured(self._grain, (count + 1, field, field), rng)
        mixed = [np.sqrt(_SHARED) * shared + np.sqrt(1 - _SHARED) * fresh for fresh in own]
        return np.stack([self._draw_slice(normal, width, rng) for normal in mixed])

    def _grain(self, frequency):
        return np.maximum(frequency, 0.03) ** (-self.texture_slope / 2)

    def _draw_slice(self, normal, width, rng):
        field = len(normal)
        tissue_hu = self.mean_hu + self.texture_hu * _skewed(normal)
        tissue_hu = np.maximum(tissue_hu - _holes(self.severity, field, rng), -1000.0)
        blood = _vessels(field, rng)
        image_hu = _blurred(tissue_hu + blood * (_BLOOD_HU - tissue_hu), self.blur_mm)
        inside = slice(_MARGIN_PX, _MARGIN_PX + width)
        place_mm = (np.indices((width, width)).transpose(1, 2, 0) - (width - 1) / 2) * PIXEL_MM  # (row, column, axis)
        ring = np.linalg.norm(place_mm - self.centre_mm, axis=-1) / (2 * PIXEL_MM)
        rings_hu = np.interp(ring, np.arange(len(self.rings_hu)), self.rings_hu)
        return image_hu[inside, inside] + place_mm @ self.gradient_hu_per_mm + rings_hu

    def draw_noise(self, count, size, rng):
        """Return noise in HU, shape (count, size, size): its spectrum is a ramp times the scanner's blur."""

        def amplitude(frequency):
            return np.sqrt(frequency) * _transfer(frequency, self.blur_mm)

        return self.noise_hu * _coloured(amplitude, (count, size + _MARGIN_PX, size + _MARGIN_PX), rng)[:, :size, :size]


def _direction(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _frequency(shape):
    """Return the spatial frequency of each term of ``rfft2``, in cycles per mm."""
    rows, columns = np.fft.fftfreq(shape[-2], PIXEL_MM), np.fft.rfftfreq(shape[-1], PIXEL_MM)
    return np.hypot(rows[:, None], columns)


def _transfer(frequency, blur_mm):
    """Return the transfer function of a Gaussian blur whose full width at half maximum is ``blur_mm``."""
    return np.exp(-2 * (np.pi * frequency * blur_mm / 2.355) ** 2)


def _blurred(image, blur_mm):
    return np.fft.irfft2(np.fft.rfft2(image) * _transfer(_frequency(image.shape), blur_mm), image.shape)


def _coloured(amplitude, shape, rng):
    """Return Gaussian noise whose spectrum has this amplitude; its expected standard deviation is 1."""
    gain = amplitude(_frequency(shape))
    gain[0, 0] = 0.0
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, shape[-2:])
    spread = np.fft.irfft2(gain, shape[-2:])  # what becomes of one pixel of white noise
    return noise / np.sqrt((spread**2).sum())


def _skewed(normal):
    """Return a lognormal texture of mean 0 and standard deviation 1: bright grains are vessels smaller than a pixel."""
    return (np.exp(0.5 * normal) - np.exp(0.125)) / np.sqrt(np.exp(0.5) - np.exp(0.25))


def _places(per_cm2, field, rng):
    width_mm = field * PIXEL_MM
    return rng.uniform(0, width_mm, (rng.poisson(per_cm2 * (width_mm / 10) ** 2), 2))


def _grid(field):
    return np.indices((field, field)) * PIXEL_MM  # (axis, row, column)


def _holes(severity, field, rng):
    """Return how many HU the small holes take away."""
    centres_mm = _places(_HOLES_PER_CM2[0] + severity * _HOLES_PER_CM2[1], field, rng)
    radius_mm = rng.uniform(*_HOLE_RADIUS_MM, (len(centres_mm), 1, 1))
    depth_hu = rng.uniform(*_HOLE_DEPTH_HU, (len(centres_mm), 1, 1))
    squared_mm = ((_grid(field)[:, None] - centres_mm.T[..., None, None]) ** 2).sum(axis=0)  # (hole, row, column)
    return (depth_hu * np.exp(-((squared_mm / radius_mm**2) ** 2))).sum(axis=0)


def _vessels(field, rng):
    """Return the share of blood in each pixel."""
    pieces = [piece for start_mm in _places(_VESSELS_PER_CM2, field, rng) for piece in _tree(start_mm, rng)]
    if not pieces:
        return np.zeros((field, field))
    start_mm, end_mm, radius_mm = (np.array(part, dtype=np.float32) for part in zip(*pieces, strict=True))
    along_mm = (end_mm - start_mm).T[..., None, None]  # (axis, piece, 1, 1)
    offset_mm = _grid(field).astype(np.float32)[:, None] - start_mm.T[..., None, None]  # (axis, piece, row, column)
    squared_mm = np.maximum(along_mm[0] ** 2 + along_mm[1] ** 2, 1e-6)
    place = (offset_mm[0] * along_mm[0] + offset_mm[1] * along_mm[1]) / squared_mm
    offset_mm -= np.clip(place, 0, 1) * along_mm  # to the nearest point of the piece
    radius_mm = radius_mm[:, None, None]
    disc = np.clip((radius_mm - np.hypot(*offset_mm)) / PIXEL_MM + 0.5, 0, 1)
    return (disc * np.minimum(1, 2 * radius_mm / _SLICE_MM)).max(axis=0)  # a thin vessel does not fill the slice


def _tree(start_mm, rng):
    """Return the pieces (start, end, radius) of a vessel that bends, forks at its end, and tapers."""
    radius_mm = np.exp(rng.triangular(*np.log(_VESSEL_RADIUS_MM)[[0, 0, 1]]))
    in_plane = rng.uniform(0, 1)  # the cosine of its tilt: near 0 it crosses the slice, a dot
    angle = rng.uniform(0, 2 * np.pi)
    stem, end_mm = _branch(start_mm, angle, radius_mm * np.array([1.0, 0.95]), in_plane, rng)
    pieces = list(stem)
    for turn in rng.uniform(0.35, 0.8, 2) * (1, -1):
        radii_mm = _MURRAY * radius_mm * np.array([1.0, 0.7, 0.4])
        pieces += _branch(end_mm, angle + turn, radii_mm, in_plane, rng)[0]
    return pieces


def _branch(start_mm, angle, radii_mm, in_plane, rng):
    """Return the pieces of one branch, and its end."""
    pieces = []
    step_mm = in_plane * radii_mm[0] * rng.uniform(3.0, 8.0)
    for radius_mm in radii_mm:
        end_mm = start_mm + step_mm * _direction(angle)
        pieces.append((start_mm, end_mm, radius_mm))
        start_mm, angle = end_mm, angle + rng.normal(0, 0.2)
    return pieces, start_mm
