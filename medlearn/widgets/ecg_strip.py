"""Slide along an ECG on its paper: each beat with its annotation and, where there are any, what a model said."""

import ipywidgets
import numpy as np
from matplotlib.transforms import blended_transform_factory

from medlearn.plots import COLOURS, show_ecg
from medlearn.plots.ecg import MM_PER_INCH
from medlearn.widgets.ecg_strip_beats import compare_beats
from medlearn.widgets.explorer import Explorer

MAX_SECONDS = 10.0  # more does not fit on a page at 25 mm/s
STEP_S = 0.5
ROW_MM = 6.0
ALL = "all"


def draw_strip(record, start_s=0.0, *, lead=None, predictions=None, seconds=8.0, classes="AAMI5", disagreement=0):
    """Draw some seconds of an ECG on paper, with the annotation above each beat, and below it the prediction.

    Where the prediction is of another class than the annotation, it stands in a frame, with the sign ≠, and a dashed
    line goes down to the beat.

    Parameters
    ----------
    record : EcgRecord
    start_s : float, optional
        0 <= ``start_s`` < ``record.duration_s``. Near its end the strip is shorter.
    lead : str, optional
        Default: every lead, one below the other.
    predictions : sequence of str or None, optional
        One for each beat of the **record**: a class name or an annotation symbol; None or ``""`` for a beat without.
    seconds : float, optional
        Length of the strip, 1 to 10.
    classes : {"AAMI5", "AAMI4"} or dict, optional
        Which symbols are of one class, as in :func:`medlearn.data.ecg_classes.class_labels`: ``L`` and ``N`` agree. A
        beat whose symbol is in no class agrees with every prediction.
    disagreement : int, optional
        Which one to emphasise, counted from 1 over the record; 0 for none.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If the strip is outside the record, there is no such lead, or the predictions do not fit the beats.

    Examples
    --------
    >>> from medlearn import data
    >>> record = data.simulate_ecg(3, duration_s=20).strip(5, 9)
    >>> draw_strip(record, lead="MLII", seconds=2).alt[:45]
    'SIMULATED ECG of SIM-ECG-3, lead MLII, 0 to 2'

    References
    ----------
    ANSI/AAMI EC57:2012, Testing and reporting performance results of cardiac rhythm algorithms.
    """
    if not 1 <= seconds <= MAX_SECONDS:
        raise ValueError(f"seconds must be 1 to {MAX_SECONDS:g}, which fill a page at 25 mm/s; got {seconds}.")
    beats = compare_beats(record, predictions, classes)
    _check_number(disagreement, beats)
    stop_s = min(start_s + seconds, record.duration_s)
    strip = record.strip(start_s, stop_s)
    leads = record.leads if lead in (None, ALL) else (lead,)
    signals = np.column_stack([strip.lead(name) for name in leads])  # (sample, lead)
    here = [beat for beat in beats if start_s <= beat.time_s < stop_s]
    chosen = [beat for beat in beats if beat.differs][disagreement - 1] if disagreement else None
    figure_of = f"{_named(record)}, {_written(start_s)} to {_written(stop_s)} s of {_written(record.duration_s)} s"
    words = _described(record, leads, start_s, stop_s, signals, here, chosen, predictions is not None)
    picture = _paper(signals, leads, record.sampling_rate_hz, start_s, words)
    _mark(picture.figure, here, chosen, title=figure_of, predicted=predictions is not None, has_beats=bool(beats))
    return picture


def explore_strip(record, *, lead=None, predictions=None, seconds=8.0, classes="AAMI5"):
    """Slide along an ECG, and step from one disagreement between annotation and prediction to the next.

    The arrow keys move along the record once the slider "start" has the focus, and from disagreement to disagreement
    once that slider has it; the two buttons do the same. 0 is none.

    Parameters
    ----------
    record, lead, predictions, seconds, classes
        As in :func:`draw_strip`. Without ``lead`` there is a menu of leads, where the record has several.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        As :func:`draw_strip`, and if the record is no longer than the strip.

    Examples
    --------
    >>> from medlearn import data
    >>> explore_strip(data.simulate_ecg(3, duration_s=20), lead="V1").values
    {'start_s': 0.0}
    """
    if record.duration_s <= seconds:
        raise ValueError(
            f"{record.name} is {record.duration_s:g} s long, so a strip of {seconds:g} s cannot slide along it. Give"
            " fewer seconds, or show it by draw_strip."
        )
    different = [beat.time_s for beat in compare_beats(record, predictions, classes) if beat.differs]
    fixed = {"predictions": predictions, "seconds": seconds, "classes": classes}

    def draw(start_s, lead=lead, disagreement=0):
        return draw_strip(record, start_s, lead=lead, disagreement=disagreement, **fixed)

    controls = {"start_s": _slider(ipywidgets.FloatSlider, record.duration_s - seconds, "start (s)", step=STEP_S)}
    if lead is None and len(record.leads) > 1:
        controls["lead"] = ipywidgets.Dropdown(options=[ALL, *record.leads], description="lead")
    if not different:
        return Explorer(draw, controls)
    controls["disagreement"] = _slider(ipywidgets.IntSlider, len(different), "disagreement")
    _follow(controls, different, seconds)
    return Explorer(draw, controls, extra=_buttons(controls["disagreement"]))


def _check_number(disagreement, beats):
    count = sum(beat.differs for beat in beats)
    if not 0 <= disagreement <= count:
        raise ValueError(f"disagreement must be 0 (none) to {count}, as many as there are; got {disagreement}.")


def _paper(signals, leads, sampling_rate_hz, start_s, alt):
    """Draw the leads; where every sample is lost, an empty paper that says so."""
    lost = not np.isfinite(signals).any()
    options = {"sampling_rate_hz": sampling_rate_hz, "leads": leads, "start_s": start_s, "row_s": MAX_SECONDS + 1}
    picture = show_ecg(np.zeros_like(signals) if lost else signals, alt=alt, **options)
    if lost:
        axes = picture.figure.axes[0]
        for line in [line for line in axes.lines if line.get_gid().startswith("row")]:
            line.remove()
        middle = start_s + len(signals) / sampling_rate_hz / 2, np.mean(axes.get_ylim())
        axes.text(*middle, "signal lost", ha="center", va="center", fontsize=12, bbox={"facecolor": "white"})
    return picture


def _mark(figure, beats, chosen, *, title, predicted, has_beats):
    """Write the annotations above the paper, and the predictions below them."""
    paper = figure.axes[0]
    band = _band_above(paper, 2 if predicted and has_beats else 1)
    band.set_title(title, loc="left", fontsize=10)
    left = blended_transform_factory(figure.transFigure, band.transData)
    if not beats:
        said = "no beat in this strip" if has_beats else "no beat is annotated in this record"
        band.text(0.01, 0.5, said, transform=left, va="center", fontsize=9)
        return
    top = band.get_ylim()[1] - 0.5
    for row, name in zip((top, top - 1), ("annotated", "predicted")[: 2 if predicted else 1], strict=False):
        band.text(0.01, row, name, transform=left, va="center", fontsize=8)
    for beat in beats:
        band.text(beat.time_s, top, beat.annotated, ha="center", va="center", fontsize=9, gid="annotation")
        if predicted:
            _mark_prediction(band, paper, beat, top - 1, emphasised=beat is chosen)


def _mark_prediction(band, paper, beat, row, *, emphasised):
    words, box = beat.prediction or "–", None
    if beat.differs:
        words = f"≠ {beat.prediction}"
        colour, style, width = COLOURS["vermillion"], "-" if emphasised else "--", 1.6 if emphasised else 0.9
        box = {"boxstyle": "square,pad=0.25", "facecolor": "white", "edgecolor": colour, "linewidth": width}
        paper.axvline(beat.time_s, color=colour, linestyle=style, linewidth=width, zorder=1, gid="disagreement")
    weight = "bold" if emphasised else "normal"
    band.text(beat.time_s, row, words, ha="center", va="center", fontsize=9, weight=weight, bbox=box, gid="prediction")


def _band_above(paper, num_rows):
    """Make the page higher, so that the paper stays true to scale, and return the axes of the band above the paper."""
    figure, (left, bottom, width, height) = paper.figure, paper.get_position().bounds
    page_width, page_height = figure.get_size_inches()
    added = num_rows * ROW_MM / MM_PER_INCH
    shrink = page_height / (page_height + added)
    figure.set_size_inches(page_width, page_height + added)
    paper.set_position((left, bottom * shrink, width, height * shrink))
    band = figure.add_axes((left, (bottom + height) * shrink, width, added / (page_height + added)), sharex=paper)
    band.set_ylim(0, num_rows)
    band.set_axis_off()
    return band


def _described(record, leads, start_s, stop_s, signals, beats, chosen, predicted):
    """Return the alternative text."""
    kinds = [beat.symbol for beat in beats]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    words = [
        f"{_named(record)}, {'lead' if len(leads) == 1 else 'leads'} {', '.join(leads)}, {_written(start_s)} to"
        f" {_written(stop_s)} s on paper.",
        f"{len(beats)} beat{'s' * (len(beats) != 1)}: {counts}." if beats else "No beat is marked.",
    ]
    for name, lost in zip(leads, np.isnan(signals).sum(axis=0), strict=True):
        words += [f"{lost / record.sampling_rate_hz:.1f} s of {name} are lost."] if lost else []
    if not predicted or not beats:
        return " ".join(words)
    different = [beat for beat in beats if beat.differs]
    words += [f"At {beat.time_s:.1f} s annotated {beat.annotated}, predicted {beat.prediction}"
              f"{' (chosen)' if beat is chosen else ''}." for beat in different]  # fmt: skip
    without = sum(not beat.prediction for beat in beats)
    words += [f"{without} without a prediction."] if without else []
    return " ".join([*words, *([] if different else ["No disagreement."])])


def _named(record):
    simulated = record.card is not None and record.card.synthetic
    return f"{'SIMULATED ' if simulated else ''}ECG of {record.name}"


def _written(seconds):
    return f"{seconds:.1f}".removesuffix(".0")


def _slider(kind, last, description, **options):
    wide = {"style": {"description_width": "initial"}, "layout": {"width": "28em"}}
    return kind(value=0, min=0, max=last, description=description, **wide, **options)


def _follow(controls, times_s, seconds):
    """Bring the chosen disagreement into the middle of the strip, before the picture is drawn."""

    def turn(change):
        if change["new"]:
            start_s = STEP_S * round((times_s[change["new"] - 1] - seconds / 2) / STEP_S)
            controls["start_s"].value = start_s  # beyond an end of the slider it comes back to it

    controls["disagreement"].observe(turn, names="value")


def _buttons(slider):
    """Return two buttons that step through the disagreements."""

    def step(by):
        def turn(button):
            slider.value = min(max(slider.value + by, 1), slider.max)

        return turn

    buttons = []
    for words, by in (("previous disagreement", -1), ("next disagreement", 1)):
        button = ipywidgets.Button(description=words, tooltip=words, layout={"width": "auto"})
        button.on_click(step(by))
        buttons.append(button)
    return buttons
