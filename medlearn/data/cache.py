"""What is in the cache: where it is, what is missing, what is damaged, and how to remove it.

Nothing here uses the network.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from medlearn.data import catalogue

WORKSPACE = ".partial"  # inside a set's folder: downloads on their way; a name no reader looks into


class DataUnavailable(RuntimeError):
    """A file of a data set cannot be had: the message says which, what was expected, and what to do."""


def cache_folder():
    """Return the folder that holds all data sets: ``MEDLEARN_DATA``, else the user's cache folder.

    Returns
    -------
    pathlib.Path
        Absolute. It may not exist yet.

    Raises
    ------
    ValueError
        If a home folder is needed and not known: the user's own, or one in ``MEDLEARN_DATA``.
    """
    chosen = os.environ.get("MEDLEARN_DATA", "").strip()
    if chosen:
        try:
            return Path(chosen).expanduser().absolute()
        except RuntimeError as error:
            raise ValueError(
                f"MEDLEARN_DATA is {chosen!r}, and its home folder is not known here. Write the whole path, from /."
            ) from error
    import platformdirs

    try:
        return platformdirs.user_cache_path("medlearn", appauthor=False) / "data"
    except RuntimeError as error:
        raise ValueError(
            "no home folder is known here, so there is no place for data sets; set MEDLEARN_DATA to a folder."
        ) from error


def missing(name, files=None):
    """Return the files of a data set that are not in the cache, judged by name and size.

    Parameters
    ----------
    name : str or Card
    files : str or iterable of str or None
        Paths or patterns. None: every file of the set.

    Returns
    -------
    list of RemoteFile
    """
    card = catalogue.card(name)
    folder = cache_folder() / card.name
    return [file for file in card.select(files) if not is_here(folder, file)]


def missing_by_hand(name):
    """Return the paths of a data set that must be put into the cache by hand, and are not there.

    Parameters
    ----------
    name : str or Card

    Returns
    -------
    list of str
    """
    card = catalogue.card(name)
    folder = cache_folder() / card.name
    return [path for path in card.by_hand if not (folder / path).is_file()]


def is_here(folder, file):
    """Tell whether a file is in a set's folder with the right size."""
    try:
        size = os.stat(os.path.join(folder, file.path)).st_size
    except OSError:
        return False
    return file.bytes is None or size == file.bytes


def is_available(name, files=None):
    """Tell, without the network, whether a data set is in the cache.

    Parameters
    ----------
    name : str or Card
    files : str or iterable of str or None
        Paths or patterns such as ``"dicom/*"``. None: every file of the set, also those that come by hand.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If there is no such data set, or a pattern matches none of its files.
    """
    card = catalogue.card(name)
    folder = cache_folder() / card.name
    by_hand = files is None and missing_by_hand(card)
    return not by_hand and all(is_here(folder, file) for file in card.select(files))


def available(name, files=None):
    """Tell whether a data set is in the cache; where it is not, print one line that says how to get it.

    Parameters and errors are those of :func:`is_available`.
    """
    absent = missing(name, files)
    by_hand = missing_by_hand(name) if files is None else []
    if by_hand:
        print(f"Not in the cache: {how_to_put(name, by_hand)} The notebook goes on without it.")
    elif absent:
        print(how_to_get(name, files, absent))
    return not (absent or by_hand)


def how_to_put(name, by_hand):
    """Say where files come from that medlearn does not download, and where they go."""
    card = catalogue.card(name)
    return (
        f"{card.title} (licence {card.licence}). medlearn does not download it: get {' and '.join(by_hand)} from"
        f" {card.home} and put {'it' if len(by_hand) == 1 else 'them'} into {cache_folder() / card.name}."
    )


def how_to_get(name, files, absent):
    """Write the one line that a notebook shows where real data is not in the cache."""
    card = catalogue.card(name)
    total = len(card.select(files))
    sets = f"Not in the cache: {card.title}"
    without = sum(not file.urls for file in absent)
    if without:
        return (
            f"{sets} ({without} of {total} files cannot be downloaded in this form). The notebook goes on without it."
        )
    chosen = "" if files is None else f", files={files!r}"
    return (
        f"{sets} ({len(absent)} files, {catalogue.megabytes(absent)}, licence {card.licence})."
        f" Get it: data.fetch({card.name!r}{chosen}), or in a terminal: medlearn data fetch {card.name}."
        " The notebook goes on without it."
    )


def fault_of(path, file):
    """Compare a local file with what the catalogue expects.

    Parameters
    ----------
    path : path-like
    file : RemoteFile

    Returns
    -------
    str or None
        What is wrong, or None where size and checksum are right.
    """
    size = os.stat(path).st_size
    if file.bytes is not None and size != file.bytes:
        return f"{size:,} bytes instead of {file.bytes:,}"
    algorithm, expected = ("sha256", file.sha256) if file.sha256 else ("md5", file.md5)
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    return None if found == expected else f"{algorithm} {found} instead of {expected}"


def verify(name):
    """Compare every file of a data set in the cache with its checksum.

    Parameters
    ----------
    name : str or Card

    Returns
    -------
    list of str
        One line for each damaged file and one for all that are missing; empty where all is well. A missing file
        that cannot be downloaded in this form is not a problem.
    """
    card = catalogue.card(name)
    folder = cache_folder() / card.name
    problems = []
    for file in card.files:
        path = folder / file.path
        try:
            fault = fault_of(path, file) if path.exists() else None
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        if fault:
            problems.append(f"{path}: {fault}. Get it again: medlearn data fetch {card.name} --check")
    by_hand = missing_by_hand(card)
    if by_hand:
        problems.append(f"{card.name} is not in the cache: {how_to_put(card, by_hand)}")
    absent = [file for file in card.files if file.urls and not (folder / file.path).exists()]
    if absent:
        problems.append(
            f"{card.name}: {len(absent)} of {len(card.files)} files are not in the cache, the first is"
            f" {absent[0].path}. Get them: medlearn data fetch {card.name}"
        )
    return problems


def files_to_remove(name):
    """List what :func:`remove` would delete: the files of a set in the cache, and unfinished downloads.

    Files that are not the set's own stay, and nothing beyond a link is listed.

    Parameters
    ----------
    name : str or Card

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    ValueError
        If the folder of the set is a link.
    """
    card = catalogue.card(name)
    folder = cache_folder() / card.name
    if folder.is_symlink():
        raise ValueError(f"{folder} is a link to another place, and links are not followed. Remove it yourself.")
    found = {folder / file.path for file in card.files}
    for pattern in (*card.archive_keep, f"{WORKSPACE}/*", f"{WORKSPACE}/*/**/*"):
        found.update(folder.glob(pattern))
    return sorted(path for path in found if _is_inside(path, folder) and (path.is_symlink() or path.is_file()))


def _is_inside(path, folder):
    between = path.relative_to(folder).parents
    return not any((folder / parent).is_symlink() for parent in between)


def remove(name):
    """Delete a data set from the cache: its own files only, never through a link.

    Parameters
    ----------
    name : str or Card

    Returns
    -------
    list of pathlib.Path
        What was deleted.

    Raises
    ------
    ValueError
        If the folder of the set is a link.
    DataUnavailable
        If a file cannot be deleted.
    """
    card = catalogue.card(name)
    folder = cache_folder() / card.name
    paths = files_to_remove(card)
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise DataUnavailable(
            f"{path} cannot be deleted ({error.strerror}). The folder may be read-only or belong to someone else;"
            " ask whoever set up the cache."
        ) from error
    _remove_empty_folders(folder)
    return paths


def _remove_empty_folders(folder):
    for parent, _, _ in os.walk(folder, topdown=False, followlinks=False):
        with contextlib.suppress(OSError):  # another process may fill it at this moment
            os.rmdir(parent)  # removes an empty folder only
