"""Lesson 07a's exercises: the solutions against other libraries and by hand."""

import ast
import itertools
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import integrate, ndimage, optimize

from medlearn import data
from medlearn.exercises import lesson_07a as ex
from medlearn.models import nodule_detector

LESSON = Path(__file__).parents[2] / "course" / "lessons" / "07a_nodule_candidates.py"


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


@pytest.fixture(scope="module")
def lesson():
    """Return the functions that the lesson writes out, without running its cells."""
    wanted = {"pieces_of_air", "air_inside", "distances_mm", "find_lungs", "log_mm", "without_doubles", "focal"}
    body = ast.parse(LESSON.read_text(encoding="utf-8")).body
    functions = [node for node in body if isinstance(node, ast.FunctionDef) and node.name in wanted]
    constants = [
        node for node in body if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "AIR_HU"
    ]
    names = {"np": np, "sitk": sitk, "ndimage": ndimage, "torch": torch, "nn": torch.nn}
    exec(compile(ast.Module(constants + functions, []), str(LESSON), "exec"), names)
    assert wanted <= names.keys()
    return names


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_share_real_by_hand():
    # 10 nodules * 0.9 = 9 true marks; 990 * 0.1 = 99 false ones; 9 / 108 = 1 / 12
    assert solution(ex.share_real)(1000, 10, 0.9, 0.1) == pytest.approx(1 / 12)


def test_share_real_is_the_mean_over_simulated_scans(rng):
    marked = rng.binomial(50, 0.8, size=20_000), rng.binomial(1950, 0.02, size=20_000)
    simulated = marked[0].sum() / (marked[0].sum() + marked[1].sum())
    assert simulated == pytest.approx(solution(ex.share_real)(2000, 50, 0.8, 0.02), rel=0.005)


@pytest.mark.parametrize("radius", [2, 3])
def test_close_mm_equals_simpleitks_closing_by_a_ball(radius, rng):
    # SimpleITK's ball of an integer radius is wider than the set of voxels within it, so the closing by its own
    # structuring element is done here from its definition: a voxel stays out if some ball holds it and misses the mask
    mask = np.zeros((14, 15, 16), bool)
    mask[5:9, 5:10, 5:11] = rng.random((4, 5, 6)) < 0.5
    offsets = np.array(list(itertools.product(range(-radius, radius + 1), repeat=3)))
    offsets = offsets[(offsets**2).sum(axis=1) <= radius**2]
    size = 2 * radius + 1
    ball = np.zeros((size, size, size), np.uint8)
    ball[tuple((offsets + radius).T)] = 1
    expected = ndimage.binary_closing(np.pad(mask, radius), structure=ball)[(slice(radius, -radius),) * 3]
    assert np.array_equal(solution(ex.close_mm)(mask, radius, (1, 1, 1)), expected)


def test_close_mm_counts_in_millimetres():
    # a gap of one slice, 4 mm thick: voxel centres on both sides are 4 mm from it; a ball of 3 mm fits into it
    mask = np.zeros((9, 21, 21), bool)
    mask[3:6, 2:19, 2:19] = True
    mask[4] = False
    closed = {r: solution(ex.close_mm)(mask, r, (4.0, 1.0, 1.0))[4, 10, 10] for r in (3, 4)}
    assert closed == {3: False, 4: True}


@pytest.mark.parametrize("dimensions", [2, 3])
def test_best_sigma_is_where_the_radial_integral_is_largest(dimensions):
    # the answer at the centre is the integral of the LoG's kernel over the ball, shell by shell
    def answer(sigma, radius=5.0):
        sphere = {2: 2 * np.pi, 3: 4 * np.pi}[dimensions]

        def shell(rho):
            laplacian = (rho**2 / sigma**4 - dimensions / sigma**2) * np.exp(-(rho**2) / (2 * sigma**2))
            return sphere * rho ** (dimensions - 1) * laplacian / (2 * np.pi * sigma**2) ** (dimensions / 2)

        return -(sigma**2) * integrate.quad(shell, 0, radius)[0]

    best = optimize.minimize_scalar(lambda s: -answer(s), bounds=(1, 8), method="bounded", options={"xatol": 1e-9})
    assert solution(ex.best_sigma)(10.0, dimensions) == pytest.approx(best.x, rel=1e-6)


def test_ball_over_vessel_equals_the_ratio_of_two_filtered_shapes():
    z, y, x = np.indices((65, 65, 65)) - 32
    ball, rod = x**2 + y**2 + z**2 <= 12**2, x**2 + y**2 <= 12**2
    answers = [
        max(-(s**2) * ndimage.gaussian_laplace(shape.astype(float), s, mode="nearest")[32, 32, 32] for s in scales)
        for shape, scales in ((ball, (6.7, 7.0, 7.3)), (rod, (8.2, 8.5, 8.8)))
    ]
    assert solution(ex.ball_over_vessel)() == pytest.approx(answers[0] / answers[1], rel=0.03)


def test_blob_filter_equals_scipys_on_cubes(rng):
    volume = rng.normal(size=(15, 16, 17))
    expected = -(1.7**2) * ndimage.gaussian_laplace(volume, 1.7)
    np.testing.assert_allclose(solution(ex.blob_filter)(volume, 1.7, (1, 1, 1)), expected, atol=1e-12)


def test_blob_filter_equals_simpleitks_in_millimetres():
    z, y, x = np.indices((40, 50, 60))
    bump = 1000 * np.exp(-(((z - 20) * 2.0) ** 2 + ((y - 24) * 1.5) ** 2 + (x - 31.0) ** 2) / (2 * 6.0**2))
    image = sitk.GetImageFromArray(bump)
    image.SetSpacing([1.0, 1.5, 2.0])
    expected = -(5.0**2) * sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(image, 5.0))
    mine = solution(ex.blob_filter)(bump, 5.0, (2.0, 1.5, 1.0))
    np.testing.assert_allclose(mine[12:28, 14:34, 18:44], expected[12:28, 14:34, 18:44], atol=8)  # of 750


def test_blob_filter_of_a_gaussian_bump_is_the_closed_form():
    # a Gaussian of variance 36, blurred by 25: variance 61, height (36 / 61)^1.5; -sigma² times the Laplacian at the
    # centre is 25 * 3 / 61 times the height
    z, y, x = np.indices((40, 54, 80))
    bump = np.exp(-(((z - 20) * 2.0) ** 2 + ((y - 27) * 1.5) ** 2 + (x - 40.0) ** 2) / (2 * 36))
    answer = solution(ex.blob_filter)(bump, 5.0, (2.0, 1.5, 1.0))[20, 27, 40]
    assert answer == pytest.approx((36 / 61) ** 1.5 * 75 / 61, rel=2e-3)


def test_suppress_by_hand():
    # 4 mm apart in a row, 5 mm asked: the first drops the second; the third is 8 mm from the first
    points = np.array([[0.0, 0, 0], [0, 0, 4.0], [0, 0, 8.0]])
    assert solution(ex.suppress)(points, np.array([0.9, 0.8, 0.7]), 5.0).tolist() == [0, 2]
    assert solution(ex.suppress)(points, np.array([0.8, 0.9, 0.7]), 5.0).tolist() == [1]


def test_suppress_keeps_a_largest_set_that_covers_all(rng):
    points, scores = rng.uniform(0, 40, size=(60, 3)), rng.permutation(60) / 60
    kept = solution(ex.suppress)(points, scores, 8.0)
    gaps = np.linalg.norm(points[:, None] - points, axis=2)
    assert (gaps[np.ix_(kept, kept)] + 8 * np.eye(len(kept)) >= 8).all()
    dropped = np.setdiff1d(np.arange(60), kept)
    assert all(((gaps[i, kept] < 8) & (scores[kept] > scores[i])).any() for i in dropped)


@pytest.mark.parametrize("kind", [list, tuple])
def test_suppress_may_come_as_a_list(kind):
    mine = lambda points, scores, distance: kind(solution(ex.suppress)(points, scores, distance).tolist())  # noqa: E731
    assert ex.suppress.evaluate(mine).state == "right"


def test_as_kernel_equals_the_dense_layer_in_pytorch(rng):
    dense = torch.nn.Linear(5 * 2 * 3 * 4, 6, dtype=torch.float64)
    block = torch.from_numpy(rng.normal(size=(1, 5, 2, 3, 4)))
    kernel = solution(ex.as_kernel)(dense.weight.detach().numpy(), 5, (2, 3, 4))
    by_convolution = torch.nn.functional.conv3d(block, torch.from_numpy(kernel.copy()), dense.bias)
    torch.testing.assert_close(by_convolution.flatten(1), dense(block.flatten(1)))


def test_heat_loss_by_hand():
    # centre: 0.25 ln 0.5; beside it: 0.5⁴ 0.2² ln 0.8; background: 0.1² ln 0.9
    expected = -(0.25 * np.log(0.5) + 0.5**4 * 0.04 * np.log(0.8) + 0.01 * np.log(0.9))
    loss = solution(ex.heat_loss)(np.array([0.5, 0.1, 0.2]), np.array([1.0, 0.0, 0.5]))
    assert loss == pytest.approx(expected, rel=1e-12)


def test_box_iou_by_hand_and_by_counting_cubes():
    # two cubes of 8, shifted by 4 along x: 4 * 8 * 8 = 256 of 1024 - 256
    centre, size = np.zeros(3), np.full(3, 8.0)
    assert solution(ex.box_iou)(centre, size, np.array([4.0, 0, 0]), size) == pytest.approx(1 / 3)
    a, b = np.zeros((30, 30, 30), bool), np.zeros((30, 30, 30), bool)
    a[5:15, 10:16, 12:20], b[9:21, 8:14, 10:15] = True, True
    boxes = np.array([10.0, 13, 16]), np.array([10.0, 6, 8]), np.array([15.0, 11, 12.5]), np.array([12.0, 6, 5])
    assert solution(ex.box_iou)(*boxes) == pytest.approx((a & b).sum() / (a | b).sum())


def test_the_lungs_of_the_lesson_are_those_of_the_library(lesson):
    scan = data.simulate_patient(3, num_pixels=76, spacing_mm=4.68, slice_spacing_mm=4.0, num_slices=None)
    by_library = sitk.GetArrayFromImage(nodule_detector.segment_lungs(scan.image)) == 1
    by_lesson = lesson["find_lungs"](scan.image)
    assert by_lesson.sum() > 10_000
    assert np.array_equal(by_lesson, by_library)


def test_the_suppression_of_the_lesson_is_that_of_the_library(lesson, rng):
    points, scores = rng.uniform(0, 60, size=(200, 3)), rng.permutation(200) / 200
    kept = lesson["without_doubles"](points, scores, distance_mm=7.0)
    by_library = nodule_detector.suppress(nodule_detector.Candidates(points, scores, np.full(200, 6.0)), distance_mm=7)
    assert 20 < len(kept) < 200
    np.testing.assert_array_equal(points[kept], by_library.points_mm)
    assert kept.tolist() == solution(ex.suppress)(points, scores, 7.0).tolist()


def test_the_filter_of_the_lesson_is_the_exercises(lesson, rng):
    volume, spacing = rng.normal(size=(9, 10, 11)), (2.0, 2.34, 1.1)
    expected = solution(ex.blob_filter)(volume, 3.0, spacing)
    np.testing.assert_allclose(lesson["log_mm"](volume, 3.0, spacing), expected, atol=1e-12)


def test_the_filter_of_the_lesson_and_the_librarys_candidates_obey_the_same_law(lesson):
    # a ball of 12 mm and 800 HU in lung of -850: the law gives 0.925 * 800 = 740 HU at sigma = 6 / sqrt(3)
    z, y, x = np.indices((40, 44, 48))
    squared = ((z - 18) * 2.0) ** 2 + ((y - 20) * 2.0) ** 2 + ((x - 26) * 2.0) ** 2
    hu = (-850 + 800 / (1 + np.exp((np.sqrt(squared) - 6) * 3))).astype(np.float32)
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing([2.0, 2.0, 2.0])
    lungs = sitk.Cast(image < 1000, sitk.sitkUInt8)
    best = nodule_detector.log_candidates(image, lungs, diameters_mm=(12,)).best(1)
    mine = lesson["log_mm"](hu, 6 / np.sqrt(3), (2.0, 2.0, 2.0))
    assert np.unravel_index(mine.argmax(), mine.shape) == (18, 20, 26)
    np.testing.assert_allclose(best.points_mm[0], [52, 40, 36], atol=0.3)
    law = np.sqrt(2 / np.pi) * 3**1.5 * np.exp(-1.5) * 800
    assert (mine.max(), best.scores[0]) == (pytest.approx(law, rel=0.06), pytest.approx(law, rel=0.06))


def test_the_loss_of_the_lesson_is_the_exercises(lesson, rng):
    logits, heat = rng.normal(size=(5, 6)), rng.uniform(0, 0.9, size=(5, 6))
    heat[1, 2] = heat[4, 4] = 1.0
    expected = solution(ex.heat_loss)(1 / (1 + np.exp(-logits)), heat)
    loss = lesson["focal"](torch.from_numpy(logits), torch.from_numpy(heat), torch.ones(5, 6, dtype=bool))
    assert loss.item() == pytest.approx(expected, rel=1e-9)
