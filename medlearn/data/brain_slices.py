"""Slices of simulated brains, bent in their own plane: cheap, and with the exact way from any one to any other."""

from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from medlearn.data.brain import check_look
from medlearn.data.brain_anatomy import CENTRE_MM
from medlearn.data.brain_planes import HIGHEST_MM, LOWEST_MM, slices_of
from medlearn.data.brain_warp import compose
from medlearn.data.catalogue import Card, card
from medlearn.data.options import check_number, check_whole, patient_seeds

_FIELD_MM = (192.0, 224.0)  # width and height of a slice


@dataclass(frozen=True, eq=False)
class BrainSlices:
    """Axial slices of SIMULATED brains; the first row is the front, the patient's left is at high columns.

    Attributes
    ----------
    images : ndarray of float32, shape (n, rows, columns)
        HU, or where the brightest of CSF, grey and white matter is 100.
    labels : ndarray of uint8, shape (n, rows, columns)
        0 background, 1 CSF, 2 grey matter, 3 white matter: what fills most of a pixel.
    lesion_masks : ndarray of uint8, shape (n, rows, columns)
        1 where a lesion fills more than half.
    patients : ndarray of str, shape (n,)
    heights_mm : ndarray of float, shape (n,)
        Of the plane of the template that a slice shows.
    spacing_mm : float
    origin_mm : tuple of float
        Centre of the first pixel, x and y in LPS.
    to_subject, to_template : tuple of SimpleITK.Transform, in 2-D
        One for each slice; points in mm.
    card : Card
    """

    images: np.ndarray
    labels: np.ndarray
    lesion_masks: np.ndarray
    patients: np.ndarray
    heights_mm: np.ndarray
    spacing_mm: float
    origin_mm: tuple[float, float]
    to_subject: tuple = field(repr=False)
    to_template: tuple = field(repr=False)
    card: Card = field(repr=False)

    def __len__(self):
        return len(self.images)

    def image(self, index):
        """Return one slice as a SimpleITK image, with its place in mm."""
        image = sitk.GetImageFromArray(self.images[index])
        image.SetSpacing([self.spacing_mm] * 2)
        image.SetOrigin(self.origin_mm)
        return image

    def between(self, first, second):
        """Return the exact transform from points of one slice to the same anatomy of another, in 2-D.

        ``sitk.Resample(slices.image(second), slices.image(first), slices.between(first, second))`` shows the second
        one on the first.

        Raises
        ------
        ValueError
            If they show different planes of the template.
        """
        heights = self.heights_mm[first], self.heights_mm[second]
        if heights[0] != heights[1]:
            raise ValueError(
                f"slices {first} and {second} show different planes of the template, {heights[0]:g} and"
                f" {heights[1]:g} mm: there is no way in the plane from one to the other. Take two of one height."
            )
        return compose(self.to_subject[second], self.to_template[first])

    def displacement_mm(self, first, second):
        """Return how far, in x and y, each pixel of one slice is from its place in another.

        Returns
        -------
        ndarray of float64, shape (rows, columns, 2)
        """
        size = self.images.shape[:0:-1]  # columns, rows
        grid = self.origin_mm, [self.spacing_mm] * 2
        between = self.between(first, second)
        return sitk.GetArrayFromImage(sitk.TransformToDisplacementField(between, sitk.sitkVectorFloat64, size, *grid))

    def select(self, indices):
        """Return some of the slices: a slice object, a mask, or whole numbers."""
        chosen = np.arange(len(self))[indices]
        arrays = (self.images, self.labels, self.lesion_masks, self.patients, self.heights_mm)
        ways = (tuple(way[k] for k in chosen) for way in (self.to_subject, self.to_template))
        return BrainSlices(*(array[chosen] for array in arrays), self.spacing_mm, self.origin_mm, *ways, self.card)


def simulate_brain_slices(
    num_subjects=100, *, seed=0, heights_mm=(20.0,), spacing_mm=2.0, slice_thickness_mm=2.0, contrast="T1", bias=None,
    noise=0.03, lesion_radius_mm=None, max_displacement_mm=10.0, jitter_mm=0.0,
):  # fmt: skip
    """Simulate axial slices of brains for quick experiments. The patients are SIMULATED.

    As :func:`medlearn.data.simulate_brain`, but each subject is bent within the plane, by one bend at all heights. So
    any two slices of one height show the same anatomy, and the exact way from one to the other is known.

    Parameters
    ----------
    num_subjects : int
        1 to 10000.
    seed : int
        Another seed gives other patients, none of them in two seeds.
    heights_mm : sequence of float
        Planes of the template, -60 to 75; 20 is through the lateral ventricles. Each subject has one slice of each.
    spacing_mm : float
        Pixel size, 1 to 8. At 2 mm a slice has 112 rows and 96 columns.
    slice_thickness_mm : float
        Averaged over, 1 to 20.
    contrast : {"T1", "T2", "PD", "FLAIR", "CT", "random"}
        ``"random"`` draws a sequence for each subject.
    bias, noise : float
        As for :func:`medlearn.data.simulate_brain`.
    lesion_radius_mm : float or pair of float, optional
        Each subject has one lesion in the white matter of one slice, of this radius or one drawn between two,
        1 to 20. Its centre lies in the slice.
    max_displacement_mm : float
        0 to 20.
    jitter_mm : float
        Up to so far, 0 to 20, each slice lies from its height: then anatomy differs truly, and no way is known.

    Returns
    -------
    BrainSlices
        Subject by subject, and height by height within each.

    Raises
    ------
    ValueError
        If an option is out of its range, or there is no white matter for a lesion at a height.

    Examples
    --------
    >>> slices = simulate_brain_slices(3, spacing_mm=4)
    >>> slices.images.shape, str(slices.patients[0])
    ((3, 56, 48), 'SIM-BRAIN-SLICES-0')
    """
    seeds = patient_seeds(check_whole("num_subjects", num_subjects, 1, 10_000), seed)
    spacing_mm = check_number("spacing_mm", spacing_mm, 1, 8, hint=" (the template has voxels of 1 mm)")
    thickness_mm = check_number("slice_thickness_mm", slice_thickness_mm, 1, 20)
    heights_mm = _checked_heights(heights_mm)
    radii_mm = _checked_radii(lesion_radius_mm)
    look = (contrast, *check_look(contrast, bias, noise))
    max_displacement_mm = check_number("max_displacement_mm", max_displacement_mm, 0, 20)
    jitter_mm = check_number("jitter_mm", jitter_mm, 0, 20)
    columns, rows = (round(length / spacing_mm) for length in _FIELD_MM)
    origin = tuple(CENTRE_MM[k] - (n - 1) / 2 * spacing_mm for k, n in enumerate((columns, rows)))
    parts = [
        slices_of(patient, heights_mm, jitter_mm, (origin, spacing_mm, thickness_mm, (columns, rows)), look,
                     radii_mm, max_displacement_mm)
        for patient in seeds
    ]  # fmt: skip
    images, labels, lesions, heights, bends = (np.concatenate(part) for part in zip(*parts, strict=True))
    patients = np.repeat(np.array([f"SIM-BRAIN-SLICES-{patient}" for patient in seeds]), len(heights_mm))
    return BrainSlices(
        images, labels, lesions, patients, heights, spacing_mm, origin, tuple(bend.to_subject for bend in bends),
        tuple(bend.to_template for bend in bends), card("simulated_brain"),
    )  # fmt: skip


def _checked_heights(heights_mm):
    heights = np.atleast_1d(np.asarray(heights_mm, dtype=float))
    if heights.ndim != 1 or not len(heights) or not ((heights >= LOWEST_MM) & (heights <= HIGHEST_MM)).all():
        raise ValueError(
            f"heights_mm must be one or more numbers, {LOWEST_MM:g} to {HIGHEST_MM:g}, got {heights_mm!r}."
        )
    return heights


def _checked_radii(radii_mm):
    if radii_mm is None:
        return None
    low, *rest = np.atleast_1d(np.asarray(radii_mm, dtype=float)).tolist() or [np.nan]
    high = rest[0] if rest else low
    if len(rest) > 1 or not 1 <= low <= high <= 20:
        raise ValueError(f"lesion_radius_mm must be a number or a pair, low to high, 1 to 20, got {radii_mm!r}.")
    return low, high
