"""Exercises of lesson 08a, The electrocardiogram: from paper to R peaks: rate, axis, filters, detection, scoring."""

from numbers import Real

import numpy as np

from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise


@exercise(
    task="Return the axis of the QRS complex in degrees, -180 to 180: 0 towards lead I, positive to the feet (aVF).",
    cases=lambda rng: [(0.5, 0.75), (0.8, -0.4), (-0.6, 0.5), (-0.3, -0.9), tuple(rng.uniform(0.2, 1.5, 2))],
    mistakes=[
        (
            lambda lead_i, lead_avf: float(np.degrees(np.arctan2(lead_avf, lead_i))),
            "You took aVF as it is. It is measured smaller than lead I by a factor of sqrt(3) / 2: divide by it.",
        ),
        (
            lambda lead_i, lead_avf: float(np.degrees(np.arctan(lead_avf / lead_i))),
            "Two things are missing: aVF shows only sqrt(3) / 2 of the dipole, and arctan of a ratio cannot tell left"
            " from right (np.arctan2 can).",
        ),
        (
            lambda lead_i, lead_avf: float(np.degrees(np.arctan2(np.sqrt(3) / 2 * lead_avf, lead_i))),
            "The factor is upside down: aVF shows sqrt(3) / 2 of the dipole, so divide by it.",
        ),
        (
            lambda lead_i, lead_avf: float(np.degrees(np.arctan(2 / np.sqrt(3) * lead_avf / lead_i))),
            "Right for a positive lead I. arctan of a ratio cannot tell left from right: take np.arctan2.",
        ),
        (
            lambda lead_i, lead_avf: float(np.arctan2(2 / np.sqrt(3) * lead_avf, lead_i)),
            "The angle is right, in radians. Give degrees: np.degrees.",
        ),
        (
            lambda lead_i, lead_avf: float(np.degrees(np.arctan2(lead_i, 2 / np.sqrt(3) * lead_avf))),
            "The arguments of np.arctan2 are exchanged: first what points to the feet, then what points to lead I.",
        ),
        (
            lambda lead_i, lead_avf: -float(np.degrees(np.arctan2(2 / np.sqrt(3) * lead_avf, lead_i))),
            "The sign is turned. In cardiology positive angles go clockwise: aVF, at the feet, lies at +90 degrees.",
        ),
        (
            lambda lead_i, lead_avf: float(np.degrees(np.arctan2(2 / np.sqrt(3) * lead_avf, lead_i)) % 360),
            "The same direction, counted from 0 to 360. Give it between -180 and 180: an axis of -30, not of 330.",
        ),
    ],
    hints=[
        "If the dipole has size p and angle a, then I = p cos(a) and aVF = sqrt(3) / 2 * p sin(a). Solve both for p.",
        "np.arctan2(p sin(a), p cos(a)) is the angle in radians, in all four quadrants.",
    ],
)
def axis_deg(lead_i, lead_avf):
    return float(np.degrees(np.arctan2(2 / np.sqrt(3) * lead_avf, lead_i)))


@exercise(
    task="Return the heart rate in beats per minute from the distance of two R peaks on the paper.",
    cases=lambda rng: [(20.0, 25.0), (20.0, 50.0), (37.5, 25.0), (8.0, 12.5)],
    mistakes=[
        (
            lambda distance_mm, speed_mm_per_s: 1500 / distance_mm,
            "Right for 25 mm/s. The second case is paper at 50 mm/s: use speed_mm_per_s.",
        ),
        (
            lambda distance_mm, speed_mm_per_s: 300 / distance_mm,
            "300 is divided by the number of big squares, of 5 mm each, at 25 mm/s. The distance comes in mm.",
        ),
        (
            lambda distance_mm, speed_mm_per_s: distance_mm / speed_mm_per_s,
            "That is the RR interval in seconds. How many of them are in a minute?",
        ),
        (
            lambda distance_mm, speed_mm_per_s: speed_mm_per_s / distance_mm,
            "That is the rate in beats per second: times 60.",
        ),
        (
            lambda distance_mm, speed_mm_per_s: 60 * distance_mm / speed_mm_per_s,
            "The fraction is upside down: the farther apart the beats, the slower the heart.",
        ),
        (
            lambda distance_mm, speed_mm_per_s: 60 / distance_mm,
            "You took millimetres for seconds. Divide the distance by the speed first.",
        ),
    ],
    hints=["distance / speed is the RR interval in seconds.", "A minute holds 60 / RR beats."],
)
def rate_per_minute(distance_mm, speed_mm_per_s):
    return 60 * speed_mm_per_s / distance_mm


@exercise(
    task="Return the factor by which a first-order high-pass multiplies the amplitude of a sine wave.",
    cases=lambda rng: [(1.5, 2.0), (0.5, 0.5), (0.25, 0.5), (3.0, 0.05)],
    mistakes=[
        (
            lambda frequency_hz, cutoff_hz: frequency_hz**2 / (frequency_hz**2 + cutoff_hz**2),
            "That is what becomes of the power. The amplitude goes with its root.",
        ),
        (
            lambda frequency_hz, cutoff_hz: cutoff_hz / np.hypot(frequency_hz, cutoff_hz),
            "That is the low-pass: it is 1 for slow waves. A high-pass takes the slow ones away.",
        ),
        (
            lambda frequency_hz, cutoff_hz: 20 * np.log10(frequency_hz / np.hypot(frequency_hz, cutoff_hz)),
            "That is the factor in decibels. Give the factor itself.",
        ),
        (
            lambda frequency_hz, cutoff_hz: frequency_hz / (frequency_hz + cutoff_hz),
            "You added the two parts of 1 - i fc / f as if they were real. The modulus of a + ib is sqrt(a² + b²).",
        ),
        (
            lambda frequency_hz, cutoff_hz: np.hypot(frequency_hz, cutoff_hz) / frequency_hz,
            "Upside down: that is the modulus of 1 - i fc / f, and H is one over it.",
        ),
        (
            lambda frequency_hz, cutoff_hz: float(frequency_hz >= cutoff_hz),
            "No filter cuts like a knife. At its cut-off this one still lets 0.71 of the amplitude through.",
        ),
        (
            lambda frequency_hz, cutoff_hz: 1 / (1 - 1j * cutoff_hz / frequency_hz),
            "That is H itself, a complex number. Its modulus, abs(H), is the factor on the amplitude.",
        ),
    ],
    hints=[
        "H = 1 / (1 - i fc / f). What is the modulus of a complex number 1 - ib?",
        "|H| = 1 / sqrt(1 + (fc / f)²): at 1.5 Hz with a cut-off of 2 Hz that is 1.5 / 2.5.",
    ],
)
def high_pass_gain(frequency_hz, cutoff_hz):
    return frequency_hz / np.hypot(frequency_hz, cutoff_hz)


@exercise(
    task="Return the level of the ST segment in mV, just after a QRS complex, behind a first-order causal high-pass.",
    cases=lambda rng: [(0.05, 0.5), (0.05, 0.05), (-0.08, 0.5), tuple(rng.uniform(0.02, 0.2, 2))],
    mistakes=[
        (
            lambda area_mv_s, cutoff_hz: 2 * np.pi * cutoff_hz * area_mv_s,
            "The sign: after an upward QRS the filter lets the line sag, so the ST segment is depressed.",
        ),
        (
            lambda area_mv_s, cutoff_hz: -cutoff_hz * area_mv_s,
            "The constant of the filter is in radians per second: omega = 2 pi times the cut-off in Hz.",
        ),
        (
            lambda area_mv_s, cutoff_hz: -area_mv_s / (2 * np.pi * cutoff_hz),
            "You divided. A higher cut-off bends more, not less; and mV s times 1/s gives mV.",
        ),
        (
            lambda area_mv_s, cutoff_hz: -np.pi * cutoff_hz * area_mv_s,
            "Half of it. That is the sag of the filter run both ways, and there it lies on both sides of the QRS.",
        ),
        (
            lambda area_mv_s, cutoff_hz: -2 * np.pi * cutoff_hz,
            "The area of the QRS is missing: a large complex bends more than a small one.",
        ),
        (
            lambda area_mv_s, cutoff_hz: -2 * np.pi * cutoff_hz * abs(area_mv_s),
            "Right for an upward QRS. Behind a downward one, with a negative area, the line is lifted.",
        ),
    ],
    hints=[
        "Behind an impulse of area A the output is -omega A exp(-omega t). What is it just after t = 0?",
        "omega = 2 pi cutoff_hz.",
    ],
)
def st_shift_mv(area_mv_s, cutoff_hz):
    return -2 * np.pi * cutoff_hz * area_mv_s


def _as_array(result, expected):
    """Compare a list or a tuple of numbers as the array that it is."""
    plain = isinstance(result, (list, tuple)) and all(isinstance(value, Real) for value in result)
    return same(np.asarray(result, dtype=float) if plain else result, expected)


def _window_mean(values, width):
    return np.convolve(values, np.ones(width), "full")[: len(values)] / width


@exercise(
    task="Return the moving mean: each output is the mean of this value and the width - 1 values before it.",
    cases=lambda rng: [(np.array([0.0, 6.0, 0.0, 0.0, 3.0, 0.0]), 3), (rng.normal(size=12), 4), (rng.random(9), 5)],
    compare=_as_array,
    mistakes=[
        (
            lambda values, width: np.convolve(values, np.ones(width), "same") / width,
            "Your window looks into the future: it is centred. Here it ends with the present value.",
        ),
        (
            lambda values, width: _window_mean(values, width) * width,
            "That is the sum over the window. Divide by its width.",
        ),
        (
            lambda values, width: np.convolve(values, np.ones(width), "valid") / width,
            "The start is missing. Before the first value there was 0, and the output is as long as the input.",
        ),
        (
            lambda values, width: _window_mean(values, width + 1),
            "Your window is one sample too long: this value and width - 1 before it.",
        ),
        (
            lambda values, width: (
                _window_mean(values, width) * width / np.minimum(np.arange(1, len(values) + 1), width)
            ),
            "At the start you divided by the samples that are there. Here the zeros before count: divide by width.",
        ),
        (
            lambda values, width: np.concatenate([np.zeros(width), _window_mean(values, width)])[: len(values)],
            "Your output is late by a whole window: the present value belongs to it.",
        ),
        (
            lambda values, width: np.convolve(values, np.ones(width))[width - 1 :] / width,
            "Your window begins with the present value and looks into the future. Here it ends with it.",
        ),
    ],
    hints=[
        "np.convolve(values, np.ones(width)) sums over windows of that width. Which of its outputs do you need?",
        "The first len(values) of them: window number n ends with value n. Divide by width.",
    ],
)
def moving_mean(values, width):
    sums = np.convolve(values, np.ones(width))  # (len(values) + width - 1,)
    return sums[: len(values)] / width


def _as_list(result, expected):
    """Compare a sequence or an array with a list of numbers."""
    return same(np.asarray(result).tolist() if isinstance(result, (np.ndarray, list, tuple)) else result, expected)


@exercise(
    task="Return the times that are kept: none less than refractory_s after the last one that was kept.",
    cases=lambda rng: [
        ([1.0, 1.125, 1.25, 1.375, 2.0], 0.25),
        ([0.5, 0.625, 0.75, 0.875, 1.0, 1.125, 2.0], 0.375),
        (np.sort(rng.integers(0, 64, 20) / 16).tolist(), 0.5),
    ],
    compare=_as_list,
    mistakes=[
        (
            lambda times_s, refractory_s: [
                t for i, t in enumerate(times_s) if i == 0 or t - times_s[i - 1] >= refractory_s
            ],
            "You compared with the candidate before. One that was dropped makes nobody refractory: compare with the"
            " last one that you kept.",
        ),
        (
            lambda times_s, refractory_s: _walk(times_s, refractory_s, strict=True),
            "A candidate exactly refractory_s after the last kept one may stay: only less is too soon.",
        ),
        (
            lambda times_s, refractory_s: _walk(times_s, refractory_s)[1:],
            "The first candidate has nothing before it: it is kept.",
        ),
        (
            lambda times_s, refractory_s: [t for t in times_s if t - times_s[0] >= refractory_s],
            "You compared each candidate with the first one. Compare with the last one that was kept.",
        ),
        (
            lambda times_s, refractory_s: [t for t in times_s if t not in _walk(times_s, refractory_s)],
            "Those are the ones to drop. Return those that are kept.",
        ),
    ],
    hints=[
        "Start with an empty list, and walk through the times.",
        "Keep a time if the list is still empty, or if time - kept[-1] >= refractory_s.",
    ],
)
def keep_apart(times_s, refractory_s):
    kept = []
    for time in times_s:
        if not kept or time - kept[-1] >= refractory_s:
            kept.append(time)
    return kept


def _walk(times_s, refractory_s, *, strict=False):
    kept = []
    for time in times_s:
        if not kept or time - kept[-1] > refractory_s or (time - kept[-1] == refractory_s and not strict):
            kept.append(time)
    return kept


def _look_back(times_s, heights, last_s, now_s, mean_rr_s, low, *, factor=1.66, pick=np.argmax, inside=True):
    """Return what search back finds; the options are the mistakes of others."""
    times_s, heights = np.asarray(times_s), np.asarray(heights)
    if now_s - last_s <= factor * mean_rr_s:
        return -1
    between = np.flatnonzero((times_s > last_s) & (times_s < now_s) if inside else times_s > -1)
    between = between[heights[between] > low]
    return int(between[pick(heights[between])]) if len(between) else -1


def _place_in_list(times_s, heights, last_s, now_s, mean_rr_s, low):
    """Return the place among the candidates that are left, for the mistakes below."""
    found = _look_back(times_s, heights, last_s, now_s, mean_rr_s, low)
    left = [i for i, time in enumerate(times_s) if last_s < time < now_s and heights[i] > low]
    return left.index(found) if found >= 0 else -1


@exercise(
    task="Return the index of the beat that was missed between last_s and now_s, or -1 where none is to be found.",
    cases=lambda rng: [
        ([1.0, 1.3, 1.8, 2.2, 2.6], [9.0, 1.0, 4.0, 5.0, 9.0], 1.0, 2.6, 0.8, 3.0),
        ([1.0, 1.3, 1.8, 2.2, 2.6], [9.0, 1.0, 4.0, 5.0, 9.0], 1.0, 2.2, 0.8, 3.0),  # 1.2 s: not long enough
        ([1.0, 1.3, 1.8, 2.2, 2.6], [9.0, 1.0, 2.0, 2.5, 9.0], 1.0, 2.6, 0.8, 3.0),  # nothing above `low`
        ([0.2, 1.0, 1.5, 1.9, 2.4, 3.0], [12.0, 9.0, 5.0, 4.0, 6.0, 20.0], 1.0, 2.9, 0.9, 3.5),
        ([1.0, 1.7, 2.4], [9.0, 4.0, 9.0], 1.0, 2.4, 0.8, 3.0),  # 1.4 s > 1.328 s
        ([1.0, 1.5, 1.8], [9.0, 4.0, 9.0], 1.0, 1.8, 1.0, 3.0),  # the next beat came early
        ([1.0, 1.7, 2.655], [9.0, 4.0, 9.0], 1.0, 2.655, 1.0, 3.0),  # 1.655 s < 1.66 s
        ([1.0, 1.7, 2.67], [9.0, 4.0, 9.0], 1.0, 2.67, 1.0, 3.0),  # 1.67 s > 1.66 s
        ([1.0, 1.7, 2.75], [9.0, 3.0, 9.0], 1.0, 2.75, 1.0, 3.0),  # as high as `low` is not above it
    ],
    mistakes=[
        (
            lambda times_s, heights, last_s, now_s, mean_rr_s, low: _look_back(
                times_s, heights, last_s, now_s, mean_rr_s, low, factor=0
            ),
            "You search whenever there is a gap. Search back only where it is longer than 1.66 mean RR intervals.",
        ),
        (
            lambda times_s, heights, last_s, now_s, mean_rr_s, low: _look_back(
                times_s, heights, last_s, now_s, mean_rr_s, low, factor=1
            ),
            "You search once the gap is longer than one mean interval. Hearts are irregular: 1.66 mean intervals.",
        ),
        (
            lambda times_s, heights, last_s, now_s, mean_rr_s, low: _look_back(
                times_s, heights, last_s, now_s, mean_rr_s, low, pick=lambda h: 0
            ),
            "You took the first candidate above `low`. Take the highest.",
        ),
        (
            lambda times_s, heights, last_s, now_s, mean_rr_s, low: _look_back(
                times_s, heights, last_s, now_s, mean_rr_s, -np.inf
            ),
            "You took a candidate below the second threshold. Where none reaches above `low`, return -1.",
        ),
        (
            lambda times_s, heights, last_s, now_s, mean_rr_s, low: _look_back(
                times_s, heights, last_s, now_s, mean_rr_s, low, inside=False
            ),
            "You looked at all the candidates. Only those between last_s and now_s can have been missed.",
        ),
        (
            lambda times_s, heights, last_s, now_s, mean_rr_s, low: (
                -1
                if _look_back(times_s, heights, last_s, now_s, mean_rr_s, low) < 0
                else times_s[_look_back(times_s, heights, last_s, now_s, mean_rr_s, low)]
            ),
            "That is its time. Return its index in times_s.",
        ),
        (
            lambda times_s, heights, last_s, now_s, mean_rr_s, low: _place_in_list(
                times_s, heights, last_s, now_s, mean_rr_s, low
            ),
            "That is its place in your list of candidates above `low`. Return its index in times_s.",
        ),
        (
            lambda times_s, heights, last_s, now_s, mean_rr_s, low: _look_back(
                times_s, heights, last_s, now_s, mean_rr_s, np.nextafter(low, 0)
            ),
            "A candidate exactly as high as `low` is not above it.",
        ),
    ],
    hints=[
        "First the gap: where now_s - last_s <= 1.66 * mean_rr_s, return -1.",
        "List the indices i with last_s < times_s[i] < now_s and heights[i] > low. Is the list empty?",
        "max(indices, key=lambda i: heights[i]) is the index of the highest.",
    ],
)
def look_back(times_s, heights, last_s, now_s, mean_rr_s, low):
    if now_s - last_s <= 1.66 * mean_rr_s:
        return -1
    between = [i for i, time in enumerate(times_s) if last_s < time < now_s and heights[i] > low]
    return max(between, key=lambda i: heights[i]) if between else -1


def _near(times, others, tolerance):
    return sum(any(abs(time - other) <= tolerance for other in others) for time in times)


def _three_counts(result, expected):
    """Compare three counts, in a tuple, a list or an array, as whole numbers of any type."""
    array = isinstance(result, np.ndarray) and result.shape == (3,)
    return same(tuple(result.tolist()) if array else result, expected)


@exercise(
    task="Return (found, missed, false): pair beats and detections one to one, no further apart than the tolerance.",
    cases=lambda rng: [
        ([1.0, 2.0, 3.0], [1.125, 2.5, 3.0, 3.125], 0.125),
        ([1.0, 1.25, 3.0, 4.0], [1.125, 4.0, 4.0625], 0.125),
        ([1.0, 1.25], [0.875, 1.125], 0.125),
        ([1.0, 1.125], [0.875, 1.0625], 0.125),  # if 1.0 takes the nearest, nothing is left for 1.125
        ([1.0, 2.0], [], 0.125),
        (np.arange(1.0, 9.0).tolist(), np.sort(rng.integers(8, 144, 14) / 16).tolist(), 0.1875),
    ],
    compare=_three_counts,
    mistakes=[
        (
            lambda r, d, tol: (_near(d, r, tol), len(r) - _near(r, d, tol), len(d) - _near(d, r, tol)),
            "You counted every detection near a beat. One beat, one detection: a second one is false.",
        ),
        (
            lambda r, d, tol: (_near(r, d, tol), len(r) - _near(r, d, tol), len(d) - _near(r, d, tol)),
            "One detection served two beats. Once it is paired, it is used up.",
        ),
        (
            lambda r, d, tol: (_near(r, d, tol), len(r) - _near(r, d, tol), len(d) - _near(d, r, tol)),
            "Beats and detections were counted each for itself: two beats shared a detection, or two detections a"
            " beat. Pair them one to one.",
        ),
        (
            lambda r, d, tol: _paired(r, d, tol / 2),
            "The tolerance holds on each side: a detection may be 150 ms early or 150 ms late.",
        ),
        (
            lambda r, d, tol: _paired(r, d, tol - 1e-6),
            "A pair exactly as far apart as the tolerance counts.",
        ),
        (
            lambda r, d, tol: (lambda f, m, x: (f, x, m))(*_paired(r, d, tol)),
            "Missed and false are exchanged: missed are beats without a detection.",
        ),
        (
            lambda r, d, tol: (lambda f, m, x: (f / (f + m), f / (f + x) if f + x else 0.0))(*_paired(r, d, tol)),
            "That is sensitivity and precision. Return the three counts they are made of.",
        ),
        (
            lambda r, d, tol: _nearest_free(r, d, tol),
            "Each beat took the nearest free detection and left none for the next beat. Make as many pairs as can be.",
        ),
    ],
    hints=[
        "Walk through both lists with one index each. Are the two near enough? Then they are a pair: go on in both.",
        "If not, the earlier one of the two has no partner any more: count it, and go on in its list only.",
        "What is left over at the end, in either list, has no partner.",
    ],
)
def count_beats(reference_s, detected_s, tolerance_s):
    found = i = j = 0
    while i < len(reference_s) and j < len(detected_s):
        late = detected_s[j] - reference_s[i]
        if abs(late) <= tolerance_s:
            found, i, j = found + 1, i + 1, j + 1
        elif late < 0:
            j += 1
        else:
            i += 1
    return found, len(reference_s) - found, len(detected_s) - found


def _nearest_free(reference_s, detected_s, tolerance_s):
    """Return the counts of a greedy pairing, for the mistakes above."""
    free, found = list(detected_s), 0
    for beat in reference_s:
        nearest = min(free, key=lambda heard: abs(heard - beat), default=np.inf)
        if abs(nearest - beat) <= tolerance_s:
            free.remove(nearest)
            found += 1
    return found, len(reference_s) - found, len(free)


def _paired(reference_s, detected_s, tolerance_s):
    """Return the counts of the walk, for the mistakes above."""
    found, j = 0, 0
    for beat in reference_s:
        while j < len(detected_s) and detected_s[j] < beat - tolerance_s:
            j += 1
        if j < len(detected_s) and detected_s[j] <= beat + tolerance_s:
            found, j = found + 1, j + 1
    return found, len(reference_s) - found, len(detected_s) - found
