"""Convolutional networks that read one heart beat: along time, with the leads as channels."""

from itertools import pairwise

import torch
from torch import nn

from medlearn.models.ecg_inputs import check_channels, check_rr, check_signals, check_sizes

PLACES = 4  # the parts of a window that keep their own averages: P wave, QRS, ST and T stand at different places


class BeatEncoder(nn.Module):
    """Describe each beat by the means of its last feature maps in the four quarters of the window.

    Each stage is two convolutions of width 5 with batch normalisation; between the stages time is halved. The quarters
    matter: an average over the whole window would not know whether a small wave stood before the QRS complex or after.

    Parameters
    ----------
    num_leads : int
    channels : sequence of int, optional
        Channels of each stage.
    stride : int, optional
        Of the first convolution: 2 halves the time at once, and the work with it.

    Attributes
    ----------
    num_features : int
        ``4 * channels[-1]``.

    Examples
    --------
    >>> BeatEncoder(2, channels=(8, 16))(torch.zeros(5, 100, 2)).shape
    torch.Size([5, 64])
    """

    def __init__(self, num_leads, *, channels=(32, 64, 64), stride=1):
        super().__init__()
        self.stages = nn.Sequential(_unit(num_leads, channels[0], stride=stride), _unit(channels[0], channels[0]))
        for before, count in pairwise(channels):
            self.stages.extend([nn.MaxPool1d(2, ceil_mode=True), _unit(before, count), _unit(count, count)])
        self.pool = nn.AdaptiveAvgPool1d(PLACES)
        self.num_features = PLACES * channels[-1]

    def forward(self, signals):
        maps = self.stages(signals.transpose(1, 2))  # (n, time, leads) -> (n, leads, time) -> (n, channels, left)
        return self.pool(maps).flatten(1)  # -> (n, channels, 4) -> (n, 4 * channels)


class BeatCNN(nn.Module):
    """A convolutional network for one beat: a :class:`BeatEncoder`, the RR features beside it, one linear layer.

    Parameters
    ----------
    num_leads, num_classes : int
    channels : sequence of int, optional
        Channels of each stage of the encoder.
    num_rr : int, optional
        RR features of a beat; 0 for none.
    dropout : float, optional
        Share of the encoder's features to drop in training.

    Raises
    ------
    ValueError
        If a size is no positive whole number, or the dropout is out of range; from the network itself if the inputs'
        shape, dtype or device is not its own.

    Examples
    --------
    >>> network = BeatCNN(2, 4, channels=(8, 16), num_rr=3)
    >>> network(torch.zeros(5, 100, 2), torch.ones(5, 3)).shape
    torch.Size([5, 4])

    References
    ----------
    Kiranyaz S, Ince T, Gabbouj M. IEEE Trans Biomed Eng 63:664, 2016, doi:10.1109/TBME.2015.2468589.
    """

    def __init__(self, num_leads, num_classes, *, channels=(32, 64, 64), num_rr=0, dropout=0.0):
        super().__init__()
        check_sizes(num_leads=num_leads, num_classes=num_classes, num_rr=num_rr or 1)
        check_channels(channels, dropout)
        self.num_leads, self.num_rr = num_leads, num_rr
        self.encoder = BeatEncoder(num_leads, channels=channels)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.encoder.num_features + num_rr, num_classes)

    def forward(self, signals, rr=None):
        check_signals(self, signals, self.num_leads)
        check_rr(self, signals, rr, self.num_rr)
        features = self.dropout(self.encoder(signals))  # (n, time, leads) -> (n, features)
        return self.fc(beside(features, rr))  # -> (n, features + num_rr) -> (n, num_classes)


class BeatCNNLSTM(nn.Module):
    """Convolutions that shorten the beat, then an LSTM that reads what is left from P wave to T wave.

    Parameters
    ----------
    num_leads, num_classes : int
    channels : sequence of int, optional
        Channels of each stage; each after the first halves the time.
    hidden_size : int, optional
        Of the LSTM.
    num_rr : int, optional
        RR features of a beat, put beside the LSTM's last state; 0 for none.

    Raises
    ------
    ValueError
        As for :class:`BeatCNN`.

    Examples
    --------
    >>> network = BeatCNNLSTM(2, 4, channels=(8, 16), hidden_size=12)
    >>> network(torch.zeros(5, 100, 2)).shape
    torch.Size([5, 4])
    """

    def __init__(self, num_leads, num_classes, *, channels=(32, 64, 64), hidden_size=64, num_rr=0):
        super().__init__()
        check_sizes(num_leads=num_leads, num_classes=num_classes, hidden_size=hidden_size, num_rr=num_rr or 1)
        check_channels(channels, 0.0)
        self.num_leads, self.num_rr = num_leads, num_rr
        self.encoder = BeatEncoder(num_leads, channels=channels)
        self.lstm = nn.LSTM(channels[-1], hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size + num_rr, num_classes)

    def forward(self, signals, rr=None):
        check_signals(self, signals, self.num_leads)
        check_rr(self, signals, rr, self.num_rr)
        maps = self.encoder.stages(signals.transpose(1, 2))  # (n, time, leads) -> (n, channels, left)
        out, _ = self.lstm(maps.transpose(1, 2))  # -> (n, left, channels) -> (n, left, hidden_size)
        return self.fc(beside(out[:, -1, :], rr))  # -> (n, hidden_size + num_rr) -> (n, num_classes)


def beside(features, rr):
    """Put the RR features, if there are any, beside what was read from the signal."""
    return features if rr is None else torch.cat([features, rr], dim=-1)  # (..., features + num_rr)


def _unit(before, count, *, stride=1):
    """Return a convolution along time, its batch normalisation (a bias is needless then), and a rectifier."""
    convolution = nn.Conv1d(before, count, 5, stride=stride, padding=2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(count), nn.ReLU())
