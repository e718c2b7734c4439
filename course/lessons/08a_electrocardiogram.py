# %% [markdown]
# Wires on the skin, a millivolt or two, and a line on pink paper. Doctors have read it for more than a hundred
# years: rate, rhythm, a vessel that is closing. Machines read it too, and the first thing they must find is the beat.
# If that goes wrong, everything behind it goes wrong: the rate, the alarm, the network of the next lessons.
#
# In this lesson you see why the leads of an ECG obey a law, and check it on a real patient. You read rate and axis off
# the paper. You filter noise away, and watch a badly chosen filter make a healthy heart look ill. Then you write the
# most-used beat detector there is, step by step, and score it the way a device has to be scored: beat by beat, with an
# interval over patients. At the end it reads 24 hours of real ECG.
#
# Most patients here are **simulated**, and the text says so. The lesson takes about two hours; exercises marked
# *further* come on top of that.

# %% [markdown]
# ## A dipole and its shadows
# When a wave of excitation runs through the heart, one part of the muscle is charged unlike the rest. From far away
# that is a **dipole**: an arrow $\mathbf p$ that changes its length and direction during each beat. An electrode at
# place $\mathbf r$ sees a potential in proportion to the arrow's shadow on $\mathbf r$, that is to
# $\mathbf p\cdot\mathbf r$ (if the body conducts alike everywhere, and all electrodes are equally far: a model).
#
# A [lead](glossary:lead) is a **difference** of potentials. Three electrodes, on the right arm, the left arm and the
# left foot, give
#
# $$\mathrm{I}=\Phi_L-\Phi_R,\qquad \mathrm{II}=\Phi_F-\Phi_R,\qquad \mathrm{III}=\Phi_F-\Phi_L .$$
#
# Add the first and the third: $\Phi_L$ cancels. So $\mathrm{I}+\mathrm{III}=\mathrm{II}$, at every moment, whatever the
# heart does. That is **Einthoven's law**. No model is in it, only subtraction.
#
# The three augmented leads measure one limb against the mean of the other two, for example
# $\mathrm{aVF}=\Phi_F-(\Phi_R+\Phi_L)/2$. Put in the definitions above, and it is $(\mathrm{II}+\mathrm{III})/2$.
# In the same way $\mathrm{aVR}=-(\mathrm I+\mathrm{II})/2$.
#
# **Predict:** the ECG below is a real one, ten seconds from a recorder with twelve leads. How far from zero will
# $\mathrm{I}+\mathrm{III}-\mathrm{II}$ be? And how many of the six limb leads carry information of their own?

# %%
twelve = data.load_12_lead_ecg()  # real; it comes with the package pydicom
lead = {name: twelve.lead(name).astype(float) for name in twelve.leads}
law = {
    "I + III - II": lead["I"] + lead["III"] - lead["II"],
    "aVF - (II + III) / 2": lead["aVF"] - (lead["II"] + lead["III"]) / 2,
    "aVR + (I + II) / 2": lead["aVR"] + (lead["I"] + lead["II"]) / 2,
}
for name, gap in law.items():
    print(f"{name:22s} at most {1000 * np.abs(gap).max():.2f} µV")
    assert np.abs(gap).max() < 0.001  # mV
print(f"{len(twelve.leads)} leads, {twelve.duration_s:g} s at {twelve.sampling_rate_hz:g} Hz")

# %%
part = slice(0, 3000)
shown = ("I", "II", "III", "aVF")
plots.show_ecg(
    np.column_stack([lead[name][part] for name in shown]), leads=shown, sampling_rate_hz=1000,
    title="A real ECG: four of the six limb leads",
    alt="Four rows of a real ECG on pink paper, three beats each. Leads I, II, III and aVF have upright QRS complexes; "
    "that of II is the tallest.",
)  # fmt: skip

# %% [markdown]
# The law holds; what is left, less than a microvolt (a thousandth of a millivolt), is rounding. The six limb leads are
# **two** signals, shown six times. A network that gets all six gets nothing that is not in two of them.
#
# With the model you can say more. Let the electrodes sit on a triangle with equal sides, lead I pointing to the
# patient's left (0°), aVF to the feet (90°). The side from the right arm to the foot points to 60°, that from the left
# arm to the foot to 120°. For an arrow of length $p$ at the angle $\alpha$, each lead is a shadow:
#
# $$\mathrm{I}=p\cos\alpha,\quad \mathrm{II}=p\cos(\alpha-60°),\quad \mathrm{III}=p\cos(\alpha-120°).$$
#
# And $\mathrm{aVF}$, the mean of the last two? Use $\cos x+\cos y=2\cos\frac{x+y}2\cos\frac{x-y}2$:
#
# $$\mathrm{aVF}=\cos30°\;p\cos(\alpha-90°)=\tfrac{\sqrt3}2\,p\sin\alpha .$$
#
# The angle $\alpha$ of the QRS complex is the heart's [electrical axis](glossary:electrical-axis). In healthy adults it
# lies between about −30° and +90°. A heart that is too thick on one side, or whose wiring is broken on one side, turns
# it.
#
# ### Exercise (further): the axis from two leads
# Return $\alpha$ in degrees from the QRS complex in I and aVF (its net height or area in each).

# %% tags=["exercise"]
def axis_deg(lead_i, lead_avf):
    """Return the electrical axis in degrees: 0 to the left, 90 to the feet."""
    return ...  # your code


# %% tags=["check"]
ex.axis_deg.check(axis_deg)

# %% [markdown]
# Is the model any good? Take the area of one QRS complex of the real patient in I and aVF, get the arrow from the two,
# and let the model **predict** lead III, which it has not seen.

# %%
middle = 5473  # the sample of an R peak
qrs = slice(middle - 60, middle + 60)
area = {name: (lead[name][qrs] - lead[name][middle - 70]).sum() / 1000 for name in lead}
x, y = area["I"], 2 / np.sqrt(3) * area["aVF"]
angle, size = np.arctan2(y, x), np.hypot(x, y)
print(f"axis {np.degrees(angle):.0f} degrees")
predicted = size * np.cos(angle - 2 * np.pi / 3)
print(f"III: predicted {1000 * predicted:.2f} µV s, measured {1000 * area['III']:.2f} µV s")
assert -30 < np.degrees(angle) < 90 and np.isclose(predicted, area["III"], atol=1e-4)

# %% [markdown]
# It fits, and it had to: III follows from I and aVF by Einthoven's law. That was no test of the dipole, only of the
# algebra. Ask of every "validation" whether it **could** have failed. A test of the dipole would need the chest leads,
# which the limb leads do not determine.

# %% [markdown]
# ## Paper: what a square is worth
# The paper runs at 25 mm/s, and 10 mm are 1 mV. So a small square, 1 mm, is 0.04 s wide and 0.1 mV high; a big one,
# 5 mm, is 0.2 s and 0.5 mV. The step at the left of each strip is 1 mV for 0.2 s: if it looks otherwise, so does
# everything else.
#
# A beat has three waves. **P**: the atria. The **[QRS complex](glossary:qrs-complex)**: the ventricles, much more
# muscle, so tall; and fast, because special fibres carry the excitation, so narrow. **T**: the ventricles recover, each
# cell in its own time, so it is broad.

# %%
patient = data.simulate_ecg(52, duration_s=300, noise=data.Noise.none())  # simulated, without noise

# %% tags=["hide-input"]
strip = patient.strip(10, 15)
picture = plots.show_ecg(
    strip.lead("MLII"), sampling_rate_hz=strip.sampling_rate_hz, leads=["MLII"],
    title="A simulated patient, recorded without noise",
    alt="Five seconds of a simulated patient on ECG paper. Each beat has a small P wave, a tall narrow QRS complex and "
    "a broad T wave. The letters P, QRS and T stand above those of the second beat.",
)  # fmt: skip
paper = picture.figure.axes[0]
trace = next(line for line in paper.lines if line.get_gid() == "row 0")
for letter, start_s, stop_s in (("P", -0.25, -0.08), ("QRS", -0.05, 0.05), ("T", 0.15, 0.45)):
    wave = np.abs(trace.get_xdata() - strip.beats_s[1] - (start_s + stop_s) / 2) < (stop_s - start_s) / 2
    top = np.flatnonzero(wave)[np.argmax(trace.get_ydata()[wave])]
    paper.text(trace.get_xdata()[top], trace.get_ydata()[top] + 0.06, letter, ha="center", weight="bold")
picture

# %% [markdown]
# From the start of P to the start of QRS: 3 to 5 small squares (0.12 to 0.2 s). QRS: under 3 small squares (0.12 s).
# A wide QRS has not taken the fast fibres: a ventricular beat, a bundle that is blocked, or a pacemaker.
#
# The time from one R peak to the next is the **RR interval**, and 60 divided by it the rate.
#
# **Predict:** two R peaks stand four big squares apart. Which rate? And what if the paper ran at 50 mm/s, as in some
# countries?
#
# ### Exercise: the rate from the paper

# %% tags=["exercise"]
def rate_per_minute(distance_mm, speed_mm_per_s):
    """Return the heart rate per minute from the distance of two R peaks on the paper."""
    return ...  # your code


# %% tags=["check"]
ex.rate_per_minute.check(rate_per_minute)

# %% tags=["hide-input"]
big_squares = np.arange(1, 7)
print("big squares between R peaks  ", *(f"{n:4d}" for n in big_squares))
print("beats per minute at 25 mm/s  ", *(f"{60 / (0.2 * n):4.0f}" for n in big_squares))
rates = 60 / np.diff(patient.beats_s)
print(f"this patient: {np.median(rates):.0f} per minute, from {rates.min():.0f} to {rates.max():.0f}")
assert np.isclose(60 / (0.2 * 4), 75) and rates.max() - rates.min() > 5

# %% [markdown]
# Hence the rule of thumb *300, 150, 100, 75, 60, 50*: 300 divided by the number of big squares. It holds at 25 mm/s
# only. The same strip on paper at 50 mm/s has the same heart in it, and twice the squares.
#
# And the last line: **the rate of a healthy heart is not constant.**

# %% [markdown]
# ## Two rhythms within the rhythm
# Plot the RR intervals against time, and the line sways. Breathing in makes the heart a little faster, breathing out
# slower. More slowly, the control of the blood pressure does the same, about every ten seconds. The sway is called
# [heart-rate variability](glossary:heart-rate-variability), and its spectrum is cut into two bands: low frequencies,
# **LF**, 0.04 to 0.15 Hz, and high ones, **HF**, 0.15 to 0.4 Hz, the breath ([Task Force
# 1996](https://doi.org/10.1161/01.CIR.93.5.1043)).
#
# RR intervals come once a beat, not at equal times. The simplest way out: draw straight lines between them, read the
# lines four times a second, and take the spectrum of that. Intervals next to premature beats are left out. They say
# something about the premature beat, nothing about breathing.

# %%
from scipy import signal


def normal_intervals(record):
    """Return time and length of the RR intervals between two beats that are not premature, in s."""
    usual = np.isin(record.symbols, ["N", "L", "R"])  # normal; left or right bundle blocked
    kept = usual[1:] & usual[:-1]
    return record.beats_s[1:][kept], np.diff(record.beats_s)[kept]


# %%
times_s, rr_s = normal_intervals(patient)
clock_s = np.arange(times_s[0], times_s[-1], 0.25)
even_ms = 1000 * np.interp(clock_s, times_s, rr_s)
frequency, power = signal.welch(even_ms - even_ms.mean(), fs=4, nperseg=512)  # Hz, ms^2 / Hz
bands = {"LF": (0.04, 0.15), "HF": (0.15, 0.40)}
inside = {name: (frequency >= low) & (frequency < high) for name, (low, high) in bands.items()}
for name, chosen in inside.items():
    peak = frequency[chosen][np.argmax(power[chosen])]
    print(f"{name}: {power[chosen].sum() * frequency[1]:.0f} ms², highest at {peak:.2f} Hz")
breath_hz = frequency[inside["HF"]][np.argmax(power[inside["HF"]])]
assert 0.2 < breath_hz < 0.3

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(1.4, 1))
axes[0].plot(times_s, 1000 * rr_s, ".-", markersize=4, linewidth=1)
axes[0].set(xlabel="time (s)", ylabel="RR interval (ms)", xlim=(60, 160), title="Simulated patient")
axes[1].plot(frequency, power, "-", color=plots.COLOURS["black"])
for (name, (low, high)), colour, hatch in zip(bands.items(), ("sky blue", "orange"), plots.HATCHES):
    axes[1].axvspan(low, high, alpha=0.3, color=plots.COLOURS[colour], hatch=hatch, label=name)
axes[1].set(xlabel="frequency (Hz)", ylabel="power (ms²/Hz)", xlim=(0.03, 0.5), title="Spectrum of the RR intervals")
axes[1].set_ylim(0, 1.1 * power[frequency > 0.03].max())
axes[1].legend()
plots.picture(
    figure,
    alt="Left: RR intervals of a simulated patient sway quickly between about 800 and 1,000 ms. Right: their spectrum "
    "has a small peak in the LF band near 0.1 Hz and a tall one in the HF band near 0.28 Hz.",
)

# %% [markdown]
# The peak of the HF band is the simulated patient's breath. A second measure needs no spectrum, **RMSSD**: take the
# change from each RR interval to the next, and of all changes the root of the mean square.
#
# **Predict:** another simulated patient has a premature beat now and then, less than one in eight. You forget to leave
# them out. Will the variability look smaller, the same or larger? By how much?

# %%
def rmssd_ms(record, usual=("N", "L", "R")):
    """Return the root mean square of the differences of neighbouring RR intervals between usual beats."""
    fine = np.isin(record.symbols, usual)
    change_s = np.diff(record.beats_s, n=2)  # (beats - 2,): three usual beats in a row
    return 1000 * np.sqrt(np.mean(change_s[fine[:-2] & fine[1:-1] & fine[2:]] ** 2))


other = data.simulate_ecg(5, duration_s=300, noise=data.Noise.none())
premature = np.isin(other.symbols, ["V", "A", "a", "J", "F"])
all_of_them, only_normal = rmssd_ms(other, usual=np.unique(other.symbols)), rmssd_ms(other)
print(f"{premature.sum()} of {len(other.beats)} beats are premature")
print(f"RMSSD: {only_normal:.0f} ms; with the premature beats left in, {all_of_them:.0f} ms")
assert premature.mean() < 0.125 and all_of_them > 3 * only_normal

# %% [markdown]
# A premature beat, early with a pause behind it, moves
# two intervals by some hundred milliseconds, where breathing moves them by tens: the variability comes out many times
# too large. A missed beat or a false one does the same. **Every number about the rhythm stands on the list of beats.**
# So the beats had better be right. Before you find them, the noise.

# %% [markdown]
# ## The band from 0.5 to 40 Hz
# What a skin electrode picks up besides the heart:
#
# - **baseline wander**: breathing and sweat, below 0.6 Hz;
# - **mains hum**: 50 or 60 Hz, from every cable in the wall;
# - **muscle**: above 20 Hz, from trembling and tension;
# - **motion**: an electrode that is jerked makes swings of 1 to 8 Hz, as tall as beats;
# - a lead that **falls off**: nothing at all.
#
# A filter keeps some frequencies and weakens others. The simplest high-pass follows the slow part of the signal and
# takes it away: $y=x-s$, where $s$ creeps after $x$ with $\dot s=\omega_c\,(x-s)$. Then
#
# $$\dot y=\dot x-\omega_c\,y .$$
#
# What does it do to a wave of frequency $f$? Put in $x=e^{i\omega t}$ with $\omega=2\pi f$, and $y=H\,e^{i\omega t}$:
# $i\omega H=i\omega-\omega_cH$. With the [cut-off frequency](glossary:cut-off-frequency) $f_c=\omega_c/2\pi$,
#
# $$H=\frac{i\omega}{i\omega+\omega_c}=\frac1{1-i\,f_c/f} .$$
#
# The amplitude is multiplied by $|H|$, and the wave is shifted by the angle of $H$. Both matter. Amplitude first.
#
# ### Exercise: how much is left
# By which factor does this filter multiply the amplitude of a wave of `frequency_hz`?

# %% tags=["exercise"]
def high_pass_gain(frequency_hz, cutoff_hz):
    """Return |H| of the first-order high-pass."""
    return ...  # your code


# %% tags=["check"]
ex.high_pass_gain.check(high_pass_gain)

# %% [markdown]
# At its cut-off a first-order filter still passes 0.71 of the amplitude (half of the power), and at a tenth of the
# cut-off it passes a tenth. Steeper ones have an equation with higher derivatives. Butterworth's of order $n$ have
# $|H|=1/\sqrt{1+(f_c/f)^{2n}}$: no other of that order without ripples is as flat where it passes.
#
# `signal.sosfiltfilt` runs a filter forwards and then backwards. The gains multiply, $|H|^2$: twice as steep, and at
# $f_c$ a half is left, no longer 0.71. The shifts in time cancel: such a filter is **zero-phase**. It needs the
# future, so it works on a recording, not live.
#
# **Predict:** a band from 0.5 to 40 Hz, order 2, both ways. Wander, hum, muscle, motion: which will be gone, which
# weaker, and which hardly touched?

# %%
from dataclasses import replace

rate_hz = 360
band_pass = signal.butter(2, [0.5, 40], "bandpass", fs=rate_hz, output="sos")
quiet = data.Noise.none()
kinds = {
    "wander": replace(quiet, wander_mv=0.3),
    "hum": replace(quiet, hum_mv=0.1),  # 50 Hz
    "muscle": replace(quiet, muscle_mv=0.05),
    "motion": replace(quiet, motion_per_min=6),
}

# %%
clean = data.simulate_ecg(52, duration_s=60, noise=quiet).lead("MLII").astype(float)
left = {}
for kind, of_this_kind in kinds.items():
    noise = data.simulate_ecg(52, duration_s=60, noise=of_this_kind).lead("MLII") - clean
    left[kind] = signal.sosfiltfilt(band_pass, noise).std() / noise.std()
    print(f"{kind:7s} {noise.std():.2f} mV before, {left[kind]:4.0%} of it left")
assert left["wander"] < 0.1 and left["hum"] < 0.5 and 0.2 < left["muscle"] < 0.7 and left["motion"] > 0.6

# %% tags=["hide-input"]
f = np.geomspace(0.02, 150, 800)
response = np.abs(signal.sosfreqz(band_pass, f, fs=rate_hz)[1]) ** 2  # both ways
first_order = signal.butter(1, 0.5, "highpass", fs=rate_hz)
digital = np.abs(signal.freqz(*first_order, f, fs=rate_hz)[1])
assert np.abs(digital - 1 / np.hypot(1, 0.5 / f)).max() < 0.01  # the formula, and SciPy's filter
figure, axes = plt.subplots(figsize=(8, 3.6))
axes.loglog(f, response, color=plots.COLOURS["blue"], label="0.5 to 40 Hz, order 2, both ways")
axes.loglog(f, digital, "--", color=plots.COLOURS["vermillion"], label="high-pass of first order, 0.5 Hz")
for low, high, name in ((0.02, 0.6, "wander"), (1, 8, "motion"), (20, 100, "muscle")):
    axes.axvspan(low, high, ymin=0.02, ymax=0.12, color=plots.COLOURS["black"], alpha=0.15)
    axes.text(np.sqrt(low * high), 0.0017, name, ha="center")
for mains in (50, 60):
    axes.axvline(mains, color=plots.COLOURS["black"], linestyle=":", linewidth=1)
axes.text(62, 0.3, "mains", rotation=90)
axes.set(xlabel="frequency (Hz)", ylabel="factor on the amplitude", ylim=(0.001, 1.5), xticks=[0.05, 0.5, 5, 50],
         xticklabels=["0.05", "0.5", "5", "50"])  # fmt: skip
axes.legend(loc="lower center", bbox_to_anchor=(0.5, 0.14))
plots.picture(
    figure,
    alt="Amplitude response against frequency, both logarithmic. The band-pass is near 1 from about 1 to 20 Hz and "
    "falls steeply on both sides. The first-order high-pass falls slowly below 0.5 Hz. Wander lies where both are "
    "small, motion where both are near 1, muscle and mains around the upper edge.",
)

# %%
three = replace(quiet, wander_mv=0.3, hum_mv=0.05, muscle_mv=0.03)
noisy = data.simulate_ecg(52, duration_s=60, noise=three).lead("MLII")
pair = np.column_stack([noisy, signal.sosfiltfilt(band_pass, noisy)])
plots.show_ecg(
    pair[rate_hz * 20 : rate_hz * 25], leads=("as recorded", "0.5 to 40 Hz"), sampling_rate_hz=rate_hz,
    title="Simulated patient with wander, hum and muscle noise",
    alt="The same five seconds twice. Above, the line sways and is fuzzy with hum. Below it is level and nearly "
    "smooth, with the same beats.",
)  # fmt: skip

# %% [markdown]
# Wander goes, hum and muscle shrink, **motion stays**: it has the frequencies of the heart. No filter of this kind can
# tell them apart. Keep that in mind when the detector fails.
#
# 40 Hz has its price, too. The QRS is the fastest thing in the line, and cutting its highest frequencies rounds it:

# %%
whole, peaks, height = patient.lead("MLII").astype(float), patient.beats[5:-5], {}
for high in (150, 40, 15):
    low_pass = signal.butter(2, high, fs=rate_hz, output="sos")
    height[high] = np.median(signal.sosfiltfilt(low_pass, whole)[peaks])
    print(f"low-pass {high:3d} Hz: R peak {height[high]:.2f} of {np.median(whole[peaks]):.2f} mV")
assert height[15] < 0.9 * np.median(whole[peaks]) < height[150]

# %% [markdown]
# For reading amplitudes, as in an enlarged heart, the recommendation is 150 Hz or more in adults ([Kligfield
# 2007](https://doi.org/10.1016/j.jacc.2007.01.024)). For finding beats, 40 Hz is plenty. **A filter is chosen for a
# question.** The lower end can do worse than blunt a peak: it can invent an illness.

# %% [markdown]
# ## A filter that makes you ill
# Between QRS and T the line should be level: the **[ST segment](glossary:st-segment)**. In a heart attack it is not. A
# rise of 0.1 mV, one small square, in two neighbouring leads (more in V2 and V3) calls the team; a sag of 0.05 mV is a
# sign of too little blood ([Thygesen 2018](https://doi.org/10.1161/CIR.0000000000000617)). It is measured against the
# line before the QRS.
#
# Now send a beat through the high-pass $\dot y=\dot x-\omega_cy$. A QRS complex is short, so treat it as an impulse of
# area $A$ (mV s): $x=A\,\delta(t)$. During the impulse $y$ follows $x$, so its area is $A$ as well. Integrate the
# equation over the impulse: $x$ is back where it was, and $y$ has changed by $-\omega_c A$. From then on $\dot x=0$,
# and $y$ creeps back with $\dot y=-\omega_cy$:
#
# $$y(t)=A\,\delta(t)-\omega_cA\,e^{-\omega_ct}\quad(t\ge0).$$
#
# **Behind every QRS complex the line sags**, by an amount that you can compute.
#
# ### Exercise: how far does ST move?
# Return the level just behind the QRS ($t\to0$) in mV, for a QRS of this area and this cut-off.

# %% tags=["exercise"]
def st_shift_mv(area_mv_s, cutoff_hz):
    """Return the shift of the ST segment in mV, just behind the QRS complex."""
    return ...  # your code


# %% tags=["check"]
ex.st_shift_mv.check(st_shift_mv)

# %% [markdown]
# Test it on a beat that you know: drawn from three bell curves (**simulated**), with an ST segment at exactly 0 mV.
#
# **Predict:** the R wave is 1.5 mV high, its area 0.053 mV s. How large is the false ST depression at 0.05 Hz, and at
# 0.5 Hz? And what does the same 0.5 Hz do, run forwards and backwards?

# %%
fine_hz = 500
t = np.arange(round(12 * 0.9 * fine_hz)) / fine_hz
r_times = 0.45 + 0.9 * np.arange(12)
waves = ((0.15, -0.17, 0.020), (1.5, 0.0, 0.014), (0.3, 0.28, 0.045))  # mV; s from R; width in s: P, R, T
known = sum(h * np.exp(-0.5 * ((t - r - at) / w) ** 2) for r in r_times for h, at, w in waves)
area_mv_s = 1.5 * 0.014 * np.sqrt(2 * np.pi)


def st_level(line):
    """Return the level 50 ms behind the R peak minus that 50 ms before it, in the eleventh beat."""
    before, behind = (np.searchsorted(t, r_times[10] + at) for at in (-0.05, 0.05))
    return line[behind] - line[before]


# %%
results = {"as it is": known}
for cutoff in (0.05, 0.5):
    filter_ = signal.butter(1, cutoff, "highpass", fs=fine_hz)
    results[f"{cutoff} Hz, live"] = signal.lfilter(*filter_, known)
    results[f"{cutoff} Hz, both ways"] = signal.filtfilt(*filter_, known)
for name, line in results.items():
    print(f"{name:18s} ST {st_level(line):+.3f} mV")
law = -2 * np.pi * 0.5 * area_mv_s
print(f"the law at 0.5 Hz: {law:+.3f} mV, at 0.05 Hz: {law / 10:+.3f} mV")
assert abs(st_level(known)) < 0.001 and 0.7 < st_level(results["0.5 Hz, live"]) / law < 1
assert abs(st_level(results["0.05 Hz, live"])) < 0.02 and abs(st_level(results["0.5 Hz, both ways"])) < 0.01

# %%
chosen = ["as it is", "0.05 Hz, live", "0.5 Hz, live", "0.5 Hz, both ways"]
last = slice(round(6.9 * fine_hz), round(10.7 * fine_hz))
plots.show_ecg(
    np.column_stack([results[name][last] for name in chosen]), leads=chosen, sampling_rate_hz=fine_hz,
    start_s=6.9, title="Simulated beats, four filters",
    alt="Four rows of the same beats. With a live high-pass of 0.5 Hz the line behind the QRS complex sags by more "
    "than one small square and climbs to the T wave. In the other three rows it is level.",
)  # fmt: skip

# %% [markdown]
# Look closer at the foot of one beat. Each line is drawn from its own level in front of the QRS (first dotted line), as
# a doctor measures ST.

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(8, 3.6))
foot = (t > r_times[10] - 0.32) & (t < r_times[10] + 0.55)
for name, colour, style in zip(chosen, ("black", "sky blue", "vermillion", "blue"), ("-", "--", "-", "-.")):
    line = results[name] - results[name][np.searchsorted(t, r_times[10] - 0.05)]
    axes.plot(1000 * (t[foot] - r_times[10]), line[foot], linestyle=style, color=plots.COLOURS[colour], label=name)
for at in (-50, 50):
    axes.axvline(at, color=plots.COLOURS["black"], linestyle=":", linewidth=1)
axes.axhspan(-0.1, 0, color=plots.COLOURS["yellow"], alpha=0.3)
axes.text(-310, -0.09, "one small square")
axes.set(xlabel="time after the R peak (ms)", ylabel="mV, from the level at -50 ms", ylim=(-0.18, 0.4))
axes.set_title("The foot of one simulated beat")
axes.legend(loc="upper right", fontsize=9)
plots.picture(
    figure,
    alt="The foot of one beat, enlarged, each line from its level in front of the QRS. Behind the R wave the live 0.5 "
    "Hz filter is more than one small square too low and climbs; the other lines lie close to the true one there.",
)

# %% [markdown]
# A healthy beat, and an ST depression of more than one small square: made by the filter. Ten times lower, it is ten
# times smaller. (What was measured is a little less than the law. 50 ms behind the peak some of the sag has crept back,
# and the line in front of the QRS still sags from the waves before it.)
#
# And both ways? The first pass sags **behind** the QRS, the second, running backwards, **in front** of it. For first
# order, $|H|^2=1-f_c^2/(f^2+f_c^2)$, and the impulse response is $\delta(t)-\frac{\omega_c}2e^{-\omega_c|t|}$: half the
# sag on each side. The reference in front of the QRS sinks as far as ST does, and their difference nearly stays. Even
# more amplitude is lost than live, and ST hardly moves: **what bent it was the shift in time**, as [Tayler and Vincent
# 1985](https://doi.org/10.1136/hrt.54.2.121) found.
#
# So the recommendation has two halves: 0.05 Hz for filters that run live; up to 0.67 Hz where a filter has no phase
# distortion ([Kligfield 2007](https://doi.org/10.1016/j.jacc.2007.01.024)). Bedside monitors often run live at 0.5 Hz,
# for a calm line: fine for rhythm, not fit for ST. In 42 of 45 people without symptoms, recordings made live at 0.5 Hz
# moved ST by a clinically significant amount ([Buendía-Fuentes 2012](https://doi.org/10.5402/2012/706217)).
#
# One trap is left. A limit like 0.67 Hz is meant where 0.71 of the amplitude passes. Run both ways, a filter passes
# only half at its nominal cut-off. Where does ours pass 0.71?

# %%
passes_071 = 0.5 / np.sqrt(np.sqrt(2) - 1)  # f² / (f² + fc²) = 1 / sqrt(2), solved for f
print(f"0.5 Hz run both ways passes 0.71 of the amplitude at {passes_071:.2f} Hz")
assert np.isclose(1 / (1 + (0.5 / passes_071) ** 2), np.sqrt(0.5)) and passes_071 > 0.67

# %% [markdown]
# That is above the limit. Two passes make a filter steeper: count both.

# %% [markdown]
# ## Make the beat stand out
# Finding beats looks like finding the tallest peaks. It is not. T waves can be taller than R, the baseline sways, and
# some leads show QRS pointing down. What marks a QRS is that it is **fast**. [Pan and Tompkins
# 1985](https://doi.org/10.1109/TBME.1985.325532) turned that into a chain of four steps:
#
# 1. **Band-pass**, 5 to 15 Hz: where the QRS has its energy. P and T are slower, hum and muscle faster.
# 2. **Derivative**, $y_n=\frac{f_s}8\,(2x_{n+1}+x_{n+2}-x_{n-2}-2x_{n-1})$: the slope in mV/s.
# 3. **Square**: all positive, and large slopes become much larger than small ones.
# 4. **Moving mean** over 150 ms: the width of a wide QRS. Its several slopes melt into one hump.
#
# The last step is a window that ends with the present sample, $y_n=\frac1N\,(x_{n-N+1}+\dots+x_n)$.
#
# ### Exercise: the moving-window integral
# Before the first sample there was 0.

# %% tags=["exercise"]
def moving_mean(values, width):
    """Return the mean of each value and the width - 1 values before it; as long as `values`."""
    return ...  # your code


# %% tags=["check"]
ex.moving_mean.check(moving_mean)

# %% [markdown]
# **What is theirs and what is ours.** They worked live, at 200 Hz, on a microprocessor of 1985 that multiplied slowly.
# So their filters have integer coefficients that are sums and shifts, and the output comes late. We have a recording
# and SciPy. Our filter is Butterworth's, zero-phase, at any sampling rate, and the windows are centred, so nothing
# comes late. The figure compares the two bands; the coefficients of theirs are in the folded cell.

# %% tags=["hide-input"]
low_b, low_a = np.zeros(13), [1, -2, 1]  # theirs: y[n] = 2 y[n-1] - y[n-2] + x[n] - 2 x[n-6] + x[n-12]
low_b[[0, 6, 12]] = 1, -2, 1
high_b, high_a = np.zeros(33), [1, -1]  # x[n-16] minus the mean of the last 32
high_b[[0, 16, 17, 32]] = -1 / 32, 1, -1, 1 / 32
f = np.linspace(0.2, 40, 800)
theirs = np.abs(signal.freqz(low_b, low_a, f, fs=200)[1] * signal.freqz(high_b, high_a, f, fs=200)[1]) / 36
qrs_band = signal.butter(2, [5, 15], "bandpass", fs=rate_hz, output="sos")
ours = np.abs(signal.sosfreqz(qrs_band, f, fs=rate_hz)[1]) ** 2
edges = {name: f[gain > gain.max() / 2][[0, -1]] for name, gain in (("theirs", theirs), ("ours", ours))}
figure, axes = plt.subplots(figsize=(7.5, 3.2))
axes.plot(f, theirs / theirs.max(), label="theirs: integers, 200 Hz")
axes.plot(f, ours / ours.max(), label="ours: Butterworth, both ways")
axes.set(xlabel="frequency (Hz)", ylabel="factor on the amplitude")
axes.legend()
for name, (low, high) in edges.items():
    print(f"{name:6s} half of the largest factor from {low:.1f} to {high:.1f} Hz")
assert np.allclose(edges["theirs"], edges["ours"], atol=3)
plots.picture(
    figure,
    alt="Two amplitude responses against frequency, both with one hump around 9 Hz. The integer filter reaches a "
    "little lower and has small side lobes above 33 Hz; the Butterworth filter falls off smoothly.",
)

# %% [markdown]
# **Predict:** now the four steps. Look at a ventricular beat, the wide one, beside normal ones. Which of the two will
# have the higher hump at the end?

# %%
def stand_out(ecg_mv, rate_hz):
    """Return the band-passed signal, its slope, and the moving mean of the squared slope."""
    qrs_band = signal.butter(2, [5, 15], "bandpass", fs=rate_hz, output="sos")
    band = signal.sosfiltfilt(qrs_band, ecg_mv)
    slope = np.convolve(band, np.array([1, 2, 0, -2, -1]) * rate_hz / 8, "same")  # mV/s
    width = round(0.150 * rate_hz)
    return band, slope, np.convolve(slope**2, np.ones(width) / width, "same")


# %%
record = data.simulate_ecg(8, duration_s=60)  # simulated; with noise, drawn as in life
ecg = record.lead("MLII").astype(float)
band, slope, hump = stand_out(ecg, record.sampling_rate_hz)
by_kind = {kind: hump[record.beats[record.symbols == kind]] for kind in ("N", "V")}
for kind, of_kind in by_kind.items():
    print(f"{kind}: median height of the hump {np.median(of_kind):.0f} (mV/s)²")
ratio = np.median(by_kind["N"]) / np.median(by_kind["V"])
print(f"normal to ventricular: {ratio:.0f} to 1")
assert 4 < ratio < 20

# %% tags=["hide-input"]
first_v = record.beats_s[record.symbols == "V"][2]
window = (record.time_s > first_v - 2.2) & (record.time_s < first_v + 2.2)
lines = {"ECG (mV)": ecg, "5 to 15 Hz (mV)": band, "slope (mV/s)": slope, "slope²": slope**2, "moving mean": hump}
figure, axes = plt.subplots(5, 1, figsize=(8.5, 7), sharex=True)
for ax, (name, line) in zip(axes, lines.items()):
    ax.plot(record.time_s[window], line[window], "-", color=plots.COLOURS["black"], linewidth=1)
    ax.set_ylabel(name, fontsize=9)
    ax.margins(x=0)
for beat, symbol in zip(record.beats_s, record.symbols):
    if abs(beat - first_v) < 2.1:
        axes[0].text(beat, 1.02, symbol, ha="center", weight="bold", transform=axes[0].get_xaxis_transform())
        axes[4].axvline(beat, color=plots.COLOURS["vermillion"], linestyle=":", linewidth=1.2)
axes[0].set_title("Simulated patient: N normal, V ventricular premature", pad=20)
axes[4].set_xlabel("time (s); dotted: the annotated beats")
figure.align_ylabels()
plots.picture(
    figure,
    alt="Five rows over four seconds: the ECG with normal beats and a ventricular premature one, the band-passed line, "
    "its slope, the squared slope and the moving mean. In the last row each beat is one hump and little else is left.",
)

# %% [markdown]
# P and T are gone. Each beat is one hump, whichever way its QRS points. But look at the ventricular beat. To the eye
# it is the most striking of all: wide, no P in front, T turned over. Its hump is the **smallest**: it is wide, so it
# is slow, and slow is what the band-pass and the derivative take away. Squaring makes it worse: a third of the slope is
# a ninth of the hump. That will come back.

# %% [markdown]
# ## Decide: thresholds that learn
# What is high? In another patient, another lead, another hour, something else. So the thresholds **learn as they go**.
# Two running heights are kept: $S$, of the humps that were taken for beats, and $N$, of those that were taken for
# noise. A new hump of height $h$ is compared with
#
# $$\theta=N+\tfrac14\,(S-N),$$
#
# and moves the height of its own kind by an eighth of the way: $S\leftarrow\frac78S+\frac18h$, or $N$ likewise. Three
# rules stand around it.
#
# **Refractory period.** Heart muscle that has been excited cannot be again for some time. Nothing less than 200 ms
# after a beat is a beat.
#
# ### Exercise: too soon
# Walk through the candidates in time. Keep the first, and then each one that is not less than `refractory_s` after the
# last one that you **kept**.

# %% tags=["exercise"]
def keep_apart(times_s, refractory_s):
    """Return the times that are kept, ascending."""
    return ...  # your code


# %% tags=["check"]
ex.keep_apart.check(keep_apart)

# %% [markdown]
# (Below, `signal.find_peaks(..., distance=...)` sees to it. It keeps the higher of two that are too close, not the
# earlier: it knows the future.)
#
# **T waves.** A hump less than 360 ms after a beat is a T wave if its steepest slope is less than half of that beat's.
#
# **Search back.** If no beat has come for 1.66 mean RR intervals, one was probably missed. Look again at what lay in
# between, with half the threshold. What is found moves $S$ by a quarter of the way: the heights have changed, catch up.
#
# ### Exercise (further): search back
# If more than `1.66 * mean_rr_s` lie between `last_s` and `now_s`, return the index of the highest candidate strictly
# between the two with a height above `low`. Where there is none, or no such gap, return -1.

# %% tags=["exercise"]
def look_back(times_s, heights, last_s, now_s, mean_rr_s, low):
    """Return the index of the beat that was missed, or -1."""
    return ...  # your code


# %% tags=["check"]
ex.look_back.check(look_back)

# %% [markdown]
# Now the whole. First the candidates, vectorised: time, height and steepest slope of each hump.
#
# **Predict:** how many candidates will there be for each beat?

# %%
def candidates_of(ecg_mv, rate_hz):
    """Return times (s), heights, steepest slopes and R peaks (samples) of the humps; first levels."""
    band, slope, hump = stand_out(ecg_mv, rate_hz)
    samples = signal.find_peaks(hump, distance=round(0.200 * rate_hz))[0]  # none closer than 200 ms
    reach = np.arange(-round(0.1 * rate_hz), round(0.1 * rate_hz))
    around = np.clip(samples[:, None] + reach, 0, len(hump) - 1)  # (candidate, sample)
    steepest = np.abs(slope[around]).max(axis=1)
    r_peaks = around[np.arange(len(samples)), np.abs(band[around]).argmax(axis=1)]
    start = hump[: round(2 * rate_hz)]  # two seconds to learn from
    return samples / rate_hz, hump[samples], steepest, r_peaks, (start.max() / 3, start.mean() / 2)


# %%
times, heights, steepest, r_peaks, (beat_level, noise_level) = candidates_of(ecg, rate_hz)
print(f"{len(times)} candidates for {len(record.beats)} beats")
print(f"first levels: beats {beat_level:.0f}, noise {noise_level:.1f} (mV/s)²")
assert 1.5 < len(times) / len(record.beats) < 5

# %% [markdown]
# About three: the beat itself, often its T wave, and something else, P or noise. The humps of the last two are far
# lower. (The paper says to learn the first levels from two seconds, and not how. A third of the highest hump and half
# of the mean are ours.)
#
# Then the walk. It is a loop, because each decision depends on the one before. Four pieces, each one a rule from
# above: `Walker` holds $S$, $N$ and the list of beats; `is_t_wave`; `missed_before`, which searches back; and
# `find_r_peaks`, which walks.

# %%
class Walker:
    """Walks through the candidates and remembers which were beats."""

    def __init__(self, times, heights, steepest, levels):
        self.times, self.heights, self.steepest = times, heights, steepest
        self.beat, self.noise = levels
        self.taken, self.trace = [], []

    @property
    def threshold(self):
        return self.noise + 0.25 * (self.beat - self.noise)

    def take(self, k, share):
        self.taken.append(k)
        self.beat += share * (self.heights[k] - self.beat)


# %%
def is_t_wave(walker, k):
    """Say whether a candidate is soon after the last beat, and much less steep."""
    if not walker.taken:
        return False
    last = walker.taken[-1]
    soon = walker.times[k] - walker.times[last] < 0.360
    return soon and walker.steepest[k] < walker.steepest[last] / 2


# %%
def missed_before(walker, k):
    """Return the candidate that was missed between the last beat and candidate k, or None."""
    if len(walker.taken) < 3:
        return None
    last = walker.taken[-1]
    mean_rr = np.mean(np.diff(walker.times[walker.taken[-9:]]))  # of the last eight
    if walker.times[k] - walker.times[last] <= 1.66 * mean_rr:
        return None
    low = walker.threshold / 2
    open_ones = [j for j in range(last + 1, k)
                 if walker.heights[j] > low and not is_t_wave(walker, j)]  # fmt: skip
    return max(open_ones, key=lambda j: walker.heights[j], default=None)


# %%
def find_r_peaks(ecg_mv, rate_hz, with_walker=False):
    """Return the samples of the R peaks: Pan and Tompkins, on a recording."""
    times, heights, steepest, r_peaks, levels = candidates_of(ecg_mv, rate_hz)
    walker = Walker(times, heights, steepest, levels)
    for k in range(len(times)):
        missed = missed_before(walker, k)
        if missed is not None:
            walker.take(missed, 1 / 4)
        if heights[k] > walker.threshold and not is_t_wave(walker, k):
            walker.take(k, 1 / 8)
        else:
            walker.noise += (heights[k] - walker.noise) / 8
        walker.trace.append(walker.threshold)
    found = np.unique(r_peaks[walker.taken])
    return (found, walker) if with_walker else found


# %%
found, walker = find_r_peaks(ecg, rate_hz, with_walker=True)
print(f"{len(found)} beats found, {len(record.beats)} annotated")
print("first ones, s:", np.round(found[:5] / rate_hz, 2), "annotated:", np.round(record.beats_s[:5], 2))
nearest_s = np.abs(record.beats_s[:, None] - found / rate_hz).min(axis=1)  # (beat,)
print("not found within 150 ms:", *record.symbols[nearest_s > 0.15])
missed_there = nearest_s > 0.15
assert set(record.symbols[missed_there]) == {"V"} and missed_there.mean() < 0.15
assert np.any(~missed_there & (record.symbols == "V"))

# %% tags=["hide-input"]
span = (first_v - 4, first_v + 4)
figure, axes = plt.subplots(2, 1, figsize=(9, 4.6), sharex=True, height_ratios=(1, 1.2))
axes[0].plot(record.time_s, ecg, "-", color=plots.COLOURS["black"], linewidth=0.9)
axes[0].plot(found / rate_hz, ecg[found], "v", color=plots.COLOURS["vermillion"])
near = (record.time_s > span[0]) & (record.time_s < span[1])
axes[0].set(ylabel="ECG (mV)", xlim=span, ylim=(ecg[near].min() - 0.2, ecg[near].max() + 0.4))
axes[0].set_title("Simulated patient: N normal, V ventricular premature; triangles: found", pad=20)
for beat, symbol in zip(record.beats_s, record.symbols):
    if abs(beat - first_v) < 4:
        axes[0].text(beat, 1.02, symbol, ha="center", weight="bold", transform=axes[0].get_xaxis_transform())
taken = np.isin(np.arange(len(walker.times)), walker.taken)
axes[1].semilogy(walker.times[taken], walker.heights[taken], "o", label="taken for a beat")
axes[1].semilogy(walker.times[~taken], walker.heights[~taken], "x", label="taken for noise")
axes[1].step(walker.times, walker.trace, "--", where="post", color=plots.COLOURS["black"], label="threshold")
axes[1].set(ylabel="hump, (mV/s)²", xlabel="time (s)")
axes[1].legend(loc="lower right", ncols=3, fontsize=9)
plots.picture(
    figure,
    alt="Above, eight seconds of ECG with a triangle on each R peak that was found: on all normal beats, not on the "
    "ventricular one. Below, the height of each hump on a logarithmic axis: circles, taken for beats, lie above the "
    "dashed threshold; crosses, taken for noise, mostly far below it.",
)

# %% [markdown]
# Two clouds with a wide gap, and a threshold in between. That gap is what the four steps were for. But the ventricular
# beats fall **into** the gap, below the threshold. Every normal beat was found, and all that was missed is of this
# kind. The number that a doctor asks for next, "how many premature beats?", would be badly wrong.
#
# Search back brought one ventricular beat home. Here it is, the first V. The second V stands in a gap that is long
# enough, too, but its hump is below half of the threshold. (For others the gap was too short.) In the row "predicted"
# a beat that was found has its own symbol, one that was missed a "≠ ?" in a frame.

# %%
said = np.where(missed_there, "?", record.symbols)
widgets.draw_strip(record, 2.5, lead="MLII", predictions=said)

# %% [markdown]
# Now slide along the record yourself. The lower slider, or the buttons, go from one missed beat to the next.

# %%
widgets.explore_strip(record, lead="MLII", predictions=said)

# %% [markdown]
# To be fair to the authors: they keep a second pair of thresholds on the band-passed signal and ask
# both; they average RR intervals in two ways, and halve the thresholds while the rhythm is irregular. We left these
# out.

# %% [markdown]
# ## Score it, and break it
# So many were found, so many are annotated: are they the same ones? A detection counts if it lies within **150 ms** of
# an annotated beat, and each beat takes one detection: the window of the standard for such devices, ANSI/AAMI EC57.
# From three counts come two scores:
#
# $$\text{sensitivity}=\frac{\text{found}}{\text{found}+\text{missed}},\qquad
# \text{precision}=\frac{\text{found}}{\text{found}+\text{false}} .$$
#
# These are the [sensitivity](glossary:sensitivity) and, as doctors call precision, the
# [positive predictive value](glossary:positive-predictive-value). There is no specificity. Nobody can count the
# moments at which there was rightly no beat. **F1** is the harmonic mean of the two scores.
#
# ### Exercise: pair them
# Both lists ascend. Pair beats and detections one to one, no further apart than the tolerance, as many as can be.

# %% tags=["exercise"]
def count_beats(reference_s, detected_s, tolerance_s):
    """Return (found, missed, false)."""
    return ...  # your code


# %% tags=["check"]
ex.count_beats.check(count_beats)

# %% [markdown]
# Your walk gets the counts right. Which detection belongs to which beat, it may get wrong, and then the timing errors
# are wrong. `metrics.match_r_peaks` takes, of all pairings with the most pairs, the one with the smallest summed error.

# %%
from medlearn import metrics

beats_s, heard_s = [1.00, 1.10, 2.00], [0.86, 1.00, 1.12, 2.60]
found_there = metrics.match_r_peaks(beats_s, heard_s)
print(found_there)
print("errors", np.round(1000 * found_there.errors_s), "ms; false at", found_there.false_s, "s")
assert np.allclose(found_there.errors_s, [0, 0.02]) and found_there.num_false == 2

# %% [markdown]
# Now put the detector through noise, on 20 simulated patients whose seeds were set apart for the test. All constants
# were fixed before: they are the paper's, or were written down above. The noise is what is usual in a recording, times
# a level.
#
# Beside ours runs a detector that others maintain: `xqrs_detect` of the package wfdb. Both hear the first ten seconds,
# which do not count. The difference of the two gets its own interval, by drawing patients (lesson 05b).
#
# **Predict:** at which level does it fall apart? And which goes first, sensitivity or precision?

# %%
from tqdm.auto import tqdm
from wfdb.processing import xqrs_detect


def usual_noise(level):
    """Return the noise of a typical recording, times a level."""
    usual = {"wander_mv": 0.13, "hum_mv": 0.003, "muscle_mv": 0.007,
             "motion_per_min": 0.5, "dropouts_per_min": 0.05}  # fmt: skip
    return replace(quiet, **{name: level * value for name, value in usual.items()})


def with_noise(noise):
    """Return 20 simulated test patients of 70 s."""
    return list(data.simulate_ecgs(20, seed=2000, duration_s=70, noise=noise))


# %%
def score(records, detector, skip_s=10):
    """Return the matches of each record's first lead."""
    found = []
    for record in records:
        heard_s = detector(record.signals_mv[:, 0].astype(float)) / rate_hz
        found.append(metrics.match_r_peaks(record.beats_s, heard_s, skip_s=skip_s))
    return found


def ours_at_360(ecg_mv):
    return find_r_peaks(ecg_mv, rate_hz)


def wfdbs_at_360(ecg_mv):
    return xqrs_detect(ecg_mv, rate_hz, verbose=False)


# %%
def counts_of(matches):
    """Return found, missed and false of each record, (records, 3)."""
    return np.array([(m.num_true, m.num_missed, m.num_false) for m in matches])


def f1_of(counts):
    found, missed, false = counts.sum(axis=0)
    return 2 * found / (2 * found + missed + false)


def f1_gap(ours, theirs, patients):
    """Return F1 of ours minus F1 of theirs, with an interval over the patients."""
    pair = counts_of(ours), counts_of(theirs)
    return metrics.bootstrap(lambda a, b: f1_of(a) - f1_of(b), *pair, patients=patients)


def verdict(gap):
    """Say what the interval of a difference, ours minus wfdb, allows to say."""
    if gap.low <= 0 <= gap.high:
        return "holds 0, no ranking"
    return "above 0, ours is ahead" if gap.low > 0 else "below 0, wfdb is ahead"


# %%
levels = (0, 1, 4, 16, 32)
at_level, behind = {}, {}
for level in tqdm(levels, desc="noise levels", leave=False):
    people = with_noise(usual_noise(level))
    names = [person.patient for person in people]
    both = {"ours": score(people, ours_at_360), "wfdb": score(people, wfdbs_at_360)}
    at_level[level] = {name: metrics.r_peaks(found, patients=names) for name, found in both.items()}
    behind[level] = f1_gap(both["ours"], both["wfdb"], names)

# %%
for level in levels:
    print(f"noise x {level}")
    for quality in ("sensitivity", "precision"):
        for name, report in at_level[level].items():
            e = getattr(report, quality)
            print(f"   {name} {quality:11s} {e.value:.3f} ({e.low:.3f} to {e.high:.3f})", end="")
        print()
assert at_level[1]["ours"].f1.value > 0.98 and at_level[32]["ours"].f1.value < 0.93

# %%
for level, gap in behind.items():
    interval = f"({gap.low:+.3f} to {gap.high:+.3f})"
    print(f"noise x {level:2d}: F1, ours minus wfdb {gap.value:+.3f} {interval}: {verdict(gap)}")
    assert gap.low <= gap.value <= gap.high and abs(gap.value) < 0.1

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for ax, quality in zip(axes, ("sensitivity", "precision")):
    for name, shift, style in (("ours", -0.07, "o-"), ("wfdb", 0.07, "s--")):
        estimates = [getattr(at_level[level][name], quality) for level in levels]
        values = np.array([e.value for e in estimates])
        bars = [values - [e.low for e in estimates], [e.high for e in estimates] - values]
        ax.errorbar(np.arange(5) + shift, values, yerr=bars, fmt=style, capsize=3, label=name)
    ax.set(xticks=range(5), xticklabels=levels, xlabel="multiple of the usual noise", title=quality)
axes[0].set_ylabel("share, with 95 % interval")
axes[0].legend(loc="lower left")
plots.picture(
    figure,
    alt="Sensitivity and precision of both detectors against the noise, with intervals over 20 simulated patients. "
    "Both stay near 1 up to the usual noise and fall with 16 and 32 times as much; most intervals of the two overlap.",
)

# %% [markdown]
# With the usual noise both find nearly all. At higher levels they lose both ways.
#
# Which is better? The intervals of the two mostly overlap in the figure, but **overlap is no test**: both heard the
# same patients, and what is hard for one is hard for the other. Read the interval of the difference, printed above the
# figure. Where it holds 0, you cannot rank the two. Where it does not, make little of it: those are five looks, and
# with 20 patients such an interval is somewhat too narrow.
#
# And a precision of 1.000 with an interval down to 0.82? Where no patient had a false beat, drawing patients again
# always gives 1, as if you were sure. So the library gives about the interval of "20 patients of 20" there.
#
# Which noise does the harm? One kind at a time. (From here on you look at the test patients to understand, not to
# score: whatever you now change needs new ones.)
#
# **Predict:** wander with hum, muscle, or motion?

# %%
alone = {
    "wander and hum x 16": replace(quiet, wander_mv=0.13 * 16, hum_mv=0.003 * 16),
    "wander and hum x 32": replace(quiet, wander_mv=0.13 * 32, hum_mv=0.003 * 32),
    "muscle x 32": replace(quiet, muscle_mv=0.007 * 32),
    "motion x 32": replace(quiet, motion_per_min=0.5 * 32),
    "dropouts x 32": replace(quiet, dropouts_per_min=0.05 * 32),
}

# %%
harm, clipped = {}, {}
for kind, noise in alone.items():
    people = with_noise(noise)
    harm[kind] = metrics.r_peaks(score(people, ours_at_360), patients=names)
    clipped[kind] = np.mean([np.abs(person.signals_mv[:, 0]) > 5.11 for person in people])
    counts = f"{harm[kind].num_missed} missed, {harm[kind].num_false} false"
    print(f"{kind}: F1 {harm[kind].f1:.3f}")
    print(f"   {counts}; {clipped[kind]:.1%} of the samples clipped")
assert harm["motion x 32"].num_false > 5 * harm["motion x 32"].num_missed
assert harm["wander and hum x 16"].f1.value > 0.99 > 0.98 > harm["wander and hum x 32"].f1.value
assert clipped["wander and hum x 32"] > 0.05 > clipped["motion x 32"]

# %% [markdown]
# Two ways to fail. **Motion** lies in the band of the QRS, and is taken for beats: false ones, hardly any missed.
# **Wander** is what the band-pass removes, so it should do no harm, and at 16 times the usual it hardly does. At 32
# times the line leaves the range of the recorder, about ±5 mV, and is **clipped**. What was never recorded, no filter
# brings back. A lead that has fallen off is the same in a pure form.
#
# What kind of beat is missed? Take the level of 16. The letters: N normal, A premature from the atria, V from the
# ventricles, F a fusion of a normal beat and a V.

# %%
def missed_by_kind(records, matches):
    """Print how many beats of each kind were missed."""
    kinds = np.concatenate([r.symbols[r.beats_s >= 10] for r in records])
    missed = np.concatenate([r.symbols[np.isin(r.beats_s, m.missed_s)] for r, m in zip(records, matches)])
    for kind in ("N", "A", "V", "F"):
        if np.sum(kinds == kind):
            print(f"   {kind}: {np.sum(missed == kind)} missed of {np.sum(kinds == kind)}")
    return kinds, missed


people = with_noise(usual_noise(16))
matches = score(people, ours_at_360)
kinds_there, kinds_missed = missed_by_kind(people, matches)
assert len(kinds_missed) == sum(match.num_missed for match in matches)

# %% tags=["hide-input"]
worst = int(np.argmax([match.num_false + match.num_missed for match in matches]))
bad, match = people[worst], matches[worst]
wrong_s = np.sort(np.concatenate([match.missed_s, match.false_s]))
start_s = min(max(wrong_s[np.argmax([np.sum((wrong_s >= w) & (wrong_s < w + 6)) for w in wrong_s])] - 1, 0), 62)
figure, axes = plt.subplots(figsize=(9, 3))
inside = (bad.time_s >= start_s) & (bad.time_s < start_s + 8)
line = bad.signals_mv[:, 0]
axes.plot(bad.time_s[inside], line[inside], "-", color=plots.COLOURS["black"], linewidth=0.8)
top = line[inside].max()
for times_of, marker, colour, name, up in (
    (bad.beats_s, "|", "black", "annotated", 0.5),
    (match.missed_s, "o", "blue", "missed", 0.25),
    (match.false_s, "x", "vermillion", "false", 0.25),
):
    shown_s = times_of[(times_of >= start_s) & (times_of < start_s + 8)]
    axes.plot(shown_s, np.full(len(shown_s), top + up), marker, color=plots.COLOURS[colour], label=name, markersize=9)
axes.set(xlabel="time (s)", ylabel="ECG (mV)", ylim=(line[inside].min() - 1.4, top + 0.9))
axes.set_title("Simulated, 16 times the usual noise: where it went most wrong")
axes.legend(loc="lower left", ncols=3)
plots.picture(
    figure,
    alt=f"Eight seconds of a very noisy simulated ECG. Above it marks for the annotated beats, and for beats that were "
    f"missed or false: {match.num_missed} missed and {match.num_false} false in the whole minute.",
)

# %% [markdown]
# Mostly normal beats are missed, because most beats are normal. Each rarer kind stands on a dozen or two: too few to
# compare. In the strip an electrode moves, and its swings pass for beats; a true one among them is lost.

# %% [markdown]
# ## Real patients
# The MIT-BIH Arrhythmia Database: 48 half-hour records of 47 people (201 and 202 are one person), each beat marked by
# two cardiologists ([Moody and Mark 2001](https://doi.org/10.1109/51.932724)). Nothing is learned or chosen here, so
# the whole database may be used. What was fixed **before** any of it was scored:
#
# - the first signal of each record;
# - for the detector above, the half-hour without its first five minutes, as EC57 has it;
# - for the comparison, minutes 5 to 10 of all 48 records, because wfdb's detector takes many times as long.
#
# First a look. This is a real strip of record 208, if it is in reach.

# %%
try:
    real_strip = data.load_ecg_strip()
except data.DataUnavailable as reason:
    real_strip = None
    print(reason)
if real_strip is not None:
    real_found = find_r_peaks(real_strip.lead("MLII").astype(float), real_strip.sampling_rate_hz)
    print(f"{len(real_found)} beats found in five minutes, {len(real_strip.beats) or 'none'} annotated here")

# %% tags=["hide-input"]
shown_strip = None
if real_strip is not None:
    rate_real = round(real_strip.sampling_rate_hz)
    first = 60 * rate_real
    piece = real_strip.lead("MLII")[first : first + 8 * rate_real]
    shown_strip = plots.show_ecg(
        piece, sampling_rate_hz=rate_real, leads=["MLII"], start_s=60, title="Real: MIT-BIH record 208",
        alt="Eight seconds of a real ECG on paper: normal beats and a wide one with a deep T wave; a triangle above "
        "each beat that the detector found.",
    )  # fmt: skip
    at_s = real_found[(real_found >= first) & (real_found < first + len(piece))] / rate_real
    paper = shown_strip.figure.axes[0]
    paper.plot(at_s, np.full(len(at_s), 0.94), "v", color=plots.COLOURS["blue"], transform=paper.get_xaxis_transform())
shown_strip

# %% [markdown]
# Compare it with the simulated strips above: the same paper, narrow beats and a wide one, a baseline that sways and a
# line that trembles at the start. Then all 48 records.

# %%
have_mitdb = data.available("mitdb")
if have_mitdb:
    from medlearn.data.ecg_classes import DS1, DS2, PACED

    real = {"all": [], "ours": [], "wfdb": []}
    patients = []
    for name in tqdm(sorted(DS1 + DS2 + PACED), desc="records", leave=False):
        half_hour = data.load_mitdb(name)
        patients.append(half_hour.patient)
        real["all"] += score([half_hour], ours_at_360, skip_s=300)
        five_minutes = [half_hour.strip(290, 600)]
        real["ours"] += score(five_minutes, ours_at_360)
        real["wfdb"] += score(five_minutes, wfdbs_at_360)

# %%
if have_mitdb:
    reports = {name: metrics.r_peaks(matches, patients=patients) for name, matches in real.items()}
    titles = {"all": "ours, 25 minutes", "ours": "ours, minutes 5 to 10", "wfdb": "wfdb, minutes 5 to 10"}
    for name, report in reports.items():
        print(f"{titles[name]}\n{report}\n")
    assert reports["all"].num_true + reports["all"].num_missed > 90_000
    assert reports["all"].sensitivity.value > 0.985 and reports["all"].precision.value > 0.985
    assert reports["all"].sensitivity.num_patients == 47
    assert abs(reports["all"].median_error_s.value) < 1 / 360

# %%
def wrong_share(counts):
    """Return missed and false beats together, as a share of the annotated beats."""
    return counts[:, 1:].sum() / counts[:, :2].sum()


if have_mitdb:
    wrong = metrics.bootstrap(wrong_share, counts_of(real["all"]), patients=patients)
    gap_real = f1_gap(real["ours"], real["wfdb"], patients)
    print(f"ours, 25 minutes: missed and false together {wrong:.4f}")
    print(f"minutes 5 to 10: F1, ours minus wfdb {gap_real:.4f}")
    print(f"   {verdict(gap_real)}")
    assert 0.01 < wrong.value < 0.02 and wrong.low < 0.007 < wrong.high
    assert abs(gap_real.value) < 0.02

# %% [markdown]
# 91,000 beats of 47 people in a few seconds, and more than 98 of 100 found, by an algorithm of 1985 in a page of code.
# The median timing error is below one sample of 2.8 ms.
#
# The authors report 99.3 % right on the same database, with their live version ([Pan and Tompkins
# 1985](https://doi.org/10.1109/TBME.1985.325532)). That is no sensitivity: the 0.7 % are missed **and** false beats.
# So put it beside our "missed and false together": about twice as much, with 0.7 % inside the interval.
#
# **Predict:** now the errors. Are they spread over the patients, or do a few records hold most of them? And what might
# be special about such a record?

# %%
if have_mitdb:
    record_names = sorted(DS1 + DS2 + PACED)
    for what in ("missed", "false"):
        counts = np.array([getattr(match, f"num_{what}") for match in real["all"]])
        order = np.argsort(-counts)[:3]
        listed = ", ".join(f"{record_names[i]}: {counts[i]}" for i in order)
        print(f"{what}: {counts.sum()} in all; most in {listed}; none in {np.sum(counts == 0)} records")
        assert counts.max() > 0.5 * counts.sum()
    flutter = data.load_mitdb("207")
    edges_s = [sample / rate_hz for sample, symbol, _ in flutter.remarks if symbol in "[]"]
    in_flutter = np.sum(np.searchsorted(edges_s, real["all"][record_names.index("207")].false_s) % 2 == 1)
    print(f"false ones of 207 inside ventricular flutter: {in_flutter}")
    assert in_flutter > 200

# %% tags=["hide-input"]
shown_figure = None
if have_mitdb:
    index = record_names.index("114")
    part = data.load_mitdb("114").strip(290, 600)
    lost = real["ours"][index].missed_s
    line = part.signals_mv[:, 0].astype(float)
    hump_114 = stand_out(line, rate_hz)[2]
    begin = 79.0
    inside = (part.time_s >= begin) & (part.time_s < begin + 9)
    shown_figure, axes = plt.subplots(2, 1, figsize=(9, 4.2), sharex=True)
    axes[0].plot(part.time_s[inside], line[inside], "-", color=plots.COLOURS["black"], linewidth=0.9)
    axes[1].semilogy(part.time_s[inside], np.maximum(hump_114[inside], 0.01), "-", color=plots.COLOURS["black"])
    lost = lost[(lost >= begin) & (lost < begin + 9)]
    axes[0].plot(lost, np.full(len(lost), line[inside].max()), "o", color=plots.COLOURS["blue"], label="missed")
    beats_there = (part.beats_s >= begin) & (part.beats_s < begin + 9)
    for beat, symbol in zip(part.beats_s[beats_there], part.symbols[beats_there]):
        axes[0].text(beat, 1.03, symbol, ha="center", weight="bold", transform=axes[0].get_xaxis_transform())
    axes[0].set_ylabel("ECG, V5 (mV)")
    axes[0].set_title("Real: MIT-BIH record 114, first signal", pad=20)
    axes[1].set(ylabel="hump, (mV/s)²", xlabel="time (s)", ylim=(0.01, 3000))
    axes[0].legend(loc="lower right")
    heard_s = find_r_peaks(line, rate_hz) / rate_hz
    print(f"mean RR interval in 114: found {np.diff(heard_s).mean():.1f} s", end=", ")
    print(f"annotated {np.diff(part.beats_s).mean():.1f} s")
    assert np.diff(heard_s).mean() > 2 * np.diff(part.beats_s).mean()
    of_kind = [np.median(hump_114[part.beats[part.symbols == kind]]) for kind in ("V", "N")]
    print(f"median hump in 114: V {of_kind[0]:.0f}, N {of_kind[1]:.0f} (mV/s)²")
    assert of_kind[0] > 10 * of_kind[1]
    for name in ("ours", "wfdb"):
        there, everywhere = real[name][index].num_missed, sum(match.num_missed for match in real[name])
        print(f"{name}, minutes 5 to 10: {there} missed in 114, {everywhere - there} elsewhere")
        assert there > everywhere / 2 if name == "ours" else there < everywhere / 2
plots.picture(
    shown_figure,
    alt="Nine seconds of record 114: a fusion beat (F) and a ventricular one (V), both tall, among small normal beats. "
    "The two have humps more than ten times as high as the others; all normal beats are marked as missed.",
) if shown_figure else None

# %% [markdown]
# Most errors sit in a handful of records, and they have causes that you can name.
#
# - **114, missed.** Its first signal, V5, is small, and here it is the ventricular beat that is steep: its hump is
#   more than ten times as high as the normal ones. Squaring did that. $S$ jumps up, and then even half of the
#   threshold is too high for the normal beats: the detector is deaf. And it stays deaf. The mean RR interval is that of
#   the beats that were **found**: each gap makes it longer, and search back comes later and later. The authors' second
#   average takes only intervals near the usual one. That is what it is for, and we had left it out.
# - **207, false.** In ventricular flutter there are no separate beats, and the annotators marked no beats there. The
#   detector goes on finding "beats" in the waves. EC57 leaves such stretches out; here they are in.
# - **One person has more than half of the missed beats, another more than half of the false ones.** An interval over
#   beats would be narrow: 91,000! The interval over patients knows that the next 47 people may hold two such records,
#   or none, or five.
#
# And the other detector? In these five minutes it does far better on 114, and misses more in the other records. So one
# record decides, and the next 47 people may have none like it. That is why the interval of the difference, printed
# above, is so wide.

# %% [markdown]
# ### The bent ST segment, on a real heart
# The twelve-lead ECG of the beginning, in V5, behind a live high-pass of 0.5 Hz. Nobody knows the true ST level, but
# the change is the filter's.

# %%
raw = lead["V5"] - lead["V5"][0]
beats_12 = np.array([5473, 6448, 7449, 8423])  # samples of R peaks, read off the line


def st_of(line):
    """Return the median ST level, 80 ms behind R against 65 ms before it, in mV."""
    behind = [line[b + 75 : b + 85].mean() for b in beats_12]
    before = [line[b - 70 : b - 60].mean() for b in beats_12]
    return np.median(np.subtract(behind, before))


bent = {}
for cutoff in (0.05, 0.5):
    filter_ = signal.butter(1, cutoff, "highpass", fs=1000)
    bent[cutoff] = st_of(signal.lfilter(*filter_, raw)) - st_of(raw)
    zero_phase = st_of(signal.filtfilt(*filter_, raw)) - st_of(raw)
    print(f"{cutoff} Hz: ST moves by {bent[cutoff]:+.3f} mV live, {zero_phase:+.3f} mV both ways")
assert bent[0.5] < -0.05 < bent[0.05] < 0

# %% [markdown]
# ## What you may claim
# - **Einthoven's law and the two limb signals**: always, for any ECG whose leads were computed from the same
#   electrodes at the same moment.
# - **The ST shift**: derived for an impulse, measured on a simulated beat with a known ST level, and seen as a change
#   on one real patient. One patient shows that it happens, not how often; for that, the study of 45 people above.
# - **The detector**: sensitivity and precision above with their intervals, for people like the 47 of MIT-BIH, recorded
#   around 1980 with its recorder, first signal, beats within 150 ms. Beside the share of errors of both kinds
#   stand the published 0.7 %, from the original with all its rules. It does not say how it does on a smart watch, in a
#   fit of shivering, or in newborns.
# - **Against wfdb's detector**: what the line under the difference says, for five minutes each. Where an interval holds
#   0 there is no ranking, and no proof that the two are equal.
# - **Nothing was tuned on the patients that give the scores.** Drafts were scored on them too, the simulated and the
#   real ones. One draft renewed the threshold a candidate too late after search back, and missed fewer beats. The paper
#   renews it at once; so does ours, though the score is worse. Now that you have seen the errors of 114, every repair
#   that you try is tuned on it, and its score there would no longer be a test.

# %% [markdown]
# ## Summary
# - A lead is a difference of potentials. I + III = II, always: the six limb leads hold two signals.
# - 1 mm is 0.04 s and 0.1 mV at 25 mm/s and 10 mm/mV. The rate is 300 divided by the big squares between R peaks.
# - A filter changes amplitude and phase. 0.5 to 40 Hz takes wander and most of the hum; motion stays, as it has the
#   frequencies of the heart.
# - A live high-pass lets the line sag by $2\pi f_cA$ behind a QRS of area $A$: at 0.5 Hz enough to fake an illness.
#   0.05 Hz live, or zero phase.
# - Pan and Tompkins: band-pass, slope, square, moving mean; thresholds that learn; refractory period, T-wave rule,
#   search back.
# - Score beat by beat, one to one within 150 ms, with intervals over patients. Then look at **who** carries the errors.
#
# Next: the beats are found. What kind of beat is each? Networks with a memory (08b).
#
# ### Key terms
# [lead](glossary:lead) · [electrical axis](glossary:electrical-axis) · [QRS complex](glossary:qrs-complex) ·
# [ST segment](glossary:st-segment) · [heart-rate variability](glossary:heart-rate-variability) ·
# [cut-off frequency](glossary:cut-off-frequency) · [sensitivity](glossary:sensitivity) ·
# [positive predictive value](glossary:positive-predictive-value)
#
# ### Further reading
# - Pan J, Tompkins WJ. *A real-time QRS detection algorithm.* IEEE Transactions on Biomedical Engineering 1985.
#   <https://doi.org/10.1109/TBME.1985.325532>
# - Kligfield P, et al. *Recommendations for the standardization and interpretation of the electrocardiogram, part I.*
#   Journal of the American College of Cardiology 2007. <https://doi.org/10.1016/j.jacc.2007.01.024>
# - Tayler DI, Vincent R. *Artefactual ST segment abnormalities due to electrocardiograph design.* British Heart Journal
#   1985. <https://doi.org/10.1136/hrt.54.2.121>
# - Buendía-Fuentes F, et al. *High-bandpass filters in electrocardiography: source of error in the interpretation of
#   the ST segment.* ISRN Cardiology 2012. <https://doi.org/10.5402/2012/706217>
# - Thygesen K, et al. *Fourth universal definition of myocardial infarction.* Circulation 2018.
#   <https://doi.org/10.1161/CIR.0000000000000617>
# - Task Force of the ESC and the NASPE. *Heart rate variability: standards of measurement, physiological interpretation
#   and clinical use.* Circulation 1996. <https://doi.org/10.1161/01.CIR.93.5.1043>
# - Moody GB, Mark RG. *The impact of the MIT-BIH arrhythmia database.* IEEE Engineering in Medicine and Biology 2001.
#   <https://doi.org/10.1109/51.932724>
# - Liu F, et al. *Performance analysis of ten common QRS detectors on different ECG application cases.* Journal of
#   Healthcare Engineering 2018. <https://doi.org/10.1155/2018/9050812>
# - McSharry PE, et al. *A dynamical model for generating synthetic electrocardiogram signals.* IEEE Transactions on
#   Biomedical Engineering 2003. <https://doi.org/10.1109/TBME.2003.808805>
