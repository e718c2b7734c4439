"""A small web server on the loopback address that behaves badly on request, and a catalogue that points to it."""

import hashlib
import http.server
import json
import threading

import pytest

from medlearn.data import catalogue


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        path = self.path.lstrip("/")
        fault = self.server.next_fault(path, self.headers.get("Range"))
        content = self.server.files.get(path)
        if isinstance(fault, int) or content is None:
            return self.answer(fault or 404, b"")
        getattr(self, f"send_{fault or 'well'}".replace(" ", "_"))(content)

    def answer(self, status, body, length=None, **headers):
        self.send_response(status)
        self.send_header("Connection", "close")
        if length != "none":
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def asked(self, content):
        """The status, the headers and the part of the content that the Range header asks for."""
        wanted = self.headers.get("Range")
        if wanted is None:
            return 200, {}, content
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            return 416, {}, b""
        return 206, {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}, content[start:]

    def send_well(self, content):
        status, headers, body = self.asked(content)
        self.answer(status, body, **headers)

    def send_half(self, content):
        status, headers, body = self.asked(content)
        self.answer(status, body[: len(body) // 2], length=len(body), **headers)

    def send_half_without_length(self, content):
        status, headers, body = self.asked(content)
        self.answer(status, body[: len(body) // 2], length="none", **headers)

    def send_a_short_file(self, content):
        self.send_well(content[: len(content) // 2])

    def send_all_whatever_is_asked(self, content):
        self.answer(200, content)

    def send_another_part(self, content):
        start = len(content) // 2 + 1
        self.answer(206, content[start:], Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}")

    def send_wrong_bytes(self, content):
        self.send_well(bytes(255 - byte for byte in content))

    def send_more(self, content):
        self.answer(200, content + content)

    def send_a_detour(self, content):
        self.answer(302, b"", Location=f"/moved/{self.path.lstrip('/')}")

    def send_nothing(self, content):
        self.server.released.wait(30)

    def send_half_then_nothing(self, content):
        self.answer(200, content[: len(content) // 2], length=len(content))
        self.server.released.wait(30)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``; ``faults`` holds, by path, what to do wrong: one fault, or a list that is used up."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.requests = {}, {}, []
        self.released = threading.Event()
        self._lock = threading.Lock()
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def next_fault(self, path, byte_range):
        with self._lock:
            self.requests.append((path, byte_range))
            fault = self.faults.get(path)
            return (fault.pop(0) if fault else None) if isinstance(fault, list) else fault

    def handle_error(self, request, client_address):
        pass  # a client that hung up in the middle is part of the play


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the test's own; no proxy between the test and its server."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MEDLEARN_DATA", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("MEDLEARN_OFFLINE", raising=False)
    return folder


@pytest.fixture
def make_catalogue(server, tmp_path):
    """A function that writes a catalogue file for some files, and returns its path."""

    def make(files, *, prefixes=("",), hosts=("127.0.0.1", "127.0.0.1"), archive=None, known_size=True):
        facts = {"title": "Little set", "people": 2, "items": "files", "licence": "CC0-1.0", "licence_url": ""}
        facts |= {"citation": "Nobody, 2026", "doi": "", "synthetic": True, "notes": "Made for a test.", "files": []}
        for path, content in files.items():
            folder, _, name = path.rpartition("/")
            for prefix in prefixes:
                server.files.setdefault(f"{prefix}{path}", content)
            entry = {"bytes": len(content) if known_size else None, "sha256": hashlib.sha256(content).hexdigest()}
            inside = f"{folder}/" if folder else ""
            addresses = [
                f"http://{host}:{server.server_address[1]}/{prefix}{inside}{{file}}"
                for host, prefix in zip(hosts, prefixes, strict=False)
            ]
            facts["files"].append({"folder": folder, "addresses": addresses, "files": {name: entry}})
        if archive is not None:
            server.files["all.tar"] = archive
            facts["archive"] = {"path": "all.tar", "md5": hashlib.md5(archive).hexdigest(), "folder": "All"}
            facts["archive"] |= {"addresses": [f"{server.address}/all.tar"], "keep": ["scans/*.bin"]}
        path = tmp_path / "catalogue.json"
        path.write_text(json.dumps({"little": facts}))
        return path

    return make


@pytest.fixture
def make_card(make_catalogue):
    """Like ``make_catalogue``, but returns the card."""
    return lambda files, **options: catalogue.read_catalogue(make_catalogue(files, **options))["little"]
