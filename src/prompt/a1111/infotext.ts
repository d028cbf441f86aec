/** The parameters that A1111 writes into a picture it made. */
export interface Infotext {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** The last line's fields, by their names as written: `Steps`, `Clip skip`, `Model hash`. */
  readonly parameters: ReadonlyMap<string, string>;
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
  const lines = text.trim().split(/\r\n?|\n/);
  const fields = fieldsOf(lines[lines.length - 1]);
  if (fields.length >= 3) lines.pop();
  const parameters = new Map(fields.length >= 3 ? fields : []);

  const prompts: Record<'prompt' | 'negativePrompt', string[]> = { prompt: [], negativePrompt: [] };
  let part: keyof typeof prompts = 'prompt';
  for (const line of lines) {
    const typed = line.trim();
    if (typed.startsWith(negative)) part = 'negativePrompt';
    prompts[part].push(typed.startsWith(negative) ? typed.slice(negative.length).trim() : typed);
  }
  if (part === 'prompt' && parameterNumber(parameters, 'Steps') === null) return null;
  return { prompt: joined(prompts.prompt), negativePrompt: joined(prompts.negativePrompt), parameters };
}

/** A whole number from 1 up among the parameters; null where there is none. */
export function parameterNumber(parameters: Infotext['parameters'], name: string): number | null {
  const value = parameters.get(name)?.trim() ?? '';
  return /^[1-9]\d{0,5}$/.test(value) ? Number(value) : null;
}

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
