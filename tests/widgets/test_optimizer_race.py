"""The race against optimizers written in NumPy, the surfaces against SciPy, and the pictures at both ends."""

import itertools

import numpy as np
import pytest
import scipy.optimize

from medlearn.widgets import draw_optimizer_race, explore_optimizer_race, run_race, tune_race
from medlearn.widgets.optimizer_race import ARRIVED, OPTIMIZERS, RATES, SURFACES, TUNED


def gradient(surface, x, y, step=1e-20):
    """Differentiate by a complex step: exact to rounding, and no autograd."""
    value = SURFACES[surface].value
    return np.array([value(x + 1j * step, y + 0j).imag, value(x + 0j, y + 1j * step).imag]) / step


def oracle(name, surface, rates, steps):
    """Run one optimizer at many rates at once, in NumPy, from the published formulas with PyTorch's constants."""
    rates = np.atleast_1d(rates)
    w = np.repeat(np.array(SURFACES[surface].start)[:, np.newaxis], len(rates), axis=1)
    m, v = np.zeros_like(w), np.zeros_like(w)
    path = [w.copy()]
    for t in range(1, steps + 1):
        g = gradient(surface, *w)
        if name == "SGD":
            step = g
        elif name == "momentum":
            step = m = 0.9 * m + g
        elif name == "AdaGrad":
            v = v + g**2
            step = g / (np.sqrt(v) + 1e-10)
        elif name == "RMSProp":
            v = 0.99 * v + 0.01 * g**2
            step = g / (np.sqrt(v) + 1e-8)
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        w = w - rates * step
        path.append(w.copy())
    return np.array(path)  # (steps + 1, 2, rates)


@pytest.mark.parametrize("surface", SURFACES)
def test_surface_has_its_minimum_where_it_says(surface):
    told = SURFACES[surface]
    assert told.value(*told.minimum) == pytest.approx(0, abs=1e-20)
    found = scipy.optimize.minimize(lambda w: told.value(*w), told.start, tol=1e-12)
    assert found.x == pytest.approx(told.minimum, abs=1e-4)
    x_from, x_to, y_from, y_to = told.limits
    for x, y in (told.start, told.minimum):
        assert x_from < x < x_to and y_from < y < y_to


def test_rosenbrock_equals_scipy():
    rng = np.random.default_rng(0)
    for x, y in rng.normal(size=(5, 2)):
        assert SURFACES["Rosenbrock"].value(x, y) == pytest.approx(scipy.optimize.rosen([x, y]))


def test_the_turned_bowl_is_the_bowl_turned():
    turned, bowl = SURFACES["bowl, turned by 45°"], SURFACES["bowl"]
    # the start: (-4, 1.5) turned by 45° is ((-4 - 1.5) / √2, (-4 + 1.5) / √2) = (-2.75 √2, -1.25 √2)
    assert turned.start == pytest.approx((-5.5 / np.sqrt(2), -2.5 / np.sqrt(2)))
    assert turned.value(*turned.start) == pytest.approx(bowl.value(*bowl.start))
    sgd = [
        run_race(s, learning_rates={"SGD": 0.015}, steps=50)["SGD"].distances for s in ("bowl", "bowl, turned by 45°")
    ]
    np.testing.assert_allclose(*sgd, atol=1e-12)  # plain gradient descent does not see how the axes lie


@pytest.mark.parametrize(("surface", "name"), list(itertools.product(SURFACES, OPTIMIZERS)))
def test_run_race_equals_the_formulas(surface, name):
    rate = TUNED[surface][name]
    run = run_race(surface, learning_rates={name: rate}, steps=60)[name]
    wanted = oracle(name, surface, rate, 60)[:, :, 0]
    np.testing.assert_allclose(run.points, wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(run.distances, np.linalg.norm(wanted - SURFACES[surface].minimum, axis=1), atol=1e-8)
    assert (run.learning_rate, run.diverged_at) == (rate, None)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(("surface", "name"), list(itertools.product(SURFACES, OPTIMIZERS)))
def test_tuned_rates_are_the_best_of_the_grid(surface, name):
    ends = oracle(name, surface, np.array(RATES), 200)[-1]
    minimum = np.array(SURFACES[surface].minimum)[:, np.newaxis]
    distances = np.maximum(np.nan_to_num(np.linalg.norm(ends - minimum, axis=0), nan=np.inf), ARRIVED)
    assert TUNED[surface][name] == RATES[int(np.argmin(distances))]
    assert RATES[0] < TUNED[surface][name] < RATES[-1]  # not at the border of the grid: else it must be widened


def test_tune_race_takes_the_best_and_the_last_to_diverge():
    # On the bowl plain descent converges below 2 / 100 = 0.02
    best = tune_race("bowl", names=["SGD"], rates=[0.001, 0.019, 0.03], steps=200)["SGD"]
    assert best.learning_rate == 0.019 and best.diverged_at is None
    worst = tune_race("bowl", names=["SGD"], rates=[10.0, 0.5, 1.0], steps=100)["SGD"]
    # y is multiplied by (1 - 100 * rate): 49 at 0.5. 1.5 * 49^k > 1e6 first at k = 4 (49^3 = 117,649, 49^4 = 5.8e6)
    assert (worst.learning_rate, worst.diverged_at) == (0.5, 4)


def test_a_diverged_run_ends_before_it_gave_up():
    run = run_race("bowl", learning_rates={"SGD": 0.5}, steps=100)["SGD"]
    assert len(run.points) == len(run.distances) == 4
    assert np.isfinite(run.points).all()
    # after 3 steps x = -4 * 0.5^3 = -0.5, y = 1.5 * (-49)^3
    assert run.points[-1] == pytest.approx((-0.5, -1.5 * 49**3))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"surface": "Himmelblau"}, "no surface called 'Himmelblau'; the names are Rosenbrock, Beale"),
        ({"steps": 0}, "whole number from 1 to 500, got 0"),
        ({"steps": 501}, "whole number from 1 to 500, got 501"),
        ({"steps": 2.5}, "whole number from 1 to 500, got 2.5"),
        ({"steps": float("nan")}, "whole number from 1 to 500, got nan"),
        ({"steps": float("inf")}, "whole number from 1 to 500, got inf"),
        ({"steps": None}, "whole number from 1 to 500, got None"),
        ({"steps": True}, "whole number from 1 to 500, got True"),
        ({"learning_rates": {"Adamax": 0.1}}, "no optimizer called 'Adamax'; the names are SGD"),
        ({"learning_rates": {"SGD": 0.0}}, "learning rate of SGD must be positive and finite, got 0.0"),
        ({"learning_rates": {"SGD": float("nan")}}, "must be positive and finite, got nan"),
        ({"learning_rates": {"SGD": "fast"}}, "must be positive and finite, got 'fast'"),
        ({"learning_rates": {"SGD": None}}, "must be positive and finite, got None"),
    ],
)
def test_run_race_refuses(options, match):
    with pytest.raises(ValueError, match=match):
        run_race(**{"surface": "bowl", "learning_rates": {"SGD": 0.01}, "steps": 10, **options})


def test_a_caller_cannot_change_the_run_of_the_next_one():
    run = run_race("bowl", learning_rates={"SGD": 0.01}, steps=3)["SGD"]
    for kept in (run.points, run.distances):
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 99.0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_rate_that_overflows_at_once_is_a_diverged_run(name):
    run = run_race("Beale", learning_rates={name: 1e308}, steps=5)[name]
    assert (run.diverged_at, len(run.points)) == (1, 1)


def test_tune_race_refuses_an_empty_grid():
    with pytest.raises(ValueError, match="rates is empty"):
        tune_race("bowl", rates=[])


def lines(axes):
    return {line.get_gid(): line for line in axes.lines if line.get_gid()}


@pytest.mark.parametrize(("surface", "steps"), list(itertools.product(SURFACES, [1, 500])))
def test_draw_shows_the_runs_at_both_ends_of_steps(surface, steps):
    shown = draw_optimizer_race(surface=surface, steps=steps)
    left, right = shown.figure.axes
    race = run_race(surface, learning_rates=TUNED[surface], steps=steps)
    for name, run in race.items():
        assert np.array_equal(np.array(lines(left)[name].get_data()).T, run.points)
        assert np.array_equal(lines(right)[name].get_ydata(), np.maximum(run.distances, 1e-16))
    assert f"{surface}, {steps} steps" in shown.alt
    assert shown.png()


@pytest.mark.parametrize("rate", [1e-4, 10.0])
@pytest.mark.parametrize("surface", SURFACES)
def test_draw_takes_one_rate_for_all_at_both_ends(surface, rate):
    shown = draw_optimizer_race(surface=surface, rates="one for all", learning_rate=rate, steps=30)
    race = run_race(surface, learning_rates=dict.fromkeys(OPTIMIZERS, rate), steps=30)
    legend = [text.get_text() for text in shown.figure.legends[0].get_texts()]
    for name, run in race.items():
        end = f"{run.distances[-1]:.1e}" if run.diverged_at is None else f"diverged at step {run.diverged_at}"
        assert f"{name}, rate {rate:.2g}: {end}" in legend
        assert f"{name} {end}" in shown.alt
    assert (race["SGD"].diverged_at is not None) == (rate == 10)
    assert shown.png()


def test_draw_tells_the_lines_apart_without_colour():
    left, right = draw_optimizer_race(surface="bowl", steps=50).figure.axes
    for axes in (left, right):
        runs = [lines(axes)[name] for name in OPTIMIZERS]
        assert (
            len({line.get_marker() for line in runs}) == len({str(line._unscaled_dash_pattern) for line in runs}) == 5
        )


def test_draw_refuses_a_way_of_choosing_rates():
    with pytest.raises(ValueError, match="rates must be one of 'each its own, tuned', 'one for all', got 'best'"):
        draw_optimizer_race(rates="best")


def test_explore_switches_the_rate_off_where_it_is_not_used_and_draws_every_choice():
    explorer = explore_optimizer_race("bowl")
    assert explorer.controls["learning_rate"].disabled
    explorer.update(rates="one for all", learning_rate=10.0, steps=5)
    assert not explorer.controls["learning_rate"].disabled
    assert "SGD diverged at step 2" in explorer.html  # (1 - 1000)^2 * 1.5 is 1.5e6
    for surface in SURFACES:
        explorer.update(surface=surface, rates="each its own, tuned")
        assert explorer.html.startswith("<img ") and f"{surface}, 5 steps" in explorer.html


def test_explore_refuses_a_surface():
    with pytest.raises(ValueError, match="no surface called 'saddle'"):
        explore_optimizer_race("saddle")
