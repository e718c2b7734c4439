"""Measure the nodule detector and metrics.froc: ``python benchmarks/nodule_detection.py [--only detector|coverage]``.

Detector: FROC of the Laplacian of Gaussian alone, the CentreNet, and the CentreNet with false-positive reduction, on
SIMULATED patients that no weight was trained on and no option chosen on (seed set 200), and CPU seconds for a scan.

Coverage: how often the 95 % intervals of ``metrics.froc`` hold the truth, over simulated studies of 30 scans (and 15
and 60) of three detectors whose FROC curve is known. Scans differ: some have more false detections, and harder nodules.
"""

import argparse
import sys
import time

import numpy as np
import SimpleITK as sitk
from scipy import stats
from tqdm import tqdm

from medlearn import data, metrics
from medlearn.metrics.froc_points import read_at, sort_marks
from medlearn.metrics.resampling import resample
from medlearn.models import nodule_detector as detector

# Nodules of a scan: 0, 1, 2, ... as in LIDC-IDRI, where 13 % have none. Scores of false detections are N(0, 1), those
# of nodules N(separation, 1) about the scan's own level; one nodule in 20 is no candidate at all.
NODULES = np.array([0.13, 0.25, 0.22, 0.15, 0.10, 0.06, 0.04, 0.03, 0.02])
FOUND, FALSE_PER_SCAN, SCAN_SPREAD, GAMMA_SHAPE = 0.95, 40.0, 0.7, 2.0
STUDIES = {"strong, 30 scans": (3.0, 30), "medium, 30 scans": (2.0, 30), "weak, 30 scans": (1.0, 30),
           "strong, 15 scans": (3.0, 15), "strong, 60 scans": (3.0, 60)}  # fmt: skip
METHODS = ("logit", "percentile", "bca")
RATES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)


def simulate_study(rng, separation, num_scans):
    """Return the matches of a simulated study."""
    scans = []
    for _ in range(num_scans):
        count = rng.choice(len(NODULES), p=NODULES / NODULES.sum())
        level = separation + rng.normal(scale=SCAN_SPREAD)
        hits = np.where(rng.random(count) < FOUND, level + rng.standard_normal(count), np.nan)
        false = rng.standard_normal(rng.poisson(FALSE_PER_SCAN * rng.gamma(GAMMA_SHAPE) / GAMMA_SHAPE))
        found = hits[~np.isnan(hits)]
        kinds = np.repeat(["true", "false"], [len(found), len(false)])
        scans.append(metrics.Matches(np.append(found, false), kinds, np.full(len(kinds), -1), hits,
                                     np.ones(count, bool)))  # fmt: skip
    return scans


def true_sensitivity(separation):
    """Return the sensitivity at each rate of endlessly many scans and, last, their mean."""
    threshold = stats.norm.isf(np.array(RATES) / FALSE_PER_SCAN)
    at_rates = FOUND * stats.norm.sf((threshold - separation) / np.sqrt(1 + SCAN_SPREAD**2))
    return np.append(at_rates, at_rates.mean())


def coverage(studies):
    """Print how often the intervals hold the truth at each rate, and that of the CPM; return the least of "logit"."""
    print(f"| study | method | {' | '.join(f'{rate:g}' for rate in RATES)} | CPM | mean width of the CPM |")
    print(f"|---|---|{'--:|' * (len(RATES) + 2)}")
    least = 1.0
    for name, (separation, num_scans) in STUDIES.items():
        truth = true_sensitivity(separation)
        print(f"| {name} | truth | {' | '.join(f'{value:.3f}' for value in truth)} | |")
        ends = {method: [] for method in METHODS}
        for number in tqdm(range(studies), desc=name, disable=None):
            scans = simulate_study(np.random.default_rng([2026, number]), separation, num_scans)
            for method in METHODS:
                curve = metrics.froc(scans, rates=RATES, method=method, num_resamples=500)
                ends[method].append([estimate.interval for estimate in (*curve.at_rates, curve.cpm)])
        for method in METHODS:
            low, high = np.moveaxis(np.array(ends[method]), -1, 0)  # (studies, rates + 1) each
            held = ((low <= truth) & (truth <= high)).mean(axis=0)
            width = (high - low)[:, -1].mean()
            print(f"| {name} | {method} | {' | '.join(f'{100 * share:.1f}' for share in held)} | {width:.3f} |")
            least = min(least, held.min()) if method == "logit" else least
    print(f"\nChance moves a share of {studies} studies by {196 * np.sqrt(0.95 * 0.05 / studies):.1f} points.")
    return least


def search(image, centre_net, false_positive_net):
    """Return the candidates of each detector, and the CPU seconds of each stage."""
    clock = [time.process_time()]
    lungs = detector.segment_lungs(image)
    clock.append(time.process_time())
    found = {
        f"LoG, score {score!r}": detector.suppress(
            detector.log_candidates(image, lungs, score=score, most=1000), distance_mm=detector.APART_MM
        )
        for score in ("log", "ball")
    }
    clock.append(time.process_time())
    found["CentreNet"] = detector.find_nodules(image, lungs=lungs, net=centre_net, reduce=False)
    clock.append(time.process_time())
    found["CentreNet, reduced"] = detector.reduce_false_positives(image, found["CentreNet"], false_positive_net)
    clock.append(time.process_time())
    return found, lungs, np.diff(clock)


def detect(num_scans, seed, smallest_mm):
    """Print the FROC of each detector on simulated patients, and what they cost."""
    nets = detector.load_centre_net(), detector.load_false_positive_net()
    matches, dice, seconds, inside = {}, [], [], []
    scans = data.load_nodule_scans(num_scans, seed=seed)
    for scan in tqdm(scans, total=num_scans, desc="scans", disable=None):
        found, lungs, spent = search(scan.image, *nets)
        centres, diameters = [n.centre_mm for n in scan.nodules], [n.diameter_mm for n in scan.nodules]
        for name, some in found.items():
            for least in (0.0, smallest_mm):
                matches.setdefault((name, least), []).append(
                    metrics.match_detections(centres, diameters, some.points_mm, some.scores, smallest_mm=least)
                )
        one, other = (sitk.GetArrayViewFromImage(mask) > 0 for mask in (lungs, scan.lung_mask))
        dice.append(2 * (one & other).sum() / (one.sum() + other.sum()))
        inside += [lungs[lungs.TransformPhysicalPointToIndex(centre)] for centre in centres]
        seconds.append(spent)
    print(f"{num_scans} simulated scans of both lungs, seed set {seed}. Lung mask: Dice {min(dice):.3f} to"
          f" {max(dice):.3f}; {sum(inside)} of {len(inside)} nodule centres inside.")  # fmt: skip
    parts = ("lung mask", "both LoG", "CentreNet", "reduction")
    print("CPU s a scan: " + ", ".join(f"{p} {s:.2f}" for p, s in zip(parts, np.mean(seconds, axis=0), strict=True)))
    for (name, least), some in matches.items():
        curve = metrics.froc(some)
        print(f"\n{name}, {curve.num_findings} nodules of {least or 3:g} mm or more")
        for rate, estimate in zip(curve.rates, curve.at_rates, strict=True):
            print(f"  {rate:5.3f} false a scan: sensitivity {estimate}")
        print(f"  CPM {curve.cpm}")
    compare(matches["CentreNet", 0.0], matches["CentreNet, reduced", 0.0])


def compare(first, second):
    """Print what the reduction adds to the CPM, with a bootstrap interval over the same scans."""
    both = [sort_marks(scans) for scans in (first, second)]

    def added(weights):
        before, after = (read_at(marks, weights, RATES)[:, -1] for marks in both)
        return after - before

    value = added(np.ones((1, len(first)), int))[0]
    low, high = np.nanquantile(resample(added, len(first), seed=0), [0.025, 0.975])
    print(f"\nThe reduction adds {value:+.3f} to the CPM (95 % CI {low:+.3f} to {high:+.3f}, paired over scans)")


def main(arguments=None):
    """Measure what is asked for; the exit code is 1 where a default interval covers too little."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("detector", "coverage"))
    parser.add_argument("--scans", type=int, default=40, help="simulated test patients")
    parser.add_argument("--seed", type=int, default=200, help="seed set of the patients: 200 for tests, 100 to choose")
    parser.add_argument("--smallest", type=float, default=4.0, help="report without smaller nodules, too: mm")
    parser.add_argument("--studies", type=int, default=500, help="simulated studies of each kind, for the coverage")
    chosen = parser.parse_args(arguments)
    if chosen.only != "coverage":
        detect(chosen.scans, chosen.seed, chosen.smallest)
    return int(chosen.only != "detector" and coverage(chosen.studies) < 0.925)


if __name__ == "__main__":
    sys.exit(main())
