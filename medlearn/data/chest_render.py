"""The anatomy of a simulated chest as HU on any grid: tissues painted one over the other, by partial volume."""

from typing import NamedTuple

import numpy as np

from medlearn.data.chest_bones import paint_bones
from medlearn.data.chest_organs import surfaces
from medlearn.data.tubes import Tubes, tube_shares
from medlearn.data.voxels import Lattice, across, paint, smooth_noise

TISSUE_HU = {
    "air": -1000.0, "fat": -102.0, "muscle": 55.0, "skin": 10.0, "blood": 42.0, "myocardium": 45.0, "liver": 58.0,
    "spleen": 48.0, "airway lumen": -990.0, "wall": 20.0, "gland": 20.0,
}  # fmt: skip


class Rendered(NamedTuple):
    """HU without blur and noise, the share of lung in each voxel, and the number of the nodule there (0: none)."""

    image_hu: np.ndarray
    lung: np.ndarray
    nodule: np.ndarray


def render(patient, grid, *, blood_hu=TISSUE_HU["blood"]):
    """Paint a patient on a grid.

    Parameters
    ----------
    patient : Patient
    grid : Grid
    blood_hu : float
        Higher with contrast medium.

    Returns
    -------
    Rendered
        Arrays [z, y, x].
    """
    lattice = Lattice(grid)
    places = np.broadcast_arrays(*patient.to_reference(*lattice.points_mm))
    found = surfaces(*places, patient.build)
    image = np.full(grid.shape, TISSUE_HU["air"], np.float32)
    fine = smooth_noise(grid, 3.0, [patient.seed, 1])
    if found["cavity"].max() > -5:  # else the grid lies inside the ribs
        _paint_couch(image, patient, grid)
        _paint_wall(image, lattice, places, found, patient, fine)
    lung = _paint_inside(image, lattice, places, found, patient, fine, blood_hu)
    paint_bones(image, lattice, places, found, bone_hu=210 - 1.6 * (patient.age - 50))
    _paint_vessels(image, patient, grid, blood_hu)
    paint(image, *lattice.share(found["airway"]), TISSUE_HU["airway lumen"])
    nodule = _paint_nodules(image, lung, patient, grid, fine)
    return Rendered(image, lung, nodule)


def _paint_couch(image, patient, grid):
    """The table under the patient: a thin curved shell with foam in it."""
    x, y = grid.axis_mm(0)[None, :], grid.axis_mm(1)[:, None]
    depth = y - (118 + patient.build.fat_mm * 0.75) * patient.scale[1] - 14 + (x / 52) ** 2
    soft = grid.extent_mm[1]
    shell = np.clip(0.5 - (abs(depth - 9) - 9) / soft, 0, 1)
    foam = np.clip(0.5 - (abs(depth - 9) - 7.5) / soft, 0, 1)
    couch = (-1000 + shell * 880 - foam * 780) * (abs(x) < 210) - 1000.0 * (abs(x) >= 210)
    image += (couch + 1000).astype(np.float32)


def _paint_wall(image, lattice, places, found, patient, fine):
    """Skin, fat with its strands, the gland in the breasts, muscle in layers, the armpits."""
    x, y, z = places
    paint(image, *lattice.share(found["skin"]), TISSUE_HU["skin"])
    broad = smooth_noise(lattice.grid, 11.0, [patient.seed, 2])
    fat = TISSUE_HU["fat"] + np.clip(1.2 - 9 * abs(broad), 0, 1) * 30 + 9 * fine
    _paint_varied(image, lattice, found["skin"] + 2.2, fat)
    if patient.female:
        gland = np.hypot(np.hypot((abs(x) - 88) / 1.2, y + 100), (z + 58) / 1.1) - 0.55 * patient.build.breast_mm
        _paint_varied(image, lattice, gland, fat + np.clip(0.5 + 1.1 * broad, 0, 1) * (TISSUE_HU["gland"] - fat))
    region, share = lattice.share(found["muscle"])
    if region is not None:
        planes = np.sin(region.voxels(found["cavity"]) / 2.6 + 1.6 * broad[region.fine])  # fat between the layers
        thin = np.clip(1.6 * planes - 1.25 + 0.5 * broad[region.fine], 0, 0.9)
        flesh = TISSUE_HU["muscle"] + (7 * fine + 6 * broad)[region.fine]
        paint(image, region, share, flesh + thin * (TISSUE_HU["fat"] - flesh))
    armpit = np.hypot(np.hypot((abs(x) - 150) / 0.9, (y + 22) / 1.1), np.minimum(z, 0) / 1.6) - 27
    _paint_varied(image, lattice, np.maximum(armpit, found["skin"] + 2.2), fat)


def _paint_varied(image, lattice, surface, value_hu):
    """Paint the inside of a surface with values that are given for every voxel of the grid."""
    region, share = lattice.share(surface)
    if region is not None:
        paint(image, region, share, value_hu[region.fine])


def _paint_inside(image, lattice, places, found, patient, fine, blood_hu):
    """What the ribs enclose: fat, the abdomen, lungs, heart and great vessels; return the share of lung."""
    region, share = lattice.share(found["cavity"], 1.5)
    lung = np.zeros(image.shape, np.float32)
    if region is None:
        return lung
    nodes = np.clip(1.6 * smooth_noise(lattice.grid, 9.0, [patient.seed, 5]) - 0.5, 0, 1)  # lymph nodes, thymus
    fat = TISSUE_HU["fat"] + 9 * fine + 125 * nodes
    paint(image, region, share, fat[region.fine])
    for name, value in (("abdomen", TISSUE_HU["spleen"]), ("liver", TISSUE_HU["liver"])):
        where, share = lattice.share(np.maximum(found[name], found["cavity"] - 1))
        paint(image, where, share, value)
    for name, value in (("heart", TISSUE_HU["myocardium"] + 0.75 * (blood_hu - 42)), ("blood", blood_hu)):
        paint(image, *lattice.share(found[name]), value)
    paint(image, *lattice.share(found["esophagus"]), 35.0)
    paint(image, *lattice.share(found["airway"], 1.4), TISSUE_HU["wall"])
    where, share = lattice.share(found["lung"])
    if where is not None:
        lung[where.fine] = share
        paint(image, where, share, _lung_hu(lattice, places, patient, where, fine))
        _paint_fissure(image, lattice, found, where, share)
    return lung


def _lung_hu(lattice, places, patient, where, fine):
    """Lung tissue: denser towards the back (gravity), mottled, with holes where there is emphysema."""
    value = where.voxels(patient.lung_hu + patient.gradient_hu_mm * places[1])
    mottled = smooth_noise(lattice.grid, 8.0, [patient.seed, 3])[where.fine]
    value += 15 * mottled + 20 * fine[where.fine]
    if patient.emphysema:
        holes = smooth_noise(lattice.grid, 4.5, [patient.seed, 4])[where.fine] + 0.6 * mottled
        value -= np.clip((holes - 1.3) / 0.6, 0, 1) * (value + 960)
    return value


def _paint_fissure(image, lattice, found, where, share):
    """The oblique fissure: two leaves of pleura, 0.4 mm together."""
    slopes = np.gradient(found["fissure"], 4.0)
    width = across(*slopes[::-1], lattice.grid.extent_mm)
    distance, width = where.voxels(found["fissure"]), where.voxels(width)
    line = np.clip(1 - abs(distance) / width, 0, 1) * 0.4 / width * share
    paint(image, where, line, 0.0)


def _paint_vessels(image, patient, grid, blood_hu):
    """Bronchi beside the arteries, vessels, scars and spicules."""
    bronchi = patient.bronchi.touching(*grid.bounds_mm(3.0))
    radii = (0.4 + 1.18 * radius for radius in (bronchi.start_radius_mm, bronchi.end_radius_mm))
    _paint_tubes(image, Tubes(bronchi.start_mm, bronchi.end_mm, *radii), grid, TISSUE_HU["wall"])
    if len(bronchi):
        image += tube_shares(bronchi, grid) * (TISSUE_HU["airway lumen"] - image)
    _paint_tubes(image, patient.vessels[0], grid, blood_hu)
    _paint_tubes(image, patient.strands, grid, 20.0)


def _paint_tubes(image, tubes, grid, value_hu):
    """Paint tubes where that makes the image brighter: what is denser shows through."""
    near = tubes.touching(*grid.bounds_mm(1.0))
    if len(near):
        image += tube_shares(near, grid) * (np.maximum(value_hu, image) - image)


def _paint_nodules(image, lung, patient, grid, fine):
    """Paint the nodules, and return which one fills more than half of each voxel."""
    number = np.zeros(image.shape, np.uint16)
    for index, nodule in enumerate(patient.nodules, start=1):
        part, share = nodule.share(grid)
        if part is None:
            continue
        mottled = 36 if nodule.type != "solid" else 12
        _brighten(image, part, share, nodule.value_hu + mottled * fine[part])
        if nodule.core:
            _brighten(image, *nodule.share(grid, nodule.core), 30.0)
        number[part][(share > 0.5) & (lung[part] > 0.05)] = index
    return number


def _brighten(image, part, share, value_hu):
    """Paint where that makes the image brighter: a vessel or a rib shows through ground glass."""
    if part is not None:
        here = image[part]
        np.maximum(here, here + share * (value_hu - here), out=here)
