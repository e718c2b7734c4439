"""Partial volume of surfaces, tubes and nodules against closed forms; vessel trees against Murray's law."""

import numpy as np
import pytest

from medlearn.data.chest_nodules import Nodule, draw_spicules, elongation
from medlearn.data.shapes import harmonics
from medlearn.data.tubes import Tubes, tube_shares
from medlearn.data.vessel_tree import grow_trees
from medlearn.data.voxels import Grid, Lattice, paint, smooth_noise


def grid_of(size, spacing_mm=(1.0, 1.0, 1.0), thickness_mm=None, middle=(0.0, 0.0, 0.0)):
    origin = tuple(m - (n - 1) / 2 * s for m, n, s in zip(middle, size, spacing_mm, strict=True))
    return Grid(origin, spacing_mm, size, thickness_mm or spacing_mm[2])


def one_tube(start, end, start_radius, end_radius=None):
    radii = np.array([start_radius]), np.array([start_radius if end_radius is None else end_radius])
    return Tubes(np.array([start], float), np.array([end], float), *radii)


def ball(centre=(0.0, 0.0, 0.0), diameter=10.0, shape=None, margin_mm=0.0):
    shape = np.zeros(36) if shape is None else shape
    return Nodule(centre, diameter, diameter, "solid", False, 1.0, "free", "left", True, 0.1, False, 5.0, margin_mm,
                  30.0, 0.0, shape, None)  # fmt: skip


@pytest.mark.parametrize("thickness", [1.0, 2.5, 5.0])
def test_share_of_a_slanted_plane_is_the_volume_below_it(thickness):
    # Below the plane x + 2 y + 2 z = 3, of length 3: the share of a voxel is that of 20^3 points in it.
    grid = grid_of((12, 10, 8), (1.1, 0.9, thickness))
    lattice = Lattice(grid)
    x, y, z = lattice.points_mm
    region, share = lattice.share((x + 2 * y + 2 * z) / 3 - 1)
    found = np.zeros(grid.shape)
    found[region.fine] = share
    steps = (np.arange(20) + 0.5) / 20 - 0.5
    x, y, z = (grid.axis_mm(k)[:, None] + steps * grid.extent_mm[k] for k in range(3))
    height = x[None, None, :, None, None, :] + 2 * y[None, :, None, None, :, None] + 2 * z[:, None, None, :, None, None]
    expected = (height < 3).mean(axis=(3, 4, 5))
    assert np.abs(found - expected).max() < 0.08 and np.abs(found - expected).mean() < 0.01


def test_share_of_a_ball_has_its_volume_and_its_shift():
    grid = grid_of((70, 70, 40), (1.0, 1.0, 2.0))
    lattice = Lattice(grid)
    distance = np.sqrt(sum(p**2 for p in lattice.points_mm)) - 25
    for shift in (0.0, 3.0):
        _, share = lattice.share(distance, shift)
        assert share.sum() * 2.0 == pytest.approx(4 / 3 * np.pi * (25 + shift) ** 3, rel=0.02)


def test_share_of_nothing_is_none_and_paints_nothing():
    lattice = Lattice(grid_of((8, 8, 8)))
    region, share = lattice.share(np.full([len(a) for a in lattice.axes_mm[::-1]], 5000.0))
    image = np.zeros((8, 8, 8))
    paint(image, region, share, 99.0)
    assert region is None and not image.any()


def test_smooth_noise_is_the_same_on_any_grid():
    fine, coarse = grid_of((41, 21, 9)), grid_of((21, 11, 5), (2.0, 2.0, 2.0))
    one, other = smooth_noise(fine, 3.0, [1, 2]), smooth_noise(coarse, 3.0, [1, 2])
    np.testing.assert_allclose(one[::2, ::2, ::2], other, atol=1e-5)
    assert smooth_noise(grid_of((90, 90, 60)), 3.0, 5).std() == pytest.approx(1, abs=0.1)


# --- nodules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thickness", [1.0, 2.5, 5.0])
def test_partial_volume_of_a_ball_in_closed_form(thickness):
    # A slab of thickness t at height h of a ball of radius R holds pi (R^2 t - ((h + t/2)^3 - (h - t/2)^3) / 3).
    grid = grid_of((40, 40, 9), (0.7, 0.7, thickness))
    part, share = ball(diameter=12.0).share(grid)
    volume = np.zeros(grid.size[2])
    volume[part[0]] = share.sum(axis=(1, 2)) * 0.49 * thickness
    low, high = grid.axis_mm(2) - thickness / 2, grid.axis_mm(2) + thickness / 2
    low, high = np.clip(low, -6, 6), np.clip(high, -6, 6)
    expected = np.pi * (36 * (high - low) - (high**3 - low**3) / 3)
    np.testing.assert_allclose(volume, expected, atol=0.015 * 4 / 3 * np.pi * 216)


@pytest.mark.parametrize("diameter", [3.0, 6.0, 15.0, 30.0])
def test_nodule_of_any_shape_has_the_volume_of_its_diameter(diameter):
    shape = np.zeros(36)
    shape[[4, 6, 8, 12]] = 0.3, -0.4, 0.25, 0.1
    grid = grid_of((90, 90, 60), (0.7, 0.7, 1.0))
    _, share = ball(diameter=diameter, shape=shape).share(grid)
    # 3 mm is four pixels, so a few per cent are the grid's.
    assert share.sum() * 0.49 == pytest.approx(np.pi / 6 * diameter**3, rel=0.05 if diameter < 5 else 0.02)


def test_elongation_of_an_ellipsoid():
    # Half axes 1, 1 and 2, by the log radius in many directions: the longest diameter is 4, the ball's 2 * 2^(1/3).
    unit = np.random.default_rng(0).normal(size=(800, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    radius = 1 / np.sqrt((unit**2 / np.array([1, 1, 4])).sum(axis=1))
    shape = np.linalg.lstsq(harmonics(unit), np.log(radius), rcond=None)[0]
    assert elongation(shape) == pytest.approx(4 / (2 * 2 ** (1 / 3)), rel=0.05)


def test_nodule_outside_the_grid_has_no_share():
    assert ball((500.0, 0, 0)).share(grid_of((8, 8, 8))) == (None, None)


def test_spicules_start_at_the_surface_and_come_with_the_rating():
    rng = np.random.default_rng(0)
    none, many = (draw_spicules((1, 2, 3), 12.0, rating, ball(diameter=12.0).radius_mm, rng) for rating in (1.0, 5.0))
    assert len(none) == 0 and len(many) > 8
    start, end = (np.linalg.norm(ends - [1, 2, 3], axis=1) for ends in (many.start_mm, many.end_mm))
    assert (start < 6).all() and (end > 6).mean() > 0.9
    assert (many.end_radius_mm < many.start_radius_mm).all()


# --- tubes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.2, 0.45, 0.9, 1.5, 4.0])
@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 0, 0), (0.6, 0.5, 0.62)])
def test_tube_through_the_grid_has_its_volume(radius, direction):
    # Long enough to leave the grid on both sides where it runs along an axis; the oblique one ends inside.
    direction = np.array(direction) / np.linalg.norm(direction)
    grid = grid_of((40, 40, 20), (0.8, 0.8, 1.6))
    tube = one_tube(-14 * direction, 14 * direction, radius)
    volume = tube_shares(tube, grid).sum() * grid.extent_mm.prod()
    ends = 4 / 3 * np.pi * radius**3 if radius > 2.4 * 0.8 else 0  # the thick ones have round ends
    assert volume == pytest.approx(np.pi * radius**2 * 28 + ends, rel=0.06)


def test_thick_and_thin_drawing_agree_where_they_meet():
    grid = grid_of((30, 30, 10), (1.0, 1.0, 2.0))
    thin, thick = (tube_shares(one_tube((-10, -3, -8), (9, 6, 7), r), grid) for r in (2.39, 2.41))
    difference = np.abs(thin - thick)[3:-3]  # without the ends, which only the thick one has round
    assert difference.mean() < 0.006 and difference.max() < 0.35


def test_tubes_outside_the_grid_leave_no_trace():
    grid = grid_of((10, 10, 4))
    far = Tubes.join([one_tube((50, 0, 0), (60, 0, 0), 3.0), one_tube((0, 0, 30), (0, 9, 30), 0.2)])
    assert not tube_shares(far, grid).any() and len(far.touching(*grid.bounds_mm())) == 0


def test_thin_tubes_in_overlapping_slices_are_seen_in_each():
    # Slices of 3 mm every 1 mm: a tube in one plane is in three of them.
    grid = grid_of((21, 21, 9), (1.0, 1.0, 1.0), thickness_mm=3.0)
    shares = tube_shares(one_tube((-8, 0.2, 0.1), (8, 0.2, 0.1), 0.3), grid)
    assert np.flatnonzero(shares.sum(axis=(1, 2)) > 0).tolist() == [3, 4, 5]


@pytest.fixture(scope="module")
def trees():
    rng = np.random.default_rng(3)
    seeds = rng.uniform(0, 100, (800, 3))
    owner = (seeds[:, 0] > 50).astype(int)
    roots = np.array([[0.0, 50, 50], [100.0, 50, 50]])
    return seeds, owner, roots, *grow_trees(roots, seeds, owner, end_radius_mm=0.4, rng=rng)


def test_trees_end_once_at_every_seed(trees):
    seeds, owner, _, tubes, tree = trees
    ends = {tuple(point) for point in tubes.end_mm.round(6)}
    assert all(tuple(point) in ends for point in seeds.round(6))
    # A binary tree with n ends has 2 n - 1 branches.
    assert [int((tree == k).sum()) for k in (0, 1)] == [2 * int((owner == k).sum()) - 1 for k in (0, 1)]


def test_trees_follow_murrays_law(trees):
    tubes = trees[3]
    children = {}
    for k, start in enumerate(tubes.start_mm.round(6)):
        children.setdefault(tuple(start), []).append(k)
    checked = 0
    for k, end in enumerate(tubes.end_mm.round(6)):
        daughters = children.get(tuple(end), [])
        if daughters:
            cubes = sum(tubes.start_radius_mm[d] ** 3 for d in daughters)
            assert len(daughters) == 2 and cubes == pytest.approx((tubes.end_radius_mm[k] / 0.95) ** 3, rel=1e-6)
            checked += 1
    assert checked > 700
    assert (tubes.end_radius_mm < tubes.start_radius_mm).all()
