"""Slices are drawn true to their shape, with their values and their unit."""

import numpy as np
import pytest

from medlearn import plots

IMAGE = np.arange(12.0).reshape(3, 4)


def test_show_slice_in_mm_has_physical_aspect():
    figure = plots.show_slice(IMAGE, alt="x", spacing_mm=(5.0, 0.5)).figure
    axes = figure.axes[0]
    figure.draw_without_rendering()
    # 4 columns of 0.5 mm = 2 mm wide, 3 rows of 5 mm = 15 mm tall
    box = axes.get_window_extent()
    assert box.height / box.width == pytest.approx(15 / 2, rel=0.02)
    assert axes.get_images()[0].get_extent() == [-0.25, 1.75, 12.5, -2.5]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (mm)", "y (mm)")


def test_show_slice_in_pixels_has_whole_ticks():
    figure = plots.show_slice(IMAGE, alt="x").figure
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("column (pixel)", "row (pixel)")
    assert all(tick == round(tick) for tick in [*axes.get_xticks(), *axes.get_yticks()])


@pytest.mark.parametrize(
    ("window", "limits"), [((40, 400), (-160, 240)), ("lung", (-1350, 150)), ("bone", (-500, 1300))]
)
def test_show_slice_window_is_drawn_and_written(window, limits):
    figure = plots.show_slice(IMAGE, alt="x", window_hu=window).figure
    assert figure.axes[0].get_images()[0].get_clim() == limits
    width = limits[1] - limits[0]
    assert f"width {width} HU" in figure.get_supxlabel()
    assert figure.axes[1].get_ylabel() == "HU"


def test_show_slice_without_colorbar_has_one_axes():
    assert len(plots.show_slice(IMAGE, alt="x", colorbar=False).figure.axes) == 1


def test_show_slice_unit_and_limits():
    figure = plots.show_slice(IMAGE, alt="x", unit="mm", limits=(-1, 1), cmap="PuOr").figure
    assert figure.axes[0].get_images()[0].get_clim() == (-1, 1)
    assert figure.axes[1].get_ylabel() == "mm"


@pytest.mark.parametrize("image", [np.zeros((3, 4)), np.ones((2, 2), bool), np.array([[np.nan, 1.0]]), [[7]]])
def test_show_slice_draws_flat_boolean_nan_and_single_pixels(image):
    assert plots.show_slice(image, alt="x").png()[:4] == b"\x89PNG"


def test_show_slices_share_their_limits():
    figure = plots.show_slices([IMAGE, IMAGE - 5], titles=["a", "b"], alt="x").figure
    panels = [axes for axes in figure.axes if axes.get_images() and axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["a", "b"]
    assert {axes.get_images()[0].get_clim() for axes in panels} == {(-5.0, 11.0)}


def test_show_slices_scale_bar_has_its_length():
    figure = plots.show_slices([np.eye(100)], titles=["a"], alt="x", spacing_mm=0.7).figure
    # 100 columns of 0.7 mm: 70 mm; a third of it is 24.5 mm, and the next round length below is 20 mm
    (bar,) = [patch for patch in figure.axes[0].patches if patch.get_gid() == "scale bar"]
    assert bar.get_width() == 20
    assert "20 mm" in [text.get_text() for text in figure.axes[0].texts]


def test_show_slices_montage_removes_empty_panels():
    figure = plots.show_slices([IMAGE] * 5, titles=list("abcde"), alt="x", ncols=3, colorbar=False).figure
    assert len(figure.axes) == 5


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"spacing_mm": 0}, "spacing_mm must be one positive number"),
        ({"spacing_mm": (1, -1)}, "spacing_mm must be one positive number"),
        ({"spacing_mm": (1, 1, 1)}, "spacing_mm must be one positive number"),
        ({"window_hu": (40, 0)}, "positive width"),
        ({"window_hu": (40, -400)}, "positive width"),
        ({"window_hu": 40}, "positive width"),
        ({"window_hu": "liver"}, "no window called 'liver'; the names are lung"),
        ({"limits": (1, 1)}, r"limits must be \(low, high\)"),
        ({"limits": (0, 1), "window_hu": "lung"}, "not both"),
        ({"alt": " "}, "alt must be a text"),
    ],
)
def test_show_slice_refuses(options, match):
    with pytest.raises(ValueError, match=match):
        plots.show_slice(IMAGE, **{"alt": "x", **options})


@pytest.mark.parametrize(
    ("image", "match"),
    [
        (np.zeros((2, 2, 2)), r"2-D array of shape \(rows, columns\), got shape \(2, 2, 2\)"),
        (np.zeros(3), r"got shape \(3,\)"),
        (np.zeros((0, 3)), r"got shape \(0, 3\)"),
        (np.full((2, 2), np.nan), "all 4 pixels are NaN or infinite"),
        (np.array([["a"]]), "must hold real numbers, got dtype"),
    ],
)
def test_show_slice_refuses_the_image(image, match):
    with pytest.raises(ValueError, match=match):
        plots.show_slice(image, alt="x")


def test_show_slices_refuses_missing_titles_and_no_images():
    with pytest.raises(ValueError, match="titles must be a list of 2 texts"):
        plots.show_slices([IMAGE, IMAGE], titles=["a"], alt="x")
    with pytest.raises(ValueError, match="titles must be a list of 2 texts"):
        plots.show_slices([IMAGE, IMAGE], titles="ab", alt="x")
    with pytest.raises(ValueError, match="images is empty"):
        plots.show_slices([], titles=[], alt="x")
