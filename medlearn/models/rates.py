"""The course of a learning rate over a training."""

import math


def rise_and_fall(total, rising):
    """Return a function that gives the factor of the learning rate at a step: up in a line, down along half a cosine.

    Parameters
    ----------
    total : int
        Steps of the training.
    rising : int
        So many of them rise, the last of which has the full rate; 1 or more.

    Returns
    -------
    function
        Takes a step, from 0 on, returns a number between 0 and 1: what ``torch.optim.lr_scheduler.LambdaLR`` takes.

    Examples
    --------
    >>> factor = rise_and_fall(10, 2)
    >>> [round(factor(step), 3) for step in (0, 1, 2, 6, 9, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.038, 0.0]
    """

    def factor(step):
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))

    return factor
