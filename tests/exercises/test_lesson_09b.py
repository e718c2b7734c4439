"""Lesson 09b's exercises: the solutions against PyTorch, NumPy, the library's networks and brute force."""

import numpy as np
import pytest

from medlearn import metrics
from medlearn.exercises import lesson_09b as ex

torch = pytest.importorskip("torch")


@pytest.fixture
def rng():
    return np.random.default_rng(9)


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def test_frechet_1d_is_the_library_s_distance_for_one_feature(rng):
    first, second = rng.normal(3, 2, 30), rng.normal(-1, 0.5, 40)
    expected = metrics.frechet_distance(first[:, None], second[:, None])
    assert solution(ex.frechet_1d)(first, second) == pytest.approx(expected)


def test_frechet_1d_is_the_least_mean_square_of_large_samples_paired_by_rank(rng):
    # 20,000 values of each bell, sorted: the best plan. 3^2 + (2 - 0.5)^2 = 11.25
    first, second = rng.normal(2, 2, 20_000), rng.normal(-1, 0.5, 20_000)
    by_rank = np.mean((np.sort(first) - np.sort(second)) ** 2)
    assert solution(ex.frechet_1d)(first, second) == pytest.approx(by_rank, rel=0.01)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_upsampled_size_is_that_of_torch(kernel, stride):
    for padding in range(2):
        layer = torch.nn.ConvTranspose1d(1, 1, kernel, stride=stride, padding=padding)
        for size in (3, 6):
            assert solution(ex.upsampled_size)(size, kernel, stride, padding) == layer(torch.zeros(1, 1, size)).shape[2]


def test_stamps_are_a_transposed_convolution_of_ones():
    for size, kernel, stride in ((5, 3, 2), (4, 4, 2), (6, 5, 4), (3, 2, 3)):
        ones = torch.nn.functional.conv_transpose1d(torch.ones(1, 1, size), torch.ones(1, 1, kernel), stride=stride)
        np.testing.assert_array_equal(solution(ex.stamps)(size, kernel, stride), ones[0, 0].numpy())


def test_flaws_takes_letters_in_any_form():
    for answer in ("abce", "E, C, B, A", "A, B, C and E.", ["A", "B", "C", "E"]):
        assert ex.flaws.evaluate(answer).state == "right"
    for answer in ("BD", "ABCDE", "", 4):
        assert ex.flaws.evaluate(answer).state == "wrong"


def test_stamps_takes_counts_in_any_form():
    def gathered(size, kernel, stride):  # a value j lies on pixel i where 0 <= i - j * stride < kernel
        places = range((size - 1) * stride + kernel)
        return [sum(0 <= i - j * stride < kernel for j in range(size)) for i in places]

    def spread(size, kernel, stride):
        return torch.from_numpy(np.array(gathered(size, kernel, stride), dtype=float))

    for right in (gathered, spread):
        assert ex.stamps.evaluate(right).state == "right"
    assert ex.stamps.evaluate(lambda size, kernel, stride: [c + 0.5 for c in gathered(size, kernel, stride)]).state == (
        "wrong"
    )


def test_batch_normalisation_judges_a_mixed_batch_otherwise():
    # Flaw E. Real patches are 1, made ones -1: in a mixed batch the mean is 0 and they stay apart; a batch of made ones
    # alone has mean -1, so each becomes 0.
    norm = torch.nn.BatchNorm1d(1, affine=False)
    mixed = norm(torch.tensor([[1.0], [1.0], [-1.0], [-1.0]]))[:, 0]
    alone = norm(torch.full((4, 1), -1.0))[:, 0]
    assert torch.allclose(mixed, torch.tensor([1.0, 1.0, -1.0, -1.0]), atol=1e-4)
    assert torch.allclose(alone, torch.zeros(4), atol=1e-4)


def test_largest_stretch_ends_at_the_singular_value(rng):
    matrix = rng.normal(size=(6, 9))
    expected = np.linalg.svd(matrix, compute_uv=False)[0]
    assert solution(ex.largest_stretch)(matrix, rng.normal(size=9), 500) == pytest.approx(expected)


def test_largest_stretch_after_one_round_by_hand():
    # W = diag(3, 1), start (1, 1): u = (3, 1) / sqrt 10, v = (9, 1) / sqrt 82; u W v = (3 * 3 * 9 + 1) / sqrt 820
    found = solution(ex.largest_stretch)(np.diag([3.0, 1.0]), np.ones(2), 1)
    assert found == pytest.approx(82 / 820**0.5)


def test_largest_stretch_is_never_above_the_singular_value(rng):
    for _ in range(20):
        matrix = rng.normal(size=(4, 5))
        assert solution(ex.largest_stretch)(matrix, rng.normal(size=5), 1) <= np.linalg.norm(matrix, 2) + 1e-12


def test_averaged_weighs_each_row_by_a_power_of_the_decay(rng):
    weights, decay = rng.normal(size=(7, 3)), 0.8
    share = (1 - decay) * decay ** np.arange(6, -1, -1)
    share[0] = decay**6
    np.testing.assert_allclose(solution(ex.averaged)(weights, decay), share @ weights)


def test_averaged_is_the_library_s_without_its_warm_up(rng):
    from medlearn.models import gan

    rows, line = torch.from_numpy(rng.normal(size=(5, 4))), torch.nn.Linear(4, 1, bias=False).double()
    line.weight.data = rows[:1].clone()
    average = gan.MovingAverage(line, decay=0.7, warm_up=False)
    for row in rows[1:]:
        line.weight.data = row[None].clone()
        average.update(line)
    np.testing.assert_allclose(solution(ex.averaged)(rows.numpy(), 0.7), average.model.weight[0].numpy())


def test_least_kept_is_the_smallest_singular_value_of_the_shifting_matrix(rng):
    # a matrix of shifts is normal: its singular values are the sizes of its eigenvalues
    for places in (4, 7, 10):
        shares = rng.dirichlet(np.ones(places))
        matrix = np.array([[shares[(to - start) % places] for start in range(places)] for to in range(places)])
        expected = np.linalg.svd(matrix, compute_uv=False)[-1]
        assert solution(ex.least_kept)(shares) == pytest.approx(expected)


def test_least_kept_is_above_what_is_left_in_peace(rng):
    # (1 - a) |d| <= a |d| is the only way to lose d: at least 1 - 2 a of it is left
    for _ in range(20):
        shares = 0.3 * rng.dirichlet(np.ones(8))
        shares[0] += 0.7
        assert solution(ex.least_kept)(shares) >= 2 * shares[0] - 1 - 1e-12


def test_least_kept_takes_a_list_s_zero_for_a_loss():
    # thirds at 0, 1, 2 of a ring of 12: the pattern that repeats every 3 places has 1 + w + w^2 = 0
    assert solution(ex.least_kept)(np.array([1, 1, 1] + 9 * [0]) / 3) == pytest.approx(0, abs=1e-12)
    assert solution(ex.least_kept)(np.array([1, 1, 1] + 8 * [0]) / 3) > 0.05  # of 11: no pattern repeats so


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0, 3.0])
def test_slowest_rate_is_the_largest_real_part_of_the_eigenvalues(weight):
    for push in (0.5, 1.3):
        expected = np.linalg.eigvals(np.array([[0, push], [-push, -weight]])).real.max()
        assert solution(ex.slowest_rate)(push, weight) == pytest.approx(expected, abs=1e-7)


def test_slowest_rate_is_how_the_smallest_game_comes_to_rest():
    # the matrix exponential of 30 units of time: what is left of a unit, |w(30)|, falls as exp(-0.15 * 30)
    scipy_linalg = pytest.importorskip("scipy.linalg")
    matrix = np.array([[0, 0.5], [-0.5, -0.3]])
    later = [np.linalg.norm(scipy_linalg.expm(time * matrix), 2) for time in (30, 60)]
    assert np.log(later[1] / later[0]) / 30 == pytest.approx(solution(ex.slowest_rate)(0.5, 0.3), abs=0.02)


def test_projected_score_is_the_critic_s():
    from medlearn.models import gan

    torch.manual_seed(0)
    critic = gan.Critic(conditions=2, channels=4)
    images, asked = torch.randn(5, 1, 32, 32), torch.randn(5, 2)
    with torch.no_grad():
        maps = critic.stages(images).flatten(1)
        expected = critic(images, asked) - critic.output.bias
    u, V = critic.output.weight[0].detach().numpy(), critic.embed.weight.detach().numpy()
    found = solution(ex.projected_score)(maps.numpy(), (2 * asked - 1).numpy(), u, V)  # the critic centres them
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
