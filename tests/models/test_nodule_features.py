"""The ruler: its features are what the last layer judges from; its weights; what it tells apart."""

import numpy as np
import pytest
import torch

from medlearn import data
from medlearn.models import gan, nodule_features
from medlearn.models.derive import nodule_features as derive
from medlearn.models.nodule_cnn import to_input
from medlearn.models.nodule_net import NoduleNet
from medlearn.models.weights import load


def _patches(num_patients=4, *, seed=1000):
    """Return patches of patients that no shipped network was trained on."""
    patches = data.load_nodule_patches(num_patients, patches_per_patient=6, prevalence=0.5, seed=seed)
    return gan.middle(patches.images_hu), patches.labels


def test_features_are_what_the_last_layer_judges_from():
    images, _ = _patches(2)
    network = nodule_features.load_feature_net()
    found = nodule_features.features(images)
    logits = network(torch.from_numpy(to_input(images, layout="NCHW"))).detach().numpy()
    weights, bias = (value.detach().numpy() for value in (network.output.weight[0], network.output.bias))
    assert found.shape == (12, nodule_features.NUM_FEATURES)
    assert found.dtype == np.float64
    assert found @ weights + bias == pytest.approx(logits, abs=1e-3)


def test_features_tell_nodules_from_the_rest_in_unseen_patients():
    images, labels = _patches(8)
    network = nodule_features.load_feature_net()
    scores = nodule_features.features(images) @ network.output.weight[0].detach().numpy()
    pairs = scores[labels == 1][:, None] > scores[labels == 0][None]  # their share is the AUC
    assert pairs.mean() > 0.85


def test_features_do_not_depend_on_the_batch():
    images, _ = _patches(2)
    expected = nodule_features.features(images)
    assert nodule_features.features(images, batch_size=5) == pytest.approx(expected, abs=1e-4)
    assert nodule_features.features(images[3:4]) == pytest.approx(expected[3:4], abs=1e-4)
    assert nodule_features.features(np.clip(images, -1000, 400)) == pytest.approx(expected)


def test_another_network_is_another_ruler():
    images, _ = _patches(1)
    torch.manual_seed(0)
    other = NoduleNet(32).train()
    assert not np.allclose(nodule_features.features(images, network=other), nodule_features.features(images))
    assert not other.training


def test_features_refuse_other_sizes():
    with pytest.raises(ValueError, match=r"shape \(n, 32, 32\), got \(3, 64, 64\); gan.middle cuts larger patches"):
        nodule_features.features(np.zeros((3, 64, 64)))
    with pytest.raises(ValueError, match="NaN"):
        nodule_features.features(np.full((3, 32, 32), np.nan))


def test_weights_are_small_and_half():
    assert nodule_features.WEIGHTS.stat().st_size < 200_000
    stored = load(NoduleNet(32).half(), nodule_features.WEIGHTS)
    assert stored.output.weight.dtype == torch.float16


def test_derive_writes_weights_that_load(tmp_path, capsys):
    path = tmp_path / "ruler.safetensors"
    derive.main(["--patients", "1", "--epochs", "1", "--path", str(path)])
    network = load(NoduleNet(32).half(), path).float()
    assert nodule_features.features(np.full((2, 32, 32), -850.0), network=network).shape == (2, 64)
    assert "12 patches" in capsys.readouterr().out
