"""Exercises of lesson 09c, Generative networks: autoencoder and diffusion: the bound, noise, the way back.

Beside each solution stands a twin with options, ``_divergence`` beside ``divergence``: the options make the usual
mistakes.
"""

from functools import partial

import numpy as np

from medlearn.exercises.engine import exercise


@np.errstate(all="ignore")  # a mistake may take the logarithm of a negative number
def _divergence(
    mean, log_variance, *, half=0.5, spread=np.exp, log=1.0, log_of=np.asarray, square=np.square, one=1.0, reduce=np.sum
):  # fmt: skip
    return half * reduce(square(mean) + spread(log_variance) - one - log * log_of(log_variance))


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
        (partial(_divergence, half=1.0), "It is twice the divergence: the factor 1/2 is missing."),
        (
            partial(_divergence, spread=np.asarray),
            "You took log_variance for the variance. The variance is np.exp(log_variance).",
        ),
        (
            partial(_divergence, spread=np.asarray, log_of=np.log),
            "You took log_variance for the variance. It is the logarithm already: the variance is"
            " np.exp(log_variance), and its logarithm is log_variance as it stands.",
        ),
        (
            partial(_divergence, spread=lambda x: np.exp(x / 2)),
            "You took the standard deviation where the variance belongs: np.exp(log_variance), without a half.",
        ),
        (
            partial(_divergence, spread=lambda x: np.exp(2 * x)),
            "You squared once too often: np.exp(log_variance) is the variance already.",
        ),
        (
            partial(_divergence, log=-1.0),
            "The sign of the log variance is turned: a narrow Gaussian (a very negative log variance) must cost much.",
        ),
        (
            partial(_divergence, log=0.0),
            "The term with the log variance is missing: without it a narrower Gaussian would always cost less.",
        ),
        (partial(_divergence, log=2.0), "The log variance counts once: it is log s**2 already, and not log s."),
        (
            partial(_divergence, log=0.5),
            "The log variance is halved twice: the formula has log s**2 inside the bracket, and that is log_variance.",
        ),
        (partial(_divergence, square=np.abs), "Square the means."),
        (
            partial(_divergence, square=np.zeros_like),
            "The means are missing: a guess far from zero must cost something.",
        ),
        (
            partial(_divergence, one=0.0),
            "Subtract 1 for each number: the divergence of the standard normal from itself must be 0.",
        ),
        (
            lambda mean, log_variance: _divergence(mean, log_variance) + 0.5 * (len(mean) - 1),
            "You subtracted 1 once. Subtract it for each of the numbers: inside the sum.",
        ),
        (
            partial(_divergence, reduce=np.mean),
            "You averaged over the latent numbers. They are independent, so their divergences add up.",
        ),
        (
            partial(_divergence, reduce=np.mean, half=1.0),
            "The factor 1/2 stands in front of a sum. You took a mean over the latent numbers.",
        ),
        (
            partial(_divergence, reduce=np.asarray),
            "You returned one price for each number. They are independent: add them up.",
        ),
        (partial(_divergence, half=-0.5), "The sign is turned. A divergence is never negative."),
        (partial(_divergence, half=0.5 / np.log(2)), "Those are bits. Asked are nats: do not divide by log(2)."),
        (
            lambda mean, log_variance: 0.5 * np.sum((mean**2 + 1) / np.exp(log_variance) - 1 + log_variance),
            "That is the divergence the other way round: of the standard normal from this Gaussian.",
        ),
    ],
    hints=[
        "The variance is np.exp(log_variance).",
        "For one number: 0.5 * (mean**2 + variance - 1 - log_variance). Then sum.",
    ],
)
def divergence(mean, log_variance):
    return 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance)


def _chain(
    slopes, log_variance, noise, *, half=0.5, spread=True, with_noise=True, inner=0.5, reduce=np.mean, of_mean=1.0
):  # fmt: skip
    deviation = np.exp(inner * log_variance)
    factor = half * (deviation if spread else 1.0) * (noise if with_noise else 1.0)
    return reduce(slopes * of_mean), reduce(slopes * factor)


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
            partial(_chain, half=1.0),
            "The second one is twice too large: exp(log_variance / 2) has a derivative with a factor 1/2.",
        ),
        (
            partial(_chain, spread=False),
            "In the second one the deviation is missing: d exp(s / 2) / ds = exp(s / 2) / 2.",
        ),
        (
            partial(_chain, half=1.0, spread=False),
            "That is the derivative with respect to the deviation. Asked is the one to the log variance: one link more"
            " in the chain.",
        ),
        (
            partial(_chain, with_noise=False),
            "The noise is missing in the second one: a draw moves by its own noise when the deviation grows.",
        ),
        (partial(_chain, inner=1.0), "You took exp(log_variance) for the deviation. That is the variance."),
        (
            partial(_chain, inner=1.0, half=1.0),
            "You took exp(log_variance) for the deviation. That is the variance; and its root has a derivative with a"
            " factor 1/2.",
        ),
        (partial(_chain, inner=-0.5), "You divided by the deviation. A draw is mean + deviation * noise: multiply."),
        (
            partial(_chain, half=-0.5),
            "The sign of the second one is turned: dz/dlog_variance = +0.5 * exp(log_variance / 2) * noise.",
        ),
        (
            lambda slopes, log_variance, noise: _chain(slopes, log_variance, noise, of_mean=noise),
            "The first one has the noise in it. When the mean moves by 1, every draw moves by 1: dz/dmean = 1.",
        ),
        (partial(_chain, reduce=np.sum), "You summed over the draws. An expectation is estimated by their mean."),
        (
            lambda *given: (_chain(*given)[0], _chain(*given, reduce=np.sum)[1]),
            "In the second one you summed over the draws. An expectation is estimated by their mean.",
        ),
        (
            partial(_chain, reduce=np.asarray),
            "One value for each draw came back. An expectation is estimated by the mean over the draws.",
        ),
        (
            lambda *given: _chain(*given)[::-1],
            "The order: first the derivative with respect to the mean, then to the log variance.",
        ),
        (
            lambda slopes, log_variance, noise: (
                slopes.mean(), slopes.mean() * 0.5 * np.exp(log_variance / 2) * noise.mean()
            ),
            "You multiplied two means. Multiply draw by draw, then take the mean: large noise meets its own slope.",
        ),
        (
            lambda slopes, log_variance, noise: (
                (slopes * noise / np.exp(log_variance / 2)).mean(), (slopes * (noise**2 - 1) / 2).mean()
            ),
            "That is the first way, by the score, and it takes the values of f. You have slopes: the chain rule.",
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


def _root_of_squares(images, outputs, *, root=np.sqrt, reduce=np.mean):
    return root(reduce((images - outputs) ** 2))


def _over(images):
    """Return the axes of a single image."""
    return tuple(range(1, np.ndim(images)))


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
            lambda images, outputs: np.std(images - outputs, ddof=1),
            "np.std subtracts the mean error first, and ddof=1 divides by N - 1. Take the root of the mean squared"
            " error: no mean was estimated here.",
        ),
        (partial(_root_of_squares, root=np.asarray), "That is the variance. Take its root."),
        (
            partial(_root_of_squares, root=lambda x: x / 2),
            "That is half the variance. Take the root of the mean squared error, without a half.",
        ),
        (partial(_root_of_squares, root=lambda x: np.log(x) / 2), "That is log sigma. Return sigma itself."),
        (
            lambda images, outputs: np.mean(np.abs(images - outputs)),
            "The mean absolute error is the best scale of a Laplace distribution. For a Gaussian take squares.",
        ),
        (
            lambda images, outputs: np.sqrt(np.mean(images - outputs) ** 2),
            "Errors of both signs cancel in a mean. Square first, then take the mean, then the root.",
        ),
        (
            partial(_root_of_squares, reduce=np.sum),
            "You summed. Set the derivative of N log s + sum(error**2) / (2 s**2) to zero: the number of pixels N"
            " stands below.",
        ),
        (
            lambda images, outputs: np.sqrt(np.sum((images - outputs) ** 2) / len(images)),
            "You divided by the number of images. N counts pixels: all of them.",
        ),
        (
            lambda images, outputs: np.sqrt(np.sum((images - outputs) ** 2) / 1024),
            "You divided by 1,024. N counts the pixels that came: images.size.",
        ),
        (
            lambda images, outputs: np.sqrt(np.sum((images - outputs) ** 2) / (1024 * len(images))),
            "You divided by 1,024 pixels an image. These images have another size: N is images.size.",
        ),
        (
            lambda images, outputs: np.sqrt(np.mean((images - outputs) ** 2, axis=_over(images))),
            "One number for each image came back. One noise for all: take the mean over all pixels of all images.",
        ),
        (
            lambda images, outputs: np.sqrt(np.mean((images - outputs) ** 2, axis=0)),
            "One number for each pixel came back. One noise for all: take the mean over all pixels of all images.",
        ),
        (
            lambda images, outputs: np.mean(np.sqrt(np.mean((images - outputs) ** 2, axis=_over(images)))),
            "You took a root for each image, and then the mean. First the mean over all pixels of all images, then one"
            " root.",
        ),
        (
            partial(_root_of_squares, root=lambda x: np.sqrt(x / 2)),
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


def _nats(
    variances, noise, beta, *, half=0.5, floor=0.0, reduce=np.sum, log=np.log,
    border=lambda noise, beta: beta * noise**2,
):  # fmt: skip
    nats = half * log(variances / border(noise, beta))
    return reduce(nats if floor is None else np.maximum(nats, floor))


@exercise(
    task="Return how many nats a linear autoencoder keeps in all: half the logarithm of variance / (beta * noise**2)"
    " for each direction whose variance is larger than beta * noise**2, and nothing for the others.",
    cases=lambda rng: [
        # The border is 4 * 0.5**2 = 1; two lie below. log(4 / 1) / 2 + log(2 / 1) / 2 = 0.693 + 0.347 = 1.040
        (np.array([4.0, 2.0, 0.7, 0.4]), 0.5, 4.0),
        (np.sort(rng.exponential(1, 8))[::-1] + 0.01, 0.4, 1.0),
        (np.sort(rng.exponential(2, 6))[::-1] + 0.01, 0.6, 3.0),
    ],
    mistakes=[
        (
            partial(_nats, floor=None),
            "Directions with a variance below beta * noise**2 are given up: they keep 0 nats, not a negative number.",
        ),
        (
            lambda variances, noise, beta: _nats(variances[variances > noise**2], noise, beta, floor=None),
            "The border between kept and given up is beta * noise**2. You left beta out of it.",
        ),
        (
            lambda variances, noise, beta: _nats(variances[variances > noise], noise, beta, floor=None),
            "The border between kept and given up is beta * noise**2. You compared with the noise itself.",
        ),
        (
            partial(_nats, floor=None, reduce=lambda nats: np.sum(np.abs(nats))),
            "Directions below beta * noise**2 keep 0 nats. You took the absolute value of a negative number.",
        ),
        (partial(_nats, half=1.0), "It is twice the divergence: the factor 1/2 is missing."),
        (
            lambda variances, noise, beta: beta * _nats(variances, noise, beta),
            "That is what the loss charges: beta times what is kept. Asked is what is kept.",
        ),
        (
            lambda variances, noise, beta: -_nats(variances, noise, beta),
            "The ratio stands upside down: variance / (beta * noise**2).",
        ),
        (partial(_nats, border=lambda noise, beta: noise**2), "You left out beta: it makes the noise look larger."),
        (
            partial(_nats, border=lambda noise, beta: noise**2 / beta),
            "You multiplied the variance by beta. beta makes the noise look larger: it stands below.",
        ),
        (
            partial(_nats, border=lambda noise, beta: beta * noise),
            "`noise` is a standard deviation. Its variance is noise**2.",
        ),
        (
            partial(_nats, border=lambda noise, beta: (beta * noise) ** 2),
            "beta multiplies the variance of the noise, not its standard deviation.",
        ),
        (
            lambda variances, noise, beta: _nats(variances**2, noise, beta),
            "`variances` are squares already: do not square them again.",
        ),
        (
            partial(_nats, log=np.log1p),
            "No 1 is added to the ratio. (With it you get the nats that a noisy line could carry, if nothing else had"
            " to be paid.)",
        ),
        (
            partial(_nats, reduce=np.count_nonzero),
            "That is how many directions are kept. Asked is what they keep, in nats.",
        ),
        (partial(_nats, reduce=np.mean), "You averaged over the directions. What they keep adds up."),
        (
            partial(_nats, reduce=np.asarray),
            "One value for each direction came back. What they keep adds up: return the sum.",
        ),
        (partial(_nats, log=np.log2), "Those are bits. Take the natural logarithm."),
    ],
    hints=[
        "ratio = variances / (beta * noise**2)",
        "np.maximum(0.5 * np.log(ratio), 0) for each direction, then the sum.",
    ],
)
def nats_kept(variances, noise, beta):
    ratio = variances / (beta * noise**2)
    return np.sum(np.maximum(0.5 * np.log(ratio), 0))


def _same_noise_each_step(clean, noise, betas, step):
    for beta in betas[:step]:
        clean = np.sqrt(1 - beta) * clean + np.sqrt(beta) * noise
    return clean


def _noised(
    clean, noise, betas, step, *, shift=0, left=lambda betas: np.prod(1 - betas), of_clean=np.sqrt,
    of_noise=lambda left, betas: np.sqrt(1 - left),
):  # fmt: skip
    used = betas[: step + shift]
    return of_clean(left(used)) * clean + of_noise(left(used), used) * noise


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
            partial(_noised, shift=-1),
            "One step too few: the product runs over the betas of the steps 1 to t, so over betas[:step].",
        ),
        (partial(_noised, shift=1), "One step too many: betas[:step] are the betas of the steps 1 to t."),
        (
            lambda clean, noise, betas, step: (
                np.sqrt(1 - betas[step - 1]) * clean + np.sqrt(betas[step - 1]) * noise
            ),
            "That is one step alone. All steps up to t multiply the image: take the product of 1 - beta.",
        ),
        (
            lambda clean, noise, betas, step: np.sqrt(1 - betas[step]) * clean + np.sqrt(betas[step]) * noise,
            "That is one step alone (and the next one: betas[0] belongs to step 1). All steps up to t multiply the"
            " image: take the product of 1 - beta.",
        ),
        (
            partial(_noised, left=lambda betas: (1 - betas[-1]) ** len(betas)),
            "You took the same beta for every step. Each step has its own: take the product of 1 - beta.",
        ),
        (
            _same_noise_each_step,
            "You walked step by step and added the same noise each time. Independent noises add their variances: in one"
            " go the noise's factor is sqrt(1 - alpha_bar).",
        ),
        (
            partial(_noised, of_clean=np.asarray, of_noise=lambda left, betas: 1 - left),
            "Take the roots: alpha_bar is a share of the variance, the image is multiplied by its root.",
        ),
        (
            partial(_noised, of_clean=np.asarray),
            "alpha_bar is a share of the variance: the image is multiplied by its root.",
        ),
        (
            partial(_noised, of_noise=lambda left, betas: 1 - left),
            "1 - alpha_bar is the variance of the noise: its factor is the root of that.",
        ),
        (
            partial(_noised, of_noise=lambda left, betas: 1 - np.sqrt(left)),
            "The noise's factor is sqrt(1 - alpha_bar), so that the two variances add up to 1; not 1 minus the root.",
        ),
        (
            partial(_noised, of_noise=lambda left, betas: 1.0),
            "The noise came in whole. Its factor is sqrt(1 - alpha_bar), so that the two variances add up to 1.",
        ),
        (
            partial(_noised, of_noise=lambda left, betas: np.sqrt(betas[-1])),
            "That is the noise of the last step alone. All of it together has the variance 1 - alpha_bar.",
        ),
        (
            partial(_noised, of_noise=lambda left, betas: np.sqrt(np.prod(betas))),
            "The product of the betas is not the variance of the noise. What is no more image is noise: 1 - alpha_bar.",
        ),
        (
            partial(_noised, of_noise=lambda left, betas: np.sqrt(np.sum(betas))),
            "Early noise shrinks in later steps, so the betas do not add up. The noise has the variance 1 - alpha_bar.",
        ),
        (
            partial(_noised, left=np.prod),
            "That is the product of the betas. What is left of the image is the product of 1 - beta.",
        ),
        (
            partial(_noised, left=lambda betas: max(0, 1 - np.sum(betas))),
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


@np.errstate(all="ignore")  # a mistake may divide by zero
def _step(
    noisy, clean, betas, step, *, shift=0, bars=lambda betas: np.prod(1 - betas), weigh=lambda *two: two,
    of_clean=np.sqrt, of_noisy=lambda beta: np.sqrt(1 - beta), second=lambda beta: (1 - beta) / beta,
    divide=lambda total, precision: total / precision, variance=lambda first, second: 1 / (first + second),
):  # fmt: skip
    beta, before = betas[step - 1], bars(betas[: step - 1 + shift])
    first, second = weigh(1 / (1 - before), second(beta))
    total = first * of_clean(before) * clean + second * noisy / of_noisy(beta)
    return divide(total, first + second), variance(first, second)


@exercise(
    task="Return mean and variance of x_{t-1}, given x_t (`noisy`) and x_0 (`clean`), for a step of 2 or more. betas[0]"
    " belongs to step 1.",
    cases=lambda rng: [
        # alpha_bar_1 = 0.36, beta_2 = 0.75. Precisions 1 / 0.64 = 1.5625 and 0.25 / 0.75 = 0.3333, sum 1.8958:
        # variance 0.5275; mean (1.5625 * 0.6 * 1 + 0.3333 * 2 / 0.5) / 1.8958 = 1.1978
        (np.array([2.0]), np.array([1.0]), np.array([0.64, 0.75]), 2),
        (rng.normal(size=4), rng.normal(size=4), rng.uniform(0.05, 0.3, 8), 6),
        (rng.normal(size=3), rng.normal(size=3), rng.uniform(0.1, 0.4, 5), 3),
    ],
    mistakes=[
        (
            partial(_step, shift=1),
            "You took alpha_bar of step t. What the clean image says about x_{t-1} has the alpha_bar of step t - 1:"
            " np.prod(1 - betas[:step - 1]).",
        ),
        (
            partial(_step, shift=-1),
            "You took alpha_bar of step t - 2. betas[:step - 1] are the betas of the steps 1 to t - 1.",
        ),
        (
            partial(_step, bars=lambda betas: 1 - betas[-1]),
            "You took 1 - beta of one step for alpha_bar. All steps up to t - 1 belong to it: np.prod.",
        ),
        (
            partial(_step, weigh=lambda first, second: (1 / first, 1 / second)),
            "You weighted with variances. The weights are precisions, one over the variance: who is surer counts more.",
        ),
        (partial(_step, weigh=lambda first, second: (second, first)), "The two have each other's weight."),
        (
            lambda *given: (_step(*given, weigh=lambda *two: (1.0, 1.0))[0], _step(*given)[1]),
            "The mean gives both witnesses the same weight. Weight each with its precision.",
        ),
        (
            partial(_step, of_noisy=lambda beta: 1.0),
            "x_t says that x_{t-1} lies at x_t / sqrt(1 - beta), not at x_t: the step had shrunk it.",
        ),
        (
            partial(_step, second=lambda beta: 1 / beta),
            "To find x_{t-1} you divide x_t by sqrt(1 - beta), and its noise as well: x_t speaks with the variance"
            " beta / (1 - beta).",
        ),
        (
            partial(_step, of_clean=np.asarray),
            "The clean image says that x_{t-1} lies at sqrt(alpha_bar_{t-1}) * clean: with the root.",
        ),
        (
            partial(_step, divide=lambda total, precision: total),
            "The weights do not add up to 1: divide by the sum of the two precisions (multiply by the variance).",
        ),
        (
            partial(_step, divide=lambda total, precision: total * precision),
            "Divide the weighted sum by the sum of the precisions; you multiplied.",
        ),
        (
            partial(_step, variance=lambda first, second: first + second),
            "The second number is the precision. The variance is one over it.",
        ),
        (
            partial(_step, variance=lambda first, second: np.sqrt(1 / (first + second))),
            "The second number is the standard deviation. Asked is the variance.",
        ),
        (
            partial(_step, variance=lambda first, second: 1 / first + 1 / second),
            "You added the variances. Two witnesses together know more than one: the precisions add.",
        ),
        (
            partial(_step, variance=lambda first, second: 1 / second),
            "That is the variance of what x_t says alone. The clean image is known as well: the precisions add.",
        ),
        (
            lambda noisy, clean, betas, step: (_step(noisy, clean, betas, step)[0], betas[step - 1]),
            "beta is the variance of the step forwards. Looking back, the clean image is known as well, and the"
            " variance is smaller.",
        ),
        (
            lambda noisy, clean, betas, step: _step(clean, noisy, betas, step),
            "`noisy` and `clean` have changed places.",
        ),
        (lambda *given: _step(*given)[::-1], "The order: first the mean, then the variance."),
        (lambda *given: _step(*given)[0], "That is the mean alone. Return the variance as well: mean, variance."),
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


def _gaussian_answer(
    noisy, mean, variance, alpha_bar, *, centre=np.sqrt, covariance=lambda left: np.sqrt(1 - left),
    total=lambda variance, left: left * variance + 1 - left,
):  # fmt: skip
    return covariance(alpha_bar) * (noisy - centre(alpha_bar) * mean) / total(variance, alpha_bar)


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
            partial(_gaussian_answer, centre=lambda left: 0.0),
            "You left out the mean. A number at sqrt(alpha_bar) * mean gives no hint of any noise.",
        ),
        (
            partial(_gaussian_answer, centre=lambda left: left),
            "The mean of x_t is sqrt(alpha_bar) * mean: with the root.",
        ),
        (
            partial(_gaussian_answer, centre=lambda left: 1.0),
            "The mean of the clean numbers has shrunk as well: by sqrt(alpha_bar).",
        ),
        (
            partial(_gaussian_answer, covariance=lambda left: 1.0),
            "The covariance of noise and x_t is sqrt(1 - alpha_bar): that factor is missing.",
        ),
        (
            partial(_gaussian_answer, covariance=lambda left: 1 - left),
            "The covariance of noise and x_t is sqrt(1 - alpha_bar): with the root. x_t holds that much of the noise.",
        ),
        (
            partial(_gaussian_answer, covariance=lambda left: -np.sqrt(1 - left)),
            "The sign is turned: where x_t lies above its mean, the noise is probably positive.",
        ),
        (
            partial(_gaussian_answer, total=lambda variance, left: left * np.sqrt(variance) + 1 - left),
            "`variance` is one already: do not take its root.",
        ),
        (
            partial(_gaussian_answer, total=lambda variance, left: left * variance**2 + 1 - left),
            "`variance` is one already: do not square it.",
        ),
        (
            partial(_gaussian_answer, total=lambda variance, left: variance + 1 - left),
            "The spread of the clean numbers has shrunk as well: in x_t its variance is alpha_bar * variance.",
        ),
        (
            partial(_gaussian_answer, total=lambda variance, left: np.sqrt(left) * variance + np.sqrt(1 - left)),
            "A factor sqrt(alpha_bar) multiplies a variance by alpha_bar, its square. The noise brings 1 - alpha_bar.",
        ),
        (
            partial(_gaussian_answer, total=lambda variance, left: np.sqrt(left * variance + 1 - left)),
            "You divided by the standard deviation of x_t. The slope is cov(e, x) / var(x).",
        ),
        (
            partial(_gaussian_answer, total=lambda variance, left: left * variance),
            "var(x_t) has two parts: alpha_bar * variance, and 1 - alpha_bar from the noise. The second is missing.",
        ),
        (
            partial(_gaussian_answer, total=lambda variance, left: 1.0),
            "The variance of x_t is missing below: alpha_bar * variance + 1 - alpha_bar.",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: np.sqrt(1 - alpha_bar) * noisy,
            "That is right for clean numbers that are standard normal. These have the mean and the variance given.",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: (
                np.sqrt(1 - alpha_bar) * (noisy - np.sqrt(alpha_bar) * mean) / np.var(noisy)
            ),
            "You took the variance of the few numbers that came. That of the whole Gaussian follows from `variance`.",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: _gaussian_answer(
                noisy, noisy.mean(), variance, alpha_bar, centre=lambda left: 1.0
            ),
            "You took the mean of the few numbers that came. That of x_t is sqrt(alpha_bar) * mean.",
        ),
        (
            lambda noisy, mean, variance, alpha_bar: np.sqrt(1 - alpha_bar) * (noisy - np.mean(noisy)) / np.var(noisy),
            "You took mean and variance of the few numbers that came. Those of x_t follow from `mean` and `variance`.",
        ),
        (
            partial(_gaussian_answer, covariance=lambda left: 1.0, total=lambda variance, left: np.sqrt(1 - left)),
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


def _jump(
    noisy, noise_found, now, then, *, taken=lambda now: np.sqrt(1 - now), scale=np.sqrt, of_clean=np.sqrt,
    added=lambda now, then: np.sqrt(1 - then),
):  # fmt: skip
    clean = (noisy - taken(now) * noise_found) / scale(now)
    return of_clean(then) * clean + added(now, then) * noise_found


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
            partial(_jump, added=lambda now, then: 0.0),
            "You left the noise out. At the level `then` there is still sqrt(1 - then) of it.",
        ),
        (
            partial(_jump, added=lambda now, then: 1 - then),
            "The noise of the level `then` has the factor sqrt(1 - then): with the root.",
        ),
        (
            partial(_jump, added=lambda now, then: np.sqrt(1 - now)),
            "You put back as much noise as there was. At the level `then` it is sqrt(1 - then).",
        ),
        (partial(_jump, of_clean=lambda then: 1.0), "At the level `then` the clean image has the factor sqrt(then)."),
        (
            partial(_jump, of_clean=lambda then: 1.0, added=lambda now, then: 0.0),
            "That is the guess of the clean image. Go back to the level `then` from there.",
        ),
        (partial(_jump, scale=lambda now: 1.0), "In x_t the clean image was multiplied by sqrt(now): divide by it."),
        (
            partial(_jump, scale=lambda now: 1 / np.sqrt(now)),
            "You multiplied by sqrt(now). In x_t the clean image was multiplied by it already: divide.",
        ),
        (
            partial(_jump, scale=lambda now: now),
            "In x_t the clean image was multiplied by sqrt(now): divide by the root, not by `now`.",
        ),
        (partial(_jump, taken=lambda now: 1 - now), "The noise in x_t has the factor sqrt(1 - now): with the root."),
        (
            partial(_jump, taken=lambda now: -np.sqrt(1 - now)),
            "You added the noise that was found. To guess the clean image, take it away.",
        ),
        (
            partial(_jump, taken=lambda now: 0.0, scale=lambda now: 1.0),
            "You took x_t for the clean image. Guess that first: take away the noise that was found.",
        ),
        (
            lambda noisy, noise_found, now, then: _jump(noise_found, noisy, now, then),
            "`noisy` and `noise_found` have changed places.",
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
