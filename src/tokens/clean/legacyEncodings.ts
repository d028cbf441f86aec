import { windows1252Controls } from './htmlEntities.ts';

/** An encoding of one byte a character, in which bytes below 0x80 are ASCII. */
export interface LegacyEncoding {
  /** The 128 characters of the bytes 0x80 to 0xFF. */
  readonly characters: string;
  /**
   * Whether byte 0x1A stands for U+FFFD, the character left of a byte that was lost: so in the Windows encodings, where a
   * strict reader loses the unassigned bytes. Then U+001A has no byte.
   */
  readonly hasLostBytes: boolean;
  /** Whether a space may be what became of the no-break space, byte 0xA0. */
  readonly hasAlteredSpaces: boolean;
}

const highBytes = Uint8Array.from({ length: 128 }, (_, i) => 0x80 + i);
const latin1 = String.fromCharCode(...highBytes);

/** The characters of an encoding that browsers know; a byte that it leaves unassigned is as in Latin-1. */
function charactersOf(label: string): string {
  const decoded = new TextDecoder(label).decode(highBytes);
  return decoded.replace(/\ufffd/g, (_, i: number) => latin1[i]);
}

const windows = (characters: string): LegacyEncoding => ({ characters, hasLostBytes: true, hasAlteredSpaces: true });
const other = (characters: string): LegacyEncoding => ({ characters, hasLostBytes: false, hasAlteredSpaces: true });

/** Encodings whose letters and signs have UTF-8's lead and continuation bytes, each in its usual place. */
export const windowsEncodings: readonly LegacyEncoding[] = [
  other(latin1),
  // Node has read this one as Latin-1 in some versions.
  windows(windows1252Controls + latin1.slice(0x20)),
  ...['windows-1251', 'windows-1250', 'windows-1253', 'windows-1254', 'windows-1257'].map((label) =>
    windows(charactersOf(label)),
  ),
];

/** Every encoding that text is most often misread in, those first that are tried first. */
export const legacyEncodings: readonly LegacyEncoding[] = [
  ...windowsEncodings,
  other(charactersOf('iso-8859-2')),
  // A dash before a space is common, and its byte in Mac OS Roman begins a character in UTF-8.
  { ...other(charactersOf('macintosh')), hasAlteredSpaces: false },
  // IBM's code page 437, which browsers do not know.
  other(
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\xa0',
  ),
];
