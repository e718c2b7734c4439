"""The machine under the lesson: its device, its seeds, its Keras backend.

Importing this module loads no framework; each function loads what it needs when it is called.
"""

import os
import random
import sys
from importlib import metadata

LARGEST_SEED = 2**32 - 1  # NumPy's legacy generator takes 32 bits


def pick_device():
    """Choose where PyTorch computes: CUDA, else MPS (Apple), else the CPU.

    The environment variable ``MEDLEARN_DEVICE`` overrides the choice: ``cpu``, ``mps``, ``cuda`` or ``cuda:1``.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If ``MEDLEARN_DEVICE`` is not a device that the course knows, or is not present on this machine.

    Examples
    --------
    >>> pick_device().type in {"cpu", "cuda", "mps"}
    True
    """
    import torch

    asked = os.environ.get("MEDLEARN_DEVICE", "").strip().lower()
    if asked:
        return _device_asked_for(asked)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _device_asked_for(name):
    import torch

    kind, _, number = name.partition(":")
    if kind not in {"cpu", "cuda", "mps"} or (":" in name and not (kind == "cuda" and number.isdecimal())):
        raise ValueError(
            f"MEDLEARN_DEVICE is {name!r}, expected cpu, cuda, cuda:0 (or another number) or mps."
            " Set it to one of these, or unset it and the course chooses."
        )
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if int(number or 0) >= count:
        raise ValueError(
            f"MEDLEARN_DEVICE asks for {name!r}, but PyTorch {torch.__version__} finds {count} {kind}"
            " device(s) on this machine. Unset MEDLEARN_DEVICE and the course chooses, or set it to cpu."
        )
    return torch.device(name)


def device_line():
    """Describe the device, the threads and the versions in one line, for the setup cell.

    A problem with the Keras backend is added to the line, with its mend.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        As :func:`pick_device`.

    Examples
    --------
    >>> device_line()  # doctest: +SKIP
    'Device: cpu (2 threads) · PyTorch 2.13.0 · Keras 3.15.1 on torch · Python 3.11.13'
    """
    import torch

    device = pick_device()
    threads = torch.get_num_threads()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{threads} threads"
    if device.type == "cpu" and threads == 1:
        name = "1 thread"
    line = (
        f"Device: {device} ({name}) · PyTorch {torch.__version__} · Keras {_version_or_word('keras')}"
        f" on {keras_backend()} · Python {sys.version.split()[0]}"
    )
    problem = keras_backend_problem()
    return line if problem is None else f"{line} · PROBLEM: {problem}"


def _version_or_word(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def seed_everything(seed):
    """Seed Python, NumPy's legacy functions, PyTorch (all devices) and Keras, and return a generator.

    Keras is not imported for this, because that takes seconds and 240 MB. A Keras that you import later draws its
    seeds from Python's generator, so it is seeded too: a notebook gives the same numbers each time that it runs
    from the top. Seeding again once Keras is loaded gives other numbers, the same ones each time.

    Parameters
    ----------
    seed : int
        0 to 4294967295.

    Returns
    -------
    numpy.random.Generator
        Use this one in your own code; the seeded global state is for libraries that offer no other way.

    Raises
    ------
    ValueError
        If ``seed`` is not an integer in that range.

    Examples
    --------
    >>> first = seed_everything(2026).integers(100, size=3)
    >>> again = seed_everything(2026).integers(100, size=3)
    >>> bool((first == again).all())
    True
    """
    import numpy as np
    import torch

    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed must be an integer from 0 to {LARGEST_SEED}, got {seed!r}; use such as 2026.")
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  libraries that take no generator draw from this state
    torch.manual_seed(seed)  # the CPU and every CUDA and MPS device
    if hasattr(sys.modules.get("keras"), "utils"):
        sys.modules["keras"].utils.set_random_seed(seed)
    return np.random.default_rng(seed)


def keras_backend():
    """Name the backend that Keras runs on, or will run on when it is imported.

    Returns
    -------
    str
        ``"torch"`` in the course; ``"tensorflow"`` is Keras's own default.

    Examples
    --------
    >>> keras_backend()
    'torch'
    """
    keras = sys.modules.get("keras")
    if hasattr(keras, "backend"):
        return keras.backend.backend()
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def keras_backend_problem():
    """Say what is wrong with the Keras backend, and how to mend it.

    Keras fixes its backend at its first import. ``import medlearn`` chooses PyTorch, unless Keras is already
    there or ``KERAS_BACKEND`` was set to something else.

    Returns
    -------
    str or None
        None if Keras runs, or will run, on PyTorch.

    Examples
    --------
    >>> keras_backend_problem() is None
    True
    """
    backend = keras_backend()
    if backend == "torch":
        return None
    if "keras" in sys.modules:
        return (
            f"Keras was imported before medlearn, on the backend {backend!r}; the course needs 'torch'. Restart"
            " the kernel and run the setup cell first, before anything imports Keras."
        )
    return (
        f"KERAS_BACKEND is {backend!r}; the course needs 'torch'. Restart the kernel and set it before the"
        " first import: import os; os.environ['KERAS_BACKEND'] = 'torch'. Or unset it, and medlearn sets it."
    )
