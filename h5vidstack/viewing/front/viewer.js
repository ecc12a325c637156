// The viewer: a stack's frames, moved through by axes, keys, time line and play.

import { Contrast } from "./contrast.js";
import { ContrastPanel } from "./contrast_panel.js";
import { LAYOUT, PAUSE, PLAY } from "./layout.js";
import { Player } from "./player.js";
import { checked, Problem } from "./problem.js";
import { inWords, nameOf, numbersOf, samplesOf, sizeOf } from "./samples.js";
import { paint, Stage } from "./stage.js";
import { Store } from "./store.js";
import { TimeLine } from "./time_line.js";

const NEAR = 4; // frames on each side that are asked for beside the one that is shown
const SLOW = 150; // milliseconds after which a wait is told
const THUMBNAIL = 96;
const MOST_SIMILAR = 12;
const SETTLED = 80; // milliseconds after which a frame is asked about

/** Makes an element with a text. */
function made(tag, text, properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  element.textContent = text;
  return element;
}

export class Viewer {
  /**
   * @param root An empty element.
   * @param ask Asks a question; the promise of `{facts, buffer, offset}`.
   * @param wheelZooms Whether the wheel zooms also where the picture has not the focus.
   * @param frame What is shown first.
   */
  constructor(root, ask, { wheelZooms, frame = 0 }) {
    Object.assign(this, { root, ask, wheelZooms });
    root.classList.add("h5v");
    root.innerHTML = LAYOUT;
    this.parts = Object.fromEntries([...root.querySelectorAll("[data-is]")].map((part) => [part.dataset.is, part]));
    this.at = (name) => this.parts[name];
    this.current = -1; // what is shown
    this.wanted = frame;
    this.active = 0; // the axis that keys and play go along
    this.facts = null; // about the frame that is shown
    this.opened = this.open(frame);
  }

  async open(frame) {
    try {
      this.stack = checked(await this.ask({ ask: "stack" })).facts;
    } catch (error) {
      this.say(error.message);
      throw error;
    }
    const { stack, at } = this;
    if (!stack.frames) {
      this.say(`${stack.path} holds no frames.`);
      return;
    }
    this.store = new Store(this.ask, stack, (problem) => this.arrived(problem));
    this.contrast = new Contrast(stack);
    this.stage = new Stage(at("picture"), stack, this.store, this.contrast);
    this.line = new TimeLine(at("line"), stack);
    this.player = new Player(this);
    this.panel = new ContrastPanel(at, this.contrast, () => this.draw());
    at("main").hidden = false;
    this.describe();
    this.makeAxes();
    this.listen();
    this.goTo(Math.min(frame, stack.frames - 1));
    this.ask({ ask: "strip", bins: this.line.bins }).then((answer) => {
      this.line.take(checked(answer));
      this.drawLine();
    }).catch((error) => this.say(error.message));
  }

  end() {
    this.player?.stop();
    this.resized?.disconnect();
    this.dark?.removeEventListener("change", this.recolour);
    if (this.store) Object.assign(this.store, { halted: true, wishes: [] });
  }

  say(problem) {
    this.at("banner").textContent = problem ?? "";
    this.at("banner").hidden = !problem;
  }

  /* ---- What is fixed ---- */

  describe() {
    const { stack, at } = this;
    at("name").textContent = stack.name;
    at("name").title = stack.path;
    const edges = [...stack.axes.map(({ length }) => length), stack.height, stack.width];
    if (stack.channels > 1) edges.push(stack.channels);
    at("summary").textContent = `${stack.stack} · ${edges.join(" × ")} ${nameOf(stack)}`;
    at("last").textContent = `of ${stack.frames.toLocaleString("en")}, from 0`;
    at("number").max = stack.frames - 1;
    at("about").replaceChildren(...stack.facts.flatMap(([name, value]) => [made("dt", name), made("dd", value)]));
    at("stage").style.setProperty("--ratio", stack.height / stack.width);
  }

  makeAxes() {
    const several = this.stack.axes.length > 1;
    this.sliders = this.stack.axes.map((axis, i) => {
      const row = made("label", "", { className: "axis" });
      const name = made("span", several ? axis.name : "", { className: "axis-name" });
      const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: axis.length - 1, step: 1, value: 0 });
      slider.setAttribute("aria-label", several ? axis.name : "Frame");
      slider.disabled = axis.length < 2;
      const value = made("output", "", { className: "axis-value" });
      slider.oninput = () => {
        this.activate(i);
        this.goTo(this.frameOf(this.places().with(i, Number(slider.value))));
      };
      row.onpointerdown = () => this.activate(i);
      row.append(...(several ? [name, slider, value] : [slider]));
      return { row, slider, value };
    });
    this.at("axes").replaceChildren(...this.sliders.map(({ row }) => row));
    const longest = this.stack.axes.findIndex(({ length }) => length > 1);
    this.activate(Math.max(0, longest));
  }

  activate(axis) {
    this.active = axis;
    this.sliders.forEach(({ row }, i) => row.classList.toggle("active", i === axis && this.sliders.length > 1));
  }

  /* ---- Frames and places ---- */

  get axis() {
    return this.stack.axes[this.active];
  }

  /** The place of a frame on each axis. */
  places(frame = this.wanted) {
    const found = [];
    for (const { length } of [...this.stack.axes].reverse()) {
      found.unshift(frame % length);
      frame = Math.floor(frame / length);
    }
    return found;
  }

  frameOf(places) {
    return this.stack.axes.reduce((frame, { length }, i) => frame * length + places[i], 0);
  }

  /** The frame so many further along the active axis; behind the last comes the first. */
  along(frame, count) {
    const places = this.places(frame);
    const { length } = this.axis;
    return this.frameOf(places.with(this.active, (((places[this.active] + count) % length) + length) % length));
  }

  /** Goes along an axis, not beyond its ends. */
  move(count, axis = this.active) {
    const places = this.places();
    const place = Math.max(0, Math.min(this.stack.axes[axis].length - 1, places[axis] + count));
    this.goTo(this.frameOf(places.with(axis, place)));
  }

  goTo(frame) {
    this.player?.stop();
    this.wanted = Math.max(0, Math.min(this.stack.frames - 1, Math.round(frame) || 0));
    this.showPlace();
    this.askFor();
    this.present();
  }

  ready = (frame) => this.stage.ready(frame);

  /** Asks for what can be seen of the frame, and then for its neighbours. */
  askFor() {
    const tiles = this.stage.tiles();
    const wishes = tiles.map((tile) => [this.wanted, tile, false]);
    const near = this.axis.length > 1 && tiles.length * this.store.bytesOf(tiles[0] ?? this.stage.tileOf(0, 0, 1)) < 4 << 20;
    for (let away = 1; near && away <= NEAR && away < this.axis.length; away++)
      for (const frame of [this.along(this.wanted, away), this.along(this.wanted, -away)])
        for (const tile of tiles) wishes.push([frame, tile, true]);
    this.store.want(wishes);
  }

  /** Asks for frames before they are played. */
  wantAhead(count) {
    const tiles = this.stage.tiles();
    const wishes = [];
    for (let away = 1; away <= count; away++) {
      const frame = this.along(this.current, away);
      for (const tile of tiles) wishes.push([frame, tile, true]);
    }
    this.store.want(wishes);
  }

  arrived(problem) {
    if (problem) {
      this.player.stop();
      this.say(problem.message);
      return;
    }
    this.say();
    if (!this.player.running) this.present();
  }

  /** Shows the wanted frame as soon as something of it is here. */
  present() {
    clearTimeout(this.slow);
    if (this.ready(this.wanted)) this.at("busy").hidden = true;
    else this.slow = setTimeout(() => (this.at("busy").hidden = false), SLOW);
    if (!this.stage.entries(this.wanted).length) return;
    this.showNow(this.wanted);
  }

  /** Shows a frame of which at least a part is here. */
  showNow(frame) {
    const anew = frame !== this.current;
    this.current = this.wanted = frame;
    const numbers = this.stage.entries(frame).map((entry) => entry.numbers).filter(Boolean);
    if (numbers.length) this.contrast.look(numbers, this.ready(frame));
    this.draw();
    if (!this.player.running) this.panel.show();
    if (!anew) return;
    this.facts = null;
    this.showPlace();
    this.drawLine();
    if (this.player.running) return;
    this.askAbout();
    this.onFrame?.(frame);
  }

  draw() {
    if (this.current < 0) return;
    const problems = this.stage.draw(this.current);
    this.at("broken").hidden = !problems.length;
    this.at("broken").textContent = problems.length ? `Frame ${this.current} cannot be shown whole: ${problems.join("; ")}` : "";
    this.at("zoomed").textContent = `${Number((100 * this.stage.zoom).toPrecision(this.stage.zoom < 1 ? 2 : 3))} %`;
    this.showPixel();
  }

  showPlace() {
    const places = this.places();
    this.sliders.forEach(({ slider, value }, i) => {
      slider.value = places[i];
      const known = this.facts?.axes[i];
      value.textContent = `${places[i]} / ${this.stack.axes[i].length - 1}${known ? ` · ${known}` : ""}`;
    });
    if (document.activeElement !== this.at("number")) this.at("number").value = this.wanted;
  }

  /* ---- About a frame ---- */

  askAbout() {
    clearTimeout(this.settling);
    this.settling = setTimeout(async () => {
      const frame = this.current;
      try {
        const { facts } = checked(await this.ask({ ask: "frame", number: frame }));
        if (frame !== this.current) return;
        this.facts = facts;
      } catch (error) {
        if (frame === this.current) this.say(error.message);
        return;
      }
      this.showPlace();
      this.showFacts();
      this.drawLine();
    }, SETTLED);
  }

  showFacts() {
    const { facts, at } = this;
    const rows = [["number", made("dd", String(this.current))]];
    this.stack.axes.forEach(({ name }, i) => {
      if (this.stack.axes.length > 1 || facts.axes[i]) rows.push([name, made("dd", facts.axes[i] ?? String(this.places()[i]))]);
    });
    for (const [name, value] of facts.rows) rows.push([name, made("dd", value)]);
    if (this.line.several) rows.push(["pile", made("dd", `${facts.pile}, with ${facts.pile_frames.toLocaleString("en")} frame${facts.pile_frames > 1 ? "s" : ""}`)]);
    if (facts.same_count) {
      const links = made("dd", "frame" + (facts.same_count > 1 ? "s " : " "));
      facts.same.forEach((frame, i) => links.append(i ? ", " : "", this.link(frame)));
      if (facts.same_count > facts.same.length) links.append(` and ${facts.same_count - facts.same.length} more`);
      rows.push(["same pixels", links]);
    }
    at("frame").replaceChildren(...rows.flatMap(([name, value]) => [made("dt", name), value]));
  }

  link(frame) {
    return made("button", frame, { type: "button", className: "link", onclick: () => this.goTo(frame) });
  }

  /* ---- Similar frames ---- */

  async findSimilar() {
    const [frame, { at, stack }] = [this.current, this];
    this.player.stop();
    at("find").disabled = true;
    at("unfound").hidden = true;
    try {
      const answer = checked(await this.ask({ ask: "similar", number: frame, bins: this.line.bins, count: Math.min(MOST_SIMILAR, Math.max(1, stack.frames - 1)) }));
      this.line.takeLikeness(answer);
      this.drawLine();
      const { matches } = answer.facts;
      await this.showMatches(frame, matches);
      if (!matches.length) throw new Problem("There is no other frame.");
    } catch (error) {
      at("unfound").textContent = error.message;
      at("unfound").hidden = false;
    } finally {
      at("find").disabled = false;
    }
  }

  async showMatches(frame, matches) {
    const { stack } = this;
    const factor = Math.max(1, Math.floor(Math.max(stack.height, stack.width) / THUMBNAIL));
    const boxes = matches.map((match) => {
      const box = made("button", "", { type: "button", onclick: () => this.goTo(match.frame) });
      const canvas = document.createElement("canvas");
      const words = match.same ? "same pixels" : match.rmse === null ? `${match.distance} bits` : `rms ${Number(match.rmse.toPrecision(3))}`;
      box.append(canvas, made("b", match.frame), made("span", words, { className: "quiet" }));
      box.title = `Frame ${match.frame}: root mean square difference ${match.rmse ?? "not compared"}, hashes ${match.distance} bits apart`;
      return [match, box, canvas];
    });
    this.at("matches").replaceChildren(...boxes.map(([, box]) => box));
    this.at("matches").dataset.of = frame;
    for (const [match, , canvas] of boxes) {
      const question = { ask: "frames", numbers: [match.frame], rows: [0, stack.height], columns: [0, stack.width], factor };
      const { facts, buffer, offset } = await this.ask(question);
      if (facts.problem) continue;
      const [height, width] = facts.shape;
      const numbers = numbersOf(samplesOf(stack.dtype, buffer, offset, height * width * stack.channels));
      paint({ canvas }, { numbers, width, height }, this.contrast);
    }
  }

  /* ---- The time line ---- */

  drawLine() {
    const { at, line } = this;
    at("strip").hidden = !line.told;
    if (!line.told) return;
    at("strip").style.height = `${line.height}px`;
    line.draw(Math.max(0, this.current), this.facts?.pile);
  }

  hoverLine(event) {
    const { at, line } = this;
    const frame = line.frameAt(event.offsetX);
    const bin = (values) => values[Math.min(values.length - 1, Math.floor(((frame + 0.5) / this.stack.frames) * values.length))];
    const words = [`frame ${frame}`];
    if (line.several) words.push(`pile ${bin(line.piles)}`);
    if (line.copied && bin(line.copies)) words.push("a copy of an earlier one");
    if (line.likeness) words.push(`hash ${bin(line.likeness)} bits apart`);
    at("hover").textContent = words.join(" · ");
    at("hover").hidden = false;
    const most = at("strip").clientWidth - at("hover").offsetWidth;
    at("hover").style.left = `${Math.max(0, Math.min(most, event.offsetX - at("hover").offsetWidth / 2))}px`;
  }

  /* ---- Pixels under the pointer ---- */

  showPixel() {
    const place = this.pointer && this.stage.pixelAt(...this.pointer);
    const output = this.at("pixel");
    clearTimeout(this.pixelSoon);
    if (!place || this.current < 0) {
      output.textContent = "";
      return;
    }
    const [column, row] = place;
    const tile = this.stage.tileOf(column, row, 1);
    const entry = this.store.get(this.current, tile);
    if (entry?.samples) {
      const at = ((row - tile.rows[0]) * entry.width + column - tile.columns[0]) * this.stack.channels;
      output.textContent = this.pixelWords(column, row, entry.samples.subarray(at, at + this.stack.channels));
      return;
    }
    output.textContent = this.pixelWords(column, row, null);
    if (entry) return; // it is damaged
    this.pixelSoon = setTimeout(() => this.askPixel(this.current, column, row), SETTLED);
  }

  /** Asks for one pixel, where the picture shows means of several. */
  async askPixel(frame, column, row) {
    const question = { ask: "frames", numbers: [frame], rows: [row, row + 1], columns: [column, column + 1], factor: 1 };
    const { facts, buffer, offset } = await this.ask(question);
    const place = this.pointer && this.stage.pixelAt(...this.pointer);
    if (facts.problem || frame !== this.current || place?.[0] !== column || place[1] !== row) return;
    const samples = samplesOf(this.stack.dtype, buffer.slice(offset, offset + sizeOf(this.stack.dtype) * this.stack.channels), 0, this.stack.channels);
    this.at("pixel").textContent = this.pixelWords(column, row, samples);
  }

  pixelWords(column, row, samples) {
    const along = ({ name, units, values }, place) => {
      const value = values ? ` (${Number(values[place].toPrecision(6))}${units ? ` ${units}` : ""})` : "";
      return `${name} ${place}${value}`;
    };
    const where = `${along(this.stack.columns, column)}  ${along(this.stack.rows, row)}`;
    return samples ? `${where}  =  ${Array.from(samples, (value) => inWords(value, this.stack)).join(", ")}` : where;
  }

  /* ---- What the user does ---- */

  playingChanged() {
    const { at, player } = this;
    const running = Boolean(player.running);
    at("play").setAttribute("aria-pressed", String(running));
    at("play").innerHTML = running ? `${PAUSE}<span>Stop</span>` : `${PLAY}<span>Play</span>`;
    at("measured").textContent = "";
    clearInterval(this.telling);
    if (running) {
      this.telling = setInterval(() => {
        const slow = player.measured !== null && player.measured < 0.93 * player.rate;
        at("measured").textContent = slow ? `${player.measured.toFixed(player.measured < 10 ? 1 : 0)} of` : "";
      }, 500);
    } else if (this.current >= 0) {
      this.panel.show();
      this.askAbout();
      this.onFrame?.(this.current);
    }
  }

  listen() {
    const { at, stage } = this;
    at("play").onclick = () => this.player.toggle();
    at("back").onclick = () => this.move(-1);
    at("on").onclick = () => this.move(1);
    at("find").onclick = () => this.findSimilar();
    at("number").onchange = ({ target }) => {
      target.blur();
      this.goTo(Number(target.value));
    };
    at("rate").onchange = ({ target }) => {
      this.player.rate = Math.max(0.1, Math.min(240, Number(target.value) || 25));
      target.value = this.player.rate;
    };
    at("smaller").onclick = () => this.zoomed(() => stage.zoomBy(1 / 1.5));
    at("larger").onclick = () => this.zoomed(() => stage.zoomBy(1.5));
    at("zoomed").onclick = () => this.zoomed(() => (stage.fitted ? stage.zoomTo(1) : stage.fit()));
    this.listenToLine();
    this.listenToStage();
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.resize();
    this.dark.addEventListener("change", this.recolour);
    this.resized = new ResizeObserver(() => this.resize());
    for (const part of ["stage", "strip", "histogram"]) this.resized.observe(at(part));
    this.resize();
  }

  resize() {
    const { clientWidth, clientHeight } = this.at("stage");
    if (!clientWidth) return;
    this.zoomed(() => this.stage.resize(clientWidth, clientHeight));
    this.drawLine();
    if (this.panel.shown) this.panel.draw();
  }

  /** Draws after a change of zoom or place, with tiles that this shows. */
  zoomed(change) {
    change();
    if (!this.player.running) this.askFor();
    this.draw();
  }

  listenToLine() {
    const strip = this.at("line");
    let held = false;
    strip.onpointerdown = (event) => {
      held = true;
      strip.setPointerCapture(event.pointerId);
      this.goTo(this.line.frameAt(event.offsetX));
    };
    strip.onpointermove = (event) => {
      this.hoverLine(event);
      if (held) this.goTo(this.line.frameAt(event.offsetX));
    };
    strip.onpointerup = strip.onpointercancel = () => (held = false);
    strip.onpointerleave = () => (this.at("hover").hidden = true);
    strip.ondblclick = () => this.findSimilar();
  }

  listenToStage() {
    const area = this.at("stage");
    const held = new Map(); // pointers that are down: a finger or mouse drags, two fingers zoom
    const place = (event) => {
      const box = area.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const onButtons = (event) => event.target.closest("button");
    area.onpointerdown = (event) => {
      if (onButtons(event)) return;
      held.set(event.pointerId, place(event));
      area.setPointerCapture(event.pointerId);
      this.pointer = place(event);
      this.showPixel();
    };
    area.onpointermove = (event) => {
      this.pointer = onButtons(event) ? null : place(event);
      if (!held.has(event.pointerId)) return this.showPixel();
      const before = held.get(event.pointerId);
      const now = place(event);
      const [other] = [...held].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      held.set(event.pointerId, now);
      return this.zoomed(() => {
        if (!other) return this.stage.panBy(now[0] - before[0], now[1] - before[1]);
        const apart = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
        return this.stage.zoomBy(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      });
    };
    area.onpointerup = area.onpointercancel = (event) => held.delete(event.pointerId);
    area.onpointerleave = () => {
      this.pointer = null;
      this.showPixel();
    };
    area.addEventListener("wheel", (event) => {
      if (!this.wheelZooms && !event.ctrlKey && !event.metaKey && document.activeElement !== area) return;
      event.preventDefault();
      this.zoomed(() => this.stage.zoomBy(1.0015 ** -(event.deltaY * (event.deltaMode ? 20 : 1)), ...place(event)));
    }, { passive: false });
    area.ondblclick = (event) => {
      if (!onButtons(event)) this.zoomed(() => (this.stage.fitted ? this.stage.zoomBy(Math.max(2, 1 / this.stage.zoom), ...place(event)) : this.stage.fit()));
    };
  }

  keyPressed(event) {
    if (!this.sliders || event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    const slides = target.type === "range";
    if (!slides && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && target.type !== "checkbox") return;
    if (event.key === " " && target.tagName === "BUTTON" && target !== this.at("play")) return; // it presses the button
    const step = event.shiftKey ? 10 : 1;
    const several = this.sliders.length > 1;
    const turn = (by) => this.activate((this.active + by + this.sliders.length) % this.sliders.length);
    const keys = {
      ArrowLeft: () => this.move(-step),
      ArrowRight: () => this.move(step),
      ArrowUp: several && (() => turn(-1)),
      ArrowDown: several && (() => turn(1)),
      Home: () => this.move(-Infinity),
      End: () => this.move(Infinity),
      PageUp: () => this.move(-this.stack.block),
      PageDown: () => this.move(this.stack.block),
      " ": () => this.player.toggle(),
      "+": () => this.at("larger").onclick(),
      "=": () => this.at("larger").onclick(),
      "-": () => this.at("smaller").onclick(),
      0: () => this.zoomed(() => this.stage.fit()),
      1: () => this.zoomed(() => this.stage.zoomTo(1)),
      c: () => this.panel.next("mode"),
      m: () => this.stack.channels === 1 && this.panel.next("map"),
      f: () => this.findSimilar(),
    };
    const does = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }
}
