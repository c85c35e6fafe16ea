// The 3D view: NiiVue (niivue-….js, loaded when first asked for) on the small volume of an entry.
"use strict";

QC.space = {
  LIBRARY: "page/niivue-0.69.0.js",
  detail: null,

  start() {
    for (const name of ["all", "render", "slices"]) {
      QC.byId(`space-${name}`).addEventListener("click", () => this.setLayout(name));
    }
    for (const name of ["front", "back", "right", "left"]) {
      QC.byId(`space-${name}`).addEventListener("click", () => this.look(name));
    }
  },

  say(text) {
    const box = QC.byId("space-message");
    box.textContent = text;
    QC.show(box, text !== "");
  },

  async open(detail) {
    if (!detail || this.detail === detail) return;
    this.detail = detail;
    this.say("Loading…");
    try {
      const volume = await QC.voxels.load(detail);
      if (!window.niivue) await QC.script(this.LIBRARY);
      if (this.detail !== detail) return;
      await this.draw(detail, volume);
      if (this.detail === detail) this.say("");
    } catch (error) {
      if (this.detail !== detail) return;
      this.detail = null;
      this.say(`No 3D view: ${error.message}`);
    }
  },

  // Another view is shown: the next entry is loaded when this one is asked for again.
  rest() {
    if (QC.viewer.detail !== this.detail) this.detail = null;
  },

  async draw(detail, volume) {
    const { niivue } = window;
    if (!this.viewer) {
      const canvas = QC.byId("space-canvas");
      if (!canvas.getContext("webgl2")) throw new Error("this browser has no WebGL 2");
      this.viewer = new niivue.Niivue({
        backColor: [0.027, 0.035, 0.047, 1],
        crosshairColor: [0.42, 0.7, 1, 1],
        crosshairWidth: 0.6,
        show3Dcrosshair: false,
        isColorbar: false,
        dragAndDropEnabled: false,
        logLevel: "silent",
        isRadiologicalConvention: true,
        sagittalNoseLeft: true,
        multiplanarShowRender: niivue.SHOW_RENDER.ALWAYS,
        multiplanarLayout: niivue.MULTIPLANAR_TYPE.ROW,
        tileMargin: 4,
        meshThicknessOn2D: 0,
        isResizeCanvas: false,
      });
      await this.viewer.attachToCanvas(canvas, false);
    }
    this.affine = volume.affine;
    const [a, b, c, , d, e, f, , g, h, i] = volume.affine;
    this.mirrored = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0;
    const images = [await this.image(volume.image, "image.nii", { colormap: "gray" })];
    for (const [number, layer] of volume.layers.entries()) {
      const image = await this.image(layer, `layer-${number}.nii`, { opacity: 0.9 });
      image.setColormapLabel(this.colours(detail, layer));
      images.push(image);
    }
    this.layout = this.layout || "render";
    this.quietly((viewer) => {
      for (const each of [...viewer.volumes]) viewer.removeVolume(each);
      for (const each of [...viewer.meshes]) viewer.removeMesh(each);
      for (const image of images) viewer.addVolume(image);
      this.surfaces(detail, volume);
      // cut open from the patient's right, so that the cord is seen in its place
      viewer.setClipPlane([0, 270, 0]);
      viewer.setClipPlaneColor([0, 0, 0, 0]);
      viewer.setRenderAzimuthElevation(this.SIDES.right, this.ELEVATION);
      viewer.setScale(this.scaleOf(volume.image));
      this.show();
    });
    this.setLayout(this.layout);
    this.place(QC.viewer.index());
  },

  // The library draws anew after every change, which takes seconds without a graphics card: here
  // many changes are drawn once.
  quietly(work) {
    const { viewer } = this;
    if (this.quiet) {
      work(viewer);
      return;
    }
    this.quiet = true;
    viewer.updateGLVolume = viewer.drawScene = () => {};
    try {
      work(viewer);
    } finally {
      delete viewer.updateGLVolume;
      delete viewer.drawScene;
      this.quiet = false;
    }
    viewer.updateGLVolume();
  },

  // The crosshair goes where the slice is, onto the cord.
  place(index) {
    if (!this.viewer || !this.affine || index === null || this.detail !== QC.viewer.detail) return;
    const { detail } = this;
    const [view] = detail.views;
    const tile = QC.tiles.nearest(view, index);
    const voxel = QC.tiles.voxelAt(view, tile, 0.5, 0.5);
    const { affine } = this;
    const mm = [0, 1, 2].map((row) =>
      affine[4 * row + 3] + voxel.reduce((sum, value, axis) => sum + affine[4 * row + axis] * value, 0));
    this.viewer.scene.crosshairPos = this.viewer.mm2frac(mm);
    this.viewer.drawScene();
  },

  // A surface for each label.
  surfaces(detail, volume) {
    const { viewer } = this;
    this.meshes = [];
    this.names = volume.layers.map((layer) => layer.name);
    for (const layer of volume.layers) {
      for (const [value, box] of QC.surface.boxes(layer)) {
        const { vertices, triangles } = QC.surface.of(layer, value, box);
        if (triangles.length === 0) continue;
        const label = layer.values ? layer.values[value - 1] : null;
        const mark = detail.marks.find((each) => each.layer === layer.name && each.value === label);
        const colour = (mark && mark.colour) || layer.colour || "#ffffff";
        const rgba = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).concat(255);
        const place = this.affineOf(layer);
        for (let v = 0; v < vertices.length; v += 3) {
          const [x, y, z] = vertices.subarray(v, v + 3);
          place.forEach((row, axis) => {
            vertices[v + axis] = row[0] * x + row[1] * y + row[2] * z + row[3];
          });
        }
        // a mirrored grid turns surfaces inside out
        if (this.mirrored) triangles.reverse();
        // what lies inside of a canal is seen through it
        const opacity = /canal|csf/i.test(layer.name) && volume.layers.length > 1 ? 0.3 : 1;
        const mesh = new window.niivue.NVMesh(
          vertices, triangles, mark ? mark.name : layer.name, new Uint8Array(rgba), opacity, true, viewer.gl,
        );
        this.meshes.push([layer.name, mesh]);
      }
    }
    this.meshes.sort((one, other) => other[1].opacity - one[1].opacity);
    for (const [, mesh] of this.meshes) {
      viewer.addMesh(mesh);
      viewer.setMeshShader(mesh.id, "Diffuse");
    }
  },

  // As the overlays' names above the picture say.
  show() {
    if (!this.viewer || !this.names) return;
    const shown = (name) => QC.viewer.overlay !== Boolean(QC.viewer.peek) && !QC.viewer.hidden.has(name);
    this.quietly((viewer) => {
      for (const [name, mesh] of this.meshes) mesh.visible = shown(name);
      this.names.forEach((name, i) => {
        const opacity = this.layout === "render" || !shown(name) ? 0 : 0.75;
        if (viewer.volumes[i + 1]) viewer.setOpacity(i + 1, opacity);
      });
    });
  },

  meshes: [],

  // From voxels of a part to mm: the block's first voxel, or the middle of the first block.
  affineOf(part) {
    const start = [0, 1, 2].map((axis) => part.origin[axis] + (part.step[axis] - 1) / 2);
    return [0, 1, 2].map((r) => {
      const row = this.affine.slice(4 * r, 4 * r + 4);
      return [
        ...[0, 1, 2].map((axis) => row[axis] * part.step[axis]),
        row[3] + row[0] * start[0] + row[1] * start[1] + row[2] * start[2],
      ];
    });
  },

  // A label map of NiiVue: red, green, blue and opacity by value.
  colours(detail, layer) {
    const map = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: [""] };
    const values = layer.values || [0];
    values.forEach((value, i) => {
      const mark = detail.marks.find((each) => each.layer === layer.name && each.value === value);
      const colour = mark ? mark.colour : layer.colour || "#ffffff";
      ["R", "G", "B"].forEach((key, at) => {
        map[key].push(parseInt(colour.slice(1 + 2 * at, 3 + 2 * at), 16) || 0);
      });
      map.A.push(255);
      map.I.push(i + 1);
      map.labels.push(mark ? mark.name : layer.name);
    });
    return map;
  },

  // A NIfTI file in memory: the library reads nothing else without the network.
  image(part, name, options) {
    const header = new ArrayBuffer(352);
    const view = new DataView(header);
    const put = (offset, values, write) => values.forEach((value, i) => write(offset, i, value));
    const short = (offset, i, value) => view.setInt16(offset + 2 * i, value, true);
    const float = (offset, i, value) => view.setFloat32(offset + 4 * i, value, true);
    view.setInt32(0, 348, true);
    put(40, [3, ...part.shape, 1, 1, 1, 1], short);
    put(70, [2, 8], short); // unsigned bytes
    const sform = this.affineOf(part);
    const size = [0, 1, 2].map((axis) => Math.hypot(...sform.map((row) => row[axis])));
    put(76, [1, ...size, 1, 1, 1, 1], float);
    put(108, [352, 1, 0], float);
    view.setInt8(123, 2); // mm
    put(252, [0, 1], short);
    put(280, sform.flat(), float);
    put(344, [0x6e, 0x2b, 0x31, 0], (offset, i, value) => view.setUint8(offset + i, value));
    const bytes = new Uint8Array(352 + part.data.length);
    bytes.set(new Uint8Array(header));
    bytes.set(part.data, 352);
    const { NVImage } = window.niivue;
    return NVImage.new(bytes.buffer, name, options.colormap || "gray", options.opacity ?? 1);
  },

  // -- how it is looked at ----------------------------------------------------------------------------

  LAYOUTS: { all: "sliceTypeMultiplanar", render: "sliceTypeRender", slices: "sliceTypeSagittal" },

  setLayout(name) {
    this.layout = name;
    for (const each of Object.keys(this.LAYOUTS)) QC.press(QC.byId(`space-${each}`), each === name);
    if (!this.viewer) return;
    // in the volume surfaces stand for labels
    this.quietly((viewer) => {
      viewer.setSliceType(viewer[this.LAYOUTS[name]]);
      this.show();
    });
    this.fit();
  },

  // The library shows 80 % of the volume's half diagonal above and below its middle: less than a
  // long spine is high.
  scaleOf(part) {
    const extent = this.affineOf(part).map((row) =>
      [0, 1, 2].reduce((sum, axis) => sum + Math.abs(row[axis]) * part.shape[axis], 0));
    const tilt = (this.ELEVATION * Math.PI) / 180;
    const high = extent[2] * Math.cos(tilt) + Math.max(extent[0], extent[1]) * Math.sin(tilt);
    return Math.min(1, (0.8 * Math.hypot(...extent)) / (1.04 * high));
  },

  ELEVATION: 8,
  SIDES: { front: 180, back: 0, right: 90, left: 270 },

  look(name) {
    if (!this.viewer) return;
    this.viewer.setRenderAzimuthElevation(this.SIDES[name], this.ELEVATION);
  },

  // As large as its box, in the screen's own pixels.
  fit() {
    const canvas = QC.byId("space-canvas");
    if (!this.viewer || canvas.clientWidth === 0) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    this.viewer.uiData.dpr = ratio;
    this.viewer.resizeListener();
  },
};
