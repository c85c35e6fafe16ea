"""Public data sets for the tutorials: fetched by address, compared with a checksum, unpacked.

``data/datasets.json`` says what there is. Where nobody has published a checksum, the one of the
first download is pinned beside the user's models, and every later download has to fit it.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

from spinetools._version import __version__
from spinetools.errors import InputError, ModelError, OutputError
from spinetools.files import write_json
from spinetools.models.download import Progress, download, forget_partial
from spinetools.models.registry import file_sha256, nearest, plain_name
from spinetools.models.store import cache_folder
from spinetools.models.unpack import unpack

logger = logging.getLogger(__name__)

#: Form of datasets.json that this code reads.
SCHEMA = 1
#: What a data set's folder says of itself.
RECORD_NAME = "downloaded.json"
PINS_NAME = "datasets.json"


@dataclass(frozen=True)
class Dataset:
    """A data set that can be downloaded.

    Attributes
    ----------
    name, version
        Identity.
    what
        What it holds, in a line.
    file
        Name of the zip.
    urls
        Where it is published, the first one first.
    sha256
        Its checksum in hexadecimal; empty where none is published.
    licence, citation, homepage
        Under what it may be used, what to cite, and where it comes from.
    """

    name: str
    version: str
    what: str
    file: str
    urls: tuple[str, ...]
    sha256: str = ""
    licence: str = ""
    citation: str = ""
    homepage: str = ""

    @property
    def identity(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


def load_datasets() -> dict[str, Dataset]:
    """Return the known data sets by name."""
    text = files("spinetools.data").joinpath("datasets.json").read_text(encoding="utf-8")
    content = json.loads(text)
    if content["schema"] != SCHEMA:
        raise ModelError(f"datasets.json has form {content['schema']}, expected {SCHEMA}")
    found = [Dataset(**{**item, "urls": tuple(item["urls"])}) for item in content["datasets"]]
    return {plain_name(each.name, "name"): each for each in found}


def find_dataset(name: str) -> Dataset:
    """Return a data set.

    Raises
    ------
    InputError
        When there is none of this name; the nearest one is named.
    """
    known = load_datasets()
    if name not in known:
        hint = nearest(name, list(known)).replace("st_models list", "st_download_data list")
        raise InputError(f"no data set named {name!r}{hint}")
    return known[name]


def fetch(
    dataset: Dataset,
    folder: Path,
    source: Path | None = None,
    sha256: str = "",
    progress: Progress | None = None,
) -> Path:
    """Download a data set and unpack it into a new folder, as a whole or not at all.

    Parameters
    ----------
    dataset
        Which one.
    folder
        Where its files go; it must not exist, or be empty, or hold this very data set.
    source
        The zip, to be taken instead of downloading.
    sha256
        The checksum to expect where the data set has none of its own.
    progress
        Called now and then while it is fetched.

    Returns
    -------
    folder
        With the files in it, without the one folder that archives have above them.

    Raises
    ------
    ModelError
        When it cannot be fetched, does not fit its checksum or is no sound zip.
    OutputError
        When the folder is in use or the disk is full.
    """
    if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256.lower()):
        raise InputError(f"{sha256!r} is no SHA-256: 64 hexadecimal digits are expected")
    if _is_there(dataset, folder):
        logger.info("%s is there already: %s", dataset.identity, folder)
        return folder
    archive, url = _archive(dataset, folder, source, progress)
    found = _checked(dataset, archive, sha256.lower(), bool(url))
    new = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}")
    try:
        new.mkdir(parents=True)
        unpack(archive, new)
        top = _single_folder(new)
        record: dict[str, Any] = {
            "name": dataset.name, "version": dataset.version, "sha256": found,
            "from": url or str(archive.resolve()), "licence": dataset.licence,
            "citation": dataset.citation, "homepage": dataset.homepage,
            "downloaded": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "by": f"spinetools {__version__}",
        }  # fmt: skip
        write_json(top / RECORD_NAME, record)
        with suppress(FileNotFoundError):
            folder.rmdir()
        top.rename(folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {folder}: {reason}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    if url:
        archive.unlink(missing_ok=True)
    return folder


def _is_there(dataset: Dataset, folder: Path) -> bool:
    """Whether the folder holds the data set; raises where something else is in it."""
    if not folder.exists():
        return False
    with suppress(OSError, ValueError, AttributeError):
        record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        if (record.get("name"), record.get("version")) == (dataset.name, dataset.version):
            return True
    if not folder.is_dir() or any(folder.iterdir()):
        raise OutputError(f"{folder} is in the way; give another folder with -o")
    return False


def _archive(
    dataset: Dataset, folder: Path, source: Path | None, progress: Progress | None
) -> tuple[Path, str]:
    """Return the zip on this machine, and the address that it came from."""
    if source is not None:
        if not source.is_file():
            raise InputError(f"the file {source} does not exist; check the path")
        return source, ""
    path = folder.with_name(f".{dataset.file}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {folder}: {reason}") from error
    for number, url in enumerate(dataset.urls):
        logger.info("fetching %s", url)
        try:
            download(url, path, progress)
            return path, url
        except ModelError as error:
            if number + 1 == len(dataset.urls):
                raise
            logger.warning("%s", error)
    raise ModelError(f"{dataset.identity} has no address; give its zip with -from FILE")


def _checked(dataset: Dataset, archive: Path, wanted: str, fetched: bool) -> str:
    """Compare the zip with its checksum: the published one, the user's, or the pinned one."""
    found = file_sha256(archive)
    pins_path = cache_folder().parent / PINS_NAME
    pins = _pins(pins_path)
    expected = dataset.sha256 or wanted or pins.get(dataset.identity, "")
    if expected and found != expected:
        if fetched:
            archive.unlink()
            forget_partial(archive)
        whose = "datasets.json" if dataset.sha256 else "-sha256" if wanted else str(pins_path)
        raise ModelError(
            f"wrong checksum: {archive.name} of {dataset.identity} has SHA-256 {found}, expected "
            f"{expected} ({whose}); nothing was unpacked. GitHub may pack an archive anew: compare "
            "with somebody else's, and give it with -sha256"
        )
    if not expected:
        logger.warning(
            "no checksum of %s is published: SHA-256 %s is pinned from now on", dataset.identity,
            found,
        )  # fmt: skip
    if not dataset.sha256 and pins.get(dataset.identity) != found:
        write_json(pins_path, {**pins, dataset.identity: found})
    return found


def _pins(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(sha) for name, sha in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read ({error}); mend or remove it") from error


def _single_folder(folder: Path) -> Path:
    """Return the one folder that everything lies in, else the folder itself."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
