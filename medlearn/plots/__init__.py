"""Figures with alternative text: slices with window and spacing, overlays, planes of a volume, ECG paper.

Every function returns a :class:`Picture`, which shows itself as the last line of a cell.

Examples
--------
>>> import numpy as np
>>> from medlearn import plots
>>> plots.show_slice(np.eye(3), alt="A diagonal line.")
[Figure: A diagonal line.]
"""

from medlearn.plots.ecg import show_ecg
from medlearn.plots.overlay import show_overlay
from medlearn.plots.pictures import Picture, picture
from medlearn.plots.slices import show_slice, show_slices
from medlearn.plots.style import COLOURS, HATCHES, LINE_STYLES, use_style
from medlearn.plots.volumes import show_orthogonal, show_plane

__all__ = [
    "COLOURS",
    "HATCHES",
    "LINE_STYLES",
    "Picture",
    "picture",
    "show_ecg",
    "show_orthogonal",
    "show_overlay",
    "show_plane",
    "show_slice",
    "show_slices",
    "use_style",
]
