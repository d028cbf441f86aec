/** An entry of an EXIF directory: its tag, the type of its value, and the bytes of that. */
export type ExifEntry = readonly [tag: number, type: number, value: Uint8Array];

/** Makes an EXIF block of a first directory with these entries, and an EXIF directory with those. */
export function exifBlock(
  { first = [], exif = [] }: { readonly first?: readonly ExifEntry[]; readonly exif?: readonly ExifEntry[] },
  littleEndian = false,
): Uint8Array<ArrayBuffer> {
  const directorySize = (count: number) => 2 + 12 * count + 4;
  const exifAt = 8 + directorySize(first.length + 1);
  const dataAt = exifAt + directorySize(exif.length);
  const dataSize = [...first, ...exif].reduce((sum, [, , value]) => sum + value.length, 0);
  const bytes = new Uint8Array(dataAt + dataSize);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(littleEndian ? 'II' : 'MM'));
  view.setUint16(2, 42, littleEndian);
  view.setUint32(4, 8, littleEndian);
  let data = dataAt;
  const write = (at: number, entries: readonly ExifEntry[], pointer: number | null) => {
    view.setUint16(at, entries.length + (pointer === null ? 0 : 1), littleEndian);
    let entry = at + 2;
    for (const [tag, type, value] of entries) {
      view.setUint16(entry, tag, littleEndian);
      view.setUint16(entry + 2, type, littleEndian);
      view.setUint32(entry + 4, value.length, littleEndian);
      if (value.length <= 4) bytes.set(value, entry + 8);
      else {
        view.setUint32(entry + 8, data, littleEndian);
        bytes.set(value, data);
        data += value.length;
      }
      entry += 12;
    }
    if (pointer === null) return;
    view.setUint16(entry, 0x8769, littleEndian);
    view.setUint16(entry + 2, 4, littleEndian);
    view.setUint32(entry + 4, 1, littleEndian);
    view.setUint32(entry + 8, pointer, littleEndian);
  };
  write(8, first, exifAt);
  write(exifAt, exif, null);
  return bytes;
}

/** Makes an EXIF block with a user comment: the name of its encoding, padded to eight bytes, and the text's bytes. */
export function commentBlock(encoding: string, text: Uint8Array, littleEndian = false): Uint8Array<ArrayBuffer> {
  const prefix = new TextEncoder().encode(encoding.padEnd(8, '\0'));
  return exifBlock({ exif: [[0x9286, 7, Uint8Array.from([...prefix, ...text])]] }, littleEndian);
}

export function utf16(text: string, littleEndian: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * text.length));
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), littleEndian);
  return new Uint8Array(view.buffer);
}

/** Makes a JPEG of these segments without pixels: marker and data. */
export function jpeg(...segments: readonly (readonly [marker: number, data: Uint8Array])[]): Uint8Array<ArrayBuffer> {
  const parts = segments.flatMap(([marker, data]) => {
    const length = data.length + 2;
    return [Uint8Array.of(0xff, marker, length >> 8, length & 255), data];
  });
  return new Uint8Array(Buffer.concat([Uint8Array.of(0xff, 0xd8), ...parts, Uint8Array.of(0xff, 0xd9)]));
}

/** Makes a JPEG with an EXIF block. */
export function exifJpeg(block: Uint8Array): Uint8Array<ArrayBuffer> {
  return jpeg([0xe1, Uint8Array.from([...new TextEncoder().encode('Exif\0\0'), ...block])]);
}

/** Makes a WebP of these chunks: name and data. */
export function webp(...chunks: readonly (readonly [name: string, data: Uint8Array])[]): Uint8Array<ArrayBuffer> {
  const parts = chunks.map(([name, data]) => {
    const part = Buffer.alloc(8 + data.length + (data.length % 2));
    part.write(name, 'latin1');
    part.writeUInt32LE(data.length, 4);
    part.set(data, 8);
    return part;
  });
  const head = Buffer.from('RIFF....WEBP');
  head.writeUInt32LE(4 + parts.reduce((sum, { length }) => sum + length, 0), 4);
  return new Uint8Array(Buffer.concat([head, ...parts]));
}
