"""Branching trees that fill a space: pulmonary arteries, veins and bronchi."""

import numpy as np

from medlearn.data.tubes import Tubes

MURRAY_EXPONENT = 3.0


def grow_trees(roots_mm, seeds_mm, tree_of_seed, *, end_radius_mm, rng, reach=0.42):
    """Grow trees that split a cloud of points again and again until each branch ends at one point.

    Each branch runs from its parent's end towards the middle of its points; the points are then shared out between two
    daughters by a plane through that end. Radii follow Murray's law: a parent's radius cubed is the sum of its
    daughters' radii cubed, so a branch with n points has the radius of an end branch times the cube root of n.

    Parameters
    ----------
    roots_mm : ndarray of shape (tree, 3)
        Where the trees begin.
    seeds_mm : ndarray of shape (seed, 3)
        The points that end branches reach.
    tree_of_seed : ndarray of int, shape (seed,)
    end_radius_mm : float
    rng : numpy.random.Generator
    reach : float
        A branch covers this share of the way to the middle of its points.

    Returns
    -------
    Tubes
        From the roots outwards, generation by generation.
    tree : ndarray of int
        Which tree each tube belongs to.

    References
    ----------
    Space filling: Tawhai MH et al., Ann Biomed Eng 28:793, 2000, doi:10.1114/1.1289457. Radii: Murray CD, PNAS 12:207,
    1926, doi:10.1073/pnas.12.3.207.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> seeds = rng.normal(size=(8, 3)) + 5
    >>> tubes, _ = grow_trees(np.zeros((1, 3)), seeds, np.zeros(8, int), end_radius_mm=0.5, rng=rng)
    >>> len(tubes), float(tubes.start_radius_mm[0])  # 8 ends, 7 branchings; 0.5 times the cube root of 8
    (15, 1.0)
    """
    owner, place = np.asarray(tree_of_seed).copy(), np.asarray(roots_mm, dtype=float)
    tree, parent_radius = np.arange(len(place)), np.full(len(place), np.inf)
    seeds = np.asarray(seeds_mm, dtype=float)
    pieces = []
    while len(seeds):
        counts = np.bincount(owner, minlength=len(place))
        middle = _means(seeds, owner, counts)
        last = counts == 1
        end = np.where(last[:, None], middle, place + reach * (middle - place))
        radius = end_radius_mm * np.maximum(counts, 1) ** (1 / MURRAY_EXPONENT)
        start_radius = np.minimum(parent_radius, radius)
        pieces.append((Tubes(place, end, start_radius, np.where(last, 0.6, 0.95) * radius), tree))
        going = ~last[owner]
        seeds, owner = seeds[going], owner[going]
        owner, parent = _split(seeds, owner, end - place, len(place), rng)
        place, tree, parent_radius = end[parent], tree[parent], radius[parent]
    return Tubes.join([tubes for tubes, _ in pieces]), np.concatenate([tree for _, tree in pieces])


def _means(points, owner, counts):
    sums = np.column_stack([np.bincount(owner, points[:, k], len(counts)) for k in range(3)])
    return sums / np.maximum(counts, 1)[:, None]


def _split(seeds, owner, along, count, rng):
    """Share out the points of each branch between two daughters, neither empty; number the daughters anew.

    The plane stands across the direction in which the points spread most, at right angles to the branch.
    """
    counts = np.bincount(owner, minlength=count)
    offset = seeds - _means(seeds, owner, counts).take(owner, axis=0)  # take: rows in a fifth of the time of [owner]
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    along = along.take(owner, axis=0)
    offset = offset - _dot(offset, along)[:, None] * along
    height = _dot(offset, _spread_axes(offset, owner, counts).take(owner, axis=0))
    order = np.lexsort((height, owner))
    rank = np.empty(len(seeds), int)
    rank[order] = np.arange(len(seeds)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = rng.uniform(0.2, 0.8, count)
    cut = np.clip(np.rint(share * counts), 1, np.maximum(counts - 1, 1))
    branches = np.flatnonzero(counts)  # those with points; each has two daughters
    numbers = 2 * (np.cumsum(counts > 0) - 1)[owner] + (rank >= cut[owner])
    return numbers, np.repeat(branches, 2)


def _dot(one, other):
    """Return the scalar product of each pair of rows; a sum along an axis of three is slow."""
    return one[:, 0] * other[:, 0] + one[:, 1] * other[:, 1] + one[:, 2] * other[:, 2]


def _spread_axes(offset, owner, counts, few=6):
    """Return the direction in which the points of each branch spread most; of few points, that to one of them."""
    axes = np.zeros((len(counts), 3))
    axes[owner] = offset
    many = np.flatnonzero(counts > few)
    number = np.full(len(counts), -1)
    number[many] = np.arange(len(many))
    inner = number[owner] >= 0
    points, group = offset[inner], number[owner[inner]]
    spread = [np.bincount(group, points[:, i] * points[:, j], len(many)) for i in range(3) for j in range(3)]
    axes[many] = np.linalg.eigh(np.stack(spread, axis=1).reshape(-1, 3, 3))[1][:, :, 2]
    return axes
