"""The LUNA16 crops: the real set where it is in the cache, and small sets that are damaged on purpose."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medlearn.data import card, cards
from medlearn.data.cache import DataUnavailable
from medlearn.data.luna16 import BLOCK_ROWS, Crops, load_luna16_crops, read_crops

SET = Path(os.environ.get("MEDLEARN_DATA", "/nowhere")) / "luna16_crops"
needs_crops = pytest.mark.skipif(not SET.is_dir(), reason="luna16_crops is not in MEDLEARN_DATA")


@pytest.fixture(scope="module")
def crops():
    return read_crops(SET)


def jpeg(grey, **options):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(grey, dtype=np.uint8)).save(stream, "JPEG", quality=100, **options)
    return stream.getvalue()


def flat(value, shape=(50, 50)):
    return jpeg(np.full(shape, value))


def write(folder, members, labels="candidate_row,label\n30,1\n7,0\n"):
    """Write a set of two crops, or what a test makes of it."""
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text(labels)
    with zipfile.ZipFile(folder / "crops.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return folder


def made_up(rows, labels=None):
    rows = np.asarray(rows, dtype=np.int64)
    labels = np.arange(len(rows)) % 2 if labels is None else labels
    images_hu = np.arange(len(rows), dtype=np.float32)[:, None, None] * np.ones((1, 50, 50), np.float32)
    return Crops(images_hu, labels, rows, rows // BLOCK_ROWS, card("luna16_crops"))


@needs_crops
def test_real_set_has_the_numbers_of_its_card(crops):
    assert crops.images_hu.shape == (6484, 50, 50) and crops.images_hu.dtype == np.float32
    assert (len(crops), crops.labels.sum()) == (6484, 1100)
    assert crops.labels.dtype == crops.rows.dtype == crops.blocks.dtype == np.int64
    assert "6,484 crops" in crops.card.items and not crops.card.synthetic
    assert (np.diff(crops.rows) > 0).all()
    np.testing.assert_array_equal(crops.blocks, crops.rows // 1250)  # 551,065 rows / 888 scans = 620.6; two are 1,241
    # The rows reach to 439,238. Of the first list (551,065 rows, 1,351 nodules) that leads to expect 1,077 nodules and
    # 1,100 are here; of the second (754,975 rows, 1,557 nodules) it would be 906, standard deviation 30.
    assert crops.rows[-1] == 439_238
    assert abs(1100 - 439_239 / 551_065 * 1351) < 30 < 190 < 1100 - 439_239 / 754_975 * 1557


@needs_crops
@pytest.mark.parametrize("index", [0, 1234, 6483])
def test_real_crops_are_what_another_jpeg_reader_reads(crops, tmp_path, index):
    name = f"{crops.rows[index]}.jpg"
    with zipfile.ZipFile(SET / "crops.zip") as archive:
        archive.extract(name, tmp_path)
    grey = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / name))).astype(float)
    # 0 to 255 are -1000 to 400 HU: 1400 / 255 HU a step. Two decoders may differ by one step.
    np.testing.assert_allclose(crops.images_hu[index], grey / 255 * 1400 - 1000, atol=5.5)


@needs_crops
def test_one_real_crop_is_smaller_and_filled_with_air_below(crops):
    sizes = []
    with zipfile.ZipFile(SET / "crops.zip") as archive:
        for name in archive.namelist():
            with Image.open(io.BytesIO(archive.read(name))) as picture:
                sizes.append((name, picture.size))
    assert [pair for pair in sizes if pair[1] != (50, 50)] == [("393762.jpg", (50, 47))]  # PIL: (columns, rows)
    (index,) = np.flatnonzero(crops.rows == 393_762)
    assert (crops.images_hu[index, 47:] == -1000).all()
    # The candidate, the edge of the table, lies in row 25: so the centre has not moved, and the end is what lacks.
    assert crops.images_hu[index].mean(axis=1).argmax() in (24, 25, 26)


@needs_crops
def test_real_nodules_are_denser_in_the_centre(crops):
    centre = crops.images_hu[:, 20:30, 20:30].mean(axis=(1, 2))
    assert centre[crops.labels == 1].mean() - centre[crops.labels == 0].mean() > 200


@needs_crops
def test_real_rows_run_scan_by_scan(crops):
    # The grain of a crop (the second difference along rows and columns) depends on the scanner and the dose. Within
    # a scan it is alike; two blocks away, in another scan, it says nothing.
    fine = np.diff(np.diff(crops.images_hu, axis=1), axis=2)
    grain = np.log(1 + np.median(np.abs(fine), axis=(1, 2)))
    grain = (grain - grain.mean()) / grain.std()
    step = crops.rows[1:] - crops.rows[:-1]
    near = (grain[1:] * grain[:-1])[step < 50].mean()
    far = np.searchsorted(crops.rows, crops.rows[:-500] + 2 * BLOCK_ROWS)
    assert near > 0.8
    assert abs((grain[:-500] * grain[far]).mean()) < 0.1


@needs_crops
def test_real_test_rows_stay_apart_when_the_rest_is_split_again(crops):
    *_, test = crops.by_rows()
    development, last = crops.by_rows((0.85, 0.15))
    train, validation = development.by_rows((0.8, 0.2))
    np.testing.assert_array_equal(last.rows, test.rows)
    assert train.rows[-1] < validation.rows[0] and validation.rows[-1] < test.rows[0]
    assert len(test) / len(crops) == pytest.approx(0.15, abs=0.002)


@needs_crops
def test_load_luna16_crops_takes_the_cache(crops):
    found = load_luna16_crops()
    np.testing.assert_array_equal(found.rows, crops.rows)
    assert found.card is card("luna16_crops")


def test_load_luna16_crops_without_the_set(cache):
    with pytest.raises(DataUnavailable, match="luna16_crops"):
        load_luna16_crops()


def test_load_luna16_crops_with_a_file_of_another_size(cache):
    cache.mkdir()
    write(cache / "luna16_crops", {"7.jpg": flat(0), "30.jpg": flat(255)})
    with pytest.raises(DataUnavailable, match="luna16_crops"):
        load_luna16_crops()


def test_read_crops_sorts_by_row_and_leaves_the_folder_alone(tmp_path):
    folder = write(tmp_path / "set", {"30.jpg": flat(255), "7.jpg": flat(51)})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    crops = read_crops(folder)
    assert crops.rows.tolist() == [7, 30] and crops.labels.tolist() == [0, 1] and crops.blocks.tolist() == [0, 0]
    # 51 / 255 = 0.2 of 1400 HU above -1000 is -720; 255 is 400.
    np.testing.assert_allclose(crops.images_hu[:, 25, 25], [-720, 400], atol=0.01)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_read_crops_fills_a_small_crop_below_and_on_the_right(tmp_path):
    folder = write(tmp_path / "set", {"7.jpg": flat(255, (47, 50)), "30.jpg": flat(255, (50, 30))})
    low, narrow = read_crops(folder).images_hu
    assert (low[:47] == 400).all() and (low[47:] == -1000).all()
    assert (narrow[:, :30] == 400).all() and (narrow[:, 30:] == -1000).all()


def test_read_crops_keeps_rows_and_columns(tmp_path):
    grey = np.zeros((50, 50))
    grey[8:16, 32:48] = 255  # blocks of 8 pixels, as JPEG has them
    image_hu = read_crops(write(tmp_path / "set", {"7.jpg": jpeg(grey), "30.jpg": flat(0)})).images_hu[0]
    assert image_hu[8:16, 32:48].min() > 390 and image_hu[32:48, 8:16].max() < -990


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"7.jpg": flat(0)}, r"crops.zip lacks 1 crop\(s\), such as 30.jpg: it and labels.csv are out of step"),
        (
            {"7.jpg": flat(0), "30.jpg": flat(0), "8.jpg": flat(0)},
            r"has, without a label, 1 crop\(s\), such as 8.jpg: it and labels.csv are out of step",
        ),
        ({"7.jpg": b"a text", "30.jpg": flat(0)}, "7.jpg in .* is no whole JPEG image"),
        ({"7.jpg": b"", "30.jpg": flat(0)}, "7.jpg in .* is no whole JPEG image"),
        ({"7.jpg": flat(0), "30.jpg": flat(0)[:-200]}, "30.jpg in .* is no whole JPEG image"),
        ({"7.jpg": jpeg(np.zeros((50, 50, 3))), "30.jpg": flat(0)}, "7.jpg in .* must be grey.* got mode RGB"),
        ({"7.jpg": flat(0, (50, 51)), "30.jpg": flat(0)}, r"at most 50 x 50, got mode L, size \(51, 50\)"),
    ],
)
def test_read_crops_refuses_crops_that_are_not_those_of_the_labels(tmp_path, members, message):
    with pytest.raises(DataUnavailable, match=message):
        read_crops(write(tmp_path / "set", members))


def test_read_crops_refuses_a_png_under_a_jpeg_name(tmp_path):
    stream = io.BytesIO()
    Image.new("L", (50, 50)).save(stream, "PNG")
    with pytest.raises(DataUnavailable, match=r"30.jpg in .* is no whole JPEG image"):
        read_crops(write(tmp_path / "set", {"7.jpg": flat(0), "30.jpg": stream.getvalue()}))


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_read_crops_refuses_a_truncated_zip(tmp_path, kept):
    folder = write(tmp_path / "set", {"7.jpg": flat(0), "30.jpg": flat(0)})
    content = (folder / "crops.zip").read_bytes()
    size = int(kept * len(content)) if kept < 1 else kept
    (folder / "crops.zip").write_bytes(content[:size])
    with pytest.raises(DataUnavailable, match=rf"crops.zip \({size} bytes\) is no whole zip file.*Perhaps it is trunc"):
        read_crops(folder)


def test_read_crops_refuses_a_damaged_member(tmp_path):
    folder = write(tmp_path / "set", {"7.jpg": flat(0), "30.jpg": flat(0)})
    content = bytearray((folder / "crops.zip").read_bytes())
    content[len(content) // 4] ^= 0xFF  # inside the first JPEG: the zip's own checksum finds it
    (folder / "crops.zip").write_bytes(content)
    with pytest.raises(DataUnavailable, match=r"is no whole zip file: Bad CRC-32 for file '7.jpg'"):
        read_crops(folder)


def test_read_crops_refuses_a_damaged_member_that_is_compressed(tmp_path):
    folder = write(tmp_path / "set", {"7.jpg": flat(0), "30.jpg": flat(0)})
    with zipfile.ZipFile(folder / "crops.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("7.jpg", flat(0))
        archive.writestr("30.jpg", flat(0))
    content = bytearray((folder / "crops.zip").read_bytes())
    content[40:60] = b"\xff" * 20  # 30 bytes of header and 5 of name, then the compressed bytes
    (folder / "crops.zip").write_bytes(content)
    with pytest.raises(DataUnavailable, match=r"is no whole zip file: .* while decompressing data"):
        read_crops(folder)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("row,label\n7,0\n30,1\n", "must have the columns candidate_row and label.*KeyError"),
        ("candidate_row,label\n7,0\n30\n", "must have the columns candidate_row and label.*TypeError"),
        ("candidate_row,label\n7,0\nthirty,1\n", "must have the columns candidate_row and label.*thirty"),
        ("candidate_row,label\n7,0\n30,2\n", "one line for each candidate_row, with label 0 or 1"),
        ("candidate_row,label\n7,0\n7,1\n", "one line for each candidate_row"),
        ("candidate_row,label\n-7,0\n30,1\n", "one line for each candidate_row"),
        ("candidate_row,label\n", "one line for each candidate_row"),
        ("", "one line for each candidate_row"),
    ],
)
def test_read_crops_refuses_damaged_labels(tmp_path, labels, message):
    with pytest.raises(DataUnavailable, match=rf"(?s){message}.*data.verify\('luna16_crops'\)"):
        read_crops(write(tmp_path / "set", {"7.jpg": flat(0), "30.jpg": flat(0)}, labels))


def test_by_rows_moves_borders_to_the_nearest_block():
    # Blocks of 1,250 rows hold 2, 3, 1 and 4 crops, so their borders stand after 2, 5 and 6 crops. Half of 10 is 5.
    crops = made_up([0, 9, 1250, 1300, 2499, 2500, 3750, 3751, 3752, 4999])
    assert crops.blocks.tolist() == [0, 0, 1, 1, 1, 2, 3, 3, 3, 3]
    assert [len(part) for part in crops.by_rows((0.5, 0.5))] == [5, 5]
    assert [len(part) for part in crops.by_rows((0.3, 0.7))] == [2, 8]  # 3 is nearer to 2 than to 5
    assert [len(part) for part in crops.by_rows((0.2, 0.35, 0.45))] == [2, 3, 5]  # 5.5: the first of two equally near
    first, _ = crops.by_rows((0.5, 0.5))
    np.testing.assert_array_equal(first.images_hu[:, 0, 0], [0, 1, 2, 3, 4])
    assert first.labels.tolist() == [0, 1, 0, 1, 0] and first.card is crops.card


@given(
    rows=st.lists(st.integers(0, 60_000), min_size=40, max_size=200, unique=True).map(sorted),
    shares=st.lists(st.integers(2, 6), min_size=2, max_size=4),
)
def test_by_rows_keeps_every_crop_once_and_every_block_whole(rows, shares):
    crops = made_up(rows)
    fractions = np.array(shares) / sum(shares)
    try:
        parts = crops.by_rows(fractions)
    except ValueError as error:
        assert "a part would be empty" in str(error)
        return
    np.testing.assert_array_equal(np.concatenate([part.rows for part in parts]), rows)
    np.testing.assert_array_equal(np.concatenate([part.images_hu for part in parts]), crops.images_hu)
    blocks = [set(part.blocks.tolist()) for part in parts]
    assert sum(map(len, blocks)) == len(set.union(*blocks))
    largest = np.bincount(crops.blocks).max()
    for wanted, found in zip(np.cumsum(fractions), np.cumsum([len(part) for part in parts]), strict=True):
        assert abs(found - wanted * len(rows)) <= largest / 2 + 1e-6


@pytest.mark.parametrize(
    ("rows", "fractions", "message"),
    [
        ([0, 1, 2, 3], (0.5, 0.5), r"1 block\(s\) cannot be cut into parts of \[0.5, 0.5\]"),
        (range(0, 9000, 100), (0.7, 0.2), r"must be positive and add up to 1, got \[0.7, 0.2\]"),
        (range(0, 9000, 100), (1.2, -0.2), "must be positive and add up to 1"),
        (range(0, 9000, 100), (0.5, np.nan), "must be positive and add up to 1"),
        (range(0, 9000, 100), 0.7, "must be positive and add up to 1"),
        ([], (0.5, 0.5), "there are no crops"),
    ],
)
def test_by_rows_refuses(rows, fractions, message):
    with pytest.raises(ValueError, match=message):
        made_up(rows).by_rows(fractions)


@pytest.mark.parametrize("indices", [[4, 0, 2], np.array([0, 2, 4]), [True, False, True, False, True], slice(0, 5, 2)])
def test_select_keeps_the_order_of_the_rows(indices):
    chosen = made_up([3, 5, 8, 1300, 1400]).select(indices)
    assert chosen.rows.tolist() == [3, 8, 1400] and chosen.blocks.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(chosen.images_hu[:, 7, 7], [0, 2, 4])
    assert chosen.labels.tolist() == [0, 0, 0]


def test_select_nothing_gives_no_crops():
    assert len(made_up([3, 5]).select([])) == 0
    assert len(made_up([3, 5]).select([False, False])) == 0


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0, 0, 1], "1 indices stand twice or more. To resample, index the arrays"),
        ([0, 3], "indices must be 0 to 2, got 0 to 3"),
        ([-1], "indices must be 0 to 2, got -1 to -1"),
        ([True, False], "a mask needs one value for each of the 3 crops"),
        ([0.5], "indices must be whole numbers"),
        ([[0, 1]], "indices must be whole numbers in one row"),
    ],
)
def test_select_refuses(indices, message):
    with pytest.raises(ValueError, match=message):
        made_up([3, 5, 8]).select(indices)


def test_the_card_is_real_and_says_how_to_split():
    assert not cards()["luna16_crops"].synthetic and "ranges" in cards()["luna16_crops"].notes
