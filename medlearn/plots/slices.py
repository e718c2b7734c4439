"""Slices, rows and montages of slices, with their window and their physical size."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from medlearn.plots.checks import check_count, check_image, check_spacing, display_limits
from medlearn.plots.pictures import Picture, check_alt

OUTLINE = [withStroke(linewidth=2.5, foreground="black")]


def show_slice(
    image2d, *, alt, title="", spacing_mm=None, window_hu=None, limits=None, colorbar=True, unit=None, cmap="gray",
):  # fmt: skip
    """Show one slice, in its physical aspect ratio, with the values that black and white stand for.

    Parameters
    ----------
    image2d : array of shape (rows, columns)
        NaN pixels stay white.
    alt : str
        The alternative text.
    title : str
    spacing_mm : float or (row_mm, column_mm), optional
        The distance between pixel centres. With it the axes are in mm; without it they count pixels.
    window_hu : (center, width) or str, optional
        The window in HU, or its name in :data:`medlearn.geometry.WINDOWS_HU`, such as "lung".
    limits : (low, high), optional
        The values shown black and white, where the image is not in HU. Default: its whole range.
    colorbar : bool
        Whether to show the scale of values.
    unit : str, optional
        The unit of the values. Default: "HU" with a window, else "pixel value".
    cmap : str
        A Matplotlib colour map.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If the image is not 2-D or has no finite value, or a spacing, window, limit or ``alt`` makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> show_slice(np.eye(4), alt="A diagonal line.", spacing_mm=(2.0, 0.5))
    [Figure: A diagonal line.]
    """
    image, alt = check_image(image2d, name="image2d"), check_alt(alt)
    spacing = check_spacing(spacing_mm)
    low, high = display_limits([image], window_hu=window_hu, limits=limits)
    figure = Figure(figsize=figure_size([image.shape], spacing, colorbar=colorbar), layout="constrained")
    axes = figure.add_subplot()
    shown = draw_image(axes, image, spacing=spacing, low=low, high=high, cmap=cmap)
    axes.set_title(title)
    axes.set_xlabel("column (pixel)" if spacing is None else "x (mm)")
    axes.set_ylabel("row (pixel)" if spacing is None else "y (mm)")
    finish_values(figure, shown, axes, window_hu=window_hu, unit=unit, colorbar=colorbar)
    return Picture(figure, alt)


def show_slices(
    images, *, titles, alt, spacing_mm=None, window_hu=None, limits=None, colorbar=True, unit=None, cmap="gray",
    ncols=None,
):  # fmt: skip
    """Show several slices side by side, all with the same values for black and white.

    Parameters
    ----------
    images : sequence of arrays of shape (rows, columns)
    titles : sequence of str
        One for each image.
    alt : str
        The alternative text of the whole figure.
    spacing_mm : float, (row_mm, column_mm), or a list with one of these for each image, optional
        With it each slice has a scale bar.
    window_hu, limits, colorbar, unit, cmap
        As in :func:`show_slice`. Without a window or limits, the range of all images together.
    ncols : int, optional
        Images in a row. Default: up to four.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If there is no image, the titles do not match, or an image or option makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> show_slices([np.eye(4), np.ones((4, 4))], titles=["line", "flat"], alt="A line and a flat image.")
    [Figure: A line and a flat image.]
    """
    arrays = [check_image(image, name=f"images[{number}]") for number, image in enumerate(images)]
    if not arrays:
        raise ValueError("images is empty: give at least one 2-D array.")
    check_count("titles", titles, len(arrays))
    alt = check_alt(alt)
    spacings = _spacings(spacing_mm, len(arrays))
    low, high = display_limits(arrays, window_hu=window_hu, limits=limits)
    ncols = min(len(arrays), ncols or 4)
    nrows = -(-len(arrays) // ncols)
    figure = Figure(figsize=_montage_size(arrays, spacings, nrows, ncols), layout="constrained")
    grid = figure.subplots(nrows, ncols, squeeze=False)
    for axes in grid.flat[len(arrays) :]:
        axes.remove()
    for axes, array, title, spacing in zip(grid.flat, arrays, titles, spacings, strict=False):
        shown = draw_image(axes, array, spacing=spacing, low=low, high=high, cmap=cmap)
        axes.set_title(title, fontsize="medium")
        hide_ticks(axes)
        if spacing is not None:
            draw_scale_bar(axes)
    finish_values(figure, shown, list(grid.flat[: len(arrays)]), window_hu=window_hu, unit=unit, colorbar=colorbar)
    return Picture(figure, alt)


def draw_image(axes, image, *, spacing, low, high, cmap="gray"):
    """Draw pixels true to their physical shape; the centre of the first pixel is at (0, 0)."""
    row_mm, column_mm = spacing or (1.0, 1.0)
    rows, columns = image.shape
    extent = (-column_mm / 2, (columns - 0.5) * column_mm, (rows - 0.5) * row_mm, -row_mm / 2)
    high = high if high > low else low + 1.0  # a flat image: all of it black
    axes.set_aspect("equal")
    # Few pixels stand as squares; many are averaged where the page has fewer, or thin lines would vanish.
    interpolation = "nearest" if max(image.shape) <= 256 else "antialiased"
    axes.spines[:].set_visible(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, integer=spacing is None))
    return axes.imshow(
        np.ma.masked_invalid(image), cmap=cmap, vmin=low, vmax=high, extent=extent, interpolation=interpolation
    )


def finish_values(figure, shown, axes, *, window_hu, unit, colorbar, note=""):
    """Say what the grey values mean: a colour bar with its unit, and the window; then a note."""
    unit = unit or ("HU" if window_hu is not None else "pixel value")
    low, high = shown.get_clim()
    if colorbar:
        extend = "neither" if window_hu is None else "both"
        figure.colorbar(shown, ax=axes, label=unit, extend=extend, shrink=0.9, pad=0.02)
    if window_hu is not None:
        centre = f"{(low + high) / 2:g}".replace("-", "−")
        note = f"window: centre {centre}, width {high - low:g} {unit}\n{note}".strip()
    if note:
        figure.supxlabel(note, fontsize="medium")


def draw_scale_bar(axes):
    """Draw a bar of a round length in mm in the lower left corner, white with a black edge."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    width, height = right - left, bottom - top
    length_mm = max((n for n in (0.5, 1, 2, 5, 10, 20, 50, 100) if n <= 0.35 * width), default=0.2 * width)
    x, y = left + 0.05 * width, bottom - 0.07 * height
    bar = Rectangle(
        (x, y), length_mm, 0.02 * height, facecolor="white", edgecolor="black", linewidth=1, gid="scale bar"
    )
    axes.add_patch(bar)
    axes.text(
        x + length_mm / 2, y - 0.01 * height, f"{length_mm:g} mm", color="white", ha="center", va="bottom",
        fontsize="small", path_effects=OUTLINE,
    )  # fmt: skip


def hide_ticks(axes):
    """Take the numbers from both axes."""
    axes.set_xticks([])
    axes.set_yticks([])


def figure_size(shapes, spacing, *, colorbar, longest=5.0):
    """Return (width, height) in inches for one image whose longer side has ``longest`` inches."""
    row_mm, column_mm = spacing or (1.0, 1.0)
    height, width = shapes[0][0] * row_mm, shapes[0][1] * column_mm
    scale = longest / max(height, width)
    return max(width * scale, 1.6) + (1.6 if colorbar else 0.8), max(height * scale, 1.2) + 0.9


def _spacings(spacing_mm, count):
    if isinstance(spacing_mm, list) and len(spacing_mm) == count:
        return [check_spacing(one) for one in spacing_mm]
    return [check_spacing(spacing_mm)] * count


def _montage_size(arrays, spacings, nrows, ncols):
    """Return (width, height) in inches: at most 10 wide, each panel as tall as its physical shape asks."""
    ratios = [
        array.shape[0] * (spacing or (1, 1))[0] / (array.shape[1] * (spacing or (1, 1))[1])
        for array, spacing in zip(arrays, spacings, strict=True)
    ]
    panel = min(3.2, 8.6 / ncols)
    height = panel * min(max(max(ratios), 0.3), 2.5)
    return ncols * panel + 1.2, nrows * (height + 0.3) + 0.3
