"""benchmarks/metrics.py: the truths of its simulated studies are true, and it prints what it found."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from medlearn import metrics

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(FOLDER))  # as for a script, which finds the modules beside it
    spec = importlib.util.spec_from_file_location("benchmark_metrics", FOLDER / "metrics.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its workers look it up by name
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(FOLDER))


@pytest.mark.parametrize("name", ["lesions", "screening", "rare", "one image"])
def test_truths_agree_with_twenty_thousand_simulated_patients(benchmark, name):
    scenario = benchmark.SCENARIOS[name]
    labels, scores, patients = benchmark.simulate(scenario, np.random.default_rng(2), num_patients=20_000)
    values = {"auc": scores, "average_precision": scores}
    values |= dict.fromkeys(benchmark.PREDICTED, scores >= scenario.threshold)
    for score, truth in benchmark.truths(scenario).items():
        function = getattr(metrics, f"{score}_score", None) or metrics.expected_calibration_error
        given = values.get(score, benchmark.probability(scenario, scores))
        got = function(labels, given, patients=patients, level=0.9999)
        assert got.low <= truth <= got.high, score
        assert got.high - got.low < 0.06
    other = benchmark.second_scores(scenario, labels, scores, patients, np.random.default_rng(3))
    difference = metrics.compare_auc(labels, scores, other, patients=patients, level=0.9999).difference
    assert difference.low <= benchmark.true_difference(scenario) <= difference.high


def test_coverage_prints_a_row_for_every_score(benchmark, capsys):
    code = benchmark.main(["--only", "coverage", "--studies", "2", "--workers", "1"])
    said = capsys.readouterr().out
    assert code in (0, 1) and said.count("| average_precision |") == 4 and "Chance moves a share of 2 studies" in said


def test_speed_measures_equality_too(benchmark, capsys):
    benchmark.resampling_speed(num_cases=300, num_resamples=20)
    benchmark.delong_speed(sizes=(1000,))
    said = capsys.readouterr().out
    assert float(said.split("largest difference ")[1].split()[0]) <= 1e-12 and "DeLong of 1,000 cases" in said
