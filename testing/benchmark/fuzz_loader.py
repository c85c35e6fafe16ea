"""Fuzz the loading of images with coverage guidance (atheris, the extra ``fuzz``).

    pip install -e .[fuzz]
    python testing/benchmark/fuzz_loader.py [-seconds 3600] [-folder FOLDER] [-replay] [-h]

Every input becomes a small file, ``.nii`` or ``.nii.gz``, that is loaded as an image, as a mask and
as labels, turned, saved and loaded again. The only thing that may come out is an InputError of one
line, or an image that is finite, lies somewhere, and survives being saved. Anything else is kept in
``FOLDER/faults`` with its traceback, once a place in the code, and the fuzzing goes on. FOLDER also
holds the corpus, so that a later run goes on from there; ``-replay`` tries what is in ``faults``
and the corpus again, and says which lines of the package the corpus reaches.

Writes results/fuzz.tsv: time, executions, coverage, faults found and faults left.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
#: An input is at most this long: enough for a header, extensions and some hundred voxels.
MOST_BYTES = 2048
#: What a load may take of the processor (s); the slowest sound one takes 0.01.
SLOW_S = 2.0
#: Address space of the fuzzing process: no file of 2 kB is worth more.
MOST_MEMORY_BYTES = 6 << 30
#: One input in so many is mutated as bytes, the others field by field.
BLIND = 4

# how the first byte of an input says what to make of the rest
_WAYS = ("nii", "nii.gz of the bytes", "nii.gz as it is")


def main() -> None:
    """Fuzz, or replay what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-seconds", type=int, default=3600, help="how long (default 3600)")
    parser.add_argument("-folder", type=Path, default=Path("fuzz"), help="default: fuzz")
    parser.add_argument("-seed", type=int, default=1, help="of the mutations (default 1)")
    parser.add_argument("-replay", action="store_true", help="no fuzzing: try again what is there")
    parser.add_argument("-inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    for name in ("corpus", "faults"):
        (args.folder / name).mkdir(parents=True, exist_ok=True)
    if args.inside:
        fuzz(args.folder, args.seconds, args.seed)
    elif args.replay:
        replay(args.folder)
    else:
        write_seeds(args.folder / "corpus")
        command = [sys.executable, __file__, "-inside", "-folder", str(args.folder),
                   "-seconds", str(args.seconds), "-seed", str(args.seed)]  # fmt: skip
        with (args.folder / "log.txt").open("ab") as log:
            # libFuzzer ends the process itself, so that the table is written out here
            subprocess.run(command, stdout=log, stderr=log, check=False)
        record(args.folder)


# -- one input ---------------------------------------------------------------------------------


def file_of(data: bytes, folder: Path) -> Path:
    """Write the file that an input stands for."""
    way = _WAYS[data[0] % len(_WAYS)] if data else _WAYS[0]
    path = folder / ("a.nii" if way == "nii" else "a.nii.gz")
    content = data[1:]
    path.write_bytes(gzip.compress(content, 1, mtime=0) if way == _WAYS[1] else content)
    return path


def check(path: Path, saved: Path) -> None:
    """Load a file in every way, and whatever is loaded must be sound.

    Raises
    ------
    AssertionError
        When what was loaded breaks a promise of the image layer.
    Exception
        Any other one than InputError is a fault.
    """
    import numpy as np

    from spinetools.errors import InputError
    from spinetools.image import Image, load_mask, load_volume
    from spinetools.image.points import load_labels

    loaders: tuple[Callable[[Path], Image], ...] = (
        load_volume, lambda where: load_mask(where, allow_empty=True), load_labels,
    )  # fmt: skip
    for load in loaders:
        try:
            image = load(path)
        except InputError as error:
            said = str(error)
            image = None
        if image is None:
            assert "\n" not in said, "the message has more than one line"
            assert path.name in said, "the message does not name the file"
            continue
        assert len(image.shape) == 3
        assert np.isfinite(image.data).all()
        assert np.isfinite(image.space.affine).all()
        assert min(image.space.spacing) > 0
        try:
            turned = image.reorient(("L", "A", "S"))
            turned.save(saved)
        except InputError:
            continue  # values that fit no type, a grid that cannot be written in float32
        again = load_mask(saved, allow_empty=True)
        assert np.array_equal(again.data, turned.data), "saving changed the voxels"


def watched(data: bytes, folder: Path) -> str:
    """Check one input; return what is wrong with it as a traceback, or an empty text."""
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a library's warning would land on a user's terminal
            check(file_of(data, folder), folder / "saved.nii")
    except Exception:
        return traceback.format_exc()
    took = time.process_time() - start
    return f"hang: {took:.1f} s of the processor" if took > SLOW_S else ""


def place_of(fault: str) -> str:
    """Return where a fault was raised and its kind: two of one place count once."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', fault)
    last = fault.strip().splitlines()[-1]
    kind = last.partition(":")[0] if frames else "hang"
    ours = [frame for frame in frames if "spinetools/" in frame[0]]
    parts = [f"{Path(name).name}:{line}" for name, line in [*ours[-1:], *frames[-1:]]]
    return " ".join([*dict.fromkeys(parts), kind])


# -- fuzzing -----------------------------------------------------------------------------------


def fuzz(folder: Path, seconds: int, seed: int) -> None:
    """Run libFuzzer in this process, which it ends."""
    import atheris

    with atheris.instrument_imports(include=["spinetools", "nibabel", "gzip"]):
        import spinetools.image
        import spinetools.image.points  # noqa: F401
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    shared = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="fuzz-", dir=shared if shared.is_dir() else None))
    seen: set[str] = set()

    def one(data: bytes) -> None:
        fault = watched(data, place)
        if fault and (where := place_of(fault)) not in seen:
            seen.add(where)
            keep(folder / "faults", data, fault)
            print(f"fault: {where}", flush=True)

    atheris.Setup(
        [
            "fuzz_loader", str(folder / "corpus"), f"-max_total_time={seconds}", f"-seed={seed}",
            f"-max_len={MOST_BYTES}", "-timeout=120", "-rss_limit_mb=0", "-print_final_stats=1",
        ],
        one, custom_mutator=mutated,
    )  # fmt: skip
    atheris.Fuzz()


def keep(folder: Path, data: bytes, fault: str) -> None:
    """Keep an input and the traceback that it leads to."""
    name = hashlib.sha256(data).hexdigest()[:16]
    (folder / name).write_bytes(data)
    (folder / f"{name}.txt").write_text(fault, encoding="utf-8")


#: Values at which programs break: around zero, at the limits of the types, and no number at all.
EDGES = (
    0, 1, -1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, -32768, 65535, 2**31 - 1, -(2**31), 2**63 - 1,
    0.5, -0.5, 1e-30, 1e30, -1e30, 3.4e38, float("nan"), float("inf"), float("-inf"), 352, 348, 544,
)  # fmt: skip


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """Change header fields where the input has a header, or bytes anywhere."""
    import atheris
    import nibabel as nib

    draw = random.Random(seed)
    size = nib.Nifti1Header.sizeof_hdr
    if draw.randrange(BLIND) == 0 or len(data) <= size + 1:
        return bytes(atheris.Mutate(data, most))
    first, body = data[:1], data[1:]
    kind: Any = nib.Nifti2Header if body[:4] == b"\x1c\x02\0\0" else nib.Nifti1Header
    size = kind.sizeof_hdr
    if len(body) < size:
        return bytes(atheris.Mutate(data, most))
    # big-endian headers stay so: from_fileobj guesses by the first field
    header = kind(body[:size], check=False)
    for _ in range(draw.randint(1, 3)):
        spoil_field(header, draw)
    tail = bytes(atheris.Mutate(body[size:], most - size - 1)) if draw.random() < 0.3 else None
    return (first + header.binaryblock + (body[size:] if tail is None else tail))[:most]


def spoil_field(header: Any, draw: random.Random) -> None:
    """Set one field of a header, or one entry of it, to a value at which programs break."""
    import numpy as np

    structure = header.structarr
    name = draw.choice([*structure.dtype.names, "dim", "pixdim", "vox_offset", "datatype"])
    field = structure[name]
    if field.dtype.kind == "S":
        structure[name] = draw.choice([b"", b"n+1", b"n+2", b"ni1", b"\xff" * field.itemsize])
        return
    value = draw.choice(EDGES) if draw.random() < 0.8 else draw.uniform(-400, 400)
    with np.errstate(all="ignore"):
        if field.dtype.kind in "iu":
            limits = np.iinfo(field.dtype)
            whole = 0 if value != value else max(min(value, limits.max), limits.min)
            new = np.array(int(whole), field.dtype)
        else:
            new = np.array(value, np.float64).astype(field.dtype)
    if field.shape:
        field[draw.randrange(field.size)] = new
    else:
        structure[name] = new


# -- seeds -------------------------------------------------------------------------------------


def write_seeds(corpus: Path) -> None:
    """Write small sound files of every kind, from which the fuzzing starts."""
    for number, data in enumerate(seeds()):
        (corpus / f"seed-{number:02d}").write_bytes(data)


def seeds() -> list[bytes]:
    """Return inputs that are sound images: types, NIfTI-1 and 2, byte orders, extensions, 4D."""
    import nibabel as nib
    import numpy as np

    inputs = []
    for number, dtype in enumerate(("u1", "<i2", "<u2", "<i4", "<f4", "<f8", ">i2", ">f4", "i1")):
        array = np.arange(27).reshape(3, 3, 3).astype(dtype)
        kind = nib.Nifti2Image if number % 3 == 2 else nib.Nifti1Image
        header = kind.header_class(endianness=">" if dtype[0] == ">" else "<")
        image = kind(array, np.diag([-1.0, 2, 3, 1]), header)
        if number % 2:
            image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"hello"))
        inputs.append(bytes([number % 2]) + image.to_bytes())
    four = nib.Nifti1Image(np.arange(54, dtype=np.int16).reshape(3, 3, 3, 2), np.eye(4))
    four.header.set_slope_inter(2, 1)
    inputs.append(b"\x00" + four.to_bytes())
    inputs.append(b"\x02" + gzip.compress(four.to_bytes(), mtime=0))
    return inputs


# -- what came out -----------------------------------------------------------------------------


def record(folder: Path) -> None:
    """Add a row on the latest run to results/fuzz.tsv."""
    from tables import machine, read_tsv, write_tsv

    log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    latest = log[log.rfind("INFO: Running with entropic") :]
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", latest))
    cover = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", latest)
    took = re.findall(r"Done (\d+) runs in (\d+) second", latest)
    if not took or not cover:
        sys.exit(f"the fuzzing did not end as it should: see {folder / 'log.txt'}")
    row = {
        "date": machine()["date"],
        "seconds": took[-1][1],
        "executions": took[-1][0],
        "executions a second": stats.get("average_exec_per_sec", "n/a"),
        "edges covered": cover[-1][0],
        "features": cover[-1][1],
        "corpus": cover[-1][2],
        "faults found": str(len(re.findall("^fault: ", latest, re.MULTILINE))),
    }
    path = HERE / "results" / "fuzz.tsv"
    rows = read_tsv(path) if path.exists() else []
    write_tsv(path, [*rows, row])
    print(f"written: {path}")


def replay(folder: Path) -> None:
    """Try faults and corpus again; exit with 1 where one is still wrong."""
    inputs = [*(folder / "faults").glob("[!.]*"), *(folder / "corpus").glob("*")]
    inputs = [path for path in inputs if path.suffix != ".txt"]
    left: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as place:
        for path in inputs:
            fault = watched(path.read_bytes(), Path(place))
            if fault:
                left.setdefault(place_of(fault), f"{path}\n{fault}")
    for where, fault in left.items():
        print(f"fault left: {where}\n{fault}")
    print(f"{len(inputs)} inputs tried again, {len(left)} faults left")
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
