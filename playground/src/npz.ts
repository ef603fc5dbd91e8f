/** Files of arrays: .npy and .npz for NumPy, IDX as MNIST's, and ZIP archives without compression. */

type Bytes = Uint8Array<ArrayBuffer>;

/** An array in C order, or a text of no dimensions. */
export type NpyArray =
  | { data: Uint8Array | Float32Array | BigInt64Array | BigUint64Array; shape: readonly number[] }
  | { data: string; shape: readonly [] };

const MAGIC = [0x93, ...ascii("NUMPY"), 1, 0]; // version 1.0
const ALIGNMENT = 64; // bytes of a header are a multiple of it
const IDX_UINT8 = 8;
const SIDE = 28;

/** The bytes of a .npz file with arrays by name, which numpy.load reads. */
export function npz(arrays: Record<string, NpyArray>): Bytes {
  return zip(Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, npy(array)])));
}

/** The bytes of a .npy file. */
export function npy({ data, shape }: NpyArray): Bytes {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const header = `{'descr': '${descriptor(data)}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const before = MAGIC.length + 2;
  const padded = Math.ceil((before + header.length + 1) / ALIGNMENT) * ALIGNMENT - before;
  const text = `${header.padEnd(padded - 1)}\n`;
  return joined([Uint8Array.from([...MAGIC, padded & 255, padded >> 8, ...ascii(text)]), littleEndian(data)]);
}

function descriptor(data: NpyArray["data"]): string {
  if (data instanceof Uint8Array) return "|u1";
  if (data instanceof Float32Array) return "<f4";
  if (data instanceof BigInt64Array) return "<i8";
  if (data instanceof BigUint64Array) return "<u8";
  return `<U${[...data].length}`;
}

/** The bytes of an array; every JavaScript engine in use is little-endian. Text is UTF-32. */
function littleEndian(data: NpyArray["data"]): Uint8Array {
  const array = typeof data === "string" ? Uint32Array.from(data, (character) => character.codePointAt(0)!) : data;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** The bytes of MNIST's file of images uint8 (n, 28, 28). */
export function idxImages(images: Uint8Array): Bytes {
  return idx(images, [images.length / SIDE ** 2, SIDE, SIDE]);
}

/** The bytes of MNIST's file of labels (n,). */
export function idxLabels(labels: Uint8Array): Bytes {
  return idx(labels, [labels.length]);
}

function idx(data: Uint8Array, shape: readonly number[]): Bytes {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint32(0, (IDX_UINT8 << 8) | shape.length);
  shape.forEach((size, axis) => header.setUint32(4 + 4 * axis, size));
  return joined([new Uint8Array(header.buffer), data]);
}

/** The bytes of a ZIP archive (PKWARE, APPNOTE.TXT, 4.3), below 4 GiB; the same files always give the same bytes. */
export function zip(files: Record<string, Uint8Array>): Bytes {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const title = new TextEncoder().encode(name);
    // Version 2.0, names in UTF-8, stored, midnight on 1 January 1980.
    const common = fields([2, 20], [2, 0x800], [2, 0], [2, 0], [2, 0x21], [4, crc32(content)]);
    const sizes = fields([4, content.length], [4, content.length], [2, title.length], [2, 0]);
    const local = [fields([4, 0x04034b50]), common, sizes, title, content];
    const entry = [
      fields([4, 0x02014b50], [2, 20]),
      common,
      sizes,
      fields([2, 0], [2, 0], [2, 0], [4, 0], [4, offset]),
    ];
    parts.push(...local);
    directory.push(...entry, title);
    offset += length(local);
  }
  const count = Object.keys(files).length;
  const end = fields(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, length(directory)],
    [4, offset],
    [2, 0],
  );
  return joined([...parts, ...directory, end]);
}

/** Numbers of 2 or 4 bytes, given as [bytes, number], little-endian. */
function fields(...numbers: readonly (readonly [2 | 4, number])[]): Uint8Array {
  return Uint8Array.from(
    numbers.flatMap(([size, number]) => [0, 8, 16, 24].slice(0, size).map((shift) => (number >>> shift) & 255)),
  );
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

function length(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function joined(parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(length(parts));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
