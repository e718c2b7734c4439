"""The clock of a simulated heart: when each beat comes, from where, and what the sinus node does about it."""

from dataclasses import dataclass, field

import numpy as np

from medlearn.data.ecg_person import MARGIN_S

_REFRACTORY_S = 0.28
_ASHMAN = 0.62  # a supraventricular beat so early after a long interval meets a tired right bundle


@dataclass
class Rhythm:
    """Beats and P waves in the order in which they were made; times in seconds, 0 at the start of the record.

    ``beats`` holds (time, symbol, shape, second shape or None), ``p_waves`` (time of the beat it belongs to, kind):
    also those of the sinus node that a ventricular beat blocks. ``changes`` holds (time, name of the rhythm).
    """

    beats: list = field(default_factory=list)
    p_waves: list = field(default_factory=list)
    changes: list = field(default_factory=list)


def run_clock(person, duration_s):
    """Return the rhythm of a person from a little before the record to a little after it.

    A ventricular beat does not reach the sinus node: the node keeps its time, its next beat is blocked, and the pause
    is fully compensatory. A supraventricular beat resets the node: the pause is shorter. In atrial fibrillation there
    is no node to keep time, and no P wave.

    Parameters
    ----------
    person : Person
    duration_s : float

    Returns
    -------
    Rhythm
    """
    clock = _Clock(person, duration_s)
    while clock.now < duration_s + MARGIN_S:
        clock.beat()
    return clock.rhythm


class _Clock:
    def __init__(self, person, duration_s):
        self.person, self.rng, self.rhythm = person, person.rng("rhythm"), Rhythm()
        self.sinus = person.sinus_intervals(duration_s)
        self.now, self.before_s = -MARGIN_S + self.rng.uniform(0, person.mean_rr_s), person.mean_rr_s
        self.base = "(AFIB" if person.fibrillates else "(N"
        self.mode, self.mode_ends, self.odd = 0, -np.inf, False
        self.change(-MARGIN_S, self.base)

    def interval(self):
        """Return the time to the next beat of the sinus node, or to the next that the fibrillating atria conduct."""
        if not self.person.fibrillates:
            return self.sinus(self.now)
        return max(0.34, self.person.mean_rr_s * 0.95 * np.exp(self.rng.normal(0, 0.23)))

    def change(self, time_s, name):
        if not self.rhythm.changes or self.rhythm.changes[-1][1] != name:
            self.rhythm.changes.append((time_s, name))

    def beat(self):
        """Let one beat of the basic rhythm come, and what follows it."""
        interval = self.interval()
        self.conducted(self.now, "fibrillation" if self.person.fibrillates else "sinus", interval)
        self.before_s = interval
        self.choose_mode()
        if self.ventricular_comes():
            self.ventricular(interval)
        elif self.rng.random() < self.person.supraventricular.chance:
            self.supraventricular(interval)
        elif self.rng.random() < self.person.fusion_chance and not self.person.fibrillates:
            self.fusion(interval)
        else:
            self.now += interval

    def choose_mode(self):
        """Begin or end a spell of bigeminy (every second beat is ventricular) or trigeminy (every third)."""
        if self.mode and self.now > self.mode_ends:
            self.mode = 0
            self.change(self.now, self.base)
        if not self.mode and self.person.bigeminy_s and self.rng.random() < 0.012:
            self.mode = 2 if self.rng.random() < 0.65 else 3
            self.mode_ends, self.odd = self.now + self.rng.exponential(self.person.bigeminy_s), False
            self.change(self.now, "(B" if self.mode == 2 else "(T")

    def ventricular_comes(self):
        self.odd = not self.odd
        if self.mode:
            return (self.mode == 2 or self.odd) and self.rng.random() < 0.95
        return self.rng.random() < self.person.ventricular.chance

    def ventricular(self, interval):
        """One ventricular beat or a run; the sinus node goes on, unheard."""
        ectopy, rng = self.person.ventricular, self.rng
        focus = f"V{rng.choice(3, p=self.person.foci)}"
        share = min(ectopy.coupling * np.exp(rng.normal(0, 0.04)), 0.97)
        after = max(_REFRACTORY_S + 0.05, interval * share)
        run = 1 if self.mode or rng.random() > ectopy.run_chance else 1 + rng.geometric(0.4)
        last = self.now + after
        times = [last]
        for _ in range(run - 1):
            last += max(0.3, ectopy.run_interval_s * np.exp(rng.normal(0, 0.06)))
            times.append(last)
        self.rhythm.beats += [(time, "V", focus, None) for time in times]
        if run > 2:
            self.change(times[0], "(VT")
            self.change(last + 0.2, self.base)
        self.pause_after(last, interval, run)

    def pause_after(self, last, interval, run):
        """Find the first beat of the sinus node that the ventricle can follow."""
        if self.person.fibrillates:
            self.now = last + max(self.interval(), 0.8 * self.person.mean_rr_s) * self.rng.uniform(1.0, 1.25)
            return
        tick = self.now + interval
        interpolated = run == 1 and tick - last > 0.42 and self.rng.random() < 0.06
        blocked = not interpolated
        while blocked or tick - last < max(_REFRACTORY_S, 0.45 * interval):
            self.rhythm.p_waves.append((tick, "sinus"))
            self.now, blocked = tick, False
            tick += self.interval()
        self.now = tick

    def supraventricular(self, interval):
        """One premature beat from the atria or the node between the chambers, or a run; it resets the sinus node."""
        ectopy, rng = self.person.supraventricular, self.rng
        run = 1 if rng.random() > ectopy.run_chance else 2 + rng.geometric(0.25)
        junctional = rng.random() < 0.12
        share = ectopy.coupling * np.exp(rng.normal(0, 0.07))
        self.now += max(_REFRACTORY_S + 0.04, interval * share)
        if run > 2:
            self.change(self.now, "(SVTA")
        for k in range(run):
            aberrant = k < 2 and share < _ASHMAN and rng.random() < 0.5
            kind = "retrograde" if junctional else "ectopic"
            self.conducted(self.now, kind, interval, symbol="J" if junctional else "a" if aberrant else "A",
                           shape="R" if aberrant else None)  # fmt: skip
            if k < run - 1:
                self.now += max(0.3, ectopy.run_interval_s * np.exp(rng.normal(0, 0.05)))
        if run > 2:
            self.change(self.now + 0.2, self.base)
        self.now += self.interval() * rng.uniform(1.0, 1.16)

    def fusion(self, interval):
        """A late ventricular beat starts while the sinus beat is under way: the two melt into one."""
        early = self.rng.uniform(0.0, 0.05)
        time = self.now + interval - early
        self.rhythm.p_waves.append((self.now + interval, "sinus"))
        self.rhythm.beats.append((time, "F", self.basic_shape(interval), "V0"))
        self.now += interval
        self.now += self.interval()

    def conducted(self, time, p_kind, interval, *, symbol=None, shape=None):
        """Add a beat that comes down the normal way."""
        basic = self.basic_shape(interval)
        self.rhythm.p_waves.append((time, p_kind))
        self.rhythm.beats.append((time, symbol or basic, shape or basic, None))

    def basic_shape(self, interval):
        """Return the conduction of the ventricles; some bundles fail above a rate."""
        conduction = self.person.conduction
        if conduction == "right block now and then":
            return "R" if interval < 0.975 * self.person.mean_rr_s else "N"
        return {"left block": "L", "right block": "R"}.get(conduction, "N")
