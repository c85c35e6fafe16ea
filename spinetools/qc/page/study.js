// Which method suits these scans: comparisons that st_compare and st_pilot put into the report.
"use strict";

QC.study = {
  SURENESS: { sure: "Sure", likely: "Likely, not sure", equal: "Equal", open: "Not sure" },
  STATES: { ok: "sound", suspect: "look", failed: "failed" },
  GROUPS: { t1: "T1w", t2: "T2w", t2s: "T2*w", dwi: "DWI" },
  MOST: 600, // rows drawn at once
  all: [],
  at: 0,
  only: false,

  start(onOpen) {
    this.onOpen = onOpen;
    const given = window.spinetoolsComparisons;
    this.all = Array.isArray(given) ? given.filter((each) => this.sound(each)) : [];
    QC.show(QC.byId("mode-study"), this.all.length > 0);
    QC.byId("study-choice").addEventListener("change", (event) => {
      this.at = Number(event.target.value);
      this.open();
    });
    QC.byId("study-only").addEventListener("change", (event) => {
      this.only = event.target.checked;
      this.drawRows(this.all[this.at]);
    });
  },

  sound(each) {
    return Boolean(each) && /^[0-9a-f]{16}$/.test(each.name) &&
      ["methods", "words", "choices", "rows", "pictures", "tables"].every((name) => Array.isArray(each[name]));
  },

  // A file of a comparison, and nothing else, whatever the record says.
  file(each, name) {
    return /^[\w.-]+$/.test(name) ? `comparisons/${each.name}/${name}` : "";
  },

  open() {
    const each = this.all[this.at];
    if (!each) return;
    const images = `${each.rows.length} ${each.rows.length === 1 ? "image" : "images"}`;
    const parts = [each.dataset, images, each.methods.join(", "), QC.date(each.created)];
    QC.byId("study-about").textContent = parts.filter(Boolean).join(" · ");
    const choice = QC.byId("study-choice");
    QC.show(choice, this.all.length > 1);
    QC.replace(choice, ...this.all.map((one, number) => QC.element("option", {
      value: number,
      text: [one.dataset || "no name", one.methods.join(", "), QC.date(one.created)].join(" · "),
    })));
    choice.value = String(this.at);
    const badge = QC.byId("study-sureness");
    badge.textContent = this.SURENESS[each.sureness] || "Not sure";
    badge.dataset.sureness = each.sureness;
    QC.byId("study-headline").textContent = each.headline;
    QC.replace(QC.byId("study-list"), ...each.words.map((text) => QC.element("li", { text })));
    this.drawGroups(each);
    this.drawFigures(each);
    this.drawRows(each);
    QC.replace(
      QC.byId("study-tables"),
      ...each.tables.map((name) => QC.element("a", { href: this.file(each, name), download: name, text: name })),
    );
  },

  // A row for each contrast, where there are several.
  drawGroups(each) {
    const table = QC.byId("study-groups");
    QC.show(table, each.choices.length > 1);
    const heads = ["Scans", "Choice", "", ...each.methods, "Lacks less (95 % interval)", "Better in", "p"];
    const rows = each.choices.map((one) => {
      const scans = one.group ? this.GROUPS[one.group] || one.group : "All";
      const percent = (value) => (value === null ? "–" : `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(0)}`);
      const interval = one.low === null ? "" : ` (${percent(one.low)} to ${percent(one.high)} %)`;
      const clear = one.sureness === "sure" || one.sureness === "likely";
      return [
        `${scans} (${one.images})`,
        clear ? one.method : one.sureness === "equal" ? "either" : "–",
        QC.element("span", { class: "sureness", data: { sureness: one.sureness }, text: this.SURENESS[one.sureness] || "" }),
        ...each.methods.map((name) => this.dice(one.scores[name])),
        one.runner_up ? `${one.method}: ${percent(one.less)} %${interval}` : "–",
        one.runner_up ? `${one.wins} of ${one.wins + one.losses}` : "–",
        one.p === null ? "–" : one.p < 0.001 ? "< 0.001" : one.p.toFixed(3),
      ];
    });
    this.fill(table, heads, rows.map((cells) => ({ cells })));
  },

  drawFigures(each) {
    QC.replace(
      QC.byId("study-figures"),
      ...each.pictures.map((picture) => {
        const image = (theme) => QC.element("img", {
          class: `for-${theme}`, src: this.file(each, `${picture.name}-${theme}.svg`), alt: `${picture.title}. ${picture.caption}`,
        });
        return QC.element(
          "figure",
          { class: picture.name === "where" ? "wide" : null },
          QC.element("figcaption", {}, QC.element("strong", { text: picture.title }), QC.element("span", { text: picture.caption })),
          image("dark"),
          image("light"),
        );
      }),
    );
  },

  // -- images -----------------------------------------------------------------------------------------

  // The entry to open for an image: the last one of that input.
  entry(row, dataset) {
    const own = QC.entries.filter((entry) => entry.input === row.input && entry.input !== "");
    const here = own.filter((entry) => entry.dataset === dataset);
    return (here.length > 0 ? here : own).slice(-1)[0] || null;
  },

  drawRows(each) {
    const referenced = each.rows.some((row) => row.results.some((one) => one.dice !== null));
    const columns = [referenced ? "Dice" : "Expected Dice", "Area, mm²", "State"];
    const heads = ["Image", "Contrast", ...each.methods.flatMap((name) => columns.map((text) => `${name}: ${text}`))];
    const chosen = each.rows.filter((row) => !this.only || row.results.some((one) => one.state !== "ok"));
    const rows = chosen.slice(0, this.MOST).map((row) => {
      const entry = this.entry(row, each.dataset);
      const name = entry
        ? QC.element("button", { class: "link", text: row.name, title: "Show the methods on this image", onclick: () => this.onOpen(entry) })
        : QC.element("span", { text: row.name });
      const results = each.methods.map((method) => row.results.find((one) => one.method === method) || {});
      return {
        cells: [
          name,
          this.GROUPS[row.contrast] || row.contrast || "–",
          ...results.flatMap((one) => [
            this.dice(referenced && one.dice !== null ? one.dice : one.expected),
            one.csa === null || one.csa === undefined ? "–" : one.csa.toFixed(1),
            QC.element("span", { class: "state", data: { state: one.state }, text: this.STATES[one.state] || "–" }),
          ]),
        ],
        reasons: results.flatMap((one) => (one.reasons || []).map((text) => [one.method, text])),
      };
    });
    QC.show(QC.byId("study-none"), rows.length === 0);
    QC.show(QC.byId("study-rows"), rows.length > 0);
    this.fill(QC.byId("study-rows"), heads, rows, each.methods);
  },

  dice(value) {
    return value === null || value === undefined ? "–" : value.toFixed(3);
  },

  fill(table, heads, rows, methods = null) {
    const span = heads.length;
    const head = methods
      ? this.twoRows(heads, methods)
      : [QC.element("tr", {}, ...heads.map((text) => QC.element("th", { text, scope: "col" })))];
    QC.replace(
      table,
      QC.element("thead", {}, ...head),
      QC.element("tbody", {}, ...rows.flatMap(({ cells, reasons = [] }) => [
        QC.element("tr", { class: reasons.length > 0 ? "has-reasons" : null }, ...cells.map((cell) =>
          cell instanceof Node ? QC.element("td", {}, cell) : QC.element("td", { text: cell }))),
        reasons.length > 0
          ? QC.element("tr", { class: "reasons" }, QC.element("td", { colspan: span }, ...reasons.map(([method, text]) =>
            QC.element("span", {}, QC.element("b", { text: method }), ` ${text}`))))
          : null,
      ].filter(Boolean))),
    );
  },

  // Methods above, what is said of each below.
  twoRows(heads, methods) {
    const each = (heads.length - 2) / methods.length;
    const upper = [
      ...heads.slice(0, 2).map((text) => QC.element("th", { text, scope: "col", rowspan: 2 })),
      ...methods.map((text) => QC.element("th", { text, scope: "colgroup", colspan: each, class: "method" })),
    ];
    const lower = heads.slice(2).map((text) => QC.element("th", { text: text.split(": ").pop(), scope: "col" }));
    return [QC.element("tr", {}, ...upper), QC.element("tr", {}, ...lower)];
  },
};
