"""Lesson 08b's exercises: the solutions against PyTorch's cells, its autograd, and finite differences."""

import numpy as np
import pytest

from medlearn.exercises import lesson_08b as ex

torch = pytest.importorskip("torch")


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def cell_weights(cell):
    """Return the weights of a cell of PyTorch: W_ih, W_hh, b_ih, b_hh."""
    return [getattr(cell, name).detach().numpy() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def test_rnn_states_by_hand():
    # tanh 1 = 0.76159; tanh(0.5 * 0.76159) = tanh 0.38080 = 0.36340
    states = solution(ex.rnn_states)(np.array([[1.0], [0.0]]), np.array([[1.0]]), np.array([[0.5]]), np.zeros(1))
    np.testing.assert_allclose(states, [[0.76159], [0.36340]], atol=1e-5)


@pytest.mark.parametrize(("inputs", "hidden"), [(1, 4), (3, 2), (2, 2)])
def test_rnn_states_equals_pytorch(rng, inputs, hidden):
    torch.manual_seed(0)
    layer = torch.nn.RNN(inputs, hidden, batch_first=True, dtype=torch.float64)
    x = rng.normal(size=(7, inputs))
    expected = layer(torch.from_numpy(x)[None])[0][0].detach().numpy()
    U, W, b_ih, b_hh = (p.detach().numpy() for p in layer.parameters())
    np.testing.assert_allclose(solution(ex.rnn_states)(x, U, W, b_ih + b_hh), expected, atol=1e-12)


@pytest.mark.parametrize("start", [0, 2, 4])
def test_jacobian_of_last_equals_autograd(rng, start):
    U, W, b = rng.normal(size=(3, 2)), rng.normal(size=(3, 3)), rng.normal(size=3)
    x = rng.normal(size=(5, 2))
    states = solution(ex.rnn_states)(x, U, W, b)

    def last(h):
        for x_t in x[start + 1 :]:
            h = torch.tanh(torch.from_numpy(U @ x_t + b) + torch.from_numpy(W) @ h)
        return h

    expected = torch.autograd.functional.jacobian(last, torch.from_numpy(states[start])).numpy()
    np.testing.assert_allclose(solution(ex.jacobian_of_last)(states, W, start), expected, atol=1e-12)


def test_gradient_bound_by_hand():
    # W.T W of [[0, 3], [4, 0]] is diag(16, 9): the largest singular value is 4, the eigenvalues are +-sqrt(12).
    # (0.5 * 4) ** 3 = 8
    assert solution(ex.gradient_bound)(np.array([[0.0, 3.0], [4.0, 0.0]]), 3, 0.5) == pytest.approx(8)


def test_gradient_bound_is_never_passed_and_reached_by_the_best_direction(rng):
    for _ in range(50):
        W = rng.normal(size=(4, 4))
        slopes = rng.uniform(0, 0.7, size=(6, 4))
        gradient = rng.normal(size=4)
        gradient /= np.linalg.norm(gradient)
        for row in slopes:
            gradient = W.T @ (row * gradient)
        assert np.linalg.norm(gradient) <= solution(ex.gradient_bound)(W, 6, 0.7) * (1 + 1e-12)
    best = np.linalg.svd(W)[0][:, 0]  # W.T stretches it most
    assert np.linalg.norm(W.T @ best) == pytest.approx(solution(ex.gradient_bound)(W, 1, 1.0))


@pytest.mark.parametrize(("inputs", "hidden"), [(1, 3), (4, 2)])
def test_lstm_step_equals_pytorch(rng, inputs, hidden):
    torch.manual_seed(1)
    cell = torch.nn.LSTMCell(inputs, hidden, dtype=torch.float64)
    x, h, c = rng.normal(size=inputs), rng.normal(size=hidden), rng.normal(size=hidden)
    expected = cell(torch.from_numpy(x)[None], tuple(torch.from_numpy(v)[None] for v in (h, c)))
    for ours, theirs in zip(solution(ex.lstm_step)(x, h, c, *cell_weights(cell)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs[0].detach().numpy(), atol=1e-12)


def test_lstm_step_by_hand():
    # a = (0, 1, 3, 1): i = 0.5, f = 0.73106, g = 0.99505, o = 0.73106; c = 0.73106 * 2 + 0.5 * 0.99505 = 1.95964;
    # h = 0.73106 * tanh 1.95964 = 0.73106 * 0.96105 = 0.70259
    h, c = solution(ex.lstm_step)(*ex.lstm_step.cases()[0])
    assert (round(h[0], 4), round(c[0], 4)) == (0.7026, 1.9596)


@pytest.mark.parametrize("sizes", [(1, 2, 1, 2), (3, 5, 2, 4), (2, 7, 3, 1)])
def test_count_weights_equals_the_network(sizes):
    from medlearn.models import ecg_rnn

    network = ecg_rnn.RNN(*sizes)
    assert solution(ex.count_weights)(*sizes) == sum(p.numel() for p in network.parameters())


def test_count_weights_by_hand():
    # one layer: 4 * (2 * 1 + 2 * 2 + 2 + 2) = 40; the head 2 * 2 + 2 = 6
    assert solution(ex.count_weights)(1, 2, 1, 2) == 46


@pytest.mark.parametrize("steps", [1, 20, 300])
@pytest.mark.parametrize("share", [0.5, 0.01])
def test_forget_bias_leaves_the_share(steps, share):
    b = solution(ex.forget_bias)(steps, share)
    assert torch.sigmoid(torch.tensor(b, dtype=torch.float64)).item() ** steps == pytest.approx(share)


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_truncated_gradient_equals_autograd_with_detach(rng, k):
    x = rng.normal(size=6).tolist()
    w = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    h = torch.zeros((), dtype=torch.float64)
    for t, value in enumerate(x):
        if t == len(x) - k:
            h = h.detach()
        h = w * h + value
    h.backward()
    assert solution(ex.truncated_gradient)(0.8, x, k) == pytest.approx(w.grad.item())


def test_truncated_gradient_of_all_steps_is_the_slope(rng):
    x = rng.normal(size=5).tolist()

    def last(w):
        return np.polyval(x, w)  # x_1 w ** 4 + ... + x_5

    slope = (last(0.7 + 1e-6) - last(0.7 - 1e-6)) / 2e-6
    assert solution(ex.truncated_gradient)(0.7, x, 5) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(("inputs", "hidden"), [(1, 3), (4, 2)])
def test_gru_step_equals_pytorch(rng, inputs, hidden):
    torch.manual_seed(2)
    cell = torch.nn.GRUCell(inputs, hidden, dtype=torch.float64)
    x, h = rng.normal(size=inputs), rng.normal(size=hidden)
    expected = cell(torch.from_numpy(x)[None], torch.from_numpy(h)[None])[0].detach().numpy()
    np.testing.assert_allclose(solution(ex.gru_step)(x, h, *cell_weights(cell)), expected, atol=1e-12)
