"""Bad input, over every command that reads an image: one line, exit 1, nothing written.

``TEMPLATES`` says how each command is called; a command without a template fails the first test.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from .conftest import Outcome, Run, entry_points

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vertebrae"))
from coded import save_networks

COMMANDS = list(entry_points())
SHIPPED_MODEL = Path(__file__).resolve().parents[2] / "data" / "models" / "optic.onnx"

#: Commands that read no image.
WITHOUT_IMAGE = {
    "st_check", "st_completion", "st_download_data",
    "st_phantom", "st_models", "st_train_prepare", "st_train", "st_export_onnx", "st_run_batch",
    "st_pilot",  # an image that cannot be used is a failure of the methods, not an error
}  # fmt: skip
#: They need an extra that is rarely installed: testing/training/test_nnunet_chain.py.
WITH_NNUNET = {"st_train", "st_export_onnx"}

#: What is wrong with a file, by the part it plays. Every part takes what is wrong with any file.
FILE = (
    "missing", "folder", "wrong extension", "empty file", "not an image", "truncated header",
    "truncated .nii", "2D", "5D", "complex", "zero spacing", "NaN spacing", "NaN sform",
)  # fmt: skip
VOXELS = ("truncated .nii.gz", "damaged .nii.gz")
WRONG = {
    "header": FILE,  # only its grid is used
    "grid": (*FILE, *VOXELS),  # moved about, its values are not looked at
    "labels": (*FILE, *VOXELS, "4D", "NaN", "infinite"),
    "soft mask": (*FILE, *VOXELS, "NaN", "infinite", "zeros"),  # 4D: the mean over time
    "mask": (*FILE, *VOXELS, "4D", "NaN", "infinite", "zeros"),
    "image": (*FILE, *VOXELS, "one slice", "NaN", "infinite", "zeros", "constant"),
}

#: They write no file, or one that is downloaded: testing/models/test_datasets.py.
WITHOUT_OUTPUT = {"st_check", "st_completion", "st_download_data"}


@dataclass(frozen=True)
class Call:
    """A command line; IMAGE, MASK, LABELS and MODEL are sound files, BAD is the other one."""

    command: str
    arguments: str
    part: str
    #: whether the file must share the grid of the others
    shares_grid: bool = False

    def __str__(self) -> str:
        return f"{self.command} {self.arguments}"


TEMPLATES = [
    Call("st_get_centerline", "-i BAD -c t2", "image"),
    Call("st_get_centerline", "-i BAD -method fitseg", "soft mask"),
    Call("st_propseg", "-i BAD -c t2", "image"),
    Call("st_propseg", "-i IMAGE -c t2 -init-centerline BAD", "mask", shares_grid=True),
    Call("st_propseg", "-i IMAGE -c t2 -init-mask BAD", "mask", shares_grid=True),
    Call("st_propseg", "-i IMAGE -c t2 -mask-correction BAD", "mask", shares_grid=True),
    Call("st_deepseg_sc", "-i BAD -c t2", "image"),
    Call("st_deepseg_sc", "-i IMAGE -centerline file -file-centerline BAD", "mask", True),
    Call("st_label_vertebrae", "-i BAD", "image"),
    Call("st_label_vertebrae", "-i IMAGE -discfile BAD", "mask", shares_grid=True),
    Call("st_label_vertebrae", "-i IMAGE -loc BAD", "mask"),
    Call("st_process_segmentation", "-i BAD", "mask"),
    Call("st_process_segmentation", "-i MASK -perlevel 1 -vertfile BAD", "mask", shares_grid=True),
    Call("st_process_segmentation", "-i MASK -perlevel 1 -discfile BAD", "mask", shares_grid=True),
    Call("st_dice_coefficient", "-i BAD -d MASK", "labels"),
    Call("st_dice_coefficient", "-i MASK -d BAD -o dice.csv", "labels", shares_grid=True),
    Call("st_compute_hausdorff_distance", "-i BAD -d MASK", "mask"),
    Call("st_compute_hausdorff_distance", "-i MASK -d BAD -o h.csv", "mask", shares_grid=True),
    Call("st_image", "-i BAD -getorient", "header"),
    Call("st_image", "-i BAD -setorient RPI", "grid"),
    Call("st_image", "-i BAD -type float32", "grid"),
    Call("st_image", "-i BAD -pad 1,1,1", "grid"),
    Call("st_image", "-i BAD -split z", "grid"),
    Call("st_image", "-i IMAGE BAD -concat z", "grid"),
    Call("st_image", "-i IMAGE BAD -concat t", "grid", shares_grid=True),
    Call("st_image", "-i BAD -keep-vol 0", "grid"),
    Call("st_image", "-i BAD -copy-header IMAGE", "header"),
    Call("st_image", "-i BAD -resample 2x2x2", "grid"),
    Call("st_image", "-i BAD -resample-to IMAGE", "grid"),
    Call("st_image", "-i IMAGE -resample-to BAD", "header"),
    Call("st_crop_image", "-i BAD -xmin 1", "grid"),
    Call("st_crop_image", "-i IMAGE -m BAD", "mask", shares_grid=True),
    Call("st_crop_image", "-i IMAGE -ref BAD", "header"),
    Call("st_label_utils", "-i BAD -create 1,1,1,1", "labels"),
    Call("st_label_utils", "-i BAD -create-add 1,1,1,1", "labels"),
    Call("st_label_utils", "-i BAD -create-seg 5,1", "mask"),
    Call("st_label_utils", "-i BAD -cubic-to-point", "mask"),
    Call("st_label_utils", "-i BAD -increment", "mask"),
    Call("st_label_utils", "-i BAD -display", "labels"),
    Call("st_label_utils", "-i BAD -keep 1", "labels"),
    Call("st_label_utils", "-i BAD -remap sct -label-scheme totalspineseg", "mask"),
    Call("st_label_utils", "-i LABELS -project-centerline BAD", "labels", shares_grid=True),
    Call("st_combine_masks", "-i BAD", "labels"),
    Call("st_combine_masks", "-i MASK BAD", "labels", shares_grid=True),
    Call("st_get_modality", "-i BAD", "image"),
    Call("st_report", "-s BAD", "mask"),
    Call("st_report", "-s SPINE -i BAD", "image", shares_grid=True),
    Call("st_report", "-s SPINE -seg BAD", "mask", shares_grid=True),
    Call("st_compare", "-i BAD -s a=MASK", "image"),
    Call("st_compare", "-i IMAGE -s a=BAD", "labels", shares_grid=True),
    Call("st_compare", "-i IMAGE -s a=MASK -ref BAD -qc qc", "mask", shares_grid=True),
    Call("st_compare", "-i IMAGE -s a=MASK -vertfile BAD", "mask", shares_grid=True),
    Call("st_compare", "-i IMAGE -s a=MASK -discfile BAD", "mask", shares_grid=True),
    Call("st_qc", "-i BAD -s MASK -p st_propseg -qc qc", "image"),
    Call("st_qc", "-i IMAGE -s BAD -p st_propseg -qc qc", "labels", shares_grid=True),
]

#: Calls that write something, for folders and disks that cannot take it.
WRITING = [
    Call("st_get_centerline", "-i IMAGE -c t2 -ofolder OUT", "image"),
    Call("st_propseg", "-i IMAGE -c t2 -ofolder OUT", "image"),
    Call("st_deepseg_sc", "-i IMAGE -c t2 -ofolder OUT", "image"),
    Call("st_label_vertebrae", "-i IMAGE -model MODELS -allow-empty -ofolder OUT", "image"),
    Call("st_process_segmentation", "-i MASK -o OUT/a.csv", "mask"),
    Call("st_dice_coefficient", "-i MASK -d MASK -o OUT/a.csv", "mask"),
    Call("st_compute_hausdorff_distance", "-i MASK -d MASK -o OUT/a.csv", "mask"),
    Call("st_image", "-i IMAGE -setorient RPI -ofolder OUT", "image"),
    Call("st_image", "-i IMAGE -split z -ofolder OUT", "image"),
    Call("st_crop_image", "-i IMAGE -m MASK -ofolder OUT", "image"),
    Call("st_label_utils", "-i IMAGE -create 1,1,1,1 -ofolder OUT", "image"),
    Call("st_label_utils", "-i LABELS -export-lut slicer -label-scheme sct -ofolder OUT", "image"),
    Call("st_combine_masks", "-i MASK -ofolder OUT", "mask"),
    Call("st_get_modality", "-i IMAGE -o OUT/a.tsv", "image"),
    Call("st_report", "-s SPINE -ofolder OUT", "mask"),
    Call("st_compare", "-i IMAGE -s a=MASK -o OUT/a.csv", "image"),
    Call("st_pilot", "-path-data SCANS -c t2 -methods propseg -o OUT", "image"),
    Call("st_qc", "-i IMAGE -s MASK -p st_propseg -qc OUT", "image"),
    Call("st_phantom", "-c t2 -fov cervical -spacing 2x2x4 -ofolder OUT", "image"),
    Call("st_run_batch", "-script SCRIPT -path-data STUDY -path-output OUT", "image"),
    Call("st_models", "install own -from MODEL -to OUT", "image"),
    Call("st_train_prepare", "101 -phantoms 1 -folder OUT", "image"),
]


def test_every_command_has_its_templates() -> None:
    assert {call.command for call in TEMPLATES} | WITHOUT_IMAGE >= set(COMMANDS)
    assert {call.command for call in WRITING} | WITH_NNUNET | WITHOUT_OUTPUT >= set(COMMANDS)


# -- files -------------------------------------------------------------------------------------


def _cord(shape: tuple[int, int, int] = (48, 44, 30)) -> tuple[np.ndarray, np.ndarray]:
    """A T2-like cord: a grey tube that drifts a little, in bright fluid, in dark tissue."""
    x, y, z = np.indices(shape)
    centre_x, centre_y = 24 + 2 * np.sin(z / 12), 20 + 0.1 * z
    distance = np.hypot(x - centre_x, (y - centre_y) * 1.3)
    noise = np.random.default_rng(0).normal(0, 12, shape)
    smooth = 150 + 40 * np.sin(x / 5) * np.cos(y / 7)
    image = np.where(distance < 9.5, 620, smooth)
    image = np.where(distance < 5.5, 330, image) + noise
    return image.clip(0).astype(np.int16), (distance < 5.5).astype(np.uint8)


def _spine(cord: np.ndarray) -> np.ndarray:
    """Blocks for C4 to C6 and their discs in front of the cord, as labels of totalspineseg."""
    labels = np.where(cord > 0, 200, 0).astype(np.uint8)
    blocks = ((38, 22, 28), (222, 20, 22), (37, 13, 20), (221, 11, 13), (36, 4, 11))
    for value, first, last in blocks:
        labels[17:32, 30:43, first:last] = value
    return labels


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Sound files; readable for anybody, in case the test becomes nobody."""
    folder = tmp_path_factory.mktemp("sound")
    affine = np.diag([1.0, 1, 2, 1])
    affine[:3, 3] = -20, -30, 5
    image, mask = _cord()
    labels = np.zeros_like(mask)
    labels[24, 22, 5], labels[24, 22, 20] = 4, 3
    paths = {}
    for name, array in [("IMAGE", image), ("MASK", mask), ("LABELS", labels)]:
        paths[name] = folder / f"{name.lower()}.nii.gz"
        nib.save(nib.Nifti1Image(array, affine), paths[name])
    nib.save(nib.Nifti1Image(_spine(mask), affine), folder / "spine.nii.gz")
    paths["SPINE"] = folder / "spine.nii.gz"
    paths["MODEL"] = Path(shutil.copy(SHIPPED_MODEL, folder))
    paths["MODELS"] = save_networks(folder / "models")
    paths["SCRIPT"], paths["STUDY"] = folder / "script.sh", folder / "study"
    paths["SCRIPT"].write_text("echo done\n")
    (paths["STUDY"] / "sub-01").mkdir(parents=True)
    paths["SCANS"] = folder / "scans"
    paths["SCANS"].mkdir()
    shutil.copy(paths["IMAGE"], paths["SCANS"])
    return paths


def _make_bad(kind: str, good: Path, folder: Path) -> Path:
    """Write a file that is wrong in one way and otherwise like the sound one."""
    path = folder / "bad.nii.gz"
    image = nib.load(good)
    array: Any = np.asarray(image.dataobj)
    raw = gzip.decompress(good.read_bytes())
    noise = np.random.default_rng(1).integers(0, 2, array.shape).astype(np.uint8)
    if kind == "folder":
        path.mkdir()
    elif kind == "wrong extension":
        path = folder / "bad.img"
        path.write_bytes(raw)
    elif kind == "empty file":
        path.touch()
    elif kind == "not an image":
        path.write_bytes(gzip.compress(b"hello " * 200))
    elif kind == "truncated header":
        path.write_bytes(gzip.compress(raw[:200]))
    elif kind == "truncated .nii":
        path = folder / "bad.nii"
        path.write_bytes(raw[: len(raw) * 2 // 3])
    elif kind in ("truncated .nii.gz", "damaged .nii.gz"):
        nib.save(nib.Nifti1Image(noise, image.affine), path)
        data = bytearray(path.read_bytes())
        half = len(data) // 2
        path.write_bytes(data[:half] if kind.startswith("truncated") else data[:half] + bytes(20))
        if kind.startswith("damaged"):
            data[half : half + 40] = bytes(40)
            path.write_bytes(data)
    elif kind in ("zero spacing", "NaN spacing", "NaN sform"):
        path = folder / "bad.nii"
        broken = nib.Nifti1Header(raw[:348], check=False)
        if kind == "NaN sform":
            broken["srow_y"] = np.nan
        else:
            broken["pixdim"][3] = 0 if kind.startswith("zero") else np.nan
        path.write_bytes(broken.binaryblock + raw[348:])
    elif kind != "missing":
        nib.save(nib.Nifti1Image(_wrong_voxels(kind, array, noise), image.affine), path)
    return path


def _wrong_voxels(kind: str, array: np.ndarray, noise: np.ndarray) -> np.ndarray:
    if kind in ("NaN", "infinite"):
        values = array.astype(np.float32)
        values[3, 4, 5] = np.nan if kind == "NaN" else np.inf
        return values
    return {
        "2D": array[:, :, 5],
        "one slice": array[:, :, 5:6],
        "4D": np.stack([array, array], axis=-1),
        "5D": np.stack([array, array], axis=-1)[..., None, :].repeat(2, axis=3),
        "complex": array.astype(np.complex64),
        "zeros": np.zeros_like(array),
        "constant": np.full_like(array, 7),
    }[kind]


def _listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def _arguments(call: Call, sound: dict[str, Path], **more: Path) -> list[str]:
    words = {**{name: str(path) for name, path in sound.items()}}
    words.update({name: str(path) for name, path in more.items()})
    arguments = []
    for word in call.arguments.split():
        name, equals, word = word.rpartition("=")
        head, slash, tail = word.partition("/")
        arguments.append(name + equals + words.get(head, head) + slash + tail)
    return arguments


def _assert_one_line(call: Call, outcome: Outcome) -> None:
    assert outcome.code == 1, (outcome.out, outcome.err)
    *before, last = outcome.err.splitlines()
    assert last.startswith(f"{call.command}: error: "), outcome.err
    assert "Traceback" not in outcome.err
    # what is said before the error are notices of things done, never a second error
    assert not [line for line in before if "rror" in line], outcome.err
    assert "written:" not in outcome.out


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        pytest.param(call, kind, id=f"{call} | {kind}")
        for call in TEMPLATES
        for kind in WRONG[call.part]
    ],
)
def test_bad_files(call: Call, kind: str, run: Run, folder: Path, sound: dict[str, Path]) -> None:
    good = sound["IMAGE" if call.part in ("image", "grid", "header") else "MASK"]
    bad = _make_bad(kind, good, folder)
    before = _listing(folder)
    outcome = run(call.command, *_arguments(call, sound, BAD=bad))
    _assert_one_line(call, outcome)
    assert bad.name in outcome.err
    assert _listing(folder) == before


@pytest.mark.parametrize("call", [call for call in TEMPLATES if call.shares_grid], ids=str)
@pytest.mark.parametrize("how", ["shifted", "other shape", "other axes"])
def test_mismatched_spaces(
    call: Call, how: str, run: Run, folder: Path, sound: dict[str, Path]
) -> None:
    mask = nib.load(sound["MASK"])
    array = np.asarray(mask.dataobj)
    affine = mask.affine.copy()
    if how == "shifted":
        affine[0, 3] += 4
    elif how == "other shape":
        array = array[:, :, :-1]
    else:
        array, affine = (
            array[::-1],
            affine @ [[-1, 0, 0, 47], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        )
    nib.save(nib.Nifti1Image(array, affine), folder / "bad.nii.gz")
    before = _listing(folder)
    outcome = run(call.command, *_arguments(call, sound, BAD=folder / "bad.nii.gz"))
    if how == "other axes" and "differ in" not in outcome.err:
        return  # the same places in the scanner: a command may turn the axes itself
    _assert_one_line(call, outcome)
    assert "bad.nii.gz" in outcome.err
    assert "differ in" in outcome.err
    assert "st_image -i" in outcome.err
    assert _listing(folder) == before


@pytest.mark.parametrize("command", ["st_get_centerline", "st_propseg", "st_deepseg_sc"])
def test_an_image_without_a_spine(command: str, run: Run, folder: Path) -> None:
    noise = np.random.default_rng(3).normal(200, 20, (48, 44, 30)).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, np.diag([1, 1, 2, 1])), folder / "noise.nii.gz")
    before = _listing(folder)
    outcome = run(command, "-i", "noise.nii.gz", "-c", "t2")
    _assert_one_line(Call(command, "", "image"), outcome)
    assert "-allow-empty" in outcome.err
    assert _listing(folder) == before
    allowed = run(command, "-i", "noise.nii.gz", "-c", "t2", "-allow-empty", "-o", "e.nii.gz")
    assert allowed.code == 0
    assert "warning: " in allowed.err
    assert not np.asarray(nib.load("e.nii.gz").dataobj).any()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_command_leaves_whole_files_only(
    number: int, folder: Path, sound: dict[str, Path]
) -> None:
    code = "from spinetools.cli.st_propseg import main; main()"
    call = Call("st_propseg", "-i IMAGE -c t2 -CSF -mesh -qc qc -ofolder OUT", "image")
    arguments = _arguments(call, sound, OUT=folder / "out")
    for delay_s in (0.2, 0.6, 0.8, 1.0, 1.2):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay_s)
        process.send_signal(number)
        process.wait()
    for path in (folder / "out").rglob("*.nii.gz"):
        if not path.name.startswith("."):
            assert np.asarray(nib.load(path).dataobj).shape == (48, 44, 30)
    for path in folder.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
    if number != signal.SIGKILL:  # nothing can tidy up after that one
        assert {path.name for path in folder.rglob(".*")} <= {".lock"}


# -- places to write ---------------------------------------------------------------------------


@contextlib.contextmanager
def _nobody() -> Iterator[None]:
    """Give up root's right to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def _no_space() -> Iterator[None]:
    """Let every file stay empty: to a program, the same as a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _open_to_all(folder: Path) -> None:
    for step in (folder, *folder.parents):
        if step.owner() == "root" and step.stat().st_mode & 0o055 != 0o055 and step != Path("/"):
            step.chmod(step.stat().st_mode | 0o055)


@pytest.fixture(params=["locked folder", "locked parent", "file in the way", "full disk"])
def bad_place(
    request: pytest.FixtureRequest, folder: Path, sound: dict[str, Path]
) -> tuple[Path, Callable[[], Any]]:
    """A folder to write to, and the state of the machine that makes it impossible."""
    (folder / "there").mkdir()
    if request.param == "full disk":
        return folder / "there", _no_space
    if request.param == "file in the way":
        (folder / "there" / "file").touch()
        return folder / "there" / "file", _nobody
    _open_to_all(folder)
    _open_to_all(sound["IMAGE"].parent)
    (folder / "there").chmod(0o555)
    inner = folder / "there"
    return (inner if request.param == "locked folder" else inner / "new" / "deep"), _nobody


_warm: set[Call] = set()


def _warm_up(call: Call, run: Run, sound: dict[str, Path]) -> None:
    """Run a call once where it can write: nobody may not be allowed to import what it needs."""
    if call not in _warm:
        with tempfile.TemporaryDirectory() as fine:
            run(call.command, *_arguments(call, sound, OUT=Path(fine)))
        _warm.add(call)


@pytest.mark.parametrize("call", WRITING, ids=str)
def test_places_that_cannot_be_written(
    call: Call,
    bad_place: tuple[Path, Callable[[], Any]],
    run: Run,
    folder: Path,
    sound: dict[str, Path],
) -> None:
    out, state = bad_place
    _warm_up(call, run, sound)
    before = _listing(folder)
    with state():
        outcome = run(call.command, *_arguments(call, sound, OUT=out))
    _assert_one_line(call, outcome)
    assert _listing(folder) == before


@pytest.mark.parametrize("call", WRITING, ids=str)
def test_the_same_calls_write_where_they_can(
    call: Call, run: Run, folder: Path, sound: dict[str, Path]
) -> None:
    """Otherwise the test above could pass for another reason."""
    outcome = run(call.command, *_arguments(call, sound, OUT=folder / "there"))
    assert outcome.code == 0, outcome.err
    assert _listing(folder / "there")
    hidden = {path.name for path in folder.rglob(".*")}
    assert hidden <= {".lock"}, "temporary files"  # the QC report's lock stays
