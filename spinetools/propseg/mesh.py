"""The tube as a triangular mesh in scanner space, and the files it is written to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.files import atomic_path
from spinetools.image import Space
from spinetools.propseg.profiles import FloatArray, IntArray
from spinetools.propseg.tube import Tube


@dataclass(frozen=True)
class Mesh:
    """A closed triangular surface.

    Attributes
    ----------
    vertices
        World coordinates (V, 3), mm, RAS+.
    triangles
        Vertex indices (F, 3), counter-clockwise seen from outside.
    """

    vertices: FloatArray
    triangles: IntArray

    @property
    def volume_mm3(self) -> float:
        """Volume enclosed, positive where the triangles face outwards (divergence theorem)."""
        a, b, c = (self.vertices[self.triangles[:, n]] for n in range(3))
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the mesh as ASCII, VTK (legacy polydata) or PLY by the name's extension."""
        path = Path(path)
        writers = {".vtk": _vtk, ".ply": _ply}
        if path.suffix.lower() not in writers:
            raise InputError(f"cannot write the mesh {path}: the name must end with .vtk or .ply")
        with atomic_path(path) as temporary:
            temporary.write_text(writers[path.suffix.lower()](self), encoding="ascii")
        return path


def tube_mesh(tube: Tube, space: Space, spacing: FloatArray) -> Mesh:
    """Triangulate a tube, with its ends closed.

    Parameters
    ----------
    tube
        Rings in the axial slices of ``space``.
    space
        The grid (axes R, A, S) that the tube's millimetres count from.
    spacing
        The tube's mm a voxel (3,): the grid's spacing, or that times ``-rescale``.
    """
    n_rings, n_rays = tube.radii_mm.shape
    xy = tube.vertices_mm / spacing[:2]
    k = np.broadcast_to(tube.slices[:, None, None], (n_rings, n_rays, 1))
    rings = np.concatenate([xy, k], axis=-1).reshape(-1, 3)
    ends = np.column_stack([tube.centroids_mm()[[0, -1]] / spacing[:2], tube.slices[[0, -1]]])
    vertices = space.to_world(np.concatenate([rings, ends]))
    index = np.arange(n_rings * n_rays).reshape(n_rings, n_rays)
    after = np.roll(index, -1, axis=1)
    low, low_next, high, high_next = index[:-1], after[:-1], index[1:], after[1:]
    bottom, top = n_rings * n_rays, n_rings * n_rays + 1
    triangles = np.concatenate(
        [
            np.stack([low, low_next, high_next], axis=-1).reshape(-1, 3),
            np.stack([low, high_next, high], axis=-1).reshape(-1, 3),
            np.stack([after[0], index[0], np.full(n_rays, bottom)], axis=-1),
            np.stack([index[-1], after[-1], np.full(n_rays, top)], axis=-1),
        ]
    )
    if np.linalg.det(space.affine[:3, :3]) < 0:
        triangles = triangles[:, ::-1]  # a mirrored grid turns the faces inside out
    return Mesh(vertices, triangles)


def _rows(array: npt.NDArray[np.generic], form: str) -> str:
    return "\n".join(" ".join(form % value for value in row) for row in array)


def _vtk(mesh: Mesh) -> str:
    n_vertices, n_triangles = len(mesh.vertices), len(mesh.triangles)
    faces = np.column_stack([np.full(n_triangles, 3), mesh.triangles])
    return (
        "# vtk DataFile Version 3.0\nspinal cord, scanner mm (RAS)\nASCII\nDATASET POLYDATA\n"
        f"POINTS {n_vertices} float\n{_rows(mesh.vertices, '%.4f')}\n"
        f"POLYGONS {n_triangles} {4 * n_triangles}\n{_rows(faces, '%d')}\n"
    )


def _ply(mesh: Mesh) -> str:
    n_vertices, n_triangles = len(mesh.vertices), len(mesh.triangles)
    faces = np.column_stack([np.full(n_triangles, 3), mesh.triangles])
    properties = "".join(f"property float {axis}\n" for axis in "xyz")
    return (
        "ply\nformat ascii 1.0\ncomment spinal cord, scanner mm (RAS)\n"
        f"element vertex {n_vertices}\n{properties}"
        f"element face {n_triangles}\nproperty list uchar int vertex_indices\nend_header\n"
        f"{_rows(mesh.vertices, '%.4f')}\n{_rows(faces, '%d')}\n"
    )
