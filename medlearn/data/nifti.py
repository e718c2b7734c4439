"""NIfTI files to SimpleITK images and back."""

import gzip
import math
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medlearn.geometry import voxel_to_world

_ENDINGS = (".nii", ".nii.gz")


def read_nifti(path):
    """Read a NIfTI file.

    SimpleITK turns the file's axes (RAS: x to the right, y to the front) into its own (LPS); the world stays the same.

    Parameters
    ----------
    path : path
        A ``.nii`` or ``.nii.gz`` file.

    Returns
    -------
    SimpleITK.Image, with the pixel type of the file; scaled to float where the header has a slope

    Raises
    ------
    ValueError
        If there is no such file, its name does not end in .nii or .nii.gz, it is not NIfTI-1, it is truncated, or its
        axes are not at right angles.

    Warns
    -----
    UserWarning
        If the file places its voxels twice, and SimpleITK does not take the placement that most tools take (sform).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_nifti(sitk.Image([4, 3, 2], sitk.sitkInt16), folder + "/small.nii.gz")
    ...     print(read_nifti(folder + "/small.nii.gz").GetSize())
    (4, 3, 2)
    """
    path = Path(path)
    _check_ending(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}. {_neighbours(path)}")
    header = _checked_header(path)
    try:
        image = sitk.ReadImage(str(path), imageIO="NiftiImageIO")
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        if "orthonormal" in reason:
            raise ValueError(
                f"the axes of {path} are not at right angles, which SimpleITK does not read; resample it once:"
                " nilearn.image.resample_img(path, target_affine=numpy.eye(3)).to_filename(new_path)."
            ) from error
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) cannot be read as NIfTI: {reason}. Perhaps it is truncated: compare"
            " its size with the source and get it again."
        ) from error
    _tell_other_placement(path, header, image)
    return image


def write_nifti(image, path):
    """Write an image as NIfTI; a name that ends in .gz is compressed.

    Parameters
    ----------
    image : SimpleITK.Image, 2-D or 3-D
    path : path
        Ends in ``.nii`` or ``.nii.gz``. Its folder must be there; a file of that name is replaced.

    Raises
    ------
    ValueError
        If the name ends otherwise, the folder is not there, the axes are not at right angles, or the file cannot be
        written.
    """
    path = Path(path)
    _check_ending(path)
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}; make it first: Path({str(path.parent)!r}).mkdir().")
    direction = np.reshape(image.GetDirection(), (image.GetDimension(),) * 2)
    if not np.allclose(direction.T @ direction, np.eye(len(direction)), atol=1e-3):
        raise ValueError(
            "the axes of the image are not at right angles (a tilted gantry), and SimpleITK would write them as if they"
            " were; put it on an upright grid first, with medlearn.geometry.resample_like."
        )
    try:
        sitk.WriteImage(image, str(path))
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be written: {str(error).strip().splitlines()[-1]}") from error


def _check_ending(path):
    if not path.name.lower().endswith(_ENDINGS):
        raise ValueError(f"a NIfTI file ends in {' or '.join(_ENDINGS)}, got {path.name!r}.")


def _neighbours(path):
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either."
    names = sorted(p.name for p in path.parent.iterdir() if p.name.lower().endswith(_ENDINGS))
    return f"NIfTI files in its folder: {', '.join(names[:5]) or 'none'}."


def _checked_header(path):
    """Refuse a damaged archive, a missing NIfTI mark and missing voxels: SimpleITK fills those with zeros, silently."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            header = file.read(352)
            length = len(header)
            while block := file.read(1 << 20):  # to the end: gzip tells a broken archive there
                length += len(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is not a whole gzip file: {error}. Perhaps a download broke off:"
            " get it again."
        ) from error
    if header[4:8] == b"n+2\0":
        raise ValueError(
            f"{path} is NIfTI-2, which SimpleITK does not read; convert it once, with nibabel:"
            " nibabel.save(nibabel.Nifti1Image.from_image(nibabel.load(path)), new_path)."
        )
    if header[344:348] != b"n+1\0":
        raise ValueError(
            f"{path} is not a NIfTI file: its header does not have the mark n+1 at byte 344 ({length} bytes read)."
        )
    if length < (expected := _expected_length(header)):
        raise ValueError(
            f"{path} is truncated: {length} bytes of voxels and header, but its header promises {expected}."
            " Compare its size with the source and get it again."
        )
    return header


def _tell_other_placement(path, header, image):
    """Warn where the file's sform says another place than the qform that SimpleITK took."""
    code = struct.unpack_from(f"{_order(header)}h", header, 254)[0]
    if code <= 0 or image.GetDimension() != 3:
        return
    unit_mm = {1: 1000.0, 3: 0.001}.get(header[123] & 7, 1.0)  # metre, micrometre
    sform = np.reshape(struct.unpack_from(f"{_order(header)}12f", header, 280), (3, 4)) * unit_mm
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(image.GetSize()) - 1)  # (8, 3)
    expected = (corners @ sform[:, :3].T + sform[:, 3]) * [-1, -1, 1]  # RAS to LPS
    apart_mm = np.linalg.norm(voxel_to_world(corners, image) - expected, axis=1).max()
    if apart_mm > 0.1:
        warnings.warn(
            f"{path} places its voxels twice, up to {apart_mm:.2f} mm apart. SimpleITK takes the qform; nibabel, FSL"
            " and SPM take the sform. Perhaps a registration moved only one of them.",
            stacklevel=3,
        )


def _order(header):
    return "<" if header[:4] == b"\x5c\x01\0\0" else ">"  # the first number is 348


def _expected_length(header):
    """Return the bytes that a NIfTI-1 header promises."""
    order = _order(header)
    dim = struct.unpack_from(f"{order}8h", header, 40)
    bits = struct.unpack_from(f"{order}h", header, 72)[0]
    offset = int(struct.unpack_from(f"{order}f", header, 108)[0])
    return offset + math.prod(dim[1 : dim[0] + 1]) * bits // 8
