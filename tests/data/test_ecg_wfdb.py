"""WFDB records: what is written comes back, MIT-BIH is read as it is, and every kind of damage is named."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from medlearn import data
from medlearn.data.cache import cache_folder
from medlearn.data.ecg_record import bridge_gaps
from medlearn.data.ecg_wfdb import quiet, wfdb

MITDB = cache_folder() / "mitdb"
needs_mitdb = pytest.mark.skipif(not data.is_available("mitdb", ["100.*"]), reason="MIT-BIH is not in the cache")


@pytest.fixture
def record():
    return data.simulate_ecg(5, duration_s=20)


@pytest.fixture
def stem(record, tmp_path):
    return data.write_ecg(record, tmp_path / "written")


def test_a_record_comes_back_as_it_was(record, stem):
    back = data.read_ecg(stem)
    np.testing.assert_array_equal(back.signals_mv, record.signals_mv)
    assert back.beats.tolist() == record.beats.tolist() and back.symbols.tolist() == record.symbols.tolist()
    assert back.remarks == record.remarks and back.leads == record.leads and back.name == record.name
    assert (back.sampling_rate_hz, back.patient, back.card) == (360.0, record.patient, data.card("simulated_ecg"))
    assert "SIMULATED" in stem.with_suffix(".hea").read_text()


def test_the_ending_of_the_header_may_stand(record, stem):
    assert data.read_ecg(f"{stem}.hea").name == record.name


def test_lost_samples_come_back_lost(record, tmp_path):
    signals = record.signals_mv.copy()
    signals[100:150, 1] = np.nan
    back = data.read_ecg(data.write_ecg(replace(record, signals_mv=signals), tmp_path))
    assert np.isnan(back.signals_mv[100:150, 1]).all() and np.isnan(back.signals_mv).sum() == 50


def test_signals_without_annotations(stem):
    stem.with_suffix(".atr").unlink()
    with pytest.raises(data.EcgRecordError, match=r"\.atr is not there. Give annotator=None"):
        data.read_ecg(stem)
    back = data.read_ecg(stem, annotator=None)
    assert len(back.beats) == 0 and back.remarks == () and len(back.signals_mv) == 7200


def test_a_foreign_record_has_its_name_as_patient_and_no_card(record, tmp_path):
    stem = data.write_ecg(replace(record, card=None, patient="P 7"), tmp_path)
    assert data.read_ecg(stem).patient == "P 7" and data.read_ecg(stem).card is None
    text = stem.with_suffix(".hea").read_text().replace("# patient: P 7\n", "")
    stem.with_suffix(".hea").write_text(text)
    assert data.read_ecg(stem).patient == record.name
    assert data.read_ecg(stem, patient="Q").patient == "Q"


def test_write_refuses_what_it_cannot_hold(record, stem):
    with pytest.raises(ValueError, match="already has a record SIM-ECG-5"):
        data.write_ecg(record, stem.parent)
    with pytest.raises(ValueError, match=r"reaches 11\.0 mV; format 212 holds"):
        data.write_ecg(replace(record, signals_mv=np.full((100, 2), 11.0, np.float32)), stem.parent / "b")


def test_microvolts_and_16_bits_are_read_as_millivolts(tmp_path):
    steps = np.array([[1500, 3]] * 200)
    with quiet():
        wfdb.wrsamp("uv", fs=100, units=["uV", "V"], sig_name=["I", "II"], d_signal=steps, fmt=["16", "16"],
                    adc_gain=[1.0, 2000.0], baseline=[0, 0], write_dir=str(tmp_path))  # fmt: skip
    # 1500 steps of 1 uV = 1.5 mV; 3 steps of 0.5 mV (2000 steps per V) = 1.5 mV.
    np.testing.assert_allclose(data.read_ecg(tmp_path / "uv", annotator=None).signals_mv, 1.5)


# --- damage ----------------------------------------------------------------------------------------------------------


def test_missing_header(tmp_path):
    with pytest.raises(data.EcgRecordError, match=r"nothing\.hea is not there. Give the path"):
        data.read_ecg(tmp_path / "nothing")


def test_missing_signals(stem):
    stem.with_suffix(".dat").unlink()
    with pytest.raises(data.EcgRecordError, match=r"SIM-ECG-5\.dat, which the header names, is not there"):
        data.read_ecg(stem)


def test_truncated_signals(stem):
    path = stem.with_suffix(".dat")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(data.EcgRecordError, match=r"has 20,600 bytes; 21,600 were expected"):  # 7200 * 2 * 1.5
        data.read_ecg(stem)


def test_one_wrong_bit(stem):
    path = stem.with_suffix(".dat")
    content = bytearray(path.read_bytes())
    content[300] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(data.EcgRecordError, match=r"lead MLII of .* is damaged: its checksum is"):
        data.read_ecg(stem)


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"not a header at all\n", b"SIM-ECG-5 2 360 7200\n"])
def test_damaged_header(stem, content):
    stem.with_suffix(".hea").write_bytes(content)
    with pytest.raises(data.EcgRecordError, match=r"SIM-ECG-5\.hea"):
        data.read_ecg(stem)


def test_a_rate_of_zero(stem):
    path = stem.with_suffix(".hea")
    path.write_text(path.read_text().replace(" 360 ", " 0 ", 1))
    with pytest.raises(data.EcgRecordError, match=r"SIM-ECG-5\.hea"):
        data.read_ecg(stem)


def test_a_unit_that_is_no_voltage(stem):
    path = stem.with_suffix(".hea")
    path.write_text(path.read_text().replace("/mV", "/mmHg"))
    with pytest.raises(data.EcgRecordError, match=r"the unit must be a voltage .* got 'mmHg'"):
        data.read_ecg(stem)


def test_leads_of_different_rates(stem):
    path = stem.with_suffix(".hea")
    path.write_text(path.read_text().replace(".dat 212 ", ".dat 212x2 ", 1))
    with pytest.raises(data.EcgRecordError, match="the leads have different rates"):
        data.read_ecg(stem)


def test_several_segments(tmp_path, record):
    data.write_ecg(record, tmp_path)
    (tmp_path / "many.hea").write_text("many/2 2 360 14400\nSIM-ECG-5 7200\nSIM-ECG-5 7200\n")
    with pytest.raises(data.EcgRecordError, match=r"many\.hea is no header of one WFDB segment"):
        data.read_ecg(tmp_path / "many", annotator=None)


def test_annotations_beyond_the_signal(stem):
    with quiet():
        wfdb.wrann(stem.name, "atr", np.array([10, 7200, 9000]), ["N", "N", "V"], write_dir=str(stem.parent))
    with pytest.raises(data.EcgRecordError, match=r"2 annotation\(s\) lie outside of the 7,200 samples, .* at 7,200"):
        data.read_ecg(stem)


@pytest.mark.parametrize("content", [b"", b"\xff" * 7, b"\x01"])
def test_damaged_annotations(stem, content):
    stem.with_suffix(".atr").write_bytes(content)
    try:
        back = data.read_ecg(stem)
    except data.EcgRecordError as error:
        assert ".atr" in str(error)
    else:
        assert len(back.beats) == 0  # an empty file is a file without annotations


# --- another rate ----------------------------------------------------------------------------------------------------


def tones(*frequencies, rate_hz=360.0, duration_s=20):
    time_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    signals = np.column_stack([np.sin(2 * np.pi * f * time_s) for f in frequencies]).astype(np.float32)
    beats = np.arange(50, len(signals), 300)
    leads = tuple(f"{f} Hz" for f in frequencies)
    return data.EcgRecord(
        "tones", signals, leads, rate_hz, beats, np.full(len(beats), "N"), ((0, "+", "(N"),), "t", None
    )


def test_resampling_keeps_what_fits_and_removes_what_would_alias():
    # To 125 Hz: Nyquist 62.5 Hz. 10 Hz stays; 100 Hz would alias to 25 Hz, and must vanish.
    found = tones(10, 100).resampled(125)
    assert found.signals_mv.shape == (2500, 2)
    expected = np.sin(2 * np.pi * 10 * np.arange(2500) / 125)
    np.testing.assert_allclose(found.signals_mv[100:-100, 0], expected[100:-100], atol=0.01)
    assert np.abs(found.signals_mv[100:-100, 1]).max() < 0.01
    frequencies, power = signal.welch(found.signals_mv[:, 1], fs=125, nperseg=1000)
    assert power[np.abs(frequencies - 25) < 1].max() < 1e-4


def test_resampling_up_agrees_with_the_tone():
    found = tones(7).resampled(500)
    expected = np.sin(2 * np.pi * 7 * np.arange(10_000) / 500)
    np.testing.assert_allclose(found.signals_mv[200:-200, 0], expected[200:-200], atol=0.01)


@pytest.mark.parametrize("rate_hz", [100, 125, 250, 360, 500, 128.5, 100 * np.pi])
def test_beats_keep_their_time_at_another_rate(rate_hz):
    record = data.simulate_ecg(1, duration_s=30)
    found = record.resampled(rate_hz)
    np.testing.assert_allclose(found.beats_s, record.beats_s, atol=0.5 / rate_hz + 1e-6)
    assert found.sampling_rate_hz == rate_hz and found.duration_s == pytest.approx(30, abs=1 / rate_hz)


def test_the_last_beat_stays_inside():
    record = tones(5, duration_s=1)
    record = replace(record, beats=np.array([359]), symbols=np.array(["V"]))
    found = record.resampled(100)
    assert found.beats[0] < len(found.signals_mv)


def test_lost_samples_stay_lost_and_do_not_spread():
    record = tones(5)
    record.signals_mv[3600:3960, 0] = np.nan  # one second
    found = record.resampled(125)
    lost = np.isnan(found.signals_mv[:, 0])
    assert np.flatnonzero(lost)[0] == pytest.approx(1250, abs=1) and lost.sum() == pytest.approx(125, abs=2)
    whole = tones(5).resampled(125).signals_mv[:, 0]
    np.testing.assert_allclose(found.signals_mv[:1200, 0], whole[:1200], atol=0.02)


def test_rates_out_of_range():
    with pytest.raises(ValueError, match="sampling_rate_hz must be 20 to 10000"):
        tones(5).resampled(5)


def test_bridge_gaps_needs_something_to_hold_on_to():
    with pytest.raises(ValueError, match="every sample of the lead is lost"):
        bridge_gaps(np.full(5, np.nan))


# --- parts -----------------------------------------------------------------------------------------------------------


def test_strip_begins_at_zero():
    record = data.simulate_ecg(5, duration_s=20)
    part = record.strip(5, 8)
    assert part.signals_mv.shape == (1080, 2) and part.duration_s == 3
    inside = (record.beats_s >= 5) & (record.beats_s < 8)
    np.testing.assert_allclose(part.beats_s, record.beats_s[inside] - 5)
    np.testing.assert_array_equal(part.lead("V1"), record.lead("V1")[1800:2880])


@pytest.mark.parametrize(("start_s", "stop_s"), [(-1, 5), (5, 5), (0, 21), (np.nan, 5)])
def test_strip_outside_of_the_record(start_s, stop_s):
    with pytest.raises(ValueError, match="a strip of SIM-ECG-5 must lie in 0 to 20 s"):
        data.simulate_ecg(5, duration_s=20).strip(start_s, stop_s)


def test_a_lead_that_is_not_there():
    with pytest.raises(ValueError, match="SIM-ECG-5 has no lead 'aVR'; it has MLII, V1"):
        data.simulate_ecg(5, duration_s=20).lead("aVR")


# --- MIT-BIH ---------------------------------------------------------------------------------------------------------


@needs_mitdb
def test_mit_bih_by_hand():
    # 100.dat, format 212: three bytes hold two samples of 12 bits, low bytes first, the high nibbles in the middle.
    first = (MITDB / "100.dat").read_bytes()[:3]
    one, two = first[0] | (first[1] & 0x0F) << 8, first[2] | (first[1] & 0xF0) << 4
    record = data.read_ecg(MITDB / "100", card=data.card("mitdb"))
    np.testing.assert_allclose(record.signals_mv[0], [(one - 1024) / 200, (two - 1024) / 200], atol=1e-6)
    assert record.leads == ("MLII", "V5") and len(record.signals_mv) == 650_000 and record.card.name == "mitdb"
    assert len(record.beats) == 2273 and record.remarks == ((18, "+", "(N"),)


@needs_mitdb
def test_a_damaged_copy_of_mit_bih_is_found(tmp_path):
    for ending in ("hea", "dat", "atr"):
        shutil.copy(MITDB / f"100.{ending}", tmp_path)
    (tmp_path / "100.dat").chmod(0o644)
    with open(tmp_path / "100.dat", "r+b") as stream:
        stream.seek(90_000)
        stream.write(b"\x00")
    with pytest.raises(data.EcgRecordError, match=r"lead .* is damaged"):
        data.read_ecg(tmp_path / "100")
