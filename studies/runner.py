"""Run the jobs of a study: in parallel processes of one thread each, resumable, no failure lost.

A finished job is one file, ``FOLDER/jobs/NAME.json``, which takes its name only once it is whole. A study that was
killed goes on where it stopped: what has a file is not done again. A job that raises, or whose process dies, is said
at the end and left to the next run; the others go on, but for those that need it.
"""

import contextlib
import multiprocessing
import os
import re
import signal
import time
import traceback
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path

from tqdm.auto import tqdm

from studies.records import read, write

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Job:
    """One piece of a study.

    Attributes
    ----------
    name : str
        Of letters, digits, ``.``, ``_`` and ``-``: its file is called so.
    options : dict
        All that the job depends on, as JSON knows it. A stored result with other options is refused.
    needs : tuple of str
        Names of the jobs that must be finished before.
    """

    name: str
    options: dict
    needs: tuple = ()


def run(jobs, work, *, folder, workers=2, progress=True):
    """Do the jobs that are not done yet.

    Parameters
    ----------
    jobs : sequence of Job
        In the order in which they begin, as far as what they need and the number of workers allow.
    work : function
        ``work(options, folder)`` does one job and returns a dict that JSON can hold. Worker processes import it: it
        must stand at the top of a module. Arrays it writes itself, with :func:`studies.records.save_arrays`.
    folder : path-like
        Where the results are; made if need be.
    workers : int, optional
        Processes, each of one thread. 0 works in this process.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    tuple of dict
        Records of the finished jobs, by name, in the order of ``jobs``: ``result`` (what ``work`` returned),
        ``options``, ``cpu_seconds``, the versions and the date. And why the others are not finished, by name.

    Raises
    ------
    ValueError
        If a name stands twice, cannot be a file's, or is needed and there is no such job before; or if a stored
        result has other options.
    """
    jobs, folder = _checked(jobs), Path(folder)
    (folder / "jobs").mkdir(parents=True, exist_ok=True)
    records = {job.name: record for job in jobs if (record := read(job, folder)) is not None}
    open_jobs, failures = [job for job in jobs if job.name not in records], {}
    with tqdm(total=len(jobs), initial=len(records), desc="jobs", disable=not progress) as bar:
        outcomes = _in_parallel(open_jobs, work, folder, workers) if workers else _here(open_jobs, work, folder)
        for job, failure in outcomes:
            if failure:
                failures[job.name] = failure
                bar.write(f"FAILED {job.name}: {failure.strip().splitlines()[-1]}")
            else:
                records[job.name] = read(job, folder)
                bar.update()
    return {job.name: records[job.name] for job in jobs if job.name in records}, failures


def _checked(jobs):
    jobs, seen = list(jobs), set()
    for job in jobs:
        if not re.fullmatch(r"[\w.-]+", job.name) or job.name in seen:
            raise ValueError(
                f"each job needs a name of its own, of letters, digits, '.', '_' and '-'; got {job.name!r}"
                f"{' twice' if job.name in seen else ''}."
            )
        if missing := set(job.needs) - seen:
            raise ValueError(f"{job.name} needs {min(missing)}, which must stand before it among the jobs.")
        seen.add(job.name)
    return jobs


def _attempt(job, work, folder):
    """Do one job and store its record; return why it failed, or ""."""
    try:
        begun = time.process_time()
        result = work(job.options, folder)
        write(job, folder, result=result, cpu_seconds=time.process_time() - begun)
    except Exception:
        return traceback.format_exc()
    return ""


def _without(job, failures):
    """Return why a job cannot be begun, or ""."""
    return next((f"not begun: it needs {name}, which failed" for name in job.needs if name in failures), "")


def _here(jobs, work, folder):
    """Yield each job with its failure, done one after another in this process."""
    failures = {}
    for job in jobs:
        failure = _without(job, failures) or _attempt(job, work, folder)
        if failure:
            failures[job.name] = failure
        yield job, failure


def _in_parallel(jobs, work, folder, workers):
    """Yield each job with its failure, as they finish in worker processes."""
    waiting, failures, crew = list(jobs), {}, []
    try:
        while waiting or any(worker.job for worker in crew):
            while lost := next((job for job in waiting if _without(job, failures)), None):
                waiting.remove(lost)
                failures[lost.name] = _without(lost, failures)
                yield lost, failures[lost.name]
            _hand_out(waiting, crew, work, folder, workers)
            busy = [worker.pipe for worker in crew if worker.job]
            heard = connection.wait(busy) if busy else []  # without an end, if it waits for nobody
            for worker in [worker for worker in crew if worker.pipe in heard]:
                job, failure = worker.collect()
                if failure:
                    failures[job.name] = failure
                yield job, failure
            crew = [worker for worker in crew if worker.job or worker.process.is_alive()]
    finally:
        for worker in crew:
            worker.stop()


def _hand_out(waiting, crew, work, folder, workers):
    """Give jobs that can begin to workers that are free, and start workers while there are fewer than allowed."""
    for job in list(waiting):
        pending = {each.name for each in waiting} | {worker.job.name for worker in crew if worker.job}
        free = [worker for worker in crew if not worker.job]
        if pending & set(job.needs) or not (free or len(crew) < workers):
            continue
        if not free:
            crew.append(_Worker(work, folder))
            free = crew[-1:]
        waiting.remove(job)
        free[0].give(job)


class _Worker:
    """A process that does one job after another; when it dies, its job is known."""

    def __init__(self, work, folder):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work, folder), daemon=True)
        self.job = None
        with _environment(ONE_THREAD):
            self.process.start()
        theirs.close()

    def give(self, job):
        self.job = job
        with contextlib.suppress(BrokenPipeError):  # it died while idle: collect() says so
            self.pipe.send(job)

    def collect(self):
        job, self.job = self.job, None
        try:
            return job, self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            return job, f"its process died with exit code {self.process.exitcode} (-9: killed, perhaps for memory)"

    def stop(self):
        self.pipe.close()  # ends one that waits for a job
        if self.job:
            self.process.terminate()
        self.process.join()


def _serve(pipe, work, folder):
    """Do the jobs that come through the pipe, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the study, which stops its workers
    if hasattr(os, "setsid"):
        os.setsid()  # a session of its own: Linux shares a busy machine out by sessions
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            pipe.send(_attempt(pipe.recv(), work, folder))


@contextlib.contextmanager
def _environment(values):
    """Set environment variables, which a new process inherits, for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
