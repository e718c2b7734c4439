"""studies/runner.py: nothing is done twice, no failure is lost, a killed study goes on where it stopped."""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
WORK = '''
import os, signal, sys, time
from pathlib import Path

def work(options, folder):
    """Leave a line at each begin, then do what the options say."""
    with open(Path(folder) / "begun.txt", "a", encoding="utf-8") as stream:
        stream.write(f"{options['value']} {os.getpid()}\\n")
    if options.get("fail"):
        raise RuntimeError(f"no {options['value']} today")
    if options.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(options.get("sleep", 0))
    return {"square": options["value"] ** 2, "threads": os.environ.get("OMP_NUM_THREADS", "")}

def unfit(options, folder):
    return {"path": Path(folder)}

if __name__ == "__main__":
    from studies import runner
    import squares
    jobs = [runner.Job(f"job-{k}", {"value": k, "sleep": 0.3}) for k in range(6)]
    runner.run(jobs, squares.work, folder=sys.argv[1], workers=2, progress=False)
'''


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("studies.runner")


@pytest.fixture
def squares(tmp_path, monkeypatch):
    """A module with the work, which worker processes can import."""
    (tmp_path / "squares.py").write_text(WORK, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("squares")
    sys.modules.pop("squares")


def begun(folder):
    """Return the value of every job that was begun, in order."""
    return [int(line.split()[0]) for line in (folder / "begun.txt").read_text(encoding="utf-8").splitlines()]


def jobs_of(runner, *values, **options):
    return [runner.Job(f"job-{value}", {"value": value} | options) for value in values]


@pytest.mark.parametrize("workers", [0, 2])
def test_run_keeps_the_survivors_and_says_what_failed(runner, squares, tmp_path, workers, capsys):
    jobs = jobs_of(runner, 2) + jobs_of(runner, 3, fail=True)
    jobs += [runner.Job("after-3", {"value": 4}, needs=("job-3",)), runner.Job("later", {"value": 5}, ("after-3",))]
    jobs += [runner.Job("after-2", {"value": 6}, needs=("job-2",))]
    records, failures = runner.run(jobs, squares.work, folder=tmp_path, workers=workers)
    assert {name: record["result"]["square"] for name, record in records.items()} == {"job-2": 4, "after-2": 36}
    assert list(records) == ["job-2", "after-2"]
    assert failures["job-3"].rstrip().endswith("RuntimeError: no 3 today") and "Traceback" in failures["job-3"]
    assert failures["after-3"] == "not begun: it needs job-3, which failed"
    assert failures["later"] == "not begun: it needs after-3, which failed"
    assert sorted(begun(tmp_path)) == [2, 3, 6]
    assert "FAILED job-3: RuntimeError: no 3 today" in "".join(capsys.readouterr())


@pytest.mark.parametrize("workers", [0, 1])
def test_run_ends_when_the_last_job_fails_and_others_wait_for_it(runner, squares, tmp_path, workers):
    jobs = [*jobs_of(runner, 1, fail=True), runner.Job("after", {"value": 2}, ("job-1",))]
    records, failures = runner.run(jobs, squares.work, folder=tmp_path, workers=workers, progress=False)
    assert not records and list(failures) == ["job-1", "after"]


def test_run_survives_a_worker_that_is_killed_and_does_its_job_the_next_time(runner, squares, tmp_path):
    jobs = jobs_of(runner, 1, die=True) + jobs_of(runner, 2, 3, 4)
    records, failures = runner.run(jobs, squares.work, folder=tmp_path, workers=1, progress=False)
    assert list(records) == ["job-2", "job-3", "job-4"]
    assert list(failures) == ["job-1"] and "exit code -9" in failures["job-1"]
    jobs[0].options.pop("die")  # it was never stored, so its options may change
    records, failures = runner.run(jobs, squares.work, folder=tmp_path, workers=1, progress=False)
    assert not failures and [record["result"]["square"] for record in records.values()] == [1, 4, 9, 16]
    assert begun(tmp_path) == [1, 2, 3, 4, 1]


def test_workers_have_one_thread_and_this_process_keeps_its_own(runner, squares, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    records, _ = runner.run(jobs_of(runner, 1), squares.work, folder=tmp_path, workers=1, progress=False)
    assert records["job-1"]["result"]["threads"] == "1"
    records, _ = runner.run(jobs_of(runner, 2), squares.work, folder=tmp_path, workers=0, progress=False)
    assert records["job-2"]["result"]["threads"] == "7"


def test_a_killed_study_goes_on_where_it_stopped(runner, squares, tmp_path):
    folder, script = tmp_path / "study", [sys.executable, str(tmp_path / "squares.py")]
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": "/usr/bin:/bin"}
    study = subprocess.Popen([*script, str(folder)], env=environment)
    wait_until(lambda: len(list(folder.glob("jobs/*.json"))) >= 2)
    study.kill()
    study.wait()
    workers = {int(line.split()[1]) for line in (folder / "begun.txt").read_text(encoding="utf-8").splitlines()}
    wait_until(lambda: not any(alive(worker) for worker in workers))  # they end with the study
    finished = {int(path.stem.removeprefix("job-")) for path in folder.glob("jobs/*.json")}
    assert 2 <= len(finished) < 6
    before = begun(folder)
    records, failures = runner.run(
        jobs_of(runner, *range(6), sleep=0.3), squares.work, folder=folder, workers=2, progress=False
    )
    assert not failures and [record["result"]["square"] for record in records.values()] == [0, 1, 4, 9, 16, 25]
    assert sorted(begun(folder)[len(before) :]) == sorted(set(range(6)) - finished)
    assert not list(folder.rglob("*.partial"))


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until(condition, *, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_run_refuses_a_result_of_another_recipe_or_a_damaged_one(runner, squares, tmp_path):
    runner.run(jobs_of(runner, 3), squares.work, folder=tmp_path, workers=0, progress=False)
    changed = jobs_of(runner, 3, sleep=0.1)
    with pytest.raises(ValueError, match=r"job-3\.json is of another recipe: sleep was None, now it is 0\.1\. Give"):
        runner.run(changed, squares.work, folder=tmp_path, workers=0, progress=False)
    path = tmp_path / "jobs" / "job-3.json"
    path.write_text(path.read_text(encoding="utf-8")[:40], encoding="utf-8")
    with pytest.raises(ValueError, match=r"job-3\.json is no result of a job .* Remove it, and the job is done again"):
        runner.run(jobs_of(runner, 3), squares.work, folder=tmp_path, workers=0, progress=False)


def test_a_result_that_cannot_be_stored_is_a_failure_and_leaves_no_file(runner, squares, tmp_path):
    records, failures = runner.run(jobs_of(runner, 3), squares.unfit, folder=tmp_path, workers=0, progress=False)
    assert not records and "not JSON serializable" in failures["job-3"]
    assert list((tmp_path / "jobs").iterdir()) == []


def test_records_name_what_made_them(runner, squares, tmp_path):
    runner.run(jobs_of(runner, 3), squares.work, folder=tmp_path, workers=0, progress=False)
    record = json.loads((tmp_path / "jobs" / "job-3.json").read_text(encoding="utf-8"))
    assert record["options"] == {"value": 3} and record["cpu_seconds"] >= 0
    assert record["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert record["torch"][0].isdigit() and len(record["date"]) == len("2026-01-31")


def test_run_refuses_names_that_cannot_be_and_needs_that_come_later(runner, tmp_path):
    for jobs, said in (
        ([runner.Job("a/b", {})], r"each job needs a name of its own.*'a/b'\."),
        ([runner.Job("a", {}), runner.Job("a", {})], r"got 'a' twice"),
        ([runner.Job("a", {}, needs=("b",)), runner.Job("b", {})], r"a needs b, which must stand before it"),
    ):
        with pytest.raises(ValueError, match=said):
            runner.run(jobs, print, folder=tmp_path, workers=0, progress=False)
