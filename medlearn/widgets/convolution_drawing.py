"""Pictures of a convolution, in one dimension and in two: plain functions behind the explorer's sliders."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medlearn.plots import COLOURS, Picture
from medlearn.plots.checks import check_image, display_limits
from medlearn.plots.pictures import check_alt
from medlearn.plots.slices import draw_image
from medlearn.widgets.convolution import (
    CURVES,
    REACH,
    STEP,
    T_REACH,
    convolve_image,
    convolved_curves,
    midpoints,
    named_kernel,
)


def draw_convolution_1d(*, f="box", g="decay", x=0.5):
    """Draw f, the flipped g moved to x, their product, and their convolution up to x.

    Parameters
    ----------
    f, g : {"box", "two boxes", "triangle", "ramp", "decay", "Gaussian"}
    x : float
        How far g is moved, -4 to 4.

    Returns
    -------
    Picture
        Upper axes: the curves over t. Lower axes: the convolution over x. The integral is a sum over midpoints,
        0.01 apart.

    Raises
    ------
    ValueError
        If a curve has no such name, or x is out of range.

    Examples
    --------
    >>> draw_convolution_1d(f="ramp", g="box", x=1.0)
    [Figure: f: ramp. g: box, flipped and moved to x = 1.0. The area of their product, (f * g)(1.0), is 0.75.]
    """
    for name in (f, g):
        if name not in CURVES:
            raise ValueError(f"there is no curve called {name!r}; the names are {', '.join(CURVES)}.")
    if not -REACH <= x <= REACH:
        raise ValueError(f"x must be from {-REACH:g} to {REACH:g}, got {x}.")
    t = midpoints()
    still, moved = CURVES[f](t), CURVES[g](x - t)
    area = float((still * moved).sum() * STEP)
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    _draw_curves(upper, t, still, moved, CURVES[g](t))
    _draw_result(lower, f, g, x, area)
    for axes in (upper, lower):
        axes.axvline(x, color="0.4", linestyle=":", linewidth=1)
        axes.set_xlim(-T_REACH, T_REACH)
    sign = f"{x:.1f}".replace("-", "−")
    upper.set_title(f"f: {f}, g: {g}.  (f ∗ g)({sign}) = {area:.2f}, the shaded area")
    alt = (
        f"f: {f}. g: {g}, flipped and moved to x = {x:.1f}. The area of their product, (f * g)({x:.1f}), is {area:.2f}."
    )
    return Picture(figure, alt)


def _draw_curves(axes, t, still, moved, original):
    axes.plot(t, original, color="0.6", linestyle=":", linewidth=1.2, label="g(t), as it was")
    axes.plot(t, still, color=COLOURS["blue"], linestyle="-", linewidth=2.2, label="f(t), stays")
    axes.plot(t, moved, color=COLOURS["vermillion"], linestyle="--", linewidth=2.2, label="g(x − t), flipped, moves")
    axes.fill_between(
        t, still * moved, facecolor=COLOURS["sky blue"], alpha=0.5, hatch="///", edgecolor="0.2", linewidth=0,
        label="product f(t) g(x − t)",
    )  # fmt: skip
    axes.set(ylim=(0, 1.15), ylabel="value", xlabel="t")
    axes.tick_params(labelbottom=True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))


def _draw_result(axes, f, g, x, area):
    where, result = convolved_curves(f, g)
    so_far = where <= x + STEP / 2
    axes.plot(where[so_far], result[so_far], color="black", linestyle="-", label="(f ∗ g) up to x", gid="result")
    axes.plot(
        [x],
        [area],
        marker="o",
        markersize=9,
        clip_on=False,
        zorder=5,
        color=COLOURS["vermillion"],
        linestyle="none",
        label="now",
    )
    axes.set(ylim=(0, 1.15 * result.max()), xlabel="x", ylabel="(f ∗ g)(x)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))


def draw_convolution_2d(
    image, *, alt, kernel="Gaussian", size=5, sigma=1.0, padding="zeros", stride=1, window_hu=None, limits=None,
    unit=None,
):  # fmt: skip
    """Draw an image, a kernel with its numbers, and the image convolved with it, with its shape.

    Parameters
    ----------
    image : array of shape (rows, columns)
    alt : str
        What the image is.
    kernel, size, sigma
        As in :func:`named_kernel`.
    padding, stride
        As in :func:`convolve_image`.
    window_hu, limits, unit
        Of the image, as in :func:`medlearn.plots.show_slice`.

    Returns
    -------
    Picture
        The output lies in the frame of the input: what the kernel could not reach is hatched. Where the weights
        add up to 1 it has the input's grey values; else 0 is mid-grey.

    Raises
    ------
    ValueError
        As :func:`named_kernel`, :func:`convolve_image` and :func:`medlearn.plots.show_slice` do.

    Examples
    --------
    >>> draw_convolution_2d(np.eye(8), alt="A diagonal", kernel="box", size=3, stride=2).alt[:63]
    'A diagonal. Convolved with the box kernel, 3 × 3, padding zeros'
    """
    pixels, alt = check_image(image), check_alt(alt)
    weights = named_kernel(kernel, size=size, sigma=sigma)
    output = convolve_image(pixels, weights, padding=padding, stride=stride)
    unit = unit or ("HU" if window_hu is not None else "pixel value")
    ends = display_limits([pixels], window_hu=window_hu, limits=limits)
    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.0, 0.8, 1.0])
    shown = draw_image(left, pixels, spacing=None, low=ends[0], high=ends[1])
    _draw_values(figure, left, shown, unit)
    left.set_title(f"input\n{_shape(pixels)}")
    shown = _draw_kernel(middle, weights)
    _draw_values(figure, middle, shown, "weight")
    spread = f", σ = {sigma:g} pixels" if kernel == "Gaussian" else ""
    middle.set_title(f"kernel: {kernel}\n{_shape(weights)}{spread}")
    shown = _draw_output(right, pixels.shape, output, weights, padding, stride, ends)
    _draw_values(figure, right, shown, unit if _averages(weights) else f"weighted sum ({unit})")
    right.set_title(f"output: padding {padding}, stride {stride}\n{_shape(output)}")
    return Picture(
        figure,
        f"{alt}{'' if alt[-1] in '.!?' else '.'} Convolved with the {kernel} kernel, {_shape(weights)}{spread}, padding"
        f" {padding}, stride {stride}: input {_shape(pixels)}, output {_shape(output)} pixels, values from"
        f" {output.min():.4g} to {output.max():.4g} {unit}.",
    )


def _shape(array):
    return f"{array.shape[0]} × {array.shape[1]}"


def _averages(weights):
    return np.isclose(weights.sum(), 1)


def _draw_values(figure, axes, shown, label):
    """Draw a colour bar below, with arrows where values lie outside it."""
    array, (low, high) = shown.get_array(), shown.get_clim()
    below, above = bool(array.min() < low), bool(array.max() > high)
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
    ticks = MaxNLocator(nbins=4)
    figure.colorbar(shown, ax=axes, label=label, location="bottom", shrink=0.85, extend=extend, ticks=ticks)


def _draw_kernel(axes, weights):
    """Draw the weights as coloured squares; up to 7 x 7 their numbers stand in them."""
    edge = float(np.abs(weights).max())
    shown = axes.imshow(weights, cmap="PuOr_r", vmin=-edge, vmax=edge)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.spines[:].set_visible(True)
    if len(weights) > 7:
        return shown
    whole = np.array_equal(weights, np.round(weights))
    fontsize = 14 if whole else 30 / len(weights) + 5
    for (row, column), weight in np.ndenumerate(weights):
        number = f"{weight:.0f}" if whole else f"{weight:.2f}"
        number = number.lstrip("0") if len(weights) > 5 else number
        colour = "white" if abs(weight) > 0.6 * edge else "black"
        place = {"ha": "center", "va": "center", "fontsize": fontsize, "color": colour}
        axes.text(column, row, number.replace("-", "−"), **place)
    return shown


def _draw_output(axes, shape, output, weights, padding, stride, ends):
    """Draw the output where it belongs in the input's frame, on a hatched ground."""
    first = len(weights) // 2 if padding == "none" else 0  # the input pixel on which the first output stands
    edge = float(np.percentile(np.abs(output), 99.5)) or 1.0
    low, high = ends if _averages(weights) else (-edge, edge)
    shown = draw_image(axes, output, spacing=None, low=low, high=high)
    left = top = first - stride / 2
    rows, columns = output.shape
    shown.set_extent((left, left + columns * stride, top + rows * stride, top))
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5))
    axes.patch.set(facecolor="white", hatch="////", edgecolor="0.7")
    return shown
