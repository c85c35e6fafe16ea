"""The commands that the campaign of faults calls, and the small sound files that they work on.

Words in capitals stand for files: IMAGE, MASK, LABELS, CENTRELINE, MODEL, …; OUT for the folder
that a command may write to, BAD for a malformed file, NAME for a name.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from cases import ROOT

SHAPE = (40, 36, 22)
AFFINE = np.array([[1.0, 0, 0, -20], [0, 1, 0, -30], [0, 0, 2, 5], [0, 0, 0, 1]])


@dataclass(frozen=True)
class Call:
    """A command line; see the module's first lines."""

    line: str

    @property
    def command(self) -> str:
        """The command's name."""
        return self.line.partition(" ")[0]

    def arguments(self, files: dict[str, Path | str]) -> list[str]:
        """Return the words with files in the place of those in capitals."""
        words = []
        for word in self.line.split():
            name, equals, rest = word.rpartition("=")
            head, slash, tail = rest.partition("/")
            words.append(f"{name}{equals}{files.get(head, head)}{slash}{tail}")
        return words


def available(calls: tuple[str, ...]) -> list[Call]:
    """Return the calls whose commands this version has."""
    found = [Call(line) for line in calls]
    return [c for c in found if importlib.util.find_spec(f"spinetools.cli.{c.command}")]


#: Every command that writes, with all that it can write; training has tests of its own.
WRITING = (
    "st_get_centerline -i IMAGE -c t2 -ofolder OUT -qc OUT/qc",
    "st_propseg -i IMAGE -c t2 -CSF -mesh -centerline-coord -ofolder OUT -qc OUT/qc",
    "st_deepseg_sc -i IMAGE -c t2 -uncertainty OUT/doubt.nii.gz -ofolder OUT -qc OUT/qc",
    "st_label_vertebrae -i IMAGE -model MODELS -allow-empty -statistics -preview -ofolder OUT",
    "st_process_segmentation -i MASK -perslice 1 -o OUT/area.csv -append 1",
    "st_dice_coefficient -i MASK -d MASK -o OUT/dice.csv",
    "st_compute_hausdorff_distance -i MASK -d MASK -o OUT/distance.csv",
    "st_image -i IMAGE -setorient RPI -ofolder OUT",
    "st_image -i IMAGE -split z -ofolder OUT",
    "st_image -i IMAGE -resample 2x2x2 -o OUT/small.nii",
    "st_crop_image -i IMAGE -m MASK -ofolder OUT",
    "st_label_utils -i IMAGE -create 1,1,1,1 -ofolder OUT",
    "st_label_utils -i LABELS -export-lut slicer -label-scheme sct -ofolder OUT",
    "st_compare -i IMAGE -s a=MASK -ref MASK -o OUT/a.csv -qc OUT/qc",
    "st_qc -i IMAGE -s MASK -p st_propseg -qc OUT/qc",
    "st_phantom -c t2 -fov cervical -spacing 3x3x6 -ofolder OUT",
    "st_models install own -from MODEL -to OUT",
    "st_pilot -path-data SCANS -c t2 -methods propseg -o OUT",
    "st_run_batch -script SCRIPT -path-data STUDY -path-output OUT",
    "st_combine_masks -i MASK MASK2 -o OUT/both.nii.gz",
    "st_report -s SPINE -i IMAGE -label-scheme totalspineseg -ofolder OUT",
)
#: Commands that compute for long, or start processes of their own: they are killed less often.
SLOW = {
    "st_get_centerline", "st_propseg", "st_deepseg_sc", "st_label_vertebrae", "st_phantom",
    "st_compare", "st_run_batch", "st_pilot",
}  # fmt: skip

#: Commands that read a NIfTI file, and the part that it plays: its voxels are made to fit.
READING = (
    "st_get_centerline -i BAD -c t2 -ofolder OUT",
    "st_propseg -i BAD -c t2 -ofolder OUT -qc OUT/qc",
    "st_deepseg_sc -i BAD -c t2 -ofolder OUT",
    "st_label_vertebrae -i BAD -model MODELS -ofolder OUT",
    "st_image -i BAD -header",
    "st_image -i BAD -setorient RPI -ofolder OUT",
    "st_image -i BAD -resample 2x2x2 -ofolder OUT",
    "st_image -i BAD -set-sform-to-qform -ofolder OUT",
    "st_image -i BAD -set-qform-to-sform -ofolder OUT",
    "st_image -i BAD -copy-header IMAGE -ofolder OUT",
    "st_image -i IMAGE -resample-to BAD -ofolder OUT",
    "st_crop_image -i BAD -xmin 1 -xmax 3 -ofolder OUT",
    "st_get_modality -i BAD",
    "st_propseg -i IMAGE -c t2 -init-centerline MBAD -ofolder OUT",
    "st_propseg -i IMAGE -c t2 -init-mask MBAD -ofolder OUT",
    "st_process_segmentation -i MBAD -o OUT/area.csv",
    "st_process_segmentation -i MASK -perlevel 1 -vertfile MBAD -o OUT/area.csv",
    "st_dice_coefficient -i MBAD -d MASK -o OUT/dice.csv",
    "st_compute_hausdorff_distance -i MASK -d MBAD -o OUT/distance.csv",
    "st_label_utils -i MBAD -display",
    "st_label_utils -i MBAD -cubic-to-point -ofolder OUT",
    "st_label_utils -i MBAD -remap sct -label-scheme totalspineseg -ofolder OUT",
    "st_crop_image -i IMAGE -m MBAD -ofolder OUT",
    "st_compare -i IMAGE -s a=MBAD -o OUT/a.csv",
    "st_qc -i IMAGE -s MBAD -p st_propseg -qc OUT/qc",
    "st_combine_masks -i MASK MBAD -o OUT/both.nii.gz",
    "st_report -s MBAD -label-scheme totalspineseg -ofolder OUT",
)

#: Commands that read a file which is no image, by the kind of file that BAD is.
OTHER = (
    ("csv", "st_propseg -i IMAGE -c t2 -init-centerline BAD -ofolder OUT"),
    ("csv", "st_deepseg_sc -i IMAGE -centerline file -file-centerline BAD -ofolder OUT"),
    ("json", "st_qc -qc REPORT -import BAD"),
    ("tsv", "st_qc -qc REPORT -import BAD"),
    ("yml", "st_run_batch -script SCRIPT -path-data STUDY -path-output OUT -exclude-yml BAD"),
    ("onnx", "st_deepseg_sc -i IMAGE -c t2 -model BAD -ofolder OUT"),
    ("onnx", "st_models install own -from BAD -to OUT"),
    ("zip", "st_models install own -from BAD -to OUT"),
)


def cord(shape: tuple[int, int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Make a T2-like cord and its mask: a grey tube in bright fluid in dark tissue."""
    x, y, z = np.indices(shape)
    distance = np.hypot(x - 19 - 2 * np.sin(z / 12), (y - 17 - 0.1 * z) * 1.3)
    noise = np.random.default_rng(0).normal(0, 12, shape)
    image = np.where(distance < 9.5, 620, 150 + 40 * np.sin(x / 5) * np.cos(y / 7))
    image = np.where(distance < 5.5, 330, image) + noise
    return image.clip(0).astype(np.int16), (distance < 5.5).astype(np.uint8)


def spine(mask: np.ndarray) -> np.ndarray:
    """Make labels: the cord of a mask, its canal, and blocks for vertebrae and discs before it."""
    from spinetools.labels import numbering

    values = {row.name: value for value, row in numbering("totalspineseg").items()}
    labels = np.zeros(mask.shape, np.uint8)
    x, y, z = np.indices(mask.shape)
    labels[np.hypot(x - 19, y - 18) < 9] = values["spinal_canal"]
    labels[mask > 0] = values["spinal_cord"]
    levels = ["C4", "C5", "C6", "C7"]
    for number, level in enumerate(reversed(levels)):
        box = (
            (abs(x - 19) < 7) & (y >= 27) & (y < 34) & (z >= 1 + 5 * number) & (z < 5 + 5 * number)
        )
        labels[box] = values[f"vertebrae_{level}"]
        below = values.get(f"disc_{level}_{levels[-number]}") if number else None
        if below:
            labels[(abs(x - 19) < 7) & (y >= 27) & (y < 34) & (z == 5 * number)] = below
    return labels


def sound_files(folder: Path) -> dict[str, Path | str]:
    """Make the sound files in a folder; return them by the words that stand for them."""
    folder.mkdir(parents=True, exist_ok=True)
    image, mask = cord()
    labels = np.zeros_like(mask)
    labels[19, 18, 4], labels[20, 19, 16] = 4, 3
    halves = mask.copy()
    halves[:, :, 11:] = 0
    files: dict[str, Path | str] = {}
    for name, array in (("IMAGE", image), ("MASK", mask), ("LABELS", labels), ("MASK2", halves),
                        ("SPINE", spine(mask))):  # fmt: skip
        path = folder / f"{name.lower()}.nii.gz"
        nib.save(nib.Nifti1Image(array, AFFINE), path)
        files[name] = path
    files["MODEL"] = Path(shutil.copy(ROOT / "data" / "models" / "optic.onnx", folder))
    files["SCRIPT"], files["STUDY"] = folder / "script.sh", folder / "study"
    Path(files["SCRIPT"]).write_text("echo done\n", encoding="utf-8")
    (folder / "study" / "sub-01").mkdir(parents=True, exist_ok=True)
    files["SCANS"] = folder / "scans"
    (folder / "scans").mkdir(exist_ok=True)
    shutil.copy(files["IMAGE"], folder / "scans")
    files["MODELS"] = tiny_networks(folder / "models")
    return files


def tiny_networks(folder: Path) -> Path:
    """Write the tests' tiny networks of the vertebrae, which read the truth from the image."""
    if importlib.util.find_spec("onnx") is None:
        return folder
    for place in ("vertebrae", "phantom"):
        sys.path.insert(0, str(ROOT / "testing" / place))
    import coded

    return Path(coded.save_networks(folder))


def report_for(folder: Path, files: dict[str, Path | str]) -> Path:
    """Make a QC report with one entry, for commands that read one."""
    from spinetools.image import load_mask, load_volume
    from spinetools.qc import add_entry

    image, mask = load_volume(files["IMAGE"]), load_mask(files["MASK"])
    add_entry(folder, image, [("cord", mask)], process="st_propseg", command_line="x", subject="s")
    return folder
