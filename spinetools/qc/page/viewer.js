// The pictures of an entry: mosaic, one slice, the sagittal overview beside, and the chart.
"use strict";

QC.viewer = {
  entry: null,
  detail: null,
  view: null, // the entry's own plane
  side: null, // the sagittal picture beside, where there is one
  tile: 0,
  overlay: true,
  hidden: new Set(), // names of overlays switched off
  room: { width: 0, height: 0 }, // of the stage

  start() {
    QC.byId("view-mosaic").addEventListener("click", () => this.setView("mosaic"));
    QC.byId("view-slice").addEventListener("click", () => this.setView("slice"));
    QC.byId("style-fill").addEventListener("click", () => this.setStyle("fill"));
    QC.byId("style-outline").addEventListener("click", () => this.setStyle("outline"));
    QC.byId("smaller").addEventListener("click", () => QC.mosaic.resize(-1));
    QC.byId("larger").addEventListener("click", () => QC.mosaic.resize(1));
    QC.byId("slice-first").addEventListener("click", () => this.go(0));
    QC.byId("slice-previous").addEventListener("click", () => this.step(-1));
    QC.byId("slice-next").addEventListener("click", () => this.step(1));
    QC.byId("slice-last").addEventListener("click", () => this.go(Infinity));
    const opacity = QC.byId("opacity");
    opacity.value = String(QC.settings.values.opacity);
    opacity.addEventListener("input", () => {
      QC.settings.set("opacity", Number(opacity.value));
      this.applyStyle();
    });
    let rolled = 0;
    QC.byId("single").addEventListener(
      "wheel",
      (event) => {
        if (event.ctrlKey || event.metaKey) return; // the browser's own zoom
        event.preventDefault();
        // a touchpad sends many small steps for one move of a wheel
        rolled += event.deltaMode === 0 ? event.deltaY : event.deltaY * 40;
        const steps = Math.trunc(rolled / 40);
        if (steps !== 0) {
          rolled -= steps * 40;
          this.step(Math.max(-3, Math.min(3, steps)));
        }
      },
      { passive: false },
    );
    // sizes come from here, so that drawing an entry need not ask for them in between
    new ResizeObserver(([change]) => {
      const { width, height } = change.contentRect;
      const wider = width !== this.room.width;
      this.room = { width, height };
      if (wider) this.drawChart();
      this.fit();
    }).observe(QC.byId("stage"));
    this.applyStyle();
  },

  async open(entry) {
    const before = this.detail && this.entry && this.entry.input === entry.input ? this.index() : null;
    this.entry = entry;
    QC.show(QC.byId("no-entry"), false);
    QC.show(QC.byId("entry"), true);
    this.title(entry);
    try {
      const detail = await QC.load(entry);
      if (this.entry !== entry) return;
      this.detail = detail;
      [this.view] = detail.views;
      this.side = detail.views.find((view) => view !== this.view && view.plane === "sagittal") || null;
      const own = before !== null && this.view.indices.includes(before);
      this.tile = own ? this.view.indices.indexOf(before) : this.startTile();
      this.draw();
      QC.tiles.preload(detail, this.view).catch((error) => this.problem(entry, error));
    } catch (error) {
      this.problem(entry, error);
    }
  },

  problem(entry, error) {
    if (this.entry !== entry) return;
    QC.byId("no-entry").textContent = `This entry cannot be shown: ${error.message}`;
    QC.show(QC.byId("no-entry"), true);
  },

  title(entry) {
    const file = QC.fileName(entry.input);
    QC.byId("entry-title").textContent = file || entry.subject;
    const facts = [entry.dataset, entry.subject, entry.process, entry.contrast, entry.plane];
    QC.byId("entry-subtitle").textContent = facts.filter(Boolean).join(" · ");
    document.title = `${entry.subject} · ${entry.process} · spinetools QC`;
  },

  // The middle of the stack, or the cut that follows the cord.
  startTile() {
    const follows = this.view.indices.indexOf(null);
    return follows >= 0 ? follows : Math.floor(this.view.indices.length / 2);
  },

  draw() {
    this.drawLayers();
    this.drawCaption();
    QC.mosaic.clear();
    this.drawSingle();
    QC.overview.draw(this.detail, this.side, (index) => this.goToIndex(index));
    this.applyStyle();
    if (this.room.width === 0) {
      const stage = QC.byId("stage");
      this.room = { width: stage.clientWidth, height: stage.clientHeight };
    }
    this.drawChart();
    this.setView(QC.settings.values.view, false);
  },

  // -- overlays -----------------------------------------------------------------------------------

  drawLayers() {
    const chips = this.view.layers.slice(1).map((layer) => {
      const chip = QC.element(
        "button",
        { class: "chip", title: `Show or hide ${layer.name}`, data: { name: layer.name } },
        QC.element("i", { style: { background: layer.colour || "conic-gradient(#f66,#fd5,#5d8,#5af,#b7f,#f66)" } }),
        QC.element("span", { text: layer.name }),
      );
      chip.addEventListener("click", () => {
        if (!this.hidden.delete(layer.name)) this.hidden.add(layer.name);
        this.overlay = true;
        this.applyStyle();
      });
      return chip;
    });
    QC.replace(QC.byId("layers"), ...chips);
  },

  toggleOverlay() {
    this.overlay = !this.overlay;
    this.applyStyle();
  },

  setStyle(style) {
    QC.settings.set("style", style);
    this.applyStyle();
  },

  applyStyle() {
    const { style, opacity } = QC.settings.values;
    const stage = QC.byId("stage");
    stage.dataset.style = style;
    stage.style.setProperty("--opacity", String(opacity / 100));
    QC.press(QC.byId("style-fill"), style === "fill");
    QC.press(QC.byId("style-outline"), style === "outline");
    if (!this.view) return;
    const painted = this.view.layers.slice(1).some((layer) => layer.kind !== "image");
    QC.show(QC.byId("style-buttons"), painted);
    QC.show(QC.byId("opacity-label"), painted && style === "fill");
    this.view.layers.forEach((layer, number) => {
      const shown = number === 0 || (this.overlay && !this.hidden.has(layer.name));
      stage.style.setProperty(`--layer-${number}`, shown ? "visible" : "hidden");
    });
    for (const chip of QC.byId("layers").children) {
      QC.press(chip, this.overlay && !this.hidden.has(chip.dataset.name));
    }
  },

  // -- mosaic and one slice -----------------------------------------------------------------------

  setView(name, follow = true) {
    if (QC.settings.values.view !== name) QC.settings.set("view", name);
    QC.show(QC.byId("mosaic"), name === "mosaic");
    if (this.view && name === "mosaic" && QC.mosaic.view !== this.view) this.drawMosaic();
    QC.show(QC.byId("single"), name === "slice");
    QC.show(QC.byId("size-buttons"), name === "mosaic");
    QC.show(QC.byId("caption"), name === "mosaic");
    QC.press(QC.byId("view-mosaic"), name === "mosaic");
    QC.press(QC.byId("view-slice"), name === "slice");
    this.fit();
    this.go(this.tile, follow);
  },

  toggleView() {
    this.setView(QC.settings.values.view === "mosaic" ? "slice" : "mosaic");
  },

  index() {
    return this.view.indices[this.tile];
  },

  axis() {
    return QC.AXES[this.view.axes[2]];
  },

  drawCaption() {
    const { view } = this;
    const [top, right, bottom, left] = view.letters;
    const words = { R: "right", L: "left", A: "front", P: "back", S: "head", I: "feet" };
    const rest = [`numbers are voxel ${this.axis()}`];
    if (view.every > 1) rest.push(`one slice in ${view.every} is shown`);
    QC.replace(
      QC.byId("caption"),
      QC.element(
        "span",
        { class: "compass", "aria-hidden": "true" },
        QC.element("i", { class: "n", text: top }),
        QC.element("i", { class: "e", text: right }),
        QC.element("i", { class: "s", text: bottom }),
        QC.element("i", { class: "w", text: left }),
      ),
      QC.element("span", {
        text: `The patient's ${words[left]} is on the left; ${rest.join("; ")}.`,
      }),
    );
  },

  flagsOf(index) {
    if (index === null || this.view.plane !== "axial") return [];
    return this.detail.flags.filter((flag) => flag.slices.includes(index));
  },

  drawMosaic() {
    QC.mosaic.draw(this.detail, this.view, (index) => this.flagsOf(index), (tile) => {
      this.tile = tile;
      this.setView("slice");
    });
  },

  drawSingle() {
    const { detail, view } = this;
    const [top, right, bottom, left] = view.letters;
    const picture = QC.tiles.picture(detail, view, 0);
    this.singlePicture = picture;
    this.tickTop = QC.element("i", { class: "plane-tick above" });
    this.tickBottom = QC.element("i", { class: "plane-tick below" });
    picture.append(this.tickTop, this.tickBottom);
    picture.addEventListener("pointermove", (event) => this.readVoxel(event));
    picture.addEventListener("pointerleave", () => this.label());
    this.marks = QC.element("div", { class: "marks" });
    picture.append(
      QC.element("b", { class: "letter n", text: top }),
      QC.element("b", { class: "letter e", text: right }),
      QC.element("b", { class: "letter s", text: bottom }),
      QC.element("b", { class: "letter w", text: left }),
    );
    QC.replace(QC.byId("frame"), picture, this.marks);
    this.applyStyle();
  },

  // The largest pictures that fit.
  fit() {
    if (!this.view) return;
    const left = this.room.width - QC.overview.fit(this.room);
    QC.mosaic.fit(left);
    if (QC.settings.values.view !== "slice") return;
    const [height, width] = QC.tiles.extent(this.view);
    const frame = QC.byId("frame");
    const names = this.view.plane === "sagittal" && this.detail.marks.length > 0 ? 110 : 0;
    const scale = Math.min(
      (left - 72 - 2 * names) / width,
      (frame.clientHeight - 50) / height,
    );
    if (scale <= 0) return;
    this.singlePicture.style.width = `${Math.floor(width * scale)}px`;
    this.drawMarks(height * scale);
  },

  step(by) {
    if (this.view) this.go(this.tile + by);
  },

  // To a native slice index, or the nearest that is shown.
  goToIndex(index) {
    this.go(QC.tiles.nearest(this.view, index));
  },

  go(tile, follow = true) {
    if (!this.view) return;
    this.tile = Math.max(0, Math.min(this.view.indices.length - 1, tile));
    QC.mosaic.mark(this.tile, follow);
    this.placeSingle();
    this.label();
    QC.overview.place(this.index());
    QC.chart.cursor(this.index());
  },

  placeSingle() {
    const place = QC.tiles.placement(this.view, this.tile);
    this.view.layers.forEach((layer, number) => {
      const node = this.singlePicture.querySelector(`[data-layer="${number}"]`);
      const source = QC.path(this.detail.folder, layer.files[place.sheet] || "");
      node.style.backgroundImage = source ? `url("${source}")` : "none";
      node.style.backgroundSize = place.size;
      node.style.backgroundPosition = place.position;
    });
    const flags = this.flagsOf(this.index());
    QC.replace(
      QC.byId("slice-flags"),
      ...flags.map((flag) =>
        QC.element("span", { class: "flag", text: `${flag.kind}: ${flag.reason}` }),
      ),
    );
    // where the sagittal picture beside cuts this slice
    const row = this.side ? QC.overview.row(this.index()) : null;
    const cuts = row !== null && row >= 0 && row < this.side.curve.length;
    for (const tick of [this.tickTop, this.tickBottom]) {
      QC.show(tick, cuts);
      if (cuts) {
        const across = QC.tiles.fraction(this.view, this.tile, 1, this.side.curve[row]);
        tick.style.left = `${across * 100}%`;
      }
    }
  },

  label() {
    const index = this.index();
    const position = `${this.tile + 1} of ${this.view.indices.length}`;
    const [first, last] = this.view.curve.length ? [
      Math.min(...this.view.curve), Math.max(...this.view.curve)] : [0, 0];
    const name = index === null
      ? `along the cord: ${this.axis()} ${first}–${last}`
      : `${this.axis()} = ${index}`;
    QC.replace(
      QC.byId("slice-label"),
      QC.element("strong", { text: name }),
      QC.element("span", { text: position }),
    );
  },

  readVoxel(event) {
    const box = this.singlePicture.getBoundingClientRect();
    const voxel = QC.tiles.voxelAt(
      this.view, this.tile, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height,
    );
    QC.byId("slice-label").lastChild.textContent = `voxel ${voxel.join(" ")}`;
  },

  // Names of labels beside the picture, at their height, never over it.
  drawMarks(height) {
    QC.replace(this.marks);
    if (this.view.plane !== "sagittal") return;
    const [rowAxis] = this.view.axes;
    let last = -Infinity;
    const placed = this.detail.marks
      .map((mark) => [QC.tiles.fraction(this.view, 0, 0, mark.centre[rowAxis]) * height, mark])
      .sort((a, b) => a[0] - b[0]);
    for (const [y, mark] of placed) {
      const top = Math.max(y, last + 16);
      last = top;
      this.marks.append(
        QC.element(
          "span",
          { style: { top: `${top}px` } },
          QC.element("i", { style: { background: mark.colour } }),
          QC.element("em", { text: mark.name }),
        ),
      );
    }
    this.marks.style.left = `calc(50% + ${this.singlePicture.offsetWidth / 2 + 36}px)`;
    this.marks.style.top = `${this.singlePicture.offsetTop}px`;
  },

  drawChart() {
    if (!this.view) return;
    const box = QC.byId("chart");
    QC.chart.draw(box, this.room.width, this.detail, this.view, (index) => this.goToIndex(index));
    QC.chart.cursor(this.index());
  },
};
