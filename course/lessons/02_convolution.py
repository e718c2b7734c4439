# %% [markdown]
# Open the header of a CT slice and you will mostly find an attribute called *Convolution Kernel* (0018,1210). Blurring
# a picture, sharpening it, looking for edges, and the first layer of almost every network for images are all the same
# sum, with other weights. You will derive that sum, write it three ways, and hold it against three libraries. Then you
# use it on a real CT slice. At the end you turn the question round: input and output are known, which kernel was it?
# That is how a network learns.
#
# The slice is a real head, and comes with pydicom. Where noise is simulated, the text says so. The lesson takes about two
# hours; the two exercises marked *further* come on top of that.

# %% [markdown]
# ## From the integral to the sum
# No scanner shows a point as a point. It spreads the point over its neighbours, by a profile $g$: the [point spread
# function](glossary:point-spread-function). Suppose that spreads add up, and that $g$ is the same everywhere. Then the
# image at $x$ collects what every place $t$ sends there, which is $f(t)$ times the profile at distance $x - t$:
#
# $$(f*g)(x)=\int f(t)\,g(x-t)\,dt .$$
#
# This is the [convolution](glossary:convolution) of $f$ and $g$. Substitute $u = x - t$ and the two change places:
# $(f*g)(x)=\int g(u)\,f(x-u)\,du=(g*f)(x)$. Convolution **commutes**.
#
# A computer has samples, a step $h$ apart. It replaces the integral by a Riemann sum:
#
# $$(f*g)(x)\approx h\sum_k f(t_k)\,g(x-t_k),\qquad t_k = kh .$$
#
# Is that good enough? Test it where the integral is known: a box with itself gives a triangle, a triangle with itself
# gives a cubic spline, and Gaussians of $\sigma = 0.75$ and $1$ give a Gaussian of $\sqrt{0.75^2 + 1^2} = 1.25$,
# because variances add.

# %%
def box(t):
    return (np.abs(t) <= 0.5).astype(float)


def triangle(t):
    return np.maximum(0, 1 - np.abs(t))


def spline(t):
    return np.where(np.abs(t) < 1, 2 / 3 - t**2 + np.abs(t) ** 3 / 2, np.maximum(0, 2 - np.abs(t)) ** 3 / 6)


def gauss(sigma):
    return lambda t: np.exp(-(t**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))


# %% [markdown]
# **Predict:** you halve the step $h$. By which factor does the error fall for the boxes, which jump? For the
# triangles, which have a kink? For the Gaussians, which are smooth?

# %%
def riemann_convolution(f, g, x, h):
    t = np.arange(-8, 8, h)
    return h * np.sum(f(t) * g(x[:, np.newaxis] - t), axis=1)  # (len(x), len(t)) -> (len(x),)


pairs = {
    "box * box": (box, box, triangle),
    "triangle * triangle": (triangle, triangle, spline),
    "Gauss * Gauss": (gauss(0.75), gauss(1), gauss(1.25)),
}
x, steps = np.arange(-192, 193) / 64, 0.5 ** np.arange(9)
errors = {
    name: np.array([np.abs(riemann_convolution(f, g, x, h) - exact(x)).max() for h in steps])
    for name, (f, g, exact) in pairs.items()
}

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.5, 4))
for (name, error), marker in zip(errors.items(), "so^"):
    axes.loglog(steps, np.maximum(error, 1e-17), marker=marker, label=name)
axes.set(xlabel="step $h$", ylabel="largest error of the sum", title="The sum converges to the integral")
axes.legend()
plots.picture(
    figure,
    alt="Error against step on logarithmic axes. The boxes fall on a line of slope 1, the triangles on one of slope 2, "
    "the Gaussians drop to 1e-16 within three points.",
)

# %% tags=["nbval-check-output"]
orders = {name: np.polyfit(np.log(steps[2:]), np.log(errors[name][2:]), 1)[0] for name in list(pairs)[:2]}
for name, order in orders.items():
    print(f"{name}: error ~ h^{order:.2f}")
print(f"Gauss * Gauss: error {errors['Gauss * Gauss'][0]:.0e} at h = 1, below 1e-11 at h = 1/2")
assert abs(orders["box * box"] - 1) < 0.05 and abs(orders["triangle * triangle"] - 2) < 0.05
assert errors["Gauss * Gauss"][1] < 1e-11 and errors["Gauss * Gauss"][2:].max() < 1e-15

# %% [markdown]
# The jump costs you: halving $h$ halves the error (order 1). The kink gives order 2, a quarter. The smooth pair beats
# every power of $h$. With four samples per unit nothing is left but rounding ([Trefethen and Weideman
# 2014](https://doi.org/10.1137/130932132) say why). So for Gaussians like these, with four samples or so per standard
# deviation, the sum is no makeshift: it equals the integral to the last digits. Drag the slider, and watch the flipped
# $g$ travel over $f$; the shaded area is the integral. (The box here is 2 wide.)

# %%
widgets.explore_convolution()

# %% [markdown]
# From here on the pixel is the unit, $h = 1$, and the definition is
#
# $$(f*g)[n]=\sum_k f[k]\,g[n-k].$$
#
# With $N$ samples in $f$ and $M$ in $g$, the first $n$ with a product is $0 + 0$ and the last is $(N-1)+(M-1)$: the
# *full* convolution has $N+M-1$ values.
#
# ### Exercise: the sum
# Write the full convolution of two 1-D arrays. Use loops, and no `np.convolve`.

# %% tags=["exercise"]
def convolve(signal, kernel):
    """Return the full convolution: N + M - 1 values."""
    return ...  # your code


# %% tags=["check"]
ex.convolve.check(convolve)

# %% [markdown]
# ## Two dimensions: flip, slide, multiply, add
# An image has two indices, so the sum has two:
#
# $$(I*w)[i,j]=\sum_{u}\sum_{v} I[u,v]\;w[i-u,\,j-v].$$
#
# The kernel runs backwards along **both** axes. In other words: turn it by 180 degrees, lay it on the image, multiply
# what lies on top of each other, add. By hand, with an edge that brightens to the right:
#
# $$I=\begin{pmatrix}10&10&40\\10&20&50\\10&30&60\end{pmatrix}\qquad
# w=\begin{pmatrix}1&0&-1\\2&0&-2\\1&0&-1\end{pmatrix}\qquad
# w\text{ turned}=\begin{pmatrix}-1&0&1\\-2&0&2\\-1&0&1\end{pmatrix}$$
#
# Row by row: $(-10+40)+(-20+100)+(-10+60)=30+80+50=160$.
#
# **Predict:** what comes out if you forget to turn the kernel?

# %%
import scipy.signal

patch = np.array([[10, 10, 40], [10, 20, 50], [10, 30, 60]])
sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
print("turned    (convolution)      ", np.sum(patch * sobel[::-1, ::-1]))
print("not turned (cross-correlation)", np.sum(patch * sobel))
by_scipy = [f(patch, sobel, mode="valid") for f in (scipy.signal.convolve2d, scipy.signal.correlate2d)]
print("SciPy", *by_scipy)
assert by_scipy[0].item() == np.sum(patch * sobel[::-1, ::-1]) == 160

# %% [markdown]
# Here the sign changes, because this kernel turned is its own negative. Without the turn the sum is called [cross-correlation](glossary:cross-correlation),
# $(I\star w)[i,j]=\sum_{u,v}I[i+u,j+v]\,w[u,v]$. What does each do to a single bright point?

# %% tags=["hide-input"]
point = np.zeros((9, 9))
point[4, 4] = 1
letter = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0]])
framed = np.pad(letter, ((2, 2), (3, 2)))  # for the picture only
by_convolution = scipy.signal.convolve2d(point, letter, mode="same")
by_correlation = scipy.signal.correlate2d(point, letter, mode="same")
plots.show_slices(
    [framed, point, by_convolution, by_correlation],
    titles=["the kernel: an F", "a point", "convolved with F", "correlated with F"],
    limits=(0, 1),
    colorbar=False,
    alt="A kernel shaped like the letter F and an image of one bright point. Convolution puts an upright F at the point, "
    "cross-correlation an F turned by 180 degrees.",
)

# %% [markdown]
# Convolution stamps the kernel onto each point as it is: that is what a point spread function must do. Correlation
# stamps it turned by 180 degrees. For a kernel that the turn does not change, nobody can tell.
#
# Layers called "convolution" in PyTorch and Keras compute the **correlation**; below you assert it. As long as the
# weights are learned that does not matter: the network learns them turned. It matters when you copy a kernel from a
# book into a layer.
#
# ### Exercise: by hand
# With pen and paper: the valid convolution of $I=\begin{pmatrix}1&0&2\\3&1&0\\0&2&1\end{pmatrix}$ and
# $w=\begin{pmatrix}1&2&0\\0&1&-1\\3&0&0\end{pmatrix}$. *Valid* means: only where the kernel lies wholly inside the
# image. Here that is one place.

# %% tags=["exercise"]
by_hand = ...  # your number

# %% tags=["check"]
ex.by_hand.check(by_hand)

# %% [markdown]
# Now a real slice. Loops first, exactly as the hand does it:

# %%
head = data.load_ct_slice("head")
head_hu = head.image_hu.astype(float)  # (512, 512)
spacing_mm = head.spacing_mm[0]  # rows and columns alike
print(f"{head_hu.shape} pixels of {spacing_mm} mm, {head_hu.min():.0f} to {head_hu.max():.0f} HU")


def convolve_by_loops(image, kernel):
    rows, columns = kernel.shape
    turned = kernel[::-1, ::-1]
    result = np.zeros((image.shape[0] - rows + 1, image.shape[1] - columns + 1))
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            result[i, j] = np.sum(image[i : i + rows, j : j + columns] * turned)
    return result


# %% [markdown]
# The loops ask Python for every pixel. `sliding_window_view` hands NumPy all windows at once. It copies nothing: it
# reads the same memory with other strides.

# %%
import time

from numpy.lib.stride_tricks import sliding_window_view

small_hu = head_hu[200:328, 200:328]
windows = sliding_window_view(small_hu, (3, 3))  # (128, 128) -> (126, 126, 3, 3)
assert windows.shape == (126, 126, 3, 3) and np.shares_memory(windows, small_hu)

started = time.perf_counter()
slow = convolve_by_loops(small_hu, sobel)
middle = time.perf_counter()
fast = scipy.signal.convolve2d(small_hu, sobel, mode="valid")
print(f"loops {1e3 * (middle - started):.0f} ms, SciPy {1e3 * (time.perf_counter() - middle):.1f} ms, the same values")
assert np.abs(slow - fast).max() < 1e-12 * np.abs(fast).max()

# %% [markdown]
# ### Exercise: without a loop
# Write the valid 2-D convolution with `sliding_window_view` and one sum.

# %% tags=["exercise"]
def convolve2d(image, kernel):
    """Return the valid convolution, (H - K + 1, W - L + 1)."""
    return ...  # your code


# %% tags=["check"]
ex.convolve2d.check(convolve2d)

# %% [markdown]
# ## How large is the output?
# Three numbers decide where the kernel may stand. [Padding](glossary:padding) $P$ adds cells at both ends.
# [Stride](glossary:stride) $S$ is the step from one place to the next. [Dilation](glossary:dilation) $D$ spreads the
# kernel: its $K$ values stand $D$ cells apart, so it spans $D(K-1)+1$ cells.
#
# **Predict:** how many places are there for $K=3$ on 7 cells with padding 1? On 8 cells with padding 1 and stride 2?
# On 9 cells with dilation 2 and no padding? Then run the cell and count.

# %% tags=["hide-input"]
def draw_places(axes, size, kernel, padding, stride, dilation):
    total, span = size + 2 * padding, dilation * (kernel - 1) + 1
    starts = range(0, total - span + 1, stride)
    for cell in range(total):
        inside = padding <= cell < padding + size
        style = {"facecolor": plots.COLOURS["sky blue"] if inside else "white", "hatch": "" if inside else "///"}
        axes.add_patch(plt.Rectangle((cell, 0.1), 0.9, 0.8, edgecolor="black", **style))
    for row, start in enumerate(starts, start=1):
        for tap in range(kernel):
            cell = plt.Rectangle((start + tap * dilation, -row), 0.9, 0.7, facecolor=plots.COLOURS["orange"])
            axes.add_patch(cell)
        axes.text(total + 0.3, 0.35 - row, f"place {row - 1}", va="center")
    axes.set(xlim=(-0.5, total + 3), ylim=(-7, 1.2), title=f"N={size} K={kernel} P={padding} S={stride} D={dilation}")
    axes.axis("off")
    return len(starts)


figure, axes = plt.subplots(1, 3, figsize=(13, 3.6))
cases = [(7, 3, 1, 1, 1), (8, 3, 1, 2, 1), (9, 3, 0, 1, 2)]
places = [draw_places(ax, *case) for ax, case in zip(axes, cases)]
assert places == [7, 4, 5]
plots.picture(
    figure,
    alt="Three drawings of a row of cells, padding hatched, with the kernel's cells below it at each place. "
    "Padding 1 gives 7 places on 7 cells. Stride 2 gives 4 places on 8 cells, and the last padding cell stays unused. "
    "Dilation 2 gives 5 places on 9 cells, the kernel's cells stand apart.",
)

# %% [markdown]
# The first place starts at cell 0, the last at cell (padded length − span) at most. Look at the middle drawing: the
# next step would hang over the end, so it is left out, and one cell is never read.
#
# ### Exercise: the output size
# Write the number of places as a formula. All five arguments are integers, and so is the result.

# %% tags=["exercise"]
def output_size(size, kernel, padding, stride, dilation):
    """Return how many values come out along one axis."""
    return ...  # your code


# %% tags=["check"]
ex.output_size.check(output_size)

# %% [markdown]
# Written down, with $\lfloor\cdot\rfloor$ for rounding down:
#
# $$N_\text{out}=\left\lfloor\frac{N+2P-\bigl(D(K-1)+1\bigr)}{S}\right\rfloor+1 .$$
#
# Does PyTorch agree, everywhere?

# %% tags=["nbval-check-output"]
import itertools

import torch

count = 0
for N, K, P, S, D in itertools.product([9, 10, 16], [1, 2, 3, 5], [0, 1, 2], [1, 2, 3], [1, 2]):
    made = torch.nn.functional.conv1d(torch.zeros(1, 1, N), torch.zeros(1, 1, K), padding=P, stride=S, dilation=D)
    assert made.shape[-1] == (N + 2 * P - (D * (K - 1) + 1)) // S + 1
    count += 1
print(f"{count} combinations agree with PyTorch")
air_hu = np.full(6, -1000.0)
print("air, mean of three:", np.convolve(air_hu, np.ones(3) / 3, mode="same").round().astype(int), "HU")

# %% [markdown]
# The last line is a trap. Padding means zeros, and in Hounsfield units zero is **water**. A mean of three, padded with
# zeros, turns air at the border into −667 HU. Pad with the value of air, or shift the values so that zero means
# nothing.

# %% [markdown]
# ## From a filter to a layer
# A layer has many input channels and many output channels. Each output channel $o$ has one kernel **for every** input
# channel $c$; their results are added up. For image $n$ of a batch:
#
# $$y[n,o,i,j]=b[o]+\sum_c\sum_{u,v}x[n,c,\,Si+Du,\,Sj+Dv]\;w[o,c,u,v].$$
#
# Here $x$ is already padded. No flip: this is the correlation. The weights have the shape $(C_\text{out}, C_\text{in}, K, L)$.
#
# **Predict:** how many weights has a layer from 3 to 16 channels with $5\times5$ kernels, biases included?

# %%
def layer(images, weights, bias, *, padding=0, stride=1, dilation=1):
    """Correlate images (batch, channel, row, column) with weights (out, in, K, L), all in NumPy."""
    images = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    spans = [dilation * (k - 1) + 1 for k in weights.shape[2:]]
    windows = sliding_window_view(images, spans, axis=(2, 3))  # (n, c, places, places, span, span)
    windows = windows[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijuv,ocuv->noij", windows, weights) + bias[:, np.newaxis, np.newaxis]


weights, bias = rng.normal(size=(16, 3, 5, 5)), rng.normal(size=16)
images = rng.normal(size=(2, 3, 32, 40))
print("weights and biases:", weights.size + bias.size)
assert weights.size + bias.size == 1216
print("output:", layer(images, weights, bias, padding=2, stride=2).shape)

# %% [markdown]
# That is the whole layer. `einsum` reads like the formula: a letter that is missing after the arrow is summed over.
#
# Now against three libraries, with padding, stride and dilation all at work. SciPy's `correlate2d` knows no stride and no
# dilation, and pads only to its own modes, so it gets a padded image and a kernel with zeros in its gaps, and every second row and column is kept.
# Keras puts the channels last.

# %%
import keras

options = {"padding": 2, "stride": 2, "dilation": 2}
ours = layer(images, weights, bias, **options)
from_torch = torch.nn.functional.conv2d(*map(torch.from_numpy, (images, weights, bias)), **options).numpy()

padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
last, kernel_last = padded.transpose(0, 2, 3, 1), weights.transpose(2, 3, 1, 0)  # channels to the end
with keras.device("cpu"):  # graphics cards may round products to fewer digits
    keras_out = keras.ops.conv(last.astype("float32"), kernel_last.astype("float32"), strides=2, dilation_rate=2)
from_keras = keras.ops.convert_to_numpy(keras_out).transpose(0, 3, 1, 2) + bias[:, np.newaxis, np.newaxis]

# %%
spread = np.zeros((16, 3, 9, 9))
spread[..., ::2, ::2] = weights  # dilation 2: zeros between the weights
from_scipy = np.zeros_like(ours) + bias[:, np.newaxis, np.newaxis]
for n, o, c in itertools.product(range(2), range(16), range(3)):
    from_scipy[n, o] += scipy.signal.correlate2d(padded[n, c], spread[o, c], mode="valid")[::2, ::2]

# %% tags=["nbval-check-output"]
scale = np.abs(ours).max()
rivals = {"PyTorch": (from_torch, 1e-12), "SciPy": (from_scipy, 1e-12), "Keras": (from_keras, 1e-5)}
for name, (other, tolerance) in rivals.items():
    difference = np.abs(ours - other).max() / scale
    assert other.shape == ours.shape and difference < tolerance
    print(f"{name:8s} {other.shape} agrees to {tolerance:.0e} of the largest value")

# %% [markdown]
# Double precision agrees to $10^{-12}$, Keras in its usual single precision to $10^{-5}$. One difference remains: for
# kernel 3, stride 2 and an **even** size, Keras's `padding="same"` pads at the end only, where PyTorch's `padding=1`
# pads at both ends. The two
# then read other pixels. Weights that you carry from one to the other compute something else, without an error
# message:

# %% tags=["nbval-check-output"]
ramp = np.tile(np.arange(6.0), (6, 1))[np.newaxis, np.newaxis]  # (1, 1, 6, 6), columns 0 to 5
ones = np.ones((1, 1, 3, 3))
in_torch = torch.nn.functional.conv2d(torch.from_numpy(ramp), torch.from_numpy(ones), stride=2, padding=1)
with keras.device("cpu"):
    in_keras = keras.ops.conv(ramp.transpose(0, 2, 3, 1), ones.transpose(2, 3, 1, 0), strides=2, padding="same")
print("PyTorch", in_torch[0, 0, 1].tolist())
print("Keras  ", keras.ops.convert_to_numpy(in_keras)[0, 1, :, 0].tolist())

# %% [markdown]
# ### Does a network commute?
# $f*g=g*f$ says that you may swap two blurs. Correlation alone does not allow it, but you know what it costs: a turn.

# %% tags=["nbval-check-output"]
p, q = rng.normal(size=(2, 3, 3))
there, back = scipy.signal.correlate2d(p, q), scipy.signal.correlate2d(q, p)
print("convolve(p, q) = convolve(q, p):           ", np.allclose(scipy.signal.convolve2d(p, q), scipy.signal.convolve2d(q, p)))
print("correlate(p, q) = correlate(q, p):         ", np.allclose(there, back))
print("correlate(p, q) = correlate(q, p), turned: ", np.allclose(there, back[::-1, ::-1]))

# %% [markdown]
# And two **layers**, one after the other?
#
# **Predict:** in which of these five may you swap them (all without bias): plain valid layers, zero padding, stride 2, a
# ReLU (negative values become 0) after each, two channels?

# %%
def differ(step, a, b, image):
    """Tell how far apart two layers are in one order and in the other."""
    return np.abs(step(step(image, a), b) - step(step(image, b), a)).max()


none, start = np.zeros(2), rng.normal(size=(1, 2, 32, 32))
a, b = rng.normal(size=(2, 1, 1, 3, 3))
a2, b2 = rng.normal(size=(2, 2, 2, 3, 3))
one = start[:, :1]
print("valid        ", differ(lambda x, w: layer(x, w, none[:1]), a, b, one) < 1e-12)
print("zero padding ", differ(lambda x, w: layer(x, w, none[:1], padding=1), a, b, one) < 1e-12)
print("stride 2     ", differ(lambda x, w: layer(x, w, none[:1], stride=2), a, b, one) < 1e-12)
print("ReLU         ", differ(lambda x, w: np.maximum(0, layer(x, w, none[:1])), a, b, one) < 1e-12)
print("two channels ", differ(lambda x, w: layer(x, w, none), a2, b2, start) < 1e-12)
assert differ(lambda x, w: layer(x, w, none[:1]), a, b, one) < 1e-12 < differ(lambda x, w: layer(x, w, none), a2, b2, start)

# %% [markdown]
# Only the first: $(x\star a)\star b=x\star(a*b)$, and $a*b$ commutes. Padding breaks it at the border, stride because
# it throws away other pixels, the ReLU because it is not linear, the channels because summing over them is a matrix
# product, and matrices do not commute. A bias breaks it too: the second layer filters the first one's bias. Networks are made of convolutions, and are not one convolution.

# %% [markdown]
# ## The same result with fewer multiplications
# A $K\times K$ kernel costs $K^2$ multiplications per pixel. Two ideas cost less.
#
# **Separable kernels.** If $w[u,v]=p[u]\,q[v]$, the double sum falls apart: one pass within each row with $q$, then
# one within each column with $p$, and $2K$ multiplications. The Gaussian is such a product, as
# $e^{-(u^2+v^2)}=e^{-u^2}e^{-v^2}$. In the language of matrices: a [separable](glossary:separable-kernel) kernel has
# rank 1.
#
# **Predict:** which of these are separable: Gaussian, Sobel, Laplacian?

# %%
def gaussian(sigma):
    """Return a 1-D Gaussian with sum 1, cut off at 4 sigma."""
    t = np.arange(-np.ceil(4 * sigma), np.ceil(4 * sigma) + 1)
    weights = np.exp(-(t**2) / (2 * sigma**2))
    return weights / weights.sum()


laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
blur = np.outer(gaussian(2), gaussian(2))
for name, kernel in {"Gaussian": blur, "Sobel": sobel, "Laplacian": laplacian}.items():
    print(f"{name:10s} rank {np.linalg.matrix_rank(kernel, tol=1e-9)}")
assert [np.linalg.matrix_rank(kernel, tol=1e-9) for kernel in (blur, sobel, laplacian)] == [1, 1, 2]
rows_then_columns = scipy.signal.convolve2d(head_hu, gaussian(2)[np.newaxis])
rows_then_columns = scipy.signal.convolve2d(rows_then_columns, gaussian(2)[:, np.newaxis])
assert np.abs(rows_then_columns - scipy.signal.fftconvolve(head_hu, blur)).max() < 1e-9

# %% [markdown]
# **The convolution theorem.** Take the Fourier transform $F(\omega)=\sum_n f[n]\,e^{-i\omega n}$ of the sum, and write
# $m=n-k$:
#
# $$\sum_n\sum_k f[k]\,g[n-k]\,e^{-i\omega n}
# =\sum_k f[k]\,e^{-i\omega k}\;\sum_m g[m]\,e^{-i\omega m}=F(\omega)\,G(\omega).$$
#
# A convolution is a **product** in the Fourier domain. The FFT brings you there and back in about $N\log N$ steps,
# whatever the size of the kernel. One condition: a discrete transform of length $N$ treats a signal as periodic.

# %% tags=["nbval-check-output"]
f, g = np.array([0, 0, 0, 0, 1, 2]), np.array([1, 1, 1])
for length in (6, 8):
    product = np.fft.rfft(f, length) * np.fft.rfft(g, length)
    print(f"length {length}:", np.fft.irfft(product, length).round().astype(int))
print("np.convolve:", np.convolve(f, g))

# %% [markdown]
# With length 6 the end of the signal came back in at its start. In an image, the left border would show what hangs
# over on the right. With zeros up to the full length, $6+3-1=8$, there is room.
#
# When is it worth while? **Predict:** the kernel size from which on the FFT wins, on an image of 256 × 256 pixels.

# %%
def milliseconds(function, repeats=5):
    """Return the shortest of a few runs: what disturbs a timing only makes it longer."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - started))
    return min(times)


def through_fourier(image, kernel):
    full = [n + k - 1 for n, k in zip(image.shape, kernel.shape)]
    shape = [scipy.fft.next_fast_len(n, real=True) for n in full]  # a little more: lengths that factor well
    product = torch.fft.rfft2(image, s=shape) * torch.fft.rfft2(kernel, s=shape)
    return torch.fft.irfft2(product, s=shape)[: full[0], : full[1]]


# %%
sizes, image = [3, 5, 7, 9, 11, 15, 21, 31], head_hu[128:384, 128:384]
tensor = torch.from_numpy(image).float()
in_scipy, in_torch = scipy.signal.convolve2d, torch.nn.functional.conv2d
ways = {
    "SciPy, direct": lambda k: in_scipy(image, np.ones((k, k))),
    "SciPy, separable": lambda k: in_scipy(in_scipy(image, np.ones((1, k))), np.ones((k, 1))),
    "PyTorch, direct": lambda k: in_torch(tensor[None, None], torch.ones(1, 1, k, k)),
    "PyTorch, FFT": lambda k: through_fourier(tensor, torch.ones(k, k)),
}
threads = torch.get_num_threads()
torch.set_num_threads(1)  # one core each; SciPy in double, PyTorch in single precision
timings = {name: [milliseconds(lambda k=k, way=way: way(k)) for k in sizes] for name, way in ways.items()}
torch.set_num_threads(threads)

# %%
for name in ("SciPy, direct", "PyTorch, direct"):
    wins = [quick < slow for quick, slow in zip(timings["PyTorch, FFT"], timings[name])]
    first = next((k for i, k in enumerate(sizes) if all(wins[i:])), None)
    print(f"{name}: the FFT wins from K = {first} on" if first else f"{name}: wins up to K = {sizes[-1]}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.5, 4))
for (name, values), marker in zip(timings.items(), "os^D"):
    axes.plot(sizes, values, marker=marker, label=name)
axes.set(xlabel="kernel size K (pixels)", ylabel="time (ms)", yscale="log", title="256 x 256 pixels, measured here")
axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
plots.picture(
    figure,
    alt="Time in milliseconds against kernel size, logarithmic. Both direct convolutions climb steeply, SciPy's above "
    "PyTorch's. The separable one climbs gently. The FFT stays nearly level and is the quickest for large kernels.",
)

# %% [markdown]
# The direct curves climb with $K^2$, the FFT stays nearly level. Where they cross depends on the library as much as on
# the mathematics: PyTorch's direct code is tuned, SciPy's is plain. (SciPy computes here in double precision, PyTorch in
# single: compare the shapes of the curves, not a factor of two.) For the kernels of 3 that networks mostly use, the
# FFT has little to win.
#
# ### Exercise (further): through the Fourier domain
# Write the full 1-D convolution with `np.fft`.

# %% tags=["exercise"]
def fft_convolve(signal, kernel):
    """Return the full convolution through np.fft, as real numbers."""
    return ...  # your code


# %% tags=["check"]
ex.fft_convolve.check(fft_convolve)

# %% [markdown]
# ## Filters on a real CT slice, with noise
# Three filters do most of the classical work. Their units follow from their sums:
#
# - **Gaussian**: weights add to 1, so HU stay HU. It blurs.
# - **Sobel**: the slope, $[1,0,-1]/2$ across and $[1,2,1]/4$ along, so divide by 8; with the pixel spacing you get HU/mm.
# - **Laplacian**: the second derivative, weights add to 0, HU/mm². Subtracted from the image it sharpens; and it
#   loves noise.
#
# To see what noise does, we add some: **simulated**, independent from pixel to pixel (*white*), standard deviation 20
# HU.
#
# **Predict:** which of the three filtered images survives the noise, which drowns?

# %%
import scipy.ndimage


def filtered(image_hu, kernel):
    return scipy.ndimage.convolve(image_hu, kernel, mode="nearest")


def edges(image_hu, spacing_mm):
    across, along = filtered(image_hu, sobel / 8), filtered(image_hu, sobel.T / 8)
    return np.hypot(across, along) / spacing_mm  # HU/mm


ramp_hu = np.tile(3.0 * np.arange(9), (9, 1))  # rises by 3 HU a pixel
assert np.allclose(filtered(ramp_hu, sobel / 8)[1:-1, 1:-1], 3)
noise_hu = rng.normal(0, 20, size=head_hu.shape)
versions = {"as it came": head_hu, "+ simulated noise": head_hu + noise_hu}

# %% tags=["hide-input"]
def draw_filters(cuts, low_hu, high_hu):
    """Return a figure with a row for each (image in HU, pixel in mm): as it came, and through three filters."""
    figure, axes = plt.subplots(len(cuts), 4, figsize=(13, 7.6))
    for row, (name, (cut, mm)) in zip(axes, cuts.items()):
        shown = {
            name: (cut, low_hu, high_hu, "HU"),
            "Gaussian, 2 pixels": (filtered(cut, blur), low_hu, high_hu, "HU"),
            "Sobel": (edges(cut, mm), 0, 400, "HU/mm"),
            "Laplacian": (filtered(cut, laplacian) / mm**2, -800, 800, "HU/mm²"),
        }
        for ax, (title, (values, low, high, unit)) in zip(row, shown.items()):
            drawn = ax.imshow(values, cmap="gray", vmin=low, vmax=high)
            ax.set(title=title, xticks=[], yticks=[])
            figure.colorbar(drawn, ax=ax, location="bottom", shrink=0.9, label=unit)
    return figure


plots.picture(
    draw_filters({name: (image_hu[190:420, 110:390], spacing_mm) for name, image_hu in versions.items()}, -40, 120),
    alt="A real head CT slice at the level of the cerebellum, as it came (top) and with simulated noise (bottom). The "
    "Gaussian shows brain in both rows. The Sobel filter shows the skull's edges in both, on a grey ground below. The "
    "Laplacian shows thin edge lines on top; below, noise covers all but the strongest bone.",
)

# %% [markdown]
# The Gaussian brings the brain back, the Sobel filter keeps the skull, and the Laplacian drowns all but the hardest
# bone. Try kernels, sizes and paddings of your own:

# %%
widgets.explore_convolution(
    head_hu[190:420, 110:390], alt="A head CT slice at the level of the cerebellum.", window_hu=(40, 160)
)

# %% [markdown]
# Can you compute how much noise a kernel lets through? An output pixel is $\sum w\,\varepsilon$. The variances of
# independent terms add, so its variance is $\sum w^2\,\sigma^2$.
#
# ### Exercise (further): the noise gain
# Write the factor by which a kernel changes the **standard deviation** of white noise.

# %% tags=["exercise"]
def noise_gain(kernel):
    """Return the standard deviation of the filtered noise over that of the noise."""
    return ...  # your code


# %% tags=["check"]
ex.noise_gain.check(noise_gain)

# %% [markdown]
# That is theory for white noise. Now measure: on the simulated noise, and on the scanner's own noise, in a patch of
# cerebellum of 24 × 24 pixels. A plane is fitted and taken away first, so that slow changes of tissue do not count.
#
# **Predict:** does the rule hold for the scanner's noise?

# %%
kernels = {"mean 3x3": np.full((3, 3), 1 / 9), "Gaussian 2": blur, "Sobel / 8": sobel / 8, "Laplacian": laplacian}


def noise(patch):
    """Return a patch less a fitted plane: noise, and what fine anatomy there is."""
    row, column = np.indices(patch.shape)
    design = np.stack([np.ones(patch.size), row.ravel(), column.ravel()], axis=1)
    plane = design @ np.linalg.lstsq(design, patch.ravel(), rcond=None)[0]
    return patch - plane.reshape(patch.shape)


def gains(image_hu, place):
    """Return each kernel's noise gain, measured at a place of an image."""
    before = noise(image_hu[place]).std()
    return {name: noise(filtered(image_hu, w)[place]).std() / before for name, w in kernels.items()}


def alike(patch):
    """Return the correlation of the noise of a pixel with that of its right neighbour."""
    return np.corrcoef(noise(patch)[:, 1:].ravel(), noise(patch)[:, :-1].ravel())[0, 1]


# %%
cerebellum = np.s_[338:362, 178:202]
white, scanner = gains(noise_hu, np.s_[8:-8, 8:-8]), gains(head_hu, cerebellum)
print(f"{'kernel':12s} {'rule':>6s} {'white, simulated':>18s} {'scanner':>9s}")
for name, w in kernels.items():
    rule = np.sqrt(np.sum(w**2.0))
    print(f"{name:12s} {rule:6.2f} {white[name]:18.2f} {scanner[name]:9.2f}")
    assert abs(white[name] / rule - 1) < 0.1
print(f"scanner: {noise(head_hu[cerebellum]).std():.1f} HU, neighbours correlate by {alike(head_hu[cerebellum]):.2f}")
print(f"simulated: {noise_hu.std():.1f} HU, neighbours correlate by {alike(noise_hu):.2f}")
assert alike(head_hu[cerebellum]) > 0.5 and abs(alike(noise_hu)) < 0.02
assert scanner["Gaussian 2"] > 2 * white["Gaussian 2"] and scanner["Laplacian"] < white["Laplacian"] / 2

# %% [markdown]
# On white noise the rule holds. On the scanner it fails, in both directions: smoothing helps far less, and the
# Laplacian hurts far less. Neighbouring pixels of a CT image share their noise, because the reconstruction filters and
# interpolates ([Kijewski and Judy 1987](https://doi.org/10.1088/0031-9155/32/5/003)). Its own *Convolution Kernel* has
# been there before yours. Whoever tests a denoiser on white noise tests it on a noise that this scanner did not make.
#
# What helps against a filter that loves noise? Blur before you differentiate. Convolution is associative,
# $(I*G)*L=I*(G*L)$, so the two melt into one kernel, and the gain falls:

# %% tags=["nbval-check-output"]
blurred_laplacian = scipy.signal.convolve2d(blur, laplacian)
for name, w in {"Laplacian": laplacian, "Laplacian of Gaussian": blurred_laplacian}.items():
    print(f"{name:22s} {w.shape}, gain for white noise {np.sqrt(np.sum(w**2.0)):.2f}")

# %% [markdown]
# ## Shift, stride, pool: what one output pixel sees
# Move the patient, and the response moves with them. With $T_s$ for a shift by $s$, put $k'=k-s$ into the sum:
#
# $$\bigl((T_sf)*g\bigr)[n]=\sum_k f[k-s]\,g[n-k]=\sum_{k'}f[k']\,g[(n-s)-k']=\bigl(T_s(f*g)\bigr)[n].$$
#
# This is [translation equivariance](glossary:translation-equivariance). It is why a nodule detector needs to learn a
# nodule once, and not once for every place. Two things break it.
#
# **Predict:** we cut a window from the slice, move it by 8 columns, and filter both with a $5\times5$ mean, zero
# padding. In how many columns do the results disagree?

# %%
def crop(shift):
    """Return a window of 256 x 256 pixels of the slice, moved by some columns."""
    return head_hu[150:406, 100 + shift : 356 + shift]


mean5, shift = np.full((5, 5), 1 / 25), 8
moved = scipy.signal.convolve2d(crop(shift), mean5, mode="same")
still = scipy.signal.convolve2d(crop(0), mean5, mode="same")
apart = np.abs(moved[:, :-shift] - still[:, shift:]) > 1e-6
print("columns that disagree:", np.flatnonzero(apart.any(axis=0)), "of", apart.shape[1])
assert np.flatnonzero(apart.any(axis=0)).tolist() == [0, 1, 246, 247]

# %% [markdown]
# **Borders** break it: two columns at either end, half a kernel. Each further layer adds its own, and networks do
# learn to tell where they are from it ([Kayhan and van Gemert 2020](https://doi.org/10.1109/CVPR42600.2020.01428)).
# Inside, the agreement is exact.
#
# **Stride** breaks it everywhere. [Pooling](glossary:pooling) is a usual way to stride: the largest, or the mean, of each
# tile of 2 × 2. Look at a single bright pixel first, such as a speck of calcium:

# %% tags=["nbval-check-output"]
speck = torch.zeros(1, 1, 4, 4)
speck[0, 0, 1, 2] = 100
print("max: ", torch.nn.functional.max_pool2d(speck, 2)[0, 0].tolist())
print("mean:", torch.nn.functional.avg_pool2d(speck, 2)[0, 0].tolist())
quarter = torch.full((1, 1, 2, 2), 0.25)
assert torch.equal(torch.nn.functional.conv2d(speck, quarter, stride=2), torch.nn.functional.avg_pool2d(speck, 2))
both = [torch.nn.functional.max_pool2d(sign * speck, 2).sum().item() for sign in (1, -1)]
print("max of the speck and of its negative:", both)

# %% [markdown]
# Mean pooling is a convolution with weights 1/4 and stride 2: the speck fades. Max pooling keeps it. It is not linear,
# or the last line would read 100 and −100.
#
# ### Exercise: max pooling
# Write it with `reshape` and `max`.

# %% tags=["exercise"]
def max_pool(image, size):
    """Return the largest value of every size x size tile; the image's sides are multiples of size."""
    return ...  # your code


# %% tags=["check"]
ex.max_pool.check(max_pool)

# %% [markdown]
# Now move the window pixel by pixel, and halve the edge image each time. An equivariant operation would give the same
# values, moved by half as much.
#
# **Predict:** at which shifts does stride 2 keep its promise? Which way of halving breaks it least?

# %%
def tiles(image):
    return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2)


def broken(halve, shift):
    """Return how far the halved image is from the old one moved by half the shift, relative to its spread."""
    still, moved = (halve(edges(crop(s), spacing_mm)) for s in (0, shift))
    expected = scipy.ndimage.shift(still, (0, -shift / 2), order=3, mode="nearest")  # cubic, for half pixels
    return (moved - expected)[8:-8, 8:-8].std() / still.std()


halvings = {
    "stride 2": lambda image: image[::2, ::2],
    "max pooling": lambda image: tiles(image).max(axis=(1, 3)),
    "mean pooling": lambda image: tiles(image).mean(axis=(1, 3)),
    "Gaussian, then stride 2": lambda image: filtered(image, np.outer(gaussian(1), gaussian(1)))[::2, ::2],
}
# %%
breaks = {name: [broken(halve, shift) for shift in range(9)] for name, halve in halvings.items()}
for name, values in breaks.items():
    print(f"{name:24s} shift 1: {values[1]:.3f}  shift 2: {values[2]:.3f}")
assert all(max(values[::2]) < 1e-9 and min(values[1::2]) > 0.01 for values in breaks.values())
assert breaks["Gaussian, then stride 2"][1] < 0.3 * breaks["stride 2"][1] == 0.3 * max(v[1] for v in breaks.values())

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.5, 4))
for (name, values), marker in zip(breaks.items(), "osD^"):
    axes.plot(range(9), values, marker=marker, label=name)
axes.set(xlabel="shift of the patient (pixels)", ylabel="difference / spread", title="Halving breaks every odd shift")
axes.set_ylim(0, 1.25 * max(map(max, breaks.values())))
axes.legend(ncols=2, loc="upper center")
plots.picture(
    figure,
    alt="Relative difference against the shift from 0 to 8 pixels for four ways of halving. All are zero at even shifts. "
    "At odd shifts plain stride is the worst, and a Gaussian before the stride is the best.",
)
# %% [markdown]
# Only multiples of the stride survive. A blur before the stride mends most of it ([Zhang
# 2019](https://doi.org/10.48550/arXiv.1904.11486)); what is lost is detail finer than the new grid. (At odd shifts the
# old values must be interpolated, so a part of each difference is the interpolation's.)
#
# **How much does one output pixel see?** Its [receptive field](glossary:receptive-field). A layer with kernel $K$ and
# dilation $D$ adds $(K-1)D$ steps of the grid it **reads**; after the strides $S_1, S_2,\dots$ of the layers **before**
# it, one such step is $J=S_1S_2\cdots$ input pixels wide. Rather than believe it, ask PyTorch's autograd, which computes
# derivatives by the chain rule, which input pixels have any influence.

# %%
stack = [(3, 1, 1), (3, 2, 1), (3, 1, 1), (3, 2, 1), (3, 1, 1)]  # (kernel, stride, dilation)
field = torch.zeros(1, 1, 65, 65, dtype=torch.float64, requires_grad=True)
out = field
for kernel, stride, dilation in stack:
    out = torch.nn.functional.conv2d(out, torch.ones(1, 1, kernel, kernel).double(), stride=stride, dilation=dilation)
out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
influence = (field.grad[0, 0] / field.grad.sum()).numpy()
reach = int(np.flatnonzero(influence.any(axis=0)).size)
rows, columns = np.nonzero(influence)
middle = influence[rows.min() + 5 : rows.max() - 4, columns.min() + 5 : columns.max() - 4]
print(f"receptive field {reach} pixels: {reach * spacing_mm:.1f} mm here, {reach * 0.78:.1f} mm at 0.78 mm a pixel")
print(f"its middle, {len(middle)} by {len(middle)} pixels, holds {middle.sum():.0%} of the influence")
assert reach == 21 and middle.sum() > 0.5

# %% tags=["hide-input"]
plots.show_slice(
    1e3 * influence[rows.min() - 5 : rows.max() + 6, columns.min() - 5 : columns.max() + 6],
    title="Influence on one output pixel (per mille)",
    unit="per mille",
    alt="A square of 21 by 21 pixels that is bright in the middle and fades towards its edges, with a fine lattice in it: "
    "the receptive field of five layers with equal weights.",
)

# %% [markdown]
# The field is 21 pixels wide, and most of the influence comes from its middle ([Luo et al.
# 2016](https://doi.org/10.48550/arXiv.1701.04128) call that the effective receptive field). The lattice is the
# stride's: with kernel 3 and stride 2 some pixels are read by two windows, others by one. And the same network sees
# almost twice as far on a chest CT with pixels of 0.78 mm.
#
# ### Exercise: the receptive field
# Compute it from the list of layers, in input pixels.

# %% tags=["exercise"]
def receptive_field(layers):
    """Return the receptive field of layers [(kernel, stride, dilation), ...]."""
    return ...  # your code


# %% tags=["check"]
ex.receptive_field.check(receptive_field)

# %% [markdown]
# ## The gradient of a convolution is a convolution
# A layer computes $y[i]=\sum_k x[i+k]\,w[k]$, and a loss $L$ sends back $g[i]=\partial L/\partial y[i]$. The chain
# rule for one weight, and for one input pixel:
#
# $$\frac{\partial L}{\partial w[k]}=\sum_i g[i]\,\frac{\partial y[i]}{\partial w[k]}=\sum_i g[i]\,x[i+k]
# \qquad\Rightarrow\qquad \frac{\partial L}{\partial w}=x\star g\quad\text{(valid correlation)},$$
#
# $$\frac{\partial L}{\partial x[m]}=\sum_i g[i]\,\frac{\partial y[i]}{\partial x[m]}=\sum_i g[i]\,w[m-i]
# \qquad\Rightarrow\qquad \frac{\partial L}{\partial x}=g*w\quad\text{(full convolution)}.$$
#
# **Predict:** the layer correlates. Which of its two gradients needs the flipped kernel?

# %%
x, w = rng.normal(size=(12, 15)), rng.normal(size=(3, 5))
xt, wt = (torch.from_numpy(array).requires_grad_() for array in (x, w))
y = torch.nn.functional.conv2d(xt[None, None], wt[None, None])[0, 0]
upstream = rng.normal(size=tuple(y.shape))
y.backward(torch.from_numpy(upstream))

by_weight = scipy.signal.correlate2d(x, upstream, mode="valid")
by_pixel = scipy.signal.convolve2d(upstream, w, mode="full")
assert np.abs(by_weight - wt.grad.numpy()).max() < 1e-12 and np.abs(by_pixel - xt.grad.numpy()).max() < 1e-12
print("dL/dw", by_weight.shape, "and dL/dx", by_pixel.shape, "equal autograd's")

# %% [markdown]
# In the second line $x[m]$ meets the weight with $i+k=m$, so $k=m-i$: the flip comes by itself. The gradient of the input
# needs the flipped kernel; that of the weights does not.
#
# ### Exercise: the gradient of the input
# Write $\partial L/\partial x$ in NumPy, without SciPy. The layer is the valid correlation.

# %% tags=["exercise"]
def input_gradient(upstream, kernel):
    """Return dL/dx, in the shape of x."""
    return ...  # your code


# %% tags=["check"]
ex.input_gradient.check(input_gradient)

# %% [markdown]
# With the gradient you can **learn a kernel back**. Somebody filtered an image with a secret $3\times3$ kernel and
# gives you both images. Start from zeros, and step against the gradient of $L=\frac{1}{2n}\sum (x\star w-y)^2$.
#
# **Predict:** two training images: white noise (simulated), and a patch of the head CT. Which one teaches faster?

# %%
def correlate(x, w):
    return np.einsum("ijuv,uv->ij", sliding_window_view(x, w.shape), w)


def learn(x, secret, *, steps=400, learning_rate=0.15):
    """Learn a kernel by gradient descent; return it, and its loss and largest error before every step."""
    x = (x - x.mean()) / x.std()
    y, w, history = correlate(x, secret), np.zeros_like(secret), []
    for _ in range(steps):
        residual = correlate(x, w) - y
        history.append((np.mean(residual**2) / 2, np.abs(w - secret).max()))
        w -= learning_rate * correlate(x, residual) / residual.size  # dL/dw = x correlated with g
    return w, np.array(history)


secret = np.array([[0.0, 1, 2], [-1, 1, 1], [-2, -1, 0]])
lessons = {"white noise": rng.normal(size=(66, 66)), "CT patch": head_hu[250:316, 80:146]}
learned = {name: learn(x, secret) for name, x in lessons.items()}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
for ax, column, title in zip(axes, (0, 1), ("loss", "largest error of the kernel")):
    for name, (_, history) in learned.items():
        ax.semilogy(np.maximum(history[:, column], 1e-17), label=name)
    ax.set(xlabel="step", title=title)
axes[0].legend()
plots.picture(
    figure,
    alt="Loss and kernel error over 400 steps, logarithmic. On white noise both fall to rounding error within 250 steps. "
    "On the CT patch the loss falls to about 1e-3 and the kernel's error stays near 0.7.",
)

# %%
curvature = {}
for name, (kernel, history) in learned.items():
    x = (lessons[name] - lessons[name].mean()) / lessons[name].std()
    patches = sliding_window_view(x, (3, 3)).reshape(-1, 9)
    curvature[name] = np.linalg.eigvalsh(patches.T @ patches / len(patches))
    print(f"{name}: loss {history[0, 0]:.1f} -> {history[-1, 0]:.0e}, error of the kernel {history[-1, 1]:.0e}")
    print(f"    eigenvalues of A from {curvature[name][0]:.0e} to {curvature[name][-1]:.1f}")
print(learned["white noise"][0].round(6) + 0.0)
assert learned["white noise"][1][-1, 1] < 1e-12 and learned["CT patch"][1][-1, 1] > 0.1
assert learned["CT patch"][1][-1, 0] < 0.001 * learned["CT patch"][1][0, 0] and curvature["CT patch"][0] < 1e-4

# %% [markdown]
# From noise, the secret comes back to the last digit. From the CT patch the loss falls more than a thousandfold, and
# the kernel is still **wrong**. Why? Write each 3 × 3 patch of the image as a row of a matrix $X$, $n$
# rows in all. Then $L=\frac{1}{2n}\lVert X(w-w^*)\rVert^2$ with the secret $w^*$, and one step with the learning rate
# $\eta$ is
#
# $$w-w^*\;\leftarrow\;(1-\eta A)\,(w-w^*),\qquad A=\tfrac1n X^\top X .$$
#
# (1 stands for the unit matrix.) Along an eigenvector of $A$ the error shrinks by $1-\eta\lambda$ per step. Neighbouring pixels of a CT are so alike
# that some $\lambda$ are near $10^{-5}$: nothing moves there, and the loss does not feel it. A small loss shows that
# the output is right *on such images*. It does not show that the model is.

# %% [markdown]
# ## Real patients
# The head is one real patient. Here is a second, from another scanner: 16 slices of a chest CT from the LIDC-IDRI
# collection ([Armato et al. 2011](https://doi.org/10.1118/1.3528204)). You use the same functions on it, in a patch of
# the ascending aorta, where blood is even.
#
# **Predict:** is the noise of this scan nearer to white than the head's?

# %%
have_chest = data.available("lidc_idri_0314", ["dicom/*"])
if have_chest:
    chest = data.load_lidc_slices()
    aorta = np.s_[235:259, 226:250]
    per_slice = [gains(image_hu.astype(float), aorta) for image_hu in chest.image_hu]
    chest_sd = [noise(image_hu[aorta]).std() for image_hu in chest.image_hu]
    chest_alike = [alike(image_hu[aorta]) for image_hu in chest.image_hu]
    print(f"{len(chest.image_hu)} slices of patient {chest.patient}, pixels of {chest.spacing_mm[0]:.2f} mm")
    print(f"noise in the aorta {min(chest_sd):.1f} to {max(chest_sd):.1f} HU,", end=" ")
    print(f"neighbours correlate by {min(chest_alike):.2f} to {max(chest_alike):.2f}")

# %%
if have_chest:
    print(f"{'kernel':12s} {'white, simulated':>18s} {'head':>6s} {'chest, lowest to highest':>26s}")
    for name in kernels:
        values = [one[name] for one in per_slice]
        print(f"{name:12s} {white[name]:18.2f} {scanner[name]:6.2f} {min(values):19.2f} to {max(values):.2f}")
    assert max(one["Gaussian 2"] for one in per_slice) < scanner["Gaussian 2"]
    assert min(one["Laplacian"] for one in per_slice) > 3 > scanner["Laplacian"]

# %% tags=["hide-input"]
if have_chest:
    chest_hu = chest.image_hu[8].astype(float)
    cuts = {"head": (head_hu[190:420, 110:390], spacing_mm), "chest": (chest_hu[180:410, 100:380], chest.spacing_mm[0])}
    plots.picture(
        draw_filters({f"{name}, as it came": cut for name, cut in cuts.items()}, -110, 190),
        alt="Two real patients, head on top and chest below, each as it came and through Gaussian, Sobel and Laplacian. "
        "The chest is grainier; its Gaussian is smooth, its Laplacian shows grain all over the body.",
    ).show()

# %%
if have_chest:
    for name, (cut, mm) in cuts.items():
        before, after = (np.percentile(edges(image, mm), 99) for image in (cut, filtered(cut, blur)))
        print(f"{name}: steepest edges (top 1 %) {before:.0f} HU/mm; a Gaussian of {2 * mm:.2f} mm leaves {after:.0f} HU/mm")

# %% [markdown]
# The chest has far more noise per pixel, and it is nearer to white: the Gaussian takes most of it away, the Laplacian
# makes it more than three times as large. The head has little noise, and the same Gaussian leaves half of it. Four
# kernels, two scanners, two verdicts.
#
# And the "same" Gaussian is not the same: the last cell gives its width in millimetres. A kernel lives in pixels,
# anatomy in millimetres. Resample first (lesson 01) when you compare.

# %% [markdown]
# ## What you may claim
# **You may claim**
# - Your layer equals SciPy and PyTorch to $10^{-12}$ and Keras to $10^{-5}$, for the shapes that were tried.
# - For white noise a kernel changes the standard deviation by $\sqrt{\sum w^2}$. That was derived, and measured.
# - In **one patch** of this head slice and in one patch of **these** 16 chest slices, noise was correlated between neighbours, and the rule failed
#   by the factors in the table. That CT noise is not white is long known: [Kijewski and Judy
#   1987](https://doi.org/10.1088/0031-9155/32/5/003) derived its spectrum and measured it on a scanner.
#
# **You may not claim**
# - Anything about scanners or kernels in general. Two people are not a sample: no interval over patients can be given.
#   The 16 slices come from one person, so their range says how even one scan is, and no more.
# - *Why* the two scans differ. Pixel size, slice thickness, dose, body part and reconstruction all differ at once.
# - That a filter helps a reader or a network find disease. Nobody looked for disease here.
# - That all of the standard deviation is noise. Fine anatomy is in it too. Part of what the Gaussian left in the
#   cerebellum may be tissue.
# - The FFT's crossing point on another machine.

# %% [markdown]
# ## Summary
# - A convolution is a sum over a flipped, sliding kernel. It is the integral on a grid: right to rounding for smooth
#   profiles that are sampled finely, wrong by about $h$ where they jump.
# - Layers correlate: no flip. Learned weights do not mind, copied ones do.
# - Size: pad both ends, take off the dilated span, divide by the stride, round **down**, add one.
# - Separable kernels cost $2K$ per pixel instead of $K^2$; the FFT costs about $\log N$ per pixel whatever $K$ is, so it
#   wins for large $K$. Pad first.
# - Zero padding in Hounsfield units pads with water.
# - White noise is multiplied by $\sqrt{\sum w^2}$. Scanner noise is not white: measure it.
# - Convolution is equivariant to shifts. Borders break it at the edge, strides everywhere but at their multiples.
# - The gradient for the weights is a correlation, for the input a full convolution. With it, gradient descent learns
#   kernels, as far as the training images tell them apart.
#
# ### Key terms
# [convolution](glossary:convolution) · [cross-correlation](glossary:cross-correlation) ·
# [point spread function](glossary:point-spread-function) · [padding](glossary:padding) · [stride](glossary:stride) ·
# [dilation](glossary:dilation) · [separable kernel](glossary:separable-kernel) · [translation
# equivariance](glossary:translation-equivariance) · [pooling](glossary:pooling) · [receptive
# field](glossary:receptive-field)
#
# ### Further reading
# - Trefethen LN, Weideman JAC. *The exponentially convergent trapezoidal rule.* SIAM Review 2014.
#   <https://doi.org/10.1137/130932132>
# - Dumoulin V, Visin F. *A guide to convolution arithmetic for deep learning.* 2016.
#   <https://doi.org/10.48550/arXiv.1603.07285>
# - Kijewski MF, Judy PF. *The noise power spectrum of CT images.* Physics in Medicine and Biology 1987.
#   <https://doi.org/10.1088/0031-9155/32/5/003>
# - Zhang R. *Making convolutional networks shift-invariant again.* ICML 2019.
#   <https://doi.org/10.48550/arXiv.1904.11486>
# - Kayhan OS, van Gemert JC. *On translation invariance in CNNs: convolutional layers can exploit absolute spatial
#   location.* CVPR 2020. <https://doi.org/10.1109/CVPR42600.2020.01428>
# - Luo W, Li Y, Urtasun R, Zemel R. *Understanding the effective receptive field in deep convolutional neural networks.*
#   NeurIPS 2016. <https://doi.org/10.48550/arXiv.1701.04128>
# - Armato SG, et al. *The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative (IDRI).* Medical
#   Physics 2011. <https://doi.org/10.1118/1.3528204>
