"""A training in one file, from which it goes on: whole or not at all, and without code (no pickle of objects)."""

import os
import pickle
import zipfile
from pathlib import Path

import torch

FORMAT = "medlearn training checkpoint, version 1"


def write_checkpoint(path, state):
    """Write a file that takes its name only once it is whole and can be read.

    Whoever is killed, or runs out of disk, while this writes leaves the former checkpoint as it was.

    Parameters
    ----------
    path : Path
    state : dict of tensors, numbers, text, lists and dicts

    Raises
    ------
    ValueError
        If the state holds an object that would need code to be read again.
    OSError
        If the file cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open(partial, "wb") as stream:
            torch.save({"format": FORMAT, **state}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        _assert_readable(partial, path)
        os.replace(partial, path)  # atomic
    finally:
        partial.unlink(missing_ok=True)


def _assert_readable(partial, path):
    try:
        read_checkpoint(partial)
    except ValueError as error:
        raise ValueError(
            f"what was to become {path} cannot be read again: {_reason(error.__cause__)}. Look for the object in the"
            " options of the optimizer and the schedule; if there is none, the disk is at fault."
        ) from error


def read_checkpoint(path):
    """Read what :func:`write_checkpoint` wrote; nothing in the file is run.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If the file is truncated, damaged, or something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load does not look at the checksums
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{path} ({path.stat().st_size:,} bytes) is no whole checkpoint: {_reason(error)}. It was not"
            " changed. Remove it, or give another path, and the training begins anew."
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(
            f"{path} is no checkpoint of medlearn.training.fit ({FORMAT!r}). It was not changed; give another path."
        )
    return state


def _reason(error):
    if isinstance(error, pickle.UnpicklingError):  # its own text recommends to run the file's code
        return "it holds an object, which only code could build again"
    return str(error).splitlines()[0]


def checked_path(checkpoint):
    """Return the path of a checkpoint whose folder is there and can be written to, or None for None."""
    if checkpoint is None:
        return None
    path = Path(checkpoint)
    if path.is_dir():
        raise ValueError(f"checkpoint must be a file, {path} is a folder; give such as {path / 'run.pt'}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"checkpoint is {path}, and that folder cannot be written to; choose another one.")
    return path


def assert_fits(state, *, path, model, settings):
    """Refuse a checkpoint of another network or another run, before anything is changed.

    Raises
    ------
    ValueError
        Says what differs.
    """
    expected = {name: tuple(value.shape) for name, value in _tensors(model.state_dict()).items()}
    found = {name: tuple(value.shape) for name, value in _tensors(state["weights"]).items()}
    if found != expected:
        name = next(name for name in [*expected, *found] if expected.get(name) != found.get(name))
        raise ValueError(
            f"{path} is of another network: {name} has the shape {found.get(name, 'missing')} in the file,"
            f" {expected.get(name, 'missing')} in this {type(model).__name__}. {_MEND}"
        )
    before = state["settings"]
    names = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
    if names:
        said = "; ".join(f"{name} was {before.get(name)}, now it is {settings.get(name)}" for name in names)
        raise ValueError(f"{path} is of another run: {said}. {_MEND} Only num_epochs and patience may change.")


_MEND = "Nothing was changed. Give this run a path of its own, remove the file, or run it as it was."


def _tensors(state):
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
