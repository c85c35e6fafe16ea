"""The index: many writers, killed writers, damage. Nothing is lost, and the page always opens."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from spinetools.errors import InputError, OutputError
from spinetools.image import Image, Space
from spinetools.qc import add_entry, index, read_entries, refresh

TINY = """
import sys
import numpy as np
from spinetools.image import Image, Space
from spinetools.qc import add_entry
rng = np.random.default_rng(0)
space = Space((24, 24, 12), np.eye(4))
image = Image(rng.normal(100, 10, space.shape), space)
data = np.zeros(space.shape, dtype=np.uint8)
data[10:14, 10:14, 2:10] = 1
mask = Image(data, space)
"""


@pytest.fixture(scope="module")
def tiny() -> tuple[Image, Image]:
    space = Space((24, 24, 12), np.eye(4))
    data = np.zeros(space.shape, dtype=np.uint8)
    data[10:14, 10:14, 2:10] = 1
    noise = np.random.default_rng(0).normal(100, 10, space.shape)
    return Image(noise, space), Image(data, space)


def add(folder, tiny, subject="sub-01", **more):
    settings = {"process": "st_propseg", "command_line": f"st_propseg -i {subject}"} | more
    return add_entry(folder, tiny[0], [("cord", tiny[1])], subject=subject, **settings)


def listed(folder) -> list[str]:
    """What a browser would find in entries.js."""
    text = (Path(folder) / "entries.js").read_text()
    start, end = "window.spinetoolsReport = ", ";\n"
    assert text.startswith(start)
    assert text.endswith(end)
    return [entry["id"] for entry in json.loads(text[len(start) : -len(end)])["entries"]]


def _writer(folder: str, number: int, entries: int, queue) -> None:
    space = Space((24, 24, 12), np.eye(4))
    data = np.zeros(space.shape, dtype=np.uint8)
    data[10:14, 10:14, 2:10] = 1
    case = (
        Image(np.random.default_rng(number).normal(100, 10, space.shape), space),
        Image(data, space),
    )
    longest = 0.0
    ids = []
    for entry in range(entries):
        start = time.perf_counter()
        ids.append(add(folder, case, f"sub-{number:02d}-{entry:02d}"))
        longest = max(longest, time.perf_counter() - start)
    queue.put((ids, longest))


def test_sixteen_processes_of_twenty_entries_lose_none(tmp_path, record_property):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    start = time.perf_counter()
    workers = [
        context.Process(target=_writer, args=(str(tmp_path), n, 20, queue)) for n in range(16)
    ]
    for worker in workers:
        worker.start()
    results = [queue.get(timeout=110) for _ in workers]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    seconds = time.perf_counter() - start
    written = sorted(identity for ids, _ in results for identity in ids)
    assert len(written) == 320
    assert listed(tmp_path) == written
    assert len(read_entries(tmp_path)) == 320
    longest = max(wait for _, wait in results)
    print(f"16 x 20 entries in {seconds:.1f} s; the slowest one took {longest:.2f} s")
    record_property("seconds", seconds)
    assert longest < index.LOCK_SECONDS, "nobody waited for the lock until the end"
    assert not list(tmp_path.glob(".*.js")), "no temporary files are left"


def test_the_path_without_the_lock_loses_none_either(tmp_path, monkeypatch):
    """As above, but nobody ever gets the lock: each one rescans until nothing is new."""
    monkeypatch.setattr(index, "LOCK_SECONDS", 0.0)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with FileLock(tmp_path / ".lock"):
        workers = [
            context.Process(target=_writer, args=(str(tmp_path), n, 5, queue)) for n in range(8)
        ]
        for worker in workers:
            worker.start()
        written = sorted(i for _ in workers for i in queue.get(timeout=60)[0])
        for worker in workers:
            worker.join()
    assert listed(tmp_path) == written
    assert len(written) == 40


@pytest.mark.parametrize("locked", [True, False])
def test_who_replaces_the_index_looks_again(tmp_path, tiny, monkeypatch, locked):
    """An entry that appears while the index is being written is in it at the end."""
    add(tmp_path, tiny)
    other = tmp_path / "other"
    late = add(other, tiny, "sub-late")
    replace = index._replace

    def replace_and_be_late(path, text):
        if path.name == "entries.js" and not (tmp_path / "entries" / f"{late}.json").exists():
            shutil.copy(other / "entries" / f"{late}.json", tmp_path / "entries")
        replace(path, text)

    monkeypatch.setattr(index, "_replace", replace_and_be_late)
    monkeypatch.setattr(index, "LOCK_SECONDS", 0.1)
    if locked:
        newest = add(tmp_path, tiny, "sub-02")
    else:
        with FileLock(tmp_path / ".lock"):
            newest = add(tmp_path, tiny, "sub-02")
    assert {late, newest} <= set(listed(tmp_path))
    assert len(listed(tmp_path)) == 3


def test_nobody_serves_the_others_for_ever(tmp_path, tiny, monkeypatch):
    """Entries that are added without end do not keep the writer that holds the lock."""
    model = add(tmp_path, tiny)
    content = json.loads((tmp_path / "entries" / f"{model}.json").read_text())
    replace = index._replace
    made = []

    def replace_and_add(path, text):
        replace(path, text)
        if path.name == "entries.js":
            content["id"] = f"20300101T{len(made):012d}Z-{len(made):012x}"
            made.append(content["id"])
            assert len(made) < 20, "it goes on and on"
            (tmp_path / "entries" / f"{content['id']}.json").write_text(json.dumps(content))

    monkeypatch.setattr(index, "_replace", replace_and_add)
    own = add(tmp_path, tiny, "sub-02")
    assert own in listed(tmp_path)
    assert len(made) == index.MOST_ROUNDS
    monkeypatch.undo()
    refresh(tmp_path)
    assert set(made) <= set(listed(tmp_path))


def test_a_stuck_lock_is_waited_for_only_so_long(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(index, "LOCK_SECONDS", 0.2)
    (tmp_path / "entries").mkdir()
    with FileLock(tmp_path / ".lock"):
        start = time.perf_counter()
        identity = add(tmp_path, tiny)
        assert time.perf_counter() - start < 3
    assert listed(tmp_path) == [identity]


def test_nothing_is_written_where_the_index_knows_all(tmp_path, tiny, monkeypatch):
    add(tmp_path, tiny)
    before = (tmp_path / "entries.js").stat().st_mtime_ns
    monkeypatch.setattr(index, "_summaries", None)  # calling it would fail
    assert refresh(tmp_path) == 1
    assert (tmp_path / "entries.js").stat().st_mtime_ns == before


def test_only_new_entries_are_read(tmp_path, tiny, monkeypatch):
    for n in range(4):
        add(tmp_path, tiny, f"sub-{n}")
    read = []
    monkeypatch.setattr(
        index,
        "_read_entry",
        lambda path, original=index._read_entry: read.append(path) or original(path),
    )
    identity = add(tmp_path, tiny, "sub-new")
    assert [path.stem for path in read] == [identity]
    assert refresh(tmp_path, rebuild=True) == 5
    assert len(read) == 6


@pytest.mark.parametrize(
    "damage",
    [
        '{"id": "20260101T000000000000Z-0123456789ab", "format": 1, "data',
        "",
        "[]",
        '"text"',
        "{}",
        "\x00\x01",
        "[" * 100_000,
    ],
)
def test_a_damaged_entry_is_left_out_and_named(tmp_path, tiny, damage, caplog):
    good = add(tmp_path, tiny)
    bad = tmp_path / "entries" / "20260101T000000000000Z-0123456789ab.json"
    bad.write_text(damage)
    with caplog.at_level(logging.WARNING):
        newest = add(tmp_path, tiny, "sub-02")
    assert listed(tmp_path) == sorted([good, newest])
    assert bad.name in caplog.text
    assert caplog.text.count(bad.name) == 1
    assert len(read_entries(tmp_path)) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("folder", "../../elsewhere"),
        ("folder", "/etc"),
        ("id", "20260101T000000000000Z-0123456789ab"),
        ("views", []),
        ("flags", [{"kind": 3}]),
        ("subject", None),
        ("format", 99),
    ],
)
def test_an_entry_that_is_not_what_it_should_be_is_left_out(tmp_path, tiny, field, value, caplog):
    identity = add(tmp_path, tiny)
    path = tmp_path / "entries" / f"{identity}.json"
    content = json.loads(path.read_text())
    content[field] = value
    path.write_text(json.dumps(content))
    with caplog.at_level(logging.WARNING):
        assert refresh(tmp_path, rebuild=True) == 0
    assert identity in caplog.text


@pytest.mark.parametrize("damage", ["", "window.spinetoolsReport = {", "\x00", "{}", None])
def test_a_damaged_index_is_made_again(tmp_path, tiny, damage):
    first = add(tmp_path, tiny)
    if damage is None:
        (tmp_path / "entries.js").unlink()
    else:
        (tmp_path / "entries.js").write_text(damage)
    second = add(tmp_path, tiny, "sub-02")
    assert listed(tmp_path) == sorted([first, second])


def test_a_removed_entry_leaves_the_index(tmp_path, tiny):
    first = add(tmp_path, tiny)
    second = add(tmp_path, tiny, "sub-02")
    (tmp_path / "entries" / f"{first}.json").unlink()
    assert refresh(tmp_path) == 1
    assert listed(tmp_path) == [second]


def test_an_index_that_cannot_be_replaced_is_an_error_of_refresh(tmp_path, tiny):
    add(tmp_path, tiny)
    (tmp_path / "entries.js").unlink()
    (tmp_path / "entries.js").mkdir()
    with pytest.raises(OutputError, match=r"entries\.js"):
        refresh(tmp_path)


def test_lost_page_and_scripts_come_back(tmp_path, tiny):
    add(tmp_path, tiny)
    script = next(tmp_path.glob("img/*/*/*/entry.js"))
    text = script.read_text()
    script.unlink()
    (tmp_path / "index.html").write_text("changed")
    shutil.rmtree(tmp_path / "page")
    refresh(tmp_path, rebuild=True)
    assert script.read_text() == text
    assert "spinetools QC" in (tmp_path / "index.html").read_text()
    assert (tmp_path / "page" / "app.js").exists()


def test_ratings_of_a_report_are_not_overwritten(tmp_path, tiny):
    add(tmp_path, tiny)
    (tmp_path / "ratings.js").write_text("window.spinetoolsRatings = {};\n")
    refresh(tmp_path, rebuild=True)
    assert (tmp_path / "ratings.js").read_text() == "window.spinetoolsRatings = {};\n"


def test_a_folder_that_is_no_report_is_left_alone(tmp_path):
    with pytest.raises(InputError, match="no QC report"):
        refresh(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_killed_writers_leave_an_index_that_opens(tmp_path):
    """kill -9 at random moments: earlier entries stay, the next writer heals the rest."""
    script = TINY + (
        "for n in range(10_000):\n"
        "    print(add_entry(sys.argv[1], image, [('cord', mask)], process='p',\n"
        "                    command_line=str(n), subject=f's{n}'), flush=True)\n"
    )
    rng = random.Random(5)
    finished: list[str] = []
    for _ in range(12):
        worker = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert worker.stdout is not None
        finished.append(worker.stdout.readline().strip())
        time.sleep(rng.uniform(0, 0.12))
        worker.send_signal(signal.SIGKILL)
        finished += [line for line in worker.stdout.read().splitlines() if len(line) == 35]
        worker.wait()
        # whatever the moment, the page opens and has every entry whose writer got to its end
        assert set(finished) <= set(listed(tmp_path))
    refresh(tmp_path)
    entries = {path.stem for path in (tmp_path / "entries").glob("[!.]*.json")}
    assert set(listed(tmp_path)) == entries
    assert set(finished) <= entries


def test_leftovers_are_removed_when_they_are_old(tmp_path, tiny):
    identity = add(tmp_path, tiny)
    kept = next(tmp_path.glob(f"img/*/*/{identity}"))
    orphan = kept.with_name("20200101T000000000000Z-0123456789ab")
    shutil.copytree(kept, orphan)
    foreign = kept.with_name("my own pictures")
    foreign.mkdir()
    temporary = tmp_path / "entries" / ".20200101T000000000000Z-0123456789ab.json.x1.json"
    temporary.write_text("{")
    assert index.tidy(tmp_path) == 0, "a writer at work keeps its files"
    for path in (orphan, temporary, kept, foreign):
        os.utime(path, (0, 0))
    assert index.tidy(tmp_path) == 2
    assert kept.exists()
    assert foreign.exists()
    assert not orphan.exists()
    assert not temporary.exists()
    assert len(read_entries(tmp_path)) == 1


@pytest.mark.slow
def test_refreshing_a_large_report_stays_quick(tmp_path, tiny, record_property):
    """What each of 4,800 commands would wait for."""
    identity = add(tmp_path, tiny)
    content = json.loads((tmp_path / "entries" / f"{identity}.json").read_text())
    for n in range(4800):
        content["id"] = f"20260101T{n:012d}Z-{n:012x}"
        (tmp_path / "entries" / f"{content['id']}.json").write_text(json.dumps(content))
    refresh(tmp_path)
    start = time.perf_counter()
    add(tmp_path, tiny, "sub-new")
    seconds = time.perf_counter() - start
    record_property("seconds", seconds)
    print(f"one entry more in a report of 4,801: {seconds:.2f} s")
    assert len(listed(tmp_path)) == 4802
    assert seconds < 1.5


def test_a_run_killed_while_it_makes_the_page_leaves_no_page_without_its_scripts(
    tmp_path, tiny, monkeypatch
):
    """The page comes last: at whatever file the run is cut off, the page is not there, or whole."""
    identity = add(tmp_path / "made", tiny)
    names = [path.relative_to(tmp_path / "made") for path in (tmp_path / "made").rglob("*")]
    scripts = [name for name in names if name.suffix in (".js", ".css") and name.parts[0] != "img"]
    assert len(scripts) > 20

    class Cut(BaseException):
        pass

    for count in range(1, len(scripts) + 2, 5):
        left = iter(range(count))
        whole = index._replace

        def replace(path, text, left=left, whole=whole):
            if next(left, None) is None:
                raise Cut
            whole(path, text)

        folder = tmp_path / str(count)
        shutil.copytree(tmp_path / "made" / "entries", folder / "entries")
        shutil.copytree(tmp_path / "made" / "img", folder / "img")
        with monkeypatch.context() as patch, suppress(Cut):
            patch.setattr(index, "_replace", replace)
            refresh(folder)
        if (folder / "index.html").exists():
            assert all((folder / name).exists() for name in scripts)
        refresh(folder)
        assert all((folder / name).exists() for name in scripts)
        assert listed(folder) == [identity]
