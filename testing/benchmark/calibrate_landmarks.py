"""Measure how well the first network tells landmark discs, for the numbering's evidence.

    python testing/benchmark/calibrate_landmarks.py [-model FOLDER] [-subjects 6]

Digital spines of seeds that no network was trained on, and the real SPIDER images marked ``train``
(their lowest disc is L5–S1), are read by step 1. For each landmark prints the share of a disc's
voxels that have its class, by how far the disc lies from it, and what
``spinetools.vertebrae.evidence`` wants to know: the share from which it is named, how sharply, and
how often the landmark, its neighbour, the next and any other disc are; and how often the next two
below the landmark are where the image begins just above them.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cases import real_folder, spider_train
from scipy.special import expit
from tables import markdown, number

from spinetools.errors import NoSpineError
from spinetools.image import Image
from spinetools.models.classes import LANDMARK_DISCS
from spinetools.phantom.labels import structure_ids
from spinetools.training.nnunet_bids import LabelParams, read_pair
from spinetools.training.nnunet_phantom import phantom_samples
from spinetools.vertebrae.anatomy import usual
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.engines import load_networks
from spinetools.vertebrae.evidence import EvidenceParams
from spinetools.vertebrae.grid import working_image
from spinetools.vertebrae.networks import Networks
from spinetools.vertebrae.reading import read_step1
from spinetools.vertebrae.views import view

FloatArray = npt.NDArray[np.float64]

#: Seed of the spines: training takes 2026.
SEED = 77_000
#: At least this share of a disc found lies in a true one.
LEAST_OVERLAP = 0.5
#: Distances that are told apart: the landmark, its neighbours, the next, all others.
GROUPS = 4


@dataclass(frozen=True)
class Row:
    """A disc's share of a landmark's class, by how many discs it lies below the landmark."""

    share: float
    below: int
    edge: bool  # whether the image begins just above it


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-model", help="folder of the exported networks (default: what ships)")
    parser.add_argument("-subjects", type=int, default=6, help="digital spines, twelve images each")
    parser.add_argument("-no-real", action="store_true", help="digital spines only")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    networks = load_networks(args.model, fast=True)
    names = usual().disc_names
    found: dict[str, list[list[Row]]] = {}
    for kind, image, truth in volumes(args.subjects, not args.no_real, networks.step1.spacing_mm):
        rows = found.setdefault(kind, [[] for _ in LANDMARK_DISCS])
        for disc, name, edge in matched(networks, image, truth):
            for k, landmark in enumerate(LANDMARK_DISCS):
                below = names.index(name) - names.index(landmark)
                rows[k].append(Row(float(disc.landmark[k + 1]), below, edge))
    table = [
        line(kind, landmark, rows[k])
        for kind, rows in found.items()
        for k, landmark in enumerate(LANDMARK_DISCS)
        if any(row.below == 0 for row in rows[k])
    ]
    print(markdown(table))


def volumes(
    subjects: int, real: bool, spacing_mm: float
) -> Iterator[tuple[str, Image, dict[str, npt.NDArray[np.bool_]]]]:
    """Give images with the mask of each disc by its name; spines of the usual count only."""
    folder = real_folder() if real else None
    if folder is not None:
        params = LabelParams(values="1=vertebra,2=disc,3=canal", lowest="disc_L5_S")
        for path in spider_train(folder):
            seg = path.with_name(path.name.replace(".nii.gz", "_seg.nii.gz"))
            image, labels, names = read_pair(path, seg, params)
            yield "SPIDER", image, _masks(labels, {v: n for v, n in names.items() if "_" in n})
    ids = {value: name for name, value in structure_ids().items()}
    for subject in range(subjects):
        for sample in phantom_samples(subject, SEED, spacing_mm):
            if sample.column.vertebrae == usual().vertebrae:
                yield "phantom", sample.image, _masks(sample.structures, ids)


def _masks(
    labels: npt.NDArray[np.uint8], names: dict[int, str]
) -> dict[str, npt.NDArray[np.bool_]]:
    wanted = set(usual().disc_names)
    return {names[v]: labels == v for v in np.unique(labels).tolist() if names.get(v) in wanted}


def matched(
    networks: Networks, image: Image, truth: dict[str, npt.NDArray[np.bool_]]
) -> Iterator[tuple[DiscSeen, str, bool]]:
    """Find the discs that the image does not cut, which ones they are, and whether at its top."""
    spacing = networks.step1.spacing_mm
    working = working_image(image, spacing, None)
    answer = networks.step1.probabilities(working.data[None], working.space)
    try:
        shown = view(working, read_step1(answer))
    except NoSpineError:
        return
    for disc in shown.discs:
        if disc.cut:
            continue
        places = np.rint(image.space.to_voxel(working.space.to_world(disc.voxels))).astype(int)
        inside = ((places >= 0) & (places < np.array(image.shape))).all(axis=1)
        shares = {name: mask[tuple(places[inside].T)].sum() / len(places)
                  for name, mask in truth.items()}  # fmt: skip
        best = max(shares, key=lambda name: shares[name], default=None)
        if best is not None and shares[best] >= LEAST_OVERLAP:
            yield disc, best, disc.s - shown.reach[0] < EvidenceParams().edge_mm


def line(kind: str, landmark: str, rows: list[Row]) -> dict[str, str]:
    """Return a row of the table: the threshold is where landmark and others differ most."""
    share = np.array([row.share for row in rows])
    below = np.array([row.below for row in rows])
    edge = np.array([row.edge for row in rows]) & np.isin(below, (1, 2))
    away = np.where(edge, -1, np.minimum(np.abs(below), GROUPS - 1))
    own, others = share[away == 0], share[away > 0]
    width = 0.07
    halves = np.arange(0.05, 0.95, 0.025)
    gain = [_named(own, h, width).mean() - _named(others, h, width).mean() for h in halves]
    half = float(halves[int(np.argmax(gain))])
    result = {"images": kind, "landmark": landmark, "n": str(len(own)), "half": number(half, 3)}
    groups = {name: away == group for group, name in enumerate(("hit", "near", "far", "other"))}
    groups |= {f"edge, {k} below": edge & (below == k) for k in (1, 2)}
    for name, chosen in groups.items():
        part = share[chosen]
        result[f"share, {name}"] = number(float(part.mean()) if len(part) else np.nan)
        rate = float(_named(part, half, width).mean()) if len(part) else np.nan
        result[name] = f"{number(rate, 3)} ({len(part)})"
    return result


def _named(share: FloatArray, half: float, width: float) -> FloatArray:
    result: FloatArray = expit((share - half) / width)
    return result


if __name__ == "__main__":
    main()
