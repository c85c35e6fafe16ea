"""The page "Correcting a failed segmentation", run as a person would: every command, in order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spinetools.image import load_mask
from spinetools.qc import read_entries

PAGE = Path(__file__).resolve().parents[1] / "docs" / "correcting.rst"


def lines() -> list[str]:
    """Return the page's command lines."""
    text = re.sub(r"\\\n\s*", "", PAGE.read_text(encoding="utf-8"))
    return re.findall(r"^\s*\$ (.+)$", text, re.MULTILINE)


def dice(folder: Path, name: str) -> float:
    one, other = (load_mask(folder / f"{n}.nii.gz").data > 0 for n in (name, "sub-01_T2star_cord"))
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


@pytest.mark.slow
def test_every_command_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    found: list[float] = []
    said = {}
    for line in lines():
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env={**os.environ, "PATH": path},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        said[line] = " ".join((done.stdout + done.stderr).split())
        if line.startswith("st_propseg") and "-o " not in line:
            found.append(dice(tmp_path, "sub-01_T2star_seg"))
    before, after = found
    assert f"was {before:.2f}, and is {after:.2f} now" in text
    first, second = (line for line in lines() if line.startswith("st_propseg") and "-qc" in line)
    for line, block in ((first, "warning: the surface leaks"), (second, "kept as drawn")):
        quoted = next(
            " ".join(part.split())
            for part in re.findall(r"\.\. code-block:: text\n\n((?:   .+\n)+)", PAGE.read_text())
            if block in part
        )
        assert quoted in said[line]
    # the drawn slice is as it was drawn
    seg, truth = (
        load_mask(tmp_path / f"sub-01_T2star_{name}.nii.gz").data for name in ("seg", "cord")
    )
    assert (seg[..., 7] == truth[..., 7]).all()
    for name in ("seg_again", "seg_network"):
        assert dice(tmp_path, name) > 0.9, name
    # three runs of one case: failed, corrected, and added by hand
    entries = read_entries(tmp_path / "qc")
    assert len({entry["case"] for entry in entries}) == 1
    flagged = [sum(flag["kind"] == "leak" for flag in entry["flags"]) for entry in entries]
    assert flagged == [1, 0, 0]
    # what st_qc prints has the place, and the command that the page gives next
    (correct,) = (line for line in lines() if "-correct flagged" in line)
    assert f"fsleyes -vl {place(entries[0])} {tmp_path}/sub-01_T2star.nii.gz" in said[correct]
    assert f"-mask-correction {tmp_path}/sub-01_T2star_seg_corrected.nii.gz" in said[correct]
    record = json.loads((tmp_path / "sub-01_T2star_seg.json").read_text())
    assert record["KeptAsDrawn"] == [7]


def place(entry: dict[str, object]) -> str:
    from spinetools.qc.viewers import place_of

    voxel = place_of(entry, 7)
    assert np.all(np.array(voxel) >= 0)
    return " ".join(map(str, voxel))
