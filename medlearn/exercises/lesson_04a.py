"""Exercises of lesson 04a, Gradient descent: each solution, and the usual mistakes as running code."""

import numpy as np

from medlearn.exercises.engine import exercise


def _hessian(rng, eigenvalues):
    """Return a symmetric matrix with these eigenvalues and random eigenvectors: its entries tell nothing directly."""
    axes = np.linalg.qr(rng.normal(size=(len(eigenvalues), len(eigenvalues))))[0]
    matrix = axes @ np.diag(eigenvalues) @ axes.T
    return (matrix + matrix.T) / 2


def _bowls(rng):
    """Return (A, b, w, learning_rate) of bowls whose minimum is not at the origin."""
    cases = []
    for eigenvalues, rate in [((0.5, 3.0), 0.2), ((1.0, 2.0, 7.0), 0.05), ((0.1, 0.4, 2.0, 5.0), 0.3)]:
        size = len(eigenvalues)
        cases.append((_hessian(rng, eigenvalues), rng.normal(size=size), rng.normal(size=size), rate))
    return cases


@exercise(
    task="Return w after one step of gradient descent on L(w) = w'Aw / 2 - b'w, with A symmetric.",
    cases=_bowls,
    mistakes=[
        (
            lambda A, b, w, learning_rate: w + learning_rate * (A @ w - b),
            "You climbed: the gradient points uphill. Take the step away from the gradient, with a minus.",
        ),
        (
            lambda A, b, w, learning_rate: w - learning_rate * A @ w,
            "The term b is missing. The gradient of -b'w is -b: without it you go to the origin, not to the minimum.",
        ),
        (
            lambda A, b, w, learning_rate: w - learning_rate * (A @ w + b),
            "The sign of b is wrong: the loss has -b'w, so its gradient has -b.",
        ),
        (
            lambda A, b, w, learning_rate: w - learning_rate * (A @ w / 2 - b),
            "The half stayed. The derivative of w'Aw / 2 is Aw: the square gives a 2, and the 2 takes the half away.",
        ),
        (
            lambda A, b, w, learning_rate: w - (A @ w - b),
            "The learning rate is missing: multiply the gradient by it.",
        ),
        (
            lambda A, b, w, learning_rate: w - learning_rate * (np.diag(A) * w - b),
            "Only the diagonal of A is at work. The gradient needs the matrix product, A @ w.",
        ),
        (
            lambda A, b, w, learning_rate: -learning_rate * (A @ w - b),
            "That is the step alone. Add it to the place where you stand: return the new w.",
        ),
        (
            lambda A, b, w, learning_rate: w - learning_rate * (A * w - b),
            "A * w multiplies entry by entry, and a matrix comes back. The gradient needs the matrix product, A @ w.",
        ),
    ],
    hints=[
        "Differentiate each term. In one dimension: what is the derivative of a w² / 2 - b w?",
        "The gradient is A @ w - b. A step goes the other way, learning_rate times as far.",
    ],
)
def gd_step(A, b, w, learning_rate):
    gradient = A @ w - b
    return w - learning_rate * gradient


def _hessians(rng):
    """Return Hessians; of the diagonal one np.linalg.eigvals has the largest eigenvalue neither first nor last."""
    return [
        (_hessian(rng, (0.5, 3.0)),),
        (_hessian(rng, (1.0, 2.0, 7.0)),),
        (_hessian(rng, (0.02, 0.3, 0.5, 11.0)),),
        (np.diag([2.0, 9.0, 0.4, 5.0]),),
    ]


@exercise(
    task="Return the step size at which gradient descent on a bowl with this Hessian just stops converging: a number.",
    cases=_hessians,
    mistakes=[
        (
            lambda hessian: 1 / np.linalg.eigvalsh(hessian)[-1],
            "Half of it. At 1 / λmax the steepest coordinate lands in one step; it still converges beyond, until"
            " 1 - ηλ reaches -1.",
        ),
        (
            lambda hessian: 2 / np.linalg.eigvalsh(hessian)[0],
            "You took the smallest eigenvalue. The steepest direction goes first: take the largest.",
        ),
        (
            lambda hessian: 2 / np.trace(hessian),
            "The trace is the sum of all eigenvalues. That step is safe, but it is not the largest.",
        ),
        (
            lambda hessian: 2 / np.abs(hessian).max(),
            "You took the largest entry of the matrix (in a bowl it stands on the diagonal). It is an eigenvalue only"
            " where the axes are the eigenvectors: use np.linalg.eigvalsh.",
        ),
        (
            lambda hessian: 2 / np.linalg.norm(hessian),
            "np.linalg.norm(matrix) is the Frobenius norm, the root of the sum of all squares. You need"
            " np.linalg.eigvalsh, or norm(matrix, 2).",
        ),
        (
            lambda hessian: 2 / (np.linalg.eigvalsh(hessian)[0] + np.linalg.eigvalsh(hessian)[-1]),
            "That is the quickest step, not the largest stable one.",
        ),
        (
            lambda hessian: 2 / np.linalg.eigvals(hessian)[0],
            "np.linalg.eigvals gives the eigenvalues in no special order. Take the largest, by max() or by"
            " np.linalg.eigvalsh, which sorts them.",
        ),
        (
            lambda hessian: 2 / np.linalg.eigvals(hessian)[-1],
            "np.linalg.eigvals gives the eigenvalues in no special order: the last need not be the largest. Take max(),"
            " or np.linalg.eigvalsh, which sorts them.",
        ),
        (
            lambda hessian: 2 / np.linalg.eigvalsh(hessian),
            "You have one step for each eigenvalue. One learning rate must suit all of them: return a single number.",
        ),
    ],
    hints=[
        "Each coordinate is multiplied by 1 - ηλ. Which λ is the first to reach -1 when η grows?",
        "1 - ηλ = -1 gives η = 2 / λ. np.linalg.eigvalsh returns the eigenvalues in ascending order.",
    ],
)
def largest_stable_step(hessian):
    return 2 / np.linalg.eigvalsh(hessian)[-1]


def _ends(hessian):
    """Return the smallest and the largest eigenvalue."""
    eigenvalues = np.linalg.eigvalsh(hessian)
    return eigenvalues[0], eigenvalues[-1]


def _best_with(step, rate):
    """Return a mistaken best step: both values are functions of the two extreme eigenvalues."""
    return lambda hessian: (step(*_ends(hessian)), rate(*_ends(hessian)))


def _right_step(low, high):
    return 2 / (low + high)


def _right_rate(low, high):
    return (high - low) / (high + low)


@exercise(
    task="Return (step, rate): the step size that makes the slowest coordinate as quick as can be, and the factor by"
    " which that coordinate shrinks in each step.",
    cases=_hessians,
    mistakes=[
        (
            _best_with(lambda low, high: 1 / high, lambda low, high: 1 - low / high),
            "That is the step 1 / λmax, with its own rate. The flattest coordinate gains if you go on: it is best where"
            " the two ends are equally slow.",
        ),
        (
            _best_with(lambda low, high: 2 / high, _right_rate),
            "Your step is the largest stable one. There the steepest coordinate does not shrink at all.",
        ),
        (
            _best_with(lambda low, high: 1 / (low + high), _right_rate),
            "Your step is half of it. Set 1 - ηλmin = -(1 - ηλmax) and solve for η.",
        ),
        (
            _best_with(_right_step, lambda low, high: ((high - low) / (high + low)) ** 2),
            "The step is right. Your rate is that of the loss, which is a square; asked is the coordinate's own.",
        ),
        (
            _best_with(_right_step, lambda low, high: 1 - low / high),
            "The step is right. Your rate belongs to the step 1 / λmax: put your own step into 1 - ηλmin.",
        ),
        (
            _best_with(_right_step, lambda low, high: (low - high) / (low + high)),
            "The step is right, and the rate has the wrong sign: take the size of the factor, which is positive.",
        ),
        (
            _best_with(lambda low, high: 2 / high, lambda low, high: abs(1 - 2 * low / high)),
            "Your step is the largest stable one. There the steepest coordinate does not shrink at all: its factor is"
            " -1. It is best where the two ends are equally slow.",
        ),
        (
            _best_with(_right_rate, _right_step),
            "Both values are right, in the wrong order: return (step, rate).",
        ),
        (
            lambda hessian: (2 / np.linalg.eigvalsh(hessian)[:2].sum(), _right_rate(*np.linalg.eigvalsh(hessian)[:2])),
            "You took the two smallest eigenvalues. The slowest coordinates belong to the smallest and the largest,"
            " eigenvalues[0] and eigenvalues[-1].",
        ),
        (
            lambda hessian: (1 / np.linalg.eigvalsh(hessian).mean(), _right_rate(*_ends(hessian))),
            "The eigenvalues between do not matter: only the two ends can be the slowest.",
        ),
    ],
    hints=[
        "Draw |1 - ηλ| against η for the smallest and the largest eigenvalue. Where is the larger of the two lowest?",
        "Where they cross: 1 - ηλmin = ηλmax - 1. Solve for η, and put it back into 1 - ηλmin.",
    ],
)
def best_step(hessian):
    eigenvalues = np.linalg.eigvalsh(hessian)
    low, high = eigenvalues[0], eigenvalues[-1]
    step = 2 / (low + high)
    return step, 1 - step * low


def _steps(rate, factor):
    return np.log(factor) / np.log(rate)


def _rate(kappa):
    return (kappa - 1) / (kappa + 1)


@exercise(
    task="Return how many steps of gradient descent, at the best step size, shrink the distance to the minimum by a"
    " factor: the smallest whole number, for a condition number kappa.",
    cases=lambda rng: [(3.0, 1e-6), (20.0, 1e-6), (1000.0, 1e-3), (57.0, 0.02)],
    mistakes=[
        (
            lambda kappa, factor: int(_steps(_rate(kappa), factor)),
            "One too few: you rounded down, and after that many steps the factor is not yet reached.",
        ),
        (lambda kappa, factor: _steps(_rate(kappa), factor), "Steps are whole: round up, and return an int."),
        (
            lambda kappa, factor: int(np.ceil(_steps(_rate(kappa) ** 2, factor))),
            "You counted with the rate of the loss, which is squared. Asked is the distance.",
        ),
        (
            lambda kappa, factor: int(np.ceil(_steps(1 - 1 / kappa, factor))),
            "1 - 1 / kappa is the rate at the step 1 / λmax. At the best step it is (kappa - 1) / (kappa + 1).",
        ),
        (
            lambda kappa, factor: int(np.ceil(_steps(_rate(np.sqrt(kappa)), factor))),
            "The root of kappa belongs to momentum. Here it is kappa itself.",
        ),
        (
            lambda kappa, factor: int(np.ceil(np.log10(factor) / np.log(_rate(kappa)))),
            "You divided logarithms of two bases. Take the same one above and below.",
        ),
        (
            lambda kappa, factor: int(np.ceil(_steps(_rate(kappa), 1 / factor))),
            "The number of steps is negative: both logarithms belong to numbers below 1. Take factor, not 1 / factor.",
        ),
        (
            lambda kappa, factor: int(np.ceil(kappa / 2 * np.log(1 / factor))),
            "kappa / 2 * log(1 / factor) is near for a large kappa only. Take log(rate) itself, not -2 / kappa.",
        ),
        (
            lambda kappa, factor: round(_steps(_rate(kappa), factor)),
            "You rounded to the nearest whole number. Where that is down, the factor is not yet reached: round up.",
        ),
        (
            lambda kappa, factor: int(np.ceil(1 / factor * _rate(kappa))),
            "The error falls by a factor in each step, not by an amount: solve rate ** steps = factor.",
        ),
    ],
    hints=[
        "After t steps the distance is rate ** t times what it was. Set that equal to factor.",
        "t = log(factor) / log(rate) with rate = (kappa - 1) / (kappa + 1); int(np.ceil(t)) rounds up.",
    ],
)
def steps_needed(kappa, factor):
    rate = (kappa - 1) / (kappa + 1)
    return int(np.ceil(np.log(factor) / np.log(rate)))


def _moving(rng):
    """Return (w, velocity, gradient, learning_rate, momentum), none of them zero."""
    sizes = [(1, 0.1, 0.9), (3, 0.25, 0.5), (4, 0.02, 0.97)]
    return [(*rng.normal(size=(3, size)), rate, momentum) for size, rate, momentum in sizes]


def _momentum_with(change, move):
    """Return a mistaken step with another change of the velocity, or another move."""

    def mistaken(w, velocity, gradient, learning_rate, momentum):
        new = change(velocity, gradient, learning_rate, momentum)
        return move(w, velocity, new, gradient, learning_rate, momentum), new

    return mistaken


def _new_velocity(v, g, eta, mu):
    return mu * v + g


def _move(w, old, new, g, eta, mu):
    return w - eta * new


@exercise(
    task="Return (w, velocity) after one step of momentum: the velocity shrinks by `momentum` and takes up the"
    " gradient; w moves against the new velocity, `learning_rate` times as far.",
    cases=_moving,
    mistakes=[
        (
            _momentum_with(_new_velocity, lambda w, old, new, g, eta, mu: w - eta * old),
            "w moved with the old velocity. Change the velocity first, then move with the new one.",
        ),
        (
            _momentum_with(_new_velocity, lambda w, old, new, g, eta, mu: w + eta * new),
            "The velocity is right; w must move against it, with a minus.",
        ),
        (
            _momentum_with(lambda v, g, eta, mu: mu * v + (1 - mu) * g, _move),
            "You weighted the gradient by 1 - momentum. Such an average belongs to other methods; the heavy ball takes"
            " up the whole gradient.",
        ),
        (
            _momentum_with(lambda v, g, eta, mu: mu * v - eta * g, lambda w, old, new, g, eta, mu: w + new),
            "That is Keras's form: its velocity contains the learning rate. For a constant rate it takes w the same"
            " way, but the velocity asked for here is momentum * velocity + gradient.",
        ),
        (
            _momentum_with(lambda v, g, eta, mu: mu * v + eta * g, lambda w, old, new, g, eta, mu: w - new),
            "The learning rate stands inside the velocity. Here it multiplies the velocity only when w moves.",
        ),
        (
            _momentum_with(lambda v, g, eta, mu: mu * v - g, lambda w, old, new, g, eta, mu: w + eta * new),
            "Your velocity points downhill. Here it takes up the gradient with a plus, and w moves against it.",
        ),
        (
            lambda w, velocity, gradient, learning_rate, momentum: (
                momentum * velocity + gradient,
                w - learning_rate * (momentum * velocity + gradient),
            ),
            "Both values are right, in the wrong order: return (w, velocity).",
        ),
        (
            lambda w, velocity, gradient, learning_rate, momentum: (
                w - learning_rate * (momentum * velocity + gradient)
            ),
            "Only w came back. The next step needs the velocity, too: return (w, velocity).",
        ),
        (
            _momentum_with(_new_velocity, lambda w, old, new, g, eta, mu: w - eta * (g + mu * new)),
            "That is Nesterov's step. The heavy ball moves by the new velocity alone.",
        ),
        (
            _momentum_with(lambda v, g, eta, mu: v + mu * g, _move),
            "momentum stands at the gradient. It is the share of the old velocity that is kept.",
        ),
        (
            _momentum_with(_new_velocity, lambda w, old, new, g, eta, mu: w - eta * g),
            "The velocity is computed and then not used: w moves with it, not with the gradient.",
        ),
    ],
    hints=[
        "Two lines, in this order: the velocity, then w.",
        "velocity = momentum * velocity + gradient. Then w moves by -learning_rate * velocity.",
    ],
)
def momentum_step(w, velocity, gradient, learning_rate, momentum):
    velocity = momentum * velocity + gradient
    return w - learning_rate * velocity, velocity


def _regressions(rng):
    """Return (X, y, w, indices): fewer cases than rows, with repetitions, and a batch of one."""
    cases = []
    for rows, columns, size in [(12, 3, 5), (30, 4, 8), (7, 2, 1)]:
        X, y, w = rng.normal(size=(rows, columns)), rng.normal(size=rows), rng.normal(size=columns)
        indices = rng.integers(rows, size=size)
        indices[-1] = indices[0]  # drawn twice: counts twice
        cases.append((X, y, w, indices))
    return cases


def _residual(X, y, w, indices):
    return X[indices] @ w - y[indices]


@exercise(
    task="Return the gradient at w of half the mean squared error over the cases in `indices` (a case may stand there"
    " twice, and then counts twice).",
    cases=_regressions,
    mistakes=[
        (
            lambda X, y, w, indices: X[indices].T @ _residual(X, y, w, indices),
            "You took the sum. The mean does not grow with the batch, so the same learning rate fits another batch.",
        ),
        (
            lambda X, y, w, indices: X[indices].T @ _residual(X, y, w, indices) / len(y),
            "You divided by the number of all cases. Divide by the number in the batch, or the result is too small.",
        ),
        (
            lambda X, y, w, indices: X.T @ (X @ w - y) / len(y),
            "That is the gradient of all cases: `indices` is not used.",
        ),
        (
            lambda X, y, w, indices: X.T @ (X @ w - y) / len(indices),
            "The sum goes over all cases. Pick those of the batch first: X[indices] and y[indices].",
        ),
        (
            lambda X, y, w, indices: np.mean(_residual(X, y, w, indices) ** 2) / 2,
            "That is the loss of the batch. Asked is its gradient: one number for each weight.",
        ),
        (
            lambda X, y, w, indices: (
                X[np.unique(indices)].T @ _residual(X, y, w, np.unique(indices)) / len(np.unique(indices))
            ),
            "A case that was drawn twice counts twice. Leave np.unique and set out.",
        ),
        (
            lambda X, y, w, indices: -X[indices].T @ _residual(X, y, w, indices) / len(indices),
            "The sign is turned: the residual is X @ w - y, prediction minus truth.",
        ),
        (
            lambda X, y, w, indices: 2 * X[indices].T @ _residual(X, y, w, indices) / len(indices),
            "Twice too large: the loss has a half in front, which takes the 2 of the square away.",
        ),
        (
            lambda X, y, w, indices: X[indices].T @ _residual(X, y, w, indices) / len(indices) / 2,
            "Half too small: the derivative of the square gives a 2, and it takes the half away.",
        ),
        (
            lambda X, y, w, indices: X[indices].T @ (X[indices] @ w) / len(indices),
            "y is missing: the residual is X @ w - y.",
        ),
    ],
    hints=[
        "Pick the rows first: X[indices] and y[indices]. The rest is the gradient of a small data set.",
        "The residual r = X w - y, the gradient X'r divided by the number of rows in the batch.",
    ],
)
def minibatch_gradient(X, y, w, indices):
    residual = X[indices] @ w - y[indices]
    return X[indices].T @ residual / len(indices)


@exercise(
    task="Return the variance V of x at rest, under x <- x - η (λx + noise), for noise of variance sigma² / batch.",
    cases=lambda rng: [(0.1, 2.0, 3.0, 4), (1.5, 0.8, 0.5, 1), (0.02, 20.0, 1.3, 32)],
    mistakes=[
        (
            lambda learning_rate, curvature, sigma, batch: learning_rate * sigma**2 / (2 * curvature) / batch,
            "Right for tiny steps only: you dropped (ηλ)² from (1 - ηλ)². Keep it.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: (
                learning_rate * sigma**2 / (curvature * (2 - learning_rate * curvature))
            ),
            "The batch is missing. The mean of B independent gradients has variance sigma² / B.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: (
                learning_rate * sigma**2 / batch**2 / (curvature * (2 - learning_rate * curvature))
            ),
            "The variance of a mean of B falls with B, not with its square.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: (
                learning_rate * sigma**2 / batch / (2 * (2 - learning_rate * curvature))
            ),
            "That is the mean loss at rest, λV / 2. Asked is the variance V of x.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: np.sqrt(
                learning_rate * sigma**2 / batch / (curvature * (2 - learning_rate * curvature))
            ),
            "That is the standard deviation. Asked is the variance.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: (
                sigma**2 / batch / (curvature * (2 - learning_rate * curvature))
            ),
            "An η is missing: the noise enters the step multiplied by η, so its variance by η², and one of the two"
            " cancels.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: (
                learning_rate * sigma**2 / batch / (2 - learning_rate * curvature)
            ),
            "λ is missing below: 1 - (1 - ηλ)² = ηλ (2 - ηλ), and η cancels, not λ.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: (
                learning_rate * sigma / batch / (curvature * (2 - learning_rate * curvature))
            ),
            "sigma is the standard deviation; its square goes in.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: learning_rate**2 * sigma**2 / batch,
            "That is the noise of one step. What the steps before left behind, (1 - ηλ)² V, comes on top.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: learning_rate * sigma**2 / batch / curvature,
            "The factor is not squared: a variance is multiplied by (1 - ηλ)², not by 1 - ηλ.",
        ),
        (
            lambda learning_rate, curvature, sigma, batch: (
                learning_rate**2 * sigma**2 / batch / (1 - learning_rate * curvature) ** 2
            ),
            "You divided by (1 - ηλ)². Solve V = (1 - ηλ)² V + η² sigma² / B: bring both V to one side.",
        ),
    ],
    hints=[
        "In a step the variance V becomes (1 - ηλ)² V + η² sigma² / B. At rest it does not change. Solve for V.",
        "V (1 - (1 - ηλ)²) = η² sigma² / B, and 1 - (1 - ηλ)² = ηλ (2 - ηλ).",
    ],
)
def noise_floor(learning_rate, curvature, sigma, batch):
    shrink = 1 - learning_rate * curvature
    return learning_rate**2 * sigma**2 / batch / (1 - shrink**2)


def _tables(rng):
    """Return (train, test) of unequal sizes in unlike units; in the last one a column of train does not vary."""
    units, places = np.array([500.0, 0.01, 3.0]), np.array([-2000.0, 0.1, 0.0])
    cases = [
        (places + units * rng.normal(size=(n, 3)), places + units * rng.normal(size=(m, 3)) + units)
        for n, m in [(6, 3), (9, 4)]
    ]
    train, test = (table.copy() for table in cases[0])
    train[:, 1] = 0.25
    return [*cases, (train, test)]


def _standardise_with(fit, *, centre=True, scale=True, guard=True):
    """Return a mistaken standardisation: ``fit(train, test)`` gives the two tables that means and spreads come from."""

    def mistaken(train, test):
        done = []
        for table, source in zip((train, test), fit(train, test), strict=True):
            mean, spread = source.mean(axis=0), source.std(axis=0)
            if guard:
                spread = np.where(spread > 0, spread, 1.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                done.append((table - (mean if centre else 0)) / (spread if scale else 1))
        return tuple(done)

    return mistaken


def _by_whole_table(train, test):
    return tuple((table - train.mean()) / train.std() for table in (train, test))


def _with_n_minus_one(train, test):
    spread = train.std(axis=0, ddof=1)
    return tuple((table - train.mean(axis=0)) / np.where(spread > 0, spread, 1) for table in (train, test))


def _by_train(train, test):
    return train, train


def _by_overwritten_mean(train, test):
    train = train - train.mean(axis=0)
    test = test - train.mean(axis=0)
    spread = np.where(train.std(axis=0) > 0, train.std(axis=0), 1)
    return train / spread, test / spread


@exercise(
    task="Return (train, test), each column less the training mean and divided by the training standard deviation; a"
    " column that does not vary in training is divided by 1.",
    cases=_tables,
    mistakes=[
        (
            _standardise_with(lambda train, test: (train, test)),
            "The test patients were standardised by their own mean and spread: the same patient would get other values"
            " in other company. Use the training patients' for both.",
        ),
        (
            _standardise_with(lambda train, test: (np.concatenate([train, test]),) * 2),
            "Mean and spread come from training and test together: the test patients leaked into the training.",
        ),
        (
            _with_n_minus_one,
            "You divided by the standard deviation with n - 1 (ddof=1, the default of pandas). NumPy's default, and"
            " scikit-learn's StandardScaler, divide by n.",
        ),
        (
            _by_whole_table,
            "You took one mean and one spread for the whole table. Each column has its own: axis=0.",
        ),
        (_standardise_with(_by_train, scale=False), "Only the mean is taken away. Divide by the spread, too."),
        (_standardise_with(_by_train, centre=False), "You divided without taking the mean away first."),
        (
            _standardise_with(_by_train, guard=False),
            "A column that does not vary in training has the spread 0, and 0 / 0 is not a number. Divide it by 1.",
        ),
        (
            lambda train, test: tuple((t - train.mean(axis=0)) / (train.std(axis=0) + 1e-8) for t in (train, test)),
            "You added a small number to every spread. Where a column does not vary in training, another value in the"
            " test is then divided by that small number, and becomes millions. Divide such a column by 1.",
        ),
        (
            lambda train, test: _standardise_with(_by_train)(train, test)[0],
            "Only one table came back. Return two: (train, test), both by the training mean and spread.",
        ),
        (
            lambda train, test: _standardise_with(_by_train, guard=False)(train, test)[0],
            "Only one table came back. Return two: (train, test). And mind a column that does not vary: 0 / 0.",
        ),
        (
            lambda train, test: _standardise_with(_by_train)(train, test)[::-1],
            "Both tables are right, in the wrong order: return (train, test).",
        ),
        (
            _by_overwritten_mean,
            "The mean of the test table was taken from `train` after you had centred it, when it was 0. Store mean and"
            " spread first, and then use them for both.",
        ),
        (
            lambda train, test: (_standardise_with(_by_train)(train, test)[0], test),
            "The test table came back as it was. It gets the same treatment, with the training mean and spread.",
        ),
        (
            lambda train, test: tuple(
                (t - train.mean(axis=0)) / np.where(train.var(axis=0) > 0, train.var(axis=0), 1) for t in (train, test)
            ),
            "You divided by the variance. The standard deviation is its root, and has the column's own unit.",
        ),
        (
            lambda train, test: tuple(
                (table - table.mean(axis=1, keepdims=True)) / table.std(axis=1, keepdims=True)
                for table in (train, test)
            ),
            "You went along the rows. Patients stand in rows, features in columns: axis=0.",
        ),
    ],
    hints=[
        "Two lines compute mean and spread, of which table, along which axis?",
        "mean, spread = train.mean(axis=0), train.std(axis=0); then (table - mean) / spread for both tables.",
        "np.where(spread > 0, spread, 1.0) mends the column that does not vary.",
    ],
)
def standardise(train, test):
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return (train - mean) / spread, (test - mean) / spread


@exercise(
    task="Return w after one undamped Newton step, from the gradient and the Hessian at w, without an inverse matrix.",
    cases=lambda rng: [
        (rng.normal(size=2), rng.normal(size=2), _hessian(rng, (0.5, 3.0))),
        (rng.normal(size=3), rng.normal(size=3), _hessian(rng, (1.0, 2.0, 7.0))),
        (rng.normal(size=3), rng.normal(size=3), _hessian(rng, (-1.0, 0.4, 2.0))),
    ],
    mistakes=[
        (
            lambda w, gradient, hessian: w + np.linalg.solve(hessian, gradient),
            "The sign is turned: the gradient of the parabola, g + H d, is zero at d = -H⁻¹ g.",
        ),
        (
            lambda w, gradient, hessian: w - hessian @ gradient,
            "You multiplied by the Hessian. Newton divides by the curvature: np.linalg.solve(hessian, gradient).",
        ),
        (
            lambda w, gradient, hessian: w - gradient / np.diag(hessian),
            "You divided by the diagonal alone. The directions are coupled: solve the whole system.",
        ),
        (
            lambda w, gradient, hessian: w - (gradient / hessian).sum(axis=1),
            "1 / hessian inverts the entries, not the matrix. Use np.linalg.solve.",
        ),
        (
            lambda w, gradient, hessian: w - gradient / hessian,
            "gradient / hessian divides entry by entry, and a matrix comes back. To divide by a matrix is to solve a"
            " linear system: np.linalg.solve.",
        ),
        (
            lambda w, gradient, hessian: -np.linalg.solve(hessian, gradient),
            "That is the step alone. Add it to w.",
        ),
        (
            lambda w, gradient, hessian: np.linalg.solve(hessian, w - gradient),
            "w went into the system, too. Solve for the step from the gradient, then add the step to w.",
        ),
        (
            lambda w, gradient, hessian: w - np.linalg.solve(_absolute(hessian), gradient),
            "You took the eigenvalues' absolute values. A fine safeguard at a saddle, but not the undamped step.",
        ),
    ],
    hints=[
        "The parabola through your place has the gradient g + H d after a step d. Where is it zero?",
        "H d = -g is a linear system: np.linalg.solve(hessian, gradient) gives -d.",
    ],
)
def newton_step(w, gradient, hessian):
    return w - np.linalg.solve(hessian, gradient)


def _absolute(hessian):
    """Return the matrix with the eigenvalues' absolute values."""
    eigenvalues, axes = np.linalg.eigh(hessian)
    return axes @ np.diag(np.abs(eigenvalues)) @ axes.T
