// Contrast: which values are black and white, and the colours of those between.

import { COLOUR_MAPS } from "./colour_maps.js";
import { sizeOf } from "./samples.js";

const SOME = 1 << 18; // values are enough for percentiles and histograms
export const BINS = 128;

/** Every so many of some values, so that about `SOME` are left. */
function some(arrays) {
  const count = arrays.reduce((sum, values) => sum + values.length, 0);
  const step = Math.max(1, Math.ceil(count / SOME));
  const found = new Float64Array(arrays.reduce((sum, values) => sum + Math.ceil(values.length / step), 0));
  let to = 0;
  for (const values of arrays) for (let i = 0; i < values.length; i += step) found[to++] = values[i];
  return found;
}

export class Contrast {
  /** @param stack What the viewer shows: its dtype decides what the whole range is. */
  constructor(stack) {
    this.stack = stack;
    this.small = /^[ui][12]$/.test(stack.dtype); // so few values that there is a table for all
    this.mode = stack.dtype === "u1" ? "range" : "percentiles";
    this.percents = [0.3, 99.7];
    this.anew = false;
    this.map = "gray";
    [this.low, this.high] = this.range() ?? [0, 1];
    this.version = 1; // counts changes, so that what was shaded before is known to be old
    this.values = new Float64Array(0);
    this.fresh = true;
  }

  /** The values that the dtype has; null where they are too many to be of use. */
  range() {
    if (this.stack.bool) return [0, 1];
    if (!this.small) return null;
    const bits = 8 * sizeOf(this.stack.dtype);
    return this.stack.dtype[0] === "u" ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  }

  /** The least and the greatest finite value of what is shown. */
  extremes() {
    let [low, high] = [Infinity, -Infinity];
    for (const values of this.arrays)
      for (let i = 0; i < values.length; i++) {
        const value = values[i];
        if (value < low && value > -Infinity) low = value;
        if (value > high && value < Infinity) high = value;
      }
    return low <= high ? [low, high] : [0, 1];
  }

  percentiles() {
    const known = this.values.filter(Number.isFinite).sort();
    if (!known.length) return [0, 1];
    return this.percents.map((percent) => known[Math.round(((known.length - 1) * Math.max(0, Math.min(100, percent))) / 100)]);
  }

  /** Looks at the values of a frame that is shown, whole or as far as it is here, and follows them if it shall. */
  look(arrays, whole) {
    this.arrays = arrays;
    this.values = some(arrays);
    if (this.fresh || this.anew) this.apply();
    if (whole) this.fresh = false;
  }

  /** Sets black and white by the way that is chosen. */
  apply() {
    if (this.mode === "hand" || !this.arrays) return;
    const [low, high] = this.mode === "range" ? this.range() ?? this.extremes() : this[this.mode]();
    this.set(low, high);
  }

  set(low, high) {
    if (low === this.low && high === this.high) return;
    [this.low, this.high] = [low, high];
    this.version++;
  }

  choose(changes) {
    Object.assign(this, changes);
    this.version++;
    this.apply();
  }

  /** How many values lie in each of `BINS` bins between two ends, and how many are no number. */
  histogram() {
    let [least, greatest] = [Infinity, -Infinity];
    let none = 0;
    for (const value of this.values)
      if (Number.isFinite(value)) {
        if (value < least) least = value;
        if (value > greatest) greatest = value;
      } else if (Number.isNaN(value)) none++;
    if (least > greatest) [least, greatest] = [0, 1];
    const from = Math.min(least, this.low, this.high);
    const to = Math.max(greatest, this.low, this.high);
    const counts = new Uint32Array(BINS);
    const scale = BINS / (to - from || 1);
    for (const value of this.values) if (Number.isFinite(value)) counts[Math.min(BINS - 1, Math.floor((value - from) * scale))]++;
    return { from, to, counts, none: this.values.length ? none / this.values.length : 0 };
  }

  /** The place of a value among 256 colours; NaN has none. */
  place(value) {
    const place = Math.floor(((value - this.low) * 255) / (this.high - this.low || 1) + 0.5);
    return place < 0 ? 0 : place > 255 ? 255 : place;
  }

  /** A function that gives the place of each value, through a table where values are few. */
  places() {
    if (!this.small) return (value) => this.place(value);
    const size = 2 ** (8 * sizeOf(this.stack.dtype));
    const offset = this.stack.dtype[0] === "i" ? size / 2 : 0;
    const key = `${this.low} ${this.high}`;
    if (this.tableKey !== key) {
      this.table = new Uint8Array(size);
      for (let i = 0; i < size; i++) this.table[i] = this.place(i - offset);
      this.tableKey = key;
    }
    const table = this.table;
    return offset ? (value) => table[value + offset] : (value) => table[value];
  }

  /** Paints samples as words of colour; what is no number stays transparent. */
  shade(numbers, words) {
    const { channels, dtype } = this.stack;
    const place = this.places();
    if (channels === 1) {
      const colours = COLOUR_MAPS[this.map];
      if (this.small) {
        if (dtype[0] === "u") {
          const table = this.table;
          for (let i = 0; i < words.length; i++) words[i] = colours[table[numbers[i]]];
        } else for (let i = 0; i < words.length; i++) words[i] = colours[place(numbers[i])];
      } else for (let i = 0; i < words.length; i++) words[i] = colours[place(numbers[i])] ?? 0;
      return;
    }
    const full = dtype === "u1" ? 1 : 257;
    const clear = channels === 4 && this.small && dtype[0] === "u";
    for (let i = 0, from = 0; i < words.length; i++, from += channels) {
      const [red, green, blue] = [numbers[from], numbers[from + 1], numbers[from + 2]];
      const alpha = clear ? Math.floor(numbers[from + 3] / full + 0.5) : 255;
      const none = red !== red || green !== green || blue !== blue;
      words[i] = none ? 0 : ((alpha << 24) | (place(blue) << 16) | (place(green) << 8) | place(red)) >>> 0;
    }
  }
}
