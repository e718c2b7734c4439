"""Exercises of lesson 08d, Rhythm in context: intervals, strides, padding, pairs, occlusion, adaptation, alarms."""

import numpy as np

from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise


def _ratios(beats_s, *, swap=False, level=np.mean):
    """Return the ratios of the inner beats; the options make the usual mistakes."""
    intervals = np.diff(beats_s)
    pair = [intervals[:-1], intervals[1:]]
    return np.column_stack(pair[::-1] if swap else pair) / level(intervals)


@exercise(
    task="For each beat but the first and the last: the interval before it and the one after it, each divided by the"
    " mean of all intervals. Shape (beats - 2, 2).",
    cases=lambda rng: [
        (np.array([0.0, 1.0, 1.5, 3.0]),),  # intervals 1, 0.5, 1.5: mean 1
        (np.array([0.2, 1.0, 1.8, 2.3, 3.4, 4.2]),),
        (np.cumsum(rng.uniform(0.4, 1.2, size=9)),),
    ],
    mistakes=[
        (
            lambda beats_s: _ratios(beats_s, swap=True),
            "The columns are exchanged: the interval before the beat comes first.",
        ),
        (
            lambda beats_s: _ratios(beats_s, level=lambda intervals: 1.0),
            "Those are seconds. Divide by the mean interval: 0.5 s is early for a slow heart only.",
        ),
        (
            lambda beats_s: _ratios(beats_s, level=np.median),
            "You divided by the median. Asked is the mean of all intervals.",
        ),
        (
            lambda beats_s: 1 / _ratios(beats_s),
            "Those are rates: an early beat comes out above 1. Divide the interval by the mean, not the other way.",
        ),
        (
            lambda beats_s: np.column_stack([np.diff(beats_s), np.diff(beats_s)]) / np.diff(beats_s).mean(),
            "Both columns are the same interval. The interval after beat i is the one before beat i + 1.",
        ),
        (
            lambda beats_s: 2 * _ratios(beats_s) / _ratios(beats_s).sum(axis=1, keepdims=True),
            "You divided each pair by its own mean. Asked is the mean of all intervals of the strip.",
        ),
        (
            lambda beats_s: _ratios(beats_s).T,
            "One row for each beat: your array is turned on its side.",
        ),
    ],
    hints=[
        "np.diff(beats_s) are the intervals: number i lies between beats i and i + 1.",
        "Beat 1 has interval 0 before it and interval 1 after it. So intervals[:-1] and intervals[1:].",
        "np.column_stack([before, after]) / intervals.mean()",
    ],
)
def ratios_of(beats_s):
    intervals = np.diff(beats_s)
    return np.column_stack([intervals[:-1], intervals[1:]]) / intervals.mean()


def _stack(length, layers, *, grow="jump", padding=2, round_up=False, plus=1, begin=1, less=1):
    """Return length and field behind a stack of convolutions; the options make the usual mistakes."""
    field, jump = begin, 1
    for kernel, stride, pad in layers:
        whole = length + padding * pad - kernel
        length = (-(-whole // stride) if round_up else whole // stride) + plus
        field += (kernel - less) * {"jump": jump, "none": 1, "own": stride, "late": jump * stride}[grow]
        jump *= stride
    return length, field


def _two_numbers(result, expected):
    """Compare two whole numbers, in a tuple, a list or an array."""
    array = isinstance(result, np.ndarray) and result.shape == (2,)
    return same(tuple(result.tolist()) if array else result, expected)


@exercise(
    task="Return (length, field): the samples that are left behind the layers, and how many samples one of them sees."
    " Each layer is (kernel, stride, padding).",
    cases=lambda rng: [
        (10, [(3, 1, 0), (3, 1, 0)]),  # 10 -> 8 -> 6; sees 5
        (80, [(5, 2, 2), (5, 2, 2), (5, 2, 2)]),
        (100, [(7, 3, 0), (4, 2, 1), (3, 1, 1)]),
        (61, [(2, 2, 0), (5, 1, 2), (8, 4, 0)]),
    ],
    compare=_two_numbers,
    mistakes=[
        (
            lambda length, layers: _stack(length, layers, grow="none"),
            "The length is right. For the field you added kernel - 1 each time: behind a stride of 2 neighbours stand 2"
            " samples apart, so each later layer reaches further.",
        ),
        (
            lambda length, layers: _stack(length, layers, grow="late"),
            "The length is right. A layer's own stride comes too early: it spreads the outputs, and with them the"
            " inputs of the **next** layer.",
        ),
        (
            lambda length, layers: _stack(length, layers, grow="own"),
            "The length is right. For the field you took each layer's own stride. What counts is how far apart its"
            " inputs stand: the product of the strides of all layers **before** it.",
        ),
        (
            lambda length, layers: _stack(length, layers, begin=0),
            "The length is right. The field is one short: before the first layer, one value sees itself.",
        ),
        (
            lambda length, layers: _stack(length, layers, begin=0, less=0),
            "The length is right. For the field you added whole kernels. A kernel of k has k - 1 gaps, and it begins at"
            " a value that is counted already.",
        ),
        (
            lambda length, layers: _stack(length, layers, less=0),
            "The length is right. For the field you added whole kernels. A kernel of k has k - 1 gaps, and it begins at"
            " a value that is counted already.",
        ),
        (
            lambda length, layers: _stack(length, layers, padding=1),
            "Padding is added at both ends: 2 * padding.",
        ),
        (
            lambda length, layers: _stack(length, layers, padding=0),
            "You left out the padding: it lengthens the signal before the kernel slides.",
        ),
        (
            lambda length, layers: _stack(length, layers, round_up=True),
            "You rounded up. A kernel that does not fit any more at the end gives no output: round down.",
        ),
        (
            lambda length, layers: _stack(length, layers, plus=0),
            "One short in each layer: the kernel also stands at the very start. Add 1 to the number of moves.",
        ),
        (
            lambda length, layers: _stack(length, layers)[::-1],
            "The two are right and exchanged: (length, field).",
        ),
    ],
    hints=[
        "A kernel of k fits at (length + 2 * padding - k) // stride + 1 places.",
        "Keep a second number: `jump`, the distance in samples between two neighbours in front of the layer. It begins"
        " at 1, and each layer multiplies it by its stride, afterwards.",
        "field += (kernel - 1) * jump, beginning with 1.",
    ],
)
def after_convolutions(length, layers):
    field, jump = 1, 1
    for kernel, stride, padding in layers:
        length = (length + 2 * padding - kernel) // stride + 1
        field += (kernel - 1) * jump
        jump *= stride
    return length, field


def _padded(rng, lengths, features):
    x = np.zeros((len(lengths), max(lengths), features))
    for row, length in zip(x, lengths, strict=True):
        row[:length] = rng.normal(size=(length, features))
    return x, np.array(lengths)


def _each(change):
    """Return a mistaken function that changes each sequence by itself."""
    return lambda x, lengths: np.stack([change(row.copy(), n) for row, n in zip(x, lengths, strict=True)])


def _mirror_valid(row, n):
    row[:n] = row[:n, ::-1]
    return row


def _off_by_one(row, n):
    row[: n - 1] = row[: n - 1][::-1]
    return row


@exercise(
    task="Reverse each sequence in time, and leave its padding at the end. x has shape (n, time, features); of"
    " sequence i the first lengths[i] times are real.",
    cases=lambda rng: [
        (np.array([[[1.0], [2.0], [3.0], [0.0]], [[4.0], [5.0], [0.0], [0.0]]]), np.array([3, 2])),
        _padded(rng, [2, 5, 4, 1], 3),
        _padded(rng, [6, 3], 2),
    ],
    mistakes=[
        (
            lambda x, lengths: x[:, ::-1],
            "Everything was reversed: a short sequence now begins with its padding. Reverse its first lengths[i] times"
            " only.",
        ),
        (
            lambda x, lengths: x[::-1],
            "You reversed the order of the sequences. Time is axis 1.",
        ),
        (_each(_mirror_valid), "You reversed the features. Time is axis 1, features are axis 2."),
        (_each(_off_by_one), "The last real value stayed where it was: a slice [:n] holds n values."),
        (
            _each(lambda row, n: np.concatenate([row[::-1][:n], row[n:]])),
            "You reversed the whole row and kept its first lengths[i]: those begin with the padding. Cut first, then"
            " reverse.",
        ),
    ],
    hints=[
        "The sequences have different lengths: loop over them.",
        "result = x.copy(), then for each i: result[i, :n] = x[i, :n][::-1]",
    ],
)
def reversed_in_place(x, lengths):
    result = x.copy()
    for i, n in enumerate(lengths):
        result[i, :n] = x[i, :n][::-1]
    return result


def _macro_f1(labels, predictions):
    scores = []
    for k in range(4):
        hits = np.sum((labels == k) & (predictions == k))
        scores.append(2 * hits / (np.sum(labels == k) + np.sum(predictions == k)))
    return np.mean(scores)


def _resampled_difference(score, rows):
    """Return a mistaken function: another score, or other rows for the patients that were drawn."""

    def mistaken(labels, first, second, patients, drawn):
        chosen = rows(patients, drawn)
        return score(labels[chosen], first[chosen]) - score(labels[chosen], second[chosen])

    return mistaken


def _rows_of(patients, drawn):
    return np.concatenate([np.flatnonzero(patients == name) for name in drawn])


def _mean_of_patients(labels, first, second, patients, drawn):
    rows = [np.flatnonzero(patients == name) for name in drawn]
    return np.mean([_macro_f1(labels[r], first[r]) - _macro_f1(labels[r], second[r]) for r in rows])


def _one_study(rng, num_patients, beats):
    """Return labels, two predictions and the patients of a study, and a draw with repeats."""
    patients = np.repeat([f"p{k}" for k in range(num_patients)], beats)
    labels = np.concatenate([rng.permutation(np.arange(beats) % 4) for _ in range(num_patients)])
    first = np.where(rng.random(len(labels)) < 0.8, labels, rng.integers(0, 4, len(labels)))
    second = np.where(rng.random(len(labels)) < 0.6, labels, rng.integers(0, 4, len(labels)))
    drawn = rng.choice(np.unique(patients), num_patients)
    drawn[1] = drawn[0]  # at least one patient twice
    return labels, first, second, patients, drawn


def _small_study():
    """Return three patients of four beats, and a draw: a once, c twice."""
    patients = np.repeat(["a", "b", "c"], 4)
    first = np.array([0, 1, 2, 3, 0, 0, 0, 0, 0, 1, 2, 2])  # a: all right, c: an F called V
    second = np.array([0, 0, 2, 3, 0, 1, 2, 3, 0, 1, 0, 3])  # a: an S called N, c: a V called N
    return np.arange(12) % 4, first, second, patients, np.array(["a", "c", "c"])


def _weighted_f1(labels, predictions):
    share = np.bincount(labels, minlength=4) / len(labels)
    f1 = [2 * np.sum((labels == k) & (predictions == k)) / np.sum((labels == k) * 1 + (predictions == k))
          for k in range(4)]  # fmt: skip
    return share @ f1


@exercise(
    task="Return the macro-F1 of `first` minus that of `second` in one resample: `drawn` names the patients, and who"
    " is drawn twice counts twice.",
    cases=lambda rng: [_small_study(), _one_study(rng, 4, 10), _one_study(rng, 7, 16), _one_study(rng, 5, 23)],
    mistakes=[
        (
            _resampled_difference(_macro_f1, lambda patients, drawn: np.isin(patients, drawn)),
            "np.isin asks only whether a patient was drawn: who was drawn twice counts once. Gather the beats of each"
            " name in `drawn`, again and again.",
        ),
        (
            lambda labels, first, second, patients, drawn: _resampled_difference(_macro_f1, _rows_of)(
                labels, second, first, patients, drawn
            ),
            "The sign is turned: first minus second.",
        ),
        (
            _resampled_difference(_macro_f1, lambda patients, drawn: slice(None)),
            "You took all patients. This is one resample: only those in `drawn`.",
        ),
        (
            _resampled_difference(lambda y, z: np.mean(y == z), _rows_of),
            "That is the difference of the accuracies: the frequent class decides it. Take the mean of the four F1.",
        ),
        (
            _resampled_difference(_weighted_f1, _rows_of),
            "You weighted the four F1 by how frequent their class is: N decides. Macro is their plain mean.",
        ),
        (
            _mean_of_patients,
            "You averaged over patients. Pool the beats of all drawn patients first: many have no S beat at all.",
        ),
        (
            lambda labels, first, second, patients, drawn: (
                _macro_f1(labels[_rows_of(patients, drawn)], first[_rows_of(patients, drawn)])
                - _macro_f1(labels, second)
            ),
            "Only one of the two was resampled. Paired means: the same drawn patients for both.",
        ),
    ],
    hints=[
        "First the rows: for each name in `drawn` np.flatnonzero(patients == name), then np.concatenate.",
        "F1 of class k is 2 hits / (number of labels k + number of predictions k); macro-F1 is the mean over k = 0 to"
        " 3.",
        "Both scores on the same rows, then subtract.",
    ],
)
def difference_of_resample(labels, first, second, patients, drawn):
    rows = np.concatenate([np.flatnonzero(patients == name) for name in drawn])
    y, scores = labels[rows], []
    for z in (first[rows], second[rows]):
        scores.append(np.mean([2 * np.sum((y == k) & (z == k)) / np.sum((y == k) * 1 + (z == k)) for k in range(4)]))
    return scores[0] - scores[1]


def _occluding(score, signal, width, *, keep=False, sign=1, fill=0.0, count=1, relative=False):
    """Return an occlusion map; the options make the usual mistakes."""
    drops, covered = [], signal.copy()
    for start in range(len(signal) - width + count):
        covered = covered if keep else signal.copy()
        covered[start : start + width] = fill
        drops.append(sign * (score(signal) * (not relative) - score(covered)))
    return np.array(drops)


def _weighted(weights):
    """Return a score that is linear, so that each drop can be worked out by hand."""
    return lambda signal: float(signal @ weights)


def _bent(weights):
    """Return a score that is not linear, as a network's."""
    return lambda signal: float(np.tanh(signal @ weights) + (signal**2).mean())


@exercise(
    task="For each start: the score of the signal minus the score with `width` samples from there on set to 0. Shape"
    " (len(signal) - width + 1,).",
    cases=lambda rng: [
        (_weighted(np.array([1.0, 2.0, 0.0, -1.0])), np.array([1.0, 1.0, 5.0, 2.0]), 2),
        (_bent(rng.normal(size=9)), rng.normal(size=9), 3),
        (_bent(rng.normal(size=12)), rng.normal(size=12) + 0.5, 1),
    ],
    mistakes=[
        (
            lambda score, signal, width: _occluding(score, signal, width, keep=True),
            "The cover was never lifted: each start still has all earlier ones set to 0. Begin with a fresh copy.",
        ),
        (
            lambda score, signal, width: _occluding(score, signal, width, sign=-1),
            "The sign is turned: what matters should be positive. Score of the signal minus score of the covered one.",
        ),
        (
            lambda score, signal, width: _occluding(score, signal, width, relative=True, sign=-1),
            "Those are the scores of the covered signals. Subtract them from the score of the whole signal.",
        ),
        (
            lambda score, signal, width: _occluding(score, signal, width, count=0),
            "The last place is missing: a window of `width` fits at len(signal) - width + 1 places.",
        ),
        (
            lambda score, signal, width: _occluding(score, signal, width, count=width),
            "At the end your window hangs over. It fits at len(signal) - width + 1 places.",
        ),
        (
            lambda score, signal, width: _occluding(score, signal, width, fill=signal.mean()),
            "You covered with the mean. Asked is 0, the level of the baseline here.",
        ),
    ],
    hints=[
        "A loop over start in range(len(signal) - width + 1).",
        "In the loop: covered = signal.copy(), then covered[start : start + width] = 0.",
        "The drop is score(signal) - score(covered).",
    ],
)
def occlusion_map(score, signal, width):
    drops = []
    for start in range(len(signal) - width + 1):
        covered = signal.copy()
        covered[start : start + width] = 0
        drops.append(score(signal) - score(covered))
    return np.array(drops)


def _two_masks(result, expected):
    """Compare two masks in a tuple, a list, or stacked in one array."""
    pair = tuple(result) if isinstance(result, (list, np.ndarray)) and len(result) == 2 else result
    return same(pair, expected)


@exercise(
    task="Return two masks (adapt, judge): beats whose window, `reach_s` to either side, ends by `seconds`; and beats"
    " whose window begins at `seconds` or later.",
    cases=lambda rng: [
        (np.array([1.0, 2.0, 2.8, 3.1, 4.0]), 3.0, 0.5),
        (np.cumsum(rng.uniform(0.4, 1.1, size=30)), 10.0, 0.75),
        (np.cumsum(rng.uniform(0.4, 1.1, size=25))[rng.permutation(25)], 6.0, 0.25),
        (np.array([0.5, 5.5, 6.0, 6.5, 9.0]), 6.0, 0.5),
    ],
    compare=_two_masks,
    mistakes=[
        (
            lambda times_s, seconds, reach_s: (times_s <= seconds, times_s > seconds),
            "Beats near the border stand in one part and reach into the other. Keep reach_s away, on both sides.",
        ),
        (
            lambda times_s, seconds, reach_s: (times_s < seconds, times_s >= seconds),
            "Beats near the border stand in one part and reach into the other. Keep reach_s away, on both sides.",
        ),
        (
            lambda times_s, seconds, reach_s: (times_s + reach_s <= seconds, times_s + reach_s > seconds),
            "The second part is all that the first one left: beats on the border are in it. Their window must begin"
            " after it.",
        ),
        (
            lambda times_s, seconds, reach_s: (times_s <= seconds, times_s - reach_s >= seconds),
            "The judged beats are right. A beat that teaches must end before the border, too: its window reaches"
            " reach_s beyond it.",
        ),
        (
            lambda times_s, seconds, reach_s: (times_s + reach_s <= seconds, times_s >= seconds),
            "The beats that teach are right. The window of a judged beat begins reach_s before the beat.",
        ),
        (
            lambda times_s, seconds, reach_s: (times_s + reach_s <= seconds, np.ones(len(times_s), bool)),
            "You judge on the beats that were learned, too. Those are known by heart.",
        ),
        (
            lambda times_s, seconds, reach_s: (times_s - reach_s <= seconds, times_s + reach_s >= seconds),
            "The reach has the wrong sign: beats on the border are now in both parts.",
        ),
        (
            lambda times_s, seconds, reach_s: (times_s + reach_s < seconds, times_s - reach_s > seconds),
            "A window that ends exactly at `seconds`, or begins there, does not cross it: use <= and >=.",
        ),
        (
            lambda times_s, seconds, reach_s: (times_s - reach_s >= seconds, times_s + reach_s <= seconds),
            "The two are right and exchanged: (adapt, judge). Labels come first in life, the test comes later.",
        ),
    ],
    hints=[
        "A window of a beat at t goes from t - reach_s to t + reach_s.",
        "adapt: its end is at most `seconds`. judge: its start is at least `seconds`. A few beats are in neither.",
    ],
)
def split_in_time(times_s, seconds, reach_s):
    return times_s + reach_s <= seconds, times_s - reach_s >= seconds


def _alarms(labels, predictions, hours, *, false_if="none", per=True, runs=True, close=True):
    """Return false alarms; the options make the usual mistakes."""
    number, alarm = 0, np.r_[False, predictions == 2, False]
    starts, ends = np.flatnonzero(alarm[1:] & ~alarm[:-1]), np.flatnonzero(~alarm[1:] & alarm[:-1])
    for start, end in zip(starts, ends, strict=True):
        if end == len(labels) and not close:
            break
        true = labels[start:end] == 2
        wrong = {"none": not true.any(), "some": not true.all(), "any": True, "first": not true[0]}[false_if]
        number += wrong * (1 if runs else int((~true).sum()))
    return number / hours if per else number


@exercise(
    task="Return the false alarms per hour. An alarm is a run of beats in a row predicted as class 2 (V); it is false"
    " where none of its beats is a V.",
    cases=lambda rng: [
        (np.array([0, 0, 2, 0, 0, 1, 0]), np.array([2, 2, 2, 0, 2, 2, 0]), 0.5),  # alarms: 0-2 true, 4-5 false
        (rng.integers(0, 4, 60), rng.integers(0, 4, 60) % 3, 0.25),
        (np.where(rng.random(80) < 0.3, 2, 0), np.where(rng.random(80) < 0.5, 2, 0), 0.1),
        (np.array([0, 2, 0, 0]), np.array([0, 0, 0, 2]), 2.0),
    ],
    mistakes=[
        (
            lambda labels, predictions, hours: np.sum((predictions == 2) & (labels != 2)) / hours,
            "Those are false beats. Several in a row ring once: count runs, and let a true V in a run make it true.",
        ),
        (
            lambda labels, predictions, hours: _alarms(labels, predictions, hours, runs=False),
            "The right runs, but you counted their beats: each run rings once.",
        ),
        (
            lambda labels, predictions, hours: _alarms(labels, predictions, hours, false_if="some"),
            "You called an alarm false where some of its beats are no V. It is false where none is.",
        ),
        (
            lambda labels, predictions, hours: _alarms(labels, predictions, hours, false_if="first"),
            "You looked at the first beat of each run only. A V later in the run makes the alarm true.",
        ),
        (
            lambda labels, predictions, hours: _alarms(labels, predictions, hours, close=False),
            "A run that lasts to the last beat is missing: nothing comes after it that would end it.",
        ),
        (
            lambda labels, predictions, hours: _alarms(labels, predictions, hours, false_if="any"),
            "Those are all alarms, the true ones too.",
        ),
        (
            lambda labels, predictions, hours: _alarms(labels, predictions, hours, per=False),
            "That is their number. Divide by the hours.",
        ),
        (
            lambda labels, predictions, hours: _alarms(labels, predictions, 1 / hours),
            "You multiplied by the hours. Divide.",
        ),
    ],
    hints=[
        "Walk along the beats. A run begins where a beat is predicted 2 and the one before was not.",
        "Keep for the run under way whether one of its labels was 2. When it ends, count it if none was. Mind a run"
        " that lasts to the end.",
        "itertools.groupby(range(n), key=lambda i: predictions[i] == 2) gives the runs.",
    ],
)
def false_alarms_per_hour(labels, predictions, hours):
    false, ringing, true = 0, False, False
    for label, prediction in zip([*labels, 0], [*predictions, 0], strict=True):  # the 0 ends a last run
        if prediction == 2:
            ringing, true = True, true or label == 2
        else:
            false += ringing and not true
            ringing = true = False
    return false / hours
