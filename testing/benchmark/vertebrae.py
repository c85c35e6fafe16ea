"""Measure st_label_vertebrae on every real image whose vertebrae, discs or canal somebody labelled.

    python testing/benchmark/vertebrae.py [-h]

Real images are taken from ../shared/real beside the checkout or from $SPINETOOLS_REAL_DATA. Prints
a table a kind of truth and writes results/vertebrae.tsv; -pictures writes a sagittal slice an image
with the labels over it. What "right" means for each kind: the functions' docstrings.
"""

from __future__ import annotations

import argparse
import csv
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cases import RESULTS, real_folder
from tables import markdown, number, write_tsv

from spinetools.errors import SpinetoolsError
from spinetools.image import load_mask, load_volume
from spinetools.image.points import load_labels
from spinetools.labels import structures
from spinetools.metrics.overlap import dice
from spinetools.vertebrae.api import label_vertebrae
from spinetools.vertebrae.engines import load_networks
from spinetools.vertebrae.label import LabelParams
from spinetools.vertebrae.networks import Networks
from spinetools.vertebrae.result import CANAL, CORD, FIRST_DISC, SpineLabels

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: A body of which less than this is covered by any vertebra was not found.
LEAST_COVERED = 0.3
#: Middle of a body: so far to either side. Labels drawn on thick sagittal slices (vb3: 4 mm) go up
#: to 10 mm beyond the bone at both sides, into muscle and fat, as its axial sections show.
MIDDLE_MM = 12.0
#: Points on the cord: their value, and the vertebra whose level they lie at.
POINTS = {2: "C2", 9: "T2"}


@dataclass(frozen=True)
class Case:
    """An image and what somebody labelled in it.

    Attributes
    ----------
    name
        Of the file, without ending.
    image, truth
        Files.
    kind
        Which function compares them.
    """

    name: str
    image: Path
    truth: Path
    kind: str


@dataclass(frozen=True)
class Answer:
    """What was measured of an image.

    Attributes
    ----------
    right
        Whether all names are right; None where the truth has none.
    figures
        Other figures by their name.
    note
        What is wrong.
    """

    right: bool | None
    figures: dict[str, float]
    note: str = ""


def cases(folder: Path) -> list[Case]:
    """List the images with labels, ``test`` only."""
    found = []
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream, delimiter="\t")}
    for file, row in rows.items():
        kind = _kind(file)
        if kind is None or row["use"] != "test":
            continue
        for end in ("_img", "", "_ct"):
            image = file.replace("_seg-vert_msk", end).replace("_seg", end)
            if kind == "points":
                image = file.replace("_discs", "").replace("_points", "")
            if image in rows and image != file:
                name = Path(image).name.removesuffix(".nii.gz").removesuffix("_img")
                found.append(Case(name, folder / image, folder / file, kind))
                break
    return found


def _kind(file: str) -> str | None:
    name = Path(file).name
    if file.startswith("lumbar/") and "_seg" in name:
        return {"vb1": "order", "ivd": "discs"}.get(name[:3], "bodies")
    if file.startswith("spider/") and "_seg" in name:
        return "regions"
    if name == "sub-verse014_seg-vert_msk.nii.gz":
        return "bodies"
    if name in ("errsm21_T2w_points.nii.gz", "errsm21crop_T2w_discs.nii.gz"):
        return "points"
    return None


def bodies(result: SpineLabels, truth: Path) -> Answer:
    """Compare with bodies labelled by level: right where most of each body has its own name."""
    image = load_labels(truth)
    manual, names = image.data, _value_names(truth)
    labels = result.on_input.data
    wrong, hits, middle = [], [], []
    for value in sorted((int(v) for v in np.unique(manual[manual > 0])), reverse=True):
        found = labels[manual == value]
        name, covered = _most(result, found)
        own = [number for number, text in result.names.items() if text == names[value]]
        hits.append(np.isin(found, own))
        right_mm = image.space.to_world(np.argwhere(manual == value))[:, 0]
        middle.append(np.abs(right_mm - np.median(right_mm)) <= MIDDLE_MM)
        if covered < LEAST_COVERED or name != names[value]:
            wrong.append(f"{_short(names[value])} is {_short(name) if name else 'missing'}")
    every, central = np.concatenate(hits), np.concatenate(middle)
    figures = {"body voxels": every.mean(), "middle body voxels": every[central].mean()}
    return Answer(not wrong, figures, ", ".join(wrong))


def order(result: SpineLabels, truth: Path) -> Answer:
    """Compare with bodies counted from the top: right where names follow each other."""
    manual, labels = load_labels(truth).data, result.on_input.data
    levels = list(result.numbering.anatomy.vertebrae)
    values = sorted(int(v) for v in np.unique(manual[manual > 0]))
    names, covered = [], []
    for value in values:
        name, share = _most(result, labels[manual == value])
        names.append(_short(name) if share >= LEAST_COVERED else "missing")
        covered.append(share)
    known = all(name in [*levels, "sacrum"] for name in names)
    numbers = [[*levels, "sacrum"].index(name) for name in names] if known else []
    right = known and bool((np.diff(numbers) == 1).all())
    return Answer(right, {"body voxels": float(np.mean(covered))}, " ".join(names))


def discs(result: SpineLabels, truth: Path) -> Answer:
    """Compare with discs labelled by level: right where most of each disc has its own name."""
    manual, labels = load_labels(truth).data, result.on_input.data
    names = _value_names(truth)
    wrong, scores = [], []
    for value in sorted((int(v) for v in np.unique(manual[manual > 0])), reverse=True):
        name, covered = _most(result, labels[manual == value], disc=True)
        own = [number for number, text in result.names.items() if text == names[value]]
        scores.append(dice(np.isin(labels, own), manual == value))
        if covered < LEAST_COVERED or name != names[value]:
            wrong.append(f"{_short(names[value])} is {_short(name) if name else 'missing'}")
    return Answer(not wrong, {"Dice disc": float(np.mean(scores))}, ", ".join(wrong))


def regions(result: SpineLabels, truth: Path) -> Answer:
    """Compare with vertebrae, discs and canal without names, inside the labelled slices.

    The sacrum, which nobody labelled, is left out; so is what lies above the uppermost or below
    the lowermost labelled voxel.
    """
    manual = load_labels(truth).reorient(("R", "A", "S"))
    found = result.on_input.reorient(("R", "A", "S")).data
    filled = manual.data > 0
    box = tuple(
        slice(*(np.flatnonzero(filled.any(axis=axes))[[0, -1]] + [0, 1]))
        if n != 1 else slice(None)
        for n, axes in enumerate(((1, 2), (0, 2), (0, 1)))
    )  # fmt: skip
    numbers = {text: number for number, text in result.names.items()}
    vertebra = (found > 0) & (found < FIRST_DISC) & (found != numbers["sacrum"])
    parts = {
        "Dice vertebra": (vertebra, 1),
        "Dice disc": ((found >= FIRST_DISC) & (found < CORD), 2),
        "Dice canal": ((found == CORD) | (found == CANAL), 3),
    }
    scores = {
        name: dice(mask[box], manual.data[box] == value) for name, (mask, value) in parts.items()
    }
    return Answer(None, scores)


def points(result: SpineLabels, truth: Path) -> Answer:
    """Compare with points: disc centres and vertebral levels, or discs' posterior edges."""
    marks = load_mask(truth)
    places = {
        int(marks.data[tuple(v)]): marks.space.to_world(v.astype(float))
        for v in np.argwhere(marks.data > 0)
    }
    if truth.name.endswith("_discs.nii.gz"):
        names = {
            row.values["sct_disc"]: row.name for row in structures() if "sct_disc" in row.values
        }
        wanted = {names[value]: place for value, place in places.items()}
        return _distances(result, wanted, "back")
    with truth.with_name("errsm21_T2w_disccentres.tsv").open(encoding="utf-8") as stream:
        centres = {
            "disc_" + row["disc"].replace("-", "_"): np.array(
                [float(row[f"{a}_mm"]) for a in "xyz"]
            )
            for row in csv.DictReader(stream, delimiter="\t")
        }
    answer = _distances(result, centres, "centre")
    wrong = [name for value, name in POINTS.items() if not _at_level(result, places[value], name)]
    note = "; ".join(filter(None, [answer.note, *(f"{n}'s point is elsewhere" for n in wrong)]))
    return Answer(bool(answer.right) and not wrong, answer.figures, note)


def _distances(result: SpineLabels, wanted: dict[str, FloatArray], part: str) -> Answer:
    found = {disc.name: getattr(disc, part) for disc in result.discs}
    missing = [_short(name) for name in wanted if name not in found]
    away = [float(np.linalg.norm(found[n] - place)) for n, place in wanted.items() if n in found]
    far = max(away, default=np.inf)
    note = f"missing {', '.join(missing)}" if missing else ""
    figures = {"mean distance, mm": float(np.mean(away)) if away else np.nan, "worst, mm": far}
    # a level is 15 mm and more: farther than half of it is another disc
    return Answer(not missing and far < 8, figures, note)


def _at_level(result: SpineLabels, place: FloatArray, level: str) -> bool:
    """Tell whether a point lies between a vertebra's discs, or at the height of its voxels (C2)."""
    planes = {disc.name: disc for disc in result.discs}
    names = result.numbering.anatomy.disc_names
    below = next(name for name in names if name.startswith(f"disc_{level}_"))
    above = next((name for name in names if name.endswith(f"_{level}")), None)
    if below not in planes or (place - planes[below].centre) @ planes[below].normal < 0:
        return False
    if above is not None:
        return above in planes and (place - planes[above].centre) @ planes[above].normal < 0
    number = next(n for n, text in result.names.items() if text == f"vertebrae_{level}")
    filled = np.flatnonzero((result.numbers == number).any(axis=(0, 1)))
    return len(filled) > 0 and result.space.to_voxel(place)[2] <= filled[-1] + 0.5


def _value_names(truth: Path) -> dict[int, str]:
    """Names by value: VerSe's own for the CT, otherwise the table's."""
    if "verse" in truth.name:
        return {20 + i: f"vertebrae_L{i + 1}" for i in range(5)}
    return {
        row.values["totalspineseg"]: row.name
        for row in structures()
        if row.values.get("totalspineseg")
    }


def _most(result: SpineLabels, found: IntArray, disc: bool = False) -> tuple[str, float]:
    """Return the name that most voxels with a vertebra's (or disc's) have, and their share."""
    low, high = (FIRST_DISC, CORD) if disc else (1, FIRST_DISC)
    labelled = found[(found >= low) & (found < high)]
    if not len(labelled):
        return "", 0.0
    number, count = Counter(labelled.tolist()).most_common(1)[0]
    return result.names[number], count / len(found)


def _short(name: str) -> str:
    return name.removeprefix("vertebrae_").removeprefix("disc_").replace("_", "-")


KINDS: dict[str, Callable[[SpineLabels, Path], Answer]] = {
    "bodies": bodies, "order": order, "discs": discs, "regions": regions, "points": points,
}  # fmt: skip


def measure(
    case: Case, networks: Networks, params: LabelParams, pictures: Path | None
) -> dict[str, str]:
    """Label an image and compare."""
    began = time.monotonic()
    method = "st_label_vertebrae" + " -fast" * params.fast
    row = {"method": method, "image": case.name, "truth": case.kind}
    try:
        result = label_vertebrae(load_volume(case.image), networks=networks, params=params)
    except SpinetoolsError as error:
        return row | {
            "right": "no",
            "numbering": "none",
            "sure": "",
            "figures": "",
            "note": str(error),
            "seconds": "",
        }
    seconds = time.monotonic() - began
    answer = KINDS[case.kind](result, case.truth)
    if pictures is not None:
        from spinetools.vertebrae.preview import save_preview

        pictures.mkdir(parents=True, exist_ok=True)
        save_preview(result, pictures / f"{case.name}.png")
    return row | {
        "right": {None: "n/a", True: "yes", False: "no"}[answer.right],
        "numbering": result.numbering.chosen.span,
        "sure": number(result.confidence),
        "figures": ", ".join(f"{name} {number(value)}" for name, value in answer.figures.items()),
        "note": answer.note,
        "seconds": number(seconds, 1),
    }


def main() -> None:
    """Run all cases, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-only", metavar="TEXT", default="", help="cases with this in their name")
    parser.add_argument("-model", help="as st_label_vertebrae takes it (default: the shipped one)")
    parser.add_argument("-fast", action="store_true", help="step 1 alone")
    parser.add_argument("-pictures", type=Path, metavar="DIR", help="write a picture an image")
    parser.add_argument("-o", type=Path, default=RESULTS, help="folder of the results")
    args = parser.parse_args()
    logging.getLogger("spinetools").setLevel(logging.ERROR)
    folder = real_folder()
    if folder is None:
        sys.exit("no real images: set SPINETOOLS_REAL_DATA to their folder")
    networks = load_networks(args.model, fast=args.fast)
    params = LabelParams(fast=args.fast)
    rows = []
    for case in cases(folder):
        if args.only in case.name:
            rows.append(measure(case, networks, params, args.pictures))
            print("\t".join(rows[-1].values()), file=sys.stderr, flush=True)
    if not rows:
        sys.exit(f"no case has {args.only!r} in its name")
    print(markdown(rows))
    if not args.only:
        write_tsv(args.o / "vertebrae.tsv", rows)


if __name__ == "__main__":
    main()
