"""Lesson 02's exercises: the solutions against SciPy, PyTorch and brute force."""

import numpy as np
import pytest
import scipy.signal
import torch

from medlearn.exercises import lesson_02 as ex


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


@pytest.mark.parametrize(("length", "width"), [(1, 1), (7, 1), (7, 3), (3, 7), (64, 17)])
@pytest.mark.parametrize("exercise", [ex.convolve, ex.fft_convolve], ids=["sum", "fourier"])
def test_one_dimensional_solutions_equal_numpy(exercise, length, width, rng):
    signal, kernel = rng.normal(size=length), rng.normal(size=width)
    np.testing.assert_allclose(solution(exercise)(signal, kernel), np.convolve(signal, kernel), atol=1e-12)


def test_by_hand_is_nine():
    # turned kernel [[0, 0, 3], [-1, 1, 0], [0, 2, 1]] on [[1, 0, 2], [3, 1, 0], [0, 2, 1]]:
    # 2*3 + 3*(-1) + 1*1 + 2*2 + 1*1 = 6 - 3 + 1 + 4 + 1 = 9
    assert solution(ex.by_hand)() == 9


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 3), (5, 2)])
def test_convolve2d_equals_scipy(shape, rng):
    image, kernel = rng.normal(size=(9, 11)), rng.normal(size=shape)
    expected = scipy.signal.convolve2d(image, kernel, mode="valid")
    np.testing.assert_allclose(solution(ex.convolve2d)(image, kernel), expected, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize(("size", "kernel"), [(9, 1), (9, 3), (16, 4), (17, 5)])
def test_output_size_equals_torch(size, kernel, padding, stride, dilation):
    expected = torch.nn.functional.conv1d(
        torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), padding=padding, stride=stride, dilation=dilation
    )
    assert solution(ex.output_size)(size, kernel, padding, stride, dilation) == expected.shape[-1]


def test_noise_gain_of_a_mean_of_nine_is_a_third():
    # nine weights of 1/9: sqrt(9 / 81) = 1/3
    assert solution(ex.noise_gain)(np.full((3, 3), 1 / 9)) == pytest.approx(1 / 3)


def test_noise_gain_equals_that_of_filtered_noise(rng):
    kernel = rng.normal(size=(3, 3))
    noise = rng.normal(size=(1000, 1000))
    measured = scipy.signal.convolve2d(noise, kernel, mode="valid").std()
    # neighbours share noise, so about 1e6 / 9 independent values: relative error about sqrt(9 / 2e6) = 0.002
    assert solution(ex.noise_gain)(kernel) == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize("layers", [[(3, 1, 1)], [(3, 2, 1), (3, 2, 1), (3, 1, 2)], [(5, 3, 2), (1, 2, 1), (2, 1, 3)]])
def test_receptive_field_equals_the_reach_of_the_gradient(layers):
    image = torch.zeros(1, 1, 101, requires_grad=True)
    out = image
    for kernel, stride, dilation in layers:
        out = torch.nn.functional.conv1d(out, torch.ones(1, 1, kernel), stride=stride, dilation=dilation)
    out[0, 0, 0].backward()
    touched = torch.nonzero(image.grad[0, 0])
    assert solution(ex.receptive_field)(layers) == int(touched.max() - touched.min()) + 1


def test_max_pool_equals_torch(rng):
    image = rng.normal(size=(12, 18))
    expected = torch.nn.functional.max_pool2d(torch.from_numpy(image)[None, None], 3)[0, 0].numpy()
    np.testing.assert_array_equal(solution(ex.max_pool)(image, 3), expected)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 4)])
def test_input_gradient_equals_autograd(shape, rng):
    image, kernel = torch.from_numpy(rng.normal(size=(7, 8))).requires_grad_(), rng.normal(size=shape)
    out = torch.nn.functional.conv2d(image[None, None], torch.from_numpy(kernel)[None, None])[0, 0]
    upstream = rng.normal(size=tuple(out.shape))
    out.backward(torch.from_numpy(upstream))
    np.testing.assert_allclose(solution(ex.input_gradient)(upstream, kernel), image.grad.numpy(), atol=1e-12)


@pytest.fixture
def rng():
    return np.random.default_rng(2)
