/** Reading ZIP archives, for the tests. */

import { inflateRawSync } from "node:zlib";

/** The files of a ZIP archive by name, stored or deflated. */
export function unzip(archive: Buffer): Map<string, Buffer> {
  const end = archive.lastIndexOf("PK\x05\x06", undefined, "latin1");
  const files = new Map<string, Buffer>();
  let at = archive.readUInt32LE(end + 16);
  for (let count = archive.readUInt16LE(end + 10); count > 0; count--) {
    const [size, title, extra] = [
      archive.readUInt32LE(at + 20),
      archive.readUInt16LE(at + 28),
      archive.readUInt16LE(at + 30),
    ];
    const local = archive.readUInt32LE(at + 42);
    const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    const content = archive.subarray(start, start + size);
    const name = archive.toString("utf8", at + 46, at + 46 + title);
    files.set(name, archive.readUInt16LE(at + 10) ? inflateRawSync(content) : content);
    at += 46 + title + extra + archive.readUInt16LE(at + 32);
  }
  return files;
}
