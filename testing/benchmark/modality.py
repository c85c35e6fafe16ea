"""Measure how st_get_modality tells contrasts from images alone; writes results/modality.tsv.

    python testing/benchmark/modality.py [-h]

Images that nothing was fitted to: simulated ones of every contrast and style from new subjects, and
the real images marked ``test``. Rows count answers by what an image is. A second answer, ``-c``,
is what the cord commands take, where T2*w and MT are one, and STIR counts as T2w. Takes some ten
minutes; -images keeps what was simulated.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from calibrate_modality import real_images
from cases import RESULTS, real_folder
from modality_phantoms import KINDS, images_of
from tables import markdown, write_tsv

from spinetools.image import Image, load_volume
from spinetools.modality import guess_contrast
from spinetools.modality.guess import COMMAND

SEEDS = range(9300, 9308)


def simulated(folder: Path | None) -> Iterator[tuple[str, Image]]:
    for seed in SEEDS:
        kept = [folder / f"{seed}_{n:02d}.nii" for n in range(len(KINDS))] if folder else []
        if kept and all(path.is_file() for path in kept):
            yield from ((c, load_volume(path)) for (c, _), path in zip(KINDS, kept, strict=True))
        else:
            yield from ((made.contrast, made.image) for made in images_of(seed))


def real() -> Iterator[tuple[str, Image]]:
    if real_folder() is not None:
        yield from ((c, load_volume(real_folder() / file)) for file, c in real_images("test"))


def rows_of(name: str, images: Iterator[tuple[str, Image]]) -> list[dict[str, str]]:
    """Count answers; then how many were right, not sure, and wrong."""
    contrasts: Counter[tuple[str, str]] = Counter()
    commands: Counter[tuple[str, str]] = Counter()
    modalities: Counter[tuple[str, str]] = Counter()
    start = time.perf_counter()
    for true, image in images:
        guess = guess_contrast(image)
        contrasts[true, guess.contrast] += 1
        commands[COMMAND.get(true, "none"), guess.command or "not sure"] += 1
        modalities["CT" if true == "ct" else "MR", guess.modality] += 1
    count = sum(contrasts.values())
    rows = []
    for what, found in (("modality", modalities), ("contrast", contrasts), ("-c", commands)):
        # of an image that no contrast of -c fits, "not sure" is the right answer
        right = sum(n for (a, b), n in found.items() if a == b or (a, b) == ("none", "not sure"))
        unsure = sum(n for (a, b), n in found.items() if b == "not sure" and a != "none")
        for (a, b), n in sorted(found.items()):
            rows.append({"set": name, "question": what, "true": a, "answer": b, "images": str(n)})
        for word, n in (("right", right), ("not sure", unsure), ("wrong", count - right - unsure)):
            rows.append({"set": name, "question": what, "true": "all", "answer": word,
                         "images": str(n)})  # fmt: skip
    print(f"{name}: {count} images, {(time.perf_counter() - start) / max(count, 1):.2f} s an image")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-images", type=Path, help="where images made before lie: SEED_NN.nii")
    args = parser.parse_args()
    rows = rows_of("simulated", simulated(args.images)) + rows_of("real, test", real())
    write_tsv(RESULTS / "modality.tsv", rows)
    print(markdown([row for row in rows if row["true"] == "all"]))


if __name__ == "__main__":
    main()
