"""The page about BIDS: each command on it runs, in this order; the validator finds no errors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from spinetools.bids.dataset import SUFFIXES
from spinetools.bids.names import ENDINGS

from .conftest import Validate

if sys.platform == "win32":
    pytest.skip("the page is for a POSIX shell", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "bids.rst").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    """Return the page's blocks of a language, without their indent."""
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", PAGE, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


@pytest.mark.slow
@pytest.mark.skipif(not (BIN / "st_propseg").exists(), reason="the commands are not installed")
def test_every_command_of_the_page(tmp_path: Path, validate: Validate) -> None:
    pytest.importorskip("distributed")
    shutil.copy(ROOT / "docs" / "process_bids.sh", tmp_path)
    lines = [line[2:] for block in blocks("console") for line in block.splitlines() if line]
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == (
        "sub-01/ses-01/anat/sub-01_ses-01_run-1_T2w.nii.gz "
        "sub-01_ses-01_run-1_space-T2w_label-SC_desc-propseg_mask.nii.gz True\n"
    ), done.stderr

    assert validate(tmp_path / "data", "--recursive") == []
    for made, count in (("derivatives", 5), ("data/derivatives/spinetools", 1),
                        ("out/data_processed", 1)):  # fmt: skip
        assert validate(tmp_path / made) == [], made
        masks = list((tmp_path / made).rglob("*.nii.gz"))
        # two cords, one centreline found and one fitted, labels and their points
        assert len(masks) == count + (made == "derivatives"), masks
    tables = sorted(path.name for path in (tmp_path / "out" / "results").glob("*.csv"))
    assert tables == ["sub-01_ses-01_run-1_T2w_csa.csv"]
    # all files that the page draws are there
    (tree,) = blocks("text")
    for name in re.findall(r"^ {4}(\S+_\w+\.(?:nii\.gz|json|tsv))$", tree, re.MULTILINE):
        assert (tmp_path / "derivatives" / "sub-01/ses-01/anat" / name).is_file(), name


def test_what_the_page_tells_is_what_there_is() -> None:
    told = set(re.findall(r"``_(\w+)``", PAGE))
    assert told >= SUFFIXES
    for ending, _ in ENDINGS:
        suffix = ending.rpartition("_")[2]
        # the others are names of SCT's data, which BIDS does not have
        assert suffix in told or suffix in ("MTon", "MToff", "DWImean")
