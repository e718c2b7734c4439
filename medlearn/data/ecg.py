"""Heart beats with their class and their patient, from simulated or from real ECGs: windows around R, and RR intervals.

The records themselves come from :mod:`medlearn.data.ecg_simulation`, :mod:`medlearn.data.ecg_real` and
:mod:`medlearn.data.ecg_wfdb`.
"""

from collections.abc import Iterable
from numbers import Real
from pathlib import Path

import numpy as np

from medlearn.data.ecg_beats import Beats, cut_windows, rr_features
from medlearn.data.ecg_classes import check_classes, class_labels
from medlearn.data.ecg_real import SUBSETS, load_mitdb
from medlearn.data.ecg_record import EcgRecord
from medlearn.data.ecg_simulation import simulate_ecgs
from medlearn.data.options import check_number


def load_beats(
    source="simulated", *, lead="MLII", window_s=(0.3, 0.5), classes="AAMI5", sampling_rate_hz=None, subset="DS1+DS2",
    num_patients=40, duration_s=300.0, seed=0,
):  # fmt: skip
    """Load heart beats with their class and their patient.

    Parameters
    ----------
    source : {"simulated", "mitdb"}, path-like, or iterable of EcgRecord
        SIMULATED patients; the real MIT-BIH records; a folder of WFDB records with annotations; records that you have.
    lead : str or sequence of str
        By name. ``"other"`` stands for the lead of a record that is not named, whichever it is: MIT-BIH's second
        lead is V1 in most records, and V2, V4 or V5 in the others.
    window_s : float or (float, float)
        Seconds before and after the R peak, together at most 10; one number is cut in halves. At the ends of a record
        the first and the last value are repeated, so that no beat is lost.
    classes : {"AAMI5", "AAMI4"} or dict of str to str
        See :func:`medlearn.data.ecg_classes.class_labels`. Beats in no class are left out, after the intervals were
        measured.
    sampling_rate_hz : float, optional
        Else that of the records. Other rates are resampled, with a filter against aliasing.
    subset : {"DS1+DS2", "DS1", "DS2", "paced"}
        Only for ``"mitdb"``: the inter-patient split of de Chazal et al., for training and for test. **One person is in
        both**: record 201 (DS1) and record 202 (DS2) come from one tape. ``patients`` says so, and
        :func:`assert_no_patient_overlap` finds it.
    num_patients, duration_s, seed
        Only for ``"simulated"``: see :func:`simulate_ecgs`.

    Returns
    -------
    Beats

    Raises
    ------
    ValueError
        If an option is out of its range, or a record is damaged, has no marked beats, or lacks a lead.
    DataUnavailable
        If MIT-BIH is not in the cache and cannot be downloaded.

    Examples
    --------
    >>> beats = load_beats(num_patients=2, duration_s=10, lead=("MLII", "V1"), sampling_rate_hz=125)
    >>> beats.signals_mv.shape[1:], beats.class_names, beats.rr_s.shape[1]
    ((100, 2), ('N', 'S', 'V', 'F', 'Q'), 4)

    References
    ----------
    Classes: ANSI/AAMI EC57. Split and intervals: de Chazal P et al., IEEE Trans Biomed Eng 51:1196, 2004,
    doi:10.1109/TBME.2004.827359.
    """
    classes, before_s, after_s = check_classes(classes), *_check_window(window_s)
    wanted = (lead,) if isinstance(lead, str) else tuple(lead)
    if not wanted or len(set(wanted)) < len(wanted) or not all(isinstance(name, str) for name in wanted):
        raise ValueError(f"lead must be a name such as 'MLII', or several, each once, got {lead!r}.")
    if sampling_rate_hz is not None:
        sampling_rate_hz = check_number("sampling_rate_hz", sampling_rate_hz, 20, 2000)
    parts, rates, cards = [], set(), set()
    for record in _records(source, subset, num_patients, duration_s, seed):
        if not isinstance(record, EcgRecord):
            raise ValueError(f"source must hold EcgRecords, as read_ecg returns them, got a {type(record).__name__}.")
        part = _beats_of(record, wanted, classes, before_s, after_s, sampling_rate_hz)
        parts.append(part)
        rates.add(part["rate"])
        cards.add(record.card)
    if len(rates) != 1:
        raise ValueError(
            f"the records have different rates ({', '.join(f'{rate:g}' for rate in sorted(rates))} Hz): choose one with"
            " sampling_rate_hz=." if rates else f"{source!r} holds no records."
        )  # fmt: skip
    rate = rates.pop()
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "rate"}
    return Beats(
        **arrays, class_names=tuple(classes), leads=wanted, sampling_rate_hz=rate, r_index=round(before_s * rate),
        card=cards.pop() if len(cards) == 1 else None,
    )  # fmt: skip


def _check_window(window_s):
    pair = (window_s / 2, window_s / 2) if isinstance(window_s, Real) else tuple(window_s)
    if len(pair) != 2 or not all(isinstance(p, Real) and p >= 0 for p in pair) or not 0.02 <= sum(pair) <= 10:
        raise ValueError(
            "window_s must be the seconds before and after R, such as (0.3, 0.5), together 0.02 to 10; got"
            f" {window_s!r}."
        )
    return pair


def _records(source, subset, num_patients, duration_s, seed):
    """Return the records of a source, one after another."""
    if isinstance(source, str) and source == "simulated":
        return simulate_ecgs(num_patients, seed=seed, duration_s=duration_s)
    if isinstance(source, str) and source == "mitdb":
        if subset not in SUBSETS:
            raise ValueError(f"subset must be one of {', '.join(SUBSETS)}, got {subset!r}.")
        return (load_mitdb(name) for name in SUBSETS[subset])
    if isinstance(source, EcgRecord):
        return [source]
    if isinstance(source, (str, Path)):
        return _folder(Path(source))
    if isinstance(source, Iterable):
        return source
    raise ValueError(f"source must be 'simulated', 'mitdb', a folder or EcgRecords, got {source!r}.")


def _folder(folder):
    from medlearn.data.ecg_wfdb import read_ecg  # here: wfdb takes two seconds to import

    paths = sorted(folder.glob("*.hea"))
    if not paths:
        raise ValueError(
            f"source must be 'simulated', 'mitdb', or a folder with WFDB records; {str(folder)!r} is none that has a"
            " file ending with .hea."
        )
    return (read_ecg(path) for path in paths)


def _beats_of(record, wanted, classes, before_s, after_s, rate_hz):
    """Return the arrays of one record by the names of their attributes in Beats, and its rate."""
    if not len(record.beats):
        raise ValueError(f"{record.name} has no marked beats: load_beats needs their places and symbols.")
    labels = class_labels(record.symbols, classes)
    kept = labels >= 0
    columns = _columns(record, wanted)
    resampled = record if rate_hz is None else record.resampled(rate_hz)
    windows = cut_windows(resampled, columns, before_s, after_s)[kept]
    count = int(kept.sum())
    return {
        "signals_mv": windows, "rr_s": rr_features(record.beats_s)[kept], "labels": labels[kept],
        "symbols": record.symbols[kept], "patients": np.full(count, record.patient),
        "records": np.full(count, record.name), "times_s": record.beats_s[kept], "rate": resampled.sampling_rate_hz,
    }  # fmt: skip


def _columns(record, wanted):
    """Return the columns of the wanted leads."""
    named = [record.lead_index(name) for name in wanted if name != "other"]
    others = [index for index in range(len(record.leads)) if index not in named]
    if "other" in wanted and len(others) != 1:
        raise ValueError(
            f"'other' needs records with one lead besides those named; {record.name} has {len(others)}"
            f" ({', '.join(record.leads[index] for index in others) or 'none'}). Name the leads."
        )
    return [others[0] if name == "other" else record.lead_index(name) for name in wanted]
