"""Downloads from a server that behaves well or badly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spinetools.errors import ModelError
from spinetools.models import download as module
from spinetools.models.download import download, forget_partial

from .conftest import Site

BODY = bytes(range(256)) * 8  # 2048 bytes


@pytest.fixture
def target(tmp_path: Path, site: Site) -> Path:
    site.files["a.zip"] = BODY
    return tmp_path / "a.zip"


def nothing_but(target: Path) -> bool:
    return [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_good_server(site: Site, target: Path) -> None:
    seen: list[tuple[int, int]] = []
    download(site.url("a.zip"), target, lambda have, total: seen.append((have, total)))
    assert target.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert nothing_but(target)
    assert site.asked == [("/a.zip", "")]


def test_a_broken_connection_is_taken_up_again(site: Site, target: Path) -> None:
    site.cut_at = [700, 500]
    download(site.url("a.zip"), target)
    assert target.read_bytes() == BODY
    assert [wanted for _, wanted in site.asked] == ["", "bytes=700-", "bytes=1200-"]
    assert nothing_but(target)


def test_what_is_here_is_kept_for_the_next_call(site: Site, target: Path) -> None:
    site.cut_at = [700, 0, 0, 0]
    with pytest.raises(ModelError, match=r"0\.0 MB are here; run again to go on"):
        download(site.url("a.zip"), target)
    assert not target.exists()
    assert (target.parent / "a.zip.part").read_bytes() == BODY[:700]
    site.asked.clear()
    download(site.url("a.zip"), target)
    assert site.asked == [("/a.zip", "bytes=700-")]
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("etag", ['"new"', "W/weak", ""])
def test_a_file_that_changed_meanwhile_is_fetched_anew(site: Site, target: Path, etag: str) -> None:
    site.cut_at = [700, 0, 0, 0]
    with pytest.raises(ModelError):
        download(site.url("a.zip"), target)
    site.files["a.zip"] = BODY[::-1]
    site.etags["a.zip"] = etag
    download(site.url("a.zip"), target)
    assert target.read_bytes() == BODY[::-1]


def test_a_part_of_another_address_is_not_gone_on_with(site: Site, target: Path) -> None:
    site.cut_at = [700, 0, 0, 0]
    with pytest.raises(ModelError):
        download(site.url("a.zip"), target)
    site.files["b.zip"] = b"b" * 2048
    download(site.url("b.zip"), target)
    assert target.read_bytes() == b"b" * 2048


def test_a_server_that_knows_no_ranges(site: Site, target: Path) -> None:
    site.ranges = False
    site.cut_at = [700]
    download(site.url("a.zip"), target)
    assert target.read_bytes() == BODY


def test_a_whole_part_is_not_fetched_again(site: Site, target: Path) -> None:
    """The process was killed between the last byte and the renaming."""
    part = target.with_name("a.zip.part")
    part.write_bytes(BODY)
    note = {"url": site.url("a.zip"), "mark": '"a.zip"'}
    part.with_name("a.zip.part.json").write_text(json.dumps(note))
    download(site.url("a.zip"), target)
    assert site.asked == [("/a.zip", f"bytes={len(BODY)}-")]
    assert target.read_bytes() == BODY


def test_a_part_that_is_too_long_is_thrown_away(site: Site, target: Path) -> None:
    part = target.with_name("a.zip.part")
    part.write_bytes(BODY + b"too much")
    note = {"url": site.url("a.zip"), "mark": '"a.zip"'}
    part.with_name("a.zip.part.json").write_text(json.dumps(note))
    download(site.url("a.zip"), target)
    assert target.read_bytes() == BODY


def test_a_server_that_is_busy_for_a_moment(site: Site, target: Path) -> None:
    site.failures = [503, 500]
    download(site.url("a.zip"), target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_file_that_is_not_there(site: Site, target: Path, status: int) -> None:
    site.failures = [status]
    with pytest.raises(ModelError, match=f"the server answers {status}.*-from FILE"):
        download(site.url("a.zip"), target)
    assert not list(target.parent.iterdir())


def test_no_server_at_all(target: Path) -> None:
    with pytest.raises(ModelError, match=r"is there a network.*-from FILE") as caught:
        download("http://127.0.0.1:1/a.zip", target)
    assert "\n" not in str(caught.value)
    assert "Connection refused" in str(caught.value)


def test_more_than_any_model(site: Site, target: Path) -> None:
    with pytest.raises(ModelError, match="more than a model"):
        download(site.url("a.zip"), target, most_bytes=1000)
    site.tell_length = False
    with pytest.raises(ModelError, match="sends more than 1000 bytes"):
        download(site.url("a.zip"), target, most_bytes=1000)
    assert not target.exists()


def test_redirections(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.redirect["release"] = site.url("a.zip")
    download(site.url("release"), target)
    assert target.read_bytes() == BODY
    # the server here speaks http; that the first address was https is told to the check only
    real = module.urlsplit
    monkeypatch.setattr(
        module, "urlsplit",
        lambda url: real(url.replace("http:", "https:") if "release" in url else url),
    )  # fmt: skip
    target.unlink()
    with pytest.raises(ModelError, match="not encrypted"):
        download(site.url("release"), target)
    assert not target.exists()


def test_the_proxy_of_the_environment_is_asked(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", site.address)
    monkeypatch.setenv("no_proxy", "")
    download("http://models.invalid/releases/a.zip", target)
    assert site.asked == [("http://models.invalid/releases/a.zip", "")]
    assert target.read_bytes() == BODY


def test_forgetting_a_part(site: Site, target: Path) -> None:
    site.cut_at = [700, 0, 0, 0]
    with pytest.raises(ModelError):
        download(site.url("a.zip"), target)
    assert len(list(target.parent.iterdir())) == 2
    forget_partial(target)
    assert not list(target.parent.iterdir())
