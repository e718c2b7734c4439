"""Exercises of lesson 06b, Better networks, honestly: Flatten, flips, views, dropout, stopping, memory, a header."""

import json

import numpy as np

from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise


def _kernel(rng, height, width, channels, out):
    return rng.integers(-99, 100, size=(height * width * channels, out)).astype(float)


def _reordered(order, *, shape="hwc", turn=True):
    """Return a mistaken copy: the rows taken apart as ``shape`` and put together in another order of axes."""

    def mistaken(kernel, height, width):
        sizes = {"h": height, "w": width, "c": len(kernel) // (height * width)}
        blocks = kernel.reshape(*(sizes[letter] for letter in shape), -1)
        rows = blocks.transpose(*order, 3).reshape(kernel.shape)
        return rows.T if turn else rows

    return mistaken


@exercise(
    task="Turn Keras's kernel (height * width * channels, out) into PyTorch's weight (out, channels * height * width).",
    cases=lambda rng: [
        (np.arange(1.0, 13.0).reshape(12, 1), 2, 3),  # two channels: 1, 3, 5, ... are those of the first
        (_kernel(rng, 2, 3, 4, 5), 2, 3),
        (_kernel(rng, 3, 3, 2, 2), 3, 3),
    ],
    mistakes=[
        (
            lambda kernel, height, width: kernel.T,
            "You only transposed. The inputs still stand in Keras's order: rows, columns, channels.",
        ),
        (
            lambda kernel, height, width: kernel.reshape(kernel.shape[::-1]),
            "A reshape moves no number. Take the rows apart as (height, width, channels, out), then swap the axes.",
        ),
        (
            _reordered((1, 2, 0), shape="chw"),
            "You took the rows apart as (channels, height, width). In Keras the channels run fastest: they come last.",
        ),
        (
            _reordered((2, 1, 0)),
            "The channels are first now, but rows and columns are exchanged: (channels, height, width) is wanted.",
        ),
        (
            _reordered((2, 0, 1), turn=False),
            "The order of the inputs is right. PyTorch keeps (out, in): transpose at the end.",
        ),
    ],
    hints=[
        "Give the long axis its three axes back: kernel.reshape(height, width, channels, out). How many channels?",
        "Now bring them into PyTorch's order: .transpose(2, 0, 1, 3) is (channels, height, width, out).",
        "Flatten the first three again, and transpose: .reshape(kernel.shape).T",
    ],
)
def dense_for_torch(kernel, height, width):
    channels = len(kernel) // (height * width)
    blocks = kernel.reshape(height, width, channels, -1)  # (h * w * c, out) -> (h, w, c, out)
    return blocks.transpose(2, 0, 1, 3).reshape(kernel.shape).T  # -> (c, h, w, out) -> (out, c * h * w)


def _letters(value):
    """Return the letters of an answer, sorted, whether they came as text or one by one."""
    if isinstance(value, (list, tuple, set)) and all(isinstance(item, str) for item in value):
        value = "".join(value)
    return "".join(sorted(set(filter(str.isalpha, value.upper())))) if isinstance(value, str) else value


@exercise(
    task="Which of A to F leave the label true? Write their letters, such as 'BC'.",
    compare=lambda result, expected: same(_letters(result), _letters(expected)),
    mistakes=[
        (lambda: "A", "A is right. Is there a reason why a patch around a candidate should have an upper side?"),
        (lambda: "C", "C is right. What does mirroring change about 'a nodule is in this patch'?"),
        (lambda: "ABC", "B: the mirror image of a normal chest has its heart on the right. Its label has changed."),
        (lambda: "ACD", "D: the mirror image has its nodule in the other lung. The label must be mirrored too."),
        (lambda: "ACE", "E: density is what tells solid from ground glass, and 300 HU are half of the difference."),
        (lambda: "ACF", "F: the enlarged nodule has another diameter. Multiply the label by 1.2, or do not zoom."),
        (lambda: "ACEF", "E changes the density, F the size, and these are what the labels speak of."),
        (lambda: "ABCD", "B and D ask for a side of the body. Mirroring exchanges the sides."),
        (lambda: "ABCDEF", "Not all: ask for each line whether a radiologist would give the changed image that label."),
    ],
    hints=[
        "For each line: hand the changed image to a radiologist. Would the label be the same?",
        "Labels that name a side, a size or a density change with the side, the size or the density.",
    ],
)
def harmless():
    return "AC"


def _as_rows(value):
    """Sort the views of a stack, since their order does not matter; leave alone what is no stack."""
    try:
        array = np.array(value) if isinstance(value, (list, tuple)) else value
    except ValueError:  # views of different shapes
        return value
    if not isinstance(array, np.ndarray) or array.ndim != 3:
        return value
    order = np.lexsort(array.reshape(len(array), -1).T[::-1])
    return array[order].astype(float)


@exercise(
    task="Return the eight views of a square image: all turns by 90 degrees, mirrored and not, shape (8, size, size).",
    cases=lambda rng: [
        (np.array([[1.0, 2.0], [3.0, 4.0]]),),
        (np.arange(9.0).reshape(3, 3),),
        (rng.normal(size=(5, 5)),),
    ],
    compare=lambda result, expected: same(_as_rows(result), _as_rows(expected)),
    mistakes=[
        (
            lambda image: np.array([np.rot90(image, k) for k in range(4)]),
            "Those are the four turns. Each of them has a mirror image: four more.",
        ),
        (
            lambda image: np.array([np.rot90(image, k) for k in range(8)]),
            "Each turn stands twice. Four turns are the start again; flipping rows and columns, or transposing and"
            " flipping, is a turn too. A mirror image takes one flip.",
        ),
        (
            lambda image: np.array([image, image[::-1], image[:, ::-1], image[::-1, ::-1]]),
            "Flips of rows and columns give four views. Those that are transposed are missing.",
        ),
        (
            lambda image: np.array([*(np.rot90(image, k) for k in range(4)), image[:, ::-1]]),
            "Those are the four turns and one mirror image. The mirror image can be turned as well.",
        ),
        (
            lambda image: np.array([np.rot90(v, k).ravel() for v in (image, image[:, ::-1]) for k in range(4)]),
            "The eight are there, strung out. Keep rows and columns: shape (8, size, size).",
        ),
    ],
    hints=[
        "np.rot90(image, k) turns k times. What does a mirror image look like, turned?",
        "Two loops: over the image and image[:, ::-1], and over k from 0 to 3. np.array makes one array of the list.",
    ],
)
def eight_views(image):
    return np.array([np.rot90(view, turns) for view in (image, image[:, ::-1]) for turns in range(4)])


@exercise(
    task="Inverted dropout: in training drop and rescale, at the test pass x on as it is.",
    cases=lambda rng: [
        (np.array([2.0, 3.0, 4.0]), np.array([True, False, True]), 0.5, True),
        (rng.normal(size=8), rng.random(8) >= 0.2, 0.2, True),
        (rng.normal(size=8), rng.random(8) >= 0.7, 0.7, True),
        (rng.normal(size=5), np.array([True, False, False, True, False]), 0.2, False),
    ],
    mistakes=[
        (
            lambda x, keep, p, training: x * keep if training else x,
            "Nothing is rescaled, so the mean shrinks to (1 - p) times its value. Divide by 1 - p.",
        ),
        (
            lambda x, keep, p, training: x * keep / p if training else x,
            "You divided by p, the share that is dropped. The share that is kept is 1 - p.",
        ),
        (
            lambda x, keep, p, training: x * keep * (1 - p) if training else x,
            "You multiplied by 1 - p. What is kept must grow to make up for what is dropped: divide.",
        ),
        (
            lambda x, keep, p, training: x * ~keep / (1 - p) if training else x,
            "You dropped what should be kept: `keep` is True where x passes.",
        ),
        (
            lambda x, keep, p, training: x * keep / (1 - p),
            "You drop at the test too. There, `training` is False and x passes as it is.",
        ),
        (
            lambda x, keep, p, training: x * keep if training else x * (1 - p),
            "That is how it was done first: rescaled at the test. Inverted: rescale in training, leave the test alone.",
        ),
        (
            lambda x, keep, p, training: x * keep / (1 - p) if training else x * keep,
            "You still drop at the test. There, `training` is False and x passes as it is, whatever `keep` says.",
        ),
        (
            lambda x, keep, p, training: x if training else x * keep / (1 - p),
            "The modes are exchanged: drop in training, not at the test.",
        ),
    ],
    hints=[
        "Two cases: `return x` where training is False.",
        "x * keep sets to 0. The mean of keep is 1 - p; by what must you divide so that the mean of all is x again?",
    ],
)
def dropped(x, keep, p, training):
    return x * keep / (1 - p) if training else x


def _stop_with(*, extra=0, previous=False, ties=False):
    """Return a mistaken early stopping: patience off by some, compared with the epoch before, or ties that count."""

    def mistaken(losses, patience):
        best = waited = 0
        for epoch in range(1, len(losses)):
            than = losses[epoch - 1] if previous else losses[best]
            better = losses[epoch] <= than if ties else losses[epoch] < than
            best, waited = (epoch, 0) if better else (best, waited + 1)
            if waited == patience + extra:
                return best, epoch
        return best, len(losses) - 1

    return mistaken


def _two_epochs(result, expected):
    """Compare two epochs, in a tuple, a list or an array, as whole numbers of any type."""
    array = isinstance(result, np.ndarray) and result.shape == (2,)
    return same(tuple(result.tolist()) if array else result, expected)


@exercise(
    task="Return (best, last) of early stopping: the epoch whose weights are kept, and the last epoch that was run.",
    cases=lambda rng: [
        ([5.0, 3.0, 4.0, 3.0, 2.0], 2),
        ([5.0, 4.0, 3.0, 2.0], 2),
        ([9.0, 5.0, 8.0, 7.0, 6.0, 6.0, 1.0], 3),
        ([1.0, 2.0, 3.0, 4.0], 1),
        ([4.0, 5.0, 3.0, 6.0, 2.0, 7.0, 8.0, 9.0, 1.0], 3),
        ([6.0, 4.0, 4.0, 5.0, 4.0, 3.0, 3.0, 3.0], 4),
    ],
    mistakes=[
        (
            lambda losses, patience: (int(np.argmin(losses)), len(losses) - 1),
            "You looked at all the losses. The epochs after the stop were never run: nobody knows their loss.",
        ),
        (
            lambda losses, patience: (int(np.argmin(losses)), _stop_with()(losses, patience)[1]),
            "The last epoch is right. The best must be one that was run before the stop.",
        ),
        (
            lambda losses, patience: (_stop_with()(losses, patience)[1],) * 2,
            "You kept the last weights. Keep those of the best epoch so far: restore_best_weights=True.",
        ),
        (
            _stop_with(extra=1),
            "You waited one epoch too long. With a patience of 2, the second epoch without progress is the last.",
        ),
        (
            _stop_with(extra=-1),
            "You stopped one epoch too early. With a patience of 2, one epoch without progress is still forgiven.",
        ),
        (
            _stop_with(previous=True),
            "You compared with the epoch before. Progress is a loss below the best so far.",
        ),
        (_stop_with(ties=True), "An equal loss counted as better. Only a lower one is an improvement."),
        (
            lambda losses, patience: tuple(epoch + 1 for epoch in _stop_with()(losses, patience)),
            "You counted the epochs from 1. Here they are 0, 1, 2, ...",
        ),
        (
            lambda losses, patience: _stop_with()(losses, patience)[::-1],
            "The two are right and exchanged: (best, last).",
        ),
    ],
    compare=_two_epochs,
    hints=[
        "Walk through the losses, and remember the best epoch so far.",
        "epoch - best is the number of epochs without progress. When it reaches the patience, this epoch is the last.",
        "If that never happens, the last epoch is len(losses) - 1.",
    ],
)
def stop_at(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best == patience:
            return best, epoch
    return best, len(losses) - 1


@exercise(
    task="Return the smallest whole n with momentum ** n <= share.",
    cases=lambda rng: [(0.5, 0.3), (0.5, 0.25), (0.9, 0.05), (0.99, 0.01), (0.999, 0.5), (0.7, 0.02)],
    mistakes=[
        (
            lambda momentum, share: int(np.log(share) / np.log(momentum)),
            "You rounded down. At that step the start still counts for more than `share`: round up.",
        ),
        (
            lambda momentum, share: int(np.log(share) / np.log(momentum)) + 1,
            "One too many where the start counts for exactly `share`: 0.5 ** 2 is 0.25. Round up, do not add 1.",
        ),
        (
            lambda momentum, share: np.log(share) / np.log(momentum),
            "That is where the curve crosses `share`. Steps are whole: round up.",
        ),
        (
            lambda momentum, share: int(np.ceil(np.log(share) / np.log(1 - momentum))),
            "You let the start shrink by 1 - momentum a step. That is PyTorch's number; here the factor is momentum.",
        ),
        (
            lambda momentum, share: int(np.ceil(np.log(1 - share) / np.log(momentum))),
            "You solved for 1 - share. The start itself should count for `share`: momentum ** n <= share.",
        ),
        (
            lambda momentum, share: int(np.ceil(np.log(momentum) / np.log(share))),
            "The fraction is upside down: n log(momentum) <= log(share), and both logarithms are negative.",
        ),
        (
            lambda momentum, share: int(np.ceil(1 / (1 - momentum))),
            "1 / (1 - momentum) steps are its memory, but the start still counts for a third then. Solve for `share`.",
        ),
    ],
    hints=[
        "Take logarithms of momentum ** n <= share. Dividing by a negative number turns the sign round.",
        "n >= log(share) / log(momentum). The smallest whole number: math.ceil, or np.ceil and int.",
    ],
)
def steps_to_forget(momentum, share):
    return int(np.ceil(np.log(share) / np.log(momentum)))


def _file(tensors, *, metadata=None):
    """Return the bytes of a safetensors file with 32-bit numbers, written by hand."""
    header, numbers = ({"__metadata__": metadata} if metadata else {}), b""
    for name, array in tensors.items():
        raw = array.astype("<f4").tobytes()
        place = [len(numbers), len(numbers) + len(raw)]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": place}
        numbers += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + numbers


def _entries(content):
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])


def _lists(value):
    """Turn tuples of sizes into lists, which a JSON header has."""
    if not isinstance(value, dict):
        return value
    return {name: list(shape) if isinstance(shape, tuple) else shape for name, shape in value.items()}


@exercise(
    task="Return {name: shape} of the tensors in the bytes of a safetensors file, without __metadata__.",
    cases=lambda rng: [
        (_file({"weight": np.ones((2, 3)), "bias": np.zeros(2)}),),
        (_file({"0.weight": rng.normal(size=(8, 1, 3, 3)), "0.bias": rng.normal(size=8)}, metadata={"net": "flat"}),),
        (_file({f"stage {k}": rng.normal(size=(k + 1, 4)) for k in range(6)}, metadata={"seed": "0"}),),
    ],
    compare=lambda result, expected: same(_lists(result), expected),
    mistakes=[
        (
            lambda content: {name: entry.get("shape") for name, entry in _entries(content).items()},
            "The entry __metadata__ came along. It holds notes, no tensor: leave it out.",
        ),
        (
            lambda content: {n: entry for n, entry in _entries(content).items() if n != "__metadata__"},
            "You returned the whole entries. Asked is the shape of each: entry['shape'].",
        ),
        (
            lambda content: [name for name in _entries(content) if name != "__metadata__"],
            "Those are the names only. Return a dictionary from each name to its shape.",
        ),
        (
            lambda content: {n: entry["data_offsets"] for n, entry in _entries(content).items() if n != "__metadata__"},
            "Those are the places of the numbers in the file. Asked are the shapes.",
        ),
        (
            lambda content: {
                n: int(np.prod(entry["shape"])) for n, entry in _entries(content).items() if n != "__metadata__"
            },
            "You counted the numbers of each tensor. Return its shape, a list.",
        ),
    ],
    hints=[
        "int.from_bytes(content[:8], 'little') is the length of the header, which begins at byte 8.",
        "json.loads(content[8 : 8 + length]) gives a dictionary; each entry has a 'shape'. Leave out '__metadata__'.",
    ],
)
def read_shapes(content):
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
