"""Images with labels of other people: any scheme, coarse labels, and what is not labelled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from spinetools.errors import InputError, SpaceMismatch
from spinetools.image import Image, Space, load_mask, load_volume
from spinetools.labels import LEVELS, SCHEMES, numbering
from spinetools.training.nnunet_bids import (
    LabelParams,
    column_of,
    find_pairs,
    parse_values,
    prepare_labelled,
    read_pair,
    value_names,
)
from spinetools.training.nnunet_dataset import Layout
from spinetools.training.nnunet_targets import DATASETS

SHAPE = (8, 10, 30)
SPACE = Space(SHAPE, np.diag([2.0, 2.0, 2.0, 1.0]))
SPIDER = "1=vertebra,2=disc,3=canal"


def boxes(values: dict[str, int]) -> npt.NDArray[np.uint8]:
    """Draw the named parts as boxes above each other, the canal behind them."""
    array = np.zeros(SHAPE, np.uint8)
    parts = {"canal": (slice(2, 6), slice(1, 3), slice(4, 26)), "low": (4, 9), "disc": (9, 11),
             "high": (11, 16), "disc2": (16, 18), "top": (18, 23)}  # fmt: skip
    for name, value in values.items():
        where = parts[name]
        box = where if len(where) == 3 else (slice(1, 7), slice(4, 9), slice(*where))
        array[box] = value
    return array


def save(folder: Path, name: str, labels: npt.NDArray[np.uint8], ending: str = "_dseg") -> None:
    rng = np.random.default_rng(0)
    image = Image((rng.random(SHAPE) * 100 + labels * 20).astype(np.float32), SPACE)
    image.save(folder / f"{name}.nii.gz")
    Image(labels, SPACE).save(folder / f"{name}{ending}.nii.gz")


def targets(layout: Layout, number: int = 101) -> dict[str, npt.NDArray[np.uint8]]:
    folder = layout.raw_of(DATASETS[number])
    content = json.loads((folder / "dataset.json").read_text())
    return {case: load_mask(folder / entry["label"]).data
            for case, entry in content["dataset"].items()}  # fmt: skip


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s != "sct"])
def test_every_scheme_gives_the_same_target(scheme: str, tmp_path: Path) -> None:
    values = {row.name: value for value, row in numbering(scheme).items()}
    wanted = {"high": "vertebrae_L3", "low": "vertebrae_L4", "top": "vertebrae_L2"}
    if "disc_L3_L4" in values:
        wanted |= {"disc": "disc_L3_L4", "disc2": "disc_L2_L3"}
    source = tmp_path / "bids"
    save(source, "sub-01_T2w", boxes({part: values[name] for part, name in wanted.items()}))
    layout = Layout(tmp_path / "out")
    prepare_labelled(layout, (101, 102), source, LabelParams(scheme, copies=0))
    (one,), (two,) = targets(layout).values(), targets(layout, 102).values()
    classes, odd_even = DATASETS[101].classes, DATASETS[102].classes
    assert classes[one[3, 5, 13]] == classes[one[3, 5, 5]] == "vertebra"
    # L3 is the 22nd vertebra, L2 and L4 are its neighbours
    assert [odd_even[two[3, 5, z]] for z in (5, 13, 20)] == [
        "vertebra_odd", "vertebra_even", "vertebra_odd",
    ]  # fmt: skip
    if "disc" in wanted:
        assert classes[one[3, 5, 9]] == "disc"
        assert {odd_even[two[3, 5, 9]], odd_even[two[3, 5, 16]]} == {"disc_odd", "disc_even"}
    assert one[0, 0, 0] == 0


def test_sct_s_values_are_vertebrae(tmp_path: Path) -> None:
    names = value_names([22, 23], LabelParams("sct"), "x")
    assert names == {22: "vertebrae_L3", 23: "vertebrae_L4"}


def test_coarse_labels_ask_for_sets(tmp_path: Path) -> None:
    source, layout = tmp_path / "spider", Layout(tmp_path / "out")
    parts = {"low": 1, "disc": 2, "high": 1, "disc2": 2, "top": 1, "canal": 3}
    save(source, "7_T2", boxes(parts), "_seg")
    params = LabelParams(values=SPIDER, unlabelled="span", copies=0)
    prepare_labelled(layout, (101, 102), source, params)
    (one,), (two,) = targets(layout).values(), targets(layout, 102).values()
    for target, dataset in ((one, DATASETS[101]), (two, DATASETS[102])):
        disc = {dataset.classes[i] for i in dataset.sets[int(target[3, 5, 9])]}
        assert disc == {name for name in dataset.classes if name.startswith("disc")}
        canal = {dataset.classes[i] for i in dataset.sets[int(target[3, 1, 12])]}
        assert canal == {"cord", "canal"}
        no_disc = dataset.code("no_disc", column_of({}))
        # above the highest disc and at or below the lowest is no other one; between, nothing
        assert target[0, 9, 28] == target[0, 9, 2] == target[0, 9, 9] == no_disc
        assert target[0, 9, 13] == 0
    assert one[3, 5, 13] == DATASETS[101].classes.index("vertebra")
    folder = layout.raw_of(DATASETS[102])
    mask = load_mask(next((folder / "imagesTr").glob("*_0001.nii.gz")), allow_empty=True)
    assert not mask.data.any()


@pytest.mark.parametrize(("unlabelled", "expected"), [("background", 0), ("ignore", 9)])
def test_what_is_not_labelled(unlabelled: str, expected: int, tmp_path: Path) -> None:
    source, layout = tmp_path / "in", Layout(tmp_path / "out")
    save(source, "a", boxes({"high": 20}))
    params = LabelParams("totalspineseg", unlabelled=unlabelled, copies=0)
    prepare_labelled(layout, (101,), source, params)
    (target,) = targets(layout).values()
    assert target[0, 0, 0] == expected
    assert target[3, 5, 13] == 4


def test_discs_are_counted_from_the_lowest(tmp_path: Path) -> None:
    labels = boxes({"canal": 3, "low": 1, "disc": 2, "high": 1, "disc2": 2, "top": 1})
    labels[0, 0, 29] = 2  # too small to be a disc: counted neither, nor named
    save(tmp_path / "data", "sub-1", labels)
    params = LabelParams(values=SPIDER, unlabelled="span", lowest="disc_L5_S", copies=0)
    for number, expected in ((101, ("disc_L5_S", "disc")), (102, ("disc_L5_S", "disc_even"))):
        layout, classes = Layout(tmp_path / str(number)), DATASETS[number].classes
        prepare_labelled(layout, [number], tmp_path / "data", params)
        (target,) = targets(layout, number).values()
        for rows, name in zip((slice(9, 11), slice(16, 18)), expected, strict=True):
            assert set(np.unique(target[1:7, 4:9, rows])) == {classes.index(name)}
        assert target[0, 0, 29] == DATASETS[number].code("any_disc", column_of({}))
    for wrong, lowest in (("expected a disc", "L5"), ("2 discs", "disc_C2_C3")):
        params = LabelParams(values=SPIDER, lowest=lowest)
        with pytest.raises(InputError, match=wrong):
            prepare_labelled(Layout(tmp_path / "none"), [101], tmp_path / "data", params)


def test_copies_differ_in_the_image_alone_and_stay_in_one_fold(tmp_path: Path) -> None:
    source, layout = tmp_path / "in", Layout(tmp_path / "out")
    save(source, "sub-1_a", boxes({"high": 20}))
    prepare_labelled(layout, (101,), source, LabelParams("totalspineseg", copies=2))
    found = targets(layout)
    assert sorted(found) == [f"real_sub-1-a_{i:02d}" for i in range(3)]
    assert len({case.rpartition("_")[0] for case in found}) == 1
    labels = list(found.values())
    assert all(np.array_equal(labels[0], other) for other in labels[1:])
    folder = layout.raw_of(DATASETS[101]) / "imagesTr"
    images = [load_volume(path).data for path in sorted(folder.glob("*.nii.gz"))]
    assert not any(np.array_equal(images[0], other) for other in images[1:])
    # the copy is changed, not destroyed: dark stays apart from bright, or the other way round
    for other in images[1:]:
        assert abs(np.corrcoef(images[0].ravel(), other.ravel())[0, 1]) > 0.05


def test_labels_that_are_bids_derivatives(tmp_path: Path) -> None:
    """As st_label_vertebrae -bids writes them; its points at discs are no labels of volumes."""
    folder = tmp_path / "derivatives" / "spinetools"
    for stem in ("sub-01_run-1", "sub-01_run-2"):
        save(tmp_path, f"{stem}_T2w", boxes({"disc": 1}), "_notes")
        for scheme in ("totalspineseg", "sctdisc"):
            name = f"{stem}_space-T2w_seg-{scheme}_desc-vertebrae_dseg.nii.gz"
            Image(boxes({"disc": 1}), SPACE).save(folder / name)
    pairs = {a.name: b.name for a, b in find_pairs(tmp_path)}
    assert pairs == {
        f"{stem}_T2w.nii.gz": f"{stem}_space-T2w_seg-totalspineseg_desc-vertebrae_dseg.nii.gz"
        for stem in ("sub-01_run-1", "sub-01_run-2")
    }


def test_images_find_their_labels_by_name(tmp_path: Path) -> None:
    labels = boxes({"high": 20})
    save(tmp_path / "sub-01" / "anat", "sub-01_T2w", labels, "_seg")
    save(tmp_path, "sub-01_T2w_acq-b", labels)
    derived = tmp_path / "derivatives" / "labels"
    Image(np.ones(SHAPE, np.float32), SPACE).save(tmp_path / "sub-02_T1w.nii.gz")
    Image(labels, SPACE).save(derived / "sub-02_T1w_label-spine_dseg.nii.gz")
    Image(np.ones(SHAPE, np.float32), SPACE).save(tmp_path / "unlabelled.nii.gz")
    pairs = {a.name: b.name for a, b in find_pairs(tmp_path)}
    assert pairs == {
        "sub-01_T2w.nii.gz": "sub-01_T2w_seg.nii.gz",
        "sub-01_T2w_acq-b.nii.gz": "sub-01_T2w_acq-b_dseg.nii.gz",
        "sub-02_T1w.nii.gz": "sub-02_T1w_label-spine_dseg.nii.gz",
    }
    Image(labels, SPACE).save(derived / "sub-02_T1w_seg.nii.gz")
    with pytest.raises(InputError, match="two label files"):
        find_pairs(tmp_path)


def test_a_list_chooses_images(tmp_path: Path) -> None:
    source, layout = tmp_path / "in", Layout(tmp_path / "out")
    for name in "abc":
        save(source, name, boxes({"high": 20}))
    listed = tmp_path / "train.txt"
    listed.write_text("b.nii.gz\n\n")
    params = LabelParams("totalspineseg", copies=0)
    prepare_labelled(layout, (101,), source, params, str(listed))
    assert list(targets(layout)) == ["real_b_00"]
    listed.write_text("x.nii.gz\n")
    with pytest.raises(InputError, match=r"x\.nii\.gz, which is no labelled image"):
        prepare_labelled(layout, (101,), source, params, str(listed))
    with pytest.raises(InputError, match="cannot be read"):
        prepare_labelled(layout, (101,), source, params, str(tmp_path / "none.txt"))


def test_wrong_folders_and_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        find_pairs(tmp_path / "none")
    with pytest.raises(InputError, match="no image with labels"):
        find_pairs(tmp_path)
    save(tmp_path, "a", boxes({"high": 99}))
    image, label = tmp_path / "a.nii.gz", tmp_path / "a_dseg.nii.gz"
    with pytest.raises(InputError, match="label 99, which means nothing"):
        read_pair(image, label, LabelParams("totalspineseg"))
    moved = Space(SHAPE, np.diag([2.0, 2.0, 3.0, 1.0]))
    Image(boxes({"high": 20}), moved).save(label)
    with pytest.raises(SpaceMismatch, match="different grids"):
        read_pair(image, label, LabelParams("totalspineseg"))


@pytest.mark.parametrize("text", ["", "1", "x=disc", "0=disc", "1=liver", "255=disc", "1=disc,"])
def test_values_of_another_form(text: str) -> None:
    with pytest.raises(InputError, match="-values"):
        parse_values(text)


def test_values_name_structures_or_kinds() -> None:
    assert parse_values("1=vertebra,2=disc,3=canal,7=vertebrae_L3") == {
        1: "any_vertebra", 2: "any_disc", 3: "any_canal", 7: "vertebrae_L3",
    }  # fmt: skip


def test_columns_of_labels_with_variants() -> None:
    assert column_of({1: "vertebrae_L3"}).vertebrae == LEVELS
    assert column_of({1: "vertebrae_L6"}).vertebrae[-1] == "L6"
    assert column_of({1: "vertebrae_T13"}).last_thoracic == "T13"
