"""batch_processing.sh: what it runs on what, what it does about failures, and its sample."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "batch_processing.sh"
#: A command that notes its arguments, and fails on images whose name has "broken" in it.
STAND_IN = """#!/usr/bin/env bash
printf '%s' "$(basename "$0")" >>"$LOG"
printf '\\t%s' "$@" >>"$LOG"
printf '\\tREFRESH=%s\\n' "${SPINETOOLS_QC_REFRESH:-}" >>"$LOG"
bids=
case "$(basename "$0") $2" in st_propseg*broken*) exit 1 ;; esac
while [ $# -gt 0 ]; do
    case $1 in
    -o)
        mkdir -p "$(dirname "$2")" && echo made >"$2"
        case $2 in
        *certain*_vertebrae*) echo '"NumberingCertain": true' >"${2%.nii.gz}.json" ;;
        esac
        ;;
    -bids) bids=yes ;;
    -i) name=$(basename "$2" .nii.gz) ;;
    -ofolder)
        mkdir -p "$2" && echo made >"$2/${name}_$(basename "$0").nii.gz"
        if [ -n "$bids" ]; then
            echo "$(basename "$0"): a notice"
            echo "written: $2/${name}_$(basename "$0").nii.gz"
            echo "written: $2/another.csv"
        fi
        ;;
    -qc) mkdir -p "$2" ;;
    esac
    shift
done
"""

Batch = Callable[..., subprocess.CompletedProcess[str]]


def run(folder: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, *args], cwd=folder, env={**os.environ, **environment},
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """Run the script with stand-ins instead of the commands."""
    stand_ins = tmp_path / "bin"
    stand_ins.mkdir()
    for name in (
        "st_get_centerline", "st_propseg", "st_deepseg_sc", "st_process_segmentation", "st_qc",
        "st_compare", "st_label_vertebrae",
    ):  # fmt: skip
        (stand_ins / name).write_text(STAND_IN)
        (stand_ins / name).chmod(0o755)

    def start(*args: str) -> subprocess.CompletedProcess[str]:
        path = f"{stand_ins}{os.pathsep}{os.environ['PATH']}"
        return run(tmp_path, *args, PATH=path, LOG=str(tmp_path / "log"))

    return start


def calls(tmp_path: Path, command: str) -> list[list[str]]:
    lines = (tmp_path / "log").read_text().splitlines()
    return [line.split("\t")[1:] for line in lines if line.split("\t")[0] == command]


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a stand-in")


CONTRASTS = {
    "sub-01_T1w": "t1",
    "sub-01_T2w": "t2",
    "sub-01_acq-sag_T2w": "t2",
    "sub-01_T2star": "t2s",
    "sub-01_T2starw": "t2s",
    "sub-01_acq-MTon_MTS": "t2s",
    "sub-01_acq-T1w_MTS": "t1",
    "sub-01_dwi": "dwi",
}


def test_the_contrast_comes_from_the_name(batch: Batch, tmp_path: Path) -> None:
    make(tmp_path / "study", *(f"{name}.nii.gz" for name in CONTRASTS))
    done = batch("study")
    assert done.returncode == 0, done.stderr
    seen = {
        Path(call[call.index("-i") + 1]).name.removesuffix(".nii.gz"): call[call.index("-c") + 1]
        for call in calls(tmp_path, "st_deepseg_sc")
    }
    assert seen == CONTRASTS
    others = [call[:4] for call in calls(tmp_path, "st_propseg")]
    assert others == [call[:4] for call in calls(tmp_path, "st_deepseg_sc")]


def test_other_files_are_left_alone_and_named(batch: Batch, tmp_path: Path) -> None:
    make(tmp_path / "study", "a_T2w.nii.gz", "a_T2w_seg.nii.gz", "notes.txt", "a_bold.nii.gz",
         "derivatives/a_T2w.nii.gz", "b_T2w.nii")  # fmt: skip
    done = batch("study")
    images = [call[call.index("-i") + 1] for call in calls(tmp_path, "st_propseg")]
    assert images == ["study/a_T2w.nii.gz", "study/b_T2w.nii"]
    left = "left alone, as their names end in no contrast: a_T2w_seg.nii.gz a_bold.nii.gz"
    assert left in done.stdout.splitlines()


def test_each_step_takes_the_result_of_the_one_before(batch: Batch, tmp_path: Path) -> None:
    make(tmp_path / "my study", "sub 1/anat/sub-1 x_T2w.nii.gz")
    done = batch("my study")
    assert done.returncode == 0, done.stderr
    out = "runs/my study/sub 1/anat/sub-1 x_T2w"
    (centerline,), (propseg,), (deepseg,), measures = (
        calls(tmp_path, name)
        for name in (
            "st_get_centerline", "st_propseg", "st_deepseg_sc", "st_process_segmentation",
        )
    )  # fmt: skip
    assert centerline[centerline.index("-o") + 1] == f"{out}_centerline.nii.gz"
    assert propseg[propseg.index("-init-centerline") + 1] == f"{out}_centerline.nii.gz"
    for call in (propseg, deepseg):
        assert call[call.index("-qc") : call.index("-qc") + 6] == [
            "-qc", "runs/my study/qc", "-qc-dataset", "my study", "-qc-subject", "sub-1 x",
        ]  # fmt: skip
    for method, call, measure in zip(
        ("propseg", "deepseg"), (propseg, deepseg), measures, strict=True
    ):
        assert call[call.index("-o") + 1] == f"{out}_seg-{method}.nii.gz"
        assert measure[measure.index("-i") + 1] == f"{out}_seg-{method}.nii.gz"
        assert measure[measure.index("-o") + 1] == f"{out}_csa-{method}.csv"


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ("a_T2w_levels.nii.gz", ["-vertfile", "study/a_T2w_levels.nii.gz", "-perlevel", "1"]),
        ("a_T2w_discs.nii", ["-discfile", "study/a_T2w_discs.nii", "-perlevel", "1"]),
        ("other_levels.nii.gz", ["-perslice", "1"]),
    ],
)
def test_levels_beside_the_image_are_used(
    batch: Batch, tmp_path: Path, beside: str, expected: list[str]
) -> None:
    make(tmp_path / "study", "a_T2w.nii.gz", beside)
    assert batch("study").returncode == 0
    for measure in calls(tmp_path, "st_process_segmentation"):
        assert measure[2:-3] == expected


def test_levels_are_labelled_where_no_file_has_them(batch: Batch, tmp_path: Path) -> None:
    make(tmp_path / "in", "certain_T2w.nii.gz", "doubtful_T2w.nii.gz")
    make(tmp_path / "in", "known_T2w.nii.gz", "known_T2w_levels.nii.gz")
    done = batch("in")
    assert done.returncode == 0, done.stderr
    labelled = [Path(call[1]).name for call in calls(tmp_path, "st_label_vertebrae")]
    assert labelled == ["certain_T2w.nii.gz", "doubtful_T2w.nii.gz"]
    measured = {
        Path(c[1]).name.partition("_")[0]: c for c in calls(tmp_path, "st_process_segmentation")
    }
    certain = measured["certain"]
    assert certain[certain.index("-vertfile") + 1] == "runs/in/certain_T2w_vertebrae.nii.gz"
    assert "-perlevel" in certain
    assert "-perslice" in measured["doubtful"]
    assert "doubtful_T2w are not known: measured slice by slice" in done.stdout


def test_the_report_is_refreshed_once_at_the_end(batch: Batch, tmp_path: Path) -> None:
    make(tmp_path / "study", "a_T2w.nii.gz", "b_T2w.nii.gz")
    batch("study", "out")
    lines = (tmp_path / "log").read_text().splitlines()
    assert all(line.endswith("REFRESH=0") for line in lines)
    assert [line.split("\t")[0] for line in lines].count("st_qc") == 1
    assert lines[-1].startswith("st_qc\t-v\t0\t-refresh\t-qc\tout/qc\t")


def test_a_failure_stops_its_method_and_image_only(batch: Batch, tmp_path: Path) -> None:
    make(tmp_path / "study", "a_broken_T2w.nii.gz", "b_T2w.nii.gz")
    done = batch("study")
    assert done.returncode == 1
    measured = [call[call.index("-i") + 1] for call in calls(tmp_path, "st_process_segmentation")]
    assert measured == [
        "runs/study/a_broken_T2w_seg-deepseg.nii.gz",
        "runs/study/b_T2w_seg-propseg.nii.gz",
        "runs/study/b_T2w_seg-deepseg.nii.gz",
    ]
    ending = done.stdout.splitlines()[-3:]
    assert ending[0] == "done: 1 of 2 images, in runs/study"
    assert ending[1] == "failed: a_broken_T2w.nii.gz"
    assert ending[2] == f"open in a browser: {tmp_path}/runs/study/qc/index.html"


def test_it_ends_with_the_comparison_of_both_methods(batch: Batch, tmp_path: Path) -> None:
    make(tmp_path / "study", "a_T2w.nii.gz", "a_T2w_levels.nii.gz", "b/b_T1w.nii",
         "b/b_T1w_discs.nii.gz", "c_broken_T2w.nii.gz")  # fmt: skip
    batch("study", "out")
    (call,) = calls(tmp_path, "st_compare")
    at = {word: call.index(word) for word in ("-i", "-s", "-vertfile", "-discfile")}
    assert call[at["-i"] + 1 : at["-s"]] == [
        "study/a_T2w.nii.gz", "study/b/b_T1w.nii", "study/c_broken_T2w.nii.gz",
    ]  # fmt: skip
    # also of the image whose segmentation failed: -allow-missing counts it
    assert call[at["-s"] + 1 : call.index("-allow-missing")] == [
        f"{method}=out/{stem}_seg-{method}.nii.gz"
        for stem in ("a_T2w", "b/b_T1w", "c_broken_T2w")
        for method in ("propseg", "deepseg")
    ]
    assert call[at["-vertfile"] + 1 : at["-discfile"]] == [
        "study/a_T2w_levels.nii.gz", "none", "none",
    ]  # fmt: skip
    assert call[at["-discfile"] + 1 : at["-discfile"] + 4] == [
        "none", "study/b/b_T1w_discs.nii.gz", "none",
    ]  # fmt: skip
    assert call[call.index("-o") + 1] == "out/comparison.csv"
    assert call[-2:] != ["-qc-entries", "1"]


def test_bids_names_the_results(batch: Batch, tmp_path: Path) -> None:
    """The chain goes on with what each command says that it has written."""
    broken = "sub-02/anat/sub-02_broken_T1w.nii"
    make(tmp_path / "my study", "sub-01/anat/sub-01_T2w.nii.gz", broken)
    done = batch("-bids", "my study", "out put")
    assert done.returncode == 1
    assert f"failed: {broken}" in done.stdout.splitlines()
    first = [calls(tmp_path, command)[0] for command in (
        "st_get_centerline", "st_propseg", "st_deepseg_sc", "st_label_vertebrae",
    )]  # fmt: skip
    for call in first:
        assert call[call.index("-bids") + 1 :][:2] == ["-ofolder", "out put"]
        assert "-o" not in call
    propseg = first[1]
    line = propseg[propseg.index("-init-centerline") + 1]
    assert line == "out put/sub-01_T2w_st_get_centerline.nii.gz"
    measured = [(call[call.index("-i") + 1], call[call.index("-o") + 1])
                for call in calls(tmp_path, "st_process_segmentation")]  # fmt: skip
    assert measured[:2] == [
        (f"out put/sub-01_T2w_{command}.nii.gz", f"out put/results/sub-01_T2w_csa-{method}.csv")
        for command, method in (("st_propseg", "propseg"), ("st_deepseg_sc", "deepseg"))
    ]
    (call,) = calls(tmp_path, "st_compare")
    assert call[call.index("-o") + 1] == "out put/results/comparison.csv"
    assert "propseg=out put/sub-01_T2w_st_propseg.nii.gz" in call


def test_a_comparison_that_fails_is_listed(batch: Batch, tmp_path: Path) -> None:
    make(tmp_path / "study", "a_T2w.nii.gz")
    compare = tmp_path / "bin" / "st_compare"
    compare.write_text("#!/usr/bin/env bash\nexit 1\n")
    done = batch("study")
    assert done.returncode == 1
    assert "failed: the comparison of the methods" in done.stdout.splitlines()
    assert "done: 1 of 1 images, in runs/study" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("missing",), 1, "missing is no folder"),
        (("empty",), 1, "has no image whose name ends in a contrast"),
        (("a", "b", "c"), 2, "expected at most a folder and an output folder"),
        (("-bids",), 2, "-bids needs the folder of a BIDS data set"),
    ],
)
def test_wrong_use(
    batch: Batch, tmp_path: Path, args: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    done = batch(*args)
    assert done.returncode == code
    assert message in done.stderr


def test_without_the_commands_it_says_how_to_install(tmp_path: Path) -> None:
    done = run(tmp_path, PATH="/usr/bin:/bin")
    assert done.returncode == 1
    assert "pip install ." in done.stderr


def test_help_is_the_script_s_own_text(tmp_path: Path) -> None:
    done = run(tmp_path, "-h")
    assert done.returncode == 0
    assert done.stdout.startswith("The tutorial's chain")
    assert "exit code is then 1" in done.stdout


# -- with the real commands ---------------------------------------------------------------------


def installed() -> str:
    """Return a PATH on which the commands beside this Python come first."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def report_entries(report: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted((report / "entries").glob("*.json"))]


@pytest.mark.slow
def test_the_sample_runs_from_nothing_to_the_report(tmp_path: Path) -> None:
    done = run(tmp_path, PATH=installed())
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.splitlines()[-1].removeprefix("open in a browser: "))
    assert page == tmp_path / "runs/sample/qc/index.html"
    assert page.is_file()
    entries = report_entries(page.parent)
    assert sorted((str(e["process"]), str(e["contrast"])) for e in entries) == [
        ("st_deepseg_sc", "t1"), ("st_deepseg_sc", "t2"),
        ("st_get_centerline", "t1"), ("st_get_centerline", "t2"),
        ("st_propseg", "t1"), ("st_propseg", "t2"),
    ]  # fmt: skip
    index = (page.parent / "entries.js").read_text()
    assert all(str(entry["id"]) in index for entry in entries)
    truth = areas(tmp_path / "sample/sub-01_T2w_truth.csv", "level", "csa_mm2")
    for method in ("propseg", "deepseg"):
        table = tmp_path / f"runs/sample/sub-01_T2w_csa-{method}.csv"
        assert areas(table, "VertLevel", "MEAN(area)") == pytest.approx(truth, rel=0.1), method
        assert (tmp_path / f"runs/sample/sub-01_T1w_csa-{method}.csv").is_file()
    with (tmp_path / "runs/sample/comparison.csv").open(encoding="utf-8") as stream:
        compared = list(csv.DictReader(stream))
    assert [(Path(row["image"]).name, row["method"]) for row in compared] == [
        (f"sub-01_{contrast}.nii.gz", method)
        for contrast in ("T1w", "T2w")
        for method in ("propseg", "deepseg")
    ]
    # one subject is no evidence
    assert "cannot be told apart" in done.stdout or "not sure" in done.stdout
    assert "spinetoolsComparisons" in (page.parent / "comparisons.js").read_text()


def areas(table: Path, level: str, area: str) -> list[float]:
    """Return the mean area at C2, C3, C4 and C5."""
    with table.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [
        float(np.mean([float(row[area]) for row in rows if row[level] in (f"C{n}", str(n))]))
        for n in (2, 3, 4, 5)
    ]


@pytest.mark.slow
def test_a_broken_file_is_listed_and_the_others_are_done(tmp_path: Path) -> None:
    from spinetools.phantom import make_phantom

    study = tmp_path / "study"
    study.mkdir()
    make_phantom(seed=1, protocol="t2s_axial").image.save(study / "sub-01_T2star.nii.gz")
    whole = (study / "sub-01_T2star.nii.gz").read_bytes()
    (study / "sub-00_T2w.nii.gz").write_bytes(whole[: len(whole) // 2])
    before = sorted(study.iterdir())
    done = run(tmp_path, "study", PATH=installed())
    assert done.returncode == 1
    assert done.stdout.splitlines()[-3:] == [
        "done: 1 of 2 images, in runs/study",
        "failed: sub-00_T2w.nii.gz",
        f"open in a browser: {tmp_path}/runs/study/qc/index.html",
    ]
    assert "st_get_centerline: error: study/sub-00_T2w.nii.gz cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(study.iterdir()) == before
    made = sorted(path.name for path in (tmp_path / "runs/study").glob("sub-*"))
    assert made == [
        "sub-01_T2star_centerline.csv", "sub-01_T2star_centerline.json",
        "sub-01_T2star_centerline.nii.gz",
        "sub-01_T2star_csa-deepseg.csv", "sub-01_T2star_csa-deepseg.json",
        "sub-01_T2star_csa-propseg.csv", "sub-01_T2star_csa-propseg.json",
        "sub-01_T2star_seg-deepseg.json", "sub-01_T2star_seg-deepseg.nii.gz",
        "sub-01_T2star_seg-propseg.json", "sub-01_T2star_seg-propseg.nii.gz",
        "sub-01_T2star_vertebrae.json", "sub-01_T2star_vertebrae.nii.gz",
        "sub-01_T2star_vertebrae_dseg.tsv",
        "sub-01_T2star_vertebrae_levels.json", "sub-01_T2star_vertebrae_levels.nii.gz",
    ]  # fmt: skip
    assert len(report_entries(tmp_path / "runs/study/qc")) == 4
