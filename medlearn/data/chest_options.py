"""Checks of the options that the simulated chest scans share."""

from medlearn.data.options import check_number, check_whole


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
