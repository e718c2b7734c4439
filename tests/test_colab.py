"""A machine such as Colab: the packages are there, medlearn is not, and the setup cell of lesson 00 installs it.

The machine is a bare virtual environment. What Colab brings is a folder of links to the packages of the environment
that runs the tests, all but medlearn: no gigabytes are installed, and pip, which does not touch packages outside its
own environment, works as it does there. ``PIP_NO_INDEX`` forbids the network, so that a dependency that medlearn
lacks would be missed at once.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import medlearn

ROOT = Path(__file__).parents[1]
LESSON = ROOT / "notebooks" / "00_start_here.ipynb"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel, with the build backend that is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True, cwd=folder)
    (path,) = folder.glob("medlearn-*.whl")
    return path


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make the bare environment and a kernel in it; return its Python."""
    folder = tmp_path / "machine"
    venv.create(folder, symlinks=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    brought = tmp_path / "brought_along"
    _link_packages(brought)
    site_packages = sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
    Path(site_packages, "brought_along.pth").write_text(f"{brought}\n", encoding="utf-8")
    kernel = tmp_path / "jupyter" / "kernels" / "colab"
    kernel.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "KERAS_BACKEND", "MEDLEARN_INSTALL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return python


def _link_packages(folder):
    folder.mkdir()
    for base in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(base).iterdir():
            if "medlearn" not in path.name and path.name != "__pycache__" and path.suffix != ".pth":
                (folder / path.name).symlink_to(path)


def run(command, *arguments):
    """Run a command of the machine, away from the repository; return what it prints, and its exit code."""
    line = [command, *arguments]
    result = subprocess.run(line, capture_output=True, text=True, timeout=300, cwd=command.parent)
    return result.stdout + result.stderr, result.returncode


def execute(notebook, folder):
    """Run a notebook on the machine's kernel, in an empty folder."""
    folder.mkdir()
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, kernel_name="colab", timeout=300, resources=resources).execute()


def test_lesson_00_installs_medlearn_from_a_wheel_and_runs(machine, wheel, tmp_path, monkeypatch):
    output, code = run(machine, "-c", "import numpy, torch, medlearn")
    assert code == 1 and "No module named 'medlearn'" in output
    monkeypatch.setenv("MEDLEARN_INSTALL", str(wheel))

    notebook = nbformat.read(LESSON, as_version=4)
    execute(notebook, tmp_path / "empty")

    setup = next(cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", []))
    assert "Device: " in "".join(output.get("text", "") for output in setup.outputs)
    place, _ = run(machine, "-c", "import medlearn; print(medlearn.__version__, medlearn.__file__)")
    assert place.startswith(f"{medlearn.__version__} {machine.parents[1]}")


def test_the_wheel_brings_the_command_and_the_catalogue(machine, wheel):
    output, code = run(machine, "-m", "pip", "install", "--quiet", wheel)
    assert code == 0, output
    output, code = run(machine.with_name("medlearn"), "data", "list", "--names")
    assert (code, "mitdb" in output.split()) == (0, True)
    output, code = run(machine, "-m", "pip", "check")
    assert "medlearn" not in output


def test_setup_cell_says_what_to_do_where_it_has_nothing_to_install(machine, tmp_path):
    notebook = nbformat.read(LESSON, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", [])]
    # As if the syllabus named no repository, which it may do one day.
    notebook.cells[0].source = notebook.cells[0].source.replace('"MEDLEARN_INSTALL", ', '"MEDLEARN_INSTALL", "" and ')
    with pytest.raises(CellExecutionError, match=r"medlearn is not installed in this kernel.*MEDLEARN_INSTALL"):
        execute(notebook, tmp_path / "empty")
