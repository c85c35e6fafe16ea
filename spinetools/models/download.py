"""Download a file: resumed where it broke off, bounded, through the proxy of the environment.

requests honours ``HTTP(S)_PROXY``, ``NO_PROXY`` and ``REQUESTS_CA_BUNDLE``, and urllib3 repeats
what failed for a moment; what is added here is going on from a partial file.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spinetools.errors import ModelError

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)

#: Called with the bytes that are there, and the size in all (0 where the server does not say).
Progress = Callable[[int, int], None]

#: No model is larger; a server that sends more is cut off.
MOST_BYTES = 8 << 30
CONNECT_TIMEOUT_S = 20.0
READ_TIMEOUT_S = 60.0
CHUNK_BYTES = 1 << 18
#: How often a download is taken up again after it broke off without having got any further.
MOST_FRUITLESS = 3
#: urllib3 waits 0 s before its second attempt, twice this before its third.
BACKOFF_S = 0.5
REPEATED_STATUS = (429, 500, 502, 503, 504)


class _BrokeOffError(Exception):
    """The connection ended before the file did."""


def download(
    url: str, path: Path, progress: Progress | None = None, most_bytes: int = MOST_BYTES
) -> None:
    """Fetch a file to ``path``.

    What has been received so far stays in ``<path>.part``, also when this process is killed; the
    next call goes on from there if the file on the server is still the same.

    Parameters
    ----------
    url
        Where it is; redirections are followed, but not from https to http.
    path
        Where to write; its folder exists.
    progress
        Called now and then.
    most_bytes
        More is refused.

    Raises
    ------
    ModelError
        When it cannot be fetched; the message says whether the next call would go on.
    """
    import requests

    part = path.with_name(f"{path.name}.part")
    fruitless = 0
    with _session() as session:
        while True:
            before = _size(part)
            try:
                _fetch(session, url, part, progress, most_bytes)
                break
            except (requests.ConnectionError, requests.Timeout, _BrokeOffError) as error:
                fruitless = fruitless + 1 if _size(part) <= before else 0
                if fruitless >= MOST_FRUITLESS:
                    raise ModelError(_broken(url, part, error)) from error
                logger.info("the download broke off at %.1f MB; going on", _size(part) / 1e6)
            except requests.RequestException as error:
                raise ModelError(f"{url} cannot be fetched: {_reason(error)}") from error
    part.replace(path)
    _note_path(part).unlink(missing_ok=True)


def forget_partial(path: Path) -> None:
    """Remove what an unfinished :func:`download` to ``path`` has left."""
    part = path.with_name(f"{path.name}.part")
    for leftover in (part, _note_path(part)):
        leftover.unlink(missing_ok=True)


def _session() -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    session = requests.Session()
    retry = Retry(
        total=3,
        backoff_factor=BACKOFF_S,
        status_forcelist=REPEATED_STATUS,
        allowed_methods=("GET",),
        raise_on_status=False,
    )
    session.mount("https://", HTTPAdapter(max_retries=retry))
    session.mount("http://", HTTPAdapter(max_retries=retry))
    # as it is: a length in bytes, and ranges, then mean the file's own
    session.headers["Accept-Encoding"] = "identity"
    return session


def _fetch(
    session: requests.Session, url: str, part: Path, progress: Progress | None, most_bytes: int
) -> None:
    """Receive the rest of the file, or all of it where the server gives no part of it."""
    have = _size(part)
    mark = _noted_mark(part, url) if have else ""
    if have and not mark:
        have = 0  # of another address, or without a mark to know the file by: start again
    headers = {"Range": f"bytes={have}-", "If-Range": mark} if have else {}
    with session.get(
        url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    ) as answer:
        _check_redirections(answer)
        if answer.status_code == 416:  # nothing lies beyond what is here: is it whole?
            if _total(answer) == have:
                return
            part.unlink(missing_ok=True)
            raise _BrokeOffError("the file on the server has changed")
        if answer.status_code not in (200, 206):
            raise ModelError(
                f"{url} cannot be fetched: the server answers {answer.status_code} {answer.reason};"
                " fetch the file otherwise and give it with -from FILE"
            )
        if answer.status_code == 206 and _first_byte(answer) != have:
            part.unlink(missing_ok=True)
            raise _BrokeOffError("the server sent another range than asked for")
        if answer.status_code == 200:
            have = 0
        length = int(answer.headers.get("Content-Length") or 0)
        total = have + length if length else 0
        if max(total, have) > most_bytes:
            raise ModelError(f"{url} is {total / 1e9:.1f} GB, more than a model is expected to be")
        _note_mark(part, url, answer)
        _receive(answer, part, have, total, progress, most_bytes)


def _receive(
    answer: requests.Response,
    part: Path,
    have: int,
    total: int,
    progress: Progress | None,
    most_bytes: int,
) -> None:
    import requests

    with part.open("r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        try:
            for chunk in answer.iter_content(CHUNK_BYTES):
                have += len(chunk)
                if have > most_bytes:
                    raise ModelError(f"{answer.url} sends more than {most_bytes} bytes; stopped")
                file.write(chunk)
                if progress is not None:
                    progress(have, total)
        except requests.exceptions.ChunkedEncodingError as error:
            raise _BrokeOffError(_reason(error)) from error
    if total and have != total:
        raise _BrokeOffError(f"{have} of {total} bytes")


def _check_redirections(answer: requests.Response) -> None:
    schemes = [urlsplit(step.url).scheme for step in (*answer.history, answer)]
    if schemes[0] == "https" and set(schemes) != {"https"}:
        raise ModelError(f"{answer.url} is not encrypted, but {answer.history[0].url} leads to it")


def _first_byte(answer: requests.Response) -> int | None:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _total(answer: requests.Response) -> int | None:
    found = re.match(r"bytes \*/(\d+)", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _note_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _note_mark(part: Path, url: str, answer: requests.Response) -> None:
    """Note which file the part belongs to; a weak ETag (W/) does not stand for its bytes."""
    etag = answer.headers.get("ETag", "")
    mark = etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")
    _note_path(part).write_text(json.dumps({"url": url, "mark": mark}), encoding="utf-8")


def _noted_mark(part: Path, url: str) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(_note_path(part).read_text(encoding="utf-8"))
        if note["url"] == url:
            return str(note["mark"])
    return ""


def _broken(url: str, part: Path, error: Exception) -> str:
    here = _size(part)
    then = f"{here / 1e6:.1f} MB are here; run again to go on" if here else "is there a network?"
    return (
        f"{url} cannot be fetched: {_reason(error)}; {then} (or fetch the file otherwise and give "
        "it with -from FILE)"
    )


def _reason(error: BaseException) -> str:
    """Return the innermost cause that says something, in one line."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _reason(reason)
    return " ".join(str(error).split())[:200] or type(error).__name__
