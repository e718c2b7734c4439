"""Look at Python and at the packages, by their metadata: nothing is imported to learn its version."""

import importlib.util
import sys
from importlib import metadata

from medlearn import runtime
from medlearn.doctor.report import Finding, guarded


def python_version():
    """Compare this Python with the versions that medlearn accepts."""
    from packaging.specifiers import SpecifierSet

    accepted = SpecifierSet(metadata.metadata("medlearn")["Requires-Python"])
    version = ".".join(str(part) for part in sys.version_info[:3])
    value = f"{version} at {sys.executable} (needs {accepted})"
    if accepted.contains(version, prereleases=True):
        yield Finding("Python", value)
    else:
        yield Finding("Python", value, "problem", f"Install Python {accepted} from python.org, then `make lab`.")


def required_packages():
    """Compare every package that medlearn needs with the range that its metadata names."""
    try:
        yield Finding("medlearn", metadata.version("medlearn"))
    except metadata.PackageNotFoundError:
        mend = "In the folder of the course run: python -m pip install -e ."
        yield Finding("medlearn", "not installed in this Python", "problem", mend)
        return
    for requirement in requirements():
        yield from guarded(requirement.name, lambda requirement=requirement: [compare(requirement)])


def requirements(extra=""):
    """List what medlearn requires on this machine, from the metadata that was installed with it.

    Parameters
    ----------
    extra : str
        Empty: what every learner needs. Else only what this extra adds, such as ``"itk"``.

    Returns
    -------
    list of packaging.requirements.Requirement

    Examples
    --------
    >>> sorted(requirement.name for requirement in requirements("itk"))[:2]
    ['itk-core', 'itk-filtering']
    """
    from packaging.requirements import Requirement

    def applies(requirement, extra):
        return requirement.marker is None or requirement.marker.evaluate({"extra": extra})

    listed = [Requirement(line) for line in metadata.requires("medlearn") or ()]
    if not extra:
        return [requirement for requirement in listed if applies(requirement, "")]
    return [requirement for requirement in listed if applies(requirement, extra) and not applies(requirement, "")]


def compare(requirement):
    """Compare one installed package with its range.

    Parameters
    ----------
    requirement : packaging.requirements.Requirement

    Returns
    -------
    Finding
    """
    needed = f"needs {requirement.specifier or 'any version'}"
    try:
        version = installed_version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(requirement.name, f"not installed ({needed})", "problem", install(requirement))
    if version is None:
        mend = install(requirement, "--force-reinstall --no-deps")
        return Finding(requirement.name, f"its metadata is damaged ({needed})", "problem", mend)
    if requirement.specifier.contains(version, prereleases=True):
        return Finding(requirement.name, f"{version} ({needed})")
    return Finding(requirement.name, f"{version} ({needed})", "problem", install(requirement))


def installed_version(name):
    """Return the version of an installed package, or None where its metadata is damaged."""
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(metadata.version(name)))
    except (InvalidVersion, KeyError, TypeError):  # a missing version is None, or from Python 3.14 a KeyError
        return None


def install(requirements, options=""):
    """Write the command that installs one or several requirements.

    Examples
    --------
    >>> install("torch>=2.5")
    'Run: python -m pip install "torch>=2.5" (in a notebook: %pip install ..., then restart the kernel)'
    """
    several = requirements if isinstance(requirements, list) else [requirements]
    quoted = " ".join(f'"{getattr(one, "name", one)}{getattr(one, "specifier", "")}"' for one in several)
    words = " ".join(word for word in ("python -m pip install", options, quoted) if word)
    return f"Run: {words} (in a notebook: %pip install ..., then restart the kernel)"


def jupyterlab():
    """Look for JupyterLab, which Colab does without."""
    if "google.colab" in sys.modules:
        yield Finding("JupyterLab", "not needed: this is Colab")
        return
    yield from _extra("JupyterLab", "course", "not here; needed unless you use another front end such as VS Code")


def itk():
    """Look for the optional ITK packages."""
    yield from _extra("ITK", "itk", "not here; optional, cells that need it say so (235 MB)")


def _extra(name, extra, absent):
    needed = requirements(extra)
    findings = [compare(requirement) for requirement in needed]
    if all(finding.state == "ok" for finding in findings):
        versions = ", ".join(f"{finding.name} {installed_version(finding.name)}" for finding in findings)
        yield Finding(name, versions)
    else:
        found = "; ".join(f"{finding.name} {finding.value}" for finding in findings if finding.state != "ok")
        yield Finding(name, f"{absent}: {found}", "note", install(needed))


def widgets():
    """Compare the two halves of ipywidgets: one in the kernel, one in the front end."""
    kernel = installed_version("ipywidgets")
    if "google.colab" in sys.modules:
        yield Finding("Widgets", f"ipywidgets {kernel}; Colab brings the front end")
        return
    try:
        front_end = installed_version("jupyterlab_widgets")
    except metadata.PackageNotFoundError:
        front_end = None
    value = f"ipywidgets {kernel}, jupyterlab_widgets {front_end or 'not installed'}"
    major = {"8": "3", "7": "1"}.get(kernel.partition(".")[0])  # which front end goes with which kernel side
    if front_end and major in (None, front_end.partition(".")[0]):
        yield Finding("Widgets", value)
    else:
        needed = "jupyterlab_widgets" + {"3": ">=3,<4", "1": ">=1,<2"}.get(major, "")
        mend = f"{install(needed)} Then reload the page. Without it you see each widget's first picture."
        yield Finding("Widgets", f"sliders cannot show in JupyterLab: {value}", "problem", mend)


def keras_backend():
    """Tell whether Keras runs on PyTorch."""
    problem = runtime.keras_backend_problem()
    if problem is None:
        yield Finding("Keras backend", "torch")
    else:
        yield Finding("Keras backend", runtime.keras_backend(), "problem", problem)


def tensorflow():
    """Tell of TensorFlow, which the course does not use; it is not imported for this."""
    if importlib.util.find_spec("tensorflow") is None:
        yield Finding("TensorFlow", "not here, and not needed")
        return
    mend = (
        "Nothing to do where it came with the machine, as on Colab. If you import it in a lesson, it takes 0.5 GB"
        " and may take the graphics card's memory from PyTorch; use a separate environment for it."
    )
    yield Finding("TensorFlow", "installed; the course does not use it", "note", mend)
