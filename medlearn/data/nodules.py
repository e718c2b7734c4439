"""Real nodules in the classes of the simulated ones, so that one piece of code runs on both.

What a real set does not tell stays unknown: NaN, "", -1 or None. Nothing is filled in from the simulation.
"""

import zipfile
import zlib

import numpy as np

from medlearn.data.cache import DataUnavailable
from medlearn.data.catalogue import card
from medlearn.data.chest_patches import NodulePatches
from medlearn.data.download import fetch
from medlearn.data.lidc_chest import ReadNodule, load_lidc_chest  # noqa: F401, offered here too
from medlearn.data.luna16 import load_luna16_crops
from medlearn.data.options import check_whole

_SPLITS = ("train", "val", "test")
_LOW_HU, _HIGH_HU = -1024.0, 400.0  # of the values 0 and 255 of NoduleMNIST3D
_ADVICE = "Compare the set with its checksum, data.verify('nodulemnist3d'), and download it again."


def load_luna16_patches(crops=None, *, size=64):
    """Return the LUNA16 crops as patches, for code that knows the simulated ones.

    The blocks of :class:`medlearn.data.luna16.Crops` stand for the patients: ``"block 12"``. Unknown are the type and
    the diameter of the nodules, whether they were cancer (-1), and the size of a pixel, which differs from scan to scan
    (NaN). Values end at -1000 and 400 HU.

    Parameters
    ----------
    crops : Crops, optional
        Such as a part that :meth:`medlearn.data.luna16.Crops.by_rows` returns; else all of
        :func:`medlearn.data.load_luna16_crops`.
    size : int
        Rows and columns, 8 to 64. Up to 50 the middle is cut out. Beyond, the crop of 50 is continued by its mirror
        image: the outer 7 pixels of 64 show nothing new.

    Returns
    -------
    NodulePatches
        In the order of the crops.

    Raises
    ------
    DataUnavailable
        If the set is not in the cache: it cannot be downloaded in this form.
    ValueError
        If ``size`` is out of its range.

    References
    ----------
    Setio AAA et al., Med Image Anal 42:1, 2017, doi:10.1016/j.media.2017.06.015.
    """
    size = check_whole("size", size, 8, 64)
    crops = load_luna16_crops() if crops is None else crops
    patients = np.array([f"block {block}" for block in crops.blocks], dtype=str)
    return _unknown_but(_fit(crops.images_hu, size), crops.labels, patients, np.where(crops.labels == 1, -1, 0),
                        spacing_mm=np.nan, source=crops.card)  # fmt: skip


def load_nodulemnist3d(split="train", *, size=28):
    """Load nodules of LIDC-IDRI, one slice of 28 x 28 pixels of 1 mm through the middle of each.

    Every patch shows a nodule. ``malignant`` is what the readers thought: 1 for a malignancy of 4 or 5, 0 for 1 or 2;
    those in between were left out, which makes the task easier than the clinic's. **No pathologist confirmed it.** The
    file names no patient. Each nodule counts as one here; a patient with several may be in several splits.

    The file holds 0 to 255, and its authors do not say which HU these are. The same group's earlier pipeline kept -1024
    to 400 HU: that is assumed.

    Parameters
    ----------
    split : {"train", "val", "test"}
        The official ones: 1,158, 165 and 310 nodules.
    size : int
        Rows and columns, 8 to 64. Under 28 the middle is cut out; beyond, the slice is continued by its mirror image.

    Returns
    -------
    NodulePatches

    Raises
    ------
    DataUnavailable
        If the set is not in the cache and cannot be downloaded, or the file is damaged.
    ValueError
        If there is no such split, or ``size`` is out of its range.

    References
    ----------
    Yang J et al., Sci Data 10:41, 2023, doi:10.1038/s41597-022-01721-8. HU: preprocessing.py of
    https://github.com/duducheng/DenseSharp.
    """
    if split not in _SPLITS:
        raise ValueError(f"split must be one of {', '.join(_SPLITS)}, got {split!r}.")
    size = check_whole("size", size, 8, 64)
    volumes, malignant = read_nodulemnist3d(fetch("nodulemnist3d") / "nodulemnist3d.npz", split)
    images_hu = _LOW_HU + volumes[:, 14] * np.float32((_HIGH_HU - _LOW_HU) / 255)  # [z, y, x]: the middle voxel is 14
    patients = np.array([f"{split} nodule {k}" for k in range(len(malignant))], dtype=str)
    return _unknown_but(_fit(images_hu, size), np.ones_like(malignant), patients, malignant,
                        spacing_mm=1.0, source=card("nodulemnist3d"))  # fmt: skip


def read_nodulemnist3d(path, split):
    """Read the volumes and labels of one split of ``nodulemnist3d.npz``.

    Parameters
    ----------
    path : path-like
    split : {"train", "val", "test"}

    Returns
    -------
    tuple of ndarray
        uint8 of shape (nodule, 28, 28, 28) and int64 of shape (nodule,), 1 for malignant.

    Raises
    ------
    DataUnavailable
        If the file is not there, is damaged, or holds something else.
    """
    names = (f"{split}_images", f"{split}_labels")
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            volumes, labels = (file[name] for name in names)
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataUnavailable(
            f"{path} must be a whole .npz file with {' and '.join(names)}, got: {error}. {_ADVICE}"
        ) from error
    good = volumes.dtype == np.uint8 and volumes.shape == (len(volumes), 28, 28, 28) and len(volumes) > 0
    if not (good and labels.shape in ((len(volumes), 1), (len(volumes),)) and np.isin(labels, (0, 1)).all()):
        raise DataUnavailable(
            f"{path} must hold uint8 volumes of 28 x 28 x 28 and one label, 0 or 1, for each; got {volumes.dtype}"
            f" {volumes.shape} and labels {labels.shape}. {_ADVICE}"
        )
    return volumes, labels.reshape(-1).astype(np.int64)


def _fit(images, size):
    """Cut the middle out of square images, or continue them by their mirror image."""
    width = images.shape[1]
    if size <= width:
        first = (width - size) // 2
        return images[:, first : first + size, first : first + size].copy()
    before = (size - width) // 2
    sides = (before, size - width - before)
    return np.pad(images, ((0, 0), sides, sides), mode="reflect")


def _unknown_but(images_hu, labels, patients, malignant, *, spacing_mm, source):
    unknown = np.full(len(labels), np.nan)
    kinds = np.full(len(labels), "", dtype="<U12")
    return NodulePatches(images_hu, labels, patients, kinds, unknown, unknown.copy(), malignant, spacing_mm, source)
