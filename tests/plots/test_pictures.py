"""A picture carries its alternative text, shows itself once, and stays small."""

import html
import io
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from medlearn import plots


def alt_of(page):
    return html.unescape(re.search(r'<img alt="([^"]*)"', page).group(1))


def test_picture_bundle_holds_alt_and_pixels():
    bundle = plots.picture(Figure(figsize=(2, 1)), alt="A page.")._repr_mimebundle_()
    assert bundle["text/plain"] == "[Figure: A page.]"
    assert alt_of(bundle["text/html"]) == "A page."
    assert 'src="data:image/png;base64,iVBOR' in bundle["text/html"]  # base64 of a PNG file's first bytes


def test_picture_keeps_its_place_on_the_page():
    # 2 x 1 inches at 100 dots each
    assert 'width="200" height="100"' in plots.picture(Figure(figsize=(2, 1)), alt="A page.").html()


def test_picture_alt_is_escaped():
    alt = """<b>5 > 3</b> & "quoted" 'text'"""
    page = plots.picture(Figure(), alt=alt).html()
    assert "<b>" not in page
    assert alt_of(page) == alt


def test_picture_alt_is_one_line():
    assert plots.picture(Figure(), alt="  One\n  sentence. ").alt == "One sentence."


@pytest.mark.parametrize("alt", ["", "  \n", None, 3])
def test_picture_refuses_empty_alt(alt):
    with pytest.raises(ValueError, match="alt must be a text that says what the figure shows"):
        plots.picture(Figure(), alt=alt)


def test_picture_refuses_axes():
    with pytest.raises(ValueError, match="needs a matplotlib Figure, got Axes"):
        plots.picture(Figure().add_subplot(), alt="x")


def test_picture_closes_the_figure_in_pyplot():
    import matplotlib.pyplot as plt

    figure, _ = plt.subplots()
    assert plt.fignum_exists(figure.number)
    plots.picture(figure, alt="x")
    assert not plt.fignum_exists(figure.number)


def test_png_of_noise_is_small_and_true():
    # Noise does not compress: its 250,000 pixels need at least a byte each, and no more with a palette.
    figure = Figure(figsize=(5, 5))
    axes = figure.add_axes((0, 0, 1, 1))
    noise = np.random.default_rng(0).integers(0, 256, (500, 500))
    axes.imshow(noise, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    axes.axis("off")
    data = plots.picture(figure, alt="noise").png()
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=int)
    assert len(data) < 300_000
    assert shown.shape == (500, 500)
    assert np.abs(shown - noise).max() <= 8


def test_show_displays_mid_cell(capsys):
    plots.picture(Figure(), alt="Shown now.").show()
    assert "[Figure: Shown now.]" in capsys.readouterr().out


def test_use_style_has_a_line_style_and_a_hatch_for_each_colour():
    assert len(set(plots.COLOURS.values())) == len(set(plots.LINE_STYLES)) == len(set(plots.HATCHES)) == 8
    with matplotlib.rc_context():
        plots.use_style()
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    assert cycle["color"] == list(plots.COLOURS.values())
    assert len(set(map(str, cycle["linestyle"]))) == 8


def test_import_leaves_the_defaults_alone():
    # The test process imported plots above and never called use_style outside a context.
    assert matplotlib.rcParams["font.size"] == matplotlib.rcParamsDefault["font.size"]
