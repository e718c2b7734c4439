"""The catalogue: one card for every data set, with its people, licence, citation, checksums and addresses.

The facts stand in ``catalogue.json`` beside this file. A teacher's own catalogue has the same form, and
:func:`read_catalogue` reads it; every function of :mod:`medlearn.data` takes a card in place of a name.
"""

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from html import escape
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import quote


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set: its place in the set's folder, its checksum, and where it can be had.

    Parameters
    ----------
    path : str
        Relative to the folder of the set, with forward slashes.
    sha256, md5 : str or None
        Checksums, hexadecimal. One is enough.
    bytes : int or None
        Size, where it is known.
    urls : tuple of str
        Addresses, tried in this order. Empty: the file cannot be downloaded in this form.

    Raises
    ------
    ValueError
        If ``path`` could leave the folder of the set, or if there is no checksum.
    """

    path: str
    sha256: str | None
    md5: str | None
    bytes: int | None
    urls: tuple[str, ...]

    def __post_init__(self):
        if not is_plain_path(self.path):
            raise ValueError(
                f"path must be relative and stay inside the folder of its data set, got {self.path!r}."
                " Write it like 'imagesTr/scan_01.nii.gz'."
            )
        if not (self.sha256 or self.md5):
            raise ValueError(f"{self.path} needs a checksum, got neither sha256 nor md5. `sha256sum FILE` prints one.")


def is_plain_path(path):
    """Tell whether a path is relative, with forward slashes, and stays in its folder on every system.

    Examples
    --------
    >>> is_plain_path("dicom/000033.dcm"), is_plain_path("../secret"), is_plain_path("C:/x")
    (True, False, False)
    """
    windows = PureWindowsPath(path)
    parts = path.split("/")
    dots = any(not part.strip(". ") for part in parts)  # "", "." and ".."; Windows takes ".. " for ".." too
    return not (windows.drive or windows.root or "\\" in path or "\0" in path or dots)


@dataclass(frozen=True)
class Card:
    """What a data set is, who is in it, what you may do with it, and how to cite it.

    ``people`` is 0 for an average of people or simulated ones and None where the authors do not say. A set without
    ``files`` comes with a package or is simulated, unless it has names in ``by_hand``: files that you put into the
    set's folder yourself, since medlearn does not download them and knows no checksum. ``archive`` is the official
    archive of the whole set, if there is one; the members below ``archive_folder`` that match ``archive_keep`` belong
    to the set, also those that ``files`` does not list. A card prints as text and as HTML.
    """

    name: str
    title: str
    people: int | None
    items: str
    licence: str
    licence_url: str
    citation: str
    doi: str
    synthetic: bool
    notes: str
    files: tuple[RemoteFile, ...]
    home: str = ""
    archive: RemoteFile | None = None
    archive_folder: str = ""
    archive_keep: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()

    def __post_init__(self):
        if not is_plain_path(self.name) or "/" in self.name or self.name.startswith("."):
            raise ValueError(f"name must be usable as a folder, got {self.name!r}. Write it like 'my_data_set'.")
        for path in self.by_hand:
            if not is_plain_path(path):
                raise ValueError(f"by_hand must name files inside the folder of the data set, got {path!r}.")

    @property
    def size(self):
        """The size of the download, for people.

        Examples
        --------
        >>> card("mitdb").size, card("simulated_ecg").size, card("ptbxl").size
        ('94 MB', 'no download', 'by hand')
        """
        return "by hand" if self.by_hand and not self.files else megabytes(self.files)

    @property
    def bytes(self):
        """Size of all files whose size is known."""
        return sum(file.bytes or 0 for file in self.files)

    def select(self, patterns=None):
        """Return the files that match.

        Parameters
        ----------
        patterns : str or iterable of str or None
            Paths or patterns such as ``"dicom/*"``. None: every file.

        Returns
        -------
        tuple of RemoteFile

        Raises
        ------
        ValueError
            If a pattern matches no file.

        Examples
        --------
        >>> [file.path for file in card("mitdb").select("208.*")]
        ['208.atr', '208.dat', '208.hea']
        """
        if patterns is None:
            return self.files
        patterns = [patterns] if isinstance(patterns, str) else list(patterns)
        for pattern in patterns:
            if not any(fnmatchcase(file.path, pattern) for file in self.files):
                examples = ", ".join(file.path for file in self.files[:3])
                raise ValueError(
                    f"no file of {self.name} matches {pattern!r}. It has {len(self.files)} files, such as"
                    f" {examples}; a pattern such as '*' or 'folder/*' matches several."
                )
        return tuple(file for file in self.files if any(fnmatchcase(file.path, pattern) for pattern in patterns))

    def _rows(self):
        people = {None: "not stated", 0: "none"}.get(self.people, self.people)
        return [
            ("name", self.name),
            ("patients", f"{'SIMULATED, not patients' if self.synthetic else 'real'}; people: {people}"),
            ("items", self.items),
            ("size", f"{len(self.files)} files, {megabytes(self.files)}" if self.files else ""),
            ("licence", f"{self.licence} {self.licence_url}"),
            ("cite", self.citation),
            ("home", self.home),
            ("note", self.notes),
        ]

    def __str__(self):
        return "\n".join([self.title, *(f"  {key:9}{value}" for key, value in self._rows() if value)])

    def _repr_html_(self):
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(key)}</th>'
            f'<td style="text-align:left">{escape(str(value))}</td></tr>'
            for key, value in self._rows()
            if value
        )
        return f"<table><caption>{escape(self.title)}</caption>{rows}</table>"


def megabytes(files: Iterable[RemoteFile]):
    """Describe the size of some files, for people.

    Examples
    --------
    >>> megabytes(card("mitdb").files), megabytes(card("nodulemnist3d").files)
    ('94 MB', 'size unknown')
    """
    sizes = [file.bytes for file in files]
    if not sizes:
        return "no download"
    total = sum(size or 0 for size in sizes) / 1e6
    if None in sizes:
        return "size unknown" if not total else f"more than {total:.3g} MB"
    return f"{total:.0f} MB" if total >= 10 else f"{max(total, 0.1):.1f} MB"


def read_catalogue(path):
    """Read data cards from a JSON file in the form of ``catalogue.json``.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to Card

    Raises
    ------
    ValueError
        If the file is not JSON, or lacks a part that a card needs.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        return {name: _card_from(name, fact) for name, fact in facts.items()}
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}. Look at that line.") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a catalogue: {type(error).__name__} {error}. Compare it with the catalogue.json in the"
            " folder of medlearn.data."
        ) from error


def _card_from(name, fact):
    fact = dict(fact)
    groups = fact.pop("files")
    archive = fact.pop("archive", None)
    fact["by_hand"] = tuple(fact.pop("by_hand", ()))
    files = tuple(file for group in groups for file in _files_from(group))
    if archive is not None:
        fact["archive"] = _file_from(archive["path"], archive, archive["addresses"])
        fact["archive_folder"] = archive["folder"]
        fact["archive_keep"] = tuple(archive["keep"])
    return Card(name=name, files=files, **fact)


def _files_from(group):
    for file, fact in group["files"].items():
        urls = [address.replace("{file}", quote(file)) for address in group["addresses"]]
        yield _file_from(str(PurePosixPath(group["folder"]) / file), fact, urls)


def _file_from(path, fact, urls):
    return RemoteFile(path, fact.get("sha256"), fact.get("md5"), fact.get("bytes"), tuple(urls))


@lru_cache(maxsize=1)
def _shipped_cards():
    return read_catalogue(Path(__file__).with_name("catalogue.json"))


def cards():
    """Return the cards of all data sets, by name.

    Examples
    --------
    >>> "mitdb" in cards()
    True
    """
    return dict(_shipped_cards())


def card(name):
    """Return the card of a data set; a card is returned as it is.

    Parameters
    ----------
    name : str or Card

    Returns
    -------
    Card

    Raises
    ------
    ValueError
        If no data set has this name; the message lists the names.

    Examples
    --------
    >>> card("mitdb").people
    47
    """
    if isinstance(name, Card):
        return name
    known = _shipped_cards()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"there is no data set {name!r}.{hint} The catalogue has: {', '.join(sorted(known))}.")
