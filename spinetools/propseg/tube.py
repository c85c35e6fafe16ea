"""The tube: one closed ring of vertices a slice, given by radii about a centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spinetools.propseg.profiles import Float32Array, FloatArray, IntArray, ray_angles

#: Sub-pixels along each axis for the fraction of a pixel inside the tube.
_SUBPIXELS = 5


@dataclass(frozen=True)
class Tube:
    """A surface as rings in consecutive axial slices.

    Attributes
    ----------
    slices
        Slice indices (K,), increasing by one.
    centres_mm
        Centre of each ring in the slice plane (K, 2), mm from the first voxel's centre.
    radii_mm
        Distance of each vertex from the centre (K, T).
    """

    slices: IntArray
    centres_mm: FloatArray
    radii_mm: FloatArray

    @property
    def n_rays(self) -> int:
        """Number of vertices T in a ring."""
        return int(self.radii_mm.shape[1])

    @cached_property
    def areas_mm2(self) -> FloatArray:
        """Area inside each ring in the slice plane (K,), of the curve r(θ) through the vertices."""
        # ∫ r²/2 dθ; the trapezoid rule converges at once for a smooth periodic function
        result: FloatArray = (self.radii_mm**2).mean(axis=1) * np.pi
        return result

    @cached_property
    def vertices_mm(self) -> FloatArray:
        """Vertices in the slice plane (K, T, 2), mm."""
        angles = ray_angles(self.n_rays)
        directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        result: FloatArray = self.centres_mm[:, None] + self.radii_mm[..., None] * directions
        return result

    def centroids_mm(self) -> FloatArray:
        """Centroid of the area inside each ring (K, 2), mm."""
        angles = ray_angles(self.n_rays)
        area = np.maximum((self.radii_mm**2).sum(axis=1), 1e-9)
        cubes = self.radii_mm**3
        shift = np.stack([(cubes * np.cos(angles)).sum(1), (cubes * np.sin(angles)).sum(1)], -1)
        result: FloatArray = self.centres_mm + shift * (2 / 3) / area[:, None]
        return result

    def recentred(self, centres_mm: FloatArray) -> Tube:
        """Describe the same surface about other centres (that lie inside it)."""
        angles = ray_angles(self.n_rays)
        points = self.vertices_mm - centres_mm[:, None]
        radius = np.hypot(points[..., 0], points[..., 1])
        angle = np.arctan2(points[..., 1], points[..., 0]) % (2 * np.pi)
        order = np.argsort(angle, axis=1)
        radii = np.stack(
            [
                np.interp(angles, a[o], r[o], period=2 * np.pi)
                for a, r, o in zip(angle, radius, order, strict=True)
            ]
        )
        return replace(self, centres_mm=centres_mm, radii_mm=radii)

    def with_radii(self, radii_mm: FloatArray) -> Tube:
        """Return the tube with other radii."""
        return replace(self, radii_mm=radii_mm)

    def resampled(self, n_rays: int) -> Tube:
        """Describe the rings by another number of vertices."""
        known = np.append(ray_angles(self.n_rays), 2 * np.pi)
        angles = ray_angles(n_rays)
        radii = [np.interp(angles, known, np.append(r, r[0])) for r in self.radii_mm]
        return self.with_radii(np.stack(radii))

    def part(self, keep: slice | IntArray) -> Tube:
        """Return some of the rings."""
        return Tube(self.slices[keep], self.centres_mm[keep], self.radii_mm[keep])

    def rasterise(self, shape: Sequence[int], spacing: FloatArray) -> Float32Array:
        """Return the fraction of each voxel's area that lies inside the tube.

        Parameters
        ----------
        shape
            Shape (X, Y, Z) of the volume.
        spacing
            Voxel size in mm (3,).
        """
        volume = np.zeros(tuple(shape), dtype=np.float32)
        angles = np.append(ray_angles(self.n_rays), 2 * np.pi)
        offsets = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS - 0.5
        for centre, radii, k in zip(self.centres_mm, self.radii_mm, self.slices, strict=True):
            reach = radii.max() / spacing[:2] + 1
            low = np.maximum(np.floor(centre / spacing[:2] - reach), 0).astype(int)
            high = np.minimum(np.ceil(centre / spacing[:2] + reach) + 1, shape[:2]).astype(int)
            if (high <= low).any():
                continue
            x = (np.arange(low[0], high[0])[:, None] + offsets).ravel() * spacing[0] - centre[0]
            y = (np.arange(low[1], high[1])[:, None] + offsets).ravel() * spacing[1] - centre[1]
            angle = np.arctan2(y[None, :], x[:, None]) % (2 * np.pi)
            inside = np.hypot(x[:, None], y[None, :]) < np.interp(
                angle, angles, np.append(radii, radii[0])
            )
            blocks = inside.reshape(high[0] - low[0], _SUBPIXELS, high[1] - low[1], _SUBPIXELS)
            volume[low[0] : high[0], low[1] : high[1], k] = blocks.mean(axis=(1, 3))
        return volume


def ellipse_radii(n_rays: int, ap_mm: float, rl_mm: float) -> FloatArray:
    """Return the radii (T,) of an ellipse by its half axes front to back and right to left."""
    angles = ray_angles(n_rays)
    radii: FloatArray = 1 / np.hypot(np.cos(angles) / rl_mm, np.sin(angles) / ap_mm)
    return radii
