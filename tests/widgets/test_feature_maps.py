"""The explorer of feature maps draws the channels it is given, at both ends of its controls."""

import numpy as np
import pytest

from medlearn.widgets import draw_feature_maps, explore_feature_maps


@pytest.fixture
def images():
    return np.random.default_rng(0).random((3, 8, 10))


@pytest.fixture
def maps():
    rng = np.random.default_rng(1)
    first = rng.random((3, 6, 8, 5))
    second = rng.random((3, 3, 4, 20))
    second[..., [2, 7, 11, 19]] *= 0.01  # 20 channels, 16 places: these are left out
    return {"first": first, "second": second}


def images_of(picture):
    """Return the arrays of the figure: the patch first, then the maps."""
    panels = [axes for part in picture.figure.subfigs for axes in part.axes]
    return [np.asarray(axes.images[0].get_array()) for axes in panels if axes.images]


@pytest.mark.parametrize("patch", [0, 2])
def test_the_patch_and_each_channel_are_drawn(images, maps, patch):
    drawn = images_of(draw_feature_maps(images, maps, layer="first", patch=patch))
    np.testing.assert_array_equal(drawn[0], images[patch])
    assert len(drawn) == 6
    for channel in range(5):
        np.testing.assert_array_equal(drawn[1 + channel], maps["first"][patch, :, :, channel])


@pytest.mark.parametrize("patch", [0, 2])
def test_the_strongest_sixteen_keep_their_places(images, maps, patch):
    drawn = images_of(draw_feature_maps(images, maps, layer="second", patch=patch))
    kept = [channel for channel in range(20) if channel not in (2, 7, 11, 19)]
    assert len(drawn) == 17
    for place, channel in enumerate(kept):
        np.testing.assert_array_equal(drawn[1 + place], maps["second"][patch, :, :, channel])


def test_all_maps_share_the_scale_of_all_patches(images, maps):
    maps["first"][1, 0, 0, 3] = 7.5  # in another patch than the one that is drawn
    picture = draw_feature_maps(images, maps, layer="first", patch=0)
    limits = {axes.images[0].get_clim() for axes in picture.figure.subfigs[1].axes if axes.images}
    assert limits == {(0.0, 7.5)}


def test_the_alternative_text_says_what_answers(images, maps):
    maps["first"][2] = 0
    maps["first"][2, 1, 1, 4] = 0.25
    words = draw_feature_maps(images, maps, layer="first", patch=2, names=["a", "b", "a vessel"]).alt
    assert words == (
        "Patch 2, a vessel, and what 5 of 5 channels of first answer to it; brightest: channel 4 with 0.25."
        " Dark channels: 4."
    )


def test_a_dead_layer_is_drawn_dark(images):
    picture = draw_feature_maps(images, {"dead": np.zeros((3, 4, 4, 2))}, layer="dead")
    assert picture.alt.endswith("Dark channels: 2.")
    assert picture.png()


@pytest.mark.parametrize("layer", ["first", "second"])
@pytest.mark.parametrize("patch", [0, 2])
def test_the_explorer_draws_both_ends_of_its_controls(images, maps, layer, patch):
    explorer = explore_feature_maps(images, maps, names=["a", "b", "c"])
    assert (explorer.controls["patch"].min, explorer.controls["patch"].max) == (0, 2)
    explorer.update(layer=layer, patch=patch)
    expected = draw_feature_maps(images, maps, layer=layer, patch=patch, names=["a", "b", "c"])
    assert explorer.picture.alt == expected.alt
    for found, wanted in zip(images_of(explorer.picture), images_of(expected), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_an_unknown_layer_is_refused(images, maps):
    with pytest.raises(ValueError, match="one of first, second, got 'third'"):
        draw_feature_maps(images, maps, layer="third")


@pytest.mark.parametrize("patch", [-1, 3, 1.5, True])
def test_a_patch_that_is_not_there_is_refused(images, maps, patch):
    with pytest.raises(ValueError, match="whole number from 0 to 2"):
        draw_feature_maps(images, maps, layer="first", patch=patch)


@pytest.mark.parametrize("shape", [(3, 6, 8), (2, 6, 8, 5), (3, 0, 8, 5)])
def test_maps_of_another_shape_are_refused(images, shape):
    with pytest.raises(ValueError, match="channels last"):
        draw_feature_maps(images, {"first": np.zeros(shape)}, layer="first")


def test_images_without_a_patch_axis_are_refused(images, maps):
    with pytest.raises(ValueError, match=r"\(patch, height, width\), got \(8, 10\)"):
        draw_feature_maps(images[0], maps, layer="first")


def test_names_that_do_not_fit_are_refused(images, maps):
    with pytest.raises(ValueError, match="each of the 3 patches, got 2"):
        draw_feature_maps(images, maps, layer="first", names=["a", "b"])


def test_no_maps_at_all_are_refused(images):
    with pytest.raises(ValueError, match="maps is empty"):
        explore_feature_maps(images, {})
