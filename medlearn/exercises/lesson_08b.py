"""Exercises of lesson 08b, Networks with a memory: a recurrent cell, its gradient, the LSTM, truncation, the GRU."""

import numpy as np

from medlearn.exercises.engine import exercise


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _cell_arguments(rng, gates, inputs, hidden, *, states):
    """Return an input, the states and the weights of a cell, in PyTorch's shapes."""
    weights = [rng.normal(size=(gates * hidden, width)) for width in (inputs, hidden)]
    biases = [rng.normal(size=gates * hidden) for _ in range(2)]
    return (rng.normal(size=inputs), *(rng.normal(size=hidden) for _ in range(states)), *weights, *biases)


def _by_hand(*arrays):
    """Return small whole-number arguments, to be followed with pen and paper."""
    return tuple(np.array(array, dtype=float) for array in arrays)


def _states(x, U, W, b, *, slope=np.tanh):
    h, states = np.zeros(len(b)), []
    for x_t in x:
        h = slope(U @ x_t + W @ h + b)
        states.append(h)
    return np.array(states)


@exercise(
    task="Run the cell h_t = tanh(U x_t + W h_(t-1) + b) from h_0 = 0; return all states, shape (time, hidden).",
    cases=lambda rng: [
        (np.array([[1.0], [0.0], [0.0]]), np.array([[1.0]]), np.array([[0.5]]), np.array([0.0])),
        (rng.normal(size=(4, 2)), rng.normal(size=(3, 2)), rng.normal(size=(3, 3)), rng.normal(size=3)),
        (rng.normal(size=(5, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)),
    ],
    mistakes=[
        (
            lambda x, U, W, b: np.tanh(x @ U.T + b),
            "Each step forgets the one before. Add W @ h, with the h of the last step.",
        ),
        (
            lambda x, U, W, b: _states(x, U, W, b, slope=lambda a: a),
            "The tanh is missing: a state lies between -1 and 1.",
        ),
        (
            lambda x, U, W, b: _states(x, U, W.T, b),
            "You multiplied h from the left, h @ W. That is W transposed: write W @ h.",
        ),
        (
            lambda x, U, W, b: _states(x, U, W, b)[-1],
            "That is the last state. Keep all of them, one row for each time.",
        ),
        (
            lambda x, U, W, b: np.vstack([np.zeros(len(b)), _states(x, U, W, b)]),
            "There is a row too many: h_0 = 0 stands before the first sample and is not asked for.",
        ),
        (
            lambda x, U, W, b: np.vstack([np.zeros(len(b)), _states(x, U, W, b)[:-1]]),
            "You kept each state before it was renewed: h_0 to h_(T-1). First the new h, then append it.",
        ),
        (
            lambda x, U, W, b: _states(x[::-1], U, W, b),
            "You read the sequence from its end. x[0] comes first.",
        ),
        (
            lambda x, U, W, b: np.tile(_states(x, U, W, b)[-1], (len(x), 1)),
            "All rows are the last state: you appended one and the same array each time, and changed it in place."
            " Make a new h in each step: h = np.tanh(...).",
        ),
        (
            lambda x, U, W, b: _states(x, U, W, b).T,
            "The states stand in columns. One row for each time: shape (time, hidden).",
        ),
    ],
    hints=[
        "Begin with h = np.zeros(len(b)) and an empty list. A loop over the rows of x is a loop over time.",
        "In the loop: h = np.tanh(U @ x_t + W @ h + b), then append h. At the end np.array(states).",
    ],
)
def rnn_states(x, U, W, b):
    h, states = np.zeros(len(b)), []
    for x_t in x:
        h = np.tanh(U @ x_t + W @ h + b)
        states.append(h)
    return np.array(states)  # (time, hidden)


def _jacobian(states, W, start, *, first=1, earlier=0, columns=False, plain=False, backward=False):
    """Return a mistaken product: another range of times, the wrong slopes, or the factors in the wrong order."""
    product = np.eye(len(W))
    for t in range(start + first, len(states)):
        slopes = np.ones(len(W)) if plain else 1 - states[t - earlier] ** 2
        factor = W * slopes if columns else slopes[:, None] * W
        product = product @ factor if backward else factor @ product
    return product


@exercise(
    task="Return the Jacobian of the last state with respect to the state number `start`: row i, column j is"
    " d h_last[i] / d h_start[j].",
    cases=lambda rng: [
        (np.array([[0.0], [0.6], [0.8]]), np.array([[2.0]]), 0),
        (rng.uniform(-0.9, 0.9, size=(4, 3)), rng.normal(size=(3, 3)), 1),
        (rng.uniform(-0.9, 0.9, size=(6, 2)), rng.normal(size=(2, 2)), 0),
        (rng.uniform(-0.9, 0.9, size=(3, 2)), rng.normal(size=(2, 2)), 2),
    ],
    mistakes=[
        (
            lambda states, W, start: _jacobian(states, W, start, backward=True),
            "The factors stand in the wrong order. The latest time stands on the left: product = factor @ product.",
        ),
        (
            lambda states, W, start: _jacobian(states, W, start, first=0),
            "One factor too many: the step that leads to h_start does not count. Begin at start + 1.",
        ),
        (
            lambda states, W, start: _jacobian(states, W, start, plain=True),
            "The slopes are missing: each factor is diag(1 - h_t ** 2) @ W.",
        ),
        (
            lambda states, W, start: _jacobian(states, W, start, earlier=1),
            "The slope of the tanh in step t is 1 - h_t ** 2, with the state that comes out, not the one before.",
        ),
        (
            lambda states, W, start: _jacobian(states, W, start, columns=True),
            "You multiplied the columns of W. diag(s) @ W multiplies row i by s[i]: s[:, None] * W.",
        ),
        (
            lambda states, W, start: _jacobian(states, W, start).T,
            "That is the transpose, which carries a gradient back. Row i, column j is d h_last[i] / d h_start[j].",
        ),
        (
            lambda states, W, start: _jacobian(states, W.T, start),
            "W is transposed in each factor. Forwards it is diag(1 - h_t ** 2) @ W; W.T carries a gradient back.",
        ),
        (
            lambda states, W, start: _jacobian(states[:-1], W, start),
            "The last step is missing: the factors run from start + 1 to the last row, that one included.",
        ),
        (
            lambda states, W, start: np.prod(
                [np.eye(len(W)), *((1 - h**2)[:, None] * W for h in states[start + 1 :])], axis=0
            ),
            "You multiplied the factors entry by entry, with *. Matrices are chained with @.",
        ),
    ],
    hints=[
        "One step: d h_t / d h_(t-1) = diag(1 - h_t ** 2) @ W. Chain the steps start + 1 to the last.",
        "Begin with product = np.eye(len(W)). Multiply each new factor from the left.",
    ],
)
def jacobian_of_last(states, W, start):
    product = np.eye(len(W))
    for h in states[start + 1 :]:
        product = (1 - h**2)[:, None] * W @ product
    return product


def _largest(W):
    return np.linalg.svd(W, compute_uv=False).max()


@exercise(
    task="Return the largest factor by which a gradient can have grown (or must have shrunk) after `steps` steps.",
    cases=lambda rng: [
        (np.array([[0.5, 0.0], [0.0, 0.25]]), 3, 1.0),
        (np.array([[0.5, 4.0], [0.0, 0.5]]), 2, 1.0),
        (rng.normal(size=(3, 3)), 4, 0.25),
        (rng.normal(size=(4, 4)), 5, 0.8),
    ],
    mistakes=[
        (
            lambda W, steps, steepest: (steepest * np.abs(np.linalg.eigvals(W)).max()) ** steps,
            "That is the largest eigenvalue. It bounds no single step: [[0.5, 4], [0, 0.5]] has 0.5 and stretches by"
            " more than 4. Take the largest singular value.",
        ),
        (
            lambda W, steps, steepest: (steepest * np.linalg.eigvals(W).max()) ** steps,
            "That is an eigenvalue. It bounds no single step. Take the largest singular value.",
        ),
        (
            lambda W, steps, steepest: steepest**steps * np.linalg.norm(np.linalg.matrix_power(W, steps), 2),
            "That bounds W to the power of steps. But slopes stand between the factors, and may turn a vector into a"
            " worse direction: bound each step, then multiply.",
        ),
        (
            lambda W, steps, steepest: (steepest * np.linalg.norm(W)) ** steps,
            "np.linalg.norm of a matrix is the root of the sum of squares, which is larger. Use np.linalg.norm(W, 2).",
        ),
        (
            lambda W, steps, steepest: (steepest * np.abs(W).max()) ** steps,
            "That is the largest entry. Several entries act together: take the largest singular value.",
        ),
        (
            lambda W, steps, steepest: steepest * _largest(W) * steps,
            "Each step multiplies: the factors form a power, not a sum.",
        ),
        (
            lambda W, steps, steepest: steepest * _largest(W) ** steps,
            "The slope of the tanh acts in every step, too: (steepest * sigma) ** steps.",
        ),
        (
            lambda W, steps, steepest: steepest**steps * _largest(W),
            "The singular value acts in every step, too: (steepest * sigma) ** steps.",
        ),
        (
            lambda W, steps, steepest: _largest(W) ** steps,
            "You left out the slope: a step stretches by at most steepest * sigma.",
        ),
        (
            lambda W, steps, steepest: (steepest * _largest(W) ** 2) ** steps,
            "That is the largest eigenvalue of W.T @ W, the square of the singular value: take its root.",
        ),
        (
            lambda W, steps, steepest: (steepest * np.linalg.svd(W, compute_uv=False).min()) ** steps,
            "That is the smallest singular value: it bounds from below. np.linalg.norm(W, 2) is the largest.",
        ),
        (
            lambda W, steps, steepest: steepest * _largest(W),
            "That is the bound of one step. There are `steps` of them.",
        ),
    ],
    hints=[
        "How much longer can W.T make a vector? By its largest singular value: np.linalg.norm(W, 2).",
        "One step stretches by at most steepest * sigma, and there are `steps` of them.",
    ],
)
def gradient_bound(W, steps, steepest):
    return (steepest * np.linalg.norm(W, 2)) ** steps


def _lstm(x, h, c, W_ih, W_hh, b_ih, b_hh, *, order="ifgo", squash=np.tanh, both=True, output=np.tanh, swap=False):
    """Return a mistaken step: the blocks read in another order, a wrong squashing, a bias left out."""
    blocks = dict(zip(order, np.split(W_ih @ x + b_ih + W_hh @ h + b_hh * both, 4), strict=True))
    i, f, o = (_sigmoid(blocks[name]) for name in "ifo")
    new = f * c + i * squash(blocks["g"])
    return (new, o * output(new)) if swap else (o * output(new), new)


def _plain(c, sums):
    """Return a mistaken step of the LSTM: the gates are the sums themselves."""
    i, f, g, o = np.split(sums, 4)
    c = f * c + i * np.tanh(g)
    return o * np.tanh(c), c


@exercise(
    task="One step of the LSTM with PyTorch's weights (blocks in the order i, f, g, o): return the new h and c.",
    cases=lambda rng: [
        _by_hand([1], [0], [2], [[0], [0], [3], [1]], [[0], [0], [0], [0]], [0, 1, 0, 0], [0, 0, 0, 0]),
        _cell_arguments(rng, 4, 2, 3, states=2),
        _cell_arguments(rng, 4, 3, 2, states=2),
    ],
    mistakes=[
        (
            lambda *a: _lstm(*a, order="ifog"),
            "You read the blocks as i, f, o, g. In PyTorch the third is the candidate g, the last the output gate o.",
        ),
        (
            lambda *a: _lstm(*a, order="figo"),
            "Input gate and forget gate are exchanged: PyTorch's first block is i, the second f.",
        ),
        (lambda *a: _lstm(*a, squash=_sigmoid), "The candidate g may be negative: it takes tanh, not a sigmoid."),
        (lambda *a: _lstm(*a, both=False), "PyTorch has two biases, and both are added: b_ih and b_hh."),
        (lambda x, h, c, *w: _lstm(x, h, c, *w[:2], 0 * w[2], 0 * w[3]), "The biases are missing: add b_ih and b_hh."),
        (
            lambda x, h, c, W_ih, *w: _lstm(x, 0 * h, c, W_ih, *w),
            "The gates look at the new sample only. Add W_hh @ h.",
        ),
        (
            lambda x, h, c, W_ih, W_hh, b_ih, b_hh: _plain(c, W_ih @ x + b_ih + W_hh @ h + b_hh),
            "The gates are no gates yet: i, f and o take the sigmoid, which brings them between 0 and 1.",
        ),
        (lambda *a: _lstm(*a)[0], "That is the new h alone. Return two arrays: h, c."),
        (lambda *a: np.array(_lstm(*a)), "Both are right, in one array. Return two: h, c."),
        (lambda *a: _lstm(*a, output=lambda c: c), "The state that comes out is o * tanh(c): the tanh is missing."),
        (lambda *a: _lstm(*a, swap=True), "The two are right and exchanged: return h, then c."),
        (
            lambda x, h, c, *weights: (_lstm(x, h, c, *weights)[1], c),
            "You returned the new c and the old one. Return h = o * tanh(c) and the new c.",
        ),
        (
            lambda x, h, c, *weights: _lstm(x, h, np.zeros_like(c), *weights),
            "The old cell state is lost: the new one is f * c + i * g.",
        ),
        (
            lambda x, h, c, *weights: (
                _lstm(x, h, c, *weights, output=lambda new: np.tanh(c))[0],
                _lstm(x, h, c, *weights)[1],
            ),
            "The new h shows the old cell state. Renew c first: h = o * tanh(new c).",
        ),
    ],
    hints=[
        "One sum for all four: a = W_ih @ x + b_ih + W_hh @ h + b_hh. np.split(a, 4) cuts it into i, f, g, o.",
        "Three of them take the sigmoid 1 / (1 + np.exp(-a)), the candidate g takes tanh.",
        "c = f * c + i * g, then h = o * np.tanh(c). Return (h, c).",
    ],
)
def lstm_step(x, h, c, W_ih, W_hh, b_ih, b_hh):
    i, f, g, o = np.split(W_ih @ x + b_ih + W_hh @ h + b_hh, 4)  # (4 * hidden,) -> 4 of (hidden,)
    i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
    c = f * c + i * np.tanh(g)
    return o * np.tanh(c), c


def _count(inputs, hidden, layers, classes, *, gates=4, biases=2, deep=None, head=True, head_bias=True):
    deep = hidden if deep is None else deep
    widths = [inputs] + [deep] * (layers - 1)
    recurrent = sum(gates * (hidden * width + hidden * hidden + biases * hidden) for width in widths)
    return recurrent + head * (hidden * classes + classes * head_bias)


@exercise(
    task="Count the weights, biases included, of RNN(input_size, hidden_size, num_layers, num_classes).",
    cases=lambda rng: [(1, 2, 1, 2), (3, 5, 1, 4), (2, 4, 3, 5), (1, 64, 2, 2)],
    mistakes=[
        (
            lambda n, h, k, c: _count(n, h, k, c, biases=1),
            "PyTorch keeps two biases for each gate, b_ih and b_hh: 2 * hidden.",
        ),
        (lambda n, h, k, c: _count(n, h, k, c, gates=3), "That is the GRU's number. The LSTM has four blocks."),
        (lambda n, h, k, c: _count(n, h, k, c, gates=1), "That is the vanilla cell. The LSTM has four blocks of it."),
        (
            lambda n, h, k, c: _count(n, h, k, c, deep=n),
            "The second layer reads the states of the first: its input is hidden_size wide.",
        ),
        (
            lambda n, h, k, c: k * _count(n, h, 1, c, head=False) + h * c + c,
            "The second layer reads the states of the first: its input is hidden_size wide.",
        ),
        (lambda n, h, k, c: _count(n, h, k, c, head=False), "The linear layer behind the LSTM is missing."),
        (
            lambda n, h, k, c: _count(n, h, k, c, head_bias=False),
            "The linear layer has a bias for each class, too.",
        ),
        (
            lambda n, h, k, c: _count(n, h, k, c, biases=1, head_bias=False),
            "Count the biases: two for each gate of the LSTM (b_ih and b_hh), one for each class behind it.",
        ),
        (
            lambda n, h, k, c: _count(n, h, k, c, biases=0, head_bias=False),
            "You counted the matrices. Add the biases: two for each gate, one for each class.",
        ),
        (lambda n, h, k, c: _count(n, h, 1, c), "You counted one layer. There are num_layers of them."),
    ],
    hints=[
        "One gate: a matrix for the input (hidden * width), one for the state (hidden * hidden), two biases.",
        "Four gates a layer. The width is input_size in the first layer, hidden_size above. Then the linear layer.",
    ],
)
def count_weights(input_size, hidden_size, num_layers, num_classes):
    widths = [input_size] + [hidden_size] * (num_layers - 1)
    recurrent = sum(4 * hidden_size * (width + hidden_size + 2) for width in widths)
    return recurrent + (hidden_size + 1) * num_classes


@exercise(
    task="Return the bias b with sigmoid(b) ** steps == share.",
    cases=lambda rng: [(1, 0.5), (1, 0.9), (20, 0.5), (100, 0.01), (8, 0.3)],
    mistakes=[
        (
            lambda steps, share: share ** (1 / steps),
            "That is the gate's value f. The bias is what the sigmoid turns into it: ln(f / (1 - f)).",
        ),
        (
            lambda steps, share: np.log((1 - share ** (1 / steps)) / share ** (1 / steps)),
            "The sign is wrong: a gate above one half needs a positive bias. ln(f / (1 - f)).",
        ),
        (
            lambda steps, share: np.log(share / (1 - share)),
            "That bias leaves `share` after one step. It is multiplied again in every step: f = share ** (1 / steps).",
        ),
        (
            lambda steps, share: np.log(share / steps / (1 - share / steps)),
            "The gates multiply, so f is the root of share, not a fraction of it: share ** (1 / steps).",
        ),
        (
            lambda steps, share: np.log(share**steps / (1 - share**steps)),
            "You raised share to the power. The gate must be larger than share: share ** (1 / steps).",
        ),
        (
            lambda steps, share: 1 / (1 + np.exp(-(share ** (1 / steps)))),
            "You applied the sigmoid once more. Undo it: ln(f / (1 - f)).",
        ),
        (
            lambda steps, share: share ** (1 / steps) / (1 - share ** (1 / steps)),
            "Those are the odds f / (1 - f). The bias is their natural logarithm.",
        ),
        (
            lambda steps, share: np.log(share) / steps,
            "That is ln f. The inverse of the sigmoid is ln(f / (1 - f)): the part that is lost counts, too.",
        ),
    ],
    hints=[
        "First the gate: f ** steps = share, so f = share ** (1 / steps).",
        "Then solve f = 1 / (1 + exp(-b)) for b: the logit ln(f / (1 - f)).",
    ],
)
def forget_bias(steps, share):
    f = share ** (1 / steps)
    return np.log(f / (1 - f))


def _truncated(w, x, k, *, before=0.0, shift=0):
    """Return the derivative by the product rule, started k + shift steps before the end."""
    h, slope = before, 0.0
    start = max(len(x) - k - shift, 0)
    for t, value in enumerate(x):
        if t == start:
            slope = 0.0
        slope = h + w * slope
        h = w * h + value
    return slope


@exercise(
    task="Return dL/dw of L = h_T for h_t = w h_(t-1) + x_t with h_0 = 0, if the state before the last k steps is taken"
    " as a constant.",
    cases=lambda rng: [
        (0.5, [4.0, 2.0, 1.0], 1),
        (0.5, [4.0, 2.0, 1.0], 2),
        (0.5, [4.0, 2.0, 1.0], 3),
        (0.9, rng.normal(size=8).tolist(), 3),
        (-1.1, rng.normal(size=7).tolist(), 5),
    ],
    mistakes=[
        (
            lambda w, x, k: _truncated(w, x, len(x)),
            "That is the full gradient. Nothing flows further back than k steps: take k terms of the sum.",
        ),
        (
            lambda w, x, k: _truncated(w, x[-k:], k),
            "You began again with h = 0. The state is carried over: run from the first x, and cut the gradient only.",
        ),
        (
            lambda w, x, k: _truncated(w, x, k, shift=1),
            "One term too many: k steps give k terms, w ** 0 to w ** (k - 1).",
        ),
        (
            lambda w, x, k: _truncated(w, x, k, shift=-1),
            "One term too few: k steps give k terms, w ** 0 to w ** (k - 1).",
        ),
        (
            lambda w, x, k: w * _truncated(w, x, k),
            "One power too many: the last step, h_T = w h_(T-1) + x_T, gives h_(T-1) itself.",
        ),
        (
            lambda w, x, k: _truncated(w, x, len(x)) - _truncated(w, x, k),
            "That is what the truncation drops. Asked is what it keeps.",
        ),
        (
            lambda w, x, k: sum(w**j * x[len(x) - 1 - j] for j in range(k)),
            "You summed the inputs. The terms are states: w ** j * h_(T-1-j). Run the cell first, and keep its states.",
        ),
        (
            lambda w, x, k: sum(w**j * np.polyval(x[: len(x) - j], w) for j in range(k)),
            "Your sum begins with the last state, h_T itself. The first term is the state before it, h_(T-1).",
        ),
    ],
    hints=[
        "The full derivative is the sum over j = 0, 1, 2, ... of w ** j * h_(T-1-j). Which terms are left?",
        "Keep the states [h_0, ..., h_T]. The term j has states[-2 - j], and j runs from 0 to k - 1.",
    ],
)
def truncated_gradient(w, x, k):
    states = [0.0]
    for value in x:
        states.append(w * states[-1] + value)
    return sum(w**j * states[-2 - j] for j in range(k))


def _gru(x, h, W_ih, W_hh, b_ih, b_hh, *, order="rzn", reset="sum", keep=True, squash=np.tanh):
    """Return a mistaken step: the blocks in another order, the reset in another place, the mixture turned round."""
    ours = dict(zip(order, np.split(W_ih @ x + b_ih, 3), strict=True))
    W, b = (dict(zip(order, np.split(whole, 3), strict=True)) for whole in (W_hh, b_hh))
    r, z = (_sigmoid(ours[name] + W[name] @ h + b[name]) for name in "rz")
    memory = {
        "sum": r * (W["n"] @ h + b["n"]), "product": r * (W["n"] @ h) + b["n"], "state": W["n"] @ (r * h) + b["n"],
        "never": W["n"] @ h + b["n"], "all": r * (ours["n"] + W["n"] @ h + b["n"]) - ours["n"],
    }  # fmt: skip
    n = squash(ours["n"] + memory[reset])
    return (1 - z) * n + z * h if keep else z * n + (1 - z) * h


@exercise(
    task="One step of the GRU with PyTorch's weights (blocks in the order r, z, n): return the new h.",
    cases=lambda rng: [
        _by_hand([1], [2], [[0], [0], [0.5]], [[0], [0], [1]], [0, 1, 0], [0, 0, 1]),
        _cell_arguments(rng, 3, 2, 3, states=1),
        _cell_arguments(rng, 3, 3, 2, states=1),
    ],
    mistakes=[
        (
            lambda *a: _gru(*a, reset="state"),
            "You reset h before its matrix, as the GRU was first published. PyTorch resets after it:"
            " r * (W_hn @ h + b_hn).",
        ),
        (
            lambda *a: _gru(*a, reset="all"),
            "The reset gate acts on the state's part alone, r * (W_hn @ h + b_hn), not on the input's.",
        ),
        (lambda x, h, *w: _gru(x, h, *w[:2], 0 * w[2], 0 * w[3]), "The biases are missing: add b_ih and b_hh."),
        (lambda *a: _gru(*a, reset="product"), "The bias b_hn stands inside the bracket: r * (W_hn @ h + b_hn)."),
        (
            lambda *a: _gru(*a, keep=False),
            "z is turned round: in PyTorch z says how much of the OLD state is kept, (1 - z) * n + z * h.",
        ),
        (
            lambda *a: _gru(*a, order="zrn"),
            "You read the blocks as z, r, n (Keras's order). In PyTorch the reset gate r is the first.",
        ),
        (lambda *a: _gru(*a, squash=_sigmoid), "The candidate n takes tanh, not a sigmoid."),
        (
            lambda *a: _gru(*a, reset="never"),
            "The reset gate does nothing yet: it multiplies the state's part of the candidate.",
        ),
    ],
    hints=[
        "Split both sums: a_r, a_z, a_n of W_ih @ x + b_ih, and s_r, s_z, s_n of W_hh @ h + b_hh.",
        "r and z are sigmoids of a + s. The candidate is n = tanh(a_n + r * s_n).",
        "The new state is (1 - z) * n + z * h.",
    ],
)
def gru_step(x, h, W_ih, W_hh, b_ih, b_hh):
    a_r, a_z, a_n = np.split(W_ih @ x + b_ih, 3)  # (3 * hidden,) -> 3 of (hidden,)
    s_r, s_z, s_n = np.split(W_hh @ h + b_hh, 3)
    r, z = 1 / (1 + np.exp(-a_r - s_r)), 1 / (1 + np.exp(-a_z - s_z))
    return (1 - z) * np.tanh(a_n + r * s_n) + z * h
