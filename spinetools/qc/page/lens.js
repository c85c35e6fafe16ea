// How a picture is looked at: window and level (all pictures), zoom and place (one slice).
// The page may not read pixels, so a filter of the browser changes their brightness.
"use strict";

QC.lens = {
  window: 1, // share of all shades that is spread from black to white
  level: 0.5, // the shade in its middle
  zoom: 1,
  x: 0.5, // the point of the picture in the middle, as shares of its width and height
  y: 0.5,
  LARGEST: 8,

  start(frame, { onChange, onWindow }) {
    this.onChange = onChange;
    this.onWindow = onWindow;
    this.frame = frame;
    frame.addEventListener("pointerdown", (event) => this.down(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      frame.addEventListener(name, (event) => this.up(event));
    }
    frame.addEventListener("dblclick", (event) => {
      this.zoomTo(this.zoom > 1 ? 1 : 2.5, ...this.point(event));
    });
    // the middle button scrolls by itself otherwise
    frame.addEventListener("mousedown", (event) => {
      if (event.button === 1) event.preventDefault();
    });
  },

  fingers: new Map(),
  drag: null,

  down(event) {
    if (event.ctrlKey || event.metaKey || event.button === 2) return;
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    this.frame.setPointerCapture(event.pointerId);
    const pan = event.shiftKey || event.button === 1;
    this.drag = { pan, x: event.clientX, y: event.clientY, moved: false };
    this.spread = null;
  },

  move(event) {
    if (!this.fingers.has(event.pointerId)) return;
    const [fromX, fromY] = this.fingers.get(event.pointerId);
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    const [dx, dy] = [event.clientX - fromX, event.clientY - fromY];
    if (this.fingers.size === 2) {
      const [[ax, ay], [bx, by]] = [...this.fingers.values()];
      const spread = Math.hypot(ax - bx, ay - by);
      if (this.spread) this.zoomTo((this.zoom * spread) / this.spread);
      this.spread = spread;
      this.pan(-dx / 2, -dy / 2);
      return;
    }
    if (!this.drag) return;
    const far = Math.hypot(event.clientX - this.drag.x, event.clientY - this.drag.y);
    if (!this.drag.moved && far < 3) return;
    this.drag.moved = true;
    if (this.drag.pan) this.pan(-dx, -dy);
    else this.adjust(dx / 300, -dy / 300);
  },

  up(event) {
    this.fingers.delete(event.pointerId);
    this.spread = null;
    if (this.fingers.size === 0) this.drag = null;
  },

  // -- window and level: to the right for more contrast, up for brighter ---------------------------

  adjust(contrast, brightness) {
    this.window = Math.min(3, Math.max(0.04, this.window * Math.exp(-contrast * 1.6)));
    this.level = Math.min(1.5, Math.max(-0.5, this.level - brightness));
    this.applyWindow();
  },

  applyWindow() {
    const changed = this.window !== 1 || this.level !== 0.5;
    const slope = 1 / this.window;
    const intercept = 0.5 - this.level / this.window;
    for (const node of document.querySelectorAll("#window [data-shade]")) {
      node.setAttribute("slope", slope.toFixed(4));
      node.setAttribute("intercept", intercept.toFixed(4));
    }
    document.body.classList.toggle("windowed", changed);
    this.onWindow();
  },

  // -- zoom and place -----------------------------------------------------------------------------

  // Where in the picture an event is, as shares of it.
  point(event) {
    const box = this.frame.getBoundingClientRect();
    return [
      this.x + ((event.clientX - box.left) / box.width - 0.5) / this.zoom,
      this.y + ((event.clientY - box.top) / box.height - 0.5) / this.zoom,
    ];
  },

  // The point stays where it is on the screen.
  zoomTo(zoom, x = this.x, y = this.y) {
    const next = Math.min(this.LARGEST, Math.max(1, zoom));
    const share = this.zoom / next;
    this.x = x + (this.x - x) * share;
    this.y = y + (this.y - y) * share;
    this.zoom = next;
    this.hold();
  },

  pan(dx, dy) {
    this.x += dx / this.frame.clientWidth / this.zoom;
    this.y += dy / this.frame.clientHeight / this.zoom;
    this.hold();
  },

  hold() {
    const half = 0.5 / this.zoom;
    this.x = Math.min(1 - half, Math.max(half, this.x));
    this.y = Math.min(1 - half, Math.max(half, this.y));
    this.onChange();
  },

  // Left and top edge of the picture, in shares of the frame.
  place() {
    return [0.5 - this.x * this.zoom, 0.5 - this.y * this.zoom];
  },

  changed() {
    return this.zoom !== 1 || this.window !== 1 || this.level !== 0.5;
  },

  reset() {
    [this.window, this.level, this.zoom, this.x, this.y] = [1, 0.5, 1, 0.5, 0.5];
    this.applyWindow();
    this.onChange();
  },
};
