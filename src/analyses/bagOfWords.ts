import type { EncoderPass } from '../clip/encoderPass.ts';
import type { AnalysisEncoder } from './analysisEncoder.ts';
import { rowTurn } from './rowMeasures.ts';

/** A text with the same words in another order, or with one more: what it says is something else. */
export interface TextVariant {
  readonly name: string;
  readonly text: string;
}

const colours =
  'red|orange|yellow|green|teal|cyan|blue|navy|purple|violet|pink|magenta|black|white|grey|gray|brown|beige|golden|gold|silver|blonde';
const relations =
  'to the left of|to the right of|left of|right of|in front of|on top of|next to|inside of|above|below|behind|under|over|beside|inside|on|with|and|near|in|at';

/** Exchanges two stretches of a text; `a` comes first. */
function exchanged(text: string, a: readonly [number, number], b: readonly [number, number]): string {
  return text.slice(0, a[0]) + text.slice(...b) + text.slice(a[1], b[0]) + text.slice(...a) + text.slice(b[1]);
}

function swappedColours(text: string): string | null {
  const found = [...text.matchAll(new RegExp(`\\b(${colours})\\b`, 'gi'))];
  const second = found.find(([word]) => word.toLowerCase() !== found[0][0].toLowerCase());
  if (!second) return null;
  const span = ({ index, 0: word }: RegExpMatchArray) => [index!, index! + word.length] as const;
  return exchanged(text, span(found[0]), span(second));
}

/** Exchanges what stands before and after a relation, or else the first and the last part between commas. */
function swappedOrder(text: string): string | null {
  const related = new RegExp(`^(.+?)(\\s+(?:${relations})\\s+)([^,]+)(.*)$`, 'is').exec(text);
  if (related) return `${related[3]}${related[2]}${related[1]}${related[4]}`;
  const parts = text.split(/\s*,\s*/).filter(Boolean);
  return parts.length > 1 ? [...parts.slice(1), parts[0]].join(', ') : null;
}

/** Makes the variants that a text has; some texts lack what a variant exchanges. */
export function textVariants(text: string): TextVariant[] {
  const plain = text.trim().replace(/\s+/g, ' ');
  if (plain === '') return [];
  const made = [
    { name: 'Colours exchanged', text: swappedColours(plain) },
    { name: 'Order exchanged', text: swappedOrder(plain) },
    { name: 'Negated', text: `not ${plain}` },
    { name: 'Words in alphabetical order', text: plain.replaceAll(',', '').split(' ').sort().join(' ') },
  ];
  return made.flatMap((variant) =>
    variant.text !== null && variant.text !== plain ? [{ name: variant.name, text: variant.text }] : [],
  );
}

/** A pass, and the row of its EOS. */
export interface EndedPass {
  readonly pass: EncoderPass;
  readonly eos: number;
}

/**
 * [others] of [read + 1] 1 − cos of the rows at EOS of each other pass and the first, after the final LayerNorm at each state up to the
 * one that is read; exactly 0 where the rows are equal.
 */
export async function eosTurns(
  first: EndedPass,
  others: readonly EndedPass[],
  read: number,
  encoder: AnalysisEncoder,
): Promise<readonly Float64Array[]> {
  const { hiddenSize: d } = encoder.config;
  const all = [first, ...others];
  const states = await encoder.states(all.map(({ pass }) => pass));
  const [own, ...rest] = all.map(({ eos }, i) =>
    states[i]
      .slice(0, read + 1)
      .map((state) => encoder.finalNorm(Float64Array.from({ length: d }, (_, c) => state[eos * d + c]))),
  );
  return rest.map((rows) => Float64Array.from(rows, (row, state) => rowTurn(own[state], 0, row, 0, d)));
}
