"""Browse a volume: plane, slice and window."""

import math

import ipywidgets
import numpy as np
import SimpleITK as sitk

from medlearn.intensity import WINDOWS_HU
from medlearn.plots import show_plane
from medlearn.plots.checks import window_limits
from medlearn.plots.pictures import check_alt
from medlearn.plots.planes import PLANES, plane_axis
from medlearn.plots.volumes import check_volume
from medlearn.widgets.explorer import Explorer

OWN = "own: the sliders"


def browse_volume(image, *, alt, window_hu=None, unit=None):
    """Look through a volume with sliders for the plane, the slice and the window.

    Parameters
    ----------
    image : SimpleITK.Image
        A 3-D image with any direction matrix.
    alt : str
        What the volume is. Each frame adds the plane, the slice and the window.
    window_hu : (center, width) or str, optional
        The first window. With it the image counts as HU, and a menu offers the usual windows. Default: the whole
        range of values.
    unit : str, optional
        The unit of the values. Default: "HU" with a window, else "pixel value".

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        If the image is not 3-D, has no finite value, or the window or ``alt`` makes no sense.

    Examples
    --------
    >>> browse_volume(sitk.Image(8, 8, 4, sitk.sitkInt16), alt="Zeros").controls["slice"].max
    3
    """
    alt = check_alt(alt)
    check_volume(image)
    unit = unit or ("HU" if window_hu is not None else "pixel value")

    def draw(plane, slice, center, width):
        return draw_browsed(image, alt=alt, plane=plane, index=slice, window=(center, width), unit=unit)

    controls = _volume_controls(image, window_hu)
    _follow_plane(image, controls)
    if window_hu is None:
        return Explorer(draw, controls)
    menu = ipywidgets.Dropdown(options=[OWN, *WINDOWS_HU], description="window")
    explorer = Explorer(draw, controls, extra=[menu])
    _follow_menu(menu, explorer)
    return explorer


def draw_browsed(image, *, alt, plane, index, window, unit):
    """Draw one frame of :func:`browse_volume`.

    Examples
    --------
    >>> image = sitk.Image(8, 8, 4, sitk.sitkInt16)
    >>> draw_browsed(image, alt="Zeros", plane="axial", index=3, window=(0, 2), unit="HU").alt[:70]
    'Zeros: axial plane, slice 3 of 0 to 3, black at -1 HU, white at 1 HU. '
    """
    low, high = window_limits(window)
    last = plane_axis(image, plane)[1] - 1
    where = f"{plane} plane, slice {index} of 0 to {last}, black at {low:g} {unit}, white at {high:g} {unit}."
    words = f"{alt.rstrip('.')}: {where}"
    return show_plane(image, alt=words, plane=plane, index=index, window_hu=window, unit=unit)


def _volume_controls(image, window_hu):
    array = sitk.GetArrayViewFromImage(image)
    finite = array[np.isfinite(array)]
    if finite.size == 0:
        raise ValueError(f"image has no finite value: all {array.size} voxels are NaN or infinite.")
    bottom, top = float(finite.min()), float(finite.max())
    low, high = (bottom, top) if window_hu is None else window_limits(window_hu)
    if window_hu is not None:  # every window of the menu must be within reach of the sliders
        reach = [window_limits(name) for name in WINDOWS_HU] + [(low, high)]
        bottom, top = min(bottom, *(pair[0] for pair in reach)), max(top, *(pair[1] for pair in reach))
    step = _round_step(top - bottom)
    length = plane_axis(image, "axial")[1]
    return {
        "plane": ipywidgets.Dropdown(options=list(PLANES), value="axial", description="plane"),
        "slice": ipywidgets.IntSlider(value=length // 2, min=0, max=length - 1, description="slice"),
        "center": _slider((low + high) / 2, bottom, top, step, "window centre"),
        "width": _slider(max(high - low, step), step, max(top - bottom, step), step, "window width"),
    }


def _round_step(span):
    """Return a slider's step: 1 for a wide range such as HU, else the power of ten below a hundredth of it.

    Examples
    --------
    >>> _round_step(4000), _round_step(0.9)
    (1.0, 0.001)
    """
    return 1.0 if span > 50 or span == 0 else float(f"{10.0 ** math.floor(math.log10(span / 100)):.0e}")


def _slider(value, low, high, step, description):
    return ipywidgets.FloatSlider(
        value=round(value / step) * step,
        min=math.floor(low / step) * step,
        max=math.ceil(high / step) * step,
        step=step,
        description=description,
        readout_format=".0f" if step == 1 else ".3g",
        style={"description_width": "initial"},
    )


def _follow_plane(image, controls):
    """When the plane changes, give the slice slider its range and the middle of it, before the picture is drawn."""

    def turn(change):
        length = plane_axis(image, change["new"])[1]
        with controls["slice"].hold_trait_notifications():
            controls["slice"].max = length - 1
            controls["slice"].value = length // 2

    controls["plane"].observe(turn, names="value")


def _follow_menu(menu, explorer):
    """Keep the menu of windows and the two sliders in step."""

    def name_of(center, width):
        return next((name for name, pair in WINDOWS_HU.items() if pair == (center, width)), OWN)

    def choose(change):
        if change["new"] != OWN:
            center, width = WINDOWS_HU[change["new"]]
            explorer.update(center=center, width=width)

    def look(change):
        if not explorer.updating:
            menu.value = name_of(explorer.values["center"], explorer.values["width"])

    menu.value = name_of(explorer.values["center"], explorer.values["width"])
    menu.observe(choose, names="value")
    for name in ("center", "width"):
        explorer.controls[name].observe(look, names="value")
