"""What happened in each epoch of a training."""

from dataclasses import dataclass

import numpy as np

PER_EPOCH = ("train_loss", "validation_loss", "score", "gradient_norm", "largest_gradient_norm", "seconds")


@dataclass(frozen=True, eq=False)
class History:
    """The course of a training; :func:`medlearn.training.fit` returns it.

    Attributes
    ----------
    train_loss : ndarray of float, shape (epochs,)
        The mean over the items of the epoch, while the weights were changing.
    validation_loss : ndarray of float, shape (epochs,)
        After the epoch; NaN without validation.
    score : ndarray of float, shape (epochs,)
        What a function given as ``monitor`` returned; NaN without one.
    gradient_norm, largest_gradient_norm : ndarray of float, shape (epochs,)
        The mean and the largest norm of the gradient over the steps of the epoch, before it is clipped; NaN without
        ``clip_norm``. ``clip_norm=float("inf")`` measures and clips nothing.
    seconds : ndarray of float, shape (epochs,)
        Validation included.
    best_epoch : int or None
        Index into the arrays of the epoch whose weights the model has now; None without validation: the last one's.
    stopped_early : bool
        Whether the patience ran out.
    resumed_from : int or None
        How many epochs came from the checkpoint; None for a fresh run.
    """

    train_loss: np.ndarray
    validation_loss: np.ndarray
    score: np.ndarray
    gradient_norm: np.ndarray
    largest_gradient_norm: np.ndarray
    seconds: np.ndarray
    best_epoch: int | None
    stopped_early: bool
    resumed_from: int | None

    def __repr__(self):
        count = len(self.train_loss)
        best = "" if self.best_epoch is None else f", the best is number {self.best_epoch} (from 0)"
        early = ", stopped early" if self.stopped_early else ""
        resumed = "" if self.resumed_from is None else f", {self.resumed_from} of them from a checkpoint"
        return f"History of {count} epochs{resumed}{best}{early}: training loss {self.train_loss[-1]:.4g} at the end"


class Record:
    """The epochs so far, as lists of plain numbers that a checkpoint can hold.

    Parameters
    ----------
    by_score : bool
        Whether the highest score is the best epoch, not the lowest validation loss.
    epochs : dict of lists, optional
        Those of a checkpoint.
    """

    def __init__(self, *, by_score, epochs=None):
        self.by_score = by_score
        self.epochs = {name: list((epochs or {}).get(name, [])) for name in PER_EPOCH}
        self.resumed_from = None if epochs is None else len(self)

    def __len__(self):
        return len(self.epochs["train_loss"])

    def add(self, **numbers):
        """Take down one epoch."""
        for name in PER_EPOCH:
            self.epochs[name].append(float(numbers[name]))

    @property
    def best_epoch(self):
        """Return the index of the best epoch, the first of equals; None if nothing was validated."""
        values = self.epochs["score"] if self.by_score else [-loss for loss in self.epochs["validation_loss"]]
        return None if not values or np.isnan(values).all() else int(np.argmax(values))

    def out_of_patience(self, patience):
        """Tell whether the last ``patience`` epochs were no better than one before them."""
        return patience is not None and len(self) > 0 and len(self) - 1 - self.best_epoch >= patience

    def history(self, patience):
        """Return the record as arrays."""
        return History(
            **{name: np.array(values) for name, values in self.epochs.items()},
            best_epoch=self.best_epoch,
            stopped_early=self.out_of_patience(patience),
            resumed_from=self.resumed_from,
        )
