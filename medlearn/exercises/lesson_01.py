"""Exercises of lesson 01, Medical images: values, geometry, identifiers, patients."""

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset

from medlearn import geometry
from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise


def _same_as_array(result, expected):
    """Let a list or a tuple stand for the array, and an empty array be of any dtype."""
    if isinstance(result, (list, tuple)):
        try:
            result = np.array(result)
        except ValueError:  # its items differ in length
            return False
    if isinstance(result, np.ndarray) and result.shape == expected.shape == (0,):
        return True
    return same(result, expected)


# --- What a value means ------------------------------------------------------------------------------------------


def _uptake_cases(rng):
    lesion = rng.uniform(1e3, 3e4, size=(3, 4))
    return [(5000.0, 370e6, 70.0, 60.0, 109.77), (lesion, 6.0e8, 82.0, 12.0, 20.36)]  # fluorine-18, carbon-11


def weight_in_kilograms(activity_bq_per_ml, dose_bq, weight_kg, minutes, half_life_min):
    return activity_bq_per_ml / (dose_bq * 0.5 ** (minutes / half_life_min) / weight_kg)


def dose_not_decayed(activity_bq_per_ml, dose_bq, weight_kg, minutes, half_life_min):
    return activity_bq_per_ml / (dose_bq / (1000 * weight_kg))


def decay_with_base_e(activity_bq_per_ml, dose_bq, weight_kg, minutes, half_life_min):
    return activity_bq_per_ml / (dose_bq * np.exp(-minutes / half_life_min) / (1000 * weight_kg))


def dose_growing(activity_bq_per_ml, dose_bq, weight_kg, minutes, half_life_min):
    return activity_bq_per_ml / (dose_bq * 2 ** (minutes / half_life_min) / (1000 * weight_kg))


def upside_down(activity_bq_per_ml, dose_bq, weight_kg, minutes, half_life_min):
    return 1 / uptake.solution_function(activity_bq_per_ml, dose_bq, weight_kg, minutes, half_life_min)


@exercise(
    task="Return the standardised uptake value: measured activity over dose per gram, the dose decayed to the scan.",
    cases=_uptake_cases,
    mistakes=[
        (weight_in_kilograms, "Your values are 1000 times too small: the weight is in kg, and SUV takes grams."),
        (dose_not_decayed, "You used the dose as injected. By the time of the scan part of it has decayed."),
        (decay_with_base_e, "You decayed with exp(-t/T). T is a half-life: after T, one half is left, not 1/e."),
        (
            dose_growing,
            "The decay goes the wrong way. After one half-life half of the dose is left: dose_bq is multiplied by"
            " 0.5 ** (minutes / half_life_min), and nothing else is.",
        ),
        (upside_down, "Your fraction is upside down: the measured activity is on top, dose per gram below."),
    ],
    hints=[
        "If the tracer spread evenly, every gram would hold dose / weight. SUV is the measured value over that one.",
        "First decay the dose: dose_bq * 0.5 ** (minutes / half_life_min). Then divide it by the weight in grams.",
    ],
)
def uptake(activity_bq_per_ml, dose_bq, weight_kg, minutes, half_life_min):
    dose_at_scan_bq = dose_bq * 0.5 ** (minutes / half_life_min)
    even_bq_per_g = dose_at_scan_bq / (1000 * weight_kg)
    return activity_bq_per_ml / even_bq_per_g


def _stored_cases(rng):
    return [
        (np.array([[0, 1024], [1064, 2024]], dtype=np.uint16), 1.0, -1024.0),
        (rng.integers(-2000, 2000, size=(4, 5)).astype(np.int16), 0.5, -300.0),
    ]


def rescale_forgotten(stored, slope, intercept):
    return stored.astype(float)


def intercept_before_slope(stored, slope, intercept):
    return (stored + intercept) * slope


def intercept_subtracted(stored, slope, intercept):
    return stored * slope - intercept


def intercept_alone(stored, slope, intercept):
    return stored + intercept


@exercise(
    task="Turn stored pixel values into Hounsfield units, with the slope and the intercept of the file.",
    cases=_stored_cases,
    mistakes=[
        (rescale_forgotten, "These are the stored values. Slope and intercept have not been used."),
        (intercept_before_slope, "You added the intercept first, so the slope scaled it as well. Multiply, then add."),
        (intercept_subtracted, "You subtracted the intercept. It is negative already: add it."),
        (intercept_alone, "You left the slope out. It is 1 in many files, and not in all."),
    ],
    hints=[
        "A straight line: which of the two numbers is its steepness, which its value at stored = 0?",
        "HU = slope * stored + intercept.",
    ],
)
def to_hounsfield(stored, slope, intercept):
    return slope * stored + intercept


# --- A window ----------------------------------------------------------------------------------------------------


def _window_cases(rng):
    return [
        (np.array([-1350.0, -600.0, 0.0, 150.0, 400.0]), -600.0, 1500.0),
        (rng.normal(0, 500, (4, 4)), 40.0, 400.0),
        (rng.integers(-100, 200, (3, 4)).astype(np.int16), 40.0, 400.0),  # whole numbers, all inside the window
    ]


def centre_and_width_swapped(image_hu, center_hu, width_hu):
    return window.solution_function(image_hu, width_hu, center_hu)


def width_as_half_width(image_hu, center_hu, width_hu):
    return np.clip((image_hu - (center_hu - width_hu)) / (2 * width_hu), 0, 1)


def not_clipped(image_hu, center_hu, width_hu):
    return (image_hu - (center_hu - width_hu / 2)) / width_hu


def from_the_centre_up(image_hu, center_hu, width_hu):
    return np.clip((image_hu - center_hu) / width_hu, 0, 1)


def in_grey_levels(image_hu, center_hu, width_hu):
    return 255 * window.solution_function(image_hu, center_hu, width_hu)


def from_smallest_to_largest(image_hu, center_hu, width_hu):
    clipped = np.clip(image_hu, center_hu - width_hu / 2, center_hu + width_hu / 2)
    return (clipped - clipped.min()) / (clipped.max() - clipped.min())


def inverted(image_hu, center_hu, width_hu):
    return 1 - window.solution_function(image_hu, center_hu, width_hu)


def half_a_value_off(image_hu, center_hu, width_hu):
    return np.clip((image_hu - (center_hu - 0.5)) / (width_hu - 1) + 0.5, 0, 1)


@exercise(
    task="Map HU to [0, 1]: 0 at the lower edge of the window and below, 1 at the upper edge and above.",
    cases=_window_cases,
    mistakes=[
        (centre_and_width_swapped, "Centre and width are swapped. The order here is centre, then width."),
        (width_as_half_width, "Your window is twice too wide: its edges are centre ± width / 2."),
        (not_clipped, "Values outside the window leave [0, 1]. Clip them: np.clip(values, 0, 1)."),
        (from_the_centre_up, "Your window starts at its centre. It starts at centre - width / 2."),
        (in_grey_levels, "You scaled to 0..255. Asked is the range 0..1."),
        (
            from_smallest_to_largest,
            "You stretched the image's own smallest and largest value to 0 and 1. The edges belong to the window: the"
            " same HU must have the same grey in every image.",
        ),
        (inverted, "Black and white are swapped: the lower edge is 0."),
        (half_a_value_off, "This is DICOM's LINEAR function, with c - 0.5 and w - 1. Asked is the formula above."),
    ],
    hints=[
        "Where does the window begin, in HU? Let that become 0.",
        "low = center_hu - width_hu / 2; then (image_hu - low) / width_hu runs from 0 to 1 inside. Clip the rest.",
    ],
)
def window(image_hu, center_hu, width_hu):
    low_hu = center_hu - width_hu / 2
    return np.clip((image_hu - low_hu) / width_hu, 0, 1)


# --- A series in order -------------------------------------------------------------------------------------------


def _stack(rng, row, column, count):
    """Return shuffled slice positions along the normal of a plane, and the plane's two directions."""
    normal = np.cross(row, column)
    distance_mm = rng.permutation(np.arange(count) * 2.5)
    return np.array([30.0, -20.0, 70.0]) + distance_mm[:, None] * normal, row, column


def _slice_cases(rng):
    x, y, z = np.eye(3)
    return [_stack(rng, x, y, 5), _stack(rng, y, -z, 6), _stack(rng, 0.6 * x + 0.8 * z, y, 4)]


def file_order(positions_mm, row, column):
    return np.arange(len(positions_mm))


def by_z(positions_mm, row, column):
    return np.argsort(positions_mm[:, 2], kind="stable")


def from_the_far_end(positions_mm, row, column):
    return np.argsort(positions_mm @ np.cross(column, row), kind="stable")


def ranks(positions_mm, row, column):
    return np.argsort(slice_order.solution_function(positions_mm, row, column))


def by_distance_from_zero(positions_mm, row, column):
    return np.argsort(np.linalg.norm(positions_mm, axis=1))


def the_distances(positions_mm, row, column):
    return np.sort(positions_mm @ np.cross(row, column))


@exercise(
    task="Return the indices that sort the slices by their distance along the normal, row x column.",
    cases=_slice_cases,
    mistakes=[
        (
            file_order,
            "This is the order of the files. Either nothing was sorted, or by a number that is the same for all slices,"
            " as the distance along a row is.",
        ),
        (by_z, "You sorted by z. That is right for axial slices only: sagittal ones all have the same z."),
        (from_the_far_end, "Your order is reversed: the normal is np.cross(row, column), in this order."),
        (ranks, "You returned the rank of each file. Asked is the order to read them in: one argsort, not two."),
        (by_distance_from_zero, "You sorted by the distance from (0, 0, 0). Asked is the one along the normal: a dot."),
        (the_distances, "These are the sorted distances. Asked are the indices that sort them: np.argsort."),
    ],
    compare=_same_as_array,
    hints=[
        "Each slice lies at one distance along the normal. The dot product of position and normal is that distance.",
        "np.cross(row, column) is the normal, positions_mm @ normal the distances, np.argsort gives the order.",
    ],
)
def slice_order(positions_mm, row, column):
    normal = np.cross(row, column)
    return np.argsort(positions_mm @ normal)


# --- z, y, x -----------------------------------------------------------------------------------------------------


def _mask(rng, shape):
    mask = np.zeros(shape, dtype=bool)
    z, y, x = (rng.integers(0, n - 2) for n in shape)
    mask[z : z + 1, y : y + 2, x : x + 2] = True
    mask[z, y, x] = False
    return mask


def _centre_cases(rng):
    return [
        (_mask(rng, (6, 9, 12)), (0.5, 0.7, 4.0), (-30.0, -50.0, 100.0)),
        (_mask(rng, (20, 11, 7)), (1.0, 2.0, 3.0), (5.0, 6.0, -7.0)),
    ]


def _mean_index(mask):
    return np.argwhere(mask).mean(axis=0)  # (3,): z, y, x


def x_and_z_swapped(mask, spacing_mm, origin_mm):
    return np.array(origin_mm) + np.array(spacing_mm) * _mean_index(mask)


def spacing_reversed(mask, spacing_mm, origin_mm):
    return np.array(origin_mm) + np.array(spacing_mm[::-1]) * _mean_index(mask)[::-1]


def answer_in_zyx(mask, spacing_mm, origin_mm):
    return centre_mm.solution_function(mask, spacing_mm, origin_mm)[::-1]


def origin_forgotten(mask, spacing_mm, origin_mm):
    return np.array(spacing_mm) * _mean_index(mask)[::-1]


def spacing_forgotten(mask, spacing_mm, origin_mm):
    return np.array(origin_mm) + _mean_index(mask)[::-1]


def half_a_voxel_off(mask, spacing_mm, origin_mm):
    return centre_mm.solution_function(mask, spacing_mm, origin_mm) + np.array(spacing_mm) / 2


def centre_of_the_box(mask, spacing_mm, origin_mm):
    index = np.argwhere(mask)
    return np.array(origin_mm) + np.array(spacing_mm) * ((index.min(axis=0) + index.max(axis=0)) / 2)[::-1]


def index_rounded(mask, spacing_mm, origin_mm):
    return np.array(origin_mm) + np.array(spacing_mm) * np.round(_mean_index(mask)[::-1])


def index_cut(mask, spacing_mm, origin_mm):
    return np.array(origin_mm) + np.array(spacing_mm) * np.floor(_mean_index(mask)[::-1])


@exercise(
    task="Return the mean position (x, y, z) in mm of the True voxels of mask[z, y, x]; the direction is the identity.",
    cases=_centre_cases,
    mistakes=[
        (x_and_z_swapped, "x and z are swapped: argwhere gives z, y, x, but spacing and origin are x, y, z."),
        (spacing_reversed, "You reversed the spacing as well as the index. Spacing is x, y, z already."),
        (answer_in_zyx, "Your answer is z, y, x. Asked is x, y, z, as SimpleITK and DICOM write a point."),
        (origin_forgotten, "You start at (0, 0, 0). Voxel (0, 0, 0) lies at origin_mm: add it."),
        (spacing_forgotten, "You counted voxels as millimetres. Multiply the index by the spacing first."),
        (half_a_voxel_off, "You are half a voxel off. origin_mm is the centre of voxel (0, 0, 0), not its corner."),
        (centre_of_the_box, "This is the centre of the box around the lesion. Asked is the mean of its voxels."),
        (index_rounded, "You rounded the mean index. A centre may lie between voxels."),
        (index_cut, "You made the mean index a whole number. A centre may lie between voxels."),
    ],
    compare=_same_as_array,
    hints=[
        "np.argwhere(mask) has one row per voxel, in the order of the array's axes. Which axis is x?",
        "index_xyz = np.argwhere(mask).mean(axis=0)[::-1]; then origin + spacing * index, number by number.",
    ],
)
def centre_mm(mask, spacing_mm, origin_mm):
    index_xyz = np.argwhere(mask).mean(axis=0)[::-1]
    return np.array(origin_mm) + np.array(spacing_mm) * index_xyz


# --- Voxel and world ---------------------------------------------------------------------------------------------


def _rotation(rng):
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return matrix


def _point_cases(rng):
    spacing, origin = np.array([0.7, 0.9, 3.0]), np.array([-120.0, -150.0, 40.0])
    point = origin + rng.uniform(0, 100, size=3)
    return [(point, spacing, origin, np.eye(3)), *[(point, spacing, origin, _rotation(rng)) for _ in range(2)]]


def not_the_inverse(point_mm, spacing_mm, origin_mm, direction):
    return (point_mm - origin_mm) @ np.linalg.inv(direction) / spacing_mm


def direction_missing(point_mm, spacing_mm, origin_mm, direction):
    return (point_mm - origin_mm) / spacing_mm


def spacing_first(point_mm, spacing_mm, origin_mm, direction):
    return np.linalg.inv(direction) @ ((point_mm - origin_mm) / spacing_mm)


def origin_last(point_mm, spacing_mm, origin_mm, direction):
    return np.linalg.inv(direction) @ point_mm / spacing_mm - origin_mm


def spacing_missing(point_mm, spacing_mm, origin_mm, direction):
    return np.linalg.inv(direction) @ (point_mm - origin_mm)


def voxel_rounded(point_mm, spacing_mm, origin_mm, direction):
    return np.round(world_to_voxel.solution_function(point_mm, spacing_mm, origin_mm, direction))


def spacing_multiplied(point_mm, spacing_mm, origin_mm, direction):
    return np.linalg.inv(direction) @ (point_mm - origin_mm) * spacing_mm


def voxel_in_zyx(point_mm, spacing_mm, origin_mm, direction):
    return world_to_voxel.solution_function(point_mm, spacing_mm, origin_mm, direction)[::-1]


@exercise(
    task="Mend world_to_voxel, so that it takes every point back to the voxel that it came from.",
    cases=_point_cases,
    mistakes=[
        (not_the_inverse, "w @ inv(D) is inv(D).T @ w: for a rotation that is D @ w again. You turned the wrong way."),
        (direction_missing, "You divided by the spacing and left the direction out: right for an unrotated scan only."),
        (spacing_first, "You divided by the spacing before turning back. The last step out is the first step home."),
        (origin_last, "You took the origin off at the end. It was added last on the way out: take it off first."),
        (spacing_missing, "Your result is in mm along the voxel axes. Divide by the spacing to count voxels."),
        (voxel_rounded, "You rounded. A point may lie between voxels; round later, where you index an array."),
        (spacing_multiplied, "You multiplied by the spacing, as on the way out. On the way back, divide."),
        (voxel_in_zyx, "Your answer is z, y, x. The formula has x, y, z on both sides; only the array is reversed."),
    ],
    compare=_same_as_array,
    hints=[
        "On the way out: times spacing, then direction @, then plus origin. Undo the last step first.",
        "inv(direction) must stand on the left of the vector, as direction did: np.linalg.inv(direction) @ (...).",
        "np.linalg.inv(direction) @ (point_mm - origin_mm) / spacing_mm",
    ],
)
def world_to_voxel(point_mm, spacing_mm, origin_mm, direction):
    return np.linalg.inv(direction) @ (point_mm - origin_mm) / spacing_mm


def _affine_cases(rng):
    tilted = np.eye(4)
    tilted[:3] = rng.normal(size=(3, 4)) * [[1, 1, 1, 50]]
    axial = np.diag([0.8, 0.8, 2.5, 1.0])
    axial[:3, 3] = [-90.0, -126.0, -72.0]
    return [(axial,), (tilted,)]


def columns_flipped(affine_ras):
    return affine_ras @ np.diag([-1.0, -1.0, 1.0, 1.0])


def both_sides_flipped(affine_ras):
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return flip @ affine_ras @ flip


def origin_only(affine_ras):
    result = affine_ras.copy()
    result[:2, 3] *= -1
    return result


def origin_left_behind(affine_ras):
    result = affine_ras.copy()
    result[:2, :3] *= -1
    return result


def z_flipped(affine_ras):
    return np.diag([-1.0, -1.0, -1.0, 1.0]) @ affine_ras


def x_alone_flipped(affine_ras):
    return np.diag([-1.0, 1.0, 1.0, 1.0]) @ affine_ras


def y_alone_flipped(affine_ras):
    return np.diag([1.0, -1.0, 1.0, 1.0]) @ affine_ras


def rows_swapped(affine_ras):
    return affine_ras[[1, 0, 2, 3]]


@exercise(
    task="Turn NIfTI's affine (voxel to RAS) into DICOM's (voxel to LPS).",
    cases=_affine_cases,
    mistakes=[
        (columns_flipped, "You flipped the voxel axes (the columns). The world axes change: they are the rows."),
        (both_sides_flipped, "You flipped on both sides. The voxels stay as they are; flip on the left only."),
        (origin_only, "You flipped the origin and not the axes. All of the first two rows change sign."),
        (origin_left_behind, "You flipped the axes and left the origin. All of the first two rows change sign."),
        (z_flipped, "z changed sign as well. The S of RAS and of LPS is the same axis."),
        (x_alone_flipped, "You flipped x alone, which mirrors the patient. A and P change places too: flip y as well."),
        (y_alone_flipped, "You flipped y alone, which mirrors the patient. R and L change places too: flip x as well."),
        (rows_swapped, "You swapped x and y. The axes stay where they are, and x and y change their sign."),
    ],
    hints=[
        "R becomes L, A becomes P, S stays. Which rows of the matrix produce x and y?",
        "Multiply from the left by np.diag([-1, -1, 1, 1]).",
    ],
)
def ras_to_lps(affine_ras):
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_ras


# --- Resampling --------------------------------------------------------------------------------------------------


def _label_image(rng, spacing_mm):
    blocks = rng.integers(0, 4, size=(3, 4, 5)).repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    image = sitk.GetImageFromArray((blocks * 2).astype(np.uint8))
    image.SetSpacing(spacing_mm)
    return image


def _label_cases(rng):
    thick, odd = _label_image(rng, (1.0, 1.0, 4.0)), _label_image(rng, (2.0, 1.0, 3.0))
    return [(thick, (1.0, 1.0, 1.0)), (odd, (1.5, 1.0, 2.0))]


def linear_on_labels(labels, spacing_mm):
    return geometry.resample(labels, spacing_mm=spacing_mm)


def cubic_on_labels(labels, spacing_mm):
    return geometry.resample(labels, spacing_mm=spacing_mm, interpolation="cubic")


def reversed_spacing(labels, spacing_mm):
    return geometry.resample(labels, spacing_mm=spacing_mm[::-1], interpolation="nearest")


def not_resampled(labels, spacing_mm):
    result = sitk.Image(labels)
    result.SetSpacing(spacing_mm)
    return result


@exercise(
    task="Resample a label image to the spacing (x, y, z), so that no label appears that was not there.",
    cases=_label_cases,
    mistakes=[
        (linear_on_labels, "You interpolated linearly (the default): between 0 and 6 it writes a 3 that nobody drew."),
        (cubic_on_labels, "Cubic interpolation invents labels too, and overshoots. Labels need the nearest one."),
        (reversed_spacing, "The spacing is reversed. SimpleITK counts x, y, z; only the array is z, y, x."),
        (not_resampled, "You changed the number and not the voxels: the patient is a different size now."),
    ],
    hints=[
        "geometry.resample does the work. Read its help: which interpolation is right for labels?",
        'geometry.resample(labels, spacing_mm=spacing_mm, interpolation="nearest")',
    ],
)
def resample_labels(labels, spacing_mm):
    return geometry.resample(labels, spacing_mm=spacing_mm, interpolation="nearest")


def _volume_cases(rng):
    return [(rng.random((4, 5, 6)) > 0.5, (0.7, 0.7, 5.0)), (np.ones((10, 10, 10), dtype=bool), (1.0, 1.0, 2.0))]


def voxels_counted(mask, spacing_mm):
    return mask.sum()


def cubic_millimetres(mask, spacing_mm):
    return mask.sum() * np.prod(spacing_mm)


def thickness_left_out(mask, spacing_mm):
    return mask.sum() * spacing_mm[0] * spacing_mm[1] / 1000


def spacing_cubed(mask, spacing_mm):
    return mask.sum() * spacing_mm[0] ** 3 / 1000


def whole_array(mask, spacing_mm):
    return mask.size * np.prod(spacing_mm) / 1000


def spacings_added(mask, spacing_mm):
    return mask.sum() * sum(spacing_mm) / 1000


@exercise(
    task="Return the volume of a mask in millilitres.",
    cases=_volume_cases,
    mistakes=[
        (voxels_counted, "You counted voxels. One voxel has the volume of the product of the three spacings."),
        (cubic_millimetres, "This is in mm³. A millilitre is 1 cm³, which is 1000 mm³."),
        (thickness_left_out, "You multiplied by an area. The third spacing, between the slices, is missing."),
        (spacing_cubed, "You cubed the first spacing. The voxels are not cubes: multiply all three."),
        (whole_array, "This is the volume of the whole array. Count the True voxels only: mask.sum()."),
        (spacings_added, "You added the three spacings. The volume of a voxel is their product: np.prod."),
    ],
    hints=["How many mm³ is one voxel? How many mm³ is a millilitre?", "mask.sum() * np.prod(spacing_mm) / 1000"],
)
def volume_ml(mask, spacing_mm):
    return mask.sum() * np.prod(spacing_mm) / 1000


# --- Identifiers -------------------------------------------------------------------------------------------------


def _letter_cases(rng):
    public, nested, private = Dataset(), Dataset(), Dataset()
    public.PatientName, public.Modality, public.StudyDescription = "DOE^Jane", "CT", "headache, seen with Mr Doe"
    item = Dataset()
    item.PatientID = "H-4711"
    nested.PatientID, nested.OtherPatientIDsSequence, nested.Modality = "case 7", [item], "MR"
    nested.OtherPatientNames = "Doe^Jane (H-4711)"  # both secrets in one element; and its tag comes before the item's
    private.Modality = "CT"
    private.private_block(0x0011, "ACME", create=True).add_new(0x01, "LO", "operator note: jane doe, room 3")
    return [(dataset, ["Doe", "H-4711"]) for dataset in (public, nested, private)]


def _contains(secret, text):
    return secret.lower() in text.lower()


def _elements(dataset, secrets, *, deep=True, private=True, find=_contains, order=sorted):
    found = []
    for element in dataset.iterall() if deep else dataset:
        if element.VR != "SQ" and (private or not element.tag.is_private):
            if any(find(secret, str(element.value)) for secret in secrets):
                found.append(str(element.tag))
    return order(found)


def top_level_only(dataset, secrets):
    return _elements(dataset, secrets, deep=False)


def private_skipped(dataset, secrets):
    return _elements(dataset, secrets, private=False)


def whole_value_only(dataset, secrets):
    return _elements(dataset, secrets, find=lambda secret, text: secret.lower() == text.lower())


def case_matters(dataset, secrets):
    return _elements(dataset, secrets, find=lambda secret, text: secret in text)


def name_and_id_only(dataset, secrets):
    names = [pydicom.datadict.tag_for_keyword(keyword) for keyword in ("PatientName", "PatientID")]
    return sorted(str(dataset[tag].tag) for tag in names if tag in dataset)


def sequences_listed(dataset, secrets):
    hit = [e for e in dataset.iterall() if any(s.lower() in str(e.value).lower() for s in secrets)]
    return sorted(str(element.tag) for element in hit)


def not_sorted(dataset, secrets):
    return _elements(dataset, secrets, order=list)


def once_per_secret(dataset, secrets):
    return sorted(tag for secret in secrets for tag in _elements(dataset, [secret]))


@exercise(
    task="Return the sorted tags, as text, of every element whose value has one of the secrets in it.",
    cases=_letter_cases,
    mistakes=[
        (top_level_only, "You looked at the top level only. Sequences have data sets inside: dataset.iterall()."),
        (private_skipped, "You skipped the private tags. Vendors write names there too."),
        (whole_value_only, "You compared whole values. A name can stand inside a sentence: use `in`."),
        (case_matters, "You missed another spelling: DOE, Doe and doe are one name. Compare in lower case."),
        (name_and_id_only, "You listed two fields by name. Secrets sit in other fields too: look at the values."),
        (sequences_listed, "You listed the sequence too: its text is that of its items. Skip elements of VR SQ."),
        (not_sorted, "You have the right tags; sort them."),
        (
            once_per_secret,
            "An element with two secrets came twice. Ask once per element: any(... for secret in secrets).",
        ),
    ],
    hints=[
        "dataset.iterall() walks through every element, those inside sequences included.",
        "For each element: any(secret.lower() in str(element.value).lower() for secret in secrets).",
        "Skip the sequences themselves (element.VR == 'SQ'): their text is their content. Collect str(element.tag).",
    ],
)
def leftovers(dataset, secrets):
    found = []
    for element in dataset.iterall():
        text = str(element.value).lower()
        if element.VR != "SQ" and any(secret.lower() in text for secret in secrets):
            found.append(str(element.tag))
    return sorted(found)


# --- Patients ----------------------------------------------------------------------------------------------------


def _split_cases(rng):
    patients = np.array(["p3", "p1", "p2", "p1", "p4", "p2", "p3", "p4"])
    many = rng.integers(0, 8, size=30)
    order = rng.permutation(30)
    return [
        (patients, np.array([0, 1, 2, 4]), np.array([3, 5, 7])),
        (many, order[:20], order[20:]),
        (patients, np.array([0, 6]), np.array([1, 3])),
    ]


def indices_in_common(patients, train, test):
    return np.intersect1d(train, test)


def once_per_item(patients, train, test):
    return np.sort(patients[test][np.isin(patients[test], patients[train])])


def everyone_in_the_test(patients, train, test):
    return np.unique(patients[test])


def not_in_order(patients, train, test):
    return np.array(list(dict.fromkeys(p for p in patients[train] if p in patients[test])), dtype=patients.dtype)


def on_either_side(patients, train, test):
    return np.union1d(patients[train], patients[test])


@exercise(
    task="Return the patients, each once and sorted, who have items both in train and in test.",
    cases=_split_cases,
    mistakes=[
        (
            indices_in_common,
            "You compared item numbers, and no item is on both sides. Whose are they? patients[train].",
        ),
        (once_per_item, "A patient comes once per item. Asked is each patient once: np.unique."),
        (everyone_in_the_test, "These are all patients of the test set. Asked are those who are in train as well."),
        (on_either_side, "These are all patients, of either side. Asked are those who are on both."),
        (not_in_order, "You have the right patients; sort them."),
    ],
    compare=_same_as_array,
    hints=[
        "train and test hold item numbers. Whose items are they? patients[train] tells.",
        "np.intersect1d of the two lists of patients returns each common patient once, sorted.",
    ],
)
def shared_patients(patients, train, test):
    return np.intersect1d(patients[train], patients[test])
