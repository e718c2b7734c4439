"""Check the targets of a batch against the outputs of a network."""

import functools

import torch
from torch import nn
from torch.nn import functional as F

SAME_SHAPE = (F.binary_cross_entropy_with_logits, F.mse_loss, F.l1_loss, nn.BCEWithLogitsLoss, nn.MSELoss, nn.L1Loss)


def check_targets(loss, outputs, targets):
    """Check the targets of a batch against the outputs, as far as the loss is one that is known here.

    On a GPU, a class number out of range stops the whole process with a message that names no target.
    """
    plain = loss.func if isinstance(loss, functools.partial) else loss
    kind = type(plain) if isinstance(plain, nn.Module) else plain
    if kind in (F.cross_entropy, nn.CrossEntropyLoss):
        if not isinstance(outputs, torch.Tensor):
            raise ValueError(f"the model must return the logits, a tensor; it returned a {type(outputs).__name__}.")
        if targets.dtype != torch.int64 or targets.ndim != outputs.ndim - 1:
            _check_class_numbers(outputs, targets)
        options = loss.keywords if isinstance(loss, functools.partial) else vars(loss) if plain is not kind else {}
        _check_range(outputs, targets, options.get("ignore_index", -100))
    elif kind in SAME_SHAPE and (outputs.shape != targets.shape or not targets.is_floating_point()):
        raise ValueError(
            f"{kind.__name__} compares number by number: the outputs have the shape {tuple(outputs.shape)}, the"
            f" targets {tuple(targets.shape)} of {targets.dtype}. Give targets.float() of the outputs' shape."
        )


def _check_class_numbers(outputs, targets):
    if targets.is_floating_point() and targets.shape == outputs.shape:
        return  # probabilities of the classes
    raise ValueError(
        f"cross_entropy compares outputs of the shape (n, classes, ...) with class numbers of the shape (n, ...) and"
        f" type int64; the outputs have the shape {tuple(outputs.shape)}, the targets {tuple(targets.shape)} of"
        f" {targets.dtype}. Give targets.long(), and one output for each class."
    )


def _check_range(outputs, targets, ignored):
    if targets.is_floating_point() or targets.numel() == 0:
        return
    low, high = (int(value) for value in torch.aminmax(targets))
    if low >= 0 and high < outputs.shape[1]:
        return
    bad = targets[((targets < 0) | (targets >= outputs.shape[1])) & (targets != ignored)]
    if len(bad):
        raise ValueError(
            f"the targets hold the class {int(bad[0])}, and the network has {outputs.shape[1]} outputs, for the classes"
            f" 0 to {outputs.shape[1] - 1}. Number the classes from 0, or give the network more outputs."
        )
