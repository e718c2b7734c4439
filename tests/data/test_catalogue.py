"""The shipped catalogue against the facts it was made from, and cards."""

import json
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from medlearn.data import cache, catalogue
from medlearn.data.catalogue import Card, RemoteFile, card, cards, is_plain_path, megabytes, read_catalogue

REAL_CACHE = cache.cache_folder()


def test_cards_agree_with_the_registry_of_the_local_data():
    registry = REAL_CACHE / "registry.json"
    if not registry.exists():
        pytest.skip("no registry.json beside the local data (MEDLEARN_DATA)")
    facts = json.loads(registry.read_text())
    assert set(facts) == {name for name, card in cards().items() if card.files}
    for name, fact in facts.items():
        ours = {file.path: file for file in card(name).files}
        assert set(ours) == set(fact["files"])
        assert card(name).licence == fact["licence"]
        for path, expected in fact["files"].items():
            found = ours[path]
            assert (found.sha256, found.md5, found.bytes) == tuple(expected.get(k) for k in ("sha256", "md5", "bytes"))
            assert found.urls[:1] == ((expected["url"],) if expected["url"] else ())


def test_hippocampus_archive_is_the_official_one():
    archive = card("msd_hippocampus").archive
    assert archive.md5 == "9d24dba78a72977dbd1d2e110310f31b"
    assert archive.urls == ("https://msd-for-monai.s3-us-west-2.amazonaws.com/Task04_Hippocampus.tar",)
    kept = card("msd_hippocampus").archive_keep
    assert all(any(re.fullmatch(k.replace("*", r"\d+"), f.path) for k in kept) for f in card("msd_hippocampus").files)


@pytest.mark.parametrize("name", sorted(cards()))
def test_card_is_complete(name):
    chosen = card(name)
    assert chosen.name == name
    for part in (chosen.title, chosen.items, chosen.licence, chosen.citation, chosen.home, chosen.notes):
        assert part.strip()
    assert chosen.licence_url.startswith("https://")
    assert chosen.doi.startswith("10.") or name.startswith("pydicom_")  # test files of a package: no DOI of their own
    assert chosen.synthetic == name.startswith("simulated_")
    without = ("breast_cytology", "icbm152", "ptbxl", "pydicom_ct", "pydicom_ecg")
    assert chosen.files or chosen.synthetic or name in without


@pytest.mark.parametrize("name", sorted(cards()))
def test_files_have_a_checksum_a_safe_path_and_two_servers_or_none(name):
    for file in card(name).files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256 or "") or re.fullmatch("[0-9a-f]{32}", file.md5 or "")
        assert all(url.startswith("https://") and "{" not in url for url in file.urls)
        assert len(file.urls) in (0, 2) and len(set(file.urls)) == len(file.urls)
        if "zenodo.org" not in "".join(file.urls):  # two records of one server
            assert len({urlsplit(url).netloc for url in file.urls}) == len(file.urls)


def test_github_addresses_name_a_commit():
    urls = {url for each in cards().values() for file in each.files for url in file.urls}
    urls = {url for url in urls if "github" in url or "jsdelivr" in url}
    assert urls and all(re.search("[/@][0-9a-f]{40}/", url) for url in urls)


def test_card_with_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"no data set 'mitbd'. Did you mean 'mitdb'\? The catalogue has: breast_cyt"):
        card("mitbd")
    with pytest.raises(ValueError, match=r"no data set 'zzz'. The catalogue has"):
        card("zzz")


def test_cards_cannot_be_changed_by_a_caller():
    cards().clear()
    assert "mitdb" in cards()


def test_select_takes_names_and_patterns_once_each():
    chosen = card("lidc_idri_0314").select(["dicom/*", "dicom/000033.dcm", "reader1_mask_crop.nii.gz"])
    assert len(chosen) == 17
    assert card("lidc_idri_0314").select("dicom/000033.dcm")[0].bytes == 526134


def test_megabytes_of_known_and_unknown_sizes():
    def files(*sizes):
        return [RemoteFile(str(number), "0", None, size, ()) for number, size in enumerate(sizes)]

    assert megabytes(files(93_856_750)) == "94 MB"
    assert megabytes(files(9_900_000, 40_000)) == "9.9 MB"
    assert megabytes(files(12)) == "0.1 MB"
    assert megabytes(files(2_500_000, None)) == "more than 2.5 MB"
    assert megabytes(files(None)) == "size unknown"


def test_card_prints_what_a_reader_must_know():
    text = str(card("mitdb"))
    for part in ("real; people: 47", "ODC-By-1.0 https://opendata", "144 files, 94 MB", "doi:10.1109/51.932724"):
        assert part in text
    assert "people: none" in str(card("clinical_ct_template"))
    assert "people: not stated" in str(card("luna16_crops"))


def little(**facts):
    file = RemoteFile("a.bin", "0", None, 1, ())
    usual = dict.fromkeys(("items", "licence", "licence_url", "citation", "doi", "notes"), "")
    usual |= {"name": "little", "title": "Little", "people": 1, "synthetic": False, "files": (file,)}
    return Card(**usual | facts)


def test_card_as_html_is_escaped_and_says_simulated():
    html = little(title="<script>alert(1)</script>", notes="a < b", synthetic=True)._repr_html_()
    assert "<script>" not in html and "a &lt; b" in html and "SIMULATED" in html


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", "/etc/passwd", "a/../b", "a//b", "a/", "C:/x", "C:x", "\\x", "a\\b", "//server/share", "a\0b",
     ".. /b"],
)  # fmt: skip
def test_paths_that_could_leave_the_folder_are_refused(path):
    assert not is_plain_path(path)
    with pytest.raises(ValueError, match="path must be relative and stay inside"):
        RemoteFile(path, "0", None, 1, ())


def test_remote_file_without_a_checksum_is_refused():
    with pytest.raises(ValueError, match=r"a.bin needs a checksum"):
        RemoteFile("a.bin", None, None, 1, ())


@pytest.mark.parametrize("name", ["../mitdb", "a/b", "", ".locks", "/x"])
def test_card_with_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(ValueError, match="name must be usable as a folder"):
        little(name=name)


def test_a_file_name_is_quoted_in_its_address(tmp_path):
    fact = {"title": "", "people": 1, "items": "", "licence": "", "licence_url": "", "citation": "", "doi": ""}
    names = {"a #1 50%.nii": {"sha256": "0"}}
    fact |= {
        "synthetic": False,
        "notes": "",
        "files": [{"folder": "", "addresses": ["http://x/{file}"], "files": names}],
    }
    (tmp_path / "own.json").write_text(json.dumps({"own": fact}))
    # As it stands, "#1 50%.nii" would be the fragment, which is not sent.
    assert read_catalogue(tmp_path / "own.json")["own"].files[0].urls == ("http://x/a%20%231%2050%25.nii",)


def test_read_catalogue_of_something_else(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text("{'single': quotes}")
    with pytest.raises(ValueError, match=r"mine.json is not valid JSON: .* line 1"):
        read_catalogue(path)
    path.write_text('{"mine": {"title": "no files"}}')
    with pytest.raises(ValueError, match=r"mine.json is not a catalogue: KeyError 'files'"):
        read_catalogue(path)
    path.write_text('{"mine": {"title": "t", "files": []}}')
    with pytest.raises(ValueError, match=r"not a catalogue: TypeError .*missing"):
        read_catalogue(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a catalogue"):
        read_catalogue(path)


def test_looking_into_the_cache_loads_no_framework(tmp_path):
    code = (
        "import sys; from medlearn import data; data.is_available('mitdb'); print(data.card('mitdb'))\n"
        "heavy = {'torch', 'keras', 'SimpleITK', 'pydicom', 'pandas', 'numpy', 'requests', 'pooch'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_nodulemnist_by_its_official_md5():
    (file,) = catalogue.card("nodulemnist3d").files
    assert (file.md5, file.sha256, file.bytes) == ("8755a7e9e05a4d9ce80a24c3e7a256f3", None, None)
