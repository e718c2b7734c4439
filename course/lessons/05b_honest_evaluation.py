# %% [markdown]
# "The network was right for 23 of 25 patients: 92 %." How far may the truth lie from that? Would another 25 patients
# have said the same? And has anything helped the number along: a patient on both sides of the split, an epoch chosen
# for its luck, a hard case left out?
#
# In this lesson you put an interval on every score, by formula and by resampling. You compare two models on the same
# patients. You work out how many patients a claim needs. Then you build leaks on purpose, and measure what they do. At
# the end you are the reviewer: six short reports, each with one flaw that sinks it.
#
# Where patients are simulated, the text says so: only there is the truth known, so only there can an interval be
# tested. The lesson takes a little over two hours; exercises marked *further* come on top of that.

# %% [markdown]
# ## A score is a draw
# You never measure a model. You measure it **on some patients**. Other patients, another number.
#
# Simulate that. The scores of healthy patients are normal with mean 0 and standard deviation 1, those of the ill have
# mean 1.4. The AUC is the probability that an ill patient scores higher than a healthy one (lesson 05a). The difference
# of the two is normal with mean 1.4 and variance 2, so the true AUC is $\Phi(1.4/\sqrt2)$, with $\Phi$ the normal
# distribution function. No training is involved: the model stays the same.
#
# **Predict:** ten hospitals test this one model, each on its own 50 patients, 15 of them ill. How far apart are the
# lowest and the highest AUC?

# %%
from scipy import stats

shift = 1.4
true_auc = stats.norm.cdf(shift / np.sqrt(2))


def simulated_auc(num_ill, num_healthy):
    ill, healthy = rng.normal(shift, 1, num_ill), rng.normal(0, 1, num_healthy)
    return np.mean(ill[:, np.newaxis] > healthy)


ten = sorted(simulated_auc(15, 35) for _ in range(10))
print("ten hospitals:", *(f"{auc:.2f}" for auc in ten))
print(f"the truth: {true_auc:.2f}")
assert 0.05 < ten[-1] - ten[0] < 0.45

# %% [markdown]
# One model, ten hospitals, and a spread that would fill a table of "related work" from "moderate" to "excellent". Now
# a thousand hospitals, with three sizes of study.

# %% tags=["hide-input"]
draws = {n: np.array([simulated_auc(3 * n // 10, 7 * n // 10) for _ in range(1000)]) for n in (50, 200, 800)}
figure, axes = plt.subplots(figsize=(7, 3.8))
for (n, aucs), style in zip(draws.items(), ("-", "--", ":")):
    axes.hist(aucs, np.arange(0.6, 1.001, 0.01), density=True, histtype="step", linewidth=2, linestyle=style,
              label=f"{n} patients: SD {aucs.std():.3f}")  # fmt: skip
axes.axvline(true_auc, color="black", linewidth=1, label=f"the truth, {true_auc:.2f}")
axes.set(xlabel="AUC that the study finds", ylabel="density", title="One model, 1,000 simulated studies of each size")
axes.legend(loc="upper left")
assert 1.8 < draws[50].std() / draws[200].std() < 2.2 and 1.8 < draws[200].std() / draws[800].std() < 2.2
plots.picture(
    figure,
    alt="Three histograms of the AUC around the truth of 0.84. With 50 patients they reach from 0.65 to 0.98; with 200 "
    "the spread is half as wide, with 800 a quarter.",
)

# %% [markdown]
# The standard deviation of a score over such studies is its [standard error](glossary:standard-error). Four times the
# patients halve it. You will never see the other 999 studies. A [confidence interval](glossary:confidence-interval)
# is made from **one** study, by a recipe whose promise is about all of them: of 100 studies, about 95 of the intervals
# hold the truth. The share that really does is the recipe's [coverage](glossary:coverage).
#
# Begin with the simplest score: $k$ right of $n$ patients. If each is right with probability $p$, independently, then
# $\hat p=k/n$ is a mean of $n$ values of variance $p(1-p)$ each, so its standard error is $\sqrt{p(1-p)/n}$. By the
# central limit theorem
#
# $$\frac{\hat p-p}{\sqrt{p(1-p)/n}}\;\approx\;\text{normal, with mean 0 and variance 1.}$$
#
# Of a normal distribution 2.5 % lie beyond $z=1.96$ at each end.
#
# **Wald's** interval takes $\hat p$ for the unknown $p$ under the root: $\hat p\pm z\sqrt{\hat p(1-\hat p)/n}$. Many
# textbooks give it first. Its coverage needs no simulation: each $k$ has a binomial probability, and its interval
# holds $p$ or does not.
#
# **Predict:** a model is right for 92 % of patients, and is tested on 25. How many of 100 "95 %" Wald intervals
# hold the 0.92?

# %%
z = stats.norm.ppf(0.975)


def wald_limits(k, n):
    share = k / n
    half = z * np.sqrt(share * (1 - share) / n)
    return share - half, share + half


def coverage(limits, n, p):
    """Return the probability that the interval holds p: a sum over every k that can happen."""
    k, p = np.arange(n + 1), np.atleast_1d(p)[:, np.newaxis]
    low, high = limits(k, n)
    return np.sum(((low <= p) & (p <= high)) * stats.binom.pmf(k, n, p), axis=1)


print(f"coverage at n = 25, p = 0.92: {coverage(wald_limits, 25, 0.92)[0]:.3f}")
print("interval for 25 of 25: {:.2f} to {:.2f}".format(*wald_limits(25, 25)))
assert coverage(wald_limits, 25, 0.92)[0] < 0.9

# %% tags=["hide-input"]
p = np.linspace(0.0005, 0.9995, 1000)
figure, axes = plt.subplots(1, 3, figsize=(8.5, 3), sharey=True)
for ax, n in zip(axes, (10, 25, 100)):
    ax.plot(p, coverage(wald_limits, n, p), linewidth=1)
    ax.axhline(0.95, color="black", linewidth=1, linestyle="--")
    ax.set(xlabel="true share p", title=f"n = {n}", ylim=(0.5, 1.01), xticks=[0, 0.5, 1])
axes[0].set_ylabel("coverage (Wald)")
plots.picture(
    figure,
    alt="Coverage of Wald's interval against p for 10, 25 and 100 patients. It is a saw, mostly below the dashed line "
    "at 0.95, and falls steeply near 0 and 1, even with 100 patients.",
)

# %% [markdown]
# It promises 95 and keeps less, most of all near 0 and 1, where good models live. At 25 of 25 it says "between 1 and
# 1": no doubt at all, after 25 patients. The root is to blame. Where $\hat p$ happens to be near 1, $\hat p(1-\hat p)$
# is too small, so the interval is narrowest exactly when it errs most. The saw comes from $k$ being a whole number
# ([Brown, Cai and DasGupta 2001](https://doi.org/10.1214/ss/1009213286) study it in all its teeth).

# %% [markdown]
# ## Intervals that keep their promise
# Turn the question round. Do not ask how far $\hat p$ spreads around itself. Ask **which $p$ would not be surprised by
# what you saw**. For a candidate $p$ the standard error is known: no estimate stands under the root.
#
# $$(\hat p-p)^2\;\le\;z^2\,\frac{p(1-p)}{n} .$$
#
# Both sides are polynomials in $p$ of degree two. All $p$ that obey the inequality form the interval of [Wilson
# 1927](https://doi.org/10.1080/01621459.1927.10502953). Its ends are the two $p$ with equality.
#
# ### Exercise: solve the score equation
# Return both ends. Check it on paper first for 0 of $n$: one of the roots is 0.

# %% tags=["exercise"]
def wilson(successes, n, z):
    """Return (low, high): the two p with (successes / n - p)^2 = z^2 p (1 - p) / n."""
    return ...  # your code


# %% tags=["check"]
ex.wilson.check(wilson)

# %% [markdown]
# There is a second way. A $p$ is also surprised if the **exact** binomial tail is too small. The lowest $p$ that can
# have produced $k$ or more is where that tail is 2.5 %; the highest is where $k$ or fewer has 2.5 %:
#
# $$P(X\ge k\mid p_\text{low})=0.025,\qquad P(X\le k\mid p_\text{high})=0.025 .$$
#
# This is the interval of [Clopper and Pearson 1934](https://doi.org/10.1093/biomet/26.4.404). It misses the true $p$
# only if $k$ falls into one of two tails of that $p$, and each has at most 2.5 %. So it never covers less than 95 %,
# and no normal distribution is in it. Differentiate the tail $\sum_{j\ge k}\binom nj p^j(1-p)^{n-j}$ in $p$:
# neighbouring terms cancel in pairs, and $k\binom nk p^{k-1}(1-p)^{n-k}$ is left. That is the density of a beta
# distribution with parameters $k$ and $n-k+1$, so $p_\text{low}$ is its 2.5 % point.
#
# **Predict:** what do the two say about 7 of 10, about 23 of 25, about 25 of 25?

# %%
from scipy.optimize import brentq

from medlearn import metrics


def from_tails(k, n, tail=0.025):
    # brentq finds where a function is 0; sf(k - 1) is P(X >= k), cdf(k) is P(X <= k)
    low = brentq(lambda p: stats.binom.sf(k - 1, n, p) - tail, 0, 1) if k > 0 else 0.0
    high = brentq(lambda p: stats.binom.cdf(k, n, p) - tail, 0, 1) if k < n else 1.0
    return low, high


def from_quadratic(k, n):
    return tuple(np.sort(np.roots([1 + z**2 / n, -2 * k / n - z**2 / n, (k / n) ** 2]).real))


for k, n in [(7, 10), (23, 25), (25, 25)]:
    recipes = {"Wald": wald_limits, "Wilson": from_quadratic, "Clopper-Pearson": from_tails}
    shown = ["{} {:.2f} to {:.2f}".format(name, *limits(k, n)) for name, limits in recipes.items()]
    print(f"{k:2d} of {n}:", "   ".join(shown))

# %% [markdown]
# **Seven of ten right is anything from 0.40 to 0.89.** Twenty-three of twenty-five, the 92 % of the first line of this
# lesson, is 0.75 to 0.98. Before you lean on your own algebra, hold it against the library and against SciPy, for every
# $k$ at three sizes (the cell is folded):

# %% tags=["hide-input"]
def worst_difference(ours, library, scipy_name):
    gaps = []
    for n in (10, 25, 100):
        for k in range(n + 1):
            scipy = stats.binomtest(k, n).proportion_ci(method=scipy_name)
            gaps += [np.abs(np.subtract(ours(k, n), other)).max() for other in (library(k, n), (scipy.low, scipy.high))]
    return max(gaps)


assert worst_difference(from_quadratic, metrics.wilson_interval, "wilson") < 1e-7
assert worst_difference(from_tails, metrics.clopper_pearson_interval, "exact") < 1e-9
assert np.allclose(metrics.wilson_interval(7, 10), (0.40, 0.89), atol=0.005)
assert np.allclose(metrics.wilson_interval(23, 25), (0.75, 0.98), atol=0.005)
low_by_beta = stats.beta.ppf(0.025, 23, 3)  # k = 23, n - k + 1 = 3
assert abs(low_by_beta - from_tails(23, 25)[0]) < 1e-9
print("Wilson and Clopper-Pearson equal medlearn.metrics and SciPy for 138 counts")

# %% tags=["hide-input"]
def wilson_limits(k, n):
    share, below = k / n, 1 + z**2 / n
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (share + z**2 / (2 * n) - half) / below, (share + z**2 / (2 * n) + half) / below


def exact_limits(k, n):
    low = np.where(k > 0, stats.beta.ppf(0.025, np.maximum(k, 1), n - k + 1), 0)
    return low, np.where(k < n, stats.beta.ppf(0.975, k + 1, np.maximum(n - k, 1)), 1)


recipes = {"Wald": (wald_limits, ":"), "Wilson": (wilson_limits, "-"), "Clopper-Pearson": (exact_limits, "--")}
figure, axes = plt.subplots(2, 1, figsize=(8.5, 6), sharex=True)
for ax, n in zip(axes, (25, 100)):
    for name, (limits, style) in recipes.items():
        ax.plot(p, coverage(limits, n, p), style, label=name, linewidth=1.5)
    ax.axhline(0.95, color="black", linewidth=1)
    ax.set(ylabel="coverage", title=f"n = {n}", xlim=(0.5, 1), ylim=(0.8, 1.005))
axes[1].set_xlabel("true share p (below 0.5 the curves are mirrored)")
axes[0].legend(loc="lower left")
plots.picture(
    figure,
    alt="Coverage against p from 0.5 to 1 of the three intervals, for 25 patients above and 100 below. Wald's falls "
    "away near 1. Wilson's swings around 0.95 and dips below 0.9 next to 1. Clopper-Pearson stays above 0.95.",
)

# %% tags=["nbval-check-output"]
def lowest_coverage(limits, n):
    """Return the lowest coverage of all p: it lies beside an end of an interval."""
    ends = np.ravel(limits(np.arange(n + 1), n))
    return coverage(limits, n, np.clip([*(ends - 1e-9), *(ends + 1e-9)], 1e-9, 1 - 1e-9)).min()


print("coverage                 mean over p    at worst")
for n in (10, 25, 100):
    for name, (limits, _) in recipes.items():
        mean, worst = coverage(limits, n, p).mean(), lowest_coverage(limits, n)
        print(f"n = {n:3d}  {name:15s}  {mean:.3f}          {worst:.2f}")
assert lowest_coverage(exact_limits, 25) >= 0.95 and abs(coverage(wilson_limits, 25, p).mean() - 0.95) < 0.01
assert lowest_coverage(wilson_limits, 1000) < 0.84

# %% [markdown]
# Wald's worst is 0: next to $p=1$ nearly every study gets $n$ of $n$, and its "1 to 1" misses. Wilson keeps 95 % **on
# average** over $p$. It dips at a few $p$, below 0.84 in narrow gaps next to 0 and 1, which more
# patients make narrower but no shallower. Clopper-Pearson never falls below, and pays with width. Use Wilson for
# describing, Clopper-Pearson where a guarantee is asked. Do not use Wald.
#
# What about nothing at all? A network missed **none** of 40 cancers. Its miss rate is not zero; it is small enough to
# give zero in 40. How large may it be?
#
# ### Exercise (further): nothing went wrong
# Return the largest rate $p$ at which no event in $n$ patients still has a probability of $1-\text{level}$.

# %% tags=["exercise"]
def upper_limit(n, level):
    """Return the one-sided upper limit of a rate after 0 events in n patients."""
    return ...  # your code


# %% tags=["check"]
ex.upper_limit.check(upper_limit)

# %% [markdown]
# At a level of 95 %, take logarithms: $n\ln(1-p)=\ln 0.05=-2.996$. For small $p$, $\ln(1-p)\approx-p$. So
# $p\approx3/n$: the **rule of three** ([Hanley and Lippman-Hand 1983](https://doi.org/10.1001/jama.1983.03330370053031)).

# %% tags=["nbval-check-output"]
for n in (10, 40, 300):
    one_sided = 1 - 0.05 ** (1 / n)
    print(f"none of {n:3d}: up to {one_sided:.4f}; rule of three {3 / n:.4f}; two-sided {from_tails(0, n)[1]:.4f}")
assert abs(1 - 0.05 ** (1 / 40) - 3 / 40) < 0.003 and round(1 - 0.05 ** (1 / 40), 2) == 0.07

# %% [markdown]
# "No cancer missed in 40" allows a miss rate of 7 %. The one-sided limit puts all 5 % at one end; the two-sided
# Clopper-Pearson interval has 2.5 % there and reaches further. Say which one you give.

# %% [markdown]
# ## Resample patients, not images
# For a share there is a formula. For the AUC, the F1, a mean Dice, a 90th percentile? The
# **[bootstrap](glossary:bootstrap)** needs none. You would like to draw other studies from the population. You
# cannot. But your patients are the best picture of the population that you have, so draw from **them**, with
# replacement, as many as there are. Each such resample is a study that might have been. Compute the score on each;
# the spread of the results stands in for the spread over studies.

# %%
study = np.random.default_rng(4)  # one study: the same patients whenever you run this cell
labels = np.repeat([1, 0], [15, 35])
scores = study.normal(shift * labels, 1)


def auc_of(labels, scores):
    ill, healthy = scores[labels == 1], scores[labels == 0]
    return np.mean(ill[:, np.newaxis] > healthy)


picks = rng.integers(50, size=(2000, 50))  # 2,000 resamples of 50 patients
resampled = np.array([auc_of(labels[pick], scores[pick]) for pick in picks])
low, high = np.quantile(resampled, [0.025, 0.975])
library = metrics.bootstrap(auc_of, labels, scores)
print(f"one study: AUC {auc_of(labels, scores):.2f}, 2.5 % and 97.5 % points {low:.2f} and {high:.2f}")
print("library:  ", library)
print(f"standard error: bootstrap {resampled.std():.3f}, over 1,000 studies {draws[50].std():.3f}")
assert abs(library.low - low) < 0.02 and abs(library.high - high) < 0.02
assert abs(resampled.std() / draws[50].std() - 1) < 0.3

# %% [markdown]
# The middle 95 % of the resampled scores is the **percentile** interval. One study came close to the spread that took
# a thousand hospitals to see. (Take another `study`, by another number in its first line. Its AUC is another, and its
# standard error goes with it: smaller where the AUC came out high.)
#
# In small samples the percentile interval has two faults. The resampled scores may lie mostly on one side of the score
# itself (*bias*), and the standard error may change along the scale, as it does near an AUC of 1 (*acceleration*). The
# **BCa** interval estimates both, and takes other percentiles than 2.5 and 97.5 accordingly ([Efron
# 1987](https://doi.org/10.1080/01621459.1987.10478410)): `metrics.bootstrap(..., method="bca")`. Neither works wonders
# with ten patients.
#
# **And if each patient has many images?** Here is a simulated study: 30 patients, 20 images each. Some patients are
# harder than others, so each has their own chance of being read right, with a mean of 0.8.
#
# **Predict:** 600 images. How wide is the 95 % interval of the accuracy if images count, and if patients do?

# %%
true_accuracy, icc = 0.8, 0.3
spread = 1 / icc - 1  # a + b of the beta distribution; why, you will see in a moment


def draw_chances(*size):
    return rng.beta(true_accuracy * spread, (1 - true_accuracy) * spread, size=size)


patients = np.repeat(np.arange(30), 20)
image_labels = np.repeat(rng.integers(2, size=30), 20)
right = rng.random(600) < np.repeat(draw_chances(30), 20)
predictions = np.where(right, image_labels, 1 - image_labels)
by_image = metrics.accuracy_score(image_labels, predictions)
by_patient = metrics.accuracy_score(image_labels, predictions, patients=patients)
print("as if 600 people:", by_image)
print("30 people:       ", by_patient)
width_ratio = (by_patient.high - by_patient.low) / (by_image.high - by_image.low)
print(f"the second is {width_ratio:.1f} times as wide")
assert width_ratio > 1.7

# %% [markdown]
# The score is the same, the honest interval is far wider. Derive by how much. Let $X_{ij}$ say whether image $j$ of
# patient $i$ is right, with variance $\sigma^2=p(1-p)$. Two images of one patient correlate by $\rho$, the
# [intraclass correlation](glossary:intraclass-correlation) (ICC); images of different patients do not. The sum over
# the $m$ images of a patient has $m$ variances and $m(m-1)$ covariances:
#
# $$\operatorname{Var}\Bigl(\sum_j X_{ij}\Bigr)=m\sigma^2+m(m-1)\rho\sigma^2 .$$
#
# The mean over $N$ patients divides the sum of $N$ such terms by $Nm$:
#
# $$\operatorname{Var}(\bar X)=\frac{\sigma^2}{Nm}\,\bigl[\,1+(m-1)\rho\,\bigr].$$
#
# The bracket is the [design effect](glossary:design-effect). A variance that takes images for people is too small by
# this factor, an interval by its root. Why `spread` above? If each patient's chance $\pi$ is drawn from a
# distribution with mean $p$, then two images of them covary by $\operatorname{Var}(\pi)$, so
# $\rho=\operatorname{Var}(\pi)/[p(1-p)]$. For a beta distribution with parameters $a$ and $b$ that is $1/(a+b+1)$, so
# `spread`, which is $a+b$, is $1/\rho-1$.
#
# ### Exercise: what 600 images are worth
# 30 patients with 20 images each, ICC 0.3. How many **independent** images would give the same standard error?

# %% tags=["exercise"]
effective_images = ...  # your number

# %% tags=["check"]
ex.effective_images.check(effective_images)

# %% [markdown]
# More images of the same people help less and less: with $m\to\infty$ the variance falls to $\sigma^2\rho/N$, and no
# further. Only $N$ helps.
#
# The bootstrap knows nothing of this formula, and need not. **Draw patients; all their images come along.**
#
# ### Exercise: resample by patient
# `patients` says for each item (here: image) whose it is; `drawn` names the patients of one resample, some of them
# twice. Return the indices of their items. With `patients` 7, 7, 9 and `drawn` 9, 7, 9 these are 2, 0, 1, 2.

# %% tags=["exercise"]
def resampled_items(patients, drawn):
    """Return the indices of all items of the drawn patients."""
    return ...  # your code


# %% tags=["check"]
ex.resampled_items.check(resampled_items)

# %% [markdown]
# Now put both bootstraps to the test, which only a simulation can: 1,000 studies of 50 patients, an interval from each,
# and count how many hold the true 0.8. All 1,000 resamples of a study are one matrix product: a row of `weights` says
# how often each patient was drawn (the same draws serve all the studies). For images there is a shortcut. Each of the
# $n$ drawn images is right with probability $k/n$, so the number right is binomial.

# %%
def bootstrap_coverage(num_patients, num_images, *, studies=1000, resamples=1000):
    """Return how often the interval holds the truth: over patients, over images."""
    n = num_patients * num_images
    right = rng.binomial(num_images, draw_chances(studies, num_patients))  # (studies, patients)
    weights = rng.multinomial(num_patients, np.full(num_patients, 1 / num_patients), size=resamples)
    over_patients = right @ weights.T / n  # (studies, resamples)
    over_images = rng.binomial(n, right.sum(axis=1, keepdims=True) / n, size=(studies, resamples)) / n
    held = []
    for shares in (over_patients, over_images):
        low, high = np.quantile(shares, [0.025, 0.975], axis=1)
        held.append(np.mean((low <= true_accuracy) & (true_accuracy <= high)))
    return held


image_counts = [1, 2, 5, 10, 20, 50]
covered = np.array([bootstrap_coverage(50, m) for m in image_counts])

# %% tags=["hide-input"]
theory = 2 * stats.norm.cdf(z / np.sqrt(1 + (np.array(image_counts) - 1) * icc)) - 1
figure, axes = plt.subplots(figsize=(7, 3.8))
axes.plot(image_counts, covered[:, 0], "o-", label="resampling patients")
axes.plot(image_counts, covered[:, 1], "s--", label="resampling images")
axes.plot(image_counts, theory, ":", color="black", label="images, from the design effect")
axes.axhline(0.95, color="black", linewidth=1)
axes.set(xlabel="images of each patient", ylabel="coverage of the 95 % interval", ylim=(0.3, 1), xscale="log")
axes.set_xticks(image_counts, labels=image_counts)
axes.set_title("1,000 simulated studies of 50 patients, ICC 0.3")
axes.legend(loc="lower left")
plots.picture(
    figure,
    alt="Coverage against the number of images a patient. Resampling patients stays just below 0.95. Resampling images "
    "falls from 0.95 with one image to about 0.4 with fifty, along the curve of the design effect.",
)

# %%
for m, (over_patients, over_images) in zip(image_counts, covered):
    print(f"{m:2d} images: resampling patients {over_patients:.3f}, resampling images {over_images:.3f}")
assert covered[:, 0].min() > 0.91 and covered[4, 1] < 0.65 and np.abs(covered[1:, 1] - theory[1:]).max() < 0.06

# %% [markdown]
# With 20 images each, the "95 %" interval over images holds the truth little more often than a coin falls on heads.
# Nothing in the number looks wrong: it is narrow, smooth, and made by a respected method. It is the right interval for
# 1,000 people with one image each. You have 50 people.
#
# Resampling patients keeps nearly its promise; with few patients the percentile interval is a little too narrow. That
# is why `medlearn.metrics` has other defaults, chosen by a study of coverage. And images of one patient are why every
# score there takes `patients=`.

# %% [markdown]
# ## DeLong: an interval for the AUC
# The bootstrap works for the AUC. There is also a formula, and it tells you **which patients** make the AUC uncertain.
#
# There are $m$ ill patients with scores $x_i$ and $n$ healthy ones with scores $y_j$. Let $\psi(x,y)$ be 1 where
# $x>y$, one half where they tie, and 0 otherwise. Then $\hat A=\frac1{mn}\sum_{ij}\psi(x_i,y_j)$. Take the sum apart,
# patient by patient. The [placement value](glossary:placement-value) of an ill patient is the share of the healthy that
# score lower; that of a healthy one is the share of the ill that score higher:
#
# $$V_i=\frac1n\sum_j\psi(x_i,y_j),\qquad W_j=\frac1m\sum_i\psi(x_i,y_j).$$
#
# **Predict:** four ill patients score 0.4, 0.6, 0.8, 0.9, and five healthy ones 0.1, 0.2, 0.3, 0.5, 0.7. What is the
# mean of the $V_i$? Of the $W_j$? Who pulls the AUC down most?

# %%
def placements(ill, healthy):
    difference = ill[:, np.newaxis] - healthy  # (m, n)
    psi = (difference > 0) + 0.5 * (difference == 0)
    return psi.mean(axis=1), psi.mean(axis=0)


few_ill, few_healthy = np.array([0.4, 0.6, 0.8, 0.9]), np.array([0.1, 0.2, 0.3, 0.5, 0.7])
V, W = placements(few_ill, few_healthy)
print("V", V, "mean", V.mean().round(2))
print("W", W, "mean", W.mean().round(2))
assert np.isclose(V.mean(), 0.85) and np.isclose(W.mean(), 0.85) and W.argmin() == 4

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(8, 2.6))
for group, values, height, marker, colour in (
    (few_ill, V, 1, "o", "vermillion"),
    (few_healthy, W, 0, "s", "blue"),
):
    axes.scatter(group, np.full(len(group), height), s=90, marker=marker, color=plots.COLOURS[colour], zorder=2)
    for x, value in zip(group, values):
        axes.annotate(f"{value:.2f}", (x, height), (0, 11), textcoords="offset points", ha="center")
axes.set_yticks([0, 1], labels=["healthy: $W_j$", "ill: $V_i$"])
axes.set(xlabel="score of the model", xlim=(0, 1), ylim=(-0.5, 1.6))
axes.grid(axis="x", alpha=0.4)
plots.picture(
    figure,
    alt="Nine patients on a line of scores, the ill above, the healthy below, each with its placement value. The ill at "
    "0.4 has 0.60, the one at 0.6 has 0.80, the others 1. The healthy at 0.7 has 0.50, at 0.5 has 0.75, the others 1.",
)

# %% [markdown]
# Both means are the AUC: they add up the same pairs. The healthy patient at 0.7 pulls hardest, with a placement of
# 0.5. Now the variance. Let $A$ be the true AUC, $V(x)$ the true placement of a score $x$ among all healthy people, and
# $W(y)$ likewise. Write each pair as
#
# $$\psi(x_i,y_j)-A=\underbrace{V(x_i)-A}_{\text{from the ill}}+
# \underbrace{W(y_j)-A}_{\text{from the healthy}}+r_{ij}.$$
#
# The three parts have mean 0 and are uncorrelated: averaged over $y_j$ at fixed $x_i$, the left side is $V(x_i)-A$, so
# $r_{ij}$ averages to 0 whichever of the two is held fixed. Averaging over all pairs leaves
#
# $$\operatorname{Var}(\hat A)=\frac{\sigma_V^2}{m}+\frac{\sigma_W^2}{n}+\frac{\sigma_r^2}{mn},$$
#
# with the variances of the three parts: the $V(x_i)$ differ among the ill, the $W(y_j)$ among the healthy, the $r_{ij}$
# among the pairs.
#
# [DeLong and others 1988](https://doi.org/10.2307/2531595) estimate it by the sample variances of the placements,
# $s_V^2/m+s_W^2/n$. Where is the last term? It is in there, even twice: each measured $V_i$ is a mean over $n$
# healthy, so $s_V^2$ has the mean $\sigma_V^2+\sigma_r^2/n$, and $s_W^2$ likewise. The sum is too large by
# $\sigma_r^2/mn$, which is small, and on the safe side.
#
# ### Exercise (further): DeLong's standard error
# Return $\sqrt{s_V^2/m+s_W^2/n}$ from the scores of the ill and of the healthy. By hand for the nine above:
# $\sqrt{0.03667/4+0.05/5}=0.138$.

# %% tags=["exercise"]
def delong_se(ill, healthy):
    """Return the standard error of the AUC."""
    return ...  # your code


# %% tags=["check"]
ex.delong_se.check(delong_se)

# %% [markdown]
# Does it hold? Simulate 2,000 studies of 60 ill and 90 healthy patients, and compare the standard errors that DeLong
# gives to each with the spread of the AUCs. Then take one study, and three roads to its interval.

# %%
def standard_error(V, W):
    return np.sqrt(V.var(ddof=1) / len(V) + W.var(ddof=1) / len(W))


studies = [placements(rng.normal(shift, 1, 60), rng.normal(0, 1, 90)) for _ in range(2000)]
spread_of_aucs = np.std([V.mean() for V, W in studies])
mean_variance = np.mean([standard_error(V, W) ** 2 for V, W in studies])
print(f"spread of the AUC over 2,000 studies {spread_of_aucs:.4f}, DeLong's standard error {mean_variance**0.5:.4f}")
assert abs(mean_variance**0.5 / spread_of_aucs - 1) < 0.08

# %%
study = np.random.default_rng(4)
labels = np.repeat([1, 0], [60, 90])
scores = study.normal(shift * labels, 1)
V, W = placements(scores[labels == 1], scores[labels == 0])
error, auc = standard_error(V, W), V.mean()
resampled = metrics.bootstrap(auc_of, labels, scores)
print(f"DeLong:    {metrics.auc_score(labels, scores, method='delong'):.3f}")
print(f"bootstrap: {resampled:.3f}")
print(f"logit:     {metrics.auc_score(labels, scores):.3f}")
assert np.allclose(metrics.delong_interval(labels, scores), (auc - z * error, auc + z * error), atol=1e-9)
assert np.allclose(resampled.interval, metrics.delong_interval(labels, scores), atol=0.02)

# %% [markdown]
# The formula is the library's to nine digits, and the bootstrap agrees. The last line is `auc_score`'s default. It
# works on the scale of the logit, $\ln\frac{A}{1-A}$, so that the interval stays between 0 and 1. Its variance comes
# from leaving out each patient in turn: nearly DeLong's, and a little larger.
#
# With several images of a patient the placements of one patient move together. Then add up $V_i-\hat A$ and $W_j-\hat
# A$ **within** each patient first, and take the variances of those sums, and their covariance where a patient has
# images of both kinds: that is the method of [Obuchowski 1997](https://doi.org/10.2307/2533958), and of
# `metrics.delong_interval(..., patients=...)`. The default leaves out whole patients, which is safer with few of them.

# %% [markdown]
# ## Two models, the same patients
# Of two models, A has the higher AUC. Is it better? Both were tested on the same 150 simulated patients. Some patients
# are hard for both, so the two AUCs rise and fall **together** from study to study.

# %%
study = np.random.default_rng(1)
hard = study.normal(size=150)  # what makes a patient look ill or healthy to both models
scores_a = 1.6 * labels + 0.9 * hard + 0.44 * study.normal(size=150)
scores_b = 1.2 * labels + 0.9 * hard + 0.44 * study.normal(size=150)
a, b = (metrics.auc_score(labels, s) for s in (scores_a, scores_b))
print("model A:", a)
print("model B:", b)
overlap = min(a.high, b.high) - max(a.low, b.low)
assert overlap > 0

# %% [markdown]
# **Predict:** the two intervals overlap. Does that mean that the models do not differ?
#
# Derive it. The difference of the AUCs is a mean of differences of placements, so nothing new is needed: put
# $V_i^A-V_i^B$ and $W_j^A-W_j^B$ into the same formula. Multiplied out, it has the covariance in it:
#
# $$\operatorname{Var}(\hat A-\hat B)=\operatorname{Var}(\hat A)+\operatorname{Var}(\hat B)-2\operatorname{Cov}(\hat
# A,\hat B).$$

# %%
VA, WA = placements(scores_a[labels == 1], scores_a[labels == 0])
VB, WB = placements(scores_b[labels == 1], scores_b[labels == 0])
paired = standard_error(VA - VB, WA - WB)
unpaired = np.hypot(standard_error(VA, WA), standard_error(VB, WB))
difference = VA.mean() - VB.mean()
covariance = np.cov(VA, VB)[0, 1] / 60 + np.cov(WA, WB)[0, 1] / 90
assert np.isclose(paired**2, unpaired**2 - 2 * covariance)

comparison = metrics.compare_auc(labels, scores_a, scores_b)
by_bootstrap = metrics.bootstrap(lambda l, s, t: auc_of(l, s) - auc_of(l, t), labels, scores_a, scores_b)
print(comparison)
print("bootstrap of the difference:", by_bootstrap)
print(f"standard error of the difference: paired {paired:.3f}, as if on other patients {unpaired:.3f}")
assert np.isclose(comparison.difference.value, difference) and np.isclose(comparison.z, difference / paired)
assert comparison.p_value < 0.05 and difference / unpaired < 1.96 and by_bootstrap.low > 0

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.5), width_ratios=[3, 2])
differences = {"bootstrap": by_bootstrap, "DeLong": comparison.difference}
for ax, estimates in zip(axes, ({"model B": b, "model A": a}, differences)):
    for height, (name, e) in enumerate(estimates.items()):
        ax.plot(e.interval, [height, height], "-", linewidth=3)
        ax.plot(e.value, height, "o", color="black")
    ax.set_yticks(range(2), labels=list(estimates))
    ax.set_ylim(-0.6, 1.6)
    ax.locator_params(axis="x", nbins=5)
axes[0].set(xlabel="AUC", title="Each by itself: they overlap")
axes[1].axvline(0, color="black", linewidth=1, linestyle="--")
axes[1].set(xlabel="AUC of A minus AUC of B", title="The difference: not zero")
plots.picture(
    figure,
    alt="Left: the intervals of the AUC of model A and model B overlap. Right: the interval of their difference lies "
    "to the right of zero, by DeLong and by the bootstrap.",
)

# %% [markdown]
# The intervals overlap, and the difference is clear. Each interval says how far its own AUC may lie from the truth. It
# is silent about the difference, in which what is common to both cancels out. Even for two models on **different**
# patients the overlap is no test: with equal standard errors $s$ the intervals overlap up to a difference of
# $2\cdot1.96\,s$, and the difference is significant from $1.96\sqrt2\,s$ on. **Always give the interval of the
# difference.**
#
# ### Only the patients on whom they disagree
# With a threshold each patient is right or wrong, and each pair of models gives four counts. Those whom both get
# right, or both wrong, say nothing about which is better. Let $n_A$ be those whom only A gets right, $n_B$ those whom
# only B does. If neither is better, each such **discordant** patient is a fair coin, so $n_A$ is binomial with
# $n_A+n_B$ tosses and probability one half. That is the exact form of the test of [McNemar
# 1947](https://doi.org/10.1007/BF02295996).
#
# ### Exercise: McNemar's test
# `a_right` and `b_right` are arrays of True and False, one entry a patient. Return the two-sided p-value.
# `stats.binomtest(k, n, p).pvalue` is allowed.

# %% tags=["exercise"]
def mcnemar(a_right, b_right):
    """Return the exact two-sided p-value of McNemar's test."""
    return ...  # your code


# %% tags=["check"]
ex.mcnemar.check(mcnemar)

# %%
right_a, right_b = ((s > 0.7) == labels for s in (scores_a, scores_b))
only_a, only_b = np.sum(right_a & ~right_b), np.sum(~right_a & right_b)
both, neither = np.sum(right_a & right_b), np.sum(~right_a & ~right_b)
print(f"both right {both}, only A {only_a}, only B {only_b}, neither {neither}")
print(f"McNemar: p = {stats.binomtest(int(only_a), int(only_a + only_b), 0.5).pvalue:.3f}")
gain = metrics.bootstrap(lambda x, y: x.mean() - y.mean(), right_a.astype(float), right_b.astype(float))
print("accuracy of A minus that of B:", gain)
assert np.isclose(gain.value, (only_a - only_b) / 150) and gain.low < 0

# %% [markdown]
# The difference of the accuracies is $(n_A-n_B)/n$, whatever the other patients do. On the same scores DeLong saw a
# clear difference and McNemar does not. Chance, or habit? Draw 200 such studies, and ask both tests in each.

# %%
found = []
for seed in range(200):
    study = np.random.default_rng(seed)
    hard = study.normal(size=150)
    both_models = [effect * labels + 0.9 * hard + 0.44 * study.normal(size=150) for effect in (1.6, 1.2)]
    (VA, WA), (VB, WB) = (placements(s[labels == 1], s[labels == 0]) for s in both_models)
    right_a, right_b = ((s > 0.7) == labels for s in both_models)
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(~right_a & right_b))
    by_mcnemar = stats.binomtest(only_a, only_a + only_b).pvalue < 0.05
    found.append((abs(VA.mean() - VB.mean()) > z * standard_error(VA - VB, WA - WB), by_mcnemar))
print("significant in 200 studies: DeLong {:.0%}, McNemar {:.0%}".format(*np.mean(found, axis=0)))
assert np.mean(found, axis=0)[0] > 0.7 and np.mean(found, axis=0)[1] < 0.4

# %% [markdown]
# Habit: a threshold throws away how far each score lies from it. So decide **before** you look which of the two your
# claim is about. A p-value alone says little: give the interval of the difference beside it. And McNemar counts
# **patients**. With several images each, make one decision a patient first, or bootstrap the difference over
# patients.

# %% [markdown]
# ## How many patients, how many looks
# Plan before you test. **How wide will the interval be?** Solve $w=z\sqrt{p(1-p)/n}$ for the number of **ill**
# patients, if the score is a sensitivity:
#
# $$n=\frac{z^2\,p(1-p)}{w^2} .$$
#
# ### Exercise: how many to recruit
# To know a sensitivity near $p$ to within $\pm w$, how many patients must you recruit, if only a share of them, the
# [prevalence](glossary:prevalence), is ill? Take $z=1.96$, and round up once, at the end.

# %% tags=["exercise"]
def patients_needed(sensitivity, half_width, prevalence):
    """Return the number of patients to recruit, an int."""
    return ...  # your code


# %% tags=["check"]
ex.patients_needed.check(patients_needed)

# %% [markdown]
# That is Wald's width again. For a plan it will do, as long as $n$ comes out in the hundreds: 125 found of 139 ill
# gives 0.84 to 0.94 by Wilson, about the $\pm0.05$ that the formula promised. And "recruit" means **on average**:
# chance may send you fewer ill patients.
#
# **How likely will you see a difference that is there?** That is [power](glossary:power). Two models, paired. Let
# $q$ be the share of discordant patients and $\delta$ the difference of the accuracies. A patient counts $+1$ if only A
# is right, $-1$ if only B is, and $0$ otherwise. The mean of that is $\delta$, the mean of its square is $q$, so its
# variance is $q-\delta^2$. You find the difference if the mean over $n$ patients exceeds 1.96 standard errors,
# $1.96\sqrt{(q-\delta^2)/n}$. Of a normal distribution 80 % lie above its mean minus 0.84 standard deviations. So for a
# power of 80 % $\delta$ must be $1.96+0.84$ standard errors:
#
# $$\delta=(1.96+0.84)\sqrt{\frac{q-\delta^2}{n}}\quad\Longrightarrow\quad
# n=\frac{(1.96+0.84)^2\,(q-\delta^2)}{\delta^2} .$$
#
# For two groups of **different** patients, one for each model, the variances add instead:
# $(1.96+0.84)^2\,[p_A(1-p_A)+p_B(1-p_B)]/\delta^2$ in **each** group.
#
# **Predict:** A is right for 87 %, B for 80 %; only A is right for 10 %, only B for 3 %. How many patients does the
# paired study need, and how many the other?

# %%
only_a, only_b = 0.10, 0.03
delta, discordant = only_a - only_b, only_a + only_b
factor = (1.96 + 0.84) ** 2
assert np.allclose(metrics.wilson_interval(125, 139), (0.84, 0.94), atol=0.005)
paired_n = int(np.ceil(factor * (discordant - delta**2) / delta**2))
two_groups = 2 * int(np.ceil(factor * (0.87 * 0.13 + 0.80 * 0.20) / delta**2))
print(f"paired: {paired_n} patients; two groups: {two_groups}")


def simulated_power(n, studies=5000):
    counts = rng.multinomial(n, [only_a, only_b, 1 - discordant], size=studies)
    tail = stats.binom.cdf(counts[:, :2].min(axis=1), counts[:, :2].sum(axis=1), 0.5)
    return np.mean(2 * tail < 0.05)


for n in (50, 100, paired_n, 225, 2 * paired_n):
    print(f"{n:4d} patients: McNemar's test finds the difference in {simulated_power(n):.0%} of 5,000 studies")
assert two_groups > 4 * paired_n and 0.70 < simulated_power(paired_n) < 0.85 and simulated_power(50) < 0.25

# %% [markdown]
# Pairing saves more than three patients of four. The exact test needs a few more than the formula says, about 225: it
# counts whole patients, and keeps its false alarms below 5 % rather than at 5 %. And look at the first line: a study of
# 50 patients misses a difference of seven points more than four times in five. "No significant difference (n = 50)" is
# no finding. Where no formula fits, simulate your study, as here: draw it, test it, count.
#
# **How many looks?** You train for 100 epochs, look at 25 validation patients after each, and keep the best. Suppose
# that **every** epoch has a true accuracy of 0.75: nothing is learned after the first. But two epochs of
# one training tend to err on the same patients: `likeness` says how much, from 0 (not at all) to 1 (wholly).
#
# **Predict:** what does the best of the 100 epochs score on these 25 patients, on average? And on 25 new ones?

# %%
def best_of(looks, cases, *, accuracy=0.75, likeness=0.0, studies=1000):
    """Return the best score of each study."""
    best = np.zeros(studies)
    hard = rng.normal(size=(studies, cases))
    for _ in range(looks):
        mixed = np.sqrt(likeness) * hard + np.sqrt(1 - likeness) * rng.normal(size=(studies, cases))
        best = np.maximum(best, np.mean(mixed < stats.norm.ppf(accuracy), axis=1))
    return best


for likeness in (0.0, 0.5, 0.9):
    best = best_of(100, 25, likeness=likeness)
    print(f"likeness {likeness}: best of 100 epochs {best.mean():.2f} on average", end=", ")
    print(f"0.92 or more in {np.mean(best >= 0.92):.0%} of studies")
print(f"one epoch, fixed beforehand: {best_of(1, 25).mean():.2f}")
assert best_of(100, 25).mean() > 0.9 and best_of(100, 25, likeness=0.9).mean() > 0.82

# %% tags=["hide-input"]
looks, sizes = [1, 3, 10, 30, 100], [25, 100, 400]
figure, axes = plt.subplots(figsize=(7, 3.8))
for size, style in zip(sizes, ("o-", "s--", "^:")):
    optimism = [best_of(k, size, likeness=0.5, studies=300).mean() - 0.75 for k in looks]
    axes.plot(looks, optimism, style, label=f"{size} cases")
axes.set(xscale="log", xlabel="looks at the same cases (epochs, models, thresholds)")
axes.set_ylabel("best score minus the truth")
axes.set_xticks(looks, labels=looks)
axes.set_title("Optimism of the best of many, simulated (truth 0.75)")
axes.legend()
plots.picture(
    figure,
    alt="Optimism against the number of looks, from 1 to 100, for 25, 100 and 400 cases. It is near 0 for one look and grows "
    "with each, to about 0.16 with 25 cases, half of that with 100 and a quarter with 400.",
)

# %% [markdown]
# **A 0.92 on 25 cases may be no more than the luckiest of 100 epochs of a 0.75 model.** Neighbouring epochs make
# similar errors, so real looks count for fewer than 100; even so the optimism is large. Wilson's 0.75 to 0.98 does not
# save you: its promise holds for one model, chosen **without** these patients. The same goes for 100 models, 100
# thresholds, 100 seeds, and for a test set that a field has used for ten years.
#
# The cure is a second set of patients. Choose on validation. Then look at the test set **once**. If you must test $k$
# hypotheses, compare each p-value with $0.05/k$ (Bonferroni), or better the smallest with $0.05/k$, the next with
# $0.05/(k-1)$ and so on until one fails (Holm).

# %% tags=["nbval-check-output"]
p_values = np.array([0.004, 0.030, 0.011, 0.200, 0.013])  # made up, five comparisons
order = np.argsort(p_values)
holm = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
counts = [np.sum(p_values < 0.05), np.sum(p_values < 0.05 / 5), np.sum(holm < 0.05)]
print("significant at 0.05 each: {}; by Bonferroni: {}; by Holm: {}".format(*counts))
print(f"20 useless models: at least one p below 0.05 in {1 - 0.95**20:.0%} of studies, if they err independently")

# %% [markdown]
# ## The leakage lab
# [Leakage](glossary:leakage) is information that reaches the model in your study and will not in the clinic. Reviews
# have found it in 17 fields of science ([Kapoor and Narayanan 2023](https://doi.org/10.1016/j.patter.2023.100804)).
# Here you make it yourself.
#
# The screening study below is **simulated**: 60 patients, four slices of lung each, five overlapping patches from each
# slice. Four patients in ten have a disease, which barely shows. Scanner, noise and grain differ from patient to
# patient, and show clearly.

# %%
screening = data.simulate_screening(60, seed=0)
y = screening.labels
num_slices, num_patients = (len(np.unique(ids)) for ids in (screening.slices, screening.patients))
print(f"{len(screening)} patches, {num_slices} slices, {num_patients} patients")
chosen = [(patient, piece) for patient in (0, 1, 2) for piece in (0, 1, 5)]
plots.show_slices(
    [screening.images[20 * patient + piece] for patient, piece in chosen],
    titles=[f"patient {patient}, slice {piece // 5}" for patient, piece in chosen],
    limits=(-1000, -600),
    unit="HU",
    ncols=3,
    alt="Nine simulated patches of lung, three of each of three patients. Two patches of one slice show the same vessels, "
    "shifted. All three of one patient have the same grain.",
)

# %% [markdown]
# The model sees numbers, not pictures: grey levels, slopes, and how much detail there is of each fineness (the spectrum
# of lesson 02; the cell is folded). A forest of extremely random trees learns from them: many decision trees, which ask
# random questions and vote. There is one model, and one set of patches. Five times a fifth is held out, and scored by a
# model trained on the rest, so each patch gets one score. What differs is **what** is dealt into the five parts: single
# patches, slices, or patients.

# %% tags=["hide-input"]
def features(images):
    """Return 22 numbers for each patch, (n, 24, 24) -> (n, 22)."""
    centred = images.astype(float) - images.mean(axis=(1, 2), keepdims=True)
    detail = np.log1p(np.abs(np.fft.rfft2(centred)))  # (n, 24, 13)
    frequency = np.hypot(np.fft.fftfreq(24)[:, np.newaxis], np.fft.rfftfreq(24))
    ring = np.digitize(frequency, np.arange(0.02, 0.5, 0.04))
    rings = [detail[:, ring == r].mean(axis=1) for r in range(1, 13)]
    grey = np.percentile(images.reshape(len(images), -1), [1, 5, 10, 25, 50, 75, 90, 99], axis=1)
    down = (images[:, 12:] - images[:, :12]).mean(axis=(1, 2))
    across = (images[:, :, 12:] - images[:, :, :12]).mean(axis=(1, 2))
    return np.column_stack([*rings, *grey, down, across])


X = features(screening.images)
assert X.shape == (1200, 22)

# %%
from sklearn.ensemble import ExtraTreesClassifier


def held_out_scores(X, y, units, model):
    """Score every item by a model that has not been trained on its unit."""
    scores = np.zeros(len(y))
    # split_by_patient keeps together what has the same number: here, any unit
    for test in data.split_by_patient(units, fractions=(0.2,) * 5, labels=y):
        train = np.setdiff1d(np.arange(len(y)), test)
        scores[test] = model.fit(X[train], y[train]).predict_proba(X[test])[:, 1]
    return scores


forest = ExtraTreesClassifier(100, random_state=0, n_jobs=2)
splits = {"by image": np.arange(len(y)), "by slice": screening.slices, "by patient": screening.patients}

# %% [markdown]
# **Predict:** which AUC do the three splits report? And on 100 new patients, whom the model will meet next year?

# %%
held_out = {name: held_out_scores(X, y, units, forest) for name, units in splits.items()}
reported = {name: metrics.auc_score(y, s, patients=screening.patients) for name, s in held_out.items()}
for name, estimate in reported.items():
    print(f"{name:11s}", estimate)

next_year = data.simulate_screening(100, slices_per_patient=2, seed=1)
forest.fit(X, y)
new_scores = forest.predict_proba(features(next_year.images))[:, 1]
truth = metrics.auc_score(next_year.labels, new_scores, patients=next_year.patients)
print("next year  ", truth)
assert reported["by image"].low > truth.high and reported["by image"].value > reported["by slice"].value
assert reported["by slice"].value > reported["by patient"].value
assert reported["by patient"].low < truth.value < reported["by patient"].high

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(8, 2.8))
shown = {**reported, "100 new patients": truth}
for height, (name, e) in enumerate(reversed(shown.items())):
    colour = plots.COLOURS["green" if "new" in name else "vermillion" if name != "by patient" else "blue"]
    axes.plot(e.interval, [height, height], "-", color=colour, linewidth=3)
    axes.plot(e.value, height, "o", color=colour)
axes.axvline(0.5, color="black", linestyle="--", linewidth=1)
axes.set_yticks(range(4), labels=list(reversed(shown)))
axes.set(xlabel="AUC with its 95 % interval over patients", xlim=(0.3, 1), ylim=(-0.6, 3.6))
axes.set_title("One model, one simulated study, three splits, and what came next")
plots.picture(
    figure,
    alt="Four intervals of the AUC. Split by image is highest, near 1 and narrow; by slice lies lower; by patient lowest "
    "and wide. The interval for 100 new patients lies wholly below that of the split by image.",
)

# %%
gap = metrics.compare_auc(y, held_out["by image"], held_out["by patient"], patients=screening.patients)
print("by image minus by patient:", gap.difference)
assert gap.difference.low > 0.05

# %% [markdown]
# By image the study would be published; by patient it would be sent back. The **narrow** interval is the wrong one:
# no interval knows how the split was made. The split by patient is imprecise, as 60 patients are few, and its
# interval says so; it holds what came next year. (Not even in full: five models were trained, on parts of the same 60
# patients, and the interval asks only what other *test* patients would have changed.) The one by slice looks careful,
# and leaks all the same: the slices of a patient share the scanner and the grain. In brain MR, [Yagis and others
# 2021](https://doi.org/10.1038/s41598-021-01681-w) measured gains of 29 to 55 points of accuracy from splitting by
# slice.
#
# **How to catch it, without a new cohort.** First, ask the guard. It knows nothing of models; it compares names.
# Group 0 is the training part, group 1 the first fifth held out.

# %%
for name, units in splits.items():
    test, *rest = data.split_by_patient(units, fractions=(0.2,) * 5, labels=y)
    try:
        data.assert_no_patient_overlap(screening.patients[np.concatenate(rest)], screening.patients[test])
        print(f"{name}: no patient on both sides")
    except ValueError as error:
        print(f"{name}: {str(error).split(':')[0]}")

# %% [markdown]
# Second, the **negative control**. Throw a coin for each patient and train on that label. There is nothing to learn, so
# an honest evaluation must find about 0.5. With 60 patients a single coin may look like something, so throw four.

# %%
def coin_aucs(units, seeds=range(4)):
    """Return the AUC of labels that a coin gave to each patient, one for each seed."""
    small, aucs = ExtraTreesClassifier(30, random_state=0, n_jobs=2), []
    for seed in seeds:
        coin = np.random.default_rng(seed).permutation(np.repeat([0, 1], 30))[screening.patients]
        aucs.append(auc_of(coin, held_out_scores(X, coin, units, small)))
    return np.array(aucs)


controls = {name: coin_aucs(units) for name, units in splits.items()}
for name, values in controls.items():
    print(f"{name:11s} AUC for four coins:", *(f"{value:.2f}" for value in values), f"  mean {values.mean():.2f}")
assert controls["by image"].min() > 0.9 and abs(controls["by patient"].mean() - 0.5) < 0.15

# %% [markdown]
# Split by image, coins are "diagnosed" from pictures with an AUC above 0.9. All of that is recognition: the model
# knows the patient again and recalls the label. Split by patient, the four scatter around a half, as widely as 60
# patients must.
#
# ### Leaks with a correct split
# Data can leak before it is ever split. Take pure noise: 84 patients, 1,218 features, 31 with label 1. The labels have
# nothing to do with the features; an honest AUC is near 0.5.
#
# **Predict:** which of these helps most: scaling all features before the split, or keeping the 15 features that differ
# most between the classes, or putting augmented copies of each patient into the pool?

# %%
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

study = np.random.default_rng(2)
noise, few_labels, people = study.normal(size=(84, 1218)), study.permutation(np.repeat([1, 0], [31, 53])), np.arange(84)
best15, logistic = SelectKBest(k=15), LogisticRegression(max_iter=1000)  # the 15 smallest p-values of an F-test
scaled = StandardScaler().fit_transform(noise)
copies = np.repeat(noise, 5, axis=0) + 0.3 * study.normal(size=(84 * 5, 1218))
of_copies, copy_labels = np.repeat(people, 5), np.repeat(few_labels, 5)
nearest = KNeighborsClassifier(3)

# %%
honest = make_pipeline(StandardScaler(), best15, logistic)  # fitted anew in each training part
runs = {
    "everything inside the folds": (noise, few_labels, people, honest, people),
    "scaled before the split": (scaled, few_labels, people, make_pipeline(best15, logistic), people),
    "15 features chosen before": (best15.fit_transform(noise, few_labels), few_labels, people, logistic, people),
    "copies, split by patient": (copies, copy_labels, of_copies, nearest, of_copies),
    "copies, split at random": (copies, copy_labels, np.arange(84 * 5), nearest, of_copies),
}
aucs = {}
for name, (inputs, targets, units, model, groups) in runs.items():
    aucs[name] = metrics.auc_score(targets, held_out_scores(inputs, targets, units, model), patients=groups)
    print(f"{name:28s} {aucs[name]}")
assert aucs["15 features chosen before"].low > 0.75 and aucs["copies, split at random"].low > 0.9
for name in ("everything inside the folds", "scaled before the split", "copies, split by patient"):
    assert aucs[name].low < 0.5 < aucs[name].high

# %% [markdown]
# Fifteen columns of **noise**, chosen with the help of the labels that they are tested on, make a splendid
# "signature". [Ambroise and McLachlan 2002](https://doi.org/10.1073/pnas.102102699) showed it on real gene data. The
# patients were on the right sides all the time: the *labels* of the test patients leaked, through the choice. Copies
# leak the whole patient. Scaling before the split uses no labels, and does next to nothing here; do it inside anyway,
# and no reviewer has to wonder. One rule covers all of it: **whatever is fitted, chosen or tuned belongs in the
# pipeline, and the pipeline sees training patients only.**

# %% [markdown]
# ## Find the flaw
# You are the reviewer. The six reports are **fictitious**: no such studies, people or numbers exist. Their errors do.
# They are told after errors that reviews found again and again ([Roberts and others
# 2021](https://doi.org/10.1038/s42256-021-00307-0) looked at 62 studies on COVID-19 and found no model fit for the
# clinic; [Varoquaux and Cheplygina 2022](https://doi.org/10.1038/s41746-022-00592-y) look at medical imaging as a
# whole).
#
# Each report has **one** flaw that makes its claim worthless. The other options are untrue, or matter less.
#
# **Predict:** in how many of the six will you need a formula?
#
# ### Exercise: report 1
# Fictitious.
#
# > We collected brain MR scans of 60 patients with Parkinson's disease and 60 controls, all from one scanner. From
# > each volume we took 40 axial slices around the midbrain, which gave 4,800 images. The images were shuffled and
# > divided 80:10:10 into training, validation and test set, stratified by diagnosis. A network that had been
# > pre-trained on natural images was fine-tuned for 30 epochs. The epoch with the lowest validation loss was kept;
# > the test set was used once. Of the 480 test images 476 were right: accuracy 0.992 (95 % CI 0.979 to 0.997). A
# > single slice suffices to detect Parkinson's disease.
#
# - **A** Half of the images show patients: far more than in a clinic.
# - **B** The test set chose the epoch.
# - **C** Slices of one person lie in training and test set.
# - **D** The interval is missing or far too wide.
# - **E** The pre-training on natural images leaks into the test.

# %% tags=["exercise"]
flaw_1 = ...  # a letter in quotes, such as "A"

# %% tags=["check"]
ex.flaw_1.check(flaw_1)

# %% [markdown]
# ### Exercise: report 2
# Fictitious.
#
# > A network was trained to tell malignant from benign thyroid nodules on ultrasound, with one image from each of 210
# > patients. Another 30 patients, drawn at random beforehand, formed the test set. Training ran for 80 epochs. After
# > each, the accuracy on the 30 test patients was recorded, and the best model, that of epoch 63, was saved. It
# > classified 28 of 30 test patients correctly: accuracy 0.93 (95 % CI 0.79 to 0.98, Wilson). The last epoch reached
# > 0.80. Flips and rotations were applied to the training images only. An accuracy of 0.93 (0.79 to 0.98) is to be
# > expected in new patients of our clinic.
#
# - **A** A patient may lie in training and test set.
# - **B** The augmentation leaks into the test set.
# - **C** For 28 of 30 Wilson's is the wrong formula.
# - **D** 30 patients are too few for any honest interval.
# - **E** The test patients chose the model that is tested on them.

# %% tags=["exercise"]
flaw_2 = ...  # a letter

# %% tags=["check"]
ex.flaw_2.check(flaw_2)

# %% [markdown]
# ### Exercise: report 3
# Fictitious.
#
# > From CT scans of 96 patients with rectal cancer we computed 1,316 radiomic features of the tumour, one tumour a
# > patient, to predict response to chemoradiotherapy (37 responders). Features were standardised, and the 12 that
# > differed most between responders and non-responders (t-test) were kept. A logistic regression with default
# > regularisation was then evaluated by ten-fold cross-validation, stratified, repeated 20 times. The mean AUC on the
# > held-out patients was 0.93 (95 % CI 0.87 to 0.98, bootstrap over patients). The signature identifies patients who
# > can be spared surgery.
#
# - **A** The 12 features were chosen with the labels of all patients, those of the held-out ones too.
# - **B** A patient may lie in training and test fold.
# - **C** The regularisation was tuned on the test folds.
# - **D** Standardising before the folds makes the AUC.
# - **E** With 37 of 96 responders an AUC must not be used.

# %% tags=["exercise"]
flaw_3 = ...  # a letter

# %% tags=["check"]
ex.flaw_3.check(flaw_3)

# %% [markdown]
# ### Exercise: report 4
# Fictitious.
#
# > We assembled 3,400 chest radiographs: 1,700 with proven viral pneumonia from two adult intensive care units, and
# > 1,700 without from a public collection of outpatients of a children's hospital. There was one radiograph a patient.
# > Patients were split 70:15:15 at random, all images resized and normalised. The network was chosen on validation
# > patients and tested once, on 510 patients: AUC 0.998 (95 % CI 0.995 to 1.000, DeLong). Saliency maps often pointed
# > at the shoulders and the image borders. The system can serve as a triage tool in emergency departments.
#
# - **A** DeLong's interval needs normally distributed scores.
# - **B** A patient may lie in training and test set.
# - **C** An AUC without a threshold says nothing.
# - **D** Whoever knows the hospital knows the diagnosis.
# - **E** With half of the patients ill the AUC is too high.

# %% tags=["exercise"]
flaw_4 = ...  # a letter

# %% tags=["check"]
ex.flaw_4.check(flaw_4)

# %% [markdown]
# ### Exercise: report 5
# Fictitious.
#
# > The network rates lung nodules as benign or malignant, to decide who needs a biopsy. Reference was histology, or
# > two years without growth. Of 1,006 nodules, the 412 that our three readers had called "indeterminate" at first
# > reading were left out of all sets, to secure clear-cut cases. The others were split by patient. Model and
# > threshold were chosen on validation patients. The single test, on 93 patients with 121 nodules, gave an AUC of
# > 0.96 (95 % CI 0.92 to 0.98, bootstrap over patients), a sensitivity of 0.91 and a specificity of 0.90, each with
# > its interval in the appendix. We recommend it for incidental nodules.
#
# - **A** Several nodules of a patient were counted as independent.
# - **B** The nodules that a doctor would ask about were left out.
# - **C** The test set was used more than once.
# - **D** The reference is the readers' opinion.
# - **E** The AUC hides what happens at a threshold.

# %% tags=["exercise"]
flaw_5 = ...  # a letter

# %% tags=["check"]
ex.flaw_5.check(flaw_5)

# %% [markdown]
# ### Exercise: report 6
# Fictitious.
#
# > A U-Net was trained to outline the hippocampus on MR scans of 40 patients; its settings and 300 epochs were fixed on
# > 8 others. It was then tested once, on 8 patients of another hospital, with 40 slices each that show hippocampus. The
# > mean Dice over the 320 slices was 0.882 (95 % CI 0.875 to 0.889, bootstrap of the slices). A published network, run
# > on the same slices, reached 0.866 (0.859 to 0.873). As the two intervals do not overlap, ours is the better network,
# > and we recommend that clinics replace the published one.
#
# - **A** The best epoch was chosen on the test set.
# - **B** Dice must not be used for a small structure.
# - **C** 320 slices count as 320 independent cases; there are eight patients.
# - **D** Intervals that do not overlap show no difference.
# - **E** Patients of another hospital make the test unfair.

# %% tags=["exercise"]
flaw_6 = ...  # a letter

# %% tags=["check"]
ex.flaw_6.check(flaw_6)

# %% [markdown]
# You needed a formula at most once, for the width in report 6. The rest was asking four questions. **Who** is in the
# test set, and who is missing? Had anything **met** them before? **How many people**, not images? How many **looks**?

# %% [markdown]
# ## Real patients
# First for everybody: 569 fine-needle aspirates of the breast, one a patient, with 30 features of the cell nuclei
# ([Street, Wolberg and Mangasarian 1993](https://doi.org/10.1117/12.148698)). Half of the patients train two models;
# nothing is tuned. The other half is looked at once. Model A is a logistic regression on all 30 features; model B has
# only the ten that are means over the nuclei of an aspirate.
#
# **Predict:** with how many of the 284 test patients will you be able to say that A is better?

# %%
cytology = data.load_breast_cytology()
train, test = data.split_by_patient(cytology.patients, fractions=(0.5, 0.5), labels=cytology.labels)
names = np.array(cytology.patients)
data.assert_no_patient_overlap(names[train], names[test])
assert len(test) == 284
malignant = cytology.labels[test]
test_scores = {}
for name, columns in {"A": slice(0, 30), "B": slice(0, 10)}.items():
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(cytology.features[train, columns], cytology.labels[train])
    test_scores[name] = model.predict_proba(cytology.features[test, columns])[:, 1]
print(f"{len(test)} test patients, {malignant.sum()} with a malignant aspirate")
print(metrics.compare_auc(malignant, test_scores["A"], test_scores["B"], patients=names[test]))

# %%
order = np.random.default_rng(0).permutation(len(test))
right = {name: (s > 0.5) == malignant for name, s in test_scores.items()}
by_size = {}
for n in (25, 50, 100, len(test)):
    some = order[:n]
    by_size[n] = [metrics.auc_score(malignant[some], s[some], patients=names[test][some]) for s in test_scores.values()]
    p = metrics.compare_auc(malignant[some], test_scores["A"][some], test_scores["B"][some]).p_value
    a_only, b_only = np.sum(right["A"][some] & ~right["B"][some]), np.sum(~right["A"][some] & right["B"][some])
    exact = stats.binomtest(int(a_only), int(a_only + b_only)).pvalue if a_only + b_only else 1.0
    print(f"n = {n:3d}  A {by_size[n][0]}\n         B {by_size[n][1]}")
    print(f"         DeLong p = {p:.4f}; McNemar: only A {a_only}, only B {b_only}, p = {exact:.4f}")
assert by_size[25][0].low < 0.6 and p < 0.01

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 3.2))
for index, (n, pair) in enumerate(by_size.items()):
    for offset, e, (name, colour, marker) in zip(
        (-0.1, 0.1), pair, (("A", "blue", "o"), ("B", "vermillion", "s"))
    ):
        x = index + offset
        axes.plot([x, x], e.interval, "-", color=plots.COLOURS[colour], linewidth=3)
        label = f"model {name}" if index == 0 else None
        axes.plot(x, e.value, marker, color=plots.COLOURS[colour], markeredgecolor="black", label=label)
axes.set_xticks(range(4), labels=[f"{n}" for n in by_size])
axes.set(xlabel="test patients looked at", ylabel="AUC, 95 % interval", ylim=(None, 1.005))
axes.set_title("Breast cytology, real patients: two models")
axes.legend(loc="lower right")
plots.picture(
    figure,
    alt="Intervals of the AUC of models A and B with 25, 50, 100 and 284 test patients. With 25 they are wide and "
    "overlap; they shrink as patients are added, and A lies above B.",
)

# %% [markdown]
# The same two models, the same half of the patients. With 25 of them A may be hardly better than a coin, or perfect;
# with all of them the difference is clear. (Only the last row is a result. To report whichever row suits you would be
# four looks.)
#
# And the published figure? Those who made the data set report an accuracy of 97 % by tenfold cross-validation, and then
# tested on 54 **new** patients: all 54 right, one atypical finding among them ([Wolberg, Street and Mangasarian
# 1994](https://doi.org/10.1016/0304-3835%2894%2990099-X)). What is 54 of 54 worth?

# %%
print("54 of 54, Wilson: {:.2f} to {:.2f}".format(*metrics.wilson_interval(54, 54)))
print("accuracy of model A here:", metrics.accuracy_score(malignant, test_scores["A"] > 0.5, patients=names[test]))
assert metrics.wilson_interval(54, 54).low < 15 / 16

# %% [markdown]
# "100 %" is compatible with an error in every sixteenth patient. It agrees with 97 %, and with yours.
#
# **Real chest CT, if it is there.** The LUNA16 crops are 50 × 50 pixels around places that might be a nodule ([Setio
# and others 2017](https://doi.org/10.1016/j.media.2017.06.015)). The file does not name the patient, but its rows run
# scan by scan. So **blocks** of 1,250 rows, about two scans, stand in for the patient. You use the development part
# only; the last 15 % of the rows are the test set of lesson 06, and you do not look at it. Each crop is scored twice:
# by models that were trained on a random choice of the others, and on other blocks.
#
# **Predict:** how much does the random split gain here? Think of whose label it is: the patient's, or the crop's?

# %%
if data.available("luna16_crops"):
    from sklearn.ensemble import RandomForestClassifier
    from tqdm.auto import tqdm

    crops, _ = data.load_luna16_crops().by_rows((0.85, 0.15))
    pixels = crops.images_hu[:, 9:41, 9:41].reshape(-1, 16, 2, 16, 2).mean(axis=(2, 4)).reshape(len(crops), -1)
    every_crop = np.arange(len(crops))
    rivals = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)),
        "random forest": RandomForestClassifier(30, max_samples=0.2, min_samples_leaf=2, random_state=0, n_jobs=2),
        "5 nearest": KNeighborsClassifier(5, weights="distance"),
    }
    print(f"{len(crops)} crops, {crops.labels.sum()} nodules, {len(np.unique(crops.blocks))} blocks")

# %%
if data.available("luna16_crops"):
    gains = {}
    for name, rival in tqdm(rivals.items(), leave=False):
        at_random, by_block = (held_out_scores(pixels, crops.labels, u, rival) for u in (every_crop, crops.blocks))
        gains[name] = metrics.compare_auc(crops.labels, at_random, by_block, patients=crops.blocks).counted_in("block")
    for name in gains:
        print(f"{name}\n   at random {gains[name].a:.3f}\n   by blocks {gains[name].b:.3f}")
        print(f"   the gain  {gains[name].difference:.3f}")
    assert max(gain.difference.high for gain in gains.values()) < 0.03

# %% [markdown]
# Hardly a gain: less than three hundredths of AUC for every model, even at the upper end of the interval. In the lab
# the **label belonged to the patient**, so knowing the patient again was enough. Here a block has nodules **and**
# other places, so knowing the scan tells next to nothing about a crop. Is there nothing to know again, then? Ask the
# negative control: one coin for each block. And make it strict: the forest is given what fingerprints are made of,
# grey levels and grain.

# %%
if data.available("luna16_crops"):
    block_coin = np.random.default_rng(0).integers(2, size=crops.blocks.max() + 1)[crops.blocks]
    steps = np.abs(np.diff(crops.images_hu, n=2, axis=2))  # grain: how much a pixel differs from its neighbours
    levels = [1, 5, 10, 25, 50, 75, 90]
    look = np.vstack([np.percentile(v.reshape(len(v), -1), levels, axis=1) for v in (crops.images_hu, steps)]).T
    trees = ExtraTreesClassifier(30, min_samples_leaf=2, random_state=0, n_jobs=2)
    coins = {}
    for name, units in tqdm({"at random": every_crop, "by blocks": crops.blocks}.items(), leave=False):
        s = held_out_scores(look, block_coin, units, trees)
        coins[name] = metrics.auc_score(block_coin, s, patients=crops.blocks).counted_in("block")
    for name, estimate in coins.items():
        print(f"coin labels, split {name}: {estimate:.3f}")
    assert coins["at random"].low > 0.5 and coins["by blocks"].low < 0.5 < coins["by blocks"].high

# %%
if not data.available("luna16_crops"):
    print("The LUNA16 crops are not in the cache; their card says where they come from: data.card('luna16_crops').")

# %% [markdown]
# The door stands open by a crack: split at random, grey levels and grain tell the coin of the block a little better
# than chance; split by blocks they do not. You could not know beforehand how wide the crack is, nor whether the label
# belongs to the patient in part. So split by patient, **always**: if nothing leaks it costs nothing, and if something
# does it saves the study.

# %% [markdown]
# ## What you may claim
# **You may claim**
# - On 284 real test patients of one centre, used once, the AUCs of models A and B and their difference, each with the
#   interval printed above, over patients.
# - On 5,515 real crops, where they are there, a random split gained less than three hundredths of AUC over a split by
#   blocks, for three models, with the intervals above.
# - Wald's interval covers less than it says, and the bootstrap over images fails as the design effect says: computed
#   exactly, or simulated, for the sizes shown.
#
# **You may not claim**
# - Anything about patients of other hospitals, machines or years. An interval speaks of more patients **like these**.
#   It knows nothing of another scanner: that needs another hospital's patients.
# - That these 284 patients are a fresh test set. The data have been public since 1993. That scaled features and a
#   logistic regression do well on them was known before this lesson was written: many have looked.
# - That the gap of the leakage lab is typical. The screening study is simulated, with a weak disease and strong
#   fingerprints; on the real crops no gap was found. The size depends on the data, and on how much of the label
#   belongs to the patient.
# - That 0.5 as a threshold, or an AUC, says what a test is worth to a woman with a lump (lesson 05a).
# - That a split by blocks is one by patient. A scan may lie across a border. It is the best that this file allows.
#
# **When you report**, use the list made for your kind of study: TRIPOD+AI for prediction models ([Collins and others
# 2024](https://doi.org/10.1136/bmj-2023-078378)), STARD-AI for diagnostic accuracy ([Sounderajah and others
# 2025](https://doi.org/10.1038/s41591-025-03953-8)), CLAIM for imaging, in its update ([Tejani and others
# 2024](https://doi.org/10.1148/ryai.240300)). They ask what this lesson asked: who, how many, split how, looked at how
# often, and with what uncertainty.

# %% [markdown]
# ## Summary
# - A score is a draw. Four times the patients halve its spread.
# - For a share use Wilson, or Clopper-Pearson where coverage must be guaranteed. Wald fails where good models live. 7
#   of 10 is 0.40 to 0.89; 0 of $n$ is up to $3/n$.
# - Resample patients, with all their images. Images that correlate by $\rho$ make the variance $1+(m-1)\rho$ times as
#   large.
# - DeLong: the AUC is a mean of placements, and its variance is theirs. Paired differences come from the same formula.
# - Compare two models on the same patients, by the interval of the **difference**. Overlap is no test. McNemar counts
#   the patients on whom they disagree.
# - Plan the number of patients before you test. Not seeing a difference in 50 patients is no finding.
# - The best of many looks is not a result. Choose on validation, test once.
# - Split by patient; put everything that is fitted or chosen inside the pipeline; run a negative control.
# - Ask of every report: who, met before, how many people, how many looks.
#
# ### Key terms
# [standard error](glossary:standard-error) · [confidence interval](glossary:confidence-interval) ·
# [coverage](glossary:coverage) · [bootstrap](glossary:bootstrap) · [intraclass
# correlation](glossary:intraclass-correlation) · [design effect](glossary:design-effect) · [placement
# value](glossary:placement-value) · [McNemar's test](glossary:mcnemars-test) · [power](glossary:power) ·
# [leakage](glossary:leakage) · [split by patient](glossary:split-by-patient)
#
# ### Further reading
# - Varoquaux G, Cheplygina V. *Machine learning for medical imaging: methodological failures and recommendations for
#   the future.* npj Digital Medicine 2022. <https://doi.org/10.1038/s41746-022-00592-y>
# - Kapoor S, Narayanan A. *Leakage and the reproducibility crisis in machine-learning-based science.* Patterns 2023.
#   <https://doi.org/10.1016/j.patter.2023.100804>
# - Roberts M, et al. *Common pitfalls and recommendations for using machine learning to detect and prognosticate for
#   COVID-19 using chest radiographs and CT scans.* Nature Machine Intelligence 2021.
#   <https://doi.org/10.1038/s42256-021-00307-0>
# - Yagis E, et al. *Effect of data leakage in brain MRI classification using 2D convolutional neural networks.*
#   Scientific Reports 2021. <https://doi.org/10.1038/s41598-021-01681-w>
# - Brown LD, Cai TT, DasGupta A. *Interval estimation for a binomial proportion.* Statistical Science 2001.
#   <https://doi.org/10.1214/ss/1009213286>
# - Wilson EB. *Probable inference, the law of succession, and statistical inference.* Journal of the American
#   Statistical Association 1927. <https://doi.org/10.1080/01621459.1927.10502953>
# - DeLong ER, DeLong DM, Clarke-Pearson DL. *Comparing the areas under two or more correlated receiver operating
#   characteristic curves: a nonparametric approach.* Biometrics 1988. <https://doi.org/10.2307/2531595>
# - Obuchowski NA. *Nonparametric analysis of clustered ROC curve data.* Biometrics 1997.
#   <https://doi.org/10.2307/2533958>
# - Collins GS, et al. *TRIPOD+AI statement: updated guidance for reporting clinical prediction models that use
#   regression or machine learning methods.* BMJ 2024. <https://doi.org/10.1136/bmj-2023-078378>
# - Tejani AS, et al. *Checklist for artificial intelligence in medical imaging (CLAIM): 2024 update.* Radiology:
#   Artificial Intelligence 2024. <https://doi.org/10.1148/ryai.240300>
