import type { SourceText } from '../../prompt/ast.ts';
import { joinSources, sliceSource } from '../../prompt/sourceText.ts';
import { decodeEntities, windows1252Controls } from './htmlEntities.ts';
import { rewrite } from './rewrite.ts';
import { composeNfc } from './textForms.ts';

/**
 * BERT's basic clean-up, what transformers falls back to without ftfy: control, unassigned and private characters and
 * U+FFFD vanish, a CJK ideograph is a word by itself, NFC.
 */
export function basicClean(source: SourceText): SourceText {
  const kept = rewrite(source, /(?![\t\n\r])\p{C}|\ufffd/gu, () => '');
  const ideograph =
    /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
  return composeNfc(rewrite(kept, ideograph, (character) => ` ${character} `));
}

const remove = () => '';

/** ftfy's fixers in its order; the first is entities. */
const fixers: readonly ((source: SourceText) => SourceText)[] = [
  (s) => rewrite(s, /[\x80-\x9f]/g, (control) => windows1252Controls[control.charCodeAt(0) - 0x80]),
  (s) => rewrite(s, /[ĲĳŉǄ-ǌǱ-ǳﬀ-ﬆ]/g, (ligature) => (ligature === 'ﬅ' ? 'ſt' : ligature.normalize('NFKC'))),
  (s) => rewrite(s, /[\u3000\uff01-\uffef]/g, (wide) => wide.normalize('NFKC')),
  (s) => rewrite(s, /[\u201c-\u201f]/g, () => '"'),
  (s) => rewrite(s, /[\u02bc\u2018-\u201b]/g, () => "'"),
  (s) => rewrite(s, /\r\n?|[\x85\u2028\u2029]/g, () => '\n'),
  (s) => rewrite(s, /\p{Cs}/gu, () => '\ufffd'),
  (s) => rewrite(s, /\x1b\[[\p{Nd};]*[a-zA-Z]/gu, remove),
  (s) => rewrite(s, /[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, remove),
  composeNfc,
];

function fixUntilStable(source: SourceText, entities: boolean): SourceText {
  const steps = entities ? [decodeEntities, ...fixers] : fixers;
  let fixed = source;
  // One more round per level of `&amp;amp;`; the bound keeps a megabyte of them from taking minutes.
  for (let round = 0; round < 100; round++) {
    const before = fixed.text;
    fixed = steps.reduce((text, step) => step(text), fixed);
    if (fixed.text === before) break;
  }
  return fixed;
}

/**
 * ftfy 6's fix_text with fix_encoding=False, that is without mojibake repair (`schÃ¶n` stays): HTML entities, Windows-1252
 * controls, Latin ligatures, full and half width, curly quotes, line breaks, lone surrogates, terminal escapes, control
 * characters and NFC, over and over until nothing changes.
 */
export function fixText(source: SourceText): SourceText {
  if (!/[^\t\n\f\x20-\x7e]|&#?[0-9A-Za-z]{1,24};/.test(source.text)) return source;
  // A `<` may be a tag: from its line on, entities are left alone.
  const tag = source.text.indexOf('<');
  if (tag < 0) return fixUntilStable(source, true);
  const line = source.text.lastIndexOf('\n', tag) + 1;
  return joinSources([
    fixUntilStable(sliceSource(source, 0, line), true),
    fixUntilStable(sliceSource(source, line), false),
  ]);
}
