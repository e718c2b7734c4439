"""Ribs, spine, sternum and shoulder blades of the simulated chest, drawn voxel by voxel where they are."""

import numpy as np

from medlearn.data.chest_organs import spine_y

CORTEX_HU, MARROW_HU, CARTILAGE_HU = 900.0, 150.0, 95.0
_RIB_PITCH_MM, _RIB_SLOPE = 27.0, 0.5


def paint_bones(image_hu, lattice, places, found, bone_hu):
    """Paint all bones into an image, in place.

    Parameters
    ----------
    image_hu : ndarray, [z, y, x] of the grid
    lattice : Lattice
    places : tuple of ndarray
        x, y, z of the lattice points in the reference patient.
    found : dict of ndarray
        The surfaces; ``cavity`` and ``muscle`` are used.
    bone_hu : float
        HU of the spongy bone in the vertebrae: it falls with age.
    """
    _paint_ribs(image_hu, lattice, places, found["cavity"])
    _paint_spine(image_hu, lattice, places, bone_hu)
    _paint_sternum(image_hu, lattice, places, found["cavity"])
    _paint_shoulder_blades(image_hu, lattice, places, found["cavity"])


def _paint_ribs(image_hu, lattice, places, cavity):
    """Ribs are slanted bands in the shell of 3 to 11 mm around the cavity; near the sternum they are cartilage."""
    x, y, z = places
    region = lattice.region((cavity > -6) & (cavity < 16))
    if region is None:
        return
    depth, height = (region.voxels(values) for values in (cavity, z - _RIB_SLOPE * y))
    shell = (depth > 1) & (depth < 13)
    height = (height[shell] + 11) % _RIB_PITCH_MM - _RIB_PITCH_MM / 2
    level = np.sqrt(((depth[shell] - 7.0) / 4.2) ** 2 + (height / 7.0) ** 2)
    soft = lattice.grid.extent_mm[:2].mean() / 4.2
    bone, marrow = (np.clip(0.5 - (level - edge) / soft, 0, 1) for edge in (1.0, 0.62))
    front = region.voxels(np.clip(0.5 - (y + 58 + 0.12 * abs(x)) / 8, 0, 1) * (abs(x) < 100))[shell]
    bone *= region.voxels(np.clip((abs(x) - 25) / 6, 0, 1))[shell]
    rib_hu = CORTEX_HU + marrow * (MARROW_HU - CORTEX_HU)
    here = image_hu[region.fine]
    here[shell] += bone * (rib_hu + front * (CARTILAGE_HU - rib_hu) - here[shell])


def _paint_spine(image_hu, lattice, places, bone_hu):
    """Bodies with discs between, the canal, its arch, the spinous and the transverse processes."""
    x, y, z = places
    back = y - spine_y(z)
    region = lattice.region((abs(x) < 50) & (abs(back - 20) < 60))
    if region is None:
        return
    x, back, z = (region.voxels(values) for values in (x, back, z))
    soft = lattice.grid.extent_mm[:2].mean()
    size = 1.05 - 0.0012 * z  # lower vertebrae are larger
    phase = z % 24.0
    disc = np.clip((abs(phase - 12) - 9.5) / 1.0 + 0.5, 0, 1)  # in the middle of 5 mm
    rim = np.sqrt((x / 17) ** 2 + ((back - 0.06 * x**2 / 4) / 13.5) ** 2) / size
    level = (rim - 1) * 14
    shadow = image_hu[region.fine]
    arch = np.sqrt((x / 1.15) ** 2 + (back - 22.5) ** 2)
    lamina = np.clip(0.5 - (abs(arch - 11.5) - 2.6) / soft, 0, 1) * np.clip((9.5 - abs(phase - 12)) / 2 + 0.3, 0.15, 1)
    spinous = _bar(abs(x), back, 0, 34, 0, 53, 2.4, soft) * np.clip((abs(phase - 12) - 3) / 2, 0, 1)
    wings = _bar(abs(x), back, 13, 19, 27, 25, 4.2, soft) * np.clip((8 - abs(phase - 10)) / 2, 0, 1)
    heads = _bar(abs(x), back, 17, 11, 31, 25, 4.2, soft) * np.clip((6 - abs(phase - 20)) / 2, 0, 1)
    for share, value in ((lamina, 620), (spinous, 480), (wings, 420), (heads, 420)):
        shadow += share * (value - shadow)
    canal = np.clip(0.5 - (arch - 9.0) / soft, 0, 1)
    shadow += canal * (25 - shadow)
    spongy = bone_hu + (CORTEX_HU * 0.55 - bone_hu) * np.clip(1.2 + level / 2, 0, 1)
    spongy = spongy + disc * (85 - spongy)
    shadow += np.clip(0.5 - level / soft, 0, 1) * (spongy - shadow)


def _paint_sternum(image_hu, lattice, places, cavity):
    """A flat bone of 30 to 45 mm in the front wall."""
    x, y, z = places
    region = lattice.region((abs(x) < 40) & (y < -20) & (abs(cavity) < 24) & (z > -105) & (z < 85))
    if region is None:
        return
    x, z, depth = (region.voxels(values) for values in (x, z, cavity))
    front = region.voxels(y) < -15
    half = np.where(z > 35, 15 + 9 * np.clip((z - 35) / 25, 0, 1), 15.0)
    level = (np.sqrt(((depth - 9) / 6.0) ** 2 + (abs(x) / half) ** 3) - 1) * 6.0
    soft = lattice.grid.extent_mm[:2].mean()
    joint = np.clip((abs(z - 35) - 2) / 2, 0, 1) * np.clip((z + 95) / 6, 0, 1)
    value = MARROW_HU + (CORTEX_HU * 0.6 - MARROW_HU) * np.clip(1.1 + level / 1.6, 0, 1)
    here = image_hu[region.fine]
    here += np.clip(0.5 - level / soft, 0, 1) * joint * front * (value - here)


def _paint_shoulder_blades(image_hu, lattice, places, cavity):
    """Thin plates along the back of the chest wall, thicker to the side."""
    x, y, z = places
    region = lattice.region((abs(x) > 45) & (y > -20) & (cavity < 50) & (cavity > 5) & (z > -75) & (z < 120))
    if region is None:
        return
    depth = region.voxels(cavity)
    soft = lattice.grid.extent_mm[:2].mean()
    shell = (depth > 15 - soft) & (depth < 35 + soft)  # elsewhere both shares are 0
    depth = depth[shell]
    side, back, z = (region.voxels(values)[shell] for values in (abs(x), y, z))
    grow = np.clip((z + 70) / 60, 0, 1)
    along = (back - 84 + 78 * grow**0.5) / 78  # 0 at the joint, growing towards the spine
    reach = np.clip(0.5 + along * 78 / soft, 0, 1) * np.clip(0.5 + (side - 58) / soft, 0, 1)
    plate = np.clip(0.5 - (abs(depth - 17 - 9 * np.clip(1 - along, 0, 1)) - 1.9) / soft, 0, 1) * reach
    knob = np.clip(0.5 - (np.hypot(depth - 27, along * 78) - 3 - 5 * grow) / soft, 0, 1) * (side > 58)
    share = np.maximum(plate, knob) * np.clip((z + 70) / 5, 0, 1)
    here = image_hu[region.fine]
    here[shell] += share * (np.where(knob > plate, 380.0, 620.0) - here[shell])


def _bar(x, y, x0, y0, x1, y1, radius, soft):
    """Return the share of a bar with round ends in the x, y plane."""
    along_x, along_y = x1 - x0, y1 - y0
    place = np.clip(((x - x0) * along_x + (y - y0) * along_y) / (along_x**2 + along_y**2 + 1e-3), 0, 1)
    distance = np.hypot(x - x0 - place * along_x, y - y0 - place * along_y)
    return np.clip(0.5 - (distance - radius) / soft, 0, 1)
