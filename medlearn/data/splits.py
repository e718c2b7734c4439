"""Splits by patient: no patient is on both sides, whatever the number of their images."""

from collections import Counter

import numpy as np


def split_by_patient(patients, *, fractions=(0.7, 0.15, 0.15), seed=0, labels=None):
    """Split items into groups so that all items of a patient are in one group.

    Fractions are of **patients**, not of items: a patient with many images weighs as much as one with few.

    Parameters
    ----------
    patients : sequence of length n
        The patient of every item: names or numbers, none missing.
    fractions : sequence of float
        The share of the patients in each group; they add up to 1. Default: training, validation, test.
    seed : int
        Another seed, another split. The order of the items does not matter.
    labels : sequence of length n, optional
        The label of every item. If given, patients are stratified: the groups have nearly equal shares of each patient
        label. A patient whose items differ counts by the most frequent label; in a tie, by the largest.

    Returns
    -------
    tuple of ndarray of int
        One sorted array of item indices for each fraction.

    Raises
    ------
    ValueError
        If a patient or a label is missing (None, NaN, empty), a patient stands as a number and as a text, the lengths
        differ, the fractions are not positive or do not add up to 1, or there are fewer patients than groups.

    Examples
    --------
    >>> patients = ["ann", "bob", "ann", "cem", "bob", "dee"]
    >>> train, test = split_by_patient(patients, fractions=(0.5, 0.5), seed=1)
    >>> sorted({patients[i] for i in train} & {patients[i] for i in test})
    []
    >>> len(train) + len(test)
    6
    """
    fractions = _checked_fractions(fractions)
    names, of_item = _checked_patients(patients)
    if len(names) < len(fractions):
        raise ValueError(
            f"{len(names)} patients cannot fill {len(fractions)} groups: each needs one. Ask for fewer groups, or use"
            " cross-validation with groups (sklearn.model_selection.LeaveOneGroupOut)."
        )
    strata = _strata(of_item, len(names), labels)
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(stratum) for stratum in strata])
    group_of_patient = np.empty(len(names), dtype=int)
    dealt = _deal(len(names), fractions)
    if labels is not None:  # turned round, so that a label with one patient is not in the same group for every seed
        dealt = np.roll(dealt, rng.integers(len(names)))
    group_of_patient[order] = dealt
    group_of_item = group_of_patient[of_item]
    return tuple(np.flatnonzero(group_of_item == group) for group in range(len(fractions)))


def assert_no_patient_overlap(*groups_of_patients):
    """Raise if a patient is in more than one group.

    Parameters
    ----------
    *groups_of_patients : sequence
        The patient of every item, one sequence for each group: training, validation, test.

    Raises
    ------
    ValueError
        If patients are shared; it names them and says how to mend the split. Also for fewer than two groups, and for a
        missing patient, and for one that stands as a number in one place and as a text in another.

    Examples
    --------
    >>> assert_no_patient_overlap(["ann", "ann", "bob"], ["cem"])
    >>> assert_no_patient_overlap(["ann", "bob"], ["bob", "cem"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: 1 patient is in groups 0 and 1: bob. ...
    """
    if len(groups_of_patients) < 2:
        raise ValueError("expected two groups or more; call assert_no_patient_overlap(training, test).")
    sets = [set(_checked_patients(group)[0]) for group in groups_of_patients]
    _check_types(set().union(*sets))
    for first in range(len(sets)):
        for second in range(first + 1, len(sets)):
            shared = sorted(sets[first] & sets[second], key=str)
            if shared:
                raise ValueError(
                    f"{len(shared)} patient{'s are' if len(shared) > 1 else ' is'} in groups {first} and {second}:"
                    f" {', '.join(map(str, shared[:10]))}{' ...' if len(shared) > 10 else ''}. A model can know them"
                    " again, so its score on the second group means nothing. Split with"
                    " medlearn.data.split_by_patient."
                )


def _checked_fractions(fractions):
    fractions = np.asarray(fractions, dtype=float)
    if fractions.ndim != 1 or len(fractions) < 2:
        raise ValueError(f"fractions must be two numbers or more, got {fractions.tolist()}; such as (0.8, 0.2).")
    if not (fractions > 0).all() or not np.isclose(fractions.sum(), 1, atol=1e-6):
        raise ValueError(
            f"fractions must be positive and add up to 1, got {fractions.tolist()}, which add up to"
            f" {fractions.sum():g}; such as (0.7, 0.15, 0.15)."
        )
    return fractions


def _checked_patients(patients):
    """Return the distinct patients, sorted, and for each item the index of its patient."""
    if isinstance(patients, str):
        raise ValueError(f"patients must be a sequence, one for each item, got the text {patients!r}.")
    if getattr(patients, "ndim", 1) != 1:
        raise ValueError(
            f"patients must be a sequence, got shape {patients.shape}; pass one column, as table['patient']."
        )
    patients = list(patients)
    if not patients:
        raise ValueError("patients is empty; expected the patient of every item.")
    missing = [index for index, patient in enumerate(patients) if _is_missing(patient)]
    if missing:
        raise ValueError(
            f"{len(missing)} item(s) have no patient (None, NaN or empty), the first at index {missing[0]}. An item of"
            " an unknown patient may be on both sides: find out whose it is, or leave it out."
        )
    try:
        distinct = set(patients)
    except TypeError as error:
        raise ValueError(f"patients must be names or numbers, one for each item: {error}.") from error
    _check_types(distinct)
    names = sorted(distinct, key=str)
    place = {name: index for index, name in enumerate(names)}
    return names, np.array([place[patient] for patient in patients])


def _check_types(names):
    """Refuse 7 beside "7": they would count as two patients, and an overlap would not be seen."""
    seen = {}
    for name in names:
        text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        number = isinstance(name, (float, np.floating)) and float(name).is_integer()
        other = seen.setdefault(str(int(name)) if number else text, name)
        if other is not name:
            first, second = sorted((type(other).__name__, type(name).__name__))
            raise ValueError(
                f"the patient {text} stands as {first} and as {second}. Write every patient in the same type, such as"
                " str(patient)."
            )


def _is_missing(patient):
    if isinstance(patient, str):
        return not patient.strip()
    return patient is None or str(patient) in ("nan", "NaT", "<NA>")  # the last is pandas'


def _strata(of_item, count, labels):
    """Return the patients as one array, or as one array for each patient label."""
    if labels is None:
        return [np.arange(count)]
    labels = np.asarray(labels)
    if labels.shape != of_item.shape:
        raise ValueError(f"labels must have one label per item: {of_item.size} items, labels of shape {labels.shape}.")
    missing = [index for index, label in enumerate(labels.tolist()) if _is_missing(label)]
    if missing:
        raise ValueError(
            f"{len(missing)} item(s) have no label (None, NaN or empty), the first at index {missing[0]}. Leave these"
            " items out, or give them a label of their own."
        )
    votes = [Counter() for _ in range(count)]
    for patient, label in zip(of_item, labels.tolist(), strict=True):
        votes[patient][label] += 1
    chosen = np.array([max(vote.items(), key=lambda pair: pair[::-1])[0] for vote in votes])
    return [np.flatnonzero(chosen == label) for label in np.unique(chosen)]


def _deal(count, fractions):
    """Return a group for each place in line, spread evenly: any stretch of the line has about these fractions.

    Each next patient goes to the group that is furthest behind its share, so stratified patients, who stand in line by
    label, are shared out label by label. No group stays empty.
    """
    sizes = _sizes(count, fractions)
    dealt = np.zeros(len(fractions), dtype=int)
    groups = np.empty(count, dtype=int)
    for place in range(count):
        groups[place] = np.argmax(sizes * (place + 1) / count - dealt)  # a full group is never the furthest behind
        dealt[groups[place]] += 1
    return groups


def _sizes(count, fractions):
    """Return how many patients each group gets: nearest to the fractions, at least one, ``count`` in all."""
    sizes = np.maximum(1, np.floor(fractions * count + 1e-9)).astype(int)
    while sizes.sum() < count:
        sizes[np.argmax(fractions * count - sizes)] += 1
    while sizes.sum() > count:
        excess = np.where(sizes > 1, sizes - fractions * count, -np.inf)
        sizes[np.argmax(excess)] -= 1
    return sizes
