/** Says at the prompt that the weights typed there change nothing. */
import type { Diagnostic, Range } from '../prompt/ast.ts';
import { warning } from '../prompt/diagnostics.ts';
import { appliesWeights } from '../weighting/apply.ts';
import { methods, ownMethod } from '../weighting/methods.ts';
import { psi } from '../weighting/psi.ts';
import { readPsi } from '../weighting/psiMaps.ts';
import type { PromptOptions } from './options.ts';
import type { PreparedText } from './preparedPrompt.ts';

/** Takes the texts of a prompt. Gives one message at most: it spans the first to the last weight that is not applied. */
export function unappliedWeights(
  texts: readonly Pick<PreparedText, 'applied' | 'chunks' | 'fragments'>[],
  options: PromptOptions,
): Diagnostic[] {
  if (options.syntax === 'a1111' && options.brackets === 'text') return bracketsAsText(texts);
  // A map that names w says itself what becomes of the weights of its rows.
  if (options.weighting === psi.name && readPsi(options.rowMaps).maps.some(({ expression }) => expression.isWeighed))
    return [];
  const ranges = texts.filter(({ applied }) => applied.every(isBare)).flatMap(({ chunks }) => weightedRanges(chunks));
  return ranges.length > 0 ? [warning('weights-not-applied', spanOf(ranges), reasonOf(options))] : [];
}

function reasonOf({ syntax, weighting, normalisation }: PromptOptions): string {
  const { label, formula, normalises } = methods[weighting];
  if (!appliesWeights(methods[weighting]))
    return `“${label}” applies no weights, so those typed here change nothing: choose another way under Weighting, such as “${methods[ownMethod[syntax]].label}”.`;
  if (normalises && normalisation !== 'none')
    return `After the normalisation “${normalisation}”, “${label}” has nothing to weigh: the weights typed here change nothing.`;
  return `“${label}” makes the same of these weights as of none: ${formula}.`;
}

function isBare(weights: Float64Array): boolean {
  return weights.every((weight) => weight === 1);
}

/** Lists where tokens that weigh other than 1 were typed. */
function weightedRanges(chunks: PreparedText['chunks']): Range[] {
  return chunks.flatMap(({ tokens }) => tokens.flatMap(({ weight, range }) => (weight !== 1 && range ? [range] : [])));
}

function bracketsAsText(texts: readonly Pick<PreparedText, 'fragments'>[]): Diagnostic[] {
  const ranges = texts.flatMap(({ fragments }) =>
    fragments.flatMap(({ text, starts, ends }) =>
      Array.from(text.matchAll(/[()[\]]/g), ({ index }) => ({ start: starts[index], end: ends[index] })),
    ),
  );
  if (ranges.length === 0) return [];
  const message =
    'Brackets are encoded as they are and weigh nothing, as by A1111’s emphasis “None”: choose “Are weights” under Brackets to have them weigh.';
  return [warning('brackets-as-text', spanOf(ranges), message)];
}

function spanOf(ranges: readonly Range[]): Range {
  return { start: Math.min(...ranges.map(({ start }) => start)), end: Math.max(...ranges.map(({ end }) => end)) };
}
