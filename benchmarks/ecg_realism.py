"""Draw simulated ECGs beside MIT-BIH: strips, beats of each kind, and the spread of what can be measured.

Run it as ``python benchmarks/ecg_realism.py OUT``; it writes ``OUT/strips.png``, ``OUT/beats.png`` and
``OUT/statistics.png`` and prints a table. It needs MIT-BIH in the cache, and looks at DS1 only.
"""

import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy import signal

from medlearn import data
from medlearn.data.ecg_classes import DS1
from medlearn.data.ecg_statistics import measure_beats

KINDS = {"N": "N", "L": "L", "R": "R", "S": "AaJS", "V": "V", "F": "F"}
COLOURS = {"N": "0.5", "L": "0.5", "R": "0.5", "V": "C3", "F": "C1"}
SHOWN = ("119", "208", "109", "118", "201", "209", "205", "114")


def strip(axis, record, start_s, length_s=10.0):
    """Draw both leads on ECG paper: 25 mm/s, 10 mm/mV."""
    part = record.strip(start_s, start_s + length_s)
    for index, offset in enumerate((0.0, -2.5)):
        axis.plot(part.time_s, part.signals_mv[:, index] - np.median(part.signals_mv[:, index]) + offset, "k", lw=0.6)
    for time_s, symbol in zip(part.beats_s, part.symbols, strict=True):
        axis.text(time_s, 2.1, symbol, color=COLOURS.get(symbol, "C0"), fontsize=7, ha="center", clip_on=True)
    axis.set(
        xlim=(0, length_s), ylim=(-4, 2.6), xticks=np.arange(0, length_s + 0.1, 0.2), yticks=np.arange(-4, 2.6, 0.5)
    )
    axis.grid(True, color="C3", alpha=0.25, lw=0.4)
    axis.tick_params(labelbottom=False, labelleft=False, length=0)
    axis.set_title(f"{record.patient} {'SIMULATED' if record.card.synthetic else 'real'} {'/'.join(record.leads)}",
                   fontsize=8, loc="left")  # fmt: skip


def draw_strips(path, real, simulated):
    """Ten seconds of each patient around something that is not normal: real ones left, simulated ones right."""
    rows = min(len(real), len(simulated))
    figure, axes = plt.subplots(rows, 2, figsize=(22, 2.6 * rows), layout="constrained")
    for row in range(rows):
        for column, records in enumerate((real, simulated)):
            record = records[row]
            odd = record.beats_s[~np.isin(record.symbols, list("NLR"))]
            odd = odd[(odd > 6) & (odd < record.duration_s - 11)]
            strip(axes[row, column], record, odd[len(odd) // 2] - 5 if len(odd) else 20)
    figure.savefig(path, dpi=75)


def median_beats(record, symbols, half_s=0.4):
    """Return the median beat in both leads, or None if there are fewer than five."""
    half = round(half_s * record.sampling_rate_hz)
    places = record.beats[np.isin(record.symbols, list(symbols))]
    places = places[(places > half) & (places < len(record.signals_mv) - half)]
    if len(places) < 5:
        return None
    beats = record.signals_mv[places[:, None] + np.arange(-half, half)]
    return np.median(beats - np.median(beats, axis=1, keepdims=True), axis=0)


def draw_beats(path, real, simulated):
    """The median beat of each patient, by kind; upper rows real, lower rows simulated; both leads."""
    figure, axes = plt.subplots(4, len(KINDS), figsize=(20, 12), sharex=True, sharey="row", layout="constrained")
    for half, (name, records) in enumerate((("real", real), ("SIMULATED", simulated))):
        for column, (kind, symbols) in enumerate(KINDS.items()):
            found = [beat for beat in (median_beats(record, symbols) for record in records) if beat is not None]
            for lead in (0, 1):
                axis = axes[2 * half + lead, column]
                for beat in found:
                    axis.plot(np.linspace(-0.4, 0.4, len(beat)), beat[:, lead], lw=0.8)
                axis.set(title=f"{name} {kind}, lead {lead + 1}, {len(found)} patients", ylim=(-2.5, 3.2))
                axis.grid(alpha=0.3)
    figure.savefig(path, dpi=65)


def table(records):
    """Return noise and the statistics of normal and of ventricular beats of some records: name to values."""
    rows = {"noise > 45 Hz mv": [], "wander < 0.5 Hz mv": []}
    for record in records:
        rate, signal_mv = record.sampling_rate_hz, record.lead("MLII").astype(float)
        fast = signal.sosfiltfilt(signal.butter(4, 45, "high", fs=rate, output="sos"), signal_mv)
        rows["noise > 45 Hz mv"].append(np.median(np.abs(fast)))
        slow = signal.sosfiltfilt(signal.butter(2, 0.5, fs=rate, output="sos"), signal_mv)
        rows["wander < 0.5 Hz mv"].append(slow.std())
    for kind, symbols in (("N", "NLR"), ("V", "V")):
        found = [s for s in (measure_beats(record, symbols) for record in records) if s is not None]
        for part in ("rr_s", "rmssd_s", "qrs_s", "highest_mv", "lowest_mv", "t_mv"):
            rows[f"{kind} {part}"] = np.array([getattr(s, part) for s in found])
    return rows


def print_table(real, simulated):
    print(f"{'':20}{'MIT-BIH DS1: 10 %':>18}{'median':>9}{'90 %':>9}{'simulated: 10 %':>20}{'median':>9}{'90 %':>9}")
    for name in real:
        cells = [np.nanpercentile(group[name], (10, 50, 90)) for group in (real, simulated)]
        print(f"{name:20}{cells[0][0]:18.3f}{cells[0][1]:9.3f}{cells[0][2]:9.3f}"
              f"{cells[1][0]:20.3f}{cells[1][1]:9.3f}{cells[1][2]:9.3f}")  # fmt: skip


def draw_statistics(path, real, simulated):
    figure, axes = plt.subplots(2, 7, figsize=(23, 7), layout="constrained")
    for axis, name in zip(axes.ravel(), real, strict=True):
        for place, (label, group) in enumerate((("real", real), ("SIMULATED", simulated))):
            values = group[name]
            axis.plot(np.full(len(values), place) + np.linspace(-0.2, 0.2, len(values)), np.sort(values), "o", ms=4,
                      label=label)  # fmt: skip
        axis.set(title=name, xticks=(0, 1), xticklabels=("real", "SIMULATED"))
    figure.savefig(path, dpi=65)


def main(out, num_patients=40):
    out.mkdir(parents=True, exist_ok=True)
    folder = data.fetch("mitdb")
    real = [data.read_ecg(folder / name, card=data.card("mitdb"), patient=f"mitdb {name}") for name in DS1]
    start = time.process_time()
    simulated = list(data.simulate_ecgs(num_patients, seed=0))
    print(f"{num_patients} simulated patients of 5 minutes: {time.process_time() - start:.1f} CPU seconds")
    draw_strips(out / "strips.png", [real[DS1.index(name)] for name in SHOWN], simulated[: len(SHOWN)])
    draw_beats(out / "beats.png", real, simulated)
    rows = table([r for r in real if "MLII" in r.leads]), table(simulated)
    print_table(*rows)
    draw_statistics(out / "statistics.png", *rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
