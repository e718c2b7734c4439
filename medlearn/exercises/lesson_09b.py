"""Exercises of lesson 09b, Generative networks: nodule patches: a distance, sizes, stamps, flaws, slopes, shakings."""

import re
from functools import partial
from itertools import combinations

import numpy as np

from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise


def _one_feature(first, second, *, spread=None, ddof=1):
    """Return the squared difference of the means plus that of the spreads, or of what `spread` makes of a sample."""
    spread = spread or (lambda values: values.std(ddof=ddof))
    return (first.mean() - second.mean()) ** 2 + (spread(first) - spread(second)) ** 2


def _sorted_places(first, second):
    quantiles = (np.arange(1000) + 0.5) / 1000
    return np.mean((np.quantile(first, quantiles) - np.quantile(second, quantiles)) ** 2)


@exercise(
    task="Return (difference of the means)^2 + (difference of the standard deviations)^2 of two samples; standard"
    " deviations with the divisor n - 1.",
    cases=lambda rng: [
        (np.array([1.0, 3.0]), np.array([4.0, 6.0, 8.0])),  # means 2 and 6; sd sqrt 2 and 2: 16 + (2 - 1.414)^2
        (rng.normal(2, 3, 7), rng.normal(-1, 1, 5)),
        (rng.normal(0, 1, 4), rng.normal(0.2, 5, 6)),
    ],
    mistakes=[
        (
            lambda first, second: np.sqrt(_one_feature(first, second)),
            "You took a root at the end. The Fréchet distance is quoted squared, in the feature's unit squared.",
        ),
        (
            lambda first, second: _one_feature(first, second, ddof=0),
            "np.std divides by n unless it is told otherwise: ddof=1.",
        ),
        (
            lambda first, second: _one_feature(first, second, spread=lambda values: values.var(ddof=1)),
            "You compared the variances. The formula has the standard deviations: sigma, not its square.",
        ),
        (
            lambda first, second: (first.mean() - second.mean()) ** 2,
            "That is the difference of the means only: two samples around one mean, one narrow and one wide, would be"
            " 0 apart.",
        ),
        (
            lambda first, second: (first.mean() - second.mean()) ** 2 + first.var(ddof=1) + second.var(ddof=1),
            "You added the variances. That is the mean squared distance of values that are paired at random: the"
            " best plan pairs low with low.",
        ),
        (
            lambda first, second: abs(first.mean() - second.mean()) + abs(first.std(ddof=1) - second.std(ddof=1)),
            "Square each of the two differences before you add them.",
        ),
        (
            _sorted_places,
            "That is the distance of the samples themselves, by their quantiles. Asked is that of the two bell curves"
            " with their means and standard deviations.",
        ),
    ],
    hints=["values.mean() and values.std(ddof=1), of both.", "Subtract, square, add. No root at the end."],
)
def frechet_1d(first, second):
    shift = first.mean() - second.mean()
    widening = first.std(ddof=1) - second.std(ddof=1)
    return shift**2 + widening**2


@exercise(
    task="Return the size of what a transposed convolution makes of maps of this size.",
    cases=lambda rng: [(4, 4, 2, 1), (5, 3, 2, 0), (1, 7, 1, 0), (6, 5, 3, 2), (3, 2, 4, 0), (7, 3, 1, 1)],
    mistakes=[
        (
            lambda size, kernel, stride, padding: size * stride,
            "Right where kernel - stride = 2 * padding. In general the last stamp sticks out by what the kernel has"
            " beyond the stride, and the padding cuts off what it says.",
        ),
        (
            lambda size, kernel, stride, padding: (size + 2 * padding - kernel) // stride + 1,
            "That is the size behind an ordinary convolution. Here you go the other way: solve that formula for the"
            " size before it.",
        ),
        (
            lambda size, kernel, stride, padding: (size - 1) * stride + kernel - padding,
            "The padding is cut off at both ends.",
        ),
        (
            lambda size, kernel, stride, padding: (size - 1) * stride + kernel + 2 * padding,
            "Padding makes the result of an ordinary convolution larger, so it makes the way back smaller: subtract.",
        ),
        (
            lambda size, kernel, stride, padding: size * stride + kernel - 2 * padding,
            "Between n stamps lie n - 1 steps.",
        ),
        (
            lambda size, kernel, stride, padding: (size - 1) * stride + kernel,
            "That is the room that the stamps take. The padding is cut off it, at both ends.",
        ),
    ],
    hints=[
        "The first stamp begins at 0, the last at (size - 1) * stride.",
        "The last stamp ends `kernel` further on. Then cut `padding` off at each end.",
    ],
)
def upsampled_size(size, kernel, stride, padding):
    return (size - 1) * stride + kernel - 2 * padding


def _stamped(size, kernel, stride):
    counts = np.zeros((size - 1) * stride + kernel, dtype=int)
    for place in range(size):
        counts[place * stride : place * stride + kernel] += 1
    return counts


def _gathered(size, kernel, stride):
    """Return how often an ordinary convolution looks at each of `size` pixels, where that is not the same thing."""
    counts = np.zeros(size, dtype=int)
    for start in range(0, size - kernel + 1, stride):
        counts[start : start + kernel] += 1
    return counts


def _counts(value):
    """Return counts as whole numbers, whether they came as a list, a tensor or numbers with a point."""
    counts = np.asarray(value) if isinstance(value, (list, tuple)) or hasattr(value, "detach") else value
    whole = isinstance(counts, np.ndarray) and counts.dtype.kind == "f" and np.all(counts == np.round(counts))
    return counts.astype(int) if whole else counts


@exercise(
    task="Return how many stamps cover each pixel of the result, in one dimension, without padding: whole numbers.",
    cases=lambda rng: [(3, 3, 2), (4, 4, 2), (5, 5, 3), (6, 2, 3), (4, 3, 1)],  # (3, 3, 2): 1 1 2 1 2 1 1
    compare=lambda result, expected: same(_counts(result), _counts(expected)),
    mistakes=[
        (
            lambda size, kernel, stride: (_stamped(size, kernel, stride) > 0).astype(int),
            "You marked which pixels are covered. Count: overlapping stamps add.",
        ),
        (_gathered, "You counted how often an ordinary convolution looks at each input pixel. Here the result grows."),
        (
            lambda size, kernel, stride: _stamped(size, kernel, stride)[: size * stride],
            "The counts are right as far as they go. The result has (size - 1) * stride + kernel pixels.",
        ),
        (
            lambda size, kernel, stride: _stamped(size, kernel, 1),
            "The stamps begin `stride` pixels apart, not one.",
        ),
        (
            lambda size, kernel, stride: np.full((size - 1) * stride + kernel, kernel / stride),
            "That is how many stamps cover a pixel in the middle on average. Asked is each pixel's own count.",
        ),
    ],
    hints=[
        "Begin with zeros, (size - 1) * stride + kernel of them.",
        "For each place: add 1 to the `kernel` pixels from place * stride on.",
    ],
)
def stamps(size, kernel, stride):
    counts = np.zeros((size - 1) * stride + kernel, dtype=int)
    for place in range(size):
        counts[place * stride : place * stride + kernel] += 1
    return counts


def _letters(value):
    """Return the letters of an answer, sorted, whether they came as text or one by one; words such as "and" go."""
    if isinstance(value, (list, tuple, set)) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    return "".join(sorted(set("".join(re.findall(r"\b[A-F]+\b", value.upper()))))) if isinstance(value, str) else value


_ABOUT = {  # harmless lines first: who names one hears of it first
    "D": "D only wastes time: which weights does the critic's optimiser move, and what does zero_grad() do before the"
    " generator's own step?",
    "F": "F is what the lesson does. New noise in each step makes the generator learn the whole space of noise.",
    "A": "Look at A again: the generator's values run from -1 to 1. What does unscale make of a real 0, air?",
    "B": "Look at B again: what does the generator learn about noise that it never gets?",
    "C": "Look at C again: which weights does this optimiser move, and in whose favour?",
    "E": "Look at E again: with which mean and spread was each made patch normalised in the critic's step, and with"
    " which in the generator's?",
}


def _wrong_letters(right="ABCE"):
    """Return every wrong set of letters as a mistake, with a word about its first fault."""
    mistakes = [(lambda: "ABCDEF", "Not all. Two of the lines change nothing, or are what the lesson does anyway.")]
    for size in range(1, 6):
        for letters in map("".join, combinations("ABCDEF", size)):
            faults = [text for letter, text in _ABOUT.items() if (letter in letters) != (letter in right)]
            if faults:
                mistakes.append((partial(str, letters), faults[0]))
    return mistakes


@exercise(
    task="Which of the lines A to F spoil the game? Write their letters, such as 'BD'.",
    compare=lambda result, expected: same(_letters(result), _letters(expected)),
    mistakes=_wrong_letters(),
    hints=[
        "For each line: which weights move, in whose favour, and does each network see the same kind of numbers in"
        " both steps?",
        "Two of the six lines do no harm.",
    ],
)
def flaws():
    values_differ = "A"  # -1 to 1 against 0 to 1: half of the range is never real, and HU come out wrong
    noise_known = "B"  # 64 patches are learnt, and nothing between them
    plays_for_both = "C"  # the critic's weights move so as to be fooled
    judged_otherwise = "E"  # another normalisation when the generator asks than when the critic learnt
    return "".join(sorted(values_differ + noise_known + plays_for_both + judged_otherwise))


def _iterated(matrix, start, steps, *, normalise=True, end=None):
    v = start / np.linalg.norm(start) if normalise else start
    for _ in range(steps):
        u = matrix @ v
        u = u / np.linalg.norm(u) if normalise else u
        v = matrix.T @ u
        v = v / np.linalg.norm(v) if normalise else v
    return end(u, v) if end else u @ matrix @ v


@exercise(
    task="Return the largest singular value as `steps` rounds of power iteration find it: in each round u = W v, then"
    " v = W^T u, both brought to length 1; at the end u^T W v.",
    cases=lambda rng: [
        (np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([1.0, 1.0]), 1),  # u = (3, 1)/sqrt 10; v = (9, 1)/sqrt 82: 2.863
        (rng.normal(size=(4, 6)), rng.normal(size=6), 2),
        (rng.normal(size=(5, 3)), rng.normal(size=3), 1),
        (rng.normal(size=(3, 5)), rng.normal(size=5), 30),
    ],
    mistakes=[
        (
            lambda matrix, start, steps: np.linalg.norm(matrix),
            "That is the Frobenius norm, the root of the sum of all squares. It is never smaller, and most often much"
            " larger.",
        ),
        (
            lambda matrix, start, steps: np.linalg.svd(matrix, compute_uv=False)[0],
            "That is where the iteration ends. Asked is what these few rounds find from this start.",
        ),
        (
            lambda matrix, start, steps: _iterated(matrix, start, steps, normalise=False),
            "Bring u and v to length 1, each time. Without it the numbers grow as sigma to the power of the rounds.",
        ),
        (
            lambda matrix, start, steps: _iterated(
                matrix, start, steps, end=lambda u, v: np.linalg.norm(matrix.T @ (matrix @ v))
            ),
            "That is the square of it: W^T W has the eigenvalue sigma squared.",
        ),
        (
            lambda matrix, start, steps: _iterated(matrix, start, steps, end=lambda u, v: np.linalg.norm(matrix @ v)),
            "That is |W v| with the newest v: half a round further, and no worse. Asked is u^T W v, with the u of the"
            " last round.",
        ),
        (
            lambda matrix, start, steps: _iterated(matrix, start, steps + 1),
            "That is one round too many.",
        ),
        (
            lambda matrix, start, steps: _iterated(
                matrix, start, steps, end=lambda u, v: u @ matrix @ (start / np.linalg.norm(start))
            ),
            "You used the v from the start. Take the newest u and the newest v.",
        ),
        (
            lambda matrix, start, steps: np.abs(matrix).sum(axis=1).max(),
            "That is the largest row sum, another norm of a matrix. How far can W stretch a vector of length 1?",
        ),
    ],
    hints=[
        "u = matrix @ v; u = u / np.linalg.norm(u). Then v = matrix.T @ u, in the same way.",
        "After the last round: u @ matrix @ v.",
    ],
)
def largest_stretch(matrix, start, steps):
    v = start / np.linalg.norm(start)
    for _ in range(steps):
        u = matrix @ v
        u = u / np.linalg.norm(u)
        v = matrix.T @ u
        v = v / np.linalg.norm(v)
    return u @ matrix @ v


def _moved(weights, decay, *, first=0, start=None):
    average = weights[0] if start is None else start
    for new in weights[first + 1 :] if start is None else weights:
        average = decay * average + (1 - decay) * new
    return average


@exercise(
    task="Return the moving average behind the last row: it begins as row 0, and each further row moves it,"
    " average = decay * average + (1 - decay) * row.",
    cases=lambda rng: [
        (np.array([[0.0, 4.0], [1.0, 4.0], [1.0, 0.0]]), 0.75),  # 0, 0.25, 0.4375 and 4, 4, 3
        (rng.normal(size=(6, 3)), 0.9),
        (rng.normal(size=(9, 2)), 0.3),
        (rng.normal(size=(1, 4)), 0.9),
    ],
    mistakes=[
        (
            lambda weights, decay: _moved(weights, 1 - decay),
            "You exchanged decay and 1 - decay. With 0.999 a thousandth of the new weights comes in.",
        ),
        (
            lambda weights, decay: weights.mean(axis=0),
            "That is the plain mean: rows of long ago count as much as the last one.",
        ),
        (
            lambda weights, decay: _moved(weights, decay, start=np.zeros(weights.shape[1])),
            "You began at zero. It begins as row 0: a network whose weights are near zero makes grey patches.",
        ),
        (
            lambda weights, decay: (
                _moved(weights, decay, start=np.zeros(weights.shape[1])) / (1 - decay ** len(weights))
            ),
            "You began at zero and corrected for it, as Adam does. Asked is an average that begins as row 0.",
        ),
        (
            lambda weights, decay: _moved(weights, decay, first=1) if len(weights) > 1 else weights[0],
            "You left out row 1. The average begins as row 0, and the next one that comes in is row 1.",
        ),
        (
            lambda weights, decay: _moved(weights, decay).mean(),
            "Each weight has its own average. Keep the columns apart.",
        ),
        (
            lambda weights, decay: weights[-1],
            "That is the last row itself: an average with decay 0.",
        ),
    ],
    hints=["average = weights[0]; then a loop over weights[1:].", "decay * average + (1 - decay) * new"],
)
def averaged(weights, decay):
    average = weights[0]
    for new in weights[1:]:
        average = decay * average + (1 - decay) * new
    return average


def _kept(shares):
    return np.abs(np.fft.fft(shares))


def _ring(*shares):
    return (np.array(shares),)


@exercise(
    task="Return the size of the smallest Fourier coefficient of the shares: what shaking leaves of the pattern that"
    " suffers most, 0 to 1. shares[k]: the probability of a shift by k places round the ring.",
    cases=lambda rng: [
        _ring(0.75, 0.25, 0.0, 0.0),  # coefficients 1, 0.75 - 0.25i (size 0.79), 0.75 - 0.25 = 0.5, 0.75 + 0.25i
        _ring(0.5, 0.5, 0.0, 0.0),  # (1 - 1) / 2 = 0
        _ring(0.0, 1.0, 0.0, 0.0, 0.0),  # every one of size 1
        _ring(0.4, 0.0, 0.35, 0.25, 0.0, 0.0, 0.0),
        (rng.dirichlet(np.ones(6)),),
        (rng.dirichlet(np.ones(9)),),
    ],
    mistakes=[
        (
            lambda shares: shares.min(),
            "That is the rarest shift. A share of 0 does no harm by itself: ask each pattern, by np.fft.fft(shares).",
        ),
        (
            lambda shares: np.fft.fft(shares).real.min(),
            "The coefficients are complex, and you took their real part. Their size is np.abs(...).",
        ),
        (
            lambda shares: np.abs(np.fft.fft(shares).real).min(),
            "You took the size of the real part. A coefficient such as -0.3i is not 0: np.abs of the complex number.",
        ),
        (
            lambda shares: np.fft.fft(shares).min(),
            "NumPy orders complex numbers by their real part. Take their sizes first: np.abs, then the smallest.",
        ),
        (
            lambda shares: _kept(shares).min() ** 2,
            "That is the square, the power. A difference shrinks by the size of the coefficient itself.",
        ),
        (
            lambda shares: _kept(shares).max(),
            "That is the pattern that suffers least: the constant one, of which everything is left. Take the smallest.",
        ),
        (
            lambda shares: _kept(shares).prod(),
            "That is the product of all, the size of the determinant. It is 0 in the same cases, but asked is the"
            " smallest one.",
        ),
        (
            lambda shares: _kept(shares).mean(),
            "That is the mean over the patterns. One that is lost is lost, however well the others fare.",
        ),
        (
            lambda shares: np.abs(np.fft.ifft(shares)).min(),
            "Divided by the number of places: np.fft.ifft has a 1/n in front. With shares that sum to 1 the constant"
            " pattern must keep 1.",
        ),
        (
            lambda shares: shares[0],
            "That is how often a patch is left in peace. Shifting all by one place never does, and loses nothing.",
        ),
        (
            lambda shares: max(2 * shares[0] - 1, 0.0),
            "That is a sure bound from below, from the time in which nothing is shifted. How much is left in fact?",
        ),
        (
            lambda shares: np.abs(np.fft.fft(shares).min()),
            "NumPy finds the smallest complex number by its real part. Take all the sizes first, then the smallest.",
        ),
        (
            lambda shares: np.abs(np.fft.fft(shares).imag).min(),
            "You took the imaginary part. A coefficient's size has both parts in it: np.abs of the complex number.",
        ),
        (
            lambda shares: _kept(shares).argmin(),
            "That says which pattern suffers most. Asked is how much is left of it: its size, not its place.",
        ),
        (
            lambda shares: 1 - _kept(shares).min(),
            "That is how much is lost. Asked is how much is left.",
        ),
        (
            lambda shares: _kept(shares)[1],
            "That is the pattern that goes round once. Another one may suffer more: take the smallest of all.",
        ),
        (
            lambda shares: _kept(shares)[len(shares) // 2],
            "That is the pattern that repeats most often. Another one may suffer more: take the smallest of all.",
        ),
        (
            lambda shares: bool(_kept(shares).min() > 1e-9),
            "You answered whether anything is lost. Return how much is left of the pattern that suffers most.",
        ),
    ],
    hints=["np.fft.fft(shares) has one coefficient for each pattern.", "Their sizes, np.abs; then the smallest."],
)
def least_kept(shares):
    return np.abs(np.fft.fft(shares)).min()


def _roots(push, weight, *, inside=4):
    root = np.sqrt(complex(weight**2 - inside * push**2))
    return (-weight + root) / 2, (-weight - root) / 2


@exercise(
    task="Return the largest real part of the two solutions of l^2 + weight l + push^2 = 0: how fast the game comes to"
    " rest, as a negative number.",
    cases=lambda rng: [
        (0.5, 0.6),  # -0.3 +- 0.4i: the real part is -0.3
        (0.5, 2.6),  # (-2.6 +- sqrt(6.76 - 1)) / 2 = -0.1 and -2.5
        (1.5, 0.0),  # +- 1.5i
        (0.8, 1.6),  # both -0.8
        (rng.uniform(0.2, 0.5), rng.uniform(1.2, 2)),
        (rng.uniform(1, 2), rng.uniform(0.5, 1.5)),
    ],
    mistakes=[
        (
            lambda push, weight: -weight / 2,
            "Right while the root is imaginary. Beyond weight = 2 push it is real, and the two solutions part.",
        ),
        (
            lambda push, weight: _roots(push, weight)[1].real,
            "That is the fast one of the two. The slow one says when the game is at rest: the larger real part.",
        ),
        (
            lambda push, weight: abs(_roots(push, weight)[0]),
            "That is the size of the complex number. Its real part says whether and how fast the circle shrinks.",
        ),
        (
            lambda push, weight: _roots(push, weight)[0].imag,
            "That is the imaginary part: how fast the players go round. Asked is how fast they come closer.",
        ),
        (
            lambda push, weight: -_roots(push, weight)[0].real,
            "The sign is wrong: the terms on the left are positive, so the solutions have a negative real part.",
        ),
        (
            lambda push, weight: _roots(push, weight, inside=1)[0].real,
            "Under the root stands weight^2 - 4 push^2: you forgot the 4.",
        ),
        (
            lambda push, weight: 2 * _roots(push, weight)[0].real,
            "Divide by 2: l = (-weight +- root) / 2.",
        ),
        (
            lambda push, weight: (-weight + np.sqrt(max(weight**2 - 4 * push, 0))) / 2,
            "The last term of the equation is push squared.",
        ),
        (
            lambda push, weight: float("nan") if weight < 2 * push else _roots(push, weight)[0].real,
            "Below weight = 2 push the number under the root is negative, and np.sqrt gives nan. There the root is"
            " imaginary and adds nothing to the real part.",
        ),
        (
            lambda push, weight: max(map(abs, _roots(push, weight))),
            "That is the larger size of the two complex numbers. Their real parts say how fast the circle shrinks.",
        ),
        (
            lambda push, weight: (weight + _roots(push, weight)[0] * 2 + weight).real / 2,
            "The weight comes in with a minus: l = (-weight +- root) / 2.",
        ),
        (
            lambda push, weight: -weight,
            "That is the sum of the two solutions. Asked is the one with the larger real part.",
        ),
        (
            lambda push, weight: (-weight + np.sqrt(abs(weight**2 - 4 * push**2))) / 2,
            "Where the number under the root is negative, its root is imaginary. It does not become real by np.abs: it"
            " adds nothing to the real part.",
        ),
        (
            lambda push, weight: (-weight + np.sqrt(weight**2 + 4 * push**2)) / 2,
            "Under the root stands weight^2 minus 4 push^2.",
        ),
        (
            lambda push, weight: -(push**2) / weight if weight else 0.0,
            "That is what it comes to with a large weight. Below that, solve the quadratic.",
        ),
        (
            lambda push, weight: complex(_roots(push, weight)[0]),
            "That is the complex solution. Return its real part, l.real.",
        ),
    ],
    hints=[
        "Solve the quadratic: l = (-weight +- root) / 2, with weight^2 - 4 push^2 under the root.",
        "Where that is negative, the root is imaginary and adds nothing to the real part: root of max(..., 0).",
        "Else take the plus sign: the larger of the two.",
    ],
)
def slowest_rate(push, weight):
    under = weight**2 - 4 * push**2  # negative: the root is imaginary, and the real part is -weight / 2
    return (-weight + np.sqrt(max(under, 0))) / 2


def _projection_case(rng, n=3, d=5, c=2):
    return rng.normal(size=(n, d)), rng.normal(size=(n, c)), rng.normal(size=d), rng.normal(size=(d, c))


def _first_projection():
    """Return two patches: u.h = 1 and 6; V c = (2, 4) and (1, 0), so 2 * 1 + 4 * 0 = 2 and 1 * 2 + 0 = 2: 3 and 8."""
    maps = np.array([[1.0, 0.0], [2.0, 4.0]])
    conditions = np.array([[1.0, 1.0], [1.0, 0.0]])
    return maps, conditions, np.array([1.0, 1.0]), np.array([[1.0, 1.0], [0.0, 4.0]])


@exercise(
    task="Return one score a patch: u . h + (V c) . h. maps: (n, d), conditions: (n, c), u: (d,), V: (d, c).",
    cases=lambda rng: [_first_projection(), _projection_case(rng), _projection_case(rng, 6, 3, 3)],
    mistakes=[
        (
            lambda maps, conditions, u, V: maps @ u,
            "That is the score without the conditions: does it look like a patch? Add: does it fit what was asked for?",
        ),
        (
            lambda maps, conditions, u, V: ((conditions @ V.T) * maps).sum(axis=1),
            "That is the part with the conditions. Where they are zero it says nothing: add u . h.",
        ),
        (
            lambda maps, conditions, u, V: maps @ u + (maps @ V @ conditions.T).sum(axis=1),
            "You let each patch meet the conditions of all patches. Patch k belongs to row k of the conditions only.",
        ),
        (
            lambda maps, conditions, u, V: (maps @ u).sum() + ((conditions @ V.T) * maps).sum(),
            "You summed over the patches, too. One score for each: sum over the last axis only.",
        ),
        (
            lambda maps, conditions, u, V: maps @ u + (conditions @ V.T).sum(axis=1),
            "You added V c without asking the patch: multiply it with h, place by place, then sum.",
        ),
        (
            lambda maps, conditions, u, V: (maps @ u) * ((conditions @ V.T) * maps).sum(axis=1),
            "The two parts are logarithms, so they add.",
        ),
    ],
    hints=[
        "maps @ u gives the first part, one number a patch.",
        "conditions @ V.T has the shape of maps: multiply the two and sum over axis 1.",
    ],
)
def projected_score(maps, conditions, u, V):
    asked = conditions @ V.T  # (n, c) -> (n, d)
    return maps @ u + (asked * maps).sum(axis=1)
