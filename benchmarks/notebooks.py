"""Measure each notebook in a kernel of its own: ``python benchmarks/notebooks.py [LESSON ...]``.

Prints a table in markdown: wall-clock seconds and peak memory beside the budget from ``course/syllabus.yml``. The first
row is a kernel that only imports PyTorch, as a yardstick for the machine. Memory is the resident memory of the kernel
and its children, looked at ten times a second; what two looks in a row saw counts, so a shorter peak can escape.
"""

import argparse
import os
import re
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import yaml
from nbclient import NotebookClient
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class Measurement:
    """What one notebook took; ``failure`` is the last line of the exception, where one stopped it."""

    seconds: float
    memory_mb: float
    failure: str = ""


def measure(notebook):
    """Run a notebook from top to bottom in a fresh kernel, in an empty folder.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    Measurement
    """
    failure = ""
    with tempfile.TemporaryDirectory() as folder, PeakMemory() as memory:
        started = time.perf_counter()
        client = NotebookClient(notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": folder}})
        try:
            client.execute()
        except Exception as error:  # one notebook that fails does not keep the others from being measured
            failure = re.sub(r"\x1b\[[\d;]*m", "", str(error)).strip().splitlines()[-1]
        seconds = time.perf_counter() - started
    return Measurement(seconds, memory.peak_mb, failure)


class PeakMemory(threading.Thread):
    """Watch the memory of the child processes that are started between ``with`` and its end."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self._done = threading.Event()
        self._others = {child.pid for child in psutil.Process().children(recursive=True)}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self.join()

    def run(self):
        before = {}
        while not self._done.wait(SECONDS_BETWEEN_LOOKS):
            ours = [child for child in psutil.Process().children(recursive=True) if child.pid not in self._others]
            now = {child.pid: _resident_mb(child) for child in ours}
            # A process that was started this moment still shows its parent's memory: what counts was there twice.
            held = sum(min(megabytes, before.get(pid, 0.0)) for pid, megabytes in now.items())
            self.peak_mb, before = max(self.peak_mb, held), now


def _resident_mb(process):
    try:
        return process.memory_info().rss / 1e6
    except psutil.Error:  # it has ended since it was listed
        return 0.0


def row(name, measured, budget, yardstick):
    """Write one row of the table.

    Parameters
    ----------
    name : str
    measured : Measurement
    budget : dict
        ``seconds`` and ``memory_mb``; empty for the yardstick.
    yardstick : Measurement
    """
    over = [key for key, most in budget.items() if getattr(measured, key) > most]
    state = f"failed: {measured.failure}" if measured.failure else f"over: {', '.join(over)}" if over else "within"
    cells = [
        name,
        f"{measured.seconds:.1f}",
        str(budget.get("seconds", "")),
        f"{measured.seconds / yardstick.seconds:.1f}",
        f"{measured.memory_mb:.0f}",
        str(budget.get("memory_mb", "")),
        state if budget else "",
    ]
    return f"| {' | '.join(cells)} |"


def main(arguments=None):
    """Measure the chosen lessons and print the table; the exit code is 1 if a notebook failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="such as 02_convolution; all of the syllabus if left out")
    chosen = parser.parse_args(arguments).lessons
    syllabus = yaml.safe_load((ROOT / "course" / "syllabus.yml").read_text(encoding="utf-8"))
    budgets = {f"{lesson['number']}_{lesson['slug']}": lesson["budget"] for lesson in syllabus["lessons"]}
    if unknown := set(chosen) - set(budgets):
        parser.error(f"no lesson {', '.join(sorted(unknown))}; the syllabus has {', '.join(budgets)}")
    with tempfile.TemporaryDirectory() as home:
        os.environ["MEDLEARN_HOME"] = home  # a learner's own progress is left alone
        rows, failed = _measure_lessons({name: budgets[name] for name in chosen or budgets})
    print("| Notebook | Seconds | Budget | Times `import torch` | Peak MB | Budget | |\n|---|--:|--:|--:|--:|--:|---|")
    print("\n".join(rows))
    return int(failed)


def _measure_lessons(budgets):
    yardstick = measure(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import torch")]))
    rows, failed = [row("import torch", yardstick, {}, yardstick)], False
    with tqdm(budgets.items(), unit="lesson") as bar:
        for name, budget in bar:
            bar.set_description(name)
            measured = measure(nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4))
            rows.append(row(name, measured, budget, yardstick))
            failed |= bool(measured.failure)
    return rows, failed


if __name__ == "__main__":
    sys.exit(main())
