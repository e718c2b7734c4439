"""Train lesson 06's network on patches of SIMULATED patients as the ruler for made patches, and write its weights::

    python -m medlearn.models.derive.nodule_features

Patients with seeds 400 to 559, twelve patches each: no generator of the course learns from them. The weights are stored
as 16-bit numbers. Every draw is seeded; another machine or version of PyTorch gives slightly other weights.
"""

import argparse
import time
from pathlib import Path

import torch

from medlearn import data
from medlearn.metrics import auc_score
from medlearn.models.gan_scaling import middle
from medlearn.models.nodule_features import SIZE, WEIGHTS, load_feature_net
from medlearn.models.nodule_net import NoduleNet
from medlearn.models.nodule_training import Augmentation, predict, train
from medlearn.models.weights import save

NUM_PATIENTS, FIRST_SEED, UNSEEN_SEED = 160, 400, 1000
NUM_EPOCHS = 24
SEED = 2026


def main(arguments=None):
    """Train and write the network; say how well it finds nodules in unseen patients."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=NUM_PATIENTS)
    parser.add_argument("--epochs", type=int, default=NUM_EPOCHS)
    parser.add_argument("--path", type=Path, default=WEIGHTS)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # the order of sums, and so the last digits, depend on it
    patches = _patches(chosen.patients, FIRST_SEED)
    started = time.process_time()
    torch.manual_seed(SEED)
    network = NoduleNet(SIZE)
    train(network, middle(patches.images_hu), patches.labels, num_epochs=chosen.epochs, augmentation=Augmentation(),
          seed=SEED)  # fmt: skip
    save(network.half(), chosen.path)
    print(f"{len(patches)} patches, {time.process_time() - started:.0f} CPU s of training")
    if chosen.path == WEIGHTS:
        unseen = _patches(min(chosen.patients, 80), UNSEEN_SEED)
        scores = predict(load_feature_net(), middle(unseen.images_hu))
        print("AUC of unseen patients:", auc_score(unseen.labels, scores, patients=unseen.patients))


def _patches(num_patients, seed):
    return data.load_nodule_patches(num_patients, patches_per_patient=12, prevalence=0.5, seed=seed)


if __name__ == "__main__":
    main()
