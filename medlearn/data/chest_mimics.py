"""Where a simple detector of nodules fires although there is none: vessels, pleura, scars, bronchi."""

from functools import lru_cache

import numpy as np

#: What there is, and how often it is taken.
MIMICS = {"vessel": 0.40, "branching": 0.18, "pleura": 0.25, "scar": 0.06, "bronchus": 0.07, "lung": 0.04}


def find_mimics(patient, count, pixel_mm, rng):
    """Return places in the lungs that a simple detector takes for a nodule, none of them near one.

    Parameters
    ----------
    patient : Patient
    count : int
    pixel_mm : float
        Each place is moved in the slice by up to 4 pixels along x and y.
    rng : numpy.random.Generator

    Returns
    -------
    list of tuple
        The place (x, y, z) in mm and what is there, a key of ``MIMICS``.
    """
    places = []
    while len(places) < count:
        kind = str(rng.choice(list(MIMICS), p=list(MIMICS.values())))
        middle = _PLACES[kind](patient, rng)
        if middle is None or patient.look_up("cavity", middle[None])[0] > 4:
            continue
        middle = middle + np.append(rng.uniform(-4, 4, 2) * pixel_mm, 0)
        if all(np.linalg.norm(middle - n.centre_mm) > n.longest_mm / 2 + 10 for n in patient.nodules):
            places.append((middle, kind))
    return places


def _on_vessel(patient, rng):
    return _middle(patient.vessels[0], _vessel_chances(patient)[0], rng)


def _on_branching(patient, rng):
    return patient.vessels[0].end_mm[_choose(_vessel_chances(patient)[1], rng)]


@lru_cache(maxsize=1)
def _vessel_chances(patient):
    """Return with which chance, cumulated, to take the middle of each vessel, and its end.

    Middles: vessels of 1.5 to 8 mm, more often one that runs through the slice: a disc, like a nodule.
    """
    vessels = patient.vessels[0]
    along = vessels.end_mm - vessels.start_mm
    steep = abs(along[:, 2]) / np.maximum(np.linalg.norm(along, axis=1), 1e-6)
    radius = vessels.radius_mm
    middle = steep**2 * (radius > 0.75) * np.minimum(radius, 4) ** 2
    end = (vessels.end_radius_mm > 0.8) * np.minimum(radius, 3) ** 2
    return _cumulate(middle), _cumulate(end)


def _on_bronchus(patient, rng):
    return _middle(patient.bronchi, _cumulate(patient.bronchi.radius_mm), rng)


def _on_scar(patient, rng):
    return _middle(patient.scars, _cumulate(np.ones(len(patient.scars))), rng) if len(patient.scars) else None


def _on_pleura(patient, rng):
    points = patient.points_in_lungs(0.05, -1.0, rng)
    return points[np.argmin(abs(patient.look_up("lung", points) + rng.uniform(0, 4)))]


def _in_lung(patient, rng):
    return patient.points_in_lungs(0.05, 4.0, rng)[0]


def _cumulate(chance):
    total = np.cumsum(chance / chance.sum())
    return total / total[-1]


def _choose(cumulated, rng):
    """Return an index; as ``rng.choice(..., p=...)`` does, which would add up the chances anew each time."""
    return cumulated.searchsorted(rng.random(), side="right")


def _middle(tubes, cumulated, rng):
    chosen = _choose(cumulated, rng)
    return (tubes.start_mm[chosen] + tubes.end_mm[chosen]) / 2


_PLACES = {
    "vessel": _on_vessel, "branching": _on_branching, "pleura": _on_pleura, "scar": _on_scar,
    "bronchus": _on_bronchus, "lung": _in_lung,
}  # fmt: skip
