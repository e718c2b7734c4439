"""The planes of a volume are drawn to scale, with their directions and the convention."""

import numpy as np
import pytest
import SimpleITK as sitk

from medlearn import plots


def volume(size=(20, 30, 10), spacing=(1.0, 1.0, 4.0), direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)):
    array = np.random.default_rng(0).normal(size=size[::-1]).astype(np.float32)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetDirection([float(value) for value in direction])
    return image


def letters(axes):
    """Return the letters at the left, right, top and bottom edge, by where the texts stand."""
    at = {text.get_position(): text.get_text() for text in axes.texts if text.get_transform() == axes.transAxes}
    return "".join(at[place] for place in [(0.02, 0.5), (0.98, 0.5), (0.5, 0.98), (0.5, 0.02)])


def test_show_orthogonal_letters_pixels_and_scale():
    image = volume()
    array = sitk.GetArrayFromImage(image)
    figure = plots.show_orthogonal(image, alt="Noise.", index=(3, 7, 2)).figure
    axial, coronal, sagittal = figure.axes[:3]
    assert [letters(axes) for axes in (axial, coronal, sagittal)] == ["RLAP", "RLSI", "APSI"]
    assert np.array_equal(axial.get_images()[0].get_array(), array[2])
    assert np.array_equal(coronal.get_images()[0].get_array(), array[::-1, 7])
    assert np.array_equal(sagittal.get_images()[0].get_array(), array[::-1, :, 3])
    figure.draw_without_rendering()
    # One scale: 20 x 30 mm axial, 20 x 40 mm coronal, 30 x 40 mm sagittal, in the same pixels per mm.
    scales = []
    for axes, (width, height) in zip((axial, coronal, sagittal), [(20, 30), (20, 40), (30, 40)], strict=True):
        box = axes.get_window_extent()
        scales += [box.width / width, box.height / height]
    assert np.allclose(scales, scales[0], rtol=0.02)


def test_show_orthogonal_cross_stands_on_the_voxel():
    figure = plots.show_orthogonal(volume(), alt="Noise.", index=(3, 7, 2)).figure
    coronal = figure.axes[1]
    across, down = coronal.lines[0].get_xdata()[0], coronal.lines[1].get_ydata()[0]
    # x = 3 mm from the left; z = 2 of 10 slices of 4 mm, from the top (9 - 2) * 4 = 28 mm
    assert (across, down) == (3.0, 28.0)


def test_alt_states_the_convention_and_the_tilt():
    straight = plots.show_plane(volume(), alt="Noise")
    assert straight.alt == (
        "Noise. Radiological convention: the patient's right is on the left of axial and coronal planes."
    )
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    tilted = plots.show_orthogonal(volume(direction=(1, 0, 0, 0, c, -s, 0, s, c)), alt="Noise.")
    assert tilted.alt.endswith("The planes are tilted by up to 20° from the patient's axes.")
    assert "tilted by up to 20°" in tilted.figure.get_supxlabel()


@pytest.mark.parametrize(("plane", "last"), [("axial", 9), ("coronal", 29), ("sagittal", 19)])
def test_show_plane_at_both_ends(plane, last):
    for index in (0, last):
        shown = plots.show_plane(volume(), alt="Noise.", plane=plane, index=index, window_hu=(0, 2))
        assert str(index) in shown.figure.axes[0].get_title()
        assert shown.figure.axes[0].get_images()[0].get_clim() == (-1, 1)


@pytest.mark.parametrize("image", [np.zeros((3, 3, 3)), sitk.Image(3, 3, sitk.sitkUInt8), None])
def test_show_plane_refuses_what_is_no_volume(image):
    with pytest.raises(ValueError, match="must be a 3-D SimpleITK image with one value for each voxel"):
        plots.show_plane(image, alt="x")


def test_show_orthogonal_refuses():
    with pytest.raises(ValueError, match=r"index must be \(x, y, z\) inside the size \(20, 30, 10\)"):
        plots.show_orthogonal(volume(), alt="x", index=(0, 0, 10))
    with pytest.raises(ValueError, match="alt must be a text"):
        plots.show_orthogonal(volume(), alt="")
    nothing = sitk.GetImageFromArray(np.full((2, 2, 2), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match="all 8 voxels are NaN or infinite"):
        plots.show_orthogonal(nothing, alt="x")
