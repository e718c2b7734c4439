"""fetch against a server on the loopback address that behaves well and badly."""

import errno
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import pytest

from medlearn.data import cache as cache_module
from medlearn.data import catalogue, download, transfer
from medlearn.data.cache import DataUnavailable, is_available, verify

# 256,000 bytes. Half of it is 128,000; written in chunks of 16,384 bytes, 7 whole chunks are kept: 114,688.
SCAN = bytes(range(256)) * 1000
NOTE = b"two patients\n"


def fetch(card, files=None, **options):
    return download.fetch(card, files, progress=False, timeout_s=0.5, **options)


def everything_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(transfer, "PAUSE_S", 0.0)


def test_fetch_puts_files_under_their_names_and_asks_once(server, cache, make_card):
    card = make_card({"scans/a.bin": SCAN, "note.txt": NOTE})
    folder = fetch(card)
    assert folder == cache / "little"
    assert (folder / "scans/a.bin").read_bytes() == SCAN
    assert everything_in(folder) == ["note.txt", "scans/a.bin"]
    assert not (folder / ".partial").exists()
    assert fetch(card) == folder
    assert len(server.requests) == 2


def test_fetch_of_a_pattern_leaves_the_rest(server, cache, make_card):
    card = make_card({"scans/a.bin": SCAN, "note.txt": NOTE})
    assert everything_in(fetch(card, "scans/*")) == ["scans/a.bin"]
    assert is_available(card, ["scans/*"])
    assert not is_available(card)


def test_fetch_with_unknown_pattern_names_what_there_is(cache, make_card):
    with pytest.raises(ValueError, match=r"no file of little matches 'dicom/\*'. It has 1 files, such as note.txt"):
        fetch(make_card({"note.txt": NOTE}), "dicom/*")


@pytest.mark.parametrize("fault", [404, 403, 500, "half", "wrong bytes", "a short file", "more", "nothing"])
def test_fetch_goes_to_the_second_address_after_a_fault(server, cache, make_card, fault):
    card = make_card({"a.bin": SCAN}, prefixes=("first/", "second/"))
    server.faults["first/a.bin"] = fault
    assert (fetch(card) / "a.bin").read_bytes() == SCAN
    assert server.requests[-1][0] == "second/a.bin"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (404, "HTTP 404"),
        (503, "HTTP 503"),
        ("wrong bytes", "sha256 .* instead of"),
        ("a short file", "has nothing after byte 128,000 .HTTP 416"),
        ("more", "sends more than the 256,000 bytes expected"),
        ("nothing", "no answer in 0.5 s"),
    ],
)
def test_fetch_says_what_every_address_did_and_leaves_nothing(server, cache, make_card, fault, words):
    card = make_card({"a.bin": SCAN}, prefixes=("first/", "second/"))
    server.faults = {"first/a.bin": fault, "second/a.bin": fault}
    with pytest.raises(DataUnavailable, match=r"a.bin could not be downloaded. Expected 256,000 bytes") as caught:
        fetch(card)
    lines = str(caught.value).splitlines()
    assert f"{server.address}/first/a.bin: " in lines[1] and f"{server.address}/second/a.bin: " in lines[2]
    caught.match(words)
    assert everything_in(cache) == [".locks/little.lock"]
    assert not (cache / "little").exists()


def test_fetch_without_a_network_says_so_for_every_address(server, cache, make_card):
    card = make_card({"a.bin": SCAN}, prefixes=("first/", "second/"), hosts=("nowhere.invalid", "none.invalid"))
    with pytest.raises(DataUnavailable, match=r"nowhere.invalid:\d+/first/a.bin: no connection: .*\n.*no connection"):
        fetch(card)
    assert everything_in(cache) == [".locks/little.lock"]


def test_fetch_resumes_a_broken_transfer(server, cache, make_card):
    server.faults["a.bin"] = ["half"]
    folder = fetch(make_card({"a.bin": SCAN}))
    assert (folder / "a.bin").read_bytes() == SCAN
    assert server.requests == [("a.bin", None), ("a.bin", "bytes=114688-")]


def test_fetch_asks_again_after_a_break_in_a_small_file(server, cache, make_card):
    server.faults["note.txt"] = ["half"]
    assert (fetch(make_card({"note.txt": NOTE})) / "note.txt").read_bytes() == NOTE
    assert server.requests == [("note.txt", None), ("note.txt", None)]


def test_fetch_resumes_where_the_server_gave_no_length(server, cache, make_card):
    server.faults["a.bin"] = ["half without length"]
    assert (fetch(make_card({"a.bin": SCAN})) / "a.bin").read_bytes() == SCAN
    assert server.requests[1] == ("a.bin", "bytes=128000-")


def test_fetch_resumes_after_a_server_that_fell_silent(server, cache, make_card):
    server.faults["a.bin"] = ["half then nothing"]
    assert (fetch(make_card({"a.bin": SCAN})) / "a.bin").read_bytes() == SCAN
    assert server.requests[1] == ("a.bin", "bytes=114688-")


def test_fetch_starts_over_where_the_server_cannot_resume(server, cache, make_card):
    server.faults["a.bin"] = ["half", "all whatever is asked"]
    assert (fetch(make_card({"a.bin": SCAN})) / "a.bin").read_bytes() == SCAN
    assert server.requests == [("a.bin", None), ("a.bin", "bytes=114688-")]


def test_fetch_starts_over_where_the_server_sends_another_part(server, cache, make_card):
    server.faults["a.bin"] = ["half", "another part"]
    assert (fetch(make_card({"a.bin": SCAN})) / "a.bin").read_bytes() == SCAN
    assert server.requests == [("a.bin", None), ("a.bin", "bytes=114688-"), ("a.bin", None)]


def test_fetch_goes_on_from_an_earlier_call(server, cache, make_card):
    card = make_card({"a.bin": SCAN})
    server.faults["a.bin"] = ["half", 404]
    with pytest.raises(DataUnavailable, match="what has arrived is kept"):
        fetch(card)
    assert everything_in(cache / "little") == [".partial/a.bin.part"]
    assert not is_available(card)
    folder = fetch(card)
    assert (folder / "a.bin").read_bytes() == SCAN
    assert server.requests[-1] == ("a.bin", "bytes=114688-")
    assert everything_in(folder) == ["a.bin"]


@pytest.mark.parametrize("beginning", [b"x" * 100, b"x" * len(SCAN), b"x" * (len(SCAN) + 1)])
def test_fetch_throws_away_a_wrong_beginning(server, cache, make_card, beginning):
    card = make_card({"a.bin": SCAN})
    part = cache / "little/.partial/a.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(beginning)
    assert (fetch(card) / "a.bin").read_bytes() == SCAN
    assert server.requests[-1] == ("a.bin", None)


def test_fetch_of_unknown_size_throws_away_a_beginning_the_server_refuses(server, cache, make_card):
    card = make_card({"a.bin": SCAN}, known_size=False)
    part = cache / "little/.partial/a.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(SCAN) + 7))  # the server answers 416
    assert (fetch(card) / "a.bin").read_bytes() == SCAN


def test_fetch_follows_a_redirect_but_not_for_ever(server, cache, make_card):
    card = make_card({"a.bin": SCAN}, prefixes=("", "second/"))
    server.files["moved/a.bin"] = SCAN
    server.faults["a.bin"] = "a detour"
    assert (fetch(card) / "a.bin").read_bytes() == SCAN
    assert [path for path, _ in server.requests] == ["a.bin", "moved/a.bin"]
    (cache / "little/a.bin").unlink()
    server.faults |= {"moved/a.bin": "a detour"}  # to moved/moved/a.bin, which is not there
    assert (fetch(card) / "a.bin").read_bytes() == SCAN
    assert server.requests[-1][0] == "second/a.bin"


def test_fetch_waits_for_a_hanging_server_once_and_not_for_every_file(server, cache, make_card):
    files = {f"{number}.bin": NOTE for number in range(8)}
    card = make_card(files, prefixes=("first/", "second/"), hosts=("127.0.0.1", "localhost"))
    server.faults = {f"first/{name}": "nothing" for name in files}
    fetch(card)
    assert sum(path.startswith("first/") for path, _ in server.requests) == 1


def test_fetch_asks_a_busy_server_once_more(server, cache, make_card):
    server.faults["a.bin"] = [503]
    assert (fetch(make_card({"a.bin": SCAN})) / "a.bin").read_bytes() == SCAN
    assert len(server.requests) == 2


def test_fetch_replaces_a_file_of_the_wrong_size(server, cache, make_card):
    card = make_card({"a.bin": SCAN})
    (cache / "little").mkdir(parents=True)
    (cache / "little/a.bin").write_bytes(SCAN[:-1])
    assert not is_available(card)
    assert (fetch(card) / "a.bin").read_bytes() == SCAN


def test_verify_finds_a_damaged_file_and_fetch_with_check_mends_it(server, cache, make_card):
    card = make_card({"a.bin": SCAN, "note.txt": NOTE})
    folder = fetch(card)
    assert verify(card) == []
    (folder / "a.bin").write_bytes(b"y" + SCAN[1:])
    assert is_available(card)  # judged by size
    (problem,) = verify(card)
    assert "a.bin: sha256" in problem and "medlearn data fetch little --check" in problem
    fetch(card, check=True)
    assert verify(card) == []
    assert [path for path, _ in server.requests] == ["a.bin", "note.txt", "a.bin"]


def test_fetch_leaves_a_damaged_file_until_the_right_one_is_here(server, cache, make_card):
    card = make_card({"a.bin": SCAN})
    folder = fetch(card)
    (folder / "a.bin").write_bytes(b"y" + SCAN[1:])
    server.faults["a.bin"] = 404
    with pytest.raises(DataUnavailable, match="HTTP 404"):
        fetch(card, check=True)
    assert everything_in(folder) == ["a.bin"]


def test_fetch_offline_uses_what_is_there_and_names_what_is_not(server, cache, make_card, monkeypatch):
    card = make_card({"a.bin": SCAN, "note.txt": NOTE})
    fetch(card, "note.txt")
    monkeypatch.setenv("MEDLEARN_OFFLINE", "1")
    assert fetch(card, "note.txt") == cache / "little"
    with pytest.raises(DataUnavailable, match=r"1 files are not in the cache and MEDLEARN_OFFLINE is set.* a.bin"):
        fetch(card)
    assert len(server.requests) == 1


def test_fetch_when_all_is_there_touches_neither_network_nor_disk(server, cache, make_card, monkeypatch):
    card = make_card({"a.bin": SCAN})
    fetch(card)
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}

    def forbidden(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    for function in ("mkdir", "rmdir", "open", "replace", "unlink"):
        monkeypatch.setattr(os, function, forbidden)
    monkeypatch.setattr("socket.socket.connect", forbidden)
    assert fetch(card) == cache / "little"
    monkeypatch.undo()
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_fetch_into_a_read_only_cache_says_so(server, cache, make_card, monkeypatch, number):
    def refuse(path, *arguments, **options):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(DataUnavailable, match=r"cannot be written .*may be read-only.*MEDLEARN_DATA"):
        fetch(make_card({"a.bin": SCAN}))
    assert not cache.exists()
    assert server.requests == []


UNPRIVILEGED_CLIENT = """
import os, sys
from medlearn.data import catalogue, download
import requests, tqdm.auto
cards = catalogue.read_catalogue(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)  # file permissions do not bind root
for files in ("note.txt", None):
    try:
        print(download.fetch(cards["little"], files, progress=False))
    except download.DataUnavailable as error:
        print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions of another user are a thing of Unix")
def test_fetch_from_a_cache_of_another_user(server, make_catalogue, monkeypatch):
    catalogue_path = make_catalogue({"note.txt": NOTE, "a.bin": SCAN})
    with tempfile.TemporaryDirectory() as shared:
        folder = Path(shared) / "little"
        folder.mkdir()
        (folder / "note.txt").write_bytes(NOTE)
        folder.chmod(0o555)
        Path(shared).chmod(0o555)
        monkeypatch.setenv("MEDLEARN_DATA", shared)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED_CLIENT, catalogue_path], capture_output=True, text=True, check=True
        )
        Path(shared).chmod(0o755)
        folder.chmod(0o755)
        first, second = done.stdout.splitlines()
        assert first == str(folder)
        assert ".locks cannot be written (Permission denied). The cache may be read-only" in second
        assert everything_in(Path(shared)) == ["little/note.txt"] and server.requests == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_fetch_onto_a_full_disk_says_so_and_leaves_nothing(server, cache, make_card, monkeypatch, number):
    write = transfer.PartialFile.write

    def write_a_little(self, chunk):
        if self.size > 100_000:
            raise OSError(number, os.strerror(number))
        write(self, chunk)

    monkeypatch.setattr(transfer.PartialFile, "write", write_a_little)
    with pytest.raises(DataUnavailable, match=r"The disk of .*little is full .*Free some space.*MEDLEARN_DATA"):
        fetch(make_card({"a.bin": SCAN}))
    assert everything_in(cache) == [".locks/little.lock"]


def test_fetch_beyond_the_free_space_does_not_begin(server, cache, make_card, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(DataUnavailable, match=r"is full .0 MB needed, 0 MB free"):
        fetch(make_card({"a.bin": SCAN}))
    assert server.requests == [] and not cache.exists()


CLIENT = """
import sys
from medlearn.data import catalogue, download
card = catalogue.read_catalogue(sys.argv[1])["little"]
folder = download.fetch(card, progress=False)
print(sum(len((folder / file.path).read_bytes()) for file in card.files))
"""


def test_fetch_past_a_real_size_limit_of_the_system_leaves_nothing(server, cache, make_catalogue):
    resource = pytest.importorskip("resource", reason="file size limits are a thing of Unix")
    catalogue_path = make_catalogue({"a.bin": SCAN})
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, catalogue_path],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert "DataUnavailable: The disk of" in done.stderr
    assert everything_in(cache) == [".locks/little.lock"]


def test_thirty_processes_download_each_file_once(server, cache, make_catalogue):
    files = {f"scans/{number}.bin": SCAN[number:] for number in range(6)}
    catalogue_path = make_catalogue(files)
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, catalogue_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(30)
    ]
    results = [(*client.communicate(timeout=120), client.returncode) for client in clients]
    assert results == [(f"{sum(map(len, files.values()))}\n", "", 0)] * 30
    assert sorted(path for path, _ in server.requests) == sorted(files)
    assert everything_in(cache / "little") == sorted(files)


def test_fetch_after_a_killed_process_goes_on(server, cache, make_catalogue):
    catalogue_path = make_catalogue({"a.bin": SCAN})
    server.faults["a.bin"] = ["half then nothing"]
    client = subprocess.Popen([sys.executable, "-c", CLIENT, catalogue_path])
    part = cache / "little/.partial/a.bin.part"
    deadline = time.monotonic() + 60
    try:
        while not (part.exists() and part.stat().st_size == 114688):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        client.kill()
        client.wait()
    folder = fetch(catalogue.read_catalogue(catalogue_path)["little"])
    assert everything_in(folder) == ["a.bin"]
    assert server.requests[-1] == ("a.bin", "bytes=114688-")


def test_fetch_gives_up_on_a_lock_that_is_never_released(server, cache, make_card, monkeypatch):
    monkeypatch.setattr(download, "LOCK_TIMEOUT_S", 0.1)
    card = make_card({"a.bin": SCAN})
    with download._sole_worker(card):
        with pytest.raises(DataUnavailable, match=r"another process has been downloading.*little.lock"):
            fetch(card)
    assert (fetch(card) / "a.bin").read_bytes() == SCAN


def tar_of(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


WHOLE = {"All/scans/a.bin": SCAN, "All/scans/b.bin": NOTE, "All/scans/._b.txt": b"?", "All/readme": b"!"}


def test_fetch_takes_the_archive_where_single_files_are_gone(server, cache, make_card, capsys):
    card = make_card({"scans/a.bin": SCAN}, archive=tar_of(WHOLE))
    server.faults["scans/a.bin"] = 404
    folder = fetch(card)
    # b.bin is one of the official files that the catalogue does not list; readme and ._b.txt are not kept.
    assert everything_in(folder) == ["scans/a.bin", "scans/b.bin"]
    assert "single files cannot be had, taking the archive all.tar" in capsys.readouterr().out
    assert cache_module.remove(card) == [folder / "scans/a.bin", folder / "scans/b.bin"]
    assert not folder.exists()


def test_fetch_with_archive_asks_for_the_archive_only(server, cache, make_card):
    folder = fetch(make_card({"scans/a.bin": SCAN}, archive=tar_of(WHOLE)), archive=True)
    assert everything_in(folder) == ["scans/a.bin", "scans/b.bin"]
    assert server.requests == [("all.tar", None)]


def test_fetch_with_archive_where_there_is_none(cache, make_card):
    with pytest.raises(ValueError, match="little has no archive, got archive=True"):
        fetch(make_card({"a.bin": SCAN}), archive=True)


def test_fetch_refuses_an_archive_member_with_another_checksum(server, cache, make_card):
    other = tar_of(WHOLE | {"All/scans/a.bin": SCAN[::-1]})
    with pytest.raises(DataUnavailable, match=r"lacks 1 of the files asked for \(1 differ from their checksum\)"):
        fetch(make_card({"scans/a.bin": SCAN}, archive=other), archive=True)
    assert everything_in(cache / "little") == ["scans/b.bin"]


def test_fetch_tells_both_faults_when_files_and_archive_are_gone(server, cache, make_card):
    card = make_card({"scans/a.bin": SCAN}, archive=tar_of(WHOLE))
    server.faults = {"scans/a.bin": 404, "all.tar": 403}
    with pytest.raises(DataUnavailable, match=r"(?s)HTTP 404.*The archive cannot be had either.*HTTP 403"):
        fetch(card)
    assert everything_in(cache) == [".locks/little.lock"]


def test_fetch_without_any_address_says_what_to_do(cache, make_card):
    card = make_card({"a.bin": SCAN}, prefixes=())
    with pytest.raises(DataUnavailable, match=r"1 files cannot be downloaded in this form; the first is a.bin"):
        fetch(card)


def test_fetch_shows_a_progress_bar_of_bytes(server, cache, make_card, capsys):
    server.faults["a.bin"] = ["half"]
    download.fetch(make_card({"a.bin": SCAN}), timeout_s=0.5)
    assert "little: 100%" in capsys.readouterr().err


def test_fetch_counts_each_byte_once_in_the_progress(server, cache, make_card, monkeypatch):
    seen = []

    class Bar(download.tqdm):
        def update(self, amount=1):
            seen.append(amount)
            super().update(amount)

    monkeypatch.setattr(download, "tqdm", Bar)
    server.faults["a.bin"] = ["half", "all whatever is asked"]
    fetch(make_card({"a.bin": SCAN}))
    assert sum(seen) == len(SCAN)


@pytest.mark.parametrize(
    ("value", "offline"), [("1", True), ("yes", True), ("", False), ("0", False), ("off", False), ("False", False)]
)
def test_offline_is_what_a_person_would_write(monkeypatch, value, offline):
    monkeypatch.setenv("MEDLEARN_OFFLINE", value)
    assert download.is_offline() is offline
