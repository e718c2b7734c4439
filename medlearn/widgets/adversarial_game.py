"""Step through the saved states of a game between a generator and a discriminator on one number."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from medlearn.plots import COLOURS, Picture
from medlearn.widgets.explorer import explore
from medlearn.widgets.stacks import WIDE

LOWEST_DENSITY = 1e-3  # of the highest: below it, a share of the two densities says nothing


@dataclass(frozen=True)
class GameState:
    """The two players at one step.

    Attributes
    ----------
    step : int
        Training steps so far, 0 or more.
    made : array-like of float, shape (m,)
        What the generator makes, two values or more.
    discriminator : array-like of float, shape (k,), in [0, 1]
        D(x) on the grid that is drawn: the probability that x is real.
    """

    step: int
    made: Sequence[float]
    discriminator: Sequence[float]


def draw_game(states, real, grid, *, index=-1, title=""):
    """Draw one state: the densities of real and made values, above the discriminator and the best answer to them.

    Both densities are smoothed alike, with a Gaussian whose width is Silverman's for the real values. From them comes
    the best discriminator, p / (p + q): an estimate, left out where both densities are under a thousandth of the
    highest.

    Parameters
    ----------
    states : sequence of GameState
        In the order of their steps. All states share the axes of the drawing.
    real : array-like of float, shape (n,)
        Two different values or more.
    grid : array-like of float, shape (k,)
        Rising; where the discriminator was asked.
    index : int
        Which state; -1 is the last.
    title : str

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If there is no such state, or the values do not fit.

    Examples
    --------
    >>> grid = np.linspace(-1, 5, 61)
    >>> state = GameState(100, [0.0, 1.0], np.full(61, 0.5))
    >>> draw_game([state], [2.0, 3.0, 4.0], grid).alt[:66]
    'Step 100. Real values: mean 3.00, SD 1.00. Made values: mean 0.50,'
    """
    states, real, grid = _checked(states, real, grid)
    if isinstance(index, bool) or index != int(index) or not -len(states) <= index < len(states):
        raise ValueError(f"index must be a whole number from 0 to {len(states) - 1}, or -1, got {index!r}.")
    width = _silverman(real)
    density = smooth_density(real, grid, width)
    made = [smooth_density(state.made, grid, width) for state in states]
    state, made_density = states[index], made[index]
    best = _best_answer(density, made_density)
    figure = Figure(figsize=(9.2, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(grid, density, color=COLOURS["blue"], ls="-", label="real")
    above.plot(grid, made_density, color=COLOURS["vermillion"], ls="--", label="made")
    top = max(density.max(), np.median([each.max() for each in made]))
    above.set(ylim=(0, 1.15 * top), ylabel="density", title=title or f"step {state.step}")
    below.plot(grid, state.discriminator, color=COLOURS["black"], ls="-", label="D(x)")
    below.plot(grid, best, color=COLOURS["green"], ls=":", lw=2.5, label="best answer\np / (p + q)")
    below.axhline(0.5, color="0.6", lw=1)
    below.set(ylim=(-0.03, 1.03), ylabel="probability that x is real", xlabel="x", xlim=(grid[0], grid[-1]))
    for axes in (above, below):
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
    return Picture(figure, _described(state, real, best))


def explore_game(states, real, grid, *, title=""):
    """Step through the states of a game with a slider.

    Parameters
    ----------
    states, real, grid, title
        As in :func:`draw_game`.

    Returns
    -------
    Explorer
        It begins at the first state.

    Raises
    ------
    ValueError
        As :func:`draw_game`.

    Examples
    --------
    >>> grid = np.linspace(-1, 5, 61)
    >>> states = [GameState(step, [0.0, 1.0 + step], np.full(61, 0.5)) for step in (0, 1, 2)]
    >>> explore_game(states, [2.0, 3.0, 4.0], grid).values
    {'index': 0}
    """
    states, real, grid = _checked(states, real, grid)
    slider = ipywidgets.SelectionSlider(
        options=[(str(state.step), number) for number, state in enumerate(states)], description="step", **WIDE
    )
    return explore(partial(draw_game, states, real, grid, title=title), index=slider)


def smooth_density(values, grid, width):
    """Return the mean of Gaussians of one width around the values, on a grid.

    Parameters
    ----------
    values : array-like of float, shape (n,)
    grid : array-like of float, shape (k,)
    width : float
        Standard deviation of each Gaussian, positive.

    Returns
    -------
    ndarray of float, shape (k,)

    Examples
    --------
    >>> smooth_density([0.0], [0.0, 1.0], 1.0).round(4).tolist()
    [0.3989, 0.242]
    """
    apart = (np.asarray(grid, float)[:, None] - np.asarray(values, float)) / width  # (k, n)
    return np.exp(-(apart**2) / 2).mean(axis=1) / (width * np.sqrt(2 * np.pi))


def _silverman(values):
    """Return Silverman's rule of thumb (1986): 0.9 min(SD, interquartile range / 1.34) n^(-1/5)."""
    quarter, three_quarters = np.percentile(values, (25, 75))
    spreads = [spread for spread in (values.std(ddof=1), (three_quarters - quarter) / 1.34) if spread > 0]
    return 0.9 * min(spreads) * len(values) ** -0.2


def _best_answer(real, made):
    total = real + made
    enough = total > LOWEST_DENSITY * total.max()
    return np.where(enough, real / np.where(enough, total, 1), np.nan)


def _described(state, real, best):
    made = np.asarray(state.made)
    off = np.nanmean(np.abs(np.asarray(state.discriminator) - best))
    return (
        f"Step {state.step}. Real values: mean {real.mean():.2f}, SD {real.std(ddof=1):.2f}. Made values: mean"
        f" {made.mean():.2f}, SD {made.std(ddof=1):.2f}. The discriminator is {off:.2f} away from its best answer, on"
        f" average over x."
    )


def _checked(states, real, grid):
    states, real, grid = list(states), np.asarray(real, float), np.asarray(grid, float)
    if not states:
        raise ValueError("states is empty: save at least one GameState.")
    if real.ndim != 1 or not np.isfinite(real).all() or len(np.unique(real)) < 2:
        raise ValueError(f"real must be a row of finite numbers, two of them different, got the shape {real.shape}.")
    if grid.ndim != 1 or len(grid) < 2 or not (np.diff(grid) > 0).all():
        raise ValueError(f"grid must be a row of rising numbers, got the shape {grid.shape}; such as np.linspace.")
    for state in states:
        made, answer = np.asarray(state.made, float), np.asarray(state.discriminator, float)
        if made.ndim != 1 or len(made) < 2 or not np.isfinite(made).all():
            raise ValueError(f"step {state.step}: made must be a row of 2 finite numbers or more, got {made.shape}.")
        if answer.shape != grid.shape or not ((answer >= 0) & (answer <= 1)).all():
            raise ValueError(
                f"step {state.step}: discriminator must hold a probability for each of the {len(grid)} places of the"
                f" grid, got the shape {answer.shape}. Pass the sigmoid of the logit."
            )
    return states, real, grid
