# %% [markdown]
# "We added augmentation, dropout, weight decay and batch normalisation, and reached 0.96." Which of the four did it?
# What would the network have reached with another seed, or without any? A list of ingredients is no finding.
#
# In this lesson you take the overfitting network of lesson 06a and mend it, one idea at a time, each measured on
# patients that it has not met. You find out which flips anatomy allows, by trying to catch them. You see a network
# that is two networks, and fails as one of them. You carry weights from Keras to PyTorch, and keep them in a file that
# cannot run code. You look the ten worst errors in the eye. At the end you train on real scans, and open their last
# rows **once**.
#
# The patients of sections 1 to 8 are **simulated**. The lesson takes a little over two hours; the exercise marked
# *further* comes on top of that.

# %% [markdown]
# ## By heart
# Patches of 64 × 64 pixels from simulated chest CT: a nodule near the middle, or something that looks like one. Here
# each square of 2 × 2 pixels is averaged to one of 1.4 mm. The networks then cost a quarter, and each training takes
# seconds: you will run a dozen of them.
#
# Three groups of patients that share nobody: to train on, to choose on, to report on. They are new patients, none of
# them from lesson 06a. The seeds were fixed before anything was looked at.

# %%
from tqdm.auto import tqdm

from medlearn import metrics
from medlearn.models import nodule_cnn


def halved(images_hu):
    n, size, _ = images_hu.shape
    return images_hu.reshape(n, size // 2, 2, size // 2, 2).mean(axis=(2, 4))


wanted = {"train": (60, 16, 60), "validation": (40, 12, 160), "test": (40, 12, 260)}
parts = {}
for name, (people, patches, seed) in tqdm(wanted.items(), leave=False):
    parts[name] = data.load_nodule_patches(people, patches_per_patient=patches, seed=seed)
train, validation, test = parts.values()
data.assert_no_patient_overlap(train.patients, validation.patients, test.patients)

# %%
for name, part in parts.items():
    people = len(np.unique(part.patients))
    print(f"{name:10s}  {people} patients, {len(part)} patches, {part.labels.mean():.0%} with a nodule")
assert len(train) == 960 and len(validation) == len(test) == 480
assert train.card.synthetic and 0.25 < train.labels.mean() < 0.45

# %% [markdown]
# The network is a narrow seed network, much as in lesson 06a, in Keras: two convolutions with 8 and 16 channels, two
# poolings, Flatten, a dense layer of 64. `to_input` maps -1000 HU to 0 and 400 HU to 1.
#
# **Predict:** 38,241 weights, 960 patches, 20 epochs. Where will the training loss end, where the validation loss? And
# will the AUC on validation patients turn at the same epoch as the loss?

# %%
import keras
from keras import layers


def keras_network():
    network = keras.Sequential([
        layers.Input((32, 32, 1)),
        layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    network.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["auc"])
    return network


# %%
inputs = {name: nodule_cnn.to_input(halved(part.images_hu)) for name, part in parts.items()}  # (n, 32, 32, 1)
keras.utils.set_random_seed(2026)
first = keras_network()
with tqdm(total=20, desc="epochs", leave=False) as bar:
    tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.update())
    curves = first.fit(
        inputs["train"], train.labels, epochs=20, batch_size=64, verbose=0, callbacks=[tick],
        validation_data=(inputs["validation"], validation.labels),
    ).history  # fmt: skip
turn = int(np.argmin(curves["val_loss"]))
print(f"{first.count_params():,} weights; lowest validation loss at epoch {turn + 1}")
print(f"last epoch: training loss {curves['loss'][-1]:.2f}, validation loss {curves['val_loss'][-1]:.2f}")
assert first.count_params() == 38_241 and curves["val_loss"][-1] > curves["loss"][-1] + 0.05

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
epochs = np.arange(1, 21)
for ax, name, label in zip(axes, ("loss", "auc"), ("cross-entropy", "AUC")):
    ax.plot(epochs, curves[name], "o-", markersize=4, label="training patients")
    ax.plot(epochs, curves[f"val_{name}"], "s--", markersize=4, label="validation patients")
    ax.set(xlabel="epoch", ylabel=label, xticks=[1, 5, 10, 15, 20])
axes[0].axvline(turn + 1, color="black", linestyle=":", linewidth=1.2)
axes[0].set_title("Simulated patients, no brakes")
axes[1].legend(loc="lower right")
plots.picture(
    figure,
    alt=f"Left: the training loss falls to {curves['loss'][-1]:.2f}; the validation loss is lowest at epoch {turn + 1} "
    f"and ends at {curves['val_loss'][-1]:.2f}. Right: the training AUC ends at {curves['auc'][-1]:.2f}, that of "
    f"validation at {curves['val_auc'][-1]:.2f}.",
)

# %% [markdown]
# The curves part: [overfitting](glossary:overfitting). The loss on new people stops falling early, while the AUC may
# creep on. They answer two questions. The AUC asks for the **order** only. The loss asks what the probabilities are
# worth, and a network that knows its training patches by heart has become sure of itself. A sure error is dear: at
# $p=0.99$ for the wrong class the loss is $-\ln 0.01=4.6$.
#
# The surest cure is not a trick. It is **more people**. How much do they buy? The same network, trained on the first
# 15, 30 and 60 patients, with 150 to 160 steps each.

# %%
by_people = {}
for people in tqdm((15, 30, 60), leave=False):
    keras.utils.set_random_seed(2026)
    network = keras_network()
    some = slice(people * 16)  # 16 patches each, in the order of the patients
    network.fit(inputs["train"][some], train.labels[some], epochs=600 // people, batch_size=64, verbose=0)
    p = {name: network.predict(inputs[name], verbose=0)[:, 0] for name in ("train", "validation")}
    own = metrics.auc_score(train.labels[some], p["train"][some], patients=train.patients[some])
    new = metrics.auc_score(validation.labels, p["validation"], patients=validation.patients)
    by_people[people] = own.value - new.value
    print(f"{people} patients: own {own:.2f}\n   new people  {new:.2f}; gap {by_people[people]:.2f}")
assert by_people[15] > by_people[60] > 0

# %% [markdown]
# The gap between its own patients and new ones shrinks as they come from more people. Simulated patients are cheap.
# Real ones are not, so the rest of the lesson gets more out of those that you have.

# %% [markdown]
# ## The same network in PyTorch
# The ideas below need a training loop that you can see into. So carry the network over to PyTorch, weights and all.
# Two frameworks, one function: if the outputs are not equal, one of them is not the network that you think it is.
#
# They disagree about the order of the axes. Keras puts the channels last, `(n, height, width, channels)`, NHWC.
# PyTorch puts them second, NCHW. A convolution's kernel is `(height, width, in, out)` there and `(out, in, height,
# width)` here; a dense kernel is `(in, out)` there and `(out, in)` here. Transposing those is a matter of reading.
#
# **The trap is Flatten.** It strings out whatever order it finds. Pixel $(i,j)$ of channel $c$, in maps of
# $H\times W\times C$, becomes number
#
# $$\text{Keras: } (iW+j)\,C+c,\qquad\text{PyTorch: } (cH+i)\,W+j .$$
#
# The dense layer behind it has its weights in that order.
#
# **Predict:** you copy the dense kernel with a transpose only. Which error message will you get?
#
# ### Exercise: behind the Flatten
# Return PyTorch's weight, `(out, channels * height * width)`, from Keras's kernel, `(height * width * channels, out)`.

# %% tags=["exercise"]
def dense_for_torch(kernel, height, width):
    """Return the weight of the first linear layer behind a Flatten, in PyTorch's order."""
    return ...  # your code


# %% tags=["check"]
ex.dense_for_torch.check(dense_for_torch)

# %%
import torch
from torch import nn

device = runtime.pick_device()


def flat_network(dropout=0.0, normalised=False):
    def norm(channels):
        return [nn.BatchNorm2d(channels)] if normalised else []

    return nn.Sequential(
        nn.Conv2d(1, 8, 3), *norm(8), nn.ReLU(), nn.MaxPool2d(2),  # (n, 8, 15, 15)
        nn.Conv2d(8, 16, 3), *norm(16), nn.ReLU(), nn.MaxPool2d(2),  # (n, 16, 6, 6)
        nn.Flatten(), nn.Dropout(dropout),  # (n, 576)
        nn.Linear(576, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 1),
    )  # fmt: skip


# %%
kernels = [np.array(weight) for weight in first.get_weights()]
order = np.arange(576).reshape(6, 6, 16).transpose(2, 0, 1).ravel()  # where each of PyTorch's 576 stood in Keras


def twin_of(kernels, order):
    """Return the PyTorch network with these Keras weights, the dense rows taken in this order."""
    network = flat_network()
    copied = [kernels[0].transpose(3, 2, 0, 1), kernels[1], kernels[2].transpose(3, 2, 0, 1), kernels[3],
              kernels[4][order].T, kernels[5], kernels[6].T, kernels[7]]  # fmt: skip
    with torch.no_grad():
        for own, value in zip(network.parameters(), copied, strict=True):
            own.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    return network.eval()


# %%
batch = torch.from_numpy(inputs["validation"]).permute(0, 3, 1, 2)  # (n, 32, 32, 1) -> (n, 1, 32, 32)
in_keras = first.predict(inputs["validation"], verbose=0)[:, 0]
for name, rows in {"only transposed": np.arange(576), "in PyTorch's order": order}.items():
    with torch.no_grad():
        in_torch = torch.sigmoid(twin_of(kernels, rows)(batch)[:, 0]).numpy()
    gap = np.abs(in_torch - in_keras).max()
    print(f"{name:20s} differs by up to {gap:.0e}; AUC",
          metrics.auc_score(validation.labels, in_torch, patients=validation.patients))  # fmt: skip
    assert gap < 1e-4 if name == "in PyTorch's order" else gap > 0.1

# %% [markdown]
# No error message at all. The shapes fit, every number is there, and the network answers, worse. Copied weights are
# right when the **outputs** are equal, to rounding. Nothing else proves it. The library's `copy_weights` does what you
# did, and its tests compare outputs.
#
# Two more places where the same name hides another number: PyTorch returns the **logit** here (the sigmoid sits in the
# loss, `binary_cross_entropy_with_logits`, which is steadier: lesson 03). And batch normalisation, which you will
# meet below, has a `momentum` of 0.99 in Keras and of 0.1 in PyTorch, **and they count in opposite directions**.

# %% [markdown]
# ## Which flips does anatomy allow?
# [Augmentation](glossary:augmentation) shows the network changed copies of its patches: turned, mirrored, shifted.
# That is a claim about the world: *such images exist, and they have this label*. Two questions, then. Is the label
# still true? And could the image have come from a patient?
#
# **The label.** A mirrored patch with a nodule is a patch with a nodule. But labels are not always so patient.
#
# ### Exercise: harmless or not
# Each line is a task, its label, and what is done to the image while the label stays as it is. Which are harmless?
# Write their letters, such as `"BC"`.
#
# - **A** a patch; nodule or not; mirrored left to right
# - **B** a whole slice; heart on the right side of the body (dextrocardia) or not; mirrored left to right
# - **C** a patch; nodule or not; turned by 90°
# - **D** a whole slice; nodule in the left or the right lung; mirrored left to right
# - **E** a patch; nodule solid or ground glass; 300 HU added
# - **F** a patch; diameter of the nodule in mm; enlarged by a factor of 1.2

# %% tags=["exercise"]
harmless = ...  # letters, such as "BC"

# %% tags=["check"]
ex.harmless.check(harmless)

# %% [markdown]
# **The image.** Let $x$ be an image and $gx$ its mirror image, so that $ggx=x$. If mirrored images are as common as
# the others, nobody who is shown the pair can tell which of the two was the original: $(x,gx)$ and $(gx,x)$ have the
# same distribution. So **play the game**. Train a classifier on the pairs, let it name the original for people it has
# not met, and count. Half right: the flip cannot be told. All right: it makes images that no patient has.
#
# A linear score $s(x)=w^\top\phi(x)$ with coarse grey values $\phi$ is enough to begin with. It says "original" where
# $w^\top[\phi(x)-\phi(gx)]>0$. That is logistic regression on differences, without an intercept.
#
# **Predict:** for whole chest slices and for patches: can you tell left from right? Up from down?

# %%
from sklearn.linear_model import LogisticRegression

FLIPS = {
    "mirrored left to right": lambda images: images[:, :, ::-1],
    "turned upside down": lambda images: images[:, ::-1, :],
    "transposed": lambda images: images.transpose(0, 2, 1),
}


def coarse(images_hu, cells):
    n, size, _ = images_hu.shape
    width = size // cells
    clipped = np.clip(images_hu, -1000, 300) / 300
    return clipped.reshape(n, cells, width, cells, width).mean(axis=(2, 4)).reshape(n, -1)


# %%
def name_the_original(learn, judge, flip, cells):
    """Return for each image of `judge` whether the original was told from its flipped copy."""
    told = coarse(learn, cells) - coarse(flip(learn), cells)
    pairs, first_is_original = np.r_[told, -told], np.repeat([1, 0], len(told))
    model = LogisticRegression(C=0.01, fit_intercept=False, max_iter=2000).fit(pairs, first_is_original)
    return (coarse(judge, cells) - coarse(flip(judge), cells)) @ model.coef_[0] > 0


# %%
grid = {"num_pixels": 48, "spacing_mm": 7.5, "num_slices": 1, "slice_spacing_mm": 5, "middle_mm": -50}
seeds = tqdm(range(610_000, 610_040), leave=False)
slices = np.array([data.simulate_patient(seed, **grid).array[0] for seed in seeds])
caught = {}
for name, flip in FLIPS.items():
    whole = name_the_original(slices[:20], slices[20:], flip, 16)
    patch = name_the_original(train.images_hu, validation.images_hu, flip, 8)
    ones = np.ones(len(patch), int)
    caught[name] = metrics.accuracy_score(ones, patch.astype(int), patients=validation.patients)
    low, high = metrics.wilson_interval(whole.sum(), len(whole))
    print(f"{name}\n   chest: {whole.sum()} of {len(whole)} told ({low:.2f} to {high:.2f})")
    print(f"   patch: {caught[name]}")
    assert whole.mean() > 0.8 and caught[name].value < 0.65

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 4, figsize=(9, 4.8))
shown = int(np.flatnonzero(validation.labels == 1)[4])
for line, image, name in zip(axes, (slices[20], validation.images_hu[shown]), ("a whole slice", "a patch")):
    views = {"as it is": image} | {key: flip(image[np.newaxis])[0] for key, flip in FLIPS.items()}
    for ax, (title, view) in zip(line, views.items()):
        ax.imshow(view, vmin=-1000, vmax=300)
        ax.set(xticks=[], yticks=[], title=title if name == "a whole slice" else "")
    line[0].set_ylabel(name)
figure.suptitle("Simulated patients")
plots.picture(
    figure,
    alt="Above a whole chest slice, as it is, mirrored, upside down and transposed: heart and spine give each flip "
    "away. Below a patch in the same four ways: any of them might be the original.",
)

# %% [markdown]
# In a whole chest every flip is caught: the heart leans to the left, the spine lies behind, the table below. People
# with all organs mirrored exist: situs inversus, about 3 in 100,000 births (139 of 517 laterality defects, which
# together have 1.1 in 10,000; [Lin and others 2014](https://doi.org/10.1002/ajmg.a.36695)). A mirrored chest is a
# **rare diagnosis**, not a free patient, and a network that was raised on mirrored chests cannot see it. So do not
# mirror a chest by reflex: the task must not depend on the side, and you should say that you did it.
#
# In a patch of 45 mm there is little to hold on to. Left and right of the body are not in it. Gravity and the pleura
# leave a trace at most. (This judge is a weak one. Not being caught by it is no proof, so try a stronger one where
# much depends on it.) These three flips, one after the other, give all eight turns and mirror images of a square: they
# are allowed here.
#
# Why do they help? Write $G$ for these eight and $z(x)$ for the network's logit. Average over the views:
# $\bar z(x)=\frac18\sum_{g\in G}z(gx)$. The cross-entropy $\ell$ is convex in the logit, so by Jensen's inequality
#
# $$\ell(\bar z(x),y)\;\le\;\frac18\sum_{g\in G}\ell(z(gx),y)\qquad\text{for every single patch.}$$
#
# Take the mean over patients. If $gx$ with the label $y$ is as common as $x$ with $y$, each of the eight terms on the
# right has the same mean: that of $\ell(z(x),y)$. So **in the mean, the average of the views costs no more than one
# view**, whatever the network ([Chen, Dobriban and Lee 2020](https://doi.org/10.48550/arXiv.1907.10905) work this
# out). At test time that is eight looks at one patch. In training, a random view of each patch in each epoch is one
# draw from that mean.
#
# ### Exercise: the eight views
# Return the eight, in any order. The number of rows equals the number of columns.

# %% tags=["exercise"]
def eight_views(image):
    """Return an array of shape (8, size, size): the image in all turns by 90 degrees, mirrored and not."""
    return ...  # your code


# %% tags=["check"]
ex.eight_views.check(eight_views)

# %%
def loss_of(logits, labels):
    return np.logaddexp(0, -(2 * labels - 1) * logits)  # -ln of the probability of the true label


def views_of(x):  # (n, 1, size, size) -> list of 8
    return [torch.rot90(image, turns, (2, 3)) for image in (x, x.flip(3)) for turns in range(4)]


twin = twin_of(kernels, order)
with torch.no_grad():
    z = np.array([twin(view)[:, 0].numpy() for view in views_of(batch)])  # (8, n)
of_mean, mean_of = loss_of(z.mean(axis=0), validation.labels), loss_of(z, validation.labels).mean(axis=0)
print(f"patches where the inequality fails: {np.sum(of_mean > mean_of + 1e-6)} of {len(of_mean)}")
print(f"validation loss: one view {loss_of(z[0], validation.labels).mean():.3f}, mean of the losses "
      f"{mean_of.mean():.3f}, loss of the mean {of_mean.mean():.3f}")  # fmt: skip
assert np.all(of_mean <= mean_of + 1e-6) and of_mean.mean() < loss_of(z[0], validation.labels).mean()

# %% [markdown]
# The inequality holds patch by patch, as it must, and the network that learned by heart has become better without a single step
# of training. It promised less **loss**. About the AUC Jensen says nothing; that is to be measured.
#
# Now the training loop, in full. `turned` draws one of the eight views for each patch: mirror or not, upside down or
# not, transpose or not. The draws come from a generator with a seed of its own.

# %%
X = {name: torch.from_numpy(x).permute(0, 3, 1, 2).contiguous().to(device) for name, x in inputs.items()}
Y = torch.from_numpy(train.labels).float().to(device)


def turned(x, generator):
    for change in (lambda v: v.flip(3), lambda v: v.flip(2), lambda v: v.transpose(2, 3)):
        coin = torch.rand(len(x), 1, 1, 1, generator=generator).to(x.device) < 0.5
        x = torch.where(coin, change(x), x)
    return x


@torch.no_grad()
def logits_of(network, x, views=False):
    network.eval()
    looks = [network(view)[:, 0] for view in (views_of(x) if views else [x])]
    return torch.stack(looks).mean(dim=0).cpu().numpy()


# %%
cross_entropy = nn.functional.binary_cross_entropy_with_logits


def steps_of_an_epoch(network, optimizer, generator, turns):
    """Yield after each step of one epoch."""
    network.train()
    for chosen in torch.randperm(len(Y), generator=generator).split(64):
        x = turned(X["train"][chosen], generator) if turns else X["train"][chosen]
        loss = cross_entropy(network(x)[:, 0], Y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


# %%
def fit(network, *, epochs=15, rate=2e-3, decay=0.0, turns=False, cosine=False, seed=0):
    """Train; return the network and its validation logits after each epoch, shape (epochs, n)."""
    network.to(device)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    steps = epochs * -(-len(Y) // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if cosine else None
    after = []
    for _ in tqdm(range(epochs), desc="epochs", leave=False):
        for _ in steps_of_an_epoch(network, optimizer, generator, turns):
            if schedule:
                schedule.step()
        after.append(logits_of(network, X["validation"]))
    return network, np.array(after)


# %%
def fresh(**options):
    torch.manual_seed(2026)  # the same fresh weights for each rung
    return flat_network(**options)


# %% [markdown]
# **Predict:** 15 epochs with and without turns. Which of the two has the lower training loss? The lower validation
# loss?

# %%
rungs, networks = {}, {}
for name, turns in {"plain": False, "turns": True}.items():
    networks[name], rungs[name] = fit(fresh(), turns=turns)
    own = loss_of(logits_of(networks[name], X["train"]), train.labels).mean()
    new = loss_of(rungs[name], validation.labels).mean(axis=1)
    print(f"{name:6s} training loss {own:.2f}; validation loss {new[-1]:.2f} (lowest {new.min():.2f})")
gain = metrics.compare_auc(validation.labels, rungs["turns"][-1], rungs["plain"][-1], patients=validation.patients)
print(f"validation AUC, turns minus plain: {gain.difference:.3f}")
own_losses = [loss_of(logits_of(networks[name], X["train"]), train.labels).mean() for name in ("plain", "turns")]
assert own_losses[0] < own_losses[1]

# %% [markdown]
# On its own patches the turned network is **worse**: each of them comes in eight forms, which makes it harder to learn
# them by heart. What the turns bought on new people stands in the last line, with its interval over 40 patients.
# Whenever an interval of a difference holds 0 in this lesson, read: *these patients do not decide it*.
#
# Why no shifts, zooms, added noise? Each is the same claim about the world. The simulated nodule already sits up to 4
# pixels off the middle, so shifts add little here; real crops are centred, and there they are worth a trial. A zoom
# makes small nodules large: harmless for "nodule or not", false for a diameter. HU are calibrated on water and air, so
# a shift of a few HU is a scanner, one of 300 HU is another tissue.

# %% [markdown]
# ## Three brakes
# Turns bring in new views. Brakes hold the weights back instead.
#
# **Weight decay** (lesson 04b) lets each weight shrink a little at each step. **Early stopping** takes the weights of
# the epoch with the lowest validation loss. **[Dropout](glossary:dropout)** ([Srivastava and others
# 2014](https://jmlr.org/papers/v15/srivastava14a.html)) sets each input of a layer to 0 with probability $p$, anew in
# each step. What does that do? Take one linear unit, $z=\sum_j w_jx_j$, and let $m_j=1$ with probability
# $1-p$ and $m_j=0$ otherwise, each drawn for itself. Divide by $1-p$, so that the mean stays. Independent terms add
# their variances:
#
# $$\tilde z=\sum_j w_j\frac{m_j}{1-p}x_j,\qquad E\tilde z=z,\qquad
# \operatorname{Var}\tilde z=\sum_j w_j^2x_j^2\,\frac{(1-p)p}{(1-p)^2}=\frac{p}{1-p}\sum_j w_j^2x_j^2 .$$
#
# With a squared loss the mean over the masks is therefore
#
# $$E(y-\tilde z)^2=(y-z)^2+\frac{p}{1-p}\sum_j w_j^2x_j^2 .$$
#
# The second term is a penalty on weights: **dropout is a weight decay** that falls hardest on the inputs that are
# large ([Wager and others 2013](https://doi.org/10.48550/arXiv.1307.1493) have it for other losses). No input may
# carry the answer alone.
#
# **Predict:** at test time nothing is dropped. What would be wrong with the outputs if nobody had divided by $1-p$?
#
# ### Exercise: dropout, the inverted way
# `keep` is an array of True and False, `p` the probability of being dropped, `training` says in which mode the layer
# is.

# %% tags=["exercise"]
def dropped(x, keep, p, training):
    """Return what the layer passes on: dropped out and rescaled in training."""
    return ...  # your code


# %% tags=["check"]
ex.dropped.check(dropped)

# %%
draw = np.random.default_rng(5)
w, x, y, p = draw.normal(size=30), draw.normal(size=30), 1.5, 0.4
masks = draw.random((200_000, 30)) >= p
z_masked = masks @ (w * x) / (1 - p)
penalty = p / (1 - p) * np.sum(w**2 * x**2)
print(f"mean of z with dropout {z_masked.mean():.3f}, without {w @ x:.3f}")
print(f"mean squared loss {np.mean((y - z_masked) ** 2):.2f}, formula {(y - w @ x) ** 2 + penalty:.2f}")
assert abs(z_masked.mean() - w @ x) < 0.05
assert abs(np.mean((y - z_masked) ** 2) / ((y - w @ x) ** 2 + penalty) - 1) < 0.03

# %% [markdown]
# Without the division, the unit would get $1-p$ of its usual input in training and all of it at test time.
#
# Now early stopping. It needs a rule: keep the best epoch so far, and give up after `patience` epochs in a row that
# brought nothing better.
#
# ### Exercise: when to stop
# `losses` are the validation losses of the epochs 0, 1, 2, ... Return `(best, last)`: the epoch whose weights you
# keep, and the last epoch that was run. An equal loss is no improvement. With losses 5, 3, 4, 3, 2 and a patience of 2
# that is (1, 3): the 2 is never seen.

# %% tags=["exercise"]
def stop_at(losses, patience):
    """Return (best, last) of early stopping."""
    return ...  # your code


# %% tags=["check"]
ex.stop_at.check(stop_at)

# %%
networks["decay"], rungs["decay"] = fit(fresh(), decay=0.3)
networks["dropout"], rungs["dropout"] = fit(fresh(dropout=0.4))
courses = {name: loss_of(rungs[name], validation.labels).mean(axis=1) for name in ("plain", "decay", "dropout")}
for name, course in courses.items():
    best = int(course.argmin())
    print(f"{name:8s} validation loss: last {course[-1]:.3f}, lowest {course[best]:.3f} at epoch {best + 1}")
assert all(np.isfinite(course).all() for course in courses.values())

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 3.6))
courses["turns"] = loss_of(rungs["turns"], validation.labels).mean(axis=1)
for (name, course), marker in zip(courses.items(), "osD^"):
    axes.plot(range(1, 16), course, marker=marker, markersize=4, label=name)
axes.set(xlabel="epoch", ylabel="cross-entropy", title="Simulated validation patients: brakes and turns")
axes.legend()
ends = ", ".join(f"{name} {course[-1]:.2f}" for name, course in courses.items())
plots.picture(figure, alt=f"Validation loss against epochs with four trainings. After 15 epochs it is: {ends}.")

# %% [markdown]
# Early stopping is the dot at the bottom of each curve, at no cost. (In Keras, `EarlyStopping` leaves you the **last**
# weights unless you say `restore_best_weights=True`. The default has fooled many.) It has a price all the same: the
# best of 15 looks at one set of patients is too good. How much? Choose the epoch on half of the validation patients,
# and read the loss on the **other** half.

# %%
people = np.unique(validation.patients)
optimism = []
for _ in range(100):
    half = np.isin(validation.patients, draw.permutation(people)[:20])
    pair = [loss_of(rungs["plain"][:, c], validation.labels[c]).mean(axis=1) for c in (half, ~half)]
    for own, other in (pair, pair[::-1]):  # each half chooses once
        epoch = own.argmin()
        optimism.append((own[epoch] - own.mean()) - (other[epoch] - other.mean()))
print("loss of the chosen epoch against the mean epoch, on those who chose minus on the others: "
      f"{np.mean(optimism):.3f}")  # fmt: skip
assert np.mean(optimism) < 1e-6

# %% [markdown]
# The loss falls further below the mean epoch on the patients who chose than on the others: the number is negative. A
# loss reported from those who chose is too low by as much. The number cannot be positive: each half is lowest, or
# equal, at its **own** choice. Add up those two inequalities. Among 15 neighbouring epochs it is a small sum. Among
# hundreds, on a handful of patients, it is the result ([Prechelt 2012](https://doi.org/10.1007/978-3-642-35289-8_5)
# has rules for stopping; lesson 05b has the general case). A validation set that has chosen cannot report.

# %% [markdown]
# ## Batch normalisation: two networks in one
# [Batch normalisation](glossary:batch-normalisation) ([Ioffe and Szegedy
# 2015](https://doi.org/10.48550/arXiv.1502.03167)) standardises each channel: subtract its mean, divide by its
# standard deviation, then scale and shift by two learned numbers. In **training** mean and variance are those of the
# batch. So a patch's output depends on who else is in the batch: on other patients. That must not be at the **test**,
# where a patient's score is theirs alone. There the layer takes moving averages that it kept in training:
#
# $$\hat\mu_k=m\,\hat\mu_{k-1}+(1-m)\,\mu_k,\qquad \hat\mu_0=0,\quad\hat\sigma^2_0=1 .$$
#
# Unroll it. After $n$ steps,
#
# $$\hat\mu_n=m^n\,\hat\mu_0+(1-m)\sum_{k=1}^n m^{\,n-k}\mu_k .$$
#
# The start has the weight $m^n$: the made-up mean 0 and variance 1 are still in there.
#
# ### Exercise: how long does it remember its birth?
# Return the smallest number of steps after which the start counts for at most `share`.

# %% tags=["exercise"]
def steps_to_forget(momentum, share):
    """Return the smallest whole n with momentum ** n <= share."""
    return ...  # your code


# %% tags=["check"]
ex.steps_to_forget.check(steps_to_forget)

# %% [markdown]
# Keras's default is $m=0.99$: 459 steps until the start counts for 1 %. That is made for thousands of steps. Six
# epochs of 960 patches in batches of 64 are 90 steps, and $0.99^{90}=0.40$. PyTorch calls $1-m$ the momentum, and its
# default is 0.1: $0.9^{90}$ is nothing. (The small number that is added to the variance differs too:
# $10^{-3}$ in Keras, $10^{-5}$ in PyTorch. A twin must set both.)
#
# Here is a careless network: a pooled one as in lesson 06a with batch normalisation at Keras's default, HU divided by
# 1000 as input, six epochs. It is scored twice **with the same weights**: as in training, with the statistics of
# batches of validation patients, and as at the test, with the moving averages.
#
# **Predict:** which of the two scores is worse, and by how much?

# %%
def pooled_network(keras_momentum):
    torch.manual_seed(2026)
    blocks, before = [], 1
    for channels in (8, 16, 32):
        norm = nn.BatchNorm2d(channels, momentum=1 - keras_momentum)
        blocks += [nn.Conv2d(before, channels, 3, padding=1), norm, nn.ReLU(), nn.MaxPool2d(2)]
        before = channels
    return nn.Sequential(*blocks[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 1)).to(device)


@torch.no_grad()
def logits_by_batches(network, x):
    """Return logits with the statistics of the batches themselves; the moving averages stay as they are."""
    copy = pooled_network(0.99)
    copy.load_state_dict(network.state_dict())
    return torch.cat([copy.train()(part)[:, 0] for part in x.split(96)]).cpu().numpy()


# %%
proper = X
X = {name: 1.4 * x - 1 for name, x in proper.items()}  # HU / 1000, from -1 to 0.4
careless, costs = {}, {}
for momentum in (0.99, 0.9):
    careless[momentum], after = fit(pooled_network(momentum), epochs=6)
    network = careless[momentum]
    for mode, z in {"moving averages": after[-1], "batches": logits_by_batches(network, X["validation"])}.items():
        auc = metrics.auc_score(validation.labels, z, patients=validation.patients)
        loss = loss_of(z, validation.labels).mean()
        print(f"m = {momentum:4}, {mode:15s} loss {loss:.2f}, AUC {auc:.2f}")
        costs[momentum, mode] = loss
assert abs(costs[0.99, "batches"] - costs[0.9, "batches"]) < 0.05
assert costs[0.99, "moving averages"] > costs[0.99, "batches"] + 0.01
assert 0.99**459 <= 0.01 < 0.99**458 and round(0.99**90, 2) == 0.40

# %% [markdown]
# By batches the two answer alike. Their weights are **the same**: the moving averages take no part in training. With
# $m=0.99$ the network that you deploy is not the one that you trained. The loss as in training looks healthy all the
# while; that is why this fault is met so often at the end of a project, as "it does not generalise". The check takes a
# minute: score the **training patients** in inference mode.

# %%
own = {
    "moving averages": logits_of(careless[0.99], X["train"]),
    "batches": logits_by_batches(careless[0.99], X["train"]),
}
for mode, z in own.items():
    print(f"its own training patients, {mode:15s} loss {loss_of(z, train.labels).mean():.2f}")
assert loss_of(own["moving averages"], train.labels).mean() > loss_of(own["batches"], train.labels).mean()

# %% [markdown]
# A network that fails on its own training patients has not overfitted. Something else is wrong.
#
# There are three cures: a momentum that suits the number of steps, more steps, or statistics that are measured afresh.
# For the last, send the training patches through once more, learn nothing, and average the statistics.

# %%
repaired = pooled_network(0.99)
repaired.load_state_dict(careless[0.99].state_dict())
for layer in repaired.modules():
    if isinstance(layer, nn.BatchNorm2d):
        layer.reset_running_stats()
        layer.momentum = None  # PyTorch: the plain mean over all batches
with torch.no_grad():
    for part in X["train"][torch.randperm(len(Y), generator=torch.Generator().manual_seed(1))].split(64):
        repaired.train()(part)
found = {"m = 0.99": logits_of(careless[0.99], X["validation"]), "repaired": logits_of(repaired, X["validation"])}
found["by batches"] = logits_by_batches(careless[0.99], X["validation"])
losses = {name: loss_of(z, validation.labels).mean() for name, z in found.items()}
print({name: round(float(loss), 3) for name, loss in losses.items()})
assert losses["repaired"] < losses["m = 0.99"] - 0.01 and abs(losses["repaired"] - losses["by batches"]) < 0.06
X = proper

# %% [markdown]
# Repaired without one step of learning. But look at the AUC of the healthy version, and at those of the flips above:
# this network is still a weak one. **Normalisation was not its only fault.** The mean over all places weighs a small nodule
# like so much lung (lesson 06a), and it has had six epochs. A careless network fails for several reasons at once.
# Change one thing at a time, or you will blame the wrong one.
#
# What does normalisation buy when it is done right? That is a rung of the next section.

# %% [markdown]
# ## The ladder
# Now put things together, one a rung, each with the same seeds and 15 epochs: turns; batch normalisation with
# PyTorch's momentum; a **cosine** schedule (lesson 04b) from twice the rate, so that the mean rate stays the same;
# and, for whichever of the last two has the lower validation loss, the mean of the eight views.
#
# **Predict:** which rung buys most? Does every rung go up?

# %%
networks["+ normalisation"], rungs["+ normalisation"] = fit(fresh(normalised=True), turns=True)
networks["+ cosine"], rungs["+ cosine"] = fit(fresh(normalised=True), turns=True, cosine=True, rate=4e-3)
climbed = {"plain": rungs["plain"][-1], "+ turns": rungs["turns"][-1]}
climbed |= {name: rungs[name][-1] for name in ("+ normalisation", "+ cosine")}
lower = min(("+ normalisation", "+ cosine"), key=lambda name: loss_of(climbed[name], validation.labels).mean())
climbed["+ eight views"] = logits_of(networks[lower], X["validation"], views=True)
chosen = networks[lower]
print(f"the eight views are those of {lower!r}")

# %%
before, steps = None, {}
for name, z in climbed.items():
    auc = metrics.auc_score(validation.labels, z, patients=validation.patients)
    print(f"{name:16s} loss {loss_of(z, validation.labels).mean():.2f}  AUC {auc:.3f}")
    if before is not None:
        before = climbed[lower] if name == "+ eight views" else before
        steps[name] = metrics.compare_auc(validation.labels, z, before, patients=validation.patients).difference
        print(f"{'':16s} step {steps[name]:.3f}")
    before = z
assert loss_of(climbed["+ eight views"], validation.labels).mean() < loss_of(climbed["plain"], validation.labels).mean()

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7.5, 3.4))
widths = []
for height, (name, z) in enumerate(climbed.items()):
    e = metrics.auc_score(validation.labels, z, patients=validation.patients)
    widths.append(e.high - e.low)
    axes.plot(e.interval, [height, height], "-", color=plots.COLOURS["blue"], linewidth=3)
    axes.plot(e.value, height, "o", color=plots.COLOURS["blue"], markeredgecolor="black")
    if name in steps:
        d = steps[name]
        axes.text(1.0, height, f"{d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})", va="center", fontsize=9)
axes.set_yticks(range(len(climbed)), labels=climbed)
axes.set(xlabel="AUC, 95 % interval over 40 patients", xlim=(0.68, 1.0))
axes.set_title("The ladder, simulated validation patients", loc="left")
axes.text(1.0, -0.1, "step, paired", fontsize=9)
told = "; ".join(f"{name} {d.value:+.3f}" for name, d in steps.items())
assert np.mean([d.high - d.low for d in steps.values()]) < np.mean(widths)
plots.picture(figure, alt=f"The AUC of five rungs with their wide intervals. The paired steps are: {told}.")

# %% [markdown]
# The intervals of neighbouring rungs overlap. Those of the paired **steps** are narrower, because hard patients are
# hard for both (lesson 05b). Count the steps whose interval leaves out 0, and look at their signs. A schedule that
# helps a long training may not help a short one: a rate that falls early stops the network on its way. Do not conclude
# that the other rungs bought nothing. And each rung was trained **once**. Another seed of the fresh weights moves an
# AUC as well, and no interval above holds that. Here is how far, for the rung that was chosen:

# %%
how = {"turns": True} | ({"cosine": True, "rate": 4e-3} if lower == "+ cosine" else {})
three = [metrics.auc_score(validation.labels, climbed[lower], patients=validation.patients).value]
for seed in tqdm((1, 2), leave=False):
    torch.manual_seed(seed)
    _, after = fit(flat_network(normalised=True), seed=seed, **how)
    three.append(metrics.auc_score(validation.labels, after[-1], patients=validation.patients).value)
print(f"{lower!r} with three seeds: AUC", *(f"{auc:.3f}" for auc in three))
assert max(three) - min(three) < 0.1

# %% [markdown]
# Compare that spread with the steps. A step that is smaller than the spread between seeds is not a finding, whatever
# its interval says.
#
# The choice is made, by the validation patients. Now, and only now, the simulated **test patients**, for two
# networks that were fixed above.

# %%
final = {
    "plain": logits_of(networks["plain"], X["test"]),
    "chosen": logits_of(chosen, X["test"], views=True),
}
for name, z in final.items():
    print(f"{name:7s} loss {loss_of(z, test.labels).mean():.2f}  AUC",
          metrics.auc_score(test.labels, z, patients=test.patients))  # fmt: skip
report_sim = metrics.compare_auc(test.labels, final["chosen"], final["plain"], patients=test.patients).difference
print(f"chosen minus plain: {report_sim:.3f}")
assert metrics.auc_score(test.labels, final["chosen"], patients=test.patients).value > 0.7

# %% [markdown]
# ## Weights without pickle
# A trained network is a table of numbers. Many files on the web that hold one are a [pickle](glossary:pickle), and a
# pickle is not a table. It is a **program** for a small machine inside Python. One of its instructions is: call this
# function with these arguments. Any object may say, in `__reduce__`, what is to be called when it is loaded.
#
# **Predict:** the next cell loads a file of "weights". What happens before you look at a single number? (It is
# harmless: it sets a variable of this process.)

# %%
import os
import pickle


class Weights:
    def __reduce__(self):
        return exec, ("import os; os.environ['UNPICKLED'] = 'this ran while loading'",)


os.environ.pop("UNPICKLED", None)
file_from_the_web = pickle.dumps(Weights(), protocol=2)
pickle.loads(file_from_the_web)  # noqa: S301  the point of this cell: never do this with a file that you were sent
print(len(file_from_the_web), "bytes;", os.environ.get("UNPICKLED"))
assert os.environ.pop("UNPICKLED") == "this ran while loading"

# %% [markdown]
# The line might have read your patients' files instead. `torch.load` used to unpickle whatever came; since version 2.6
# it refuses by default all but tensors and plain containers (`weights_only=True`). Better is a format that **cannot**
# say "call". [safetensors](glossary:safetensors) is one: 8 bytes with the length of a header (an unsigned whole
# number, lowest byte first), the header as JSON text, then the numbers. Keras's own `.keras` is a zip with a
# description of the layers in JSON and the weights in HDF5. That description can name Python functions. `load_model`
# is meant to refuse foreign code (`safe_mode=True`, the default), but before Keras 3.9 a crafted file got past it
# ([CVE-2025-1550](https://nvd.nist.gov/vuln/detail/CVE-2025-1550)). So `.keras` is for your own files, or for those of
# people whom you trust. Of a stranger take numbers only.

# %%
import io
import tempfile
from pathlib import Path

from medlearn.models import nodule_cnn_torch

try:
    torch.load(io.BytesIO(file_from_the_web), weights_only=True)
except pickle.UnpicklingError:
    print("torch.load(weights_only=True) refuses it")
assert "UNPICKLED" not in os.environ

# %%
with tempfile.TemporaryDirectory() as folder:
    in_torch, in_keras = Path(folder) / "chosen.safetensors", Path(folder) / "first.keras"
    nodule_cnn_torch.save(chosen, in_torch)
    first.save(in_keras)
    read_torch = nodule_cnn_torch.load(flat_network(normalised=True).to(device), in_torch)
    read_keras = keras.models.load_model(in_keras)
    content = in_torch.read_bytes()
same_torch = np.allclose(logits_of(read_torch, X["test"]), logits_of(chosen, X["test"]), atol=1e-5)
some = inputs["test"][:50]
same_keras = np.allclose(read_keras.predict(some, verbose=0), first.predict(some, verbose=0), atol=1e-6)
print("equal outputs after saving and loading: PyTorch", same_torch, "and Keras", same_keras)
assert same_torch and same_keras

# %%
import textwrap

length = int.from_bytes(content[:8], "little")
print(textwrap.fill(content[8 : 8 + length].decode()[:260], 85), "...")

# %% [markdown]
# You can read that without any library. The header also says what the file does **not** hold: the architecture. You
# build the network, then the numbers go in; names and shapes must agree, or `load` says which does not.
#
# ### Exercise (further): read the header
# Return a dictionary from the name of each tensor to its shape (a list), from the bytes of a safetensors file. The
# entry `__metadata__`, where there is one, is no tensor. Use `json.loads`.

# %% tags=["exercise"]
import json


def read_shapes(content):
    """Return {name: shape} of the tensors in the bytes of a safetensors file."""
    return ...  # your code


# %% tags=["check"]
ex.read_shapes.check(read_shapes)

# %% [markdown]
# ## The ten worst
# A score says how often a network errs. It does not say **at what**. So look, and look at the **validation** patients:
# whoever studies the errors of the test set and mends them has trained on it.
#
# The worst are not those just beyond 0.5. They are those with the highest loss: sure, and wrong.
#
# **Predict:** which nodules will be missed with certainty? Which mimics called?

# %%
z = climbed["+ eight views"]
probability = 1 / (1 + np.exp(-z))
worst = np.argsort(-loss_of(z, validation.labels))[:10]
for rank, i in enumerate(worst, 1):
    size = f"{validation.diameters_mm[i]:.0f} mm" if validation.labels[i] else ""
    truth = "nodule" if validation.labels[i] else "no nodule"
    kind, patient = validation.kinds[i], validation.patients[i]
    print(f"{rank:2d}  {truth:9s} p = {probability[i]:.2f}  {kind:12s} {size:6s} {patient}")
mean_loss = loss_of(z, validation.labels)
print(f"they carry {mean_loss[worst].sum() / mean_loss.sum():.0%} of the loss of {len(z)} patches")
assert mean_loss[worst].sum() / mean_loss.sum() > 2 * 10 / 480

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 5, figsize=(9.2, 4.3))
for ax, i in zip(axes.flat, worst):
    ax.imshow(validation.images_hu[i], vmin=-1350, vmax=150)
    truth = f"{validation.diameters_mm[i]:.0f} mm" if validation.labels[i] else "none"
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"{validation.kinds[i]}\nnodule: {truth}; p = {probability[i]:.2f}", fontsize=9)
figure.suptitle("The ten dearest errors on simulated validation patients")
missed = int(validation.labels[worst].sum())
plots.picture(
    figure,
    alt=f"Ten patches with what is in them and the network's probability: {missed} nodules that it took for something "
    f"else, {10 - missed} other structures that it took for a nodule.",
)

# %% [markdown]
# Ten pictures suggest causes. They do not prove them: count. Here is each kind of content, with the share that the
# network gets right at 0.5, over patients; and the nodules by size.

# %%
right = ((probability >= 0.5) == validation.labels).astype(int)
kinds = sorted(set(validation.kinds), key=lambda kind: right[validation.kinds == kind].mean())
for kind in kinds:
    c = validation.kinds == kind
    share = metrics.accuracy_score(np.ones(c.sum(), int), right[c], patients=validation.patients[c])
    print(f"{kind:12s} {c.sum():3d} patches, right {share}")
for low, high in ((0, 5), (5, 8), (8, 40)):
    c = (validation.diameters_mm >= low) & (validation.diameters_mm < high)
    found = metrics.sensitivity_score(np.ones(c.sum(), int), right[c], patients=validation.patients[c])
    print(f"nodules of {low} to {high} mm: sensitivity {found}")

# %% [markdown]
# Read the list with three causes in mind.
#
# 1. **It is not in the image.** A vessel that crosses the slice at a right angle is a disc, and so is a small nodule.
#    One slice does not decide it. More training will not help; more slices will (lesson 07).
# 2. **It is rare in training.** A kind with a few patches teaches little, and its interval above is wide. Collect more
#    of it.
# 3. **The label is at fault.** In simulated patients it cannot be, except at the rim of a nodule. In real ones it
#    often is.
#
# An average hides such groups: a network may be good on the whole and blind for one kind. [Oakden-Rayner and others
# 2020](https://doi.org/10.1145/3368555.3384468) call it hidden stratification, and found that the blind group can be
# the one that matters.

# %% [markdown]
# ## Real patients
# The LUNA16 crops: 50 × 50 real pixels around places that a first stage proposed ([Setio and others
# 2017](https://doi.org/10.1016/j.media.2017.06.015)). Blocks of rows, about two scans each, stand in for patients. The
# rows fall into three ranges. On the first you train, on the second you choose: these two are the **development**
# rows. The last 15 % are closed. They will be opened once, at the end, by code that is fixed before.
#
# Begin with the game of flips: are the crops as indifferent to flips as the simulated patches were?
#
# **Predict:** half right, as before?

# %%
have_crops = data.available("luna16_crops")
if have_crops:
    development, closed = data.load_luna16_crops().by_rows((0.85, 0.15))
    learn, judge = development.by_rows((0.8, 0.2))
    game = {}
    for name, flip in FLIPS.items():
        told = name_the_original(learn.images_hu, judge.images_hu, flip, 10)
        ones = np.ones(len(told), int)
        game[name] = metrics.accuracy_score(ones, told.astype(int), patients=judge.blocks).counted_in("block")
        print(f"{name:22s} {game[name]}")

# %% [markdown]
# If the crops are there: left and right are told apart in about three of four, and transposing much less often. Is
# that anatomy? Think of what mirroring and transposing do to a **square with an even number of pixels**. The middle
# of 50 pixels lies between the numbers 24 and 25. The candidate was put at 25. A flip moves it to 24; transposing
# leaves it at 25. The classifier sees half a pixel. Cut off the first row and the first column, and the candidate is
# in the middle.

# %%
if have_crops:
    for name, flip in FLIPS.items():
        told = name_the_original(learn.images_hu[:, 1:, 1:], judge.images_hu[:, 1:, 1:], flip, 7)
        e = metrics.accuracy_score(ones, told.astype(int), patients=judge.blocks).counted_in("block")
        print(f"{name:22s} {e}, before {game[name].value:.2f}")
        if name != "transposed":
            assert game[name].low > e.high and e.value < 0.62

# %% [markdown]
# Now it is near one half, as in the simulation. What is left may be gravity, or another habit of those who cut the
# crops: where an interval leaves out 0.5, something can still be told. A classifier finds whatever there is to find,
# and it need not be medicine. Had the half pixel gone along with the label, it would have been a leak.
#
# **The gap, then the ladder.** The network that you chose has never seen a real patient. Take it to the validation
# rows. (A crop is filled up to 64 pixels with its own mirror image; the pixels' size in mm is not known and differs.)
# Then train the **same** rungs on real crops, four epochs each. The last rung is new: it does not start from fresh
# weights, but from those that were trained on simulated patients.
#
# **Predict:** what will the network lose on its way to real patients: the order, the probabilities, or both? And are
# simulated patients a better start than random numbers?

# %%
if have_crops:
    from copy import deepcopy

    real = {name: data.load_luna16_patches(part) for name, part in {"train": learn, "validation": judge}.items()}
    X = {
        name: torch.from_numpy(nodule_cnn.to_input(halved(part.images_hu), layout="NCHW")).to(device)
        for name, part in real.items()
    }
    Y = torch.from_numpy(learn.labels).float().to(device)
    on_real = {"simulated only": logits_of(chosen, X["validation"], views=True)}
    on_real["plain"] = fit(fresh(), epochs=4)[1][-1]
    on_real["+ turns"] = fit(fresh(), epochs=4, turns=True)[1][-1]
    network, after = fit(fresh(normalised=True), epochs=4, turns=True)
    on_real |= {"+ normalisation": after[-1], "+ eight views": logits_of(network, X["validation"], views=True)}

# %%
if have_crops:
    tuned, _ = fit(deepcopy(chosen), epochs=4, turns=True)
    on_real["+ simulated start"] = logits_of(tuned, X["validation"], views=True)
    before, real_loss = None, {name: loss_of(z, judge.labels).mean() for name, z in on_real.items()}
    for name, z in on_real.items():
        auc = metrics.auc_score(judge.labels, z, patients=judge.blocks).counted_in("block")
        print(f"{name:18s} loss {real_loss[name]:.2f}  AUC {auc:.3f}")
        if before is not None:
            step = metrics.compare_auc(judge.labels, z, before, patients=judge.blocks).counted_in("block").difference
            print(f"{'':18s} step {step:.3f}")
        before = z
    assert real_loss["simulated only"] > real_loss["+ simulated start"] + 0.02
    assert real_loss["plain"] > real_loss["+ simulated start"]

# %% [markdown]
# Put the first line beside the simulated test patients of the ladder. A network that met simulated patients only can
# still **order** real crops; how well, its AUC says. Its **probabilities** are another matter: see its loss, and what
# a few epochs with real patients make of it. In the simulation about a third of the patches had a nodule, here it is
# less than a fifth; mimics, blur and pixel size differ as well.
#
# So what is a simulation good for? Not to vouch for patients. But compare the last two rungs, and see whether the
# interval of the step holds 0. Where real patients are few or training is short, a simulation can be a start. (The last
# rung has also had 15 more epochs of training, on simulated patients. The comparison does not tell the one from the
# other: for that, train the rung before it longer.)
#
# **The best network.** The library's `NoduleNet` came about in the same way, on the development rows only (the ladder
# is `benchmarks/nodule_networks.py`). Compared with the networks of your ladder:
#
# - it sees all 50 × 50 pixels, through two convolutions a stage, each with batch normalisation;
# - it ends neither in Flatten nor in the mean over all places. It sums each channel with one **learned weight a
#   place**: it knows where the middle is, for 2,304 weights where the seed network spends a million;
# - turns by any angle, mirror images, small shifts, zooms and changes of contrast; AdamW, a rising and then falling
#   rate; dropout of 0.2; the mean of the eight views.
#
# Everything is fixed now: the three models, their epochs and seeds, the scores, one comparison. The seed network is
# that of lesson 06a, at 50 pixels; the random forest takes the averaged pixels. They train on **all** development
# rows.

# %%
from sklearn.ensemble import RandomForestClassifier

from medlearn.models import nodule_training


def pixels_of(crops):
    return halved(crops.images_hu).reshape(len(crops), -1)


if have_crops:
    candidates = {}
    forest = RandomForestClassifier(100, min_samples_leaf=2, max_samples=0.5, random_state=0, n_jobs=2)
    candidates["random forest"] = forest.fit(pixels_of(development), development.labels)
    torch.manual_seed(0)
    candidates["seed network"] = nodule_cnn_torch.SeedCNN(50)
    nodule_training.train(
        candidates["seed network"], development.images_hu, development.labels, num_epochs=5,
        learning_rate=1e-3, weight_decay=0.0, schedule="constant", device=device,
    )  # fmt: skip

# %%
from time import perf_counter

if have_crops:
    torch.manual_seed(0)
    candidates["best network"] = nodule_cnn_torch.NoduleNet(size=50)
    assert candidates["best network"].place_weights.numel() == 2304
    started = perf_counter()
    nodule_training.train(
        candidates["best network"], development.images_hu, development.labels, num_epochs=24,
        augmentation=nodule_training.Augmentation(), seed=0, device=device,
    )  # fmt: skip
    print(f"{len(development)} crops, 24 epochs: {perf_counter() - started:.0f} s")

# %% [markdown]
# **Predict:** write down an AUC for each of the three, and the width of its interval, before you open the last rows.
# The authors of this course had set themselves 0.965 for the best.

# %%
if have_crops:
    reported = {
        "random forest": forest.predict_proba(pixels_of(closed))[:, 1],
        "seed network": nodule_training.predict(candidates["seed network"], closed.images_hu, symmetric=False),
        "best network": nodule_training.predict(candidates["best network"], closed.images_hu),
    }
    print(f"{len(closed)} crops, {closed.labels.sum()} nodules, {len(np.unique(closed.blocks))} blocks")
    for name, p in reported.items():
        print(f"{name:14s} {metrics.auc_score(closed.labels, p, patients=closed.blocks).counted_in('block'):.3f}")
    best, seed = reported["best network"], reported["seed network"]
    versus = metrics.compare_auc(closed.labels, best, seed, patients=closed.blocks).counted_in("block").difference
    print(f"best minus seed {versus:.3f}")

# %%
if have_crops:
    e = metrics.auc_score(closed.labels, best, patients=closed.blocks)
    reached = "reached" if e.value >= 0.965 else "missed"
    holds = "holds" if e.low <= 0.965 <= e.high else "leaves out"
    print(f"the aim of 0.965 was {reached}: {e.value:.3f}; its interval {holds} 0.965")
    error = metrics.expected_calibration_error(closed.labels, best, patients=closed.blocks).counted_in("block")
    print(f"expected calibration error {error:.3f}")
    print(f"Brier score {metrics.brier_score(closed.labels, best, patients=closed.blocks).counted_in('block'):.3f}")
    assert e.value > 0.85 and e.value > metrics.auc_score(closed.labels, seed).value - 0.02

# %% tags=["hide-input"]
if have_crops:
    curve = metrics.calibration_curve(closed.labels, best, num_bins=5, patients=closed.blocks)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
    roc = metrics.roc_curve(closed.labels, best), metrics.roc_curve(closed.labels, seed)
    for line, name in zip(roc, ("best network", "seed network")):
        axes[0].plot(line.false_positive_rate, line.sensitivity, label=name)
    axes[0].set(xlabel="false positive rate", ylabel="sensitivity", title="Real crops, the closed rows")
    axes[0].legend(loc="lower right")
    spans = [curve.observed - curve.low, curve.high - curve.observed]
    axes[1].errorbar(curve.predicted, curve.observed, np.maximum(spans, 0), fmt="o-", capsize=3)
    axes[1].plot([0, 1], [0, 1], ":", color="black")
    axes[1].set(xlabel="predicted probability", ylabel="observed share", title="Calibration of the best network")
    pairs = ", ".join(f"{p:.2f}: {o:.2f}" for p, o in zip(curve.predicted, curve.observed))
    plots.picture(
        figure,
        alt="Left: two ROC curves, of the best and of the seed network. Right: observed share of nodules against the "
        f"predicted probability, with intervals: {pairs}.",
    ).show()

# %% [markdown]
# That was the one look. If you now change anything and run the cell again, the number is no longer a report. And the
# calibration speaks of **these** crops: about one in six a nodule, by the choice of those who made the file. In
# screening it is one in hundreds, and the probabilities would all be too high (lesson 05a has the arithmetic).
#
# **Another task, if it is there.** NoduleMNIST3D ([Yang and others 2023](https://doi.org/10.1038/s41597-022-01721-8))
# asks what follows "nodule": do the radiologists think it malignant? All its patches are nodules, 28 × 28 mm around
# the middle. The nodules that readers called indeterminate were **left out**, which makes the task easier than the
# clinic's.

# %%
if data.available("nodulemnist3d"):
    sets = {name: data.load_nodulemnist3d(name) for name in ("train", "test")}
    torch.manual_seed(0)
    small = nodule_cnn_torch.NoduleNet(size=28)
    nodule_training.train(
        small, sets["train"].images_hu, sets["train"].malignant, num_epochs=20,
        augmentation=nodule_training.Augmentation(), seed=0, device=device,
    )  # fmt: skip
    p = nodule_training.predict(small, sets["test"].images_hu)
    print("malignant in the readers' opinion:", metrics.auc_score(sets["test"].malignant, p))
    print("(The file does not say whose nodules they are: the interval takes each as a patient.)")

# %% [markdown]
# ## What you may claim
# **You may claim**
# - On 40 simulated test patients, looked at once: the AUC of the plain and of the chosen network, and their
#   difference, each with its interval.
# - That a network with the same weights answers differently in its two modes, by how much, and why: derived and
#   measured.
# - Where the crops are there: one AUC for each of three models on closed rows, opened once, with an interval over
#   blocks; and, on the validation rows, what the simulated start and each rung were worth, for one seed.
# - That half a pixel can be told from 50 × 50 pixels.
#
# **You may not claim**
# - That turns, or normalisation, are worth so and so much. The steps belong to this network, these patients, this
#   number of epochs, this order of the rungs. All but one were trained once.
# - That dropout and weight decay are useless because little was seen of them here. One strength of each was tried.
# - That the closed rows are fresh to the world. LUNA16 has been public since 2016; this split of it is new, the
#   patients are not. The course's own benchmark reports the same rows, with the same recipe. Nor that blocks of rows
#   are patients.
# - That the AUC of crops tells how a **detector** would do. About five other places for each nodule were chosen from
#   hundreds. That is lesson 07b.
# - That the best network reads other hospitals' scans as well. It has seen none.
#
# **Published beside it**: in the LUNA16 challenge the combined leading systems reached a sensitivity of over 95 % at
# fewer than one false positive a scan ([Setio and others 2017](https://doi.org/10.1016/j.media.2017.06.015)). That is
# another score, on all candidates of whole scans, and cannot stand beside an AUC of chosen crops.

# %% [markdown]
# ## Summary
# - Overfitting shows in the loss first. More patients are the best cure; the rest makes more of those you have.
# - Weights are moved correctly when outputs are equal. Behind a Flatten the order of rows, columns and channels
#   counts, and a mistake raises no error.
# - An augmentation is a claim: such images exist and have this label. Play the game: can the flip be told? In a chest,
#   yes. In a patch, hardly, and where it can, look for half a pixel.
# - Averaging over views costs no loss, by Jensen, where the views are equally likely.
# - Dropout is a weight decay in disguise. Early stopping chooses, so its patients cannot report.
# - Batch normalisation is two networks. The moving averages remember their start with weight $m^n$. Score the training
#   patients in inference mode.
# - One rung at a time, paired differences, more than one seed. What is smaller than the spread between seeds is no
#   finding.
# - A pickle is a program. Keep weights in safetensors, and your own Keras networks in `.keras`.
# - Look at the worst errors of the validation patients, and count by kind.
# - Fix everything, open the test rows once, report what comes.
#
# ### Key terms
# [overfitting](glossary:overfitting) · [augmentation](glossary:augmentation) · [dropout](glossary:dropout) · [weight
# decay](glossary:weight-decay) · [early stopping](glossary:early-stopping) · [batch
# normalisation](glossary:batch-normalisation) · [test-time augmentation](glossary:test-time-augmentation) ·
# [pickle](glossary:pickle) · [safetensors](glossary:safetensors) · [calibration](glossary:calibration)
#
# ### Further reading
# - Chen S, Dobriban E, Lee JH. *A group-theoretic framework for data augmentation.* Journal of Machine Learning
#   Research 2020. <https://doi.org/10.48550/arXiv.1907.10905>
# - Srivastava N, et al. *Dropout: a simple way to prevent neural networks from overfitting.* Journal of Machine
#   Learning Research 2014. <https://jmlr.org/papers/v15/srivastava14a.html>
# - Wager S, Wang S, Liang P. *Dropout training as adaptive regularization.* NeurIPS 2013.
#   <https://doi.org/10.48550/arXiv.1307.1493>
# - Ioffe S, Szegedy C. *Batch normalization: accelerating deep network training by reducing internal covariate shift.*
#   ICML 2015. <https://doi.org/10.48550/arXiv.1502.03167>
# - Wu Y, Johnson J. *Rethinking "batch" in batch normalization.* 2021. <https://doi.org/10.48550/arXiv.2105.07576>
# - Prechelt L. *Early stopping, but when?* Neural Networks: Tricks of the Trade 2012.
#   <https://doi.org/10.1007/978-3-642-35289-8_5>
# - Lin AE, et al. *Laterality defects in the national birth defects prevention study (1998-2007).* American Journal of
#   Medical Genetics A 2014. <https://doi.org/10.1002/ajmg.a.36695>
# - Oakden-Rayner L, et al. *Hidden stratification causes clinically meaningful failures in machine learning for
#   medical imaging.* ACM CHIL 2020. <https://doi.org/10.1145/3368555.3384468>
# - Yang J, et al. *MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical image classification.*
#   Scientific Data 2023. <https://doi.org/10.1038/s41597-022-01721-8>
# - Setio AAA, et al. *Validation, comparison, and combination of algorithms for automatic detection of pulmonary
#   nodules in computed tomography images: the LUNA16 challenge.* Medical Image Analysis 2017.
#   <https://doi.org/10.1016/j.media.2017.06.015>
