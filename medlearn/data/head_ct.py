"""A simulated non-contrast head CT: a real average brain, with a skull and a scalp drawn around it."""

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from medlearn.data.catalogue import card
from medlearn.data.head_anatomy import Person, tissue_shares
from medlearn.data.scans import Scan

#: Mean HU of each tissue; the references stand in :func:`simulate_head_ct`.
TISSUE_HU = {
    "air": -1000.0, "fat": -90.0, "skin": 30.0, "muscle": 55.0, "bone table": 1350.0, "diploe": 700.0, "marrow": 20.0,
    "csf": 8.0, "white": 29.0, "grey": 38.0, "blood": 62.0,
}  # fmt: skip
LABEL_NAMES = ("air", "scalp", "bone", "csf", "grey matter", "white matter", "blood")

_FIELD_MM = 256.0
_LOWEST_MM, _HIGHEST_MM = -44.0, 116.0
_MARGIN_MM = 16.0  # computed below the lowest slice, so that the closing there knows the anatomy


def simulate_head_ct(
    seed=0, *, spacing_mm=2.0, slice_thickness_mm=4.0, noise_hu=3.5, blur_mm=1.2, bleed_ml=0.0
):  # fmt: skip
    """Simulate a non-contrast head CT. The patient is SIMULATED; the brain is the average ICBM152.

    Brain, ventricles and sulci are the tissue maps of the template, scaled, turned and shifted by the seed. Signed
    distance maps put a layer of CSF, a skull of two tables with diploe between, and a scalp around them. Values are
    averaged over the slice thickness (partial volume), blurred like a scanner, and noise is added.

    Parameters
    ----------
    seed : int
        One seed is one patient: pose, size, thickness of skull and scalp, noise.
    spacing_mm : float
        Pixel size in the slice, 1 to 4.
    slice_thickness_mm : float
        At least ``spacing_mm``, at most 16; also the distance between slices.
    noise_hu : float
        Standard deviation of the noise.
    blur_mm : float
        Full width at half maximum of the scanner's blur in the slice.
    bleed_ml : float
        Volume of a haemorrhage in the basal ganglia, 0 (none) to 60.

    Returns
    -------
    Scan
        int16 HU with identity direction, slices from the skull base to above the vertex; ``labels`` says which tissue
        fills most of each voxel (``label_names``).

    Raises
    ------
    ValueError
        If an option is out of its range.

    Examples
    --------
    >>> scan = simulate_head_ct(seed=1, spacing_mm=4, slice_thickness_mm=8)
    >>> scan.patient, scan.array.shape, scan.card.synthetic
    ('SIM-0001', (20, 64, 64), True)

    References
    ----------
    Grey to white matter, 1.32 in normal scans: Choi SP et al., Emerg Med J 25:666, 2008, doi:10.1136/emj.2007.053306.
    Water, fat, muscle: Schneider U et al., Phys Med Biol 41:111, 1996, doi:10.1088/0031-9155/41/1/009.
    Skull: Schulte-Geers C et al., Int J Legal Med 125:417, 2011, doi:10.1007/s00414-010-0544-3; thickness of the
    diploe: Lynnerup N et al., Head Face Med 1:13, 2005, doi:10.1186/1746-160X-1-13.
    Blood: Barras CD et al., AJNR 34:1139, 2013, doi:10.3174/ajnr.A3375.
    """
    _check_options(spacing_mm, slice_thickness_mm, noise_hu, blur_mm, bleed_ml)
    rng = np.random.default_rng(seed)
    person = Person.draw(rng)
    fine_slices = int(np.ceil(slice_thickness_mm / spacing_mm - 1e-9))
    grid = _fine_grid(spacing_mm, slice_thickness_mm / fine_slices)
    shares = tissue_shares(grid, person, bleed_ml=bleed_ml, rng=rng)
    below = round(_MARGIN_MM / grid.GetSpacing()[2])
    names = list(shares)
    stack = [_thick_slices(shares[name][below:], fine_slices) for name in names]
    hu = sum(TISSUE_HU[name] * share for name, share in zip(names, stack, strict=True))
    hu = ndimage.gaussian_filter(hu, [0, *[blur_mm / 2.355 / spacing_mm] * 2])
    hu += _noise(hu.shape, noise_hu, rng)
    image = _as_image(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), grid, fine_slices, below)
    labels = _as_image(_labels(dict(zip(names, stack, strict=True))), grid, fine_slices, below)
    return Scan(image, f"SIM-{seed:04d}", card("simulated_head_ct"), labels, LABEL_NAMES)


def _check_options(spacing_mm, slice_thickness_mm, noise_hu, blur_mm, bleed_ml):
    for name, value, low, high in (
        ("spacing_mm", spacing_mm, 1, 4),
        ("slice_thickness_mm", slice_thickness_mm, spacing_mm, 16),
        ("noise_hu", noise_hu, 0, 100),
        ("blur_mm", blur_mm, 0, 10),
        ("bleed_ml", bleed_ml, 0, 60),
    ):
        if not low <= value <= high:
            raise ValueError(f"{name} must be {low} to {high}, got {value}.")


def _fine_grid(spacing_mm, step_mm):
    """Return an empty image: the voxels on which the anatomy is computed, before slices are averaged."""
    columns = round(_FIELD_MM / spacing_mm)
    below = round(_MARGIN_MM / step_mm)
    count = round((_HIGHEST_MM - _LOWEST_MM) / step_mm) + below
    grid = sitk.Image([columns, columns, count], sitk.sitkUInt8)
    grid.SetSpacing([spacing_mm, spacing_mm, step_mm])
    corner = -(columns - 1) / 2 * spacing_mm
    grid.SetOrigin([corner, corner + 17.0, _LOWEST_MM + (0.5 - below) * step_mm])  # the brain's centre is at y = 17
    return grid


def _thick_slices(array, count):
    """Average each ``count`` fine slices into one: partial volume."""
    whole = array.shape[0] // count * count
    return array[:whole].reshape(-1, count, *array.shape[1:]).mean(axis=1)  # (slices, y, x)


def _noise(shape, noise_hu, rng):
    """Return noise of the given standard deviation, correlated between neighbouring pixels as in a real scan."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), [0, 0.6, 0.6])
    return noise * (noise_hu / noise.std())


def _labels(shares):
    """Return the tissue with the largest share in each voxel, as an index into ``LABEL_NAMES``."""
    groups = (
        ["air"], ["fat", "skin", "muscle"], ["bone table", "diploe", "marrow"], ["csf"], ["grey"], ["white"], ["blood"]
    )  # fmt: skip
    return np.argmax([sum(shares[name] for name in group) for group in groups], axis=0).astype(np.uint8)


def _as_image(array, grid, fine_slices, below):
    image = sitk.GetImageFromArray(array)
    x_mm, y_mm, z_mm = grid.GetSpacing()
    image.SetSpacing([x_mm, y_mm, z_mm * fine_slices])
    first = grid.GetOrigin()[2] + (below + (fine_slices - 1) / 2) * z_mm
    image.SetOrigin([*grid.GetOrigin()[:2], first])
    return image
