/** All numbered equations of the lecture that are computed, in its order: the encoder's stages, and what is around them. */
import { clipVitL14 } from '../clip/config.ts';
import { at, cases, math, sub, sup, words } from '../clip/formula.ts';
import type { LectureRow } from '../clip/lectureRow.ts';
import { attentionMask, causalMask, padMask } from '../clip/masks.ts';
import { referenceEncoder } from '../clip/reference.ts';
import { type Operation, type Stage, stages } from '../clip/stages.ts';
import { expectedTensors } from '../clip/weights.ts';
import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { parseCompel } from '../prompt/compel/compelPrompt.ts';
import { normaliseLength } from '../tokens/promptTokens.ts';
import { downweightFactor } from '../weighting/compelVersions.ts';
import { scale } from '../weighting/scale.ts';
import { promptEmbeds } from './pipeline.ts';

/** The panel that shows an equation: its id on the page, and its title. */
export interface ShownIn {
  readonly panel: string;
  readonly title: string;
}

export interface MappedRow extends LectureRow {
  readonly shownIn: ShownIn;
  /** The stage and operation that the row is, where it is one of the encoder's. */
  readonly stage?: Stage;
  readonly operation?: Operation;
}

const tokens: ShownIn = { panel: 'tokens', title: 'Tokens' };
const masks: ShownIn = { panel: 'masks', title: 'Masks' };
const embeddings: ShownIn = { panel: 'embeddings', title: 'Embeddings' };
const methods: ShownIn = { panel: 'methods', title: 'Methods' };
const anatomy: ShownIn = { panel: 'anatomy', title: 'Anatomy' };

const t = at('t', 'i');
const weightOf = (text: string) => math(words(text), '→', at('r', 'k'), '=');

const aroundTheEncoder: readonly MappedRow[] = [
  {
    equations: [7],
    title: 'Length normalisation',
    formula: math(
      't =',
      cases(
        [math('( BOS , s₁ …', sub('s', 'm'), ', EOS , PAD … )'), math(words('if'), 'm ≤ L − 2')],
        [math('( BOS , s₁ …', sub('s', math('L − 2')), ', EOS )'), words('if it is longer')],
      ),
    ),
    code: [{ file: 'src/tokens/promptTokens.ts', exports: { normaliseLength } }],
    difference:
      'A1111 and ComfyUI do not cut a long prompt: they go on in another chunk of 77. PAD is the same id as EOS.',
    shownIn: tokens,
  },
  {
    equations: [8, 9, 10],
    title: 'PAD mask of the keys',
    formula: math(
      at('a', 'i'),
      '=',
      cases(['1', math(words('if'), t, '≠', words('PAD'))], ['0', math(words('if'), t, '=', words('PAD'))]),
    ),
    code: [{ file: 'src/clip/masks.ts', exports: { padMask } }],
    difference:
      'PAD is EOS, so the lecture’s mask hides the prompt’s true EOS, too. transformers’ attention mask keeps it, and Stable Diffusion 1.5 uses neither: its mask is the causal one alone.',
    shownIn: masks,
  },
  {
    equations: [11, 12, 13],
    title: 'Weighting as a map of each row',
    formula: math(at('ĉ', 'i'), '=', at('ψ', 'k'), '(', at('c', 'i'), ')', words('if'), 'i ∈', at('S', 'k')),
    code: [{ file: 'src/road/pipeline.ts', exports: { promptEmbeds } }],
    difference:
      'Of the programs’ methods only A1111’s “No norm” maps each row by itself. The others read the empty prompt, the mean of all rows, or the prompt without some of its words.',
    shownIn: embeddings,
  },
  {
    equations: [14],
    title: 'Weighting by scaling',
    formula: math(at('ψ', 'k'), '( x ) =', at('r', 'k'), 'x'),
    code: [{ file: 'src/weighting/scale.ts', exports: { scale } }],
    difference:
      'This is A1111’s “No norm”. Its default, “Original”, brings the mean of the conditioning back afterwards; Compel and ComfyUI move each row away from the empty prompt’s.',
    shownIn: embeddings,
  },
  {
    equations: [15, 16],
    title: 'A1111’s syntax of weights',
    formula: math(weightOf('((x))'), sup('1.1', '2'), ',', weightOf('(x:r)'), 'r'),
    code: [{ file: 'src/prompt/a1111/emphasis.ts', exports: { parseA1111 } }],
    difference:
      'In A1111 [x] weighs 1/1.1, not 0.9 (the option “Square brackets” has the lecture’s), and (x:r) takes any number, not only r > 1.',
    shownIn: tokens,
  },
  {
    equations: [17, 18],
    title: 'Compel’s syntax of weights',
    formula: math(weightOf('x++'), sup('1.1', '2'), ',', weightOf('(x)r'), 'r'),
    code: [{ file: 'src/prompt/compel/compelPrompt.ts', exports: { parseCompel } }],
    shownIn: tokens,
  },
  {
    equations: [20],
    title: 'Compel’s weights below 1',
    formula: math(words('(x)r, 0 < r < 1: '), 'λ = tan ( ( 1 − r ) π / 2 )'),
    code: [{ file: 'src/weighting/compelVersions.ts', exports: { downweightFactor } }],
    difference:
      'Compel first moves rows by their weights from the empty prompt’s; then it takes the mean of the whole prompt, which counts 1, and of the prompt without x, which counts λ. In Compel (some phrase: 0.9) and [x] mean nothing, although the lecture has them.',
    shownIn: methods,
  },
  {
    equations: [6, 52],
    title: 'Sizes of CLIP ViT-L/14’s text half',
    formula: math(
      '( V , L , d , h ,',
      sub('d', 'h'),
      ', N ,',
      sub('d', words('mlp')),
      ') = ( 49408 , 77 , 768 , 12 , 64 , 12 , 3072 )',
    ),
    code: [{ file: 'src/clip/config.ts', exports: { clipVitL14 } }],
    shownIn: anatomy,
  },
  {
    equations: [40, 45, 53],
    title: 'All parameters',
    formula: math('θ = (', sub('Θ', words('Tok')), ',', sub('Θ', words('Pos')), ',', sub('Θ', words('Enc')), ')'),
    code: [{ file: 'src/clip/weights.ts', exports: { expectedTensors } }],
    shownIn: anatomy,
  },
  {
    equations: [46, 47, 48, 54, 58, 59],
    title: 'The whole model',
    formula: math(
      sub('X', 'N'),
      '= LayerNorm (',
      sub('H', 'N'),
      ') ,',
      sub('H', 'ℓ'),
      '=',
      sub('EncoderLayer', 'ℓ'),
      '(',
      sub('H', math('ℓ − 1')),
      ', M )',
    ),
    code: [{ file: 'src/clip/reference.ts', exports: { referenceEncoder } }],
    shownIn: anatomy,
  },
  {
    equations: [55],
    title: 'Causal mask',
    formula: math(
      at(sub('C', words('causal')), 'i , j'),
      '=',
      cases(['1', math(words('if'), 'j ≤ i')], ['0', math(words('if'), 'j > i')]),
    ),
    code: [{ file: 'src/clip/masks.ts', exports: { causalMask } }],
    difference: 'The lecture writes j < i, by which the first token sees nothing; CLIP’s mask is j ≤ i.',
    shownIn: masks,
  },
  {
    equations: [56, 57],
    title: 'Both masks together',
    formula: math(
      'M =',
      sub('C', words('causal')),
      '⊙',
      sub('M', words('pad')),
      ',',
      at(sub('M', words('pad')), 'i , j'),
      '=',
      at('a', 'j'),
    ),
    code: [{ file: 'src/clip/masks.ts', exports: { attentionMask } }],
    difference: 'Stable Diffusion 1.5 runs without the second factor, which is the default here.',
    shownIn: masks,
  },
];

/** Rows by their first equation. */
export const lecture: readonly MappedRow[] = [
  ...aroundTheEncoder,
  ...stages.flatMap((stage) =>
    stage.operations.map((operation) => ({ ...operation, shownIn: anatomy, stage, operation })),
  ),
].sort((a, b) => a.equations[0] - b.equations[0]);
