# %% [markdown]
# A photograph is there to be looked at. A medical image is a **measurement**: each number stands for something
# physical, at a known place inside a person. Networks see only the numbers. So before the first network you learn to
# read the numbers, the places and the meaning, and you see what breaks when one of them is lost.
#
# The lesson takes about two hours; the two exercises marked *further* come on top of that. A good place for a pause
# is before *Identifiers hide in four places*. What is simulated is called simulated; everything else is a real
# measurement.

# %% [markdown]
# ## An image is an array, a geometry and a meaning
# Three things make a medical image:
#
# - an **array**: the numbers;
# - a **geometry**: where each number lies in the patient, in millimetres;
# - a **meaning**: what was measured, in which unit, in whom.
#
# A network gets the array alone. The other two are lost on the way unless you keep them. Start with the meaning. It
# differs from [modality](glossary:modality) to modality:
#
# | Modality | What is measured | What a value means | Same number in the next hospital? |
# |---|---|---|---|
# | X-ray | X-rays that got through the body | one sum along a whole ray; no unit | no |
# | CT | how much each [voxel](glossary:voxel) weakens X-rays | [Hounsfield units](glossary:hounsfield-unit): water 0, air −1000 | yes, nearly |
# | MR | the radio signal of hydrogen in a magnetic field | no unit; tissue, protocol and receiver gain mixed | no |
# | Ultrasound | echoes of a sound pulse | logarithm of an echo's strength; no unit, gain set by hand | no |
# | PET | decays of an injected tracer | activity in Bq/ml, often divided by dose per gram: [SUV](glossary:standardised-uptake-value) | with care |
#
# Here are real images of three of them; the files come with the package pydicom.

# %% tags=["hide-input"]
import pydicom
import SimpleITK as sitk
from pydicom.data import get_testdata_file


def read_example(name):
    """Return the first slice of an image file that comes with pydicom."""
    return sitk.GetArrayFromImage(sitk.ReadImage(get_testdata_file(name, download=False)))[0]


examples = {
    "CT: head (0 to 80 HU)": (read_example("J2K_pixelrep_mismatch.dcm"), (0, 80)),
    "MR: abdomen (no unit)": (read_example("examples_overlay.dcm"), (0, 600)),
    "Ultrasound: lymph node, Doppler (no unit)": (read_example("examples_rgb_color.dcm"), (0, 255)),
}
figure, panels = plt.subplots(1, 3, figsize=(10, 3.6), width_ratios=[1, 1.6, 1.3])
for axes, (title, (image, limits)) in zip(panels, examples.items()):
    axes.imshow(image, vmin=limits[0], vmax=limits[1])
    axes.set_title(title, fontsize=10)
    axes.axis("off")
plots.picture(
    figure,
    alt="Three real images. A CT slice of a head at the level of the ears: white skull, grey brain. An MR slice of an"
    " abdomen: bright kidneys. A colour Doppler ultrasound of a lymph node, with text of the machine around it.",
)

# %% [markdown]
# **From CT to X-ray.** X-rays are weakened by the factor $e^{-\mu}$ per millimetre, where $\mu$ is the attenuation
# coefficient of the tissue. Along a ray the factors multiply, so the exponents add (Beer and Lambert):
#
# $$\frac{I}{I_0} = \exp\left(-\int \mu \, ds\right), \qquad \mathrm{HU} = 1000\,\frac{\mu - \mu_\text{water}}{\mu_\text{water}}.$$
#
# CT finds $\mu$ in every voxel and writes it relative to water, in HU. An X-ray picture has only the integral. With
# $\mu$ from a CT you can therefore compute an X-ray, here at one photon energy. The CT is **simulated**. Its brain is
# the ICBM152 template, an average of the MR scans of 152 people; skull and scalp are drawn around it, and the HU come
# from the literature (`help(data.simulate_head_ct)` cites it).
#
# **Predict:** the skull is a shell around the brain. In the X-ray, will you see the brain inside it?

# %%
head = data.simulate_head_ct(seed=1)  # simulated
array_hu = head.array  # [z, y, x]
spacing_x, spacing_y, spacing_z = head.image.GetSpacing()

mu_water = 0.0206  # per mm at 60 keV (NIST, doi 10.18434/T4D01F)
mu = mu_water * (1 + array_hu / 1000)  # the definition of HU, solved for mu
path = mu.sum(axis=1) * spacing_y  # the integral along y, front to back: (z, x)
print(f"on the densest ray, one X-ray photon in {np.exp(path.max()):.0f} gets through")

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(9, 3.3))
for axes, image, limits, title in [
    (panels[0], array_hu[::-1, array_hu.shape[1] // 2], (0, 80), "Simulated CT: one coronal slice (0 to 80 HU)"),
    (panels[1], path[::-1], (path.min(), path.max()), "X-ray computed from it: all slices add up"),
]:
    axes.imshow(image, vmin=limits[0], vmax=limits[1], aspect=spacing_z / spacing_x)
    axes.set_title(title)
    axes.axis("off")
plots.picture(
    figure,
    alt="Simulated. Left, a coronal CT slice: a thin white skull and inside it the brain with its dark ventricles. Right,"
    " the computed X-ray of the same head: a smooth bright shape, brightest at the skull base, with no ventricles.",
)

# %% [markdown]
# The ventricles and folds of the brain are gone. How much do bone and fluid change the sum, at the level of the
# ventricles?

# %%
tissue = sitk.GetArrayFromImage(head.labels)[22]  # (y, x); head.label_names: 2 is bone, 3 CSF, 4 grey matter
brain_rays = (tissue == 4).any(axis=0)
per_hu = mu_water / 1000 * spacing_y  # what a voxel adds to the sum for each HU
bone = per_hu * np.where(tissue == 2, array_hu[22], 0).sum(axis=0)[brain_rays]
fluid = per_hu * 30 * (tissue == 3).sum(axis=0)[brain_rays]  # CSF, the fluid, has 8 HU: 30 less than grey matter

print(f"bone adds {bone.min():.2f} to {bone.max():.2f}, fluid in place of brain takes at most {fluid.max():.2f} off")
assert 0.03 < fluid.max() < 0.1 and 7 < np.ptp(bone) / fluid.max() < 13

# %% [markdown]
# From ray to ray, what the skull adds varies by about ten times as much as all the fluid takes off. One X-ray value
# belongs to a *line* through the patient, one CT value to a *point*, which is why it can have a unit that travels.
#
# **MR has no unit at all.** The receiver's gain is one reason of many. Take the ICBM152 brain and the same brain as
# another scanner might store it, 1.7 times brighter.
#
# **Predict:** a threshold finds the white matter in the first. What does it find in the second?

# %%
brain = data.load_brain_template(spacing_mm=2.0)  # the average of 152 people, not a patient
voxel_ml = np.prod(brain.t1.GetSpacing()) / 1000
scanner_a = sitk.GetArrayFromImage(brain.t1)[sitk.GetArrayFromImage(brain.grey + brain.white) > 0.5]
scanner_b = 1.7 * scanner_a  # simulated: another gain
threshold = 0.75  # chosen on scanner A

white_ml = np.sum(sitk.GetArrayFromImage(brain.white) > 0.5) * voxel_ml
print(f"grey and white matter: {scanner_a.size * voxel_ml:.0f} ml, of it white {white_ml:.0f} ml")
for name, values in {"A": scanner_a, "B": scanner_b}.items():
    standardised = (values - values.mean()) / values.std()
    print(f"scanner {name}: {np.sum(values > threshold) * voxel_ml:5.0f} ml above the threshold,",
          f"{np.sum(standardised > 0.3) * voxel_ml:5.0f} ml above 0.3 standard deviations")
assert np.sum(scanner_b > threshold) > 0.95 * scanner_b.size

# %% [markdown]
# The threshold finds nearly the whole brain on scanner B. Subtracting the mean and dividing by the standard deviation
# takes the gain out. It does not take out a different protocol; real standardisation does more ([Nyúl
# 2000](https://doi.org/10.1109/42.836373)). A network needs the same care as the threshold.
#
# **PET** counts decays, so its value has a unit, but it depends on how much tracer was given, to how heavy a person,
# how long ago. The **standardised uptake value** divides these out. (1 ml of tissue weighs about 1 g, so it has no
# unit; 1 is what an even spread would give.)
#
# $$\mathrm{SUV} = \frac{\text{activity in Bq/ml}}{\text{dose at the time of the scan in Bq} \,/\, \text{weight in g}}$$
#
# ### Exercise (further): the standardised uptake value
# Tracer decays by half in each half-life (fluorine-18: 109.77 minutes). A patient of 70 kg was given 370 MBq 60
# minutes before the scan. A lesion measures 5000 Bq/ml. Write the function; it must work for arrays as well.

# %% tags=["exercise"]
def uptake(activity_bq_per_ml, dose_bq, weight_kg, minutes, half_life_min):
    """Return the SUV. The dose was measured `minutes` before the scan."""
    return ...  # your code


# %% tags=["check"]
ex.uptake.check(uptake)

# %% [markdown]
# ## A DICOM file holds stored values and the rule that turns them into a measurement
# Hospitals store images as [DICOM](glossary:dicom). A file is a long list of *elements*. Each has a **tag** (two
# hexadecimal numbers), a type (two letters, called VR), a name and a value. One of the last is the pixel data. Here is
# a real slice:

# %% tags=["nbval-check-output"]
dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
for keyword in [
    "Modality", "PatientID", "Rows", "Columns", "BitsAllocated", "PixelRepresentation", "PixelSpacing",
    "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept",
]:
    element = dataset[keyword]
    print(element.tag, element.VR, f"{element.name:28}", element.value)
print(len(list(dataset.iterall())), "elements in all")

# %% [markdown]
# `PixelSpacing`, `ImagePositionPatient` and `ImageOrientationPatient` are the geometry; we come to them below. The
# last two are the meaning. A scanner writes whole numbers, often unsigned. The rule back to HU is a straight line:
# its slope and its value at 0 are in the file.
#
# **Predict:** the slice shows a spine with air in the lungs beside it. Air is −1000 HU. What is the smallest *stored*
# value, about?

# %%
stored = dataset.pixel_array  # pydicom: as the file has it
print("stored:", stored.dtype, stored.shape, "from", stored.min(), "to", stored.max())
print("slope", dataset.RescaleSlope, "intercept", dataset.RescaleIntercept, "unit", dataset.get("RescaleType", "HU"))
assert stored.min() == 128

# %% [markdown]
# ### Exercise: from stored values to Hounsfield units
# Write the line. Slope and intercept differ from file to file: read them, never assume them.

# %% tags=["exercise"]
def to_hounsfield(stored, slope, intercept):
    """Return the array in HU."""
    return ...  # your code


# %% tags=["check"]
ex.to_hounsfield.check(to_hounsfield)

# %% [markdown]
# The library has the same as `geometry.hounsfield`. A trap: **pydicom gives stored values, SimpleITK gives HU.** If
# you rescale what SimpleITK has read, you do it twice.
#
# **Predict:** what is the smallest value then?

# %%
hu = geometry.hounsfield(stored, slope=dataset.RescaleSlope, intercept=dataset.RescaleIntercept)
from_simpleitk = read_example("CT_small.dcm")
twice = geometry.hounsfield(from_simpleitk, slope=dataset.RescaleSlope, intercept=dataset.RescaleIntercept)
print("SimpleITK equals ours:", np.array_equal(hu, from_simpleitk))
print("air once:", hu.min(), " air rescaled twice:", twice.min())
assert np.array_equal(hu, from_simpleitk) and twice.min() < -1024

# %% [markdown]
# The lowest value is −896 HU and not −1000: in the lung, air shares its voxels with tissue.
#
# Nothing is less dense than a vacuum, which is −1000 HU; noise adds a few tens. A minimum near −2000 tells you:
# rescaled twice. (Or it is padding: some scanners fill the corners outside the round field of view with −2000. Look
# at *where* it is.)
#
# **The other tags matter, too.** Under `PhotometricInterpretation` MONOCHROME1, common in X-ray, the largest value is
# black. And both files below are head CTs of 512 × 512 pixels, of two people at two levels. Both open without a
# warning; one says `LossyImageCompressionRatio` 339.
#
# **Predict:** what did that do to the brain?

# %%
for name in ["J2K_pixelrep_mismatch.dcm", "693_J2KI.dcm"]:
    tags = pydicom.dcmread(get_testdata_file(name, download=False), stop_before_pixels=True)
    patch = read_example(name)[220:300, 220:300]  # in the middle of the head
    ratio = float(tags.get("LossyImageCompressionRatio", 1))
    print(f"{name:26} compressed {ratio:3.0f} times, {len(np.unique(patch)):3} different values in 6400 pixels")
assert len(np.unique(patch)) < 10

plots.show_slices(
    [read_example("J2K_pixelrep_mismatch.dcm"), read_example("693_J2KI.dcm")],
    titles=["stored without loss", f"stored with loss, {ratio:.0f}:1"], window_hu="brain",
    alt="Two head CT slices. The first shows brain and cerebellum with texture. The second, at a higher level, is a"
    " flat grey disc inside the skull, with black and white blots along the bone: compression smoothed the brain away.",
)  # fmt: skip

# %% [markdown]
# A handful of values is left in the whole patch: the compression has erased the brain, and the file is otherwise
# perfect. A network trained on it learns the compressor. Read the tags before you trust the pixels.

# %% [markdown]
# ## A window decides what you see
# CT values run over about 4000 HU. A screen shows 256 greys, and you see fewer. Spread over the whole range, one grey
# step is 16 HU. Grey and white matter differ by about 9 HU: in 27 normal scans their ratio was 1.32 ([Choi
# 2008](https://doi.org/10.1136/emj.2007.053306)). A **[window](glossary:window)** spends all greys on a part of the
# range:
#
# $$g = \mathrm{clip}\left(\frac{\mathrm{HU} - (c - w/2)}{w},\; 0,\; 1\right), \qquad c \text{ centre}, \; w \text{ width}.$$
#
# **Predict:** how many grey steps lie between grey and white matter in a window of width 4096, and of width 80?

# %%
grey_hu, white_hu = 38.0, 29.0  # the values of our simulation, a ratio of 1.31
for width_hu in [4096, 400, 80]:
    steps = 256 * (grey_hu - white_hu) / width_hu
    print(f"width {width_hu:4} HU: {steps:5.1f} of 256 grey steps between grey and white matter")
assert round(steps) == 29

# %% [markdown]
# Half a step is invisible; 29 steps you can see. Here are three windows on the same real slice of the spine; the
# numbers in the array never change.

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 3, figsize=(10, 3.8))
for axes, (name, (center_hu, width_hu)) in zip(panels, list(geometry.WINDOWS_HU.items())[:3]):
    axes.imshow(geometry.window(hu, center_hu=center_hu, width_hu=width_hu))
    axes.set_title(f"{name}: centre {center_hu}, width {width_hu}", fontsize=10)
    axes.axis("off")
plots.picture(
    figure,
    alt="One CT slice through a vertebra in three windows. Lung: the vessels in the lungs show, all else is white."
    " Soft tissue: muscles and vessels are grey, lungs black, bone white. Bone: the inner structure of the vertebra shows.",
)

# %% [markdown]
# ### Exercise: a window
# Write the formula. The result is 0 at the lower edge and below, 1 at the upper edge and above.

# %% tags=["exercise"]
def window(image_hu, center_hu, width_hu):
    """Return the image mapped to [0, 1]."""
    return ...  # your code


# %% tags=["check"]
ex.window.check(window)

# %% [markdown]
# Now turn the knobs yourself, on the head from above. Find the window in which grey and white matter part, then the
# one that shows the fine cells of air behind the ears.

# %%
real_head = data.load_ct_slice("head")


def draw_window(center_hu, width_hu):
    return plots.show_slice(
        real_head.image_hu, window_hu=(center_hu, width_hu), spacing_mm=real_head.spacing_mm,
        alt=f"A head CT slice in a window of centre {center_hu} and width {width_hu} HU.",
    )  # fmt: skip


widgets.explore(draw_window, center_hu=(-800, 1200, 20), width_hu=(20, 4000, 20))  # arrow keys move one step

# %% [markdown]
# Centre 40 and width 60 part grey from white matter; centre 600 and width 3000 show the air cells. There is no window
# for both.
#
# A window throws away what lies outside it. A network's input is windowed as well, whether you say so or not: whoever
# saves CT as an 8-bit PNG has chosen one.

# %% [markdown]
# ## A series becomes a volume by position, not by file name
# A CT scan is a folder of files, one slice each. File names carry no promise. We write the simulated head as a
# scanner would, into a temporary folder, and look.

# %%
import tempfile
from pathlib import Path

temporary = tempfile.TemporaryDirectory()  # removed when the kernel stops
folder = Path(temporary.name)
data.write_dicom_series(head.image, folder, patient_name="Doe^Jane", patient_id="H-4711")
files = sorted(folder.rglob("*.dcm"))  # sorted by name
headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
for file, header in list(zip(files, headers))[:5]:
    print(file.name, " ImagePositionPatient", header.ImagePositionPatient)

# %% [markdown]
# `ImagePositionPatient` is the place of the first pixel's centre, in mm. Go by it and by nothing else: instance
# numbers may be missing, doubled, or count the other way.
#
# **Predict:** stack the slices by file name and cut the stack from ear to ear. What will you see?

# %%
by_name = np.stack([geometry.hounsfield(
    pydicom.dcmread(file).pixel_array, slope=header.RescaleSlope, intercept=header.RescaleIntercept)
    for file, header in zip(files, headers)])  # fmt: skip
z_mm = np.array([header.ImagePositionPatient[2] for header in headers])
by_position = by_name[np.argsort(z_mm)]

middle = by_name.shape[1] // 2
plots.show_slices(
    [by_name[::-1, middle], by_position[::-1, middle]], titles=["simulated head, by file name", "the same, by position"],
    spacing_mm=(spacing_z, spacing_x), window_hu="brain",
    alt="Two coronal cuts of the simulated head. Stacked by file name it is a jumble of stripes; by position, a head.",
)  # fmt: skip

# %% [markdown]
# Each slice alone looks right, so nobody notices until the cut. Sorting by $z$ works because these slices are axial.
# In general, each slice lies at a distance along the **normal** of its plane, and the file has the directions of its
# rows and columns (`ImageOrientationPatient`).
#
# ### Exercise: the order of the slices
# You get the positions of all slices, shape (slices, 3), and the unit vectors along a row and along a column. Return
# the indices in the order along the normal $\mathbf n = \text{row} \times \text{column}$.

# %% tags=["exercise"]
def slice_order(positions_mm, row, column):
    """Return the indices that sort the slices along the normal."""
    return ...  # your code


# %% tags=["check"]
ex.slice_order.check(slice_order)

# %% [markdown]
# The library's reader sorts, rescales, and refuses a series with missing, doubled or mixed slices. What comes back is
# a SimpleITK image: array *and* geometry.

# %% tags=["nbval-check-output"]
volume = data.read_dicom_series(folder)
array = sitk.GetArrayFromImage(volume)
print("size      (x, y, z)", volume.GetSize())
print("spacing   (x, y, z)", tuple(round(s, 3) for s in volume.GetSpacing()), "mm")
print("direction", tuple(round(d, 3) for d in volume.GetDirection()))
print("array     [z, y, x]", array.shape, "a step along each axis is", array.strides, "bytes")
assert np.abs(array - head.array).max() <= 1  # what we wrote, but for rounding
assert volume[50, 60, 20] == array[20, 60, 50]

# %% [markdown]
# Leaf through it. Change the plane, drag the slice, and take the bone window: where is the spongy bone between the two
# tables of the skull?

# %%
widgets.browse_volume(volume, window_hu="brain", alt="The simulated head CT, read from its DICOM files.")

# %% [markdown]
# - **spacing**: mm between voxel centres; **origin**: where the centre of voxel (0, 0, 0) lies; **direction**: which
#   way the axes point.
# - SimpleITK, ITK and DICOM count $(x, y, z)$: column, row, slice. NumPy has the slice first: `array[z, y, x]`. The
#   memory is the same, neighbours along $x$ side by side; NumPy names the fastest axis last, ITK names it first.
# - One exception waits in DICOM itself: `PixelSpacing` is the distance of the *rows* first, so $y$, then $x$.
#
# Both orders are right; mixing them is not. If all sides were equal, nothing would even raise an error.
#
# **Predict:** you want voxel (x, y, z) = (30, 60, 20) and write `array[30, 60, 20]`. How far off are you, in mm? And
# with (50, 60, 20)?

# %%
wanted, got = np.array([30, 60, 20]), np.array([20, 60, 30])  # array[30, 60, 20] is voxel (20, 60, 30)
error_mm = np.linalg.norm((wanted - got) * volume.GetSpacing())
print(f"array[30, 60, 20] is {error_mm:.1f} mm away from voxel (30, 60, 20)")
try:
    array[50, 60, 20]
except IndexError as error:
    print("array[50, 60, 20]:", error)
assert round(error_mm, 1) == 44.7

# %% [markdown]
# The lucky case is the error. The other one is a biopsy in the wrong place.
#
# ### Exercise: the centre of a lesion
# A network gives you a mask. The surgeon wants its centre in mm, as $(x, y, z)$. The direction is the identity here.

# %% tags=["exercise"]
def centre_mm(mask, spacing_mm, origin_mm):
    """Return the mean position (x, y, z) of the True voxels of mask[z, y, x]; spacing and origin are x, y, z."""
    return ...  # your code


# %% tags=["check"]
ex.centre_mm.check(centre_mm)

# %% [markdown]
# **Anisotropy.** Slices are often thicker than pixels are wide. On the screen, a pixel is a square; in the patient it
# is not. Here a voxel is 2 mm wide and 4 mm high: a line that rises at 45° in the array rises at $\arctan(4/2) = 63°$
# in the patient.

# %% tags=["hide-input"]
coronal = array[::-1, array.shape[1] // 2]
assert round(float(np.degrees(np.arctan(spacing_z / spacing_x)))) == 63
plots.show_slices(
    [coronal, coronal], titles=["simulated head, pixels as squares", "the same, in mm"],
    spacing_mm=[None, (spacing_z, spacing_x)], window_hu="brain",
    alt="The same coronal cut of the simulated head twice. Drawn with square pixels the head is squashed to half its"
    " height; drawn with the true spacing it has its natural shape.",
)  # fmt: skip

# %% [markdown]
# A convolution of 3 × 3 × 3 voxels sees 6 × 6 × 12 mm here. Distances, angles, volumes and shapes all need the
# spacing.

# %% [markdown]
# ## Voxel and world are one matrix apart, and the way back is its inverse
# Voxel $\mathbf v$ lies in the world at
#
# $$\mathbf p = \mathbf o + D\,(\mathbf s \odot \mathbf v),$$
#
# with origin $\mathbf o$, spacing $\mathbf s$ (number by number) and direction $D$. The world of DICOM, ITK and
# SimpleITK is **[LPS](glossary:lps)**: $x$ grows to the patient's Left, $y$ to the Posterior, $z$ to the Superior.

# %%
v = np.array([50, 60, 20])
o, s = np.array(volume.GetOrigin()), np.array(volume.GetSpacing())
D = np.reshape(volume.GetDirection(), (3, 3))
p = o + D @ (s * v)
print("by hand  ", p)
print("SimpleITK", np.array(volume.TransformIndexToPhysicalPoint(v.tolist())))
print("medlearn ", geometry.voxel_to_world(v, volume))
assert np.allclose(p, geometry.voxel_to_world(v, volume))

# %% [markdown]
# ### Find the flaw
# This pair of functions reads well. It passes its author's test, which goes out and back on a scan whose axes are not
# tilted.

# %%
def flawed_to_world(v, spacing_mm, origin_mm, direction):
    return direction @ (v * spacing_mm) + origin_mm


def flawed_to_voxel(p, spacing_mm, origin_mm, direction):
    return (p - origin_mm) @ np.linalg.inv(direction) / spacing_mm


def there_and_back_mm(tilt_degrees, v):
    """Return how far, in mm, a voxel lands from itself after the way out and back, with the patient's chin tilted."""
    c, s_ = np.cos(np.radians(tilt_degrees)), np.sin(np.radians(tilt_degrees))
    direction = np.array([[1, 0, 0], [0, c, -s_], [0, s_, c]])
    spacing, origin = np.array([1.0, 1.0, 1.0]), np.array([-100.0, -120.0, 30.0])
    back = flawed_to_voxel(flawed_to_world(v, spacing, origin, direction), spacing, origin, direction)
    return np.linalg.norm((back - v) * spacing)


# %% [markdown]
# **Predict:** how far off is it at a tilt of 10°, for a voxel 250 mm from the axis of the tilt? A millimetre? A
# centimetre?

# %%
far_voxel = np.array([0.0, 150.0, 200.0])  # 250 mm from the axis, which runs along x through voxel (0, 0, 0)
for tilt_degrees in [0, 1, 5, 10, 20]:
    error = there_and_back_mm(tilt_degrees, far_voxel)
    print(f"tilt {tilt_degrees:2}°: {error:6.1f} mm off,  2 r sin(tilt) = {500 * np.sin(np.radians(tilt_degrees)):6.1f}")
assert there_and_back_mm(0, far_voxel) == 0 and there_and_back_mm(10, far_voxel) > 80

# %% [markdown]
# Nearly 9 cm. Why: $\mathbf w$ on the left makes it a row, and $\mathbf w^\top D^{-1} = (D^{-\top}\mathbf w)^\top$.
# For a rotation $D^{-\top} = D$, so the way home turns by the tilt *again* instead of back. The voxel ends up turned
# by $2\theta$ on a circle of radius $r$ around the axis, which is $2r\sin\theta$ away: the last column. At tilt 0,
# $D$ is the identity and every version is right. **Test geometry with tilted matrices.**
#
# ### Exercise: mend the way back

# %% tags=["exercise"]
def world_to_voxel(point_mm, spacing_mm, origin_mm, direction):
    """Return the voxel (x, y, z) of a point: the inverse of origin + direction @ (spacing * voxel)."""
    return ...  # mend: (point_mm - origin_mm) @ np.linalg.inv(direction) / spacing_mm


# %% tags=["check"]
ex.world_to_voxel.check(world_to_voxel)

# %% [markdown]
# ### NIfTI: the same idea, another convention
# Research data often come as **[NIfTI](glossary:nifti)**: one file, array and geometry, almost no meaning. Its world
# is **RAS**: $x$ grows to the *Right*, $y$ to the *Anterior*. One 4 × 4 matrix, the **[affine](glossary:affine)**,
# holds origin, direction and spacing. The ICBM152 brain comes with nilearn:

# %% tags=["nbval-check-output"]
import nibabel
import nilearn

nifti_file = Path(nilearn.__file__).parent / "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
with_nibabel, with_sitk = nibabel.load(nifti_file), sitk.ReadImage(str(nifti_file))
print("nibabel, RAS, shape", with_nibabel.shape, "\n", with_nibabel.affine)
lps = np.eye(4)
lps[:3, :3] = np.reshape(with_sitk.GetDirection(), (3, 3)) * with_sitk.GetSpacing()
lps[:3, 3] = with_sitk.GetOrigin()
print("SimpleITK, LPS, array shape", sitk.GetArrayViewFromImage(with_sitk).shape, "\n", lps)

# %% [markdown]
# Two differences, both of convention. The first two rows have the other sign: R against L, A against P. And nibabel's
# array is `[x, y, z]`, SimpleITK's is `[z, y, x]`.
#
# **Predict:** which transposition makes the two arrays equal?

# %%
same_array = np.array_equal(np.asarray(with_nibabel.dataobj).transpose(2, 1, 0), sitk.GetArrayFromImage(with_sitk))
print("equal after transpose(2, 1, 0):", same_array)
assert same_array

# %% [markdown]
# ### Exercise (further): RAS to LPS

# %% tags=["exercise"]
def ras_to_lps(affine_ras):
    """Return the affine to LPS, shape (4, 4), from nibabel's affine to RAS."""
    return ...  # your code


# %% tags=["check"]
ex.ras_to_lps.check(ras_to_lps)

# %% [markdown]
# Forget both signs, and the patient lies turned by 180°: left is right and front is back. Forget one, and you have the
# patient's mirror image. Would you see that in a picture?
#
# **Predict:** by how much does the ICBM152 brain differ from its mirror image?

# %%
mirrored = with_sitk[::-1, :, :]
difference = sitk.GetArrayFromImage(with_sitk).astype(float) - sitk.GetArrayFromImage(mirrored)
print("largest difference from its mirror image:", np.abs(difference).max())
assert np.abs(difference).max() == 0
plots.show_orthogonal(
    with_sitk, alt="The ICBM152 brain, an average of 152 people, in an axial, a coronal and a sagittal plane.",
    unit="T1 signal (no unit)",
)  # fmt: skip

# %% [markdown]
# None at all: this template was made symmetric. Real brains nearly are. Only the geometry knows which side is left,
# and it is a side that surgeons ask about.

# %% [markdown]
# ## Resampling computes values that nobody measured
# To compare two scans, or to feed a network, you put images on a new grid. A value between two voxels must be made up
# from its neighbours: take the **nearest**, or the **linear** mean, weighted by distance, or a smooth **cubic**
# curve.
#
# Which is best for an *image*? Take the truth from real anatomy: keep every second slice of the ICBM152 brain,
# compute the others, and compare with the ones that were left out.
#
# **Predict:** by how much does linear beat nearest?

# %%
middle_brain = sitk.Cast(with_sitk[:, :, 60:121], sitk.sitkFloat32)  # 61 slices, 1 mm apart
every_second = middle_brain[:, :, ::2]  # SimpleITK keeps the geometry: now 2 mm apart
left_out = sitk.GetArrayFromImage(middle_brain)[1::2]  # the truth

rms_error = {}
for interpolation in ["nearest", "linear", "cubic"]:
    computed = geometry.resample_like(every_second, middle_brain, interpolation=interpolation)
    difference = (sitk.GetArrayFromImage(computed)[1::2] - left_out)[left_out > 0]
    rms_error[interpolation] = np.sqrt(np.mean(difference**2))
    print(f"{interpolation:8} root mean square error {rms_error[interpolation]:5.2f} of {left_out.max():.0f}")
assert rms_error["linear"] < 0.6 * rms_error["nearest"]

# %% [markdown]
# Nearest shifts what it copies by half a voxel. Linear halves the error; cubic gains next to nothing here. (An
# average of 152 brains is smooth. On a sharp scan of one person, expect larger errors.)
#
# **Labels are another matter.** Paint a label map of the simulated head: 0 air, 1 soft tissue, 2 bleeding, 3 bone.
# There is no bleeding in it.
#
# **Predict:** resample it to half the slice distance with linear interpolation. How much bleeding will there be?

# %%
print("tissues of the simulation:", head.label_names)
names = np.array([0, 1, 3, 1, 1, 1, 2], dtype=np.uint8)  # for each of them: air 0, soft 1, bleeding 2, bone 3
labels = sitk.GetImageFromArray(names[sitk.GetArrayFromImage(head.labels)])
labels.CopyInformation(head.image)
new_spacing = (spacing_x, spacing_y, spacing_z / 2)

for interpolation in ["linear", "nearest"]:
    resampled = geometry.resample(labels, spacing_mm=new_spacing, interpolation=interpolation)
    counts = np.bincount(sitk.GetArrayFromImage(resampled).ravel(), minlength=4)
    volumes_ml = counts * np.prod(resampled.GetSpacing()) / 1000
    print(f"{interpolation:8} bleeding {volumes_ml[2]:6.1f} ml, bone {volumes_ml[3]:6.1f} ml")
    assert volumes_ml[2] > 10 if interpolation == "linear" else volumes_ml[2] == 0

# %% tags=["hide-input"]
linear_labels = sitk.GetArrayFromImage(geometry.resample(labels, spacing_mm=new_spacing, interpolation="linear"))
resampled_ct = sitk.GetArrayFromImage(geometry.resample(volume, spacing_mm=new_spacing))
row = linear_labels.shape[1] // 2
plots.show_overlay(
    resampled_ct[::-1, row], linear_labels[::-1, row] == 2, labels=["'bleeding'"], window_hu="brain",
    spacing_mm=(new_spacing[2], new_spacing[0]),
    title="What linear interpolation of labels invents (simulated head)",
    alt="A coronal cut of the simulated head. A thin rim along the inner and outer surface of the skull is marked as"
    " bleeding, where the linear mean of soft tissue (1) and bone (3) is 2.",
)  # fmt: skip

# %% [markdown]
# Halfway between soft tissue (1) and bone (3) lies 2, and 2 is bleeding. The number of a label is a *name*; there is
# no mean of two names. For labels: **nearest**.
#
# ### Exercise: resample labels

# %% tags=["exercise"]
def resample_labels(labels, spacing_mm):
    """Return the label image (SimpleITK) on voxels of spacing_mm (x, y, z). Use geometry.resample."""
    return ...  # your code


# %% tags=["check"]
ex.resample_labels.check(resample_labels)

# %% [markdown]
# ### Exercise: a volume in millilitres
# The cell above turned voxel counts into millilitres. Write that as a function.

# %% tags=["exercise"]
def volume_ml(mask, spacing_mm):
    """Return the volume of the True voxels in ml; spacing_mm is (x, y, z)."""
    return ...  # your code


# %% tags=["check"]
ex.volume_ml.check(volume_ml)

# %% [markdown]
# ### ITK and SimpleITK: one engine, two doors
# **ITK** is the C++ library (since 1999) in which these filters are written ([McCormick
# 2014](https://doi.org/10.3389/fninf.2014.00013)). **SimpleITK** is a simpler door to the same code ([Lowekamp
# 2013](https://doi.org/10.3389/fninf.2013.00045)): fixed types, one function per filter. ITK's own Python package has
# more: pipelines, meshes, any pixel type. Same engine, same result? ITK is large and slow to load, so it gets a
# process of its own here, and the two exchange a file.
#
# The filter is anisotropic diffusion ([Perona and Malik 1990](https://doi.org/10.1109/34.56205)): five small steps, each
# of which evens out noise, and less so where the image is steep.
#
# **Predict:** the same filter through either door. How much will the results differ?

# %%
import importlib.util
import subprocess
import sys

before, after = str(folder / "before.nii"), str(folder / "after.nii")
sitk.WriteImage(sitk.Cast(volume, sitk.sitkFloat32), before)
through_simpleitk = sitk.GradientAnisotropicDiffusion(
    sitk.ReadImage(before), numberOfIterations=5, timeStep=0.0625, conductanceParameter=3.0
)

# %%
with_itk = """
import itk, sys
image = itk.imread(sys.argv[1], itk.F)
smooth = itk.gradient_anisotropic_diffusion_image_filter(
    image, number_of_iterations=5, time_step=0.0625, conductance_parameter=3.0)
itk.imwrite(smooth, sys.argv[2])
"""
if importlib.util.find_spec("itk") is None:
    print("ITK is not installed: pip install 'medlearn[itk]' (about 235 MB). The lesson goes on without it.")
else:
    subprocess.run([sys.executable, "-c", with_itk, before, after], check=True)
    largest = sitk.GetArrayFromImage(sitk.Abs(through_simpleitk - sitk.ReadImage(after))).max()
    print("largest difference of the two results:", largest)
    assert largest == 0

# %% [markdown]
# ## Identifiers hide in four places
# Before an image leaves the hospital, nothing in it may tell whose it is: it is
# [de-identified](glossary:de-identification). The name in its own field is the place that everybody thinks of. Four
# places need care:
#
# 1. **tags**: name, number, dates, and sentences such as the study description;
# 2. **sequences**: data sets inside the data set, to any depth;
# 3. **private tags**: where vendors write what they like;
# 4. **pixels**: text burned into the picture, as on screenshots and ultrasound.
#
# We plant an invented patient, Jane Doe, in all four.

# %%
letter = pydicom.dcmread(files[0])
letter.PatientName, letter.PatientID, letter.PatientBirthDate = "Doe^Jane", "H-4711", "19570312"  # 1
letter.StudyDescription = "Headache after fall, seen with Mr Doe"

item = pydicom.Dataset()  # 2
item.PatientID, item.TypeOfPatientID = "H-4711", "TEXT"
letter.OtherPatientIDsSequence = [item]

private = letter.private_block(0x0011, "ACME SCANNER", create=True)  # 3
private.add_new(0x01, "LO", "operator note: jane doe moved")
print(letter.PatientName, "|", letter.StudyDescription, "|", len(letter), "elements at the top level")

# %% [markdown]
# The fourth: we write into the air beside the head. (Look back at the ultrasound in the first figure: it carries the
# name of a hospital.)

# %% tags=["hide-input"]
from PIL import Image, ImageDraw

picture = Image.new("L", (letter.Columns, letter.Rows))
ImageDraw.Draw(picture).text((2, 2), " ".join("DOE JANE"), fill=255)
burned = letter.pixel_array.copy()
burned[np.asarray(picture) > 128] = int((1500 - letter.RescaleIntercept) / letter.RescaleSlope)
letter.PixelData = burned.astype(letter.pixel_array.dtype).tobytes()
burned_hu = geometry.hounsfield(burned, slope=letter.RescaleSlope, intercept=letter.RescaleIntercept)
plots.show_slice(
    burned_hu, window_hu="brain", spacing_mm=tuple(map(float, letter.PixelSpacing)),
    title="A simulated slice with a name burned in",
    alt="A slice of the simulated head. In the black air in its upper left corner stands DOE JANE in white letters.",
)

# %% [markdown]
# **Predict:** which of the four does a loop over `PatientName`, `PatientID` and `PatientBirthDate` miss?
#
# ### Exercise: find what is left
# Write the check that every release should pass: you know the patient's secrets; in which elements do they stand?

# %% tags=["exercise"]
def leftovers(dataset, secrets):
    """Return the sorted tags, as str(element.tag), of all elements, however deep, whose value has a secret in it.

    In any spelling: DOE, Doe and doe are one secret.

    Not of the sequences (element.VR == "SQ") around them.
    """
    return ...  # your code


# %% tags=["check"]
ex.leftovers.check(leftovers)

# %% [markdown]
# With such a check in hand, compare the three-field loop with the real thing. The DICOM standard has a list of several
# hundred elements, with what to do to each: PS3.15, the *basic profile*. Do not write your own. `data.deidentify`
# applies it, by the package `dicom-anonymizer`, and goes down into every sequence.

# %%
import copy

secrets = ["Doe", "H-4711", "19570312"]
check = ex.leftovers.solution_function  # our solution of the exercise

naive = copy.deepcopy(letter)
naive.PatientName, naive.PatientID, naive.PatientBirthDate = "", "", ""
clean = data.deidentify(letter, patient_id="case-017")
print("before         ", check(letter, secrets))
print("three fields   ", check(naive, secrets))
print("basic profile  ", check(clean, secrets))
assert len(check(naive, secrets)) == 3 and not check(clean, secrets)

# %% [markdown]
# Three fields leave three secrets. The profile leaves none in the tags.
#
# **Predict:** is the file safe now? Ask the library what else it finds.

# %%
for finding in data.find_identifiers(clean, secrets=secrets, pseudonym="case-017"):
    print(finding)
print("pixels as before:", np.array_equal(clean.pixel_array, letter.pixel_array))

# %% [markdown]
# The basic profile leaves the pixels alone. (PS3.15 has an option for them, "Clean Pixel Data"; somebody must do it.)
# The library guesses where text may be; it is a first look and no proof. Black out the place, then **verify by
# physics**: our simulation has no head rest, so nothing beside the head may be brighter than air.

# %%
safe = data.deidentify(letter, patient_id="case-017", blank=[(0, 0, 16, 100)])  # row, column, height, width


def bright_beside_the_head(dataset):
    """Return how many pixels above 0 HU are not connected with the largest thing in the slice."""
    hu = geometry.hounsfield(dataset.pixel_array, slope=dataset.RescaleSlope, intercept=dataset.RescaleIntercept)
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(sitk.GetImageFromArray((hu > -300).astype(np.uint8))))
    return int(np.sum((sitk.GetArrayFromImage(parts) > 1) & (hu > 0)))


print("bright pixels beside the head:", bright_beside_the_head(clean), "- blanked:", bright_beside_the_head(safe))
assert bright_beside_the_head(clean) > 0 and bright_beside_the_head(safe) == 0

# %% [markdown]
# That check fits this CT. In a real one you must allow for the head rest: look for its arcs in the two real heads
# above. Ultrasound needs a check of its own: the text stands at known places of each machine. Always look as well. And
# what about:
#
# - **the face**: the surface of a head scan *is* a face. Software matched 70 of 84 MR scans to photographs ([Schwarz
#   2019](https://doi.org/10.1056/NEJMc1908881)), which is why public heads are de-faced;
# - **the tools**: of ten free ones, one removed all it should with its default settings ([Aryanto
#   2015](https://doi.org/10.1007/s00330-015-3794-0)). Verify the *output*, with a check like yours.

# %% [markdown]
# ## Patients, not images, are what you have
# Public data come from a few kinds of places:
#
# | Source | What | Access and licence |
# |---|---|---|
# | The Cancer Imaging Archive, [TCIA](https://doi.org/10.1007/s10278-013-9622-7) | cancer imaging in DICOM, hundreds of collections | mostly CC BY; some by request (faces) |
# | challenges of the MICCAI conference, such as the [Decathlon](https://doi.org/10.1038/s41467-022-30695-9) | images with expert labels, hidden test sets | each its own, often CC BY-SA or non-commercial |
# | [MedMNIST](https://doi.org/10.1038/s41597-022-01721-8) | small ready-made tasks, 28 × 28 and up | mostly CC BY 4.0; no geometry |
# | [PhysioNet](https://doi.org/10.1161/01.CIR.101.23.e215) | ECG and other signals, images, records | open (ODC-By and others), or training and a signed agreement |
#
# The **licence** says what you may do: name the source (BY), share under the same terms (SA), no commerce (NC), no
# changes (ND). No licence means no permission. Every set in this course has a card that says it:

# %%
data.card("lidc_idri_0314")

# %% [markdown]
# **Then you split.** Slices of one patient are nearly copies of one another. If some are in training and some in the
# test, a model can *recognise the patient* instead of the disease. How much is that worth? Take a disease that cannot
# be seen at all: **a coin flip** decides who is ill. Whoever scores above 50 % has cheated.
#
# We simulate 40 people, each with 8 neighbouring slices: the ICBM152 brain, stretched, shifted and brightened for
# each at random, plus noise.

# %% tags=["hide-input"]
from scipy import ndimage

small = ndimage.zoom(sitk.GetArrayFromImage(with_sitk).astype(np.float32), 0.25, order=1)  # 4 mm voxels


def simulate_person(rng, slices=8):
    """Return 8 neighbouring axial slices, flattened, of one simulated person."""
    stretch, shift = rng.normal(1, 0.04, 3), rng.normal(0, 2, 3)
    centre = np.array(small.shape) / 2
    person = ndimage.affine_transform(small, 1 / stretch, offset=centre - (centre + shift) / stretch, order=1)
    person = person[20 : 20 + slices] * rng.normal(1, 0.1)
    return (person + rng.normal(0, 0.03 * small.max(), person.shape)).reshape(slices, -1)


patients = np.repeat(np.arange(40), 8)  # the patient of every slice
slices = np.concatenate([simulate_person(rng) for _ in range(40)])  # (slice, pixel)
print(slices.shape, "slices of", len(np.unique(patients)), "simulated people")

# %% [markdown]
# The "network" is the oldest one: the label of the most similar training slice. We draw 200 sets of coin flips, and
# split each time in both ways, three quarters for training.
#
# **Predict:** the two accuracies.

# %%
squared = (slices**2).sum(axis=1)
distance = squared[:, None] + squared - 2 * slices @ slices.T  # (slice, slice)


def accuracy(train, test, ill):
    nearest = train[distance[np.ix_(test, train)].argmin(axis=1)]
    return np.mean(ill[nearest] == ill[test])


scores = {"split by slice": [], "split by patient": []}
for draw in range(200):
    ill = rng.integers(0, 2, 40)[patients]  # a coin flip per person
    order = rng.permutation(len(slices))
    scores["split by slice"].append(accuracy(order[:240], order[240:], ill))
    train, test = data.split_by_patient(patients, fractions=(0.75, 0.25), seed=draw)
    data.assert_no_patient_overlap(patients[train], patients[test])
    scores["split by patient"].append(accuracy(train, test, ill))

# %%
for name, values in scores.items():
    low, high = np.quantile(values, [0.025, 0.975])
    print(f"{name:17} accuracy {np.mean(values):.2f}, 95 % of the draws {low:.2f} to {high:.2f}")
assert np.mean(scores["split by slice"]) > 0.8 and abs(np.mean(scores["split by patient"]) - 0.5) < 0.05

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 3))
bins = np.linspace(0, 1, 41)
for (name, values), colour, hatch in zip(scores.items(), ["vermillion", "blue"], ["///", ""]):
    axes.hist(values, bins=bins, color=plots.COLOURS[colour], hatch=hatch, edgecolor="black", alpha=0.8, label=name)
axes.axvline(0.5, color="black", linestyle="--", label="nothing to learn")
axes.set(xlabel="accuracy on a disease that is a coin flip (simulated people)", ylabel="draws of 200")
axes.legend()
plots.picture(
    figure,
    alt="Histograms of accuracy over 200 draws. Split by patient: spread widely around 0.5. Split by slice: narrow and"
    " around 0.9, though there is nothing to learn.",
)

# %% [markdown]
# Split by slice, the model seems to read a disease that does not exist. Split by patient, it is at 50 %, as it must
# be. Look at the width as well: ten test patients leave a wide spread, however many slices they have.
#
# ### Exercise: who is on both sides?
# `patients[i]` is the patient of item `i`; `train` and `test` are arrays of item numbers. No file is on both sides.
# Is any patient?

# %% tags=["exercise"]
def shared_patients(patients, train, test):
    """Return the patients, each once and sorted, with items in train and in test."""
    return ...  # your code


# %% tags=["check"]
ex.shared_patients.check(shared_patients)

# %% [markdown]
# In this course, `data.split_by_patient` makes every split, and `data.assert_no_patient_overlap` guards it.

# %% [markdown]
# ## Real patients
# The spine, the head, the abdomen and the lymph node above were real already. First, hold the simulated head against
# the real one, in the same window. What is right in the simulation, and what is missing?

# %%
level = array.shape[0] * 2 // 5
plots.show_slices(
    [array[level], real_head.image_hu], titles=["simulated", "real (one person, lower level)"],
    spacing_mm=[(spacing_y, spacing_x), real_head.spacing_mm], window_hu="brain",
    alt="Left, an axial slice of the simulated head; right, the real head CT. Both have a white skull and a grey brain."
    " The real one also has sinuses, cells of air behind the ears, streaks between the dense bones, and fine texture.",
)  # fmt: skip

# %% [markdown]
# The simulation has the literature's values and the brain's anatomy. It lacks the face, the skull base with its air,
# the streaks between dense bones and, of course, disease. A method that works on it has passed a first test, not the
# last.
#
# Next: a real chest CT of the Lung Image Database Consortium, LIDC ("patient LIDC-IDRI-0314" is a made-up name), 16
# original DICOM files. Where the files are not in your cache, the cells say so in one line, and the text tells you what
# they would show.
#
# **Predict:** both readers sort by position. What else can go wrong when they make a volume of 16 files?

# %%
if data.available("lidc_idri_0314", files=["dicom/*"]):
    lidc_folder = data.fetch("lidc_idri_0314", files=["dicom/*"]) / "dicom"
    print("mm from slice to slice:", np.diff(data.load_lidc_slices().position_mm).round(3))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(lidc_folder)))
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # it does warn
    naive_mm = reader.Execute().GetSpacing()[2]
    sitk.ProcessObject.SetGlobalWarningDisplay(True)
    print(f"SimpleITK's reader: spacing z {naive_mm:.3f} mm")
    assert round(naive_mm, 2) == 1.27
    try:
        data.read_dicom_series(lidc_folder)
    except data.DicomSeriesError as error:
        print("medlearn's reader refuses:", error)

# %% [markdown]
# The scan has a slice every 1.0 mm. Four slices are missing among these 16, so the average distance is 1.27 mm, and
# SimpleITK's reader takes the average for the truth. Where no slice is missing, lengths along $z$ and volumes come out
# 27 % too large; across a gap, too small. Hence a reader that refuses. (The missing slices are not lost; this folder
# holds 16 of the scan's slices.)
#
# The radiologists of the LIDC found a nodule, 15.5 mm across, and the LUNA16 challenge ([Setio
# 2017](https://doi.org/10.1016/j.media.2017.06.015)) gives its centre in mm: (−57.4, 131.2, −520.4), in LPS.
#
# **Predict:** which pixel is that, roughly? You have spacing, origin and direction, and a function for it.

# %%
if data.is_available("lidc_idri_0314", files=["dicom/*"]):
    centre_lps_mm, diameter_mm = np.array([-57.439, 131.233, -520.359]), 15.485
    slices_lidc = [sitk.ReadImage(str(file)) for file in sorted(lidc_folder.glob("*.dcm"))]
    nearest = min(slices_lidc, key=lambda piece: abs(piece.GetOrigin()[2] - centre_lps_mm[2]))
    column, row, _ = geometry.world_to_voxel(centre_lps_mm, nearest)
    print(f"row {row:.1f}, column {column:.1f} of the slice at z = {nearest.GetOrigin()[2]:.1f} mm")

    lidc_hu = sitk.GetArrayFromImage(nearest)[0]
    rows, columns = np.indices(lidc_hu.shape)
    radius = np.hypot(rows - row, columns - column) * nearest.GetSpacing()[0]
    plots.show_overlay(
        lidc_hu, np.abs(radius - diameter_mm / 2 - 3) < 0.5, labels=["3 mm around the nodule"], fill=False,
        window_hu="lung", spacing_mm=nearest.GetSpacing()[:2], title="LIDC-IDRI-0314, lung window",
        alt="A real chest CT in the lung window. A ring marks a bright nodule in the right lung, on the left of"
        " the picture.",
    ).show()  # fmt: skip

# %% [markdown]
# A point in millimetres, read from a table, falls on the nodule. Your geometry works on a real patient.
#
# Last, a real MR scan of a de-faced head. Its axes are tilted: heads rarely lie straight.

# %%
if data.available("t1_dicom_series"):
    t1 = data.load_t1_series().image
    parts = np.array(t1.GetSpacing()), np.array(t1.GetOrigin()), np.reshape(t1.GetDirection(), (3, 3))
    turn = np.degrees(np.arccos((np.trace(parts[2]) - 1) / 2))
    corner = np.array(t1.GetSize()) - 1.0
    formula_mm = np.linalg.norm((parts[2] - parts[2].T) @ (corner * parts[0]))  # 2 r sin(turn), r from the axis
    back = flawed_to_voxel(flawed_to_world(corner, *parts), *parts)
    good = geometry.world_to_voxel(geometry.voxel_to_world(corner, t1), t1)
    error_mm = np.linalg.norm((back - corner) * parts[0])
    print(f"size {t1.GetSize()}, axes turned by {turn:.1f}° in all")
    print(f"the flawed pair: {error_mm:.1f} mm off in the far corner, 2 r sin(turn) = {formula_mm:.1f} mm")
    print(f"the right pair:  {np.linalg.norm((good - corner) * parts[0]):.1e} mm")
    assert np.isclose(error_mm, formula_mm)
    alt = "A thin block of a real T1 head: temporal lobes, brain stem and cerebellum."
    plots.show_orthogonal(t1, limits=(0, 100), unit="T1 signal (no unit)", alt=alt).show()

# %% [markdown]
# **Predict:** this series is public, and its patient is called "Jane_Doe". What does the list of the profile still
# flag in its header? (We print the fields and not the values: a notebook with its output is a release, too.)

# %%
if data.is_available("t1_dicom_series"):
    first_file = sorted(data.fetch("t1_dicom_series").glob("*.dcm"))[0]
    header = pydicom.dcmread(first_file, stop_before_pixels=True)
    print("flagged:", ", ".join(finding.place for finding in data.find_identifiers(header)))
    years = [int(str(header[name].value)[:4]) for name in ["PatientBirthDate", "StudyDate"]]
    print(f"born {years[0]}, studied {years[1]}, age in the header {header.PatientAge}")
    assert years[1] - years[0] - int(header.PatientAge) > 1

# %% [markdown]
# Dates, an age, a weight, a study description. Some of it is made up: these two years and this age do not go together.
# Some may be real. The list does not decide for you; it tells you what you must decide about.

# %% [markdown]
# ## What you may claim
# **Claim, with its interval.** The numbers of this run:

# %%
for name, values in scores.items():
    low, high = np.quantile(values, [0.025, 0.975])
    print(f"{name}: {np.mean(values):.2f} (95 % of 200 draws {low:.2f} to {high:.2f}; 40 simulated people, 10 tested)")

# %% [markdown]
# - **The leak.** On labels that are coin flips, a split by slice gives a high accuracy, and a split by patient gives
#   0.5. That holds for our simulated people and a nearest-neighbour rule. It does not say how large the leak of
#   *your* network on *your* data is. The published figure: networks on real brain MR with random labels reached about
#   96 % split by slice and 50 % split by subject ([Yagis 2021](https://doi.org/10.1038/s41598-021-01681-w)).
# - **The transform.** That the flawed pair is off by $2r\sin\theta$ is mathematics. It holds for every scan turned by
#   $\theta$, whatever its spacing, where $r$ is the distance from the axis of the turn through voxel (0, 0, 0).
# - **Interpolation.** "Linear beats nearest on images" was measured on one smooth template, along one axis. "No mean of
#   label numbers" holds always.
# - **De-identification.** The check found none of the planted secrets in the tags. It cannot find a secret that you
#   did not list, a face, or a combination of harmless facts that fits one person. Releasing data needs a review by
#   people who are responsible for it.
# - **Windows and HU.** HU travel between scanners nearly, not exactly: tube voltage, beam and reconstruction shift
#   them. One slice per window shows what a window does; it does not show which one a network needs.

# %% [markdown]
# ## Summary
# - An image is an **array**, a **geometry** and a **meaning**. CT values have a unit that travels, MR values have
#   none.
# - pydicom gives stored values, SimpleITK rescaled ones. HU = slope · stored + intercept, once.
# - A window spends the greys where the question is. Saving 8 bits means choosing one.
# - Sort slices by position along the normal. `array[z, y, x]`, but $(x, y, z)$ everywhere else.
# - World = origin + direction · (spacing · voxel). The way back undoes the last step first. Test it tilted.
# - Linear for images, nearest for labels.
# - Identifiers stand in tags, sequences, private tags and pixels. Use a kept library, then check its output.
# - Split by patient.
#
# ### Key terms
# [affine](glossary:affine) · [anisotropic](glossary:anisotropic) · [de-identification](glossary:de-identification) ·
# [DICOM](glossary:dicom) · [Hounsfield unit](glossary:hounsfield-unit) · [LPS](glossary:lps) ·
# [modality](glossary:modality) · [NIfTI](glossary:nifti) · [resampling](glossary:resampling) · [split by
# patient](glossary:split-by-patient) · [standardised uptake value](glossary:standardised-uptake-value) ·
# [voxel](glossary:voxel) · [window](glossary:window)
#
# ### Further reading
# - Hounsfield's own description of the first scanner: [Hounsfield
#   1973](https://doi.org/10.1259/0007-1285-46-552-1016).
# - File formats compared: [Larobina and Murino 2014](https://doi.org/10.1007/s10278-013-9657-9).
# - SimpleITK and its design: [Lowekamp 2013](https://doi.org/10.3389/fninf.2013.00045); ITK: [McCormick
#   2014](https://doi.org/10.3389/fninf.2014.00013).
# - The brain of this lesson: [Fonov 2011](https://doi.org/10.1016/j.neuroimage.2010.07.033). The chest CT: [LIDC-IDRI
#   at TCIA](https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX).
# - What shifts an SUV: [Adams 2010](https://doi.org/10.2214/AJR.10.4923).
# - Leaks, measured on published work: [Yagis 2021](https://doi.org/10.1038/s41598-021-01681-w). Challenges and their
#   rankings: [Maier-Hein 2018](https://doi.org/10.1038/s41467-018-07619-7).
