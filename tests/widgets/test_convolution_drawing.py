"""What the convolution explorer draws is what SciPy computes, at both ends of every slider."""

import itertools
import re

import numpy as np
import pytest
from scipy import signal

from medlearn.widgets import draw_convolution_1d, draw_convolution_2d, explore_convolution
from medlearn.widgets.convolution import CURVES, named_kernel

IMAGE = np.random.default_rng(1).normal(40, 20, size=(24, 30))


def line(axes, label):
    (found,) = [each for each in axes.lines if each.get_label() == label]
    return found.get_data()


@pytest.mark.parametrize(("f", "g"), list(itertools.product(["box", "ramp", "Gaussian"], ["two boxes", "decay"])))
@pytest.mark.parametrize("x", [-4.0, -0.3, 0.0, 1.0, 4.0])
def test_draw_1d_marks_a_point_of_the_drawn_curve(f, g, x):
    upper, lower = draw_convolution_1d(f=f, g=g, x=x).figure.axes
    t, still = line(upper, "f(t), stays")
    _, moved = line(upper, "g(x − t), flipped, moves")
    (now_x,), (now_area,) = line(lower, "now")
    where, result = line(lower, "(f ∗ g) up to x")
    # the shaded area, by the trapezium rule on what is drawn
    assert now_area == pytest.approx(np.trapezoid(still * moved, t), abs=1e-9)
    # the end of the drawn curve is the marked point
    assert (where[-1], result[-1]) == pytest.approx((x, now_area), abs=1e-9)
    assert now_x == x


def test_draw_1d_flips_g():
    # decay starts at 0 and falls to the right; flipped and moved to 1 it starts at 1 and falls to the left.
    upper = draw_convolution_1d(f="box", g="decay", x=1.0).figure.axes[0]
    t, moved = line(upper, "g(x − t), flipped, moves")
    assert t[moved > 0].max() == pytest.approx(1.0, abs=0.01)
    assert moved[np.argmin(np.abs(t - 0.5))] == pytest.approx(np.exp(-2 * 0.5), abs=0.02)


def test_draw_1d_shades_the_product():
    upper = draw_convolution_1d(f="box", g="box", x=1.0).figure.axes[0]
    (shaded,) = upper.collections
    corners = shaded.get_paths()[0].vertices
    inside = corners[corners[:, 1] > 0.5]
    # the boxes overlap from 0 to 1
    assert (inside[:, 0].min(), inside[:, 0].max()) == pytest.approx((0, 1), abs=0.011)
    assert shaded.get_hatch() == "///"


def test_draw_1d_describes_itself():
    alt = draw_convolution_1d(f="box", g="box", x=-1.0).alt
    assert alt == "f: box. g: box, flipped and moved to x = -1.0. The area of their product, (f * g)(-1.0), is 1.00."


@pytest.mark.parametrize("options", [{"f": "sinc"}, {"g": "sinc"}])
def test_draw_1d_refuses_a_curve(options):
    with pytest.raises(ValueError, match="no curve called 'sinc'; the names are box"):
        draw_convolution_1d(**options)


@pytest.mark.parametrize("x", [-4.1, 4.1, float("nan")])
def test_draw_1d_refuses_x(x):
    with pytest.raises(ValueError, match="x must be from -4 to 4"):
        draw_convolution_1d(x=x)


def drawn_images(shown):
    return [axes.get_images()[0] for axes in shown.figure.axes[:3]]


@pytest.mark.parametrize("kernel", ["Gaussian", "box"])
@pytest.mark.parametrize("size", [1, 15])
@pytest.mark.parametrize("sigma", [0.2, 5.0])
@pytest.mark.parametrize("padding", ["none", "zeros"])
@pytest.mark.parametrize("stride", [1, 4])
def test_draw_2d_output_equals_scipy_at_both_ends(kernel, size, sigma, padding, stride):
    shown = draw_convolution_2d(
        IMAGE, alt="Noise", kernel=kernel, size=size, sigma=sigma, padding=padding, stride=stride
    )
    source, weights, output = drawn_images(shown)
    used = named_kernel(kernel, size=size, sigma=sigma)
    wanted = signal.convolve2d(IMAGE, used, mode="valid" if padding == "none" else "same")
    assert np.array_equal(source.get_array(), IMAGE)
    assert np.array_equal(weights.get_array(), used)
    assert np.allclose(output.get_array(), wanted[::stride, ::stride])
    title = shown.figure.axes[2].get_title()
    assert title.endswith(f"{output.get_array().shape[0]} × {output.get_array().shape[1]}")


@pytest.mark.parametrize(("padding", "stride", "wanted"), [
    ("none", 1, (1.5, 27.5, 21.5, 1.5)),   # 5 x 5: outputs stand on columns 2 to 27 and rows 2 to 21
    ("zeros", 1, (-0.5, 29.5, 23.5, -0.5)),
    ("zeros", 4, (-2, 30, 22, -2)),        # columns 0, 4 ... 28, each 4 wide: 28 + 2 = 30
    ("none", 3, (0.5, 27.5, 21.5, 0.5)),   # columns 2, 5 ... 26, each 3 wide: 2 - 1.5 to 26 + 1.5
])  # fmt: skip
def test_draw_2d_output_stands_in_the_frame_of_the_input(padding, stride, wanted):
    shown = draw_convolution_2d(IMAGE, alt="Noise", size=5, padding=padding, stride=stride)
    axes = shown.figure.axes[2]
    assert tuple(axes.get_images()[0].get_extent()) == wanted
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 29.5), (23.5, -0.5))


def test_draw_2d_grey_values():
    _, _, smooth = drawn_images(draw_convolution_2d(IMAGE, alt="Noise", window_hu=(40, 80)))
    assert smooth.get_clim() == (0, 80)
    _, _, edges = drawn_images(draw_convolution_2d(IMAGE, alt="Noise", kernel="Sobel x", window_hu=(40, 80)))
    assert edges.get_clim()[0] == -edges.get_clim()[1] < 0


@pytest.mark.parametrize(("kernel", "size", "numbers"), [("Sobel x", 3, 9), ("Gaussian", 7, 49), ("Gaussian", 9, 0)])
def test_draw_2d_writes_the_numbers_of_a_small_kernel(kernel, size, numbers):
    axes = draw_convolution_2d(IMAGE, alt="Noise", kernel=kernel, size=size).figure.axes[1]
    assert len(axes.texts) == numbers
    if kernel == "Sobel x":
        assert [text.get_text() for text in axes.texts] == ["1", "0", "−1", "2", "0", "−2", "1", "0", "−1"]


def test_draw_2d_of_a_flat_image_with_a_derivative():
    shown = draw_convolution_2d(np.ones((9, 9)), alt="Flat", kernel="Laplacian", padding="reflect")
    assert drawn_images(shown)[2].get_clim() == (-1, 1)
    assert shown.png()


def test_draw_2d_describes_itself():
    alt = draw_convolution_2d(np.eye(9), alt="A line.", kernel="box", size=3, padding="none", stride=2).alt
    assert re.match(
        r"A line\. Convolved with the box kernel, 3 × 3, padding none, stride 2: input 9 × 9, output 4 × 4 pixels,"
        r" values from 0 to 0\.3333 pixel value\.",
        alt,
    )


def test_explore_convolution_1d_draws_every_choice_at_both_ends():
    explorer = explore_convolution()
    slider = explorer.controls["x"]
    for f, g, x in itertools.product(CURVES, ["decay"], [slider.min, slider.max]):
        explorer.update(f=f, g=g, x=x)
        assert f"f: {f}. g: {g}, flipped and moved to x = {x:.1f}" in explorer.html


def test_explore_convolution_2d_draws_both_ends_and_switches_unused_sliders_off():
    explorer = explore_convolution(IMAGE, alt="Noise.", window_hu="soft tissue")
    for name in ("size", "sigma", "stride"):
        slider = explorer.controls[name]
        for end in (slider.min, slider.max):
            explorer.update(**{name: end})
            assert explorer.html.startswith("<img ")
    explorer.update(kernel="box")
    assert [explorer.controls[name].disabled for name in ("size", "sigma")] == [False, True]
    explorer.update(kernel="Sobel x")
    assert [explorer.controls[name].disabled for name in ("size", "sigma")] == [True, True]
    assert "Convolved with the Sobel x kernel" in explorer.picture.alt


@pytest.mark.parametrize(("rows", "largest"), [(1, 1), (4, 3), (5, 5), (40, 15)])
def test_explore_convolution_2d_of_a_small_image_keeps_the_kernel_inside(rows, largest):
    explorer = explore_convolution(np.eye(rows, 50), alt="A line.")
    assert explorer.controls["size"].max == largest
    explorer.update(size=largest, padding="none")
    assert explorer.html.startswith("<img ")


def test_explore_convolution_refuses():
    with pytest.raises(ValueError, match="alt must be a text"):
        explore_convolution(IMAGE)
    with pytest.raises(ValueError, match="must be a 2-D array"):
        explore_convolution(np.zeros((3, 3, 3)), alt="x")
    with pytest.raises(ValueError, match="holds NaN or infinite pixels"):
        explore_convolution(np.array([[np.nan, 1.0]]), alt="x")
