import { passKey } from '../clip/encoderPass.ts';
import type { RowSpan } from '../engine/profile.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import type { Side } from '../prompt/side.ts';
import { type Slices, whole } from '../prompt/slices.ts';
import type { PromptOptions } from '../road/options.ts';
import type { PreparedChunk, PreparedPrompt } from '../road/preparedPrompt.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { LoraUse } from '../worker/messages.ts';
import type { Facts, ReadingInput } from './facts.ts';
import { openedLora } from './loraActions.ts';
import { memoised } from './memoised.ts';
import { messageOf } from './notices.ts';
import { road } from './road.ts';
import { shownConfig } from './shownSizes.ts';
import { tokenizerOf } from './tokenLabels.ts';

/** The facts that a prompt is read by. */
export type ReadingFacts = Pick<Facts, 'prompts' | 'options' | 'tokenizer' | 'embeddings' | 'model' | 'longReadings'>;

/** Longer prompts are read in slices (longReading.ts). Shorter ones are read at once: that takes a frame at most. */
const longestAtOnce = 8_000;

/** Whether a prompt is read in slices, between which the page goes on. */
export const isLong = (prompt: string): boolean => prompt.length > longestAtOnce;

/** Reads a prompt. An error of the page's own code refuses that prompt, which can be changed, and takes nothing else with it. */
export function* readingPrompt(
  side: Side,
  { prompt, options, tokenizer, embeddings }: ReadingInput,
): Slices<PreparedPrompt> {
  const { preparingPrompt, unreadPrompt } = road();
  try {
    return yield* preparingPrompt(prompt, options, tokenizer, side, embeddings);
  } catch (error) {
    console.error(error);
    const refusal = `The page failed to read this prompt (${messageOf(error)}): change it to go on.`;
    return unreadPrompt(prompt, options, tokenizer, side, refusal);
  }
}

/** Keeps the passes that a change of weights leaves as they were the same objects, so that nothing is derived from them again. */
function passKeeper() {
  let before: readonly PreparedChunk[] = [];
  return (now: PreparedPrompt): PreparedPrompt => {
    const known = new Map(before.map(({ pass }) => [passKey(pass), pass]));
    before = now.chunks.map((chunk) => ({ ...chunk, pass: known.get(passKey(chunk.pass)) ?? chunk.pass }));
    return { ...now, chunks: before };
  };
}

/** Makes of a reading of a side the one that the page shows, with the passes that it shares with the one before. */
export const withKnownPasses = { positive: passKeeper(), negative: passKeeper() };

const readingAtOnce = (side: Side) =>
  memoised((prompt: string, options: PromptOptions, tokenizer: Tokenizer, embeddings: readonly Embedding[]) =>
    withKnownPasses[side](whole(readingPrompt(side, { prompt, options, tokenizer, embeddings }))),
  );
const readAtOnce = { positive: readingAtOnce('positive'), negative: readingAtOnce('negative') };

const fitting = memoised((embeddings: Facts['embeddings'], width: number) =>
  embeddings.filter(({ vectors }) => vectors[0].length === width),
);

/** The textual inversions of the width of the model in use. */
export function usedEmbeddings(facts: Pick<Facts, 'embeddings' | 'model'>): readonly Embedding[] {
  return fitting(facts.embeddings, shownConfig(facts).hiddenSize);
}

/** Gives what a side's prompt is read from; undefined until the tokenizer is loaded. */
export function readingInput(facts: Omit<ReadingFacts, 'longReadings'>, side: Side): ReadingInput | undefined {
  const { prompts, options } = facts;
  const tokenizer = tokenizerOf(facts);
  if (!tokenizer) return undefined;
  return { prompt: prompts[side], options, tokenizer, embeddings: usedEmbeddings(facts) };
}

/** Whether two readings are of the same. */
export function isSameInput(a: ReadingInput, b: ReadingInput): boolean {
  return (
    a.prompt === b.prompt && a.options === b.options && a.tokenizer === b.tokenizer && a.embeddings === b.embeddings
  );
}

/** Tokens, weights, masks and passes of a prompt; undefined until the tokenizer is loaded, and while a long prompt is read. */
export function prepared(facts: ReadingFacts, side: Side): PreparedPrompt | undefined {
  const input = readingInput(facts, side);
  if (!input) return undefined;
  if (!isLong(input.prompt)) return readAtOnce[side](input.prompt, input.options, input.tokenizer, input.embeddings);
  const arrived = facts.longReadings[side];
  return arrived && isSameInput(arrived.input, input) ? arrived.prepared : undefined;
}

/** Whether a side's prompt is a long one whose reading has not arrived yet. */
export function isBeingRead(facts: ReadingFacts, side: Side): boolean {
  return facts.tokenizer.phase === 'ready' && prepared(facts, side) === undefined;
}

/** The chunk of the prompt on show that the pictures show, within those that it has; undefined as `prepared` is. */
export function shownChunk(facts: ReadingFacts & Pick<Facts, 'side' | 'chunk'>): PreparedChunk | undefined {
  const shown = prepared(facts, facts.side);
  return shown?.chunks[Math.min(facts.chunk, shown.chunks.length - 1)];
}

const lastWord = memoised(({ chunk, pass }: PreparedChunk): RowSpan | undefined => {
  if (!pass.causal) return undefined;
  const eos = chunk.tokens.findIndex(({ kind }) => kind === 'eos');
  return eos > 1 ? { first: eos - 1, end: eos + 1 } : undefined;
});

/**
 * The rows of the chunk on show that are computed anew when its last token changes, the padding aside: that token and EOS.
 * Undefined where it has no word, and without a causal mask, where every row changes.
 */
export function editedRows(facts: Facts): RowSpan | undefined {
  const chunk = shownChunk(facts);
  return chunk && lastWord(chunk);
}

const usesOf = memoised((named: PreparedPrompt['loras'], loras: Facts['loras']): readonly LoraUse[] =>
  named.flatMap(({ name, multiplier }) => {
    const info = openedLora(loras, name)?.info;
    return info && info.effects.length > 0 && multiplier !== 0 ? [{ lora: info.lora, multiplier }] : [];
  }),
);

/**
 * The LoRAs that are merged, for both prompts: those that the positive prompt names and that are open. A1111 merges them
 * before it encodes either prompt, and takes them from the positive one.
 */
export function usedLoras(facts: ReadingFacts & Pick<Facts, 'loras'>): readonly LoraUse[] {
  const positive = prepared(facts, 'positive');
  return positive ? usesOf(positive.loras, facts.loras) : [];
}

const usageOf = memoised(
  (uses: readonly LoraUse[], loras: Facts['loras']): ReadonlyMap<string, readonly number[]> =>
    new Map(
      [...loras].flatMap(([name, { info }]) => {
        const multipliers = uses.filter(({ lora }) => lora === info?.lora).map(({ multiplier }) => multiplier);
        return multipliers.length > 0 ? [[name, multipliers] as const] : [];
      }),
    ),
);

/** The multipliers with which each LoRA is merged, by its name; without those that are not. */
export const loraUsage = (facts: Facts): ReadonlyMap<string, readonly number[]> =>
  usageOf(usedLoras(facts), facts.loras);
