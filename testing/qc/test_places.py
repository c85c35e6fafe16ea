"""Places where writing fails: a full disk, a read-only report. Nothing is lost that was there."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from spinetools.errors import OutputError
from spinetools.image import Image, Space
from spinetools.qc import add_entry, index, read_entries, refresh


@pytest.fixture(scope="module")
def tiny() -> tuple[Image, Image]:
    space = Space((24, 24, 12), np.eye(4))
    data = np.zeros(space.shape, dtype=np.uint8)
    data[10:14, 10:14, 2:10] = 1
    noise = np.random.default_rng(0).normal(100, 10, space.shape)
    return Image(noise, space), Image(data, space)


def add(folder, tiny, subject="sub-01"):
    return add_entry(folder, tiny[0], [("cord", tiny[1])], subject=subject,
                     process="p", command_line=f"p {subject}")  # fmt: skip


def listed(folder: Path) -> list[str]:
    """What a browser would find in entries.js."""
    text = (folder / "entries.js").read_text(encoding="utf-8")
    content = text.removeprefix("window.spinetoolsReport = ").removesuffix(";\n")
    return [entry["id"] for entry in json.loads(content)["entries"]]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a few MB of its own; skips where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if os.name == "nt" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here (not root, or no tmpfs)")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_costs_only_the_entry_that_found_it_full(small_disk, tiny):
    report = small_disk / "qc"
    # the page and its viewer take most of the disk
    written = [add(report, tiny, "sub-first")]
    filler = small_disk / "filler"
    with suppress(OSError):
        filler.write_bytes(bytes(4_000_000))
    assert os.statvfs(small_disk).f_bavail < 3
    with pytest.raises(OutputError, match="space"):
        add(report, tiny, "sub-none")
    assert listed(report) == written
    assert [entry["id"] for entry in read_entries(report)] == written
    leftovers = [path for path in report.rglob("*") if path.name.startswith(".") and path.is_file()]
    assert [path.name for path in leftovers if path.name != ".lock"] == []
    assert len(list(report.glob("img/*/*/*"))) == 1, "no pictures of the entry that failed"
    filler.unlink()
    written.append(add(report, tiny, "sub-second"))
    assert listed(report) == sorted(written)


def test_a_disk_that_fills_at_any_moment_leaves_a_whole_index(tmp_path, tiny, monkeypatch):
    """As above for everyone: every single write fails once."""
    report = tmp_path / "qc"
    kept = [add(report, tiny, "sub-kept")]
    replace = Path.replace
    for moment in range(40):
        calls = 0

        def full(self, target, moment=moment):
            nonlocal calls
            calls += 1
            if calls == moment + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", full)
        with suppress(OutputError):
            kept.append(add(report, tiny, f"sub-{moment}"))
        monkeypatch.setattr(Path, "replace", replace)
        assert set(listed(report)) <= set(kept)
        if calls <= moment:
            break
    else:
        pytest.fail("an entry takes more than 40 writes")
    refresh(report)
    assert listed(report) == sorted(kept)
    assert len(list(report.glob("img/*/*/*"))) == len(kept)


@pytest.fixture
def read_only(tmp_path, tiny):
    """A report with two entries on a disk that is read-only from now on."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    if os.name == "nt" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here (not root, or no tmpfs)")
    try:
        ids = [add(place / "qc", tiny, subject) for subject in ("sub-01", "sub-02")]
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        yield place / "qc", ids
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_read_only_report_is_read_and_refuses_in_one_line(read_only, tiny):
    report, ids = read_only
    assert listed(report) == ids
    assert len(read_entries(report)) == 2
    assert refresh(report) == 2, "nothing to do is no error"
    with pytest.raises(OutputError, match="cannot be written"):
        add(report, tiny, "sub-03")


def test_a_read_only_index_costs_no_entry(tmp_path, tiny, monkeypatch, caplog):
    first = add(tmp_path, tiny)
    write_text = index.write_text

    def refuse(path, text):
        if Path(path).name in ("entries.js", "index.html") or Path(path).parent.name == "page":
            raise OutputError(f"cannot write {path}: read-only")
        write_text(path, text)

    monkeypatch.setattr(index, "write_text", refuse)
    with caplog.at_level(logging.WARNING):
        second = add(tmp_path, tiny, "sub-02")
    assert "st_qc -refresh" in caplog.text
    assert listed(tmp_path) == [first]
    monkeypatch.undo()
    refresh(tmp_path)
    assert listed(tmp_path) == sorted([first, second])


def test_who_waits_goes_on_when_another_has_listed_the_entry(tmp_path, tiny, monkeypatch):
    """A writer that waits for the lock needs no turn of its own once its entry is in the index."""
    add(tmp_path, tiny)
    monkeypatch.setenv(index.REFRESH_VARIABLE, "0")
    waiting = add(tmp_path, tiny, "sub-02")
    monkeypatch.delenv(index.REFRESH_VARIABLE)
    done: list[float] = []

    def wait() -> None:
        start = time.perf_counter()
        assert index.refresh(tmp_path, wanted=waiting) == 0
        done.append(time.perf_counter() - start)

    with FileLock(tmp_path / ".lock"):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.3)
        assert not done, "its entry is not listed yet"
        known = index._summaries(tmp_path, index._listing(tmp_path), {}, set())
        index._replace(tmp_path / "entries.js", index._as_script(known))
        thread.join(timeout=8)
    assert done
    assert done[0] < index.LOCK_SECONDS
    assert waiting in listed(tmp_path)
