/** The prompts and parameters of an infotext. */
interface InfotextReading {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** The last line's fields, by their names as written: `Steps`, `Clip skip`, `Model hash`. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** The parameters that A1111 writes into a picture it made. */
export interface Infotext extends InfotextReading {
  /** Holds what Civitai reads in a text that lost its line breaks, where A1111 does not find the prompts in it. */
  readonly asCivitai?: InfotextReading;
}

/**
 * A name of two characters or more, and a value up to a comma or, with backslashes as in JSON, between quotes. What is
 * none is passed over a word at a time, because no part of a word without a colon is a name either.
 */
const field =
  /\s*([\p{L}\p{N}_][\p{L}\p{N}_ \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)|\s+|[\p{L}\p{N}_][\p{L}\p{N}_ \-/]*|./gu;
/** A last line longer than this holds no parameters. */
const longestLine = 50_000;
const negative = 'Negative prompt:';

/**
 * Reads A1111's infotext as `parse_generation_parameters` of stable-diffusion-webui 1.10 does: the last line holds the
 * parameters if it has at least three; the lines from "Negative prompt:" on are the negative prompt. Any text can be read
 * so: null where there is neither a negative prompt nor a number of steps, which is taken for a mere prompt.
 */
export function parseInfotext(text: string): Infotext | null {
  const { hasNegative, ...reading } = asA1111(text);
  const mended = withLineBreaks(text);
  if (mended !== null) {
    const { hasNegative: _, ...asCivitai } = asA1111(mended);
    if (hasSteps(asCivitai)) return { ...reading, asCivitai };
  }
  return hasNegative || hasSteps(reading) ? reading : null;
}

function hasSteps({ parameters }: InfotextReading): boolean {
  return parameterNumber(parameters, 'Steps') !== null;
}

/** Reads any text as A1111 reads an infotext; `hasNegative` is whether a line begins with "Negative prompt:". */
function asA1111(text: string): InfotextReading & { readonly hasNegative: boolean } {
  const lines = text.trim().split(/\r\n?|\n/);
  const fields = fieldsOf(lines[lines.length - 1]);
  if (fields.length >= 3) lines.pop();
  const parameters = new Map(fields.length >= 3 ? fields.filter(([, value]) => value !== '') : []);

  const prompts: Record<'prompt' | 'negativePrompt', string[]> = { prompt: [], negativePrompt: [] };
  let part: keyof typeof prompts = 'prompt';
  for (const line of lines) {
    const typed = line.trim();
    if (typed.startsWith(negative)) part = 'negativePrompt';
    prompts[part].push(typed.startsWith(negative) ? typed.slice(negative.length).trim() : typed);
  }
  return {
    prompt: joined(prompts.prompt),
    negativePrompt: joined(prompts.negativePrompt),
    parameters,
    hasNegative: part === 'negativePrompt',
  };
}

/**
 * Puts back the line breaks that an infotext lost, as Civitai does since June 2026: before "Steps:" and, left of it, before
 * "Negative prompt:", in place of the dots, commas and spaces that some programs write there. Returns null where none of the
 * two lost its own.
 */
function withLineBreaks(text: string): string | null {
  const whole = text.trim().replace(/^Parameters\s*:\s*/, '');
  const steps = /^Steps: *\d/m.exec(whole) ?? /[\s.,]Steps: *\d/.exec(whole);
  if (!steps) return null;
  const last = whole.slice(steps.index).replace(/^[\s.,]/, '');
  const before = whole.slice(0, steps.index);
  const at = before.indexOf(negative);
  const prompt = at < 0 ? before : before.slice(0, at);
  const negativePrompt = at < 0 ? '' : before.slice(at + negative.length);
  if ([prompt, negativePrompt].every((part) => part === '' || /[\r\n]$/.test(part))) return null;
  return `${withoutMarks(prompt)}\n${negative}${withoutMarks(negativePrompt)}\n${last}`;
}

/** Takes off the dots, commas and spaces that stand for a lost line break, in time that grows with the text's length. */
function withoutMarks(text: string): string {
  if (/[\r\n]$/.test(text)) return text.trimEnd();
  let end = text.length;
  while (end > 0 && /[\s.,]/.test(text[end - 1])) end--;
  return text.slice(0, end);
}

/** A whole number from 1 up among the parameters; null where there is none. */
export function parameterNumber(parameters: Infotext['parameters'], name: string): number | null {
  const value = parameters.get(name)?.trim() ?? '';
  return /^[1-9]\d{0,5}$/.test(value) ? Number(value) : null;
}

/** A release of Python's form (PEP 440), which stands in `Version`: its numbers, and whether it precedes that release. */
const release =
  /^\s*v?(?:\d+!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?\d*)?(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?([-_.]?dev[-_.]?\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?\s*$/i;

/**
 * Whether `Version` names an A1111 before 1.6, whose schedules count otherwise. As A1111 reads it: of "v1.5.2-3-g1a2b3c" the
 * commit is left out; what is no version then, such as Forge's "f2.0.1v1.10.1-previous", counts as none.
 */
export function isBeforeA1111V16(parameters: Infotext['parameters']): boolean {
  const version = parameters.get('Version') ?? '';
  const [, numbers, before, development] = release.exec(/^([^-]+-[^-]+)-/.exec(version)?.[1] ?? version) ?? [];
  if (numbers === undefined) return false;
  const [major, minor = 0, ...patches] = numbers.split('.').map(Number);
  if (major !== 1 || minor !== 6) return major < 1 || (major === 1 && minor < 6);
  return patches.every((number) => number === 0) && (before !== undefined || development !== undefined);
}

/** The fields of a line, those without a value included, which A1111 counts and then drops. */
function fieldsOf(line: string): [string, string][] {
  if (line.length > longestLine) return [];
  return Array.from(line.matchAll(field)).flatMap(([, name, value]) =>
    name === undefined ? [] : [[name, unquoted(value)]],
  );
}

/** Empty lines before the first that is not are left out. */
function joined(lines: readonly string[]): string {
  return lines.reduce((text, line) => (text === '' ? line : `${text}\n${line}`), '');
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    const text: unknown = JSON.parse(value);
    return typeof text === 'string' ? text : value;
  } catch {
    return value;
  }
}
