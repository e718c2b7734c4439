"""Exercises of lesson 04b, Adaptive optimizers: each solution, and the usual mistakes as running code."""

import numpy as np

from medlearn.exercises.engine import exercise


def _adagrad_cases(rng):
    """Return weights, gradients of unlike size and sign (one is 0, one as small as epsilon), earlier sums, a rate."""
    return [
        (np.array([1.0, -1.0, 2.0]), np.array([0.0, 2e-10, -3.0]), np.zeros(3), 0.2),
        (np.array([1.0, -2.0]), np.array([3.0, -0.5]), np.array([16.0, 0.0]), 0.1),
        (rng.normal(size=5), rng.normal(size=5) * 10.0 ** np.arange(-2, 3), rng.uniform(0.1, 4, size=5), 0.5),
    ]


def _adagrad_without_epsilon(w, g, total, learning_rate):
    with np.errstate(invalid="ignore"):
        return w - learning_rate * g / np.sqrt(total + g**2), total + g**2


@exercise(
    task="Return the new weights and the new sum of squares after one step of AdaGrad, as a tuple (w, total).",
    cases=_adagrad_cases,
    mistakes=[
        (
            lambda w, g, total, learning_rate: (
                w - learning_rate * g / (np.sqrt(total + np.sum(g**2)) + 1e-10),
                total + np.sum(g**2),
            ),
            "You summed the squares over the weights. Each weight has a sum of its own, over the steps: no np.sum.",
        ),
        (
            _adagrad_without_epsilon,
            "Epsilon is missing: a weight that has seen only gradients of 0 is divided by 0.",
        ),
        (
            lambda w, g, total, learning_rate: (w - learning_rate * g / (np.sqrt(total + g**2) + 1e-8), total + g**2),
            "Your epsilon is 1e-8, that of RMSProp and Adam. AdaGrad's is 1e-10 here, as in PyTorch.",
        ),
        (
            lambda w, g, total, learning_rate: (w - g / (np.sqrt(total + g**2) + 1e-10), total + g**2),
            "The learning rate is missing in the step.",
        ),
        (
            lambda w, g, total, learning_rate: (w - learning_rate / (np.sqrt(total + g**2) + 1e-10), total + g**2),
            "You divided the rate and left out the gradient: the step is the divided rate times g.",
        ),
        (
            lambda w, g, total, learning_rate: (w - learning_rate * g / np.sqrt(total + g**2 + 1e-10), total + g**2),
            "Your epsilon is under the root, where it acts like 1e-5. Add it after the root.",
        ),
        (
            lambda w, g, total, learning_rate: (w - learning_rate * g / (total + g**2 + 1e-10), total + g**2),
            "The root is missing: the rate is divided by the root of the sum of squares.",
        ),
        (
            lambda w, g, total, learning_rate: (w - learning_rate * g / (np.sqrt(total) + 1e-10), total + g**2),
            "You divided by the old sum. Add this step's square first: otherwise the first step divides by nearly 0.",
        ),
        (
            lambda w, g, total, learning_rate: (
                w - learning_rate * g / (np.sqrt(np.abs(total + g)) + 1e-10),
                total + g,
            ),
            "You summed the gradients. They cancel where the sign changes: sum their squares.",
        ),
        (
            lambda w, g, total, learning_rate: (w - learning_rate * g / (np.sqrt(total + g**2) + 1e-10), total),
            "The step is right, and you return the old sum: the next step would not know this gradient.",
        ),
        (
            lambda w, g, total, learning_rate: (
                w + learning_rate * g / (np.sqrt(total + g**2) + 1e-10),
                total + g**2,
            ),
            "You went uphill: the step is subtracted.",
        ),
    ],
    hints=[
        "First total = total + g**2, weight by weight. Write it so: += would change the caller's array.",
        "Then w - learning_rate * g / (np.sqrt(total) + 1e-10). Return both.",
    ],
)
def adagrad_step(w, g, total, learning_rate):
    total = total + g**2
    return w - learning_rate * g / (np.sqrt(total) + 1e-10), total


@exercise(
    task="Return how many times longer step t is without the corrections than with them, at a constant gradient.",
    cases=lambda rng: [(1, 0.9, 0.999), (7, 0.9, 0.999), (100, 0.9, 0.999), (3, 0.5, 0.9), (4, 0.0, 0.99)],
    mistakes=[
        (
            lambda t, beta1, beta2: np.sqrt(1 - beta2**t) / (1 - beta1**t),
            "That is the inverse: how many times shorter the corrected step is. Which of the two has the corrections?",
        ),
        (
            lambda t, beta1, beta2: (1 - beta1**t) / (1 - beta2**t),
            "The step divides by the root of v, so the second correction stands under a root as well.",
        ),
        (
            lambda t, beta1, beta2: (1 - beta1) / np.sqrt(1 - beta2),
            "That is the first step, for every t. After t steps the weights of the mean add up to 1 - beta**t.",
        ),
        (
            lambda t, beta1, beta2: 1 / np.sqrt(1 - beta2**t),
            "You left out m: it is too small as well, by 1 - beta1**t.",
        ),
        (
            lambda t, beta1, beta2: (1 - beta1**t) * np.sqrt(1 - beta2**t),
            "You multiplied by the root of v's factor. The step divides by the root of v.",
        ),
        (
            lambda t, beta1, beta2: (1 - beta1) ** t / np.sqrt(1 - beta2) ** t,
            "You raised 1 - beta to the power t. The sum is 1 - beta**t: the power belongs to beta.",
        ),
        (
            lambda t, beta1, beta2: (1 - beta1 ** (t + 1)) / np.sqrt(1 - beta2 ** (t + 1)),
            "Off by one: t counts from 1, and after the first step the sum is 1 - beta.",
        ),
    ],
    hints=[
        "With a constant gradient g: what are m and v after t steps? Use the geometric sum above.",
        "m = (1 - beta1**t) g and v = (1 - beta2**t) g**2. The corrected step is g / |g|.",
    ],
)
def uncorrected_ratio(t, beta1, beta2):
    return (1 - beta1**t) / np.sqrt(1 - beta2**t)


def _adam_cases(rng):
    """Return states of Adam at the first step and later; some gradients are as small as epsilon."""
    first = (np.array([1.0, -2.0, 0.5]), np.array([4.0, -3e-3, 2e-8]), np.zeros(3), np.zeros(3), 1, 0.1)
    tiny = (np.array([0.2, 0.3]), np.array([-1e-8, 5e-8]), np.array([2e-8, 1e-8]), np.array([1e-16, 4e-16]), 5, 0.3)
    g = rng.normal(size=4)
    later = (rng.normal(size=4), g, rng.normal(size=4) / 3, rng.uniform(0.001, 0.02, size=4), 9, 0.05)
    return [first, tiny, later]


def _adam_with(*, correct_m=True, correct_v=True, later=0, inside=False, square=None, keep_corrected=False, root=True,
               beta2=0.999, share=None, eps=1e-8, above=None):  # fmt: skip
    """Return one step of Adam with something done in another way."""

    def mistaken(w, g, m, v, t, learning_rate):
        m = 0.9 * m + (share or 0.1) * g
        v = beta2 * v + (share or 1 - beta2) * (square(g, m) if square else g**2)
        m_hat = m / (1 - 0.9 ** (t + later)) if correct_m else m
        v_hat = v / (1 - beta2 ** (t + later)) if correct_v else v
        scale = np.sqrt(v_hat + eps) if inside else (np.sqrt(v_hat) if root else v_hat) + eps
        state = (m_hat, v_hat) if keep_corrected else (m, v)
        return w - learning_rate * (above(g) if above else m_hat) / scale, *state

    return mistaken


@exercise(
    task="Return the tuple (w, m, v) after step t of Adam; t is 1 in the first step.",
    cases=_adam_cases,
    mistakes=[
        (
            _adam_with(correct_m=False, correct_v=False),
            "The corrections are missing: divide m by 1 - 0.9**t and v by 1 - 0.999**t before you use them.",
        ),
        (_adam_with(correct_v=False), "You corrected m and left v as it is: the first steps come out too long."),
        (_adam_with(correct_m=False), "You corrected v and left m as it is: the first steps come out too short."),
        (
            _adam_with(later=1),
            "The count is one ahead: t is 1 in the first step already. Do not add 1.",
        ),
        (
            lambda w, g, m, v, t, learning_rate: _adam_with(later=-1)(w, g, m, v, max(t, 2), learning_rate),
            "You corrected with t - 1. That begins at 0, where 1 - 0.9**0 = 0.",
        ),
        (
            _adam_with(inside=True),
            "Your epsilon is under the root, where it acts like 1e-4. Add it after the root.",
        ),
        (
            _adam_with(square=lambda g, m: m**2),
            "v averages the square of m. It must average the squares of the gradients: g**2.",
        ),
        (_adam_with(root=False), "The root is missing: divide by the root of the corrected v."),
        (
            _adam_with(keep_corrected=True),
            "The weights are right. But you return the corrected m and v: the next step would correct them again.",
        ),
        (
            _adam_with(eps=0),
            "Epsilon is missing: add 1e-8 after the root. Beside tiny gradients it counts.",
        ),
        (
            _adam_with(above=lambda g: g),
            "The gradient itself stands above the root. There belongs its corrected running mean, m_hat.",
        ),
        (
            _adam_with(share=1.0),
            "You added the whole of g and g**2. In a running mean the new value has the share 1 - beta: 0.1 and 0.001.",
        ),
        (_adam_with(beta2=0.99), "Your v forgets with 0.99, as RMSProp's. Adam's beta2 is 0.999."),
    ],
    hints=[
        "Two running means first: m = 0.9 * m + 0.1 * g, and v likewise with 0.999 and g**2.",
        "Corrected copies for the step only: m_hat = m / (1 - 0.9**t), v_hat = v / (1 - 0.999**t).",
        "w - learning_rate * m_hat / (np.sqrt(v_hat) + 1e-8). Return w, m, v, with m and v as they were.",
    ],
)
def adam_step(w, g, m, v, t, learning_rate):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    m_hat = m / (1 - 0.9**t)
    v_hat = v / (1 - 0.999**t)
    return w - learning_rate * m_hat / (np.sqrt(v_hat) + 1e-8), m, v


def _adamw_cases(rng):
    """Return the states of Adam's cases, with a decay."""
    return [(*case, decay) for case, decay in zip(_adam_cases(rng), (0.5, 0.2, 1.5), strict=True)]


def _adamw_with(decayed):
    """Return one step of AdamW whose weights come from ``decayed(w, moved, learning_rate, decay)``."""

    def mistaken(w, g, m, v, t, learning_rate, decay):
        moved, m, v = adam_step.solution_function(w, g, m, v, t, learning_rate)
        return decayed(w, moved, learning_rate, decay), m, v

    return mistaken


@exercise(
    task="Return the tuple (w, m, v) after step t of AdamW.",
    cases=_adamw_cases,
    mistakes=[
        (
            lambda w, g, m, v, t, learning_rate, decay: adam_step.solution_function(
                w, g + decay * w, m, v, t, learning_rate
            ),
            "You added the decay to the gradient. That is an L2 penalty: it goes through m and v and is divided by the"
            " root of v. Take the decay from the weights themselves.",
        ),
        (
            _adamw_with(lambda w, moved, learning_rate, decay: moved),
            "The decay is missing: that is Adam.",
        ),
        (
            _adamw_with(lambda w, moved, learning_rate, decay: moved - decay * w),
            "You forgot the learning rate in the decay: a step takes away learning_rate * decay of the weight.",
        ),
        (
            _adamw_with(lambda w, moved, learning_rate, decay: moved - learning_rate * decay),
            "You took the same amount from every weight. Decay takes a share of it: decay * w.",
        ),
        (
            _adamw_with(lambda w, moved, learning_rate, decay: moved - learning_rate * decay * w**2 / 2),
            "You subtracted the penalty itself. What is subtracted is its gradient, decay * w.",
        ),
        (
            _adamw_with(lambda w, moved, learning_rate, decay: moved * (1 - learning_rate * decay)),
            "You let the new weights decay. AdamW takes the decay of the weights before the step.",
        ),
        (
            _adamw_with(lambda w, moved, learning_rate, decay: moved + learning_rate * decay * w),
            "The sign of the decay is wrong: your weights grow.",
        ),
        (
            _adamw_with(lambda w, moved, learning_rate, decay: moved - learning_rate * decay * np.sign(w)),
            "You took the same amount from every weight (that is an L1 penalty). Decay takes the same share.",
        ),
        (
            _adamw_with(lambda w, moved, learning_rate, decay: moved - learning_rate * decay * np.sum(w**2) / 2),
            "You subtracted the penalty of all weights together. What is subtracted is its gradient, decay * w.",
        ),
    ],
    hints=[
        "Leave g, m and v alone: they know nothing of the decay. Only the last line differs from Adam.",
        "Beside Adam's step, the share learning_rate * decay of the old w goes: direction + decay * w.",
    ],
)
def adamw_step(w, g, m, v, t, learning_rate, decay):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    direction = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w - learning_rate * (direction + decay * w), m, v


def _schedule_with(*, first=1, begin=None, turns=1.0, low=True, half=True, left=True, straight=False):
    """Return a mistaken schedule: another first step, another begin of the cosine, another amplitude."""

    def mistaken(step, steps, warmup, highest, lowest):
        if step < warmup:
            return highest * (step + first) / warmup
        since = warmup if begin is None else begin
        progress = (step - since) / (steps - since if left else steps)
        wave = 1 - progress if straight else (1 + np.cos(turns * np.pi * progress)) * (0.5 if half else 1)
        return lowest + (highest - lowest) * wave if low else highest * wave

    return mistaken


@exercise(
    task="Return the learning rate of a step (from 0): a straight warm-up, then half a cosine from highest to lowest.",
    cases=lambda rng: (
        [(step, 100, 10, 0.3, 0.01) for step in (0, 4, 9, 10, 37, 55, 99, 100)]
        + [(0, 20, 0, 1.0, 0.1), (15, 20, 0, 1.0, 0.1)]
    ),
    mistakes=[
        (
            _schedule_with(first=0),
            "The first step has the rate 0 and is wasted. Steps count from 0: use (step + 1) / warmup.",
        ),
        (
            _schedule_with(begin=0),
            "Your cosine counts from step 0, so the rate jumps down at the end of the warm-up. Count from there.",
        ),
        (
            _schedule_with(turns=2.0),
            "That is a whole wave: the rate rises again in the second half. Half a wave ends at cos(pi).",
        ),
        (
            _schedule_with(turns=0.5),
            "That is a quarter of a wave: it ends half-way down. Half a wave ends at cos(pi).",
        ),
        (
            _schedule_with(left=False),
            "Your cosine has not come down at the end: divide by the steps that are left, steps - warmup.",
        ),
        (
            _schedule_with(straight=True),
            "Your rate falls along a straight line. Put the progress into a cosine: (1 + cos(pi * progress)) / 2.",
        ),
        (_schedule_with(low=False), "The rate falls to 0. It must end at `lowest`: lowest + (highest - lowest) * ..."),
        (
            _schedule_with(half=False),
            "1 + cos goes from 2 to 0: take half of it.",
        ),
        (
            _schedule_with(turns=1 / np.pi),
            "Pi is missing: progress goes from 0 to 1, and half a wave from 0 to pi.",
        ),
        (
            lambda step, steps, warmup, highest, lowest: _schedule_with()(step, steps, warmup, highest, lowest)
            + (lowest * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup))) / 2 if step >= warmup else 0),
            "Your rate begins above `highest`: the wave goes from highest to lowest, so multiply by their difference.",
        ),
        (
            lambda step, steps, warmup, highest, lowest: _schedule_with()(step, steps, warmup, highest, lowest)
            + (lowest * (1 - (step + 1) / warmup) if step < warmup else 0),
            "Your warm-up rises from `lowest`. Here it rises from 0: highest * (step + 1) / warmup.",
        ),
        (
            lambda step, steps, warmup, highest, lowest: _schedule_with()(
                max(step, warmup), steps, warmup, highest, lowest
            ),
            "The warm-up is missing: before step `warmup` the rate rises in a straight line.",
        ),
    ],
    hints=[
        "Two cases. For step < warmup: highest * (step + 1) / warmup.",
        "Else progress = (step - warmup) / (steps - warmup) goes from 0 to 1. What does cos(pi * progress) do?",
        "It goes from 1 to -1, so (1 + cos) / 2 goes from 1 to 0: lowest + (highest - lowest) * (1 + cos) / 2.",
    ],
)
def warmup_cosine(step, steps, warmup, highest, lowest):
    if step < warmup:
        return highest * (step + 1) / warmup
    progress = (step - warmup) / (steps - warmup)
    return lowest + (highest - lowest) * (1 + np.cos(np.pi * progress)) / 2


def _range_test_cases(rng):
    """Return rates with the losses of a range test; two of them end in NaN or infinity."""
    rates = 10.0 ** np.arange(-6, 2)
    fast = 10.0 ** np.linspace(-5, 0, 11)
    return [
        (rates, np.array([0.70, 0.69, 0.65, 0.40, 0.30, 0.90, 5.0, 80.0])),
        (rates, np.array([2.3, 2.3, 2.2, 1.9, 2.5, np.nan, np.nan, np.nan])),
        (fast, np.array([0.69, 0.69, 0.68, 0.66, 0.6, 0.5, 0.35, 0.31, 0.6, 3.0, np.inf])),
    ]


def _steepest(rates, losses):
    falls = np.diff(losses)
    return rates[int(np.nanargmin(falls))] / 10


@exercise(
    task="Return a tenth of the learning rate that has the smallest loss; a loss that is NaN counts as diverged.",
    cases=_range_test_cases,
    mistakes=[
        (
            lambda rates, losses: rates[int(np.nanargmin(losses))],
            "That is the rate at the smallest loss, on the edge of divergence. Take a tenth of it.",
        ),
        (
            lambda rates, losses: rates[int(np.argmin(losses))] / 10,
            "np.argmin takes NaN to be the smallest of all, so it chose a rate that diverged. Use np.nanargmin.",
        ),
        (
            lambda rates, losses: np.nanmin(losses) / 10,
            "You took a tenth of the smallest loss. Its place tells which rate to take: np.nanargmin.",
        ),
        (
            lambda rates, losses: np.nanargmin(losses) / 10,
            "That is a tenth of the index. Look the rate up: rates[index] / 10.",
        ),
        (
            lambda rates, losses: rates[int(np.flatnonzero(np.isfinite(losses))[-1])] / 10,
            "You took the largest rate whose loss is a number. It may be far above where it started: take the"
            " smallest loss.",
        ),
        (
            _steepest,
            "You looked where the loss falls most from one rate to the next. Here it is asked where it is smallest.",
        ),
    ],
    hints=[
        "Find the place of the smallest loss. What does np.argmin do with NaN?",
        "rates[np.nanargmin(losses)] / 10",
    ],
)
def choose_rate(rates, losses):
    return rates[np.nanargmin(losses)] / 10


def _clip_cases(rng):
    """Return lists of gradients of unlike shape, above and below the limit."""
    return [
        ([np.array([3.0, 0.0]), np.array([[0.0, -4.0]])], 1.0),  # norm 5
        ([np.array([0.3, 0.0]), np.array([[0.0, -0.4]])], 1.0),  # norm 0.5: stays
        ([rng.normal(size=(4, 3)) * 5, rng.normal(size=4) / 10, np.array([-2.0])], 2.5),
    ]


def _norm(gradients):
    return np.sqrt(sum(np.sum(g**2) for g in gradients))


@exercise(
    task="Return the list of gradients, scaled so that their common norm is at most `largest`.",
    cases=_clip_cases,
    mistakes=[
        (
            lambda gradients, largest: [g * (largest / _norm(gradients)) for g in gradients],
            "You rescale always: small gradients grow to the limit as well. Only those above it are to shrink.",
        ),
        (
            lambda gradients, largest: [g * min(1.0, largest / _norm([g])) for g in gradients],
            "You clipped each array by its own norm: their proportions change, and so does the direction. One norm for"
            " all of them.",
        ),
        (
            lambda gradients, largest: [np.clip(g, -largest, largest) for g in gradients],
            "That is clipping by value: each component for itself, and the direction changes.",
        ),
        (
            lambda gradients, largest: [g * min(1.0, largest / _norm(gradients) ** 2) for g in gradients],
            "The root is missing: the norm is the root of the sum of squares.",
        ),
        (
            lambda gradients, largest: [
                g * min(1.0, largest / sum(np.sqrt(np.sum(h**2)) for h in gradients)) for g in gradients
            ],
            "You added the norms of the arrays. Add their squares, then take one root.",
        ),
        (
            lambda gradients, largest: [
                g * min(1.0, largest / max(np.abs(h).max() for h in gradients)) for g in gradients
            ],
            "You measured the largest component. The norm is the root of the sum of all squares.",
        ),
        (
            lambda gradients, largest: [g * max(1.0, largest / _norm(gradients)) for g in gradients],
            "max where min belongs: long gradients stay, short ones grow.",
        ),
        (
            lambda gradients, largest: [g / (_norm(gradients) if _norm(gradients) > largest else 1) for g in gradients],
            "You shorten to the length 1. The limit is `largest`.",
        ),
    ],
    hints=[
        "One number first: norm = the root of the sum of all squares, over all arrays of the list.",
        "The factor is 1 as long as the norm is below the limit, and largest / norm above it: min(1, largest / norm).",
    ],
)
def clip_by_norm(gradients, largest):
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    factor = min(1.0, largest / norm)
    return [g * factor for g in gradients]


@exercise(
    task="Return the standard deviation of He's initialisation for a layer before a ReLU, from its weights' shape.",
    cases=lambda rng: [((64, 30),), ((10, 200),), ((16, 3, 5, 5),), ((8, 16, 3, 1),)],
    mistakes=[
        (
            lambda shape: np.sqrt(2 / shape[0]),
            "shape[0] is how many outputs there are. An output is a sum over its inputs: the other axes.",
        ),
        (
            lambda shape: np.sqrt(2 / shape[1]),
            "Right for a dense layer. An output of a convolution sums over the kernel's pixels too.",
        ),
        (
            lambda shape: 2 / np.prod(shape[1:]),
            "That is the variance. The standard deviation is its root.",
        ),
        (
            lambda shape: np.sqrt(1 / np.prod(shape[1:])),
            "That is LeCun's, without a ReLU. A ReLU lets half of the second moment through: 2 / n.",
        ),
        (
            lambda shape: np.sqrt(2 / np.prod(shape)),
            "You counted all weights of the layer. One output sums over the axes after the first.",
        ),
        (
            lambda shape: np.sqrt(2 / shape[-1]),
            "The last axis is the inputs of a dense layer only. For a convolution take all axes after the first.",
        ),
        (
            lambda shape: np.sqrt(2) / np.prod(shape[1:]),
            "The root covers the 2 only. The standard deviation is the root of all of 2 / n.",
        ),
        (
            lambda shape: np.sqrt(2 / (np.prod(shape[1:]) + shape[0] * np.prod(shape[2:]))),
            "That is Glorot's, the compromise between forward and backward. He's counts the inputs only.",
        ),
    ],
    hints=[
        "The shape is PyTorch's: (outputs, inputs) or (outputs, inputs, rows, columns). How many terms has one output?",
        "n = np.prod(shape[1:]), and the variance is 2 / n.",
    ],
)
def he_std(shape):
    n = np.prod(shape[1:])
    return np.sqrt(2 / n)
