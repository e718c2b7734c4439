"""The packages that load their names on first use."""

import importlib
import subprocess
import sys

import pytest

from medlearn.lazy import load_lazily

PACKAGES = ["medlearn.data", "medlearn.metrics", "medlearn.widgets"]
NAMES = [(package, name) for package in PACKAGES for name in importlib.import_module(package).__all__]


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_name_is_found_listed_and_kept(package, name):
    module = importlib.import_module(package)
    found = getattr(module, name)
    assert found is getattr(module, name) is vars(module)[name]
    assert name in dir(module)


@pytest.mark.parametrize("package", PACKAGES)
def test_name_is_not_hidden_by_a_module_of_the_same_name(package):
    code = f"import importlib, pkgutil, types, {package} as package\n"
    code += "for found in pkgutil.iter_modules(package.__path__):\n"
    code += f"    importlib.import_module('{package}.' + found.name)\n"
    code += "assert not [n for n in package.__all__ if isinstance(getattr(package, n), types.ModuleType)]\n"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("package", PACKAGES)
def test_unknown_name_is_named(package):
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'fetsch'"):
        module.fetsch  # noqa: B018


def test_name_of_two_modules_is_refused():
    with pytest.raises(ValueError, match=r"medlearn\.data: two modules offer the same name"):
        load_lazily("medlearn.data", {"a": ("load",), "b": ("load",)})
