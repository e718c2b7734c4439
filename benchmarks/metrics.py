"""Measure medlearn.metrics: ``python benchmarks/metrics.py [--studies 2000] [--others 500] [--only coverage|speed]``.

Coverage: how often the 95 % interval of each score holds the truth, over simulated studies of 50 patients with several
images each. The scenarios and the band, 93.5 to 96.5 %, were written down before the first run; the methods were chosen
on other seeds than those used here. All patients are simulated: see ``simulated_studies.py``.

Speed: 2,000 resamples of an AUC beside a loop over scikit-learn on the same resamples, and DeLong on a million cases.
"""

import argparse
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from simulated_studies import SCENARIOS, probability, second_scores, simulate, true_difference, truths
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from medlearn import metrics
from medlearn.metrics import checks, ranks, resampling

BAND = (0.935, 0.965)


PREDICTED = ("sensitivity", "specificity", "precision", "negative_predictive_value", "accuracy", "f1")
PREDICTED += ("balanced_accuracy", "matthews")
METHODS = ("default", "percentile", "bca", "delong", "image level")


def intervals_of_study(scenario_name, others, seed):
    """Return the intervals of every score for one simulated study: ``{(score, method): (low, high)}``.

    Studies from number ``others`` on have the default method only: the bootstraps take most of the time.
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
        if seed >= others:
            continue
        for method in ("percentile", "bca"):
            found[name, method] = score(*cases.values(), patients=patients, method=method).interval
        found[name, "image level"] = score(*cases.values(), method="percentile").interval
    found["auc", "delong"] = metrics.delong_interval(labels, scores, patients=patients)
    other = second_scores(scenario, labels, scores, patients, rng)
    found["auc_difference", "default"] = metrics.compare_auc(
        labels, scores, other, patients=patients
    ).difference.interval
    if seed < others:
        found["auc_difference", "image level"] = metrics.compare_auc(labels, scores, other).difference.interval
    return found


def coverage_table(scenarios, studies, others, workers):
    """Simulate the studies, print the shares of intervals that hold the truth, and return those of the defaults.

    Behind a share stands how often the whole interval lies above the truth, and below it. A score that a study does not
    define is left out.
    """
    held = {}
    with ProcessPoolExecutor(workers) as pool:
        for name, scenario in ((name, SCENARIOS[name]) for name in scenarios):
            work = pool.map(partial(intervals_of_study, name, others), range(studies), chunksize=10)
            found = list(tqdm(work, total=studies, desc=name, disable=None))
            truth = truths(scenario) | {"auc_difference": true_difference(scenario)}
            print(f"\n### {name}: {scenario}\n")
            print(f"| score | truth | {' | '.join(METHODS)} | mean width |\n|---|--:|{'--:|' * len(METHODS)}--:|")
            for score, value in truth.items():
                shares = {method: _coverage(found, (score, method), value) for method in METHODS}
                width = np.nanmean([high - low for study in found for low, high in [study[score, "default"]]])
                print(f"| {score} | {value:.3f} | {' | '.join(shares[m][1] for m in METHODS)} | {width:.3f} |")
                if scenario.mean_images > 1:
                    held[f"{score} ({name})"] = shares["default"][0]
    return held


def _coverage(found, key, truth):
    if key not in found[0]:
        return float("nan"), ""
    low, high = np.array([study[key] for study in found if key in study]).T
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
    """Measure what is asked for; the exit code is 1 where a default interval covers too little."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies of each scenario")
    parser.add_argument("--others", type=int, default=500, help="of these, how many for the other methods too")
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=("coverage", "speed"))
    chosen = parser.parse_args(arguments)
    short = []
    if chosen.only != "coverage":
        resampling_speed()
        delong_speed()
    if chosen.only != "speed":
        held = coverage_table(chosen.scenarios, chosen.studies, chosen.others, chosen.workers)
        short = [f"{name} {100 * share:.1f} %" for name, share in held.items() if share < BAND[0]]
        long = [f"{name} {100 * share:.1f} %" for name, share in held.items() if share > BAND[1]]
        print(f"\nBelow {BAND[0]:.1%}: {', '.join(short) or 'none'}. Above {BAND[1]:.1%}: {', '.join(long) or 'none'}.")
        for number in (chosen.studies, min(chosen.studies, chosen.others)):
            print(f"Chance moves a share of {number} studies by {196 * np.sqrt(0.95 * 0.05 / number):.1f} points.")
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
