import type { PreparedPrompt } from './preparedPrompt.ts';

/** A text of a prompt, and the factor by which its rows are added up. */
export interface ComposedText {
  /** Index into the prompt's texts. */
  readonly text: number;
  readonly factor: number;
}

/** The place of a chunk's rows among the prompt's conditionings. */
export interface ConditioningPlace {
  /** Index into the prompt's conditionings. */
  readonly conditioning: number;
  /** Index into the conditioning's chunks: its rows are those from `chunk` · L on. */
  readonly chunk: number;
  /** The texts whose rows are added up there: several for Compel's `.blend()`, else one by a factor of 1. */
  readonly texts: readonly ComposedText[];
  /** Compel's weight of an `.and()` part, e + (c − e) · weight with e the empty prompt's rows; else 1. */
  readonly weight: number;
  /** Whether the chunks of a text share the row at their first EOS, as Compel is told to by COPY_FIRST_CLS_TOKEN. */
  readonly sharesEos: boolean;
  /** Whether the rows are others than those of the text by itself. */
  readonly isComposed: boolean;
}

/** Finds the place of chunk `index` of a text. Throws if the prompt has no such text. */
export function conditioningPlace(
  { conditionings, texts }: PreparedPrompt,
  text: number,
  index: number,
): ConditioningPlace {
  let firstText = 0;
  for (const [conditioning, { composition }] of conditionings.entries()) {
    let firstChunk = 0;
    for (const { blend, weight } of composition.parts) {
      const { factors, normalise } = blend;
      const nextText = firstText + blend.prompts.length;
      if (text < nextText) {
        const total = normalise ? factors.reduce((sum, factor) => sum + factor, 0) : 1;
        const composed = factors.map((factor, i) => ({ text: firstText + i, factor: factor / total }));
        const { clsTokens = 'own' } = composition;
        const sharesEos = clsTokens !== 'own' && blend.prompts.some(({ chunks }) => chunks.length > 1);
        const isComposed = composed.length > 1 || composed[0].factor !== 1 || weight !== 1 || sharesEos;
        return { conditioning, chunk: firstChunk + index, texts: composed, weight, sharesEos, isComposed };
      }
      firstText = nextText;
      firstChunk += Math.max(...blend.prompts.map(({ chunks }) => chunks.length));
    }
  }
  throw new RangeError(`Text ${text} is not among the ${texts.length} of the prompt.`);
}
