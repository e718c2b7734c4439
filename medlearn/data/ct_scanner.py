"""The scanner of a simulated CT: blur, noise with the texture of filtered back-projection, dose and kernel."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from medlearn.data.options import check_number

KERNELS = ("soft", "standard", "sharp")
_HALF_MM = {"soft": 0.33, "standard": 0.42, "sharp": 0.62}  # frequency per mm at which half of the contrast is left
_BOOST = {"soft": 0.0, "standard": 0.12, "sharp": 0.45}  # edges are enhanced on purpose
_STANDARD_HU, _STANDARD_MGY, _STANDARD_MM = 11.0, 8.0, 2.5


@dataclass(frozen=True)
class Scanner:
    """How a scan is made.

    Parameters
    ----------
    kernel : {"soft", "standard", "sharp"}
        Sharper kernels show finer detail and more noise.
    dose_mgy : float
        CTDIvol. Screening: about 1 to 3; a usual chest CT: 5 to 10.
    """

    kernel: str = "standard"
    dose_mgy: float = 6.0

    def __post_init__(self):
        if self.kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, got {self.kernel!r}.")
        check_number("dose_mgy", self.dose_mgy, 0.01, 1000, hint=" (a screening CT has 1 to 3)")

    @classmethod
    def draw(cls, rng):
        """Draw a scanner as a hospital might have it: half of the scans with a standard kernel, 1 to 8 mGy."""
        kernel = str(rng.choice(KERNELS, p=[0.3, 0.5, 0.2]))
        return cls(kernel, float(np.exp(rng.uniform(np.log(1.0), np.log(8.0)))))

    def noise_hu(self, thickness_mm):
        """Return the standard deviation in the middle of an average chest, on pixels much finer than the blur.

        It falls with the square root of the dose and of the slice thickness; a sharper kernel has more of it.
        """
        ratio = noise_variance(self.kernel) / noise_variance("soft")
        return _STANDARD_HU * np.sqrt(ratio * _STANDARD_MGY / self.dose_mgy * _STANDARD_MM / thickness_mm)


def acquire(image_hu, grid, scanner, rng):
    """Return an image as a scanner would show it: blurred, noisy, not below -1024 HU.

    Rays through the middle of the body are weakened most, so the noise is strongest there.

    Parameters
    ----------
    image_hu : ndarray of float32, [z, y, x]
        Means over voxels.
    grid : Grid
        Where the voxels are; the middle of the body is at x = y = 0.
    scanner : Scanner
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, [z, y, x]
    """
    image = blur(image_hu, grid.spacing_mm, scanner.kernel)
    noise = make_noise(grid.shape, grid.spacing_mm, scanner, thickness_mm=grid.thickness_mm, rng=rng)
    far = (grid.axis_mm(0)[None, :] / 170) ** 2 + (grid.axis_mm(1)[:, None] / 130) ** 2
    image += noise * np.maximum(1.0 - 0.35 * far, 0.3).astype(np.float32)
    return np.maximum(image, -1024, out=image)


def transfer(frequency_mm, kernel):
    """Return the modulation transfer function of a kernel: the contrast left at frequencies per mm.

    Examples
    --------
    >>> float(transfer(0.0, "sharp"))
    1.0
    >>> round(float(transfer(0.42, "standard")), 2)
    0.5
    """
    scaled = np.asarray(frequency_mm) / _HALF_MM[kernel]
    boost = _BOOST[kernel]
    return (1 + boost * scaled**2) * 0.5 ** (scaled**2 * (1 + np.log2(1 + boost)))


def noise_spectrum(frequency_mm, kernel):
    """Return the noise power spectrum of filtered back-projection, in arbitrary units.

    The filter is a ramp times the transfer function; white noise in the projections becomes power f² H² of the filter
    over f lines through each frequency: f H(f)².

    References
    ----------
    Kijewski MF, Judy PF, Phys Med Biol 32:565, 1987, doi:10.1088/0031-9155/32/5/003.
    """
    return np.abs(frequency_mm) * transfer(frequency_mm, kernel) ** 2


@lru_cache(maxsize=len(KERNELS))
def noise_variance(kernel):
    """Return the integral of the noise power spectrum over the plane of frequencies, in the same arbitrary units."""
    frequency = np.linspace(0, 8 * _HALF_MM[kernel], 4001)
    return np.trapezoid(noise_spectrum(frequency, kernel) * 2 * np.pi * frequency, frequency)


def make_noise(shape, spacing_mm, scanner, *, thickness_mm, rng):
    """Return noise [z, y, x] in HU with the spectrum of the kernel; overlapping slices share theirs.

    Parameters
    ----------
    shape : tuple of int
        (slice, row, column)
    spacing_mm : sequence of float
        Along x, y, z.
    scanner : Scanner
    thickness_mm : float
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32
        Pixels as large as the blur, or larger, average some of the noise away, as in a scanner.
    """
    gain = _noise_filter(tuple(shape[1:]), tuple(spacing_mm[:2]), scanner.kernel)
    weights = _overlap(thickness_mm / spacing_mm[2]) if shape[0] > 1 else np.ones(1)
    white = rng.standard_normal((shape[0] + len(weights) - 1, *shape[1:]), dtype=np.float32)
    white = sum(np.float32(w) * white[k : k + shape[0]] for k, w in enumerate(weights))
    noise = fft.irfft2(fft.rfft2(white) * gain, s=shape[1:], overwrite_x=True)
    return noise * np.float32(scanner.noise_hu(thickness_mm))


def blur(image_hu, spacing_mm, kernel):
    """Return slices [z, y, x] as the kernel shows them. The pixels' own width, already in the values, is not added.

    Parameters
    ----------
    image_hu : ndarray of float32, [z, y, x]
        Means over pixels.
    spacing_mm : sequence of float
        Along x, y, z.
    kernel : str

    Returns
    -------
    ndarray of float32
    """
    rows, columns = image_hu.shape[1:]
    pad = 6  # pixels, so that what leaves at one side does not come in at the other
    padded = np.pad(image_hu, ((0, 0), (pad, pad), (pad, pad)), mode="edge")
    rest = _blur_filter(padded.shape[1:], tuple(spacing_mm[:2]), kernel)
    sharp = fft.irfft2(fft.rfft2(padded) * rest, s=padded.shape[1:], overwrite_x=True)
    return np.ascontiguousarray(sharp[:, pad : pad + rows, pad : pad + columns])


@lru_cache(maxsize=8)
def _noise_filter(shape, spacing_mm, kernel):
    """Return by how much ``make_noise`` multiplies each frequency of white noise."""
    density = noise_spectrum(_frequencies(shape, spacing_mm), kernel) / noise_variance(kernel)  # integral 1
    density *= _aperture(shape, spacing_mm) ** 2
    return np.sqrt(density / (spacing_mm[0] * spacing_mm[1])).astype(np.float32)


@lru_cache(maxsize=8)
def _blur_filter(shape, spacing_mm, kernel):
    """Return by how much ``blur`` multiplies each frequency of an image of pixel means."""
    rest = transfer(_frequencies(shape, spacing_mm), kernel) / np.maximum(_aperture(shape, spacing_mm), 0.4)
    return np.minimum(rest, 1 + _BOOST[kernel]).astype(np.float32)


def _frequencies(shape, spacing_mm):
    """Return the length of each frequency of ``rfft2``, per mm."""
    return np.hypot(fft.fftfreq(shape[0], spacing_mm[1])[:, None], fft.rfftfreq(shape[1], spacing_mm[0])[None, :])


def _aperture(shape, spacing_mm):
    """Return the transfer function of the mean over a pixel."""
    rows = np.sinc(fft.fftfreq(shape[0], spacing_mm[1]) * spacing_mm[1])
    return rows[:, None] * np.sinc(fft.rfftfreq(shape[1], spacing_mm[0]) * spacing_mm[0])[None, :]


def _overlap(overlap):
    """Return the weights of thin slices whose sum is a slice that overlaps its neighbours; their squares add to 1."""
    reach = max(int(np.ceil((overlap - 1) / 2)), 0)
    weights = np.clip((overlap + 1) / 2 - abs(np.arange(-reach, reach + 1)), 0, 1)
    return weights / np.sqrt((weights**2).sum())
