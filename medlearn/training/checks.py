"""Say what is wrong before a framework says it in its own way, or trains on in silence."""

import math

import numpy as np
import torch


def check_run(model, train, validation, optimizer, schedule, *, num_epochs, checkpoint):
    """Check what is trained, on what, and by what."""
    weights = {id(each) for each in model.parameters() if each.requires_grad}
    if not weights:
        raise ValueError(f"{type(model).__name__} has no weight to train: no parameter, or all of them are frozen.")
    held = {id(each) for group in optimizer.param_groups for each in group["params"]}
    if not weights & held:
        raise ValueError(
            "the optimizer holds no weight of this model, so nothing would change. Make it from model.parameters()"
            " after you build the model."
        )
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ValueError("LBFGS evaluates a batch several times a step, which fit does not; use AdamW or SGD.")
    for name, loader in (("train", train), ("validation", validation)):
        if loader is not None:
            _check_loader(name, loader, checkpoint)
    _check_schedule(schedule, optimizer, num_steps=num_epochs * len(train))


def _check_loader(name, loader, checkpoint):
    if isinstance(loader, (torch.Tensor, np.ndarray)):
        raise ValueError(f"{name} is an array; wrap it with its targets: training.Batches(inputs, targets).")
    if not hasattr(loader, "__iter__") or not hasattr(loader, "__len__"):
        raise ValueError(
            f"{name} must be training.Batches(inputs, targets) or a DataLoader with a length, got"
            f" {type(loader).__name__}. A generator can be gone through only once."
        )
    if len(loader) == 0:
        raise ValueError(f"{name} has no batch. Look at how its items were selected, and at drop_last.")
    if checkpoint is not None and getattr(loader, "persistent_workers", False):
        raise ValueError(
            f"{name} has persistent_workers=True: they keep random numbers of their own from epoch to epoch, so a"
            " resumed run would be another one. Leave it out, or leave out the checkpoint."
        )


def _check_schedule(schedule, optimizer, *, num_steps):
    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
        raise ValueError(
            "ReduceLROnPlateau waits for a metric, and fit steps a schedule after each batch. Use a schedule of the"
            " step, such as CosineAnnealingLR, or a function of the fraction done."
        )
    if isinstance(schedule, torch.optim.lr_scheduler.LRScheduler):
        if schedule.optimizer is not optimizer:
            raise ValueError("schedule moves the learning rate of another optimizer than the one given to fit.")
        if getattr(schedule, "total_steps", num_steps) < num_steps:
            raise ValueError(
                f"schedule ends after {schedule.total_steps} steps, the training has {num_steps}: fit moves it on after"
                " each batch. Give total_steps=num_epochs * len(train)."
            )
    elif schedule is not None and not callable(schedule):
        raise ValueError(f"schedule must be a torch LR scheduler or a function of the fraction done, got {schedule!r}.")


def check_options(*, num_epochs, validation, monitor, patience, clip_norm, seed, loss):
    """Check the numbers and the functions."""
    for name, value in (("num_epochs", num_epochs), ("patience", 1 if patience is None else patience)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}.")
    if not callable(loss):
        raise ValueError(f"loss must be a function loss(outputs, targets), got {loss!r}; such as F.cross_entropy.")
    if monitor != "loss" and not callable(monitor):
        raise ValueError(f'monitor must be "loss" or a function score(outputs, targets), got {monitor!r}.')
    if validation is None and (patience is not None or monitor != "loss"):
        wants = "patience" if patience is not None else "a monitor"
        raise ValueError(
            f"{wants} needs validation: the training loss cannot tell when a network begins to learn by heart. Pass"
            " validation=training.Batches(..., shuffle=False) of patients that are not in train."
        )
    if clip_norm is not None and not clip_norm > 0:
        raise ValueError(f"clip_norm must be positive, got {clip_norm}; float('inf') measures and clips nothing.")


def check_batch(batch):
    """Return the inputs of a batch as a tuple, and its targets."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise ValueError(f"a batch must be (inputs, targets), got {type(batch).__name__}.")
    *inputs, targets = batch
    if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
        inputs = inputs[0]
    return tuple(inputs), targets


def check_loss(loss):
    """Return the loss of a batch if it is one number in a tensor."""
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        shape = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise ValueError(f"loss must return a tensor with one number, the mean over the batch; it returned {shape}.")
    return loss


def check_score(score):
    """Return what the monitor said if it is a number."""
    try:
        score = float(score)
    except (TypeError, ValueError) as error:
        raise ValueError(f"monitor must return one number, the higher the better; it returned {score!r}.") from error
    if not math.isfinite(score):
        raise ValueError(f"monitor returned {score}, which names no best epoch. Is a class missing in validation?")
    return score


def check_finite(value, what, *, epoch, step=None):
    """Stop a training that has left the numbers."""
    if not math.isfinite(value):
        where = f"epoch {epoch}" if step is None else f"epoch {epoch}, step {step}"
        raise FloatingPointError(
            f"{what} is {value} in {where} (counted from 0). A checkpoint of the epoch before is whole. Try a learning"
            " rate ten times lower, or clip_norm=1.0; see whether an input is NaN or far from 0; with mixed precision"
            " try mixed_precision=False."
        )
