"""Beats with their class and their patient: counts of MIT-BIH, windows, intervals, splits, and clear errors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlearn import data
from medlearn.data.ecg_beats import rr_features
from medlearn.data.ecg_classes import AAMI4, BEAT_SYMBOLS, DS1, DS2, PACED, class_labels, is_beat

needs_mitdb = pytest.mark.skipif(not data.is_available("mitdb"), reason="MIT-BIH is not in the cache")


def small(**options):
    return data.load_beats(**{"num_patients": 3, "duration_s": 30, "seed": 4} | options)


def ramp(beats, symbols=None, *, num_samples=1000, leads=("MLII", "V1"), rate_hz=100.0, name="ramp"):
    """A record whose sample n is n in the first lead and -n in the second."""
    values = np.arange(num_samples, dtype=np.float32)
    signals = np.column_stack([values, -values, 2 * values])[:, : len(leads)]
    symbols = np.array(symbols or ["N"] * len(beats))
    return data.EcgRecord(name, signals, leads, rate_hz, np.array(beats), symbols, (), f"patient of {name}", None)


# --- classes ---------------------------------------------------------------------------------------------------------


def test_every_symbol_of_a_beat_is_in_one_class():
    assert len(set(BEAT_SYMBOLS)) == len(BEAT_SYMBOLS)
    assert (class_labels(list(BEAT_SYMBOLS)) >= 0).all()
    # EC57 by hand: N normal, left and right block, escape; S the four premature ones; V and its escape; F; paced.
    assert class_labels(list("NLRejAaJSVEF/fQ")).tolist() == [0] * 5 + [1] * 4 + [2] * 2 + [3] + [4] * 3
    assert not is_beat(list('+~|x![]"')).any()


def test_the_split_has_each_record_once():
    assert len(DS1) == len(DS2) == 22 and not set(DS1) & set(DS2) and not set(PACED) & set(DS1 + DS2)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("AAMI", "classes must be one of AAMI5, AAMI4 or a dict"),
        ({}, "classes must be a dict"),
        ({"N": ["N"]}, "classes must be a dict"),
        ({"N": "NL", "B": "LR"}, "the symbol 'L' stands twice"),
        ({"N": "N~"}, "the symbol '~' marks no beat"),
    ],
)
def test_classes_that_are_none(classes, message):
    with pytest.raises(ValueError, match=message):
        small(classes=classes)


# --- intervals and windows -------------------------------------------------------------------------------------------


def test_rr_features_by_hand():
    # Beats every second for 0 to 9, then at 9.5 and 11: intervals 9 times 1, 0.5, 1.5; mean 11 / 11 = 1.
    times = np.r_[np.arange(10.0), 9.5, 11.0]
    found = rr_features(times)
    np.testing.assert_allclose(found[0], [1, 1, 1, 1])  # no interval before: the mean of the record
    # The beat at 9.5: 0.5 before, 1.5 after; around it five before (1, 1, 1, 1, 0.5) and one after: 6.0 / 6.
    np.testing.assert_allclose(found[10], [0.5, 1.5, 1.0, 1.0])
    np.testing.assert_allclose(found[11], [1.5, 1.0, (1 + 1 + 1 + 0.5 + 1.5) / 5, 1.0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.3, 2.0), min_size=1, max_size=40))
def test_rr_features_against_a_plain_loop(intervals):
    times = np.concatenate([[0.0], np.cumsum(intervals)])
    found = rr_features(times)
    for k in range(len(times)):
        around = intervals[max(k - 5, 0) : k + 5]
        expected = [
            intervals[k - 1] if k else np.mean(intervals), intervals[k] if k < len(intervals) else np.mean(intervals),
            np.mean(around), np.mean(intervals),
        ]  # fmt: skip
        np.testing.assert_allclose(found[k], expected, rtol=1e-5)


def test_windows_hold_the_r_peak_at_their_index():
    beats = data.load_beats([ramp([100, 500, 700])], lead=("V1", "MLII"), window_s=(0.2, 0.3))
    assert beats.signals_mv.shape == (3, 50, 2) and beats.r_index == 20 and beats.leads == ("V1", "MLII")
    np.testing.assert_array_equal(beats.signals_mv[1, :, 1], np.arange(480, 530))
    np.testing.assert_array_equal(beats.signals_mv[:, beats.r_index, 0], [-100, -500, -700])


def test_one_number_is_cut_in_halves():
    beats = data.load_beats([ramp([500])], window_s=0.4)
    np.testing.assert_array_equal(beats.signals_mv[0, :, 0], np.arange(480, 520))


def test_windows_at_the_ends_repeat_the_last_value():
    beats = data.load_beats([ramp([5, 995])], window_s=(0.1, 0.1))
    np.testing.assert_array_equal(beats.signals_mv[0, :, 0], [0, 0, 0, 0, 0, *range(15)])
    np.testing.assert_array_equal(beats.signals_mv[1, :, 0], [*range(985, 1000), 999, 999, 999, 999, 999])


def test_windows_at_another_rate_show_the_same_beat():
    fast = small(lead="MLII")
    slow = small(lead="MLII", sampling_rate_hz=120)
    assert slow.signals_mv.shape == (len(fast), 96, 1) and slow.sampling_rate_hz == 120 and slow.r_index == 36
    np.testing.assert_array_equal(slow.labels, fast.labels)
    np.testing.assert_allclose(slow.rr_s, fast.rr_s)  # intervals come from the first marks, not from the rounded ones
    swing = np.abs(fast.signals_mv[5:-5, ::3, 0] - slow.signals_mv[5:-5, :, 0]).max(axis=1)
    assert np.median(swing) < 0.15 * np.median(np.ptp(fast.signals_mv, axis=1))


def test_lost_samples_are_bridged():
    record = ramp([500])
    record.signals_mv[490:510, 0] = np.nan
    beats = data.load_beats([record], window_s=0.4)
    np.testing.assert_allclose(beats.signals_mv[0, :, 0], np.arange(480, 520))


# --- what comes along ------------------------------------------------------------------------------------------------


def test_each_beat_knows_its_patient():
    beats = small()
    assert set(beats.patients) == {"SIM-ECG-40000", "SIM-ECG-40001", "SIM-ECG-40002"}
    assert beats.card.name == "simulated_ecg" and beats.card.synthetic and (beats.patients == beats.records).all()
    assert sum(beats.counts.values()) == len(beats) and beats.class_names == ("N", "S", "V", "F", "Q")
    first, second = data.split_by_patient(beats.patients, fractions=(0.5, 0.5), seed=0)
    data.assert_no_patient_overlap(beats.patients[first], beats.patients[second])


def test_beats_of_no_class_are_left_out_after_the_intervals_were_measured():
    record = ramp([100, 200, 250, 400], ["N", "/", "V", "N"])
    beats = data.load_beats([record], classes="AAMI4")
    assert beats.class_names == tuple(AAMI4) and beats.labels.tolist() == [0, 2, 0]
    np.testing.assert_allclose(beats.rr_s[:, 0], [1.0, 0.5, 1.5])
    assert beats.times_s.tolist() == [1.0, 2.5, 4.0] and beats.symbols.tolist() == ["N", "V", "N"]


def test_ratios_by_hand():
    beats = data.load_beats([ramp([100, 200, 250, 400])])
    # Intervals 1, 0.5, 1.5 s, all within the ten around: local mean and record mean are 1.
    np.testing.assert_allclose(beats.rr_ratios[2], [0.5, 1.5, 0.5])


def test_select_takes_masks_places_and_slices():
    beats = small()
    early = beats.rr_s[:, 0] < 0.8 * beats.rr_s[:, 2]
    chosen = beats.select(early)
    assert len(chosen) == early.sum() and (chosen.times_s == beats.times_s[early]).all()
    assert beats.select([3, 1]).times_s.tolist() == beats.times_s[[3, 1]].tolist()
    assert beats.select(slice(0, 2)).card is beats.card and len(beats.select([])) == 0
    with pytest.raises(ValueError, match="a mask needs one value for each of the"):
        beats.select(early[:-1])
    with pytest.raises(ValueError, match="indices must be under"):
        beats.select([len(beats)])


def test_simulated_records_and_the_same_from_files(tmp_path):
    records = list(data.simulate_ecgs(2, duration_s=15))
    for record in records:
        data.write_ecg(record, tmp_path)
    ours, theirs = data.load_beats(records), data.load_beats(tmp_path)
    np.testing.assert_array_equal(ours.signals_mv, theirs.signals_mv)
    np.testing.assert_array_equal(ours.rr_s, theirs.rr_s)
    assert (ours.patients == theirs.patients).all() and theirs.card == data.card("simulated_ecg")


def test_other_is_the_lead_that_is_not_named():
    records = [ramp([100]), ramp([100], leads=("V5", "MLII"), name="swapped")]
    beats = data.load_beats(records, lead=("MLII", "other"), window_s=0.02)
    np.testing.assert_array_equal(beats.signals_mv[:, 1], [[100, -100], [-100, 100]])
    with pytest.raises(ValueError, match="'other' needs records with one lead besides those named; three has 2"):
        data.load_beats([ramp([100], leads=("MLII", "V1", "V2"), name="three")], lead=("MLII", "other"))


# --- clear errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lead": "V9"}, "SIM-ECG-40000 has no lead 'V9'; it has MLII, V1"),
        ({"lead": ()}, "lead must be a name such as 'MLII'"),
        ({"lead": ("V1", "V1")}, "each once"),
        ({"window_s": (0.2,)}, "window_s must be the seconds before and after R"),
        ({"window_s": (-0.1, 0.5)}, "window_s must be"),
        ({"window_s": 20.0}, "together 0.02 to 10"),
        ({"sampling_rate_hz": 5}, "sampling_rate_hz must be 20 to 2000"),
        ({"num_patients": 0}, "num_patients must be a whole number"),
        ({"source": "simulatd"}, "source must be 'simulated', 'mitdb', or a folder with WFDB records; 'simulatd'"),
        ({"source": 7}, "source must be 'simulated', 'mitdb', a folder or EcgRecords, got 7"),
        ({"source": [1]}, "source must hold EcgRecords, as read_ecg returns them, got a int"),
        ({"source": []}, "holds no records"),
        ({"source": "mitdb", "subset": "DS3"}, "subset must be one of DS1, DS2"),
    ],
)
def test_options_that_are_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_records_without_marks_or_of_two_rates():
    with pytest.raises(ValueError, match="ramp has no marked beats"):
        data.load_beats([ramp([])])
    records = [ramp([100]), ramp([100], rate_hz=250.0, name="fast")]
    with pytest.raises(ValueError, match=r"different rates \(100, 250 Hz\): choose one with sampling_rate_hz="):
        data.load_beats(records)
    assert data.load_beats(records, sampling_rate_hz=100).signals_mv.shape == (2, 80, 1)


def test_a_lead_that_is_lost_altogether():
    record = ramp([100])
    with pytest.raises(ValueError, match="ramp, lead MLII: every sample of the lead is lost"):
        data.load_beats([replace(record, signals_mv=np.full_like(record.signals_mv, np.nan))])


# --- MIT-BIH ---------------------------------------------------------------------------------------------------------

COUNTS = {
    "DS1": {"N": 45_866, "S": 944, "V": 3_788, "F": 415, "Q": 8},
    "DS2": {"N": 44_259, "S": 1_837, "V": 3_221, "F": 388, "Q": 7},
}


@needs_mitdb
@pytest.mark.parametrize("subset", ["DS1", "DS2"])
def test_counts_of_the_inter_patient_split(subset):
    beats = data.load_beats("mitdb", subset=subset, window_s=0.04, lead=("MLII", "other"))
    assert beats.counts == COUNTS[subset] and len(set(beats.records)) == 22 == len(set(beats.patients))
    assert beats.sampling_rate_hz == 360 and not beats.card.synthetic and np.isfinite(beats.signals_mv).all()


@needs_mitdb
def test_one_person_is_in_both_halves_of_the_split():
    one, two = data.load_mitdb("201"), data.load_mitdb("202")
    assert one.patient == two.patient == "mitdb/201/202" and "201" in DS1 and "202" in DS2
    with pytest.raises(ValueError, match="mitdb/201/202"):
        data.assert_no_patient_overlap([one.patient], [two.patient])
    people = {data.load_mitdb(name).patient for name in ("100", "201", "202", "217")}
    assert len(people) == 3


@needs_mitdb
def test_a_lead_that_some_records_lack():
    with pytest.raises(ValueError, match="114 has no lead 'V1'; it has V5, MLII"):
        data.load_beats("mitdb", subset="DS1", lead="V1", window_s=0.04)


@needs_mitdb
def test_the_largest_swing_of_mit_bih_is_at_the_index():
    # Record 100: a plain rhythm; the marks stand on the R peaks, to a sample or two.
    beats = data.load_beats([data.load_mitdb("100")], window_s=(0.1, 0.1))
    peaks = np.argmax(beats.signals_mv[:, :, 0], axis=1)
    assert np.mean(np.abs(peaks - beats.r_index) <= 2) > 0.99


def test_a_record_that_mit_bih_does_not_have():
    with pytest.raises(ValueError, match="MIT-BIH has no record '110'; it has 100, 101"):
        data.load_mitdb(110)
