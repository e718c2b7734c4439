"""The noise against its chain and against products of Gaussians; a mixture whose best denoiser is known; training."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from medlearn.models import diffusion, gan
from medlearn.models.diffusion import Denoiser, schedule
from medlearn.models.diffusion_network import embed


@pytest.fixture
def draws():
    return torch.Generator().manual_seed(9)


def _small(seed=0, **options):
    torch.manual_seed(seed)
    return Denoiser(schedule(10).alpha_bars, **{"channels": (8, 8)} | options)


@pytest.mark.parametrize("kind", ["cosine", "linear"])
@pytest.mark.parametrize("num_steps", [50, 200])
def test_schedule_ends_near_pure_noise(kind, num_steps):
    chain = schedule(num_steps, kind=kind)
    assert len(chain) == num_steps
    assert chain.alpha_bars[0] > 0.98
    assert chain.alpha_bars[-1] < 1e-3
    assert (chain.alpha_bars.diff() < 0).all()
    torch.testing.assert_close(chain.alpha_bars, (1 - chain.betas).cumprod(dim=0))


def test_schedule_of_a_thousand_steps_is_that_of_ho():
    betas = schedule(1000, kind="linear").betas
    assert (betas[0].item(), betas[-1].item()) == pytest.approx((1e-4, 0.02))


def test_schedule_refuses_what_is_no_variance():
    with pytest.raises(ValueError, match="betas must be a row of numbers between 0 and 1"):
        schedule(betas=[0.1, 1.0])
    with pytest.raises(ValueError, match='kind "cosine" or "linear"'):
        schedule(50, kind="sigmoid")


def test_add_noise_is_the_chain_step_by_step():
    # One step: x_t = sqrt(1 - beta) x + sqrt(beta) e. So the mean is multiplied by sqrt(1 - beta), and the variance
    # becomes (1 - beta) v + beta.
    chain = schedule(50)
    factor, variance = 1.0, 0.0
    one, zero = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    for t, beta in enumerate(chain.betas.tolist(), start=1):
        factor, variance = math.sqrt(1 - beta) * factor, (1 - beta) * variance + beta
        at = torch.tensor([t])
        assert diffusion.add_noise(one, at, zero, chain).item() == pytest.approx(factor, rel=1e-9)
        assert diffusion.add_noise(zero, at, one, chain).item() == pytest.approx(math.sqrt(variance), rel=1e-9)


@pytest.mark.parametrize("t", [2, 3, 30, 50])
def test_posterior_is_the_product_of_two_gaussians(t):
    # q(x_{t-1} | x_t, x_0) is proportional to q(x_t | x_{t-1}) q(x_{t-1} | x_0); multiplied on a fine grid here.
    chain, clean, noisy = schedule(50), 0.7, -0.4
    before, beta = chain.alpha_bars[t - 2].item(), chain.betas[t - 1].item()
    x = np.linspace(-12, 12, 240_001)
    weight = stats.norm.pdf(x, math.sqrt(before) * clean, math.sqrt(1 - before))
    weight *= stats.norm.pdf(noisy, math.sqrt(1 - beta) * x, math.sqrt(beta))
    weight /= weight.sum()
    expected = (weight * x).sum()
    pair = (torch.tensor([[value]], dtype=torch.float64) for value in (noisy, clean))
    mean, variance = diffusion.posterior(*pair, torch.tensor([t]), chain)
    assert mean.item() == pytest.approx(expected, abs=1e-6)
    assert variance.item() == pytest.approx((weight * (x - expected) ** 2).sum(), rel=1e-5)


def _mixture_noise(noisy, step, chain, weights, means, deviations):
    """Return E[noise | noisy] where the clean numbers are a mixture of Gaussians: by Bayes' rule, peak by peak."""
    left = chain.alpha_bars[step - 1]
    total = left * deviations**2 + 1 - left  # the variance of each peak, with its noise
    gaps = noisy - left.sqrt() * means  # (n, 1) - (k,) -> (n, k)
    share = torch.softmax(weights.log() - total.log() / 2 - gaps**2 / (2 * total), dim=1)
    return (share * (1 - left).sqrt() * gaps / total).sum(dim=1, keepdim=True)


def _sample_mixture(num_steps, draws):
    """Return the medians and half the central 68 % of both peaks, and the share of the left one."""
    chain = schedule(num_steps)
    peaks = [torch.tensor(row, dtype=torch.float64) for row in ([0.3, 0.7], [-0.6, 0.6], [0.1, 0.15])]
    numbers = torch.randn(8_000, 1, dtype=torch.float64, generator=draws)
    for step in range(num_steps, 0, -1):
        found = _mixture_noise(numbers, step, chain, *peaks)
        fresh = torch.randn(numbers.shape, dtype=torch.float64, generator=draws)
        numbers = diffusion.step_back(numbers, found, step, chain, fresh=fresh)
    levels = torch.tensor([0.16, 0.5, 0.84], dtype=torch.float64)
    low, middle, high = torch.stack([side.quantile(levels) for side in (numbers[numbers < 0], numbers[numbers > 0])]).T
    return middle.tolist(), ((high - low) / 2).tolist(), (numbers < 0).double().mean().item()


def test_steps_back_with_the_best_denoiser_give_the_mixture(draws):
    medians, spreads, share = _sample_mixture(400, draws)
    assert medians == pytest.approx([-0.6, 0.6], abs=0.02)
    assert spreads == pytest.approx([0.1, 0.15], rel=0.08)
    assert share == pytest.approx(0.3, abs=0.02)  # three standard errors of 8,000: 0.015


def test_fifty_steps_give_narrower_peaks(draws):
    # The variance of `posterior` is that of somebody who knows the clean number. The network only guesses it.
    medians, spreads, share = _sample_mixture(50, draws)
    assert medians == pytest.approx([-0.6, 0.6], abs=0.02)
    assert share == pytest.approx(0.3, abs=0.02)
    assert 0.07 < spreads[0] < 0.095
    assert 0.11 < spreads[1] < 0.145


def test_step_back_at_one_returns_the_guess_within_its_limit():
    # alpha_bar 0.81: guess = (0.99 - 0) / 0.9 = 1.1, cut off at 1; no fresh noise.
    chain = schedule(betas=[0.19, 0.5])
    noisy, nothing = torch.full((2, 1), 0.99), torch.zeros(2, 1)
    for limit, expected in ((None, 1.1), (1.0, 1.0)):
        found = diffusion.step_back(noisy, nothing, 1, chain, fresh=torch.ones(2, 1), limit=limit)
        torch.testing.assert_close(found, torch.full((2, 1), expected))


def test_fresh_denoiser_is_the_best_one_for_normal_noise(draws):
    # For x_0 ~ N(0, 1) all of x_t is N(0, 1), and E[noise | x_t] = cov(noise, x_t) x_t = sqrt(1 - alpha_bar) x_t.
    network = _small(channels=(8, 16))
    noisy = torch.randn(3, 1, 8, 8, generator=draws)
    steps = torch.tensor([1, 5, 10])
    expected = (1 - schedule(10).alpha_bars[steps - 1]).sqrt().float().reshape(3, 1, 1, 1) * noisy
    torch.testing.assert_close(network(noisy, steps), expected)


def test_embed_by_hand():
    # Two rates, 1 and 1/1000, so at t = 2: sin 2, sin 0.002, cos 2, cos 0.002.
    expected = [math.sin(2), math.sin(0.002), math.cos(2), math.cos(0.002)]
    assert embed(torch.tensor([2]), 4)[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_gradient_of_the_loss_by_finite_differences(draws):
    network = _small(conditions=1).double()
    clean, noise = torch.randn(2, 3, 1, 8, 8, dtype=torch.float64, generator=draws)
    steps, told = torch.tensor([2, 5, 9]), torch.randn(3, 1, dtype=torch.float64, generator=draws)
    noisy = diffusion.add_noise(clean, steps, noise, schedule(10))
    directions = [torch.randn(value.shape, dtype=torch.float64, generator=draws) for value in network.parameters()]

    def loss():
        return ((network(noisy, steps, told) - noise) ** 2).mean()

    def move(length):
        with torch.no_grad():
            for value, direction in zip(network.parameters(), directions, strict=True):
                value += length * direction

    move(0.05)  # away from the zeros of the last layer
    loss().backward()
    slope = sum((value.grad * way).sum() for value, way in zip(network.parameters(), directions, strict=True))
    ends = []
    for length in (1e-5, -2e-5):
        move(length)
        ends.append(loss().item())
    assert slope.item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


def test_network_refuses_other_sizes_and_missing_conditions():
    with pytest.raises(ValueError, match="multiples of 4"):
        _small()(torch.zeros(1, 1, 6, 8), torch.tensor([1]))
    with pytest.raises(ValueError, match="takes 2 conditions an image, got 0"):
        _small(conditions=2)(torch.zeros(1, 1, 8, 8), torch.tensor([1]))
    with pytest.raises(ValueError, match="one multiple of 8 or more"):
        _small(channels=(8, 12))


def test_train_repeats_by_its_seed_and_leaves_the_global_draws_alone():
    images = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    runs = []
    for seed in (1, 1, 2):
        network = _small()
        before = torch.random.get_rng_state()
        runs.append(diffusion.train(images, denoiser=network, num_steps=4, batch_size=8, seed=seed, progress=False))
        assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(runs[0].losses, runs[1].losses)
    assert not np.array_equal(runs[0].losses, runs[2].losses)


def test_trained_denoiser_makes_the_grey_that_is_asked_for():
    greys = torch.linspace(-0.8, 0.8, 64)[:, None]
    images = greys[:, :, None, None].expand(64, 1, 8, 8).contiguous()
    network = Denoiser(schedule().alpha_bars, conditions=1, channels=(8, 8))
    run = diffusion.train(images, conditions=greys, denoiser=network, num_steps=250, learning_rate=1e-2, progress=False)
    assert run.losses[-50:].mean() < 0.5 * run.losses[:20].mean()
    made = diffusion.make_patches(run.averaged, torch.tensor([[-0.5]] * 8 + [[0.5]] * 8), seed=1, size=8)
    assert made[:8].mean() == pytest.approx(-650, abs=100)  # -300 HU minus half of 700
    assert made[8:].mean() == pytest.approx(50, abs=100)


def test_make_patches_repeats_by_its_seed_whatever_the_batch():
    network = _small(conditions=2)
    wanted = gan.conditions([1, 0, 1], [8.0, np.nan, 20.0])
    made = diffusion.make_patches(network, wanted, seed=3, size=8)
    np.testing.assert_allclose(diffusion.make_patches(network, wanted, seed=3, batch_size=2, size=8), made, atol=0.1)
    assert not np.allclose(diffusion.make_patches(network, wanted, seed=4, size=8), made, atol=1)


def test_train_refuses_other_shapes_and_counts():
    with pytest.raises(ValueError, match=r"\(n, 1, height, width\)"):
        diffusion.train(torch.zeros(4, 32, 32))
    with pytest.raises(ValueError, match="there are 4 images and 3 conditions: give one for each image"):
        diffusion.train(torch.zeros(4, 1, 32, 32), conditions=torch.zeros(3, 2), num_steps=1)
    with pytest.raises(ValueError, match=r"must lie within -1 to 1, without NaN; use gan.scale\(images_hu\)"):
        diffusion.train(torch.full((4, 1, 32, 32), -700.0), num_steps=1)
    with pytest.raises(ValueError, match="num_steps must be 1 or more"):
        diffusion.train(torch.zeros(4, 1, 32, 32), num_steps=0)


def test_shipped_denoiser_makes_the_middle_brighter_where_a_nodule_is_asked_for():
    network = diffusion.load_denoiser()
    assert diffusion.WEIGHTS.stat().st_size <= 500_000
    made = diffusion.make_patches(network, gan.conditions([1] * 20 + [0] * 20, [14.0] * 20 + [np.nan] * 20), seed=0)
    assert -1000 <= made.min() < -500 < 0 < made.max() <= 400
    ring = np.hypot(*(np.indices((32, 32)) - 15.5)) < 5  # 3.5 mm
    assert made[:20, ring].mean() > made[20:, ring].mean() + 200
