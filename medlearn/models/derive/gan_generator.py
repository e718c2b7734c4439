"""Train the conditional generator of nodule patches on SIMULATED patients, and write its weights::

    python -m medlearn.models.derive.gan_generator

Patients with seeds 0 to 79, twelve patches each; the recipe of ``gan.train_conditional`` as it is. The weights are
stored as 16-bit numbers. Every draw is seeded; another machine or version of PyTorch gives other weights, more so than
for other networks: a game goes its own way from the first rounding on.
"""

import argparse
import time
from pathlib import Path

import torch

from medlearn import data
from medlearn.metrics import frechet_distance
from medlearn.models import gan
from medlearn.models.gan_conditional import WEIGHTS
from medlearn.models.nodule_features import features, load_feature_net
from medlearn.models.weights import save

NUM_PATIENTS, FIRST_SEED, UNSEEN_SEED = 80, 0, 1000
SEED = 0


def main(arguments=None):
    """Train and write the generator; say how far its patches are from those of unseen patients."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=NUM_PATIENTS)
    parser.add_argument("--steps", type=int, default=gan.RECIPE["num_steps"])
    parser.add_argument("--path", type=Path, default=WEIGHTS)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # the order of sums, and so the last digits, depend on it
    training, unseen = (_patches(chosen.patients, seed) for seed in (FIRST_SEED, UNSEEN_SEED))
    started = time.process_time()
    run = gan.train_conditional(
        training.images_hu, training.labels, training.diameters_mm, num_steps=chosen.steps, seed=SEED, device="cpu"
    )
    save(run.averaged.half(), chosen.path)
    print(f"{len(training)} patches, {time.process_time() - started:.0f} CPU s of training")
    made = gan.make_patches(run.averaged.float(), gan.conditions(unseen.labels, unseen.diameters_mm))
    report(gan.middle(training.images_hu), training.labels, gan.middle(unseen.images_hu), unseen.labels, made)


def report(training, training_labels, unseen, labels, made):
    """Print the Fréchet distances to unseen patients: of all, of nodules, of the others; made and training patches."""
    ruler = load_feature_net()
    seen, far, near = (features(images, network=ruler) for images in (unseen, made, training))
    for name, ours, theirs in (("made", far, labels), ("training", near, training_labels)):
        of_each = [frechet_distance(seen[labels == k], ours[theirs == k]) for k in (1, 0)]
        print(f"{name}: all {frechet_distance(seen, ours):.2f}, nodules {of_each[0]:.2f}, others {of_each[1]:.2f}")


def _patches(num_patients, seed):
    return data.load_nodule_patches(num_patients, patches_per_patient=12, prevalence=0.5, seed=seed)


if __name__ == "__main__":
    main()
