"""Remembered progress: two writers, a damaged file, and the table at a glance."""

import subprocess
import sys

from medlearn.exercises import lesson_00, progress

WRITER = """
import sys
from medlearn.exercises import progress

for number in range(50):
    progress.record("lesson_99", f"{sys.argv[1]}{number}")
    progress.record("lesson_99", "shared")
"""


def test_record_by_two_notebooks_at_once():
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, prefix]) for prefix in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    names = [f"{prefix}{number}" for prefix in "ab" for number in range(50)] + ["shared"]
    assert all(progress.is_right("lesson_99", name) for name in names)
    assert len(list((progress.progress_folder() / "lesson_99").iterdir())) == len(names)


def test_is_right_sets_a_damaged_file_aside():
    path = progress.record("lesson_00", "normalise")
    path.write_text('{"right_on": "20', encoding="utf-8")
    assert not progress.is_right("lesson_00", "normalise")
    assert not path.exists()
    assert path.with_suffix(".json.damaged").read_text(encoding="utf-8") == '{"right_on": "20'
    progress.record("lesson_00", "normalise")
    assert progress.is_right("lesson_00", "normalise")


def test_is_right_where_progress_cannot_be_read(tmp_path, monkeypatch):
    (progress.progress_folder() / "lesson_00" / "normalise.json").mkdir(parents=True)
    assert not progress.is_right("lesson_00", "normalise")
    (tmp_path / "a file").write_text("", encoding="utf-8")
    monkeypatch.setenv("MEDLEARN_HOME", str(tmp_path / "a file"))
    assert progress.course_progress().lessons[0].num_right == 0


def test_check_for_a_user_without_a_home_is_right_all_the_same(monkeypatch, capsys):
    def no_home(*arguments, **options):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MEDLEARN_HOME")
    monkeypatch.setattr(progress, "user_data_path", no_home)
    lesson_00.num_voxels.check(275 * 512 * 512)
    assert "✔ Right" in (said := capsys.readouterr().out) and "Set MEDLEARN_HOME" in said
    assert not progress.is_right("lesson_00", "num_voxels")


def test_course_progress_counts_what_is_right():
    progress.record("lesson_00", "normalise")
    first = progress.course_progress().lessons[0]
    assert (first.number, first.title, first.num_right, len(first.exercises)) == ("00", "Start here", 1, 3)
    assert "■□□  1 of 3" in str(progress.course_progress())
    assert "✔&nbsp;normalise" in progress.course_progress()._repr_html_()


def test_progress_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDLEARN_HOME", str(tmp_path))
    assert progress.progress_folder() == tmp_path / "progress"
    monkeypatch.delenv("MEDLEARN_HOME")
    assert progress.progress_folder().parts[-2:] == ("medlearn", "progress")
