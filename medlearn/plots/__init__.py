"""Figures with alternative text: slices with window and spacing, overlays, planes of a volume, ECG paper.

Every function returns a :class:`Picture`, which shows itself as the last line of a cell.

Examples
--------
>>> import numpy as np
>>> from medlearn import plots
>>> plots.show_slice(np.eye(3), alt="A diagonal line.")
[Figure: A diagonal line.]
"""

from medlearn.plots.picture import Picture, picture
from medlearn.plots.slices import show_slice, show_slices
from medlearn.plots.style import COLOURS, HATCHES, LINE_STYLES, use_style

__all__ = [
    "COLOURS",
    "HATCHES",
    "LINE_STYLES",
    "Picture",
    "picture",
    "show_slice",
    "show_slices",
    "use_style",
]
