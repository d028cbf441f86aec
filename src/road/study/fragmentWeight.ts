/** Changes the weight of one fragment of a text. */

import type { Embedding } from '../../models/embeddingFile.ts';
import type { Node, WeightedNode } from '../../prompt/ast.ts';
import { sectionsOf } from '../../prompt/editing/brackets.ts';
import { applyEdits } from '../../prompt/edits.ts';
import type { Side } from '../../prompt/side.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import type { WeightedPrompt } from '../../weighting/method.ts';
import { methodPrompt } from '../methodPrompt.ts';
import type { PromptOptions } from '../options.ts';
import { preparePrompt } from '../pipeline.ts';
import type { PreparedPrompt, PreparedText } from '../preparedPrompt.ts';
import { compelPrompt, compelPromptOptions, weightedPrompt } from '../weightedPrompt.ts';
import { withSpanWeight } from './sweep.ts';

/**
 * The text as if another weight had been typed on one of its fragments; its tokens keep their rows. Compel splits and cuts the
 * prompt anew for the version without the fragment. The other steps of a schedule keep their weights. `embeddings` are those
 * that the text was read with.
 */
export function withFragmentWeight(
  text: PreparedText,
  fragment: number,
  weight: number,
  options: PromptOptions,
  tokenizer: Tokenizer,
  embeddings: readonly Embedding[] = [],
): WeightedPrompt {
  if (options.syntax === 'compel') {
    const fragments = text.fragments.with(fragment, { ...text.fragments[fragment], weight });
    return methodPrompt(
      compelPrompt(fragments, tokenizer, compelPromptOptions(options), embeddings),
      options,
      tokenizer,
    );
  }
  const { batch } = text.weighted;
  const typed = { ...weightedPrompt(text.chunks, options.mask), ...(batch && { batch }) };
  return methodPrompt(withSpanWeight(typed, fragmentRows(text, fragment), weight), options, tokenizer);
}

/** The rows of a fragment's tokens, among those of all chunks. */
export function fragmentRows({ chunks }: PreparedText, fragment: number): number[] {
  return chunks.flatMap(({ tokens }, at) =>
    tokens.flatMap((token, row) => (token.fragment === fragment ? [at * tokens.length + row] : [])),
  );
}

/**
 * The prompt with the number of a fragment changed, so that the fragment weighs `weight`. Null if it has no number of its own,
 * or if the changed prompt would not be read as meant.
 */
export function typedWithWeight(
  prepared: PreparedPrompt,
  text: number,
  fragment: number,
  weight: number,
  options: PromptOptions,
  tokenizer: Tokenizer,
  side: Side = 'positive',
): string | null {
  const { source, nodes, texts } = prepared;
  const { start, end } = texts[text].fragments[fragment];
  const around = weightedNodes(nodes).filter((one) => one.start <= start && end <= one.end);
  const node = around.findLast((one) => one.number);
  if (!node?.number) return null;
  // A weight of 0 tells nothing of the brackets around its own.
  const others = around.reduce((product, one) => (one === node ? product : product * one.value), 1);
  const value = node.effect === 'replace' ? weight : weight / others;
  const insert = String(Math.round(value * 1e4) / 1e4);
  const typed = applyEdits(source, [{ ...node.number, insert }]);
  const after = preparePrompt(typed, options, tokenizer, side).texts;
  const isMeant = texts.every(({ fragments }, i) => {
    const now = after[i]?.fragments;
    return (
      now?.length === fragments.length &&
      fragments.every((before, j) => {
        const meant = i === text && j === fragment ? weight : before.weight;
        return now[j].text === before.text && now[j].kind === before.kind && Math.abs(now[j].weight - meant) <= 1e-3;
      })
    );
  });
  return isMeant && after.length === texts.length ? typed : null;
}

/** The weighted nodes in pre-order: outer nodes before inner ones. */
function weightedNodes(nodes: readonly Node[]): WeightedNode[] {
  return nodes.flatMap((node) => [
    ...(node.type === 'weighted' ? [node] : []),
    ...sectionsOf(node).flatMap((section) => weightedNodes(section.nodes)),
  ]);
}
