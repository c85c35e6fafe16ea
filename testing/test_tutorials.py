"""The tutorials, run as a person would: every command line of a page, in order."""

from __future__ import annotations

import doctest
import http.server
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from spinetools.cli import st_download_data
from spinetools.models import datasets
from spinetools.phantom import get_protocol, make_phantom

DOCS = Path(__file__).resolve().parents[1] / "docs"
ROOT = DOCS.parent
#: Lines that are run elsewhere, each with where.
ELSEWHERE = {
    "bash batch_processing.sh": "test_batch_processing.py",
    "bash batch_processing.sh my_study": "test_batch_processing.py",
    "st_get_centerline -i sample/sub-01_T2w.nii.gz -c t2 -method viewer": "cli/test_viewer.py",
}


def lines(page: str) -> list[str]:
    """Return a page's command lines."""
    text = re.sub(r"\\\n\s*", "", (DOCS / page).read_text(encoding="utf-8"))
    return re.findall(r"^\s*\$ (.+)$", text, re.MULTILINE)


def run(line: str, folder: Path) -> str:
    """Run a line in bash; it must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env={**os.environ, "PATH": path},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def names_in(text: str) -> set[str]:
    """Return the files that a page says are written."""
    return set(re.findall(r"``(sub-01_\w[\w-]*\.(?:nii\.gz|csv))``", text))


@pytest.mark.slow
def test_the_first_tutorial(tmp_path: Path) -> None:
    page = lines("tutorial.rst")
    assert set(ELSEWHERE) < set(page)
    own = [line for line in page if line not in ELSEWHERE]
    assert len(own) >= 8
    for line in own:
        run(line, tmp_path)
    text = (DOCS / "tutorial.rst").read_text(encoding="utf-8")
    told = names_in(text)
    assert len(told) >= 2
    assert [name for name in told if not (tmp_path / name).is_file()] == []
    assert (tmp_path / "qc" / "index.html").is_file()
    assert (tmp_path / "discs.nii.gz").is_file()


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve a stand-in of the course's data at 127.0.0.1: its names, simulated images."""
    made = tmp_path / "made"
    small = {
        "t2": replace(get_protocol("t2_3d"), spacing=(1.5, 1.5, 1.5), size=(50, 200, 0)),
        "t1": replace(get_protocol("t2_axial"), spacing=(1, 1, 5), size=(100, 100, 60)),
    }
    for name, kind in {"t2/t2": "t2", "t1/t1": "t1", "t2s/t2s": "t2s", "mt/mt1": "mt"}.items():
        path = made / "single_subject" / "data" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True)
        phantom = make_phantom(1, kind, small["t2" if kind == "t2" else "t1"])
        phantom.image.save(path, dtype="int16")
    mean = make_phantom(1, "dwi", small["t1"]).image
    series = np.repeat(mean.data[..., None], 3, axis=3) * [1, 0.9, 1.1]
    folder = made / "single_subject" / "data" / "dmri"
    folder.mkdir()
    save_series(folder / "dmri.nii.gz", series, mean.space.affine)
    for number in (1, 3):
        path = made / "multi_subject" / "data" / f"sub-0{number}" / "anat"
        path.mkdir(parents=True)
        make_phantom(number, "t2", small["t1"]).image.save(
            path / f"sub-0{number}_T2w.nii.gz", dtype="int16"
        )
    served = tmp_path / "served"
    served.mkdir()
    with zipfile.ZipFile(served / "course.zip", "w") as archive:
        for path in made.rglob("*.nii.gz"):
            archive.write(path, f"sct_tutorial_data-r1/{path.relative_to(made)}")
    shutil.rmtree(made)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        known = datasets.load_datasets()["sct_course"]
        here = replace(known, urls=(f"http://127.0.0.1:{server.server_port}/course.zip",))
        monkeypatch.setattr(datasets, "load_datasets", lambda: {"sct_course": here})
        monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache" / "models")
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        yield
        server.shutdown()


def save_series(path: Path, data: np.ndarray, affine: np.ndarray) -> None:
    import nibabel as nib

    nib.save(nib.Nifti1Image(data.astype(np.float32), affine), path)


@pytest.mark.slow
def test_the_course(course: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the page's last command needs the extra batch")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    shutil.copy(DOCS / "process_subject.sh", work)
    first, *others = lines("course.rst")
    # in this process, where the address is that of the stand-in
    command, *words = shlex.split(first)
    assert command == "st_download_data"
    with pytest.raises(SystemExit) as stop:
        st_download_data.main(words)
    assert stop.value.code == 0
    said = [run(line, work) for line in others]
    assert len(said) >= 9
    assert any("mean" in text and "volumes" in text for text in said)
    for name in ("t2_seg", "t1_seg", "t2s_seg", "mt1_seg", "dmri_seg", "t2_labels"):
        assert (work / f"{name}.nii.gz").is_file()
    assert (work / "out" / "results" / "sub-03_csa.csv").is_file()
    assert (work / "out" / "qc" / "index.html").is_file()


@pytest.mark.slow
def test_the_page_on_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = doctest.testfile(str(DOCS / "python.rst"), module_relative=False)
    assert done.attempted >= 20
    assert done.failed == 0


@pytest.mark.slow
def test_the_readme_s_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    protocol = replace(get_protocol("t2_axial"), spacing=(1, 1, 5), size=(100, 100, 60))
    make_phantom(1, "t2", protocol).image.save("t2.nii.gz", dtype="int16")
    code = re.search(r"```python\n(.+?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code
    exec(compile(code[1], "README.md", "exec"), {})
    assert Path("t2_seg.nii.gz").is_file()
