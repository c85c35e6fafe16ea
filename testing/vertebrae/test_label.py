"""The whole pipeline on networks that know the truth, also where they are wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from conftest import Coded
from oracle import Cascade, Flaws, Oracle, anatomy_of, cascade, truth_on

from spinetools.errors import InputError, ModelError, NoSpineError
from spinetools.image import Image, Space, resample_to_spacing
from spinetools.morphology import components
from spinetools.phantom import Subject, make_subject, place_grid
from spinetools.phantom.protocols import Protocol
from spinetools.vertebrae import Known, LabelParams, label_spine, load_networks
from spinetools.vertebrae.anatomy import usual
from spinetools.vertebrae.anchors import parse_init
from spinetools.vertebrae.arches import Heights
from spinetools.vertebrae.canal import FloatArray, Line, coordinates
from spinetools.vertebrae.levels import disc_points
from spinetools.vertebrae.result import SpineLabels

SUBJECT = make_subject(4, "normal")


def dice(result: SpineLabels, truth: Image, names: dict[int, str]) -> dict[str, float]:
    """Dice of each structure of which much is seen, by name."""
    values = {name: value for value, name in names.items()}
    scores = {}
    for number, name in result.names.items():
        said, real = result.on_input.data == number, truth.data == values.get(name, -1)
        if said.any() or np.count_nonzero(real) > 100:
            scores[name] = 2 * np.count_nonzero(said & real) / (said.sum() + real.sum())
    return scores


@pytest.fixture(scope="module")
def truth() -> tuple[Image, dict[int, str]]:
    """T8 to the sacrum at 2 mm."""
    protocol = Protocol("t2", (2, 2, 2), (84, 150, 0), (14.6, 25.5), 18)
    space = place_grid(SUBJECT, protocol, None)
    structures, names = truth_on(SUBJECT, space)
    return Image(structures, space), names


def labelled(
    truth: tuple[Image, dict[int, str]],
    flaws: Flaws,
    later: Flaws | None = None,
    params: LabelParams | None = None,
    known: Known | None = None,
) -> SpineLabels:
    image, names = truth
    networks = cascade(image, names, anatomy_of(SUBJECT), flaws, later, 2.0)
    return label_spine(image.astype(np.float32), networks, params, known)


# -- through files and tiles ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(models: Path, lumbar: Coded) -> SpineLabels:
    """The lumbar image, labelled."""
    return label_spine(lumbar[0], load_networks(str(models)))


def test_a_lumbar_image(plain: SpineLabels, lumbar: Coded) -> None:
    _, truth, names = lumbar
    result = plain
    scores = dice(result, truth, names)
    assert {"sacrum", "vertebrae_L1", "disc_L5_S", "vertebrae_T11", "spinal_canal"} <= set(scores)
    assert min(scores.values()) > 0.93, scores
    assert result.confidence > 0.9
    assert result.sure
    assert result.models == ("spine_region 1", "spine_step1 1", "spine_step2 1")


def test_step_2_may_work_on_a_finer_grid(lumbar: Coded, plain: SpineLabels) -> None:
    """It is told step 1's odd discs on its own grid, and what it draws stays on that."""
    image, truth, names = lumbar
    both = cascade(truth, names, anatomy_of(SUBJECT), spacing=2.0)
    assert both.step2 is not None
    finer = replace(both, step2=replace(both.step2, spacing_mm=1.4))
    result = label_spine(image, finer, LabelParams(keep_steps=True))
    assert result.working.space.spacing == pytest.approx((1.4, 1.4, 1.4))
    assert result.steps["step2"].space.spacing == pytest.approx((1.4, 1.4, 1.4))
    assert result.steps["step1"].space.spacing == pytest.approx((2.0, 2.0, 2.0))
    assert result.numbering.chosen.names == plain.numbering.chosen.names
    assert result.confidence > 0.9
    scores = dice(result, truth, names)
    # of those that the image's end cuts, its outermost layer is beyond what an oracle looks up
    cut = {"vertebrae_T9", "vertebrae_T10"}
    assert min(score for name, score in scores.items() if name not in cut) > 0.9, scores


def test_a_cervical_image(models: Path, cervical: Coded) -> None:
    image, truth, names = cervical
    result = label_spine(image, load_networks(str(models)))
    scores = dice(result, truth, names)
    assert {"vertebrae_C1", "vertebrae_C2", "disc_C2_C3", "vertebrae_T1"} <= set(scores)
    assert min(score for name, score in scores.items() if name != "vertebrae_T3") > 0.9, scores
    points = disc_points(result)
    heights = {
        int(value): points.space.to_world(place)[2]
        for place, value in zip(np.argwhere(points.data), points.data[points.data > 0], strict=True)
    }
    assert sorted(heights, key=lambda v: -heights[v]) == sorted(heights)
    assert set(range(1, 10)) <= set(heights)
    wanted = {d.name: d for d in SUBJECT.discs}
    for disc in result.discs:
        real = wanted[disc.name.removeprefix("disc_").replace("_", "-")]
        assert np.linalg.norm(disc.centre - real.origin) < 2.0
        edge = real.origin - real.axes[1] * real.depth / 2
        assert np.linalg.norm(disc.back - edge) < 3.5


@pytest.mark.parametrize("codes", [("P", "S", "R"), ("L", "P", "I")])
def test_orientation_does_not_matter(
    codes: tuple[str, str, str], models: Path, lumbar: Coded, plain: SpineLabels
) -> None:
    turned = label_spine(lumbar[0].reorient(codes), load_networks(str(models)))
    assert (turned.on_input.reorient(("R", "A", "S")).data == plain.on_input.data).all()
    assert turned.confidence == pytest.approx(plain.confidence)


def test_the_result_lies_on_a_grid_of_thick_slices(truth: tuple[Image, dict[int, str]]) -> None:
    structures, names = truth
    thick = resample_to_spacing(structures, (4, 1.5, 1.5), "nn")
    networks = cascade(structures, names, anatomy_of(SUBJECT), Flaws(), None, 2.0)
    result = label_spine(thick.astype(np.float32), networks, LabelParams(fast=True))
    assert result.space.spacing == pytest.approx((2, 2, 2))
    assert result.on_input.space.same_as(thick.space)
    scores = dice(result, thick, names)
    assert min(scores[f"disc_{name}"] for name in ("L1_L2", "L2_L3", "L4_L5")) > 0.75, scores


def test_fast_needs_no_second_network(models: Path, lumbar: Coded, tmp_path: Path) -> None:
    (tmp_path / "spine_step1.onnx").write_bytes((models / "spine_step1.onnx").read_bytes())
    image, truth, names = lumbar
    result = label_spine(image, load_networks(str(tmp_path), fast=True), LabelParams(fast=True))
    scores = dice(result, truth, names)
    named = {name: score for name, score in scores.items() if name != "vertebrae_T9"}
    assert min(named.values()) > 0.85, scores
    with pytest.raises(ModelError, match=r"0 files \*step2\*.onnx"):
        load_networks(str(tmp_path))


def test_step_1_only(models: Path, lumbar: Coded) -> None:
    image, truth, names = lumbar
    networks = load_networks(str(models), one_step=True)
    assert networks.step2 is None
    result = label_spine(image, networks, LabelParams(step1_only=True, keep_steps=True))
    found = {result.names[int(n)] for n in np.unique(result.numbers) if n}
    assert "vertebrae" in found
    assert not any(name.startswith("vertebrae_") for name in found)
    bones = [value for value, name in names.items() if name.startswith(("vertebrae", "sacrum"))]
    real, said = np.isin(truth.data, bones), result.on_input.data == 102
    assert 2 * np.count_nonzero(real & said) / (real.sum() + said.sum()) > 0.97
    assert set(result.steps) == {"step1"}


def test_step_1_only_leaves_out_what_lies_where_no_spine_can_be(
    truth: tuple[Image, dict[int, str]],
) -> None:
    structures, names = truth
    values = {name: value for value, name in names.items()}
    in_air = np.pad(np.asarray(structures.data), ((0, 0), (0, 30), (0, 0)))
    in_air[10:20, -6:, 80:90] = values["vertebrae_L1"]
    image = Image(in_air, Space(in_air.shape, structures.space.affine))
    result = labelled((image, names), Flaws(), params=LabelParams(step1_only=True))
    found = result.on_input.data == 102
    assert not found[:, -8:].any()
    bones = [value for name, value in values.items() if name.startswith(("vertebrae", "sacrum"))]
    real = np.isin(structures.data, bones)
    found = found[:, : real.shape[1]]
    assert 2 * np.count_nonzero(found & real) / (found.sum() + real.sum()) > 0.95


class Sees:
    """Takes for spine whatever is not zero."""

    name, classes, spacing_mm = "sees", ("background", "spine"), 4.0

    def probabilities(
        self, channels: np.ndarray, space: Space, mean_sd: tuple[float, float] | None = None
    ) -> np.ndarray:
        spine = (channels[0] > 0.5).astype(np.float32)
        return np.stack([1 - spine, spine])


class Listens(Oracle):
    """Notes what it is given."""

    given: ClassVar[list[tuple[tuple[int, ...], tuple[float, float] | None]]] = []

    def probabilities(
        self, channels: np.ndarray, space: Space, mean_sd: tuple[float, float] | None = None
    ) -> np.ndarray:
        self.given.append((space.shape, mean_sd))
        return super().probabilities(channels, space, mean_sd)


def test_a_part_is_normalised_as_the_whole(truth: tuple[Image, dict[int, str]]) -> None:
    structures, names = truth
    image = structures.astype(np.float32)
    listens = Listens(structures, names, anatomy_of(SUBJECT), "step1", spacing_mm=2.0)
    networks = Cascade(listens, None)
    Listens.given.clear()
    whole = label_spine(image, networks)
    part = label_spine(image, replace(networks, region=Sees()))
    (all_of_it, nothing), (less, mean_sd) = Listens.given
    assert nothing is None
    assert np.prod(less) < np.prod(all_of_it)
    assert mean_sd == pytest.approx((image.data.mean(), image.data.std()), rel=1e-5)
    assert (part.on_input.data == whole.on_input.data).mean() > 0.999


@pytest.mark.parametrize(
    ("seed", "levels"), [(4, (14.6, 25.5)), (5, (14.6, 25.5)), (6, (8.2, 20.1)), (7, (2.1, 12.3))]
)
def test_arches_in_a_few_sagittal_slices_are_named(seed: int, levels: tuple[float, float]) -> None:
    """They are cut off from their bodies; some touch their neighbour's arch only."""
    subject = make_subject(seed, "normal")
    space = place_grid(subject, Protocol("t2", (2, 2, 2), (18, 150, 0), levels, 18), None)
    structures, names = truth_on(subject, space)
    image = Image(structures, space)
    networks = cascade(image, names, anatomy_of(subject), Flaws(), None, 2.0)
    result = label_spine(image.astype(np.float32), networks, LabelParams(fast=True))
    behind = np.zeros(image.shape, bool)
    canal = [value for value, name in names.items() if name in ("spinal_canal", "spinal_cord")]
    for z in range(image.shape[2]):
        there = np.argwhere(np.isin(structures[:, :, z], canal))
        if len(there):
            behind[:, : int(there[:, 1].min()), z] = True
    found = result.on_input.data
    numbers = {name: number for number, name in result.names.items()}
    seen = 0
    for value, name in names.items():
        arch = behind & (structures == value)
        if name.startswith("vertebrae") and arch.sum() * 8 > 1000:  # mm³
            assert (found[arch] == numbers[name]).mean() > 0.75, name
            seen += 1
    assert seen >= 9


def bones_of(
    subject: Subject, levels: tuple[float, float], side: float
) -> tuple[SpineLabels, Image, dict[int, str]]:
    """Label a field of view by step 1 alone: one mask holds all bone."""
    space = place_grid(subject, Protocol("t2", (1.5, 1.5, 1.5), (side, 130, 0), levels, 8), None)
    structures, names = truth_on(subject, space)
    image = Image(structures, space)
    networks = cascade(image, names, anatomy_of(subject), Flaws(), None, 1.5)
    return label_spine(image.astype(np.float32), networks, LabelParams(fast=True)), image, names


@pytest.mark.parametrize("seed", [6, 7])
def test_the_atlas_is_told_from_the_axis(seed: int) -> None:
    scores = dice(*bones_of(make_subject(seed, "normal"), (-1.0, 6.5), 100))
    assert scores["vertebrae_C1"] > 0.895, scores
    assert scores["vertebrae_C2"] > 0.915, scores


@pytest.mark.parametrize(("left", "side"), [(60, 100), (1500, 100), (10_000, 9)])
def test_a_crumb_of_the_atlas_is_no_atlas(left: int, side: int) -> None:
    """Where the network draws next to nothing of it, it may be C2's; a slab shows less of both."""
    subject = make_subject(7, "normal")
    protocol = Protocol("t2", (1.5, 1.5, 1.5), (side, 130, 0), (-1.0, 6.5), 8)
    structures, names = truth_on(subject, place_grid(subject, protocol, None))
    values = {name: value for value, name in names.items()}
    atlas = np.argwhere(structures == values["vertebrae_C1"])
    axis = np.argwhere(structures == values["vertebrae_C2"])
    away = np.linalg.norm(atlas - axis.mean(axis=0), axis=1)
    structures[tuple(atlas[np.argsort(away)[left:]].T)] = 0
    image = Image(structures, place_grid(subject, protocol, None))
    networks = cascade(image, names, anatomy_of(subject), Flaws(), None, 1.5)
    result = label_spine(image.astype(np.float32), networks, LabelParams(fast=True))
    found = {result.names[v] for v in np.unique(result.on_input.data) if v in result.names}
    assert "vertebrae_C2" in found
    assert ("vertebrae_C1" in found) == (left > 100)
    numbers = {name: number for number, name in result.names.items()}
    axis = result.numbers == numbers["vertebrae_C2"]
    assert components(axis)[1] == 1 or side == 9


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_a_rest_of_the_atlas_at_the_images_end_is_not_told_from_the_axis(seed: int) -> None:
    """What would be called C1 is C2's facets: all of it goes to C2."""
    result, image, names = bones_of(make_subject(seed, "normal"), (0.9, 8.0), 100)
    numbers = {name: number for number, name in result.names.items()}
    values = {name: value for value, name in names.items()}
    assert "disc_C2_C3" in {disc.name for disc in result.discs}
    axis = image.data == values["vertebrae_C2"]
    assert (result.on_input.data[axis] == numbers["vertebrae_C2"]).mean() > 0.9
    assert not (result.on_input.data == numbers["vertebrae_C1"]).any()


@pytest.mark.parametrize("seed", [4, 5, 7])
def test_the_wings_of_the_sacrum_are_told_from_the_last_lumbar_vertebra(seed: int) -> None:
    """They lie as near to L5's body as to S1's, and its facets join both."""
    scores = dice(*bones_of(make_subject(seed, "normal"), (21.5, 27.0), 110))
    assert scores["vertebrae_L5"] > 0.93, scores
    assert scores["sacrum"] > 0.97, scores


@pytest.mark.parametrize("seed", [4, 6])
def test_thoracic_transverse_processes_are_level_with_their_own_vertebra(seed: int) -> None:
    """They reach up and back, beside the spinous process of the vertebra above, which hangs."""
    subject = make_subject(seed, "normal")
    result, image, names = bones_of(subject, (9.3, 16.7), 80)
    places, line = coordinates_of_bodies(result, image, names)
    heights = Heights(places, usual(), line, 1.5)
    for index, name in enumerate(usual().vertebrae):
        if name in ("T4", "T5", "T6", "T7", "T8"):
            value = next(v for v, other in names.items() if other == f"vertebrae_{name}")
            level, right, front = heights.levels(np.argwhere(image.data == value))
            process = (np.abs(right) > 16) & (front < -12)
            assert process.sum() > 60
            assert abs(np.median(level[process]) - index) < 0.15, name
            assert (np.rint(level[process]) == index).mean() > 0.95, name


def coordinates_of_bodies(
    result: SpineLabels, image: Image, names: dict[int, str]
) -> tuple[FloatArray, Line]:
    """Return where the middles of the vertebrae lie along the line; straight on beyond them."""
    assert result.working.space.same_as(image.space)
    seen = {}
    for value, name in names.items():
        there = np.argwhere(image.data == value)
        if name.startswith("vertebrae_") and len(there) > 500:
            s, _, front, _ = coordinates(result.line, there * 1.5)
            seen[usual().vertebrae.index(name.removeprefix("vertebrae_"))] = s[front > 6].mean()
    index = np.arange(len(usual().vertebrae) + 1)
    near = sorted(seen)[1:-1]  # the image cuts the outermost ones
    fit = np.polyfit(near, [seen[i] for i in near], 1)
    places = np.array([seen[i] if i in near else np.polyval(fit, i) for i in index])
    return places, result.line


# -- where networks are wrong ---------------------------------------------------------------------


def test_flawed_networks_still_name_right(truth: tuple[Image, dict[int, str]]) -> None:
    first = Flaws(merged=(19,), missing=(16,), blobs=2, noise=0.4, hesitant=0.3)
    result = labelled(truth, first, replace(first, merged=(), missing=(), blobs=1))
    scores = dice(result, *truth)
    named = [name for name in scores if name.startswith(("vertebrae_L", "disc_"))]
    assert {"disc_T12_L1", "disc_L4_L5"} <= set(named)
    assert min(scores[name] for name in named) > 0.85, scores


def test_a_disc_that_no_network_sees_leaves_its_vertebrae_apart(
    truth: tuple[Image, dict[int, str]],
) -> None:
    result = labelled(truth, Flaws(missing=(19,)), params=LabelParams(fast=True))  # L2–L3
    scores = dice(result, *truth)
    assert scores["disc_L2_L3"] == 0
    assert min(scores["vertebrae_L2"], scores["vertebrae_L3"]) > 0.8, scores


def test_a_landmark_off_by_one_is_outvoted(truth: tuple[Image, dict[int, str]]) -> None:
    result = labelled(truth, Flaws(shifts={"disc_T12_L1": -1}))
    assert [disc.name for disc in result.discs] == list(usual().disc_names[-len(result.discs) :])


def without_landmarks() -> Flaws:
    names = ("disc_C2_C3", "disc_C7_T1", "disc_T12_L1", "disc_L5_S")
    return Flaws(shifts=dict.fromkeys(names))


@pytest.fixture(scope="module")
def thoracic() -> tuple[Image, dict[int, str]]:
    """T4 to T9: no landmark in sight."""
    protocol = Protocol("t2", (2, 2, 2), (84, 130, 0), (10.4, 16.5), 18)
    space = place_grid(SUBJECT, protocol, None)
    structures, names = truth_on(SUBJECT, space)
    return Image(structures, space), names


def test_an_uncertain_numbering_says_so(
    thoracic: tuple[Image, dict[int, str]], caplog: pytest.LogCaptureFixture
) -> None:
    result = labelled(thoracic, without_landmarks(), params=LabelParams(fast=True))
    assert not result.sure
    assert "the numbering is uncertain" in caplog.text
    assert "-init" in caplog.text
    assert len(result.summary()["Alternatives"]) >= 2


def names_right(result: SpineLabels, thoracic: tuple[Image, dict[int, str]]) -> bool:
    image, names = thoracic
    values = {name: value for value, name in names.items()}
    spacing = np.asarray(image.space.spacing)
    assert (spacing == 2).all()
    for disc in result.discs:
        voxel = tuple(np.rint(image.space.to_voxel(disc.centre)).astype(int))
        if image.data[voxel] != values[disc.name]:
            return False
    return bool(result.discs)


@pytest.mark.parametrize("how", ["init", "discs", "localizer"])
def test_what_is_known_settles_it(how: str, thoracic: tuple[Image, dict[int, str]]) -> None:
    image, names = thoracic
    values = {name: value for value, name in names.items()}
    if how == "init":
        where = np.argwhere(image.data == values["vertebrae_T7"])
        ahead = where[:, 1] > np.percentile(where[:, 1], 60)  # its body
        known = Known(init=parse_init(f"T7,{where[ahead][:, 2].mean():.0f}"))
    elif how == "discs":
        points = np.zeros(image.shape, np.uint8)
        where = np.argwhere(image.data == values["disc_T6_T7"]).mean(axis=0)
        points[tuple(np.rint(where).astype(int))] = 14
        known = Known(discs=image.like(points))
    else:
        # another grid of the same session, of other slices and half the field of view
        localizer = resample_to_spacing(image.crop((10, 0, 0), (34, 65, 50)), (4, 3, 2.5), "nn")
        known = Known(localizer=localizer)
    result = labelled(thoracic, without_landmarks(), params=LabelParams(fast=True), known=known)
    assert names_right(result, thoracic)
    assert result.confidence > 0.9


def test_an_init_outside_the_image_is_an_error(thoracic: tuple[Image, dict[int, str]]) -> None:
    known = Known(init=parse_init("T7,999"))
    with pytest.raises(InputError, match="axial slices 0 to"):
        labelled(thoracic, Flaws(), params=LabelParams(fast=True), known=known)


@pytest.mark.parametrize("text", ["L3", "X9,12", "L3,top", "L3,nan", ""])
def test_a_bad_init_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match="expected a level"):
        parse_init(text)


@pytest.mark.parametrize("level", ["c2-c3", "C2/C3"])
def test_discs_by_hand(level: str) -> None:
    assert parse_init(f"{level},5").level == "C2-C3"


def test_no_spine(models: Path) -> None:
    space = Space((40, 40, 40), np.diag([2.0, 2, 2, 1]))
    image = Image(np.zeros(space.shape, np.float32), space)
    with pytest.raises(NoSpineError):
        label_spine(image, load_networks(str(models)))
