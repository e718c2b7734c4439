"""Scans and slices, each with its patient and its card: what packages ship, and what the cache holds.

The simulated head CT is in :mod:`medlearn.data.head_ct`.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.data import get_testdata_file

from medlearn.data.catalogue import Card, card
from medlearn.data.dicom import read_dicom_series
from medlearn.data.dicom_pixels import read_values
from medlearn.data.dicom_slices import choose_series, place, read_headers
from medlearn.data.download import fetch
from medlearn.data.nifti import read_nifti
from medlearn.geometry import resample

_CT_SLICES = {"head": "J2K_pixelrep_mismatch.dcm", "chest": "CT_small.dcm"}


@dataclass(frozen=True)
class Scan:
    """A volume of one patient.

    ``labels`` is the truth for each voxel where it is known (a simulation, a reader's outline); ``label_names`` maps
    its values to names.
    """

    image: sitk.Image
    patient: str
    card: Card
    labels: sitk.Image | None = None
    label_names: tuple[str, ...] = ()

    @property
    def array(self):
        """The values as an array in the order [z, y, x]: a copy."""
        return sitk.GetArrayFromImage(self.image)


@dataclass(frozen=True)
class Slice2D:
    """One CT slice: HU of shape (rows, columns), and the distance between rows and between columns in mm."""

    image_hu: np.ndarray
    spacing_mm: tuple[float, float]
    patient: str
    card: Card


@dataclass(frozen=True)
class Slices:
    """Slices of one scan that need not be neighbours: HU of shape (slice, rows, columns), from foot to head.

    ``position_mm`` is the place of each slice along the patient; ``spacing_mm`` the distance between rows and columns.
    """

    image_hu: np.ndarray
    position_mm: np.ndarray
    spacing_mm: tuple[float, float]
    patient: str
    card: Card


@dataclass(frozen=True)
class BrainTemplate:
    """An average brain: T1-weighted image, and the share of grey and of white matter in each voxel, 0 to 1."""

    t1: sitk.Image
    grey: sitk.Image
    white: sitk.Image
    card: Card


def load_brain_template(spacing_mm=1.0):
    """Load the ICBM152 brain that nilearn ships. The skull is removed, and it is an average, not a patient.

    Parameters
    ----------
    spacing_mm : float
        Voxel size, 1 mm or more.

    Returns
    -------
    BrainTemplate
        Images with identity direction (LPS: the first row of a slice is the front of the head, and the patient's left
        is on the right). The files themselves run the other way in x and y. T1 is scaled to 0..1.

    Raises
    ------
    ValueError
        If ``spacing_mm`` is under 1.

    Examples
    --------
    >>> load_brain_template(spacing_mm=4).t1.GetSize()
    (49, 58, 47)
    """
    if not spacing_mm >= 1:
        raise ValueError(f"spacing_mm must be 1 or more, got {spacing_mm}: the template has voxels of 1 mm.")
    maps = (_template_map(kind, spacing_mm) for kind in ("t1", "gm", "wm"))
    return BrainTemplate(*maps, card=card("icbm152"))


def _template_map(kind, spacing_mm):
    package = importlib.util.find_spec("nilearn")  # found, not imported: the import takes two seconds
    name = f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"
    path = Path(package.origin).parent / "datasets" / "data" / name
    image = sitk.DICOMOrient(sitk.Cast(read_nifti(path) / 255.0, sitk.sitkFloat32), "LPS")
    if spacing_mm == int(spacing_mm):
        return sitk.BinShrink(image, [int(spacing_mm)] * 3)  # the mean of each block of voxels
    smooth = sitk.SmoothingRecursiveGaussian(image, 0.4 * spacing_mm)  # so that larger voxels do not alias
    return sitk.Clamp(resample(smooth, spacing_mm=spacing_mm), lowerBound=0.0, upperBound=1.0)


def load_ct_slice(region="head"):
    """Load a real CT slice that comes with pydicom, offline.

    Parameters
    ----------
    region : {"head", "chest"}
        ``"head"``: 512 x 512 at the skull base, 5 mm thick, gantry tilted by 22 degrees; the scanner's filling around
        its circle is set to -1024 HU. ``"chest"``: a part of 128 x 128 with a vertebra, the aorta and some lung.

    Returns
    -------
    Slice2D

    Raises
    ------
    ValueError
        If there is no such region.

    Examples
    --------
    >>> piece = load_ct_slice("head")
    >>> piece.image_hu.shape, piece.spacing_mm
    ((512, 512), (0.431, 0.431))
    """
    if region not in _CT_SLICES:
        raise ValueError(f"region must be one of {', '.join(_CT_SLICES)}, got {region!r}.")
    path = Path(get_testdata_file(_CT_SLICES[region], download=False))
    piece = place(path, pydicom.dcmread(path, stop_before_pixels=True))
    values, _ = read_values(piece)
    image_hu = np.maximum(values, -1024).astype(np.float32)
    return Slice2D(image_hu, piece.spacing_mm[::-1], f"pydicom/{region}", card("pydicom_ct"))


def load_t1_series():
    """Load 64 slices of a real, de-faced T1 head, read as a DICOM series.

    Returns
    -------
    Scan
        A slab of 43 mm, not a whole head, tilted by 8 degrees against the axes of the scanner.

    Raises
    ------
    DataUnavailable
        If the set is not in the cache and cannot be downloaded.
    """
    image = read_dicom_series(fetch("t1_dicom_series"))
    return Scan(image, f"t1_dicom_series/{image.GetMetaData('0010|0020')}", card("t1_dicom_series"))


def load_lidc_slices():
    """Load the 16 original chest CT slices of LIDC-IDRI-0314, at full resolution.

    They are **not** a volume: 4 of the 20 positions they span are missing, so :func:`read_dicom_series` refuses them.

    Returns
    -------
    Slices
        ``image_hu`` of shape (16, 512, 512), sorted by ``position_mm``.

    Raises
    ------
    DataUnavailable
        If the set is not in the cache and cannot be downloaded.
    """
    folder = fetch("lidc_idri_0314", ["dicom/*"]) / "dicom"
    pieces = [place(path, header) for path, header in choose_series(read_headers(folder), None)]
    pieces.sort(key=lambda piece: piece.position_mm @ piece.normal)
    image_hu = np.array([read_values(piece)[0] for piece in pieces], dtype=np.float32)
    position_mm = np.array([piece.position_mm @ piece.normal for piece in pieces])
    return Slices(image_hu, position_mm, pieces[0].spacing_mm[::-1], "LIDC-IDRI-0314", card("lidc_idri_0314"))


def load_lidc_scan():
    """Load the whole chest CT of LIDC-IDRI-0314 at 2.34 x 2.34 x 2 mm (averaged down from 0.78 x 0.78 x 1 mm).

    Returns
    -------
    Scan

    Raises
    ------
    DataUnavailable
        If the set is not in the cache: it cannot be downloaded in this form.
    """
    folder = fetch("lidc_idri_0314", ["ct_downsampled_2.34x2.34x2mm.nii.gz"])
    image = read_nifti(folder / "ct_downsampled_2.34x2.34x2mm.nii.gz")
    return Scan(image, "LIDC-IDRI-0314", card("lidc_idri_0314"))


def load_lidc_crop(reader=1):
    """Load the full-resolution crop around the nodule of LIDC-IDRI-0314, with the outline of one reader.

    Parameters
    ----------
    reader : {1, 2, 3, 4}
        Whose outline becomes ``labels``: the four differ.

    Returns
    -------
    Scan
        128 x 128 x 64 voxels of 0.78 x 0.78 x 1 mm; ``labels`` is 1 in the nodule.

    Raises
    ------
    ValueError
        If there is no such reader.
    DataUnavailable
        If the set is not in the cache: it cannot be downloaded in this form.
    """
    if reader not in (1, 2, 3, 4):
        raise ValueError(f"reader must be 1, 2, 3 or 4, got {reader!r}.")
    names = ["ct_crop_fullres_128x128x64.nii.gz", f"reader{reader}_mask_crop.nii.gz"]
    folder = fetch("lidc_idri_0314", names)
    image, mask = (read_nifti(folder / name) for name in names)
    return Scan(image, "LIDC-IDRI-0314", card("lidc_idri_0314"), mask, ("not nodule", "nodule"))
