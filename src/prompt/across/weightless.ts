/** A1111's brackets and BREAK in Compel, which gives them no meaning. */
import type { Diagnostic, Range } from '../ast.ts';
import { type Group, type Item, isNothing } from '../compel/compelGrammar.ts';
import type { ParsedCompel } from '../compel/compelPrompt.ts';
import { fixWith, info, insertion } from '../diagnostics.ts';

/** Finds `(x)`, which weighs 1.1 in the other programs. */
export function bareBrackets({ source, tree: { content, loras } }: ParsedCompel): Diagnostic[] {
  const groups: Group[] = [];
  const open: (readonly Item[])[] = [loras];
  const inside = (item: Item) => {
    if (item.type === 'group') open.push(item.children);
    else if (item.type === 'weighted') inside(item.target);
    else if (item.type === 'swap') {
      inside(item.target);
      open.push(item.edited);
    }
  };
  // The brackets around a part of a call weigh nothing in any program.
  if ('parts' in content) for (const { items } of content.parts) items.forEach(inside);
  else open.push(content);
  for (let items = open.pop(); items; items = open.pop()) {
    for (const item of items) {
      inside(item);
      if (item.type === 'group' && !item.empty && source[item.open.start] === '(') groups.push(item);
    }
  }
  return groups.flatMap(({ open, close, start, end }) => {
    // The parser reports numbers in them and after them.
    if (/:\s*[+-]?[.\d]+\s*$/.test(source.slice(Math.max(open.end, close.start - 40), close.start))) return [];
    if (/^\s+(?:[+-]+|\d*\.\d+)[,;:!?]?(?=\s|$)/.test(source.slice(end, end + 40))) return [];
    const message =
      'Brackets alone weigh nothing in Compel, where A1111 and ComfyUI weigh them 1.1: write (…)+ for that.';
    const isApart = /^[\s,.)]?$/.test(source[end] ?? '');
    return [
      info(
        'brackets-weigh-nothing',
        { start, end },
        message,
        isApart ? fixWith('Write (…)+', insertion(end, '+')) : undefined,
      ),
    ];
  });
}

const anyBreak = /(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])/gu;
/** Line ends and quotes, which cannot stand in quotes, and what A1111 reads otherwise. */
const notForQuotes = /["\n\r\v\f\\[\]<]|(?<![\p{L}\p{N}_])AND(?![\p{L}\p{N}_])/u;
/** Text that Compel reads the same in quotes as outside of them: a run of words, commas and full stops. */
const sameInQuotes = /^(?:[^()",.+=\s-]|[,.]|[+-](?=[^()",.+=\s-]))+$/u;

/** Offers `("a", "b").and()` for A1111's BREAK, if Compel reads the parts between BREAKs the same in quotes. */
export function breaks({ source, tree: { content } }: ParsedCompel): Diagnostic[] {
  const typedBreaks = source.match(anyBreak)?.length ?? 0;
  if (typedBreaks === 0 || 'parts' in content || notForQuotes.test(source)) return [];
  const words: Range[] = [];
  let isPartEmpty = true;
  for (const item of content) {
    const typed = item.type === 'word' ? item.text.text : '';
    if (/^BREAK,*$/.test(typed)) {
      if (isPartEmpty) return [];
      words.push({ start: item.start, end: item.start + 'BREAK'.length });
      isPartEmpty = typed === 'BREAK';
      continue;
    }
    if (item.type === 'word' && !sameInQuotes.test(typed)) return [];
    if (item.type !== 'lora' && !isNothing([item])) isPartEmpty = false;
  }
  if (words.length < typedBreaks || isPartEmpty) return [];
  const message =
    'Compel starts a new chunk for each part of (…).and(), as A1111 does at BREAK: write ("…", "…").and().';
  const fix = fixWith(
    'Write (…).and()',
    insertion(0, '("'),
    ...words.map((word) => ({ ...word, insert: '", "' })),
    insertion(source.length, '").and()'),
  );
  return [info('and-for-break', words[0], message, fix)];
}
