"""The slices of a DICOM folder: their headers, and the faults that make a volume of them wrong."""

import contextlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

_TAGS = ("SeriesInstanceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
_CT_TAGS = ("RescaleSlope", "RescaleIntercept")
# Why two slices of one series may lie at one place.
_TELLTALE_TAGS = (
    "AcquisitionNumber", "TemporalPositionIdentifier", "EchoTime", "TriggerTime", "ImageType", "AcquisitionTime",
    "DiffusionBValue", "ConvolutionKernel", "ContentTime",
)  # fmt: skip
_NOT_SLICES = ("RTDOSE", "SEG", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG")


class DicomSeriesError(ValueError):
    """A folder of DICOM files cannot become one volume; the message names the file and the mend."""


@dataclass(frozen=True)
class Slice:
    """The header of one slice, and the numbers that place it in the world.

    ``row_step`` and ``column_step`` are the unit vectors along increasing column and row index.
    """

    path: Path
    header: pydicom.Dataset
    position_mm: np.ndarray
    row_step: np.ndarray
    column_step: np.ndarray

    @property
    def normal(self):
        """The unit vector along which slices are sorted."""
        return np.cross(self.row_step, self.column_step)

    @property
    def spacing_mm(self):
        """Distance between columns (x) and between rows (y): DICOM gives them the other way round."""
        between_rows, between_columns = (float(value) for value in self.header.PixelSpacing)
        return between_columns, between_rows


def read_headers(folder):
    """Return the image headers of a folder as a list of ``(path, dataset)``; warn once of what was passed over."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DicomSeriesError(f"{folder} is not a folder. Give the folder that holds the slices, not one file.")
    headers, passed_over = [], []
    for path in _files(folder):
        with _damage_named(path):
            header = _read_header(path)
            if header is not None and "Rows" in header and header.get("Modality") not in _NOT_SLICES:
                headers.append((path, header))
            else:
                _refuse_broken_image(path, header)
                passed_over.append(f"{path.name} ({_kind(header)})")
    if not headers:
        raise DicomSeriesError(_nothing_found(folder, passed_over))
    if passed_over:
        warnings.warn(f"passed over {_few(passed_over)} in {folder}: no slices of a series.", stacklevel=3)
    return headers


def _files(folder):
    paths = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    for path in paths:
        if path.is_symlink() and not path.exists():
            raise DicomSeriesError(
                f"{path} is a link to a file that is not there. Get the file (git-annex and DataLad: get), or remove"
                " the link."
            )
    return [path for path in paths if path.is_file()]


@contextlib.contextmanager
def _damage_named(path):
    """Turn what pydicom raises for a damaged header, of many kinds and when a tag is first used, into one error."""
    try:
        yield
    except (DicomSeriesError, OSError):
        raise
    except Exception as error:
        raise DicomSeriesError(
            f"the header of {path} is damaged: {error}. Compare the file with its source and get it again."
        ) from error


def _read_header(path):
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        header.get("SeriesInstanceUID"), header.get("SeriesDescription")  # decoded here, where the file is known
    except (InvalidDicomError, EOFError) as error:
        if path.suffix.lower() in (".dcm", ".ima", ".dicom") or path.stat().st_size == 0:
            raise DicomSeriesError(
                f"{path} is not a DICOM file ({path.stat().st_size} bytes; the mark DICM should be at byte 128)."
                " Perhaps a download broke off: get it again, or move it out of the folder."
            ) from error
        return None
    return header


def _refuse_broken_image(path, header):
    if header is not None and "Rows" not in header and (not _class_of(header) or "Image Storage" in _class_of(header)):
        raise DicomSeriesError(
            f"{path} has no Rows: its header breaks off ({path.stat().st_size} bytes). Get the file again, or move it"
            " out of the folder."
        )


def _class_of(header):
    return str(pydicom.uid.UID(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID", "")).name)


def _kind(header):
    return "not DICOM" if header is None else header.get("Modality") or _class_of(header)


def _nothing_found(folder, passed_over):
    folders = sorted(p.name for p in folder.iterdir() if p.is_dir())
    message = f"no DICOM slices in {folder}."
    if passed_over:
        message += f" It holds {_few(passed_over)}."
    if folders:
        message += f" Its sub-folders are not searched: give one of them ({_few(folders)})."
    return message


def _few(names, limit=4):
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(str, names[:limit])) + rest


def choose_series(headers, series_uid):
    """Return the headers of one series; a folder with several needs ``series_uid``."""
    series = {}
    for path, header in headers:
        series.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((path, header))
    if series_uid is None and len(series) == 1:
        return headers
    if series_uid in series:
        return series[series_uid]
    listing = "".join(
        f"\n  {uid or '(no SeriesInstanceUID)'}  {len(group)} x {group[0][1].get('Modality', '?')}"
        f" {group[0][1].get('SeriesDescription', '')}, first file {group[0][0].name}"
        for uid, group in sorted(series.items())
    )
    wanted = "more than one series" if series_uid is None else f"no series {series_uid}"
    raise DicomSeriesError(f"the folder holds {wanted}; choose one with series_uid=...:{listing}")


def place(path, header):
    """Return the :class:`Slice` of a header, or say which tag is missing or malformed."""
    with _damage_named(path):
        _check_tags(path, header)
    position = _numbers(path, header, "ImagePositionPatient", 3)
    orientation = _numbers(path, header, "ImageOrientationPatient", 6)
    if (_numbers(path, header, "PixelSpacing", 2) <= 0).any():
        raise DicomSeriesError(f"{path} has PixelSpacing {header.PixelSpacing}; expected two positive numbers.")
    row_step, column_step = orientation[:3], orientation[3:]
    norms = np.array([row_step @ row_step, column_step @ column_step, row_step @ column_step])
    if not np.allclose(norms, [1, 1, 0], atol=1e-3):
        raise DicomSeriesError(
            f"{path} has ImageOrientationPatient {orientation.tolist()}; expected two unit vectors at a right angle."
        )
    return Slice(path, header, position, row_step, column_step)


def _check_tags(path, header):
    frames, samples = (int(header.get(tag) or 1) for tag in ("NumberOfFrames", "SamplesPerPixel"))
    if (frames, samples) != (1, 1):
        raise DicomSeriesError(
            f"{path} has {frames} frame(s) with {samples} value(s) per pixel; expected one slice with one value per"
            " pixel. Try sitk.ReadImage on the file."
        )
    needed = _TAGS + (_CT_TAGS if header.get("Modality") == "CT" else ())
    missing = [tag for tag in needed if header.get(tag) in (None, "") or header[tag].is_empty]
    if missing:
        raise DicomSeriesError(
            f"{path} has no {', '.join(missing)}: without it nobody can tell where the voxels are or what they"
            " mean. Ask for the original files; do not guess."
        )
    for tag in _CT_TAGS:
        if header.get(tag) not in (None, ""):
            _numbers(path, header, tag, 1)


def _numbers(path, header, tag, count):
    try:
        values = np.atleast_1d(np.array(header[tag].value, dtype=float))
    except (TypeError, ValueError):
        values = np.array([])
    if values.shape != (count,) or not np.isfinite(values).all():
        raise DicomSeriesError(f"{path} has {tag} {header[tag].value!r}; expected {count} number{'s' * (count > 1)}.")
    return values


def check_alike(slices):
    """Refuse slices that differ in patient, modality, size, pixel spacing or orientation; name the odd one out."""
    for tag in ("PatientID", "Modality"):
        first_with = {str(piece.header.get(tag, "")): piece.path for piece in reversed(slices)}
        if len(first_with) > 1:  # the values are not shown: they may be a patient's
            names = _few([path.name for path in first_with.values()])
            raise DicomSeriesError(f"the slices differ in {tag}: {names} are not of one scan; keep each in its folder.")
    for what, value, tolerance in (
        ("Rows and Columns", lambda s: (s.header.Rows, s.header.Columns), 0),
        ("PixelSpacing (x, y, mm)", lambda s: s.spacing_mm, 2e-3),
        ("ImageOrientationPatient", lambda s: (*s.row_step, *s.column_step), 2e-3),
    ):
        values = np.array([value(s) for s in slices], dtype=float)
        rounded, counts = np.unique(values.round(3), axis=0, return_counts=True)
        typical = rounded[np.argmax(counts)]
        odd = np.flatnonzero(np.abs(values - typical).max(axis=1) > tolerance)
        if odd.size:
            usual = np.setdiff1d(np.arange(len(slices)), odd)
            other = f"; {slices[usual[0]].path.name} has {values[usual[0]].tolist()}" if usual.size else ""
            raise DicomSeriesError(
                f"the slices differ in {what}: {slices[odd[0]].path} has {values[odd[0]].tolist()}{other}"
                f" ({odd.size} of {len(slices)} files are unlike the rest). Often a localizer that shares the"
                " series: move it out of the folder."
            )


def check_steps(slices, depths_mm):
    """Refuse duplicate positions and gaps in slices that are sorted by ``depths_mm``, their place on the normal."""
    steps = np.diff(depths_mm)
    if not steps.size:
        return
    twin = int(np.argmin(steps))
    if steps[twin] < 1e-3:
        first, second = slices[twin], slices[twin + 1]
        differing = [t for t in _TELLTALE_TAGS if first.header.get(t) != second.header.get(t)]
        raise DicomSeriesError(
            f"{first.path} and {second.path.name} lie at the same position ({depths_mm[twin]:.2f} mm);"
            f" they differ in {', '.join(differing) or 'no telling tag: perhaps one is a copy'}."
            " Keep one slice per position: one phase, one echo, one copy."
        )
    step = float(np.median(steps)) if steps.size > 2 else float(steps.min())
    uneven = np.flatnonzero(np.abs(steps - step) > 0.05 * step)
    if uneven.size:
        raise DicomSeriesError(_gap_message(slices, depths_mm, steps, step, uneven))


def _gap_message(slices, depths_mm, steps, step, uneven):
    missing = np.rint(steps[uneven] / step) - 1
    is_whole = np.allclose(steps[uneven] / step, missing + 1, atol=0.05) and (missing > 0).all()
    first = uneven[0]
    return (
        f"the slices are {step:.3f} mm apart, but {steps[first]:.3f} mm between {slices[first].path}"
        f" ({depths_mm[first]:.2f} mm) and {slices[first + 1].path.name} ({depths_mm[first + 1]:.2f} mm). "
        + (f"{int(missing.sum())} slice(s) are missing, in {uneven.size} place(s)" if is_whole else
           f"The spacing is uneven in {uneven.size} place(s)")
        + "; a volume with even spacing would put every voxel beyond in the wrong place."
        " Get the missing files, or read the slices one at a time."
    )  # fmt: skip
