"""The game: seeds, what a step may change, conditions, the moving average by hand, frames; made patches."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from medlearn.models import gan


def _images(count=24, *, seed=0):
    return torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def _networks(**options):
    torch.manual_seed(0)
    return {"generator": gan.Generator(channels=4, **options), "critic": gan.Critic(channels=4, **options)}


def _train(*, seed=0, **options):
    options = {"num_steps": 3, "batch_size": 8, "progress": False, "device": "cpu", **_networks()} | options
    return gan.train(_images(), seed=seed, **options)


def _weights(model):
    return torch.cat([value.flatten().float() for value in model.state_dict().values()])


@pytest.mark.parametrize("kind", ["saturating", "non-saturating", "hinge", "wasserstein"])
def test_train_with_every_kind_changes_both_networks(kind):
    before = _networks()
    run = _train(kind=kind, penalty=10.0 if kind == "wasserstein" else 0.0, critic_steps=2)
    assert not torch.equal(_weights(run.generator), _weights(before["generator"]))
    assert not torch.equal(_weights(run.critic), _weights(before["critic"]))
    assert np.isfinite([*run.history["critic_loss"], *run.history["generator_loss"]]).all()
    assert run.history["steps"].tolist() == [1, 2, 3]
    assert run.frames.shape == (0, 64, 0, 0)


def test_same_seed_same_networks_and_another_seed_others():
    first, again, other = (_train(penalty=1.0, seed=seed) for seed in (5, 5, 6))
    for name in ("generator", "averaged", "critic"):
        weights = [_weights(getattr(run, name)) for run in (first, again, other)]
        assert torch.equal(weights[0], weights[1])
        assert not torch.allclose(weights[0], weights[2], atol=1e-5)
    assert (first.history["critic_loss"] == again.history["critic_loss"]).all()


def test_train_leaves_the_global_generator_alone_and_draws_fresh_networks_by_seed():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    options = {"num_steps": 1, "batch_size": 2, "progress": False, "device": "cpu"}
    first, again, other = (gan.train(_images(), **options, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert first.generator.channels == first.critic.channels == 64
    assert torch.equal(_weights(first.generator), _weights(again.generator))
    assert not torch.allclose(_weights(first.generator), _weights(other.generator), atol=1e-5)


def test_a_step_of_one_player_does_not_change_the_other():
    networks, real, latent = _networks(), _images(6), torch.randn(6, 64)
    generator, critic = networks["generator"], networks["critic"]
    fresh = copy.deepcopy(networks)
    optimizers = {name: torch.optim.Adam(model.parameters(), lr=0.01) for name, model in networks.items()}
    gan.critic_step(generator, critic, optimizers["critic"], real, latent, kind="hinge", penalty=1.0)
    learned = dict(generator.named_parameters())
    assert all(torch.equal(value, learned[name]) for name, value in fresh["generator"].named_parameters())
    assert all(value.grad is None for value in generator.parameters())
    moved = copy.deepcopy(critic)
    gan.generator_step(generator, critic, optimizers["generator"], latent, kind="hinge")
    assert torch.equal(_weights(critic), _weights(moved))
    assert not torch.equal(_weights(critic), _weights(fresh["critic"]))
    assert not torch.equal(generator.project.weight, fresh["generator"].project.weight)
    assert all(value.requires_grad for value in critic.parameters())


def test_steps_make_their_own_loss_smaller():
    networks, real, latent = _networks(), _images(6), torch.randn(6, 64)
    optimizers = {name: torch.optim.SGD(model.parameters(), lr=0.01) for name, model in networks.items()}
    both = networks["generator"], networks["critic"]
    for step, optimizer, inputs in (
        (gan.critic_step, optimizers["critic"], (real, latent)),
        (gan.generator_step, optimizers["generator"], (latent,)),
    ):
        losses = [step(*both, optimizer, *inputs, kind="non-saturating") for _ in range(5)]
        assert losses[-1] < losses[0]


def test_two_time_scales():
    # A rate of 0 keeps a network as it is.
    before = _networks()
    still = [_train(learning_rates=rates) for rates in ((0.0, 1e-3), (1e-3, 0.0))]
    same = [
        {name: torch.equal(p, q) for (name, p), q in zip(a.named_parameters(), b.parameters(), strict=True)}
        for run in still
        for a, b in ((run.generator, before["generator"]), (run.critic, before["critic"]))
    ]
    assert all(same[0].values()) and not any(same[1].values())
    assert not any(same[2].values()) and all(same[3].values())


def test_conditions_are_those_of_the_training_images():
    # Images of -0.8 with the label 0 and of 0.8 with the label 1: a critic that sees a pair torn apart would notice.
    asked = gan.conditions([0, 1] * 12, [0, 9] * 12)
    images = (1.6 * asked[:, 0] - 0.8).reshape(-1, 1, 1, 1).expand(-1, 1, 32, 32)
    seen = []

    class Spy(gan.Critic):
        def forward(self, images, conditions=None):
            seen.append((images.detach().mean(dim=(1, 2, 3)), conditions))
            return super().forward(images, conditions)

    networks = {"generator": gan.Generator(channels=4, conditions=2), "critic": Spy(channels=4, conditions=2)}
    gan.train(images, conditions=asked, **networks, num_steps=2, batch_size=8, progress=False, device="cpu")
    of_real = seen[0::3]  # real ones, made ones, then made ones for the generator
    assert len(seen) == 6
    for means, conditions in of_real:
        assert torch.allclose(means, 1.6 * conditions[:, 0] - 0.8)
    assert torch.equal(seen[0][1], seen[1][1])
    assert all(set(map(tuple, c.tolist())) <= set(map(tuple, asked.tolist())) for _, c in seen)


def test_each_player_moves_at_a_rate_of_its_own():
    # Adam without memory moves a weight by the rate each step: four steps all one way are four rates.
    before = _networks()
    run = _train(num_steps=4, betas=(0.0, 0.0), learning_rates=(1e-4, 1e-3))
    for after, fresh, rate in ((run.generator, before["generator"], 1e-4), (run.critic, before["critic"], 1e-3)):
        pairs = zip(after.parameters(), fresh.parameters(), strict=True)
        farthest = max((new - old).abs().max().item() for new, old in pairs)
        assert farthest == pytest.approx(4 * rate, rel=0.02)


def test_mismatch_shows_real_images_under_the_conditions_of_others():
    # The score is c times the brightness. Real ones of brightness 1 and 2 under 1 and -3: 1 and -6, which cost
    # (0 + 7)/2 = 3.5. Made ones are black: 0 and 0, (1 + 1)/2 = 1. Real ones under each other's c: -3 and 2, which cost
    # 0 and 3 as made ones: (1 + 1 + 0 + 3)/4 = 1.25 if they are half; with a third the first one alone, (1 + 1 + 0)/3.
    asked, real = torch.tensor([[1.0], [-3.0]]), torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1)

    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(1.0))

        def forward(self, images, conditions):
            return self.factor * images[:, 0, 0, 0] * conditions[:, 0]

    def black(latent, conditions):
        return torch.zeros(len(latent), 1, 1, 1)

    losses = []
    for mismatch in (0.0, 0.5, 1 / 3):
        critic = Product()
        optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
        options = {"kind": "hinge", "mismatch": mismatch}
        losses.append(gan.critic_step(black, critic, optimizer, real, torch.zeros(2, 1), asked, **options))
    assert losses == pytest.approx([3.5 + 1, 3.5 + 1.25, 3.5 + 2 / 3])


def test_a_conditional_game_learns_what_is_asked_for():
    # Dark images under the label 0, bright ones under 1: after 60 steps the made ones differ the same way.
    asked = gan.conditions([0, 1] * 32)
    images = (1.2 * asked[:, 0] - 0.6).reshape(-1, 1, 1, 1) + 0.1 * _images(64)
    run = gan.train(
        images, conditions=asked, **_networks(conditions=2), num_steps=60, batch_size=16, learning_rates=(5e-3, 5e-3),
        decay=0.9, progress=False, device="cpu",
    )  # fmt: skip
    dark, bright = (gan.make_patches(run.averaged, gan.conditions([label] * 16)).mean() for label in (0, 1))
    assert bright - dark > 200


def test_change_acts_on_real_images_only():
    shapes = []

    def darken(batch, rng):
        shapes.append((batch.shape, isinstance(rng, torch.Generator)))
        return -torch.ones_like(batch)

    plain, changed = _train(), _train(change=darken)
    assert shapes == [((8, 1, 32, 32), True)] * 3
    assert not torch.equal(_weights(plain.critic), _weights(changed.critic))


def test_shake_acts_on_real_and_made_images_in_both_turns():
    seen = []

    def shake(images, rng):
        seen.append(images.detach().clone())
        return torch.zeros_like(images) + 0 * images

    run = _train(shake=shake, num_steps=2)
    assert len(seen) == 2 * 3  # real, made, and made again for the generator's turn
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])
    assert len(set(run.history["generator_loss"].tolist())) == 2  # the critic's biases still learn


def test_r1_counts_every_fourth_step_fourfold():
    plain, held = (_train(r1=r1, num_steps=1, learning_rates=(0.0, 0.0)) for r1 in (0.0, 0.5))
    more = (held.history["critic_loss"] - plain.history["critic_loss"])[0]
    assert more > 0
    twice = _train(r1=1.0, num_steps=8, learning_rates=(0.0, 0.0)).history["critic_loss"]
    base = _train(r1=0.0, num_steps=8, learning_rates=(0.0, 0.0)).history["critic_loss"]
    assert np.flatnonzero(np.abs(twice - base) > 1e-9).tolist() == [0, 4]
    assert (twice - base)[0] == pytest.approx(2 * more, rel=1e-3)


def test_frames_are_of_the_same_noise_and_at_the_steps_asked_for():
    run = _train(watch_every=2, num_steps=5, distance=lambda made: made.shape[0] + made.mean() * 0)
    assert run.frame_steps.tolist() == [1, 2, 4]
    assert run.frames.shape == (3, 64, 32, 32)
    assert run.distances.tolist() == [512, 512, 512]
    frames = _train(watch_every=1, num_steps=2, learning_rates=(0.0, 0.0)).frames  # only running means still move
    details = frames - frames.mean(axis=1, keepdims=True)
    assert np.corrcoef(details[0].ravel(), details[1].ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(details[0, :-1].ravel(), details[0, 1:].ravel())[0, 1]) < 0.5


def test_frames_of_a_conditional_game_are_sorted():
    seen = []

    class Spy(gan.Generator):
        def forward(self, latent, conditions=None):
            seen.append(conditions)
            return super().forward(latent, conditions)

    torch.manual_seed(0)
    asked = gan.conditions([1, 0] * 12, np.linspace(3, 20, 24))
    networks = {"generator": Spy(channels=4, conditions=2), "critic": gan.Critic(channels=4, conditions=2)}
    gan.train(_images(), conditions=asked, **networks, num_steps=1, batch_size=2, watch_every=1, progress=False)
    frame = seen[-1].tolist()
    assert len(frame) == 64
    assert frame == sorted(frame)
    assert frame[0][0] == 0 < frame[-1][0]


def test_points_and_networks_of_your_own():
    class Line(nn.Module):
        latent = 1

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 2)

        def forward(self, latent):
            return self.layer(latent)

    critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0))
    points = torch.rand(50, 2) * 2 - 1
    run = gan.train(points, generator=Line(), critic=critic, kind="wasserstein", penalty=10.0, num_steps=3,
                    batch_size=4, critic_steps=2, progress=False)  # fmt: skip
    assert run.averaged(torch.zeros(3, 1)).shape == (3, 2)


def test_moving_average_by_hand():
    # 0.9 * 0 + 0.1 * 1 = 0.1; 0.9 * 0.1 + 0.1 * 3 = 0.39
    line = nn.Linear(1, 1, bias=False)
    nn.init.constant_(line.weight, 0.0)
    average = gan.MovingAverage(line, decay=0.9, warm_up=False)
    for value, expected in ((1.0, 0.1), (3.0, 0.39)):
        nn.init.constant_(line.weight, value)
        average.update(line)
        assert average.model.weight.item() == pytest.approx(expected)
    assert line.weight.item() == 3


def test_moving_average_warms_up():
    # The first update takes (1 + 1)/(10 + 1) of the old: 9/11 of 1; the second 3/12 of it and 9/12 of 3.
    line = nn.Linear(1, 1, bias=False)
    nn.init.constant_(line.weight, 0.0)
    average = gan.MovingAverage(line, decay=0.9)
    for value, expected in ((1.0, 9 / 11), (3.0, 9 / 11 / 4 + 9 / 4)):
        nn.init.constant_(line.weight, value)
        average.update(line)
        assert average.model.weight.item() == pytest.approx(expected)
    average.updates = 10_000  # (1 + t)/(10 + t) is above 0.9 now
    nn.init.constant_(line.weight, 0.0)
    before = average.model.weight.item()
    average.update(line)
    assert average.model.weight.item() == pytest.approx(0.9 * before)


def test_moving_average_takes_running_means_and_counters_along():
    layer = nn.BatchNorm1d(1)
    average = gan.MovingAverage(layer, decay=0.5, warm_up=False)
    layer.running_mean.fill_(4.0)
    layer.num_batches_tracked.fill_(7)
    average.update(layer)
    assert (average.model.running_mean.item(), average.model.num_batches_tracked.item()) == (2.0, 7)
    assert not average.model.training


def test_make_patches_by_seed_count_and_batch():
    generator = _networks()["generator"]
    patches = gan.make_patches(generator, 5, seed=3)
    assert np.array_equal(patches, gan.make_patches(generator, 5, seed=3))
    assert gan.make_patches(generator, 5, seed=3, batch_size=2) == pytest.approx(patches, abs=0.01)
    assert gan.make_patches(generator, 9, seed=3)[:5] == pytest.approx(patches, abs=0.01)
    assert not np.allclose(patches, gan.make_patches(generator, 5, seed=4), atol=1)
    assert patches.shape == (5, 32, 32)
    assert -1000 <= patches.min() <= patches.max() <= 400


@pytest.mark.parametrize("latent", [1, 5, 64])
def test_the_first_patches_stay_when_more_are_asked_for(latent):
    # PyTorch's normal numbers do not: drawn by sixteens, the last sixteen change with the count
    generator = gan.Generator(latent=latent, channels=4)
    many = gan.make_patches(generator, 70)
    for count in (1, 3, 17):
        assert gan.make_patches(generator, count) == pytest.approx(many[:count], abs=0.01)


def test_make_patches_hands_on_what_is_asked_for():
    generator = _networks(conditions=2)["generator"]
    small, large = (gan.make_patches(generator, gan.conditions([1] * 3, [mm] * 3)) for mm in (4.0, 20.0))
    assert not np.allclose(small, large, atol=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gan.train(_images(1)), "images must hold 2 patches or more, got 1"),
        (lambda: gan.train(_images() * 2), r"must lie within -1 to 1, without NaN; use gan.scale\(images_hu\)"),
        (lambda: gan.train(_images() * float("nan")), "must lie within -1 to 1"),
        (lambda: gan.train(_images(), conditions=torch.zeros(3, 2)), "there are 24 images and 3 conditions"),
        (lambda: gan.train(_images(), kind="best"), "kind must be one of .*, got 'best'"),
        (lambda: gan.train(_images(), mismatch=0.2), "mismatch=0.2 needs conditions"),
        (lambda: gan.train(_images(), mismatch=True), "mismatch must be from 0 to 0.5, got True"),
        (lambda: gan.train(_images(), num_steps=0), "num_steps must be positive, got 0"),
        (lambda: gan.train(_images(), critic_steps=-1), "critic_steps must be positive, got -1"),
        (lambda: gan.MovingAverage(nn.Linear(1, 1), decay=1.0), "decay must be from 0 up to but not including 1"),
        (lambda: gan.make_patches(gan.Generator(channels=4), 0), "ask for one patch or more, got 0"),
        (lambda: gan.make_patches(gan.Generator(channels=4, conditions=2), 3), r"takes conditions of shape \(3, 2\)"),
    ],
)
def test_training_refuses_what_it_cannot_take(call, message):
    with pytest.raises(ValueError, match=message):
        call()
