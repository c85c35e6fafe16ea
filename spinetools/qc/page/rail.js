// The right side: verdict, score and note, flags with their reasons, and what was run.
"use strict";

QC.rail = {
  entry: null,

  start() {
    for (const button of QC.byId("verdicts").children) {
      button.addEventListener("click", () => {
        const { verdict } = button.dataset;
        const now = QC.ratings.get(this.entry.case).verdict;
        QC.ratings.set(this.entry, { verdict: now === verdict ? "" : verdict });
      });
    }
    for (let score = 0; score <= 9; score += 1) {
      const button = QC.element("button", { text: score, data: { score } });
      button.addEventListener("click", () => this.score(score));
      QC.byId("scores").append(button);
    }
    const note = QC.byId("note");
    note.addEventListener("input", () => {
      QC.ratings.set(this.entry, { note: note.value });
    });
    for (const button of QC.byId("slice-verdicts").children) {
      button.addEventListener("click", () => {
        const { verdict } = button.dataset;
        const now = QC.ratings.slice(this.entry.case, this.slice).verdict;
        QC.ratings.setSlice(this.entry, this.slice, { verdict: now === verdict ? "" : verdict });
      });
    }
    const sliceNote = QC.byId("slice-note");
    sliceNote.addEventListener("input", () => {
      QC.ratings.setSlice(this.entry, this.slice, { note: sliceNote.value });
    });
    QC.ratings.listeners.push((key) => {
      if (!this.entry || this.entry.case !== key) return;
      this.drawRating();
      this.drawSlice();
      QC.mosaic.rate(this.entry);
    });
  },

  // What was said about the slice that is shown, and links to the others that were spoken of.
  drawSlice() {
    if (!this.entry || !QC.viewer.view) return;
    QC.correct.draw();
    const index = QC.viewer.index();
    const one = QC.viewer.mode() !== "mosaic" || document.activeElement === QC.byId("slice-note");
    const said = QC.ratings.saidSlices(this.entry.case);
    QC.show(QC.byId("slice-section"), index !== null && (one || said.length > 0));
    if (index === null) return;
    this.slice = index;
    const rating = QC.ratings.slice(this.entry.case, index);
    QC.byId("slice-name").textContent = `Slice ${QC.viewer.axis()} = ${index}`;
    for (const button of QC.byId("slice-verdicts").children) {
      QC.press(button, button.dataset.verdict === rating.verdict);
    }
    const note = QC.byId("slice-note");
    if (note.value !== rating.note) note.value = rating.note;
    QC.replace(
      QC.byId("slices-said"),
      ...said.map(([slice, each]) => {
        const button = QC.element("button", {
          class: `jump said ${each.verdict}`,
          text: slice,
          title: [each.verdict, each.note].filter(Boolean).join(": "),
        });
        button.addEventListener("click", () => QC.viewer.goToIndex(slice));
        return button;
      }),
    );
  },

  nextSliceVerdict() {
    if (QC.viewer.index() === null) return;
    this.drawSlice();
    QC.ratings.nextSliceVerdict(this.entry, QC.viewer.index());
  },

  noteSlice() {
    if (QC.viewer.index() === null) return;
    QC.show(QC.byId("slice-section"), true);
    QC.byId("slice-note").focus();
    this.drawSlice();
  },

  // The same score again takes it back.
  score(score) {
    const now = QC.ratings.get(this.entry.case).score;
    QC.ratings.set(this.entry, { score: now === score ? null : score });
  },

  open(entry) {
    this.entry = entry;
    QC.show(QC.byId("rail"), true);
    this.drawRating();
    this.drawFlags();
    this.drawDetails();
    QC.correct.drawRuns(entry);
    QC.correct.draw();
  },

  drawRating() {
    const rating = QC.ratings.get(this.entry.case);
    for (const button of QC.byId("verdicts").children) {
      QC.press(button, button.dataset.verdict === rating.verdict);
    }
    for (const button of QC.byId("scores").children) {
      QC.press(button, Number(button.dataset.score) === rating.score);
    }
    const note = QC.byId("note");
    if (note.value !== rating.note) note.value = rating.note;
    const hint = QC.byId("rating-hint");
    const foreign = rating.updated !== "" && rating.entry !== this.entry.id;
    QC.show(hint, foreign);
    if (foreign) hint.textContent = `Rated on another run of this case, ${QC.date(rating.updated)}.`;
  },

  drawFlags() {
    const { flags } = this.entry;
    QC.show(QC.byId("flags-section"), flags.length > 0);
    QC.replace(
      QC.byId("flags"),
      ...flags.map((flag) => {
        const runs = QC.ranges(flag.slices);
        const links = runs.slice(0, 12).map(([from, to]) => {
          const button = QC.element("button", {
            class: "jump",
            text: from === to ? from : `${from}–${to}`,
            title: "Show this slice",
          });
          button.addEventListener("click", () => {
            if (QC.viewer.view && QC.viewer.view.plane === "axial") {
              QC.viewer.goToIndex(from);
              if (QC.viewer.mode() !== "methods") QC.viewer.setView("slice");
            }
          });
          return button;
        });
        if (runs.length > 12) links.push(QC.element("span", { text: `and ${runs.length - 12} more` }));
        return QC.element(
          "div",
          { class: "flag-item" },
          QC.element("span", { class: "flag", text: flag.kind }),
          QC.element("p", { text: flag.reason }),
          links.length > 0 ? QC.element("div", { class: "jumps" }, ...links) : null,
        );
      }),
    );
  },

  drawDetails() {
    const { entry } = this;
    const rows = [
      ["Command", this.command(() => entry.command_line, "Copy the command line")],
      ["Open in a viewer", this.viewerBox()],
      ["Input", QC.element("span", { text: entry.input || "–" })],
      ["Made", QC.element("span", { text: `${QC.date(entry.created)}, spinetools ${entry.version}` })],
      ["Orientation", QC.element("span", { text: QC.orientation(entry.nib_codes) })],
      ["Grid", QC.element("span", { id: "grid", text: "" })],
    ];
    QC.replace(
      QC.byId("details"),
      ...rows.flatMap(([name, content]) => [
        QC.element("dt", { text: name }),
        QC.element("dd", {}, content),
      ]),
    );
    QC.load(entry).then(
      (detail) => {
        if (this.entry !== entry) return;
        const spacing = detail.spacing_mm.map((mm) => Number(mm.toPrecision(3))).join(" × ");
        QC.byId("grid").textContent = `${detail.shape.join(" × ")} voxels of ${spacing} mm`;
        QC.correct.draw();
      },
      () => {},
    );
  },

  // A command line with a button that copies it.
  command(text, title) {
    const code = QC.element("code", { text: text() });
    const copy = QC.element("button", { class: "copy", text: "Copy", title });
    copy.addEventListener("click", () => this.copy(code.textContent, code));
    return QC.element("div", { class: "command" }, code, copy);
  },

  viewerBox() {
    return QC.element("div", { id: "viewer-commands" });
  },

  async copy(text, node, said = "Copied") {
    try {
      await navigator.clipboard.writeText(text);
      QC.toast(said);
    } catch {
      // not allowed here: select it, so that the browser's own copy works
      const range = document.createRange();
      range.selectNodeContents(node);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
  },
};
