"""Exercises of lesson 08c, Beats and patients: AAMI classes, macro-F1, a rule, folds, rare classes, AAMI's report."""

import numpy as np

from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise

_AAMI = {"N": "NLRBejn", "S": "AaJS", "V": "VEr", "F": "F", "Q": "/fQ?"}


def _as_letters(value):
    """Return an answer as a list of letters, whether it came as a list, a tuple, an array or a text."""
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "UO":
        value = value.tolist()
    return list(value) if isinstance(value, (str, list, tuple)) else value


def _sorted_with(changes=None, *, keep_others=None, drop=""):
    """Return a mistaken sorting: some symbols go elsewhere, are left out, or others are kept as a class."""
    of_symbol = {symbol: name for name, symbols in _AAMI.items() for symbol in symbols} | (changes or {})

    def mistaken(symbols):
        found = [of_symbol.get(symbol, keep_others) for symbol in symbols if symbol not in drop]
        return [name for name in found if name is not None]

    return mistaken


@exercise(
    task="Return a list with the AAMI class (N, S, V, F or Q) of each beat; leave out symbols that mark no beat.",
    cases=lambda rng: [
        (["N", "L", "A", "V", "F", "/"],),
        (["+", "N", "R", "~", "e", "j", "J", "E", "Q", "|", "a"],),
        (rng.permutation(list("NLRBejnAaJSVErF/fQ?+~|")).tolist(),),
    ],
    compare=lambda result, expected: same(_as_letters(result), expected),
    mistakes=[
        (
            _sorted_with({"L": "V", "R": "V", "B": "V"}),
            "You sorted bundle branch blocks by their width. They start in the sinus node: N.",
        ),
        (
            _sorted_with(keep_others="Q"),
            "Marks such as + and ~ came along as Q. They are no beats: leave them out.",
        ),
        (
            _sorted_with({"e": "S", "j": "S", "n": "S"}),
            "Escape beats from above (e, j, n) come late, to the rescue. AAMI counts them as N; S are the early ones.",
        ),
        (
            _sorted_with({"E": "N"}),
            "E is a ventricular escape beat. It comes from the ventricles: V.",
        ),
        (
            _sorted_with({"a": "V"}),
            "a is an atrial premature beat with aberrant conduction. It is wide, and its origin is above: S.",
        ),
        (
            _sorted_with({"J": "N"}),
            "J is a premature beat of the node: early, so S. The nodal escape beat is j, in lower case.",
        ),
        (
            _sorted_with({"f": "F"}),
            "f is a fusion with a paced beat: Q. F, in upper case, is the fusion with a ventricular beat.",
        ),
        (
            _sorted_with(drop="/fQ?"),
            "The beats of class Q are missing: / f Q and ? are beats, paced or unclassifiable.",
        ),
    ],
    hints=[
        "Write a dictionary from each class to a text with its symbols; the list above the exercise has them.",
        "Go through the symbols in order. One that is in none of the texts marks no beat.",
        "[name for s in symbols for name, group in classes.items() if s in group]",
    ],
)
def aami_classes(symbols):
    classes = {"N": "NLRBejn", "S": "AaJS", "V": "VEr", "F": "F", "Q": "/fQ?"}
    return [name for symbol in symbols for name, group in classes.items() if symbol in group]


def _f1_of_means(confusion):
    sensitivity = np.mean(np.diag(confusion) / confusion.sum(axis=1))
    precision = np.mean(np.diag(confusion) / confusion.sum(axis=0))
    return 2 * sensitivity * precision / (sensitivity + precision)


@exercise(
    task="Return the mean over the classes of 2 C_kk / (row sum + column sum).",
    cases=lambda rng: [
        (np.array([[8, 2], [1, 1]]),),  # F1: 16 / 19 and 2 / 5
        (np.array([[90, 5, 5], [2, 7, 1], [0, 3, 17]]),),
        (rng.integers(1, 50, size=(4, 4)),),
        (np.array([[950, 30, 20, 5], [12, 40, 3, 1], [4, 2, 60, 1], [6, 0, 7, 3]]),),
    ],
    mistakes=[
        (
            lambda confusion: np.diag(confusion).sum() / confusion.sum(),
            "That is the accuracy (the micro average). Compute an F1 for each class, and take their mean.",
        ),
        (
            lambda confusion: np.mean(np.diag(confusion) / confusion.sum(axis=1)),
            "That is the mean sensitivity: you divided by the rows only. False calls stand in the columns.",
        ),
        (
            lambda confusion: np.mean(np.diag(confusion) / confusion.sum(axis=0)),
            "That is the mean predictive value: you divided by the columns only. Missed beats stand in the rows.",
        ),
        (
            _f1_of_means,
            "That is the F1 of the mean sensitivity and the mean predictive value. Take the F1 of each class first.",
        ),
        (
            lambda confusion: np.mean(np.diag(confusion) / (confusion.sum(axis=0) + confusion.sum(axis=1))),
            "The factor 2 is missing.",
        ),
        (
            lambda confusion: np.sum(2 * np.diag(confusion) / (confusion.sum(axis=0) + confusion.sum(axis=1))),
            "You added the F1 scores up. Take their mean: divide by the number of classes.",
        ),
        (
            lambda confusion: np.mean(
                (np.diag(confusion) / confusion.sum(axis=1) + np.diag(confusion) / confusion.sum(axis=0)) / 2
            ),
            "You took the plain mean of sensitivity and predictive value. F1 is their harmonic mean.",
        ),
        (
            lambda confusion: float(
                (2 * np.diag(confusion) / (confusion.sum(axis=0) + confusion.sum(axis=1)))
                @ confusion.sum(axis=1)
                / confusion.sum()
            ),
            "You weighed the classes by their beats. In the macro average each class weighs the same.",
        ),
        (
            lambda confusion: 2 * np.diag(confusion) / (confusion.sum(axis=0) + confusion.sum(axis=1)),
            "Those are the F1 scores of the classes, and they are right. Return their mean.",
        ),
    ],
    hints=[
        "np.diag(confusion) are the hits; sum(axis=1) adds up rows (the truth), sum(axis=0) columns (the calls).",
        "F1 of all classes at once: 2 * hits / (rows + columns). Then .mean().",
    ],
)
def macro_f1(confusion):
    hits, rows, columns = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return np.mean(2 * hits / (rows + columns))


@exercise(
    task="Early (before_s under 85 % of usual_s) and wide (0.1 s or more) is 'V', early and narrow 'S', all else 'N'.",
    cases=lambda rng: [
        (0.8, 0.8, 0.08),
        (0.5, 0.8, 0.08),
        (0.5, 0.8, 0.14),
        (0.8, 0.8, 0.14),  # a bundle branch block
        (0.7, 0.8, 0.12),  # 0.875 of the usual: not early
        (0.5, 0.8, 0.1),  # wide by the last millisecond
        (0.95, 1.2, 0.09),  # early for a slow heart
        (0.45, 0.5, 0.09),  # not early for a fast one
        (1.02, 1.2, 0.12),  # exactly 85 %, in floating point too: not under it
        (0.42, 0.5, 0.09),  # early by 0.08 s only
        (1.05, 1.22, 0.12),  # 0.17 s before its time, and not early for so slow a heart
        (1.2, 0.8, 0.14),  # late, as an escape beat is
        (0.1, 0.8, 0.08),  # very early
    ],
    mistakes=[
        (
            lambda before_s, usual_s, width_s: "V" if width_s >= 0.1 else "S" if before_s < 0.85 * usual_s else "N",
            "You called every wide beat V. A bundle branch block is wide and on time: N.",
        ),
        (
            lambda before_s, usual_s, width_s: "N" if before_s >= 0.85 * usual_s else "S" if width_s >= 0.1 else "V",
            "S and V are exchanged: the wide one comes from the ventricles.",
        ),
        (
            lambda before_s, usual_s, width_s: "N" if usual_s >= 0.85 * before_s else "V" if width_s >= 0.1 else "S",
            "The ratio is upside down: early means that the interval before is short, so before_s / usual_s is small.",
        ),
        (
            lambda before_s, usual_s, width_s: "N" if before_s >= 0.85 else "V" if width_s >= 0.1 else "S",
            "You compared with 0.85 seconds. What is early depends on this heart: 85 % of usual_s.",
        ),
        (
            lambda before_s, usual_s, width_s: "N" if before_s >= 0.85 * usual_s else "V" if width_s > 0.1 else "S",
            "0.1 s counts as wide: 'or more'.",
        ),
        (
            lambda before_s, usual_s, width_s: "N" if before_s > 0.85 * usual_s else "V" if width_s >= 0.1 else "S",
            "Exactly 85 % is not less than 85 %: that beat is N.",
        ),
        (
            lambda before_s, usual_s, width_s: (
                "N" if abs(before_s - usual_s) <= 0.15 * usual_s else "V" if width_s >= 0.1 else "S"
            ),
            "A late beat counts as early here: abs takes both sides. Early is the interval that is too short.",
        ),
        (
            lambda before_s, usual_s, width_s: "N" if before_s >= 0.15 * usual_s else "V" if width_s >= 0.1 else "S",
            "You compared with 15 % of usual_s. Early is less than 85 % of it, which is 15 % too short.",
        ),
        (
            lambda before_s, usual_s, width_s: "N" if before_s >= 0.85 * usual_s else "V" if width_s >= 100 else "S",
            "width_s is in seconds: 0.1, not 100.",
        ),
        (
            lambda before_s, usual_s, width_s: "N" if usual_s - before_s <= 0.15 else "V" if width_s >= 0.1 else "S",
            "You took a difference in seconds. 85 % is a ratio, so that slow and fast hearts are treated alike.",
        ),
    ],
    hints=[
        "First ask whether the beat is early: before_s < 0.85 * usual_s. If not, it is N, however wide.",
        "An early beat is 'V' if width_s >= 0.1, else 'S'.",
    ],
)
def rr_rule(before_s, usual_s, width_s):
    if before_s >= 0.85 * usual_s:
        return "N"
    return "V" if width_s >= 0.1 else "S"


def _place(patients):
    """Return the place of each beat's patient in sorted order."""
    return np.unique(patients, return_inverse=True)[1]


@exercise(
    task="Return the fold of each beat: its patient's place in sorted order, modulo num_folds.",
    cases=lambda rng: [
        (np.array(["ann", "ann", "bob", "cem", "cem", "cem"]), 2),
        (np.array(["d", "a", "b", "a", "c", "e", "d", "b"]), 3),
        (rng.choice([f"p{k}" for k in range(9)], size=40), 4),
    ],
    mistakes=[
        (
            lambda patients, num_folds: np.arange(len(patients)) % num_folds,
            "You dealt the beats, so a patient has beats in several folds. Deal the patients.",
        ),
        (
            lambda patients, num_folds: _place(patients),
            "That is the patient's place: a fold for each patient. Take it modulo num_folds.",
        ),
        (
            lambda patients, num_folds: _place(patients) * num_folds // len(np.unique(patients)),
            "You cut the sorted patients into blocks. Deal them in turn: 0, 1, ..., and again 0.",
        ),
        (
            lambda patients, num_folds: _place(patients) // num_folds,
            "You divided the places by num_folds. Dealing in turn is the remainder: %.",
        ),
        (
            lambda patients, num_folds: (_place(patients) + 1) % num_folds,
            "You began with fold 1. The first patient in sorted order goes into fold 0.",
        ),
        (
            lambda patients, num_folds: np.array(
                [list(dict.fromkeys(patients.tolist())).index(p) % num_folds for p in patients.tolist()]
            ),
            "You dealt the patients in the order in which they appear. Sort them first: the order of the beats must"
            " not matter.",
        ),
        (
            lambda patients, num_folds: np.arange(len(np.unique(patients))) % num_folds,
            "Those are the folds of the patients. Return one fold for each beat.",
        ),
    ],
    hints=[
        "np.unique(patients, return_inverse=True) gives the sorted patients, and for each beat its patient's place.",
        "Dealing in turn is % num_folds.",
    ],
)
def patient_folds(patients, num_folds):
    _, place = np.unique(patients, return_inverse=True)
    return place % num_folds


@exercise(
    task="Return for each row the class with the largest logit - tau * ln(share of the class in training).",
    cases=lambda rng: [
        (np.array([[2.0, 0.0], [4.0, 0.0]]), np.array([90, 10]), 1.0),  # ln 9 = 2.2 is what N loses
        (np.array([[2.0, 0.0], [4.0, 0.0]]), np.array([90, 10]), 0.0),
        (rng.normal(size=(12, 4)) * 3, np.array([900, 30, 60, 10]), 1.0),
        (rng.normal(size=(12, 4)) * 3, np.array([900, 30, 60, 10]), 0.5),
        (rng.normal(size=(12, 3)) * 2, np.array([50, 700, 250]), -0.5),
        (rng.normal(size=(30, 4)) * 2, np.array([700, 100, 150, 50]), 0.75),
    ],
    mistakes=[
        (
            lambda logits, counts, tau: np.argmax(logits, axis=1),
            "Nothing is adjusted: subtract tau times the logarithm of the shares first.",
        ),
        (
            lambda logits, counts, tau: np.argmax(logits + tau * np.log(counts), axis=1),
            "The sign is wrong: you made the frequent class even more likely. Subtract.",
        ),
        (
            lambda logits, counts, tau: np.argmax(logits - tau * counts / counts.sum(), axis=1),
            "The logarithm is missing: dividing probabilities is subtracting logarithms.",
        ),
        (
            lambda logits, counts, tau: np.argmax(logits / (counts / counts.sum()) ** tau, axis=1),
            "You divided the logits by the shares. Probabilities are divided; of logits, the logarithm is subtracted.",
        ),
        (
            lambda logits, counts, tau: np.argmax(logits - np.log(counts), axis=1),
            "tau is not used: it scales the logarithm.",
        ),
        (
            lambda logits, counts, tau: np.argmax(logits - tau * np.log10(counts), axis=1),
            "You took the logarithm to base 10. Logits are natural logarithms: np.log.",
        ),
        (
            lambda logits, counts, tau: np.argmax(logits - tau * np.log2(counts), axis=1),
            "You took the logarithm to base 2. Logits are natural logarithms: np.log.",
        ),
        (
            lambda logits, counts, tau: np.argmax(logits - tau * np.log(counts), axis=0),
            "You took the largest of each column. The classes of a beat stand in its row: axis=1.",
        ),
        (
            lambda logits, counts, tau: logits - tau * np.log(counts / counts.sum()),
            "Those are the adjusted logits, and they are right. Return the class with the largest in each row.",
        ),
    ],
    hints=[
        "The shares are counts / counts.sum(). (A constant in all logits changes no argmax, so counts will do.)",
        "np.argmax(logits - tau * np.log(shares), axis=1)",
    ],
)
def adjusted_calls(logits, counts, tau):
    shares = counts / counts.sum()
    return np.argmax(logits - tau * np.log(shares), axis=1)


@exercise(
    task="Return one weight for each beat, so that all classes are drawn equally often; the weights sum to 1.",
    cases=lambda rng: [
        (np.array([0, 0, 0, 1]),),  # 1/6, 1/6, 1/6 and 1/2
        (np.array([2, 0, 0, 1, 0, 0, 2, 0]),),
        (rng.permutation(np.repeat([0, 1, 2, 3], [40, 5, 8, 2])),),
    ],
    mistakes=[
        (
            lambda labels: 1 / np.bincount(labels)[labels],
            "The proportions are right. Divide by the number of classes, so that the weights sum to 1.",
        ),
        (
            lambda labels: len(labels) / np.bincount(labels)[labels],
            "The proportions are right: one over the share. Divide by the sum of all weights, so that they sum to 1.",
        ),
        (
            lambda labels: len(labels) / (len(np.unique(labels)) * np.bincount(labels)[labels]),
            "The proportions are right, with a mean of 1. Divide by the number of beats, so that the weights sum to 1.",
        ),
        (
            lambda labels: 1 / (4 * np.bincount(labels)[labels]),
            "The proportions are right. There need not be four classes: divide by the sum of all weights instead.",
        ),
        (
            lambda labels: np.full(len(labels), 1 / len(labels)),
            "All beats are equally likely: then N is drawn as often as it occurs. A rare class needs a larger weight.",
        ),
        (
            lambda labels: np.bincount(labels)[labels] / np.sum(np.bincount(labels)[labels]),
            "You gave the frequent class the larger weight. Divide by the count, do not multiply.",
        ),
        (
            lambda labels: 1 / np.bincount(labels) / np.sum(1 / np.bincount(labels)),
            "Those are weights of the classes. Return one for each beat: index them with the labels.",
        ),
        (
            lambda labels: np.bincount(labels)[labels] ** -0.5 / np.sum(np.bincount(labels)[labels] ** -0.5),
            "You took the root of the counts: the classes come closer, but are not drawn equally often.",
        ),
        (
            lambda labels: (
                (1 - np.bincount(labels)[labels] / len(labels)) / np.sum(1 - np.bincount(labels)[labels] / len(labels))
            ),
            "You took 1 minus the share. Classes of 1 % and of 10 % then weigh nearly the same: divide by the count.",
        ),
    ],
    hints=[
        "counts = np.bincount(labels); counts[labels] is for each beat the size of its class.",
        "Each class should get 1 / K of the chance, shared by its beats: 1 / (K * counts[labels]).",
    ],
)
def sampling_weights(labels):
    counts = np.bincount(labels)
    weights = 1 / counts[labels]
    return weights / weights.sum()


def _pairs(confusion, *, out_of_s=("Q",), out_of_v=("F", "Q"), swap_axes=False, out_of_rows=False):
    """Return the four numbers with other rows left out of the two predictive values."""
    table = confusion.T if swap_axes else confusion
    place = {name: k for k, name in enumerate("NSVFQ")}
    scores = []
    for k, left_out in ((1, out_of_s), (2, out_of_v)):
        gone = [place[name] for name in left_out]
        row, column = table[k], np.delete(table[:, k], gone)
        scores += [table[k, k] / (np.delete(row, gone) if out_of_rows else row).sum(), table[k, k] / column.sum()]
    return tuple(float(score) for score in scores)


@exercise(
    task="Return (SVEB sensitivity, SVEB PPV, VEB sensitivity, VEB PPV) by EC57 from a 5 x 5 matrix, N S V F Q.",
    cases=lambda rng: [
        (np.array([[900, 20, 10, 5, 1], [8, 30, 4, 2, 1], [5, 3, 80, 6, 2], [7, 1, 12, 9, 3], [2, 4, 5, 1, 3]]),),
        (
            np.array(
                [
                    [44000, 900, 300, 40, 2],
                    [700, 1000, 120, 5, 3],
                    [200, 150, 2800, 50, 9],
                    [60, 4, 300, 20, 1],
                    [3, 1, 2, 0, 1],
                ]
            ),
        ),
        (rng.integers(1, 60, size=(5, 5)),),
    ],
    mistakes=[
        (
            lambda confusion: _pairs(confusion, out_of_s=(), out_of_v=()),
            "You took the whole columns. By EC57 F and Q called V, and Q called S, count neither way: leave them out.",
        ),
        (
            lambda confusion: _pairs(confusion, out_of_s=("F", "Q")),
            "A fusion beat called S is a false SVEB: F_s counts. Only Q_s is left out there.",
        ),
        (
            lambda confusion: _pairs(confusion, out_of_v=("Q",)),
            "A fusion beat called V is not held against the detector: leave F_v out of the VEB's PPV, too.",
        ),
        (
            lambda confusion: _pairs(confusion, out_of_s=()),
            "The VEB's pair is right. In the SVEB's PPV leave out Q_s, the unclassifiable beats called S.",
        ),
        (
            lambda confusion: (
                *_pairs(confusion)[:3],
                float((confusion[2, 2] + confusion[3, 2]) / confusion[:4, 2].sum()),
            ),
            "You praised the fusion beats called V as hits. They count neither way: leave F_v out above and below.",
        ),
        (
            lambda confusion: _pairs(confusion, out_of_rows=True),
            "You left F and Q out of the rows as well. A VEB called F is missed: sensitivity takes the whole row.",
        ),
        (
            lambda confusion: _pairs(confusion[:4, :4], out_of_s=(), out_of_v=()),
            "You left Q out everywhere, and nothing else. The rows count whole; F_v is left out of the VEB's PPV, too.",
        ),
        (
            lambda confusion: _pairs(confusion[:4, :4], out_of_s=(), out_of_v=("F",)),
            "The two PPV are right. A beat called Q is missed: sensitivity takes the whole row.",
        ),
        (
            lambda confusion: _pairs(confusion, out_of_s=(), out_of_v=(), swap_axes=True),
            "Rows and columns are exchanged: sensitivity divides by the row, the truth; PPV by the column, the calls.",
        ),
        (
            lambda confusion: tuple(_pairs(confusion)[i] for i in (2, 3, 0, 1)),
            "The numbers are right and the pairs exchanged: SVEB first, then VEB.",
        ),
        (
            lambda confusion: tuple(_pairs(confusion)[i] for i in (1, 0, 3, 2)),
            "The numbers are right; in each pair the sensitivity comes first.",
        ),
    ],
    hints=[
        "S has index 1, V index 2. Sensitivity: confusion[k, k] / confusion[k].sum().",
        "PPV of V: the column of V without the rows of F and Q, confusion[:3, 2].",
        "PPV of S: the column of S without the row of Q, confusion[:4, 1].",
    ],
)
def aami_scores(confusion):
    s_found, v_found = confusion[1, 1], confusion[2, 2]
    return (
        s_found / confusion[1].sum(),
        s_found / confusion[:4, 1].sum(),  # N, S, V and F; without Q
        v_found / confusion[2].sum(),
        v_found / confusion[:3, 2].sum(),  # N, S and V; without F and Q
    )


@exercise(
    task="Return the number of beats with label 0 and another call, divided by the hours of all records together.",
    cases=lambda rng: [
        (np.array([0, 0, 0, 1, 2]), np.array([0, 1, 2, 1, 0]), {"ann": 0.5, "bob": 1.5}),  # 2 in 2 hours
        (np.array([0, 0, 3, 0, 1]), np.array([2, 0, 2, 3, 2]), {"ann": 0.25}),
        (rng.integers(0, 4, size=60), rng.integers(0, 4, size=60), {"ann": 0.5, "bob": 0.1, "cem": 2.0}),
    ],
    mistakes=[
        (
            lambda labels, calls, hours: np.sum(labels != calls) / sum(hours.values()),
            "You counted all errors. A false alarm is a normal beat (label 0) that is called something else.",
        ),
        (
            lambda labels, calls, hours: np.sum(calls != 0) / sum(hours.values()),
            "You counted all alarms, the true ones too. Only those at normal beats (label 0) are false.",
        ),
        (
            lambda labels, calls, hours: np.sum((labels != 0) & (calls == 0)) / sum(hours.values()),
            "Those are the missed beats. A false alarm has label 0 and a call that is not 0.",
        ),
        (
            lambda labels, calls, hours: np.mean((labels == 0) & (calls != 0)),
            "That is a share of beats. Divide the number of false alarms by the hours.",
        ),
        (
            lambda labels, calls, hours: np.mean([np.sum((labels == 0) & (calls != 0)) / h for h in hours.values()]),
            "You divided all false alarms by each patient's hours and took the mean. Add the hours up first.",
        ),
        (
            lambda labels, calls, hours: np.sum((labels == 0) & (calls != 0)) / len(hours),
            "You divided by the number of patients. Divide by their hours, added up.",
        ),
        (
            lambda labels, calls, hours: np.sum((labels == 0) & (calls != 0)),
            "That is the number of false alarms. Divide it by the hours.",
        ),
        (
            lambda labels, calls, hours: np.sum((labels == 0) & (calls != 0)) / np.mean(list(hours.values())),
            "You divided by the mean length of a record. The alarms come from all of them: add the hours up.",
        ),
    ],
    hints=[
        "(labels == 0) & (calls != 0) is True at each false alarm; np.sum counts them.",
        "sum(hours.values()) are the hours of all records.",
    ],
)
def alarms_per_hour(labels, calls, hours):
    false_alarms = np.sum((labels == 0) & (calls != 0))
    return false_alarms / sum(hours.values())
