// Start, keys, and the bar at the top.
"use strict";

QC.app = {
  KEYS: [
    ["↑ ↓", "previous and next entry"],
    ["→", "overlays on and off"],
    ["M", "mosaic or one slice"],
    ["PageUp PageDown", "previous and next slice (or the wheel)"],
    ["Home End", "first and last slice"],
    ["F", "verdict: pass, fail, artifact, none"],
    ["0 – 9", "score (the same again takes it back)"],
    ["N", "write a note (Esc leaves it)"],
    ["U", "next entry that is not rated"],
    ["O", "overlays filled or outlined"],
    ["+ −", "larger and smaller tiles"],
    ["/", "search (Esc clears it)"],
    ["Esc", "back to the mosaic"],
    ["?", "this list"],
  ],

  start() {
    QC.settings.load();
    this.theme(QC.settings.values.theme);
    this.reportName();
    QC.rail.start();
    QC.viewer.start();
    this.menu();
    this.help();
    QC.ratings.watch();
    QC.byId("theme").addEventListener("click", () => this.nextTheme());
    document.addEventListener("keydown", (event) => this.key(event));
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
    const writing = target.matches("textarea, input[type=search], select");
    if (event.key === "Escape") {
      this.escape(target);
      return;
    }
    if (writing && !(target.id === "search" && /^Arrow(Up|Down)$/.test(event.key))) return;
    if (target.matches("input[type=range]") && /^(Arrow|Page|Home|End)/.test(event.key)) return;
    const action = this.action(event.key);
    if (!action) return;
    event.preventDefault();
    action();
  },

  action(key) {
    if (/^[0-9]$/.test(key)) return () => QC.rail.entry && QC.rail.score(Number(key));
    const actions = {
      ArrowUp: () => QC.table.move(-1),
      ArrowDown: () => QC.table.move(1),
      ArrowRight: () => QC.viewer.toggleOverlay(),
      ArrowLeft: () => QC.viewer.toggleOverlay(),
      PageUp: () => QC.viewer.step(-1),
      PageDown: () => QC.viewer.step(1),
      Home: () => QC.viewer.go(0),
      End: () => QC.viewer.go(Infinity),
      f: () => QC.rail.entry && QC.ratings.nextVerdict(QC.rail.entry),
      m: () => QC.viewer.toggleView(),
      n: () => QC.byId("note").focus(),
      o: () => QC.viewer.setStyle(QC.settings.values.style === "fill" ? "outline" : "fill"),
      u: () => QC.table.nextUnrated(),
      "+": () => QC.mosaic.resize(1),
      "=": () => QC.mosaic.resize(1),
      "-": () => QC.mosaic.resize(-1),
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
    QC.replace(
      QC.byId("keys"),
      ...this.KEYS.flatMap(([keys, text]) => [
        QC.element("span", {}, ...keys.split(" ").map((key) => (
          key === "–" ? QC.element("span", { text: "–" }) : QC.element("kbd", { text: key })
        ))),
        QC.element("span", { text }),
      ]),
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
