# %% [markdown]
# A network learns what its loss pays for, and nothing else. Pay for the wrong thing and it will miss the one nodule in
# a hundred, misjudge every volume, or say "99 % sure" when it is right three times in four. So this lesson takes
# losses apart. You derive each from an assumption about the labels, write it, and hold it against PyTorch **and**
# Keras. You find where the two libraries differ, where the numbers break, and which losses make a model lie.
#
# The first eight sections use small **simulated** or made-up numbers, and say so. At the end the same losses train on
# real patients. The lesson takes about two hours; the exercises marked *further* come on top of that. A good place for
# a pause is before "Rare findings". Cells whose first line says *Folded* hold comparisons and helpers: look at what
# they print, and open them if you are curious.

# %% [markdown]
# ## A loss is a likelihood
# A model predicts a diameter $f$ in mm, and a reader measures $y$. They differ by noise. Suppose the noise is
# **Gaussian**, with standard deviation $\sigma$. Then the label has the density
#
# $$P(y\mid f)=\frac{1}{\sigma\sqrt{2\pi}}\,e^{-(y-f)^2/2\sigma^2}.$$
#
# The cases are independent, so their densities multiply. The best model makes the labels that were seen as probable as
# it can: it maximises the [likelihood](glossary:likelihood) $\prod_i P(y_i\mid f_i)$. Products of many small numbers
# are awkward, so take the logarithm and turn the sign:
#
# $$-\log\prod_i P(y_i\mid f_i)=\frac{1}{2\sigma^2}\sum_i(y_i-f_i)^2+n\log\left(\sigma\sqrt{2\pi}\right).$$
#
# Neither $\sigma$ nor the last term depends on $f$. What is left to minimise is the **mean squared error**, MSE. So a
# squared error *says* something: noise is Gaussian, and equally wide for every case. Now suppose that large errors are
# more common than a Gaussian allows, with the **Laplace** density $P(y\mid f)=\frac{1}{2b}e^{-|y-f|/b}$. The same two
# steps leave $\frac1b\sum_i|y_i-f_i|$: the **mean absolute error**, MAE.
#
# By hand, three cases: a reader measured 6, 9 and 12 mm, the model said 7, 9 and 9. The residuals $r=f-y$ are $1, 0,
# -3$. So MSE $=(1+0+9)/3=10/3$, and MAE $=(1+0+3)/3=4/3$.

# %% tags=["nbval-check-output"]
import keras
import torch
import torch.nn.functional as F

y, f = np.array([6.0, 9, 12]), np.array([7.0, 9, 9])
ours = {"MSE": np.mean((f - y) ** 2), "MAE": np.mean(np.abs(f - y))}
in_torch = {"MSE": F.mse_loss, "MAE": F.l1_loss}
in_keras = {"MSE": keras.losses.mean_squared_error, "MAE": keras.losses.mean_absolute_error}
for name, value in ours.items():
    from_torch = in_torch[name](torch.tensor(f), torch.tensor(y)).item()  # (prediction, label)
    from_keras = float(in_keras[name](y, f))  # (label, prediction)
    print(f"{name}: ours {value:.4f}, PyTorch {from_torch:.4f}, Keras {from_keras:.4f}")
    assert abs(value - from_torch) < 1e-12 and abs(value - from_keras) < 1e-5

# %% [markdown]
# Mind the order: PyTorch takes the prediction first, Keras the label. For these two losses it does not matter. For a
# binary cross-entropy it does, and neither library warns you.
#
# **Predict:** seven readings of one diameter, made up: 7.8, 7.9, 8.0, 8.1, 8.2, 8.4 and 82 mm. In the last one a
# decimal point was lost. A model that may only say one number $c$ minimises MSE. Which number? And with MAE?

# %%
readings = np.array([7.8, 7.9, 8.0, 8.1, 8.2, 8.4, 82.0])
c = np.arange(0, 90, 0.01)
residuals = c[:, np.newaxis] - readings  # (9000, 7)
by_mse = c[np.mean(residuals**2, axis=1).argmin()]
by_mae = c[np.mean(np.abs(residuals), axis=1).argmin()]
print(f"MSE {by_mse:.2f} mm, the mean {readings.mean():.2f}; MAE {by_mae:.2f} mm, the median {np.median(readings):.2f}")
assert abs(by_mse - readings.mean()) < 0.01 and abs(by_mae - np.median(readings)) < 0.01

# %% [markdown]
# Set the derivative to zero and you see why. $\frac{d}{dc}\sum(c-y_i)^2=2\sum(c-y_i)=0$ gives the **mean**: each case
# pulls in proportion to its distance, so one typing error moves the answer by 10 mm. $\frac{d}{dc}\sum|c-y_i|$ counts
# the readings below $c$ minus those above. It is zero at the **median**, where each case has one vote.
#
# But the vote of MAE is as loud for a residual of 0.01 mm as for one of 10 mm: near the solution it never calms down.
# The **[Huber loss](glossary:huber-loss)** wants both: $\frac12r^2$ for small residuals, a straight line for large
# ones, $|r|>\delta$. At $|r|=\delta$ the two pieces must have the same value and the same slope. Those two conditions
# fix the line.
#
# ### Exercise: the Huber loss
# Find the line, then write the loss of each case (no mean yet).

# %% tags=["exercise"]
def huber(residuals, delta):
    """Return the Huber loss of each residual."""
    return ...  # your code


# %% tags=["check"]
ex.huber.check(huber)

# %% [markdown]
# The slope of $\frac12r^2$ at $\delta$ is $\delta$, and so is the line's. Its value must be $\frac12\delta^2$ there, so
# the line is $\delta|r|-\frac12\delta^2$. By hand, with $\delta=1$: the residuals $1,0,-3$ cost $0.5$, $0$ and
# $3-0.5=2.5$, on average 1.

# %%
def huber_of(r, delta):
    return np.where(np.abs(r) <= delta, r**2 / 2, delta * np.abs(r) - delta**2 / 2)


assert huber_of(np.array([1.0, 0, -3]), 1.0).mean() == 1
r = np.linspace(-4, 4, 801)
for delta in (0.5, 1.0, 2.0):
    from_torch = F.huber_loss(torch.tensor(r), torch.zeros(801).double(), delta=delta, reduction="none").numpy()
    from_keras = float(keras.losses.huber(np.zeros(801), r, delta=delta))  # Keras gives the mean over the last axis
    smooth_l1 = F.smooth_l1_loss(torch.tensor(r), torch.zeros(801).double(), beta=delta, reduction="none").numpy()
    assert np.abs(huber_of(r, delta) - from_torch).max() < 1e-12
    assert abs(huber_of(r, delta).mean() - from_keras) < 1e-5
    assert np.abs(huber_of(r, delta) / delta - smooth_l1).max() < 1e-12
by_huber = c[np.mean(huber_of(residuals, 1.0), axis=1).argmin()]
print(f"Huber, delta = 1 mm, on the seven readings: {by_huber:.2f} mm")
assert 8.0 < by_huber < 8.4

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
pieces = {"MSE / 2": (r**2 / 2, r), "MAE": (np.abs(r), np.sign(r)), "Huber, δ = 1": (huber_of(r, 1), np.clip(r, -1, 1))}
for name, (loss, slope) in pieces.items():
    density = np.exp(-loss)
    for ax, values in zip(axes, (loss, slope, density / (density.sum() * 0.01))):
        ax.plot(r, values, label=name)
for ax, label in zip(axes, ("loss", "slope: the pull of one case", "density of the noise it assumes")):
    ax.set(xlabel="residual r (mm)", ylabel=label)
axes[0].set_ylim(0, 5)
axes[0].legend()
plots.picture(
    figure,
    alt="Three losses over the residual. MSE is a parabola and its pull grows without bound. MAE is a V, its pull is plus or "
    "minus 1. Huber is a parabola in the middle and straight outside; its pull grows to 1 and stays. The noise they assume "
    "is Gaussian, peaked with heavy tails, and between the two.",
)

# %% [markdown]
# Read the middle panel first: the slope is what trains. Huber's pull is proportional near zero and bounded far out, so
# the lost decimal point moves it by a fraction of a millimetre ([Huber 1964](https://doi.org/10.1214/aoms/1177703732)).
# The right panel is the assumption behind each loss, $e^{-\text{loss}}$ scaled to area 1. PyTorch has a second function
# of nearly that name: `smooth_l1_loss` is Huber **divided by** $\delta$, as the cell asserted.

# %% [markdown]
# ## Labels are coins: cross-entropy
# Now the label is a yes or no: malignant or not. Noise on top of a number makes no sense here. The natural model is a
# coin that shows 1 with probability $p$: the Bernoulli distribution, written in one line as
#
# $$P(y\mid p)=p^{\,y}(1-p)^{1-y},\qquad y\in\{0,1\}.$$
#
# Put $y=1$ in, then $y=0$, and see that it says the right thing. Minus the logarithm, averaged over cases, is the
# **binary [cross-entropy](glossary:cross-entropy)**, or log loss:
#
# $$L=-\frac1n\sum_i\bigl[y_i\log p_i+(1-y_i)\log(1-p_i)\bigr].$$
#
# Only one of the two terms is alive for each case: the loss is $-\log$ of the probability that the model gave to **what
# happened**. By hand, with the natural logarithm: labels 1, 0, 1 and $p$ = 0.8, 0.4, 0.1. What happened had the
# probabilities 0.8, 0.6 and 0.1. So the losses are 0.223, 0.511 and 2.303, and their mean is 1.012.
#
# **Predict:** ten patients, three malignant. A model may only say one probability $q$ for all. Which $q$ has the lowest
# cross-entropy?

# %%
q = np.linspace(0.01, 0.99, 99)
ten = -(3 * np.log(q) + 7 * np.log(1 - q)) / 10
print(f"lowest at q = {q[ten.argmin()]:.2f}, where it is {ten.min():.4f}")
assert abs(q[ten.argmin()] - 0.3) < 1e-9

# %% [markdown]
# With $k$ of $n$ positive: $\frac{d}{dq}\bigl[-k\log q-(n-k)\log(1-q)\bigr]=-\frac kq+\frac{n-k}{1-q}=0$, so $q=k/n$. A
# model that knows nothing but the [prevalence](glossary:prevalence) should say the prevalence. Its loss is the number
# to beat: here 0.61. A network that sits at that value has learned the class balance and nothing else.
#
# ### Exercise: by hand
# Labels 0, 1, 1 and probabilities 0.25, 0.5, 0.9. Give the mean binary cross-entropy to three decimals.

# %% tags=["exercise"]
by_hand = ...  # your number

# %% tags=["check"]
ex.by_hand.check(by_hand)

# %% [markdown]
# A network's last layer gives any real number $z$, not a probability. Which scale runs from $-\infty$ to $\infty$? The
# odds $p/(1-p)$ run from 0 to $\infty$, so their logarithm does. It is the **[logit](glossary:logit)**,
# $z=\log\frac{p}{1-p}$. Solve for $p$: $e^z(1-p)=p$, so
#
# $$p=\frac{e^z}{1+e^z}=\frac{1}{1+e^{-z}}=\sigma(z),\qquad \sigma'(z)=\frac{e^{-z}}{(1+e^{-z})^2}=\sigma(z)\bigl(1-\sigma(z)\bigr).$$
#
# The chain rule gives the most useful line of this lesson. For one case, $\frac{dL}{dp}=-\frac
# yp+\frac{1-y}{1-p}=\frac{p-y}{p(1-p)}$, and so
#
# $$\frac{dL}{dz}=\frac{p-y}{p(1-p)}\cdot p(1-p)=p-y .$$
#
# The gradient is the error itself. Nothing is left of the sigmoid.
#
# With $K$ classes the label is a die: $P(y=k)=p_k$, and the loss is $-\log p_y$, the **categorical** cross-entropy. The
# probabilities come from $K$ logits by the [softmax](glossary:softmax):
#
# $$p_k=\frac{e^{z_k}}{\sum_je^{z_j}},\qquad L=-\log p_y=\log\sum_je^{z_j}-z_y,\qquad
# \frac{\partial L}{\partial z_k}=\frac{e^{z_k}}{\sum_je^{z_j}}-[k=y]=p_k-[k=y].$$
#
# Here $[k=y]$ is 1 for the true class and 0 for the others: the gradient is the error again. Two classes with logits 0
# and $z$ give $p_1=e^z/(1+e^z)=\sigma(z)$. The coin is a die with two faces.
#
# By hand, three cases and three classes. The model gave the true class the probabilities 0.5, 0.25 and 0.8. The losses
# are 0.693, 1.386 and 0.223, on average 0.768. What it gave to the wrong classes does not matter.

# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def bce(p, y):
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


p, y = np.array([0.8, 0.4, 0.1]), np.array([1.0, 0, 1])  # the three cases from above
z = np.log(p / (1 - p))
tz, ty = torch.tensor(z), torch.tensor(y)
pairs = {
    "PyTorch, probabilities": F.binary_cross_entropy(torch.sigmoid(tz), ty),
    "PyTorch, logits": F.binary_cross_entropy_with_logits(tz, ty),
    "Keras, probabilities": keras.losses.binary_crossentropy(y, p),
    "Keras, logits": keras.losses.binary_crossentropy(y, z, from_logits=True),
}
print("binary, case by case:", bce(p, y).round(3), "mean", bce(p, y).mean().round(3))
assert all(abs(float(value) - bce(p, y).mean()) < 1e-6 for value in pairs.values())

# %%
probabilities = np.array([[0.5, 0.3, 0.2], [0.25, 0.25, 0.5], [0.1, 0.1, 0.8]])  # (case, class)
logits, classes = np.log(probabilities) + [[3.0], [-1.0], [0.0]], np.array([0, 1, 2])  # a constant a row: it cancels
softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)  # rows add to 1
per_case = -np.log(softmax[np.arange(3), classes])
assert np.abs(softmax - probabilities).max() < 1e-12
print("categorical, case by case:", per_case.round(3), "mean", per_case.mean().round(3))

# %% tags=["hide-input"]
# Folded: the same by PyTorch and by Keras, from logits and from probabilities, and the gradient.
one_hot = np.eye(3)[classes]
tl, tc = torch.tensor(logits, requires_grad=True), torch.tensor(classes)
from_torch = [F.cross_entropy(tl, tc), F.nll_loss(torch.log(torch.softmax(tl, dim=1)), tc)]
from_keras = [
    keras.losses.categorical_crossentropy(one_hot, softmax),
    keras.losses.categorical_crossentropy(one_hot, logits, from_logits=True),
    keras.losses.sparse_categorical_crossentropy(classes, logits, from_logits=True),
]
from_torch[0].backward()
assert all(abs(value.item() - per_case.mean()) < 1e-12 for value in from_torch)
assert all(abs(float(value.mean()) - per_case.mean()) < 1e-6 for value in from_keras)
assert np.abs(tl.grad.numpy() - (softmax - one_hot) / 3).max() < 1e-12  # the error, divided by n for the mean
print("PyTorch", *(f"{value.item():.4f}" for value in from_torch), end=", ")
print("Keras", *(f"{float(value.mean()):.4f}" for value in from_keras))

# %% [markdown]
# All agree, and the gradient that PyTorch computes by itself (its *autograd*) is $(p_k-[k=y])/n$. Two traps remain.
# PyTorch's `cross_entropy` takes **logits**; feed it probabilities and it applies the softmax a second time, without a
# warning. And Keras's default is the opposite: `from_logits=False` expects probabilities.

# %%
twice = F.cross_entropy(torch.tensor(softmax), tc).item()
perfect = F.cross_entropy(torch.eye(3).double(), tc).item()
print(f"logits {per_case.mean():.4f}; probabilities by mistake {twice:.4f};", end=" ")
print(f"even a perfect model cannot go below {perfect:.4f}")
assert abs(perfect - np.log(1 + 2 / np.e)) < 1e-12 and twice > perfect > 0.55

# %% [markdown]
# The second softmax sees numbers between 0 and 1 only, so the loss can never fall below $\log(1+2/e)\approx0.55$ for
# three classes. A training curve that flattens at an odd value is worth this check.

# %% [markdown]
# ## Numbers that overflow
# The formula is right, and the computer does not compute it. `float32` keeps 24 binary digits and ends near
# $3.4\cdot10^{38}\approx e^{88.7}$: beyond $z=88.7$, $e^z$ is `inf`.
#
# **Predict:** $z$ grows. From which $z$ on does `float32` round $p=\sigma(z)$ to exactly 1, so that $\log(1-p)$ is
# $-\infty$? From 17, 89 or 1000? And `float64`, with 53 binary digits?

# %%
grid = np.arange(0, 50, 0.01)
first = {}
for dtype in (np.float32, np.float64):
    probability = 1 / (1 + np.exp(-grid.astype(dtype)))
    first[dtype.__name__] = grid[probability == 1][0]
    print(f"{dtype.__name__}: p is rounded to 1 from z = {first[dtype.__name__]:.2f} on")
assert 16.6 < first["float32"] < 17.4 and 36.7 < first["float64"] < 37.5

# %% [markdown]
# Long before $e^z$ itself overflows. Just above 1 the numbers of `float32` stand $2^{-23}$ apart. What is no larger
# than half of that is lost in $1+e^{-z}$, which is then exactly 1: $e^{-z}\le2^{-24}$, from $z=24\log2=16.6$ on. In
# `float64` it is $53\log2=36.7$. Seventeen is not far: one of the models in "Real patients" goes beyond it.

# %% tags=["nbval-check-output"]
with np.errstate(all="ignore"):
    for z_value, y_value in ((1000.0, 0.0), (1000.0, 1.0), (-1000.0, 1.0)):
        print(f"naive loss at z = {z_value:6.0f} and label {y_value:.0f}: {bce(sigmoid(z_value), y_value)}")

# %% [markdown]
# `inf` where the loss should be 1000, and `nan` ($0\cdot\log 0$) where it should be 0. One `nan` in a batch makes every
# weight `nan` at the next step.
#
# **The cure: log-sum-exp.** Take $m=\max_jz_j$ out of the sum. It is an identity, with no approximation:
#
# $$\log\sum_je^{z_j}=\log\Bigl(e^m\sum_je^{z_j-m}\Bigr)=m+\log\sum_je^{z_j-m}.$$
#
# Now every exponent is at most 0, so nothing overflows. One of them is exactly 0, so the sum lies between 1 and $K$,
# and its logarithm is harmless. What underflows to 0 was too small to count ([Blanchard, Higham and Higham
# 2021](https://doi.org/10.1093/imanum/draa038) bound the error).
#
# ### Exercise: categorical cross-entropy from logits
# One row of logits for each case, the true class as an integer. Return the loss of each case; logits may be as large as
# 1000.

# %% tags=["exercise"]
def cross_entropy(logits, classes):
    """Return -log p[class] of each row of logits."""
    return ...  # your code


# %% tags=["check"]
ex.cross_entropy.check(cross_entropy)

# %% [markdown]
# ### Exercise: binary cross-entropy from one logit
# The coin is the die with the logits 0 and $z$. Write the loss of each case, safe for every $z$. `np.log1p(x)` is
# $\log(1+x)$ without losing the digits of a small $x$.

# %% tags=["exercise"]
def bce_with_logits(logits, labels):
    """Return the binary cross-entropy of each case."""
    return ...  # your code


# %% tags=["check"]
ex.bce_with_logits.check(bce_with_logits)

# %% [markdown]
# With the logits 0 and $z$ the general formula reads $L=\log(1+e^z)-yz$. And $m=\max(0,z)$, so the two exponents $0-m$
# and $z-m$ are 0 and $-|z|$, in one order or the other:
#
# $$L=\max(0,z)+\log\bigl(1+e^{-|z|}\bigr)-yz .$$

# %%
def stable_bce(z, y):
    return np.maximum(0, z) + np.log1p(np.exp(-np.abs(z))) - y * z


z = np.array([-1000.0, -800, -40, -1, 0, 1, 40, 800, 1000, 1000])
y = np.array([1.0, 0, 1, 0, 1, 1, 0, 1, 0, 1])
from_torch = F.binary_cross_entropy_with_logits(torch.tensor(z), torch.tensor(y), reduction="none").numpy()
from_keras = [float(keras.losses.binary_crossentropy([yi], [zi], from_logits=True)) for zi, yi in zip(z, y)]
assert np.abs(stable_bce(z, y) - from_torch).max() < 1e-12
assert np.allclose(stable_bce(z, y), from_keras, rtol=1e-6)
print(*(f"{value:.4g}" for value in stable_bce(z, y)))

# %% [markdown]
# Libraries that get **probabilities** cannot do this: the digits are gone before they see them. What do they do
# instead?

# %% tags=["hide-input"]
# Folded: loss_and_gradient(), and three ways to compute the same loss in float32.
def loss_and_gradient(loss, z, y):
    """Return the float32 loss and its derivative by the logit, by autograd."""
    z = torch.tensor([z], requires_grad=True)
    value = loss(z, torch.tensor([y]))
    (gradient,) = torch.autograd.grad(value.sum(), z)
    return value.item(), gradient.item()


keras_device = keras.ops.convert_to_tensor(0.0).device  # a graphics card, where there is one


def keras_bce(z, y):
    return keras.losses.binary_crossentropy(y.to(keras_device), torch.sigmoid(z).to(keras_device))


ways = {
    "from logits": F.binary_cross_entropy_with_logits,
    "PyTorch, probabilities": lambda z, y: F.binary_cross_entropy(torch.sigmoid(z), y),
    "Keras, probabilities": keras_bce,
}

# %%
found = {}
for case, (z_value, y_value) in {"a miss": (-20.0, 1.0), "a false alarm": (20.0, 0.0)}.items():
    for way, loss in ways.items():
        found[case, way] = value, gradient = loss_and_gradient(loss, z_value, y_value)
        print(f"{case:13s} z = {z_value:3.0f}  {way:24s} loss {value:7.3f}  gradient {gradient:+.3f}")
ceilings = [found[case, "Keras, probabilities"][0] for case in ("a miss", "a false alarm")]
assert np.allclose(ceilings, [-np.log(1e-7), -np.log(2.0**-23)], atol=1e-4)
assert all(found[case, "Keras, probabilities"][1] == 0 for case in ("a miss", "a false alarm"))
assert found["a false alarm", "PyTorch, probabilities"] == (100, 0)

# %% [markdown]
# Keras clips probabilities to $[\varepsilon,1-\varepsilon]$ with $\varepsilon=10^{-7}$. That puts a **ceiling** on the
# loss: $-\log10^{-7}=16.12$ for a miss. For a false alarm it is 15.94, because `float32` has no $1-10^{-7}$; the
# nearest number is $1-2^{-23}$. PyTorch cuts the logarithm at $-100$ instead. Look at the last column. A clip is flat,
# so its derivative is 0: **the cases that are most wrong no longer teach**. With a miss PyTorch keeps the gradient,
# with a false alarm $p$ has been rounded to 1 and nothing is left. From logits all is well. So: last layer without a
# sigmoid, loss from logits.

# %% [markdown]
# ## Why a squared error behind a sigmoid stalls
# One could also compare $p=\sigma(z)$ with the label by a squared error, $L=(p-y)^2$. By the chain rule,
#
# $$\frac{dL}{dz}=2(p-y)\,\sigma'(z)=2(p-y)\,p(1-p)\qquad\text{against}\qquad p-y .$$
#
# The factor $p(1-p)$ goes to 0 at **both** ends: where the model is right, and also where it is wrong with confidence.
#
# **Predict:** a malignant case, $y=1$, has the logit $-8$. How many times smaller is the gradient of the squared error?
# Ten times, a hundred, a thousand?

# %%
z = np.linspace(-10, 10, 401)
p = sigmoid(z)
slopes = {"cross-entropy": p - 1, "squared error": 2 * (p - 1) * p * (1 - p)}  # for the label 1
at = np.abs(z + 8).argmin()
ratio = slopes["cross-entropy"][at] / slopes["squared error"][at]
print(f"at z = -8: {slopes['cross-entropy'][at]:.4f} and {slopes['squared error'][at]:.6f}, a factor of {ratio:.0f}")
assert 1480 < ratio < 1500

# %% [markdown]
# The ratio is $1/\bigl(2p(1-p)\bigr)$, which is about $e^{-z}/2=e^8/2$. How long does it take to get out? Move $z$
# itself by gradient steps of size $\eta$. Far down, $p\approx e^z$ and $1-p\approx1$, so $dz/dt=2e^z$ with
# $t=\eta\cdot$ steps. Separate and integrate from $z_0$ to 0: $t=\frac12(e^{-z_0}-1)$. The squared error needs about
# $e^{-z_0}/2\eta$ steps, **exponential** in how wrong it was. Cross-entropy moves by about $\eta$ a step, so it needs
# $-z_0/\eta$.

# %%
def steps_to_leave(z, slope):
    """Count gradient steps of size 1 until the logit of a case with label 1 is positive."""
    steps = 0
    while z <= 0:
        z, steps = z - slope(sigmoid(z)), steps + 1
    return steps


starts = np.arange(-9, 0)
needed = {
    "cross-entropy": [steps_to_leave(z, lambda p: p - 1) for z in starts],
    "squared error": [steps_to_leave(z, lambda p: 2 * (p - 1) * p * (1 - p)) for z in starts],
}
for z0, a, b in zip(starts[::2], needed["cross-entropy"][::2], needed["squared error"][::2]):
    print(f"from z = {z0}: cross-entropy {a:2d} steps, squared error {b:5d} (theory {np.exp(-z0) / 2:.0f})")
assert needed["cross-entropy"][0] < 15 and abs(needed["squared error"][0] / (np.exp(9) / 2) - 1) < 0.01

# %% [markdown]
# Now a whole model, the [logistic](glossary:logistic-regression) one: $p=\sigma(wx+b)$, with a weight $w$ and a bias
# $b$. Simulated: 200 cases with one measurement $x$, higher in the diseased. The model starts **wrong**, at $w=-8$: it
# believes the opposite. Both losses take 300 steps of size 1.

# %%
from medlearn.widgets.loss_surface import descend, simulated_cases

x, y = simulated_cases(50)  # half of them diseased
right = {}
for name in slopes:
    path, *_ = descend(name, x, y, start_weight=-8.0)
    right[name] = [np.mean((b + w * x > 0) == y) for b, w in path]
    print(f"{name}: {right[name][0]:.0%} right at the start, {right[name][20]:.0%} after 20 steps,", end=" ")
    print(f"{right[name][-1]:.0%} after 300")
assert right["cross-entropy"][20] > 0.8 and max(right["squared error"]) < 0.2
assert descend("squared error", x, y, start_weight=-6.0)[0][-1, 1] > 1.5  # a start less wrong: the last weight

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8))
for name in slopes:
    axes[0].plot(z, slopes[name], label=name)
    axes[1].semilogy(starts, needed[name], marker="o", label=name)
    axes[2].plot(right[name], label=name)
axes[0].set(xlabel="logit z", ylabel="dL/dz for label 1", title="What one case pulls")
axes[1].set(xlabel="logit at the start", ylabel="steps until z > 0", title="How long it takes to leave")
axes[2].set(xlabel="step", ylabel="share of training cases right", title="A model that starts wrong", ylim=(0, 1.02))
axes[0].legend()
plots.picture(
    figure,
    alt="Left: the slope of cross-entropy is -1 for very negative logits; that of the squared error has one dip near 0 and goes "
    "to 0 at both ends. Middle: steps to leave grow along a straight line on a logarithmic axis for the squared error, and "
    "are ten or fewer for cross-entropy. Right: cross-entropy turns the model round within a few steps; with the squared "
    "error fewer than one case in five is right in all 300.",
)

# %% [markdown]
# Cross-entropy turns the model round quickly. The squared error sits on a plateau where most cases are wrong and almost
# no case pulls. There is a second reason. The curvature of cross-entropy is $\frac{d}{dz}(p-y)=p(1-p)\ge0$: it is
# **convex**, it bends upwards everywhere, in $z$ and so, with $z=wx+b$, in the weights. It has no false valley. For the
# squared error with $y=1$ the curvature is $\frac{d}{dz}\bigl[-2p(1-p)^2\bigr]=-2p(1-p)^2(1-3p)$, **negative** for
# $p<\frac13$.
#
# Walk on the surface yourself (data simulated). **Predict** first: the squared error, half of the cases with label 1,
# from $w=-6$ and from $w=-8$. Does it arrive? Then cross-entropy, and last 1 % of the cases with label 1: watch their
# share of the pull.

# %%
widgets.explore_loss_surface()

# %% [markdown]
# With half of the cases in each class, the squared error gets out from $w=-6$, late; from $w=-8$ it does not in 300
# steps. Does nobody use a squared error on probabilities, then? As a *score* it is excellent: the Brier score of
# "Honest probabilities". It is a poor guide for a model that is still far off.

# %% [markdown]
# ## Check every gradient by finite differences
# You have derived gradients by hand. Anyone can drop a factor of 2. The check needs no calculus: move one input by $h$
# both ways. Taylor's series, once with $h$ and once with $-h$:
#
# $$f(x\pm h)=f(x)\pm hf'(x)+\tfrac{h^2}{2}f''(x)\pm\tfrac{h^3}{6}f'''(x)+\dots$$
#
# Subtract and divide by $2h$:
#
# $$\frac{f(x+h)-f(x-h)}{2h}=f'(x)+\frac{h^2}{6}f'''(x)+\dots$$
#
# This **central difference** has an error of order $h^2$; the one-sided one keeps $\frac h2f''$. So make $h$ tiny? The
# computer knows $f$ to a relative error $\epsilon$ only ($6\cdot10^{-8}$ in `float32`, $1.1\cdot10^{-16}$ in
# `float64`), and the division by $h$ blows that up to about $\epsilon|f|/h$.
#
# **Predict:** the sum of both errors has a minimum. At which $h$, roughly, in `float64`: $10^{-2}$, $10^{-5}$,
# $10^{-10}$ or $10^{-16}$?

# %%
def softplus_loss(z):
    return np.log1p(np.exp(-z))  # the cross-entropy of a case with label 1; its derivative is p - 1


steps, places = 10.0 ** np.arange(-12, 0.5, 0.25), np.linspace(-3, 3, 61)[:, np.newaxis]
error, best = {}, {}
for dtype in (np.float64, np.float32):
    z0, h = places.astype(dtype), steps.astype(dtype)
    numeric = (softplus_loss(z0 + h) - softplus_loss(z0 - h)) / (dtype(2) * h)  # (61 places, steps)
    error[dtype.__name__] = np.abs(numeric - (sigmoid(z0.astype(float)) - 1)).mean(axis=0)  # one place may be lucky
    best[dtype.__name__] = steps[error[dtype.__name__].argmin()]
    print(f"{dtype.__name__}: best h {best[dtype.__name__]:.0e}, error there {error[dtype.__name__].min():.0e}")
assert 1e-6 < best["float64"] < 1e-4 and 1e-3 < best["float32"] < 1e-1
assert 1e-13 < error["float64"].min() < 1e-10 and 1e-7 < error["float32"].min() < 1e-4

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.8, 4))
for (name, values), marker in zip(error.items(), "os"):
    ax.loglog(steps, np.maximum(values, 1e-16), marker=marker, markersize=4, label=name)
ax.loglog(steps, steps**2 * 0.011, color="0.5", label="slope 2: Taylor", linestyle=":")
ax.loglog(steps, 1.1e-16 / steps, color="0.5", label="slope −1: rounding", linestyle="-.")
ax.set(xlabel="step h", ylabel="mean error, central difference", ylim=(1e-16, 10), title="Too large, too small")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plots.picture(
    figure,
    alt="Mean error against step on logarithmic axes: two letters V. From the right float64 falls with slope 2 to about 1e-11 "
    "near h = 1e-5, then rises with slope -1 to the left. Float32 turns already near 1e-2, at an error of a few millionths, "
    "and is flat at a half for steps below 1e-8, which it cannot see.",
)

# %% [markdown]
# Two straight branches. Minimise $\frac{h^2}{6}|f'''|+\frac{\epsilon|f|}{h}$: the derivative $\frac
# h3|f'''|-\epsilon|f|/h^2=0$ gives $h=\sqrt[3]{3\epsilon|f|/|f'''|}$, of the order $\epsilon^{1/3}$: near $10^{-5}$ in
# `float64`, near $5\cdot10^{-3}$ in `float32`. The slopes here are about $\frac12$, so `float32` leaves you some five
# digits, where `float64` leaves eleven. **Check gradients in double precision.**
#
# ### Exercise (further): a numerical gradient
# Write the central difference for a function of an array: one number for each entry. Leave the array that you got
# unchanged.

# %% tags=["exercise"]
def numerical_gradient(function, x, h):
    """Return the gradient of function(x), a number, by central differences; the shape of x."""
    return ...  # your code


# %% tags=["check"]
ex.numerical_gradient.check(numerical_gradient)

# %%
def differences(function, x, h=1e-5):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index], down[index] = x[index] + h, x[index] - h
        gradient[index] = (function(up) - function(down)) / (2 * h)
    return gradient


z, y = rng.normal(0, 3, size=6), np.array([1.0, 0, 0, 1, 1, 0])
p = sigmoid(z)
claims = {
    "cross-entropy, p - y": (lambda z: stable_bce(z, y).sum(), p - y),
    "squared error, 2(p - y)p(1 - p)": (lambda z: ((sigmoid(z) - y) ** 2).sum(), 2 * (p - y) * p * (1 - p)),
    "the same without its 2": (lambda z: ((sigmoid(z) - y) ** 2).sum(), (p - y) * p * (1 - p)),
}

# %%
for name, (function, claimed) in claims.items():
    numeric = differences(function, z)
    relative = np.abs(numeric - claimed).max() / np.abs(numeric).max()
    print(f"{name:32s} relative error {relative:.0e}  {'holds' if relative < 1e-6 else 'WRONG'}")
    assert (relative < 1e-6) == ("without" not in name)
kink = differences(np.abs, np.zeros(())).item()
print(f"|r| at r = 0: {kink:.1f}, although it has no derivative there")

# %% [markdown]
# The dropped 2 is found. The last line shows the limit of the method: at a kink (MAE at 0, a ReLU at 0) the central
# difference reports an average slope and no warning. Check at random points, away from kinks. PyTorch has this check
# built in, as `torch.autograd.gradcheck`; it insists on `float64`, for the reason that you saw.

# %% [markdown]
# ## Rare findings
# In screening, most candidates are nothing. Take 10,000 of them, 100 nodules: one in a hundred (simulated). Every case
# pulls with its $dL/dz$. Define the **share** of the nodules as their part of all the pull:
#
# $$\text{share}=\frac{\sum_{i:\,y_i=1}|dL/dz_i|}{\sum_i|dL/dz_i|}.$$
#
# The usual remedies change the loss of a case:
# - a **class weight** $w$ multiplies the loss of the nodules;
# - the **focal loss** ([Lin et al. 2017](https://doi.org/10.1109/ICCV.2017.324)) multiplies each case by
#   $(1-p_t)^\gamma$, where $p_t$ is the probability that the model gave to the true class. A case that is already right
#   counts less. Optionally a factor $\alpha_t$ goes on top: $\alpha$ for label 1, $1-\alpha$ for label 0;
# - **soft Dice**, $1-2\sum p_iy_i/(\sum p_i+\sum y_i)$, looks at the overlap and never at the true negatives (next
#   section).
#
# ### Exercise (further): the focal loss
# Write it for each case, from logits: $\alpha_t(1-p_t)^\gamma\,(-\log p_t)$. No overflow at a logit of 800.

# %% tags=["exercise"]
def focal_loss(logits, labels, gamma, alpha):
    """Return the focal loss of each case; alpha weights label 1, and 1 - alpha label 0."""
    return ...  # your code


# %% tags=["check"]
ex.focal_loss.check(focal_loss)

# %% [markdown]
# By hand, on the three cases of before: $y$ = 1, 0, 1 and $p$ = 0.8, 0.4, 0.1, so $p_t$ = 0.8, 0.6, 0.1. With
# $\gamma=2$ and no $\alpha$ the factors are 0.04, 0.16 and 0.81, and the losses 0.009, 0.082 and 1.865: the case that
# is wrong keeps most of its loss, the others nearly vanish. With a class weight of 5 instead: $5\cdot0.223$, $0.511$
# and $5\cdot2.303$, on average 4.380. Now in PyTorch, so that autograd gives the gradients, and Dice from Keras:

# %%
def focal(z, y, gamma=2.0):
    loss = F.binary_cross_entropy_with_logits(z, y, reduction="none")  # -log p_t
    return (1 - torch.exp(-loss)) ** gamma * loss  # p_t = exp(-loss)


def overlap_loss(z, y):
    p = torch.sigmoid(z)
    return keras.losses.dice(y.to(keras_device), p.to(keras_device)).to(z.device)  # soft Dice of the whole batch


# %% tags=["hide-input"]
# Folded: the three cases by hand, focal and weighted, against Keras and PyTorch.
p_three = torch.tensor([0.8, 0.4, 0.1]).double()
tz, ty = torch.log(p_three / (1 - p_three)), torch.tensor([1.0, 0, 1]).double()
z, y = tz.numpy()[:, np.newaxis], ty.numpy()[:, np.newaxis]  # Keras: one column, a case a row
focal_keras = keras.losses.binary_focal_crossentropy(y, z, gamma=2.0, from_logits=True)
assert np.abs(focal(tz, ty).numpy() - keras.ops.convert_to_numpy(focal_keras)).max() < 1e-6
balanced = keras.losses.binary_focal_crossentropy(y, z, apply_class_balancing=True, alpha=0.25, from_logits=True)
alpha_t = torch.where(ty == 1, 0.25, 0.75)
assert np.abs((alpha_t * focal(tz, ty)).numpy() - keras.ops.convert_to_numpy(balanced)).max() < 1e-6
print("focal, case by case:", focal(tz, ty).numpy().round(3), "plain:", stable_bce(z, y).ravel().round(3))
far = float(keras.losses.binary_focal_crossentropy([[1.0]], [[-50.0]], from_logits=True))
print(f"focal at z = -50, label 1: Keras {far:.1f}, ours {focal(torch.tensor(-50.0), torch.tensor(1.0)):.1f}")
assert abs(far + np.log(1e-7)) < 0.01

weights = torch.where(ty == 1, 5.0, 1.0)
mine = (weights * F.binary_cross_entropy_with_logits(tz, ty, reduction="none")).mean()
pos_weight = F.binary_cross_entropy_with_logits(tz, ty, pos_weight=torch.tensor(5.0))
by_keras = keras.losses.BinaryCrossentropy(from_logits=True)(y, z, sample_weight=weights.numpy())
two_logits = torch.stack([torch.zeros_like(tz), tz], dim=1)
by_classes = F.cross_entropy(two_logits, ty.long(), weight=torch.tensor([1.0, 5.0]).double())
print(f"weight 5: PyTorch pos_weight {pos_weight:.3f}, Keras sample_weight {float(by_keras):.3f},", end=" ")
print(f"PyTorch cross_entropy(weight=) {by_classes:.3f}")
assert abs(mine - pos_weight) < 1e-12 and abs(float(mine) - float(by_keras)) < 1e-6
assert abs(mine * len(ty) / weights.sum() - by_classes) < 1e-12

# %% [markdown]
# All three weight the same cases, and the last is smaller: `cross_entropy(weight=...)` divides by the **sum of the
# weights**, the others by the number of cases. The gradient changes by the same factor, so a learning rate tuned for
# one is wrong for the other. Keras's focal loss leaves $\alpha$ out unless you set `apply_class_balancing=True`, and
# clips the probabilities, even with `from_logits=True`. PyTorch's core has no focal loss.
#
# **Predict:** at the start all logits are 0. Which losses give the 100 nodules at least half of the pull: plain,
# weighted with 99, focal, focal with $\alpha=0.25$, Dice?

# %%
def share_of_rare(loss, z):
    """Return the share of the label-1 cases in the sum of |dL/dz|."""
    z = z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(z, rare).sum(), z)
    return (gradient[rare == 1].abs().sum() / gradient.abs().sum()).item()


rare = torch.zeros(10_000).double()
rare[:100] = 1
losses = {
    "plain": lambda z, y: F.binary_cross_entropy_with_logits(z, y),
    "weighted, w = 99": lambda z, y: F.binary_cross_entropy_with_logits(z, y, pos_weight=torch.tensor(99.0)),
    "focal, γ = 2": focal,
    "focal, α = 0.25": lambda z, y: torch.where(y == 1, 0.25, 0.75) * focal(z, y),
    "soft Dice": overlap_loss,
}

# %%
states = {
    "start, z = 0": torch.zeros(10_000).double(),
    "bias fits": torch.full((10_000,), np.log(0.01 / 0.99)).double(),
}
shares = {name: [share_of_rare(loss, z) for z in states.values()] for name, loss in losses.items()}
print(f"{'share of the nodules':20s}", *(f"{state:>14s}" for state in states))
for name, values in shares.items():
    print(f"{name:20s}", *(f"{value:14.1%}" for value in values))
assert np.allclose(shares["plain"], [0.01, 0.5]) and np.allclose(shares["weighted, w = 99"][0], 0.5)
assert abs(shares["focal, γ = 2"][0] - 0.01) < 1e-6 and shares["focal, α = 0.25"][0] < 0.004
assert 0.45 < shares["soft Dice"][0] < 0.55 and shares["focal, γ = 2"][1] > 0.99

# %% [markdown]
# Read the first column. All $|p-y|$ are $\frac12$, so the plain share is the prevalence: 1 %. The weight lifts it to
# half, as Dice does. The focal factor is the same for all cases at $p=\frac12$, so it changes nothing, and the
# published $\alpha=0.25$ makes it **worse**: it weights the rare class *down*, to balance $\gamma$ later in training.
#
# The second column is the surprise. Let every logit be $\log\frac{0.01}{0.99}$: the model says the prevalence and knows
# nothing else. The **plain** loss is then in balance: $100\cdot0.99$ on one side, $9900\cdot0.01$ on the other. That is
# no accident. With a free bias $b$, $dL/db\propto\sum_i(p_i-y_i)$, and at its minimum
# $\sum_{y=1}(1-p_i)=\sum_{y=0}p_i$. So an unequal pull is mostly a problem of the **first steps**. Start the last bias
# at the log odds of the prevalence and it is gone from step 0; Lin et al. do that too. What stays is that 100 nodules
# teach less about nodules than 5,000 would, and no loss mends that.
#
# What, then, does a weight do in the end? It changes the **answer**. Take many cases that look alike, a part $p$ of
# them positive. The weighted loss of saying $q$ is $-wp\log q-(1-p)\log(1-q)$. Its derivative is zero where
#
# $$\frac{wp}{q}=\frac{1-p}{1-q}\quad\Rightarrow\quad\frac{q}{1-q}=w\,\frac{p}{1-p}\quad\Rightarrow\quad q=\frac{wp}{wp+1-p}.$$
#
# The odds are multiplied by $w$; the logit moves by $\log w$. With $w=99$ a risk of 1 % is reported as 50 %.
#
# ### Exercise: undo the weight
# A model was trained with `pos_weight` $w$ and reports $q$. Return the honest probability.

# %% tags=["exercise"]
def honest_probability(reported, weight):
    """Return the probability p behind what a model reports that was trained with a weight on label 1."""
    return ...  # your code


# %% tags=["check"]
ex.honest_probability.check(honest_probability)

# %% [markdown]
# Does training really end there? Simulated: 20,000 cases whose true risk is known, a logistic model, the plain and the
# weighted loss. `fit` returns the bias and the weights at the minimum; how one walks there is lesson 04.
#
# **Predict:** the mean risk is a few per cent. What will the weighted model report on average?

# %% tags=["hide-input"]
# Folded: fit(loss, x, y), which minimises the mean loss of a logistic model with SciPy.
import scipy.optimize


def fit(loss, x, y, penalty=0.0):
    """Return (bias, weights...) that minimise loss(z, y).mean() + penalty * |weights|²; z = bias + x @ weights."""
    x, y = torch.as_tensor(x).double(), torch.as_tensor(y).double()

    def value_and_gradient(parameters):
        t = torch.tensor(parameters, requires_grad=True)
        value = loss(t[0] + x @ t[1:], y).mean() + penalty * (t[1:] ** 2).sum()
        value.backward()
        return value.item(), t.grad.numpy()

    start = np.zeros(x.shape[1] + 1)
    return scipy.optimize.minimize(value_and_gradient, start, jac=True, method="L-BFGS-B").x


# %%
x = rng.normal(size=(20_000, 2))
true_logit = -5 + x @ [1.5, -1.0]
y = (rng.random(20_000) < sigmoid(true_logit)).astype(float)
plain, weighted = (fit(losses[name], x, y) for name in ("plain", "weighted, w = 99"))
reported = sigmoid(weighted[0] + x @ weighted[1:])
undone = reported / (reported + 99 * (1 - reported))
by_plain = sigmoid(plain[0] + x @ plain[1:])
for name, values in {"outcomes": y, "plain": by_plain, "weighted": reported, "undone": undone}.items():
    print(f"on average, {name:9s} {values.mean():.3f}")
alike = np.corrcoef(x @ plain[1:], x @ weighted[1:])[0, 1]
print(f"the logits of both models correlate by {alike:.4f}")
print(f"bias: plain {plain[0]:.2f}, weighted {weighted[0]:.2f}, moved by log 99 = {np.log(99):.2f}")
assert abs(weighted[0] - plain[0] - np.log(99)) < 0.3 and reported.mean() > 5 * y.mean()
assert abs(undone.mean() / y.mean() - 1) < 0.1 and alike > 0.99

# %% [markdown]
# The weighted model's risks are many times too high, and one line brings them back. Both models rank the cases almost
# alike (here the model has the right form), so the weighted one finds no more than the plain one with a lower
# threshold: a weight moves the threshold, by training. That is a decision about *costs*, and lesson 05 makes it in the
# open. [Van den Goorbergh et al. 2022](https://doi.org/10.1093/jamia/ocac093) found the same in clinical risk models,
# with balance made by resampling the cases: it spoiled the risks and did not improve the ranking.

# %% [markdown]
# ## Masks: Dice and its relatives
# A segmentation labels every pixel. With a lesion of 20 pixels in 4,096, a model that says "nothing" is 99.5 % right.
# The [Dice coefficient](glossary:dice-coefficient) of two masks compares their overlap with their sizes, $\frac{2|A\cap
# B|}{|A|+|B|}$, and ignores the background. For a loss it must have a gradient, so [Milletari et al.
# 2016](https://doi.org/10.1109/3DV.2016.79) put probabilities in. With $I=\sum_ip_iy_i$ and $S=\sum_ip_i+\sum_iy_i$ the
# **soft Dice loss**, and its gradient by the quotient rule, are
#
# $$L=1-\frac{2I+s}{S+s},\qquad\frac{\partial L}{\partial p_i}=-\frac{2y_i(S+s)-(2I+s)}{(S+s)^2}.$$
#
# The **smoothing** $s$ keeps the fraction defined when both masks are empty. (V-Net squares the $p_i$ and $y_i$ in $S$;
# both forms are called Dice.) By hand, $s=0$: $y=(1,1,0,0)$ and $p=(0.9,0.5,0.2,0)$. $I=1.4$, $S=1.6+2=3.6$, so
# $L=1-2.8/3.6=0.222$.
#
# ### Exercise: the soft Dice loss
# One loss for each image of a batch.

# %% tags=["exercise"]
def soft_dice_loss(probabilities, masks, smooth):
    """Return the soft Dice loss of each image; arrays (image, row, column)."""
    return ...  # your code


# %% tags=["check"]
ex.soft_dice_loss.check(soft_dice_loss)

# %% [markdown]
# There is a choice hidden here. You may take the Dice of each **image** and average, or pool all pixels of the
# **batch** first. And some images have no lesion at all.
#
# **Predict:** a slice without a lesion, $y=0$ everywhere, and no smoothing. The model paints a false blob. What is the
# gradient that tells it to stop?

# %%
def soft_dice(p, y, smooth, axes=(1, 2)):
    """Soft Dice loss; axes (1, 2): of each image, axes (0, 1, 2): of the batch as one."""
    overlap, sizes = (p * y).sum(axes), p.sum(axes) + y.sum(axes)
    return 1 - (2 * overlap + smooth) / (sizes + smooth)


masks = torch.zeros(2, 64, 64).double()
masks[0, 20:28, 20:28] = 1  # image 0: a lesion of 64 pixels; image 1: empty
blobs = torch.full((2, 64, 64), 1e-4).double()
blobs[0, 21:29, 20:28] = 0.8  # nearly right
blobs[1, 40:45, 40:44] = 0.8  # 20 pixels of false alarm

# %%
settings = {"image, s = 0": ((1, 2), 0.0), "image, s = 1": ((1, 2), 1.0), "batch, s = 0": ((0, 1, 2), 0.0)}
pulls = {}
for name, (axes, smooth) in settings.items():
    p = blobs.clone().requires_grad_()
    loss = soft_dice(p, masks, smooth, axes)
    (gradient,) = torch.autograd.grad(loss.mean(), p)
    pulls[name] = gradient[1, 42, 42].item()
    print(f"{name}: loss {loss.detach().numpy().round(3)}, pull on a false pixel {pulls[name]:.5f}")
assert pulls["image, s = 0"] == 0 and 0 < pulls["image, s = 1"] < pulls["batch, s = 0"]

# %% [markdown]
# Zero. With $y=0$ the overlap is 0 and stays 0, so the loss is 1 whatever the model paints, and a constant teaches
# nothing. In the formula, $I=0$, $y_i=0$ and $s=0$ leave $\partial L/\partial p_i=0$. Smoothing gives $s/(\sum
# p_i+s)^2$, which depends on a number that nobody tuned. Pooling the batch lets a false blob hurt as soon as the model
# hits some lesion elsewhere in the batch ($I>0$). But then large lesions dominate small ones.

# %% tags=["hide-input"]
painted = np.logspace(-2, 4, 200)
figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
for s in (0.01, 1, 100):
    axes[0].semilogx(painted, 1 - s / (painted + s), label=f"s = {s:g}")
    axes[1].loglog(painted, s / (painted + s) ** 2, label=f"s = {s:g}")
axes[0].axhline(1, color="0.5", linestyle="-", linewidth=1, label="s = 0")
axes[0].set(xlabel="false mass Σp (pixels)", ylabel="soft Dice loss", title="An empty mask")
axes[1].set(xlabel="false mass Σp (pixels)", ylabel="gradient on each false pixel", title="What tells it to stop")
axes[0].legend()
axes[1].legend()
plots.picture(
    figure,
    alt="Left: the loss on an empty mask against the false mass, S-shaped curves from 0 to 1 that rise where the mass equals s; "
    "without smoothing it is 1 everywhere. Right: the gradient is 1/s for small masses and falls with the square of the mass "
    "beyond s.",
)

# %% [markdown]
# Left: the loss rises where the false mass is about $s$, and is flat on both sides. A smoothing of $10^{-6}$ sees
# hardly a difference between 1 and 1,000 false pixels.
#
# **Tversky** ([Salehi et al. 2017](https://doi.org/10.1007/978-3-319-67389-9_44)) prices the two errors apart. With the
# false positives $FP=\sum p_i(1-y_i)$ and the false negatives $FN=\sum(1-p_i)y_i$,
#
# $$L=1-\frac{I}{I+\alpha\,FP+\beta\,FN}.$$
#
# Since $FP+FN=\sum p+\sum y-2I$, the choice $\alpha=\beta=\frac12$ gives $1-2I/S$: Dice. By hand, on the four pixels of
# before: $I=1.4$, $FP=0.2$, $FN=0.1+0.5=0.6$. With $\alpha=0.3$ and $\beta=0.7$, $L=1-1.4/(1.4+0.06+0.42)=0.255$.
#
# ### Exercise (further): the Tversky loss
# One loss for each image; no smoothing.

# %% tags=["exercise"]
def tversky_loss(probabilities, masks, alpha, beta):
    """Return the Tversky loss of each image; alpha prices false positives, beta false negatives."""
    return ...  # your code


# %% tags=["check"]
ex.tversky_loss.check(tversky_loss)

# %% [markdown]
# Keras has both. Find out what **its** definitions are, on masks that are not symmetric:

# %%
def tversky(p, y, alpha, beta):
    overlap = (p * y).sum((1, 2))
    false_positive, false_negative = (p * (1 - y)).sum((1, 2)), ((1 - p) * y).sum((1, 2))
    return 1 - overlap / (overlap + alpha * false_positive + beta * false_negative)


four_p, four_y = torch.tensor([[[0.9, 0.5, 0.2, 0]]]).double(), torch.tensor([[[1.0, 1, 0, 0]]]).double()
by_dice, by_tversky = soft_dice(four_p, four_y, 0.0).item(), tversky(four_p, four_y, 0.3, 0.7).item()
print(f"by hand: Dice {by_dice:.3f}, Tversky {by_tversky:.3f}")

# %%
one_p, one_y = blobs[:1], masks[:1]
assert abs(tversky(one_p, one_y, 0.5, 0.5) - soft_dice(one_p, one_y, 0.0)).item() < 1e-12
keras_tversky = float(keras.losses.tversky(one_y.numpy(), one_p.numpy(), alpha=0.3, beta=0.7))
orders = {"false positives": tversky(one_p, one_y, 0.3, 0.7), "false negatives": tversky(one_p, one_y, 0.7, 0.3)}
matches = [error for error, value in orders.items() if abs(value.item() - keras_tversky) < 1e-5]
print(f"Keras {keras.__version__}: its alpha prices the {matches[0]}")
assert len(matches) == 1
pooled = soft_dice(blobs, masks, 0.0, (0, 1, 2)).item()
assert abs(float(keras.losses.dice(masks.numpy(), blobs.numpy())) - pooled) < 1e-5
empty = np.zeros((1, 8, 8))
print("Keras Dice of an empty mask, rightly predicted empty:", float(keras.losses.dice(empty, empty)))

# %% [markdown]
# - Keras pools the **batch**, unless you give `axis`. Its $10^{-7}$ stands in the denominator only. So a mask that is
#   empty, and rightly predicted empty, costs 1: the worst loss for the right answer.
# - The cell says which error Keras's `alpha` prices. In versions 3.6 to 3.15 it is the false **negatives**: the other
#   way round than in the paper, and than in Keras's own documentation. Copy the paper's $\alpha=0.3,\beta=0.7$ there and
#   you train for the opposite. A [repair](https://github.com/keras-team/keras/pull/23333) was merged in July 2026, so a
#   later version may print the other line. One small test with unequal numbers tells you.
# - PyTorch's core has neither loss.
#
# Last, **Dice + cross-entropy**, the sum of the two, the usual choice for medical segmentation ([Isensee et al.
# 2021](https://doi.org/10.1038/s41592-020-01008-z)). Why both? Dice works on $p$, so its gradient by the logit carries
# the factor $p(1-p)$: it stalls as the squared error does. Look at a model that says "background" with confidence,
# $z=-8$:

# %%
ours = soft_dice(blobs, masks, 0.0, (0, 1, 2)) + F.binary_cross_entropy(blobs, masks)
pair = masks.numpy(), blobs.numpy()
both = keras.losses.dice(*pair) + keras.losses.binary_crossentropy(*pair).mean()
print(f"Dice + cross-entropy: ours {ours:.5f}, Keras {float(both):.5f}")
assert abs(ours.item() - float(both)) < 1e-5

# %%
lesion, pull = masks[:1], {}
for start in (0.0, -8.0):
    z = torch.full((1, 64, 64), start).double().requires_grad_()
    pair = {
        "Dice": soft_dice(torch.sigmoid(z), lesion, 1.0).mean(),
        "cross-entropy": F.binary_cross_entropy_with_logits(z, lesion),
    }
    for name, loss in pair.items():
        (gradient,) = torch.autograd.grad(loss, z)
        pull[name], total = gradient[lesion == 1].abs().sum(), gradient.abs().sum()
        print(f"z = {start:2.0f}  {name:14s} pull of the lesion {pull[name]:.4f}, its share {pull[name] / total:.0%}")
assert pull["cross-entropy"] > 5 * pull["Dice"]

# %% [markdown]
# At $z=0$ Dice pulls the lesion twice as hard as cross-entropy, which spends 98 % of its pull on the background. At
# $z=-8$ Dice has nearly stalled, and cross-entropy carries on. Both pull the lesion the same way, and the gradient of a
# sum is the sum of the gradients: in either state the sum has at least the stronger pull.

# %% [markdown]
# ## Honest probabilities
# You see a nodule and believe that it is malignant with probability $p$. You will be scored on what you *say*, $q$. On
# average you lose
#
# - by **log loss**: $-p\log q-(1-p)\log(1-q)$;
# - by the **[Brier score](glossary:brier-score)**, the squared error: $p(1-q)^2+(1-p)q^2$;
# - by **accuracy** at a threshold of $\frac12$: $1-p$ if $q>\frac12$, else $p$;
# - by the **absolute error** $|y-q|$: $p(1-q)+(1-p)q$;
# - by the **focal loss** with $\gamma=2$: $-p(1-q)^2\log q-(1-p)q^2\log(1-q)$.
#
# A score is called [proper](glossary:proper-scoring-rule) if no answer beats $q=p$, and **strictly proper** if every
# other answer is worse ([Gneiting and Raftery 2007](https://doi.org/10.1198/016214506000001437)). Only the second kind
# makes you say what you believe.
#
# **Predict:** you believe 70 %. Which of the five would you answer with 70 %? Which with 51 %, or with 100 %?

# %%
q = np.linspace(0.001, 0.999, 999)
expected = {
    "log loss": lambda p: -p * np.log(q) - (1 - p) * np.log(1 - q),
    "Brier": lambda p: p * (1 - q) ** 2 + (1 - p) * q**2,
    "error rate (1 - accuracy)": lambda p: np.where(q > 0.5, 1 - p, p),
    "absolute error": lambda p: p * (1 - q) + (1 - p) * q,
    "focal loss, γ = 2": lambda p: -p * (1 - q) ** 2 * np.log(q) - (1 - p) * q**2 * np.log(1 - q),
}
best = {}
for name, loss in expected.items():
    lowest = q[np.isclose(loss(0.7), loss(0.7).min(), rtol=0, atol=1e-12)]
    best[name] = lowest[0]
    print(f"belief 0.70, {name}: best to say {lowest[0]:.3f}", f"to {lowest[-1]:.3f}" if len(lowest) > 1 else "")
assert np.allclose([best["log loss"], best["Brier"]], 0.7)
assert best["absolute error"] == q[-1] and 0.55 < best["focal loss, γ = 2"] < 0.65

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 3, figsize=(11, 6))
for ax, (name, loss) in zip(axes.flat, expected.items()):
    for p, marker in ((0.2, "o"), (0.5, "s"), (0.7, "^")):
        (line,) = ax.plot(q, loss(p))
        at = np.abs(q - p).argmin()
        (mark,) = ax.plot(q[at], loss(p)[at], marker, color="black", markersize=7)
        if ax is axes[0, 0]:
            axes[1, 2].plot([], [], color=line.get_color(), linestyle=line.get_linestyle(), label=f"belief {p}")
            axes[1, 2].plot([], [], marker, color="black", label=f"the honest answer, {p}")
    top = {"log loss": 1.5, "focal loss, γ = 2": 0.5}.get(name, 1)
    ax.set(xlabel="what you say, q", ylabel="expected loss", title=name, ylim=(0, top))
axes[1, 2].axis("off")
axes[1, 2].legend(loc="center")
plots.picture(
    figure,
    alt="Five panels: expected loss against what one says, for beliefs 0.2, 0.5 and 0.7; the honest answer is marked. For log "
    "loss and Brier the mark is at the bottom of each curve. The error rate is a step or flat. The absolute error is a "
    "straight line, lowest at 0 or 1, or flat for belief 0.5. Under the focal loss the bottom lies nearer to one half than "
    "the mark, but for belief 0.5.",
)

# %% [markdown]
# Set each derivative by $q$ to zero and you see why.
#
# - **Log loss**: $-\frac pq+\frac{1-p}{1-q}=0$ gives $q=p$. Strictly proper. Saying $q$ instead costs extra
#   $p\log\frac pq+(1-p)\log\frac{1-p}{1-q}$, called the Kullback-Leibler divergence.
# - **Brier**: $-2p(1-q)+2(1-p)q=2(q-p)=0$ gives $q=p$. Strictly proper. Saying $q$ instead costs extra $(q-p)^2$.
# - **Accuracy** has no slope, only one jump. Honesty costs nothing, so it is proper; but it cannot tell 51 % from 99 %,
#   so it is not strictly proper, and rewards nobody for honesty.
# - **Absolute error** has the slope $1-2p$ everywhere. The best $q$ is 0 or 1: not proper, it pays to **exaggerate**.
# - **Focal**: its slope at $q=p$ is $2p(1-p)\log\frac{p}{1-p}+2p-1$. That is positive for
#   $p>\frac12$ and negative below, so it pays to move towards the middle: not proper, to **hedge** is better.
#
# A squared error on probabilities *is* the Brier score ([Brier
# 1950](https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2)): a fine score, a slow loss.
#
# Now four simulated doctors see the same 20,000 simulated patients and know each true risk. One is honest. One
# exaggerates (logits times 3). One hedges (logits divided by 3). One always says the prevalence.

# %%
risk = sigmoid(rng.normal(-0.5, 1.5, size=20_000))
outcome = (rng.random(20_000) < risk).astype(float)
belief = np.log(risk / (1 - risk))
doctors = {"honest": belief, "exaggerates": 3 * belief, "hedges": belief / 3}
doctors["prevalence only"] = np.full(20_000, np.log(outcome.mean() / (1 - outcome.mean())))
scores = {}
print(f"{'simulated':16s} {'error rate':>10s} {'log loss':>9s} {'Brier':>7s} {'absolute':>9s}")
for name, z in doctors.items():
    q = sigmoid(z)
    off = q - outcome
    scores[name] = np.mean((q > 0.5) != outcome), stable_bce(z, outcome).mean(), np.mean(off**2), np.mean(np.abs(off))
    print("{:16s} {:10.3f} {:9.3f} {:7.3f} {:9.3f}".format(name, *scores[name]))
assert scores["honest"][0] == scores["exaggerates"][0] == scores["hedges"][0]
assert all(scores["honest"][k] == min(s[k] for s in scores.values()) for k in (1, 2))
assert scores["exaggerates"][3] < scores["honest"][3]

# %% [markdown]
# Three doctors have the **same** accuracy, to the last case. Log loss and Brier put the honest one first. The absolute
# error prefers the one who exaggerates.
#
# **Soft Dice is not proper.** Many pixels at a lesion's border are uncertain: readers disagree. Suppose 100 pixels are
# lesion for sure, and 100 border pixels belong to it with probability $p$, all of them or none. What should a model say
# at the border?

# %%
border = np.linspace(0, 1, 101)  # what it says on each of the 100 border pixels


def expected_dice(p, said):
    with_border = 2 * (100 + 100 * said) / (100 + 100 * said + 200)
    without = 2 * 100 / (100 + 100 * said + 100)
    return 1 - p * with_border - (1 - p) * without


says = {p: border[expected_dice(p, border).argmin()] for p in (0.2, 0.4, 0.6, 0.8)}
print("truth at the border -> what soft Dice is best served by:", {p: float(value) for p, value in says.items()})
assert set(says.values()) <= {0.0, 1.0} and says[0.2] == 0 and says[0.8] == 1

# %% [markdown]
# Here it pays to say 0 or 1, never the truth. So probability maps of a network trained by Dice tend to look sharp and
# mean little, and volumes summed from them may be biased where the border is uncertain ([Bertels et al.
# 2021](https://doi.org/10.1016/j.media.2020.101833)).
#
# **Label smoothing** replaces the label by $y'=(1-\varepsilon)y+\varepsilon/K$ ([Szegedy et al.
# 2016](https://doi.org/10.1109/CVPR.2016.308)). With a hard label the loss $\log(1+e^{-z})$ falls for ever: the best
# logit is infinite. With a smoothed one, $p-y'=0$ at $p=1-\varepsilon/2$ (two classes), a finite logit of
# $\log\frac{1-\varepsilon/2}{\varepsilon/2}$. That tames overconfidence. It is a small lie as well: cases with true
# risk $p$ are pulled to $(1-\varepsilon)p+\varepsilon/2$. With a rare disease that lie is large.

# %%
epsilon = 0.1
hard = (np.arange(1000) < 10).astype(float)  # 1,000 patients, 1 % ill
q = np.linspace(0.001, 0.5, 500)
loss = stable_bce(np.log(q / (1 - q))[:, np.newaxis], (1 - epsilon) * hard + epsilon / 2).mean(axis=1)
print(f"smoothing 0.1: best logit {np.log(0.95 / 0.05):.2f} instead of infinity;", end=" ")
print(f"a risk of 1 % is reported as {q[loss.argmin()]:.1%}")
assert abs(q[loss.argmin()] - (0.9 * 0.01 + 0.05)) < 1e-3

# %% tags=["hide-input"]
# Folded: label smoothing with three classes, against PyTorch and Keras.
smooth_labels = (1 - epsilon) * one_hot + epsilon / 3
log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
ours = -(smooth_labels * log_softmax).sum(axis=1).mean()
from_torch = F.cross_entropy(torch.tensor(logits), tc, label_smoothing=epsilon).item()
from_keras = keras.losses.categorical_crossentropy(one_hot, logits, from_logits=True, label_smoothing=epsilon).mean()
print(f"three classes, smoothed: ours {ours:.4f}, PyTorch {from_torch:.4f}, Keras {float(from_keras):.4f}")
assert abs(ours - from_torch) < 1e-12 and abs(ours - float(from_keras)) < 1e-6

# %% [markdown]
# ## Real patients
# The same losses, on real cells: 569 fine-needle aspirates of the breast, one for each patient ([Street et al.
# 1993](https://doi.org/10.1117/12.148698)). It comes with scikit-learn, so it runs everywhere. To keep the risk
# uncertain you use only three of its 30 features. All test patients are new to the model. The
# [sensitivity](glossary:sensitivity) is the share of the malignant cases that are called malignant, the
# [specificity](glossary:specificity) the share of the benign ones that are called benign.
#
# **Predict:** cross-entropy, weight 10, focal, squared error, Dice. Which scores will differ most between the losses:
# the AUC (how well the patients are ranked; lesson 05), or the Brier score?

# %%
import scipy.special

from medlearn import metrics

cytology = data.load_breast_cytology()
chosen = [cytology.feature_names.index(name) for name in ("mean texture", "mean smoothness", "mean symmetry")]
train_rows, test_rows = data.split_by_patient(cytology.patients, fractions=(0.7, 0.3), labels=cytology.labels, seed=3)
x = cytology.features[:, chosen]
x = (x - x[train_rows].mean(axis=0)) / x[train_rows].std(axis=0)  # scaled by what the training patients show
patients = np.array(cytology.patients)[test_rows]
x_train, y_train, x_test, y_test = x[train_rows], cytology.labels[train_rows], x[test_rows], cytology.labels[test_rows]
print(f"{len(y_train)} patients to train, {len(y_test)} to test, malignant {y_train.mean():.0%} and {y_test.mean():.0%}")

# %% tags=["hide-input"]
# Folded: weighted_by(w); compare(), which fits the logistic model by each loss and prints four scores with intervals.
def weighted_by(w):
    return lambda z, y: F.binary_cross_entropy_with_logits(z, y, pos_weight=torch.tensor(w))


def score_line(labels, z, patients):
    """Return four scores with their intervals over patients, as a line; z are logits."""
    q, said = scipy.special.expit(z), (z > 0).astype(int)  # expit is sigma, without overflow
    scores = [metrics.auc_score(labels, z, patients=patients), metrics.brier_score(labels, q, patients=patients)]
    for score in (metrics.sensitivity_score, metrics.specificity_score):
        scores.append(score(labels, said, patients=patients))
    return "  ".join(f"{s.value:.2f} ({s.low:.2f}–{s.high:.2f})" for s in scores)


def compare(losses, train, test, penalty=0.0):
    """Fit a logistic model by each loss; print its scores on test = (x, labels, patients); return the logits."""
    logits = {}
    print(f"{'':14s}", *(f"{name:17s}" for name in ("AUC", "Brier", "sensitivity", "specificity")), "mean q")
    for name, loss in losses.items():
        coefficients = fit(loss, *train, penalty)
        logits[name] = coefficients[0] + test[0] @ coefficients[1:]
        q = scipy.special.expit(logits[name])
        print(f"{name:14s}", score_line(test[1], logits[name], test[2]), f"  {q.mean():.2f}")
    return logits


# %%
contest = {
    "cross-entropy": F.binary_cross_entropy_with_logits,
    "weight 10": weighted_by(10.0),
    "focal": focal,
    "squared error": lambda z, y: (torch.sigmoid(z) - y) ** 2,
    "Dice": overlap_loss,
}
test_logits = compare(contest, (x_train, y_train), (x_test, y_test, patients))
print(f"(value and 95 % interval over {len(y_test)} test patients; decisions at a threshold of 1/2)")

# %% tags=["hide-input"]
# Folded: how extreme the reports are, and the logits behind them.
reports = {name: scipy.special.expit(z) for name, z in test_logits.items()}
extreme = {name: np.mean(np.abs(q - 0.5) > 0.49) for name, q in reports.items()}
print("reports below 1 % or above 99 %:", ", ".join(f"{name} {share:.0%}" for name, share in extreme.items()))
largest = {name: np.abs(test_logits[name]).max() for name in ("cross-entropy", "Dice")}
print("largest |z|:", ", ".join(f"{name} {value:.1f}" for name, value in largest.items()))
assert extreme["Dice"] > 0.9 and extreme["cross-entropy"] < 0.1 and largest["Dice"] > 17

# %%
undone = reports["weight 10"] / (reports["weight 10"] + 10 * (1 - reports["weight 10"]))
for name, q in {"weight 10": reports["weight 10"], "weight 10, undone": undone}.items():
    print(f"{name}: Brier {metrics.brier_score(y_test, q, patients=patients):.3f}, mean report {q.mean():.2f}")


def brier_difference(y, a, b):
    return np.mean((a - y) ** 2) - np.mean((b - y) ** 2)


harm = metrics.bootstrap(brier_difference, y_test, reports["weight 10"], reports["cross-entropy"], patients=patients)
print(f"Brier of weight 10 minus Brier of cross-entropy, same patients: {harm:.3f}")
assert harm.low > 0 and np.mean((undone - y_test) ** 2) < np.mean((reports["weight 10"] - y_test) ** 2)

# %% [markdown]
# The ranking hardly changes: the AUCs lie within each other's intervals. The **reports** do change. Weight 10 and Dice
# catch more malignant cases at $\frac12$, because they moved the threshold, and pay with the Brier score. The focal
# loss is not proper either: it reports too much for the rarer class and pulls everything towards the middle. And Dice
# says "certainly" to nearly every patient: no true probability holds it, so its weights grow without end. Undoing the
# weight repairs the Brier score without any new training.
#
# Now real nodule candidates: crops of chest CT from LUNA16 ([Setio et al.
# 2017](https://doi.org/10.1016/j.media.2017.06.015)), fewer than one in five a nodule. The file does not name patients.
# Its rows run scan by scan, so **blocks** of rows, about two scans each, stand in for the patient in the split and in
# the intervals. The last 15 % of the rows are the test set of lesson 06: you leave them alone. The model is the same
# logistic model on 100 mean values of 5 × 5 pixels.

# %%
def tiles(crops):
    """Return the means of 5 x 5 pixels: 100 numbers a crop."""
    return crops.images_hu.reshape(-1, 10, 5, 10, 5).mean(axis=(2, 4)).reshape(-1, 100).astype(float)


if data.available("luna16_crops"):
    development, _ = data.load_luna16_crops().by_rows((0.85, 0.15))
    training, validation = development.by_rows((0.75, 0.25))
    print(f"{len(training)} crops to train, {len(validation)} to validate, {validation.labels.mean():.0%} nodules")

# %%
if data.is_available("luna16_crops"):
    mean, scale = tiles(training).mean(axis=0), tiles(training).std(axis=0)
    x_train, x_valid = (tiles(training) - mean) / scale, (tiles(validation) - mean) / scale
    contest["weight"] = weighted_by(float((1 - training.labels).sum() / training.labels.sum()))
    luna = {name: contest[name] for name in ("cross-entropy", "weight", "focal", "squared error", "Dice")}
    unseen = (x_valid, validation.labels, validation.blocks)
    valid_logits = compare(luna, (x_train, training.labels), unseen, penalty=1e-3)
    auc = metrics.auc_score(validation.labels, valid_logits["cross-entropy"], patients=validation.blocks)
    print("All intervals are over blocks of rows; AUC of cross-entropy in full:", auc.counted_in("block"))

# %% [markdown]
# Where the crops are there, you see the same pattern on pixels. Cross-entropy reports about the true share of nodules,
# and finds few of them at $\frac12$. With risks this low, $\frac12$ is the wrong threshold. The weight moves it and
# spoils the risks.
#
# Last, real masks. Four radiologists outlined one nodule of one patient of LIDC-IDRI. They disagree, so the honest map
# says at each voxel how many of the four drew it.
#
# **Predict:** which map has the lowest soft Dice loss, averaged over the four readers: the honest map, the voxels of
# any reader, of at least two, of at least three, or of all four? And which the lowest Brier score, taken over the
# voxels that anybody drew?

# %%
import SimpleITK as sitk

if data.available("lidc_idri_0314", ["*crop*"]):
    outlines = [data.load_lidc_crop(reader).labels for reader in (1, 2, 3, 4)]
    readers = np.stack([sitk.GetArrayFromImage(outline) for outline in outlines]).astype(float)
    honest = readers.mean(axis=0)  # (4, slices, rows, columns) -> (slices, rows, columns)
    maps = {"honest": honest} | {f"at least {k} of 4": (honest >= k / 4).astype(float) for k in (1, 2, 3, 4)}
    mean_loss = {}
    for name, said in maps.items():
        per_reader = [1 - 2 * (said * m).sum() / (said.sum() + m.sum()) for m in readers]
        mean_loss[name] = np.mean(per_reader)
        brier = np.mean((said - readers) ** 2) * said.size / (honest > 0).sum()
        print(f"{name:15s} Dice loss {mean_loss[name]:.3f}  Brier {brier:.3f}  {said.sum():.0f} voxels")
    assert min(mean_loss, key=mean_loss.get) == "at least 2 of 4" and maps["at least 2 of 4"].sum() > honest.sum()

# %% tags=["hide-input"]
if data.is_available("lidc_idri_0314", ["*crop*"]):
    drawn = readers.sum(axis=(2, 3))  # (4, slices)
    where = np.flatnonzero(drawn.any(axis=0))
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    middle = where[len(where) // 2]
    rows, columns = (np.flatnonzero(honest[middle].any(axis=k)) for k in (1, 0))
    part = honest[middle, rows[0] - 5 : rows[-1] + 6, columns[0] - 5 : columns[-1] + 6]
    shown = axes[0].imshow(part, cmap="gray", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes[0], label="share of the four readers")
    axes[0].set(title=f"Slice {middle}: who drew what", xticks=[], yticks=[])
    for reader, marker in enumerate("os^D"):
        axes[1].plot(where, drawn[reader, where], marker=marker, markersize=4, label=f"reader {reader + 1}")
    axes[1].set(xlabel="slice", ylabel="pixels drawn", title="Some slices are empty for some readers")
    axes[1].xaxis.get_major_locator().set_params(integer=True)
    axes[1].legend()
    plots.picture(
        figure,
        alt="Left: the nodule in one slice, white where all four readers drew it, grey at the rim. Right: the pixels that each "
        "reader drew in each slice; at both ends some readers drew none.",
    ).show()
    disputed = [k for k in where if (drawn[:, k] == 0).any()]
    print(f"{len(where)} slices, {len(disputed)} of them empty for at least one reader and not for another")

# %% [markdown]
# Soft Dice prefers a black-and-white mask to the honest map, on real readers as on the made-up border, and its
# favourite of these five is larger than the mean of what they drew. The Brier score prefers the honest map. And the
# empty mask is no rare accident: at the ends of the nodule some readers drew nothing. An image-wise Dice without
# smoothing would give such a slice the full loss whatever the model says.

# %% [markdown]
# ## What you may claim
# **You may claim**
# - Your losses equal PyTorch's to $10^{-12}$ and Keras's to $10^{-5}$, where the definitions agree, on the cases that
#   were tried. Where they do not, you know how they differ.
# - On 171 test patients of **one** hospital, three features and a logistic model, weighting the malignant class by 10
#   worsened the Brier score. The interval of the difference, over patients, is printed above and excludes 0. Undoing
#   the weight brought it back.
# - Under soft Dice the honest map of these four readers is not the best answer. That was computed for
#   a made-up border, and seen on one nodule.
#
# **The published figure:** the documentation of the data reports 97.5 % right diagnoses, by repeated cross-validation,
# with the best three of all 30 features: worst area, worst smoothness, mean texture ([Wolberg et al.
# 1993](https://doi.org/10.24432/C5DW2B)). Yours were picked to leave doubt, so that the losses have something to
# disagree on.
#
# **You may not claim**
# - That one of these losses ranks patients better. The AUCs overlap; the comparison of two AUCs on the same patients is
#   lesson 05's.
# - That these scores are those of a clinical test. The cells were chosen and outlined by hand, no second hospital was
#   asked, and three features of 30 were used on purpose.
# - An interval over *patients* for the CT crops. Blocks of rows stand in for patients; one patient may lie in two
#   blocks, so the interval may be too narrow. And this is a validation set that you looked at, not a test.
# - Anything about readers in general from four readers of one nodule. [Armato et al.
#   2011](https://doi.org/10.1118/1.3528204) describe the whole collection.
# - That weights, focal loss and Dice are useless. They can help a network to *start*. What they do to its probabilities
#   you must then repair, or say.

# %% [markdown]
# ## Summary
# - A loss is minus the log of a likelihood: Gaussian noise gives MSE and the mean, Laplace noise MAE and the median,
#   coins and dice cross-entropy. Huber is quadratic inside and straight outside.
# - With a sigmoid or a softmax, cross-entropy has the gradient $p-y$.
# - Compute from logits, by log-sum-exp. From probabilities, clipping puts a ceiling on the loss and silences the cases
#   that are most wrong.
# - A squared error behind a sigmoid stalls where the model is confidently wrong; so does Dice alone.
# - Check gradients by central differences in `float64`, with $h$ near $10^{-5}$.
# - Rare classes: the plain loss is in balance as soon as the bias fits. Weights multiply the odds that the model
#   reports; undo them by dividing.
# - Soft Dice on an empty mask has no gradient without smoothing. Keras pools the batch, and its Tversky $\alpha$ may
#   not be the paper's.
# - Log loss and Brier are strictly proper: they reward honest probabilities. Accuracy, absolute error, focal loss and
#   Dice do not.
#
# ### Key terms
# [likelihood](glossary:likelihood) · [Huber loss](glossary:huber-loss) · [cross-entropy](glossary:cross-entropy) ·
# [logit](glossary:logit) · [softmax](glossary:softmax) · [Dice coefficient](glossary:dice-coefficient) · [proper
# scoring rule](glossary:proper-scoring-rule) · [prevalence](glossary:prevalence)
#
# ### Further reading
# - Huber PJ. *Robust estimation of a location parameter.* Annals of Mathematical Statistics 1964.
#   <https://doi.org/10.1214/aoms/1177703732>
# - Blanchard P, Higham DJ, Higham NJ. *Accurately computing the log-sum-exp and softmax functions.* IMA Journal of
#   Numerical Analysis 2021. <https://doi.org/10.1093/imanum/draa038>
# - Gneiting T, Raftery AE. *Strictly proper scoring rules, prediction, and estimation.* Journal of the American
#   Statistical Association 2007. <https://doi.org/10.1198/016214506000001437>
# - Lin TY, Goyal P, Girshick R, He K, Dollár P. *Focal loss for dense object detection.* ICCV 2017.
#   <https://doi.org/10.1109/ICCV.2017.324>
# - Van den Goorbergh R, van Smeden M, Timmerman D, Van Calster B. *The harm of class imbalance corrections for risk
#   prediction models.* Journal of the American Medical Informatics Association 2022.
#   <https://doi.org/10.1093/jamia/ocac093>
# - Milletari F, Navab N, Ahmadi SA. *V-Net: fully convolutional neural networks for volumetric medical image
#   segmentation.* 3DV 2016. <https://doi.org/10.1109/3DV.2016.79>
# - Salehi SSM, Erdogmus D, Gholipour A. *Tversky loss function for image segmentation using 3D fully convolutional deep
#   networks.* MLMI 2017. <https://doi.org/10.1007/978-3-319-67389-9_44>
# - Bertels J, Robben D, Vandermeulen D, Suetens P. *Theoretical analysis and experimental validation of volume bias of
#   soft Dice optimized segmentation maps in the context of inherent uncertainty.* Medical Image Analysis 2021.
#   <https://doi.org/10.1016/j.media.2020.101833>
# - Szegedy C, Vanhoucke V, Ioffe S, Shlens J, Wojna Z. *Rethinking the inception architecture for computer vision.*
#   CVPR 2016. <https://doi.org/10.1109/CVPR.2016.308>
