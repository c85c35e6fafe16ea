// A measure against slice, head to foot, with flagged slices; click or drag to jump. Where several
// results have it ("csa_mm2", and "csa_mm2:deepseg" of the layer deepseg), each has a curve.
"use strict";

QC.chart = {
  HEIGHT: 118,
  PAD: { left: 46, right: 14, top: 10, bottom: 22 },
  chosen: "",

  // The chart of an entry's axial view; hidden where there is nothing to show.
  draw(box, room, detail, view, onJump) {
    this.cursorLine = null;
    const values = detail.measures ? detail.measures.values : {};
    const names = Object.keys(values).filter((name) => (
      !name.includes(":") && values[name].some((v) => v !== null)
    ));
    const shown = view.plane === "axial" && names.length > 0 && view.indices.length > 1;
    QC.show(box, shown);
    if (!shown) return;
    if (!names.includes(this.chosen)) this.chosen = names[0];
    const name = this.chosen;

    const head = QC.element("div", { class: "chart-head" });
    if (names.length > 1) {
      const select = QC.element("select", { "aria-label": "Measure" });
      for (const each of names) {
        select.append(QC.element("option", { value: each, text: QC.measureName(each) }));
      }
      select.value = name;
      select.addEventListener("change", () => {
        this.chosen = select.value;
        this.draw(box, room, detail, view, onJump);
        this.cursor(this.current);
        QC.byId("chart").querySelector("select").focus();
      });
      head.append(select);
    } else {
      head.append(QC.element("span", { text: QC.measureName(name) }));
    }
    this.curves = this.curvesOf(detail, view, name);
    for (const curve of this.curves) {
      curve.readout = QC.element("output", { class: "readout", "aria-label": curve.name });
      if (this.curves.length === 1) head.append(curve.readout);
      else {
        head.append(QC.element("span", { class: "method-name" },
          QC.element("i", { style: { background: curve.colour } }),
          QC.element("span", { text: curve.name }), curve.readout));
      }
    }

    const width = Math.max(room, 240);
    const scale = this.scales(view, this.curves.flatMap((curve) => [...curve.byIndex]), width);
    this.scale = scale;
    const svg = QC.element("svg:svg", {
      viewBox: `0 0 ${width} ${this.HEIGHT}`,
      width,
      height: this.HEIGHT,
      role: "img",
      "aria-label": `${QC.measureName(name)} against slice`,
    });
    svg.append(...this.grid(scale, width, view));
    svg.append(...this.flagBands(detail, scale));
    for (const curve of [...this.curves].reverse()) {
      svg.append(QC.element("svg:path", {
        class: curve.colour ? "curve of-layer" : "curve", d: this.path(view, scale, curve.byIndex), style: { stroke: curve.colour },
      }));
    }
    this.cursorLine = QC.element("svg:line", {
      class: "cursor",
      y1: this.PAD.top,
      y2: this.HEIGHT - this.PAD.bottom,
    });
    svg.append(this.cursorLine);
    for (const curve of this.curves) {
      curve.dot = QC.element("svg:circle", { class: "cursor-dot", r: 3.5 });
      svg.append(curve.dot);
    }
    this.follow(svg, scale, onJump);
    QC.replace(box, head, svg);
  },

  // The measure of the first mask, and of the other layers that have it, in their colours.
  curvesOf(detail, view, name) {
    const { slices, values } = detail.measures;
    const points = (series) => new Map(
      slices.map((slice, i) => [slice, series[i]]).filter((point) => point[1] !== null),
    );
    const layers = view.layers.filter((layer) => layer.kind === "mask");
    const others = layers.slice(1).filter((layer) => Object.hasOwn(values, `${name}:${layer.name}`));
    const first = { name: layers.length > 0 ? layers[0].name : "", byIndex: points(values[name]) };
    if (others.length === 0) return [first];
    return [
      { ...first, colour: layers[0].colour },
      ...others.map((layer) => ({
        name: layer.name, colour: layer.colour, byIndex: points(values[`${name}:${layer.name}`]),
      })),
    ];
  },

  scales(view, points, width) {
    const { left, right, top, bottom } = this.PAD;
    const [first, last] = [view.indices[0], view.indices[view.indices.length - 1]];
    const largest = Math.max(...points.map((point) => point[1]), 1e-9);
    const smallest = Math.min(0, ...points.map((point) => point[1]));
    const ceiling = largest * 1.08;
    const inner = width - left - right;
    return {
      ceiling,
      smallest,
      left,
      right: left + inner,
      x: (index) => left + ((index - first) / (last - first)) * inner,
      index: (x) => first + ((x - left) / inner) * (last - first),
      y: (value) =>
        top + (1 - (value - smallest) / (ceiling - smallest)) * (this.HEIGHT - top - bottom),
    };
  },

  grid(scale, width, view) {
    const parts = [];
    const floor = this.HEIGHT - this.PAD.bottom;
    for (const value of this.ticks(scale.smallest, scale.ceiling, 3)) {
      const y = scale.y(value);
      parts.push(
        QC.element("svg:line", {
          class: "gridline", x1: this.PAD.left, x2: width - this.PAD.right, y1: y, y2: y,
        }),
        QC.element("svg:text", { class: "tick", x: this.PAD.left - 6, y: y + 3.5, "text-anchor": "end",
          text: Number(value.toPrecision(4)) }),
      );
    }
    const [first, last] = [view.indices[0], view.indices[view.indices.length - 1]];
    const [low, high] = [Math.min(first, last), Math.max(first, last)];
    for (const value of this.ticks(low, high, Math.max(2, Math.floor(width / 110)))) {
      if (!Number.isInteger(value)) continue;
      parts.push(
        QC.element("svg:text", { class: "tick", x: scale.x(value), y: floor + 15,
          "text-anchor": "middle", text: value }),
      );
    }
    return parts;
  },

  ticks(low, high, wanted) {
    const raw = (high - low) / wanted || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
    const result = [];
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
      result.push(Math.round(value / step) * step);
    }
    return result;
  },

  flagBands(detail, scale) {
    const top = this.PAD.top;
    const height = this.HEIGHT - this.PAD.bottom - top;
    const half = Math.max(Math.abs(scale.x(1) - scale.x(0)) / 2, 1.2);
    const within = (x) => Math.max(scale.left, Math.min(scale.right, x));
    return detail.flags.flatMap((flag) =>
      QC.ranges(flag.slices).map(([from, to]) => {
        const [a, b] = [scale.x(from), scale.x(to)].sort((p, q) => p - q);
        const [start, end] = [within(a - half), within(b + half)]; // not over the numbers beside
        return QC.element(
          "svg:rect",
          { class: "band", x: start, y: top, width: end - start, height },
          QC.element("svg:title", { text: `${flag.kind}: ${flag.reason}` }),
        );
      }),
    );
  },

  // Breaks where a slice has no value.
  path(view, scale, byIndex) {
    let pen = "M";
    let path = "";
    for (const index of view.indices) {
      const value = byIndex.get(index);
      if (value === undefined) {
        pen = "M";
        continue;
      }
      path += `${pen}${scale.x(index).toFixed(1)} ${scale.y(value).toFixed(1)}`;
      pen = "L";
    }
    return path;
  },

  follow(svg, scale, onJump) {
    const jump = (event) => {
      const box = svg.getBoundingClientRect();
      onJump(scale.index(event.clientX - box.left));
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      jump(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (svg.hasPointerCapture(event.pointerId)) jump(event);
    });
  },

  cursor(index) {
    this.current = index;
    if (!this.cursorLine || index === null || index === undefined) return;
    const x = this.scale.x(index);
    this.cursorLine.setAttribute("x1", x);
    this.cursorLine.setAttribute("x2", x);
    for (const { byIndex, dot, readout } of this.curves) {
      const value = byIndex.get(index);
      dot.setAttribute("visibility", value === undefined ? "hidden" : "visible");
      if (value !== undefined) {
        dot.setAttribute("cx", x);
        dot.setAttribute("cy", this.scale.y(value));
      }
      readout.textContent = value === undefined ? "–" : QC.number(value);
    }
  },
};
