"""One thread, so that the same sums come to the same bits."""

import importlib.util
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("interrupted_run.py")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def interrupted_run():
    """The module of the training that may be killed; ``interrupted_run.__file__`` is the script."""
    spec = importlib.util.spec_from_file_location("interrupted_run", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
