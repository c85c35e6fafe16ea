"""BIDS derivatives: where results go, what they are called, and what tells of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from spinetools._version import __version__
from spinetools.bids.dataset import DESCRIPTION, Dataset, absolute, open_dataset, read_object
from spinetools.bids.names import ORDER, BidsName, parse_name
from spinetools.errors import InputError, OutputError
from spinetools.files import write_json, write_text

#: The version of BIDS that is written.
BIDS_VERSION = "1.10.0"
#: How this pipeline is called in ``GeneratedBy``, and where its results go by default.
PIPELINE = "spinetools"
#: Entities of a source that its derivatives keep, by the kind of image (BIDS 1.10, the schema's
#: ``rules/files/deriv/imaging``: what masks, discrete and probabilistic segmentations all have).
KEPT = {
    "anat": ("task", "acq", "ce", "rec", "run", "echo", "part", "chunk"),
    "dwi": ("acq", "rec", "dir", "run", "part", "chunk"),
    "func": ("task", "acq", "ce", "rec", "dir", "run", "echo", "part", "chunk"),
}
#: Entities that say what was done to a source; its derivatives say it in ``desc``.
_DONE = ("atlas", "seg", "scale", "label", "desc")
#: What a mask shows, by its label.
LABELS = {
    "SC": "Spinal cord",
    "canal": "Spinal canal, with the cord in it",
    "CSF": "Cerebrospinal fluid round the spinal cord",
    "centerline": "Centreline of the spinal cord",
    "cross": "Extremes of the spinal cord in each slice",
}
#: What BIDS has no names for; it is written all the same, where it is asked for.
IGNORED = (
    "*_mesh.*", "*_statistics.*", "*_preview.*", "*_uncertainty.*", "qc/", "results/", "log/",
)  # fmt: skip


README = """\
Made by spinetools from the data sets that dataset_description.json names as sources.

space-<suffix>  the image whose grid a file is on, as its suffix says what it holds
label-SC        spinal cord; canal, CSF, centerline: what they say
seg-<scheme>    scheme of the values in a _dseg file, whose table is the _dseg.tsv of its name
desc-<method>   how it was made: propseg, deepseg, deepseg3d, vertebrae, optic, cnn, fitseg, viewer

The sidecars (.json) hold command lines, versions, models and what was said of the result.
"""


@dataclass(frozen=True)
class Output:
    """What a result is, in BIDS' words.

    Attributes
    ----------
    suffix
        ``mask``, ``dseg``, ``probseg``; other words for what BIDS has no name for.
    desc
        How it was made: ``propseg``.
    label
        What a mask shows: ``SC``.
    seg
        The scheme of a segmentation's values: ``totalspineseg``.
    res
        The grid, where it is not the image's: ``iso``.
    extension
        From the first dot on.
    """

    suffix: str
    desc: str
    label: str | None = None
    seg: str | None = None
    res: str | None = None
    extension: str = ".nii.gz"


@dataclass(frozen=True)
class Derivatives:
    """A derivative data set that is written to.

    Attributes
    ----------
    root
        Its folder; absolute.
    source
        The data set whose images it comes from.
    """

    root: Path
    source: Dataset

    @classmethod
    def of(cls, source: Dataset, folder: str | os.PathLike[str] | None = None) -> Derivatives:
        """Return the derivatives of a data set.

        Parameters
        ----------
        source
            Where the images are.
        folder
            Where results go; None for ``derivatives/spinetools`` in the source, or the source
            itself where it is a derivative of this pipeline.

        Raises
        ------
        OutputError
            When the folder holds another data set, or lies inside the source's images.
        """
        made = PIPELINE in _makers(source.description) and source.is_derivative
        default = source.root if made else source.root / "derivatives" / PIPELINE
        root = default if folder is None else absolute(folder)
        if root != source.root and root.is_relative_to(source.root):
            first = root.relative_to(source.root).parts[0]
            if first not in ("derivatives", "sourcedata"):
                raise OutputError(
                    f"{root} lies inside the data set {source.root}, where results may only be in "
                    "derivatives/; choose another -ofolder"
                )
        if (root / DESCRIPTION).is_file():
            there = open_dataset(root)
            if not there.is_derivative or PIPELINE not in _makers(there.description):
                kind = "a derivative of another pipeline" if there.is_derivative else "raw data"
                raise OutputError(
                    f"{root} is {kind} ({there.title}), which stays as it is; choose another "
                    "-ofolder"
                )
        return cls(root, source)

    def path(self, image: str | os.PathLike[str], output: Output) -> Path:
        """Return where a result goes.

        ``sub-01_ses-02_run-1_T2w`` and the mask of a cord give
        ``sub-01/ses-02/anat/sub-01_ses-02_run-1_space-T2w_label-SC_desc-propseg_mask.nii.gz``: the
        image whose grid it is on is named as the space, since the suffix says what it holds.

        Raises
        ------
        InputError
            When the image is none of BIDS.
        """
        name = self.source.check_image(image)
        place = self.source.below(self.source.root / image).rpartition("/")[0]
        kept = ("sub", "ses", *KEPT[place.rpartition("/")[2]])
        entities = {key: value for key, value in name.entities.items() if key in kept}
        entities["space"] = _space_of(name, kept)
        done = [name.entities[key] for key in ("seg", "label", "desc") if key in name.entities]
        first, *others = [*done, output.desc]
        entities["desc"] = first + "".join(f"{word[0].upper()}{word[1:]}" for word in others)
        for key in ("label", "seg", "res"):
            value = getattr(output, key)
            if value is not None:
                entities[key] = re.sub(r"[^0-9A-Za-z+]", "", value)
        return self.root / place / str(BidsName(entities, output.suffix, output.extension))

    def prepare(self) -> str:
        """Write what describes the data set, unless it is there, and return the source's link name.

        Many processes may do so at once.

        Raises
        ------
        OutputError
            When it cannot be written.
        """
        link = self._link()
        if link is not None:
            return link
        from filelock import FileLock

        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / ".lock"):
                return self._link() or self._write()
        except OSError as error:
            raise OutputError(
                f"cannot write {self.root}: {(error.strerror or str(error)).lower()}; choose "
                "another -ofolder"
            ) from error

    def uri(self, path: str | os.PathLike[str], link: str) -> str:
        """Return how a sidecar names a file: ``bids:raw:sub-01/anat/sub-01_T2w.nii.gz``."""
        full = absolute(path)
        for root, name in ((self.root, ""), (self.source.root, link)):
            if full.is_relative_to(root):
                return f"bids:{name}:{quote(full.relative_to(root).as_posix())}"
        return full.as_uri()

    def _link(self) -> str | None:
        """Return the name under which the description knows the source; None if it is missing."""
        path = self.root / DESCRIPTION
        if self.root == self.source.root:
            return ""
        if not path.is_file() or not (self.root / ".bidsignore").is_file():
            return None
        content = read_object(path)
        if _maker() not in content.get("GeneratedBy", []):
            return None
        where = self._where()
        links = _links(content)
        return next((name for name, target in links.items() if target == where), None)

    def _write(self) -> str:
        path = self.root / DESCRIPTION
        content = read_object(path) if path.is_file() else {}
        where, links = self._where(), _links(content)
        wanted = "raw"
        if self.source.is_derivative:
            wanted = re.sub(r"[^0-9A-Za-z]", "", self.source.root.name) or "derivative"
        names = [wanted, *(f"{wanted}{n}" for n in range(2, len(links) + 3))]
        link = next(name for name in names if links.get(name, where) == where)
        makers = content.get("GeneratedBy", [])
        sources = content.get("SourceDatasets", [])
        entry = {"URL": where}
        for file, text in ((".bidsignore", "\n".join(IGNORED) + "\n"), ("README", README)):
            if not (self.root / file).is_file():
                write_text(self.root / file, text)
        write_json(path, {
            "Name": f"{self.source.title}: {PIPELINE}",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            **{key: self.source.description[key] for key in ("License", "Authors")
               if key in self.source.description},
            **content,
            "GeneratedBy": makers if _maker() in makers else [*makers, _maker()],
            "SourceDatasets": sources if entry in sources else [*sources, entry],
            "DatasetLinks": {**links, link: where},
        })  # fmt: skip
        return link

    def _where(self) -> str:
        """Return the way from here to the source, so that both can be moved together."""
        try:
            return quote(Path(os.path.relpath(self.source.root, self.root)).as_posix())
        except ValueError:  # Windows: another drive
            return self.source.root.as_uri()


def fields_of(name: BidsName) -> dict[str, Any]:
    """Return what the sidecar of a result has to say in BIDS, from the result's name."""
    entities = name.entities
    what = LABELS.get(entities.get("label", ""), entities.get("label", "Labels of the spine"))
    fields: dict[str, Any] = {"Description": f"{what} ({entities.get('desc', PIPELINE)})"}
    if name.suffix in ("mask", "dseg", "probseg"):
        fields["Manual"] = entities.get("desc", "").lower().endswith("viewer")
    if name.suffix == "mask":
        fields["Type"] = "ROI"
    if "res" in entities:
        fields["Resolution"] = {entities["res"]: "isotropic working grid"}
    return fields


def image_of(stem: str) -> str | None:
    """Return the image that a segmentation was made of, by its name; None where it does not tell.

    ``sub-01_run-1_space-T2w_desc-vertebrae_dseg`` is of ``sub-01_run-1_T2w``; both are
    names without their extensions.
    """
    try:
        name = parse_name(stem)
    except InputError:
        return None
    if "space" not in name.entities:
        return None
    kept = {key: value for key, value in name.entities.items()
            if key not in (*_DONE, "space", "res", "den")}  # fmt: skip
    return str(BidsName(kept, name.entities["space"], ""))


def _space_of(name: BidsName, kept: tuple[str, ...]) -> str:
    """Name the grid: the image's suffix, and what derivatives have no entity for."""
    lost = [key for key in ORDER
            if key in name.entities and key not in (*kept, *_DONE, "space")]  # fmt: skip
    folded = "".join(f"{key}{name.entities[key]}" for key in lost)
    return folded + name.entities.get("space", name.suffix)


def _maker() -> dict[str, str]:
    return {"Name": PIPELINE, "Version": __version__}


def _makers(description: Mapping[str, Any]) -> list[str]:
    """Return the pipelines that made a data set."""
    makers = description.get("GeneratedBy", [])
    return [str(maker.get("Name")) for maker in makers if isinstance(maker, Mapping)]


def _links(content: Mapping[str, Any]) -> dict[str, str]:
    links = content.get("DatasetLinks", {})
    return dict(links) if isinstance(links, Mapping) else {}
