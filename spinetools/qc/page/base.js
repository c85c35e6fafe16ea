// Shared helpers: elements, settings, and loading an entry. Classic scripts with one global, QC:
// a page that is opened from a file cannot load modules.
"use strict";

const QC = {};

// -- elements: text goes in as text, never as markup ----------------------------------------------

QC.byId = (id) => document.getElementById(id);

QC.element = (tag, options = {}, ...children) => {
  const svg = tag.startsWith("svg:");
  const node = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = String(value);
    else if (name === "style") Object.assign(node.style, value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

QC.replace = (node, ...children) => {
  node.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

QC.show = (node, visible) => {
  node.hidden = !visible;
};

QC.press = (button, on) => {
  button.setAttribute("aria-pressed", on ? "true" : "false");
};

QC.toast = (text) => {
  const box = QC.byId("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(QC.toast.timer);
  QC.toast.timer = setTimeout(() => {
    box.hidden = true;
  }, 3500);
};

// -- small facts about text and numbers -----------------------------------------------------------

QC.fileName = (path) => String(path).split(/[\\/]/).pop();

QC.compare = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;

QC.number = (value) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
};

QC.date = (iso) => {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
};

// [3, 4, 5, 9] → "3–5, 9"
QC.ranges = (numbers, step = 1) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const runs = [];
  for (const n of sorted) {
    const last = runs[runs.length - 1];
    if (last && n - last[1] <= step) last[1] = n;
    else runs.push([n, n]);
  }
  return runs;
};

const OPPOSITE = { L: "R", R: "L", A: "P", P: "A", S: "I", I: "S" };
QC.AXES = ["x", "y", "z"];

// nibabel names where an axis leads, SCT where it starts
QC.orientation = (nib) => {
  const sct = [...nib].map((letter) => OPPOSITE[letter] || "?").join("");
  return `${sct} (nibabel: ${nib})`;
};

QC.MEASURES = {
  csa_mm2: "CSA (mm²)",
  area_mm2: "Area in the slice (mm²)",
  diameter_ap_mm: "AP diameter (mm)",
  diameter_rl_mm: "RL diameter (mm)",
  leak: "Leak score",
};
QC.measureName = (name) => QC.MEASURES[name] || name.replace(/_/g, " ");

// -- kept in the browser --------------------------------------------------------------------------

// Every report that is opened from a file may share one store, and it may be switched off.
QC.storage = {
  memory: new Map(),
  works: true,
  get(key) {
    try {
      const text = localStorage.getItem(key);
      if (text !== null) return JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) this.works = false;
    }
    return this.memory.get(key);
  },
  set(key, value) {
    this.memory.set(key, value);
    try {
      localStorage.setItem(key, JSON.stringify(value));
      this.works = true;
    } catch {
      this.works = false;
    }
    return this.works;
  },
};

QC.settings = {
  KEY: "spinetools-qc:settings",
  values: {
    theme: "", view: "mosaic", style: "outline", opacity: 50, tile: 116, earlier: false,
    arrangement: "side", cohortOver: "",
  },
  load() {
    const kept = QC.storage.get(this.KEY);
    if (kept && typeof kept === "object") {
      for (const name of Object.keys(this.values)) {
        if (typeof kept[name] === typeof this.values[name]) this.values[name] = kept[name];
      }
    }
  },
  set(name, value) {
    this.values[name] = value;
    QC.storage.set(this.KEY, this.values);
  },
};

// -- entries --------------------------------------------------------------------------------------

const report = window.spinetoolsReport;
QC.entries = report && Array.isArray(report.entries) ? report.entries : [];

const FOLDER = /^img\/[\w.-]+\/[\w.-]+\/[\w.-]+$/;
const FILE = /^[\w.-]+$/;

// A path into the report and nowhere else, whatever the entry says.
QC.path = (folder, file) => {
  const inside = FOLDER.test(folder) && FILE.test(file) && !folder.includes("..");
  return inside ? `${folder}/${file}` : "";
};

// The details of an entry (views, measures) are a script of their own, loaded when shown.
QC.details = new Map();
const waiting = new Map();

window.spinetoolsEntry = (content) => {
  if (content && typeof content.id === "string") QC.details.set(content.id, content);
};

// A script that a page opened from a file may load; rejects where it is missing.
QC.script = (source) =>
  new Promise((resolve, reject) => {
    const script = QC.element("script", { src: source });
    script.addEventListener("load", () => {
      script.remove();
      resolve();
    });
    script.addEventListener("error", () => {
      script.remove();
      reject(new Error(`${source} is missing or damaged; run st_qc -refresh`));
    });
    document.head.append(script);
  });

QC.load = (entry) => {
  if (QC.details.has(entry.id)) return Promise.resolve(QC.details.get(entry.id));
  if (waiting.has(entry.id)) return waiting.get(entry.id);
  const source = QC.path(entry.folder, "entry.js");
  const problem = () => new Error(`${source || "its folder"} is missing or damaged; run st_qc -refresh`);
  const promise = (source ? QC.script(source) : Promise.reject(problem()))
    .finally(() => waiting.delete(entry.id))
    .then(() => {
      if (!QC.details.has(entry.id)) throw problem();
      return QC.details.get(entry.id);
    });
  waiting.set(entry.id, promise);
  return promise;
};

// Rows of one height of which only those in sight are in the page: thousands scroll smoothly.
QC.virtual = (box, { height, draw, above, below, rows, margin = 8 }) => {
  const list = {
    count: 0,
    first: 0,
    last: 0,
    update(count) {
      this.count = count;
      this.first = this.last = -1;
      this.scroll();
    },
    scroll() {
      const inSight = Math.ceil((box.clientHeight || 800) / height);
      const top = Math.floor(Math.max(0, box.scrollTop) / height);
      const first = Math.max(0, Math.min(top, this.count - inSight) - margin);
      const last = Math.min(this.count, top + inSight + margin);
      if (first === this.first && last === this.last) return;
      [this.first, this.last] = [first, last];
      above.style.height = `${first * height}px`;
      below.style.height = `${(this.count - last) * height}px`;
      const nodes = [];
      for (let i = first; i < last; i += 1) nodes.push(draw(i));
      rows.replaceChildren(...nodes);
    },
    // Bring a row into sight.
    reveal(i, header = 0) {
      const top = i * height;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + height + header > box.scrollTop + box.clientHeight) {
        box.scrollTop = top + height + header - box.clientHeight;
      }
      this.scroll();
    },
  };
  box.addEventListener("scroll", () => list.scroll(), { passive: true });
  new ResizeObserver(() => list.scroll()).observe(box);
  return list;
};
