"""Small images of the simulated spine, as pilot scans: a short field of view, in every contrast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib import import_module
from io import StringIO
from pathlib import Path

#: Protocols, with the ending of the file's name that tells the contrast.
ENDINGS = {
    "t2_3d": "T2w", "t1_3d": "T1w", "t2s_axial": "T2star", "mt_axial": "MTS", "t2_axial": "T2w",
    "dwi_axial": "dwi",
}  # fmt: skip
#: What the commands call these contrasts.
CONTRASTS = {"T2w": "t2", "T1w": "t1", "T2star": "t2s", "MTS": "t2s", "dwi": "dwi"}
#: Field of view of 3D images (mm; levels), and in the plane of axial ones.
SIZE_3D_MM, LEVELS_3D, SIDE_MM = (50.0, 80.0, 80.0), ((1.0, 5.0), (4.0, 8.0)), 80.0
#: Commands by the name of the method.
COMMANDS = {
    "propseg": ("st_propseg",),
    "deepseg": ("st_deepseg_sc",),
    "deepseg3d": ("st_deepseg_sc", "-kernel", "3d"),
}


@dataclass(frozen=True)
class Small:
    """A phantom's files: image and exact mask, and what it is."""

    name: str
    image: Path
    truth: Path
    contrast: str
    protocol: str
    seed: int


def make(folder: Path, protocols: Iterable[str], seeds: Iterable[int]) -> Iterator[Small]:
    """Simulate each protocol with each seed, unless its files are there already."""
    from spinetools.phantom import get_protocol, make_phantom

    folder.mkdir(parents=True, exist_ok=True)
    protocols = list(protocols)
    for seed in seeds:
        for name in protocols:
            ending = ENDINGS[name]
            stem = f"sub-{seed}{name.replace('_', '')}_{ending}"
            made = Small(stem, folder / f"{stem}.nii.gz", folder / f"{stem}_truth.nii.gz",
                         CONTRASTS[ending], name, seed)  # fmt: skip
            if not (made.image.is_file() and made.truth.is_file()):
                protocol = get_protocol(name)
                if name.endswith("3d"):
                    size, levels = SIZE_3D_MM, LEVELS_3D[seed % 2]
                else:
                    size, levels = (SIDE_MM, SIDE_MM, protocol.size[2]), protocol.levels
                phantom = make_phantom(seed, protocol=replace(protocol, size=size, levels=levels))
                phantom.cord.save(made.truth)
                phantom.image.save(made.image)
            yield made


def segmented(case: Small, methods: Iterable[str] = COMMANDS) -> dict[str, Path | None]:
    """Run the methods in this process, unless their results are there; None where one failed."""
    results: dict[str, Path | None] = {}
    for method in methods:
        path = case.image.with_name(f"{case.name}_seg-{method}.nii.gz")
        failed = path.with_suffix(".failed")
        if not (path.is_file() or failed.is_file()):
            command, *options = COMMANDS[method]
            arguments = ["-v", "0", "-i", str(case.image), "-c", case.contrast, "-o", str(path)]
            main = import_module(f"spinetools.cli.{command}").main
            try:
                with redirect_stdout(StringIO()):
                    main([*arguments, *options])
            except SystemExit as stop:
                if stop.code:
                    failed.touch()
        results[method] = path if path.is_file() else None
    return results
