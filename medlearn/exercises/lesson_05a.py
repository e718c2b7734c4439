"""Exercises of lesson 05a, Scores and thresholds: each solution, and the usual mistakes as running code."""

import numpy as np

from medlearn.exercises.engine import exercise


def _counts(labels, called):
    """Return TP, FP, FN, TN of boolean calls."""
    ill = labels == 1
    return tuple(int(np.sum(cell)) for cell in (ill & called, ~ill & called, ill & ~called, ~ill & ~called))


def _reordered(*places):
    """Return a mistaken count with the four numbers in another order."""
    return lambda labels, predictions: tuple(_counts(labels, predictions == 1)[place] for place in places)


def _calls(rng):
    """Return labels and 0/1 predictions: ten people to count by hand, nobody called ill, and many."""
    labels = (rng.random(60) < 0.3).astype(int)
    predictions = np.where(rng.random(60) < 0.75, labels, (rng.random(60) < 0.8).astype(int))
    ten = np.array([1, 1, 0, 0, 1, 0, 1, 0, 0, 0]), np.array([1, 1, 0, 1, 0, 0, 1, 1, 0, 0])  # TP 3, FP 2, FN 1, TN 4
    return [ten, (np.array([0, 1, 0, 1, 0]), np.zeros(5, dtype=int)), (labels, predictions)]


@exercise(
    task="Return the four counts TP, FP, FN, TN of 0/1 labels and 0/1 predictions, as integers, in that order.",
    cases=_calls,
    mistakes=[
        (
            _reordered(3, 1, 2, 0),
            "That is scikit-learn's order: TN, FP, FN, TP. Asked for is TP, FP, FN, TN.",
        ),
        (
            _reordered(0, 2, 1, 3),
            "FP and FN are swapped. A false positive is called ill (prediction 1) and is healthy (label 0).",
        ),
        (
            _reordered(0, 1, 3, 2),
            "TN and FN are swapped: FN comes third, TN last.",
        ),
        (
            lambda labels, predictions: np.reshape(_reordered(3, 1, 2, 0)(labels, predictions), (2, 2)),
            "That is scikit-learn's table. Take the four counts out of it, in the order TP, FP, FN, TN.",
        ),
        (
            lambda labels, predictions: tuple(count / len(labels) for count in _counts(labels, predictions == 1)),
            "Those are shares of all people. Return the counts: do not divide.",
        ),
        (
            lambda labels, predictions: (
                int(np.sum(predictions == 1)),
                *_counts(labels, predictions == 1)[1:3],
                int(np.sum(predictions == 0)),
            ),
            "TP holds everybody who is called ill, and TN everybody who is called healthy. Only those who really"
            " are count as true.",
        ),
        (
            lambda labels, predictions: (
                int(np.sum(labels == 1)),
                *_counts(labels, predictions == 1)[1:3],
                int(np.sum(labels == 0)),
            ),
            "TP holds everybody who is ill, and TN everybody who is healthy. Only those who are also called so count.",
        ),
    ],
    hints=[
        "Each count is the number of people for whom two statements hold, such as: ill and called ill.",
        "np.sum((labels == 1) & (predictions == 1)) counts the true positives. The other three differ in a digit.",
    ],
)
def confusion_counts(labels, predictions):
    tp = np.sum((labels == 1) & (predictions == 1))
    fp = np.sum((labels == 0) & (predictions == 1))
    fn = np.sum((labels == 1) & (predictions == 0))
    tn = np.sum((labels == 0) & (predictions == 0))
    return int(tp), int(fp), int(fn), int(tn)


def _cheapest_with(*, cost=None, call=np.greater_equal, candidates=None, last=False, answer=None):
    """Return a mistaken search: another cost, comparison, candidates, winner of a tie, or answer(tried, sums)."""
    cost = cost or (lambda fp, fn, cost_fp, cost_fn, labels: cost_fp * fp + cost_fn * fn)
    candidates = candidates or (lambda p: np.append(np.unique(p), np.inf))

    def mistaken(labels, probabilities, cost_fp, cost_fn):
        tried = candidates(probabilities)
        sums = []
        for threshold in tried:
            _, fp, fn, _ = _counts(labels, call(probabilities, threshold))
            sums.append(cost(fp, fn, cost_fp, cost_fn, labels))
        if answer is not None:
            return answer(tried, sums)
        return tried[len(sums) - 1 - np.argmin(sums[::-1])] if last else tried[np.argmin(sums)]

    return mistaken


def _priced_patients(rng):
    """Return labels, rough probabilities and both prices: ties, nobody called, everybody called, and 40 patients."""
    chance = rng.beta(1, 2, size=40)
    labels = (rng.random(40) < chance).astype(int)
    rounded = np.round(np.clip(chance + rng.normal(0, 0.1, 40), 0.01, 0.99), 2)
    return [
        (np.array([1, 0, 1, 0, 0, 0]), np.array([0.6, 0.2, 0.3, 0.4, 0.1, 0.6]), 2.0, 2.0),
        (np.array([1, 0, 0, 1, 0, 0]), np.array([0.2, 0.9, 0.5, 0.6, 0.7, 0.3]), 5.0, 1.0),
        (np.array([1, 0, 1, 0, 1]), np.array([0.5, 0.4, 0.3, 0.7, 0.9]), 1.0, 20.0),
        (labels, rounded, 1.0, 8.0),
        (labels, rounded, 3.0, 1.0),
    ]


@exercise(
    task="Return the threshold t at which calling `probabilities >= t` ill costs least on these patients. Candidates"
    " are the distinct probabilities and np.inf (nobody is called); of equally cheap ones, the smallest.",
    cases=_priced_patients,
    mistakes=[
        (
            _cheapest_with(cost=lambda fp, fn, a, b, labels: b * fp + a * fn),
            "The prices are swapped: cost_fp belongs to a healthy person who is called ill.",
        ),
        (
            _cheapest_with(call=np.greater),
            "You called p > t. A patient exactly at the threshold is called ill too: use >=.",
        ),
        (
            _cheapest_with(candidates=np.unique),
            "One candidate is missing: np.inf, where nobody is called ill. With dear false alarms it can be cheapest.",
        ),
        (
            _cheapest_with(candidates=lambda p: np.append(p, np.inf)),
            "The candidates stand in the order of the file, so of equally cheap ones the first patient's won. Sort"
            " them: np.unique does.",
        ),
        (
            _cheapest_with(candidates=lambda p: np.concatenate([[0], np.unique(p), [np.inf]])),
            "0 is not a candidate. The lowest probability as threshold calls everybody too.",
        ),
        (
            _cheapest_with(candidates=lambda p: np.append(np.unique(p), 1.0)),
            "The last candidate is 1. Asked for is np.inf: a patient with probability 1 would be called at 1.",
        ),
        (
            _cheapest_with(cost=lambda fp, fn, a, b, labels: fp + fn),
            "You counted errors, so both cost the same. Multiply each kind of error by its price.",
        ),
        (
            _cheapest_with(
                cost=lambda fp, fn, a, b, labels: a * fp / np.sum(labels == 0) + b * fn / np.sum(labels == 1)
            ),
            "You added rates. A price is paid for every person, so multiply it by the count: else the rare class weighs"
            " too much.",
        ),
        (
            _cheapest_with(last=True),
            "Of equally cheap thresholds you took the largest; asked for is the smallest.",
        ),
        (
            _cheapest_with(answer=lambda tried, sums: np.min(sums)),
            "That is the lowest cost. Asked for is the threshold at which it is reached.",
        ),
        (
            _cheapest_with(answer=lambda tried, sums: np.argmin(sums)),
            "That is the place of the cheapest threshold in the list. Return the threshold that stands there.",
        ),
        (
            _cheapest_with(candidates=lambda p: np.linspace(0, 1, 101)),
            "You tried a grid from 0 to 1. Candidates are the probabilities that came, and np.inf.",
        ),
        (
            lambda labels, probabilities, cost_fp, cost_fn: cost_fp / (cost_fp + cost_fn),
            "That is the best threshold for calibrated probabilities and many patients. Here, try every candidate on"
            " the patients that came.",
        ),
    ],
    hints=[
        "For one threshold: who is called ill? Count FP and FN among them, and add up what they cost.",
        "Put the costs of all candidates in a list. np.argmin gives the place of the first smallest.",
        "candidates = np.append(np.unique(probabilities), np.inf) is sorted, so the first smallest is the one asked"
        " for.",
    ],
)
def cheapest_threshold(labels, probabilities, cost_fp, cost_fn):
    candidates = np.append(np.unique(probabilities), np.inf)
    costs = []
    for threshold in candidates:
        called = probabilities >= threshold
        fp = np.sum(called & (labels == 0))
        fn = np.sum(~called & (labels == 1))
        costs.append(cost_fp * fp + cost_fn * fn)
    return candidates[np.argmin(costs)]


def _tied_scores(rng):
    """Return labels with unequal classes, and scores with ties within and across them; the last rank wrongly."""
    labels = np.array([1, 0, 1, 1, 0, 0, 0, 1])
    scores = np.array([0.9, 0.8, 0.8, 0.6, 0.6, 0.6, 0.3, 0.1])
    many = (rng.random(50) < 0.3).astype(int)
    return [(labels, scores), (many, np.round(rng.normal(size=50) + many, 1)), (many, rng.normal(size=50) - 2 * many)]


def _walk(labels, scores, *, one_by_one=False, call=np.greater_equal):
    """Return the counts FP and TP at every threshold from high to low, or after every single patient."""
    if one_by_one:
        ill = labels[np.argsort(-scores, kind="stable")] == 1
        return np.append(0, np.cumsum(~ill)), np.append(0, np.cumsum(ill))
    thresholds = np.append(np.inf, np.unique(scores)[::-1])
    called = call(scores, thresholds[:, np.newaxis])  # (n,) -> (thresholds, n)
    return called[:, labels == 0].sum(axis=1), called[:, labels == 1].sum(axis=1)


def _at(labels, scores, threshold):
    """Return the false positive rate and the sensitivity at one threshold."""
    return [np.mean(scores[labels == label] >= threshold) for label in (0, 1)]


def _points(labels, scores, **options):
    fp, tp = _walk(labels, scores, **options)
    return fp / np.sum(labels == 0), tp / np.sum(labels == 1)


@exercise(
    task="Return two arrays, the false positive rate and the sensitivity at every threshold from high to low: first"
    " (0, 0), then one point for each distinct score (called ill: score >= threshold).",
    cases=_tied_scores,
    mistakes=[
        (
            lambda labels, scores: _points(labels, scores, one_by_one=True),
            "Tied patients took their steps one after the other, so the curve depends on the order of the file. A"
            " threshold calls all of them at once: one point for each distinct score.",
        ),
        (
            lambda labels, scores: tuple(rate[1:] for rate in _points(labels, scores, one_by_one=True)),
            "One point for each patient came back. A threshold calls all tied patients at once: one point for each"
            " distinct score, and (0, 0) before them.",
        ),
        (
            lambda labels, scores: (1 - _points(labels, scores)[0], _points(labels, scores)[1]),
            "The first array is the specificity. The false positive rate is 1 - specificity: the share of the healthy"
            " who are called ill.",
        ),
        (
            lambda labels, scores: tuple(np.array([_at(labels, scores, t) for t in np.linspace(1, 0, 101)]).T),
            "You tried a grid from 1 to 0. Scores need not lie there: take the distinct scores as thresholds.",
        ),
        (
            lambda labels, scores: tuple(rate[1:] for rate in _points(labels, scores)),
            "The first point is missing. Above the highest score nobody is called ill: (0, 0).",
        ),
        (
            lambda labels, scores: tuple(rate[::-1] for rate in _points(labels, scores)),
            "The points run from (1, 1) to (0, 0). Begin with the highest threshold.",
        ),
        (
            lambda labels, scores: _points(labels, scores)[::-1],
            "The arrays are swapped: the false positive rate (x axis) comes first, then the sensitivity.",
        ),
        (
            lambda labels, scores: _points(labels, scores, call=np.greater),
            "The curve never reaches (1, 1): you called score > threshold. At the threshold itself is called ill: >=.",
        ),
        (
            lambda labels, scores: tuple(count / len(labels) for count in _walk(labels, scores)),
            "You divided by all patients. The false positive rate is a share of the healthy, the sensitivity one of"
            " the ill.",
        ),
    ],
    hints=[
        "Thresholds: np.unique(scores)[::-1] runs through the distinct scores from high to low.",
        "At each threshold, the sensitivity is the mean of scores[labels == 1] >= threshold. And of the healthy?",
        "Start the list of thresholds with np.inf: nobody is called, which gives (0, 0).",
    ],
)
def roc_points(labels, scores):
    thresholds = np.append(np.inf, np.unique(scores)[::-1])
    false_positive_rate = np.array([np.mean(scores[labels == 0] >= t) for t in thresholds])
    sensitivity = np.array([np.mean(scores[labels == 1] >= t) for t in thresholds])
    return false_positive_rate, sensitivity


def _later_pairs(labels, scores):
    """Return the mistaken share in which a pair counts only if the ill one stands before the healthy one."""
    pairs = [(i, j) for i in range(len(labels)) for j in range(i + 1, len(labels)) if labels[i] > labels[j]]
    won = sum(np.heaviside(scores[i] - scores[j], 0.5) for i, j in pairs)
    return won / (np.sum(labels == 1) * np.sum(labels == 0))


def _differences(labels, scores):
    """Return score of the ill minus score of the healthy, for each pair."""
    return scores[labels == 1][:, np.newaxis] - scores[labels == 0]


@exercise(
    task="Return the share of pairs (one ill, one healthy) in which the ill one has the higher score; a tie counts"
    " one half.",
    cases=_tied_scores,
    mistakes=[
        (
            lambda labels, scores: np.mean(_differences(labels, scores) > 0),
            "Ties count as wrong in your code. A tie counts one half.",
        ),
        (
            lambda labels, scores: np.mean(_differences(labels, scores) >= 0),
            "Ties count as right in your code. A tie counts one half.",
        ),
        (
            lambda labels, scores: 1 - np.mean(np.heaviside(_differences(labels, scores), 0.5)),
            "That is 1 - AUC: you counted the pairs in which the healthy one has the higher score.",
        ),
        (
            lambda labels, scores: 0.5 + abs(0.5 - np.mean(np.heaviside(_differences(labels, scores), 0.5))),
            "You took max(AUC, 1 - AUC). Scores that are the wrong way round have an AUC below 0.5: let it show.",
        ),
        (
            lambda labels, scores: np.sum(np.heaviside(_differences(labels, scores), 0.5)) / len(labels) ** 2,
            "You divided by all n * n pairs. Only pairs of one ill and one healthy patient count.",
        ),
        (
            lambda labels, scores: np.sum(np.heaviside(_differences(labels, scores), 0.5)),
            "That is the number of ordered pairs, Mann and Whitney's U. Divide it by the number of pairs.",
        ),
        (
            lambda labels, scores: np.mean(np.heaviside(_differences(labels, (scores >= 0.5) * 1.0), 0.5)),
            "You cut the scores at 0.5 first, and far more pairs are ties now. Compare the scores themselves.",
        ),
        (
            lambda labels, scores: (
                np.mean(_differences(labels, scores) > 0) / np.mean(_differences(labels, scores) != 0)
            ),
            "You left the ties out of the number of pairs. They count as pairs, with one half each.",
        ),
        (
            lambda labels, scores: np.mean(np.sign(_differences(labels, scores))),
            "That is right pairs less wrong pairs, from -1 to 1 (Somers' D). A wrong pair counts 0, a tie one half.",
        ),
        (
            _later_pairs,
            "Pairs are missing: every ill patient meets every healthy one, whoever comes first in the file.",
        ),
    ],
    hints=[
        "Take the scores of the ill and the scores of the healthy apart. How many pairs are there?",
        "ill[:, np.newaxis] - healthy holds the difference of each pair: positive, zero or negative.",
        "np.mean(difference > 0) + 0.5 * np.mean(difference == 0)",
    ],
)
def auc_by_pairs(labels, scores):
    difference = scores[labels == 1][:, np.newaxis] - scores[labels == 0]  # (ill, healthy)
    return np.mean(difference > 0) + 0.5 * np.mean(difference == 0)


@exercise(
    task="Return the probability that a person with a positive test is ill, from sensitivity, specificity and"
    " prevalence.",
    cases=lambda rng: [(0.9, 0.8, 0.5), (0.9, 0.9, 0.005), (0.6, 0.99, 0.02), tuple(rng.uniform(0.1, 0.9, size=3))],
    mistakes=[
        (
            lambda sensitivity, specificity, prevalence: sensitivity,
            "That is P(positive | ill). Asked for is P(ill | positive): the other way round.",
        ),
        (
            lambda sensitivity, specificity, prevalence: (
                sensitivity * prevalence / (sensitivity * prevalence + specificity * (1 - prevalence))
            ),
            "The healthy test positive with probability 1 - specificity, not with the specificity.",
        ),
        (
            lambda sensitivity, specificity, prevalence: sensitivity / (sensitivity + 1 - specificity),
            "The prevalence is missing: you gave the ill and the healthy the same weight. That is right at 50 % only.",
        ),
        (
            lambda sensitivity, specificity, prevalence: (
                specificity * (1 - prevalence) / (specificity * (1 - prevalence) + (1 - sensitivity) * prevalence)
            ),
            "That is the negative predictive value: P(healthy | negative).",
        ),
        (
            lambda sensitivity, specificity, prevalence: (
                sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
            ),
            "That is the share of all people who test positive. Which part of it is ill?",
        ),
        (
            lambda sensitivity, specificity, prevalence: sensitivity * prevalence,
            "That is the share of people who are ill and test positive. Divide it by the share who test positive.",
        ),
        (
            lambda sensitivity, specificity, prevalence: (
                sensitivity * prevalence / (sensitivity * prevalence + (1 - sensitivity) * (1 - prevalence))
            ),
            "1 - sensitivity is the share of the ill who are missed. How often do the healthy test positive?",
        ),
        (
            lambda sensitivity, specificity, prevalence: (
                sensitivity * prevalence / (sensitivity * prevalence + 1 - specificity)
            ),
            "1 - specificity is a share of the healthy only. Multiply it by the share of people who are healthy.",
        ),
        (
            lambda sensitivity, specificity, prevalence: (
                sensitivity * prevalence / ((1 - specificity) * (1 - prevalence))
            ),
            "Those are odds: ill to healthy among the positive. Divide by all who test positive, the ill too.",
        ),
    ],
    hints=[
        "Think of 1,000 people. How many are ill and test positive? How many are healthy and test positive?",
        "P(ill and positive) = sensitivity * prevalence; P(healthy and positive) = (1 - specificity) * (1 -"
        " prevalence). Divide the first by the sum of both.",
    ],
)
def positive_predictive_value(sensitivity, specificity, prevalence):
    ill_and_positive = sensitivity * prevalence
    healthy_and_positive = (1 - specificity) * (1 - prevalence)
    return ill_and_positive / (ill_and_positive + healthy_and_positive)


def _precision_and_recall(labels, scores, *, one_by_one=False):
    fp, tp = (count[1:] for count in _walk(labels, scores, one_by_one=one_by_one))
    return tp / (tp + fp), tp / np.sum(labels == 1)


def _average_precision(labels, scores, **options):
    precision, recall = _precision_and_recall(labels, scores, **options)
    return np.sum(np.diff(recall, prepend=0) * precision)


@exercise(
    task="Return the average precision: over the distinct scores from high to low, the sum of (gain in recall) *"
    " precision.",
    cases=_tied_scores,
    mistakes=[
        (
            lambda labels, scores: _average_precision(labels, scores, one_by_one=True),
            "Tied patients were taken one after the other, so the value depends on the order of the file. Take all"
            " patients of one score together.",
        ),
        (
            lambda labels, scores: np.mean(_precision_and_recall(labels, scores)[0]),
            "You averaged the precision over the thresholds. Weight each by the recall that was gained there.",
        ),
        (
            lambda labels, scores: np.trapezoid(
                np.append(1.0, _precision_and_recall(labels, scores)[0]),
                np.append(0.0, _precision_and_recall(labels, scores)[1]),
            ),
            "That is the trapezoid rule. Precision does not run straight between two thresholds, so the straight line"
            " flatters: use the precision at the lower threshold.",
        ),
        (
            lambda labels, scores: np.trapezoid(_points(labels, scores)[1], _points(labels, scores)[0]),
            "That is the area under the ROC curve. Use the precision, TP / (TP + FP).",
        ),
        (
            lambda labels, scores: np.sum(labels == 1) / len(labels),
            "That is the prevalence: the value of a model that knows nothing.",
        ),
        (
            lambda labels, scores: np.sum(np.prod(_precision_and_recall(labels, scores), axis=0)),
            "You weighted the precision by the whole recall. Weight it by the gain: recall minus the recall before.",
        ),
        (
            lambda labels, scores: np.sum(
                np.diff(_precision_and_recall(labels, scores)[1], prepend=0)
                * np.append(1.0, _precision_and_recall(labels, scores)[0][:-1])
            ),
            "You took the precision before the gain. Use the one at the threshold that brings the gain.",
        ),
    ],
    hints=[
        "At each distinct score, count TP and FP among those at or above it. Precision is TP / (TP + FP).",
        "Keep the recall of the threshold before (0 at the start). Add (recall - before) * precision.",
    ],
)
def average_precision(labels, scores):
    total, before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        called = scores >= threshold
        precision = np.mean(labels[called] == 1)
        recall = np.sum(labels[called] == 1) / np.sum(labels == 1)
        total += (recall - before) * precision
        before = recall
    return total


def _gaps(labels, probabilities, num_bins):
    """Return, for each bin that is not empty, its share of the patients and mean probability minus share of ill."""
    place = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
    inside = [place == b for b in range(num_bins) if np.any(place == b)]
    shares = np.array([each.mean() for each in inside])
    return shares, np.array([probabilities[each].mean() - labels[each].mean() for each in inside]), inside


def _centre_error(labels, probabilities, num_bins):
    """Return the mistaken error that takes the middle of a bin for the mean probability in it."""
    place = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
    return sum(np.mean(place == b) * abs((b + 0.5) / num_bins - labels[place == b].mean()) for b in np.unique(place))


def _confidence_error(labels, probabilities, num_bins):
    """Return the error of the top label: its probability against how often it is right."""
    shares, gaps, _ = _gaps(
        (labels == (probabilities >= 0.5)).astype(int), np.maximum(probabilities, 1 - probabilities), num_bins
    )
    return np.sum(shares * np.abs(gaps))


def _forecasts(rng):
    """Return overconfident, shifted and few forecasts in unequal bins; in the first, forecasts on the edges and 1."""
    chance = rng.beta(0.7, 1.5, size=200)
    labels = (rng.random(200) < chance).astype(int)
    return [
        (np.array([0, 1, 1, 0, 1, 0, 1, 0]), np.array([0.25, 0.125, 0.5, 0.375, 0.75, 0.625, 0.875, 1.0]), 4),
        (labels[:15], chance[:15], 4),
        (labels, chance**2, 10),
        (labels, np.append(np.sqrt(chance[:-1]), 1.0), 7),
    ]


def _error_below_one(labels, probabilities, num_bins):
    """Return the mistaken error that leaves out forecasts of exactly 1."""
    inside = probabilities < 1
    gaps = np.bincount((probabilities[inside] * num_bins).astype(int), (probabilities - labels)[inside])
    return np.abs(gaps).sum() / len(labels)


def _binned_error(place):
    """Return a mistaken error whose patients are put into other bins by ``place(probabilities, num_bins)``."""

    def mistaken(labels, probabilities, num_bins):
        bins = place(probabilities, num_bins)
        return sum(abs(np.sum((probabilities - labels)[bins == b])) for b in np.unique(bins)) / len(labels)

    return mistaken


@exercise(
    task="Return the expected calibration error with num_bins bins of equal width: the mean over patients of"
    " |mean probability - share of ill| of their bin. Bin b holds b / num_bins <= p < (b + 1) / num_bins; p = 1 belongs"
    " to the last.",
    cases=_forecasts,
    mistakes=[
        (
            lambda labels, probabilities, num_bins: np.mean(np.abs(_gaps(labels, probabilities, num_bins)[1])),
            "Every bin counts the same in your code. Weight a bin by its share of the patients.",
        ),
        (
            lambda labels, probabilities, num_bins: abs(np.mean(probabilities) - np.mean(labels)),
            "Too high in one bin makes up for too low in another: take the absolute value in each bin, then add.",
        ),
        (
            lambda labels, probabilities, num_bins: np.mean(probabilities) - np.mean(labels),
            "The absolute value is missing: take it in each bin, then add.",
        ),
        (
            _binned_error(lambda p, num_bins: (p * num_bins).astype(int)),
            "A probability of exactly 1 got a bin of its own. It belongs to the last bin.",
        ),
        (
            _error_below_one,
            "A probability of exactly 1 fell out: p < 1 leaves it in no bin. It belongs to the last one.",
        ),
        (
            lambda labels, probabilities, num_bins: (
                len(labels) * np.prod(np.abs(_gaps(labels, probabilities, num_bins)[:2]), axis=0).sum()
            ),
            "You weighted each bin by its number of patients. Divide by the number of all patients.",
        ),
        (
            _binned_error(lambda p, num_bins: np.ceil(p * num_bins)),
            "A probability on the edge of two bins belongs to the upper one: b / num_bins <= p.",
        ),
        (
            _binned_error(lambda p, num_bins: np.round(p * num_bins)),
            "Rounding puts the edges in the middle of the bins. Cut: (probabilities * num_bins).astype(int).",
        ),
        (
            _binned_error(lambda p, num_bins: np.argsort(np.argsort(p)) * num_bins // len(p)),
            "Your bins hold equal numbers of patients. Asked for are bins of equal width.",
        ),
        (
            _centre_error,
            "You used the middle of the bin. Use the mean of the probabilities that are in it.",
        ),
        (
            lambda labels, probabilities, num_bins: np.max(np.abs(_gaps(labels, probabilities, num_bins)[1])),
            "That is the largest gap of all bins (the maximum calibration error). Average it over the patients.",
        ),
        (
            lambda labels, probabilities, num_bins: np.sqrt(
                np.sum(np.prod([_gaps(labels, probabilities, num_bins)[i] for i in (0, 1, 1)], axis=0))
            ),
            "You squared the gaps. The expected calibration error takes their absolute values.",
        ),
        (
            lambda labels, probabilities, num_bins: np.mean(np.abs(probabilities - labels)),
            "That is the mean distance of single patients from 0 or 1. Average inside a bin first: probabilities and"
            " labels apart.",
        ),
        (
            _confidence_error,
            "You compared the probability of the likelier class with how often it was right. Here compare the"
            " probability of being ill with the share of ill.",
        ),
    ],
    hints=[
        "np.minimum((probabilities * num_bins).astype(int), num_bins - 1) is the bin of every patient.",
        "Skip the empty bins. In the others: the gap between the two means, times the share of patients in the bin.",
    ],
)
def calibration_error(labels, probabilities, num_bins):
    place = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
    error = 0.0
    for b in np.unique(place):  # the bins that are not empty
        inside = place == b
        error += np.mean(inside) * abs(np.mean(probabilities[inside]) - np.mean(labels[inside]))
    return error


def _with_odds(probabilities, factor):
    odds = probabilities / (1 - probabilities) * factor
    return odds / (1 + odds)


@exercise(
    task="Return the probabilities for a population of prevalence `new`, from calibrated ones for prevalence `old`."
    " What a finding says about ill and healthy stays the same.",
    cases=lambda rng: [
        (np.array([0.1, 0.5, 0.9]), 0.5, 0.02),
        (rng.beta(2, 3, size=9), 0.4, 0.1),
        (rng.beta(1, 6, size=7), 0.1, 0.6),
    ],
    mistakes=[
        (
            lambda probabilities, old, new: probabilities * new / old,
            "Probabilities do not scale: going to a higher prevalence they would pass 1. Odds scale.",
        ),
        (
            lambda probabilities, old, new: _with_odds(probabilities, new / old),
            "You multiplied the odds by the ratio of the prevalences. It must be the ratio of the prior odds,"
            " prevalence / (1 - prevalence).",
        ),
        (
            lambda probabilities, old, new: _with_odds(probabilities, old / (1 - old) * (1 - new) / new),
            "The factor is upside down: a rarer disease must make every probability smaller.",
        ),
        (
            lambda probabilities, old, new: probabilities / (1 - probabilities) * (new / (1 - new)) / (old / (1 - old)),
            "Those are the new odds. Turn them back into probabilities: odds / (1 + odds).",
        ),
        (
            lambda probabilities, old, new: np.log(
                probabilities / (1 - probabilities) * (new / (1 - new)) / (old / (1 - old))
            ),
            "Those are the new log-odds. Turn them back into probabilities: 1 / (1 + exp(-z)).",
        ),
        (
            lambda probabilities, old, new: probabilities + new - old,
            "Adding the difference can leave 0 to 1. Work with the odds.",
        ),
        (
            lambda probabilities, old, new: _with_odds(probabilities, new / (1 - new)),
            "You multiplied with the new prior odds, and the old ones are still inside: divide by them.",
        ),
    ],
    hints=[
        "Odds = p / (1 - p). Posterior odds = prior odds * likelihood ratio. Which of the two factors changes?",
        "Multiply the odds by (new / (1 - new)) / (old / (1 - old)); then p = odds / (1 + odds).",
    ],
)
def move_prevalence(probabilities, old, new):
    odds = probabilities / (1 - probabilities)
    odds = odds * (new / (1 - new)) / (old / (1 - old))
    return odds / (1 + odds)


def _tables(rng):
    """Return tables (rows: truth, columns: prediction) with a rare class and unequal margins."""
    return [
        (np.array([[90, 8, 2], [10, 30, 5], [1, 3, 4]]),),
        (rng.integers(1, 60, size=(4, 4)) + np.diag([300, 60, 20, 5]),),
    ]


def _per_class(table):
    """Return recall, precision and F1 of every class."""
    right, true, called = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    return right / true, right / called, 2 * right / (true + called)


@exercise(
    task="Return the macro F1 of a table of counts (rows: truth, columns: prediction): the mean of the classes' F1.",
    cases=_tables,
    mistakes=[
        (
            lambda table: np.trace(table) / table.sum(),
            "That is the accuracy, which is the micro F1. Compute F1 for each class, then average.",
        ),
        (
            lambda table: np.sum(table.sum(axis=1) * _per_class(table)[2]) / table.sum(),
            'You weighted the classes by their size (scikit-learn: "weighted"). Macro gives every class the same'
            " weight.",
        ),
        (
            lambda table: (
                2
                * np.mean(_per_class(table)[0])
                * np.mean(_per_class(table)[1])
                / (np.mean(_per_class(table)[0]) + np.mean(_per_class(table)[1]))
            ),
            "That is the F1 of the mean precision and the mean recall. Average the F1 of the classes instead.",
        ),
        (
            lambda table: np.mean(_per_class(table)[0]),
            "That is the macro recall. F1 needs the columns too.",
        ),
        (
            lambda table: np.mean(_per_class(table)[1]),
            "That is the macro precision. F1 needs the rows too.",
        ),
        (
            lambda table: _per_class(table)[2].sum(),
            "You added the F1 of the classes. Divide by their number.",
        ),
        (
            lambda table: np.mean(2 * np.diag(table) / (2 * np.diag(table) + table.sum(axis=0) + table.sum(axis=1))),
            "The diagonal is in the row sum and in the column sum already. Row + column = 2 TP + FN + FP.",
        ),
    ],
    hints=[
        "For one class against the rest: TP is on the diagonal. TP + FN is its row, TP + FP its column.",
        "F1 = 2 TP / (2 TP + FP + FN) = 2 * diagonal / (row sum + column sum), for each class. Then the mean.",
    ],
)
def macro_f1(table):
    true_positives = np.diag(table)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    return np.mean(2 * true_positives / (rows + columns))
