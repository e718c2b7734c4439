"""Lesson 09a's exercises: the solutions against SciPy, brute force, finite differences and a simulated walk."""

import numpy as np
import pytest
from scipy import optimize, spatial, stats

from medlearn.exercises import lesson_09a as ex
from medlearn.exercises.engine import RIGHT, WRONG
from medlearn.exercises.testing import assert_exercises_hold


@pytest.fixture
def rng():
    return np.random.default_rng(9)


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def test_every_exercise_holds():
    assert_exercises_hold(ex)


def test_best_discriminator_maximises_the_value_at_each_place(rng):
    p, q = rng.uniform(0.1, 1, (2, 5))
    for share in (0.5, 0.2, 0.8):
        for a, b, found in zip(p, q, solution(ex.best_discriminator)(p, q, share), strict=True):
            loss = lambda y, a=share * a, b=(1 - share) * b: -a * np.log(y) - b * np.log(1 - y)  # noqa: E731
            best = optimize.minimize_scalar(loss, bounds=(1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-9})
            assert found == pytest.approx(best.x, abs=1e-5)


def test_jensen_shannon_is_the_square_of_scipys_distance(rng):
    for empty in (0, 1, 4):
        p, q = rng.uniform(size=(2, 9))
        p[:empty], q[9 - empty :] = 0, 0
        p, q = p / p.sum(), q / q.sum()
        expected = spatial.distance.jensenshannon(p, q) ** 2
        assert solution(ex.jensen_shannon)(p, q) == pytest.approx(expected)


def test_spoilers_takes_letters_in_any_form_and_names_a_harmless_one():
    for answer in ("BCE", "e, c, b", ["C", "B", "E"], {"B", "E", "C"}):
        assert ex.spoilers.evaluate(answer).state == RIGHT
    message = ex.spoilers.evaluate("ABCE")
    assert message.state == WRONG and "A is harmless" in message.text


def test_steps_to_escape_by_walking():
    for rate, factor in ((1.0, 3.0), (0.1, 2.0), (0.3, 7.0), (0.77, 1.2)):
        place, steps = np.array([0.6, -0.8]), 0
        while np.linalg.norm(place) < factor:
            place, steps = place + rate * np.array([-place[1], place[0]]), steps + 1
        assert solution(ex.steps_to_escape)(rate, factor) == steps


def test_generator_slopes_by_finite_differences(rng):
    logits, h = rng.normal(0, 4, 30), 1e-5

    def losses(logits):
        probability = stats.logistic.cdf(logits)
        return np.log1p(-probability), -np.log(probability)

    found = solution(ex.generator_slopes)(logits)
    for slope, above, below in zip(found, losses(logits + h), losses(logits - h), strict=True):
        np.testing.assert_allclose(slope, (above - below) / (2 * h), atol=1e-5)


def test_generator_slopes_are_finite_far_out():
    # At -1000: the first is -exp(-1000) = -0, the second -1. No warning, no NaN.
    first, second = solution(ex.generator_slopes)(np.array([-1000.0, 1000.0]))
    assert first.tolist() == [0, -1] and second.tolist() == [-1, 0]


def test_count_modes_by_a_tree_and_a_loop(rng):
    centres = rng.uniform(-3, 3, (5, 2))
    points = centres[rng.integers(0, 4, 200)] + rng.normal(0, 0.4, (200, 2))
    apart, which = spatial.KDTree(centres).query(points)
    for radius, share in ((0.3, 0.1), (0.8, 0.2), (2.0, 0.05)):
        held = [np.sum((apart <= radius) & (which == k)) for k in range(5)]
        modes, good = solution(ex.count_modes)(points, centres, radius, share)
        assert modes == sum(n >= share * 200 for n in held)
        assert good == pytest.approx(sum(held) / 200)


def test_earth_mover_is_scipys_and_the_cheapest_assignment(rng):
    for n in (1, 4, 30):
        a, b = rng.normal(0, 2, n), rng.exponential(3, n)
        costs = np.abs(a[:, None] - b[None])
        cheapest = costs[optimize.linear_sum_assignment(costs)].mean()
        found = solution(ex.earth_mover)(a, b)
        assert found == pytest.approx(cheapest) and found == pytest.approx(stats.wasserstein_distance(a, b))


def test_gradient_penalty_of_a_line_and_its_own_gradient():
    torch = pytest.importorskip("torch")
    # f(x) = w x with w = (2, -1, 2), length 3: (3 - 1)^2 = 4, and d/dw = 2 (3 - 1) w / 3.
    weight = torch.tensor([2.0, -1.0, 2.0], requires_grad=True)
    real, made, u = torch.randn(6, 3), torch.randn(6, 3), torch.rand(6, 1)
    penalty = solution(ex.gradient_penalty)(lambda x: x @ weight, real, made, u)
    penalty.backward()
    assert penalty.item() == pytest.approx(4)
    torch.testing.assert_close(weight.grad, 4 / 3 * weight.detach())


def test_gradient_penalty_is_taken_at_the_points_between():
    torch = pytest.importorskip("torch")
    # f(x) = x^2 / 2 has the slope x. Between: 0.25 * 4 + 0.75 * 0 = 1, and 0.5 * 2 + 0.5 * 6 = 4: (0 + 9) / 2.
    real, made, u = (torch.tensor(v)[:, None] for v in ([4.0, 2.0], [0.0, 6.0], [0.25, 0.5]))
    penalty = solution(ex.gradient_penalty)(lambda x: (x**2 / 2).sum(dim=1), real, made, u)
    assert penalty.item() == pytest.approx(4.5)


def test_count_modes_tells_reach_from_nearest_and_at_least_from_more():
    def reach(points, centres, radius, share):
        apart = np.linalg.norm(points[:, None] - centres[None], axis=-1)
        return int(((apart <= radius).mean(axis=0) >= share).sum()), (apart.min(axis=1) <= radius).mean()

    def more(points, centres, radius, share):
        apart, which = spatial.KDTree(centres).query(points)
        held = np.bincount(which[apart <= radius], minlength=len(centres))
        return int((held > share * len(points)).sum()), held.sum() / len(points)

    for wrong, word in ((reach, "nearest"), (more, "at least")):
        message = ex.count_modes.evaluate(wrong)
        assert message.state == WRONG and word in message.text
