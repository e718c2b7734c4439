"""The tables of the study of made patches: one row for each classifier and test set, and the means over replicates."""

import csv
import math
from pathlib import Path

import numpy as np

import medlearn
from medlearn import metrics
from studies.gan_pools import REAL, SIMULATED, load_pool

TABLES = Path(medlearn.__file__).parent / "models"
NAMES = {
    f"{SIMULATED}-test": "simulated test patients",
    f"{REAL}-test": "LUNA16 test rows",
    f"{REAL}-development": "LUNA16 development rows",
}
FACTS = ("python", "torch", "medlearn", "commit", "date")
REFERENCE = "nothing"


def write(records, folder, *, command, tables=None):
    """Write ``gan_study.csv`` and ``gan_study_summary.csv``, print the second, and return both."""
    tables = Path(tables or TABLES)
    rows = [row | {"command": command} for row in list_rows(records, folder)]
    means = [row | {"command": command} for row in summarise(rows)]
    write_rows(tables / "gan_study.csv", rows)
    write_rows(tables / "gan_study_summary.csv", means)
    print(as_text(means))
    return rows, means


def list_rows(records, folder):
    """Yield the rows of the large table: each classifier on each test set, compared with nothing added."""
    pools = {}
    for record in records.values():
        options = record["options"]
        if options["kind"] != "classifier":
            continue
        generator = records.get("generator_{source}_{size}_{replicate}".format(**options), {}).get("result", {})
        with_made = options["arm"] in ("made", "both")
        scores, reference = (_scores(options | {"arm": arm}, folder) for arm in (options["arm"], REFERENCE))
        for test in options["tests"]:
            pool = pools.setdefault(test, load_pool(test, folder))
            row = {"source": options["source"], "patients": options["size"], "replicate": options["replicate"]}
            row |= {"arm": options["arm"], "test_set": NAMES[test]}
            row |= judged(pool, scores[test], None if options["arm"] == REFERENCE else reference[test])
            row |= {"training_auc": record["result"]["training_auc"], "steps": record["result"]["steps"]}
            row |= {"frechet": generator["frechet"] if with_made else ""}
            row |= {"cpu_seconds": record["result"]["train_cpu_seconds"]}
            row |= {"generator_steps": generator["steps"] if with_made else ""}
            row |= {"generator_cpu_seconds": generator["train_cpu_seconds"] if with_made else ""}
            yield row | {fact: record.get(fact, "") for fact in FACTS}


def _scores(options, folder):
    mark = "{source}_{size}_{replicate}_{arm}".format(**options)
    with np.load(Path(folder) / "scores" / f"{mark}.npz", allow_pickle=False) as file:
        return dict(file)


def judged(pool, scores, reference):
    """Return the AUC with its interval over patients, and the paired difference to the reference."""
    auc = metrics.auc_score(pool.labels, scores, patients=pool.patients)
    row = {"test_patients": auc.num_patients, "test_patches": auc.num_cases} | _ends("auc", auc)
    if reference is None:
        return row | dict.fromkeys(("difference", "difference_low", "difference_high", "p_value"), "")
    paired = metrics.compare_auc(pool.labels, scores, reference, patients=pool.patients)
    p_value = "" if math.isnan(paired.p_value) else f"{paired.p_value:.2g}"  # four decimals would make it 0
    return row | _ends("difference", paired.difference) | {"p_value": p_value}


def _ends(name, estimate):
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def summarise(rows):
    """Yield the rows of the small table: mean AUC and mean paired difference with t intervals over the replicates.

    The replicates differ in their training patients and in all random numbers; **the test patients are the same**, so
    these intervals do not hold what other test patients would add.
    """
    cells = dict.fromkeys((row["source"], row["patients"], row["arm"], row["test_set"]) for row in rows)
    for source, patients, arm, test_set in cells:
        wanted = {"source": source, "patients": patients, "arm": arm, "test_set": test_set}
        cell = [row for row in rows if wanted.items() <= row.items()]
        mean = metrics.mean_over_patients([row["auc"] for row in cell], patients=None, method="t")
        row = wanted | {"replicates": len(cell)} | _ends("auc", mean)
        if arm != REFERENCE:
            mean = metrics.mean_over_patients([row["difference"] for row in cell], patients=None, method="t")
        yield row | (_ends("difference", mean) if arm != REFERENCE else dict.fromkeys(
            ("difference", "difference_low", "difference_high"), ""))  # fmt: skip


def as_text(means):
    """Return the small table for a terminal."""
    lines = []
    for row in means:
        auc, low, high, *gain = (row[name] for name in row if name.startswith(("auc", "difference")))
        said = "{:+.3f} ({:+.3f} to {:+.3f})".format(*gain) if gain[0] != "" else ""
        lines.append(
            f"{row['source']:10s}{row['patients']:5d} {row['arm']:10s}{row['test_set']:25s}"
            f" {auc:.3f} ({low:.3f} to {high:.3f})  {said}"
        )
    return "\n".join(lines)


def write_rows(path, rows):
    """Write rows as a CSV file, floats with four decimals."""
    rows = [{name: _plain(value) for name, value in row.items()} for row in rows]
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _plain(value):
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.4f}"
