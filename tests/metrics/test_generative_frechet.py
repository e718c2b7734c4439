"""The Frechet distance: closed forms of Gaussians, SciPy's matrix root, MONAI's FID, its bias, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.metrics import FIDMetric
from scipy import linalg

from medlearn import metrics

SETS = hnp.arrays(float, st.tuples(st.integers(2, 7), st.just(3)), elements=st.floats(-100, 100))


def with_moments(mean, covariance, n=60, seed=0):
    """Return n rows whose sample mean and covariance (divisor n - 1) are those given, to rounding."""
    rows = np.random.default_rng(seed).standard_normal((n, len(mean)))
    rows -= rows.mean(axis=0)
    rows = np.linalg.qr(rows)[0] * np.sqrt(n - 1)  # covariance 1
    values, vectors = np.linalg.eigh(np.asarray(covariance, float))
    return rows @ (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T + mean


def of_moments(real, made):
    """Return the distance by SciPy's matrix root of the product of the covariances."""
    first, second = np.cov(real.T), np.cov(made.T)
    root = linalg.sqrtm(first @ second)
    return np.sum((real.mean(0) - made.mean(0)) ** 2) + np.trace(first + second - 2 * np.real(root))


def test_one_feature_by_hand():
    # [0, 2]: mean 1, variance 2. [1, 5, 9]: mean 5, variance 16.
    # (1 - 5)^2 + 2 + 16 - 2 sqrt(2 * 16) = 34 - 8 sqrt(2)
    assert metrics.frechet_distance([[0], [2]], [[1], [5], [9]]) == pytest.approx(34 - 8 * np.sqrt(2))


def test_independent_features_add_their_distances():
    # means (1 - 0)^2 + (2 - 0)^2 + 0 = 5; deviations (1 - 2)^2 + (3 - 3)^2 + (5 - 1)^2 = 17
    real, made = with_moments([1, 2, 0], np.diag([1, 9, 25])), with_moments([0, 0, 0], np.diag([4, 9, 1]), n=33, seed=1)
    assert metrics.frechet_distance(real, made) == pytest.approx(22)


def test_covariances_with_common_axes_add_the_distances_along_them():
    axes = np.linalg.qr(np.random.default_rng(3).standard_normal((4, 4)))[0]
    deviations, others = np.array([1.0, 2, 3, 4]), np.array([4.0, 1, 3, 0])
    real = with_moments(np.zeros(4), axes @ np.diag(deviations**2) @ axes.T)
    made = with_moments(np.ones(4), axes @ np.diag(others**2) @ axes.T, n=50, seed=1)
    assert metrics.frechet_distance(real, made) == pytest.approx(4 + np.sum((deviations - others) ** 2))


def test_orthogonal_lines_share_nothing():
    # S = diag(4, 0) and S' = diag(0, 9): their product is 0, so the distance is tr S + tr S' = 13
    real, made = with_moments([0, 0], np.diag([4, 0])), with_moments([0, 0], np.diag([0, 9]), seed=1)
    assert metrics.frechet_distance(real, made) == pytest.approx(13)


@pytest.mark.filterwarnings("ignore:The `disp` argument is deprecated")  # MONAI 1.6 passes it to SciPy
@pytest.mark.parametrize(("n", "m", "d"), [(40, 30, 2), (50, 70, 5), (200, 150, 20)])
def test_full_rank_is_scipys_root_and_monais_fid(n, m, d):
    rng = np.random.default_rng(n)
    real = rng.standard_normal((n, d)) @ rng.standard_normal((d, d))
    made = rng.standard_normal((m, d)) @ rng.standard_normal((d, d)) + 0.3
    value = metrics.frechet_distance(real, made)
    assert value == pytest.approx(of_moments(real, made), rel=1e-9)
    assert value == pytest.approx(float(FIDMetric()(torch.as_tensor(made), torch.as_tensor(real))), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (5, 30), (12, 9)])
def test_fewer_rows_than_features_is_the_formula_on_singular_covariances(n, m):
    rng = np.random.default_rng(n + m)
    real, made = rng.standard_normal((n, 12)), 2 * rng.standard_normal((m, 12)) + 1
    first, second = np.cov(real.T), np.cov(made.T)
    # the root of S S' has the eigenvalues' roots: those of S^(1/2) S' S^(1/2), as sums over the n x m inner products
    values = np.linalg.eigvals(first @ second)
    expected = np.sum((real.mean(0) - made.mean(0)) ** 2) + np.trace(first + second)
    expected -= 2 * np.sqrt(np.maximum(values.real, 0)).sum()
    assert metrics.frechet_distance(real, made) == pytest.approx(expected, abs=1e-5)


@given(SETS, SETS)
def test_it_is_symmetric_never_negative_and_zero_for_a_set_and_itself(real, made):
    value, scale = metrics.frechet_distance(real, made), 1 + np.square(real).sum() + np.square(made).sum()
    assert value >= 0
    assert value == pytest.approx(metrics.frechet_distance(made, real), abs=1e-9 * scale)
    assert metrics.frechet_distance(real, real[::-1]) == pytest.approx(0, abs=1e-12 * scale)


@given(SETS, SETS)
def test_its_root_obeys_the_triangle_with_a_third_set(real, made):
    third = np.array([[0.0, 0, 0], [1, 2, 3], [4, 4, -4]])
    ways = [np.sqrt(metrics.frechet_distance(*pair)) for pair in ((real, made), (real, third), (third, made))]
    assert ways[0] <= ways[1] + ways[2] + 1e-5 * (1 + sum(ways))


def test_a_shift_and_a_turn_of_both_changes_nothing_and_a_scale_counts_squared():
    rng = np.random.default_rng(5)
    real, made = rng.standard_normal((30, 4)), 2 * rng.standard_normal((25, 4))
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    value = metrics.frechet_distance(real, made)
    assert metrics.frechet_distance(real @ turn + 1e4, made @ turn + 1e4) == pytest.approx(value, rel=1e-6)
    assert metrics.frechet_distance(3 * real, 3 * made) == pytest.approx(9 * value)


def test_the_bias_is_what_the_docstring_says():
    d, rng = 64, np.random.default_rng(0)
    for n, repeats, expected in ((40, 8, 52), (100, 8, 22), (1000, 2, 2.2)):
        values = [metrics.frechet_distance(*rng.standard_normal((2, n, d))) for _ in range(repeats)]
        assert np.mean(values) == pytest.approx(expected, rel=0.08)
        if n > d:
            assert np.mean(values) == pytest.approx(2 * d / n + d * (d + 1) / (2 * n), rel=0.08)


def test_the_bias_is_larger_where_rows_come_in_patients():
    rng, values = np.random.default_rng(0), []
    for alike in (0.0, 0.5):
        drawn = [np.sqrt(alike) * rng.standard_normal((20, 1, 8)).repeat(10, axis=1) for _ in range(8)]
        sets = [rows.reshape(200, 8) + np.sqrt(1 - alike) * rng.standard_normal((200, 8)) for rows in drawn]
        values.append(np.mean([metrics.frechet_distance(*sets[k : k + 2]) for k in range(0, 8, 2)]))
    assert values[1] > 1.5 * values[0]


def test_sets_that_differ_in_shape_only_are_nothing_apart():
    square = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    cross = np.sqrt(2) * np.array([[-1.0, 0], [1, 0], [0, -1], [0, 1]])
    assert metrics.frechet_distance(square, cross) == pytest.approx(0, abs=1e-12)


def test_tensors_with_a_gradient_are_taken():
    real, made = torch.tensor([[0.0], [2.0]], requires_grad=True), torch.tensor([[1.0], [3.0]]).half()
    assert metrics.frechet_distance(real, made) == pytest.approx(1)


@pytest.mark.parametrize(
    ("real", "made", "message"),
    [
        ([1.0, 2.0], [[1.0], [2.0]], r"real must have shape \(n, d\).*got \(2,\).*values\[:, None\]"),
        (np.zeros((5, 4, 4)), np.zeros((5, 4, 4)), r"one row of features for each image, got \(5, 4, 4\)"),
        (np.zeros((5, 3)), np.zeros((5, 4)), r"real and made must hold the same kind.*\(5, 3\) and \(5, 4\)"),
        (np.zeros((5, 3)), np.zeros((1, 3)), "made must hold 2 items or more, got 1"),
        (np.zeros((5, 3)), [[0, np.nan, 0], [0, 0, 0]], "made hold NaN or infinite values in 1 of 2 items"),
        ([["a"], ["b"]], [[1], [2]], "real must be rows of numbers"),
        (np.zeros((4, 0)), np.zeros((4, 0)), r"real must have shape \(n, d\)"),
    ],
)
def test_what_is_refused(real, made, message):
    with pytest.raises(ValueError, match=message):
        metrics.frechet_distance(real, made)
