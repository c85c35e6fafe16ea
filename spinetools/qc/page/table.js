// The table of entries: search, filter, sort, and which entry is the current one.
"use strict";

QC.table = {
  query: "",
  filter: "all",
  sort: { column: "subject", down: false },
  visible: [],
  current: null,
  rows: new Map(),
  ROW: 49, // as style.css has it
  HEADER: 33,
  onSelect: () => {},

  COLUMNS: [
    ["rating", "✓"],
    ["subject", "Subject"],
    ["process", "Process"],
    ["flags", "Flags"],
  ],

  FILTERS: [
    ["all", "All", () => true],
    ["unrated", "Not rated", (entry) => !QC.ratings.isRated(entry.case)],
    ["pass", "Pass", (entry) => QC.ratings.get(entry.case).verdict === "pass"],
    ["fail", "Fail", (entry) => QC.ratings.get(entry.case).verdict === "fail"],
    ["artifact", "Artifact", (entry) => QC.ratings.get(entry.case).verdict === "artifact"],
    ["flagged", "Flagged", (entry) => entry.flags.length > 0],
  ],

  start(onSelect) {
    this.onSelect = onSelect;
    this.markEarlierRuns();
    const search = QC.byId("search");
    search.addEventListener("input", () => {
      this.query = search.value;
      this.update();
    });
    for (const [column, title] of this.COLUMNS) {
      const button = QC.element("button", { text: title, data: { column } });
      button.addEventListener("click", () => {
        const down = this.sort.column === column && !this.sort.down;
        this.sort = { column, down };
        this.update();
      });
      QC.byId("columns").append(QC.element("th", { scope: "col", class: `col-${column}` }, button));
    }
    this.list = QC.virtual(QC.byId("table-scroll"), {
      height: this.ROW,
      draw: (i) => this.row(this.visible[i]),
      above: QC.byId("rows-above"),
      below: QC.byId("rows-below"),
      rows: QC.byId("rows"),
    });
    this.severalDatasets = new Set(QC.entries.map((entry) => entry.dataset)).size > 1;
    const flagged = QC.entries.some((entry) => entry.flags.length > 0);
    QC.byId("rows").parentElement.classList.toggle("no-flags", !flagged);
    QC.ratings.listeners.push((key) => {
      for (const entry of QC.entries) {
        if (entry.case === key) this.drawRating(entry);
      }
      this.counts();
    });
    this.update();
  },

  // The last run of a case is the one to look at; earlier ones are shown on demand.
  markEarlierRuns() {
    const latest = new Map();
    const runs = new Map();
    for (const entry of QC.entries) {
      latest.set(entry.case, entry);
      runs.set(entry.case, (runs.get(entry.case) || 0) + 1);
    }
    this.latest = new Set(latest.values());
    this.runs = runs;
    this.anyEarlier = this.latest.size < QC.entries.length;
  },

  text(entry) {
    const rating = QC.ratings.get(entry.case);
    return [
      entry.dataset, entry.subject, entry.process, entry.contrast, entry.plane, entry.input,
      this.ownWords(entry.command_line), rating.verdict, rating.note,
      ...entry.flags.map((flag) => `${flag.kind} ${flag.reason}`),
      ...QC.ratings.saidSlices(entry.case).map(([, said]) => said.note),
    ].join("\n").toLowerCase();
  },

  // A command on many images names them all in each of its entries: those are not what each is.
  ownWords(line) {
    return line.split(/\s+/).filter((word) => !/\.nii(\.gz)?["']?$/i.test(word)).join(" ");
  },

  // Entries of the search, whatever the filter.
  found() {
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean);
    return QC.entries.filter((entry) => {
      if (!this.latest.has(entry) && !QC.settings.values.earlier) return false;
      if (words.length === 0) return true;
      const text = this.text(entry);
      return words.every((word) => text.includes(word));
    });
  },

  // The latest run of every case that the search and the filter leave.
  shown() {
    return this.visible.filter((entry) => this.latest.has(entry));
  },

  key(entry) {
    const rating = QC.ratings.get(entry.case);
    switch (this.sort.column) {
      case "rating":
        return `${QC.VERDICTS.indexOf(rating.verdict)} ${rating.score ?? "a"}`;
      case "flags":
        return String(1000 - entry.flags.length).padStart(5, "0");
      case "process":
        return `${entry.process}\n${entry.subject}`;
      default:
        return `${entry.dataset}\n${entry.subject}\n${entry.input}\n${entry.process}`;
    }
  },

  update() {
    const found = this.found();
    const passes = this.FILTERS.find(([name]) => name === this.filter)[2];
    const keys = new Map(found.map((entry) => [entry, this.key(entry)]));
    const order = this.sort.down ? -1 : 1;
    this.visible = found
      .filter(passes)
      .sort(
        (a, b) => order * QC.compare(keys.get(a), keys.get(b)) || (a.id < b.id ? -1 : 1),
      );
    this.list.update(this.visible.length);
    for (const button of QC.byId("columns").querySelectorAll("button")) {
      const active = button.dataset.column === this.sort.column;
      const state = this.sort.down ? "descending" : "ascending";
      button.parentElement.setAttribute("aria-sort", active ? state : "none");
    }
    this.counts(found);
    const message = QC.byId("no-rows");
    QC.show(message, this.visible.length === 0);
    message.textContent =
      QC.entries.length === 0
        ? "No entries yet. Run a command with -qc and this folder."
        : "No entry fits. Esc clears the search.";
    this.highlight();
    if (QC.app.mode === "cohort") QC.cohort.open();
    // after a search or a filter the picture goes on showing the old entry until one is chosen
    if (!this.current && this.visible.length > 0) this.select(this.visible[0]);
  },

  counts(found = this.found()) {
    const buttons = this.FILTERS.filter(
      ([name, , passes]) => name === "all" || name === this.filter || found.some(passes),
    ).map(([name, title, passes]) => {
      const button = QC.element(
        "button",
        { data: { filter: name } },
        QC.element("span", { text: title }),
        QC.element("b", { text: found.filter(passes).length }),
      );
      QC.press(button, name === this.filter);
      button.addEventListener("click", () => {
        this.filter = name;
        this.update();
        QC.byId("filters").querySelector(`[data-filter="${name}"]`).focus();
      });
      return button;
    });
    if (this.anyEarlier) {
      const button = QC.element("button", {
        id: "earlier", text: "Earlier runs", title: "Show also the earlier runs of a case",
      });
      QC.press(button, QC.settings.values.earlier);
      button.addEventListener("click", () => {
        QC.settings.set("earlier", !QC.settings.values.earlier);
        this.update();
        QC.byId("earlier").focus();
      });
      buttons.push(button);
    }
    QC.replace(QC.byId("filters"), ...buttons);
    this.progress(found);
  },

  progress(found) {
    const cases = [...new Set(found.map((entry) => entry.case))];
    const rated = cases.filter((key) => QC.ratings.isRated(key)).length;
    QC.byId("progress-text").textContent = `${rated} of ${cases.length} rated`;
    for (const verdict of QC.VERDICTS) {
      const n = cases.filter((key) => QC.ratings.get(key).verdict === verdict).length;
      QC.byId(`progress-${verdict}`).style.width = `${(100 * n) / Math.max(cases.length, 1)}%`;
    }
  },

  // What the input's name says beyond its subject and its ending: there is little room.
  ofFile(entry) {
    const file = QC.fileName(entry.input).replace(/\.nii(\.gz)?$/, "");
    return file.startsWith(entry.subject) ? file.slice(entry.subject.length).replace(/^[._-]+/, "") : file;
  },

  row(entry) {
    let row = this.rows.get(entry.id);
    if (row) return row;
    const runs = this.runs.get(entry.case);
    const earlier = !this.latest.has(entry);
    const about = [this.ofFile(entry), this.severalDatasets ? entry.dataset : ""];
    const kinds = [...new Set(entry.flags.map((flag) => flag.kind))];
    row = QC.element(
      "tr",
      { data: { id: entry.id }, class: earlier ? "earlier" : "" },
      QC.element("td", { class: "col-rating" }, QC.element("span", { class: "badge" })),
      QC.element(
        "td",
        { class: "col-subject", title: entry.input },
        QC.element("div", { class: "main-line", text: entry.subject }),
        QC.element("div", { class: "sub-line", text: about.filter(Boolean).join(" · ") }),
      ),
      QC.element(
        "td",
        { class: "col-process", title: entry.command_line },
        QC.element("div", { class: "main-line", text: entry.process }),
        QC.element("div", {
          class: "sub-line",
          text: [entry.contrast, entry.plane, runs > 1 ? `${runs} runs` : ""].filter(Boolean).join(" · "),
        }),
      ),
      QC.element(
        "td",
        { class: "col-flags" },
        kinds.length === 0
          ? null
          : QC.element("span", {
              class: "flag",
              text: kinds.length === 1 ? kinds[0] : `${kinds[0]} +${kinds.length - 1}`,
              title: entry.flags.map((flag) => `${flag.kind}: ${flag.reason}`).join("\n"),
            }),
      ),
    );
    row.addEventListener("click", () => this.select(entry));
    this.rows.set(entry.id, row);
    this.drawRating(entry);
    return row;
  },

  drawRating(entry) {
    const row = this.rows.get(entry.id);
    if (!row) return;
    const rating = QC.ratings.get(entry.case);
    const badge = row.querySelector(".badge");
    const signs = { pass: "✓", fail: "✕", artifact: "!", "": "" };
    const before = rating.verdict !== "" && rating.entry !== "" && rating.entry !== entry.id;
    badge.className = `badge ${rating.verdict}${before ? " before" : ""}`;
    badge.textContent = signs[rating.verdict];
    badge.title = rating.verdict ? `${rating.verdict}${before ? ", said of another run" : ""}` : "not rated";
    let score = row.querySelector(".score");
    if (rating.score === null) {
      if (score) score.remove();
    } else {
      if (!score) {
        score = QC.element("span", { class: "score" });
        badge.after(score);
      }
      score.textContent = String(rating.score);
    }
  },

  select(entry) {
    if (this.current === entry) return;
    this.current = entry;
    this.highlight();
    this.onSelect(entry);
  },

  highlight() {
    if (this.marked) this.marked.removeAttribute("aria-current");
    this.marked = null;
    const position = this.current ? this.visible.indexOf(this.current) : -1;
    if (position < 0) return;
    this.list.reveal(position, this.HEADER);
    this.marked = this.row(this.current);
    this.marked.setAttribute("aria-current", "true");
  },

  neighbour(step) {
    const position = this.visible.indexOf(this.current);
    if (position < 0) return this.visible[0];
    return this.visible[position + step];
  },

  move(step) {
    const entry = this.neighbour(step);
    if (entry) this.select(entry);
  },

  // The next entry that is not rated, from the current one on and round.
  nextUnrated() {
    const start = this.visible.indexOf(this.current) + 1;
    const round = [...this.visible.slice(start), ...this.visible.slice(0, start)];
    const entry = round.find((each) => !QC.ratings.isRated(each.case));
    if (entry) this.select(entry);
    else QC.toast("Every entry in the table is rated.");
  },
};
