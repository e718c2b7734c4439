"""medlearn.doctor.packages: versions against ranges, each problem with its mend."""

import importlib.util
import sys
import types
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from medlearn.doctor import packages


@pytest.fixture
def installed(monkeypatch):
    """Pretend that some packages have other versions; None removes one, ... damages its metadata."""
    versions, true_version = {}, metadata.version

    def version(name):
        if name not in versions:
            return true_version(name)
        if versions[name] is None:
            raise metadata.PackageNotFoundError(name)
        return None if versions[name] is ... else versions[name]

    monkeypatch.setattr(metadata, "version", version)
    return versions


@pytest.fixture
def colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


def only(findings):
    (finding,) = findings
    return finding


def named(findings, name):
    return only(finding for finding in findings if finding.name == name)


def test_python_version_in_range():
    finding = only(packages.python_version())
    assert finding.state == "ok"
    assert finding.value.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert sys.executable in finding.value and "needs >=3.11" in finding.value


def test_python_version_too_old(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 14, "final", 0))
    finding = only(packages.python_version())
    assert (finding.state, finding.value.split()[0]) == ("problem", "3.10.14")
    assert "Install Python >=3.11" in finding.mend


def test_required_packages_are_those_of_the_metadata_and_all_fine_here():
    findings = list(packages.required_packages())
    names = {Requirement(line).name for line in metadata.requires("medlearn") if "extra ==" not in line}
    assert {finding.name for finding in findings} == names | {"medlearn"}
    assert {"torch", "keras", "numpy"} <= names
    assert [finding for finding in findings if finding.state != "ok"] == []


def test_required_packages_when_medlearn_is_not_installed(installed):
    installed["medlearn"] = None
    finding = only(packages.required_packages())
    assert finding.state == "problem" and "pip install -e ." in finding.mend


def test_required_packages_too_old(installed):
    installed["torch"] = "2.4.1+cu121"
    finding = named(packages.required_packages(), "torch")
    assert (finding.state, finding.value) == ("problem", "2.4.1+cu121 (needs >=2.5)")
    assert finding.mend.startswith('Run: python -m pip install "torch>=2.5" ')


def test_required_packages_missing(installed):
    installed["wfdb"] = None
    finding = named(packages.required_packages(), "wfdb")
    assert finding.value.startswith("not installed")
    assert 'pip install "wfdb>=' in finding.mend


@pytest.mark.parametrize("damage", [..., "not a version"])
def test_required_packages_with_damaged_metadata(installed, damage):
    installed["pooch"] = damage
    findings = list(packages.required_packages())
    finding = named(findings, "pooch")
    assert finding.state == "problem" and "metadata is damaged" in finding.value
    assert 'pip install --force-reinstall --no-deps "pooch>=' in finding.mend
    assert named(findings, "psutil").state == "ok"  # one damaged package does not hide the others


def test_required_packages_survive_metadata_that_raises(monkeypatch):
    true_version = metadata.version

    def version(name):
        if name == "scipy":
            raise OSError("the disk is gone")
        return true_version(name)

    monkeypatch.setattr(metadata, "version", version)
    findings = list(packages.required_packages())
    assert "the disk is gone" in named(findings, "scipy").value
    assert named(findings, "tqdm").state == "ok"


def test_compare_accepts_a_pre_release_in_the_range(installed):
    installed["keras"] = "4.0.dev1"
    assert packages.compare(Requirement("keras>=3.6")).state == "ok"


def test_jupyterlab_missing_is_a_note(installed):
    installed["jupyterlab"] = None
    finding = only(packages.jupyterlab())
    assert finding.state == "note" and '"jupyterlab>=' in finding.mend and "VS Code" in finding.value


def test_jupyterlab_is_not_asked_for_on_colab(installed, colab):
    installed["jupyterlab"] = None
    assert only(packages.jupyterlab()).value == "not needed: this is Colab"


def test_requirements_of_an_extra_are_only_what_it_adds():
    names = {requirement.name for requirement in packages.requirements("itk")}
    assert names == {"itk-core", "itk-io", "itk-numerics", "itk-filtering"}


def test_itk_here():
    finding = only(packages.itk())
    assert finding.state == "ok" and "itk-filtering 5." in finding.value


def test_itk_missing_is_a_note_that_says_how_to_get_it(installed):
    installed["itk-io"] = None
    finding = only(packages.itk())
    assert finding.state == "note" and "optional" in finding.value and "itk-io not installed" in finding.value
    for name in ("itk-core", "itk-io", "itk-numerics", "itk-filtering"):
        assert f'"{name}>=' in finding.mend


@pytest.mark.parametrize("kernel, front_end", [("8.1.9", "3.0.17"), ("7.7.1", "1.1.10"), ("9.0", "4.0")])
def test_widgets_that_fit(installed, kernel, front_end):
    installed.update({"ipywidgets": kernel, "jupyterlab_widgets": front_end})
    assert only(packages.widgets()).state == "ok"


@pytest.mark.parametrize(
    "kernel, front_end, mend",
    [
        ("8.1.9", None, '"jupyterlab_widgets>=3,<4"'),
        ("8.1.9", "1.1.10", '"jupyterlab_widgets>=3,<4"'),
        ("7.7.1", "3.0.17", '"jupyterlab_widgets>=1,<2"'),
        ("9.0", None, '"jupyterlab_widgets"'),
    ],
)
def test_widgets_that_do_not_fit(installed, kernel, front_end, mend):
    installed.update({"ipywidgets": kernel, "jupyterlab_widgets": front_end})
    finding = only(packages.widgets())
    assert finding.state == "problem" and "sliders cannot show" in finding.value
    assert mend in finding.mend and "reload the page" in finding.mend


def test_widgets_on_colab(installed, colab):
    installed.update({"ipywidgets": "7.7.1", "jupyterlab_widgets": "3.0.17"})
    assert only(packages.widgets()).state == "ok"


def test_keras_backend_wrong(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    finding = only(packages.keras_backend())
    assert (finding.value, finding.state) == ("jax", "problem")
    assert "os.environ['KERAS_BACKEND'] = 'torch'" in finding.mend


def test_keras_backend_right():
    assert only(packages.keras_backend()).value == "torch"


def test_tensorflow_here_is_a_note(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    finding = only(packages.tensorflow())
    assert finding.state == "note" and "separate environment" in finding.mend


def test_tensorflow_is_not_here():
    assert only(packages.tensorflow()).state == "ok"
    assert "tensorflow" not in sys.modules
