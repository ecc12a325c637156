/* The page: it asks workers for frames, and shows them. */

"use strict";

const AHEAD_BYTES = 96 << 20; // of frames that wait to be played
const MOST_WORKERS = 4;
const at = (id) => document.getElementById(id);

/* ---- Workers ---- */

/** Something to say to the user, in words. */
class Problem extends Error {}

const plugin = Uint8Array.from(atob(at("plugin").textContent), (letter) => letter.charCodeAt(0));
const workerText = URL.createObjectURL(new Blob([at("worker").textContent], { type: "text/javascript" }));

class Reader {
  constructor() {
    this.worker = new Worker(workerText);
    this.waiting = new Map();
    this.next = 1;
    this.worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.problem) reject(new Problem(data.problem));
      else resolve(data);
    };
    this.worker.onerror = (event) => {
      for (const { reject } of this.waiting.values())
        reject(new Problem(`The page's worker stopped: ${event.message || "it could not be started"}.`));
      this.waiting.clear();
    };
    this.started = this.ask("start", { plugin });
    this.started.catch(() => {}); // whoever asks next is told
  }

  ask(task, parts = {}) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, task, ...parts });
    });
  }

  /** Forgets all frames that were asked for and not yet begun. */
  drop() {
    this.worker.postMessage({ task: "drop", before: this.next });
  }

  close() {
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(new Problem("Another file was opened."));
  }
}

/* ---- What is open ---- */

let readers = [];
let stack = null;
let current = -1; // the frame that is shown
let pixels = null; // its values
let opening = 0; // counts files, so that a slow one does not replace a later one

function say(problem) {
  at("problem").textContent = problem ?? "";
  at("problem").hidden = !problem;
}

function progress(text) {
  at("progress").textContent = text ?? "";
  at("progress").hidden = !text;
}

/** Opens a file (a Blob), and shows its first stack, or the one named. */
async function openFile(blob, name, wanted = {}) {
  const number = ++opening;
  stop();
  say();
  progress(`Opening ${name}…`);
  readers.forEach((reader) => reader.close());
  readers = [new Reader()];
  stack = null;
  try {
    await readers[0].started;
    const { result } = await readers[0].ask("open", { blob });
    if (number !== opening) return;
    const paths = [...result.stacks, ...result.datasets];
    const choice = at("stacks");
    choice.replaceChildren(...paths.map((path) => new Option(path, path)));
    at("stack-choice").hidden = paths.length < 2;
    at("file-name").textContent = name;
    document.title = `${name} – h5vidstack viewer`;
    await openStack(paths.includes(wanted.stack) ? wanted.stack : paths[0], blob, wanted.frame ?? 0);
  } catch (error) {
    if (number !== opening) return;
    at("shown").hidden = true;
    at("welcome").hidden = false;
    at("file-name").textContent = name;
    at("stack-choice").hidden = true;
    say(error.message);
    throw error;
  } finally {
    if (number === opening) progress();
  }
}

async function openStack(path, blob, first = 0) {
  stop();
  say();
  const { result } = await readers[0].ask("select", { path });
  stack = { ...result, blob, decoded: 0, milliseconds: 0 };
  fetched.clear();
  current = -1;
  pixels = null;
  contrast.reset();
  at("stacks").value = path;
  at("welcome").hidden = true;
  at("shown").hidden = false;
  const last = stack.frames - 1;
  for (const id of ["slider", "number"]) at(id).max = last;
  at("of").textContent = `(0 to ${last})`;
  at("stage").style.setProperty("--ratio", stack.height / stack.width);
  describe();
  const more = Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1, Math.ceil(stack.frames / stack.block));
  for (const reader of readers.slice(1)) reader.close();
  readers.length = 1;
  for (let i = 1; i < more; i++) readers.push(openedReader(blob, path));
  await show(Math.max(0, Math.min(last, first)));
}

/** One more worker; it does in turn what it is asked. */
function openedReader(blob, path) {
  const reader = new Reader();
  for (const [task, parts] of [["open", { blob }], ["select", { path }]]) reader.ask(task, parts).catch(() => {});
  return reader;
}

const BYTES = ["bytes", "KB", "MB", "GB", "TB"];
function inWords(bytes) {
  let unit = 0;
  for (; bytes >= 1000 && unit + 1 < BYTES.length; unit++) bytes /= 1000;
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${BYTES[unit]}`;
}

function describe() {
  const { frames, height, width, channels } = stack;
  const shape = [frames, height, width, ...(channels > 1 ? [channels] : [])];
  const raw = shape.reduce((a, b) => a * b, stack.size);
  const names = { u: "uint", i: "int", f: "float", b: "bool" };
  const letter = /[buif]/.exec(stack.dtype)[0];
  const tiled = stack.tile[0] < height || stack.tile[1] < width;
  const rows = {
    Shape: `(${shape.join(", ")})`,
    Dtype: letter === "b" ? "bool" : `${names[letter]}${8 * stack.size}`,
    Codec: stack.codec,
    Block: `${stack.block} frame${stack.block > 1 ? "s" : ""}${tiled ? `, tiles of ${stack.tile.join(" × ")}` : ""}`,
    Piles: stack.piles > 1 ? stack.piles : null,
    File: inWords(stack.blob.size),
    Pixels: inWords(raw),
    Exact: stack.lossless === undefined ? null : stack.lossless ? "yes, every pixel" : `no, off by up to ${stack.maxError}`,
    Frame: "",
    Decoding: "",
    Playing: "",
  };
  at("about").replaceChildren(
    ...Object.entries(rows)
      .filter(([, value]) => value !== null)
      .flatMap(([name, value]) => {
        const [term, text] = [document.createElement("dt"), document.createElement("dd")];
        term.textContent = name;
        text.textContent = value;
        text.dataset.row = name;
        return [term, text];
      }),
  );
  note("Playing", "–");
}

function note(row, text) {
  const found = document.querySelector(`#about [data-row="${row}"]`);
  if (found) found.textContent = text;
}

/* ---- Frames ---- */

const fetched = new Map(); // promises of frames that were asked for ahead

/** The bytes of a frame, as the worker gives them. */
async function fetchFrame(index) {
  const of = stack;
  const { result, milliseconds } = await readers[of.blockOf[index] % readers.length].ask("frame", { index });
  if (result?.decoded && of === stack) {
    stack.decoded += result.decoded;
    stack.milliseconds += milliseconds;
    const rate = (1000 * stack.decoded) / stack.milliseconds;
    note("Decoding", `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} frames/s${readers.length > 1 ? ` in each of ${readers.length} threads` : ""}`);
  }
  return result;
}

function valuesOf(bytes) {
  const { buffer } = bytes;
  switch (stack.kind + stack.size) {
    case "u1": return bytes;
    case "i1": return new Int8Array(buffer);
    case "u2": return new Uint16Array(buffer);
    case "i2": return new Int16Array(buffer);
    case "u4": return new Uint32Array(buffer);
    case "i4": return new Int32Array(buffer);
    case "u8": return Float64Array.from(new BigUint64Array(buffer), Number);
    case "i8": return Float64Array.from(new BigInt64Array(buffer), Number);
    case "f2": return Float32Array.from(new Uint16Array(buffer), half);
    case "f4": return new Float32Array(buffer);
    default: return new Float64Array(buffer);
  }
}

function half(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 31 ? (fraction ? NaN : Infinity) : exponent ? 2 ** (exponent - 25) * (1024 + fraction) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}

let wanted = -1;
let fetching = false;

/** Shows a frame; while one is decoded, only the last that was asked for comes next. */
async function show(index) {
  wanted = Math.max(0, Math.min(stack.frames - 1, Math.round(index) || 0));
  at("slider").value = at("number").value = wanted;
  if (fetching) return;
  fetching = true;
  const slow = setTimeout(() => (at("busy").hidden = false), 150);
  try {
    while (wanted !== current && stack) {
      const [number, of] = [wanted, stack];
      const result = await (fetched.get(number) ?? fetchFrame(number)).catch((error) => error);
      if (of === stack && result) draw(number, result);
      else break;
    }
  } finally {
    fetching = false;
    clearTimeout(slow);
    at("busy").hidden = true;
  }
}

function draw(index, result) {
  current = index;
  at("slider").value = index;
  if (document.activeElement !== at("number") || playing) at("number").value = index;
  const failed = result instanceof Error;
  at("broken").hidden = !failed;
  at("picture").hidden = failed;
  if (failed) {
    at("broken").textContent = result.message;
    note("Frame", `${index}: cannot be shown`);
    pixels = null;
    return;
  }
  pixels = valuesOf(result.bytes);
  note("Frame", `${index}${result.checked ? ", checksum agrees" : ", no checksum"}`);
  contrast.measure();
  paint();
}

/* ---- Contrast ---- */

const BINS = 128;

const contrast = {
  low: 0,
  high: 255,

  /** The values that the dtype has, or for wide ones those of the frame. */
  range() {
    if (/b/.test(stack.dtype)) return [0, 1];
    const bits = 8 * stack.size;
    if (stack.kind === "f" || bits > 16) return this.extremes();
    return stack.kind === "u" ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  },

  extremes() {
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < pixels.length; i++) {
      const value = pixels[i];
      if (value < low && value > -Infinity) low = value;
      if (value > high && value < Infinity) high = value;
    }
    return low <= high ? [low, high] : [0, 1];
  },

  percentiles() {
    const step = Math.ceil(pixels.length / (1 << 18));
    const some = Float64Array.from({ length: Math.ceil(pixels.length / step) }, (_, i) => pixels[i * step]).filter(Number.isFinite).sort();
    if (!some.length) return [0, 1];
    const place = (id) => some[Math.round(((some.length - 1) * Math.max(0, Math.min(100, Number(at(id).value)))) / 100)];
    return [place("percent-low"), place("percent-high")];
  },

  reset() {
    const plain = stack.size === 1;
    at("mode").value = plain ? "range" : "percentiles";
    at("anew").checked = false;
    this.fresh = true;
    this.apply();
  },

  /** Looks at the frame that is shown, if the contrast follows it. */
  measure() {
    if (this.fresh || at("anew").checked) this.apply();
    this.fresh = false;
    this.drawHistogram();
  },

  /** Sets black and white by the way that is chosen. */
  apply() {
    const mode = at("mode").value;
    at("percentiles").hidden = mode !== "percentiles";
    at("anew").disabled = mode === "hand";
    if (mode !== "hand" && pixels) [this.low, this.high] = this[mode]();
    const digits = (number) => (Number.isInteger(number) ? number : Number(number.toPrecision(6)));
    at("low").value = digits(this.low);
    at("high").value = digits(this.high);
  },

  drawHistogram() {
    const canvas = at("histogram");
    const context = canvas.getContext("2d");
    const style = getComputedStyle(document.body);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!pixels) return;
    const [least, greatest] = this.extremes();
    const [from, to] = [Math.min(least, this.low), Math.max(greatest, this.high)];
    const counts = new Uint32Array(BINS);
    const step = Math.ceil(pixels.length / (1 << 18));
    const scale = BINS / (to - from || 1);
    for (let i = 0; i < pixels.length; i += step) {
      const bin = Math.floor((pixels[i] - from) * scale);
      if (bin >= 0) counts[Math.min(BINS - 1, bin)]++;
    }
    const most = Math.sqrt(Math.max(...counts));
    const width = canvas.width / BINS;
    context.fillStyle = style.getPropertyValue("--quiet");
    counts.forEach((count, i) => {
      const height = (canvas.height * Math.sqrt(count)) / most;
      context.fillRect(i * width, canvas.height - height, width, height);
    });
    context.fillStyle = style.getPropertyValue("--accent");
    for (const value of [this.low, this.high]) {
      const x = ((value - from) / (to - from || 1)) * (canvas.width - 4);
      context.fillRect(x, 0, 4, canvas.height);
    }
  },
};

/** A byte for each value, through a table where values are few. */
function shade() {
  const { low, high } = contrast;
  const scale = 255 / (high - low || 1);
  const one = (value) => (value - low) * scale + 0.5;
  if (stack.kind === "f" || stack.size > 2) return one;
  const table = new Uint8ClampedArray(2 ** (8 * stack.size));
  const offset = stack.kind === "i" ? table.length / 2 : 0;
  for (let i = 0; i < table.length; i++) table[i] = Math.floor(one(i - offset));
  return offset ? (value) => table[value + offset] : (value) => table[value];
}

function paint() {
  if (!pixels) return;
  const { width, height, channels } = stack;
  const canvas = at("picture");
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    fit();
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const { data } = image;
  const of = shade();
  const full = stack.size === 1 ? 1 : 257;
  const alpha = channels === 4 && stack.kind === "u" && stack.size <= 2;
  for (let i = 0, to = 0; i < pixels.length; i += channels, to += 4) {
    data[to] = of(pixels[i]);
    data[to + 1] = channels > 1 ? of(pixels[i + 1]) : data[to];
    data[to + 2] = channels > 1 ? of(pixels[i + 2]) : data[to];
    data[to + 3] = alpha ? pixels[i + 3] / full : 255;
  }
  context.putImageData(image, 0, 0);
}

/** Makes the picture as large as its place allows; pixels are enlarged by whole numbers where that fits well. */
function fit() {
  if (!stack) return;
  const place = at("stage").getBoundingClientRect();
  const most = Math.min((place.width - 16) / stack.width, (place.height - 16) / stack.height, 64);
  const scale = most >= 3 ? Math.floor(most) : most;
  at("picture").style.width = `${Math.max(1, stack.width * scale)}px`;
  at("picture").style.height = `${Math.max(1, stack.height * scale)}px`;
}

/* ---- Playing ---- */

let playing = null;

function stop() {
  if (!playing) return;
  playing = null;
  readers.forEach((reader) => reader.drop());
  fetched.clear();
  at("play").setAttribute("aria-pressed", "false");
  at("play").firstElementChild.textContent = "▶";
  at("play").lastElementChild.textContent = "Play";
}

async function play() {
  const run = (playing = {});
  at("play").setAttribute("aria-pressed", "true");
  at("play").firstElementChild.textContent = "■";
  at("play").lastElementChild.textContent = "Stop";
  const { frames, height, width, channels, size } = stack;
  const bytes = height * width * channels * size;
  const most = Math.max(2, Math.min(frames, (readers.length + 1) * stack.block, Math.floor(AHEAD_BYTES / bytes)));
  let index = current >= frames - 1 ? 0 : current + 1;
  let due = performance.now();
  let [shown, since] = [0, due];
  while (playing === run && frames > 1) {
    for (let i = 0; i < most; i++) {
      const next = (index + i) % frames;
      if (!fetched.has(next)) {
        const promise = fetchFrame(next);
        promise.catch(() => {});
        fetched.set(next, promise);
      }
    }
    const result = await fetched.get(index).catch((error) => error);
    const wait = due - performance.now();
    // A frame that comes early waits; the page draws in between even if none does.
    if (wait > 2) await new Promise((resolve) => setTimeout(resolve, wait));
    await new Promise((resolve) => (document.hidden ? setTimeout(resolve, 16) : requestAnimationFrame(resolve)));
    if (playing !== run || !result) break;
    fetched.delete(index);
    draw(index, result);
    wanted = index;
    index = (index + 1) % frames;
    const now = performance.now();
    due = Math.max(due + 1000 / Math.max(1, Number(at("rate").value) || 25), now - 100);
    shown++;
    if (now - since > 500) {
      note("Playing", `${((1000 * shown) / (now - since)).toFixed(1)} frames/s`);
      [shown, since] = [0, now];
    }
  }
  if (playing === run) stop();
}

/** Decodes frames without showing them, and says how many a second; for measurements. */
async function measure(count = stack.frames) {
  const began = performance.now();
  await Promise.all(Array.from({ length: count }, (_, i) => fetchFrame(i)));
  return (1000 * count) / (performance.now() - began);
}

/* ---- What the user does ---- */

function toggle() {
  if (playing) stop();
  else if (stack) play();
}

function step(by) {
  stop();
  show((wanted < 0 ? 0 : wanted) + by);
}

at("choose").onclick = at("choose-too").onclick = () => at("file").click();
at("file").onchange = ({ target }) => {
  const [chosen] = target.files;
  if (chosen) openFile(chosen, chosen.name).catch(() => {});
  target.value = "";
};
at("stacks").onchange = ({ target }) => openStack(target.value, stack.blob).catch((error) => say(error.message));
at("play").onclick = toggle;
at("back").onclick = () => step(-1);
at("on").onclick = () => step(1);
at("slider").oninput = ({ target }) => {
  stop();
  show(Number(target.value));
};
at("number").onchange = ({ target }) => {
  stop();
  show(Number(target.value));
};
for (const id of ["mode", "anew", "percent-low", "percent-high"])
  at(id).onchange = () => {
    contrast.apply();
    contrast.drawHistogram();
    paint();
  };
for (const id of ["low", "high"])
  at(id).onchange = () => {
    at("mode").value = "hand";
    contrast[id] = Number(at(id).value) || 0;
    contrast.apply();
    contrast.drawHistogram();
    paint();
  };

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input[type=number], select");
  if (!stack || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && event.target.matches("button, summary, input[type=checkbox]")) return;
  const keys = {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    PageUp: () => step(-stack.block),
    PageDown: () => step(stack.block),
    Home: () => step(-stack.frames),
    End: () => step(stack.frames),
    " ": toggle,
    c: () => {
      const { options } = at("mode");
      at("mode").selectedIndex = (at("mode").selectedIndex + 1) % (options.length - 1);
      at("mode").onchange();
    },
  };
  const action = keys[event.key] ?? keys[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
});

at("stage").onpointermove = ({ clientX, clientY }) => {
  const place = at("picture").getBoundingClientRect();
  if (!pixels) return;
  const x = Math.floor(((clientX - place.left) * stack.width) / place.width);
  const y = Math.floor(((clientY - place.top) * stack.height) / place.height);
  const inside = x >= 0 && y >= 0 && x < stack.width && y < stack.height;
  const from = (y * stack.width + x) * stack.channels;
  const values = Array.from(pixels.subarray(from, from + stack.channels), (value) => Number(value.toPrecision(7)));
  at("pixel").textContent = inside ? `x ${x}, y ${y}: ${values.join(", ")}` : "";
};
at("stage").onpointerleave = () => (at("pixel").textContent = "");

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const [dropped] = event.dataTransfer.files;
  if (dropped) openFile(dropped, dropped.name).catch(() => {});
});
new ResizeObserver(fit).observe(at("stage"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => stack && contrast.drawHistogram());

/** Opens the file that the address names: `?file=out.h5`, and if wished `&stack=/path&frame=17`. */
async function openNamed() {
  const query = new URLSearchParams(location.search);
  const name = query.get("file");
  if (!name) return;
  const address = new URL(name, location.href);
  if (address.origin !== location.origin || !/^https?:$/.test(address.protocol)) {
    say(`This page opens files of its own site only, and ${address.href} is elsewhere. Download the file and drop it here.`);
    return;
  }
  const short = decodeURIComponent(address.pathname.split("/").pop());
  let blob;
  try {
    blob = await download(address, short);
  } catch (error) {
    progress();
    say(`${short} cannot be loaded: ${error.message}.`);
    return;
  }
  await openFile(blob, short, { stack: query.get("stack"), frame: Number(query.get("frame")) || 0 });
}

async function download(address, name) {
  progress(`Loading ${name}…`);
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the server says ${response.status} ${response.statusText}`.trim());
  const total = Number(response.headers.get("content-length"));
  const parts = [];
  let loaded = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Blob(parts);
    parts.push(value);
    loaded += value.length;
    progress(`Loading ${name}: ${inWords(loaded)}${total ? ` of ${inWords(total)}` : ""}`);
  }
}

/* For tests, and for pages that embed this one. */
window.viewer = {
  openFile,
  openStack: (path) => openStack(path, stack.blob),
  fetchFrame,
  show,
  measure,
  get stack() {
    return stack;
  },
  get current() {
    return current;
  },
};
window.viewer.opened = openNamed().catch(() => {});
