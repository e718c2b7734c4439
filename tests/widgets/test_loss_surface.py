"""What the loss explorer draws is what PyTorch computes, at both ends of every slider."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from medlearn.widgets import draw_loss_surface, explore_loss_surface
from medlearn.widgets.loss_surface import LOSSES, REACH, SHOWN, STEPS, descend, loss_and_slopes, simulated_cases


def oracle(loss, z, y):
    """Return the loss of a batch in PyTorch."""
    plain = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    p = torch.sigmoid(z)
    positives = y.sum()
    weights = torch.where(y == 1, (len(y) - positives) / positives, 1.0)
    return {
        "cross-entropy": plain.mean(),
        "squared error": F.mse_loss(p, y),
        "weighted cross-entropy": (weights * plain).sum() / weights.sum(),
        "focal loss, γ = 2": ((y - p) ** 2 * plain).mean(),
        "soft Dice": 1 - 2 * (p * y).sum() / (p.sum() + y.sum()),
    }[loss]


def of_gid(axes, gid):
    (found,) = [line for line in axes.lines if line.get_gid() == gid]
    return np.array(found.get_data())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("num_rare", [1, 5])
def test_losses_and_slopes_equal_torch(loss, num_rare):
    rng = np.random.default_rng(num_rare)
    z, y = torch.tensor(3 * rng.normal(size=12), requires_grad=True), torch.zeros(12).double()
    y[:num_rare] = 1
    value = oracle(loss, z, y)
    value.backward()
    losses, slopes = loss_and_slopes(loss, z.detach().numpy(), y.numpy())
    assert losses.mean() == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(slopes / 12, z.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_grid_of_logits_gives_the_same_losses_as_one_by_one(loss):
    z, y = np.random.default_rng(0).normal(size=(3, 4, 10)), np.arange(10) % 3 == 0
    losses, slopes = loss_and_slopes(loss, z, y)
    one, slope = loss_and_slopes(loss, z[2, 1], y)
    np.testing.assert_allclose(losses[2, 1], one)
    np.testing.assert_allclose(slopes[2, 1], slope)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_stay_finite_far_out(loss):
    losses, slopes = loss_and_slopes(loss, np.array([-1000.0, 1000.0, 0.0]), np.array([1, 0, 1]))
    assert np.isfinite(losses).all() and np.isfinite(slopes).all()


@pytest.mark.parametrize(("percent", "rare"), [(1, 2), (20, 40), (50, 100)])
def test_simulated_cases_are_gaussian_quantiles(percent, rare):
    x, y = simulated_cases(percent)
    assert (len(x), y.sum()) == (200, rare)
    assert x[y == 1].mean() == pytest.approx(1) and x[y == 0].mean() == pytest.approx(-1)
    # the upper quartile of a standard Gaussian is 0.6745
    assert np.quantile(x[y == 0], 0.75) == pytest.approx(-1 + 0.6745, abs=0.02)


@pytest.mark.parametrize("loss", LOSSES)
def test_descend_equals_torch_sgd(loss):
    x, y = simulated_cases(20)
    path, values, shares = descend(loss, x, y, start_weight=-2.0)
    parameters = torch.tensor([0.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([parameters], lr=1.0)
    for step in range(20):
        np.testing.assert_allclose(path[step], parameters.detach().numpy(), atol=1e-10)
        optimizer.zero_grad()
        value = oracle(loss, parameters[0] + parameters[1] * torch.tensor(x), torch.tensor(y).double())
        assert values[step] == pytest.approx(value.item())
        value.backward()
        optimizer.step()
    assert path.shape == (STEPS + 1, 2) and ((shares > 0) & (shares < 1)).all()


def test_share_of_the_cross_entropy_at_zero_logits_is_that_of_the_cases():
    # all |p - y| are 1/2 where weight and bias are 0
    x, y = simulated_cases(10)
    assert descend("cross-entropy", x, y, start_weight=0.0)[2][0] == pytest.approx(0.1)
    assert descend("weighted cross-entropy", x, y, start_weight=0.0)[2][0] == pytest.approx(0.5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rare_percent", [1, 50])
@pytest.mark.parametrize("start_weight", [-REACH, REACH])
def test_draw_at_both_ends(loss, rare_percent, start_weight):
    shown = draw_loss_surface(loss=loss, rare_percent=rare_percent, start_weight=start_weight)
    surface, walk = shown.figure.subfigs[0].axes[0], shown.figure.subfigs[1].axes
    path = of_gid(surface, "path")
    assert tuple(path[:, 0]) == (0, start_weight)
    values, shares = (axes.lines[0].get_ydata() for axes in walk)
    x, y = simulated_cases(rare_percent)
    for step in (0, -1):
        wanted = oracle(loss, torch.tensor(path[0, step] + path[1, step] * x), torch.tensor(y).double()).item()
        assert values[step] == pytest.approx(wanted)
    assert f"{rare_percent} % with label 1" in shown.alt and f"the loss is {values[0]:.3f}" in shown.alt
    assert f"{shares[-1]:.0%} at the end" in shown.alt
    assert walk[1].lines[1].get_ydata()[0] == rare_percent / 100


@pytest.mark.parametrize("loss", LOSSES)
def test_the_walk_stays_on_the_surface_and_never_climbs(loss):
    for rare_percent, start_weight in itertools.product((1, 10, 34, 50), (-REACH, 0.0, REACH)):
        path, values, _ = descend(loss, *simulated_cases(rare_percent), start_weight=start_weight)
        assert np.abs(path).max() < SHOWN
        assert np.diff(values).max() <= 1e-12


def test_a_fraction_of_a_case_is_rounded_in_the_picture_and_in_its_words():
    # 1.3 % of 200 are 2.6 cases: 3 are drawn, which are 1.5 %
    shown = draw_loss_surface(rare_percent=1.3)
    assert "1.5 % with label 1" in shown.alt
    assert shown.figure.subfigs[1].axes[1].lines[1].get_ydata()[0] == pytest.approx(0.015)


def test_the_squared_error_stalls_where_cross_entropy_does_not():
    x, y = simulated_cases(50)
    weights = {loss: descend(loss, x, y, start_weight=-8)[0][60, 1] for loss in ("cross-entropy", "squared error")}
    assert weights["cross-entropy"] > 1 and weights["squared error"] < -7


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"loss": "hinge"}, "no loss called 'hinge'; the names are cross-entropy"),
        ({"rare_percent": 0}, "rare_percent must be from 1 to 50, got 0"),
        ({"rare_percent": 51}, "rare_percent must be from 1 to 50"),
        ({"start_weight": -8.5}, "start_weight must be from -8 to 8, got -8.5"),
        ({"start_weight": float("nan")}, "start_weight must be from -8 to 8"),
    ],
)
def test_draw_refuses(options, match):
    with pytest.raises(ValueError, match=match):
        draw_loss_surface(**options)


def test_explore_draws_every_choice_at_both_ends():
    explorer = explore_loss_surface()
    sliders = [explorer.controls[name] for name in ("rare_percent", "start_weight")]
    ends = [[slider.min for slider in sliders], [slider.max for slider in sliders]]
    for loss, (rare_percent, start_weight) in itertools.product(LOSSES, ends):
        explorer.update(loss=loss, rare_percent=rare_percent, start_weight=start_weight)
        assert explorer.html.startswith("<img ")
        assert f"From weight {start_weight:.1f}" in explorer.picture.alt
