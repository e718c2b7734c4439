"""Recurrent networks that read an ECG: one beat sample by sample, or a rhythm beat by beat."""

import torch
from torch import nn

from medlearn.models.ecg_cnn import BeatEncoder, beside
from medlearn.models.ecg_inputs import check_channels, check_rr, check_signals, check_sizes

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class RNN(nn.Module):
    """The network that the course begins with: an LSTM, and a linear layer on its last output.

    Parameters
    ----------
    input_size : int
        Values at each time: the leads.
    hidden_size, num_layers, num_classes : int

    Examples
    --------
    >>> network = RNN(input_size=1, hidden_size=64, num_layers=1, num_classes=4)
    >>> network(torch.zeros(5, 100, 1)).shape
    torch.Size([5, 4])

    References
    ----------
    Hochreiter S, Schmidhuber J. Neural Comput 9:1735, 1997, doi:10.1162/neco.1997.9.8.1735. Forget gate: Gers FA,
    Schmidhuber J, Cummins F. Neural Comput 12:2451, 2000, doi:10.1162/089976600300015015.
    """

    def __init__(self, input_size, hidden_size, num_layers, num_classes):
        super().__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        h0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size).to(x.device)  # (num_layers, n, hidden_size)
        c0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size).to(x.device)
        out, _ = self.lstm(x, (h0, c0))  # (n, time, input_size) -> (n, time, hidden_size)
        return self.fc(out[:, -1, :])  # -> (n, hidden_size) -> (n, num_classes)


class BeatRNN(nn.Module):
    """A recurrent network for one beat, with the cell, the direction and the RR features of your choice.

    Parameters
    ----------
    num_leads, num_classes : int
    cell : {"lstm", "gru", "rnn"}, optional
    hidden_size, num_layers : int, optional
    bidirectional : bool, optional
        A second network reads from the end to the start; the last states of both stand side by side.
    num_rr : int, optional
        RR features of a beat, put beside the last state; 0 for none.
    stride : int, optional
        Average so many samples into one first: fewer steps, and a shorter way back for the gradient. Samples that are
        left over at the end are dropped.

    Raises
    ------
    ValueError
        If the cell is unknown or a size is no positive whole number; from the network itself if the inputs' shape,
        dtype or device is not its own, or the window is shorter than the stride.

    Examples
    --------
    >>> network = BeatRNN(2, 4, cell="gru", hidden_size=16, bidirectional=True, num_rr=3, stride=2)
    >>> network(torch.zeros(5, 100, 2), torch.ones(5, 3)).shape
    torch.Size([5, 4])

    References
    ----------
    GRU: Cho K et al., EMNLP 2014, doi:10.3115/v1/D14-1179. Both directions: Schuster M, Paliwal KK. IEEE Trans Signal
    Process 45:2673, 1997, doi:10.1109/78.650093.
    """

    def __init__(
        self, num_leads, num_classes, *, cell="lstm", hidden_size=64, num_layers=1, bidirectional=False, num_rr=0,
        stride=1,
    ):  # fmt: skip
        super().__init__()
        check_sizes(num_leads=num_leads, num_classes=num_classes, hidden_size=hidden_size, num_layers=num_layers,
                    stride=stride, num_rr=num_rr or 1)  # fmt: skip
        self.num_leads, self.num_rr, self.directions = num_leads, num_rr, 1 + bool(bidirectional)
        self.average = nn.AvgPool1d(stride)
        self.recurrent = _layer(cell)(
            num_leads, hidden_size, num_layers, batch_first=True, bidirectional=bool(bidirectional)
        )
        self.fc = nn.Linear(self.directions * hidden_size + num_rr, num_classes)

    def forward(self, signals, rr=None):
        check_signals(self, signals, self.num_leads)
        check_rr(self, signals, rr, self.num_rr)
        stride = self.average.kernel_size[0]
        if signals.shape[1] < stride:
            raise ValueError(f"a window of {signals.shape[1]} samples is shorter than the stride {stride}.")
        steps = self.average(signals.transpose(1, 2)).transpose(1, 2)  # (n, time, leads) -> (n, steps, leads)
        _, state = self.recurrent(steps)
        state = state[0] if isinstance(state, tuple) else state  # of an LSTM: hidden, without the cell state
        last = state[-self.directions :]  # (layers * directions, n, hidden_size) -> (directions, n, hidden_size)
        return self.fc(beside(torch.cat(list(last), dim=1), rr))  # -> (n, directions * hidden_size) -> (n, num_classes)


class RhythmNet(nn.Module):
    """Read a sequence of beats: a convolutional encoder for each, then a recurrent network over all, both ways.

    A premature beat is early and unlike its neighbours. What is usual for this patient at this time is in the
    sequence.

    Parameters
    ----------
    num_leads, num_classes : int
    channels : sequence of int, optional
        Channels of each stage of the :class:`~medlearn.models.ecg_cnn.BeatEncoder`.
    hidden_size : int, optional
        Of the recurrent network over the beats, in each direction.
    cell : {"gru", "lstm", "rnn"}, optional
    num_rr : int, optional
        RR features of a beat, put beside the encoder's; 0 for none.
    dropout : float, optional
        Share of the features to drop in training, before and after the recurrent network.
    stride : int, optional
        Of the encoder's first convolution.

    Raises
    ------
    ValueError
        As for :class:`BeatRNN`.

    Examples
    --------
    >>> network = RhythmNet(2, 4, channels=(8, 16), hidden_size=12, num_rr=3)
    >>> network(torch.zeros(5, 20, 100, 2), torch.ones(5, 20, 3)).shape
    torch.Size([5, 20, 4])
    """

    def __init__(
        self, num_leads, num_classes, *, channels=(16, 32, 32), hidden_size=32, cell="gru", num_rr=0, dropout=0.3,
        stride=2,
    ):  # fmt: skip
        super().__init__()
        check_sizes(num_leads=num_leads, num_classes=num_classes, hidden_size=hidden_size, num_rr=num_rr or 1,
                    stride=stride)  # fmt: skip
        check_channels(channels, dropout)
        self.num_leads, self.num_rr = num_leads, num_rr
        self.encoder = BeatEncoder(num_leads, channels=channels, stride=stride)
        self.dropout = nn.Dropout(dropout)
        inputs = self.encoder.num_features + num_rr
        self.recurrent = _layer(cell)(inputs, hidden_size, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden_size, num_classes)

    def forward(self, signals, rr=None):
        check_signals(self, signals, self.num_leads, ndim=4)
        check_rr(self, signals, rr, self.num_rr)
        each = self.encoder(signals.flatten(0, 1))  # (n, beats, time, leads) -> (n * beats, features)
        features = self.dropout(each.unflatten(0, signals.shape[:2]))  # -> (n, beats, features)
        out, _ = self.recurrent(beside(features, rr))  # -> (n, beats, 2 * hidden_size)
        return self.fc(self.dropout(out))  # -> (n, beats, num_classes)


def _layer(cell):
    if cell not in CELLS:
        raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {cell!r}.")
    return CELLS[cell]
