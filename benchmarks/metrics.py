"""Measure medlearn.metrics: ``python benchmarks/metrics.py [--studies 2000] [--workers 2] [--only coverage|speed]``.

Coverage: how often the 95 % interval of each score holds the truth, over simulated studies of 50 patients with several
images each. The scenarios and the band, 93.5 to 96.5 %, were written down before the first run; the methods were chosen
on other seeds than those used here. All patients are simulated: the score of an image is ``separation * label + patient
+ noise``, so every truth is an integral over two normal densities.

Speed: 2,000 resamples of an AUC beside a loop over scikit-learn on the same resamples, and DeLong on a million cases.
"""

import argparse
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from medlearn import metrics
from medlearn.metrics import checks, ranks, resampling

BAND = (0.935, 0.965)
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


PREDICTED = ("sensitivity", "specificity", "precision", "negative_predictive_value", "accuracy", "f1")
PREDICTED += ("balanced_accuracy", "matthews")
METHODS = ("default", "percentile", "bca", "delong", "image level")


def intervals_of_study(scenario_name, seed):
    """Return the interval of every score by every method for one simulated study: ``{(score, method): (low, high)}``.

    "image level" is the percentile bootstrap that ignores the patients.
    """
    scenario, rng = SCENARIOS[scenario_name], np.random.default_rng([2026, seed])
    labels, scores, patients = simulate(scenario, rng)
    values = {"auc": scores, "average_precision": scores} | dict.fromkeys(PREDICTED, scores >= scenario.threshold)
    found = {}
    for name in truths(scenario):
        score = getattr(metrics, f"{name}_score", None) or metrics.expected_calibration_error
        cases = {"labels": labels, "values": values.get(name, probability(scenario, scores))}
        found[name, "default"] = score(*cases.values(), patients=patients).interval
        for method in ("percentile", "bca"):
            found[name, method] = score(*cases.values(), patients=patients, method=method).interval
        found[name, "image level"] = score(*cases.values(), method="percentile").interval
    found["auc", "delong"] = metrics.delong_interval(labels, scores, patients=patients)
    other = second_scores(scenario, labels, scores, patients, rng)
    found["auc_difference", "default"] = metrics.compare_auc(
        labels, scores, other, patients=patients
    ).difference.interval
    found["auc_difference", "image level"] = metrics.compare_auc(labels, scores, other).difference.interval
    return found


def coverage_table(studies, workers):
    """Simulate the studies, print the share of intervals that hold the truth, and return the defaults outside the band.

    Below a share stands how often the whole interval lies above the truth, then below it. An interval that an undefined
    score does not have is left out of the share.
    """
    outside = []
    with ProcessPoolExecutor(workers) as pool:
        for name, scenario in SCENARIOS.items():
            work = pool.map(partial(intervals_of_study, name), range(studies), chunksize=10)
            found = list(tqdm(work, total=studies, desc=name, disable=None))
            truth = truths(scenario) | {"auc_difference": true_difference(scenario)}
            print(f"\n### {name}: {scenario}\n")
            print(f"| score | truth | {' | '.join(METHODS)} | mean width |\n|---|--:|{'--:|' * len(METHODS)}--:|")
            for score, value in truth.items():
                shares = {method: _coverage(found, (score, method), value) for method in METHODS}
                width = np.nanmean([high - low for study in found for low, high in [study[score, "default"]]])
                print(f"| {score} | {value:.3f} | {' | '.join(shares[m][1] for m in METHODS)} | {width:.3f} |")
                if scenario.mean_images > 1 and not BAND[0] <= shares["default"][0] <= BAND[1]:
                    outside.append(f"{name}/{score} {100 * shares['default'][0]:.1f} %")
    return outside


def _coverage(found, key, truth):
    if key not in found[0]:
        return float("nan"), ""
    low, high = np.array([study[key] for study in found]).T
    low, high = low[~np.isnan(low)], high[~np.isnan(low)]
    above, below = (low > truth + 1e-12).mean(), (high < truth - 1e-12).mean()
    return 1 - above - below, f"{100 * (1 - above - below):.1f} ({100 * above:.1f}, {100 * below:.1f})"


def resampling_speed(num_cases=10_000, num_resamples=2000):
    """Time the resampled AUC beside scikit-learn on the same resamples, and return the ratio."""
    rng = np.random.default_rng(0)
    labels = (rng.random(num_cases) < 0.3).astype(int)
    scores = np.round(labels + rng.standard_normal(num_cases), 2)  # with ties
    started = time.perf_counter()
    cases = checks.check_cases(labels, scores, None, kind="scores")
    ranked = ranks.sort_cases(cases)
    ours = resampling.resample(partial(ranks.auc_of_weights, ranked), num_cases, num_resamples=num_resamples, seed=1)
    seconds = time.perf_counter() - started
    weights = resampling.draw_weights(np.random.default_rng(1), num_cases, num_resamples)
    drawn = [np.repeat(np.arange(num_cases), row) for block in weights for row in block]
    started = time.perf_counter()
    theirs = np.array([roc_auc_score(labels[indices], scores[indices]) for indices in drawn])
    loop = time.perf_counter() - started
    print(f"\n{num_resamples} resamples of an AUC of {num_cases} cases: {seconds:.2f} s with drawing them, loop over")
    print(f"sklearn.metrics.roc_auc_score without drawing {loop:.2f} s: {loop / seconds:.0f} times faster;")
    print(f"largest difference {np.abs(ours - theirs).max():.1e}")
    return loop / seconds


def delong_speed(sizes=(250_000, 500_000, 1_000_000)):
    """Time DeLong's interval, and measure the memory that it takes beyond its input."""
    rng = np.random.default_rng(0)
    for size in sizes:
        labels = (rng.random(size) < 0.3).astype(int)
        scores = labels + rng.standard_normal(size)
        started = time.perf_counter()
        metrics.delong_interval(labels, scores)
        seconds = time.perf_counter() - started
        tracemalloc.start()
        metrics.delong_interval(labels, scores)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"DeLong of {size:,} cases: {seconds:.2f} s, peak {peak / 1e6:.0f} MB ({peak / size:.0f} bytes a case)")


def main(arguments=None):
    """Measure what is asked for; the exit code is 1 where a default interval leaves the band."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies of each scenario")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=("coverage", "speed"))
    chosen = parser.parse_args(arguments)
    outside = []
    if chosen.only != "coverage":
        resampling_speed()
        delong_speed()
    if chosen.only != "speed":
        outside = coverage_table(chosen.studies, chosen.workers)
        margin = 196 * np.sqrt(0.95 * 0.05 / chosen.studies)
        print(f"\nOutside the band: {', '.join(outside) or 'none'}. Chance moves each share by {margin:.1f} points.")
    return int(bool(outside))


if __name__ == "__main__":
    sys.exit(main())
