"""Look at the machine: its device, its memory, its disk, its folders and the data sets on it."""

import os
import shutil
import tempfile
from pathlib import Path

from medlearn import runtime
from medlearn.doctor.report import Finding

LESSON_MEMORY_GB = 1.5  # what a lesson may take
DISK_GB = 1.0  # what the real data sets together take, about
CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def device():
    """Name the device and the number of threads; this imports PyTorch."""
    import torch

    try:
        chosen = runtime.pick_device()
    except ValueError as error:
        yield Finding("Device", f"MEDLEARN_DEVICE={os.environ['MEDLEARN_DEVICE']}", "problem", str(error))
    else:
        if chosen.type == "cpu" and shutil.which("nvidia-smi") and not os.environ.get("MEDLEARN_DEVICE"):
            mend = (
                "The course runs on the CPU. To use the graphics card, install the PyTorch build for it, see"
                " https://pytorch.org/get-started/locally/"
            )
            yield Finding("Device", "cpu; an NVIDIA driver is here, but PyTorch does not see it", "note", mend)
        else:
            yield Finding("Device", str(chosen))
    yield Finding("Threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores")


def memory():
    """Compare the memory that is free with what a lesson may take."""
    import psutil

    total, available = psutil.virtual_memory()[:2]
    limit = min([total, *_container_limits()])
    free_gb = min(available, limit) / 1e9
    value = f"{free_gb:.1f} GB free of {limit / 1e9:.1f} GB; a lesson takes up to {LESSON_MEMORY_GB} GB"
    if free_gb >= LESSON_MEMORY_GB:
        yield Finding("Memory", value)
    else:
        mend = "Shut down other kernels (in JupyterLab: Kernel > Shut Down All Kernels) and close other programs."
        yield Finding("Memory", value, "problem", mend)


def _container_limits():
    """Read the limits of the container, in bytes; Binder and JupyterHub set one that psutil does not see."""
    for path in CONTAINER_LIMITS:
        try:
            yield int(Path(path).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no container, or "max": no limit
            continue


def disk():
    """Tell how much room there is where the data sets go."""
    from medlearn import data

    folder = _nearest_existing(data.cache_folder())
    free_gb = shutil.disk_usage(folder).free / 1e9
    value = f"{free_gb:.1f} GB free at {folder}; all real data sets take about {DISK_GB:.0f} GB"
    if free_gb >= DISK_GB:
        yield Finding("Disk", value)
    else:
        mend = "Set MEDLEARN_DATA to a folder on a larger disk, or free some room: medlearn data remove NAME."
        yield Finding("Disk", value, "problem", mend)


def _nearest_existing(folder):
    return next(path for path in (folder, *folder.parents) if path.exists())


def cache_folder():
    """Try to write where the data sets go. A classroom's cache may be read-only, which is no problem."""
    from medlearn import data

    folder = data.cache_folder()
    reason = why_not_writable(folder)
    if reason is None:
        yield Finding("Cache folder", str(folder))
    else:
        mend = "The sets in it are used. To download others, set MEDLEARN_DATA to a folder that you may write to."
        yield Finding("Cache folder", f"{folder} cannot be written: {reason}", "note", mend)


def progress_folder():
    """Try to write where the progress is remembered."""
    from medlearn.exercises import progress

    folder = progress.progress_folder()
    reason = why_not_writable(folder)
    if reason is None:
        yield Finding("Progress folder", str(folder))
    else:
        mend = "Set MEDLEARN_HOME to a folder that you may write to; until then no exercise is remembered."
        yield Finding("Progress folder", f"{folder} cannot be written: {reason}", "problem", mend)


def why_not_writable(folder):
    """Try to write a file that disappears at once, in a folder or in the parent that it will be made in.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str or None
        The reason; None where writing works.

    Examples
    --------
    >>> why_not_writable(Path(tempfile.gettempdir()) / "not" / "yet" / "there") is None
    True
    """
    try:
        with tempfile.TemporaryFile(dir=_nearest_existing(folder)) as file:
            file.write(b"medlearn")
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def data_sets():
    """Tell which real data sets are in the cache, whole or in part; those that come with packages need no cache."""
    from medlearn import data

    here, absent = [], []
    for name, card in data.cards().items():
        num_missing = len(data.missing(name))
        if card.files and num_missing == 0:
            here.append(name)
        elif num_missing == len(card.files):
            absent += [name] if card.files else []
        else:
            absent.append(f"{name} ({num_missing} of {len(card.files)} files)")
    value = f"in the cache: {', '.join(here) or 'none'}"
    if not absent:
        yield Finding("Data sets", value)
    else:
        mend = (
            "The lessons run without them. `medlearn data list` has sizes and licences, `medlearn data fetch NAME` one."
        )
        yield Finding("Data sets", f"{value}; missing: {', '.join(absent)}", "note", mend)
