"""Examine this machine: what the course needs, what is here, and how to mend what is not.

Examples
--------
>>> report = examine()
>>> [finding.name for finding in report.findings][:2]
['Python', 'medlearn']
"""

from medlearn.doctor import machine, packages
from medlearn.doctor.report import Finding, Report, guarded

__all__ = ["Finding", "Report", "examine"]

CHECKS = {
    "Python": packages.python_version,
    "medlearn": packages.required_packages,
    "JupyterLab": packages.jupyterlab,
    "ITK": packages.itk,
    "Widgets": packages.widgets,
    "Keras backend": packages.keras_backend,
    "TensorFlow": packages.tensorflow,
    "Device": machine.device,
    "Memory": machine.memory,
    "Disk": machine.disk,
    "Cache folder": machine.cache_folder,
    "Progress folder": machine.progress_folder,
    "Data sets": machine.data_sets,
}


def examine():
    """Examine the Python, the packages, the device, the memory, the folders and the data sets.

    It never raises: a check that fails, because a package is broken for example, becomes a problem in the report.
    It changes nothing, and uses no network.

    Returns
    -------
    Report

    Examples
    --------
    >>> all(finding.mend for finding in examine().problems)
    True
    """
    return Report(tuple(finding for name, check in CHECKS.items() for finding in guarded(name, check)))
