// Samples as they are sent, and numbers to shade them by.

const ARRAYS = {
  u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array,
  u8: BigUint64Array, i8: BigInt64Array, f2: Uint16Array, f4: Float32Array, f8: Float64Array,
};

/** Bytes of a sample. */
export const sizeOf = (dtype) => Number(dtype.slice(1));

/** Views samples of a dtype; those of 16-bit floats are converted, which is exact. */
export function samplesOf(dtype, buffer, offset, count) {
  const found = new ARRAYS[dtype](buffer, offset, count);
  return dtype === "f2" ? Float32Array.from(found, half) : found;
}

/** Numbers that shading can calculate with; of 64-bit whole numbers they are the nearest floats. */
export function numbersOf(samples) {
  return samples instanceof BigUint64Array || samples instanceof BigInt64Array
    ? Float64Array.from(samples, Number)
    : samples;
}

function half(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  let size;
  if (exponent === 31) size = fraction ? NaN : Infinity;
  else size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}

const NAMES = { u: "uint", i: "int", f: "float" };

/** The name of a dtype, as NumPy has it. */
export const nameOf = (stack) => (stack.bool ? "bool" : `${NAMES[stack.dtype[0]]}${8 * sizeOf(stack.dtype)}`);

/** A sample in words: whole numbers in full, floats with the digits that their dtype has. */
export function inWords(value, stack) {
  if (stack.bool) return value ? "true" : "false";
  if (typeof value === "bigint" || Number.isInteger(value)) return String(value);
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return String(Number(value.toPrecision({ f2: 4, f4: 8 }[stack.dtype] ?? 15)));
}

/** A number in few characters. */
export function briefly(value) {
  return Number.isInteger(value) && Math.abs(value) < 1e9 ? String(value) : String(Number(value.toPrecision(5)));
}
