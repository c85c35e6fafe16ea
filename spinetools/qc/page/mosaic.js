// All tiles of a view side by side; their number stands below each, flagged ones are marked.
"use strict";

QC.mosaic = {
  GAP: 6,
  PADDING: 28,
  view: null,

  draw(detail, view, flagsOf, onOpen) {
    this.view = view;
    const tiles = view.indices.map((index, tile) => {
      const flags = flagsOf(index);
      const node = QC.element(
        "div",
        {
          class: flags.length > 0 ? "tile flagged" : "tile",
          data: { tile },
          title: flags.map((flag) => `${flag.kind}: ${flag.reason}`).join("\n") || null,
        },
        QC.tiles.picture(detail, view, tile),
        QC.element("span", { class: "number", text: index === null ? "along the cord" : index }),
      );
      node.addEventListener("click", () => onOpen(tile));
      return node;
    });
    QC.replace(QC.byId("mosaic"), ...tiles);
    this.fit();
  },

  clear() {
    this.view = null;
    QC.replace(QC.byId("mosaic"));
  },

  // Mark the current tile.
  mark(tile) {
    const box = QC.byId("mosaic");
    for (const node of box.querySelectorAll(".current")) node.classList.remove("current");
    const node = box.children[tile];
    if (!node) return;
    node.classList.add("current");
    if (!box.hidden) node.scrollIntoView({ block: "nearest" });
  },

  // One column more or less.
  resize(step) {
    if (!this.view) return;
    const columns = Math.max(1, Math.min(24, this.columns() - step));
    QC.settings.set("tile", this.width(columns) / this.ratio());
    this.fit();
  },

  // As many columns as there is room for at the wanted size, filling the width.
  fit() {
    const box = QC.byId("mosaic");
    if (!this.view || box.hidden) return;
    const [height, width] = QC.tiles.extent(this.view);
    const columns = this.columns();
    box.style.setProperty("--columns", String(columns));
    box.style.setProperty(
      "--tile-height",
      `${Math.round((this.width(columns) * height) / width + 20)}px`,
    );
  },

  columns() {
    const room = QC.byId("mosaic").clientWidth - this.PADDING + this.GAP;
    // a hair less than the gap: a size that was made to fill the width must fit it again
    const each = QC.settings.values.tile * this.ratio() + this.GAP - 0.1;
    return Math.max(1, Math.floor(room / each));
  },

  width(columns) {
    const gaps = this.GAP * (columns - 1);
    return (QC.byId("mosaic").clientWidth - this.PADDING - gaps) / columns;
  },

  // A tile's width as a share of the wanted size: sagittal pictures are narrow and tall.
  ratio() {
    const [height, width] = QC.tiles.extent(this.view);
    return width / (this.view.plane === "axial" ? Math.max(width, height) : 75);
  },
};
