"""Draw the README's picture with the course's own tools: ``python course/picture.py``."""

import matplotlib.pyplot as plt
import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from syllabus import COURSE

from medlearn import data, geometry, plots

SLICE = 17  # at the level of the lateral ventricles
ALT = (
    "Four views of the same level of one simulated head. Brain window: grey and white matter and two dark ventricles"
    " inside a white skull. Bone window: the two tables of the skull with spongy bone between them. Edges: the outlines"
    " of skull, ventricles and folds. Last, the brain template that the anatomy comes from, in MR."
)


def draw():
    """Return the picture: one simulated head in two windows, its edges, and its T1-weighted anatomy."""
    head = data.simulate_head_ct(seed=1, spacing_mm=1.0, slice_thickness_mm=4.0)
    image_hu = head.array[SLICE]
    smooth_hu = ndimage.gaussian_filter(np.clip(image_hu, 0, 80), 2.0)
    edges = np.hypot(ndimage.sobel(smooth_hu, axis=0), ndimage.sobel(smooth_hu, axis=1))
    t1 = geometry.resample_like(data.load_brain_template().t1, head.image)
    panels = {
        "Brain window\ncentre 40, width 80 HU": geometry.window(image_hu, center_hu=40, width_hu=80),
        "Bone window\ncentre 500, width 2000 HU": geometry.window(image_hu, center_hu=500, width_hu=2000),
        "Edges in the brain window\nGaussian, then Sobel": np.clip(edges / 40, 0, 1),
        "The anatomy behind it\nICBM152, T1-weighted MR": sitk.GetArrayViewFromImage(t1)[SLICE],
    }
    figure, axes = plt.subplots(1, 4, figsize=(10, 3.1), layout="constrained")
    for axis, (title, image) in zip(axes, panels.items(), strict=True):
        axis.imshow(image, cmap="gray")
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    return plots.picture(figure, alt=ALT)


if __name__ == "__main__":
    (COURSE / "picture.png").write_bytes(draw().png())
