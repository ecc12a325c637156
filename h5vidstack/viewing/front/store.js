// Samples that were asked for: what is wanted soonest is asked for first, and what came is kept.

import { checked, Problem } from "./problem.js";
import { numbersOf, samplesOf, sizeOf } from "./samples.js";

const MOST_AT_ONCE = 4; // questions that wait for an answer
const KEPT_BYTES = (navigator.deviceMemory ?? 8) < 4 ? 96 << 20 : 256 << 20;
const [LEAST_BATCH, MOST_BATCH] = [256 << 10, 8 << 20];
const BATCH_MS = 120; // an answer should take about so long
const MOST_FRAMES = 64;

export class Store {
  /**
   * @param ask Asks a question.
   * @param stack What is shown.
   * @param arrived Called when samples have come, or with a problem that is not of one frame.
   */
  constructor(ask, stack, arrived) {
    Object.assign(this, { ask, stack, arrived });
    this.kept = new Map(); // the least recently used first
    this.bytes = 0;
    this.asked = new Set();
    this.waiting = 0;
    this.wishes = [];
    this.speed = LEAST_BATCH / BATCH_MS; // bytes in a millisecond
    this.halted = false;
    this.received = 0;
  }

  key = (frame, tile) => `${frame} ${tile.name}`;

  /** The samples of a tile of a frame, or why there are none; undefined if they have not come. */
  get(frame, tile) {
    const key = this.key(frame, tile);
    const found = this.kept.get(key);
    if (found) {
      this.kept.delete(key);
      this.kept.set(key, found);
    }
    return found;
  }

  /** Whether it is here, without making it the most recently used. */
  has = (frame, tile) => this.kept.has(this.key(frame, tile));

  /** Says what is wanted, the soonest first: `[frame, tile, together]`; all else is not asked for any more. */
  want(wishes) {
    this.wishes = wishes;
    this.halted = false;
    this.pump();
  }

  bytesOf(tile) {
    const [height, width] = [tile.rows, tile.columns].map(([start, stop]) => Math.ceil((stop - start) / tile.factor));
    return height * width * this.stack.channels * sizeOf(this.stack.dtype);
  }

  pump() {
    while (this.waiting < MOST_AT_ONCE && !this.halted) {
      const open = (wish) => wish && !this.has(wish[0], wish[1]) && !this.asked.has(this.key(wish[0], wish[1]));
      const first = this.wishes.findIndex(open);
      if (first < 0) {
        this.wishes = [];
        return;
      }
      const [frame, tile, together] = this.wishes[first];
      const frames = [frame];
      if (together) {
        const size = Math.max(LEAST_BATCH, Math.min(MOST_BATCH, this.speed * BATCH_MS));
        const most = Math.max(1, Math.min(MOST_FRAMES, Math.floor(size / this.bytesOf(tile))));
        for (const wish of this.wishes.slice(first + 1)) {
          if (frames.length >= most) break;
          if (wish[2] && wish[1].name === tile.name && open(wish)) frames.push(wish[0]);
        }
      }
      this.fetch(frames, tile);
    }
  }

  async fetch(frames, tile) {
    const keys = frames.map((frame) => this.key(frame, tile));
    keys.forEach((key) => this.asked.add(key));
    this.waiting++;
    const began = performance.now();
    try {
      const { rows, columns, factor } = tile;
      const answer = await this.ask({ ask: "frames", numbers: frames, rows, columns, factor });
      if (answer.facts.problem && !["FileChangedError", "ClosedError", "Unreachable"].includes(answer.facts.kind))
        this.keep(keys[0], { problem: answer.facts.problem, bytes: 0 });
      else this.take(checked(answer), keys, frames);
      const bytes = answer.buffer.byteLength;
      if (bytes > LEAST_BATCH / 2) this.speed += (bytes / (performance.now() - began) - this.speed) / 3;
      this.received += frames.length;
      this.arrived();
    } catch (error) {
      this.halted = true; // until something is wanted anew
      this.wishes = [];
      this.arrived(error instanceof Problem ? error : new Problem(`Something went wrong in this page: ${error.message}`));
    } finally {
      keys.forEach((key) => this.asked.delete(key));
      this.waiting--;
      this.pump();
    }
  }

  take({ facts, buffer, offset }, keys, frames) {
    const [height, width] = facts.shape;
    const count = height * width * this.stack.channels;
    const size = sizeOf(this.stack.dtype) * count;
    frames.forEach((frame, i) => {
      const problem = facts.problems[frame];
      if (problem) return this.keep(keys[i], { problem, bytes: 0 });
      // Each frame has memory of its own, so that it can be forgotten alone.
      const start = offset + i * size;
      const own = frames.length === 1 ? [buffer, start] : [buffer.slice(start, start + size), 0];
      const samples = samplesOf(this.stack.dtype, ...own, count);
      this.keep(keys[i], { samples, numbers: numbersOf(samples), width, height, bytes: size });
    });
  }

  keep(key, entry) {
    this.kept.set(key, entry);
    this.bytes += entry.bytes;
    for (const [oldest, { bytes }] of this.kept) {
      if (this.bytes <= KEPT_BYTES) break;
      if (oldest === key) continue;
      this.kept.delete(oldest);
      this.bytes -= bytes;
    }
  }
}
