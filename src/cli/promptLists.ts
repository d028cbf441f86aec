/** Prompts in the files that people keep them in, each with the place of every character in its file. */
import { parseInfotext } from '../prompt/a1111/infotext.ts';
import type { Side } from '../prompt/side.ts';
import { countBefore } from '../prompt/sourceText.ts';

/** A prompt in a file. */
export interface ListedPrompt {
  readonly side: Side;
  readonly text: string;
  /** [text.length + 1] The index in the file's text of each UTF-16 unit, and of the end. */
  readonly places: readonly number[];
}

/** The ways in which a file can hold prompts. */
export type ListKind = 'infotext' | 'lines' | 'styles' | 'whole';

/** Recognises the way: A1111's styles by their head, an infotext by what A1111 reads in it, else a prompt a line. */
export function listKind(text: string): Exclude<ListKind, 'whole'> {
  if (/^\uFEFF?"?name"?,"?prompt"?(?:,|\r?\n|$)/.test(text)) return 'styles';
  return parseInfotext(text) ? 'infotext' : 'lines';
}

/** Lists the prompts of a file; none are empty. */
export function listedPrompts(text: string, kind: ListKind): ListedPrompt[] {
  const prompts = readers[kind](text);
  return prompts.filter((prompt) => prompt.text.trim() !== '');
}

const readers: Readonly<Record<ListKind, (text: string) => ListedPrompt[]>> = {
  whole: (text) => [slice(text, 'positive', text.startsWith('\uFEFF') ? 1 : 0, text.trimEnd().length)],

  lines: (text) =>
    Array.from(text.matchAll(/[^\r\n\uFEFF][^\r\n]*/g)).flatMap(({ 0: line, index }) => {
      const options = optionsOf(line);
      return options
        ? options.map(({ side, start, end }) => slice(text, side, index + start, index + end))
        : [slice(text, 'positive', index, index + line.length)];
    }),

  infotext(text) {
    const infotext = parseInfotext(text)!;
    const { prompt, negativePrompt } = infotext.asCivitai ?? infotext;
    const positive = found(text, 'positive', prompt, 0);
    const mark = text.indexOf('Negative prompt:');
    return [positive, found(text, 'negative', negativePrompt, Math.max(mark, 0))];
  },

  styles: (text) =>
    csvRecords(text)
      .slice(1)
      .flatMap(([, prompt, negative]) => [
        ...(prompt ? [{ side: 'positive' as const, ...withoutPlaceholder(prompt) }] : []),
        ...(negative ? [{ side: 'negative' as const, ...withoutPlaceholder(negative) }] : []),
      ]),
};

function slice(text: string, side: Side, start: number, end: number): ListedPrompt {
  return {
    side,
    text: text.slice(start, end),
    places: Array.from({ length: Math.max(0, end - start) + 1 }, (_, i) => start + i),
  };
}

/** Finds the lines of a prompt, one after the other, in the text that it was read from. */
function found(text: string, side: Side, prompt: string, from: number): ListedPrompt {
  const places: number[] = [];
  let at = from;
  for (const line of prompt.split('\n')) {
    const start = text.indexOf(line, at);
    at = start < 0 ? at : start;
    for (let i = 0; i <= line.length; i++) places.push(at + i);
    at += line.length;
  }
  return { side, text: prompt, places };
}

/** Prompts of a line of A1111's "Prompts from file or textbox": `--prompt "a" --negative_prompt "b" --steps 20`. Null if it is none. */
function optionsOf(line: string): { readonly side: Side; readonly start: number; readonly end: number }[] | null {
  if (!/^\s*--[a-z]/.test(line)) return null;
  const named = /--(negative_)?prompt\s+(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(.*?)(?=\s--[a-z]|$))/g;
  return Array.from(line.matchAll(named), ({ 0: whole, 1: negative, 2: double, 3: single, 4: bare, index }) => {
    const value = double ?? single ?? bare;
    const start = index + whole.lastIndexOf(value);
    return { side: negative ? 'negative' : 'positive', start, end: start + value.length };
  });
}

type Cell = Omit<ListedPrompt, 'side'>;

/** Records of a CSV file, whose quoted cells may hold commas, line breaks, and quotes written twice. */
function csvRecords(text: string): Cell[][] {
  const records: Cell[][] = [];
  let record: Cell[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  while (at < text.length) {
    const places: number[] = [];
    if (text[at] === '"') {
      for (at++; at < text.length && (text[at] !== '"' || text[at + 1] === '"'); at++) {
        places.push(at);
        if (text[at] === '"') at++;
      }
      places.push(at++);
    } else {
      while (at < text.length && !/[,\r\n]/.test(text[at])) places.push(at++);
      places.push(at);
    }
    record.push({
      text: places
        .slice(0, -1)
        .map((place) => text[place])
        .join(''),
      places,
    });
    while (at < text.length && !/[,\r\n]/.test(text[at])) at++;
    if (text[at] === ',') {
      at++;
      if (at < text.length && !/[\r\n]/.test(text[at])) continue;
    }
    records.push(record);
    record = [];
    while (/[\r\n]/.test(text[at] ?? '')) at++;
  }
  if (record.length > 0) records.push(record);
  return records;
}

/** Takes the braces off a style's `{prompt}`, in whose place A1111 puts the prompt; all else stays where it is. */
function withoutPlaceholder({ text, places }: Cell): Cell {
  return { text: text.replaceAll('{prompt}', ' prompt '), places };
}

/** A line and a column, both from 1; a column counts UTF-16 units. */
export interface LinePlace {
  readonly line: number;
  readonly column: number;
}

/** Returns a function that gives the line and column of places in a text. */
export function linePlaces(text: string): (place: number) => LinePlace {
  const lines = [{ start: text.startsWith('\uFEFF') ? 1 : 0 }];
  for (const { 0: end, index } of text.matchAll(/\r\n?|\n/g)) lines.push({ start: index + end.length });
  return (place) => {
    const line = countBefore(lines, place + 1);
    return { line, column: place - lines[line - 1].start + 1 };
  };
}
