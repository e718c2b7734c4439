"""A volume to a folder of DICOM slices, one file each, with valid headers and unsorted names."""

import hashlib
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from medlearn.data.options import check_number

_STORAGE = {"CT": CTImageStorage, "MR": MRImageStorage}


def write_dicom_series(
    image, folder, *, patient_name="Simulated^Patient", patient_id="SIM-0001", modality="CT", series_description="",
    slice_thickness_mm=None, seed=0,
):  # fmt: skip
    """Write a volume as one DICOM file per slice. File names are **not** in slice order, so a reader must sort.

    Parameters
    ----------
    image : SimpleITK.Image, 3-D
        HU for CT (rounded to whole numbers, -1024 to 64511); for MR any values (stored in 65,536 steps, or exactly
        where they are whole numbers from 0 to 65535).
    folder : path
        Made if it is not there; must hold no ``.dcm`` file yet.
    patient_name, patient_id, series_description : str
        For the header.
    modality : {"CT", "MR"}
    slice_thickness_mm : float, optional
        Over which the scanner averaged; else the distance between slices, as if they neither overlap nor leave gaps.
    seed : int
        Shuffles the file names. UIDs derive from the seed, the patient, the voxels and their places: the same call
        writes the same files, another volume gets other UIDs.

    Returns
    -------
    list of Path, in the order of the slices (first index of the array)

    Raises
    ------
    ValueError
        If the image is not 3-D, its in-plane axes are not at right angles, its values do not fit, the modality is
        unknown, the thickness is not 0.01 to 1000, or the folder already holds DICOM files.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_dicom_series(sitk.Image([4, 4, 3], sitk.sitkInt16), folder)
    ...     names = [path.name for path in paths]
    >>> sorted(names)
    ['IM0001.dcm', 'IM0002.dcm', 'IM0003.dcm']
    >>> names == sorted(names)
    False
    """
    folder = Path(folder)
    _check_writable(image, folder, modality)
    array = sitk.GetArrayFromImage(image)  # (z, y, x)
    stored, slope, intercept = _to_stored(array, modality)
    template = _template(image, modality, slope, intercept)
    template.PatientName, template.PatientID = patient_name, patient_id
    template.SeriesDescription = series_description
    if slice_thickness_mm is not None:
        thickness_mm = check_number("slice_thickness_mm", slice_thickness_mm, 0.01, 1000)
        template.SliceThickness = format_number_as_ds(thickness_mm)
    content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    grid = (image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    template.StudyInstanceUID = _uid(patient_id, seed, "study")
    template.FrameOfReferenceUID = _uid(patient_id, seed, "frame")
    template.SeriesInstanceUID = _uid(patient_id, seed, modality, content, grid)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"IM{number:04d}.dcm" for number in _shuffled(len(stored), seed)]
    for index, path in enumerate(paths):
        _write_slice(template, image, stored, index, path)
    return paths


def _check_writable(image, folder, modality):
    if modality not in _STORAGE:
        raise ValueError(f"modality must be one of {', '.join(_STORAGE)}, got {modality!r}.")
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise ValueError(
            f"expected a 3-D image with one value per voxel, got {image.GetDimension()}-D with"
            f" {image.GetNumberOfComponentsPerPixel()}; sitk.JoinSeries makes a volume of a slice."
        )
    direction = np.reshape(image.GetDirection(), (3, 3))
    if not np.allclose(direction[:, :2].T @ direction[:, :2], np.eye(2), atol=1e-4):
        raise ValueError(
            "the x and y axes of the image are not at right angles, which DICOM cannot say;"
            " resample it first, with medlearn.geometry.resample_like."
        )
    if folder.is_dir() and any(folder.glob("*.dcm")):
        raise ValueError(f"{folder} already holds .dcm files; give an empty folder, so that two series do not mix.")


def _uid(*parts):
    return generate_uid(entropy_srcs=[repr(parts)])  # one text: the parts of a list would run into one another


def _shuffled(count, seed):
    """Return 1..count in an order that is not the sorted one, where there is another."""
    order = np.random.default_rng(seed).permutation(count) + 1
    return np.roll(order, 1) if count > 1 and (np.diff(order) > 0).all() else order


def _to_stored(array, modality):
    """Return unsigned 16-bit stored values, slope and intercept."""
    if not np.isfinite(array).all():
        raise ValueError("the image has NaN or infinite values; DICOM stores whole numbers. Replace them first.")
    low, high = float(array.min()), float(array.max())
    if modality == "CT":
        if low < -1024 or high > 64511:
            raise ValueError(f"HU must lie in -1024 to 64511, got {low:g} to {high:g}; clip them: sitk.Clamp.")
        slope, intercept = 1.0, -1024.0
    elif low >= 0 and high <= 65535 and (array == np.rint(array)).all():
        slope, intercept = 1.0, 0.0
    else:
        # As the tags will say it: at most 16 characters each.
        slope, intercept = (float(format_number_as_ds(v)) for v in ((high - low) / 65535 or 1.0, low))
    stored = np.rint((array.astype(np.float64) - intercept) / slope)
    return np.clip(stored, 0, 65535).astype(np.uint16), slope, intercept


def _template(image, modality, slope, intercept):
    """Return a dataset with all that the slices share: type 1 and type 2 attributes of the CT and MR modules."""
    dataset = pydicom.Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.SOPClassUID = _STORAGE[modality]
    dataset.Modality = modality
    for empty in (
        "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientBirthDate", "PatientSex",
        "StudyID", "PatientPosition", "PositionReferenceIndicator", "AcquisitionNumber", "KVP" if modality == "CT"
        else "EchoTime",
    ):  # fmt: skip
        setattr(dataset, empty, None if empty in ("AcquisitionNumber", "KVP", "EchoTime") else "")
    dataset.Manufacturer = "medlearn"
    dataset.SeriesNumber = 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Columns, dataset.Rows = image.GetSize()[:2]
    x_mm, y_mm, z_mm = (format_number_as_ds(value) for value in image.GetSpacing())
    dataset.PixelSpacing = [y_mm, x_mm]  # DICOM: between rows first
    dataset.SliceThickness = dataset.SpacingBetweenSlices = z_mm
    direction = np.reshape(image.GetDirection(), (3, 3))
    dataset.ImageOrientationPatient = [format_number_as_ds(float(v)) for v in direction[:, :2].T.ravel()]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = format_number_as_ds(slope), format_number_as_ds(intercept)
    dataset.RescaleType = "HU" if modality == "CT" else "US"
    dataset.BurnedInAnnotation = "NO"
    if modality == "MR":
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "RM", "NONE", ""
        dataset.MRAcquisitionType = "3D"
    return dataset


def _write_slice(template, image, stored, index, path):
    dataset = pydicom.Dataset(template)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPInstanceUID = _uid(str(template.SeriesInstanceUID), index)
    dataset.InstanceNumber = int(path.stem[2:])
    position = image.TransformIndexToPhysicalPoint((0, 0, index))
    dataset.ImagePositionPatient = [format_number_as_ds(value) for value in position]
    dataset.PixelData = stored[index].tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
