"""medlearn.runtime: the device, the seeds, the Keras backend, and an import that loads no framework."""

import json
import os
import random
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from medlearn import runtime


def run_python(code, **environment):
    """Run code in a new Python and return the JSON that it prints."""
    outer = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    result = subprocess.run(
        [sys.executable, "-c", code], env=outer | environment, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def no_accelerator(monkeypatch):
    monkeypatch.delenv("MEDLEARN_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def no_keras(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)


def keras_on(backend):
    """Stand in for a Keras that was imported on a backend."""
    return types.SimpleNamespace(backend=types.SimpleNamespace(backend=lambda: backend))


def test_import_medlearn_loads_nothing_but_the_standard_library():
    code = """
import json, sys
before = set(sys.modules)
import medlearn
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
    assert set(run_python(code)) - sys.stdlib_module_names == {"medlearn"}


def test_import_runtime_loads_nothing_but_the_standard_library():
    code = """
import json, sys
before = set(sys.modules)
import medlearn.runtime
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
    assert set(run_python(code)) - sys.stdlib_module_names == {"medlearn"}


def test_pick_device_without_an_accelerator(no_accelerator):
    assert runtime.pick_device() == torch.device("cpu")


def test_pick_device_prefers_cuda_to_mps(no_accelerator, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert runtime.pick_device() == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert runtime.pick_device() == torch.device("cuda")


@pytest.mark.parametrize("name, device", [("cpu", "cpu"), (" CUDA ", "cuda"), ("cuda:1", "cuda:1"), ("", "cuda")])
def test_pick_device_obeys_the_environment(no_accelerator, monkeypatch, name, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("MEDLEARN_DEVICE", name)
    assert runtime.pick_device() == torch.device(device)


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "mps:0", "xla"])
def test_pick_device_refuses_an_unknown_device(no_accelerator, monkeypatch, name):
    monkeypatch.setenv("MEDLEARN_DEVICE", name)
    with pytest.raises(ValueError, match=f"MEDLEARN_DEVICE is '{name}', expected cpu, .* unset it"):
        runtime.pick_device()


@pytest.mark.parametrize("name, count", [("cuda", 0), ("mps", 0), ("cuda:3", 3)])
def test_pick_device_refuses_an_absent_device(no_accelerator, monkeypatch, name, count):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3 if name == "cuda:3" else 0)
    monkeypatch.setenv("MEDLEARN_DEVICE", name)
    with pytest.raises(ValueError, match=f"asks for '{name}', but .* finds {count} .* Unset MEDLEARN_DEVICE"):
        runtime.pick_device()


def test_device_line_is_one_line_with_device_threads_and_versions(no_accelerator, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    line = runtime.device_line()
    assert "\n" not in line
    assert line.startswith(f"Device: cpu (5 threads) · PyTorch {torch.__version__} · Keras 3.")
    assert "PROBLEM" not in line


def test_device_line_names_the_graphics_card(no_accelerator, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Example GPU")
    assert runtime.device_line().startswith("Device: cuda (Example GPU) · ")


def test_device_line_says_one_thread(no_accelerator, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert runtime.device_line().startswith("Device: cpu (1 thread) · ")


def test_device_line_tells_of_a_wrong_keras_backend(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", keras_on("jax"))
    line = runtime.device_line()
    assert "on jax" in line and "PROBLEM: Keras was imported before medlearn" in line and "\n" not in line


def test_seed_everything_repeats_every_generator():
    def draw():
        rng = runtime.seed_everything(7)
        return rng.random(), random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002

    first = draw()
    assert draw() == first
    assert len(set(first)) == 4
    assert first[0] == np.random.default_rng(7).random()
    assert first[3] == torch.rand(1, generator=torch.Generator().manual_seed(7)).item()


def test_seed_everything_takes_a_numpy_integer():
    assert runtime.seed_everything(np.int64(3)).random() == np.random.default_rng(3).random()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "7", None, True])
def test_seed_everything_refuses_what_is_not_a_seed(seed):
    with pytest.raises(ValueError, match=r"seed must be an integer from 0 to 4294967295, got .*; use such as 2026"):
        runtime.seed_everything(seed)


def test_seed_everything_seeds_keras_that_is_imported_later_or_is_loaded():
    code = """
import json
from medlearn import runtime
runtime.seed_everything(11)
import keras
def draw():
    return keras.ops.convert_to_numpy(keras.random.normal((2,))).tolist()
draws = [draw()]
for _ in range(2):
    runtime.seed_everything(11)
    draws.append(draw())
print(json.dumps([*draws, draw()]))
"""
    _, loaded, again, unseeded = first_run = run_python(code)
    assert run_python(code) == first_run
    assert loaded == again
    assert unseeded != loaded


def test_keras_backend_problem_is_none_on_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", keras_on("torch"))
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # set too late: the Keras that is loaded counts
    assert runtime.keras_backend_problem() is None


def test_keras_backend_problem_when_keras_came_first(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", keras_on("tensorflow"))
    problem = runtime.keras_backend_problem()
    assert "imported before medlearn, on the backend 'tensorflow'" in problem
    assert "Restart the kernel and run the setup cell first" in problem


def test_keras_backend_problem_when_the_environment_says_otherwise(no_keras, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    problem = runtime.keras_backend_problem()
    assert "KERAS_BACKEND is 'jax'" in problem
    assert "os.environ['KERAS_BACKEND'] = 'torch'" in problem


def test_keras_backend_problem_when_the_variable_is_gone(no_keras, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND")
    assert "KERAS_BACKEND is 'tensorflow'" in runtime.keras_backend_problem()


def test_import_medlearn_keeps_a_backend_that_was_set_before_and_reports_it():
    code = "import json, medlearn.runtime as r; print(json.dumps(r.keras_backend_problem()))"
    assert "KERAS_BACKEND is 'numpy'" in run_python(code, KERAS_BACKEND="numpy")
    assert run_python(code) is None


def test_import_medlearn_warns_where_keras_came_first_on_another_backend():
    code = """
import json, sys, types, warnings
backend = types.SimpleNamespace(backend=lambda: sys.argv[1])
sys.modules["keras"] = types.SimpleNamespace(backend=backend)
with warnings.catch_warnings(record=True) as caught:
    import medlearn
print(json.dumps([str(warning.message) for warning in caught]))
"""
    (message,) = run_python(code.replace("sys.argv[1]", "'jax'"))
    assert "on the backend 'jax'" in message and "Restart the kernel" in message
    assert run_python(code.replace("sys.argv[1]", "'torch'")) == []
