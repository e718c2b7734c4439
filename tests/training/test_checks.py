"""What is wrong is said before the training, or at its first batch."""

import functools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from medlearn import training
from medlearn.training.targets import target_check

INPUTS, TARGETS = torch.randn(8, 3), torch.arange(8) % 2
DATASET = TensorDataset(INPUTS, TARGETS)
LR = torch.optim.lr_scheduler


def fit(*, model=None, train=None, optimizer=None, **options):
    model = nn.Linear(3, 2) if model is None else model
    train = training.Batches(INPUTS, TARGETS) if train is None else train
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1) if optimizer is None else optimizer
    options = {"num_epochs": 1, "device": "cpu", "progress": False, **options}
    return training.fit(model, train, optimizer=optimizer, **options)


FOLD = training.Batches(INPUTS, TARGETS, shuffle=False)
OTHER = torch.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_epochs": 0}, "num_epochs must be a whole number of at least 1, got 0"),
        ({"num_epochs": 2.0}, "num_epochs must be a whole number"),
        ({"patience": 0, "validation": FOLD}, "patience must be a whole number of at least 1, got 0"),
        ({"patience": 2}, "patience needs validation: the training loss cannot tell"),
        ({"monitor": lambda outputs, targets: 1.0}, "a monitor needs validation"),
        ({"monitor": "accuracy", "validation": FOLD}, 'monitor must be "loss" or a function'),
        ({"monitor": lambda *_: float("nan"), "validation": FOLD}, "monitor returned nan, which names no best epoch"),
        ({"monitor": lambda *_: "high", "validation": FOLD}, "monitor must return one number"),
        ({"clip_norm": 0}, "clip_norm must be positive, got 0"),
        ({"clip_norm": float("nan")}, "clip_norm must be positive, got nan"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"loss": "cross_entropy"}, r"loss must be a function loss\(outputs, targets\), got 'cross_entropy'"),
        ({"loss": lambda *_: torch.ones(2)}, r"one number, the mean over the batch; it returned \(2,\)"),
        ({"loss": lambda *_: 1.0}, "the mean over the batch; it returned float"),
        ({"optimizer": OTHER}, "the optimizer holds no weight of this model"),
        ({"schedule": 0.1}, "schedule must be a torch LR scheduler or a function"),
        ({"schedule": LR.StepLR(OTHER, 1)}, "schedule moves the learning rate of another optimizer"),
        ({"train": INPUTS}, r"train is an array; wrap it with its targets"),
        ({"train": iter([])}, "train must be training.Batches"),
        ({"train": [INPUTS]}, r"a batch must be \(inputs, targets\), got Tensor"),
        ({"train": []}, "train has no batch"),
        ({"train": DataLoader(DATASET, batch_size=9, drop_last=True)}, "train has no batch. .* drop_last"),
        ({"validation": DataLoader(DATASET, batch_size=9, drop_last=True)}, "validation has no batch"),
        ({"mixed_precision": True}, "needs a CUDA device"),
    ],
)  # fmt: skip
def test_argument_that_makes_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        fit(**options)


class Spent:
    """A length, but nothing to go through."""

    def __len__(self):
        return 1

    def __iter__(self):
        return iter(())


@pytest.mark.parametrize("name", ["train", "validation"])
def test_loader_that_gives_nothing(name):
    with pytest.raises(ValueError, match=f"{name} gave no batch; a generator can be gone through only once"):
        fit(**{name: Spent()})


def test_model_without_weights_to_train():
    with pytest.raises(ValueError, match="ReLU has no weight to train"):
        fit(model=nn.ReLU(), optimizer=OTHER)
    with pytest.raises(ValueError, match="Linear has no weight to train: no parameter, or all of them are frozen"):
        fit(model=nn.Linear(3, 2).requires_grad_(False))


def test_optimizer_and_schedules_that_fit_cannot_drive():
    model = nn.Linear(3, 2)
    with pytest.raises(ValueError, match="LBFGS evaluates a batch several times"):
        fit(model=model, optimizer=torch.optim.LBFGS(model.parameters()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="ReduceLROnPlateau waits for a metric"):
        fit(model=model, optimizer=optimizer, schedule=LR.ReduceLROnPlateau(optimizer))
    with pytest.raises(ValueError, match=r"schedule ends after 3 steps, the training has 4: .* after each batch"):
        batches = training.Batches(INPUTS, TARGETS, batch_size=4)
        fit(model=model, train=batches, optimizer=optimizer, num_epochs=2, schedule=LR.OneCycleLR(optimizer, 1.0, 3))


def test_workers_that_outlive_an_epoch_contradict_a_checkpoint(tmp_path):
    loader = DataLoader(DATASET, num_workers=1, persistent_workers=True)
    with pytest.raises(ValueError, match="train has persistent_workers=True: they keep random numbers"):
        fit(train=loader, checkpoint=tmp_path / "run.pt")


# --- targets

LOGITS = torch.zeros(4, 3)


def check(loss, outputs, targets):
    target_check(loss)(outputs, targets, ranges=True)


@pytest.mark.parametrize("loss", [F.cross_entropy, nn.CrossEntropyLoss(), functools.partial(F.cross_entropy)])
@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0, 1, 2, 3], "the targets hold the class 3, and the network has 3 outputs, for the classes 0 to 2"),
        ([0, 1, -1, 2], "the targets hold the class -1"),
        ([0.0, 1, 1, 2], r"class numbers .* type int64; .* the targets \(4,\) of torch.float32. Give targets.long\(\)"),
        ([[0], [1], [1], [2]], r"the outputs have the shape \(4, 3\), the targets \(4, 1\) of torch.int64"),
    ],
)
def test_targets_that_cross_entropy_cannot_take(loss, targets, message):
    with pytest.raises(ValueError, match=message):
        check(loss, LOGITS, torch.tensor(targets))


def test_targets_that_cross_entropy_can_take():
    for loss in (F.cross_entropy, nn.CrossEntropyLoss(), functools.partial(F.cross_entropy)):
        check(loss, LOGITS, torch.tensor([0, 2, -100, 1]))  # -100 is left out by default
        check(loss, LOGITS, torch.full((4, 3), 1 / 3))
        check(loss, torch.zeros(4, 3, 5), torch.zeros(4, 5, dtype=torch.long))
    check(nn.CrossEntropyLoss(ignore_index=9), LOGITS, torch.tensor([0, 2, 9, 1]))
    check(functools.partial(F.cross_entropy, ignore_index=-1), LOGITS, torch.tensor([0, 2, -1, 1]))
    with pytest.raises(ValueError, match="the class -100"):
        check(nn.CrossEntropyLoss(ignore_index=9), LOGITS, torch.tensor([0, 2, -100, 1]))


def test_outputs_that_are_no_tensor():
    with pytest.raises(ValueError, match="the model must return the logits, a tensor; it returned a tuple"):
        fit(model=nn.LSTM(3, 2))


@pytest.mark.parametrize("loss", [F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss(), F.mse_loss, nn.MSELoss()])
def test_targets_of_losses_that_compare_number_by_number(loss):
    check(loss, torch.zeros(4), torch.ones(4))
    with pytest.raises(ValueError, match=r"shape \(4, 1\), the targets \(4,\) of torch.float32"):
        check(loss, torch.zeros(4, 1), torch.ones(4))
    with pytest.raises(ValueError, match=r"the targets \(4,\) of torch.int64. Give targets.float\(\)"):
        check(loss, torch.zeros(4), torch.ones(4, dtype=torch.long))


def test_loss_that_is_not_known_takes_what_it_takes():
    check(lambda outputs, targets: outputs, LOGITS, torch.zeros(2))


def test_wrong_class_is_named_by_fit():
    with pytest.raises(ValueError, match="the targets hold the class 1, and the network has 1 outputs"):
        fit(model=nn.Linear(3, 1))
    sequences = training.Batches(torch.zeros(4, 3, 5), torch.full((4, 5), 6))
    with pytest.raises(ValueError, match="the targets hold the class 6, and the network has 3 outputs"):
        fit(model=nn.Conv1d(3, 3, 1), train=sequences)
    with pytest.raises(ValueError, match="the targets hold the class 7"):
        fit(validation=training.Batches(INPUTS, torch.full((8,), 7)))


# --- batches and predict


def test_batches_give_every_item_once_in_an_order_that_the_seed_fixes():
    batches = training.Batches((INPUTS, np.arange(8.0)), TARGETS, batch_size=3)
    torch.manual_seed(0)
    first = [(inputs, targets) for inputs, targets in batches]
    torch.manual_seed(0)
    again = [(inputs, targets) for inputs, targets in batches]
    assert [len(targets) for _, targets in first] == [3, 3, 2] and len(batches) == 3
    order = torch.cat([numbers for (_, numbers), _ in first])
    assert order.dtype == torch.float32 and sorted(order.tolist()) == list(range(8)) != order.tolist()
    torch.testing.assert_close(torch.cat([signals for (signals, _), _ in first]), INPUTS[order.long()])
    torch.testing.assert_close(torch.cat([targets for _, targets in first]), TARGETS[order.long()])
    assert all(torch.equal(a[0][1], b[0][1]) for a, b in zip(first, again, strict=True))
    third = torch.cat([numbers for (_, numbers), _ in batches])
    assert third.tolist() != order.tolist()


def test_sample_weights_draw_in_proportion():
    # Weights 0, 1 and 3: of 30,000 draws 22,500 are expected to be of the last, with a standard deviation of 75.
    weights = torch.tensor([0.0, 1.0, 3.0]).repeat(10_000)
    torch.manual_seed(0)
    batches = training.Batches(torch.arange(3).repeat(10_000), torch.zeros(30_000), sample_weights=weights)
    drawn = torch.cat([inputs for inputs, _ in batches]).bincount()
    assert drawn[0] == 0 and abs(drawn[2] - 22_500) < 400 and drawn.sum() == 30_000


def test_augment_sees_the_inputs_and_not_the_targets():
    pair = training.Batches((INPUTS, INPUTS), TARGETS, augment=lambda a, b: (a + 1, b * 2), shuffle=False)
    (first, second), targets = next(iter(pair))
    torch.testing.assert_close(first, INPUTS + 1)
    torch.testing.assert_close(second, INPUTS * 2)
    single, _ = next(iter(training.Batches(INPUTS, TARGETS, augment=torch.neg, shuffle=False)))
    torch.testing.assert_close(single, -INPUTS)
    assert torch.equal(targets, TARGETS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": INPUTS[:7]}, r"the inputs have the shapes \[\(7, 3\)\], the targets \(8,\)"),
        ({"inputs": torch.tensor(1.0)}, "one entry for each item"),
        ({"inputs": INPUTS[:0], "targets": TARGETS[:0]}, "there is no item to train on"),
        ({"targets": np.array(list("NNNVNNSV"))}, "a network takes numbers, got an array of <U1"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"augment": 3}, "augment must be a function of the inputs, got int"),
        ({"sample_weights": [1.0, 2.0]}, r"one number for each of the 8 items .* shape \(2,\)"),
        ({"sample_weights": [-1.0] * 8}, "must be finite, not negative, and not all 0"),
        ({"sample_weights": [0.0] * 8}, "not all 0. Look for a class without items"),
        ({"sample_weights": [1.0] * 8, "shuffle": False}, "shuffle=False contradicts them"),
    ],
)
def test_batches_that_make_no_sense(options, message):
    options = {"inputs": INPUTS, "targets": TARGETS, **options}
    with pytest.raises(ValueError, match=message):
        training.Batches(options.pop("inputs"), options.pop("targets"), **options)


def test_predict_is_the_model_in_evaluation_mode():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()
    found = training.predict(model, INPUTS.numpy().astype(np.float64), batch_size=3)
    assert not model.training and not found.requires_grad
    torch.testing.assert_close(found, model(INPUTS))
    assert training.predict(nn.ReLU(), INPUTS).shape == (8, 3)  # no weights: on the CPU


@pytest.mark.parametrize("inputs", [INPUTS[:0], (INPUTS, INPUTS[:7])])
def test_predict_without_items_or_with_unequal_ones(inputs):
    with pytest.raises(ValueError, match="predict needs at least one item, inputs of one length"):
        training.predict(nn.Linear(3, 2), inputs)


def test_data_loader_takes_the_place_of_batches():
    signals, extra = INPUTS, INPUTS[:, :1]

    class Two(nn.Linear):
        def forward(self, signals, extra):
            return super().forward(signals) + extra

    for loader in (
        DataLoader(TensorDataset(signals, extra, TARGETS), batch_size=4, shuffle=True),
        DataLoader([((s, e), t) for s, e, t in zip(signals, extra, TARGETS, strict=True)], batch_size=4),
    ):
        assert fit(model=Two(3, 2), train=loader, num_epochs=2).train_loss.shape == (2,)


def test_importing_the_package_loads_no_framework():
    import subprocess
    import sys

    code = "import sys, medlearn.training; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
