"""Raw datasets of the digital spine: what is written, and that a killed run goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinetools.errors import InputError
from spinetools.image import load_mask
from spinetools.image.load import load_grid
from spinetools.models.classes import Levels
from spinetools.phantom import make_subject, paint_labels
from spinetools.training import nnunet_dataset
from spinetools.training.nnunet_dataset import Layout, dataset_numbers, prepare_phantoms
from spinetools.training.nnunet_phantom import (
    VIEWS,
    Sample,
    View,
    phantom_samples,
    place_view,
    sample_name,
    whole_space,
)
from spinetools.training.nnunet_targets import DATASETS, phantom_names

#: Coarse, so that painting a whole spine takes a second.
COARSE_MM, FINER_MM = 5.0, 3.0
MIXED = {"t2": 1.0}
FEW = (
    View("lumbar", MIXED, (90, 100), (140, 150), (160, 170), levels=(21, 23)),
    View(
        "axial", MIXED, (90, 100), (90, 100), (110, 120), levels=(5, 6), thick_axis=2, parts=(2, 2)
    ),
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("nnunet"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nnunet_dataset, "VIEWS", FEW)
        prepare_phantoms(layout, (101, 102, 103), 2, seed=5, spacing_mm=COARSE_MM)
    return layout


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(phantom_samples(3, 7, FINER_MM, FEW))


def description(layout: Layout, number: int) -> dict:
    return json.loads((layout.raw_of(DATASETS[number]) / "dataset.json").read_text())


@pytest.mark.parametrize("number", DATASETS)
def test_nnunet_finds_what_it_needs(written: Layout, number: int) -> None:
    content, folder = description(written, number), written.raw_of(DATASETS[number])
    assert folder.name.startswith(f"Dataset{number}_")
    assert len(content["dataset"]) == 2
    assert content["numTraining"] == 2
    assert list(content["labels"].values()) == list(range(len(content["labels"])))
    assert content["labels"]["background"] == 0
    for case, entry in content["dataset"].items():
        assert len(entry["images"]) == len(content["channel_names"])
        images = [load_grid(folder / name) for name in entry["images"]]
        label = load_mask(folder / entry["label"])
        assert all(image.space.same_as(label.space) for image in images)
        assert entry["images"][0].endswith(f"{case}_0000.nii.gz")
        assert len(np.unique(label.data)) >= 3
        assert label.data.max() < len(content["labels"])


def test_datasets_share_their_images_on_disk(written: Layout) -> None:
    name = f"imagesTr/{sample_name(0, 0)}_0000.nii.gz"
    files = [written.raw_of(dataset) / name for dataset in DATASETS.values()]
    assert len({path.stat().st_ino for path in files}) == 1


def test_the_second_channel_is_what_the_target_calls_odd(written: Layout) -> None:
    folder, classes = written.raw_of(DATASETS[102]), DATASETS[102].classes
    seen = 0
    for entry in description(written, 102)["dataset"].values():
        mask = load_mask(folder / entry["images"][1], allow_empty=True).data > 0
        label = load_mask(folder / entry["label"]).data
        even = label == classes.index("disc_even")
        if mask.any():
            seen += 1
            odd = label == classes.index("disc_odd")
            landmark = mask & ~odd & ~even
            assert not (mask & even).any()
            assert (mask == (odd | landmark)).all()
    assert seen


def test_what_is_there_is_not_made_again(written: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nnunet_dataset, "VIEWS", FEW)
    monkeypatch.setattr(nnunet_dataset, "phantom_samples", lambda *_: pytest.fail("made again"))
    prepare_phantoms(written, (101, 102, 103), 2, seed=5, spacing_mm=COARSE_MM)


def test_a_killed_run_lists_whole_cases_only_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: list[Sample]
) -> None:
    named = [replace(sample, name=sample_name(0, i)) for i, sample in enumerate(samples)]
    monkeypatch.setattr(nnunet_dataset, "VIEWS", FEW)
    monkeypatch.setattr(nnunet_dataset, "phantom_samples", lambda *_: iter(named))
    layout = Layout(tmp_path)
    real, count = nnunet_dataset.RawDataset.add, []

    def dies(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    monkeypatch.setattr(nnunet_dataset.RawDataset, "add", dies)
    with pytest.raises(KeyboardInterrupt):
        prepare_phantoms(layout, (101,), 2)
    assert description(layout, 101)["dataset"] == {}
    prepare_phantoms(layout, (101,), 2)
    assert description(layout, 101)["numTraining"] == 2


def test_a_folder_with_other_classes_is_left_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    path = layout.raw_of(DATASETS[101]) / "dataset.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"labels": {"background": 0, "liver": 1}, "dataset": {}}))
    with pytest.raises(InputError, match="other classes"):
        prepare_phantoms(layout, (101,), 2)


def test_samples_depend_on_their_numbers_only(samples: list[Sample]) -> None:
    (again,) = phantom_samples(3, 7, FINER_MM, FEW[:1])
    assert np.array_equal(again.image.data, samples[0].image.data)
    assert np.array_equal(again.structures, samples[0].structures)
    (other,) = phantom_samples(4, 7, COARSE_MM, FEW[:1])
    assert other.column != again.column or other.image.shape != again.image.shape


def test_labels_lie_on_what_the_image_shows(samples: list[Sample]) -> None:
    """In a T2w image the sac is brighter than the vertebrae beside it."""
    names = {name: value for value, name in phantom_names().items()}
    image, found = samples[0].image.data.astype(float), samples[0].structures
    canal = image[found == names["spinal_canal"]]
    bones = image[np.isin(found, [v for name, v in names.items() if "vertebrae" in name])]
    assert np.median(canal) > 1.3 * np.median(bones)


def test_thick_slices_are_thick_on_the_working_grid(samples: list[Sample]) -> None:
    """Averaged over two voxels and interpolated: neighbours differ less along the thick axis."""
    data = samples[1].image.data.astype(float)
    rough = [np.abs(np.diff(data, n=2, axis=axis)).mean() for axis in range(3)]
    assert rough[2] < 0.6 * min(rough[:2])


def test_views_lie_inside_and_cover_every_level() -> None:
    rng, seen = np.random.default_rng(0), set()
    subject = make_subject(11)
    space = whole_space(subject, COARSE_MM)
    structure = paint_labels(subject, space).structure
    names = phantom_names()
    for _ in range(3):
        for view in VIEWS:
            start, stop, parts = place_view(subject, space, view, rng)
            assert all(0 <= a < b <= n for a, b, n in zip(start, stop, space.shape, strict=True))
            if view.thick_axis is not None:
                assert (stop[view.thick_axis] - start[view.thick_axis]) % parts == 0
            box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
            seen |= {names[v] for v in np.unique(structure[box]) if v in names}
    column = Levels(subject.names)
    assert {f"vertebrae_{level}" for level in column.vertebrae} <= seen
    assert set(column.disc_names) | {"sacrum", "spinal_cord", "spinal_canal"} <= seen


def test_dataset_names() -> None:
    assert dataset_numbers("all") == (101, 102, 103)
    assert dataset_numbers("102") == (102,)
    with pytest.raises(InputError, match="no dataset 104"):
        dataset_numbers("104")
