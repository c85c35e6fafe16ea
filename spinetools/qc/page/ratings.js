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
      slices: this.cleanSlices(value.slices),
    };
  },

  // What was said about single slices, by native index; each has its own time.
  cleanSlices(value) {
    const slices = {};
    if (!value || typeof value !== "object") return slices;
    for (const [index, said] of Object.entries(value)) {
      if (!/^\d{1,5}$/.test(index) || !said || typeof said !== "object") continue;
      slices[index] = {
        verdict: QC.VERDICTS.includes(said.verdict) ? said.verdict : "",
        note: typeof said.note === "string" ? said.note.slice(0, 2000) : "",
        updated: typeof said.updated === "string" ? said.updated : "",
      };
    }
    return slices;
  },

  // The newer word about the case, and about each slice.
  merge(one, other) {
    if (!one || !other) return one || other;
    const newer = other.updated > one.updated ? other : one;
    const slices = { ...one.slices };
    for (const [index, said] of Object.entries(other.slices)) {
      if (!slices[index] || said.updated > slices[index].updated) slices[index] = said;
    }
    return { ...newer, slices };
  },

  get(key) {
    if (!this.cache.has(key)) {
      const shipped = window.spinetoolsRatings || {};
      const brought = Object.hasOwn(shipped, key) ? this.clean(shipped[key]) : null;
      const own = this.clean(QC.storage.get(RATING_KEY + key));
      this.cache.set(key, this.merge(own, brought) || this.clean({}));
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

  // A slice's verdict and note; empty where nothing was said.
  slice(key, index) {
    return this.get(key).slices[index] || { verdict: "", note: "", updated: "" };
  },

  setSlice(entry, index, change) {
    const rating = this.get(entry.case);
    const said = { ...this.slice(entry.case, index), ...change, updated: new Date().toISOString() };
    this.put(entry.case, { ...rating, slices: { ...rating.slices, [index]: said } });
  },

  // Slices that something was said about, in order.
  saidSlices(key) {
    return Object.entries(this.get(key).slices)
      .filter(([, said]) => said.verdict !== "" || said.note !== "")
      .map(([index, said]) => [Number(index), said]);
  },

  put(key, rating) {
    this.cache.set(key, rating);
    if (!QC.storage.set(RATING_KEY + key, rating)) {
      QC.toast("This browser keeps no data for this page: export your ratings before closing it.");
    }
    for (const listener of this.listeners) listener(key);
  },

  // F: not rated → pass → fail → artifact → not rated
  after(verdict) {
    const order = ["", ...QC.VERDICTS];
    return order[(order.indexOf(verdict) + 1) % order.length];
  },

  nextVerdict(entry) {
    this.set(entry, { verdict: this.after(this.get(entry.case).verdict) });
  },

  nextSliceVerdict(entry, index) {
    this.setSlice(entry, index, { verdict: this.after(this.slice(entry.case, index).verdict) });
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
      .filter(({ case: key }) => QC.ratings.isRated(key) || QC.ratings.get(key).note
        || QC.ratings.saidSlices(key).length > 0)
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
      "dataset", "subject", "process", "input", "verdict", "score", "note", "updated", "case", "slice",
    ];
    const cell = (value) => {
      const text = value === null || value === "" ? "n/a" : String(value);
      return text.replace(/[\t\r\n]+/g, " ");
    };
    // a row for the case, then one for each slice that was spoken of
    const records = this.records().flatMap((record) => [
      { ...record, slice: null },
      ...QC.ratings.saidSlices(record.case).map(([slice, said]) => ({
        ...record, score: null, slice, ...said,
      })),
    ]);
    const rows = records.map((record) => columns.map((name) => cell(record[name])));
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

  // Merge ratings from an exported JSON file; the newer one of a case, and of a slice, counts.
  merge(text) {
    const content = JSON.parse(text);
    if (!content || !Array.isArray(content.ratings)) throw new Error("no ratings in it");
    let taken = 0;
    for (const record of content.ratings) {
      const rating = QC.ratings.clean(record);
      if (!rating || typeof record.case !== "string") continue;
      const before = QC.ratings.get(record.case);
      const merged = QC.ratings.merge(before, rating);
      if (JSON.stringify(merged) !== JSON.stringify(before)) {
        QC.ratings.put(record.case, merged);
        taken += 1;
      }
    }
    return taken;
  },
};
