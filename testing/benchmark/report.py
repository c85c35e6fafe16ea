"""Measure what the QC report withstands: many writers, killed writers, many and large entries.

    python testing/benchmark/report.py [-h]

Writes results/report.tsv: what was done, what came out, and what must come out; what is not
measured this time (a count of 0) keeps its rows. Takes some twenty minutes; reduced versions of all
of it are in testing/qc.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cases import RESULTS, real_folder
from tables import markdown, read_tsv, write_tsv

from spinetools.image import Image, Space
from spinetools.qc import add_entry, read_entries, refresh
from spinetools.qc.index import entry_script
from spinetools.qc.ratings import Rating, import_ratings, read_ratings

WRITERS, EACH = 16, 300
KILLS = 200
FULL = 5
ENTRIES = 1000

#: A small image with a cord, so that what is measured is the report and not the pictures.
TINY = """
import json, sys, time
from contextlib import contextmanager
import numpy as np
from spinetools.image import Image, Space
from spinetools.qc import add_entry, index
space = Space((24, 24, 12), np.eye(4))
image = Image(np.random.default_rng(0).normal(100, 10, space.shape), space)
data = np.zeros(space.shape, dtype=np.uint8)
data[10:14, 10:14, 2:10] = 1
mask = Image(data, space)
"""

#: One of many writers: prints its ids, the longest wait for the lock, and the longest entry.
WRITER = (
    TINY
    + """
waits, locked = [0.0], index.locked
@contextmanager
def timed(*args):
    start = time.perf_counter()
    with locked(*args) as ours:
        waits.append(time.perf_counter() - start)
        yield ours
index.locked = timed
report, number, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
ids, longest = [], 0.0
for n in range(count):
    start = time.perf_counter()
    ids.append(add_entry(report, image, [("cord", mask)], process="st_propseg",
                         command_line=f"{number} {n}", subject=f"sub-{number}-{n}"))
    longest = max(longest, time.perf_counter() - start)
print(json.dumps({"ids": ids, "wait": max(waits), "longest": longest}))
"""
)


#: What -qc adds to a command: in a process of its own, so that what it imports counts, too; the
#: processor's time, which other work on the machine hardly changes.
ADDED = """
import sys, time
from spinetools.image import load_mask, load_volume
image, mask = load_volume(sys.argv[2]), load_mask(sys.argv[3])
image.data, mask.data  # a command has them in memory
worked = time.process_time()
from spinetools.qc import add_entry
add_entry(sys.argv[1], image, [("cord", mask)], process="st_propseg", command_line=sys.argv[4])
print(time.process_time() - worked)
"""
#: A real 3D T2w image that methods may have been trained on.
REAL = "errsm11_T2w"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for, and print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "-writers", type=int, default=WRITERS, help=f"processes (default {WRITERS})"
    )
    parser.add_argument("-each", type=int, default=EACH, help=f"entries of each (default {EACH})")
    parser.add_argument("-kills", type=int, default=KILLS, help=f"killed writers (default {KILLS})")
    parser.add_argument(
        "-entries", type=int, default=ENTRIES, help=f"on the page (default {ENTRIES})"
    )
    parser.add_argument(
        "-full", type=int, default=FULL, help=f"entries of a full T2w (default {FULL})"
    )
    args = parser.parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        if args.writers:
            rows += many_writers(Path(folder, "many"), args.writers, args.each)
        if args.kills:
            rows += killed_writers(Path(folder, "killed"), args.kills)
        if args.entries:
            rows += many_entries(Path(folder, "page"), args.entries)
        if args.full:
            rows += full_images(Path(folder, "full"), args.full)
    print(markdown(rows))
    record(rows)
    return 0


def record(rows: Sequence[dict[str, str]]) -> None:
    """Put rows into the results, in the place of those of the same name."""
    path = RESULTS / "report.tsv"
    before = read_tsv(path) if path.is_file() else []
    measured = {row["what"] for row in rows}
    write_tsv(path, [*(row for row in before if row["what"] not in measured), *rows])


def row(what: str, found: str, expected: str) -> dict[str, str]:
    """Return a line of the table."""
    print(f"{what}: {found} (expected {expected})", flush=True)
    return {"what": what, "found": found, "expected": expected}


def listed(report: Path) -> list[str]:
    """Return the ids that a browser would find; raises where the index is not whole."""
    text = (report / "entries.js").read_text(encoding="utf-8")
    content = text.removeprefix("window.spinetoolsReport = ").removesuffix(";\n")
    return [entry["id"] for entry in json.loads(content)["entries"]]


def many_writers(report: Path, writers: int, each: int) -> list[dict[str, str]]:
    """Let processes write into one report at once, each refreshing it after every entry."""
    start = time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(report), str(n), str(each)],
            stdout=subprocess.PIPE, text=True,
        )
        for n in range(writers)
    ]  # fmt: skip
    results = [json.loads(process.communicate()[0]) for process in running]
    seconds = time.perf_counter() - start
    written = sorted(identity for result in results for identity in result["ids"])
    index = listed(report)
    lost = len(set(written) - set(index))
    what = f"{writers} processes × {each} entries"
    wait = max(result["wait"] for result in results)
    longest = max(result["longest"] for result in results)
    return [
        row(f"{what}: in the index", f"{len(index)} of {len(written)}, {lost} lost", "none lost"),
        row(f"{what}: longest wait for the lock", f"{wait:.2f} s", "≤ 5 s"),
        row(f"{what}: longest entry", f"{longest:.2f} s", "n/a"),
        row(f"{what}: in all", f"{seconds:.0f} s", "n/a"),
    ]


def endless(report: Path, pipe: int) -> None:
    """Add entries until killed, and name each one that is finished."""
    space = Space((24, 24, 12), np.eye(4))
    data = np.zeros(space.shape, dtype=np.uint8)
    data[10:14, 10:14, 2:10] = 1
    noise = np.random.default_rng(0).normal(100, 10, space.shape)
    image, mask = Image(noise, space), Image(data, space)
    for n in range(10_000):
        done = add_entry(report, image, [("cord", mask)], process="p", command_line=str(n),
                         subject=f"s{n}")  # fmt: skip
        os.write(pipe, f"{done}\n".encode())


def killed_writers(report: Path, kills: int) -> list[dict[str, str]]:
    """Kill writers at random moments; look at index, earlier entries and ratings each time."""
    rng = random.Random(5)
    finished: list[str] = []
    rating: dict[str, Rating] = {}
    unopened = lost = ratings_lost = 0
    for number in range(kills):
        reading, writing = os.pipe()
        worker = multiprocessing.get_context("fork").Process(target=endless, args=(report, writing))
        worker.start()
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as stream:
            finished.append(stream.readline().strip())
            time.sleep(rng.uniform(0, 0.15))
            worker.kill()
            finished += [line.strip() for line in stream if line.endswith("\n")]
        worker.join()
        try:
            lost = max(lost, len(set(finished) - set(listed(report))))
        except (ValueError, KeyError, OSError):
            unopened += 1
        if number == 0:
            case = read_entries(report)[0]["case"]
            export = report.parent / "ratings.json"
            said = {"case": case, "verdict": "fail", "note": "leak", "updated": "2026-01-01"}
            export.write_text(json.dumps({"ratings": [said]}))
            import_ratings(report, export)
            rating = read_ratings(report)
        elif read_ratings(report) != rating:
            ratings_lost += 1
    refresh(report)
    lost = max(lost, len(set(finished) - set(listed(report))))
    what = f"kill −9 during a write, {kills} times"
    return [
        row(f"{what}: index that did not open", str(unopened), "0"),
        row(f"{what}: finished entries lost", f"{lost} of {len(finished)}", "0"),
        row(f"{what}: ratings changed", str(ratings_lost), "0"),
    ]


def many_entries(report: Path, entries: int) -> list[dict[str, str]]:
    """Open a report of many entries in Chromium, scroll its table, and go through entries."""
    fill(report, entries)
    driver = browser()
    try:
        driver.get((report / "index.html").as_uri())
        time.sleep(2)
        driver.refresh()
        time.sleep(3)
        paint = driver.execute_script(
            "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        ready = driver.execute_script(
            "const t = performance.timing; return t.domContentLoadedEventEnd - t.navigationStart"
        )
        moves = sorted(driver.execute_async_script(MOVES))
        frames = sorted(driver.execute_async_script(FRAMES))
        cohort = driver.execute_script(COHORT)
    finally:
        driver.quit()
    middle, slow = moves[len(moves) // 2], frames[int(len(frames) * 0.95)]
    what = f"{entries} entries"
    return [
        row(f"{what}: first paint", f"{paint:.0f} ms", "< 2000 ms"),
        row(f"{what}: page ready", f"{ready:.0f} ms", "< 2000 ms"),
        row(f"{what}: key to next picture, median", f"{middle:.0f} ms", "< 100 ms"),
        row(f"{what}: frame while the table scrolls, 95th of 100", f"{slow:.0f} ms", "n/a"),
        row(f"{what}: all subjects opened", f"{cohort:.0f} ms", "n/a"),
    ]


def full_images(folder: Path, repeats: int) -> list[dict[str, str]]:
    """Time what -qc adds to a command on a full 3D T2w image, and weigh the entry."""
    from spinetools.phantom import make_phantom

    made = make_phantom(seed=1, protocol="t2_3d")
    files = {"simulated": (folder / "t2.nii.gz", folder / "t2_seg.nii.gz")}
    made.image.save(files["simulated"][0], dtype=np.int16)
    made.cord.save(files["simulated"][1])
    real = real_folder()
    if real is not None:
        names = (f"cord/{REAL}.nii.gz", f"cord/{REAL}_seg.nii.gz")
        files["real"] = (real / names[0], real / names[1])
    rows = []
    for kind, (image, mask) in files.items():
        seconds, sizes = [], []
        for n in range(repeats):
            report = folder / f"{kind}-{n}"
            done = subprocess.run(
                [sys.executable, "-c", ADDED, str(report), str(image), str(mask), f"run {n}"],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            seconds.append(float(done.stdout.split()[-1]))
            sizes.append(sum(p.stat().st_size for p in report.glob("img/**/*") if p.is_file()))
            sizes[-1] += sum(p.stat().st_size for p in report.glob("entries/*.json"))
        shape = " × ".join(str(n) for n in Image.load(image).shape)
        what = f"full 3D T2w, {kind} ({shape})"
        rows += [
            row(f"{what}: processor's time that -qc adds, median of {repeats}",
                f"{sorted(seconds)[len(seconds) // 2]:.2f} s", "< 1.5 s"),
            row(f"{what}: entry", f"{max(sizes) / 1000:.0f} kB", "≤ 500 kB"),
        ]  # fmt: skip
    return rows


def fill(report: Path, entries: int) -> None:
    """Make a report of copies of one entry."""
    subprocess.run([sys.executable, "-c", WRITER, str(report), "0", "1"], check=True, stdout=-3)
    model = read_entries(report)[0]
    source = report / model["folder"]
    for n in range(entries - 1):
        model["id"] = f"20260101T{n:012d}Z-{n:012x}"
        model["subject"], model["case"] = f"sub-{n:04d}", f"{n:016x}"
        model["folder"] = f"img/many/{model['subject']}/{model['id']}"
        shutil.copytree(source, report / model["folder"])
        (report / model["folder"] / "entry.js").write_text(entry_script(model))
        (report / "entries" / f"{model['id']}.json").write_text(json.dumps(model))
    refresh(report)


def browser():  # type: ignore[no-untyped-def]  # selenium is a library of the tests only
    """Start Chromium without a window."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1440,1000"):
        options.add_argument(option)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


MOVES = """
const done = arguments[0];
const times = [];
const next = () => {
  if (times.length === 25) { done(times); return; }
  const start = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown",
    { key: "ArrowDown", bubbles: true, cancelable: true }));
  const look = () => {
    if (QC.viewer.detail.id !== QC.table.current.id) { setTimeout(look, 1); return; }
    requestAnimationFrame(() => {
      times.push(performance.now() - start);
      setTimeout(next, 150);
    });
  };
  look();
};
next();
"""

FRAMES = """
const done = arguments[0];
const box = document.getElementById("table-scroll");
const times = [];
let last = performance.now();
const step = (now) => {
  times.push(now - last);
  last = now;
  box.scrollTop += 160;
  if (times.length === 100) done(times.slice(1));
  else requestAnimationFrame(step);
};
requestAnimationFrame(step);
"""

COHORT = """
const start = performance.now();
QC.app.setMode("cohort");
document.getElementById("cohort-scroll").getBoundingClientRect();
return performance.now() - start;
"""


if __name__ == "__main__":
    raise SystemExit(main())
