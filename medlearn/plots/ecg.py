"""The ECG on its paper: 25 mm for each second, 10 mm for each millivolt."""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine

from medlearn.plots.checks import check_count
from medlearn.plots.pictures import Picture, check_alt

MM_PER_S = 25.0
MM_PER_MV = 10.0
MM_PER_INCH = 25.4
MAX_ROWS = 12
PULSE_MM = 10.0  # the strip at the left that holds the calibration pulse
MIN_WIDTH_MM = 50.0  # two seconds: room for the scale below a shorter strip
MARGIN_MM = (8.0, 6.0, 20.0, 8.0)  # left, right, bottom, top of the paper
PAPER_LINES = (("#F6CFCB", 0.4, 1), ("#E39A94", 0.8, 5))  # colour, width in points, mm between lines


def show_ecg(signal_mv, *, sampling_rate_hz, alt, leads=None, title="", start_s=0.0, row_s=10.0):
    """Show an ECG on paper, true to scale: 25 mm/s and 10 mm/mV, with a calibration pulse of 1 mV and 0.2 s.

    Parameters
    ----------
    signal_mv : array of shape (samples,) or (samples, leads)
        In mV. NaN samples leave a gap.
    sampling_rate_hz : float
    alt : str
        The alternative text.
    leads : sequence of str, optional
        The name of each lead. Default: "lead 1", "lead 2", ...
    title : str
    start_s : float
        The time of the first sample, for the time axis.
    row_s : float
        A single lead longer than this goes on in a row below. Several leads stand one below the other.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If the shape, the sampling rate or the names make no sense, all samples are NaN, several leads are longer
        than ``row_s``, or there would be more than 12 rows.

    Examples
    --------
    >>> import numpy as np
    >>> show_ecg(np.zeros(500), sampling_rate_hz=250, alt="A flat line of two seconds.")
    [Figure: A flat line of two seconds.]

    References
    ----------
    Kligfield P et al. Recommendations for the standardization and interpretation of the electrocardiogram, Part I.
    J Am Coll Cardiol 2007;49:1109-27. https://doi.org/10.1016/j.jacc.2007.01.024
    """
    alt = check_alt(alt)
    signal, names = _check_ecg(signal_mv, sampling_rate_hz, leads)
    rows, labels = _rows(signal, names, sampling_rate_hz, row_s)
    heights_mm = [_height_mm(row) for row in rows]
    seconds = max(len(row) for row in rows) / sampling_rate_hz
    axes = _paper(seconds, sum(heights_mm), start_s)
    top_mm = sum(heights_mm)
    for number, (row, label, height_mm) in enumerate(zip(rows, labels, heights_mm, strict=True)):
        low, high = _row_range(row)
        offset_mv = (top_mm - height_mm / 2) / MM_PER_MV - (low + high) / 2
        _draw_row(axes, row, label, offset_mv, sampling_rate_hz, start_s, gid=f"row {number}")
        top_mm -= height_mm
    wrapped = f", {row_s:g} s in each row" if len(rows) > len(names) else ""
    axes.set_xlabel(f"time (s){wrapped}\n25 mm/s, 10 mm/mV")
    axes.set_title(title, loc="left")
    return Picture(axes.figure, alt)


def _paper(seconds, height_mm, start_s):
    """Return axes in s and mV that cover the paper exactly, in a figure of the paper's size in inches."""
    width_mm = PULSE_MM + max(5 * np.ceil(seconds * MM_PER_S / 5), MIN_WIDTH_MM)
    left, right, bottom, top = MARGIN_MM
    page = np.array([left + width_mm + right, bottom + height_mm + top])
    figure = Figure(figsize=page / MM_PER_INCH)
    # The paper's size is exact: no layout may move it, whatever the style says and however often it is saved.
    figure.set_layout_engine(PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=True))
    axes = figure.add_axes((left / page[0], bottom / page[1], width_mm / page[0], height_mm / page[1]))
    first_s = start_s - PULSE_MM / MM_PER_S
    axes.set_xlim(first_s, first_s + width_mm / MM_PER_S)
    axes.set_ylim(0, height_mm / MM_PER_MV)
    for colour, points, step_mm in PAPER_LINES:
        x = first_s + np.arange(0, width_mm + 0.5, step_mm) / MM_PER_S
        y = np.arange(0, height_mm + 0.5, step_mm) / MM_PER_MV
        lines = [[(at, 0), (at, height_mm / MM_PER_MV)] for at in x] + [[(x[0], at), (x[-1], at)] for at in y]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=points, zorder=0), autolim=False)
    axes.spines[:].set_visible(False)
    axes.set_yticks([])
    axes.set_xticks(np.arange(np.ceil(start_s), start_s + seconds + 1e-9))
    return axes


def _draw_row(axes, row, label, offset_mv, sampling_rate_hz, start_s, *, gid):
    time_s = start_s + np.arange(len(row)) / sampling_rate_hz
    axes.plot(time_s, row + offset_mv, color="black", linestyle="-", linewidth=0.9, gid=gid)
    pulse_s = start_s + np.array([-9.0, -7.5, -7.5, -2.5, -2.5, -1.0]) / MM_PER_S  # mm left of the first sample
    pulse_mv = offset_mv + _middle(row) + np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    axes.plot(pulse_s, pulse_mv, color="black", linestyle="-", linewidth=0.9, gid="1 mV pulse")
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.8}
    place = (start_s + 0.04, offset_mv + _row_range(row)[1] + 0.05)
    axes.text(*place, label, weight="bold", va="bottom", ha="left", fontsize=10, bbox=box)


def _rows(signal, names, sampling_rate_hz, row_s):
    """Cut one long lead into rows; keep several leads as one row each."""
    per_row = max(1, round(row_s * sampling_rate_hz)) if row_s > 0 else 0
    if per_row == 0:
        raise ValueError(f"row_s must be positive, got {row_s}. Ten seconds fill the width of a page.")
    if signal.shape[1] > 1 and signal.shape[0] > per_row:
        raise ValueError(
            f"{signal.shape[1]} leads of {signal.shape[0] / sampling_rate_hz:g} s do not fit in rows of {row_s:g} s."
            " Show a part, such as signal[:n], or one lead at a time."
        )
    rows = [signal[start : start + per_row, lead] for lead in range(signal.shape[1])
            for start in range(0, signal.shape[0], per_row)]  # fmt: skip
    if len(rows) > MAX_ROWS:
        raise ValueError(f"the signal needs {len(rows)} rows, a page holds {MAX_ROWS}. Show a shorter part of it.")
    labels = list(names) if len(rows) == len(names) else [names[0]] + [""] * (len(rows) - 1)
    return rows, labels


def _range(row):
    finite = row[np.isfinite(row)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _middle(row):
    """Return the level on which the calibration pulse stands: the median, which is near the isoelectric line."""
    return float(np.median(row[np.isfinite(row)])) if np.isfinite(row).any() else 0.0


def _row_range(row):
    """Return the range in mV of a row and its calibration pulse."""
    low, high = _range(row)
    return min(low, _middle(row)), max(high, _middle(row) + 1.0)


def _height_mm(row):
    """Return the height of one row in whole big squares, with room for the lead's name."""
    low, high = _row_range(row)
    return 5 * np.ceil(((high - low) * MM_PER_MV + 10) / 5)


def _check_ecg(signal_mv, sampling_rate_hz, leads):
    signal = np.asarray(signal_mv, dtype=float)
    if signal.ndim not in (1, 2) or signal.size == 0:
        raise ValueError(
            f"signal_mv must have shape (samples,) or (samples, leads), got {signal.shape}. Time comes first."
        )
    if not (np.isfinite(sampling_rate_hz) and sampling_rate_hz > 0):
        raise ValueError(f"sampling_rate_hz must be positive, got {sampling_rate_hz}.")
    signal = signal.reshape(len(signal), -1)  # (samples, leads)
    if signal.shape[1] > MAX_ROWS:
        raise ValueError(
            f"signal_mv has {signal.shape[1]} leads, a page holds {MAX_ROWS}."
            " If time is the second axis, pass signal_mv.T."
        )
    if not np.isfinite(signal).any():
        raise ValueError("signal_mv has no finite sample: all are NaN or infinite. Look at its source.")
    low, high = _range(signal)
    if high - low > 40:
        raise ValueError(
            f"signal_mv spans {high - low:.0f} mV, which no heart makes. It may be in microvolts or in raw counts:"
            " divide by 1000, or by the gain of the record."
        )
    names = [f"lead {number + 1}" for number in range(signal.shape[1])] if leads is None else leads
    check_count("leads", names, signal.shape[1])
    return signal, list(names)
