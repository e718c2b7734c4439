"""Shake what a critic sees, so that it cannot learn a few hundred training patches by heart."""

import torch
import torch.nn.functional as F

AIR = -1.0  # what is shifted in from outside: -1000 HU
SHIFT, HOLE, BRIGHTNESS = 4, 10, 0.1  # pixels, pixels, and a share of half the window: 70 HU


def shaken(images, rng, *, shift=SHIFT, hole=HOLE, brightness=BRIGHTNESS):
    """Shift each image, cut a hole into it and change its brightness, at random; slopes pass through.

    Parameters
    ----------
    images : tensor, shape (n, channels, height, width), in -1 to 1
    rng : torch.Generator
    shift : int, optional
        Pixels along rows and along columns, up to this many; air comes in from outside.
    hole : int, optional
        Side of a square of value 0, anywhere in the image; parts of it may lie outside.
    brightness : float, optional
        Up to this much is added or taken away.

    Returns
    -------
    tensor of the same shape

    Examples
    --------
    >>> images = torch.zeros(5, 1, 32, 32)
    >>> shaken(images, torch.Generator().manual_seed(0)).shape
    torch.Size([5, 1, 32, 32])

    References
    ----------
    Zhao S et al., NeurIPS 2020, https://doi.org/10.48550/arXiv.2006.10738.
    """
    count, _, height, width = images.shape

    def draw(highest):
        return torch.randint(highest, (count, 1), generator=rng).to(images.device)

    images = images + brightness * (2 * torch.rand(count, 1, 1, 1, generator=rng).to(images.device) - 1)
    rows = draw(2 * shift + 1) + torch.arange(height, device=images.device)  # (n, height), of the padded image
    columns = draw(2 * shift + 1) + torch.arange(width, device=images.device)
    padded = F.pad(images, (shift,) * 4, value=AIR)
    each = torch.arange(count, device=images.device)[:, None, None]
    images = padded[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)  # channels came last
    in_rows, in_columns = (
        (draw(size) - torch.arange(size, device=images.device)).abs() * 2 < hole for size in (height, width)
    )
    return images * ~(in_rows[:, None, :, None] & in_columns[:, None, None, :])
