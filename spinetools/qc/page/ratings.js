// Ratings: kept in the browser by case, joined with those that the report brings along
// (ratings.js, written by st_qc -import); the newer one of a case counts. Export and import.
"use strict";

QC.VERDICTS = ["pass", "fail", "artifact"];
const RATING_KEY = "spinetools-qc:rating:";

QC.ratings = {
  cache: new Map(),
  listeners: [],

  // A rating from anywhere, with only what a rating may have.
  clean(value) {
    if (!value || typeof value !== "object") return null;
    const score = Number.isInteger(value.score) && value.score >= 0 && value.score <= 9;
    return {
      verdict: QC.VERDICTS.includes(value.verdict) ? value.verdict : "",
      score: score ? value.score : null,
      note: typeof value.note === "string" ? value.note.slice(0, 2000) : "",
      updated: typeof value.updated === "string" ? value.updated : "",
      entry: typeof value.entry === "string" ? value.entry : "",
    };
  },

  get(key) {
    if (!this.cache.has(key)) {
      const shipped = window.spinetoolsRatings || {};
      const brought = Object.hasOwn(shipped, key) ? this.clean(shipped[key]) : null;
      const own = this.clean(QC.storage.get(RATING_KEY + key));
      const newer = own && (!brought || own.updated >= brought.updated) ? own : brought;
      this.cache.set(key, newer || this.clean({}));
    }
    return this.cache.get(key);
  },

  isRated(key) {
    const rating = this.get(key);
    return rating.verdict !== "" || rating.score !== null;
  },

  set(entry, change) {
    const rating = {
      ...this.get(entry.case),
      ...change,
      entry: entry.id,
      updated: new Date().toISOString(),
    };
    this.put(entry.case, rating);
  },

  put(key, rating) {
    this.cache.set(key, rating);
    if (!QC.storage.set(RATING_KEY + key, rating)) {
      QC.toast("This browser keeps no data for this page: export your ratings before closing it.");
    }
    for (const listener of this.listeners) listener(key);
  },

  // F: not rated → pass → fail → artifact → not rated
  nextVerdict(entry) {
    const order = ["", ...QC.VERDICTS];
    const now = order.indexOf(this.get(entry.case).verdict);
    this.set(entry, { verdict: order[(now + 1) % order.length] });
  },

  // Another tab with the same report.
  watch() {
    window.addEventListener("storage", (event) => {
      if (event.key && event.key.startsWith(RATING_KEY)) {
        const key = event.key.slice(RATING_KEY.length);
        this.cache.delete(key);
        for (const listener of this.listeners) listener(key);
      }
    });
  },
};

// -- export ---------------------------------------------------------------------------------------

// Only what YAML reads as text without quotes stays without.
const yamlText = (text) =>
  /^[A-Za-z][\w.-]*\.nii(\.gz)?$/.test(text) ? text : JSON.stringify(text);

QC.exports = {
  rated() {
    const latest = new Map(QC.entries.map((entry) => [entry.case, entry]));
    return [...latest.values()]
      .filter((entry) => QC.ratings.isRated(entry.case) || QC.ratings.get(entry.case).note)
      .sort((a, b) => QC.compare(a.subject, b.subject) || QC.compare(a.process, b.process));
  },

  // FILES_SEG:
  // - sub-01_T2w.nii.gz
  yaml(verdict) {
    const lists = new Map();
    for (const entry of this.rated()) {
      if (QC.ratings.get(entry.case).verdict !== verdict) continue;
      const names = lists.get(entry.export_key) || new Set();
      names.add(QC.fileName(entry.input) || entry.subject);
      lists.set(entry.export_key, names);
    }
    const lines = [`# inputs rated "${verdict}" in a spinetools QC report`];
    for (const key of [...lists.keys()].sort()) {
      lines.push(`${key}:`);
      for (const name of [...lists.get(key)].sort(QC.compare)) lines.push(`- ${yamlText(name)}`);
    }
    if (lists.size === 0) lines.push("{}");
    return lines.join("\n") + "\n";
  },

  records() {
    return this.rated().map((entry) => ({
      case: entry.case,
      dataset: entry.dataset,
      subject: entry.subject,
      process: entry.process,
      input: entry.input,
      export_key: entry.export_key,
      ...QC.ratings.get(entry.case),
    }));
  },

  json() {
    const content = { format: 1, exported: new Date().toISOString(), ratings: this.records() };
    return JSON.stringify(content, null, 2) + "\n";
  },

  tsv() {
    const columns = [
      "dataset", "subject", "process", "input", "verdict", "score", "note", "updated", "case",
    ];
    const cell = (value) => {
      const text = value === null || value === "" ? "n/a" : String(value);
      return text.replace(/[\t\r\n]+/g, " ");
    };
    const rows = this.records().map((record) => columns.map((name) => cell(record[name])));
    return [columns, ...rows].map((row) => row.join("\t")).join("\n") + "\n";
  },

  download(name, text) {
    const link = QC.element("a", {
      href: URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" })),
      download: name,
    });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    QC.toast(`Saved ${name}`);
  },

  // Merge ratings from an exported JSON file; the newer one of a case counts.
  merge(text) {
    const content = JSON.parse(text);
    if (!content || !Array.isArray(content.ratings)) throw new Error("no ratings in it");
    let taken = 0;
    for (const record of content.ratings) {
      const rating = QC.ratings.clean(record);
      if (!rating || typeof record.case !== "string") continue;
      if (rating.updated > QC.ratings.get(record.case).updated) {
        QC.ratings.put(record.case, rating);
        taken += 1;
      }
    }
    return taken;
  },
};
