"""Lesson 04a's exercises: the solutions against autograd, libraries and runs."""

import numpy as np
import pytest
import scipy.optimize
import torch
from sklearn.preprocessing import StandardScaler

from medlearn.exercises import lesson_04a as ex


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def bowl(rng, eigenvalues):
    """Return a symmetric matrix with these eigenvalues."""
    axes = np.linalg.qr(rng.normal(size=(len(eigenvalues), len(eigenvalues))))[0]
    return axes @ np.diag(eigenvalues) @ axes.T


def test_gd_step_equals_autograd_and_torch_sgd(rng):
    A, b, start = bowl(rng, [0.5, 2, 9]), rng.normal(size=3), rng.normal(size=3)
    w = torch.from_numpy(start.copy()).requires_grad_()
    optimizer = torch.optim.SGD([w], lr=0.07)
    (w @ torch.from_numpy(A) @ w / 2 - torch.from_numpy(b) @ w).backward()
    optimizer.step()
    np.testing.assert_allclose(solution(ex.gd_step)(A, b, start, 0.07), w.detach().numpy(), atol=1e-14)


@pytest.mark.parametrize(("share", "grows"), [(0.99, False), (1.01, True)])
def test_the_largest_stable_step_parts_convergence_from_divergence(share, grows, rng):
    A = bowl(rng, [0.5, 2, 9])
    step = share * solution(ex.largest_stable_step)(A)
    w = np.linalg.matrix_power(np.eye(3) - step * A, 2000) @ np.ones(3)
    assert (np.linalg.norm(w) > np.sqrt(3)) == grows


def test_best_step_equals_a_numerical_search(rng):
    A = bowl(rng, [0.5, 2, 9])

    def slowest(step):
        return np.abs(np.linalg.eigvals(np.eye(3) - step * A)).max()

    found = scipy.optimize.minimize_scalar(slowest, bounds=(0, 2 / 9), method="bounded", options={"xatol": 1e-10})
    np.testing.assert_allclose(solution(ex.best_step)(A), (found.x, found.fun), rtol=1e-6)


@pytest.mark.parametrize("kappa", [2.0, 10.0, 333.0])
def test_steps_needed_equals_the_count_of_a_run(kappa):
    error, steps = np.ones(2), 0
    while np.linalg.norm(error) > 1e-4 * np.sqrt(2):
        error *= 1 - 2 / (1 + kappa) * np.array([1, kappa])
        steps += 1
    assert solution(ex.steps_needed)(kappa, 1e-4) == steps


def test_steps_needed_by_hand():
    # kappa = 3: rate 1/2; 2**-9 = 0.00195 > 0.001 > 2**-10
    assert solution(ex.steps_needed)(3.0, 1e-3) == 10


def test_momentum_step_equals_torch_sgd(rng):
    gradients, start = rng.normal(size=(5, 3)), rng.normal(size=3)
    parameter = torch.from_numpy(start.copy())
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.8)
    w, velocity = start, np.zeros(3)
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient)
        optimizer.step()
        w, velocity = solution(ex.momentum_step)(w, velocity, gradient, 0.1, 0.8)
    np.testing.assert_allclose(w, parameter.numpy(), atol=1e-14)
    np.testing.assert_allclose(velocity, optimizer.state[parameter]["momentum_buffer"].numpy(), atol=1e-14)


def test_minibatch_gradient_equals_autograd_with_a_repeated_case(rng):
    X, y, start, indices = rng.normal(size=(9, 4)), rng.normal(size=9), rng.normal(size=4), np.array([3, 8, 3])
    w = torch.from_numpy(start).requires_grad_()
    residual = torch.from_numpy(X[indices]) @ w - torch.from_numpy(y[indices])
    (residual.square().mean() / 2).backward()
    np.testing.assert_allclose(solution(ex.minibatch_gradient)(X, y, start, indices), w.grad.numpy(), atol=1e-14)


def test_minibatch_gradient_is_unbiased(rng):
    # the mean over all single cases, each as likely, is the gradient of all
    X, y, w = rng.normal(size=(9, 4)), rng.normal(size=9), rng.normal(size=4)
    gradient = solution(ex.minibatch_gradient)
    singles = [gradient(X, y, w, np.array([i])) for i in range(9)]
    np.testing.assert_allclose(np.mean(singles, axis=0), gradient(X, y, w, np.arange(9)), atol=1e-14)


def test_noise_floor_equals_a_simulation(rng):
    learning_rate, curvature, sigma, batch = 0.4, 1.5, 2.0, 4
    w = np.zeros(200_000)
    for _ in range(40):  # (1 - 0.6)**80 is nothing
        w -= learning_rate * (curvature * w + rng.normal(0, sigma / np.sqrt(batch), size=w.size))
    # relative error of a variance: sqrt(2 / 200,000) = 0.003
    assert solution(ex.noise_floor)(learning_rate, curvature, sigma, batch) == pytest.approx(w.var(), rel=0.015)


def test_standardise_equals_scikit_learn(rng):
    train, test = 5 + 100 * rng.normal(size=(30, 4)), rng.normal(size=(8, 4))
    train[:, 2] = 7.0
    scaler = StandardScaler().fit(train)
    for ours, table in zip(solution(ex.standardise)(train, test), (train, test), strict=True):
        np.testing.assert_allclose(ours, scaler.transform(table), atol=1e-12)


def test_newton_step_lands_on_the_minimum_of_a_bowl(rng):
    A, b, w = bowl(rng, [0.5, 2, 9]), rng.normal(size=3), rng.normal(size=3)
    np.testing.assert_allclose(A @ solution(ex.newton_step)(w, A @ w - b, A), b, atol=1e-12)


def test_newton_step_goes_to_a_saddle(rng):
    A, b, w = bowl(rng, [-2, 0.5, 9]), rng.normal(size=3), rng.normal(size=3)
    np.testing.assert_allclose(A @ solution(ex.newton_step)(w, A @ w - b, A), b, atol=1e-12)


def test_keras_form_of_momentum_is_named():
    def keras_form(w, velocity, gradient, learning_rate, momentum):
        velocity = momentum * velocity - learning_rate * gradient
        return w + velocity, velocity

    assert "Keras" in ex.momentum_step.evaluate(keras_form).text


@pytest.fixture
def rng():
    return np.random.default_rng(4)
