import type { SourceText } from '../../prompt/ast.ts';
import { joinSources, sliceSource } from '../../prompt/sourceText.ts';
import { windows1252Controls } from './htmlEntities.ts';
import { type LegacyEncoding, legacyEncodings, windowsEncodings } from './legacyEncodings.ts';
import { looksGarbled } from './mojibakeSigns.ts';
import { rewrite } from './rewrite.ts';

/** The C1 controls are what Windows-1252 has in their place. */
export function replaceControls(source: SourceText): SourceText {
  return rewrite(source, /[\x80-\x9f]/g, (control) => windows1252Controls[control.charCodeAt(0) - 0x80]);
}

/** An encoding, made ready for reading. */
interface Reader extends LegacyEncoding {
  readonly byteOf: ReadonlyMap<string, string>;
  /** Finds a place for which no text is UTF-8 in this encoding; most texts have one near their beginning. */
  readonly obstacle: RegExp;
}

function readerOf(encoding: LegacyEncoding): Reader {
  const { characters, hasLostBytes } = encoding;
  const byteOf = new Map([...characters].map((character, i) => [character, String.fromCharCode(0x80 + i)]));
  if (hasLostBytes) byteOf.set('\ufffd', '\x1a');
  const ascii = hasLostBytes ? '\\0-\\x19\\x1b-\\x7f\\ufffd' : '\\0-\\x7f';
  const continuations = characters.slice(0, 0x40);
  const leads = characters.slice(0x41);
  return {
    ...encoding,
    byteOf,
    obstacle: new RegExp(`[^${ascii}${characters}]|[${leads}][^${continuations} ?\\x1a\\ufffd]`),
  };
}

const readers = legacyEncodings.map(readerOf);

// All of these are of bytes, written as characters up to U+00FF.
/** The word “à”, whose second byte became a space; not where a longer Portuguese word begins with it. */
const wordWithGrave = /\xc3 (?! |quele|quela|quilo|s )/g;
/** Characters with a byte 0xA0 that became a space, where the character that they make is a likely one. */
const alteredSpace =
  /[\xc2\xc3\xc5\xce\xd0\xd9] |[\xe2\xe3] [\x80-\x84\x86-\x9f\xa1-\xbf]|[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf] |\xf0 [\x80-\xbf]{2}|\xf0[\x80-\xbf] [\x80-\xbf]|\xf0[\x80-\xbf]{2} /g;
/** Characters of which bytes were lost: those are 0x1A, or one of them a question mark. */
const lossy =
  /[\xc2-\xdf]\x1a|[\xc2\xc3]\?|\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]|\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]|[\xe0-\xef][\x1a?][\x1a\x80-\xbf]|[\xe0-\xef][\x1a\x80-\xbf][\x1a?]|[\xf0-\xf4][\x1a?][\x1a\x80-\xbf]{2}|[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf]{2}[\x1a?]|\x1a/g;
/** Java's NUL of two bytes. ftfy also takes 0xC0 and a line feed for it, at the very end. */
const longNul = /\xc0(?:\x80|\n$)/g;
/** A surrogate pair of which each half was encoded by itself (CESU-8); here too ftfy takes a last line feed for a byte. */
const encodedSurrogates = /\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf](?:[\x80-\xbf]|\n$)/g;
const sequence =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}/g;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const bytesOf = (bytes: string) => Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));

function surrogatePair(bytes: string): string {
  const [, high, highEnd, , low, lowEnd] = bytesOf(bytes);
  return String.fromCodePoint(
    0x10000 + ((high & 0x0f) << 16) + ((highEnd & 0x3f) << 10) + ((low & 0x0f) << 6) + (lowEnd & 0x3f),
  );
}

/** Reads as UTF-8 what was read in another encoding; null where that cannot have been. */
function readAgain(
  source: SourceText,
  { byteOf, obstacle, hasLostBytes, hasAlteredSpaces }: Reader,
): SourceText | null {
  if (obstacle.test(source.text)) return null;
  let bytes: SourceText = {
    ...source,
    text: source.text.replace(/[^\0-\x7f]/g, (character) => byteOf.get(character)!),
  };
  if (hasAlteredSpaces) {
    bytes = rewrite(bytes, wordWithGrave, () => ['\xc3\xa0', 1]);
    bytes = rewrite(bytes, alteredSpace, (altered) => altered.replace(' ', '\xa0'));
  }
  if (hasLostBytes) bytes = rewrite(bytes, lossy, () => '\xef\xbf\xbd');
  bytes = rewrite(
    rewrite(bytes, longNul, () => '\0'),
    encodedSurrogates,
    surrogatePair,
  );
  if (/[\x80-\xff]/.test(bytes.text.replace(sequence, ''))) return null;
  return rewrite(bytes, sequence, (character) => utf8.decode(bytesOf(character)));
}

/** The characters of the bytes `from` to `to` in any of the encodings of Windows. */
function charactersOfBytes(from: number, to: number): string {
  return windowsEncodings.map(({ characters }) => characters.slice(from - 0x80, to - 0x7f)).join('');
}

const continuations = charactersOfBytes(0x80, 0xbf);
/** Continuations without the dashes, dots and quotation marks that often stand beside mojibake and mean themselves. */
const strict = continuations.replace(/[–—―‘’‚“”„•…]/g, '');
/** Characters in a row that may each be UTF-8 read in one encoding or another. */
const stretch = new RegExp(
  `(?<![${strict}])(?:[${charactersOfBytes(0xc2, 0xdf)}][${continuations} ]|[${charactersOfBytes(0xe0, 0xef)}][${continuations} ]{2}|[${charactersOfBytes(0xf0, 0xf0) + charactersOfBytes(0xf3, 0xf3)}][${continuations} ]{3})+`,
  'g',
);

/** Characters that may still be looked at; it keeps mojibake within mojibake from taking the square of its length. */
export interface Effort {
  left: number;
}

interface RepairedStretch {
  readonly start: number;
  readonly end: number;
  readonly repaired: SourceText;
}

/** Repairs each stretch by itself, for texts that were not misread as a whole. */
function repairStretches(source: SourceText, effort: Effort): SourceText {
  const { text } = source;
  const stretches: RepairedStretch[] = [];
  for (const { 0: typed, index } of text.matchAll(stretch)) {
    if (typed.length === text.length || !looksGarbled(typed)) continue;
    const end = index + typed.length;
    const repaired = repairMojibake(sliceSource(source, index, end), effort);
    if (repaired.text !== typed) stretches.push({ start: index, end, repaired });
  }
  if (stretches.length === 0) return source;
  const repeats = Math.min(...stretches.map((repaired) => repeatsOf(text, repaired)));
  const parts: SourceText[] = [];
  let copied = 0;
  for (const { start, end, repaired } of stretches) {
    parts.push(sliceSource(source, copied, start - repeats), repaired);
    copied = end;
  }
  return joinSources([...parts, sliceSource(source, copied)]);
}

/**
 * Counts the rounds that do to a text again what one has done to a stretch: in `ÂÂÂÂÂ³` each takes the last `Â` away, and nothing
 * else can happen as long as two of them follow each other.
 */
function repeatsOf(text: string, { start, end, repaired }: RepairedStretch): number {
  const lead = text[start];
  if (repaired.text !== text.slice(start + 1, end) || continuations.includes(lead)) return 0;
  let first = start;
  while (text[first - 1] === lead) first--;
  const isStuck = readers.every(({ obstacle }) => obstacle.test(lead + lead));
  return isStuck && looksGarbled(lead + text.slice(start, end)) ? Math.max(0, start - first - 1) : 0;
}

function repairOnce(source: SourceText, effort: Effort): SourceText {
  for (const reader of readers) {
    const repaired = readAgain(source, reader);
    if (repaired) return repaired;
  }
  const repaired = repairStretches(source, effort);
  return repaired.text === source.text ? replaceControls(source) : repaired;
}

/**
 * Undoes mojibake in a line, as `fix_encoding` of ftfy 6.3.1 does: `schÃ¶n` is UTF-8 that was read as Latin-1 or Windows-1252, so
 * it becomes `schön`, if need be several times over. When there is no effort left, the text stays as it is then.
 */
export function repairMojibake(source: SourceText, effort: Effort): SourceText {
  let repaired = source;
  while (effort.left > 0 && looksGarbled(repaired.text)) {
    const before = repaired.text;
    effort.left -= before.length;
    repaired = repairOnce(repaired, effort);
    if (repaired.text === before) break;
  }
  return repaired;
}
