"""Checks of what chest scans are made of."""

import SimpleITK as sitk

from medlearn.data.options import check_number, check_whole
from medlearn.geometry import Geometry


def check_view(num_pixels, spacing_mm, num_slices, slice_spacing_mm, slice_thickness_mm, middle_mm):
    """Return the options of the grid as plain numbers; the thickness is that of the spacing if it is not given."""
    slice_spacing_mm = check_number("slice_spacing_mm", slice_spacing_mm, 0.3, 20)
    thickness_mm = slice_spacing_mm if slice_thickness_mm is None else slice_thickness_mm
    return (
        check_whole("num_pixels", num_pixels, 8, 1024),
        check_number("spacing_mm", spacing_mm, 0.3, 20),
        None if num_slices is None else check_whole("num_slices", num_slices, 1, 2000),
        slice_spacing_mm,
        check_number("slice_thickness_mm", thickness_mm, 0.3, 20),
        check_number("middle_mm", middle_mm, -300, 200),
    )


def check_count(num_nodules):
    """Return the number of nodules, or None where it is to be drawn."""
    return None if num_nodules is None else check_whole("num_nodules", num_nodules, 0, 50)


def check_scan(image, **masks):
    """Refuse what is no volume in space, and masks that do not lie on it; a mask may be None."""
    for name, volume in (("image", image), *masks.items()):
        if not isinstance(volume, sitk.Image) and not (volume is None and name in masks):
            raise ValueError(
                f"{name} must be a SimpleITK image, which knows its spacing and its place, got {type(volume).__name__}."
                " Make one with sitk.GetImageFromArray, then SetSpacing and SetOrigin."
            )
    if image.GetDimension() != 3 or min(image.GetSize()) < 1:
        raise ValueError(f"image must be a volume of one voxel or more along x, y, z, got the size {image.GetSize()}.")
    geometry = Geometry.of(image)
    for name, mask in masks.items():
        if mask is not None and not (mask.GetDimension() == 3 and geometry.is_close(Geometry.of(mask))):
            raise ValueError(
                f"{name} must lie on the voxels of the image, {_place(image)}; got {_place(mask)}."
                " Bring it there with geometry.resample_like(mask, image, interpolation='nearest')."
            )


def _place(image):
    facts = (tuple(round(v, 3) for v in fact) for fact in (image.GetSize(), image.GetSpacing(), image.GetOrigin()))
    return "size {}, spacing {} mm, origin {} mm".format(*facts)
