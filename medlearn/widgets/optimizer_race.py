"""A race of optimizers on surfaces with a known minimum, run by ``torch.optim``."""

from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from types import MappingProxyType

import numpy as np

MOST_STEPS = 500
GIVE_UP = 1e6
"""A run whose distance to the minimum passes this, or is not a number, has diverged."""
ARRIVED = 1e-8
"""Runs that end nearer to the minimum than this count as equally good."""


@dataclass(frozen=True)
class Surface:
    """A function of two weights with a known minimum.

    Parameters
    ----------
    value : function of (x, y)
        Works on NumPy arrays and on tensors.
    start, minimum : tuple of two floats
    limits : tuple (x from, x to, y from, y to)
        The part of the plane that is drawn.
    """

    value: object
    start: tuple
    minimum: tuple
    limits: tuple


def _rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _beale(x, y):
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _bowl(x, y):
    return 0.5 * (x**2 + 100 * y**2)


def _turned_bowl(x, y):
    half = 0.5**0.5
    return _bowl(half * (x + y), half * (y - x))


SURFACES = MappingProxyType(
    {
        "Rosenbrock": Surface(_rosenbrock, (-1.2, 1.0), (1.0, 1.0), (-2.0, 2.0, -1.0, 3.0)),
        "Beale": Surface(_beale, (1.0, 1.0), (3.0, 0.5), (-0.5, 4.5, -1.5, 1.7)),
        "bowl": Surface(_bowl, (-4.0, 1.5), (0.0, 0.0), (-5.0, 3.0, -3.0, 3.0)),
        "bowl, turned by 45°": Surface(
            _turned_bowl, (-2.75 * 2**0.5, -1.25 * 2**0.5), (0.0, 0.0), (-5.0, 3.0, -4.0, 3.0)
        ),
    }
)
"""The surfaces by name. Both bowls have the curvatures 1 and 100; the turned one starts at the turned point."""

OPTIMIZERS = ("SGD", "momentum", "AdaGrad", "RMSProp", "Adam")
RATES = tuple(float(rate) for rate in 10 ** np.linspace(-4, 1, 21))
"""The fixed grid on which :func:`tune_race` chooses: 0.0001 to 10, four rates to a factor of ten."""
_CHOSEN = {
    "Rosenbrock": (6, 6, 17, 13, 16),
    "Beale": (10, 9, 16, 11, 16),
    "bowl": (9, 8, 16, 11, 14),
    "bowl, turned by 45°": (9, 8, 17, 13, 19),
}
TUNED = MappingProxyType(
    {
        surface: MappingProxyType(dict(zip(OPTIMIZERS, (RATES[place] for place in places), strict=True)))
        for surface, places in _CHOSEN.items()
    }
)
"""What :func:`tune_race` chooses on that grid with 200 steps, by surface and optimizer (tested)."""


@dataclass(frozen=True, eq=False)
class Run:
    """The path of one optimizer.

    Attributes
    ----------
    points : ndarray of shape (steps + 1, 2)
        Where it stood before every step and after the last; read-only. A diverged run ends early, before it gave up.
    distances : ndarray of shape (steps + 1,)
        From each point to the minimum.
    diverged_at : int or None
        The step at which its distance passed 1e6 or was no number.
    """

    learning_rate: float
    points: np.ndarray
    distances: np.ndarray
    diverged_at: int | None


def _torch_optimizer(name, weights, learning_rate):
    import torch

    makers = {
        "SGD": lambda: torch.optim.SGD(weights, lr=learning_rate),
        "momentum": lambda: torch.optim.SGD(weights, lr=learning_rate, momentum=0.9),
        "AdaGrad": lambda: torch.optim.Adagrad(weights, lr=learning_rate),
        "RMSProp": lambda: torch.optim.RMSprop(weights, lr=learning_rate),
        "Adam": lambda: torch.optim.Adam(weights, lr=learning_rate),
    }
    return makers[name]()


@lru_cache(maxsize=2048)
def _run(name, surface_name, learning_rate, steps):
    import torch

    surface = SURFACES[surface_name]
    weights = torch.tensor(surface.start, dtype=torch.float64, requires_grad=True)
    optimizer = _torch_optimizer(name, [weights], learning_rate)
    points, diverged_at = [np.array(surface.start)], None
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        surface.value(weights[0], weights[1]).backward()
        optimizer.step()
        point = weights.detach().numpy().copy()
        if not np.hypot(*(point - surface.minimum)) < GIVE_UP:
            diverged_at = step
            break
        points.append(point)
    points = np.array(points)
    distances = np.hypot(*(points - surface.minimum).T)
    for kept in (points, distances):
        kept.flags.writeable = False  # the next caller gets the same arrays
    return Run(learning_rate, points, distances, diverged_at)


def run_race(surface, *, learning_rates, steps=200):
    """Run optimizers of ``torch.optim`` from the same start on the same surface.

    Parameters
    ----------
    surface : {"Rosenbrock", "Beale", "bowl", "bowl, turned by 45°"}
    learning_rates : dict of {"SGD", "momentum", "AdaGrad", "RMSProp", "Adam"} to float
        Everything else is PyTorch's default; momentum is 0.9.
    steps : int
        1 to 500.

    Returns
    -------
    dict of str to Run

    Raises
    ------
    ValueError
        If a name is unknown, a rate is not positive or ``steps`` is out of range.

    Examples
    --------
    >>> race = run_race("bowl", learning_rates={"SGD": 0.01, "Adam": 0.1}, steps=100)
    >>> {name: round(float(run.distances[-1]), 2) for name, run in race.items()}
    {'SGD': 1.46, 'Adam': 0.02}
    """
    if surface not in SURFACES:
        raise ValueError(f"there is no surface called {surface!r}; the names are {', '.join(SURFACES)}.")
    if not _is_number(steps) or not 1 <= steps <= MOST_STEPS or steps != int(steps):
        raise ValueError(f"steps must be a whole number from 1 to {MOST_STEPS}, got {steps!r}.")
    for name, rate in learning_rates.items():
        if name not in OPTIMIZERS:
            raise ValueError(f"there is no optimizer called {name!r}; the names are {', '.join(OPTIMIZERS)}.")
        if not _is_number(rate) or not 0 < rate < np.inf:
            raise ValueError(f"the learning rate of {name} must be positive and finite, got {rate!r}; try 0.01.")
    return {name: _run(name, surface, float(rate), int(steps)) for name, rate in learning_rates.items()}


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def tune_race(surface, *, names=OPTIMIZERS, rates=RATES, steps=200):
    """Choose each optimizer's learning rate on one grid: the one that ends nearest to the minimum.

    Parameters
    ----------
    surface : str
        As in :func:`run_race`.
    names : sequence of str
    rates : sequence of float
        The grid, the same for all.
    steps : int
        The budget, the same for all.

    Returns
    -------
    dict of str to Run
        The best run of each optimizer. One that diverges at every rate keeps the run that lasted longest.

    Raises
    ------
    ValueError
        As :func:`run_race`, or if the grid is empty.

    Examples
    --------
    >>> best = tune_race("bowl", names=["SGD"], rates=[0.001, 0.01, 0.1], steps=20)
    >>> best["SGD"].learning_rate
    0.01
    """
    if not len(rates):
        raise ValueError("rates is empty: give the grid of learning rates, such as (0.001, 0.01, 0.1).")
    best = {}
    for name in names:
        runs = [run_race(surface, learning_rates={name: rate}, steps=steps)[name] for rate in rates]
        best[name] = min(runs, key=_rank)
    return best


def _rank(run):
    if run.diverged_at is not None:
        return (1, -run.diverged_at)
    return (0, max(float(run.distances[-1]), ARRIVED))  # beyond it, the first (smallest) rate of the grid wins
