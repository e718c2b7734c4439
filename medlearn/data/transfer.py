"""One file over HTTP: resumed where it broke off, from the first address that has it, checked before it is named.

pooch does the download; this module adds what a classroom needs around it.
"""

import os
import re
import time
from urllib.parse import urlsplit

import pooch
import requests

from medlearn.data.cache import fault_of

TRIES = 4  # requests per address and file; a broken transfer that brought bytes is resumed
CHUNK = 1 << 14  # what a break can lose of the bytes that arrived
PAUSE_S = 1.0  # before asking once more after a passing fault
BROKE_OFF = "the transfer broke off"
PASSING = {BROKE_OFF, *(f"HTTP {status}" for status in (429, 500, 502, 503, 504))}
HEADERS = {"User-Agent": "medlearn", "Accept-Encoding": "identity"}


class Unreachable(Exception):
    """No address delivered the file; the message has one line for each address."""


class _Excess(Exception):
    """The server sends more than the file has, or from another place than asked for."""


class PartialFile:
    """An unfinished download: appended to, counted, never longer than expected.

    Parameters
    ----------
    path : path-like
    limit : int or None
        Size of the whole file in bytes, where it is known.
    on_bytes : callable
        Called with the number of bytes that arrived; negative where they were thrown away.
    """

    def __init__(self, path, limit, on_bytes):
        self._stream = open(path, "ab")
        self._limit = limit
        self._on_bytes = on_bytes
        self._response = None
        self.size = self._stream.tell()

    def write(self, chunk):
        if self._limit is not None and self.size + len(chunk) > self._limit:
            raise _Excess(f"sends more than the {self._limit:,} bytes expected")
        self._stream.write(chunk)
        self.size += len(chunk)
        self._on_bytes(len(chunk))

    def flush(self):
        self._stream.flush()

    def start_over(self):
        self._on_bytes(-self.size)
        self._stream.truncate(0)
        self.size = 0

    def close(self):
        if self._response is not None:
            self._response.close()  # pooch leaves it open where a transfer breaks off
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
        finally:
            self._stream.close()

    def on_response(self, response, **_):
        """Start over if the server sends the whole file although a part was asked for (a hook of requests)."""
        self._response = response
        if response.status_code == 200:
            self.start_over()
        elif response.status_code == 206:
            sent_from = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
            if sent_from != str(self.size):
                raise _Excess(f"sends from byte {sent_from or 'unknown'} instead of {self.size}")


def transfer(file, target, part, *, on_bytes, timeout_s, failed_hosts):
    """Download a file beside its place, check it, and only then give it its name.

    Parameters
    ----------
    file : RemoteFile
    target, part : pathlib.Path
        The final name, and the unfinished download; on the same disk. A ``part`` that is there is resumed.
    on_bytes : callable
        Called with the number of bytes that arrived.
    timeout_s : float
        The longest silence of a server.
    failed_hosts : set of str
        Servers to ask last; one that fails is added, so that 144 files do not wait for it 144 times.

    Raises
    ------
    Unreachable
        If no address delivered the file with its checksum. ``part`` stays if it can be resumed.
    OSError
        If the disk is full or cannot be written. ``part`` is deleted.
    """
    faults = []
    _count_what_is_here(part, file, on_bytes)
    try:
        for url in sorted(file.urls, key=lambda url: urlsplit(url).netloc in failed_hosts):
            fault = _from_address(url, file, part, on_bytes, timeout_s)
            if fault is None:
                os.replace(part, target)
                return
            failed_hosts.add(urlsplit(url).netloc)
            faults.append(f"{url}: {fault}")
    except OSError:
        part.unlink(missing_ok=True)
        raise
    if _size(part) == 0:
        part.unlink(missing_ok=True)
    raise Unreachable("\n".join(faults))


def _from_address(url, file, part, on_bytes, timeout_s):
    """Try one address; return what went wrong, or None when ``part`` is the whole, checked file."""
    for attempt in range(TRIES):
        before = _size(part)
        fault = _attempt(url, file, part, on_bytes, timeout_s)
        if fault is None:
            return None
        after = _size(part)
        threw_away_a_wrong_beginning = before > 0 and after == 0
        if after > before or threw_away_a_wrong_beginning:
            continue
        if fault not in PASSING or attempt > 0:
            return fault
        time.sleep(PAUSE_S)
    return fault


def _attempt(url, file, part, on_bytes, timeout_s):
    """Ask once for what ``part`` lacks and check the result; return the fault or None."""
    before = _size(part)
    if before == 0 or before != file.bytes:
        fault = _receive(url, file, part, on_bytes, timeout_s)
        if fault is not None:
            return fault
    fault = fault_of(part, file)
    after = _size(part)
    can_go_on = file.bytes is not None and before < after < file.bytes
    if fault is not None and not can_go_on:
        on_bytes(-after)
        part.unlink()
    return fault


def _receive(url, file, part, on_bytes, timeout_s):
    """Append to ``part`` what it lacks; return the fault or None."""
    stream = PartialFile(part, file.bytes, on_bytes)
    headers = HEADERS | ({"Range": f"bytes={stream.size}-"} if stream.size else {})
    download = pooch.HTTPDownloader(
        chunk_size=CHUNK, timeout=timeout_s, headers=headers, hooks={"response": stream.on_response}
    )
    try:
        download(url, stream, None)
    except requests.HTTPError as error:
        fault = f"HTTP {error.response.status_code}"
        if error.response.status_code == 416:  # what is here is not a beginning of the server's file
            fault = f"has nothing after byte {stream.size:,} ({fault})"
            stream.start_over()
        return fault
    except requests.Timeout:
        return f"no answer in {timeout_s:g} s"
    except requests.exceptions.ChunkedEncodingError:
        return BROKE_OFF
    except requests.RequestException as error:
        return _reason(error)
    except _Excess as error:
        stream.start_over()
        return str(error)
    finally:
        stream.close()
    return None


def _reason(error):
    """Shorten what requests says, which wraps the reason in the address and the names of its own classes."""
    kind = "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
    detail = re.split("[)>]: ", str(error).rpartition("Caused by ")[2], maxsplit=1)[-1]
    detail = detail.removesuffix('"))')
    return f"{kind}: {detail[:200]}"


def _count_what_is_here(part, file, on_bytes):
    size = _size(part)
    if file.bytes is not None and size > file.bytes:
        part.unlink()
    elif size:
        on_bytes(size)


def _size(path):
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0
