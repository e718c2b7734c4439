"""What the channels of a network's layers answer to one patch."""

from functools import partial

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from medlearn.plots import Picture
from medlearn.plots.slices import hide_ticks
from medlearn.widgets.explorer import explore

MOST_SHOWN = 16
COLUMNS = 4


def draw_feature_maps(images, maps, *, layer, patch=0, names=None):
    """Draw a patch beside what the channels of a layer answer to it.

    Parameters
    ----------
    images : array of shape (patch, height, width)
        What the network sees.
    maps : mapping from str to array of shape (patch, rows, columns, channel)
        The output of each layer, channels last. All maps of a layer share one scale of brightness, over all patches.
    layer : str
        Which one.
    patch : int
        0 or more.
    names : sequence of str, optional
        What each patch is, for its title.

    Returns
    -------
    Picture
        With 16 channels at most: those with the highest values over all patches, in the order of the channels, so that
        a channel keeps its place while you step through the patches.

    Raises
    ------
    ValueError
        If there is no such layer or patch, or the shapes do not fit.

    Examples
    --------
    >>> draw_feature_maps(np.zeros((2, 8, 8)), {"first": np.ones((2, 6, 6, 3))}, layer="first", patch=1).alt
    'Patch 1, and what 3 of 3 channels of first answer to it; brightest: channel 0 with 1.00. Dark channels: 0.'
    """
    images, values, names = _checked(images, maps, layer, patch, names)
    strength = values.max(axis=(0, 1, 2))  # (patch, rows, columns, channel) -> (channel,)
    shown = np.sort(np.argsort(-strength, kind="stable")[:MOST_SHOWN])
    top = max(float(strength.max()), 1e-6)
    rows = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(9.2, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.15])
    axes = left.subplots()
    axes.imshow(images[patch], cmap="gray", vmin=images.min(), vmax=images.max())
    axes.set_title(f"patch {patch}: {names[patch]}" if names else f"patch {patch}")
    hide_ticks(axes)
    grid = right.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.remove()
    for axes, channel in zip(grid.flat, shown, strict=False):
        drawn = axes.imshow(values[patch, :, :, channel], cmap="viridis", vmin=0, vmax=top)
        axes.set_title(f"channel {channel}", fontsize=8, pad=2)
        hide_ticks(axes)
    right.colorbar(drawn, ax=list(grid.flat[: len(shown)]), label=f"output of {layer}", shrink=0.8)
    return Picture(figure, _words(values[patch], layer, patch, shown, names))


def explore_feature_maps(images, maps, *, names=None):
    """Explore what a network's channels answer, with a menu of layers and a slider of patches.

    Parameters
    ----------
    images, maps, names
        As in :func:`draw_feature_maps`.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        As :func:`draw_feature_maps`.

    Examples
    --------
    >>> list(explore_feature_maps(np.zeros((2, 8, 8)), {"first": np.ones((2, 6, 6, 3))}).values)
    ['layer', 'patch']
    """
    if not maps:
        raise ValueError("maps is empty: give the output of at least one layer, such as {'first': array}.")
    return explore(
        partial(draw_feature_maps, images, dict(maps), names=names),
        layer=ipywidgets.Dropdown(options=list(maps), description="layer"),
        patch=ipywidgets.IntSlider(value=0, min=0, max=max(len(images) - 1, 0), description="patch"),
    )


def _checked(images, maps, layer, patch, names):
    images = np.asarray(images)
    if images.ndim != 3 or not len(images):
        raise ValueError(f"images must have the shape (patch, height, width), got {images.shape}.")
    if layer not in maps:
        raise ValueError(f"layer must be one of {', '.join(maps) or 'no layer at all'}, got {layer!r}.")
    values = np.asarray(maps[layer])
    if values.ndim != 4 or len(values) != len(images) or 0 in values.shape:
        raise ValueError(
            f"maps[{layer!r}] must have the shape ({len(images)}, rows, columns, channel), channels last, got"
            f" {values.shape}. Take the output of a convolution, before it is flattened."
        )
    if isinstance(patch, bool) or patch != int(patch) or not 0 <= patch < len(images):
        raise ValueError(f"patch must be a whole number from 0 to {len(images) - 1}, got {patch!r}.")
    if names is not None and len(names) != len(images):
        raise ValueError(f"names must name each of the {len(images)} patches, got {len(names)}.")
    return images, values, None if names is None else [str(name) for name in names]


def _words(values, layer, patch, shown, names):
    """Say what the figure shows: how many channels, which one answers most, how many do not answer."""
    peaks = values.max(axis=(0, 1))
    name = f", {names[patch]}," if names else ","
    best = int(shown[np.argmax(peaks[shown])])
    return (
        f"Patch {patch}{name} and what {len(shown)} of {len(peaks)} channels of {layer} answer to it; brightest:"
        f" channel {best} with {peaks[best]:.2f}. Dark channels: {int(np.sum(peaks[shown] <= 0))}."
    )
