"""Slices of simulated brains, bent in their own plane: cheap, and with the exact way from any one to any other."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import SimpleITK as sitk

from medlearn.data.brain import check_look
from medlearn.data.brain_anatomy import BRAIN_BOX_MM, CENTRE_MM, Lesion, Voxels, labels_of, lesion_share, template_shares
from medlearn.data.brain_anatomy import white_places
from medlearn.data.brain_contrast import TISSUES, add_noise, bias_field, signals
from medlearn.data.brain_warp import Lattice, compose, invert_points, random_bend
from medlearn.data.catalogue import Card, card
from medlearn.data.options import check_number, patient_seeds

_FIELD_MM = (192.0, 224.0)  # width and height of a slice
_LOWEST_MM, _HIGHEST_MM = -60.0, 75.0
_NODE_MM, _MARGIN_MM = 4.0, 32.0
# Streams of random numbers; those of the volumes are lower.
_BEND, _LESION, _TISSUE, _SEQUENCE, _BIAS, _NOISE, _HEIGHT = range(20, 27)


@dataclass(frozen=True)
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
        images, labels, lesions, patients, heights = (array[chosen] for array in arrays)
        ways = (tuple(way[k] for k in chosen) for way in (self.to_subject, self.to_template))
        return BrainSlices(images, labels, lesions, patients, heights, self.spacing_mm, self.origin_mm, *ways, self.card)


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
    >>> slices.images.shape, slices.patients[0]
    ((3, 56, 48), 'SIM-BRAIN-SLICES-0')
    """
    seeds = patient_seeds(num_subjects, seed)
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
        _one_subject(patient, heights_mm, jitter_mm, (origin, spacing_mm, thickness_mm, (columns, rows)), look,
                     radii_mm, max_displacement_mm)
        for patient in seeds
    ]  # fmt: skip
    images, labels, lesions, heights, bends = (np.concatenate(part) for part in zip(*parts, strict=True))
    patients = np.repeat(np.array([f"SIM-BRAIN-SLICES-{patient}" for patient in seeds]), len(heights_mm))
    return BrainSlices(
        images, labels, lesions, patients, heights, spacing_mm, origin, tuple(bend.to_subject for bend in bends),
        tuple(bend.to_template for bend in bends), card("simulated_brain"),
    )  # fmt: skip


def _one_subject(patient, heights_mm, jitter_mm, grid, look, radii_mm, max_displacement_mm):
    """Return the images, labels, lesion masks, heights and bends of the slices of one subject."""
    origin, spacing_mm, thickness_mm, size = grid
    bend = random_bend(_rng(patient, _BEND), _lattice(), max_displacement_mm, CENTRE_MM[:2])
    moved = _rng(patient, _HEIGHT).uniform(-jitter_mm, jitter_mm, len(heights_mm))
    heights = np.clip(heights_mm + moved, _LOWEST_MM, _HIGHEST_MM)
    place = _lesion_of(patient, radii_mm, heights, bend)
    found = []
    for number, height in enumerate(heights.tolist()):
        voxels = Voxels((*origin, height), (spacing_mm, spacing_mm, thickness_mm), (*size, 1))
        shares = _plane_shares(voxels, bend.to_template)
        filled = np.zeros_like(shares[0])
        if place:
            filled = lesion_share(voxels, *place, sitk.Euler3DTransform(), _rng(patient, _LESION, 1)) * shares.sum(0)
        image = _picture(shares, filled, voxels, look, patient, number)
        found.append((image[0], labels_of(shares)[0], (filled[0] > 0.5).astype(np.uint8), height, bend))
    return tuple(list(part) for part in zip(*found, strict=True))


def _picture(shares, filled, voxels, look, patient, number):
    contrast, bias, noise = look
    values, _ = signals(contrast, _rng(patient, _TISSUE), _rng(patient, _SEQUENCE))
    kept = shares * (1 - filled / np.maximum(shares.sum(0), np.float32(1e-6)))
    image = np.tensordot(np.array([values[name] for name in TISSUES[:3]], np.float32), kept, 1)  # (1, y, x)
    image += np.float32(values["lesion"]) * filled
    if bias:
        image *= bias_field(_rng(patient, _BIAS), bias, voxels.axes_mm(), BRAIN_BOX_MM)
    return add_noise(image, 100.0 * noise, _rng(patient, _NOISE, number), magnitude=contrast != "CT")


def _lesion_of(patient, radii_mm, heights_mm, bend):
    """Return a lesion and its centre in the subject, or None."""
    if radii_mm is None:
        return None
    rng = _rng(patient, _LESION)
    radius_mm, height_mm = rng.uniform(*radii_mm), rng.choice(heights_mm)
    places_mm = white_places(radius_mm, height_mm)
    if not len(places_mm):
        raise ValueError(f"there is no white matter for a lesion at a height of {height_mm:g} mm; take 10 to 60 mm.")
    x_mm, y_mm, _ = places_mm[rng.integers(len(places_mm))]
    centre_mm = invert_points(bend.to_template, [(x_mm, y_mm)])[0]
    return Lesion(radius_mm), np.array([*centre_mm, height_mm])


def _plane_shares(voxels, to_template):
    """Return the shares of CSF, grey and white matter in the pixels of one slice, shape (3, 1, y, x)."""
    parts = np.ceil(np.array(voxels.spacing_mm[:2]) - 1e-9).astype(int)
    step = np.array(voxels.spacing_mm[:2]) / parts
    origin = (np.array(voxels.origin_mm[:2]) - np.array(voxels.spacing_mm[:2]) / 2 + step / 2).tolist()
    size, step, axes = (np.array(voxels.size[:2]) * parts).tolist(), step.tolist(), np.eye(2).ravel().tolist()
    displacement = sitk.TransformToDisplacementField(to_template, sitk.sitkVectorFloat64, size, origin, step, axes)
    planes = _planes(voxels.origin_mm[2], voxels.spacing_mm[2])
    fine = [sitk.Warp(plane, displacement, sitk.sitkLinear, size, origin, step, axes, 0.0) for plane in planes]
    return np.stack([sitk.GetArrayFromImage(sitk.BinShrink(image, parts.tolist()))[None] for image in fine])


@lru_cache(maxsize=8)
def _planes(height_mm, thickness_mm):
    """Return the mean shares of the template over a slice, as three images in 2-D."""
    count = int(np.ceil(thickness_mm))
    planes = []
    for image in template_shares():
        (width, depth, _), (x_mm, y_mm, _) = image.GetSize(), image.GetOrigin()
        first = height_mm + thickness_mm * (0.5 / count - 0.5)
        slab = sitk.Resample(
            image, (width, depth, count), sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear, (x_mm, y_mm, first),
            (1.0, 1.0, thickness_mm / count), image.GetDirection(), 0.0, sitk.sitkFloat32,
        )  # fmt: skip
        plane = sitk.GetImageFromArray(sitk.GetArrayFromImage(slab).mean(0))
        plane.SetOrigin((x_mm, y_mm))
        planes.append(plane)
    return tuple(planes)


def _lattice():
    low, high = (np.array(corner[:2]) for corner in BRAIN_BOX_MM)
    return Lattice.around(low - _MARGIN_MM - 16, high + _MARGIN_MM + 16, _NODE_MM)


def _rng(*key):
    return np.random.default_rng(list(key))


def _checked_heights(heights_mm):
    heights = np.atleast_1d(np.asarray(heights_mm, dtype=float))
    if heights.ndim != 1 or not len(heights) or not ((heights >= _LOWEST_MM) & (heights <= _HIGHEST_MM)).all():
        raise ValueError(f"heights_mm must be one or more numbers, {_LOWEST_MM:g} to {_HIGHEST_MM:g}, got {heights_mm!r}.")
    return heights


def _checked_radii(radii_mm):
    if radii_mm is None:
        return None
    low, *rest = np.atleast_1d(np.asarray(radii_mm, dtype=float)).tolist() or [np.nan]
    high = rest[0] if rest else low
    if len(rest) > 1 or not 1 <= low <= high <= 20:
        raise ValueError(f"lesion_radius_mm must be a number or a pair, low to high, 1 to 20, got {radii_mm!r}.")
    return low, high
