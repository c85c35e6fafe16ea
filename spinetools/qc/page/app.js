// Start, keys, and the bar at the top.
"use strict";

QC.app = {
  // By what a person is about to do.
  KEYS: [
    ["Look", [
      ["↑ ↓", "previous and next entry"],
      ["M", "mosaic or one slice"],
      ["C", "compare methods (again: how)"],
      ["P", "before and after a correction"],
      ["V", "view in 3D"],
      ["A", "all subjects"],
      ["W", "which method suits these scans"],
      ["PageUp PageDown", "previous, next slice (or the wheel)"],
      ["Home End", "first and last slice"],
      ["Esc", "back to the mosaic"],
    ]],
    ["Picture", [
      ["→", "overlays on and off; held: flicker"],
      ["Space", "held: the other of the two"],
      ["O", "overlays filled or outlined"],
      ["+ −", "larger, smaller (or Shift and wheel)"],
      ["Shift ↑ ↓ ← →", "move it (or Shift and drag)"],
      ["L H", "lower, higher contrast (or drag sideways)"],
      ["D B", "darker, brighter (or drag up and down)"],
      ["R", "picture as it was"],
    ]],
    ["Rate", [
      ["F", "verdict: pass, fail, artifact, none"],
      ["0 – 9", "score (the same again takes it back)"],
      ["N", "write a note (Esc leaves it)"],
      ["Shift F", "verdict on this slice"],
      ["Shift N", "note on this slice"],
      ["U", "next entry that is not rated"],
      ["E", "copy what opens the slice in FSLeyes"],
      ["/", "search (Esc clears it)"],
      ["?", "this list"],
    ]],
  ],

  start() {
    QC.settings.load();
    this.theme(QC.settings.values.theme);
    this.reportName();
    QC.rail.start();
    QC.viewer.start();
    QC.methods.start();
    QC.space.start();
    QC.cohort.start((entry) => this.openCase(entry));
    QC.study.start((entry) => this.openMethods(entry));
    this.menu();
    this.help();
    QC.ratings.watch();
    QC.byId("theme").addEventListener("click", () => this.nextTheme());
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("keyup", (event) => this.release(event.key));
    window.addEventListener("blur", () => this.release());
    QC.byId("mode-cases").addEventListener("click", () => this.setMode("cases"));
    QC.byId("mode-cohort").addEventListener("click", () => this.setMode("cohort"));
    QC.byId("mode-study").addEventListener("click", () => this.setMode("study"));
    QC.table.start((entry) => this.open(entry));
    if (QC.entries.length === 0) {
      const box = QC.byId("no-entry");
      box.textContent = window.spinetoolsReport
        ? "This report has no entries yet. Run a command with -qc and this folder."
        : "The index of this report is missing or damaged. Run: st_qc -refresh -qc FOLDER";
      QC.show(box, true);
    }
  },

  open(entry) {
    QC.rail.open(entry);
    QC.viewer.open(entry).then(() => {
      clearTimeout(this.ahead);
      this.ahead = setTimeout(() => this.loadAhead(), 120);
    });
  },

  // -- entries one by one, or all subjects together --------------------------------------------------

  mode: "cases",

  setMode(mode) {
    this.mode = mode;
    const cases = mode === "cases";
    document.body.classList.toggle("all-subjects", mode === "cohort");
    document.body.classList.toggle("which-method", mode === "study");
    for (const name of ["cases", "cohort", "study"]) QC.press(QC.byId(`mode-${name}`), mode === name);
    QC.show(QC.byId("cohort"), mode === "cohort");
    QC.show(QC.byId("study"), mode === "study");
    QC.show(QC.byId("main"), cases);
    QC.show(QC.byId("rail"), cases && QC.rail.entry !== null);
    if (mode === "cohort") QC.cohort.open();
    if (mode === "study") QC.study.open();
  },

  openCase(entry) {
    this.setMode("cases");
    QC.table.select(entry);
  },

  openMethods(entry) {
    this.openCase(entry);
    QC.viewer.setView("methods");
  },

  // The neighbours are probably next: have their pictures ready, once this one is drawn.
  loadAhead() {
    for (const step of [1, -1, 2]) {
      const next = QC.table.neighbour(step);
      if (!next) continue;
      QC.load(next).then(
        (detail) => detail.views.forEach((view) => QC.tiles.preload(detail, view).catch(() => {})),
        () => {},
      );
    }
  },

  reportName() {
    const parts = decodeURIComponent(location.pathname).split("/").filter(Boolean);
    QC.byId("report-name").textContent = parts.length > 1 ? parts[parts.length - 2] : "";
  },

  // -- keys ---------------------------------------------------------------------------------------

  key(event) {
    // keys of the browser and of the system stay theirs
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (QC.byId("help-dialog").open) {
      if (event.key === "?") QC.byId("help-dialog").close();
      return;
    }
    const target = event.target;
    const writing = target.matches("textarea, input[type=search], input[type=text], select");
    if (event.key === "Escape") {
      this.escape(target);
      return;
    }
    if (writing && !(target.id === "search" && /^Arrow(Up|Down)$/.test(event.key))) return;
    if (target.matches("input[type=range]") && /^(Arrow|Page|Home|End)/.test(event.key)) return;
    // on a button, Space and Enter press it
    if (event.key === " " && target.matches("button, summary, option")) return;
    const action = this.action(event.key, event.shiftKey, event.repeat);
    if (!action) return;
    event.preventDefault();
    action();
  },

  // A held arrow flickers; when it is let go, all is as before it was pressed.
  arrow(repeat) {
    if (!repeat) QC.viewer.toggleOverlay();
    else if (!this.flickering) {
      this.flickering = true;
      QC.viewer.flicker(true);
    }
  },

  release(key) {
    if (this.flickering && (!key || /^Arrow(Left|Right)$/.test(key))) {
      this.flickering = false;
      QC.viewer.flicker(false);
      QC.viewer.toggleOverlay();
    }
    if (!key || key === " ") QC.viewer.hold(false);
  },

  shifted(key) {
    if (!QC.rail.entry || this.mode !== "cases") return null;
    const by = 0.12;
    const pan = (x, y) => () => QC.lens.pan(x * QC.lens.frame.clientWidth, y * QC.lens.frame.clientHeight);
    const actions = {
      F: () => QC.rail.nextSliceVerdict(),
      N: () => QC.rail.noteSlice(),
      ArrowLeft: pan(-by, 0),
      ArrowRight: pan(by, 0),
      ArrowUp: pan(0, -by),
      ArrowDown: pan(0, by),
    };
    return Object.hasOwn(actions, key) ? actions[key] : null;
  },

  action(key, shift, repeat) {
    const special = shift ? this.shifted(key) : null;
    if (special) return special;
    if (this.mode === "cohort") {
      const own = QC.cohort.action(key);
      if (own) return own;
      if (!/^[aAwW/?]$/.test(key)) return null;
    }
    // the browser scrolls with the other keys
    if (this.mode === "study" && !/^[aAwW?]$/.test(key)) return null;
    if (/^[0-9]$/.test(key)) return () => QC.rail.entry && QC.rail.score(Number(key));
    const actions = {
      ArrowUp: () => QC.table.move(-1),
      ArrowDown: () => QC.table.move(1),
      ArrowRight: () => this.arrow(repeat),
      ArrowLeft: () => this.arrow(repeat),
      " ": () => QC.viewer.hold(true),
      PageUp: () => QC.viewer.step(-1),
      PageDown: () => QC.viewer.step(1),
      Home: () => QC.viewer.go(0),
      End: () => QC.viewer.go(Infinity),
      f: () => QC.rail.entry && QC.ratings.nextVerdict(QC.rail.entry),
      m: () => QC.viewer.toggleView(),
      n: () => QC.byId("note").focus(),
      o: () => QC.viewer.setStyle(QC.settings.values.style === "fill" ? "outline" : "fill"),
      u: () => QC.table.nextUnrated(),
      c: () => (QC.viewer.mode() === "methods" ? QC.methods.next() : QC.viewer.setView("methods")),
      v: () => QC.viewer.setView(QC.viewer.mode() === "space" ? "slice" : "space"),
      a: () => this.setMode(this.mode === "cohort" ? "cases" : "cohort"),
      w: () => QC.study.all.length > 0 && this.setMode(this.mode === "study" ? "cases" : "study"),
      e: () => QC.rail.entry && QC.correct.copyHere(),
      p: () => QC.rail.entry && QC.correct.compare(),
      r: () => QC.lens.reset(),
      l: () => QC.lens.adjust(-0.08, 0),
      h: () => QC.lens.adjust(0.08, 0),
      d: () => QC.lens.adjust(0, -0.04),
      b: () => QC.lens.adjust(0, 0.04),
      "+": () => QC.viewer.larger(1),
      "=": () => QC.viewer.larger(1),
      "-": () => QC.viewer.larger(-1),
      "/": () => QC.byId("search").focus(),
      "?": () => QC.byId("help-dialog").showModal(),
    };
    const name = key.length === 1 ? key.toLowerCase() : key;
    return Object.hasOwn(actions, name) ? actions[name] : null;
  },

  escape(target) {
    if (!QC.byId("export-items").hidden) {
      this.openMenu(false);
      QC.byId("export").focus();
    } else if (target.id === "search") {
      if (target.value === "") target.blur();
      target.value = "";
      QC.table.query = "";
      QC.table.update();
    } else if (target.matches("textarea, select, input")) {
      target.blur();
    } else if (QC.table.query !== "") {
      QC.byId("search").value = "";
      QC.table.query = "";
      QC.table.update();
    } else if (this.mode !== "cases") {
      this.setMode("cases");
    } else {
      QC.viewer.setView("mosaic");
    }
  },

  // -- the bar ------------------------------------------------------------------------------------

  openMenu(open) {
    QC.show(QC.byId("export-items"), open);
    QC.byId("export").setAttribute("aria-expanded", String(open));
  },

  menu() {
    const items = QC.byId("export-items");
    QC.byId("export").addEventListener("click", () => this.openMenu(items.hidden));
    document.addEventListener("click", (event) => {
      if (!event.target.closest(".menu")) this.openMenu(false);
    });
    const on = (id, action) =>
      QC.byId(id).addEventListener("click", () => {
        this.openMenu(false);
        action();
      });
    on("export-fail", () => QC.exports.download("qc_fail.yml", QC.exports.yaml("fail")));
    on("export-artifact", () => QC.exports.download("qc_artifact.yml", QC.exports.yaml("artifact")));
    on("export-tsv", () => QC.exports.download("qc_ratings.tsv", QC.exports.tsv()));
    on("export-json", () => QC.exports.download("qc_ratings.json", QC.exports.json()));
    const file = QC.byId("import-file");
    on("import", () => file.click());
    file.addEventListener("change", async () => {
      if (!file.files.length) return;
      try {
        const taken = QC.exports.merge(await file.files[0].text());
        QC.toast(`${taken} ratings taken over`);
        QC.table.update();
      } catch (error) {
        QC.toast(`Not an export of a QC report: ${error.message}`);
      }
      file.value = "";
    });
  },

  theme(name) {
    const dark = name ? name === "dark" : !matchMedia("(prefers-color-scheme: light)").matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  },

  nextTheme() {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    QC.settings.set("theme", next);
    this.theme(next);
  },

  help() {
    const caps = (keys) => keys.split(" ").map((key) => (
      key === "–" ? QC.element("span", { text: "–" }) : QC.element("kbd", { text: key })
    ));
    QC.replace(
      QC.byId("keys"),
      ...this.KEYS.map(([title, rows]) =>
        QC.element(
          "section",
          {},
          QC.element("h3", { text: title }),
          QC.element(
            "div",
            { class: "keys-list" },
            ...rows.flatMap(([keys, text]) => [
              QC.element("span", {}, ...caps(keys)),
              QC.element("span", { text }),
            ]),
          ),
        ),
      ),
    );
    const dialog = QC.byId("help-dialog");
    QC.byId("help").addEventListener("click", () => dialog.showModal());
    QC.byId("help-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  },
};

QC.app.start();
