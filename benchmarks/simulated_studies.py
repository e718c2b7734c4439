"""Simulated studies whose truth is known: patients with several images each, and scores that resemble within a patient.

The score of an image is ``separation * label + patient + noise``, normal within each label, so that sensitivity,
specificity and the rest are closed forms or integrals over two normal densities.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

NUM_PATIENTS = 50


@dataclass(frozen=True)
class Scenario:
    """How the patients of a study are simulated.

    Attributes
    ----------
    prevalence : float
        Chance of label 1: of a patient (``by_patient``) or, on average over patients, of an image.
    by_patient : bool
        All images of a patient have the same label, and diseased patients have more images.
    separation : float
        Mean score of label 1 minus that of label 0, in standard deviations.
    shared : float
        Share of the variance of the score that the images of a patient have in common.
    threshold : float
        Images that score at least this are called diseased.
    slope, shift : float
        The probability is ``sigmoid(slope * true logit + shift)``: calibrated for 1 and 0.
    mean_images : float
        One image, and a geometric number more.
    extra_images : float
        What a diseased patient has more, on average, where the label is by patient.
    """

    prevalence: float
    by_patient: bool
    separation: float
    shared: float
    threshold: float
    slope: float
    shift: float
    mean_images: float
    extra_images: float = 1.5


SCENARIOS = {
    "lesions": Scenario(0.3, False, 1.5, 0.3, 0.9, 1.5, 0.0, 5.0),  # label by image, overconfident
    "screening": Scenario(0.4, True, 1.2, 0.5, 0.6, 1.0, 0.0, 4.0),  # label by patient, calibrated
    "rare": Scenario(0.1, False, 2.0, 0.2, 1.2, 1.0, 1.0, 6.0),  # 1 image in 10, probabilities too high
    "one image": Scenario(0.4, True, 1.2, 0.5, 0.6, 1.5, 0.0, 1.0, 0.0),  # 50 cases, no clusters: no band is promised
}
SPREAD_OF_PREVALENCE = 1.0  # standard deviation of a patient's logit
SECOND_NOISE = 0.7  # what the second model adds to the scores of the first, in standard deviations


def simulate(scenario, rng, num_patients=NUM_PATIENTS):
    """Return labels, scores and patients of one study."""
    diseased = rng.random(num_patients) < scenario.prevalence
    mean = scenario.mean_images + scenario.by_patient * diseased * scenario.extra_images
    images = rng.geometric(1 / mean)  # 1, 2, 3, ... with that mean
    patients = np.repeat(np.arange(num_patients), images)
    if scenario.by_patient:
        labels = diseased[patients].astype(int)
    else:
        share = _shares(scenario, rng.standard_normal(num_patients))
        labels = (rng.random(len(patients)) < share[patients]).astype(int)
    own = rng.standard_normal(num_patients)[patients] * np.sqrt(scenario.shared)
    noise = rng.standard_normal(len(patients)) * np.sqrt(1 - scenario.shared)
    return labels, scenario.separation * labels + own + noise, patients


def _shares(scenario, deviate):
    """Return each patient's share of images with label 1."""
    centre = np.log(scenario.prevalence / (1 - scenario.prevalence))
    return 1 / (1 + np.exp(-centre - SPREAD_OF_PREVALENCE * deviate))


@cache
def image_prevalence(scenario):
    """Return the chance that an image has label 1."""
    if scenario.by_patient:
        weighted = scenario.prevalence * (scenario.mean_images + scenario.extra_images)
        return weighted / (weighted + (1 - scenario.prevalence) * scenario.mean_images)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return float(weights @ _shares(scenario, nodes) / weights.sum())


def probability(scenario, scores):
    """Return the model's probability of label 1 for a score."""
    odds = image_prevalence(scenario) / (1 - image_prevalence(scenario))
    logit = scenario.separation * scores - scenario.separation**2 / 2 + np.log(odds)
    return 1 / (1 + np.exp(-scenario.slope * logit - scenario.shift))


@cache
def truths(scenario):
    """Return what each score is in the whole population: closed forms, and sums over a fine grid of scores."""
    share = image_prevalence(scenario)
    sensitivity = stats.norm.sf(scenario.threshold - scenario.separation)
    specificity = stats.norm.cdf(scenario.threshold)
    tp, fn = share * sensitivity, share * (1 - sensitivity)
    tn, fp = (1 - share) * specificity, (1 - share) * (1 - specificity)
    scale = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": tp / (tp + fp),
        "negative_predictive_value": tn / (tn + fn),
        "accuracy": tp + tn,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "matthews": (tp * tn - fp * fn) / scale,
        "auc": stats.norm.cdf(scenario.separation / np.sqrt(2)),
    } | _integrals(scenario, share)


def _integrals(scenario, share):
    edges = np.linspace(-9, 9 + scenario.separation, 400_001)
    score = (edges[1:] + edges[:-1]) / 2
    of_negative = (1 - share) * np.diff(stats.norm.cdf(edges))
    of_positive = share * np.diff(stats.norm.cdf(edges - scenario.separation))
    above = share * stats.norm.sf(score - scenario.separation)
    precision = above / (above + (1 - share) * stats.norm.sf(score))
    said = probability(scenario, score)
    gaps = np.bincount(np.minimum(said * 10, 9).astype(int), of_positive * (1 - said) - of_negative * said)
    return {
        "average_precision": (of_positive @ precision) / share,
        "brier": of_positive @ (1 - said) ** 2 + of_negative @ said**2,
        "expected_calibration_error": np.abs(gaps).sum(),
    }


def second_scores(scenario, labels, scores, patients, rng):
    """Return the scores of a weaker model on the same images: the first model's, and noise of patient and image."""
    extra = rng.standard_normal(patients.max() + 1)[patients] * np.sqrt(scenario.shared)
    extra += rng.standard_normal(len(labels)) * np.sqrt(1 - scenario.shared)
    return scores + SECOND_NOISE * extra


def true_difference(scenario):
    """Return the AUC of the first model minus that of the second."""
    weaker = scenario.separation / np.sqrt(2 * (1 + SECOND_NOISE**2))
    return stats.norm.cdf(scenario.separation / np.sqrt(2)) - stats.norm.cdf(weaker)
