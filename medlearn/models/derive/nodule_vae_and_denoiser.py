"""Train the autoencoder and the denoiser of lesson 09c on SIMULATED patches, and write their weights::

    python -m medlearn.models.derive.nodule_vae_and_denoiser --network vae
    python -m medlearn.models.derive.nodule_vae_and_denoiser --network denoiser

Patients 0 to 79 of seed set 0, twelve patches each. The weights are stored as 16-bit numbers. Every draw is seeded;
another machine or version of PyTorch gives slightly other weights.
"""

import argparse
import copy
import time
from pathlib import Path

import torch

from medlearn import data, metrics
from medlearn.models import diffusion, gan, vae
from medlearn.models.nodule_augmentation import symmetries
from medlearn.models.nodule_features import features, load_feature_net
from medlearn.models.weights import load, save

NUM_PATIENTS, PATCHES, PREVALENCE = 80, 12, 0.5
SEED_TRAINING, SEED_UNSEEN, SEED = 0, 1000, 2026
NUM_STEPS = {"vae": 4000, "denoiser": 2400}
MODULES = {"vae": vae, "denoiser": diffusion}


def main(arguments=None):
    """Train one network, write it, and say how far its patches are from unseen patients."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=sorted(MODULES), required=True)
    parser.add_argument("--patients", type=int, default=NUM_PATIENTS)
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--folder", type=Path, default=vae.WEIGHTS.parent)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # the order of sums, and so the last digits, depend on it
    module = MODULES[chosen.network]
    path = chosen.folder / module.WEIGHTS.name
    training, shown = simulate(chosen.patients, SEED_TRAINING)
    started = time.process_time()
    network = train(chosen.network, training, shown, chosen.steps or NUM_STEPS[chosen.network])
    print(f"{sum(value.numel() for value in network.parameters())} weights, {time.process_time() - started:.0f} CPU s")
    save(copy.deepcopy(network).half(), path)
    load(network, path)  # judged as it is stored
    judge(module, network, training, chosen.patients)


def simulate(num_patients, seed):
    """Return the middles of patches in HU, and what they show."""
    patches = data.load_nodule_patches(num_patients, patches_per_patient=PATCHES, prevalence=PREVALENCE, seed=seed)
    return gan.middle(patches.images_hu), gan.conditions(patches.labels, patches.diameters_mm)


def train(name, images_hu, shown, num_steps):
    """Return the trained network of that name."""
    images, options = gan.scale(images_hu), {"num_steps": num_steps, "seed": SEED, "device": "cpu"}
    if name == "denoiser":
        return diffusion.train(images, conditions=shown, **options).averaged
    turned = torch.cat(symmetries(images))  # (n, 1, 32, 32) -> (8 n, 1, 32, 32): else it learns its patches by heart
    return vae.train(turned, conditions=shown.repeat(8, 1), **options).vae


def judge(module, network, training, num_patients):
    """Print the distances of training patients and of made patches from unseen patients, all of one count."""
    unseen, shown = simulate(num_patients, SEED_UNSEEN)
    ruler = load_feature_net()
    started = time.process_time()
    made = {"made": module.make_patches(network, shown, seed=SEED)}
    print(f"{1000 * (time.process_time() - started) / len(shown):.1f} CPU ms a patch")
    if module is vae:
        made["made, with pixel noise"] = vae.make_patches(network, shown, seed=SEED, pixel_noise=True)
    for name, images_hu in {"training patients": training, **made}.items():
        far = metrics.frechet_distance(features(unseen, network=ruler), features(images_hu, network=ruler))
        print(f"{name}: {far:.2f} from unseen patients, {len(unseen)} patches each")


if __name__ == "__main__":
    main()
