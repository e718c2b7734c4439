"""Intervals of the sensitivities on a FROC curve, over scans."""

import numpy as np
from scipy import special, stats

from medlearn.metrics.binomial import exact_of_effective
from medlearn.metrics.estimate import Interval
from medlearn.metrics.froc_points import read_at
from medlearn.metrics.intervals import NO_SPREAD, finish_bootstrap, jackknife_influence
from medlearn.metrics.resampling import resample

METHODS = ("logit", "percentile", "bca")


def intervals_of(marks, rates, values, *, level, method, num_resamples, seed):
    """Return the interval at each rate and of their mean, its name, and the reason where there is none.

    Parameters
    ----------
    marks : medlearn.metrics.froc_points.Marks
    rates : sequence of float
    values : ndarray, shape (rates + 1,)
        The sensitivities themselves; their mean stands last.
    level : float
    method : str
        One of ``METHODS``.
    num_resamples, seed : int

    Returns
    -------
    list of (Interval, str, str)
    """
    num_scans = len(marks.findings)
    table = resample(
        lambda weights: read_at(marks, weights, rates), num_scans, num_resamples=num_resamples, seed=seed
    )  # (num_resamples, rates + 1)
    if method == "logit":
        return [_logit(value, column, marks.findings, level) for value, column in zip(values, table.T, strict=True)]
    left_out = read_at(marks, 1 - np.eye(num_scans, dtype=int), rates)  # (num_scans, rates + 1)
    return [
        finish_bootstrap(column, value, np.nan_to_num(jackknife_influence(without)), level=level, method=method)
        for value, column, without in zip(values, table.T, left_out.T, strict=True)
    ]


def _logit(value, resampled, findings, level):
    """Return the interval that is symmetric on the logit scale, with the standard error of the resamples.

    Resamples of n scans vary less than scans do, by (n - 1) / n: that is made up for. A sensitivity of 0 or 1, or one
    that the resamples do not move, gets the exact interval of as many independent cases as there are scans with
    findings. The degrees of freedom are those of :func:`medlearn.metrics.intervals.degrees_of_freedom`: scans with many
    findings count for more.
    """
    defined, pairs = resampled[~np.isnan(resampled)], int((findings > 0).sum())
    error = float(defined.std()) * np.sqrt(len(findings) / (len(findings) - 1))
    if not error > NO_SPREAD or not 0 < value < 1:
        return Interval(*exact_of_effective(value, pairs, level)), f"exact, as for {pairs} independent cases", ""
    degrees = max(1.0, findings.sum() ** 2 / np.sum(findings**2) - 1)
    half = stats.t.ppf((1 + level) / 2, degrees) * error / (value * (1 - value))
    odds = np.log(value / (1 - value))
    said = f"logit of a bootstrap, {len(resampled)} resamples"
    if len(defined) < len(resampled):
        said += f" ({len(resampled) - len(defined)} undefined, left out)"
    return Interval(*(float(end) for end in special.expit([odds - half, odds + half]))), said, ""
