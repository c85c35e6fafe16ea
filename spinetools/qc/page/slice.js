// One slice: the picture as large as it fits, zoom, what is under the pointer, names beside it.
"use strict";

QC.slice = {
  ROOM_FOR_LETTERS: 72,
  ROOM_FOR_NAMES: 120,

  start() {
    this.viewport = QC.element("div", { class: "viewport", id: "viewport" });
    QC.lens.start(this.viewport, {
      onChange: () => {
        this.placeLens();
        this.buttons();
      },
      onWindow: () => this.buttons(),
    });
    this.viewport.addEventListener("pointermove", (event) => this.hover(event));
    this.viewport.addEventListener("pointerleave", () => {
      QC.show(QC.byId("tip"), false);
      QC.viewer.label();
    });
    QC.byId("lens-reset").addEventListener("click", () => QC.lens.reset());
  },

  draw(detail, view) {
    [this.detail, this.view] = [detail, view];
    const [top, right, bottom, left] = view.letters;
    this.picture = QC.tiles.picture(detail, view, 0);
    this.tickTop = QC.element("i", { class: "plane-tick above" });
    this.tickBottom = QC.element("i", { class: "plane-tick below" });
    this.picture.append(this.tickTop, this.tickBottom);
    QC.replace(this.viewport, this.picture);
    this.marks = QC.element("div", { class: "marks" });
    this.around = QC.element(
      "div",
      { class: "around" },
      this.viewport,
      QC.element("b", { class: "letter n", text: top }),
      QC.element("b", { class: "letter e", text: right }),
      QC.element("b", { class: "letter s", text: bottom }),
      QC.element("b", { class: "letter w", text: left }),
      this.marks,
    );
    QC.replace(QC.byId("frame"), this.around);
    this.placeLens();
  },

  // The largest picture that fits.
  fit(room) {
    const [height, width] = QC.tiles.extent(this.view);
    const frame = QC.byId("frame");
    const names = this.view.plane === "sagittal" && this.detail.marks.length > 0;
    const aside = this.ROOM_FOR_LETTERS + (names ? 2 * this.ROOM_FOR_NAMES : 0);
    const scale = Math.min((room - aside) / width, (frame.clientHeight - 50) / height);
    if (scale <= 0) return;
    this.scale = scale;
    this.around.style.width = `${Math.floor(width * scale)}px`;
    this.around.style.aspectRatio = `${width} / ${height}`;
    this.drawMarks();
  },

  placeLens() {
    if (!this.picture) return;
    const [left, top] = QC.lens.place();
    Object.assign(this.picture.style, {
      width: `${QC.lens.zoom * 100}%`,
      left: `${left * 100}%`,
      top: `${top * 100}%`,
    });
    this.drawMarks();
  },

  // Zoom and window as words, with a button that takes them back.
  buttons() {
    const { zoom, window: width, level } = QC.lens;
    const words = [];
    if (zoom !== 1) words.push(`${Number(zoom.toPrecision(2))}×`);
    if (width !== 1 || level !== 0.5) {
      words.push(`window ${Math.round(width * 100)}, level ${Math.round(level * 100)}`);
    }
    const button = QC.byId("lens-reset");
    QC.show(button, QC.lens.changed());
    button.textContent = `${words.join(", ")} ✕`;
  },

  place(tile) {
    const { view, detail } = this;
    const place = QC.tiles.placement(view, tile);
    view.layers.forEach((layer, number) => {
      const node = this.picture.querySelector(`[data-layer="${number}"]`);
      QC.tiles.fill(node, detail, layer, place);
    });
    const index = QC.viewer.index();
    QC.replace(
      QC.byId("slice-flags"),
      ...QC.viewer.flagsOf(index).map((flag) =>
        QC.element("span", { class: "flag", text: `${flag.kind}: ${flag.reason}` }),
      ),
    );
    // where the sagittal picture beside cuts this slice
    const { side } = QC.viewer;
    const row = side ? QC.overview.row(index) : null;
    const cuts = row !== null && row >= 0 && row < side.curve.length;
    for (const tick of [this.tickTop, this.tickBottom]) {
      QC.show(tick, cuts);
      if (cuts) tick.style.left = `${QC.tiles.fraction(view, tile, 1, side.curve[row]) * 100}%`;
    }
  },

  // -- what is under the pointer --------------------------------------------------------------------

  async hover(event) {
    if (!this.view) return;
    const box = this.picture.getBoundingClientRect();
    const voxel = QC.tiles.voxelAt(
      this.view, QC.viewer.tile,
      (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height,
    );
    QC.byId("slice-label").lastChild.textContent = `voxel ${voxel.join(" ")}`;
    this.pointer = [event.clientX, event.clientY];
    const { detail } = this;
    const names = await this.names(detail, voxel);
    if (detail !== this.detail || !this.viewport.matches(":hover")) return;
    this.tip(names);
  },

  async names(detail, voxel) {
    try {
      const found = QC.voxels.namesAt(detail, await QC.voxels.load(detail), voxel);
      return found.filter((each) => !QC.viewer.hidden.has(each.layer));
    } catch {
      return []; // an older entry: its colours are named above all the same
    }
  },

  tip(names) {
    const tip = QC.byId("tip");
    QC.show(tip, names.length > 0 && QC.viewer.overlay);
    QC.replace(
      tip,
      ...names.map(({ name, colour }) =>
        QC.element("span", {}, QC.element("i", { style: { background: colour } }), QC.element("em", { text: name })),
      ),
    );
    const [x, y] = this.pointer;
    tip.style.left = `${Math.min(x + 14, innerWidth - tip.offsetWidth - 6)}px`;
    tip.style.top = `${Math.min(y + 16, innerHeight - tip.offsetHeight - 6)}px`;
  },

  // Names of labels beside the picture, at their height, never over it.
  drawMarks() {
    if (!this.marks) return;
    QC.replace(this.marks);
    if (this.view.plane !== "sagittal" || !this.scale) return;
    const height = QC.tiles.extent(this.view)[0] * this.scale;
    const [rowAxis] = this.view.axes;
    const [, top] = QC.lens.place();
    let last = -Infinity;
    const placed = this.detail.marks
      .map((mark) => [QC.tiles.fraction(this.view, 0, 0, mark.centre[rowAxis]), mark])
      .map(([share, mark]) => [(share * QC.lens.zoom + top) * height, mark])
      .filter(([y]) => y >= 0 && y <= height)
      .sort((a, b) => a[0] - b[0]);
    for (const [y, mark] of placed) {
      const at = Math.max(y, last + 16);
      last = at;
      this.marks.append(
        QC.element(
          "span",
          { style: { top: `${at}px` } },
          QC.element("i", { style: { background: mark.colour } }),
          QC.element("em", { text: mark.name }),
        ),
      );
    }
  },
};
