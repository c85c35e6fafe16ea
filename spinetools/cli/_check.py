"""What st_check looks at: versions, packages, extras, models, devices, memory, a self-test."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from spinetools._version import __version__
from spinetools.errors import SpinetoolsError

#: Modules of packages whose name differs from theirs.
MODULES = {
    "pillow": "PIL",
    "scikit-image": "skimage",
    "connected-components-3d": "cc3d",
}
#: Extras that users install; the others are for who changes spinetools.
USER_EXTRAS_FIRST = ("viewer", "batch", "bids", "dicom", "radiomics", "train", "nnunet")
#: Programs that some commands start or name.
PROGRAMS = ("bash", "fsleyes", "itksnap", "dcm2niix")
#: A Dice coefficient that the self-test's mask has to reach; it was 0.95 when this was written.
LEAST_DICE = 0.9
#: Results of a cohort need more; less than this is hardly enough for one image (GB).
LEAST_DISK_GB = 1.0
LEAST_MEMORY_GB = 2.0


@dataclass
class Report:
    """What was found.

    Attributes
    ----------
    facts
        Sections, each a mapping of names to values.
    problems
        What keeps commands from working, a line each.
    """

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def look(self_test: bool = True) -> Report:
    """Look at everything; a section that fails is a problem, and the others go on."""
    report = Report()
    sections: dict[str, Callable[[Report], dict[str, Any]]] = {
        "spinetools": lambda _: about_us(),
        "system": lambda _: about_system(),
        "packages": packages,
        "extras": lambda _: extras(),
        "programs": lambda _: {name: shutil.which(name) or "not found" for name in PROGRAMS},
        "models": models,
        "devices": devices,
        "resources": resources,
    }
    if self_test:
        sections["self-test"] = self_tested
    for name, section in sections.items():
        try:
            report.facts[name] = section(report)
        except Exception as error:  # noqa: PERF203  # this runs where things are broken
            report.facts[name] = {"failed": one_line(error)}
            report.problems.append(f"{name}: {one_line(error)}")
    return report


def about_us() -> dict[str, Any]:
    """Return our version, and where we are."""
    import spinetools

    ours = {name: value for name, value in os.environ.items() if name.startswith("SPINETOOLS_")}
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "version": __version__,
        "folder": str(Path(spinetools.__file__).parent),
        "environment": {**ours, **({"OMP_NUM_THREADS": threads} if threads else {})},
    }


def about_system() -> dict[str, Any]:
    """Return Python and the machine."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "executable": sys.executable,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "encoding": f"{sys.stdout.encoding}, files {sys.getfilesystemencoding()}",
        "container": "yes" if in_container() else "no sign of one",
    }


def in_container() -> bool:
    """Whether this runs in a container that says so."""
    marks = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/.singularity.d"))
    return any(mark.exists() for mark in marks)


def requirements() -> Iterator[tuple[str, str]]:
    """Yield (package, extra) of all that the installed package asks for; no extra is empty."""
    for line in distribution("spinetools").requires or ():
        found = re.match(r"([A-Za-z0-9._-]+)", line)
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", line)
        if found:
            yield found[1], extra[1] if extra else ""


def packages(report: Report) -> dict[str, Any]:
    """Import every package that the commands need; one that does not load is a problem."""
    found: dict[str, Any] = {}
    for name in sorted(name for name, extra in requirements() if not extra):
        try:
            import_module(MODULES.get(name.lower(), name.replace("-", "_")))
            found[name] = version(name)
        except Exception as error:  # noqa: PERF203  # a broken binary raises anything
            found[name] = f"cannot be loaded: {one_line(error)}"
            report.problems.append(f"{name} cannot be loaded; install spinetools again")
    return found


def extras() -> dict[str, Any]:
    """Return for every extra whether it is there, else what it lacks."""
    wanted: dict[str, list[str]] = {}
    for name, extra in requirements():
        if extra:
            wanted.setdefault(extra, []).append(name)
    order = [*[name for name in USER_EXTRAS_FIRST if name in wanted], *sorted(wanted)]
    found = {}
    for extra in dict.fromkeys(order):
        lacking = [name for name in wanted[extra] if not installed_version(name)]
        there = [f"{n} {installed_version(n)}" for n in wanted[extra] if n not in lacking]
        found[extra] = f"lacks {', '.join(lacking)}" if lacking else ", ".join(there)
    return found


def installed_version(name: str) -> str:
    """Return a package's version; empty where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def models(report: Report) -> dict[str, Any]:
    """Compare all models with their checksums."""
    from spinetools.models.store import places
    from spinetools.models.verify import verify

    findings = verify()
    wrong = [finding for finding in findings if finding.problem]
    report.problems += [f"{finding.path}: {finding.problem}" for finding in wrong]
    names = list(dict.fromkeys(finding.model for finding in findings))
    return {
        "verified": f"{len(findings) - len(wrong)} of {len(findings)} files are as on record",
        "there": ", ".join(names),
        "looked for in": ", ".join(str(place.folder) for place in places()),
    }


def devices(_report: Report) -> dict[str, Any]:
    """Return where networks run."""
    import onnxruntime

    from spinetools.infer.device import choose_device

    return {
        "chosen": str(choose_device("auto")),
        "ONNX Runtime": ", ".join(onnxruntime.get_available_providers()),
        "torch": installed_version("torch") or "not installed (for training only)",
        "window toolkit": toolkit(),
    }


def toolkit() -> str:
    """Return what -method viewer would open its window with."""
    for module, name in (("tkinter", "Tk"), ("PySide6", "Qt"), ("PyQt6", "Qt"), ("PyQt5", "Qt")):
        try:
            import_module(module)
            return name
        except ImportError:  # noqa: PERF203
            continue
    return "none (pip install 'spinetools[viewer]')"


def resources(report: Report) -> dict[str, Any]:
    """Return threads, memory and disk, in GB."""
    from spinetools.infer.onnx import n_threads
    from spinetools.models.store import cache_folder

    total, free = memory_gb()
    found: dict[str, Any] = {
        "cores": os.cpu_count(),
        "threads": n_threads(),
        "memory": f"{total:.1f} GB" if total else "not known",
        "memory free": f"{free:.1f} GB" if free else "not known",
    }
    if free and free < LEAST_MEMORY_GB:
        report.problems.append(f"{free:.1f} GB of memory are free, some commands need more")
    for what, folder in (("here", Path.cwd()), ("temporary", Path(tempfile.gettempdir())),
                         ("models", cache_folder())):  # fmt: skip
        there = next(path for path in (folder, *folder.parents) if path.exists())
        gb = shutil.disk_usage(there).free / 1e9
        found[f"disk, {what}"] = f"{gb:.1f} GB free, {folder}"
        if gb < LEAST_DISK_GB:
            report.problems.append(f"{gb:.1f} GB are free in {folder}")
        if not os.access(there, os.W_OK):
            found[f"disk, {what}"] += ", not writable"
    return found


def memory_gb() -> tuple[float, float]:
    """Return all memory and what is free of it, in GB; 0 where the system does not tell."""
    try:
        import psutil

        known = psutil.virtual_memory()
        return known.total / 1e9, known.available / 1e9
    except ImportError:
        pass
    values = []
    for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"):
        try:
            # by name: Windows has no such function, macOS not the second number
            asked = getattr(os, "sysconf")  # noqa: B009
            values.append(int(asked(name)) * int(asked("SC_PAGE_SIZE")) / 1e9)
        except (AttributeError, OSError, ValueError):  # noqa: PERF203
            values.append(0.0)
    return values[0], values[1]


def self_tested(report: Report) -> dict[str, Any]:
    """Segment a small simulated image in a folder of its own, and compare it with the truth."""
    from dataclasses import replace

    from spinetools.deepseg import DeepsegParams, segment_cord
    from spinetools.image import load_mask, load_volume
    from spinetools.metrics.overlap import dice
    from spinetools.phantom import get_protocol, make_phantom

    start = time.monotonic()
    protocol = replace(
        get_protocol("t2_axial"), spacing=(1.0, 1.0, 5.0), size=(100, 100, 60), levels=(2, 5)
    )
    phantom = make_phantom(1, "t2", protocol)
    made = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = phantom.image.save(Path(folder, "phantom.nii.gz"), dtype="int16")
        result = segment_cord(load_volume(path), "t2", DeepsegParams())
        mask = load_mask(result.mask.save(Path(folder, "mask.nii.gz")))
    found = dice(mask.data > 0, phantom.cord.data > 0)
    done = time.monotonic()
    if not found >= LEAST_DICE:
        report.problems.append(f"self-test: Dice {found:.3f}, expected at least {LEAST_DICE}")
    return {
        "Dice": round(float(found), 3),
        "seconds": f"{made - start:.1f} (image), {done - made:.1f} (st_deepseg_sc)",
        "image": " × ".join(map(str, phantom.space.shape)) + " voxels",
    }


def one_line(error: BaseException) -> str:
    """Return an error in one line."""
    text = " ".join(str(error).split())[:300] or type(error).__name__
    known = isinstance(error, (SpinetoolsError, ImportError, OSError))
    return text if known else f"{type(error).__name__}: {text}"


def as_text(report: Report) -> str:
    """Return the report for people, and for pasting into a bug report."""
    lines = []
    for section, values in report.facts.items():
        lines.append(section)
        width = max((len(name) for name in values), default=0) + 2
        for name, value in values.items():
            shown = ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(
                value, Mapping
            ) else value  # fmt: skip
            lines.append(f"  {name:<{width}}{shown if shown not in ('', None) else '–'}")
    return "\n".join(lines)
