// Correcting: commands that open a slice in the viewers that people have and that take the
// correction back, and what a case was before and after.
"use strict";

QC.correct = {
  BAD: ["fail", "artifact"],

  // -- commands -------------------------------------------------------------------------------------

  // Written and quoted by the command that made the entry (qc/viewers.py); empty where the files
  // are not known.
  viewers(detail) {
    const { viewers } = detail;
    return viewers && Array.isArray(viewers.fsleyes) && viewers.fsleyes[0] ? viewers : null;
  },

  // The middle of what is shown of the slice.
  voxel() {
    const { view, tile } = QC.viewer;
    return QC.tiles.voxelAt(view, tile, 0.5, 0.5);
  },

  fsleyes(viewers) {
    const [before, after] = viewers.fsleyes;
    return [before, ...this.voxel(), after].join(" ");
  },

  // ITK-SNAP has no option for a place, and counts from 1.
  cursor() {
    return this.voxel().map((index) => index + 1).join(" ");
  },

  // The details of the entry in the rail, once they are loaded and drawn.
  shown() {
    const { entry, detail, view } = QC.viewer;
    const ready = view && entry && detail && detail.id === entry.id && QC.rail.entry === entry;
    return ready ? { entry, detail, viewers: this.viewers(detail) } : null;
  },

  // Why the slice that is shown should be corrected; empty where nothing speaks for it.
  reasons(entry) {
    const index = QC.viewer.index();
    const rating = QC.ratings.get(entry.case);
    const said = index === null ? "" : QC.ratings.slice(entry.case, index).verdict;
    return [
      ...QC.viewer.flagsOf(index).map((flag) => flag.kind),
      ...(this.BAD.includes(said) ? [`slice: ${said}`] : []),
      ...(this.BAD.includes(rating.verdict) ? [`result: ${rating.verdict}`] : []),
    ];
  },

  // -- in the rail, and over the picture ------------------------------------------------------------

  draw() {
    const section = QC.byId("correct-section");
    const shown = this.shown();
    const reasons = shown && shown.viewers ? this.reasons(shown.entry) : [];
    QC.show(section, reasons.length > 0);
    this.follow(shown);
    const here = QC.byId("correct-here");
    if (here) here.remove();
    if (reasons.length === 0) {
      this.drawn = null;
      return;
    }
    const { entry, viewers } = shown;
    const index = QC.viewer.index();
    QC.byId("correct-name").textContent = index === null
      ? "Correct" : `Correct slice ${QC.viewer.axis()} = ${index}`;
    const over = QC.element("button", {
      id: "correct-here", class: "copy", text: "Copy FSLeyes command",
      title: "Copy the command that opens this slice in FSLeyes (E)",
    });
    over.addEventListener("click", () => this.copyHere());
    QC.byId("slice-flags").append(over);
    if (this.drawn !== entry) this.steps(viewers);
    this.drawn = entry;
    QC.byId("correct-fsleyes").querySelector("code").textContent = this.fsleyes(viewers);
    QC.byId("correct-cursor").textContent = this.cursor();
  },

  steps(viewers) {
    const command = (id, text, title) => {
      const box = QC.rail.command(() => text, title);
      box.id = id;
      return box;
    };
    const [todo, file] = Array.isArray(viewers.todo) ? viewers.todo : ["", ""];
    const words = (text) => QC.element("p", { text });
    QC.replace(
      QC.byId("correct"),
      words("1. Open it in FSLeyes:"),
      command("correct-fsleyes", this.fsleyes(viewers), "Copy the command for FSLeyes"),
      QC.element(
        "p", {}, QC.element("span", { text: "or in ITK-SNAP, with the cursor at " }),
        QC.element("b", { id: "correct-cursor" }),
      ),
      command("correct-itksnap", viewers.itksnap, "Copy the command for ITK-SNAP"),
      todo ? words(`2. ${todo}`) : null,
      todo ? command("correct-file", file, "Copy the file's name") : null,
      viewers.rerun ? words("3. Run again:") : null,
      viewers.rerun ? command("correct-rerun", viewers.rerun, "Copy the command that takes the correction back") : null,
    );
  },

  // The commands among the details go with the slice, too, whatever was said of it.
  follow(shown) {
    const box = QC.byId("viewer-commands");
    if (!box || !shown) return;
    const { entry, viewers } = shown;
    if (!viewers) {
      QC.replace(box, QC.element("span", { text: "–" }));
      return;
    }
    if (box.dataset.entry !== entry.id) {
      box.dataset.entry = entry.id;
      QC.replace(
        box,
        QC.rail.command(() => this.fsleyes(viewers), "Copy the command for FSLeyes (E)"),
        QC.rail.command(() => viewers.itksnap, "Copy the command for ITK-SNAP"),
      );
    }
    box.querySelector("code").textContent = this.fsleyes(viewers);
  },

  // E: the command for the slice that is shown.
  copyHere() {
    const shown = this.shown();
    if (!shown || !shown.viewers) {
      QC.toast("The files of this result are not known.");
      return;
    }
    const section = !QC.byId("correct-section").hidden;
    const code = QC.byId(section ? "correct-fsleyes" : "viewer-commands").querySelector("code");
    QC.rail.copy(this.fsleyes(shown.viewers), code, "Copied the FSLeyes command of this slice");
  },

  // -- before and after -----------------------------------------------------------------------------

  // All runs of a case, oldest first.
  runs(entry) {
    return QC.entries.filter((other) => other.case === entry.case);
  },

  // The run before this one; of the first run, the one after it.
  pair(entry) {
    const runs = this.runs(entry);
    if (runs.length < 2) return null;
    const place = runs.indexOf(entry);
    return place > 0 ? [runs[place - 1], entry] : [entry, runs[1]];
  },

  drawRuns(entry) {
    const runs = this.runs(entry);
    QC.show(QC.byId("runs-section"), runs.length > 1);
    if (runs.length < 2) return;
    const buttons = runs.map((run, number) => {
      const button = QC.element("button", { class: "run", title: run.command_line },
        QC.element("b", { text: number + 1 }),
        QC.element("span", { text: QC.date(run.created) }),
        QC.element("em", { text: this.about(run) }));
      QC.press(button, run === entry);
      button.addEventListener("click", () => QC.table.select(run));
      return button;
    });
    const compare = QC.element("button", {
      id: "before-after", text: "Before and after", title: "What differs from the run before (P)",
    });
    compare.addEventListener("click", () => this.compare());
    QC.replace(
      QC.byId("runs"), ...buttons, compare,
      QC.element("p", { class: "hint", id: "runs-changed", hidden: true }),
      QC.element("div", { class: "jumps", id: "runs-slices" }),
    );
  },

  about(run) {
    const kinds = [...new Set(run.flags.map((flag) => flag.kind))];
    return kinds.length > 0 ? kinds.join(", ") : "no flags";
  },

  // P: the difference between this run and the one before it.
  compare() {
    const { entry } = QC.rail;
    const pair = entry && this.pair(entry);
    if (!pair) {
      QC.toast("This case was run once only.");
      return;
    }
    QC.settings.set("arrangement", "difference");
    QC.methods.ask(pair);
    QC.viewer.setView("methods");
    this.changes(entry, pair);
  },

  // Which slices changed, with links to them.
  async changes(entry, pair) {
    const details = await Promise.all(pair.map((run) => QC.load(run))).catch(() => null);
    if (!details) return;
    const volumes = await Promise.all(details.map((detail) => QC.voxels.load(detail))).catch(() => null);
    const words = QC.byId("runs-changed");
    if (!volumes || !words || QC.rail.entry !== entry) return;
    const parts = volumes.map((volume) => volume.layers[0]);
    const axis = details[0].measure_axis;
    const found = [];
    for (let index = 0; index < details[0].shape[axis]; index += 1) {
      const count = QC.voxels.overlap(...parts, axis, index);
      if (!count) return;
      if (count.a + count.b > 2 * count.both) found.push([index, QC.voxels.dice(count)]);
    }
    QC.show(words, true);
    if (found.length === 0) {
      words.textContent = "Nothing changed.";
      return;
    }
    const [worst, dice] = found.reduce((a, b) => (b[1] < a[1] ? b : a));
    words.textContent =
      `${found.length} slice${found.length > 1 ? "s" : ""} changed, most ${worst} (Dice ${dice.toFixed(2)}):`;
    const jump = ([from, to]) => {
      const button = QC.element("button", {
        class: "jump", text: from === to ? from : `${from}–${to}`, title: "Show this slice",
      });
      button.addEventListener("click", () => QC.viewer.goToIndex(from));
      return button;
    };
    QC.replace(QC.byId("runs-slices"), ...QC.ranges(found.map(([index]) => index)).slice(0, 12).map(jump));
    QC.viewer.goToIndex(worst);
  },
};
