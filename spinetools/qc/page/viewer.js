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

  VIEWS: ["mosaic", "slice", "methods", "space"],

  start() {
    for (const name of this.VIEWS) {
      QC.byId(`view-${name}`).addEventListener("click", () => this.setView(name));
    }
    QC.slice.start();
    QC.byId("style-fill").addEventListener("click", () => this.setStyle("fill"));
    QC.byId("style-outline").addEventListener("click", () => this.setStyle("outline"));
    QC.byId("smaller").addEventListener("click", () => this.larger(-1));
    QC.byId("larger").addEventListener("click", () => this.larger(1));
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
    for (const id of ["single", "methods"]) this.wheel(QC.byId(id));
    // sizes come from here, so that drawing an entry need not ask for them in between
    new ResizeObserver(([change]) => {
      const { width, height } = change.contentRect;
      const wider = width !== this.room.width;
      this.room = { width, height };
      if (wider) this.drawChart();
      this.fit();
    }).observe(QC.byId("stage"));
    // reasons above the slice may take a second line
    new ResizeObserver(() => {
      if (this.mode() === "slice") this.fit();
    }).observe(QC.byId("frame"));
    this.applyStyle();
  },

  // Slice after slice; with Shift, nearer and farther.
  wheel(box) {
    let rolled = 0;
    box.addEventListener(
      "wheel",
      (event) => {
        if (event.ctrlKey || event.metaKey) return; // the browser's own zoom
        event.preventDefault();
        // a touchpad sends many small steps for one move of a wheel, and Shift turns it sideways
        const delta = event.deltaY || event.deltaX;
        rolled += event.deltaMode === 0 ? delta : delta * 40;
        const steps = Math.trunc(rolled / 40);
        if (steps === 0) return;
        rolled -= steps * 40;
        if (!event.shiftKey) this.step(Math.max(-3, Math.min(3, steps)));
        else if (this.mode() === "slice") {
          QC.lens.zoomTo(QC.lens.zoom * 1.25 ** -Math.max(-3, Math.min(3, steps)), ...QC.lens.point(event));
        }
      },
      { passive: false },
    );
  },

  mode() {
    return this.VIEWS.includes(QC.settings.values.view) ? QC.settings.values.view : "mosaic";
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
    const facts = [entry.process, entry.contrast, entry.plane, entry.subject, entry.dataset];
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
    QC.slice.draw(this.detail, this.view);
    QC.overview.draw(this.detail, this.side, (index) => this.goToIndex(index));
    this.applyStyle();
    if (this.room.width === 0) {
      const stage = QC.byId("stage");
      this.room = { width: stage.clientWidth, height: stage.clientHeight };
    }
    this.drawChart();
    this.setView(this.mode(), false);
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

  // Held keys: hidden for as long (Space), or on and off several times a second (an arrow), which
  // shows what lies under an edge better than any opacity.
  FLICKER_MS: 180,

  hold(on) {
    this.peek = on;
    this.applyStyle();
  },

  flicker(on) {
    clearInterval(this.flickering);
    this.flickering = null;
    if (on) {
      this.flickering = setInterval(() => {
        this.peek = !this.peek;
        this.applyStyle();
      }, this.FLICKER_MS);
    } else this.hold(false);
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
    QC.show(QC.byId("style-buttons"), painted && this.mode() !== "space");
    QC.show(QC.byId("opacity-label"), painted && style === "fill" && this.mode() !== "space");
    const painting = this.overlay !== Boolean(this.peek);
    stage.classList.toggle("bare", !painting);
    this.view.layers.forEach((layer, number) => {
      const shown = number === 0 || (painting && !this.hidden.has(layer.name));
      stage.style.setProperty(`--layer-${number}`, shown ? "visible" : "hidden");
    });
    if (this.mode() === "space") QC.space.show();
    for (const chip of QC.byId("layers").children) {
      QC.press(chip, this.overlay && !this.hidden.has(chip.dataset.name));
    }
  },

  // -- the views -----------------------------------------------------------------------

  setView(name, follow = true) {
    if (QC.settings.values.view !== name) QC.settings.set("view", name);
    if (this.view && name === "mosaic" && QC.mosaic.view !== this.view) this.drawMosaic();
    for (const each of this.VIEWS) QC.press(QC.byId(`view-${each}`), each === name);
    QC.show(QC.byId("mosaic"), name === "mosaic");
    QC.show(QC.byId("single"), name === "slice");
    QC.show(QC.byId("methods"), name === "methods");
    QC.show(QC.byId("space"), name === "space");
    QC.show(QC.byId("under"), name === "slice" || name === "methods");
    QC.show(QC.byId("size-buttons"), name === "mosaic" || name === "slice");
    QC.show(QC.byId("caption"), name === "mosaic");
    QC.show(QC.byId("layers"), name !== "methods");
    QC.byId("stage").dataset.view = name;
    this.applyStyle();
    if (name === "methods") QC.methods.open(this.entry);
    if (name === "space") QC.space.open(this.detail);
    else QC.space.rest();
    this.fit();
    this.go(this.tile, follow);
    QC.slice.buttons();
  },

  toggleView() {
    this.setView(this.mode() === "slice" ? "mosaic" : "slice");
  },

  // Nearer and farther: the tiles of the mosaic, or the picture of one slice.
  larger(step) {
    if (this.mode() === "mosaic") QC.mosaic.resize(step);
    else if (this.mode() === "slice") QC.lens.zoomTo(QC.lens.zoom * 1.5 ** step);
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
    QC.mosaic.rate(this.entry);
  },

  // The largest pictures that fit.
  fit() {
    if (!this.view) return;
    const left = this.room.width - QC.overview.fit(this.room);
    QC.mosaic.fit(left);
    const view = this.mode();
    if (view === "slice") QC.slice.fit(left);
    if (view === "methods") QC.methods.fit(left);
    if (view === "space") QC.space.fit();
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
    QC.slice.place(this.tile);
    if (this.mode() === "methods") QC.methods.place(this.index());
    if (this.mode() === "space") QC.space.place(this.index());
    this.label();
    QC.overview.place(this.index());
    QC.chart.cursor(this.index());
    QC.rail.drawSlice();
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

  drawChart() {
    if (!this.view) return;
    const box = QC.byId("chart");
    QC.chart.draw(box, this.room.width, this.detail, this.view, (index) => this.goToIndex(index));
    QC.chart.cursor(this.index());
  },
};
