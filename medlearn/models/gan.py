"""Generative adversarial networks for nodule patches: a generator makes patches, a critic tells them from real ones.

The parts are in their own modules and can be reached from here: the networks in ``gan_networks``, the scaling in
``gan_scaling``, the losses in ``gan_losses``, the game in ``gan_training`` (with ``gan_average``, ``gan_making`` and
``gan_shaking``), the recipe for conditional generators in ``gan_conditional``.
"""

from medlearn.models.gan_average import MovingAverage
from medlearn.models.gan_conditional import RECIPE, load_generator, train_conditional
from medlearn.models.gan_losses import discriminator_loss, generator_loss, gradient_penalty, r1_penalty
from medlearn.models.gan_making import make_patches
from medlearn.models.gan_networks import Critic, Generator
from medlearn.models.gan_scaling import conditions, middle, scale, unscale
from medlearn.models.gan_shaking import shaken
from medlearn.models.gan_training import GanRun, critic_step, generator_step, train

__all__ = [
    "RECIPE",
    "Critic",
    "GanRun",
    "Generator",
    "MovingAverage",
    "conditions",
    "critic_step",
    "discriminator_loss",
    "generator_loss",
    "generator_step",
    "gradient_penalty",
    "load_generator",
    "make_patches",
    "middle",
    "r1_penalty",
    "scale",
    "shaken",
    "train",
    "train_conditional",
    "unscale",
]
