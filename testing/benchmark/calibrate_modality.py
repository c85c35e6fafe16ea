"""Fit the numbers by which st_get_modality tells contrasts; writes data/contrasts.json.

    python testing/benchmark/calibrate_modality.py [-h]

From simulated images of every contrast and style (modality_phantoms.py) and the real images that
are marked for training. Takes about half an hour on a core; what was measured is kept in -features,
so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from cases import real_folder
from modality_phantoms import KINDS, images_of

from spinetools.image import load_volume
from spinetools.modality.classify import fit
from spinetools.modality.features import look_at

DATA = Path(__file__).resolve().parents[2] / "data" / "contrasts.json"
SEEDS = range(7000, 7036)


def contrast_of(file: str) -> str:
    """Return what a real image is, by its name in the manifest; empty where that is open."""
    for part, contrast in (
        ("_T2star", "t2s"), ("_DWI", "dwi"), ("_MTo", "mt"), ("_T1w", "t1"), ("ct/", "ct"),
        ("_ct", "ct"), ("lumbar/vb3", "dixon"), ("lumbar/vb1", ""), ("lumbar/ts_mr", ""),
    ):  # fmt: skip
        if part in file:
            return contrast
    return "t2"


def real_images(use: str) -> Iterator[tuple[str, str]]:
    """Yield file and contrast of the real images of one use."""
    with (real_folder() / "manifest.tsv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if row["use"] == use and row["labels"] == "n/a" and contrast_of(row["file"]):
                yield row["file"], contrast_of(row["file"])


def kind_of_real(file: str, contrast: str) -> str:
    """Say with which simulated images a real one belongs, or that it is a kind of its own."""
    own = {"spider": "t2 lumbar, real"}
    return own.get(file.partition("/")[0], f"{contrast} {'volume' if contrast == 't2' else ''}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-features", type=Path, default=Path("modality_features.json"))
    parser.add_argument("-images", type=Path, help="where images made before lie: SEED_NN.nii")
    parser.add_argument("-most", type=int, default=10**6, help="images to measure this time")
    args = parser.parse_args()
    known = json.loads(args.features.read_text()) if args.features.is_file() else {}
    left = args.most
    for name, kind, image in images(args.images, set(known)):
        if left == 0:
            break
        left -= 1
        known[name] = {"kind": kind, "features": look_at(image()).features.tolist()}
        if left % 20 == 0:
            args.features.write_text(json.dumps(known))
    args.features.write_text(json.dumps(known))
    kinds: dict[str, list[list[float]]] = {}
    for entry in known.values():
        kinds.setdefault(entry["kind"], []).append(entry["features"])
    print({kind: len(rows) for kind, rows in kinds.items()})
    record = fit([(kind.split()[0], np.array(rows)) for kind, rows in sorted(kinds.items())])
    DATA.write_text(json.dumps(record) + "\n", encoding="utf-8")


def images(folder, known):  # type: ignore[no-untyped-def]
    """Yield name, kind and a function that gives the image, of those not known yet."""
    for file, contrast in real_images("train"):
        if file not in known:
            yield (
                file, kind_of_real(file, contrast),
                lambda file=file: load_volume(real_folder() / file),
            )  # fmt: skip
    for seed in SEEDS:
        names = [f"{seed}_{n:02d}" for n in range(len(KINDS))]
        if set(names) <= known:
            continue
        kept = [folder / f"{name}.nii" for name in names] if folder else []
        made = None if all(path.is_file() for path in kept) and kept else list(images_of(seed))
        for n, (name, (contrast, style)) in enumerate(zip(names, KINDS, strict=True)):
            if name not in known:
                kind = f"{contrast} {style}"
                if made is None:
                    yield name, kind, lambda n=n, kept=kept: load_volume(kept[n])
                else:
                    yield name, kind, lambda n=n, made=made: made[n].image


if __name__ == "__main__":
    main()
