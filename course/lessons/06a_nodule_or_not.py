# %% [markdown]
# In the National Lung Screening Trial 24 % of the CT scans were called positive, and 96 % of these calls were false.
# The same trial saved lives: 20 % fewer people died of lung cancer than in the group with chest radiographs (95 % CI 7
# % to 27 %; [NLST 2011](https://doi.org/10.1056/NEJMoa1102873)). Both numbers hang on one small decision, made
# thousands of times a day: this bright spot, is it a nodule, or a vessel that runs through the slice?
#
# In this lesson you make that decision with a few lines of geometry, then with 1.6 million weights, then with 23
# thousand. You count weights before you train them: the first network would have 31 million. You choose a threshold by
# what a miss costs. You open the test set once. At the end a network meets real scans, which it has never seen.
#
# The patients of sections 1 to 8 are **simulated**; their nodules have the sizes and shapes that the radiologists of
# LIDC-IDRI drew. The lesson takes about two hours; the exercise marked *further* comes on top of that.

# %% [markdown]
# ## The task and its patients
# A patch is a square of 64 × 64 pixels of 0.7 mm, cut from one slice. Label 1: a nodule lies near its middle. Label 0:
# something else does, and it was **chosen to look like one**: a vessel that crosses the slice, a branching, a bulge of
# the pleura, a scar, a thick bronchus. Such look-alikes are called [mimics](glossary:mimic) here.
#
# Patients come in three groups that share nobody: to train on, to choose on, to report on. Each seed below is ten
# patients. The seeds were fixed before anything was looked at.

# %%
from dataclasses import replace

from tqdm.auto import tqdm

COLUMNS = ("images_hu", "labels", "patients", "kinds", "diameters_mm", "malignancy", "malignant")


def simulate(seeds, patches_per_patient):
    """Return the patches of ten simulated patients for each seed, in one set."""
    options = {"num_patients": 10, "patches_per_patient": patches_per_patient}
    parts = [data.load_nodule_patches(**options, seed=seed) for seed in tqdm(seeds, leave=False)]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return replace(parts[0], **columns)

# %%
train = simulate(range(6), 14)
validation = simulate(range(100, 102), 12)
test = simulate(range(200, 204), 12)
data.assert_no_patient_overlap(train.patients, validation.patients, test.patients)
for name, part in {"training": train, "validation": validation, "test": test}.items():
    people = len(np.unique(part.patients))
    print(f"{name:10s}  {people} patients, {len(part)} patches, {part.labels.mean():.0%} with a nodule")
assert len(train) == 840 and len(test) == 480 and 0.25 < train.labels.mean() < 0.4

# %% [markdown]
# Why by patient? The patches of one patient show the same nodules, seen through the same scanner. A network that meets
# some of them in training knows the others already (lesson 05b). `assert_no_patient_overlap` is the guard.
#
# **Predict:** be the network. Which of these twelve training patches, A to L, have a nodule near the middle? Write your
# letters down before you run the next cell. The window is the lung's: centre -600 HU, width 1500 HU.

# %%
draw = np.random.default_rng(12)
shown = np.concatenate([draw.choice(np.flatnonzero(train.labels == k), 6, replace=False) for k in (0, 1)])
shown = draw.permutation(shown)
plots.show_slices(
    train.images_hu[shown], titles=list("ABCDEFGHIJKL"), window_hu="lung", ncols=6, colorbar=False,
    alt="Twelve patches of simulated chest CT, A to L: dark lung with bright spots, strands and walls. Six have a "
    "nodule near the middle.",
)  # fmt: skip

# %%
for letter, i in zip("ABCDEFGHIJKL", shown):
    if train.labels[i]:
        print(f"{letter}  NODULE, {train.kinds[i]}, {train.diameters_mm[i]:.0f} mm")
    else:
        print(f"{letter}  no nodule: {train.kinds[i]}")
assert train.labels[shown].sum() == 6

# %% [markdown]
# Count your hits. Solid nodules of a centimetre are no trouble. A small one and a vessel that runs straight through the
# slice are both a bright disc. Ground glass is a haze that hides in the noise. A radiologist scrolls: a vessel goes on
# in the next slice, a nodule ends. **One slice does not hold that answer**, so nobody, network or expert, can be
# perfect on these patches. That is lesson 07's reason to look at volumes.

# %% [markdown]
# ## Baselines first
# A network is worth its trouble only if it beats what needs no network. Build four rivals, from nothing to something.
#
# 1. **The prevalence.** Say "no" to every patch.
# 2. **Brightness.** A nodule is brighter than lung: put a threshold on the mean HU within 2 mm of the middle.
# 3. **A blob filter.** The Laplacian of a Gaussian (LoG) answers best to a bright disc of radius $\sqrt2\,\sigma$. Take
#    its strongest answer near the middle over four $\sigma$. Lesson 07a derives the $\sqrt2$.
# 4. **Two numbers a radiologist would write down**, the radius and the mean HU of the thing in the middle, in a
#    [logistic regression](glossary:logistic-regression).
#
# The fourth needs a radius. Pixels above -600 HU that hang together with the middle form a mask. Its radius is that of
# the disc with the same area.
#
# ### Exercise: the radius of a mask
# A pixel is `spacing_mm` wide and as high. Check by hand: 8 pixels of 0.7 mm have an area of 3.92 mm² and a radius of
# 1.12 mm.

# %% tags=["exercise"]
def equivalent_radius(mask, spacing_mm):
    """Return the radius in mm of the disc that has the area of the mask."""
    return ...  # your code


# %% tags=["check"]
ex.equivalent_radius.check(equivalent_radius)

# %%
from scipy import ndimage


def middle_distance_mm(size):
    """Return each pixel's distance from the middle of a patch, at 0.7 mm a pixel."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    return 0.7 * np.hypot(rows, columns)


def centre_brightness(images_hu):
    return images_hu[:, middle_distance_mm(images_hu.shape[1]) <= 2].mean(axis=1)


def blob_strength(images_hu, sigmas=(1.5, 2.5, 4, 6)):
    images = np.clip(images_hu, -1000, 400)
    near, strongest = middle_distance_mm(images.shape[1]) <= 5, []
    for s in sigmas:
        rows, columns = (ndimage.gaussian_filter(images, (0, s, s), o) for o in ((0, 2, 0), (0, 0, 2)))
        strongest.append(-(s**2) * (rows + columns)[:, near])  # bright: negative second derivatives
    return np.max(strongest, axis=(0, 2))  # (sigma, patch, pixel) -> (patch,)

# %%
def radius_and_hu(images_hu):
    """Return the radius in mm and the mean HU of the bright thing within 3 mm of the middle."""
    distance, found = middle_distance_mm(images_hu.shape[1]), []
    for image in images_hu:
        parts, _ = ndimage.label(image > -600)  # numbers the connected parts
        nearest = np.argmin(np.where(parts > 0, distance, np.inf))
        if parts.flat[nearest] == 0 or distance.flat[nearest] > 3:
            found.append((0, -850))  # nothing there: lung
            continue
        mask = parts == parts.flat[nearest]
        found.append((np.sqrt(mask.sum() * 0.49 / np.pi), image[mask].mean()))
    return np.array(found)

# %% [markdown]
# Only the fourth rival learns anything, and it learns from the training patients. Compare them on the validation
# patients. Each score is an AUC with its interval, **over patients** (lesson 05b).
#
# **Predict:** which of the four ranks best? And which sign will the weight of the radius have?

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medlearn import metrics

regression = make_pipeline(StandardScaler(), LogisticRegression())
regression.fit(radius_and_hu(train.images_hu), train.labels)
baselines = {
    "brightness": centre_brightness,
    "blob filter": blob_strength,
    "radius and HU": lambda images_hu: regression.predict_proba(radius_and_hu(images_hu))[:, 1],
}

# %%
def auc_of(part, scores):
    return metrics.auc_score(part.labels, scores, patients=part.patients)


scores = {name: score(validation.images_hu) for name, score in baselines.items()}
aucs = {name: auc_of(validation, s) for name, s in scores.items()}
for name, auc in aucs.items():
    print(f"{name:14s} AUC {auc}")
always_no = metrics.accuracy_score(
    validation.labels, np.zeros(len(validation)), patients=validation.patients
)
print(f"always no      accuracy {always_no}")
weights = dict(zip(("radius", "HU"), regression[-1].coef_[0]))
print("weights of the regression:", {name: round(float(w), 2) for name, w in weights.items()})
assert always_no.value > 0.6 and auc_of(validation, np.zeros(len(validation))).value == 0.5
assert all(0.6 < auc.value < 0.85 for auc in aucs.values()) and weights["radius"] < 0

# %% [markdown]
# "Always no" finds nothing and is right for two patches in three. So an accuracy of 67 % is worth nothing here; the AUC
# of a constant is 0.5, because all pairs tie. The mean of a few pixels already ranks far better than chance. The blob
# filter and the regression are close to it, with intervals that overlap widely.
#
# Look at the weight of the radius. You may have expected a plus: nodules are larger than vessels. But the mask takes
# whatever **hangs together** with the middle, as the next figure shows.

# %% tags=["hide-input"]
measured = radius_and_hu(train.images_hu)
figure, axes = plt.subplots(figsize=(7, 3.8))
for label, name, marker, colour in ((0, "no nodule", "s", "blue"), (1, "nodule", "o", "vermillion")):
    chosen = train.labels == label
    axes.scatter(*measured[chosen].T, s=22, marker=marker, alpha=0.6, color=plots.COLOURS[colour], label=name)
axes.set(xlabel="radius of what hangs together with the middle (mm)", ylabel="its mean HU")
axes.set_title("840 patches of 60 simulated patients")
axes.legend(loc="lower right")
touching = {label: np.mean(measured[train.labels == label, 0] > 12) for label in (0, 1)}
assert min(touching.values()) > 0.1
wide = (train.labels == 1) & (measured[:, 0] > 12)
assert np.mean(train.diameters_mm[wide] > 24) < 0.25  # of the nodules on the right, few are so large
plots.picture(
    figure,
    alt=f"Mean HU against radius for nodules and for mimics; both lie all over each other. A radius above "
    f"12 mm has {touching[1]:.0%} of the nodules and {touching[0]:.0%} of the others.",
)

# %% [markdown]
# The cloud on the right is hardly ever a giant nodule. There the thing in the middle touches the chest wall or the
# heart, and the mask took all of it: more than a tenth of the nodules, and of the mimics. The small ones on the left
# are where nodules and vessels meet. To cut the wall off you would write more geometry, then more rules for vessels,
# then for scars. That is how computer-aided detection was built for decades. The alternative: let a network find its
# own measurements. It starts from raw pixels, and it needs weights. How many?

# %% [markdown]
# ## Thirty-one million weights
# Here is the network that the course begins with. Two convolutions with pooling, then everything is laid out in one
# long row (*Flatten*) and read by two dense layers. The last one gives a probability.

# %%
import keras
from keras import layers


def seed_network(size):
    return keras.Sequential(
        [
            keras.Input((size, size, 1)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )

# %% [markdown]
# Count before you build. A convolution slides **one** kernel over the whole image, so its weights do not depend on the
# image's size. With kernels of $K\times K$, $C$ channels in and $C'$ channels out, each output channel has a kernel
# over all input channels, and a bias:
#
# $$n_\text{conv}=(K\cdot K\cdot C+1)\,C' .$$
#
# A dense layer has a weight from each of its $n$ inputs to each of its $m$ units, and a bias for each unit:
# $n_\text{dense}=(n+1)\,m$. Pooling and Flatten have none.
#
# What remains is the side of the maps. Keras does not pad by default, so a 3 × 3 convolution leaves $s-2$ of $s$ rows
# (lesson 02). Pooling by 2 leaves $\lfloor s/2\rfloor$. After two of each, the side is
#
# $$s'=\left\lfloor\frac{\lfloor (s-2)/2\rfloor-2}{2}\right\rfloor ,$$
#
# and Flatten gives $s'\cdot s'\cdot 64$ values.
#
# ### Exercise: count the weights
# Return the number of all weights and biases of `seed_network(size)`, without building it.

# %% tags=["exercise"]
def seed_weights(size):
    """Return the number of weights and biases of the seed network."""
    return ...  # your code


# %% tags=["check"]
ex.seed_weights.check(seed_weights)

# %% [markdown]
# **Predict:** in its first form the network takes 256 × 256 pixels. Which layer has the most weights? What share of
# all?

# %%
from medlearn.models import nodule_cnn

side = ((256 - 2) // 2 - 2) // 2
by_hand = [(9 * 1 + 1) * 32, 0, (9 * 32 + 1) * 64, 0, 0, (side**2 * 64 + 1) * 128, (128 + 1) * 1]
large = seed_network(256)
for layer, count in zip(large.layers, by_hand):
    kind, share = layer.name.split("_")[0], count / sum(by_hand)
    print(f"{kind:8s} {str(layer.output.shape[1:]):15s} {count:>10,}  {share:6.2%}")
    assert layer.count_params() == count
print(f"{'all':24s} {sum(by_hand):>10,}")
assert sum(by_hand) == large.count_params() == 31_509_121 and by_hand[5] / sum(by_hand) > 0.999
assert nodule_cnn.seed_cnn(64).count_params() == seed_network(64).count_params()  # the library has it too

# %% [markdown]
# The part that sees, the two convolutions, has 18,816 weights. One layer, the first after Flatten, has 99.9 % of all:
# one weight for each of 246,016 values (62 × 62 places, 64 channels), times 128. It ties every place of the map to
# every unit separately. What it learns about a nodule at one place it does not know ten pixels further.
#
# That costs memory. Training keeps four numbers a weight: the weight, its gradient, and Adam's two running means
# (lesson 04b). And it keeps every layer's output, for the way back.

# %%
def outputs_per_image(size):
    """Return how many numbers the layers of the seed network put out for one image."""
    a, b = size - 2, (size - 2) // 2
    c, d = b - 2, (b - 2) // 2
    return 32 * (a**2 + b**2) + 64 * (c**2 + d**2) + 128 + 1


megabyte = 1e6
for size in (256, 64):
    d = ((size - 2) // 2 - 2) // 2
    count = 320 + 18_496 + (d**2 * 64 + 1) * 128 + 129
    kept, passed = 4 * 4 * count / megabyte, 4 * 32 * outputs_per_image(size) / megabyte
    print(f"{size:3d} pixels: {count:>10,} weights, {kept:3.0f} MB to train them,"
          f" {passed:3.0f} MB of outputs for 32 images")  # fmt: skip
assert count == 1_624_705
del large

# %% [markdown]
# (The real need is higher: the outputs have gradients too, and convolutions work with copies.) At 64 pixels it is a
# twentieth. And a patch of 64 pixels is 45 mm wide, which holds any nodule. That is the network you train.

# %% [markdown]
# ## Ten epochs
# A network wants numbers of about one. Cut the HU off at -1000 (air) and 400 (bone), and map the rest to 0 to 1. All
# that tells a nodule from lung lies in between.
#
# `compile` names the loss (the [cross-entropy](glossary:cross-entropy) of lesson 03), the optimizer (lesson 04b) and
# what to print. `fit` goes ten times through the training patients: ten [epochs](glossary:epoch). The validation
# patients are only looked at.

# %%
def to_input(images_hu):
    scaled = np.clip((images_hu + 1000) / 1400, 0, 1)
    return scaled[..., np.newaxis].astype("float32")  # (n, size, size) -> (n, size, size, 1)


assert np.array_equal(to_input(train.images_hu), nodule_cnn.to_input(train.images_hu))
keras.utils.set_random_seed(2026)
network = seed_network(64)
network.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])

# %% [markdown]
# **Predict:** 1,624,705 weights, 840 patches. Where will the loss of the training patches be after ten epochs? Where
# that of the validation patches? (Always saying 35 % costs about 0.65.)

# %%
from time import perf_counter

seen = (to_input(validation.images_hu), validation.labels)
started = perf_counter()
with tqdm(total=10, desc="epochs", leave=False) as bar:
    tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.update())
    history = network.fit(
        to_input(train.images_hu), train.labels, epochs=10, batch_size=32,
        validation_data=seen, verbose=0, callbacks=[tick],
    ).history  # fmt: skip
seconds = {"seed": perf_counter() - started}
loss, accuracy = network.evaluate(*seen, verbose=0)
print(f"{seconds['seed']:.0f} s; on validation patients: loss {loss:.2f}, accuracy {accuracy:.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
for ax, name in zip(axes, ("loss", "accuracy")):
    ax.plot(range(1, 11), history[name], "o-", label="training")
    ax.plot(range(1, 11), history[f"val_{name}"], "s--", label="validation")
    ax.set(xlabel="epoch", ylabel=name)
axes[1].axhline(1 - validation.labels.mean(), color="black", linestyle=":", linewidth=1.2, label="always no")
axes[0].set_title("The seed network, 64 × 64")
axes[1].legend()
lowest = int(np.argmin(history["val_loss"])) + 1
plots.picture(
    figure,
    alt=f"Left: the training loss falls from epoch to epoch; the validation loss is lowest at epoch {lowest} and then "
    f"higher. Right: the training accuracy ends at {history['accuracy'][-1]:.2f}, that of validation at "
    f"{history['val_accuracy'][-1]:.2f}.",
)

# %%
scores["seed"] = network.predict(seen[0], verbose=0)[:, 0]
called = metrics.accuracy_score(validation.labels, scores["seed"] >= 0.5, patients=validation.patients)
print(f"lowest validation loss: {min(history['val_loss']):.2f}, at epoch {lowest}; at the end {loss:.2f}")
print(f"accuracy of the seed network {called}")
print(f"accuracy of 'always no'      {always_no}")
print(f"AUC of the seed network      {auc_of(validation, scores['seed'])}")
on_training = auc_of(train, network.predict(to_input(train.images_hu), verbose=0)[:, 0])
print(f"... on its training patients {on_training}")
assert abs(called.value - accuracy) < 0.01 and history["loss"][-1] < loss - 0.05
assert loss > min(history["val_loss"]) and lowest < 10
assert on_training.value > auc_of(validation, scores["seed"]).value + 0.05

# %% [markdown]
# `evaluate` gives you a bare number. With its interval beside that of "always no", the accuracy says little. The AUC
# says more.
#
# The two curves part. On its training patches the network becomes better and better; on people it has not met, the loss
# ends above its lowest point. It has begun to learn these 60 patients **by heart**. That is
# [overfitting](glossary:overfitting), and with 2,000 weights a patch it is no wonder. The loss is the score that shows
# it best: the ranking may still hold while the probabilities run to 0 and 1, and a confident error costs much (lesson
# 03).

# %% [markdown]
# ## Do fewer weights win?
# "Too many weights, so take fewer" sounds right. It is a guess until it is measured. Three rivals to the seed network:
#
# - **narrow**: the same layers with 8 and 16 channels and 32 units. A sixteenth of the weights.
# - **mean**: no Flatten. After the last convolution each channel is replaced by its **mean** over all places ([global
#   average pooling](glossary:global-pooling), [Lin and others 2013](https://doi.org/10.48550/arXiv.1312.4400)), and one
#   weight a channel decides.
# - **max**: the same, with each channel's **largest** value.
#
# What do the last two give up? Let $a_c(x)$ be the map of channel $c$ at place $x$, and $N$ the number of places:
#
# $$z_\text{mean}=b+\sum_c w_c\,\frac1N\sum_x a_c(x),\qquad z_\text{max}=b+\sum_c w_c\,\max_x a_c(x).$$
#
# Neither knows **where** a channel answered. And they differ in what a small thing weighs. In $z_\text{mean}$ a nodule
# counts by its share of the places, in $z_\text{max}$ in full.
#
# ### Exercise: how much of a patch is nodule?
# A nodule has a diameter of 6 mm, the patch 64 × 64 pixels of 0.7 mm. Which share of the pixels is nodule?

# %% tags=["exercise"]
nodule_share = ...  # your number

# %% tags=["check"]
ex.nodule_share.check(nodule_share)

# %% [markdown]
# The mean hears hardly anything of it, through all that lung. But you know something that the network does not: the
# nodule is **near the middle**, if there is one. So give **mean** and **max** the middle 32 × 32 pixels, 22 mm, where
# the share is four times as large.

# %%
def narrow_network():
    return keras.Sequential(
        [
            keras.Input((64, 64, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )

# %%
def pooled_network(pooling, size=32):
    network = keras.Sequential([keras.Input((size, size, 1))])
    for channels in (16, 32, 64):
        network.add(layers.Conv2D(channels, 3, padding="same", activation="relu"))
        if channels < 64:
            network.add(layers.MaxPooling2D(2))
    network.add(pooling())
    network.add(layers.Dense(1, activation="sigmoid"))
    return network


def middle(images, size=32):
    first = (images.shape[1] - size) // 2
    return images[:, first : first + size, first : first + size]

# %%
rivals = {
    "narrow": (narrow_network, 64),
    "mean": (lambda: pooled_network(layers.GlobalAveragePooling2D), 32),
    "max": (lambda: pooled_network(layers.GlobalMaxPooling2D), 32),
}

# %%
def trained(build, size, *, epochs=10):
    """Train a network like the seed network, on the middle of each patch; return it and its losses."""
    x, x_seen = (to_input(middle(part.images_hu, size)) for part in (train, validation))
    keras.utils.set_random_seed(2026)
    network = build()
    network.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    with tqdm(total=epochs, desc="epochs", leave=False) as bar:
        tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.update())
        watched = {"validation_data": (x_seen, validation.labels), "callbacks": [tick]}
        fitted = network.fit(x, train.labels, epochs=epochs, batch_size=32, verbose=0, **watched)
    return network, fitted.history

# %% [markdown]
# **Predict:** the same patients, the same ten epochs. Order the four networks by their AUC on validation patients.
# Which will overfit least?

# %%
networks, histories, sizes = {"seed": network}, {"seed": history}, {"seed": 64}
for name, (build, size) in rivals.items():
    started = perf_counter()
    networks[name], histories[name] = trained(build, size)
    seconds[name], sizes[name] = perf_counter() - started, size
    inputs = to_input(middle(validation.images_hu, size))
    scores[name] = networks[name].predict(inputs, verbose=0)[:, 0]

# %%
aucs |= {name: auc_of(validation, scores[name]) for name in networks}
for name, model in networks.items():
    print(f"{name:7s} {model.count_params():>9,} weights  {seconds[name]:3.0f} s   AUC {aucs[name]}")
assert networks["mean"].count_params() == nodule_cnn.pooled_cnn(32).count_params() == 23_361
assert networks["narrow"].count_params() == 101_665

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(9.5, 2.9), sharey=True)
for ax, (name, past) in zip(axes, histories.items()):
    ax.plot(range(1, 11), past["loss"], "-", label="training")
    ax.plot(range(1, 11), past["val_loss"], "--", label="validation")
    ax.set(xlabel="epoch", xticks=[1, 4, 7, 10], title=f"{name}: {networks[name].count_params():,}")
axes[0].set(ylabel="cross-entropy", ylim=(0, None))
axes[1].legend(loc="lower left", fontsize=9)
gaps = {name: past["val_loss"][-1] - past["loss"][-1] for name, past in histories.items()}
plots.picture(
    figure,
    alt="Training and validation loss of four networks over ten epochs. At the end the validation loss lies above the "
    "training loss by " + ", ".join(f"{gap:.2f} ({name})" for name, gap in gaps.items()) + ".",
)

# %%
print("validation loss minus training loss:", {name: round(float(gap), 2) for name, gap in gaps.items()})
best = max(networks, key=lambda name: aucs[name].value)
baseline = max(baselines, key=lambda name: aucs[name].value)
print(f"highest AUC on validation patients: of the networks {best}, of the baselines {baseline}")
assert max(gaps["mean"], gaps["max"]) < gaps["seed"] and aucs["max"].value > aucs["mean"].value
assert histories["mean"]["loss"][-1] > max(0.55, histories["max"]["loss"][-1])

# %% [markdown]
# Here, the networks with the fewest weights part least from their training patients. That they rank **better** does
# not follow. `mean` does not overfit, and hardly learns: its training loss stays close to the 0.65 of always saying the
# prevalence. Its 23,361 weights have nothing wrong with them: `max` has **the same number**, and learns. They differ in
# one line, in how the places are put together. The mean dilutes: each place's part in the logit, and in the gradient,
# is divided by the number of places. (Batch normalisation gets it moving; lesson 06b says what that costs.) And ten
# epochs are not the same for all: look whose training loss is still falling at the end.
#
# So the number of weights is a poor guide. What a network **does with places** matters here. Whether `max`, `narrow`
# and the seed network differ from each other, 20 validation patients can hardly tell: look at the intervals. That
# question goes to the test patients, with the other open ones, once.

# %% [markdown]
# ## What a feature map shows
# Each channel of a convolution is an image: high where the channel's pattern is. It is called a [feature
# map](glossary:feature-map). Look at those of `max`, for eight validation patches: four nodules, four mimics.
#
# **Predict:** what will the first convolution have found useful, with kernels of 3 × 3 pixels? And what can the third
# one see? (Its receptive field: lesson 02. Count kernel and pooling: 3, 4, 8, 10, 18 pixels.)

# %%
inner = networks["max"]
convolutions = [layer for layer in inner.layers if isinstance(layer, layers.Conv2D)]
reader = keras.Model(inner.inputs, [layer.output for layer in convolutions])
draw = np.random.default_rng(3)
picked = [draw.choice(np.flatnonzero(validation.labels == k), 4, replace=False) for k in (1, 0)]
picked = np.concatenate(picked)
patches = to_input(middle(validation.images_hu[picked]))

# %%
answers = dict(zip(("first", "second", "third"), reader.predict(patches, verbose=0)))
names = [
    f"{kind}, {mm:.0f} mm" if mm > 0 else kind
    for kind, mm in zip(validation.kinds[picked], validation.diameters_mm[picked])
]
for name, maps in answers.items():
    print(f"{name:6s} {maps.shape}, dark for all eight: {np.sum(maps.max(axis=(0, 1, 2)) <= 0)} channels")
assert answers["third"].shape == (8, 8, 8, 64)
widgets.explore_feature_maps(patches[..., 0], answers, names=names)

# %% [markdown]
# Step through the patches, then change the layer. In the first layer you recognise the patch: brightness, edges to one
# side or the other. A channel that stays dark for all eight adds nothing here: its ReLU does not open. (If it stays so
# for every patch, it is called dead.) Further in, the maps are coarse, 8 × 8: each place there sees 18 × 18 pixels, 13
# mm, and says "something like *this* is here". Do not give the channels names. A pattern that you see in four patches
# is no evidence.
#
# For `max` one thing can be said exactly. Its [logit](glossary:logit) is a sum over channels, each with the one place
# where it was strongest. So you can ask every channel what it gave, and where.

# %%
weight, bias = (np.asarray(values) for values in inner.layers[-1].get_weights())
peaks = answers["third"].max(axis=(1, 2))  # (patch, 8, 8, channel) -> (patch, channel)
logits = peaks @ weight[:, 0] + bias[0]
probability = inner.predict(patches, verbose=0)[:, 0]
assert np.allclose(1 / (1 + np.exp(-logits)), probability, atol=1e-3)
gave = peaks * weight[:, 0]  # what each channel adds to the logit
for i in (0, 7):
    strongest = np.argsort(-np.abs(gave[i]))[:3]
    said = ", ".join(f"channel {c} {gave[i, c]:+.2f}" for c in strongest)
    print(f"{names[i]:18s} probability {probability[i]:.2f}: {said}")

# %% [markdown]
# The sum of 64 such terms and the bias **is** the decision; no term is left out. That is more than a story about the
# network, but it is in the network's words, not in yours.
#
# A question that works for any network: **what if this part were not there?** Fill a tile of the patch with lung, and
# see how far the score falls ([Zeiler and Fergus 2014](https://doi.org/10.1007/978-3-319-10590-1_53)). Take the logit
# as the score: near 0 and 1 the sigmoid is flat, and a probability would hardly move.
#
# ### Exercise: an occlusion map
# `score` is a function that takes a patch and returns a number. Go through the tiles of `size` × `size` pixels; the
# patch's sides are multiples of `size`. Return one value a tile: by how much the score falls when that tile is filled.

# %% tags=["exercise"]
def occlusion_map(score, patch, size, fill):
    """Return how far the score falls when each tile is filled, shape (rows // size, columns // size)."""
    return ...  # your code


# %% tags=["check"]
ex.occlusion_map.check(occlusion_map)

# %% tags=["hide-input"]
def hidden_versions(image, size, fill):
    """Return the patch once for each tile, with that tile filled."""
    side, versions = image.shape[0] // size, np.repeat(image[np.newaxis], (image.shape[0] // size) ** 2, axis=0)
    for k, (row, column) in enumerate(np.ndindex(side, side)):
        versions[k, row * size : (row + 1) * size, column * size : (column + 1) * size] = fill
    return versions


lung, tile = 0.1, 8  # -860 HU
last = networks["seed"].layers[-1]
hidden = keras.Model(networks["seed"].inputs, networks["seed"].layers[-2].output)
w, b = (np.asarray(values) for values in last.get_weights())  # the logit, before the sigmoid
figure, axes = plt.subplots(2, 4, figsize=(9.3, 5))
fallen = []
for column, i in enumerate((0, 1, 4, 5)):
    whole = to_input(validation.images_hu[picked[i]][np.newaxis])[0, :, :, 0]
    versions = np.concatenate([whole[np.newaxis], hidden_versions(whole, tile, lung)])
    logit = hidden.predict(versions[..., np.newaxis], verbose=0) @ w[:, 0] + b[0]
    fallen.append((logit[0] - logit[1:]).reshape(64 // tile, -1))
    axes[0, column].imshow(whole, cmap="gray")
    axes[0, column].set_title(f"{names[i]}\nprobability {1 / (1 + np.exp(-logit[0])):.2f}", fontsize=9)
    image = axes[1, column].imshow(fallen[-1], cmap="RdBu_r", vmin=-3, vmax=3)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
figure.colorbar(image, ax=axes[1], label="fall of the logit", shrink=0.9, extend="both")
largest = [np.unravel_index(np.abs(fall).argmax(), fall.shape) for fall in fallen]
plots.picture(
    figure,
    alt="Four validation patches above, their occlusion maps by the seed network below, 8 by 8 tiles. The tile with "
    "the largest effect lies in row and column " + ", ".join(f"{r + 1} and {c + 1}" for r, c in largest) + " of 8.",
)

# %% [markdown]
# Red: without this tile the network would say "nodule" less. Blue: it would say it more. Where the strong tiles lie in
# the middle, the network looks where the question is. Strong tiles at the rim mean that it leans on something else: the
# chest wall, a vessel beside the spot, a corner that some training patients had in common. That is worth knowing
# **before** you trust it, and a good AUC does not tell you.
#
# Mind what the map is not. It answers for **this** filling, **this** size of tile and one tile at a time. A hard square
# of lung is no anatomy that the network ever saw.

# %% [markdown]
# ## What does a miss cost?
# A network ranks; a clinic needs yes or no. The threshold is a price (lesson 05a), and it is chosen **now**, on
# validation patients, before the test set is opened.
#
# Suppose that the network stands behind a first stage that proposes places, as in lesson 07a. Of these places 5 % are
# nodules, not 35 % as among your patches. Sensitivity and specificity of a threshold do not depend on that share, if
# the nodules and the mimics are of the same kinds. The cost does. With prevalence $\pi$, and a miss that costs as much
# as $m$ false alarms, the cost a place is
#
# $$\text{cost}(t)=\pi\,m\,\bigl(1-\text{sensitivity}(t)\bigr)+(1-\pi)\,\bigl(1-\text{specificity}(t)\bigr).$$
#
# ### Exercise: a threshold for another prevalence
# Try each distinct score as a threshold, called is `score >= t`, and `np.inf` for calling nobody. Of equally cheap ones
# return the smallest.

# %% tags=["exercise"]
def screening_threshold(labels, scores, prevalence, miss):
    """Return the cheapest threshold at this prevalence; a miss costs `miss` false alarms."""
    return ...  # your code


# %% tags=["check"]
ex.screening_threshold.check(screening_threshold)

# %% [markdown]
# **Predict:** a miss costs 20 false alarms. At which prevalence is the threshold higher: 35 %, or 5 %? What is the
# cheapest policy without any network?

# %%
def place_costs(labels, scores, thresholds, prevalence, miss):
    called = scores >= np.asarray(thresholds)[:, np.newaxis]  # (threshold, patch)
    missed, alarms = 1 - called[:, labels == 1].mean(axis=1), called[:, labels == 0].mean(axis=1)
    return prevalence * miss * missed + (1 - prevalence) * alarms


candidates = np.append(np.unique(scores[best]), np.inf)
chosen = {}
for prevalence in (0.35, 0.05):
    costs = place_costs(validation.labels, scores[best], candidates, prevalence, 20)
    chosen[prevalence] = candidates[np.argmin(costs)]
    without = min(1 - prevalence, 20 * prevalence)  # call everybody, or nobody
    print(f"{best}, prevalence {prevalence:.0%}: threshold {chosen[prevalence]:.2g},"
          f" cost {costs.min():.2f} a place; without a network {without:.2f}")  # fmt: skip
assert chosen[0.05] >= chosen[0.35]

# %% [markdown]
# Among many nodules, with a cheap false alarm and a dear miss, you call almost everything. Compare the two costs: what
# does the network save there? At 5 % the false alarms come from 95 % of the places, so the threshold goes up. (Those
# costs are flattered: the threshold was chosen on the same patches.)
#
# ### The test patients, once
# All choices are made: the networks, the threshold, and what to compare. Three comparisons were fixed before anybody
# looked: the seed network against `narrow`, `max` against `mean`, and the network that validation chose against the
# blob filter. Open the envelope.
#
# **Predict:** 40 test patients. How wide will an interval of an AUC be? Which of the three differences will exclude 0?
# And the network that validation chose: will its AUC on new patients be as high as on those who chose it?

# %%
on_test = {name: score(test.images_hu) for name, score in baselines.items()}
for name, model in networks.items():
    inputs = to_input(middle(test.images_hu, sizes[name]))
    on_test[name] = model.predict(inputs, verbose=0)[:, 0]
final = {name: auc_of(test, s) for name, s in on_test.items()}
for name, found in final.items():
    print(f"{name:14s} AUC {found}; on validation patients {aucs[name].value:.2f}")
assert final["max"].low > 0.5 and final["seed"].low > 0.5

# %%
def compare(a, b):
    """Print the paired difference of two AUCs over the test patients, and what it allows you to say."""
    found = metrics.compare_auc(test.labels, on_test[a], on_test[b], patients=test.patients).difference
    if found.low > 0 or found.high < 0:
        said = f"{a if found.value > 0 else b} ranks better"
    else:
        said = "no difference shown"
    print(f"{a} minus {b}: {found:.3f}\n   {said}")
    return found


fixed = (("seed", "narrow"), ("max", "mean"), (best, "blob filter"))
differences = {pair: compare(*pair) for pair in fixed}
print("added afterwards, and harder:")
differences[best, baseline] = compare(best, baseline)
assert max(d.high - d.low for d in differences.values()) < 0.4
assert differences["max", "mean"].value > 0

# %% [markdown]
# The line below each interval is drawn from the interval, not from hope. Each interval misses in one study of twenty;
# that at least one of three does happens more often. Where it says "no difference shown", that is
# all it says: 40 patients cannot show a small one, and lesson 05b tells you how many could. Did fewer weights win? Read
# it off the first line: sixteen times as many weights, and what do they buy? Then off the second: **equally** many
# weights, another pooling.
#
# The last comparison was not planned. The plan had named the blob filter, and on validation patients another baseline
# may lead. To keep the easier rival because it was planned, and stay silent about the harder one, would be correct and
# misleading. So both are there, and the added one is marked as added.
#
# Compare the two columns of AUCs, too. The network was **chosen** for its value on 20 validation patients, and other
# patients are other patients. Is it still the highest of the four? A value that you chose by is no result, and 20
# patients choose badly between networks that lie close together. Choosing again now, on the test patients, would make
# them validation patients.
#
# Now the ROC curve of the chosen network, with the threshold on it.

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.3, 4.1))
for name, style in ((best, "-"), (baseline, "--")):
    curve = metrics.roc_curve(test.labels, on_test[name])
    label = f"{name}, AUC {final[name].value:.2f}"
    axes[0].plot(curve.false_positive_rate, curve.sensitivity, style, label=label)
called = on_test[best] >= chosen[0.05]
sensitivity = metrics.sensitivity_score(test.labels, called, patients=test.patients)
specificity = metrics.specificity_score(test.labels, called, patients=test.patients)
x, y = 1 - specificity.value, sensitivity.value
axes[0].plot([x, x], sensitivity.interval, "-", [1 - v for v in specificity.interval], [y, y], "-", color="black")
axes[0].plot(x, y, "D", color="black", label="the chosen threshold")
axes[0].plot([0, 1], [0, 1], ":", color="0.5")
axes[0].set(xlabel="1 − specificity", ylabel="sensitivity", title="40 simulated test patients")
axes[0].legend(loc="lower right", fontsize=9)
for name, marker in zip(("seed", "max"), "os"):
    bins = metrics.calibration_curve(
        test.labels, on_test[name], num_bins=5, strategy="quantile", patients=test.patients
    )
    spread = np.abs([bins.observed - bins.low, bins.high - bins.observed])
    axes[1].errorbar(bins.predicted, bins.observed, spread, marker=marker, capsize=3, label=name)
axes[1].plot([0, 1], [0, 1], ":", color="0.5")
axes[1].set(xlabel="predicted probability", ylabel="share of nodules", title="Calibration, 95 % intervals")
axes[1].set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
axes[1].legend(loc="upper left", fontsize=9)
plots.picture(
    figure,
    alt=f"Left: ROC curves of {best} and {baseline}; the threshold has a sensitivity of {y:.2f} and a false "
    f"positive rate of {x:.2f}. Right: observed share of nodules against predicted probability in five bins, with "
    "intervals and the diagonal.",
)

# %%
cost = metrics.bootstrap(
    lambda y, s: place_costs(y, s, [chosen[0.05]], 0.05, 20)[0],
    test.labels, on_test[best], patients=test.patients,
)  # fmt: skip
print(f"sensitivity {sensitivity}\nspecificity {specificity}")
print(f"cost a place at 5 %: {cost}; calling all costs 0.95, none 1.00")
for name in ("seed", "max"):
    p = on_test[name]
    ece = metrics.expected_calibration_error(test.labels, p, patients=test.patients)
    print(f"{name:7s} Brier score {metrics.brier_score(test.labels, p, patients=test.patients)}\n"
          f"        calibration error {ece}")  # fmt: skip
prevalence_only = test.labels.mean() * (1 - test.labels.mean())
print(f"always saying the prevalence: Brier score {prevalence_only:.2f}")
assert 0 <= sensitivity.low < sensitivity.high <= 1 and cost.value < 0.95

# %% [markdown]
# Look at the calibration before you print a probability on a report. A network that learned its training patients by
# heart is sure of itself for everybody: too many of its patches near 0 are nodules, and too few of those near 1. Is it
# so here? See whether `max`, with its smaller gap between the losses, lies nearer to the diagonal. And all of these
# probabilities were learned where 35 % of the patches are nodules. Where 5 % are, every probability must be moved
# (lesson 05a, *move the prevalence*). That is why the threshold above was chosen by counting, not by the formula
# $1/(1+m)$.

# %% [markdown]
# ## The best that anyone can do
# "Nodule or not" has a true answer. "Cancer or not" has one too, but not in the image. The simulated patients carry a
# probability for each nodule, from the model of the Brock University ([McWilliams and others
# 2013](https://doi.org/10.1056/NEJMoa1214726)): size, spiculation, type, lobe, age, sex, family, emphysema. Then a coin
# with that probability decides. Take a reader who knows the **exact** probability $p_i$ of every nodule. No network can
# know more. What is this reader's AUC?
#
# A pair (cancer, no cancer) is nodule $i$ and nodule $j$ with probability $p_i(1-p_j)$. The reader is right where
# $p_i>p_j$, and half right where they tie. So, as a share of all pairs that are to be expected,
#
# $$A_\text{best}=\frac{\sum_{i\ne j}p_i(1-p_j)\,\bigl([p_i>p_j]+\tfrac12[p_i=p_j]\bigr)}
# {\sum_{i\ne j}p_i(1-p_j)} .$$
#
# ### Exercise (further): the best possible AUC
# By hand for two nodules with 0.8 and 0.2: the pair is right with $0.8\cdot0.8=0.64$ and wrong with
# $0.2\cdot0.2=0.04$. So the share is $0.64/0.68$, which is 0.94.

# %% tags=["exercise"]
def best_auc(p):
    """Return the share of pairs (cancer, no cancer) that the probabilities p put in the right order."""
    return ...  # your code


# %% tags=["check"]
ex.best_auc.check(best_auc)

# %% [markdown]
# **Predict:** the nodules of your 60 training patients have risks from far below 1 % up. Will the best AUC be nearer to
# 0.8, 0.9 or 1? And what becomes of it among nodules of 8 mm and more, the ones that doctors argue about?

# %%
nodules = train.select(train.labels == 1)
_, first = np.unique([f"{who} {mm}" for who, mm in zip(nodules.patients, nodules.diameters_mm)], return_index=True)
risk, diameter = nodules.malignancy[first], nodules.diameters_mm[first]


def ceiling(p):
    weights = np.outer(p, 1 - p) * (1 - np.eye(len(p)))
    ordered = (p[:, np.newaxis] > p) + 0.5 * (p[:, np.newaxis] == p)
    return np.sum(weights * ordered) / np.sum(weights)


for name, p in {"all": risk, "8 mm or more": risk[diameter >= 8]}.items():
    print(f"{name:13s} {len(p):3d} nodules, {p.sum():4.1f} cancers expected, best AUC {ceiling(p):.3f}")
assert ceiling(risk) < 0.99 and ceiling(risk[diameter >= 8]) < ceiling(risk)

# %%
coin = np.random.default_rng(0)
pairs = np.zeros(2)  # right, all
for _ in range(3000):
    cancer = coin.random(len(risk)) < risk
    ill, healthy = risk[cancer], risk[~cancer]
    ordered = (ill[:, np.newaxis] > healthy) + 0.5 * (ill[:, np.newaxis] == healthy)
    pairs += ordered.sum(), ordered.size
print(f"3,000 drawings of the labels: {pairs[0] / pairs[1]:.3f}; by the formula {ceiling(risk):.3f}")
assert abs(pairs[0] / pairs[1] - ceiling(risk)) < 0.02

# %% [markdown]
# The reader who knows all that can be known is not perfect, and among the larger nodules still less so. A part of the
# AUC over **all** nodules comes from easy pairs: a small nodule is almost never cancer. If a
# paper reports an AUC above the ceiling of its labels, the labels or the test set deserve a second look. And where a
# label is a biopsy, a follow-up or a vote, it has its own noise: that lowers the ceiling once more.

# %% [markdown]
# ## Real patients
# The LUNA16 crops ([Setio and others 2017](https://doi.org/10.1016/j.media.2017.06.015)) are 50 × 50 real pixels around
# places that a first stage proposed; 1 means that at least three of four radiologists marked a nodule of 3 mm or more.
# Take your baselines and networks to them **as they are**: nothing is trained, nothing is chosen. The rows of the file
# run scan by scan, and blocks of rows, about two scans each, stand in for the patients. You use the first 85 % of the
# rows, for development. The last 15 % stay closed until lesson 06b.
#
# The networks with pooling take the middle 32 pixels, as before. `seed` and `narrow` cannot come along without a trick:
# their Flatten wants 64 pixels, and there are 50. Fixed sizes are a price of Flatten, too.
#
# **Predict:** from simulated to real patients: by how much will the AUC of `max` change? And that of the brightness,
# which has learned nothing?

# %%
have_crops = data.available("luna16_crops")
if have_crops:
    crops, _ = data.load_luna16_crops().by_rows((0.85, 0.15))
    real = {name: score(crops.images_hu) for name, score in baselines.items()}
    for name in ("mean", "max"):
        inputs = to_input(middle(crops.images_hu))
        real[name] = networks[name].predict(inputs, batch_size=256, verbose=0)[:, 0]
    print(f"{len(crops)} crops, {crops.labels.mean():.0%} nodules, {len(np.unique(crops.blocks))} blocks")
    real_auc = {
        name: metrics.auc_score(crops.labels, s, patients=crops.blocks).counted_in("block")
        for name, s in real.items()
    }

# %%
if have_crops:
    for name, found in real_auc.items():
        here = final[name]
        print(f"{name:14s} simulated {here.value:.2f} ({here.low:.2f} to {here.high:.2f})   real {found}")
    for name in baselines:
        paired = metrics.compare_auc(crops.labels, real["max"], real[name], patients=crops.blocks)
        found = paired.counted_in("block").difference
        said = "max is better" if found.low > 0 else f"{name} is better" if found.high < 0 else "open"
        print(f"real: max minus {name}: {found:.3f}: {said}")
    on_simulated = (on_test["max"], on_test["brightness"])
    found = metrics.compare_auc(test.labels, *on_simulated, patients=test.patients).difference
    print(f"simulated, added: max minus brightness: {found:.3f}")
    assert real_auc["max"].low > 0.6 and real_auc["brightness"].low > 0.7

# %% tags=["hide-input"]
if have_crops:
    order = np.argsort(-real["max"])
    hits, alarms = (order[crops.labels[order] == k][:6] for k in (1, 0))
    low = order[::-1][crops.labels[order[::-1]] == 1][:6]
    rows = {"nodules, highest scores": hits, "no nodules, highest scores": alarms, "nodules, lowest scores": low}
    figure, axes = plt.subplots(3, 6, figsize=(9.3, 5.3))
    for line, (name, some) in zip(axes, rows.items()):
        for ax, i in zip(line, some):
            ax.imshow(middle(crops.images_hu[i][np.newaxis])[0], vmin=-1350, vmax=150)
            ax.set(xticks=[], yticks=[])
            ax.set_title(f"{real['max'][i]:.2f}", fontsize=9)
        line[0].set_ylabel(name.replace(", ", "\n"), fontsize=9)
    figure.suptitle("Real crops, as the network trained on simulated patients sees them")
    display_of_extremes = plots.picture(
        figure,
        alt="Three rows of six real crops of 32 by 32 pixels: nodules with the highest scores, other places with the "
        "highest scores, nodules with the lowest scores. Each has its score above it.",
    )
    display_of_extremes.show()

# %% [markdown]
# If the crops are there, compare each pair of columns. The brightness has learned nothing, so its change is not the
# network's fault: the **task** is another one. Here the mimics are whatever a first stage proposed, other nodules
# count, the pixels were rounded and compressed, and their size differs from scan to scan. So the fall of the network
# alone is not the gap. Ask what it is worth **beside the brightness**, on the same images: "max minus brightness" on
# real patients, and in the last line on simulated ones (one more comparison that nobody had planned). What the network
# loses between the two may be what it had learned of the simulation only: its noise, its vessels, its idea of a wall.
# Or the pixels of another size. The numbers do not tell these apart.
#
# The pictures are a first hint. In the middle row, which false alarms would have fooled you? In the last row, is the
# nodule small, faint, or stuck to a wall? Eighteen crops are no statistics; lesson 06b goes on from here.
#
# A simulation can teach, and it can test a method where the truth is known. What it cannot do is vouch for patients.
# Lesson 06b trains on real crops, step by step, and opens the last rows once.

# %% [markdown]
# ## What you may claim
# **You may claim**
# - On 40 simulated test patients, looked at once, the AUCs of three baselines and four networks, three paired
#   differences fixed beforehand and the added ones, each with its interval over patients, as printed.
# - The seed network has 31,509,121 weights at 256 × 256 pixels, 99.9 % of them in one layer: counted.
# - At 64 × 64 pixels, on 60 simulated patients and in ten epochs, it overfits: the loss on people it has not met ends
#   above that on its training patches.
# - On 5,515 real crops, where they are there, what a network trained on simulated patients only is worth, with an
#   interval over blocks.
#
# **You may not claim**
# - That fewer weights are better, or worse. One training run for each network was measured, on one set of patients. Run
#   to run, the same network with another seed of its initial weights differs too, and the intervals above do not hold
#   that.
# - That pooling by the mean is bad. It was bad **here**: on small things, without normalisation, in ten epochs.
# - Anything about patients from the simulated scores. The simulation draws anatomy from surfaces and grown vessels; it
#   knows no infection, no motion, no surgery.
# - That a red tile is the reason for a decision.
# - That the development rows are a test set. You will train and choose on them in the next lesson.
#
# **Published beside it**: in the LUNA16 challenge the combined leading systems, convolutional networks on proposed
# places, reached a sensitivity of over 95 % at fewer than one false positive a scan ([Setio and others
# 2017](https://doi.org/10.1016/j.media.2017.06.015)). That is whole scans and another score, so it does not stand
# beside an AUC of patches. Lesson 07b takes it up.

# %% [markdown]
# ## Summary
# - Split by patient, fix the seeds, keep the test set closed.
# - Baselines first. "Always no" has a fine accuracy; a mean of a few pixels has an AUC that a network must beat.
# - A convolution has $(K\cdot K\cdot C+1)\,C'$ weights, whatever the size of the image; a dense layer after Flatten has
#   almost all the others, and ties them to places.
# - Overfitting shows in the curves: the training loss falls on, the validation loss turns.
# - Fewer weights can learn less by heart. Whether they rank better is a measurement. With equally many weights, the way
#   the places are put together made the difference here.
# - Feature maps and occlusion maps show where a network answers. They give no reasons.
# - A threshold comes from the price of a miss, at the prevalence of the place where it is used, on validation patients.
# - A value that you chose by is no result. New patients give the result, once; name every comparison that you added.
# - Noisy labels put a ceiling on every AUC.
# - Simulated patients are for learning. The gap to real ones is measured, not argued away.
#
# ### Key terms
# [mimic](glossary:mimic) · [split by patient](glossary:split-by-patient) · [logistic
# regression](glossary:logistic-regression) · [pooling](glossary:pooling) · [global pooling](glossary:global-pooling) ·
# [epoch](glossary:epoch) · [overfitting](glossary:overfitting) · [feature map](glossary:feature-map) · [occlusion
# map](glossary:occlusion-map) · [receptive field](glossary:receptive-field) · [prevalence](glossary:prevalence) ·
# [calibration](glossary:calibration)
#
# ### Further reading
# - National Lung Screening Trial Research Team. *Reduced lung-cancer mortality with low-dose computed tomographic
#   screening.* New England Journal of Medicine 2011. <https://doi.org/10.1056/NEJMoa1102873>
# - Setio AAA, et al. *Validation, comparison, and combination of algorithms for automatic detection of pulmonary
#   nodules in computed tomography images: the LUNA16 challenge.* Medical Image Analysis 2017.
#   <https://doi.org/10.1016/j.media.2017.06.015>
# - Armato SG, et al. *The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative (IDRI): a
#   completed reference database of lung nodules on CT scans.* Medical Physics 2011.
#   <https://doi.org/10.1118/1.3528204>
# - McWilliams A, et al. *Probability of cancer in pulmonary nodules detected on first screening CT.* New England
#   Journal of Medicine 2013. <https://doi.org/10.1056/NEJMoa1214726>
# - Zeiler MD, Fergus R. *Visualizing and understanding convolutional networks.* ECCV 2014.
#   <https://doi.org/10.1007/978-3-319-10590-1_53>
# - Zhou B, et al. *Learning deep features for discriminative localization.* CVPR 2016: what a mean over places tells
#   about places. <https://doi.org/10.1109/CVPR.2016.319>
# - Lin M, Chen Q, Yan S. *Network in network.* 2013: global average pooling.
#   <https://doi.org/10.48550/arXiv.1312.4400>
