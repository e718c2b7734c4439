"""How often the intervals of the scores of generators hold the truth, and what the scores cost.

Run it with ``python benchmarks/generative_intervals.py``; ``--studies 40`` for a quick look. One core, about two
minutes. Everything is simulated: features of real patients (several images each, alike within a patient) and of a
generator are drawn from Gaussians. For precision, recall, density and coverage the truth is the mean over all studies
of that size; for the two shares of a memorisation report it is known.
"""

import argparse
import time

import numpy as np
from scipy import stats

from medlearn import metrics

SCORES = ("precision", "recall", "density", "coverage")
SIZES = ((12, 12, 150, 8), (20, 6, 120, 2), (40, 6, 240, 8), (40, 12, 480, 16))  # patients, images each, made, features
GENERATORS = {"right": (1.0, 0.0), "too narrow": (0.6, 0.5)}
ALIKE = 0.3  # correlation of two images of a patient


def draw_patients(rng, patients, each, features):
    """Return features of images, shape (patients * each, features), every one with mean 0 and variance 1."""
    own, image = rng.standard_normal((patients, 1, features)), rng.standard_normal((patients, each, features))
    return (np.sqrt(ALIKE) * own + np.sqrt(1 - ALIKE) * image).reshape(-1, features)


def draw_made(rng, count, features, spread, shift):
    """Return features of made images."""
    made = spread * rng.standard_normal((count, features))
    made[:, 0] += shift
    return made


def coverage_of_reports(size, generator, studies):
    """Return the share of studies whose intervals hold the mean of each score, shape (4,)."""
    patients, each, count, features = size
    rows = []
    for k in range(studies):
        rng = np.random.default_rng([2026, k])
        real, made = draw_patients(rng, patients, each, features), draw_made(rng, count, features, *generator)
        report = metrics.precision_recall(real, made, patients=np.repeat(np.arange(patients), each))
        rows.append([(score.value, *score.interval) for score in (getattr(report, name) for name in SCORES)])
    values, low, high = np.moveaxis(np.array(rows), 2, 0)
    return np.mean((low <= values.mean(axis=0)) & (values.mean(axis=0) <= high), axis=0), values.mean(axis=0)


def coverage_of_memorisation(patients, each, count, nearer, studies):
    """Return how often the intervals of share and AUC hold the truth; made items lie nearer by ``nearer``.

    One training item at 0, and items on the line: an item's distance is its value, the exponential of a Gaussian.
    """
    truth = stats.norm.cdf(stats.norm.ppf(0.05) + nearer), stats.norm.cdf(nearer / np.sqrt(2))
    held = []
    for k in range(studies):
        rng = np.random.default_rng([2027, k])
        unseen = np.exp(draw_patients(rng, patients, each, 1))
        made = np.exp(rng.standard_normal((count, 1)) - nearer)
        report = metrics.memorisation_report(made, [[0.0]], unseen, patients=np.repeat(np.arange(patients), each))
        held.append(
            [score.low <= true <= score.high for score, true in zip((report.share, report.auc), truth, strict=True)]
        )
    return np.mean(held, axis=0), truth


def coverage_of_frechet_bootstrap(studies, *, shift, patients=40, each=5, features=16, resamples=100):
    """Return how often a bootstrap over patients holds the true Frechet distance, ``shift ** 2``.

    First the percentile bootstrap, then the same reflected at the value: ``2 * value - end``.
    """
    held, count = [], patients * each
    for k in range(studies):
        rng = np.random.default_rng([2028, k])
        real = draw_patients(rng, patients, each, features).reshape(patients, each, features)
        made = draw_made(rng, count, features, 1.0, shift)
        value = metrics.frechet_distance(real.reshape(count, features), made)
        drawn = [
            metrics.frechet_distance(
                real[rng.integers(patients, size=patients)].reshape(count, features),
                made[rng.integers(count, size=count)],
            )
            for _ in range(resamples)
        ]
        low, high = np.percentile(drawn, [2.5, 97.5])
        held.append([low <= shift**2 <= high, 2 * value - high <= shift**2 <= 2 * value - low])
    return np.mean(held, axis=0)


def print_coverage(studies):
    """Print all tables."""
    print(f"95 % intervals that held the truth, in {studies} simulated studies (the truth)")
    for size in SIZES:
        for name, generator in GENERATORS.items():
            held, truth = coverage_of_reports(size, generator, studies)
            cells = "  ".join(f"{s} {100 * h:5.1f} ({t:.2f})" for s, h, t in zip(SCORES, held, truth, strict=True))
            print("{} patients with {} images, {} made, {} features".format(*size), f"{name}:", cells, flush=True)
    for patients, each, count in ((10, 12, 200), (40, 12, 500), (80, 12, 960)):
        for nearer in (0.0, 1.0, 2.5):
            held, truth = coverage_of_memorisation(patients, each, count, nearer, studies)
            cells = "  ".join(
                f"{s} {100 * h:5.1f} ({t:.2f})" for s, h, t in zip(("share", "auc"), held, truth, strict=True)
            )
            print(
                f"{patients} unseen patients with {each} images, {count} made, nearer by {nearer}:", cells, flush=True
            )
    for shift in (0.0, 1.0, 3.0):
        held = coverage_of_frechet_bootstrap(studies, shift=shift)
        print(
            f"Frechet distance {shift**2:g}: bootstrap {100 * held[0]:.1f}, reflected {100 * held[1]:.1f}", flush=True
        )


def print_cost():
    """Print CPU seconds for sets of 1,000 images with 64 features."""
    real, made, unseen = np.random.default_rng(0).standard_normal((3, 1000, 64))
    for call in (
        lambda: metrics.frechet_distance(real, made),
        lambda: metrics.precision_recall(real, made),
        lambda: metrics.memorisation_report(made, real, unseen),
    ):
        start = time.process_time()
        call()
        print(f"{time.process_time() - start:.2f} CPU s", call.__code__.co_names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=400)
    print_cost()
    print_coverage(parser.parse_args().studies)
