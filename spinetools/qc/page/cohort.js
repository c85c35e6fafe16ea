// All subjects together: a measure along the cord of everyone, outliers marked, and a row each with
// a picture, flags and verdict. Works on the index alone: no entry has to be loaded.
"use strict";

QC.cohort = {
  ROW: 108, // as style.css has it
  LEAST: 6, // subjects, from which on one can be an outlier
  FAR: 3.5, // robust standard deviations (Iglewicz and Hoaglin 1993)
  FLOOR: 0.06, // … which are at least this share of the median: people differ
  SHARE: 0.25, // of the places along the cord where it is far off, or more
  BINS: { level: 0.25, mm: 5, slice: 5 },
  OVER: [
    ["level", "Vertebral level"],
    ["mm", "Distance from the top (mm)"],
    ["slice", "Slice"],
  ],
  process: "",
  only: false, // outliers and flagged ones only
  at: 0,

  start(onOpen) {
    this.onOpen = onOpen;
    QC.byId("cohort-process").addEventListener("change", (event) => {
      this.process = event.target.value;
      this.open();
    });
    QC.byId("cohort-over").addEventListener("change", (event) => {
      QC.settings.set("cohortOver", event.target.value);
      this.open();
    });
    QC.byId("cohort-only").addEventListener("change", (event) => {
      this.only = event.target.checked;
      this.rowsUpdate();
    });
    this.list = QC.virtual(QC.byId("cohort-scroll"), {
      height: this.ROW,
      draw: (i) => this.row(i),
      above: QC.byId("cohort-above"),
      below: QC.byId("cohort-below"),
      rows: QC.byId("cohort-rows"),
      margin: 4,
    });
    QC.curves.start((subject) => this.point(subject), (curve) => this.onOpen(curve.entry));
    QC.ratings.listeners.push(() => {
      if (QC.app.mode === "cohort") this.list.update(this.rows.length);
    });
  },

  // Called whenever it is shown, and when the table's search or filter changes.
  open() {
    const entries = QC.table.shown();
    const named = new Map();
    for (const entry of entries) {
      if (entry.curve) named.set(this.kind(entry), (named.get(this.kind(entry)) || 0) + 1);
    }
    const kinds = [...named].sort((a, b) => b[1] - a[1] || QC.compare(a[0], b[0]));
    if (!named.has(this.process)) this.process = kinds.length > 0 ? kinds[0][0] : "";
    QC.replace(
      QC.byId("cohort-process"),
      ...kinds.map(([kind, n]) => QC.element("option", { value: kind, text: `${kind} (${n})` })),
    );
    QC.byId("cohort-process").value = this.process;
    this.curves = this.curvesOf(entries);
    this.judge();
    this.subjects = this.subjectsOf(entries);
    QC.show(QC.byId("cohort-chart"), this.curves.length > 0);
    QC.curves.draw(this);
    this.rowsUpdate();
  },

  // Only one measure of one command can be compared.
  kind(entry) {
    const parts = [entry.process, entry.contrast, QC.measureName(entry.curve.name)];
    return parts.filter(Boolean).join(" · ");
  },

  over() {
    const wanted = QC.settings.values.cohortOver;
    const levels = this.all.filter((entry) => entry.curve.levels).length;
    const can = { level: levels > 0, mm: true, slice: true };
    QC.replace(
      QC.byId("cohort-over"),
      ...this.OVER.filter(([name]) => can[name]).map(([value, text]) => QC.element("option", { value, text })),
    );
    const best = levels * 2 >= this.all.length && levels > 0 ? "level" : "mm";
    const over = can[wanted] ? wanted : best;
    QC.byId("cohort-over").value = over;
    return over;
  },

  curvesOf(entries) {
    this.all = entries.filter((entry) => entry.curve && this.kind(entry) === this.process);
    this.by = this.all.length > 0 ? this.over() : "mm";
    return this.all
      .map((entry) => {
        const { curve } = entry;
        const x = (i) => {
          if (this.by === "level") return curve.levels ? curve.levels[i] : null;
          return this.by === "mm" ? i * curve.mm : curve.index[0] + i * curve.index[1];
        };
        const points = curve.values
          .map((value, i) => [x(i), value])
          .map(([at, value]) => (at === null || at === undefined ? null : [at, value]))
          .filter(Boolean);
        return { entry, subject: this.subject(entry), points };
      })
      .filter((curve) => curve.points.some(([, value]) => value !== null));
  },

  subject(entry) {
    return `${entry.dataset}\n${entry.subject}`;
  },

  // Points of a long curve lie further apart than places: else who is counted would change from one
  // place to the next, and the median with it. Where a point is missing, nothing is made up.
  between(points, bin, own) {
    for (let i = 1; i < points.length; i += 1) {
      const [[from, first], [to, last]] = [points[i - 1], points[i]];
      if (first === null || last === null) continue;
      const [low, high] = [Math.min(from, to), Math.max(from, to)];
      for (let at = Math.floor(low / bin) + 1; at < Math.floor(high / bin); at += 1) {
        const share = ((at + 0.5) * bin - from) / (to - from);
        if (!own.has(at)) own.set(at, [first + share * (last - first)]);
      }
    }
  },

  // The median of everyone and its spread at each place, and who is far from it.
  judge() {
    const bin = this.BINS[this.by];
    const bins = new Map();
    for (const curve of this.curves) {
      const own = new Map();
      for (const [x, value] of curve.points) {
        if (value === null) continue;
        const at = Math.floor(x / bin);
        own.set(at, [...(own.get(at) || []), value]);
      }
      this.between(curve.points, bin, own);
      curve.means = new Map([...own].map(([at, values]) => [at, values.reduce((a, b) => a + b) / values.length]));
      for (const [at, value] of curve.means) bins.set(at, [...(bins.get(at) || []), value]);
    }
    const middle = (values) => {
      const sorted = [...values].sort((a, b) => a - b);
      const half = Math.floor(sorted.length / 2);
      return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    };
    this.band = [...bins]
      .filter(([, values]) => values.length >= 3)
      .map(([at, values]) => {
        const median = middle(values);
        const spread = 1.4826 * middle(values.map((value) => Math.abs(value - median)));
        const sd = Math.max(spread, this.FLOOR * Math.abs(median));
        return { at, x: (at + 0.5) * bin, median, sd, n: values.length };
      })
      .sort((a, b) => a.at - b.at);
    const known = new Map(this.band.map((each) => [each.at, each]));
    for (const curve of this.curves) {
      const judged = [...curve.means].filter(([at]) => known.has(at) && known.get(at).n >= this.LEAST);
      const far = judged
        .map(([at, value]) => ({ at, z: (value - known.get(at).median) / known.get(at).sd, share: value / known.get(at).median - 1 }))
        .filter(({ z }) => Math.abs(z) > this.FAR);
      curve.outlier = judged.length > 0 && far.length >= Math.max(2, this.SHARE * judged.length)
        ? this.say(far, bin) : "";
    }
  },

  say(far, bin) {
    const share = far.reduce((sum, each) => sum + each.share, 0) / far.length;
    const from = Math.min(...far.map(({ at }) => at)) * bin;
    const to = (Math.max(...far.map(({ at }) => at)) + 1) * bin;
    const percent = `${Math.abs(Math.round(share * 100))} % ${share < 0 ? "below" : "above"} the others`;
    // the top of T1 is the end of C7
    return `${percent}, ${this.place(from)} to ${this.place(this.by === "level" ? to - 0.01 : to)}`;
  },

  place(x) {
    if (this.by === "level") return QC.levelName(Math.floor(x + 1e-6));
    return this.by === "mm" ? `${Math.round(x)} mm` : `slice ${Math.round(x)}`;
  },

  // -- rows -----------------------------------------------------------------------------------------

  subjectsOf(entries) {
    const curves = new Map(this.curves.map((curve) => [curve.entry, curve]));
    const subjects = new Map();
    for (const entry of entries) {
      const key = this.subject(entry);
      if (!subjects.has(key)) subjects.set(key, { key, entries: [], curve: null });
      const subject = subjects.get(key);
      subject.entries.push(entry);
      if (!subject.curve && curves.has(entry)) subject.curve = curves.get(entry);
    }
    return [...subjects.values()];
  },

  rowsUpdate() {
    const odd = ({ curve, entries }) =>
      (curve && curve.outlier) || entries.some((entry) => entry.flags.length > 0);
    // outliers first: they are what one comes here for
    const order = (subject) => (subject.curve && subject.curve.outlier ? 0 : 1);
    this.rows = this.subjects
      .filter((subject) => !this.only || odd(subject))
      .sort((a, b) => order(a) - order(b) || QC.compare(a.key, b.key));
    this.at = Math.min(this.at, Math.max(this.rows.length - 1, 0));
    const outliers = this.curves.filter((curve) => curve.outlier).length;
    const flagged = this.subjects.filter(({ entries }) => entries.some((each) => each.flags.length > 0)).length;
    const few = this.curves.length > 0 && this.curves.length < this.LEAST
      ? ` Outliers are looked for from ${this.LEAST} subjects on.` : "";
    QC.byId("cohort-count").textContent =
      `${this.subjects.length} subjects, ${flagged} flagged, ${outliers} ${outliers === 1 ? "outlier" : "outliers"}.${few}`;
    QC.show(QC.byId("cohort-empty"), this.rows.length === 0);
    this.list.update(this.rows.length);
  },

  row(i) {
    const { entries, curve } = this.rows[i];
    const [first] = entries;
    const flags = entries.flatMap((entry) => entry.flags.map((flag) => ({ ...flag, process: entry.process })));
    const shown = flags.slice(0, 5);
    const row = QC.element(
      "div",
      { class: "subject", role: "listitem", data: { at: i }, "aria-current": i === this.at ? "true" : null },
      QC.element(
        "div",
        { class: "subject-name" },
        QC.element("strong", { text: first.subject }),
        QC.element("span", { text: first.dataset }),
        curve && curve.outlier
          ? QC.element("span", { class: "outlier", text: "outlier", title: curve.outlier }) : null,
      ),
      QC.element("div", { class: "thumbs" }, ...entries.slice(0, 8).map((entry) => this.thumb(entry))),
      QC.element(
        "div",
        { class: "subject-flags" },
        curve && curve.outlier ? QC.element("p", { class: "outlier-words", text: curve.outlier }) : null,
        QC.element(
          "div",
          {},
          ...shown.map((flag) =>
            QC.element("span", { class: "flag", text: flag.kind, title: `${flag.process}: ${flag.reason}` }),
          ),
          flags.length > 5 ? QC.element("span", { class: "more", text: `and ${flags.length - 5} more` }) : null,
        ),
      ),
      QC.element("div", { class: "subject-curve" }, curve ? QC.curves.small(this, curve) : null),
    );
    row.addEventListener("pointerenter", () => QC.curves.light(curve));
    row.addEventListener("pointerleave", () => QC.curves.light(null));
    row.addEventListener("click", (event) => {
      this.at = i;
      if (!event.target.closest("button")) this.onOpen(curve ? curve.entry : first);
    });
    return row;
  },

  thumb(entry) {
    const source = entry.thumb ? QC.path(entry.folder, entry.thumb) : "";
    const { verdict } = QC.ratings.get(entry.case);
    const button = QC.element(
      "button",
      { class: `thumb ${verdict}`, title: `${entry.process}${verdict ? `: ${verdict}` : ""}`, "aria-label": `${entry.subject}, ${entry.process}` },
      QC.element("span", { class: "thumb-picture", style: { backgroundImage: source ? `url("${source}")` : "none" } }),
      verdict ? QC.element("span", { class: `badge ${verdict}`, text: { pass: "✓", fail: "✕", artifact: "!" }[verdict] }) : null,
    );
    button.addEventListener("click", () => this.onOpen(entry));
    return button;
  },

  // -- keys and the chart -----------------------------------------------------------------------------

  action(key) {
    const move = (to) => () => {
      if (this.rows.length === 0) return;
      this.at = Math.max(0, Math.min(this.rows.length - 1, to));
      this.list.update(this.rows.length);
      this.list.reveal(this.at);
      QC.curves.light(this.rows[this.at].curve);
    };
    const page = Math.max(1, Math.floor(QC.byId("cohort-scroll").clientHeight / this.ROW));
    const actions = {
      ArrowUp: move(this.at - 1),
      ArrowDown: move(this.at + 1),
      PageUp: move(this.at - page),
      PageDown: move(this.at + page),
      Home: move(0),
      End: move(this.rows.length - 1),
      Enter: () => {
        const subject = this.rows[this.at];
        if (subject) this.onOpen(subject.curve ? subject.curve.entry : subject.entries[0]);
      },
    };
    return Object.hasOwn(actions, key) ? actions[key] : null;
  },

  // The curve under the pointer marks its row.
  point(curve) {
    for (const row of QC.byId("cohort-rows").children) {
      const own = this.rows[Number(row.dataset.at)];
      row.classList.toggle("lit", Boolean(curve) && own && own.curve === curve);
    }
  },
};
