"""The recipe for conditional generators, and the generator that comes with the library, on unseen patients."""

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from medlearn import data, metrics
from medlearn.models import gan, nodule_features, nodule_training
from medlearn.models.derive import gan_generator as derive
from medlearn.models.gan_conditional import CHANNELS, WEIGHTS, turned
from medlearn.models.nodule_augmentation import symmetries
from medlearn.models.weights import load

TINY = {"num_steps": 2, "progress": False, "device": "cpu"}


def _few(count=8):
    images = np.random.default_rng(0).uniform(-1000, 400, (count, 40, 40))
    return images, np.arange(count) % 2, np.where(np.arange(count) % 2, 9.0, np.nan)


def _weights(model):
    return torch.cat([value.flatten().float() for value in model.state_dict().values()])


def test_recipe_by_seed():
    first, again, other = (gan.train_conditional(*_few(), seed=seed, **TINY) for seed in (3, 3, 4))
    assert torch.equal(_weights(first.averaged), _weights(again.averaged))
    assert not torch.allclose(_weights(first.averaged), _weights(other.averaged), atol=1e-5)


def test_recipe_has_what_it_says():
    images, labels, _ = _few()
    run = gan.train_conditional(images, labels, watch_every=1, distance=lambda made: float(len(made)), **TINY)
    assert run.generator.conditions == run.critic.conditions == 2
    assert not hasattr(run.critic.output, "parametrizations")
    assert run.distances.tolist() == [512, 512]
    assert run.frames.shape == (2, 64, 32, 32)


def test_turned_gives_each_of_the_eight_symmetries_as_often():
    image = torch.rand(1, 1, 3, 3)
    found = turned(image.expand(4000, -1, -1, -1), torch.Generator().manual_seed(0))
    matches = torch.stack([(found == view).all(dim=(1, 2, 3)) for view in symmetries(image)])
    assert (matches.sum(dim=0) == 1).all()
    assert stats.chisquare(matches.sum(dim=1).numpy()).pvalue > 1e-3  # of 500 expected each


def test_recipe_refuses_what_it_cannot_take():
    images, labels, diameters = _few()
    with pytest.raises(ValueError, match="32 pixels or more each"):
        gan.train_conditional(images[:, :20], labels, diameters)
    with pytest.raises(ValueError, match="there are 8 labels, but diameters_mm has the shape"):
        gan.train_conditional(images, labels, diameters[:5])
    with pytest.raises(ValueError, match="there are 8 images and 6 conditions"):
        gan.train_conditional(images, labels[:6])


def test_shipped_generator_is_small_and_half():
    assert WEIGHTS.stat().st_size <= 400_000
    stored = load(gan.Generator(conditions=2, channels=CHANNELS).half(), WEIGHTS)
    assert stored.project.weight.dtype == torch.float16
    assert not gan.load_generator().training


@pytest.fixture(scope="module")
def unseen():
    return data.load_nodule_patches(25, patches_per_patient=12, prevalence=0.5, seed=1000)


def test_shipped_generator_is_nearer_to_unseen_patients_than_noise_and_than_blur(unseen):
    images = gan.middle(unseen.images_hu).clip(-1000, 400)
    made = gan.make_patches(gan.load_generator(), gan.conditions(unseen.labels, unseen.diameters_mm))
    blurred = ndimage.gaussian_filter(images, (0, 1.5, 1.5))
    noise = np.random.default_rng(0).uniform(-1000, 400, images.shape)
    features = [nodule_features.features(some) for some in (images, made, blurred, noise)]
    ours, *others = (metrics.frechet_distance(features[0], some) for some in features[1:])
    assert ours < 3
    assert all(ours < other / 3 for other in others)
    assert made.std(axis=0).mean() > 0.9 * images.std(axis=0).mean()  # they are not all alike
    grain = [np.abs(np.diff(some, axis=2)).mean() for some in (made, images)]
    assert grain[0] == pytest.approx(grain[1], rel=0.2)  # which the features hardly see


def test_shipped_generator_obeys_the_label(unseen):
    made = gan.make_patches(gan.load_generator(), gan.conditions(unseen.labels, unseen.diameters_mm))
    ruler = nodule_features.load_feature_net()
    of_made, of_patients = (
        metrics.auc_score(unseen.labels, nodule_training.predict(ruler, images, symmetric=False)).value
        for images in (made, unseen.images_hu[:, 16:48, 16:48])
    )
    assert abs(of_made - of_patients) < 0.08


def test_shipped_generator_makes_larger_nodules_when_asked():
    asked = np.repeat([5.0, 10.0, 20.0], 60)
    made = gan.make_patches(gan.load_generator(), gan.conditions(np.ones(180), asked), seed=1)
    bright = (made > -500).mean(axis=(1, 2)).reshape(3, 60).mean(axis=1)
    assert bright[0] < bright[1] < bright[2]
    middles = made[:, 12:20, 12:20].mean(axis=(1, 2)).reshape(3, 60).mean(axis=1)
    none = gan.make_patches(gan.load_generator(), gan.conditions(np.zeros(60)), seed=1)[:, 12:20, 12:20].mean()
    assert none < middles[1] < middles[2]


def test_derive_writes_weights_that_load(tmp_path, capsys):
    path = tmp_path / "generator.safetensors"
    derive.main(["--patients", "4", "--steps", "1", "--path", str(path)])
    load(gan.Generator(conditions=2, channels=CHANNELS).half(), path)
    assert "made: all" in capsys.readouterr().out
