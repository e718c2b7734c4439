"""A split is a partition of the items, whole patients at a time, and depends on the seed alone."""

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlearn.data.splits import _sizes, assert_no_patient_overlap, split_by_patient

quick = settings(deadline=None, max_examples=80)
patient_lists = st.lists(st.integers(0, 30), min_size=3, max_size=120).filter(lambda p: len(set(p)) >= 3)
seeds = st.integers(0, 2**32 - 1)


def names_of(groups, patients):
    return [{patients[i] for i in group} for group in groups]


@quick
@given(patient_lists, seeds, st.booleans())
def test_a_split_is_a_partition_without_overlap(patients, seed, stratified):
    labels = [p % 3 for p in patients] if stratified else None
    groups = split_by_patient(patients, seed=seed, labels=labels)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(patients)))
    assert all(len(group) for group in groups)
    assert_no_patient_overlap(*[[patients[i] for i in group] for group in groups])


@quick
@given(patient_lists, seeds, st.randoms())
def test_the_order_of_the_items_does_not_matter(patients, seed, random):
    shuffled = list(patients)
    random.shuffle(shuffled)
    assert names_of(split_by_patient(patients, seed=seed), patients) == names_of(
        split_by_patient(shuffled, seed=seed), shuffled
    )


@quick
@given(patient_lists, seeds)
def test_the_number_of_items_of_a_patient_does_not_matter(patients, seed):
    once = sorted(set(patients))
    assert names_of(split_by_patient(patients, seed=seed), patients) == names_of(
        split_by_patient(once, seed=seed), once
    )


def test_seeds_differ_and_repeat():
    patients = np.repeat(np.arange(40), 3)
    splits = [tuple(map(tuple, split_by_patient(patients, seed=seed))) for seed in (0, 0, 1, 2)]
    assert splits[0] == splits[1] and len(set(splits)) == 3


def test_fractions_are_of_patients():
    # One patient has 1,000 items, 19 have one each: 0.5 of 20 patients is 10 patients, however many items they have.
    patients = ["big"] * 1000 + [f"p{i:02d}" for i in range(19)]
    groups = names_of(split_by_patient(patients, fractions=(0.5, 0.5)), patients)
    assert [len(group) for group in groups] == [10, 10]


def test_the_only_patient_of_a_label_can_land_in_every_group():
    labels = [0] * 19 + [1]
    landed = [[19 in group for group in split_by_patient(range(20), seed=s, labels=labels)] for s in range(100)]
    # 0.7, 0.15, 0.15 of 20 patients are 14, 3, 3: in 100 splits about 70, 15, 15; 4 standard deviations are 18, 14, 14.
    for count, expected, margin in zip(np.sum(landed, axis=0), (70, 15, 15), (18, 14, 14), strict=True):
        assert abs(count - expected) <= margin


@quick
@given(st.integers(2, 500), st.lists(st.floats(0.01, 1), min_size=2, max_size=5))
def test_sizes_are_nearest_to_the_fractions(count, weights):
    fractions = np.array(weights) / sum(weights)
    if count < len(fractions):
        return
    sizes = _sizes(count, fractions)
    assert sizes.sum() == count and sizes.min() >= 1
    if (fractions * count >= 1).all():
        assert np.abs(sizes - fractions * count).max() < 1 + 1e-9


def test_every_patient_can_land_in_every_group():
    seen = [set(), set(), set()]
    for seed in range(60):
        for place, names in enumerate(names_of(split_by_patient(range(10), seed=seed), range(10))):
            seen[place] |= names
    assert seen == [set(range(10))] * 3


@quick
@given(seeds)
def test_stratified_groups_have_the_share_of_each_label(seed):
    # 60 patients of whom 20 are ill; a third of the patients in each group, so 6 or 7 ill in each.
    patients = np.repeat(np.arange(60), 4)
    labels = (patients < 20).astype(int)
    groups = split_by_patient(patients, fractions=(1 / 3, 1 / 3, 1 / 3), seed=seed, labels=labels)
    ill = [len(set(patients[g][labels[g] == 1])) for g in groups]
    assert sorted(ill) == [6, 7, 7] and [len(set(patients[g])) for g in groups] == [20, 20, 20]


def test_stratified_keeps_a_rare_label_in_both_groups():
    patients = list(range(20))
    labels = ["rare" if p < 4 else "common" for p in patients]
    for seed in range(20):
        groups = split_by_patient(patients, fractions=(0.5, 0.5), seed=seed, labels=labels)
        assert [sum(labels[i] == "rare" for i in g) for g in groups] == [2, 2]


def test_a_patient_with_both_labels_counts_by_the_most_frequent():
    # Patients 0 to 3 have labels 1, 1, 0 and count as 1; 4 to 7 have 0, 0, 1 and count as 0. Halves get two of each.
    patients = np.repeat(np.arange(8), 3)
    labels = np.concatenate([[1, 1, 0]] * 4 + [[0, 0, 1]] * 4)
    for seed in range(10):
        first, _ = split_by_patient(patients, fractions=(0.5, 0.5), seed=seed, labels=labels)
        assert len({p for p in patients[first] if p < 4}) == 2


@pytest.mark.parametrize(
    ("patients", "options", "message"),
    [
        (["a", "b"], {}, "2 patients cannot fill 3 groups"),
        (["a"] * 50, {"fractions": (0.5, 0.5)}, "1 patients cannot fill 2 groups.*LeaveOneGroupOut"),
        ([], {}, "patients is empty"),
        (["a", None, "b", "c"], {}, "1 item.s. have no patient .* index 1"),
        (["a", "b", float("nan"), "c"], {}, "have no patient .* index 2"),
        (np.array([1.0, np.nan, np.nan, 4.0]), {}, "2 item.s. have no patient"),
        (["a", "  ", "b", "c"], {}, "have no patient"),
        (pandas.array(["a", None, "b", "c"]), {}, "have no patient"),
        ("abc", {}, "must be a sequence, one for each item, got the text 'abc'"),
        (["a", "b", "c"], {"fractions": (0.7, 0.2)}, "add up to 1, got .0.7, 0.2., which add up to 0.9"),
        (["a", "b", "c"], {"fractions": (0.7, 0.2, 0.2)}, "which add up to 1.1"),
        (["a", "b", "c"], {"fractions": (1.2, -0.2)}, "must be positive"),
        (["a", "b", "c"], {"fractions": (1.0, 0.0)}, "must be positive"),
        (["a", "b", "c"], {"fractions": (np.nan, 0.5)}, "must be positive"),
        (["a", "b", "c"], {"fractions": (1.0,)}, "two numbers or more"),
        (["a", "b", "c"], {"labels": [1, 0]}, "one label per item: 3 items"),
        (["a", "b", "c"], {"labels": [1, np.nan, 0]}, r"1 item\(s\) have no label .*index 1"),
        (["a", "b", "c"], {"labels": ["x", "y", None]}, r"1 item\(s\) have no label .*index 2"),
        (["a", "b", "c"], {"labels": pandas.Series([pandas.NA, 1, 0], dtype="Int64")}, "have no label .*index 0"),
        (pandas.DataFrame({"patient": [1, 2], "age": [3, 4]}), {}, r"got shape \(2, 2\).*one column"),
        (np.array([["a"], ["b"], ["c"]]), {}, r"got shape \(3, 1\)"),
        ([["a"], ["b"], ["c"]], {}, "must be names or numbers"),
        ([7, "7", 8, 9], {}, r"7 stands as int and as str"),
    ],
)
def test_split_by_patient_refuses(patients, options, message):
    with pytest.raises(ValueError, match=message):
        split_by_patient(patients, **options)


def test_overlap_names_the_patients_the_groups_and_the_mend():
    with pytest.raises(ValueError, match=r"2 patients are in groups 0 and 2: 3, 7\. .*split_by_patient"):
        assert_no_patient_overlap([1, 3, 7, 3], [2], [7, 3, 9])


def test_overlap_of_many_names_ten():
    with pytest.raises(ValueError, match=r"12 patients are in groups 0 and 1: 0, 1, 10, 11, 2, 3, 4, 5, 6, 7 \.\.\."):
        assert_no_patient_overlap(range(12), range(12))


def test_overlap_compares_numpy_and_python_values():
    with pytest.raises(ValueError, match="1 patient is in groups 0 and 1: 5"):
        assert_no_patient_overlap(np.array([5, 6]), [5])


@pytest.mark.parametrize(
    ("first", "second"), [([5], ["5"]), ([b"ann"], ["ann"]), ([5.0], ["5"]), (["5"], [np.int64(5)])]
)
def test_overlap_refuses_numbers_beside_texts(first, second):
    # Two files read in two ways: the comparison would find no patient in common, whoever they are.
    with pytest.raises(ValueError, match=r"stands as \w+ and as \w+.*same type"):
        assert_no_patient_overlap(first, second)


def test_overlap_needs_two_groups_and_known_patients():
    with pytest.raises(ValueError, match="two groups or more"):
        assert_no_patient_overlap(["a"])
    with pytest.raises(ValueError, match="have no patient"):
        assert_no_patient_overlap(["a", None], ["b"])
