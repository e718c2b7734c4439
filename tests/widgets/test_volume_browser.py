"""The browser reaches every slice of every plane, and its menu and sliders agree."""

import numpy as np
import pytest
import SimpleITK as sitk

from medlearn.intensity import WINDOWS_HU
from medlearn.widgets import browse_volume
from medlearn.widgets.volume_browser import OWN


def volume(scale=1000.0, offset=-500.0, size=(6, 7, 4), direction=None):
    array = (np.random.default_rng(0).random(size[::-1]) * scale + offset).astype(np.float32)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.0, 3.0))
    if direction is not None:
        image.SetDirection(direction)
    return image


def shown_array(explorer):
    return explorer.picture.figure.axes[0].get_images()[0]


@pytest.mark.parametrize(("plane", "axis", "length"), [("axial", 0, 4), ("coronal", 1, 7), ("sagittal", 2, 6)])
def test_browser_shows_both_ends_of_every_plane(plane, axis, length):
    image = volume()
    explorer = browse_volume(image, alt="Noise", window_hu="bone")
    explorer.controls["plane"].value = plane
    assert explorer.controls["slice"].max == length - 1
    for index in (0, length - 1):
        explorer.update(slice=index)
        wanted = np.take(sitk.GetArrayFromImage(image), index, axis=axis)
        drawn = np.asarray(shown_array(explorer).get_array())
        assert np.array_equal(drawn, wanted if plane == "axial" else wanted[::-1])
        assert f"Noise: {plane} plane, slice {index} of 0 to {length - 1}, black at -500 HU" in explorer.picture.alt


def test_browser_follows_the_plane_without_an_error():
    # From the last of 7 coronal slices to the axial plane, which has 4.
    explorer = browse_volume(volume(), alt="Noise")
    explorer.controls["plane"].value = "coronal"
    explorer.controls["slice"].value = 6
    explorer.controls["plane"].value = "axial"
    assert explorer.values["slice"] == 2
    assert explorer.html.startswith("<img ")


def test_browser_of_a_turned_volume_uses_the_array_axis():
    # Voxel x runs to superior: axial planes are array[:, :, i], 6 of them.
    explorer = browse_volume(volume(direction=(0, 1, 0, 0, 0, 1, 1, 0, 0)), alt="Noise")
    assert explorer.controls["slice"].max == 5
    assert explorer.picture.figure.axes[0].get_title() == "axial, array[:, :, 3]"


@pytest.mark.parametrize("name", ["center", "width"])
def test_browser_window_at_both_ends(name):
    explorer = browse_volume(volume(), alt="Noise", window_hu="lung")
    slider = explorer.controls[name]
    for end in (slider.min, slider.max):
        explorer.update(**{name: end})
        center, width = explorer.values["center"], explorer.values["width"]
        assert shown_array(explorer).get_clim() == (center - width / 2, center + width / 2)


@pytest.mark.parametrize(("scale", "offset"), [(4000, -1000), (1, 0)])
def test_browser_menu_and_sliders_agree(scale, offset):
    explorer = browse_volume(volume(scale, offset), alt="Noise", window_hu="lung")
    menu = explorer.widget.children[0].children[0]
    assert menu.value == "lung"
    for name, (center, width) in WINDOWS_HU.items():
        menu.value = name
        assert (explorer.values["center"], explorer.values["width"]) == (center, width)
        assert shown_array(explorer).get_clim() == (center - width / 2, center + width / 2)
        assert menu.value == name
    explorer.controls["width"].value = 555
    assert menu.value == OWN


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.003, 7.0), (0.0, 5.0), (1e5, -3.0)])
def test_browser_of_other_units_starts_with_the_whole_range(scale, offset):
    image = volume(scale, offset)
    array = sitk.GetArrayFromImage(image)
    explorer = browse_volume(image, alt="Noise", unit="a.u.")
    low, high = shown_array(explorer).get_clim()
    span = float(np.ptp(array))
    assert low == pytest.approx(array.min(), abs=0.02 * span + 1)
    if span > 0:
        assert low == pytest.approx(array.min(), abs=0.02 * span)
        assert high == pytest.approx(array.max(), abs=0.02 * span)
    assert len(explorer.widget.children[0].children) == 4  # no menu of HU windows
    for name in ("center", "width"):
        slider = explorer.controls[name]
        for end in (slider.min, slider.max):
            explorer.update(**{name: end})
            assert explorer.html.startswith("<img ")


def test_browser_keeps_a_window_wider_than_the_values():
    explorer = browse_volume(volume(scale=10, offset=0), alt="Noise", window_hu=(40, 400))
    assert shown_array(explorer).get_clim() == (-160, 240)


def test_browse_volume_refuses():
    with pytest.raises(ValueError, match="must be a 3-D SimpleITK image"):
        browse_volume(np.zeros((3, 3, 3)), alt="x")
    with pytest.raises(ValueError, match="alt must be a text"):
        browse_volume(volume(), alt=" ")
    with pytest.raises(ValueError, match="no window called 'liver'"):
        browse_volume(volume(), alt="x", window_hu="liver")
    nothing = sitk.GetImageFromArray(np.full((2, 2, 2), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match="no finite value"):
        browse_volume(nothing, alt="x")
