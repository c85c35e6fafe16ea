"""Measure the time and memory of every command, as whole processes.

    python testing/benchmark/speed.py [-h]

The image is errsm21 T2w where the real images are there (384 × 215 × 52 voxels of 1 mm), else the
simulated spine of the protocol t2_3d. Prints tables and writes results/speed.tsv: the median wall
time of some runs, the median processor time (which a busy machine changes less), and the largest
memory (resident set) that a run needed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from cases import RESULTS, real_folder
from tables import machine, markdown, number, read_tsv, write_tsv

from spinetools.image import Image
from spinetools.models.registry import shipped_folder

BIN = Path(sys.executable).parent
#: Runs a command and prints exit code, wall time, processor time and largest resident set. A
#: process counts its parent's memory at the moment of the fork as its own: this parent is small.
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
null = os.open(os.devnull, os.O_WRONLY)
out = [(os.POSIX_SPAWN_DUP2, null, 1)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=out)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
print(os.waitstatus_to_exitcode(status), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""

#: Writers at once, and entries of each, of the report's stress test.
WRITERS, ENTRIES = 16, 20

#: What one writer does; the arguments are the report, image, mask and the writer's number.
WRITER = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from spinetools.image import load_mask, load_volume
from spinetools.qc import add_entry
report, image, mask, number, count = sys.argv[1:]
image, mask = load_volume(image), load_mask(mask)
for n in range(int(count)):
    add_entry(report, image, [("cord", mask)], process="st_propseg", command_line="benchmark",
              dataset="stress", subject=f"writer-{number}-{n}")
"""


@dataclass(frozen=True)
class Inputs:
    """The files that the commands are run on."""

    image: Path
    seg: Path
    small: Path
    small_seg: Path
    small_truth: Path
    spine: Path | None
    what: str


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-n", type=int, default=5, help="runs of each command (default 5)")
    parser.add_argument("-no-real", action="store_true", help="on the simulated spine")
    parser.add_argument(
        "-only", metavar="TEXT", help="commands with this in their line; the other rows stay"
    )
    parser.add_argument("-no-stress", action="store_true", help="without the report's stress test")
    parser.add_argument("-o", type=Path, default=RESULTS, help="folder of the results")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = make_inputs(folder, not args.no_real)
        lines = [line for line in command_lines(inputs) if (args.only or "") in " ".join(line[0])]
        rows = [measure(words, folder, args.n, note) for words, note in lines]
        if args.only:
            anew = {row["what"]: row for row in rows}
            rows = [anew.get(row["what"], row) for row in read_tsv(args.o / "speed.tsv")]
        else:
            rows += [] if args.no_stress else [stress(folder, inputs)]
            rows += startup(folder, args.n)
    print(f"{inputs.what}; {json.dumps(machine())}\n")
    print(markdown(rows))
    write_tsv(args.o / "speed.tsv", rows)
    if not args.only:
        write_tsv(args.o / "machine.tsv", [{**machine(), "image": inputs.what}])
    print(f"\nwritten: {args.o / 'speed.tsv'}")


def make_inputs(folder: Path, with_real: bool) -> Inputs:
    """Choose the images, and segment them."""
    from spinetools.phantom import make_phantom

    real = real_folder() if with_real else None
    if real is not None:
        image, small = real / "cord/errsm21_T2w.nii.gz", real / "cord/errsm30crop_T2w.nii.gz"
        truth, what = real / "cord/errsm30crop_T2w_seg.nii.gz", "errsm21 T2w"
    else:
        made = make_phantom(seed=1, protocol="t2_3d")
        image, small = folder / "phantom.nii.gz", folder / "small.nii.gz"
        truth, what = folder / "small_truth.nii.gz", "simulated T2w, protocol t2_3d"
        made.image.save(image)
        # a piece of the size of the usual test image, with the cord in it
        start = [0, made.image.shape[1] // 2 - 27, made.image.shape[2] // 2 - 26]
        stop = [min(60, made.image.shape[0]), start[1] + 55, start[2] + 52]
        for source, path in ((made.image, small), (made.cord, truth)):
            source.crop(start, stop).save(path)
    seg, small_seg = folder / "seg.nii.gz", folder / "small_seg.nii.gz"
    for source, path in ((image, seg), (small, small_seg)):
        subprocess.run(
            [BIN / "st_propseg", "-v", "0", "-i", source, "-c", "t2", "-o", path], check=True
        )
    spine = None
    if (shipped_folder() / "spine_step1.onnx").is_file():
        spine = folder / "spine.nii.gz"
        make_phantom(seed=1, protocol="t2_whole").image.save(spine)
    return Inputs(image, seg, small, small_seg, truth, spine, what)


def command_lines(files: Inputs) -> Iterator[tuple[list[str], str]]:
    """Return what is measured, and what to say of it."""
    image, seg, small = map(str, (files.image, files.seg, files.small))
    small_seg, truth = map(str, (files.small_seg, files.small_truth))
    size = " × ".join(map(str, Image.load(files.small).shape)) + " voxels"
    yield ["st_get_centerline", "-i", image, "-c", "t2"], ""
    yield ["st_propseg", "-i", image, "-c", "t2"], ""
    yield ["st_propseg", "-i", image, "-c", "t2", "-qc", "qc"], "with a QC entry"
    for kernel, models in (("2d", "cord_heatmap cord_2d"), ("3d", "cord_heatmap cord_3d")):
        if all((shipped_folder() / f"{model}.onnx").is_file() for model in models.split()):
            yield ["st_deepseg_sc", "-i", image, "-c", "t2", "-kernel", kernel], ""
    if files.spine is not None:
        yield ["st_label_vertebrae", "-i", image], ""
        yield ["st_label_vertebrae", "-i", image, "-fast"], ""
        whole = " × ".join(map(str, Image.load(files.spine).shape)) + " voxels of 1 mm"
        yield ["st_label_vertebrae", "-i", str(files.spine)], f"simulated whole spine, {whole}"
    yield ["st_process_segmentation", "-i", seg, "-perslice", "1"], ""
    yield ["st_qc", "-i", image, "-s", seg, "-p", "st_propseg", "-qc", "qc2"], ""
    yield ["st_dice_coefficient", "-i", small_seg, "-d", truth], size
    yield ["st_compute_hausdorff_distance", "-i", small_seg, "-d", truth], size
    yield ["st_image", "-i", image, "-setorient", "RPI"], ""
    yield ["st_image", "-i", small, "-resample", "0.5x0.5x0.5"], size
    yield ["st_crop_image", "-i", image, "-m", seg], ""
    yield ["st_label_utils", "-i", seg, "-create-seg", "50,8:100,4"], ""
    yield ["st_phantom", "-seed", "1", "-c", "t2"], ""


def measure(words: Sequence[str], folder: Path, runs: int, note: str) -> dict[str, str]:
    """Run a command some times in an empty folder."""
    times, busy, peaks = [], [], []
    for _ in range(runs):
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        seconds, processor, peak = timed([str(BIN / words[0]), *words[1:]], work)
        times.append(seconds)
        busy.append(processor)
        peaks.append(peak)
    shown = [Path(word).name if os.sep in word else word for word in words]
    print(f"{statistics.median(times):7.2f} s  {' '.join(shown)}", file=sys.stderr, flush=True)
    return {
        "what": " ".join(shown),
        "median, s": number(statistics.median(times)),
        "fastest, s": number(min(times)),
        "slowest, s": number(max(times)),
        "processor, s": number(statistics.median(busy)),
        "memory, MB": number(max(peaks), 0),
        "note": note,
    }


def timed(words: Sequence[str], folder: Path) -> tuple[float, float, float]:
    """Run a process; return wall time (s), processor time (s) and largest resident set (MB)."""
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, *words]
    done = subprocess.run(launcher, cwd=folder, capture_output=True, text=True, check=True)
    code, seconds, processor, largest = map(float, done.stdout.split())
    if code:
        sys.exit(f"{' '.join(words)} failed: {done.stderr}")
    # kilobytes on Linux, bytes on macOS
    return seconds, processor, largest / (1e6 if sys.platform == "darwin" else 1e3)


def startup(folder: Path, runs: int) -> list[dict[str, str]]:
    """Time ``-h`` of every command that is installed."""
    names = sorted(
        entry.name
        for entry in distribution("spinetools").entry_points
        if entry.group == "console_scripts"
    )
    return [measure([name, "-h"], folder, runs, "start-up") for name in names]


def stress(folder: Path, files: Inputs) -> dict[str, str]:
    """Let many processes write into one report at once, and count what is lost."""
    report = folder / "stress"
    start = time.perf_counter()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, report, files.small, files.small_seg, str(n),
             str(ENTRIES)],
            stderr=subprocess.PIPE, text=True,
        )
        for n in range(WRITERS)
    ]  # fmt: skip
    messages = [writer.communicate()[1] for writer in writers]
    seconds = time.perf_counter() - start
    failed = sum(writer.returncode != 0 for writer in writers)
    text = (report / "entries.js").read_text(encoding="utf-8")
    seen = len(set(re.findall(r"writer-\d+-\d+", text)))
    timeouts = sum("is busy" in message for message in messages)
    note = f"{seen} of {WRITERS * ENTRIES} entries in the index, {failed} writers failed"
    if timeouts:
        note += f", {timeouts} waited too long for the lock"
    print(f"{seconds:7.2f} s  {note}", file=sys.stderr, flush=True)
    return {
        "what": f"{WRITERS} processes × {ENTRIES} QC entries",
        "median, s": number(seconds),
        "fastest, s": "n/a",
        "slowest, s": "n/a",
        "processor, s": "n/a",
        "memory, MB": "n/a",
        "note": note,
    }


if __name__ == "__main__":
    main()
