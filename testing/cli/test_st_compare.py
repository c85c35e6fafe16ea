"""st_compare and st_pilot as a user calls them."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pytest

from spinetools.cli import _compare, _pilot, st_pilot
from spinetools.errors import InputError
from spinetools.image import Image, Space

from .conftest import Run

SHAPE = (36, 36, 24)


def made(folder: Path, name: str, radius_mm: float | None, image: bool = False) -> Path:
    """Write a straight cord, as a mask or as an image of it."""
    x, y, _ = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    inside = np.clip((radius_mm or 0) - np.hypot(x - 17.5, y - 17.5) + 0.5, 0, 1)
    data = (inside >= 0.5).astype(np.uint8)
    if image:
        noise = np.random.default_rng(len(name)).normal(0, 5, SHAPE)
        data = (200 - 120 * inside + noise).astype(np.float32)
    return Image(data, Space(SHAPE, np.diag([1.0, 1.0, 2.0, 1.0]))).save(folder / f"{name}.nii.gz")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def two(folder: Path) -> list[Path]:
    """Two images with masks: method a is right, b is too large, and on the second it failed."""
    images = []
    for subject in ("sub-01", "sub-02"):
        images.append(made(folder, f"{subject}_T2w", 4.5, image=True))
        made(folder, f"{subject}_a", 4.5)
        made(folder, f"{subject}_manual", 4.5)
        made(folder, f"{subject}_b", 5.6)
    (folder / "sub-02_b.nii.gz").unlink()
    return images


def files(*names: str) -> list[str]:
    return [f"{name}.nii.gz" for name in names]


def test_a_table_a_summary_and_a_report(run: Run, folder: Path, two: list[Path]) -> None:
    done = run(
        "st_compare", "-i", *files("sub-01_T2w", "sub-02_T2w"),
        "-s", "a=sub-01_a.nii.gz", "sub-02_a.nii.gz", "-s", "b=sub-01_b.nii.gz",
        "sub-02_b.nii.gz", "-allow-missing", "-o", "out/table.csv", "-qc", "qc",
        "-qc-dataset", "pilot",
    )  # fmt: skip
    assert done.code == 0, done.err
    rows = rows_of(folder / "out/table.csv")
    assert [(row["subject"], row["method"], row["state"]) for row in rows] == [
        ("sub-01", "a", "ok"), ("sub-01", "b", rows[1]["state"]),
        ("sub-02", "a", "ok"), ("sub-02", "b", "failed"),
    ]  # fmt: skip
    assert rows[0]["contrast"] == "t2"
    assert float(rows[0]["expected_dice"]) > float(rows[1]["expected_dice"])
    assert rows[3]["expected_dice"] == "0.0000"
    assert rows[0]["dice"] == "n/a"
    assert rows[3]["reasons"] == "no segmentation was made"
    slices = rows_of(folder / "out/table_slices.csv")
    assert len(slices) == 3 * SHAPE[2]
    (pair,) = rows_of(folder / "out/table_pairs.csv")
    assert (pair["first"], pair["second"], pair["subject"]) == ("a", "b", "sub-01")
    assert not (folder / "out/table_levels.csv").exists()
    # the summary: on the terminal, in the sidecar and in the report
    sidecar = json.loads((folder / "out/table.json").read_text())
    assert sidecar["Choice"]["all"]["Method"] == "a"
    assert sidecar["Choice"]["all"]["Sureness"] != "sure"
    assert sidecar["GeneratedBy"][0]["Name"] == "st_compare"
    for line in sidecar["Summary"]:
        assert line in done.out.splitlines()
    assert "With 2 scans nothing can be sure: at least 6 are needed" in done.out
    (record,) = [json.loads(path.read_text())
                 for path in (folder / "qc/comparisons").glob("*/comparison.json")]  # fmt: skip
    assert record["headline"] == sidecar["Summary"][0]
    assert record["tables"] == ["table.csv", "table_slices.csv", "table_pairs.csv"]
    place = folder / "qc/comparisons" / record["name"]
    for picture in record["pictures"]:
        for theme in ("dark", "light"):
            assert b"</svg>" in (place / f"{picture['name']}-{theme}.svg").read_bytes()
    # an entry an image, with the masks that there are
    entries = [json.loads(path.read_text())
               for path in sorted((folder / "qc/entries").glob("*.json"))]  # fmt: skip
    layers = [[layer["name"] for layer in each["views"][0]["layers"]] for each in entries]
    assert layers == [["image", "a", "b"], ["image", "a"]]
    assert [each["input"] for each in entries] == [row["input"] for row in record["rows"]]
    # the area of every method, the first mask's without its name
    first, second = (each["measures"]["values"] for each in entries)
    assert sorted(first) == ["csa_mm2", "csa_mm2:b"]
    assert first["csa_mm2:b"][5] > 1.2 * first["csa_mm2"][5]
    assert sorted(second) == ["csa_mm2"]


def test_a_method_that_found_nothing_is_drawn_last(run: Run, folder: Path, two: list[Path]) -> None:
    """The area without a name is that of the first mask: it must have one."""
    empty = Image.load(folder / "sub-01_a.nii.gz")
    empty.like(np.zeros(SHAPE, dtype=np.uint8)).save(folder / "empty.nii.gz")
    done = run("st_compare", "-i", "sub-01_T2w.nii.gz", "-s", "none=empty.nii.gz",
               "b=sub-01_b.nii.gz", "-qc", "qc")  # fmt: skip
    assert done.code == 0, done.err
    (path,) = (folder / "qc/entries").glob("*.json")
    entry = json.loads(path.read_text())
    assert [layer["name"] for layer in entry["views"][0]["layers"]] == ["image", "b", "none"]
    assert list(entry["measures"]["values"]) == ["csa_mm2"]


def test_with_references(run: Run, folder: Path, two: list[Path]) -> None:
    done = run(
        "st_compare", "-i", "sub-01_T2w.nii.gz", "-s", "a=sub-01_a.nii.gz", "b=sub-01_b.nii.gz",
        "-ref", "sub-01_manual.nii.gz", "-qc", "qc", "-qc-entries", "0",
    )  # fmt: skip
    assert done.code == 0, done.err
    a, b = rows_of(folder / "comparison.csv")
    assert (a["dice"], a["hd95_mm"]) == ("1.0000", "0.0000")
    assert float(b["dice"]) < 1
    assert float(b["csa_bias_percent"]) > 20
    assert "Dice is with the manual references." in done.out
    assert not list((folder / "qc/entries").glob("*.json"))
    assert (folder / "qc/index.html").is_file()


def test_levels(run: Run, folder: Path, two: list[Path]) -> None:
    levels = made(folder, "levels", 4.5)
    image = Image.load(levels)
    data = image.data.astype(np.uint8)
    data[:, :, 12:] *= 3
    data[:, :, :12] *= 4
    image.like(data).save(levels)
    done = run(
        "st_compare", "-i", *files("sub-01_T2w", "sub-02_T2w"), "-s",
        "a=sub-01_a.nii.gz", "a=sub-02_a.nii.gz", "-vertfile", "levels.nii.gz", "none",
        "-qc", "qc",
    )  # fmt: skip
    assert done.code == 0, done.err
    rows = rows_of(folder / "comparison_levels.csv")
    assert [(row["subject"], row["level"], row["slices"]) for row in rows] == [
        ("sub-01", "C3", "12"), ("sub-01", "C4", "12"),
    ]  # fmt: skip
    assert "Only one method was run" in done.out


def test_again_replaces_the_comparison(run: Run, folder: Path, two: list[Path]) -> None:
    command = ["st_compare", "-i", "sub-01_T2w.nii.gz", "-s", "a=sub-01_a.nii.gz", "-qc", "qc",
               "-qc-entries", "0"]  # fmt: skip
    run(*command)
    run(*command)
    assert len(list((folder / "qc/comparisons").iterdir())) == 1
    run(*command, "-qc-dataset", "another")
    assert len(list((folder / "qc/comparisons").iterdir())) == 2
    # and the list is made anew from the records
    (folder / "qc/comparisons.js").unlink()
    assert run("st_qc", "-refresh", "-qc", "qc").code == 0
    assert (folder / "qc/comparisons.js").read_text().count('"headline"') == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-s", "sub-01_a.nii.gz"], "name the method"),
        (["-s", "a=sub-01_a.nii.gz", "sub-02_a.nii.gz"], "2 files for 1 images"),
        (["-s", "b=sub-02_b.nii.gz"], "does not exist (-allow-missing"),
        (["-s", "a=sub-01_a.nii.gz", "-ref", "none", "none"], "-ref has 2 files"),
        (["-s", "a=sub-01_a.nii.gz", "-o", "table.txt"], "must end with .csv"),
        (["-s", "a=sub-01_a.nii.gz", "-vertfile", "gone.nii.gz"], "gone.nii.gz"),
    ],
)
def test_lists_that_do_not_fit(
    run: Run, folder: Path, two: list[Path], arguments: list[str], message: str
) -> None:
    done = run("st_compare", "-i", "sub-01_T2w.nii.gz", *arguments)
    assert done.code == 1
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not (folder / "comparison.csv").exists()


# -- pilot ----------------------------------------------------------------------------------------


def arguments(path: Path, **more: object) -> argparse.Namespace:
    settings = {
        "path_data": str(path), "o": str(path / "out"), "c": None, "ref_suffix": None,
        "qc_subject": None,
    } | more  # fmt: skip
    return argparse.Namespace(**settings)


def test_methods_in_the_help_are_those_that_run() -> None:
    assert tuple(_pilot.COMMANDS) == st_pilot.METHODS


@pytest.mark.parametrize(
    ("name", "contrast", "subject"),
    [
        ("sub-01_T2w", "t2", "sub-01"),
        ("sub-01_ses-2_acq-T1w_MTS", "t1", "sub-01_ses-2"),
        ("errsm21_T2star", "t2s", "errsm21"),
        ("errsm21_T2w", "t2", "errsm21"),
        ("scan", "", "scan"),
        ("T2w", "", "T2w"),
    ],
)
def test_contrast_and_subject_of_a_name(name: str, contrast: str, subject: str) -> None:
    assert _compare.contrast_of(name) == contrast
    assert _compare.subject_of_scan(f"data/{name}.nii.gz") == subject


def test_scans_are_found_by_their_names(tmp_path: Path) -> None:
    for name in ("sub-01/anat/sub-01_T2w", "sub-01/anat/sub-01_T2w_seg-manual",
                 "sub-02/sub-02_T1w", "derivatives/sub-01_T2w", "notes"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.nii.gz").touch()
    found = _pilot.find_scans(arguments(tmp_path, ref_suffix="_seg-manual"))
    assert [(scan.image.name, scan.contrast, scan.subject) for scan in found] == [
        ("sub-01_T2w.nii.gz", "t2", "sub-01"), ("sub-02_T1w.nii.gz", "t1", "sub-02"),
    ]  # fmt: skip
    assert [scan.reference and scan.reference.name for scan in found] == [
        "sub-01_T2w_seg-manual.nii.gz", None,
    ]  # fmt: skip


def test_with_a_contrast_every_image_counts_but_no_mask(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("one", "one_seg", "two", "two-manual", "twofold", "out/one_seg-propseg"):
        (tmp_path / f"{name}.nii.gz").touch()
    found = _pilot.find_scans(arguments(tmp_path, c="t2"))
    assert [scan.image.name for scan in found] == ["one.nii.gz", "two.nii.gz", "twofold.nii.gz"]
    with pytest.raises(InputError, match="give -c"):
        _pilot.find_scans(arguments(tmp_path))


@pytest.mark.slow
def test_st_pilot_from_scans_to_its_report(run: Run, folder: Path) -> None:
    for seed, ending in ((31, "T2star"), (32, "T2star")):
        done = run(
            "st_phantom", "-c", "t2s", "-seed", seed, "-o", f"made/sub-{seed}_{ending}.nii.gz"
        )
        assert done.code == 0
        name = f"sub-{seed}_{ending}.nii.gz"
        (folder / "scans").mkdir(exist_ok=True)
        assert run("st_crop_image", "-i", f"made/{name}", "-o", f"scans/{name}", "-xmin", 90,
                   "-xmax", 270, "-ymin", 60, "-ymax", 300).code == 0  # fmt: skip
    # one file that no method can segment
    empty = Image(np.full((40, 40, 30), 7, np.float32), Space((40, 40, 30), np.eye(4)))
    empty.save(folder / "scans/sub-33_T2w.nii.gz")
    before = sorted((folder / "scans").iterdir())
    done = run("st_pilot", "-path-data", "scans", "-o", "which")
    assert done.code == 0, done.err
    rows = rows_of(folder / "which/pilot.csv")
    assert [(row["subject"], row["method"]) for row in rows] == [
        (f"sub-{n}", method) for n in (31, 32, 33) for method in ("propseg", "deepseg")
    ]  # fmt: skip
    assert [row["state"] for row in rows[4:]] == ["failed", "failed"]
    assert all(float(row["expected_dice"]) > 0.8 for row in rows[:4])
    assert "failed on" in done.err
    assert sorted((folder / "scans").iterdir()) == before
    assert (folder / "which/qc/index.html").is_file()
    entries = [json.loads(path.read_text())
               for path in (folder / "which/qc/entries").glob("*.json")]  # fmt: skip
    assert sorted(each["process"] for each in entries) == ["st_deepseg_sc"] * 2 + ["st_propseg"] * 2
    assert {each["dataset"] for each in entries} == {"scans"}
    record = next((folder / "which/qc/comparisons").glob("*/comparison.json"))
    inputs = {row["input"] for row in json.loads(record.read_text())["rows"]}
    assert {each["input"] for each in entries} < inputs
