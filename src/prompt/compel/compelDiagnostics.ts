import { a1111Leftovers } from '../across/a1111Leftovers.ts';
import type { Diagnostic, Edit, Range } from '../ast.ts';
import { pythonSpace } from '../pythonText.ts';
import type { Composite, Group, Item, Lora, Option, Swap, Weighted, Word } from './compelGrammar.ts';

type Fix = NonNullable<Diagnostic['fix']>;

function diagnostic(
  severity: Diagnostic['severity'],
  code: string,
  { start, end }: Range,
  message: string,
  fix?: Fix,
): Diagnostic {
  return { code, severity, start, end, message, ...(fix && { fix }) };
}

function fixWith(label: string, ...edits: Edit[]): Fix {
  return { label, edits };
}

const a1111Number = new RegExp(`:[${pythonSpace}]*([+-]?)([.\\d]+)[${pythonSpace}]*$`);
/** Matches the end of a call before its brackets. */
const called = /\.(?:and|add|blend|swap|attend)$/;
const operator = /\.(?:and|add|blend|swap|attend)(?=\()/;

/** Points out items that Compel reads otherwise than they look. The items of a section follow one another in the prompt. */
export function compelDiagnostics(sections: readonly (readonly Item[])[], source: string): Diagnostic[] {
  const diagnostics = a1111Leftovers(source, { program: 'Compel', open: '(', close: ')-' });
  const freeWords: Word[] = [];
  const open = [...sections];
  const inGroup = (group: Group, weighted: Weighted | null) => {
    const weight = a1111Weight(group, weighted, source);
    if (weight) diagnostics.push(weight);
    const [first] = group.children;
    const isPlain = group.children.length === 1 && first.type === 'word' && !first.free;
    if (!isPlain) open.push(group.children);
  };
  for (let items = open.pop(); items; items = open.pop()) {
    items.forEach((item, i) => {
      const before = items[i - 1];
      if (item.type === 'group') inGroup(item, null);
      else if (item.type === 'weighted') {
        if (item.target.type === 'group') inGroup(item.target, item);
      } else if (item.type === 'swap') {
        diagnostics.push(originalOnly(item), ...item.options.filter(isBadOption).map(badOption));
        open.push([item.target], item.edited);
      } else if (item.type === 'lora') diagnostics.push(loraNotApplied(item));
      else if (item.free) {
        const known = before ? afterItem(before, item, source) : null;
        if (known) diagnostics.push(known);
        else freeWords.push(item);
      }
    });
  }
  freeWords.sort((a, b) => a.start - b.start);
  const swallowed = freeWords.flatMap((word) => freeWord(word, source) ?? []);
  return [...diagnostics, ...swallowed, ...looseMarks(freeWords, source)];
}

/** `(a:1.2)`. */
function a1111Weight(group: Group, weighted: Weighted | null, source: string): Diagnostic | null {
  const { open, close } = group;
  const end = close.start;
  if (source[open.start] !== '(') return null;
  const match = a1111Number.exec(source.slice(Math.max(open.end, end - 40), end));
  if (!match) return null;
  const [tail, sign, number] = match;
  const start = end - tail.length;
  const message = `“(…${tail.trimEnd()})” is how A1111 weighs: Compel encodes the number as text, so write it after the brackets.`;
  const isWeight = sign !== '-' && /^(?:\d+(?:\.\d*)?|\.\d+)$/.test(number) && !weighted;
  const fix = fixWith(`Write (…)${number}`, { start, end: close.end, insert: `)${number}` });
  return diagnostic('warning', 'a1111-weight', { start, end }, message, isWeight ? fix : undefined);
}

/** A free word that may have been meant for what stands before it. */
function afterItem(before: Item, word: Word, source: string): Diagnostic | null {
  const typed = source.slice(word.start, word.end);
  const gap = source.slice(before.end, word.start);
  if (before.type === 'group' && gap !== '') {
    if (!/^(?:[+-]+|\d*\.\d+)[,;:!?]?$/.test(typed)) return null;
    const message = `A weight must follow its brackets or quotes directly: with a space between, this is text.`;
    const fix = fixWith('Remove the space', { start: before.end, end: word.start, insert: '' });
    return diagnostic('warning', 'space-before-weight', word, message, fix);
  }
  if (before.type !== 'weighted' || before.form !== 'suffix-signs' || gap !== '') return null;
  const { number, target } = before;
  const signs = source.slice(number.start, number.end);
  if (/^\.?\d/.test(typed)) {
    const message = `The “${signs}” is a weight by itself and the number after it is text: write a number without a sign, or the sign alone.`;
    const canBeNumber = target.type === 'group' && signs.length === 1;
    const fix = fixWith('Remove the sign', { start: number.start, end: number.end, insert: '' });
    return diagnostic(
      'warning',
      'sign-before-number',
      { start: number.start, end: word.end },
      message,
      canBeNumber ? fix : undefined,
    );
  }
  if (!/^[+-]/.test(typed)) return null;
  const message = `Only “${signs}” weighs: signs of one kind count, and the others are text.`;
  return diagnostic('warning', 'mixed-signs', word, message);
}

/** Weights and operators that a free word swallowed. */
function freeWord(word: Word, source: string): Diagnostic | null {
  const typed = source.slice(word.start, word.end);
  const call = operator.exec(typed);
  if (call) {
    const start = word.start + call.index;
    const name = call[0];
    const rule = /swap|attend/.test(name)
      ? 'it must follow a word, brackets or quotes and have arguments it understands'
      : 'it must follow brackets that begin the prompt, around words, brackets or quotes with commas between';
    const message = `“${name}()” is text here: ${rule}.`;
    return diagnostic('warning', 'operator-is-text', { start, end: start + name.length }, message);
  }
  const leading = /^(\++|--+)(?=\p{L})/u.exec(typed)?.[1];
  if (leading) {
    const rest = typed.slice(leading.length);
    const plain = /^[\p{L}\p{N}_'-]*[\p{L}\p{N}](?=[,;:!?]?$)/u.exec(rest)?.[0];
    const start = word.start;
    const after = start + leading.length;
    const fix =
      plain &&
      fixWith(`Write ${plain}${leading}`, { start, end: after, insert: '' }, addition(after + plain.length, leading));
    const message = `A weight follows its word: “${leading}” in front of one is text.`;
    return diagnostic('warning', 'leading-signs', { start, end: after }, message, fix || undefined);
  }
  const trailing = /^(.*[^+-])(\++|-+)([,;:!?]*)$/s.exec(typed);
  if (!trailing) return null;
  const [, stem, signs, mark] = trailing;
  const range = { start: word.start + stem.length, end: word.start + stem.length + signs.length };
  if (mark !== '' && mark[0] !== ',') {
    const message = `“${signs}” weighs a word only at its very end: with “${mark}” after it, both are text.`;
    const fix = fixWith('Put a space between', addition(range.end, ' '));
    return diagnostic('warning', 'signs-inside-word', range, message, fix);
  }
  if (!/[.=]/.test(stem) || /^\.+$|[()"]/.test(stem)) return null;
  const message = `“${signs}” weighs nothing here: a word with “.” or “=” in it takes a weight only from brackets around it.`;
  const canBeInBrackets = !/=|[+-](?=\.|$)/.test(stem);
  const fix = fixWith(`Write (…)${signs}`, addition(word.start, '('), addition(range.end - signs.length, ')'));
  return diagnostic('warning', 'weight-is-text', range, message, canBeInBrackets ? fix : undefined);
}

function addition(at: number, insert: string): Edit {
  return { start: at, end: at, insert };
}

/** Brackets and quotes that are characters. */
function looseMarks(words: readonly Word[], source: string): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const open: { readonly range: Range; readonly isCall: boolean }[] = [];
  let quote: Range | null = null;
  for (const word of words) {
    const typed = source.slice(word.start, word.end);
    for (const { 0: mark, index } of typed.matchAll(/\\.|[()"]/gs)) {
      const range = { start: word.start + index, end: word.start + index + mark.length };
      // Brackets after `.and` and its like, and those inside them, have their message already.
      if (mark === '(')
        open.push({
          range,
          isCall: called.test(typed.slice(Math.max(0, index - 7), index)) || open.at(-1)?.isCall === true,
        });
      else if (mark === ')') {
        const opening = open.pop();
        if (!opening) diagnostics.push(loose('unmatched-bracket', range, source, 'closes none that is open'));
        else if (open.length === 0 && !opening.isCall) diagnostics.push(failedPair(opening.range, range, source));
      } else if (mark === '"') {
        if (quote && !source.slice(quote.end, range.start).includes('\n')) {
          diagnostics.push(failedPair(quote, range, source));
          quote = null;
        } else {
          if (quote) diagnostics.push(loose('unclosed-quote', quote, source, 'is not closed on its line'));
          quote = range;
        }
      }
    }
  }
  if (quote) diagnostics.push(loose('unclosed-quote', quote, source, 'is not closed on its line'));
  const unclosed = open.filter(({ isCall }) => !isCall);
  return [...diagnostics, ...unclosed.map(({ range }) => loose('unclosed-bracket', range, source, 'is never closed'))];
}

function loose(code: string, range: Range, source: string, what: string): Diagnostic {
  const mark = source[range.start];
  const message = `This “${mark}” ${what} and is encoded as a character: type “\\${mark}” if that is meant.`;
  return diagnostic('warning', code, range, message, fixWith(`Type “\\${mark}”`, addition(range.start, '\\')));
}

/** A pair of brackets or quotes that is text all the same. */
function failedPair(open: Range, close: Range, source: string): Diagnostic {
  const name = source[open.start] === '(' ? 'brackets' : 'quotes';
  const before = source[open.start - 1] ?? ' ';
  if (!/[\s"()]/.test(before)) {
    const message = `These ${name} are encoded as characters because they touch the text before them: put a space there.`;
    const fix = fixWith('Put a space there', addition(open.start, ' '));
    return diagnostic('info', 'touching-text', { start: open.start, end: close.end }, message, fix);
  }
  const inside = /=|(?<=^|[\s(,.])[+-]+(?=$|[\s),.])/.exec(source.slice(open.end, close.start));
  const sign = inside?.[0];
  const range = inside ? { start: open.end + inside.index, end: open.end + inside.index + inside[0].length } : open;
  const message = sign
    ? `“${sign}”${sign === '=' ? '' : ' by itself'} cannot stand inside ${name}, so these are encoded as characters.`
    : `What is inside these ${name} cannot be read, so they are encoded as characters.`;
  return diagnostic('warning', 'not-in-brackets', range, message);
}

function originalOnly({ operator: range }: Swap): Diagnostic {
  return diagnostic(
    'info',
    'swap-original-only',
    range,
    'Compel 2.3 and 2.4 stop at .swap() with an error; what is shown is what 2.2.1 encodes, which is only what is swapped away: the other side takes a sampler that edits attention while it draws.',
  );
}

function isBadOption({ key, value }: Option): boolean {
  return key === 'shape_freedom' && !(typeof value === 'number' && value >= 0);
}

function badOption(option: Option): Diagnostic {
  const message =
    'shape_freedom must be a number from 0 to 1: without one Compel stops with an error, and here it is left out.';
  return diagnostic('error', 'swap-option', option, message);
}

function loraNotApplied(lora: Lora): Diagnostic {
  const message = `Compel only hands the LoRA “${lora.name}” on to the program around it, which merges it: the name is not encoded.`;
  return diagnostic('info', 'lora-not-applied', lora, message);
}

/** Says why the original raises, and what happens here instead. */

export function controlCharacter(source: string, at: number): Diagnostic {
  const code = source.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0');
  const range = { start: at, end: at + 1 };
  const message = `The control character U+${code} stops Compel with an error; here it is a space: remove it.`;
  return diagnostic(
    'error',
    'control-character',
    range,
    message,
    fixWith('Make it a space', { ...range, insert: ' ' }),
  );
}

export function textAfterBlend(range: Range): Diagnostic {
  const message =
    'Text after .blend() stops Compel with an error; here all of the prompt is text: put it into the parts.';
  return diagnostic('error', 'text-after-blend', range, message, fixWith('Remove it', { ...range, insert: '' }));
}

export function textAfterAnd(range: Range): Diagnostic {
  const message = 'Compel drops what follows .and(): put it into one of the parts.';
  return diagnostic('warning', 'text-after-and', range, message, fixWith('Remove it', { ...range, insert: '' }));
}

export function weightCount({ operator, call, parts }: Composite, given: number): Diagnostic {
  const message = `.${operator}() has ${given} ${given === 1 ? 'weight' : 'weights'} for ${parts.length} ${parts.length === 1 ? 'part' : 'parts'}, which stops Compel with an error; here all of the prompt is text: give one for each, or none.`;
  return diagnostic('error', 'weight-count', call, message);
}

export function notANumber({ operator }: Composite, option: Option): Diagnostic {
  const message = `“${option.key}” is not a weight and stops Compel with an error; here all of the prompt is text: .${operator}() takes numbers${operator === 'blend' ? ', and no_normalize at the end' : ''}.`;
  return diagnostic('error', 'not-a-number-weight', option, message);
}

/** The weights of a blend are divided by their sum. Where all are 0, they are no better undivided. */
export function zeroSum({ call }: Composite, isAllZero: boolean): Diagnostic {
  const instead = isAllZero ? '' : ', or write no_normalize after them';
  const message = `The weights of this .blend() add up to 0, by which Compel divides them, so no number comes out of it: change one${instead}.`;
  const fix = fixWith('Write no_normalize', addition(call.end - 1, ', no_normalize'));
  return diagnostic('error', 'blend-sum-zero', call, message, isAllZero ? undefined : fix);
}

export function notFinitePart({ operator }: Composite, option: Option): Diagnostic {
  const message = `“${option.key}” is not a finite weight, and no number comes out of .${operator}() with it: write a finite one.`;
  return diagnostic('error', 'not-finite-weight', option, message);
}

export function swapInBlend(range: Range): Diagnostic {
  const message =
    'A .swap() inside .blend() stops Compel with an error; here all of the prompt is text: use only one of them.';
  return diagnostic('error', 'swap-in-blend', range, message);
}

export function emptyBlendPart(range: Range): Diagnostic {
  const message =
    'A part of .blend() with nothing in it stops Compel with an error; here all of the prompt is text: write "" for an empty prompt.';
  return diagnostic('error', 'empty-blend-part', range, message);
}

export function nothingToEncode(range: Range): Diagnostic {
  const message =
    'There is no text here, which stops Compel with an error; here the empty prompt is encoded: write "" for it.';
  return diagnostic('error', 'nothing-to-encode', range, message);
}

export function nestedSwap(range: Range): Diagnostic {
  const message =
    'A .swap() inside another stops Compel with an error; here what the inner one swaps away is taken: use one.';
  return diagnostic('error', 'nested-swap', range, message);
}

export function emptyWeighted(range: Range): Diagnostic {
  const message =
    'A weight below 1 on an empty text stops Compel with an error; here it does nothing: remove the weight.';
  return diagnostic('error', 'empty-weighted', range, message);
}

export function notFiniteWeight(range: Range): Diagnostic {
  const message =
    'The weight of this text is no longer a finite number, and nothing can be encoded with it: write a smaller one.';
  return diagnostic('error', 'not-finite-weight', range, message);
}
