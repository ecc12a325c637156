/* Reads stacks and decodes their frames, beside the page. HDF5 is h5wasm, whose text follows this one in
 * the worker; it loads our C core as a plugin. */

"use strict";

const CACHE_BYTES = 192 << 20; // of decoded blocks
const FILTER = 47113;
const MOST_GROUPS = 5000; // that are looked into for stacks
const CODECS = ["raw", "lpc", "x264", "ffv1", "mpeg4", "deflate", "lzma"];

/* HDF5 and our plugin print their errors; h5wasm looks up where to when it starts. */
let printed = [];
console.error = console.log = (...parts) => {
  printed.push(parts.join(" "));
};

/** Something to say to the user, in words. */
class Problem extends Error {}

/** The innermost reason that HDF5 gave, or what else was wrong. */
function reasonOf(lines, otherwise) {
  const text = lines.join("\n");
  const ours = /h5vidstack: (.*)/.exec(text);
  if (ours) return ours[1];
  const theirs = [...text.matchAll(/#\d+: .*?\(\): (.*)/g)].pop();
  if (/required filter|filter.*not registered|plugin/i.test(text))
    return "it is compressed by a filter of HDF5 that this page does not have";
  return theirs ? `HDF5 says: ${theirs[1]}` : otherwise;
}

/* ---- Files ---- */

let hdf5; // h5wasm's module
let file; // h5wasm.File
let stack; // what is shown

async function start(plugin) {
  hdf5 = await h5wasm.ready;
  const folder = "/plugins";
  hdf5.FS.mkdirTree(folder);
  hdf5.FS.writeFile(`${folder}/libh5vidstack.so`, new Uint8Array(plugin));
  hdf5.insert_plugin_search_path(folder, 0);
}

/** Opens a file and lists the stacks in it. */
async function open(blob) {
  const head = new Uint8Array(await blob.slice(0, 8).arrayBuffer());
  const signature = [137, 72, 68, 70, 13, 10, 26, 10];
  const isHdf5 = (bytes) => signature.every((byte, i) => bytes[i] === byte);
  let found = isHdf5(head);
  // HDF5 also looks behind a user block: at 512 bytes, and at each power of two beyond.
  for (let at = 512; !found && at < Math.min(blob.size, 1 << 20); at *= 2)
    found = isHdf5(new Uint8Array(await blob.slice(at, at + 8).arrayBuffer()));
  if (!found) throw new Problem("This is not an HDF5 file, so it holds no stack.");
  const { FS } = hdf5;
  FS.mkdirTree("/input");
  FS.mount(FS.filesystems.WORKERFS, { blobs: [{ name: "file.h5", data: blob }] }, "/input");
  printed = [];
  file = new h5wasm.File("/input/file.h5", "r");
  if (file.file_id < 0n) {
    // A recording that goes on, or was not closed, says so in its first bytes.
    printed = [];
    file.file_id = hdf5.open("/input/file.h5", hdf5.H5F_ACC_RDONLY | hdf5.H5F_ACC_SWMR_READ, false, -1, -1);
    if (file.file_id < 0n)
      throw new Problem(`This file is damaged: ${reasonOf(printed, "HDF5 cannot open it")}.`);
  }
  const stacks = [];
  const datasets = [];
  look(file, "", stacks, datasets, 0);
  if (!stacks.length && !datasets.length)
    throw new Problem("This HDF5 file holds no stack: it has neither a stack of h5vidstack nor a dataset of three or more axes.");
  return { stacks, datasets };
}

function entryOf(group, name) {
  try {
    return group.get(name);
  } catch {
    return null;
  }
}

let looked = 0;

/** Finds groups that are stacks; datasets that could be one, as long as they are in none. */
function look(group, path, stacks, datasets, depth) {
  if (++looked > MOST_GROUPS) return;
  if (group.attrs.h5vidstack_format) {
    stacks.push(path || "/");
    return;
  }
  if (depth > 8) return;
  for (const name of group.keys()) {
    const entry = entryOf(group, name);
    const at = `${path}/${name}`;
    if (entry instanceof h5wasm.Group) look(entry, at, stacks, datasets, depth + 1);
    else if (entry instanceof h5wasm.Dataset && (entry.shape ?? []).length >= 3 && kindOf(entry.metadata))
      datasets.push(at);
    if (stacks.length + datasets.length > 1000) return;
  }
}

/** NumPy's letter of a dataset's type, or nothing for types that are no pixels. */
function kindOf(metadata) {
  const { H5T_INTEGER, H5T_FLOAT, H5T_ENUM } = hdf5.H5T_class_t;
  if (![1, 2, 4, 8].includes(metadata.size)) return "";
  if (metadata.type === H5T_FLOAT.value) return metadata.size > 1 ? "f" : "";
  if (metadata.type === H5T_ENUM.value) return metadata.size === 1 ? "u" : "";
  if (metadata.type !== H5T_INTEGER.value) return "";
  return metadata.signed ? "i" : "u";
}

/* ---- Stacks ---- */

/** Where the frames of a dataset are: its grid of chunks. */
class Pile {
  constructor(dataset) {
    if (dataset instanceof h5wasm.ExternalLink)
      throw new Problem(
        `This stack keeps frames in another file, ${dataset.filename}, which the page cannot open. Open that file, or pack the stack into one file.`,
      );
    if (!(dataset instanceof h5wasm.Dataset)) throw new Problem("This stack is damaged: a pile has no frames.");
    const { metadata } = dataset;
    this.path = dataset.path;
    this.kind = kindOf(metadata);
    this.size = metadata.size;
    if (!this.kind) throw new Problem(`${dataset.path} holds no numbers that could be pixels.`);
    const shape = metadata.shape.map(Number);
    const colour = shape.length >= 4 && [3, 4].includes(shape.at(-1));
    const edges = shape.length - (colour ? 3 : 2);
    if (edges < 1) throw new Problem(`${dataset.path} is no stack of images: it has ${shape.length} axes.`);
    this.lead = shape.slice(0, edges);
    [this.height, this.width, this.channels] = [...shape.slice(edges), 1];
    this.frames = this.lead.reduce((a, b) => a * b, 1);
    this.filters = dataset.filters;
    this.chunks = metadata.chunks?.map(Number) ?? shape.map((length, axis) => (axis < edges ? 1 : length));
    // Axes that count frames: a chunk must be a run of frames, or frames are read one by one.
    const run = this.chunks.slice(0, edges);
    const first = run.findIndex((length) => length > 1);
    const whole = run.every((length, axis) => axis <= first || length >= this.lead[axis]);
    const divides = first < 1 || this.lead[first] % run[first] === 0;
    this.run = whole && divides ? run.map((length, axis) => Math.min(length, Math.max(1, this.lead[axis]))) : run.map(() => 1);
    this.block = this.run.reduce((a, b) => a * b, 1);
  }

  get frameBytes() {
    return this.height * this.width * this.channels * this.size;
  }
}

function attribute(group, name) {
  const found = group.attrs[name];
  return found === undefined ? undefined : found.value;
}

function tableOf(group, name) {
  const table = entryOf(group, name);
  if (!(table instanceof h5wasm.Dataset)) return null;
  const { metadata } = table;
  const bytes = bytesOf(table.path, metadata.shape.map(Number), metadata.shape.map(() => 0), metadata.size);
  const stated = attribute(table, "crc32");
  if (stated !== undefined && crc32(bytes) !== Number(stated))
    throw new Problem(`The stack is damaged: its table ${table.path} does not agree with its checksum.`);
  return bytes;
}

/** Reads a box of a dataset, as little-endian bytes. */
function bytesOf(path, count, offset, size) {
  const bytes = count.reduce((a, b) => a * b, size);
  if (bytes > 1 << 30) throw new Problem(`A block of ${(bytes / (1 << 30)).toFixed(1)} GiB is too large for a browser.`);
  const at = hdf5._malloc(Math.max(bytes, 1));
  if (!at) throw new Problem("The browser has not enough memory for a block of this stack.");
  try {
    printed = [];
    const big = (numbers) => numbers.map(BigInt);
    const status = hdf5.get_dataset_data(file.file_id, path, big(count), big(offset), count.map(() => 1n), BigInt(at));
    if (status < 0) {
      const error = new Problem(reasonOf(printed, "HDF5 cannot read it"));
      error.orders = Number(/orders at (\d+)/.exec(error.message)?.[1] ?? 0);
      throw error;
    }
    return hdf5.HEAPU8.slice(at, at + bytes);
  } finally {
    hdf5._free(at);
  }
}

/** Makes a stack, or a dataset that is none, the one that frames are read of. */
async function select(path) {
  const entry = path === "/" ? file : file.get(path);
  stack = entry instanceof h5wasm.Dataset ? bareStack(entry) : packedStack(entry, path);
  const { piles } = stack;
  const coded = piles.some((pile) => pile.filters.some((filter) => filter.id === FILTER));
  const blockOf = new Uint32Array(stack.frames);
  const firstBlock = [];
  let blocks = 0;
  for (const pile of piles) {
    firstBlock.push(blocks);
    blocks += Math.ceil(pile.frames / pile.block);
  }
  for (let i = 0; i < stack.frames; i++) {
    const [pile, position] = placeOf(i);
    blockOf[i] = firstBlock[pile] + Math.floor(position / piles[pile].block);
  }
  const [pile] = piles;
  return {
    path,
    frames: stack.frames,
    height: pile.height,
    width: pile.width,
    channels: pile.channels,
    dtype: stack.dtype,
    kind: pile.kind,
    size: pile.size,
    piles: piles.length,
    block: pile.block,
    tile: pile.chunks.slice(pile.lead.length, pile.lead.length + 2),
    codec: coded ? codecsIn(stack) : filtersOf(pile),
    lossless: stack.lossless,
    maxError: stack.maxError,
    checked: Boolean(stack.crc),
    blockOf,
  };
}

function filtersOf(pile) {
  const names = pile.filters.map((filter) => ({ 1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip" })[filter.id] ?? filter.name);
  return names.length ? names.join(", ") : "none";
}

/** What the writer noted about how it coded; else the filter itself. */
function codecsIn(found) {
  const names = new Set(found.codings.map((coding) => coding.split(/[ ,:(]/)[0]).filter(Boolean));
  return names.size ? [...names].join(", ") : "h5vidstack";
}

function bareStack(dataset) {
  const pile = new Pile(dataset);
  if (!pile.frames) throw new Problem(`${dataset.path} holds no frames.`);
  return { piles: [pile], frames: pile.frames, dtype: `${pile.kind}${pile.size}`, codings: [] };
}

function packedStack(group, path) {
  const version = attribute(group, "h5vidstack_format");
  if (version !== "1.0")
    throw new Problem(`This stack is of format ${version}, and this page reads format 1.0. Use a newer page.`);
  const inside = (name) => entryOf(group, name);
  const numbers = inside("groups")?.keys().filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(a) - Number(b)) ?? [];
  if (!numbers.length) throw new Problem(`The stack ${path} is damaged: it has no piles.`);
  const piles = [];
  const codings = [];
  for (const number of numbers) {
    const at = `groups/${number}`;
    if (inside(`${at}/pca`))
      throw new Problem("This stack keeps principal components instead of frames, which this page does not rebuild.");
    const pile = new Pile(inside(`${at}/video`) ?? inside(`${at}/difference`));
    const mean = inside(`${at}/mean`);
    if (mean) pile.mean = bytesOf(mean.path, mean.shape.map(Number), mean.shape.map(() => 0), pile.size);
    const coding = attribute(inside(at), "coding");
    if (coding) codings.push(coding);
    piles.push(pile);
  }
  const shape = Array.from(attribute(group, "shape") ?? [], Number);
  const tables = {};
  for (const name of ["group", "position", "crc32"]) tables[name] = shape[0] ? tableOf(group, `index/${name}`) : null;
  const groups = tables.group && new Uint32Array(tables.group.buffer);
  const positions = tables.position && Float64Array.from(new BigUint64Array(tables.position.buffer), Number);
  // Frames behind the tables were appended by a program that knows only HDF5.
  const inOrder = piles.length === 1 && (positions ?? []).every((position, i) => position === i);
  const frames = inOrder ? piles[0].frames : shape[0];
  if (!frames) throw new Problem("This stack holds no frames yet.");
  if (!inOrder && !(groups?.length >= frames && positions?.length >= frames))
    throw new Problem(`The stack ${path} is damaged: its index is shorter than the stack.`);
  const lossless = attribute(group, "lossless");
  const stated = attribute(group, "dtype");
  const dtype = /^[<>|=]?[buif][1248]$/.test(stated) ? stated : `${piles[0].kind}${piles[0].size}`;
  if (dtype.includes("f")) for (const pile of piles) pile.kind = "f"; // differences are unsigned numbers
  if (dtype.includes("i")) for (const pile of piles) pile.kind = "i";
  return {
    piles,
    codings,
    frames,
    dtype,
    groups: inOrder ? null : groups,
    positions: inOrder ? null : positions,
    crc: dtype.startsWith(">") ? null : tables.crc32 && new Uint32Array(tables.crc32.buffer),
    lossless: lossless === undefined ? undefined : Boolean(Number(lossless)),
    maxError: attribute(group, "max_error"),
  };
}

function placeOf(index) {
  return stack.groups ? [stack.groups[index], stack.positions[index]] : [0, index];
}

/* ---- Frames ---- */

const cache = new Map(); // blocks by "pile/number", the one used last at the end
let cached = 0;

function keep(key, bytes) {
  cache.set(key, bytes);
  cached += bytes.length;
  for (const [oldest, block] of cache) {
    if (cached <= CACHE_BYTES || oldest === key) break;
    cache.delete(oldest);
    cached -= block.length;
  }
}

/** All pixels of a block of a pile: frames one after another. */
let decoded = 0; // frames, since the last answer

async function blockAt(number, block) {
  const key = `${number}/${block}`;
  const found = cache.get(key);
  if (found) {
    cache.delete(key);
    cache.set(key, found);
    return found;
  }
  const pile = stack.piles[number];
  const begin = block * pile.block;
  const offset = [];
  let rest = begin;
  for (let axis = pile.lead.length - 1; axis >= 0; axis--) {
    offset[axis] = rest % pile.lead[axis];
    rest = Math.floor(rest / pile.lead[axis]);
  }
  const count = pile.run.map((length, axis) => Math.min(length, pile.lead[axis] - offset[axis]));
  const frames = count.reduce((a, b) => a * b, 1);
  const [tileHeight, tileWidth] = pile.chunks.slice(pile.lead.length);
  const colours = pile.channels > 1 ? [pile.channels] : [];
  const pixel = pile.channels * pile.size;
  let all = null;
  for (let y = 0; y < pile.height; y += tileHeight)
    for (let x = 0; x < pile.width; x += tileWidth) {
      const height = Math.min(tileHeight, pile.height - y);
      const width = Math.min(tileWidth, pile.width - x);
      const box = [...count, height, width, ...colours];
      const tile = await boxOf(pile, box, [...offset, y, x, ...colours.map(() => 0)]);
      if (height === pile.height && width === pile.width) {
        all = tile;
        continue;
      }
      all ??= new Uint8Array(frames * pile.frameBytes);
      for (let row = 0; row < frames * height; row++) {
        const [frame, line] = [Math.floor(row / height), row % height];
        const to = ((frame * pile.height + y + line) * pile.width + x) * pixel;
        all.set(tile.subarray(row * width * pixel, (row + 1) * width * pixel), to);
      }
    }
  if (pile.mean) addWords(all, pile.mean, pile.size);
  decoded += frames;
  keep(key, all);
  return all;
}

/** A box of pixels; video is decoded by the browser, and then the box is read again. */
async function boxOf(pile, count, offset) {
  try {
    return bytesOf(pile.path, count, offset, pile.size);
  } catch (error) {
    if (!error.orders) throw error;
    await fillOrders(error.orders);
    return bytesOf(pile.path, count, offset, pile.size);
  }
}

/** Adds the words of a mean to those of each frame, modulo their size. */
function addWords(bytes, mean, size) {
  const Words = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[size];
  const words = new Words(bytes.buffer);
  const added = new Words(mean.buffer);
  for (let i = 0; i < words.length; i++) words[i] += added[i % added.length];
}

const CRC = Array.from({ length: 4 }, () => new Uint32Array(256));
for (let i = 0; i < 256; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  CRC[0][i] = crc;
}
for (let k = 1; k < 4; k++)
  for (let i = 0; i < 256; i++) CRC[k][i] = (CRC[k - 1][i] >>> 8) ^ CRC[0][CRC[k - 1][i] & 255];

function crc32(bytes) {
  let crc = -1;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc = CRC[3][crc & 255] ^ CRC[2][(crc >>> 8) & 255] ^ CRC[1][(crc >>> 16) & 255] ^ CRC[0][crc >>> 24];
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ CRC[0][(crc ^ bytes[at]) & 255];
  return ~crc >>> 0;
}

/** The pixels of a frame as little-endian bytes, compared with the stack's checksum if it has one. */
async function frame(index) {
  const [number, position] = placeOf(index);
  const pile = stack.piles[number];
  if (!pile || !(position < pile.frames))
    throw new Problem(`Frame ${index} cannot be shown: the stack's index names a place that is not there.`);
  const block = Math.floor(position / pile.block);
  let bytes;
  try {
    const all = await blockAt(number, block);
    const at = (position - block * pile.block) * pile.frameBytes;
    bytes = all.slice(at, at + pile.frameBytes);
  } catch (error) {
    if (error instanceof Problem) error.message = `Frame ${index} cannot be shown: ${error.message}.`.replace(/\.\.$/, ".");
    throw error;
  }
  const stated = stack.crc?.[index];
  if (stated !== undefined && crc32(bytes) !== stated)
    throw new Problem(
      `Frame ${index} cannot be shown: its pixels do not agree with the stack's checksum. The file is damaged, or this browser's video decoder is not exact.`,
    );
  const fresh = decoded;
  decoded = 0;
  return { bytes, checked: stated !== undefined, decoded: fresh };
}

/* ---- Video ---- */

/** The fields of an order; wasm/plugin.c defines them. */
function ordersAt(address) {
  const words = new Uint32Array(hdf5.HEAPU8.buffer, address);
  const orders = [];
  for (let i = 0; i < words[0]; i++) {
    const at = 1 + 10 * i;
    const [filled, codec, depth, frames, height, width, sizes, packets, bytes, planes] = words.slice(at, at + 10);
    orders.push({ filled, codec, depth, frames, height, width, sizes, packets, bytes, planes, at: address + 4 * at });
  }
  return orders;
}

async function fillOrders(address) {
  for (const order of ordersAt(address)) {
    if (order.filled) continue;
    const planes = await decodeVideo(order);
    hdf5.HEAPU8.set(planes, order.planes);
    new DataView(hdf5.HEAPU8.buffer).setUint32(order.at, 1, true);
  }
}

/** Profile and level of an H.264 stream, as WebCodecs names them. */
function avcName(packets) {
  for (let i = 0; i + 6 < packets.length; i++)
    if (!packets[i] && !packets[i + 1] && packets[i + 2] === 1 && (packets[i + 3] & 31) === 7) {
      const parts = packets.subarray(i + 4, i + 7);
      return { codec: `avc1.${Array.from(parts, (part) => part.toString(16).padStart(2, "0")).join("")}`, profile: parts[0] };
    }
  throw new Problem("a block of video is damaged: it has no parameter sets");
}

async function decodeVideo(order) {
  const name = CODECS[order.codec];
  if (name !== "x264")
    throw new Problem(
      `it is coded by ${name}, and no browser decodes that. h5vidstack in Python reads it, and \`h5vidstack pack --profile fast\` makes a stack that this page shows`,
    );
  const otherwise = "h5vidstack in Python reads it, and `h5vidstack pack --profile fast` makes a stack that this page shows";
  if (typeof VideoDecoder === "undefined")
    throw new Problem(`it is coded as H.264, and this browser lets pages decode no video (WebCodecs). ${otherwise}`);
  const packets = hdf5.HEAPU8.slice(order.packets, order.packets + order.bytes);
  const sizes = new Uint32Array(hdf5.HEAPU8.slice(order.sizes, order.sizes + 4 * order.frames).buffer);
  const { codec, profile } = avcName(packets);
  const config = { codec, codedWidth: order.width, codedHeight: order.height, hardwareAcceleration: "prefer-software" };
  const supported = await VideoDecoder.isConfigSupported(config).then((answer) => answer.supported, () => false);
  const words = profile === 244 ? "lossless H.264 (profile High 4:4:4 Predictive)" : `H.264 (${codec})`;
  if (!supported) throw new Problem(`it is coded as ${words}, and this browser does not decode that. ${otherwise}`);
  const size = order.depth > 8 ? 2 : 1;
  const row = order.width * size;
  const planes = new Uint8Array(order.frames * order.height * row);
  const copies = [];
  let failure = null;
  let count = 0;
  const decoder = new VideoDecoder({
    output(picture) {
      const at = count++;
      copies.push(copyLuma(picture, order, size).then((rows) => at < order.frames && planes.set(rows, at * rows.length)).finally(() => picture.close()));
    },
    error(error) {
      failure = error;
    },
  });
  try {
    decoder.configure(config);
    let at = 0;
    sizes.forEach((bytes, i) => {
      decoder.decode(
        new EncodedVideoChunk({ type: i ? "delta" : "key", timestamp: i, data: packets.subarray(at, at + bytes) }),
      );
      at += bytes;
    });
    await decoder.flush();
    await Promise.all(copies);
  } catch (error) {
    failure ??= error;
  }
  if (decoder.state !== "closed") decoder.close();
  if (failure) throw new Problem(`it is coded as ${words}, which this browser does not decode after all (${failure.message}). ${otherwise}`);
  if (count !== order.frames) throw new Problem(`the browser's video decoder gave ${count} pictures, not ${order.frames}`);
  return planes;
}

/** The luma of a picture, cut to the size of the frames. */
async function copyLuma(picture, order, size) {
  const format = picture.format ?? "an unknown format";
  const wide = /^I4\d\dP1\d$/.test(format);
  if (!/^(I4\d\d(P1\d)?|NV12)$/.test(format) || wide !== size > 1)
    throw new Problem(`the browser's video decoder gives pictures of ${format}`);
  // Rows and columns that are there only to make chroma even are read, and left out.
  const even = (length, most) => Math.min(length + (length % 2), most - (most % 2));
  const { x, y } = picture.visibleRect;
  const rect = { x, y, width: even(order.width, picture.codedWidth - x), height: even(order.height, picture.codedHeight - y) };
  if (rect.width < order.width || rect.height < order.height)
    throw new Problem(`the browser's video decoder gives pictures of ${rect.width} x ${rect.height}`);
  const buffer = new Uint8Array(picture.allocationSize({ rect }));
  const [luma] = await picture.copyTo(buffer, { rect });
  const row = order.width * size;
  const rows = new Uint8Array(order.height * row);
  for (let line = 0; line < order.height; line++) {
    const from = luma.offset + line * luma.stride;
    rows.set(buffer.subarray(from, from + row), line * row);
  }
  return rows;
}

/* ---- Messages ---- */

const TASKS = {
  start: ({ plugin }) => start(plugin),
  open: ({ blob }) => open(blob),
  select: ({ path }) => select(path),
  frame: ({ index }) => frame(index),
};

/* One task after another, for a frame may wait for the browser's video decoder. */
let queue = Promise.resolve();
let dropped = 0; // frames asked for by messages before this one are not wanted any more

/* Lets messages in that came while a frame was decoded. */
const turns = new MessageChannel();
const turn = () =>
  new Promise((resolve) => {
    turns.port1.onmessage = resolve;
    turns.port2.postMessage(0);
  });

async function answer(data) {
  await turn();
  if (data.task === "frame" && data.id < dropped) {
    self.postMessage({ id: data.id, result: null });
    return;
  }
  const began = performance.now();
  try {
    const result = await TASKS[data.task](data);
    const buffers = result?.bytes ? [result.bytes.buffer] : [];
    self.postMessage({ id: data.id, result, milliseconds: performance.now() - began }, buffers);
  } catch (error) {
    const words = error instanceof Problem ? error.message : `Something went wrong in this page: ${error.message ?? error}.`;
    self.postMessage({ id: data.id, problem: words });
  }
}

self.onmessage = ({ data }) => {
  if (data.task === "drop") dropped = data.before;
  else queue = queue.then(() => answer(data));
};
