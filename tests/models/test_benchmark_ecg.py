"""benchmarks/ecg_networks.py: it runs, it keeps patients apart, and it opens DS2 when it is told to, and only then."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medlearn import data

PATH = Path(__file__).parents[2] / "benchmarks" / "ecg_networks.py"
CUT = {"window_s": (0.4, 0.5), "sampling_rate_hz": 125, "classes": "AAMI4", "lead": ("MLII", "V1")}


@pytest.fixture
def benchmark(monkeypatch):
    spec = importlib.util.spec_from_file_location("benchmark_ecg_networks", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    few = data.load_beats(num_patients=4, duration_s=20, seed=0, **CUT)
    rng = np.random.default_rng(0)
    few = replace(few, labels=rng.permutation(np.arange(len(few)) % 4))  # every class everywhere
    module.loaded = []

    def load(source="simulated", *, subset=None, seed=None, **_):
        module.loaded.append(subset if source == "mitdb" else seed)
        names = {"DS1": ("209", "201", "207", "208"), "DS2": ("202", "100", "103", "105")}.get(subset)
        names = names or [f"simulated/{seed + k}" for k in range(4)]
        renamed = np.select([few.records == record for record in np.unique(few.records)], names, default="")
        return replace(few, records=renamed, patients=renamed)

    monkeypatch.setattr(module.data, "load_beats", load)
    monkeypatch.setattr(module.data, "available", lambda name: True)
    return module


def rows(said):
    return [line.split(" | ")[:2] for line in said.splitlines() if line.startswith("| ") and " (" in line]


def test_table_judges_every_model_on_other_beats_and_other_patients(benchmark, capsys):
    benchmark.main(["--quick"])
    assert benchmark.loaded == [0, 2000, "DS1"]
    said = rows(capsys.readouterr().out)
    twice = [[f"| {name}", kind] for name in benchmark.MODELS for kind in ("other beats", "other patients")]
    assert said == [*twice, *twice, ["| RhythmNet, simulated patients added", "other patients"]]


def test_final_opens_ds2_with_and_without_the_person_of_both(benchmark, capsys):
    benchmark.main(["--quick", "--final"])
    assert benchmark.loaded == [0, "DS1", "DS2"]
    said = capsys.readouterr().out
    for name in ("random forest", "three RhythmNets, real and simulated patients"):
        assert said.count(f"\n{name}, DS2\n") == said.count(f"\n{name}, DS2 without 202\n") == 1
    assert said.count("of 4 patients") == said.count("of 3 patients") == 2


def test_halves_cover_what_is_judged(benchmark):
    beats = benchmark.data.load_beats(seed=0)
    training, hidden = benchmark.halves(beats, seed=0)
    assert (training.labels[hidden] == -1).all() and (training.labels[~hidden] == beats.labels[~hidden]).all()
    assert 0.4 < hidden.mean() < 0.6


def test_folds_hold_each_record_of_ds1_once(benchmark):
    from medlearn.data.ecg_classes import DS1

    assert sorted(name for fold in benchmark.FOLDS for name in fold) == sorted(DS1)


def test_rules_by_hand(benchmark):
    # Usual; early with a full pause (0.6 + 1.4 = 2); early without (0.7 + 1.0 = 1.7).
    test = replace(
        benchmark.data.load_beats(seed=0).select(np.arange(3)),
        rr_s=np.array([[1, 1, 1, 1], [0.6, 1.4, 1, 1], [0.7, 1.0, 1, 1]]),
    )
    assert benchmark.rr_rules(None, test).tolist() == [0, 2, 1]


def test_networks_for_beats_take_sequences(benchmark):
    signals, rr = torch.zeros(2, 3, 112, 2), torch.zeros(2, 3, 3)
    assert all(build()(signals, rr).shape == (2, 3, 4) for build, _ in benchmark.NETWORKS.values())
