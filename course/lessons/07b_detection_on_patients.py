# %% [markdown]
# In lesson 07a you built a detector. It reads a whole scan, and puts **marks** on it, each with a score. Now somebody
# asks: how good is it? "It finds 94 % of the nodules." With how many false alarms? "AUC 0.98." Over which patches? "One
# false alarm in eight scans." Who decided which alarms were false?
#
# In this lesson you write the rules of the count, draw the curve that detection is judged by, and put an interval on
# it. You put a second network behind the first, and measure what it removes. You see a classifier with an excellent AUC
# fail as a detector, and four radiologists disagree about what there is to find. At the end you are the radiologist: a
# hundred scans a day, one cancer among them, or none.
#
# The patients of the detector are simulated, and the text says so each time. The readers are real: those of LIDC-IDRI.
# The lesson takes two hours; exercises marked *further* come on top of that.

# %% [markdown]
# ## A mark, a nodule, a rule
# Whether a mark is right sounds like a matter of looking. It is a matter of **rules**, made before anybody looks. Here
# is a toy scan with three nodules, and seven marks of some detector. A fourth spot was seen by one reader of four; the
# study decided beforehand not to count it.

# %% tags=["hide-input"]
nodules_mm = np.array([[60.0, 80, 50], [180, 120, 60], [220, 60, 40]])
diameters_mm = np.array([20.0, 12.0, 8.0])
doubtful_mm, doubtful_diameters_mm = np.array([[90.0, 150, 55]]), np.array([10.0])
marks_mm = np.array([[66.0, 84, 52], [57, 78, 49], [120, 100, 50], [188, 126, 60], [180, 122, 63], [90, 151, 54],
                     [221, 61, 46]])  # fmt: skip
mark_scores = np.array([0.95, 0.80, 0.75, 0.70, 0.55, 0.50, 0.40])

figure, axes = plt.subplots(figsize=(8.5, 4.6))
for (x, y, z), d, name in zip(nodules_mm, diameters_mm, "ABC"):
    axes.add_patch(plt.Circle((x, y), d / 2, color=plots.COLOURS["sky blue"]))
    axes.annotate(f"{name}: {d:.0f} mm, z = {z:.0f}", (x, y - d / 2), (0, 6), textcoords="offset points", ha="center")
(x, y, z), d = doubtful_mm[0], doubtful_diameters_mm[0]
axes.add_patch(plt.Circle((x, y), d / 2, fill=False, linestyle=":"))
axes.annotate(f"not counted, z = {z:.0f}", (x, y - d / 2), (0, 6), textcoords="offset points", ha="center")
sides = [(14, -14), (-22, -2), (0, -16), (12, -10), (18, 6), (0, -22), (0, -20)]  # of the words, in points
for number, ((x, y, z), score, side) in enumerate(zip(marks_mm, mark_scores, sides), start=1):
    axes.plot(x, y, "+", color=plots.COLOURS["vermillion"], markersize=10, markeredgewidth=2)
    align = {0: "center"}.get(side[0], "left" if side[0] > 0 else "right")
    axes.annotate(f"mark {number}: {score:.2f}, z = {z:.0f}", (x, y), side, textcoords="offset points", fontsize=9,
                  ha=align, va="center")  # fmt: skip
axes.set(xlim=(5, 255), ylim=(168, 45), xlabel="x (mm)", ylabel="y (mm)", aspect="equal")
axes.set_title("A toy scan from above: nodules, and marks with score and height")
plots.picture(
    figure,
    alt="Three discs A, B and C of 20, 12 and 8 mm, a dotted circle that does not count, and seven crosses. Marks 1 "
    "and 2 lie in A, 5 in B, 6 in the dotted circle, 7 on C but 6 mm above its centre, 4 beside B, "
    "3 far from everything.",
)

# %% [markdown]
# **Predict:** how many of the three nodules are found? How many of the seven marks are false alarms? Write down both
# numbers before you read on.
#
# The rules of the LUNA16 challenge ([Setio and others 2017](https://doi.org/10.1016/j.media.2017.06.015)):
# 1. A mark **hits** a nodule if it lies nearer to its centre than the nodule's radius. In millimetres, in three
#    dimensions. This is the [hit criterion](glossary:hit-criterion).
# 2. Of several hits on a nodule, the one with the **best score** counts. The others are
#    [duplicates](glossary:duplicate-mark): neither true nor false.
# 3. Marks on findings that are **not counted** are neither true nor false. LUNA16 counts nodules of 3 mm or more that
#    at least three of the four readers marked. What fewer marked is too doubtful to blame or to praise a detector for.
# 4. Every other mark is a **false positive**. A nodule without a hit is **missed**.
#
# ### Exercise: the rules as code
# Label the marks of one scan. There is nothing to ignore here; a mark at exactly the radius is no hit.

# %% tags=["exercise"]
def label_marks(nodules_mm, diameters_mm, marks_mm, scores):
    """Return a list with "true", "duplicate" or "false" for each mark.

    nodules_mm has shape (nodule, 3), marks_mm (mark, 3); diameters_mm and scores have one entry for each.
    """
    return ...  # your code


# %% tags=["check"]
ex.label_marks.check(label_marks)

# %% [markdown]
# The library has the same rules, with the findings to ignore. It tells the fate of each mark.

# %% tags=["nbval-check-output"]
from medlearn import metrics

first_scan = metrics.match_detections(
    nodules_mm, diameters_mm, marks_mm, mark_scores,
    ignored_mm=doubtful_mm, ignored_diameters_mm=doubtful_diameters_mm,
)  # fmt: skip
for number, (kind, score) in enumerate(zip(first_scan.kinds, first_scan.scores), start=1):
    print(f"mark {number}, score {score:.2f}: {kind}")
print("missed:", ", ".join("ABC"[k] for k in first_scan.missed))

# %% [markdown]
# Two found, one missed, three false alarms. Mark 7 looks perfect from above. It lies 6 mm over the centre of a nodule
# with a radius of 4 mm: two slices away. Mark 4 lies beside B, nearer than its **diameter**.
#
# What would other rules have said? Each of these has been used somewhere.

# %% tags=["nbval-check-output"]
def count(scale=1.0, flat=False, extra=()):
    """Count the found and the false with another reach, without z, or with more kinds called false."""
    keep = np.array([1, 1, 0 if flat else 1])
    matched = metrics.match_detections(
        nodules_mm * keep, scale * diameters_mm, marks_mm * keep, mark_scores,
        ignored_mm=doubtful_mm * keep, ignored_diameters_mm=doubtful_diameters_mm,
    )  # fmt: skip
    return np.sum(matched.kinds == "true"), np.isin(matched.kinds, ["false", *extra]).sum()


rules = {"radius, in space": {}, "diameter": {"scale": 2.0}, "radius, seen from above": {"flat": True},
         "duplicates are false": {"extra": ["duplicate"]}, "nothing is ignored": {"extra": ["ignored"]}}  # fmt: skip
for name, options in rules.items():
    print("{:24s} found {} of 3, false {}".format(name, *count(**options)))
assert count() == (2, 3) and count(scale=2.0) == (3, 1) and count(flat=True) == (3, 2)

# %% [markdown]
# The same marks, from "67 % with three false alarms" to "100 % with one". **A sensitivity without its rule is not a
# result.** The rule also decides what a detector is rewarded for. With the diameter as reach, a net of marks every few
# millimetres is cheaper. If duplicates were true, one nodule would pay for ten marks. If they were false, a detector
# would be punished for three marks on one real cancer.

# %% [markdown]
# ## The FROC curve, by hand
# A classifier of patches has an ROC curve: sensitivity against the share of negatives that are called positive. A
# detector has no such share. How many places are there in a lung without a nodule? As many as you like: count voxels,
# or candidates, or hairs' breadths. The **number of false alarms in a scan** needs no such count, and it is what the
# radiologist suffers from. So detection has the [FROC curve](glossary:froc-curve), "free-response" ROC ([Bunch and
# others 1977](https://doi.org/10.1117/12.955926)): for each threshold,
#
# $$x=\frac{\text{false positives in all scans}}{\text{number of scans}},\qquad
# y=\frac{\text{nodules found in all scans}}{\text{nodules in all scans}} .$$
#
# Let the toy scan have a companion: a healthy person, with no nodule, and two marks of 0.85 and 0.45. Most people are
# like that.
#
# **Predict:** both scans together. What is the sensitivity at one false positive per scan?
#
# ### Exercise: one point of the curve
# Each scan comes as `(kinds, scores, num_nodules)`. Return $(x, y)$ where only marks with `scores >= threshold` are
# shown.

# %% tags=["exercise"]
def froc_point(scans, threshold):
    """Return (false positives per scan, sensitivity)."""
    return ...  # your code


# %% tags=["check"]
ex.froc_point.check(froc_point)

# %% [markdown]
# No new matching is needed at each threshold. The best hit on a nodule counts, so if a threshold removes it, it removes
# the nodule's duplicates too. Sort all marks by score, and count downwards:

# %% tags=["nbval-check-output"]
second_scan = metrics.match_detections([], [], [[50.0, 60, 40], [200, 90, 70]], [0.85, 0.45])
toy = [first_scan, second_scan]

scores = np.concatenate([scan.scores for scan in toy])
order = np.argsort(-scores)
kinds = np.concatenate([scan.kinds for scan in toy])[order]
x = np.cumsum(kinds == "false") / len(toy)
y = np.cumsum(kinds == "true") / sum(scan.num_findings for scan in toy)
for row in zip(scores[order], kinds, x, y):
    print("down to {:.2f} ({:9s})  x = {:.1f}  y = {:.2f}".format(*row))

# %% tags=["hide-input"]
rates = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
curve = metrics.froc(toy)
read = [estimate.value for estimate in curve.at_rates]
assert np.allclose(read, [1 / 3] * 4 + [2 / 3] * 3) and np.isclose(curve.cpm.value, np.mean(read))
theirs = np.round([curve.false_positives_per_scan, curve.sensitivity], 9).T
assert {tuple(point) for point in theirs[1:]} == {tuple(point) for point in np.round([x, y], 9).T}


def froc_axes(axes, *, low=1 / 16, high=12):
    axes.set_xscale("log", base=2)
    axes.set(xlim=(low, high), ylim=(0, 1.02), xlabel="false positives per scan", ylabel="sensitivity")
    axes.set_xticks(rates, labels=["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.grid(alpha=0.4)


def froc_line(axes, curve, style="-", **options):
    x = np.append(curve.false_positives_per_scan, 100)  # level beyond the last mark
    axes.plot(np.maximum(x, 1e-3), np.append(curve.sensitivity, curve.sensitivity[-1]), style, **options)


figure, axes = plt.subplots(figsize=(7, 3.6))
froc_line(axes, curve, linewidth=2)
axes.plot(rates, read, "o", markersize=9)
froc_axes(axes)
axes.set_title(f"Two toy scans, three nodules: the mean of the seven is {curve.cpm.value:.2f}")
plots.picture(
    figure,
    alt="The FROC curve of the two toy scans: sensitivity one third up to 1.5 false positives per scan, two thirds "
    "beyond. Seven dots mark the rates 1/8 to 8: four at one third, three at two thirds.",
)

# %% [markdown]
# One third. The answer is read at $x=1$: by then only A is found. The healthy scan has no nodule, so it adds nothing to
# $y$, but its false alarms count in $x$, and it counts as a scan.
#
# One number for the table of results: the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per scan,
# the [competition performance metric](glossary:competition-performance-metric), CPM ([Niemeijer and others
# 2011](https://doi.org/10.1109/TMI.2010.2072789)). The rates double from one to the next, so the first three of the
# seven lie where a detector may cry wolf less than once in a scan. Between two points the curve is read on the straight
# line between them, and beyond the last mark it stays level. `metrics.froc` gave the points that you counted; the
# folded cell asserts it.

# %% [markdown]
# ## A detector meets simulated patients
# Now the detector of lesson 07a: a lung mask, a network that proposes candidates in the whole volume, non-maximum
# suppression in mm, and a second network that looks at each candidate again. Both networks were trained on simulated
# patients of other seeds. The test patients are simulated too: seed 200, never used to train or to tune. The detector
# gets the image only.
#
# **Predict:** the patients have nearly three nodules each, half of them under 6 mm. At one false alarm per scan, which
# share of the nodules does it find?

# %%
from medlearn.models import nodule_detector
from medlearn.models.nodule_detector_reduction import judge
from scipy.special import expit, logit
from tqdm.auto import tqdm

NUM_SCANS = 24
second_network = nodule_detector.load_false_positive_net()
truth, kept = [], {}
marks = {"one network": [], "second alone": [], "two networks": []}


# %%
def read_scan(scan):
    first = nodule_detector.find_nodules(scan.image, reduce=False)
    planes = nodule_detector.cut_planes(scan.image, first.points_mm)  # (candidate, 3, 32, 32)
    ours, theirs = logit(np.clip(first.scores, 1e-6, 1 - 1e-6)), judge(second_network, planes)
    truth.append(scan.nodules)
    for name, value in zip(marks, (ours, theirs, (ours + theirs) / 2)):
        found = nodule_detector.Candidates(first.points_mm, expit(value), first.diameters_mm)
        marks[name].append(found)


# %%
scans = data.load_nodule_scans(NUM_SCANS, seed=200)
for _, scan in zip(tqdm(range(12), leave=False), scans):
    read_scan(scan)
    if not kept and len(scan.nodules) >= 3:  # one scan is kept to look at
        kept = {"scan": scan, "number": len(truth) - 1}

# %%
for _, scan in zip(tqdm(range(12), leave=False), scans):
    read_scan(scan)
assert len(truth) == NUM_SCANS

# %% [markdown]
# The first network proposes up to 40 candidates in a scan. The second looks at three planes through each, and has a
# score of its own ("second alone"). The chain takes the mean of both on the scale of the logit ("two networks"); that
# is what `nodule_detector.find_nodules` does in one call. All marks are kept, down to hopeless ones: the threshold is
# chosen by the curve, not before it. You begin with the chain.

# %%
def match_all(name):
    return [
        metrics.match_detections(
            [n.centre_mm for n in nodules], [n.diameter_mm for n in nodules], found.points_mm, found.scores
        )
        for nodules, found in zip(truth, marks[name])
    ]


matched = {name: match_all(name) for name in marks}
curves = {name: metrics.froc(scans) for name, scans in matched.items()}
whole = curves["two networks"]

# %%
print(f"{NUM_SCANS} scans, {whole.num_findings} nodules, "
      f"{sum(len(m.scores) for m in matched['two networks'])} marks of any score")  # fmt: skip
for rate, estimate in zip(whole.rates, whole.at_rates):
    print(f"at {rate:5.3f} false positives per scan: {estimate}")
print(f"CPM {whole.cpm}")
assert 0.3 < whole.cpm.value < 0.99 and whole.at(8).value - whole.at(1).value < 0.2

# %% tags=["hide-input"]
def froc_band(axes, curve, *, colour, marker, label, style="-", shift=1.0):
    values = np.array([[e.value, e.low, e.high] for e in curve.at_rates])
    at = np.array(curve.rates) * shift
    froc_line(axes, curve, style, color=plots.COLOURS[colour], linewidth=1.5, label=label)
    axes.vlines(at, values[:, 1], values[:, 2], color=plots.COLOURS[colour], linewidth=3, alpha=0.45)
    axes.plot(at, values[:, 0], marker, color=plots.COLOURS[colour], markeredgecolor="black")


figure, axes = plt.subplots(figsize=(7.5, 4))
froc_band(axes, whole, colour="blue", marker="o", label=f"whole chain: CPM {whole.cpm.value:.2f}")
froc_axes(axes)
axes.legend(loc="lower right")
axes.set_title(f"{NUM_SCANS} simulated patients, {whole.num_findings} nodules, intervals over scans")
plots.picture(
    figure,
    alt=f"The FROC curve of the detector on simulated patients, with wide 95 % intervals at the seven rates. "
    f"Sensitivity {whole.at(1 / 8).value:.2f} at 1/8, {whole.at(1).value:.2f} at 1, {whole.at(8).value:.2f} at 8.",
)

# %% [markdown]
# Look at the intervals before the values. Twenty-four scans leave wide ones, and at 1/8 the point hangs on **three**
# false alarms in all 24 scans. Then look at the shape: beyond one false alarm per scan the curve hardly rises. Lowering
# the threshold brings false alarms, and few nodules: nearly all that is still missed at 8 is not ranked low. It is not
# on the list. You will meet this ceiling again.
#
# Which nodules are missed? The share that is found at one false alarm per scan, by size and by type:

# %%
def threshold_at(curve, rate):
    """Return the lowest threshold that keeps the false positives per scan at or under a rate."""
    return curve.thresholds[np.flatnonzero(curve.false_positives_per_scan <= rate)[-1]]


cut = threshold_at(whole, 1)
found = np.concatenate([np.nan_to_num(m.finding_scores, nan=-1) >= cut for m in matched["two networks"]])
owner = np.repeat(np.arange(NUM_SCANS), [len(nodules) for nodules in truth])
everyone = [n for nodules in truth for n in nodules]
size = np.array([n.diameter_mm for n in everyone])
kind = np.array([n.type for n in everyone])
groups = {"under 6 mm": size < 6, "6 to 10 mm": (size >= 6) & (size < 10), "10 mm or more": size >= 10}
groups |= {name: kind == name for name in ("solid", "part-solid", "ground-glass")}

# %%
for name, these in groups.items():
    share = metrics.sensitivity_score(np.ones(these.sum(), int), found[these], patients=owner[these])
    print(f"{name:14s} {found[these].sum():2d} of {these.sum():2d}: {share}")
assert found[size >= 6].mean() > found[size < 6].mean()
assert found[kind == "solid"].mean() > found[kind != "solid"].mean()

# %% [markdown]
# Small ones are missed, and those that are not solid: ground glass is little denser than lung, and a part-solid
# nodule is ground glass around a smaller core. The groups are small, and their intervals say so. A sensitivity needs
# a third companion besides its rule and its rate: **which nodules were asked for**. A study of solid nodules over 6
# mm reports a better number with the same detector.
#
# Now look. Numbers do not tell whether the false alarms are vessels, or nodules that somebody forgot. Step through one
# scan: the menu chooses the kind, the arrow keys move from finding to finding once the slider has the focus, the
# threshold slider hides marks. A nodule whose mark is hidden becomes a missed one.

# %%
scan, number = kept["scan"], kept["number"]
shown = widgets.list_findings(
    matched["two networks"][number],
    [n.centre_mm for n in scan.nodules],
    [n.diameter_mm for n in scan.nodules],
    marks["two networks"][number].points_mm,
)
widgets.explore_findings(scan.image, shown, threshold=round(float(cut), 2))

# %% [markdown]
# Go to the false alarms with the highest scores first. Is it a vessel? Where one branches, or runs along the scan's
# axis, it is round in an axial slice; from the front it grows long. Then look at what was missed, and ask what hides
# it.

# %% [markdown]
# ## Draw scans, not nodules
# Where do the intervals come from? There are two candidates for what to draw in a bootstrap: nodules, or scans. A scan
# brings its nodules along, its noise, its anatomy, and **its false alarms**. Draw scans, then: the false positives and
# the nodules of a resample belong together, and the threshold for "one per scan" is found anew in each.
#
# ### Exercise: one resample
# `found` and `nodules` have one entry for each scan: how many were found, how many there are. `drawn` has the scans of
# the resample, some of them twice. Return its sensitivity.

# %% tags=["exercise"]
def resampled_sensitivity(found, nodules, drawn):
    """Return the sensitivity over the scans that were drawn."""
    return ...  # your code


# %% tags=["check"]
ex.resampled_sensitivity.check(resampled_sensitivity)

# %% [markdown]
# A ratio of sums, not a mean of ratios: a scan without nodules has no ratio, and a scan with eight must weigh more than
# one with one.
#
# How much does it matter? From lesson 05b you know the design effect, $1+(m-1)\rho$, for $m$ items of a patient that
# correlate by $\rho$. Here $m$ differs, and wildly. The 1,018 real scans of LIDC tell how:

# %% tags=["nbval-check-output"]
from scipy import stats

from medlearn.data.chest_nodules import lidc_table

lidc = lidc_table()
counts = lidc["scan_nodules"].astype(int)
print("nodules of 3 mm or more that any reader outlined, in 1,018 real scans")
print("  none:", np.sum(counts == 0), "  one:", np.sum(counts == 1), "  five or more:", np.sum(counts >= 5))
print("  most:", counts.max(), "  mean:", counts.mean().round(2))
weight = np.sum(counts**2) / np.sum(counts)
print(f"  for a nodule drawn at random, the mean number in its scan: {weight:.2f}")
assert counts.sum() == len(lidc["readers"])

# %% [markdown]
# With unequal $m$ the sum over a scan has $m_i$ variances and $m_i(m_i-1)$ covariances. Add up over the scans, divide
# by the square of $\sum m_i$, and the design effect becomes
#
# $$1+(\tilde m-1)\,\rho,\qquad \tilde m=\frac{\sum_i m_i^2}{\sum_i m_i},$$
#
# where $\tilde m$ is the last number of the cell: few scans with many nodules dominate it.
#
# **Predict:** a study of 50 scans, 0.8 of the nodules found on average, some scans harder than others ($\rho=0.3$). How
# often does a 95 % interval hold the truth if nodules are drawn? If scans are drawn?

# %%
def study_coverage(num_scans, *, icc=0.3, studies=600, resamples=400):
    """Return how often the intervals hold the true 0.8: drawing scans, drawing nodules."""
    nodules = rng.choice(counts, size=(studies, num_scans))
    spread = 1 / icc - 1
    chance = rng.beta(0.8 * spread, 0.2 * spread, size=nodules.shape)  # of each scan
    found = rng.binomial(nodules, chance)
    weights = rng.multinomial(num_scans, np.full(num_scans, 1 / num_scans), size=resamples)
    over_scans = (found @ weights.T) / (nodules @ weights.T)  # (studies, resamples)
    n = nodules.sum(axis=1, keepdims=True)
    over_nodules = rng.binomial(n, found.sum(axis=1, keepdims=True) / n, size=over_scans.shape) / n
    for shares in (over_scans, over_nodules):
        low, high = np.quantile(shares, [0.025, 0.975], axis=1)
        yield np.mean((low <= 0.8) & (0.8 <= high))


covered = {n: tuple(study_coverage(n)) for n in (24, 50, 200)}

# %%
for n, (over_scans, over_nodules) in covered.items():
    print(f"{n:3d} scans: drawing scans {over_scans:.2f}, drawing nodules {over_nodules:.2f}")
assert covered[200][0] > 0.88 and covered[200][1] < 0.85

deff = 1 + (weight - 1) * 0.3
theory = 2 * stats.norm.cdf(1.96 / np.sqrt(deff)) - 1
print(f"design effect {deff:.2f}: intervals over nodules should hold {theory:.2f}")
assert abs(covered[200][1] - theory) < 0.07

# %% [markdown]
# Drawing nodules keeps nowhere near its promise, and more scans do not mend it: the design effect has no $n$ in it.
# Drawing scans does, and falls a little short with few scans. That is why `metrics.froc` draws scans, and has another
# default than the percentiles of the challenge.
#
# And in your study? Draw both, at the threshold of one false alarm per scan.

# %%
hits = np.array([found[owner == k].sum() for k in range(NUM_SCANS)])
totals = np.bincount(owner, minlength=NUM_SCANS)
drawn_scans = rng.integers(NUM_SCANS, size=(4000, NUM_SCANS))
by_scan = hits[drawn_scans].sum(axis=1) / totals[drawn_scans].sum(axis=1)
by_nodule = rng.binomial(totals.sum(), hits.sum() / totals.sum(), size=4000) / totals.sum()
for name, draws in {"nodules, threshold fixed": by_nodule, "scans, threshold fixed": by_scan}.items():
    print("{:26s} {:.2f} to {:.2f}".format(name, *np.quantile(draws, [0.025, 0.975])))
anew = metrics.froc(matched["two networks"], rates=(1,), method="percentile").at(1)
print("{:26s} {:.2f} to {:.2f}".format("scans, threshold anew", *anew.interval))
print("{:26s} {:.2f} to {:.2f}".format("the default of froc", *whole.at(1).interval))

# %%
alarms = np.array([np.sum((m.kinds == "false") & (m.scores >= cut)) for m in matched["two networks"]])
print("false alarms of the scans:", *np.sort(alarms))
assert abs(alarms.sum() / NUM_SCANS - 1) <= 0.1

# %% [markdown]
# The third knows that another set of scans has other nodules, and other vessels, so another threshold. The last knows
# besides that 24 scans are few: report that one. Look at the false alarms too. If they fell on the scans at random, one
# each on average, about 9 of the 24 scans would have none (24/e). You will need that at the end.

# %% [markdown]
# ## A second network behind the first
# The first network sees everything in the lungs, and must be quick. It proposes candidates. The second is a classifier
# as in lesson 06: it looks at each candidate alone, closer, and gives it a new score. This is **false-positive
# reduction**.
#
# What can it do, and what not? Let the first stage propose a share $s_1$ of the nodules, with $a$ false candidates a
# scan. The second keeps a share $s_2$ of the true and $f_2$ of the false ones:
#
# $$y=s_1 s_2\le s_1,\qquad x=f_2\,a .$$
#
# It can never find what was not proposed: $s_1$ is a **ceiling**. Below it, where $s_2$ is nearly 1, it moves the curve
# to the left by a factor of $1/f_2$: on a logarithmic axis, by a shift.
#
# **Predict:** what will it change at 8 false alarms per scan, and what at 1/8?

# %%
def proposed(name):
    found = [np.isfinite(m.finding_scores) for m in matched[name]]
    return np.concatenate(found)


for name in ("one network", "two networks"):
    curve, ceiling = curves[name], proposed(name)
    print(f"{name}: CPM {curve.cpm}")
    print(f"   1/8: {curve.at(1 / 8)}\n   1:   {curve.at(1)}\n   8:   {curve.at(8)}")
    print(f"   proposed at any score: {ceiling.sum()} of {len(ceiling)} nodules")

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7.5, 4))
looks = {"one network": ("vermillion", "s", "--", 0.96), "two networks": ("blue", "o", "-", 1.04)}
for name, (colour, marker, style, shift) in looks.items():
    label = f"{name}: CPM {curves[name].cpm.value:.2f}"
    froc_band(axes, curves[name], colour=colour, marker=marker, style=style, shift=shift, label=label)
    axes.axhline(proposed(name).mean(), color=plots.COLOURS[colour], linewidth=1, linestyle=":")
froc_axes(axes)
axes.legend(loc="lower right")
axes.set_title("With and without false-positive reduction (dotted: proposed at any score)")
plots.picture(
    figure,
    alt=f"Two FROC curves with intervals on simulated patients: one network with a CPM of "
    f"{curves['one network'].cpm.value:.2f}, two with {curves['two networks'].cpm.value:.2f}. Dotted lines show the "
    f"share of nodules proposed at any score.",
)

# %% [markdown]
# Do the intervals overlap? That is no test, as you know from lesson 05b: it is the same scans. Draw scans, compute both
# CPMs on the same draw, and take the difference.

# %%
def cpm(scans):
    """Return the mean sensitivity at the seven rates, without an interval."""
    scores = np.concatenate([m.scores for m in scans])
    order = np.argsort(-scores, kind="stable")
    kinds = np.concatenate([m.kinds for m in scans])[order]
    last = np.append(np.diff(scores[order]) != 0, True)  # marks with one score come together
    x = np.cumsum(kinds == "false")[last] / len(scans)
    y = np.cumsum(kinds == "true")[last] / sum(m.num_findings for m in scans)
    return np.mean(np.interp(rates, np.append(0, x), np.append(0, y)))


assert np.isclose(cpm(matched["two networks"]), whole.cpm.value, atol=0.02)

# %%
def gain(numbers):
    two, one = ([matched[name][k] for k in numbers] for name in ("two networks", "one network"))
    return cpm(two) - cpm(one)


every_scan = np.arange(NUM_SCANS)
difference = metrics.bootstrap(gain, every_scan, patients=every_scan, num_resamples=1000).counted_in("scan")
print(f"CPM of two networks minus CPM of one: {difference}")
assert difference.value > 0.02

# %% [markdown]
# The second network moves the curve up, most of all on the left, where a false alarm costs most. On the right both bend
# towards the same dotted line: the nodules on the list of 40. What is not on it, no second network brings back. A paper
# that reports only the second stage ("sensitivity 0.95 on the candidates") has divided by the wrong number.

# %% [markdown]
# ## Why the AUC of patches misleads
# The second network is a classifier of patches. Its makers, or you in lesson 06, report an AUC. Why not judge the
# detector by that?
#
# An AUC is a mean over **all** false positive rates from 0 to 1. A detector lives at one end. If a scan has $N$ places
# to look at, and $k$ of them are nodules, then a false positive rate $f$ of the classifier makes $f\,(N-k)$ false
# alarms a scan.
#
# ### Exercise: the specificity that a detector needs
# Which specificity leaves `rate` false alarms per scan?

# %% tags=["exercise"]
def specificity_needed(places, nodules, rate):
    """Return the specificity for a scan with so many places, some of them nodules."""
    return ...  # your code


# %% tags=["check"]
ex.specificity_needed.check(specificity_needed)

# %% [markdown]
# **Predict:** two classifiers of patches, both with an AUC of 0.95. Each gets 200 candidates a scan. Can one of them
# find ten times as many nodules as the other at one false alarm per scan?
#
# Let the negatives of both be normal with mean 0 and standard deviation 1, the nodules normal with mean $\mu$ and
# standard deviation $\sigma$. The difference of a nodule and a negative has variance $1+\sigma^2$, so the AUC is
# $\Phi(\mu/\sqrt{1+\sigma^2})$. Choose $\sigma$ as you like, and $\mu$ so that the AUC is the same.

# %%
def sensitivity_at(false_positive_rate, *, auc, sigma):
    mu = stats.norm.ppf(auc) * np.sqrt(1 + sigma**2)
    return stats.norm.sf(stats.norm.isf(false_positive_rate), mu, sigma)


two = {"narrow": 0.5, "wide": 2.0}
places = 200
for rate in (1 / 8, 1, 8):
    at = {name: sensitivity_at(rate / places, auc=0.95, sigma=s) for name, s in two.items()}
    print(f"{rate:5.3f} false alarms per scan: narrow {at['narrow']:.3f}, wide {at['wide']:.3f}")
    if rate == 1:
        assert at["wide"] > 9 * at["narrow"]

# %% tags=["hide-input"]
f = np.logspace(-5, 0, 800)
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.3), layout="constrained")
for (name, sigma), style in zip(two.items(), ("--", "-")):
    y = sensitivity_at(f, auc=0.95, sigma=sigma)
    for ax in axes[:2]:
        ax.plot(f, y, style, linewidth=2, label=f"{name}, AUC 0.95")
    axes[2].plot(places * f, y, style, linewidth=2)
axes[0].set(title="ROC", xlabel="false positive rate", ylabel="sensitivity")
axes[1].set(title="the same, log axis", xlabel="false positive rate", xscale="log", xlim=(1e-4, 1))
froc_axes(axes[2])
axes[2].set(title=f"FROC, {places} places a scan", ylabel="")
axes[2].set_xticks([1 / 8, 1, 8], labels=["1/8", "1", "8"])
for ax in axes[:2]:
    ax.axvspan(0 if ax is axes[0] else 1e-4, 8 / places, color=plots.COLOURS["yellow"], alpha=0.4)
axes[0].legend(loc="lower right", fontsize=9)
plots.picture(
    figure,
    alt="Left, two ROC curves with the same area, which cross. A narrow band at the left edge is coloured: up to 8 "
    "false alarms per scan. Middle, the same curves with a logarithmic axis: in the band one is far above the other. "
    "Right, as FROC curves: one rises from 0.6, the other from nearly 0.",
)

# %% [markdown]
# All that a detector shows happens in the coloured strip. The AUC barely sees it: the strip is 4 % of the axis.
# "Narrow" is the classifier that is excellent on average, and never very sure.
#
# It gets worse. You can **raise an AUC without touching the classifier**: add easy negatives. Let $\hat A$ be the AUC
# with $n$ negatives. Add $m$ that score below every nodule. Each makes all its pairs right, so
#
# $$\hat A'=\frac{n\hat A+m}{n+m}\;\to\;1 .$$
#
# The false alarms per scan do not change at all. See it on the second network, alone: of the candidates of the first,
# which are nodules? As negatives take the one false candidate of each scan that it finds hardest, then the hardest 3,
# 10, and all.
#
# **Predict:** how does its AUC move? And is it a good detector?

# %%
def scores_of(matches, kind, most=None):
    return np.sort(matches.scores[matches.kinds == kind])[::-1][:most]


aucs = {}
for most in (1, 3, 10, None):
    cases = [(k, label, s) for k, m in enumerate(matched["second alone"])
             for label, kinds in ((1, "true"), (0, "false"))
             for s in scores_of(m, kinds, None if label else most)]  # fmt: skip
    scan_of, labels, values = map(np.array, zip(*cases))
    aucs[most] = metrics.auc_score(labels, values, patients=scan_of).counted_in("scan")
    name = "all false candidates" if most is None else f"hardest {most:2d} of a scan"
    print(f"{name:20s} {np.sum(labels == 0):4d} negatives: AUC {aucs[most]:.3f}")
assert aucs[1].value < aucs[3].value < aucs[10].value < aucs[None].value

# %%
alone = curves["second alone"]
print(f"the same network, the same candidates, as a detector: CPM {alone.cpm}")
print(f"   at 1/8: {alone.at(1 / 8)}\n   at 1:   {alone.at(1)}")
print(f"   nodules never proposed: {np.sum(~proposed('second alone'))} of {len(everyone)}")
assert aucs[None].value - alone.cpm.value > 0.1

# %% [markdown]
# One network, one set of scores. Its AUC is whatever the choice of negatives makes it, and with all of them it shines.
# As a detector it looks different, for two reasons. The AUC never heard of the nodules that were **not proposed**. And
# it averages over false positive rates that would put a dozen marks into every scan. In lesson 06 the patches were
# chosen to be hard, and one in three showed a nodule: yet another setting, which no scan has.
#
# The AUC of patches is good for **comparing networks on the same patches**. What a detector is worth in a scan, it
# cannot say: it does not know how many places there are, nor what the first stage never proposed.

# %% [markdown]
# ## Four readers, and what truth means
# "The nodules of a scan" was a list so far. In the simulation it is: it was written before the image. In life, somebody
# reads the scan. LIDC asked four radiologists, twice: first alone, then with the marks of the others in view, and
# nobody had to agree ([Armato and others 2011](https://doi.org/10.1118/1.3528204)). The library has a table of all
# 2,671 nodules of 3 mm or more that at least one of them outlined, with the number of readers who did.
#
# **Predict:** in what share of them did all four outline a nodule, after seeing each other's marks?

# %%
marked_by = lidc["readers"].astype(int)
for r in (1, 2, 3, 4):
    print(f"outlined by {r} of 4: {np.sum(marked_by == r):4d}")
all_four = metrics.bootstrap(np.mean, marked_by == 4, patients=lidc["scan"], num_resamples=1000)
print("all four:", all_four.counted_in("scan"))
assert [np.sum(marked_by >= least) for least in (1, 2, 3, 4)] == [2671, 1885, 1392, 904]

# %% tags=["hide-input"]
bounds = [0, 4, 6, 8, 12, 20, 60]  # of the ball of equal volume: a few are under 3 mm
figure, axes = plt.subplots(figsize=(8, 3.6))
base = np.zeros(len(bounds) - 1)
group = np.digitize(lidc["diameter_mm"], bounds) - 1
colours = ("vermillion", "orange", "sky blue", "blue")
for r, colour, hatch in zip((1, 2, 3, 4), colours, plots.HATCHES):
    share = np.array([np.mean(marked_by[group == k] == r) for k in range(len(base))])
    axes.bar(range(len(base)), share, bottom=base, color=plots.COLOURS[colour], edgecolor="white", hatch=hatch,
             label=f"{r} of 4")  # fmt: skip
    base += share
sizes = [np.sum(group == k) for k in range(len(base))]
names = ["under 4"] + [f"{a} to {b}" for a, b in zip(bounds[1:], bounds[2:])][:-1] + ["20 or more"]
assert sum(sizes) == len(marked_by)
axes.set_xticks(range(len(base)), labels=[f"{name}\n({n})" for name, n in zip(names, sizes)])
axes.set(ylabel="share of the nodules", title="Real readers: how many of four outlined it?")
axes.set_xlabel("diameter (mm), and the number of nodules")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1), reverse=True)
plots.picture(
    figure,
    alt="Stacked bars by diameter. Of nodules under 4 mm most were outlined by one reader of four; the share "
    "outlined by all four rises to about two thirds at 12 to 20 mm, and is half beyond 20 mm.",
)

# %% [markdown]
# A third. It was no better in the collection's pilot of 30 scans, before anybody saw another's marks: 24 of 71 lesions
# ([Armato and others 2007](https://doi.org/10.1016/j.acra.2007.07.008)). (A reader who took a spot for smaller than 3
# mm, or for no nodule, counts as one who did not outline it.)
# Even at 12 to 20 mm a third of the nodules lacks somebody.
#
# So "the truth" is a choice of how many must agree: 2,671 nodules, or 1,885, 1,392 or 904. LUNA16 chose three of four.
# Each choice makes other false alarms, and another sensitivity. How good is a **reader**, then? Hold each against the
# other three. The table tells how many marked a nodule, not who. That is enough, if you pick the reader at random: a
# nodule that $r$ of 4 marked is theirs with probability $r/4$.
#
# ### Exercise: one reader against the other three
# The truth is what `least` or more of the **other three** marked. Return the expected sensitivity of the reader: the
# expected number that is true and theirs, over the expected number that is true.

# %% tags=["exercise"]
def reader_sensitivity(marked_by, least):
    """Return the expected sensitivity of one of four readers; marked_by has 1 to 4 for each nodule."""
    return ...  # your code


# %% tags=["check"]
ex.reader_sensitivity.check(reader_sensitivity)

# %% [markdown]
# A reader's marks that too few of the others share are their false positives, by that truth. So a reader is a **point
# in the FROC plane**, one for each truth.

# %%
def reader_point(marked_by, least):
    r = np.asarray(marked_by)
    true, missed = (r - 1 >= least) * r / 4, (r >= least) * (1 - r / 4)
    return true.sum() / (true.sum() + missed.sum()), np.sum(r / 4 - true) / len(counts)


points = {}
for least in (1, 2, 3):
    y, x = reader_point(marked_by, least)
    share = metrics.bootstrap(
        lambda r: reader_point(r, least)[0], marked_by, patients=lidc["scan"], num_resamples=500
    )
    points[least] = (x, share)
    print(f"true if {least} of the other 3: {share.counted_in('scan')}, {x:.2f} false per scan")
assert 0.55 < points[1][1].value < 0.68 and 0.83 < points[3][1].value < 0.93

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 3.4))
for (least, (x, share)), marker in zip(points.items(), "os^"):
    axes.vlines(x, *share.interval, color="black", linewidth=2)
    axes.plot(x, share.value, marker, markersize=10, markeredgecolor="black")
    axes.annotate(f"true if {least} of the other 3", (x, share.value), (10, -14), textcoords="offset points")
froc_axes(axes)
axes.set_title("One real reader, picked at random, held against the other three")
plots.picture(
    figure,
    alt="Three points in the FROC plane. A reader has a sensitivity of 0.6 at 0.2 false positives per scan if one "
    "other reader makes a nodule true, 0.8 at 0.4 if two do, and 0.9 at 0.8 if all three do.",
)

# %% [markdown]
# The same people, from about 0.6 to about 0.9. (The 883 scans are those with a nodule; the false positives are per each
# of the 1,018.) And this is after they had seen each other's marks. A detector that is held against such a truth cannot
# be "perfect": some of its false alarms are nodules to one reader of four, some of its misses were never there.
#
# **And kappa?** Cohen's kappa corrects an agreement for chance. For two readers let $a$ nodules be marked by both, $b$
# and $c$ by one of them, and $d$ places by neither. Then
#
# $$\kappa=\frac{2(ad-bc)}{(a+b)(b+d)+(a+c)(c+d)} .$$
#
# What is $d$? The number of places where neither saw a nodule: the count that does not exist. Let it grow. The terms
# with $d$ win, and
#
# $$\kappa\;\to\;\frac{2a}{(a+b)+(a+c)} ,$$
#
# the share of both readers' marks that are shared. It is the **positive agreement**, and it needs no $d$ ([Hripcsak and
# Rothschild 2005](https://doi.org/10.1197/jamia.M1733)). You know its formula: it is the F1 score of one reader held
# against the other, and Dice's coefficient.
#
# ### Exercise (further): positive agreement
# Over all pairs of the four readers: of all marks, which share has the other reader made too? A nodule that $r$ of four
# marked has $r$ marks.

# %% tags=["exercise"]
def positive_agreement(marked_by):
    """Return the share of marks that another reader, picked at random, has made too."""
    return ...  # your code


# %% tags=["check"]
ex.positive_agreement.check(positive_agreement)

# %%
def kappa(marked_by, d):
    """Cohen's kappa of a pair of readers picked at random, with d places that neither marked."""
    a = np.mean(marked_by * (marked_by - 1) / 12) * len(marked_by)
    b = np.mean(marked_by * (4 - marked_by) / 12) * len(marked_by)  # c is the same
    return (a * d - b * b) / ((a + b) * (b + d))


for d in (0, 1_000, 10_000, 1_000_000):
    print(f"d = {d:9,d}: kappa {kappa(marked_by, d):5.2f}")
agreement = metrics.bootstrap(lambda r: kappa(r, 1e12), marked_by, patients=lidc["scan"], num_resamples=1000)
print("positive agreement:", agreement.counted_in("scan"))
assert kappa(marked_by, 0) < 0 and abs(kappa(marked_by, 1e6) - agreement.value) < 0.01

# %% [markdown]
# With $d=0$, that is, with only the places that somebody marked, kappa is negative: worse than chance. With a million
# it is 0.72. Nothing about the readers changed. If a paper gives a kappa for detection, ask for its $d$.

# %% [markdown]
# ## A day of screening
# A hundred scans a day, one radiologist. One person in a hundred has lung cancer: in the first round of the National
# Lung Screening Trial it was 1.1 % ([Church and others 2013](https://doi.org/10.1056/NEJMoa1209120)).
#
# **Predict:** on how many of 100 such days is there no cancer at all?

# %%
SCANS, PREVALENCE = 100, 0.01
day = stats.binom(SCANS, PREVALENCE)
print("cancers in a day:", ", ".join(f"{k}: {day.pmf(k):.2f}" for k in range(4)), f"more: {day.sf(3):.2f}")
print("at least 95 % of the days have {:.0f} to {:.0f}".format(*day.interval(0.95)))
assert 0.36 < day.pmf(0) < 0.37

# %% [markdown]
# On more than a third of the days. Whoever reads them must stay awake for a cancer that comes every hundredth scan.
#
# Now the false alarms. If they fall on a scan with mean $\lambda$, and independently, their number is Poisson: none
# with probability $e^{-\lambda}$. A person is troubled by **at least one**.
#
# ### Exercise: who is marked?
# Return two expected counts: people with cancer whose cancer is marked, and people without cancer who have at least one
# false mark.

# %% tags=["exercise"]
def marked_people(num_scans, prevalence, sensitivity, rate):
    """Return (with cancer and found, without cancer and with a false mark)."""
    return ...  # your code


# %% tags=["check"]
ex.marked_people.check(marked_people)

# %% [markdown]
# What is the sensitivity for **cancers**? The detector knows nodules only, and few are cancers. Each simulated nodule
# has a probability of malignancy (the Brock model, lesson 06a). Weight by it: the expected share of the cancers that is
# found is $\sum_i p_i\,[\text{found}_i]\,/\sum_i p_i$. That uses all nodules, not only those on which a die fell badly.

# %%
chance = np.array([n.malignancy_probability for n in everyone])
best = np.concatenate([m.finding_scores for m in matched["two networks"]])


def found_cancers(threshold):
    hit = np.nan_to_num(best, nan=-1) >= threshold
    share = metrics.bootstrap(lambda w, h: np.sum(w * h) / np.sum(w), chance, hit, patients=owner)
    return share.counted_in("scan")


cuts = {rate: threshold_at(whole, rate) for rate in (1 / 8, 1, 4)}
cancers = {rate: found_cancers(threshold) for rate, threshold in cuts.items()}
for rate, share in cancers.items():
    print(f"{rate:5.3f} false alarms per scan: share of the cancers found {share}")
assert cancers[4].value >= cancers[1 / 8].value > 0.2 and cancers[1].value > found.mean()

# %% [markdown]
# Cancers are found more often than nodules: they tend to be larger. (The scans printed are those with a nodule. Where
# all or nearly all is found, the percentile interval is too hopeful, as Wald's was.) Put it together: the day, with its
# positive predictive value and its [false discovery rate](glossary:false-discovery-rate), the share of the marked
# people who have no cancer.

# %%
def one_day(sensitivity, rate):
    right = SCANS * PREVALENCE * sensitivity
    wrong = SCANS * (1 - PREVALENCE) * (1 - np.exp(-rate))
    return right, wrong, right / (right + wrong)


for rate, share in cancers.items():
    right, wrong, ppv = one_day(share.value, rate)
    low, high = (one_day(s, rate)[2] for s in share.interval)
    few, many = stats.binom(99, 1 - np.exp(-rate)).interval(0.95)
    print(f"{rate:5.3f} a scan: {SCANS * rate:3.0f} false marks on {wrong:.0f} people ({few:.0f} to {many:.0f} a day)")
    print(f"    cancers found {right:.2f} of 1; PPV {ppv:.3f} ({low:.3f} to {high:.3f}), FDR {1 - ppv:.3f}")
    assert ppv < (0.02 if rate >= 1 else 0.1) and low <= ppv <= high

# %% tags=["hide-input"]
x = np.logspace(-5, 3.3, 100, base=2)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
poisson = 1 - np.exp(-x)
axes[0].plot(x, poisson, "-", label="if Poisson")
measured = []
for rate in rates:
    t = threshold_at(whole, rate)
    troubled = sum(np.any((m.kinds == "false") & (m.scores >= t)) for m in matched["two networks"])
    measured.append(troubled / NUM_SCANS)
    low, high = metrics.wilson_interval(troubled, NUM_SCANS)
    axes[0].vlines(rate, low, high, color=plots.COLOURS["vermillion"], linewidth=3, alpha=0.5)
axes[0].plot(rates, measured, "s", color=plots.COLOURS["vermillion"], label=f"{NUM_SCANS} simulated scans")
for prevalence, style in ((0.01, "-"), (0.1, "--")):
    ppv = prevalence * 0.9 / (prevalence * 0.9 + (1 - prevalence) * poisson)
    axes[1].plot(x, ppv, style, label=f"prevalence {100 * prevalence:.0f} %")
for ax in axes:
    froc_axes(ax)
    ax.legend()
axes[0].set(ylabel="share of people with a false mark", title="Who is troubled?")
axes[1].set(ylabel="positive predictive value", title="If 90 % of the cancers are found")
plots.picture(
    figure,
    alt="Left, the share of people with a false mark against the rate: the Poisson curve rises from 0.12 at 1/8 to 1 "
    "at 8, with the measured shares and their intervals. Right, the positive predictive value at a sensitivity of 0.9: "
    "at 1 % prevalence it falls from 0.13 to 0.01, at 10 % from 0.6 to 0.1.",
)

# %% [markdown]
# At one false alarm per scan more than sixty healthy people a day are marked, and of the people who are marked fewer
# than one in fifty has cancer. The false discovery rate is above 98 %. (The interval of the PPV has only the
# uncertainty of the sensitivity in it: rate and prevalence are taken as known.)
#
# Compare the squares with the curve. Below it, false alarms **cluster**: some scans have several, and fewer people are
# troubled than Poisson says. Above it, they are spread more evenly than by chance. Where the bar reaches across the
# curve, 24 scans cannot tell.
#
# The marks on **benign nodules** come on top. They are right by the rules of this lesson, and lead to the same
# follow-up scan. Radiologists know the problem. In the trial, with a sensitivity of 93.8 % and a specificity of 73.4 %:

# %% tags=["nbval-check-output"]
found_by_trial, healthy_marked = 0.011 * 0.938, 0.989 * (1 - 0.734)
ppv_of_trial = found_by_trial / (found_by_trial + healthy_marked)
low, high = metrics.wilson_interval(7191, 26309)
print(f"positive: 7,191 of 26,309 = {7191 / 26309:.3f} (95 % CI {low:.3f} to {high:.3f})")
print(f"positive predictive value from sensitivity, specificity and prevalence: {ppv_of_trial:.3f}")
assert abs(found_by_trial + healthy_marked - 7191 / 26309) < 0.001 and round(ppv_of_trial, 3) == 0.038

# %% [markdown]
# More than a quarter of the people was positive, and 4 % of those had cancer. Most needed no more than another scan;
# and still, in that trial, fewer people died of lung cancer ([Aberle and others
# 2011](https://doi.org/10.1056/NEJMoa1102873)). A low PPV is the price of a rare disease, not a proof that screening is
# wrong. A detector changes the price, per scan and per day. Report it per scan, and count it per day.

# %% [markdown]
# ## Real patients
# LIDC-IDRI-0314 is one of the 1,018: a person with one nodule, outlined by all four readers. First the readers. Each
# outlined it slice by slice, and rated it.
#
# **Predict:** they agree that it is there. Do they agree on what it is, from 1 (highly unlikely to be cancer) to 5?

# %%
import SimpleITK as sitk

LIDC_FILES = ["ct_crop*", "reader*", "ct_down*", "*.json"]
if data.available("lidc_idri_0314", files=LIDC_FILES):
    real = data.load_lidc_chest()
    nodule = real.nodules[0]
    outlines = [sitk.GetArrayFromImage(reading.mask) > 0 for reading in nodule.readings]
    for k, reading in enumerate(nodule.readings, start=1):
        r = reading.ratings
        print(f"reader {k}: {reading.diameter_mm:4.1f} mm, malignancy {r['malignancy']}, "
              f"spiculation {r['spiculation']}, lobulation {r['lobulation']}")  # fmt: skip
    dice = [2 * np.sum(a & b) / (a.sum() + b.sum()) for k, a in enumerate(outlines) for b in outlines[:k]]
    anyone, everybody = np.any(outlines, axis=0).sum(), np.all(outlines, axis=0).sum()
    print(f"Dice of the six pairs: {min(dice):.2f} to {max(dice):.2f}")
    print(f"voxels in all four outlines: {everybody} of {anyone}")
    assert min(dice) < 0.8 and everybody / anyone < 0.6

# %% tags=["hide-input"]
if data.is_available("lidc_idri_0314", files=LIDC_FILES):
    crop = data.load_lidc_crop()
    z = int(np.argmax(np.sum(outlines, axis=(0, 2, 3))))
    row, column = (int(np.mean(index)) for index in np.nonzero(np.any(outlines, axis=0)[z]))
    near = (z, slice(row - 20, row + 20), slice(column - 20, column + 20))
    named = {f"reader {k}: malignancy {reading.ratings['malignancy']}": outline[near]
             for k, (reading, outline) in enumerate(zip(nodule.readings, outlines), start=1)}  # fmt: skip
    plots.show_overlay(
        crop.array[near], named, fill=False, window_hu="lung", spacing_mm=crop.image.GetSpacing()[:2],
        title="LIDC-IDRI-0314: one nodule, four readers",
        alt="A bright nodule with spikes in a real lung, and the outlines of four readers. They agree on the middle "
        "and differ by some millimetres at the edge.",
    ).show()  # fmt: skip

# %% [markdown]
# If the set is there: four experts, one nodule, and a malignancy of 1, 5, 4 and 3. One calls it highly unlikely, one
# highly suspicious. Their outlines share about half of all the voxels that anybody called nodule. What it was, no file
# says. **This is what labels are made of**, wherever no pathologist looked.
#
# Now the detector, on the whole scan. Its networks have seen simulated patients only.
#
# **Predict:** does it find the nodule? With how many false alarms ranked above it?

# %%
if data.is_available("lidc_idri_0314", files=LIDC_FILES):
    marks_real = nodule_detector.find_nodules(real.image)
    place, width = [nodule.centre_mm], [nodule.diameter_mm]
    match_real = metrics.match_detections(place, width, marks_real.points_mm, marks_real.scores)
    score = match_real.finding_scores[0]
    above = int(np.sum((match_real.kinds == "false") & ~(match_real.scores < score)))
    fate = "missed" if np.isnan(score) else f"score {score:.2f}"
    print(f"{len(marks_real.scores)} marks; the nodule: {fate}")
    print(f"false marks with as high a score: {above}")
    many = stats.chi2.ppf(0.975, 2 * above + 2) / 2
    few = stats.chi2.ppf(0.025, 2 * above) / 2 if above else 0.0
    print(f"that rate, from one scan: 95 % Poisson interval {few:.2f} to {many:.2f} per scan")
    false_real = np.sum((match_real.kinds == "false") & (match_real.scores >= cut))
    print(f"at the threshold of one per simulated scan: {false_real} false; nodule found: {score >= cut}")
    assert above <= 5 and false_real > 3  # one was expected; four or more have a Poisson probability of 2 %

# %% [markdown]
# Look at it: which of the marks would you have made?

# %%
if data.is_available("lidc_idri_0314", files=LIDC_FILES):
    listed = widgets.list_findings(match_real, place, width, marks_real.points_mm)
    widgets.explore_findings(real.image, listed, threshold=round(float(cut), 2)).show()


# %% [markdown]
# The networks have met only simulated lungs, and the nodule stands high on their list. But look at the last line of the
# numbers: at the threshold that left one false alarm in a simulated scan, the real one has many. **A ranking may travel
# where a threshold does not.** Before a detector is used anywhere, somebody must count its false alarms there.
#
# One nodule, found or not, is one of one: by Wilson, a sensitivity of 0.21 to 1.00, or of 0.00 to 0.79. One scan's
# false alarms, at one threshold, are taken as a Poisson count, with the interval that the cell printed. That is all
# that a single patient can say. What you can learn from it is **what** the false alarms are: in a real lung there are
# lymph nodes and old infections, and the simulation has neither.
#
# If the scan is not in your cache, the cells said so in one line.

# %% [markdown]
# ## What you may claim
# **You may claim**
# - On 24 simulated test patients, by whom no weight, threshold or rule was chosen, the sensitivity at seven rates and
#   the CPM, with the intervals above, over scans: by LUNA16's rules, for nodules of 3 mm or more, most of them small.
# - What the second network changed on the same scans: the interval of the paired difference.
# - Of 2,671 real nodules that somebody outlined, 904 were outlined by all four readers, with the interval above; and
#   how well one reader does against the other three.
# - That an AUC of patches does not decide a FROC curve: computed for normal scores, and shown on one detector.
#
# **You may not claim**
# - A sensitivity in real patients. The detector has met simulated ones only; one real scan is an anecdote.
# - That the threshold for "one false alarm per scan" will keep that rate elsewhere. It was read off the test scans. A
#   product fixes its threshold on other patients, and then counts.
# - That the share of cancers found holds in screening. The simulated nodules have the sizes of LIDC, a hospital's
#   patients, and their cancers are drawn by a risk model.
# - That readers would agree as little, or as much, if they had not seen each other's marks.
# - That this detector equals those of LUNA16. Its leading systems combined had a sensitivity of over 95 % at fewer than
#   one false alarm per scan, on 888 real scans ([Setio and others
#   2017](https://doi.org/10.1016/j.media.2017.06.015)).
#
# **When you report a detector**, give: the hit rule; what was counted, ignored and left out; who made the truth; the
# FROC curve with an interval over patients; and what the sum means on a day in your clinic.

# %% [markdown]
# ## Summary
# - A mark is right by a rule: nearer to the centre than the radius, in mm, in space; the best hit counts; duplicates
#   and ignored findings are neither true nor false. Another rule is another result.
# - FROC: sensitivity against false positives **per scan**. Scans without nodules count. CPM is the mean at 1/8 to 8.
# - Draw scans in the bootstrap: their nodules and their false alarms come along. Few scans with many nodules dominate.
# - A second network moves the curve to the left, and cannot rise above what the first proposed.
# - The AUC averages over false positive rates that no radiologist would bear, and easy negatives raise it at will.
# - Four readers: a third of the nodules has all four. Truth is a choice of how many must agree, and a reader is a
#   point in the FROC plane. Kappa needs a count of negatives that does not exist; positive agreement does not.
# - At a prevalence of 1 % nearly all marked people are healthy. Count the day.
#
# ### Key terms
# [hit criterion](glossary:hit-criterion) · [duplicate mark](glossary:duplicate-mark) · [FROC
# curve](glossary:froc-curve) · [competition performance metric](glossary:competition-performance-metric) ·
# [false-positive reduction](glossary:false-positive-reduction) · [positive agreement](glossary:positive-agreement) ·
# [false discovery rate](glossary:false-discovery-rate) · [bootstrap](glossary:bootstrap) · [design
# effect](glossary:design-effect) · [prevalence](glossary:prevalence)
#
# ### Further reading
# - Setio AAA, et al. *Validation, comparison, and combination of algorithms for automatic detection of pulmonary
#   nodules in computed tomography images: the LUNA16 challenge.* Medical Image Analysis 2017.
#   <https://doi.org/10.1016/j.media.2017.06.015>
# - Niemeijer M, et al. *On combining computer-aided detection systems.* IEEE Transactions on Medical Imaging 2011.
#   <https://doi.org/10.1109/TMI.2010.2072789>
# - Bunch PC, et al. *A free response approach to the measurement and characterization of radiographic observer
#   performance.* Proceedings of SPIE 1977. <https://doi.org/10.1117/12.955926>
# - Chakraborty DP. *A brief history of free-response receiver operating characteristic paradigm data analysis.*
#   Academic Radiology 2013. <https://doi.org/10.1016/j.acra.2013.03.001>
# - Armato SG, et al. *The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative (IDRI): a
#   completed reference database of lung nodules on CT scans.* Medical Physics 2011.
#   <https://doi.org/10.1118/1.3528204>
# - Armato SG, et al. *The Lung Image Database Consortium (LIDC): an evaluation of radiologist variability in the
#   identification of lung nodules on CT scans.* Academic Radiology 2007. <https://doi.org/10.1016/j.acra.2007.07.008>
# - Hripcsak G, Rothschild AS. *Agreement, the F-measure, and reliability in information retrieval.* Journal of the
#   American Medical Informatics Association 2005. <https://doi.org/10.1197/jamia.M1733>
# - Church TR, et al. *Results of initial low-dose computed tomographic screening for lung cancer.* New England Journal
#   of Medicine 2013. <https://doi.org/10.1056/NEJMoa1209120>
# - Aberle DR, et al. *Reduced lung-cancer mortality with low-dose computed tomographic screening.* New England Journal
#   of Medicine 2011. <https://doi.org/10.1056/NEJMoa1102873>
