/** Writing a prompt in another program's language. */
import { pythonSpace as space } from '../pythonText.ts';
import type { Syntax } from '../syntax.ts';

/** A fragment to be printed, without the place where it was typed. */
export interface Piece {
  readonly kind: 'text' | 'break';
  readonly text: string;
  readonly weight: number;
}

/** Twelve digits: a weight reads as it was meant (1.21, not 1.2100000000000002) and is off by less than float32 shows. */
export function decimal(value: number): string {
  const short = Number(value.toPrecision(12));
  const text = String(short);
  // No program but ComfyUI reads an exponent.
  if (!/\de/.test(text)) return text;
  return Math.abs(short) < 1 ? short.toFixed(20).replace(/\.?0+$/, '') : BigInt(short).toString();
}

/** Brackets and backslashes as text; BREAK, AND and tags cut in two by a backslash that A1111 drops. */
function escapeA1111(text: string): string {
  return text
    .replace(/[\\()[\]]/g, '\\$&')
    .replace(/(?<![\p{L}\p{N}_])(BREAK|AND)(?![\p{L}\p{N}_])/gu, (word) => `${word[0]}\\${word.slice(1)}`)
    .replace(/<(?=[\p{L}\p{N}_]+:)/gu, '<\\');
}

// A number after a colon at the very end would be taken for the weight of the whole prompt.
const trailingNumber = new RegExp(String.raw`:(?=[${space}]*[-+]?(?:\p{Nd}+\.?|\p{Nd}*\.\p{Nd}+)[${space}]*$)`, 'u');

/** Says how A1111 will read what is printed: `emphasis` false where brackets are text, `squareFactor` the weight of `[x]`. */
interface A1111Reading {
  readonly emphasis?: boolean;
  readonly squareFactor?: number;
}

function printA1111(pieces: readonly Piece[], { emphasis = true, squareFactor = 1 / 1.1 }: A1111Reading): string {
  // Neither weights nor chunks can be said there, and a backslash stays a character.
  if (!emphasis) return pieces.map(({ kind, text }) => (kind === 'break' ? ' ' : text)).join('');
  const printed = pieces.map(({ kind, text, weight }) => {
    if (kind === 'break') return ' BREAK ';
    const escaped = escapeA1111(text);
    if (weight === 1 || !Number.isFinite(weight)) return escaped;
    // After a colon a number in the text would be the weight, and square brackets a schedule.
    const isPlain = !/[:|]/.test(text);
    if (weight === 1.1 && isPlain) return `(${escaped})`;
    if (weight === squareFactor && isPlain) return `[${escaped}]`;
    return `(${escaped}:${decimal(weight)})`;
  });
  return printed.join('').replace(trailingNumber, ':\\');
}

function printComfy(pieces: readonly Piece[]): string {
  const printed = pieces.map(({ kind, text, weight }) => {
    if (kind === 'break') return ' ';
    const escaped = text.replace(/[()]/g, '\\$&');
    if (weight === 1) return escaped;
    return weight === 1.1 && !/:|\\$/.test(text) ? `(${escaped})` : `(${escaped}:${decimal(weight)})`;
  });
  // A backslash before a bracket that weighs would make it a character.
  return printed.map((text, i) => (text.endsWith('\\') && printed[i + 1]?.[0] === '(' ? `${text} ` : text)).join('');
}

/** The characters Compel reads by themselves, where no backslash stands before them. */
const compelMark = /[()",.+=-]/;

/** End of the word that begins a text, as Compel reads it: before a sign that would weigh it, or another mark. */
function compelWordEnd(text: string): number {
  let end = 0;
  while (end < text.length) {
    const next = text[end + 1];
    if (text[end] === '\\' && next !== undefined && compelMark.test(next)) end += 2;
    else if (/[+-]/.test(text[end]) ? next === undefined || compelMark.test(next) : compelMark.test(text[end])) break;
    else end++;
  }
  return end;
}

function escapeCompel(text: string): string {
  return text.replace(/[()"]/g, '\\$&');
}

/** Words that weigh nothing; one that ends in signs is parted from them, which is nothing to the tokenizer. */
function compelWords(text: string): string {
  return escapeCompel(text).replace(/[^\s,]+,*/g, (word) => {
    const end = compelWordEnd(word);
    return /[\p{L}\p{N}][+-]/u.test(word.slice(end - 1, end + 1)) ? `${word.slice(0, end)} ${word.slice(end)}` : word;
  });
}

/** NFC. Only a letter's own marks are composed with it, and putting more than a few hundred of them in order takes long. */
function composed(text: string): string {
  if (!/\p{M}{500}/u.test(text)) return text.normalize('NFC');
  return text.replace(/\P{M}?\p{M}{1,500}/gu, (characters) => characters.normalize('NFC'));
}

/** Whether Compel can weigh a text without changing its tokens: in brackets commas and full stops stand alone. */
function canWeighInCompel(text: string): boolean {
  const isAlone = !/[.,][^\p{L}\p{N}\s]|[^\p{L}\p{N}\s][.,]/u.test(composed(text));
  return isAlone && !/=|[+-](?=$|[\s()",.+=-])/.test(escapeCompel(text));
}

interface Run {
  readonly weighs: boolean;
  text: string;
}

/** A word as what Compel can weigh and the marks it cannot, parted where its tokens part. */
function compelRuns(word: string): Run[] {
  if (canWeighInCompel(word)) return [{ weighs: true, text: word }];
  // Parted from its letter a mark would no longer be composed with it.
  if (/\p{M}/u.test(word)) return [{ weighs: false, text: word }];
  const chunks = word.match(/[\p{L}\p{N}]+|[^\p{L}\p{N}]+/gu) ?? [];
  const runs: Run[] = [];
  for (const [i, text] of chunks.entries()) {
    const weighs = /^[\p{L}\p{N}]/u.test(text) || canWeighInCompel(text + (chunks[i + 1]?.[0] ?? ''));
    const last = runs.at(-1);
    if (last?.weighs === weighs) last.text += text;
    else runs.push({ weighs, text });
  }
  return runs;
}

function compelGroup(text: string, weight: number): string {
  const escaped = escapeCompel(text);
  // A backslash would make a character of the bracket.
  const group = escaped.endsWith('\\') ? `(${escaped} )` : `(${escaped})`;
  if (weight === 1.1) return `${group}+`;
  if (weight === 0.9) return `${group}-`;
  return `${group}${decimal(Math.max(0, weight))}`;
}

/** A text as what Compel can weigh and what it cannot. */
function compelPieces({ text, weight }: Piece): string[] {
  const typed = text.replace(/[\v\f]/g, ' ').trim();
  if (typed === '') return [];
  if (weight === 1 || !Number.isFinite(weight)) return [compelWords(typed)];
  if (canWeighInCompel(typed)) return [compelGroup(typed, weight)];
  const joined: Run[] = [];
  for (const word of typed.split(/\s+/)) {
    const [first, ...rest] = compelRuns(word);
    if (joined.at(-1)?.weighs === first.weighs) joined[joined.length - 1].text += ` ${first.text}`;
    else joined.push(first);
    joined.push(...rest);
  }
  return joined.map((run) => (run.weighs ? compelGroup(run.text, weight) : compelWords(run.text)));
}

/** Text between weights is words with spaces between them: Compel knows no other. */
function printCompel(pieces: readonly Piece[]): string {
  const rows: Piece[][] = [[]];
  for (const piece of pieces) {
    if (piece.kind === 'break') rows.push([]);
    else rows[rows.length - 1].push(piece);
  }
  const printed = rows.map((row) => {
    const texts = row.flatMap(compelPieces);
    return texts
      .map((text, i) => (i === 0 || (text[0] === ',' && texts[i - 1][0] === '(') ? text : ` ${text}`))
      .join('');
  });
  if (printed.length === 1) return printed[0];
  const quoted = printed.map((row) => `"${row.replace(/[\n\r]/g, ' ')}${row.endsWith('\\') ? ' ' : ''}"`);
  return `(${quoted.join(', ')}).and()`;
}

/**
 * A prompt in `syntax` that weighs the same text the same, as far as that language can say it: A1111 cannot say `#`,
 * Compel a negative weight or one on = and on signs that touch others, ComfyUI a BREAK. Whoever shows the result compares the tokens.
 * `reading` is for A1111 alone.
 */
export function printPrompt(pieces: readonly Piece[], syntax: Syntax, reading: A1111Reading = {}): string {
  const said = pieces.filter(({ kind, text }) => kind === 'break' || text !== '');
  switch (syntax) {
    case 'a1111':
      return printA1111(said, reading);
    case 'compel':
      return printCompel(said);
    case 'comfy':
      return printComfy(said);
    default:
      return syntax satisfies never;
  }
}
