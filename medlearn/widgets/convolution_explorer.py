"""Explore a convolution: a curve that slides over another, or a kernel on an image."""

import ipywidgets

from medlearn.plots.checks import check_image
from medlearn.plots.pictures import check_alt
from medlearn.widgets.convolution import CURVES, KERNELS, PADDINGS, REACH, convolve_image
from medlearn.widgets.convolution_drawing import draw_convolution_1d, draw_convolution_2d
from medlearn.widgets.explorer import Explorer

USED_BY = {"size": ("Gaussian", "box"), "sigma": ("Gaussian",)}
LARGEST = 15


def explore_convolution(image=None, *, alt=None, window_hu=None, limits=None, unit=None):
    """Explore a convolution in one dimension, or, with an image, in two.

    Parameters
    ----------
    image : array of shape (rows, columns), optional
        Without it: choose two curves f and g, and slide the flipped g over f. With it: choose a kernel, its size,
        the padding and the stride, and see the image convolved with it.
    alt : str
        What the image is. Needed with an image only; the curves describe themselves.
    window_hu, limits, unit
        Of the image, as in :func:`medlearn.plots.show_slice`.

    Returns
    -------
    Explorer
        Each frame is drawn by :func:`draw_convolution_1d` or :func:`draw_convolution_2d`.

    Raises
    ------
    ValueError
        If the image is not 2-D or holds NaN, or ``alt`` is missing.

    Examples
    --------
    >>> list(explore_convolution().values)
    ['f', 'g', 'x']
    >>> explore_convolution([[0, 0, 0], [0, 1, 0], [0, 0, 0]], alt="One bright pixel.").values["kernel"]
    'Gaussian'
    """
    if image is None:
        return Explorer(draw_convolution_1d, _curve_controls())
    pixels, alt = check_image(image), check_alt(alt)
    convolve_image(pixels, [[1.0]])  # refuses what no frame could show

    def draw(**values):
        return draw_convolution_2d(pixels, alt=alt, window_hu=window_hu, limits=limits, unit=unit, **values)

    return Explorer(draw, _kernel_controls(min(pixels.shape)))


def _curve_controls():
    return {
        "f": ipywidgets.Dropdown(options=list(CURVES), value="box", description="f"),
        "g": ipywidgets.Dropdown(options=list(CURVES), value="decay", description="g"),
        "x": ipywidgets.FloatSlider(value=0.5, min=-REACH, max=REACH, step=0.1, description="x", readout_format=".1f"),
    }


def _kernel_controls(shortest):
    largest = min(LARGEST, shortest - 1 + shortest % 2)
    controls = {
        "kernel": ipywidgets.Dropdown(options=list(KERNELS), value="Gaussian", description="kernel"),
        "size": ipywidgets.IntSlider(value=min(5, largest), min=1, max=largest, step=2, description="size (pixels)"),
        "sigma": ipywidgets.FloatSlider(value=1.0, min=0.2, max=5.0, step=0.1, description="σ (pixels)"),
        "padding": ipywidgets.Dropdown(options=list(PADDINGS), value="zeros", description="padding"),
        "stride": ipywidgets.IntSlider(value=1, min=1, max=4, description="stride"),
    }
    for name in ("size", "sigma"):
        controls[name].style.description_width = "initial"

    def switch(change):
        for name, kernels in USED_BY.items():
            controls[name].disabled = change["new"] not in kernels

    controls["kernel"].observe(switch, names="value")
    return controls
