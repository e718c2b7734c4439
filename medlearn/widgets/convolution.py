"""Convolutions that the explorer draws: of two curves, and of an image with a named kernel."""

import numpy as np
from scipy import signal

from medlearn.plots.checks import check_image

STEP = 0.01
REACH = 4.0  # how far g moves
T_REACH = 5.0  # how far the axis of t reaches
KERNELS = ("identity", "Gaussian", "box", "Sobel x", "Sobel y", "Laplacian", "sharpen")
PADDINGS = {"none": None, "zeros": "constant", "reflect": "reflect", "nearest": "edge"}

# Each lies within -2 to 2, so that every convolution of two of them lies within -4 to 4.
CURVES = {
    "box": lambda t: np.where(np.abs(t) < 1, 1.0, 0.0),
    "two boxes": lambda t: np.where((np.abs(t + 1) < 0.5) | (np.abs(t - 1) < 0.25), 1.0, 0.0),
    "triangle": lambda t: np.clip(1 - np.abs(t), 0, None),
    "ramp": lambda t: np.where(np.abs(t) < 1, (t + 1) / 2, 0.0),
    "decay": lambda t: np.where((t > 0) & (t < 2), np.exp(-2 * np.abs(t)), 0.0),
    "Gaussian": lambda t: np.where(np.abs(t) < 2, np.exp(-0.5 * (t / 0.4) ** 2), 0.0),
}


def midpoints():
    """Return the middles of the 1000 steps of 0.01 from -5 to 5, where the integral's sum looks at the curves."""
    return -T_REACH + STEP * (np.arange(round(2 * T_REACH / STEP)) + 0.5)


def convolved_curves(f, g):
    """Return ``x`` and ``(f * g)(x)`` for two named curves, on all multiples of 0.01 from -4 to 4.

    Examples
    --------
    >>> x, result = convolved_curves("box", "box")
    >>> float(result.max().round(6)), float(x[result.argmax()].round(6))
    (2.0, 0.0)
    """
    t = midpoints()
    full = signal.convolve(CURVES[f](t), CURVES[g](t)) * STEP  # sample n lies at 2 t[0] + n STEP
    x = 2 * t[0] + np.arange(full.size) * STEP
    inside = np.abs(x) <= REACH + STEP / 2
    return x[inside], full[inside]


def named_kernel(name, *, size=3, sigma=1.0):
    """Return a square kernel, as it stands in the convolution sum: the convolution flips it.

    Parameters
    ----------
    name : {"identity", "Gaussian", "box", "Sobel x", "Sobel y", "Laplacian", "sharpen"}
    size : int
        Odd. Used by the Gaussian and the box; the others have 3 x 3 weights.
    sigma : float
        Of the Gaussian, in pixels.

    Returns
    -------
    ndarray of float64, shape (size, size)
        With "Sobel x" the response is positive where the image grows brighter to the right.

    Raises
    ------
    ValueError
        If the name is unknown, the size is not odd and positive, or sigma is not positive.

    Examples
    --------
    >>> named_kernel("Laplacian")
    array([[ 0.,  1.,  0.],
           [ 1., -4.,  1.],
           [ 0.,  1.,  0.]])
    """
    if name not in KERNELS:
        raise ValueError(f"there is no kernel called {name!r}; the names are {', '.join(KERNELS)}.")
    if size < 1 or size % 2 == 0 or int(size) != size:
        raise ValueError(f"size must be an odd number from 1, got {size}: an even kernel has no centre pixel.")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma} pixels.")
    if name == "box":
        return np.full((size, size), 1 / size**2)
    if name == "Gaussian":
        profile = np.exp(-0.5 * ((np.arange(size) - size // 2) / sigma) ** 2)
        weights = np.outer(profile, profile)
        return weights / weights.sum()
    one = np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    laplacian = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    sobel_x = np.outer([1.0, 2, 1], [1.0, 0, -1])
    fixed = {"identity": one, "Laplacian": laplacian, "sharpen": one - laplacian}
    return fixed.get(name, sobel_x if name == "Sobel x" else sobel_x.T)


def convolve_image(image, kernel, *, padding="none", stride=1):
    """Convolve an image with a kernel, true convolution: the kernel is flipped.

    Parameters
    ----------
    image : array of shape (rows, columns)
    kernel : array of shape (size, size)
    padding : {"none", "zeros", "reflect", "nearest"}
        What stands around the image, ``size // 2`` pixels wide. With "none" the output is smaller.
    stride : int
        Keep every ``stride``-th output.

    Returns
    -------
    ndarray of float64
        In each direction ``(n + 2 p - size) // stride + 1`` values, with ``p = size // 2``, or 0 without padding.

    Raises
    ------
    ValueError
        If the padding is unknown, the stride is not positive, the kernel is larger than the image, or the image
        holds NaN.

    Examples
    --------
    >>> convolve_image([[1, 2, 3], [4, 5, 6], [7, 8, 9]], named_kernel("Sobel x"))
    array([[8.]])
    """
    pixels, weights = check_image(image).astype(float), check_image(kernel, name="kernel")
    if padding not in PADDINGS:
        raise ValueError(f"padding must be one of {', '.join(PADDINGS)}, got {padding!r}.")
    if stride < 1 or int(stride) != stride:
        raise ValueError(f"stride must be a whole number from 1, got {stride}.")
    if min(pixels.shape) < max(weights.shape):
        raise ValueError(f"the kernel {weights.shape} is larger than the image {pixels.shape}: take a smaller one.")
    if not np.isfinite(pixels).all():
        raise ValueError("the image holds NaN or infinite pixels, which would spread: fill them first.")
    if PADDINGS[padding] is not None:
        rows, columns = (n // 2 for n in weights.shape)
        pixels = np.pad(pixels, ((rows, rows), (columns, columns)), mode=PADDINGS[padding])
    return signal.convolve(pixels, weights, mode="valid")[::stride, ::stride]
