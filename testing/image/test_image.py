"""Image: loading, geometry kept bit for bit, reorienting, cropping, saving."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spinetools.errors import InputError, OutputError
from spinetools.image import Image, Space
from spinetools.image.orientation import ALL_CODES

from .conftest import SHAPE, SPACING, affine_for, geometry_bits

Raw = Callable[..., Path]


# -- 48 orientations ---------------------------------------------------------------------------


@pytest.mark.parametrize("codes", ALL_CODES, ids="".join)
@pytest.mark.parametrize(
    "shape_of_grid",
    [{"degrees": (0, 0, 0)}, {"degrees": (8, -14, 21)}, {"degrees": (3, 5, -9), "shear": 0.2}],
    ids=["straight", "oblique", "sheared"],
)
def test_reorient_there_and_back(
    codes: tuple[str, str, str],
    shape_of_grid: dict[str, float],
    voxels: NDArray[np.int16],
    write_raw: Raw,
    tmp_path: Path,
) -> None:
    source = write_raw(voxels, affine_for(**shape_of_grid))  # type: ignore[arg-type]
    image = Image.load(source)
    turned = image.reorient(codes)
    assert turned.space.nib_codes == codes

    # each voxel is where it was in the scanner, for our header and for nibabel's reading of it
    saved = nib.load(turned.save(tmp_path / "turned.nii.gz"))
    for place in [(0, 0, 0), (4, 5, 6), (1, 2, 3)]:
        world = image.space.to_world(place)
        index = tuple(np.rint(turned.space.to_voxel(world)).astype(int))
        assert turned.data[index] == voxels[place]
        assert np.asarray(saved.dataobj)[index] == voxels[place]
        np.testing.assert_allclose(saved.affine @ [*index, 1], [*world, 1], atol=1e-4)

    back = turned.reorient(image.space.nib_codes)
    np.testing.assert_array_equal(back.data, voxels)
    assert np.array_equal(back.space.affine, image.space.affine)
    back.save(tmp_path / "back.nii")
    before, after = geometry_bits(source), geometry_bits(tmp_path / "back.nii")
    for field in ("sform_code", "srow_x", "srow_y", "srow_z", "qform_code"):
        assert before[field] == after[field], field
    assert Image.load(tmp_path / "back.nii").qform_disagrees == pytest.approx(
        image.qform_disagrees, abs=1e-4
    )


def test_lower_case_codes_and_own_codes(voxels: NDArray[np.int16]) -> None:
    image = Image(voxels, Space(SHAPE, affine_for()))
    assert image.reorient("ras") is image
    assert image.reorient("las").space.nib_codes == ("L", "A", "S")


# -- what a save keeps -------------------------------------------------------------------------

CODES = [(1, 1), (0, 1), (1, 0), (0, 0), (2, 1), (4, 3)]


@pytest.mark.parametrize(("qform_code", "sform_code"), CODES)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("degrees", [(0, 0, 0), (8, -14, 21)])
def test_load_like_save_keeps_geometry_bit_for_bit(
    qform_code: int,
    sform_code: int,
    suffix: str,
    degrees: tuple[float, float, float],
    voxels: NDArray[np.int16],
    write_raw: Raw,
    tmp_path: Path,
) -> None:
    source = write_raw(
        voxels,
        affine_for(degrees=degrees),
        qform_code=qform_code,
        sform_code=sform_code,
        xyzt_units=10,
        # not the numbers that a library would write: a TR on a 3D image, an inexact spacing
        pixdim=[-1 if degrees[0] else 1, 0.7500001, 1.5, 2.2500002, 3.21, 0, 7, 0],
        srow_y=np.float32([0.1, 1.4, 0.3, 20.123457]),
    )
    image = Image.load(source)
    saved = image.like(image.data > 7).save(tmp_path / f"mask{suffix}")
    assert geometry_bits(saved) == geometry_bits(source)
    assert nib.load(saved).get_data_dtype() == np.uint8


def test_other_fields_and_extensions_are_kept(voxels: NDArray[np.int16], tmp_path: Path) -> None:
    source = nib.Nifti1Image(voxels, affine_for())
    source.header["descrip"] = b"TE=90"
    source.header["intent_name"] = b"name"
    source.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    nib.save(source, tmp_path / "a.nii.gz")
    saved = nib.load(Image.load(tmp_path / "a.nii.gz").save(tmp_path / "b.nii.gz"))
    assert saved.header["descrip"] == b"TE=90"
    assert saved.header["intent_name"] == b"name"
    assert saved.header.extensions[0].get_content() == b"kept"


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("nifti", [nib.Nifti1Image, nib.Nifti2Image], ids=["1", "2"])
def test_types_and_versions_are_kept(
    dtype: str, suffix: str, nifti: type[nib.Nifti1Image], tmp_path: Path
) -> None:
    array = (np.arange(210).reshape(SHAPE)).astype(dtype)
    source = tmp_path / f"a{suffix}"
    nib.save(nifti(array, affine_for(degrees=(5, 6, 7))), source)
    image = Image.load(source)
    assert image.data.dtype == dtype
    saved = image.like(image.data).save(tmp_path / f"b{suffix}")
    loaded = nib.load(saved)
    assert type(loaded) is nifti
    assert loaded.get_data_dtype() == dtype
    np.testing.assert_array_equal(np.asarray(loaded.dataobj), array)
    assert geometry_bits(saved) == geometry_bits(source)


def test_two_saves_give_the_same_bytes(voxels: NDArray[np.int16], tmp_path: Path) -> None:
    image = Image(voxels, Space(SHAPE, affine_for()))
    first, second = image.save(tmp_path / "a.nii.gz"), image.save(tmp_path / "b.nii.gz")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("stored", "expected"), [("uint8", "float32"), ("int16", "float32"), ("int32", "float64")]
)
def test_scaled_integers(stored: str, expected: str, write_raw: Raw, tmp_path: Path) -> None:
    raw = np.arange(210, dtype=stored).reshape(SHAPE)
    source = write_raw(raw, affine_for(), scl_slope=0.1, scl_inter=-3)
    image = Image.load(source)
    assert image.data.dtype == expected
    np.testing.assert_allclose(image.data, raw * np.float32(0.1) - 3.0, rtol=1e-6, atol=1e-6)
    loaded = nib.load(image.save(tmp_path / "b.nii.gz"))
    assert loaded.dataobj.slope == 1
    np.testing.assert_array_equal(np.asarray(loaded.dataobj), image.data)


def test_slope_zero_means_no_scaling(write_raw: Raw, voxels: NDArray[np.int16]) -> None:
    image = Image.load(write_raw(voxels, affine_for(), scl_slope=0, scl_inter=5))
    np.testing.assert_array_equal(image.data, voxels)


def test_big_endian_files_become_native(
    voxels: NDArray[np.int16], write_raw: Raw, tmp_path: Path
) -> None:
    native = write_raw(voxels, affine_for(degrees=(1, 2, 3)))
    header = nib.Nifti1Header(native.read_bytes()[:348]).as_byteswapped(">")
    swapped = tmp_path / "big.nii"
    swapped.write_bytes(header.binaryblock + bytes(4) + voxels.astype(">i2").tobytes(order="F"))
    image = Image.load(swapped)
    assert image.data.dtype.isnative
    np.testing.assert_array_equal(image.data, voxels)
    np.testing.assert_array_equal(image.space.affine, Image.load(native).space.affine)
    again = Image.load(image.save(tmp_path / "again.nii.gz"))
    np.testing.assert_array_equal(again.data, voxels)
    np.testing.assert_array_equal(again.space.affine, image.space.affine)


@given(
    shape=st.tuples(*[st.integers(2, 6)] * 3),
    codes=st.sampled_from(ALL_CODES),
    degrees=st.tuples(*[st.floats(-60, 60)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 9)] * 3),
    dtype=st.sampled_from(["uint8", "int16", "float32"]),
)
@settings(max_examples=40, deadline=None)
def test_save_and_load_is_the_identity(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    codes: tuple[str, str, str],
    degrees: tuple[float, float, float],
    spacing: tuple[float, float, float],
    dtype: str,
) -> None:
    array = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    image = Image(array, Space(shape, affine_for(codes, spacing, degrees)))
    path = image.save(tmp_path_factory.mktemp("x") / "x.nii.gz")
    loaded = Image.load(path)
    np.testing.assert_array_equal(loaded.data, array)
    assert loaded.space.same_as(image.space)
    # a new header sets both, alike; a quaternion in float32 turns by 2e-3 at the worst
    assert loaded.qform_disagrees < 0.12


def test_a_sheared_image_without_header_sets_no_qform(
    voxels: NDArray[np.int16], tmp_path: Path
) -> None:
    image = Image(voxels, Space(SHAPE, affine_for(shear=0.4)))
    header = nib.load(image.save(tmp_path / "a.nii.gz")).header
    assert int(header["qform_code"]) == 0
    np.testing.assert_allclose(header.get_sform(), image.space.affine, atol=1e-5)


# -- which transform counts --------------------------------------------------------------------


def test_the_sform_counts_then_the_qform_then_the_voxel_size(
    voxels: NDArray[np.int16], write_raw: Raw
) -> None:
    sform = affine_for(origin=(1, 2, 3))
    other = {"qoffset_x": 50.0, "qoffset_y": 2.0, "qoffset_z": 3.0}
    both = Image.load(write_raw(voxels, sform, "both.nii", **other))
    assert both.space.to_world((0, 0, 0)) == pytest.approx((1, 2, 3))
    assert both.qform_disagrees == pytest.approx(49)
    only_q = Image.load(write_raw(voxels, sform, "q.nii", sform_code=0, **other))
    assert only_q.space.to_world((0, 0, 0)) == pytest.approx((50, 2, 3))
    neither = Image.load(write_raw(voxels, sform, "n.nii", sform_code=0, qform_code=0))
    assert neither.space.spacing == pytest.approx(SPACING)
    assert only_q.qform_disagrees == neither.qform_disagrees == 0
    assert Image(voxels, Space(SHAPE, sform)).qform_disagrees == 0


def test_moved_grids_move_both_transforms_alike(
    voxels: NDArray[np.int16], write_raw: Raw, tmp_path: Path
) -> None:
    image = Image.load(
        write_raw(voxels, affine_for(degrees=(5, 9, 2)), qoffset_x=40.0, qform_code=3)
    )
    cropped = image.crop((1, 2, 3), (4, 6, 7)).reorient("LPI")
    header = nib.load(cropped.save(tmp_path / "c.nii.gz")).header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 3)
    whole = image.header
    index = np.array([1, 2, 3, 1])
    new_index = [*np.rint(cropped.space.to_voxel(image.space.to_world(index[:3]))), 1]
    np.testing.assert_allclose(header.get_qform() @ new_index, whole.get_qform() @ index, atol=1e-4)
    np.testing.assert_allclose(header.get_sform() @ new_index, whole.get_sform() @ index, atol=1e-4)


def test_without_codes_a_moved_grid_writes_its_place_down(
    voxels: NDArray[np.int16], write_raw: Raw, tmp_path: Path
) -> None:
    image = Image.load(write_raw(voxels, affine_for(), sform_code=0, qform_code=0))
    cropped = image.crop((1, 0, 0), (5, 6, 7))
    loaded = Image.load(cropped.save(tmp_path / "c.nii.gz"))
    assert loaded.space.same_as(cropped.space)
    assert int(loaded.header["sform_code"]) == 2


def test_a_damaged_qform_beside_a_good_sform_is_ignored(
    voxels: NDArray[np.int16], write_raw: Raw, tmp_path: Path
) -> None:
    image = Image.load(write_raw(voxels, affine_for(), quatern_b=0.9, quatern_c=0.9))
    assert image.qform_disagrees == 0
    turned = Image.load(image.reorient("PIR").save(tmp_path / "t.nii.gz"))
    assert int(turned.header["qform_code"]) == 0
    assert turned.space.nib_codes == ("P", "I", "R")


def test_a_half_turn_stored_with_rounding_is_a_rotation(
    voxels: NDArray[np.int16], write_raw: Raw
) -> None:
    # b² + c² + d² a little above 1, as real scanners and converters write it
    path = write_raw(
        voxels, affine_for(), sform_code=0, quatern_b=np.float32(0.70710945),
        quatern_c=np.float32(0.70710945), quatern_d=0,
    )  # fmt: skip
    assert Image.load(path).space.nib_codes == ("A", "R", "I")


@pytest.mark.parametrize("stored", [0, 2, -7])
def test_a_side_that_is_none_is_written_as_one(
    stored: float, voxels: NDArray[np.int16], write_raw: Raw, tmp_path: Path
) -> None:
    path = write_raw(voxels, affine_for(), pixdim=[stored, *SPACING, 0, 0, 0, 0])
    # nibabel's reader would mend it silently
    saved = geometry_bits(Image.load(path).save(tmp_path / "saved.nii"))
    assert np.frombuffer(saved["pixdim"], np.float32)[0] == 1


def test_slice_timing_stays_only_where_it_is_right(
    voxels: NDArray[np.int16], tmp_path: Path
) -> None:
    source = nib.Nifti1Image(voxels, affine_for())
    source.header.set_dim_info(0, 1, 2)
    source.header["slice_code"], source.header["slice_end"] = 3, 6
    source.header["slice_start"] = 1
    nib.save(source, tmp_path / "a.nii.gz")
    image = Image.load(tmp_path / "a.nii.gz")
    turned = image.reorient("SAR").header
    assert turned.get_dim_info() == (2, 1, 0)
    assert int(turned["slice_code"]) == 3
    assert int(image.reorient("RAI").header["slice_code"]) == 0
    assert int(image.crop((1, 1, 0), (4, 5, 7)).header["slice_code"]) == 3
    shorter = image.crop((0, 0, 0), (5, 6, 5)).header
    assert [int(shorter[f"slice_{name}"]) for name in ("code", "start", "end")] == [0, 0, 0]


# -- 4D ----------------------------------------------------------------------------------------


@pytest.fixture
def four(tmp_path: Path) -> Path:
    array = np.arange(5 * 6 * 7 * 3, dtype=np.int16).reshape(5, 6, 7, 3)
    nib.save(nib.Nifti1Image(array, affine_for()), tmp_path / "four.nii.gz")
    return tmp_path / "four.nii.gz"


def test_volumes_of_a_4d_image(four: Path) -> None:
    image = Image.load(four)
    whole = np.asarray(nib.load(four).dataobj)
    assert image.n_volumes == 3
    lazily, eagerly = image.volume(1), None
    assert image.data.shape == (5, 6, 7, 3)
    eagerly = image.volume(1)
    for volume in (lazily, eagerly):
        np.testing.assert_array_equal(volume.data, whole[..., 1])
        assert volume.n_volumes == 1
    np.testing.assert_allclose(image.mean_volume().data, whole.mean(axis=3))
    assert image.mean_volume().data.dtype == np.float32
    for wrong in (3, -1):
        with pytest.raises(InputError, match=f"has no volume {wrong}"):
            image.volume(wrong)


def test_4d_is_turned_and_cropped_with_time_last(four: Path, tmp_path: Path) -> None:
    image = Image.load(four)
    turned = image.reorient("PIR").crop((0, 0, 0), (6, 7, 2))
    assert turned.shape == (6, 7, 2, 3)
    loaded = Image.load(turned.save(tmp_path / "t.nii.gz"))
    np.testing.assert_array_equal(loaded.data, turned.data)


def test_trailing_axes_of_one_are_dropped(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones((3, 4, 5, 1, 1), np.uint8), np.eye(4)), tmp_path / "a.nii")
    assert Image.load(tmp_path / "a.nii").shape == (3, 4, 5)


# -- the object --------------------------------------------------------------------------------


def test_voxels_are_read_when_first_needed(tmp_path: Path, voxels: NDArray[np.int16]) -> None:
    path = Image(voxels, Space(SHAPE, affine_for())).save(tmp_path / "a.nii.gz")
    image = Image.load(path)
    assert image.space.shape == SHAPE
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        _ = image.data


def test_data_cannot_be_changed_in_place(voxels: NDArray[np.int16], tmp_path: Path) -> None:
    image = Image(voxels, Space(SHAPE, affine_for()))
    for one in (image, Image.load(image.save(tmp_path / "a.nii"))):
        with pytest.raises(ValueError, match="read-only"):
            one.data[0, 0, 0] = 1
    voxels[0, 0, 0] = 9  # the array of the caller stays the caller's
    header = image.header
    header["descrip"] = b"changed"
    assert image.header["descrip"] != b"changed"


def test_an_array_must_fit_its_grid() -> None:
    space = Space(SHAPE, affine_for())
    for shape in [(5, 6, 8), (5, 6), (5, 6, 7, 2, 2)]:
        with pytest.raises(InputError, match="does not fit a grid"):
            Image(np.zeros(shape), space)


@pytest.mark.parametrize(
    ("start", "stop"), [((-1, 0, 0), (5, 6, 7)), ((0, 0, 0), (5, 6, 8)), ((2, 0, 0), (2, 6, 7))]
)
def test_a_crop_stays_inside(
    start: tuple[int, ...], stop: tuple[int, ...], voxels: NDArray[np.int16]
) -> None:
    with pytest.raises(InputError, match="cannot crop"):
        Image(voxels, Space(SHAPE, affine_for())).crop(start, stop)


def test_pad_then_crop_is_the_identity(voxels: NDArray[np.int16], write_raw: Raw) -> None:
    image = Image.load(write_raw(voxels, affine_for(degrees=(3, 1, 2))))
    padded = image.pad((1, 0, 2), (0, 3, 1), value=7)
    assert padded.shape == (6, 9, 10)
    assert (padded.data[0] == 7).all()
    assert padded.data.dtype == voxels.dtype
    back = padded.crop((1, 0, 2), (6, 6, 9))
    np.testing.assert_array_equal(back.data, voxels)
    assert back.space.same_as(image.space, atol=1e-9)


def test_on_grid_of_takes_the_other_header_bit_for_bit(
    voxels: NDArray[np.int16], write_raw: Raw, tmp_path: Path
) -> None:
    first = Image.load(write_raw(voxels, affine_for(), "a.nii"))
    other = write_raw(voxels, affine_for(degrees=(9, 8, 7)), "b.nii", qform_code=2, sform_code=4)
    saved = first.on_grid_of(Image.load(other), voxels).save(tmp_path / "c.nii")
    assert geometry_bits(saved) == geometry_bits(other)


# -- types on disk -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "on_disk"),
    [("bool", "uint8"), ("float16", "float32"), ("int64", "int32"), ("longdouble", "float64")],
)
def test_types_without_a_place_in_nifti(array: str, on_disk: str, tmp_path: Path) -> None:
    image = Image(np.eye(4)[None].repeat(4, 0).astype(array), Space((4, 4, 4), np.eye(4)))
    loaded = nib.load(image.save(tmp_path / "a.nii.gz"))
    assert loaded.get_data_dtype() == on_disk
    np.testing.assert_array_equal(np.asarray(loaded.dataobj)[0], np.eye(4))


def test_floats_are_rounded_for_integers_and_never_wrap(tmp_path: Path) -> None:
    space = Space((2, 2, 2), np.eye(4))
    image = Image(np.full((2, 2, 2), 254.6), space)
    loaded = nib.load(image.save(tmp_path / "a.nii.gz", dtype="uint8"))
    assert (np.asarray(loaded.dataobj) == 255).all()
    assert nib.load(image.save(tmp_path / "b.nii.gz", np.int64)).get_data_dtype() == np.int64
    for value, dtype in [(255.6, "uint8"), (-1, "uint16"), (np.nan, "int16"), (1e300, "float32")]:
        with pytest.raises(InputError, match="do not fit"):
            Image(np.full((2, 2, 2), value), space).save(tmp_path / "no.nii.gz", dtype=dtype)
    with pytest.raises(InputError, match="expected an integer or a float"):
        image.save(tmp_path / "no.nii.gz", dtype="complex64")
    assert not (tmp_path / "no.nii.gz").exists()


def test_a_name_without_nifti_suffix_is_refused(voxels: NDArray[np.int16], tmp_path: Path) -> None:
    image = Image(voxels, Space(SHAPE, affine_for()))
    for name in ("a", "a.img", "a.nii.zip", "a.nii.bz2"):
        with pytest.raises(InputError, match="must end with"):
            image.save(tmp_path / name)
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        image.save(tmp_path / "folder.nii")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.nii"]


def test_saving_over_the_file_that_is_being_read(voxels: NDArray[np.int16], tmp_path: Path) -> None:
    for name in ("a.nii", "a.nii.gz"):
        path = Image(voxels, Space(SHAPE, affine_for())).save(tmp_path / name)
        Image.load(path).reorient("LPI").save(path)
        np.testing.assert_array_equal(Image.load(path).data, voxels[::-1, ::-1, ::-1])


def test_more_voxels_than_nifti1_can_count_become_nifti2(tmp_path: Path) -> None:
    image = Image(np.zeros((33000, 2, 2), np.uint8), Space((33000, 2, 2), affine_for()))
    loaded = nib.load(image.save(tmp_path / "long.nii.gz"))
    assert isinstance(loaded, nib.Nifti2Image)
    assert loaded.shape == (33000, 2, 2)


# -- real images -------------------------------------------------------------------------------


@pytest.mark.real
def test_real_files_agree_with_nibabel_and_keep_their_geometry(
    real_data: Path, tmp_path: Path
) -> None:
    paths = sorted(real_data.glob("*/*.nii.gz"))
    assert len(paths) > 20
    for path in paths:
        image, theirs = Image.load(path), nib.load(path)
        np.testing.assert_allclose(image.space.affine, theirs.affine, atol=1e-4, err_msg=str(path))
        assert image.space.nib_codes == nib.aff2axcodes(theirs.affine)
        saved = image.like(np.zeros(image.shape, np.uint8)).save(tmp_path / "mask.nii.gz")
        assert geometry_bits(saved) == geometry_bits(path), path
        if np.prod(image.shape) < 1e6:
            np.testing.assert_allclose(image.data, np.asarray(theirs.dataobj), rtol=1e-6)
