"""The three files that say what is installed hold together, and nothing is named that should not be."""

import ast
import contextlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import medlearn

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONSTRAINTS = {
    canonicalize_name(Requirement(line).name): Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
}
REQUIREMENTS = [
    Requirement(line)
    for line in [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    if not line.startswith("medlearn")
]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_constraints_prove_a_version_of_every_range(requirement):
    pin = CONSTRAINTS[canonicalize_name(requirement.name)]
    [version] = [specifier.version for specifier in pin.specifier]
    assert requirement.specifier.contains(version), f"{requirement} does not accept the proven {version}"


def test_constraints_are_exact_and_public():
    for requirement in CONSTRAINTS.values():
        [specifier] = requirement.specifier
        assert specifier.operator == "==" and "+" not in specifier.version, str(requirement)
    assert str(CONSTRAINTS["torch"]) == "torch==2.13.0"


# As in Colab's first Python 3.12 image; the repository googlecolab/backend-info has today's list.
COLAB = """numpy==2.0.2 scipy==1.16.3 keras==3.10.0 torch==2.8.0 matplotlib==3.10.0 scikit-learn==1.6.1
ipywidgets==7.7.1 ipython==7.34.0 tqdm==4.67.1 psutil==5.9.5 requests==2.32.4""".split()


@pytest.mark.parametrize(("name", "version"), [pin.split("==") for pin in COLAB])
def test_ranges_accept_what_colab_has(name, version):
    [requirement] = [r for r in REQUIREMENTS if canonicalize_name(r.name) == name]
    assert requirement.specifier.contains(version)


def test_constraints_can_be_installed_on_the_oldest_python():
    for name in CONSTRAINTS:
        with contextlib.suppress(PackageNotFoundError):  # pinned for another system
            needs = metadata(name)["Requires-Python"]
            assert needs is None or SpecifierSet(needs).contains("3.11.0"), f"{name} needs Python {needs}"


def test_environment_lists_nothing_twice():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, pip_section = environment["dependencies"]
    assert pip == "pip" and pip_section == {"pip": ["--constraint constraints.txt", "-e .[course]"]}
    assert Requirement(python.replace("=", "==")).name == "python"
    assert python.removeprefix("python=") in ("3.11", "3.12", "3.13")


def test_every_import_of_the_library_is_declared():
    distributions = packages_distributions()
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    optional = {canonicalize_name(r.name) for r in REQUIREMENTS} - declared
    for path in (ROOT / "medlearn").rglob("*.py"):
        for name in imported_packages(path) - set(sys.stdlib_module_names) - {"medlearn"}:
            found = {canonicalize_name(d) for d in distributions.get(name, [name])}
            assert found & (declared | optional), f"{path.relative_to(ROOT)} imports {name}; pyproject.toml lacks it"


def imported_packages(path):
    """Return the top-level packages that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in plain | {n.module for n in nodes if isinstance(n, ast.ImportFrom)}}


def test_tensorflow_is_nowhere():
    names = {canonicalize_name(r.name) for r in REQUIREMENTS} | CONSTRAINTS.keys()
    assert not [name for name in names if name.startswith("tensorflow") or name == "tf-nightly"]


def test_citation_names_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == medlearn.__version__
    assert set(citation["license"]) == {"MIT", "CC-BY-4.0"}


def test_tracked_files_name_no_machine_and_no_index():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    forbidden = re.compile(r"(?:extra-)?index-url\s*[= ]|--find-links|/root/|/home/\w+/|[A-Z]:\\Users")
    for name in filter(None, tracked.split("\0")):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".yml", ".toml", ".txt", ".json", ".ipynb", ".cff", ""} and path != Path(
            __file__
        ):
            hits = [line for line in path.read_text(encoding="utf-8").splitlines() if forbidden.search(line)]
            assert not hits, f"{name}: {hits[0]}"


def test_makefile_explains_itself():
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for target in ("lab", "test", "notebooks", "bench"):
        assert re.search(rf"^{target} +\w", said, re.MULTILINE), said
