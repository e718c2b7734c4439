"""A folder of DICOM slices to a volume; :func:`write_dicom_series` goes the other way."""

import warnings

import numpy as np
import SimpleITK as sitk

from medlearn.data.dicom_pixels import read_values
from medlearn.data.dicom_slices import (
    DicomSeriesError,
    check_alike,
    check_steps,
    choose_series,
    place,
    read_headers,
)
from medlearn.data.dicom_writer import write_dicom_series

__all__ = ["DicomSeriesError", "read_dicom_series", "write_dicom_series"]

# What the volume keeps of the header, under the keys that SimpleITK uses for DICOM.
_KEPT_TAGS = {"0008|0060": "Modality", "0010|0020": "PatientID", "0020|000e": "SeriesInstanceUID"}


def read_dicom_series(folder, *, series_uid=None):
    """Read the slices of one DICOM series into a volume, sorted by their position in the patient.

    File names and instance numbers play no part. Each slice is rescaled with its own slope and intercept. In a CT,
    padding (Pixel Padding Value) becomes the smallest value that is not padding. Pixel data may be uncompressed or
    compressed (JPEG, JPEG lossless, JPEG-LS, JPEG 2000, RLE). Files that are no slices are named in one warning.

    Parameters
    ----------
    folder : path
        The folder with the files; its sub-folders are not searched.
    series_uid : str, optional
        Which series to read, where the folder holds several.

    Returns
    -------
    SimpleITK.Image, 3-D
        HU for CT, else the rescaled values: int16 where they are whole numbers that fit, else float32. Metadata keys
        ``0008|0060``, ``0010|0020`` and ``0020|000e`` keep modality, patient and series.

    Raises
    ------
    DicomSeriesError
        A ValueError that names the file: nothing there, not DICOM, truncated, several series, a missing or damaged tag,
        slices that differ in patient, modality, size, spacing or orientation, two at one position, a gap, or slices
        off their line.

    Warns
    -----
    UserWarning
        If files were passed over, or a tilted gantry makes the direction matrix a shear.

    Examples
    --------
    >>> import tempfile
    >>> volume = sitk.GetImageFromArray(np.arange(24, dtype=np.int16).reshape(4, 2, 3))  # z, y, x
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_dicom_series(volume, folder)
    ...     again = read_dicom_series(folder)
    >>> bool((sitk.GetArrayFromImage(again) == sitk.GetArrayFromImage(volume)).all())
    True
    """
    headers = choose_series(read_headers(folder), series_uid)
    slices = [place(path, header) for path, header in headers]
    check_alike(slices)
    normal = slices[0].normal
    slices.sort(key=lambda piece: (float(piece.position_mm @ normal), piece.path.name))
    check_steps(slices, np.array([piece.position_mm @ normal for piece in slices]))
    step_mm = _step(slices)
    image = sitk.GetImageFromArray(_stack(slices))
    length_mm = float(np.linalg.norm(step_mm))
    image.SetSpacing([*slices[0].spacing_mm, length_mm])
    image.SetOrigin(slices[0].position_mm.tolist())
    image.SetDirection(
        np.column_stack([slices[0].row_step, slices[0].column_step, step_mm / length_mm]).ravel().tolist()
    )
    for key, tag in _KEPT_TAGS.items():
        image.SetMetaData(key, str(slices[0].header.get(tag, "")))
    return image


def _step(slices):
    """Return the vector in mm from one slice to the next, and check that all slices lie on its line."""
    first, normal = slices[0], slices[0].normal
    if len(slices) == 1:
        thickness = first.header.get("SpacingBetweenSlices") or first.header.get("SliceThickness") or 1.0
        return normal * abs(float(thickness))  # Spacing Between Slices may be negative
    positions = np.array([piece.position_mm for piece in slices])
    step = (positions[-1] - positions[0]) / (len(slices) - 1)
    off_mm = np.linalg.norm(positions - positions[0] - np.arange(len(slices))[:, None] * step, axis=1)
    worst = int(np.argmax(off_mm))
    if off_mm[worst] > 0.1 * np.linalg.norm(step) + 0.01:
        raise DicomSeriesError(
            f"{slices[worst].path} lies {off_mm[worst]:.2f} mm off the line of evenly spaced slices. Perhaps two scans"
            " share the series: read them apart."
        )
    tilt_degrees = np.degrees(np.arccos(np.clip(step @ normal / np.linalg.norm(step), -1, 1)))
    if tilt_degrees > 0.5:
        warnings.warn(
            f"the slices are sheared by {tilt_degrees:.1f} degrees (a tilted gantry). The direction matrix says so;"
            " medlearn.geometry.resample_like puts the volume on an upright grid.",
            stacklevel=3,
        )
        return step
    return normal * (step @ normal)  # exactly perpendicular, so that rounding in the tags does not shear the volume


def _stack(slices):
    """Return the values as (slice, row, column), padding replaced, in the smallest type that holds them."""
    shape = (len(slices), slices[0].header.Rows, slices[0].header.Columns)
    values = np.empty(shape, dtype=np.float32)
    padding = np.zeros(shape, dtype=bool)
    for index, piece in enumerate(slices):
        values[index], padding[index] = read_values(piece)
    if slices[0].header.get("Modality") == "CT" and padding.any() and not padding.all():
        values[padding] = values[~padding].min()
    is_int16 = (values == np.rint(values)).all() and -(2**15) <= values.min() and values.max() < 2**15
    return values.astype(np.int16) if is_int16 else values
