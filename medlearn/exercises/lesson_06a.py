"""Exercises of lesson 06a, Nodule or not: radius, weights, pooling, occlusion, the price of a miss, the best AUC."""

import numpy as np

from medlearn.exercises.engine import exercise


def _blob(*rows):
    """Return a mask from rows of text, ``#`` inside."""
    return np.array([[letter == "#" for letter in row] for row in rows])


@exercise(
    task="Return the radius in mm of the disc that has the area of the mask.",
    cases=lambda rng: [
        (_blob(".##.", "####", ".##."), 0.7),
        (rng.random((20, 31)) < 0.4, 1.4),
        (_blob("#..", "..#"), 2.0),
        (np.zeros((5, 6), bool), 0.7),
    ],
    mistakes=[
        (
            lambda mask, spacing_mm: 2 * np.sqrt(mask.sum() * spacing_mm**2 / np.pi),
            "That is the diameter. The radius is half of it.",
        ),
        (
            lambda mask, spacing_mm: np.sqrt(mask.size * spacing_mm**2 / np.pi),
            "You counted all pixels. Only those inside the mask, where it is True, belong to the area.",
        ),
        (lambda mask, spacing_mm: np.sqrt(mask.sum() / np.pi), "That is in pixels. A pixel is spacing_mm wide."),
        (
            lambda mask, spacing_mm: np.sqrt(mask.sum() * spacing_mm / np.pi),
            "A pixel has the area spacing_mm squared: it is spacing_mm wide and as high.",
        ),
        (lambda mask, spacing_mm: mask.sum() * spacing_mm**2, "That is the area in mm². Which r has pi r² = area?"),
        (
            lambda mask, spacing_mm: np.sqrt(mask.sum() * spacing_mm**2) / 2,
            "That is half the side of a square. The disc with this area has area / pi under the root.",
        ),
        (
            lambda mask, spacing_mm: np.cbrt(3 * mask.sum() * spacing_mm**3 / (4 * np.pi)),
            "That is the ball of lesson 07. A slice shows an area, so here it is a disc: pi r².",
        ),
        (
            lambda mask, spacing_mm: mask.sum() * spacing_mm**2 / np.pi,
            "That is r². The square root is missing.",
        ),
    ],
    hints=[
        "The area: the number of pixels in the mask, times the area of one pixel.",
        "Solve area = pi r² for r.",
    ],
)
def equivalent_radius(mask, spacing_mm):
    area_mm2 = mask.sum() * spacing_mm**2
    return np.sqrt(area_mm2 / np.pi)


def _seed_weights(size, *, channels_in=True, biases=1, left=None, dense=True):
    """Count the seed network's weights, rightly or with one mistake."""
    left = left or (lambda size: ((size - 2) // 2 - 2) // 2)
    kernel = 9 * 32 if channels_in else 9
    convolutions = 9 * 32 + 32 * biases + kernel * 64 + 64 * biases
    inputs = left(size) ** 2 * 64
    return convolutions + (inputs * 128 + 128 * biases if dense else 0) + 128 + biases


@exercise(
    task="Return the number of weights and biases of the seed network for a patch of size x size pixels.",
    cases=lambda rng: [(64,), (10,), (50,), (65,), (127,), (256,)],
    mistakes=[
        (
            lambda size: _seed_weights(size, biases=0),
            "The biases are missing: one for each output channel, and one for each value of a dense layer.",
        ),
        (
            lambda size: _seed_weights(size, channels_in=False),
            "The second convolution sees 32 channels. Each of its 64 kernels has 3 x 3 x 32 weights.",
        ),
        (
            lambda size: _seed_weights(size, left=lambda s: s // 4),
            "Each convolution takes two rows and two columns away: it has no padding. Then the pooling halves.",
        ),
        (
            lambda size: _seed_weights(size, left=lambda s: s - 4),
            "The poolings are missing: each halves height and width.",
        ),
        (
            lambda size: _seed_weights(size, left=lambda s: -(-(-(-(s - 2) // 2) - 2) // 2)),
            "An odd side was rounded up. The pooling leaves the last row out: // 2.",
        ),
        (
            lambda size: _seed_weights(size, left=lambda s: ((s - 2) / 2 - 2) / 2),
            "A map has no half rows. Where the side is odd, the pooling leaves the last row out: // 2.",
        ),
        (
            lambda size: _seed_weights(size, dense=False),
            "The layer Dense(128) is missing: one weight from each flattened value to each of its 128 units.",
        ),
        (
            lambda size: _seed_weights(size) - (((size - 2) // 2 - 2) // 2) ** 2 * 63 * 128,
            "Flatten keeps all 64 channels: height x width x 64 values go into Dense(128).",
        ),
        (
            lambda size: _seed_weights(size) - (((size - 2) // 2 - 2) // 2) ** 2 * 64 * 128
            + ((size - 2) // 2 - 2) // 2 * 64 * 128,
            "The maps have a height and a width: side x side x 64 values are flattened.",
        ),
    ],
    hints=[
        "A convolution: 3 x 3 x (channels in) x (channels out), and a bias for each channel out.",
        "The side: size, minus 2, halved (rounded down), minus 2, halved. Flatten gives side x side x 64 values.",
        "320 + 18,496 + (side**2 * 64 * 128 + 128) + 129.",
    ],
)  # fmt: skip
def seed_weights(size):
    side = (size - 2) // 2  # convolution, pooling
    side = (side - 2) // 2  # convolution, pooling
    first = 3 * 3 * 1 * 32 + 32
    second = 3 * 3 * 32 * 64 + 64
    hidden = side * side * 64 * 128 + 128
    return first + second + hidden + 128 + 1


@exercise(
    task="A nodule of 6 mm diameter in a patch of 64 x 64 pixels of 0.7 mm: which share of the pixels does it cover?",
    mistakes=[
        (lambda: np.pi * 6**2 / (64 * 0.7) ** 2, "You took the diameter for the radius: the area is pi times 3² mm²."),
        (lambda: np.pi * 3**2 / 64**2, "Millimetres over pixels. The patch is 64 x 0.7 mm wide."),
        (lambda: np.pi * 3**2 / (64**2 * 0.7), "A pixel has the area 0.7² mm², not 0.7."),
        (lambda: 6 / (64 * 0.7), "That is the share of the width. Asked is the share of the area."),
        (lambda: (6 / (64 * 0.7)) ** 2, "That is a square of 6 mm. The nodule is a disc: pi r²."),
        (lambda: 100 * np.pi * 3**2 / (64 * 0.7) ** 2, "That is in per cent. Return a share between 0 and 1."),
    ],
    rtol=2e-2,  # two digits will do
    hints=["The area of the nodule in mm²: pi r² with r = 3.", "Divide by the area of the patch: (64 x 0.7 mm)²."],
)
def nodule_share():
    radius_mm, size, spacing_mm = 3, 64, 0.7
    return np.pi * radius_mm**2 / (size * spacing_mm) ** 2


def mean_value(patch):
    """Return the mean of a patch: a score for the exercise."""
    return float(np.mean(patch))


def weighted_value(patch):
    """Return a sum that grows from corner to corner: a score for the exercise, with another effect in each tile."""
    rows, columns = np.indices(patch.shape)
    return float(np.sum(np.square(patch) * (rows + 3 * columns)) / 1000)


def _tiles(patch, size, step):
    """Yield each tile's place in the map and its part of the patch; the tiles begin ``step`` pixels apart."""
    for row in range(patch.shape[0] // size):
        for column in range(patch.shape[1] // size):
            first, left = row * step, column * step
            yield (row, column), np.s_[first : first + size, left : left + size]


def _occluded(score, patch, size, fill, *, restore=True, keep=False, subtract=True, step=None):
    """Return an occlusion map, rightly or with one mistake."""
    effect = np.zeros((patch.shape[0] // size, patch.shape[1] // size))
    hidden = patch.copy()
    for place, part in _tiles(patch, size, step or size):
        if restore:
            hidden = np.full_like(patch, fill) if keep else patch.copy()
        hidden[part] = patch[part] if keep else fill
        effect[place] = (score(patch) if subtract else 0) - score(hidden)
    return effect if subtract else -effect


@exercise(
    task="Return by how much the score falls when each tile is filled with `fill`: an array with one value a tile.",
    cases=lambda rng: [
        (mean_value, np.array([[8.0, 4.0], [2.0, 6.0]]), 1, 0.0),
        (weighted_value, rng.normal(size=(6, 9)), 3, -2.0),
        (weighted_value, rng.normal(size=(8, 4)), 2, 0.5),
    ],
    mistakes=[
        (
            lambda score, patch, size, fill: -_occluded(score, patch, size, fill),
            "The sign is wrong: where the score falls, the map is positive. Score of the whole minus score without.",
        ),
        (
            lambda score, patch, size, fill: _occluded(score, patch, size, fill, restore=False),
            "The tiles stay filled, and pile up. Begin each time with a copy of the whole patch.",
        ),
        (
            lambda score, patch, size, fill: _occluded(score, patch, size, fill, subtract=False),
            "That is the score that is left. Take it from the score of the whole patch.",
        ),
        (
            lambda score, patch, size, fill: _occluded(score, patch, size, 0.0),
            "You filled the tiles with 0. `fill` says with what: here, lung.",
        ),
        (
            lambda score, patch, size, fill: _occluded(score, patch, size, fill, keep=True),
            "You hid everything but the tile. Hide the tile, and keep the rest.",
        ),
        (
            lambda score, patch, size, fill: _occluded(score, patch, size, fill, step=1),
            "The tiles lie one pixel apart. Row k of the map begins at row k * size of the patch.",
        ),
        (
            lambda score, patch, size, fill: np.kron(_occluded(score, patch, size, fill), np.ones((size, size))),
            "The effects are right, but repeated for each pixel. Return one value for each tile.",
        ),
        (
            lambda score, patch, size, fill: _occluded(score, patch.T, size, fill).T,
            "The patch was handed over transposed, or rows and columns are exchanged.",
        ),
    ],
    hints=[
        "Two loops, over the rows and the columns of tiles. Rows of a tile: row * size up to (row + 1) * size.",
        "For each tile: hidden = patch.copy(), fill the tile, and store score(patch) - score(hidden).",
    ],
)
def occlusion_map(score, patch, size, fill):
    rows, columns = patch.shape[0] // size, patch.shape[1] // size
    effect = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            hidden = patch.copy()
            hidden[row * size : (row + 1) * size, column * size : (column + 1) * size] = fill
            effect[row, column] = score(patch) - score(hidden)
    return effect


def _costs(labels, scores, thresholds, ill_weight, healthy_weight, *, strict=False):
    """Return the cost at each threshold, with these weights of the missed share and of the false alarm rate."""
    called = scores > thresholds[:, np.newaxis] if strict else scores >= thresholds[:, np.newaxis]
    missed = 1 - called[:, labels == 1].mean(axis=1)
    alarms = called[:, labels == 0].mean(axis=1)
    return ill_weight * missed + healthy_weight * alarms


def _threshold_with(weights, *, strict=False, nobody=True, last=False, cheapest=False):
    """Return a mistaken choice.

    Other weights of the two errors, ``>`` for ``>=``, without calling nobody, the last of equally cheap ones, or the
    cost itself.
    """

    def mistaken(labels, scores, prevalence, miss):
        thresholds = np.append(np.unique(scores), np.inf) if nobody else np.unique(scores)
        costs = _costs(labels, scores, thresholds, *weights(prevalence, miss, labels.mean()), strict=strict)
        if cheapest:
            return float(np.min(costs))
        return float(thresholds[np.flatnonzero(costs == np.min(costs))[-1 if last else 0]])

    return mistaken


def _right_weights(prevalence, miss, share):
    return prevalence * miss, 1 - prevalence


def _study(rng, num_ill, num_healthy, shift):
    """Return labels and scores on a grid of hundredths, so that no rounding decides."""
    labels = np.repeat([1, 0], [num_ill, num_healthy])
    return labels, np.round(rng.normal(shift * labels, 1), 2)


@exercise(
    task="Return the cheapest threshold at this prevalence: each distinct score, and np.inf, is tried.",
    cases=lambda rng: [
        (np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.6, 0.2, 0.1]), 0.01, 20),
        (*_study(rng, 40, 60, 1.5), 0.05, 60),
        (*_study(rng, 30, 90, 1.0), 0.30, 1),
        (*_study(rng, 50, 50, 1.2), 0.004, 500),
        (*_study(rng, 20, 100, 0.2), 0.001, 2),
        (*_study(rng, 30, 40, 2.0), 0.10, 3),
        (*_study(rng, 60, 50, 1.5), 0.45, 3),
        (np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.6, 0.2, 0.1]), 0.6, 1),
        (np.array([1, 0, 1, 0]), np.array([4.0, 3.0, 2.0, 1.0]), 0.5, 1),  # 2 and 4 cost 0.25 each, without rounding
    ],
    mistakes=[
        (
            _threshold_with(lambda prevalence, miss, share: (share * miss, 1 - share)),
            "You counted the patients as they are. Among these patches nodules are common; weigh by `prevalence`.",
        ),
        (
            _threshold_with(lambda prevalence, miss, share: (miss, 1)),
            "The prevalence is missing: a missed share counts for the ill, a false alarm rate for the healthy.",
        ),
        (
            _threshold_with(lambda prevalence, miss, share: (prevalence * miss, 1)),
            "A false alarm can only happen to those without a nodule: weigh the false alarm rate by 1 - prevalence.",
        ),
        (
            _threshold_with(lambda prevalence, miss, share: (prevalence, (1 - prevalence) * miss)),
            "You put the price on the false alarms. It is the miss that costs `miss` of them.",
        ),
        (
            _threshold_with(lambda prevalence, miss, share: ((1 - prevalence) * miss, prevalence)),
            "The prevalence is the wrong way round: it is the share of the ill.",
        ),
        (
            _threshold_with(lambda prevalence, miss, share: (prevalence, 1 - prevalence)),
            "The price of a miss is missing.",
        ),
        (
            _threshold_with(_right_weights, strict=True),
            "A patch is called at `score >= threshold`; you used `>`.",
        ),
        (
            _threshold_with(_right_weights, nobody=False),
            "To call nobody is a choice too, and here the cheapest: try np.inf as well.",
        ),
        (
            _threshold_with(_right_weights, last=True),
            "Of equally cheap thresholds the smallest is asked for: on your way up, replace it for `<`, not for `<=`.",
        ),
        (
            _threshold_with(_right_weights, cheapest=True),
            "That is the lowest cost. Return the threshold that has it: np.argmin gives its place.",
        ),
        (
            _threshold_with(
                lambda prevalence, miss, share: (share * prevalence * miss, (1 - share) * (1 - prevalence))
            ),
            "Both shares are taken of all patches. The missed are a share of the nodules, the alarms one of the rest.",
        ),
        (lambda labels, scores, prevalence, miss: 0.5, "That is 0.5, whatever the prices are. Try the thresholds."),
        (
            lambda labels, scores, prevalence, miss: 1 / (1 + miss),
            "That formula (lesson 05a) asks for probabilities that are right at this prevalence. Try the thresholds.",
        ),
    ],
    hints=[
        "At each threshold: missed = share of the ill with score < t; alarms = share of the healthy with score >= t.",
        "cost = prevalence * miss * missed + (1 - prevalence) * alarms",
        "np.append(np.unique(scores), np.inf) has all thresholds; np.argmin takes the first of equally cheap ones.",
    ],
)
def screening_threshold(labels, scores, prevalence, miss):
    thresholds = np.append(np.unique(scores), np.inf)
    costs = []
    for threshold in thresholds:
        missed = np.mean(scores[labels == 1] < threshold)
        alarms = np.mean(scores[labels == 0] >= threshold)
        costs.append(prevalence * miss * missed + (1 - prevalence) * alarms)
    return float(thresholds[np.argmin(costs)])


def _pair_weights(p, *, same=False):
    """Return p_i (1 - p_j) for all pairs, a nodule with itself left out unless ``same``."""
    weights = p[:, np.newaxis] * (1 - p)
    return weights if same else weights * (1 - np.eye(len(p)))


def _ordered(p, *, tie=0.5):
    return (p[:, np.newaxis] > p) + tie * (p[:, np.newaxis] == p)


def _best_auc_with(*, same=False, tie=0.5):
    def mistaken(p):
        weights = _pair_weights(p, same=same)
        return float((weights * _ordered(p, tie=tie)).sum() / weights.sum())

    return mistaken


@exercise(
    task="Return the share of the pairs (cancer, no cancer) that the probabilities themselves put in the right order.",
    cases=lambda rng: [
        (np.array([0.8, 0.2]),),
        (np.array([0.5, 0.1, 0.1, 0.3]),),
        (rng.beta(0.6, 4, size=30),),
        (np.round(rng.random(12), 1),),
    ],
    mistakes=[
        (lambda p: 1.0, "Perfect probabilities make no perfect order: a nodule with 10 % is cancer now and then."),
        (
            _best_auc_with(same=True),
            "You paired each nodule with itself. It cannot be cancer and no cancer at once: leave i = j out.",
        ),
        (_best_auc_with(tie=0.0), "Ties count as wrong here. A pair with equal probabilities counts one half."),
        (_best_auc_with(tie=1.0), "Ties count as right here. A pair with equal probabilities counts one half."),
        (
            lambda p: float(np.maximum(p, 1 - p).mean()),
            "That is the best accuracy. The AUC is about pairs: which of two nodules is the cancer?",
        ),
        (
            lambda p: float((_ordered(p) * (1 - np.eye(len(p)))).sum() / (len(p) * (len(p) - 1))),
            "One half always: a pair and its mirror image weigh the same. Weigh by the chance that i is cancer and j is"
            " not, p_i (1 - p_j).",
        ),
        (
            lambda p: float((_pair_weights(p) * _ordered(p)).sum()),
            "That is the number of right pairs. Divide by the number of all pairs, the sum of the weights.",
        ),
        (
            lambda p: float((_pair_weights(p) * _ordered(p)).sum() / (len(p) * (len(p) - 1))),
            "You divided by the number of pairs of nodules. Few of them are a cancer and a harmless one: divide by the"
            " sum of the weights.",
        ),
        (
            lambda p: 1 - _best_auc_with()(p),
            "Wrong way round: the higher probability should stand with the cancer.",
        ),
    ],
    hints=[
        "Nodule i is cancer and nodule j is not with probability p_i (1 - p_j). p[:, np.newaxis] * (1 - p) has all.",
        "Of these weights, add those with p_i > p_j, and half of those with p_i = p_j, i = j left out. Divide by all.",
        "np.fill_diagonal(weights, 0) leaves the pairs of a nodule with itself out.",
    ],
)  # fmt: skip
def best_auc(p):
    weights = p[:, np.newaxis] * (1 - p)  # (n, n): i is cancer, j is not
    np.fill_diagonal(weights, 0)
    right = (p[:, np.newaxis] > p) + 0.5 * (p[:, np.newaxis] == p)
    return float(np.sum(weights * right) / np.sum(weights))
