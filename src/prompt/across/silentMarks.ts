/** Marks that are typed for a meaning and have none in any of the three languages, or none in the one that reads them. */
import type { Diagnostic, SourceText } from '../ast.ts';
import { type Fix, fixWith, info, warning } from '../diagnostics.ts';
import { typedRange } from '../sourceText.ts';
import { programs, type Syntax } from '../syntax.ts';
import { decimal } from './translate.ts';
import { eachWeight, type WeighedText } from './weighedText.ts';

/**
 * Finds full-width brackets, weights given twice, `{a|b}`, `{x}`, `__x__` and comments of ComfyUI's page. In a text that the
 * page has read, braces and slashes are characters.
 */
export function silentMarks(weighed: WeighedText, syntax: Syntax, isPageText = false): Diagnostic[] {
  const { text } = weighed;
  return [
    ...fullWidthBrackets(text, syntax),
    ...(syntax === 'compel' ? [] : weightsTwice(weighed, syntax)),
    ...(isPageText ? [] : braces(text, syntax)),
    ...wildcards(text, syntax),
    ...(isPageText ? [] : interfaceComments(text, syntax)),
  ];
}

/** Writes text with a weight as each language does. */
function weighedIn(syntax: Syntax, number: string): { readonly open: string; readonly close: string } {
  return syntax === 'compel' ? { open: '(', close: `)${number}` } : { open: '(', close: `:${number})` };
}

const fullWidth = /[（）：]/;
const numberAtEnd = /[：:]\s{0,9}([0-9０-９]{1,9}(?:[.．][0-9０-９]{1,9})?)\s{0,9}$/;

/** Finds pairs of brackets, one of which or the colon before their number comes from a Chinese or Japanese keyboard. */
function fullWidthBrackets(source: SourceText, syntax: Syntax): Diagnostic[] {
  const { text } = source;
  if (!fullWidth.test(text)) return [];
  const diagnostics: Diagnostic[] = [];
  const open: { readonly at: number; readonly letters: number }[] = [];
  let letters = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\\') at++;
    else if (character === '(' || character === '（') open.push({ at, letters });
    else if (character === ')' || character === '）') {
      const opened = open.pop();
      if (opened && letters > opened.letters) diagnostics.push(...fullWidthPair(source, syntax, opened.at, at));
    } else if (/\p{L}/u.test(character)) letters++;
  }
  return diagnostics;
}

/** Whether brackets from unit `from` to `to` weigh, were they written there: in Compel nothing but a space may stand before them. */
const canWeighAt = ({ text }: SourceText, syntax: Syntax, from: number, to: number): boolean =>
  syntax !== 'compel' || (/^\s?$/.test(text[from - 1] ?? '') && /^[\s,]?$/.test(text[to] ?? ''));

function fullWidthPair(source: SourceText, syntax: Syntax, from: number, close: number): Diagnostic[] {
  const { text } = source;
  const tail = numberAtEnd.exec(text.slice(Math.max(from + 1, close - 40), close));
  const marks = `${text[from]}${tail?.[0] ?? ''}${text[close]}`;
  if (!fullWidth.test(marks)) return [];
  const after = /^(?:[+-]{1,9}|\d{0,9}\.\d{1,9})(?=$|[\s,，.)）])/.exec(text.slice(close + 1, close + 21));
  // Brackets alone weigh nothing in Compel, whatever they are.
  if (syntax === 'compel' && !tail && !after) return [];
  const number = tail?.[1].normalize('NFKC');
  const written = number ? weighedIn(syntax, number) : { open: '(', close: ')' };
  const range = typedRange(source, from, close + 1)!;
  const isWhole = range.end - range.start === close + 1 - from;
  const end = close - (tail?.[0].length ?? 0);
  const fix = fixWith(
    `Write ${written.open}…${written.close}`,
    { start: source.starts[from], end: source.ends[from], insert: written.open },
    { start: source.starts[end], end: source.ends[close], insert: written.close },
  );
  const message = `${programs[syntax]} weighs by ( ) and : alone, and some of these are full-width characters, which are encoded as text: write ${written.open}…${written.close}.`;
  const say = tail || after ? warning : info;
  const canFix = isWhole && canWeighAt(source, syntax, from, close + 1 + (after?.[0].length ?? 0));
  return [say('full-width-brackets', range, message, canFix ? fix : undefined)];
}

/** Finds signs or a number after brackets that have a number in them: `(x:1.3)++`. */
function weightsTwice({ text: source, nodes }: WeighedText, syntax: Syntax): Diagnostic[] {
  const mark = /\)(\+{1,9}|-{1,9}|\d{0,9}\.\d{1,9})(?=$|[\s,;:!?)\]])/g;
  const marks = Array.from(source.text.matchAll(mark));
  if (marks.length === 0) return [];
  const closed = new Set<number>();
  eachWeight(nodes, ({ form, close }) => {
    if (form === 'round-number' && close) closed.add(close.end);
  });
  return marks.flatMap(({ 0: typed, 1: weight, index }) => {
    if (!closed.has(source.ends[index])) return [];
    const range = typedRange(source, index + 1, index + typed.length)!;
    const message = `“${weight}” is how Compel weighs, and the brackets before it have their weight already: ${programs[syntax]} encodes it as text, so remove it.`;
    return [warning('weighed-twice', range, message, fixWith(`Remove ${weight}`, { ...range, insert: '' }))];
  });
}

const braced = /(?<!\\)(\{{1,9})([^{}\n]{1,400})(\}{1,9})/g;
/** Text that no language reads as anything else in brackets. */
const plainText = /^[\p{L}\p{M}\p{N} ,'’-]*[\p{L}\p{N}]$/u;

/** Finds `{a|b}`, of which ComfyUI's page and an extension of A1111 pick one, and `{x}`, by which NovelAI weighs. */
function braces(source: SourceText, syntax: Syntax): Diagnostic[] {
  return Array.from(source.text.matchAll(braced)).flatMap(({ 0: typed, 1: open, 2: content, 3: close, index }) => {
    if (open.length !== close.length || !/\p{L}/u.test(content)) return [];
    const range = typedRange(source, index, index + typed.length)!;
    const isWhole = range.end - range.start === typed.length;
    const replaced = (insert: string): Fix | undefined =>
      isWhole
        ? fixWith(`Write ${insert.length > 40 ? `${insert.slice(0, 39)}…` : insert}`, { ...range, insert })
        : undefined;
    const [first, ...others] = content.split('|');
    if (syntax === 'comfy') {
      const message =
        others.length > 0
          ? 'ComfyUI’s page chooses one of {…|…}, and its API, as here, encodes all of it as text: write the one that is meant, or switch the page on under Options.'
          : 'ComfyUI’s page takes {…} for a choice and drops the braces, and its API, as here, encodes them as text: remove them.';
      return [info('choice', range, message, plainText.test(first.trim()) ? replaced(first.trim()) : undefined)];
    }
    if (others.length > 0) {
      const instead = syntax === 'a1111' ? ', or [a|b] to take turns' : '';
      const message = `{…|…} picks one of several in ComfyUI’s page and in the extension Dynamic Prompts alone: ${programs[syntax]} encodes all of it as text, so write the one that is meant${instead}.`;
      return [info('choice', range, message, plainText.test(first.trim()) ? replaced(first.trim()) : undefined)];
    }
    const weight = decimal(1.05 ** open.length);
    const written = weighedIn(syntax, weight);
    const message = `{…} is how NovelAI weighs, and ${programs[syntax]} encodes the braces as text: write ${written.open}…${written.close} for the weight that they have there.`;
    const canWeigh = canWeighAt(source, syntax, index, index + typed.length);
    const fix = plainText.test(content) && canWeigh ? replaced(`${written.open}${content}${written.close}`) : undefined;
    return [info('novelai-weight', range, message, fix)];
  });
}

/** Finds `__name__`, which extensions replace by a line of a file. */
function wildcards(source: SourceText, syntax: Syntax): Diagnostic[] {
  const wildcard = /(?<![\p{L}\p{N}_])__[\p{L}\p{N}](?:[\p{L}\p{N}/*.-]|_(?!_)){0,100}__(?![\p{L}\p{N}_])/gu;
  return Array.from(source.text.matchAll(wildcard), ({ 0: typed, index }) => {
    const range = typedRange(source, index, index + typed.length)!;
    const message = `“${typed}” stands for a line of a file in extensions such as Dynamic Prompts alone: ${programs[syntax]} encodes it as text, so write the words that are meant.`;
    return info('wildcard', range, message);
  });
}

/** Finds comments that ComfyUI's page takes away: `// …` to the end of the line, and between slashes with stars. */
function interfaceComments(source: SourceText, syntax: Syntax): Diagnostic[] {
  const comment = /(?<![^\s,])(?:\/\/[^\n]*|\/\*(?:[^*]|\*(?!\/)){0,1000}\*\/)/g;
  return Array.from(source.text.matchAll(comment)).flatMap(({ 0: typed, index }) => {
    const range = typedRange(source, index, index + typed.length)!;
    const isWhole = range.end - range.start === typed.length;
    const message =
      syntax === 'comfy'
        ? 'ComfyUI’s page removes this comment, and its API, as here, encodes it as text: remove it.'
        : `This is a comment in ComfyUI’s page alone, and ${programs[syntax]} encodes it as text: remove it.`;
    const fix = isWhole ? fixWith('Remove the comment', { ...range, insert: '' }) : undefined;
    return [info('interface-comment', range, message, fix)];
  });
}
