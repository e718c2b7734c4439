"""The networks of a variational autoencoder for patches of 32 pixels, and the bound that they climb."""

import math

import torch
from torch import nn


class VAE(nn.Module):
    """A variational autoencoder: three strided convolutions to a Gaussian of the latent numbers, and the way back.

    A patch is thought to be the decoder's answer plus independent normal noise in each pixel. The size of that noise is
    one number for all pixels, ``log_noise.exp()``, and is learned like a weight.

    Parameters
    ----------
    latent : int, optional
        How many numbers describe a patch.
    conditions : int, optional
        Numbers that are known besides, such as the 2 of :func:`medlearn.models.gan.conditions`; 0 for none. Encoder
        and decoder are both told.
    channels : int, optional
        Channels at 16 x 16; twice as many at 8 x 8 and at 4 x 4.

    Raises
    ------
    ValueError
        If a number is out of range; in a call, if the patches are not of 32 x 32 or the conditions do not fit.

    Examples
    --------
    >>> vae = VAE(latent=16, conditions=2, channels=8)
    >>> output, mean, log_variance = vae(torch.zeros(5, 1, 32, 32), torch.zeros(5, 2))
    >>> output.shape, mean.shape, log_variance.shape
    (torch.Size([5, 1, 32, 32]), torch.Size([5, 16]), torch.Size([5, 16]))

    References
    ----------
    Kingma DP, Welling M, ICLR 2014, https://doi.org/10.48550/arXiv.1312.6114.
    """

    def __init__(self, *, latent=32, conditions=0, channels=24):
        super().__init__()
        if min(latent, channels) < 1 or conditions < 0:
            raise ValueError(
                f"latent and channels must be 1 or more, conditions 0 or more; got {latent}, {channels}, {conditions}."
            )
        self.latent, self.conditions, self.channels = latent, conditions, channels
        wide = 2 * channels
        self.encoder = nn.Sequential(
            nn.Conv2d(1, channels, 4, stride=2, padding=1), nn.SiLU(),  # (n, 1, 32, 32) -> (n, channels, 16, 16)
            nn.Conv2d(channels, wide, 4, stride=2, padding=1), nn.SiLU(),  # -> (n, wide, 8, 8)
            nn.Conv2d(wide, wide, 4, stride=2, padding=1), nn.SiLU(), nn.Flatten(),  # -> (n, wide * 16)
        )  # fmt: skip
        self.to_gaussian, self.from_latent = nn.Linear(wide * 16, 2 * latent), nn.Linear(latent, wide * 16)
        # layers of their own, with fresh weights for few inputs: beside many others, two numbers would hardly be heard
        self.told = nn.ModuleList(nn.Linear(conditions, count) for count in (2 * latent, wide * 16) if conditions)
        self.decoder = nn.Sequential(
            nn.SiLU(), nn.Unflatten(1, (wide, 4, 4)),  # (n, wide * 16) -> (n, wide, 4, 4)
            nn.ConvTranspose2d(wide, wide, 4, stride=2, padding=1), nn.SiLU(),  # -> (n, wide, 8, 8)
            nn.ConvTranspose2d(wide, channels, 4, stride=2, padding=1), nn.SiLU(),  # -> (n, channels, 16, 16)
            nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1),  # -> (n, 1, 32, 32)
        )  # fmt: skip
        self.log_noise = nn.Parameter(torch.tensor(math.log(0.3)))

    def encode(self, images, conditions=None):
        """Return mean and log variance, shape (n, latent) each, of the latent numbers that fit each image."""
        if images.ndim != 4 or images.shape[1:] != (1, 32, 32):
            raise ValueError(f"images must have the shape (n, 1, 32, 32), got {tuple(images.shape)}: gan.scale.")
        maps = self.encoder(images)  # -> (n, wide * 16)
        return (self.to_gaussian(maps) + self._heard(0, conditions)).chunk(2, dim=1)  # -> (n, latent) twice

    def decode(self, latent, conditions=None):
        """Return the mean image, shape (n, 1, 32, 32), of each row of latent numbers, shape (n, latent)."""
        return self.decoder(self.from_latent(latent) + self._heard(1, conditions))

    def forward(self, images, conditions=None, generator=None):
        mean, log_variance = self.encode(images, conditions)
        latent = draw_latent(mean, log_variance, generator=generator)
        return self.decode(latent, conditions), mean, log_variance

    def _heard(self, place, conditions):
        """Return what the conditions add: in the encoder (place 0) or in the decoder (1)."""
        came = 0 if conditions is None else conditions.shape[-1]
        if came != self.conditions:
            raise ValueError(f"this network takes {self.conditions} conditions an image, got {came}.")
        return self.told[place](conditions) if came else 0.0


def draw_latent(mean, log_variance, *, generator=None):
    """Draw from a Gaussian as mean + deviation * noise, so that the gradient reaches both (reparametrisation)."""
    noise = torch.randn(mean.shape, generator=generator).to(mean)
    return mean + (0.5 * log_variance).exp() * noise


def gaussian_kl(mean, log_variance):
    """Return the Kullback-Leibler divergence of each row's Gaussian from the standard one, in nats.

    Parameters
    ----------
    mean, log_variance : tensor, shape (n, latent)

    Returns
    -------
    tensor, shape (n,)

    Examples
    --------
    >>> gaussian_kl(torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.zeros(2, 2))
    tensor([0., 2.])
    """
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)


def vae_loss(images, output, mean, log_variance, *, log_noise, beta=1.0):
    """Return the negative evidence lower bound, in nats a patch: a mean over the batch.

    Parameters
    ----------
    images, output : tensor, shape (n, 1, height, width)
        The patches, and the decoder's means for one draw of each.
    mean, log_variance : tensor, shape (n, latent)
        What the encoder said.
    log_noise : tensor or float
        The logarithm of the standard deviation of the pixel noise.
    beta : float, optional
        Weight of the divergence. Only 1 makes this a bound.

    Returns
    -------
    loss, reconstruction, divergence : scalar tensors
        ``loss = reconstruction + beta * divergence``; the first is minus the log density of the pixels.

    Raises
    ------
    ValueError
        If the shapes of images and output differ.

    Examples
    --------
    >>> zeros, rows = torch.zeros(3, 1, 2, 2), torch.zeros(3, 5)
    >>> loss, *_ = vae_loss(zeros, zeros, rows, rows, log_noise=torch.tensor(0.0))
    >>> round(loss.item(), 4)  # 4 pixels, each 0.5 log(2 pi)
    3.6758
    """
    if images.shape != output.shape:
        raise ValueError(f"images and output must have one shape, got {tuple(images.shape)} and {tuple(output.shape)}.")
    log_noise = torch.as_tensor(log_noise)
    scaled = (images - output) / log_noise.exp()
    per_pixel = 0.5 * scaled**2 + log_noise + 0.5 * math.log(2 * math.pi)
    reconstruction = per_pixel.flatten(1).sum(dim=1).mean()
    divergence = gaussian_kl(mean, log_variance).mean()
    return reconstruction + beta * divergence, reconstruction, divergence
