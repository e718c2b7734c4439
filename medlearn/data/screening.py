"""A simulated screening programme: patches of lung CT that betray their patient more than the disease."""

from dataclasses import dataclass

import numpy as np

from medlearn.data.catalogue import Card, card
from medlearn.data.lung_anatomy import Lung
from medlearn.data.options import check_whole

_MAX_VALUES = 250_000_000  # pixels of all patches together: 1 GB


@dataclass(frozen=True)
class Screening:
    """Patches of SIMULATED patients, patient by patient and slice by slice.

    Attributes
    ----------
    images : ndarray of float32, shape (n, size, size)
        HU; the pixels are 0.7 mm wide.
    labels : ndarray of int64, shape (n,)
        1 = the patient has the disease. All patches of a patient have one label.
    patients : ndarray of int64, shape (n,)
    slices : ndarray of int64, shape (n,)
        A number for each slice; no two patients share one.
    card : Card
    """

    images: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    slices: np.ndarray
    card: Card

    def __len__(self):
        return len(self.labels)


def simulate_screening(
    num_patients=60, *, slices_per_patient=4, patches_per_slice=5, prevalence=0.4, size=24, seed=0
):  # fmt: skip
    """Simulate patches of lung CT for experiments on leakage. The patients are SIMULATED.

    Three things make patches alike. A **patient** has a lung of a certain density, grain and gradient, and lay in a
    scanner of a certain sharpness, noise and faint ring artefact; neighbouring slices share most of the grain. A
    **slice** has its vessels. The **patches** of a slice overlap almost wholly; each has noise of its own, as if
    scanned again. The disease belongs to the patient and looks like early emphysema: the lung loses up to 35 HU and has
    small holes. Healthy people differ as much (the standard deviation is 25 HU), so the sign is weak. A model tested on
    patients it has trained on can read the label off their fingerprint instead.

    How much that helps it is a matter of the constants here, chosen so that the gap is plain to see: over six seeds, a
    random forest on the pixels reached an AUC of 0.93 split by image, 0.80 by slice and 0.70 by patient.

    Parameters
    ----------
    num_patients : int
        2 to 5,000.
    slices_per_patient, patches_per_slice : int
        1 to 50.
    prevalence : float
        Share of patients with the disease, between 0 and 1: rounded to a whole number of patients, at least one of
        each kind.
    size : int
        Rows and columns of a patch, 8 to 40.
    seed : int
        Another seed, other patients.

    Returns
    -------
    Screening

    Raises
    ------
    ValueError
        If an option is out of its range, or if all patches together would need more than 1 GB.

    Examples
    --------
    >>> screening = simulate_screening(10, seed=1)
    >>> screening.images.shape, int(screening.labels.sum()), screening.card.synthetic
    ((200, 24, 24), 80, True)

    References
    ----------
    Density between people: Fromson BH, Denison DM, Thorax 43:120, 1988, doi:10.1136/thx.43.2.120.
    Emphysema as low attenuation: Gevenois PA et al., Am J Respir Crit Care Med 152:653, 1995,
    doi:10.1164/ajrccm.152.2.7633722; in clusters: Mishima M et al., PNAS 96:8829, 1999, doi:10.1073/pnas.96.16.8829.
    Noise of a scanner, its spectrum: Kijewski MF, Judy PF, Phys Med Biol 32:565, 1987, doi:10.1088/0031-9155/32/5/003;
    its size at low dose: Chen JH et al., PLoS One 9:e92414, 2014, doi:10.1371/journal.pone.0092414.
    """
    _check_options(num_patients, slices_per_patient, patches_per_slice, prevalence, size, seed)
    rng = np.random.default_rng(seed)
    num_ill = min(max(round(prevalence * num_patients), 1), num_patients - 1)
    ill = rng.permutation(np.arange(num_patients) < num_ill)
    images = np.empty((num_patients, slices_per_patient, patches_per_slice, size, size), dtype=np.float32)
    for patient, own_rng in enumerate(rng.spawn(num_patients)):
        lung = Lung.draw(own_rng, ill=ill[patient])
        slices_hu = lung.draw_slices(slices_per_patient, size + size // 8, own_rng)
        images[patient] = [_patches(slice_hu, lung, patches_per_slice, size, own_rng) for slice_hu in slices_hu]
    patches = slices_per_patient * patches_per_slice
    return Screening(
        images=images.reshape(-1, size, size),
        labels=np.repeat(ill.astype(np.int64), patches),
        patients=np.repeat(np.arange(num_patients), patches),
        slices=np.repeat(np.arange(num_patients * slices_per_patient), patches_per_slice),
        card=card("simulated_screening"),
    )


def _check_options(num_patients, slices_per_patient, patches_per_slice, prevalence, size, seed):
    for name, value, low, high in (
        ("num_patients", num_patients, 2, 5000),
        ("slices_per_patient", slices_per_patient, 1, 50),
        ("patches_per_slice", patches_per_slice, 1, 50),
        ("size", size, 8, 40),
        ("seed", seed, 0, np.inf),
    ):
        check_whole(name, value, low, high)
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence must be between 0 and 1, got {prevalence!r}; 0.4 is two patients in five.")
    values = num_patients * slices_per_patient * patches_per_slice * size**2
    if values > _MAX_VALUES:
        raise ValueError(
            f"{num_patients * slices_per_patient * patches_per_slice:,} patches of {size} x {size} need"
            f" {values * 4 / 1e9:.1f} GB. Ask for fewer patients, slices or patches."
        )


def _patches(slice_hu, lung, count, size, rng):
    """Return patches of one slice, each from another place of it, each with noise of its own."""
    corners = rng.integers(0, len(slice_hu) - size + 1, (count, 2))
    patches_hu = np.stack([slice_hu[row : row + size, column : column + size] for row, column in corners])
    return np.maximum(patches_hu + lung.draw_noise(count, size, rng), -1024.0)
