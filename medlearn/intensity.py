"""What a CT value means: Hounsfield units and display windows. :mod:`medlearn.geometry` offers these names too."""

import numpy as np
import SimpleITK as sitk

#: Name -> (centre, width) in HU, as a radiologist would dial them in.
WINDOWS_HU = {"lung": (-600, 1500), "soft tissue": (40, 400), "bone": (400, 1800), "brain": (40, 80)}


def window(image_hu, *, center_hu, width_hu):
    """Map Hounsfield units to the display range [0, 1].

    Parameters
    ----------
    image_hu : ndarray, any shape
        CT values in HU.
    center_hu, width_hu : float
        The window: ``center ± width / 2`` fills the display range; :data:`WINDOWS_HU` has the usual ones.

    Returns
    -------
    ndarray of float32, the shape of ``image_hu``, in [0, 1]

    Raises
    ------
    ValueError
        If ``width_hu`` is not positive, or ``image_hu`` is a SimpleITK image.

    Examples
    --------
    >>> window(np.array([-1350.0, -600.0, 150.0]), center_hu=-600, width_hu=1500)
    array([0. , 0.5, 1. ], dtype=float32)

    References
    ----------
    DICOM PS3.3 C.11.2.1.3.2, the function LINEAR_EXACT.
    """
    if not width_hu > 0:
        raise ValueError(
            f"width_hu must be positive, got {width_hu}. A window of width 0 has no display range;"
            " the usual lung window is center_hu=-600, width_hu=1500."
        )
    low_hu = center_hu - width_hu / 2
    return np.clip((_as_array(image_hu) - low_hu) / width_hu, 0.0, 1.0).astype(np.float32)


def hounsfield(stored, *, slope, intercept):
    """Turn the stored values of a CT file into Hounsfield units: ``slope * stored + intercept``.

    Parameters
    ----------
    stored : ndarray, any shape
        Pixel data as the file has it.
    slope, intercept : float
        The DICOM tags Rescale Slope (0028,1053) and Rescale Intercept (0028,1052).

    Returns
    -------
    ndarray of float32, the shape of ``stored``, in HU

    Raises
    ------
    ValueError
        If ``slope`` is 0 or not finite, ``intercept`` is not finite, or ``stored`` is a SimpleITK image.

    Examples
    --------
    >>> hounsfield(np.array([0, 1024], dtype=np.uint16), slope=1, intercept=-1024)
    array([-1024.,     0.], dtype=float32)
    """
    slope, intercept = float(slope), float(intercept)
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        raise ValueError(
            f"slope must be finite and not 0, and intercept finite; got slope={slope}, intercept={intercept}."
            " Read them from the file: dataset.RescaleSlope, dataset.RescaleIntercept."
        )
    return (_as_array(stored) * slope + intercept).astype(np.float32)


def _as_array(values):
    if isinstance(values, sitk.Image):
        raise ValueError("expected a NumPy array, got a SimpleITK image; pass sitk.GetArrayFromImage(image).")
    return np.asarray(values, dtype=np.float64)  # in float64, so that small integer types cannot overflow
