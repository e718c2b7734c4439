"""benchmarks/nodule_networks.py: it looks at the test rows when it is told to, and only then."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from medlearn.data import Crops

PATH = Path(__file__).parents[2] / "benchmarks" / "nodule_networks.py"


@pytest.fixture
def benchmark(monkeypatch):
    spec = importlib.util.spec_from_file_location("benchmark_nodule_networks", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rng, rows = np.random.default_rng(0), np.arange(0, 50_000, 200)
    labels = (np.arange(250) % 3 == 0).astype(int)
    images_hu = rng.normal(-700, 200, (250, 50, 50)).astype(np.float32)
    images_hu[labels == 1, 20:30, 20:30] += 150
    crops = Crops(images_hu, labels, rows, rows // 1250, None)
    monkeypatch.setattr(module.data, "load_luna16_crops", lambda: crops)
    monkeypatch.setattr(module.data, "available", lambda name: True)
    monkeypatch.setattr(module, "LADDER", {n: (b, o | {"num_epochs": 1}) for n, (b, o) in module.LADDER.items()})
    module.judged = []
    judge = module.predict
    monkeypatch.setattr(
        module, "predict", lambda net, images, **k: (module.judged.append(images), judge(net, images, **k))[1]
    )
    return module


def test_ladder_judges_validation_rows_only(benchmark, capsys):
    benchmark.main(["--only", "seed network", "+ place weights"])
    development, _ = benchmark.data.load_luna16_crops().by_rows((0.85, 0.15))
    *_, validation = development.by_rows((0.8, 0.2))
    assert len(benchmark.judged) == 4
    assert all(np.array_equal(images, validation.images_hu) for images in benchmark.judged)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[-2:]] == ["| seed network", "| + place weights"]
    assert lines[-1].count("95 % CI") == 2 and "blocks)" in lines[-1]


def test_final_judges_the_last_rows(benchmark, capsys):
    benchmark.main(["--final"])
    _, test = benchmark.data.load_luna16_crops().by_rows((0.85, 0.15))
    assert len(benchmark.judged) == 4
    assert all(np.array_equal(images, test.images_hu) for images in benchmark.judged)
    said = capsys.readouterr().out
    assert f"TESTED on {len(test)} " in said
    assert "random forest" in said and "less the best by eight: " in said


def test_every_step_can_be_built(benchmark):
    for build, _ in benchmark.LADDER.values():
        assert sum(weights.numel() for weights in build().parameters()) > 1000


def test_without_the_crops_it_says_so_and_stops(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark.data, "available", lambda name: print("Not in the cache"))
    benchmark.main([])
    assert capsys.readouterr().out == "Not in the cache\n" and not benchmark.judged
