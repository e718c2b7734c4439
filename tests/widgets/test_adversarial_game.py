"""The game's drawing: densities against SciPy, the best answer by hand, and the description in numbers."""

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from medlearn.widgets import GameState, draw_game, explore_game
from medlearn.widgets.adversarial_game import smooth_density

GRID = np.linspace(-4, 8, 241)
REAL = np.random.default_rng(0).normal(2, 1, 300)


def states(*means):
    draw = np.random.default_rng(1)
    return [GameState(10 * k, draw.normal(mean, 0.5, 200), np.full(241, 0.5)) for k, mean in enumerate(means)]


def lines(picture):
    """Return the curves of both panels by their label."""
    found = [line for axes in picture.figure.axes for line in axes.lines]
    return {line.get_label(): np.asarray(line.get_ydata()) for line in found}


def test_smooth_density_is_scipys_kernel_density():
    width = 0.3
    expected = gaussian_kde(REAL, bw_method=width / REAL.std(ddof=1))(GRID)
    np.testing.assert_allclose(smooth_density(REAL, GRID, width), expected, rtol=1e-9)


def test_the_width_is_silvermans():
    quarter, rest = np.percentile(REAL, (25, 75))
    width = 0.9 * min(REAL.std(ddof=1), (rest - quarter) / 1.34) / 300**0.2
    drawn = lines(draw_game(states(0), REAL, GRID))["real"]
    np.testing.assert_allclose(drawn, gaussian_kde(REAL, bw_method=width / REAL.std(ddof=1))(GRID), rtol=1e-9)


def test_the_best_answer_is_the_share_of_the_real_density():
    drawn = lines(draw_game(states(0, 1), REAL, GRID, index=0))
    total = drawn["real"] + drawn["made"]
    enough = total > 1e-3 * total.max()
    best = drawn["best answer\np / (p + q)"]
    np.testing.assert_allclose(best[enough], (drawn["real"] / total)[enough])
    assert np.isnan(best[~enough]).all() and (~enough).any()


def test_a_generator_that_makes_the_real_values_leaves_a_half_everywhere():
    best = lines(draw_game([GameState(0, REAL, np.full(241, 0.5))], REAL, GRID))["best answer\np / (p + q)"]
    np.testing.assert_allclose(best[np.isfinite(best)], 0.5)


def test_description_gives_means_and_the_distance_to_the_best_answer():
    state = GameState(7, [1.0, 3.0], np.full(241, 1.0))
    alt = draw_game([state], REAL, GRID).alt
    best = lines(draw_game([state], REAL, GRID))["best answer\np / (p + q)"]
    away = np.nanmean(np.abs(1 - best))
    assert alt.startswith(f"Step 7. Real values: mean {REAL.mean():.2f}, SD {REAL.std(ddof=1):.2f}.")
    assert "Made values: mean 2.00, SD 1.41." in alt and f"is {away:.2f} away" in alt


def test_the_slider_goes_through_the_states():
    explorer = explore_game(states(0, 1, 2), REAL, GRID)
    assert [label for label, _ in explorer.controls["index"].options] == ["0", "10", "20"]
    before = explorer.html
    explorer.update(index=2)
    assert explorer.html != before and explorer.picture.alt.startswith("Step 20.")


def test_a_collapsed_generator_is_drawn():
    picture = draw_game([GameState(0, [2.0, 2.0], np.full(241, 0.5))], REAL, GRID)
    assert np.isfinite(lines(picture)["made"]).all() and "SD 0.00" in picture.alt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"states": []}, "states is empty"),
        ({"real": [1.0, 1.0]}, "two of them different"),
        ({"grid": GRID[::-1]}, "rising numbers"),
        ({"states": [GameState(0, [1.0], np.full(241, 0.5))]}, "step 0: made must be a row of 2"),
        ({"states": [GameState(3, [1.0, 2.0], np.full(241, 2.0))]}, "step 3: discriminator must hold a probability"),
        ({"states": [GameState(3, [1.0, 2.0], np.full(5, 0.5))]}, "each of the 241 places"),
        ({"index": 1}, "index must be a whole number from 0 to 0"),
    ],
)
def test_draw_game_refuses(change, message):
    given = {"states": states(0), "real": REAL, "grid": GRID} | change
    with pytest.raises(ValueError, match=message):
        draw_game(given.pop("states"), given.pop("real"), given.pop("grid"), **given)
