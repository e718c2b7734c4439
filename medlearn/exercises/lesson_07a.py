"""Exercises of lesson 07a, Find the nodules: counts, closing, the scale of a blob, suppression, kernels and boxes."""

import numpy as np
from scipy import ndimage

from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise


@exercise(
    task="Return the share of the marked places that hold a nodule, on average counts.",
    cases=lambda rng: [(1000, 10, 0.9, 0.1), (24_000, 3, 0.8, 0.01), (500, 200, 0.5, 0.25), (10**6, 1, 1.0, 1e-5)],
    mistakes=[
        (
            lambda places, nodules, sensitivity, false_positive_rate: sensitivity,
            "That is the share of the nodules that are marked. Asked: the share of the marks that are nodules.",
        ),
        (
            lambda places, nodules, sensitivity, false_positive_rate: sensitivity / (sensitivity + false_positive_rate),
            "That holds where half of the places have a nodule. Weigh each rate with the number of its places.",
        ),
        (
            lambda places, nodules, sensitivity, false_positive_rate: (
                nodules * sensitivity / (nodules * sensitivity + places * false_positive_rate)
            ),
            "The false-positive rate holds for the places without a nodule only: places - nodules of them.",
        ),
        (
            lambda places, nodules, sensitivity, false_positive_rate: (
                nodules * sensitivity / ((places - nodules) * false_positive_rate)
            ),
            "You divided by the false marks alone. All marks are the true and the false ones.",
        ),
        (
            lambda places, nodules, sensitivity, false_positive_rate: (
                nodules / (nodules + (places - nodules) * false_positive_rate)
            ),
            "Not every nodule is marked: their number times the sensitivity is, above and below the line.",
        ),
        (
            lambda places, nodules, sensitivity, false_positive_rate: (
                (places - nodules)
                * false_positive_rate
                / (nodules * sensitivity + (places - nodules) * false_positive_rate)
            ),
            "That is the share of the marks that are false. Take it from 1.",
        ),
        (
            lambda places, nodules, sensitivity, false_positive_rate: (
                (nodules * sensitivity + (places - nodules) * (1 - false_positive_rate)) / places
            ),
            "That is the accuracy: the unmarked background is in it, and drowns everything else.",
        ),
    ],
    hints=[
        "How many true marks do you expect? How many false ones? There are places - nodules places without a nodule.",
        "true = nodules * sensitivity; false = (places - nodules) * false_positive_rate; true / (true + false).",
    ],
)
def share_real(places, nodules, sensitivity, false_positive_rate):
    true = nodules * sensitivity
    false = (places - nodules) * false_positive_rate
    return true / (true + false)


def _masks(rng):
    """Return masks with gaps that only some radii close, and none at the border."""
    wall = np.zeros((1, 24, 30), bool)
    wall[:, 10:18, 5:25] = True
    wall[:, 10:15, 13:16] = False  # a gap of 3 columns
    blobs = np.zeros((18, 20, 22), bool)
    blobs[7:11, 8:12, 8:14] = rng.random((4, 4, 6)) < 0.6
    return [(wall, 2.0, (5.0, 1.0, 1.0)), (blobs, 3.0, (2.0, 1.5, 1.0)), (blobs, 4.0, (1.0, 2.5, 1.5))]


def _closed(dilate, erode):
    """Return a mistaken closing, made of a dilation and an erosion that take (mask, radius, spacing)."""
    return lambda mask, radius_mm, spacing_mm: erode(dilate(mask, radius_mm, spacing_mm), radius_mm, spacing_mm)


def _dilated(mask, radius_mm, spacing_mm):
    return ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= radius_mm


def _eroded(mask, radius_mm, spacing_mm):
    return ndimage.distance_transform_edt(mask, sampling=spacing_mm) > radius_mm


@exercise(
    task="Close a mask with a ball of radius_mm: dilate it, then erode the result, both in millimetres.",
    cases=_masks,
    mistakes=[
        (
            lambda mask, radius_mm, spacing_mm: _dilated(mask, radius_mm, spacing_mm),
            "That is the dilation alone: the mask has grown. Erode it again by the same radius.",
        ),
        (
            lambda mask, radius_mm, spacing_mm: _dilated(_eroded(mask, radius_mm, spacing_mm), radius_mm, spacing_mm),
            "You eroded first: that is an opening, which takes thin things away. Dilate first.",
        ),
        (
            lambda mask, radius_mm, spacing_mm: _eroded(_dilated(mask, radius_mm, (1, 1, 1)), radius_mm, (1, 1, 1)),
            "You measured in voxels. Hand the spacing over: distance_transform_edt(..., sampling=spacing_mm).",
        ),
        (
            _closed(lambda m, r, s: ndimage.distance_transform_edt(~m, sampling=s) < r, _eroded),
            "What is exactly radius_mm away belongs to the dilation: <=, not <.",
        ),
        (
            _closed(_dilated, lambda m, r, s: ndimage.distance_transform_edt(m, sampling=s) >= r),
            "What is exactly radius_mm from the outside does not come back: > in the erosion, not >=.",
        ),
        (
            _closed(_dilated, lambda m, r, s: ndimage.distance_transform_edt(m, sampling=s) <= r),
            "The erosion is the wrong way round: keep what is farther than radius_mm from the outside.",
        ),
        (
            lambda mask, radius_mm, spacing_mm: _dilated(~mask, radius_mm, spacing_mm),
            "distance_transform_edt measures from the TRUE voxels to the false ones: give it ~mask to dilate the mask.",
        ),
        (
            lambda mask, radius_mm, spacing_mm: _eroded(
                _dilated(mask, radius_mm, spacing_mm[::-1]), radius_mm, spacing_mm[::-1]
            ),
            "The spacing is in the order of the array's axes already: do not turn it round.",
        ),
    ],
    hints=[
        "Two distance maps. The first is of ~mask: each voxel outside gets its distance to the mask.",
        "dilated = distance_transform_edt(~mask, sampling=spacing_mm) <= radius_mm. Then the distances of dilated.",
    ],
)
def close_mm(mask, radius_mm, spacing_mm):
    dilated = ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= radius_mm
    return ndimage.distance_transform_edt(dilated, sampling=spacing_mm) > radius_mm


@exercise(
    task="Return the sigma in mm at which a ball (3 dimensions) or a disc (2) of this diameter answers best.",
    cases=lambda rng: [(6.0, 3), (10.0, 2), (15.5, 3), (4.2, 2)],
    mistakes=[
        (
            lambda diameter_mm, dimensions: diameter_mm / np.sqrt(dimensions),
            "You took the diameter for the radius: the result is twice as large as it should be.",
        ),
        (
            lambda diameter_mm, dimensions: diameter_mm / 2 / dimensions,
            "The square of u is d, so u is the root of d: divide by sqrt(d).",
        ),
        (
            lambda diameter_mm, dimensions: diameter_mm / 2 * np.sqrt(dimensions),
            "u is r / sigma, so sigma is r / u: divide by the root.",
        ),
        (
            lambda diameter_mm, dimensions: diameter_mm / 2 / np.sqrt(3),
            "You took the law of the ball for both. In 2 dimensions it is a disc: the root of 2.",
        ),
        (
            lambda diameter_mm, dimensions: diameter_mm / 2 / np.sqrt(2),
            "You took the law of the disc for both. In 3 dimensions it is a ball: the root of 3.",
        ),
        (
            lambda diameter_mm, dimensions: diameter_mm / 2,
            "That is the radius: the answer is strongest at a smaller scale, where u = r / sigma is the root of d.",
        ),
        (
            lambda diameter_mm, dimensions: 2 * np.sqrt(dimensions) * diameter_mm,
            "That is the other way round: from a sigma to a diameter.",
        ),
    ],
    hints=[
        "The answer is proportional to u^d exp(-u²/2), with u = r / sigma. Where is its derivative zero?",
        "u² = d.",
    ],
)
def best_sigma(diameter_mm, dimensions):
    return diameter_mm / 2 / np.sqrt(dimensions)


@exercise(
    task="The strongest answer of a ball over the strongest answer of a long vessel of equal brightness, in a volume.",
    mistakes=[
        (
            lambda: 2 * np.exp(-1) / (np.sqrt(2 / np.pi) * 3**1.5 * np.exp(-1.5)),
            "That is the vessel over the ball. Turn it round.",
        ),
        (
            lambda: np.sqrt(2 / np.pi) * 3**1.5 * np.exp(-1.5) / (np.sqrt(2 / np.pi) * np.exp(-0.5)),
            "You compared with a slab, the law of one dimension. Across a vessel two dimensions vary: a disc.",
        ),
        (
            lambda: np.sqrt(2 / np.pi) * 3**1.5 * np.exp(-1.5) / (3 * np.exp(-1.5)),
            "You saw both at the scale of the ball. A vessel has its own best scale: u² = 2.",
        ),
        (
            lambda: np.sqrt(2 / np.pi) * 3**1.5 * np.exp(-1.5),
            "That is the answer of the ball. Divide it by that of the vessel at its best scale.",
        ),
        (
            lambda: 3**1.5 * np.exp(-1.5) / (2 * np.exp(-1)),
            "The factors before u^d differ: sqrt(2 / pi) for the ball, 1 for the disc.",
        ),
        (lambda: np.sqrt(3 / 2), "That is the ratio of the scales. Asked: the ratio of the answers at those scales."),
    ],
    rtol=1e-2,
    hints=[
        "The ball's answer is sqrt(2 / pi) u³ exp(-u² / 2) at u² = 3.",
        "Across, the vessel is a disc: u² exp(-u² / 2) at u² = 2, which is 2 / e.",
    ],
)
def ball_over_vessel():
    ball = np.sqrt(2 / np.pi) * 3**1.5 * np.exp(-1.5)
    vessel = 2 * np.exp(-1)
    return ball / vessel


def _volumes(rng):
    bump = np.zeros((9, 11, 13))
    bump[4, 5, 6] = 1000.0
    noisy = rng.normal(size=(12, 10, 14)).cumsum(axis=2) * 20
    return [(bump, 2.0, (2.0, 2.0, 2.0)), (noisy, 3.0, (2.5, 1.4, 1.0)), (noisy, 1.8, (1.0, 2.0, 1.5))]


def _log_with(factor, *, sign=-1, widths=lambda s, h: s / np.asarray(h)):
    """Return a mistaken blob filter: another factor of each axis, another sign, another blur."""

    def mistaken(volume, sigma_mm, spacing_mm):
        blur, total = widths(sigma_mm, spacing_mm), 0
        for axis in range(3):
            order = [2 if k == axis else 0 for k in range(3)]
            h = spacing_mm[axis]
            total = total + factor(sigma_mm, h) * ndimage.gaussian_filter(volume, blur, order=order)
        return sign * total

    return mistaken


@exercise(
    task="Return -sigma² times the Laplacian of the blurred volume; sigma_mm and spacing_mm are in mm.",
    cases=_volumes,
    mistakes=[
        (_log_with(lambda s, h: (s / h) ** 2, sign=1), "The sign is missing: bright blobs must come out positive."),
        (
            _log_with(lambda s, h: 1.0),
            "The factors are missing: each axis needs (sigma / h)². Without them small things win.",
        ),
        (
            _log_with(lambda s, h: s**2),
            "A second derivative per voxel² is h² times one per mm²: each axis needs its own 1 / h² before the sum."
            " (gaussian_laplace with a sigma for each axis adds them up without.)",
        ),
        (
            _log_with(lambda s, h: s**2 * h**2),
            "You multiplied by h². From per voxel² to per mm² you divide.",
        ),
        (
            _log_with(lambda s, h: s / h),
            "The factor is squared: (sigma / h)², as it is a second derivative.",
        ),
        (
            _log_with(lambda s, h: 1 / h**2),
            "The Laplacian is in mm now. The sigma² before it is missing: without it small things win.",
        ),
        (
            _log_with(lambda s, h: (s / h) ** 2, widths=lambda s, h: s),
            "You blurred by sigma_mm voxels. gaussian_filter counts in voxels: sigma_mm / h along each axis.",
        ),
        (
            lambda volume, sigma_mm, spacing_mm: -(sigma_mm**2) * ndimage.gaussian_laplace(volume, sigma_mm),
            "gaussian_laplace counts in voxels and knows no spacing. Build it from gaussian_filter, axis by axis.",
        ),
        (
            _log_with(lambda s, h: (s / h) ** 2, widths=lambda s, h: s / np.asarray(h)[::-1]),
            "The blur has the axes in the wrong order: spacing_mm is in the order of the array, z, y, x.",
        ),
    ],
    hints=[
        "Three terms, one for each axis: gaussian_filter with order 2 along it and 0 along the others.",
        "sigma in voxels is sigma_mm / h along each axis. The factor of an axis is the square of that.",
    ],
)
def blob_filter(volume, sigma_mm, spacing_mm):
    in_voxels = [sigma_mm / h for h in spacing_mm]
    total = np.zeros(volume.shape)
    for axis, sigma in enumerate(in_voxels):
        order = [2 if k == axis else 0 for k in range(3)]
        total += sigma**2 * ndimage.gaussian_filter(volume, in_voxels, order=order)
    return -total


def _points(rng):
    chain = np.array([[0.0, 0, 0], [4.0, 0, 0], [8.0, 0, 0], [40.0, 0, 0]])
    cloud = rng.uniform(0, 12, size=(40, 3))
    return [
        (chain, np.array([0.9, 0.8, 0.7, 0.6]), 5.0),
        (np.array([[0.0, 0, 0], [3.0, 4.0, 0], [0, 0, 20.0]]), np.array([0.2, 0.5, 0.3]), 5.0),
        (cloud, rng.permutation(40) / 40, 6.0),
    ]


def _suppress(points_mm, scores, distance_mm, *, order=None, near=None, only_kept=True):
    """Return what a mistaken suppression keeps: another order, another distance, or losers that drop others."""
    near = near or (lambda a, b: np.linalg.norm(a - b) < distance_mm)
    order = np.argsort(-scores) if order is None else order
    kept, seen = [], []
    for index in order:
        if not any(near(points_mm[index], points_mm[other]) for other in (kept if only_kept else seen)):
            kept.append(index)
        seen.append(index)
    return np.array(kept, dtype=int)


def _same_indices(result, expected):
    """Compare two rows of indices, in an array, a list or a tuple of whole numbers."""
    if isinstance(result, (list, tuple)) and all(isinstance(i, (int, np.integer)) for i in result):
        result = np.array(result, dtype=int)
    return same(result, expected)


@exercise(
    task="Return the indices of the candidates that are kept, the best score first.",
    cases=_points,
    compare=_same_indices,
    mistakes=[
        (
            lambda p, s, d: _suppress(p, s, d, only_kept=False),
            "A candidate that was dropped itself drops nobody. Compare with the kept ones only.",
        ),
        (
            lambda p, s, d: np.argsort(-s),
            "These are all candidates. Drop those with a kept one nearer than distance_mm.",
        ),
        (lambda p, s, d: _suppress(p, s, d, order=range(len(s))), "Go through them by score, the best first."),
        (lambda p, s, d: _suppress(p, s, d, order=np.argsort(s)), "You began with the lowest score: argsort ascends."),
        (
            lambda p, s, d: np.sort(_suppress(p, s, d)),
            "The right ones are kept. Return them in the order of their scores, the best first.",
        ),
        (
            lambda p, s, d: _suppress(p, s, d, near=lambda a, b: np.linalg.norm(a - b) <= d),
            "A candidate exactly distance_mm away is kept: only those that are nearer are dropped.",
        ),
        (
            lambda p, s, d: _suppress(p, s, d, near=lambda a, b: np.abs(a - b).max() < d),
            "You compared along each axis. The distance is the root of the sum of squares.",
        ),
        (
            lambda p, s, d: p[_suppress(p, s, d)],
            "These are the points themselves. Return their indices.",
        ),
        (
            lambda p, s, d: _suppress(p, s, d, near=lambda a, b: np.sum((a - b) ** 2) < d),
            "You compared the squared distance with the distance. Take the root, or square distance_mm.",
        ),
    ],
    hints=[
        "A loop over np.argsort(-scores), and a list `kept` that grows.",
        "Keep an index if none of np.linalg.norm(points_mm[kept] - point, axis=1) is below distance_mm.",
    ],
)
def suppress(points_mm, scores, distance_mm):
    kept = []
    for index in np.argsort(-scores):
        gaps = np.linalg.norm(points_mm[kept] - points_mm[index], axis=1)
        if not np.any(gaps < distance_mm):
            kept.append(index)
    return np.array(kept, dtype=int)


@exercise(
    task="Return the dense layer's weights (out, channels * d * h * w) as a kernel (out, channels, d, h, w).",
    cases=lambda rng: [
        (np.arange(16.0).reshape(1, 16), 2, (2, 2, 2)),
        (rng.normal(size=(3, 60)), 5, (1, 3, 4)),
        (rng.normal(size=(2, 4 * 3 * 2 * 5)), 4, (3, 2, 5)),
    ],
    mistakes=[
        (
            lambda weights, channels, size: np.moveaxis(weights.reshape(len(weights), *size, channels), -1, 1),
            "You took the channels for the fastest, as in Keras. In PyTorch they are the slowest: they come first.",
        ),
        (
            lambda weights, channels, size: weights.reshape(len(weights), *size, channels),
            "The channels stand at the end, and were taken for the fastest. They come first: (out, channels, d, h, w).",
        ),
        (
            lambda weights, channels, size: weights.reshape(len(weights), channels, *size)[:, :, ::-1, ::-1, ::-1],
            "You turned the kernel. A layer's convolution is a correlation (lesson 02): leave it as it is.",
        ),
        (
            lambda weights, channels, size: weights.reshape(len(weights), channels, *size[::-1]),
            "The size is in the order z, y, x already: do not turn it round.",
        ),
        (
            lambda weights, channels, size: np.swapaxes(weights.reshape(len(weights), channels, *size), 0, 1),
            "The outputs come first, then the channels: (out, channels, d, h, w).",
        ),
        (
            lambda weights, channels, size: weights.reshape(len(weights), channels, *size[::-1]).transpose(
                0, 1, 4, 3, 2
            ),
            "You read z as the fastest. In C order, which PyTorch and NumPy use, x is the fastest.",
        ),
        (
            lambda weights, channels, size: weights.reshape(channels, *size, len(weights)),
            "The outputs are the first axis of the weights, and stay the first.",
        ),
    ],
    hints=[
        "No number moves: a row of the weights is read in the order channel, z, y, x. Which NumPy method does that?",
        "reshape, to (out, channels, d, h, w).",
    ],
)
def as_kernel(weights, channels, size):
    return weights.reshape(len(weights), channels, *size)


def _maps(rng):
    heat = np.exp(-(np.arange(-3.0, 4.0) ** 2) / 4)
    grid = np.exp(-((np.indices((6, 6)) - 2.0) ** 2).sum(axis=0) / 3)
    grid[5, 5] = 1.0
    return [
        (np.array([0.5, 0.1, 0.2]), np.array([1.0, 0.0, 0.5])),
        (rng.uniform(0.05, 0.95, 7), heat),
        (rng.uniform(0.01, 0.6, (6, 6)), grid),
        (np.array([0.6, 0.7, 0.8, 0.3]), np.array([0.95, 1.0, 0.995, 0.9])),  # nearly 1 is no centre
    ]


def _heat_loss(p, Y, *, gamma=2, beta=4, positive=None, divide=None, sign=-1):
    """Return a mistaken loss of a heat map: other powers, other positives, another divisor."""
    centre = (Y == 1) if positive is None else positive(Y)
    here = (1 - p) ** gamma * np.log(p)
    elsewhere = (1 - Y) ** beta * p**gamma * np.log(1 - p)
    number = np.sum(Y == 1) if divide is None else divide(Y)
    return sign * (here[centre].sum() + elsewhere[~centre].sum()) / number


@exercise(
    task="Return the focal loss of a heat map, summed over all places, divided by the number of centres.",
    cases=_maps,
    mistakes=[
        (lambda p, Y: _heat_loss(p, Y, sign=1), "The minus is missing: a loss is not negative."),
        (lambda p, Y: _heat_loss(p, Y, divide=lambda Y: Y.size), "Divide by the number of centres, not of places."),
        (lambda p, Y: _heat_loss(p, Y, divide=lambda Y: 1), "The sum is right. Divide it by the number of centres."),
        (lambda p, Y: _heat_loss(p, Y, gamma=0), "The focal factors are missing: (1 - p)² at centres, p² elsewhere."),
        (lambda p, Y: _heat_loss(p, Y, beta=0), "The factor (1 - Y)⁴ is missing: places beside a centre count less."),
        (
            lambda p, Y: _heat_loss(p, Y, positive=lambda Y: Y > 0.5),
            "A centre is where Y is exactly 1. Beside it the second line holds, with its (1 - Y)⁴.",
        ),
        (
            lambda p, Y: -np.sum((1 - p) ** 2 * np.log(p) * (Y == 1) + p**2 * np.log(1 - p) * (Y < 1)) / np.sum(Y == 1),
            "The factor (1 - Y)⁴ is missing: places beside a centre count less.",
        ),
        (
            lambda p, Y: (
                -(np.sum((p**2 * np.log(p))[Y == 1]) + np.sum(((1 - Y) ** 4 * (1 - p) ** 2 * np.log(1 - p))[Y < 1]))
                / np.sum(Y == 1)
            ),
            "The focal factors are swapped: what is right must count less. At a centre that is a high p, so (1 - p)².",
        ),
        (
            lambda p, Y: -np.sum(Y * (1 - p) ** 2 * np.log(p) + (1 - Y) * p**2 * np.log(1 - p)) / np.sum(Y == 1),
            "You mixed both lines by Y, as in a cross-entropy with soft labels. Here Y = 1 takes the first line alone.",
        ),
        (
            lambda p, Y: _heat_loss(p, Y, divide=lambda Y: Y.sum()),
            "You divided by the sum of the map. N is the number of places where Y is 1.",
        ),
    ],
    hints=[
        "centre = Y == 1 gives the places of the first line, ~centre those of the second.",
        "-(sum of (1-p)² ln p at centres + sum of (1-Y)⁴ p² ln(1-p) elsewhere) / number of centres.",
    ],
)
def heat_loss(p, Y):
    centre = Y == 1
    here = (1 - p) ** 2 * np.log(p)
    elsewhere = (1 - Y) ** 4 * p**2 * np.log(1 - p)
    return -(here[centre].sum() + elsewhere[~centre].sum()) / centre.sum()


def _overlap(centre_a, size_a, centre_b, size_b):
    low = np.maximum(centre_a - size_a / 2, centre_b - size_b / 2)
    high = np.minimum(centre_a + size_a / 2, centre_b + size_b / 2)
    return high - low


def _boxes(rng):
    def at(*values):
        return np.array(values, dtype=float)

    return [
        (at(0, 0, 0), at(8, 8, 8), at(4, 0, 0), at(8, 8, 8)),
        (at(0, 0, 0), at(10, 6, 4), at(1, 2, -1), at(4, 8, 6)),
        (at(0, 0, 0), at(4, 4, 4), at(9, 9, 0), at(4, 4, 4)),  # apart along two axes: two negative lengths
        (at(0, 0, 0), at(12, 12, 12), at(1, -1, 2), at(3, 4, 5)),
    ]


@exercise(
    task="Return the volume of the intersection of two boxes over that of their union; 0 where they do not meet.",
    cases=_boxes,
    mistakes=[
        (
            lambda ca, sa, cb, sb: (
                np.prod(_overlap(ca, sa, cb, sb)) / (np.prod(sa) + np.prod(sb) - np.prod(_overlap(ca, sa, cb, sb)))
            ),
            "Boxes apart along two axes have two negative lengths, and their product is positive. Cut at 0 first.",
        ),
        (
            lambda ca, sa, cb, sb: np.prod(np.maximum(_overlap(ca, sa, cb, sb), 0)) / (np.prod(sa) + np.prod(sb)),
            "The union is less than the sum: the intersection is in both boxes, so take it away once.",
        ),
        (
            lambda ca, sa, cb, sb: 2 * np.prod(np.maximum(_overlap(ca, sa, cb, sb), 0)) / (np.prod(sa) + np.prod(sb)),
            "That is the Dice coefficient. Divide by the union: the sum less the intersection.",
        ),
        (
            lambda ca, sa, cb, sb: _iou_of(np.maximum(_overlap(ca, 2 * sa, cb, 2 * sb), 0), 2 * sa, 2 * sb),
            "You took the sizes for half sizes: a box reaches from centre - size / 2 to centre + size / 2.",
        ),
        (
            lambda ca, sa, cb, sb: _iou_of(np.maximum(np.minimum(ca + sa, cb + sb) - np.maximum(ca, cb), 0), sa, sb),
            "You took the centres for the lower corners: a box reaches from centre - size / 2 to centre + size / 2.",
        ),
        (
            lambda ca, sa, cb, sb: np.prod(np.maximum(_overlap(ca, sa, cb, sb), 0)) / min(np.prod(sa), np.prod(sb)),
            "You divided by the smaller box. Then a small box inside a large one would be perfect.",
        ),
        (
            lambda ca, sa, cb, sb: np.prod(np.maximum(_overlap(ca, sa, cb, sb), 0)),
            "That is the volume of the intersection. Divide it by that of the union.",
        ),
    ],
    hints=[
        "Along each axis: the smaller of the two upper ends less the larger of the two lower ends, but at least 0.",
        "union = volume of a + volume of b - intersection.",
    ],
)
def box_iou(centre_a, size_a, centre_b, size_b):
    low = np.maximum(centre_a - size_a / 2, centre_b - size_b / 2)
    high = np.minimum(centre_a + size_a / 2, centre_b + size_b / 2)
    intersection = np.prod(np.maximum(high - low, 0))
    return intersection / (np.prod(size_a) + np.prod(size_b) - intersection)


def _iou_of(lengths, size_a, size_b):
    intersection = np.prod(lengths)
    return intersection / (np.prod(size_a) + np.prod(size_b) - intersection)
