"""Checkpoints: more epochs, every schedule, and files that do not fit."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from medlearn import training
from medlearn.training import checkpoint as checkpoints

INPUTS = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
TARGETS = (INPUTS.sum(dim=1) > 0).long()
FOLD = training.Batches(INPUTS[16:], TARGETS[16:], shuffle=False)


def network(hidden=4):
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(3, hidden), nn.BatchNorm1d(hidden), nn.Dropout(0.2), nn.Linear(hidden, 2))


def fit(path, num_epochs, *, model=None, optimizer=None, make_schedule=None, lr=0.1, batch_size=4, data=16, **options):
    """Train with 4 batches an epoch."""
    model = network() if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9) if optimizer is None else optimizer
    chosen = data if isinstance(data, slice) else slice(data)
    batches = training.Batches(INPUTS[chosen], TARGETS[chosen], batch_size=batch_size)
    if make_schedule is not None:
        options["schedule"] = make_schedule(optimizer)
    options = {"checkpoint": path, "device": "cpu", "progress": False, **options}
    return model, training.fit(model, batches, optimizer=optimizer, num_epochs=num_epochs, **options)


def assert_equal_weights(model, other):
    for name, value in other.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


def test_more_epochs_go_on_where_the_run_ended(tmp_path):
    fit(tmp_path / "run.pt", 2, validation=FOLD)
    model, history = fit(tmp_path / "run.pt", 5, validation=FOLD)
    expected, expected_history = fit(None, 5, validation=FOLD)
    assert_equal_weights(model, expected)
    np.testing.assert_array_equal(history.validation_loss, expected_history.validation_loss)
    assert (history.resumed_from, expected_history.resumed_from) == (2, None)


def test_more_epochs_with_the_same_objects_as_in_a_notebook(tmp_path):
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    fit(tmp_path / "run.pt", 2, model=model, optimizer=optimizer, validation=FOLD)
    fit(tmp_path / "run.pt", 5, model=model, optimizer=optimizer, validation=FOLD)
    other = network()
    fit(None, 5, model=other, optimizer=torch.optim.Adam(other.parameters(), lr=0.05), validation=FOLD)
    assert_equal_weights(model, other)


def test_more_epochs_with_the_same_objects_and_a_schedule(tmp_path):
    # after two epochs the optimizer's own rate is half of what it was built with: that is no other setting
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for num_epochs in (2, 4):
        fit(tmp_path / "run.pt", num_epochs, model=model, optimizer=optimizer, schedule=half)
    other = network()
    fit(None, 4, model=other, optimizer=torch.optim.Adam(other.parameters(), lr=0.05), schedule=half)
    assert_equal_weights(model, other)


def half(fraction):
    return 0.5


def test_finished_run_gives_its_best_weights_at_once(tmp_path):
    expected, before = fit(tmp_path / "run.pt", 4, validation=FOLD)
    model, history = fit(tmp_path / "run.pt", 4, validation=FOLD)
    assert_equal_weights(model, expected)
    assert history.resumed_from == 4 and history.best_epoch == before.best_epoch
    np.testing.assert_array_equal(history.seconds, before.seconds)  # no epoch was run again


def test_run_out_of_patience_goes_on_with_more(tmp_path):
    options = {"validation": FOLD, "lr": 3.0}
    _, first = fit(tmp_path / "run.pt", 12, patience=1, **options)
    assert first.stopped_early and len(first.score) < 12
    _, again = fit(tmp_path / "run.pt", 12, patience=1, **options)
    assert again.stopped_early and len(again.score) == len(first.score)
    model, history = fit(tmp_path / "run.pt", 12, patience=None, **options)
    assert_equal_weights(model, fit(None, 12, **options)[0])
    assert not history.stopped_early


def warm_then_decay(optimizer):
    lr = torch.optim.lr_scheduler
    parts = [lr.LinearLR(optimizer, 0.1, total_iters=5), lr.ExponentialLR(optimizer, 0.9)]
    return lr.SequentialLR(optimizer, parts, milestones=[5])


@pytest.mark.parametrize(
    "make_schedule",
    [
        lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 3),
        lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 9]),
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16),
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2),
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=16),
        lambda optimizer: torch.optim.lr_scheduler.CyclicLR(optimizer, 0.01, 0.1, step_size_up=3),
        lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step)),
        warm_then_decay,
    ],
)
def test_every_schedule_goes_on(make_schedule, tmp_path):
    fit(tmp_path / "run.pt", 2, make_schedule=make_schedule)
    model, _ = fit(tmp_path / "run.pt", 4, make_schedule=make_schedule)
    assert_equal_weights(model, fit(None, 4, make_schedule=make_schedule)[0])


def test_function_as_schedule_is_stretched_over_more_epochs(tmp_path):
    # Rates of a line from 1 to 0: first of 8 steps in two epochs, then, from step 8 on, of 16: 1/2, 7/16, ... 1/16.
    fit(tmp_path / "run.pt", 2, schedule=lambda fraction: 1 - fraction)
    seen = []

    def line(fraction):
        seen.append(fraction)
        return 1 - fraction

    line.__name__ = "<lambda>"
    fit(tmp_path / "run.pt", 4, schedule=line)
    assert seen[1:] == [step / 16 for step in range(9, 17)]  # the first call is that of step 0, when it is built


def test_resumed_weights_of_training_are_the_last_ones_not_the_best(tmp_path):
    scores = iter([5.0, 1.0, 2.0, 3.0])
    monitor = lambda outputs, targets: next(scores)  # noqa: E731 - the name is in the fingerprint
    fit(tmp_path / "run.pt", 2, validation=FOLD, monitor=monitor)
    model, history = fit(tmp_path / "run.pt", 4, validation=FOLD, monitor=monitor)
    assert history.best_epoch == 0
    assert_equal_weights(model, fit(None, 1)[0])
    last = checkpoints.read_checkpoint(tmp_path / "run.pt")["weights"]
    assert all(torch.equal(value, last[name]) for name, value in fit(None, 4)[0].state_dict().items())


# --- files that do not fit


@pytest.fixture
def path(tmp_path):
    fit(tmp_path / "run.pt", 1)
    return tmp_path / "run.pt"


def assert_refused(path, message, **options):
    """The checkpoint, the model and the optimizer stay as they were."""
    before, model = path.read_bytes(), options.pop("model", None) or network()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = options.pop("optimizer", torch.optim.SGD)(model.parameters(), lr=options.pop("lr", 0.1), momentum=0.9)
    with pytest.raises(ValueError, match=message):
        fit(path, 3, model=model, optimizer=optimizer, **options)
    assert path.read_bytes() == before and not optimizer.state
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert [each.name for each in path.parent.iterdir() if each.is_file()] == [path.name]


def test_other_network_is_refused(path):
    assert_refused(path, r"0.weight has the shape \(4, 3\) in the file, \(5, 3\) in this Seq", model=network(hidden=5))
    bare = nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Identity(), nn.Linear(4, 2))
    assert_refused(path, r"1.weight has the shape \(4,\) in the file, missing in this Sequential", model=bare)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.2}, r"group 0: learning rate was 0.1, now it is 0.2\. Nothing was changed"),
        ({"seed": 1}, "seed was 0, now it is 1"),
        ({"clip_norm": 1.0}, "clip_norm was None, now it is 1.0"),
        ({"loss": nn.CrossEntropyLoss()}, "loss was cross_entropy, now it is CrossEntropyLoss"),
        ({"batch_size": 8}, "training data: batches was 4, now it is 2; training data: batch_size was 4, now it is 8"),
        ({"data": 15}, "training data: checksum was"),
        ({"validation": FOLD}, "validation data: batches was None, now it is 1"),
        ({"schedule": lambda fraction: 1.0}, "schedule: kind was None, now it is <lambda>"),
        ({"optimizer": torch.optim.RMSprop}, "optimizer was SGD, now it is RMSprop"),
    ],
)
def test_other_settings_are_refused(path, options, message):
    assert_refused(path, message, **options)


def test_other_fold_of_the_same_size_is_refused(path):
    assert_refused(path, "checksum", data=slice(1, 17))


def test_other_inputs_with_the_same_targets_are_refused(path, monkeypatch):
    monkeypatch.setitem(globals(), "INPUTS", INPUTS + 1)
    assert_refused(path, "checksum")


def test_other_length_of_a_schedule_is_refused(tmp_path):
    def cosine(steps):
        return lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    fit(tmp_path / "run.pt", 2, make_schedule=cosine(8))
    with pytest.raises(ValueError, match="schedule: T_max was 8, now it is 16"):
        fit(tmp_path / "run.pt", 4, make_schedule=cosine(16))


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
def test_truncated_file_is_refused(path, part):
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    assert_refused(path, r"run.pt \([\d,]+ bytes\) is no whole checkpoint: .* Remove it, or give another path")


def test_flipped_bit_in_the_weights_is_refused(path):
    content = bytearray(path.read_bytes())
    weights = network_bytes(path)
    content[content.index(weights) + 5] ^= 1
    path.write_bytes(content)
    assert_refused(path, "is no whole checkpoint: the checksum of .* is wrong")


def network_bytes(path):
    return checkpoints.read_checkpoint(path)["weights"]["0.weight"].numpy().tobytes()


class Stranger:
    def __reduce__(self):
        return print, ("this code ran",)


@pytest.mark.parametrize("content", [{"weights": 1}, [1, 2], Stranger()])
def test_other_files_are_refused_and_run_no_code(path, content, capsys):
    torch.save(content, path)
    assert_refused(path, "is no (whole )?checkpoint")
    path.write_bytes(pickle.dumps(content))
    assert_refused(path, "is no whole checkpoint")
    assert "this code ran" not in capsys.readouterr().out


def test_full_disk_leaves_the_former_checkpoint(path, monkeypatch):
    before = path.read_bytes()

    def full(state, stream):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        fit(path, 3)
    assert path.read_bytes() == before and [each.name for each in path.parent.glob("*.p*")] == ["run.pt"]


def test_diverging_run_leaves_the_former_checkpoint(path):
    before = path.read_bytes()
    calls = iter(range(100))

    def cross_entropy(outputs, targets):
        return nn.functional.cross_entropy(outputs, targets) * (float("nan") if next(calls) == 2 else 1.0)

    with pytest.raises(FloatingPointError, match="epoch 1, step 2"):
        fit(path, 3, loss=cross_entropy)
    assert path.read_bytes() == before


def test_state_that_needs_code_is_refused_when_it_is_written(tmp_path):
    model = network()
    optimizer = torch.optim.SGD([{"params": model.parameters(), "note": Stranger}], lr=0.1)
    with pytest.raises(ValueError, match=r"run.pt cannot be read again: it holds an object, .* of the optimizer"):
        fit(tmp_path / "run.pt", 1, model=model, optimizer=optimizer)
    assert not list(tmp_path.glob("*.p*"))


def test_path_of_a_checkpoint_is_checked_before_the_training(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint must be a file, .* is a folder; give such as .*run.pt"):
        fit(tmp_path, 1)
    fit(tmp_path / "new" / "folder" / "run.pt", 1)
    assert (tmp_path / "new" / "folder" / "run.pt").exists()


def test_folder_that_cannot_be_written_to_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints.os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(ValueError, match="that folder cannot be written to"):
        fit(tmp_path / "run.pt", 1)
