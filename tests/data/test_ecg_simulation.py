"""Simulated ECG patients: timing and shape of every kind of beat, leads, noise, and that one seed is one patient."""

import itertools

import numpy as np
import pytest
from scipy import signal

from medlearn import data
from medlearn.data import ecg_rhythm, ecg_shapes
from medlearn.data.ecg_noise import Noise, add_noise
from medlearn.data.ecg_person import Ectopy, Person
from medlearn.data.ecg_render import render
from medlearn.data.ecg_rhythm import Rhythm, run_clock
from medlearn.data.ecg_statistics import measure_beats

NEVER = Ectopy(0.0, 0.6, 0.0, 0.5)


def steady(seed=1, **changes):
    """A person without any premature beat, breathing or drift; a clock for the rest."""
    person = Person(seed)
    person.fibrillates, person.conduction, person.fusion_chance, person.bigeminy_s = False, "normal", 0.0, 0.0
    person.lf_s = person.hf_s = person.drift_s = 0.0
    person.mean_rr_s = 0.9
    person.ventricular = person.supraventricular = NEVER
    for name, value in changes.items():
        setattr(person, name, value)
    return person


def beats_of(person, duration_s=300.0):
    rhythm = run_clock(person, duration_s)
    return np.array([beat[0] for beat in rhythm.beats]), np.array([beat[1] for beat in rhythm.beats]), rhythm


# --- timing ----------------------------------------------------------------------------------------------------------


def test_sinus_rhythm_without_variability_is_a_clock():
    times, symbols, rhythm = beats_of(steady())
    np.testing.assert_allclose(np.diff(times), 0.9, atol=1e-9)
    assert set(symbols) == {"N"} and rhythm.changes == [(-4.0, "(N")]
    assert len(rhythm.p_waves) == len(times)


@pytest.mark.parametrize("coupling", [0.45, 0.6, 0.9])
def test_pause_after_a_ventricular_beat_is_fully_compensatory(coupling):
    # The sinus node keeps its time: from the beat before to the beat after there are exactly two intervals, 1.8 s.
    times, symbols, rhythm = beats_of(steady(ventricular=Ectopy(0.1, coupling, 0.0, 0.5)))
    places = np.flatnonzero(symbols == "V")
    alone = [k for k in places[1:-1] if symbols[k - 1] == symbols[k + 1] == "N"]
    assert len(alone) > 10
    span = times[np.add(alone, 1)] - times[np.subtract(alone, 1)]
    early = times[alone] - times[np.subtract(alone, 1)]
    assert np.isclose(span, 1.8).mean() > 0.8  # the rest are interpolated: no pause, one interval
    assert np.isclose(span, 1.8).sum() + np.isclose(span, 0.9).sum() == len(alone)
    assert early.mean() == pytest.approx(coupling * 0.9, rel=0.03)
    # The blocked P wave is there: one at every tick of the node, beat or no beat.
    np.testing.assert_allclose(np.diff(np.sort([time for time, _ in rhythm.p_waves])), 0.9, atol=1e-9)


def test_pause_after_a_supraventricular_beat_is_not():
    # It resets the node: next beat after 1 to 1.16 intervals, so together less than 2.
    person = steady(supraventricular=Ectopy(0.1, 0.7, 0.0, 0.5))
    times, symbols, _ = beats_of(person)
    places = np.flatnonzero(np.isin(symbols, list("AaJ")))
    places = places[(places > 0) & (places < len(times) - 1)]
    before, after = times[places] - times[places - 1], times[places + 1] - times[places]
    isolated = symbols[places + 1] == "N"
    assert isolated.sum() > 10
    assert before.mean() == pytest.approx(0.63, rel=0.05)
    assert (after[isolated] >= 0.9 - 1e-9).all() and (after[isolated] <= 0.9 * 1.16 + 1e-9).all()
    assert ((before + after)[isolated] < 1.8).all()


def test_runs_of_ventricular_beats_have_their_own_rate():
    times, symbols, rhythm = beats_of(steady(ventricular=Ectopy(0.05, 0.6, 1.0, 0.4)))
    inside = (symbols[1:] == "V") & (symbols[:-1] == "V")
    assert inside.sum() > 10 and np.diff(times)[inside].mean() == pytest.approx(0.4, rel=0.05)
    assert "(VT" in [name for _, name in rhythm.changes]


def test_a_run_is_named_from_its_first_beat_to_its_last():
    times, symbols, rhythm = beats_of(steady(supraventricular=Ectopy(0.06, 0.7, 1.0, 0.4)))
    edges = [time for time, _ in rhythm.changes]
    runs = [k for k, (_, name) in enumerate(rhythm.changes[:-1]) if name == "(SVTA"]
    assert len(runs) > 3
    for k in runs:
        inside = (times >= edges[k]) & (times < edges[k + 1])
        assert inside.sum() > 2 and np.isin(symbols[inside], list("AaJ")).all()


def test_bigeminy_alternates():
    person = steady(ventricular=Ectopy(0.0, 0.6, 0.0, 0.5), bigeminy_s=40.0)
    times, symbols, rhythm = beats_of(person, 600.0)
    changes = [*rhythm.changes, (1e9, "")]
    for (start, name), (end, _) in itertools.pairwise(changes):
        if name == "(B" and min(end, 600) - start > 20:
            part = symbols[(times > start + 2) & (times < end - 2)]
            assert (part == "V").mean() == pytest.approx(0.5, abs=0.1)
            assert (part[1:] != part[:-1]).mean() > 0.8
            return
    raise AssertionError("no long spell of bigeminy in ten minutes")


def test_fusion_comes_at_the_time_of_the_sinus_beat():
    times, symbols, _ = beats_of(steady(fusion_chance=0.1))
    places = np.flatnonzero(symbols == "F")
    places = places[(places > 0) & (places < len(times) - 1)]
    assert len(places) > 10
    early = 0.9 - (times[places] - times[places - 1])
    assert (early >= -1e-9).all() and (early <= 0.05 + 1e-9).all()
    np.testing.assert_allclose(times[places + 1] - times[places - 1], 1.8, atol=1e-9)


def test_atrial_fibrillation_is_irregular_without_p_waves():
    person = steady(fibrillates=True)
    times, _, rhythm = beats_of(person)
    intervals = np.diff(times)
    assert 0.15 < intervals.std() / intervals.mean() < 0.3
    assert abs(np.corrcoef(intervals[1:], intervals[:-1])[0, 1]) < 0.15
    assert {kind for _, kind in rhythm.p_waves} == {"fibrillation"} and rhythm.changes[0][1] == "(AFIB"
    assert not np.any(person.atrial_waves["fibrillation"])


def test_bundle_that_fails_above_a_rate():
    person = steady(conduction="right block now and then", lf_s=0.05)
    times, symbols, _ = beats_of(person)
    following = np.diff(times)
    assert set(symbols) == {"N", "R"}
    assert following[symbols[:-1] == "R"].max() < 0.975 * 0.9 <= following[symbols[:-1] == "N"].min()


def test_breathing_shows_in_the_spectrum_of_the_intervals():
    # Lomb-Scargle of the intervals at the times of the beats, which are not evenly spaced.
    times, _, _ = beats_of(steady(hf_s=0.03, lf_s=0.0, breath_hz=0.25), 1200.0)
    frequencies = np.arange(0.02, 0.5, 0.002)
    power = signal.lombscargle(times[1:], np.diff(times) - np.diff(times).mean(), 2 * np.pi * frequencies)
    assert frequencies[np.argmax(power)] == pytest.approx(0.25, abs=0.03)
    high = (frequencies > 0.15) & (frequencies < 0.4)
    assert power[high].sum() > 0.9 * power.sum()


@pytest.mark.parametrize("seed", range(25))
def test_no_two_beats_are_impossibly_close(seed):
    times, _, _ = beats_of(Person(seed), 120.0)
    assert np.diff(times).min() > 0.2 and np.diff(times).max() < 4


# --- shape -----------------------------------------------------------------------------------------------------------


def clean(person, duration_s=60.0, leads=("MLII", "V1"), rate_hz=360.0):
    rhythm = run_clock(person, duration_s)
    return *render(person, rhythm, duration_s, rate_hz, leads), rhythm


def qrs_width_ms(shape):
    """How long the dipole's QRS part moves faster than a tenth of its fastest."""
    times = np.arange(-0.15, 0.25, 0.0005)
    bells = np.exp(-0.5 * ((times[:, None] - shape.qrs.time_s) / shape.qrs.width_s) ** 2)
    speed = np.linalg.norm(np.gradient(bells @ shape.qrs.dipole_mv, axis=0), axis=1)
    fast = np.flatnonzero(speed > 0.1 * speed.max())
    return (fast[-1] - fast[0]) / 2


def test_widths_of_the_kinds_of_beats():
    # Normal QRS 70 to 110 ms; bundle branch blocks and ventricular beats 120 ms or more (AHA/ACCF/HRS 2009).
    widths = {name: [] for name in ("N", "L", "R", "V0")}
    for seed in range(30):
        shapes = Person(seed).shapes
        for name in widths:
            widths[name].append(qrs_width_ms(shapes[name]))
    medians = {name: np.median(values) for name, values in widths.items()}
    assert 60 < medians["N"] < 110
    assert 115 < medians["L"] < 180 and 115 < medians["R"] < 180 and 115 < medians["V0"] < 200


def test_qrs_keeps_its_width_and_t_comes_nearer_when_the_heart_is_fast():
    # QT by Bazett: the T wave's time goes with the root of the interval, sqrt(0.6 / 1.0) = 0.775.
    def peak_of_t(mean_rr_s):
        person = steady(4, mean_rr_s=mean_rr_s)
        signals, peaks, _ = clean(person)
        rate, middles = 360.0, [p for p in peaks if 5 < p < 55]
        places = (np.array(middles) * rate).astype(int)[:, None] + np.arange(int(0.45 * rate))
        wave = np.abs(np.median(signals[places, 0], axis=0))
        return (np.argmax(wave[int(0.12 * rate) :]) + int(0.12 * rate)) / rate, wave

    slow, slow_wave = peak_of_t(1.0)
    fast, fast_wave = peak_of_t(0.6)
    assert fast / slow == pytest.approx(np.sqrt(0.6), rel=0.04)
    np.testing.assert_allclose(fast_wave[:12], slow_wave[:12], atol=0.15 * slow_wave.max())


def test_v1_tells_the_bundles_apart():
    # Left block: V1 goes down. Right block: V1 ends with an upright wave (R').
    for seed in range(8):
        vectors = ecg_shapes.lead_vectors(("MLII", "V1"), Person(seed).rng("electrodes"))
        shapes = Person(seed).shapes
        times = np.arange(-0.1, 0.12, 0.001)
        v1 = {}
        for name in "LR":
            bells = np.exp(-0.5 * ((times[:, None] - shapes[name].qrs.time_s) / shapes[name].qrs.width_s) ** 2)
            v1[name] = bells @ shapes[name].qrs.dipole_mv @ vectors[:, 1]
        assert -v1["L"].min() > 3 * max(v1["L"].max(), 0)
        assert v1["R"][times > 0.035].max() > 0.1


def test_fusion_lies_between_its_two_beats():
    shapes = Person(2).shapes
    half = ecg_shapes.blend(shapes["N"], shapes["V0"], 0.25)
    total = 0.25 * shapes["N"].qrs.dipole_mv.sum(axis=0) + 0.75 * shapes["V0"].qrs.dipole_mv.sum(axis=0)
    np.testing.assert_allclose(half.qrs.dipole_mv.sum(axis=0), total)
    assert len(half.qrs) == len(shapes["N"].qrs) + len(shapes["V0"].qrs)


def test_a_steady_beat_is_the_sum_of_its_gaussians():
    # One beat, far from all others: the relaxation takes at most 1 - exp(-0.1) = 10 % within 0.1 s of the R peak.
    person = steady(6)
    rhythm = Rhythm(beats=[(5.0, "N", "N", None)], p_waves=[], changes=[(-4.0, "(N")])
    signals, peaks = render(person, rhythm, 10.0, 1000.0, ("MLII",))
    vector = ecg_shapes.lead_vectors(("MLII",), person.rng("electrodes"))[:, 0]
    qrs = person.shapes["N"].qrs
    times = np.arange(-50, 50) / 1000
    expected = np.exp(-0.5 * ((times[:, None] - qrs.time_s) / qrs.width_s) ** 2) @ qrs.dipole_mv @ vector
    found = signals[4950:5050, 0]
    assert np.abs(found - expected).max() < 0.15 * np.abs(expected).max()  # breathing, and 3 % from beat to beat
    assert np.abs(signals[:4000]).max() < 1e-9
    assert peaks[0] == pytest.approx(4.95 + np.argmax(np.abs(expected)) / 1000, abs=0.003)


def test_the_r_peak_is_the_largest_swing_of_the_first_lead():
    for leads in (("MLII", "V1"), ("V1", "MLII")):
        record = data.simulate_ecg(2, duration_s=30, leads=leads, noise=Noise.none())
        for sample in record.beats[(record.beats > 40) & (record.beats < len(record.signals_mv) - 40)]:
            near = np.abs(record.signals_mv[sample - 5 : sample + 6, 0])
            assert near.max() - near[5] < 0.12 * near.max()


def test_leads_do_not_depend_on_each_other():
    pair = data.simulate_ecg(3, duration_s=10, noise=Noise.none())
    both = data.simulate_ecg(3, duration_s=10, leads=("MLII", "V5", "V1"), noise=Noise.none())
    np.testing.assert_array_equal(pair.signals_mv, both.signals_mv[:, [0, 2]])


# --- the whole record ------------------------------------------------------------------------------------------------


def test_one_seed_is_one_patient():
    one, again, other = (data.simulate_ecg(seed, duration_s=20) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.signals_mv, again.signals_mv)
    assert one.beats.tolist() == again.beats.tolist() and one.remarks == again.remarks
    assert not np.array_equal(one.signals_mv, other.signals_mv) and one.patient != other.patient


def test_the_record_says_that_it_is_simulated():
    record = data.simulate_ecg(0, duration_s=5)
    assert record.card.synthetic and "SIMULATED" in record.card.title and record.patient == "SIM-ECG-0"


def test_beats_stay_at_their_times_at_another_rate():
    slow, fast = (data.simulate_ecg(1, duration_s=60, sampling_rate_hz=rate) for rate in (125, 500))
    assert slow.symbols.tolist() == fast.symbols.tolist()
    np.testing.assert_allclose(slow.beats_s, fast.beats_s, atol=0.5 / 125 + 0.5 / 500 + 1e-9)


def test_signals_are_steps_of_five_microvolts():
    steps = data.simulate_ecg(9, duration_s=10).signals_mv.astype(float) * 200
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    assert steps.min() >= -1024 and steps.max() <= 1023


def test_beats_are_in_order_and_inside():
    for record in data.simulate_ecgs(10, seed=7, duration_s=30):
        assert (np.diff(record.beats) > 0).all() and len(record.beats) == len(record.symbols)
        assert record.beats[0] >= 0 and record.beats[-1] < len(record.signals_mv) == 30 * 360
        assert record.remarks[0][:2] == (0, "+") and all(s < 10_800 for s, _, _ in record.remarks)


def test_sets_of_two_seeds_share_no_patient():
    first, second = ({r.patient for r in data.simulate_ecgs(3, seed=s, duration_s=5)} for s in (0, 1))
    assert len(first) == 3 and not first & second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be a whole number"),
        ({"duration_s": 1}, "duration_s must be 5 to 86400"),
        ({"sampling_rate_hz": 50}, "sampling_rate_hz must be 100 to 2000"),
        ({"leads": ("MLII", "V9")}, r"leads must be some of MLII, V1, V2, V4, V5, each once, got \('MLII', 'V9'\)"),
        ({"leads": ("V1", "V1")}, "each once"),
        ({"leads": ()}, "leads must be some of"),
        ({"noise": 0.1}, "noise must be a Noise"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        data.simulate_ecg(**options)
    if "seed" not in options:
        with pytest.raises(ValueError, match=message):
            data.simulate_ecgs(2, **options)  # at once, not at the first record


# --- beside MIT-BIH --------------------------------------------------------------------------------------------------


def test_statistics_are_those_of_mit_bih():
    # Medians and 10 % to 90 % of the 22 records of DS1, measured by benchmarks/ecg_realism.py: N: interval 0.80 s (0.65
    # to 1.00), QRS 74 ms (53 to 129), highest 1.67 mV (0.79 to 2.23), lowest -0.31 (-0.88 to -0.06), rmssd 33 ms (18 to
    # 194). V: QRS 136 ms (93 to 187). A median of 30 patients may stray by about a quarter of that spread.
    records = list(data.simulate_ecgs(30, seed=11, duration_s=120))
    normal = [s for s in (measure_beats(r, "NLR") for r in records) if s is not None]
    ventricular = [s for s in (measure_beats(r, "V") for r in records) if s is not None]

    def median(found, part):
        return np.median([getattr(s, part) for s in found])

    assert len(normal) == 30 and len(ventricular) >= 8
    assert 0.7 < median(normal, "rr_s") < 0.92
    assert 0.06 < median(normal, "qrs_s") < 0.095
    assert 1.2 < median(normal, "highest_mv") < 2.1
    assert -0.6 < median(normal, "lowest_mv") < -0.1
    assert 0.018 < median(normal, "rmssd_s") < 0.07
    assert 0.11 < median(ventricular, "qrs_s") < 0.2
    assert median(ventricular, "qrs_s") > 1.5 * median(normal, "qrs_s")


def test_measure_beats_by_hand():
    # Gaussians of 1.5 mV and 20 ms every 0.8 s. Their speed is over 0.15 of its most while |x| exp(-x^2 / 2) > 0.15
    # exp(-1/2) = 0.091, so up to x = 2.59 widths: 2 * 2.59 * 20 ms = 104 ms, and a little more after the filters.
    time_s = np.arange(0, 40, 1 / 500)
    beats = np.arange(200, 19_800, 400)
    wave = 1.5 * np.exp(-0.5 * ((time_s[:, None] - beats / 500) / 0.02) ** 2).sum(axis=1)
    record = data.EcgRecord("g", wave[:, None].astype(np.float32), ("MLII",), 500.0, beats, np.full(len(beats), "N"),
                            (), "p", None)  # fmt: skip
    found = measure_beats(record)
    assert found.rr_s == pytest.approx(0.8) and found.rmssd_s == pytest.approx(0, abs=1e-9)
    assert found.count == len(beats) and found.qrs_s == pytest.approx(0.104, rel=0.1)
    assert found.highest_mv == pytest.approx(1.5, rel=0.05) and abs(found.t_mv) < 0.2
    assert measure_beats(record, "V") is None


def test_shares_of_the_classes():
    # MIT-BIH DS1 and DS2: N 89 %, S 2.8 %, V 7.0 %, F 0.8 % of the beats.
    symbols = np.concatenate([np.array([b[1] for b in run_clock(Person(seed), 300).beats]) for seed in range(150)])
    share = {name: np.isin(symbols, list(group)).mean() for name, group in data.AAMI5.items()}
    assert 0.84 < share["N"] < 0.94 and 0.015 < share["S"] < 0.05
    assert 0.045 < share["V"] < 0.11 and 0.003 < share["F"] < 0.015


# --- noise -----------------------------------------------------------------------------------------------------------


def only(**parts):
    silent = dict(wander_mv=0.0, hum_mv=0.0, mains_hz=50.0, muscle_mv=0.0, motion_per_min=0.0, dropouts_per_min=0.0)
    noise = Noise(**silent | parts)
    flat, breathing = np.zeros((120 * 360, 2)), np.sin(np.arange(120 * 360) / 360 * 2 * np.pi * 0.25) * np.sqrt(2)
    return add_noise(flat, noise, sampling_rate_hz=360.0, breathing=breathing, rng=np.random.default_rng(8))


def share_of_power(noisy, low_hz, high_hz):
    frequencies, power = signal.welch(noisy, fs=360.0, nperseg=7200)
    return power[(frequencies >= low_hz) & (frequencies <= high_hz)].sum() / power.sum()


def test_no_noise_changes_nothing():
    noisy, episodes = only()
    assert not noisy.any() and episodes == []


def test_wander_is_slow():
    noisy, _ = only(wander_mv=0.2)
    assert share_of_power(noisy[:, 0], 0, 0.6) > 0.97 and 0.08 < noisy[:, 0].std() < 0.25


def test_hum_is_at_the_mains_and_three_times_it():
    noisy, _ = only(hum_mv=0.1, mains_hz=60.0)
    assert noisy.std() == pytest.approx(0.1, rel=0.6)  # half to three halves of it in each lead
    assert share_of_power(noisy[:, 0], 59, 61) > 0.9
    assert share_of_power(noisy[:, 0], 59, 61) < 1 and not share_of_power(noisy[:, 0], 178.9, 180) > 0.01
    low, _ = only(hum_mv=0.1, mains_hz=50.0)
    assert 0.01 < share_of_power(low[:, 0], 149, 151) < 0.1  # 0.2 squared = 0.04 of the power


def test_muscle_is_fast():
    noisy, _ = only(muscle_mv=0.05)
    assert share_of_power(noisy[:, 0], 18, 110) > 0.9 and noisy.std() > 0.05


def test_motion_is_as_large_as_beats_and_listed():
    noisy, episodes = only(motion_per_min=4)
    assert 3 <= len(episodes) <= 16 and all(lead is None for _, _, lead in episodes)
    assert 0.2 < np.abs(noisy).max() < 6 and (np.abs(noisy).max(axis=1) < 1e-3).mean() > 0.2
    start = episodes[0][0]
    assert np.abs(noisy[: int(start * 360)]).max() == 0


def test_a_lost_lead_is_flat_and_the_other_goes_on():
    record = data.simulate_ecg(3, duration_s=60, noise=Noise(0.0, 0.0, 50.0, 0.0, 0.0, 3.0))
    lost = [(sample, text) for sample, symbol, text in record.remarks if symbol == "~"]
    assert lost and {text for _, text in lost} <= {"MLII lost", "V1 lost"}
    sample, text = lost[0]
    lead = record.lead_index(text.split()[0])
    part = record.signals_mv[sample + 1 : sample + int(0.35 * 360)]
    assert np.ptp(part[:, lead]) == 0


@pytest.mark.parametrize(("part", "value"), [("wander_mv", -1), ("mains_hz", 400), ("dropouts_per_min", np.nan)])
def test_noise_out_of_range(part, value):
    with pytest.raises(ValueError, match=f"{part} must be"):
        only(**{part: value})


def test_aberrant_beats_are_early():
    person = steady(supraventricular=Ectopy(0.3, 0.62, 0.0, 0.5))
    times, symbols, rhythm = beats_of(person)
    places = np.flatnonzero(symbols == "a")
    assert len(places) > 5 and all(rhythm.beats[k][2] == "R" for k in places)
    before = times[places] - times[places - 1]
    assert (before[symbols[places - 1] == "N"] < ecg_rhythm._ASHMAN * 0.9 + 1e-9).all()
