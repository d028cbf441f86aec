import { characterEntities } from 'character-entities';
import { characterEntitiesLegacy } from 'character-entities-legacy';
import type { SourceText } from '../../prompt/ast.ts';
import { rewrite } from './rewrite.ts';

/** Windows-1252 in 0x80..0x9F; its five unassigned bytes stand for themselves. */
export const windows1252Controls = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/** `amp` -> `&`: HTML 5's names that end in a semicolon. */
const named = new Map(Object.entries(characterEntities));

/** The names HTML also knows without a semicolon. */
const legacyNames = new Set(characterEntitiesLegacy);

/** The character of `&#number;` as Python's html.unescape has it: control characters and noncharacters vanish. */
function numbered(code: number): string {
  if (code >= 0x80 && code <= 0x9f) return windows1252Controls[code - 0x80];
  if (code === 0 || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return '\ufffd';
  const control = (code < 0x20 && !/[\t\n\f\r]/.test(String.fromCharCode(code))) || code === 0x7f;
  const noncharacter = (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe;
  return control || noncharacter ? '' : String.fromCodePoint(code);
}

/** The code of `#65` or `#x41`; undefined for anything else. */
function referenceNumber(reference: string): number | undefined {
  const digits = /^#(?:(\d+)|x([\da-f]+))$/i.exec(reference);
  return digits ? Number.parseInt(digits[1] ?? digits[2], digits[1] ? 10 : 16) : undefined;
}

/** The longest name without semicolon that `reference` starts with. */
function legacyPrefix(reference: string): string | undefined {
  for (let length = reference.length; length > 1; length--) {
    const name = reference.slice(0, length);
    if (legacyNames.has(name)) return name;
  }
  return undefined;
}

/**
 * The entities ftfy's unescape_html decodes: whole ones of at most 24 letters, also in capitals (`&EACUTE;` is `É`)
 * where HTML knows no such name; never `&#59;`, the semicolon.
 */
export function decodeEntities(source: SourceText): SourceText {
  return rewrite(source, /&#?[0-9A-Za-z]{1,24};/g, (entity) => {
    const reference = entity.slice(1, -1);
    const code = referenceNumber(reference);
    if (code !== undefined) return code === 0x3b ? entity : numbered(code);
    const character = named.get(reference);
    if (character !== undefined) return character;
    if (reference !== reference.toUpperCase() || legacyPrefix(reference)) return entity;
    return named.get(reference.toLowerCase())?.toUpperCase() ?? entity;
  });
}

/** Python's html.unescape: HTML 5's rules, so `&notit;` is `¬it;`. */
export function unescapeHtml(source: SourceText): SourceText {
  return rewrite(source, /&(?:#\d+;?|#[xX][\da-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/gu, (entity) => {
    const whole = entity.endsWith(';');
    const reference = entity.slice(1, whole ? -1 : undefined);
    const code = referenceNumber(reference);
    if (code !== undefined) return numbered(code);
    const character = whole ? named.get(reference) : undefined;
    if (character !== undefined) return character;
    const name = legacyPrefix(reference);
    return name ? [named.get(name)!, 1 + name.length] : entity;
  });
}
