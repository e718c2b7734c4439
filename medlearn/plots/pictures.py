"""A figure together with its alternative text."""

import base64
import html
import io
import struct
import sys
from dataclasses import dataclass

from matplotlib.figure import Figure
from PIL import Image

MAX_BYTES = 150_000
"""Above this size a picture loses its opacity, and, if that is not enough, keeps 256 colours."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A Matplotlib figure with the alternative text that stands for it.

    As the last line of a cell it shows itself: an HTML image with its alternative text, which a screen reader
    reads and which the site keeps. Pyplot forgets the figure, so that it appears once.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    alt : str
        What a reader who cannot see the figure needs to know. Not empty.

    Raises
    ------
    ValueError
        If ``figure`` is not a figure, or ``alt`` is empty.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> Picture(Figure(), alt="An empty page.")
    [Figure: An empty page.]
    """

    figure: Figure
    alt: str

    def __post_init__(self):
        if not isinstance(self.figure, Figure):
            raise ValueError(
                f"a picture needs a matplotlib Figure, got {type(self.figure).__name__}. Pass the figure that"
                " plt.subplots() returned first: figure, axes = plt.subplots()."
            )
        object.__setattr__(self, "alt", check_alt(self.alt))
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(self.figure)

    def __repr__(self):
        return f"[Figure: {self.alt}]"

    def png(self):
        """Return the figure as the bytes of a PNG file, on a white page."""
        drawn = io.BytesIO()
        self.figure.savefig(drawn, format="png", dpi=100, facecolor="white", metadata={"Software": None})
        if drawn.tell() <= MAX_BYTES:
            return drawn.getvalue()
        page = Image.open(drawn).convert("RGB")  # the page hides nothing, so its opacity is not needed
        small = _save_png(page)
        if len(small) > MAX_BYTES:
            small = _save_png(page.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE))
        return small

    def html(self):
        """Return the figure as one HTML ``<img>`` element that holds its pixels and its alternative text."""
        data = self.png()
        width, height = struct.unpack(">II", data[16:24])  # PNG's header: the page keeps the place while it loads
        pixels = base64.b64encode(data).decode("ascii")
        return (
            f'<img alt="{html.escape(self.alt, quote=True)}" width="{width}" height="{height}"'
            f' style="max-width:100%;height:auto" src="data:image/png;base64,{pixels}">'
        )

    def show(self):
        """Display the picture now, from the middle of a cell."""
        from IPython.display import display

        display(self)

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html(), "text/plain": repr(self)}


def picture(figure, *, alt):
    """Wrap your own Matplotlib figure with its alternative text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    alt : str
        What a reader who cannot see the figure needs to know. Not empty.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If ``figure`` is not a figure, or ``alt`` is empty.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, axes = plt.subplots()
    >>> line = axes.plot([0, 1], [0, 1])
    >>> picture(figure, alt="A line that rises from 0 to 1.")
    [Figure: A line that rises from 0 to 1.]
    """
    return Picture(figure, alt)


def _save_png(page):
    small = io.BytesIO()
    page.save(small, format="PNG", optimize=True)
    return small.getvalue()


def check_alt(alt):
    """Return ``alt`` on one line, or raise a ValueError if it is not a text or is empty."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            f"alt must be a text that says what the figure shows, got {alt!r}. Write one sentence for a reader"
            ' who cannot see it, such as alt="Axial CT slice of a chest; both lungs are dark."'
        )
    return " ".join(alt.split())
