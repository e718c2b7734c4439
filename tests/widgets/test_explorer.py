"""An explorer draws again when a control moves, keeps errors in place, and shows a still picture without widgets."""

import html
import re
import subprocess
import sys

import ipywidgets
import pytest
from matplotlib.figure import Figure

from medlearn import plots
from medlearn.widgets import Explorer, explore

VIEW = "application/vnd.jupyter.widget-view+json"


class Recorder:
    """A draw function that remembers what it was called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, **values):
        self.calls.append(values)
        if values.get("level") == 13:
            raise RuntimeError("<unlucky> & more")
        return plots.picture(Figure(figsize=(1, 1)), alt=f"Drawn with {values}")


def test_explore_makes_a_control_of_each_kind():
    explorer = explore(
        Recorder(), level=(0, 10), width_hu=(0.0, 1.0, 0.25), plane=["axial", "coronal"], on=True, text="a"
    )
    kinds = [type(control).__name__ for control in explorer.controls.values()]
    assert kinds == ["IntSlider", "FloatSlider", "Dropdown", "Checkbox", "Text"]
    assert explorer.values == {"level": 5, "width_hu": 0.5, "plane": "axial", "on": True, "text": "a"}
    assert explorer.controls["width_hu"].description == "width (HU)"
    assert explorer.controls["width_hu"].step == 0.25


def test_explore_takes_a_widget_as_it_is():
    slider = ipywidgets.IntSlider(value=3, min=0, max=9, description="mine")
    explorer = explore(Recorder(), level=slider)
    assert explorer.controls["level"] is slider
    assert slider.description == "mine"


def test_explore_draws_again_when_a_control_moves():
    draw = Recorder()
    explorer = explore(draw, level=(0, 10))
    explorer.controls["level"].value = 7
    assert draw.calls == [{"level": 5}, {"level": 7}]
    assert explorer.picture.alt == "Drawn with {'level': 7}"
    assert html.escape(explorer.picture.alt) in explorer.html


def test_explore_does_not_draw_what_is_drawn():
    draw = Recorder()
    explorer = explore(draw, level=(0, 10))
    explorer.controls["level"].value = 5
    explorer.update(level=5)
    assert draw.calls == [{"level": 5}]


def test_update_draws_once():
    draw = Recorder()
    explorer = explore(draw, a=(0, 4), b=(0, 4))
    explorer.update(a=1, b=3)
    assert draw.calls[1:] == [{"a": 1, "b": 3}]


def test_update_refuses_an_unknown_control():
    with pytest.raises(ValueError, match=r"no control \['z'\]; the controls are level"):
        explore(Recorder(), level=(0, 4)).update(z=1)


def test_error_in_draw_is_shown_in_place_and_goes_away():
    explorer = explore(Recorder(), level=(0, 20))
    explorer.controls["level"].value = 13
    assert 'role="alert"' in explorer.html
    assert "RuntimeError: &lt;unlucky&gt; &amp; more" in explorer.html
    assert "draw(level=13) failed" in explorer.html
    assert "raise RuntimeError(&quot;&lt;unlucky&gt;" in explorer.html  # the line itself
    explorer.controls["level"].value = 14
    assert explorer.html.startswith("<img ")


def test_error_in_the_first_frame_is_raised():
    with pytest.raises(RuntimeError, match="unlucky"):
        explore(Recorder(), level=ipywidgets.IntSlider(value=13, max=20))


def test_bundle_has_the_widget_and_the_still_picture():
    explorer = explore(Recorder(), window_hu=(0, 10))
    bundle = explorer._repr_mimebundle_()
    assert bundle[VIEW]["model_id"] == explorer.widget.model_id
    assert re.search(r'<img alt="Drawn with [^"]*" width="100"', bundle["text/html"])
    assert "A still picture. Run this cell to move: window (HU)." in bundle["text/html"]
    assert bundle["text/plain"] == "[Figure: Drawn with {'window_hu': 5}] Controls: window (HU)."


def test_still_picture_has_no_script_and_the_live_one_keeps_the_keys():
    explorer = explore(Recorder(), level=(0, 10))
    explorer.controls["level"].value = 7
    assert "onload" not in explorer._repr_mimebundle_()["text/html"]
    assert "data-lm-suppress-shortcuts" in explorer.html


def test_extra_widgets_are_shown_and_not_passed():
    draw, extra = Recorder(), ipywidgets.Label("note")
    explorer = Explorer(draw, {"a": ipywidgets.IntSlider()}, extra=[extra])
    assert draw.calls == [{"a": 0}]
    assert extra in explorer.widget.children[0].children


@pytest.mark.parametrize(
    ("draw", "controls", "match"),
    [
        (Recorder(), {}, "explore needs at least one control"),
        (Recorder(), {"a": (5, 1)}, "makes no slider"),
        (Recorder(), {"a": object()}, "makes no widget with a value"),
        (Recorder(), {"a": ipywidgets.fixed(3)}, "makes no widget with a value"),
        (Recorder(), {"a": ipywidgets.HBox()}, "makes no widget"),
        (lambda a: None, {"a": (0, 1)}, "draw must return a Picture, got NoneType"),
        (lambda a: Figure(), {"a": (0, 1)}, "draw must return a Picture, got Figure"),
    ],
)
def test_explore_refuses(draw, controls, match):
    with pytest.raises(ValueError, match=match):
        explore(draw, **controls)


def test_import_does_not_load_ipywidgets():
    code = "import sys, medlearn.widgets; sys.exit('ipywidgets' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_name_is_an_attribute_error():
    import medlearn.widgets

    with pytest.raises(AttributeError, match="has no attribute 'explorer_of_worlds'"):
        medlearn.widgets.explorer_of_worlds  # noqa: B018
