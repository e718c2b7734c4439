"""Distances to the nearest neighbours in a set of features or images, a block at a time."""

import numpy as np
from scipy.spatial.distance import cdist

ELEMENTS_AT_ONCE = 1 << 21  # distances held at a time: 16 MB


def as_items(*, flat=False, fewest=2, **sets):
    """Return each set of items as an array of float64, shape (n, d), all with the same d.

    Parameters
    ----------
    flat : bool, optional
        Take images too, shape (n, ...), and lay out the values of each in a row.
    fewest : int, optional
        The items that each set needs.
    **sets : array_like or tensor, shapes (n, d), (m, d), ...
        Under the names by which the caller knows them.

    Raises
    ------
    ValueError
        If a shape does not fit, a set has too few items, or a value is NaN or infinite.
    """
    arrays = {name: _as_array(values, name, flat) for name, values in sets.items()}
    (first, expected), *_ = arrays.items()
    for name, array in arrays.items():
        if array.shape[1:] != expected.shape[1:]:
            raise ValueError(
                f"{first} and {name} must hold the same kind of items, got shapes {expected.shape} and {array.shape}."
                " Take both from one network, or cut both to one size."
            )
        if len(array) < fewest:
            raise ValueError(f"{name} must hold {fewest} items or more, got {len(array)}.")
        rows = np.count_nonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        if rows:
            raise ValueError(f"{name} hold NaN or infinite values in {rows} of {len(array)} items. Find out why first.")
    return [array.reshape(len(array), -1) for array in arrays.values()]


def _as_array(values, name, flat):
    if hasattr(values, "detach"):  # a torch tensor, perhaps on a GPU or with a gradient
        values = values.detach().cpu().double().numpy()
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be rows of numbers, one for each image ({error}).") from error
    if array.ndim < 2 or (array.ndim > 2 and not flat) or 0 in array.shape[1:]:
        wanted = "(n, d) or that of n images" if flat else "(n, d), one row of features for each image"
        raise ValueError(
            f"{name} must have shape {wanted}, got {array.shape}. A single feature is a column, values[:, None];"
            " images become features with nodule_features.features(images_hu)."
        )
    return array


def distance_blocks(items, references):
    """Yield the rows of a block of items, as a slice, and their distances, shape (rows, number of references).

    The differences are taken one by one. The faster ``|a|^2 - 2 a b + |b|^2`` loses the last digits, and a copy would
    not lie at distance 0 of its original.
    """
    rows = max(1, ELEMENTS_AT_ONCE // len(references))
    for start in range(0, len(items), rows):
        block = slice(start, min(start + rows, len(items)))
        yield block, cdist(items[block], references)


def nearest(items, references):
    """Return the distance of each item to its nearest reference, and the index of that; the first of equal ones."""
    distance, index = np.empty(len(items)), np.empty(len(items), dtype=np.int64)
    for block, distances in distance_blocks(items, references):
        index[block] = distances.argmin(axis=1)
        distance[block] = distances.min(axis=1)
    return distance, index


def neighbour_radius(items, neighbours):
    """Return the distance of each item to its k-th nearest neighbour among the others, shape (n,).

    The item itself is left out by its place, not by its distance: a duplicate is a neighbour, at distance 0.
    """
    radius = np.empty(len(items))
    for block, distances in distance_blocks(items, items):
        rows = np.arange(block.start, block.stop)
        distances[rows - block.start, rows] = np.inf
        radius[block] = np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1]
    return radius
