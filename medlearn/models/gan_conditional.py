"""The recipe for conditional generators of nodule patches, and the generator that comes with the library."""

from pathlib import Path

import torch

from medlearn.models.gan_networks import Critic, Generator
from medlearn.models.gan_scaling import conditions, middle, scale
from medlearn.models.gan_shaking import shaken
from medlearn.models.gan_training import train
from medlearn.models.nodule_augmentation import symmetries
from medlearn.models.weights import load

WEIGHTS = Path(__file__).with_name("gan_generator.safetensors")
CHANNELS = 32


# What train_conditional hands to train, but for the functions; numbers only, so that a study can store it.
RECIPE = {
    "kind": "non-saturating",
    "num_steps": 2000,
    "learning_rates": (1e-3, 1e-3),
    "betas": (0.0, 0.99),
    "r1": 1.0,
    "mismatch": 0.2,
    "decay": 0.999,
}


def train_conditional(
    images_hu, labels, diameters_mm=None, *, num_steps=RECIPE["num_steps"], watch_every=0, distance=None, seed=0,
    device=None, progress=True,
):  # fmt: skip
    """Train a generator that can be asked for a nodule or none, and for a diameter.

    The recipe, ``RECIPE``: non-saturating losses; real patches are turned and mirrored at random; what the critic sees,
    real or made, is shaken (:func:`~medlearn.models.gan.shaken`), and its slope at real patches is held by R1; a fifth
    of what counts as made are real patches under wrong conditions; a moving average of the generator. ``WEIGHTS.md``
    beside the weights tells how it was chosen.

    Parameters
    ----------
    images_hu : ndarray, shape (n, height, width)
        Patches in HU with 32 pixels or more each way: the middle is taken.
    labels : sequence of n numbers, 0 or 1
        1 = nodule.
    diameters_mm : sequence of n numbers, optional
        Of the nodules; NaN where it is not known.
    num_steps : int, optional
    watch_every, distance, seed, device, progress : optional
        As for :func:`~medlearn.models.gan.train`. The fresh weights are drawn with the seed too.

    Returns
    -------
    GanRun
        ``run.averaged`` is the generator to use, with :func:`~medlearn.models.gan.make_patches`.

    Raises
    ------
    ValueError
        If the images are smaller, the counts differ, or the labels are not 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> run = train_conditional(np.full((8, 64, 64), -850.0), [1, 0] * 4, [9.0] * 8, num_steps=1, progress=False)
    >>> run.averaged(torch.zeros(3, 64), conditions([0, 1, 1], [0, 5, 20])).shape
    torch.Size([3, 1, 32, 32])
    """
    asked = conditions(labels, diameters_mm)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Generator(conditions=asked.shape[1], channels=CHANNELS)
        critic = Critic(conditions=asked.shape[1], channels=CHANNELS)
    return train(
        scale(middle(images_hu)), conditions=asked, generator=generator, critic=critic, change=turned, shake=shaken,
        watch_every=watch_every, distance=distance, seed=seed, device=device, progress=progress,
        **RECIPE | {"num_steps": num_steps},
    )  # fmt: skip


def turned(images, rng):
    """Turn each image by a random number of right angles, and mirror half of them.

    Parameters
    ----------
    images : tensor, shape (n, channels, size, size)
    rng : torch.Generator

    Returns
    -------
    tensor of the same shape

    Examples
    --------
    >>> rows = torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> turned(rows, torch.Generator().manual_seed(0)).sum()
    tensor(6.)
    """
    views = torch.stack(symmetries(images))  # (8, n, channels, size, size)
    return views[torch.randint(len(views), (len(images),), generator=rng), torch.arange(len(images))]


def load_generator():
    """Return the conditional generator that comes with the library, trained on 80 SIMULATED patients.

    Returns
    -------
    Generator
        On the CPU, in evaluation mode. ``WEIGHTS.md`` beside the weights tells more.

    Examples
    --------
    >>> from medlearn.models import gan
    >>> gan.make_patches(load_generator(), gan.conditions([1, 0], [8.0, 0.0])).shape
    (2, 32, 32)
    """
    return load(Generator(conditions=2, channels=CHANNELS).half(), WEIGHTS).float().eval()
