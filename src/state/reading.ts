import type { RowSpan } from '../engine/profile.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import type { Side } from '../prompt/side.ts';
import type { PromptOptions } from '../road/options.ts';
import type { PreparedChunk, PreparedPrompt } from '../road/preparedPrompt.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { LoraUse } from '../worker/messages.ts';
import type { Facts } from './facts.ts';
import { openedLora } from './loraActions.ts';
import { memoised } from './memoised.ts';
import { messageOf } from './notices.ts';
import { keyOf } from './passKeys.ts';

import { road } from './road.ts';
import { shownConfig } from './shownSizes.ts';

/** The facts that a prompt is read by. */
export type ReadingFacts = Pick<Facts, 'prompts' | 'options' | 'tokenizer' | 'embeddings' | 'model'>;

/** Reads a prompt. An error of the page's own code refuses that prompt, which can be changed, and takes nothing else with it. */
function read(
  prompt: string,
  options: PromptOptions,
  tokenizer: Tokenizer,
  side: Side,
  embeddings: readonly Embedding[],
): PreparedPrompt {
  const { preparePrompt, unreadPrompt } = road();
  try {
    return preparePrompt(prompt, options, tokenizer, side, embeddings);
  } catch (error) {
    console.error(error);
    const refusal = `The page failed to read this prompt (${messageOf(error)}): change it to go on.`;
    return unreadPrompt(prompt, options, tokenizer, side, refusal);
  }
}

/** Reads a side's prompt. Passes that a change of weights leaves as they were stay the same objects, so that nothing is derived from them again. */
function preparing(side: Side) {
  let before: readonly PreparedChunk[] = [];
  return memoised(
    (
      prompt: string,
      options: PromptOptions,
      tokenizer: Tokenizer,
      embeddings: readonly Embedding[],
    ): PreparedPrompt => {
      const now = read(prompt, options, tokenizer, side, embeddings);
      const known = new Map(before.map(({ pass }) => [keyOf(pass), pass]));
      before = now.chunks.map((chunk) => ({ ...chunk, pass: known.get(keyOf(chunk.pass)) ?? chunk.pass }));
      return { ...now, chunks: before };
    },
  );
}

const fitting = memoised((embeddings: Facts['embeddings'], width: number) =>
  embeddings.filter(({ vectors }) => vectors[0].length === width),
);

/** The textual inversions of the width of the model in use. */
export function usedEmbeddings(facts: Pick<Facts, 'embeddings' | 'model'>): readonly Embedding[] {
  return fitting(facts.embeddings, shownConfig(facts).hiddenSize);
}

const prepare = { positive: preparing('positive'), negative: preparing('negative') };

/** Tokens, weights, masks and passes of a prompt; undefined until the tokenizer is loaded. */
export function prepared(facts: ReadingFacts, side: Side): PreparedPrompt | undefined {
  if (facts.tokenizer.phase !== 'ready') return undefined;
  return prepare[side](facts.prompts[side], facts.options, facts.tokenizer.tokenizer, usedEmbeddings(facts));
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
