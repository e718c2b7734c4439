# %% [markdown]
# A model gives each patient a score. Is it any good? The question has no answer until you say good **for what**: for
# ranking patients, for calling some of them ill, or for telling them how likely they are to be ill. Each has its own
# numbers, and each number has a way to mislead. You will derive them, write them by hand, and check them against
# scikit-learn.
#
# Most scores in this lesson are **simulated**, because then the truth is known; the text says so each time. At the end
# come real patients: breast cytology for everybody, and chest CT where you have it. How wide the interval around a
# score must be is the next lesson, 05b; here you only read it. The lesson takes about two and a half hours, best in
# two sittings: a good place for the break is before *Is a positive test right?* The three exercises marked *further*
# come on top of that.

# %% [markdown]
# ## Four counts
# A screening programme tests 10,000 people; 50 of them are ill. The test is positive in 45 of the ill, and in 995 of
# the healthy. Every person falls into one of four cells, and together they make the [confusion
# matrix](glossary:confusion-matrix):
#
# | | called ill | called healthy |
# |---|---|---|
# | **ill** | 45 true positives (TP) | 5 false negatives (FN): missed |
# | **healthy** | 995 false positives (FP): false alarms | 8,955 true negatives (TN) |
#
# Which axis is the truth? There is no rule. Here, and in scikit-learn, rows are the truth. Epidemiology books often
# put the truth in the columns. Look at the labels before you read a table, and label your own.
#
# **Predict:** which share of all calls is right? And for a "test" that calls everybody healthy?

# %%
def people(*, tp, fn, fp, tn):
    """Return labels and predictions of a table of counts, person by person."""
    return np.repeat([1, 1, 0, 0], [tp, fn, fp, tn]), np.repeat([1, 0, 1, 0], [tp, fn, fp, tn])


labels, called = people(tp=45, fn=5, fp=995, tn=8955)
nobody = np.zeros_like(labels)
print(f"right calls: the test {np.mean(called == labels):.3f}, 'healthy' for everybody {np.mean(nobody == labels):.3f}")
assert np.mean(nobody == labels) > np.mean(called == labels)

# %% [markdown]
# The share of right calls is the [accuracy](glossary:accuracy). By accuracy, calling nobody ill beats the test: 0.995
# against 0.900. That is its **paradox**: where illness is rare, accuracy counts the healthy, and little else. A test
# that finds 45 of 50 loses to one that finds none.
#
# scikit-learn makes the same table. Mind its order (0 first), and mind which argument comes first:

# %% tags=["nbval-check-output"]
from sklearn import metrics as sk

print("truth first:\n", sk.confusion_matrix(labels, called))
print("swapped:\n", sk.confusion_matrix(called, labels))
print(f"recall {sk.recall_score(labels, called):.3f}; with the arguments swapped {sk.recall_score(called, labels):.3f}")

# %% [markdown]
# No error, and another number: 0.043 is the precision, as you will see.
#
# ### Exercise: the four counts
# Count them from labels and predictions. (When you join two comparisons by `&`, put each into parentheses:
# `(a == 1) & (b == 0)`.)


# %% tags=["exercise"]
def confusion_counts(labels, predictions):
    """Return TP, FP, FN, TN as integers."""
    return ...  # your code


# %% tags=["check"]
ex.confusion_counts.check(confusion_counts)

# %% [markdown]
# All scores of a yes-or-no test come from these four:
#
# - [Sensitivity](glossary:sensitivity), also called recall: $\text{TP}/(\text{TP}+\text{FN})$, the share **of the
#   ill** who are found.
# - [Specificity](glossary:specificity): $\text{TN}/(\text{TN}+\text{FP})$, the share **of the healthy** who are left
#   in peace.
# - [Precision](glossary:positive-predictive-value), also called positive predictive value:
#   $\text{TP}/(\text{TP}+\text{FP})$, the share **of the positives** who are ill.
# - [Balanced accuracy](glossary:balanced-accuracy): the mean of sensitivity and specificity.
# - [F1](glossary:f1-score): the harmonic mean of precision and recall, $2/(1/\text{precision}+1/\text{recall})$. Put in
#   $1/\text{precision}=(\text{TP}+\text{FP})/\text{TP}$ and $1/\text{recall}=(\text{TP}+\text{FN})/\text{TP}$, and it
#   is $2\,\text{TP}/(2\,\text{TP}+\text{FP}+\text{FN})$. TN is not in it.
# - [Matthews correlation coefficient](glossary:matthews-correlation-coefficient) (MCC): the ordinary correlation of
#   label $y$ and call $\hat y$, both 0 or 1.
#
# The last one needs three steps. With $n$ people, the mean of $y$ is $(\text{TP}+\text{FN})/n$, that of $\hat y$ is
# $(\text{TP}+\text{FP})/n$, and that of $y\hat y$ is $\text{TP}/n$. The covariance is the mean of the product less the
# product of the means; put in $n=\text{TP}+\text{FP}+\text{FN}+\text{TN}$ and multiply out:
#
# $$\frac{n\,\text{TP}-(\text{TP}+\text{FN})(\text{TP}+\text{FP})}{n^2}=\frac{\text{TP}\cdot\text{TN}-\text{FP}\cdot\text{FN}}{n^2} .$$
#
# A 0/1 number with mean $m$ has the variance $m(1-m)$: here $(\text{TP}+\text{FN})(\text{TN}+\text{FP})/n^2$ and
# $(\text{TP}+\text{FP})(\text{TN}+\text{FN})/n^2$. Divide the covariance by both standard deviations; $n$ falls away:
#
# $$\text{MCC}=\frac{\text{TP}\cdot\text{TN}-\text{FP}\cdot\text{FN}}{\sqrt{(\text{TP}+\text{FN})(\text{TP}+\text{FP})(\text{TN}+\text{FP})(\text{TN}+\text{FN})}} .$$


# %%
def scores_of(tp, fp, fn, tn):
    sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
    margins = float(tp + fn) * (tp + fp) * (tn + fp) * (tn + fn)
    return {
        "accuracy": (tp + tn) / (tp + fp + fn + tn),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": tp / (tp + fp),
        "balanced accuracy": (sensitivity + specificity) / 2,
        "F1": 2 * tp / (2 * tp + fp + fn),
        "MCC": (tp * tn - fp * fn) / np.sqrt(margins),
    }


# %%
library = {
    "accuracy": sk.accuracy_score,
    "sensitivity": sk.recall_score,
    "specificity": lambda y, called: sk.recall_score(y, called, pos_label=0),
    "precision": sk.precision_score,
    "balanced accuracy": sk.balanced_accuracy_score,
    "F1": sk.f1_score,
    "MCC": sk.matthews_corrcoef,
}
for tp, fp, fn, tn in rng.integers(1, 60, size=(100, 4)).tolist():
    y, y_called = people(tp=tp, fn=fn, fp=fp, tn=tn)
    for name, value in scores_of(tp, fp, fn, tn).items():
        assert abs(value - library[name](y, y_called)) < 1e-12
    assert abs(scores_of(tp, fp, fn, tn)["MCC"] - np.corrcoef(y, y_called)[0, 1]) < 1e-12
print("7 scores by hand equal scikit-learn on 100 random tables, and MCC equals NumPy's correlation")

# %% [markdown]
# **Predict:** somebody tosses a coin for each of the 10,000 and calls heads ill. Which of the seven scores see through
# it?

# %%
tests = {
    "the test": dict(tp=45, fp=995, fn=5, tn=8955),
    "a coin": dict(tp=25, fp=4975, fn=25, tn=4975),
    "200 by lot": dict(tp=1, fp=199, fn=49, tn=9751),
    "renamed": dict(tp=8955, fp=5, fn=995, tn=45),  # the test, with the healthy as class 1
}
table = {name: scores_of(**counts) for name, counts in tests.items()}
print(" " * 18, "".join(f"{name:>12s}" for name in tests))
for score in library:
    print(f"{score:18s}", "".join(f"{table[name][score]:12.3f}" for name in tests))
for blind in ("a coin", "200 by lot"):
    assert table[blind]["balanced accuracy"] == 0.5 and table[blind]["MCC"] == 0
assert table["the test"]["MCC"] == table["renamed"]["MCC"] and table["renamed"]["F1"] > 0.94

# %% [markdown]
# Look along the rows. Calling 200 people by lot has an accuracy of 0.975. Balanced accuracy (0.5) and MCC (0) say of
# both random columns that they know nothing. (So does precision, to those who know the prevalence: it *is* the
# prevalence, 0.005.) In the last column nothing changed but the name: the healthy are now class 1. F1 jumps from 0.08
# to 0.95, because it leaves out whichever count you call TN. So never write "F1" without saying of which class.
# Balanced accuracy and MCC do not mind.
#
# Report the four counts, and a reader can compute any score from them. And give each score of real patients an
# interval. Our library returns both together, as an *Estimate*:

# %%
from medlearn import metrics

found, spared = metrics.sensitivity_score(labels, called), metrics.specificity_score(labels, called)
print("sensitivity", found)
print("specificity", spared)
print("precision  ", metrics.precision_score(labels, called))
print("precision of 'healthy' for everybody:", metrics.precision_score(labels, nobody))
assert np.isnan(float(metrics.precision_score(labels, nobody)))
assert np.ptp(found.interval) > 5 * np.ptp(spared.interval)

# %% [markdown]
# Read "95 % CI", the confidence interval, as the values that these people leave plausible. The sensitivity rests on
# the 50 ill alone, so its interval is wide; 10,000 people do not help. And where nobody is positive, precision is 0/0:
# scikit-learn says 0 and warns; ours says *undefined*. In 05b you learn how such intervals are made.

# %% [markdown]
# ## A threshold is a price
# A model rarely says yes or no. It gives a probability $p$ of being ill, and somebody chooses a
# [threshold](glossary:threshold) $t$: called ill is $p\ge t$. Why should $t$ be 0.5?
#
# Give each error its price, compared with the right call: $c_\text{FP}$ for a false alarm (a needless biopsy),
# $c_\text{FN}$ for a missed patient. Take the people with probability $p$, and suppose that $p$ is right: the share
# $p$ of them is ill. Calling one of them ill costs $c_\text{FP}(1-p)$ on average, because $1-p$ are healthy. Not
# calling costs $c_\text{FN}\,p$. Call as soon as calling is the cheaper:
#
# $$c_\text{FP}(1-p)\le c_\text{FN}\,p\quad\Longleftrightarrow\quad p\ge t^*=\frac{c_\text{FP}}{c_\text{FP}+c_\text{FN}} .$$
#
# The threshold depends on the prices, and on nothing else: not on the prevalence, not on the model. Only if both
# errors cost the same is it 0.5. (In medicine this is the *treatment threshold* of [Pauker and Kassirer
# 1975](https://doi.org/10.1056/NEJM197507312930505).)
#
# Simulated patients show it: draw a probability for each, then let chance decide who is ill with exactly that
# probability. These probabilities are right by construction.


# %%
def simulate(num_patients):
    """Return simulated labels and their true probabilities: calibrated by construction."""
    chance = np.clip(rng.beta(0.8, 5, size=num_patients), 1e-6, 1 - 1e-6)
    return (rng.random(num_patients) < chance).astype(int), chance


def mean_cost(labels, called, *, miss):
    """Return the cost per patient, in false alarms: one miss costs `miss` of them."""
    return np.mean(called & (labels == 0)) + miss * np.mean(~called & (labels == 1))


labels, chance = simulate(20_000)
print(f"{len(labels):,} simulated patients, {labels.mean():.1%} ill")

# %% [markdown]
# **Predict:** a miss costs as much as 20 false alarms. Which threshold is the cheapest? By how much is 0.5 dearer?

# %%
best = 1 / (1 + 20)
for name, t in {"nobody": np.inf, "t = 0.5": 0.5, f"t* = {best:.3f}": best, "everybody": 0}.items():
    print(f"{name:12s} costs {mean_cost(labels, chance >= t, miss=20):.2f} false alarms per patient")
assert mean_cost(labels, chance >= 0.5, miss=20) > 3 * mean_cost(labels, chance >= best, miss=20)

# %% [markdown]
# With 0.5 you pay more than three times as much, hardly less than for calling nobody at all.
#
# Many models do not give probabilities that are right. Then the formula does not hold, and you look for the cheapest
# threshold on patients: the **validation** patients.
#
# ### Exercise: the cheapest threshold
# Try each distinct probability as a threshold, and `np.inf` (nobody is called).


# %% tags=["exercise"]
def cheapest_threshold(labels, probabilities, cost_fp, cost_fn):
    """Return the cheapest threshold; of equally cheap ones, the smallest."""
    return ...  # your code


# %% tags=["check"]
ex.cheapest_threshold.check(cheapest_threshold)

# %% [markdown]
# Here is the cost over all thresholds: for the 20,000 simulated patients, and for two times 100 of them.


# %% tags=["hide-input"]
def cost_curve(labels, chance, thresholds, miss):
    """Return the cost per patient at each of many thresholds."""
    called = chance >= thresholds[:, np.newaxis]  # (n,) -> (thresholds, n)
    return np.mean(called * (labels == 0) + miss * ~called * (labels == 1), axis=1)


thresholds = np.linspace(0, 0.4, 81)
figure, axes = plt.subplots(figsize=(7.5, 4))
samples = {"20,000 patients": np.s_[:], "patients 1 to 100": np.s_[:100], "patients 101 to 200": np.s_[100:200]}
curves = {name: cost_curve(labels[part], chance[part], thresholds, 20) for name, part in samples.items()}
for name, costs in curves.items():
    axes.plot(thresholds, costs, label=name)
axes.axvline(best, color=plots.COLOURS["black"], linestyle=":", linewidth=1.2, label="$t^*$ = 1/21")
axes.set(xlabel="threshold $t$", ylabel="cost per patient (false alarms)", title="A miss costs 20 false alarms")
axes.legend()
smooth, at_best = curves["20,000 patients"], np.argmin(np.abs(thresholds - best))
assert smooth[at_best] < 1.03 * smooth.min()
plots.picture(
    figure,
    alt="Cost per patient against the threshold. For 20,000 simulated patients a smooth curve with a flat minimum near "
    "1/21. For the first and for the second 100 of them two jagged curves, each with a minimum of its own.",
)

# %% [markdown]
# For the large sample the formula is within 3 % of the lowest cost: the minimum is flat. The curves of 100 patients
# are jagged, and their lowest points are partly luck. That is why a threshold must not be chosen on the patients on
# whom it is then judged. How much does it flatter? A thousand simulated studies: each has 100 validation and 100 test
# patients.
#
# **Predict:** which comes out lowest: the cost on the test patients with the threshold chosen on them, the true cost of
# that threshold, or the cost on the test patients with the threshold chosen on validation patients?

# %%
population = simulate(200_000)
truth = cost_curve(*population, thresholds, 20)  # what each threshold costs in the long run
flattered, its_truth, honest, honest_truth = np.empty((4, 1000))
for study in range(1000):
    validation, test = (cost_curve(*simulate(100), thresholds, 20) for _ in range(2))
    on_test, on_validation = np.argmin(test), np.argmin(validation)
    flattered[study], its_truth[study] = test[on_test], truth[on_test]
    honest[study], honest_truth[study] = test[on_validation], truth[on_validation]
for where, reported, true in [("the test set", flattered, its_truth), ("validation", honest, honest_truth)]:
    print(f"chosen on {where + ':':13s} reported {reported.mean():.3f}, true {true.mean():.3f} false alarms per patient")
by_formula = truth[np.argmin(np.abs(thresholds - best))]
print(f"by the formula:         true {by_formula:.3f}")
error = (flattered - its_truth).std() / np.sqrt(1000)
assert (flattered - its_truth).mean() < -5 * error and by_formula < honest_truth.mean()
assert abs((honest - honest_truth).mean()) < 4 * (honest - honest_truth).std() / np.sqrt(1000)

# %% [markdown]
# The threshold that was chosen on the test patients looks cheaper than it is. The one chosen on validation patients is
# no better in truth, but its **report** is honest: right on average. The test set is for reporting; once you choose on
# it, it is a validation set. And both pay for having only 100 patients to choose on: where the probabilities are
# right, the formula needs none, and costs less.

# %% [markdown]
# ## The ROC curve and its area
# One threshold gives one pair (false positive rate, sensitivity), where the false positive rate is 1 − specificity,
# the share of the healthy who are called ill. Let the threshold fall from above the highest score to the lowest: the
# pairs draw the [ROC curve](glossary:roc-curve). Walk it by hand, for four ill (+) and four healthy (−):
#
# | score | 0.9 | 0.8 | 0.6 | 0.3 | 0.1 |
# |---|---|---|---|---|---|
# | patients | + | + − | + − − | − | + |
# | false positive rate | 0 | 1/4 | 3/4 | 1 | 1 |
# | sensitivity | 1/4 | 2/4 | 3/4 | 3/4 | 1 |
#
# Each ill patient is a step up by 1/4, each healthy one a step to the right by 1/4. At a **tie** a threshold cannot
# tell the patients apart: all of them are called at once, and the curve goes there in one slanting stroke.
#
# **Predict:** somebody sorts tied patients ill first. What happens to the curve and to the area below it?

# %% tags=["hide-input"]
tied_labels = np.array([1, 0, 1, 1, 0, 0, 0, 1])
tied_scores = np.array([0.9, 0.8, 0.8, 0.6, 0.6, 0.6, 0.3, 0.1])
figure, axes = plt.subplots(figsize=(9, 4.8))
areas = {}
for name, nudge in {"ties at once": 0, "ties: ill first": 1e-6, "ties: healthy first": -1e-6}.items():
    nudged = tied_scores + nudge * tied_labels
    false_positive_rate, sensitivity, _ = sk.roc_curve(tied_labels, nudged, drop_intermediate=False)
    areas[name] = np.trapezoid(sensitivity, false_positive_rate)
    marker = "o" if nudge == 0 else None
    axes.plot(false_positive_rate, sensitivity, marker=marker, label=f"{name}: area {areas[name]:.3f}")
axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1.2, label="no information: area 0.5")
axes.set(xlabel="false positive rate (1 − specificity)", ylabel="sensitivity", title="Eight patients")
axes.set_aspect("equal")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
assert areas == {"ties at once": 19 / 32, "ties: ill first": 22 / 32, "ties: healthy first": 16 / 32}
plots.picture(
    figure,
    alt="ROC curves of the eight patients. With tied patients at once the curve has slanting strokes and an area of "
    "0.594. With the ill first among the tied it lies above (0.688), with the healthy first below (0.500).",
)

# %% [markdown]
# The same scores, and 0.50 to 0.69 according to the order of the file. Ties are common: readers' ratings from 1 to 5,
# rounded scores, a saturated sigmoid.
#
# ### Exercise: the points of the ROC curve
# From (0, 0), one point for each distinct score, as two arrays.


# %% tags=["exercise"]
def roc_points(labels, scores):
    """Return the false positive rates and the sensitivities, threshold from high to low."""
    return ...  # your code


# %% tags=["check"]
ex.roc_points.check(roc_points)

# %% [markdown]
# **What is the area?** Cut it into columns, one for each healthy patient, $1/N$ wide for $N$ healthy. The column of a
# healthy patient is as high as the sensitivity at that place: the share of the ill whose score is higher. Add the
# columns, and you have counted every pair of one ill and one healthy patient, and asked whether they stand in the
# right order. At a tie the slanting stroke cuts the rectangle in half, so a tie counts one half:
#
# $$\text{AUC}=P(S_\text{ill}>S_\text{healthy})+\tfrac12 P(S_\text{ill}=S_\text{healthy}) .$$
#
# In the table above there are 16 pairs. The ill patient with 0.9 wins 4; with 0.8, 3 and a tie; with 0.6, 1 and two
# ties; with 0.1, none. Together $4+3.5+2+0=9.5$, and $9.5/16=0.594$: the area in the figure.
#
# ### Exercise: the AUC by counting pairs
# Count all pairs, without a ROC curve.


# %% tags=["exercise"]
def auc_by_pairs(labels, scores):
    """Return the share of (ill, healthy) pairs in the right order; a tie counts one half."""
    return ...  # your code


# %% tags=["check"]
ex.auc_by_pairs.check(auc_by_pairs)

# %% [markdown]
# Pairs grow with the square of the patients. **Ranks** do it by sorting. Give the lowest score rank 1, the next rank
# 2, and tied ones their mean rank. The rank of an ill patient counts the healthy below (a tie one half), and the ill
# up to this one. Over all $P$ ill patients the second part is always $1+2+\dots+P=P(P+1)/2$, so the sum of their ranks
# $R$ less this leaves $U$, the number of pairs in order: the statistic of Mann and Whitney. In the table above, from
# low to high, the ill have the ranks 1, 4 (three patients share 3, 4 and 5), 6.5 and 8. So $R=19.5$, and
# $U=19.5-10=9.5$, as before.
#
# $$\text{AUC}=\frac{U}{PN},\qquad U=R-\frac{P(P+1)}{2} .$$
#
# Now all ways at once, on simulated scores with many ties: normal with standard deviation 1, around $d = 1.5$ in the
# ill and 0 in the healthy. Here theory knows the answer too: the difference of two such scores is normal around $d$
# with variance 2. So without ties AUC $=P(\text{difference}>0)=\Phi(d/\sqrt2)$, with $\Phi$ the normal distribution
# function.
#
# **Predict:** about how large is that, for $d=1.5$? ($\Phi(1)=0.84$.)

# %%
from scipy import stats


def binormal(num_ill, num_healthy, *, d=1.5):
    """Return simulated labels and scores: normal, d standard deviations apart."""
    labels = np.repeat([1, 0], [num_ill, num_healthy])
    return labels, rng.normal(d * labels)


def rank_auc(labels, scores):
    ranks, ill = stats.rankdata(scores), labels == 1
    P, N = np.sum(ill), np.sum(~ill)
    return (ranks[ill].sum() - P * (P + 1) / 2) / (P * N)


# %%
y, s = binormal(400, 1600)
s = s.round(1)  # many ties
curve = metrics.roc_curve(y, s)
ways = {
    "pairs": np.mean(np.heaviside(s[y == 1][:, np.newaxis] - s[y == 0], 0.5)),
    "ranks": rank_auc(y, s),
    "Mann-Whitney, SciPy": stats.mannwhitneyu(s[y == 1], s[y == 0]).statistic / (400 * 1600),
    "trapezoids": np.trapezoid(curve.sensitivity, curve.false_positive_rate),
    "scikit-learn": sk.roc_auc_score(y, s),
}
for name, value in ways.items():
    print(f"{name:20s} {value:.6f}")
assert max(ways.values()) - min(ways.values()) < 1e-12

# %%
theory, estimate = stats.norm.cdf(1.5 / np.sqrt(2)), metrics.auc_score(y, s)
print(f"{'theory':20s} {theory:.6f}")
print(f"{'this sample':20s} {estimate:.3f}")
assert abs(estimate.value - theory) < np.ptp(estimate.interval)  # about four standard errors

# %% [markdown]
# All agree to $10^{-12}$. The theory lies within the interval of this sample, as it will in about 19 samples of 20. The
# AUC looks at the order only: any strictly rising function of the scores has the same AUC. So it says nothing about
# whether 0.8 means 80 %, and nothing about your threshold.
#
# **Can an AUC be below 0.5?** Of course: turn the scores round, and the AUC becomes 1 − AUC. Real patients: the breast
# cytology table in scikit-learn (569 aspirates). Larger nuclei are more often malignant.
#
# **Predict:** the AUC of the mean radius of the nuclei against scikit-learn's `target`?

# %%
from sklearn.datasets import load_breast_cancer

raw = load_breast_cancer()
radius = raw.data[:, list(raw.feature_names).index("mean radius")]
print("against the target:", metrics.auc_score(raw.target, radius))
print("the classes 0 and 1:", [str(name) for name in raw.target_names])
cytology = data.load_breast_cytology()
print("1 = malignant:     ", metrics.auc_score(cytology.labels, radius))
assert sk.roc_auc_score(raw.target, radius) < 0.1

# %% [markdown]
# Far below 0.5 means: the labels or the scores are the wrong way round. Here 0 stands for malignant. (Our loader turns
# it.) Do not hide it with max(AUC, 1 − AUC): in small samples a model that knows **nothing** falls below 0.5 about
# half of the time, and the maximum makes something of nothing.

# %%
useless = np.array([rank_auc(*binormal(10, 10, d=0)) for _ in range(2000)])  # scores that know nothing
turned = np.maximum(useless, 1 - useless)
print(f"2,000 simulated studies, 10 ill and 10 healthy: {np.mean(useless < 0.5):.0%} have an AUC below 0.5")
print(f"mean AUC {useless.mean():.3f}; mean of max(AUC, 1 - AUC) {turned.mean():.3f}")
assert abs(useless.mean() - 0.5) < 0.015 and turned.mean() > 0.58

# %% [markdown]
# One more way to be wrong: an AUC of **0/1 predictions**. One threshold leaves one inner point, with false positive
# rate $f$ (that is, 1 − specificity) and sensitivity $r$, and below it two trapezoids:
#
# $$\tfrac12 f\,r+\tfrac12(r+1)(1-f)=\tfrac12(r+1-f)=\tfrac12(\text{sensitivity}+\text{specificity}) .$$
#
# That is the balanced accuracy under another name.

# %%
y, s = binormal(400, 1600)
cut = (s >= 2).astype(int)
print(f"AUC of the scores {sk.roc_auc_score(y, s):.3f}, 'AUC' of the calls {sk.roc_auc_score(y, cut):.3f},", end=" ")
print(f"balanced accuracy {sk.balanced_accuracy_score(y, cut):.3f}")
assert abs(sk.roc_auc_score(y, cut) - sk.balanced_accuracy_score(y, cut)) < 1e-12
assert sk.roc_auc_score(y, s) - sk.roc_auc_score(y, cut) > 0.1

# %% [markdown]
# Give `roc_auc_score` probabilities or scores (`predict_proba`, `decision_function`), never the result of `predict`.

# %% [markdown]
# ## Is a positive test right?
# Sensitivity looks from the illness to the test: P(positive | ill). The patient with a positive test asks the other way
# round: P(ill | positive).
#
# **Predict:** the screening test of the first section has sensitivity 0.9 and specificity 0.9. It moves to a referral
# clinic, where half of the patients are ill. There somebody has a positive result. How likely is this person ill? And
# how likely was it in the programme? Say two numbers before you read on.
#
# Count people, in both places:
#
# | of 10,000 | ill | ill and positive | healthy and positive | ill among the positive |
# |---|---|---|---|---|
# | a referral clinic, [prevalence](glossary:prevalence) 50 % | 5,000 | 4,500 | 500 | 4,500 / 5,000 = 0.90 |
# | a screening programme, prevalence 0.5 % | 50 | 45 | 995 | 45 / 1,040 = 0.043 |
#
# The same test. Nine in ten positives are right in the clinic; in the programme, about 23 of 24 are false alarms.
# Counting people like this, in *natural frequencies*, gets more people to the right answer than probabilities do
# ([Gigerenzer and Hoffrage 1995](https://doi.org/10.1037/0033-295X.102.4.684)).
#
# ### Exercise: the positive predictive value
# Turn the counting into a formula for any prevalence.


# %% tags=["exercise"]
def positive_predictive_value(sensitivity, specificity, prevalence):
    """Return the probability that a person with a positive test is ill."""
    return ...  # your code


# %% tags=["check"]
ex.positive_predictive_value.check(positive_predictive_value)

# %% [markdown]
# What you wrote is **Bayes' theorem**. It is shorter in odds, $\text{odds}=p/(1-p)$. Divide P(ill | positive) by
# P(healthy | positive); the denominator is the same and falls away:
#
# $$\underbrace{\frac{P(\text{ill}\mid+)}{P(\text{healthy}\mid+)}}_{\text{odds after}}
# =\underbrace{\frac{P(\text{ill})}{P(\text{healthy})}}_{\text{odds before}}\times
# \underbrace{\frac{P(+\mid\text{ill})}{P(+\mid\text{healthy})}}_{LR_+} .$$
#
# The [likelihood ratio](glossary:likelihood-ratio) is what the test itself brings; the odds before are the place's. A
# negative result multiplies by $LR_-$ in the same way:
#
# $$LR_+=\frac{\text{sensitivity}}{1-\text{specificity}},\qquad LR_-=\frac{1-\text{sensitivity}}{\text{specificity}} .$$
#
# **Predict:** $LR_+$ of our test? And the prevalence at which half of the positives are right?


# %%
def after_test(prevalence, ratio):
    """Return the probability of being ill after a result with this likelihood ratio."""
    odds = prevalence / (1 - prevalence) * ratio
    return odds / (1 + odds)


positive, negative = 0.9 / (1 - 0.9), (1 - 0.9) / 0.9
print(f"LR+ {positive:.1f}, LR- {negative:.3f}")
for prevalence in (0.5, 0.1, 0.005):
    ill_if_positive, healthy_if_negative = after_test(prevalence, positive), 1 - after_test(prevalence, negative)
    print(f"prevalence {prevalence:5.1%}: PPV {ill_if_positive:.3f}, NPV {healthy_if_negative:.4f}")
assert abs(after_test(0.005, positive) - 45 / 1040) < 1e-12 and abs(after_test(0.1, positive) - 0.5) < 1e-12

# %% tags=["hide-input"]
prevalence = np.geomspace(0.001, 0.99, 200)
figure, axes = plt.subplots(figsize=(7.5, 4))
axes.semilogx(100 * prevalence, after_test(prevalence, positive), label="PPV: ill, if positive")
axes.semilogx(100 * prevalence, 1 - after_test(prevalence, negative), label="NPV: healthy, if negative")
for share, name in [(0.005, "screening"), (0.5, "clinic")]:
    axes.axvline(100 * share, color="0.5", linestyle=":", linewidth=1.2)
    axes.text(100 * share * 1.05, 0.62, name, rotation=90, color="0.3")
axes.set(xlabel="prevalence (%)", ylabel="predictive value", title="Sensitivity 0.9, specificity 0.9: one test")
axes.set_xticks([0.1, 0.5, 2, 10, 50], labels=["0.1", "0.5", "2", "10", "50"])
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.picture(
    figure,
    alt="Predictive values against prevalence on a logarithmic axis. The positive predictive value climbs from near 0 "
    "at 0.1 % through 0.04 at 0.5 % to 0.9 at 50 %. The negative predictive value stays near 1 and falls above 50 %.",
)

# %% [markdown]
# $LR_+=9$: odds before of 1 : 9, a prevalence of 10 %, give even odds. And mind the [negative predictive
# value](glossary:negative-predictive-value) in screening, 0.9994: it sounds splendid, and a test that always says
# "healthy" has 0.995 there.
#
# **A case-control study** takes, say, 200 ill and 200 healthy people. The investigator chose the prevalence, so the
# "PPV" of its table, 0.9 for our test, is that of a place where half are ill, and of no other. The study can give
# sensitivity, specificity and likelihood ratios; the prevalence must come from elsewhere. Most image collections for
# machine learning are like that: balanced, or enriched with the ill.
#
# And "the same test" is a supposition. The ill who come to screening often have smaller tumours than those in the
# clinic, and the healthy in the clinic have other illnesses. Sensitivity and specificity change with the **spectrum**
# of patients ([Ransohoff and Feinstein 1978](https://doi.org/10.1056/NEJM197810262991705)). Bayes' theorem moves the
# prevalence, and nothing else.

# %% [markdown]
# ## Precision, recall and prevalence
# The ROC curve is made of two shares *within* the ill and *within* the healthy. How many of each there are does not
# enter: it is the same at every prevalence. The precision-recall curve puts precision,
# $\text{TP}/(\text{TP}+\text{FP})$, over recall. It mixes both groups, so the prevalence is in it. Calling by lot has
# the prevalence as its precision, as you saw: that is the **baseline**.
#
# **Predict:** the same simulated test, once at 50 % and once at 0.5 %. Sketch both ROC curves, and both
# precision-recall curves.

# %%
places = {"50 %": binormal(1000, 1000, d=2), "0.5 %": binormal(1000, 199_000, d=2)}
for name, (y, s) in places.items():
    auc, precision = sk.roc_auc_score(y, s), sk.average_precision_score(y, s)
    print(f"prevalence {name:5s}: AUC {auc:.3f}, average precision {precision:.3f}, baseline {y.mean():.3f}")
aucs = [sk.roc_auc_score(y, s) for y, s in places.values()]
precisions = [sk.average_precision_score(y, s) for y, s in places.values()]
assert abs(aucs[0] - aucs[1]) < 0.02 and precisions[0] > 0.9 and precisions[1] < 0.25

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2))
for name, (y, s) in places.items():
    false_positive_rate, sensitivity, _ = sk.roc_curve(y, s)
    (drawn,) = left.plot(false_positive_rate, sensitivity, label=f"prevalence {name}")
    precision, recall, _ = sk.precision_recall_curve(y, s)
    style = {"color": drawn.get_color(), "linestyle": drawn.get_linestyle()}
    right.step(recall, precision, where="post", label=f"prevalence {name}", **style)
    right.axhline(y.mean(), color=drawn.get_color(), linestyle=":", linewidth=1.2)
left.set(xlabel="false positive rate", ylabel="sensitivity", title="ROC")
right.set(xlabel="recall (sensitivity)", ylabel="precision (PPV)", ylim=(0, 1.02))
right.set_title("Precision-recall (dotted: baseline)")
left.legend(loc="lower right")
right.legend(loc="upper right", bbox_to_anchor=(1, 0.48))
plots.picture(
    figure,
    alt="Left: the ROC curves of the same simulated test at prevalence 50 % and 0.5 % lie on each other. Right: the "
    "precision-recall curve at 50 % stays high; at 0.5 % it is ragged at first, and below 0.1 from recall 0.6 on. "
    "Dotted baselines stand at the prevalences.",
)

# %% [markdown]
# The ROC curves coincide, up to chance. The precision-recall curves are of two worlds, though nothing about the test
# has changed. For rare findings the second picture is the one that a radiologist feels: how many marks must I look at
# for one that counts? ([Saito and Rehmsmeier 2015](https://doi.org/10.1371/journal.pone.0118432).)
#
# Its area is summed up as [average precision](glossary:average-precision): go down the distinct scores, and add
# precision times the recall that was gained,
#
# $$\text{AP}=\sum_k (R_k-R_{k-1})\,P_k ,$$
#
# with $R_k$ the recall and $P_k$ the precision at the $k$-th score from above, and $R_0=0$. That is the mean precision
# over the ill, each at the highest threshold that finds them. A model that knows nothing has the prevalence as its
# precision everywhere, so its AP is about the **prevalence**, not 0.5. An AP of 0.2 can be poor or excellent, and two
# APs from places with different prevalence cannot be compared. (Trapezoids are wrong here: between two thresholds
# precision does not run along a straight line, [Davis and Goadrich 2006](https://doi.org/10.1145/1143844.1143874).)
#
# ### Exercise (further): average precision
# Write the sum; tied patients come at once.


# %% tags=["exercise"]
def average_precision(labels, scores):
    """Return the sum of (gain in recall) * precision over the distinct scores, high to low."""
    return ...  # your code


# %% tags=["check"]
ex.average_precision.check(average_precision)

# %% [markdown]
# ### Everything at once
# Now put it together. The cost of a threshold, per person at prevalence $\pi$ and with the false positive rate FPR, is
#
# $$c_\text{FP}\,(1-\pi)\,\text{FPR}+c_\text{FN}\,\pi\,(1-\text{sensitivity}) .$$
#
# Hold the cost fixed and solve for the sensitivity: in the ROC plane, points of equal cost lie on a straight line of
# slope
#
# $$\frac{c_\text{FP}}{c_\text{FN}}\cdot\frac{1-\pi}{\pi} ,$$
#
# and a higher line is a cheaper one. The best threshold is where the highest such line still touches the curve.
# ("Youden's index", sensitivity + specificity − 1, is the case of slope 1: it supposes that
# $c_\text{FN}\,\pi=c_\text{FP}(1-\pi)$, and seldom says so.)
#
# Below are simulated scores, exactly as in theory, for 10,000 people. The dashed line of equal cost runs through the
# threshold you set. Move the threshold until the line only touches the curve and nowhere cuts it: there the cost is
# lowest.
#
# **Predict:** go from a prevalence of 50 % to 0.5 %. Which curve stays as it is? And at 0.5 %, how dear must a miss be
# before the cost has a dip that you can see, that is, before the test is worth its false alarms?

# %%
widgets.explore_thresholds()

# %%
t = np.linspace(-4, 6, 1001)
false_alarms, misses = 9950 * stats.norm.sf(t), 50 * stats.norm.cdf(t - 1.5)  # of 10,000 people, 50 of them ill
saved = {}
for ratio in (5, 10, 20, 50, 100):
    lowest = np.min(false_alarms + ratio * misses)
    saved[ratio] = 1 - lowest / (50 * ratio)
    print(f"cost ratio {ratio:3d}: calling nobody {50 * ratio:4d}, best threshold {lowest:4.0f}: {saved[ratio]:.0%} less")
assert saved[10] < 0.06 and saved[50] > 0.2

# %% [markdown]
# The ROC curve stays; precision, counts and costs all change. At 0.5 % a miss must cost some 50 false alarms before the
# dip is plain. With a ratio of 10 or less, the best this test can do is hardly better than not testing.

# %% [markdown]
# ## Can you believe 80 %?
# The formula for the threshold needs probabilities that are right. A model is **calibrated** if, among all patients to
# whom it gives $q$, the share $q$ is ill: $P(y=1\mid p=q)=q$. That is [calibration](glossary:calibration), and it has
# nothing to do with ranking. Three simulated models of the same 5,000 patients:
#
# - *calibrated* gives the true chance.
# - *overconfident* multiplies its log-odds $z=\log\frac{p}{1-p}$ by 2.5.
# - *one for all* gives everybody the same number, the share of ill in the training set.
#
# **Predict:** which has the best AUC? Which has the smallest error of calibration?

# %%
from scipy.special import expit, logit  # logit: the log-odds of p; expit turns them back into p

ill, chance = simulate(5000)
models = {
    "calibrated": chance,
    "overconfident": expit(2.5 * logit(chance)),
    "one for all": np.full(5000, simulate(5000)[0].mean()),
}
for name, p in models.items():
    error = float(metrics.expected_calibration_error(ill, p))
    print(f"{name:14s} AUC {sk.roc_auc_score(ill, p):.3f}   expected calibration error {error:.3f}")
assert sk.roc_auc_score(ill, models["overconfident"]) == sk.roc_auc_score(ill, chance) and error < 0.03


# %% tags=["hide-input"]
def draw_reliability(axes, labels, probabilities, title, *, patients=None, **options):
    """Draw what was observed, with its intervals, against what was predicted; the counts below."""
    curve = metrics.calibration_curve(labels, probabilities, patients=patients, **options)
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1.2, label="calibrated")
    heights = np.clip([curve.observed - curve.low, curve.high - curve.observed], 0, None)
    style = {"marker": "o", "markersize": 5, "capsize": 3, "linestyle": "-", "linewidth": 1.2}
    style |= {"color": plots.COLOURS["blue"], "label": "observed, 95 % CI"}
    axes.errorbar(curve.predicted, curve.observed, yerr=heights, **style)
    counts = axes.twinx()
    counts.hist(probabilities, bins=np.linspace(0, 1, 21), color=plots.COLOURS["orange"], alpha=0.35)
    counts.set(ylim=(0, 4 * np.histogram(probabilities, bins=20, range=(0, 1))[0].max()), yticks=[])
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability", ylabel="share of ill", title=title)


figure, axes = plt.subplots(1, 3, figsize=(10, 3.7))
for ax, (name, p) in zip(axes, models.items()):
    draw_reliability(ax, ill, p, name)
axes[0].legend(loc="upper left")
plots.picture(
    figure,
    alt="Three reliability diagrams of simulated models, with a histogram of the predictions below. Calibrated: the "
    "points lie on the diagonal. Overconfident: above it for low predictions, below it for high ones. One for all: a "
    "single point on the diagonal.",
)

# %% [markdown]
# These are **reliability diagrams**: patients in bins of like probability, the observed share of ill against the mean
# prediction; in orange, how many patients got which prediction. The first two models have the **same** AUC: a rising
# function does not change the order. The third has an AUC of 0.5, and its calibration is nearly perfect.
#
# The [expected calibration error](glossary:expected-calibration-error) (ECE) turns the diagram into a number: the gap
# between the two means in each bin, averaged over the patients,
#
# $$\text{ECE}=\sum_b\frac{n_b}{n}\,\bigl|\,\bar p_b-\bar y_b\,\bigr| .$$
#
# ### Exercise: the expected calibration error
# With bins of equal width.


# %% tags=["exercise"]
def calibration_error(labels, probabilities, num_bins):
    """Return the expected calibration error."""
    return ...  # your code


# %% tags=["check"]
ex.calibration_error.check(calibration_error)

# %% [markdown]
# ECE has three flaws. You have met the first: a useless model can have an ECE near 0. The second: it depends on the
# bins. The third: it is **biased**. In a bin of a perfectly calibrated model, $\sum(p_i-y_i)$ has mean 0, but still a
# variance of $\sum p_i(1-p_i)$. The absolute value turns this noise into error: if $x$ is normal with mean 0 and
# variance $v$, the mean of $|x|$ is $\sqrt{2v/\pi}$. So even perfect models have an ECE of about
#
# $$\sqrt{\frac2\pi}\;\frac1n\sum_b\sqrt{\sum_{i\in b}p_i(1-p_i)} .$$
#
# The sums under the roots grow with $n$, so all of it falls with $1/\sqrt n$ only.
#
# **Predict:** the mean ECE of a perfect model on 100 patients, with ten bins?


# %%
def ece(labels, probabilities, num_bins=10):
    place = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
    gaps = np.bincount(place, weights=probabilities - labels, minlength=num_bins)
    return np.abs(gaps).sum() / len(labels)


assert abs(ece(ill, chance) - float(metrics.expected_calibration_error(ill, chance))) < 1e-12
sizes = [50, 100, 200, 500, 1000, 2000, 5000]
perfect = [np.mean([ece(*simulate(n)) for _ in range(200)]) for n in sizes]
slope = np.polyfit(np.log(sizes), np.log(perfect), 1)[0]
print(f"a perfect model: mean ECE {perfect[1]:.3f} on 100 patients, {perfect[-1]:.3f} on 5,000; falls as n^{slope:.2f}")
by_bins = {name: [ece(ill[:500], p[:500], bins) for bins in range(2, 51)] for name, p in models.items()}
least, most = min(by_bins["calibrated"]), max(by_bins["calibrated"])
print(f"the perfect model on 500 patients: ECE {least:.3f} to {most:.3f}, according to the bins")
assert abs(slope + 0.5) < 0.06 and most > 2 * least

# %%
def ece_of_noise(chance, num_bins=10):
    """Return the ECE that chance alone gives to right probabilities."""
    place = np.minimum((chance * num_bins).astype(int), num_bins - 1)
    variance = np.bincount(place, weights=chance * (1 - chance))
    return np.sqrt(2 / np.pi) * np.sqrt(variance).sum() / len(chance)


for n, measured in zip(sizes, perfect):
    if n in (100, 5000):
        theory = np.mean([ece_of_noise(simulate(n)[1]) for _ in range(200)])
        print(f"{n:5d} patients: ECE {measured:.4f} measured, {theory:.4f} by the formula")
        assert abs(measured / theory - 1) < 0.15

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4))
for name, values in by_bins.items():
    left.plot(range(2, 51), values, label=name)
left.set(xlabel="number of bins", ylabel="ECE", ylim=(0, None), title="500 simulated patients")
left.legend()
right.loglog(sizes, perfect, marker="o", label="mean ECE of 200 studies")
right.loglog(sizes, perfect[0] * np.sqrt(50 / np.array(sizes)), label=r"$\propto 1/\sqrt{n}$")
right.set(xlabel="number of patients n", ylabel="ECE of a perfect model", title="The truth is 0")
right.set_xticks([50, 200, 1000, 5000], labels=["50", "200", "1,000", "5,000"])
right.set_yticks([0.01, 0.02, 0.04, 0.08], labels=["0.01", "0.02", "0.04", "0.08"])
right.minorticks_off()
right.set_ylim(0.007, 0.11)
right.legend()
plots.picture(
    figure,
    alt="Left: ECE against the number of bins on 500 simulated patients. The overconfident model lies highest; the "
    "perfect one climbs with the bins; one for all is near zero for any number. Right: the mean ECE of a perfect model "
    "falls along a line of 1/sqrt(n), from about 0.08 at 50 patients to 0.01 at 5,000.",
)

# %% [markdown]
# An ECE without the number of patients and bins means little, and two of them can be compared only on the same
# patients with the same bins. The **[Brier score](glossary:brier-score)** needs no bins: $\frac1n\sum(p_i-y_i)^2$, the
# squared error of the probability (lesson 03: a proper scoring rule). What does it measure? Sort the patients by their
# distinct predictions $p_k$, with $n_k$ patients each and $\bar y_k$ of them ill. Within a group, $y_i$ spreads around
# $\bar y_k$ with variance $\bar y_k(1-\bar y_k)$, so
#
# $$\text{Brier}=\sum_k\tfrac{n_k}{n}\Bigl[(p_k-\bar y_k)^2+\bar y_k(1-\bar y_k)\Bigr]$$
#
# $$=\underbrace{\sum_k\tfrac{n_k}{n}(p_k-\bar y_k)^2}_{\text{reliability}}
# -\underbrace{\sum_k\tfrac{n_k}{n}(\bar y_k-\bar y)^2}_{\text{resolution}}
# +\underbrace{\bar y(1-\bar y)}_{\text{uncertainty}} ,$$
#
# because the variance of $y$, $\bar y(1-\bar y)$, is the part between the groups plus the part within. Reliability is
# the error of calibration, and less is better; resolution is how far the groups differ, and more is better; the
# uncertainty is the patients', not the model's ([Murphy
# 1973](https://doi.org/10.1175/1520-0450%281973%29012%3C0595:ANVPOT%3E2.0.CO;2)). Below, the predictions are rounded
# first, so that groups exist; with bins of unequal predictions the identity holds only nearly.


# %%
def brier_parts(labels, probabilities):
    reliability = resolution = 0
    for p in np.unique(probabilities):
        inside = probabilities == p
        share, observed = inside.mean(), labels[inside].mean()
        reliability += share * (p - observed) ** 2
        resolution += share * (observed - labels.mean()) ** 2
    return reliability, resolution, labels.mean() * (1 - labels.mean())


# %%
print(f"{'':16s}  Brier = reliability - resolution + uncertainty")
for name, p in models.items():
    p = np.round(20 * p) / 20  # few distinct values: 0, 0.05, 0.10 ...
    brier, parts = np.mean((p - ill) ** 2), brier_parts(ill, p)
    assert abs(brier - (parts[0] - parts[1] + parts[2])) < 1e-12
    print(f"{name:14s} {brier:8.4f} {parts[0]:12.4f} {parts[1]:12.4f} {parts[2]:12.4f}")
assert parts[0] < 0.001 and parts[1] == 0  # one for all

# %% [markdown]
# One for all has next to no error of reliability, and no resolution at all: now you see why ECE liked it. The
# uncertainty depends on the prevalence. So a Brier score of 0.01 is no achievement where 1 % is ill: always saying 1 %
# has 0.0099.

# %% [markdown]
# ## Mending the probabilities
# Calibration can often be mended without touching the ranking. **[Temperature scaling](glossary:temperature-scaling)**
# divides every log-odds by one number $T$, fitted on validation patients: $p=\sigma(z/T)$, with $\sigma$ the sigmoid.
# With $\beta=1/T$, minimise the log loss (lesson 03), and differentiate it twice:
#
# $$L(\beta)=\sum_i\bigl[\log(1+e^{\beta z_i})-y_i\,\beta z_i\bigr],$$
#
# $$L'(\beta)=\sum_i\bigl(\sigma(\beta z_i)-y_i\bigr)z_i,\qquad
# L''(\beta)=\sum_i\sigma(\beta z_i)\bigl(1-\sigma(\beta z_i)\bigr)z_i^2\ge0 .$$
#
# The second derivative is never negative, so $L$ has a single valley. Newton's steps, $\beta\leftarrow\beta-L'/L''$,
# go down to its lowest point. (If the log-odds part ill and healthy perfectly, there is none: $\beta$ grows for ever.)
# And since $z/T$ rises with $z$ for every $T>0$, no pair changes its order: the AUC **cannot** change.
#
# **Predict:** we know that the overconfident model multiplied by 2.5. Which $T$ comes out? Do the calls at 0.5 change?
# Do the calls at 1/21?


# %%
def temperature(labels, logits):
    """Return the T of least log loss, by Newton's steps on beta = 1 / T."""
    beta = 1.0
    for _ in range(50):
        p = expit(beta * logits)
        step = np.sum((p - labels) * logits) / np.sum(p * (1 - p) * logits**2)
        beta = max(beta - step, beta / 2)  # stay above 0
    return 1 / beta


validation_ill, validation_chance = simulate(1000)
T = temperature(validation_ill, 2.5 * logit(validation_chance))
logits = 2.5 * logit(chance)  # of the 5,000 test patients
before, after = expit(logits), expit(logits / T)
print(f"T = {T:.2f}, fitted on 1,000 simulated validation patients")

# %%
for name, score in {"AUC": metrics.auc_score, "Brier": metrics.brier_score}.items():
    print(f"{name:5s} {score(ill, before):.3f}\n   -> {score(ill, after):.3f}")
print(f"ECE   {ece(ill, before):.3f} -> {ece(ill, after):.3f}")
for t in (0.5, 1 / 21):
    costs = [mean_cost(ill, p >= t, miss=(1 - t) / t) for p in (before, after)]  # the prices for which t is best
    changed = np.sum((before >= t) != (after >= t))
    print(f"threshold {t:.3f}: {changed} calls change; cost {costs[0]:.3f} -> {costs[1]:.3f}")
assert sk.roc_auc_score(ill, before) == sk.roc_auc_score(ill, after)
assert 2 < T < 3 and np.all((before >= 0.5) == (after >= 0.5)) and costs[1] < costs[0]

# %% [markdown]
# $T$ comes out near 2.5. The AUC is the same to the last digit, and so is every call at 0.5, because $z/T\ge0$ exactly
# when $z\ge0$. At 1/21 many calls change, and the cost falls: where prices are unequal, calibration is money. ([Guo et
# al. 2017](https://doi.org/10.48550/arXiv.1706.04599) found that networks of their time were overconfident, and that
# one temperature mended most of it.)
#
# **Another prevalence** is another illness of probabilities. Suppose a model was trained on half ill, half healthy,
# and is used where 5 % are ill. By Bayes the odds are prior odds times a likelihood ratio, and only the prior odds
# change.
#
# ### Exercise (further): move the prevalence
# Carry calibrated probabilities from one prevalence to another. (What a finding says about ill and healthy stays the
# same.)


# %% tags=["exercise"]
def move_prevalence(probabilities, old, new):
    """Return the probabilities for a population of prevalence `new`."""
    return ...  # your code


# %% tags=["check"]
ex.move_prevalence.check(move_prevalence)

# %% [markdown]
# In log-odds it is a **shift**:
# $z_\text{new}=z+\log\frac{\pi_\text{new}}{1-\pi_\text{new}}-\log\frac{\pi_\text{old}}{1-\pi_\text{old}}$ ([Saerens et
# al. 2002](https://doi.org/10.1162/089976602753284446)). Simulated: scores $s$, normal and $d=1.5$ apart. The
# likelihood ratio of a score is that of the two densities, $e^{-(s-d)^2/2}/e^{-s^2/2}=e^{ds-d^2/2}$. At a prevalence
# of 50 % the prior odds are 1, so the log-odds are $z=ds-d^2/2$.
#
# **Predict:** can a temperature mend a wrong prevalence?

# %%
y, s = binormal(500, 9500)  # 5 % ill
z_half = 1.5 * s - 1.5**2 / 2  # calibrated where half of the people are ill
z_moved = z_half + logit(0.05) - logit(0.5)
T = temperature(y, z_half)
versions = {"as trained, at 50 %": z_half, f"best temperature, {T:.2f}": z_half / T, "shifted to 5 %": z_moved}
for name, z in versions.items():
    p = expit(z)
    cost = mean_cost(y, p >= 1 / 11, miss=10)
    print(f"{name:22s} mean prediction {p.mean():.3f}, ill {y.mean():.3f}; ECE {ece(y, p):.3f}; cost {cost:.3f}")
assert ece(y, expit(z_moved)) < 0.02 < 0.1 < min(ece(y, expit(z_half)), ece(y, expit(z_half / T)))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.7))
for ax, (name, z) in zip(axes, versions.items()):
    draw_reliability(ax, y, expit(z), name)
axes[0].legend(loc="upper left")
plots.picture(
    figure,
    alt="Reliability diagrams at a prevalence of 5 %. The model trained at 50 % lies far below the diagonal. With the "
    "best temperature it does so too. Shifted by the log-odds, the points lie on the diagonal.",
)

# %% [markdown]
# No. A temperature stretches or shrinks the log-odds about 0 and cannot shift them, so even the best one, fitted here
# on the very patients it is judged on, leaves nearly the whole error. The shift mends it with no fitting at all,
# **if** only the prevalence changed. Whoever trains with weights or with a balanced sample needs it (lesson 03). If
# several things changed at once, fit slope and intercept on local patients: that is Platt's scaling, a logistic
# regression of $y$ on $z$.

# %% [markdown]
# ## More than two classes
# A table of three classes, made up:
#
# | | called benign | called indeterminate | called malignant |
# |---|---|---|---|
# | **900 benign** | 880 | 15 | 5 |
# | **80 indeterminate** | 30 | 45 | 5 |
# | **20 malignant** | 4 | 6 | 10 |
#
# For each class against the rest there are TP (on the diagonal), FN (the rest of its row) and FP (the rest of its
# column). Then there are two ways to one number. **[Macro](glossary:macro-average)**: compute the score for each
# class, and take the mean; every class counts the same. **Micro**: add up the counts of all classes first, then
# compute; every *patient* counts the same.
#
# Where each patient has exactly one label, every mistake is one FN (of the true class) and one FP (of the called
# class). So $\sum\text{FN}=\sum\text{FP}$, and micro precision, micro recall and micro F1 are all the same number: the
# **accuracy**.
#
# **Predict:** accuracy and macro recall of this table? Which one does the malignant class move?

# %%
confusion = np.array([[880, 15, 5], [30, 45, 5], [4, 6, 10]])
truth = np.repeat(np.repeat(np.arange(3), 3), confusion.ravel())
calls = np.repeat(np.tile(np.arange(3), 3), confusion.ravel())
recall = np.diag(confusion) / confusion.sum(axis=1)
print("recall of each class", recall.round(3), f"macro {recall.mean():.3f}")
print("accuracy", np.trace(confusion) / confusion.sum())
for score in (sk.precision_score, sk.recall_score, sk.f1_score):
    assert abs(score(truth, calls, average="micro") - sk.accuracy_score(truth, calls)) < 1e-12
assert abs(sk.recall_score(truth, calls, average="macro") - recall.mean()) < 1e-12
assert abs(sk.balanced_accuracy_score(truth, calls) - recall.mean()) < 1e-12

# %% [markdown]
# 0.935 and 0.680. Half of the malignant are missed, and the accuracy hardly notices. The macro recall is also called
# balanced accuracy. But the mean of three classes gives 20 patients a third of the say, and most of its uncertainty
# comes from them.
#
# ### Exercise (further): macro F1
# From the table alone.


# %% tags=["exercise"]
def macro_f1(table):
    """Return the mean of the classes' F1."""
    return ...  # your code


# %% tags=["check"]
ex.macro_f1.check(macro_f1)

# %% [markdown]
# Two different things are called macro F1: the mean of the classes' F1, as here and in scikit-learn, and the F1 of the
# mean precision and the mean recall ([Opitz and Burst 2019](https://doi.org/10.48550/arXiv.1911.03347)). Say which.
# Better still, show every class, with its interval:

# %%
print(metrics.classification_report(truth, calls, class_names=["benign", "indeterminate", "malignant"]))
print(f"macro F1 by scikit-learn: {sk.f1_score(truth, calls, average='macro'):.3f}")

# %% [markdown]
# ## Real patients
# **Breast cytology**, for everybody: 569 fine-needle aspirates, one per patient, 212 malignant. With the size of the
# nuclei among the features the task is nearly solved: the authors report an accuracy of 97 % by cross-validation
# ([Wolberg et al. 1994](https://doi.org/10.1016/0304-3835(94)90099-X)). So that errors remain to be studied, we take
# three features that do not say how large the nuclei are or how deeply they are dented: the means of texture (spread
# of the grey values), smoothness (local variation of the radius) and symmetry.
#
# The split is by patient: half for training, a quarter for validation, a quarter for testing. A missed cancer costs as
# much as 10 false alarms.
#
# **Predict:** the threshold by the formula? Will the cheapest one on 142 validation patients be near it?

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

chosen = [cytology.feature_names.index(f"mean {name}") for name in ("texture", "smoothness", "symmetry")]
x, y, patients = cytology.features[:, chosen], cytology.labels, np.array(cytology.patients)
train, validation, test = data.split_by_patient(patients, fractions=(0.5, 0.25, 0.25), labels=y)
data.assert_no_patient_overlap(patients[train], patients[validation], patients[test])
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[train], y[train])
p_validation, p_test = (model.predict_proba(x[part])[:, 1] for part in (validation, test))


def cheapest(labels, probabilities, miss):
    """Return the cheapest threshold on these patients."""
    thresholds = np.append(np.unique(probabilities), np.inf)
    return thresholds[np.argmin(cost_curve(labels, probabilities, thresholds, miss))]


# %%
by_formula, by_validation = 1 / 11, cheapest(y[validation], p_validation, 10)
print(f"threshold by the formula {by_formula:.3f}, cheapest on the validation patients {by_validation:.3f}")


# %%
def report(labels, probabilities, threshold, patients, *, miss=10, unit="patient"):
    """Print the scores of test patients with their intervals, and return the cost."""
    called, options = (probabilities >= threshold).astype(int), {"patients": patients}
    results = {
        "AUC": metrics.auc_score(labels, probabilities, **options),
        "sensitivity": metrics.sensitivity_score(labels, called, **options),
        "specificity": metrics.specificity_score(labels, called, **options),
        "precision (PPV)": metrics.precision_score(labels, called, **options),
        "average precision": metrics.average_precision_score(labels, probabilities, **options),
    }
    cost = metrics.bootstrap(lambda y, c: mean_cost(y, c == 1, miss=miss), labels, called, **options)
    results["cost (false alarms)"] = cost
    for name, estimate in results.items():
        print(f"{name:20s} {estimate.counted_in(unit)}")
    return cost


# %%
print(f"{len(test)} test patients, {y[test].mean():.0%} malignant; threshold {by_validation:.3f} from validation")
cost = report(y[test], p_test, by_validation, patients[test])

# %%
print(f"calling everybody costs {np.mean(y[test] == 0):.2f}, calling nobody {10 * y[test].mean():.2f} per patient")


def dearer(labels, called):
    """Return by how much the calls cost more than calling everybody, on the same patients."""
    return mean_cost(labels, called == 1, miss=10) - np.mean(labels == 0)


called = (p_test >= by_validation).astype(int)
difference = metrics.bootstrap(dearer, y[test], called, patients=patients[test])
print("model less everybody", difference)
on_validation = mean_cost(y[validation], p_validation >= by_validation, miss=10)
print(f"the same threshold on the validation patients that chose it: {on_validation:.2f}")
missed = [np.sum(p[y[part] == 1] < by_validation) for p, part in [(p_validation, validation), (p_test, test)]]
print(f"ill below the threshold: {missed[0]} of the validation patients, {missed[1]} of the test patients")
assert difference.low < 0 < difference.high and on_validation < cost.low

# %%
print("Brier score", metrics.brier_score(y[test], p_test, patients=patients[test]))
T = temperature(y[validation], logit(p_validation))
options = {"num_bins": 5, "patients": patients[test]}
errors = [metrics.expected_calibration_error(y[test], p, **options) for p in (p_test, expit(logit(p_test) / T))]
print(f"temperature {T:.2f} from validation: ECE {errors[0]:.3f}\n{'':27s} -> {errors[1]:.3f}")
assert abs(T - 1) < 0.2 and errors[0].low < 0.005 and errors[0].high > 2 * errors[0].value

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.4))
curve = metrics.roc_curve(y[test], p_test)
left.plot(curve.false_positive_rate, curve.sensitivity, label="142 test patients")
for name, t, marker in [("formula", by_formula, "o"), ("validation", by_validation, "D")]:
    place = [np.mean(p_test[y[test] == label] >= t) for label in (0, 1)]
    left.plot(*place, marker=marker, linestyle="none", markersize=9, label=f"threshold by {name}: {t:.2f}")
left.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1.2)
left.set(xlabel="false positive rate", ylabel="sensitivity", title="Three features, real patients")
left.legend(loc="lower right")
draw_reliability(right, y[test], p_test, "Reliability, five bins", num_bins=5)
plots.picture(
    figure,
    alt="Left: ROC curve of the 142 test patients with the two thresholds marked high up on it. Right: reliability "
    "diagram with five bins; the points lie near the diagonal, with wide intervals.",
)

# %% [markdown]
# Three things to see.
#
# - **A fair AUC, and no gain to be seen.** At this price and this prevalence the threshold lies so low that most benign
#   patients are called too. Sending *everybody* on costs about the same: the interval of the difference holds 0. The
#   AUC cannot tell you that, because it knows neither prices nor prevalence.
# - **A lucky threshold.** On the validation patients, who chose it, it looks far cheaper than on the test patients. No
#   ill one of the former lies below it; four of the latter do. The formula's threshold is lower, and where a model is
#   calibrated it is the steadier choice.
# - **Calibration cannot be judged on so few.** The intervals in the diagram are wide, and that of the ECE begins at 0
#   and ends at more than twice the value. The temperature is near 1: a logistic regression with three features hardly
#   overfits, so there was little to mend.
#
# Here is the explorer on the real **validation** patients (never on the test set). Set a prevalence of 35 % and a cost
# ratio of 10, and find the cheapest threshold. Raise the ratio to 200: why does the cheapest stay where it is? Then
# 0.5 %: at which ratios is calling nobody (right end) nearly the cheapest?

# %%
widgets.explore_thresholds(y[validation], p_validation)

# %% [markdown]
# It stays because all of these 53 ill patients lie above it: on them, no miss is left to pay for. That is 53 patients
# speaking, not the model. At 0.5 % little beats calling nobody until a miss costs some 50 false alarms.
#
# **Nodule candidates in chest CT**, where you have the LUNA16 crops ([Setio et al.
# 2017](https://doi.org/10.1016/j.media.2017.06.015)). The file does not name the patient. It runs scan by scan, so
# *blocks* of rows, each about two scans, stand in for patients: splits keep blocks whole, and intervals are over
# blocks. The last 15 % of the rows are the test set of lesson 06: nobody touches them here. The model is a logistic
# regression on seven simple features of a crop, trained with `class_weight="balanced"`, as many do: it believes that
# half of the candidates are nodules.


# %%
def simple_features(images_hu):
    """Return mean and spread of the HU in a core, a ring and a far ring, and the dense share of the far ring."""
    radius = np.hypot(*(np.indices((50, 50)) - 25))
    core, ring, far = (images_hu[:, (low <= radius) & (radius < high)] for low, high in [(0, 3), (3, 7), (9, 16)])
    columns = [f(zone, axis=1) for zone in (core, ring, far) for f in (np.mean, np.std)]
    return np.stack([*columns, np.mean(far > -300, axis=1)], axis=1)  # (n, 7)


# %%
have_crops = data.available("luna16_crops")
if have_crops:
    development, _ = data.load_luna16_crops().by_rows((0.85, 0.15))
    parts = development.by_rows((0.6, 0.2, 0.2))  # training, validation, test of this lesson
    data.assert_no_patient_overlap(*(part.blocks for part in parts))
    nodule_model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    nodule_model.fit(simple_features(parts[0].images_hu), parts[0].labels)
    z_validation, z_test = (nodule_model.decision_function(simple_features(part.images_hu)) for part in parts[1:])
    for name, part in zip(("training", "validation", "test"), parts):
        blocks = len(np.unique(part.blocks))
        print(f"{name:10s} {len(part):5d} crops, {blocks:3d} blocks, {part.labels.mean():.1%} nodules")
else:
    print("The LUNA16 crops are not in the cache and cannot be downloaded in this form; this part is left out.")

# %%
if have_crops:
    share = parts[0].labels.mean()
    z_moved, z_moved_validation = (z + logit(share) - logit(0.5) for z in (z_test, z_validation))
    threshold = cheapest(parts[1].labels, expit(z_moved_validation), 10)
    print(f"threshold by the formula {1 / 11:.3f}, cheapest on the validation rows {threshold:.3f}")
    report(parts[2].labels, expit(z_moved), threshold, parts[2].blocks, unit="block")
    nodules = parts[2].labels.mean()
    print(f"calling everybody costs {1 - nodules:.2f}, calling nobody {10 * nodules:.2f}")

# %%
if have_crops:
    T = temperature(parts[1].labels, z_moved_validation)
    steps = {"balanced": z_test, "shifted": z_moved, f"shifted, T = {T:.2f}": z_moved / T}
    for name, z in steps.items():
        brier = metrics.brier_score(parts[2].labels, expit(z), patients=parts[2].blocks)
        print(f"{name:18s} mean {expit(z).mean():.2f} for {parts[2].labels.mean():.2f};", end=" ")
        print(f"Brier {brier.counted_in('block'):.3f}")
    assert sk.roc_auc_score(parts[2].labels, z_test) == sk.roc_auc_score(parts[2].labels, z_moved)

# %% tags=["hide-input"]
if have_crops:
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.7))
    for ax, (name, z) in zip(axes, steps.items()):
        draw_reliability(ax, parts[2].labels, expit(z), name, patients=parts[2].blocks)
    axes[0].legend(loc="upper left")
    plots.picture(
        figure,
        alt="Reliability diagrams on the test rows. Balanced: far below the diagonal. Shifted: near the diagonal up to "
        "0.5, mostly below it above, with wide intervals. Shifted with a temperature: hardly different.",
    ).show()
    certain = np.argsort(z_test)
    nodules, others = certain[parts[2].labels[certain] == 1], certain[parts[2].labels[certain] == 0]
    shown = [nodules[-1], nodules[0], others[-1], others[0]]
    assert simple_features(parts[2].images_hu[nodules[:1]])[0, 0] < -700  # HU in the core of the lowest
    plots.show_slices(
        list(parts[2].images_hu[shown]),
        titles=[f"{('no nodule', 'nodule')[parts[2].labels[i]]}: p = {expit(z_moved[i]):.3f}" for i in shown],
        window_hu=(-600, 1500),
        alt="Four crops. The nodule with the highest probability is a white spot; the one with the lowest is a ring "
        "with a dark core. Of the rest, the highest is a round white spot, the lowest a dark wedge between white areas.",
    ).show()

# %% [markdown]
# The crops show, of each kind, the highest and the lowest probability. The nodule with the lowest is a ring: its core
# is air, and our features ask how dense the core is. Only a threshold that calls nearly every crop would find it, and
# no calibration changes that; a better model may (lesson 06).
#
# The balanced model overstates by far; the shift, computed from the training labels alone, mends most of it, and
# changes no pair. (Not all: look at the few crops above 0.5.) But look at what the prevalence in this file is:
# somebody drew about five other candidates for each nodule. In LUNA16's own list of 551,065 candidates 1,351 are
# labelled nodules.
#
# **Predict:** the same model on that whole list: which share of its marks would be nodules?

# %%
if have_crops:
    in_list, called = 1351 / 551_065, (expit(z_moved) >= threshold).astype(int)

    def ppv_in_list(labels, called):
        """Return the PPV at the prevalence of the whole list."""
        return after_test(in_list, called[labels == 1].mean() / called[labels == 0].mean())

    per_scan = (551_065 - 1351) / 888  # candidates that are no nodules, in each of the 888 scans
    crops = (parts[2].labels, called)
    ppv = metrics.bootstrap(ppv_in_list, *crops, patients=parts[2].blocks)
    alarms = metrics.bootstrap(lambda y, c: per_scan * c[y == 0].mean(), *crops, patients=parts[2].blocks)
    print(f"nodules among all candidates: {parts[2].labels.mean():.2%} here, {in_list:.2%} in the whole list")
    ppv_here = metrics.precision_score(*crops, patients=parts[2].blocks)
    print(f"nodules among the marks here: {ppv_here.counted_in('block')}")
    print(f"nodules among the marks there: {ppv.counted_in('block'):.4f}")
    print(f"false alarms per scan: {alarms.counted_in('block'):.0f}")
    assert ppv.high < 0.01

# %% [markdown]
# Where you have the crops, you see it: about one mark in 200, and hundreds of false alarms in each scan. Neither the
# model nor its threshold changed, only the prevalence: the same step as from the clinic to the screening programme.

# %% [markdown]
# ## What you may claim
# **You may claim**
# - The seven scores and the AUC equal scikit-learn's to $10^{-12}$ on the tables and scores that were tried.
# - In a thousand simulated studies of 100 patients, a threshold chosen on the test set made the reported cost lower
#   than the true one. That is a fact of such studies, not of one model.
# - For patients like these 569: three features of the nuclei rank malignant above benign with the AUC and the interval
#   that were printed. At the threshold that the validation patients chose, no saving over calling everybody was seen.
#
# **You may not claim**
# - That 142 patients show the model to be calibrated, or not: the intervals are too wide. Nor that it is no better than
#   calling everybody: the interval of the difference reaches far to both sides.
# - The PPV of the cytology model for another clinic. It holds for a series in which 37 % had cancer, and the split
#   kept that share.
# - That our features are worse than the authors' by the difference of two scores: their 97 % is an accuracy, on other
#   splits, and comes without an interval. Paired comparisons are in 05b.
# - A PPV for nodule candidates, from this file alone: it is a case-control sample. The numbers for the whole list
#   suppose that the crops are a fair draw of it, and that sensitivity and specificity carry over. The published
#   figure, over 95 % sensitivity at fewer than one false positive per scan for a combination of systems ([Setio et al.
#   2017](https://doi.org/10.1016/j.media.2017.06.015)), is about **scans**, and our model is nowhere near it.
# - An interval over **patients** there: blocks of rows stand in for them.
# - The price of a missed cancer. We wrote 10; that is not for a data scientist to decide.

# %% [markdown]
# ## Summary
# - Four counts, and all scores come from them. Say which axis is the truth, and which class is positive.
# - Accuracy counts the healthy. Balanced accuracy and MCC see through random calls; F1 depends on which class you name
#   first.
# - A threshold is a price: $t^*=c_\text{FP}/(c_\text{FP}+c_\text{FN})$ for calibrated probabilities; else the cheapest
#   on validation patients, never on the test set.
# - The AUC is the share of pairs in the right order, ties one half. Below 0.5 something is the wrong way round, or the
#   sample is small. Give it scores, not calls.
# - Sensitivity is not PPV. Odds after = odds before × likelihood ratio. A case-control study has no PPV.
# - The baseline of average precision is the prevalence.
# - ECE depends on the bins, is biased in small samples, and likes useless models. Brier = reliability − resolution +
#   uncertainty.
# - A temperature mends overconfidence, a shift of the log-odds mends the prevalence; neither touches the AUC.
# - Micro is the accuracy; macro gives every class the same say.
#
# ### Key terms
# [confusion matrix](glossary:confusion-matrix) · [accuracy](glossary:accuracy) · [balanced
# accuracy](glossary:balanced-accuracy) · [F1](glossary:f1-score) · [Matthews correlation
# coefficient](glossary:matthews-correlation-coefficient) · [threshold](glossary:threshold) · [ROC
# curve](glossary:roc-curve) · [likelihood ratio](glossary:likelihood-ratio) · [negative predictive
# value](glossary:negative-predictive-value) · [average precision](glossary:average-precision) ·
# [calibration](glossary:calibration) · [expected calibration error](glossary:expected-calibration-error) · [Brier
# score](glossary:brier-score) · [temperature scaling](glossary:temperature-scaling) · [macro
# average](glossary:macro-average)
#
# ### Further reading
# - Pauker SG, Kassirer JP. *Therapeutic decision making: a cost-benefit analysis.* New England Journal of Medicine
#   1975. <https://doi.org/10.1056/NEJM197507312930505>
# - Hanley JA, McNeil BJ. *The meaning and use of the area under a receiver operating characteristic (ROC) curve.*
#   Radiology 1982. <https://doi.org/10.1148/radiology.143.1.7063747>
# - Ransohoff DF, Feinstein AR. *Problems of spectrum and bias in evaluating the efficacy of diagnostic tests.* New
#   England Journal of Medicine 1978. <https://doi.org/10.1056/NEJM197810262991705>
# - Saito T, Rehmsmeier M. *The precision-recall plot is more informative than the ROC plot when evaluating binary
#   classifiers on imbalanced datasets.* PLOS ONE 2015. <https://doi.org/10.1371/journal.pone.0118432>
# - Vickers AJ, Elkin EB. *Decision curve analysis: a novel method for evaluating prediction models.* Medical Decision
#   Making 2006. <https://doi.org/10.1177/0272989X06295361>
# - Guo C, Pleiss G, Sun Y, Weinberger KQ. *On calibration of modern neural networks.* ICML 2017.
#   <https://doi.org/10.48550/arXiv.1706.04599>
# - Roelofs R, et al. *Mitigating bias in calibration error estimation.* AISTATS 2022.
#   <https://doi.org/10.48550/arXiv.2012.08668>
# - Van Calster B, et al. *Calibration: the Achilles heel of predictive analytics.* BMC Medicine 2019.
#   <https://doi.org/10.1186/s12916-019-1466-7>
# - Wolberg WH, Street WN, Mangasarian OL. *Machine learning techniques to diagnose breast cancer from image-processed
#   nuclear features of fine needle aspirates.* Cancer Letters 1994. <https://doi.org/10.1016/0304-3835(94)90099-X>
# - Setio AAA, et al. *Validation, comparison, and combination of algorithms for automatic detection of pulmonary
#   nodules in computed tomography images: the LUNA16 challenge.* Medical Image Analysis 2017.
#   <https://doi.org/10.1016/j.media.2017.06.015>
