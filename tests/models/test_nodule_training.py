"""The recipe: equal for equal seeds, symmetric answers, random changes of patches, and the network behind it."""

import numpy as np
import pytest
import torch
from torch import nn

from medlearn.models.nodule_augmentation import Augmentation, augment, symmetries
from medlearn.models.nodule_cnn_torch import NoduleNet, PooledCNN, load, save
from medlearn.models.nodule_training import predict, train

NOTHING = {"turn_degrees": 0, "mirror": False, "shift_pixels": 0, "zoom": 0, "contrast": 0, "brightness": 0}


def blobs(count=60, size=16, seed=0):
    """Return noise with a bright middle in every second patch."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images_hu = rng.normal(-800, 100, (count, size, size))
    images_hu[labels == 1, size // 2 - 2 : size // 2 + 2, size // 2 - 2 : size // 2 + 2] += 500
    return images_hu, labels


def fresh(seed=0, **options):
    torch.manual_seed(seed)
    return NoduleNet(16, channels=(4, 8), **options)


def trained(seed=0, **options):
    network = fresh(dropout=0)
    losses = train(network, *blobs(), num_epochs=4, batch_size=16, seed=seed, progress=False, **options)
    return network, losses


def changed(patches, **amounts):
    generator = torch.Generator().manual_seed(3)
    return augment(patches, Augmentation(**NOTHING | amounts), generator=generator)


def test_nodule_net_has_the_weights_counted_by_hand():
    # 5*5*1*16 + 2*16 = 432; 3*3*16*16 + 32 = 2,336; 3*3*16*32 + 64 = 4,672; 3*3*32*32 + 64 = 9,280;
    # 3*3*32*64 + 128 = 18,560; 3*3*64*64 + 128 = 36,992; 50 -> 25 -> 12 -> 6: 6*6*64 = 2,304 places; 64 + 1 = 65.
    network = NoduleNet(size=50)
    assert sum(weight.numel() for weight in network.parameters()) == 74_641
    assert network.place_weights.shape == (64, 6, 6)
    assert NoduleNet(size=64).place_weights.shape == (64, 8, 8)


def test_nodule_net_without_its_options_has_fewer_weights():
    # Each of the 16 + 16 + 32 + 32 + 64 + 64 = 224 channels has a bias where it had a scale and a shift: 224 less.
    plain = NoduleNet(size=50, batch_normalization=False, place_weights=False)
    assert sum(weight.numel() for weight in plain.parameters()) == 74_641 - 2_304 - 224
    assert not [layer for layer in plain.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert plain(torch.rand(2, 1, 64, 50)).shape == (2,)  # any size: nothing depends on it


def test_fresh_nodule_net_pools_all_places_alike():
    network = NoduleNet(size=16, channels=(4, 8)).eval()
    patches = torch.rand(3, 1, 16, 16)
    pooled = network.stages(patches).mean(dim=(2, 3))
    torch.testing.assert_close(network(patches), network.output(pooled)[:, 0])


def test_train_learns_to_tell_the_bright_middle():
    network, losses = trained(augmentation=Augmentation())
    assert not network.training
    images_hu, labels = blobs(seed=1)
    probability = predict(network, images_hu)
    assert losses.shape == (4,) and losses[-1] < losses[0]
    assert probability[labels == 1].min() > probability[labels == 0].max()


def test_train_is_the_same_for_one_seed_and_another_for_another():
    first, again, other = (trained(seed, augmentation=Augmentation())[0] for seed in (5, 5, 6))
    images_hu, _ = blobs(seed=1)
    np.testing.assert_array_equal(predict(first, images_hu), predict(again, images_hu))
    assert np.abs(predict(first, images_hu) - predict(other, images_hu)).max() > 1e-4


def test_train_draws_dropout_from_the_seed_and_leaves_the_global_state_alone():
    torch.manual_seed(8)
    expected = torch.rand(3)
    found = []
    for before in (1, 2):
        network = fresh(dropout=0.5)
        torch.manual_seed(before)
        train(network, *blobs(), num_epochs=1, progress=False)
        found.append(predict(network, blobs()[0]))
    np.testing.assert_array_equal(*found)
    network = fresh()
    torch.manual_seed(8)
    train(network, *blobs(), num_epochs=1, progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_train_without_augmentation_shows_each_patch_once_an_epoch_and_as_it_is():
    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.seen = nn.Parameter(torch.ones(1)), []

        def forward(self, patches):
            self.seen.append(patches.detach().clone())
            return patches.mean(dim=(1, 2, 3)) * self.scale

    recorder, images_hu = Recorder(), np.linspace(-1000, 400, 10)[:, None, None] * np.ones((1, 4, 4))
    losses = train(recorder, images_hu, [0, 1] * 5, num_epochs=2, batch_size=3, learning_rate=1e-9, progress=False)
    # Logit z = 0, 1/9 ... 1 and label y cost log(1 + exp(z)) - y z each; the rate is too small to change the scale.
    logits = np.linspace(0, 1, 10)
    np.testing.assert_allclose(losses, np.mean(np.log1p(np.exp(logits)) - np.array([0, 1] * 5) * logits), rtol=1e-5)
    assert [len(batch) for batch in recorder.seen] == [4, 3, 3] * 2  # 10 patches in 10 // 3 batches
    for epoch in (recorder.seen[:3], recorder.seen[3:]):
        values = torch.cat(epoch)[:, 0, 0, 0]
        np.testing.assert_allclose(np.sort(values), np.linspace(0, 1, 10), atol=1e-6)
    assert not torch.equal(torch.cat(recorder.seen[:3]), torch.cat(recorder.seen[3:]))


@pytest.mark.parametrize(("schedule", "expected"), [("cosine", 1e-7), ("constant", 0.01)])
def test_train_lets_the_rate_fall_along_a_cosine(schedule, expected, monkeypatch):
    rates = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *a, **k: (rates.append(self.param_groups[0]["lr"]), step(self, *a, **k))
    )
    options = {"num_epochs": 40, "batch_size": 30, "learning_rate": 0.01, "schedule": schedule}
    train(fresh(), *blobs(), progress=False, **options)
    # 80 steps, of which 12 rise: 1/12, 2/12 ... of 0.01; the middle of the rest, step 12 + 34, has half of it.
    assert len(rates) == 80 and max(rates) == pytest.approx(0.01)
    if schedule == "cosine":
        assert rates[:2] == pytest.approx([0.01 / 12, 0.02 / 12]) and rates[46] == pytest.approx(0.005)
        assert 0 < rates[-1] < 1e-5
    else:
        assert min(rates) == expected


def test_weight_decay_spares_biases_and_normalisation(monkeypatch):
    groups = []
    init = torch.optim.AdamW.__init__
    monkeypatch.setattr(torch.optim.AdamW, "__init__", lambda self, g, **k: (groups.extend(g), init(self, g, **k))[1])
    network = fresh()
    train(network, *blobs(), num_epochs=1, weight_decay=0.3, progress=False)
    decays = {id(value): group["weight_decay"] for group in groups for value in group["params"]}
    found = {name: decays[id(value)] for name, value in network.named_parameters()}
    assert found["stages.0.0.weight"] == found["output.weight"] == found["place_weights"] == 0.3
    assert found["stages.0.1.weight"] == found["stages.0.1.bias"] == found["output.bias"] == 0


def test_symmetric_answers_are_those_of_the_turned_and_mirrored_patches():
    network, _ = trained()
    images_hu, _ = blobs(seed=2)
    images_hu[:, :3, :5] = 300  # a corner, so that no patch is symmetric itself
    expected = predict(network, images_hu)
    for turned in (np.rot90(images_hu, 1, (1, 2)), images_hu[:, ::-1], images_hu.transpose(0, 2, 1)):
        np.testing.assert_allclose(predict(network, turned), expected, atol=1e-6)
        alone = predict(network, images_hu, symmetric=False)
        assert np.abs(predict(network, turned, symmetric=False) - alone).max() > 1e-3


def test_symmetric_answer_is_the_mean_of_eight_logits():
    network, _ = trained()
    images_hu, _ = blobs(count=4, seed=2)
    views = [np.rot90(i, k, (1, 2)) for i in (images_hu, images_hu[:, :, ::-1]) for k in range(4)]
    alone = np.array([predict(network, view, symmetric=False) for view in views])
    logit = np.log(alone / (1 - alone)).mean(axis=0)
    np.testing.assert_allclose(predict(network, images_hu), 1 / (1 + np.exp(-logit)), atol=1e-6)


def test_predict_does_not_depend_on_the_batch_and_takes_none():
    network, _ = trained()
    images_hu, _ = blobs(count=11)
    np.testing.assert_allclose(predict(network, images_hu, batch_size=4), predict(network, images_hu), atol=1e-6)
    assert predict(network, np.zeros((0, 16, 16))).shape == (0,)


def test_trained_network_is_saved_and_loaded(tmp_path):
    network, _ = trained()
    save(network, tmp_path / "net.safetensors")
    again = load(fresh(seed=9), tmp_path / "net.safetensors")
    images_hu, _ = blobs(seed=1)
    np.testing.assert_allclose(predict(again, images_hu), predict(network, images_hu), atol=1e-6)


def test_symmetries_are_eight_different_views():
    views = symmetries(torch.arange(9.0).reshape(1, 1, 3, 3))
    assert len({tuple(view.flatten().tolist()) for view in views}) == 8
    assert all(view[0, 0, 1, 1] == 4 for view in views)


def test_augment_without_amounts_changes_nothing():
    patches = torch.rand(5, 1, 12, 14)
    torch.testing.assert_close(changed(patches), patches, atol=1e-5, rtol=0)


def test_augment_mirrors_about_half():
    patches = torch.rand(200, 1, 6, 6)
    after = changed(patches, mirror=True)
    same = (after - patches).abs().amax(dim=(1, 2, 3)) < 1e-4
    mirrored = (after - patches.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-4
    assert (same ^ mirrored).all() and 70 < same.sum() < 130


def test_augment_turns_about_the_middle():
    # A bright point right of the middle stays at its distance, and comes to every side.
    patches = torch.zeros(100, 1, 41, 41)
    patches[:, 0, 19:22, 27:30] = 1  # row 20 is the middle; column 28 is 8 to the right
    after = changed(patches, turn_degrees=180)[:, 0]
    grid = torch.arange(41.0) - 20
    mass = after.sum(dim=(1, 2))
    row, column = (after.sum(dim=2) @ grid) / mass, (after.sum(dim=1) @ grid) / mass
    np.testing.assert_allclose(torch.hypot(row, column), 8, atol=0.1)
    assert max(row.min(), column.min()) < -7 and min(row.max(), column.max()) > 7


def test_augment_shifts_by_pixels_along_both_axes():
    patches = torch.zeros(300, 1, 31, 21)
    patches[:, 0, 15, 10] = 1
    after = changed(patches, shift_pixels=3)[:, 0]
    rows = (after.sum(dim=2) @ (torch.arange(31.0) - 15)) / after.sum(dim=(1, 2))
    columns = (after.sum(dim=1) @ (torch.arange(21.0) - 10)) / after.sum(dim=(1, 2))
    for moved in (rows, columns):  # uniform from -3 to 3: standard deviation 3 / sqrt(3) = 1.73
        assert 2.7 < moved.abs().max() <= 3.01 and moved.std().item() == pytest.approx(1.73, abs=0.2)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.2


def test_augment_zooms_about_the_middle():
    patches = torch.zeros(200, 1, 41, 41)
    patches[:, 0, 12:29, 12:29] = 1  # 17 pixels wide
    width = changed(patches, zoom=0.2).sum(dim=(1, 2, 3)).sqrt()
    assert 17 / 1.2 - 0.3 < width.min() < 14.8 and 19.6 < width.max() < 17 * 1.2 + 0.3


def test_augment_changes_contrast_and_brightness_within_the_range():
    patches = torch.full((300, 1, 2, 2), 0.5)
    after = changed(patches, contrast=0.2, brightness=0.1)
    # 0.5 * (1 - 0.2) - 0.1 = 0.3; 0.5 * 1.2 + 0.1 = 0.7
    assert 0.3 <= after.min() < 0.33 and 0.67 < after.max() <= 0.7
    assert changed(torch.ones(50, 1, 2, 2), brightness=0.5).max() == 1


@pytest.mark.parametrize("name", ["turn_degrees", "shift_pixels", "zoom", "contrast", "brightness"])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_augmentation_refuses(name, value):
    with pytest.raises(ValueError, match=f"{name} must be 0 or more, got .*; 0 switches it off"):
        Augmentation(**{name: value})


@pytest.mark.parametrize(
    ("images_hu", "labels", "options", "message"),
    [
        (np.full((4, 16, 16), np.nan), [0, 1, 0, 1], {}, "holds 1024 values that are NaN or infinite"),
        (np.zeros((4, 16, 16, 1)), [0, 1, 0, 1], {}, r"must have the shape \(n, height, width\)"),
        (np.zeros((4, 16, 16)), [0, 1, 0], {}, r"labels must have the shape \(4,\), one for each patch, got \(3,\)"),
        (np.zeros((4, 16, 16)), [[0, 1, 0, 1]], {}, r"labels must have the shape \(4,\)"),
        (np.zeros((4, 16, 16)), [0, 1, 2, 1], {}, "labels must be 0 or 1"),
        (np.zeros((4, 16, 16)), [0, 1, np.nan, 1], {}, "labels must be 0 or 1"),
        (np.zeros((4, 16, 16)), [1, 1, 1, 1], {}, "labels must hold both 0 and 1, got 4 patches of one class"),
        (np.zeros((0, 16, 16)), [], {}, "labels must hold both 0 and 1, got 0 patches"),
        (np.zeros((4, 16, 16)), [0, 1, 0, 1], {"num_epochs": 0}, "num_epochs must be positive, got 0"),
        (np.zeros((4, 16, 16)), [0, 1, 0, 1], {"batch_size": 0}, "batch_size must be positive, got 0"),
        (np.zeros((4, 16, 16)), [0, 1, 0, 1], {"learning_rate": -1}, "learning_rate must be positive, got -1"),
        (np.zeros((4, 16, 16)), [0, 1, 0, 1], {"schedule": "step"}, "schedule must be one of .*cosine.*got 'step'"),
    ],
)
def test_train_refuses(images_hu, labels, options, message):
    with pytest.raises(ValueError, match=message):
        train(fresh(), images_hu, labels, progress=False, **options)


@pytest.mark.parametrize(
    ("images_hu", "message"),
    [
        (np.full((1, 16, 16), np.nan), "holds 256 values that are NaN or infinite"),
        (np.zeros((16, 16)), "One patch alone"),
        (np.zeros((2, 16, 12)), r"must be square for symmetric=True, got \(16, 12\); pass symmetric=False"),
    ],
)
def test_predict_refuses(images_hu, message):
    with pytest.raises(ValueError, match=message):
        predict(PooledCNN(), images_hu)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ()}, "channels must be one positive number or more"),
        ({"channels": (4, 0)}, "channels must be one positive number or more"),
        ({"size": 6}, "size 6 is too small for 3 stages"),
        ({"dropout": 1}, "dropout must be from 0 up to"),
    ],
)
def test_nodule_net_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        NoduleNet(**options)
