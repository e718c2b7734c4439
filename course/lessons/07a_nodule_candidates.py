# %% [markdown]
# In lesson 06 somebody had already cut the patch out. Its middle was a nodule or it was not, and a network said which.
# A radiologist gets no patch. They get a chest: three million voxels, perhaps one nodule, perhaps none, and nobody says
# where to look. **Where** is the harder half of the question.
#
# In this lesson you build the half that looks. You find the lungs. You derive at which scale a filter for blobs answers
# a ball best, and find candidates with it. You turn a classifier of patches into a network that answers for the whole
# scan at once, and prove that nothing has changed but the time. Then you teach it with heat maps, let it measure what
# it finds, and count: how many places must somebody look at to see how many of the nodules?
#
# All patients are **simulated**, but for one real scan at the end. Lesson 07b asks how good a detector is; here
# you make one. The lesson takes about two hours; exercises marked *further* come on top of that.

# %% [markdown]
# ## A thousand times more background
# A simulated patient, with both lungs, on the grid of the real scan that you meet at the end: voxels of
# 2.34 × 2.34 × 2 mm. Everything in this lesson is in millimetres, and an array is in the order [z, y, x].

# %%
import SimpleITK as sitk

GRID = {"num_pixels": 152, "spacing_mm": 2.34, "slice_spacing_mm": 2.0, "num_slices": None}
scan = data.simulate_patient(17, **GRID)
lung_truth = sitk.GetArrayFromImage(scan.lung_mask) == 1
assert len(scan.nodules) == 8
print(f"{scan.patient}: {scan.array.size:,} voxels, {lung_truth.sum():,} of them lung")
for nodule in scan.nodules:
    print(f"   {nodule.diameter_mm:4.1f} mm, {nodule.type}, attached to: {nodule.attachment}")

# %%
widgets.browse_volume(scan.image, alt="A simulated chest CT with eight nodules.", window_hu="lung")

# %% [markdown]
# Did you find all eight? Here they are, in the lung's brightest voxel along the line of sight (a *maximum intensity
# projection*): seen from the front, and from the feet.


# %% tags=["hide-input"]
def draw_projection(axes, image, lungs, *, axis):
    """Draw the brightest lung voxel along z (axis 0) or y (axis 1), in mm."""
    hu = np.where(lungs, sitk.GetArrayViewFromImage(image), -1000).max(axis=axis)
    x0, y0, z0 = image.GetOrigin()
    sx, sy, sz = image.GetSpacing()
    start, step = (y0, sy) if axis == 0 else (z0, sz)
    extent = (x0 - sx / 2, x0 + (hu.shape[1] - 0.5) * sx, start + (hu.shape[0] - 0.5) * step, start - step / 2)
    axes.imshow(hu, vmin=-950, vmax=100, extent=extent)
    axes.set(xlabel="x (mm)", ylabel=("y (mm)", "z (mm)")[axis])
    if axis == 1:
        axes.invert_yaxis()  # the head is on top


def ring(axes, point_mm, diameter_mm, *, axis, colour="yellow", style="-", margin_mm=4):
    x, up = point_mm[0], point_mm[1 if axis == 0 else 2]
    circle = plt.Circle((x, up), diameter_mm / 2 + margin_mm, fill=False, linewidth=1.6,
                        color=plots.COLOURS[colour], linestyle=style)  # fmt: skip
    axes.add_patch(circle)


figure, axes = plt.subplots(1, 2, figsize=(9.3, 4.2))
for axis, ax in zip((1, 0), axes):
    draw_projection(ax, scan.image, lung_truth, axis=axis)
    for nodule in scan.nodules:
        ring(ax, nodule.centre_mm, nodule.diameter_mm, axis=axis)
    ax.set_title(("from the feet", "from the front")[axis])
plots.picture(
    figure,
    alt="Simulated chest, brightest lung voxel from the front and from the feet. Eight rings mark the nodules, among hundreds "
    "of bright vessels.",
)

# %% [markdown]
# Vessels everywhere, and eight dots. In lesson 06 about a third of the patches showed a nodule: two backgrounds for
# each. How many here? Count generously. Cut the lungs into cubes of 6 mm, and call each cube **one** place, although a
# detector that moves voxel by voxel looks far more often.
#
# **Predict:** how many such places without a nodule are there for each nodule? How many times more is that than in
# lesson 06?

# %%
lung_ml = lung_truth.sum() * np.prod(scan.image.GetSpacing()) / 1000
places = round(1000 * lung_ml / 6**3)
per_nodule = places / len(scan.nodules)
per_nodule_in_patches = 0.65 / 0.35
print(f"lungs {lung_ml:,.0f} ml, {places:,} places, {per_nodule:,.0f} for each nodule")
print(f"{per_nodule / per_nodule_in_patches:,.0f} times as many as in the patches")
for rate in (0.1, 0.01, 0.001):
    print(f"a false-positive rate of {rate:g} at a place: {rate * places:6,.0f} false alarms in this scan")
assert per_nodule / per_nodule_in_patches > 1000

# %% [markdown]
# More than a thousand times, and this patient has eight nodules; with one it would be ten thousand. A false-positive
# rate of 10 % made a decent point on the ROC curve of patches. Here it marks over two thousand places. For one false
# alarm in this scan a place may err once in more than twenty thousand times. No ROC curve of a few hundred patches even
# shows that corner.
#
# ### Exercise: which of the marks are real?
# A detector looks at `places` places, `nodules` of which hold a nodule. It marks a nodule with probability
# `sensitivity`, and another place with probability `false_positive_rate`. Return the share of its marks that are
# nodules, on average counts. (Lesson 05a calls it the [positive predictive
# value](glossary:positive-predictive-value).)


# %% tags=["exercise"]
def share_real(places, nodules, sensitivity, false_positive_rate):
    """Return the share of the marked places that hold a nodule."""
    return ...  # your code


# %% tags=["check"]
ex.share_real.check(share_real)

# %% [markdown]
# So a detector works in stages. The first must be **cheap**, and must lose almost no nodule, for what it loses is gone.
# It may be wrong hundreds of times a scan: it proposes [candidates](glossary:candidate). A second, more careful stage
# judges these few. This lesson is about the first.

# %% [markdown]
# ## The lungs: threshold and morphology
# Nobody needs to look at the liver. Lung is mostly air, around −850 HU; muscle and blood are around 40. A voxel on the
# border with a share $s$ of lung has $-850s+40(1-s)$ HU. It should count as lung if $s>\frac12$, which means below the
# **middle** of the two, −405. Hence the threshold of −400.
#
# But the room around the patient is air, too. What tells it from lung? It touches the sides of the picture. So: all
# pieces of air (voxels that hang together by their faces), with their size.

# %%
AIR_HU = -400


def pieces_of_air(image):
    """Return the number of each voxel's piece of air (0: no air), and the volume of each piece in ml."""
    pieces = sitk.GetArrayFromImage(sitk.ConnectedComponent(image < AIR_HU))
    return pieces, np.bincount(pieces.ravel()) * np.prod(image.GetSpacing()) / 1000


pieces, volumes_ml = pieces_of_air(scan.image)
biggest = np.argsort(-volumes_ml[1:])[:4] + 1
for number in biggest:
    where = np.argwhere(pieces == number)
    print(f"piece {number}: {volumes_ml[number]:9,.1f} ml, columns {where[:, 2].min()} to {where[:, 2].max()}")
print(f"and {len(volumes_ml) - 5} smaller ones")

# %% [markdown]
# Two reach from the first column to the last: the room, in front of the patient and behind. One is the lungs, joined by
# the airways. The others are crumbs. Take what does not touch the sides of the slices and has 100 ml or more. (Not the
# top and the bottom: a scan may cut through the lungs there.)
#
# **Predict:** of the eight nodules, how many have their centre in that mask?


# %%
def air_inside(image):
    pieces, volumes_ml = pieces_of_air(image)
    sides = [pieces[:, 0], pieces[:, -1], pieces[:, :, 0], pieces[:, :, -1]]
    outside = np.unique(np.concatenate([side.ravel() for side in sides]))
    return np.isin(pieces, np.setdiff1d(np.flatnonzero(volumes_ml >= 100), [0, *outside]))


def num_inside(mask, scan):
    """Count the nodules whose centre is in the mask."""
    voxels = geometry.world_to_voxel([n.centre_mm for n in scan.nodules], scan.image).round().astype(int)
    return sum(mask[z, y, x] for x, y, z in voxels)


air = air_inside(scan.image)
print(f"{num_inside(air, scan)} of {len(scan.nodules)} nodules")
assert num_inside(air, scan) <= 2

# %% [markdown]
# A nodule is not air. **The threshold throws away what you are looking for**, and every vessel with it. What must come
# back are dark-framed bright things: those surrounded by lung, and those on its wall.
#
# [Closing](glossary:closing) does that. Dilate the mask: add all that is within $r$ of it. Then erode: take away all
# that is within $r$ of what is still outside. Which points stay outside in the end? $x$ does exactly if some point $y$
# outside the dilated mask is within $r$ of it. "Outside the dilated mask" says that the ball of radius $r$ around $y$
# misses the mask; "within $r$" says that this ball holds $x$. So
#
# > **a point stays outside if and only if some ball of radius $r$ holds it and misses the mask.**
#
# Roll a ball of radius $r$ through everything that is not lung. Where it fits stays outside; where it is too big
# becomes lung. A vessel or a nodule thinner than the ball comes back, even on the wall. The chest wall does not. Test
# the sentence on a drawing: a wall, with round nodules of radius 3 and 6 pixels hanging from it into the lung.

# %%
from scipy import ndimage

rows, columns = np.indices((40, 80))
drawn = rows > 12  # lung below a wall
for centre, radius in ((22, 3), (58, 6)):
    drawn &= np.hypot(rows - (12 + radius), columns - centre) > radius


def rolled(room, r):
    """Return all that a disc of radius r covers where it fits into the room (which goes on beyond the picture)."""
    disc = np.hypot(*np.mgrid[-r : r + 1, -r : r + 1]) <= r
    return ndimage.binary_opening(np.pad(room, 20, mode="edge"), disc)[20:-20, 20:-20]


closings = {r: ~rolled(~drawn, r) for r in (4, 8)}
assert closings[4][15, 22] and not closings[4][18, 58] and closings[8][18, 58]

# %% tags=["hide-input"]
plots.show_slices(
    [drawn, closings[4], closings[8]],
    titles=["lung (white), two nodules", "closed with r = 4", "closed with r = 8"],
    limits=(0, 1),
    colorbar=False,
    alt="A drawn lung below a wall. Two round nodules of radius 3 and 6 hang from the wall. Closing with radius 4 turns "
    "the smaller one into lung, closing with radius 8 both; the wall stays.",
)

# %% [markdown]
# With $r=4$ the ball fits into the larger nodule, so that one stays outside; with $r=8$ it fits into neither.
#
# ### Exercise: closing in millimetres
# A CT has other distances between slices than between pixels, so count no voxels. Close a mask with a ball of
# `radius_mm`. `ndimage.distance_transform_edt(array, sampling=spacing_mm)` gives each true voxel its distance in mm to
# the nearest false one. What is exactly `radius_mm` away belongs to the dilation, and what is exactly that far from
# the outside does not come back.


# %% tags=["exercise"]
def close_mm(mask, radius_mm, spacing_mm):
    """Return the mask closed by a ball of radius_mm."""
    return ...  # your code


# %% tags=["check"]
ex.close_mm.check(close_mm)

# %% [markdown]
# In the lesson's version SimpleITK measures the distances; the image knows its own spacing. At last, holes that are
# still enclosed are filled.


# %%
def distances_mm(mask, image):
    """Return each voxel's distance in mm to the nearest voxel of the mask; inside it zero or less."""
    mask_image = sitk.GetImageFromArray(mask.astype(np.uint8))
    mask_image.CopyInformation(image)
    distances = sitk.SignedMaurerDistanceMap(mask_image, squaredDistance=False, useImageSpacing=True)
    return sitk.GetArrayFromImage(distances)


def find_lungs(image, *, closing_mm=10):
    dilated = distances_mm(air_inside(image), image) <= closing_mm
    closed = distances_mm(~dilated, image) > closing_mm
    return ndimage.binary_fill_holes(closed)


lungs = find_lungs(scan.image)
overlap = 2 * np.sum(lungs & lung_truth) / (lungs.sum() + lung_truth.sum())
print(f"{num_inside(lungs, scan)} of {len(scan.nodules)} nodules; Dice with the simulated lungs {overlap:.3f}")
assert num_inside(lungs, scan) == len(scan.nodules) and overlap > 0.95

# %% [markdown]
# How large should $r$ be? Too small, and nodules stay outside; too large, and the ball no longer fits into the hollow
# of the mediastinum, which holds great vessels and no nodule. Eight patients to learn from are needed anyway. So that
# eight are enough, each was given **twelve** nodules, far more than most people have.

# %%
from tqdm.auto import tqdm

teachers = list(tqdm(data.load_nodule_scans(8, seed=0, num_nodules=12, **GRID), total=8, leave=False))
teacher_names = [teacher.patient for teacher in teachers]
data.assert_no_patient_overlap(teacher_names, [scan.patient])
print(f"{len(teachers)} simulated patients, {sum(len(t.nodules) for t in teachers)} nodules")

# %%
radii_mm = [0.5, 3, 6, 10, 15]
inside, extra_ml = np.zeros(5), np.zeros(5)
for teacher in tqdm(teachers[:2], leave=False):
    truth = sitk.GetArrayFromImage(teacher.lung_mask) == 1
    voxel_ml = np.prod(teacher.image.GetSpacing()) / 1000
    for k, radius in enumerate(radii_mm):
        mask = find_lungs(teacher.image, closing_mm=radius)
        inside[k] += num_inside(mask, teacher)
        extra_ml[k] += np.sum(mask & ~truth) * voxel_ml / 2
total = sum(len(teacher.nodules) for teacher in teachers[:2])
for radius, found, extra in zip(radii_mm, inside, extra_ml):
    print(f"r = {radius:4.1f} mm: {found:2.0f} of {total} nodules inside, {extra:3.0f} ml that are not lung")
assert inside[0] <= total - 4 and inside[3] >= total - 2 and extra_ml[4] > extra_ml[2]

# %% [markdown]
# With next to no closing, filling the holes brings back what lung surrounds on all sides, and no nodule on a wall or a
# vessel that leads out. The lesson goes on with 10 mm. A ball of 10 mm fits into what is wider than 20 mm, so a nodule
# of that size on the wall would be lost; that is the price. **A mask for detection is judged by the nodules it keeps,
# not by its Dice.**

# %%
z = int(geometry.world_to_voxel(scan.nodules[0].centre_mm, scan.image)[2].round())
plots.show_overlay(
    scan.array[z], {"air inside": air[z], "closed with 10 mm": lungs[z]}, fill=False, window_hu="lung",
    spacing_mm=(2.34, 2.34), title="The lungs of a simulated patient",
    alt="A slice of the simulated chest with two outlines. The outline of the air leaves out vessels and a nodule; the "
    "closed one takes them in.",
)  # fmt: skip

# %% [markdown]
# ## At which scale does a ball answer?
# Now for blobs. Blur the image $f$ with a Gaussian $G_\sigma$ and take the Laplacian, the sum of the second
# derivatives: at a bright blob the surface bends down in every direction, and the result is strongly negative.
# Together, the [Laplacian of Gaussian](glossary:laplacian-of-gaussian) (LoG):
#
# $$L_\sigma(x)=-\sigma^2\,\nabla^2(G_\sigma * f)(x).$$
#
# The minus makes bright blobs positive. Why $\sigma^2$, you see in a moment. Which $\sigma$ suits a nodule of radius
# $r$? In $d$ dimensions let $f$ be 1 in a ball of radius $r$ and 0 elsewhere. At its centre
#
# $$L_\sigma(0)=-\sigma^2\int_{|x|<r}\nabla^2 G_\sigma\,dx=-\sigma^2\oint_{|x|=r}\frac{\partial G_\sigma}{\partial n}\,dS .$$
#
# That is the divergence theorem: the Laplacian is the divergence of the gradient, so its integral over the ball is the
# flow of the gradient through the sphere. With $G_\sigma=(2\pi\sigma^2)^{-d/2}e^{-|x|^2/2\sigma^2}$ the derivative
# outwards is $-\frac{r}{\sigma^2}G_\sigma$, the same all over the sphere. The sphere has the area $S_d\,r^{d-1}$, with
# $S_2=2\pi$ and $S_3=4\pi$. Write $u=r/\sigma$:
#
# $$L_\sigma(0)=\frac{S_d}{(2\pi)^{d/2}}\;u^d\,e^{-u^2/2}
# \qquad\text{disc: } u^2e^{-u^2/2},\qquad\text{ball: } \sqrt{2/\pi}\;u^3e^{-u^2/2}.$$
#
# Look at what is **not** there: $r$ by itself. A nodule of 4 mm and one of 20 mm answer alike, each at its own scale.
# The factor $\sigma^2$ does that. Without it the answer at $\sigma=r/u$ falls with $1/r^2$, and small things win
# ([Lindeberg 1998](https://doi.org/10.1023/A:1008045108935)).
#
# **Predict:** for which $u$ is $u^de^{-u^2/2}$ largest? So at which $\sigma$ does a ball of 10 mm diameter answer best?


# %%
def drawn_ball(dimensions, radius, size, fine=5):
    """Draw a ball in the middle of a grid; a voxel on the edge holds the share that is inside."""
    line = (np.arange(size * fine) - (size * fine - 1) / 2) / fine
    line = line.astype(np.float32)
    inside = sum(axis**2 for axis in np.meshgrid(*[line] * dimensions, sparse=True)) <= radius**2
    blocks = inside.reshape([size, fine] * dimensions)
    return blocks.mean(axis=tuple(range(1, 2 * dimensions, 2)))


# %%
def law(dimensions, u):
    sphere = {1: 2, 2: 2 * np.pi, 3: 4 * np.pi}[dimensions]
    return sphere / (2 * np.pi) ** (dimensions / 2) * u**dimensions * np.exp(-(u**2) / 2)


r, sigmas = 8, np.arange(2.5, 12, 0.25)
answers = {}
for d, size in ((2, 65), (3, 49)):
    image = drawn_ball(d, r, size)
    answers[d] = [-(s**2) * ndimage.gaussian_laplace(image, s, truncate=5)[(size // 2,) * d] for s in sigmas]
    best = sigmas[np.argmax(answers[d])]
    print(
        f"{d}-D: the best of the scales is {best:.2f}; r / sqrt({d}) = {r / d**0.5:.2f}; answer {max(answers[d]):.3f}"
    )
    assert np.abs(answers[d] - law(d, r / sigmas))[sigmas < 6.5].max() < 0.02 and abs(best - r / d**0.5) < 0.26

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7.5, 3.9))
u = np.linspace(0.3, 4, 200)
for d, name, style, marker in ((3, "ball, 3-D", "-", "o"), (2, "disc, 2-D", "--", "s"), (1, "slab, 1-D", ":", None)):
    (line,) = axes.plot(1 / u, law(d, u), style, label=f"{name}: highest at σ = r/√{d}")
    axes.plot([1 / d**0.5] * 2, [0, law(d, d**0.5)], color=line.get_color(), linewidth=0.8, linestyle=style)
    if marker:
        axes.plot(sigmas / r, answers[d], marker, color=line.get_color(), markersize=4, label=f"{name}, SciPy")
axes.set(xlabel="scale over radius, σ / r", ylabel="answer at the centre, L", xlim=(0.2, 1.5), ylim=(0, 1))
axes.legend(loc="upper right", fontsize=9)
plots.picture(
    figure,
    alt="Answer of the Laplacian of Gaussian against scale over radius. Ball, disc and slab rise to one maximum each, "
    "0.93 at 0.58, 0.74 at 0.71 and 0.48 at 1. SciPy's filter on drawn shapes lies on the curves.",
)

# %% [markdown]
# Differentiate: $(d\,u^{d-1}-u^{d+1})\,e^{-u^2/2}=0$ gives $u^2=d$. **The best scale is $\sigma=r/\sqrt d$**:
# $r/\sqrt3$ for a ball in a volume, $r/\sqrt2$ for a disc in a slice. Turned round, the scale of the strongest answer
# measures the nodule: its diameter is $2\sqrt3\,\sigma$.
#
# ### Exercise: the scale for a diameter
# In millimetres, for images of 2 or 3 dimensions.


# %% tags=["exercise"]
def best_sigma(diameter_mm, dimensions):
    """Return the sigma in mm at which a ball (or disc) of this diameter answers best."""
    return ...  # your code


# %% tags=["check"]
ex.best_sigma.check(best_sigma)

# %% [markdown]
# The same formula also says what goes wrong. A long vessel is a disc in cross-section and does not change along its
# axis. So the second derivative along the axis is zero, and in a **volume** it answers by the law of the **disc**. A fissure or a wall
# is a slab.
#
# ### Exercise (further): nodule against vessel
# Both are equally bright, each is seen at its own best scale. How many times as strongly does a ball answer as a long
# vessel?

# %% tags=["exercise"]
ball_over_vessel = ...  # your number

# %% tags=["check"]
ex.ball_over_vessel.check(ball_over_vessel)

# %% [markdown]
# The advantage is small. A vessel with contrast medium is brighter than a nodule by more than that, and where it forks
# it is rounder than a rod. The filter will propose many vessels. Keep that in mind for the count.
#
# **Voxels are not cubes.** $\sigma$ is in mm. With a spacing of $h_k$ along axis $k$, the filter needs
# $\sigma/h_k$ voxels there, and a second derivative per voxel² is $h_k^2$ times one per mm². So
#
# $$\sigma^2\nabla^2=\sum_k\sigma^2\frac{\partial^2}{\partial x_k^2}
# =\sum_k\Bigl(\frac{\sigma}{h_k}\Bigr)^2\frac{\partial^2}{\partial n_k^2},$$
#
# with $n_k$ in voxels. Each axis has its own factor. `ndimage.gaussian_laplace` accepts a sigma for each axis, but it
# adds up the derivatives per voxel **without** these factors: for a CT that is another filter, no LoG.
#
# ### Exercise: a blob filter in millimetres
# Return $-\sigma^2\nabla^2(G_\sigma*f)$. `ndimage.gaussian_filter(volume, sigma, order=(0, 0, 2))` blurs and takes the
# second derivative along the last axis, per voxel².


# %% tags=["exercise"]
def blob_filter(volume, sigma_mm, spacing_mm):
    """Return the LoG of a volume (z, y, x) with spacing_mm in the same order, positive at bright blobs."""
    return ...  # your code


# %% tags=["check"]
ex.blob_filter.check(blob_filter)

# %% [markdown]
# One limit is left: the grid. A Gaussian much narrower than a voxel cannot be sampled.
#
# **Predict:** the law promises 0.925 at the best scale, for every ball. What does SciPy's filter answer where $\sigma$
# is 0.4 voxels?


# %%
def log_mm(volume, sigma_mm, spacing_mm):
    in_voxels = sigma_mm / np.asarray(spacing_mm)
    orders = 2 * np.eye(volume.ndim, dtype=int)
    return -sum(s**2 * ndimage.gaussian_filter(volume, in_voxels, order=o) for s, o in zip(in_voxels, orders))


at_best = {}
for sigma in (0.4, 0.5, 0.7, 1, 1.5, 2.5):
    ball = drawn_ball(3, sigma * 3**0.5, 25, fine=9)
    at_best[sigma] = log_mm(ball, sigma, [1, 1, 1])[12, 12, 12]
    print(f"sigma = {sigma:3.1f} voxels: {at_best[sigma]:.2f} (the law: {law(3, 3**0.5):.3f})")
assert at_best[0.4] > 1.5 and 0.6 < at_best[0.7] < 0.95 and abs(at_best[2.5] - law(3, 3**0.5)) < 0.03

# %% [markdown]
# More than twice the right answer, for a thing hardly larger than a voxel: single noisy voxels would fill the list. At
# 0.7 voxels it is a fifth too low; below that the filter is no LoG. On this grid that means $\sigma\ge1.6$ mm, a diameter of 5.5 mm: smaller nodules are searched at
# that scale, and answer weakly. (Scan finer, and you find smaller ones. That is a reason for thin slices.)

# %% [markdown]
# ## Candidates: maxima over place and scale
# Five scales, a factor of about 1.4 apart, and one answer for each voxel and each scale: an array of four dimensions.
# A candidate is a voxel in the lungs whose answer is the largest of its neighbours **in all four**.
#
# Two preparations. The chest wall is a bright edge a thousand times larger than any nodule, so everything outside the
# mask is filled with lung, −850 HU. And what is brighter than soft tissue is cut off at 0 HU, so that calcium and
# contrast medium do not win by brightness.

# %%
from types import SimpleNamespace

DIAMETERS_MM = np.array([5.5, 7.5, 10.5, 15, 21])


def around_lungs(image, lungs):
    """Cut out the box of the lungs, with `low`, its first voxel, to find the way back."""
    box = ndimage.find_objects(lungs.astype(int))[0]
    low = np.array([part.start for part in box])
    hu = sitk.GetArrayViewFromImage(image)[box].astype(np.float32)
    return SimpleNamespace(hu=hu, lungs=lungs[box], low=low, image=image, spacing_mm=image.GetSpacing()[::-1])


def in_mm(index_zyx, part):
    """Turn voxels of the box, in the order z, y, x, into points in mm, in the order x, y, z."""
    return geometry.voxel_to_world((np.asarray(index_zyx) + part.low)[..., ::-1], part.image)


# %%
def blobs(part, *, most=1000):
    """Return points in mm, answers in HU and diameters in mm of the strongest maxima, best first."""
    filled = np.pad(np.where(part.lungs, np.clip(part.hu, -1000, 0), -850), 6, mode="edge")
    sigmas_mm = DIAMETERS_MM / (2 * np.sqrt(3))
    stack = np.array([log_mm(filled, s, part.spacing_mm) for s in sigmas_mm])[:, 6:-6, 6:-6, 6:-6]
    is_top = (stack == ndimage.maximum_filter(stack, size=3)) & part.lungs & (stack > 80)
    scale, *index = np.nonzero(is_top)
    order = np.argsort(-stack[is_top], kind="stable")[:most]
    return in_mm(np.transpose(index)[order], part), stack[is_top][order], DIAMETERS_MM[scale[order]]


part = around_lungs(scan.image, lungs)
print(f"{len(blobs(part, most=None)[0]):,} maxima over 80 HU; the strongest 1,000 go on as candidates")
points_mm, scores, diameters_mm = blobs(part)
print(f"the best answers with {scores[0]:.0f} HU, at the scale for {diameters_mm[0]:g} mm")
gaps_mm = np.linalg.norm(points_mm[:, np.newaxis] - points_mm, axis=2)
print(f"{np.sum((gaps_mm < 5).sum(axis=1) > 1)} of them have another one within 5 mm")

# %% [markdown]
# Some stand twice: one thing, found at two scales or at two ends. A reader should see it once. [Non-maximum
# suppression](glossary:non-maximum-suppression) keeps the strongest candidate, drops all that are nearer to it than
# some distance, and goes on with the strongest that is left. The distance is **in millimetres**: nodules are as large
# in a scan with thick slices.
#
# ### Exercise: keep the strongest
# Return the indices of the candidates that are kept, the best score first. A candidate is dropped if one that was
# **kept** is nearer than `distance_mm`. (One that was dropped drops nobody.)


# %% tags=["exercise"]
def suppress(points_mm, scores, distance_mm):
    """Return the indices of the kept candidates, the best score first."""
    return ...  # your code


# %% tags=["check"]
ex.suppress.check(suppress)


# %%
def without_doubles(points_mm, scores, *, distance_mm=5.0):
    kept = []
    for index in np.argsort(-scores, kind="stable"):
        gaps = np.linalg.norm(points_mm[kept] - points_mm[index], axis=1)
        if not np.any(gaps < distance_mm):
            kept.append(index)
    return np.array(kept, dtype=int)


kept = without_doubles(points_mm, scores)
print(f"{len(points_mm)} candidates before, {len(kept)} after")
assert len(points_mm) / 2 < len(kept) < len(points_mm)

# %% [markdown]
# **Predict:** sort them by their answer. At which ranks do the eight nodules stand?


# %%
def ranks(points_mm, nodules):
    """Return for each nodule the rank of the first point within its radius, from 1; inf if there is none."""
    found = []
    for nodule in nodules:
        hits = np.linalg.norm(points_mm - nodule.centre_mm, axis=1) < nodule.diameter_mm / 2
        found.append(1 + np.argmax(hits) if hits.any() else np.inf)
    return found


by_blobs = ranks(points_mm[kept], scan.nodules)
for nodule, rank in zip(scan.nodules, by_blobs):
    print(f"{nodule.diameter_mm:4.1f} mm, {nodule.type:12s} at rank {rank:g}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.3, 4.2))
for axis, ax in zip((1, 0), axes):
    draw_projection(ax, scan.image, lungs, axis=axis)
    for index in kept[:30]:
        ring(ax, points_mm[index], diameters_mm[index], axis=axis, colour="vermillion", style="--", margin_mm=0)
    for nodule in scan.nodules:
        ring(ax, nodule.centre_mm, nodule.diameter_mm, axis=axis)
    ax.set_title(("from the feet", "from the front")[axis])
in_30 = sum(rank <= 30 for rank in by_blobs)
plots.picture(
    figure,
    alt=f"Simulated chest with the 30 strongest candidates as dashed rings, most of them on vessels, and the eight nodules "
    f"as solid rings. {in_30} of the nodules are among the 30.",
)

# %% [markdown]
# The filter sees nodules. It also sees forks and bends of vessels, by the dozen. It knows one thing, bright and
# about as wide as high, and uses it on every voxel alike. What a reader does next, following the bright thing up
# and down to see whether it goes on, is not in the filter. A network can learn that.

# %% [markdown]
# ## A sliding window for free
# Begin as in lesson 06, with a classifier of patches: here cubes of 15 voxels, three to four centimetres wide. Its
# positives are windows around the teachers' nodules; its negatives are what the blob filter **wrongly** proposed, so
# that it learns the difficult part, and some random places.


# %%
def normalised(hu):
    return ((np.clip(hu, -1000, 200) + 850) / 500).astype(np.float32)  # lung near 0, soft tissue near 2


def for_network(image, lungs):
    """Add the network's values, with 7 voxels around the box, so that every lung voxel has a window."""
    part = around_lungs(image, lungs)
    padded = np.pad(normalised(sitk.GetArrayViewFromImage(image)), 7, mode="edge")
    end = part.low + part.lungs.shape + 14
    part.values = padded[tuple(slice(a, b) for a, b in zip(part.low, end))]
    return part


def window(part, centre):
    """Return the 15 x 15 x 15 values around a voxel of the box."""
    z, y, x = np.clip(centre, 0, np.array(part.lungs.shape) - 1)
    return part.values[z : z + 15, y : y + 15, x : x + 15]


# %%
parts = []
for teacher in tqdm(teachers, leave=False):
    part = for_network(teacher.image, find_lungs(teacher.image))
    centres_mm = np.array([n.centre_mm for n in teacher.nodules])
    part.diameters_mm = np.array([n.diameter_mm for n in teacher.nodules])
    part.centres = geometry.world_to_voxel(centres_mm, teacher.image)[:, ::-1] - part.low  # z, y, x in the box
    proposed_mm, _, _ = blobs(part)
    gaps_mm = np.linalg.norm(proposed_mm[:, np.newaxis] - centres_mm, axis=2)
    wrong_mm = proposed_mm[np.all(gaps_mm > part.diameters_mm / 2 + 4, axis=1)]
    part.wrong = geometry.world_to_voxel(wrong_mm, teacher.image).round().astype(int)[:, ::-1] - part.low
    part.anywhere = np.argwhere(part.lungs[::8, ::8, ::8]) * 8
    part.hu = part.image = None  # they fill memory and are not needed again
    parts.append(part)
print(f"{sum(len(p.centres) for p in parts)} nodules, {sum(len(p.wrong) for p in parts):,} wrong candidates")
del teachers, teacher

# %%
import torch
from torch import nn

device = runtime.pick_device()
torch.manual_seed(2026)
features = nn.Sequential(
    nn.Conv3d(1, 8, 3), nn.ReLU(),  # 15 -> 13 voxels along each axis
    nn.Conv3d(8, 16, 3, stride=2), nn.ReLU(),  # 13 -> 6
    nn.Conv3d(16, 32, 3), nn.ReLU(),  # 6 -> 4
    nn.Conv3d(32, 32, 3), nn.ReLU(),  # 4 -> 2
)  # fmt: skip
classifier = nn.Sequential(features, nn.Flatten(), nn.Linear(32 * 2**3, 1)).to(device)
print(f"{sum(weights.numel() for weights in classifier.parameters()):,} weights")


# %%
def some_voxel(kind):
    """Draw a patient and a voxel: a nodule's centre, a wrong candidate, or any place in the lungs."""
    part = parts[rng.integers(len(parts))]
    voxels = {"nodule": part.centres, "wrong": part.wrong, "random": part.anywhere}[kind]
    return part, voxels[rng.integers(len(voxels))]


# %%
def some_windows(count):
    """Draw windows around 40 % nodules, 50 % wrong candidates, 10 % random places; move and mirror them a little."""
    windows, labels = [], []
    for kind in rng.choice(["nodule", "wrong", "random"], size=count, p=[0.4, 0.5, 0.1]):
        part, voxel = some_voxel(kind)
        cube = window(part, voxel.round().astype(int) + rng.integers(-1, 2, 3))
        windows.append(np.flip(cube, tuple(np.flatnonzero(rng.random(3) < 0.5))))
        labels.append(kind == "nodule")
    return torch.from_numpy(np.array(windows)[:, np.newaxis]), torch.tensor(labels, dtype=torch.float32)


def optimiser_for(network, steps, learning_rate=4e-3):
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-3)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps, pct_start=0.2)


# %%
steps = 250
optimiser, schedule = optimiser_for(classifier, steps)
patch_losses = []
for _ in tqdm(range(steps), leave=False):
    windows, labels = some_windows(64)
    logits = classifier(windows.to(device))[:, 0]
    loss = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(device))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    patch_losses.append(loss.item())
print(f"loss: {np.mean(patch_losses[:25]):.2f} at first, {np.mean(patch_losses[-25:]):.2f} at the end")
assert np.mean(patch_losses[-25:]) < 0.55

# %% [markdown]
# A classifier of patches. To search a scan, slide it: cut out a window at every second voxel, classify, next. Most of
# the work is done again and again. Two windows that are shifted by two voxels share nearly everything, and each
# computes its own convolutions over what they share.
#
# A convolution does not care where the window ends. Without padding, what it gives at a place depends on the voxels
# beneath its kernel and nothing else (lesson 02). So run `features` over the **whole scan** once, and every window's
# features are in there, at their place. What is left is the dense layer. After `Flatten` it multiplies each of the
# $32\times2\times2\times2$ features of a window by a weight and adds up. That **is** a convolution with a kernel of
# $2\times2\times2$, seen at one place. So a classifier without padding is a [fully convolutional
# network](glossary:fully-convolutional-network), once its dense layer is written as a kernel.
#
# ### Exercise: the dense layer as a kernel
# PyTorch's `Flatten` runs through the channels slowest, then z, then y, and x fastest. `weights` has the shape (out,
# channels · d · h · w), and `size` is (d, h, w). Return the kernel of the convolution: (out, channels, d, h, w).


# %% tags=["exercise"]
def as_kernel(weights, channels, size):
    """Return a dense layer's weights as the kernel of a convolution."""
    return ...  # your code


# %% tags=["check"]
ex.as_kernel.check(as_kernel)

# %% [markdown]
# **Predict:** how large is the difference between the network that slides and the one that is run once? And how much
# faster is the second, for a box of 79 × 79 × 79 voxels?

# %%
head = nn.Conv3d(32, 1, 2).to(device)
with torch.no_grad():
    dense = classifier[2]
    head.weight.copy_(dense.weight.reshape(head.weight.shape))
    head.bias.copy_(dense.bias)
at_once = nn.Sequential(features, head)

# %%
small = torch.from_numpy(parts[0].values[30:109, :79, 20:99].copy()).to(device)  # (79, 79, 79)
with torch.no_grad():
    map_at_once = at_once(small[None, None])[0, 0].cpu()
    cubes = small.unfold(0, 15, 2).unfold(1, 15, 2).unfold(2, 15, 2)  # (33, 33, 33, 15, 15, 15): a view, no copy
    map_by_sliding = torch.cat([classifier(row[:, None]) for row in cubes[16]]).reshape(33, 33).cpu()
difference = (map_at_once[16] - map_by_sliding).abs().max() / map_at_once.abs().max()
print(f"map {tuple(map_at_once.shape)}; largest difference, relative to the largest value: {difference:.0e}")
assert map_at_once.shape == (33, 33, 33) and difference < 1e-3

# %%
import time


def seconds(function, repeats=3):
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        with torch.no_grad():
            float(function().sum())  # a number on the CPU: a graphics card has finished
        times.append(time.perf_counter() - started)
    return min(times)


sliding = 33**2 * seconds(lambda: classifier(cubes[16, 16][:, None]))  # a row of windows, times 33² rows
once = seconds(lambda: at_once(small[None, None]))
print(f"once is {sliding / once:.0f} times as fast as {33**3:,} windows")
assert sliding / once > 3

# %% [markdown]
# Equal, but for the last digits of single precision. Can you say how much faster it must be? Count multiplications.
# A layer does (output voxels) × (kernel voxels) × (channels in) × (channels out), in a window and in the box:


# %%
def multiplications(size):
    total, channels_in = 0, 1
    for channels, kernel, stride in ((8, 3, 1), (16, 3, 2), (32, 3, 1), (32, 3, 1), (1, 2, 1)):
        size = (size - kernel) // stride + 1
        total += size**3 * kernel**3 * channels_in * channels
        channels_in = channels
    return total


ratio = 33**3 * multiplications(15) / multiplications(79)
print(f"33³ windows {33**3 * multiplications(15) / 1e9:.0f} thousand million, the box at once "
      f"{multiplications(79) / 1e9:.1f}: a factor of {ratio:.0f}")  # fmt: skip
assert 10 < ratio < 60

# %% [markdown]
# What a clock says may differ from that: large and small convolutions do not run at the same speed. The size of the
# factor is the overlap: a feature of the last layer is shared by $2^3$ windows, one of the second layer by $6^3$, and
# each is computed once.
#
# "For free" has two conditions. **No padding**: a layer that pads puts zeros around each *window*, where the whole scan
# has its neighbours.
#
# **Predict:** the same weights, but every layer pads with one zero. How do the two ways of running it differ now?


# %%
def padded_features(x):
    for layer in features:
        if isinstance(layer, nn.Conv3d):
            x = nn.functional.conv3d(x, layer.weight, layer.bias, stride=layer.stride, padding=1)
        else:
            x = layer(x)
    return x


with torch.no_grad():
    corner_of_window = padded_features(cubes[16, 16, 16][None, None])[0, :, 0, 0, 0]
    whole_box = padded_features(small[None, None])[0, :, 16, 16, 16]  # the same corner of the same window
gap = (corner_of_window - whole_box).abs().max() / whole_box.abs().max()
print(f"with padding they differ by up to {gap:.0%} of the largest feature")
assert gap > 0.05

# %% [markdown]
# **The second condition is the stride.** The first stride of 2 keeps every second place, so the map has an answer at
# every second voxel: those of the windows that begin at even voxels. A finer map needs the network on the scan shifted
# by one voxel, or no stride. Fully convolutional networks for images come from [Long, Shelhamer and Darrell
# 2015](https://doi.org/10.1109/CVPR.2015.7298965).

# %% [markdown]
# ## A heat map instead of a class
# Run the classifier over patient 17, whom it has never seen.
#
# **Predict:** what share of the lungs does it call "nodule" (a probability over one half)?


# %%
def run(network, part):
    """Return the network's channels at every second voxel of the box."""
    slabs = []
    for k in range(0, len(part.lungs[::2]), 16):  # 16 places deep: the same values, less memory
        seen = torch.from_numpy(part.values[2 * k : 2 * k + 45].copy()).to(device)
        with torch.no_grad():
            slabs.append(network(seen[None, None])[0].cpu().numpy())
    return np.concatenate(slabs, axis=1)


# %%
part = for_network(scan.image, lungs)
by_classifier = run(at_once, part)[0]
in_lungs = part.lungs[::2, ::2, ::2]
assert by_classifier.shape == in_lungs.shape
called = in_lungs & (by_classifier > 0)
print(f"{called.sum():,} of {in_lungs.sum():,} places: {called.sum() / in_lungs.sum():.1%}, "
      f"in {ndimage.label(called)[1]} separate pieces")  # fmt: skip
assert ndimage.label(called)[1] > 20

# %% [markdown]
# It learned from windows of which 40 % were nodules, and believes in that share still. Two answers in the box that
# differ by one place were never compared, either: nobody told it that the middle of a nodule should be **more** than
# its edge. So teach it with what you want to see: a map, high at the centre of each nodule, falling off around it, and
# zero everywhere else ([Zhou, Wang and Krähenbühl 2019](https://doi.org/10.48550/arXiv.1904.07850), objects as points).
# For a nodule with centre $c$ and diameter $D$, place $x$ is asked to give
#
# $$Y(x)=e^{-|x-c|^2/2s^2},\qquad s=\max(3\text{ mm},\,D/4),$$
#
# and the place nearest to the centre is asked for exactly 1. Of several nodules, the largest value counts.


# %%
def targets(part):
    """Return the heat map (places), and log size and offsets (4, places), which only the centres have."""
    heat = np.zeros(part.lungs[::2, ::2, ::2].shape, np.float32)
    boxes = np.zeros((4, *heat.shape), np.float32)
    places = np.moveaxis(np.indices(heat.shape), 0, -1)  # (z, y, x, 3); place k is voxel 2k
    for centre, diameter in zip(part.centres, part.diameters_mm):
        squared_mm = np.sum(((2 * places - centre) * part.spacing_mm) ** 2, axis=-1)
        nearest = tuple(np.clip((centre / 2).round().astype(int), 0, np.array(heat.shape) - 1))
        heat = np.maximum(heat, np.exp(-squared_mm / (2 * max(3, diameter / 4) ** 2)))
        heat[nearest] = 1
        boxes[(slice(None), *nearest)] = np.log(diameter / 8), *(centre / 2 - nearest)
    return heat.astype(np.float32), boxes


# %%
for p in parts:
    p.heat, p.boxes = targets(p)
ones, asked = sum(np.sum(p.heat == 1) for p in parts), sum(p.lungs[::2, ::2, ::2].sum() for p in parts)
print(f"{ones} centres among {asked:,} places in the lungs: one in {asked / ones:,.0f}")

# %% [markdown]
# One in thousands. What does that do to the [cross-entropy](glossary:cross-entropy)? Suppose that the network does
# well: 0.01 at every background place, 0.5 at the nodules.

# %% tags=["nbval-check-output"]
background, p_background, p_nodule = 5000, 0.01, 0.5
from_background, from_nodule = -background * np.log(1 - p_background), -np.log(p_nodule)
print(f"cross-entropy: {background} places of background {from_background:.1f}, their nodule {from_nodule:.2f}")
focal_background = -background * p_background**2 * np.log(1 - p_background)
focal_nodule = -((1 - p_nodule) ** 2) * np.log(p_nodule)
print(f"focal:         {background} places of background {focal_background:.3f}, their nodule {focal_nodule:.2f}")
assert from_background > 50 * from_nodule and focal_background < focal_nodule / 10

# %% [markdown]
# Fifty units of loss from places that are right already, against 0.7 from the nodule that is not. The gradient follows.
# The **focal** factor (lesson 03; [Lin and others 2017](https://doi.org/10.1109/ICCV.2017.324)) takes what is right
# out of the sum: $p^2$ for background, $(1-p)^2$ for a centre. On a heat map one factor is added. A place beside a
# centre, with $Y$ near 1, is no background to be punished; so its term is weighted by $(1-Y)^4$ ([Law and Deng
# 2018](https://doi.org/10.1007/978-3-030-01264-9_45)):
#
# $$\ell=-\frac1N\sum_x\begin{cases}(1-p)^2\,\ln p&Y=1\\(1-Y)^4\,p^2\,\ln(1-p)&Y<1\end{cases}$$
#
# with $N$ the number of centres.
#
# ### Exercise (further): the loss of a heat map
# For arrays of probabilities and targets of one shape, with at least one centre. No probability is 0 or 1.


# %% tags=["exercise"]
def heat_loss(p, Y):
    """Return the focal loss of a heat map, divided by the number of centres."""
    return ...  # your code


# %% tags=["check"]
ex.heat_loss.check(heat_loss)

# %% [markdown]
# The lesson's version works on logits, for the digits' sake, and counts only places in the lungs. The network is the
# one that you have: the same `features`, and a `head` with five channels instead of one. Channel 0 is the classifier's,
# with its belief lowered. The other four begin at zero and wait for the next section; they come from the same training.


# %%
def as_detector(features, head):
    wide = nn.Conv3d(32, 5, 2).to(device)
    with torch.no_grad():
        for new, old in zip(wide.parameters(), head.parameters()):
            new.zero_()
            new[:1] = old
        wide.bias[0] -= 3  # nodules are rarer now
    return nn.Sequential(features, wide)


def focal(logits, heat, inside):
    p, log_p = logits.sigmoid(), nn.functional.logsigmoid(logits)
    log_not_p = nn.functional.logsigmoid(-logits)
    centres = heat == 1
    missed = -((1 - p) ** 2 * log_p)[centres].sum()
    false = -((1 - heat) ** 4 * p**2 * log_not_p)[inside & ~centres].sum()
    return (missed + false) / centres.sum().clamp(min=1)


# %% [markdown]
# It learns from small blocks of $4^3$ places, with the voxels that they see: $2\cdot3+15=21$ along each axis. Half of
# the blocks hold a nodule, some hold a wrong candidate, the others lie anywhere.


# %%
def some_blocks(count):
    """Draw blocks of 4 x 4 x 4 places: their voxels, heat map, boxes, and which of them are lung."""
    blocks = []
    for kind in rng.choice(["nodule", "wrong", "random"], size=count, p=[0.5, 0.3, 0.2]):
        part, voxel = some_voxel(kind)
        low = (voxel / 2).round().astype(int) - rng.integers(4, size=3)
        low = np.clip(low, 0, np.array(part.heat.shape) - 4)
        at = tuple(slice(k, k + 4) for k in low)
        values = part.values[tuple(slice(2 * k, 2 * k + 21) for k in low)]
        lung = part.lungs[::2, ::2, ::2][at]
        blocks.append((values[np.newaxis], part.heat[at], part.boxes[(slice(None), *at)], lung))
    return [torch.from_numpy(np.array(arrays)).to(device) for arrays in zip(*blocks)]


# %%
def mirrored(values, heat, boxes, lung):
    """Mirror a batch along random axes; an offset along a mirrored axis changes its sign."""
    for axis in np.flatnonzero(rng.random(3) < 0.5):
        values, heat, boxes, lung = (t.flip(int(axis) - 3) for t in (values, heat, boxes, lung))
        boxes[:, 1 + axis] *= -1
    return values, heat, boxes, lung


# %%
def train_on_maps(network, steps):
    """Teach heat map, size and offset together; return the losses of the heat map."""
    optimiser, schedule = optimiser_for(network, steps)
    losses = []
    for _ in tqdm(range(steps), leave=False):
        values, heat, boxes, lung = mirrored(*some_blocks(24))
        answers = network(values)  # (24, 5, 4, 4, 4)
        loss = focal(answers[:, 0], heat, lung)
        errors = (answers[:, 1:] - boxes).abs().mean(dim=1)[heat == 1]
        optimiser.zero_grad()
        (loss + errors.sum() / max(1, len(errors))).backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


# %% [markdown]
# **Predict:** one network begins where the classifier ended, another one with random weights. Both get 100 steps of
# the same kind. Which is ahead, and by how much?

# %%
import copy

random_features = copy.deepcopy(features)
for layer in random_features:
    if isinstance(layer, nn.Conv3d):
        layer.reset_parameters()
starts = {
    "from the classifier": as_detector(copy.deepcopy(features), head),
    "from random weights": as_detector(random_features, nn.Conv3d(32, 1, 2).to(device)),
}
curves = {name: train_on_maps(network, 100) for name, network in starts.items()}
at_end = {name: np.mean(curve[-20:]) for name, curve in curves.items()}
for name, loss in at_end.items():
    print(f"{name}: heat-map loss {loss:.2f}")
assert at_end["from the classifier"] < 0.7 * at_end["from random weights"]

# %% [markdown]
# A batch has 1,536 places and about a dozen centres. That is a weak signal, and the network that knows nothing first learns to
# say "no" everywhere. The classifier has seen two nodules for every three windows without. **Learn what it looks like from balanced
# patches, then where it is from heat maps.** So that is where the detector starts; it gets 350 steps.

# %%
detector = as_detector(features, head)
map_losses = train_on_maps(detector, 350)
answers = run(detector, part)
by_detector = in_lungs & (answers[0] > 0)
print(f"loss {np.mean(map_losses[:20]):.2f} at first, {np.mean(map_losses[-20:]):.2f} at the end")
print(f"over one half in {by_detector.sum()} of {in_lungs.sum():,} places; the classifier: {called.sum():,}")
assert np.mean(map_losses[-20:]) < 0.8 and by_detector.sum() < called.sum() / 5


# %% tags=["hide-input"]
def probability(logits):
    return 1 / (1 + np.exp(-logits))


figure, axes = plt.subplots(1, 3, figsize=(9.4, 3.4))
draw_projection(axes[0], scan.image, lungs, axis=1)
corner, far = in_mm([0, 0, 0], part), in_mm(2 * np.array(in_lungs.shape), part)
extent = (corner[0], far[0], far[2], corner[2])
for ax, logits, name in ((axes[1], by_classifier, "classifier of patches"), (axes[2], answers[0], "trained on maps")):
    highest = np.where(in_lungs, probability(logits), 0).max(axis=1)  # along y
    shown = ax.imshow(highest, vmin=0, vmax=1, cmap="magma", extent=extent)
    ax.invert_yaxis()
    ax.set(title=name, xlabel="x (mm)")
for ax in axes:
    for nodule in scan.nodules:
        ring(ax, nodule.centre_mm, nodule.diameter_mm, axis=1, colour="yellow" if ax is axes[0] else "sky blue")
    ax.set(xlim=(corner[0], far[0]), ylim=(corner[2], far[2]))
axes[0].set_title("patient 17 (simulated)")
figure.colorbar(shown, ax=axes, label="probability", shrink=0.8)
plots.picture(
    figure,
    alt="The simulated patient from the front, and the highest probability along the line of sight, by the classifier of "
    "patches and by the network trained on heat maps. The first glows over much of the lungs; the second shows small "
    "spots. Rings mark the eight nodules.",
)

# %% [markdown]
# ## A box without anchors
# Where and how large? Detectors of the first generation laid thousands of *anchor boxes* of fixed sizes over the image
# and corrected each ([Ren and others 2017](https://doi.org/10.1109/TPAMI.2016.2577031)). With a heat map there is no
# need: the peak is the object, and at the peak further channels are read. Here: $\ln(D/8\text{ mm})$, so that an error
# is a ratio and no diameter comes out negative; and an **offset**. The map has an answer at every second voxel, 4.68 ×
# 4.68 × 4 mm. A centre lies anywhere between, and is rounded to the nearest place.
#
# **Predict:** a place is right if it lies within the nodule's radius. What share of 4-mm nodules **can** a network
# without offsets hit, even if it chooses the right place every time?

# %%
step_mm = 2 * np.array(scan.image.GetSpacing())
errors_mm = rng.uniform(-0.5, 0.5, (100_000, 3)) * step_mm
lost = np.linalg.norm(errors_mm, axis=1)
rms_by_formula = np.sqrt(np.sum(step_mm**2) / 12)  # the variance of a uniform error of width h is h² / 12
print(f"rounding error: RMS {np.sqrt(np.mean(lost**2)):.2f} mm, by formula {rms_by_formula:.2f} mm")
for diameter in (4, 6, 8):
    print(f"{diameter} mm nodules: {np.mean(lost < diameter / 2):.0%} can be hit")
assert abs(np.sqrt(np.mean(lost**2)) - rms_by_formula) < 0.02 and np.mean(lost < 2) < 0.5

# %% [markdown]
# Fewer than half. The rounding alone is larger than the radius of a small nodule. So the detector of this lesson reads
# three offsets at each peak, in units of a place, and takes part of the rounding back. Decode: a peak is a place whose
# answer is the largest of its neighbours.


# %%
def decode(answers, part, *, use_offsets=True, most=600):
    """Return points in mm, scores and diameters of the peaks of the heat map, best first, without doubles."""
    heat, log_size, offsets = answers[0], answers[1], answers[2:]
    is_peak = (heat == ndimage.maximum_filter(heat, size=3)) & part.lungs[::2, ::2, ::2]
    index = np.argwhere(is_peak)
    index = index[np.argsort(-heat[is_peak], kind="stable")[:most]]
    at = tuple(index.T)
    moved = index + offsets[(slice(None), *at)].T if use_offsets else index
    points = in_mm(2 * moved, part)
    kept = without_doubles(points, heat[at])
    return points[kept], probability(heat[at][kept]), 8 * np.exp(log_size[at][kept])


found_mm, found_scores, found_diameters_mm = decode(answers, part)
for nodule, rank, before in zip(scan.nodules, ranks(found_mm, scan.nodules), by_blobs):
    size = f", measured {found_diameters_mm[rank - 1]:.1f} mm" if np.isfinite(rank) else ""
    print(f"{nodule.diameter_mm:4.1f} mm: rank {rank:g} (blob filter: {before:g}){size}")

# %% [markdown]
# A point and a diameter make a box: a cube around the nodule. Challenges on photographs compare boxes by their
# [intersection over union](glossary:intersection-over-union) (IoU). Lung-nodule challenges ask whether the point is
# within the radius. One reason is the third dimension.
#
# ### Exercise: the overlap of two boxes
# Each box is a centre (x, y, z) and a size (x, y, z), in mm. Return the volume of their intersection over that of their
# union; 0 where they do not meet.


# %% tags=["exercise"]
def box_iou(centre_a, size_a, centre_b, size_b):
    """Return the intersection over union of two boxes."""
    return ...  # your code


# %% tags=["check"]
ex.box_iou.check(box_iou)

# %% tags=["nbval-check-output"]
for dimensions in (2, 3):
    share = (1 - 1 / 4) ** dimensions
    print(f"{dimensions}-D: two 8 mm boxes, shifted by 2 mm along each axis: IoU {share / (2 - share):.2f}")
assert (3 / 4) ** 3 / (2 - (3 / 4) ** 3) < 0.3

# %% [markdown]
# Each axis costs. Two boxes that overlap by three quarters along each axis have an IoU of 0.39 in a picture and 0.27 in
# a volume. A common limit for photographs, 0.5, would call both a miss, for a shift of at most one voxel along each
# axis.

# %% [markdown]
# ## Candidates, counted
# Now new patients: ten, with as many nodules as people in the LIDC have, some with none. All settings above were chosen
# on other simulated patients. Each of the ten is searched three times: by the blob filter, by the network without its
# offsets, and with them.
#
# A stage that proposes candidates has one curve: **the share of nodules that are among the first $m$ candidates of
# their scan, against $m$**. It says how many places the next stage must look at.
#
# **Predict:** with 20 candidates a scan, what share of the nodules does the blob filter offer? The network?


# %%
def search(image):
    """Search a scan three times: return each way's points, and the diameters by filter and network."""
    part = for_network(image, find_lungs(image))
    answers = run(detector, part)
    points, strengths, scales_mm = blobs(part)
    kept = without_doubles(points, strengths)
    exact, _, measured_mm = decode(answers, part)
    plain = decode(answers, part, use_offsets=False)[0]
    found = {"blob filter": points[kept], "without offsets": plain, "network": exact}
    return found, scales_mm[kept], measured_mm


# %%
tested, names, sizes = [], [], []
rank_lists = {"blob filter": [], "without offsets": [], "network": []}
for patient in tqdm(data.load_nodule_scans(10, seed=200, **GRID), total=10, leave=False):
    found, scales_mm, measured_mm = search(patient.image)
    for name, points in found.items():
        rank_lists[name] += ranks(points, patient.nodules)
    both = (ranks(found[name], patient.nodules) for name in ("blob filter", "network"))
    for nodule, by_filter, by_net in zip(patient.nodules, *both):
        tested.append(nodule)
        names.append(patient.patient)
        if max(by_filter, by_net) < np.inf:
            sizes.append((nodule.diameter_mm, scales_mm[by_filter - 1], measured_mm[by_net - 1]))

# %%
from medlearn import metrics

data.assert_no_patient_overlap(teacher_names, names)
rank_lists = {name: np.array(ranked) for name, ranked in rank_lists.items()}
everyone, shares = np.ones(len(names), dtype=int), {}
for name, ranked in rank_lists.items():
    print(name)
    for most in (5, 20, 100):
        shares[name, most] = metrics.sensitivity_score(everyone, (ranked <= most).astype(int), patients=names)
        print(f"   first {most:3d} of a scan: {shares[name, most]}")
assert shares["network", 20].value > shares["blob filter", 20].value + 0.05
assert shares["network", 100].value >= shares["without offsets", 100].value - 0.05

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7.5, 4))
counts = np.unique(np.geomspace(1, 400, 120).round())
styles = {"blob filter": ("--", "blue"), "without offsets": (":", "green"), "network": ("-", "vermillion")}
for name, (style, colour) in styles.items():
    reached = [np.mean(rank_lists[name] <= count) for count in counts]
    label = {"network": "network, with offsets", "without offsets": "network, without offsets"}.get(name, name)
    axes.step(counts, reached, style, where="post", color=plots.COLOURS[colour], label=label)
for name, shift in (("blob filter", 0.97), ("network", 1.03)):
    for most in (5, 20, 100):
        e = shares[name, most]
        axes.plot([most * shift] * 2, e.interval, "-", color=plots.COLOURS[styles[name][1]], linewidth=1)
axes.set(
    xscale="log", xlabel="candidates that somebody looks at, for each scan", ylabel="share of the nodules among them"
)
axes.set(ylim=(0, 1), title=f"{len(names)} nodules of {len(set(names))} new simulated patients; bars: 95 % intervals")
axes.set_xticks([1, 2, 5, 10, 20, 50, 100, 200, 400], labels=[1, 2, 5, 10, 20, 50, 100, 200, 400])
axes.legend(loc="upper left")
plots.picture(
    figure,
    alt="Share of the nodules found against the number of candidates a scan, on a logarithmic axis. The network's "
    "curves lie above that of the blob filter over most of the range. The intervals are wide.",
)

# %% [markdown]
# For the same share of nodules the network asks you to look at far fewer places. In our run the offsets added two of
# them; in yours it may be one more or less. The intervals are wide: fewer than thirty nodules, fewer than ten patients
# (who has none says nothing about sensitivity). Is the difference more than chance? The curves come from the **same**
# nodules, so ask for the interval of the difference, over patients (lesson 05b).

# %%
gain = metrics.bootstrap(
    lambda a, b: np.mean(b <= 20) - np.mean(a <= 20), rank_lists["blob filter"], rank_lists["network"],
    patients=np.array(names),
)  # fmt: skip
print("network minus blob filter, first 20 candidates:", gain)
nodule_mm, by_scale, by_net = np.array(sizes).T
for name, estimates in (("scale of the blob filter", by_scale), ("size channel of the network", by_net)):
    print(f"{name}: median error of the diameter {np.median(np.abs(estimates - nodule_mm)):.1f} mm")
print(f"({len(sizes)} nodules that both found)")

# %% [markdown]
# Is the whole interval above zero, as in our run? Then chance alone is a poor explanation: the network offers more. To
# measure is another matter. Both know the diameter of what they found to a millimetre or two, and $2\sqrt3\,\sigma$
# needed no training. (These are the nodules that **both** found, the clear ones.)
#
# What does this stage miss? A miss here is final.

# %%
diameters_mm = np.array([nodule.diameter_mm for nodule in tested])
for low, high in ((3, 6), (6, 10), (10, 31)):
    of_size = (low <= diameters_mm) & (diameters_mm < high)
    reached = [np.sum(rank_lists[name][of_size] <= 100) for name in ("blob filter", "network")]
    print(f"{low:2d} to {high:2d} mm: {of_size.sum():2d} nodules; within 100 candidates {reached[0]} by the filter, "
          f"{reached[1]} by the network")  # fmt: skip
small_missed = np.sum((rank_lists["network"] > 100) & (diameters_mm < 6))
print(f"of {np.sum(rank_lists['network'] > 100)} that the network misses, {small_missed} are smaller than 6 mm")
assert small_missed >= np.sum(rank_lists["network"] > 100) / 4

# %% [markdown]
# Many of them are small: two voxels wide on this grid, with a radius hardly larger than the error of the point. Lesson
# 07b goes on from here: how many marks a reader can bear, what counts as a hit, and what a second network makes of the
# candidates. It takes these steps from `medlearn.models.nodule_detector`, with a network that learned for longer.

# %% [markdown]
# ## Real patients
# Patient LIDC-IDRI-0314 again, now the whole scan, on the grid that you have used all along. Lesson 01 gave the centre
# of its nodule, (−57.4, 131.2, −520.4) mm, and its diameter, 15.5 mm. Nothing in this lesson has seen a real scan: not
# the threshold, not the filter, not one weight.
#
# **Predict:** at which rank does the nodule stand, by the filter and by the network? It is far larger than most of
# those above.

# %%
lidc_file = "ct_downsampled_2.34x2.34x2mm.nii.gz"
if data.available("lidc_idri_0314", files=[lidc_file]):
    real = data.load_lidc_scan()
    real_nodule = SimpleNamespace(centre_mm=np.array([-57.439, 131.233, -520.359]), diameter_mm=15.485)
    real_lungs = find_lungs(real.image)
    x, y, z = geometry.world_to_voxel(real_nodule.centre_mm, real.image).round().astype(int)
    real_found, real_scales_mm, real_measured_mm = search(real.image)
    real_ranks = {name: ranks(points, [real_nodule])[0] for name, points in real_found.items()}
    lung_litres = real_lungs.sum() * np.prod(real.image.GetSpacing()) / 1e6
    print(f"{real.patient}: lungs {lung_litres:.1f} litres, the nodule is inside: {real_lungs[z, y, x]}")
    for name, rank in real_ranks.items():
        print(f"   {name}: rank {rank:g} of {len(real_found[name])} candidates")
    assert real_lungs[z, y, x] and min(real_ranks.values()) <= 50
else:
    print("The real scan is not in the cache; its card says where it comes from: data.card('lidc_idri_0314').")

# %% tags=["hide-input"]
if data.available("lidc_idri_0314", files=[lidc_file]):
    figure, axes = plt.subplots(1, 2, figsize=(9.4, 4.2))
    for ax, name, measured in zip(axes, ("blob filter", "network"), (real_scales_mm, real_measured_mm)):
        draw_projection(ax, real.image, real_lungs, axis=1)
        for point, diameter in list(zip(real_found[name], measured))[:20]:
            ring(ax, point, diameter, axis=1, colour="vermillion", style="--", margin_mm=0)
        ring(ax, real_nodule.centre_mm, real_nodule.diameter_mm, axis=1)
        ax.set(title=f"{name}, first 20 candidates", xlabel="x (mm)")
        ax.set_xlim(*(geometry.voxel_to_world([[0, 0, 0], [169, 0, 0]], real.image)[:, 0]))
    plots.picture(
        figure,
        alt="The real chest from the front, brightest lung voxel along the line of sight, twice: with the first 20 "
        "candidates of the blob filter and of the network as dashed rings. A solid ring marks the nodule in the right "
        "lung, on the left of the picture.",
    ).show()

# %% [markdown]
# If the scan is there, you see the nodule inside the mask, and its ranks. Do not read a contest into them: train the
# network again with other random numbers, and its rank here may move by ten places. One nodule of 15 mm says little about
# either. It does say that the chain **runs** on a real patient: another scanner, a real bronchial tree, a couch, and
# nothing adjusted.

# %% [markdown]
# ## What you may claim
# **You may claim**
# - The law: a ball of radius $r$ answers best at $\sigma=r/\sqrt3$, with $3\sqrt{6/\pi}\,e^{-3/2}=0.925$ of its contrast
#   at any size. Derived, and checked against SciPy: within 0.03 at 2.5 voxels, too low by a fifth at 0.7.
# - That a network without padding gives the same values at once as window by window, to single precision.
# - On ten new simulated patients, by whom no setting was chosen: the shares of nodules within 5, 20 and 100 candidates
#   a scan, each with its interval above, and the difference at 20 candidates.
# - That on one real scan the mask holds the nodule, and at which rank each way finds it.
#
# **You may not claim**
# - That this network is a good detector. It learned for less than a minute, from eight simulated patients, on voxels of
#   more than 2 mm. On 888 real scans at full resolution, a combination of the systems of the LUNA16 challenge found over
#   95 % of the nodules with fewer than one false mark a scan ([Setio and others
#   2017](https://doi.org/10.1016/j.media.2017.06.015)). That is another league: candidates **and** their judges.
# - Anything about real patients. One scan, one nodule. Simulated vessels fork as the books say, but scars, pneumonia,
#   lymph nodes and the movement of breath are missing: real candidates are more various.
# - A sensitivity of the whole. What is proposed must still be judged (lesson 07b), and then by somebody who treats
#   people.
# - That the teachers are like patients. They have twelve nodules each. The probabilities of the map are therefore no
#   probabilities for a person.

# %% [markdown]
# ## Summary
# - To find is harder than to judge: thousands of places without a nodule for each with one. A first stage proposes
#   cheaply and loses little; a second one judges.
# - Lung is air inside the body. The threshold loses every nodule; closing with a ball of radius $r$ brings back what the
#   ball does not fit into. In millimetres. Judge the mask by the nodules that it keeps.
# - The LoG of a ball is $\sqrt{2/\pi}\,u^3e^{-u^2/2}$ with $u=r/\sigma$: best at $\sigma=r/\sqrt d$, and with $\sigma^2$ in
#   front the same for all sizes. A vessel answers four fifths as strongly. Below 0.7 voxels the filter is none.
# - Each axis has its own factor $(\sigma/h_k)^2$ where voxels are not cubes.
# - One thing, one mark: non-maximum suppression, in millimetres.
# - A dense layer is a convolution seen at one place. Without padding a classifier of patches runs on a whole scan, with
#   the same values, many times faster.
# - Background: balanced patches teach what a nodule looks like, heat maps with a focal loss teach where it is. Begin
#   the second with the first.
# - A peak, an offset and a size are a box; no anchors. Without offsets a coarse map cannot hit small nodules.
# - Count candidates: the share of nodules among the first $m$ of a scan.
#
# ### Key terms
# [candidate](glossary:candidate) · [closing](glossary:closing) · [Laplacian of
# Gaussian](glossary:laplacian-of-gaussian) · [non-maximum suppression](glossary:non-maximum-suppression) · [fully
# convolutional network](glossary:fully-convolutional-network) · [receptive field](glossary:receptive-field) ·
# [intersection over union](glossary:intersection-over-union)
#
# ### Further reading
# - Lindeberg T. *Feature detection with automatic scale selection.* International Journal of Computer Vision 1998.
#   <https://doi.org/10.1023/A:1008045108935>
# - Long J, Shelhamer E, Darrell T. *Fully convolutional networks for semantic segmentation.* CVPR 2015.
#   <https://doi.org/10.1109/CVPR.2015.7298965>
# - Zhou X, Wang D, Krähenbühl P. *Objects as points.* 2019. <https://doi.org/10.48550/arXiv.1904.07850>
# - Law H, Deng J. *CornerNet: detecting objects as paired keypoints.* ECCV 2018.
#   <https://doi.org/10.1007/978-3-030-01264-9_45>
# - Lin TY, Goyal P, Girshick R, He K, Dollár P. *Focal loss for dense object detection.* ICCV 2017.
#   <https://doi.org/10.1109/ICCV.2017.324>
# - Ren S, He K, Girshick R, Sun J. *Faster R-CNN: towards real-time object detection with region proposal networks.*
#   IEEE Transactions on Pattern Analysis and Machine Intelligence 2017. <https://doi.org/10.1109/TPAMI.2016.2577031>
# - Setio AAA, et al. *Validation, comparison, and combination of algorithms for automatic detection of pulmonary nodules
#   in computed tomography images: the LUNA16 challenge.* Medical Image Analysis 2017.
#   <https://doi.org/10.1016/j.media.2017.06.015>
