"""A moving average of a network's weights."""

import copy

import torch


class MovingAverage:
    """Keep a slowly moving average of a network's weights: after each step, d times the old plus (1 - d) times the new.

    Parameters
    ----------
    model : torch.nn.Module
        The average begins as a copy of it.
    decay : float, optional
        d. A weight of 1000 steps ago counts 0.37 times as much as today's for 0.999.
    warm_up : bool, optional
        The t-th update takes (1 + t) / (10 + t) where that is less than d, so that the untrained weights are soon
        forgotten.

    Attributes
    ----------
    model : torch.nn.Module
        The average, in evaluation mode. Running means and variances are averaged too; counters are copied.

    Raises
    ------
    ValueError
        If the decay is not from 0 up to but not including 1.

    Examples
    --------
    >>> line = torch.nn.Linear(1, 1, bias=False)
    >>> _ = torch.nn.init.constant_(line.weight, 0.0)
    >>> average = MovingAverage(line, decay=0.9, warm_up=False)
    >>> _ = torch.nn.init.constant_(line.weight, 1.0)
    >>> average.update(line)
    >>> round(average.model.weight.item(), 3)
    0.1
    """

    def __init__(self, model, *, decay=0.999, warm_up=True):
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be from 0 up to but not including 1, got {decay}; 0.999 is usual.")
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay, self.warm_up, self.updates = decay, warm_up, 0

    @torch.no_grad()
    def update(self, model):
        """Move the average towards the weights that ``model`` has now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warm_up else self.decay
        new = model.state_dict()
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - decay)
            else:
                value.copy_(new[name])
