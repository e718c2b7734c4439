"""Train a PyTorch network on patches, and let it judge patches: the recipe that lesson 06b builds up step by step."""

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from medlearn.models.nodule_augmentation import Augmentation, augment, symmetries
from medlearn.models.nodule_cnn import to_input
from medlearn.models.rates import rise_and_fall

__all__ = ["Augmentation", "predict", "train"]


def train(
    model,
    images_hu,
    labels,
    *,
    num_epochs=24,
    batch_size=64,
    learning_rate=3e-3,
    weight_decay=0.05,
    schedule="cosine",
    augmentation=None,
    seed=0,
    device="cpu",
    progress=True,
):
    """Train a network that returns one logit a patch, with AdamW and the binary cross-entropy.

    Parameters
    ----------
    model : torch.nn.Module
        Takes ``(n, 1, height, width)``, returns ``(n,)`` logits; changed in place.
    images_hu : ndarray, shape (n, height, width)
        Patches in HU.
    labels : sequence of n numbers, 0 or 1
        1 = nodule.
    num_epochs, batch_size : int, optional
    learning_rate : float, optional
        The highest one.
    weight_decay : float, optional
        Pulls the weights, not the biases nor the scales of a normalisation, towards 0.
    schedule : {"cosine", "constant"}, optional
        ``"cosine"``: the rate rises over the first 15 % of the steps, then falls along half a cosine to 0.
    augmentation : Augmentation, optional
        None leaves the patches as they are.
    seed : int, optional
        Of the order of the patches, the augmentation and the dropout. The fresh weights are drawn before, by whoever
        builds the network. Equal seeds give equal networks on one machine with one number of threads.
    device : str or torch.device, optional
        Where to compute, such as ``runtime.pick_device()``.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    ndarray of float, shape (num_epochs,)
        The mean training loss of each epoch.

    Raises
    ------
    ValueError
        If the images hold NaN or have another shape, the labels are not 0 and 1 with both present, the counts differ,
        or an option is out of range.

    Examples
    --------
    >>> from medlearn.models.nodule_cnn_torch import PooledCNN
    >>> images_hu = np.full((40, 16, 16), -800.0)
    >>> images_hu[:20, 6:10, 6:10] = 0
    >>> _ = torch.manual_seed(0)
    >>> losses = train(PooledCNN(16, channels=(4, 8)), images_hu, [1] * 20 + [0] * 20, num_epochs=3, progress=False)
    >>> bool(losses[2] < losses[0])
    True

    References
    ----------
    Loshchilov I, Hutter F, ICLR 2019, https://doi.org/10.48550/arXiv.1711.05101 (AdamW).
    """
    patches, labels = _checked(images_hu, labels)
    _check_options(num_epochs=num_epochs, batch_size=batch_size, learning_rate=learning_rate, schedule=schedule)
    generator = torch.Generator().manual_seed(seed)
    model = model.to(device, memory_format=torch.channels_last)  # convolutions on a CPU are a third faster so
    optimizer = torch.optim.AdamW(_groups(model, weight_decay), lr=learning_rate)
    steps = max(1, len(patches) // batch_size)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, _SCHEDULES[schedule](steps * num_epochs))
    losses = np.zeros(num_epochs)
    model.train()
    with torch.random.fork_rng():  # dropout draws from the global state, which stays as it was
        torch.manual_seed(seed)
        for epoch in tqdm(range(num_epochs), desc="epochs", disable=not progress):
            order = torch.randperm(len(patches), generator=generator)
            for chosen in order.tensor_split(steps):
                batch = patches[chosen]
                if augmentation is not None:
                    batch = augment(batch, augmentation, generator=generator)
                loss = _step(model, optimizer, batch, labels[chosen])
                rate.step()
                losses[epoch] += loss * len(chosen) / len(patches)
    model.eval()
    return losses


@torch.no_grad()
def predict(model, images_hu, *, symmetric=True, batch_size=256):
    """Return the probability of a nodule in each patch.

    Parameters
    ----------
    model : torch.nn.Module
        As for :func:`train`. It is left in evaluation mode.
    images_hu : ndarray, shape (n, height, width)
        Patches in HU; square ones for ``symmetric=True``.
    symmetric : bool, optional
        Let the network judge the eight turns and mirror images of each patch, and take the mean of the logits. The
        answer is then the same for a patch and for its mirror image.
    batch_size : int, optional
        Patches at a time: memory, not the answer, depends on it.

    Returns
    -------
    ndarray of float64, shape (n,), in [0, 1]

    Raises
    ------
    ValueError
        If the images hold NaN, have another shape, or are not square where they must be.

    Examples
    --------
    >>> from medlearn.models.nodule_cnn_torch import PooledCNN
    >>> predict(PooledCNN(), np.full((3, 50, 50), -800.0)).shape
    (3,)
    """
    patches = torch.from_numpy(to_input(images_hu, layout="NCHW"))
    if symmetric and patches.shape[2] != patches.shape[3]:
        raise ValueError(
            f"images_hu must be square for symmetric=True, got {tuple(patches.shape[2:])}; pass symmetric=False."
        )
    model.eval()
    device = next(model.parameters()).device
    logits = []
    for batch in patches.split(batch_size):
        views = symmetries(batch) if symmetric else [batch]
        logits.append(torch.stack([_logits(model, view, device) for view in views]).mean(dim=0))
    return torch.sigmoid(torch.cat(logits).cpu().double()).numpy() if logits else np.zeros(0)


def _logits(model, patches, device):
    return model(patches.to(device).contiguous(memory_format=torch.channels_last))


def _step(model, optimizer, batch, targets):
    """Take one step down the loss of one batch, and return that loss."""
    device = next(model.parameters()).device
    loss = nn.functional.binary_cross_entropy_with_logits(_logits(model, batch, device), targets.to(device))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _groups(model, weight_decay):
    """Let the weight decay act on weights only: not on biases, nor on what a normalisation scales and shifts by."""
    weights = [value for value in model.parameters() if value.ndim > 1]
    others = [value for value in model.parameters() if value.ndim <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


_SCHEDULES = {
    "cosine": lambda total: rise_and_fall(total, max(1, round(0.15 * total))),
    "constant": lambda total: lambda step: 1.0,
}


def _checked(images_hu, labels):
    """Return the patches as an input tensor and the labels as floats, or say what is wrong with them."""
    patches = torch.from_numpy(to_input(images_hu, layout="NCHW"))
    labels = np.asarray(labels)
    if labels.shape != (len(patches),):
        raise ValueError(f"labels must have the shape ({len(patches)},), one for each patch, got {labels.shape}.")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1 (1 = nodule), got {np.unique(labels)[:5]}.")
    if len(np.unique(labels)) < 2:
        raise ValueError(f"labels must hold both 0 and 1, got {len(labels)} patches of one class.")
    return patches, torch.from_numpy(labels.astype(np.float32))


def _check_options(*, num_epochs, batch_size, learning_rate, schedule):
    for name, value in (("num_epochs", num_epochs), ("batch_size", batch_size), ("learning_rate", learning_rate)):
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}.")
    if schedule not in _SCHEDULES:
        raise ValueError(f"schedule must be one of {sorted(_SCHEDULES)}, got {schedule!r}.")
