"""Two models on the same cases: DeLong's paired test of their AUCs."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from medlearn.metrics.checks import check_cases, check_lengths, check_level, check_scores
from medlearn.metrics.delong import auc_without_each, place
from medlearn.metrics.estimate import Estimate, undefined
from medlearn.metrics.intervals import NO_SPREAD, degrees_of_freedom, jackknife_influence
from medlearn.metrics.ranking import auc_score
from medlearn.metrics.summaries import one_label


@dataclass(frozen=True)
class AucComparison:
    """Two AUCs on the same cases, and their difference.

    Attributes
    ----------
    a, b : Estimate
        The AUC of each.
    difference : Estimate
        ``a - b``, with the interval of the difference; its cases are the same, so the interval is narrower than those
        of ``a`` and ``b`` suggest.
    z : float
        The difference over its standard error.
    p_value : float
        Two-sided, for no difference.
    """

    a: Estimate
    b: Estimate
    difference: Estimate
    z: float
    p_value: float

    def counted_in(self, unit):
        """Return the same comparison under the name of what stood in for the patients: "block", say."""
        return replace(self, **{name: getattr(self, name).counted_in(unit) for name in ("a", "b", "difference")})

    def __str__(self):
        if math.isnan(self.p_value):
            test = self.difference.reason or "no test"
        else:
            test = f"z = {self.z:.2f}, p {f'= {self.p_value:.3f}' if self.p_value >= 0.001 else '< 0.001'}"
        return f"AUC a       {self.a}\nAUC b       {self.b}\ndifference  {self.difference}\n{test}"


def compare_auc(labels, scores_a, scores_b, *, patients=None, level=0.95):
    """Compare the AUCs of two models on the same cases by DeLong's paired test.

    Parameters
    ----------
    labels : sequence of n numbers, 0 or 1
    scores_a, scores_b : sequence of n finite numbers
        Higher means more likely diseased.
    patients : sequence of length n, optional
        The patient of each case. Where patients have several, the variance is that of leaving each patient out, with a
        t quantile: Obuchowski's normal interval is too narrow for 50 patients.
    level : float, optional
        Confidence level of the intervals.

    Returns
    -------
    AucComparison

    Raises
    ------
    ValueError
        If lengths differ, there are no cases, labels are not 0 or 1, or scores hold NaN or infinite values.

    Examples
    --------
    >>> labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    >>> result = compare_auc(labels, [1, 2, 3, 4, 6, 5, 7, 8, 9, 10], [1, 6, 3, 9, 2, 5, 7, 4, 10, 8])
    >>> print(f"{result.difference:.2f}; p = {result.p_value:.2f}")
    0.20 (95 % CI -0.17 to 0.57, 10 cases); p = 0.29

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), doi:10.2307/2531595.
    """
    cases = check_cases(labels, scores_a, patients, kind="scores")
    other = check_scores(scores_b, "scores_b")
    check_lengths(labels=cases.labels, scores_b=other)
    level = check_level(level)
    a = auc_score(cases.labels, cases.values, patients=patients, level=level)
    b = auc_score(cases.labels, other, patients=patients, level=level)
    single = "" if cases.num_units > 1 else "one patient says nothing about how patients differ"
    reason = one_label(cases.labels) or single
    if reason:
        none = undefined(reason, level=level, num_patients=cases.num_patients, num_cases=len(cases))
        return AucComparison(a, b, none, math.nan, math.nan)
    return _compared(a, b, cases, replace(cases, values=other))


def _compared(a, b, cases, others):
    """Return the comparison: DeLong's for single cases, by leaving each patient out for several images a patient."""
    placed, other = place(cases), place(others)
    if cases.num_units == len(cases):
        influence, said, distribution = placed.influence - other.influence, "delong", stats.norm()
    else:
        without = auc_without_each(cases, placed) - auc_without_each(others, other)
        influence, said = jackknife_influence(without), "jackknife over patients"
        distribution = stats.t(degrees_of_freedom(cases))
    value, error, size = a.value - b.value, float(np.sqrt(np.sum(influence**2))), (a.level, a.num_patients, a.num_cases)
    if not error > NO_SPREAD:
        return _without_spread(a, b, value, size)
    z, half = value / error, float(distribution.ppf((1 + a.level) / 2)) * error
    difference = Estimate(value, max(-1.0, value - half), min(1.0, value + half), *size, said)
    return AucComparison(a, b, difference, z, float(2 * distribution.sf(abs(z))))


def _without_spread(a, b, value, size):
    """Return the comparison where the difference has no spread: the same order, or both at their limits."""
    if value == 0:
        reason = "both models order these cases alike"
        return AucComparison(a, b, Estimate(0.0, math.nan, math.nan, *size, "none", reason), 0.0, 1.0)
    reason = "the spread of the difference cannot be had from these patients"
    return AucComparison(a, b, Estimate(value, math.nan, math.nan, *size, "none", reason), math.nan, math.nan)
