"""Unpack a zip or tar archive that you do not trust: inside its folder, within a size, all or nothing."""

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import unicodedata
import uuid
import zipfile
import zlib
from pathlib import Path

from medlearn.data.catalogue import is_plain_path

MAX_MEMBERS = 100_000
CHUNK = 1 << 20
HEADERS_BYTES = 16 << 20  # of a tar archive, beside 4 KiB for each member
PACKED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))
LONGEST_PATH, LONGEST_NAME = 1000, 255  # what disks take, in bytes
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError)


class UnsafeArchive(ValueError):
    """An archive that would write outside its folder, write links or devices, or fill the disk."""


def unpack(archive, folder, *, max_bytes=2 * 1024**3):
    """Unpack a zip, tar, tar.gz, tar.bz2 or tar.xz archive into a new folder.

    Every member is a plain file or folder with a relative path. The members go to a temporary folder beside
    ``folder``, which gets its name when all is done: a fault leaves nothing behind.

    Parameters
    ----------
    archive : path-like
    folder : path-like
        Must not exist, or be empty.
    max_bytes : int
        The largest total size after unpacking.

    Returns
    -------
    pathlib.Path
        ``folder``.

    Raises
    ------
    UnsafeArchive
        A ``ValueError``: a path that is absolute or has ``..``, a link, a device, two members of one name, an
        encrypted member, or more than ``max_bytes``.
    ValueError
        If the file is not an archive or is damaged, or if ``folder`` is not empty.
    FileNotFoundError
        If there is no such archive.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as here:
    ...     with zipfile.ZipFile(f"{here}/scans.zip", "w") as archive:
    ...         archive.writestr("first/000001.dcm", b"...")
    ...     [path.name for path in unpack(f"{here}/scans.zip", f"{here}/scans").rglob("*.dcm")]
    ['000001.dcm']
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise FileNotFoundError(f"there is no archive {archive}. Check the path.")
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise ValueError(f"{folder} must be a new or an empty folder. Choose another, or remove it first.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    temporary.mkdir()
    try:
        _unpack_members(archive, _Destination(temporary, max_bytes))
        if folder.exists():
            folder.rmdir()
        os.replace(temporary, folder)
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's fault; a decompressor's has no number
            raise
        raise ValueError(f"{archive.name} is damaged: {error}. Download it again, and compare its checksum.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _unpack_members(archive, destination):
    if not _is_tar(archive) and zipfile.is_zipfile(archive):  # which also finds a zip archive at the end of a tar
        _unpack_zip(archive, destination)
    else:
        _unpack_tar(archive, destination)


def _is_tar(archive):
    with open(archive, "rb") as stream:
        start = stream.read(tarfile.BLOCKSIZE)
    if start.startswith(tuple(magic for magic, _ in PACKED)):
        return True
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class _Destination:
    """The folder being filled: refuses names, kinds and amounts that are not safe."""

    def __init__(self, folder, max_bytes):
        self._folder = folder
        self._max_bytes = max_bytes
        self.bytes = 0
        self._files = set()
        self._folders = set()
        self.members = 0

    def take(self, amount, name):
        """Count bytes before they are written or held in memory."""
        self.bytes += amount
        if self.bytes > self._max_bytes:
            raise UnsafeArchive(
                f"{name!r} brings the archive to more than {self._max_bytes:,} bytes. If you trust it, raise max_bytes."
            )

    def add_folder(self, name):
        if name not in (".", "./"):
            self._place(name.rstrip("/"), is_folder=True).mkdir(parents=True, exist_ok=True)

    def add_file(self, name, size, stream):
        """Copy a member; ``size`` is what the archive says, the stream is counted."""
        if size > self._max_bytes - self.bytes:
            self.take(size, name)
        path = self._place(name, is_folder=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as target:
            while chunk := stream.read(CHUNK):
                self.take(len(chunk), name)
                target.write(chunk)

    def _place(self, name, *, is_folder):
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise UnsafeArchive(f"the archive has more than {MAX_MEMBERS:,} members. Unpack it by hand.")
        name = name.removeprefix("./")
        if not is_plain_path(name):
            raise UnsafeArchive(f"{name!r} is not a path inside the folder. Do not use this archive.")
        if len(os.fsencode(name)) > LONGEST_PATH or max(len(os.fsencode(p)) for p in name.split("/")) > LONGEST_NAME:
            raise UnsafeArchive(f"{name[:60]!r}... is too long for a path. Unpack the archive by hand.")
        parts = _same_on_every_disk(name).split("/")
        parents = {"/".join(parts[:end]) for end in range(1, len(parts))}
        key = "/".join(parts)
        taken = key in self._files or (not is_folder and key in self._folders) or parents & self._files
        if taken:
            raise UnsafeArchive(
                f"{name!r} stands twice in the archive (upper and lower case count as one: not every disk tells them"
                " apart). Do not use this archive."
            )
        self._folders |= parents | ({key} if is_folder else set())
        if not is_folder:
            self._files.add(key)
        return self._folder / name


def _same_on_every_disk(name):
    return unicodedata.normalize("NFC", name).casefold()


def _unpack_zip(archive, destination):
    with zipfile.ZipFile(archive) as source:
        for member in source.infolist():
            name = member.orig_filename  # as it is written: zipfile's own filename is cut at a NUL
            mode = stat.S_IFMT(member.external_attr >> 16)
            if member.flag_bits & 0x1:
                raise UnsafeArchive(f"{name!r} is encrypted. Unpack the archive by hand, with its password.")
            if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UnsafeArchive(f"{name!r} is a link or a device. Do not use this archive.")
            if name.endswith("/"):
                destination.add_folder(name)
                continue
            with _unsupported_is_damaged(name), source.open(member) as stream:
                destination.add_file(name, member.file_size, stream)


@contextlib.contextmanager
def _unsupported_is_damaged(name):
    try:
        yield
    except NotImplementedError as error:
        raise ValueError(
            f"{name!r} is packed in a way that Python cannot unpack: {error}. Unpack the archive by hand."
        ) from error


def _unpack_tar(archive, destination):
    with _opened(archive) as packed:
        stream = _Counted(packed, destination)
        try:
            source = tarfile.open(fileobj=stream, mode="r|")
        except tarfile.ReadError as error:
            raise ValueError(
                f"{archive.name} is not a zip or tar archive, or its beginning is damaged. Look at what you downloaded."
            ) from error
        with source:
            for member in source:
                if member.isdir():
                    destination.add_folder(member.name)
                elif member.isreg():
                    destination.add_file(member.name, member.size, source.extractfile(member))
                else:
                    raise UnsafeArchive(f"{member.name!r} is a link or a device. Do not use this archive.")
        while stream.read(CHUNK):  # to the end: the checksum of a packed archive stands there
            pass


def _opened(archive):
    with open(archive, "rb") as stream:
        start = stream.read(6)
    for magic, opener in PACKED:
        if start.startswith(magic):
            return opener(archive, "rb")
    return open(archive, "rb")


class _Counted:
    """What tarfile reads: its headers are held in memory, so beside the files only a little is let through."""

    def __init__(self, stream, destination):
        self._stream = stream
        self._destination = destination
        self._read = 0

    def read(self, size):
        self._read += size
        if self._read > self._destination.bytes + HEADERS_BYTES + self._destination.members * 4096:
            raise UnsafeArchive("the archive has far more headers and padding than files. Do not use it.")
        return self._stream.read(size)
