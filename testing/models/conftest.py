"""A server at 127.0.0.1 that behaves well or badly, and small models to serve."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from spinetools.models import download


@dataclass
class Site:
    """What the server has, how it behaves, and what it was asked.

    ``cut_at`` is the number of bytes after which it breaks off, for each of the next answers.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    cut_at: list[int] = field(default_factory=list)
    ranges: bool = True
    tell_length: bool = True
    failures: list[int] = field(default_factory=list)
    redirect: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.close_connection = True
            name = self.path.rpartition("/")[2]
            wanted = self.headers.get("Range", "")
            site.asked.append((self.path, wanted))
            if site.failures:
                self._answer(site.failures.pop(0))
            elif name in site.redirect:
                self._answer(302, Location=site.redirect[name])
            elif name not in site.files:
                self._answer(404)
            else:
                self._send(site.files[name], wanted, site.etags.get(name, f'"{name}"'))

        def _answer(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()

        def _send(self, body: bytes, wanted: str, etag: str) -> None:
            first = 0
            same = self.headers.get("If-Range", etag) == etag
            if wanted and site.ranges and same:
                first = int(wanted.removeprefix("bytes=").rstrip("-"))
                if first >= len(body):
                    self._answer(416, Content_Range=f"bytes */{len(body)}")
                    return
            self.send_response(206 if first else 200)
            if etag:
                self.send_header("ETag", etag)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            if site.tell_length:
                self.send_header("Content-Length", str(len(body) - first))
            self.send_header("Connection", "close")
            self.end_headers()
            cut = site.cut_at.pop(0) if site.cut_at else len(body)
            self.wfile.write(body[first : first + cut])

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server at 127.0.0.1; nothing waits between attempts."""
    monkeypatch.setattr(download, "BACKOFF_S", 0.0)
    monkeypatch.setattr(download, "CHUNK_BYTES", 100)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the user's own, and no other places."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("spinetools.models.store.cache_folder", lambda: folder)
    monkeypatch.setattr("spinetools.models.install.cache_folder", lambda: folder)
    monkeypatch.delenv("SPINETOOLS_MODELS", raising=False)
    return folder


def results_zip(dataset: str, content: bytes = b"weights", **more: bytes) -> bytes:
    """A zip in the layout of a published nnU-Net model; ``more`` are further entries."""
    base = f"{dataset}/nnUNetTrainer__nnUNetPlans__3d_fullres"
    plans = {"configurations": {"3d_fullres": {"spacing": [1, 1, 1], "patch_size": [8, 16, 24]}}}
    described = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "cord": 1}}
    entries = {
        f"{base}/plans.json": json.dumps(plans).encode(),
        f"{base}/dataset.json": json.dumps(described).encode(),
        f"{base}/fold_0/checkpoint_final.pth": content,
        f"__MACOSX/{dataset}/._plans.json": b"noise",
        **more,
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return target.getvalue()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site, cache: Path) -> Path:
    """A laboratory's own registry: ``twostep`` of two zips and ``onestep`` of one."""
    folder = tmp_path / "lab"
    folder.mkdir()
    site.files["one.zip"] = results_zip("Dataset101_one")
    site.files["two.zip"] = results_zip("Dataset102_two", b"other weights")
    common = {"version": "r1", "engine": "nnunet", "task": "a test"}
    files = [
        {
            "part": part, "file": f"{name}.zip", "urls": [site.url(f"{name}.zip")],
            "layout": f"Dataset{number}_{name}/*__*__*",
        }
        for part, name, number in [("step1", "one", 101), ("step2", "two", 102)]
    ]  # fmt: skip
    single = {key: value for key, value in files[0].items() if key != "part"}
    write_registry(
        folder,
        {"name": "twostep", **common, "files": files},
        {"name": "onestep", **common, "files": [single]},
    )
    monkeypatch.setenv("SPINETOOLS_MODELS", str(folder))
    return folder


def write_registry(folder: Path, *models: dict[str, object]) -> None:
    """Write a registry file."""
    content = {"schema": 1, "models": models}
    (folder / "registry.json").write_text(json.dumps(content), encoding="utf-8")
