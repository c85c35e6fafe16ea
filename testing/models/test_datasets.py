"""Data sets: fetched from a server at 127.0.0.1, compared with a checksum, unpacked or refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from spinetools.cli import st_download_data
from spinetools.errors import InputError, ModelError, OutputError
from spinetools.models import datasets
from spinetools.models.datasets import RECORD_NAME, Dataset, fetch, find_dataset, load_datasets

from .conftest import Site


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as content:
        for name, text in files.items():
            content.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


COURSE = archive(course_r1__single__t2="an image", course_r1__README="hello")


@pytest.fixture
def course(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache" / "models")
    monkeypatch.chdir(tmp_path)
    site.files["course.zip"] = COURSE
    return Dataset("course", "r1", "images", "course.zip", (site.url("course.zip"),), citation="X")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "cache")


def test_it_is_fetched_unpacked_and_pinned(
    course: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = fetch(course, tmp_path / "out")
    assert (folder / "single" / "t2").read_text() == "an image"  # without the folder above
    record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
    assert record["sha256"] == hashlib.sha256(COURSE).hexdigest()
    assert record["from"] == course.urls[0]
    assert "no checksum of course@r1 is published" in caplog.text
    assert left(tmp_path) == ["out"]


def test_what_is_there_is_not_fetched_again(course: Dataset, tmp_path: Path, site: Site) -> None:
    fetch(course, tmp_path / "out")
    asked = len(site.asked)
    assert fetch(course, tmp_path / "out") == tmp_path / "out"
    assert len(site.asked) == asked


def test_another_content_than_pinned_is_refused(
    course: Dataset, tmp_path: Path, site: Site
) -> None:
    fetch(course, tmp_path / "one")
    site.files["course.zip"] = archive(course_r1__single__t2="changed")
    with pytest.raises(ModelError, match="wrong checksum"):
        fetch(course, tmp_path / "two")
    assert left(tmp_path) == ["one"]


@pytest.mark.parametrize("given", ["published", "by the user"])
def test_a_checksum_counts(course: Dataset, tmp_path: Path, given: str) -> None:
    right, wrong = hashlib.sha256(COURSE).hexdigest(), "0" * 64
    published = given == "published"
    with pytest.raises(ModelError, match="wrong checksum"):
        fetch(replace(course, sha256=wrong) if published else course, tmp_path / "a",
              sha256="" if published else wrong)  # fmt: skip
    assert left(tmp_path) == []
    fetch(replace(course, sha256=right) if published else course, tmp_path / "a",
          sha256="" if published else right.upper())  # fmt: skip
    assert left(tmp_path) == ["a"]


def test_a_download_that_breaks_off_goes_on(course: Dataset, tmp_path: Path, site: Site) -> None:
    site.files["course.zip"] = archive(course_r1__t2="x" * 300_000)
    site.cut_at = [100_000]
    fetch(course, tmp_path / "out")
    assert any(wanted.startswith("bytes=") for _, wanted in site.asked)
    assert (tmp_path / "out" / "t2").stat().st_size == 300_000


def test_the_next_address_is_tried(course: Dataset, tmp_path: Path, site: Site) -> None:
    two = replace(course, urls=(site.url("gone.zip"), *course.urls))
    fetch(two, tmp_path / "out")
    record = json.loads((tmp_path / "out" / RECORD_NAME).read_text(encoding="utf-8"))
    assert record["from"] == course.urls[0]


def test_a_zip_at_hand_needs_no_network(course: Dataset, tmp_path: Path, site: Site) -> None:
    (tmp_path / "mine.zip").write_bytes(COURSE)
    fetch(course, tmp_path / "out", source=tmp_path / "mine.zip")
    assert site.asked == []
    assert left(tmp_path) == ["mine.zip", "out"]


@pytest.mark.parametrize("name", ["..__out.txt", "__absolute"])
def test_a_zip_that_leaves_its_folder_is_refused(
    course: Dataset, tmp_path: Path, site: Site, name: str
) -> None:
    site.files["course.zip"] = archive(**{name: "evil"})
    with pytest.raises(ModelError):
        fetch(course, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.parent.glob("out.txt"))


def test_a_folder_in_use_is_left_alone(course: Dataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    with pytest.raises(OutputError, match="in the way"):
        fetch(course, tmp_path / "out")
    assert left(tmp_path / "out") == ["precious"]


def test_wrong_words(course: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="64 hexadecimal"):
        fetch(course, tmp_path / "out", sha256="abc")
    with pytest.raises(InputError, match="did you mean sct_course"):
        find_dataset("sct_curse")
    with pytest.raises(InputError, match="does not exist"):
        fetch(course, tmp_path / "out", source=tmp_path / "missing.zip")


def test_the_list_that_ships() -> None:
    for each in load_datasets().values():
        assert all(url.startswith("https://") for url in each.urls)
        assert each.version in each.file
        assert each.what
        assert each.homepage


def test_the_command(
    course: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(datasets, "load_datasets", lambda: {"course": course})
    with pytest.raises(SystemExit) as stop:
        st_download_data.main(["course"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == "written: course\ncite: X\n"
    assert (tmp_path / "course" / "README").read_text() == "hello"
    with pytest.raises(SystemExit) as stop:
        st_download_data.main(["list"])
    assert "course (r1): images" in capsys.readouterr().out


def test_where_no_address_answers_nothing_is_left(
    course: Dataset, tmp_path: Path, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    gone = replace(course, urls=(site.url("gone.zip"), site.url("lost.zip")))
    with pytest.raises(ModelError, match=r"lost\.zip"):
        fetch(gone, tmp_path / "out")
    assert "gone.zip" in caplog.text
    with pytest.raises(ModelError, match="course@r1 has no address; give its zip with -from FILE"):
        fetch(replace(course, urls=()), tmp_path / "out")
    assert left(tmp_path) == []


def test_a_list_of_checksums_that_is_damaged_stops_everything(
    course: Dataset, tmp_path: Path
) -> None:
    fetch(course, tmp_path / "one")
    pins = tmp_path / "cache" / datasets.PINS_NAME
    assert json.loads(pins.read_text()) == {"course@r1": hashlib.sha256(COURSE).hexdigest()}
    for content in ("{", "[1]", "\xff"):
        pins.write_text(content, encoding="latin-1")
        with pytest.raises(ModelError, match="mend or remove it"):
            fetch(course, tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_folder_that_cannot_be_made(course: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "mine.zip").write_bytes(COURSE)
    for source in (None, tmp_path / "mine.zip"):
        with pytest.raises(OutputError, match="cannot write"):
            fetch(course, tmp_path / "file" / "out", source=source)
    with pytest.raises(OutputError, match="in the way"):
        fetch(course, tmp_path / "file")
    assert left(tmp_path) == ["file", "mine.zip"]
    assert (tmp_path / "file").read_bytes() == b""
