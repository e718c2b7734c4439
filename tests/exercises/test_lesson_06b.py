"""Lesson 06b's exercises: the solutions against both frameworks and brute force."""

import numpy as np
import pytest

from medlearn.exercises import lesson_06b as ex


@pytest.fixture
def rng():
    return np.random.default_rng(6)


def solution(exercise):
    """Return the plain function behind an exercise."""
    return exercise.solution_function


@pytest.mark.parametrize(("height", "width", "channels"), [(1, 1, 3), (2, 3, 4), (4, 2, 1), (3, 3, 2)])
def test_dense_for_torch_gives_equal_outputs_behind_both_flattens(rng, height, width, channels):
    torch = pytest.importorskip("torch")
    maps = rng.normal(size=(5, height, width, channels))
    kernel = rng.normal(size=(height * width * channels, 6))
    in_keras = maps.reshape(5, -1) @ kernel  # Flatten of NHWC, then Dense without a bias
    layer = torch.nn.Linear(kernel.shape[0], 6, bias=False, dtype=torch.float64)
    layer.weight.data = torch.from_numpy(np.ascontiguousarray(solution(ex.dense_for_torch)(kernel, height, width)))
    in_torch = layer(torch.from_numpy(maps).permute(0, 3, 1, 2).flatten(1)).detach().numpy()
    np.testing.assert_allclose(in_torch, in_keras, atol=1e-12)


def test_dense_for_torch_by_hand():
    # 1 x 2 pixels, 2 channels. Keras: pixel 0 has 1 (channel 0), 2 (channel 1); pixel 1 has 3, 4. PyTorch: 1, 3, 2, 4.
    kernel = np.array([[1.0], [2.0], [3.0], [4.0]])
    np.testing.assert_array_equal(solution(ex.dense_for_torch)(kernel, 1, 2), [[1.0, 3.0, 2.0, 4.0]])


@pytest.mark.parametrize("answer", ["AC", "ca", "A, C", ["A", "C"], ("C", "A"), {"A", "C"}])
def test_harmless_takes_the_letters_in_any_form(answer):
    assert ex.harmless.evaluate(answer).state == "right"


@pytest.mark.parametrize("answer", ["", "AB", "ABCD EF", "no idea", 3, ["A", 3], None])
def test_harmless_refuses_anything_else(answer):
    assert ex.harmless.evaluate(answer).state == "wrong"


def test_eight_views_are_the_symmetries_of_the_library(rng):
    torch = pytest.importorskip("torch")
    from medlearn.models.nodule_augmentation import symmetries

    image = rng.normal(size=(6, 6))
    library = {v.numpy().tobytes() for v in symmetries(torch.from_numpy(image)[None, None])}
    views = solution(ex.eight_views)(image)
    assert {np.ascontiguousarray(view).tobytes() for view in views} == library
    assert views.shape == (8, 6, 6)
    assert len(library) == 8


def test_eight_views_come_in_any_order_and_as_a_list():
    def mine(image):
        flips = [image, image[::-1], image[:, ::-1], image[::-1, ::-1]]
        return flips + [view.T for view in flips]

    assert ex.eight_views.evaluate(mine).state == "right"


def test_eight_views_of_the_wrong_shape_are_wrong():
    assert ex.eight_views.evaluate(lambda image: [image, image[0]]).state == "wrong"


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropped_keeps_the_mean(rng, p):
    # the variance of one entry is x^2 p / (1 - p); six standard errors of the mean of n
    x, n = np.full(200_000, 2.0), 200_000
    out = solution(ex.dropped)(x, rng.random(n) >= p, p, True)
    assert abs(out.mean() - 2) < 6 * 2 * np.sqrt(p / (1 - p) / n)
    np.testing.assert_array_equal(solution(ex.dropped)(x, rng.random(n) >= p, p, False), x)


def test_dropped_equals_pytorch():
    torch = pytest.importorskip("torch")
    layer, x = torch.nn.Dropout(0.3), np.linspace(1, 2, 500)
    torch.manual_seed(0)
    expected = layer(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(solution(ex.dropped)(x, expected != 0, 0.3, True), expected)


@pytest.mark.parametrize("patience", [1, 2, 3, 5])
def test_stop_at_equals_brute_force(rng, patience):
    for _ in range(200):
        losses = rng.integers(1, 8, size=12).tolist()
        ends = [e for e in range(12) if e - int(np.argmin(losses[: e + 1])) >= patience]  # argmin: the first of equals
        last = ends[0] if ends else 11
        assert solution(ex.stop_at)(losses, patience) == (int(np.argmin(losses[: last + 1])), last)


def test_stop_at_equals_keras():
    keras = pytest.importorskip("keras")
    losses = [5.0, 3.0, 4.0, 2.5, 2.6, 2.7, 2.5, 1.0]
    callback = keras.callbacks.EarlyStopping("loss", patience=3)
    callback.set_model(keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)]))
    callback.model.stop_training = False
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"loss": loss})
        if callback.model.stop_training:
            break
    assert solution(ex.stop_at)(losses, 3) == (callback.best_epoch, callback.stopped_epoch) == (3, 6)


@pytest.mark.parametrize("kind", [tuple, list, np.array])
def test_stop_at_may_come_in_any_sequence(kind):
    assert ex.stop_at.evaluate(lambda losses, patience: kind(solution(ex.stop_at)(losses, patience))).state == "right"


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("share", [0.3, 0.01])
def test_steps_to_forget_equals_counting(momentum, share):
    n, left = 0, 1.0
    while left > share:
        n, left = n + 1, left * momentum
    assert solution(ex.steps_to_forget)(momentum, share) == n


def test_steps_to_forget_of_the_lesson():
    # ln 0.01 / ln 0.99 = -4.60517 / -0.0100503 = 458.2
    assert solution(ex.steps_to_forget)(0.99, 0.01) == 459


def test_read_shapes_of_a_file_of_the_library(tmp_path):
    torch = pytest.importorskip("torch")
    from medlearn.models.weights import save

    network = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Linear(8, 2))
    save(network, tmp_path / "net.safetensors")
    expected = {name: list(value.shape) for name, value in network.state_dict().items()}
    assert solution(ex.read_shapes)((tmp_path / "net.safetensors").read_bytes()) == expected


def test_the_files_of_read_shapes_are_read_by_safetensors():
    load = pytest.importorskip("safetensors.numpy").load
    for (content,) in ex.read_shapes.cases():
        found = {name: list(array.shape) for name, array in load(content).items()}
        assert found == solution(ex.read_shapes)(content)


def test_read_shapes_may_give_tuples():
    def mine(content):
        return {name: tuple(shape) for name, shape in solution(ex.read_shapes)(content).items()}

    assert ex.read_shapes.evaluate(mine).state == "right"
