// The curves of all subjects, drawn on a canvas (there may be a thousand), words around it in HTML.
"use strict";

QC.curves = {
  PAD: { left: 52, right: 16, top: 12, bottom: 26 },
  HEIGHT: 250,
  lit: null,

  start(onPoint, onOpen) {
    this.onPoint = onPoint;
    this.onOpen = onOpen;
    const canvas = QC.byId("cohort-canvas");
    canvas.addEventListener("pointermove", (event) => {
      const found = this.nearest(event);
      canvas.style.cursor = found ? "pointer" : "default";
      if (found !== this.lit) {
        this.light(found);
        this.onPoint(found);
      }
    });
    canvas.addEventListener("pointerleave", () => {
      this.light(null);
      this.onPoint(null);
    });
    canvas.addEventListener("click", (event) => {
      const found = this.nearest(event);
      if (found) this.onOpen(found);
    });
    new ResizeObserver(() => this.cohort && QC.app.mode === "cohort" && this.paint()).observe(canvas.parentElement);
  },

  draw(cohort) {
    this.cohort = cohort;
    this.lit = null;
    this.paint();
  },

  light(curve) {
    if (this.lit === curve) return;
    this.lit = curve;
    QC.byId("cohort-lit").textContent = curve
      ? [curve.entry.subject, curve.outlier].filter(Boolean).join(": ") : "";
    this.paint();
  },

  scales(width, height) {
    const { left, right, top, bottom } = this.PAD;
    const points = this.cohort.curves.flatMap((curve) => curve.points.filter(([, value]) => value !== null));
    const xs = points.map(([x]) => x);
    const [low, high] = [xs, xs].map((all, i) => all.reduce((a, b) => (i ? Math.max(a, b) : Math.min(a, b)), all[0]));
    const top1 = points.map(([, y]) => y).sort((a, b) => a - b);
    // one leak must not flatten all others: the highest curve may leave the chart
    const most = Math.min(top1[top1.length - 1], 1.8 * top1[Math.floor(top1.length * 0.98)]) * 1.08 || 1;
    const span = high - low || 1;
    return {
      low, high, most,
      x: (value) => left + ((value - low) / span) * (width - left - right),
      y: (value) => top + (1 - value / most) * (height - top - bottom),
    };
  },

  paint() {
    const { cohort } = this;
    const canvas = QC.byId("cohort-canvas");
    if (!cohort || cohort.curves.length === 0) return;
    const width = canvas.parentElement.clientWidth;
    const height = this.HEIGHT;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const scale = this.scales(width, height);
    this.scale = scale;
    this.grid(context, scale, width, height, colour);
    context.save();
    context.beginPath();
    context.rect(this.PAD.left, 0, width - this.PAD.left - this.PAD.right, height - this.PAD.bottom);
    context.clip();
    this.band(context, scale, colour);
    const faint = Math.max(0.16, Math.min(0.65, 9 / cohort.curves.length));
    for (const curve of cohort.curves) {
      if (!curve.outlier) this.line(context, scale, curve.points, colour("soft"), 1.1, faint);
    }
    this.line(context, scale, cohort.band.map((each) => [each.x, each.median]), colour("text"), 2, 0.9);
    for (const curve of cohort.curves) {
      if (curve.outlier) this.line(context, scale, curve.points, colour("artifact"), 1.8, 0.95);
    }
    if (this.lit) this.line(context, scale, this.lit.points, colour("accent"), 3, 1);
    context.restore();
  },

  // Where nine in ten lie, were they normal: two robust standard deviations on either side.
  band(context, scale, colour) {
    const { band } = this.cohort;
    if (band.length < 2) return;
    context.globalAlpha = 0.13;
    context.fillStyle = colour("accent");
    context.beginPath();
    for (const each of band) context.lineTo(scale.x(each.x), scale.y(each.median + 2 * each.sd));
    for (const each of [...band].reverse()) context.lineTo(scale.x(each.x), scale.y(Math.max(0, each.median - 2 * each.sd)));
    context.fill();
    context.globalAlpha = 1;
  },

  line(context, scale, points, colour, width, opacity) {
    context.globalAlpha = opacity;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.beginPath();
    let down = false;
    for (const [x, value] of points) {
      if (value === null) down = false;
      else if (down) context.lineTo(scale.x(x), scale.y(value));
      else {
        context.moveTo(scale.x(x), scale.y(value));
        down = true;
      }
    }
    context.stroke();
    context.globalAlpha = 1;
  },

  grid(context, scale, width, height, colour) {
    const floor = height - this.PAD.bottom;
    context.font = "11.5px system-ui, sans-serif";
    context.fillStyle = colour("soft");
    context.strokeStyle = colour("line");
    context.lineWidth = 1;
    context.textAlign = "right";
    for (const value of QC.chart.ticks(0, scale.most, 4)) {
      const y = Math.round(scale.y(value)) + 0.5;
      context.beginPath();
      context.moveTo(this.PAD.left, y);
      context.lineTo(width - this.PAD.right, y);
      context.stroke();
      context.fillText(String(Number(value.toPrecision(4))), this.PAD.left - 7, y + 4);
    }
    context.textAlign = "center";
    if (this.cohort.by === "level") {
      for (let level = Math.ceil(scale.low); level <= scale.high; level += 1) {
        const x = Math.round(scale.x(level)) + 0.5;
        context.beginPath();
        context.moveTo(x, floor);
        context.lineTo(x, floor + 4);
        context.stroke();
        if (level + 0.5 <= scale.high) context.fillText(QC.levelName(level), scale.x(level + 0.5), floor + 17);
      }
      return;
    }
    for (const value of QC.chart.ticks(scale.low, scale.high, Math.max(2, Math.floor(width / 120)))) {
      context.fillText(String(Number(value.toPrecision(4))), scale.x(value), floor + 17);
    }
  },

  // The curve nearest to the pointer, if any is near.
  nearest(event) {
    if (!this.scale) return null;
    const box = QC.byId("cohort-canvas").getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    let least = 14;
    for (const curve of this.cohort.curves) {
      let before = null;
      for (const [at, value] of curve.points) {
        const point = value === null ? null : [this.scale.x(at), this.scale.y(value)];
        if (before && point && x >= Math.min(before[0], point[0]) && x <= Math.max(before[0], point[0])) {
          const share = point[0] === before[0] ? 0 : (x - before[0]) / (point[0] - before[0]);
          const distance = Math.abs(before[1] + share * (point[1] - before[1]) - y);
          if (distance < least) [best, least] = [curve, distance];
        }
        before = point;
      }
    }
    return best;
  },

  // A subject's own curve before everyone's median, small, for its row.
  small(cohort, curve) {
    const [width, height] = [190, 64];
    const scale = this.scale;
    const span = scale.high - scale.low || 1;
    const x = (value) => ((value - scale.low) / span) * width;
    const y = (value) => Math.max(1, (1 - value / scale.most) * (height - 2) + 1);
    const path = (points) => {
      let down = false;
      return points
        .map(([at, value]) => {
          if (value === null) {
            down = false;
            return "";
          }
          const step = `${down ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
          down = true;
          return step;
        })
        .join("");
    };
    return QC.element(
      "svg:svg",
      { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
      QC.element("svg:path", { class: "small-median", d: path(cohort.band.map((each) => [each.x, each.median])) }),
      QC.element("svg:path", { class: curve.outlier ? "small-curve odd" : "small-curve", d: path(curve.points) }),
    );
  },
};

// 3 → C3, 8 → T1, 20 → L1
QC.levelName = (level) => {
  if (level < 1) return "skull";
  if (level <= 7) return `C${level}`;
  if (level <= 19) return `T${level - 7}`;
  return level <= 24 ? `L${level - 19}` : `S${level - 24}`;
};
