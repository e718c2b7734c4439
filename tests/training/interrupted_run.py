"""A training that may be killed at a chosen moment. Run as a script: ``interrupted_run.py KIND CHECKPOINT DEATH``."""

import math
import os
import signal
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from medlearn import training
from medlearn.training import checkpoint as checkpoints

NUM_EPOCHS = 6


class Net(nn.Module):
    """An LSTM, a batch normalisation and dropout: all that carries state or draws numbers."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, 8, batch_first=True)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(8, 3))

    def forward(self, signals, extra):
        return self.head(self.norm(self.lstm(signals)[0][:, -1] + extra))


def data():
    generator = torch.Generator().manual_seed(5)
    signals = torch.randn(90, 7, 2, generator=generator)
    extra = torch.randn(90, 1, generator=generator)
    targets = (signals.sum(dim=(1, 2)) > 0).long() + (extra[:, 0] > 1).long()
    return signals, extra, targets


def jitter(signals, extra):
    return signals + 0.1 * torch.randn_like(signals), extra


def cosine(fraction):
    return 0.5 * (1 + math.cos(math.pi * fraction))


def accuracy(outputs, targets):
    return (outputs.argmax(dim=1) == targets).float().mean()


def train(kind, checkpoint, *, num_epochs=NUM_EPOCHS, on_batch=None, **options):
    """Train from scratch or from the checkpoint; return the model, its optimizer and the history."""
    torch.manual_seed(3)
    model = Net()
    signals, extra, targets = data()
    if on_batch is not None:
        model.register_forward_pre_hook(on_batch)
    if kind == "batches":
        batches = training.Batches(
            (signals[:60], extra[:60]), targets[:60], batch_size=16, augment=jitter, sample_weights=targets[:60] + 1.0
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        options = {"schedule": cosine, "monitor": accuracy, "patience": 4, "clip_norm": 0.5, **options}
    else:
        sampler = WeightedRandomSampler(targets[:60] + 1.0, 60, generator=torch.Generator())
        batches = DataLoader(TensorDataset(signals[:60], extra[:60], targets[:60]), batch_size=16, sampler=sampler)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=4 * NUM_EPOCHS)
        options = {"schedule": schedule, "loss": nn.CrossEntropyLoss(label_smoothing=0.1), **options}
    validation = training.Batches((signals[60:], extra[60:]), targets[60:], shuffle=False)
    options = {"optimizer": optimizer, "num_epochs": num_epochs, "validation": validation, **options}
    history = training.fit(model, batches, checkpoint=checkpoint, device="cpu", progress=False, **options)
    return model, optimizer, history


def die_at(moment):
    """Kill this process at the n-th forward pass (``batch:17``), or in the middle of the n-th write (``write:3``)."""
    what, number = moment.split(":")
    calls = iter(range(1, 10_000))

    def at_batch(model, inputs):
        if what == "batch" and next(calls) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    def at_write(state, stream):
        if what == "write" and next(calls) == int(number):
            stream.write(b"PK\x03\x04 half a checkpoint")
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        whole_write(state, stream)

    whole_write = checkpoints.torch.save
    checkpoints.torch.save = at_write
    return at_batch


if __name__ == "__main__":
    torch.set_num_threads(1)
    kind, path, death = sys.argv[1:]
    train(kind, path, on_batch=die_at(death))
