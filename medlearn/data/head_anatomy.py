"""The anatomy under the simulated head CT: which share of each voxel is air, skin, bone, fluid, brain or blood."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from medlearn.data.scans import load_brain_template

_BRAIN_CENTRE_MM = (0.0, 17.0, 5.0)
# The upper face, which the template lacks, as (centre, radii) in mm, LPS, in the space of the template.
_FACE = ((0.0, -42.0, -52.0), (60.0, 42.0, 50.0))
_ORBITS = [((side * 31.0, -58.0, -40.0), 18.0) for side in (-1, 1)]
_EYES = [((side * 32.0, -64.0, -40.0), 12.0) for side in (-1, 1)]
_SINUS = ((0.0, -48.0, -42.0), 13.0)


@dataclass(frozen=True)
class Person:
    """What differs from one simulated patient to the next; :meth:`draw` takes it from a random generator."""

    scale: np.ndarray
    angles: np.ndarray
    shift_mm: np.ndarray
    gap_mm: float
    skull_mm: float
    table_mm: float
    scalp_mm: float
    bleed_side: int

    @classmethod
    def draw(cls, rng):
        return cls(
            scale=rng.normal(1.0, 0.025, 3).clip(0.94, 1.06),
            angles=np.radians(rng.normal(0, [2.0, 2.0, 3.0])),
            shift_mm=rng.normal(0, [3.0, 3.0, 2.0]),
            gap_mm=rng.uniform(1.5, 3.0),
            skull_mm=rng.uniform(5.5, 7.5),
            table_mm=rng.uniform(1.4, 1.9),
            scalp_mm=rng.uniform(4.0, 6.5),
            bleed_side=int(rng.choice([-1, 1])),
        )


def tissue_shares(grid, person, *, bleed_ml, rng):
    """Return the share of each tissue in each voxel of ``grid``, as arrays [z, y, x] that add up to 1."""
    grey, white, brain = _posed_template(grid, person)
    cavity_mm = _distance(_closed(brain > 0.05, grid, 5.0), grid) - person.gap_mm
    places = _coordinates(grid)
    hull_mm = np.minimum(_distance(_closed(cavity_mm < 0, grid, 22.0), grid), _ellipsoid(places, *_FACE))
    soft = max(grid.GetSpacing())  # a surface is smeared over one voxel: its share of the voxel that it cuts

    def inside(distance_mm):
        return np.clip(0.5 - distance_mm / soft, 0, 1)

    shares = _shell(hull_mm, cavity_mm, places, person, inside, _texture(grid, 3.0, rng), rng)
    cavity = inside(cavity_mm)
    blood = inside(_bleed_mm(person, bleed_ml, places)) * cavity
    shares["csf"] += (cavity - (grey + white) * cavity) * (1 - blood)
    shares["white"], shares["grey"] = white * cavity * (1 - blood), grey * cavity * (1 - blood)
    shares["blood"] = cavity * blood
    return shares


def _shell(hull_mm, cavity_mm, places, person, inside, texture, rng):
    """Return the shares of everything around the brain: air, skin, fat, muscle, bone, and the orbits."""
    skull_mm, scalp_mm = _thicknesses(person, *places, rng)
    cavity = inside(cavity_mm)
    head, skin = inside(hull_mm - skull_mm - scalp_mm), inside(hull_mm - skull_mm - scalp_mm + 1.5)
    skull = np.maximum(inside(hull_mm - skull_mm), cavity)
    face = inside(12.0 - cavity_mm) * (skull - cavity)  # in the hull, but far from the brain: soft tissue, not bone
    bone = skull - cavity - face
    table_mm = person.table_mm
    spongy = np.minimum(bone, inside(hull_mm - skull_mm + table_mm) * (1 - inside(cavity_mm - table_mm)))
    marrow = spongy * np.clip(0.2 + 0.25 * texture, 0, 0.6)  # holes in the diploe, filled with marrow
    temporal = _temporal(places[0], places[2])
    soft = (skin - skull).clip(0)
    shares = {
        "air": 1 - head,
        "skin": (head - np.maximum(skin, skull)).clip(0),
        "muscle": soft * temporal + face * 0.6,
        "fat": soft * (1 - temporal) + face * 0.4,
        "bone table": bone - spongy,
        "diploe": spongy - marrow,
        "marrow": marrow,
        "csf": np.zeros_like(head),
    }
    return _with_orbits(shares, places, inside, 1 - cavity)


def _with_orbits(shares, places, inside, outside_brain):
    """Put the orbits (thin bone around fat around an eye) and an air-filled sinus into the face."""
    for (centre, radius), tissue in [
        *((orbit, "fat") for orbit in _ORBITS), *((eye, "csf") for eye in _EYES), (_SINUS, "air"),
    ]:  # fmt: skip
        rim_mm = 0.0 if tissue == "csf" else 1.5
        near, box = _box(places, centre, radius + 5.0)
        distance_mm = _ellipsoid(near, centre, (radius,) * 3)
        room = outside_brain[box]
        shell, core = inside(distance_mm - rim_mm), inside(distance_mm)
        for name in shares:
            shares[name][box] *= 1 - shell
        shares[tissue][box] += core * room
        shares["bone table"][box] += (shell - core) * room
    return shares


def _box(places, centre, reach_mm):
    """Return the coordinates within ``reach_mm`` of a point, and the part [z, y, x] of the grid that has them."""
    near, parts = [], []
    for axis, place in zip(places, centre, strict=True):
        hits = np.flatnonzero(np.abs(axis.ravel() - place) <= reach_mm)
        parts.append(slice(hits[0], hits[-1] + 1))
        near.append(axis.ravel()[hits])
    x_mm, y_mm, z_mm = near
    return (x_mm[None, None, :], y_mm[None, :, None], z_mm[:, None, None]), tuple(parts[::-1])


@lru_cache(maxsize=1)
def _template():
    template = load_brain_template()
    return template.grey, template.white, template.t1


def _posed_template(grid, person):
    """Return grey, white and the brain itself on the grid, with the person's size and pose."""
    transform = sitk.AffineTransform(3)
    rotation = sitk.Euler3DTransform(_BRAIN_CENTRE_MM, *map(float, person.angles))
    transform.SetCenter(_BRAIN_CENTRE_MM)
    transform.SetMatrix((np.reshape(rotation.GetMatrix(), (3, 3)) / person.scale).ravel().tolist())
    transform.SetTranslation(person.shift_mm.tolist())
    grey, white, brain = (
        sitk.GetArrayFromImage(sitk.Resample(image, grid, transform, sitk.sitkLinear, 0.0)) for image in _template()
    )
    total = np.maximum(grey + white, np.float32(1))
    return grey / total, white / total, brain


def _distance(mask, grid):
    """Return the signed distance in mm to the surface of a mask: negative inside."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(grid.GetSpacing())
    distance = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    # The filter measures from the centres of the outermost voxels inside; the surface lies half a voxel further out.
    return sitk.GetArrayFromImage(distance) - np.float32(max(grid.GetSpacing()) / 2)


def _closed(mask, grid, radius_mm):
    """Close gaps of a mask that a ball of this radius cannot enter."""
    grown = _distance(mask, grid) < radius_mm
    return mask | (_distance(grown, grid) < -radius_mm)  # a closing never loses what was there


def _coordinates(grid):
    axes = [
        (origin + step * np.arange(count)).astype(np.float32)  # 32 bits throughout: a micrometre is enough
        for origin, step, count in zip(grid.GetOrigin(), grid.GetSpacing(), grid.GetSize(), strict=True)
    ]
    return axes[0][None, None, :], axes[1][None, :, None], axes[2][:, None, None]


def _ellipsoid(places, centre, radii):
    """Return about the signed distance in mm to an ellipsoid; exact for a ball."""
    scaled = [(axis - c) / r for axis, c, r in zip(places, centre, radii, strict=True)]
    return (np.sqrt(sum(part**2 for part in scaled)) - 1.0) * min(radii)


def _temporal(x_mm, z_mm):
    """Return 1 at the low sides of the head, where the temporal muscle lies and the skull is thin, and 0 elsewhere."""
    return np.clip((np.abs(x_mm) - 45) / 15, 0, 1) * np.clip((30 - z_mm) / 25, 0, 1)


def _thicknesses(person, x_mm, y_mm, z_mm, rng):
    """Return the thickness of skull and scalp in mm around the head: thin temples, thick occiput, gentle waves."""
    temporal = _temporal(x_mm, z_mm)
    angle = np.arctan2(y_mm - 17.0, x_mm)
    phases = rng.uniform(0, 2 * np.pi, 2).tolist()
    waves = 0.6 * np.cos(3 * angle + phases[0] + z_mm / 40) + 0.4 * np.cos(5 * angle + phases[1])
    occiput = 1.5 * np.clip((y_mm - 70) / 30, 0, 1)
    skull_mm = (person.skull_mm + waves + occiput) * (1 - 0.4 * temporal)
    return skull_mm, person.scalp_mm * (1 + 0.9 * temporal)


def _texture(grid, size_mm, rng):
    """Return smooth noise with mean 0 and standard deviation 1, with lumps of about ``size_mm``."""
    noise = rng.standard_normal(grid.GetSize()[::-1], dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, [0.4 * size_mm / step for step in grid.GetSpacing()[::-1]])
    return smooth / smooth.std()


def _bleed_mm(person, bleed_ml, places):
    """Return the distance to a haemorrhage in one putamen: half axes r, 1.5 r, r."""
    radius = (bleed_ml * 1000 / (4 / 3 * np.pi * 1.5)) ** (1 / 3)
    if radius == 0:
        return np.array(np.inf)
    return _ellipsoid(places, (person.bleed_side * 28.0, 2.0, 4.0), (radius, 1.5 * radius, radius))
