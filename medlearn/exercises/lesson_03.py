"""Exercises of lesson 03, Losses: each solution, and the usual mistakes as running code."""

import numpy as np

from medlearn.exercises.engine import exercise


def _residuals(rng):
    """Return residuals on both sides of delta, on it, and at 0, for a small and a large delta."""
    return [
        (np.array([0.0, 0.25, -0.25, 1.5, -3.0]), 0.5),
        (np.array([-4.0, 2.0, 1.0, -0.5]), 2.0),
        (2 * rng.normal(size=7), 1.3),
    ]


def _huber_with(line, *, half=0.5):
    """Return a mistaken Huber loss with another straight line, or another factor of the square."""
    return lambda r, d: np.where(np.abs(r) <= d, half * r**2, line(np.abs(r), d))


@exercise(
    task="Return the Huber loss of each residual: r² / 2 up to delta, beyond it the line that joins smoothly.",
    cases=_residuals,
    mistakes=[
        (
            _huber_with(lambda a, d: d * a),
            "Your line has the right slope and jumps at delta: delta * |r| is delta² there, and the parabola is"
            " delta² / 2. Shift it down.",
        ),
        (
            _huber_with(lambda a, d: a - d / 2),
            "Your line has the slope 1. The parabola arrives at delta with the slope delta: go on with it.",
        ),
        (
            _huber_with(lambda a, d: a - 0.5),
            "Your line is right for delta = 1 only. Its slope is delta, its shift delta² / 2.",
        ),
        (
            _huber_with(lambda a, d: d * a - d**2),
            "Your line is 0 at delta, and the parabola is delta² / 2 there. Shift it down by delta² / 2 only.",
        ),
        (
            _huber_with(lambda a, d: d * a + d**2 / 2),
            "Your line has the right slope and is shifted up. It must be delta² / 2 at delta: shift it down.",
        ),
        (
            _huber_with(lambda a, d: 2 * d * a - d**2, half=1),
            "That is twice the Huber loss: the parabola is r² / 2, not r².",
        ),
        (
            _huber_with(lambda a, d: d * a - d**2 / 2, half=1),
            "The line is right, and the parabola is r² where r² / 2 was asked: the two do not meet.",
        ),
        (
            lambda r, d: np.where(r <= d, r**2 / 2, d * np.abs(r) - d**2 / 2),
            "Large negative residuals stay on the parabola: compare |r| with delta, not r.",
        ),
        (
            lambda r, d: np.where(np.abs(r) <= d, r**2 / 2, d * r - d**2 / 2),
            "The line is wrong on the negative side: it needs |r|, or the loss turns negative.",
        ),
        (
            lambda r, d: np.where(np.abs(r) <= d, r**2 / 2, d * np.abs(r) - d**2 / 2) / d,
            "You divided by delta: that is smooth L1. The parabola of Huber is r² / 2, whatever delta is.",
        ),
        (
            lambda r, d: np.mean(np.where(np.abs(r) <= d, r**2 / 2, d * np.abs(r) - d**2 / 2)),
            "You returned the mean. Return the loss of each residual.",
        ),
    ],
    hints=[
        "Which slope has r² / 2 at r = delta? The line goes on with it.",
        "The line is delta * |r| + c. At |r| = delta it must be delta² / 2. What is c?",
        "np.where(np.abs(residuals) <= delta, residuals**2 / 2, delta * np.abs(residuals) - delta**2 / 2)",
    ],
)
def huber(residuals, delta):
    size = np.abs(residuals)
    return np.where(size <= delta, size**2 / 2, delta * size - delta**2 / 2)


_LABELS, _PROBABILITIES = np.array([0, 1, 1]), np.array([0.25, 0.5, 0.9])
_HAPPENED = np.where(_LABELS == 1, _PROBABILITIES, 1 - _PROBABILITIES)


@exercise(
    task="Give the mean binary cross-entropy of labels 0, 1, 1 and probabilities 0.25, 0.5, 0.9 to three decimals.",
    atol=6e-4,
    mistakes=[
        (lambda: np.mean(-np.log10(_HAPPENED)), "You used the logarithm to base 10. Likelihoods use the natural one."),
        (lambda: np.mean(-np.log2(_HAPPENED)), "You used the logarithm to base 2. Here the natural one is meant."),
        (lambda: np.sum(-np.log(_HAPPENED)), "That is the sum. The mean was asked: divide by 3."),
        (lambda: np.mean(np.log(_HAPPENED)), "The sign: logarithms of probabilities are negative, the loss is not."),
        (
            lambda: np.mean(-np.log(_PROBABILITIES)),
            "You took -log p for every case. For the label 0 what happened had the probability 1 - p.",
        ),
        (
            lambda: np.mean(-np.log(1 - _HAPPENED)),
            "The labels are the wrong way round: for the label 1 the loss is -log p, for 0 it is -log(1 - p).",
        ),
        (
            lambda: np.mean(-_LABELS * np.log(_PROBABILITIES)),
            "The case with label 0 is missing: it costs -log(1 - 0.25).",
        ),
        (lambda: np.mean((_LABELS - _PROBABILITIES) ** 2), "That is the mean squared error (the Brier score)."),
    ],
    hints=[
        "What happened in each case, and which probability did the model give to that?",
        "0.75, 0.5 and 0.9. Take -log of each (natural), add, divide by 3.",
    ],
)
def by_hand():
    happened = np.array([1 - 0.25, 0.5, 0.9])
    return float(np.mean(-np.log(happened)))


def _rows(rng):
    """Return logits from tame to huge, rows far apart, more classes than cases and fewer."""
    return [
        (np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]]), np.array([2, 1])),
        (np.array([[1000.0, 0.0, -1000.0], [-3.0, -1.0, -2.0], [1000.0, 0.0, -5.0]]), np.array([1, 0, 0])),
        (3 * rng.normal(size=(4, 2)), np.array([0, 1, 1, 0])),
    ]


def _log_sum_exp_with(logits, shift):
    with np.errstate(all="ignore"):
        return shift + np.log(np.sum(np.exp(logits - shift), axis=1, keepdims=True))


def _picked(logits, classes):
    return logits[np.arange(len(classes)), classes]


def _naive(logits, classes):
    return _log_sum_exp_with(logits, 0)[:, 0] - _picked(logits, classes)


def _softmax_first(logits, classes, *, tiny=0.0):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    with np.errstate(all="ignore"):
        return -np.log(_picked(shifted / shifted.sum(axis=1, keepdims=True), classes) + tiny)


def _stable(logits, classes):
    return _log_sum_exp_with(logits, logits.max(axis=1, keepdims=True))[:, 0] - _picked(logits, classes)


def _down_the_columns(logits, classes):
    largest = logits.max(axis=0)
    with np.errstate(all="ignore"):
        log_sum = largest + np.log(np.exp(logits - largest).sum(axis=0))
        return log_sum[classes] - _picked(logits, classes)


@exercise(
    task="Return -log p[class] of each row of logits, without overflow at 1000.",
    cases=_rows,
    mistakes=[
        (
            _naive,
            "Right for small logits. At 1000 the exponential overflows: take the largest logit of the row out of the"
            " sum first.",
        ),
        (
            _softmax_first,
            "You shifted before the exponential, and took the logarithm after dividing: the probability underflowed to"
            " 0, and -log 0 is infinite. Keep to logarithms: log-sum-exp minus the logit of the class.",
        ),
        (
            lambda logits, classes: _softmax_first(logits, classes, tiny=1e-7),
            "The 1e-7 inside the logarithm hides the infinity and puts a ceiling of 16.1 on the loss. The true loss of"
            " that case is 1000.",
        ),
        (
            lambda logits, classes: _softmax_first(logits, classes, tiny=1e-12),
            "The 1e-12 inside the logarithm hides the infinity and puts a ceiling of 27.6 on the loss. The true loss of"
            " that case is 1000.",
        ),
        (
            lambda logits, classes: _softmax_first(logits, classes, tiny=1e-15),
            "The 1e-15 under the logarithm hides the infinity and puts a ceiling of 34.5 on the loss. The true loss of"
            " that case is 1000.",
        ),
        (
            lambda logits, classes: _log_sum_exp_with(logits, logits.max())[:, 0] - _picked(logits, classes),
            "You subtracted the largest of all logits. A row that lies far below it underflows as a whole: take the"
            " largest of each row.",
        ),
        (
            lambda logits, classes: _stable(logits, classes) - logits.max(axis=1),
            "The maximum was taken out of the sum and not put back: log-sum-exp is m + log of the rest.",
        ),
        (
            lambda logits, classes: _stable(logits, classes) + _picked(logits, classes),
            "That is log-sum-exp alone. The logit of the true class is missing: subtract it.",
        ),
        (
            lambda logits, classes: -_stable(logits, classes),
            "The sign: the loss is log-sum-exp minus the logit of the class, and never negative.",
        ),
        (
            lambda logits, classes: np.exp(-_stable(logits, classes)),
            "That is the probability of the class. The loss is minus its logarithm: log-sum-exp minus the logit.",
        ),
        (
            lambda logits, classes: np.mean(_stable(logits, classes)),
            "You returned the mean. Return the loss of each case.",
        ),
        (
            _down_the_columns,
            "You summed down the columns, over the cases. The classes of one case stand in a row: axis=1.",
        ),
    ],
    hints=[
        "L = log-sum-exp(row) - logit of the class. Which m do you take out of the sum, and along which axis?",
        "m = logits.max(axis=1, keepdims=True); the sum is over np.exp(logits - m), along axis 1. Do not forget + m.",
        "logits[np.arange(len(classes)), classes] picks one logit from each row.",
    ],
)
def cross_entropy(logits, classes):
    m = logits.max(axis=1, keepdims=True)  # (cases, 1)
    log_sum = m[:, 0] + np.log(np.exp(logits - m).sum(axis=1))  # (cases, classes) -> (cases,)
    return log_sum - logits[np.arange(len(classes)), classes]


def _logits_and_labels(rng):
    """Return tame logits, huge ones of both signs with both labels, and some at random."""
    return [
        (np.array([0.0, 2.0, -1.0, 0.5]), np.array([1, 1, 1, 0])),
        (np.array([1000.0, 1000.0, -1000.0, -1000.0, 3.0]), np.array([0, 1, 0, 1, 1])),
        (4 * rng.normal(size=6), np.array([0, 1, 0, 0, 1, 0])),
    ]


def _softplus(z):
    return np.maximum(0, z) + np.log1p(np.exp(-np.abs(z)))


def _naive_binary(logits, labels, *, low=0.0):
    with np.errstate(all="ignore"):
        p = np.clip(1 / (1 + np.exp(-logits)), low, 1 - low)
        return -(labels * np.log(p) + (1 - labels) * np.log(1 - p))


def _logits_clipped(logits, labels, *, limit):
    z = np.clip(logits, -limit, limit)
    return _softplus(z) - labels * z


def _unguarded(logits, labels):
    with np.errstate(all="ignore"):
        return np.log1p(np.exp(logits)) - labels * logits


def _unguarded_below(logits, labels):
    with np.errstate(all="ignore"):
        return np.log1p(np.exp(-logits)) + (1 - labels) * logits


def _unguarded_by_label(logits, labels):
    with np.errstate(all="ignore"):
        return np.where(labels == 1, np.log1p(np.exp(-logits)), np.log1p(np.exp(logits)))


def _minus_instead_of_size(logits, labels):
    with np.errstate(all="ignore"):
        return np.maximum(0, logits) + np.log1p(np.exp(-logits)) - labels * logits


def _largest_of_all(logits, labels):
    with np.errstate(all="ignore"):
        return logits.max() + np.log(np.exp(-logits.max()) + np.exp(logits - logits.max())) - labels * logits


_OVERFLOWS = " Take the larger of 0 and z out of the sum: max(0, z), and one exponent is left that is never positive."


@exercise(
    task="Return the binary cross-entropy of each case from its logit, without overflow at plus or minus 1000.",
    cases=_logits_and_labels,
    mistakes=[
        (
            _naive_binary,
            "Right for small logits. At 1000 the sigmoid is rounded to 1, and log(1 - p) is -inf or nan. Do not go"
            " through p: use log-sum-exp of 0 and z.",
        ),
        (
            lambda logits, labels: _naive_binary(logits, labels, low=1e-7),
            "You clipped the probability at 1e-7: the loss has a ceiling of 16.1 where it should be 1000, and no"
            " gradient there. Do not go through p.",
        ),
        (
            lambda logits, labels: _naive_binary(logits, labels, low=1e-12),
            "You clipped the probability at 1e-12: the loss has a ceiling of 27.6 where it should be 1000. Do not go"
            " through p.",
        ),
        *(
            (
                lambda logits, labels, limit=limit: _logits_clipped(logits, labels, limit=limit),
                f"You clipped the logit at {limit}: the loss stops growing there, and the gradient is 0. It should"
                " be 1000. No clip is needed once max(0, z) is out of the sum.",
            )
            for limit in (30, 50, 100, 500, 700)
        ),
        (
            lambda logits, labels: np.abs(logits) + np.log1p(np.exp(-np.abs(logits))) - labels * logits,
            "You took |z| out of the sum. The larger of 0 and z is max(0, z): for a negative z it is 0.",
        ),
        (_unguarded, "log(1 + exp(z)) - y z is the right formula, and exp(z) overflows at 1000." + _OVERFLOWS),
        (
            _unguarded_by_label,
            "Both formulas are right, and the exponential overflows where the model is most wrong." + _OVERFLOWS,
        ),
        (_minus_instead_of_size, "For a negative z the exponent -z is positive. Both cases in one: -|z|."),
        (
            _largest_of_all,
            "You took the largest of all logits out. Each case is a die of its own, with the logits 0 and z: m is"
            " max(0, z), case by case.",
        ),
        (_unguarded_below, "The formula is right for z > 0, and exp(-z) overflows at -1000." + _OVERFLOWS),
        (
            lambda logits, labels: _softplus(logits) - (1 - labels) * logits,
            "The labels are the wrong way round: a large logit must be cheap for the label 1.",
        ),
        (
            lambda logits, labels: _softplus(logits) + labels * logits,
            "The sign of the last term: the logit of the label is subtracted, L = log-sum-exp(0, z) - y z.",
        ),
        (
            lambda logits, labels: _softplus(logits),
            "That is the loss for the label 0. The term with the label is missing: - y z.",
        ),
        (
            lambda logits, labels: np.log1p(np.exp(-np.abs(logits))) - labels * logits,
            "max(0, z) was taken out of the sum and not put back.",
        ),
        (
            lambda logits, labels: np.maximum(0, logits) - labels * logits,
            "The logarithm is missing: for z near 0 the loss is about log 2, not 0.",
        ),
        (
            lambda logits, labels: np.mean(_softplus(logits) - labels * logits),
            "You returned the mean. Return the loss of each case.",
        ),
    ],
    hints=[
        "Two classes with the logits 0 and z. L = log-sum-exp(0, z) - (the logit of the true class, which is y z).",
        "m = max(0, z). What are the two exponents 0 - m and z - m? One of them is 0. The other, in one formula?",
        "log-sum-exp(0, z) = np.maximum(0, z) + np.log1p(np.exp(-np.abs(z)))",
    ],
)
def bce_with_logits(logits, labels):
    log_sum = np.maximum(0, logits) + np.log1p(np.exp(-np.abs(logits)))
    return log_sum - labels * logits


def _cubic(x):
    """Return a number whose second and third derivatives are large, so that the order of the method shows."""
    return float(np.sum(np.arange(1, x.size + 1).reshape(x.shape) * x**3) + x.flat[0] * x.flat[-1])


def _waves(x):
    return float(np.sum(np.sin(3 * x)) + np.prod(x))


def _one_sided(sign):
    """Return a mistaken gradient by a one-sided difference."""

    def mistaken(function, x, h):
        gradient = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            moved = x.copy()
            moved[index] += sign * h
            gradient[index] = sign * (function(moved) - function(x)) / h
        return gradient

    return mistaken


def _scaled(factor):
    return lambda function, x, h: factor(h) * _central(function, x, h)


def _central(function, x, h):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (function(up) - function(down)) / (2 * h)
    return gradient


def _not_moved_back(function, x, h):
    up, down, gradient = x.copy(), x.copy(), np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        up[index] += h
        down[index] -= h
        gradient[index] = (function(up) - function(down)) / (2 * h)
    return gradient


def _all_at_once(function, x, h):
    return np.full(x.shape, (function(x + h) - function(x - h)) / (2 * h))


@exercise(
    task="Return the gradient of function at x by central differences with the step h, in the shape of x.",
    cases=lambda rng: [
        (_cubic, np.array([1.0, -2.0, 0.5]), 0.1),
        (_waves, rng.normal(size=(2, 3)), 0.05),
        (_cubic, rng.normal(size=(3, 2)), 0.01),
    ],
    mistakes=[
        (
            _one_sided(1),
            "That is the forward difference. Its error falls with h only: step both ways, and divide by 2 h.",
        ),
        (_one_sided(-1), "That is the backward difference. Step both ways, and divide by 2 h."),
        (_scaled(lambda h: 2), "You divided by h. The two points are 2 h apart."),
        (_scaled(lambda h: 2 * h), "The division is missing: divide by 2 h, the distance of the two points."),
        (_scaled(lambda h: h**2), "That is (difference / 2) * h. In Python / 2 * h multiplies by h: write / (2 * h)."),
        (
            lambda function, x, h: _central(function, x, h / 2),
            "You moved by h / 2 to each side. The central difference moves by h both ways and divides by 2 h.",
        ),
        (_scaled(lambda h: -1), "The sign: f(x + h) - f(x - h), in this order."),
        (
            _not_moved_back,
            "An entry that was moved must go back before the next one moves. Here they pile up: take a fresh copy for"
            " each entry.",
        ),
        (
            _all_at_once,
            "x + h moves all entries at once: that is the sum of all partial derivatives. Move one entry at a time.",
        ),
    ],
    hints=[
        "Loop over the entries: for index in np.ndindex(x.shape). Copy x twice for each.",
        "up[index] += h, down[index] -= h; the difference of the function's values, over the distance of the points.",
    ],
)
def numerical_gradient(function, x, h):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (function(up) - function(down)) / (2 * h)
    return gradient


def _focal_with(factor, *, balance=lambda y, a: np.where(y == 1, a, 1 - a)):
    """Return a mistaken focal loss with another modulating factor of (p_t, p, gamma), or another alpha."""

    def mistaken(logits, labels, gamma, alpha):
        loss = _softplus(logits) - labels * logits
        with np.errstate(all="ignore"):
            modulation = factor(np.exp(-loss), np.exp(-_softplus(-logits)), gamma)
            return balance(labels, alpha) * modulation * loss

    return mistaken


def _focal_through_p(logits, labels, gamma, alpha):
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-logits))
        p_t = np.where(labels == 1, p, 1 - p)
        return np.where(labels == 1, alpha, 1 - alpha) * (1 - p_t) ** gamma * -np.log(p_t)


@exercise(
    task="Return the focal loss of each case from logits; alpha weights label 1, and 1 - alpha label 0.",
    cases=lambda rng: [
        (np.array([2.0, -1.0, 0.5, -3.0]), np.array([1, 1, 0, 0]), 2.0, 0.25),
        (np.array([800.0, -800.0, 1.0, -2.0]), np.array([0, 1, 1, 0]), 1.5, 0.7),
        (3 * rng.normal(size=5), np.array([0, 0, 1, 0, 1]), 0.5, 0.9),
    ],
    mistakes=[
        (
            _focal_through_p,
            "Right for small logits. At 800 the probability is rounded to 0 and its logarithm is infinite: take the"
            " loss from the logits, -log p_t = log-sum-exp(0, z) - y z, and p_t = exp(-loss).",
        ),
        (
            _focal_with(lambda t, p, g: t**g),
            "You multiplied by p_t to the gamma: that weights down the cases that are wrong. Use 1 - p_t.",
        ),
        (
            _focal_with(lambda t, p, g: (1 - p) ** g),
            "The factor uses p for all cases. For the label 0 the true class has the probability 1 - p: use p_t.",
        ),
        (
            _focal_with(lambda t, p, g: (1 - t) ** g, balance=lambda y, a: a),
            "alpha weights every case. It belongs to the label 1; the label 0 gets 1 - alpha.",
        ),
        (
            _focal_with(lambda t, p, g: (1 - t) ** g, balance=lambda y, a: np.where(y == 0, a, 1 - a)),
            "alpha is on the wrong label: it weights the label 1.",
        ),
        (
            _focal_with(lambda t, p, g: (1 - t) ** g, balance=lambda y, a: np.where(y == 1, a, 1.0)),
            "The label 0 gets the weight 1 - alpha, not 1.",
        ),
        (_focal_with(lambda t, p, g: (1 - t) ** g, balance=lambda y, a: 1.0), "alpha is missing."),
        (_focal_with(lambda t, p, g: 1.0), "The factor (1 - p_t) to the gamma is missing."),
        (
            _focal_with(lambda t, p, g: 1 - t**g),
            "1 - p_t ** gamma takes the power first. Put brackets: (1 - p_t) ** gamma.",
        ),
        (
            _focal_with(lambda t, p, g: -((1 - t) ** g)),
            "The sign: log p_t is negative, so the loss carries a minus and is never negative.",
        ),
        (
            _focal_with(lambda t, p, g: (1 - t) * g),
            "(1 - p_t) * gamma multiplies. Gamma is an exponent: (1 - p_t) ** gamma.",
        ),
    ],
    hints=[
        "Begin with the stable cross-entropy of each case. It is -log p_t, so p_t is exp of minus it.",
        "Then (1 - p_t) ** gamma, and a weight that is alpha where the label is 1 and 1 - alpha where it is 0.",
        "np.where(labels == 1, alpha, 1 - alpha) * (1 - np.exp(-loss)) ** gamma * loss",
    ],
)
def focal_loss(logits, labels, gamma, alpha):
    loss = np.maximum(0, logits) + np.log1p(np.exp(-np.abs(logits))) - labels * logits  # -log p_t
    p_t = np.exp(-loss)
    return np.where(labels == 1, alpha, 1 - alpha) * (1 - p_t) ** gamma * loss


def _honest_logit(reported, weight):
    with np.errstate(all="ignore"):
        return np.log(reported / (1 - reported)) - np.log(weight)


@exercise(
    task="Return the probability p behind the report q of a model that was trained with a weight on label 1.",
    cases=lambda rng: [
        (np.array([0.5, 0.9, 0.1]), 99.0),
        (np.array([0.0, 0.99, 0.3]), 10.0),
        (rng.uniform(0.1, 0.9, size=5), 0.25),
    ],
    mistakes=[
        (lambda q, w: w * q / (w * q + 1 - q), "You applied the weight once more. Divide the odds by it."),
        (lambda q, w: q / w, "You divided the probability. The weight multiplies the odds q / (1 - q): divide those."),
        (lambda q, w: q / (1 - q + 1e-300) / w, "Those are the odds. Turn them back: p = odds / (1 + odds)."),
        (
            lambda q, w: q / (q + np.log(w) * (1 - q)),
            "log w is what the logit moves by. The odds move by w itself.",
        ),
        (
            lambda q, w: q / (q + np.exp(w) * (1 - q)),
            "You moved the logit by w. It moves by log w: the odds are divided by w itself.",
        ),
        (
            _honest_logit,
            "That is the right logit. Turn it back into a probability: the sigmoid.",
        ),
        (lambda q, w: 1 - q / (q + w * (1 - q)), "That is the probability of the label 0: 1 - p."),
        (lambda q, w: q, "The weight is not used: the report comes back as it went in."),
        (lambda q, w: q / (q + w), "The second term is w (1 - q), not w."),
    ],
    hints=[
        "q / (1 - q) = w p / (1 - p). What are the odds of p?",
        "The odds of p are q / (w (1 - q)). And p = odds / (1 + odds).",
    ],
)
def honest_probability(reported, weight):
    return reported / (reported + weight * (1 - reported))


def _mask_batches(rng):
    """Return batches with unequal lesions, an empty mask among them, and images that are not square."""
    p = rng.uniform(size=(3, 4, 5))
    y = (rng.uniform(size=(3, 4, 5)) < 0.3).astype(float)
    y[1] = 0
    return [
        (np.array([[[0.9, 0.5], [0.2, 0.0]]]), np.array([[[1.0, 1], [0, 0]]]), 1.0),
        (p, y, 2.0),
        (np.zeros((2, 3, 2)), np.stack([np.zeros((3, 2)), np.eye(3, 2)]), 0.5),
    ]


def _dice_with(*, numerator=1.0, denominator=1.0, axes=(1, 2), power=1, double=2.0, loss=True):
    """Return a mistaken soft Dice loss."""

    def mistaken(p, y, smooth):
        overlap = (p * y).sum(axis=axes)
        sizes = (p**power).sum(axis=axes) + y.sum(axis=axes)
        with np.errstate(all="ignore"):
            dice = (double * overlap + numerator * smooth) / (sizes + denominator * smooth)
        return 1 - dice if loss else dice

    return mistaken


def _dice_without_brackets(p, y, smooth):
    with np.errstate(all="ignore"):
        return 1 - (2 * (p * y).sum((1, 2)) + smooth) / p.sum((1, 2)) + y.sum((1, 2)) + smooth


@exercise(
    task="Return the soft Dice loss of each image, 1 - (2 I + s) / (S + s); arrays are (image, row, column).",
    cases=_mask_batches,
    mistakes=[
        (
            _dice_with(axes=(0, 1, 2)),
            "You pooled the whole batch into one Dice. One loss for each image was asked: sum over the axes 1 and 2.",
        ),
        (
            lambda p, y, smooth: np.mean(_dice_with()(p, y, smooth)),
            "You returned the mean over the images. Return the loss of each.",
        ),
        (_dice_with(loss=False), "That is the Dice coefficient. The loss is 1 minus it."),
        (_dice_with(double=1.0), "The 2 in front of the overlap is missing: a perfect mask must have the loss 0."),
        (
            _dice_with(numerator=0.0),
            "The smoothing stands below only. An empty mask that is rightly predicted empty would then cost 1: add it"
            " above as well.",
        ),
        (
            _dice_with(denominator=0.0),
            "The smoothing stands above only. It must stand below as well, or Dice passes 1.",
        ),
        (_dice_with(numerator=0.0, denominator=0.0), "The smoothing is missing: on empty masks that is 0 / 0."),
        (_dice_with(numerator=2.0), "The smoothing is doubled above: it is (2 I + s), not 2 (I + s)."),
        (
            lambda p, y, smooth: 1 - ((p * y).sum((1, 2)) + smooth) / ((p + y - p * y).sum((1, 2)) + smooth),
            "You divided by the union: that is the Jaccard (IoU) loss. Dice divides by the sum of both sizes.",
        ),
        (
            _dice_without_brackets,
            "Brackets are missing below: a / b + c is (a / b) + c. Divide by (S + s) as a whole.",
        ),
        (
            lambda p, y, smooth: 1 - 2 * (p * y + smooth).sum((1, 2)) / (p + y + smooth).sum((1, 2)),
            "The smoothing was added to every pixel. Add it once, to the sums.",
        ),
        (
            lambda p, y, smooth: -_dice_with(loss=False)(p, y, smooth),
            "That is minus the Dice coefficient. It has the same gradient; the loss asked for is 1 minus it.",
        ),
        (
            _dice_with(numerator=2.0, denominator=2.0),
            "The smoothing is doubled above and below: it is (2 I + s) / (S + s).",
        ),
        (
            _dice_with(power=2),
            "You squared the probabilities below. That is the form of V-Net; here S is the plain sum.",
        ),
        (
            lambda p, y, smooth: _dice_with()(np.round(p), y, smooth),
            "You rounded the probabilities first: then nothing has a gradient. Use them as they are.",
        ),
    ],
    hints=[
        "I = sum of p * y over rows and columns, of each image: which axes?",
        "S is the sum of the probabilities plus the sum of the mask. The smoothing is added above and below.",
        "1 - (2 * overlap + smooth) / (sizes + smooth), with both sums over axis=(1, 2)",
    ],
)
def soft_dice_loss(probabilities, masks, smooth):
    overlap = (probabilities * masks).sum(axis=(1, 2))  # (image, row, column) -> (image,)
    sizes = probabilities.sum(axis=(1, 2)) + masks.sum(axis=(1, 2))
    return 1 - (2 * overlap + smooth) / (sizes + smooth)


def _tversky_with(denominator, *, axes=(1, 2), loss=True, power=1):
    """Return a mistaken Tversky loss with another denominator of (overlap, false positives, negatives, alpha, beta)."""

    def mistaken(p, y, alpha, beta):
        overlap = (p * y).sum(axis=axes)
        parts = (overlap, (p * (1 - y)).sum(axis=axes), ((1 - p) * y).sum(axis=axes), alpha, beta)
        index = power * overlap / denominator(*parts)
        return 1 - index if loss else index

    return mistaken


def _tversky_right(i, fp, fn, a, b):
    return i + a * fp + b * fn


@exercise(
    task="Return the Tversky loss of each image; alpha prices false positives, beta false negatives.",
    cases=lambda rng: [
        (rng.uniform(size=(2, 3, 4)), (rng.uniform(size=(2, 3, 4)) < 0.4).astype(float), 0.3, 0.7),
        (rng.uniform(size=(3, 2, 2)), np.tile([[1.0, 0.0], [0.0, 0.0]], (3, 1, 1)), 1.5, 0.2),
    ],
    mistakes=[
        (
            _tversky_with(lambda i, fp, fn, a, b: i + b * fp + a * fn),
            "alpha and beta are the wrong way round: alpha prices the false positives, p (1 - y).",
        ),
        (
            _tversky_with(_tversky_right, axes=(0, 1, 2)),
            "You pooled the whole batch. One loss for each image was asked.",
        ),
        (_tversky_with(_tversky_right, loss=False), "That is the Tversky index. The loss is 1 minus it."),
        (
            _tversky_with(_tversky_right, power=2),
            "There is no 2 above: with alpha = beta = 1/2 the halves below do its work.",
        ),
        (
            _tversky_with(lambda i, fp, fn, a, b: a * fp + b * fn),
            "The overlap is missing below: a perfect mask would divide by 0.",
        ),
        (
            _tversky_with(lambda i, fp, fn, a, b: i + fp + fn),
            "alpha and beta are not used: that is the Jaccard (IoU) loss.",
        ),
        (
            _tversky_with(lambda i, fp, fn, a, b: i + (fp + fn) / 2),
            "alpha and beta are not used: that is the Dice loss.",
        ),
        (
            _tversky_with(lambda i, fp, fn, a, b: i + a * (i + fp) + b * (i + fn)),
            "You took the sums of p and y. The false positives are p (1 - y), the false negatives (1 - p) y.",
        ),
    ],
    hints=[
        "A false positive is mass where the mask is 0: p * (1 - y). And a false negative?",
        "1 - overlap / (overlap + alpha * false_positive + beta * false_negative), each summed over axis=(1, 2)",
    ],
)
def tversky_loss(probabilities, masks, alpha, beta):
    overlap = (probabilities * masks).sum(axis=(1, 2))  # (image, row, column) -> (image,)
    false_positive = (probabilities * (1 - masks)).sum(axis=(1, 2))
    false_negative = ((1 - probabilities) * masks).sum(axis=(1, 2))
    return 1 - overlap / (overlap + alpha * false_positive + beta * false_negative)
