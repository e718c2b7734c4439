"""Shapes, conditions that reach both networks, the bound of spectral normalisation, scaling and conditions."""

import numpy as np
import pytest
import torch
from torch import nn

from medlearn.models import gan


def _asked(count, *, label=1.0, diameter_cm=1.0):
    return torch.tensor([[label, diameter_cm]]).repeat(count, 1)


def test_networks_mirror_each_other():
    torch.manual_seed(0)
    generator, critic = gan.Generator(latent=10, channels=8), gan.Critic(channels=8)
    images = generator(torch.randn(3, 10))
    assert images.shape == (3, 1, 32, 32)
    assert images.abs().max() <= 1
    assert critic(images).shape == (3,)
    # transposed convolutions 16 -> 8 -> 4 -> 1 channels of 4 x 4 weights; strided ones 1 -> 4 -> 8 -> 16 with biases
    assert sum(w.numel() for w in generator.stages.parameters()) == (16 * 8 + 8 * 4 + 4) * 16 + 1 + 2 * (16 + 8 + 4)
    assert sum(w.numel() for w in critic.stages.parameters()) == (4 + 4 * 8 + 8 * 16) * 16 + 4 + 8 + 16


def test_conditions_reach_the_generator():
    torch.manual_seed(0)
    generator = gan.Generator(conditions=2, channels=8).eval()
    latent = torch.randn(4, 64)
    made = generator(latent, _asked(4))
    assert not torch.allclose(made, generator(latent, _asked(4, label=0.0)))
    assert not torch.allclose(made, generator(latent, _asked(4, diameter_cm=2.0)))
    assert not torch.allclose(made, generator(latent + 1, _asked(4)))


def test_condition_of_the_critic_is_a_projection():
    # The score is linear in c: twice the way from 0 changes it twice as much; and not alike for each image.
    torch.manual_seed(0)
    critic, images = gan.Critic(conditions=2, channels=8), torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        nothing, once, twice = (critic(images, _asked(3, label=k, diameter_cm=3 * k)) for k in (0.0, 1.0, 2.0))
        maps = critic.stages(images).flatten(1)
        # c = (1, 3): 2 c - 1 = (1, 5)
        by_hand = maps @ (critic.output.weight[0] + critic.embed.weight @ torch.tensor([1.0, 5.0])) + critic.output.bias
    assert torch.allclose(twice - nothing, 2 * (once - nothing), atol=1e-5)
    assert torch.allclose(once, by_hand, atol=1e-5)
    assert (once - nothing).std() > 1e-5


def test_score_of_an_image_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    critic, images = gan.Critic(channels=8), torch.rand(5, 1, 32, 32)
    assert torch.allclose(critic(images)[:2], critic(images[:2]), atol=1e-6)


def test_spectral_critic_is_lipschitz():
    # Each pixel lies in 4 windows of a 4 x 4 kernel at stride 2, so a convolution stretches at most sqrt(4) = 2 times
    # as much as its weights as a matrix, which have the norm 1. Three of them: 8. The last layer: 1, and |2 c - 1|
    # for the projection. A leaky rectifier stretches nothing.
    torch.manual_seed(0)
    plain, critic = gan.Critic(conditions=2, channels=8), gan.Critic(conditions=2, channels=8, spectral=True)
    for network in (plain, critic):
        for layer in (*network.stages[::2], network.output, network.embed):
            weight = layer.parametrizations.weight.original if network is critic else layer.weight
            nn.init.normal_(weight, std=1.0)
    asked = _asked(64, diameter_cm=0.875)  # 2 c - 1 = (1, 0.75), of norm 1.25
    for _ in range(200):  # each pass in training mode takes one step of the power iteration
        critic(torch.zeros(1, 1, 32, 32), asked[:1])
    first, second = torch.rand(2, 64, 1, 32, 32)
    distance = (first - second).flatten(1).norm(dim=1)
    stretch = [((f(first, asked) - f(second, asked)).abs() / distance).max() for f in (plain.eval(), critic.eval())]
    assert stretch[1] <= 8 * (1 + 1.25) < stretch[0]
    for layer in (*critic.stages[::2], critic.output, critic.embed):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.01)


def test_a_convolution_of_the_critic_stretches_at_most_twice_its_spectral_norm():
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 2, 4, stride=2, padding=1, bias=False).double()
    matrix = torch.autograd.functional.jacobian(layer, torch.zeros(1, 1, 8, 8, dtype=torch.float64)).reshape(32, 64)
    norm, bound = (torch.linalg.matrix_norm(m, ord=2).item() for m in (matrix, layer.weight.flatten(1)))
    assert norm <= 2 * bound


def test_scale_and_back():
    images = np.random.default_rng(0).uniform(-1000, 400, (4, 5, 6))
    assert gan.unscale(gan.scale(images)) == pytest.approx(images, abs=1e-3)
    assert gan.scale(images).shape == (4, 1, 5, 6)
    assert gan.unscale(gan.scale(np.array([[[-3000.0, 3000.0]]]))).tolist() == [[[-1000.0, 400.0]]]


def test_middle_keeps_the_middle():
    images = np.zeros((2, 64, 64))
    images[:, 16:48, 16:48] = 1
    assert gan.middle(images).shape == (2, 32, 32)
    assert gan.middle(images).min() == 1
    assert gan.middle(images[:, 16:48, 16:48]).min() == 1


def test_conditions_of_unknown_diameters():
    expected = [[1, np.float32(1.25)], [0, 0], [1, 0]]
    assert gan.conditions([1, 0, 1], [12.5, 7.0, np.nan]).tolist() == expected
    assert gan.conditions([1, 0]).tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gan.Generator(channels=7), "channels must be an even number from 2 on, got 7"),
        (lambda: gan.Critic(conditions=-1), "conditions must be 0 or more"),
        (lambda: gan.Generator()(torch.zeros(3, 63)), r"latent must have the shape \(n, 64\), got \(3, 63\)"),
        (lambda: gan.Generator(conditions=2)(torch.zeros(3, 64)), r"takes conditions of shape \(3, 2\), got none"),
        (
            lambda: gan.Generator()(torch.zeros(3, 64), torch.zeros(3, 2)),
            r"takes no conditions, got the shape \(3, 2\)",
        ),
        (lambda: gan.Critic()(torch.zeros(3, 1, 64, 64)), r"shape \(n, 1, 32, 32\), got \(3, 1, 64, 64\)"),
        (lambda: gan.Critic(conditions=1)(torch.zeros(3, 1, 32, 32)), r"conditions of shape \(3, 1\), got none"),
        (lambda: gan.middle(np.zeros((2, 31, 40))), r"32 pixels or more each, got \(2, 31, 40\)"),
        (lambda: gan.unscale(torch.zeros(3, 32, 32)), r"shape \(n, 1, height, width\), got \(3, 32, 32\)"),
        (lambda: gan.conditions([0, 2]), "labels must be a row of 0 and 1"),
        (lambda: gan.conditions([0, 1], [3.0]), r"there are 2 labels, but diameters_mm has the shape \(1,\)"),
        (lambda: gan.conditions([0, 1], [3.0, -3.0]), "must be positive, got -3.0 as the smallest"),
    ],
)
def test_networks_refuse_what_they_cannot_take(call, message):
    with pytest.raises(ValueError, match=message):
        call()
