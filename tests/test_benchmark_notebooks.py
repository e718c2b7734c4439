"""benchmarks/notebooks.py: it sees the kernel's memory, its time, and a failure."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "notebooks.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_notebooks", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook(*sources):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def test_measure_sees_memory_that_is_freed_before_the_end_and_memory_of_children(benchmark):
    # 300 MB in the kernel and 200 MB in its child, at once, for half a second: the peak is more than 500 MB.
    hold = "import time; block = bytearray(b'x') * 200_000_000; time.sleep(2)"
    measured = benchmark.measure(
        notebook(
            f"import subprocess, sys, time\nchild = subprocess.Popen([sys.executable, '-c', {hold!r}])\ntime.sleep(1)",
            "block = bytearray(b'x') * 300_000_000\ntime.sleep(0.5)",
            "del block\nchild.wait()",
        )
    )
    assert measured.failure == ""
    assert 500 < measured.memory_mb < 900
    assert measured.seconds > 1.5  # the two sleeps, one after the other


def test_measure_leaves_out_what_runs_beside_it(benchmark):
    # such as the lab of the browser tests, in the same process tree
    other = [sys.executable, "-c", "block = bytearray(b'x') * 600_000_000; print(flush=True); input()"]
    with subprocess.Popen(other, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as beside:
        beside.stdout.readline()
        measured = benchmark.measure(notebook("import time\ntime.sleep(0.5)"))
        beside.communicate(b"\n")
    assert 20 < measured.memory_mb < 400


def test_measure_reports_a_failure(benchmark):
    measured = benchmark.measure(notebook("x = 1", "raise ValueError('no such slice')"))
    assert measured.failure == "ValueError: no such slice"


def test_row_shows_the_budget_the_ratio_and_what_is_over(benchmark):
    yardstick, budget = benchmark.Measurement(2.0, 300), {"seconds": 30, "memory_mb": 1500}
    rows = [
        benchmark.row("fine", benchmark.Measurement(9.0, 800), budget, yardstick),
        benchmark.row("slow", benchmark.Measurement(31.0, 1501), budget, yardstick),
        benchmark.row("broken", benchmark.Measurement(1.0, 100, "KeyError: 3"), budget, yardstick),
        benchmark.row("torch", yardstick, {}, yardstick),
    ]
    assert rows == [
        "| fine | 9.0 | 30 | 4.5 | 800 | 1500 | within |",
        "| slow | 31.0 | 30 | 15.5 | 1501 | 1500 | over: seconds, memory_mb |",
        "| broken | 1.0 | 30 | 0.5 | 100 | 1500 | failed: KeyError: 3 |",
        "| torch | 2.0 |  | 1.0 | 300 |  |  |",
    ]


def test_main_refuses_an_unknown_lesson(benchmark, capsys):
    with pytest.raises(SystemExit, match="2"):
        benchmark.main(["99_nothing"])
    assert "no lesson 99_nothing; the syllabus has 00_start_here" in capsys.readouterr().err
