"""st_image: each action, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from spinetools.image import Image

from .conftest import Run


def _voxels(path: Path | str) -> NDArray[np.generic]:
    return np.asarray(nib.load(path).dataobj)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# -- orientation -------------------------------------------------------------------------------


def test_getorient_prints_scts_letters(run: Run, t2: Path, folder: Path) -> None:
    outcome = run("st_image", "-i", t2, "-getorient")
    assert (outcome.code, outcome.out, outcome.err) == (0, "ASL\n", "")
    assert nib.aff2axcodes(nib.load(t2).affine) == ("P", "I", "R")
    assert _names(folder) == {"t2.nii.gz"}


def test_setorient_speaks_scts_letters(run: Run, t2: Path) -> None:
    outcome = run("st_image", "-i", t2, "-setorient", "rpi", "-o", "out.nii.gz")
    assert outcome.code == 0
    assert outcome.out.splitlines() == ["written: out.nii.gz", "view: fsleyes out.nii.gz"]
    turned = nib.load("out.nii.gz")
    assert nib.aff2axcodes(turned.affine) == ("L", "A", "S")
    assert run("st_image", "-i", "out.nii.gz", "-getorient").out == "RPI\n"
    where = np.rint(np.linalg.inv(turned.affine) @ nib.load(t2).affine @ [2, 3, 4, 1]).astype(int)
    assert _voxels("out.nii.gz")[tuple(where[:3])] == _voxels(t2)[2, 3, 4]
    assert run("st_image", "-i", "out.nii.gz", "-setorient", "ASL", "-o", "back.nii").code == 0
    np.testing.assert_array_equal(_voxels("back.nii"), _voxels(t2))
    np.testing.assert_allclose(nib.load("back.nii").affine, nib.load(t2).affine, atol=1e-5)


def test_default_names_and_folder(run: Run, t2: Path, folder: Path) -> None:
    assert run("st_image", "-i", t2, "-setorient", "RPI").code == 0
    assert run("st_image", "-i", t2, "-type", "float32", "-ofolder", "out").code == 0
    assert _names(folder) == {"t2.nii.gz", "t2_RPI.nii.gz", "t2_RPI.json", "out"}
    assert _names(folder / "out") == {"t2_float32.nii.gz", "t2_float32.json"}
    sidecar = json.loads((folder / "t2_RPI.json").read_text())
    assert sidecar["Sources"] == [str(t2)]
    assert sidecar["GeneratedBy"][0]["CommandLine"] == f"st_image -i {t2} -setorient RPI"


@pytest.mark.parametrize("letters", ["RPX", "RP", "RRI"])
def test_wrong_letters(letters: str, run: Run, t2: Path, folder: Path) -> None:
    outcome = run("st_image", "-i", t2, "-setorient", letters)
    assert outcome.code == 1
    assert f"{letters!r} is no orientation" in outcome.err
    assert _names(folder) == {"t2.nii.gz"}


# -- headers -----------------------------------------------------------------------------------


def test_header_shows_every_field(run: Run, t2: Path) -> None:
    rows = dict(
        line.split(maxsplit=1)
        for line in run("st_image", "-i", t2, "-header").out.splitlines()
        if " " in line.strip()
    )
    assert rows["dim"] == "3 12 10 8 1 1 1 1"
    assert rows["sform_code"] == "1"
    assert rows["pixdim"].startswith("1 1 0.5 2 ")


def _set(path: Path, name: str, **fields: object) -> Path:
    """Copy an uncompressed NIfTI-1 with header fields changed byte by byte."""
    nib.save(nib.load(path), path.with_name(name))
    data = bytearray(path.with_name(name).read_bytes())
    header = nib.Nifti1Header(bytes(data[:348]), check=False)
    for field, value in fields.items():
        header[field] = value
    data[:348] = header.binaryblock
    path.with_name(name).write_bytes(data)
    return path.with_name(name)


def test_sform_and_qform_are_made_to_agree(run: Run, t2: Path) -> None:
    broken = _set(t2, "b.nii", qoffset_x=55, qform_code=3)
    look = run("st_image", "-i", broken, "-getorient")
    assert "sform and qform place voxels up to" in look.err
    assert run("st_image", "-i", broken, "-set-sform-to-qform", "-o", "s.nii").code == 0
    header = nib.load("s.nii").header
    np.testing.assert_allclose(header.get_sform(), header.get_qform(), atol=1e-5)
    assert header.get_sform()[0, 3] == 55
    assert (header["sform_code"], header["qform_code"]) == (3, 3)
    assert run("st_image", "-i", broken, "-set-qform-to-sform", "-o", "q.nii").code == 0
    header = nib.load("q.nii").header
    np.testing.assert_allclose(header.get_sform(), header.get_qform(), atol=1e-5)
    assert header.get_sform()[0, 3] == -9
    for mended in ("s.nii", "q.nii"):
        assert run("st_image", "-i", mended, "-getorient").err == ""


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({"pixdim": [1, 1, 0.5, 0, 1, 1, 1, 1]}, "-set-qform-to-sform"),
        ({"pixdim": [1, np.nan, 0.5, 2, 1, 1, 1, 1]}, "-set-qform-to-sform"),
        ({"srow_z": [0, 0, 0, 0]}, "-set-sform-to-qform"),
        ({"srow_z": [np.nan, 0, 0, 0]}, "-set-sform-to-qform"),
        ({"pixdim": [1, 0, 0, 0, 0, 0, 0, 0], "sform_code": 0}, "-copy-header"),
    ],
)
def test_a_refused_header_is_mended_by_what_the_message_says(
    fields: dict[str, object], action: str, run: Run, t2: Path, folder: Path
) -> None:
    broken = _set(t2, "b.nii", **fields)
    refused = run("st_image", "-i", broken, "-setorient", "RPI")
    assert refused.code == 1
    assert refused.err.count("\n") == 1
    assert action in refused.err
    assert _names(folder) == {"t2.nii.gz", "b.nii"}
    assert run("st_image", "-i", broken, "-header").code == 0
    if action == "-copy-header":
        mended = run("st_image", "-i", t2, "-copy-header", broken, "-o", "m.nii")
    else:
        mended = run("st_image", "-i", broken, action, "-o", "m.nii")
    assert mended.code == 0, mended.err
    assert Image.load("m.nii").space.same_as(Image.load(t2).space)
    np.testing.assert_array_equal(_voxels("m.nii"), _voxels(t2))


def test_what_cannot_be_mended_says_so(run: Run, t2: Path) -> None:
    none = _set(t2, "b.nii", sform_code=0, qform_code=0)
    for action in ("-set-sform-to-qform", "-set-qform-to-sform"):
        outcome = run("st_image", "-i", none, action)
        assert outcome.code == 1
        assert "no usable" in outcome.err
        assert "-copy-header" in outcome.err


def test_copy_header_keeps_the_voxels_of_the_named_file(run: Run, t2: Path) -> None:
    other = nib.Nifti1Image(np.full((12, 10, 8), 2.5, np.float32), np.diag([3, 3, 3, 1]))
    nib.save(other, "other.nii.gz")
    assert run("st_image", "-i", t2, "-copy-header", "other.nii.gz", "-o", "o.nii.gz").code == 0
    copied = nib.load("o.nii.gz")
    assert copied.get_data_dtype() == np.float32
    assert (_voxels("o.nii.gz") == 2.5).all()
    np.testing.assert_array_equal(copied.affine, nib.load(t2).affine)
    nib.save(nib.Nifti1Image(np.zeros((12, 10, 9)), np.eye(4)), "small.nii.gz")
    outcome = run("st_image", "-i", t2, "-copy-header", "small.nii.gz")
    assert outcome.code == 1
    assert "different shapes" in outcome.err


# -- type, pad ---------------------------------------------------------------------------------


def test_type(run: Run, t2: Path) -> None:
    assert run("st_image", "-i", t2, "-type", "float64", "-o", "f.nii.gz").code == 0
    assert nib.load("f.nii.gz").get_data_dtype() == np.float64
    np.testing.assert_array_equal(_voxels("f.nii.gz"), _voxels(t2))
    outcome = run("st_image", "-i", t2, "-type", "uint8", "-o", "u.nii.gz")
    assert outcome.code == 1
    assert "values 0 to 959 do not fit" in outcome.err
    assert not Path("u.nii.gz").exists()


def test_pad_adds_voxels_on_both_sides_and_moves_none(run: Run, t2: Path) -> None:
    assert run("st_image", "-i", t2, "-pad", "1,0,3", "-o", "p.nii.gz").code == 0
    assert _voxels("p.nii.gz").shape == (14, 10, 14)
    np.testing.assert_array_equal(_voxels("p.nii.gz")[1:-1, :, 3:-3], _voxels(t2))
    np.testing.assert_allclose(
        nib.load("p.nii.gz").affine @ [1, 0, 3, 1], nib.load(t2).affine @ [0, 0, 0, 1], atol=1e-4
    )
    assert run("st_image", "-i", t2, "-pad", "0,-1,0").code == 1
    assert run("st_image", "-i", t2, "-pad", "1,2").code == 2


# -- pieces ------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_split_and_concat_along_an_axis(axis: str, run: Run, t2: Path, folder: Path) -> None:
    n = _voxels(t2).shape["xyz".index(axis)]
    assert run("st_image", "-i", t2, "-split", axis, "-ofolder", "parts").code == 0
    parts = sorted((folder / "parts").glob("*.nii.gz"))
    assert [part.name for part in parts] == [
        f"t2_{axis.upper()}{index:04d}.nii.gz" for index in range(n)
    ]
    joined = run("st_image", "-i", *parts, "-concat", axis, "-o", "whole.nii.gz")
    assert (joined.code, joined.err) == (0, "")
    np.testing.assert_array_equal(_voxels("whole.nii.gz"), _voxels(t2))
    np.testing.assert_allclose(nib.load("whole.nii.gz").affine, nib.load(t2).affine, atol=1e-5)


def test_split_and_concat_along_time(run: Run, t2: Path, folder: Path) -> None:
    four = nib.Nifti1Image(np.arange(4 * 5 * 6 * 3, dtype=np.int16).reshape(4, 5, 6, 3), np.eye(4))
    four.header["pixdim"][4] = 2.5
    nib.save(four, "four.nii")
    assert run("st_image", "-i", "four.nii", "-split", "t", "-o", "p/v.nii.gz").code == 0
    assert {path.name for path in (folder / "p").glob("*.nii.gz")} == {
        "v_T0000.nii.gz", "v_T0001.nii.gz", "v_T0002.nii.gz",
    }  # fmt: skip
    parts = [f"p/v_T{index:04d}.nii.gz" for index in range(3)]
    both = run("st_image", "-i", parts[0], "-i", *parts[1:], "-concat", "t", "-o", "w.nii.gz")
    assert both.code == 0
    np.testing.assert_array_equal(_voxels("w.nii.gz"), _voxels("four.nii"))
    assert nib.load("w.nii.gz").header["pixdim"][4] == 2.5
    outcome = run("st_image", "-i", t2, "-split", "t")
    assert outcome.code == 1
    assert "is 3D" in outcome.err


def test_concat_refuses_what_does_not_fit_and_says_gaps(run: Run, t2: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((12, 10, 3), np.int16), np.diag([4, 4, 4, 1])), "o.nii.gz")
    for axis, said in [("z", "orientation or voxel size"), ("x", "may differ along x only")]:
        outcome = run("st_image", "-i", t2, "o.nii.gz", "-concat", axis)
        assert outcome.code == 1
        assert said in outcome.err
    assert run("st_image", "-i", t2, "o.nii.gz", "-concat", "t").code == 1
    assert "needs two images" in run("st_image", "-i", t2, "-concat", "t").err
    twice = run("st_image", "-i", t2, t2, "-concat", "z", "-o", "t.nii.gz")
    assert twice.code == 0
    assert "does not follow" in twice.err
    assert _voxels("t.nii.gz").shape == (12, 10, 16)


def test_keep_and_remove_volumes(run: Run, t2: Path) -> None:
    array = np.arange(4 * 5 * 6 * 5, dtype=np.int16).reshape(4, 5, 6, 5)
    nib.save(nib.Nifti1Image(array, np.eye(4)), "four.nii.gz")
    assert run("st_image", "-i", "four.nii.gz", "-keep-vol", "3,0", "-o", "k.nii.gz").code == 0
    np.testing.assert_array_equal(_voxels("k.nii.gz"), array[..., [3, 0]])
    assert run("st_image", "-i", "four.nii.gz", "-remove-vol", "0,2:3", "-o", "r.nii.gz").code == 0
    np.testing.assert_array_equal(_voxels("r.nii.gz"), array[..., [1, 4]])
    assert run("st_image", "-i", "four.nii.gz", "-remove-vol", "1:4", "-o", "1.nii.gz").code == 0
    assert _voxels("1.nii.gz").shape == (4, 5, 6)
    for action, what, said in [
        ("-keep-vol", "5", "no volume 5: it has 5"),
        ("-remove-vol", "0:4", "all 5 volumes"),
    ]:
        outcome = run("st_image", "-i", "four.nii.gz", action, what)
        assert outcome.code == 1
        assert said in outcome.err
    assert "is 3D" in run("st_image", "-i", t2, "-keep-vol", "0").err


# -- resampling --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "shape", "spacing"),
    [
        ("1x1x1", (12, 5, 16), (1, 1, 1)),
        ("1x1x1mm", (12, 5, 16), (1, 1, 1)),
        ("1", (12, 5, 16), (1, 1, 1)),
        ("2x1x0.5f", (24, 10, 4), (0.5, 0.5, 4)),
        ("6x10x16vox", (6, 10, 16), (2, 0.5, 1)),
    ],
)
def test_resample_to_a_size(
    size: str, shape: tuple[int, ...], spacing: tuple[float, ...], run: Run, t2: Path
) -> None:
    assert run("st_image", "-i", t2, "-resample", size, "-o", "r.nii.gz").code == 0
    result = Image.load("r.nii.gz")
    assert result.shape == shape
    assert result.space.spacing == pytest.approx(spacing, abs=1e-5)
    assert result.space.nib_codes == ("P", "I", "R")
    # the outer box stays where it is
    np.testing.assert_allclose(
        result.space.to_world((-0.5, -0.5, -0.5)),
        Image.load(t2).space.to_world((-0.5, -0.5, -0.5)),
        atol=1e-4,
    )


@pytest.mark.parametrize("size", ["0x1x1", "1x1", "axbxc", "1x1x1furlong", "-1x1x1", "nanx1x1"])
def test_a_size_that_is_none(size: str, run: Run, t2: Path) -> None:
    outcome = run("st_image", "-i", t2, "-resample", size)
    assert outcome.code in (1, 2)
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("how", ["nn", "linear", "spline"])
def test_resample_to_a_reference_takes_its_grid_exactly(how: str, run: Run, t2: Path) -> None:
    reference = nib.Nifti1Image(np.zeros((9, 9, 9), np.uint8), np.diag([1.5, 1.5, 1.5, 1]))
    reference.affine[:3, 3] = nib.load(t2).affine[:3, 3] + [2, -8, -4]
    reference = nib.Nifti1Image(np.zeros((9, 9, 9), np.uint8), reference.affine)
    reference.header.set_qform(reference.affine, 2)
    reference.header.set_sform(reference.affine, 4)
    nib.save(reference, "ref.nii.gz")
    outcome = run("st_image", "-i", t2, "-resample-to", "ref.nii.gz", "-x", how, "-o", "r.nii.gz")
    assert outcome.code == 0
    result, ref = nib.load("r.nii.gz").header, nib.load("ref.nii.gz").header
    for field in ("srow_x", "srow_y", "srow_z", "sform_code", "qform_code", "qoffset_x"):
        assert result[field].tobytes() == ref[field].tobytes()
    values = _voxels("r.nii.gz")
    assert values.dtype == (np.int16 if how == "nn" else np.float32)
    assert values.max() > 100


def test_resampling_refuses_nan(run: Run, folder: Path) -> None:
    array = np.ones((4, 4, 4), np.float32)
    array[1, 1, 1] = np.nan
    nib.save(nib.Nifti1Image(array, np.eye(4)), "n.nii.gz")
    outcome = run("st_image", "-i", "n.nii.gz", "-resample", "2x2x2")
    assert outcome.code == 1
    assert "NaN" in outcome.err


# -- use ---------------------------------------------------------------------------------------


def test_one_action_a_call(run: Run, t2: Path, folder: Path) -> None:
    for arguments in (
        ["-i", t2],
        ["-i", t2, "-getorient", "-header"],
        ["-i", t2, t2, "-getorient"],
        ["-i", t2, "-split", "w"],
        ["-i", t2, "-type", "complex64"],
    ):
        outcome = run("st_image", *arguments)
        assert outcome.code == 2
        assert outcome.err.startswith("st_image: ")
        assert outcome.err.count("\n") == 1
    assert _names(folder) == {"t2.nii.gz"}


def test_in_place_keeps_the_acquisition_in_the_sidecar(run: Run, t2: Path, folder: Path) -> None:
    (folder / "t2.json").write_text('{"EchoTime": 0.1, "Sources": []}')
    for letters in ("RPI", "LPI"):
        assert run("st_image", "-i", t2, "-setorient", letters, "-o", t2).code == 0
    assert Image.load(t2).space.nib_codes == ("R", "A", "S")
    sidecar = json.loads((folder / "t2.json").read_text())
    assert sidecar["EchoTime"] == 0.1
    assert [maker["CommandLine"][-len(str(t2)) - 7 :][:3] for maker in sidecar["GeneratedBy"]] == [
        "RPI",
        "LPI",
    ]
