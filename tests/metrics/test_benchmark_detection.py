"""The benchmark of the detector: its simulated studies have the FROC curve that it takes for the truth."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from medlearn import metrics

PATH = Path(__file__).parents[2] / "benchmarks" / "nodule_detection.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("nodule_detection", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_true_sensitivity_is_that_of_many_scans(benchmark):
    # 1,500 scans hold about 4,000 nodules: a standard error of about 0.01, with the scans' own level.
    scans = benchmark.simulate_study(np.random.default_rng(1), 2.0, 1500)
    curve = metrics.froc(scans, num_resamples=100)
    found = [float(estimate) for estimate in (*curve.at_rates, curve.cpm)]
    np.testing.assert_allclose(found, benchmark.true_sensitivity(2.0), atol=0.035)


def test_coverage_prints_a_line_for_each_method(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "STUDIES", {"few": (2.0, 8)})
    assert 0 <= benchmark.coverage(2) <= 1
    said = capsys.readouterr().out
    assert all(f"| few | {name} |" in said for name in ("truth", "logit", "percentile", "bca"))
