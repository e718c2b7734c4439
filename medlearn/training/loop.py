"""The training loop."""

import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from medlearn import runtime
from medlearn.training.checkpoint import checked_path
from medlearn.training.checks import check_batch, check_finite, check_loss, check_options, check_run, check_score
from medlearn.training.history import Record
from medlearn.training.precision import choose_precision
from medlearn.training.randomness import randomness_of
from medlearn.training.run import Run, read_fitting
from medlearn.training.settings import settings_of


def fit(
    model,
    train,
    *,
    loss=F.cross_entropy,
    optimizer,
    num_epochs,
    validation=None,
    monitor="loss",
    patience=None,
    schedule=None,
    clip_norm=None,
    mixed_precision="auto",
    checkpoint=None,
    seed=0,
    device=None,
    progress=True,
):
    """Train a network.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place; left on ``device``, in evaluation mode. With validation it has the weights (and the running
        statistics of its normalisations) of the best epoch in the end, without it those of the last.
    train : Batches, DataLoader or another re-iterable with a length
        Gives ``(inputs, targets)``; a tuple of inputs goes to ``model(*inputs)``.
    loss : function or torch.nn.Module, optional
        ``loss(outputs, targets)``: a tensor with one number, the mean over the batch. A module is moved to the device.
    optimizer : torch.optim.Optimizer
        Over ``model.parameters()``, or some of them.
    num_epochs : int
        At most so many, those of a checkpoint included.
    validation : as ``train``, optional
        Patients that are not in ``train``. Judged after each epoch.
    monitor : "loss" or function, optional
        Which epoch is the best: that with the lowest validation loss, or the highest ``score(outputs, targets)`` over
        all of the validation set, on the CPU. Of equal epochs, the first.
    patience : int, optional
        Stop after so many epochs in a row that were no better than the best one before them.
    schedule : torch LR scheduler or function, optional
        Moved on after each **step**, not each epoch: a ``T_max`` or ``total_steps`` is ``num_epochs * len(train)``.
        A function takes the fraction of the steps that are done, from 0 to 1, and returns a factor for the
        optimizer's learning rates.
    clip_norm : float, optional
        Shorten a gradient longer than this, over all weights together, to this length.
    mixed_precision : {"auto", True, False}, optional
        ``"auto"``: 16 bits in the forward pass on a CUDA device with tensor cores, for a network without recurrent
        layers; else never.
    checkpoint : str or Path, optional
        A file that is written after each epoch. If it is there at the start, the training goes on from it, and on
        one machine with one number of threads it comes to the same weights, bit for bit, as if it had never been
        interrupted. See Notes.
    seed : int, optional
        Of the order of the batches, the dropout, and whatever else draws from torch's generators: they are seeded anew
        for each epoch from ``seed`` and its number. The caller's global generators stay as they were. The fresh
        weights are drawn before, by whoever builds the model.
    device : str or torch.device, optional
        Default: :func:`medlearn.runtime.pick_device`.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If an argument makes no sense, the targets do not fit the loss, or the checkpoint is damaged or of another run:
        model, optimizer and file are then as they were.
    FloatingPointError
        If the loss or the gradient is NaN or infinite. The checkpoint of the epoch before is whole.

    Notes
    -----
    Build the model, the optimizer and the schedule as for a fresh run, whether or not there is a checkpoint. Its
    settings and the checksum of its data must be those of the file; only ``num_epochs`` and ``patience`` may change.
    With more epochs, a function for ``schedule`` is stretched over all of them, so the rate jumps where the run is
    taken up again, and the result is not that of a run that was planned so long; a torch scheduler goes on as it was
    built, and one with a length of its own (``OneCycleLR``) ends there. Interrupt a run as you like: what is lost
    is the epoch that had begun.

    Examples
    --------
    >>> from medlearn.training import Batches
    >>> inputs, targets = torch.eye(8), torch.arange(8) % 2
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Linear(8, 2)
    >>> fit(model, Batches(inputs, targets), optimizer=torch.optim.SGD(model.parameters(), lr=1.0), num_epochs=3,
    ...     validation=Batches(inputs, targets, shuffle=False), progress=False).best_epoch
    2
    """
    check_options(
        num_epochs=num_epochs, validation=validation, monitor=monitor, patience=patience,
        clip_norm=clip_norm, seed=seed, loss=loss,
    )  # fmt: skip
    check_run(model, train, validation, optimizer, schedule, num_epochs=num_epochs, checkpoint=checkpoint)
    device = runtime.pick_device() if device is None else torch.device(device)
    precision, path = choose_precision(mixed_precision, device, model), checked_path(checkpoint)
    settings = path and settings_of(
        train=train, validation=validation, optimizer=optimizer, schedule=schedule,
        loss=loss, monitor=monitor, clip_norm=clip_norm, seed=seed,
    )  # fmt: skip
    found = read_fitting(path, model=model, settings=settings)
    run = Run(model, loss, optimizer, schedule, clip_norm, precision, device, Record(by_score=callable(monitor)))
    run.prepare(num_steps=num_epochs * len(train))
    if found is not None:
        run.resume(found)
    try:
        with _progress_bar(num_epochs, len(train), run.record, progress) as bar:
            while len(run.record) < num_epochs and not run.record.out_of_patience(patience):
                with randomness_of(len(run.record), seed=seed, device=device, loaders=[train, validation]):
                    run.record.add(**_epoch(run, train, validation, monitor, bar))
                run.keep_best()
                if path is not None:
                    run.save(path, settings)
        run.restore_best()
    finally:
        model.eval()
    return run.record.history(patience)


def _epoch(run, train, validation, monitor, bar):
    """Train for one epoch, judge the network, and return the numbers to be recorded."""
    start = time.perf_counter()
    numbers = {"validation_loss": math.nan, "score": math.nan} | _train(run, train, bar)
    if validation is not None:
        numbers |= _validate(run, validation, monitor)
        bar.set_postfix_str(f"loss {numbers['train_loss']:.4g}, validation loss {numbers['validation_loss']:.4g}")
    return numbers | {"seconds": time.perf_counter() - start}


def _train(run, train, bar):
    """Go once through the training data."""
    run.model.train()
    losses, norms, counts = [], [], []
    for step, batch in enumerate(train):
        inputs, targets = check_batch(batch)
        loss, norm = _step(run, inputs, targets, step)
        losses.append(loss)
        norms.append(norm)
        counts.append(len(targets))
        bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
        bar.update()
    if not losses:
        raise ValueError("train gave no batch; a generator can be gone through only once. Use training.Batches.")
    finite = [norm for norm in norms if math.isfinite(norm)] or [math.nan]
    return {
        "train_loss": np.average(losses, weights=counts),
        "gradient_norm": np.mean(finite),
        "largest_gradient_norm": max(finite),
    }


def _step(run, inputs, targets, step):
    """Take one step down the loss of one batch; return that loss and the norm of its gradient."""
    loss, _ = _loss(run, inputs, targets)
    value = loss.item()
    check_finite(value, "the training loss", epoch=len(run.record), step=step)
    run.optimizer.zero_grad()
    scaler = run.precision.scaler  # hands everything through, but for float16
    scaler.scale(loss).backward()
    norm = _clip(run, step)
    scale = scaler.get_scale()
    scaler.step(run.optimizer)
    scaler.update()
    if run.schedule is not None and scaler.get_scale() >= scale:  # a lower scale: the step was left out
        run.schedule.step()
    return value, norm


def _loss(run, inputs, targets):
    """Return the loss of one batch, and the outputs."""
    inputs = [each.to(run.device) for each in inputs]
    with run.precision.autocast():
        outputs = run.model(*inputs)
        run.check_targets(outputs, targets, ranges=run.device.type != "cpu")
        try:
            loss = run.loss(outputs, targets.to(run.device))
        except IndexError:  # how a CPU says that a class is out of range
            run.check_targets(outputs, targets, ranges=True)
            raise
    return check_loss(loss), outputs


def _clip(run, step):
    """Shorten the gradient to ``clip_norm``, and return the norm that it had."""
    if run.clip_norm is None:
        return math.nan
    run.precision.scaler.unscale_(run.optimizer)
    norm = nn.utils.clip_grad_norm_(run.weights, run.clip_norm).item()
    if not run.precision.scaler.is_enabled():  # the scaler leaves out a step whose gradient overflowed
        check_finite(norm, "the norm of the gradient", epoch=len(run.record), step=step)
    return norm


@torch.no_grad()
def _validate(run, validation, monitor):
    """Judge the network on data that it does not learn from."""
    run.model.eval()
    losses, counts, outputs, targets = [], [], [], []
    for batch in validation:
        inputs, expected = check_batch(batch)
        loss, output = _loss(run, inputs, expected)
        losses.append(loss.item())
        counts.append(len(expected))
        if callable(monitor):
            outputs.append(output.float().cpu())
            targets.append(expected.cpu())
    if not losses:
        raise ValueError("validation gave no batch; a generator can be gone through only once. Use training.Batches.")
    mean = np.average(losses, weights=counts)
    check_finite(mean, "the validation loss", epoch=len(run.record))
    if not callable(monitor):
        return {"validation_loss": mean}
    return {"validation_loss": mean, "score": check_score(monitor(torch.cat(outputs), torch.cat(targets)))}


def _progress_bar(num_epochs, num_batches, record, progress):
    done = len(record) * num_batches
    return tqdm(total=num_epochs * num_batches, initial=done, desc="training", unit="batch", disable=not progress)
