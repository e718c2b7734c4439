"""studies/gan.py: its recipe runs, its arms are fair, it opens test patients once, and its stored table is whole."""

import csv
import importlib
import itertools
import json
import shutil
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from medlearn import data
from medlearn.data.catalogue import card
from medlearn.data.luna16 import Crops
from medlearn.data.options import patient_seeds
from medlearn.models import nodule_training
from medlearn.models.nodule_net import NoduleNet

ROOT = Path(__file__).parents[1]
TIMES = ("cpu_seconds", "generator_cpu_seconds")
ARMS = ("nothing", "classical", "made", "both")
TESTS = ("simulated test patients", "LUNA16 test rows", "LUNA16 development rows")


def crops_of_blocks(num_blocks=24, each=6):
    """Return crops that nobody has seen: noise, brighter in the middle where the label is 1."""
    blocks = np.repeat(np.arange(num_blocks), each)
    labels = (np.arange(len(blocks)) % 3 == 0).astype(np.int64)
    images = np.random.default_rng(0).normal(-700, 100, (len(blocks), 50, 50)).astype(np.float32)
    images[labels == 1, 22:28, 22:28] += 400
    return Crops(images, labels, blocks * 1250 + np.tile(np.arange(each), num_blocks), blocks, card("luna16_crops"))


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        patch.setattr(data, "available", lambda name: True)
        patch.setattr(data, "load_luna16_crops", crops_of_blocks)
        yield importlib.import_module("studies.gan")


@pytest.fixture(scope="module")
def rehearsed(study, tmp_path_factory):
    """Run the study in its quick form, both sources; return its folder."""
    folder = tmp_path_factory.mktemp("rehearsal")
    assert study.main(arguments(folder)) == 0
    return folder


def arguments(folder):
    return ["--quick", "--workers", "0", "--folder", str(folder), "--source", "simulated", "real"]


def table(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def keys(rows):
    return Counter((row["source"], int(row["patients"]), int(row["replicate"]), row["arm"], row["test_set"])
                   for row in rows)  # fmt: skip


def expected_keys(recipes):
    """Return every classifier with every test set, each once."""
    return Counter(
        (source, size, replicate, arm, test)
        for source, recipe in recipes.items()
        for size, replicates in recipe.sizes
        for replicate, arm in itertools.product(range(1, replicates + 1), ARMS)
        for test in (TESTS if source == "simulated" else TESTS[1:2])
    )


def test_the_recipe_runs_and_its_table_has_every_job_once(study, rehearsed):
    rows = table(rehearsed / "gan_study.csv")
    assert keys(rows) == expected_keys({"simulated": study.QUICK, "real": study.QUICK})
    assert len(rows) == 3 * 4 * 3 + 3 * 4 * 1  # two replicates of one size and one of another, arms, test sets
    assert {row["command"] for row in rows} == {"make study NAME=gan ARGS='--source simulated real --quick'"}
    check_rows(rows)
    check_summary(rows, table(rehearsed / "gan_study_summary.csv"))


def check_rows(rows):
    """Hold a table against itself: each row's difference is that of its AUC and the AUC of its reference."""
    reference = {(row["source"], row["patients"], row["replicate"], row["test_set"]): float(row["auc"])
                 for row in rows if row["arm"] == "nothing"}  # fmt: skip
    assert len({row["steps"] for row in rows}) == 1
    for row in rows:
        assert 0 <= float(row["auc_low"]) <= float(row["auc"]) <= float(row["auc_high"]) <= 1
        assert 0 <= float(row["training_auc"]) <= 1 and float(row["cpu_seconds"]) >= 0
        assert all(row[fact] for fact in ("python", "torch", "medlearn", "date", "command"))
        with_made = row["arm"] in ("made", "both")
        told = {row[name] != "" for name in ("frechet", "generator_steps", "generator_cpu_seconds")}
        assert told == {with_made}
        if row["arm"] == "nothing":
            assert row["difference"] == row["difference_low"] == row["p_value"] == ""
            continue
        nothing = reference[row["source"], row["patients"], row["replicate"], row["test_set"]]
        assert float(row["difference"]) == pytest.approx(float(row["auc"]) - nothing, abs=2e-4)  # four decimals each
        if row["difference_low"]:
            low, high = float(row["difference_low"]), float(row["difference_high"])
            assert low <= float(row["difference"]) <= high
            assert 0 < float(row["p_value"]) <= 1
            if min(abs(low), abs(high)) > 1e-3 and max(abs(low), abs(high)) < 1:
                assert (low > 0 or high < 0) == (float(row["p_value"]) < 0.05)  # one t distribution gives both


def check_summary(rows, means):
    """Compute the means over replicates and their t intervals anew, from the four decimals of the large table."""
    names = ("source", "patients", "arm", "test_set")
    assert Counter(tuple(row[name] for name in names) for row in means) == Counter(
        {tuple(row[name] for name in names): 1 for row in rows}
    )
    for mean in means:
        cell = [row for row in rows if all(row[name] == mean[name] for name in names)]
        assert int(mean["replicates"]) == len(cell)
        for score in ("auc", "difference") if mean["arm"] != "nothing" else ("auc",):
            values = np.array([float(row[score]) for row in cell])
            assert float(mean[score]) == pytest.approx(values.mean(), abs=2e-4)
            if len(cell) == 1:
                assert mean[f"{score}_low"] == ""  # one replicate has no interval
            elif mean[f"{score}_low"]:
                half = stats.t.ppf(0.975, len(cell) - 1) * values.std(ddof=1) / np.sqrt(len(cell))
                slack = 1e-4 + stats.t.ppf(0.975, len(cell) - 1) * 1e-4
                assert float(mean[f"{score}_low"]) == pytest.approx(values.mean() - half, abs=slack)
                assert float(mean[f"{score}_high"]) == pytest.approx(values.mean() + half, abs=slack)


@pytest.fixture(scope="module")
def labels_study(study):
    return importlib.import_module("studies.gan_labels")


def test_the_labels_study_runs_on_what_the_study_left(study, labels_study, rehearsed, tmp_path):
    folder = shutil.copytree(rehearsed, tmp_path / "study")
    assert labels_study.main(["--quick", "--workers", "0", "--folder", str(folder), "--tables", str(tmp_path)]) == 0
    rows = table(tmp_path / "gan_labels.csv")
    check_labels(rows, study.QUICK)
    pool = np.load(folder / "pools" / "simulated-unseen.npz")
    for row in rows:
        scores = np.load(folder / "scores" / "labels_simulated_{patients}_{replicate}.npz".format(**row))[row["arm"]]
        assert float(row["auc"]) == pytest.approx(roc_auc_score(pool["labels"], scores), abs=1e-4)


def check_labels(rows, recipe):
    """Hold the table of the labels study against itself."""
    assert Counter((int(row["patients"]), int(row["replicate"]), row["arm"]) for row in rows) == Counter(
        (size, replicate, arm)
        for size, replicates in recipe.sizes
        for replicate, arm in itertools.product(range(1, replicates + 1), ("nothing", "classical", "asked", "checked"))
    )
    nothing = {(row["patients"], row["replicate"]): float(row["auc"]) for row in rows if row["arm"] == "nothing"}
    for row in rows:
        assert all(0 <= float(row[name]) <= 1 for name in ("auc", "changed", "ruler_agrees"))
        if row["arm"] != "nothing":
            gained = float(row["auc"]) - nothing[row["patients"], row["replicate"]]
            assert float(row["difference"]) == pytest.approx(gained, abs=2e-4)


def test_checked_patches_differ_in_their_labels_only(labels_study, rehearsed, monkeypatch):
    given = []

    def note(part, made, options, *, augmented):
        given.append((made, augmented))
        return len(given)

    def score(network, images, symmetric):  # the classical network, the second, calls all but the first a nodule
        return (np.arange(len(images)) > 0) * (network == 2) * 1.0

    monkeypatch.setattr(labels_study.study, "train_classifier", note)
    monkeypatch.setattr(labels_study, "predict", score)
    options = labels_study.list_jobs(labels_study.study.QUICK)[0].options
    _, asked = labels_study.study.load_made(options, rehearsed)
    monkeypatch.setattr(labels_study, "save_arrays", lambda path, **arrays: None)
    found = labels_study.work(options, rehearsed)
    assert [made is None for made, _ in given] == [True, True, False, False]
    assert [augmented for _, augmented in given] == [False, True, False, False]
    np.testing.assert_array_equal(given[2][0][0], given[3][0][0])
    np.testing.assert_array_equal(given[2][0][1], asked)
    assert given[3][0][1].tolist() == [0] + [1] * (len(asked) - 1)
    assert found["changed"] == np.mean(given[3][0][1] != asked)


def test_the_labels_study_says_what_it_misses(labels_study, tmp_path, capsys):
    assert labels_study.main(["--quick", "--workers", "0", "--folder", str(tmp_path), "--tables", str(tmp_path)]) == 1
    assert "Has NAME=gan been run?" in capsys.readouterr().err
    assert not (tmp_path / "gan_labels.csv").exists()


def test_the_table_says_what_the_stored_scores_say(rehearsed):
    [row] = [row for row in table(rehearsed / "gan_study.csv")
             if keys([row]) == Counter([("simulated", 3, 1, "both", TESTS[0])])]  # fmt: skip
    pool = np.load(rehearsed / "pools" / "simulated-test.npz")
    with_both, nothing = (
        roc_auc_score(pool["labels"], np.load(rehearsed / "scores" / f"simulated_3_1_{arm}.npz")["simulated-test"])
        for arm in ("both", "nothing")
    )
    assert float(row["auc"]) == pytest.approx(with_both, abs=1e-4)
    assert float(row["difference"]) == pytest.approx(with_both - nothing, abs=1e-4)
    assert (row["test_patients"], row["test_patches"]) == ("3", "24")


def test_a_study_that_goes_on_repeats_nothing_and_gives_the_same_table(study, rehearsed, tmp_path, monkeypatch):
    folder, done = tmp_path / "study", []
    shutil.copytree(rehearsed, folder)
    lost = {"classifier_simulated_2_1_both", "generator_simulated_3_1", "classifier_real_3_1_nothing"}
    for name in lost:
        (folder / "jobs" / f"{name}.json").unlink()

    def watched(options, folder, whole=study.work):
        name = "{kind}_{source}_{size}_{replicate}".format(**options)
        done.append(f"{name}_{options['arm']}" if "arm" in options else name)
        return whole(options, folder)

    monkeypatch.setattr(study, "work", watched)
    assert study.main(arguments(folder)) == 0
    assert sorted(done) == sorted(lost)
    for before, after in zip(*(table(path / "gan_study.csv") for path in (rehearsed, folder)), strict=True):
        assert {name: before[name] for name in before if name not in (*TIMES, "date")} == {
            name: after[name] for name in after if name not in (*TIMES, "date")
        }


def test_a_job_that_fails_is_said_and_no_table_is_written(study, rehearsed, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "study"
    shutil.copytree(rehearsed, folder)
    for path in [*folder.glob("jobs/*simulated_2_*"), *folder.glob("*.csv")]:
        path.unlink()

    def diverges(options, folder, whole=study.make_generator):
        if options["replicate"] == 2:
            raise FloatingPointError("the critic's loss is NaN")
        return whole(options, folder)

    monkeypatch.setattr(study, "make_generator", diverges)
    assert study.main(arguments(folder)) == 1
    said = capsys.readouterr().err
    assert "FloatingPointError: the critic's loss is NaN" in said and "3 of " in said
    missing = {f"classifier_simulated_2_2_{arm}" for arm in ("made", "both")} | {"generator_simulated_2_2"}
    assert {path.stem for path in rehearsed.glob("jobs/*")} - {path.stem for path in folder.glob("jobs/*")} == missing
    assert not list(folder.glob("*.csv"))


@pytest.mark.parametrize("num_patches", [400, 8000, 930])
@pytest.mark.parametrize("with_made", [False, True])
def test_every_arm_and_size_takes_1000_steps_of_64(study, monkeypatch, num_patches, with_made):
    batches = []

    def counted(model, optimizer, batch, targets):
        batches.append(len(batch))
        optimizer.step()
        return 0.0

    monkeypatch.setattr(nodule_training, "_step", counted)
    recipe = study.RECIPES["simulated"]
    labels = np.arange(num_patches) % 2
    # Each patch carries its number; made ones are negative. Of 2 x 2 pixels, for the time.
    part = study.gan_pools.Pool(numbered(num_patches), labels, labels, labels)
    made = (-1 - numbered(recipe.made), np.arange(recipe.made) % 2) if with_made else None
    images, targets = study.fill(part, made, count=recipe.epoch_patches, seed=1)
    np.testing.assert_array_equal(targets[images[:, 0, 0] >= 0], images[images[:, 0, 0] >= 0][:, 0, 0] % 2)
    nodule_training.train(NoduleNet(8), images, targets, num_epochs=recipe.num_epochs, batch_size=study.BATCH,
                          progress=False)  # fmt: skip
    assert batches == [64] * 1000
    seen = Counter(images[:, 0, 0].tolist())
    own = [count for number, count in seen.items() if number >= 0]
    assert len(own) == num_patches and max(own) - min(own) <= 1
    assert sum(own) == (8_000 if with_made else 16_000)
    assert [count for number, count in seen.items() if number < 0] == [1] * (8_000 if with_made else 0)


def numbered(count):
    return np.broadcast_to(np.arange(count, dtype=np.float32)[:, None, None], (count, 8, 8))


def test_no_patient_is_in_two_pools(study):
    jobs = study.list_jobs("simulated", study.RECIPES["simulated"], have_real=True)
    pools = [job.options for job in jobs if job.options["kind"] == "pool" and "seed" in job.options]
    used = [patient_seeds(pool["num_patients"], pool["seed"]) for pool in pools]
    used += [patient_seeds(1000, seed) for seed in (0, 400)]  # of the shipped networks of lesson 09
    assert len(pools) == 5 + 2 and all(not set(a) & set(b) for a, b in itertools.combinations(used, 2))
    assert {pool["pool"]: pool["seed"] for pool in pools}["simulated-test"] == 3000


def test_sizes_are_nested_and_real_blocks_are_drawn_anew(study, rehearsed):
    pools = study.gan_pools
    for source, pool in (("simulated", "simulated-1"), ("real", "real-development")):
        pool = pools.load_pool(pool, rehearsed)
        few, more, other = (
            pools.training_patients(pool, source, size=size, replicate=replicate)
            for size, replicate in ((2, 1), (3, 1), (3, 2))
        )
        assert few == more[:2] and len(set(more)) == 3 and set(more) <= set(pool.patients)
        assert (set(other) != set(more)) == (source == "real")
        chosen = pool.of(few)
        assert set(chosen.patients) == set(few) and len(chosen.labels) == np.isin(pool.patients, few).sum()
    unseen = study._unseen({"source": "real", "pool": "real-development", "largest": 3, "replicate": 2}, rehearsed)
    assert not set(unseen.patients) & set(other)
    with pytest.raises(ValueError, match="4 training patients were asked for, the pool has 3; lower the size"):
        pools.training_patients(pools.load_pool("simulated-1", rehearsed), "simulated", size=4, replicate=1)


def test_a_rehearsal_opens_no_test_patient(study, rehearsed):
    development, test = crops_of_blocks().by_rows((0.85, 0.15))
    for part in ("development", "test"):
        blocks = {int(name.split()[1]) for name in np.load(rehearsed / "pools" / f"real-{part}.npz")["patients"]}
        assert blocks and blocks <= set(development.blocks) - set(test.blocks)
    pools = [job.options for job in study.list_jobs("simulated", study.QUICK, have_real=True)]
    assert 3000 not in {options.get("seed") for options in pools}


def test_the_full_study_opens_luna16s_test_rows(study, tmp_path):
    _, test = crops_of_blocks().by_rows((0.85, 0.15))
    study.make_pool({"pool": "real-test", "rehearsal": False}, tmp_path)
    pool = study.load_pool("real-test", tmp_path)
    np.testing.assert_array_equal(pool.images_hu, test.images_hu[:, 9:41, 9:41])  # the middle 32 of 50 pixels
    np.testing.assert_array_equal(pool.labels, test.labels)


def test_arms_share_patients_generator_and_initial_weights(study, rehearsed):
    records = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in rehearsed.glob("jobs/*.json")}
    for arm in ARMS:
        options = dict(records[f"classifier_simulated_3_1_{arm}"]["options"])
        assert options.pop("arm") == arm
        assert options == {
            "kind": "classifier", "source": "simulated", "size": 3, "replicate": 1, "pool": "simulated-1",
            "tests": ["simulated-test", "real-test", "real-development"], "epoch_patches": 128, "num_epochs": 1,
        }  # fmt: skip
    made = [
        row["frechet"]
        for row in table(rehearsed / "gan_study.csv")
        if row["source"] == "simulated" and row["patients"] == "3" and row["replicate"] == "1" and row["frechet"]
    ]
    assert len(made) == 6 and len(set(made)) == 1  # two arms, three test sets, one generator


def test_the_shipped_table_is_whole_and_agrees_with_itself(study):
    rows, means = (
        list(csv.DictReader((files("medlearn.models") / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        for name in ("gan_study", "gan_study_summary")
    )
    sources = {row["source"] for row in rows}
    assert keys(rows) == expected_keys({source: study.RECIPES[source] for source in sources})
    check_rows(rows)
    check_summary(rows, means)
    assert {row["steps"] for row in rows} == {"1000"}
    assert {(row["test_set"], row["test_patients"], row["test_patches"]) for row in rows} == {
        (TESTS[0], "200", "1600"), (TESTS[1], "55", "969"), (TESTS[2], "297", "5515"),
    }  # fmt: skip
    said = "" if sources == {"simulated"} else " ARGS='--source simulated real'"
    assert {row["command"] for row in (*rows, *means)} == {f"make study NAME=gan{said}"}


def test_the_shipped_table_of_labels_is_whole_and_of_the_shipped_study(study):
    rows, of_study = (
        list(csv.DictReader((files("medlearn.models") / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        for name in ("gan_labels", "gan_study")
    )
    check_labels(rows, study.RECIPES["simulated"])
    assert {(row["test_patients"], row["test_patches"]) for row in rows} == {("80", "960")}
    assert {row["command"] for row in rows} == {"make study NAME=gan_labels"}
    assert {row["torch"] for row in rows} == {row["torch"] for row in of_study if row["source"] == "simulated"}


def test_the_first_runs_table_agrees_with_itself_and_shares_what_no_generator_touches():
    first, second = (
        list(csv.DictReader((files("medlearn.models") / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        for name in ("gan_study_first", "gan_study")
    )
    assert keys(first) == keys(second)
    alike = [
        {(row["source"], row["patients"], row["replicate"], row["arm"], row["test_set"]): row["auc"]
         for row in rows if row["arm"] in ("nothing", "classical") and row["test_set"] != TESTS[0]}
        for rows in (first, second)
    ]  # fmt: skip
    assert alike[0] == alike[1]  # the same training patients, weights and test rows
    assert len(alike[0]) == 3 * 5 * 2 * 2 + 2 * 5 * 2  # sizes, replicates, arms, test sets
