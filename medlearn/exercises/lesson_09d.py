"""Exercises of lesson 09d, Generative networks: are they any good, and do they help? Readers, copies, floors, gains."""

import math

import numpy as np
from scipy import stats

from medlearn.exercises.engine import exercise

Z = 1.959963984540054


@exercise(
    task="Return the smallest whole number of answers n with which a reader who is right in exactly half of them gets a"
    " 95 % Wilson interval that lies within 0.5 - margin to 0.5 + margin. z = 1.959964.",
    cases=lambda rng: [(0.1,), (0.05,), (0.2,), (0.03,)],  # 0.1: 3.8415 / 0.04 - 3.8415 = 92.2, so 93
    mistakes=[
        (
            lambda margin: math.floor(Z**2 * (1 / (4 * margin**2) - 1)),
            "You rounded down: with that many answers the interval still sticks out a little. Round up.",
        ),
        (
            lambda margin: math.ceil(Z**2 / (4 * margin**2)),
            "That is the interval p ± z sqrt(p (1 - p) / n). Wilson's has n + z² in the root, so it needs z² answers"
            " fewer.",
        ),
        (
            lambda margin: Z**2 / (4 * margin**2),
            "Two things: that is the interval p ± z sqrt(p (1 - p) / n), while Wilson's needs z² answers fewer; and an"
            " answer is a whole one: round up.",
        ),
        (
            lambda margin: math.ceil(Z**2 * (1 / margin**2 - 1)),
            "You took the whole width for the margin. The interval may reach `margin` to either side.",
        ),
        (
            lambda margin: math.ceil(Z * (1 / (2 * margin)) - Z**2),
            "You solved z / (2 sqrt(n + z²)) <= margin without squaring: n + z² >= z² / (4 margin²).",
        ),
        (
            lambda margin: Z**2 * (1 / (4 * margin**2) - 1),
            "Nobody gives a fraction of an answer: round up to a whole number.",
        ),
        (
            lambda margin: math.ceil(Z**2 / (4 * margin**2) + Z**2),
            "z² changed sides with the wrong sign: n >= z² / (4 margin²) - z².",
        ),
    ],
    hints=[
        "At one half Wilson's interval is 0.5 ± z / (2 sqrt(n + z²)).",
        "z / (2 sqrt(n + z²)) <= margin gives n >= z² / (4 margin²) - z². Then math.ceil.",
    ],
)
def answers_needed(margin):
    z = 1.959964
    return int(np.ceil(z**2 / (4 * margin**2) - z**2))


def _least(made, others):
    flat = made.reshape(len(made), -1), others.reshape(len(others), -1)
    return np.linalg.norm(flat[0][:, None] - flat[1][None], axis=-1).min(axis=1)


def _first_clouds():
    """Return images of 1 x 2 pixels: of six made ones four are nearer to training, one is tied, one is farther."""
    made = np.array([[[3.0, 4.0]], [[1.0, 3.0]], [[4.0, 4.0]], [[2.0, 5.0]], [[4.0, 5.0]], [[3.0, 6.0]]])
    training = np.array([[[2.0, 0.0]], [[2.0, 3.0]], [[0.0, 1.0]]])
    unseen = np.array([[[7.0, 4.0]], [[1.0, 2.0]], [[0.0, 6.0]]])
    return made, training, unseen


def _cloud_case(rng, made, others, shape):
    return tuple(rng.normal(0, 1, (count, *shape)) for count in (made, others, others))


def _share(nearer, tied):
    return float((nearer + 0.5 * tied).mean())


@exercise(
    task="Return the share of made patches whose nearest training patch is nearer than their nearest unseen patch, by"
    " the Euclidean distance over all pixels. A tie counts one half.",
    cases=lambda rng: [
        _first_clouds(),  # (4 + 1/2) / 6 = 0.75
        _cloud_case(rng, 11, 6, (3, 4)),
        _cloud_case(rng, 8, 9, (2, 2)),
    ],
    mistakes=[
        (
            lambda made, training, unseen: _share(_least(made, unseen) < _least(made, training), 0),
            "That is the share that is nearer to the unseen patches.",
        ),
        (
            lambda made, training, unseen: _share(_least(made, training) < _least(made, unseen), 0),
            "A tie counts one half: np.isclose finds them. Without it a set of doubles looks innocent.",
        ),
        (
            lambda made, training, unseen: _share(_least(made, training) <= _least(made, unseen), 0),
            "You count a tie in full. It speaks for neither side: one half.",
        ),
        (
            lambda made, training, unseen: _share(
                np.linalg.norm((made[:, None] - training[None]).reshape(len(made), len(training), -1), axis=-1).mean(1)
                < np.linalg.norm((made[:, None] - unseen[None]).reshape(len(made), len(unseen), -1), axis=-1).mean(1),
                0,
            ),
            "You compared mean distances. A copy is near to one patch, not to all: take the smallest.",
        ),
        (
            lambda made, training, unseen: float((_least(training, made) < _least(unseen, made)).mean()),
            "You asked each training patch for its nearest made one. Asked is the other way round: each made patch"
            " looks for its nearest.",
        ),
        (
            lambda made, training, unseen: _share(_least(made, training) < _least(unseen, training).mean(), 0),
            "You compared with the distance of unseen patches to the training patches. Here each made patch is its own"
            " reference: its nearest training patch against its nearest unseen patch.",
        ),
    ],
    hints=[
        "flat = images.reshape(len(images), -1); scipy.spatial.distance.cdist(a, b) gives all distances.",
        "Two vectors: to_training = cdist(...).min(axis=1), and the same for unseen.",
        "np.mean((to_training < to_unseen) + 0.5 * (to_training == to_unseen))",
    ],
)
def nearer_to_training(made, training, unseen):
    def nearest(others):
        gaps = made.reshape(len(made), 1, -1) - others.reshape(1, len(others), -1)
        return np.sqrt((gaps**2).sum(axis=-1)).min(axis=1)

    to_training, to_unseen = nearest(training), nearest(unseen)
    tied = np.isclose(to_training, to_unseen)
    return np.mean(np.where(tied, 0.5, to_training < to_unseen))


@exercise(
    task="Return the expected squared distance between the means of two independent groups of n and of m draws from the"
    " same distribution, whose covariance is estimated from `features`, shape (draws, d), with the divisor draws - 1.",
    cases=lambda rng: [
        (np.array([[0.0, 0.0], [2.0, 4.0]]), 5, 10),  # variances 2 and 8, trace 10: 10 * (1/5 + 1/10) = 3
        (rng.normal(0, 2, (40, 3)) @ np.diag([1.0, 3.0, 0.2]), 30, 70),
        (rng.normal(0, 1, (25, 6)), 400, 20),
    ],
    mistakes=[
        (
            lambda features, n, m: np.trace(np.cov(features.T)) / (n + m),
            "You threw the two groups together. Their errors are independent, so their variances add: 1/n + 1/m.",
        ),
        (
            lambda features, n, m: np.trace(np.cov(features.T)) / n,
            "Both means are estimates: the second group brings its own trace / m.",
        ),
        (
            lambda features, n, m: np.trace(np.cov(features.T)) * (1 / n - 1 / m),
            "Variances of independent means add, also under a difference.",
        ),
        (
            lambda features, n, m: np.trace(np.cov(features.T, ddof=0)) * (1 / n + 1 / m),
            "Divide by draws - 1: np.cov does, np.var does not by itself.",
        ),
        (
            lambda features, n, m: np.cov(features.T).sum() * (1 / n + 1 / m),
            "You added all entries of the covariance. A squared distance sums over the axes: the diagonal only, the"
            " trace.",
        ),
        (
            lambda features, n, m: np.sqrt(np.trace(np.cov(features.T)) * (1 / n + 1 / m)),
            "Asked is the squared distance: no root.",
        ),
        (
            lambda features, n, m: features.std(axis=0, ddof=1).sum() * (1 / n + 1 / m),
            "You added standard deviations. The trace is the sum of the variances.",
        ),
    ],
    hints=[
        "Each mean of n draws has the covariance S / n; the difference of two independent means has S / n + S / m.",
        "The expected squared length of a vector of mean 0 is the trace of its covariance.",
        "features.var(axis=0, ddof=1).sum() * (1 / n + 1 / m)",
    ],
)
def floor_of_the_means(features, n, m):
    return features.var(axis=0, ddof=1).sum() * (1 / n + 1 / m)


def _distances(a, b):
    return np.linalg.norm(a[:, None] - b[None], axis=-1)


def _inside(real, made, neighbours, *, offset=0, radii_of=None):
    own = np.sort(_distances(real, real), axis=1)[:, neighbours + offset]
    return _distances(made, real) <= own[None]


def _first_points():
    """Return real points on a line and made ones: with 1 neighbour the balls have the radii 1, 1 and 3."""
    real = np.array([[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    # in, in (third ball), out, out, in (on the third ball's border): 3 of 5
    made = np.array([[0.5, 0.5], [6.5, 0.0], [-2.0, 0.0], [7.5, 0.0], [7.0, 0.0]])
    return real, made, 1


@exercise(
    task="Return the precision: the share of made points that lie in the ball of at least one real point. A real"
    " point's ball reaches to its neighbour number `neighbours` among the OTHER real points; the border belongs to it.",
    cases=lambda rng: [
        _first_points(),
        (rng.normal(0, 1, (20, 2)), rng.normal(0.6, 1.4, (31, 2)), 3),
        (rng.normal(0, 1, (15, 3)), rng.normal(0, 2.0, (24, 3)), 2),
    ],
    mistakes=[
        (
            lambda real, made, neighbours: _inside(real, made, neighbours, offset=-1).any(axis=1).mean(),
            "A point's nearest point in its own set is itself, at distance 0. Leave it out: its k-th neighbour stands"
            " at place k of the sorted distances, behind the 0.",
        ),
        (
            lambda real, made, neighbours: _inside(made, real, neighbours).any(axis=1).mean(),
            "That is the recall: real points in the balls of made ones.",
        ),
        (
            lambda real, made, neighbours: _inside(real, made, neighbours).all(axis=1).mean(),
            "One ball is enough: any, not all.",
        ),
        (
            lambda real, made, neighbours: _inside(real, made, neighbours).any(axis=0).mean(),
            "You counted the balls that hold a made point: that is the coverage. Precision counts made points.",
        ),
        (
            lambda real, made, neighbours: _inside(real, made, neighbours).mean(),
            "You counted pairs of a point and a ball. A made point counts once, in however many balls it lies.",
        ),
        (
            lambda real, made, neighbours: (
                _distances(made, real).min(axis=1) <= np.sort(_distances(real, real), axis=1)[:, neighbours].mean()
            ).mean(),
            "You gave all balls one radius. Each real point has its own: small where the points are dense.",
        ),
        (
            lambda real, made, neighbours: (
                (_distances(made, real) < np.sort(_distances(real, real), axis=1)[:, neighbours]).any(axis=1).mean()
            ),
            "A point on the border counts, too: <=, not <.",
        ),
        (
            lambda real, made, neighbours: np.take_along_axis(
                _inside(real, made, neighbours), _distances(made, real).argmin(axis=1)[:, None], axis=1
            ).mean(),
            "You asked the nearest real point's ball only. A point farther off may have a ball that is wide enough.",
        ),
    ],
    hints=[
        "Sort the distances among the real points along each row: place 0 is the point itself, place k its k-th.",
        "made point i is in ball j where distance(i, j) <= radius[j]. Then any over j, mean over i.",
    ],
)
def precision_by_hand(real, made, neighbours):
    among_real = np.linalg.norm(real[:, None] - real[None], axis=-1)
    radius = np.sort(among_real, axis=1)[:, neighbours]
    to_real = np.linalg.norm(made[:, None] - real[None], axis=-1)
    return np.mean((to_real <= radius).any(axis=1))


@exercise(
    task="n real values have the variance 1. You add m values made from a normal distribution with the mean of the n."
    " Return the variance of the mean of all n + m values, over repetitions of the whole.",
    cases=lambda rng: [(10, 10), (20, 200), (50, 5), (8, 0)],  # (10, 10): 1/10 + 10/400 = 0.125
    mistakes=[
        (
            lambda n, m: 1 / (n + m),
            "That counts the made values as new patients. They lie around the mean of the n, and share its error.",
        ),
        (
            lambda n, m: 1 / n,
            "The made values add no knowledge. But they add noise of their own: m / (n + m)² more.",
        ),
        (
            lambda n, m: 1 / n + (1 / m if m else 0),
            "The made mean counts with the weight m / (n + m) only: square that weight.",
        ),
        (
            lambda n, m: 1 / n + 1 / (n + m),
            "The weight m / (n + m) squared, times 1 / m, is m / (n + m)².",
        ),
        (
            lambda n, m: 1 / n + (m / (n + m)) ** 2,
            "The weight is squared, but e is a mean of m values: its variance is 1 / m, not 1.",
        ),
        (
            lambda n, m: math.sqrt(1 / n + m / (n + m) ** 2),
            "Asked is the variance, not its root.",
        ),
    ],
    hints=[
        "mean of all = mean of the real ones + m / (n + m) * e; e is the mean of the m made ones minus that of the n.",
        "The two terms are independent; e has the variance 1 / m.",
    ],
)
def variance_with_made(n, m):
    return 1 / n + m / (n + m) ** 2


def _gain(differences, *, quantile=None, error=None):
    n = len(differences)
    quantile = stats.t.ppf(0.975, n - 1) if quantile is None else quantile
    error = differences.std(ddof=1) / math.sqrt(n) if error is None else error
    return differences.mean(), differences.mean() - quantile * error, differences.mean() + quantile * error


def _unpaired(with_made, without):
    error = math.sqrt(with_made.var(ddof=1) / len(without) + without.var(ddof=1) / len(without))
    return _gain(with_made - without, error=error)


def _study_case(rng, n):
    without = rng.normal(0.8, 0.04, n)
    return without + rng.normal(0.01, 0.01, n), without


@exercise(
    task="Return the mean gain and the ends of its 95 % t interval, (gain, low, high), from the test AUC of each"
    " replicate with and without made patches. Entry r of both has the same patients and the same seed.",
    cases=lambda rng: [
        # differences .02, .04, .00: mean .02, sd .02, / sqrt(3) = .01155, times t = 4.303: .02 -+ .0497
        (np.array([0.82, 0.88, 0.79]), np.array([0.80, 0.84, 0.79])),
        _study_case(rng, 5),
        _study_case(rng, 7),
    ],
    mistakes=[
        (
            lambda with_made, without: _gain(without - with_made),
            "The sign is turned: a gain is with minus without.",
        ),
        (
            _unpaired,
            "You compared the two columns as if they were strangers. Take the difference of each replicate first: what"
            " makes a replicate hard hits both.",
        ),
        (
            lambda with_made, without: _gain(with_made - without, quantile=1.96),
            "1.96 holds for many replicates. With a handful, the standard deviation is itself a guess: take"
            " scipy.stats.t.ppf(0.975, n - 1).",
        ),
        (
            lambda with_made, without: _gain(with_made - without, error=(with_made - without).std(ddof=1)),
            "That is the spread of single replicates. The interval of their mean has the standard error: divide by"
            " sqrt(n).",
        ),
        (
            lambda with_made, without: _gain(
                with_made - without, error=(with_made - without).std() / math.sqrt(len(without))
            ),
            "np.std divides by n. Say ddof=1: with five values that matters.",
        ),
        (
            lambda with_made, without: _gain(
                with_made - without,
                quantile=1.96,
                error=(with_made - without).std() / math.sqrt(len(without)),
            ),
            "Two things: np.std divides by n (say ddof=1), and 1.96 holds for many replicates only (take"
            " scipy.stats.t.ppf(0.975, n - 1)).",
        ),
        (
            lambda with_made, without: _gain(with_made - without, quantile=stats.t.ppf(0.95, len(without) - 1)),
            "Your interval leaves out 5 % on each side. 95 % in the middle is the quantile 0.975.",
        ),
        (
            lambda with_made, without: _gain(with_made - without, quantile=stats.t.ppf(0.975, 2 * len(without) - 2)),
            "2 n - 2 degrees of freedom belong to two independent groups. n paired differences have n - 1.",
        ),
    ],
    hints=[
        "differences = with_made - without; from here on there is one column only.",
        "error = differences.std(ddof=1) / np.sqrt(n); scipy.stats.t.ppf(0.975, n - 1)",
    ],
)
def gain_over_replicates(with_made, without):
    differences = with_made - without
    n = len(differences)
    reach = stats.t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n)
    return differences.mean(), differences.mean() - reach, differences.mean() + reach


@exercise(
    task="A share of the nodules and the same share of the others in a test set are made. Return the AUC of the mixed"
    " set. auc[i][j] is the AUC of pairs of a nodule of origin i and another of origin j; 0: patients, 1: made.",
    cases=lambda rng: [
        (0.5, [[0.8, 0.7], [0.9, 1.0]]),  # every kind of pair a quarter: 3.4 / 4 = 0.85
        (0.2, [[0.75, 0.82], [0.95, 0.98]]),
        (0.7, rng.uniform(0.4, 1, (2, 2)).tolist()),
        (0.0, [[0.66, 0.9], [0.2, 0.7]]),
    ],
    mistakes=[
        (
            lambda share, auc: (1 - share) * auc[0][0] + share * auc[1][1],
            "You left out the pairs of one patch from a patient and one that is made. They are two of the four kinds.",
        ),
        (
            lambda share, auc: (1 - share) ** 2 * auc[0][0] + share**2 * auc[1][1],
            "The weights must add up to 1. Missing are the mixed pairs, each with share * (1 - share).",
        ),
        (
            lambda share, auc: (1 - share) ** 2 * auc[0][0] + share**2 * auc[1][1] + share * (1 - share) * auc[0][1],
            "There are two kinds of mixed pairs: the nodule made, or the other one made.",
        ),
        (
            lambda share, auc: (
                share**2 * auc[0][0] + (1 - share) ** 2 * auc[1][1] + share * (1 - share) * (auc[0][1] + auc[1][0])
            ),
            "`share` is the share of made ones: pairs of two patients have (1 - share) squared.",
        ),
        (
            lambda share, auc: (
                (1 - share) ** 2 * auc[0][0] + 2 * share * (1 - share) * auc[0][1] + share**2 * auc[1][1]
            ),
            "You took auc[0][1] for both kinds of mixed pairs. With only the nodule made it is auc[1][0].",
        ),
        (
            lambda share, auc: (
                (1 - share) ** 2 * auc[0][0] + 2 * share * (1 - share) * auc[1][0] + share**2 * auc[1][1]
            ),
            "You took auc[1][0] for both kinds of mixed pairs. With only the other one made it is auc[0][1].",
        ),
        (
            lambda share, auc: float(np.mean(auc)),
            "A plain mean holds for a share of one half only.",
        ),
        (
            lambda share, auc: auc[0][0],
            "That is the AUC without any made patch, the one you should report. Asked is what the mixed set shows.",
        ),
    ],
    hints=[
        "The AUC is the share of pairs in the right order. Sort the pairs into four kinds, by the origin of both.",
        "A nodule is made with probability share, another one too, independently: multiply.",
    ],
)
def mixed_auc(share, auc):
    from_patients = (1 - share) ** 2 * auc[0][0]
    mixed = share * (1 - share) * (auc[0][1] + auc[1][0])
    return from_patients + mixed + share**2 * auc[1][1]


def _letters(answer):
    return "".join(sorted(set(str(answer).upper()) - set(" ,;+")))


@exercise(
    task="Write the letters of the sentences that make the report unsound, such as 'AB'.",
    compare=lambda answer, expected: _letters(answer) == expected,
    mistakes=[
        (
            lambda: "ABCDEF",
            "Not all of them. C is how it should be done, and E is bad luck that is told.",
        ),
        (
            lambda: "BDF",
            "A is missing: a generator that was trained on everybody has seen the test patients, and its patches carry"
            " them into the training.",
        ),
        (
            lambda: "ABD",
            "F is missing: patches that the generator made are no patients. The score is then about another population,"
            " and may rise or fall with it.",
        ),
        (
            lambda: "ADF",
            "B is missing: the network with made patches has had more steps of training. Which of the two helped?",
        ),
        (
            lambda: "ABF",
            "D is missing: the best of ten seeds on the test set is chosen on the test set.",
        ),
        (
            lambda: "ABDEF",
            "E is no fault: a gain whose interval holds 0 is a result, and it was told.",
        ),
        (
            lambda: "ABCDF",
            "C is right as it is: classical augmentation is what made patches have to beat.",
        ),
    ],
    hints=[
        "Ask of each sentence: could a patient of the test have got into the training? Is one thing changed at a time?"
        " Did the test set choose anything? Is it made of patients?",
        "Four of the six are unsound.",
    ],
)
def unsound():
    leaks = {"A": "the generator saw the test patients", "F": "made patches in the test set"}
    unfair = {"B": "more steps of training", "D": "the best seed, chosen on the test set"}
    return "".join(sorted(leaks | unfair))
