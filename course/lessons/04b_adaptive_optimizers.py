# %% [markdown]
# Lesson 04a had one learning rate for all weights. A network has thousands of weights, and their gradients differ in
# size by a factor of ten and more. In this lesson each weight gets a rate of its own: you derive AdaGrad, RMSProp, Adam
# and AdamW, write each in a few lines, and hold it against PyTorch and Keras, digit by digit. Where the two libraries
# disagree, you find out by how much. Then come the things around an optimizer that decide at least as much as its
# name: the rate over time, clipping, and the weights that you start from. At the end, three optimizers are tuned in
# the same way on real patients. Does it matter which one you take?
#
# The cell features are measured on real microscope images and come with scikit-learn. Where gradients are simulated,
# the text says so. The lesson takes a little over two hours; the exercise marked *further* comes on top of that.

# %% [markdown]
# ## A rate of its own for every weight
# Take a small network on the breast cytology table: 569 fine-needle aspirates, 30 measurements of cell nuclei each,
# brought to mean 0 and standard deviation 1 as in lesson 04a. (All 569 are used here, since nothing is scored. Where
# scores are made, at the end, the training patients alone give mean and standard deviation.)
#
# All inputs have the same scale, and the weights start with nearly the same. Take for each weight the root mean square
# of its gradient over 50 batches, and sort all weights by it.
#
# **Predict:** by which factor do the 10th and the 90th percentile differ: 2, 10, or 100?

# %%
import torch

cells = data.load_breast_cytology()
x = (cells.features - cells.features.mean(axis=0)) / cells.features.std(axis=0)  # (569, 30)
y = cells.labels.astype(float)  # 1 = malignant
inputs, labels = torch.from_numpy(x).float(), torch.from_numpy(y).float()

# %%
torch.manual_seed(0)
sizes = [30, 64, 64, 64, 1]
layers = [torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
network = torch.nn.Sequential(*[part for layer in layers for part in (layer, torch.nn.ReLU())][:-1])
weights = [layer.weight for layer in layers]
draw, squares = np.random.default_rng(0), [torch.zeros_like(weight) for weight in weights]
for _ in range(50):
    rows = draw.integers(0, len(x), size=32)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(network(inputs[rows])[:, 0], labels[rows])
    squares = [q + g**2 / 50 for q, g in zip(squares, torch.autograd.grad(loss, weights))]
low, high = np.percentile(torch.cat([q.ravel() for q in squares]).sqrt(), [10, 90])
print("by layer:", ", ".join(f"{q.mean().sqrt():.0e}" for q in squares))
print(f"of all weights, the 10th percentile has {low:.0e}, the 90th {high:.0e}: a factor of {high / low:.0f}")
assert high / low > 25

# %% [markdown]
# With one rate for all, those at the one end hardly move, or those at the other are thrown about. Can we derive a rate
# for each weight from what it has seen?
#
# Look at one weight $w$ and its gradients $g_1,\dots,g_T$, each from another batch with a convex loss $L_t$. Let
# $w^*$ be the best fixed value. Convexity (the tangent lies below the curve) says
# $L_t(w_t)-L_t(w^*)\le g_t\,(w_t-w^*)$. One step $w_{t+1}=w_t-\eta g_t$
# changes the squared distance by
#
# $$(w_{t+1}-w^*)^2=(w_t-w^*)^2-2\eta\,g_t(w_t-w^*)+\eta^2g_t^2 .$$
#
# Solve for $g_t(w_t-w^*)$ and add up all $T$ steps. Each distance cancels against that of the next step. The first
# is left, and the last, which is not negative and has a minus sign; drop it:
#
# $$\sum_t \bigl(L_t(w_t)-L_t(w^*)\bigr)\;\le\;\frac{(w_1-w^*)^2}{2\eta}+\frac{\eta}{2}\sum_t g_t^2 .$$
#
# The left side is what you paid more than the best fixed weight would have. The right side is smallest where its
# derivative with respect to $\eta$ is 0, at
#
# $$\eta=\frac{|w_1-w^*|}{\sqrt{\sum_t g_t^2}} .$$
#
# With many weights the bound is a sum over weights, and each has its own best rate: large gradients, small rate. You
# know neither the distance nor the future. So put one number $\eta$ for the distance, and sum as far as you have
# come. That is [AdaGrad](glossary:adagrad) ([Duchi, Hazan and Singer 2011](https://jmlr.org/papers/v12/duchi11a.html)
# prove what this sketch suggests):
#
# $$G\leftarrow G+g^2,\qquad w\leftarrow w-\eta\,\frac{g}{\sqrt{G}+\varepsilon}.$$
#
# All of it is meant weight by weight; $\varepsilon=10^{-10}$ saves you from dividing by 0.
#
# ### Exercise: AdaGrad
# Write one step. `total` is $G$.

# %% tags=["exercise"]
def adagrad_step(w, g, total, learning_rate):
    """Return (w, total) after one step; epsilon is 1e-10."""
    return ...  # your code


# %% tags=["check"]
ex.adagrad_step.check(adagrad_step)

# %% [markdown]
# The lesson's own version keeps what it remembers in a dictionary `s`, so that all four optimizers can be called
# alike. The test problem: a logistic regression on the cells, with 31 weights and 32 random patients in each step.

# %%
from scipy.special import expit


def adagrad(w, g, s, t, *, rate, eps=1e-10):
    s["G"] = s.get("G", 0) + g**2
    return w - rate * g / (np.sqrt(s["G"]) + eps)


with_one = np.column_stack([x, np.ones(len(x))])  # the bias is the weight of a column of ones
batches = rng.integers(0, len(x), size=(200, 32))
w_start = rng.normal(size=31)


def gradient(w, t):
    """Return the gradient of the mean cross-entropy of batch t (from 1)."""
    rows = batches[t - 1]
    return with_one[rows].T @ (expit(with_one[rows] @ w) - y[rows]) / len(rows)


# %%
def walk(step, steps=200, **options):
    """Return the weights before every step and after the last, (steps + 1, 31)."""
    w, s, path = w_start, {}, [w_start]
    for t in range(1, steps + 1):
        w = step(w, gradient(w, t), s, t, **options)
        path.append(w)
    return np.array(path)


# %%
def walk_torch(make, steps=200):
    w = torch.tensor(w_start, requires_grad=True)
    optimizer, path = make([w]), [w_start]
    for t in range(1, steps + 1):
        w.grad = torch.from_numpy(gradient(w.detach().numpy(), t))
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


def apart(path, other):
    return np.abs(path - other).max()


rate = 2**-5  # a power of two: the same in single and in double precision
in_torch = walk_torch(lambda w: torch.optim.Adagrad(w, lr=rate))
print(f"AdaGrad and torch.optim.Adagrad, 200 steps: {apart(walk(adagrad, rate=rate), in_torch):.0e} apart")
assert apart(walk(adagrad, rate=rate), in_torch) < 1e-12

# %% [markdown]
# ## RMSProp and Adam: forget, then correct
# AdaGrad's sum only grows, so the rate of each weight only falls. For a convex problem the bound wants that. A
# network wanders through regions with other gradients, and an old gradient should not count for ever.
#
# [RMSProp](glossary:rmsprop) (Hinton's lecture 6e of 2012; never published as a paper) replaces the sum by a running
# mean with a memory of about $1/(1-\alpha)$ steps:
#
# $$v\leftarrow\alpha v+(1-\alpha)\,g^2,\qquad w\leftarrow w-\eta\,\frac{g}{\sqrt{v}+\varepsilon}.$$
#
# **Predict:** the gradient is 1 in every step, the rate 0.01, $\alpha=0.99$. How far does each come in 100 steps, and
# in 10,000? How long is the *first* step of each?

# %%
def rmsprop(w, g, s, t, *, rate, alpha=0.99, eps=1e-8):
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g**2
    return w - rate * g / (np.sqrt(s["v"]) + eps)


for name, step in {"AdaGrad": adagrad, "RMSProp": rmsprop}.items():
    w, s, come = 0.0, {}, {}
    for t in range(1, 10_001):
        w = step(w, 1.0, s, t, rate=0.01)
        come[t] = -w
    print(f"{name}: first step {come[1]:.3f}; after 100 steps {come[100]:.2f}, after 10,000 {come[10_000]:.2f}")
    assert abs(come[10_000] / {"AdaGrad": 0.01 * 2 * 100, "RMSProp": 0.01 * 10_000}[name] - 1) < 0.02
    assert abs(come[1] / {"AdaGrad": 0.01, "RMSProp": 0.1}[name] - 1) < 1e-6

# %% [markdown]
# AdaGrad's steps are $\eta/\sqrt t$, which add up to $2\eta\sqrt T$: a hundred times the steps bring you ten times as
# far. RMSProp keeps its pace. But its first step is **ten times** the rate, and here is why. Write the running mean
# out, starting from $v_0=0$:
#
# $$v_t=(1-\alpha)\sum_{i=1}^{t}\alpha^{t-i}g_i^2 .$$
#
# Suppose that $g_i^2$ has the same expectation in every step. Then the weights come out of the sum, and the rest is a
# geometric series:
#
# $$\mathrm E[v_t]=\mathrm E[g^2]\,(1-\alpha)\sum_{k=0}^{t-1}\alpha^k=\mathrm E[g^2]\,(1-\alpha^t).$$
#
# At $t=1$, $v$ is too small by $1-\alpha=0.01$, so its root by 0.1. The cure stands in the formula: divide by
# $1-\alpha^t$. This is the [bias correction](glossary:bias-correction) of [Adam](glossary:adam)
# ([Kingma and Ba 2015](https://doi.org/10.48550/arXiv.1412.6980)), which also replaces the gradient by its running
# mean, a momentum:
#
# $$m\leftarrow\beta_1m+(1-\beta_1)g,\qquad v\leftarrow\beta_2v+(1-\beta_2)g^2,$$
#
# $$\hat m=\frac{m}{1-\beta_1^t},\qquad\hat v=\frac{v}{1-\beta_2^t},\qquad
# w\leftarrow w-\eta\,\frac{\hat m}{\sqrt{\hat v}+\varepsilon},$$
#
# with $\beta_1=0.9$, $\beta_2=0.999$, $\varepsilon=10^{-8}$, and $t=1$ in the first step.
#
# **Predict:** leave both corrections out. Then $m$ and $v$ are both too small. Are the first steps too short, or too
# long?
#
# ### Exercise: how wrong without it?
# Write the length of step $t$ without corrections over that with them. ($\varepsilon$ is 0 here, and the gradient
# constant.)

# %% tags=["exercise"]
def uncorrected_ratio(t, beta1, beta2):
    """Return how many times longer step t is without the corrections."""
    return ...  # your code


# %% tags=["check"]
ex.uncorrected_ratio.check(uncorrected_ratio)

# %% [markdown]
# ### Exercise: Adam
# Write one step. Return $m$ and $v$ as they are before the correction: the next step continues from them.

# %% tags=["exercise"]
def adam_step(w, g, m, v, t, learning_rate):
    """Return (w, m, v) after step t = 1, 2, ...; betas 0.9 and 0.999, epsilon 1e-8."""
    return ...  # your code


# %% tags=["check"]
ex.adam_step.check(adam_step)

# %%
def adam(w, g, s, t, *, rate, beta1=0.9, beta2=0.999, eps=1e-8, correct=True):
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g**2
    m_hat = s["m"] / (1 - beta1**t) if correct else s["m"]
    v_hat = s["v"] / (1 - beta2**t) if correct else s["v"]
    return w - rate * m_hat / (np.sqrt(v_hat) + eps)


in_torch = {
    "RMSProp": (rmsprop, walk_torch(lambda w: torch.optim.RMSprop(w, lr=rate))),
    "Adam": (adam, walk_torch(lambda w: torch.optim.Adam(w, lr=rate))),
}
for name, (step, path) in in_torch.items():
    print(f"{name} and torch.optim, 200 steps: {apart(walk(step, rate=rate), path):.0e} apart")
    assert apart(walk(step, rate=rate), path) < 1e-10

# %% [markdown]
# Now switch the correction off and look, on the cells. Both runs start at the same weights and see the same patients.

# %%
def step_lengths(path):
    return np.sqrt(np.mean(np.diff(path, axis=0) ** 2, axis=1)) / rate  # in units of the rate


with_correction = step_lengths(walk(adam, rate=rate))
without = step_lengths(walk(adam, rate=rate, correct=False))
t = np.arange(1, 201)
ratio = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
print(f"first step: {with_correction[0]:.2f} with, {without[0]:.2f} without; the formula says {ratio[0]:.2f}")
print(f"the formula's worst step is t = {t[ratio.argmax()]}, {ratio.max():.1f} times too long")
way, way_without = with_correction[:30].sum(), without[:30].sum()
print(f"way in 30 steps, in units of the rate: {way:.0f} with, {way_without:.0f} without")
assert abs(with_correction[0] - 1) < 1e-3 and abs(without[0] - ratio[0]) < 1e-3
assert ratio.argmax() + 1 == 12 and 6.5 < ratio.max() < 6.6 and way_without > 3 * way

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
axes[0].plot(t, ratio)
axes[0].axhline(1, color="0.5", linestyle=":")
axes[0].set(xlabel="step t", ylabel="uncorrected over corrected step", title="What the formula says", ylim=(0, 7))
axes[1].plot(t, with_correction, label="with correction")
axes[1].plot(t, without, label="without")
axes[1].set(xlabel="step t", ylabel="step length / rate", title="What the cells show")
axes[1].legend()
plots.picture(
    figure,
    alt="Left: the ratio of the uncorrected to the corrected step starts at 3.2, peaks at 6.6 near step 12 and falls "
    "slowly to 2.4 at step 200. Right: measured step lengths; without correction the first steps are several times "
    "longer, and to the end they stay above those with correction.",
)

# %% [markdown]
# Too **long**: $m$ is too small by a factor of 10, but the *root* of $v$ by a factor of 32. And it gets worse before
# it gets better, because $m$ has a memory of ten steps and $v$ one of a thousand. The ratio holds for any gradients,
# since both corrections are plain numbers: it depends on $t$ only. (From the second step on the two runs stand at
# different weights, so only the first step of the right picture must match the left one.)
#
# Neither PyTorch nor Keras corrects RMSProp. If you use it, expect long first steps.

# %% [markdown]
# ## What Adam sees, and what it does not
# In its first step Adam has $\hat m=g$ and $\hat v=g^2$. So every weight moves by $\pm\eta$, whatever its gradient.
# The size has cancelled; the **sign** is left. It cancels later as well: multiply every gradient by $c$, then
# $\hat m$ grows by $c$ and $\sqrt{\hat v}$ by $|c|$.
#
# **Predict:** somebody sums the loss over the patients of a batch instead of averaging it. All gradients are 32 times
# as large. What does that do to SGD, and what to Adam?

# %%
def sgd(w, g, s, t, *, rate):
    return w - rate * g


def times(step, factor):
    return lambda w, g, s, t, **options: step(w, factor * g, s, t, **options)


for name, step in {"SGD": sgd, "Adam": adam}.items():
    change = apart(walk(times(step, 32), rate=rate), walk(step, rate=rate))
    print(f"{name}: with the sum for the mean the weights end up to {change:.0e} from where they were")
    assert (change > 0.5) if name == "SGD" else (change < 1e-5)

# %% [markdown]
# Adam does not notice. That is why rates near 0.001 work for it so often: $\eta$ has the unit of the *weights*, not
# that of weights squared over loss. What remains of the size is the **share of signal**. Let the gradients of a
# weight be independent with mean $\mu$ and standard deviation $\sigma$. A long time after the start
# $\hat v\approx\mu^2+\sigma^2$, and $\hat m$ has the mean $\mu$ and, by another geometric series, the variance
#
# $$(1-\beta_1)^2\sum_{k\ge0}\beta_1^{2k}\,\sigma^2=\frac{(1-\beta_1)^2}{1-\beta_1^2}\,\sigma^2
# =\frac{1-\beta_1}{1+\beta_1}\,\sigma^2\approx0.053\,\sigma^2 .$$
#
# All signal: full steps of $\eta$. Pure noise: steps of about $\sqrt{0.053}\,\eta=0.23\,\eta$, to and fro. Keep that
# number for the section on schedules.
#
# **Does Keras do the same?** Put both libraries on the same batches, first with their defaults, then with the
# constants made equal.

# %%
import keras


def walk_keras(make, steps=200):
    with keras.device("cpu"):  # double precision, which not every device has
        w = keras.Variable(w_start, dtype="float64")
        optimizer, path = make(), [w_start]
        for t in range(1, steps + 1):
            g = gradient(keras.ops.convert_to_numpy(w), t)
            optimizer.apply([keras.ops.convert_to_tensor(g)], [w])
            path.append(keras.ops.convert_to_numpy(w).copy())
    return np.array(path)


k = keras.optimizers

# %%
defaults = {
    "AdaGrad": (walk(adagrad, rate=rate), k.Adagrad(rate)),
    "RMSProp": (walk(rmsprop, rate=rate), k.RMSprop(rate)),
    "Adam": (walk(adam, rate=rate), k.Adam(rate)),
}
none = 1e-30  # an epsilon that does nothing
matched = {
    "AdaGrad": (walk(adagrad, rate=rate, eps=none), k.Adagrad(rate, initial_accumulator_value=0, epsilon=none)),
    "RMSProp": (walk(rmsprop, rate=rate, eps=none), k.RMSprop(rate, rho=0.99, epsilon=none)),
    "Adam": (walk(adam, rate=rate, eps=none), k.Adam(rate, epsilon=none)),
}
for name in defaults:
    far, near = (apart(path, walk_keras(lambda: there)) for path, there in (defaults[name], matched[name]))
    print(f"{name:8s} defaults {far:.0e} apart, with equal constants {near:.0e}")
    assert near < 1e-9 < far

# %% [markdown]
# With equal constants they agree to rounding. With the defaults, they are different optimizers of the same name:
#
# | | PyTorch | Keras |
# |---|---|---|
# | AdaGrad: $G$ starts at | 0 | 0.1, so the first steps are shorter |
# | RMSProp: memory | $\alpha=0.99$, 100 steps | $\rho=0.9$, 10 steps |
# | $\varepsilon$ | $10^{-8}$ (AdaGrad $10^{-10}$), beside the root | $10^{-7}$; AdaGrad and RMSProp: **under** the root |
# | Adam: $\varepsilon$ | beside $\sqrt{\hat v}$ | beside $\sqrt v$, which is not corrected |
#
# An $\varepsilon$ under the root acts like its own root: $\sqrt{10^{-7}}=0.0003$. And Keras folds both corrections
# into the rate, so it divides by $\sqrt v+\varepsilon$. Factor $\sqrt{1-\beta_2^t}$ out, and you see that it works
# like $\varepsilon/\sqrt{1-\beta_2^t}$ beside $\sqrt{\hat v}$: in the first step 32 times its name. Check both
# claims:

# %%
def adam_as_keras(w, g, s, t, *, rate):
    return adam(w, g, s, t, rate=rate, eps=1e-7 / np.sqrt(1 - 0.999**t))


difference = apart(walk(adam_as_keras, rate=rate), walk_keras(lambda: k.Adam(rate)))
print(f"Keras' Adam with this epsilon: {difference:.0e} apart")
assert difference < 1e-9
tiny = 1e-6  # a gradient as deep networks have them
in_keras = tiny / np.sqrt(0.1 * tiny**2 + 1e-7)  # RMSProp, first step: rho 0.9, epsilon under the root
in_torch = tiny / (np.sqrt(0.01 * tiny**2) + 1e-8)
print(f"RMSProp's first step over the rate at {tiny:.0e}: {in_torch:.1f} in PyTorch, {in_keras:.4f} in Keras")
assert in_torch > 9 and in_keras < 0.004

# %% [markdown]
# Whoever moves a training recipe from one library to the other and leaves the names as they are has changed the
# recipe.
#
# **What Adam cannot do.** The division forgets, and what is forgotten may have been the point.
# [Reddi, Kale and Kumar 2018](https://doi.org/10.48550/arXiv.1904.09237) found this: a weight in $[-1,1]$ has the
# gradient $C=3$ in every third step, and $-1$ in the other two. On average the gradient is $+\frac13$, so the best
# weight is $-1$. Take $\beta_1=0$, $\beta_2=1/(1+C^2)$, and a rate that falls with $1/\sqrt t$.

# %%
def reddi(*, amsgrad, steps=3000, c=3.0):
    w, v, largest = 0.0, 0.0, 0.0
    for t in range(1, steps + 1):
        g = c if t % 3 == 1 else -1.0
        v = v / (1 + c**2) + (1 - 1 / (1 + c**2)) * g**2
        largest = max(largest, v)
        w -= 0.1 / np.sqrt(t) * g / np.sqrt(largest if amsgrad else v)
        w = min(1.0, max(-1.0, w))
    return w


print(f"best is -1; Adam ends at {reddi(amsgrad=False):+.2f}, AMSGrad at {reddi(amsgrad=True):+.2f}")
assert reddi(amsgrad=False) > 0.99 and reddi(amsgrad=True) < -0.9

# %% [markdown]
# Adam goes to the worst point. The rare large gradient is divided by about its own size, the frequent small ones by
# about theirs, and so the two outvote the one. AMSGrad divides by the largest $v$ so far: a weight's rate never grows
# again. The example is made for its $\beta_2$, and a network need not behave like it. Remember what it shows: Adam can
# mute a rare case with a large gradient. In medicine, the rare case is often the one you care for.

# %% [markdown]
# ## AdamW: decay beside the gradient
# [Weight decay](glossary:weight-decay) lets every weight shrink by a share $\eta\lambda$ in each step. With SGD it is
# the same as an L2 penalty $\frac\lambda2 w^2$ in the loss, whose gradient is $\lambda w$:
#
# $$w-\eta(g+\lambda w)=(1-\eta\lambda)\,w-\eta g .$$
#
# With Adam the two differ. Put $g+\lambda w$ into Adam, and $\lambda w$ is divided by $\sqrt{\hat v}$ with the rest.
# A weight whose gradients have the size $s$ then decays by about $\eta\lambda/s$ per step: **the larger its
# gradients, the less it decays.** [AdamW](glossary:adamw)
# ([Loshchilov and Hutter 2019](https://doi.org/10.48550/arXiv.1711.05101)) takes the decay past the division. (In the
# paper, $\lambda$ is not multiplied by $\eta$; both libraries do multiply, and so do you.)
#
# $$w\leftarrow w-\eta\left(\frac{\hat m}{\sqrt{\hat v}+\varepsilon}+\lambda w\right).$$
#
# ### Exercise: AdamW
# The first lines of the stub are Adam's. Something is missing at the end. Or does it belong at the beginning?

# %% tags=["exercise"]
def adamw_step(w, g, m, v, t, learning_rate, decay):
    """Return (w, m, v) after step t of AdamW."""
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    direction = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return ..., m, v  # your code


# %% tags=["check"]
ex.adamw_step.check(adamw_step)

# %% [markdown]
# Now see the difference on two kinds of weight, for which the loss has no opinion: **simulated** gradients of mean 0,
# with standard deviation 10 for the one and 0.1 for the other. All start at 1. Whatever they do on average, the decay
# did it.
#
# **Predict:** with $\eta=0.01$ and $\lambda=0.05$, after 4,000 steps AdamW should leave
# $(1-0.0005)^{4000}\approx e^{-2}=0.14$ of both. What does the L2 penalty leave of each?

# %%
def adamw(w, g, s, t, *, rate, decay, **options):
    return adam(w, g, s, t, rate=rate, **options) - rate * decay * w


def adam_l2(w, g, s, t, *, rate, decay, **options):
    return adam(w, g + decay * w, s, t, rate=rate, **options)


spread = np.repeat([[10.0], [0.1]], 500, axis=1)  # (2 kinds, 500 copies)
means = {}
for name, step in {"Adam with L2": adam_l2, "AdamW": adamw}.items():
    w, s, means[name] = np.ones_like(spread), {}, []
    for t in range(1, 4001):
        w = step(w, spread * rng.normal(size=spread.shape), s, t, rate=0.01, decay=0.05)
        means[name].append(w.mean(axis=1))

# %%
for name, history in means.items():
    large, small = history[-1]
    print(f"{name:13s} leaves {large:+.2f} of the weights with large gradients, {small:+.2f} of those with small")
assert all(abs(left - np.exp(-2)) < 0.1 for left in means["AdamW"][-1])
assert abs(means["Adam with L2"][-1][0] - np.exp(-0.2)) < 0.1 and abs(means["Adam with L2"][-1][1]) < 0.1

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(9, 4))
for name, history in means.items():
    for kind, label in enumerate(("sd 10", "sd 0.1")):
        axes.plot(np.array(history)[:, kind], label=f"{name}, gradients of {label}")
axes.set(xlabel="step", ylabel="mean weight of 500", title="Decay with gradients that are noise (simulated)")
axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
plots.picture(
    figure,
    alt="Mean weight over 4,000 steps. Under AdamW both kinds fall together to about 0.14. Under Adam with L2 the weights "
    "with large gradients fall only to about 0.8, those with small gradients reach 0 within 1,000 steps.",
)

# %% [markdown]
# Under L2 the rates of decay follow $\eta\lambda/s$: the noisy weights hardly decay. Under AdamW they decay alike.
# Which of the two does a library run when you write `weight_decay=0.01`?

# %%
decay = 2**-6
torch_adam = walk_torch(lambda w: torch.optim.Adam(w, lr=rate, weight_decay=decay))
torch_adamw = walk_torch(lambda w: torch.optim.AdamW(w, lr=rate, weight_decay=decay))
keras_adam = walk_keras(lambda: k.Adam(rate, weight_decay=decay, epsilon=none))
keras_adamw = walk_keras(lambda: k.AdamW(rate, weight_decay=decay, epsilon=none))
pairs = {
    "AdamW of the lesson, torch AdamW": (walk(adamw, rate=rate, decay=decay), torch_adamw),
    "Adam + L2 of the lesson, torch Adam": (walk(adam_l2, rate=rate, decay=decay), torch_adam),
    "AdamW of the lesson, Keras AdamW": (walk(adamw, rate=rate, decay=decay, eps=none), keras_adamw),
    "Keras Adam, Keras AdamW": (keras_adam, keras_adamw),
    "torch Adam, torch AdamW": (torch_adam, torch_adamw),
}
differences = {name: apart(*pair) for name, pair in pairs.items()}

# %%
for name, difference in differences.items():
    print(f"{name:36s} {difference:.0e} apart")
assert max(list(differences.values())[:4]) < 1e-9 and differences["torch Adam, torch AdamW"] > 1e-3
torch_default = torch.optim.AdamW([torch.zeros(1)]).defaults["weight_decay"]
print(f"default decay of AdamW: {torch_default} in PyTorch, {k.AdamW().weight_decay} in Keras")
assert torch_default == 0.01 and k.AdamW().weight_decay == 0.004

# %% [markdown]
# `Adam(weight_decay=...)` is an L2 penalty in PyTorch and AdamW in Keras. The place of the decay (before the step,
# times the rate) is the same in both AdamWs; their defaults differ by a factor of 2.5. And both let *every* weight
# decay, biases and normalisation layers included, unless you leave some out: in PyTorch by a parameter group of their
# own, in Keras by `exclude_from_weight_decay`.

# %% [markdown]
# ## The race, and what makes it fair
# Five optimizers of `torch.optim` start at the same point of a landscape with a known minimum. Rosenbrock's valley is
# narrow and bent, Beale's function is flat with steep corners, the bowl has the curvatures 1 and 100, and then there
# is the same bowl turned by 45°. Each optimizer has the rate that was the best for it, out of the same 21 rates from
# 0.0001 to 10, with the same 200 steps. Nearer than $10^{-8}$ counts as arrived; of the rates that arrive, the
# smallest is taken.
#
# **Predict:** who wins on each? Whose result changes when the bowl is turned?

# %%
from medlearn.widgets.optimizer_race import SURFACES, TUNED

table = {s: widgets.run_race(s, learning_rates=TUNED[s], steps=200) for s in SURFACES}
print("Distance to the minimum after 200 steps")
print(" " * 20, *(f"{name:>9s}" for name in TUNED["bowl"]))
for surface, race in table.items():
    print(f"{surface:20s}", *(f"{run.distances[-1]:9.0e}" for run in race.values()))
end = {surface: {name: run.distances[-1] for name, run in race.items()} for surface, race in table.items()}
turned = "bowl, turned by 45°"
print(f"Adam's rate: {TUNED['bowl']['Adam']:.2g} on the bowl, {TUNED[turned]['Adam']:.2g} on the turned one")
for name in ("AdaGrad", "RMSProp"):
    assert end["bowl"][name] < 1e-8 and end[turned][name] > 1e-2
for name in ("SGD", "momentum"):
    assert abs(end["bowl"][name] / end[turned][name] - 1) < 1e-6
assert TUNED[turned]["Adam"] > 10 * TUNED["bowl"]["Adam"] and end[turned]["Adam"] < 1e-3

# %%
widgets.explore_optimizer_race()

# %% [markdown]
# Move the surfaces and the rates. Three things to see:
#
# - **The bowl and its turn.** AdaGrad and RMSProp arrive on the bowl: two axes, two weights, each with its own rate,
#   and the curvatures cancel. Turned by 45°, both weights feel both curvatures, and the advantage is gone. SGD and
#   momentum do not notice the turn at all. Adam comes as near as before, but only after its rate was tuned anew, to
#   18 times the old one. An adaptive method depends on the *coordinates*; it is good where the axes mean something.
# - **Rosenbrock.** AdaGrad and RMSProp reach the neighbourhood of the star by leaps far across the valley, and then
#   hardly move. Another start, and the leap would land elsewhere. One run from one start is an anecdote.
# - **One rate for all.** Choose the bowl, "one for all", and move the rate. Who wins now?

# %%
for one_rate in (0.003, 0.1):
    runs = widgets.run_race("bowl", learning_rates=dict.fromkeys(TUNED["bowl"], one_rate), steps=200)
    ends = {name: np.inf if run.diverged_at else run.distances[-1] for name, run in runs.items()}
    best = min(ends, key=ends.get)
    print(f"rate {one_rate} for all, best is {best}:")
    print("  ", ", ".join(f"{name} {distance:.0e}" for name, distance in ends.items()))
    assert best == {0.003: "momentum", 0.1: "RMSProp"}[one_rate]

# %% [markdown]
# The rate that somebody picked for all decided the race. Published comparisons can come out like this.
# [Choi et al. 2019](https://doi.org/10.48550/arXiv.1910.05446) show that the ranking of optimizers follows the tuning
# protocol, and that a method which contains another as a special case (Adam with a huge $\varepsilon$ is momentum)
# never lost in their experiments once all of it was tuned.
# [Schmidt, Schneider and Hennig 2021](https://doi.org/10.48550/arXiv.2007.01547) ran fifteen methods: trying several
# optimizers with default settings was about as good as tuning one of them, and none won everywhere. A fair comparison
# states the grid, the budget, the number of seeds and what was chosen on which data, and gives each method the same.
# You do that at the end.

# %% [markdown]
# ## The rate over time
# In lesson 04a a constant rate ended on a floor of noise. Does Adam escape it? You know that in pure noise its steps
# have $0.23\,\eta$, **however small the gradients get**. It cannot come to rest by itself. So its rate must fall, and
# these are the usual ways, with $T$ steps in all:
#
# - **Step:** multiply by 0.1 now and then. When, and by how much, are two more numbers to choose.
# - **Cosine** ([Loshchilov and Hutter 2017](https://doi.org/10.48550/arXiv.1608.03983)): you want a curve from
#   $\eta_{\max}$ to $\eta_{\min}$ that is flat at both ends, long at a high rate, and long at a low one. Half a
#   cosine wave does it: with $p=k/T$ from 0 to 1,
#   $\;\eta_k=\eta_{\min}+\frac12(\eta_{\max}-\eta_{\min})(1+\cos\pi p)$.
# - **[Warm-up](glossary:warm-up):** begin with a rise in a straight line. Why? In the first step every weight moves
#   by the full $\eta$, noise or not, and later noise moves it by $0.23\,\eta$ only.
#
# **Predict:** how many steps does it take Adam to find out that a gradient is mere noise?

# %%
noise = rng.normal(size=(200, 20_000))  # simulated: 200 steps, 20,000 weights, gradients without signal
s, w = {}, np.zeros(20_000)
sizes = []
for t, g in enumerate(noise, start=1):
    moved = adam(w, g, s, t, rate=1.0)
    sizes.append(np.sqrt(np.mean((moved - w) ** 2)))
    w = moved
limit = np.sqrt(0.1 / 1.9)
print(f"step (root mean square) over the rate: {sizes[0]:.2f}, in step 10 {sizes[9]:.2f}, in step 200 {sizes[-1]:.2f}")
near = 1 + np.argmax(np.array(sizes) < 1.1 * limit)
print(f"limit {limit:.2f}; the first step to be within 10 % of it is t = {near}")
assert abs(sizes[0] - 1) < 1e-6 and abs(sizes[-1] / limit - 1) < 0.05

# %% [markdown]
# About two dozen steps, in which Adam walks up to four times as fast as later, into directions that mean nothing. A
# warm-up over these steps damps that. ([Liu et al. 2020](https://doi.org/10.48550/arXiv.1908.03265) trace the need
# for warm-up to the variance of the early $1/\sqrt{\hat v}$;
# [Ma and Yarats 2021](https://doi.org/10.1609/aaai.v35i10.17069) argue, as here, with the size of the early steps.
# Their rule of thumb is longer than the two dozen: $2/(1-\beta_2)$, which is 2,000 steps.)
#
# ### Exercise: warm-up and cosine
# Write the rate of step $k=0,1,2,\dots$: in the warm-up $\eta_{\max}(k+1)/\text{warmup}$, then the half wave over the
# steps that are left.

# %% tags=["exercise"]
def warmup_cosine(step, steps, warmup, highest, lowest):
    """Return the learning rate of a step; step == steps gives lowest."""
    return ...  # your code


# %% tags=["check"]
ex.warmup_cosine.check(warmup_cosine)

# %%
def schedule(k, steps=600, warmup=30, highest=2**-4, lowest=0.0):
    if k < warmup:
        return highest * (k + 1) / warmup
    return lowest + (highest - lowest) * (1 + np.cos(np.pi * (k - warmup) / (steps - warmup))) / 2


def torch_rates(make, steps):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=2**-4)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(rates)


# %%
lr_scheduler = torch.optim.lr_scheduler
rising = torch_rates(lambda o: lr_scheduler.LinearLR(o, start_factor=1 / 30, total_iters=29), 30)
falling = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=570, eta_min=0.0), 570)
stepped = torch_rates(lambda o: lr_scheduler.StepLR(o, step_size=200, gamma=0.1), 600)
cosine = np.array([schedule(k) for k in range(600)])
steps_down = np.array([2**-4 * 0.1 ** (k // 200) for k in range(600)])
most = max(apart(cosine[:30], rising), apart(cosine[30:], falling), apart(steps_down, stepped))
print(f"PyTorch: warm-up, cosine and steps at most {most:.0e} apart")
in_keras = keras.optimizers.schedules.CosineDecay(0.0, 570, warmup_target=2**-4, warmup_steps=30)
keras_cosine = np.array([float(in_keras(k)) for k in range(600)])
lag = apart(cosine[:30], keras_cosine[:30]) / (2**-4 / 30)
print(f"Keras: its first rate is {keras_cosine[0]:.0f}; its warm-up lags by {lag:.1f} step; its cosine is "
      f"{apart(cosine[30:], keras_cosine[30:]):.0e} apart")
assert most < 1e-9 and keras_cosine[0] == 0 and apart(cosine[30:], keras_cosine[30:]) < 1e-7

# %% [markdown]
# Same curves; Keras begins its warm-up at a rate of 0, so that its first step does nothing. Now use them: Adam on the
# logistic regression with batches of 32, with a small penalty that gives the loss one minimum, which SciPy finds. The
# distance to it in loss is the gap.
#
# **Predict:** constant rate, steps, warm-up and cosine: who ends lowest, and by how much?

# %%
import scipy.optimize

penalty = 0.01


def full_loss(w):
    logit = with_one @ w
    return np.mean(np.logaddexp(0, logit) - y * logit) + penalty * w @ w / 2


def noisy_gradient(w, rows):
    return with_one[rows].T @ (expit(with_one[rows] @ w) - y[rows]) / len(rows) + penalty * w


lowest_loss = scipy.optimize.minimize(full_loss, np.zeros(31), tol=1e-10).fun


# %%
def gap(rates, seed):
    """Return loss minus lowest loss after every step of Adam."""
    batch, w, s, gaps = np.random.default_rng(seed), np.zeros(31), {}, []
    for t, rate_now in enumerate(rates, start=1):
        rows = batch.integers(0, len(x), size=32)
        w = adam(w, noisy_gradient(w, rows), s, t, rate=rate_now)
        gaps.append(full_loss(w) - lowest_loss)
    return gaps


schedules = {"constant": np.full(600, 2**-4), "steps": steps_down, "warm-up and cosine": cosine}
gaps = {name: np.mean([gap(rates, seed) for seed in range(8)], axis=0) for name, rates in schedules.items()}
last = {name: values[-50:].mean() for name, values in gaps.items()}
for name, value in last.items():
    print(f"{name:18s} mean gap of the last 50 steps, 8 runs: {value:.1e}")
assert last["warm-up and cosine"] < last["constant"] / 5 and last["steps"] < last["constant"] / 5

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
for name, rates in schedules.items():
    axes[0].plot(rates, label=name)
    axes[1].semilogy(gaps[name], label=name)
axes[0].set(xlabel="step", ylabel="learning rate", title="Three schedules")
axes[1].set(xlabel="step", ylabel="loss above its minimum", title="Adam on the cells, mean of 8 runs")
axes[1].legend()
plots.picture(
    figure,
    alt="Left: a constant rate, a rate that falls by 10 at steps 200 and 400, and one that rises for 30 steps and falls "
    "along half a cosine. Right: with the constant rate the gap stays on a floor; the two others end about ten "
    "times below it.",
)

# %% [markdown]
# The floor of the constant rate is Adam's too, and both falling schedules get below it. But was that fair? All three
# began at $2^{-4}$, and nobody tuned that for the constant rate.
#
# **Predict:** try highest rates from $2^{-3}$ to $2^{-8}$. Does the best constant rate come near the best cosine?

# %%
sweep, powers = {"constant": [], "warm-up and cosine": []}, range(-8, -2)
for power in powers:
    for name, found in sweep.items():
        rates = schedules[name] * 2 ** (power + 4)  # the same curve with another highest rate
        found.append(np.mean([gap(rates, seed)[-50:] for seed in range(8)]))
print(" " * 18, *(f"  2^{power} " for power in powers))
for name, found in sweep.items():
    print(f"{name:18s}", *(f"{value:.1e}" for value in found))
best_constant, best_cosine = (min(found) for found in sweep.values())
assert best_constant < 4 * best_cosine  # ten times above it at the rate of before
assert max(sweep["warm-up and cosine"][-3:]) < min(sweep["constant"][-3:]) / 2
assert sweep["warm-up and cosine"][0] > 2 * sweep["constant"][0]

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.5, 3.6))
for (name, found), colour, style in zip(sweep.items(), ("blue", "green"), ("o-", "^-.")):
    axes.loglog([2.0**power for power in powers], found, style, color=plots.COLOURS[colour], label=name)
axes.set(xlabel="highest learning rate", ylabel="loss above its minimum", title="Mean gap of the last 50 steps")
axes.set_xticks([2.0**power for power in powers], [f"$2^{{{power}}}$" for power in powers])
axes.minorticks_off()
axes.legend()
plots.picture(
    figure,
    alt="Gap at the end against the highest rate, two valleys. That of the constant rate is narrow, with its floor at two to "
    "the minus 7; to the right of it the gap rises. That of warm-up and cosine is nearly flat from two to the minus 5 to "
    "two to the minus 3, and at the two smallest rates it lies above the other.",
)

# %% [markdown]
# Tuned, the constant rate comes within a small factor of the tuned cosine. A factor of ten at one rate was mostly
# about that rate. What the schedule buys is room on the side of the large rates: it works at all three of them, where
# the constant one does not come down. At the smallest rate the cosine is the worse of the two: it falls before it has
# arrived.
#
# How large should $\eta_{\max}$ be? Let a single short run tell: a **[learning-rate range
# test](glossary:learning-rate-range-test)** ([Smith 2017](https://doi.org/10.1109/WACV.2017.58)). Raise the rate a little in each step, write down the loss, and
# stop when it explodes. A tenth of the rate with the lowest loss is a usable first guess: the loss falls there, and
# the edge is far enough away.
#
# ### Exercise (further): read the range test
# Return that tenth. A diverged loss can be NaN.

# %% tags=["exercise"]
def choose_rate(rates, losses):
    """Return a tenth of the rate with the smallest loss."""
    return ...  # your code


# %% tags=["check"]
ex.choose_rate.check(choose_rate)

# %% [markdown]
# **Predict:** for a network of 30, 32 and 1 units on the cells, at which rates will SGD with momentum and Adam begin
# to learn, and where do they break?

# %%
loss_of = torch.nn.functional.binary_cross_entropy_with_logits
makers = {
    "SGD + momentum": lambda w, rate: torch.optim.SGD(w, lr=rate, momentum=0.9),
    "Adam": lambda w, rate: torch.optim.Adam(w, lr=rate),
    "AdamW": lambda w, rate: torch.optim.AdamW(w, lr=rate, weight_decay=0.01),
}


def small_network(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(30, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))


def train_step(network, optimizer, rows):
    optimizer.zero_grad()
    loss = loss_of(network(inputs[rows])[:, 0], labels[rows])
    loss.backward()
    optimizer.step()
    return loss.item()


# %%
def range_test(name, rates, seed=0):
    network, batch, smooth, losses = small_network(seed), np.random.default_rng(seed), None, []
    optimizer = makers[name](network.parameters(), rates[0])
    for rate_now in rates:
        optimizer.param_groups[0]["lr"] = float(rate_now)
        loss = train_step(network, optimizer, batch.integers(0, len(x), size=64))
        smooth = loss if smooth is None else 0.8 * smooth + 0.2 * loss
        losses.append(smooth)
    return np.array(losses)


rising_rates = np.geomspace(1e-5, 30, 130)
tests = {name: range_test(name, rising_rates) for name in ("SGD + momentum", "Adam")}
guesses = {name: rising_rates[np.nanargmin(losses)] / 10 for name, losses in tests.items()}
print("a tenth of the best:", ", ".join(f"{name} {value:.1g}" for name, value in guesses.items()))

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(9, 4))
for (name, losses), colour, style in zip(tests.items(), ("blue", "vermillion"), ("-", "--")):
    axes.semilogx(rising_rates, losses, color=plots.COLOURS[colour], linestyle=style, label=name)
    axes.axvline(guesses[name], color=plots.COLOURS[colour], linestyle=":", label=f"{name}: guess {guesses[name]:.1g}")
axes.set(xlabel="learning rate", ylabel="loss (smoothed)", title="Range test on the cells", ylim=(0, 1.5))
axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
plots.picture(
    figure,
    alt="Smoothed loss against the learning rate, which rises in each step. Adam's loss falls first, at smaller rates, and "
    "both explode at large rates. Dotted lines mark a tenth of the rate with the lowest loss.",
)

# %%
def final_loss(name, rate_now, steps=150, seed=1):
    network, batch = small_network(seed), np.random.default_rng(seed)
    optimizer = makers[name](network.parameters(), rate_now)
    for _ in range(steps):
        train_step(network, optimizer, batch.integers(0, len(x), size=64))
    return loss_of(network(inputs)[:, 0], labels).item()


for name, guess in guesses.items():
    after = {factor: np.nan_to_num(final_loss(name, guess * factor), nan=np.inf) for factor in (0.01, 1, 100)}
    print(f"{name}: loss", ", ".join(f"{loss:.3f} at {factor} x guess" for factor, loss in after.items()))
    assert after[1] < after[0.01] and after[1] < after[100]

# %% [markdown]
# A hundredth of the guess crawls, a hundred times the guess wrecks the training; the guess works. It is one noisy run
# at one batch size, so take it as a place to begin a grid, not as its result.

# %% [markdown]
# ## Clipping: when one gradient is a thousand times too long
# In a network that runs through time, the same weights multiply the signal at every one of $N$ steps: $h_N=W^Nh_0$.
# On its way back the gradient is multiplied by the transposed $W$ (in the code `.T`) as often.
#
# **Predict:** $W$ turns vectors and scales them by 0.9, by 1, or by 1.1. How long is the gradient after 100 steps?

# %%
turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]  # orthogonal: keeps lengths
for scale in (0.9, 1.0, 1.1):
    backward = np.linalg.matrix_power(scale * turn.T, 100) @ np.eye(20)[0]
    print(f"scale {scale}: the gradient is {np.linalg.norm(backward):.2g} times as long")
    assert np.isclose(np.linalg.norm(backward), scale**100)

# %% [markdown]
# Vanished, kept, or exploded ([Bengio, Simard and Frasconi 1994](https://doi.org/10.1109/72.279181)). An exploded
# gradient is a **cliff**. One weight is enough to see it (and to clip it, as in `descend` below): $h_{20}=w^{20}$
# shall be 1, so $L=\frac12(w^{20}-1)^2$ with the minimum $w=1$. Start at $w=1.5$.

# %%
def cliff_gradient(w):
    return (w**20 - 1) * 20 * w**19


def descend(limit, steps=60, rate=0.002):
    w, path = 1.5, [1.5]
    for _ in range(steps):
        g = cliff_gradient(w)
        w -= rate * np.clip(g, -limit, limit)
        path.append(w)
        if abs(w) > 1e3:
            break
    return np.array(path)


free, clipped = descend(np.inf), descend(10.0)
print(f"gradient at the start {cliff_gradient(1.5):.1e}; curvature at the minimum 400, so rates below 2/400 suit it")
print(f"after one step, not clipped: w = {free[1]:.0f}; after 60 steps, clipped at 10: w = {clipped[-1]:.6f}")
assert abs(free[1]) > 1e5 and abs(clipped[-1] - 1) < 1e-6

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.5, 4))
grid = np.linspace(0.5, 1.55, 400)
axes.semilogy(grid, (grid**20 - 1) ** 2 / 2 + 1e-6, label="loss", color="0.4")
axes.semilogy(
    clipped, (clipped**20 - 1) ** 2 / 2 + 1e-6, marker="o", linestyle="none", markersize=4, label="clipped at 10",
    color=plots.COLOURS["blue"],
)  # fmt: skip
axes.annotate(
    f"not clipped: next w = {free[1]:.0f}", (1.5, (1.5**20 - 1) ** 2 / 2), (0.62, 3e6), arrowprops={"arrowstyle": "<-"}
)
axes.set(xlabel="weight w", ylabel="loss + 1e-6", title="A cliff: $w^{20}$ shall be 1")
axes.legend(loc="lower left")
plots.picture(
    figure,
    alt="The loss against the weight: a plateau at one half below 0.9, a narrow minimum at 1, and above it a wall that rises to "
    "more than a million at 1.5. Clipped steps come down the wall one by one; the step that is not clipped flies off to minus "
    "three hundred thousand.",
)

# %% [markdown]
# With many weights there are two ways ([Pascanu, Mikolov and Bengio 2013](https://doi.org/10.48550/arXiv.1211.5063)):
# limit each component (**by value**), or shorten the vector $g$ of *all* gradients when it is longer than $c$ (**by
# norm**):
#
# $$g\leftarrow g\cdot\min\!\left(1,\frac{c}{\lVert g\rVert}\right),\qquad \lVert g\rVert=\sqrt{\textstyle\sum g_i^2}.$$
#
# ### Exercise: clip by norm
# The gradients come as a list of arrays, one for each layer. There is one norm for all of them.

# %% tags=["exercise"]
def clip_by_norm(gradients, largest):
    """Return the list of gradients, with a common norm of at most `largest`."""
    return ...  # your code


# %% tags=["check"]
ex.clip_by_norm.check(clip_by_norm)

# %% [markdown]
# **Predict:** the gradient $(30,\,0.4)$ is clipped at 1, by norm and by value. Which one still points downhill in the
# same direction? And what do `clipnorm=1` of Keras and `clip_grad_norm_` of PyTorch do if the two numbers belong to
# two layers?

# %%
long = np.array([30.0, 0.4])
for name, short in {"by norm": long / np.linalg.norm(long), "by value": np.clip(long, -1, 1)}.items():
    angle = np.degrees(np.arccos(long @ short / np.linalg.norm(long) / np.linalg.norm(short)))
    print(f"{name:9s} {short.round(3)}, turned by {angle:.0f} degrees")
    assert round(angle) == {"by norm": 0, "by value": 21}[name]


def keras_step(**options):
    with keras.device("cpu"):
        layers = [keras.Variable(np.zeros(1)) for _ in long]
        gradients = [keras.ops.convert_to_tensor(np.float32([value])) for value in long]
        k.SGD(1.0, **options).apply(gradients, layers)
    return -np.array([float(keras.ops.convert_to_numpy(layer)[0]) for layer in layers])


# %%
parameters = [torch.zeros(1, requires_grad=True) for _ in long]
for parameter, value in zip(parameters, long):
    parameter.grad = torch.tensor([value], dtype=torch.float32)
norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
in_torch = np.array([parameter.grad.item() for parameter in parameters])
print(f"PyTorch clip_grad_norm_     {in_torch.round(3)}; it returns the norm from before, {norm:.2f}")
print(f"Keras clipnorm=1            {keras_step(clipnorm=1.0).round(3)}")
print(f"Keras global_clipnorm=1     {keras_step(global_clipnorm=1.0).round(3)}")
assert np.allclose(in_torch, keras_step(global_clipnorm=1.0), atol=1e-5)
assert np.allclose(keras_step(clipnorm=1.0), [1, 0.4])

# %% [markdown]
# By norm keeps the direction. By value turned it by 21 degrees here. And Keras' `clipnorm` clips **every variable by
# its own norm**, which turns the whole as well; the twin of PyTorch's function is `global_clipnorm`. Write down the
# norm that `clip_grad_norm_` returns: if it is clipped in nearly every step, you are not clipping outliers, you are
# running another optimizer. So choose the limit from the norms of some undisturbed training, such as their 95th
# percentile.

# %% [markdown]
# ## Where to start: initialisation
# A layer computes $y_i=\sum_{j=1}^n w_{ij}x_j$ with $n$ inputs. Draw the weights independently, with mean 0 and
# variance $\sigma_w^2$. Products of different $j$ are uncorrelated, so
#
# $$\operatorname{Var}(y_i)=n\,\sigma_w^2\,\mathrm E[x^2].$$
#
# A ReLU passes the positive half. As $y$ is symmetric about 0, $\mathrm E[\max(0,y)^2]=\frac12\operatorname{Var}(y)$.
# From layer to layer the variance is multiplied by $\frac12n\sigma_w^2$, and it stays if
#
# $$\sigma_w^2=\frac2n .$$
#
# That is He's initialisation ([He et al. 2015](https://doi.org/10.1109/ICCV.2015.123)). Without the ReLU it is $1/n$
# (LeCun). Backward, the same sum runs over the outputs;
# [Glorot and Bengio 2010](https://proceedings.mlr.press/v9/glorot10a.html) take the middle,
# $2/(n_\text{in}+n_\text{out})$. On layers as wide as their inputs, Glorot's and LeCun's are the same.
#
# ### Exercise: He's standard deviation
# From the shape of the weights, as PyTorch has it: `(outputs, inputs)`, or `(outputs, inputs, rows, columns)` of a
# convolution.

# %% tags=["exercise"]
def he_std(shape):
    """Return the standard deviation of the weights, for a layer before a ReLU."""
    return ...  # your code


# %% tags=["check"]
ex.he_std.check(he_std)

# %% [markdown]
# **Predict:** 20 ReLU layers, 256 units each, fed with the real cell features. LeCun's $1/n$ is only a factor of 2
# off. How much signal is left at layer 20?

# %%
variances = {"too small (0.1 / n)": 0.1, "LeCun = Glorot (1 / n)": 1.0}
variances |= {"He (2 / n)": 2.0, "too large (8 / n)": 8.0}


def signals(factor, *, width=256, depth=20):
    """Return the root mean square of each layer's outputs, and of the gradient there (1 at the top)."""
    generator, h, outputs = torch.Generator().manual_seed(0), inputs, []
    for _ in range(depth):
        n = h.shape[1]
        w = torch.randn(n, width, generator=generator) * (factor / n) ** 0.5
        z = (h @ w).requires_grad_()  # (569, width)
        z.retain_grad()
        outputs.append(z)
        h = torch.relu(z)
    outputs[-1].backward(torch.randn(outputs[-1].shape, generator=generator))
    return np.array([[v.detach().square().mean().sqrt() for v in (z, z.grad)] for z in outputs])


# %%
measured = {name: signals(factor) for name, factor in variances.items()}
for (name, values), factor in zip(measured.items(), variances.values()):
    per_layer = (values[-1, 0] / values[0, 0]) ** (1 / 19)
    print(f"{name:23s} signal x {per_layer:.2f} per layer (theory {np.sqrt(factor / 2):.2f})")
    print(f"{'':23s} signal at layer 20 {values[-1, 0]:.0e}; gradient at layer 1 {values[0, 1]:.0e}")
    assert abs(per_layer / np.sqrt(factor / 2) - 1) < 0.1

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharex=True)
for (name, values), marker in zip(measured.items(), "os^D"):
    for ax, column in zip(axes, values.T):
        ax.semilogy(range(1, 21), column, marker=marker, markevery=3, label=name)
axes[0].set(xlabel="layer", ylabel="root mean square", title="Signal, forward", xticks=[1, 5, 10, 15, 20])
axes[1].set(xlabel="layer", ylabel="root mean square", title="Gradient, backward from layer 20")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
plots.picture(
    figure,
    alt="Signal and gradient by layer on a logarithmic scale. With He's variance both stay level over 20 layers. With LeCun's "
    "both fall by a factor of about a thousand, with the too small one by about twelve orders, and with the too large one "
    "both grow about a million-fold.",
)

# %% [markdown]
# Half the variance per layer leaves $2^{-10}\approx10^{-3}$ of the standard deviation after 20 layers. But Adam
# divides by the size of the gradient anyway. So does it matter?
#
# **Predict:** which of the four will SGD with momentum train, and which will Adam?

# %%
def deep_weights(factor, *, width=64, depth=20):
    generator, widths = torch.Generator().manual_seed(0), [30] + [width] * depth + [1]
    drawn = [torch.randn(a, b, generator=generator) * (factor / a) ** 0.5 for a, b in zip(widths, widths[1:])]
    return [w.requires_grad_() for w in drawn]


def deep_loss(weights):
    h = inputs
    for w in weights[:-1]:
        h = torch.relu(h @ w)
    return loss_of((h @ weights[-1])[:, 0], labels)


def train_deep(weights, optimizer, steps=60):
    for _ in range(steps):
        optimizer.zero_grad()
        deep_loss(weights).backward()
        optimizer.step()
    return deep_loss(weights).item()


# %%
deep = {}
for name, factor in variances.items():
    weights = deep_weights(factor)
    deep_loss(weights).backward()
    first = weights[0].grad.square().mean().sqrt().item()
    ends = []
    for optimizer, rate_now in (("SGD + momentum", 0.01), ("Adam", 0.001)):
        weights = deep_weights(factor)
        ends.append(train_deep(weights, makers[optimizer](weights, rate_now)))
    deep[name] = ends
    print(f"{name:23s} first gradient {first:.0e}; loss with SGD {ends[0]:.2g}, with Adam {ends[1]:.2g}")
print(f"a coin has the loss log 2 = {np.log(2):.2f}")
assert max(*deep["He (2 / n)"], deep["LeCun = Glorot (1 / n)"][1]) < 0.1 and not deep["too large (8 / n)"][0] < 1e3
assert np.allclose([*deep["too small (0.1 / n)"], deep["LeCun = Glorot (1 / n)"][0]], np.log(2), atol=0.01)

# %% [markdown]
# Is it fair to call LeCun's start a failure of SGD after one rate? Give it three more:

# %%
for rate_now in (0.1, 1.0, 10.0):
    weights = deep_weights(variances["LeCun = Glorot (1 / n)"])
    ending = train_deep(weights, makers["SGD + momentum"](weights, rate_now))
    print(f"LeCun's start, SGD with momentum at {rate_now}: loss {ending:.2g}")
    assert not ending < 0.5

# %% [markdown]
# In these 60 steps, only He's start trains with both. LeCun's factor of 2 is enough to stop SGD, at all four rates;
# Adam divides it away. From the too large start SGD diverges, and Adam climbs down. But with the too small start Adam
# is as lost as SGD: the first gradients are near $10^{-16}$, and beside $\varepsilon=10^{-8}$ they are nothing. Adam
# forgives a wrong scale as long as the gradient is well above $\varepsilon$. So it can also *hide* a bad
# initialisation.
#
# **Predict:** a `Linear` of PyTorch and a `Dense` of Keras, 256 to 256, as they come. What is $n$ times the variance
# of their weights: He's 2, LeCun's 1, or something else?

# %%
in_torch = torch.nn.Linear(256, 256).weight.detach().numpy()
dense = keras.layers.Dense(256)
dense.build((None, 256))
in_keras = keras.ops.convert_to_numpy(dense.kernel)
print(f"n times the variance: PyTorch {256 * in_torch.var():.2f}, Keras {256 * in_keras.var():.2f}")
assert abs(256 * in_torch.var() - 1 / 3) < 0.02 and abs(256 * in_keras.var() - 1) < 0.05

# %% [markdown]
# Keras takes Glorot's, PyTorch a third of that. Neither is He's, so for many ReLU layers in a row you set it
# yourself. The networks of two and three layers below do learn from these defaults. Normalisation layers and skip
# connections, which you meet in later lessons, make deep networks far less touchy.

# %% [markdown]
# ## Real patients
# Now the question of the beginning: which optimizer should you take? Three candidates, SGD with momentum, Adam and
# AdamW, on real patients, with a protocol that treats them alike:
#
# - the same network, the same number of steps, the same batches of 64, half a cosine as schedule;
# - the same 7 learning rates from 0.001 to 1; the one with the lowest **validation** loss is taken, with seed 0;
# - then seeds 0, 1 and 2 with that rate, scored on test patients who chose nothing.
#
# **Predict:** how far apart will the three be in AUC, the chance that a malignant case scores higher than a benign
# one (more in lesson 05a)? And how far apart with PyTorch's default rate, 0.001, for all?

# %%
from medlearn import metrics
from tqdm.auto import tqdm

grid = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def fit(network, name, rate_now, images, targets, *, steps, seed):
    optimizer, draw = makers[name](network.parameters(), rate_now), np.random.default_rng(seed)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = draw.integers(0, len(targets), size=64)
        optimizer.zero_grad()
        loss_of(network(images[rows])[:, 0], targets[rows]).backward()
        optimizer.step()
        scheduler.step()
    return network


# %%
def scores(network, images):
    with torch.no_grad():
        return network(images)[:, 0].numpy().astype(float)


# %%
def compare(build, train, validation, test, *, steps):
    """Return by name: validation losses, best rate, its test scores by seed, those of the default rate."""
    results = {}
    for name in tqdm(makers):
        losses = {}
        for rate_now in grid:
            network = fit(build(0), name, rate_now, *train, steps=steps, seed=0)
            loss = loss_of(torch.from_numpy(scores(network, validation[0])), validation[1].double()).item()
            losses[rate_now] = loss if np.isfinite(loss) else np.inf
        best = min(losses, key=losses.get)
        runs = [(best, 0), (best, 1), (best, 2), (0.001, 0)]
        tested = [scores(fit(build(seed), name, r, *train, steps=steps, seed=seed), test[0]) for r, seed in runs]
        results[name] = (losses, best, tested[:3], tested[3])
    return results


# %%
def report(results, truth, patients, unit="patient"):
    """Print the scores and the differences of Adam and SGD, tuned and with the default rate; return the differences."""
    for name, (_, best, by_seed, default) in results.items():
        print(f"{name}: best rate {best}{' (at the border of the grid!)' if best in (grid[0], grid[-1]) else ''}")
        for what, given in zip(("seed 0", "seed 1", "seed 2", "seed 0, default rate 0.001"), (*by_seed, default)):
            print(f"   {what}: AUC {metrics.auc_score(truth, given, patients=patients).counted_in(unit):.3f}")
    sgd_run, adam_run = results["SGD + momentum"], results["Adam"]
    pairs = {f"tuned, seed {seed}": (adam_run[2][seed], sgd_run[2][seed]) for seed in range(3)}
    pairs["default rate"] = (adam_run[3], sgd_run[3])
    gaps = {what: metrics.compare_auc(truth, *pair, patients=patients).difference for what, pair in pairs.items()}
    for what, difference in gaps.items():
        print(f"Adam minus SGD, {what}: {difference.counted_in(unit):+.3f}")
    *tuned_gaps, default_gap = (difference.value for difference in gaps.values())
    assert abs(np.mean(tuned_gaps)) < default_gap / 2
    return gaps


# %% [markdown]
# First the cells: 60 % of the patients for training, 20 % for validation, 20 % for the test. Mean and standard
# deviation of the features come from the training patients.

# %%
groups = data.split_by_patient(cells.patients, fractions=(0.6, 0.2, 0.2), labels=cells.labels, seed=0)
mean, sd = cells.features[groups[0]].mean(axis=0), cells.features[groups[0]].std(axis=0)
parts = [(torch.from_numpy((cells.features[g] - mean) / sd).float(), labels[g]) for g in groups]
cell_results = compare(small_network, *parts, steps=150)
test_patients = np.array(cells.patients)[groups[2]]
gaps_by_set = {"cells": report(cell_results, cells.labels[groups[2]], test_patients)}

# %% [markdown]
# Then crops of chest CT around places that might be a nodule (LUNA16;
# [Setio et al. 2017](https://doi.org/10.1016/j.media.2017.06.015)), averaged to 25 × 25 pixels, with a network of two
# convolutions. The file names no patient. Its rows run scan by scan, so the parts are ranges of rows, and blocks of
# rows (about two scans each) stand in for the patients in the intervals. The last 15 % of all rows stay closed: they
# are the test set of lesson 06.

# %%
have_crops = data.available("luna16_crops")
if have_crops:
    development, _ = data.load_luna16_crops().by_rows((0.85, 0.15))
    crops = development.by_rows((0.7, 0.15, 0.15))
    pool = torch.nn.functional.avg_pool2d
    images = [pool(torch.from_numpy((c.images_hu + 600) / 400)[:, None], 2) for c in crops]  # (n, 1, 25, 25)
    crop_parts = [(image, torch.from_numpy(c.labels).float()) for image, c in zip(images, crops)]
    for part, c in zip(("train", "validation", "test"), crops):
        print(f"{part:10s} {len(c)} crops, {c.labels.mean():.0%} nodules, {len(np.unique(c.blocks))} blocks")


def small_cnn(seed):
    torch.manual_seed(seed)
    first, second = (torch.nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in ((1, 8), (8, 16)))
    relu, flat = torch.nn.ReLU(), torch.nn.Flatten()
    return torch.nn.Sequential(first, relu, second, relu, flat, torch.nn.Linear(16 * 7 * 7, 1))


# %%
if have_crops:
    crop_results = compare(small_cnn, *crop_parts, steps=200)
    gaps_by_set["chest CT crops"] = report(crop_results, crops[2].labels, crops[2].blocks, "block")
else:
    print("The set luna16_crops is not in the cache; data.card('luna16_crops') says where it comes from.")

# %% tags=["hide-input"]
shown = {"cells": cell_results} | ({"chest CT crops": crop_results} if have_crops else {})
figure, axes = plt.subplots(1, len(shown), figsize=(4.5 * len(shown), 3.8), squeeze=False)
for ax, (title, results) in zip(axes[0], shown.items()):
    for (name, (losses, *_)), marker, size in zip(results.items(), "os^", (6, 9, 5)):
        filled = "none" if name == "Adam" else None
        ax.semilogx(
            grid, [min(loss, 1.0) for loss in losses.values()], marker=marker, markersize=size, mfc=filled, label=name
        )
    ax.axvline(0.001, color="0.6", linestyle=":", label="default rate")
    ax.set(xlabel="learning rate", ylabel="validation loss (cut at 1)", title=title)
axes[0, 0].legend()
plots.picture(
    figure,
    alt="Validation loss against the learning rate, a valley for each optimizer; each panel has its own scale. Their "
    "floors differ by far less than they are deep. Those of Adam and AdamW nearly cover each other and lie at smaller rates than that of SGD with "
    "momentum. At the default rate 0.001, a dotted line at the left edge, SGD has learnt least.",
)

# %%
for title, results in shown.items():
    best_losses = {name: min(losses.values()) for name, (losses, *_) in results.items()}
    at_default = {name: losses[0.001] for name, (losses, *_) in results.items()}
    print(f"{title}, validation loss")
    for what, by_name in (("at the best rate", best_losses), ("at the default rate", at_default)):
        print(f"   {what:20s}", ", ".join(f"{name} {loss:.3f}" for name, loss in by_name.items()))
    between, within = np.ptp(list(best_losses.values())), max(at_default.values()) - min(best_losses.values())
    print(f"   the choice of optimizer moves it by {between:.3f}, a bad rate by {within:.3f}")
    assert between < within / 2
    assert results["SGD + momentum"][1] >= 3 * results["Adam"][1]  # SGD wants the larger rate

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, len(shown), figsize=(4.5 * len(shown), 3), squeeze=False, sharey=True, sharex=True)
for ax, title in zip(axes[0], shown):
    for row, (what, gap_now) in enumerate(gaps_by_set[title].items()):
        colour, marker = ("vermillion", "s") if what == "default rate" else ("blue", "o")
        ax.plot(gap_now.interval, (row, row), "-", color=plots.COLOURS[colour])
        ax.plot(gap_now.value, row, marker, color=plots.COLOURS[colour])
    ax.axvline(0, color="0.5", linestyle=":")
    ax.locator_params(axis="x", nbins=5)
    ax.set(xlabel="AUC of Adam minus SGD + momentum", title=title, yticks=range(4), yticklabels=gaps_by_set[title])
axes[0, 0].invert_yaxis()
plots.picture(
    figure,
    alt="Differences in AUC with their 95 % intervals, one line for each of three seeds with tuned rates (circles) and one for "
    "the default rate (square). The tuned ones lie nearer to 0, the dotted line; those of the three seeds do not lie at the "
    "same place.",
)

# %% [markdown]
# On both sets (the crops need the cache) the floors of the three valleys differ by far less than the valleys are deep.
# They lie at different rates: SGD wants a larger one, by a factor of 3 or more. At the default rate of 0.001 Adam was ahead on both, and that says
# something about 0.001, not about Adam: tuned, most of the gap was gone.
#
# Is anything left of it? Read the three tuned lines of a set: the same two optimizers, the same rates, the same test
# patients, another **seed** for the first weights and the batches. Is 0 inside each of the intervals, or outside each?
# Where they disagree, who runs only the one seed reports "no difference shown", who runs only the other reports a
# winner, each with a correct interval. The interval knows which patients were drawn; it knows nothing of the seed. And
# a rate that was chosen with one seed may lie on the edge for another. So several seeds for each optimizer, and all of
# them in the report.
#
# One more oddity, which a report should not hide. The rate with the lowest validation loss need not have the highest
# AUC on the test patients: compare Adam's default rate on the cells with its tuned one. Loss and AUC are different
# scores, of different patients.

# %% [markdown]
# ## What you may claim
# **You may claim**
# - Your AdaGrad, RMSProp, Adam and AdamW equal `torch.optim` to $10^{-10}$ or better over 200 steps on one problem,
#   and Keras with the constants made equal. Keras' Adam with its own $\varepsilon$ equals yours with
#   $\varepsilon/\sqrt{1-\beta_2^t}$.
# - The first step without bias correction is 3.16 times too long, and step 12 is 6.6 times too long. That was
#   derived, and measured for the first step.
# - On these test patients, these networks and this number of steps, the choice of the rate moved the validation loss
#   far more than the choice among three optimizers, and tuning closed most of the gap in AUC between Adam and SGD
#   with momentum.
#
# **You may not claim**
# - That the three are equally good, nor which is best. Three seeds are few. An interval that holds 0 also holds
#   differences on both sides of it: read its ends. The weight decay of AdamW was not tuned, so it is nearly Adam here.
# - Anything about large networks or long training. There, others report differences, in both directions:
#   [Wilson et al. 2017](https://doi.org/10.48550/arXiv.1705.08292) found that adaptive methods generalise worse than
#   SGD; [Choi et al. 2019](https://doi.org/10.48550/arXiv.1910.05446) tuned more and found Adam never behind.
# - That the intervals hold everything. They are about which patients (or blocks of rows) were drawn. The seed of the
#   training, the split and the grid come on top.
# - That these AUCs are those of a screening programme. The crops were chosen; about one in six is a nodule. The share
#   of nodules does not change an AUC, but which non-nodules were drawn does.
# - From the race: anything but four smooth surfaces without noise, from one start each.

# %% [markdown]
# ## Summary
# - The bound for one weight is smallest at a rate of distance over $\sqrt{\sum g^2}$. AdaGrad puts that into
#   practice; RMSProp forgets old gradients; Adam adds momentum and corrects both means by $1-\beta^t$.
# - Without the correction Adam's first steps are too long, not too short.
# - Adam does not see the scale of the loss. It sees the share of signal in a gradient, and it depends on the
#   coordinates.
# - Decay beside the division (AdamW) shrinks all weights alike; an L2 penalty through it spares those with large
#   gradients.
# - The same name in PyTorch and Keras may be another optimizer: $\varepsilon$, memory, first value, decay, clipping.
# - On noisy gradients Adam does not come to rest at a constant rate: let the rate fall. Warm up while it cannot tell
#   signal from noise.
# - Clip by the common norm, and watch how often it happens.
# - Before a ReLU, start with the variance $2/n$. Adam can hide a wrong start, as long as gradients stay well above
#   $\varepsilon$.
# - Compare optimizers with each its own rate, the same grid and budget, several seeds, and test patients who chose
#   nothing.
#
# ### Key terms
# [AdaGrad](glossary:adagrad) · [RMSProp](glossary:rmsprop) · [Adam](glossary:adam) · [AdamW](glossary:adamw) ·
# [bias correction](glossary:bias-correction) · [weight decay](glossary:weight-decay) · [warm-up](glossary:warm-up) ·
# [learning-rate range test](glossary:learning-rate-range-test) · [gradient clipping](glossary:gradient-clipping) ·
# [initialisation](glossary:initialisation)
#
# ### Further reading
# - Duchi J, Hazan E, Singer Y. *Adaptive subgradient methods for online learning and stochastic optimization.*
#   Journal of Machine Learning Research 2011. <https://jmlr.org/papers/v12/duchi11a.html>
# - Kingma DP, Ba J. *Adam: a method for stochastic optimization.* ICLR 2015.
#   <https://doi.org/10.48550/arXiv.1412.6980>
# - Loshchilov I, Hutter F. *Decoupled weight decay regularization.* ICLR 2019.
#   <https://doi.org/10.48550/arXiv.1711.05101>
# - Reddi SJ, Kale S, Kumar S. *On the convergence of Adam and beyond.* ICLR 2018.
#   <https://doi.org/10.48550/arXiv.1904.09237>
# - Balles L, Hennig P. *Dissecting Adam: the sign, magnitude and variance of stochastic gradients.* ICML 2018.
#   <https://doi.org/10.48550/arXiv.1705.07774>
# - Choi D, et al. *On empirical comparisons of optimizers for deep learning.* 2019.
#   <https://doi.org/10.48550/arXiv.1910.05446>
# - Schmidt RM, Schneider F, Hennig P. *Descending through a crowded valley: benchmarking deep learning optimizers.*
#   ICML 2021. <https://doi.org/10.48550/arXiv.2007.01547>
# - Smith LN. *Cyclical learning rates for training neural networks.* WACV 2017.
#   <https://doi.org/10.1109/WACV.2017.58>
# - Pascanu R, Mikolov T, Bengio Y. *On the difficulty of training recurrent neural networks.* ICML 2013.
#   <https://doi.org/10.48550/arXiv.1211.5063>
# - He K, Zhang X, Ren S, Sun J. *Delving deep into rectifiers.* ICCV 2015. <https://doi.org/10.1109/ICCV.2015.123>
# - Glorot X, Bengio Y. *Understanding the difficulty of training deep feedforward neural networks.* AISTATS 2010.
#   <https://proceedings.mlr.press/v9/glorot10a.html>
