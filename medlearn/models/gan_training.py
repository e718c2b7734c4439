"""Let a generator and a critic play against each other, and watch how the game goes."""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm.auto import tqdm

from medlearn import runtime
from medlearn.models.gan_losses import KINDS, discriminator_loss, generator_loss, gradient_penalty
from medlearn.models.gan_networks import Critic, Generator, unscale

GRID, JUDGED = 64, 512  # patches of a frame; patches that a distance is computed from


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
    critic_steps=1, learning_rates=(2e-4, 2e-4), betas=(0.5, 0.999), penalty=0.0, mismatch=False,
    decay=0.999, schedule="constant", change=None, watch_every=0, distance=None, seed=0, device=None, progress=True,
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
    mismatch : bool, optional
        Count real images under the conditions of other images as made ones too: the critic must look at both. The game
        then aims beside the data. Half of what counts as made, ``(q(x|c) + p(x)) / 2``, is to look like ``p(x|c)``:
        the best generator is ``2 p(x|c) - p(x)`` where that is positive. It makes conditions differ more than they do
        (means twice as far from the middle where they overlap), and fewer of the images that would fit either.
    decay : float, optional
        Of the moving average of the generator.
    schedule : {"constant", "linear"}, optional
        ``"linear"``: both rates fall in a straight line, to 0 after the last step. The game then calms down.
    change : function, optional
        Takes a batch of real images and a ``torch.Generator``, returns what the critic sees of them: augmentation.
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
    _check(images, conditions, kind, schedule, num_steps=num_steps, batch_size=batch_size, critic_steps=critic_steps)
    device, rng = torch.device(device or runtime.pick_device()), torch.Generator().manual_seed(seed)
    generator, critic = _networks(generator, critic, 0 if conditions is None else conditions.shape[1], seed, device)
    optimizers = [
        torch.optim.Adam(model.parameters(), lr=rate, betas=betas)
        for model, rate in zip((generator, critic), learning_rates, strict=True)
    ]
    averaged = MovingAverage(generator, decay=decay)
    draw = _Draws(images, conditions, generator.latent, batch_size, change, rng, device)
    watch = _Watch(averaged.model, conditions, watch_every, distance, seed)
    losses = np.zeros((2, num_steps))
    for step in tqdm(range(num_steps), desc="steps", disable=not progress, leave=False):
        for optimizer, rate in zip(optimizers, learning_rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * (1 - step / num_steps if schedule == "linear" else 1)
        for _ in range(critic_steps):
            real, asked, latent = draw()
            losses[0, step] = critic_step(
                generator, critic, optimizers[1], real, latent, asked, kind=kind, penalty=penalty,
                mismatch=mismatch, rng=rng,
            )  # fmt: skip
        _, asked, latent = draw(images_too=False)
        losses[1, step] = generator_step(generator, critic, optimizers[0], latent, asked, kind=kind)
        averaged.update(generator)
        watch(step + 1)
    history = {"steps": np.arange(1, num_steps + 1), "critic_loss": losses[0], "generator_loss": losses[1]}
    return GanRun(generator.eval(), averaged.model, critic.eval(), history, *watch.seen())


def critic_step(
    generator, critic, optimizer, real, latent, conditions=None, *, kind, penalty=0.0, mismatch=False, rng=None
):
    """Let the critic learn from one batch of real patches and as many made ones; return its loss.

    The made patches are detached: this step must not change the generator.
    """
    made = _call(generator, latent, conditions).detach()
    on_real, on_made = (_call(critic, images, conditions) for images in (real, made))
    if mismatch:  # each real patch under what its neighbour in the batch shows
        on_made = torch.cat([on_made, critic(real, conditions.roll(1, dims=0))])
    loss = discriminator_loss(on_real, on_made, kind=kind)
    if penalty:
        loss = loss + penalty * gradient_penalty(critic, real, made, conditions=conditions, generator=rng)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def generator_step(generator, critic, optimizer, latent, conditions=None, *, kind):
    """Let the generator learn from what the critic says of one batch; return its loss. The critic stays as it is."""
    critic.requires_grad_(False)  # the slope goes through the critic, but not into its weights: a third less work
    loss = generator_loss(_call(critic, _call(generator, latent, conditions), conditions), kind=kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    critic.requires_grad_(True)
    return loss.item()


@torch.no_grad()
def make_patches(generator, count_or_conditions, *, seed=0, batch_size=256):
    """Make patches with a trained generator.

    Parameters
    ----------
    generator : torch.nn.Module
        Left in evaluation mode, in which no patch depends on the others of its batch.
    count_or_conditions : int, or tensor of shape (n, c)
        How many, or what to ask for (:func:`~medlearn.models.gan.conditions`).
    seed : int, optional
        Of the noise: equal seeds give equal patches; the first patches do not change when more are asked for.
    batch_size : int, optional
        Patches at a time: memory, not the answer, depends on it.

    Returns
    -------
    ndarray of float32, shape (n, height, width), in HU

    Raises
    ------
    ValueError
        If the count is not positive or the conditions do not fit the generator.

    Examples
    --------
    >>> make_patches(Generator(channels=4), 3).shape
    (3, 32, 32)
    """
    asked = count_or_conditions if torch.is_tensor(count_or_conditions) else None
    count = count_or_conditions if asked is None else len(asked)
    if count < 1:
        raise ValueError(f"count_or_conditions must ask for one patch or more, got {count}.")
    generator.eval()
    device = next(generator.parameters()).device
    latents = _noise(count, generator.latent, seed).split(batch_size)
    wanted = [None] * len(latents) if asked is None else asked.split(batch_size)
    wanted = [some if some is None else some.to(device) for some in wanted]
    made = [_call(generator, z.to(device), some) for z, some in zip(latents, wanted, strict=True)]
    return np.concatenate([unscale(images) for images in made])


def _noise(count, latent, seed):
    """Return normal numbers, shape (count, latent); the first rows do not depend on the count.

    PyTorch draws them by sixteens, and the last sixteen once more where the count is no multiple of it.
    """
    whole = -(-count // 16) * 16
    return torch.randn(whole, latent, generator=torch.Generator().manual_seed(seed))[:count]


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


class _Watch:
    """Keep what the averaged generator makes of the same noise, and how far that is from the data."""

    def __init__(self, model, conditions, every, distance, seed):
        self.model, self.every, self.distance, self.seed = model, every, distance, seed
        self.grid = self.judged = None if conditions is None else _some(conditions, JUDGED, seed)
        if conditions is not None:  # nodules last, the largest at the end
            shown = self.judged[:GRID].tolist()
            self.grid = torch.tensor(sorted(shown), dtype=conditions.dtype)
        self.frames, self.steps, self.distances = [], [], []

    def __call__(self, step):
        if not self.every or (step != 1 and step % self.every):
            return
        self.steps.append(step)
        self.frames.append(make_patches(self.model, GRID if self.grid is None else self.grid, seed=self.seed))
        if self.distance is not None:
            made = make_patches(self.model, JUDGED if self.judged is None else self.judged, seed=self.seed + 1)
            self.distances.append(float(self.distance(made)))

    def seen(self):
        frames = np.stack(self.frames) if self.frames else np.zeros((0, GRID, 0, 0), np.float32)
        return frames, np.array(self.steps, dtype=int), np.array(self.distances)


def _some(conditions, count, seed):
    return conditions[torch.randint(len(conditions), (count,), generator=torch.Generator().manual_seed(seed))]


def _call(model, values, conditions):
    return model(values) if conditions is None else model(values, conditions)


def _networks(generator, critic, num_conditions, seed, device):
    """Return the two networks on their device; those that are None are drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Generator(conditions=num_conditions) if generator is None else generator
        critic = Critic(conditions=num_conditions) if critic is None else critic
    # channels_last: convolutions on a CPU are faster so; the numbers stay
    return [model.to(device, memory_format=torch.channels_last).train() for model in (generator, critic)]


def _check(images, conditions, kind, schedule, **positive):
    if len(images) < 2:
        raise ValueError(f"images must hold 2 patches or more, got {len(images)}.")
    if not images.abs().max() <= 1:
        raise ValueError("images must lie within -1 to 1, without NaN; use gan.scale(images_hu).")
    if conditions is not None and len(conditions) != len(images):
        raise ValueError(f"there are {len(images)} images and {len(conditions)} conditions: give one for each image.")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    if schedule not in ("constant", "linear"):
        raise ValueError(f"schedule must be constant or linear, got {schedule!r}.")
    for name, value in positive.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}.")
