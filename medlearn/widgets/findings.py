"""Step through what a detector found in a scan, what it missed, and where it saw something that is not there."""

from dataclasses import dataclass, replace
from functools import partial

import ipywidgets
import numpy as np
import SimpleITK as sitk
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from medlearn.plots import COLOURS, Picture
from medlearn.plots.checks import window_limits
from medlearn.plots.slices import draw_image
from medlearn.plots.volumes import check_volume
from medlearn.widgets.explorer import Explorer

NAMES = {
    "true": "true finding",
    "missed": "missed nodule",
    "false": "false alarm",
    "duplicate": "second mark on a nodule",
    "ignored": "mark on an ignored finding",
}
CHOICES = ("all", *NAMES)
_STYLE = {
    "true": ("green", "-"), "missed": ("orange", "--"), "false": ("vermillion", ":"),
    "duplicate": ("sky blue", "-."), "ignored": ("purple", "-."),
}  # fmt: skip
_AROUND_MM = 30.0


@dataclass(frozen=True)
class Finding:
    """One thing to look at: a mark of the detector, or a nodule without one.

    ``point_mm`` is the mark, for a missed nodule its centre; ``score`` is None for a missed nodule. ``nodule_mm`` and
    ``diameter_mm`` are those of the nodule that the mark lies on, None for a false alarm.
    """

    kind: str
    point_mm: tuple[float, float, float]
    score: float | None = None
    nodule_mm: tuple[float, float, float] | None = None
    diameter_mm: float | None = None

    def at(self, threshold):
        """Return what is left of the finding where only marks with ``score >= threshold`` are shown, or None."""
        if self.score is None or self.score >= threshold:
            return self
        if self.kind != "true":
            return None
        return replace(self, kind="missed", point_mm=self.nodule_mm, score=None)


def list_findings(matches, nodules_mm, diameters_mm, detections_mm):
    """Return the findings of one scan in the order in which a reader would step through them.

    Parameters
    ----------
    matches : Matches
        What :func:`medlearn.metrics.match_detections` returned for the scan.
    nodules_mm, diameters_mm, detections_mm : array-like
        What it was given: shapes (nodule, 3), (nodule,) and (mark, 3).

    Returns
    -------
    list of Finding
        The marks by falling score, then the nodules without a mark.

    Raises
    ------
    ValueError
        If the matches are not those of these nodules and detections.
    """
    nodules, marks = np.reshape(nodules_mm, (-1, 3)), np.reshape(detections_mm, (-1, 3))
    expected, came = (len(matches.kinds), len(matches.counted)), (len(marks), len(nodules))
    if expected != came or len(diameters_mm) != len(nodules):
        raise ValueError(
            f"the matches have {expected[0]} marks and {expected[1]} nodules, but {came[0]} marks, {came[1]} nodules"
            f" and {len(diameters_mm)} diameters came. Give what match_detections was given."
        )
    found = []
    for number in np.argsort(-np.asarray(matches.scores, float), kind="stable"):
        kind, nodule = str(matches.kinds[number]), int(matches.findings[number])
        on = (tuple(nodules[nodule]), float(diameters_mm[nodule])) if kind in ("true", "duplicate") else (None, None)
        found.append(Finding(kind, tuple(marks[number]), float(matches.scores[number]), *on))
    missed = [Finding("missed", tuple(nodules[k]), None, tuple(nodules[k]), float(diameters_mm[k]))
              for k in matches.missed]  # fmt: skip
    return found + missed


def draw_findings(image, findings, *, show="all", number=1, threshold=0.0, window_hu="lung"):
    """Draw one finding of a scan: where it is in its slice, and a close look from the feet and from the front.

    Parameters
    ----------
    image : SimpleITK.Image
        The scan, in HU.
    findings : sequence of Finding
        As :func:`list_findings` makes them.
    show : str
        ``"all"``, or one kind: ``"true"``, ``"missed"``, ``"false"``, ``"duplicate"``, ``"ignored"``.
    number : int
        Which of the findings of that kind, from 1; beyond the last, the last is drawn.
    threshold : float
        Only marks with ``score >= threshold`` count; a nodule whose mark falls away is missed.
    window_hu : (center, width) or str

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If the image is not 3-D, ``show`` is no kind, or ``number`` is under 1.

    Examples
    --------
    >>> import SimpleITK as sitk
    >>> scan = sitk.Image(16, 16, 8, sitk.sitkInt16)
    >>> draw_findings(scan, [Finding("false", (8.0, 8.0, 4.0), 0.7)]).alt
    'Finding 1 of 1: false alarm, score 0.70, at x 8, y 8, z 4 mm, in slice 4. 1 false alarm in the scan.'
    """
    check_volume(image)
    shown = _chosen(findings, show, threshold)
    if number < 1:
        raise ValueError(f"number counts the findings from 1, got {number}.")
    counts = _counted([finding.at(threshold) for finding in findings])
    figure = Figure(figsize=(9.5, 3.7), layout="constrained")
    if not shown:
        figure.text(0.5, 0.5, f"nothing to show: {show}, threshold {threshold:.2f}", ha="center", fontsize="large")
        return Picture(figure, f"No finding of the kind {show} at threshold {threshold:.2f}. {counts}")
    number = min(number, len(shown))
    finding = shown[number - 1]
    others = [each for each in _chosen(findings, "all", threshold) if each is not finding and each != finding]
    index = _draw_views(figure, image, finding, others, window_limits(window_hu))
    words = _described(finding)
    figure.suptitle(f"{number} of {len(shown)}: {words}")
    where = ", ".join(f"{axis} {value:.0f}" for axis, value in zip("xyz", finding.point_mm, strict=True))
    return Picture(figure, f"Finding {number} of {len(shown)}: {words}, at {where} mm, in slice {index}. {counts}")


def explore_findings(image, findings, *, threshold=0.0, window_hu="lung"):
    """Step through the findings of a scan, with a menu of kinds and sliders for the finding and the threshold.

    The arrow keys move from finding to finding once the slider has the focus.

    Parameters
    ----------
    image, findings, threshold, window_hu
        As in :func:`draw_findings`; ``threshold`` is the first one.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        As :func:`draw_findings`.

    Examples
    --------
    >>> import SimpleITK as sitk
    >>> explore_findings(sitk.Image(16, 16, 8, sitk.sitkInt16), []).values
    {'show': 'all', 'number': 1, 'threshold': 0.0}
    """
    wide = {"style": {"description_width": "initial"}, "layout": {"width": "28em"}}
    menu = [("all", "all"), *((name, kind) for kind, name in NAMES.items())]
    controls = {
        "show": ipywidgets.Dropdown(options=menu, value="all", description="show"),
        "number": ipywidgets.IntSlider(value=1, min=1, max=1, description="finding", **wide),
        "threshold": ipywidgets.FloatSlider(
            value=threshold, min=0, max=1, step=0.01, description="threshold", readout_format=".2f", **wide
        ),
    }
    _follow(findings, controls)
    return Explorer(partial(draw_findings, image, findings, window_hu=window_hu), controls)


def _follow(findings, controls):
    """Keep the slider of findings as long as the list, before the picture is drawn."""

    def count(change=None):
        shown = _chosen(findings, controls["show"].value, controls["threshold"].value)
        controls["number"].max = max(len(shown), 1)  # a value beyond it comes back to it

    count()
    for name in ("show", "threshold"):
        controls[name].observe(count, names="value")


def _chosen(findings, show, threshold):
    if show not in CHOICES:
        raise ValueError(f"show must be one of {', '.join(CHOICES)}, got {show!r}.")
    left = [finding.at(threshold) for finding in findings]
    return [finding for finding in left if finding is not None and show in ("all", finding.kind)]


def _counted(findings):
    kinds = [finding.kind for finding in findings if finding is not None]
    counts = [(kinds.count(kind), name) for kind, name in NAMES.items() if kind in kinds]
    said = ", ".join(f"{count} {name if count == 1 else _plural(name)}" for count, name in counts)
    return f"{said or 'No finding'} in the scan."


def _described(finding):
    if finding.kind == "missed":
        return f"{NAMES['missed']} of {finding.diameter_mm:.1f} mm"
    on = "" if finding.diameter_mm is None else f", nodule of {finding.diameter_mm:.1f} mm"
    return f"{NAMES[finding.kind]}, score {finding.score:.2f}{on}"


def _plural(name):
    head, *rest = name.split(" on ")
    return " on ".join([f"{head}s", *rest])


def _draw_views(figure, image, finding, others, limits):
    """Draw the slice, the close look from the feet and the one from the front; return the number of the slice."""
    place = np.array(image.TransformPhysicalPointToContinuousIndex([float(value) for value in finding.point_mm]))
    _, y, z = np.clip(np.rint(place), 0, np.array(image.GetSize()) - 1).astype(int)
    (dx, dy, dz), (low, high) = image.GetSpacing(), limits
    slices = {"slice": image[:, :, int(z)], "from the feet": image[:, :, int(z)], "from the front": image[:, int(y), :]}
    middle = place * image.GetSpacing()
    for axes, (title, plane) in zip(figure.subplots(1, 3), slices.items(), strict=True):
        front = title == "from the front"
        draw_image(axes, sitk.GetArrayFromImage(plane), spacing=(dz if front else dy, dx), low=low, high=high)
        axes.set(title=f"axial slice {z}" if title == "slice" else title, xlabel="x (mm)")
        axes.set_ylabel("z (mm)" if front else "y (mm)")
        across = (middle[0], middle[2] if front else middle[1])
        if title == "slice":
            _box(axes, across)
        else:
            axes.set_xlim(across[0] - _AROUND_MM, across[0] + _AROUND_MM)
            ends = (across[1] - _AROUND_MM, across[1] + _AROUND_MM)
            axes.set_ylim(*(ends if front else ends[::-1]))  # the head is up, and so is the front of the body
        for each in [*others, finding]:
            _draw_mark(axes, image, each, front=front, here=middle, emphasised=each is finding)
    return z


def _box(axes, across):
    corner = (across[0] - _AROUND_MM, across[1] - _AROUND_MM)
    axes.add_patch(Rectangle(corner, 2 * _AROUND_MM, 2 * _AROUND_MM, fill=False, edgecolor="white", linewidth=1))


def _draw_mark(axes, image, finding, *, front, here, emphasised):
    """Draw the nodule as the circle that its ball cuts out of this plane, and the mark as a cross."""
    colour, style = COLOURS[_STYLE[finding.kind][0]], _STYLE[finding.kind][1]
    spacing = np.array(image.GetSpacing())
    wide = 2.2 if emphasised else 1.2
    pair, depth = ([0, 2], 1) if front else ([0, 1], 2)
    ball = finding.nodule_mm if finding.nodule_mm is not None else finding.point_mm
    centre = np.array(image.TransformPhysicalPointToContinuousIndex([float(value) for value in ball])) * spacing
    radius = (finding.diameter_mm or 10.0) / 2
    left = radius**2 - (centre[depth] - here[depth]) ** 2
    if left > 0 or emphasised:
        size = max(np.sqrt(max(left, 0.0)), 1.0) + 1.5  # outside the edge, so that the edge can be seen
        axes.add_patch(Circle(centre[pair], size, fill=False, edgecolor=colour, linestyle=style, linewidth=wide))
    if finding.score is not None and (emphasised or left > 0):
        mark = np.array(image.TransformPhysicalPointToContinuousIndex([float(v) for v in finding.point_mm])) * spacing
        axes.plot(*mark[pair], "+", color=colour, markersize=9 if emphasised else 6, markeredgewidth=wide)
