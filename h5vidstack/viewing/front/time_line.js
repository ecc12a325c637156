// The strip along all frames: their piles, copies, and how like the frame that is shown they are.

const MOST_BINS = 4096;
const LEAST_SCALE = 8; // bits apart; what is nearer than this is much alike
const [BAND, GRAPH, GAP] = [20, 26, 5]; // heights in CSS pixels

export class TimeLine {
  constructor(canvas, stack) {
    Object.assign(this, { canvas, stack });
    this.context = canvas.getContext("2d");
    this.piles = null;
    this.likeness = null;
    this.matches = [];
  }

  /** How many bins to ask for. */
  get bins() {
    return Math.max(1, Math.min(MOST_BINS, this.stack.frames, Math.round((this.canvas.clientWidth || 800) * (window.devicePixelRatio || 1))));
  }

  take({ facts, buffer, offset }) {
    this.piles = new Uint32Array(buffer.slice(offset, offset + 4 * facts.bins));
    this.copies = new Uint8Array(buffer, offset + 4 * facts.bins, facts.bins);
    this.several = facts.piles > 1;
    this.copied = facts.copies;
  }

  takeLikeness({ facts, buffer, offset }) {
    this.likeness = new Uint8Array(buffer, offset, facts.bins);
    this.matches = facts.matches;
  }

  /** Whether there is anything to see. */
  get told() {
    return this.banded || Boolean(this.likeness);
  }

  /** Whether there are piles or copies to see. */
  get banded() {
    return Boolean(this.piles && (this.several || this.copied));
  }

  get height() {
    return (this.banded ? GAP + BAND : 0) + (this.likeness ? GAP + GRAPH : 0) + 2;
  }

  frameAt(x) {
    const { frames } = this.stack;
    const place = Math.max(0, Math.min(1, x / this.canvas.clientWidth));
    return Math.min(frames - 1, Math.floor(place * frames));
  }

  /** @param pile The pile of the frame that is shown, if it is known. */
  draw(frame, pile) {
    const { canvas, context } = this;
    const density = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, this.height];
    canvas.width = Math.max(1, Math.round(width * density));
    canvas.height = Math.round(height * density);
    context.setTransform(density, 0, 0, density, 0, 0);
    const [line, accent, front] = ["--line", "--accent", "--front"].map((name) => colour(name, canvas));
    if (this.banded) this.drawBand(width, line, accent, pile);
    if (this.likeness) this.drawLikeness(width, accent, line);
    const x = ((frame + 0.5) / this.stack.frames) * width;
    context.fillStyle = front;
    context.fillRect(Math.max(0, Math.min(width - 2, x - 1)), 0, 2, height);
  }

  drawBand(width, line, accent, pile) {
    const { context } = this;
    if (!this.several) {
      context.fillStyle = line;
      context.fillRect(0, GAP, width, BAND);
    } else {
      const step = width / this.piles.length;
      for (let first = 0; first < this.piles.length; ) {
        let last = first;
        while (last < this.piles.length && this.piles[last] === this.piles[first]) last++;
        const number = this.piles[first];
        context.globalAlpha = pile === undefined || number === pile ? 1 : 0.38;
        context.fillStyle = `hsl(${Math.round((number * 137.5 + 205) % 360)} 48% 52%)`;
        context.fillRect(first * step, GAP, (last - first) * step + 0.3, BAND);
        first = last;
      }
      context.globalAlpha = 1;
    }
    if (!this.copied) return;
    context.fillStyle = accent;
    const step = width / this.copies.length;
    this.copies.forEach((copied, i) => {
      if (copied) context.fillRect(i * step, 0, Math.max(2, step - (step > 4 ? 1 : 0)), 3);
    });
  }

  drawLikeness(width, accent, line) {
    const { context, likeness } = this;
    const [top, step] = [this.height - 2 - GRAPH, width / likeness.length];
    const scale = likeness.reduce((most, distance) => Math.max(most, distance), LEAST_SCALE) + 1;
    context.fillStyle = line;
    context.fillRect(0, top + GRAPH, width, 1);
    context.fillStyle = accent;
    context.globalAlpha = 0.45;
    likeness.forEach((distance, i) => {
      const tall = GRAPH * (1 - distance / scale);
      context.fillRect(i * step, top + GRAPH - tall, Math.max(1, step), tall);
    });
    context.globalAlpha = 1;
    for (const match of this.matches) {
      const x = ((match.frame + 0.5) / this.stack.frames) * width;
      context.beginPath();
      context.arc(x, top + 4, 3, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

/** A colour of the page's style, as a canvas takes it. */
export function colour(name, element) {
  const probe = element.ownerDocument.createElement("span");
  probe.style.color = `var(${name})`;
  probe.style.display = "none";
  element.parentElement.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
