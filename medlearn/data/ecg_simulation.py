"""Simulated ECG patients: a heart with its rhythm and its premature beats, two leads, and the noise of life."""

import numpy as np

from medlearn.data.catalogue import card
from medlearn.data.ecg_noise import Noise, add_noise
from medlearn.data.ecg_person import Person
from medlearn.data.ecg_record import EcgRecord
from medlearn.data.ecg_render import render
from medlearn.data.ecg_rhythm import run_clock
from medlearn.data.ecg_shapes import LEADS
from medlearn.data.options import check_number, check_whole, patient_seeds

_STEP_MV, _LOW_MV, _HIGH_MV = 0.005, -5.12, 5.115  # 11 bits over 10 mV, as MIT-BIH was digitised


def simulate_ecg(seed=0, *, duration_s=300.0, sampling_rate_hz=360.0, leads=("MLII", "V1"), noise=None):
    """Simulate the ECG of one patient, with every beat marked. The patient is SIMULATED.

    The signal follows the model of McSharry et al.: waves push it, and it relaxes to the baseline. It is extended: each
    kind of beat has waves of its own, as a dipole that all leads see; they are laid out in seconds after the R peak, so
    that a QRS complex keeps its width when the heart is fast, and QT goes with the root of the interval. The amplitude
    of a wave is given in mV, as by Sameni et al.; beats of several kinds follow each other as by Clifford et al.

    Parameters
    ----------
    seed : int
        0 or more. One seed is one patient: heart, rhythm, electrodes and, unless you give it, noise.
    duration_s : float
        5 to 86,400. Another duration is another recording: a minute is not the first one of an hour; ``.strip`` cuts.
    sampling_rate_hz : float
        100 to 2,000. The beats come at the same times at every rate.
    leads : sequence of str
        Some of MLII, V1, V2, V4, V5. The R peak of a beat is its largest swing in the first one.
    noise : Noise, optional
        Else drawn. ``Noise.none()`` gives a perfect recording.

    Returns
    -------
    EcgRecord
        In steps of 5 µV from -5.12 to 5.115 mV. Symbols are N, L, R (normal, bundle branch blocks), A, a, J
        (supraventricular premature), V (ventricular premature) and F (fusion). Remarks: changes of the rhythm ("+"),
        jerks of an electrode and lost leads ("~").

    Raises
    ------
    ValueError
        If an option is out of its range.

    Examples
    --------
    >>> record = simulate_ecg(seed=3, duration_s=10)
    >>> record.patient, record.signals_mv.shape, record.leads, record.card.synthetic
    ('SIM-ECG-3', (3600, 2), ('MLII', 'V1'), True)

    References
    ----------
    McSharry PE et al., IEEE Trans Biomed Eng 50:289, 2003, doi:10.1109/TBME.2003.808805. Dipole: Sameni R et al.,
    EURASIP J Adv Signal Process 2007:43407, doi:10.1155/2007/43407. Abnormal beats: Clifford GD et al., Physiol Meas
    31:595, 2010, doi:10.1088/0967-3334/31/5/001.
    """
    seed = check_whole("seed", seed, 0, 10**17)
    duration_s = check_number("duration_s", duration_s, 5, 86_400)
    rate_hz = check_number("sampling_rate_hz", sampling_rate_hz, 100, 2000)
    leads = _check_leads(leads)
    person = Person(seed)
    rhythm = run_clock(person, duration_s)
    signals, peaks_s = render(person, rhythm, duration_s, rate_hz, leads)
    noise = _check_noise(noise) or Noise.draw(person.rng("noise"))
    breathing = np.interp(np.arange(len(signals)) / rate_hz, *person.breathing(duration_s))
    signals, episodes = add_noise(
        signals, noise, sampling_rate_hz=rate_hz, breathing=breathing, rng=person.rng("noise in time")
    )
    beats, symbols = _beats(peaks_s, [beat[1] for beat in rhythm.beats], len(signals), rate_hz)
    return EcgRecord(
        name=patient_name(seed), signals_mv=_digitise(signals), leads=leads, sampling_rate_hz=rate_hz, beats=beats,
        symbols=symbols, remarks=_remarks(rhythm.changes, episodes, leads, len(signals), rate_hz),
        patient=patient_name(seed), card=card("simulated_ecg"),
    )  # fmt: skip


def simulate_ecgs(num_patients=40, *, seed=0, duration_s=300.0, sampling_rate_hz=360.0, leads=("MLII", "V1"),
                  noise=None):  # fmt: skip
    """Return a generator of one simulated patient's ECG after another.

    Parameters
    ----------
    num_patients : int
        1 to 10000.
    seed : int
        Another seed gives other patients, none of them in two seeds.
    duration_s, sampling_rate_hz, leads, noise
        As for :func:`simulate_ecg`.

    Yields
    ------
    EcgRecord

    Raises
    ------
    ValueError
        If an option is out of its range.

    Examples
    --------
    >>> [record.patient for record in simulate_ecgs(2, seed=1, duration_s=5)]
    ['SIM-ECG-10000', 'SIM-ECG-10001']
    """
    seeds = patient_seeds(num_patients, seed)
    check_number("duration_s", duration_s, 5, 86_400)
    check_number("sampling_rate_hz", sampling_rate_hz, 100, 2000)
    leads, noise = _check_leads(leads), _check_noise(noise)  # now, not when the first record is asked for
    return (
        simulate_ecg(patient_seed, duration_s=duration_s, sampling_rate_hz=sampling_rate_hz, leads=leads, noise=noise)
        for patient_seed in seeds
    )


def patient_name(seed):
    return f"SIM-ECG-{seed}"


def _check_leads(leads):
    leads = (leads,) if isinstance(leads, str) else tuple(leads)
    if not leads or len(set(leads)) < len(leads) or not set(leads) <= set(LEADS):
        raise ValueError(f"leads must be some of {', '.join(LEADS)}, each once, got {leads!r}.")
    return leads


def _check_noise(noise):
    if not isinstance(noise, Noise | None):
        raise ValueError(f"noise must be a Noise, such as Noise.none(), or None to draw it, got {noise!r}.")
    return noise


def _digitise(signals_mv):
    steps = np.rint(np.clip(signals_mv, _LOW_MV, _HIGH_MV) / _STEP_MV)
    return (steps / round(1 / _STEP_MV)).astype(np.float32)


def _beats(peaks_s, symbols, num_samples, rate_hz):
    samples = np.rint(peaks_s * rate_hz).astype(np.int64)
    order = np.argsort(samples, kind="stable")
    inside = order[(samples[order] >= 0) & (samples[order] < num_samples)]
    return samples[inside], np.array(symbols, dtype="U1")[inside]


def _remarks(changes, episodes, leads, num_samples, rate_hz):
    """Return the annotations that are no beats; what began before the record stands at its first sample."""
    begun = [name for time, name in changes if time <= 0][-1:]
    remarks = [(0, "+", name) for name in begun]
    remarks += [(round(time * rate_hz), "+", name) for time, name in changes if time > 0]
    for start, _, lead in episodes:
        remarks.append((round(start * rate_hz), "~", "electrode motion" if lead is None else f"{leads[lead]} lost"))
    return tuple(sorted(remark for remark in remarks if remark[0] < num_samples))
