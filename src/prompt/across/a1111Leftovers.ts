import type { Diagnostic, Range } from '../ast.ts';

/** How another program weighs what A1111 writes as `[x]`: around it, and in words. */
export interface SquareBracketAdvice {
  readonly program: string;
  readonly open: string;
  readonly close: string;
}

const words = /(?<![\p{L}\p{N}_])(?:BREAK|AND)(?![\p{L}\p{N}_])/gu;
const squareBrackets = /\[([^[\]\n]*)\]/g;
const tag = /<(?:lora|lyco|hypernet):[^<>\n]*>/gi;

/** Points out marks of A1111 that are only text in `program`: `[x]`, BREAK, AND, `<lora:x:1>`. */
export function a1111Leftovers(source: string, { program, open, close }: SquareBracketAdvice): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const info = (code: string, range: Range, message: string, fix?: Diagnostic['fix']) =>
    diagnostics.push({ code, severity: 'info', ...range, message, ...(fix && { fix }) });
  for (const { 0: word, index } of source.matchAll(words)) {
    const range = { start: index, end: index + word.length };
    const meaning = word === 'AND' ? 'composes prompts' : 'starts a new chunk';
    info('a1111-word', range, `${word} ${meaning} in A1111 only: ${program} encodes the word.`);
  }
  for (const { 0: brackets, 1: content, index } of source.matchAll(squareBrackets)) {
    if (source[index - 1] === '\\') continue;
    const [start, end] = [index, index + brackets.length];
    const schedules = /[:|]/.test(content);
    const message = schedules
      ? `${program} does not schedule: square brackets and what is in them are encoded as text.`
      : `Square brackets mean nothing in ${program} and are encoded as characters: write ${open}…${close} to weigh less.`;
    // In brackets of another kind only a plain text is sure to stay what it is.
    const isPlain = !schedules && content.trim() !== '' && !/[()"\\=+-]/.test(content);
    const isApart = /^[\s,]?$/.test(source[start - 1] ?? '') && /^[\s,]?$/.test(source[end] ?? '');
    const fix = {
      label: `Write ${open}…${close}`,
      edits: [
        { start, end: start + 1, insert: open },
        { start: end - 1, end, insert: close },
      ],
    };
    info('square-brackets', { start, end }, message, isPlain && isApart ? fix : undefined);
  }
  for (const { 0: typed, index } of source.matchAll(tag)) {
    const message = `${program} reads no <…> tags: this is encoded as text and loads nothing.`;
    info('a1111-tag', { start: index, end: index + typed.length }, message);
  }
  return diagnostics;
}
