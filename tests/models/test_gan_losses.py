"""The losses by hand and by central differences; the gradient penalty in closed form; its slope in the weights."""

import math

import pytest
import torch
from torch import nn

from medlearn.models import gan

KINDS = ["saturating", "non-saturating", "hinge", "wasserstein"]


def _scores(count=6, *, seed=0):
    """Return scores that keep away from the corners of the hinge, at -1 and 1."""
    scores = 3 * torch.randn(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    near = ((scores.abs() - 1).abs() < 0.05).double()
    return scores + 0.1 * near


def _central_differences(function, values, *, step=1e-5):
    slopes = torch.zeros_like(values)
    for index in range(values.numel()):
        moved = torch.zeros_like(values).flatten()
        moved[index] = step
        moved = moved.view_as(values)
        slopes.view(-1)[index] = (function(values + moved) - function(values - moved)) / (2 * step)
    return slopes


def _slope(function, values):
    values = values.clone().requires_grad_()
    return torch.autograd.grad(function(values), values)[0]


@pytest.mark.parametrize(
    ("kind", "discriminator", "generator"),
    [
        # real 0 and 2, made -2 and 0.5; softplus(t) = log(1 + e^t)
        # cross-entropy: (log 2 + 0.126928)/2 + (0.126928 + 0.974077)/2; log(1 - sigma) = -softplus
        ("saturating", 0.410038 + 0.550503, -0.550503),
        # softplus(2) = 2.126928, softplus(-0.5) = 0.474077
        ("non-saturating", 0.410038 + 0.550503, 1.300503),
        # max(0, 1 - 0), max(0, 1 - 2): 0.5; max(0, 1 - 2), max(0, 1.5): 0.75; mean of -l = 0.75
        ("hinge", 1.25, 0.75),
        ("wasserstein", -0.75 - 1.0, 0.75),
    ],
)
def test_losses_by_hand(kind, discriminator, generator):
    real, made = torch.tensor([0.0, 2.0]), torch.tensor([-2.0, 0.5])
    assert gan.discriminator_loss(real, made, kind=kind).item() == pytest.approx(discriminator, abs=1e-5)
    assert gan.generator_loss(made, kind=kind).item() == pytest.approx(generator, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_in_the_scores_are_those_of_central_differences(kind):
    real, made = _scores(seed=1), _scores(seed=2)
    for function, values in (
        (lambda scores: gan.discriminator_loss(scores, made, kind=kind), real),
        (lambda scores: gan.discriminator_loss(real, scores, kind=kind), made),
        (lambda scores: gan.generator_loss(scores, kind=kind), made),
    ):
        assert torch.allclose(_slope(function, values), _central_differences(function, values), atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_through_a_small_critic_are_those_of_central_differences(kind):
    torch.manual_seed(3)
    critic = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0)).double()
    real, made = torch.randn(2, 5, 3, dtype=torch.float64)
    weights = critic[0].weight.detach().clone()

    def pays(weights):
        scores = [torch.func.functional_call(critic, {"0.weight": weights}, points) for points in (real, made)]
        return gan.discriminator_loss(*scores, kind=kind)

    assert torch.allclose(_slope(pays, weights), _central_differences(pays, weights), atol=1e-8)

    def earns(points):
        return gan.generator_loss(critic(points), kind=kind)

    assert torch.allclose(_slope(earns, made), _central_differences(earns, made), atol=1e-8)


def test_slopes_of_the_two_generator_losses_where_the_discriminator_is_sure():
    # d/dl log(1 - s) = -s and d/dl (-log s) = -(1 - s) with s = sigma(l); at l = -10: 4.54e-5 against 1 - 4.54e-5.
    score = torch.tensor([-10.0], dtype=torch.float64)
    sigma = 1 / (1 + math.exp(10))
    saturating = _slope(lambda score: gan.generator_loss(score, kind="saturating"), score).item()
    other = _slope(lambda score: gan.generator_loss(score, kind="non-saturating"), score).item()
    assert (saturating, other) == pytest.approx((-sigma, -(1 - sigma)), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_of_huge_scores_are_finite(kind):
    real, made = torch.tensor([-1e4, 1e4]), torch.tensor([1e4, -1e4])
    assert torch.isfinite(gan.discriminator_loss(real, made, kind=kind))
    assert torch.isfinite(gan.generator_loss(made, kind=kind))


def test_gradient_penalty_of_a_linear_critic_and_its_slope():
    # f(x) = w . x has the slope w everywhere: (|w| - t)^2, and its slope in w is 2 (|w| - t) w / |w|.
    weights = torch.tensor([1.0, -2.0, 2.0], dtype=torch.float64, requires_grad=True)  # of norm 3
    real, made = torch.randn(2, 8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for target in (1.0, 0.0, 3.5):
        penalty = gan.gradient_penalty(lambda points: points @ weights, real, made, target=target)
        assert penalty.item() == pytest.approx((3 - target) ** 2)
        (slope,) = torch.autograd.grad(penalty, weights)
        assert torch.allclose(slope, 2 * (3 - target) * weights.detach() / 3)


def test_gradient_penalty_looks_between_real_and_made_ones():
    # f(x) = x^2 / 2 has the slope x; real ones at 1, made ones at 3, places uniform between:
    # the mean of (x - 1)^2 is the integral of t^2 over 0..2, halved: 4/3.
    real, made = torch.full((20_000, 1), 1.0), torch.full((20_000, 1), 3.0)
    rng = torch.Generator().manual_seed(0)
    penalty = gan.gradient_penalty(lambda x: x[:, 0] ** 2 / 2, real, made, generator=rng)
    assert penalty.item() == pytest.approx(4 / 3, abs=0.04)
    again = gan.gradient_penalty(lambda x: x[:, 0] ** 2 / 2, real, made, generator=torch.Generator().manual_seed(0))
    other = gan.gradient_penalty(lambda x: x[:, 0] ** 2 / 2, real, made, generator=torch.Generator().manual_seed(1))
    assert penalty == again != other


def test_gradient_penalty_takes_the_norm_over_a_whole_image_and_hands_on_the_conditions():
    # f(x, c) = c * sum(x) over 1 x 4 x 4 = 16 pixels: the norm is 4 |c|; (4 * 0.5 - 1)^2 = 1, (4 * 1 - 1)^2 = 9.
    real, made = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    asked = torch.tensor([[0.5], [1.0]])
    penalty = gan.gradient_penalty(lambda x, c: c[:, 0] * x.sum(dim=(1, 2, 3)), real, made, conditions=asked)
    assert penalty.item() == pytest.approx(5.0)


def test_r1_of_a_linear_critic_is_half_its_squared_norm_and_its_slope_is_the_weights():
    weights = torch.tensor([1.0, -2.0, 2.0], requires_grad=True)  # 1 + 4 + 4 = 9
    penalty = gan.r1_penalty(lambda points: points @ weights, torch.rand(5, 3))
    assert penalty.item() == pytest.approx(9 / 2)
    (slope,) = torch.autograd.grad(penalty, weights)
    assert torch.allclose(slope, weights)


def test_r1_looks_at_the_real_points_under_their_conditions():
    real, asked = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [1.0]])
    penalty = gan.r1_penalty(lambda x, c: c[:, 0] * x[:, 0] ** 2 / 2, real, conditions=asked)  # slopes 2 and 3
    assert penalty.item() == pytest.approx((4 + 9) / 2 / 2)


def test_gradient_penalty_has_the_slope_of_central_differences():
    torch.manual_seed(4)
    critic = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0)).double()
    real, made = torch.randn(2, 5, 3, dtype=torch.float64)

    def penalty(weights):
        def score(points):
            return torch.func.functional_call(critic, {"0.weight": weights}, points)

        return gan.gradient_penalty(score, real, made, generator=torch.Generator().manual_seed(0))

    weights = critic[0].weight.detach().clone()
    assert torch.allclose(_slope(penalty, weights), _central_differences(penalty, weights), atol=1e-8)


def test_losses_refuse_what_they_cannot_take():
    row = torch.zeros(3)
    with pytest.raises(ValueError, match="kind must be one of saturating, non-saturating, hinge, wasserstein, got 'w'"):
        gan.discriminator_loss(row, row, kind="w")
    with pytest.raises(ValueError, match="kind must be one of"):
        gan.generator_loss(row, kind="least squares")
    with pytest.raises(ValueError, match=r"scores must have the shape \(n,\), one for each patch, got \(3, 1\)"):
        gan.generator_loss(row[:, None], kind="hinge")
    with pytest.raises(ValueError, match=r"same shape, got \(3, 2\) and \(4, 2\)"):
        gan.gradient_penalty(lambda x: x.sum(1), torch.zeros(3, 2), torch.zeros(4, 2))
