"""Lesson 03's exercises: the solutions against PyTorch, Keras and SciPy."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch
import torch.nn.functional as F

from medlearn.exercises import lesson_03 as ex


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


@pytest.mark.parametrize("delta", [0.3, 1.0, 2.5])
def test_huber_equals_torch_and_keras(delta, rng, keras):
    r = np.append(2 * rng.normal(size=50), [delta, -delta, 0.0])
    zeros = np.zeros_like(r)
    from_torch = F.huber_loss(torch.tensor(r), torch.tensor(zeros), delta=delta, reduction="none").numpy()
    np.testing.assert_allclose(solution(ex.huber)(r, delta), from_torch, atol=1e-12)
    from_keras = float(keras.losses.huber(zeros, r, delta=delta))
    assert solution(ex.huber)(r, delta).mean() == pytest.approx(from_keras, rel=1e-6)


def test_huber_by_hand():
    # delta 2: 1 -> 1/2; 2 -> 2; -5 -> 2 * 5 - 2 = 8
    np.testing.assert_allclose(solution(ex.huber)(np.array([1.0, 2.0, -5.0]), 2.0), [0.5, 2.0, 8.0])


def test_by_hand_equals_torch():
    # (0.2877 + 0.6931 + 0.1054) / 3 = 0.3621
    p, y = torch.tensor([0.25, 0.5, 0.9]).double(), torch.tensor([0.0, 1, 1]).double()
    assert solution(ex.by_hand)() == pytest.approx(F.binary_cross_entropy(p, y).item())
    assert round(solution(ex.by_hand)(), 4) == 0.3621


@pytest.mark.parametrize(("value", "state"), [(0.362, "right"), (0.3621, "right"), (0.36, "wrong"), (0.365, "wrong")])
def test_by_hand_takes_three_decimals(value, state):
    assert ex.by_hand.evaluate(value).state == state


@pytest.mark.parametrize("scale", [1, 30, 1e4])
def test_cross_entropy_equals_torch_scipy_and_keras(scale, rng, keras):
    logits, classes = scale * rng.normal(size=(20, 5)), rng.integers(5, size=20)
    ours = solution(ex.cross_entropy)(logits, classes)
    from_torch = F.cross_entropy(torch.tensor(logits), torch.tensor(classes), reduction="none").numpy()
    from_scipy = -scipy.special.log_softmax(logits, axis=1)[np.arange(20), classes]
    from_keras = keras.losses.sparse_categorical_crossentropy(classes, logits, from_logits=True)
    np.testing.assert_allclose(ours, from_torch, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours, from_scipy, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours, from_keras.cpu().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1, 30, 1e4])
def test_bce_with_logits_equals_torch_and_keras(scale, rng, keras):
    z, y = np.append(scale * rng.normal(size=40), [0.0, -0.0]), rng.integers(2, size=42).astype(float)
    ours = solution(ex.bce_with_logits)(z, y)
    from_torch = F.binary_cross_entropy_with_logits(torch.tensor(z), torch.tensor(y), reduction="none").numpy()
    np.testing.assert_allclose(ours, from_torch, rtol=1e-12, atol=1e-12)
    from_keras = keras.losses.binary_crossentropy(y[:, None], z[:, None], from_logits=True)
    np.testing.assert_allclose(ours, from_keras.cpu().numpy(), rtol=1e-5, atol=1e-6)


def test_bce_with_logits_keeps_the_digits_of_a_tiny_loss():
    # label 1 at z = 40: log(1 + e^-40) = 4.248e-18, which log(1 + x) without log1p loses altogether
    assert solution(ex.bce_with_logits)(np.array([40.0]), np.array([1]))[0] == pytest.approx(np.exp(-40.0), rel=1e-9)


@pytest.mark.parametrize("shape", [(1,), (4,), (2, 3), (2, 1, 2)])
def test_numerical_gradient_equals_autograd(shape, rng):
    x = rng.normal(size=shape)

    def function(a):
        return float((a**3).sum() + a.reshape(-1)[0] * a.reshape(-1)[-1])

    t = torch.tensor(x, requires_grad=True)
    ((t**3).sum() + t.reshape(-1)[0] * t.reshape(-1)[-1]).backward()
    numeric = solution(ex.numerical_gradient)(function, x, 1e-5)
    np.testing.assert_allclose(numeric, t.grad.numpy(), rtol=1e-7, atol=1e-8)


def test_numerical_gradient_is_of_second_order():
    # x³ at 2: (f(2 + h) - f(2 - h)) / 2h = 12 + h², so the error is h² exactly
    error = solution(ex.numerical_gradient)(lambda x: float(x[0] ** 3), np.array([2.0]), 0.1)[0] - 12
    assert error == pytest.approx(0.01)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [0.25, 0.8])
def test_focal_loss_equals_keras_and_the_definition(gamma, alpha, rng, keras):
    z, y = 2 * rng.normal(size=30), rng.integers(2, size=30)
    ours = solution(ex.focal_loss)(z, y, gamma, alpha)
    p_t = np.where(y == 1, scipy.special.expit(z), scipy.special.expit(-z))
    np.testing.assert_allclose(ours, np.where(y == 1, alpha, 1 - alpha) * (1 - p_t) ** gamma * -np.log(p_t), rtol=1e-9)
    from_keras = keras.losses.binary_focal_crossentropy(
        y[:, None], z[:, None], gamma=gamma, alpha=alpha, apply_class_balancing=True, from_logits=True
    )
    np.testing.assert_allclose(ours, from_keras.cpu().numpy(), rtol=1e-4, atol=1e-6)


def test_focal_loss_without_focus_is_half_the_cross_entropy(rng):
    z, y = 300 * rng.normal(size=20), rng.integers(2, size=20)
    np.testing.assert_allclose(solution(ex.focal_loss)(z, y, 0.0, 0.5), solution(ex.bce_with_logits)(z, y) / 2)


@pytest.mark.parametrize("weight", [0.2, 1.0, 7.0, 99.0])
@pytest.mark.parametrize("p", [0.01, 0.3, 0.9])
def test_honest_probability_undoes_the_minimum_of_the_weighted_loss(weight, p):
    def expected(q):
        return -weight * p * np.log(q) - (1 - p) * np.log(1 - q)

    found = scipy.optimize.minimize_scalar(expected, bounds=(1e-6, 1 - 1e-6), options={"xatol": 1e-10})
    assert solution(ex.honest_probability)(found.x, weight) == pytest.approx(p, rel=1e-4)


def test_soft_dice_by_hand():
    # I = 1.4, S = 1.6 + 2; s = 0: 1 - 2.8 / 3.6; s = 1: 1 - 3.8 / 4.6
    p, y = np.array([[[0.9, 0.5], [0.2, 0.0]]]), np.array([[[1, 1], [0, 0]]])
    assert solution(ex.soft_dice_loss)(p, y, 0.0) == pytest.approx([1 - 2.8 / 3.6])
    assert solution(ex.soft_dice_loss)(p, y, 1.0) == pytest.approx([1 - 3.8 / 4.6])


def test_soft_dice_of_hard_masks_is_one_minus_f1(rng):
    p, y = (rng.random((2, 4, 9, 7)) < 0.4).astype(float)
    f1 = [2 * np.sum(a * b) / (2 * np.sum(a * b) + np.sum(a != b)) for a, b in zip(p, y, strict=True)]
    np.testing.assert_allclose(solution(ex.soft_dice_loss)(p, y, 0.0), 1 - np.array(f1))


def test_soft_dice_equals_keras_image_by_image(rng, keras):
    p, y = rng.random((3, 5, 6)), (rng.random((3, 5, 6)) < 0.3).astype(float)
    from_keras = keras.losses.dice(y, p, axis=(1, 2)).cpu().numpy()
    np.testing.assert_allclose(solution(ex.soft_dice_loss)(p, y, 0.0), from_keras, atol=1e-6)


def test_soft_dice_of_empty_masks():
    # nothing there, nothing said: 1 - s / s = 0; a false mass of 4 with s = 1: 1 - 1/5
    empty = np.zeros((2, 3, 4))
    said = np.stack([np.zeros((3, 4)), np.full((3, 4), 1 / 3)])
    np.testing.assert_allclose(solution(ex.soft_dice_loss)(said, empty, 1.0), [0.0, 0.8])


def test_tversky_at_a_half_is_dice_and_at_one_jaccard(rng):
    p, y = rng.random((3, 5, 6)), (rng.random((3, 5, 6)) < 0.3).astype(float)
    np.testing.assert_allclose(solution(ex.tversky_loss)(p, y, 0.5, 0.5), solution(ex.soft_dice_loss)(p, y, 0.0))
    overlap = (p * y).sum(axis=(1, 2))
    union = (p + y - p * y).sum(axis=(1, 2))
    np.testing.assert_allclose(solution(ex.tversky_loss)(p, y, 1.0, 1.0), 1 - overlap / union)


def test_tversky_prices_false_positives_by_alpha():
    # one right, two false positives, none missed: 1 - 1 / (1 + 0.3 * 2)
    p, y = np.array([[[1.0, 1, 1, 0]]]), np.array([[[1.0, 0, 0, 0]]])
    assert solution(ex.tversky_loss)(p, y, 0.3, 0.7) == pytest.approx([1 - 1 / 1.6])
    # turned round: two missed, 1 - 1 / (1 + 0.7 * 2)
    assert solution(ex.tversky_loss)(y, p, 0.3, 0.7) == pytest.approx([1 - 1 / 2.4])


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def keras():
    import keras  # medlearn, imported above, has chosen the backend

    return keras
