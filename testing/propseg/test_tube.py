"""The tube's geometry against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.errors import InputError
from spinetools.image import Space
from spinetools.propseg.mesh import tube_mesh
from spinetools.propseg.tube import Tube, ellipse_radii

SPACING = np.array([0.5, 0.5, 2.0])


def elliptic_tube(n_rings: int = 6, ap_mm: float = 4.0, rl_mm: float = 6.0) -> Tube:
    radii = np.tile(ellipse_radii(32, ap_mm, rl_mm), (n_rings, 1))
    return Tube(np.arange(n_rings) + 2, np.full((n_rings, 2), 15.3), radii)


def test_area_of_an_ellipse() -> None:
    assert elliptic_tube().areas_mm2 == pytest.approx(np.pi * 24, rel=1e-4)


def test_rasterised_volume_is_the_tubes() -> None:
    soft = elliptic_tube().rasterise((64, 64, 10), SPACING)
    areas = soft.sum(axis=(0, 1)) * 0.25
    assert areas[2:8] == pytest.approx(np.pi * 24, rel=5e-3)
    assert not areas[:2].any()
    assert not areas[8:].any()
    assert soft.max() == 1


def test_rasterise_is_cut_at_the_image() -> None:
    tube = Tube(np.arange(2), np.array([[0.0, 0.0], [100.0, 0.0]]), np.full((2, 32), 3.0))
    soft = tube.rasterise((20, 20, 2), SPACING)
    # a quarter of the disc, and half a voxel more along both straight sides
    assert soft[:, :, 0].sum() * 0.25 == pytest.approx(np.pi * 9 / 4 + 1.5 + 0.0625, rel=0.02)
    assert not soft[:, :, 1].any()


def test_centroid_and_recentring_keep_the_surface() -> None:
    tube = elliptic_tube()
    moved = tube.recentred(tube.centres_mm + np.array([0.7, -0.4]))
    assert moved.centroids_mm() == pytest.approx(tube.centroids_mm(), abs=0.05)
    assert moved.areas_mm2 == pytest.approx(tube.areas_mm2, rel=0.01)


@pytest.mark.parametrize("flip", [1, -1])
def test_mesh_is_closed_and_faces_outwards(flip: int) -> None:
    affine = np.diag([0.5 * flip, 0.5, 2.0, 1.0])
    affine[:3, 3] = [-20, 30, 5]
    tube = elliptic_tube()
    mesh = tube_mesh(tube, Space((64, 64, 10), affine), SPACING)
    # five slabs of 2 mm between six rings; the polygon of 32 sides has a little less area
    polygon = np.sin(2 * np.pi / 32) / (2 * np.pi / 32)
    assert mesh.volume_mm3 == pytest.approx(np.pi * 24 * 10 * polygon, rel=5e-3)
    edges = np.concatenate(
        [mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]]
    )
    directed = {tuple(edge) for edge in edges.tolist()}
    assert len(directed) == len(edges)
    assert all((b, a) in directed for a, b in directed)


def test_mesh_files(tmp_path) -> None:
    mesh = tube_mesh(elliptic_tube(), Space((64, 64, 10), np.diag([0.5, 0.5, 2, 1])), SPACING)
    lines = mesh.save(tmp_path / "a.vtk").read_text().splitlines()
    assert lines[3] == "DATASET POLYDATA"
    assert lines[4] == f"POINTS {len(mesh.vertices)} float"
    assert [float(x) for x in lines[5].split()] == pytest.approx(mesh.vertices[0], abs=1e-3)
    lines = mesh.save(tmp_path / "a.ply").read_text().splitlines()
    body = lines[lines.index("end_header") + 1 :]
    assert len(body) == len(mesh.vertices) + len(mesh.triangles)
    with pytest.raises(InputError, match=r"\.vtk or \.ply"):
        mesh.save(tmp_path / "a.stl")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ply", "a.vtk"]
