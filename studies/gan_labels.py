"""Is it their labels? What the study of made patches left open: ``make study NAME=gan_labels``, after ``NAME=gan``.

**Exploratory**: planned after the table of :mod:`studies.gan` was seen. It opens no test patient; it scores on the
simulated validation patients (seed 1000) on whom the generator's recipe was chosen. For each simulated training set of
the study, four classifiers with equal first weights and equal steps:

- ``nothing`` and ``classical``, as in the study;
- ``asked``: the study's made patches, each with the label that was asked for (the study's arm ``made``);
- ``checked``: the same made patches, each with the label that the network of ``classical`` gives it.

Writes ``medlearn/models/gan_labels.csv``, which lesson 09d reads. It needs what ``NAME=gan`` left in
``build/studies/gan``.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from medlearn.models import nodule_features
from medlearn.models.nodule_training import predict
from studies import gan as study
from studies import runner
from studies.gan_pools import SIMULATED, load_pool
from studies.gan_table import FACTS, TABLES, judged, write_rows
from studies.records import save_arrays
from studies.runner import Job

ARMS = ("nothing", "classical", "asked", "checked")
VALIDATION = f"{SIMULATED}-unseen"


def list_jobs(recipe):
    """Return a job for each training set of the study."""
    return [
        Job(
            f"labels_{SIMULATED}_{size}_{replicate}",
            {
                "source": SIMULATED, "size": size, "replicate": replicate, "pool": f"{SIMULATED}-{replicate}",
                "epoch_patches": recipe.epoch_patches, "num_epochs": recipe.num_epochs,
            },
        )
        for size, replicates in recipe.sizes
        for replicate in range(1, replicates + 1)
    ]  # fmt: skip


def work(options, folder):
    """Train the four classifiers of one training set, and store their scores of the validation patients."""
    part, (images, asked) = study.training_part(options, folder), study.load_made(options, folder)
    networks = {
        "nothing": study.train_classifier(part, None, options, augmented=False),
        "classical": study.train_classifier(part, None, options, augmented=True),
        "asked": study.train_classifier(part, (images, asked), options, augmented=False),
    }
    checked = _called(networks["classical"], images)
    networks["checked"] = study.train_classifier(part, (images, checked), options, augmented=False)
    validation = load_pool(VALIDATION, folder)
    scores = {arm: predict(networks[arm], validation.images_hu, symmetric=False) for arm in ARMS}
    save_arrays(_scores_path(options, folder), **scores)
    judge = nodule_features.load_feature_net()
    return {
        "changed": float(np.mean(checked != asked)),
        "ruler_agrees": float(np.mean(_called(judge, images) == asked)),
        "ruler_agrees_on_patients": float(np.mean(_called(judge, validation.images_hu) == validation.labels)),
    }


def _called(network, images_hu):
    return (predict(network, images_hu, symmetric=False) > 0.5).astype(np.int64)


def _scores_path(options, folder):
    return Path(folder) / "scores" / "labels_{source}_{size}_{replicate}.npz".format(**options)


def list_rows(records, folder):
    """Yield a row for each classifier: its AUC, and the paired difference to nothing."""
    validation = load_pool(VALIDATION, folder)
    for record in records.values():
        options = record["options"]
        with np.load(_scores_path(options, folder), allow_pickle=False) as file:
            scores = dict(file)
        for arm in ARMS:
            row = {"patients": options["size"], "replicate": options["replicate"], "arm": arm}
            row |= judged(validation, scores[arm], None if arm == "nothing" else scores["nothing"])
            yield row | record["result"] | {fact: record.get(fact, "") for fact in FACTS}


def _parsed(arguments):
    parser = argparse.ArgumentParser(prog="make study NAME=gan_labels", description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="processes; 0: this one")
    parser.add_argument("--quick", action="store_true", help="of what the quick study left")
    parser.add_argument("--folder", type=Path, help="of the study; build/studies/gan by default")
    parser.add_argument("--tables", type=Path, help="where to write the table; by default the package")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Do what is not done yet, and write the table when all is."""
    chosen = _parsed(arguments)
    folder = chosen.folder or study.FOLDER / ("gan-quick" if chosen.quick else "gan")
    jobs = list_jobs(study.QUICK if chosen.quick else study.RECIPES[SIMULATED])
    records, failures = runner.run(jobs, work, folder=folder, workers=chosen.workers)
    for name, failure in failures.items():
        print(f"\n{name}\n{failure}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} of {len(jobs)} jobs failed, no table. Has NAME=gan been run?", file=sys.stderr)
        return 1
    command = "make study NAME=gan_labels" + " ARGS='--quick'" * chosen.quick
    rows = [row | {"command": command} for row in list_rows(records, folder)]
    write_rows((chosen.tables or (folder if chosen.quick else TABLES)) / "gan_labels.csv", rows)
    for size, arm in dict.fromkeys((row["patients"], row["arm"]) for row in rows):
        cell = [row["auc"] for row in rows if (row["patients"], row["arm"]) == (size, arm)]
        print(f"{size:5d} patients {arm:10s} {np.mean(cell):.3f}")
    return 0


if __name__ == "__main__":
    from studies.gan_labels import main as run_main  # workers import it by this name, not as __main__

    sys.exit(run_main())
