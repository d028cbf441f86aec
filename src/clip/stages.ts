/**
 * The encoder's stages as data, one row a stage, in the order in which they run: the README's map, the tests and the page's
 * anatomy are made from them. A stage is one step of engine/schedule.ts, and has one operation for each matrix that an equation
 * of the lecture names.
 */
import type { ClipTextConfig } from './config.ts';
import type { EncoderPass } from './encoderPass.ts';
import { at, cases, type Formula, fraction, math, root, sub, sum, sup, tilde, transpose, words } from './formula.ts';
import type { LayerTensorKey } from './layerTensors.ts';
import type { LectureRow } from './lectureRow.ts';
import { attentionMask } from './masks.ts';
import {
  add,
  attendedValues,
  attentionScores,
  embedding,
  embeddings,
  layerNorm,
  linear,
  maskScores,
  quickGelu,
  softmax,
} from './reference.ts';

/** A matrix of the encoder; the scores are computed from q and k where they are shown, as no kernel keeps them. */
export type TensorKey = LayerTensorKey | 'scores' | 'masked_scores';

/** A dimension by the letters of config.ts; `3d` is the width of queries, keys and values side by side. */
export type Size = 'L' | 'd' | '3d' | 'h' | 'm' | 3;

/** The number behind each letter. */
export function sizeOf(size: Size, config: ClipTextConfig): number {
  switch (size) {
    case 'L':
      return config.maxPositionEmbeddings;
    case 'd':
      return config.hiddenSize;
    case '3d':
      return 3 * config.hiddenSize;
    case 'h':
      return config.numAttentionHeads;
    case 'm':
      return config.intermediateSize;
    case 3:
      return 3;
    default:
      return size satisfies never;
  }
}

/** Everything that an operation may read. */
export interface StageInputs {
  readonly config: ClipTextConfig;
  readonly pass: EncoderPass;
  /** A matrix that was computed before, of this layer. */
  tensor(key: TensorKey): Float64Array;
  /** A weight or bias of this layer: `mlp.fc1.weight`; of no layer: `final_layer_norm.bias`. */
  weight(name: string): Float64Array;
  /** A row of the table of tokens or of positions. */
  tableRow(table: 'token' | 'position', index: number): Float64Array;
}

/** How one cell of a matrix comes about. */
export type CellRule =
  | { readonly kind: 'lookup'; readonly table: 'token' | 'position' }
  | { readonly kind: 'add'; readonly of: readonly [TensorKey, TensorKey] }
  | { readonly kind: 'layerNorm'; readonly of: TensorKey; readonly part: NormPart }
  | { readonly kind: 'linear'; readonly of: TensorKey; readonly part: LinearPart }
  | { readonly kind: 'scores' | 'mask' | 'softmax' | 'attended' }
  | { readonly kind: 'quickGelu'; readonly of: TensorKey };

export type NormPart = 'layer_norm1' | 'layer_norm2' | 'final_layer_norm';
export type LinearPart =
  | 'self_attn.q_proj'
  | 'self_attn.k_proj'
  | 'self_attn.v_proj'
  | 'self_attn.out_proj'
  | 'mlp.fc1'
  | 'mlp.fc2';

/** One matrix, and the equations that define it. */
export interface Operation extends LectureRow {
  readonly tensor: TensorKey;
  /** Its letter in the lecture. */
  readonly symbol: Formula;
  /** [rows, columns], or [h, rows, columns] of a matrix that every head has one of. */
  readonly shape: readonly Size[];
  readonly rule: CellRule;
  /** One cell of it: row i, column c. */
  readonly cell: Formula;
  /** The matrix in float64, row-major. */
  compute(inputs: StageInputs): Float64Array;
}

/** A tensor of the schedule, without its layer, slots and passes. */
export interface StageTensor {
  readonly name: string;
  readonly shape: readonly Size[];
}

/** One step of the encoder. */
export interface Stage {
  /** The schedule's label without its layer: `mlp.fc1`. */
  readonly key: string;
  readonly title: string;
  /** A sentence on what it is for. */
  readonly help: string;
  /** Its place: before the layers, once in each, or after them. */
  readonly place: 'before' | 'layer' | 'after';
  /** Files of `shaders`, without ending, the kernel last; a star stands for its variants. */
  readonly shaders: readonly string[];
  /** Tensors of the schedule, in the order of the kernel's bindings. */
  readonly reads: readonly StageTensor[];
  readonly writes: readonly StageTensor[];
  readonly operations: readonly Operation[];
}

const reference = 'src/clip/reference.ts';
const noBiases =
  'The lecture leaves the biases of the four projections out of equations 30 to 35; CLIP has them, and they are added here.';
const weightRows = (name: string): Formula => sub('W', name);

/** γ, β and the matrix that is normalised → the normalised matrix. */
function normalisation(
  from: TensorKey,
  part: NormPart,
  tensor: TensorKey,
  [input, output]: readonly [Formula, Formula],
  equations: readonly number[],
): Operation {
  return {
    tensor,
    symbol: output,
    title: 'Layer normalisation',
    equations,
    formula: math(output, '= LayerNorm (', input, ')'),
    cell: math(
      at(output, 'i , c'),
      '=',
      at('γ', 'c'),
      fraction(math(at(input, 'i , c'), '−', at('μ', 'i')), root(math(sup(at('σ', 'i'), '2'), '+ ε'))),
      '+',
      at('β', 'c'),
    ),
    shape: ['L', 'd'],
    code: [{ file: reference, exports: { layerNorm } }],
    rule: { kind: 'layerNorm', of: from, part },
    compute: (inputs) =>
      layerNorm(
        inputs.tensor(from),
        inputs.weight(`${part}.weight`),
        inputs.weight(`${part}.bias`),
        inputs.config.layerNormEps,
      ),
  };
}

interface LinearText extends Pick<Operation, 'title' | 'equations' | 'symbol' | 'difference'> {
  readonly input: Formula;
  /** Index of the weight's letter W, and of the bias's letter b. */
  readonly index: string;
}

/** A matrix times a weight, plus a bias → [L, d], or [L, m]. */
function projection(
  from: TensorKey,
  part: LinearPart,
  tensor: TensorKey,
  { title, equations, symbol, difference, input, index }: LinearText,
  [rows, columns]: readonly ['d' | 'm', 'd' | 'm'] = ['d', 'd'],
): Operation {
  return {
    tensor,
    symbol,
    title,
    equations,
    difference,
    formula: math(symbol, '=', input, transpose(weightRows(index)), '+', sub('b', index)),
    cell: math(at(symbol, 'i , c'), '=', sum('k'), at(input, 'i , k'), '·', at('W', 'c , k'), '+', at('b', 'c')),
    shape: ['L', columns],
    code: [{ file: reference, exports: { linear } }],
    rule: { kind: 'linear', of: from, part },
    compute: ({ tensor: read, weight, config }) =>
      linear(
        read(from),
        weight(`${part}.weight`),
        weight(`${part}.bias`),
        sizeOf(rows, config),
        sizeOf(columns, config),
      ),
  };
}

/** The sum of two matrices: what a stage made, added to what went into it. */
function residual(
  from: readonly [TensorKey, TensorKey],
  tensor: TensorKey,
  [symbol, first, second]: readonly [Formula, Formula, Formula],
  equations: readonly number[],
): Operation {
  return {
    tensor,
    symbol,
    title: 'Residual sum',
    equations,
    formula: math(symbol, '=', first, '+', second),
    cell: math(at(symbol, 'i , c'), '=', at(first, 'i , c'), '+', at(second, 'i , c')),
    shape: ['L', 'd'],
    code: [{ file: reference, exports: { add } }],
    rule: { kind: 'add', of: from },
    compute: (inputs) => add(inputs.tensor(from[0]), inputs.tensor(from[1])),
  };
}

const embeddingOperations: readonly Operation[] = [
  {
    tensor: 'token_embedding',
    symbol: math('T'),
    title: 'Token embedding',
    equations: [21, 22, 23, 49],
    formula: math(at('T', 'i'), '=', at(sub('E', words('tok')), at('t', 'i'))),
    cell: math(at('T', 'i , c'), '=', at(sub('E', words('tok')), at('t', 'i'), ', c')),
    shape: ['L', 'd'],
    code: [{ file: reference, exports: { embedding } }],
    difference:
      'The lecture counts ids from 1, the programs from 0: BOS is 49406, and EOS and PAD are both 49407. The vectors of a textual inversion stand in place of rows of the table.',
    rule: { kind: 'lookup', table: 'token' },
    compute: ({ pass, config, tableRow }) => {
      const rows = embedding((id) => tableRow('token', id), pass.inputIds, config.hiddenSize);
      pass.vectors?.forEach((vector, row) => {
        rows.set(vector, row * config.hiddenSize);
      });
      return rows;
    },
  },
  {
    tensor: 'position_embedding',
    symbol: math('P'),
    title: 'Position embedding',
    equations: [50],
    formula: math(at('P', 'i'), '=', at(sub('E', words('pos')), 'i')),
    cell: math(at('P', 'i , c'), '=', at(sub('E', words('pos')), 'i , c')),
    shape: ['L', 'd'],
    code: [{ file: reference, exports: { embedding } }],
    rule: { kind: 'lookup', table: 'position' },
    compute: ({ pass, config, tableRow }) =>
      embedding((place) => tableRow('position', place), [...pass.inputIds.keys()], config.hiddenSize),
  },
  {
    tensor: 'hidden',
    symbol: sub('X', '0'),
    title: 'Sum of both embeddings',
    equations: [46, 51, 54],
    formula: math(sub('X', '0'), '= T + P'),
    cell: math(at(sub('X', '0'), 'i , c'), '=', at('T', 'i , c'), '+', at('P', 'i , c')),
    shape: ['L', 'd'],
    code: [{ file: reference, exports: { embeddings } }],
    rule: { kind: 'add', of: ['token_embedding', 'position_embedding'] },
    compute: ({ tensor, pass, config }) =>
      embeddings(tensor('token_embedding'), tensor('position_embedding'), pass.inputIds.length, config.hiddenSize),
  },
];

const attentionOperations: readonly Operation[] = [
  {
    tensor: 'scores',
    symbol: math('S'),
    title: 'Scores before the mask',
    equations: [32],
    formula: math('S =', fraction(math('Q', transpose('K')), root(sub('d', 'h')))),
    cell: math(
      at('S', 'i , j'),
      '=',
      fraction('1', root(sub('d', 'h'))),
      sum('k'),
      at('Q', 'i , k'),
      '·',
      at('K', 'j , k'),
    ),
    shape: ['h', 'L', 'L'],
    code: [{ file: reference, exports: { attentionScores } }],
    rule: { kind: 'scores' },
    compute: ({ tensor, pass, config }) =>
      attentionScores(tensor('q'), tensor('k'), pass.inputIds.length, config.numAttentionHeads, config.headDim),
  },
  {
    tensor: 'masked_scores',
    symbol: tilde('S'),
    title: 'Scores after the mask',
    equations: [33],
    formula: math(
      at(tilde('S'), 'i , j'),
      '=',
      cases(
        [at('S', 'i , j'), math(words('if'), at('M', 'i , j'), '= 1')],
        ['− ∞', math(words('if'), at('M', 'i , j'), '= 0')],
      ),
    ),
    cell: math(
      at(tilde('S'), 'i , j'),
      '=',
      cases(
        [at('S', 'i , j'), math(words('if'), at('M', 'i , j'), '= 1')],
        ['− ∞', math(words('if'), at('M', 'i , j'), '= 0')],
      ),
    ),
    shape: ['h', 'L', 'L'],
    code: [{ file: reference, exports: { maskScores } }],
    difference:
      'The kernels never compute a masked score, so that nothing passes through infinity; the result is the same.',
    rule: { kind: 'mask' },
    compute: ({ tensor, pass }) => maskScores(tensor('scores'), attentionMask(pass)),
  },
  {
    tensor: 'probabilities',
    symbol: math('A'),
    title: 'Softmax of each row',
    equations: [28, 29],
    formula: math('A = softmax (', tilde('S'), ')'),
    cell: math(
      at('A', 'i , j'),
      '=',
      fraction(sup('e', at(tilde('S'), 'i , j')), math(sum("j'"), sup('e', at(tilde('S'), "i , j'")))),
    ),
    shape: ['h', 'L', 'L'],
    code: [{ file: reference, exports: { softmax } }],
    difference:
      'The row’s largest score is taken off before the exponential, which changes nothing but keeps it finite. A query that sees no key gets a row of zeros, where the lecture’s quotient is 0 / 0.',
    rule: { kind: 'softmax' },
    compute: ({ tensor, pass }) => softmax(tensor('masked_scores'), pass.inputIds.length),
  },
  {
    tensor: 'attended',
    symbol: math('A V'),
    title: 'Attention output',
    equations: [34],
    formula: math('softmax (', tilde('S'), ') V'),
    cell: math(at('( A V )', 'i , c'), '=', sum('j'), at('A', 'i , j'), '·', at('V', 'j , c')),
    shape: ['L', 'd'],
    code: [{ file: reference, exports: { attendedValues } }],
    rule: { kind: 'attended' },
    compute: ({ tensor, pass, config }) =>
      attendedValues(
        tensor('probabilities'),
        tensor('v'),
        pass.inputIds.length,
        config.numAttentionHeads,
        config.headDim,
      ),
  },
];

const quickGeluOperation: Operation = {
  tensor: 'quick_gelu',
  symbol: sub('H', '2'),
  title: 'QuickGELU',
  equations: [27, 38],
  formula: math(sub('H', '2'), '= QuickGELU (', sub('H', '1'), ')'),
  cell: math(
    at(sub('H', '2'), 'i , c'),
    '= u · σ ( 1.702 u ) ,',
    'u =',
    at(sub('H', '1'), 'i , c'),
    ', σ ( x ) =',
    fraction('1', math('1 +', sup('e', '− x'))),
  ),
  shape: ['L', 'm'],
  code: [{ file: reference, exports: { quickGelu } }],
  rule: { kind: 'quickGelu', of: 'fc1' },
  compute: ({ tensor }) => quickGelu(tensor('fc1')),
};

const hidden: StageTensor = { name: 'hiddenStates', shape: ['L', 'd'] };
const normed: StageTensor = { name: 'normed', shape: ['L', 'd'] };
const attended: StageTensor = { name: 'attended', shape: ['L', 'd'] };
const afterAttention: StageTensor = { name: 'afterAttention', shape: ['L', 'd'] };
const inner: StageTensor = { name: 'inner', shape: ['L', 'm'] };
const qkv: StageTensor = { name: 'qkv', shape: ['L', '3d'] };

const normWeights = (part: string): readonly StageTensor[] => [
  { name: `${part}.weight`, shape: ['d'] },
  { name: `${part}.bias`, shape: ['d'] },
];
const linearWeights = (part: string, columns: Size, rows: Size): readonly StageTensor[] => [
  { name: `${part}.weight`, shape: [columns, rows] },
  { name: `${part}.bias`, shape: [columns] },
];

/** The input of a layer. Of the first it is the sum of the embeddings. */
const before = sub('H', math('ℓ − 1'));
const queryKeyValue = (['q', 'k', 'v'] as const).map((letter) =>
  projection('layer_norm1', `self_attn.${letter}_proj`, letter, {
    title: { q: 'Queries', k: 'Keys', v: 'Values' }[letter],
    equations: [30, 31],
    symbol: math(letter.toUpperCase()),
    input: math('U'),
    index: letter.toUpperCase(),
    difference: noBiases,
  }),
);

export const stages: readonly Stage[] = [
  {
    key: 'embeddings',
    title: 'Embeddings',
    help: 'Each token’s id picks a row of the token table, and its place picks a row of the position table. Their sum is all that the layers get to know of the prompt.',
    place: 'before',
    shaders: ['embeddings'],
    reads: [
      { name: 'tokenRows', shape: ['L', 'd'] },
      { name: 'positionEmbedding', shape: ['L', 'd'] },
    ],
    writes: [hidden],
    operations: embeddingOperations,
  },
  {
    key: 'layer_norm1',
    title: 'LayerNorm 1',
    help: 'Every row is shifted to mean 0 and scaled to variance 1, then each column is stretched by γ and shifted by β. Large rows cannot drown small ones in what follows.',
    place: 'layer',
    shaders: ['layer_norm'],
    reads: [hidden, ...normWeights('layer_norm1')],
    writes: [normed],
    operations: [normalisation('hidden', 'layer_norm1', 'layer_norm1', [before, math('U')], [24, 25, 26, 41])],
  },
  {
    key: 'self_attn.qkv_proj',
    title: 'Queries, keys, values',
    help: 'Three views of every token: what it looks for (query), what it can be found by (key), and what it hands over when it is found (value). The heads lie side by side in the columns.',
    place: 'layer',
    shaders: ['linear', 'matmul*'],
    reads: [normed, ...linearWeights('self_attn.qkv_proj', '3d', 'd')],
    writes: [qkv],
    operations: queryKeyValue,
  },
  {
    key: 'self_attn.attention',
    title: 'Attention',
    help: 'Each query is compared with every key that the mask lets it see. The softmax turns a row of scores into shares of 1, and each token takes in the others’ values by these shares.',
    place: 'layer',
    shaders: ['heads', 'attention*'],
    reads: [qkv, { name: 'mask', shape: ['L', 'L'] }, { name: 'range', shape: [3] }],
    writes: [{ name: 'attentions', shape: ['h', 'L', 'L'] }, attended],
    operations: attentionOperations,
  },
  {
    key: 'self_attn.out_proj',
    title: 'Output projection',
    help: 'Mixes what the heads found, and adds it to the layer’s input: attention corrects a row, it does not replace it.',
    place: 'layer',
    shaders: ['linear', 'matmul*'],
    reads: [attended, ...linearWeights('self_attn.out_proj', 'd', 'd'), hidden],
    writes: [afterAttention],
    operations: [
      projection('attended', 'self_attn.out_proj', 'out_proj', {
        title: 'Output projection',
        equations: [35, 42],
        symbol: math('H'),
        input: math('( A V )'),
        index: 'O',
        difference: noBiases,
      }),
      residual(['hidden', 'out_proj'], 'residual1', [math('Y'), before, math('H')], [43]),
    ],
  },
  {
    key: 'layer_norm2',
    title: 'LayerNorm 2',
    help: 'Normalises the rows again, as before attention, with a γ and β of its own.',
    place: 'layer',
    shaders: ['layer_norm'],
    reads: [afterAttention, ...normWeights('layer_norm2')],
    writes: [normed],
    operations: [normalisation('residual1', 'layer_norm2', 'layer_norm2', [math('Y'), math('V')], [24, 25, 26, 43])],
  },
  {
    key: 'mlp.fc1',
    title: 'MLP, first half',
    help: 'Each token by itself: its row is widened to d_mlp features, and QuickGELU lets the positive ones pass and all but silences the negative ones.',
    place: 'layer',
    shaders: ['linear', 'matmul*'],
    reads: [normed, ...linearWeights('mlp.fc1', 'm', 'd')],
    writes: [inner],
    operations: [
      projection(
        'layer_norm2',
        'mlp.fc1',
        'fc1',
        {
          title: 'First layer of the MLP',
          equations: [36, 37],
          symbol: sub('H', '1'),
          input: math('V'),
          index: '1',
        },
        ['d', 'm'],
      ),
      quickGeluOperation,
    ],
  },
  {
    key: 'mlp.fc2',
    title: 'MLP, second half',
    help: 'The features that passed are brought back to the width of the model and added to the row. The sum is the layer’s output, and the next layer’s input.',
    place: 'layer',
    shaders: ['linear', 'matmul*'],
    reads: [inner, ...linearWeights('mlp.fc2', 'd', 'm'), afterAttention],
    writes: [hidden],
    operations: [
      projection(
        'quick_gelu',
        'mlp.fc2',
        'fc2',
        { title: 'Second layer of the MLP', equations: [39], symbol: math('Z'), input: sub('H', '2'), index: '2' },
        ['m', 'd'],
      ),
      residual(['residual1', 'fc2'], 'residual2', [sub('H', 'ℓ'), math('Y'), math('Z')], [44, 47]),
    ],
  },
  {
    key: 'final_layer_norm',
    title: 'Final LayerNorm',
    help: 'Normalises the last layer’s output. The result is what weights act on, and then what the U-Net’s cross-attention gets.',
    place: 'after',
    shaders: ['layer_norm'],
    reads: [hidden, ...normWeights('final_layer_norm')],
    writes: [{ name: 'lastHiddenState', shape: ['L', 'd'] }],
    operations: [
      normalisation(
        'hidden',
        'final_layer_norm',
        'last_hidden_state',
        [sub('H', 'N'), sub('X', 'N')],
        [24, 25, 26, 48, 58, 59],
      ),
    ],
  },
];
