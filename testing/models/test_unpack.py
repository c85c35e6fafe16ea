"""Zips from elsewhere."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spinetools.errors import ModelError, OutputError
from spinetools.models import unpack as module
from spinetools.models.unpack import unpack


def zip_of(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_sound_zip(tmp_path: Path, out: Path) -> None:
    archive = zip_of(
        tmp_path / "a.zip", ("m/plans.json", b"{}"), ("m/fold_0/w.pth", b"w" * 3000), ("m/e/", b""),
        ("__MACOSX/m/._plans.json", b"x"), ("m/._w.pth", b"x"), ("m/.DS_Store", b"x"),
    )  # fmt: skip
    unpack(archive, out)
    assert tree(out) == {"m/plans.json": b"{}", "m/fold_0/w.pth": b"w" * 3000}


def link(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("../outside.txt", "out of its folder"),
        ("a/../../outside.txt", "out of its folder"),
        ("/outside.txt", "absolute"),
        ("..\\outside.txt", "backslash"),
        ("C:/outside.txt", "colon"),
        (link("a/link", stat.S_IFLNK), "a link or a device"),
        (link("a/pipe", stat.S_IFIFO), "a link or a device"),
        (link("a/device", stat.S_IFCHR), "a link or a device"),
    ],
)
def test_entries_that_no_model_needs(
    tmp_path: Path, out: Path, entry: str | zipfile.ZipInfo, said: str
) -> None:
    archive = zip_of(tmp_path / "a.zip", ("fine.txt", b"fine"), (entry, b"/etc/passwd"))
    with pytest.raises(ModelError, match=said):
        unpack(archive, out)
    assert tree(tmp_path) == {"a.zip": archive.read_bytes()}, "nothing was written"


def test_a_link_is_never_followed(tmp_path: Path, out: Path) -> None:
    """Also where a file in the folder is a link already, nothing is written through it."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (out / "a.txt").symlink_to(victim)
    with pytest.raises(FileExistsError):
        unpack(zip_of(tmp_path / "a.zip", ("a.txt", b"changed")), out)
    assert victim.read_text() == "untouched"


def test_an_encrypted_file(tmp_path: Path, out: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", ("a.txt", b"secret"))
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    archive.write_bytes(data)
    with pytest.raises(ModelError, match="encrypted"):
        unpack(archive, out)


def test_a_flood_of_zeros(tmp_path: Path, out: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", ("a", bytes(600_000)), ("b", bytes(600_000)))
    assert archive.stat().st_size < 5000
    with pytest.raises(ModelError, match=r"unpacks to more than 0\.0 GB"):
        unpack(archive, out, most_bytes=1_000_000)
    assert not tree(out)


def test_sizes_that_lie(tmp_path: Path, out: Path) -> None:
    """The archive says one byte, and holds a megabyte."""
    archive = zip_of(tmp_path / "a.zip", ("a", bytes(1_000_000)))
    data = bytearray(archive.read_bytes())
    one = (1).to_bytes(4, "little")
    data[22:26] = one  # local header
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = one
    archive.write_bytes(data)
    with pytest.raises(ModelError, match="not a sound zip"):
        unpack(archive, out, most_bytes=1000)
    assert sum(map(len, tree(out).values())) <= 1000


def test_too_many_files(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    archive = zip_of(tmp_path / "a.zip", *((f"{i}", b"") for i in range(4)))
    with pytest.raises(ModelError, match="holds 4 files, expected at most 3"):
        unpack(archive, out)


def test_two_files_of_one_name(tmp_path: Path, out: Path) -> None:
    with pytest.raises(ModelError, match="same name"):
        unpack(zip_of(tmp_path / "a.zip", ("a/b", b"1"), ("A/B", b"2")), out)


def test_a_disk_that_is_too_small(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 5

    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(OutputError, match="are free"):
        unpack(zip_of(tmp_path / "a.zip", ("a", bytes(100))), out)


def whole() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", bytes(range(256)) * 40)
    return buffer.getvalue()


def changed(data: bytes) -> bytes:
    at = data.index(b"a.txt") + 12
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda d: d[: len(d) // 2], lambda _: b"", lambda _: b"<html>not found</html>", changed],
    ids=["truncated", "empty", "html", "one byte changed"],
)
def test_a_zip_that_is_broken(tmp_path: Path, out: Path, damage: Callable[[bytes], bytes]) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(damage(whole()))
    with pytest.raises(ModelError, match=r"is not a sound zip file .*; fetch it again"):
        unpack(archive, out)
