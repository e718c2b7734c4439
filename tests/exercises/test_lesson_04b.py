"""Lesson 04b's exercises: the solutions against PyTorch, Keras and simulation."""

import warnings

import numpy as np
import pytest
import torch

from medlearn.exercises import lesson_04b as ex

STEPS = 50


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def torch_path(make, gradients):
    """Return the weights after every step of an optimizer of PyTorch that is fed these gradients, from ones."""
    w = torch.ones(gradients.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer, path = make([w]), []
    for g in gradients:
        w.grad = torch.from_numpy(g)
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


@pytest.fixture
def gradients():
    return np.random.default_rng(4).normal(size=(STEPS, 3)) * np.array([100.0, 1.0, 1e-8])


def test_adagrad_equals_torch(gradients):
    w, total, path = np.ones(3), np.zeros(3), []
    for g in gradients:
        w, total = solution(ex.adagrad_step)(w, g, total, 0.3)
        path.append(w)
    np.testing.assert_allclose(path, torch_path(lambda w: torch.optim.Adagrad(w, lr=0.3), gradients), rtol=1e-12)


def test_adagrad_by_hand():
    # total 16 + 9 = 25, root 5: 1 - 0.1 * 3 / 5 = 0.94
    w, total = solution(ex.adagrad_step)(np.array([1.0]), np.array([3.0]), np.array([16.0]), 0.1)
    assert (w[0], total[0]) == pytest.approx((0.94, 25))


def test_adam_equals_torch(gradients):
    w, m, v, path = np.ones(3), np.zeros(3), np.zeros(3), []
    for t, g in enumerate(gradients, start=1):
        w, m, v = solution(ex.adam_step)(w, g, m, v, t, 0.1)
        path.append(w)
    np.testing.assert_allclose(path, torch_path(lambda w: torch.optim.Adam(w, lr=0.1), gradients), rtol=1e-9)


def test_adamw_equals_torch(gradients):
    w, m, v, path = np.ones(3), np.zeros(3), np.zeros(3), []
    for t, g in enumerate(gradients, start=1):
        w, m, v = solution(ex.adamw_step)(w, g, m, v, t, 0.1, 0.5)
        path.append(w)
    wanted = torch_path(lambda w: torch.optim.AdamW(w, lr=0.1, weight_decay=0.5), gradients)
    np.testing.assert_allclose(path, wanted, rtol=1e-9)


@pytest.mark.parametrize("t", [1, 2, 13, 400])
@pytest.mark.parametrize("sign", [1, -1])
def test_uncorrected_ratio_equals_two_running_means(t, sign):
    m = v = 0.0
    for _ in range(t):
        m, v = 0.9 * m + 0.1 * sign * 7.0, 0.999 * v + 0.001 * 49.0
    # the corrected step of a constant gradient is its sign
    assert solution(ex.uncorrected_ratio)(t, 0.9, 0.999) == pytest.approx(abs(m) / np.sqrt(v))


def torch_schedule(steps, warmup, highest, lowest):
    """Return the rates of PyTorch's straight warm-up followed by its cosine."""
    schedulers = torch.optim.lr_scheduler
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=highest)
    cosine = schedulers.CosineAnnealingLR(optimizer, T_max=steps - warmup, eta_min=lowest)
    if warmup:
        rising = schedulers.LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup - 1)
        chain = schedulers.SequentialLR(optimizer, [rising, cosine], milestones=[warmup])
    else:
        chain = cosine
    rates = []
    for _ in range(steps + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SequentialLR itself passes a deprecated argument
            chain.step()
    return rates


@pytest.mark.parametrize(("steps", "warmup"), [(100, 10), (30, 2), (20, 0)])
def test_warmup_cosine_equals_torch(steps, warmup):
    rates = [solution(ex.warmup_cosine)(step, steps, warmup, 0.3, 0.01) for step in range(steps + 1)]
    np.testing.assert_allclose(rates, torch_schedule(steps, warmup, 0.3, 0.01), rtol=1e-9)


@pytest.mark.parametrize(("losses", "wanted"), [
    ([0.7, 0.5, 0.6, 9.0], 1e-3),           # smallest at 0.01
    ([0.7, 0.6, np.nan, np.nan], 1e-3),
    ([0.7, 0.6, 0.5, np.inf], 1e-2),
])  # fmt: skip
def test_choose_rate_by_hand(losses, wanted):
    assert solution(ex.choose_rate)(np.array([1e-3, 1e-2, 1e-1, 1.0]), np.array(losses)) == pytest.approx(wanted)


@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
def test_clip_by_norm_equals_torch(scale):
    rng = np.random.default_rng(3)
    given = [scale * rng.normal(size=shape) for shape in [(4, 3), (7,), (2, 2, 2)]]
    parameters = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in given]
    for parameter, g in zip(parameters, given, strict=True):
        parameter.grad = torch.from_numpy(g.copy())
    torch.nn.utils.clip_grad_norm_(parameters, 2.5)
    for mine, parameter in zip(solution(ex.clip_by_norm)(given, 2.5), parameters, strict=True):
        np.testing.assert_allclose(mine, parameter.grad.numpy(), rtol=1e-6)  # PyTorch adds 1e-6 to the norm


@pytest.mark.parametrize("shape", [(512, 300), (64, 16, 3, 3), (100, 8, 5, 1)])
def test_he_std_equals_torch(shape):
    weights = torch.empty(shape, dtype=torch.float64)
    torch.nn.init.kaiming_normal_(weights, nonlinearity="relu", generator=torch.Generator().manual_seed(0))
    # a standard deviation of N values has the relative error 1 / sqrt(2 N): N = 4,000 gives 0.011
    assert solution(ex.he_std)(shape) == pytest.approx(float(weights.std()), rel=0.045)
