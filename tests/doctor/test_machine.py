"""medlearn.doctor.machine: device, memory, disk, folders and data sets, each problem with its mend."""

import shutil
import types

import psutil
import pytest
import torch

from medlearn import doctor
from medlearn.data import catalogue
from medlearn.doctor import machine

GB = 10**9


def only(findings):
    (finding,) = findings
    return finding


@pytest.fixture
def free(monkeypatch):
    """Set the memory, the disk and the container's limit, in GB."""

    def set_free(*, memory_gb=8, total_gb=16, disk_gb=100):
        monkeypatch.setattr(psutil, "virtual_memory", lambda: (total_gb * GB, memory_gb * GB))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=disk_gb * GB))

    monkeypatch.setattr(machine, "CONTAINER_LIMITS", ())
    return set_free


def test_device_and_threads(monkeypatch):
    monkeypatch.setenv("MEDLEARN_DEVICE", "cpu")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    device, threads = machine.device()
    assert (device.value, device.state) == ("cpu", "ok")
    assert threads.value.startswith("3 of ")


def test_device_that_is_unknown(monkeypatch):
    monkeypatch.setenv("MEDLEARN_DEVICE", "gpu")
    device, _ = machine.device()
    assert (device.value, device.state) == ("MEDLEARN_DEVICE=gpu", "problem")
    assert "unset it and the course chooses" in device.mend


def test_device_with_a_driver_that_pytorch_does_not_see(monkeypatch):
    monkeypatch.delenv("MEDLEARN_DEVICE", raising=False)
    monkeypatch.setattr(machine.runtime, "pick_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi" if name == "nvidia-smi" else None)
    device, _ = machine.device()
    assert device.state == "note" and "pytorch.org/get-started" in device.mend


def test_memory_enough(free):
    free(memory_gb=1.5)
    assert only(machine.memory()).value == "1.5 GB free of 16.0 GB; a lesson takes up to 1.5 GB"
    assert only(machine.memory()).state == "ok"


def test_memory_low(free):
    free(memory_gb=1.4)
    finding = only(machine.memory())
    assert finding.state == "problem" and "Shut Down All Kernels" in finding.mend


def test_memory_is_bounded_by_the_container(free, monkeypatch, tmp_path):
    free(memory_gb=8)
    (tmp_path / "no_limit").write_text("max\n")
    (tmp_path / "limit").write_text("1000000000\n")
    names = ("no_limit", "limit", "not_there")
    monkeypatch.setattr(machine, "CONTAINER_LIMITS", [str(tmp_path / name) for name in names])
    finding = only(machine.memory())
    assert finding.state == "problem" and finding.value.startswith("1.0 GB free of 1.0 GB")


def test_disk_full(free, monkeypatch, tmp_path):
    monkeypatch.setenv("MEDLEARN_DATA", str(tmp_path / "not" / "made" / "yet"))
    free(disk_gb=0.3)
    finding = only(machine.disk())
    assert finding.state == "problem" and finding.value.startswith(f"0.3 GB free at {tmp_path};")
    assert "Set MEDLEARN_DATA to a folder on a larger disk" in finding.mend


def test_disk_with_room(free):
    free(disk_gb=5)
    assert only(machine.disk()).state == "ok"


def test_cache_folder_that_will_be_made_is_fine_and_is_not_made(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDLEARN_DATA", str(tmp_path / "cache"))
    assert only(machine.cache_folder()).state == "ok"
    assert list(tmp_path.iterdir()) == []


def test_cache_folder_that_is_a_file_is_a_note(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("MEDLEARN_DATA", str(tmp_path / "cache"))
    finding = only(machine.cache_folder())
    assert finding.state == "note" and "Not a directory" in finding.value
    assert "set MEDLEARN_DATA to a folder that you may write to" in finding.mend


def test_progress_folder_that_is_read_only_is_a_problem(monkeypatch):
    # As root, permissions do not bind, so the write itself is refused.
    def refuse(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", refuse)
    finding = only(machine.progress_folder())
    assert finding.state == "problem" and "Read-only file system" in finding.value
    assert "Set MEDLEARN_HOME" in finding.mend


def test_progress_folder_that_is_fine(tmp_path):
    assert only(machine.progress_folder()).value == str(tmp_path / "home" / "progress")


def card(name, num_files):
    files = tuple(catalogue.RemoteFile(f"{i}.txt", "0" * 64, None, 4, ()) for i in range(num_files))
    words = dict.fromkeys(("title", "items", "licence", "licence_url", "citation", "doi", "notes"), "")
    return catalogue.Card(name=name, people=1, synthetic=False, files=files, **words)


@pytest.fixture
def cached(monkeypatch, tmp_path):
    """Put so many files of a set into a cache of its own: ``cached(name=(here, of))``."""

    def fill(**sets):
        cards = {name: card(name, num_files) for name, (_, num_files) in sets.items()}
        monkeypatch.setattr(catalogue, "_shipped_cards", lambda: cards)
        for name, (num_here, _) in sets.items():
            (tmp_path / "cache" / name).mkdir(parents=True)
            for i in range(num_here):
                (tmp_path / "cache" / name / f"{i}.txt").write_text("1234")

    monkeypatch.setenv("MEDLEARN_DATA", str(tmp_path / "cache"))
    return fill


def test_data_sets_missing_are_a_note_that_says_how_to_get_them(cached):
    cached(whole=(2, 2), part=(1, 3), absent=(0, 1), packaged=(0, 0))
    finding = only(machine.data_sets())
    assert finding.value == "in the cache: whole; missing: part (2 of 3 files), absent"
    assert finding.state == "note" and "medlearn data fetch NAME" in finding.mend


def test_data_sets_that_are_all_here(cached):
    cached(whole=(2, 2), other=(1, 1), packaged=(0, 0))
    assert only(machine.data_sets()) == doctor.Finding("Data sets", "in the cache: whole, other")


def test_data_sets_none_here(cached):
    cached(absent=(0, 2))
    assert only(machine.data_sets()).value == "in the cache: none; missing: absent"


def test_examine_here_finds_no_failed_check():
    report = doctor.examine()
    assert [finding for finding in report.findings if "could not be examined" in finding.value] == []
    names = {finding.name for finding in report.findings}
    assert {"Python", "torch", "Device", "Threads", "Memory", "Disk", "Keras backend", "Data sets"} <= names


def test_examine_never_raises_and_goes_on_after_a_broken_package(monkeypatch):
    def broken():
        raise ImportError("cannot load libtorch", name="torch")

    monkeypatch.setitem(doctor.CHECKS, "Device", broken)
    report = doctor.examine()
    failure = only(finding for finding in report.findings if finding.name == "Device")
    assert "cannot load libtorch" in failure.value and failure.mend.startswith("Install torch again")
    assert any(finding.name == "Memory" for finding in report.findings)
