"""Does adding made patches help lesson 06's network? ``make study NAME=gan``, or ``ARGS="--quick"`` to see it run.

Replicate r has training patients of its own and random numbers of its own. For each size of its training set, one
conditional generator is trained on exactly those patients' patches, and a classifier in each of four arms: nothing
added, classical augmentation, made patches, both. **Every classifier takes the same number of steps** of 64 patches;
in the arms with made patches half of them are made. All else is the default recipe of
:mod:`medlearn.models.nodule_training`. The generator's recipe turns and mirrors what its critic sees, so made patches
hold that part of the classical augmentation too. No choice looked at a test patient; they are scored once, after the
last training, one view a patch. LUNA16's test rows were opened before, by lesson 06b and by the first run of this study
(below), and its development rows are where lesson 06's architecture was chosen; no choice was made on either.

This is the second run. The first had a weaker generator (500 steps, six to seven Fréchet units from unseen patients)
and tested on simulated patients of seed 2000. Its result: made patches against nothing 0.002 to 0.009 lower in mean
AUC, on top of classical augmentation 0.016 to 0.020 lower on simulated patients. So the generator was mended, on the
validation patients of seed 1000, and the study run again on simulated test patients whom nobody had looked at.

``--source real`` draws the training patients from the blocks of LUNA16's development rows: label-only conditions.
Writes ``medlearn/models/gan_study.csv`` and ``gan_study_summary.csv``; lesson 09d reads them.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from medlearn import data, metrics
from medlearn.models import gan, nodule_features
from medlearn.models.nodule_augmentation import Augmentation
from medlearn.models.nodule_net import NoduleNet
from medlearn.models.nodule_training import predict, train
from studies import gan_pools, gan_table, runner
from studies.gan_pools import REAL, SIMULATED, load_pool, make_pool, training_patients
from studies.records import save_arrays
from studies.runner import Job

ARMS = {"nothing": (False, False), "classical": (True, False), "made": (False, True), "both": (True, True)}
FOLDER = Path(__file__).parents[1] / "build" / "studies"
BATCH = 64


@dataclass(frozen=True)
class Recipe:
    """The numbers of the study.

    Attributes
    ----------
    sizes : tuple of (int, int)
        Training patients, and how many replicates of that size.
    pool_patients, test_patients, unseen_patients : int
        Simulated: of a replicate, tested, and what made patches are compared with.
    epoch_patches, num_epochs : int
        Every training set is filled up to ``epoch_patches`` by going through its patches again, so that the steps,
        ``epoch_patches / 64 * num_epochs``, are the same in all.
    made : int
        Patches a generator makes, half of an epoch: each is seen once an epoch.
    generator_steps : int
        Of the recipe ``gan.RECIPE``, which is stored with each result.
    rehearsal : bool
        Test on other patients and rows than those that are opened once.
    """

    sizes: tuple = ((50, 5), (200, 5), (1000, 5))
    pool_patients: int = 1000
    test_patients: int = 200
    unseen_patients: int = 80
    epoch_patches: int = 16_000
    num_epochs: int = 4
    made: int = 8_000
    generator_steps: int = gan.RECIPE["num_steps"]
    rehearsal: bool = False


RECIPES = {SIMULATED: Recipe(), REAL: Recipe(sizes=((50, 5), (200, 5)))}
QUICK = Recipe(
    sizes=((2, 2), (3, 1)), pool_patients=3, test_patients=3, unseen_patients=2, epoch_patches=2 * BATCH, num_epochs=1,
    made=BATCH, generator_steps=2, rehearsal=True,
)  # fmt: skip


def test_pools(source, have_real):
    """Return the names of the pools that a classifier is tested on."""
    if source == REAL:
        return [f"{REAL}-test"]
    return [f"{SIMULATED}-test"] + ([f"{REAL}-test", f"{REAL}-development"] if have_real else [])


def list_jobs(source, recipe, *, have_real):
    """Return the jobs of one source: pools, then generators and classifiers, the small sizes first."""
    jobs, tests = list(_pool_jobs(source, recipe, have_real)), test_pools(source, have_real)
    for size, replicates in recipe.sizes:
        for replicate in range(1, replicates + 1):
            pool = f"{SIMULATED}-{replicate}" if source == SIMULATED else f"{REAL}-development"
            drawn = {"source": source, "size": size, "replicate": replicate, "pool": pool}
            mark, needs = f"{source}_{size}_{replicate}", (f"pool_{pool}",)
            largest = recipe.sizes[-1][0]
            options = drawn | {"made": recipe.made, "largest": largest}
            options["training"] = gan.RECIPE | {"num_steps": recipe.generator_steps}
            unseen = (f"pool_{SIMULATED}-unseen",) if source == SIMULATED else ()
            generator = Job(f"generator_{mark}", {"kind": "generator"} | options, needs + unseen)
            jobs.append(generator)
            for arm in ARMS:
                options = drawn | {"arm": arm, "tests": tests}
                options |= {"epoch_patches": recipe.epoch_patches, "num_epochs": recipe.num_epochs}
                wants = (*needs, *(f"pool_{test}" for test in tests), *((generator.name,) if ARMS[arm][1] else ()))
                jobs.append(Job(f"classifier_{mark}_{arm}", {"kind": "classifier"} | options, wants))
    return jobs


def _pool_jobs(source, recipe, have_real):
    """Yield a job for each pool; no patient is in two."""
    if source == SIMULATED:
        test_seed = gan_pools.REHEARSAL_SEED if recipe.rehearsal else gan_pools.TEST_SEED
        parts = [(f"{SIMULATED}-unseen", recipe.unseen_patients, 12, gan_pools.UNSEEN_SEED)]
        parts += [(f"{SIMULATED}-test", recipe.test_patients, 8, test_seed)]
        most = max(replicates for _, replicates in recipe.sizes)
        parts += [(f"{SIMULATED}-{replicate}", recipe.pool_patients, 8, replicate) for replicate in range(1, most + 1)]
        for pool, patients, each, seed in parts:
            options = {"pool": pool, "num_patients": patients, "patches_per_patient": each, "seed": seed}
            yield Job(f"pool_{pool}", {"kind": "pool"} | options)
    for part in ("development", "test") if have_real else ():
        yield Job(f"pool_{REAL}-{part}", {"kind": "pool", "pool": f"{REAL}-{part}", "rehearsal": recipe.rehearsal})


def work(options, folder):
    """Do one job of the study."""
    return {"pool": make_pool, "generator": make_generator, "classifier": make_classifier}[options["kind"]](
        options, folder
    )


def training_part(options, folder):
    """Return the patches to train on."""
    pool = load_pool(options["pool"], folder)
    chosen = training_patients(pool, options["source"], size=options["size"], replicate=options["replicate"])
    return pool.of(chosen)


def _unseen(options, folder):
    """Return patches of patients that no generator of the replicate was trained on."""
    if options["source"] == SIMULATED:
        return load_pool(f"{SIMULATED}-unseen", folder)
    pool = load_pool(options["pool"], folder)
    largest = training_patients(pool, REAL, size=options["largest"], replicate=options["replicate"])
    return pool.of(np.setdiff1d(pool.patients, largest))


def make_generator(options, folder):
    """Train one generator, let it make patches, and measure how far they are from unseen patients' patches."""
    part, replicate = training_part(options, folder), options["replicate"]
    begun = time.process_time()
    run = gan.train_conditional(
        part.images_hu, part.labels, part.diameters_mm, seed=replicate, device="cpu", progress=False,
        num_steps=options["training"]["num_steps"],
    )  # fmt: skip
    seconds = time.process_time() - begun
    asked = np.random.default_rng([replicate, 1]).integers(len(part.labels), size=options["made"])
    labels = part.labels[asked]
    made = gan.make_patches(run.averaged, gan.conditions(labels, part.diameters_mm[asked]), seed=replicate)
    unseen = _unseen(options, folder)
    count = min(len(made), len(unseen.labels))  # equal numbers: the distance depends on them
    features = [nodule_features.features(images[:count]) for images in (unseen.images_hu, made)]
    save_arrays(_made_path(options, folder), images_hu=made.astype(np.float16), labels=labels)
    found = {"frechet": metrics.frechet_distance(*features), "frechet_patches": count}
    return found | {"steps": len(run.history["steps"]), "train_cpu_seconds": seconds}


def _made_path(options, folder):
    mark = "{source}_{size}_{replicate}".format(**options)
    return Path(folder) / "made" / f"{mark}.npz"


def load_made(options, folder):
    """Return what :func:`make_generator` stored of this training set: images in HU, and the labels asked for."""
    with np.load(_made_path(options, folder), allow_pickle=False) as file:
        return file["images_hu"].astype(np.float32), file["labels"]


def fill(part, made, *, count, seed):
    """Return images and labels of exactly ``count`` patches: the training patients', and made ones as the other half.

    Each part is gone through in random order, again and again until it is full, so no patch comes twice more often
    than another.
    """
    rng = np.random.default_rng([seed, 3])
    shares = [(part.images_hu, part.labels, count)]
    if made is not None:
        shares = [(part.images_hu, part.labels, count - count // 2), (*made, count // 2)]
    images, labels = [], []
    for of, named, share in shares:
        order = np.concatenate([rng.permutation(len(named)) for _ in range(-(-share // len(named)))])[:share]
        images.append(of[order].astype(np.float32))
        labels.append(named[order])
    return np.concatenate(images), np.concatenate(labels)


def train_classifier(part, made, options, *, augmented):
    """Train lesson 06's network; equal seeds begin with equal weights, and every training has equally many steps."""
    given = fill(part, made, count=options["epoch_patches"], seed=options["replicate"])
    torch.manual_seed(options["replicate"])
    network = NoduleNet(32)
    train(
        network, *given, num_epochs=options["num_epochs"], batch_size=BATCH, seed=options["replicate"], progress=False,
        augmentation=Augmentation() if augmented else None,
    )  # fmt: skip
    return network


def make_classifier(options, folder):
    """Train lesson 06's network in one arm; store its scores of the test pools."""
    part, (augmented, with_made) = training_part(options, folder), ARMS[options["arm"]]
    begun = time.process_time()
    network = train_classifier(part, load_made(options, folder) if with_made else None, options, augmented=augmented)
    seconds = time.process_time() - begun
    scores = {test: predict(network, load_pool(test, folder).images_hu, symmetric=False) for test in options["tests"]}
    mark = "{source}_{size}_{replicate}_{arm}".format(**options)
    save_arrays(Path(folder) / "scores" / f"{mark}.npz", **scores)
    own = metrics.auc_score(part.labels, predict(network, part.images_hu, symmetric=False), patients=part.patients)
    steps = max(1, options["epoch_patches"] // BATCH) * options["num_epochs"]
    return {"training_auc": own.value, "steps": steps, "train_cpu_seconds": seconds}


def _parsed(arguments):
    parser = argparse.ArgumentParser(prog="make study NAME=gan", description=__doc__.splitlines()[0])
    parser.add_argument("--source", nargs="+", choices=list(RECIPES), default=[SIMULATED], help="of training patients")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0: this one")
    parser.add_argument("--quick", action="store_true", help="tiny, no test patient: to see whether it runs")
    parser.add_argument("--folder", type=Path, help="of what is done so far; build/studies/gan by default")
    parser.add_argument("--tables", type=Path, help="where to write the tables; by default those of the package")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Do what is not done yet, and write the tables when all is."""
    chosen = _parsed(arguments)
    folder = chosen.folder or FOLDER / ("gan-quick" if chosen.quick else "gan")
    have_real, jobs = data.available("luna16_crops"), {}
    for source in chosen.source:
        if source == SIMULATED or have_real:
            listed = list_jobs(source, QUICK if chosen.quick else RECIPES[source], have_real=have_real)
            jobs |= {job.name: job for job in listed}  # both sources read the real pools
    records, failures = runner.run(jobs.values(), work, folder=folder, workers=chosen.workers)
    for name, failure in failures.items():
        print(f"\n{name}\n{failure}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} of {len(jobs)} jobs are not done; run this again for them. No table.", file=sys.stderr)
        return 1
    said = (["--source", *chosen.source] if chosen.source != [SIMULATED] else []) + ["--quick"] * chosen.quick
    command = "make study NAME=gan" + (f" ARGS='{' '.join(said)}'" if said else "")
    gan_table.write(records, folder, command=command, tables=chosen.tables or (folder if chosen.quick else None))
    return 0


if __name__ == "__main__":
    from studies.gan import main as run_main  # workers import it by this name, not as __main__

    sys.exit(run_main())
