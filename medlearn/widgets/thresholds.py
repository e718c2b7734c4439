"""One threshold in four views: ROC curve, precision and recall, confusion matrix and expected cost."""

from dataclasses import dataclass
from functools import partial

import ipywidgets
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.special import ndtr

from medlearn.plots import COLOURS, Picture
from medlearn.widgets.explorer import explore

SEPARATION = 1.5
"""The simulated scores are normal with standard deviation 1: mean 0 in the healthy, this mean in the ill."""

PEOPLE = 10_000
PREVALENCES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
COST_RATIOS = (1, 2, 5, 10, 20, 50, 100, 200)
NOW = {"color": COLOURS["vermillion"], "marker": "o", "markersize": 10, "linestyle": "none", "clip_on": False}


@dataclass(frozen=True)
class _Curve:
    """Sensitivity and false positive rate at ascending thresholds, and whether they jump between them.

    A step is that of the slider: about a hundredth of the scores' range.
    """

    thresholds: np.ndarray
    sensitivity: np.ndarray
    false_positive_rate: np.ndarray
    source: str
    stepwise: bool
    step: float

    def written(self, threshold):
        """Return a threshold with as many digits as tell two steps apart."""
        return f"{threshold:.{self.digits}f}"

    @property
    def digits(self):
        return max(2, -int(np.floor(np.log10(self.step))))

    def snapped(self, threshold):
        """Return the score that differs from the threshold by rounding only: a slider adds up its steps."""
        nearest = self.thresholds[np.argmin(np.abs(self.thresholds - threshold))]
        return float(nearest) if abs(nearest - threshold) < 1e-6 * self.step else threshold


def draw_thresholds(labels=None, scores=None, *, threshold=1.0, prevalence=0.05, cost_ratio=10):
    """Draw what one threshold does to 10,000 people: ROC, precision and recall, confusion matrix, expected cost.

    Parameters
    ----------
    labels, scores : array of shape (n,), optional
        Your patients: 1 for ill, 0 for healthy, and what the model gave them. Left out: simulated scores, normal with
        standard deviation 1 around 0 (healthy) and 1.5 (ill), whose rates are exact.
    threshold : float
        Called ill: score >= threshold.
    prevalence : float
        Of the 10,000 people, between 0 and 1. The patients' own share of ill is not used: sensitivity and specificity
        are taken from them, and carried over.
    cost_ratio : float
        What one missed ill person costs, in false alarms; above 0.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If one of ``labels`` and ``scores`` is missing, they do not fit together, a class is missing, or a number is
        out of its range.

    Examples
    --------
    >>> draw_thresholds(threshold=1.5, prevalence=0.01, cost_ratio=20).alt[:75]
    'Simulated scores at threshold 1.50. Of 10,000 people with prevalence 1 %: 5'
    """
    _check_range(threshold, prevalence, cost_ratio)
    curve = _curve(labels, scores)
    threshold = curve.snapped(threshold)
    sensitivity, false_positive_rate = _rates(threshold, labels, scores)
    tp, fn = (PEOPLE * prevalence * share for share in (sensitivity, 1 - sensitivity))
    fp, tn = (PEOPLE * (1 - prevalence) * share for share in (false_positive_rate, 1 - false_positive_rate))
    figure = Figure(figsize=(10.5, 8.2), layout="constrained")
    (roc, recall), (table, cost) = figure.subplots(2, 2)
    _draw_roc(roc, curve, false_positive_rate, sensitivity, (1 - prevalence) / (prevalence * cost_ratio))
    _draw_precision(recall, curve, prevalence, sensitivity, tp / (tp + fp) if tp + fp else np.nan)
    _draw_table(table, [[tp, fn], [fp, tn]])
    cheapest = _draw_cost(cost, curve, prevalence, cost_ratio, threshold, fp + cost_ratio * fn)
    figure.suptitle(f"{curve.source}; threshold {curve.written(threshold)}, prevalence {100 * prevalence:g} %")
    predictive = f"{100 * tp / (tp + fp):.1f} %" if tp + fp else "undefined (nobody is positive)"
    alt = (
        f"{curve.source} at threshold {curve.written(threshold)}. Of {PEOPLE:,} people with prevalence"
        f" {100 * prevalence:g} %:"
        f" {tp:.0f} true positives, {fn:.0f} missed, {fp:.0f} false alarms, {tn:.0f} true negatives. Sensitivity"
        f" {100 * sensitivity:.1f} %, specificity {100 * (1 - false_positive_rate):.1f} %, positive predictive value"
        f" {predictive}. Cost {fp + cost_ratio * fn:.0f} false alarms; the cheapest threshold,"
        f" {curve.written(cheapest[0])},"
        f" costs {cheapest[1]:.0f}."
    )
    return Picture(figure, alt)


def explore_thresholds(labels=None, scores=None):
    """Explore one threshold in four views, with sliders for threshold, prevalence and cost ratio.

    Parameters
    ----------
    labels, scores : array of shape (n,), optional
        As in :func:`draw_thresholds`. Use validation patients, never the test set.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        As :func:`draw_thresholds`.

    Examples
    --------
    >>> list(explore_thresholds().values)
    ['threshold', 'prevalence', 'cost_ratio']
    """
    curve = _curve(labels, scores)
    step = curve.step
    low, high = np.floor(curve.thresholds[0] / step) * step, np.ceil(curve.thresholds[-1] / step) * step
    slider = {"min": low, "max": high, "step": step, "readout_format": f".{curve.digits}f"}
    shares = [(f"{100 * share:g} %", share) for share in PREVALENCES]
    return explore(
        partial(draw_thresholds, labels, scores),
        threshold=ipywidgets.FloatSlider(value=low + step * round((high - low) / 2 / step), **slider),
        prevalence=ipywidgets.SelectionSlider(options=shares, value=0.05),
        cost_ratio=ipywidgets.SelectionSlider(options=COST_RATIOS, value=10),
    )


def _check_range(threshold, prevalence, cost_ratio):
    if not np.isfinite(threshold):
        raise ValueError(f"threshold must be a finite number, got {threshold}.")
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence must lie between 0 and 1, got {prevalence}; 5 % is 0.05.")
    if not 0 < cost_ratio < np.inf:
        raise ValueError(f"cost_ratio must be above 0, got {cost_ratio}: what a missed case costs, in false alarms.")


def _curve(labels, scores):
    if labels is None and scores is None:
        thresholds = np.round(np.arange(-40, 56) / 10, 1)  # 4 standard deviations beyond either mean
        return _Curve(thresholds, *_rates(thresholds, None, None), "Simulated scores", False, 0.1)
    labels, scores = _checked(labels, scores)
    distinct = np.unique(scores)
    step = _step(distinct)
    thresholds = np.append(distinct, distinct[-1] + step)  # at the last one nobody is called
    ill = int(np.sum(labels == 1))
    source = f"{ill} ill and {len(labels) - ill} healthy patients"
    return _Curve(thresholds, *_rates(thresholds, labels, scores), source, True, step)


def _step(distinct):
    """Return 1 for whole numbers such as ratings, else a round hundredth of the range."""
    span = float(np.ptp(distinct))
    if span == 0 or (span <= 100 and np.array_equal(distinct, np.round(distinct))):
        return 1.0
    return float(f"{span / 100:.0e}")


def _rates(thresholds, labels, scores):
    """Return sensitivity and false positive rate at a threshold, or at each of an array of them."""
    if scores is None:
        return ndtr(SEPARATION - np.asarray(thresholds)), ndtr(-np.asarray(thresholds))
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    groups = [np.sort(scores[labels == label]) for label in (1, 0)]
    return tuple(1 - np.searchsorted(group, thresholds, side="left") / len(group) for group in groups)


def _checked(labels, scores):
    if labels is None or scores is None:
        raise ValueError("give labels and scores, or neither: without both, the scores are simulated.")
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(
            f"labels and scores must be 1-D and of one length, got the shapes {labels.shape} and {scores.shape}."
        )
    if not np.isfinite(scores).all():
        raise ValueError(f"{int(np.sum(~np.isfinite(scores)))} score(s) are NaN or infinite; leave those patients out.")
    if set(labels.tolist()) != {0, 1}:
        raise ValueError(f"labels must hold 0 (healthy) and 1 (ill), and both, got {sorted(set(labels.tolist()))[:5]}.")
    return labels, scores


def _draw_roc(axes, curve, false_positive_rate, sensitivity, slope):
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1.2, label="no information")
    x, y = (np.append(1.0, rate) for rate in (curve.false_positive_rate, curve.sensitivity))
    axes.plot(x, y, color=COLOURS["blue"], linestyle="-", label="ROC curve")
    axes.axline(
        (false_positive_rate, sensitivity), slope=slope, color=COLOURS["green"], linestyle="--", linewidth=1.2,
        label="equal cost",
    )  # fmt: skip
    axes.plot([false_positive_rate], [sensitivity], label="now", **NOW)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="1 − specificity", ylabel="sensitivity", title="ROC curve")
    axes.legend(loc="lower right")


def _draw_precision(axes, curve, prevalence, sensitivity, precision):
    true, false = curve.sensitivity * prevalence, curve.false_positive_rate * (1 - prevalence)
    called = true + false > 1e-12
    drawn = {"color": COLOURS["blue"], "linestyle": "-", "label": "precision"}
    drawn["drawstyle"] = "steps-post" if curve.stepwise else "default"
    axes.plot(curve.sensitivity[called], (true / np.where(called, true + false, 1))[called], **drawn)
    axes.axhline(prevalence, color="0.6", linestyle=":", linewidth=1.2, label="no information: prevalence")
    axes.plot([sensitivity], [precision], label="now", **NOW)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="recall (sensitivity)", ylabel="precision (PPV)")
    axes.set_title("Precision and recall")
    axes.legend()


def _draw_table(axes, counts):
    """Draw the four counts, truth in rows: right calls on blue, errors on orange."""
    names = [["true positives", "missed (FN)"], ["false alarms (FP)", "true negatives"]]
    for row, column in np.ndindex(2, 2):
        colour, hatch = (COLOURS["sky blue"], "") if row == column else (COLOURS["orange"], "//")
        box = {"facecolor": colour, "edgecolor": "white", "alpha": 0.5, "hatch": hatch}
        axes.add_patch(Rectangle((column, row), 1, 1, **box))
        text = f"{counts[row][column]:,.0f}\n{names[row][column]}"
        page = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=14, bbox=page)
    axes.set(xlim=(0, 2), ylim=(2, 0), xticks=[0.5, 1.5], yticks=[0.5, 1.5], title=f"Of {PEOPLE:,} people")
    axes.set_xticklabels(["called ill", "called healthy"])
    axes.set_yticklabels(["ill", "healthy"], rotation=90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_cost(axes, curve, prevalence, cost_ratio, threshold, now):
    """Draw the cost over the thresholds; return the cheapest of them with its cost."""
    missed, alarms = prevalence * (1 - curve.sensitivity), (1 - prevalence) * curve.false_positive_rate
    costs = PEOPLE * (alarms + cost_ratio * missed)
    best = int(np.argmin(costs))
    style = {"color": COLOURS["blue"], "linestyle": "-", "drawstyle": "steps-pre" if curve.stepwise else "default"}
    axes.plot(curve.thresholds, costs, label="all thresholds", **style)
    axes.plot(
        curve.thresholds[best], costs[best], color=COLOURS["green"], marker="D", markersize=9, linestyle="none",
        label=f"cheapest: {curve.written(curve.thresholds[best])}",
    )  # fmt: skip
    axes.plot([threshold], [now], label="now", **NOW)
    axes.set(xlabel="threshold (score)", ylabel=f"cost for {PEOPLE:,} people (false alarms)")
    axes.set(ylim=(0, None), title=f"Expected cost: one miss = {cost_ratio:g} false alarm{'s' * (cost_ratio != 1)}")
    axes.legend()
    return curve.thresholds[best], costs[best]
