import type { Diagnostic, Range, SourceText } from '../ast.ts';
import { asciiDigits, pythonSpace as space } from '../pythonText.ts';
import { sliceSource, typedRange } from '../sourceText.ts';

/** One of the prompts that AND combines: `uncond + Σ weight · cfg · (cond − uncond)`. */
export interface PromptPart extends Range {
  readonly text: SourceText;
  readonly weight: number;
  /** The typed number. */
  readonly number: Range | null;
  /** Index among the distinct texts: the same text is encoded once. */
  readonly encoding: number;
}

/** Python's `\b` looks at letters and digits of every script. */
const and = /(?<![\p{L}\p{N}_])AND(?![\p{L}\p{N}_])/gu;
const trailingSpace = new RegExp(`[${space}]$`);
const onlySpace = new RegExp(`^[${space}]*`);
const number = /^[-+]?(?:\p{Nd}+\.?|\p{Nd}*\.\p{Nd}+)$/u;

/**
 * Parts of a positive prompt, as `get_multicond_prompt_list` of stable-diffusion-webui 1.10 finds them: split at the word
 * AND, each with the number after its last colon as weight; whitespace at its end and before that colon is dropped. The
 * number counts without any AND, too.
 */
export function splitParts(source: SourceText): {
  readonly parts: readonly PromptPart[];
  readonly diagnostics: readonly Diagnostic[];
} {
  const { text } = source;
  const encodings = new Map<string, number>();
  const parts: PromptPart[] = [];
  let start = 0;
  for (const end of [...[...text.matchAll(and)].map(({ index }) => index), text.length]) {
    parts.push(readPart(source, start, end, encodings));
    start = end + 'AND'.length;
  }
  const [{ number: typed, weight }] = parts;
  return { parts, diagnostics: parts.length === 1 && typed ? [guidanceWeight(weight, typed)] : [] };
}

function readPart(source: SourceText, start: number, end: number, encodings: Map<string, number>): PromptPart {
  const { text } = source;
  const trimmed = (to: number) => {
    let last = to;
    while (last > start && trailingSpace.test(text[last - 1])) last--;
    return last;
  };
  let textEnd = trimmed(end);
  let weight = 1;
  let typed: Range | null = null;
  const colon = start + text.slice(start, textEnd).lastIndexOf(':');
  if (colon >= start) {
    const [blank] = onlySpace.exec(text.slice(colon + 1, textEnd))!;
    const numberStart = colon + 1 + blank.length;
    const digits = text.slice(numberStart, textEnd);
    if (number.test(digits)) {
      weight = Number(asciiDigits(digits));
      typed = typedRange(source, numberStart, textEnd)!;
      textEnd = trimmed(colon);
    }
  }
  const part = sliceSource(source, start, textEnd);
  if (!encodings.has(part.text)) encodings.set(part.text, encodings.size);
  const at = source.starts.at(start) ?? source.ends.at(-1) ?? 0;
  return {
    ...(typedRange(source, start, end) ?? { start: at, end: at }),
    text: part,
    weight,
    number: typed,
    encoding: encodings.get(part.text)!,
  };
}

function guidanceWeight(weight: number, { start, end }: Range): Diagnostic {
  return {
    code: 'guidance-weight',
    severity: 'warning',
    start,
    end,
    message: `A number after the last colon of a prompt is its weight and not encoded: the guidance counts ${weight} times; put a comma after it to keep it as text.`,
    fix: { label: 'Put a comma after it', edits: [{ start: end, end, insert: ',' }] },
  };
}
