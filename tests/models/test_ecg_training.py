"""The recipe for heart beats: what is usual for a patient, sequences, training and prediction."""

import numpy as np
import pytest
import torch

from medlearn.models import ecg_training
from medlearn.models.ecg_preparation import WAVES_S, prepare, record_slices
from medlearn.models.ecg_rnn import RhythmNet
from medlearn.models.ecg_sequences import BeatSequences, augment, beat_weights

RATE, R = 125.0, 50
TIME_S = (np.arange(112) - R) / RATE


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def beats(rng, count, *, size=1.0, noise=0.01):
    """Beats of one record with a P wave, a QRS complex and a T wave in the first lead, and half of it in the second."""
    wave = [height * np.exp(-(((TIME_S - at) / width) ** 2) / 2)
            for height, at, width in ((0.15, -0.16, 0.02), (1.0, 0.0, 0.015), (0.3, 0.28, 0.05))]  # fmt: skip
    one = size * sum(wave)
    return np.stack([one, one / 2], axis=1) + noise * size * rng.normal(size=(count, 112, 2))  # (count, 112, 2)


def regular(count, seconds=0.8):
    return np.full((count, 2), seconds)


def test_prepare_subtracts_the_patients_usual_beat(rng):
    records = np.repeat(["a", "b"], 30)
    both = np.concatenate([beats(rng, 30), beats(rng, 30, size=3.0)])
    both[7, R : R + 10, 0] += 1.0
    signals, _ = prepare(both, np.tile(regular(30), (2, 1)), records)
    assert signals.shape == (60, 112, 2) and signals.dtype == np.float32
    others = np.delete(signals, 7, axis=0)
    assert np.abs(others).max() < 0.12  # the noise of 0.01 in units of QRS (1 and 0.5): up to 4 standard deviations
    # 1 mV in a record whose usual QRS is 1 mV high (the T wave's onset lies in the window, so a little over).
    assert np.median(signals[7, R : R + 10, 0]) == pytest.approx(1.0, abs=0.1)


def test_prepare_does_not_see_gain_nor_level(rng):
    one = beats(rng, 30)
    alike = prepare(one, regular(30), ["a"] * 30)
    other = prepare(4 * one + rng.normal(size=(30, 1, 2)), regular(30), ["a"] * 30)
    for a, b in zip(alike, other, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_prepare_measures_a_noisy_lead_in_its_noise(rng):
    # QRS 1 mV, noise 0.5 mV: the unit is six times the usual difference, 6 * 0.5 = 3 mV, not 1 mV.
    signals, _ = prepare(beats(rng, 400, noise=0.5), regular(400), ["a"] * 400)
    assert signals[..., 0].std() == pytest.approx(1 / 6, rel=0.1)


@pytest.mark.parametrize(("wave", "column"), [("P", 10), ("QRS", 14), ("T", 18)])
def test_prepare_finds_the_wave_that_is_unlike(wave, column, rng):
    one = beats(rng, 40)
    start, stop = (R + round(edge * RATE) for edge in WAVES_S[wave])
    one[9, start:stop, 0] += 0.5 * np.sin(np.linspace(0, 2 * np.pi, stop - start))
    _, rr = prepare(one, regular(40), ["a"] * 40)
    assert rr.shape == (40, 22)
    beside = rr[9, [10, 14, 18]] - np.median(rr[:, [10, 14, 18]], axis=0)  # lead 1 of P, QRS, T
    assert beside[(column - 10) // 4] > 2 and (np.delete(beside, (column - 10) // 4) < 1).all()
    assert abs(rr[9, column + 1] - np.median(rr[:, column + 1])) < 1  # the second lead is as usual
    # In units of QRS: 0.5 / sqrt(2) = 0.354 rms over 1 mV, log(0.354 + 0.02) = -0.98 (P is centred on itself: alike).
    assert rr[9, column + 2] == pytest.approx(np.log(0.5 / np.sqrt(2) + 0.02), abs=0.1)


def test_prepare_knows_the_rhythm_by_hand(rng):
    # Regular at 0.8 s; beat 20 comes at half of it, and its pause is 1.2 s.
    intervals = regular(40)
    intervals[20] = 0.4, 1.2
    intervals[19, 1], intervals[21, 0] = 0.4, 1.2
    _, rr = prepare(beats(rng, 40), intervals, ["a"] * 40)
    half, pause, triple = np.log([0.5, 1.5, 3.0])
    expected = [3 * half, 3 * pause, 3 * half, 0, 0, 3 * half, 3 * triple]  # the last: log 3 = 1.10 is within 1.5
    np.testing.assert_allclose(rr[20, :7], expected, atol=1e-5)
    # No interval differs but two of 17, so the median difference is 0 and the irregularity 0.03: cut off at -6 and 6.
    np.testing.assert_allclose(rr[20, 7:10], [-3, 3, np.log(0.03) + 2.5], atol=1e-5)
    np.testing.assert_allclose(rr[5, :9], 0, atol=1e-5)


def test_prepare_is_less_surprised_where_the_rhythm_is_irregular(rng):
    wild, early = 0.8 * np.exp(rng.normal(0, 0.2, 41)), 20
    wild[early] = 0.8 * 0.6
    _, irregular = prepare(beats(rng, 40), np.column_stack([wild[:-1], wild[1:]]), ["a"] * 40)
    calm = np.full(41, 0.8)
    calm[early] = 0.8 * 0.6
    _, steady = prepare(beats(rng, 40), np.column_stack([calm[:-1], calm[1:]]), ["a"] * 40)
    assert steady[early, 7] == -3 and -2.5 < irregular[early, 7] < -0.5
    assert irregular[early, 9] > steady[early, 9] + 1


def test_prepare_takes_each_record_by_itself(rng):
    both = np.concatenate([beats(rng, 20), beats(rng, 30, size=2.0, noise=0.1)])
    intervals, records = rng.uniform(0.5, 1.0, (50, 4)), np.repeat(["b", "a"], (20, 30))
    together = prepare(both, intervals, records)
    for place in (slice(0, 20), slice(20, 50)):
        alone = prepare(both[place], intervals[place], records[place])
        assert all(np.array_equal(a[place], b) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signals_mv": np.zeros((6, 112))}, r"prepare needs signals_mv of the shape \(beat, time, lead\)"),
        ({"rr_s": np.ones((5, 4))}, r"rr_s of the shape \(beat, 2 or more\), got \(6, 112, 2\) and \(5, 4\)"),
        ({"records": ["a"] * 5}, r"records must name the record of each of the 6 beats, got the shape \(5,\)"),
        ({"records": list("aabbaa")}, "the beats of a record must stand together"),
        ({"signals_mv": np.full((6, 112, 2), np.nan)}, "signals_mv hold NaN or infinity"),
        ({"rr_s": np.zeros((6, 4))}, "rr_s must be positive"),
        ({"r_index": 30}, "windows of 112 samples with R at 30 are too short at 125 Hz: from 0.256 s before R"),
        ({"sampling_rate_hz": 360.0}, "windows of 112 samples with R at 50 are too short at 360 Hz"),
        ({"sampling_rate_hz": 0}, "sampling_rate_hz must be positive, got 0"),
    ],
)
def test_prepare_refuses(change, message):
    arguments = {"signals_mv": np.zeros((6, 112, 2)), "rr_s": np.ones((6, 4)), "records": ["a"] * 6} | change
    with pytest.raises(ValueError, match=message):
        prepare(**arguments)


def test_forest_features_are_the_shape_and_three_ratios():
    signals = np.arange(12.0).reshape(2, 3, 2)
    features = ecg_training.forest_features(signals, [[0.4, 1.2, 0.8, 1.0], [0.8, 0.8, 0.8, 0.8]])
    np.testing.assert_allclose(features[0], [0, 1, 2, 3, 4, 5, 0.5, 1.5, 0.4], rtol=1e-6)
    np.testing.assert_allclose(features[1, 6:], 1)
    with pytest.raises(ValueError, match=r"rr_s of the shape \(beat, 4\), got \(2, 3, 2\) and \(2, 3\)"):
        ecg_training.forest_features(signals, np.ones((2, 3)))


def test_record_slices_refuse_a_record_in_two_places():
    with pytest.raises(ValueError, match="a record appears twice"):
        record_slices(np.array(list("aba")))


def test_beat_weights_by_hand():
    # Class 0: four beats, one of record b and three of a: sqrt(1/3) each against 1, so 3 / sqrt(3) : 1 = 1.732 : 1.
    # Class 1: one beat. Shares 4^0.5 : 1 = 2 : 1. The unlabelled beat is never drawn.
    weights = beat_weights(np.array([0, 0, 0, 0, 1, -1]), np.array(list("aaabbb")), class_power=0.5)
    assert weights[5] == 0 and weights[4] == pytest.approx(1 / 3)
    assert weights[:3] == pytest.approx(2 / 3 * 1.732 / 2.732 / 3, abs=1e-4)
    assert weights[3] == pytest.approx(2 / 3 / 2.732, abs=1e-4)
    with pytest.raises(ValueError, match="no beat is labelled"):
        beat_weights(np.array([-1, -1]), np.array(list("aa")))


def numbered(rng, *, num_beats=8, **options):
    """Sequences whose signals and features say which beat they are: records of 30, 5 (too short) and 20 beats."""
    records, labels = np.repeat(["a", "b", "c"], (30, 5, 20)), rng.integers(0, 3, 55)
    labels[30:35], labels[40] = 3, -1
    number = np.arange(55.0)
    signals = np.tile(number[:, None, None], (1, 4, 2))
    return labels, BeatSequences(signals, number[:, None], labels, records, num_beats=num_beats, **options)


def test_sequences_are_neighbours_of_one_record(rng):
    labels, batches = numbered(rng, batch_size=7, num_batches=40)
    torch.manual_seed(0)
    drawn = list(batches)
    assert len(batches) == len(drawn) == 40
    for (signals, rr), targets in drawn:
        assert signals.shape == (7, 8, 4, 2) and signals.dtype == rr.dtype == torch.float32
        place = rr[..., 0].long()
        assert (place.diff(dim=1) == 1).all() and (signals[:, :, 0, 0] == rr[..., 0]).all()
        assert np.array_equal(targets, labels[place])
        assert (((place >= 0) & (place < 30)).all(dim=1) | ((place >= 35) & (place < 55)).all(dim=1)).all()


def test_sequences_hold_the_drawn_beat_at_every_place(rng):
    records, labels = np.repeat("a", 101), np.where(np.arange(101) == 50, 0, -1)  # one labelled beat, in the middle
    batches = BeatSequences(np.zeros((101, 4, 1)), np.arange(101.0)[:, None], labels, records, num_beats=8)
    torch.manual_seed(0)
    found = np.concatenate([(targets == 0).nonzero()[:, 1] for _, targets in batches])
    assert len(found) == 1600 and (np.bincount(found, minlength=8) > 150).all()  # 200 each are expected


def test_sequences_refuse(rng):
    with pytest.raises(ValueError, match="no record with labelled beats has 40 beats; pass a smaller num_beats"):
        numbered(rng, num_beats=40)
    with pytest.raises(ValueError, match="one entry for each beat, got 5, 5, 4 and 5"):
        BeatSequences(np.zeros((5, 9, 1)), np.zeros((5, 1)), np.zeros(4, dtype=int), np.repeat("a", 5))


def test_augment_changes_what_it_says():
    torch.manual_seed(0)
    ones = torch.ones(400, 50, 2)
    assert torch.equal(augment(ones, size=0, shift=0, wander=0, noise=0), ones)
    sizes = augment(ones, size=0.3, shift=0, wander=0, noise=0)
    assert (sizes == sizes[:, :1]).all() and sizes[:, 0].log().std().item() == pytest.approx(0.3, rel=0.1)
    assert augment(ones, size=0, shift=0, wander=0, noise=0.1).std().item() == pytest.approx(0.1, rel=0.05)
    wander = augment(ones, size=0, shift=0, wander=0.1, noise=0) - 1
    assert wander.diff(dim=1).abs().max() < 0.25 * wander.abs().max()  # slow
    moved = [augment(torch.eye(9)[:, :, None], size=0, shift=2, wander=0, noise=0)[4, :, 0].argmax() for _ in range(60)]
    assert {int(place) for place in moved} == {2, 3, 4, 5, 6}


def two_kinds(rng, count):
    """Two records in which class 2 differs in the signal's middle, and class 1 in the first feature."""
    labels = rng.choice(3, count, p=[0.6, 0.2, 0.2])
    signals, rr = 0.05 * rng.normal(size=(count, 40, 2)), 0.1 * rng.normal(size=(count, 3))
    signals[labels == 2, 15:25] += 1.0
    rr[labels == 1, 0] -= 2.0
    return signals, rr, labels, np.repeat(["a", "b"], count // 2)


SMALL = {"class_weights": (1, 1, 1), "num_networks": 1, "num_epochs": 3, "num_batches": 20, "device": "cpu",
         "progress": False}  # fmt: skip


def test_train_learns_shape_and_rhythm_and_predicts_others(rng):
    networks = ecg_training.train(*two_kinds(rng, 400), **SMALL)
    signals, rr, labels, records = two_kinds(rng, 200)
    probabilities = ecg_training.predict(networks, signals, rr, records)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.95


def test_train_is_repeatable_and_leaves_the_generator_alone(rng):
    arguments = two_kinds(rng, 100)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    options = SMALL | {"num_epochs": 1, "num_batches": 2, "num_networks": 2}
    one, two = (ecg_training.train(*arguments, **options, seed=3) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    weights = [[p for p in network.parameters()] for network in (*one, *two)]
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[2], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(weights[1], weights[3], strict=True))
    assert not torch.equal(weights[0][0], weights[1][0])


def test_train_ignores_beats_without_a_label(rng):
    # Every other beat has no label; were it learned as a class, the loss would refuse it (class -1).
    signals, rr, labels, records = two_kinds(rng, 400)
    told = np.where(np.arange(400) % 2, -1, labels)
    networks = ecg_training.train(signals, rr, told, records, **SMALL)
    hidden = ecg_training.predict(networks, signals, rr, records).argmax(axis=1)[told < 0]
    assert (hidden == labels[told < 0]).mean() > 0.9


def test_train_heeds_the_weights_of_the_classes(rng):
    # Nothing tells the two classes apart: the odds that the network comes to are those of the draw times the weights.
    signals, rr = np.zeros((400, 40, 2)), np.zeros((400, 3))
    labels, records = rng.integers(0, 2, 400), np.repeat("a", 400)
    networks = ecg_training.train(signals, rr, labels, records, **SMALL | {"class_weights": (1, 1 / 4)})
    probabilities = ecg_training.predict(networks, signals, rr, records).mean(axis=0)
    assert probabilities[1] == pytest.approx(0.2, abs=0.05)  # 1/4 : 1


def test_predict_of_a_stretch_is_that_of_the_record(rng):
    torch.manual_seed(0)
    networks = [RhythmNet(2, 4, channels=(4, 4), hidden_size=4, num_rr=3).eval() for _ in range(2)]
    signals, rr, _, records = two_kinds(rng, 60)
    whole = ecg_training.predict(networks, signals, rr, records, num_beats=100)
    with torch.no_grad():
        inputs = [torch.from_numpy(each[:30].astype(np.float32))[None] for each in (signals, rr)]
        expected = torch.stack([network(*inputs)[0].softmax(dim=1) for network in networks]).mean(dim=0)
    np.testing.assert_allclose(whole[:30], expected, atol=1e-6)
    np.testing.assert_allclose(ecg_training.predict(networks, signals, rr, records, num_beats=10), whole, atol=1e-3)
    with pytest.raises(ValueError, match="predict needs one network or more, got none"):
        ecg_training.predict([], signals, rr, records)


def test_train_refuses_other_labels(rng):
    signals, rr, labels, records = two_kinds(rng, 40)
    with pytest.raises(ValueError, match=r"labels must be whole numbers from 0 to 1 \(-1: not labelled\)"):
        ecg_training.train(signals, rr, labels, records, **SMALL | {"class_weights": (1, 1)})
    with pytest.raises(ValueError, match="one for each beat, got <U1"):
        ecg_training.train(signals, rr, np.full(40, "N"), records, **SMALL)
