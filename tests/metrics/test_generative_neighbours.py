"""Nearest neighbours in blocks: scikit-learn's search, copies at distance 0, ties, and blocks of any size."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from medlearn.metrics import generative_neighbours
from medlearn.metrics.generative_neighbours import nearest, neighbour_radius


@pytest.fixture(params=[1, 50, 1 << 21])
def elements_at_once(request, monkeypatch):
    monkeypatch.setattr(generative_neighbours, "ELEMENTS_AT_ONCE", request.param)


@pytest.mark.usefixtures("elements_at_once")
def test_nearest_is_scikit_learns():
    rng = np.random.default_rng(0)
    items, references = rng.standard_normal((37, 5)), rng.standard_normal((23, 5))
    distance, index = nearest(items, references)
    expected = NearestNeighbors(n_neighbors=1, algorithm="kd_tree").fit(references).kneighbors(items)
    np.testing.assert_allclose(distance, expected[0][:, 0])
    assert index.tolist() == expected[1][:, 0].tolist()


@pytest.mark.usefixtures("elements_at_once")
@pytest.mark.parametrize("neighbours", [1, 3, 22])
def test_radius_is_scikit_learns_which_leaves_the_item_itself_out(neighbours):
    items = np.random.default_rng(1).standard_normal((23, 4))
    expected = NearestNeighbors(n_neighbors=neighbours, algorithm="kd_tree").fit(items).kneighbors()[0]
    np.testing.assert_allclose(neighbour_radius(items, neighbours), expected[:, -1])


@pytest.mark.usefixtures("elements_at_once")
def test_a_duplicate_is_a_neighbour_at_distance_zero_and_the_item_itself_is_none():
    # 0 has itself twice more: its neighbours lie at 0, 0, 3; 3 has its neighbours at 3, 3, 3
    items = np.array([[0.0], [0.0], [3.0], [0.0]])
    assert [neighbour_radius(items, k).tolist() for k in (1, 2, 3)] == [[0, 0, 3, 0], [0, 0, 3, 0], [3, 3, 3, 3]]


def test_a_copy_lies_at_exactly_zero_however_large_its_values_are():
    images = 1e4 + np.random.default_rng(2).standard_normal((20, 1024))
    distance, index = nearest(images[::-1], images)
    assert (distance == 0).all()
    assert index.tolist() == list(range(20))[::-1]


def test_the_first_of_equally_near_references_is_taken():
    assert nearest(np.array([[0.0]]), np.array([[2.0], [1.0], [-1.0]]))[1].tolist() == [1]
