"""Exercises of lesson 07b, Find the nodules: how good is a detector?: marks, FROC, specificity, readers, a day."""

import numpy as np

from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise


def _labels_with(*, reach=0.5, axes=slice(None), best=True, nearest=False, extra="duplicate", edge=False):
    """Return a mistaken labelling: another reach, a distance in the slice, the first mark instead of the best..."""

    def mistaken(nodules_mm, diameters_mm, marks_mm, scores):
        kinds = ["false"] * len(scores)
        for centre, diameter in zip(nodules_mm, diameters_mm, strict=True):
            away = np.linalg.norm((marks_mm - centre)[:, axes], axis=1)
            hits = np.flatnonzero(away <= reach * diameter if edge else away < reach * diameter)
            if len(hits):
                winner = hits[np.argmax(scores[hits])] if best else hits[0]
                winner = hits[np.argmin(away[hits])] if nearest else winner
                for hit in hits:
                    kinds[hit] = "true" if hit == winner else extra
        return kinds

    return mistaken


def _marked_scan(rng):
    """Return a scan of four nodules with marks on, in, beside and far from them."""
    nodules = np.array([[0.0, 0, 0], [60, 0, 0], [0, 60, 0], [60, 60, 40]])
    diameters = np.array([8.0, 20.0, 12.0, 6.0])
    away = np.array([0.3, 0.7, 0.2, 0.8, 1.4, 0.4, 1.7, 3.0])
    owners = np.array([0, 0, 1, 1, 1, 2, 2, 3])
    directions = rng.normal(size=(8, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    marks = nodules[owners] + (away * diameters[owners] / 2)[:, np.newaxis] * directions
    return nodules, diameters, marks, rng.permutation(np.linspace(0.2, 0.9, 8))


def _text_list(result, expected):
    """Compare words, in a list, a tuple or an array."""
    words = [str(word) for word in result] if isinstance(result, (tuple, np.ndarray)) else result
    return same(words, expected)


@exercise(
    task='Return a list with "true", "duplicate" or "false" for each mark of one scan.',
    cases=lambda rng: [
        (
            np.array([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0]]),
            np.array([10.0, 6.0]),
            np.array([[0.0, 4, 0], [0, 0, 2], [3, 0, 0], [0, 3, 4], [30, 0, 4], [30, 1, 1]]),
            np.array([0.65, 0.6, 0.9, 0.7, 0.8, 0.5]),
        ),
        _marked_scan(rng),
        (np.zeros((0, 3)), np.zeros(0), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([0.4, 0.8])),
    ],
    mistakes=[
        (_labels_with(reach=1.0), "You compared the distance with the diameter. A hit is nearer than the RADIUS."),
        (_labels_with(edge=True), "A mark at exactly the radius is no hit: the challenge asks for less than it."),
        (_labels_with(best=False), "The first mark in the list counts for you. The one with the best score counts."),
        (_labels_with(nearest=True), "The nearest mark counts for you. The one with the best score counts."),
        (_labels_with(extra="false"), "A second mark on a nodule is no false alarm: it is a duplicate."),
        (_labels_with(extra="true"), "Each nodule is found once: one of its marks is true, the others are duplicates."),
        (_labels_with(axes=slice(0, 2)), "You left out z. A mark two slices above the nodule is not on it."),
    ],
    compare=_text_list,
    hints=[
        'Begin with "false" for every mark. Then go through the nodules and change the marks that hit.',
        "np.linalg.norm(marks_mm - centre, axis=1) < diameter / 2 says which marks hit. The best of them is true.",
        "hits = np.flatnonzero(...); the best one is hits[np.argmax(scores[hits])], if there are any.",
    ],
)
def label_marks(nodules_mm, diameters_mm, marks_mm, scores):
    kinds = ["false"] * len(scores)
    for centre, diameter in zip(nodules_mm, diameters_mm, strict=True):
        hits = np.flatnonzero(np.linalg.norm(marks_mm - centre, axis=1) < diameter / 2)
        for hit in hits:
            best = hit == hits[np.argmax(scores[hits])]
            kinds[hit] = "true" if best else "duplicate"
    return kinds


def _froc_with(*, strict=False, false=("false",), true=("true",), keep=lambda scan: True, per_scan=False):
    """Return a mistaken FROC point: other kinds counted, other scans, a mean of shares."""

    def mistaken(scans, threshold):
        kept = [scan for scan in scans if keep(scan)]
        counts = []
        for kinds, scores, num_nodules in kept:
            chosen = scores > threshold if strict else scores >= threshold
            counts.append([sum(k in kinds_ for k in kinds[chosen]) for kinds_ in (false, true)] + [num_nodules])
        alarms, found, nodules = np.array(counts).T
        if per_scan:
            return alarms.mean(), np.mean(found[nodules > 0] / nodules[nodules > 0])
        return alarms.sum() / len(kept), found.sum() / nodules.sum()

    return mistaken


def _froc_case(rng):
    kinds = np.array(["true", "false", "false", "duplicate", "ignored"])
    scans = []
    for num_nodules in (3, 0, 1, 5, 0, 2):
        found = np.array(["true"] * min(num_nodules, 2) + list(rng.choice(kinds[1:], 6)))
        scans.append((found, rng.integers(1, 10, size=len(found)) / 10, num_nodules))
    return scans, 0.5


def _toy_scans():
    one = (np.array(["true", "false", "true", "duplicate", "false"]), np.array([0.9, 0.8, 0.6, 0.5, 0.3]), 3)
    two = (np.array(["false", "ignored"]), np.array([0.7, 0.6]), 0)
    return [one, two]


@exercise(
    task="Return (false positives per scan, sensitivity) where marks with score >= threshold are shown.",
    cases=lambda rng: [
        (_toy_scans(), 0.6),
        (_toy_scans(), 0.8),  # nothing is shown in the second scan
        (_toy_scans(), 0.3),
        _froc_case(rng),
        (_froc_case(rng)[0], 0.2),
    ],
    mistakes=[
        (_froc_with(strict=True), "A mark whose score equals the threshold is shown: score >= threshold."),
        (
            _froc_with(false=("false", "duplicate")),
            "You counted duplicates as false positives. They are neither: the nodule is there.",
        ),
        (_froc_with(false=("false", "ignored")), "Marks on findings to be ignored are neither true nor false."),
        (
            _froc_with(false=("false", "duplicate", "ignored")),
            "You counted every mark that is not true as false. Duplicates and ignored ones are neither.",
        ),
        (_froc_with(true=("true", "duplicate")), "A nodule that is marked twice is found once: leave out duplicates."),
        (
            _froc_with(keep=lambda scan: scan[2] > 0),
            "You left out the scans without a nodule. Their false alarms count: most people have no nodule.",
        ),
        (
            lambda scans, threshold: _froc_with(
                keep=lambda scan: scan[2] > 0 or np.any(scan[1] >= threshold)
            )(scans, threshold),
            "You left out scans in which nothing is shown. A scan without a mark counts as a scan.",
        ),
        (
            _froc_with(per_scan=True),
            "You took the mean of the scans' sensitivities. Add up first: found nodules over all nodules.",
        ),
        (
            lambda scans, threshold: _froc_with()(scans, threshold)[::-1],
            "Both are right, in the wrong order: the false positives per scan first.",
        ),
        (
            lambda scans, threshold: (
                _froc_with()(scans, threshold)[0] * len(scans),
                _froc_with()(scans, threshold)[1],
            ),
            "That is the number of false positives in all scans. Divide by the number of scans.",
        ),
        (
            lambda scans, threshold: (
                _froc_with()(scans, threshold)[0],
                np.sum([np.sum((k == "true") & (s >= threshold)) for k, s, _ in scans])
                / np.sum([np.sum(k == "true") for k, s, _ in scans]),
            ),
            "You divided by the nodules with a mark. Those that no mark ever hit are nodules, too: use num_nodules.",
        ),
    ],
    hints=[
        "kinds[scores >= threshold] are the marks of a scan that are shown. Count its 'true' and its 'false'.",
        "Add up over the scans. Divide the false by len(scans), the true by the sum of num_nodules.",
    ],
)
def froc_point(scans, threshold):
    alarms = sum(np.sum(kinds[scores >= threshold] == "false") for kinds, scores, _ in scans)
    found = sum(np.sum(kinds[scores >= threshold] == "true") for kinds, scores, _ in scans)
    return alarms / len(scans), found / sum(num_nodules for _, _, num_nodules in scans)


def _per_scan_counts(rng):
    nodules = rng.integers(0, 7, size=12)
    return rng.binomial(nodules, 0.7), nodules, rng.integers(12, size=12)


@exercise(
    task="Return the sensitivity of one resample of scans; a scan drawn twice counts twice.",
    cases=lambda rng: [
        (np.array([1, 4, 0]), np.array([1, 8, 1]), np.array([0, 1, 1])),
        _per_scan_counts(rng),
        _per_scan_counts(rng),
        (np.array([0, 3, 2, 1]), np.array([0, 5, 2, 4]), np.array([0, 3, 3, 1])),
    ],
    mistakes=[
        (
            lambda found, nodules, drawn: np.mean((found / np.maximum(nodules, 1))[drawn]),
            "That is the mean of the scans' sensitivities: a scan with one nodule weighs as much as one with eight.",
        ),
        (
            lambda found, nodules, drawn: found[np.unique(drawn)].sum() / nodules[np.unique(drawn)].sum(),
            "A scan that was drawn twice came once. Index with `drawn` as it is.",
        ),
        (
            lambda found, nodules, drawn: found[drawn].sum() / nodules.sum(),
            "You divided by the nodules of the study. Divide by those of the scans that were drawn.",
        ),
        (
            lambda found, nodules, drawn: found.sum() / nodules.sum(),
            "That is the sensitivity of the study. Take the scans in `drawn`.",
        ),
        (
            lambda found, nodules, drawn: found[drawn].sum() / len(drawn),
            "You divided by the number of scans. The sensitivity is a share of nodules.",
        ),
    ],
    hints=[
        "found[drawn] has one entry for each draw: a scan that was drawn twice is in it twice.",
        "Add up first, divide then.",
    ],
)
def resampled_sensitivity(found, nodules, drawn):
    return found[drawn].sum() / nodules[drawn].sum()


@exercise(
    task="Return the specificity that leaves `rate` false positives per scan.",
    cases=lambda rng: [(100, 3, 4), (1000, 2, 1), (40, 5, 0.125), (25000, 3, 8)],
    mistakes=[
        (
            lambda places, nodules, rate: rate / (places - nodules),
            "That is the share of the wrong places that is marked: the false positive rate. Take it from 1.",
        ),
        (
            lambda places, nodules, rate: 1 - rate / places,
            "You divided by all places. Only those without a nodule can be false positives.",
        ),
        (lambda places, nodules, rate: 1 - rate, "You took false positives per SCAN for a share of places."),
        (
            lambda places, nodules, rate: 1 - nodules / places,
            "That is the share of places without a nodule. How many of them may be marked?",
        ),
        (
            lambda places, nodules, rate: 100 * (1 - rate / (places - nodules)),
            "That is in per cent. Return a share between 0 and 1.",
        ),
        (
            lambda places, nodules, rate: 1 - rate * (places - nodules) / places**2,
            "You divided once too often: false positives per scan = (1 - specificity) * places without a nodule.",
        ),
    ],
    hints=[
        "Each of the places without a nodule is marked with probability 1 - specificity. How many marks is that?",
        "(1 - specificity) * (places - nodules) = rate.",
    ],
)
def specificity_needed(places, nodules, rate):
    return 1 - rate / (places - nodules)


def _readers_with(*, strict=False, whole=False):
    """Return a mistaken sensitivity of one reader: another number of the others, or another denominator."""

    def mistaken(marked_by, least):
        asked = found = 0.0
        for r in marked_by:
            seen, unseen = r / 4, 1 - r / 4  # by this reader
            enough = (lambda n: n > least) if strict else (lambda n: n >= least)
            found += seen * enough(r - 1)
            asked += seen * enough(r - 1) + unseen * enough(r)
        return found / len(marked_by) if whole else found / asked

    return mistaken


@exercise(
    task="Return the expected sensitivity of one of the four readers against `least` or more of the other three.",
    cases=lambda rng: [
        (np.array([4, 2]), 2),
        (np.array([1, 1, 2, 3, 4, 4]), 1),
        (rng.integers(1, 5, size=40), 2),
        (rng.integers(1, 5, size=40), 1),
    ],
    mistakes=[
        (
            _readers_with(whole=True),
            "You divided by all nodules. Divide by those that the other three make true.",
        ),
        (
            _readers_with(strict=True),
            "`least` readers or more make it true: >=, not >.",
        ),
        (
            lambda marked_by, least: np.mean(marked_by / 4),
            "That is the share of all marked nodules that a reader marks, whatever the others say.",
        ),
        (
            lambda marked_by, least: np.mean(marked_by >= least),
            "That is the share of nodules that `least` of the four marked. Hold one reader against the other three.",
        ),
        (
            lambda marked_by, least: np.mean(marked_by[marked_by >= least] / 4),
            "The reader's own mark is in the truth that they are held against. Only the other three make it.",
        ),
    ],
    hints=[
        "Pick one of the four at random. A nodule that r of 4 marked is theirs with probability r / 4.",
        "If they marked it, r - 1 of the others did; if not, r of the others did. In which cases is it true?",
        "found = sum of r/4 where r - 1 >= least; asked = the same, plus the sum of 1 - r/4 where r >= least.",
    ],
)
def reader_sensitivity(marked_by, least):
    r = np.asarray(marked_by)
    found = np.sum(r / 4 * (r - 1 >= least))
    missed = np.sum((1 - r / 4) * (r >= least))
    return found / (found + missed)


@exercise(
    task="Return the share of marks that another reader, picked at random, has made too.",
    cases=lambda rng: [(np.array([4, 1]),), (np.array([1, 2, 3, 4, 4, 2]),), (rng.integers(1, 5, size=30),)],
    mistakes=[
        (
            lambda marked_by: np.mean(marked_by == 4),
            "That is the share of nodules that all four marked. Compare two readers at a time.",
        ),
        (
            lambda marked_by: np.mean(marked_by * (marked_by - 1) / 12),
            "That is the share of pairs in which BOTH marked. Leave out pairs in which neither did.",
        ),
        (
            lambda marked_by: np.sum(marked_by * (marked_by - 1)) / (4 * np.sum(marked_by)),
            "Each reader has three others, not four.",
        ),
        (
            lambda marked_by: np.mean((marked_by - 1) / 3),
            "Each NODULE counts once for you. Each MARK counts: a nodule with four marks comes four times.",
        ),
        (
            lambda marked_by: (
                np.sum(marked_by * (marked_by - 1))
                / np.sum(marked_by * (marked_by - 1) + 2 * marked_by * (4 - marked_by))
            ),
            "That is the share of pairs that agree, of those with a mark (Jaccard's index). Count marks, not pairs.",
        ),
    ],
    hints=[
        "A nodule that r readers marked has r marks. Each of them is shared with r - 1 of the 3 other readers.",
        "Sum of r (r - 1) / 3 over the nodules, divided by the sum of r.",
    ],
)
def positive_agreement(marked_by):
    r = np.asarray(marked_by)
    return np.sum(r * (r - 1) / 3) / np.sum(r)


def _day_with(*, alarm=lambda rate: 1 - np.exp(-rate), healthy=lambda p: 1 - p):
    def mistaken(num_scans, prevalence, sensitivity, rate):
        return num_scans * prevalence * sensitivity, num_scans * healthy(prevalence) * alarm(rate)

    return mistaken


@exercise(
    task="Return two expected counts: people with cancer whose cancer is marked, people without it and a false mark.",
    cases=lambda rng: [(100, 0.01, 0.9, 1.0), (250, 0.02, 0.8, 0.25), (1000, 0.005, 0.95, 4.0), (100, 0.3, 0.7, 0.125)],
    mistakes=[
        (
            _day_with(alarm=lambda rate: rate),
            "Those are false MARKS. Somebody with three of them is one person: how many have at least one?",
        ),
        (
            _day_with(alarm=lambda rate: min(rate, 1.0)),
            "At one false mark a scan, some have two or three and others none. Use the Poisson probability of none.",
        ),
        (
            _day_with(alarm=lambda rate: np.exp(-rate)),
            "exp(-rate) is the probability of NO false mark. Take it from 1.",
        ),
        (_day_with(healthy=lambda p: 1.0), "People with cancer are not among those without it: (1 - prevalence)."),
        (
            _day_with(alarm=lambda rate: rate * np.exp(-rate)),
            "That is the probability of exactly one false mark. Two or more disturb as well.",
        ),
        (
            lambda num_scans, prevalence, sensitivity, rate: _day_with()(num_scans, prevalence, sensitivity, rate)[
                ::-1
            ],
            "Both are right, in the wrong order: those with cancer first.",
        ),
        (
            lambda num_scans, prevalence, sensitivity, rate: (
                num_scans * sensitivity,
                num_scans * (1 - prevalence) * (1 - np.exp(-rate)),
            ),
            "Only a share `prevalence` of the people scanned has cancer.",
        ),
    ],
    hints=[
        "If false marks fall on a scan with mean `rate`, independently, their number is Poisson: P(none) = exp(-rate).",
        "num_scans * prevalence * sensitivity, and num_scans * (1 - prevalence) * (1 - exp(-rate)).",
    ],
)
def marked_people(num_scans, prevalence, sensitivity, rate):
    with_cancer = num_scans * prevalence * sensitivity
    without = num_scans * (1 - prevalence) * (1 - np.exp(-rate))
    return with_cancer, without
