"""Exercises of lesson 02, Convolution: each solution, and the usual mistakes as running code."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from medlearn.exercises.engine import exercise


def _signals(rng):
    """Return pairs of 1-D arrays whose kernels are not symmetric."""
    return [
        (np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5])),
        (rng.normal(size=9), rng.normal(size=4)),
        (rng.normal(size=5), rng.normal(size=1)),
    ]


@exercise(
    task="Return the full convolution of two 1-D arrays from its sum, without np.convolve.",
    cases=_signals,
    mistakes=[
        (
            lambda signal, kernel: np.correlate(signal, kernel, mode="full"),
            "You correlated: your kernel runs forwards. In the sum it stands as g[n - k], so it runs backwards.",
        ),
        (
            lambda signal, kernel: np.convolve(signal, kernel, mode="full")[: len(signal)],
            "The values are right and the end is missing. The last product is signal[-1] * kernel[-1], at"
            " n = (N - 1) + (M - 1): the result has N + M - 1 values.",
        ),
        (
            lambda signal, kernel: np.append(np.convolve(signal, kernel), 0.0),
            "One value too many. The largest n is (N - 1) + (M - 1), and counting from 0 that makes N + M - 1.",
        ),
        (
            lambda signal, kernel: np.convolve(signal, kernel, mode="valid"),
            "You kept only the places where the kernel fits inside the signal. The full result also has those"
            " where it hangs over an end.",
        ),
    ],
    hints=[
        "How long is the result? The smallest n has one product, signal[0] * kernel[0]. So has the largest.",
        "Start with zeros of length N + M - 1. Each pair (k, m) belongs to one n. Which?",
        "Two loops, over k and over m, and one line: result[k + m] += signal[k] * kernel[m].",
    ],
)
def convolve(signal, kernel):
    result = np.zeros(len(signal) + len(kernel) - 1)
    for k, value in enumerate(signal):
        for m, weight in enumerate(kernel):
            result[k + m] += value * weight  # n = k + m, so m = n - k
    return result


_BY_HAND = (
    np.array([[1, 0, 2], [3, 1, 0], [0, 2, 1]]),
    np.array([[1, 2, 0], [0, 1, -1], [3, 0, 0]]),
)


def _by_hand_with(turn):
    """Return the mistaken answer that arises when ``turn`` stands in for the flip."""
    image, kernel = _BY_HAND
    return lambda: int(np.sum(image * turn(kernel)))


@exercise(
    task="Give the one value of the valid convolution of the 3x3 image with the 3x3 kernel.",
    mistakes=[
        (_by_hand_with(lambda w: w), "That is the cross-correlation. Turn the kernel by 180 degrees first."),
        (_by_hand_with(lambda w: w[::-1]), "You flipped the kernel top to bottom only. Flip it left to right too."),
        (_by_hand_with(lambda w: w[:, ::-1]), "You flipped the kernel left to right only. Flip it top to bottom too."),
        (_by_hand_with(lambda w: w.T), "You transposed the kernel. Turning by 180 degrees is something else."),
    ],
    hints=[
        "Write the kernel down again, beginning with its last value: the bottom right one comes to the top left.",
        "The turned kernel is [[0, 0, 3], [-1, 1, 0], [0, 2, 1]]. Multiply it with the image, cell by cell, and add.",
    ],
)
def by_hand():
    image = np.array([[1, 0, 2], [3, 1, 0], [0, 2, 1]])
    kernel = np.array([[1, 2, 0], [0, 1, -1], [3, 0, 0]])
    return int(np.sum(image * kernel[::-1, ::-1]))


def _images(rng):
    """Return images and kernels, square and not: code that takes one side for both must fail."""
    return [
        (rng.normal(size=(6, 8)), rng.normal(size=(3, 3))),
        (rng.normal(size=(5, 5)), rng.normal(size=(2, 2))),
        (rng.normal(size=(6, 7)), rng.normal(size=(2, 4))),
    ]


def _windows_with(turn, *, cut=False):
    """Return a mistaken 2-D convolution that turns the kernel in another way, or loses the last row and column."""

    def mistaken(image, kernel):
        windows = sliding_window_view(image, kernel.shape)
        result = np.einsum("ijuv,uv->ij", windows, turn(kernel))
        return result[:-1, :-1] if cut else result

    return mistaken


def _both(kernel):
    return kernel[::-1, ::-1]


@exercise(
    task="Return the valid 2-D convolution of an image with a kernel, with sliding_window_view and no loop.",
    cases=_images,
    mistakes=[
        (
            _windows_with(lambda w: w),
            "You correlated: the kernel is not flipped. Use kernel[::-1, ::-1].",
        ),
        (
            _windows_with(lambda w: w[::-1]),
            "kernel[::-1] flips the rows only. A 2-D convolution flips the columns too.",
        ),
        (
            _windows_with(lambda w: w[:, ::-1]),
            "kernel[:, ::-1] flips the columns only. A 2-D convolution flips the rows too.",
        ),
        (
            _windows_with(_both, cut=True),
            "Off by one: the last row and column are missing. An image of H rows has H - K + 1 places for K rows.",
        ),
    ],
    hints=[
        "sliding_window_view(image, kernel.shape) has four axes: where the window is (2), and what is in it (2).",
        "Flip the kernel on both axes, multiply, and sum over the last two axes. einsum does it in one line.",
        'np.einsum("ijuv,uv->ij", windows, kernel[::-1, ::-1])',
    ],
)
def convolve2d(image, kernel):
    windows = sliding_window_view(image, kernel.shape)  # (H - K + 1, W - L + 1, K, L)
    return np.einsum("ijuv,uv->ij", windows, kernel[::-1, ::-1])


@exercise(
    task="Return how many values a layer gives along one axis: an integer.",
    cases=lambda rng: [
        (512, 3, 1, 1, 1),
        (512, 3, 1, 2, 1),
        (29, 5, 2, 3, 1),
        (31, 3, 2, 2, 2),
        (7, 3, 0, 2, 3),
        (10, 4, 3, 4, 2),
    ],
    mistakes=[
        (
            lambda size, kernel, padding, stride, dilation: (
                -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1
            ),
            "You rounded up. A last step that does not fit is left out: round down.",
        ),
        (
            lambda size, kernel, padding, stride, dilation: (
                (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
            ),
            "There are no half places: divide with //, which rounds down.",
        ),
        (
            lambda size, kernel, padding, stride, dilation: (
                (size + 2 * padding - dilation * (kernel - 1)) // stride + 1
            ),
            "The span is one too small: K values, D apart, span D * (K - 1) + 1 cells.",
        ),
        (
            lambda size, kernel, padding, stride, dilation: (size + 2 * padding - dilation * kernel) // stride + 1,
            "The span is not D * K: after the last value there is no gap. It is D * (K - 1) + 1.",
        ),
        (
            lambda size, kernel, padding, stride, dilation: (
                (size + padding - dilation * (kernel - 1) - 1) // stride + 1
            ),
            "The padding is counted once. It is added at both ends: 2 * padding.",
        ),
        (
            lambda size, kernel, padding, stride, dilation: (size + 2 * padding - kernel) // stride + 1,
            "The dilation is forgotten. A kernel of K values with dilation D spans D * (K - 1) + 1 cells.",
        ),
        (
            lambda size, kernel, padding, stride, dilation: (
                (size + 2 * padding - dilation * (kernel - 1) - 1) // stride
            ),
            "Off by one: you counted the steps. The places are one more than the steps between them.",
        ),
        (
            lambda size, kernel, padding, stride, dilation: size // stride + 2 * padding - dilation * (kernel - 1),
            "You applied the stride to the image before padding it. Pad first, then step.",
        ),
    ],
    hints=[
        "Along the axis there are size + 2 * padding cells. How many of them does the dilated kernel cover at once?",
        "It covers span = dilation * (kernel - 1) + 1 cells. Its first cell may go from 0 to padded - span.",
        "Among 0, stride, 2 * stride, ... up to padded - span there are (padded - span) // stride + 1 values.",
    ],
)
def output_size(size, kernel, padding, stride, dilation):
    padded = size + 2 * padding
    span = dilation * (kernel - 1) + 1
    return (padded - span) // stride + 1


def _through_fourier(signal, kernel, length, *, conjugate=False):
    """Multiply two spectra of a given length."""
    spectrum = np.fft.rfft(kernel, length)
    return np.fft.irfft(np.fft.rfft(signal, length) * (spectrum.conj() if conjugate else spectrum), length)


@exercise(
    task="Return the full convolution of two 1-D arrays through np.fft, as real numbers.",
    cases=lambda rng: [
        (np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 0.5])),
        (rng.normal(size=9), rng.normal(size=4)),
        (rng.normal(size=16), rng.normal(size=5)),
    ],
    mistakes=[
        (
            lambda signal, kernel: np.fft.irfft(
                np.fft.rfft(signal, len(signal) + len(kernel) - 1) * np.fft.rfft(kernel, len(signal) + len(kernel) - 1)
            ),
            "irfft takes the length to be even unless you tell it: give N + M - 1 as its second argument.",
        ),
        (
            lambda signal, kernel: np.abs(_through_fourier(signal, kernel, len(signal) + len(kernel) - 1)),
            "abs makes negative values positive. Take .real.",
        ),
        (
            lambda signal, kernel: _through_fourier(signal, kernel, len(signal)),
            "It wrapped round: what should hang over the end came back in at the start. Both transforms need the"
            " length of the result, N + M - 1.",
        ),
        (
            lambda signal, kernel: _through_fourier(signal, kernel, len(signal) + len(kernel)),
            "One value too many: the full result has N + M - 1 values.",
        ),
        (
            lambda signal, kernel: _through_fourier(signal, kernel, len(signal) + len(kernel) - 1, conjugate=True),
            "The conjugate spectrum gives the cross-correlation. The theorem for convolution has no conjugate.",
        ),
        (
            lambda signal, kernel: _through_fourier(signal, kernel, len(signal) + len(kernel) - 1) + 0j,
            "The result is complex; its imaginary parts are nothing but rounding. Take .real, or use rfft and irfft.",
        ),
    ],
    hints=[
        "How long is the full convolution? np.fft.rfft(array, length) pads with zeros to that length.",
        "Transform both to length N + M - 1, multiply, and transform back. Tell irfft the length too.",
    ],
)
def fft_convolve(signal, kernel):
    length = len(signal) + len(kernel) - 1
    return np.fft.irfft(np.fft.rfft(signal, length) * np.fft.rfft(kernel, length), length)


@exercise(
    task="Return the factor by which a kernel changes the standard deviation of white noise.",
    cases=lambda rng: [
        (np.full((3, 3), 1 / 9),),
        (np.array([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]),),
        (rng.normal(size=(5, 5)),),
    ],
    mistakes=[
        (
            lambda kernel: np.sum(kernel**2),
            "That is the factor of the variance. The standard deviation is its square root.",
        ),
        (
            lambda kernel: np.sum(kernel),
            "That is the factor of a constant image. Independent noise adds by its squares.",
        ),
        (
            lambda kernel: np.sum(np.abs(kernel)),
            "Adding |w| supposes that all the noise pulls the same way. Independent variances add: use squares.",
        ),
        (
            lambda kernel: np.sqrt(np.mean(kernel**2)),
            "You took the mean of the squares. The variances add; nothing divides them by their number.",
        ),
        (lambda kernel: np.std(kernel), "That is the spread of the weights, not of the noise they let through."),
    ],
    hints=[
        "An output pixel is a sum of w * noise. What is the variance of w * noise, if the noise has variance 1?",
        "Variances of independent terms add. So the variance grows by the sum of w squared. And the deviation?",
    ],
)
def noise_gain(kernel):
    return np.sqrt(np.sum(kernel**2))


def _tiles(image, size):
    rows, columns = image.shape
    return image.reshape(rows // size, size, columns // size, size)


@exercise(
    task="Return the largest value of every size x size tile of an image; its sides are multiples of size.",
    cases=lambda rng: [(rng.normal(size=(4, 6)), 2), (rng.normal(size=(9, 6)) - 3, 3)],
    mistakes=[
        (lambda image, size: _tiles(image, size).mean(axis=(1, 3)), "That is mean pooling. Take the largest value."),
        (
            lambda image, size: np.maximum(0, _tiles(image, size).max(axis=(1, 3))),
            "Tiles of negative values came out as 0: the search for the largest started from 0. Start from the tile's"
            " first value, or from -np.inf.",
        ),
        (
            lambda image, size: image.reshape(image.shape[0] // size, image.shape[1] // size, size, size).max(
                axis=(2, 3)
            ),
            "reshape does not cut tiles: each size must follow its own axis, (rows // size, size, columns // size,"
            " size).",
        ),
        (
            lambda image, size: _tiles(image, size).max(axis=(0, 2)),
            "You took the maximum over the tiles; take it inside them: axes 1 and 3.",
        ),
        (
            lambda image, size: sliding_window_view(image, (size, size)).max(axis=(2, 3)),
            "Your windows overlap: the stride is 1. The tiles stand side by side, with a stride of size.",
        ),
        (
            lambda image, size: image.reshape(size, image.shape[0] // size, size, image.shape[1] // size).max(
                axis=(0, 2)
            ),
            "The axes of the reshape are swapped. Neighbours must stay together: (rows // size, size, ...).",
        ),
        (
            lambda image, size: image[::size, ::size],
            "You took one pixel of each tile, not the largest of them.",
        ),
    ],
    hints=[
        "Reshape the image to four axes: which tile row, which row in it, which tile column, which column in it.",
        "image.reshape(H // size, size, W // size, size), then the maximum over the axes 1 and 3.",
    ],
)
def max_pool(image, size):
    rows, columns = image.shape
    tiles = image.reshape(rows // size, size, columns // size, size)
    return tiles.max(axis=(1, 3))


def _walk(layers, *, grow, step):
    """Walk through layers with a rule for the field and one for the jump: a receptive field, right or wrong."""
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field = grow(field, jump, kernel, stride, dilation)
        jump = step(jump, stride)
    return field


@exercise(
    task="Return the receptive field, in input pixels, of a stack of layers (kernel, stride, dilation).",
    cases=lambda rng: [
        ([(3, 1, 1), (3, 1, 1)],),
        ([(3, 2, 1), (3, 1, 1), (3, 2, 1), (5, 1, 1)],),
        ([(3, 1, 1), (3, 1, 2), (3, 1, 4)],),
        ([(7, 2, 1), (3, 2, 1), (3, 1, 2)],),
    ],
    mistakes=[
        (
            lambda layers: _walk(layers, grow=lambda f, j, k, s, d: f + (k - 1) * d, step=lambda j, s: 1),
            "The strides are missing. After a stride of 2, one step is two input pixels: multiply the strides so far.",
        ),
        (
            lambda layers: _walk(layers, grow=lambda f, j, k, s, d: f + (k - 1) * d * j, step=lambda j, s: s),
            "You used the stride of the layer before only. All strides so far multiply.",
        ),
        (
            lambda layers: _walk(layers, grow=lambda f, j, k, s, d: f + (k - 1) * d * j * s, step=lambda j, s: j * s),
            "A layer's own stride comes too early. It spreads the layers after it, not its own kernel.",
        ),
        (
            lambda layers: _walk(layers, grow=lambda f, j, k, s, d: f + (k - 1) * j, step=lambda j, s: j * s),
            "The dilation is forgotten: a kernel of K values reaches (K - 1) * dilation steps.",
        ),
        (
            lambda layers: _walk(layers, grow=lambda f, j, k, s, d: f + k * d * j, step=lambda j, s: j * s),
            "Each layer adds K - 1 steps, not K: one of its pixels was counted already.",
        ),
        (
            lambda layers: _walk(layers, grow=lambda f, j, k, s, d: f + (k - 1) * d * j, step=lambda j, s: j * s) - 1,
            "One too few: with no layer at all a pixel sees itself, so the field starts at 1.",
        ),
        (
            lambda layers: _walk(layers, grow=lambda f, j, k, s, d: f + ((k - 1) * d + 1) * j, step=lambda j, s: j * s),
            "You added the whole span. One of its pixels was counted already: add (K - 1) * D steps.",
        ),
        (
            lambda layers: int(np.prod([kernel for kernel, _, _ in layers])),
            "Kernel sizes do not multiply. Each layer adds its kernel's reach.",
        ),
    ],
    hints=[
        "Carry two numbers through the layers: field (starts at 1), and jump, the input pixels per step (starts at 1).",
        "A layer adds (kernel - 1) * dilation steps of the grid it reads. Each such step is `jump` input pixels; its"
        " own stride counts only for the layers after it.",
        "field += (kernel - 1) * dilation * jump, and only then jump *= stride.",
    ],
)
def receptive_field(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field


def _gradient_with(turn, pad):
    """Return a mistaken gradient with another turn of the kernel, or another padding (as a share of the full one)."""

    def mistaken(upstream, kernel):
        width = [(round(pad * (k - 1)),) * 2 for k in kernel.shape]
        return np.einsum("ijuv,uv->ij", sliding_window_view(np.pad(upstream, width), kernel.shape), turn(kernel))

    return mistaken


@exercise(
    task="Return dL/dx of the layer y = x correlated with w (valid), from upstream = dL/dy and kernel = w.",
    cases=lambda rng: [
        (rng.normal(size=(4, 5)), rng.normal(size=(3, 3))),
        (rng.normal(size=(6, 6)), rng.normal(size=(5, 5))),
        (rng.normal(size=(5, 4)), rng.normal(size=(3, 2))),
    ],
    mistakes=[
        (
            _gradient_with(lambda w: w, 1),
            "The shape is right, and the kernel is not flipped. In the derivation it stands as w[m - i]: backwards.",
        ),
        (
            _gradient_with(_both, 0),
            "That is the valid convolution. Border pixels of x also have a gradient: the result has the shape of x,"
            " so the convolution is full.",
        ),
        (
            _gradient_with(lambda w: w, 0),
            "Two things: the kernel is not flipped, and the convolution is valid where it must be full.",
        ),
        (
            _gradient_with(_both, 0.5),
            'That is mode "same", the shape of y. The gradient has the shape of x, which is larger: use the full one.',
        ),
    ],
    hints=[
        "The gradient has the shape of x. How much larger is x than y?",
        "Pad upstream with K - 1 zeros on every side, then slide the flipped kernel over it.",
        'np.einsum("ijuv,uv->ij", sliding_window_view(padded, kernel.shape), kernel[::-1, ::-1])',
    ],
)
def input_gradient(upstream, kernel):
    rows, columns = kernel.shape
    padded = np.pad(upstream, ((rows - 1, rows - 1), (columns - 1, columns - 1)))
    windows = sliding_window_view(padded, kernel.shape)
    return np.einsum("ijuv,uv->ij", windows, kernel[::-1, ::-1])
