"""Masks are drawn on their own pixels' edges, and differ in more than colour."""

import numpy as np
import pytest

from medlearn import plots
from medlearn.plots.overlay import named_masks

IMAGE = np.zeros((6, 8))


def outline(axes):
    """Return the corners (x0, x1, y0, y1) of the last contour drawn."""
    points = np.concatenate([path.vertices for path in axes.collections[-1].get_paths()])
    return [*np.array([points[:, 0].min(), points[:, 0].max(), points[:, 1].min(), points[:, 1].max()])]


@pytest.mark.parametrize(("spacing", "wanted"), [(None, [1.5, 4.5, 0.5, 2.5]), ((2.0, 0.5), [0.75, 2.25, 1.0, 5.0])])
def test_show_overlay_outlines_the_pixels(spacing, wanted):
    # Rows 1 and 2, columns 2 to 4: edges half a pixel outside, so x from 1.5 to 4.5 and y from 0.5 to 2.5.
    mask = np.zeros((6, 8), dtype=int)
    mask[1:3, 2:5] = 1
    axes = plots.show_overlay(IMAGE, mask, alt="x", spacing_mm=spacing).figure.axes[0]
    assert np.allclose(outline(axes), wanted, atol=0.13)  # the contour cuts a quarter pixel's corner


def test_show_overlay_closes_masks_at_the_border():
    axes = plots.show_overlay(IMAGE, np.ones((6, 8), bool), alt="x").figure.axes[0]
    assert np.allclose(outline(axes), [-0.5, 7.5, -0.5, 5.5], atol=0.13)


def test_show_overlay_legend_names_differ_in_style_and_hatch():
    mask = np.arange(48).reshape(6, 8) % 8
    axes = plots.show_overlay(IMAGE, mask, alt="x", labels={1: "nodule"}).figure.axes[0]
    handles = axes.get_legend().get_patches()
    assert [text.get_text() for text in axes.get_legend().get_texts()][:3] == ["nodule", "label 2", "label 3"]
    assert len({handle.get_hatch() for handle in handles}) == 7
    outlines = axes.collections[2::3]  # each mask: its fill, a black edge, its own outline
    assert len({str(drawn.get_linestyle()) for drawn in outlines}) == 7
    assert len({handle.get_edgecolor() for handle in handles}) == 7


def test_show_overlay_of_an_empty_mask_is_the_image():
    shown = plots.show_overlay(IMAGE, np.zeros((6, 8)), alt="x")
    assert shown.figure.axes[0].get_legend() is None
    assert shown.png()


def test_show_overlay_of_readers_keeps_an_empty_reader():
    masks = {"reader 1": np.eye(6, 8) > 0, "reader 2": np.zeros((6, 8), bool)}
    axes = plots.show_overlay(IMAGE, masks, alt="x", fill=False, window_hu="lung", colorbar=True).figure.axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["reader 1", "reader 2"]


def test_named_masks_by_sequence():
    masks = named_masks(np.array([[0, 1], [2, 2]]), (2, 2), ["grey", "white"])
    assert masks["grey"].tolist() == [[False, True], [False, False]]
    assert masks["white"].tolist() == [[False, False], [True, True]]


@pytest.mark.parametrize(
    ("mask", "labels", "match"),
    [
        (np.zeros((5, 8)), None, r"mask2d has shape \(5, 8\), but the image has shape \(6, 8\)"),
        ({"reader": np.zeros((8, 6))}, None, r"reader has shape \(8, 6\)"),
        (np.full((6, 8), 0.3), None, "Cut probabilities at a threshold first"),
        (np.full((6, 8), -1), None, "whole numbers 0, 1, 2"),
        (np.full((6, 8), np.nan), None, "whole numbers 0, 1, 2"),
        (np.full((6, 8), 3), ["a"], "the mask holds the value 3, but labels has 1 names"),
        (np.arange(48).reshape(6, 8), None, "47 masks are more than a figure can tell apart"),
    ],
)
def test_show_overlay_refuses(mask, labels, match):
    with pytest.raises(ValueError, match=match):
        plots.show_overlay(IMAGE, mask, alt="x", labels=labels)
