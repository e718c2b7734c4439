"""ECG paper is true to scale: 25 mm for a second, 10 mm for a millivolt."""

import io
import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from medlearn import plots

RATE = 250


def beats(seconds, leads=1):
    time_s = np.arange(round(seconds * RATE)) / RATE
    signal = np.exp(-0.5 * ((time_s % 0.8 - 0.4) / 0.02) ** 2)
    return np.stack([signal * (k + 1) / leads for k in range(leads)], axis=1)


def mm_per_unit(axes):
    """Return mm on paper for one second and one millivolt, from the axes' transform."""
    (x0, y0), (x1, y1) = axes.transData.transform([(0.0, 0.0), (1.0, 1.0)])
    return (x1 - x0) / axes.figure.dpi * 25.4, (y1 - y0) / axes.figure.dpi * 25.4


def lines(axes, gid):
    return [line for line in axes.lines if (line.get_gid() or "").startswith(gid)]


@pytest.mark.parametrize("styled", [False, True])
@pytest.mark.parametrize(("seconds", "leads"), [(0.5, 1), (10, 1), (25, 1), (10, 12), (3, 2)])
def test_ecg_paper_is_true_to_scale(seconds, leads, styled):
    with matplotlib.rc_context():
        if styled:
            plots.use_style()
        shown = plots.show_ecg(beats(seconds, leads), sampling_rate_hz=RATE, alt="Beats.")
        shown.png()
        pixels = Image.open(io.BytesIO(shown.png())).size  # a second time: saving must not move the paper
        axes = shown.figure.axes[0]
        assert mm_per_unit(axes) == pytest.approx((25.0, 10.0), rel=1e-9)
        # the picture has the figure's inches at 100 dots each
        assert pixels == pytest.approx(shown.figure.get_size_inches() * 100, abs=1)


def test_ecg_grid_is_1_mm_and_5_mm():
    axes = plots.show_ecg(beats(2), sampling_rate_hz=RATE, alt="Beats.").figure.axes[0]
    fine, coarse = [c for c in axes.collections if isinstance(c, LineCollection)]
    for grid, step_mm in ((fine, 1), (coarse, 5)):
        upright = sorted({s[0][0] for s in grid.get_segments() if s[0][0] == s[1][0]})
        level = sorted({s[0][1] for s in grid.get_segments() if s[0][1] == s[1][1]})
        assert np.allclose(np.diff(upright) * 25, step_mm)
        assert np.allclose(np.diff(level) * 10, step_mm)


def test_ecg_calibration_pulse_is_1_mv_and_200_ms():
    axes = plots.show_ecg(beats(2, 3), sampling_rate_hz=RATE, alt="Beats.").figure.axes[0]
    pulses = lines(axes, "1 mV pulse")
    assert len(pulses) == 3
    for pulse in pulses:
        time_s, level_mv = pulse.get_data()
        assert np.ptp(level_mv) == pytest.approx(1.0)
        assert time_s[3] - time_s[2] == pytest.approx(0.2)


def test_ecg_rows_keep_amplitude_time_and_gaps():
    signal = beats(4, 2)
    signal[100:120, 1] = np.nan
    axes = plots.show_ecg(signal, sampling_rate_hz=RATE, alt="x", leads=["II", "V5"], start_s=60).figure.axes[0]
    for lead, line in enumerate(lines(axes, "row")):
        time_s, level = line.get_data()
        assert np.allclose(time_s, 60 + np.arange(1000) / RATE)
        assert np.allclose(level - level[0], signal[:, lead] - signal[0, lead], equal_nan=True)
    assert [text.get_text() for text in axes.texts] == ["II", "V5"]


def test_ecg_rows_do_not_leave_the_paper():
    signal = beats(4, 3) * np.array([-3, 0.1, 5]) + np.array([2, 0, -3])
    axes = plots.show_ecg(signal, sampling_rate_hz=RATE, alt="x").figure.axes[0]
    low, high = axes.get_ylim()
    levels = [line.get_ydata() for line in axes.lines]
    assert min(map(np.min, levels)) >= low
    assert max(map(np.max, levels)) <= high
    rows = [line.get_ydata() for line in lines(axes, "row")]
    assert all(upper.min() > lower.max() for upper, lower in itertools.pairwise(rows))


def test_ecg_long_lead_is_cut_into_rows():
    signal = beats(25)[:, 0]
    axes = plots.show_ecg(signal, sampling_rate_hz=RATE, alt="x").figure.axes[0]
    assert [len(line.get_xdata()) for line in lines(axes, "row")] == [2500, 2500, 1250]
    assert "10 s in each row" in axes.get_xlabel()


@pytest.mark.parametrize(
    ("signal", "options", "match"),
    [
        (np.zeros((2, 2, 2)), {}, r"shape \(samples,\) or \(samples, leads\), got \(2, 2, 2\)"),
        (np.zeros(0), {}, r"got \(0,\)"),
        (np.full(9, np.nan), {}, "no finite sample"),
        (np.zeros(9), {"sampling_rate_hz": 0}, "sampling_rate_hz must be positive, got 0"),
        (np.zeros(9), {"sampling_rate_hz": float("nan")}, "sampling_rate_hz must be positive"),
        (np.zeros(9), {"row_s": 0}, "row_s must be positive"),
        (np.zeros((2, 500)), {}, "pass signal_mv.T"),
        (np.zeros((9000, 2)), {}, "2 leads of 36 s do not fit in rows of 10 s"),
        (np.zeros(250 * 130), {}, "needs 13 rows, a page holds 12"),
        (np.array([0.0, 1200.0]), {}, "microvolts or in raw counts"),
        (np.zeros((9, 2)), {"leads": ["II"]}, "leads must be a list of 2 texts"),
        (np.zeros(9), {"alt": ""}, "alt must be a text"),
    ],
)
def test_show_ecg_refuses(signal, options, match):
    with pytest.raises(ValueError, match=match):
        plots.show_ecg(signal, **{"sampling_rate_hz": RATE, "alt": "x", **options})
