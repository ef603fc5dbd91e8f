/** Reading ZIP archives, for the tests. */

const LOCAL = 0x04034b50; // signature of a file's header

/** The stored files of an archive, in order. */
export function filesOfZip(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; archive.readUInt32LE(at) === LOCAL;) {
    const [size, name, extra] = [
      archive.readUInt32LE(at + 18),
      archive.readUInt16LE(at + 26),
      archive.readUInt16LE(at + 28),
    ];
    const start = at + 30 + name + extra;
    files.set(archive.toString("utf8", at + 30, at + 30 + name), archive.subarray(start, start + size));
    at = start + size;
  }
  return files;
}
