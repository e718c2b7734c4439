"""One simulated heart: what the seed draws before the clock runs: rate, conduction, ectopic foci, breathing."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medlearn.data import ecg_shapes
from medlearn.data.ecg_mcsharry import narrow_band, tachogram

MARGIN_S = 4.0  # before and after the record, so that it begins and ends in the middle of a rhythm
_RATE_HZ = 4.0


@dataclass(frozen=True)
class Ectopy:
    """How often premature beats come after a sinus beat, how early (a share of the interval), and in which runs."""

    chance: float
    coupling: float
    run_chance: float
    run_interval_s: float


class Person:
    """The heart that a seed stands for.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed):
        self.seed = seed
        rng = self.rng("person")
        self.mean_rr_s = float(np.clip(0.82 * np.exp(rng.normal(0, 0.2)), 0.48, 1.25))
        self.fibrillates = bool(rng.random() < 0.11)
        self.lf_s, self.hf_s, self.drift_s = self.mean_rr_s * 0.027 * np.exp(rng.normal(0, 0.55, 3))
        self.breath_hz = float(np.clip(rng.normal(0.25, 0.04), 0.16, 0.38))
        kinds = ("normal", "left block", "right block", "right block now and then")
        self.conduction = str(rng.choice(kinds, p=(0.78, 0.08, 0.1, 0.04)))
        self.pr_s = float(np.clip(rng.normal(0.165, 0.022), 0.12, 0.25))
        self.ventricular, self.fusion_chance, self.bigeminy_s = _draw_ventricular(self.rng("ventricular"))
        self.supraventricular = self._draw_supraventricular(self.rng("supraventricular"))

    def rng(self, topic):
        """Return a generator of its own for each topic, so that an option does not change the rest."""
        return np.random.default_rng([self.seed, *topic.encode()])

    def _draw_supraventricular(self, rng):
        if self.fibrillates or rng.random() < 0.35:
            return Ectopy(0.0, 0.7, 0.0, 0.5)
        chance = float(np.clip(0.022 * np.exp(rng.normal(0, 1.1)), 0.002, 0.2))
        coupling = float(np.clip(rng.normal(0.7, 0.08), 0.5, 0.86))
        run_chance = float(rng.choice([0.0, 0.08, 0.2], p=[0.55, 0.3, 0.15]))
        return Ectopy(chance, coupling, run_chance, float(rng.uniform(0.36, 0.5)))

    @cached_property
    def shapes(self):
        """The kinds of beats: "N", "L", "R", and "V0", "V1", ... for the ventricular foci."""
        rng = self.rng("shapes")
        normal = ecg_shapes.draw_normal(rng)
        shapes = {"N": normal, "L": ecg_shapes.block_left(normal, rng), "R": ecg_shapes.block_right(normal, rng)}
        foci = {f"V{k}": ecg_shapes.draw_ventricular(normal, rng) for k in range(3)}
        return shapes | foci

    @cached_property
    def foci(self):
        """The chance of each ventricular focus: most people have one."""
        rng = self.rng("foci")
        return ((1.0, 0.0, 0.0), (0.8, 0.2, 0.0), (0.6, 0.25, 0.15))[int(rng.choice(3, p=(0.6, 0.25, 0.15)))]

    @cached_property
    def atrial_waves(self):
        """The dipole in mV of the P wave of the sinus node, of the ectopic atrial focus, and of a beat from below."""
        rng = self.rng("atria")
        size = 0.115 * np.exp(rng.normal(0, 0.4))
        sinus = size * ecg_shapes.direction(rng.normal(58, 14), rng.normal(0.25, 0.2))
        ectopic = size * rng.uniform(0.6, 1.5) * ecg_shapes.direction(rng.uniform(-90, 150), rng.normal(0.1, 0.5))
        return {"sinus": sinus, "ectopic": ectopic, "retrograde": -0.9 * sinus, "fibrillation": 0.0 * sinus}

    def breathing(self, duration_s):
        """Return times in seconds around a record, and the movement of the chest then: mean 0, standard deviation 1."""
        count = int(np.ceil((duration_s + 4 * MARGIN_S) * _RATE_HZ)) + 1
        chest = narrow_band(count, _RATE_HZ, self.breath_hz, 0.018, self.rng("breathing"))
        return np.arange(count) / _RATE_HZ - MARGIN_S, chest

    def sinus_intervals(self, duration_s):
        """Return a function from the time in seconds to the interval of the sinus node."""
        times_s, chest = self.breathing(duration_s)
        intervals = tachogram(
            len(chest) / _RATE_HZ, mean_s=self.mean_rr_s, lf_s=self.lf_s, hf_s=self.hf_s, drift_s=self.drift_s,
            breathing=chest, rate_hz=_RATE_HZ, rng=self.rng("tachogram"),
        )  # fmt: skip
        return lambda time_s: float(np.interp(time_s, times_s, intervals))


def _draw_ventricular(rng):
    """Return the ventricular ectopy, the chance of a fusion beat, and how long a spell of bigeminy lasts (0: none)."""
    busy = rng.random()
    if busy < 0.3:
        return Ectopy(0.0, 0.6, 0.0, 0.5), 0.0, 0.0
    chance = float(np.clip(0.035 * np.exp(rng.normal(0, 1.1)), 0.002, 0.25))
    fusion_chance = 0.0
    if busy > 0.75:  # late beats of the ventricle meet those of the sinus node
        fusion_chance = float(np.clip(0.03 * np.exp(rng.normal(0, 0.8)), 0, 0.12))
    bigeminy_s = float(rng.uniform(8, 40)) if rng.random() < 0.35 else 0.0
    coupling = float(np.clip(rng.normal(0.67, 0.11), 0.44, 0.93))
    run_chance = float(rng.choice([0.0, 0.1, 0.3], p=[0.5, 0.35, 0.15]))
    return Ectopy(chance, coupling, run_chance, float(rng.uniform(0.34, 0.55))), fusion_chance, bigeminy_s
