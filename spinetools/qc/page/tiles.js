// Tiles of a view: pieces of its sheets, drawn by CSS, so that they scale to any size and nothing
// has to read pixels (which a page opened from a file may not).
"use strict";

QC.tiles = {
  // Where a tile lies in its sheets, in percent as CSS counts.
  placement(view, tile) {
    const [rows, columns] = view.size;
    const sheet = Math.floor(tile / view.per_sheet);
    const inSheet = Math.min(view.per_sheet, view.indices.length - sheet * view.per_sheet);
    const place = tile % view.per_sheet;
    const row = Math.floor(place / view.columns);
    const column = place % view.columns;
    const sheetRows = Math.ceil(inSheet / view.columns);
    const [height, width] = [rows + 2 * view.gutter, columns + 2 * view.gutter];
    const across = view.columns * width;
    const down = sheetRows * height;
    const x = (column * width + view.gutter) / Math.max(across - columns, 1e-9);
    const y = (row * height + view.gutter) / Math.max(down - rows, 1e-9);
    return {
      sheet,
      size: `${(across / columns) * 100}% ${(down / rows) * 100}%`,
      position: `${x * 100}% ${y * 100}%`,
    };
  },

  // A tile without its gutter, in pixels of its sheet.
  pixels(view, tile, sheetWidth, sheetHeight) {
    const [rows, columns] = view.size;
    const sheet = Math.floor(tile / view.per_sheet);
    const inSheet = Math.min(view.per_sheet, view.indices.length - sheet * view.per_sheet);
    const place = tile % view.per_sheet;
    const [wide, tall] = [columns + 2 * view.gutter, rows + 2 * view.gutter];
    const perX = sheetWidth / (view.columns * wide);
    const perY = sheetHeight / (Math.ceil(inSheet / view.columns) * tall);
    return {
      x: ((place % view.columns) * wide + view.gutter) * perX,
      y: (Math.floor(place / view.columns) * tall + view.gutter) * perY,
      width: columns * perX,
      height: rows * perY,
    };
  },

  // Height and width in mm.
  extent(view) {
    return [view.size[0] * view.spacing_mm[0], view.size[1] * view.spacing_mm[1]];
  },

  picture(detail, view, tile) {
    const place = this.placement(view, tile);
    const [height, width] = this.extent(view);
    const picture = QC.element("div", {
      class: "picture",
      style: { aspectRatio: `${width} / ${height}` },
    });
    view.layers.forEach((layer, number) => {
      const node = QC.element("div", {
        class: `layer ${number === 0 ? "image" : "overlay"} kind-${layer.kind}`,
        data: { layer: number },
        style: { visibility: `var(--layer-${number})` },
      });
      this.fill(node, detail, layer, place);
      picture.append(node);
    });
    return picture;
  },

  // Show a tile of a layer in a node.
  fill(node, detail, layer, place) {
    const source = QC.path(detail.folder, layer.files[place.sheet] || "");
    Object.assign(node.style, {
      backgroundImage: source ? `url("${source}")` : "none",
      backgroundSize: place.size,
      backgroundPosition: place.position,
    });
  },

  // Load all sheets of a view; says which file is missing.
  preload(detail, view) {
    const files = view.layers.flatMap((layer) => layer.files);
    return Promise.all(
      files.map(
        (file) =>
          new Promise((resolve, reject) => {
            const image = new Image();
            image.onload = () => resolve();
            image.onerror = () => reject(new Error(`${detail.folder}/${file} is missing`));
            image.src = QC.path(detail.folder, file);
          }),
      ),
    );
  },

  // The tile that shows a native slice index, or the nearest one.
  nearest(view, index) {
    let best = 0;
    let distance = Infinity;
    view.indices.forEach((shown, tile) => {
      if (shown !== null && Math.abs(shown - index) < distance) {
        best = tile;
        distance = Math.abs(shown - index);
      }
    });
    return best;
  },

  // How far down or across a tile a native index lies: 0 to 1, at the voxel's middle.
  fraction(view, tile, which, index) {
    const step = view.steps[which];
    return ((index - view.origins[tile][which]) * step + 0.5) / view.size[which];
  },

  // The native index at a fraction down (0) or across (1) a tile.
  indexAt(view, tile, which, fraction) {
    const voxel = Math.floor(fraction * view.size[which]);
    const inside = Math.min(Math.max(voxel, 0), view.size[which] - 1);
    return view.origins[tile][which] + view.steps[which] * inside;
  },

  // Native voxel under a point of a tile.
  voxelAt(view, tile, across, down) {
    const voxel = [0, 0, 0];
    voxel[view.axes[0]] = this.indexAt(view, tile, 0, down);
    voxel[view.axes[1]] = this.indexAt(view, tile, 1, across);
    const row = Math.min(Math.max(Math.floor(down * view.size[0]), 0), view.size[0] - 1);
    const index = view.indices[tile];
    voxel[view.axes[2]] = index === null ? view.curve[row] : index;
    return voxel;
  },
};
