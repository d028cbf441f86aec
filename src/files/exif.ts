/** The texts of an EXIF block that programs keep prompts in. */
export interface ExifTexts {
  /** The user comment; null where there is none, or an empty one. */
  readonly comment: string | null;
  /** Other texts of the block, such as maker and model: ComfyUI writes its graph there. */
  readonly others: readonly string[];
}

const tags = { exifDirectory: 0x8769, userComment: 0x9286 } as const;
/** Types of values: bytes, ASCII (UTF-8 in practice), a number of four bytes, and bytes whose meaning is not said. */
const types = { byte: 1, ascii: 2, long: 4, undefined: 7 } as const;
/** Entries of a directory that are looked at. Cameras write fewer than 100. */
const mostEntries = 1000;
const entrySize = 12;
/** Length of the name of an encoding before a user comment. */
const prefixSize = 8;

/**
 * Reads the texts of an EXIF block (Exif 2.32, a TIFF of two directories: the first, and the one that it points to). `block`
 * begins with the TIFF's byte order, perhaps after `Exif` and two zeros. A block that is damaged or cut off gives the texts
 * that could be read: nothing is thrown, and no directory is read twice.
 */
export function readExif(block: Uint8Array): ExifTexts {
  const bytes = startsWith(block, 'Exif\0\0') ? block.subarray(6) : block;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const others: string[] = [];
  let comment: string | null = null;
  // Entries may share bytes, and thousands of them could name the whole block.
  let room = bytes.length;
  const littleEndian = startsWith(bytes, 'II*\0');
  if (bytes.length < 8 || !(littleEndian || startsWith(bytes, 'MM\0*'))) return { comment, others };

  /** Reads a directory; gives the place of the directory that it points to, or null. */
  function readDirectory(at: number): number | null {
    if (at < 8 || at + 2 > bytes.length) return null;
    const count = Math.min(view.getUint16(at, littleEndian), mostEntries);
    let inner: number | null = null;
    for (
      let entry = at + 2;
      entry < at + 2 + count * entrySize && entry + entrySize <= bytes.length;
      entry += entrySize
    ) {
      const tag = view.getUint16(entry, littleEndian);
      const type = view.getUint16(entry + 2, littleEndian);
      const length = view.getUint32(entry + 4, littleEndian);
      if (tag === tags.exifDirectory && type === types.long) inner = view.getUint32(entry + 8, littleEndian);
      if (type !== types.ascii && type !== types.undefined && type !== types.byte) continue;
      const start = length <= 4 ? entry + 8 : view.getUint32(entry + 8, littleEndian);
      if (start + length > bytes.length || length > room) continue;
      room -= length;
      const value = bytes.subarray(start, start + length);
      if (tag === tags.userComment) comment ??= decodeComment(value) || null;
      else if (type === types.ascii) others.push(withoutZeros(new TextDecoder().decode(value)));
    }
    return inner;
  }

  const first = view.getUint32(4, littleEndian);
  const inner = readDirectory(first);
  if (inner !== null && inner !== first) readDirectory(inner);
  return { comment, others };
}

/**
 * Reads a user comment: eight bytes that name its encoding, and the text. UTF-16 comes in either order, since programs
 * differ in it; a text without a name of its encoding is read as UTF-8, as A1111 does.
 */
function decodeComment(value: Uint8Array): string {
  const text = value.subarray(prefixSize);
  if (startsWith(value, 'UNICODE\0')) return withoutZeros(decodeUtf16(text));
  if (startsWith(value, 'JIS\0\0\0\0\0'))
    return withoutZeros(new TextDecoder(text.includes(0x1b) ? 'iso-2022-jp' : 'shift_jis').decode(text));
  const isNamed = startsWith(value, 'ASCII\0\0\0') || startsWith(value, '\0\0\0\0\0\0\0\0');
  return withoutZeros(new TextDecoder().decode(isNamed ? text : value));
}

/** Reads UTF-16: in the order of its mark, else in the order by which more characters are Latin, else big-endian. */
function decodeUtf16(text: Uint8Array): string {
  if (text[0] === 0xff && text[1] === 0xfe) return new TextDecoder('utf-16le').decode(text);
  if (text[0] === 0xfe && text[1] === 0xff) return new TextDecoder('utf-16be').decode(text);
  const zeros = [0, 0];
  for (let i = 0; i < text.length; i++) if (text[i] === 0) zeros[i % 2]++;
  return new TextDecoder(zeros[1] > zeros[0] ? 'utf-16le' : 'utf-16be').decode(text);
}

function withoutZeros(text: string): string {
  return text.replace(/^\0+|\0+$/g, '');
}

function startsWith(bytes: Uint8Array, mark: string): boolean {
  return Array.from(mark, (character) => character.charCodeAt(0)).every((byte, i) => bytes[i] === byte);
}
