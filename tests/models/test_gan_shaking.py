"""Shaking by hand: where a pixel goes, how large the hole is, and that slopes pass."""

import torch

from medlearn.models import gan
from medlearn.models.gan_shaking import AIR


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nothing_to_do_leaves_the_images():
    images = torch.rand(4, 2, 12, 9)
    assert torch.equal(gan.shaken(images, rng(), shift=0, hole=0, brightness=0.0), images)


def test_shifts_move_whole_images_and_air_comes_in():
    image = torch.full((1, 1, 9, 11), AIR)
    image[0, 0, 4, 5] = 1.0
    found = gan.shaken(image.expand(3000, -1, -1, -1), rng(), shift=2, hole=0, brightness=0.0)
    places = (found == 1.0).nonzero()
    assert len(places) == 3000 and ((found == 1.0) | (found == AIR)).all()
    rows, columns = places[:, 2] - 4, places[:, 3] - 5
    counts = torch.bincount(5 * (rows + 2) + columns + 2, minlength=25)
    assert len(counts) == 25 and counts.min() > 80 and counts.max() < 160  # 120 each, SD 10.7


def test_an_odd_hole_is_a_square_of_its_side_and_is_cut_off_at_the_border():
    found = gan.shaken(torch.ones(500, 1, 20, 20), rng(), shift=0, hole=5, brightness=0.0)
    holes = [(image == 0).nonzero() for image in found[:, 0]]
    sizes = {tuple((hole.max(0).values - hole.min(0).values + 1).tolist()) for hole in holes}
    assert all(len(hole) == height * width for hole in holes for height, width in
               [(hole.max(0).values - hole.min(0).values + 1).tolist()])  # fmt: skip
    assert (5, 5) in sizes and (3, 3) in sizes and max(max(size) for size in sizes) == 5


def test_brightness_is_one_number_for_an_image_within_its_limits():
    more = gan.shaken(torch.zeros(400, 1, 6, 6), rng(), shift=0, hole=0, brightness=0.1).flatten(1)
    assert torch.equal(more.amin(1), more.amax(1))
    assert more.min() < -0.095 and more.max() > 0.095 and more.abs().max() <= 0.1


def test_equal_seeds_shake_alike_and_slopes_pass_but_for_the_hole():
    images = torch.rand(6, 1, 16, 16, requires_grad=True)
    first, again, other = (gan.shaken(images, rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    shown = gan.shaken(images, rng(1), shift=0, brightness=0.0)
    (slope,) = torch.autograd.grad(shown.sum(), images)
    assert torch.equal(slope, (shown != 0).float())
