"""A reader's test: patches one after another, real or made? Then the score with its interval."""

import html
from functools import partial

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from medlearn import metrics
from medlearn.plots import COLOURS, Picture
from medlearn.plots.slices import hide_ticks
from medlearn.widgets.explorer import WIDGET_VIEW
from medlearn.widgets.made_samples import HIGH_HU, LOW_HU

COLUMNS = 5
NAMES = ("real", "made")


def reading_truth(num_real, num_made, *, seed):
    """Return which patches of a reading are made, in the order in which the reader sees them.

    Parameters
    ----------
    num_real, num_made : int
        1 or more each.
    seed : int
        Of the order.

    Returns
    -------
    ndarray of bool, shape (num_real + num_made,)
        True: made.

    Examples
    --------
    >>> reading_truth(2, 3, seed=1).tolist()
    [True, False, False, True, True]
    """
    return _order(num_real, num_made, seed) >= num_real


def draw_reading(real, made, *, seed, answers=None):
    """Draw all patches of a reading with their numbers; with answers, mark what was right and what was wrong.

    Parameters
    ----------
    real, made : array-like, shapes (n, height, width) and (m, height, width)
        Patches in HU; shown from -1000 (black) to 400 HU (white).
    seed : int
        Of the order.
    answers : sequence of bool, optional
        What the reader said of each patch, in the order shown: True for made.

    Returns
    -------
    Picture
        Without answers, nothing in it tells which patch is which.

    Raises
    ------
    ValueError
        If the shapes do not fit, or there is not one answer for each patch.

    Examples
    --------
    >>> draw_reading(np.zeros((2, 8, 8)), np.ones((2, 8, 8)), seed=0).alt
    '4 patches, numbered from 1: some real, some made.'
    """
    patches, truth = _mixed(real, made, seed)
    if answers is not None and len(answers) != len(truth):
        raise ValueError(f"answers must hold one answer for each of the {len(truth)} patches, got {len(answers)}.")
    rows = -(-len(patches) // COLUMNS)
    figure = Figure(figsize=(8, 1.75 * rows), layout="constrained")
    for number, axes in enumerate(figure.subplots(rows, COLUMNS, squeeze=False).flat):
        if number >= len(patches):
            axes.remove()
            continue
        _show(axes, patches[number])
        axes.set_title(f"{number + 1}", fontsize="small")
        if answers is not None:
            right = bool(answers[number]) == bool(truth[number])
            said = f"{number + 1}: {NAMES[int(truth[number])]}, {'right' if right else 'WRONG'}"
            axes.set_title(said, fontsize="small", color="black" if right else COLOURS["vermillion"])
    if answers is None:
        return Picture(figure, f"{len(patches)} patches, numbered from 1: some real, some made.")
    return Picture(figure, f"All {len(patches)} patches with the truth. {score_reading(truth, answers)}")


def score_reading(truth, answers):
    """Say how many answers were right, with the interval, and how many of each kind were called made.

    Parameters
    ----------
    truth, answers : sequence of bool
        True: made.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is not one answer for each patch.

    Examples
    --------
    >>> score_reading([True, True, False, False], [True, False, False, False])
    '3 of 4 right: 0.75 (95 % CI 0.30 to 0.95, 4 patches). Called made: 1 of 2 made patches, 0 of 2 real ones.'
    """
    truth, answers = np.asarray(truth, bool), np.asarray(answers, bool)
    if truth.shape != answers.shape:
        raise ValueError(f"answers must hold one answer for each of the {len(truth)} patches, got {len(answers)}.")
    score = str(metrics.accuracy_score(truth.astype(int), answers.astype(int))).replace(" cases)", " patches)")
    return (
        f"{int(np.sum(truth == answers))} of {len(truth)} right: {score}. Called made: {int(answers[truth].sum())} of"
        f" {int(truth.sum())} made patches, {int(answers[~truth].sum())} of {int((~truth).sum())} real ones."
    )


def read_blind(real, made, *, seed, title="Is this patch real, or made by a network?"):
    """Show patches one after another with two buttons, and at the end the score and the truth.

    Parameters
    ----------
    real, made, seed
        As in :func:`draw_reading`.
    title : str
        The question.

    Returns
    -------
    BlindReading
        Shows itself as the last line of a cell. Where no widget can run, it shows the numbered patches.

    Raises
    ------
    ValueError
        As :func:`draw_reading`.

    Examples
    --------
    >>> reading = read_blind(np.zeros((1, 8, 8)), np.ones((1, 8, 8)), seed=0)
    >>> for _ in range(2):
    ...     reading.answer(made=True)
    >>> reading
    1 of 2 right: 0.50 (95 % CI 0.09 to 0.91, 2 patches). Called made: 1 of 1 made patches, 1 of 1 real ones.
    """
    return BlindReading(real, made, seed=seed, title=title)


class BlindReading:
    """A reading that goes on, or is done. :func:`read_blind` makes it.

    Attributes
    ----------
    answers : list of bool
        So far; True: the reader said "made".
    truth : ndarray of bool
    widget : ipywidgets.VBox
    """

    def __init__(self, real, made, *, seed, title):
        self._patches, self.truth = _mixed(real, made, seed)
        self._draw_all = partial(draw_reading, real, made, seed=seed)
        self.answers = []
        self._question = ipywidgets.HTML()
        self._frame = ipywidgets.HTML()
        self._title = title
        self._buttons = [ipywidgets.Button(description=name, tooltip=f"I say: {name}") for name in NAMES]
        for button, name in zip(self._buttons, NAMES, strict=True):
            button.on_click(lambda _, said=name == "made": self.answer(made=said))
        self.widget = ipywidgets.VBox([self._question, self._frame, ipywidgets.HBox(self._buttons)])
        self.widget.add_class("medlearn-explorer")
        self._show()

    @property
    def html(self):
        """What the picture's place holds now."""
        return self._frame.value

    def answer(self, *, made):
        """Answer for the patch that is shown, as the buttons do. Once all are answered, nothing more happens.

        Parameters
        ----------
        made : bool
        """
        if len(self.answers) < len(self.truth):
            self.answers.append(bool(made))
            self._show()

    def _show(self):
        done, total = len(self.answers), len(self.truth)
        if done < total:
            figure = Figure(figsize=(3, 3), layout="constrained")
            _show(figure.subplots(), self._patches[done])
            self._frame.value = Picture(figure, f"Patch {done + 1} of {total}: real or made?").html()
            self._say(f"Patch {done + 1} of {total}. {self._title}")
        else:
            self._frame.value = self._draw_all(answers=self.answers).html()
            self._say(score_reading(self.truth, self.answers))
            for button in self._buttons:
                button.disabled = True

    def _say(self, text):
        self._question.value = f'<p role="status">{html.escape(text)}</p>'

    def __repr__(self):
        if len(self.answers) == len(self.truth):
            return score_reading(self.truth, self.answers)
        return f"A reading of {len(self.truth)} patches; {len(self.answers)} answered."

    def _repr_mimebundle_(self, include=None, exclude=None):
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        still = f"<div>{self._draw_all().html()}<p><em>A still picture. Run this cell to answer.</em></p></div>"
        return {WIDGET_VIEW: view, "text/html": still, "text/plain": repr(self)}


def _order(num_real, num_made, seed):
    if min(num_real, num_made) < 1:
        raise ValueError(f"a reading needs a real and a made patch at least, got {num_real} and {num_made}.")
    return np.random.default_rng(seed).permutation(num_real + num_made)


def _mixed(real, made, seed):
    """Return the patches in the order of the reading, and which are made."""
    real, made = np.asarray(real, float), np.asarray(made, float)
    if real.ndim != 3 or made.ndim != 3 or real.shape[1:] != made.shape[1:]:
        raise ValueError(
            "real and made must have the shape (patch, height, width), with patches of one size, got"
            f" {real.shape} and {made.shape}."
        )
    order = _order(len(real), len(made), seed)
    return np.concatenate([real, made])[order], order >= len(real)


def _show(axes, patch):
    axes.imshow(patch, cmap="gray", vmin=LOW_HU, vmax=HIGH_HU, interpolation="nearest")
    hide_ticks(axes)
