"""A score with its interval: what was measured, how far it can be trusted, and on how many patients."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple


class Interval(NamedTuple):
    """The two ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A score with its confidence interval.

    Attributes
    ----------
    value : float
        The score on the cases at hand; NaN where it is undefined.
    low, high : float
        The ends of the interval; NaN where none can be had.
    level : float
        How often such intervals hold the truth, in the long run: 0.95.
    num_patients : int or None
        The patients that the score rests on; None where the patients were not given.
    num_cases : int
        The cases that the score rests on: for a sensitivity the diseased, for a precision those called diseased, else
        all.
    method : str
        How the interval was made.
    reason : str
        Why the value or the interval is missing; empty where both are there.
    unit : str
        What was drawn as a patient, in the singular: see :meth:`counted_in`.

    Examples
    --------
    >>> e = Estimate(0.91, 0.87, 0.94, level=0.95, num_patients=124, num_cases=620, method="logit")
    >>> print(e)
    0.91 (95 % CI 0.87 to 0.94, 124 patients)
    >>> f"{e:.3f}"
    '0.910 (95 % CI 0.870 to 0.940, 124 patients)'
    >>> float(e)
    0.91
    """

    value: float
    low: float
    high: float
    level: float
    num_patients: int | None
    num_cases: int
    method: str
    reason: str = ""
    unit: str = "patient"

    def counted_in(self, unit):
        """Return the same estimate under the name of what stood in for the patients.

        Parameters
        ----------
        unit : str
            In the singular, such as "block" for blocks of rows, or "hospital".

        Examples
        --------
        >>> e = Estimate(0.81, 0.78, 0.84, level=0.95, num_patients=59, num_cases=1387, method="logit")
        >>> print(e.counted_in("block"))
        0.81 (95 % CI 0.78 to 0.84, 59 blocks)
        """
        return replace(self, unit=unit)

    @property
    def interval(self):
        """The interval as ``(low, high)``."""
        return Interval(self.low, self.high)

    def __float__(self):
        return float(self.value)

    def __str__(self):
        return format(self, ".2f")

    def __format__(self, spec):
        if not spec:
            return str(self)
        if math.isnan(self.value):
            return f"undefined: {self.reason}"
        if math.isnan(self.low):
            return f"{self.value:{spec}} (no interval: {self.reason})"
        return f"{self.value:{spec}} ({100 * self.level:g} % CI {self.low:{spec}} to {self.high:{spec}}, {self._size})"

    @property
    def _size(self):
        number, unit = (self.num_cases, "case") if self.num_patients is None else (self.num_patients, self.unit)
        return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def undefined(reason, *, level, num_patients, num_cases):
    """Return the estimate of a score that these cases do not define."""
    nan = math.nan
    return Estimate(nan, nan, nan, level, num_patients, num_cases, method="none", reason=reason)
