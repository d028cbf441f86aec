/** The equations around the encoder with the numbers of the prompt on show: no DOM. */
import { rowLength } from '../../analyses/rowMeasures.ts';
import type { ClipTextConfig } from '../../clip/config.ts';
import type { EncoderPass } from '../../clip/encoderPass.ts';
import { at, type Formula, fraction, math, sub, sup, words } from '../../clip/formula.ts';
import { attentionMask, causalMask } from '../../clip/masks.ts';
import { expectedTensors, positionEmbeddingName, tokenEmbeddingName } from '../../clip/weights.ts';
import { elementCount } from '../../files/tensorFile.ts';
import type { Syntax } from '../../prompt/syntax.ts';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import { downweightFactor } from '../../weighting/compelVersions.ts';
import type { MeanChange } from '../../weighting/means.ts';
import { inner, numeral } from '../anatomy/filledCell.ts';
import { cosineOf } from './cosines.ts';
import type { LessonId } from './lessons.ts';

/** Everything that the numbers are taken from; what is missing is not encoded yet. */
export interface LessonFacts {
  readonly config: ClipTextConfig;
  /** The language of the prompt. */
  readonly syntax: Syntax;
  /** [L] */
  readonly tokens: readonly PromptToken[];
  readonly pass: EncoderPass;
  /** Rows [L, d] before and after weighting, and the weights [L] as they are applied. */
  readonly weighted?: {
    readonly before: Float32Array;
    readonly after: Float32Array;
    readonly applied: Float64Array;
    readonly mean: MeanChange | null;
    readonly label: string;
  };
  /** The prompt's weights below 1, one a group. */
  readonly light: readonly number[];
  /** The states between the layers, [L, d] each, by ℓ, and the state after the final LayerNorm. */
  readonly states?: ReadonlyMap<number, Float32Array>;
  readonly last?: Float32Array;
  /** [L, d] The position table. */
  readonly positions?: ArrayLike<number>;
  /** Two places whose rows of the position table are compared. */
  readonly places?: readonly [number, number];
}

/** Formulas by the number of the equation that they fill. */
export type LessonNumbers = ReadonlyMap<number, readonly Formula[]>;

const count = (value: number) => String(value);

/** The row of EOS, or the last row of a chunk without one. */
export function eosRow(tokens: readonly PromptToken[]): number {
  const row = tokens.findIndex(({ kind }) => kind === 'eos');
  return row < 0 ? tokens.length - 1 : row;
}

/** The row whose weighting is written out: the first that is weighted, or the first word. */
export function weighedRow(applied: ArrayLike<number>): number {
  return Math.max(
    1,
    Array.from(applied).findIndex((weight) => weight !== 1),
  );
}

function sizes({ config, tokens }: LessonFacts): LessonNumbers {
  const { vocabSize, maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h } = config;
  const { headDim, numHiddenLayers, intermediateSize } = config;
  const numbers = [vocabSize, L, d, h, headDim, numHiddenLayers, intermediateSize].join(' , ');
  const typed = tokens.filter(({ kind }) => kind === 'text').length;
  return new Map([
    [
      52,
      [
        math(words('this model: '), `( ${numbers} )`),
        math('C ∈', sup('ℝ', `${L} × ${d}`), words(`, ${typed} of the ${L} rows are words`)),
      ],
    ],
  ]);
}

function length({ tokens, config: { maxPositionEmbeddings: L } }: LessonFacts): LessonNumbers {
  const eos = eosRow(tokens);
  const ids = [0, 1, 2].map((row) => tokens[row].id);
  return new Map([
    [
      7,
      [
        math('t =', words(`(${ids.join(', ')}, …, ${tokens[eos].id}${eos < L - 1 ? `, ${tokens[L - 1].id}, …` : ''})`)),
        math(count(L), '−', count(eos + 1), '=', count(L - eos - 1), words('tokens PAD')),
      ],
    ],
  ]);
}

function padMask({ tokens, pass: { keyMask } }: LessonFacts): LessonNumbers {
  const rows = [...new Set([0, eosRow(tokens), tokens.length - 1])];
  const seen = keyMask.reduce((sum, bit) => sum + bit, 0);
  const bits = rows.map((row) =>
    math(at('a', count(row)), '=', count(keyMask[row]), words(tokens[row].kind.toUpperCase())),
  );
  return new Map([[10, [...bits, math(words(`${seen} of the ${keyMask.length} bits are 1`))]]]);
}

/** Pieces whose weights are written out, at most. */
const writtenPieces = 3;

/** The weights that the prompt's own brackets and signs gave to its pieces, those of weight 1 aside. */
function ownWeights(tokens: readonly PromptToken[]): Formula[] {
  const pieces = new Map<number, { text: string; weight: number }>();
  for (const { fragment, text, weight } of tokens) {
    if (fragment === null || weight === 1) continue;
    const before = pieces.get(fragment)?.text ?? '';
    pieces.set(fragment, { text: before + text.replace('</w>', ' '), weight });
  }
  if (pieces.size === 0) return [words('No word of this prompt has a weight of its own.')];
  return [...pieces.values()]
    .slice(0, writtenPieces)
    .map(({ text, weight }) => math(words(`“${text.trim()}” →`), at('r', 'k'), '=', inner(weight)));
}

const otherLanguage = [words('This prompt is written in another language.')];

function weighting(facts: LessonFacts): LessonNumbers {
  const syntax = facts.syntax === 'compel' ? otherLanguage : ownWeights(facts.tokens);
  return new Map([...methodNumbers(facts), [15, syntax]]);
}

function methodNumbers({ weighted, config: { hiddenSize: d } }: LessonFacts): LessonNumbers {
  if (!weighted) return new Map();
  const { before, after, applied, mean, label } = weighted;
  const row = weighedRow(applied);
  const [x, r] = [before[row * d], applied[row]];
  const indices = `${row} , 0`;
  return new Map([
    [
      13,
      [
        math(
          at('ĉ', indices),
          '=',
          ...(mean ? [inner(r), '·', inner(x), '·', inner(mean.ratio), '='] : []),
          numeral(after[row * d]),
          words(`by “${label}”`),
        ),
      ],
    ],
    [14, [math(at('r', 'k'), at('c', indices), '=', inner(r), '·', inner(x), '=', numeral(r * x))]],
  ]);
}

function downWeighting({ syntax, tokens, light }: LessonFacts): LessonNumbers {
  const own: readonly [number, readonly Formula[]] = [17, syntax === 'compel' ? ownWeights(tokens) : otherLanguage];
  const [weight] = light;
  if (weight === undefined) return new Map([own, [20, [words('No word of this prompt weighs less than 1.')]]]);
  const factor = downweightFactor(weight);
  const all = 1 + light.reduce((sum, other) => sum + downweightFactor(other), 0);
  return new Map([
    own,
    [
      20,
      [
        math('λ =', words('tan'), '( ( 1 −', inner(weight), ') ·', fraction('π', '2'), ') =', numeral(factor)),
        math(words('the prompt’s share: '), fraction('1', numeral(all)), '=', numeral(1 / all)),
        math(words('without the word: '), fraction(numeral(factor), numeral(all)), '=', numeral(factor / all)),
      ],
    ],
  ]);
}

function masks({ pass, tokens }: LessonFacts): LessonNumbers {
  const L = tokens.length;
  const [causal, product] = [causalMask(L), attentionMask(pass)];
  const eos = eosRow(tokens);
  const [later, own] = [L + 2, eos * L + eos];
  const first = pass.causal ? causal[own] : 1;
  return new Map([
    [55, [math(at(sub('C', words('causal')), '1 , 2'), '=', count(causal[later]), words('for 2 > 1'))]],
    [
      57,
      [
        math(
          at('M', `${eos} , ${eos}`),
          '=',
          count(first),
          '·',
          count(pass.keyMask[eos]),
          '=',
          count(product[own]),
          words('of EOS and itself'),
        ),
      ],
    ],
  ]);
}

/** The number of parameters of the tensors whose names satisfy a condition. */
function parameters(config: ClipTextConfig, isMeant: (name: string) => boolean): number {
  return [...expectedTensors(config)]
    .filter(([name]) => isMeant(name))
    .reduce((sum, [, shape]) => sum + elementCount(shape), 0);
}

function layer({ config }: LessonFacts): LessonNumbers {
  const own = parameters(config, (name) => name.includes('.layers.0.'));
  return new Map([[45, [math(count(own), words('numbers in each layer'))]]]);
}

/** Sizes of the parts of θ: both embeddings, and the encoder with its last LayerNorm. */
function allParameters(config: ClipTextConfig): Formula {
  const embeddings = [tokenEmbeddingName, positionEmbeddingName];
  const sizes = embeddings.map((one) => parameters(config, (name) => name === one));
  const encoder = parameters(config, (name) => !embeddings.includes(name));
  const all = parameters(config, () => true);
  return math([...sizes, encoder].map(count).join(' + '), '=', count(all), words('numbers'));
}

function stack({ states, last, tokens, config }: LessonFacts): LessonNumbers {
  const { hiddenSize: d, numHiddenLayers: N } = config;
  const eos = eosRow(tokens);
  const norm = (letter: Formula, values: ArrayLike<number> | undefined) =>
    values ? [math('‖', letter, '‖', words(`in row ${eos}, EOS`), '=', numeral(rowLength(values, eos, d)))] : [];
  return new Map([
    [46, norm(sub('H', '0'), states?.get(0))],
    [48, [...norm(sub('H', count(N)), states?.get(N)), ...norm(sub('X', 'N'), last)]],
    [53, [allParameters(config)]],
  ]);
}

function positions({ positions: table, places, config }: LessonFacts): LessonNumbers {
  if (!table) return new Map();
  const { hiddenSize: d, maxPositionEmbeddings: L } = config;
  const [i, j] = places ?? [0, 1];
  const row = (letter: string) => at('P', letter);
  return new Map([
    [
      50,
      [
        math('P ∈', sup('ℝ', `${L} × ${d}`), words(`, so i = 0 … ${L - 1}`)),
        math(words('cos'), '(', row(count(i)), ',', row(count(j)), ') =', numeral(cosineOf(table, i, j, d))),
      ],
    ],
  ]);
}

const makers: Partial<Record<LessonId, (facts: LessonFacts) => LessonNumbers>> = {
  pipeline: sizes,
  tokens: length,
  'pad-mask': padMask,
  weighting,
  'down-weighting': downWeighting,
  masks,
  layer,
  stack,
  length: positions,
};

/** The numbers of a lesson's equations; none where its picture writes them itself. */
export const lessonNumbers = (id: LessonId, facts: LessonFacts): LessonNumbers => makers[id]?.(facts) ?? new Map();
