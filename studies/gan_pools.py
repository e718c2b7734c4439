"""The patches that the study of made patches trains and tests on: simulated patients, and blocks of LUNA16 crops.

A pool is one file with the middle of each patch, its label, its patient and its diameter. No patient is in two pools.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medlearn import data
from medlearn.models import gan
from studies.records import save_arrays

UNSEEN_SEED, REHEARSAL_SEED, TEST_SEED = 1000, 1001, 3000  # of data.load_nodule_patches; replicate r has seed r
SIMULATED, REAL = "simulated", "real"
FRACTIONS = (0.85, 0.15)  # of LUNA16's rows: development, test


@dataclass(frozen=True)
class Pool:
    """Patches of 32 x 32 pixels in HU with label, patient (LUNA16: block) and diameter (NaN: none, or not told)."""

    images_hu: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    diameters_mm: np.ndarray

    def of(self, patients):
        """Return the patches of some patients."""
        chosen = np.isin(self.patients, patients)
        return Pool(*(column[chosen] for column in vars(self).values()))


def make_pool(options, folder):
    """Simulate or read one pool and store it, unless its file is there: the work of a job of the study."""
    path = _path(options["pool"], folder)
    if not path.exists():
        patches = _real_part(options) if options["pool"].startswith(REAL) else _simulated(options)
        save_arrays(
            path, images_hu=gan.middle(patches.images_hu).astype(np.float32), labels=patches.labels,
            patients=patches.patients, diameters_mm=patches.diameters_mm,
        )  # fmt: skip
    pool = load_pool(options["pool"], folder)
    return {"patches": len(pool.labels), "patients": len(set(pool.patients)), "nodules": int(pool.labels.sum())}


def load_pool(name, folder):
    """Read a pool that :func:`make_pool` stored."""
    with np.load(_path(name, folder), allow_pickle=False) as file:
        return Pool(*(file[column] for column in Pool.__dataclass_fields__))


def _path(name, folder):
    return Path(folder) / "pools" / f"{name}.npz"


def _simulated(options):
    return data.load_nodule_patches(
        options["num_patients"], patches_per_patient=options["patches_per_patient"], prevalence=0.5,
        seed=options["seed"],
    )  # fmt: skip


def _real_part(options):
    """Cut LUNA16 into development and test rows; a rehearsal cuts the development rows once more and stays there."""
    parts = data.load_luna16_crops().by_rows(FRACTIONS)
    if options["rehearsal"]:
        parts = parts[0].by_rows(FRACTIONS)
    return data.load_luna16_patches(parts[options["pool"] == f"{REAL}-test"], size=32)


def training_patients(pool, source, *, size, replicate):
    """Return the patients to train on; a smaller size takes the first of those of a larger one.

    Simulated patients stand in no order, so the first are as good as any. Blocks of real rows are shuffled by the
    replicate.
    """
    patients = list(dict.fromkeys(pool.patients.tolist()))
    if source == REAL:
        patients = np.random.default_rng([replicate, 9]).permutation(patients).tolist()
    if size > len(patients):
        raise ValueError(f"{size} training patients were asked for, the pool has {len(patients)}; lower the size.")
    return patients[:size]
