"""The sheet of patches shows each patch where it belongs, and the mark stands at the frame."""

import numpy as np
import pytest

from medlearn.widgets import draw_samples, explore_samples
from medlearn.widgets.made_samples import tile

FRAMES = np.random.default_rng(0).uniform(-1000, 400, (3, 7, 4, 5))
VALUES = [0, 50, 200]
CURVES = {"distance": (np.array([0, 60, 200]), np.array([9.0, 4.0, 1.5]))}


def panels(picture):
    parts = picture.figure.subfigs or [picture.figure]
    return [axes for part in parts for axes in part.axes]


def test_each_patch_has_its_place():
    sheet = tile(FRAMES[0], 3)  # 7 patches in 3 rows: 3 * 4 + 2 rows, 3 * 5 + 2 columns of pixels
    assert sheet.shape == (14, 17)
    np.testing.assert_array_equal(sheet[:4, :5], FRAMES[0, 0])
    np.testing.assert_array_equal(sheet[5:9, 12:], FRAMES[0, 5])
    np.testing.assert_array_equal(sheet[10:, :5], FRAMES[0, 6])
    assert np.isnan(sheet[4]).all() and np.isnan(sheet[:, 5]).all() and np.isnan(sheet[10:, 6:]).all()


@pytest.mark.parametrize("index", [0, 1, -1])
def test_the_frame_and_its_mark(index):
    picture = draw_samples(FRAMES, values=VALUES, curves=CURVES, columns=4, index=index)
    sheet, curve = panels(picture)
    np.testing.assert_array_equal(np.asarray(sheet.images[0].get_array()), tile(FRAMES[index], 4))
    assert sheet.images[0].get_clim() == (-1000, 400)
    line, where, mark = curve.lines
    np.testing.assert_array_equal(line.get_ydata(), CURVES["distance"][1])
    assert where.get_xdata()[0] == VALUES[index]
    nearest = {0: 0, 1: 1, -1: 2}[index]  # 50 is nearest to 60
    assert (mark.get_xdata(), mark.get_ydata()) == (CURVES["distance"][0][nearest], CURVES["distance"][1][nearest])
    assert f"Curve distance: {CURVES['distance'][1][nearest]:.3g} here, 1.5 at the end." in picture.alt


def test_description_has_value_unit_and_grey_values():
    picture = draw_samples(FRAMES, values=VALUES, name="diameter", unit="mm", columns=7, index=1)
    mean, spread = FRAMES[1].mean(), FRAMES[1].std()
    assert picture.alt == f"Diameter 50 mm: 7 patches in 1 row, mean {mean:.0f} HU, SD {spread:.0f} HU."


def test_the_slider_goes_through_the_frames():
    explorer = explore_samples(FRAMES, values=VALUES, curves=CURVES)
    assert [label for label, _ in explorer.controls["index"].options] == ["0", "50", "200"]
    before = explorer.html
    explorer.update(index=2)
    assert explorer.html != before and explorer.picture.alt.startswith("Step 200:")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": FRAMES[0]}, r"shape \(frame, patch, height, width\)"),
        ({"values": [1, 2]}, "one number for each of the 3 frames"),
        ({"columns": 0}, "columns must be a whole number from 1"),
        ({"curves": {"loss": ([1, 2], [1])}}, "the curve 'loss' must be"),
        ({"index": 3}, "from 0 to 2"),
    ],
)
def test_draw_samples_refuses(change, message):
    given = {"frames": FRAMES, "values": VALUES} | change
    with pytest.raises(ValueError, match=message):
        draw_samples(given.pop("frames"), **given)
