"""Pictures of the optimizer race, and the sliders around them."""

import ipywidgets
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from medlearn.plots import COLOURS, LINE_STYLES, Picture
from medlearn.widgets.explorer import Explorer
from medlearn.widgets.optimizer_race import MOST_STEPS, OPTIMIZERS, SURFACES, TUNED, run_race

NEAREST, FARTHEST = 1e-9, 1e3  # what the axis of distances shows at most
RATE_CHOICES = ("each its own, tuned", "one for all")
_LOOKS = dict(
    zip(
        OPTIMIZERS,
        zip(["blue", "vermillion", "green", "purple", "black"], LINE_STYLES, "os^Dv", strict=False),
        strict=True,
    )
)


def draw_optimizer_race(*, surface="Rosenbrock", rates="each its own, tuned", learning_rate=0.01, steps=200):
    """Draw the paths of five optimizers over a surface, and their distances to its minimum.

    Parameters
    ----------
    surface : {"Rosenbrock", "Beale", "bowl", "bowl, turned by 45°"}
    rates : {"each its own, tuned", "one for all"}
        Tuned: each optimizer has the rate that was best for it on one grid, with 200 steps.
    learning_rate : float
        Where ``rates`` is "one for all": the rate of all five. Else not used.
    steps : int
        1 to 500.

    Returns
    -------
    Picture
        Left: level lines, the start and the minimum, and a path for each. A path that leaves the drawn part is cut
        at its border. Right: distance to the minimum after every step. A diverged run ends, and the legend says when.

    Raises
    ------
    ValueError
        As :func:`medlearn.widgets.run_race`, or if ``rates`` is neither of the two.

    Examples
    --------
    >>> draw_optimizer_race(surface="bowl", rates="one for all", learning_rate=0.1, steps=20).alt[:77]
    'Five optimizers, surface: bowl, 20 steps. Distance to the minimum at the end:'
    """
    if rates not in RATE_CHOICES:
        raise ValueError(f"rates must be one of {', '.join(map(repr, RATE_CHOICES))}, got {rates!r}.")
    tuned = rates == RATE_CHOICES[0] and surface in SURFACES
    race = run_race(
        surface, learning_rates=TUNED[surface] if tuned else dict.fromkeys(OPTIMIZERS, learning_rate), steps=steps
    )
    figure = Figure(figsize=(12.0, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[5, 4])
    _draw_surface(left, SURFACES[surface])
    for name, run in race.items():
        _draw_run(left, right, name, run)
    _label(left, right, surface, race)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3, handlelength=4)
    ends = ", ".join(f"{name} {_end(run)}" for name, run in race.items())
    return Picture(
        figure, f"Five optimizers, surface: {surface}, {steps} steps. Distance to the minimum at the end: {ends}."
    )


def explore_optimizer_race(surface="Rosenbrock"):
    """Race five optimizers of ``torch.optim``, with controls for the surface, the rates and the steps.

    Parameters
    ----------
    surface : str
        Which one to begin with, as in :func:`draw_optimizer_race`.

    Returns
    -------
    Explorer
        Each frame is drawn by :func:`draw_optimizer_race`.

    Raises
    ------
    ValueError
        If there is no such surface.

    Examples
    --------
    >>> list(explore_optimizer_race("bowl").values)
    ['surface', 'rates', 'learning_rate', 'steps']
    """
    if surface not in SURFACES:
        raise ValueError(f"there is no surface called {surface!r}; the names are {', '.join(SURFACES)}.")
    wide = ipywidgets.Layout(width="28em")
    controls = {
        "surface": ipywidgets.Dropdown(options=list(SURFACES), value=surface, description="surface"),
        "rates": ipywidgets.Dropdown(options=list(RATE_CHOICES), description="learning rates"),
        "learning_rate": ipywidgets.FloatLogSlider(
            value=0.01, min=-4, max=1, step=0.25, description="one rate for all", readout_format=".2g", layout=wide
        ),
        "steps": ipywidgets.IntSlider(value=200, min=1, max=MOST_STEPS, description="steps", layout=wide),
    }
    for control in controls.values():
        control.style.description_width = "initial"
        control.tooltip = control.description
        control.continuous_update = False

    def switch(change):
        controls["learning_rate"].disabled = change["new"] == RATE_CHOICES[0]

    switch({"new": controls["rates"].value})
    controls["rates"].observe(switch, names="value")
    return Explorer(draw_optimizer_race, controls)


def _draw_surface(axes, surface):
    x_from, x_to, y_from, y_to = surface.limits
    x, y = np.meshgrid(np.linspace(x_from, x_to, 160), np.linspace(y_from, y_to, 160))
    height = surface.value(x, y) + 1e-3  # the logarithm of the minimum is not drawn
    levels = np.geomspace(height.min() * 2, height.max(), 16)
    axes.contour(x, y, height, levels=levels, cmap="Greys_r", norm=LogNorm(levels[0], 30 * levels[-1]), linewidths=0.8)
    axes.plot(*surface.start, marker="o", markersize=11, mfc="none", mec="black", mew=2, linestyle="none", gid="start")
    axes.plot(
        *surface.minimum, marker="*", markersize=16, mfc=COLOURS["yellow"], mec="black", linestyle="none",
        zorder=5, gid="minimum",
    )  # fmt: skip
    axes.set(xlim=(x_from, x_to), ylim=(y_from, y_to))


def _draw_run(left, right, name, run):
    colour, style, marker = _LOOKS[name]
    every = max(1, (len(run.points) - 1) // 8)
    look = {"linestyle": style, "color": COLOURS[colour], "marker": marker, "markersize": 5, "linewidth": 1.6}
    left.plot(*run.points.T, markevery=every, gid=name, **look)
    label = f"{name}, rate {run.learning_rate:.2g}: {_end(run)}"
    right.plot(np.maximum(run.distances, 1e-16), markevery=every, gid=name, label=label, **look)
    if run.diverged_at is not None:
        last = len(run.points) - 1, min(run.distances[-1], FARTHEST)
        right.plot(*last, marker="X", markersize=12, color=COLOURS[colour], clip_on=False)


def _label(left, right, surface, race):
    steps = max(len(run.points) for run in race.values()) - 1
    nearest = max(NEAREST, min(run.distances.min() for run in race.values()) / 2)
    left.set(xlabel="weight x", ylabel="weight y", title=f"{surface}: ring = start, star = minimum")
    right.set(yscale="log", ylim=(nearest, FARTHEST), xlim=(0, max(steps, 1)), xlabel="step")
    right.set(ylabel="distance to the minimum", title="Distance (a cross: diverged)")


def _end(run):
    return f"{run.distances[-1]:.1e}" if run.diverged_at is None else f"diverged at step {run.diverged_at}"
