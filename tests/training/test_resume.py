"""A training that was killed goes on, and comes to the same weights, bit for bit."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from medlearn.training.checkpoint import read_checkpoint


def assert_same_run(found, expected):
    (model, optimizer, history), (model_2, optimizer_2, history_2) = found, expected
    for name, value in model_2.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    states = [optimizer.state_dict()["state"], optimizer_2.state_dict()["state"]]
    assert states[0].keys() == states[1].keys()
    for number, state in states[1].items():
        assert all(torch.equal(torch.as_tensor(value), torch.as_tensor(states[0][number][name])) for name, value in
                   state.items() if value is not None)  # fmt: skip
    for name in ("train_loss", "validation_loss", "score", "gradient_norm", "largest_gradient_norm"):
        np.testing.assert_array_equal(getattr(history, name), getattr(history_2, name), err_msg=name)
    assert (history.best_epoch, history.stopped_early) == (history_2.best_epoch, history_2.stopped_early)


@pytest.fixture(scope="module")
def uninterrupted(interrupted_run):
    torch.set_num_threads(1)
    return {kind: interrupted_run.train(kind, None) for kind in ("batches", "loader")}


# An epoch has 4 batches of training and 1 of validation. Batch 13 is the third of epoch 2; batch 2 dies before any
# checkpoint; the third write is that after epoch 2.
@pytest.mark.parametrize(
    ("kind", "death", "whole"),
    [("batches", "batch:13", 2), ("batches", "write:3", 2), ("batches", "batch:2", 0), ("loader", "batch:23", 4)],
)
def test_killed_run_comes_to_the_same_bits(kind, death, whole, interrupted_run, uninterrupted, tmp_path):
    path = tmp_path / "run.pt"
    command = [sys.executable, interrupted_run.__file__, kind, path, death]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert path.exists() == (whole > 0)
    if whole:
        assert len(read_checkpoint(path)["epochs"]["train_loss"]) == whole
    found = interrupted_run.train(kind, path)
    assert found[2].resumed_from == (whole or None)
    assert len(found[2].train_loss) == interrupted_run.NUM_EPOCHS
    assert_same_run(found, uninterrupted[kind])
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["run.pt"]


def test_run_killed_from_outside_comes_to_the_same_bits(interrupted_run, uninterrupted, tmp_path):
    path = tmp_path / "run.pt"
    process = subprocess.Popen([sys.executable, interrupted_run.__file__, "batches", path, "batch:9999"])
    end = time.monotonic() + 300
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)  # wherever it is; it may have ended
    process.wait()
    assert_same_run(interrupted_run.train("batches", path), uninterrupted["batches"])
