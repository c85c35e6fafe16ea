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
    QC.ratings.listeners.push((key) => {
      if (this.entry && this.entry.case === key) this.drawRating();
    });
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
              QC.viewer.setView("slice");
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
    const command = QC.element("code", { text: entry.command_line });
    const copy = QC.element("button", { class: "copy", text: "Copy", title: "Copy the command line" });
    copy.addEventListener("click", () => this.copy(entry.command_line, command));
    const rows = [
      ["Command", QC.element("div", { class: "command" }, command, copy)],
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
      },
      () => {},
    );
  },

  async copy(text, node) {
    try {
      await navigator.clipboard.writeText(text);
      QC.toast("Copied");
    } catch {
      // not allowed here: select it, so that the browser's own copy works
      const range = document.createRange();
      range.selectNodeContents(node);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
  },
};
