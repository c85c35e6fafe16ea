"""st_run_batch -bids: what scripts are told, and where their results go."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed")
if sys.platform == "win32":
    pytest.skip("the script is for a POSIX shell", allow_module_level=True)

from spinetools.batch import BatchParams, Selection, run_batch
from spinetools.errors import InputError, OutputError

from .conftest import Validate, describe

#: Writes down what it is told; a name for each image as our commands would give it.
SCRIPT = r"""#!/usr/bin/env bash
set -euo pipefail
printf '%s\n' "$SPINETOOLS_IMAGES" >"$PATH_RESULTS/${1//\//_}.txt"
while IFS= read -r image; do
    test -e "$image"
done <<<"$SPINETOOLS_IMAGES"
"""


@pytest.fixture
def params(names_only: Path, tmp_path: Path) -> BatchParams:
    script = tmp_path / "process.sh"
    script.write_text(SCRIPT)
    return BatchParams(script, names_only, tmp_path / "out", bids=True, jobs=2, threads=1)


def test_a_script_finds_its_images(params: BatchParams, validate: Validate) -> None:
    chosen = Selection(exclude="run-2", include="T2w|sub-02")
    report = run_batch(BatchParams(**{**vars(params), "selection": chosen}))
    assert [record.state for record in report.records] == ["done"] * 3
    out, root = Path(params.output), Path(params.data)
    told = {path.stem: path.read_text().split() for path in (out / "results").glob("*.txt")}
    t2w = "anat/sub-01_ses-0{0}_{1}_T2w.nii.gz"
    assert told == {
        "sub-01_ses-01": [str(root / "sub-01/ses-01" / t2w.format(1, "run-1"))],
        "sub-01_ses-02": [str(root / "sub-01/ses-02" / t2w.format(2, "acq-ax"))],
        "sub-02_ses-01": [
            str(root / "sub-02/ses-01/anat/sub-02_ses-01_flip-1_mt-on_MTS.nii.gz"),
            str(root / "sub-02/ses-01/dwi/sub-02_ses-01_dir-AP_dwi.nii.gz"),
        ],
    }
    made = out / "data_processed"
    said = json.loads((made / "dataset_description.json").read_text())
    assert said["DatasetLinks"] == {"raw": "../../raw"}
    assert validate(made) == []


def test_a_data_set_is_checked_before_anything_begins(
    params: BatchParams, names_only: Path
) -> None:
    describe(names_only, Name="")
    with pytest.raises(InputError, match="has no Name"):
        run_batch(params)
    describe(names_only)
    (names_only / "sub-01/ses-01/anat/sub-01_ses-01_run-01_T2w.nii.gz").write_bytes(b"")
    with pytest.raises(InputError, match="are the same image for BIDS"):
        run_batch(params)
    assert not Path(params.output).exists()


def test_data_processed_must_be_free(params: BatchParams) -> None:
    processed = Path(params.output) / "data_processed"
    describe(processed)
    with pytest.raises(OutputError, match="is raw data"):
        run_batch(params)
