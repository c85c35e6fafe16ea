"""Measure how fast the digital spine gives training samples, on one core.

    OMP_NUM_THREADS=1 python testing/benchmark/phantom_speed.py -images 4 -subjects 4

Each subject's labels are painted once on a window of 64 × 96 × 128 voxels of 1.5 mm and imaged
several times, as training does. Writes nothing; prints a table (seconds of processor time, so that
what else runs on the machine counts little; wall time beside it).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from spinetools.image import Space
from spinetools.phantom import (
    Subject,
    draw_acquisition,
    draw_table,
    make_subject,
    paint_labels,
    simulate,
)

SHAPE, SPACING_MM = (64, 96, 128), 1.5
LEVELS = (3.0, 8.0, 14.0, 21.0)
CONTRASTS = ("t1", "t2", "t2s", "random")
Result = TypeVar("Result")


class Clock:
    """Seconds by name: processor and wall."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[tuple[float, float]]] = {}

    def run(self, name: str, work: Callable[[], Result]) -> Result:
        """Do the work and add its time."""
        processor, wall = time.process_time(), time.perf_counter()
        result = work()
        spent = (time.process_time() - processor, time.perf_counter() - wall)
        self.seconds.setdefault(name, []).append(spent)
        return result


def window(subject: Subject, level: float) -> Space:
    """Return the grid about the cord at a level."""
    s = float(np.interp(level, subject.profiles["level"], subject.curve.s))
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = subject.curve.at(s) - SPACING_MM * (np.array(SHAPE) - 1) / 2
    return Space(SHAPE, affine)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-subjects", type=int, default=4)
    parser.add_argument("-images", type=int, default=4, help="images of each painted window")
    parser.add_argument("-torch", action="store_true", help="also form images by torch (CPU)")
    args = parser.parse_args()
    clock = Clock()
    for seed in range(args.subjects):
        subject = clock.run("subject", lambda seed=seed: make_subject(seed))
        space = window(subject, LEVELS[seed % len(LEVELS)])
        labels = clock.run("labels", lambda one=subject, grid=space: paint_labels(one, grid))
        rng = np.random.default_rng(seed)
        drawn = [
            (draw_table(contrast, rng), draw_acquisition(contrast, rng))
            for contrast in (CONTRASTS[i % len(CONTRASTS)] for i in range(args.images))
        ]
        for table, taken in drawn:
            clock.run("image", lambda a=labels, b=table, c=taken, d=rng: simulate(a, b, c, d))
        if args.torch:
            from spinetools.training import image_formation

            moved = image_formation.to_device(labels, "cpu")
            for table, taken in drawn:
                clock.run(
                    "image (torch)",
                    lambda a=moved, b=table, c=taken, d=rng: image_formation.simulate(a, b, c, d),
                )
    print("step\truns\tprocessor s\twall s")
    means = {}
    for name, spent in clock.seconds.items():
        means[name], wall = (float(np.mean(column)) for column in zip(*spent, strict=True))
        print(f"{name}\t{len(spent)}\t{means[name]:.3f}\t{wall:.3f}")
    once = means["subject"] + means["labels"]
    for count in sorted({1, args.images}):
        rate = count / (once + count * means["image"])
        print(f"samples a second a core, {count} image(s) a window: {rate:.2f}")


if __name__ == "__main__":
    main()
