"""Ask a trained network."""

import torch

from medlearn.training.batches import as_inputs


@torch.no_grad()
def predict(model, inputs, *, batch_size=256, device=None):
    """Return what a network says of each item, in evaluation mode and without gradients.

    Parameters
    ----------
    model : torch.nn.Module
        Left in evaluation mode, on ``device``.
    inputs : tensor or ndarray, or a tuple of them, each of shape (n, ...)
        As for :class:`medlearn.training.Batches`.
    batch_size : int, optional
        Items at a time: memory, not the answer, depends on it.
    device : str or torch.device, optional
        Default: where the model is.

    Returns
    -------
    tensor, shape (n, ...)
        On the CPU.

    Raises
    ------
    ValueError
        If there is no item, the inputs differ in length, or ``batch_size`` is below 1.

    Examples
    --------
    >>> predict(torch.nn.Linear(3, 2), torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """
    inputs = as_inputs(inputs)
    lengths = {len(each) for each in inputs}
    if len(lengths) != 1 or 0 in lengths or batch_size < 1:
        raise ValueError(
            f"predict needs at least one item, inputs of one length and a batch_size of at least 1; got the shapes"
            f" {[tuple(each.shape) for each in inputs]} and batch_size={batch_size}."
        )
    device = device_of(model) if device is None else torch.device(device)
    model.to(device).eval()
    batches = zip(*(each.split(batch_size) for each in inputs), strict=True)
    return torch.cat([model(*(each.to(device) for each in batch)).cpu() for batch in batches])


def device_of(model):
    """Return where the weights of a network are; the CPU if it has none."""
    return next((weights.device for weights in model.parameters()), torch.device("cpu"))
