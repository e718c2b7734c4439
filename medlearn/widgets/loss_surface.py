"""The surface of a loss over the two weights of a logistic model, and a walk down it."""

import ipywidgets
import numpy as np
from matplotlib.figure import Figure
from scipy import special

from medlearn.plots import COLOURS, Picture
from medlearn.widgets.explorer import Explorer

REACH = 8.0  # of the start
SHOWN = 9.0  # of both axes: soft Dice still climbs a little from weight 8
NUM_CASES = 200
STEPS = 300
LEARNING_RATE = 1.0


def _cross_entropy(z, y):
    return np.logaddexp(0, z) - y * z, special.expit(z) - y


def _squared_error(z, y):
    p = special.expit(z)
    return (p - y) ** 2, 2 * (p - y) * p * (1 - p)


def _weighted(z, y):
    """Weight label 1 by negatives per positive, all weights divided by their mean."""
    loss, slope = _cross_entropy(z, y)
    weight = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    return weight * loss, weight * slope


def _focal(z, y):
    """Multiply the cross-entropy by (1 - p_t)²; -log p_t and its derivative follow from the signed logit."""
    sign = 2 * y - 1
    loss, p_t = np.logaddexp(0, -sign * z), special.expit(sign * z)
    slope = -((1 - p_t) ** 3) - 2 * (1 - p_t) ** 2 * p_t * loss  # by the signed logit
    return (1 - p_t) ** 2 * loss, sign * slope


def _dice(z, y):
    """Share the batch's Dice loss out evenly, so that the mean over the cases is the loss."""
    p = special.expit(z)
    overlap, sizes = (p * y).sum(axis=-1, keepdims=True), p.sum(axis=-1, keepdims=True) + y.sum()
    slope = -(2 * y * sizes - 2 * overlap) / sizes**2 * p * (1 - p)
    return np.broadcast_to(1 - 2 * overlap / sizes, p.shape), y.size * slope


LOSSES = {
    "cross-entropy": _cross_entropy,
    "squared error": _squared_error,
    "weighted cross-entropy": _weighted,
    "focal loss, γ = 2": _focal,
    "soft Dice": _dice,
}


def loss_and_slopes(loss, logits, labels):
    """Return a loss and its derivative by the logit of every case, so that the means over the cases are those of L.

    Parameters
    ----------
    loss : {"cross-entropy", "squared error", "weighted cross-entropy", "focal loss, γ = 2", "soft Dice"}
    logits : ndarray, shape (..., n)
    labels : ndarray of 0 and 1, shape (n,), both present

    Returns
    -------
    losses, slopes : ndarray, shape (..., n)
        The mean of ``losses`` over the last axis is L; ``slopes / n`` is its derivative by each logit.

    Raises
    ------
    ValueError
        If there is no such loss.

    Examples
    --------
    >>> losses, slopes = loss_and_slopes("cross-entropy", np.array([0.0, 0.0]), np.array([0, 1]))
    >>> losses.round(3), slopes
    (array([0.693, 0.693]), array([ 0.5, -0.5]))
    """
    if loss not in LOSSES:
        raise ValueError(f"there is no loss called {loss!r}; the names are {', '.join(LOSSES)}.")
    return LOSSES[loss](np.asarray(logits, dtype=float), np.asarray(labels, dtype=float))


def simulated_cases(rare_percent):
    """Return measurements and labels of 200 cases: evenly spaced quantiles of N(-1, 1) for label 0, of N(1, 1) for 1.

    Examples
    --------
    >>> x, y = simulated_cases(1)
    >>> x.shape, int(y.sum())
    ((200,), 2)
    """
    num_rare = max(1, round(NUM_CASES * rare_percent / 100))
    groups = [(NUM_CASES - num_rare, -1.0), (num_rare, 1.0)]
    x = np.concatenate([mean + special.ndtri((np.arange(n) + 0.5) / n) for n, mean in groups])
    return x, np.repeat([0, 1], [n for n, _ in groups])


def descend(loss, x, y, *, start_weight):
    """Take 300 gradient steps of size 1 from bias 0.

    Returns
    -------
    path : ndarray, shape (301, 2)
        Bias and weight, from the start on.
    values : ndarray, shape (301,)
        The loss.
    shares : ndarray, shape (301,)
        The part of ``sum |dL/dz|`` that comes from the cases with label 1.
    """
    position, path, values, shares = np.array([0.0, float(start_weight)]), [], [], []
    for _ in range(STEPS + 1):
        losses, slopes = loss_and_slopes(loss, position[0] + position[1] * x, y)
        path.append(position)
        values.append(losses.mean())
        shares.append(np.abs(slopes[y == 1]).sum() / np.abs(slopes).sum())
        position = position - LEARNING_RATE * np.array([slopes.mean(), (slopes * x).mean()])
    return np.array(path), np.array(values), np.array(shares)


def draw_loss_surface(*, loss="cross-entropy", rare_percent=50, start_weight=-6.0):
    """Draw the surface of a loss over bias and weight, with the path of gradient descent, its loss and its shares.

    Parameters
    ----------
    loss : {"cross-entropy", "squared error", "weighted cross-entropy", "focal loss, γ = 2", "soft Dice"}
    rare_percent : float
        How many of the 200 simulated cases have label 1: 1 to 50 per cent, to the nearest whole case.
    start_weight : float
        Where the walk starts, -8 to 8. The right weight is positive.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If there is no such loss, or a number is out of range.

    Examples
    --------
    >>> draw_loss_surface(loss="squared error", start_weight=-8).alt[:73]
    'Squared error of a logistic model on 200 simulated cases, 50 % with label'
    """
    if not 1 <= rare_percent <= 50:
        raise ValueError(f"rare_percent must be from 1 to 50, got {rare_percent}.")
    if not -REACH <= start_weight <= REACH:
        raise ValueError(f"start_weight must be from {-REACH:g} to {REACH:g}, got {start_weight}.")
    x, y = simulated_cases(rare_percent)
    path, values, shares = descend(loss, x, y, start_weight=start_weight)
    figure = Figure(figsize=(11.0, 4.8), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.25, 1])
    _draw_surface(left, loss, x, y, path)
    _draw_walk(right, values, shares, y.mean())
    return Picture(figure, _words(loss, y, path, values, shares))


def _words(loss, y, path, values, shares):
    (_, start), (bias, weight) = path[0], path[-1].round(2) + 0.0  # + 0.0: no minus zero
    return (
        f"{loss[0].upper()}{loss[1:]} of a logistic model on {NUM_CASES} simulated cases,"
        f" {100 * y.mean():g} % with label 1. From weight {start:.1f}, where the loss is {values[0]:.3f},"
        f" {STEPS} steps lead to weight {weight:.2f} and bias {bias:.2f}, where it is {values[-1]:.3f}."
        f" Label 1 has {shares[0]:.0%} of the pull at the start and {shares[-1]:.0%} at the end."
    )


def _draw_surface(figure, loss, x, y, path):
    axes = figure.subplots()
    ticks = np.linspace(-SHOWN, SHOWN, 73)
    bias, weight = np.meshgrid(ticks, ticks)
    logits = bias[..., np.newaxis] + weight[..., np.newaxis] * x  # (73, 73, 200)
    surface = loss_and_slopes(loss, logits, y)[0].mean(axis=-1)
    drawn = axes.contourf(bias, weight, surface, levels=20, cmap="cividis")
    axes.contour(bias, weight, surface, levels=20, colors="white", linewidths=0.4, alpha=0.6)
    figure.colorbar(drawn, ax=axes, label="loss")
    axes.plot(*path.T, color=COLOURS["vermillion"], linestyle="-", linewidth=2.2, label="descent", gid="path")
    axes.plot(*path[::20].T, "o", color="white", markeredgecolor="black", markersize=5, label="every 20 steps")
    axes.plot(*path[0], "s", color=COLOURS["orange"], markeredgecolor="black", markersize=9, label="start")
    axes.set(xlabel="bias b", ylabel="weight w", xlim=(-SHOWN, SHOWN), ylim=(-SHOWN, SHOWN))
    axes.set_title(f"{loss[0].upper()}{loss[1:]} (simulated cases)")
    axes.legend(loc="upper right", fontsize=9)


def _draw_walk(figure, values, shares, share_of_cases):
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot(values, color=COLOURS["vermillion"], linestyle="-")
    upper.set(ylabel="loss", ylim=(0, 1.05 * values.max()), title="Along the walk")
    lower.plot(shares, color=COLOURS["blue"], linestyle="-", label="of the pull")
    lower.axhline(share_of_cases, color="0.4", linestyle=":", label="of the cases")
    lower.set(xlabel="step", ylabel="share of label 1", ylim=(0, 1.02))
    lower.legend(loc="best", fontsize=9)


def explore_loss_surface():
    """Walk down the surface of a loss: choose the loss, how many cases are rare, and where the walk starts.

    Returns
    -------
    Explorer
        Each frame is drawn by :func:`draw_loss_surface`.

    Examples
    --------
    >>> list(explore_loss_surface().values)
    ['loss', 'rare_percent', 'start_weight']
    """
    controls = {
        "loss": ipywidgets.Dropdown(options=list(LOSSES), value="squared error", description="loss"),
        "rare_percent": ipywidgets.IntSlider(value=20, min=1, max=50, description="cases with label 1 (%)"),
        "start_weight": ipywidgets.FloatSlider(
            value=-6.0, min=-REACH, max=REACH, step=0.5, description="weight at the start", readout_format=".1f"
        ),
    }
    for name in ("rare_percent", "start_weight"):
        controls[name].style.description_width = "initial"
        controls[name].layout.width = "28em"
    return Explorer(draw_loss_surface, controls)
