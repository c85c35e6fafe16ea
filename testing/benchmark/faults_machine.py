"""Machines that let a command down: full disks, folders that cannot be written, odd clocks, names.

Full and read-only disks are small file systems in memory, mounted for one run: that takes root.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import faults_calls as calls
import faults_run as runs
import numpy as np
from faults_count import Box, Table, Tally, box, problems_of

Case = TypeVar("Case")

#: Sizes of the file system that gets full (KiB): too small for anything, and for a report.
DISKS_KIB = (8, 150)
#: Clocks, as faketime takes them: long ago, beyond 32 bits, and a thousand times too fast.
CLOCKS = ("-20y", "@2038-01-20 00:00:00", "+0 x1000")
#: Edge of the large volume in voxels, and the address space that a command may use for it.
LARGE_VOXELS, LARGE_MEMORY_BYTES, LARGE_LIMIT_S = 512, 4 << 30, 1500.0

#: What a file or folder can be called.
NAMES = {
    "spaces": " a  b ",
    "quotes": 'it\'s "a" `b`',
    "newline": "new\nline\r",
    "emoji": "🧠 ünï é",
    "HTML": "<img src=x onerror=alert(1)><b>&amp;",
    "shell": "$(touch pwned);*?|&",
    "dash": "-o",
    "formats": "%s {x} {0!r} %(a)s \\n",
    "long": "a" * 200,
    "not text": b"caf\xe9 \xff".decode(errors="surrogateescape"),
    "right to left": "\u202egnp.exe \u200b\u0301",
    "dots": "...nii.gz.",
}

#: What is called with a hostile name, which NAME stands for.
NAMED = (
    "st_image -i NAMED -setorient RPI -ofolder OUTNAMED",
    "st_get_centerline -i NAMED -c t2 -ofolder OUTNAMED -qc OUTNAMED/qc",
    "st_process_segmentation -i MNAMED -o OUTNAMED/area.csv",
    "st_dice_coefficient -i MNAMED -d MASK -o OUTNAMED/dice.csv",
    "st_qc -i NAMED -s MNAMED -p st_propseg -qc OUTNAMED/qc",
    "st_compare -i NAMED -s a=MNAMED -ref MASK -o OUTNAMED/a.csv -qc OUTNAMED/qc",
    "st_report -i NAMED -s SNAMED -label-scheme totalspineseg -ofolder OUTNAMED",
    "st_label_utils -i LNAMED -export-lut slicer -label-scheme sct -ofolder OUTNAMED",
    "st_combine_masks -i MNAMED MASK2 -ofolder OUTNAMED",
    "st_models install own -from MODEL -to OUTNAMED",
)


def machine(table: Table, count: int, folder: Path) -> None:
    """Try full and read-only disks, two runs at once, clocks, and a large volume."""
    files = calls.sound_files(folder / "sound")
    every = calls.available(calls.WRITING)
    cases: list[Callable[[], Tally]] = []
    if os.geteuid() == 0:
        cases += [partial(_disk, call, files, folder, size)
                  for call in every for size in (*DISKS_KIB, None)]  # fmt: skip
    else:
        print("full and read-only disks are left out: mounting takes root")
    cases += [partial(_twice, call, files, folder) for call in every]
    if shutil.which("faketime"):
        cases += [partial(_clock, line, clock, files, folder) for clock in CLOCKS
                  for line in calls.WRITING if line.split()[0] in _CLOCKED]  # fmt: skip
    else:
        print("clocks are left out: faketime is not installed")
    table.clear("machine")
    for case in _some(cases, count, table.seed):
        table.add([case()])


_CLOCKED = {"st_dice_coefficient", "st_qc", "st_process_segmentation"}


@contextlib.contextmanager
def mounted(folder: Path, size_kib: int, read_only: bool = False) -> Iterator[None]:
    """Mount a file system of this size over a folder."""
    how = ["-o", f"size={size_kib}k{',ro' if read_only else ''}"]
    subprocess.run(["mount", "-t", "tmpfs", *how, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _disk(
    call: calls.Call, files: dict[str, Path | str], folder: Path, size_kib: int | None
) -> Tally:
    """Run a command whose output goes to a small disk; None for one that cannot be written."""
    what = "read-only folder" if size_kib is None else f"disk of {size_kib} KiB"
    tally = Tally("machine", what)
    with box(folder) as place, mounted(place.out, size_kib or 100, read_only=size_kib is None):
        before = runs.listing(place.root)
        ended = runs.run(call.arguments({**files, "OUT": place.out}), place.here)
        _add(tally, call.line, [ended], place, before)
        hidden = [path for path in place.out.rglob(".*") if ".lock" not in path.name]
        if hidden:
            tally.half += 1
            tally.found.append(f"{what}, {call.line}: left {hidden}")
    return tally


def _twice(call: calls.Call, files: dict[str, Path | str], folder: Path) -> Tally:
    """Run a command twice at once with the same output."""
    tally = Tally("machine", "two runs with one output")
    with box(folder) as place:
        before = runs.listing(place.root)
        words = call.arguments({**files, "OUT": place.out})
        ended = runs.together([words, words], place.here)
        _add(tally, call.line, ended, place, before)
        # one may find that the other is at it, and say so; both cannot be refused
        if all(one.code != 0 for one in ended):
            tally.half += 1
            tally.found.append(f"both refused: {call.line}: {[one.err for one in ended]}")
    return tally


def _clock(line: str, clock: str, files: dict[str, Path | str], folder: Path) -> Tally:
    """Run a command under another clock, twice: before or after what the right clock wrote."""
    call = calls.Call(line)
    tally = Tally("machine", f"clock: {clock}")
    with box(folder) as place:
        before = runs.listing(place.root)
        words = call.arguments({**files, "OUT": place.out})
        first = runs.run(words, place.here)
        code = f"import sys; from spinetools.cli.{call.command} import main; main(sys.argv[1:])"
        done = subprocess.run(
            ["faketime", "-f", clock, sys.executable, "-c", code, *words[1:]],
            cwd=place.here, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        second = runs.Ended(done.returncode, done.stdout, done.stderr, 0, 0, False)
        _add(tally, line, [first, second], place, before)
        for report in place.out.rglob("entries"):
            from spinetools.qc import read_entries

            listed = len(read_entries(report.parent))
            if listed != 2:
                tally.half += 1
                tally.found.append(f"{clock}, {line}: the report lists {listed} entries of 2")
    return tally


def _add(
    tally: Tally,
    line: str,
    every: list[runs.Ended],
    place: Box,
    before: dict[str, tuple[int, int]],
) -> None:
    """Count how runs ended and what they left."""
    tally.tried += len(every)
    for ended in every:
        tally.fine += ended.code == 0
        tally.refused += ended.code in (1, 2)
        problems_of(ended, tally, line)
    half = runs.half_files(place.out) + runs.unopened_reports(place.out)
    if half:
        tally.half += 1
        tally.found.append(f"{line}: {half}")
    if outside := place.outside(before):
        tally.outside += 1
        tally.found.append(f"{line}: outside: {outside}")


def large(table: Table, count: int, folder: Path) -> None:
    """Give a volume of 512³ voxels to commands that may take 4 GB."""
    import nibabel as nib

    n = LARGE_VOXELS
    x, y = np.ogrid[:n, :n]
    z = np.arange(n)
    path, mask = folder / "large.nii", folder / "large_mask.nii"
    for file, kind in ((path, np.int16), (mask, np.uint8)):
        header = nib.Nifti1Header()
        header.set_data_shape((n, n, n))
        header.set_data_dtype(kind)
        header.set_sform(np.diag([0.5, 0.5, 0.5, 1.0]), 1)
        header["magic"], header["vox_offset"] = b"n+1", 352
        draw = np.random.default_rng(0)
        with file.open("wb") as stream:
            stream.write(header.binaryblock + bytes(4))
            for k in z:  # slice by slice: this process is small, too
                distance = np.hypot(x - 256 - 20 * np.sin(k / 90), y - 230.0)
                if kind == np.uint8:
                    plane = (distance < 11).astype(kind)
                else:
                    plane = np.where(distance < 19, 620, 150 + 30 * np.sin(x / 9) * np.cos(y / 11))
                    plane = np.where(distance < 11, 330, plane) + draw.integers(-9, 10, (n, n))
                    plane = plane.astype(kind)
                stream.write(plane.tobytes(order="F"))
    table.clear("large")
    for line in (
        "st_image -i LARGE -setorient LPI -o OUT/turned.nii",
        "st_crop_image -i LARGE -m LARGEMASK -o OUT/crop.nii",
        "st_process_segmentation -i LARGEMASK -o OUT/area.csv",
        "st_get_centerline -i LARGE -c t2 -o OUT/line.nii",
        "st_deepseg_sc -i LARGE -c t2 -o OUT/deep.nii",
        "st_propseg -i LARGE -c t2 -o OUT/prop.nii",
    ):
        call = calls.Call(line)
        tally = Tally("large", f"{call.command}, {n}³ voxels, {LARGE_MEMORY_BYTES >> 30} GiB")
        with box(folder) as place:
            before = runs.listing(place.root)
            own = {"LARGE": path, "LARGEMASK": mask, "OUT": place.out}
            ended = runs.run(call.arguments(own), place.here, limit_s=LARGE_LIMIT_S,
                             memory_bytes=LARGE_MEMORY_BYTES)  # fmt: skip
            _add(tally, line, [ended], place, before)
            print(f"{line}: exit code {ended.code}, {ended.seconds:.0f} s; {ended.err[-300:]}")
        table.add([tally])


def names(table: Table, count: int, folder: Path) -> None:
    """Use hostile names for files, folders, subjects and methods."""
    files = calls.sound_files(folder / "sound")
    cases = [(what, call) for what in NAMES for call in calls.available(NAMED)]
    if table.only:
        cases = [(what, call) for what, call in cases if what in table.only]
    else:
        table.clear("names")
    for what, call in _some(cases, count, table.seed):
        tally = Tally("names", what)
        with box(folder) as place:
            _named(call, NAMES[what], files, place, tally)
        table.add([tally])


def _named(
    call: calls.Call, name: str, files: dict[str, Path | str], place: Box, tally: Tally
) -> None:
    own = dict(files)
    for word, like in (("NAMED", "IMAGE"), ("MNAMED", "MASK"), ("LNAMED", "LABELS"),
                       ("SNAMED", "SPINE")):  # fmt: skip
        own[word] = place.here / f"{name}{word[0]}.nii.gz"
        shutil.copy(files[like], own[word])
    own["OUTNAMED"] = place.out / name
    words = call.arguments(own)
    if "-qc" in words and call.command not in ("st_compare",):
        words += ["-qc-subject", name if not name.startswith("-") else f" {name}"]
    before = runs.listing(place.root)
    ended = runs.run(words, place.here)
    _add(tally, call.line, [ended], place, before)
    if ended.code != 0:
        tally.half += 1
        tally.found.append(f"{call.line} with the name {name!r}: {ended.code}: {ended.err[-900:]}")
    for page in place.out.rglob("*.html"):
        if "<img src=x" in page.read_text("utf-8"):
            tally.outside += 1
            tally.found.append(f"{call.line}: a name is markup in {page.name}")
    if list(place.root.rglob("pwned")):
        tally.outside += 1
        tally.found.append(f"{call.line}: a name was run by a shell")


def _some(cases: list[Case], count: int, seed: int) -> list[Case]:
    """Return all cases, or so many of them."""
    return random.Random(seed).sample(cases, count) if 0 < count < len(cases) else cases
