"""Measure what training.fit costs over a bare loop: ``python benchmarks/training.py [--repeats N]``.

Both do the same: the order of the items, the batches, the loss as a number at each step. They run in turns, one epoch
each, and the ratio is that of CPU seconds, pair by pair: its median, and the range of its middle half. Bare against
bare shows how far this machine can tell two equal things apart. The last line is what one checkpoint costs.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from medlearn import training

BATCH_SIZE = 64


class BeatLSTM(nn.Module):
    """An LSTM that reads a beat and answers from its last output."""

    def __init__(self, units):
        super().__init__()
        self.lstm = nn.LSTM(1, units, batch_first=True)
        self.head = nn.Linear(units, 5)

    def forward(self, signals):
        return self.head(self.lstm(signals)[0][:, -1])


#: Each case: how to build the network, the number of beats, the samples in each, and of how many epochs a run is.
CASES = {
    "LSTM of 64 units, 2,048 beats of 187 samples": (lambda: BeatLSTM(64), 2048, 187, 1),
    "LSTM of 8 units, 2,048 beats of 20 samples": (lambda: BeatLSTM(8), 2048, 20, 4),
    "one layer of 20 weights a class": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(20, 5)), 2048, 20, 10),
}


def bare(model, inputs, targets, num_epochs):
    """Train as a lesson's first loop does."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(num_epochs):
        losses = []
        for chosen in torch.randperm(len(inputs)).split(BATCH_SIZE):
            loss = F.cross_entropy(model(inputs[chosen]), targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())


def fit(model, inputs, targets, num_epochs, **options):
    """Train by fit."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = training.Batches(inputs, targets, batch_size=BATCH_SIZE)
    options = {"num_epochs": num_epochs, "device": "cpu", "progress": False, **options}
    training.fit(model, batches, optimizer=optimizer, **options)


def seconds_of(train, build, *arguments):
    """Return the CPU seconds of one training of a fresh network."""
    torch.manual_seed(0)
    model = build()
    start = time.process_time()
    train(model, *arguments)
    return time.process_time() - start


def ratios(build, num_beats, samples, num_epochs, *, repeats):
    """Return the CPU seconds of fit over those of the bare loop, and of the bare loop over itself, for each repeat."""
    torch.manual_seed(0)
    data = torch.randn(num_beats, samples, 1), torch.randint(5, (num_beats,)), num_epochs
    for train in (bare, fit):  # once to warm up
        seconds_of(train, build, *data)
    times = []
    for repeat in range(repeats):
        order = (bare, fit, bare) if repeat % 2 == 0 else (bare, bare, fit)
        found = [(train, seconds_of(train, build, *data)) for train in order]
        times.append([seconds for train, seconds in found if train is bare] + [s for train, s in found if train is fit])
    first, second, fitted = np.array(times).T
    return fitted / ((first + second) / 2), second / first, np.median(first)


def checkpoint_seconds(repeats):
    """Return the seconds that pass while one checkpoint of the first case's network is written."""
    data = torch.randn(64, 187, 1), torch.randint(5, (64,))
    with tempfile.TemporaryDirectory() as folder:
        starts = []
        for path in (None, Path(folder) / "run.pt"):
            start = time.perf_counter()
            fit(BeatLSTM(64), *data, repeats, checkpoint=path)
            starts.append(time.perf_counter() - start)
    return (starts[1] - starts[0]) / repeats


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, one thread, {repeats} repeats; ratios of CPU seconds: median (middle half)")
    for name, case in CASES.items():
        fitted, bare_again, seconds = ratios(*case, repeats=repeats)
        low, high = np.quantile(fitted, [0.25, 0.75])
        print(f"{name:46s} bare {seconds:6.3f} s   fit / bare {np.median(fitted):.3f} ({low:.3f} to {high:.3f})"
              f"   bare / bare {np.median(bare_again):.3f}")  # fmt: skip
    print(f"one checkpoint of the LSTM of 64 units: {1000 * checkpoint_seconds(20):.0f} ms")


if __name__ == "__main__":
    main()
