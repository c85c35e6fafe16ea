// Several results on one image: side by side, over each other, or what differs between two. Other
// entries of the image may be cut differently: their tiles are laid over this one's by the voxels'
// native indices. Drawing on a canvas is allowed to a page from a file; reading from it is not.
"use strict";

QC.methods = {
  COLOURS: ["#ff5470", "#38c6f4", "#ffd23f", "#2ed3a2", "#b58cff", "#ff9f1c"],
  ONLY_A: "#ff5470",
  ONLY_B: "#38c6f4",
  BOTH: "#c9d1db",
  MOST: 12,
  GAP: 14,
  all: [],
  off: new Set(), // names switched off
  pair: [0, 1],

  start() {
    for (const name of ["side", "over", "difference"]) {
      QC.byId(`arrange-${name}`).addEventListener("click", () => {
        QC.settings.set("arrangement", name);
        this.draw();
      });
    }
    ["pair-a", "pair-b"].forEach((id, which) => {
      QC.byId(id).addEventListener("change", (event) => {
        this.pair[which] = Number(event.target.value);
        this.draw();
      });
    });
  },

  next() {
    const order = ["side", "over", "difference"];
    QC.settings.set("arrangement", order[(order.indexOf(this.arrangement()) + 1) % 3]);
    this.draw();
  },

  arrangement() {
    const { arrangement } = QC.settings.values;
    return ["side", "over", "difference"].includes(arrangement) ? arrangement : "side";
  },

  // Entries of the same image in the same plane: other methods, options, and earlier runs.
  siblings(entry) {
    const same = (other) =>
      other !== entry && other.plane === entry.plane && other.dataset === entry.dataset &&
      other.subject === entry.subject && other.input === entry.input && entry.input !== "";
    return QC.entries.filter(same).reverse().slice(0, this.MOST - 1);
  },

  // Two runs of a case that are to be compared.
  ask(runs) {
    this.asked = runs;
  },

  // Choose them, once their methods are known.
  answer() {
    if (!this.asked) return;
    const places = this.asked.map((run) => this.all.findIndex((method) => method.entry === run));
    this.asked = null;
    if (places.every((place) => place >= 0)) this.pair = places;
  },

  async open(entry) {
    if (this.entry === entry) {
      this.answer();
      this.draw();
      return;
    }
    this.entry = entry;
    this.all = [];
    const loaded = await Promise.all(
      [entry, ...this.siblings(entry)].map((each) =>
        QC.load(each).then((detail) => [each, detail], () => null),
      ),
    );
    if (this.entry !== entry || QC.viewer.entry !== entry) return;
    const own = loaded[0];
    const known = loaded.filter((pair) => pair && own && this.fits(own[1], pair[1]));
    this.all = known.flatMap(([each, detail]) => this.of(each, detail));
    this.name();
    this.all.forEach((method, number) => {
      method.colour = this.COLOURS[number % this.COLOURS.length];
    });
    this.pair = [0, Math.min(1, this.all.length - 1)];
    this.answer();
    this.draw();
  },

  fits(one, other) {
    return String(one.shape) === String(other.shape) && one.nib_codes === other.nib_codes;
  },

  of(entry, detail) {
    return detail.views[0].layers.flatMap((layer, number) =>
      layer.kind === "image" ? [] : [{ entry, detail, layer, number, view: detail.views[0] }],
    );
  },

  // As short as tells them apart: the command, its own options, the layer, the time.
  name() {
    const alone = new Set(this.all.map((method) => method.entry)).size === 1;
    const options = (method) => method.entry.command_line.split(/\s+/).slice(1);
    for (const method of this.all) {
      const alike = this.all.filter((each) => each.entry.process === method.entry.process);
      const others = alike.filter((each) => each.entry !== method.entry);
      const own = options(method).filter((word) => others.some((each) => !options(each).includes(word)));
      const layers = this.all.filter((each) => each.entry === method.entry);
      method.parts = alone && layers.length > 1 ? [method.layer.name] : [
        method.entry.process,
        others.length > 0 ? own.join(" ") : "",
        layers.length > 1 || others.length === 0 ? method.layer.name : "",
      ].filter(Boolean);
      method.label = method.parts.join(" · ");
    }
    // runs of one command: the last is meant, earlier ones are told apart by their time
    const taken = new Set();
    const newest = [...this.all].sort((a, b) => (a.entry.id < b.entry.id ? 1 : -1));
    for (const method of newest) {
      const { label } = method;
      if (taken.has(label)) method.label = `${label} · earlier, ${QC.date(method.entry.created)}`;
      for (let n = 2; taken.has(method.label); n += 1) {
        method.label = `${label} · earlier, ${QC.date(method.entry.created)} (${n})`;
      }
      taken.add(method.label);
    }
  },

  shown() {
    return this.all.filter((method) => !this.off.has(method.label));
  },

  // -- drawing --------------------------------------------------------------------------------------

  draw() {
    const kind = this.arrangement();
    for (const name of ["side", "over", "difference"]) {
      QC.press(QC.byId(`arrange-${name}`), name === kind);
    }
    const several = this.all.length > 1;
    QC.show(QC.byId("methods-none"), !several);
    QC.show(QC.byId("methods-chips"), several && kind !== "difference");
    QC.show(QC.byId("methods-pair"), several && kind === "difference");
    QC.replace(QC.byId("methods-chips"), ...this.all.map((method) => this.chip(method)));
    ["pair-a", "pair-b"].forEach((id, which) => {
      QC.replace(
        QC.byId(id),
        ...this.all.map((method, number) => QC.element("option", { value: number, text: method.label })),
      );
      QC.byId(id).value = String(this.pair[which]);
    });
    this.panels = [];
    if (kind === "side") this.panels = this.shown().map((method) => this.panel([method]));
    if (kind === "over" && this.shown().length > 0) this.panels = [this.panel(this.shown())];
    if (kind === "difference" && several) {
      this.panels = [this.panel(this.pair.map((number) => this.all[number]), true)];
    }
    QC.replace(QC.byId("panels"), ...this.panels.map((panel) => panel.node));
    this.fit(this.room);
    if (QC.viewer.view && this.entry === QC.viewer.entry) this.place(QC.viewer.index());
  },

  chip(method) {
    const chip = QC.element(
      "button",
      { class: "chip", title: method.entry.command_line },
      QC.element("i", { style: { background: method.colour } }),
      QC.element("span", { text: method.label }),
    );
    QC.press(chip, !this.off.has(method.label));
    chip.addEventListener("click", () => {
      if (!this.off.delete(method.label)) this.off.add(method.label);
      this.draw();
    });
    return chip;
  },

  panel(methods, difference = false) {
    const [own] = this.all;
    const [height, width] = QC.tiles.extent(own.view);
    const image = QC.element("div", { class: "layer image kind-image" });
    const paints = difference
      ? [["only-a", this.ONLY_A], ["only-b", this.ONLY_B], ["both", this.BOTH]]
      : methods.map((method) => ["method", method.colour]);
    const canvases = paints.map(([name]) =>
      QC.element("canvas", { class: `layer overlay ${name}`, width: 1, height: 1 }),
    );
    const picture = QC.element(
      "div",
      { class: difference ? "picture difference" : "picture", style: { aspectRatio: `${width} / ${height}` } },
      image,
      ...canvases,
    );
    const words = QC.element("figcaption", {});
    const node = QC.element("figure", { class: "panel" }, picture, words);
    return { node, picture, image, canvases, colours: paints.map(([, colour]) => colour), words, methods, difference };
  },

  // The largest panels that fit with their words; many panels stay readable, and the box scrolls.
  fit(room) {
    if (!room) return;
    this.room = room;
    if (!this.panels || this.panels.length === 0) return;
    const [height, width] = QC.tiles.extent(this.all[0].view);
    const tall = QC.byId("panels").clientHeight - 10;
    const widest = (words) => {
      let best = 0;
      for (let columns = 1; columns <= this.panels.length; columns += 1) {
        const rows = Math.ceil(this.panels.length / columns);
        const across = (room - 36 - this.GAP * (columns - 1)) / columns;
        const down = (tall - this.GAP * (rows - 1)) / rows - words;
        best = Math.max(best, Math.min(across, (down * width) / height));
      }
      return Math.max(130, Math.floor(best));
    };
    const set = (size) => {
      for (const panel of this.panels) panel.node.style.width = `${size}px`;
    };
    set(widest(44));
    // words of several lines need more
    const words = Math.max(...this.panels.map((panel) => panel.words.offsetHeight));
    if (words > 44) set(widest(words));
  },

  // Which tile of a view shows a native slice; the cut that follows the cord for null. -1: none.
  tile(view, index) {
    return view.indices.indexOf(index);
  },

  place(index) {
    if (!this.panels || this.all.length === 0) return;
    const turn = (this.turn || 0) + 1;
    this.turn = turn;
    const [own] = this.all;
    const place = QC.tiles.placement(own.view, QC.viewer.tile);
    for (const panel of this.panels) {
      QC.tiles.fill(panel.image, own.detail, own.view.layers[0], place);
      this.paint(panel, index, turn);
      this.caption(panel, index);
    }
    if (this.worded !== this.panels) this.fit(this.room);
    this.worded = this.panels;
  },

  // The overlay of a method as pixels of the own tile's voxels; null where it has no such tile.
  async mask(method, index) {
    const tile = this.tile(method.view, index);
    const [own] = this.all;
    const [rows, columns] = own.view.size;
    const canvas = QC.element("canvas", { width: columns, height: rows });
    if (tile < 0) return null;
    const sheet = Math.floor(tile / method.view.per_sheet);
    const source = QC.path(method.detail.folder, method.layer.files[sheet] || "");
    if (!source) return null;
    const picture = await this.sheet(source);
    const box = QC.tiles.pixels(method.view, tile, picture.naturalWidth, picture.naturalHeight);
    const start = own.view.origins[QC.viewer.tile];
    const origin = method.view.origins[tile];
    const [down, right] = [0, 1].map((which) => (origin[which] - start[which]) * own.view.steps[which]);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(
      picture, box.x, box.y, box.width, box.height,
      right, down, method.view.size[1], method.view.size[0],
    );
    return canvas;
  },

  sheets: new Map(),

  sheet(source) {
    if (!this.sheets.has(source)) {
      const promise = new Promise((resolve, reject) => {
        const image = new Image();
        image.onload = () => resolve(image);
        image.onerror = () => reject(new Error(`${source} is missing`));
        image.src = source;
      });
      promise.catch(() => this.sheets.delete(source));
      this.sheets.set(source, promise);
      while (this.sheets.size > 40) this.sheets.delete(this.sheets.keys().next().value);
    }
    return this.sheets.get(source);
  },

  async paint(panel, index, turn) {
    const masks = await Promise.all(
      panel.methods.map((method) => this.mask(method, index).catch(() => null)),
    );
    if (turn !== this.turn) return;
    const [rows, columns] = this.all[0].view.size;
    const compose = (canvas, colour, steps) => {
      [canvas.width, canvas.height] = [columns, rows];
      const context = canvas.getContext("2d");
      for (const [mask, operation] of steps) {
        context.globalCompositeOperation = operation;
        if (mask) context.drawImage(mask, 0, 0);
        else if (operation === "destination-in") context.clearRect(0, 0, columns, rows);
      }
      if (!colour) return;
      context.globalCompositeOperation = "source-in";
      context.fillStyle = colour;
      context.fillRect(0, 0, columns, rows);
    };
    if (panel.difference) {
      const [a, b] = masks;
      const [onlyA, onlyB, both] = panel.canvases;
      compose(onlyA, this.ONLY_A, [[a, "source-over"], [b, "destination-out"]]);
      compose(onlyB, this.ONLY_B, [[b, "source-over"], [a, "destination-out"]]);
      compose(both, this.BOTH, [[a, "source-over"], [b, "destination-in"]]);
      return;
    }
    panel.canvases.forEach((canvas, number) => {
      // labels have a colour each: those are kept
      const labels = panel.methods[number].layer.kind === "labels";
      compose(canvas, labels ? "" : panel.colours[number], [[masks[number], "source-over"]]);
    });
  },

  // -- words ----------------------------------------------------------------------------------------

  // A measure without the name of a layer is of the first mask.
  area(method, index) {
    const { measures, views } = method.detail;
    if (!measures) return null;
    const first = method.number === views[0].layers.findIndex((each) => each.kind === "mask");
    const name = ["csa_mm2", "area_mm2"]
      .map((each) => (first ? each : `${each}:${method.layer.name}`))
      .find((each) => Object.hasOwn(measures.values, each));
    const at = measures.slices.indexOf(index);
    return name && at >= 0 ? measures.values[name][at] : null;
  },

  caption(panel, index) {
    if (panel.difference) {
      this.captionDifference(panel, index);
      return;
    }
    QC.replace(
      panel.words,
      ...panel.methods.map((method) => {
        const area = this.area(method, index);
        const absent = this.tile(method.view, index) < 0;
        return QC.element(
          "span",
          { class: "method-name" },
          QC.element("i", { style: { background: method.colour } }),
          QC.element("em", { text: method.label }),
          QC.element("b", { text: absent ? "not shown here" : area === null ? "" : `${QC.number(area)} mm²` }),
        );
      }),
    );
  },

  async captionDifference(panel, index) {
    const [a, b] = panel.methods;
    const runs = a.entry.case === b.entry.case && a.entry.id < b.entry.id && a.layer.name === b.layer.name;
    const legend = runs
      ? [[this.ONLY_A, "before, not after"], [this.ONLY_B, "after, not before"], [this.BOTH, "both"]]
      : [[this.ONLY_A, `only ${a.label}`], [this.ONLY_B, `only ${b.label}`], [this.BOTH, "both"]];
    const result = QC.element("output", { class: "dice", text: "\u00a0" });
    QC.replace(
      panel.words,
      ...legend.map(([colour, text]) =>
        QC.element("span", { class: "method-name" }, QC.element("i", { style: { background: colour } }), QC.element("em", { text })),
      ),
      result,
    );
    try {
      const volumes = await Promise.all([a, b].map((method) => QC.voxels.load(method.detail)));
      const parts = [a, b].map((method, n) =>
        volumes[n].layers.find((layer) => layer.name === method.layer.name));
      if (!panel.total) panel.total = QC.voxels.overlap(...parts, 0);
      const here = QC.voxels.overlap(...parts, a.view.axes[2], index);
      const [whole, slice] = [panel.total, here].map((count) => QC.voxels.dice(count));
      if (whole === null) return;
      const area = a.view.spacing_mm[0] * a.view.spacing_mm[1];
      const differ = here ? (here.a + here.b - 2 * here.both) * area : 0;
      result.textContent = slice === null
        ? `Dice ${whole.toFixed(3)} in all`
        : `Dice ${slice.toFixed(3)} here (${QC.number(differ)} mm² differ), ${whole.toFixed(3)} in all`;
    } catch {
      // an entry without voxels: the picture says enough
    }
  },
};
