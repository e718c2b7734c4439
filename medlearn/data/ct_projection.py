"""One slice the long way: projections by the Radon transform, quantum noise, filtered back-projection.

:mod:`medlearn.data.ct_scanner` adds noise with the spectrum that comes out here; a test compares the two.
"""

import numpy as np
from scipy import fft, ndimage

from medlearn.data.ct_scanner import transfer

_FINER = 4  # points between detector elements, so that the linear interpolation between them blurs nothing
WATER_PER_MM = 0.0193  # attenuation at about 70 keV, the mean energy of a beam of 120 kV


def project(image, spacing_mm, angles_rad):
    """Return the line integrals through an image, parallel beam.

    Parameters
    ----------
    image : ndarray of shape (row, column)
        Square; what is summed up per mm.
    spacing_mm : float
    angles_rad : ndarray of shape (angle,)
        Direction of the detector: 0 along the columns of a row.

    Returns
    -------
    ndarray of shape (angle, detector)
        The detector has as many elements as the image has columns, ``spacing_mm`` apart.

    Examples
    --------
    >>> image = np.zeros((9, 9))
    >>> image[4, 2:5] = 1.0
    >>> float(project(image, 2.0, np.array([np.pi / 2]))[0, 4])  # along the row: three pixels of 2 mm
    6.0
    """
    size = _check_square(image)
    place = np.arange(size) - (size - 1) / 2
    rays = []
    for angle in angles_rad:
        across, along = place[None, :], place[:, None]
        x = across * np.cos(angle) - along * np.sin(angle) + (size - 1) / 2
        y = across * np.sin(angle) + along * np.cos(angle) + (size - 1) / 2
        rays.append(ndimage.map_coordinates(image, [y, x], order=1).sum(axis=0) * spacing_mm)
    return np.array(rays)  # (angle, detector)


def back_project(sinogram, spacing_mm, angles_rad, kernel, *, size=None, pixel_mm=None):
    """Return the image that filtered back-projection makes of projections.

    Parameters
    ----------
    sinogram : ndarray of shape (angle, detector)
    spacing_mm : float
        Between detector elements.
    angles_rad : ndarray of shape (angle,)
        Evenly over half a turn.
    kernel : str
        The filter is a ramp times the transfer function of the kernel.
    size : int, optional
        Rows and columns of the image; else as many as detector elements.
    pixel_mm : float, optional
        Pixel size of the image; else the distance between detector elements.

    Returns
    -------
    ndarray of shape (size, size)
    """
    sinogram = np.asarray(sinogram, dtype=float)
    if sinogram.ndim != 2 or len(sinogram) != len(angles_rad):
        raise ValueError(f"expected a sinogram with a row for each of {len(angles_rad)} angles, got {sinogram.shape}.")
    size = sinogram.shape[1] if size is None else size
    filtered = _filter(sinogram, spacing_mm, kernel)  # (angle, 4 * detector)
    places = (np.arange(filtered.shape[1]) / _FINER) - (sinogram.shape[1] - 1) / 2
    middle = (np.arange(size) - (size - 1) / 2) * (1.0 if pixel_mm is None else pixel_mm / spacing_mm)
    image = np.zeros((size, size))
    for angle, row in zip(angles_rad, filtered, strict=True):
        place = middle[None, :] * np.cos(angle) + middle[:, None] * np.sin(angle)
        image += np.interp(place.ravel(), places, row, left=0, right=0).reshape(size, size)
    return image * np.pi / len(angles_rad)


def scan_slice(image_hu, spacing_mm, kernel, *, photons=2e5, num_angles=360, seed=0):
    """Scan one slice: project it, count photons, reconstruct. Slow, and the reference for the fast noise.

    Parameters
    ----------
    image_hu : ndarray of shape (row, column)
        Square, with air at its border.
    spacing_mm : float
    kernel : {"soft", "standard", "sharp"}
    photons : float
        Sent to each detector element at each angle; fewer give more noise. At 0.7 mm pixels, 2e5 are about 8 mGy.
    num_angles : int
    seed : int

    Returns
    -------
    ndarray of float32, (row, column), HU

    Raises
    ------
    ValueError
        If the image is not square, or there are no photons.
    """
    if not photons > 0:
        raise ValueError(f"photons must be more than 0, got {photons}.")
    angles = np.arange(num_angles) * np.pi / num_angles
    attenuation = np.maximum(1 + np.asarray(image_hu, dtype=float) / 1000, 0) * WATER_PER_MM
    ideal = project(attenuation, spacing_mm, angles)
    counts = np.random.default_rng(seed).poisson(photons * np.exp(-ideal))
    measured = -np.log(np.maximum(counts, 1) / photons)
    image = back_project(measured, spacing_mm, angles, kernel)
    return ((image / WATER_PER_MM - 1) * 1000).astype(np.float32)


def _filter(sinogram, spacing_mm, kernel):
    """Filter each projection with the ramp times the transfer function, and interpolate it band-limited."""
    count = sinogram.shape[1]
    length = 2 * fft.next_fast_len(count)
    lag = np.minimum(np.arange(length), length - np.arange(length))
    ramp = np.zeros(length)  # the ramp, band-limited, as it is in space: Kak and Slaney, chapter 3
    ramp[lag % 2 == 1] = -1 / (np.pi * lag[lag % 2 == 1] * spacing_mm) ** 2
    ramp[0] = 1 / (4 * spacing_mm**2)
    gain = fft.rfft(ramp).real * spacing_mm * transfer(fft.rfftfreq(length, spacing_mm), kernel)
    filtered = fft.irfft(fft.rfft(sinogram, length, axis=1) * gain, length * _FINER, axis=1) * _FINER
    return filtered[:, : (count - 1) * _FINER + 1]


def _check_square(image):
    if image.ndim != 2 or image.shape[0] != image.shape[1]:
        raise ValueError(f"expected a square slice, got shape {image.shape}; pad it with air.")
    return len(image)
