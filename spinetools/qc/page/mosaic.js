// All tiles of a view side by side; their number stands below each, flagged ones are marked.
// A tile gets its picture when it comes near to what can be seen: there may be hundreds.
"use strict";

QC.mosaic = {
  GAP: 6,
  PADDING: 28,
  view: null,
  room: 0,

  draw(detail, view, flagsOf, onOpen) {
    this.clear();
    this.view = view;
    this.detail = detail;
    const [height, width] = QC.tiles.extent(view);
    const tiles = view.indices.map((index, tile) => {
      const flags = flagsOf(index);
      const node = QC.element(
        "div",
        {
          class: flags.length > 0 ? "tile flagged" : "tile",
          data: { tile },
          title: flags.map((flag) => `${flag.kind}: ${flag.reason}`).join("\n") || null,
        },
        QC.element("div", { class: "picture", style: { aspectRatio: `${width} / ${height}` } }),
        QC.element("span", { class: "number", text: index === null ? "along the cord" : index }),
      );
      node.addEventListener("click", () => onOpen(tile));
      return node;
    });
    const box = QC.byId("mosaic");
    QC.replace(box, ...tiles);
    box.scrollTop = 0;
    this.watcher = new IntersectionObserver(
      (changes) => {
        for (const change of changes) {
          if (change.isIntersecting) this.fill(Number(change.target.dataset.tile));
        }
      },
      { root: box, rootMargin: "600px" },
    );
    for (const tile of tiles) this.watcher.observe(tile);
  },

  // Verdicts of single slices, as a corner of their tiles.
  rate(entry) {
    if (!this.view) return;
    const said = new Map(QC.ratings.saidSlices(entry.case));
    this.view.indices.forEach((index, tile) => {
      const node = QC.byId("mosaic").children[tile];
      const rating = index === null ? undefined : said.get(index);
      node.classList.toggle("said", Boolean(rating));
      if (rating) node.dataset.verdict = rating.verdict || "note";
      else delete node.dataset.verdict;
    });
  },

  fill(tile) {
    const node = QC.byId("mosaic").children[tile];
    if (!node || node.dataset.filled) return;
    node.dataset.filled = "yes";
    this.watcher.unobserve(node);
    node.firstChild.replaceWith(QC.tiles.picture(this.detail, this.view, tile));
  },

  clear() {
    if (this.watcher) this.watcher.disconnect();
    this.view = null;
    QC.replace(QC.byId("mosaic"));
  },

  // Mark the current tile, and bring it into sight.
  mark(tile, follow) {
    const box = QC.byId("mosaic");
    for (const node of box.querySelectorAll(".current")) node.classList.remove("current");
    const node = box.children[tile];
    if (!node) return;
    node.classList.add("current");
    if (follow && !box.hidden) node.scrollIntoView({ block: "nearest" });
  },

  // One column more or less.
  resize(step) {
    if (!this.view) return;
    const columns = Math.max(1, Math.min(24, this.columns() - step));
    QC.settings.set("tile", this.width(columns) / this.ratio());
    this.fit(this.room);
  },

  // As many columns as there is room for at the wanted size, filling the width.
  fit(room) {
    this.room = room;
    if (!this.view) return;
    const [height, width] = QC.tiles.extent(this.view);
    const columns = this.columns();
    QC.byId("mosaic").style.setProperty("--columns", String(columns));
    // what is seen at once is filled at once, without waiting for the watcher
    const tall = (this.width(columns) * height) / width + 20;
    const rows = Math.ceil(QC.viewer.room.height / tall);
    for (let tile = 0; tile < rows * columns; tile += 1) this.fill(tile);
  },

  columns() {
    // a hair less than the gap: a size that was made to fill the width must fit it again
    const each = QC.settings.values.tile * this.ratio() + this.GAP - 0.1;
    return Math.max(1, Math.floor((this.room - this.PADDING + this.GAP) / each));
  },

  width(columns) {
    return (this.room - this.PADDING - this.GAP * (columns - 1)) / columns;
  },

  // A tile's width as a share of the wanted size: sagittal pictures are narrow and tall.
  ratio() {
    const [height, width] = QC.tiles.extent(this.view);
    return width / (this.view.plane === "axial" ? Math.max(width, height) : 75);
  },
};
