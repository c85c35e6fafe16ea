// The sagittal picture beside axial slices: it follows the cord, shows where the current slice is
// and which slices are flagged; click or drag to jump.
"use strict";

QC.overview = {
  BORDER: 33,
  NARROWEST: 96,
  view: null,

  draw(detail, view, onJump) {
    const box = QC.byId("overview");
    this.view = view;
    this.marker = null;
    QC.show(box, view !== null);
    if (!view) {
      QC.replace(box);
      return;
    }
    const picture = QC.tiles.picture(detail, view, 0);
    this.picture = picture;
    for (const flag of detail.flags) {
      for (const [from, to] of QC.ranges(flag.slices)) {
        const rows = [this.row(from), this.row(to)].sort((a, b) => a - b);
        picture.append(
          QC.element("i", {
            class: "flag-tick",
            title: `${flag.kind}: ${flag.reason}`,
            style: {
              top: `${(rows[0] / view.size[0]) * 100}%`,
              height: `${((rows[1] + 1 - rows[0]) / view.size[0]) * 100}%`,
            },
          }),
        );
      }
    }
    this.marker = QC.element("i", { class: "marker" });
    const [, right, , left] = view.letters;
    picture.append(
      this.marker,
      QC.element("b", { class: "letter w", text: left }),
      QC.element("b", { class: "letter e", text: right }),
    );
    const jump = (event) => {
      const area = picture.getBoundingClientRect();
      onJump(QC.tiles.indexAt(view, 0, 0, (event.clientY - area.top) / area.height));
    };
    picture.addEventListener("pointerdown", (event) => {
      picture.setPointerCapture(event.pointerId);
      jump(event);
    });
    picture.addEventListener("pointermove", (event) => {
      if (picture.hasPointerCapture(event.pointerId)) jump(event);
    });
    QC.replace(box, picture);
  },

  // As tall as the stage, but not wider than a third of it. Returns the width that it takes.
  fit(room) {
    if (!this.view || getComputedStyle(QC.byId("overview")).display === "none") return 0;
    const [height, width] = QC.tiles.extent(this.view);
    const scale = Math.min((room.height - 44) / height, Math.max(room.width * 0.33, 120) / width);
    const picture = Math.max(Math.floor(width * scale), 24);
    const box = Math.max(picture + this.BORDER, this.NARROWEST);
    this.picture.style.width = `${picture}px`;
    QC.byId("overview").style.width = `${box}px`;
    return box;
  },

  // The row of a native slice index.
  row(index) {
    return (index - this.view.origins[0][0]) * this.view.steps[0];
  },

  place(index) {
    if (!this.marker || index === null) return;
    this.marker.style.top = `${((this.row(index) + 0.5) / this.view.size[0]) * 100}%`;
  },
};
