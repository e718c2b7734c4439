"""How CentreNet is trained: scans on the working grid, patches, heat-maps as targets, and the loss."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from medlearn.models.nodule_detector_grid import working_volume
from medlearn.models.nodule_detector_lungs import segment_lungs
from medlearn.models.nodule_detector_net import CELL_MM, STRIDE, USUAL_DIAMETER_MM, CentreNet, cells_in, to_input

PATCH = 40  # voxels of 2 mm along each side
NEAR_MM = 5.0  # cells as near to a centre learn the way to it, and the size


@dataclass(frozen=True, eq=False)
class TrainingScan:
    """A scan on the working grid with its nodules.

    Attributes
    ----------
    hu : ndarray of int16, shape (z, y, x)
    lungs : ndarray of bool, shape (z, y, x)
    centres : ndarray of float, shape (n, 3)
        In voxels [z, y, x] of this grid.
    diameters_mm : ndarray of float, shape (n,)
    """

    hu: np.ndarray
    lungs: np.ndarray
    centres: np.ndarray
    diameters_mm: np.ndarray


def prepare(image, centres_mm, diameters_mm):
    """Return a scan on the working grid.

    Parameters
    ----------
    image : SimpleITK.Image
        Chest CT in HU.
    centres_mm : array_like, shape (n, 3)
    diameters_mm : array_like, shape (n,)

    Returns
    -------
    TrainingScan
    """
    volume = working_volume(image, segment_lungs(image))
    hu = np.rint(np.clip(volume.hu, -1024, 3071)).astype(np.int16)
    return TrainingScan(hu, volume.lungs, volume.to_index(centres_mm), np.asarray(diameters_mm, float).ravel())


def target_of(centres, diameters_mm, size):
    """Return what the network should say for a patch, of shape (6, cells, cells, cells).

    The heat (1 in the cell that holds the centre, falling off as a Gaussian), the way to the nearest centre in cells
    (z, y, x), the logarithm of its diameter, and 1 in the cells that learn way and size.
    """
    cells = size // STRIDE
    axis = np.arange(cells) * STRIDE + (STRIDE - 1) / 2  # voxels
    target, nearest = np.zeros((6, cells, cells, cells), np.float32), np.full((cells, cells, cells), np.inf)
    for centre, diameter in zip(centres, diameters_mm, strict=True):
        away = [((c - axis) / STRIDE).reshape(np.roll((-1, 1, 1), k)) for k, c in enumerate(centre)]  # in cells
        distance_mm = CELL_MM * np.sqrt(away[0] ** 2 + away[1] ** 2 + away[2] ** 2)
        width_mm = max(2.0, diameter / 5)
        target[0] = np.maximum(target[0], np.exp(-(distance_mm**2) / (2 * width_mm**2)))
        own = np.unravel_index(distance_mm.argmin(), distance_mm.shape)
        if distance_mm[own] < CELL_MM:
            target[0][own] = 1
        closer = (distance_mm < NEAR_MM) & (distance_mm < nearest)
        nearest[closer] = distance_mm[closer]
        for k in range(3):
            target[1 + k][closer] = np.broadcast_to(away[k], closer.shape)[closer]
        target[4][closer] = math.log(diameter / USUAL_DIAMETER_MM)
        target[5][closer] = 1
    return target


def loss_of(found, target, inside):
    """Return the loss: the focal loss of the heat, and the absolute errors of way and size.

    Parameters
    ----------
    found : Tensor, shape (batch, 5, z, y, x)
    target : Tensor, shape (batch, 6, z, y, x)
    inside : Tensor, shape (batch, z, y, x)
        1 in the cells of the lungs: the others do not count.

    References
    ----------
    Lin T-Y et al., Focal loss for dense object detection, 2017, doi:10.1109/ICCV.2017.324, in the form of Zhou X et
    al., doi:10.48550/arXiv.1904.07850.
    """
    logit, heat = found[:, 0], target[:, 0]
    probability = torch.sigmoid(logit)
    hit = (heat == 1) * inside
    positive = hit * (1 - probability) ** 2 * nn.functional.logsigmoid(logit)
    negative = inside * (1 - heat) ** 4 * probability**2 * nn.functional.logsigmoid(-logit)
    near = target[:, 5] * inside
    way = (near[:, None] * (found[:, 1:4] - target[:, 1:4]).abs()).sum() / (3 * near.sum() + 1)
    size = (near * (found[:, 4] - target[:, 4]).abs()).sum() / (near.sum() + 1)
    return -(positive.sum() + negative.sum()) / (hit.sum() + 1) + way + 0.3 * size


def train_centre_net(scans, *, num_steps=600, batch_size=8, learning_rate=3e-3, seed=0, progress=True):
    """Train a CentreNet on patches: half of them around a nodule, half anywhere in the lungs.

    Parameters
    ----------
    scans : sequence of TrainingScan
    num_steps, batch_size : int, optional
    learning_rate : float, optional
        The highest one: it warms up and falls again along one cycle.
    seed : int, optional
    progress : bool, optional

    Returns
    -------
    CentreNet
        On the CPU, so that one seed gives one network.
    """
    rng = np.random.default_rng([seed, 7])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = CentreNet().to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(net.parameters(), lr=learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=num_steps, pct_start=0.15)
    sampler = PatchSampler(scans, rng)
    net.train()
    for _ in tqdm(range(num_steps), disable=not progress, desc="CentreNet"):
        patches, target, inside = sampler.batch(batch_size)
        optimizer.zero_grad()
        loss = loss_of(net(patches.contiguous(memory_format=torch.channels_last_3d)), target, inside)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return net.eval()


class PatchSampler:
    """Patches of the training scans, mirrored at random along each axis: a patch has no left and no front.

    Parameters
    ----------
    scans : sequence of TrainingScan
    rng : numpy.random.Generator
    """

    def __init__(self, scans, rng):
        self.scans, self.rng = [_padded(scan) for scan in scans], rng
        self.nodules = [(k, n) for k, scan in enumerate(scans) for n in range(len(scan.centres))]
        self.inside = [np.flatnonzero(scan.lungs) for scan in self.scans]

    def batch(self, count):
        """Return patches (count, 1, 40, 40, 40), targets (count, 6, 20, 20, 20) and lungs (count, 20, 20, 20)."""
        drawn = [self._patch(number % 2 == 0) for number in range(count)]
        patches, targets, inside = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        return patches[:, None], targets, inside.float()

    def _patch(self, with_nodule):
        rng = self.rng
        if with_nodule and self.nodules:
            number, nodule = self.nodules[rng.integers(len(self.nodules))]
            scan = self.scans[number]
            middle = scan.centres[nodule] + rng.uniform(-14, 14, 3)
        else:
            number = rng.integers(len(self.scans))
            scan = self.scans[number]
            middle = np.array(np.unravel_index(rng.choice(self.inside[number]), scan.lungs.shape))
        start = np.clip(np.rint(middle).astype(int) - PATCH // 2, 0, np.array(scan.hu.shape) - PATCH)
        part = tuple(slice(first, first + PATCH) for first in start)
        hu, lungs, centres = scan.hu[part].astype(np.float32), scan.lungs[part], scan.centres - start
        for axis in np.flatnonzero(rng.random(3) < 0.5):
            hu, lungs = np.flip(hu, axis), np.flip(lungs, axis)
            centres[:, axis] = PATCH - 1 - centres[:, axis]
        hu = hu + rng.normal(scale=15) + rng.normal(scale=rng.uniform(0, 25), size=hu.shape)
        return to_input(hu), target_of(centres, scan.diameters_mm, PATCH), cells_in(lungs)


def _padded(scan):
    """Return the scan with air around it where it is smaller than a patch."""
    pad = [(0, max(0, PATCH - size)) for size in scan.hu.shape]
    return TrainingScan(
        np.pad(scan.hu, pad, constant_values=-1000), np.pad(scan.lungs, pad), scan.centres, scan.diameters_mm
    )
