"""The comparison of a learner's result with what was expected."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from medlearn.exercises.compare import describe, explain_difference, is_blank, same


@given(arrays(np.float64, array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6)))
def test_same_of_an_array_and_its_copy(array):
    assert same(array.copy(), array)


@given(arrays(np.float64, array_shapes(max_dims=2, max_side=4), elements=st.floats(-1e3, 1e3)), st.data())
def test_same_sees_one_changed_value(array, data):
    changed = array.copy()
    index = tuple(data.draw(st.integers(0, side - 1)) for side in array.shape)
    changed[index] += 1.0
    assert f"the first at index {index[0] if len(index) == 1 else index}" in explain_difference(changed, array)


@pytest.mark.parametrize(
    ("result", "expected", "words"),
    [
        (None, np.zeros(2), "Is there a `return` at the end"),
        ([0.0, 0.0], np.zeros(2), "np.array(...) makes one"),
        (torch.zeros(2), np.zeros(2), ".numpy() makes one"),
        (np.zeros(2), torch.zeros(2), "torch.from_numpy"),
        (np.zeros(1), 0.0, "a missing sum or mean"),
        (0.0, np.zeros(2), "an axis that should stay"),
        (np.zeros((2, 3)), np.zeros((3, 2)), r"shape is (2, 3); expected (3, 2)"),
        (np.zeros(2, int), np.zeros(2), "dtype is int64 (integers); expected float64"),
        (np.array([True]), np.array([1.0]), "truth values"),
        (np.array([np.nan, 1.0]), np.array([0.0, 1.0]), "1 of 2 values is not a number"),
        (np.array([1.0, 5.0]), np.array([1.0, 2.0]), "the first at index 1: 5.0 came back, expected 2.0"),
        ((1, 2), (1, 2, 3), "2 items came back; expected 3"),
        ((1, (2, 4)), (1, (2, 3)), "In item 1: In item 1: The number is not right"),
        ({"a": 1}, {"b": 1}, "The keys are ['a']; expected ['b']"),
        ({"a": 1}, {"a": 2}, "Under 'a'"),
        ("lung", "bone", "not the value that was expected"),
        (True, 1, "a truth value came back; expected a number"),
        (torch.zeros(1, requires_grad=True), torch.zeros(1), ".detach()"),
    ],
)
def test_explain_difference_names_the_coarsest(result, expected, words):
    assert words in explain_difference(result, expected)


def test_same_is_lenient_where_nothing_is_learned():
    assert same((1, 2), [1, 2])
    assert same(np.float32(0.1), 0.1)  # single precision: 0.1 is off by 1.5e-9
    assert same(5, 5.0)
    assert same(np.array([np.nan]), np.array([np.nan]))


def test_same_widens_single_precision_relative_to_the_largest_value():
    # 1e-5 of the largest value, 1000, is 0.01: rounding near zero in a float32 sum is no mistake
    expected = np.array([1000.0, 0.0])
    assert same(np.array([1000.0, 0.005], np.float32), expected)
    assert not same(np.array([1000.0, 0.005]), expected)


def test_explain_difference_of_images_looks_at_geometry_first():
    image = sitk.GetImageFromArray(np.zeros((2, 3, 4), np.float32))
    moved = sitk.Image(image)
    moved.SetSpacing((1.0, 2.0, 1.0))
    assert same(sitk.Image(image), image)
    assert explain_difference(moved, image).startswith("The image's spacing is (1.0, 2.0, 1.0)")
    assert "the first at index (0, 0, 0)" in explain_difference(image + 1, image)


def test_is_blank_finds_the_stub_anywhere():
    assert is_blank((1, [2, ...])) and is_blank({"a": ...}) and is_blank(np.array([1, ...], dtype=object))
    assert not is_blank(np.array([1.0])) and not is_blank(None) and not is_blank("...")


def test_describe_is_short_for_long_things():
    assert describe(np.zeros((100, 100))) == "an array of float64, shape (100, 100), values 0 to 0"
    assert len(describe("x" * 1000)) == 300
    assert describe((np.float64(1.5), 2)) == "(1.5, 2)"
