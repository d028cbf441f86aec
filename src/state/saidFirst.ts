import type { Range } from '../prompt/ast.ts';
import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import type { Facts } from './facts.ts';
import { memoised } from './memoised.ts';
import { prepared, readingInput } from './reading.ts';
import { road } from './road.ts';

/** The tokens of each chunk with their weights, in no order. */
const tokensOf = ({ chunks }: PreparedPrompt): string =>
  chunks
    .map(({ chunk }) =>
      chunk.tokens
        .filter(({ kind }) => kind === 'text')
        .map(({ id, weight }) => `${id}:${weight}`)
        .sort()
        .join(' '),
    )
    .join('|');

/** Moves a stretch of a text to its beginning; what it leaves behind is closed. */
function movedFirst(source: string, { start, end }: Range): string {
  const rest = `${source.slice(0, start)}${source.slice(end)}`.replace(/ {2,}/g, ' ').replace(/ ,/g, ',').trim();
  return `${source.slice(start, end).trim()} ${rest}`;
}

const textOf = memoised((shown: PreparedPrompt, input: ReturnType<typeof readingInput>, side: Facts['side']) => {
  const known = new Map<Range, string | null>();
  return (range: Range): string | null => {
    if (!known.has(range)) {
      // A word in brackets takes them with it, or they would weigh something else.
      const whole = shown.nodes.find(
        ({ type, start, end }) => type !== 'text' && start <= range.start && range.end <= end,
      );
      const text = movedFirst(shown.source, whole ?? range);
      const isMoved = text.trim() !== shown.source.trim();
      const again =
        isMoved && input && road().preparePrompt(text, input.options, input.tokenizer, side, input.embeddings);
      known.set(range, again && tokensOf(again) === tokensOf(shown) ? text : null);
    }
    return known.get(range)!;
  };
});

/** The prompt on show with a word, or the brackets around it, at its beginning; null where it would then be read otherwise. */
export function saidFirstText(facts: Facts, range: Range): string | null {
  const shown = prepared(facts, facts.side);
  return shown ? textOf(shown, readingInput(facts, facts.side), facts.side)(range) : null;
}

/** A text without brackets that have nothing in them, or nothing but a weight. */
function withoutEmptyBrackets(text: string): string {
  const rest = text.replace(/[([]\s*(:\s*[-+\d.]*)?\s*[)\]]/g, '');
  return rest === text ? text : withoutEmptyBrackets(rest);
}

/** A text without a stretch of it; brackets that are left empty go with it. */
export const withoutRange = (source: string, { start, end }: Range): string =>
  withoutEmptyBrackets(`${source.slice(0, start)}${source.slice(end)}`)
    .replace(/\s{2,}/g, ' ')
    .replace(/\s+,/g, ',')
    .trim();
