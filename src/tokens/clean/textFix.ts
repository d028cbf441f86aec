import type { SourceText } from '../../prompt/ast.ts';
import { joinSources, sliceSource } from '../../prompt/sourceText.ts';
import { decodeEntities } from './htmlEntities.ts';
import { repairMojibake, replaceControls } from './mojibake.ts';
import { looksGarbled } from './mojibakeSigns.ts';
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

/** ftfy's fixers in its order, after entities and mojibake. */
const fixers: readonly ((source: SourceText) => SourceText)[] = [
  replaceControls,
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

/** Fixes a line, or lines of which none ever looks like mojibake; undefined where one of several does. */
function fixUntilStable(source: SourceText, entities: boolean): SourceText | undefined {
  const isOneLine = !/\n./s.test(source.text);
  const effort = { left: 1_000_000 + 10 * source.text.length };
  let fixed = source;
  // One more round per level of `&amp;amp;`; the bound keeps a megabyte of them from taking minutes.
  for (let round = 0; round < 100; round++) {
    const before = fixed.text;
    if (entities) fixed = decodeEntities(fixed);
    if (isOneLine) fixed = repairMojibake(fixed, effort);
    else if (looksGarbled(fixed.text) || /\n[ÃÂ] /.test(fixed.text)) return undefined;
    fixed = fixers.reduce((text, fixer) => fixer(text), fixed);
    if (fixed.text === before) break;
  }
  return fixed;
}

/** Fixes lines each by itself where it matters, since mojibake in one says nothing of the others. */
function fixLines(source: SourceText, entities: boolean): SourceText {
  const together = fixUntilStable(source, entities);
  if (together) return together;
  const lines = [...source.text.matchAll(/[^\n]*\n|[^\n]+/g)];
  return joinSources(
    lines.map(({ 0: line, index }) => {
      const typed = sliceSource(source, index, index + line.length);
      return isPlain(line) ? typed : fixUntilStable(typed, entities)!;
    }),
  );
}

/** Whether no fixer has anything to do. */
function isPlain(text: string): boolean {
  return !/[^\t\n\f\x20-\x7e]|&#?[0-9A-Za-z]{1,24};/.test(text);
}

/**
 * fix_text of ftfy 6.3.1: HTML entities, mojibake (`schÃ¶n`), Windows-1252 controls, Latin ligatures, full and half width,
 * curly quotes, line breaks, lone surrogates, terminal escapes, control characters and NFC, in each line over and over
 * until nothing changes.
 */
export function fixText(source: SourceText): SourceText {
  if (isPlain(source.text)) return source;
  // A `<` may be a tag: from its line on, entities are left alone.
  const tag = source.text.indexOf('<');
  if (tag < 0) return fixLines(source, true);
  const line = source.text.lastIndexOf('\n', tag) + 1;
  return joinSources([fixLines(sliceSource(source, 0, line), true), fixLines(sliceSource(source, line), false)]);
}
