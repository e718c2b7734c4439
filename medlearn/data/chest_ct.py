"""Simulated patients with a chest CT: anatomy, nodules with their risk of cancer, and the physics of the scanner."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from medlearn.data.catalogue import Card, card
from medlearn.data.chest_nodules import Nodule, lidc_table
from medlearn.data.chest_options import check_count, check_scan, check_view
from medlearn.data.chest_patient import Patient
from medlearn.data.chest_render import TISSUE_HU, render
from medlearn.data.ct_scanner import Scanner, acquire
from medlearn.data.dicom_writer import write_dicom_series
from medlearn.data.options import check_flag, check_whole, patient_seeds
from medlearn.data.voxels import Grid

_MIDDLE_MM = -35.0  # of the lungs, above the carina
_LUNGS_MM = (-190.0, 95.0)  # lowest and highest lung of the reference patient
_MOST_VOXELS = 150_000_000


@dataclass(frozen=True)
class Person:
    """What the risk model asks about a patient."""

    age: int
    female: bool
    emphysema: bool
    family_history: bool


@dataclass(frozen=True)
class ChestScan:
    """A chest CT of one patient: SIMULATED or real, as ``card.synthetic`` says.

    ``image`` holds int16 HU, ``lung_mask`` 1 in the lungs with their vessels and nodules, ``nodule_labels`` k where
    more than half of the voxel is nodule ``nodules[k - 1]``; of a nodule smaller than the voxels there may be none. All
    three have one geometry, LPS with identity direction: the first row of a slice is the front, and the patient's left
    (the side of the heart) is at high x. Of a real scan, ``person``, ``scanner`` and ``lung_mask`` are None where
    nobody told them: :func:`medlearn.data.load_lidc_chest`.

    Raises
    ------
    ValueError
        If ``image`` is no volume with a spacing, or a mask has another geometry.
    """

    image: sitk.Image
    lung_mask: sitk.Image | None
    nodule_labels: sitk.Image
    nodules: tuple[Nodule, ...]
    person: Person | None
    scanner: Scanner | None
    contrast: bool
    slice_thickness_mm: float
    patient: str
    card: Card

    def __post_init__(self):
        check_scan(self.image, lung_mask=self.lung_mask, nodule_labels=self.nodule_labels)

    @property
    def array(self):
        """The HU as an array in the order [z, y, x]: a copy."""
        return sitk.GetArrayFromImage(self.image)

    def nodule_mask(self, index):
        """Return the mask of ``nodules[index]`` as an image of 0 and 1."""
        if not self.nodules:
            raise ValueError(f"got index {index!r}, but {self.patient} has no nodule in this scan.")
        return self.nodule_labels == check_whole("index", index, 0, len(self.nodules) - 1) + 1

    def write_dicom(self, folder):
        """Write the slices as DICOM files into an empty folder, and return their paths in the order of the slices."""
        kernel = f", {self.scanner.kernel} kernel" if self.scanner else ""
        name, kind = ("Simulated^", "SIMULATED chest CT") if self.card.synthetic else ("", "Derived chest CT")
        return write_dicom_series(
            self.image, folder, patient_name=name + self.patient, patient_id=self.patient,
            series_description=kind + kernel, slice_thickness_mm=self.slice_thickness_mm,
        )  # fmt: skip


def simulate_patient(
    seed=0, *, num_pixels=256, spacing_mm=1.4, num_slices=64, slice_spacing_mm=2.5, slice_thickness_mm=None,
    middle_mm=_MIDDLE_MM, num_nodules=None, scanner=None, contrast=None,
):  # fmt: skip
    """Simulate a chest CT. The patient is SIMULATED; sizes and shapes of the nodules are those the LIDC readers drew.

    The seed stands for the person, the anatomy, the nodules and, unless you give one, the scanner. The grid only says
    where the scanner looks: any grid shows the same anatomy.

    Parameters
    ----------
    seed : int
        0 or more. One seed is one patient.
    num_pixels : int
        Rows and columns, 8 to 1024.
    spacing_mm : float
        Pixel size in the slice, 0.3 to 20.
    num_slices : int or None
        1 to 2000; None covers both lungs.
    slice_spacing_mm : float
        Distance between slices, 0.3 to 20.
    slice_thickness_mm : float, optional
        Values are averaged over it (partial volume); else the distance between slices. 0.3 to 20.
    middle_mm : float
        Height of the middle slice above the carina, where the trachea divides. Not used if ``num_slices`` is None.
    num_nodules : int, optional
        In both lungs; the scan lists those whose centre it covers. Else drawn from the scans of LIDC-IDRI:
        none in 13 % of them.
    scanner : Scanner, optional
        Kernel and dose; else drawn.
    contrast : bool, optional
        Contrast medium in the blood; else drawn, as often as in LIDC-IDRI: 31 % of the scans.

    Returns
    -------
    ChestScan

    Raises
    ------
    ValueError
        If an option is out of its range, or the scan has more than 150 million voxels.

    Examples
    --------
    >>> scan = simulate_patient(seed=3, num_pixels=64, spacing_mm=5.6, num_slices=8, slice_spacing_mm=10)
    >>> scan.patient, scan.image.GetSize(), scan.card.synthetic
    ('SIM-CHEST-3', (64, 64, 8), True)

    References
    ----------
    Nodules: Armato SG et al., Med Phys 38:915, 2011, doi:10.1118/1.3528204. Risk: McWilliams A et al., N Engl J Med
    369:910, 2013, doi:10.1056/NEJMoa1214726. Vessel trees: Tawhai MH et al., Ann Biomed Eng 28:793, 2000,
    doi:10.1114/1.1289457; Murray CD, PNAS 12:207, 1926, doi:10.1073/pnas.12.3.207. HU of water, fat, muscle: Schneider
    U et al., Phys Med Biol 41:111, 1996, doi:10.1088/0031-9155/41/1/009; of ground glass:
    doi:10.1186/s12885-020-6556-6. Denser lung at the back: Webb WR et al., Radiology 186:117, 1993,
    doi:10.1148/radiology.186.1.8416550. Noise: Kijewski MF, Judy PF, Phys Med Biol 32:565, 1987,
    doi:10.1088/0031-9155/32/5/003.
    """
    view = check_view(num_pixels, spacing_mm, num_slices, slice_spacing_mm, slice_thickness_mm, middle_mm)
    patient = Patient(check_whole("seed", seed, 0, 10**17), check_count(num_nodules))
    scanner, contrast = draw_equipment(patient, scanner, contrast)
    grid = _grid_of(patient, *view)
    found = render(patient, grid, blood_hu=blood_hu(patient, contrast))
    image = acquire(found.image_hu, grid, scanner, patient.rng("noise"))
    kept = [k for k, n in enumerate(patient.nodules) if _holds(grid, n.centre_mm)]
    numbers = np.zeros(len(patient.nodules) + 1, np.uint16)
    numbers[np.array(kept, int) + 1] = np.arange(1, len(kept) + 1)
    return ChestScan(
        image=_as_image(np.rint(np.clip(image, -1024, 3071)).astype(np.int16), grid),
        lung_mask=_as_image(((found.lung > 0.5) | (found.nodule > 0)).astype(np.uint8), grid),
        nodule_labels=_as_image(numbers[found.nodule], grid),
        nodules=tuple(patient.nodules[k] for k in kept),
        person=Person(patient.age, patient.female, patient.emphysema, patient.family_history),
        scanner=scanner, contrast=contrast, slice_thickness_mm=float(grid.thickness_mm),
        patient=patient_name(seed), card=card("simulated_chest_ct"),
    )  # fmt: skip


def load_nodule_scans(
    num_patients=10, *, seed=0, num_pixels=256, spacing_mm=1.4, num_slices=None, slice_spacing_mm=2.5,
    slice_thickness_mm=None, num_nodules=None,
):  # fmt: skip
    """Return a generator of one simulated chest CT after another, so that only one is in memory.

    Parameters
    ----------
    num_patients : int
        1 to 10000.
    seed : int
        Another seed gives other patients, none of them in two seeds. :func:`load_nodule_patches` has the same ones.
    num_pixels, spacing_mm, num_slices, slice_spacing_mm, slice_thickness_mm, num_nodules
        As for :func:`simulate_patient`; ``num_slices=None`` covers both lungs.

    Yields
    ------
    ChestScan

    Raises
    ------
    ValueError
        If an option is out of its range.

    Examples
    --------
    >>> scans = load_nodule_scans(2, num_pixels=32, spacing_mm=11, num_slices=4, slice_spacing_mm=20)
    >>> [scan.patient for scan in scans]
    ['SIM-CHEST-0', 'SIM-CHEST-1']
    """
    seeds = patient_seeds(num_patients, seed)
    check_view(num_pixels, spacing_mm, num_slices, slice_spacing_mm, slice_thickness_mm, _MIDDLE_MM)
    check_count(num_nodules)  # now, not when the first scan is asked for
    return (
        simulate_patient(
            patient_seed, num_pixels=num_pixels, spacing_mm=spacing_mm, num_slices=num_slices,
            slice_spacing_mm=slice_spacing_mm, slice_thickness_mm=slice_thickness_mm, num_nodules=num_nodules,
        )
        for patient_seed in seeds
    )  # fmt: skip


def patient_name(seed):
    return f"SIM-CHEST-{seed}"


def draw_equipment(patient, scanner=None, contrast=None):
    """Return the scanner and whether contrast medium is given, drawn where they are not chosen."""
    if not isinstance(scanner, Scanner | None):
        raise ValueError(f"scanner must be a Scanner, such as Scanner('soft', 2.0), or None, got {scanner!r}.")
    rng = patient.rng("scanner")
    drawn, injected = Scanner.draw(rng), bool(rng.random() < lidc_table()["scan_contrast"].mean())
    return scanner or drawn, injected if contrast is None else check_flag("contrast", contrast)


def blood_hu(patient, contrast):
    """Return the HU of blood: about 42, with contrast medium 110 to 230."""
    return float(patient.rng("blood").uniform(110, 230)) if contrast else TISSUE_HU["blood"]


def centred_grid(middle_mm, size, spacing_mm, slice_spacing_mm, thickness_mm):
    """Return a grid around a point."""
    spacing = (spacing_mm, spacing_mm, slice_spacing_mm)
    origin = [m - (n - 1) / 2 * s for m, n, s in zip(middle_mm, size, spacing, strict=True)]
    return Grid(tuple(origin), spacing, tuple(size), thickness_mm)


def _as_image(array, grid):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(s) for s in grid.spacing_mm])
    image.SetOrigin([float(o) for o in grid.origin_mm])
    return image


def _grid_of(patient, num_pixels, spacing_mm, num_slices, slice_spacing_mm, thickness_mm, middle_mm):
    """Return the grid of a scan; without a number of slices, the one that covers both lungs."""
    if num_slices is None:
        low, high = (height * patient.scale[2] for height in _LUNGS_MM)
        num_slices, middle_mm = int(np.ceil((high - low) / slice_spacing_mm)), (low + high) / 2
    if num_pixels**2 * num_slices > _MOST_VOXELS:
        raise ValueError(f"{num_slices} slices of {num_pixels} x {num_pixels} pixels are more than {_MOST_VOXELS} "
                         "voxels (about 50 bytes each): take fewer pixels, or fewer slices further apart.")  # fmt: skip
    return centred_grid((0.0, 0.0, middle_mm), (num_pixels, num_pixels, num_slices), spacing_mm, slice_spacing_mm,
                        thickness_mm)  # fmt: skip


def _holds(grid, point_mm):
    """Say whether a point is in a voxel of the grid: half of the spacing around its centre, however thick the slice."""
    index = np.floor((np.array(point_mm) - grid.origin_mm) / grid.spacing_mm + 0.5)
    return bool(((index >= 0) & (index < grid.size)).all())
