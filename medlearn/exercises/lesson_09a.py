"""Exercises of lesson 09a, Generative networks: the game: judges, divergences, spirals, modes, earth, a leash."""

import numpy as np
from scipy.special import expit, rel_entr

from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise


def _densities(rng, n):
    p, q = rng.uniform(0.05, 1, size=(2, n))
    p[0], q[-1] = 0, 0
    return p, q


def _odds(p, q, share):
    with np.errstate(divide="ignore"):
        return share * p / ((1 - share) * q)


@exercise(
    task="Return the D(x) that maximises share * p * log D + (1 - share) * q * log(1 - D), place by place.",
    cases=lambda rng: [
        # Half and half: 0.6 / 0.8, 0.1 / 0.5, 0.
        (np.array([0.6, 0.1, 0.0]), np.array([0.2, 0.4, 0.3]), 0.5),
        # One real patch to three made ones: 0.25 * 0.6 / (0.25 * 0.6 + 0.75 * 0.2) = 0.5
        (np.array([0.6, 0.3]), np.array([0.2, 0.1]), 0.25),
        (*_densities(rng, 6), 0.7),
    ],
    mistakes=[
        (
            lambda p, q, share: p / (p + q),
            "That is the answer for share = 1/2. With more real ones in the batch, real becomes the better bet"
            " everywhere: weigh p by share and q by 1 - share.",
        ),
        (
            lambda p, q, share: (1 - share) * q / (share * p + (1 - share) * q),
            "That is the probability that x was made. D is the probability that it is real.",
        ),
        (
            lambda p, q, share: (1 - share) * p / ((1 - share) * p + share * q),
            "The two weights are exchanged: share is the share of the real ones, and belongs to p.",
        ),
        (
            lambda p, q, share: share * p / (p + q),
            "The weights are missing in the denominator: it is the sum of both terms, share * p + (1 - share) * q.",
        ),
        (
            lambda p, q, share: (share * p >= (1 - share) * q).astype(float),
            "That is a verdict, 0 or 1. The cross-entropy asks for the probability.",
        ),
        (
            lambda p, q, share: (share * p >= (1 - share) * q).astype(int),
            "That is a verdict, 0 or 1. The cross-entropy asks for the probability.",
        ),
        (
            _odds,
            "Those are the odds of real. D is a probability: odds / (1 + odds).",
        ),
    ],
    hints=[
        "At one place: a log y + b log(1 - y), with a = share * p and b = (1 - share) * q.",
        "Its slope a / y - b / (1 - y) is 0 at y = a / (a + b).",
    ],
)
def best_discriminator(p, q, share):
    real, made = share * p, (1 - share) * q
    return real / (real + made)


def _histograms(rng, n):
    p, q = rng.uniform(0.1, 1, size=(2, n))
    p[1], q[-2] = 0, 0
    return p / p.sum(), q / q.sum()


def _plain_kl(p, q):
    with np.errstate(all="ignore"):
        return np.sum(p * np.log(p / q))


def _jsd(p, q, *, halves=0.5, middle=0.5, kl=lambda p, q: rel_entr(p, q).sum()):
    m = middle * (p + q)
    return halves * (kl(p, m) + kl(q, m))


@exercise(
    task="Return the Jensen-Shannon divergence of two histograms, with the natural logarithm. Each adds up to 1, and a"
    " bin may be empty in one of them: 0 log 0 counts 0.",
    cases=lambda rng: [
        # m = (1/4, 1/2, 1/4). Each of the two: 1/2 log 2 + 1/2 log 1. So 1/2 log 2 = 0.347.
        (np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5])),
        (np.array([0.25, 0.75, 0.0]), np.array([0.0, 0.0, 1.0])),  # no overlap: log 2
        _histograms(rng, 6),
    ],
    mistakes=[
        (
            lambda p, q: _jsd(p, q, kl=_plain_kl),
            "An empty bin gave 0 * log 0, which is NaN for NumPy. Its limit is 0: leave empty bins out, or use"
            " scipy.special.rel_entr.",
        ),
        (
            lambda p, q: _jsd(p, q, halves=1),
            "Twice too much. The JSD is the mean of the two divergences, not their sum.",
        ),
        (
            lambda p, q: _jsd(p, q, middle=1),
            "The middle is m = (p + q) / 2. Without the 2 it does not add up to 1, and the result is below 0.",
        ),
        (
            lambda p, q: _jsd(p, q) / np.log(2),
            "You took the logarithm to base 2. Asked is the natural one: the largest value is log 2, not 1.",
        ),
        (
            lambda p, q: np.sqrt(_jsd(p, q)),
            "That is its root, the Jensen-Shannon distance (what scipy.spatial.distance.jensenshannon returns)."
            " Asked is the divergence.",
        ),
        (
            lambda p, q: (rel_entr(p, q).sum() + rel_entr(q, p).sum()) / 2,
            "You compared p with q directly: infinite where one of them is 0. Compare each with the middle m.",
        ),
        (
            lambda p, q: rel_entr(p, (p + q) / 2).sum(),
            "That is one half of it: p against the middle. Add q against the middle, and halve.",
        ),
        (
            lambda p, q: _jsd(p, q) / len(p),
            "You took the mean over the bins. A divergence is a sum over the bins.",
        ),
    ],
    hints=[
        "m = (p + q) / 2; then the mean of KL(p, m) and KL(q, m).",
        "Where p is 0 its term is 0: sum over the bins with p > 0 only. Where p > 0, m > 0 as well.",
        "scipy.special.rel_entr(p, m) is p * log(p / m), and 0 where p is 0.",
    ],
)
def jensen_shannon(p, q):
    m = (p + q) / 2

    def kl(a, b):
        inside = a > 0
        return np.sum(a[inside] * np.log(a[inside] / b[inside]))

    return (kl(p, m) + kl(q, m)) / 2


def _letters(value):
    """Return the letters of an answer, sorted, whether they came as text or one by one."""
    if isinstance(value, (list, tuple, set)) and all(isinstance(item, str) for item in value):
        value = "".join(value)
    return "".join(sorted(set(filter(str.isalpha, value.upper())))) if isinstance(value, str) else value


_A_HARMLESS = (
    "A is harmless: the discriminator's loss leaves gradients in the generator too, but its zero_grad wipes them out"
    " before its own step. It only costs time."
)
_D_HARMLESS = "D is harmless: exchange the names of the two classes for both players, and it is the same game."
_F_HARMLESS = (
    "F is harmless: each row goes through this network by itself. (With batch normalisation it would matter: there a"
    " row's answer depends on its batch.)"
)


@exercise(
    task="Which of the changes A to F spoil the game? Write their letters, such as 'AF'.",
    compare=lambda result, expected: same(_letters(result), _letters(expected)),
    mistakes=[
        (lambda: "B", "B, yes. Two more. Who gets a gradient from which loss, and with which sign?"),
        (lambda: "C", "C, yes. Two more. Who gets a gradient from which loss, and what is left over from the last?"),
        (lambda: "E", "E, yes. Two more. Does every player still want the opposite of what the other wants?"),
        (lambda: "BC", "What does the generator's loss leave in the discriminator's .grad, and who wipes it out?"),
        (lambda: "BE", "In C the generator is drawn to where D is high. What does a high D mean now?"),
        (lambda: "CE", "In B, which way is left for the gradient to reach the generator?"),
        (lambda: "ABCE", _A_HARMLESS),
        (lambda: "BCDE", _D_HARMLESS),
        (lambda: "BCEF", _F_HARMLESS),
        (lambda: "AB", _A_HARMLESS),
        (lambda: "ABC", _A_HARMLESS),
        (lambda: "ABE", _A_HARMLESS),
        (lambda: "CD", _D_HARMLESS),
        (lambda: "BCD", _D_HARMLESS),
        (lambda: "BCF", _F_HARMLESS),
        (lambda: "ABCDEF", "Not all: follow for each change what lands in whose .grad, and with which sign."),
    ],
    hints=[
        "detach cuts the way of the gradient back. Whose way should be cut, and in which of the two losses?",
        "Exchanging labels turns a wish round. If both wishes turn, what is different?",
        "zero_grad wipes out what *any* earlier backward has left. Who needs it, and when is it called?",
    ],
)
def spoilers():
    return "BCE"


def _escape(rate, factor, *, growth=lambda rate: 0.5 * np.log1p(rate**2), rounding=np.ceil):
    return int(rounding(np.log(factor) / growth(rate)))


@exercise(
    task="Return the smallest whole number of steps after which the distance to the middle has grown by `factor` or"
    " more, with simultaneous steps of size `rate` on V = x * y.",
    cases=lambda rng: [
        (1.0, 3.0),  # each step times sqrt 2: 1.41, 2, 2.83, 4: four steps
        (0.1, 2.0),  # log 2 / (0.5 log 1.01) = 139.3
        (0.35, 10.0),
        (0.05, 1.5),
    ],
    mistakes=[
        (
            lambda rate, factor: _escape(rate, factor, growth=lambda rate: np.log1p(rate**2)),
            "1 + rate**2 is the growth of the squared distance. The distance grows by its root.",
        ),
        (
            lambda rate, factor: _escape(rate, factor, growth=lambda rate: np.log1p(rate)),
            "A step has the length rate times the distance, but it goes sideways. Pythagoras: sqrt(1 + rate**2).",
        ),
        (
            lambda rate, factor: _escape(rate, factor, rounding=np.floor),
            "You rounded down: at that step it is not there yet.",
        ),
        (
            lambda rate, factor: _escape(rate, factor, rounding=lambda n: np.floor(n) + 2),
            "One step too many.",
        ),
        (
            lambda rate, factor: _escape(rate, factor, growth=lambda rate: rate**2 / 2),
            "log(1 + t) is t for small t only. Take the logarithm itself.",
        ),
        (
            lambda rate, factor: _escape(rate, factor, growth=lambda rate: np.log10(1 + rate**2) / 2),
            "Natural and decimal logarithms are mixed. Take the same one above and below.",
        ),
        (
            lambda rate, factor: np.log(factor) / (0.5 * np.log1p(rate**2)),
            "A number of steps is whole: round up.",
        ),
    ],
    hints=[
        "After n steps the distance is sqrt(1 + rate**2) ** n times the first one.",
        "Take logarithms: n >= log(factor) / log(sqrt(1 + rate**2)); then round up.",
    ],
)
def steps_to_escape(rate, factor):
    per_step = np.log(1 + rate**2) / 2
    return int(np.ceil(np.log(factor) / per_step))


def _slopes_in_d(logits):
    with np.errstate(all="ignore"):
        return -1 / expit(-logits), -1 / expit(logits)


def _the_losses(logits):
    with np.errstate(all="ignore"):
        return np.log(expit(-logits)), -np.log(expit(logits))


@exercise(
    task="Return two arrays: the derivative with respect to the logit of log(1 - sigmoid(l)), and that of"
    " -log sigmoid(l).",
    cases=lambda rng: [
        (np.array([0.0, -10.0, 10.0]),),  # -0.5, -0.00005, -0.99995; and -0.5, -0.99995, -0.00005
        (rng.normal(0, 3, 7),),
        (np.array([-900.0, -40.0, 40.0, 900.0]),),
    ],
    mistakes=[
        (
            lambda logits: (-expit(-logits), -expit(logits)),
            "The two are exchanged. Where the discriminator is sure that a patch is made (a very negative logit), the"
            " first, log(1 - D), is the flat one.",
        ),
        (
            lambda logits: (expit(logits), expit(-logits)),
            "The signs are turned. Both losses fall when the logit rises, so both slopes are below 0.",
        ),
        (
            lambda logits: (-expit(logits), expit(-logits)),
            "The second sign is turned: -log sigmoid(l) falls when the logit rises.",
        ),
        (
            _slopes_in_d,
            "Those are the slopes with respect to D. Multiply by dD/dl = D (1 - D).",
        ),
        (
            lambda logits: (-expit(logits) * expit(-logits), -expit(logits) * expit(-logits)),
            "That is the slope of the sigmoid alone. The logarithm before it has one too: 1 / (1 - D), or 1 / D.",
        ),
        (
            _the_losses,
            "Those are the losses. Asked are their slopes.",
        ),
        (
            lambda logits: (-expit(logits) / len(logits), -expit(-logits) / len(logits)),
            "You divided by the number of patches. Asked is the slope of each term by itself.",
        ),
    ],
    hints=[
        "With s = sigmoid(l): ds/dl = s (1 - s). Then the chain rule.",
        "d log(1 - s)/dl = -s (1 - s) / (1 - s). One factor cancels. The other loss goes the same way.",
        "expit(l) is the sigmoid, and expit(-l) is 1 - sigmoid(l) without a rounding error.",
    ],
)
def generator_slopes(logits):
    return -expit(logits), -expit(-logits)


def _nearest(points, centres):
    apart = np.linalg.norm(points[:, None] - centres[None], axis=-1)  # (points, centres)
    return apart.argmin(axis=1), apart.min(axis=1)


def _held(points, centres, radius, *, keep=True):
    which, apart = _nearest(points, centres)
    return np.bincount(which[apart <= radius] if keep else which, minlength=len(centres))


def _within_reach(points, centres, radius):
    return (np.linalg.norm(points[:, None] - centres[None], axis=-1) <= radius).sum(axis=0)


def _first_points():
    """Return ten points: four near the first of three centres, one near the second, the others near none."""
    near = [[0.0, 0.1], [0.1, 0.0], [0.0, -0.1], [-0.1, 0.0], [4.0, 0.1]]
    points = np.array(near + [[1.0, 4.0]] * 3 + [[4.0, 2.0]] * 2)
    return points, np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]), 0.5, 0.2


def _points_case(rng, radius, share):
    centres = rng.uniform(-3, 3, size=(6, 2))
    points = centres[rng.integers(0, 4, 80)] + rng.normal(0, 0.35, (80, 2))
    return points, centres, radius, share


@exercise(
    task="Return (modes, good): how many centres hold at least `share` of all the points, and the share of all the"
    " points that lie within `radius` of their nearest centre. A centre holds the points that are nearest to it and"
    " within the radius.",
    cases=lambda rng: [
        _first_points(),  # the first holds 4 of 10, the second 1 of 10: one mode at 20 %; good: 5 of 10
        _points_case(rng, 0.4, 0.1),
        _points_case(rng, 0.7, 0.15),
        _points_case(rng, 0.5, 0.02),
        _points_case(rng, 0.3, 0.08),
        (*_first_points()[:3], 0.4),  # at least 40 %: the first mode holds exactly that
        _points_case(rng, 1.6, 0.15),  # so wide that a point lies within the radius of several centres
    ],
    mistakes=[
        (
            lambda points, centres, radius, share: (
                int((_held(points, centres, radius) >= share * max(_held(points, centres, radius).sum(), 1)).sum()),
                _held(points, centres, radius).sum() / len(points),
            ),
            "You took the share of the good points. Asked is the share of all: a mode that got two good points out of"
            " a thousand is not found.",
        ),
        (
            lambda points, centres, radius, share: (
                int((_held(points, centres, radius, keep=False) >= share * len(points)).sum()),
                _held(points, centres, radius).sum() / len(points),
            ),
            "You counted points beyond the radius: every point has a nearest centre, however far away.",
        ),
        (
            lambda points, centres, radius, share: (
                int((_held(points, centres, radius) > 0).sum()),
                _held(points, centres, radius).sum() / len(points),
            ),
            "One point is enough for you. Asked is `share` of all the points.",
        ),
        (
            lambda points, centres, radius, share: (
                int((_held(points, centres, radius) > share * len(points)).sum()),
                _held(points, centres, radius).sum() / len(points),
            ),
            "A mode that holds exactly `share` of all the points is found as well: at least, >=.",
        ),
        (
            lambda points, centres, radius, share: (
                int((_within_reach(points, centres, radius) >= share * len(points)).sum()),
                _held(points, centres, radius).sum() / len(points),
            ),
            "You counted a point for every centre within the radius. It counts for one, the nearest.",
        ),
        (
            lambda points, centres, radius, share: (
                int((_held(points, centres, radius) >= share * len(points)).sum()),
                sum(n for n in _held(points, centres, radius) if n >= share * len(points)) / len(points),
            ),
            "Your second value leaves out the good points of modes that were not found. They are good all the same.",
        ),
        (
            lambda points, centres, radius, share: (
                int((_held(points, centres, radius) >= share * len(points)).sum()),
                int(_held(points, centres, radius).sum()),
            ),
            "The second value is a count. Divide it by the number of points.",
        ),
        (
            lambda points, centres, radius, share: (
                _held(points, centres, radius).sum() / len(points),
                int((_held(points, centres, radius) >= share * len(points)).sum()),
            ),
            "The two values are exchanged: first the number of modes, then the share of good points.",
        ),
        (
            lambda points, centres, radius, share: int((_held(points, centres, radius) >= share * len(points)).sum()),
            "The share of good points is missing: return two values.",
        ),
    ],
    hints=[
        "np.linalg.norm(points[:, None] - centres[None], axis=-1) has the shape (points, centres).",
        "argmin(axis=1) says which centre, min(axis=1) how far; good = how far <= radius.",
        "np.bincount(which[good], minlength=len(centres)) counts; compare with share * len(points).",
    ],
)
def count_modes(points, centres, radius, share):
    apart = np.linalg.norm(points[:, None] - centres[None], axis=-1)  # (points, centres)
    which, good = apart.argmin(axis=1), apart.min(axis=1) <= radius
    held = np.bincount(which[good], minlength=len(centres))
    return int((held >= share * len(points)).sum()), good.mean()


@exercise(
    task="Return the Wasserstein distance of two samples with the same number of values: the smallest mean distance"
    " over all ways of pairing them.",
    cases=lambda rng: [
        (np.array([5.0, 0.0, 1.0]), np.array([2.0, 6.0, 0.0])),  # 0-0, 1-2, 5-6: 2 / 3
        (rng.normal(0, 1, 6), rng.normal(2, 3, 6)),
        (rng.normal(0, 4, 9), rng.normal(0, 1, 9)),
    ],
    mistakes=[
        (
            lambda a, b: np.abs(a - b).mean(),
            "You paired the values as they happen to stand. Sort both first: low goes to low, high to high.",
        ),
        (
            lambda a, b: abs(a.mean() - b.mean()),
            "That is the distance of the means. Two samples around one mean, one narrow and one wide, would be at 0.",
        ),
        (
            lambda a, b: (np.sort(a) - np.sort(b)).mean(),
            "Differences of opposite sign cancel. Earth that is carried to the left costs as much: take np.abs.",
        ),
        (
            lambda a, b: np.sqrt(np.mean((np.sort(a) - np.sort(b)) ** 2)),
            "That is the distance with squared costs (W2). Asked is the mean distance (W1).",
        ),
        (
            lambda a, b: np.abs(np.sort(a) - np.sort(b)).sum(),
            "You took the sum. Each of the n values carries the mass 1/n.",
        ),
        (
            lambda a, b: np.abs(np.sort(a) - np.sort(b)).max(),
            "That is the farthest way of one grain. Asked is the mean.",
        ),
        (
            lambda a, b: np.abs(np.sort(a) - np.sort(b)[::-1]).mean(),
            "You paired low with high: the dearest plan of all.",
        ),
        (
            lambda a, b: np.abs(np.sort(a) - b).mean(),
            "You sorted one of them only. Sort both.",
        ),
        (
            lambda a, b: np.abs(a[:, None] - b[None]).mean(),
            "That is the mean over all pairs, as if each grain went everywhere. Even a sample and itself would be"
            " apart.",
        ),
    ],
    hints=["np.sort both.", "The mean of the absolute differences of the sorted values."],
)
def earth_mover(a, b):
    return np.abs(np.sort(a) - np.sort(b)).mean()


def _penalty(critic, real, made, u, *, grow=True, length=None, close=None, target=1.0):
    """Return the penalty; the options make the usual mistakes."""
    import torch

    points = (u * real + (1 - u) * made).requires_grad_()
    slope = torch.autograd.grad(critic(points).sum(), points, create_graph=grow)[0]
    lengths = length(slope) if length else slope.norm(dim=1)
    return close(lengths) if close else ((lengths - target) ** 2).mean()


def _line(rng, slopes):
    """Return a critic whose slope is the same everywhere."""
    import torch

    weight = torch.tensor(slopes, requires_grad=True)
    points = torch.from_numpy(rng.normal(size=(2, 4, len(slopes)))).float()
    return (lambda x: x @ weight), *points, torch.from_numpy(rng.random((4, 1))).float()


def _bent(rng, n, inputs):
    """Return a critic whose slope differs from place to place."""
    import torch

    weight = torch.from_numpy(rng.normal(size=(inputs, 3))).float().requires_grad_()
    points = torch.from_numpy(2 * rng.normal(size=(2, n, inputs))).float()
    return (lambda x: torch.tanh(x @ weight).sum(dim=1)), *points, torch.from_numpy(rng.random((n, 1))).float()


def _tracks(value):
    return bool(getattr(value, "requires_grad", False))


@exercise(
    task="Return the mean of (|gradient of the critic| - 1)^2 at the points u * real + (1 - u) * made, one for each"
    " row, as a tensor that you can call .backward() on.",
    cases=lambda rng: [
        _line(rng, [3.0, 4.0]),  # the gradient is (3, 4) everywhere, its length 5: (5 - 1)^2 = 16
        _line(rng, [0.3, -0.2, 0.1]),
        _bent(rng, 5, 2),
        _bent(rng, 7, 3),
    ],
    compare=lambda result, expected: same(result, expected, rtol=1e-4) and _tracks(result) == _tracks(expected),
    mistakes=[
        (
            lambda critic, real, made, u: _penalty(critic, real, made, u, grow=False).detach(),
            "The number is right, and nothing can learn from it: without create_graph=True the gradient is a constant"
            " for PyTorch.",
        ),
        (
            lambda critic, real, made, u: _penalty(critic, real, made, 1 - u),
            "u and 1 - u are exchanged: at u = 1 the point is the real one.",
        ),
        (
            lambda critic, real, made, u: _penalty(critic, real, made, 0 * u + 1),
            "You took the gradient at the real points. Asked are the points between.",
        ),
        (
            lambda critic, real, made, u: _penalty(critic, real, made, 0 * u),
            "You took the gradient at the made points. Asked are the points between.",
        ),
        (
            lambda critic, real, made, u: _penalty(critic, real, made, u, target=0.0),
            "The length should be 1, not 0: subtract 1 before you square. (Pulling it to 0 is another penalty, R1.)",
        ),
        (
            lambda critic, real, made, u: _penalty(critic, real, made, u, length=lambda slope: slope.norm()),
            "You took one length over the whole batch. Each point has its own: norm(dim=1).",
        ),
        (
            lambda critic, real, made, u: _penalty(
                critic, real, made, u, close=lambda lengths: (lengths.mean() - 1) ** 2
            ),
            "You took the mean of the lengths first: a slope of 0 here would excuse a slope of 2 there.",
        ),
        (
            lambda critic, real, made, u: _penalty(
                critic, real, made, u, close=lambda lengths: (lengths**2 - 1).mean()
            ),
            "You squared the length, not the difference. A slope below 1 would lower the loss without an end.",
        ),
        (
            lambda critic, real, made, u: _penalty(
                critic, real, made, u, close=lambda lengths: ((lengths - 1) ** 2).sum()
            ),
            "You took the sum over the points. Asked is the mean.",
        ),
        (
            lambda critic, real, made, u: _penalty(critic, real, made, u, length=lambda s: s.norm(dim=1) / len(s)),
            "You differentiated the mean of the critic's outputs: each gradient is then too short by the number of"
            " points. Differentiate their sum.",
        ),
        (
            lambda critic, real, made, u: _penalty(critic, real, made, u, length=lambda slope: slope),
            "You asked every single component to be 1. It is the length of the gradient: norm(dim=1).",
        ),
    ],
    hints=[
        "points = (u * real + (1 - u) * made).requires_grad_(), so that PyTorch follows them.",
        "torch.autograd.grad(critic(points).sum(), points, create_graph=True)[0] has one gradient in each row: no"
        " row's output depends on another row.",
        "Then .norm(dim=1), minus 1, squared, and the mean.",
    ],
)
def gradient_penalty(critic, real, made, u):
    import torch

    points = (u * real + (1 - u) * made).requires_grad_()
    slope = torch.autograd.grad(critic(points).sum(), points, create_graph=True)[0]  # (n, inputs)
    return ((slope.norm(dim=1) - 1) ** 2).mean()
