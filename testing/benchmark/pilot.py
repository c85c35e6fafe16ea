"""Does st_pilot choose the method that is better in truth, when it is not told the truth?

    python testing/benchmark/pilot.py [-h]

Twenty small simulated spines and five real images, test images with masks drawn by hand, go into
one folder, and st_pilot runs over it without any reference. Then its choice is compared with the
one that the same statistics make from the true Dice: over all scans, the real and the simulated
ones, and each contrast. Real images are left out, and that is said, where they are not at hand
(cases.py). Writes results/pilot.tsv.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cases import RESULTS, real_cases, real_folder
from small_phantoms import CONTRASTS, Small, make
from tables import markdown, write_tsv

from spinetools.compare.cases import Case, Compared, Result
from spinetools.compare.choose import Choice, choose
from spinetools.image import load_mask
from spinetools.metrics.report import cord_report

#: The real images: masks by hand, never trained or tuned on; one of each contrast at least.
REAL = ("errsm21_T2w", "errsm21_T2star", "gm9669_T2star", "errsm30crop_T1w", "tutorial05_MTon")
#: Simulated ones: twenty subjects, of seeds that nothing was calibrated on, by these protocols in
#: turn.
PROTOCOLS = ("t2_3d", "t1_3d", "t2s_axial", "mt_axial", "dwi_axial")
SEEDS = range(9100, 9120)
METHODS = ("propseg", "deepseg")
#: Truth and estimate are compared over these.
WORDS = {"sure": "sure", "likely": "likely", "equal": "equal", "open": "not sure"}


@dataclass(frozen=True)
class Known:
    """A scan whose truth is known: its mask, and the slices that count."""

    name: str
    contrast: str
    mask: Path
    real: bool
    slices: Sequence[int] | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Gather scans, run st_pilot, compare its choices with the true ones, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-folder", type=Path, help="keep everything here")
    parser.add_argument(
        "-again", action="store_true",
        help="st_pilot has run in this folder: judge its segmentations anew (st_compare)",
    )  # fmt: skip
    parser.add_argument("-jobs", default="1", help="of st_pilot (default 1)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        known = gather(folder / "scans", folder / "truth")
        if args.again:
            judge_again(folder, known)
        else:
            options = ["-path-data", str(folder / "scans"), "-o", str(folder / "out")]
            run("st_pilot", *options, "-jobs", args.jobs)
        estimated, true = read(folder / "out", known)
    rows = table(estimated, true, {each.name: each.real for each in known})
    print(markdown(rows))
    write_tsv(RESULTS / "pilot.tsv", rows)
    return int(any(row["agrees"] == "no" for row in rows))


def run(command: str, *options: str) -> None:
    """Run a command of this installation."""
    subprocess.run([Path(sys.executable).with_name(command), *options], check=True)


def judge_again(folder: Path, known: Sequence[Known]) -> None:
    """Do what st_pilot does after it has segmented."""
    names = [each.name for each in known]
    masks = [
        ["-s", *(f"{method}={folder / 'out' / name}_seg-{method}.nii.gz" for name in names)]
        for method in METHODS
    ]
    images = [str(folder / "scans" / f"{name}.nii.gz") for name in names]
    run(
        "st_compare", "-i", *images, *(word for words in masks for word in words),
        "-o", str(folder / "out" / "pilot.csv"), "-qc", str(folder / "out" / "qc"),
        "-qc-dataset", "scans", "-qc-entries", "0", "-allow-missing",
    )  # fmt: skip


def simulated(folder: Path) -> Iterator[Small]:
    """Make a small image of each subject."""
    for number, seed in enumerate(SEEDS):
        yield from make(folder, [PROTOCOLS[number % len(PROTOCOLS)]], [seed])


def gather(scans: Path, truth: Path) -> list[Known]:
    """Put all images into one folder, and what is known of them into another."""
    scans.mkdir(parents=True, exist_ok=True)
    known = []
    for small in simulated(truth):
        if not (scans / small.image.name).exists():
            shutil.copyfile(small.image, scans / small.image.name)
        known.append(Known(small.name, small.contrast, small.truth, real=False))
    real = real_folder()
    if real is None:
        print("no real images: set SPINETOOLS_REAL_DATA to their folder")
        return known
    for case in real_cases(real):
        if case.name in REAL:
            if not (scans / case.image.name).exists():
                shutil.copyfile(case.image, scans / case.image.name)
            slices = case.slices.tolist()
            known.append(Known(case.name, case.contrast, case.mask, True, slices))
    return known


def read(out: Path, known: Sequence[Known]) -> tuple[list[Compared], list[Compared]]:
    """Return the scans with the scores that st_pilot wrote, and with the true ones."""
    with (out / "pilot.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    said = json.loads((out / "pilot.json").read_text(encoding="utf-8"))
    print("\n".join(said["Summary"]), end="\n\n")
    estimated, true = [], []
    for scan in known:
        own = {row["method"]: row for row in rows if Path(row["image"]).name.startswith(
            f"{scan.name}.nii")}  # fmt: skip
        subject = next(iter(own.values()))["subject"]
        results, exact = [], []
        for method in METHODS:
            expected = float(own[method]["expected_dice"])
            result = Result(method, own[method]["state"], expected=expected,
                            evidence={"from the table": 1.0})  # fmt: skip
            results.append(result)
            path = out / f"{scan.name}_seg-{method}.nii.gz"
            dice = 0.0
            if path.is_file():
                mask = load_mask(path, allow_empty=True)
                dice = cord_report(mask, load_mask(scan.mask), scan.slices)["dice"]
            exact.append(replace(result, figures={"dice": dice}))
        case = Case(Path(scan.name), {}, subject, scan.contrast)
        estimated.append(Compared(case, tuple(results)))
        true.append(Compared(case, tuple(exact), has_reference=True))
    return estimated, true


def table(
    estimated: Sequence[Compared], true: Sequence[Compared], real: dict[str, bool]
) -> list[dict[str, str]]:
    """Return a row for each group of scans: the true choice, and the one without the truth."""
    groups = {"all": list(range(len(true)))}
    for word, wanted in (("real", True), ("simulated", False)):
        groups[word] = [n for n, each in enumerate(true) if real[each.case.image.name] is wanted]
    for contrast in sorted(set(CONTRASTS.values())):
        groups[contrast] = [n for n, each in enumerate(true) if each.case.contrast == contrast]
    rows = []
    for word, members in groups.items():
        if not members:
            continue
        exact = choose([true[n] for n in members])
        guess = choose([estimated[n] for n in members])
        better = [
            (first.results[0].dice - first.results[1].dice)
            * (second.results[0].expected - second.results[1].expected)
            > 0
            for first, second in ((true[n], estimated[n]) for n in members)
        ]
        rows.append(
            {
                "scans": word,
                "number": str(len(members)),
                **{f"Dice of {m}": f"{exact.scores[m]:.3f}" for m in METHODS},
                **{f"expected of {m}": f"{guess.scores[m]:.3f}" for m in METHODS},
                "in truth": _word(exact),
                "st_pilot, without the truth": _word(guess),
                "agrees": agreement(exact, guess),
                "the better one had the higher expectation": f"{sum(better)} of {len(better)}",
            }
        )
    return rows


def agreement(exact: Choice, guess: Choice) -> str:
    """Say whether a choice contradicts the truth, as far as each of them commits itself."""
    committed = ("sure", "likely")
    if exact.sureness in committed and guess.sureness in committed:
        return "yes" if exact.method == guess.method else "no"
    if guess.sureness == "sure":
        return "no"  # sure of a difference that is not there
    return "leaves it open" if exact.sureness in committed else "yes"


def _word(choice: Choice) -> str:
    if choice.sureness in ("sure", "likely"):
        return f"{choice.method}, {WORDS[choice.sureness]}"
    return f"{WORDS[choice.sureness]} ({choice.method})"


if __name__ == "__main__":
    raise SystemExit(main())
