"""Small square cuts from chest CT: around nodules, and around what looks like one and is none."""

from dataclasses import dataclass, replace

import numpy as np

from medlearn.data.catalogue import Card, card
from medlearn.data.chest_ct import blood_hu, centred_grid, draw_equipment, patient_name
from medlearn.data.chest_mimics import find_mimics
from medlearn.data.chest_nodules import lidc_table
from medlearn.data.chest_patient import Patient
from medlearn.data.chest_render import render
from medlearn.data.ct_scanner import acquire
from medlearn.data.options import check_number, check_whole, patient_seeds

SIZE, SPACING_MM = 64, 0.7
_RIM = 6  # pixels around a patch for the blur, cut off again
_VIEWS = 6  # of one nodule, at most
_MOST = 200_000
_COLUMNS = ("labels", "patients", "kinds", "diameters_mm", "malignancy", "malignant")


@dataclass(frozen=True)
class NodulePatches:
    """Patches of chest CT, one slice each: of SIMULATED patients or of real ones, as ``card.synthetic`` says.

    What a real set does not tell is NaN, "" or -1, never a guess: :mod:`medlearn.data.nodules`.

    Parameters
    ----------
    images_hu : ndarray of float32, shape (patch, row, column)
        Simulated: 64 x 64 pixels.
    labels : ndarray of int64
        1: a nodule is near the middle. 0: none.
    patients : ndarray of str
        The patient of each patch. Split by it: the patches of a patient show the same nodules and the same scanner.
    kinds : ndarray of str
        The type of the nodule, or what was taken instead: vessel, branching, pleura, scar, bronchus, lung. "": not
        told.
    diameters_mm : ndarray of float64
        Of the nodule; NaN where there is none, or where it is not told.
    malignancy : ndarray of float64
        Probability that the nodule is cancer; NaN where there is none, or where it is not told.
    malignant : ndarray of int64
        Simulated: the label drawn with this probability. Real: what ``card`` says. 0 where there is no nodule; -1: not
        told.
    spacing_mm : float
        Of the pixels; NaN: it differs from patch to patch and is not told.
    card : Card

    Raises
    ------
    ValueError
        If there is not one entry for each image, or the spacing is not positive.
    """

    images_hu: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    kinds: np.ndarray
    diameters_mm: np.ndarray
    malignancy: np.ndarray
    malignant: np.ndarray
    spacing_mm: float
    card: Card

    def __post_init__(self):
        shape = np.shape(self.images_hu)
        if len(shape) != 3:
            raise ValueError(f"images_hu must have the shape (patch, row, column), got {shape}.")
        for name in _COLUMNS:
            if np.shape(getattr(self, name)) != shape[:1]:
                raise ValueError(
                    f"{name} must have one entry for each of the {shape[0]} images, got the shape"
                    f" {np.shape(getattr(self, name))}."
                )
        if not (np.isnan(self.spacing_mm) or 0 < self.spacing_mm < np.inf):
            raise ValueError(f"spacing_mm must be positive, or NaN where it is not known, got {self.spacing_mm}.")

    def __len__(self):
        return len(self.labels)

    def select(self, indices):
        """Return some of the patches.

        Parameters
        ----------
        indices : slice, ndarray of bool with one value for each patch, or sequence of int
            As for an array of NumPy.

        Returns
        -------
        NodulePatches

        Examples
        --------
        >>> patches = load_nodule_patches(num_patients=2, patches_per_patient=4, prevalence=0.5)
        >>> patches.select(patches.labels == 1).patients.tolist()
        ['SIM-CHEST-0', 'SIM-CHEST-0', 'SIM-CHEST-1', 'SIM-CHEST-1']
        """
        arrays = {name: getattr(self, name)[indices] for name in ("images_hu", *_COLUMNS)}
        return replace(self, **arrays)


def load_nodule_patches(num_patients=100, *, patches_per_patient=20, prevalence=0.35, seed=0):
    """Simulate patches of 64 x 64 pixels with and without a nodule.

    Each patient has a scanner, a slice thickness (of LIDC-IDRI, 3 mm at most) and the nodules of the scan with the
    same name; who has none there is given some, as many as a scan of LIDC-IDRI with nodules. Patches without a nodule
    lie on vessels and their branchings, pleura, scars, bronchi: the places where a simple detector fires.

    Parameters
    ----------
    num_patients : int
        1 to 10000.
    patches_per_patient : int
        2 or more.
    prevalence : float
        Share of patches with a nodule, 0.001 to 0.999. A patient with few nodules gives fewer: a nodule
        is seen in 6 slices at most.
    seed : int
        Another seed gives other patients; the same seed gives those of :func:`load_nodule_scans`, so train and test
        on two seeds.

    Returns
    -------
    NodulePatches
        In the order of the patients.

    Raises
    ------
    ValueError
        If an option is out of its range.

    Examples
    --------
    >>> patches = load_nodule_patches(num_patients=2, patches_per_patient=4, prevalence=0.5)
    >>> patches.images_hu.shape, patches.labels.tolist()
    ((8, 64, 64), [1, 1, 0, 0, 1, 1, 0, 0])
    """
    seeds = patient_seeds(num_patients, seed)
    patches_per_patient = check_whole("patches_per_patient", patches_per_patient, 2, 10_000)
    prevalence = check_number("prevalence", prevalence, 0.001, 0.999)
    count = len(seeds) * patches_per_patient
    if count > _MOST:
        raise ValueError(f"at most {_MOST} patches at once (16 kB each), got {len(seeds)} patients with "
                         f"{patches_per_patient} each: take fewer, or several seeds one after another.")  # fmt: skip
    images = np.empty((count, SIZE, SIZE), np.float32)
    rows = []
    for patient_seed in seeds:
        for image, row in _patches_of(patient_seed, patches_per_patient, prevalence):
            images[len(rows)] = image
            rows.append((patient_name(patient_seed), *row))
    patients, kinds, diameters, malignancy, malignant = (np.array(column) for column in zip(*rows, strict=True))
    return NodulePatches(
        images, np.isfinite(diameters).astype(np.int64), patients, kinds, diameters, malignancy, malignant,
        SPACING_MM, card("simulated_chest_ct"),
    )  # fmt: skip


def _patches_of(seed, count, prevalence):
    """Yield the patches of one patient, nodules first: the image, and kind, diameter, risk and label."""
    rng = np.random.default_rng([seed, 7])
    table = lidc_table()
    patient = Patient(seed)
    if not patient.nodules:
        patient = Patient(seed, num_nodules=int(rng.choice(table["scan_nodules"][table["scan_nodules"] > 0])))
    thickness_mm = float(min(rng.choice(table["scan_thickness_mm"]), 3.0))
    scanner, contrast = draw_equipment(patient)
    wanted = min(max(1, round(prevalence * count)), _VIEWS * len(patient.nodules), count - 1)
    places = [_nodule_view(patient.nodules[k % len(patient.nodules)], rng) for k in range(wanted)]
    places += [(*place, None) for place in find_mimics(patient, count - wanted, SPACING_MM, rng)]
    for middle, kind, nodule in places:
        grid = centred_grid(middle, (SIZE + 2 * _RIM,) * 2 + (1,), SPACING_MM, thickness_mm, thickness_mm)
        image = render(patient, grid, blood_hu=blood_hu(patient, contrast)).image_hu
        image = acquire(image, grid, scanner, rng)[0, _RIM:-_RIM, _RIM:-_RIM]
        if nodule is None:
            yield image, (kind, np.nan, np.nan, 0)
        else:
            yield image, (kind, nodule.diameter_mm, nodule.malignancy_probability, int(nodule.malignant))


def _nodule_view(nodule, rng):
    """Return a place within the nodule: any slice through its inner half, up to 4 pixels aside."""
    shift = np.append(rng.uniform(-4, 4, 2) * SPACING_MM, rng.uniform(-0.5, 0.5) * nodule.diameter_mm / 2)
    return np.array(nodule.centre_mm) + shift, nodule.type, nodule
