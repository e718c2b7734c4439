"""The explorer's convolutions equal SciPy's, PyTorch's and the integral."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, ndimage, signal

from medlearn.widgets.convolution import CURVES, KERNELS, PADDINGS, convolve_image, convolved_curves, named_kernel

IMAGE = np.random.default_rng(3).normal(size=(17, 20))


@pytest.mark.parametrize(("f", "g"), list(itertools.product(CURVES, repeat=2)))
def test_convolved_curves_equal_the_integral(f, g):
    x, result = convolved_curves(f, g)
    assert (x[0], x[-1]) == pytest.approx((-4, 4))
    assert np.allclose(np.diff(x), 0.01)
    breaks = [-2, -1.5, -1, -0.5, 0, 0.5, 0.75, 1, 1.25, 2]
    for at in (-2.5, -0.7, 0.0, 0.5, 1.3):
        points = sorted({b for b in [*breaks, *(at - b for b in breaks)] if -2 < b < 2})
        exact, _ = integrate.quad(lambda t, at=at: CURVES[f](t) * CURVES[g](at - t), -2, 2, points=points, limit=200)
        drawn = result[np.argmin(np.abs(x - at))]
        assert drawn == pytest.approx(exact, abs=2e-4)


def test_convolved_boxes_are_a_triangle():
    # Two boxes of width 2: the overlap is 2 - |x|.
    x, result = convolved_curves("box", "box")
    assert np.allclose(result, np.clip(2 - np.abs(x), 0, None), atol=1e-9)


def test_curves_stay_within_their_reach():
    t = np.linspace(-6, 6, 2401)
    for curve in CURVES.values():
        assert not curve(t)[np.abs(t) > 2].any()
        assert 0.98 < curve(t).max() <= 1


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("size", [1, 15])
@pytest.mark.parametrize("sigma", [0.2, 5.0])
def test_named_kernel_at_both_ends(name, size, sigma):
    weights = named_kernel(name, size=size, sigma=sigma)
    assert weights.shape == ((size, size) if name in ("Gaussian", "box") else (3, 3))
    wanted = 0 if name in ("Sobel x", "Sobel y", "Laplacian") else 1
    assert weights.sum() == pytest.approx(wanted)


def test_named_kernels_equal_scipy_inside():
    inside = (slice(1, -1), slice(1, -1))
    oracles = {
        "Sobel x": ndimage.sobel(IMAGE, axis=1),
        "Sobel y": ndimage.sobel(IMAGE, axis=0),
        "Laplacian": ndimage.laplace(IMAGE),
        "sharpen": IMAGE - ndimage.laplace(IMAGE),
        "identity": IMAGE,
        "box": ndimage.uniform_filter(IMAGE, 3),
    }
    for name, wanted in oracles.items():
        assert np.allclose(convolve_image(IMAGE, named_kernel(name, size=3)), wanted[inside])


def test_gaussian_equals_scipy():
    wanted = ndimage.gaussian_filter(IMAGE, 1.3, radius=4, mode="nearest")
    assert np.allclose(convolve_image(IMAGE, named_kernel("Gaussian", size=9, sigma=1.3), padding="nearest"), wanted)


@pytest.mark.parametrize("padding", list(PADDINGS))
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [1, 3, 5, 15])
def test_convolve_image_equals_torch_with_a_flipped_kernel(padding, stride, size):
    kernel = np.random.default_rng(size).normal(size=(size, size))
    pixels = torch.from_numpy(IMAGE)[None, None]  # (batch, channel, rows, columns)
    if padding != "none":
        mode = {"zeros": "constant", "reflect": "reflect", "nearest": "replicate"}[padding]
        pixels = torch.nn.functional.pad(pixels, [size // 2] * 4, mode=mode)
    flipped = torch.from_numpy(kernel[::-1, ::-1].copy())[None, None]
    wanted = torch.nn.functional.conv2d(pixels, flipped, stride=stride)[0, 0].numpy()
    result = convolve_image(IMAGE, kernel, padding=padding, stride=stride)
    assert result.shape == wanted.shape
    assert np.allclose(result, wanted, atol=1e-10)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(5, 30), columns=st.integers(5, 30), half=st.integers(0, 2), stride=st.integers(1, 4),
    padding=st.sampled_from(list(PADDINGS)),
)  # fmt: skip
def test_convolve_image_has_the_shape_of_the_formula(rows, columns, half, stride, padding):
    size, pad = 2 * half + 1, 0 if padding == "none" else half
    wanted = tuple((n + 2 * pad - size) // stride + 1 for n in (rows, columns))
    assert (
        convolve_image(np.ones((rows, columns)), np.ones((size, size)), padding=padding, stride=stride).shape == wanted
    )


def test_convolve_image_equals_scipy_full_size():
    kernel = np.random.default_rng(0).normal(size=(3, 5))
    assert np.allclose(convolve_image(IMAGE, kernel), signal.convolve2d(IMAGE, kernel, mode="valid"))
    assert np.allclose(convolve_image(IMAGE, kernel, padding="zeros"), signal.convolve2d(IMAGE, kernel, mode="same"))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: named_kernel("Prewitt"), "no kernel called 'Prewitt'; the names are identity"),
        (lambda: named_kernel("box", size=4), "size must be an odd number from 1, got 4"),
        (lambda: named_kernel("box", size=-1), "size must be an odd number"),
        (lambda: named_kernel("Gaussian", sigma=0), "sigma must be positive, got 0"),
        (lambda: named_kernel("Gaussian", sigma=float("nan")), "sigma must be positive"),
        (lambda: convolve_image(IMAGE, [[1]], padding="same"), "padding must be one of none, zeros"),
        (lambda: convolve_image(IMAGE, [[1]], stride=0), "stride must be a whole number from 1, got 0"),
        (lambda: convolve_image(IMAGE, np.ones((19, 19))), "larger than the image"),
        (lambda: convolve_image([[1.0, np.nan]], [[1]]), "holds NaN or infinite pixels"),
        (lambda: convolve_image(np.ones((2, 2, 3)), [[1]]), "must be a 2-D array"),
    ],
)
def test_convolution_refuses(call, match):
    with pytest.raises(ValueError, match=match):
        call()
