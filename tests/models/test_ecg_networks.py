"""The networks of the ECG: their equations, their weights, and what they refuse."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from medlearn.models.ecg_cnn import BeatCNN, BeatCNNLSTM, BeatEncoder
from medlearn.models.ecg_rnn import RNN, BeatRNN, RhythmNet

BEAT = {
    "lstm": lambda num_rr=0: BeatRNN(2, 4, hidden_size=6, num_rr=num_rr),
    "gru, both ways": lambda num_rr=0: BeatRNN(
        2, 4, cell="gru", hidden_size=6, num_layers=2, bidirectional=True, stride=3, num_rr=num_rr
    ),
    "cnn": lambda num_rr=0: BeatCNN(2, 4, channels=(6, 8), dropout=0.5, num_rr=num_rr),
    "cnn + lstm": lambda num_rr=0: BeatCNNLSTM(2, 4, channels=(6, 8), hidden_size=5, num_rr=num_rr),
}


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def tensor(rng, *shape):
    return torch.from_numpy(rng.normal(size=shape).astype(np.float32))


def count(network):
    return sum(weights.numel() for weights in network.parameters())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(x, weights):
    """The LSTM's equations in NumPy: x (time, inputs) -> the last hidden state. PyTorch stacks the gates i, f, g, o."""
    w_in, w_state, b_in, b_state = weights
    size = w_state.shape[1]
    h, c = np.zeros(size), np.zeros(size)
    for now in x:
        gates = w_in @ now + b_in + w_state @ h + b_state
        i, f, g, o = (gates[k * size : (k + 1) * size] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def gru_by_hand(x, weights):
    """The GRU's equations in NumPy; PyTorch stacks r, z, n, and lets r act on the state's part of n with its bias."""
    w_in, w_state, b_in, b_state = weights
    size = w_state.shape[1]
    h = np.zeros(size)
    for now in x:
        a, b = w_in @ now + b_in, w_state @ h + b_state
        r, z = sigmoid(a[:size] + b[:size]), sigmoid(a[size : 2 * size] + b[size : 2 * size])
        n = np.tanh(a[2 * size :] + r * b[2 * size :])
        h = (1 - z) * n + z * h
    return h


def numpy_weights(layer, suffix="l0"):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [getattr(layer, f"{name}_{suffix}").detach().double().numpy() for name in names]


def test_seed_class_is_the_issues():
    assert list(inspect.signature(RNN).parameters) == ["input_size", "hidden_size", "num_layers", "num_classes"]
    network = RNN(3, 5, 2, 4)
    assert isinstance(network.lstm, nn.LSTM) and network.lstm.batch_first and network.lstm.num_layers == 2
    assert (network.fc.in_features, network.fc.out_features) == (5, 4)


def test_seed_class_equals_the_equations(rng):
    network, x = RNN(2, 5, 1, 3), tensor(rng, 4, 9, 2)
    fc = network.fc.weight.detach().double().numpy(), network.fc.bias.detach().double().numpy()
    expected = [fc[0] @ lstm_by_hand(each.double().numpy(), numpy_weights(network.lstm)) + fc[1] for each in x]
    np.testing.assert_allclose(network(x).detach().numpy(), expected, atol=1e-6)


def test_seed_class_counts():
    # LSTM: 4 gates of (1 input + 64 states + 2 biases) * 64 = 4 * 67 * 64 = 17,152; linear 64 * 4 + 4 = 260.
    assert count(RNN(1, 64, 1, 4)) == 17_152 + 260


def test_seed_class_begins_on_the_device_of_its_input():
    network = RNN(1, 8, 1, 4).to("meta")
    assert network(torch.zeros(3, 10, 1, device="meta")).device.type == "meta"


def test_beat_lstm_reads_both_ways(rng):
    network, x = BeatRNN(2, 3, hidden_size=5, bidirectional=True), tensor(rng, 4, 9, 2)
    signals = x.double().numpy()
    states = [
        np.append(
            lstm_by_hand(each, numpy_weights(network.recurrent)),
            lstm_by_hand(each[::-1], numpy_weights(network.recurrent, "l0_reverse")),
        )
        for each in signals
    ]
    expected = states @ network.fc.weight.detach().double().numpy().T + network.fc.bias.detach().numpy()
    np.testing.assert_allclose(network(x).detach().numpy(), expected, atol=1e-6)


def test_beat_gru_averages_by_its_stride_and_takes_rr_beside(rng):
    network, x, rr = BeatRNN(2, 3, cell="gru", hidden_size=5, stride=4, num_rr=2), tensor(rng, 3, 11, 2), None
    rr = tensor(rng, 3, 2)
    steps = x.double().numpy()[:, :8].reshape(3, 2, 4, 2).mean(axis=2)  # 11 samples: two fours, three left over
    states = [gru_by_hand(each, numpy_weights(network.recurrent)) for each in steps]
    features = np.concatenate([states, rr.numpy()], axis=1)
    expected = features @ network.fc.weight.detach().double().numpy().T + network.fc.bias.detach().numpy()
    np.testing.assert_allclose(network(x, rr).detach().numpy(), expected, atol=1e-6)


def test_counts_by_formula():
    # GRU: 3 * (2 + 10 + 2) * 10 = 420, twice for both ways; linear (2 * 10 + 3) * 4 + 4 = 96.
    assert count(BeatRNN(2, 4, cell="gru", hidden_size=10, bidirectional=True, num_rr=3)) == 2 * 420 + 96
    # RNN: (2 + 10 + 2) * 10 = 140, the second layer (10 + 10 + 2) * 10 = 220; linear 10 * 4 + 4 = 44.
    assert count(BeatRNN(2, 4, cell="rnn", hidden_size=10, num_layers=2)) == 140 + 220 + 44
    # Convolutions 2*5*8 + 8*5*8 = 400 and 8*5*16 + 16*5*16 = 1,920; normalised: 2 * (8 + 8 + 16 + 16) = 96.
    encoder = 400 + 1920 + 96
    assert count(BeatEncoder(2, channels=(8, 16))) == encoder
    assert count(BeatCNN(2, 4, channels=(8, 16), num_rr=3)) == encoder + (4 * 16 + 3) * 4 + 4
    # LSTM on 16 channels: 4 * (16 + 12 + 2) * 12 = 1,440.
    assert count(BeatCNNLSTM(2, 4, channels=(8, 16), hidden_size=12)) == encoder + 1440 + 12 * 4 + 4
    # GRU on 64 + 3 features, both ways: 2 * 3 * (67 + 10 + 2) * 10 = 4,740.
    assert count(RhythmNet(2, 4, channels=(8, 16), hidden_size=10, num_rr=3)) == encoder + 4740 + 20 * 4 + 4


@pytest.mark.parametrize("build", BEAT.values(), ids=BEAT)
@pytest.mark.parametrize("num_rr", [0, 3])
def test_gradients_reach_every_weight_and_every_sample(build, num_rr, rng):
    network = build(num_rr=num_rr)
    signals = tensor(rng, 8, 24, 2).requires_grad_()
    rr = tensor(rng, 8, num_rr).requires_grad_() if num_rr else None
    network(signals, rr).square().sum().backward()
    assert all(weights.grad.abs().sum() > 0 for weights in network.parameters())
    assert (signals.grad.abs().sum(dim=(0, 2)) > 0).all()
    assert rr is None or (rr.grad.abs().sum(dim=0) > 0).all()


@pytest.mark.parametrize("build", BEAT.values(), ids=BEAT)
def test_each_beat_is_judged_for_itself(build, rng):
    network, signals = build().eval(), tensor(rng, 5, 30, 2)
    with torch.no_grad():
        together, alone = network(signals), torch.cat([network(each[None]) for each in signals])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_encoder_knows_before_from_after():
    # The same wave in the first and in the last quarter: each shows in its own quarter, and in no other.
    wave = torch.zeros(2, 64, 1)
    wave[0, :2], wave[1, 62:] = 1.0, 1.0  # the convolutions reach 2 + 2 + 2 * (2 + 2) + 1 = 13 samples further
    with torch.no_grad():
        features = BeatEncoder(1, channels=(4, 4)).eval()(wave).unflatten(1, (4, 4))  # (2, channels, places)
    assert (features.sum(dim=1) > 0).tolist() == [[True, False, False, False], [False, False, False, True]]


def test_rhythm_net_lets_neighbours_speak_both_ways(rng):
    network, signals = RhythmNet(2, 4, channels=(4, 6), hidden_size=5, num_rr=3).eval(), tensor(rng, 1, 7, 32, 2)
    rr = tensor(rng, 1, 7, 3).requires_grad_()
    network(signals, rr)[0, 3].square().sum().backward()
    assert (rr.grad[0].abs().sum(dim=1) > 0).all()  # every beat of the seven, before and after
    assert network(signals, rr).shape == (1, 7, 4)


def test_rhythm_net_keeps_sequences_apart(rng):
    network = RhythmNet(2, 4, channels=(4, 6), hidden_size=5, num_rr=3).eval()
    signals, rr = tensor(rng, 3, 7, 32, 2), tensor(rng, 3, 7, 3)
    with torch.no_grad():
        together = network(signals, rr)
        alone = torch.cat([network(signals[k : k + 1], rr[k : k + 1]) for k in range(3)])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("build", BEAT.values(), ids=BEAT)
def test_beat_networks_refuse_other_inputs(build):
    network, signals, rr = build(num_rr=3), torch.zeros(5, 30, 2), torch.zeros(5, 3)
    with pytest.raises(ValueError, match=r"signals must have the shape \(n, time, leads\) with 2 at the end"):
        network(signals.transpose(1, 2), rr)
    with pytest.raises(ValueError, match="signals must be a tensor, got ndarray"):
        network(signals.numpy(), rr)
    with pytest.raises(ValueError, match=r"signals must be torch\.float32, as the weights are, got torch\.float64"):
        network(signals.double(), rr)
    with pytest.raises(ValueError, match="signals are on meta, the network is on cpu"):
        network(signals.to("meta"), rr)
    with pytest.raises(ValueError, match=r"signals must hold one sample or more, got the shape \(5, 0, 2\)"):
        network(signals[:, :0], rr)
    with pytest.raises(ValueError, match="built with num_rr=3, and rr is None"):
        network(signals)
    with pytest.raises(ValueError, match=r"rr must have one row for each beat: signals have \(5,\), rr \(4,\)"):
        network(signals, rr[:4])
    with pytest.raises(ValueError, match=r"built with num_rr=0, and rr is the shape \(5, 3\)"):
        build()(signals, rr)


def test_rhythm_net_refuses_beats_without_a_sequence():
    with pytest.raises(ValueError, match=r"signals must have the shape \(n, beats, time, leads\) with 2 at the end"):
        RhythmNet(2, 4)(torch.zeros(5, 30, 2))


def test_beat_rnn_refuses_a_window_shorter_than_its_stride():
    with pytest.raises(ValueError, match="a window of 3 samples is shorter than the stride 4"):
        BeatRNN(1, 4, stride=4)(torch.zeros(2, 3, 1))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BeatRNN(2, 4, cell="transformer"), "cell must be one of rnn, gru, lstm, got 'transformer'"),
        (lambda: BeatRNN(0, 4), "num_leads must be a whole number of 1 or more, got 0"),
        (lambda: BeatRNN(2, 4, num_rr=-1), "num_rr must be a whole number of 1 or more, got -1"),
        (lambda: BeatCNN(2, 4, channels=()), "channels must be one positive number or more"),
        (lambda: BeatCNN(2, 4, channels=(8, 0)), r"channels\[1\] must be a whole number of 1 or more, got 0"),
        (lambda: BeatCNN(2, 4, dropout=1.0), "dropout must be from 0 up to but not including 1, got 1.0"),
        (lambda: BeatCNNLSTM(2, 4, hidden_size=2.5), "hidden_size must be a whole number of 1 or more, got 2.5"),
        (lambda: RhythmNet(2, 4, stride=0), "stride must be a whole number of 1 or more, got 0"),
    ],
)
def test_networks_refuse_sizes(build, message):
    with pytest.raises(ValueError, match=message):
        build()
