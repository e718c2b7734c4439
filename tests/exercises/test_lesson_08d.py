"""Lesson 08d's exercises: what every exercise must hold, the solutions against PyTorch and scikit-learn."""

import itertools

import numpy as np
import pytest

from medlearn.exercises import lesson_08d as ex
from medlearn.exercises.testing import assert_exercises_hold


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


def test_every_exercise_holds():
    assert_exercises_hold(ex)


def test_ratios_of_by_hand():
    # intervals 0.8, 0.4, 1.2: mean 0.8. Beat 1: 0.8/0.8, 0.4/0.8; beat 2: 0.4/0.8, 1.2/0.8
    found = solution(ex.ratios_of)(np.array([0.0, 0.8, 1.2, 2.4]))
    np.testing.assert_allclose(found, [[1.0, 0.5], [0.5, 1.5]])


def test_ratios_of_equals_the_library_where_its_local_mean_is_the_mean_of_all(rng):
    from medlearn.data.ecg_beats import rr_features

    beats_s = np.cumsum(rng.uniform(0.5, 1.0, size=5))  # five beats: the ten intervals around each are all four
    before, after, local, _ = rr_features(beats_s).T
    expected = np.column_stack([before / local, after / local])[1:-1]
    np.testing.assert_allclose(solution(ex.ratios_of)(beats_s), expected, rtol=1e-6)


@pytest.mark.parametrize(("length", "layers"), [case for case in ex.after_convolutions.cases()])
def test_after_convolutions_equals_pytorch(length, layers):
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(*[torch.nn.Conv1d(1, 1, k, stride=s, padding=p, bias=False) for k, s, p in layers])
    for weight in network.parameters():
        torch.nn.init.ones_(weight)
    x = torch.zeros(1, 1, length + 400, requires_grad=True)  # long, so that a middle output sees no border
    out = network(x)
    out[0, 0, out.shape[2] // 2].backward()
    seen = int((x.grad != 0).sum())
    assert solution(ex.after_convolutions)(length, layers) == (network(x[..., :length]).shape[2], seen)


def test_after_convolutions_takes_a_list_or_an_array():
    for kind in (list, np.array):
        answer = lambda length, layers, kind=kind: kind(solution(ex.after_convolutions)(length, layers))  # noqa: E731
        assert ex.after_convolutions.evaluate(answer).state == "right"


def test_reversed_in_place_equals_the_backward_half_of_pytorch(rng):
    torch = pytest.importorskip("torch")
    lengths = [4, 6, 1]
    x, _ = ex._padded(rng, lengths, 2)
    torch.manual_seed(0)
    both = torch.nn.GRU(2, 3, batch_first=True, bidirectional=True).double()
    forward = torch.nn.GRU(2, 3, batch_first=True).double()
    forward.load_state_dict({k.removesuffix("_reverse"): v for k, v in both.state_dict().items() if "reverse" in k})
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.from_numpy(x), lengths, True, enforce_sorted=False)
    expected = both(packed)[1][1]  # the last state of the backward half
    out, _ = forward(torch.from_numpy(solution(ex.reversed_in_place)(x, np.array(lengths))))
    found = out[torch.arange(3), torch.tensor(lengths) - 1]
    torch.testing.assert_close(found, expected)


def test_reversed_in_place_is_its_own_inverse(rng):
    x, lengths = ex._padded(rng, [3, 7, 5], 4)
    once = solution(ex.reversed_in_place)(x, lengths)
    np.testing.assert_array_equal(solution(ex.reversed_in_place)(once, lengths), x)


def test_difference_of_resample_equals_scikit_learn(rng):
    sklearn = pytest.importorskip("sklearn.metrics")
    labels, first, second, patients, drawn = ex._one_study(rng, 6, 20)
    rows = [i for name in drawn for i, patient in enumerate(patients) if patient == name]
    f1 = [sklearn.f1_score(labels[rows], z[rows], average="macro") for z in (first, second)]
    assert solution(ex.difference_of_resample)(labels, first, second, patients, drawn) == pytest.approx(f1[0] - f1[1])


def test_difference_of_resample_by_hand():
    # drawn: a, c, c, so 3 labels of each class. first: N and S all found; V 3 hits, 5 called; F 1 hit, 1 called:
    # F1 1, 1, 6/8, 2/4. second: N 3 hits, 6 called; S 2 hits, 2 called; V 1 hit, 1 called; F all: 6/9, 4/5, 2/4, 1.
    expected = (1 + 1 + 0.75 + 0.5) / 4 - (2 / 3 + 0.8 + 0.5 + 1) / 4
    assert solution(ex.difference_of_resample)(*ex._small_study()) == pytest.approx(expected)


def test_occlusion_map_of_a_linear_score_is_the_sum_of_what_was_covered(rng):
    # score = sum w x: covering places a..b takes away sum of w x there
    weights, signal = rng.normal(size=20), rng.normal(size=20)
    expected = np.convolve(weights * signal, np.ones(4), mode="valid")
    np.testing.assert_allclose(solution(ex.occlusion_map)(lambda s: s @ weights, signal, 4), expected)


def test_split_in_time_by_hand():
    # border at 10 s, reach 1 s: 9 ends at 10 (adapt), 9.5 and 10.5 cross it, 11 begins at 10 (judge)
    adapt, judge = solution(ex.split_in_time)(np.array([2.0, 9.0, 9.5, 10.5, 11.0]), 10.0, 1.0)
    assert adapt.tolist() == [True, True, False, False, False]
    assert judge.tolist() == [False, False, False, False, True]


def test_split_in_time_shares_no_beat(rng):
    times_s = np.cumsum(rng.uniform(0.3, 1.0, size=300))
    adapt, judge = solution(ex.split_in_time)(times_s, 30.0, 0.5)
    assert not np.any(adapt & judge)
    assert times_s[judge].min() - times_s[adapt].max() >= 1.0


def test_split_in_time_may_come_as_one_array():
    answer = lambda times_s, seconds, reach_s: np.array(solution(ex.split_in_time)(times_s, seconds, reach_s))  # noqa: E731
    assert ex.split_in_time.evaluate(answer).state == "right"


def test_false_alarms_per_hour_equals_groupby(rng):
    for _ in range(50):
        labels, predictions = rng.integers(0, 3, 40), rng.integers(0, 3, 40)
        beats = zip(labels, predictions, strict=True)
        runs = [list(run) for rings, run in itertools.groupby(beats, lambda beat: beat[1] == 2) if rings]
        false = sum(all(label != 2 for label, _ in run) for run in runs)
        assert solution(ex.false_alarms_per_hour)(labels, predictions, 0.5) == false / 0.5


def test_false_alarms_per_hour_by_hand():
    # predicted V: beats 0 and 1 (beat 1 is a V: true), beat 3 (false), beats 5 and 6 at the end (false): 2 in 0.25 h
    labels, predictions = np.array([0, 2, 0, 0, 2, 1, 0]), np.array([2, 2, 0, 2, 0, 2, 2])
    assert solution(ex.false_alarms_per_hour)(labels, predictions, 0.25) == 8
