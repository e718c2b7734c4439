"""Weights in files: there and back, and files that do not fit."""

import os
import pickle

import pytest
import torch

from medlearn.models.nodule_cnn_torch import PooledCNN, load, save


@pytest.fixture
def network():
    network = PooledCNN(16, channels=(3, 5), batch_normalization=True)
    network.train()(torch.rand(8, 1, 16, 16))  # moves the running means
    return network.eval()


def test_load_brings_back_what_save_wrote(network, tmp_path):
    save(network.to(memory_format=torch.channels_last), tmp_path / "net.safetensors")
    other = load(PooledCNN(16, channels=(3, 5), batch_normalization=True), tmp_path / "net.safetensors").eval()
    patches = torch.rand(4, 1, 16, 16)
    torch.testing.assert_close(other(patches), network(patches))
    assert other.layers[1].running_mean.abs().sum() > 0
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in network.state_dict().items())


def test_save_replaces_a_file(network, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"something else")
    save(network, path)
    load(PooledCNN(16, channels=(3, 5), batch_normalization=True), path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": (3, 6)}, r"layers.4.weight has the shape \(5, 3, 3, 3\) in the file, \(6, 3, 3, 3\) in the net"),
        ({"channels": (3,)}, r"holds PooledCNN, which does not fit this PooledCNN: layers.6.weight has the shape mis"),
        ({"channels": (3, 5), "batch_normalization": False}, r"layers.0.bias has the shape missing in the file"),
    ],
)
def test_load_refuses_another_architecture_and_leaves_it_alone(network, tmp_path, options, message):
    save(network, tmp_path / "net.safetensors")
    other = PooledCNN(16, **{"batch_normalization": True} | options)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load(other, tmp_path / "net.safetensors")
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


@pytest.mark.parametrize("kept", [0, 5, 0.5, 0.999])
def test_load_refuses_a_truncated_file(network, tmp_path, kept):
    path = tmp_path / "net.safetensors"
    save(network, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match=r"bytes\) is no whole safetensors file: .*Perhaps it is truncated"):
        load(network, path)


def test_load_runs_nothing_that_a_pickle_brings(network, tmp_path):
    class Opener:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "net.safetensors").write_bytes(pickle.dumps(Opener()))
    with pytest.raises(ValueError, match="is no whole safetensors file"):
        load(network, tmp_path / "net.safetensors")
    assert not (tmp_path / "ran").exists()


def test_load_without_a_file(network, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none.safetensors; save\(model, path\) writes one"):
        load(network, tmp_path / "none.safetensors")


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_others_may_read_the_file_as_the_umask_says(tmp_path):
    before = os.umask(0o022)
    try:
        save(torch.nn.Linear(2, 1), tmp_path / "line.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "line.safetensors").stat().st_mode & 0o777 == 0o644
