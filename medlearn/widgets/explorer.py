"""Controls around a draw function, with a static first frame where no widget can run."""

import html
import traceback

import ipywidgets

from medlearn.plots import Picture

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# Notebook 7 takes the arrow keys from a slider to move between cells, unless the slider's handle says no.
KEEP_KEYS = (
    "this.closest('.medlearn-explorer')?.querySelectorAll('[tabindex], [contenteditable], input, select')"
    ".forEach(part => part.setAttribute('data-lm-suppress-shortcuts', 'true'))"
)
SLIDERS = (ipywidgets.IntSlider, ipywidgets.FloatSlider)
UNITS = {"mm": "mm", "hu": "HU", "s": "s", "hz": "Hz", "mv": "mV", "px": "pixels", "degrees": "°"}


def explore(draw, **controls):
    """Draw a picture again each time a control moves.

    Parameters
    ----------
    draw : function
        Takes the controls' values by name and returns a :class:`medlearn.plots.Picture`. Keep it plain, so that
        you can call and test it without a widget.
    **controls : widget, (low, high), (low, high, step), list, or value
        One for each argument of ``draw``: a number's range makes a slider, a list a menu, ``True`` a box to tick.
        An ipywidgets widget is taken as it is. The name becomes the label: ``width_hu`` shows as "width (HU)".

    Returns
    -------
    Explorer
        Shows itself as the last line of a cell.

    Raises
    ------
    ValueError
        If no control is given, a control makes no widget, or ``draw`` does not return a picture.

    Examples
    --------
    >>> from medlearn import plots
    >>> def draw(threshold):
    ...     return plots.show_slice([[0, 1], [2, 3]], alt=f"White from {threshold}.", limits=(0, threshold))
    >>> explore(draw, threshold=(1, 3))
    [Figure: White from 2.] Controls: threshold.
    """
    if not controls:
        raise ValueError("explore needs at least one control, such as explore(draw, threshold=(0, 10)).")
    return Explorer(draw, {name: _control(name, control) for name, control in controls.items()})


class Explorer:
    """A picture with controls. :func:`explore` makes it.

    Parameters
    ----------
    draw : function
        Takes the controls' values by name and returns a :class:`medlearn.plots.Picture`.
    controls : mapping from a name to an ipywidgets widget
    extra : sequence of widgets
        Shown with the controls, but not passed to ``draw``.

    Attributes
    ----------
    controls : dict
    picture : Picture
        The picture that was drawn last.
    widget : ipywidgets.VBox
    """

    def __init__(self, draw, controls, *, extra=()):
        self.draw = draw
        self.controls = dict(controls)
        self.updating = False
        self._drawn = self.values
        self.picture = _checked(draw(**self._drawn))
        self._still = self.picture.html()
        self._frame = ipywidgets.HTML(_live(self._still))
        row = ipywidgets.Layout(display="flex", flex_flow="row wrap")
        self._box = ipywidgets.HBox([*extra, *self.controls.values()], layout=row)
        self.widget = ipywidgets.VBox([self._box, self._frame])
        self.widget.add_class("medlearn-explorer")
        for control in self.controls.values():
            control.observe(self._redraw, names="value")

    @property
    def values(self):
        """The controls' values, by name."""
        return {name: control.value for name, control in self.controls.items()}

    @property
    def html(self):
        """What the picture's place holds now: an ``<img>``, or the message of an error in ``draw``."""
        return self._frame.value

    def update(self, **values):
        """Set several controls, then draw once.

        Raises
        ------
        ValueError
            If there is no control of that name.

        Examples
        --------
        >>> from medlearn import plots
        >>> explorer = explore(lambda a, b: plots.show_slice([[a, b]], alt=f"{a} and {b}"), a=(0, 4), b=(0, 4))
        >>> explorer.update(a=1, b=3)
        >>> explorer
        [Figure: 1 and 3] Controls: a, b.
        """
        unknown = set(values) - set(self.controls)
        if unknown:
            raise ValueError(f"there is no control {sorted(unknown)}; the controls are {', '.join(self.controls)}.")
        self.updating = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self.updating = False
        self._redraw()

    def show(self):
        """Display the explorer now, from the middle of a cell."""
        from IPython.display import display

        display(self)

    def _redraw(self, change=None):
        values = self.values
        if self.updating or values == self._drawn:  # nothing new, or more to come
            return
        self._drawn = values
        try:
            self.picture = _checked(self.draw(**values))
            self._still = self.picture.html()
            self._frame.value = _live(self._still)
        except Exception as error:  # a learner's draw may fail in any way; the message stands where the picture was
            self._frame.value = _message(error, values)

    def __repr__(self):
        return f"{self.picture!r} Controls: {', '.join(_words(name) for name in self.controls)}."

    def _repr_mimebundle_(self, include=None, exclude=None):
        names = html.escape(", ".join(_words(name) for name in self.controls))
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        still = f"<div>{self._still}<p><em>A still picture. Run this cell to move: {names}.</em></p></div>"
        return {WIDGET_VIEW: view, "text/html": still, "text/plain": repr(self)}


def _control(name, control):
    """Make a labelled widget of one control."""
    widget = control
    if not isinstance(control, ipywidgets.DOMWidget):
        try:
            widget = ipywidgets.interactive.widget_from_abbrev(control)
        except (ValueError, TypeError) as error:
            raise ValueError(f"the control {name}={control!r} makes no slider: {error}") from error
    if not isinstance(widget, ipywidgets.DOMWidget) or not hasattr(widget, "value"):
        raise ValueError(
            f"the control {name}={control!r} makes no widget with a value. Give (low, high), (low, high, step), a"
            " list, a value or an ipywidgets widget; set what stays fixed inside draw."
        )
    if getattr(widget, "description", None) == "":
        widget.description = _words(name)
    if hasattr(getattr(widget, "style", None), "description_width"):
        widget.style.description_width = "initial"
    if widget.has_trait("tooltip") and not widget.tooltip:
        widget.tooltip = _words(name)  # else the browser shows "null"
    if isinstance(widget, SLIDERS):
        widget.layout.width = "28em"  # a short track cannot be set to the step
    return widget


def _words(name):
    """Write a control's name for people: ``center_hu`` is "centre (HU)"."""
    name = name.replace("center", "centre")
    stem, _, unit = name.rpartition("_")
    if stem and unit in UNITS:
        return f"{stem.replace('_', ' ')} ({UNITS[unit]})"
    return name.replace("_", " ")


def _checked(drawn):
    if not isinstance(drawn, Picture):
        raise ValueError(
            f"draw must return a Picture, got {type(drawn).__name__}. End it with"
            ' return plots.picture(figure, alt="what the figure shows").'
        )
    return drawn


def _live(still):
    """Return the image for a front end with a kernel: once it is there, the sliders keep their keys."""
    return still.replace("<img ", f'<img onload="{html.escape(KEEP_KEYS)}" ', 1)


def _message(error, values):
    """Return what went wrong in ``draw``, with its line, as HTML."""
    line = traceback.extract_tb(error.__traceback__)[1:][0]  # the first line below ours: in draw
    given = ", ".join(f"{name}={value!r}" for name, value in values.items())
    text = f"draw({given}) failed\n{type(error).__name__}: {error}\nline {line.lineno} of {line.name}: {line.line}"
    return f'<pre role="alert" style="white-space:pre-wrap">{html.escape(text)}</pre>'
