"""The ruler for made patches: what lesson 06's network sees in a patch of 32 pixels, before its last layer."""

from pathlib import Path

import numpy as np
import torch

from medlearn.models.nodule_cnn import to_input
from medlearn.models.nodule_net import NoduleNet
from medlearn.models.weights import load

WEIGHTS = Path(__file__).with_name("nodule_features.safetensors")
SIZE, NUM_FEATURES = 32, 64


def load_feature_net():
    """Return lesson 06's network, trained to find nodules in patches of SIMULATED patients with seeds 400 to 559.

    Returns
    -------
    NoduleNet
        For 32 x 32 pixels of 0.7 mm; in evaluation mode, on the CPU. ``WEIGHTS.md`` beside the weights tells more.

    Examples
    --------
    >>> load_feature_net().training
    False
    """
    return load(NoduleNet(SIZE).half(), WEIGHTS).float().eval()


@torch.no_grad()
def features(images_hu, *, network=None, batch_size=512):
    """Return 64 numbers for each patch: the network's sums over the places, from which its last layer judges.

    Parameters
    ----------
    images_hu : ndarray, shape (n, 32, 32)
        Patches in HU; below -1000 and above 400 HU cut off.
    network : NoduleNet, optional
        Another ruler; left in evaluation mode. None: :func:`load_feature_net`.
    batch_size : int, optional
        Patches at a time: memory, not the answer, depends on it.

    Returns
    -------
    ndarray of float64, shape (n, 64)

    Raises
    ------
    ValueError
        If the patches have another size or hold NaN.

    Examples
    --------
    >>> features(np.full((5, 32, 32), -850.0)).shape
    (5, 64)
    """
    images_hu = np.asarray(images_hu)
    if images_hu.ndim != 3 or images_hu.shape[1:] != (SIZE, SIZE):
        raise ValueError(
            f"images_hu must have the shape (n, {SIZE}, {SIZE}), got {images_hu.shape}; gan.middle cuts larger patches."
        )
    network = (load_feature_net() if network is None else network).eval()
    patches = torch.from_numpy(to_input(images_hu, layout="NCHW"))
    device = network.place_weights.device
    sums = [_sums(network, batch.to(device)).cpu() for batch in patches.split(batch_size)]
    return torch.cat(sums).double().numpy()


def _sums(network, patches):
    return (network.stages(patches) * network.place_weights).sum(dim=(2, 3))  # (n, 1, 32, 32) -> (n, 64)
