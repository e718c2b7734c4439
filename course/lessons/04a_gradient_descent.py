# %% [markdown]
# A loss says how wrong a model is (lesson 03). Training is the search for weights that make it small, and nearly
# every network is trained by one move, repeated: a small step downhill. How small? How many? Why does one problem
# take ten steps and another a hundred thousand million? You will answer these on a bowl, where every number can be
# derived. Then you measure them, and carry them to real patients.
#
# Bowls and noise here are **simulated**, and the text says so. The patients are real: 569 fine-needle aspirates of
# the breast, each with measurements of its cell nuclei. They come with scikit-learn, so you need no download. The
# lesson takes a little over two hours; the two exercises marked *further* come on top. Good places for a break are before
# *Saddles and plateaus* and before *Real patients*.

# %% [markdown]
# ## A bowl, and one number per direction
# Near a minimum a smooth loss looks like a bowl: in its Taylor series the first-order term is zero there, and the
# second-order one is the first that you see. So take the bowl itself,
#
# $$L(w)=\tfrac12\,w^\top A\,w-b^\top w ,$$
#
# with a symmetric matrix $A$ whose eigenvalues are all positive. $A$ is the [Hessian](glossary:hessian): the matrix
# of the second derivatives, which say how strongly the loss curves. [Gradient descent](glossary:gradient-descent)
# goes a small step against the gradient, again and again. The factor $\eta$ is the [learning
# rate](glossary:learning-rate):
#
# $$w\;\leftarrow\;w-\eta\,\nabla L(w) .$$
#
# ### Exercise: one step
# Differentiate $L$ with pen and paper, then write one step.

# %% tags=["exercise"]
def gd_step(A, b, w, learning_rate):
    """Return w after one step of gradient descent on the bowl."""
    return ...  # your code


# %% tags=["check"]
ex.gd_step.check(gd_step)

# %% [markdown]
# The gradient is $Aw-b$. It is zero at the minimum $w^*$, so $b=Aw^*$, and for the error $e=w-w^*$ the step reads
#
# $$e\;\leftarrow\;e-\eta Ae=(1-\eta A)\,e .$$
#
# Now turn the axes. $A=Q\Lambda Q^\top$ has orthogonal eigenvectors (the columns of $Q$) and eigenvalues
# $\lambda_1,\dots,\lambda_n$ on the diagonal of $\Lambda$. With the coordinates $x=Q^\top e$ the matrix falls apart
# into numbers:
#
# $$x_i\;\leftarrow\;(1-\eta\lambda_i)\,x_i .$$
#
# Each coordinate has a fate of its own, and one factor decides it. (You met this at the end of lesson 02, where a
# kernel would not come back.) The bowl of this lesson has the eigenvalues 1 and 20, and is turned by 30 degrees.
#
# **Predict:** the learning rates 0.02, 0.09 and 0.11. One crawls, one goes in zigzag, one leaves. Which, and why?

# %%
angle = np.deg2rad(30)
Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # columns: the eigenvectors
lam, w_star, start = np.array([1.0, 20.0]), np.array([1.0, 0.5]), np.array([-1.0, 1.5])
A = Q @ np.diag(lam) @ Q.T
b = A @ w_star


def descend(gradient, w, etas):
    """Return all places from the start on, one row each; etas has the learning rate of each step."""
    path = [w]
    for eta in etas:
        w = w - eta * gradient(w)
        path.append(w)
    return np.array(path)


# %%
paths = {eta: descend(lambda w: A @ w - b, start, np.full(60, eta)) for eta in (0.02, 0.09, 0.11)}
for eta, path in paths.items():
    x = (path - w_star) @ Q  # x = Q'e for each row
    print(f"learning rate {eta}: factors {1 - eta * lam[0]:.2f} and {1 - eta * lam[1]:.2f},", end=" ")
    print(f"distance {np.linalg.norm(x[0]):.2f} -> {np.linalg.norm(x[60]):.2g} after 60 steps")
    assert np.allclose(x[7], (1 - eta * lam) ** 7 * x[0])

# %% tags=["hide-input"]
def draw_bowl(axes, matrix, minimum, *, reach=2.6):
    """Draw the level curves of a bowl around its minimum."""
    grid = np.linspace(-reach, reach, 121)
    across, up = np.meshgrid(grid, grid)
    offsets = np.stack([across, up], axis=-1)
    loss = np.einsum("...i,ij,...j->...", offsets, matrix, offsets) / 2
    levels = np.geomspace(0.05, 60, 9)
    axes.contour(minimum[0] + across, minimum[1] + up, loss, levels=levels, colors="0.75", linewidths=0.8)
    axes.plot(*minimum, "k*", markersize=11)
    axes.set(xlim=minimum[0] + np.array([-reach, reach]), ylim=minimum[1] + np.array([-reach, reach]), aspect="equal")
    axes.set(xlabel="$w_1$", ylabel="$w_2$")


figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6))
draw_bowl(left, A, w_star)
for (eta, path), marker in zip(paths.items(), "os^"):
    shown = 4 if eta > 0.1 else 16
    left.plot(*path[:shown].T, marker=marker, markersize=5, linewidth=1.2, label=f"$\\eta$ = {eta}")
    right.semilogy(np.linalg.norm(path - w_star, axis=1), marker=marker, markevery=10, markersize=5)
left.set_title("The first steps (star: minimum)")
left.legend(loc="upper right")
right.set(xlabel="step", ylabel="distance to the minimum", title="Straight lines: a factor per step")
plots.picture(
    figure,
    alt="Left: level curves of a narrow, tilted bowl with three paths. Step 0.02 goes down the steep side and "
    "then creeps along the valley. Step 0.09 goes in zigzag across the valley. The three steps drawn of 0.11 "
    "swing wider each time. Right: distance against step, logarithmic: 0.09 falls fastest, 0.02 slowly, 0.11 rises.",
)

# %% [markdown]
# The small step crawls: the flat direction has the factor 0.98. The middle one jumps across the valley, because its
# factor for the steep direction is negative, −0.8. It still shrinks. For the last the factor is −1.2, and the
# path leaves the bowl. It is the **steep** direction that throws you out, and the **flat** one that makes you wait.
#
# ### Exercise: the largest stable step
# Compute from the Hessian the step size at which convergence stops.

# %% tags=["exercise"]
def largest_stable_step(hessian):
    """Return the learning rate beyond which gradient descent diverges."""
    return ...  # your code


# %% tags=["check"]
ex.largest_stable_step.check(largest_stable_step)

# %% [markdown]
# Stable means $|1-\eta\lambda_i|<1$ for every $i$, so $0<\eta<2/\lambda_\max$: here below 0.1. Which step is the
# quickest? In the long run the slowest coordinate decides, so you want the $\eta$ that makes
# $\max_i|1-\eta\lambda_i|$ smallest.
#
# ### Exercise: the best step
# Only the smallest and the largest eigenvalue can be the slowest. Sketch $|1-\eta\lambda|$ for both, and find
# where the larger one is lowest.

# %% tags=["exercise"]
def best_step(hessian):
    """Return (step, rate): the quickest learning rate, and the factor of the slowest coordinate."""
    return ...  # your code


# %% tags=["check"]
ex.best_step.check(best_step)

# %% [markdown]
# At the best step the two ends are equally slow: $1-\eta\lambda_\min=\eta\lambda_\max-1$. Solve it, and put it back:
#
# $$\eta=\frac{2}{\lambda_\min+\lambda_\max},\qquad
# \text{rate}=\frac{\lambda_\max-\lambda_\min}{\lambda_\max+\lambda_\min}=\frac{\kappa-1}{\kappa+1},\qquad
# \kappa=\frac{\lambda_\max}{\lambda_\min} .$$
#
# Only the ratio is left: $\kappa$ is the [condition number](glossary:condition-number). Our bowl has
# $\kappa=20$. Does a run obey? Measure the factor per step between steps 100 and 160, for 45 learning rates.

# %%
etas = np.linspace(0.002, 0.104, 45)
theory = np.abs(1 - np.outer(etas, lam)).max(axis=1)
measured = []
for eta in etas:
    distance = np.linalg.norm(descend(lambda w: A @ w - b, start, np.full(160, eta)) - w_star, axis=1)
    measured.append((distance[160] / distance[100]) ** (1 / 60))
print(f"largest gap between measured and derived rate: {np.abs(measured - theory).max():.4f}")
best = etas[np.argmin(measured)]
print(f"best of the 45: {best:.4f} with rate {min(measured):.3f};", end=" ")
print(f"derived: {2 / lam.sum():.4f} with {19 / 21:.3f}")
assert np.abs(measured - theory).max() < 0.002 and abs(best - 2 / 21) < 0.002

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.5, 4))
fine = np.linspace(0, 0.106, 300)
axes.plot(fine, np.abs(1 - fine * lam[0]), label=r"$|1-\eta\lambda_\min|$")
axes.plot(fine, np.abs(1 - fine * lam[1]), label=r"$|1-\eta\lambda_\max|$")
axes.plot(etas, measured, "k.", label="measured")
axes.axhline(1, color="0.6", linewidth=0.8, linestyle="-")
axes.set(xlabel=r"learning rate $\eta$", ylabel="factor per step", ylim=(0, 1.15))
axes.set_title("The slower coordinate sets the rate")
axes.legend(loc="lower left")
plots.picture(
    figure,
    alt="Factor per step against the learning rate. One line falls gently from 1, the other falls steeply to 0 at"
    " 0.05 and rises again to 1 at 0.1. The measured points follow the larger of the two and are lowest where"
    " they cross, near 0.095.",
)

# %% [markdown]
# The points lie on the larger of the two lines. Look how near the best step (0.095) is to the edge (0.1): the
# quickest step of gradient descent is nearly unstable. In practice nobody knows $\lambda_\max$, so you stay well
# below.
#
# ### Exercise (further): how many steps?
# How many steps shrink the distance to the minimum by a factor, say $10^{-6}$, for a given $\kappa$?

# %% tags=["exercise"]
def steps_needed(kappa, factor):
    """Return the number of steps, at the best step size, that shrink the distance by the factor."""
    return ...  # your code


# %% tags=["check"]
ex.steps_needed.check(steps_needed)

# %% [markdown]
# For large $\kappa$ the rate is about $1-2/\kappa$, and $\ln(1-2/\kappa)\approx-2/\kappa$. So a factor of $10^{-6}$
# takes about $\tfrac12\kappa\ln 10^6\approx 7\kappa$ steps. The condition number **is** the price.

# %% [markdown]
# ## A heavy ball
# In the flat direction all steps point the same way; in the steep one they cancel. So remember them. Polyak's heavy
# ball ([1964](https://doi.org/10.1016/0041-5553%2864%2990137-5)) carries a velocity $v$ that keeps a share $\mu$ of
# itself, the [momentum](glossary:momentum), and takes up each new gradient:
#
# $$v\;\leftarrow\;\mu v+\nabla L(w),\qquad w\;\leftarrow\;w-\eta v .$$
#
# ### Exercise: one step with momentum
# Write it. The gradient at $w$ is given.

# %% tags=["exercise"]
def momentum_step(w, velocity, gradient, learning_rate, momentum):
    """Return (w, velocity) after one step."""
    return ...  # your code


# %% tags=["check"]
ex.momentum_step.check(momentum_step)

# %% [markdown]
# In the eigenbasis each coordinate again lives alone. With $\nabla L=\lambda x$, and $\eta v_t=x_{t-1}-x_t$ to remove
# the velocity,
#
# $$x_{t+1}=x_t-\eta(\mu v_t+\lambda x_t)=(1+\mu-\eta\lambda)\,x_t-\mu\,x_{t-1},\qquad
# \begin{pmatrix}x_{t+1}\\x_t\end{pmatrix}=
# \begin{pmatrix}1+\mu-\eta\lambda&-\mu\\1&0\end{pmatrix}\begin{pmatrix}x_t\\x_{t-1}\end{pmatrix}.$$
#
# After $t$ steps this matrix has been applied $t$ times. So the rate is the size $|z|$ of its largest eigenvalue, its
# *spectral radius*. The two eigenvalues solve
#
# $$z^2-(1+\mu-\eta\lambda)\,z+\mu=0 ,$$
#
# and their product is $\mu$. Where $(1+\mu-\eta\lambda)^2<4\mu$ they are complex and conjugate, so both have the size
# $\sqrt\mu$. That is so for $(1-\sqrt\mu)^2<\eta\lambda<(1+\sqrt\mu)^2$.
#
# **Predict:** you plot the rate against $\eta\lambda$, for $\mu=0$, $0.5$ and $0.9$. What is new about the shape? Up
# to which $\eta\lambda$ is it stable?

# %%
def heavy_ball(gradient, w, etas, mu):
    path, v = [w], np.zeros_like(w)
    for eta in etas:
        v = mu * v + gradient(w)
        w = w - eta * v
        path.append(w)
    return np.array(path)


def radius(step, mu):
    """Return the spectral radius for step = eta * lambda."""
    return np.abs(np.linalg.eigvals([[1 + mu - step, -mu], [1, 0]])).max()


# %%
steps, fine, rates = np.linspace(0.05, 3.75, 38), np.linspace(0, 4, 400), {}
for mu in (0, 0.5, 0.9):
    # 38 balls at once, one for each step; lambda = 1
    path = heavy_ball(lambda x: x, np.ones(38), np.tile(steps, (220, 1)), mu)
    size = np.hypot(path[1:], path[:-1])
    rates[mu] = (size[219] / size[59]) ** (1 / 160)
    stable = steps < 2 * (1 + mu)
    gap = np.abs(rates[mu] - [radius(step, mu) for step in steps])[stable].max()
    print(f"momentum {mu}: measured and derived rate differ by {gap:.4f} at most;", end=" ")
    print(f"sqrt(momentum) = {mu**0.5:.3f}")
    assert gap < 0.02 and (rates[mu][~stable] > 1).all()

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 4))
for (mu, rate), marker in zip(rates.items(), "os^"):
    (line,) = axes.plot(fine, [radius(step, mu) for step in fine], label=rf"$\mu$ = {mu}")
    axes.plot(steps, rate, marker, color=line.get_color(), markersize=4)
axes.axhline(1, color="0.6", linewidth=0.8, linestyle="-")
axes.set(xlabel=r"$\eta\lambda$", ylabel="factor per step", ylim=(0, 1.15))
axes.set_title("Derived (lines) and measured (markers)")
axes.legend(loc="lower right")
plots.picture(
    figure,
    alt="Rate against eta times lambda. Without momentum a V that touches 0 at 1 and reaches 1 at 2. With "
    "momentum 0.5 and 0.9 a flat floor at 0.71 and 0.95 over a wide range, and the edge of stability moves "
    "out to 3 and 3.8. Markers lie on the lines.",
)

# %% [markdown]
# The V has become a tub with a **flat floor** at $\sqrt\mu$: over a wide range of $\lambda$ all directions shrink
# equally fast. And the edge moves out to $\eta\lambda=2(1+\mu)$, where $z=-1$ solves the equation (put it in). So
# choose $\eta$ and $\mu$ such that $\lambda_\min$ lies at the left end of the floor and $\lambda_\max$ at the right:
# $\sqrt{\eta\lambda_\min}=1-\sqrt\mu$ and $\sqrt{\eta\lambda_\max}=1+\sqrt\mu$. Add them, and divide one by the other:
#
# $$\sqrt\eta=\frac{2}{\sqrt{\lambda_\min}+\sqrt{\lambda_\max}},\qquad
# \text{rate}=\sqrt\mu=\frac{\sqrt\kappa-1}{\sqrt\kappa+1} .$$
#
# The rate of gradient descent, with the **root** of $\kappa$.
#
# *Nesterov's method* differs in one place: it takes the gradient where the velocity is about to carry you,
# $\nabla L(w-\eta\mu v)$. In the eigenbasis that is the place $x_t+\mu(x_t-x_{t-1})$, so
#
# $$x_{t+1}=(1-\eta\lambda)\bigl[(1+\mu)\,x_t-\mu\,x_{t-1}\bigr].$$
#
# Here the product of the two $z$ is $\mu(1-\eta\lambda)$. With $\eta=1/\lambda_\max$ and
# $\mu=(\sqrt\kappa-1)/(\sqrt\kappa+1)$ they coincide at $\lambda_\min$ and are complex, and smaller, for larger
# $\lambda$. So the rate is $\sqrt{\mu(1-1/\kappa)}=1-1/\sqrt\kappa$.
#
# **Predict:** $\kappa=10{,}000$. Gradient descent needs more than 60,000 steps for $10^{-6}$. How many does the ball
# need?

# %%
def nesterov(gradient, w, etas, mu):
    path, v = [w], np.zeros_like(w)
    for eta in etas:
        v = mu * v + gradient(w - eta * mu * v)
        w = w - eta * v
        path.append(w)
    return np.array(path)


def count(path, factor=1e-6):
    """Return after how many steps the distance has shrunk by the factor, for good."""
    distance = np.linalg.norm(path, axis=1)
    return int(np.flatnonzero(distance > factor * distance[0])[-1]) + 1


# %%
from tqdm.auto import tqdm

print(f"{'kappa':>7s} {'gradient descent':>17s} {'heavy ball':>11s} {'Nesterov':>9s}")
table = {}
for kappa in tqdm([10, 100, 1000, 10_000], leave=False):
    curvatures = np.geomspace(1, kappa, 20)  # 20 directions in their eigenbasis, minimum at 0
    root = np.sqrt(kappa)
    mu = (root - 1) / (root + 1)
    few = int(30 * root)
    runs = [
        descend(lambda x: curvatures * x, np.ones(20), np.full(8 * kappa, 2 / (1 + kappa))),
        heavy_ball(lambda x: curvatures * x, np.ones(20), np.full(few, 4 / (1 + root) ** 2), mu**2),
        nesterov(lambda x: curvatures * x, np.ones(20), np.full(few, 1 / kappa), mu),
    ]
    table[kappa] = [count(path) for path in runs]
    print(f"{kappa:7d} {table[kappa][0]:17d} {table[kappa][1]:11d} {table[kappa][2]:9d}")

# %%
print(f"the ball's rate alone, kappa = 10,000: {np.log(1e-6) / np.log(99 / 101):.0f} steps")
assert 90 < table[10_000][0] / table[100][0] < 110 and 60_000 < table[10_000][0]
assert all(9 < table[10_000][i] / table[100][i] < 13 for i in (1, 2)) and 900 < table[10_000][1] < 1100

# %% [markdown]
# From $\kappa=100$ to $10{,}000$ gradient descent needs about a hundred times the steps, the other two about ten
# times. (The ball needs nearly half as many again as its rate says, 691: at both ends of the floor the two $z$
# coincide, and the error falls like $t\,\mu^{t/2}$.)
#
# Try it on the first bowl. Find the best step without momentum, then add momentum. What do you see when $\mu$ is too
# large?

# %% tags=["hide-input"]
def draw_descent(learning_rate, momentum):
    """Draw 60 steps on the bowl, and the loss beside the derived rate."""
    path = heavy_ball(lambda w: A @ w - b, start, np.full(60, learning_rate), momentum)
    error = path - w_star
    loss = np.einsum("ti,ij,tj->t", error, A, error) / 2
    rate = max(radius(learning_rate * curvature, momentum) for curvature in lam)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6))
    draw_bowl(left, A, w_star)
    shown = path[: 1 + np.argmax(np.append(np.abs(error).max(axis=1) > 20, True))]  # what leaves need not be drawn
    left.plot(*shown.T, marker="o", markersize=3, linewidth=1.2, color=plots.COLOURS["blue"])
    left.set_title(f"learning rate {learning_rate:.3f}, momentum {momentum:.2f}")
    right.semilogy(loss, label="loss, measured")
    right.semilogy(loss[0] * rate ** (2 * np.arange(61)), label=f"rate {rate:.3f} per step, derived")
    right.set(xlabel="step", ylabel="loss above the minimum", ylim=(1e-14, 1e4))
    right.legend(loc="lower left")
    verdict = "converges" if rate < 1 else "does not converge"
    return plots.picture(
        figure,
        alt=f"Sixty steps on the bowl with learning rate {learning_rate:.3f} and momentum {momentum:.2f}. The "
        f"method {verdict}: derived factor per step {rate:.3f}, loss {loss[0]:.2g} at first and {loss[-1]:.2g}"
        " at the end.",
    )


widgets.explore(draw_descent, learning_rate=(0.005, 0.2, 0.005), momentum=(0.0, 0.95, 0.05))

# %% [markdown]
# A large $\mu$ overshoots and swings: a curve of the loss that goes up and down in waves is a sign of too much
# momentum. Without momentum, a loss that rises is a sign of too large a step.
#
# On a bowl the ball beats Nesterov's method. Is it the better method? Here is a convex loss of one weight that is no
# bowl: its curvature is 1 between $x=1$ and $x=2$, and 25 everywhere else. It has one minimum, at 0. All three methods
# get the settings that theory gives for eigenvalues from 1 to 25. ([Lessard, Recht and Packard
# 2016](https://doi.org/10.1137/15M1009597) made it.)
#
# **Predict:** one of the three never comes to rest. Which?

# %%
def bent(x):
    return np.where(x < 1, 25 * x, np.where(x < 2, x + 24, 25 * x - 24))  # the slope; the loss is convex


runs = {
    "gradient descent": descend(bent, 3.3, np.full(300, 2 / 26)),
    "heavy ball": heavy_ball(bent, np.array(3.3), np.full(300, 1 / 9), 4 / 9),
    "Nesterov": nesterov(bent, np.array(3.3), np.full(300, 1 / 25), 2 / 3),
}
for name, path in runs.items():
    print(f"{name:17s} the last four x: {path[-4:].round(3) + 0.0}")
assert np.abs(runs["heavy ball"][-4:]).min() > 0.5
assert abs(runs["Nesterov"][-1]) < 1e-9 and abs(runs["gradient descent"][-1]) < 1e-9

# %% [markdown]
# The ball runs through the same three places for ever. Its optimal settings are optimal for bowls only. Nesterov's
# carry a guarantee for every convex loss whose curvature stays between the two values ([Nesterov
# 2004](https://doi.org/10.1007/978-1-4419-8853-9)). Libraries offer both.

# %% [markdown]
# ## The same steps in two libraries
# The three methods are a few lines each. Are they what `torch.optim.SGD` and `keras.optimizers.SGD` do? Hold them
# against 200 steps of both, on a bowl of ten dimensions. The rate is set by hand before each step, so that it may
# change.

# %%
import keras
import torch

axes10 = np.linalg.qr(rng.normal(size=(10, 10)))[0]
A10, b10 = axes10 @ np.diag(np.geomspace(1, 50, 10)) @ axes10.T, rng.normal(size=10)


def slope10(w):
    return A10 @ w - b10


def by_torch(etas, mu, *, nesterov=False):
    w = torch.zeros(10, dtype=torch.float64)
    optimizer, path = torch.optim.SGD([w], lr=1.0, momentum=mu, nesterov=nesterov), []
    for eta in etas:
        optimizer.param_groups[0]["lr"] = eta
        w.grad = torch.from_numpy(slope10(w.numpy()))
        optimizer.step()
        path.append(w.numpy().copy())
    return np.array(path)


# %%
def by_keras(etas, mu, *, nesterov=False):
    path = []
    with keras.device("cpu"):
        w = keras.Variable(np.zeros(10), dtype="float64")
        optimizer = keras.optimizers.SGD(1.0, momentum=mu, nesterov=nesterov)
        for eta in etas:
            optimizer.learning_rate = eta
            gradient = slope10(keras.ops.convert_to_numpy(w.value))
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [w])
            path.append(keras.ops.convert_to_numpy(w.value).copy())
    return np.array(path)


def apart(one, other):
    return np.abs(one - other).max()


# %% [markdown]
# **Predict:** all agree for a constant rate. Now quarter the rate after step 50, as a schedule would. Do PyTorch
# and Keras still take the same path?

# %%
constant, zero, mu = np.full(200, 1 / 64), np.zeros(10), 0.875
dropped = np.where(np.arange(200) < 50, 1 / 64, 1 / 256)
for name, etas in {"constant rate": constant, "rate quartered": dropped}.items():
    plain, ball = descend(slope10, zero, etas)[1:], heavy_ball(slope10, zero, etas, mu)[1:]
    gaps = [apart(plain, by_torch(etas, 0.0)), apart(plain, by_keras(etas, 0.0))]
    gaps += [apart(ball, by_torch(etas, mu)), apart(ball, by_keras(etas, mu))]
    print(f"{name:15s} descent: torch {gaps[0]:.0e}, keras {gaps[1]:.0e}", end="   ")
    print(f"momentum: torch {gaps[2]:.0e}, keras {gaps[3]:.0e}")
    assert max(gaps[:3]) < 1e-12 and (gaps[3] < 1e-12 if etas is constant else gaps[3] > 1e-3)

# %% [markdown]
# With momentum and a rate that changes, they part. Keras keeps the rate **inside** the velocity:
#
# $$\text{PyTorch: } v\leftarrow\mu v+g,\;\;w\leftarrow w-\eta v\qquad\qquad
# \text{Keras: } m\leftarrow\mu m-\eta g,\;\;w\leftarrow w+m .$$
#
# For a constant $\eta$ that is the same, with $m=-\eta v$. After a drop of the rate, PyTorch brakes at once; Keras's
# velocity still has the old rate in it, and coasts for about $1/(1-\mu)$ steps.
#
# And Nesterov? Both libraries take the gradient at $w$ itself, and step to $w-\eta(g+\mu v')$ with the new velocity
# $v'=\mu v+g$. Where is the look-ahead? Name the look-ahead point $u=w-\eta\mu v$. The next $u$ is $w'-\eta\mu v'$
# with $w'=w-\eta v'$, and since $w=u+\eta\mu v$ and $\mu v=v'-g$,
#
# $$u'=u+\eta\mu v-\eta v'-\eta\mu v'=u+\eta(v'-g)-\eta v'-\eta\mu v'=u-\eta\,(g+\mu v').$$
#
# That is the library's step. What it calls $w$ is $u$, the point ahead, which differs from $w$ until both rest.

# %%
def coasting(gradient, w, etas, mu):
    """Keras's momentum: the velocity contains the rate."""
    path, m = [w], np.zeros_like(w)
    for eta in etas:
        m = mu * m - eta * gradient(w)
        w = w + m
        path.append(w)
    return np.array(path)


# %%
keras_gap = apart(coasting(slope10, zero, dropped, mu)[1:], by_keras(dropped, mu))
print(f"Keras's form, rate quartered: {keras_gap:.0e}")
path = nesterov(slope10, zero, constant, mu)
ahead = path[1:] + mu * (path[1:] - path[:-1])  # u = w - eta mu v, and eta v = the last w less this one
in_torch, in_keras = (run(constant, mu, nesterov=True) for run in (by_torch, by_keras))
print(f"Nesterov, point ahead: torch {apart(ahead, in_torch):.0e}, keras {apart(ahead, in_keras):.0e}")
behind = apart(path[1:], in_torch), apart(path[-1], in_torch[-1])
print(f"Nesterov, w itself:    torch {behind[0]:.0e}, at the last step {behind[1]:.0e}")
assert keras_gap < 1e-12 < behind[0]
assert max(apart(ahead, in_torch), apart(ahead, in_keras)) < 1e-12

# %% [markdown]
# One more trap, for whoever compares: Keras stores the rate in single precision. The rates above are powers of two,
# so nothing is lost. With 0.02:

# %%
fiftieth = np.full(200, 0.02)
gap = apart(by_torch(fiftieth, mu), by_keras(fiftieth, mu))
print(f"rate 0.02: torch and keras differ by {gap:.0e};", end=" ")
print(f"0.02 in single precision is {float(np.float32(0.02)):.12f}")
assert 1e-10 < gap < 1e-6

# %% [markdown]
# ## A gradient from a sample
# A loss over $n$ patients is a mean, and so is its gradient: $\nabla L=\frac1n\sum_i\nabla L_i$. With a million
# images you do not want to see them all for one step. [Stochastic gradient
# descent](glossary:stochastic-gradient-descent) draws a [mini-batch](glossary:mini-batch) of $B$ cases at random and
# takes **their** mean. If each case is drawn with probability $1/n$, the expected gradient is
# $\sum_i\frac1n\nabla L_i=\nabla L$: it is right on average, or *unbiased*.
#
# ### Exercise: the gradient of a mini-batch
# Linear regression, $L_i=\frac12(x_i^\top w-y_i)^2$. Write the mean gradient of the cases in `indices`.

# %% tags=["exercise"]
def minibatch_gradient(X, y, w, indices):
    """Return the gradient of half the mean squared error over some cases."""
    return ...  # your code


# %% tags=["check"]
ex.minibatch_gradient.check(minibatch_gradient)

# %% [markdown]
# **Predict:** 1,000 cases, simulated. You draw 4,000 batches of one case, then of 4, of 16 and of 64. What happens to
# the mean of the 4,000 gradients? To their variance? To variance times $B$?

# %%
X, truth = rng.normal(size=(1000, 5)), np.array([1.0, -2, 0.5, 0, 3])
y = X @ truth + rng.normal(size=1000)
each = X * (X @ np.zeros(5) - y)[:, np.newaxis]  # the gradient of every case at w = 0, (1000, 5)
print("full gradient", each.mean(axis=0).round(2))
for B in (1, 4, 16, 64):
    batches = each[rng.integers(1000, size=(4000, B))].mean(axis=1)  # (4000, B, 5) -> (4000, 5)
    variance = batches.var(axis=0).sum()
    print(f"B = {B:2d}: mean {batches.mean(axis=0).round(2)},", end=" ")
    print(f"variance {variance:7.3f}, times B {B * variance:6.1f}")
    assert abs(B * variance / each.var(axis=0).sum() - 1) < 0.2
    assert np.abs(batches.mean(axis=0) - each.mean(axis=0)).max() < 5 * np.sqrt(variance / 4000)

# %% [markdown]
# The gradient is right on average. The mean of $B$ independent draws has $1/B$ of the variance of one, so a batch four
# times as large halves the error: variance divided by 4, standard deviation by 2. Four times the work for half the
# error is a bad bargain. That is the case for small batches. (Data loaders shuffle, and go through all cases once
# before any comes again. Then the draws of an epoch are not quite independent.)
#
# But the noise does not stop at the minimum. There $\nabla L=0$, and the single gradients are not. Take one
# coordinate of the bowl and noise $\xi$ of variance $\sigma^2/B$, the same everywhere:
#
# $$x\;\leftarrow\;x-\eta(\lambda x+\xi)=(1-\eta\lambda)\,x-\eta\,\xi .$$
#
# The two terms are independent, so the variance $V$ of $x$ becomes $(1-\eta\lambda)^2V+\eta^2\sigma^2/B$: the step
# shrinks it, the noise adds to it. After many steps the two balance.
#
# ### Exercise (further): the noise floor
# Find the $V$ that no longer changes.

# %% tags=["exercise"]
def noise_floor(learning_rate, curvature, sigma, batch):
    """Return the variance of x at rest."""
    return ...  # your code


# %% tags=["check"]
ex.noise_floor.check(noise_floor)

# %% [markdown]
# $1-(1-\eta\lambda)^2=\eta\lambda(2-\eta\lambda)$, so one $\eta$ cancels, and with $L=\frac12\lambda x^2$
#
# $$V=\frac{\eta\,\sigma^2}{B\,\lambda\,(2-\eta\lambda)},\qquad
# \text{mean loss at rest}=\frac{\eta}{2B}\sum_i\frac{\sigma_i^2}{2-\eta\lambda_i} .$$
#
# This is the [noise floor](glossary:noise-floor). On our bowl, 4,000 simulated runs side by side, $\sigma=1$ and
# $B=1$.
#
# **Predict:** you halve the rate. What happens to the floor, and to the time until you reach it?

# %%
def noisy_runs(etas, *, batch=1, average=False, count=4000):
    """Return the mean loss over many runs on the bowl, at the place or at the average of the places."""
    x = np.tile((start - w_star) @ Q, (count, 1))  # in the eigenbasis, (count, 2)
    mean, losses = np.zeros_like(x), []
    for t, eta in enumerate(etas):
        x = x - eta * (lam * x + rng.normal(0, 1 / np.sqrt(batch), size=x.shape))
        mean += (x - mean) / (t + 1)
        losses.append((lam * (mean if average else x) ** 2).sum(axis=1).mean() / 2)
    return np.array(losses)


floors = {eta: eta / 2 * np.sum(1 / (2 - eta * lam)) for eta in (0.08, 0.04, 0.02)}
curves = {eta: noisy_runs(np.full(500, eta)) for eta in floors}
for eta, floor in floors.items():
    print(f"rate {eta}: floor derived {floor:.4f}, measured {curves[eta][-100:].mean():.4f}")
    assert abs(curves[eta][-100:].mean() / floor - 1) < 0.05

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 4))
for eta, curve in curves.items():
    (line,) = axes.semilogy(curve, label=rf"$\eta$ = {eta}")
    axes.axhline(floors[eta], color=line.get_color(), linewidth=0.9, linestyle=":")
axes.set(xlabel="step", ylabel="mean loss of 4,000 runs", title="Noise floors, simulated (dotted: derived)")
axes.legend()
plots.picture(
    figure,
    alt="Mean loss against step, logarithmic, for the rates 0.08, 0.04 and 0.02. Each falls, the larger rate "
    "sooner, and then stays level on its dotted floor. The smaller the rate, the lower the floor.",
)

# %% [markdown]
# From 0.04 to 0.02 the floor falls by a little more than half, and the way there takes twice as long. (From 0.08 to
# 0.04 it falls by more: 0.08 is near the edge, where $2-\eta\lambda_\max$ is small.) When the loss of a training run
# falls and then goes level, it may be at its minimum, or on its floor. Lower the rate and look: if the loss falls
# again, it was most likely the floor.

# %% [markdown]
# ## Smaller steps, or larger batches
# A constant rate never arrives. [Robbins and Monro 1951](https://doi.org/10.1214/aoms/1177729586) let the steps
# shrink, under two conditions: $\sum\eta_t=\infty$, or you cannot get to a far minimum; $\sum\eta_t^2<\infty$, so
# that the noise you collect stays finite and fades. $1/t$ does both. The other cure: keep the rate, and **average**
# the places you visit ([Polyak and Juditsky 1992](https://doi.org/10.1137/0330046)). The noise in them averages out.
# (Below, 12 is added to $t$, so that the first step, $1/12$, is stable.)
#
# **Predict:** four ways from the same start: constant $0.08$; $1/(t+12)^2$; $1/(t+12)$; constant $0.08$, averaged.
# Which stops before it arrives? Which still fall at the end?

# %%
t = np.arange(4000)
ways = {
    "constant": noisy_runs(np.full(4000, 0.08), count=1000),
    "1 / (t + 12)²": noisy_runs(1 / (t + 12) ** 2, count=1000),
    "1 / (t + 12)": noisy_runs(1 / (t + 12), count=1000),
    "constant, averaged": noisy_runs(np.full(4000, 0.08), average=True, count=1000),
}
for name, losses in ways.items():
    print(f"{name:19s} mean loss at step 400: {losses[400]:.4f}, at 4,000: {losses[-1]:.5f}")
assert abs(ways["constant"][-200:].mean() / floors[0.08] - 1) < 0.05 and ways["1 / (t + 12)²"][-1] > 0.5
ideal = np.sum(1 / lam) / 2 / 4000
print(f"sum of 1 / lambda, / 2t: {ideal:.5f}")
assert 0.8 * ideal < ways["constant, averaged"][-1] < 1.3 * ideal and ways["1 / (t + 12)"][-1] < 2 * ideal

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 4))
for name, losses in ways.items():
    axes.loglog(1 + t, losses, label=name)
axes.set(xlabel="step", ylabel="mean loss of 1,000 runs", ylim=(1e-4, 60))
axes.set_title("Four ways to handle the noise (simulated)")
axes.legend(loc="lower left")
plots.picture(
    figure,
    alt="Mean loss against step, both logarithmic. The constant rate goes level on its floor. Steps of 1 over t "
    "squared go level early and far above. Steps of 1 over t and the averaged run keep falling, along "
    "straight lines.",
)

# %% [markdown]
# $\sum 1/(t+12)^2$ is about 0.09: the steps were used up before the flat direction had moved by a tenth. The steps
# $1/(t+12)$ and the average go on falling like $1/t$. The average even comes close to
# $\frac1{2t}\sum\sigma^2/\lambda_i$: for Gaussian noise, as here, the best that $t$ samples allow in the long run
# (Polyak and Juditsky). It need not know $\lambda_\min$; the 1 in $1/(t+12)$ is $1/\lambda_\min$, and with less it
# would creep. Lesson 04b has the schedules that networks use.
#
# **Batch size.** The floor depends on $\eta/B$. Double the batch and the rate, and the floor stays (as
# long as $\eta\lambda$ is small): the *linear scaling rule* ([Goyal et al.
# 2017](https://doi.org/10.48550/arXiv.1706.02677)). You then need half the steps: the
# same number of cases, so the same number of [epochs](glossary:epoch) (passes through the data). It cannot go on for
# ever, because $\eta<2/\lambda_\max$.
#
# On a bowl you need no simulation: the mean loss after $t$ steps follows from the recursion for $V$. Take 100
# directions with $\lambda_i=1/i$, each 1 away from the minimum at the start. Steep directions are the noisier ones:
# variance $\lambda_i$. Give every batch size its own best rate (a model of [Zhang et al.
# 2019](https://doi.org/10.48550/arXiv.1907.04164)).
#
# **Predict:** you double the batch, again and again. Until when does the number of steps halve?

# %%
spectrum, target = 1 / np.arange(1, 101), 0.02


def expected_loss(t, eta, batch):
    shrink = (1 - eta * spectrum) ** 2
    rest = eta / batch / (2 - eta * spectrum)  # the floor V, with sigma² = lambda
    return np.sum(spectrum * (shrink**t * (1 - rest) + rest)) / 2


def fewest_steps(batch):
    """Return the fewest steps to the target, and the rate that needs them."""
    found, ticks = [], np.unique(np.geomspace(1, 40_000, 600).astype(int))
    for eta in np.geomspace(0.005, 1.99, 100):
        if expected_loss(np.inf, eta, batch) < target:  # else the floor is too high
            reached = (t for t in ticks if expected_loss(t, eta, batch) <= target)
            found.append((next(reached, np.inf), eta))
    return min(found)


# %%
sizes = 4 ** np.arange(7)
best = {int(B): fewest_steps(B) for B in sizes}
print(f"{'batch':>6s} {'steps':>7s} {'cases seen':>11s} {'best rate':>10s}")
for B, (needed, eta) in best.items():
    print(f"{B:6d} {needed:7d} {B * needed:11d} {eta:10.3f}")
assert 3.5 < best[1][0] / best[4][0] < 4.5 and 3.5 < best[4][1] / best[1][1] < 4.5
assert 64 * best[64][0] < 1.25 * best[1][0] and best[1024][0] < 1.5 * best[4096][0]

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), sharex=True)
steps_taken = np.array([best[int(B)][0] for B in sizes])
left.loglog(sizes, steps_taken, marker="o", label="steps")
left.loglog(sizes, steps_taken[0] / sizes, color="0.5", label="halved by each doubling")
left.set(xlabel="batch size", ylabel="steps to the target", title="Time, if a larger batch costs no more time")
left.legend()
right.loglog(sizes, sizes * steps_taken, marker="s", color=plots.COLOURS["vermillion"])
right.set(xlabel="batch size", ylabel="cases seen", title="Work", ylim=(5e3, 1e6))
plots.picture(
    figure,
    alt="Left: steps against batch size, logarithmic. They follow the line of perfect scaling up to a batch of "
    "about 64 and then go level. Right: cases seen stay nearly level up to there and then rise in proportion "
    "to the batch.",
)

# %% [markdown]
# Up to a batch of some tens the work stays the same and the steps fall: a machine that does a batch in parallel gets
# the time for nothing. Beyond, the noise is no longer what limits you, the rate stands at the edge of stability, and
# larger batches only burn electricity. Networks show the same bend, at a batch size that depends on the problem
# ([McCandlish et al. 2018](https://doi.org/10.48550/arXiv.1812.06162)).

# %% [markdown]
# ## Saddles and plateaus
# The gradient vanishes at every minimum. It also vanishes elsewhere. At a [saddle point](glossary:saddle-point) some
# eigenvalues of the Hessian are negative: $L=\frac12(x^2-y^2)$ falls along $y$. Along a direction with $\lambda<0$
# the factor $1-\eta\lambda=1+\eta|\lambda|$ is **larger** than 1. Whoever starts at $y=\varepsilon$ needs
#
# $$t=\frac{\ln(1/\varepsilon)}{\ln(1+\eta|\lambda|)}\quad\text{steps to reach } y=1 .$$
#
# **Predict:** $\eta=0.1$. From $\varepsilon=10^{-2}$ it takes 49 steps. How many from $10^{-14}$? And from exactly 0?

# %%
def slope_of_saddle(w):
    return np.array([w[0], -w[1]])


escapes = {}
for exponent in (2, 5, 8, 11, 14):
    path = descend(slope_of_saddle, np.array([1.0, 10.0**-exponent]), np.full(400, 0.1))
    escapes[exponent] = int(np.argmax(path[:, 1] >= 1))
    derived = np.log(10**exponent) / np.log(1.1)
    print(f"start at 1e-{exponent:<2d}: {escapes[exponent]:3d} steps, derived {derived:.1f}")
    assert escapes[exponent] == np.ceil(derived)
stuck = descend(slope_of_saddle, np.array([1.0, 0.0]), np.full(400, 0.1))[-1]
print(f"start at 0: y = {stuck[1]} after 400 steps;", end=" ")
noisy = descend(lambda w: slope_of_saddle(w) + rng.normal(0, 1e-3, 2), [1.0, 0.0], np.full(400, 0.1))
print(f"with a little noise: {np.argmax(np.abs(noisy[:, 1]) >= 1)} steps")
assert stuck[1] == 0 and np.abs(noisy[:, 1]).max() > 1

# %% [markdown]
# A thousand times nearer costs only 72 steps more each time: the escape is exponential. From exactly 0 nobody
# escapes, and the smallest noise is enough to start. Here the noise of mini-batches is a gift.
#
# How common are saddles? For a rough idea, take a random symmetric $n\times n$ matrix (simulated, normal entries) for
# the Hessian, and ask: are all its eigenvalues positive, as in a bowl?
#
# **Predict:** for $n=1$ it is one in two. For $n=2$? For $n=6$?

# %%
shares = {}
for n in (1, 2, 3, 4, 6):
    entries = rng.normal(size=(100_000, n, n))
    eigenvalues = np.linalg.eigvalsh(entries + entries.transpose(0, 2, 1))
    up, down = (eigenvalues > 0).any(axis=1), (eigenvalues < 0).any(axis=1)
    shares[n] = [np.mean(up & ~down), np.mean(up & down)]
    print(f"n = {n}: bowls {shares[n][0]:.5f} (coins: {0.5**n:.5f}), saddles {shares[n][1]:.5f}")
assert abs(shares[2][0] - (2 - np.sqrt(2)) / 4) < 0.005 and shares[6][1] > 0.999

# %% [markdown]
# If each eigenvalue tossed a coin for its sign, bowls would have a share of $2^{-n}$. They are far rarer, as
# eigenvalues repel each other: for large $n$ the logarithm of their share goes like $-\tfrac14n^2\ln3$ ([Dean and
# Majumdar 2006](https://doi.org/10.1103/PhysRevLett.97.160201)). A network has millions of weights, so among the
# places where its gradient vanishes and the loss is still high, nearly all should be saddles. A random matrix is no
# network, but [Dauphin et al. 2014](https://doi.org/10.48550/arXiv.1406.2572) followed the argument into small
# networks, and found it there.
#
# A **plateau** is worse than a saddle. In lesson 03 a squared error behind a sigmoid stalled. Now you can say for how
# long. Take one weight, the label 1 and $p=1/(1+e^{-w})$. Far on the wrong side $p\approx e^{w}$, and the slope of
# $\frac12(p-1)^2$ is $(p-1)\,p\,(1-p)\approx-e^{w}$. The step is $w\leftarrow w+\eta e^{w}$. For small steps read it
# as $\frac{dw}{dt}=\eta e^{w}$, or $\frac{d}{dt}e^{-w}=-\eta$: from $e^{-w_0}$ down to about zero takes
# $t\approx e^{-w_0}/\eta$ steps.
#
# **Predict:** at $w_0=-4$ the squared error takes 71 steps. At $w_0=-10$? And cross-entropy?

# %%
def sigmoid(z):
    return (1 + np.tanh(z / 2)) / 2


def steps_to_half(slope, w, eta=1.0):
    """Return after how many steps p reaches 0.5."""
    steps = 0
    while w < 0:
        w, steps = w - eta * slope(w), steps + 1
    return steps


for w0 in (-4, -6, -8, -10):
    squared = steps_to_half(lambda w: (sigmoid(w) - 1) * sigmoid(w) * (1 - sigmoid(w)), w0)
    entropy = steps_to_half(lambda w: sigmoid(w) - 1, w0)
    print(f"start at {w0:3d}: squared error {squared:5d} steps (derived {np.exp(-w0):.0f}),", end=" ")
    print(f"cross-entropy {entropy}")
assert abs(squared / np.exp(10) - 1) < 0.01 and entropy == 11

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8))
for exponent in (2, 8, 14):
    place = np.array([1.0, 10.0**-exponent])
    path = descend(slope_of_saddle, place, np.full(360, 0.1))
    height = (path[:, 0] ** 2 - path[:, 1] ** 2) / 2
    left.plot(height[: np.argmax(path[:, 1] > 2)], label=f"from 1e-{exponent}")
left.set(xlabel="step", ylabel="loss", ylim=(-1.9, 1.6), title="A saddle: a million times nearer, 145 steps more")
left.legend(loc="upper right")
for w0 in (-4, -5, -6):
    path = descend(lambda w: (sigmoid(w) - 1) * sigmoid(w) * (1 - sigmoid(w)), float(w0), np.full(480, 1.0))
    right.plot((sigmoid(path) - 1) ** 2 / 2, label=f"from {w0}")
right.set(xlabel="step", ylabel="half the squared error", title="A plateau: 1 deeper, about e times as long")
right.legend()
plots.picture(
    figure,
    alt="Two panels of loss against step. Left: from three starts near a saddle the loss stays level at 0 and then "
    "plunges, at about 50, 200 and 340 steps: evenly spaced. Right: on the plateau the loss stays level near 0.5 and "
    "then falls, at about 70, 170 and 430 steps: each wait is about two and a half times the one before.",
)

# %% [markdown]
# A saddle costs the **logarithm** of how near you are. A plateau costs the **exponential** of how deep you stand in
# it. Both look the same in a curve of the loss: level, then a sudden fall. What mends a plateau is another loss or
# another start, not patience.

# %% [markdown]
# ## Scale the inputs
# Where do bad condition numbers come from? Often from units. Here are ten real features of cell nuclei; of each, the
# mean of its three largest values on the image. The label is 1 for a malignant aspirate ([Street, Wolberg and
# Mangasarian 1993](https://doi.org/10.1117/12.148698)). Split by patient, once; the test patients stay away until
# *Real patients*.

# %%
table = data.load_breast_cytology()
columns = [i for i, name in enumerate(table.feature_names) if name.startswith("worst")]
names = [table.feature_names[i].removeprefix("worst ") for i in columns]
patients = np.array(table.patients)
train, test = data.split_by_patient(patients, fractions=(0.7, 0.3), labels=table.labels)
data.assert_no_patient_overlap(patients[train], patients[test])
raw, labels = table.features[np.ix_(train, columns)], table.labels[train]  # (patients, 10)
print(f"{len(train)} training patients, {labels.mean():.0%} malignant; {len(test)} test patients")
for name, spread in zip(names, raw.std(axis=0)):
    print(f"  {name:18s} standard deviation {spread:10.4f}")

# %% [markdown]
# [Logistic regression](glossary:logistic-regression) (lesson 03) has the probabilities $p=\sigma(Xw)$; from here on
# $\sigma$ is the sigmoid. $X$ has a column of ones for the bias. The gradient of its loss is $\frac1n X^\top(p-y)$.
# Differentiate once more, with $\sigma'=p(1-p)$:
#
# $$H=\tfrac1n\,X^\top S\,X,\qquad S=\operatorname{diag}\bigl(p_i(1-p_i)\bigr).$$
#
# At $w=0$ all $p_i=\frac12$, so $H=\frac1{4n}X^\top X$. **Units enter squared.** The area has a spread of hundreds,
# the fractal dimension one of hundredths.
#
# ### Exercise: standardise
# Give every feature mean 0 and standard deviation 1, **by the training patients**. Test patients are strangers:
# nothing about them may be known when the scale is made.

# %% tags=["exercise"]
def standardise(train, test):
    """Return (train, test), both by the training mean and standard deviation."""
    return ...  # your code


# %% tags=["check"]
ex.standardise.check(standardise)

# %% [markdown]
# **Predict:** by how many powers of ten does the condition number differ, raw against standardised? Which matters
# more here, taking away the mean or dividing by the spread?

# %%
def with_ones(features):
    return np.column_stack([features, np.ones(len(features))])


def loss_of(w, X, y):
    z = X @ w
    return np.mean(np.logaddexp(0, z) - y * z)  # -log p for label 1, -log(1 - p) for label 0


def gradient_of(w, X, y):
    return X.T @ (sigmoid(X @ w) - y) / len(y)


def hessian_of(w, X):
    p = sigmoid(X @ w)
    return X.T @ (X * (p * (1 - p))[:, np.newaxis]) / len(X)


# %%
centre, spread = raw.mean(axis=0), raw.std(axis=0)
standard = (raw - centre) / spread
# whitening takes the correlations away as well: the covariance of standard @ whiten is the identity matrix
whiten = np.linalg.cholesky(np.linalg.inv(np.cov(standard.T, bias=True)))
versions = {"raw": raw, "centred": raw - centre, "divided": raw / spread}
versions |= {"standardised": standard, "whitened": standard @ whiten}
kappa, largest_eta = {}, {}
for name, features in versions.items():
    eigenvalues = np.linalg.eigvalsh(hessian_of(np.zeros(11), with_ones(features)))
    kappa[name], largest_eta[name] = eigenvalues[-1] / eigenvalues[0], 2 / eigenvalues[-1]
    print(f"{name:13s} condition number {kappa[name]:9.2g}, largest stable step {largest_eta[name]:.2g}")
assert kappa["raw"] > 1e6 * kappa["standardised"] and kappa["centred"] > 1e9
assert kappa["standardised"] < 1e4 < kappa["divided"] < 1e6 and abs(kappa["whitened"] - 1) < 1e-3

# %% [markdown]
# About seven powers of ten, for two lines of code. Here dividing matters most. What is left after standardising comes
# from correlation: radius, perimeter and area nearly say the same. *Whitening* removes that as well, and makes
# $\kappa=1$. All this is at the start, $w=0$: as the probabilities leave $\frac12$, $S$ changes the bowl.
#
# **Predict:** 300 steps at half the largest stable step, with and without momentum. How far does each version come?

# %%
runs = {}
for name in ("raw", "standardised", "whitened"):
    X, eta = with_ones(versions[name]), largest_eta[name] / 2
    for mu in (0, 0.9):
        path = heavy_ball(lambda w: gradient_of(w, X, labels), np.zeros(11), np.full(300, eta), mu)
        runs[name, mu] = [loss_of(w, X, labels) for w in path]
        print(f"{name:13s} momentum {mu}: loss {runs[name, mu][0]:.3f} -> {runs[name, mu][-1]:.4f}")
assert runs["raw", 0][-1] > 0.5 and runs["raw", 0.9][-1] > 0.3
assert runs["whitened", 0.9][-1] < runs["standardised", 0][-1] < 0.1

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 4))
shades = {"raw": "vermillion", "standardised": "blue", "whitened": "green"}
for (name, mu), losses in runs.items():
    line = {"color": plots.COLOURS[shades[name]], "linestyle": "--" if mu else "-"}
    line |= {"marker": {"raw": "", "standardised": "o", "whitened": "^"}[name], "markevery": 60, "markersize": 5}
    axes.semilogy(losses, **line, label=f"{name}, momentum {mu}")
ticks = [0.06, 0.1, 0.2, 0.4, 0.7]
axes.set_yticks(ticks, labels=[str(tick) for tick in ticks])
axes.minorticks_off()
axes.set(xlabel="step", ylabel="training loss", title="The same patients, the same model, three scales")
axes.legend(fontsize=9)
plots.picture(
    figure,
    alt="Training loss against step, logarithmic. Raw features fall from 0.69 to 0.57 only, with momentum to "
    "0.34. Standardised ones fall below 0.07, with momentum sooner and further. Whitened ones fall as low.",
)

# %%
import time

X = with_ones(raw)
started = time.perf_counter()
for _ in range(1000):
    gradient_of(np.zeros(11), X, labels)
each_s = (time.perf_counter() - started) / 1000
needed = kappa["raw"] / 2 * np.log(1e6)
print(f"raw, by the rate of the bowl: {needed:.1g} steps for 1e-6;", end=" ")
print(f"at {1e6 * each_s:.0f} µs each {needed * each_s / 86400:.0f} days")
assert needed > 1e10

# %% [markdown]
# The three are **the same model**: any weights on one scale have weights on another that give the same probabilities,
# so the minimum is the same (the next section reaches it). Only the road differs. A change of coordinates that lowers
# $\kappa$ is called a *preconditioner*. [Standardisation](glossary:standardisation) is the cheapest, and one that a
# pathologist's features and a radiologist's pixels both need ([LeCun et al.
# 2012](https://doi.org/10.1007/978-3-642-35289-8_3)).

# %% [markdown]
# ## Use the curvature: Newton's method
# Gradient descent knows the slope. With the curvature, too, you can lay a parabola through your place. With the
# gradient $g$ and the Hessian $H$ at $w$,
#
# $$L(w+d)\approx L(w)+g^\top d+\tfrac12\,d^\top H\,d ,$$
#
# and jump to its lowest point.
#
# ### Exercise: Newton's step
# Find where the gradient of the parabola is zero, and go there. Solve a linear system; an inverse matrix costs more
# and is less exact.

# %% tags=["exercise"]
def newton_step(w, gradient, hessian):
    """Return w after one undamped Newton step."""
    return ...  # your code


# %% tags=["check"]
ex.newton_step.check(newton_step)

# %% [markdown]
# $g+Hd=0$, so $d=-H^{-1}g$. On the bowl the parabola **is** the loss.
#
# **Predict:** how many steps does [Newton's method](glossary:newtons-method) need on the bowl? On the raw logistic
# regression, with $\kappa$ above $10^9$? On the saddle $\frac12(x^2-y^2)$?

# %%
def newton(w, gradient, hessian, steps):
    path = [w]
    for _ in range(steps):
        w = w - np.linalg.solve(hessian(w), gradient(w))
        path.append(w)
    return np.array(path)


# %%
landed = newton(start, lambda w: A @ w - b, lambda w: A, 1)[-1]
print(f"bowl, one step: distance {np.linalg.norm(landed - w_star):.0e}")
on_saddle = newton(np.array([1.0, 0.5]), slope_of_saddle, lambda w: np.diag([1.0, -1.0]), 1)[-1]
print("saddle, one step:", on_saddle, "- the saddle itself")
by_newton = {}
for name in ("raw", "standardised"):
    X = with_ones(versions[name])
    path = newton(np.zeros(11), lambda w: gradient_of(w, X, labels), lambda w: hessian_of(w, X), 11)
    by_newton[name] = np.array([loss_of(w, X, labels) for w in path])
    gaps = by_newton[name][:10] - by_newton[name][-1]
    print(f"{name:13s} loss above the minimum:", " ".join(f"{gap:.0e}" for gap in gaps))
assert not on_saddle.any() and np.allclose(by_newton["raw"], by_newton["standardised"], rtol=1e-5)

# %% [markdown]
# One step on the bowl. About ten on the patients, **the same on both scales**: a change of units cancels in
# $H^{-1}g$. Near the minimum each step doubles the number of right digits. On the saddle it goes straight to the
# saddle: Newton looks for a zero of the gradient, and any will do.
#
# And it may leap too far. Where the probabilities are near 0 or 1, $p(1-p)$ is tiny, the parabola is flat, and its
# lowest point is far away.
#
# **Predict:** you start at $w=(2,\dots,2)$ instead of 0. What happens?

# %%
X = with_ones(standard)
path = newton(np.full(11, 2.0), lambda w: gradient_of(w, X, labels), lambda w: hessian_of(w, X), 2)
leaps = [loss_of(w, X, labels) for w in path]
p = sigmoid(X @ path[-1])
print("loss, undamped:", " -> ".join(f"{loss:.3g}" for loss in leaps))
print(f"patients with p(1 - p) above 1e-12: {np.sum(p * (1 - p) > 1e-12)} of {len(p)}")
assert leaps[2] > 10 * leaps[1] > 100 * leaps[0]

# %%
w, losses, halved = np.full(11, 2.0), [], 0
for _ in range(11):
    losses.append(loss_of(w, X, labels))
    g = gradient_of(w, X, labels)
    d, share = -np.linalg.solve(hessian_of(w, X), g), 1.0
    while loss_of(w + share * d, X, labels) > losses[-1] + 1e-4 * share * (g @ d):
        # too little gained: go half as far
        share, halved = share / 2, halved + 1
    w = w + share * d
w_newton = w
print("loss, damped:", " ".join(f"{loss:.4f}" for loss in losses), f"({halved} halvings)")
assert abs(losses[-1] - by_newton["standardised"][-1]) < 1e-8 and halved > 0

# %% [markdown]
# Undamped, it diverges: each leap is wider than the last, until nearly every patient is certain and $H$ cannot be
# inverted any more. The safeguard is one loop: if the loss does not fall by a small part of what the slope promised,
# go half as far (a *backtracking line search*). That is how Newton is used.
#
# One trap lies in the data. With all thirty features, can a plane separate the malignant from the benign training
# patients without an error? Then the loss has **no** minimum: doubling the weights of that plane always lowers it
# ([Albert and Anderson 1984](https://doi.org/10.1093/biomet/71.1.1)), and Newton would walk for ever. A linear
# programme decides it.

# %%
import scipy.optimize


def separable(features):
    # asks for weights with signed @ w <= -1 for every patient; status 0: there are some
    signed = with_ones(features) * np.where(labels == 1, -1.0, 1.0)[:, np.newaxis]
    free, limits = np.zeros(signed.shape[1]), -np.ones(len(signed))
    return scipy.optimize.linprog(free, A_ub=signed, b_ub=limits, bounds=(None, None)).status == 0


everything = table.features[train]
everything = (everything - everything.mean(axis=0)) / everything.std(axis=0)
print(f"separable with 10 features: {separable(standard)}, with 30: {separable(everything)}")
assert separable(everything) and not separable(standard)

# %% [markdown]
# With thirty it can: that is why this lesson takes ten. (Otherwise add a penalty on the weights, as lesson 04b does.)
#
# Why does nobody train a network by Newton's method? Take a modest one: two convolutions with pooling and a dense
# layer of 128 on images of 256 × 256.
#
# **Predict:** how much memory does its Hessian need, in single precision? How long does one solve take at
# $10^{15}$ operations a second?

# %%
convolutions = (3 * 3 * 1 + 1) * 32 + (3 * 3 * 32 + 1) * 64
dense = (62 * 62 * 64 + 1) * 128 + (128 + 1) * 1  # 256 -> 254 -> 127 -> 125 -> 62 pixels a side
n = convolutions + dense
print(f"{n:,} weights: gradient {4 * n / 1e6:.0f} MB, Hessian {4 * n**2 / 1e15:.1f} PB,", end=" ")
print(f"one solve (n³ / 3 operations) {n**3 / 3 / 1e15 / 86400:.0f} days")
assert n == 31_509_121

for size in (500, 1000, 2000):
    matrix, taken_s = np.eye(size) + np.ones((size, size)) / size, []
    for _ in range(3):
        started = time.perf_counter()
        np.linalg.solve(matrix, np.ones(size))
        taken_s.append(time.perf_counter() - started)
    print(f"here: solve for {size:4d} weights {1e3 * min(taken_s):6.1f} ms")

# %% [markdown]
# Four petabytes, and four months for one step. On your machine, too, the time grows faster than the number of weights:
# the operations grow like $n^3$. (And a Hessian from a mini-batch would be noisy.) What is used
# instead: **L-BFGS** guesses the curvature from the last few gradients ([Liu and Nocedal
# 1989](https://doi.org/10.1007/BF01589116)); **Gauss-Newton** and its relatives keep the part of $H$ that is never
# negative, in blocks small enough to invert ([Martens and Grosse 2015](https://doi.org/10.48550/arXiv.1503.05671));
# and the methods of lesson 04b keep **one number per weight**. L-BFGS on the patients:

# %%
for name in ("raw", "standardised"):
    X = with_ones(versions[name])
    found = scipy.optimize.minimize(loss_of, np.zeros(11), (X, labels), jac=gradient_of, method="L-BFGS-B")
    gap = found.fun - by_newton["standardised"][-1]
    print(f"{name:13s} {found.nfev:4d} gradients, loss above the minimum {gap:.0e}")
assert found.nfev < 150 and gap < 1e-4

# %% [markdown]
# On standardised features a few dozen gradients, and no Hessian. On the raw ones it takes more, and stops early: a
# guess of the curvature that starts from the slope feels the units, where Newton does not.

# %% [markdown]
# ## Real patients
# Now the test patients. Nothing is chosen by what they say. Three fits of the same model: 100 steps of gradient
# descent on raw features, 100 on standardised ones, and the minimum itself.
#
# **Predict:** which of these suffers from the bad scale: the AUC, which looks at the order of the patients, or the
# Brier score, which looks at the probabilities?

# %%
from medlearn import metrics

test_raw = table.features[np.ix_(test, columns)]
test_labels, test_patients = table.labels[test], patients[test]
test_standard = (test_raw - centre) / spread  # by the training patients
fits = {"minimum": sigmoid(with_ones(test_standard) @ w_newton)}
for name, ours, theirs in (("raw", raw, test_raw), ("standardised", standard, test_standard)):
    X = with_ones(ours)
    etas = np.full(100, largest_eta[name] / 2)
    w = descend(lambda w: gradient_of(w, X, labels), np.zeros(11), etas)[-1]
    fits[f"{name}, 100 steps"] = sigmoid(with_ones(theirs) @ w)

# %%
auc, brier = {}, {}
for name, probabilities in fits.items():
    auc[name] = metrics.auc_score(test_labels, probabilities, patients=test_patients)
    brier[name] = metrics.brier_score(test_labels, probabilities, patients=test_patients)
    print(f"{name:24s} AUC {auc[name]}\n{'':24s} Brier {brier[name]}")
area = metrics.auc_score(test_labels, test_raw[:, names.index("area")], patients=test_patients)
print(f"{'the area alone':24s} AUC {area}")
assert brier["raw, 100 steps"].low > brier["standardised, 100 steps"].high
assert abs(auc["raw, 100 steps"].value - area.value) < 0.05

# %% [markdown]
# The AUC hides the failure: 100 raw steps order these patients about as well as the area alone, and the area does it
# well. The probabilities show it: a constant 0.5 would get a Brier score of 0.25. A half-trained model can look
# finished to the wrong score.
#
# And the leak?
#
# **Predict:** had you standardised by **all** patients, would the test scores have shown it here?

# %%
leaky_centre, leaky_spread = (f(table.features[:, columns], axis=0) for f in (np.mean, np.std))
X = with_ones((raw - leaky_centre) / leaky_spread)
w = descend(lambda w: gradient_of(w, X, labels), np.zeros(11), etas)[-1]  # the rate of the standardised fit
leaky = sigmoid(with_ones((test_raw - leaky_centre) / leaky_spread) @ w)
honest = fits["standardised, 100 steps"]
comparison = metrics.compare_auc(test_labels, leaky, honest, patients=test_patients)
print("AUC with the leak less AUC without:", comparison.difference)
print(f"largest change of a patient's probability: {np.abs(leaky - honest).max():.3f}")
assert np.abs(leaky - honest).max() < 0.05

# %% [markdown]
# Here it makes next to no difference: two numbers for each feature, from hundreds of patients, tell little about any
# one of them. Keep the rule all the same. It costs nothing, and a reader of your result cannot see which case it was.
# Where features are **chosen** on all patients, the same slip has made error rates look like zero that were not
# ([Ambroise and McLachlan 2002](https://doi.org/10.1073/pnas.102102699)).
#
# Real gradients are noisy, too. The gradient of each training patient, at the start and at the minimum:

# %%
X, eta = with_ones(standard), largest_eta["standardised"] / 2
for place, w in {"start": np.zeros(11), "minimum": w_newton}.items():
    each = X * (sigmoid(X @ w) - labels)[:, np.newaxis]  # (patients, 11)
    noise, signal = each.var(axis=0).sum(), np.sum(each.mean(axis=0) ** 2)
    print(f"{place:8s} squared gradient {signal:.1e}, variance of one patient's {noise:.2f}")
assert signal < 1e-12 < 0.01 < noise

# %% [markdown]
# At the start the signal and the noise of one patient are of the same order, so even a batch of one finds the way. At
# the minimum the signal is gone and the noise is not.
#
# **Predict:** you start **at the minimum**, and take 2,000 steps with mini-batches. Does the loss stay? Does the
# formula of the floor, with the Hessian and the noise of the minimum, say where it goes?

# %%
curvatures, directions = np.linalg.eigh(hessian_of(w_newton, X))
variances = (each @ directions).var(axis=0)  # of one patient's gradient at the minimum, in each direction
minimum, excess = by_newton["standardised"][-1], {}
for B in (1, 8, 64):
    w, late = w_newton, []
    for step in range(2000):
        drawn = rng.integers(len(X), size=B)
        w = w - eta * gradient_of(w, X[drawn], labels[drawn])
        late += [loss_of(w, X, labels)] if step >= 1000 else []
    excess[B], floor = np.mean(late) - minimum, eta / (2 * B) * np.sum(variances / (2 - eta * curvatures))
    print(f"batch of {B:2d}: loss above the minimum {excess[B]:.4f}, floor derived {floor:.4f}")
assert excess[1] > excess[8] > excess[64] > 0 and floor / 2 < excess[64] < 2 * floor

# %% [markdown]
# The loss **climbs** away from its minimum, and rests on a floor: with real patients the formula says about how high.
# For a batch of one it is too low: the noise carries $w$ so far that neither Hessian nor noise stays what it was.
#
# The same on **pixels**: crops of chest CT around nodule candidates ([Setio et al.
# 2017](https://doi.org/10.1016/j.media.2017.06.015)). Each crop becomes 10 × 10 means of 5 × 5 pixels, in Hounsfield
# units. The last part of this set is kept for lesson 06 and is not touched here.
#
# **Predict:** all pixels have the same unit. Is standardising still worth it? Which part of it?

# %%
have_crops = data.available("luna16_crops")
if have_crops:
    development, _ = data.load_luna16_crops().by_rows((0.85, 0.15))
    fit_part, check_part = development.by_rows((0.8, 0.2))
    small = {  # (n, 100) each
        part: crops.images_hu.reshape(-1, 10, 5, 10, 5).mean(axis=(2, 4)).reshape(-1, 100).astype(float)
        for part, crops in (("fit", fit_part), ("check", check_part))
    }
    data.assert_no_patient_overlap(fit_part.blocks, check_part.blocks)
    means, deviations = small["fit"].mean(axis=0), small["fit"].std(axis=0)
    print(f"{len(fit_part.labels)} crops to fit, {len(check_part.labels)} to check,", end=" ")
    print(f"{fit_part.labels.mean():.0%} and {check_part.labels.mean():.0%} nodules")

# %%
if have_crops:
    scales = {"raw": lambda v: v, "centred": lambda v: v - means, "divided": lambda v: v / deviations}
    scales["standardised"] = lambda v: (v - means) / deviations
    reached, mean_p = {}, {}
    for name, scale in scales.items():
        X, X_check = with_ones(scale(small["fit"])), with_ones(scale(small["check"]))
        eigenvalues = np.linalg.eigvalsh(hessian_of(np.zeros(101), X))
        etas = np.full(100, 1 / eigenvalues[-1])
        w = descend(lambda w: gradient_of(w, X, fit_part.labels), np.zeros(101), etas)[-1]
        score = str(metrics.auc_score(check_part.labels, X_check @ w, patients=check_part.blocks))
        reached[name], mean_p[name] = loss_of(w, X, fit_part.labels), sigmoid(X @ w).mean()
        spread_out = eigenvalues[-1] / eigenvalues[0]
        print(f"{name:12s} condition number {spread_out:7.1g}, loss {reached[name]:.3f},", end=" ")
        print(f"mean p {mean_p[name]:.2f}, AUC {score.replace('patients', 'blocks')}")
    assert reached["standardised"] < reached["raw"] < reached["centred"] and mean_p["centred"] > 0.45

# %% [markdown]
# With the crops at hand you see that it is: standardising wins many powers of ten, and the loss falls lowest. (A
# *block* is a run of neighbouring candidates, one scan or two: the file names no patients.) Centring alone looks
# strange: a good AUC, and the worst loss. Pixels of hundreds of Hounsfield units stand beside a column of ones, so
# the **bias** is the flat direction now. It has hardly moved: the mean probability is still 0.50, as at the start, and
# not 17 %. The AUC does not look at the bias. The loss does.

# %% [markdown]
# ## What you may claim
# **You may claim**
# - On a bowl, gradient descent, momentum and Nesterov's method converge at the derived rates: measured, with the gaps
#   that the cells print.
# - The three methods equal `torch.optim.SGD` and `keras.optimizers.SGD` to $10^{-12}$ over 200 steps, for the
#   settings tried, and you know where the definitions part.
# - On **these** training patients, standardising lowered the condition number at the start by about seven powers of
#   ten.
# - On these test patients, the AUC and Brier score **with the intervals printed above**.
#
# **You may not claim**
# - That these scores hold elsewhere. The aspirates come from one hospital, the outlines of the nuclei were drawn with
#   a human's help, and malignant cases are far more frequent than in a screening population. An interval speaks of
#   other patients of the same kind.
# - That a network is a bowl. Rates and floors hold near a minimum, and only as long as the Hessian does not change.
# - That the saddles of random matrices are those of networks.
# - That the crops' intervals are over patients: the file names none. Blocks of neighbouring rows stand in for them.

# %% [markdown]
# ## Summary
# - In the eigenbasis of the Hessian each coordinate shrinks by $1-\eta\lambda$. Stable below $2/\lambda_\max$,
#   quickest at $2/(\lambda_\min+\lambda_\max)$ with the rate $(\kappa-1)/(\kappa+1)$.
# - On a bowl, momentum turns $\kappa$ into $\sqrt\kappa$. Nesterov's gradient ahead, with its own settings, keeps that
#   safe on convex losses that are no bowls.
# - Keras keeps the rate in the velocity, PyTorch does not: they part when the rate changes.
# - A mini-batch's gradient is unbiased, its variance falls with $1/B$, and a constant rate ends on a floor of about
#   $\eta\sigma^2/4B$ a direction. Shrink the steps, average, or enlarge the batch up to where the noise no longer
#   matters.
# - Saddles cost the logarithm of the distance, plateaus the exponential of the depth.
# - Standardise by the training patients: it changes the road, not the goal.
# - Newton needs no scale and few steps, wants a safeguard, finds saddles, and does not fit into memory.
#
# ### Key terms
# [gradient descent](glossary:gradient-descent) · [learning rate](glossary:learning-rate) ·
# [Hessian](glossary:hessian) · [condition number](glossary:condition-number) · [momentum](glossary:momentum) ·
# [stochastic gradient descent](glossary:stochastic-gradient-descent) · [mini-batch](glossary:mini-batch) ·
# [epoch](glossary:epoch) · [noise floor](glossary:noise-floor) · [saddle point](glossary:saddle-point) ·
# [standardisation](glossary:standardisation) · [logistic regression](glossary:logistic-regression) · [Newton's
# method](glossary:newtons-method)
#
# ### Further reading
# - Goh G. *Why momentum really works.* Distill 2017. <https://doi.org/10.23915/distill.00006>
# - Bottou L, Curtis FE, Nocedal J. *Optimization methods for large-scale machine learning.* SIAM Review 2018.
#   <https://doi.org/10.1137/16M1080173>
# - Polyak BT. *Some methods of speeding up the convergence of iteration methods.* USSR Computational Mathematics and
#   Mathematical Physics 1964. <https://doi.org/10.1016/0041-5553%2864%2990137-5>
# - Lessard L, Recht B, Packard A. *Analysis and design of optimization algorithms via integral quadratic
#   constraints.* SIAM Journal on Optimization 2016. <https://doi.org/10.1137/15M1009597>
# - Nesterov Y. *Introductory lectures on convex optimization.* Springer 2004.
#   <https://doi.org/10.1007/978-1-4419-8853-9>
# - Robbins H, Monro S. *A stochastic approximation method.* Annals of Mathematical Statistics 1951.
#   <https://doi.org/10.1214/aoms/1177729586>
# - Polyak BT, Juditsky AB. *Acceleration of stochastic approximation by averaging.* SIAM Journal on Control and
#   Optimization 1992. <https://doi.org/10.1137/0330046>
# - Goyal P, et al. *Accurate, large minibatch SGD: training ImageNet in 1 hour.* 2017.
#   <https://doi.org/10.48550/arXiv.1706.02677>
# - McCandlish S, et al. *An empirical model of large-batch training.* 2018.
#   <https://doi.org/10.48550/arXiv.1812.06162>
# - Dauphin YN, et al. *Identifying and attacking the saddle point problem in high-dimensional non-convex
#   optimization.* NeurIPS 2014. <https://doi.org/10.48550/arXiv.1406.2572>
# - LeCun Y, Bottou L, Orr GB, Müller KR. *Efficient BackProp.* Neural Networks: Tricks of the Trade 2012.
#   <https://doi.org/10.1007/978-3-642-35289-8_3>
# - Street WN, Wolberg WH, Mangasarian OL. *Nuclear feature extraction for breast tumor diagnosis.* 1993.
#   <https://doi.org/10.1117/12.148698>
