"""What the two players of an adversarial game pay, and the penalty that keeps a critic's slope near 1."""

import torch
from torch.nn import functional as F

KINDS = ("saturating", "non-saturating", "hinge", "wasserstein")


def discriminator_loss(on_real, on_made, *, kind):
    r"""Return what the discriminator (critic) pays for its scores, to be made small.

    ``"saturating"`` and ``"non-saturating"`` are the same here, the cross-entropy of the game: the mean of
    :math:`-\log\sigma(l)` on real ones and of :math:`-\log(1-\sigma(l))` on made ones. ``"hinge"``:
    :math:`\max(0, 1-l)` and :math:`\max(0, 1+l)`. ``"wasserstein"``: :math:`-l` and :math:`l`.

    Parameters
    ----------
    on_real, on_made : tensor, shape (n,)
        Scores, also called logits: any number, high means real.
    kind : {"saturating", "non-saturating", "hinge", "wasserstein"}

    Returns
    -------
    tensor, a number

    Raises
    ------
    ValueError
        If the kind is unknown or the scores are not a row of numbers.

    Examples
    --------
    >>> discriminator_loss(torch.tensor([3.0]), torch.tensor([0.5]), kind="hinge")
    tensor(1.5000)

    References
    ----------
    Goodfellow I et al., NeurIPS 2014, https://doi.org/10.48550/arXiv.1406.2661. Lim JH, Ye JC, 2017,
    https://doi.org/10.48550/arXiv.1705.02894 (hinge). Arjovsky M et al., 2017,
    https://doi.org/10.48550/arXiv.1701.07875 (Wasserstein).
    """
    _check_scores(kind, on_real, on_made)
    if kind == "hinge":
        return F.relu(1 - on_real).mean() + F.relu(1 + on_made).mean()
    if kind == "wasserstein":
        return on_made.mean() - on_real.mean()
    return F.softplus(-on_real).mean() + F.softplus(on_made).mean()  # softplus(-l) = -log sigma(l), and never overflows


def generator_loss(on_made, *, kind):
    r"""Return what the generator pays for the scores of what it made, to be made small.

    ``"saturating"``: the mean of :math:`\log(1-\sigma(l))`, the game as it stands; its slope vanishes where the
    discriminator is sure. ``"non-saturating"``: :math:`-\log\sigma(l)`. ``"hinge"`` and ``"wasserstein"``: :math:`-l`.

    Parameters
    ----------
    on_made : tensor, shape (n,)
        Scores of made ones.
    kind : {"saturating", "non-saturating", "hinge", "wasserstein"}

    Returns
    -------
    tensor, a number

    Raises
    ------
    ValueError
        If the kind is unknown or the scores are not a row of numbers.

    Examples
    --------
    >>> generator_loss(torch.tensor([0.0, 0.0]), kind="non-saturating")  # log 2
    tensor(0.6931)
    """
    _check_scores(kind, on_made)
    if kind == "saturating":
        return -F.softplus(on_made).mean()  # -softplus(l) = log(1 - sigma(l))
    if kind == "non-saturating":
        return F.softplus(-on_made).mean()
    return -on_made.mean()


def gradient_penalty(critic, real, made, *, conditions=None, target=1.0, generator=None):
    r"""Return the mean of :math:`(\|\nabla_x f(x)\| - 1)^2` at random points on the lines from real to made ones.

    Parameters
    ----------
    critic : function
        Takes ``points`` or, with conditions, ``points, conditions``, and returns scores of shape (n,). The score of a
        point must depend on this point alone: no batch normalisation.
    real, made : tensor, shape (n, ...)
        The k-th real one is joined with the k-th made one.
    conditions : tensor, shape (n, c), optional
    target : float, optional
        The norm that costs nothing.
    generator : torch.Generator, optional
        Draws the places on the lines; None: torch's own.

    Returns
    -------
    tensor, a number
        Its slope with respect to the critic's weights can be taken.

    Raises
    ------
    ValueError
        If real and made ones differ in shape.

    Examples
    --------
    >>> slope = torch.tensor([3.0, 4.0])  # of norm 5 everywhere: (5 - 1)^2
    >>> gradient_penalty(lambda points: points @ slope, torch.zeros(7, 2), torch.ones(7, 2))
    tensor(16.)

    References
    ----------
    Gulrajani I et al., NeurIPS 2017, https://doi.org/10.48550/arXiv.1704.00028.
    """
    if real.shape != made.shape:
        raise ValueError(f"real and made must have the same shape, got {tuple(real.shape)} and {tuple(made.shape)}.")
    share = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype).to(real.device)
    slopes = _slopes(critic, share * real + (1 - share) * made, conditions)
    return (slopes.norm(dim=1) - target).square().mean()


def r1_penalty(critic, real, *, conditions=None):
    r"""Return half the mean of :math:`\|\nabla_x f(x)\|^2` at the real points: R1.

    It asks a critic that sees no difference any more to be flat where the data are. Without it the game may circle
    about its rest; with it, it comes to rest nearby.

    Parameters
    ----------
    critic : function
        As for :func:`gradient_penalty`.
    real : tensor, shape (n, ...)
    conditions : tensor, shape (n, c), optional

    Returns
    -------
    tensor, a number
        Its slope with respect to the critic's weights can be taken.

    Examples
    --------
    >>> slope = torch.tensor([3.0, 4.0])  # of norm 5 everywhere: 25 / 2
    >>> r1_penalty(lambda points: points @ slope, torch.zeros(7, 2))
    tensor(12.5000)

    References
    ----------
    Mescheder L, Geiger A, Nowozin S, ICML 2018, https://doi.org/10.48550/arXiv.1801.04406.
    """
    return _slopes(critic, real, conditions).square().sum(dim=1).mean() / 2


def _slopes(critic, points, conditions):
    """Return the slope of the critic's score at each point, shape (n, numbers of a point)."""
    points = points.detach().requires_grad_()
    scores = critic(points) if conditions is None else critic(points, conditions)
    (slopes,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
    return slopes.flatten(1)


def _check_scores(kind, *scores):
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    for some in scores:
        if some.ndim != 1:
            raise ValueError(f"scores must have the shape (n,), one for each patch, got {tuple(some.shape)}.")
