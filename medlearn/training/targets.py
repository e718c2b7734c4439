"""Check the targets of a batch against the outputs of a network, for the losses that are known here."""

import functools

import torch
from torch import nn
from torch.nn import functional as F

SAME_SHAPE = (F.binary_cross_entropy_with_logits, F.mse_loss, F.l1_loss, nn.BCEWithLogitsLoss, nn.MSELoss, nn.L1Loss)


def target_check(loss):
    """Return the function ``check(outputs, targets, *, ranges)`` that knows what a loss can take.

    It must cost next to nothing, since it is called for each batch. With ``ranges=True`` it looks at each class number,
    too: on a GPU one out of range stops the whole process with a message that names no target.

    Parameters
    ----------
    loss : function or torch.nn.Module

    Returns
    -------
    function
        Raises ValueError. For a loss that is not known here, it lets everything pass.
    """
    plain = loss.func if isinstance(loss, functools.partial) else loss
    kind = type(plain) if isinstance(plain, nn.Module) else plain
    if kind in (F.cross_entropy, nn.CrossEntropyLoss):
        ignored = getattr(plain, "ignore_index", -100)
        if isinstance(loss, functools.partial):
            ignored = loss.keywords.get("ignore_index", ignored)
        return functools.partial(_check_classes, ignored)
    return functools.partial(_check_numbers, kind.__name__) if kind in SAME_SHAPE else lambda *_, ranges: None


def _check_classes(ignored, outputs, targets, *, ranges):
    if not isinstance(outputs, torch.Tensor):
        raise ValueError(f"the model must return the logits, a tensor; it returned a {type(outputs).__name__}.")
    if targets.dtype != torch.int64 or targets.ndim != outputs.ndim - 1:
        if targets.is_floating_point() and targets.shape == outputs.shape:
            return  # probabilities of the classes
        raise ValueError(
            f"cross_entropy compares outputs of the shape (n, classes, ...) with class numbers of the shape (n, ...)"
            f" and type int64; the outputs have the shape {tuple(outputs.shape)}, the targets {tuple(targets.shape)} of"
            f" {targets.dtype}. Give targets.long(), and one output for each class."
        )
    if ranges:
        _check_range(ignored, targets, outputs.shape[1])


def _check_range(ignored, targets, num_classes):
    bad = targets[((targets < 0) | (targets >= num_classes)) & (targets != ignored)]
    if len(bad):
        raise ValueError(
            f"the targets hold the class {int(bad[0])}, and the network has {num_classes} outputs, for the classes"
            f" 0 to {num_classes - 1}. Number the classes from 0, or give the network more outputs."
        )


def _check_numbers(name, outputs, targets, *, ranges):
    if outputs.shape != targets.shape or not targets.is_floating_point():
        raise ValueError(
            f"{name} compares number by number: the outputs have the shape {tuple(outputs.shape)}, the targets"
            f" {tuple(targets.shape)} of {targets.dtype}. Give targets.float() of the outputs' shape."
        )
