"""The pixels of a DICOM slice: decoded, rescaled, and which of them are padding."""

import tempfile
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import RLELossless

from medlearn.data.dicom_slices import DicomSeriesError

_PIXEL_TAGS = (
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelData",
)  # fmt: skip


def read_values(piece):
    """Return the rescaled values of one slice, float64 of shape (rows, columns), and the mask of its padding."""
    dataset = pydicom.dcmread(piece.path)
    if "PixelData" not in dataset:
        raise DicomSeriesError(f"{piece.path} has no pixel data: only its header arrived. Get the file again.")
    try:
        stored = stored_values(dataset)
    except Exception as error:  # each codec has its own exceptions; all mean that this file cannot be read
        syntax = dataset.file_meta.get("TransferSyntaxUID", pydicom.uid.UID("")).name
        reason = str(error).splitlines()[-1]
        raise DicomSeriesError(
            f"the pixel data of {piece.path} ({syntax}) cannot be read: {reason}."
            " Perhaps a download broke off: compare the size with the source and get the file again."
        ) from error
    if stored.shape != (dataset.Rows, dataset.Columns):
        raise DicomSeriesError(
            f"{piece.path} decodes to {stored.shape}, but its header says {dataset.Rows} x {dataset.Columns}."
        )
    values = pydicom.pixels.apply_modality_lut(stored, dataset).astype(np.float64)
    return values, _is_padding(stored, dataset)


def stored_values(dataset):
    """Return the pixels as the file stores them, decoded but not rescaled."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_compressed or syntax == RLELossless:
        return dataset.pixel_array  # pydicom notices truncated data; GDCM fills it up with whatever is there
    bare = pydicom.Dataset()  # pixels only, so that GDCM returns stored values and applies no rescale of its own
    for tag in _PIXEL_TAGS:
        bare[tag] = dataset[tag]
    bare.SOPClassUID, bare.SOPInstanceUID = pydicom.uid.SecondaryCaptureImageStorage, pydicom.uid.generate_uid()
    bare.file_meta = pydicom.dataset.FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = syntax
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bare.dcm")
        bare.save_as(path, enforce_file_format=True)
        return sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))[0]


def _is_padding(stored, dataset):
    if "PixelPaddingValue" not in dataset:
        return np.zeros(stored.shape, dtype=bool)
    bits = int(dataset.BitsAllocated)
    limits = [int(dataset.PixelPaddingValue), int(dataset.get("PixelPaddingRangeLimit", dataset.PixelPaddingValue))]
    limits = [value % 2**bits for value in limits]  # some files give a signed value as if unsigned, or the reverse
    if dataset.PixelRepresentation == 1:
        limits = [value - 2**bits if value >= 2 ** (bits - 1) else value for value in limits]
    return (stored >= min(limits)) & (stored <= max(limits))
