"""The LUNA16 crops: real 50 x 50 px pieces of chest CT around places that might be a nodule, read from their zip."""

import csv
import io
import itertools
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from medlearn.data.cache import DataUnavailable
from medlearn.data.catalogue import Card, card
from medlearn.data.download import fetch

#: Width of a block in rows of the list of candidates: about two scans, see :class:`Crops`.
BLOCK_ROWS = 1250
SIZE = 50
_LOW_HU, _HIGH_HU = -1000.0, 400.0
_ADVICE = "Compare the set with its checksums, data.verify('luna16_crops'), and put the original file back."


@dataclass(frozen=True)
class Crops:
    """Crops around candidates, in the order of the list of candidates, which runs scan by scan.

    The file names no patient, only the row of each candidate in LUNA16's list. To judge by the last row and the number
    of nodules it is the first list: 551,065 candidates, 1,351 of them nodules, in 888 scans, so about 620 rows a scan.
    (The second has 754,975 and 1,557.) The grain of two crops, which the scanner makes, agrees up to some 800 rows
    apart and not beyond. ``blocks`` are ranges of 1,250 rows, about two scans: **a stand-in for the patient**. Give
    them as ``patients=`` where images are resampled. A scan may still lie across the border of two blocks.

    Attributes
    ----------
    images_hu : ndarray of float32, shape (n, 50, 50)
        HU from -1000 to 400. Centre: row 25, column 25.
    labels : ndarray of int64, shape (n,)
        1 = nodule of 3 mm or more that three of four radiologists marked, 0 = not.
    rows : ndarray of int64, shape (n,)
        Row in the list of candidates, ascending.
    blocks : ndarray of int64, shape (n,)
        ``rows // 1250``.
    card : Card
    """

    images_hu: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    blocks: np.ndarray
    card: Card

    def __len__(self):
        return len(self.labels)

    def select(self, indices):
        """Take some of the crops; their order stays that of the rows.

        Parameters
        ----------
        indices : slice, ndarray of bool of length n, or sequence of int
            Which crops; no crop twice.

        Returns
        -------
        Crops
            With copies, or views for a slice.

        Raises
        ------
        ValueError
            If an index stands twice or is out of range, or if a mask has another length.
        """
        if not isinstance(indices, slice):
            indices = self._checked_indices(np.asarray(indices))
        arrays = (self.images_hu, self.labels, self.rows, self.blocks)
        return Crops(*(array[indices] for array in arrays), self.card)

    def _checked_indices(self, indices):
        if indices.dtype == bool:
            if indices.shape != (len(self),):
                raise ValueError(f"a mask needs one value for each of the {len(self)} crops, got {indices.shape}.")
            return np.flatnonzero(indices)
        if indices.ndim != 1 or not (indices.size == 0 or np.issubdtype(indices.dtype, np.integer)):
            raise ValueError(f"indices must be whole numbers in one row, got {indices.dtype} of shape {indices.shape}.")
        indices = indices.astype(np.int64)
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise ValueError(f"indices must be 0 to {len(self) - 1}, got {indices.min()} to {indices.max()}.")
        distinct = np.unique(indices)
        if len(distinct) < len(indices):
            raise ValueError(
                f"{len(indices) - len(distinct)} indices stand twice or more. To resample, index the arrays:"
                " crops.images_hu[indices]."
            )
        return distinct

    def by_rows(self, fractions=(0.7, 0.15, 0.15)):
        """Cut the crops into parts that are ranges of rows; no block lies in two parts.

        Parameters
        ----------
        fractions : sequence of float
            The share of the crops in each part, in the order of the rows; they add up to 1. Each border then moves to
            the nearest border of a block. Default: training, validation, test.

        Returns
        -------
        tuple of Crops
            Views of this one's arrays.

        Raises
        ------
        ValueError
            If the fractions are not positive or do not add up to 1, or if a part would be empty.
        """
        fractions = np.asarray(fractions, dtype=float)
        if fractions.ndim != 1 or not (fractions > 0).all() or not np.isclose(fractions.sum(), 1, atol=1e-6):
            raise ValueError(
                f"fractions must be positive and add up to 1, got {fractions.tolist()}; such as (0.7, 0.15, 0.15)."
            )
        if not len(self):
            raise ValueError("there are no crops to cut into parts.")
        borders = np.flatnonzero(np.diff(self.blocks, prepend=-1, append=-1))  # the first crop of each block, and n
        wanted = np.cumsum(fractions)[:-1] * len(self)
        cuts = [0, *(int(borders[np.argmin(np.abs(borders - place))]) for place in wanted), len(self)]
        if min(np.diff(cuts)) < 1:
            raise ValueError(
                f"{len(borders) - 1} block(s) cannot be cut into parts of {fractions.tolist()}: a part would be empty."
                " Ask for fewer or larger parts."
            )
        return tuple(self.select(slice(*pair)) for pair in itertools.pairwise(cuts))


def load_luna16_crops():
    """Load 6,484 real crops of chest CT around LUNA16 candidates, 1,100 of them nodules.

    The files hold 0 to 255 for HU -1000 to 400, rounded and JPEG-compressed: a step is 5.5 HU, values outside are cut
    off, and fine detail has suffered. About five candidates that are no nodule were drawn for each nodule, from
    hundreds: **the share of nodules is not that of a screening programme**. A nodule may have several candidates, so
    two crops can show the same one. The pixel size differs from scan to scan and is not given.

    One crop (row 393762, air and the edge of the table) lacks its last 3 of 50 rows, as it lies at the lower border of
    its slice. They are filled with -1000 HU.

    Returns
    -------
    Crops
        65 MB of HU.

    Raises
    ------
    DataUnavailable
        If the set is not in the cache (it cannot be downloaded in this form), or if a file in it is damaged.

    References
    ----------
    Setio AAA et al., Med Image Anal 42:1, 2017, doi:10.1016/j.media.2017.06.015.
    """
    return read_crops(fetch("luna16_crops"))


def read_crops(folder):
    """Read ``labels.csv`` and ``crops.zip`` of a folder; parameters and errors as in :func:`load_luna16_crops`."""
    rows, labels = _read_labels(folder / "labels.csv")
    images_hu = np.empty((len(rows), SIZE, SIZE), dtype=np.float32)
    path = folder / "crops.zip"
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, rows, path)
            for image_hu, row in zip(images_hu, rows.tolist(), strict=True):
                image_hu[:] = _decode(archive.read(f"{row}.jpg"), f"{row}.jpg in {path}")
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataUnavailable(
            f"{path} ({path.stat().st_size:,} bytes) is no whole zip file: {error}. Perhaps it is truncated. {_ADVICE}"
        ) from error
    return Crops(images_hu, labels, rows, rows // BLOCK_ROWS, card("luna16_crops"))


def _read_labels(path):
    """Return the rows of the candidates, ascending, and their labels."""
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            table = [(int(line["candidate_row"]), int(line["label"])) for line in csv.DictReader(stream)]
    except (KeyError, TypeError, ValueError) as error:
        raise DataUnavailable(
            f"{path} must have the columns candidate_row and label with whole numbers: {error!r}. {_ADVICE}"
        ) from error
    rows, labels = np.array(sorted(table), dtype=np.int64).reshape(-1, 2).T.copy()
    if not len(rows) or len(np.unique(rows)) < len(rows) or rows[0] < 0 or not np.isin(labels, (0, 1)).all():
        raise DataUnavailable(f"{path} must have one line for each candidate_row, with label 0 or 1. {_ADVICE}")
    return rows, labels


def _check_members(archive, rows, path):
    """Refuse a zip whose crops are not those of the labels."""
    found = {name for name in archive.namelist() if not name.endswith("/")}
    listed = {f"{row}.jpg" for row in rows.tolist()}
    for names, fault in ((listed - found, "lacks"), (found - listed, "has, without a label,")):
        if names:
            raise DataUnavailable(
                f"{path} {fault} {len(names)} crop(s), such as {min(names)}: it and labels.csv are out of step."
                f" {_ADVICE}"
            )


def _decode(content, name):
    """Return the HU of one JPEG, filled up with air at its lower and right border."""
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as picture:
            if picture.mode != "L" or max(picture.size) > SIZE:
                raise DataUnavailable(
                    f"{name} must be grey and at most {SIZE} x {SIZE}, got mode {picture.mode}, size {picture.size}."
                    f" {_ADVICE}"
                )
            grey = np.asarray(picture)
    except (UnidentifiedImageError, OSError) as error:
        raise DataUnavailable(f"{name} is no whole JPEG image: {error}. {_ADVICE}") from error
    image_hu = np.full((SIZE, SIZE), _LOW_HU, dtype=np.float32)
    image_hu[: grey.shape[0], : grey.shape[1]] = _LOW_HU + grey * np.float32((_HIGH_HU - _LOW_HU) / 255)
    return image_hu
