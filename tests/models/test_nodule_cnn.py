"""The seed network and the pooled one: their weights, their input, and their twins."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from medlearn.models import nodule_cnn, nodule_cnn_torch


@pytest.fixture
def rng():
    return np.random.default_rng(6)


def randomize(network, rng):
    """Give every weight of a Keras network a value of its own, of a size that does not saturate the output."""
    for weight in network.weights:
        inputs = max(np.prod(weight.shape[:-1]), 9)
        weight.assign(rng.normal(0, 1 / np.sqrt(inputs), weight.shape))
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
    return network


def both_outputs(network, twin, images_hu):
    with torch.no_grad():
        expected = network(torch.from_numpy(nodule_cnn.to_input(images_hu))).numpy()[:, 0]
        logits = twin.eval()(torch.from_numpy(nodule_cnn.to_input(images_hu, layout="NCHW")))
    return torch.sigmoid(logits).numpy(), expected


def test_seed_cnn_has_the_layers_of_the_issue():
    network = nodule_cnn.seed_cnn(size=64)
    assert [type(layer).__name__ for layer in network.layers] == [
        "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dense",
    ]  # fmt: skip
    settings = [layer.get_config() for layer in network.layers]
    assert [(s["filters"], s["kernel_size"], s["activation"], s["padding"]) for s in (settings[0], settings[2])] == [
        (32, (3, 3), "relu", "valid"),
        (64, (3, 3), "relu", "valid"),
    ]
    assert settings[1]["pool_size"] == settings[3]["pool_size"] == (2, 2)
    assert [(s["units"], s["activation"]) for s in settings[5:]] == [(128, "relu"), (1, "sigmoid")]
    assert network.input_shape == (None, 64, 64, 1) and network.output_shape == (None, 1)


def test_seed_cnn_has_thirty_one_million_weights():
    # Conv 3 * 3 * 1 * 32 + 32 = 320. 256 -> 254 -> 127. Conv 3 * 3 * 32 * 64 + 64 = 18,496. 127 -> 125 -> 62.
    # Flatten: 62 * 62 * 64 = 246,016. Dense 246,016 * 128 + 128 = 31,490,176. Dense 128 + 1 = 129.
    counts = [layer.count_params() for layer in nodule_cnn.seed_cnn(size=256).layers if layer.count_params()]
    assert counts == [320, 18_496, 31_490_176, 129] and sum(counts) == 31_509_121
    twin = nodule_cnn_torch.SeedCNN(size=256)
    assert sum(weight.numel() for weight in twin.parameters()) == 31_509_121


@pytest.mark.parametrize("normalized", [False, True])
def test_pooled_cnn_has_few_weights(normalized):
    # 3 * 3 * 1 * 16 + 16 = 160; 3 * 3 * 16 * 32 + 32 = 4,640; 3 * 3 * 32 * 64 + 64 = 18,496; 64 + 1 = 65: 23,361.
    # Normalised: 112 biases less, and a scale and a shift for each of the 112 channels: 23,473 that learn.
    network = nodule_cnn.pooled_cnn(size=64, batch_normalization=normalized)
    expected = 23_473 if normalized else 23_361
    assert sum(np.prod(weight.shape) for weight in network.trainable_weights) == expected
    twin = nodule_cnn_torch.PooledCNN(size=64, batch_normalization=normalized)
    assert sum(weight.numel() for weight in twin.parameters()) == expected


@pytest.mark.parametrize("size", [10, 23, 50, 64])
def test_seed_twin_gives_equal_outputs(size, rng):
    network = randomize(nodule_cnn.seed_cnn(size), rng)
    twin = nodule_cnn_torch.copy_weights(network, nodule_cnn_torch.SeedCNN(size))
    got, expected = both_outputs(network, twin, rng.uniform(-1200, 600, (6, size, size)))
    assert expected.std() > 1e-3
    np.testing.assert_allclose(got, expected, atol=2e-6)


@pytest.mark.parametrize("size", [4, 23, 64])
@pytest.mark.parametrize("normalized", [False, True])
def test_pooled_twin_gives_equal_outputs(size, normalized, rng):
    options = {"channels": (4, 7, 5), "batch_normalization": normalized, "dropout": 0.5}
    network = randomize(nodule_cnn.pooled_cnn(size, **options), rng)
    twin = nodule_cnn_torch.copy_weights(network, nodule_cnn_torch.PooledCNN(size, **options))
    images_hu = rng.uniform(-1200, 600, (6, 1, 1)) + rng.normal(0, 100, (6, size, size))  # no two of one mean
    got, expected = both_outputs(network, twin, images_hu)
    assert expected.std() > 1e-4
    np.testing.assert_allclose(got, expected, atol=2e-6)


def test_fresh_twin_is_drawn_as_keras_draws():
    # Glorot: uniform up to sqrt(6 / (in + out)): first convolution sqrt(6 / (9 + 288)) = 0.142, and no bias.
    twin = nodule_cnn_torch.SeedCNN(size=64)
    first, dense = twin.layers[0], twin.layers[7]
    assert 0.13 < first.weight.abs().max() <= np.sqrt(6 / 297)
    assert dense.weight.std().item() == pytest.approx(np.sqrt(2 / (12_544 + 128)), rel=0.01)
    assert not any(layer.bias.any() for layer in (first, dense))


def test_copy_weights_refuses_another_network_and_leaves_it_alone():
    twin = nodule_cnn_torch.SeedCNN(size=32)
    before = {name: value.clone() for name, value in twin.state_dict().items()}
    with pytest.raises(
        ValueError, match=r"the networks are no twins: Keras has layers with .*Build both with the same"
    ):
        nodule_cnn_torch.copy_weights(nodule_cnn.seed_cnn(size=36), twin)
    assert all(torch.equal(before[name], value) for name, value in twin.state_dict().items())


def test_copy_weights_refuses_a_layer_that_it_does_not_know():
    import keras

    network = keras.Sequential([keras.layers.Input((8, 8, 1)), keras.layers.DepthwiseConv2D(3)])
    with pytest.raises(ValueError, match="knows no layer DepthwiseConv2D; it copies Conv2D"):
        nodule_cnn_torch.copy_weights(network, nn.Conv2d(1, 1, 3))


@pytest.mark.parametrize("module", [nodule_cnn.pooled_cnn, nodule_cnn_torch.PooledCNN])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ()}, r"channels must be one positive number or more, got \(\)"),
        ({"channels": (8, 0)}, "channels must be one positive number or more"),
        ({"size": 3}, "size must be 4 or more for 3 convolutions, got 3"),
        ({"dropout": 1.0}, "dropout must be from 0 up to but not including 1, got 1.0"),
    ],
)
def test_pooled_refuses(module, options, message):
    with pytest.raises(ValueError, match=message):
        module(**options)


@pytest.mark.parametrize("module", [nodule_cnn.seed_cnn, nodule_cnn_torch.SeedCNN])
def test_seed_refuses_a_small_size(module):
    with pytest.raises(ValueError, match="size must be 10 or more, got 9"):
        module(size=9)


def test_to_input_maps_the_window_and_adds_the_channel():
    # (-1000 + 1000) / 1400 = 0, (-650 + 1000) / 1400 = 0.25, (400 + 1000) / 1400 = 1; outside is cut off.
    images_hu = np.array([[[-3000, -1000, -650], [400, 3000, -300]]])
    last, second = nodule_cnn.to_input(images_hu), nodule_cnn.to_input(images_hu, layout="NCHW")
    assert last.shape == (1, 2, 3, 1) and second.shape == (1, 1, 2, 3)
    np.testing.assert_array_equal(last[0, :, :, 0], [[0, 0, 0.25], [1, 1, 0.5]])
    np.testing.assert_array_equal(second[0, 0], last[0, :, :, 0])
    assert last.dtype == second.dtype == np.float32


@pytest.mark.parametrize(
    ("images_hu", "layout", "message"),
    [
        (np.zeros((5, 5)), "NHWC", r"must have the shape \(n, height, width\), got \(5, 5\). One patch alone"),
        (np.zeros((2, 5, 5, 1)), "NHWC", "A channel axis is added here: leave it out"),
        (np.full((1, 2, 2), np.nan), "NHWC", "holds 4 values that are NaN or infinite"),
        (np.full((1, 2, 2), np.inf), "NCHW", "holds 4 values that are NaN or infinite"),
        (np.zeros((2, 5, 5)), "CHW", "layout must be 'NHWC' .* got 'CHW'"),
    ],
)
def test_to_input_refuses(images_hu, layout, message):
    with pytest.raises(ValueError, match=message):
        nodule_cnn.to_input(images_hu, layout=layout)


def test_importing_the_package_loads_no_framework():
    code = "import sys, medlearn.models\nfrom medlearn.models import nodule_cnn\n"
    code += "sys.exit(bool({'torch', 'keras'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
