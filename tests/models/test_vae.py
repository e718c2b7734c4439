"""The bound against torch.distributions and a model whose evidence is known; training and sampling by their seeds."""

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from medlearn.models import gan, vae
from medlearn.models.vae import VAE


@pytest.fixture
def draws():
    return torch.Generator().manual_seed(9)


def _small(seed=0, **options):
    torch.manual_seed(seed)
    return VAE(**{"latent": 3, "channels": 4} | options)


def _discs(count, draws):
    """Return pictures of a disc of 5 or 10 pixels radius and of a random brightness, and 1 for the large ones."""
    large = torch.randint(2, (count, 1), generator=draws).float()
    brightness = 0.6 + 0.4 * torch.rand(count, 1, 1, 1, generator=draws)
    squares = ((torch.arange(32.0) - 15.5) ** 2 + (torch.arange(32.0)[:, None] - 15.5) ** 2).expand(count, 1, 32, 32)
    inside = (squares < (5 + 5 * large[:, :, None, None]) ** 2).float()  # (n, 1, 32, 32)
    return 2 * brightness * inside - 1, large


def test_gaussian_kl_against_torch_distributions(draws):
    mean, log_variance = torch.randn(2, 6, 4, generator=draws)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(vae.gaussian_kl(mean, log_variance), expected)


def test_reconstruction_is_minus_the_log_density_of_the_pixels(draws):
    images, output = torch.randn(2, 5, 1, 3, 4, generator=draws)
    log_noise = torch.tensor(-0.7)
    _, found, _ = vae.vae_loss(images, output, torch.zeros(5, 2), torch.zeros(5, 2), log_noise=log_noise)
    expected = -Normal(output, log_noise.exp()).log_prob(images).sum(dim=(1, 2, 3)).mean()
    torch.testing.assert_close(found, expected)


def test_vae_loss_adds_beta_times_the_divergence():
    # One latent number: mean 2, variance 1 costs 2 nats. Four pixels, no error, noise 1: 4 * 0.5 log(2 pi) = 3.6758.
    zeros = torch.zeros(1, 1, 2, 2)
    loss, *parts = vae.vae_loss(
        zeros, zeros, torch.tensor([[2.0]]), torch.zeros(1, 1), log_noise=torch.tensor(0.0), beta=3.0
    )
    assert [round(part.item(), 4) for part in (loss, *parts)] == [9.6758, 3.6758, 2.0]


def test_gradients_of_the_loss_by_finite_differences(draws):
    images = torch.randn(3, 1, 2, 3, dtype=torch.float64, generator=draws)
    inputs = [torch.randn(shape, dtype=torch.float64, generator=draws) for shape in ((3, 1, 2, 3), (3, 2), (3, 2), ())]

    def loss(output, mean, log_variance, log_noise):
        return vae.vae_loss(images, output, mean, log_variance, log_noise=log_noise, beta=0.5)[0]

    assert torch.autograd.gradcheck(loss, [value.requires_grad_() for value in inputs])


def test_draw_latent_has_the_moments_and_lets_the_gradient_through(draws):
    mean = torch.tensor([[1.0, -2.0]]).repeat(40_000, 1).requires_grad_()
    log_variance = torch.tensor([[0.0, 2 * np.log(3.0)]]).float().repeat(40_000, 1).requires_grad_()
    latent = vae.draw_latent(mean, log_variance, generator=draws)
    torch.testing.assert_close(latent.mean(dim=0), torch.tensor([1.0, -2.0]), atol=0.06, rtol=0)
    torch.testing.assert_close(latent.std(dim=0), torch.tensor([1.0, 3.0]), atol=0.05, rtol=0)
    latent.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones_like(mean))
    torch.testing.assert_close(log_variance.grad, (latent - mean).detach() / 2)  # d exp(s / 2) e / ds


def test_the_bound_touches_the_evidence_at_the_true_posterior_only(draws):
    # x = W z + noise with z ~ N(0, I): p(x) = N(0, W W' + s2 I) is known. The columns of W are orthogonal, so the
    # posterior has a diagonal covariance s2 / (w'w + s2) and the mean w'x / (w'w + s2).
    w = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, -1.0]])
    x, variance = torch.tensor([1.0, -0.5, 2.0, 0.3]), torch.tensor(0.25)
    evidence = MultivariateNormal(torch.zeros(4), w @ w.T + variance * torch.eye(4)).log_prob(x)
    left = 1 / ((w**2).sum(dim=0) + variance)
    mean, log_variance = left * (w.T @ x), (variance * left).log()
    bounds = []
    for shift in (0.0, 0.3):
        rows = [value.expand(60_000, 2) for value in (mean + shift, log_variance)]
        output = vae.draw_latent(*rows, generator=draws) @ w.T
        images = x.expand(60_000, 4).reshape(-1, 1, 2, 2)
        loss, *_ = vae.vae_loss(images, output.reshape(-1, 1, 2, 2), *rows, log_noise=variance.log() / 2)
        bounds.append(-loss)
    short = kl_divergence(
        Normal(mean + 0.3, (log_variance / 2).exp()), Normal(mean, (log_variance / 2).exp())
    ).sum()  # by which the second one must fall short
    torch.testing.assert_close(bounds[0], evidence, atol=0.03, rtol=0)
    torch.testing.assert_close(bounds[1], evidence - short, atol=0.03, rtol=0)
    assert short > 0.5


def test_vae_loss_refuses_two_shapes():
    with pytest.raises(ValueError, match="must have one shape"):
        vae.vae_loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4), torch.zeros(2, 1), torch.zeros(2, 1), log_noise=0.0)


def test_network_refuses_other_sizes_and_missing_conditions():
    with pytest.raises(ValueError, match=r"\(n, 1, 32, 32\)"):
        _small()(torch.zeros(2, 1, 64, 64))
    with pytest.raises(ValueError, match="takes 2 conditions an image, got 0"):
        _small(conditions=2)(torch.zeros(2, 1, 32, 32))
    with pytest.raises(ValueError, match="must be 1 or more"):
        VAE(latent=0)


def test_train_repeats_by_its_seed_and_leaves_the_global_draws_alone(draws):
    images, _ = _discs(16, draws)
    before = torch.random.get_rng_state()
    runs = [vae.train(images, vae=_small(), num_steps=4, batch_size=8, seed=seed, progress=False) for seed in (1, 1, 2)]
    torch.random.set_rng_state(before)
    fresh = vae.train(images, num_steps=1, batch_size=4, progress=False)
    assert torch.equal(before, torch.random.get_rng_state())
    assert len(fresh.reconstruction) == 1
    np.testing.assert_array_equal(runs[0].reconstruction, runs[1].reconstruction)
    assert not np.array_equal(runs[0].reconstruction, runs[2].reconstruction)


def test_trained_network_makes_discs_of_the_size_asked_for(draws):
    images, sizes = _discs(256, draws)
    run = vae.train(
        images, conditions=sizes, vae=_small(conditions=1, channels=8), num_steps=100, learning_rate=5e-3,
        batch_size=32, progress=False,
    )  # fmt: skip
    assert run.reconstruction[-20:].mean() < run.reconstruction[:20].mean() - 300
    made = vae.make_patches(run.vae, torch.tensor([[0.0]] * 20 + [[1.0]] * 20), seed=1)
    bright = (made > -300).sum(axis=(1, 2))
    assert bright[20:].mean() > bright[:20].mean() + 50  # discs of 79 and 314 pixels, blurred by short training


def test_make_patches_repeats_by_its_seed_whatever_the_batch():
    network = _small(conditions=2)
    wanted = gan.conditions([1, 0, 1], [8.0, np.nan, 20.0])
    made = vae.make_patches(network, wanted, seed=3)
    np.testing.assert_allclose(vae.make_patches(network, wanted, seed=3, batch_size=2), made, atol=0.1)
    assert not np.allclose(vae.make_patches(network, wanted, seed=4), made, atol=1)
    assert made.shape == (3, 32, 32)


def test_pixel_noise_has_the_learned_size():
    network = _small()
    plain, noisy = (vae.make_patches(network, 40, seed=5, pixel_noise=noise) for noise in (False, True))
    assert np.std(noisy - plain) == pytest.approx(0.3 * 700, rel=0.05)  # 0.3 at the start; 1 is 700 HU


def test_train_refuses_other_shapes_counts_and_units():
    with pytest.raises(ValueError, match=r"\(n, 1, 32, 32\)"):
        vae.train(torch.zeros(4, 32, 32))
    with pytest.raises(ValueError, match="there are 4 images and 3 conditions: give one for each image"):
        vae.train(torch.zeros(4, 1, 32, 32), conditions=torch.zeros(3, 2), num_steps=1)
    with pytest.raises(ValueError, match=r"must lie within -1 to 1, without NaN; use gan.scale\(images_hu\)"):
        vae.train(torch.full((4, 1, 32, 32), -700.0), num_steps=1)


def test_shipped_network_makes_the_middle_brighter_where_a_nodule_is_asked_for():
    network = vae.load_vae()
    assert vae.WEIGHTS.stat().st_size <= 500_000
    with_one = vae.make_patches(network, gan.conditions([1] * 40, [14.0] * 40), seed=0)
    without = vae.make_patches(network, gan.conditions([0] * 40), seed=0)
    ring = np.hypot(*(np.indices((32, 32)) - 15.5)) < 5  # 3.5 mm
    assert with_one[:, ring].mean() > without[:, ring].mean() + 200
