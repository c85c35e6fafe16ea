// Voxels of an entry (volume.js beside its pictures), loaded when first asked for: names under the
// pointer, agreement of two methods, the 3D view.
"use strict";

QC.voxels = {
  texts: new Map(),
  ready: new Map(),

  // The decoded volume of an entry's details; rejects where it has none.
  load(detail) {
    if (!this.ready.has(detail.id)) {
      const promise = this.read(detail);
      promise.catch(() => this.ready.delete(detail.id));
      this.ready.set(detail.id, promise);
      // volumes are large: keep those of the last entries only
      while (this.ready.size > 6) this.ready.delete(this.ready.keys().next().value);
    }
    return this.ready.get(detail.id);
  },

  async read(detail) {
    const source = detail.volume ? QC.path(detail.folder, detail.volume) : "";
    if (!source) throw new Error("This entry was made by an older version, without voxels");
    if (!("DecompressionStream" in window)) throw new Error("This browser is too old for it");
    await QC.script(source);
    const content = this.texts.get(detail.id);
    this.texts.delete(detail.id);
    if (!content) throw new Error(`${source} is damaged`);
    const [image, ...layers] = await Promise.all(
      [content.image, ...content.layers].map((part) => this.unpack(part)),
    );
    return { affine: content.affine, image, layers };
  },

  async unpack(part) {
    const bytes = Uint8Array.from(atob(part.data), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return { ...part, data: new Uint8Array(await new Response(stream).arrayBuffer()) };
  },

  // A part's value at a native voxel; 0 outside of it.
  at(part, voxel) {
    let place = 0;
    for (let axis = 2; axis >= 0; axis -= 1) {
      const i = Math.floor((voxel[axis] - part.origin[axis]) / part.step[axis]);
      if (i < 0 || i >= part.shape[axis]) return 0;
      place = place * part.shape[axis] + i;
    }
    return part.data[place];
  },

  // What lies at a voxel: names and colours, the last drawn first.
  namesAt(detail, volume, voxel) {
    const found = [];
    for (const layer of volume.layers) {
      const value = this.at(layer, voxel);
      if (value === 0) continue;
      const label = layer.values ? layer.values[value - 1] : null;
      const mark = label === null ? null
        : detail.marks.find((each) => each.layer === layer.name && each.value === label);
      if (mark) found.unshift({ name: mark.name, colour: mark.colour, layer: layer.name });
      else found.unshift({ name: label ? `${layer.name} ${label}` : layer.name, colour: layer.colour, layer: layer.name });
    }
    return found;
  },

  // Voxels of two masks and of both, in one slice of an axis (or in all); null where they were
  // stored more coarsely than they are.
  overlap(a, b, axis, index = null) {
    if (!a || !b || [...a.step, ...b.step].some((step) => step !== 1)) return null;
    const count = { a: 0, b: 0, both: 0 };
    const within = (part) => [0, 1, 2].map((x) => (
      index !== null && x === axis
        ? [index, index >= part.origin[x] && index < part.origin[x] + part.shape[x] ? index + 1 : index]
        : [part.origin[x], part.origin[x] + part.shape[x]]
    ));
    const each = (part, visit) => {
      const [i, j, k] = within(part);
      const [nx, ny] = part.shape;
      for (let z = k[0]; z < k[1]; z += 1) {
        for (let y = j[0]; y < j[1]; y += 1) {
          let place = ((z - part.origin[2]) * ny + y - part.origin[1]) * nx + i[0] - part.origin[0];
          for (let x = i[0]; x < i[1]; x += 1, place += 1) {
            if (part.data[place] !== 0) visit(x, y, z);
          }
        }
      }
    };
    each(a, (x, y, z) => {
      count.a += 1;
      if (this.at(b, [x, y, z]) !== 0) count.both += 1;
    });
    each(b, () => { count.b += 1; });
    return count;
  },

  dice(count) {
    return count && count.a + count.b > 0 ? (2 * count.both) / (count.a + count.b) : null;
  },
};

window.spinetoolsVolume = (content) => {
  if (content && typeof content.id === "string") QC.voxels.texts.set(content.id, content);
};
