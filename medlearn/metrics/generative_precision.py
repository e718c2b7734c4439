"""Is what was made plausible, and is all of it there: precision, recall, density and coverage of a generator."""

from dataclasses import dataclass, replace

import numpy as np

from medlearn.metrics.checks import Cases, check_level, check_patients
from medlearn.metrics.estimate import Estimate
from medlearn.metrics.generative_neighbours import as_items, distance_blocks, neighbour_radius
from medlearn.metrics.proportions import proportion
from medlearn.metrics.segmentation_means import mean_over_patients

NAMES = ("precision", "recall", "density", "coverage")


@dataclass(frozen=True)
class GenerativeReport:
    """How plausible a made set is, and how much of the real set it covers.

    Attributes
    ----------
    precision : Estimate
        Share of the made items within reach of a real one: plausible.
    recall : Estimate
        Share of the real items within reach of a made one: not forgotten.
    density : Estimate
        How many real items reach a made one, over ``neighbours``; on average about 1 where the sets are alike, and
        above 1 where the made ones crowd together.
    coverage : Estimate
        Share of the real items that reach a made one.
    neighbours : int
        The k of the k-th nearest neighbour, which sets how far an item reaches.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate
    neighbours: int

    def counted_in(self, unit):
        """Return the same report under the name of what stood in for the patients: "block", say."""
        return replace(self, **{name: getattr(self, name).counted_in(unit) for name in ("recall", "coverage")})

    def __str__(self):
        return "\n".join(f"{name:<9}  {getattr(self, name)}" for name in NAMES)


def precision_recall(real, made, *, neighbours=3, patients=None, level=0.95):
    """Return precision, recall, density and coverage of a made set beside a real one.

    An item reaches as far as its k-th nearest neighbour in its own set, itself left out.

    Parameters
    ----------
    real, made : array_like or tensor, shapes (n, d) and (m, d)
        Features, one row for each image, or images, shape (n, ...).
    neighbours : int, optional
        The k: from 1 to one less than the smaller set.
    patients : sequence of length n, optional
        The patient of each real item; the intervals of recall and coverage then are over patients.
    level : float, optional
        Confidence level of the intervals.

    Returns
    -------
    GenerativeReport

    Raises
    ------
    ValueError
        If shapes do not fit, a value is NaN or infinite, or a set has no more items than ``neighbours``.

    Examples
    --------
    >>> real = [[0.0], [1.0], [2.0], [3.0]]  # with one neighbour, each reaches 1 far
    >>> made = [[0.5], [0.6], [0.7], [9.0]]  # these reach 0.1, 0.1, 0.1 and 8.3
    >>> report = precision_recall(real, made, neighbours=1)
    >>> [float(score) for score in (report.precision, report.recall, report.density, report.coverage)]
    [0.75, 0.75, 1.5, 0.5]

    The recall comes from the stray item at 9, which reaches 1, 2 and 3: one outlier is enough. Coverage asks how far
    the real items reach, so it is not fooled.

    References
    ----------
    Kynkaanniemi et al. (2019), doi:10.48550/arXiv.1904.06991. Naeem et al. (2020), doi:10.48550/arXiv.2002.09797.
    """
    level = check_level(level)
    real, made = as_items(real=real, made=made, flat=True)
    _check_neighbours(neighbours, real=real, made=made)
    units, num_patients = check_patients(patients, len(real))
    reached_by, recalled, covered = _reach(real, made, neighbours)
    plausible = _share(reached_by > 0, np.arange(len(made)), len(made), level)
    density = mean_over_patients(reached_by / neighbours, patients=range(len(made)), level=level)
    recall, coverage = (_share(which, units, num_patients, level) for which in (recalled, covered))
    plausible, density = (score.counted_in("made item") for score in (plausible, density))
    return GenerativeReport(plausible, recall, density, coverage, int(neighbours))


def _check_neighbours(neighbours, **sets):
    if neighbours != int(neighbours) or neighbours < 1:
        raise ValueError(f"neighbours must be a whole number, 1 or more, got {neighbours}; 3 or 5 is usual.")
    for name, items in sets.items():
        if len(items) <= neighbours:
            raise ValueError(
                f"{name} hold {len(items)} items, so none has {neighbours} neighbours besides itself. Pass more items,"
                " or fewer neighbours."
            )


def _reach(real, made, neighbours):
    """Return how many real items reach each made one, shape (m,), and two masks of the real items, shape (n,).

    The masks: which lie within reach of a made one, and which reach a made one.
    """
    real_radius, made_radius = (neighbour_radius(items, neighbours) for items in (real, made))
    reached_by = np.zeros(len(made), dtype=np.int64)
    recalled, covered = np.zeros(len(real), dtype=bool), np.zeros(len(real), dtype=bool)
    for block, distances in distance_blocks(real, made):  # (rows, m)
        reached = distances <= real_radius[block, None]
        reached_by += reached.sum(axis=0)
        covered[block] = reached.any(axis=1)
        recalled[block] = (distances <= made_radius).any(axis=1)
    return reached_by, recalled, covered


def _share(which, units, num_patients, level):
    """Return the share of the items that are chosen, with Wilson's interval over patients."""
    ones = np.ones(len(which), dtype=np.int64)
    num_units = len(which) if num_patients is None else num_patients
    cases = Cases(ones, which.astype(np.int64), units, num_units, num_patients)
    return proportion(cases, ones == 1, which, level=level, method="wilson", seed=0, empty="")
