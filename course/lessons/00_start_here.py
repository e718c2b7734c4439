# %% [markdown]
# Welcome. This course takes you from the convolution integral to networks that are honestly evaluated on real
# patients. It needs a laptop, no graphics card and, once installed, no network. This first lesson shows you how every
# lesson works. Run each cell with **Shift + Enter**, from the top.

# %% [markdown]
# ## A lesson is prose, prediction and code
# Each section says one idea. Then it asks you to **predict** what the next cell will show. Say your prediction aloud
# or write it down before you run the cell: a wrong prediction is where you learn most.
#
# Here is a first idea. *A medical image is a table of numbers.* Rows run down, columns run to the right, and both count
# from 0.
#
# **Predict:** which number will `image[1, 3]` print?

# %%
image = np.array([
    [10, 11, 12, 13],
    [20, 21, 22, 23],
    [30, 31, 32, 33],
])
print("image[1, 3] =", image[1, 3])
print("shape (rows, columns) =", image.shape)
assert image[1, 3] == 23

# %% [markdown]
# Row 1 is the second row, column 3 the fourth column: 23. The shape is (rows, columns). In a picture the first index
# goes **down**. Mixing up the two is one of the oldest mistakes in imaging, and lesson 01 shows what it does to a patient.
#
# The same table as a picture:

# %%
table = plots.show_slice(
    image,
    title="A table of 3 by 4 numbers",
    alt="Twelve grey squares in 3 rows and 4 columns. They get lighter from the top left (10) to the bottom right (33).",
)
table

# %% [markdown]
# Every figure carries a description, for readers who do not see it. Give the figure a name, and `.alt` prints it:

# %% tags=["nbval-check-output"]
print(table.alt)

# %% [markdown]
# A grey line that ends in **•••** is a folded cell, mostly one that draws. It runs like any other; click ••• to read it.

# %% [markdown]
# ## An exercise has a check, hints and a solution
# Where an idea is fresh, you try it yourself. You replace the `...` in a cell, run it, and run the check below it. The
# check does more than compare numbers: it knows the usual mistakes, and tells you which one you made.
#
# Suppose you were asked to rescale an image so that its smallest value is 0 and its largest is 1, and you wrote this:

# %%
def my_first_try(image):
    return image / image.max()


# %% [markdown]
# **Predict:** what is wrong with it? Then ask the check.

# %%
message = ex.normalise.evaluate(my_first_try)
print(message)
assert message.state == "wrong"

# %% [markdown]
# Now you. Replace the `...` and run both cells. Stuck? Write `ex.normalise.hint()` in a new cell, as often as you like.
# `ex.normalise.solution()` shows the code that our own tests run.
#
# ### Exercise: rescale an image

# %% tags=["exercise"]
def normalise(image):
    """Return the image rescaled, so that its smallest value becomes 0 and its largest 1."""
    return ...  # your code


# %% tags=["check"]
ex.normalise.check(normalise)

# %% [markdown]
# Before you wrote anything, the check said *not tried yet*. There are two more answers, *not yet* and *right*. An
# error in your code does not stop the notebook, and an endless loop ends with the ■ button. Later cells never use your answer, so you may
# skip an exercise and come back.
#
# Some exercises ask for a value, not for a function.
#
# ### Exercise: how big is a scan?
# A chest CT has 275 slices of 512 rows and 512 columns. How many voxels (3-D pixels) does it have?

# %% tags=["exercise"]
num_voxels = ...  # your number, or the product that gives it

# %% tags=["check"]
ex.num_voxels.check(num_voxels)

# %% [markdown]
# ## Your machine is enough
# Every lesson runs on two processor cores, in two minutes and 1.5 GB of memory at most. A graphics card makes it
# faster and changes nothing else. The setup cell at the top printed the device that the lessons will use.
#
# **Predict:** will the doctor find a problem on your machine?

# %%
from medlearn import doctor

doctor.examine()

# %% [markdown]
# Each line that is not in order says how to mend it. In a terminal, `medlearn doctor` prints the same.
#
# Some lessons end on data of real patients that are downloaded once, and only when you ask for it. This is what is known, and
# what is already here:

# %%
for name, card in data.cards().items():
    print(f"{'here' if data.is_available(name) else 'not here':<9} {name:<22} {card.title}")

# %% [markdown]
# `medlearn data fetch NAME` in a terminal, or `data.fetch("NAME")` in a cell, brings one and verifies its checksum.
# Where a set is not here, a lesson says so in one line and goes on.

# %% [markdown]
# ## The map and your progress
# {{ lesson_map }}
#
# Right answers are remembered on your own machine and nowhere else.
#
# **Predict:** which exercises are marked ✔, if you have answered the two above?

# %%
from medlearn.exercises.progress import course_progress

course_progress()

# %% [markdown]
# Come back to this cell at any time, or type `medlearn progress` in a terminal.

# %% [markdown]
# ## Nothing here is a medical device
# The networks of this course are made to be understood. None has been tested or approved for patients. **Do not use
# them, or anything you build from them here, to diagnose or treat anybody.**
#
# Here is why a good score is not enough. A test finds 95 % of the ill (its *sensitivity*) and clears 95 % of the
# healthy (its *specificity*). You screen 10,000 people, of whom 1 % are ill.
#
# **Predict:** of all the people whom the test calls ill, which fraction really is?

# %%
people, prevalence, sensitivity, specificity = 10_000, 0.01, 0.95, 0.95
ill = people * prevalence
healthy = people - ill
print(f"ill and called ill:          {ill * sensitivity:.0f}")
print(f"healthy, and called ill too: {healthy * (1 - specificity):.0f}")
assert healthy * (1 - specificity) > 5 * ill * sensitivity

# %% [markdown]
# Most alarms are false, with a test that is "95 % right". The rarer the illness, the worse it gets.
# ### Exercise: what an alarm is worth
# Work out that fraction, the *positive predictive value*, as a number between 0 and 1.

# %% tags=["exercise"]
positive_predictive_value = ...  # your number, or the formula that gives it

# %% tags=["check"]
ex.positive_predictive_value.check(positive_predictive_value)

# %% tags=["hide-input"]
prevalences = np.linspace(0.001, 0.5, 500)
values = prevalences * 0.95 / (prevalences * 0.95 + (1 - prevalences) * 0.05)
figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
axis.plot(100 * prevalences, values)
axis.set(xlabel="Prevalence (% of the people tested)", ylabel="Positive predictive value", ylim=(0, 1))
axis.set_title("The same test, in ever rarer disease")
plots.picture(
    figure,
    alt="A curve of the positive predictive value against prevalence. It is 0.95 at 50 percent prevalence, 0.5 at 5 percent,"
    " and falls steeply to nearly 0 as the disease becomes rare.",
)

# %% [markdown]
# The test did not change; the people did. Lesson 05 will come back to this with care.

# %% [markdown]
# ## Real patients
# Every lesson ends on real patients. This one shows you a single CT slice of a real person, from the test files of the
# package pydicom. It is on your machine already.

# %%
ct_slice = data.load_ct_slice()
print(ct_slice.image_hu.shape, "pixels, from", ct_slice.image_hu.min(), "to", ct_slice.image_hu.max(), "HU")
ct_slice.card

# %%
plots.show_slice(
    ct_slice.image_hu,
    spacing_mm=ct_slice.spacing_mm,
    window_hu="soft tissue",
    title="One CT slice of a real person's head",
    alt="An axial CT slice through the base of a real person's skull in a soft-tissue window: bone is white, muscle and"
    " brain are grey, the air in the sinuses and behind the ears is black.",
)

# %% [markdown]
# The values are *Hounsfield units* (HU): air is -1000, water is 0, bone is several hundred and more. The window decides which of
# them you see. What all that means is [lesson 01](01_medical_images.ipynb).

# %% [markdown]
# ## What you may claim
# From one image of one person, nothing about anybody else. That is no joke: this course never states the result of a
# test set without an interval and the number of **patients** behind it. Reviews of published models found the same
# flaws again and again: data that leaked from training to testing, too few patients, scores without intervals
# ([Roberts et al. 2021](https://doi.org/10.1038/s42256-021-00307-0);
# [Varoquaux and Cheplygina 2022](https://doi.org/10.1038/s41746-022-00592-y)). You will learn to find them.

# %% [markdown]
# ## Summary
# - A lesson says an idea, asks for a prediction, shows it small, and explains what was seen.
# - `check`, `hint`, `solution`: three calls for every exercise; a check names your mistake.
# - Everything runs on your own machine; real data come only when you ask for them.
# - Nothing here is a medical device.
#
# **To cite the course**, use the file `CITATION.cff` of the repository, and cite each data set by its own card.
#
# ### Key terms
# [voxel](glossary:voxel), [Hounsfield unit](glossary:hounsfield-unit), [prevalence](glossary:prevalence),
# [sensitivity](glossary:sensitivity), [specificity](glossary:specificity),
# [positive predictive value](glossary:positive-predictive-value)
#
# ### Further reading
# - Roberts M et al. Common pitfalls and recommendations for using machine learning to detect and prognosticate for COVID-19. *Nat Mach Intell* 3:199-217, 2021. https://doi.org/10.1038/s42256-021-00307-0
# - Varoquaux G, Cheplygina V. Machine learning for medical imaging: methodological failures and recommendations for the future. *npj Digit Med* 5:48, 2022. https://doi.org/10.1038/s41746-022-00592-y
