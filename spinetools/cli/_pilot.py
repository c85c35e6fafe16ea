"""How st_pilot finds scans and runs the methods over them, each in a process of its own."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spinetools.bids.names import contrast_of
from spinetools.cli._compare import subject_of_scan
from spinetools.errors import InputError

if TYPE_CHECKING:
    from spinetools.compare.cases import Case

#: Command and options of each method.
COMMANDS = {
    "propseg": ("st_propseg",),
    "deepseg": ("st_deepseg_sc",),
    "deepseg3d": ("st_deepseg_sc", "-kernel", "3d"),
}
#: Runs a command by its module, whether or not its script is on the path.
RUN = "import sys; from spinetools.cli.{0} import main; main(sys.argv[1:])"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scan:
    """One image to segment."""

    image: Path
    contrast: str
    subject: str
    reference: Path | None


def find_scans(args: argparse.Namespace) -> list[Scan]:
    """Find the images of the folder, their contrasts and references.

    Masks (``…_seg…`` and the like) are told by the rest of their names: with ``-c``, an image is
    any file whose name does not begin with that of another and go on with ``_`` or ``-``.

    Raises
    ------
    InputError
        When there is none.
    """
    from spinetools.files import nifti_suffix, strip_nifti_suffix

    folder = Path(args.path_data)
    if not folder.is_dir():
        raise InputError(f"-path-data {folder} is no folder")
    own = Path(args.o).resolve()
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and nifti_suffix(path)
        and "derivatives" not in path.relative_to(folder).parts
        and own not in path.resolve().parents  # results of an earlier run
    ]
    stems = {path: (path.parent, strip_nifti_suffix(path)) for path in files}
    if args.c is None:
        images = [path for path in files if contrast_of(stems[path][1])]
    else:
        images = [path for path in files if not _is_derived(stems[path], set(stems.values()))]
    if not images:
        hint = "give -c" if args.c is None else "expected .nii.gz or .nii"
        raise InputError(f"{folder} has no image whose name ends in a contrast; {hint}")
    left = [str(path.relative_to(folder)) for path in files if path not in images]
    if left:
        logger.info("left alone, as their names tell no image: %s", ", ".join(left))
    scans = []
    for path in images:
        reference = None
        if args.ref_suffix:
            wanted = (path.parent, stems[path][1] + args.ref_suffix)
            reference = next((other for other in files if stems[other] == wanted), None)
        contrast = args.c or contrast_of(stems[path][1])
        scans.append(Scan(path, contrast, args.qc_subject or subject_of_scan(path), reference))
    if args.ref_suffix and not any(scan.reference for scan in scans):
        raise InputError(f"no image of {folder} has a file with {args.ref_suffix} beside it")
    return scans


def _is_derived(stem: tuple[Path, str], stems: set[tuple[Path, str]]) -> bool:
    """Whether a file belongs to another one by its name: t2_seg to t2."""
    folder, name = stem
    return any(
        folder == other and name.startswith((f"{short}_", f"{short}-")) for other, short in stems
    )


def check_place(folder: Path) -> None:
    """Raise OutputError where the results could not be written: it takes long to make them."""
    from spinetools.files import write_text

    probe = folder / ".st_pilot"
    write_text(probe, "can this be written?\n")
    probe.unlink()


def segment_all(args: argparse.Namespace, scans: Sequence[Scan], folder: Path) -> list[Case]:
    """Run every method on every scan; one that fails is a missing segmentation of its case."""
    from tqdm import tqdm

    from spinetools.compare.cases import Case
    from spinetools.files import strip_nifti_suffix
    from spinetools.qc import refresh

    cases, tasks = [], []
    for scan in scans:
        inside = folder / scan.image.parent.relative_to(args.path_data)
        name = strip_nifti_suffix(scan.image)
        results = {method: inside / f"{name}_seg-{method}.nii.gz" for method in args.methods}
        for path in results.values():
            # a result of an earlier run is none of this one
            path.unlink(missing_ok=True)
        cases.append(Case(scan.image, dict(results), scan.subject, scan.contrast, scan.reference))
        tasks += [(scan, method, path) for method, path in results.items()]
    running: set[subprocess.Popen[str]] = set()
    pool = ThreadPoolExecutor(args.jobs)
    try:
        done = pool.map(lambda task: _segment(args, running, *task), tasks)
        for _ in tqdm(done, total=len(tasks), unit="segmentation", disable=None, leave=False):
            pass
    finally:
        # interrupted: nothing else begins, and what runs cleans up and ends
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            process.terminate()
        pool.shutdown()
    if Path(args.qc, "entries").is_dir():
        refresh(args.qc)
    return cases


def _segment(
    args: argparse.Namespace,
    running: set[subprocess.Popen[str]],
    scan: Scan,
    method: str,
    path: Path,
) -> None:
    command, *options = COMMANDS[method]
    words = [
        "-i", str(scan.image), "-c", scan.contrast, "-o", str(path), *options,
        "-qc", args.qc, "-qc-dataset", args.qc_dataset, "-qc-subject", scan.subject,
    ]  # fmt: skip
    threads = str(max(1, (os.cpu_count() or 1) // args.jobs))
    environment = {
        **os.environ, "SPINETOOLS_QC_REFRESH": "0", "OMP_NUM_THREADS": threads,
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", RUN.format(command), *words],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        running.add(process)
        _, said = process.communicate()
        running.discard(process)
    if process.returncode:
        lines = said.strip().splitlines() or [f"exit code {process.returncode}"]
        logger.warning("%s failed on %s: %s", method, scan.image, lines[-1])
        path.unlink(missing_ok=True)
    elif said.strip():
        logger.debug("%s", said.strip())
