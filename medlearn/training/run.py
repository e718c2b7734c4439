"""The parts of a training that move together, and their way into a checkpoint and back."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from medlearn.training.checkpoint import assert_fits, read_checkpoint, write_checkpoint
from medlearn.training.history import Record
from medlearn.training.precision import Precision
from medlearn.training.targets import target_check


@dataclass
class Run:
    """A network, what moves it, and what has happened so far."""

    model: nn.Module
    loss: object
    optimizer: torch.optim.Optimizer
    schedule: object
    clip_norm: float | None
    precision: Precision
    device: torch.device
    record: Record
    best_weights: dict | None = None

    def __post_init__(self):
        self.check_targets = target_check(self.loss)

    def prepare(self, *, num_steps):
        """Bring everything to the device, and make a schedule of a function."""
        self.model.to(self.device)
        if isinstance(self.loss, nn.Module):
            self.loss.to(self.device)
        if self.optimizer.state:
            self.optimizer.load_state_dict(self.optimizer.state_dict())  # its running means follow the weights
        if callable(self.schedule):
            factor = self.schedule
            self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: factor(step / num_steps))

    @property
    def weights(self):
        """Return the weights that the optimizer moves."""
        return [weights for group in self.optimizer.param_groups for weights in group["params"]]

    def keep_best(self):
        """Take a copy of the weights if the last epoch was the best so far."""
        if self.record.best_epoch == len(self.record) - 1:
            self.best_weights = copy.deepcopy(self.model.state_dict())  # with buffers, such as running means

    def restore_best(self):
        """Give the model the weights of the best epoch, if any was judged."""
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)

    def save(self, path, settings):
        """Write a checkpoint."""
        state = {
            "settings": settings,
            "weights": self.model.state_dict(),
            "best_weights": self.best_weights,
            "optimizer": self.optimizer.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "scaler": self.precision.scaler.state_dict(),
            "epochs": self.record.epochs,
        }
        write_checkpoint(path, state)

    def resume(self, state):
        """Take up the state of a checkpoint that fits."""
        self.model.load_state_dict(state["weights"])
        self.best_weights = state["best_weights"]
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        if state["scaler"] and self.precision.scaler.is_enabled():
            self.precision.scaler.load_state_dict(state["scaler"])
        self.record = Record(by_score=self.record.by_score, epochs=state["epochs"])


def read_fitting(path, *, model, settings):
    """Read a checkpoint that fits this run, or return None if there is none."""
    if path is None or not path.exists():
        return None
    state = read_checkpoint(path)
    assert_fits(state, path=path, model=model, settings=settings)
    return state
