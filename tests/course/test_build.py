"""The builder: the same bytes twice, kept outputs, a learner's work set aside; what is committed is what is built."""

import base64
import importlib
import itertools
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import picture
import pytest
from assemble import assemble, execute, fingerprint_of_cells, keep_outputs, lesson_map, needs_execution, to_text
from build import NOTEBOOKS, _set_aside_learners_work, _write, build, check, course_problems, main, readme_with_tables
from lesson_source import read_source
from syllabus import COURSE, ROOT, CourseError, load_syllabus

import medlearn

SYLLABUS = load_syllabus()
NAMES = [lesson.name for lesson in SYLLABUS.lessons]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Lesson 00, built in a folder of its own: executed, since it has cells whose output is kept."""
    folder = tmp_path_factory.mktemp("notebooks")
    assert build(SYLLABUS, ["00_start_here"], notebooks=folder) == ["00_start_here"]
    return folder / "00_start_here.ipynb"


@pytest.fixture
def ran_before(built, monkeypatch):
    """Let `build` take what lesson 00 gave when it ran for ``built``: for tests of what becomes of the files."""
    monkeypatch.setattr("build.execute", lambda notebook, *, path: json.loads(built.read_text(encoding="utf-8")))


def test_build_twice_gives_the_same_bytes(built):
    before = built.read_bytes()
    assert build(SYLLABUS, ["00_start_here"], notebooks=built.parent) == []
    assert build(SYLLABUS, ["00_start_here"], notebooks=built.parent, force=True) == ["00_start_here"]
    assert built.read_bytes() == before


def test_build_gives_what_is_committed(built):
    assert built.read_bytes() == (NOTEBOOKS / "00_start_here.ipynb").read_bytes()


def test_check_of_the_committed_notebooks():
    check(SYLLABUS, NAMES)


def test_build_keeps_only_tagged_text(built):
    notebook = nbformat.read(built, as_version=4)
    kept = [cell for cell in notebook.cells if cell.get("outputs")]
    assert [cell.metadata.tags for cell in kept] == [["nbval-check-output"]] * len(kept)
    assert kept[0].outputs[0].text.startswith("Twelve grey squares in 3 rows and 4 columns.")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [i if c.get("outputs") else None for i, c in enumerate(code, 1)]


def test_build_gives_ids_by_position_and_clean_metadata(built):
    notebook = json.loads(built.read_text(encoding="utf-8"))
    assert [cell["id"] for cell in notebook["cells"]] == [f"lesson-00-{i:03d}" for i in range(len(notebook["cells"]))]
    assert notebook["metadata"].keys() == {"kernelspec", "language_info", "medlearn"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}


def test_build_puts_title_setup_and_quiz_in_their_places(built):
    cells = nbformat.read(built, as_version=4).cells
    assert cells[0].source.startswith("# 00 Start here\n")
    assert cells[1].metadata.tags == ["setup"] and cells[1].metadata.jupyter.source_hidden
    headings = re.findall(r"^## (.+)$", "\n".join(c.source for c in cells if c.cell_type == "markdown"), re.MULTILINE)
    assert headings[-4:] == ["Real patients", "What you may claim", "Quiz", "Summary"]
    quiz = next(c for c in cells if "show_quiz" in c.source)
    questions = json.loads(base64.b64decode(quiz.source.split('"""')[1]))
    assert questions == json.loads((COURSE / "quizzes" / "00_start_here.json").read_text(encoding="utf-8"))


def test_build_sets_a_learners_work_aside(built, ran_before, tmp_path):
    mine = tmp_path / built.name
    notebook = nbformat.read(built, as_version=4)
    notebook.cells[5].source += "\nmy own answer"
    nbformat.write(notebook, mine)  # as Jupyter saves: sources as lists of lines
    build(SYLLABUS, ["00_start_here"], notebooks=tmp_path)
    [aside] = tmp_path.glob("00_start_here.mine-*.ipynb")
    assert "my own answer" in aside.read_text(encoding="utf-8")
    assert mine.read_bytes() == built.read_bytes()
    assert course_problems(SYLLABUS, course=COURSE, notebooks=tmp_path) == []


def test_build_never_sets_work_aside_onto_other_work(tmp_path):
    for work in ("first", "second"):
        (tmp_path / "00_start_here.ipynb").write_text(work, encoding="utf-8")
        _set_aside_learners_work(tmp_path / "00_start_here.ipynb")
    assert sorted(path.read_text(encoding="utf-8") for path in tmp_path.iterdir()) == ["first", "second"]


def test_build_on_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    target = tmp_path / "README.md"
    target.write_text("as it was", encoding="utf-8")

    def half(path, text, **options):
        with path.open("w") as file:
            file.write(text[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="No space left"):
        _write(target, "as it shall be")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("README.md", "as it was")]


def test_keep_outputs_joins_what_the_clock_cut_apart():
    cell = nbformat.v4.new_code_cell("...", metadata={"tags": ["nbval-check-output"]})
    stream = [nbformat.v4.new_output("stream", name=name, text=t) for name, t in zip("oeo", "a!b", strict=True)]
    for output in stream:
        output.name = {"o": "stdout", "e": "stderr"}[output.name]
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=["line 7 of a temporary file"])
    ran = {"cells": [{"outputs": [*stream, error]}]}
    kept = keep_outputs(nbformat.v4.new_notebook(cells=[cell]), ran).cells[0].outputs
    assert [output.get("text") or output.evalue for output in kept] == ["ab", "no"]
    assert kept[1].traceback == []


def test_check_names_a_damaged_notebook(tmp_path):
    (tmp_path / "00_start_here.ipynb").write_text('{"cells": [', encoding="utf-8")
    with pytest.raises(CourseError, match="This is not a notebook"):
        check(SYLLABUS, ["00_start_here"], notebooks=tmp_path)


def test_build_overwrites_a_notebook_that_was_only_run(built, ran_before, tmp_path):
    ran = tmp_path / built.name
    notebook = json.loads(built.read_text(encoding="utf-8"))
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "cpu"}]
    ran.write_text(json.dumps(notebook), encoding="utf-8")
    with pytest.raises(CourseError, match=r"stored in untagged cells: lesson-00-001\. Clear the outputs"):
        check(SYLLABUS, ["00_start_here"], notebooks=tmp_path)
    build(SYLLABUS, ["00_start_here"], notebooks=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [built.name]
    assert ran.read_bytes() == built.read_bytes()


def test_check_finds_a_changed_lesson(built, tmp_path):
    course = tmp_path / "course"
    shutil.copytree(COURSE, course)
    lesson = course / "lessons" / "00_start_here.py"
    lesson.write_text(lesson.read_text(encoding="utf-8").replace("# Welcome.", "# Hello."), encoding="utf-8")
    with pytest.raises(CourseError, match=r"is not what its lesson gives\. Run `make notebooks`"):
        check(SYLLABUS, ["00_start_here"], notebooks=built.parent, course=course)
    with pytest.raises(CourseError, match="The notebook is not built"):
        check(SYLLABUS, ["00_start_here"], notebooks=tmp_path, course=course)


def test_course_problems_name_what_the_syllabus_does_not_list(tmp_path):
    for name in ("lessons/99_extra.py", "quizzes/98_extra.json", "notebooks/97_mine.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    whats = [p.what for p in course_problems(SYLLABUS, course=tmp_path, notebooks=tmp_path / "notebooks")]
    assert whats == [f"The syllabus lists no lesson {name}." for name in ("99_extra", "98_extra", "97_mine")]


def test_execute_names_the_cell_that_does_not_run(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("raise KeyError('lost')")])
    with pytest.raises(CourseError, match=r"The cell \"raise KeyError\('lost'\)\" did not run: KeyError: 'lost'"):
        execute(notebook, path=tmp_path / "x.ipynb")


def test_execute_names_the_line_of_the_lesson(tmp_path):
    code = "print(table.alt)"  # a cell of lesson 00, without the cell before it
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    lines = (COURSE / "lessons" / "00_start_here.py").read_text(encoding="utf-8").splitlines()
    with pytest.raises(CourseError, match=rf"lessons/00_start_here\.py:{lines.index(code) + 1}: The cell .* NameError"):
        execute(notebook, path=tmp_path / "00_start_here.ipynb")


def test_main_says_what_is_wrong(capsys):
    assert main(["--check", "42_answer"]) == 1
    assert "No lesson 42_answer. Lessons: 00_start_here" in capsys.readouterr().err


def test_readme_tables_are_drawn():
    text = readme_with_tables(SYLLABUS)
    assert "[02 Convolution](notebooks/02_convolution.ipynb)" in text and "`mitdb`" in text


def test_readme_describes_its_picture():
    assert f"![{picture.ALT}](course/picture.png)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_lesson_map_stands_in_the_order_of_the_numbers():
    syllabus = replace(load_syllabus(), planned=(("03b", "To come"), ("99", "At last")))
    rows = lesson_map(syllabus, folder="").splitlines()[2:]
    before, at, after = (rows[rows.index("| 03b To come | | | *planned* |") + step] for step in (-1, 0, 1))
    assert before.startswith("| [03 ") and "](" not in at and after.startswith("| [04a ")
    assert rows[-1] == "| 99 At last | | | *planned* |"


def test_assemble_draws_badges_and_the_colab_line_from_one_place():
    lesson = SYLLABUS.lessons[2]
    source = read_source(lesson.name)
    address = "https://github.com/somebody/medlearn"
    public = assemble(replace(SYLLABUS, repository=address), lesson, source, version=medlearn.__version__)
    assert f"medlearn @ git+{address}@v{medlearn.__version__}" in public.cells[1].source
    assert "colab.research.google.com/github/somebody/medlearn/blob/main/notebooks/02_" in public.cells[0].source
    private = assemble(replace(SYLLABUS, repository=""), lesson, source, version=medlearn.__version__)
    assert "github" not in to_text(private).split("## ")[0]


@pytest.mark.parametrize("name", NAMES)
def test_exercise_stubs_are_not_tried(name):
    """Run every stub as the learner finds it: its check says that it is not tried yet."""
    cells = [cell for cell in read_source(name).cells if cell.kind == "code"]
    number, _, _ = name.partition("_")
    ex = importlib.import_module(f"medlearn.exercises.lesson_{number}")
    for stub, check_cell in itertools.pairwise(cells):
        if "exercise" in stub.tags:
            scope = {"np": __import__("numpy")}
            exec(stub.source, scope)  # the course's own source
            exercise, answer = re.search(r"ex\.(\w+)\.check\((\w+)\)", check_cell.source).groups()
            message = getattr(ex, exercise).evaluate(scope[answer])
            assert message.state == "not tried", f"{exercise}: {message}"


def test_fingerprint_changes_with_a_cell():
    notebook = {"cells": [{"source": "a"}, {"source": "b"}]}
    before = fingerprint_of_cells(notebook)
    notebook["cells"] = [{"source": "ab"}, {"source": ""}]
    assert fingerprint_of_cells(notebook) != before


def test_needs_execution_only_for_kept_outputs():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    assert not needs_execution(notebook)
    notebook.cells[0].metadata["tags"] = ["nbval-check-output"]
    assert needs_execution(notebook)
