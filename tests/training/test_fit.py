"""The loop against a bare one, and against arithmetic by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from medlearn import training
from medlearn.training import loop
from medlearn.training.precision import Precision, choose_precision


def test_fit_does_what_a_bare_loop_does(interrupted_run):
    signals, extra, targets = interrupted_run.data()

    def fresh():
        torch.manual_seed(1)
        model = interrupted_run.Net()
        return model, torch.optim.AdamW(model.parameters(), lr=0.01)

    model, optimizer = fresh()
    losses = []
    for epoch in range(4):
        number = int(np.random.SeedSequence((7, epoch)).generate_state(1, np.uint64)[0]) // 2
        torch.manual_seed(number)
        order, total = torch.randperm(90), 0.0
        model.train()
        for start in range(0, 90, 16):
            chosen = order[start : start + 16]
            loss = F.cross_entropy(model(signals[chosen], extra[chosen]), targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.3)
            optimizer.step()
            total += loss.item() * len(chosen)
        losses.append(total / 90)
    model_2, optimizer_2 = fresh()
    batches = training.Batches((signals, extra), targets, batch_size=16)
    options = {"num_epochs": 4, "clip_norm": 0.3, "seed": 7, "device": "cpu", "progress": False}
    history = training.fit(model_2, batches, optimizer=optimizer_2, **options)
    for name, value in model.state_dict().items():
        assert torch.equal(value, model_2.state_dict()[name]), name
    np.testing.assert_allclose(history.train_loss, losses, rtol=1e-14)
    assert history.best_epoch is None and not history.stopped_early and np.isnan(history.validation_loss).all()


class Slope(nn.Module):
    """w x, from w = 0; the batch normalisation is there for its running mean only."""

    def __init__(self, size=1):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(size))
        self.norm = nn.BatchNorm1d(size, affine=False, momentum=None)

    def forward(self, x):
        self.norm(x)
        return x @ self.w


class SlopeWithoutNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x @ self.w


def product(outputs, targets):
    return (outputs * targets).mean()


def fit_slope(model, inputs, targets, *, learning_rate=1.0, batch_size=2, **options):
    batches = training.Batches(torch.tensor(inputs), torch.tensor(targets), batch_size=batch_size, shuffle=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    options = {"loss": product, "optimizer": optimizer, "device": "cpu", "progress": False, **options}
    return training.fit(model, batches, **options)


def test_clip_norm_shortens_the_gradient_and_records_its_norm():
    # loss = w x over two equal items x = (3, 4): the gradient is (3, 4), its norm 5. Clipped to 2: (1.2, 1.6).
    for clip_norm, expected in ((2.0, [-1.2, -1.6]), (10.0, [-3.0, -4.0]), (math.inf, [-3.0, -4.0])):
        model = Slope(2)
        history = fit_slope(model, [[3.0, 4.0]] * 2, [1.0] * 2, num_epochs=1, clip_norm=clip_norm)
        torch.testing.assert_close(model.w.data, torch.tensor(expected), atol=1e-5, rtol=0)
        assert history.gradient_norm == pytest.approx([5.0])
    assert np.isnan(fit_slope(Slope(2), [[3.0, 4.0]] * 2, [1.0] * 2, num_epochs=1).gradient_norm).all()


def test_history_means_over_items_and_norms_over_steps():
    # Batches (1, 1) and (4): w goes 0 -> -1 -> -5. Losses 0 (two items) and 4 * -1 (one item): mean -4/3.
    # Gradients 1 and 4: mean 2.5, largest 4. Validation with w = -5 on x = 2: -10.
    validation = training.Batches(torch.tensor([[2.0], [2.0]]), torch.ones(2), shuffle=False)
    model = Slope()
    inputs = [[1.0], [1.0], [4.0], [4.0]]
    history = fit_slope(model, inputs, [1.0] * 4, num_epochs=1, clip_norm=100.0, validation=validation)
    assert model.w.item() == -5 and history.train_loss == pytest.approx([-2.0])
    assert (history.gradient_norm[0], history.largest_gradient_norm[0]) == (2.5, 4.0)
    assert history.validation_loss == pytest.approx([-10.0]) and history.seconds[0] > 0


def test_train_loss_counts_a_smaller_last_batch_by_its_items():
    # Two items of x = 1 with w = 0, then one of x = 4 with w = -1: (0 + 0 - 4) / 3.
    history = fit_slope(SlopeWithoutNorm(), [[1.0], [1.0], [4.0]], [1.0] * 3, num_epochs=1)
    assert history.train_loss == pytest.approx([-4 / 3])


@pytest.mark.parametrize(
    ("scores", "patience", "best", "epochs"),
    [
        ([1.0, 3.0, 2.0, 2.5, 9.0], 2, 1, 4),  # epochs 2 and 3 are no better than epoch 1: over before the 9
        ([1.0, 3.0, 3.0, 3.0, 9.0], 2, 1, 4),  # an equal score is no better; the first of equals is kept
        ([1.0, 3.0, 2.0, 4.0, 2.0], 2, 3, 5),  # epoch 3 came in time
        ([5.0, 3.0, 2.0, 4.0, 2.0], None, 0, 5),
    ],
)
def test_early_stopping_keeps_the_best_epoch(scores, patience, best, epochs):
    # One step an epoch: the gradient is 1, so w is -1 after epoch 0, -2 after epoch 1, ... The running mean of the
    # normalisation sees x = 1 in each epoch: its count of batches is the number of epochs.
    model, script = Slope(), iter(scores)
    validation = training.Batches(torch.ones(2, 1), torch.ones(2), shuffle=False)
    history = fit_slope(
        model, [[1.0]] * 2, [1.0] * 2, num_epochs=5, validation=validation, patience=patience,
        monitor=lambda outputs, targets: next(script),
    )  # fmt: skip
    assert (history.best_epoch, len(history.score), history.stopped_early) == (best, epochs, epochs < 5)
    assert model.w.item() == -(best + 1)
    assert model.norm.num_batches_tracked.item() == best + 1
    assert history.score.tolist() == scores[:epochs]


def test_lowest_validation_loss_is_best():
    # The training pushes w down by 1 an epoch; the validation target -1 makes its loss -w: 1, 2, 3. Epoch 0 is best.
    validation = training.Batches(torch.ones(2, 1), -torch.ones(2), shuffle=False)
    model = Slope()
    history = fit_slope(model, [[1.0]] * 2, [1.0] * 2, num_epochs=3, validation=validation)
    assert history.validation_loss.tolist() == [1.0, 2.0, 3.0]
    assert (history.best_epoch, model.w.item()) == (0, -1.0)
    assert repr(history).startswith("History of 3 epochs, the best is number 0 (from 0): training loss -2")


def test_monitor_sees_all_of_the_validation_set_in_its_order():
    seen = []

    def look(outputs, targets):
        seen.append((outputs.tolist(), targets.tolist(), outputs.requires_grad))
        return 1.0

    validation = training.Batches(
        torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([5.0, 6, 7]), shuffle=False, batch_size=2
    )
    history = fit_slope(Slope(), [[1.0]] * 2, [1.0] * 2, num_epochs=1, validation=validation, monitor=look)
    assert seen == [([-1.0, -2.0, -3.0], [5.0, 6.0, 7.0], False)]
    # over items, not batches of 2 and 1: (-1 * 5 - 2 * 6 - 3 * 7) / 3
    assert history.validation_loss == pytest.approx([-38 / 3])


def test_schedule_moves_after_each_step():
    # Two epochs of two batches, gradient 1 each. A function sees 0, 1/4, 2/4, 3/4: rates 1, 0.75, 0.5, 0.25, sum 2.5.
    # LinearLR from 1 to 0 in four steps does the same; stepped once an epoch it would sum to 1 + 1 + 0.75 + 0.75.
    options = {"num_epochs": 2, "batch_size": 2}
    model = Slope()
    fit_slope(model, [[1.0]] * 4, [1.0] * 4, schedule=lambda fraction: 1 - fraction, **options)
    assert model.w.item() == -2.5
    model = Slope()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    linear = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=4)
    fit_slope(model, [[1.0]] * 4, [1.0] * 4, schedule=linear, optimizer=optimizer, **options)
    assert model.w.item() == -2.5


def test_fit_leaves_the_callers_random_numbers_alone(interrupted_run):
    torch.manual_seed(11)
    model = interrupted_run.Net()
    signals, extra, targets = interrupted_run.data()
    before, before_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = training.Batches((signals, extra), targets)
    training.fit(model, batches, optimizer=optimizer, num_epochs=2, device="cpu", progress=False)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == before_numpy).all()  # noqa: NPY002
    assert not model.training


def test_fit_depends_on_the_seed_and_not_on_the_callers_generator(interrupted_run):
    def weights(seed, global_seed):
        torch.manual_seed(1)
        model = interrupted_run.Net()
        torch.manual_seed(global_seed)
        signals, extra, targets = interrupted_run.data()
        own = torch.Generator().manual_seed(global_seed)
        data = TensorDataset(signals, extra, targets)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loader = DataLoader(data, batch_size=32, shuffle=True, generator=own)
        training.fit(model, loader, optimizer=optimizer, num_epochs=2, seed=seed, device="cpu", progress=False)
        return model.head[1].weight

    assert torch.equal(weights(0, 1), weights(0, 2))
    assert not torch.equal(weights(0, 1), weights(1, 1))


def test_fit_shows_a_progress_bar(capsys):
    validation = training.Batches(torch.ones(2, 1), torch.ones(2), shuffle=False)
    fit_slope(Slope(), [[1.0]] * 4, [1.0] * 4, num_epochs=2, validation=validation, progress=True)
    shown = capsys.readouterr().err
    assert "4/4" in shown and "validation loss -4" in shown


def test_frozen_weights_stay_and_others_learn():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    before = model[0].weight.clone(), model[1].weight.detach().clone()
    batches = training.Batches(torch.randn(8, 2), torch.arange(8) % 2)
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
    training.fit(model, batches, optimizer=optimizer, num_epochs=1, clip_norm=1.0, device="cpu", progress=False)
    assert torch.equal(model[0].weight, before[0]) and not torch.equal(model[1].weight, before[1])


# --- losses that are no numbers


def test_nan_loss_names_epoch_and_step_and_keeps_the_weights_before_it():
    model = SlopeWithoutNorm()
    with pytest.raises(FloatingPointError, match=r"training loss is nan in epoch 0, step 1 .* learning rate ten times"):
        fit_slope(model, [[1.0], [1.0], [math.nan], [1.0]], [1.0] * 4, num_epochs=1)
    assert model.w.item() == -1.0 and not model.training


def test_gradient_that_is_no_number_is_not_taken():
    # sqrt(w^2) at w = 0 has the loss 0 and the gradient 0 / 0.
    model, options = SlopeWithoutNorm(), {"clip_norm": 1.0, "loss": lambda outputs, _: (outputs**2).sqrt().mean()}
    with pytest.raises(FloatingPointError, match=r"norm of the gradient is nan in epoch 0, step 0"):
        fit_slope(model, [[1.0]] * 2, [1.0] * 2, num_epochs=1, **options)
    assert model.w.item() == 0.0


def test_nan_in_validation_is_said():
    validation = training.Batches(torch.tensor([[math.nan]]), torch.ones(1), shuffle=False)
    with pytest.raises(FloatingPointError, match="validation loss is nan in epoch 0"):
        fit_slope(SlopeWithoutNorm(), [[1.0]] * 2, [1.0] * 2, num_epochs=1, validation=validation)


# --- mixed precision

LINEAR = nn.Linear(2, 2)


@pytest.mark.parametrize(("capability", "dtype"), [((9, 0), torch.bfloat16), ((8, 0), torch.bfloat16), ((6, 1), None)])
def test_precision_on_cuda_follows_the_hardware(capability, dtype, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    chosen = choose_precision("auto", torch.device("cuda"), LINEAR)
    assert chosen.dtype == dtype and not chosen.scaler.is_enabled()
    assert choose_precision(False, torch.device("cuda"), LINEAR).dtype is None


def test_precision_of_a_t4_is_float16_with_a_scaler(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.amp, "GradScaler", lambda kind, enabled: (kind, enabled))  # a real one asks for a GPU
    chosen = choose_precision("auto", torch.device("cuda"), LINEAR)
    assert (chosen.dtype, chosen.scaler) == (torch.float16, ("cuda", True))


def test_precision_of_a_recurrent_network_is_full_or_has_a_scaler(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.amp, "GradScaler", lambda kind, enabled: (kind, enabled))
    model = nn.Sequential(nn.Flatten(), nn.GRU(2, 2))
    assert choose_precision("auto", torch.device("cuda"), model).dtype is None
    chosen = choose_precision(True, torch.device("cuda"), model)
    assert (chosen.dtype, chosen.scaler) == (torch.float16, ("cuda", True))


@pytest.mark.parametrize("name", ["cpu", "mps"])
def test_precision_elsewhere_is_full(name):
    assert choose_precision("auto", torch.device(name), LINEAR).dtype is None
    with pytest.raises(ValueError, match=rf"needs a CUDA device with tensor cores, this run is on {name}"):
        choose_precision(True, torch.device(name), LINEAR)
    with pytest.raises(ValueError, match=r'must be "auto", True or False, got \'half\''):
        choose_precision("half", torch.device(name), LINEAR)


def test_scaled_gradients_are_unscaled_before_they_are_clipped(monkeypatch):
    # bfloat16 on the CPU with a scale of 1024: the same step and the same norm as without (3, 4 and 5 are exact).
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    monkeypatch.setattr(loop, "choose_precision", lambda *_: Precision("cpu", torch.bfloat16, scaler))
    model = Slope(2)
    history = fit_slope(model, [[3.0, 4.0]] * 2, [1.0] * 2, num_epochs=1, clip_norm=2.0)
    torch.testing.assert_close(model.w.data, torch.tensor([-1.2, -1.6]), atol=1e-4, rtol=0)
    assert history.gradient_norm == pytest.approx([5.0])


def test_step_that_overflowed_moves_neither_weights_nor_schedule(monkeypatch):
    # 3 * 2^127 overflows: the first step is left out and the scale halved; 3 * 2^126 overflows not: one step at rate 1.
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    monkeypatch.setattr(loop, "choose_precision", lambda *_: Precision("cpu", None, scaler))
    model = Slope()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    halving = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    history = fit_slope(
        model, [[3.0]] * 4, [1.0] * 4, num_epochs=1, optimizer=optimizer, schedule=halving, clip_norm=math.inf
    )
    assert model.w.item() == -3.0 and halving.last_epoch == 1
    assert history.gradient_norm == pytest.approx([3.0])  # of the step that was taken
