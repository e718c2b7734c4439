"""Watch a generator: its patches for a fixed grid of draws, frame by frame, beside losses and distances."""

from functools import partial

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from medlearn.plots import COLOURS, LINE_STYLES, Picture
from medlearn.widgets.explorer import explore
from medlearn.widgets.stacks import WIDE

LOW_HU, HIGH_HU = -1000.0, 400.0


def draw_samples(frames, *, values, name="step", unit="", curves=None, columns=8, title="", index=-1):
    """Draw the patches of one frame side by side, and curves with a mark at this frame.

    Parameters
    ----------
    frames : array-like, shape (k, n, height, width)
        Patches in HU; shown from -1000 (black) to 400 HU (white). Patch j of each frame belongs together.
    values : sequence of k numbers
        What the frames are: training steps, or the diameter that was asked for.
    name, unit : str
        Of these values.
    curves : mapping from str to (x, y), optional
        Drawn on the right, one below the other, x in the unit of ``values``.
    columns : int
        Patches in a row.
    title : str
    index : int
        Which frame; -1 is the last.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If there is no such frame, or the shapes do not fit.

    Examples
    --------
    >>> frames = np.full((2, 6, 32, 32), -800.0)
    >>> draw_samples(frames, values=[0, 50], columns=3).alt
    'Step 50: 6 patches in 2 rows, mean -800 HU, SD 0 HU.'
    """
    frames, values, curves = _checked(frames, values, curves, columns)
    if isinstance(index, bool) or index != int(index) or not -len(frames) <= index < len(frames):
        raise ValueError(f"index must be a whole number from 0 to {len(frames) - 1}, or -1, got {index!r}.")
    patches, here = frames[index], values[index]
    said = f"{name} {here:g}{' ' + unit if unit else ''}"
    sheet = tile(patches, columns)
    figure = Figure(figsize=(9.2 if curves else 6.4, 4.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.5, 1]) if curves else (figure, None)
    axes = left.subplots()
    axes.imshow(sheet, cmap="gray", vmin=LOW_HU, vmax=HIGH_HU, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(f"{title}, {said}" if title else said)
    if curves:
        _draw_curves(right, curves, here, f"{name} ({unit})" if unit else name)
    return Picture(figure, _described(said, patches, columns, curves, here))


def explore_samples(frames, *, values, name="step", unit="", curves=None, columns=8, title=""):
    """Step through the frames with a slider.

    Parameters
    ----------
    frames, values, name, unit, curves, columns, title
        As in :func:`draw_samples`.

    Returns
    -------
    Explorer
        It begins at the first frame.

    Raises
    ------
    ValueError
        As :func:`draw_samples`.

    Examples
    --------
    >>> frames = np.full((3, 6, 32, 32), -800.0)
    >>> explore_samples(frames, values=[4, 8, 12], name="diameter", unit="mm", columns=3).values
    {'index': 0}
    """
    frames, values, curves = _checked(frames, values, curves, columns)
    label = f"{name} ({unit})" if unit else name
    slider = ipywidgets.SelectionSlider(
        options=[(f"{value:g}", number) for number, value in enumerate(values)], description=label, **WIDE
    )
    draw = partial(
        draw_samples, frames, values=values, name=name, unit=unit, curves=curves, columns=columns, title=title
    )
    return explore(draw, index=slider)


def tile(patches, columns, *, gap=1):
    """Lay patches side by side, row by row, with white lines between them.

    Parameters
    ----------
    patches : array-like, shape (n, height, width)
    columns : int
    gap : int
        Pixels between two patches.

    Returns
    -------
    ndarray of float, 2-D
        NaN where no patch is.

    Examples
    --------
    >>> tile(np.ones((3, 4, 5)), 2).shape
    (9, 11)
    """
    patches = np.asarray(patches, float)
    count, height, width = patches.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap) - gap, min(columns, count) * (width + gap) - gap), np.nan)
    for number, patch in enumerate(patches):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = patch
    return sheet


def _draw_curves(figure, curves, here, label):
    panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for number, (axes, (name, (x, y))) in enumerate(zip(panels, curves.items(), strict=True)):
        colour = list(COLOURS.values())[number % len(COLOURS)]
        axes.plot(x, y, color=colour, ls=LINE_STYLES[number % len(LINE_STYLES)])
        axes.axvline(here, color="0.5", lw=1)
        axes.plot(x[_nearest(x, here)], y[_nearest(x, here)], "o", color=colour)
        axes.set_title(name, fontsize="medium")
    panels[-1].set_xlabel(label)


def _nearest(x, here):
    return int(np.argmin(np.abs(x - here)))


def _described(said, patches, columns, curves, here):
    rows = -(-len(patches) // columns)
    text = (
        f"{said[0].upper()}{said[1:]}: {len(patches)} patches in {rows} row{'s' if rows > 1 else ''}, mean"
        f" {patches.mean():.0f} HU, SD {patches.std():.0f} HU."
    )
    for name, (x, y) in curves.items():
        text += f" Curve {name}: {y[_nearest(x, here)]:.3g} here, {y[-1]:.3g} at the end."
    return text


def _checked(frames, values, curves, columns):
    frames, values = np.asarray(frames, float), np.asarray(values, float)
    if frames.ndim != 4 or 0 in frames.shape:
        raise ValueError(f"frames must have the shape (frame, patch, height, width), got {frames.shape}.")
    if values.shape != (len(frames),) or not np.isfinite(values).all():
        raise ValueError(f"values must be one number for each of the {len(frames)} frames, got {values.shape}.")
    if isinstance(columns, bool) or columns != int(columns) or columns < 1:
        raise ValueError(f"columns must be a whole number from 1, got {columns!r}.")
    checked = {}
    for name, pair in (curves or {}).items():
        x, y = (np.asarray(part, float) for part in pair)
        if x.ndim != 1 or not len(x) or x.shape != y.shape:
            raise ValueError(f"the curve {name!r} must be (x, y), two rows of one length, got {x.shape} and {y.shape}.")
        checked[name] = x, y
    return frames, values, checked
