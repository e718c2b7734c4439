"""Exercises of lesson 09c, Generative networks: autoencoder and diffusion: the bound, noise, the way back."""

import numpy as np

from medlearn.exercises.engine import exercise


def _divergence(mean, log_variance, *, half=0.5, spread=np.exp, log=1.0, power=2, one=1.0, reduce=np.sum):
    """Return the divergence of a Gaussian from the standard one; the options make the usual mistakes."""
    return half * reduce(np.abs(mean) ** power + spread(log_variance) - one - log * log_variance)


@exercise(
    task="Return the Kullback-Leibler divergence, in nats, of the Gaussian with these means and log variances from the"
    " standard normal distribution: one number, summed over the latent numbers.",
    cases=lambda rng: [
        # 0.5 * (4 + 1 - 1 - 0) = 2 for the first number; the second is standard already: 0.
        (np.array([2.0, 0.0]), np.array([0.0, 0.0])),
        (rng.normal(size=5), rng.normal(size=5)),
        (rng.normal(size=3), rng.normal(size=3) - 1),
    ],
    mistakes=[
        (
            lambda mean, log_variance: _divergence(mean, log_variance, half=1.0),
            "It is twice the divergence: the factor 1/2 is missing.",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance, spread=lambda x: x),
            "You took log_variance for the variance. The variance is np.exp(log_variance).",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance, spread=lambda x: np.exp(x / 2)),
            "You took the standard deviation where the variance belongs: np.exp(log_variance), without a half.",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance, spread=lambda x: np.exp(2 * x)),
            "You squared once too often: np.exp(log_variance) is the variance already.",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance, log=-1.0),
            "The sign of the log variance is turned: a narrow Gaussian (a very negative log variance) must cost much.",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance, log=0.0),
            "The term with the log variance is missing: without it a narrower Gaussian would always cost less.",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance, power=1),
            "Square the means.",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance, one=0.0),
            "Subtract 1 for each number: the divergence of the standard normal from itself must be 0.",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance, reduce=np.mean),
            "You averaged over the latent numbers. They are independent, so their divergences add up.",
        ),
        (
            lambda mean, log_variance: -_divergence(mean, log_variance),
            "The sign is turned. A divergence is never negative.",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance) / np.log(2),
            "Those are bits. Asked are nats: do not divide by log(2).",
        ),
    ],
    hints=[
        "The variance is np.exp(log_variance).",
        "For one number: 0.5 * (mean**2 + variance - 1 - log_variance). Then sum.",
    ],
)
def divergence(mean, log_variance):
    return 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance)


def _chain(slopes, log_variance, noise, *, half=0.5, spread=True, with_noise=True, inner=0.5, reduce=np.mean):
    deviation = np.exp(inner * log_variance)
    factor = half * (deviation if spread else 1.0) * (noise if with_noise else 1.0)
    return reduce(slopes), reduce(slopes * factor)


@exercise(
    task="z = mean + exp(log_variance / 2) * noise. `slopes` holds df/dz at each draw. Return two numbers: the"
    " estimates of the derivatives of E[f(z)] with respect to mean and to log_variance.",
    cases=lambda rng: [
        # deviation exp(0) = 1: the means of (1, 3) and of (1 * 2, 3 * -1) / 2, so 2 and (1 - 1.5) / 2 = -0.25.
        (np.array([1.0, 3.0]), 0.0, np.array([2.0, -1.0])),
        (rng.normal(size=7), -0.8, rng.normal(size=7)),
        (rng.normal(size=4) + 2, 1.3, rng.normal(size=4)),
    ],
    mistakes=[
        (
            lambda slopes, log_variance, noise: _chain(slopes, log_variance, noise, half=1.0),
            "The second one is twice too large: exp(log_variance / 2) has a derivative with a factor 1/2.",
        ),
        (
            lambda slopes, log_variance, noise: _chain(slopes, log_variance, noise, spread=False),
            "In the second one the deviation is missing: d exp(s / 2) / ds = exp(s / 2) / 2.",
        ),
        (
            lambda slopes, log_variance, noise: _chain(slopes, log_variance, noise, half=1.0, spread=False),
            "That is the derivative with respect to the deviation. Asked is the one to the log variance: one link more"
            " in the chain.",
        ),
        (
            lambda slopes, log_variance, noise: _chain(slopes, log_variance, noise, with_noise=False),
            "The noise is missing in the second one: a draw moves by its own noise when the deviation grows.",
        ),
        (
            lambda slopes, log_variance, noise: _chain(slopes, log_variance, noise, inner=1.0),
            "You took exp(log_variance) for the deviation. That is the variance.",
        ),
        (
            lambda slopes, log_variance, noise: _chain(slopes, log_variance, noise, reduce=np.sum),
            "You summed over the draws. An expectation is estimated by their mean.",
        ),
        (
            lambda slopes, log_variance, noise: _chain(slopes, log_variance, noise)[::-1],
            "The order: first the derivative with respect to the mean, then to the log variance.",
        ),
        (
            lambda slopes, log_variance, noise: (
                slopes.mean(), slopes.mean() * 0.5 * np.exp(log_variance / 2) * noise.mean()
            ),
            "You multiplied two means. Multiply draw by draw, then take the mean: large noise meets its own slope.",
        ),
    ],
    hints=[
        "Chain rule: df/dmean = df/dz * dz/dmean, and dz/dmean = 1.",
        "dz/dlog_variance = 0.5 * exp(log_variance / 2) * noise, one number a draw.",
        "return slopes.mean(), (slopes * ...).mean()",
    ],
)  # fmt: skip
def through_the_draw(slopes, log_variance, noise):
    of_mean = slopes.mean()
    of_log_variance = (slopes * 0.5 * np.exp(log_variance / 2) * noise).mean()
    return of_mean, of_log_variance


@exercise(
    task="Return the standard deviation of the pixel noise under which these images are most likely, given the"
    " decoder's outputs: one number for all pixels of all images.",
    cases=lambda rng: [
        # errors 1, -1, 3, 1: squares 1, 1, 9, 1, mean 3, root 1.732
        (np.array([[1.0, 0.0], [3.0, 2.0]]), np.array([[0.0, 1.0], [0.0, 1.0]])),
        (rng.normal(size=(3, 4, 4)) + 0.5, rng.normal(size=(3, 4, 4))),
        (rng.normal(size=(5, 6)), np.zeros((5, 6)) + 0.7),
    ],
    mistakes=[
        (
            lambda images, outputs: np.std(images - outputs),
            "np.std subtracts the mean error first. An output that is too dark everywhere is wrong, too: take the root"
            " of the mean squared error.",
        ),
        (
            lambda images, outputs: np.mean((images - outputs) ** 2),
            "That is the variance. Take its root.",
        ),
        (
            lambda images, outputs: np.mean(np.abs(images - outputs)),
            "The mean absolute error is the best scale of a Laplace distribution. For a Gaussian take squares.",
        ),
        (
            lambda images, outputs: np.sqrt(np.sum((images - outputs) ** 2)),
            "You summed. Set the derivative of N log s + sum(error**2) / (2 s**2) to zero: the number of pixels N"
            " stands below.",
        ),
        (
            lambda images, outputs: np.sqrt(np.sum((images - outputs) ** 2) / len(images)),
            "You divided by the number of images. N counts pixels: all of them.",
        ),
        (
            lambda images, outputs: np.sqrt(np.mean((images - outputs) ** 2) / 2),
            "A factor of two too much: the derivative of error**2 / (2 s**2) is -error**2 / s**3.",
        ),
        (
            lambda images, outputs: np.std(images),
            "That is the spread of the images. The noise is what the outputs do not explain: images - outputs.",
        ),
        (
            lambda images, outputs: np.sqrt(np.sum((images - outputs) ** 2) / (np.size(images) - 1)),
            "You divided by N - 1. No mean was estimated from these errors, and the likelihood is highest with N.",
        ),
    ],
    hints=[
        "Minus the log density of N pixels: N log s + sum(error**2) / (2 s**2) + a constant.",
        "Its derivative N / s - sum(error**2) / s**3 is zero at s**2 = sum(error**2) / N.",
    ],
)
def best_noise(images, outputs):
    return np.sqrt(np.mean((images - outputs) ** 2))


def _nats(variances, noise, beta, *, half=0.5, floor=True, reduce=np.sum, square=True):
    ratio = np.asarray(variances) / (beta * (noise**2 if square else noise))
    nats = half * np.log(ratio)
    return reduce(np.maximum(nats, 0) if floor else nats)


@exercise(
    task="Return how many nats a linear autoencoder keeps in all: half the logarithm of variance / (beta * noise**2)"
    " for each direction whose variance is larger than beta * noise**2, and nothing for the others.",
    cases=lambda rng: [
        # Below 2 * 0.5**2 = 0.5 lies the last one. log(2 / 0.5) / 2 + log(1 / 0.5) / 2 = 0.693 + 0.347 = 1.040
        (np.array([2.0, 1.0, 0.25]), 0.5, 2.0),
        (np.sort(rng.exponential(1, 8))[::-1] + 0.01, 0.4, 1.0),
        (np.sort(rng.exponential(2, 6))[::-1] + 0.01, 0.6, 4.0),
    ],
    mistakes=[
        (
            lambda variances, noise, beta: _nats(variances, noise, beta, floor=False),
            "Directions with a variance below beta * noise**2 are given up: they keep 0 nats, not a negative number.",
        ),
        (
            lambda variances, noise, beta: _nats(variances, noise, beta, half=1.0),
            "It is twice the divergence: the factor 1/2 is missing.",
        ),
        (
            lambda variances, noise, beta: _nats(variances, noise, 1.0),
            "You left out beta: it makes the noise look larger.",
        ),
        (
            lambda variances, noise, beta: _nats(variances, noise, beta, square=False),
            "`noise` is a standard deviation. Its variance is noise**2.",
        ),
        (
            lambda variances, noise, beta: _nats(variances, noise * beta, 1.0),
            "beta multiplies the variance of the noise, not its standard deviation.",
        ),
        (
            lambda variances, noise, beta: _nats(variances, noise, beta, reduce=np.count_nonzero),
            "That is how many directions are kept. Asked is what they keep, in nats.",
        ),
        (
            lambda variances, noise, beta: _nats(variances, noise, beta) / np.log(2),
            "Those are bits. Take the natural logarithm.",
        ),
    ],
    hints=[
        "ratio = variances / (beta * noise**2)",
        "np.maximum(0.5 * np.log(ratio), 0) for each direction, then the sum.",
    ],
)
def nats_kept(variances, noise, beta):
    ratio = variances / (beta * noise**2)
    return np.sum(np.maximum(0.5 * np.log(ratio), 0))


def _noised(clean, noise, betas, step, *, shift=0, product=np.prod, root=np.sqrt, kept=1):
    left = product(1 - betas[: step + shift]) if kept else product(betas[: step + shift])
    return root(left) * clean + root(1 - left) * noise


@exercise(
    task="Return x_t: the clean image after `step` steps of noise, in one go. betas[0] belongs to step 1.",
    cases=lambda rng: [
        # Two steps: (1 - 0.36) * (1 - 0.75) = 0.16, so 0.4 * clean + sqrt(0.84) * noise.
        (np.array([1.0, -1.0]), np.array([0.0, 1.0]), np.array([0.36, 0.75, 0.5]), 2),
        (rng.normal(size=(4, 4)), rng.normal(size=(4, 4)), rng.uniform(0.01, 0.3, 9), 6),
        (rng.normal(size=5), rng.normal(size=5), rng.uniform(0.1, 0.4, 5), 1),
    ],
    mistakes=[
        (
            lambda clean, noise, betas, step: _noised(clean, noise, betas, step, shift=-1),
            "One step too few: the product runs over the betas of the steps 1 to t, so over betas[:step].",
        ),
        (
            lambda clean, noise, betas, step: _noised(clean, noise, betas, step, shift=1),
            "One step too many: betas[:step] are the betas of the steps 1 to t.",
        ),
        (
            lambda clean, noise, betas, step: (
                np.sqrt(1 - betas[step - 1]) * clean + np.sqrt(betas[step - 1]) * noise
            ),
            "That is one step alone. All steps up to t multiply the image: take the product of 1 - beta.",
        ),
        (
            lambda clean, noise, betas, step: _noised(clean, noise, betas, step, root=lambda x: x),
            "Take the roots: alpha_bar is a share of the variance, the image is multiplied by its root.",
        ),
        (
            lambda clean, noise, betas, step: (
                np.sqrt(np.prod(1 - betas[:step])) * clean + (1 - np.sqrt(np.prod(1 - betas[:step]))) * noise
            ),
            "The noise's factor is sqrt(1 - alpha_bar), so that the two variances add up to 1; not 1 minus the root.",
        ),
        (
            lambda clean, noise, betas, step: _noised(clean, noise, betas, step, kept=0),
            "That is the product of the betas. What is left of the image is the product of 1 - beta.",
        ),
        (
            lambda clean, noise, betas, step: _noised(
                clean, noise, betas, step, product=lambda x: max(0, 1 - np.sum(1 - x))
            ),
            "You added up. Each step multiplies what is left.",
        ),
        (
            lambda clean, noise, betas, step: _noised(noise, clean, betas, step),
            "Image and noise have changed places: early on nearly all of the image is left.",
        ),
        (
            lambda clean, noise, betas, step: _noised(clean, noise, betas, len(betas)),
            "You took the whole chain. The product ends at step t: betas[:step].",
        ),
    ],
    hints=[
        "alpha_bar = np.prod(1 - betas[:step])",
        "np.sqrt(alpha_bar) * clean + np.sqrt(1 - alpha_bar) * noise",
    ],
)  # fmt: skip
def noised(clean, noise, betas, step):
    alpha_bar = np.prod(1 - betas[:step])
    return np.sqrt(alpha_bar) * clean + np.sqrt(1 - alpha_bar) * noise


def _step(noisy, clean, betas, step, *, shift=0, precise=True, swap=False, root=np.sqrt, late=False):
    beta, before = betas[step - 1], np.prod(1 - betas[: step - 1 + shift])
    first, second = 1 / (1 - before), (1 - beta) / beta
    if not precise:
        first, second = 1 - before, beta / (1 - beta)
    if swap:
        first, second = second, first
    towards = noisy / root(1 - beta) if not late else noisy
    return (first * root(before) * clean + second * towards) / (first + second), 1 / (first + second)


@exercise(
    task="Return mean and variance of x_{t-1}, given x_t (`noisy`) and x_0 (`clean`), for a step of 2 or more. betas[0]"
    " belongs to step 1.",
    cases=lambda rng: [
        # alpha_bar_1 = 0.36, beta_2 = 0.75. Precisions 1 / 0.64 = 1.5625 and 0.25 / 0.75 = 0.3333, sum 1.8958:
        # variance 0.5275; mean (1.5625 * 0.6 * 1 + 0.3333 * 1 / 0.5) / 1.8958 = 0.8462
        (np.array([1.0]), np.array([1.0]), np.array([0.64, 0.75]), 2),
        (rng.normal(size=4), rng.normal(size=4), rng.uniform(0.05, 0.3, 8), 6),
        (rng.normal(size=3), rng.normal(size=3), rng.uniform(0.1, 0.4, 5), 3),
    ],
    mistakes=[
        (
            lambda noisy, clean, betas, step: _step(noisy, clean, betas, step, shift=1),
            "You took alpha_bar of step t. What the clean image says about x_{t-1} has the alpha_bar of step t - 1:"
            " np.prod(1 - betas[:step - 1]).",
        ),
        (
            lambda noisy, clean, betas, step: _step(noisy, clean, betas, step, precise=False),
            "You weighted with variances. The weights are precisions, one over the variance: who is surer counts more.",
        ),
        (
            lambda noisy, clean, betas, step: _step(noisy, clean, betas, step, swap=True),
            "The two have each other's weight.",
        ),
        (
            lambda noisy, clean, betas, step: _step(noisy, clean, betas, step, late=True),
            "x_t says that x_{t-1} lies at x_t / sqrt(1 - beta), not at x_t: the step had shrunk it.",
        ),
        (
            lambda noisy, clean, betas, step: (
                _step(noisy, clean, betas, step)[0], 1 / _step(noisy, clean, betas, step)[1]
            ),
            "The second number is the precision. The variance is one over it.",
        ),
        (
            lambda noisy, clean, betas, step: (
                _step(noisy, clean, betas, step)[0], np.sqrt(_step(noisy, clean, betas, step)[1])
            ),
            "The second number is the standard deviation. Asked is the variance.",
        ),
        (
            lambda noisy, clean, betas, step: (_step(noisy, clean, betas, step)[0], betas[step - 1]),
            "beta is the variance of the step forwards. Looking back, the clean image is known as well, and the"
            " variance is smaller.",
        ),
    ],
    hints=[
        "The clean image says: mean sqrt(alpha_bar_{t-1}) * clean, variance 1 - alpha_bar_{t-1}.",
        "x_t says: mean x_t / sqrt(1 - beta), variance beta / (1 - beta).",
        "Precisions add up; the mean is the mean of the two, weighted with the precisions.",
    ],
)  # fmt: skip
def one_step_back(noisy, clean, betas, step):
    beta, before = betas[step - 1], np.prod(1 - betas[: step - 1])
    of_clean, of_noisy = 1 / (1 - before), (1 - beta) / beta  # precisions
    mean = of_clean * np.sqrt(before) * clean + of_noisy * noisy / np.sqrt(1 - beta)
    return mean / (of_clean + of_noisy), 1 / (of_clean + of_noisy)


def _gaussian_answer(noisy, mean, variance, alpha_bar, *, centre=True, root=np.sqrt, spread=True, shrink=True):
    gap = noisy - (root(alpha_bar) * mean if centre else 0.0)
    total = (alpha_bar * variance if spread else alpha_bar * np.sqrt(variance)) + 1 - alpha_bar
    return (np.sqrt(1 - alpha_bar) if shrink else 1.0) * gap / total


@exercise(
    task="The clean numbers come from a Gaussian with this mean and variance. Return the best guess of the noise in"
    " x_t, E[noise | x_t]: one number for each of `noisy`.",
    cases=lambda rng: [
        # alpha_bar 0.64: x = 0.8 x0 + 0.6 e. Variance 0.64 * 1 + 0.36 = 1, gap 2 - 0.8 * 1 = 1.2: 0.6 * 1.2 / 1 = 0.72
        (np.array([2.0, 0.8]), 1.0, 1.0, 0.64),
        (rng.normal(size=5), -1.5, 0.3, 0.8),
        (rng.normal(size=4), 0.7, 2.5, 0.3),
    ],
    mistakes=[
        (
            lambda noisy, mean, variance, alpha_bar: _gaussian_answer(noisy, mean, variance, alpha_bar, centre=False),
            "You left out the mean. A number at sqrt(alpha_bar) * mean gives no hint of any noise.",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: _gaussian_answer(
                noisy, mean, variance, alpha_bar, root=lambda x: x
            ),
            "The mean of x_t is sqrt(alpha_bar) * mean: with the root.",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: _gaussian_answer(
                noisy, mean, variance, alpha_bar, root=lambda x: 1.0
            ),
            "The mean of the clean numbers has shrunk as well: by sqrt(alpha_bar).",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: _gaussian_answer(noisy, mean, variance, alpha_bar, shrink=False),
            "The covariance of noise and x_t is sqrt(1 - alpha_bar): that factor is missing.",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: _gaussian_answer(noisy, mean, variance, alpha_bar, spread=False),
            "`variance` is one already: do not take its root.",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: (noisy - np.sqrt(alpha_bar) * mean) / np.sqrt(1 - alpha_bar),
            "That takes everything beyond the mean for noise. Part of it is the spread of the clean numbers: divide by"
            " the whole variance of x_t.",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: (
                mean + np.sqrt(alpha_bar) * variance * (noisy - np.sqrt(alpha_bar) * mean)
                / (alpha_bar * variance + 1 - alpha_bar)
            ),
            "That is the best guess of the clean number. Asked is the noise.",
        ),
    ],
    hints=[
        "x_t and the noise are Gaussian together: E[e | x] = cov(e, x) / var(x) * (x - E[x]).",
        "x = sqrt(alpha_bar) * clean + sqrt(1 - alpha_bar) * e, so cov(e, x) = sqrt(1 - alpha_bar).",
        "var(x) = alpha_bar * variance + 1 - alpha_bar, and E[x] = sqrt(alpha_bar) * mean.",
    ],
)  # fmt: skip
def best_guess_of_noise(noisy, mean, variance, alpha_bar):
    gap = noisy - np.sqrt(alpha_bar) * mean
    return np.sqrt(1 - alpha_bar) * gap / (alpha_bar * variance + 1 - alpha_bar)


def _jump(noisy, noise_found, now, then, *, guess=True, fresh=True, to=None):
    clean = (noisy - np.sqrt(1 - now) * noise_found) / (np.sqrt(now) if guess else 1.0)
    target = then if to is None else to
    return np.sqrt(target) * clean + (np.sqrt(1 - target) * noise_found if fresh else 0.0)


@exercise(
    task="Jump from a noise level to another without new noise: guess the clean image from the noise that the network"
    " found, and add that same noise again in the amount of the level `then`. `now` and `then` are alpha_bars.",
    cases=lambda rng: [
        # now 0.64: clean (1.4 - 0.6 * 1) / 0.8 = 1. then 0.36: 0.6 * 1 + 0.8 * 1 = 1.4. The second: 0.75; 0.45 + 0.
        (np.array([1.4, 0.6]), np.array([1.0, 0.0]), 0.64, 0.36),
        (rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), 0.2, 0.7),
        (rng.normal(size=4), rng.normal(size=4), 0.5, 1.0),
    ],
    mistakes=[
        (
            lambda noisy, noise_found, now, then: _jump(noisy, noise_found, now, then, fresh=False),
            "You left the noise out. At the level `then` there is still sqrt(1 - then) of it.",
        ),
        (
            lambda noisy, noise_found, now, then: _jump(noisy, noise_found, now, then, to=1.0),
            "That is the guess of the clean image. Go back to the level `then` from there.",
        ),
        (
            lambda noisy, noise_found, now, then: _jump(noisy, noise_found, now, then, guess=False),
            "In x_t the clean image was multiplied by sqrt(now): divide by it.",
        ),
        (
            lambda noisy, noise_found, now, then: _jump(noisy, noise_found, then, now),
            "`now` and `then` have changed places.",
        ),
        (
            lambda noisy, noise_found, now, then: (
                then * (noisy - (1 - now) * noise_found) / now + (1 - then) * noise_found
            ),
            "Take the roots: alpha_bars are shares of variances.",
        ),
        (
            lambda noisy, noise_found, now, then: noisy - np.sqrt(1 - now) * noise_found,
            "You took away all the noise and stopped. Divide by sqrt(now), and add the noise of the level `then`.",
        ),
    ],
    hints=[
        "clean = (noisy - np.sqrt(1 - now) * noise_found) / np.sqrt(now)",
        "Then the same formula as forwards, with `then` and the noise that was found.",
    ],
)  # fmt: skip
def jump(noisy, noise_found, now, then):
    clean = (noisy - np.sqrt(1 - now) * noise_found) / np.sqrt(now)
    return np.sqrt(then) * clean + np.sqrt(1 - then) * noise_found
