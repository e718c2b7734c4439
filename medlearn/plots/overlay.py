"""Masks over a slice: told apart by colour, by hatch and by line style, and named in a legend."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from medlearn.plots.checks import check_image, check_spacing, display_limits
from medlearn.plots.pictures import Picture, check_alt
from medlearn.plots.slices import draw_image, figure_size, finish_values
from medlearn.plots.style import COLOURS, HATCHES, LINE_STYLES

ORDER = ("orange", "sky blue", "purple", "green", "yellow", "vermillion", "blue")


def show_overlay(
    image2d, mask2d, *, alt, labels=None, title="", spacing_mm=None, window_hu=None, limits=None, colorbar=False,
    unit=None, fill=True,
):  # fmt: skip
    """Show masks over a slice, each with a colour, a hatch and a line style of its own.

    Parameters
    ----------
    image2d : array of shape (rows, columns)
    mask2d : array of shape (rows, columns), or a mapping from a name to such an array
        Booleans, or whole numbers with 0 for the background. A mapping may hold masks that overlap, such as
        the contours of several readers.
    alt : str
        The alternative text.
    labels : mapping from the value in the mask to a name, or sequence of names, optional
        A sequence names the values 1, 2, 3... in turn. Default: "label 1", "label 2", ...
    title, spacing_mm, window_hu, limits, colorbar, unit
        As in :func:`medlearn.plots.show_slice`.
    fill : bool
        Whether to fill the masks. Where they overlap, outlines alone are clearer.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If a mask has another shape than the image, holds fractions, or there are more than seven masks.

    Examples
    --------
    >>> import numpy as np
    >>> show_overlay(np.zeros((4, 4)), np.eye(4, dtype=int), alt="A diagonal.", labels={1: "line"})
    [Figure: A diagonal.]
    """
    image, alt = check_image(image2d, name="image2d"), check_alt(alt)
    masks = named_masks(mask2d, image.shape, labels)
    spacing = check_spacing(spacing_mm)
    low, high = display_limits([image], window_hu=window_hu, limits=limits)
    width, height = figure_size([image.shape], spacing, colorbar=colorbar)
    longest = max((len(name) for name in masks), default=0)
    figure = Figure(figsize=(width + 0.9 + 0.09 * longest, height), layout="constrained")
    axes = figure.add_subplot()
    shown = draw_image(axes, image, spacing=spacing, low=low, high=high)
    axes.set(title=title, xlabel="column (pixel)" if spacing is None else "x (mm)")
    axes.set_ylabel("row (pixel)" if spacing is None else "y (mm)")
    handles = [
        draw_mask(axes, mask, number=number, name=name, spacing=spacing, fill=fill)
        for number, (name, mask) in enumerate(masks.items())
    ]
    if handles:
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), handlelength=2.6, handleheight=1.4)
    finish_values(figure, shown, axes, window_hu=window_hu, unit=unit, colorbar=colorbar)
    return Picture(figure, alt)


def named_masks(mask2d, shape, labels):
    """Return a dictionary from a name to a boolean mask, in the order in which they are drawn.

    Examples
    --------
    >>> named_masks(np.array([[0, 2]]), (1, 2), ["node", "vessel"])["vessel"]
    array([[False,  True]])
    """
    if isinstance(mask2d, Mapping):
        masks = {str(name): _check_mask(mask, shape, name) != 0 for name, mask in mask2d.items()}
    else:
        mask = _check_mask(mask2d, shape, "mask2d")
        values = [int(value) for value in np.unique(mask) if value != 0]
        masks = {_label_of(value, labels): mask == value for value in values}
    if len(masks) > len(ORDER):
        raise ValueError(
            f"{len(masks)} masks are more than a figure can tell apart: at most {len(ORDER)}."
            " Draw some of them, or a montage with plots.show_slices."
        )
    return masks


def draw_mask(axes, mask, *, number, name, spacing, fill):
    """Draw one mask along its pixels' edges, and return its legend handle."""
    colour, style, hatch = COLOURS[ORDER[number]], LINE_STYLES[number], HATCHES[number]
    row_mm, column_mm = spacing or (1.0, 1.0)
    fine = np.pad(np.repeat(np.repeat(mask, 4, axis=0), 4, axis=1), 1).astype(float)  # (4 rows + 2, 4 columns + 2)
    # The fine grid's sample n lies at (n - 1 + 0.5) / 4 - 0.5 = n / 4 - 0.625 pixels.
    x = (np.arange(fine.shape[1]) / 4 - 0.625) * column_mm
    y = (np.arange(fine.shape[0]) / 4 - 0.625) * row_mm
    if mask.any():
        if fill:
            filled = axes.contourf(x, y, fine, levels=[0.5, 1.5], colors=[to_rgba(colour, 0.25)], hatches=[hatch])
            filled.set(edgecolor=colour, linewidth=0)
        axes.contour(x, y, fine, levels=[0.5], colors="black", linewidths=2.8)
        axes.contour(x, y, fine, levels=[0.5], colors=[colour], linestyles=[style], linewidths=1.6)
    face = to_rgba(colour, 0.35) if fill else "none"
    return Patch(
        facecolor=face, edgecolor=colour, linestyle=style, linewidth=2, hatch=hatch if fill else None, label=name
    )


def _check_mask(mask, shape, name):
    array = np.asarray(mask)
    if array.shape != shape:
        raise ValueError(
            f"{name} has shape {array.shape}, but the image has shape {shape}. A mask needs one value for each"
            " pixel: take the same slice of both, or resample the mask with interpolation='nearest'."
        )
    whole = array.dtype.kind in "biu" or (array.dtype.kind == "f" and np.array_equal(array, np.round(array)))
    if not whole or (array.dtype.kind in "if" and (array < 0).any()):
        raise ValueError(
            f"{name} must hold booleans or the whole numbers 0, 1, 2, ..., got values such as"
            f" {np.unique(array).ravel()[:3].tolist()}. Cut probabilities at a threshold first, such as mask > 0.5."
        )
    return array


def _label_of(value, labels):
    if labels is None:
        return f"label {value}"
    if isinstance(labels, Mapping):
        return str(labels.get(value, f"label {value}"))
    names = [labels] if isinstance(labels, str) else list(labels)
    if value > len(names):
        raise ValueError(
            f"the mask holds the value {value}, but labels has {len(names)} names. Name the values 1 to"
            f" {value} in turn, or pass a dictionary such as {{{value}: 'nodule'}}."
        )
    return str(names[value - 1])
