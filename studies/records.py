"""What a study keeps of each job: one file with the result and what made it, whole or not at all."""

import contextlib
import json
import os
import platform
import subprocess
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

PACKAGES = ("torch", "medlearn")


def read(job, folder):
    """Return the stored record of a job, or None; refuse one of other options.

    Raises
    ------
    ValueError
        If the file is of a job with other options, or is damaged.
    """
    path = _path(job, folder)
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        before, now = record["options"], json.loads(json.dumps(job.options))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no result of a job ({error!r}). Remove it, and the job is done again.") from error
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if names:
        said = "; ".join(f"{name} was {before.get(name)}, now it is {now.get(name)}" for name in names)
        raise ValueError(f"{path} is of another recipe: {said}. Give the study another folder, or remove this one.")
    return record


def write(job, folder, **found):
    """Store what was found by a job, with its options, the versions and the date."""
    with _whole(_path(job, folder)) as partial:
        partial.write_text(json.dumps({"options": job.options} | found | facts(), indent=1), encoding="utf-8")


def save_arrays(path, **arrays):
    """Write arrays into an .npz file that takes its name only once it is whole."""
    with _whole(Path(path)) as partial, open(partial, "wb") as stream:
        np.savez(stream, **arrays)


def facts():
    """Return the versions and the date, for the record of a job; the commit, where git can tell it."""
    found = {"python": platform.python_version(), "commit": _commit()}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found | {"date": date.today().isoformat()}


def _commit():
    """Return the commit of the repository, with ``-dirty`` if files differ from it; "" outside of any."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=Path(__file__).parent, capture_output=True, text=True
        )
    except FileNotFoundError:  # no git on this machine
        return ""
    return found.stdout.strip()


@contextlib.contextmanager
def _whole(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)  # atomic
    finally:
        partial.unlink(missing_ok=True)


def _path(job, folder):
    return Path(folder) / "jobs" / f"{job.name}.json"
