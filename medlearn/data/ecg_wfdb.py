"""WFDB records (``.hea``, ``.dat``, ``.atr``), the format of PhysioNet: read with every check, and written."""

import contextlib
import warnings
from pathlib import Path

import numpy as np

from medlearn.data.catalogue import cards
from medlearn.data.ecg_classes import is_beat
from medlearn.data.ecg_record import EcgRecord


@contextlib.contextmanager
def quiet():
    """Silence wfdb 4.3, which uses what pandas will drop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield


with quiet():
    import wfdb

_TO_MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3}
_BYTES_PER_SAMPLE = {"212": 1.5, "16": 2.0, "61": 2.0, "80": 1.0, "24": 3.0, "32": 4.0}
_FAULTS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OSError, ArithmeticError)
_GAIN_PER_MV, _HALF_RANGE = 200, 2047
_TEXT_OF_WFDB = str.maketrans("", "", "\0")


class EcgRecordError(ValueError):
    """A WFDB record cannot be used; the message names the file and the mend."""


def read_ecg(path, *, annotator="atr", patient=None, card=None):
    """Read a WFDB record of one segment and its annotations.

    Parameters
    ----------
    path : path-like
        The record without its ending, or with ``.hea``.
    annotator : str or None
        The ending of the file of annotations; None: read the signals only.
    patient : str, optional
        Else what the header says in a line ``# patient: NAME``, else the name of the record.
    card : Card, optional
        Else the card that the header names in a line ``# card: NAME``, as :func:`write_ecg` writes it.

    Returns
    -------
    EcgRecord

    Raises
    ------
    EcgRecordError
        If a file is missing, truncated or damaged (its checksum differs), if there are several segments or rates, if
        the unit is no voltage, or if an annotation lies outside of the signal. It is a ValueError.

    Examples
    --------
    >>> import tempfile
    >>> from medlearn.data import simulate_ecg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record = read_ecg(write_ecg(simulate_ecg(3, duration_s=10), folder))
    >>> record.patient, record.leads, record.sampling_rate_hz
    ('SIM-ECG-3', ('MLII', 'V1'), 360.0)

    References
    ----------
    Goldberger AL et al., Circulation 101:e215, 2000, doi:10.1161/01.CIR.101.23.e215.
    """
    stem = Path(path)
    stem = stem.with_suffix("") if stem.suffix == ".hea" else stem
    header = _read_header(stem)
    signals = _read_signals(stem, header)
    beats, symbols, remarks = _read_annotations(stem, annotator, len(signals)) if annotator else _NOTHING()
    notes = dict(line.split(": ", 1) for line in header.comments if ": " in line)
    return EcgRecord(
        name=stem.name, signals_mv=signals, leads=tuple(header.sig_name), sampling_rate_hz=float(header.fs),
        beats=beats, symbols=symbols, remarks=remarks, patient=patient or notes.get("patient", stem.name),
        card=card or cards().get(notes.get("card")),
    )  # fmt: skip


def write_ecg(record, folder):
    """Write a record as WFDB files: format 212, 200 steps per mV, annotations as ``.atr``.

    Parameters
    ----------
    record : EcgRecord
    folder : path-like
        Made where it is missing.

    Returns
    -------
    pathlib.Path
        The record's path without an ending: what :func:`read_ecg` takes. Signals come back rounded to 5 µV; those of a
        simulated patient come back as they were.

    Raises
    ------
    ValueError
        If a signal leaves ±10.2 mV, or the files are there already.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / f"{record.name}.hea").exists():
        raise ValueError(f"{folder} already has a record {record.name}. Take another folder, or remove its files.")
    steps = np.rint(record.signals_mv.astype(float) * _GAIN_PER_MV)
    if np.nanmax(np.abs(steps)) > _HALF_RANGE:
        raise ValueError(f"{record.name} reaches {np.nanmax(np.abs(steps)) / _GAIN_PER_MV:.1f} mV; format 212 holds ±10"
                         " mV at 5 µV a step. Take the spikes out, or scale the signal.")  # fmt: skip
    count = len(record.leads)
    comments = [f"patient: {record.patient}"]
    if record.card is not None:
        comments += [f"card: {record.card.name}"] + ["SIMULATED, no patient"] * record.card.synthetic
    with quiet():
        wfdb.wrsamp(
            record.name, fs=record.sampling_rate_hz, units=["mV"] * count, sig_name=list(record.leads),
            d_signal=np.where(np.isnan(steps), -2048, steps).astype(np.int64), fmt=["212"] * count,
            adc_gain=[_GAIN_PER_MV] * count, baseline=[0] * count,
            comments=comments, write_dir=str(folder),
        )  # fmt: skip
    _write_annotations(record, folder)
    return folder / record.name


def _write_annotations(record, folder):
    listed = [(int(s), symbol, "") for s, symbol in zip(record.beats, record.symbols, strict=True)]
    listed = sorted(listed + [tuple(remark) for remark in record.remarks], key=lambda entry: entry[0])
    if listed:
        samples, symbols, texts = zip(*listed, strict=True)
        with quiet():
            wfdb.wrann(
                record.name, "atr", np.array(samples), list(symbols), aux_note=list(texts), write_dir=str(folder)
            )


def _NOTHING():
    return np.zeros(0, np.int64), np.zeros(0, "U1"), ()


def _read_header(stem):
    path = stem.with_name(f"{stem.name}.hea")
    if not path.is_file():
        raise EcgRecordError(f"{path} is not there. Give the path of a WFDB record without its ending, as in data/100.")
    try:
        with quiet():
            header = wfdb.rdheader(str(stem.absolute()))
        parts = (header.sig_len, header.n_sig, header.fs, header.sig_name, header.file_name, header.fmt, header.units)
    except _FAULTS as error:
        raise EcgRecordError(f"{path} is no header of one WFDB segment: {_first_line(error)}. {_AGAIN}") from error
    if any(part is None for part in parts) or not header.fs > 0 or not header.sig_len > 0:
        raise EcgRecordError(
            f"{path} must name the length, the rate and the leads of one segment, got {header.sig_len} samples at"
            f" {header.fs} Hz. {_AGAIN}"
        )
    if set(header.samps_per_frame) != {1}:
        raise EcgRecordError(f"{path}: the leads have different rates ({header.samps_per_frame} samples a frame)."
                             " Convert the record to one rate first.")  # fmt: skip
    unknown = [unit for unit in header.units if unit.lower() not in _TO_MV]
    if unknown:
        raise EcgRecordError(f"{path}: the unit must be a voltage (mV, uV, V), got {unknown[0]!r}.")
    return header


_AGAIN = "Get the file again; in a set of the catalogue data.verify names what is damaged."


def _read_signals(stem, header):
    """Return the signals in mV after comparing sizes and checksums."""
    for name in dict.fromkeys(header.file_name):
        _check_size(stem.with_name(name), header)
    try:
        with quiet():
            found = wfdb.rdrecord(str(stem.absolute()), physical=False)
        sums = found.calc_checksum()
        millivolts = found.dac() * [_TO_MV[unit.lower()] for unit in header.units]
    except _FAULTS as error:
        raise EcgRecordError(f"the signals of {stem} cannot be read: {_first_line(error)}. {_AGAIN}") from error
    for lead, got, wanted in zip(header.sig_name, sums, header.checksum, strict=True):
        if wanted is not None and (got - wanted) % 65536:
            raise EcgRecordError(
                f"lead {lead} of {stem} is damaged: its checksum is {got}, the header says {wanted}. {_AGAIN}"
            )
    return millivolts.astype(np.float32)


def _check_size(path, header):
    if not path.is_file():
        raise EcgRecordError(f"{path}, which the header names, is not there. {_AGAIN}")
    formats = [f for f, name in zip(header.fmt, header.file_name, strict=True) if name == path.name]
    if not set(formats) <= set(_BYTES_PER_SAMPLE):
        return
    wanted = int(np.ceil(sum(_BYTES_PER_SAMPLE[f] for f in formats) * header.sig_len))
    if path.stat().st_size < wanted:
        raise EcgRecordError(f"{path} has {path.stat().st_size:,} bytes; {wanted:,} were expected. Perhaps it is"
                             f" truncated. {_AGAIN}")  # fmt: skip


def _read_annotations(stem, annotator, num_samples):
    """Return the beats, their symbols and the other annotations."""
    path = stem.with_name(f"{stem.name}.{annotator}")
    if not path.is_file():
        raise EcgRecordError(f"{path} is not there. Give annotator=None to read the signals without their beats.")
    try:
        with quiet():
            found = wfdb.rdann(str(stem.absolute()), annotator)
    except _FAULTS as error:
        raise EcgRecordError(f"{path} is no file of annotations: {_first_line(error)}. {_AGAIN}") from error
    samples, symbols = np.asarray(found.sample, dtype=np.int64), np.asarray(found.symbol, dtype="U1")
    outside = (samples < 0) | (samples >= num_samples)
    if outside.any():
        raise EcgRecordError(
            f"{path}: {outside.sum()} annotation(s) lie outside of the {num_samples:,} samples, the first at"
            f" {samples[outside][0]:,}. Does the file belong to this record? {_AGAIN}"
        )
    if (np.diff(samples) < 0).any():
        raise EcgRecordError(f"{path}: the annotations are not in the order of time. {_AGAIN}")
    beat = is_beat(symbols)
    remarks = zip(samples[~beat].tolist(), symbols[~beat].tolist(), np.array(found.aux_note)[~beat], strict=True)
    remarks = tuple((sample, symbol, str(text).translate(_TEXT_OF_WFDB)) for sample, symbol, text in remarks)
    return samples[beat], symbols[beat], remarks


def _first_line(error):
    return (str(error) or type(error).__name__).splitlines()[0]
