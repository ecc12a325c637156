// The panel that sets the contrast: a histogram with two lines to drag, numbers, and choices.

import { COLOUR_MAPS, css } from "./colour_maps.js";
import { BINS } from "./contrast.js";
import { briefly, nameOf } from "./samples.js";
import { colour } from "./time_line.js";

const [HEIGHT, BAR, GRIP] = [64, 9, 10]; // of the histogram and the bar of colours; how near a line is taken

export class ContrastPanel {
  /**
   * @param at Gives a part of the page by its name.
   * @param contrast What is set.
   * @param changed Called when it was.
   */
  constructor(at, contrast, changed) {
    Object.assign(this, { at, contrast, changed });
    const range = contrast.range();
    const whole = at("mode").querySelector("[value=range]");
    if (range) whole.textContent = `the whole range of ${nameOf(contrast.stack)}`;
    else whole.remove();
    at("maps").hidden = contrast.stack.channels > 1;
    const pick = (name, how) => (at(name).onchange = () => this.choose(how(at(name))));
    pick("mode", ({ value }) => ({ mode: value }));
    pick("map", ({ value }) => ({ map: value }));
    pick("anew", ({ checked }) => ({ anew: checked }));
    for (const name of ["percent-low", "percent-high"])
      pick(name, () => ({ percents: ["percent-low", "percent-high"].map((one) => Number(at(one).value)) }));
    for (const name of ["low", "high"]) at(name).onchange = () => this.byHand(Number(at("low").value), Number(at("high").value));
    this.drags();
  }

  choose(changes) {
    this.contrast.choose(changes);
    this.show();
    this.changed();
  }

  byHand(low, high) {
    if (!Number.isFinite(low) || !Number.isFinite(high)) return this.show();
    this.contrast.mode = "hand";
    this.contrast.set(low, high);
    this.show();
    return this.changed();
  }

  /** Takes the next of the choices of a list. */
  next(name) {
    const list = this.at(name);
    list.selectedIndex = (list.selectedIndex + 1) % list.options.length;
    list.onchange();
  }

  /** Lets the lines of the histogram be dragged. */
  drags() {
    const canvas = this.at("histogram");
    let held = null;
    canvas.onpointerdown = (event) => {
      if (!this.shown) return;
      const x = event.offsetX;
      const lines = ["low", "high"].map((name) => Math.abs(this.placeOf(this.contrast[name]) - x));
      if (Math.min(...lines) > GRIP) return;
      held = lines[0] < lines[1] ? "low" : "high";
      canvas.setPointerCapture(event.pointerId);
    };
    canvas.onpointermove = ({ offsetX }) => {
      if (!held) return;
      const { from, to } = this.shown;
      let value = from + (Math.max(0, Math.min(1, offsetX / canvas.clientWidth)) * (to - from));
      if (this.contrast.stack.dtype[0] !== "f") value = Math.round(value);
      const { low, high } = { low: this.contrast.low, high: this.contrast.high, [held]: value };
      this.byHand(low, high);
    };
    canvas.onpointerup = canvas.onpointercancel = () => {
      held = null;
      this.show();
    };
    this.holding = () => held !== null;
  }

  placeOf(value) {
    const { from, to } = this.shown;
    return ((value - from) / (to - from || 1)) * this.at("histogram").clientWidth;
  }

  /** Shows what is set now. */
  show() {
    const { contrast, at } = this;
    at("mode").value = contrast.mode;
    at("percents").hidden = contrast.mode !== "percentiles";
    at("anew").disabled = contrast.mode === "hand";
    for (const name of ["low", "high"]) if (document.activeElement !== at(name)) at(name).value = briefly(contrast[name]);
    const found = contrast.histogram();
    // While a line is dragged, the scale stays.
    if (!this.holding() || !this.shown) this.shown = found;
    this.draw();
  }

  draw() {
    const { contrast, shown } = this;
    const canvas = this.at("histogram");
    const context = canvas.getContext("2d");
    const density = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    canvas.width = Math.max(1, Math.round(width * density));
    canvas.height = Math.round((HEIGHT + BAR) * density);
    context.setTransform(density, 0, 0, density, 0, 0);
    const most = Math.sqrt(Math.max(1, ...shown.counts));
    context.fillStyle = colour("--bars", canvas);
    shown.counts.forEach((count, i) => {
      const tall = ((HEIGHT - 4) * Math.sqrt(count)) / most;
      context.fillRect((i * width) / BINS, HEIGHT - tall, width / BINS + 0.2, tall);
    });
    const colours = contrast.stack.channels > 1 ? COLOUR_MAPS.gray : COLOUR_MAPS[contrast.map];
    for (let x = 0; x < width; x++) {
      const value = shown.from + ((x + 0.5) / width) * (shown.to - shown.from);
      context.fillStyle = css(colours[contrast.place(value)]);
      context.fillRect(x, HEIGHT, 1.2, BAR);
    }
    context.fillStyle = colour("--accent", canvas);
    for (const value of [contrast.low, contrast.high]) {
      const x = Math.max(0, Math.min(width - 2, this.placeOf(value) - 1));
      context.fillRect(x, 0, 2, HEIGHT);
    }
    if (!shown.none) return;
    context.fillStyle = colour("--quiet", canvas);
    context.font = "11px system-ui, sans-serif";
    const percent = 100 * shown.none;
    context.textAlign = "right";
    context.fillText(`${percent < 0.1 ? "< 0.1" : percent.toFixed(percent < 10 ? 1 : 0)} % NaN`, width - 6, 13);
  }
}
