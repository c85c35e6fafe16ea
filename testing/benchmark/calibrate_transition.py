"""Measure what the end of the spine looks like to the networks, for transitional vertebrae.

    python testing/benchmark/calibrate_transition.py [-n 16] [--seed 55000] [--keep FOLDER] [--show]

Simulated images of the last five vertebrae and the sacrum, normal, lumbarised and sacralised ones,
of other seeds each, and the real SPIDER images marked ``train`` (nobody has said which of these are
transitional; about one in twenty should be). For each group prints mean and spread of what
``spinetools.vertebrae.transition`` looks at (logarithms but for the squareness), and how often
something was said.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from cases import real_folder, spider_train
from kept import keeping
from naming import Case, cases, label_image
from tables import markdown, number

from spinetools.errors import NoSpineError
from spinetools.image import load_volume
from spinetools.vertebrae import transition
from spinetools.vertebrae.engines import load_networks
from spinetools.vertebrae.label import LabelParams, label_spine
from spinetools.vertebrae.networks import Networks
from spinetools.vertebrae.transition import SacrumSeen, transition_probability

GROUPS, REAL = ("normal", "lumbarised", "sacralised"), "SPIDER"
#: Vertebrae in sight, the sacrum among them; seeds of the groups lie so far apart.
VISIBLE, APART = 5, 100


@dataclass(frozen=True)
class Row:
    """What was seen of an image's sacrum, and what was said of it."""

    image: str
    seen: SacrumSeen
    said: str


class Watch:
    """Keeps what was seen last: by step 2 where it has a last disc, else by step 1."""

    def __init__(self) -> None:
        self.seen: SacrumSeen | None = None
        self._look = transition.look_at_sacrum

    def __call__(self, *args: Any) -> SacrumSeen:
        """Look, and keep it."""
        self.seen = self._look(*args)
        return self.seen


def rows_of(group: str, networks: Networks, count: int, seed: int) -> Iterator[Row]:
    """Label a group's images; those without a sacrum are left out."""
    watch = Watch()
    with mock.patch.object(transition, "look_at_sacrum", watch):
        for image, label in images(group, networks, count, seed):
            watch.seen = None
            said = label()
            if watch.seen is not None:
                yield Row(image, watch.seen, said)


def images(
    group: str, networks: Networks, count: int, seed: int
) -> Iterator[tuple[str, Callable[[], str]]]:
    """Give the images of a group: the name of each, and what labels it and tells what was said."""
    if group != REAL:
        first = seed + APART * GROUPS.index(group)
        for case in cases(count, first, group, (VISIBLE,), low=True):
            yield str(case.seed), partial(_label_case, case, networks)
        return
    folder = real_folder()
    if folder is None:
        print("the real images are not here", file=sys.stderr)
        return
    for path in spider_train(folder):
        yield path.name.partition(".")[0], partial(_label_file, path, networks)


def _label_case(case: Case, networks: Networks) -> str:
    return label_image(case, LabelParams(), networks).flagged


def _label_file(path: Path, networks: Networks) -> str:
    try:
        return label_spine(load_volume(path), networks).variant
    except NoSpineError:
        return ""


def line(group: str, rows: list[Row]) -> dict[str, str]:
    """Return a group's row of the table."""
    values = {
        "squareness": [row.seen.squareness for row in rows],
        "disc": [np.log(max(row.seen.disc, 1e-3)) for row in rows],
        "bridge": [np.log1p(row.seen.bridge) for row in rows],
    }
    result = {"images": group, "n": str(len(rows))}
    for name, column in values.items():
        there = [value for value in column if np.isfinite(value)]
        mean, sd = (np.mean(there), np.std(there)) if there else (np.nan, np.nan)
        result[name] = f"{number(float(mean))} ± {number(float(sd))} ({len(there)})"
    for name in transition.SHARES:
        result[f"said: {name}"] = str(sum(row.said == name for row in rows))
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-n", type=int, default=16, help="simulated images of each kind")
    parser.add_argument("--seed", type=int, default=55_000, help="of the first normal subject")
    parser.add_argument("--keep", type=Path, help="folder that keeps the networks' answers")
    parser.add_argument("--show", action="store_true", help="list the images")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    networks: Networks = load_networks()
    if args.keep:
        networks = keeping(networks, args.keep)
    table = []
    for group in (*GROUPS, REAL):
        rows = list(rows_of(group, networks, args.n, args.seed))
        table.append(line(group, rows))
        for row in rows if args.show else []:
            chance = transition_probability(row.seen)
            print(group, row.image, row.seen, {k: round(v, 3) for k, v in chance.items()}, row.said)
    print(markdown(table))


if __name__ == "__main__":
    main()
