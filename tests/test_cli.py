"""The command line: output, exit codes, and no traceback for what a user can do wrong."""

import functools
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from medlearn import cli
from medlearn.data import catalogue

SCAN, NOTE = b"abc" * 1000, b"two patients\n"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def little(tmp_path, monkeypatch):
    """A catalogue of one set on the loopback address, and an empty cache; gives the folder of the set."""
    served = tmp_path / "served"
    served.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    facts = {"title": "Little set", "people": 2, "items": "2 files", "licence": "CC0-1.0", "licence_url": "", "doi": ""}
    facts |= {"citation": "", "synthetic": True, "notes": "", "files": [{"folder": "", "addresses": [], "files": {}}]}
    facts["files"][0]["addresses"] = [f"http://127.0.0.1:{server.server_address[1]}/{{file}}"]
    for name, content in {"a.bin": SCAN, "note.txt": NOTE}.items():
        (served / name).write_bytes(content)
        fact = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        facts["files"][0]["files"][name] = fact
    (tmp_path / "catalogue.json").write_text(json.dumps({"little": facts}))
    cards = catalogue.read_catalogue(tmp_path / "catalogue.json")
    monkeypatch.setattr(catalogue, "_shipped_cards", lambda: cards)
    monkeypatch.setenv("MEDLEARN_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MEDLEARN_OFFLINE", raising=False)
    yield tmp_path / "cache" / "little"
    server.shutdown()
    thread.join()
    server.server_close()


def run(*arguments, capsys):
    code = cli.main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_fetch_list_verify_where_remove_in_one_life(little, capsys):
    assert run("data", "list", capsys=capsys)[1].splitlines()[-1].split() == (
        "little no 0.1 MB CC0-1.0 Little set".split()
    )
    assert run("data", "verify", capsys=capsys)[:2] == (0, f"The cache is empty: {little.parent}\n")
    assert run("data", "fetch", "little", "--files", "a.*", "--quiet", capsys=capsys) == (0, f"{little}\n", "")
    assert "1 of 2 files" in run("data", "list", capsys=capsys)[1]
    code, out, _ = run("data", "verify", capsys=capsys)
    assert code == 1 and "1 of 2 files are not in the cache, the first is note.txt" in out
    assert run("data", "fetch", "little", "--quiet", capsys=capsys)[0] == 0
    assert run("data", "verify", "little", capsys=capsys) == (0, "little: all checksums are right\n", "")
    assert run("data", "where", "little", capsys=capsys) == (0, f"{little}\n", "")
    assert run("data", "where", capsys=capsys) == (0, f"{little.parent}\n", "")
    assert run("data", "remove", "little", "--yes", capsys=capsys) == (0, "little: 2 files deleted\n", "")
    assert not little.exists()
    assert run("data", "remove", "little", "--yes", capsys=capsys) == (0, "little: nothing in the cache\n", "")


def test_list_says_what_comes_by_hand(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MEDLEARN_DATA", str(tmp_path))
    lines = {line.split()[0]: line.split()[1:4] for line in run("data", "list", capsys=capsys)[1].splitlines()[2:]}
    assert lines["ptbxl"][:3] == ["no", "by", "hand"]
    assert lines["simulated_ecg"][:3] == ["all", "no", "download"]


def test_list_of_a_name_shows_its_card(little, capsys):
    code, out, _ = run("data", "list", "little", capsys=capsys)
    assert code == 0 and out.startswith("Little set\n") and "SIMULATED, not patients; people: 2" in out
    assert out.splitlines()[-1].split() == ["cache", "no"]


def test_fetch_with_check_mends_a_damaged_file(little, capsys):
    run("data", "fetch", "little", "--quiet", capsys=capsys)
    (little / "a.bin").write_bytes(b"x" + SCAN[1:])
    code, out, _ = run("data", "verify", capsys=capsys)
    assert code == 1 and "Get it again: medlearn data fetch little --check" in out
    assert run("data", "fetch", "little", "--check", "--quiet", capsys=capsys)[0] == 0
    assert (little / "a.bin").read_bytes() == SCAN


def test_fetch_shows_progress_on_standard_error(little, capsys):
    code, out, err = run("data", "fetch", "little", capsys=capsys)
    assert code == 0 and out == f"{little}\n" and "little: 100%" in err


def test_fetch_offline_fails_with_one_clear_message(little, capsys, monkeypatch):
    monkeypatch.setenv("MEDLEARN_OFFLINE", "1")
    code, out, err = run("data", "fetch", "little", capsys=capsys)
    assert code == 1 and out == ""
    assert err.startswith("medlearn: little: 2 files are not in the cache and MEDLEARN_OFFLINE is set")


@pytest.mark.parametrize("command", ["list", "fetch", "verify", "where", "remove"])
def test_unknown_name_is_exit_code_2_with_a_suggestion(little, capsys, command):
    code, out, err = run("data", command, "litle", capsys=capsys)
    assert code == 2 and out == "" and "there is no data set 'litle'. Did you mean 'little'?" in err


def test_unknown_name_stops_before_the_first_is_touched(little, capsys):
    assert run("data", "fetch", "little", "litle", "--quiet", capsys=capsys)[0] == 2
    assert not little.exists()


ANSWERS = [("y", 0, False), ("YES", 0, False), ("", 1, True), ("n", 1, True)]


@pytest.mark.parametrize(("answer", "code", "there"), ANSWERS)
def test_remove_asks(little, capsys, monkeypatch, answer, code, there):
    run("data", "fetch", "little", "--quiet", capsys=capsys)
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
    assert run("data", "remove", "little", capsys=capsys)[0] == code
    assert asked == ["Delete 2 files (0.0 MB) of little? [y/N] "]
    assert (little / "a.bin").exists() is there


def test_remove_with_nobody_to_answer_keeps_all(little, capsys, monkeypatch):
    run("data", "fetch", "little", "--quiet", capsys=capsys)

    def nobody(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    code, out, err = run("data", "remove", "little", capsys=capsys)
    assert code == 1 and out == "little: kept\n" and "nobody is here to answer; give --yes" in err
    assert (little / "a.bin").exists()


def test_remove_of_a_linked_set_is_refused(little, capsys, tmp_path):
    little.parent.mkdir()
    little.symlink_to(tmp_path)
    code, _, err = run("data", "remove", "little", "--yes", capsys=capsys)
    assert code == 2 and "is a link to another place" in err


def test_interrupt_is_exit_code_130_without_traceback(little, capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("medlearn.data.download.fetch", interrupt)
    code, _, err = run("data", "fetch", "little", capsys=capsys)
    assert code == 130 and "interrupted; what has arrived is kept" in err


@pytest.mark.parametrize("problems", [[], ["no disk"]])
def test_doctor_prints_the_report_and_fails_with_problems(capsys, monkeypatch, problems):
    class Report:
        def __init__(self):
            self.problems = problems

        def __str__(self):
            return "the report"

    stand_in = type(sys)("medlearn.doctor")
    stand_in.examine = Report
    monkeypatch.setitem(sys.modules, "medlearn.doctor", stand_in)
    monkeypatch.setattr("medlearn.doctor", stand_in, raising=False)
    assert run("doctor", capsys=capsys) == (len(problems), "the report\n", "")


def test_progress_prints_the_course_at_a_glance(capsys):
    code, out, err = run("progress", capsys=capsys)
    assert code == 0 and out.strip() and err == ""


@pytest.mark.parametrize("arguments", [[], ["data"], ["data", "fetch"], ["nonsense"], ["data", "remove"]])
def test_wrong_command_is_exit_code_2_with_usage(capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert capsys.readouterr().err.startswith("usage: medlearn")


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out.startswith("medlearn 0.")


def test_reader_that_goes_away_causes_no_traceback():
    client = subprocess.Popen(
        [sys.executable, "-m", "medlearn.cli", "data", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    client.stdout.close()
    assert client.stderr.read() == b""
    client.stderr.close()
    assert client.wait() in (0, 1)


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "medlearn.cli", *arguments], stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_terminal_without_the_signs_gets_question_marks(encoding, tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "MEDLEARN_HOME": str(tmp_path)}
    done = command("progress", stdout=subprocess.PIPE, env=environment)
    assert (done.returncode, done.stderr) == (0, "") and "?" in done.stdout


def test_a_home_of_nobody_in_medlearn_data_is_named(tmp_path):
    done = command("data", "where", stdout=subprocess.PIPE, env=os.environ | {"MEDLEARN_DATA": "~nobody-here/scans"})
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("medlearn: MEDLEARN_DATA is '~nobody-here/scans'") and "Traceback" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has")
def test_output_onto_a_full_disk_is_one_line_and_exit_code_1():
    with open("/dev/full", "w") as full:
        done = command("data", "list", stdout=full)
    assert done.returncode == 1 and done.stderr.startswith("medlearn: ") and "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs sh")
def test_without_any_output_the_exit_code_is_kept():
    line = 'exec "$0" -m medlearn.cli data where >&-'
    done = subprocess.run(["sh", "-c", line, sys.executable], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_that_cannot_be_looked_into_is_one_line(little, capsys, monkeypatch):
    def refuse(card):
        raise PermissionError(13, "Permission denied", "/data/little")

    monkeypatch.setattr("medlearn.data.cache.verify", refuse)
    code, _, err = run("data", "verify", "little", capsys=capsys)
    assert code == 1 and err == "medlearn: [Errno 13] Permission denied: '/data/little'\n"


def test_command_as_a_process_gives_its_exit_code(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "medlearn.cli", "data", "fetch", "mitbd"],
        capture_output=True,
        text=True,
        env=os.environ | {"MEDLEARN_DATA": str(tmp_path)},
    )
    assert done.returncode == 2 and "Did you mean 'mitdb'?" in done.stderr and "Traceback" not in done.stderr
