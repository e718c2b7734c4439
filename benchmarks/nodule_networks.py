"""Measure networks on real patches: ``python benchmarks/nodule_networks.py [--only NAME ...] [--final]``.

The ladder: from a random forest on pixels and the seed network to the best network, one idea a step. Each step is
trained on the first 80 % of LUNA16's **development** rows and scored on the rest of them: AUC with its 95 % interval
over blocks of rows, which stand for patients. Seconds are CPU seconds of training: with two idle cores, a little more
than half as many pass.

``--final`` trains the seed network and the best one on all development rows and scores them **once** on the last 15 %
of the rows, which no choice has seen. ``--gap`` trains the best one on simulated patches and scores it on real ones of
the validation rows. Needs the LUNA16 crops in the cache.
"""

import argparse
import sys
import time
from functools import partial

import torch
from sklearn.ensemble import RandomForestClassifier

from medlearn import data, metrics
from medlearn.models.nodule_cnn import to_input
from medlearn.models.nodule_cnn_torch import NoduleNet, PooledCNN, SeedCNN
from medlearn.models.nodule_training import Augmentation, predict, train

TURNS = Augmentation(shift_pixels=0, zoom=0, contrast=0, brightness=0)
OLD = {"learning_rate": 1e-3, "schedule": "constant", "weight_decay": 0.0}
PLAIN = {"batch_normalization": False, "place_weights": False}
AUGMENTED = {"num_epochs": 24, "augmentation": Augmentation()}
#: Each step: how to build the network, and how to train it.
LADDER = {
    "seed network": (lambda: SeedCNN(50), {"num_epochs": 5} | OLD),
    "careless pooled": (lambda: PooledCNN(50, batch_normalization=True), {"num_epochs": 12} | OLD),
    "small VGG": (lambda: NoduleNet(**PLAIN), {"num_epochs": 24} | OLD),
    "+ turns, mirrors": (lambda: NoduleNet(**PLAIN), {"num_epochs": 24, "augmentation": TURNS} | OLD),
    "+ normalisation": (lambda: NoduleNet(place_weights=False), {"num_epochs": 24, "augmentation": TURNS} | OLD),
    "+ cosine, decay": (lambda: NoduleNet(place_weights=False), {"num_epochs": 24, "augmentation": TURNS}),
    "+ shifts, zoom, HU": (lambda: NoduleNet(place_weights=False), AUGMENTED),
    "+ place weights": (NoduleNet, AUGMENTED),
}
BEST = "+ place weights"


def run_step(name, training, validation, *, seed=0):
    """Train one step of the ladder; return its scores of other crops by one view and by eight, and CPU seconds."""
    build, options = LADDER[name]
    torch.manual_seed(seed)
    network = build()
    started = time.process_time()
    train(network, training.images_hu, training.labels, seed=seed, progress=False, **options)
    seconds = time.process_time() - started
    one, eight = (predict(network, validation.images_hu, symmetric=symmetric) for symmetric in (False, True))
    return one, eight, seconds


def run_forest(training, validation, *, seed=0):
    """Train a random forest on the pixels as they are; return as :func:`run_step`, without the eight views."""
    forest = RandomForestClassifier(300, min_samples_leaf=2, random_state=seed)
    started = time.process_time()
    forest.fit(to_input(training.images_hu).reshape(len(training), -1), training.labels)
    seconds = time.process_time() - started
    scores = forest.predict_proba(to_input(validation.images_hu).reshape(len(validation), -1))[:, 1]
    return scores, None, seconds


def report(name, one, eight, seconds, crops):
    """Print one line of the table."""
    scored = [metrics.auc_score(crops.labels, s, patients=crops.blocks) for s in (one, eight) if s is not None]
    aucs = [f"{auc.counted_in('block'):.3f}" for auc in scored] + [""]
    print(f"| {name} | {aucs[0]} | {aucs[1]} | {seconds:.0f} |", flush=True)


def head(text):
    """Print the head of a table."""
    print(f"{text}\n\n| step | AUC | AUC, mean of eight views | CPU s |\n|---|---|---|--:|", flush=True)


def climb(names, development, *, seed):
    """Print the ladder, trained and validated on development rows."""
    training, validation = development.by_rows((0.8, 0.2))
    head(f"Trained on {len(training)} crops, validated on {len(validation)} ({validation.labels.sum()} nodules).")
    for name in names:
        run = run_forest if name == "random forest" else partial(run_step, name)
        report(name, *run(training, validation, seed=seed), validation)


def final(development, test, *, seed):
    """Print the one score of the untouched rows: the random forest, the seed network and the best network."""
    head(f"Trained on {len(development)} crops, TESTED on {len(test)} ({test.labels.sum()} nodules).")
    runs = {name: run_step(name, development, test, seed=seed) for name in ("seed network", BEST)}
    runs["random forest"] = run_forest(development, test, seed=seed)
    for name, run in runs.items():
        report(name, *run, test)
    pair = runs["seed network"][0], runs[BEST][1]
    paired = metrics.compare_auc(test.labels, *pair, patients=test.blocks).counted_in("block")
    print(f"\nseed network by one view, less the best by eight: {paired.difference:.3f}, p = {paired.p_value:.2g}")


def gap(development, *, seed):
    """Train the best network on simulated patches and score it on real ones of the validation rows."""
    simulated = data.load_nodule_patches(100, patches_per_patient=20, seed=seed)
    *_, validation = development.by_rows((0.8, 0.2))
    patches = simulated.images_hu[:, 7:57, 7:57]  # (n, 64, 64) -> (n, 50, 50), the middle
    torch.manual_seed(seed)
    network = NoduleNet()
    train(network, patches, simulated.labels, seed=seed, num_epochs=16, augmentation=Augmentation(), progress=False)
    head(f"Trained on {len(patches)} simulated patches, validated on {len(validation)} real crops.")
    views = [predict(network, validation.images_hu, symmetric=symmetric) for symmetric in (False, True)]
    report("simulated to real", *views, float("nan"), validation)


def main(arguments=None):
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=["random forest", *LADDER], default=["random forest", *LADDER])
    parser.add_argument("--final", action="store_true", help="score the untouched rows, after the ladder is fixed")
    parser.add_argument("--gap", action="store_true", help="train on simulated patches, score real ones")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    if not data.available("luna16_crops"):
        return
    development, test = data.load_luna16_crops().by_rows((0.85, 0.15))
    if chosen.final:
        final(development, test, seed=chosen.seed)
    elif chosen.gap:
        gap(development, seed=chosen.seed)
    else:
        climb(chosen.only, development, seed=chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
