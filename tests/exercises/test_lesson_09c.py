"""Lesson 09c's exercises: the solutions against torch.distributions, autograd, SciPy and counting by Monte Carlo."""

import numpy as np
import pytest
from scipy import optimize, stats

from medlearn.exercises import lesson_09c as ex
from medlearn.exercises.testing import assert_exercises_hold


@pytest.fixture
def rng():
    return np.random.default_rng(93)


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def test_every_exercise_holds():
    assert_exercises_hold(ex)


def test_divergence_is_that_of_torch_distributions(rng):
    torch = pytest.importorskip("torch")
    mean, log_variance = rng.normal(size=(2, 6))
    one = torch.distributions.Normal(torch.from_numpy(mean), torch.from_numpy(np.exp(log_variance / 2)))
    standard = torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(one, standard).sum().item()
    assert solution(ex.divergence)(mean, log_variance) == pytest.approx(expected)


def test_through_the_draw_is_what_autograd_finds(rng):
    torch = pytest.importorskip("torch")
    noise = torch.from_numpy(rng.normal(size=50))
    mean, log_variance = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.4, -0.6))
    z = mean + torch.exp(log_variance / 2) * noise
    (z**3 + torch.sin(z)).mean().backward()
    slopes = (3 * z**2 + torch.cos(z)).detach().numpy()
    found = solution(ex.through_the_draw)(slopes, -0.6, noise.numpy())
    assert found == pytest.approx((mean.grad.item(), log_variance.grad.item()))


def test_best_noise_is_the_most_likely_one(rng):
    images, outputs = rng.normal(size=(2, 6, 5, 5))
    best = optimize.minimize_scalar(
        lambda s: -stats.norm.logpdf(images, outputs, s).sum(), bounds=(0.1, 5), method="bounded",
        options={"xatol": 1e-9},
    ).x  # fmt: skip
    assert solution(ex.best_noise)(images, outputs) == pytest.approx(best, rel=1e-5)


def test_nats_kept_is_the_divergence_of_the_best_linear_autoencoder():
    # One direction: data N(0, v), decoder w z + noise, encoder N(a x, s2). Its loss with weight beta, minimised by
    # SciPy over w, a and s2; the divergence is (a2 v + s2 - 1 - log s2) / 2.
    noise, beta = 0.5, 1.5
    variances = np.array([3.0, 0.9, 0.2])
    kept = []
    for variance in variances:

        def parts(p, variance=variance):
            w, a, s2 = p[0], p[1], np.exp(p[2])
            fit = ((1 - w * a) ** 2 * variance + w**2 * s2) / (2 * noise**2)
            return fit, (a**2 * variance + s2 - 1 - p[2]) / 2

        found = optimize.minimize(lambda p, parts=parts: parts(p)[0] + beta * parts(p)[1], [1.0, 0.5, -0.5], tol=1e-10)
        kept.append(parts(found.x)[1])
    assert solution(ex.nats_kept)(variances, noise, beta) == pytest.approx(sum(kept), abs=1e-3)
    assert kept[2] == pytest.approx(0, abs=1e-3)


def test_noised_has_the_moments_of_the_chain(rng):
    betas, clean = rng.uniform(0.05, 0.3, 7), np.full(200_000, 1.3)
    numbers = clean
    for beta in betas[:5]:
        numbers = np.sqrt(1 - beta) * numbers + np.sqrt(beta) * rng.normal(size=len(clean))
    at_once = solution(ex.noised)(clean, rng.normal(size=len(clean)), betas, 5)
    assert at_once.mean() == pytest.approx(numbers.mean(), abs=0.01)
    assert at_once.std() == pytest.approx(numbers.std(), abs=0.01)


def test_best_guess_of_noise_is_the_regression_on_draws(rng):
    mean, variance, alpha_bar = 0.8, 0.5, 0.6
    noise = rng.normal(size=200_000)
    noisy = np.sqrt(alpha_bar) * rng.normal(mean, np.sqrt(variance), len(noise)) + np.sqrt(1 - alpha_bar) * noise
    slope, offset = np.polyfit(noisy, noise, 1)  # the conditional mean of Gaussians is a straight line
    places = np.array([-1.0, 0.5, 2.0])
    found = solution(ex.best_guess_of_noise)(places, mean, variance, alpha_bar)
    np.testing.assert_allclose(found, slope * places + offset, atol=0.02)


def test_one_step_back_is_the_product_on_a_grid(rng):
    betas, step, clean, noisy = rng.uniform(0.05, 0.4, 6), 4, -0.3, 0.9
    x = np.linspace(-9, 9, 180_001)
    before = np.prod(1 - betas[:3])
    weight = stats.norm.pdf(x, np.sqrt(before) * clean, np.sqrt(1 - before))
    weight *= stats.norm.pdf(noisy, np.sqrt(1 - betas[3]) * x, np.sqrt(betas[3]))
    weight /= weight.sum()
    mean = (weight * x).sum()
    found = solution(ex.one_step_back)(noisy, clean, betas, step)
    assert found == pytest.approx((mean, (weight * (x - mean) ** 2).sum()), abs=1e-6)


def test_one_step_back_is_the_library_s_posterior(rng):
    torch = pytest.importorskip("torch")
    from medlearn.models import diffusion

    betas = rng.uniform(0.05, 0.4, 6)
    noisy, clean = rng.normal(size=(2, 3))
    pair = (torch.from_numpy(values)[:, None] for values in (noisy, clean))
    mean, variance = diffusion.posterior(*pair, torch.full((3,), 4), diffusion.schedule(betas=betas))
    found = solution(ex.one_step_back)(noisy, clean, betas, 4)
    np.testing.assert_allclose(found[0], mean[:, 0].numpy())
    assert found[1] == pytest.approx(variance[0].item())


def test_jump_carries_a_known_mixture_of_image_and_noise(rng):
    clean, noise = rng.normal(size=(2, 8))
    noisy = np.sqrt(0.3) * clean + np.sqrt(0.7) * noise
    expected = np.sqrt(0.8) * clean + np.sqrt(0.2) * noise
    np.testing.assert_allclose(solution(ex.jump)(noisy, noise, 0.3, 0.8), expected)
