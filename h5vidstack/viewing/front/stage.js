// The picture of a frame: which tiles of it are visible, and where they are drawn.

const GREATEST_ZOOM = 64; // pixels of the screen for a pixel of the frame
const MOST_CANVASES = 64;
const MARGIN = 12; // around a frame that is shown whole, in CSS pixels

export class Stage {
  constructor(canvas, stack, store, contrast) {
    Object.assign(this, { canvas, stack, store, contrast });
    this.context = canvas.getContext("2d");
    this.shaded = new Map();
    this.fitted = true;
    this.zoom = 1; // pixels of the screen (not of CSS) for one of the frame
    this.centre = [stack.width / 2, stack.height / 2];
    this.known = new Map();
  }

  /** Takes its place on the page: a width and height in CSS pixels. */
  resize(width, height) {
    this.density = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(width * this.density));
    this.canvas.height = Math.max(1, Math.round(height * this.density));
    if (this.fitted) this.fit();
  }

  get fitting() {
    const { width, height } = this.stack;
    const margin = 2 * MARGIN * this.density;
    const most = Math.min((this.canvas.width - margin) / width, (this.canvas.height - margin) / height, GREATEST_ZOOM);
    const whole = Math.floor(most); // pixels are squares of one size, where that leaves little room
    return Math.max(1 / 4096, whole / most > 0.75 ? whole : most);
  }

  /** Shows the whole frame, as large as there is room. */
  fit() {
    this.fitted = true;
    this.zoom = this.fitting;
    this.centre = [this.stack.width / 2, this.stack.height / 2];
  }

  /** Makes the picture larger, by a factor; a place of the stage, in CSS pixels, stays where it is. */
  zoomBy(factor, x = this.canvas.width / this.density / 2, y = this.canvas.height / this.density / 2) {
    this.zoomTo(this.zoom * factor, x, y);
  }

  zoomTo(wanted, x = this.canvas.width / this.density / 2, y = this.canvas.height / this.density / 2) {
    const zoom = Math.max(Math.min(this.fitting / 2, 1), Math.min(GREATEST_ZOOM, wanted));
    const away = [x * this.density - this.canvas.width / 2, y * this.density - this.canvas.height / 2];
    this.centre = this.centre.map((at, i) => at + away[i] / this.zoom - away[i] / zoom);
    this.zoom = zoom;
    this.fitted = false;
    this.clamp();
  }

  /** Moves the picture, by CSS pixels. */
  panBy(x, y) {
    this.centre = [this.centre[0] - (x * this.density) / this.zoom, this.centre[1] - (y * this.density) / this.zoom];
    this.fitted = false;
    this.clamp();
  }

  clamp() {
    const edges = [this.stack.width, this.stack.height];
    this.centre = this.centre.map((at, i) => Math.max(0, Math.min(edges[i], at)));
  }

  /** Where the frame's first pixel begins on the canvas. */
  get origin() {
    return [this.canvas.width, this.canvas.height].map((edge, i) => Math.round(edge / 2 - this.centre[i] * this.zoom));
  }

  /** The column and row at a place in CSS pixels; null outside the frame. */
  pixelAt(x, y) {
    const [column, row] = [x, y].map((at, i) => Math.floor((at * this.density - this.origin[i]) / this.zoom));
    return column >= 0 && row >= 0 && column < this.stack.width && row < this.stack.height ? [column, row] : null;
  }

  /** The square of so many pixels that one sample stands for. */
  get factor() {
    if (!this.stack.tile) return 1;
    return 2 ** Math.max(0, Math.min(12, Math.floor(Math.log2(1 / this.zoom) + 1e-9)));
  }

  /** The columns and rows that can be seen, as the first one and the one behind the last. */
  get seen() {
    return [this.stack.width, this.stack.height].map((edge, i) => {
      const size = i ? this.canvas.height : this.canvas.width;
      const first = Math.floor(-this.origin[i] / this.zoom);
      return [Math.max(0, first), Math.min(edge, Math.ceil((size - this.origin[i]) / this.zoom))];
    });
  }

  /** The tile that holds a pixel. */
  tileOf(column, row, factor) {
    const { tile, width, height } = this.stack;
    const edge = tile ? tile * factor : Infinity;
    const [across, down] = tile ? [Math.floor(column / edge), Math.floor(row / edge)] : [0, 0];
    const name = `${factor}/${down}/${across}`;
    if (!this.known.has(name)) {
      const part = (number, whole) => (tile ? [number * edge, Math.min(whole, (number + 1) * edge)] : [0, whole]);
      this.known.set(name, { name, factor, rows: part(down, height), columns: part(across, width) });
    }
    return this.known.get(name);
  }

  /** The tiles that can be seen, those in the middle first. */
  tiles(factor = this.factor) {
    const [columns, rows] = this.seen;
    if (columns[0] >= columns[1] || rows[0] >= rows[1]) return [];
    if (!this.stack.tile) return [this.tileOf(0, 0, 1)];
    const edge = this.stack.tile * factor;
    const found = [];
    for (let row = Math.floor(rows[0] / edge) * edge; row < rows[1]; row += edge)
      for (let column = Math.floor(columns[0] / edge) * edge; column < columns[1]; column += edge)
        found.push(this.tileOf(column, row, factor));
    const middle = ({ rows, columns }) =>
      Math.hypot((columns[0] + columns[1]) / 2 - this.centre[0], (rows[0] + rows[1]) / 2 - this.centre[1]);
    return found.sort((one, other) => middle(one) - middle(other));
  }

  /** Whether all of a frame that can be seen is here. */
  ready = (frame) => this.tiles().every((tile) => this.store.has(frame, tile));

  /** What has come of a frame that can be seen. */
  entries(frame) {
    return this.tiles().map((tile) => this.store.get(frame, tile)).filter(Boolean);
  }

  /** Draws a frame, as far as it is here; returns why parts of it are not shown. */
  draw(frame) {
    const { context, canvas } = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    const problems = new Set();
    for (let factor = 4096; factor > this.factor; factor /= 2)
      for (const tile of this.stack.tile ? this.tiles(factor) : [])
        if (this.store.has(frame, tile)) this.drawTile(frame, tile);
    for (const tile of this.tiles()) {
      const problem = this.drawTile(frame, tile);
      if (problem) problems.add(problem);
    }
    return [...problems];
  }

  drawTile(frame, tile) {
    const entry = this.store.get(frame, tile);
    if (!entry?.samples) return entry?.problem;
    const [from, to, places] = [[], [], [tile.columns, tile.rows]];
    places.forEach(([start, stop], i) => {
      const [first, last] = this.seen[i];
      const near = start + Math.floor((Math.max(start, first) - start) / tile.factor) * tile.factor;
      const far = Math.min(stop, start + Math.ceil((Math.min(stop, last) - start) / tile.factor) * tile.factor);
      from.push([(near - start) / tile.factor, (far - near) / tile.factor]);
      const [begin, end] = [near, far].map((place) => this.origin[i] + Math.round(place * this.zoom));
      to.push([begin, end - begin]);
    });
    if (from.some(([, length]) => length <= 0)) return undefined;
    this.context.imageSmoothingEnabled = this.zoom * tile.factor < 1;
    this.context.drawImage(
      this.canvasOf(`${frame} ${tile.name}`, entry),
      from[0][0], from[1][0], from[0][1], from[1][1], to[0][0], to[1][0], to[0][1], to[1][1],
    );
    return undefined;
  }

  /** A canvas with the samples in colours. */
  canvasOf(key, entry) {
    let found = this.shaded.get(key);
    if (found?.version === this.contrast.version) return found.canvas;
    if (!found && this.shaded.size >= (this.stack.tile ? MOST_CANVASES : 1)) {
      const [oldest] = this.shaded.keys();
      found = this.shaded.get(oldest);
      this.shaded.delete(oldest);
    }
    found ??= { canvas: document.createElement("canvas") };
    paint(found, entry, this.contrast);
    found.version = this.contrast.version;
    this.shaded.delete(key);
    this.shaded.set(key, found);
    return found.canvas;
  }
}

/** Paints samples on a canvas of their size; what is needed for it is kept beside the canvas. */
export function paint(kept, { numbers, width, height }, contrast) {
  const { canvas } = kept;
  if (canvas.width !== width || canvas.height !== height || !kept.image) {
    canvas.width = width;
    canvas.height = height;
    kept.context = canvas.getContext("2d");
    kept.image = new ImageData(width, height);
    kept.words = new Uint32Array(kept.image.data.buffer);
  }
  contrast.shade(numbers, kept.words);
  kept.context.putImageData(kept.image, 0, 0);
}
