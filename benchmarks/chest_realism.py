"""Draw simulated chest CT beside real CT: slices, crops, HU, noise and sizes of nodules. Needs the local real sets.

Run it as ``python benchmarks/chest_realism.py OUT``; it writes ``OUT/slices.png``, ``OUT/crops.png`` and
``OUT/statistics.png``, and prints how well simple detectors do on both and how fast the simulation is.
"""

import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medlearn import data, metrics
from medlearn.data.chest_nodules import lidc_table
from medlearn.data.ct_scanner import Scanner, make_noise

LUNG, SOFT = (-1350, 150), (-160, 240)
SEEDS = (900_001, 900_003, 900_005)


def lungs_of(array_hu):
    """Return the lungs of a volume: dark, connected, not touching the sides of the image."""
    regions, _ = ndimage.label(array_hu < -500)
    sides = (regions[:, 0], regions[:, -1], regions[:, :, 0], regions[:, :, -1])
    sizes = np.bincount(regions.ravel())
    sizes[np.unique(np.concatenate([side.ravel() for side in sides]))] = 0
    sizes[0] = 0
    return np.isin(regions, np.argsort(sizes)[-2:])


def draw_slices(path):
    """One height for each pair of rows, lung window over soft-tissue window; the first column is the real patient."""
    real = data.load_lidc_slices()
    figure, axes = plt.subplots(4, 1 + len(SEEDS), figsize=(16, 13), layout="constrained")
    for pair, (index, height) in enumerate(((3, -28), (14, -5))):
        scans = [
            data.simulate_patient(
                seed, num_pixels=512, spacing_mm=0.78, num_slices=1, slice_spacing_mm=1, middle_mm=height,
                scanner=Scanner("sharp", 8), contrast=False,
            ).array[0]
            for seed in SEEDS
        ]  # fmt: skip
        for column, image in enumerate((real.image_hu[index], *scans)):
            for row, (low, high) in enumerate((LUNG, SOFT)):
                axes[2 * pair + row, column].imshow(image[70:470], cmap="gray", vmin=low, vmax=high)
            name = "real: LIDC-IDRI-0314" if column == 0 else f"simulated {SEEDS[column - 1]}"
            axes[2 * pair, column].set_title(name)
    _save(figure, axes, path)


def draw_crops(path, real, simulated):
    """Nodules, then other structures: real crops in the left half, simulated ones in the right half."""
    rng = np.random.default_rng(0)
    figure, axes = plt.subplots(8, 16, figsize=(20, 10.5), layout="constrained")
    for half, patches in enumerate((real, simulated)):
        for first, label in ((0, 1), (4, 0)):
            chosen = rng.choice(np.flatnonzero(patches.labels == label), 32, replace=False)
            for place, index in enumerate(chosen):
                axis = axes[first + place // 8, 8 * half + place % 8]
                axis.imshow(patches.images_hu[index, 7:57, 7:57], cmap="gray", vmin=-1000, vmax=400)
    _save(figure, axes, path)


def _save(figure, axes, path):
    for axis in axes.flat:
        axis.set_axis_off()
    figure.savefig(path, dpi=60)


def draw_statistics(path, patches):
    """Histograms of HU, in lungs and in all; the noise spectrum; diameters."""
    scan = data.load_lidc_scan()
    spacing = scan.image.GetSpacing()
    ours = [
        data.simulate_patient(seed, num_pixels=170, spacing_mm=spacing[0], num_slices=None, slice_spacing_mm=2.0,
                              contrast=False).array
        for seed in SEEDS
    ]  # fmt: skip
    figure, axes = plt.subplots(2, 2, figsize=(12, 9), layout="constrained")
    for volume, style in ((scan.array, "k-"), *((array, "C0-") for array in ours)):
        inner = ndimage.binary_erosion(lungs_of(volume), iterations=2)
        _histogram(axes[0, 0], volume[inner], (-1024, -400), style)
        _histogram(axes[0, 1], volume[volume > -250], (-250, 400), style)
    axes[0, 0].set(title="lungs, whole scan (black: real)", xlabel="HU", ylabel="share per HU")
    axes[0, 1].set(title="soft tissue and bone, whole scan", xlabel="HU", ylabel="share per HU")
    _draw_noise(axes[1, 0])
    table = lidc_table()
    seen = (table["readers"] >= 2) & (table["diameter_mm"] <= 30)
    bins = np.linspace(3, 30, 28)
    _, first = np.unique(patches.diameters_mm[patches.labels == 1], return_index=True)
    drawn = patches.diameters_mm[patches.labels == 1][first]
    axes[1, 1].hist(table["diameter_mm"][seen], bins, density=True, histtype="step", color="k", label="LIDC readers")
    axes[1, 1].hist(drawn, bins, density=True, histtype="step", color="C0", label="simulated")
    axes[1, 1].set(title="nodules", xlabel="diameter (mm)", ylabel="share per mm")
    axes[1, 1].legend()
    figure.savefig(path, dpi=80)


def _histogram(axis, values, limits, style):
    counts, edges = np.histogram(values, 100, limits)
    axis.plot(edges[:-1], counts / counts.sum() / (edges[1] - edges[0]), style, alpha=0.8)


def _draw_noise(axis):
    """The power of differences of neighbouring slices in soft tissue, and of simulated noise of each kernel."""
    slices = data.load_lidc_slices()
    pixel_mm, size, found = slices.spacing_mm[0], 24, []
    for k in np.flatnonzero(np.abs(np.diff(slices.position_mm) - 1) < 0.1):
        smooth = [ndimage.gaussian_filter(slices.image_hu[i], 2.5) for i in (k, k + 1)]
        soft = np.all([(s > 0) & (s < 80) for s in smooth], axis=0)
        difference = (slices.image_hu[k + 1] - slices.image_hu[k]) / np.sqrt(2)
        good = _tiles(soft, size).all(axis=(1, 2))
        found.append(_tiles(difference, size)[good])
    for name, tiles in (("real", np.concatenate(found)), *((kernel, None) for kernel in ("soft", "standard", "sharp"))):
        if tiles is None:
            noise = make_noise((20, 192, 192), (pixel_mm, pixel_mm, 1), Scanner(name), thickness_mm=1,
                               rng=np.random.default_rng(0))  # fmt: skip
            tiles = np.concatenate([_tiles(image, size) for image in noise])
        tiles = tiles - tiles.mean(axis=(1, 2), keepdims=True)
        power = np.mean(np.abs(np.fft.fft2(tiles)) ** 2, axis=0)
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size, pixel_mm), np.fft.fftfreq(size, pixel_mm)))
        ring = np.rint(frequency * size * pixel_mm).astype(int)
        line = np.array([power[ring == k].mean() for k in range(1, size // 2)])
        style = "k-" if name == "real" else "--"
        axis.plot(np.arange(1, size // 2) / (size * pixel_mm), line / line.max(), style, label=name)
    axis.set(title="noise power", xlabel="frequency (1/mm)", ylabel="share of the largest")
    axis.legend()


def _tiles(image, size):
    views = np.lib.stride_tricks.sliding_window_view(image, (size, size))[:: size // 2, :: size // 2]
    return views.reshape(-1, size, size)


def print_baselines(name, patches):
    """Print HU and the AUC of simple detectors; the regression is cross-validated over patients."""
    images = np.clip(patches.images_hu, -1000, 400)
    middle = images[:, 7:57, 7:57]
    quartiles = np.percentile(middle, [25, 50, 75]).round()
    print(f"{name}: quartiles {quartiles} HU, over -300 HU: {(middle > -300).mean():.2f}")
    near = np.hypot(*(np.mgrid[:64, :64] - 31.5))
    sigmas = np.array([1.5, 2.5, 3.5, 5.0, 7.0])
    answers = [[(-(s**2) * ndimage.gaussian_laplace(image, s))[near < 9].max() for s in sigmas] for image in images]
    brightness = images[:, near < 5].mean(axis=1)
    columns = np.column_stack([sigmas[np.argmax(answers, axis=1)], brightness])
    fitted = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression()), columns, patches.labels, groups=patches.patients,
        cv=GroupKFold(5), method="decision_function",
    )  # fmt: skip
    scores = {"mean HU": brightness, "LoG blob": np.max(answers, axis=1), "radius and mean HU": fitted}
    for detector, score in scores.items():
        print(f"  AUC of {detector}: {metrics.auc_score(patches.labels, score, patients=patches.patients)}")


def simulate(num_patients, seed):
    """Simulate patches and two volumes, and print the CPU seconds of each."""
    start = time.process_time()
    patches = data.load_nodule_patches(num_patients, seed=seed)
    middle = time.process_time()
    for patient in (1, 2):
        data.simulate_patient(10_000 * seed + patient)
    end = time.process_time()
    each_ms = 1000 * (middle - start) / len(patches)
    print(f"CPU: {each_ms:.1f} ms a patch, {(end - middle) / 2:.2f} s a volume of 256 x 256 x 64 voxels")
    return patches


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    crops = data.load_luna16_patches(data.load_luna16_crops().by_rows((0.85, 0.15))[0])  # the rest is a test set
    simulated = simulate(150, seed=50)
    draw_slices(folder / "slices.png")
    draw_crops(folder / "crops.png", crops, simulated)
    draw_statistics(folder / "statistics.png", simulated)
    print_baselines("real crops", crops)
    print_baselines("simulated", simulated)
