"""Train the two networks of the nodule detector on SIMULATED patients, and write their weights::

    python -m medlearn.models.derive.nodule_detector

Patients 0 to 79 of seed set 0, with eight nodules each and slices 2, 2.5 or 3 mm apart. First the CentreNet on patches
of the volumes; then its own candidates in the same patients become the patches for lesson 06's network. The weights are
stored as 16-bit numbers. Every draw is seeded; another machine or version of PyTorch gives slightly other weights.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from tqdm import tqdm

from medlearn import data
from medlearn.models.nodule_augmentation import Augmentation
from medlearn.models.nodule_detector import APART_MM, CENTRE_WEIGHTS, FALSE_POSITIVE_WEIGHTS
from medlearn.models.nodule_detector_candidates import suppress
from medlearn.models.nodule_detector_grid import working_volume
from medlearn.models.nodule_detector_lungs import segment_lungs
from medlearn.models.nodule_detector_net import centre_candidates
from medlearn.models.nodule_detector_reduction import cut_planes, false_positive_net
from medlearn.models.nodule_detector_training import prepare, train_centre_net
from medlearn.models.nodule_training import train
from medlearn.models.weights import save

NUM_PATIENTS, NUM_NODULES, SLICE_SPACINGS_MM = 80, 8, (2.0, 2.5, 3.0)
NUM_STEPS, NUM_EPOCHS = 700, 12
MARGIN_MM = 30.0
OWN_MM, JITTER_MM = 3.0, 0.8  # candidates as near to a nodule's surface are neither; positives are shifted
SEED = 2026


def main(arguments=None):
    """Train and write both networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=NUM_PATIENTS)
    parser.add_argument("--steps", type=int, default=NUM_STEPS)
    parser.add_argument("--epochs", type=int, default=NUM_EPOCHS)
    parser.add_argument("--folder", type=Path, default=CENTRE_WEIGHTS.parent)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # the order of sums, and so the last digits, depend on it
    started = time.process_time()
    images, scans, nodules = simulate(chosen.patients)
    centre_net = train_centre_net(scans, num_steps=chosen.steps, seed=SEED)
    save(centre_net.half(), chosen.folder / CENTRE_WEIGHTS.name)
    patches, labels = collect(centre_net.float(), images, nodules)
    false_positive = train_false_positive_net(patches, labels, num_epochs=chosen.epochs)
    save(false_positive.half(), chosen.folder / FALSE_POSITIVE_WEIGHTS.name)
    seconds = time.process_time() - started
    print(f"{labels.sum()} patches of nodules, {(labels == 0).sum()} of others; {seconds:.0f} CPU s")


def simulate(num_patients):
    """Return the scans cut to the lungs, the same on the working grid, and centres and diameters of the nodules."""
    images, scans, nodules = [], [], []
    for patient in tqdm(range(num_patients), desc="simulating"):
        scan = data.simulate_patient(
            patient, num_slices=None, num_nodules=NUM_NODULES,
            slice_spacing_mm=SLICE_SPACINGS_MM[patient % len(SLICE_SPACINGS_MM)],
        )  # fmt: skip
        centres = np.array([nodule.centre_mm for nodule in scan.nodules]).reshape(-1, 3)
        diameters = np.array([nodule.diameter_mm for nodule in scan.nodules])
        images.append(cut_to_lungs(scan.image))
        scans.append(prepare(scan.image, centres, diameters))
        nodules.append((centres, diameters))
    return images, scans, nodules


def cut_to_lungs(image):
    """Return the part of a scan within 30 mm of the lungs."""
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(segment_lungs(image))
    box = np.array(shape.GetBoundingBox(1))
    margin = np.ceil(MARGIN_MM / np.array(image.GetSpacing())).astype(int)
    low = np.maximum(box[:3] - margin, 0)
    high = np.minimum(box[:3] + box[3:] + margin, image.GetSize())
    return sitk.RegionOfInterest(image, (high - low).tolist(), low.tolist())


def collect(net, images, nodules, *, most=40):
    """Return patches of candidates and of nodules, in HU, and 1 where the patch shows a nodule.

    Each nodule stands in the set twice more, a little off its centre.
    """
    rng, patches, labels = np.random.default_rng([SEED, 1]), [], []
    for image, (centres, diameters) in tqdm(list(zip(images, nodules, strict=True)), desc="candidates"):
        points = propose(net, image, most)
        distance = np.linalg.norm(points[:, None] - centres[None], axis=-1) - diameters / 2
        nearest = distance.min(axis=1, initial=np.inf)
        shifted = np.repeat(centres, 2, axis=0) + rng.normal(scale=JITTER_MM, size=(2 * len(centres), 3))
        kept = [points[nearest < 0], shifted, points[nearest > OWN_MM]]
        patches.append(cut_planes(image, np.concatenate(kept)))
        labels.append(np.repeat([1, 1, 0], [len(some) for some in kept]))
    return np.concatenate(patches), np.concatenate(labels)


def propose(net, image, most):
    """Return the points of the best candidates of a scan."""
    found = centre_candidates(net, working_volume(image, segment_lungs(image)), most=3 * most)
    return suppress(found, distance_mm=APART_MM).best(most).points_mm


def train_false_positive_net(patches, labels, *, num_epochs):
    """Return the network trained with lesson 06's recipe on the planes of patches, shape (n, 3, size, size)."""
    torch.manual_seed(SEED)
    net = false_positive_net()
    planes, labels = patches.reshape(-1, *patches.shape[2:]), np.repeat(labels, 3)  # (3 n, size, size), (3 n,)
    train(net, planes, labels, num_epochs=num_epochs, augmentation=Augmentation(shift_pixels=1.0), seed=SEED)
    return net


if __name__ == "__main__":
    main()
