"""The bootstrap of any statistic, over whole patients."""

import numpy as np

from medlearn.metrics.checks import check_lengths, check_level, check_method, check_patients
from medlearn.metrics.estimate import Estimate, undefined
from medlearn.metrics.intervals import finish_bootstrap
from medlearn.metrics.resampling import NUM_RESAMPLES, draw_weights


def bootstrap(statistic, *arrays, patients=None, num_resamples=NUM_RESAMPLES, level=0.95, method="percentile", seed=0):
    """Return the bootstrap estimate of any statistic; whole patients are drawn, with replacement.

    Parameters
    ----------
    statistic : callable
        ``statistic(*arrays)`` returns a number; NaN, or a ValueError or ZeroDivisionError, where a resample does not
        define it.
    *arrays : sequences of the same length n
        Drawn together: the first axis is that of the cases.
    patients : sequence of length n, optional
        The patient of each case; without, each case is drawn for itself.
    num_resamples : int, optional
    level : float, optional
        Confidence level of the interval.
    method : {"percentile", "bca"}, optional
        "bca" calls the statistic once more for each patient.
    seed : int, optional

    Returns
    -------
    Estimate
        ``method`` says how many resamples did not define the statistic; those are left out. Where that is more than
        half, there is no interval, and ``reason`` says so.

    Raises
    ------
    ValueError
        If there are no arrays, their lengths differ, or an option is out of range.

    Notes
    -----
    For 50 patients both intervals are somewhat too narrow: of 95 % intervals of the scores in this package, 86 to 96 %
    held the truth. Take a score's own default where there is one.

    Examples
    --------
    >>> import numpy as np
    >>> print(bootstrap(np.median, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], num_resamples=500))
    5.00 (95 % CI 2.48 to 8.00, 9 cases)

    References
    ----------
    Efron (1987), doi:10.1080/01621459.1987.10478410. Field and Welsh (2007), Bootstrapping clustered data,
    doi:10.1111/j.1467-9868.2007.00593.x.
    """
    check_method(method, ("percentile", "bca"))
    level = check_level(level)
    arrays = _check_arrays(arrays)
    if num_resamples != int(num_resamples) or num_resamples < 100:
        raise ValueError(f"num_resamples must be a whole number, 100 or more, got {num_resamples}; 2000 is usual.")
    units, num_patients = check_patients(patients, len(arrays[0]))
    members = _members(units)
    value = _call(statistic, arrays)
    size = {"num_patients": num_patients, "num_cases": len(units)}
    if np.isnan(value):
        return undefined("the statistic is not defined on these cases", level=level, **size)
    if len(members) == 1:
        return Estimate(value, np.nan, np.nan, level, *size.values(), "none", "one patient cannot be resampled")
    resampled = _resampled(statistic, arrays, members, num_resamples=num_resamples, seed=seed)
    influence = _influence(statistic, arrays, members) if method == "bca" else None
    interval, said, reason = finish_bootstrap(resampled, value, influence, level=level, method=method)
    return Estimate(value, *interval, level, *size.values(), said, reason)


def _check_arrays(arrays):
    if not arrays:
        raise ValueError("bootstrap needs the arrays that the statistic takes: bootstrap(statistic, labels, scores).")
    arrays = [array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array) for array in arrays]
    for position, array in enumerate(arrays):
        if array.ndim == 0:
            raise ValueError(f"array {position} is the single value {array}; pass one entry for each case.")
    check_lengths(**{f"entries in array {position}": array for position, array in enumerate(arrays)})
    return arrays


def _members(units):
    """Return for each unit the positions of its cases."""
    order = np.argsort(units, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(units[order])) + 1)


def _call(statistic, arrays):
    try:
        return float(statistic(*arrays))
    except (ValueError, ZeroDivisionError):
        return np.nan


def _resampled(statistic, arrays, members, *, num_resamples, seed):
    values = []
    for block in draw_weights(np.random.default_rng(seed), len(members), num_resamples):
        for weights in block:
            drawn = np.repeat(np.arange(len(members)), weights)
            positions = np.concatenate([members[unit] for unit in drawn])
            values.append(_call(statistic, [array[positions] for array in arrays]))
    return np.array(values)


def _influence(statistic, arrays, members):
    """Return the mean of the leave-one-out values minus each of them; 0 for a unit that the statistic cannot do
    without."""
    num_cases = sum(map(len, members))
    left_out = np.empty(len(members))
    for unit, positions in enumerate(members):
        kept = np.delete(np.arange(num_cases), positions)
        left_out[unit] = _call(statistic, [array[kept] for array in arrays])
    return np.nan_to_num(np.nanmean(left_out) - left_out)
