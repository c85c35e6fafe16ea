"""What st_models does: list, info, install, verify, path."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spinetools.errors import ModelError
from spinetools.files import parse_json
from spinetools.models.card import ModelCard, read_card
from spinetools.models.download import Progress
from spinetools.models.install import install
from spinetools.models.registry import Entry, find_entry, load_registry, shipped_folder
from spinetools.models.store import (
    find_model,
    installed_models,
    places,
    read_record,
    results_folders,
)
from spinetools.models.verify import verify

WIDTH = 100


def show_list(_args: argparse.Namespace) -> None:
    """Print a line a model: name, version, engine, where it is, what it computes."""
    rows = [("name", "version", "engine", "where", "default for")]
    listed: set[Path] = set()
    for entry in load_registry().values():
        path = _found(entry.identity)
        if path is not None:
            listed.add(path)
        rows.append(
            (entry.name, entry.version, entry.engine, _where(path, entry),
             ", ".join(entry.default_for) or "–")
        )  # fmt: skip
    rows += [(*_identity(path), str(path), "–") for path in _not_in_registry(listed)]
    print(_table(rows))


def show_info(args: argparse.Namespace) -> None:
    """Print what is known of a model, from the registry and from its own card."""
    entry = find_entry(args.name)
    path = _found(args.name) if entry is not None else find_model(args.name)
    blocks: list[str] = []
    if path is not None and path.is_file():
        blocks.append(_card_text(read_card(path), path, entry))
    elif entry is not None:
        blocks.append(_entry_text(entry, path))
    if path is not None and path.is_dir():
        blocks += [_results_text(part, folder) for part, folder in results_folders(path).items()]
    if path is None and entry is not None:
        blocks.append(f"not installed: st_models install {entry.name}")
    print("\n\n".join(blocks))


def install_one(args: argparse.Namespace) -> None:
    """Install a model and print where it is."""
    sources = [Path(source) for source in args.sources or ()]
    with _progress_bar(args.v) as progress:
        folder = install(args.name, sources, Path(args.to) if args.to else None, progress)
    if folder != shipped_folder() and args.v:
        print(f"written: {folder}")


def verify_all(args: argparse.Namespace) -> None:
    """Check the files of one or all models; name what is wrong, and fail then."""
    findings = verify(args.name or "")
    if not findings:
        find_model(args.name)  # says what there is
        raise ModelError(f"there is no checksum of {args.name} on record")
    wrong = [finding for finding in findings if finding.problem]
    for finding in findings:
        if args.v == 2 or finding.problem:
            print(f"{finding.model}: {finding.path}: {finding.problem or 'right'}")
    if wrong:
        names = ", ".join(sorted({finding.model for finding in wrong}))
        first = wrong[0]
        raise ModelError(
            f"{len(wrong)} of {len(findings)} files are not as they should be, in {names} (first: "
            f"{first.path}, {first.problem}); install spinetools or the model again"
        )
    models = len({finding.model for finding in findings})
    if args.v:
        print(f"{len(findings)} files of {models} models are as on record")


def show_path(args: argparse.Namespace) -> None:
    """Print where a model lies, or the folders that are searched."""
    if args.name is not None:
        print(find_model(args.name))
        return
    for place in places():
        print(f"{place.kind:<9} {place.folder}")


# -- text --------------------------------------------------------------------------------------


def _card_text(card: ModelCard, path: Path, entry: Entry | None) -> str:
    thresholds = {key: f"{value:g}" for key, value in sorted(card.thresholds.items())}
    rows = {
        "model": f"{card.name} {card.version}",
        "computes": card.task,
        "file": f"{path} ({path.stat().st_size / 1e6:.1f} MB)",
        "input": f"{card.axes}, orientation {card.orientation} (nibabel's letters)",
        "channels": ", ".join(card.channels),
        "spacing": f"{_times(card.spacing_mm)} mm",
        "patch": f"{_times(card.patch)} voxels, overlap {card.overlap:g}" if card.patch else "any",
        "normalisation": card.normalisation,
        "output": ", ".join(card.labels),
        "threshold": ", ".join(f"{key} {value}" for key, value in thresholds.items())
        or f"{card.threshold():g}",
        "mirroring": ", ".join(card.tta) or "none",
        "licence": card.licence or (entry.licence if entry is not None else ""),
        "cite": card.citation or (entry.citation if entry is not None else ""),
    }
    training = {key: value for key, value in card.training.items() if key != "data"}
    data = card.training.get("data", {})
    blocks = [_pairs(rows), "training\n" + _pairs(training, "  ")]
    if isinstance(data, Mapping) and data:
        blocks.append("trained on\n" + _pairs(data, "  "))
    if card.benchmark:
        columns = list(dict.fromkeys(column for row in card.benchmark for column in row))
        cells = [[row.get(column, "") for column in columns] for row in card.benchmark]
        blocks.append("measured\n" + textwrap.indent(_table([columns, *cells]), "  "))
    if card.failures:
        blocks.append("known to fail\n" + "\n".join(_item(text) for text in card.failures))
    return "\n\n".join(blocks)


def _entry_text(entry: Entry, path: Path | None) -> str:
    rows = {
        "model": f"{entry.name} {entry.version}",
        "computes": entry.task,
        "engine": entry.engine,
        "where": str(path) if path is not None else "not installed",
        "orientation": f"{entry.orientation} (nibabel's letters)" if entry.orientation else "",
        "spacing": f"{_times(entry.spacing_mm)} mm" if entry.spacing_mm else "",
        "default for": ", ".join(entry.default_for),
        "licence": entry.licence,
        "cite": entry.citation,
        "home": entry.homepage,
    }
    files = []
    for file in entry.files:
        files.append(_item(file.file + (f" ({file.part})" if file.part else "")))
        files += [f"    {url}" for url in file.urls]
        files.append(f"    SHA-256 {file.sha256 or 'unknown; pinned at the first installation'}")
    return _pairs(rows) + "\n\nfiles\n" + "\n".join(files)


def _results_text(part: str, folder: Path) -> str:
    """Tell of an nnU-Net results folder what its two JSON files say."""
    try:
        dataset = parse_json((folder / "dataset.json").read_text(encoding="utf-8"))
        plans = parse_json((folder / "plans.json").read_text(encoding="utf-8"))
        rows: dict[str, Any] = {
            "folder": folder,
            "channels": ", ".join(str(name) for name in dataset["channel_names"].values()),
            "labels": ", ".join(f"{name} {value}" for name, value in dataset["labels"].items()),
            "trained on": f"{dataset.get('numTraining', '?')} images",
            "folds": ", ".join(path.name for path in sorted(folder.glob("fold_*"))),
        }
        for name, values in plans["configurations"].items():
            if "spacing" in values and "patch_size" in values:
                rows[name] = (
                    f"{_times(values['spacing'])} mm, patch {_times(values['patch_size'])} "
                    "(nnU-Net's order of axes: z, y, x)"
                )
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"{folder} is no sound nnU-Net results folder: {error}") from error
    return f"{part or 'network'}\n" + _pairs(rows, "  ")


def _pairs(rows: Mapping[str, Any], indent: str = "") -> str:
    """Return names and values below each other; empty values are left out."""
    shown = {str(key): str(value) for key, value in rows.items() if str(value)}
    width = max(map(len, shown), default=0) + 2
    return "\n".join(
        textwrap.fill(
            value, WIDTH, initial_indent=f"{indent}{key:<{width}}",
            subsequent_indent=indent + " " * width, break_long_words=False, break_on_hyphens=False,
        )
        for key, value in shown.items()
    )  # fmt: skip


def _item(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  - ", subsequent_indent="    ")


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _times(numbers: Sequence[float]) -> str:
    return " × ".join(f"{number:g}" for number in numbers)


# -- finding -----------------------------------------------------------------------------------


def _found(name: str) -> Path | None:
    try:
        return find_model(name)
    except ModelError:
        return None


def _where(path: Path | None, entry: Entry) -> str:
    if path is None:
        return "can be installed" if entry.published else "missing"
    inside = shipped_folder() in path.parents
    return "in the package" if inside else str(path)


def _not_in_registry(listed: set[Path]) -> list[Path]:
    """Return installed models and ONNX files of one's own that the registry does not name."""
    own = [
        path
        for place in places()
        if place.kind == "own" and place.folder.is_dir()
        for path in sorted(place.folder.glob("*.onnx"))
    ]
    return [path for path in (*own, *installed_models()) if path not in listed]


def _identity(path: Path) -> tuple[str, str, str]:
    if path.is_file():
        card = read_card(path)
        return card.name, card.version, "onnx"
    record = read_record(path)
    return record["name"], record["version"], record["engine"]


@contextmanager
def _progress_bar(verbosity: int) -> Iterator[Progress | None]:
    """Give a function that draws a bar after two seconds, on a terminal only."""
    if verbosity == 0 or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit="B", unit_scale=True, delay=2, leave=False, file=sys.stderr) as bar:

        def progress(have: int, total: int) -> None:
            bar.total = total or None
            bar.update(have - bar.n)

        yield progress
