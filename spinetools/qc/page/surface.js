// Surfaces of labels as triangles, by surface nets (Gibson 1998): a vertex in every cell of eight
// voxels that the surface passes through, smoothed without shrinking (Taubin 1995).
"use strict";

QC.surface = {
  ROUNDS: 12,
  SHRINK: 0.5,
  SWELL: -0.53,

  // The box of each value: lowest and highest index on every axis.
  boxes({ data, shape }) {
    const [nx, ny, nz] = shape;
    const boxes = new Map();
    let place = 0;
    for (let z = 0; z < nz; z += 1) {
      for (let y = 0; y < ny; y += 1) {
        for (let x = 0; x < nx; x += 1, place += 1) {
          const value = data[place];
          if (value === 0) continue;
          let box = boxes.get(value);
          if (!box) boxes.set(value, (box = [x, x, y, y, z, z]));
          if (x < box[0]) box[0] = x; else if (x > box[1]) box[1] = x;
          if (y < box[2]) box[2] = y; else if (y > box[3]) box[3] = y;
          if (z > box[5]) box[5] = z;
        }
      }
    }
    return boxes;
  },

  // Vertices (in voxels of the part) and triangles of one value.
  of(part, value, box) {
    const { data, shape } = part;
    const [nx, ny, nz] = shape;
    const [x0, y0, z0] = [box[0] - 1, box[2] - 1, box[4] - 1];
    const size = [box[1] - x0 + 1, box[3] - y0 + 1, box[5] - z0 + 1];
    const inside = (x, y, z) =>
      x >= 0 && y >= 0 && z >= 0 && x < nx && y < ny && z < nz && data[(z * ny + y) * nx + x] === value ? 1 : 0;
    const cells = new Int32Array(size[0] * size[1] * size[2]).fill(-1);
    const cell = (x, y, z) => (z * size[1] + y) * size[0] + x;
    const points = [];
    const triangles = [];
    for (let z = 0; z < size[2]; z += 1) {
      for (let y = 0; y < size[1]; y += 1) {
        for (let x = 0; x < size[0]; x += 1) {
          this.vertex(x + x0, y + y0, z + z0, inside, points, () => {
            cells[cell(x, y, z)] = points.length / 3 - 1;
          });
        }
      }
    }
    const quad = (a, b, c, d, flip) => {
      const corners = [a, b, c, d].map((at) => cells[at]);
      if (corners.some((corner) => corner < 0)) return;
      const [p, q, r, s] = flip ? [corners[0], corners[3], corners[2], corners[1]] : corners;
      triangles.push(p, q, r, p, r, s);
    };
    for (let z = 1; z < size[2]; z += 1) {
      for (let y = 1; y < size[1]; y += 1) {
        for (let x = 1; x < size[0]; x += 1) {
          const here = inside(x + x0, y + y0, z + z0);
          if (here !== inside(x + x0 + 1, y + y0, z + z0)) {
            quad(cell(x, y - 1, z - 1), cell(x, y, z - 1), cell(x, y, z), cell(x, y - 1, z), here === 0);
          }
          if (here !== inside(x + x0, y + y0 + 1, z + z0)) {
            quad(cell(x - 1, y, z - 1), cell(x - 1, y, z), cell(x, y, z), cell(x, y, z - 1), here === 0);
          }
          if (here !== inside(x + x0, y + y0, z + z0 + 1)) {
            quad(cell(x - 1, y - 1, z), cell(x, y - 1, z), cell(x, y, z), cell(x - 1, y, z), here === 0);
          }
        }
      }
    }
    const vertices = Float32Array.from(points);
    this.smooth(vertices, triangles);
    return { vertices, triangles: Uint32Array.from(triangles) };
  },

  // The mean of where the surface crosses the twelve edges of a cell.
  vertex(x, y, z, inside, points, found) {
    const corner = [];
    for (let k = 0; k < 8; k += 1) corner.push(inside(x + (k & 1), y + ((k >> 1) & 1), z + (k >> 2)));
    const sum = corner.reduce((a, b) => a + b);
    if (sum === 0 || sum === 8) return;
    const at = [0, 0, 0];
    let edges = 0;
    for (let k = 0; k < 8; k += 1) {
      for (const bit of [1, 2, 4]) {
        if (k & bit || corner[k] === corner[k | bit]) continue;
        edges += 1;
        at[0] += bit === 1 ? 0.5 : k & 1;
        at[1] += bit === 2 ? 0.5 : (k >> 1) & 1;
        at[2] += bit === 4 ? 0.5 : k >> 2;
      }
    }
    points.push(x + at[0] / edges, y + at[1] / edges, z + at[2] / edges);
    found();
  },

  smooth(vertices, triangles) {
    const n = vertices.length / 3;
    const sums = new Float32Array(vertices.length);
    const counts = new Uint16Array(n);
    for (let round = 0; round < 2 * this.ROUNDS; round += 1) {
      const weight = round % 2 === 0 ? this.SHRINK : this.SWELL;
      sums.fill(0);
      counts.fill(0);
      for (let t = 0; t < triangles.length; t += 3) {
        for (let e = 0; e < 3; e += 1) {
          const [a, b] = [triangles[t + e], triangles[t + ((e + 1) % 3)]];
          for (let axis = 0; axis < 3; axis += 1) sums[3 * a + axis] += vertices[3 * b + axis];
          counts[a] += 1;
        }
      }
      for (let v = 0; v < n; v += 1) {
        if (counts[v] === 0) continue;
        for (let axis = 0; axis < 3; axis += 1) {
          const at = 3 * v + axis;
          vertices[at] += weight * (sums[at] / counts[v] - vertices[at]);
        }
      }
    }
  },
};
