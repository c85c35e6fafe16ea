"""container.py, with a builder of images that only says how it was called; install.py's table."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import container
import install

if sys.platform == "win32":
    pytest.skip("users of containers are told by numbers", allow_module_level=True)

# answers as docker does; a container's user is 0 where it is told nothing better
FAKE = """#!{python}
import json, pathlib, sys
with open({calls!r}, "a") as stream:
    stream.write(json.dumps(sys.argv[1:]) + chr(10))
if sys.argv[1] == "image":
    print(750_000_000)
if sys.argv[1] == "run":
    made = [a.split(":")[0] for a in sys.argv if a.endswith(":/data")]
    if "pip install" in sys.argv[-1]:
        packages = pathlib.Path(made[0], ".venv")
        packages.mkdir()
        packages.joinpath("code").write_bytes(bytes({installed}))
        packages.joinpath("link").symlink_to("code")
    print("warning: of the step itself")
    print("MEASURED", json.dumps(dict(clock=12.3, user={user}, processor=4.2, memory=345.6)))
"""


class Fake:
    """A builder; ``calls`` are the lines that it was called with."""

    def __init__(self, folder: Path, user: int = 1000, installed: int = 3_000_000) -> None:
        self.log = folder / "calls"
        program = folder / "builder"
        text = FAKE.format(
            python=sys.executable, calls=str(self.log), user=user, installed=installed
        )
        program.write_text(text)
        program.chmod(0o755)
        self.tool = container.Tool([str(program)], ["-v", "/etc/pip.conf:/etc/pip.conf:ro"])

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture(autouse=True)
def _small_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "checkout", lambda folder: (folder / "data").mkdir(parents=True))


def test_only_the_build_and_the_install_have_a_network(tmp_path: Path) -> None:
    fake = Fake(tmp_path)
    for part in (container.of_the_build, container.of_the_image, container.of_the_readme):
        assert list(part(fake.tool, "3.12"))
    runs = [call for call in fake.calls if call[0] == "run"]
    online = [call for call in runs if "none" not in call]
    assert all(call[call.index("none") - 1] == "--network" for call in runs if "none" in call)
    assert [call[-1] for call in online] == [container.INSTALL]
    assert len(runs) == 6
    assert all("/etc/pip.conf:/etc/pip.conf:ro" in c for c in fake.calls if c[0] != "image")


def test_the_readme_is_followed_in_the_image_that_the_dockerfile_starts_from(
    tmp_path: Path,
) -> None:
    fake = Fake(tmp_path)
    rows = list(container.of_the_readme(fake.tool, "3.12"))
    assert all("python:3.12-slim" in call for call in fake.calls)
    text = (container.ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("python3 -m venv"))
    scripts = [call[-1] for call in fake.calls]
    said = container.INSTALL.replace("-q --no-cache-dir ", "")
    assert line == f"{said} && {scripts[1].rpartition(' && ')[2]}"
    assert rows[0]["on the disk, MB"] == "3"  # a link has no size of its own
    assert (rows[1]["time, s"], rows[1]["of the processor, s"]) == ("12", "4")
    assert rows[1]["largest process, MB"] == "346"


def test_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ran as root"):
        list(container.of_the_image(Fake(tmp_path, user=0).tool, "3.12"))


def test_more_than_the_target_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "TARGET_MB", 2.0)
    with pytest.raises(SystemExit, match="3 MB, more than 2"):
        list(container.of_the_readme(Fake(tmp_path).tool, "3.12"))


def test_a_step_that_fails_says_why(tmp_path: Path) -> None:
    tool = container.Tool([sys.executable, "-c", "import sys; sys.exit('no such image')"])
    with pytest.raises(SystemExit, match="no such image"):
        tool.size_mb("spinetools")


def test_a_part_takes_the_place_of_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "RESULTS", tmp_path)
    for part, clock in (("build", 1.0), ("image", 2.0), ("build", 3.0)):
        container.keep([{"part": part, **container.row("step", clock=clock)}])
    rows = container.read_tsv(tmp_path / "container.tsv")
    assert [(row["part"], row["time, s"]) for row in rows] == [("image", "2"), ("build", "3")]


def test_an_older_table_gets_the_new_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "RESULTS", tmp_path)
    for row in (
        {"python": "3.10.13", "system": "Linux", "MB": "1"},
        {"python": "3.9.2", "system": "Linux", "MB": "2", "tests": "5 passed"},
        {"python": "3.10.13", "system": "Linux", "MB": "3", "tests": "6 passed"},
    ):
        install.note(row)
        if row["python"] == "3.9.2":
            assert install.read_tsv(tmp_path / "install.tsv")[1]["tests"] == "n/a"
    rows = install.read_tsv(tmp_path / "install.tsv")
    assert [(row["python"], row["MB"]) for row in rows] == [("3.9.2", "2"), ("3.10.13", "3")]


def test_the_clock_measures_the_step_and_not_itself(tmp_path: Path) -> None:
    """The line that a container runs, on this machine."""
    tool = container.Tool(["env"])
    work = f"{sys.executable} -c 'x = bytearray(200_000_000)' && exit 0"
    done = tool.call(sys.executable, "-c", container.CLOCK, "bash", "-euc", work)
    measured = json.loads(done.partition("MEASURED ")[2])
    assert measured["user"] == os.getuid()
    assert 200 < measured["memory"] < 400
    assert 0 < measured["processor"] < 20
    with pytest.raises(SystemExit, match="failed"):
        tool.call(sys.executable, "-c", container.CLOCK, "bash", "-euc", "exit 3")


def test_the_python_is_the_dockerfile_s() -> None:
    text = (container.ROOT / "containers" / "Dockerfile").read_text(encoding="utf-8")
    assert f"ARG PYTHON={container.default_python()}\n" in text
