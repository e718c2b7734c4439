"""Lessons 03 to 05 in the lab that `make lab` starts: each widget moves by keyboard, an exercise is judged.

Every cell of every notebook runs elsewhere, under nbval. Here each lesson runs as far as its widget: all three at once,
as they would for a learner with three tabs. Lesson 06a trains networks above its widget: here it gets made-up maps.
The widgets from there on are shown in one notebook, each in a cell that needs no other one.
"""

import re

import nbformat
import pytest
from playwright.sync_api import expect

from medlearn.exercises import lesson_05b

PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
pytestmark = pytest.mark.browser
#: Lesson: the call that shows the widget, the label of a slider, and what the description begins with.
WIDGETS = {
    "03_losses": ("widgets.explore_loss_surface()", "cases with label 1 (%)", "Squared error of a logistic model"),
    "04b_adaptive_optimizers": ("widgets.explore_optimizer_race()", "steps", "Five optimizers, surface: Rosenbrock"),
    "05a_scores_and_thresholds": ("widgets.explore_thresholds()", "threshold", "Simulated scores at threshold"),
}
FEATURE_MAPS = """import numpy as np
from medlearn import widgets
draw = np.random.default_rng(6)
maps = {"first": draw.random((3, 6, 6, 4)), "second": draw.random((3, 3, 3, 20))}
widgets.explore_feature_maps(draw.random((3, 8, 8)), maps, names=["solid, 6 mm", "vessel", "pleura"])"""
ECG_STRIP = """from medlearn import data, widgets
record = data.simulate_ecg(3, duration_s=60)
said = ["V" if k in (10, 40) else symbol for k, symbol in enumerate(record.symbols)]
widgets.explore_strip(record, predictions=said)"""
CONTOURS = """import numpy as np
from medlearn import widgets
ball = sum(n**2 for n in np.mgrid[-6:7, -9:10, -9:10]) < 25
outlines = {"truth": ball, "prediction": np.roll(ball, 1, axis=0)}
widgets.explore_contours(ball + 0.0, outlines, truth="truth", spacing_mm=(2, 1, 1))"""
ALIGNMENT = """import numpy as np
from medlearn import widgets
image = np.outer(np.hanning(40), np.hanning(30))
widgets.explore_alignment(image, np.roll(image, 3, axis=1), spacing_mm=(2, 2))"""
DRAGGING = """import numpy as np
from medlearn import widgets
image = np.outer(np.hanning(40), np.hanning(30))
widgets.drag_transform(image, np.roll(image, 3, axis=1), spacing_mm=(2, 2))"""
GAME = """import numpy as np
from medlearn import widgets
draw, grid = np.random.default_rng(1), np.linspace(-3, 5, 81)
states = [widgets.GameState(100 * k, draw.normal(k, 1, 50), np.full(81, 0.5)) for k in range(3)]
widgets.explore_game(states, draw.normal(2, 1, 50), grid)"""
SAMPLES = """import numpy as np
from medlearn import widgets
frames = np.random.default_rng(1).uniform(-1000, 400, (3, 16, 32, 32))
curves = {"distance": ([0, 50, 100], [9.0, 5.0, 4.0])}
widgets.explore_samples(frames, values=[0, 50, 100], curves=curves)"""
READING = """import numpy as np
from medlearn import widgets
draw = np.random.default_rng(1)
widgets.read_blind(*draw.uniform(-1000, 400, (2, 2, 32, 32)), seed=0)"""
GALLERY = (FEATURE_MAPS, ECG_STRIP, CONTOURS, ALIGNMENT, DRAGGING, GAME, SAMPLES, READING)
WAITING = f"[...document.querySelectorAll('{PANEL} .jp-InputPrompt')].some(p => p.textContent.includes('*'))"
WALD = """def wilson(successes, n, z):
    p = successes / n
    half = z * np.sqrt(p * (1 - p) / n)
    return p - half, p + half"""


@pytest.fixture(scope="module")
def lessons(lab, open_notebook):
    """The three lessons down to the widget, open, with every cell run."""
    parts = {name: lab.upper_part(name, call) for name, (call, *_) in WIDGETS.items()}
    opened = {name: open_notebook(part, lab.url(part)) for name, part in parts.items()}
    for name, notebook in opened.items():
        start_above(notebook, notebook.index(WIDGETS[name][0]))
    for name, notebook in opened.items():
        wait_until_done(notebook)
        notebook.run(notebook.index(WIDGETS[name][0]))
    yield opened
    for notebook in opened.values():
        notebook.page.close()


def start_above(notebook, index):
    """Start every cell above this one; a folded cell cannot be clicked, this can run it."""
    notebook.cell(index).locator(".cm-content").click()
    notebook.choose("Run", "Run All Above Selected Cell")
    notebook.page.wait_for_function(WAITING)


def wait_until_done(notebook, *, seconds=300):
    notebook.page.wait_for_function(f"!{WAITING}", timeout=1000 * seconds)


def slider(cell, label):
    """The handle of the slider with this label."""
    named = cell.locator(".widget-slider").filter(has=cell.page.locator("label", has_text=re.compile(f"^{label}$")))
    return named.locator(".noUi-handle")


@pytest.mark.parametrize("name", WIDGETS)
def test_lesson_runs_to_its_widget_without_a_traceback(lessons, name):
    notebook = lessons[name]
    assert notebook.tracebacks() == []
    above = notebook.cells.locator(".jp-OutputArea img").evaluate_all("images => images.map(image => image.alt)")
    assert len(above) > 2 and [text for text in above if len(text.strip()) < 20] == []


@pytest.mark.parametrize("name", WIDGETS)
def test_widget_moves_by_keyboard_and_its_description_with_it(lessons, lab, name):
    call, label, description = WIDGETS[name]
    notebook = lessons[name]
    cell = notebook.cell(notebook.index(call))
    figure = cell.locator("img").first
    expect(figure).to_have_attribute("alt", re.compile(f"^{re.escape(description)}"))
    before = figure.get_attribute("src"), figure.get_attribute("alt")
    handle = slider(cell, re.escape(label))
    handle.focus()
    handle.press("ArrowRight")
    expect(figure).not_to_have_attribute("src", before[0])
    expect(figure).not_to_have_attribute("alt", before[1])
    notebook.page.screenshot(path=lab.folder.parent / "screenshots" / f"widget_{name}.png")
    assert figure.get_attribute("src").startswith("data:image/png;base64,")
    assert figure.evaluate("image => image.naturalWidth") > 400
    box = figure.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1400  # not cut off at the side


def test_exercise_of_lesson_05b_knows_wald_and_wilson(lab, open_notebook):
    part = lab.upper_part("05b_honest_evaluation", "ex.wilson.check")
    notebook = open_notebook(part, lab.url(part))
    stub, check = notebook.index("def wilson(", tag="exercise"), notebook.index("ex.wilson.check", tag="check")
    start_above(notebook, stub)
    wait_until_done(notebook)
    remembered = lab.home / "progress" / "lesson_05b" / "wilson.json"
    for code, verdict in (
        (notebook.sources[stub].source, "Not tried yet: wilson"),
        (WALD, "That is Wald's interval"),
        (lesson_05b.wilson.solution_source(), "Right: wilson"),
    ):
        assert not remembered.exists()
        notebook.write(stub, code)
        notebook.run(check)
        expect(notebook.cell(check)).to_contain_text(verdict)
    assert remembered.exists()
    notebook.page.close()


@pytest.fixture(scope="module")
def gallery(lab, open_notebook):
    """A notebook with a cell for each widget of `GALLERY`, open; no cell has run."""
    book = nbformat.read(lab.folder / "notebooks" / "06a_nodule_or_not.ipynb", as_version=4)
    book.cells = [nbformat.v4.new_code_cell(code) for code in GALLERY]
    nbformat.write(book, lab.folder / "notebooks" / "gallery.ipynb")
    notebook = open_notebook("gallery", lab.url("gallery"))
    # so short a notebook is there before its kernel, and asks which one it is to run on
    expect(notebook.page.locator("#jp-main-statusbar")).to_contain_text(re.compile(r"\| Idle"), timeout=60_000)
    yield notebook
    notebook.page.close()


def show(gallery, code):
    """Run the cell of one widget, and return it with its figure."""
    gallery.run(gallery.index(code))
    cell = gallery.cell(gallery.index(code))
    return cell, cell.locator("img").first


def keep(gallery, lab, code, name):
    """Take a picture of a widget that was worked; no callback of it may have failed, nor its figure be cut off."""
    cell = gallery.cell(gallery.index(code))
    gallery.page.screenshot(path=lab.folder.parent / "screenshots" / f"widget_{name}.png")
    box = cell.locator("img").first.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1400  # not cut off at the side
    assert gallery.tracebacks(only=gallery.index(code)) == []


def test_feature_maps_change_by_keyboard_with_patch_and_layer(lab, gallery):
    cell, figure = show(gallery, FEATURE_MAPS)
    expect(figure).to_have_attribute("alt", re.compile("^Patch 0, solid, 6 mm, and what 4 of 4 channels of first"))
    handle = slider(cell, "patch")
    handle.focus()
    handle.press("End")
    expect(figure).to_have_attribute("alt", re.compile("^Patch 2, pleura, and what 4 of 4 channels of first"))
    menu = cell.locator(".widget-dropdown select")
    menu.focus()
    menu.press("ArrowDown")
    expect(figure).to_have_attribute("alt", re.compile("^Patch 2, pleura, and what 16 of 20 channels of second"))
    keep(gallery, lab, FEATURE_MAPS, "feature_maps")


def test_ecg_strip_slides_and_finds_disagreements_by_keyboard(lab, gallery):
    cell, figure = show(gallery, ECG_STRIP)
    expect(figure).to_have_attribute("alt", re.compile(r"^SIMULATED ECG of \S+, leads MLII, V1, 0 to 8 s on paper"))
    handle = slider(cell, re.escape("start (s)"))
    handle.focus()
    handle.press("ArrowRight")
    expect(figure).to_have_attribute("alt", re.compile("MLII, V1, 0.5 to 8.5 s on paper"))
    handle.press("End")
    expect(figure).to_have_attribute("alt", re.compile("MLII, V1, 52 to 60 s on paper"))
    handle = slider(cell, "disagreement")
    handle.focus()
    handle.press("ArrowRight")
    expect(figure).to_have_attribute("alt", re.compile(r"annotated \S+, predicted V \(chosen\)"))
    first = figure.get_attribute("alt")
    button = cell.get_by_role("button", name="next disagreement")
    button.focus()
    button.press("Enter")
    expect(figure).not_to_have_attribute("alt", first)
    expect(figure).to_have_attribute("alt", re.compile(r"predicted V \(chosen\)"))
    menu = cell.locator(".widget-dropdown select")
    menu.focus()
    menu.press("ArrowDown")
    expect(figure).to_have_attribute("alt", re.compile("lead MLII, .*predicted V"))
    keep(gallery, lab, ECG_STRIP, "ecg_strip")


def test_outlines_change_by_keyboard_with_slice_plane_and_menu(lab, gallery):
    cell, figure = show(gallery, CONTOURS)
    expect(figure).to_have_attribute("alt", re.compile("^axial plane, slice 6 of 0 to 12. Outlines: truth "))
    handle = slider(cell, "slice")
    handle.focus()
    handle.press("ArrowRight")
    expect(figure).to_have_attribute("alt", re.compile("^axial plane, slice 7 .*prediction against truth: Dice"))
    for menu, description in (
        (cell.locator(".widget-dropdown select").first, "^coronal plane, slice 9 of 0 to 18"),
        (cell.locator(".widget-dropdown select").last, "^coronal plane, slice 9 .* Outlines: truth [0-9]+ mm²[.]"),
    ):
        menu.focus()
        menu.press("ArrowDown")
        expect(figure).to_have_attribute("alt", re.compile(description))
    keep(gallery, lab, CONTOURS, "contours")


def test_alignment_flickers_at_the_press_of_a_key(lab, gallery):
    cell, figure = show(gallery, ALIGNMENT)
    expect(figure).to_have_attribute("alt", re.compile("^Checkerboard of fixed and moving, 6 tiles"))
    handle = slider(cell, "tiles")
    handle.focus()
    handle.press("ArrowRight")
    expect(figure).to_have_attribute("alt", re.compile("7 tiles along the longer side"))
    button = cell.get_by_role("button", name="flicker")
    button.focus()
    for shown in ("Fixed alone.", "Moving alone."):
        button.press("Enter")
        expect(figure).to_have_attribute("alt", shown)
    keep(gallery, lab, ALIGNMENT, "alignment")


def test_transform_follows_the_sliders_and_the_curves_the_last_of_them(lab, gallery):
    cell, figure = show(gallery, DRAGGING)
    expect(figure).to_have_attribute("alt", re.compile("^Transform: shift x 0 mm, shift y 0 mm, angle 0°"))
    for label, words in (("shift x \\(mm\\)", "shift x 0.5 mm, shift y 0 mm"), ("angle \\(°\\)", "angle 0.5°")):
        handle = slider(cell, label)
        handle.focus()
        handle.press("ArrowRight")
        expect(figure).to_have_attribute("alt", re.compile(words))
    expect(cell.locator(".widget-dropdown select").last.locator("option:checked")).to_have_text("angle (°)")
    keep(gallery, lab, DRAGGING, "dragging")


@pytest.mark.parametrize(
    ("name", "code", "first", "second"),
    [
        ("game", GAME, "^Step 0[.] Real values: mean", "^Step 100[.] Real values: mean"),
        ("samples", SAMPLES, "^Step 0: 16 patches .* distance: 9 here", "^Step 50: 16 patches .* distance: 5 here"),
    ],
)
def test_training_is_stepped_through_by_keyboard(lab, gallery, name, code, first, second):
    cell, figure = show(gallery, code)
    expect(figure).to_have_attribute("alt", re.compile(first))
    handle = slider(cell, "step")
    handle.focus()
    handle.press("ArrowRight")
    expect(figure).to_have_attribute("alt", re.compile(second))
    keep(gallery, lab, code, name)


def test_blind_reading_is_done_by_keyboard(lab, gallery):
    cell, figure = show(gallery, READING)
    for number in range(1, 5):
        expect(figure).to_have_attribute("alt", f"Patch {number} of 4: real or made?")
        button = cell.get_by_role("button", name="made")
        button.focus()
        button.press("Enter")
    expect(figure).to_have_attribute("alt", re.compile("^All 4 patches with the truth. 2 of 4 right: 0.50"))
    expect(cell.get_by_role("status").filter(has_text="2 of 4 right: 0.50")).to_be_visible()
    expect(cell.get_by_role("button", name="real")).to_be_disabled()
    keep(gallery, lab, READING, "reading")
