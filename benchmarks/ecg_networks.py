"""Measure models of heart beats: ``python benchmarks/ecg_networks.py [--only NAME ...] [--final] [--quick]``.

The table: from rules on intervals to the course's best network, on SIMULATED patients and, where MIT-BIH is in the
cache, on its development records (DS1). Each model is judged twice: on other beats of patients that it has seen
(intra-patient), and on other patients: of the simulated ones new ones, of DS1 four folds of records. Mean F1 of N, S
and V, and F1 of S and V, with 95 % intervals over patients. The mean leaves F out: in DS1 nine of ten fusion beats are
of one patient (208), so a fold has them either in training or in test. Seconds are CPU seconds of training, about
equal for the networks: the number of steps is chosen so.

``--final`` trains the random forest and the best network on all of DS1 and judges them on DS2, **which no choice has
seen**: all of it, and without record 202, who is a person of DS1 (record 201).
"""

import argparse
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from medlearn import data, metrics
from medlearn.models.ecg_cnn import BeatCNN, BeatCNNLSTM
from medlearn.models.ecg_rnn import RNN, BeatRNN
from medlearn.models.ecg_training import forest_features, predict, prepare, train

CUT = {"window_s": (0.4, 0.5), "sampling_rate_hz": 125, "classes": "AAMI4"}
REAL, SIMULATED = ("MLII", "other"), ("MLII", "V1")
#: Fixed before the first look: the patients with many S, V or F beats are spread; 208 and 223, the two with most F
#: beats, are in different folds.
FOLDS = (
    ("209", "106", "205", "115", "112"), ("201", "223", "119", "122", "116", "230"),
    ("207", "203", "118", "101", "109"), ("208", "220", "124", "114", "108", "215"),
)  # fmt: skip


class EachBeat(nn.Module):
    """Let a network for single beats take sequences, and judge each beat for itself."""

    def __init__(self, network, *, num_leads=2, rr=True):
        super().__init__()
        self.network, self.num_leads, self.rr = network, num_leads, rr

    def forward(self, signals, rr):
        beats = signals[..., : self.num_leads].flatten(0, 1)  # (n, beats, time, leads) -> (n * beats, time, leads)
        logits = self.network(beats, rr.flatten(0, 1)) if self.rr else self.network(beats)
        return logits.unflatten(0, signals.shape[:2])  # -> (n, beats, classes)


#: Networks for one beat: how to build each, and the steps that cost about as much as 600 of the best network. The seed
#: class reads all 112 samples one after another, the other recurrent ones 28 means of four.
NETWORKS = {
    "LSTM, one lead": (lambda: EachBeat(RNN(1, 64, 1, 4), num_leads=1, rr=False), 170),
    "LSTM, two leads, RR": (lambda: EachBeat(BeatRNN(2, 4, num_rr=3, stride=4)), 930),
    "both ways": (lambda: EachBeat(BeatRNN(2, 4, num_rr=3, stride=4, bidirectional=True)), 500),
    "GRU": (lambda: EachBeat(BeatRNN(2, 4, cell="gru", num_rr=3, stride=4)), 840),
    "CNN": (lambda: EachBeat(BeatCNN(2, 4, channels=(16, 32, 32), num_rr=3, dropout=0.3)), 440),
    "CNN + LSTM": (lambda: EachBeat(BeatCNNLSTM(2, 4, channels=(16, 32, 32), hidden_size=32, num_rr=3)), 360),
}
BEST_STEPS = 600


def rr_rules(training, test, **_):
    """Early: a premature beat. A full pause after it: from a ventricle. Else from an atrium."""
    before, after, _ = test.rr_ratios.T
    return np.where(before < 0.85, np.where(before + after > 1.9, 2, 1), 0)


def neighbours(training, test, *, seed, **_):
    """Take the class of the nearest five of at most 8,000 beats, by their shape."""
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(training.labels >= 0))[:8000]
    flat = [beats.signals_mv.reshape(len(beats), -1) for beats in (training, test)]
    return KNeighborsClassifier(5).fit(flat[0][chosen], training.labels[chosen]).predict(flat[1])


def forest(training, test, *, seed, scale, num_trees=60):
    """Return the classes by a random forest on two leads' shape and three ratios of intervals."""
    model = RandomForestClassifier(
        max(10, round(num_trees * scale)), min_samples_leaf=2, class_weight="balanced_subsample", random_state=seed
    )
    told = training.labels >= 0
    features = [forest_features(beats.signals_mv, beats.rr_s) for beats in (training, test)]
    return model.fit(features[0][told], training.labels[told]).predict(features[1])


def network(name, training, test, *, seed, scale):
    """Train a network on single beats, as they are, with the logarithms of three ratios of intervals."""
    build, steps = NETWORKS[name]
    inputs = [(beats.signals_mv, np.log(beats.rr_ratios)) for beats in (training, test)]
    return _trained(inputs, training, test, build=build, steps=steps, seed=seed, scale=scale)


def best(training, test, *, seed, scale, simulated=None, num_networks=1):
    """Train the course's best recipe, with simulated patients beside the real ones or without."""
    inputs = [prepare(beats.signals_mv, beats.rr_s, beats.records) for beats in (training, test)]
    if simulated is not None:
        inputs[0] = together(inputs[0], prepare(simulated.signals_mv, simulated.rr_s, simulated.records))
        training = _Told(*together(*[(beats.labels, beats.records) for beats in (training, simulated)]))
    return _trained(inputs, training, test, steps=BEST_STEPS, seed=seed, scale=scale, num_networks=num_networks)


class _Told:
    def __init__(self, labels, records):
        self.labels, self.records = labels, records


def together(*parts):
    """Put the arrays of several sets one behind the other."""
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _trained(inputs, training, test, *, steps, seed, scale, build=None, num_networks=1):
    epochs, batches = (6, round(steps * scale / 6)) if steps * scale >= 12 else (1, 2)
    networks = train(
        *inputs[0], training.labels, training.records, build=build, num_networks=num_networks, num_epochs=epochs,
        num_batches=batches, seed=seed, device="cpu", progress=False,
    )  # fmt: skip
    return predict(networks, *inputs[1], test.records).argmax(axis=1)


MODELS = {"RR rules": rr_rules, "nearest neighbours": neighbours, "random forest": forest}
MODELS |= {name: partial(network, name) for name in NETWORKS} | {"RhythmNet": best}


def halves(beats, *, seed):
    """Return a set with every other label covered (-1), and which beats those are: drawn at random, not by patient."""
    hidden = np.random.default_rng(seed).random(len(beats)) < 0.5
    return replace(beats, labels=np.where(hidden, -1, beats.labels)), hidden


def intra(model, beats, *, seed, scale):
    """Judge a model on other beats of the same patients; return labels, predictions, patients and CPU seconds."""
    training, hidden = halves(beats, seed=seed)
    started = time.process_time()
    said = model(training, beats, seed=seed, scale=scale)[hidden]
    return beats.labels[hidden], said, beats.patients[hidden], time.process_time() - started


def inter(model, splits, *, seed, scale):
    """Judge a model on other patients, over all splits together; seconds are the mean of the splits."""
    started, parts = time.process_time(), []
    for training, test in splits:
        data.assert_no_patient_overlap(training.patients, test.patients)
        parts.append((test.labels, model(training, test, seed=seed, scale=scale), test.patients))
    return *together(*parts), (time.process_time() - started) / len(splits)


def by_folds(beats):
    """Return training and test set of each fold of DS1."""
    inside = [np.isin(beats.records, fold) for fold in FOLDS]
    return [(beats.select(~mask), beats.select(mask)) for mask in inside if mask.any()]


def mean_f1(labels, said):
    """Return the mean F1 of N, S and V."""
    pairs = [(labels == k, said == k) for k in range(3)]
    return float(np.mean([2 * (a & b).sum() / max(1, a.sum() + b.sum()) for a, b in pairs]))


def report(name, kind, labels, said, patients, seconds):
    """Print one line of the table."""
    mean = metrics.bootstrap(mean_f1, labels, said, patients=patients)
    s, v = (metrics.f1_score(labels == k, said == k, patients=patients) for k in (1, 2))
    cells = [f"{each.value:.2f} ({each.low:.2f} to {each.high:.2f})" for each in (mean, s, v)]
    print(f"| {name} | {kind} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)


def table(title, names, beats, splits, *, seed, scale, extra=None):
    """Print the table of one source of patients."""
    print(f"\n{title}: {beats.counts}\n\n| model | judged on | mean F1 of N, S, V | F1 of S | F1 of V | CPU s |")
    print("|---|---|---|---|---|--:|", flush=True)
    for name in names:
        if name in MODELS:
            report(name, "other beats", *intra(MODELS[name], beats, seed=seed, scale=scale))
            report(name, "other patients", *inter(MODELS[name], splits, seed=seed, scale=scale))
        elif extra is not None:
            model = partial(best, simulated=extra)
            report(name, "other patients", *inter(model, splits, seed=seed, scale=scale))


def final(real, simulated, test, *, seed, scale):
    """Print the one score of DS2: the forest and the best network, with and without record 202."""
    models = {
        "random forest": partial(forest, num_trees=200),
        "three RhythmNets, real and simulated patients": partial(best, simulated=simulated, num_networks=3),
    }
    for name, model in models.items():
        started = time.process_time()
        said = model(real, test, seed=seed, scale=scale)
        print(f"\n{name}: {time.process_time() - started:.0f} CPU s, training and judging")
        for kept, mask in (("DS2", test.records == test.records), ("DS2 without 202", test.records != "202")):
            print(f"\n{name}, {kept}")
            table_ = metrics.classification_report(
                test.labels[mask], said[mask], patients=test.patients[mask], class_names=test.class_names
            )
            print(table_)
            print(f"rows: the class, columns: called\n{confusion_matrix(test.labels[mask], said[mask])}", flush=True)


def main(arguments=None):
    """Measure what is asked for."""
    names = [*MODELS, "RhythmNet, simulated patients added"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--source", choices=["simulated", "mitdb", "both"], default="both")
    parser.add_argument("--final", action="store_true", help="judge DS2, after the recipe is fixed")
    parser.add_argument("--quick", action="store_true", help="few patients, few steps: does it run?")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    patients, scale = (4, 0.01) if chosen.quick else (40, 1.0)
    options = {"seed": chosen.seed, "scale": scale}
    simulate = partial(
        data.load_beats, num_patients=patients, duration_s=60 if chosen.quick else 300, lead=SIMULATED, **CUT
    )
    simulated = simulate(seed=0)
    load = partial(data.load_beats, "mitdb", lead=REAL, **CUT)
    have_mitdb = (chosen.final or chosen.source != "simulated") and data.available("mitdb")
    if chosen.final:
        if have_mitdb:
            final(load(subset="DS1"), simulated, load(subset="DS2"), **options)
        return
    if chosen.source != "mitdb":
        table("SIMULATED patients", chosen.only, simulated, [(simulated, simulate(seed=2000))], **options)
    if have_mitdb:
        real = load(subset="DS1")
        table("MIT-BIH, DS1", chosen.only, real, by_folds(real), extra=simulated, **options)


if __name__ == "__main__":
    sys.exit(main())
