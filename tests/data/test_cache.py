"""What is in the cache, and removing it without harm to anything else."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from medlearn.data import cache as cache_module
from medlearn.data import card
from medlearn.data.cache import (
    DataUnavailable,
    available,
    cache_folder,
    files_to_remove,
    is_available,
    missing,
    remove,
    verify,
)
from medlearn.data.download import fetch


def put(cache, files, name="little"):
    for path, content in files.items():
        target = cache / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return cache / name


def test_cache_folder_is_the_one_of_the_environment_or_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDLEARN_DATA", "~/scans")
    assert cache_folder() == Path.home() / "scans"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDLEARN_DATA", "scans")
    assert cache_folder() == tmp_path / "scans"
    monkeypatch.setenv("MEDLEARN_DATA", f"{tmp_path}/scans/")
    assert cache_folder() == tmp_path / "scans"
    monkeypatch.setenv("MEDLEARN_DATA", "~nobody-here/scans")
    with pytest.raises(ValueError, match=r"MEDLEARN_DATA is '~nobody-here/scans'.*home folder"):
        cache_folder()
    for nothing in ("", " "):
        monkeypatch.setenv("MEDLEARN_DATA", nothing)
        assert cache_folder().parts[-2:] == ("medlearn", "data")


def test_a_user_without_a_home_is_told_to_choose_a_folder(monkeypatch):
    def nowhere(*arguments, **options):  # what platformdirs does where neither HOME nor the user's entry is there
        raise RuntimeError("could not determine the home directory for '~/.cache'")

    monkeypatch.delenv("MEDLEARN_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", nowhere)
    with pytest.raises(ValueError, match=r"no home folder is known here.*set MEDLEARN_DATA"):
        cache_folder()


def test_is_available_goes_by_name_and_size(cache, make_card, capsys):
    files = {"scans/a.bin": b"abc", "note.txt": b"hello"}
    little = make_card(files)
    assert not is_available(little)
    put(cache, {"scans/a.bin": b"abc"})
    assert is_available(little, "scans/*") and not is_available(little)
    put(cache, {"note.txt": b"hell"})
    assert [file.path for file in missing(little)] == ["note.txt"]
    put(cache, {"note.txt": b"hello"})
    assert is_available(little)
    assert capsys.readouterr().out == ""


def test_is_available_of_an_unknown_set_or_file(cache):
    with pytest.raises(ValueError, match="no data set 'mitbd'"):
        is_available("mitbd")
    with pytest.raises(ValueError, match="no file of mitdb matches"):
        is_available("mitdb", "999.*")


def test_available_prints_one_line_with_size_licence_and_command(cache, capsys):
    assert not available("mitdb", "208.*")
    # 208.atr 6,083 + 208.dat 1,950,000 + 208.hea bytes: 2.0 MB
    assert capsys.readouterr().out == (
        "Not in the cache: MIT-BIH Arrhythmia Database 1.0.0 (3 files, 2.0 MB, licence ODC-By-1.0)."
        " Get it: data.fetch('mitdb', files='208.*'), or in a terminal: medlearn data fetch mitdb."
        " The notebook goes on without it.\n"
    )
    assert not available("t1_dicom_series")
    assert "Get it: data.fetch('t1_dicom_series'), or" in capsys.readouterr().out


def test_set_that_comes_by_hand_is_not_available_before_it_is_there(cache, capsys):
    assert not available("ptbxl")
    said = capsys.readouterr().out
    assert said.startswith("Not in the cache: PTB-XL 1.0.3") and said.count("\n") == 1
    assert "get ptbxl_database.csv from https://physionet.org/content/ptb-xl/1.0.3/ and put it into" in said
    assert str(cache / "ptbxl") in said and said.endswith(" The notebook goes on without it.\n")
    assert not is_available("ptbxl")
    assert [line for line in verify("ptbxl") if "ptbxl is not in the cache: PTB-XL" in line]
    with pytest.raises(DataUnavailable, match=r"ptbxl is not in the cache: PTB-XL .* medlearn does not download it"):
        fetch("ptbxl")
    put(cache, {"ptbxl_database.csv": b"ecg_id"}, name="ptbxl")
    assert available("ptbxl") and is_available("ptbxl") and verify("ptbxl") == []
    assert fetch("ptbxl") == cache / "ptbxl"
    assert capsys.readouterr().out == ""


def test_file_that_comes_by_hand_stays_in_its_folder():
    with pytest.raises(ValueError, match=r"by_hand must name files inside the folder of the data set, got '../x'"):
        replace(card("ptbxl"), by_hand=("../x",))


def test_available_offers_no_command_where_there_is_no_address(cache, capsys):
    assert not available("lidc_idri_0314")
    assert "(7 of 23 files cannot be downloaded in this form). The notebook goes on" in capsys.readouterr().out
    assert not available("lidc_idri_0314", ["dicom/*"])
    assert "data.fetch('lidc_idri_0314', files=['dicom/*'])" in capsys.readouterr().out


def test_available_is_silent_where_all_is_there(cache, make_card, capsys):
    put(cache, {"a.bin": b"abc"})
    assert available(make_card({"a.bin": b"abc"}))
    assert capsys.readouterr().out == ""


def test_verify_names_damage_and_counts_what_is_missing(cache, make_card):
    little = make_card({"a.bin": b"abc", "b.bin": b"abc", "c.bin": b"abc", "d.bin": b"abc"})
    put(cache, {"a.bin": b"abc", "b.bin": b"abd", "c.bin": b"abcd"})
    damaged, truncated, absent = verify(little)
    # `printf abd | sha256sum` prints a52d159f...
    assert "b.bin: sha256 a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9 instead of ba78" in damaged
    assert "c.bin: 4 bytes instead of 3. Get it again: medlearn data fetch little --check" in truncated
    assert absent.startswith("little: 1 of 4 files are not in the cache, the first is d.bin")


def test_verify_does_not_ask_for_what_cannot_be_downloaded(cache, make_card):
    assert verify(make_card({"a.bin": b"abc"}, prefixes=())) == []


def test_verify_says_where_a_folder_stands_in_place_of_a_file(cache, make_card):
    (cache / "little/a.bin").mkdir(parents=True)
    (problem,) = verify(make_card({"a.bin": b"abc"}))
    assert "a.bin: " in problem


def test_remove_deletes_the_files_of_the_set_only(cache, make_card):
    little = make_card({"scans/a.bin": b"abc", "note.txt": b"hello"})
    folder = put(cache, {"scans/a.bin": b"abc", "note.txt": b"hello", "scans/mine.txt": b"my notes"})
    put(cache, {".partial/b.bin.part": b"x", ".partial/unpacked/All/c": b"x"})
    put(cache, {"a.bin": b"abc"}, name="other")
    assert len(remove(little)) == 4
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["mine.txt"]
    assert (cache / "other/a.bin").exists()
    (folder / "scans/mine.txt").unlink()
    assert remove(little) == []
    assert not folder.exists() and cache.exists()


def test_remove_never_goes_through_a_link(cache, make_card, tmp_path):
    little = make_card({"scans/a.bin": b"abc", "note.txt": b"hello"})
    outside = tmp_path / "outside"
    put(outside, {"a.bin": b"abc", "note.txt": b"hello"}, name="scans")
    (cache / "little").mkdir(parents=True)
    (cache / "little/scans").symlink_to(outside / "scans")  # a folder that is a link: not looked into
    (cache / "little/note.txt").symlink_to(outside / "scans/note.txt")  # a file that is a link: the link goes
    (cache / "little/.partial").symlink_to(outside / "scans")
    assert [path.name for path in remove(little)] == ["note.txt"]
    assert sorted(path.name for path in (outside / "scans").iterdir()) == ["a.bin", "note.txt"]
    assert (cache / "little/scans").is_symlink()


def test_remove_refuses_a_set_that_is_a_link(cache, make_card, tmp_path):
    put(tmp_path, {"a.bin": b"abc"}, name="elsewhere")
    cache.mkdir()
    (cache / "little").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="little is a link to another place, and links are not followed"):
        remove(make_card({"a.bin": b"abc"}))
    assert (tmp_path / "elsewhere/a.bin").exists()


def test_remove_from_a_read_only_cache_says_so(cache, make_card, monkeypatch):
    put(cache, {"a.bin": b"abc"})

    def refuse(path, *arguments, **options):
        raise OSError(30, os.strerror(30), str(path))

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(DataUnavailable, match=r"a.bin cannot be deleted \(Read-only file system\)"):
        remove(make_card({"a.bin": b"abc"}))
    assert (cache / "little/a.bin").exists()


def test_files_to_remove_of_nothing(cache):
    assert files_to_remove("mitdb") == []


def test_real_files_have_their_checksums():
    """One small file of each set, where the real data is here."""
    real = Path(os.environ.get("MEDLEARN_DATA") or "nowhere")
    if not (real / "registry.json").exists():
        pytest.skip("the real data is not here (MEDLEARN_DATA)")
    for name in ("mitdb", "t1_dicom_series", "clinical_ct_template", "lidc_idri_0314", "msd_hippocampus", "pgbm_003"):
        smallest = min(card(name).files, key=lambda file: file.bytes)
        assert cache_module.fault_of(real / name / smallest.path, smallest) is None
