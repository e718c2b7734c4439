"""Fetch a data set: what is missing, once for all processes that share the cache, or a clear error."""

import contextlib
import errno
import os
import shutil

import filelock
from tqdm.auto import tqdm

from medlearn.data import archives, catalogue
from medlearn.data.cache import (
    WORKSPACE,
    DataUnavailable,
    cache_folder,
    fault_of,
    how_to_put,
    is_here,
    missing_by_hand,
)
from medlearn.data.transfer import Unreachable, transfer

LOCKS = ".locks"  # beside the sets, so that no reader of a folder of scans meets a lock
LOCK_TIMEOUT_S = 900.0
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}


def fetch(name, files=None, *, progress=True, check=False, archive=False, timeout_s=30.0):
    """Make sure that a data set is in the cache, and return its folder.

    What is there is not downloaded again, and needs no network and no writable cache. A file appears under its
    name only when its checksum is right. Several processes may call this at once: each file is downloaded once.

    Parameters
    ----------
    name : str or Card
    files : str or iterable of str or None
        Paths or patterns such as ``"dicom/*"``. None: every file that has an address.
    progress : bool
        Show a progress bar.
    check : bool
        Compare the checksum of what is there too, and replace what is damaged.
    archive : bool
        Take the official archive of the whole set instead of single files. Where there is one, it is also
        tried when the single files cannot be had.
    timeout_s : float
        The longest silence of a server before the next address is tried.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If there is no such data set, no such file in it, or no archive.
    DataUnavailable
        If a file cannot be had: offline, no address, wrong checksum, disk full, cache not writable.

    Examples
    --------
    ``fetch("mitdb", "208.*")`` downloads the three files of record 208. What cannot be done says so:

    >>> fetch("mitdb", archive=True)
    Traceback (most recent call last):
    ValueError: mitdb has no archive, got archive=True. Leave it out: the files come one by one.
    """
    card = catalogue.card(name)
    folder = cache_folder() / card.name
    if archive and card.archive is None:
        raise ValueError(f"{card.name} has no archive, got archive=True. Leave it out: the files come one by one.")
    by_hand = missing_by_hand(card) if files is None else []
    if by_hand:
        raise DataUnavailable(f"{card.name} is not in the cache: {how_to_put(card, by_hand)}")
    wanted = [file for file in card.select(files) if not _is_right(folder, file, check)]
    todo = [file for file in wanted if file.urls]
    if len(todo) < len(wanted) and (files is not None or not any(file.urls for file in card.files)):
        raise DataUnavailable(_no_address(card, folder, [file for file in wanted if not file.urls]))
    if not todo and not archive:
        return folder
    if is_offline():
        raise DataUnavailable(_offline(card, folder, todo))
    with _clear_disk_errors(folder):
        _get(card, folder, todo, files, archive, progress=progress, timeout_s=timeout_s)
    return folder


def is_offline():
    """Tell whether ``MEDLEARN_OFFLINE`` forbids the network."""
    return os.environ.get("MEDLEARN_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def _get(card, folder, todo, files, archive, *, progress, timeout_s):
    _require_space(folder, todo)
    total = sum(file.bytes or 0 for file in todo) or None
    with tqdm(total=total, unit="B", unit_scale=True, desc=card.name, disable=not progress) as bar:
        try:
            if archive:
                _from_archive(card, folder, todo, bar, timeout_s)
            else:
                _one_by_one(card, folder, todo, bar, timeout_s)
        except DataUnavailable as error:
            cannot_be_had = isinstance(error.__cause__, Unreachable)
            if archive or files is not None or card.archive is None or not cannot_be_had:
                raise
            bar.write(f"{card.name}: single files cannot be had, taking the archive {card.archive.path}.")
            try:
                _from_archive(card, folder, todo, bar, timeout_s)
            except DataUnavailable as second:
                raise DataUnavailable(f"{error}\n\nThe archive cannot be had either: {second}") from second


def _one_by_one(card, folder, todo, bar, timeout_s):
    failed_hosts = set()
    for file in todo:
        damaged = is_here(folder, file)  # right size, wrong checksum: found by check=True
        with _sole_worker(card) as workspace:
            if is_here(folder, file) and not (damaged and fault_of(folder / file.path, file)):
                bar.update(file.bytes or 0)  # another process brought it meanwhile
                continue
            _transfer(card, file, folder / file.path, workspace, bar, timeout_s, failed_hosts)


def _transfer(card, file, target, workspace, bar, timeout_s, failed_hosts):
    target.parent.mkdir(parents=True, exist_ok=True)
    part = workspace / f"{file.path.replace('/', '__')}.part"
    try:
        transfer(file, target, part, on_bytes=bar.update, timeout_s=timeout_s, failed_hosts=failed_hosts)
    except Unreachable as error:
        raise DataUnavailable(_unreachable(card, file, target, error)) from error


def _from_archive(card, folder, todo, bar, timeout_s):
    with _sole_worker(card) as workspace:
        packed = workspace / card.archive.path
        unpacked = workspace / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        try:
            _transfer(card, card.archive, packed, workspace, bar, timeout_s, set())
            archives.unpack(packed, unpacked)
            refused = _adopt(card, unpacked / card.archive_folder, folder)
        finally:
            packed.unlink(missing_ok=True)
            shutil.rmtree(unpacked, ignore_errors=True)
    lacking = [file.path for file in todo if not is_here(folder, file)]
    if lacking:
        raise DataUnavailable(
            f"{card.name}: the archive {card.archive.path} lacks {len(lacking)} of the files asked for"
            f" ({len(refused)} differ from their checksum), the first is {lacking[0]}. What it has is in {folder}."
        )


def _adopt(card, source, folder):
    """Move the members that belong to the set into its folder; return those with a wrong checksum."""
    known = {file.path: file for file in card.files}
    refused = []
    members = sorted({path for pattern in card.archive_keep for path in source.glob(pattern)})
    for path in members:
        relative = path.relative_to(source).as_posix()
        if relative in known and fault_of(path, known[relative]):
            refused.append(relative)
            continue
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    return refused


@contextlib.contextmanager
def _sole_worker(card):
    """Hold the lock of a data set, and give the folder for unfinished downloads; remove it when it is empty."""
    locks = cache_folder() / LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(locks / f"{card.name}.lock")
    try:
        lock.acquire(timeout=LOCK_TIMEOUT_S)
    except filelock.Timeout as error:
        raise DataUnavailable(
            f"{card.name}: another process has been downloading for {LOCK_TIMEOUT_S / 60:.0f} minutes, and holds"
            f" {lock.lock_file}. Wait for it or end it, then try again."
        ) from error
    try:
        workspace = cache_folder() / card.name / WORKSPACE
        workspace.mkdir(parents=True, exist_ok=True)
        try:
            yield workspace
        finally:
            with contextlib.suppress(OSError):  # stays while it holds a download that can be resumed
                workspace.rmdir()
                workspace.parent.rmdir()
    finally:
        lock.release()


def _is_right(folder, file, check):
    return is_here(folder, file) and not (check and fault_of(folder / file.path, file))


def _require_space(folder, todo):
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    needed = sum(file.bytes or 0 for file in todo)
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free")


@contextlib.contextmanager
def _clear_disk_errors(folder):
    try:
        yield
    except OSError as error:
        raise DataUnavailable(_disk_message(folder, error)) from error


def _disk_message(folder, error):
    elsewhere = "or set MEDLEARN_DATA to a folder on another disk"
    if error.errno in FULL:
        return f"The disk of {folder} is full ({error.strerror}). Nothing was left half. Free some space, {elsewhere}."
    if error.errno in NOT_WRITABLE:
        return (
            f"{error.filename or folder} cannot be written ({error.strerror}). The cache may be read-only: ask whoever"
            f" set it up to run `medlearn data fetch {folder.name}`, {elsewhere} that is yours."
        )
    return f"{error.filename or folder}: {error.strerror or error}. Look at that place, {elsewhere}."


def _expected(file):
    size = f"{file.bytes:,} bytes" if file.bytes is not None else "bytes of unknown number"
    return f"{size} with {'sha256 ' + file.sha256 if file.sha256 else 'md5 ' + file.md5}"


def _unreachable(card, file, target, error):
    return (
        f"{card.name}: {file.path} could not be downloaded. Expected {_expected(file)}.\n{error}\n"
        f"Check your network and try again; what has arrived is kept. Or put the file at {target} yourself."
    )


def _offline(card, folder, todo):
    first = todo[0] if todo else card.archive
    return (
        f"{card.name}: {len(todo)} files are not in the cache and MEDLEARN_OFFLINE is set; the first is"
        f" {first.path}, expected {_expected(first)}. Unset MEDLEARN_OFFLINE, or put the files into {folder}."
    )


def _no_address(card, folder, files):
    return (
        f"{card.name}: {len(files)} files cannot be downloaded in this form; the first is {files[0].path}, expected"
        f" {_expected(files[0])}. {card.notes} If you have them, put them into {folder}. Source: {card.home}"
    )
