"""Bends: the exponential, its inverse, the Jacobian, and the order of transforms."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.linalg import expm

from medlearn.data.brain_warp import (
    Lattice,
    apply,
    compose,
    exponential,
    invert_points,
    jacobian_determinant,
    random_bend,
)

PLANE = Lattice.around((-110.0, -100.0), (110.0, 130.0), 4.0)
SPACE = Lattice.around((-130.0, -130.0, -104.0), (130.0, 166.0, 148.0), 4.0)


@pytest.fixture(scope="module")
def bend():
    return random_bend(np.random.default_rng(0), SPACE, 10.0, (0.0, 17.0, 5.0))


def test_lattice_reaches_from_corner_to_corner():
    lattice = Lattice.around((-10, 0, 5), (10, 9, 8), 3)
    assert lattice.size == (8, 4, 2)  # 20 / 3 = 6.7, so 7 steps; 9 / 3 = 3 steps; 1 step
    assert [axis[0] for axis in lattice.axes_mm()] == [-10, 0, 5]
    assert lattice.middles() == Lattice((-8.5, 1.5, 6.5), 3.0, (7, 3, 1))


def test_jacobian_of_a_linear_map_is_its_determinant():
    # x + u(x) = M x with M = [[1.2, 0.1, 0], [0.3, 0.8, 0], [0, 0.2, 1.5]]: det = 1.5 (0.96 - 0.03) = 1.395.
    matrix = np.array([[1.2, 0.1, 0.0], [0.3, 0.8, 0.0], [0.0, 0.2, 1.5]])
    z, y, x = np.meshgrid(np.arange(4) * 3.0, np.arange(5) * 2.0, np.arange(6) * 0.5, indexing="ij")
    points = np.stack([x, y, z], -1)
    found = jacobian_determinant(points @ matrix.T - points, (0.5, 2.0, 3.0))
    assert found.shape == (3, 4, 5)
    np.testing.assert_allclose(found, 1.395, rtol=1e-12)


def test_jacobian_is_that_of_the_middle_of_a_cell():
    # u = (0.1 x y, 0): det = 1 + 0.1 y, at the middles y = 0.5, 1.5, 2.5.
    y, x = np.indices((4, 3)).astype(float)
    found = jacobian_determinant(np.stack([0.1 * x * y, 0 * y], -1), (1, 1))
    np.testing.assert_allclose(found, [[1.05, 1.05], [1.15, 1.15], [1.25, 1.25]])


def test_jacobian_of_a_fold_is_negative():
    columns = np.tile(np.arange(6.0), (3, 1))
    folded = np.stack([-2.0 * columns, 0 * columns], -1)  # x becomes -x
    np.testing.assert_allclose(jacobian_determinant(folded, (1, 1)), -1)


def test_exponential_of_a_linear_velocity_is_the_matrix_exponential():
    # dx/dt = A x has x(1) = expm(A) x(0); near the middle the fading at the border plays no part.
    matrix = np.array([[0.05, -0.30], [0.25, -0.02]])
    lattice = Lattice((-40.0, -40.0), 1.0, (81, 81))
    x, y = np.meshgrid(*lattice.axes_mm())
    velocity = np.stack([x, y], -1) @ matrix.T
    velocity[np.hypot(x, y) > 35] = 0.0
    points = np.array([[8.0, 3.0], [-5.0, 10.0], [0.0, -12.0], [0.0, 0.0]])
    found = apply(exponential(velocity, lattice), points)
    np.testing.assert_allclose(found, points @ expm(matrix).T, atol=0.03)  # 2 ** 5 steps of the first order


def test_compose_applies_the_first_one_first():
    shift, twice = sitk.TranslationTransform(2, (1.0, 0.0)), sitk.ScaleTransform(2, (2.0, 2.0))
    assert compose(twice, shift).TransformPoint((3.0, 5.0)) == (8.0, 10.0)  # (3 + 1) 2
    assert compose(shift, twice).TransformPoint((3.0, 5.0)) == (7.0, 10.0)  # 3 2 + 1


def test_forward_then_backward_is_home(bend):
    errors = bend.errors_mm()  # at the worst places, the middles of the cells
    assert errors.max() < 0.5 and errors.mean() < 0.07
    nodes = np.array([[-2.0, 30.0, 16.0], [42.0, -30.0, 40.0]])  # of the lattice: there the inverse is exact
    np.testing.assert_allclose(apply(bend.to_template, apply(bend.to_subject, nodes)), nodes, atol=2e-3)


def test_backward_then_forward_is_home_too(bend):
    points = np.random.default_rng(1).uniform((-70, -70, -70), (70, 100, 80), (200, 3))
    back = apply(bend.to_subject, apply(bend.to_template, points))
    assert np.linalg.norm(back - points, axis=1).max() < 0.3
    assert np.linalg.norm(apply(bend.to_template, points) - points, axis=1).mean() > 1.5  # and it did move


def test_no_point_moves_farther_than_allowed(bend):
    moved = np.linalg.norm(sitk.GetArrayFromImage(SPACE.field_of(bend.to_template)), axis=-1)
    assert 5 < moved.max() <= 10.0
    assert moved[:, :, 0].max() < 1e-6 and moved[0].max() < 1e-6  # it has faded at the border


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("max_displacement_mm", [10.0, 20.0])
def test_a_bend_of_the_plane_never_folds(seed, max_displacement_mm):
    bend = random_bend(np.random.default_rng(seed), PLANE, max_displacement_mm, (0.0, 17.0))
    assert bend.jacobian().min() > 0.1
    assert bend.errors_mm().max() < 0.1 * max_displacement_mm


def test_a_bend_of_space_never_folds(bend):
    assert bend.jacobian().min() > 0.3
    wild = random_bend(np.random.default_rng(3), SPACE, 20.0, (0.0, 17.0, 5.0))
    assert wild.jacobian().min() > 0.1
    assert wild.errors_mm().mean() < 0.1


def test_a_bend_of_nothing_is_the_identity():
    bend = random_bend(np.random.default_rng(0), PLANE, 0.0, (0.0, 17.0))
    assert bend.to_subject.TransformPoint((12.3, 45.6)) == (12.3, 45.6)
    np.testing.assert_allclose(bend.jacobian(), 1)


def test_points_are_inverted_exactly(bend):
    points = np.random.default_rng(2).uniform(-60, 60, (40, 3))
    np.testing.assert_allclose(apply(bend.to_template, invert_points(bend.to_template, points)), points, atol=2e-4)


def test_same_seed_same_bend():
    one, other, third = (random_bend(np.random.default_rng(s), PLANE, 8.0, (0.0, 17.0)) for s in (5, 5, 6))
    point = (10.0, 20.0)
    assert one.to_subject.TransformPoint(point) == other.to_subject.TransformPoint(point)
    assert one.to_subject.TransformPoint(point) != third.to_subject.TransformPoint(point)
