"""A generator and a critic for patches of 32 pixels, as in DCGAN."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from medlearn.models.gan_scaling import SIZE


class Generator(nn.Module):
    """Make patches out of noise: a linear layer to 4 x 4 places, then three transposed convolutions, 8, 16, 32 pixels.

    A kernel of 4 pixels at a stride of 2 reaches each pixel of its result equally often, but for the edge. Batch
    normalisation and a rectifier stand before each of the three; a hyperbolic tangent at the end keeps the values
    within -1 to 1.

    Parameters
    ----------
    latent : int, optional
        How many numbers of noise make a patch.
    conditions : int, optional
        How many numbers say what is asked for. They have a linear layer of their own, which begins with larger weights
        than the noise's: behind 64 numbers of noise two would hardly be heard. 0: nothing can be asked for.
    channels : int, optional
        Of the maps of 8 x 8; twice as many at 4 x 4, half as many at 16 x 16. Even.

    Raises
    ------
    ValueError
        If a number is out of range; in a call, if the noise or the conditions have another shape.

    Examples
    --------
    >>> import torch
    >>> generator = Generator(conditions=2, channels=8)
    >>> generator(torch.randn(5, 64), torch.zeros(5, 2)).shape
    torch.Size([5, 1, 32, 32])

    References
    ----------
    Radford A et al., ICLR 2016, https://doi.org/10.48550/arXiv.1511.06434 (DCGAN).
    """

    def __init__(self, *, latent=64, conditions=0, channels=64):
        super().__init__()
        _check_sizes(channels, conditions, latent)
        self.latent, self.conditions, self.channels = latent, conditions, channels
        wide, narrow = 2 * channels, channels // 2
        self.project = nn.Linear(latent, wide * 4 * 4, bias=False)
        self.ask = nn.Linear(conditions, wide * 4 * 4, bias=False) if conditions else None
        self.stages = nn.Sequential(
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.ConvTranspose2d(wide, channels, 4, stride=2, padding=1, bias=False),  # 4 -> 8
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, narrow, 4, stride=2, padding=1, bias=False),  # 8 -> 16
            nn.BatchNorm2d(narrow),
            nn.ReLU(),
            nn.ConvTranspose2d(narrow, 1, 4, stride=2, padding=1),  # 16 -> 32
            nn.Tanh(),
        )

    def forward(self, latent, conditions=None):
        if latent.ndim != 2 or latent.shape[1] != self.latent:
            raise ValueError(f"latent must have the shape (n, {self.latent}), got {tuple(latent.shape)}.")
        _check_conditions(conditions, self.conditions, len(latent))
        values = self.project(latent)  # -> (n, 2 channels * 4 * 4)
        if self.conditions:
            values = values + self.ask(2 * conditions - 1)  # 0 and 1 push equally hard, to opposite sides
        return self.stages(values.unflatten(1, (2 * self.channels, 4, 4)))  # -> (n, 1, 32, 32)


class Critic(nn.Module):
    """Give each patch one number, high for those from the training set: three strided convolutions, then a sum.

    There is no batch normalisation: the score of a patch must not depend on the other patches of its batch, which a
    gradient penalty takes for granted. Conditions enter by projection: the score is :math:`u \\cdot h(x) + V(2c - 1)
    \\cdot h(x)` with the maps :math:`h(x)`. The second term asks whether the patch fits what was asked for; with
    :math:`2c - 1` it does so for the label 0 too.

    Parameters
    ----------
    conditions : int, optional
        How many numbers say what was asked for.
    channels : int, optional
        Of the maps of 8 x 8; half as many at 16 x 16, twice as many at 4 x 4. Even.
    spectral : bool, optional
        Divide each layer's weights, as a matrix with a row for each output, by their largest singular value
        (spectral normalisation).

    Raises
    ------
    ValueError
        If a number is out of range; in a call, if the images or the conditions have another shape.

    Examples
    --------
    >>> import torch
    >>> critic = Critic(conditions=2, channels=8, spectral=True)
    >>> critic(torch.zeros(5, 1, 32, 32), torch.zeros(5, 2)).shape
    torch.Size([5])

    References
    ----------
    Miyato T, Koyama M, ICLR 2018, https://doi.org/10.48550/arXiv.1802.05637 (projection). Miyato T et al., ICLR 2018,
    https://doi.org/10.48550/arXiv.1802.05957 (spectral normalisation).
    """

    def __init__(self, *, conditions=0, channels=64, spectral=False):
        super().__init__()
        _check_sizes(channels, conditions)
        self.conditions, self.channels = conditions, channels
        norm = spectral_norm if spectral else (lambda layer: layer)
        wide, narrow = 2 * channels, channels // 2
        self.stages = nn.Sequential(
            norm(nn.Conv2d(1, narrow, 4, stride=2, padding=1)),  # 32 -> 16
            nn.LeakyReLU(0.2),
            norm(nn.Conv2d(narrow, channels, 4, stride=2, padding=1)),  # 16 -> 8
            nn.LeakyReLU(0.2),
            norm(nn.Conv2d(channels, wide, 4, stride=2, padding=1)),  # 8 -> 4
            nn.LeakyReLU(0.2),
        )
        self.output = norm(nn.Linear(wide * 4 * 4, 1))
        self.embed = norm(nn.Linear(conditions, wide * 4 * 4, bias=False)) if conditions else None

    def forward(self, images, conditions=None):
        if images.shape[1:] != (1, SIZE, SIZE):
            raise ValueError(f"images must have the shape (n, 1, {SIZE}, {SIZE}), got {tuple(images.shape)}.")
        _check_conditions(conditions, self.conditions, len(images))
        maps = self.stages(images).flatten(1)  # (n, 1, 32, 32) -> (n, 2 channels * 4 * 4)
        score = self.output(maps)[:, 0]  # -> (n,)
        if self.conditions:
            score = score + (self.embed(2 * conditions - 1) * maps).sum(dim=1)
        return score


def _check_sizes(channels, conditions, latent=1):
    if channels < 2 or channels % 2:
        raise ValueError(f"channels must be an even number from 2 on, got {channels}; such as 32 or 64.")
    if conditions < 0 or latent < 1:
        raise ValueError(f"conditions must be 0 or more and latent 1 or more, got {conditions} and {latent}.")


def _check_conditions(conditions, expected, count):
    shape = None if conditions is None else tuple(conditions.shape)
    if shape != ((count, expected) if expected else None):
        wanted = f"conditions of shape ({count}, {expected})" if expected else "no conditions"
        raise ValueError(f"this network takes {wanted}, got {'none' if shape is None else f'the shape {shape}'}.")
