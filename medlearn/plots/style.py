"""Colours, line styles and font sizes that every figure of the course shares.

Examples
--------
>>> from medlearn.plots import COLOURS
>>> COLOURS["vermillion"]
'#D55E00'
"""

from types import MappingProxyType

import matplotlib
from matplotlib import cycler

COLOURS = MappingProxyType(
    {
        "blue": "#0072B2",
        "vermillion": "#D55E00",
        "green": "#009E73",
        "orange": "#E69F00",
        "sky blue": "#56B4E9",
        "purple": "#CC79A7",
        "yellow": "#F0E442",
        "black": "#000000",
    }
)
"""The colour-blind-safe palette of Okabe and Ito, by name, in the order in which figures use it."""

LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
"""One line style for each colour, because colour alone must not carry a meaning."""

HATCHES = ("///", "\\\\\\", "...", "xxx", "---", "|||", "ooo", "+++")
"""One hatch for each colour."""


def use_style():
    """Set Matplotlib's defaults for the course: Okabe-Ito colours with line styles, grey images, 11 pt text.

    The setup cell of each lesson calls it. Importing :mod:`medlearn.plots` changes nothing.

    Examples
    --------
    >>> import matplotlib
    >>> with matplotlib.rc_context():
    ...     use_style()
    ...     matplotlib.rcParams["image.cmap"]
    'gray'

    References
    ----------
    Okabe M, Ito K. Color Universal Design (2008), https://jfly.uni-koeln.de/color/.
    """
    matplotlib.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=list(COLOURS.values())) + cycler(linestyle=list(LINE_STYLES)),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": 12,
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "font.size": 11,
            "image.cmap": "gray",
            "image.interpolation": "nearest",
            "legend.framealpha": 0.9,
            "lines.linewidth": 1.8,
        }
    )
