"""A seeded share of the campaign of faults, and that the campaign sees faults that are there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import faults_inputs as inputs
import faults_run as runs
import fuzz_loader
import tables

HERE = Path(__file__).parent
#: Another seed than that of the published counts.
SEED = 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "count"),
    [
        ("loader", 240),
        ("commands", 54),
        ("other", 16),
        ("kills", 24),
        ("names", 20),
        ("machine", 8),
    ],
)
def test_a_share_of_the_campaign(part: str, count: int, tmp_path: Path) -> None:
    """In a process of its own: it forks, and this one may have threads."""
    if sys.platform == "win32":
        pytest.skip("the campaign forks processes, which Windows cannot")
    table = tmp_path / "faults.tsv"
    done = subprocess.run(
        [sys.executable, HERE / "faults.py", part, "-count", str(count), "-seed", str(SEED),
         "-table", table],
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    rows = tables.read_tsv(table)
    assert sum(int(row["tried"]) for row in rows) >= count
    if part == "loader":
        assert {row["what"] for row in rows} == set(inputs.WAYS)
        assert sum(int(row["refused in one line"]) for row in rows) > count / 2
    # it goes on from what the table has, and finds nothing left to do
    if part in ("loader", "kills"):
        before = table.read_bytes()
        subprocess.run(done.args, capture_output=True, timeout=100, check=True)
        assert table.read_bytes() == before


@pytest.mark.parametrize("seed", range(3))
def test_fuzzed_headers_are_refused_or_sound(seed: int, tmp_path: Path) -> None:
    """What fuzz_loader.py does to headers, without the guidance of coverage."""
    draw = random.Random(seed)
    for data in fuzz_loader.seeds():
        kind = nib.Nifti2Header if data[1:5] == b"\x1c\x02\0\0" else nib.Nifti1Header
        if data[0] == 2 or data[1:5] not in (b"\x5c\x01\0\0", b"\x1c\x02\0\0"):
            continue
        for _ in range(12):
            header = kind(data[1 : kind.sizeof_hdr + 1], check=False)
            for _ in range(draw.randint(1, 3)):
                fuzz_loader.spoil_field(header, draw)
            spoilt = data[:1] + header.binaryblock + data[1 + kind.sizeof_hdr :]
            assert fuzz_loader.watched(spoilt, tmp_path) == ""


def test_sound_seeds_are_loaded(tmp_path: Path) -> None:
    for data in fuzz_loader.seeds():
        (tmp_path / "saved.nii").unlink(missing_ok=True)
        assert fuzz_loader.watched(data, tmp_path) == ""
        assert (tmp_path / "saved.nii").exists()


def test_a_fault_of_the_loader_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spinetools.image import claims

    monkeypatch.setattr(claims, "math", None)
    found = fuzz_loader.watched(fuzz_loader.seeds()[0], tmp_path)
    assert "AttributeError" in found
    assert fuzz_loader.place_of(found).startswith("claims.py:")


def test_an_input_follows_from_its_seed_and_number(tmp_path: Path) -> None:
    for number in range(2 * len(inputs.WAYS)):
        made = []
        for name in ("a", "b"):
            folder = tmp_path / f"{name}{number}"
            folder.mkdir()
            bad = inputs.malformed(5, number, folder)
            regular = bad.path.is_file() and not bad.path.is_symlink()
            made.append((bad.way, bad.path.name, bad.path.read_bytes() if regular else b""))
        assert made[0] == made[1]


@pytest.mark.parametrize(
    ("name", "content", "sound"),
    [
        ("a.json", b'{"a": 1}', True),
        ("a.json", b'{"a": ', False),
        ("a.csv", b"a,b\n1,2\n", True),
        ("a.csv", b"a,b\n1,", False),
        ("a.html", b"<html></html>\n", True),
        ("a.html", b"<html>", False),
        ("a.png", b"\x89PNG\r\n\x1a\n", False),
        ("entries.js", b'window.spinetoolsReport = {"entries": []};\n', True),
        ("entries.js", b'window.spinetoolsReport = {"entries": [', False),
        ("a.nii.gz", b"\x1f\x8b", False),
    ],
)
def test_half_files_are_seen(name: str, content: bytes, sound: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert (runs.half_files(tmp_path) == []) == sound
    (tmp_path / name).rename(tmp_path / f".{name}")
    assert runs.half_files(tmp_path) == [], "a file whose name starts with a dot is nobody's result"


def test_files_without_structure_are_compared_with_whole_ones(tmp_path: Path) -> None:
    for folder, size in (("whole", 99), ("half", 60)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mesh.ply").write_bytes(bytes(size))
    assert runs.half_files(tmp_path / "half", tmp_path / "whole")
    assert not runs.half_files(tmp_path / "whole", tmp_path / "whole")


def test_a_page_without_its_scripts_is_seen(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<script src="entries.js"></script>', encoding="utf-8")
    assert runs.unopened_reports(tmp_path)
    (tmp_path / "entries.js").write_text("x = {};", encoding="utf-8")
    assert not runs.unopened_reports(tmp_path)


@pytest.mark.parametrize(
    ("code", "err", "seen"),
    [
        (0, "", False),
        (1, "st_x: error: no such file\n", False),
        (2, "st_x: no arguments\n", False),
        (1, "Traceback (most recent call last):\n  …\nValueError: x\n", True),
        (1, "", True),
        (0, "/a/b.py:3: RuntimeWarning: overflow\n", True),
        (-11, "", True),
    ],
)
def test_tracebacks_are_seen(code: int, err: str, seen: bool) -> None:
    assert bool(runs.Ended(code, "", err, 0, 0, False).traceback) == seen


def test_the_published_counts_have_no_fault() -> None:
    rows = tables.read_tsv(HERE / "results" / "faults.tsv")
    assert rows
    for row in rows:
        faults = {
            name: row[name] for name in ("tracebacks", "hangs", "half files", "files outside")
        }
        assert set(faults.values()) == {"0"}, f"{json.dumps(row)}"
    by_part = {row["part"]: 0 for row in rows}
    for row in rows:
        by_part[row["part"]] += int(row["tried"])
    assert by_part["loader"] + by_part["commands"] + by_part["other"] >= 2000
    assert by_part["kills"] >= 500


def test_images_are_made_as_they_are_said_to_be(tmp_path: Path) -> None:
    """What is spoilt is sound before: else the fault would not be the reason of a refusal."""
    sound = inputs.Sound(random.Random(1), np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    (tmp_path / "a.nii").write_bytes(sound.bytes())
    assert fuzz_loader.check(tmp_path / "a.nii", tmp_path / "b.nii") is None
    assert (tmp_path / "b.nii").exists()
