"""Let a generator and a critic play against each other, and watch how the game goes."""

from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm.auto import tqdm

from medlearn import runtime
from medlearn.models.gan_average import MovingAverage
from medlearn.models.gan_losses import KINDS, discriminator_loss, generator_loss, gradient_penalty, r1_penalty
from medlearn.models.gan_making import Watch, call
from medlearn.models.gan_networks import Critic, Generator
from medlearn.models.gan_scaling import check_scaled

R1_EVERY = 4  # steps: R1 costs a second slope, and is as good when it is seldom and as much stronger (Karras 2020)


@dataclass
class GanRun:
    """What :func:`train` returns.

    Attributes
    ----------
    generator, averaged : torch.nn.Module
        As the last step left it, and the moving average over the steps.
    critic : torch.nn.Module
    history : dict of ndarray, shape (num_steps,)
        ``"steps"`` from 1 on, ``"critic_loss"`` (with its penalty), ``"generator_loss"``.
    frames : ndarray of float32, shape (k, 64, height, width), in HU
        The same 64 draws of noise, and conditions, made into patches by the averaged generator at ``frame_steps``.
    frame_steps : ndarray of int, shape (k,)
    distances : ndarray of float, shape (k,)
        What ``distance`` said then of 512 made patches; empty without it.
    """

    generator: torch.nn.Module
    averaged: torch.nn.Module
    critic: torch.nn.Module
    history: dict
    frames: np.ndarray = field(repr=False)
    frame_steps: np.ndarray
    distances: np.ndarray


def train(
    images, *, conditions=None, generator=None, critic=None, kind="non-saturating", num_steps=1000, batch_size=64,
    critic_steps=1, learning_rates=(2e-4, 2e-4), betas=(0.5, 0.999), penalty=0.0, r1=0.0, mismatch=0.0,
    decay=0.999, change=None, shake=None, watch_every=0, distance=None, seed=0,
    device=None, progress=True,
):  # fmt: skip
    """Train a generator against a critic.

    In each step the critic learns ``critic_steps`` times from fresh batches, then the generator once from the critic.

    Parameters
    ----------
    images : tensor, shape (n, 1, 32, 32)
        Scaled to -1..1 (:func:`~medlearn.models.gan.scale`). With networks of your own any shape (n, ...).
    conditions : tensor, shape (n, c), optional
        What each image shows. Made images are asked for with the conditions of training images.
    generator, critic : torch.nn.Module, optional
        Changed in place. ``generator`` has an attribute ``latent``: how many numbers of noise it takes. None: fresh
        ones, drawn with ``seed``.
    kind : {"non-saturating", "saturating", "hinge", "wasserstein"}, optional
        Of the two losses.
    num_steps, batch_size, critic_steps : int, optional
    learning_rates : (float, float), optional
        Of the generator's Adam, and of the critic's: two time scales where they differ.
    betas : (float, float), optional
        Of both.
    penalty : float, optional
        Weight of the gradient penalty in the critic's loss; 10 is usual with ``"wasserstein"``.
    r1 : float, optional
        Weight of :func:`~medlearn.models.gan.r1_penalty` in the critic's loss, counted every fourth step, fourfold.
    mismatch : float, optional
        From 0 to 0.5. So large a share of what counts as made are real images under the conditions of other images: the
        critic must look at both. The game then aims beside the data. With a share m, ``(1 - m) q(x|c) + m p(x)`` is to
        look like ``p(x|c)``, so the best generator is ``(p(x|c) - m p(x)) / (1 - m)`` where that is nowhere negative
        (else cut off at 0, with less of ``p(x|c)``). It makes conditions differ more than they do (where
        they overlap, means 1 / (1 - m) times as far from the middle), and fewer of the images that would fit either.
    decay : float, optional
        Of the moving average of the generator.
    change : function, optional
        Takes a batch of real images and a ``torch.Generator``, returns what the critic sees of them: augmentation.
    shake : function, optional
        Like ``change``, but for real **and** made images, and for the generator's turn too: the critic never sees an
        image as it is, so it cannot learn the training images by heart, and yet what shaking does to made images is
        no fault of theirs (Zhao 2020). Slopes must be able to pass through it.
    watch_every : int, optional
        Keep a frame at the first step, then each time so many steps are done. 0: none.
    distance : function, optional
        Takes made patches in HU, shape (512, height, width), returns a number; called for each frame.
    seed : int, optional
        Of fresh weights, batches, noise and penalty. Equal seeds give equal networks on one machine with one number of
        threads.
    device : str or torch.device, optional
        None: ``runtime.pick_device()``.
    progress : bool, optional

    Returns
    -------
    GanRun

    Raises
    ------
    ValueError
        If the counts differ, an image lies outside -1..1, or a number is out of range.

    Examples
    --------
    >>> run = train(torch.zeros(20, 1, 32, 32), generator=Generator(channels=4), critic=Critic(channels=4),
    ...             num_steps=3, batch_size=8, watch_every=2, progress=False)
    >>> run.frames.shape, run.frame_steps.tolist(), run.history["critic_loss"].shape
    ((2, 64, 32, 32), [1, 2], (3,))
    """
    _check(images, conditions, mismatch, kind)
    _check_positive(num_steps=num_steps, batch_size=batch_size, critic_steps=critic_steps)
    device, rng = torch.device(device or runtime.pick_device()), torch.Generator().manual_seed(seed)
    generator, critic = _networks(generator, critic, 0 if conditions is None else conditions.shape[1], seed, device)
    optimizers = [
        torch.optim.Adam(model.parameters(), lr=rate, betas=betas)
        for model, rate in zip((generator, critic), learning_rates, strict=True)
    ]
    averaged = MovingAverage(generator, decay=decay)
    draw = _Draws(images, conditions, generator.latent, batch_size, change, rng, device)
    watch = Watch(averaged.model, conditions, watch_every, distance, seed)
    losses = np.zeros((2, num_steps))
    for step in tqdm(range(num_steps), desc="steps", disable=not progress, leave=False):
        for _ in range(critic_steps):
            real, asked, latent = draw()
            losses[0, step] = critic_step(
                generator, critic, optimizers[1], real, latent, asked, kind=kind, penalty=penalty,
                r1=0.0 if step % R1_EVERY else R1_EVERY * r1, mismatch=mismatch, shake=shake, rng=rng,
            )  # fmt: skip
        _, asked, latent = draw(images_too=False)
        losses[1, step] = generator_step(
            generator, critic, optimizers[0], latent, asked, kind=kind, shake=shake, rng=rng
        )
        averaged.update(generator)
        watch(step + 1)
    history = {"steps": np.arange(1, num_steps + 1), "critic_loss": losses[0], "generator_loss": losses[1]}
    return GanRun(generator.eval(), averaged.model, critic.eval(), history, *watch.seen())


def critic_step(
    generator, critic, optimizer, real, latent, conditions=None, *, kind, penalty=0.0, r1=0.0, mismatch=0.0,
    shake=None, rng=None,
):  # fmt: skip
    """Let the critic learn from one batch of real patches and as many made ones; return its loss.

    The made patches are detached: this step must not change the generator.
    """
    made = call(generator, latent, conditions).detach()
    if shake is not None:
        real, made = shake(real, rng), shake(made, rng)
    on_real, on_made = (call(critic, images, conditions) for images in (real, made))
    wrong = round(mismatch / (1 - mismatch) * len(real))
    if wrong:  # so many real patches, each under what its neighbour in the batch shows
        on_made = torch.cat([on_made, critic(real[:wrong], conditions.roll(1, dims=0)[:wrong])])
    loss = discriminator_loss(on_real, on_made, kind=kind)
    if penalty:
        loss = loss + penalty * gradient_penalty(critic, real, made, conditions=conditions, generator=rng)
    if r1:
        loss = loss + r1 * r1_penalty(critic, real, conditions=conditions)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def generator_step(generator, critic, optimizer, latent, conditions=None, *, kind, shake=None, rng=None):
    """Let the generator learn from what the critic says of one batch; return its loss. The critic stays as it is."""
    critic.requires_grad_(False)  # the slope goes through the critic, but not into its weights: a third less work
    made = call(generator, latent, conditions)
    made = made if shake is None else shake(made, rng)
    loss = generator_loss(call(critic, made, conditions), kind=kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    critic.requires_grad_(True)
    return loss.item()


class _Draws:
    """Draw batches of real images, what they show, and noise."""

    def __init__(self, images, conditions, latent, batch_size, change, rng, device):
        self.images, self.conditions = images, conditions
        self.latent, self.batch_size, self.change, self.rng, self.device = latent, batch_size, change, rng, device

    def __call__(self, *, images_too=True):
        rows = torch.randint(len(self.images), (self.batch_size,), generator=self.rng)
        latent = torch.randn(self.batch_size, self.latent, generator=self.rng).to(self.device)
        asked = None if self.conditions is None else self.conditions[rows].to(self.device)
        if not images_too:
            return None, asked, latent
        real = self.images[rows]
        real = real if self.change is None else self.change(real, self.rng)
        return real.to(self.device), asked, latent


def _networks(generator, critic, num_conditions, seed, device):
    """Return the two networks on their device; those that are None are drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Generator(conditions=num_conditions) if generator is None else generator
        critic = Critic(conditions=num_conditions) if critic is None else critic
    # channels_last: convolutions on a CPU are faster so; the numbers stay
    return [model.to(device, memory_format=torch.channels_last).train() for model in (generator, critic)]


def _check(images, conditions, mismatch, kind):
    if len(images) < 2:
        raise ValueError(f"images must hold 2 patches or more, got {len(images)}.")
    check_scaled(images, conditions)
    if not 0 <= mismatch <= 0.5:
        raise ValueError(f"mismatch must be from 0 to 0.5, got {mismatch}.")
    if mismatch and conditions is None:
        raise ValueError(f"mismatch={mismatch} needs conditions: without any, none can be wrong.")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")


def _check_positive(**options):
    for name, value in options.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}.")
