/** The lecture as lessons, in its order: texts and data, no DOM. */
import type { TensorKey } from '../../clip/stages.ts';
import { lecture, type MappedRow } from '../../road/lecture.ts';

/** Something to do in a lesson: the button's text, and what is to be seen then. */
export interface Trial {
  readonly label: string;
  readonly look: string;
}

export interface Lesson {
  /** Its name in the address. */
  readonly id: LessonId;
  readonly title: string;
  /** Numbers of the lecture's equations, ascending. */
  readonly equations: readonly number[];
  /**
   * Sentences in which `{name:words}` are words that mean tokens, by a name of `tokenWords`, or the elements of the lesson with
   * `data-part="name"`.
   */
  readonly text: string;
  readonly trial: Trial;
  /** The matrices to choose from, of stages of the encoder, the first shown first; missing where the picture is another. */
  readonly tensors?: readonly [TensorKey, ...TensorKey[]];
  /** How the lecture and the programs differ, where none of the equations' rows says so. */
  readonly difference?: string;
}

export const lessonIds = [
  'pipeline',
  'tokens',
  'pad-mask',
  'weighting',
  'down-weighting',
  'embedding',
  'layer-norm',
  'activations',
  'attention',
  'masks',
  'mlp',
  'layer',
  'stack',
  'length',
  'objective',
  'temperature',
] as const;
export type LessonId = (typeof lessonIds)[number];

export const lessons: readonly Lesson[] = [
  {
    id: 'pipeline',
    title: 'From text to picture',
    equations: [6, 52],
    text: 'The tokenizer cuts a prompt into {tokens:tokens}, each a number of a fixed vocabulary. The text encoder turns their {hidden:embeddings} into a matrix C, one row a token: {layer:layer after layer}, and a {last_hidden_state:last normalisation}. {conditioning:Weights} then change rows of C. The U-Net, which makes the picture, reads the result at every step: it is all that it gets to know of your words. Choose a box for its lesson.',
    trial: {
      label: 'Change a word',
      look: 'The prompt is “a red circle left of a … square”, and each press puts green for blue or blue for green. In the strip above only that token changes. The rows of all words before it stay the same, to the bit: no row of the encoder sees what comes later.',
    },
    difference:
      'The lecture has one prompt of at most 75 tokens. A1111 and ComfyUI encode longer ones in several passes and put the rows below each other, and A1111 may switch texts between steps.',
  },
  {
    id: 'tokens',
    title: 'Tokens and length',
    equations: [7],
    text: 'A word is one token or several; a token’s place in the vocabulary is its {id:id}. A pass of the encoder has a fixed number of places. {bos:BOS} takes the first, then come the words, {eos:EOS} ends them, and {pad:PAD} fills what is left. PAD and EOS are the same id, so the encoder cannot tell them apart by it.',
    trial: {
      label: 'Type more words than fit',
      look: 'EOS stands in the last row, and there is no PAD: the chunk is full. A1111 and ComfyUI go on in a second chunk, which the strip above shows; the lecture, and Compel by itself, cut off what is left.',
    },
  },
  {
    id: 'pad-mask',
    title: 'The PAD mask',
    equations: [8, 9, 10],
    text: 'Padding is no part of what you said, so a mask can hide it: each token has a {bit:bit}, and a token whose bit is 0 is looked at by no other. In the lecture the bit is 0 wherever the id equals PAD. {eos:EOS} has this id as well, so the true end of the prompt is hidden together with the {pad:padding} behind it.',
    trial: {
      label: 'Use the lecture’s mask',
      look: 'In the last column the bit of EOS is 0, like those of all PAD tokens; BOS and the words keep 1.',
    },
  },
  {
    id: 'weighting',
    title: 'Weighting',
    equations: [11, 12, 13, 14, 15, 16],
    text: 'Brackets put tokens into groups S, and each group has a map ψ that changes the rows of its tokens. The lecture’s map multiplies by the weight r. {weighted:A weighted token} is marked in the strip above; here its row’s {length:length} before and after weighting are bars, and so is {moved:how far it went}. Words never change others this way: every row is mapped by itself.',
    trial: {
      label: 'Weigh as the lecture does',
      look: 'Rows of weight 1 stand still, and a weighted row is r times as long as before. With A1111’s default every row moves a little.',
    },
  },
  {
    id: 'down-weighting',
    title: 'Compel’s weights below 1',
    equations: [17, 18, 20],
    text: 'Compel does not only shrink a word that weighs less than 1. It encodes the prompt once more with the word hidden from all others, and takes a {parts:mean of both}: {whole:the whole prompt} counts 1, and {without:the prompt without the word} counts λ, which grows from 0 at r = 1 past all bounds at r = 0. So the outcome depends on more than the rows that the first pass gave, and is no map ψ of them.',
    trial: {
      label: 'Weigh a word 0.5',
      look: 'λ is exactly 1: the prompt with the word and the prompt without it have a share of one half each.',
    },
  },
  {
    id: 'embedding',
    title: 'Embedding',
    equations: [21, 22, 23, 49, 50, 51],
    text: 'The encoder computes with rows of numbers, not with words. {token_embedding:T} holds the row of each token’s id in a table, whatever stands around it. {position_embedding:P} holds the row of each place. {hidden:Their sum} goes into the first layer, and is all that the layers learn about the prompt: what stands where.',
    trial: {
      label: 'Say “red” twice',
      look: 'In T the rows of both “red” are equal, number by number. In X₀ they are not: choose the sum, and compare the rows, to which P added different places.',
    },
    tensors: ['token_embedding', 'position_embedding', 'hidden'],
  },
  {
    id: 'layer-norm',
    title: 'Layer normalisation',
    equations: [24, 25, 26, 41],
    text: 'Each row is brought to a common measure before it is used: its mean μ is taken off, and it is divided by its standard deviation σ. Then each column is multiplied by γ and shifted by β, which were learnt. {layer_norm1:The formula} treats every row by itself, and {sum:the sum behind a cell} has its μ and σ²; click another cell for others.',
    trial: {
      label: 'Go to the last layer',
      look: '“before” under Rows shows the residual stream, whose rows have grown from layer to layer; “after” shows them at a common measure. “Norm of each row” below has the lengths of both.',
    },
    difference: 'None here: programs do as the lecture says.',
    tensors: ['layer_norm1'],
  },
  {
    id: 'activations',
    title: 'QuickGELU and softmax',
    equations: [27, 28, 29, 38],
    text: '{quick_gelu:QuickGELU} is a soft gate: u times a number between 0 and 1 that is near 0 where u is far below zero, and near 1 where it is far above. {probabilities:Softmax} makes shares of a row of scores: exponentials, divided by their sum, so that all are positive and come to 1. {sum:The sum} has the numbers of the cell that you choose.',
    trial: {
      label: 'Show the softmax',
      look: 'In a row of the softmax the shares of all keys come to 1. A hatched key is masked: its share is exactly 0, not just small.',
    },
    tensors: ['quick_gelu', 'probabilities'],
  },
  {
    id: 'attention',
    title: 'Attention',
    equations: [30, 31, 32, 33, 34, 35],
    text: 'Each token asks with its {q:query}, is found by its {k:key} and hands over its {v:value}; all three are linear maps of its row. {scores:A score} is the product of a query and a key over √dₕ. {masked_scores:The mask} takes keys away. {probabilities:The softmax} of what is left says how much each token takes from which others, and {attended:the output} is the mean of the values by these shares. Every head has maps of its own, and {out_proj:the last map} mixes what the heads found. Press one of these words for its matrix.',
    trial: {
      label: 'Look through the next head',
      look: 'Another head looks elsewhere: other keys are bright. The hatched half never changes, since all heads have the same mask.',
    },
    tensors: ['probabilities', 'q', 'k', 'v', 'scores', 'masked_scores', 'attended', 'out_proj'],
  },
  {
    id: 'masks',
    title: 'Masks in attention',
    equations: [55, 56, 57],
    text: 'Two masks say which key a query may see. {causal:The causal mask} hides what comes later, and {lecture:the lecture’s} hides PAD as well; {hf:transformers’ own} keeps the true EOS, and Stable Diffusion uses the causal one alone. {none:Without any mask} every row sees every other. {masked:The last picture} is yours: press a token in the table to hide it, and the bars say how far each row of C moves.',
    trial: {
      label: 'Mask EOS',
      look: 'Rows before EOS are unchanged, not one bit differs: they come earlier, and never saw it. EOS and every row after it change.',
    },
  },
  {
    id: 'mlp',
    title: 'The MLP',
    equations: [36, 37, 38, 39],
    text: 'After attention each token is on its own again. {fc1:The first layer} widens its row to dₘₗₚ features, {quick_gelu:QuickGELU} lets some pass, and {fc2:the second layer} brings what passed back to the width d. No token sees another here: row i of the outcome depends on row i alone.',
    trial: {
      label: 'Show the second layer',
      look: 'The sum behind the cell has one product for each of the dₘₗₚ features. The largest stand first, and most of the others are close to nothing: their features were shut.',
    },
    difference:
      'OpenAI’s CLIP, and so Stable Diffusion 1, has QuickGELU. LAION’s CLIP of the same sizes was trained with the exact GELU, u · Φ(u): its file has the same tensors, and gives wrong rows here.',
    tensors: ['fc1', 'quick_gelu', 'fc2'],
  },
  {
    id: 'layer',
    title: 'One layer',
    equations: [40, 41, 42, 43, 44, 45],
    text: 'A layer corrects its input twice and replaces nothing. {out_proj:H}, what attention found in the normalised rows, is {residual1:added} to the stream: Y = X + H. {fc2:Z}, the MLP’s outcome, is {residual2:added} to that. So whatever one layer writes is there for all later ones, unless they take it off again.',
    trial: {
      label: 'Go to the last layer',
      look: 'The sum behind the cell has both summands: the first is the stream as it came in, the second this layer’s correction.',
    },
    tensors: ['residual2', 'out_proj', 'residual1', 'fc2'],
  },
  {
    id: 'stack',
    title: 'All layers',
    equations: [46, 47, 48, 53, 54, 58, 59],
    text: 'The layers run one after the other, each on what the one before has made, and all with the same mask. The slider walks through {states:the states between them}: 0 is the sum of the embeddings, and the last is what the final LayerNorm makes of the last layer’s output, the matrix C that weights act on.',
    trial: {
      label: 'Skip the last layer',
      look: 'With clip skip 2 the final LayerNorm takes the output of the last layer but one. Rows differ from those before, and have about the same lengths: the LayerNorm sees to that.',
    },
    difference:
      'Programs can end the stack early: clip skip k takes the output of layer N + 1 − k, and A1111 normalises it by the final LayerNorm.',
  },
  {
    id: 'length',
    title: 'Why the length is fixed',
    equations: [50],
    text: 'Places are told apart by rows of a table that was learnt: {position-table:the position table} has one for each place, and no more. {cosines:The second picture} compares each place’s row with every other’s by the cosine of their angle: 1 is the same direction, 0 none in common, and −1 the opposite. A token past the table’s end would need a row that no training has set; that, and nothing else, fixes the length.',
    trial: {
      label: 'Type more words than fit',
      look: 'A1111 and ComfyUI put the words that do not fit into a second chunk, in which places count from 0 again: for the encoder they are the beginning of another text. Choose the chunk in the strip above. Compel cuts them off.',
    },
    difference:
      'Position codes that are computed, such as rotary ones, have no table to run out of. A finished table has no free places, so Long-CLIP makes a longer one: it keeps the first 20 rows, puts three new ones after each of the other 57, which makes 248, and trains on. Open such a file, and this page has 248 places.',
  },
  {
    id: 'objective',
    title: 'The objective',
    equations: [60, 61, 62, 63, 64],
    text: 'CLIP learns by matching. Each of N {captions:captions} and each of N {pictures:pictures} becomes a vector of length 1, and {similarities:the matrix S} holds all their products over the temperature τ. {equation-62:Each caption’s row} should be won by its own picture, and {equation-63:each picture’s column} by its own caption: both on the diagonal. {equation-64:The loss} is the mean of both. This is the small model that the page comes with; point at a cell for its numbers.',
    trial: {
      label: 'Train one step',
      look: 'One step on a batch of pairs moves every weight a little; the page’s own encoder stays as it is. “Steps” counts it, and the numbers of the equations are those after the step.',
    },
    difference:
      'The lecture’s text tower gives one vector, the row of EOS after a projection. Stable Diffusion takes all rows, before the projection. CLIP’s own batch had 32,768 pairs.',
  },
  {
    id: 'temperature',
    title: 'The temperature',
    equations: [61, 62],
    text: 'Cosines lie between −1 and 1, which would make a very flat softmax. {equation-61:Dividing them by τ} stretches their differences before {similarities:the softmax}. {temperature:The smaller τ is}, the more of a row’s share the best match gets; towards 0 it takes all, and mistakes cost more and more. In CLIP τ is learnt like any other number, held at 0.01 or above.',
    trial: {
      label: 'Set τ to 1',
      look: 'Rows of the softmax are almost flat, although no cosine has changed. Two cosines differ by 2 at most, so now no share of a row can be more than e² ≈ 7.4 times another.',
    },
    difference:
      'The lecture’s τ is a plain number. In open_clip the learnt number is −ln τ, and 1/τ is held at 100 or below.',
  },
];

/** The differences between lecture and programs in a lesson: its own sentence, and those of its equations, none twice. */
export function differencesOf({ equations, difference }: Lesson): string[] {
  const rows = lecture.filter((row) => row.equations.some((number) => equations.includes(number)));
  return [...new Set([...(difference ? [difference] : []), ...rows.flatMap((row) => row.difference ?? [])])];
}

/** The rows of the lecture's map that a lesson is about, in its order, each formula once. */
export function rowsOf({ equations }: Lesson): MappedRow[] {
  return lecture.filter((row) => row.equations.some((number) => equations.includes(number)));
}

/** The lesson about a matrix of the encoder: the one that names the fewest. */
export function lessonOfTensor(tensor: TensorKey): Lesson {
  const [lesson] = lessons
    .filter(({ tensors }) => tensors?.includes(tensor))
    .sort((a, b) => a.tensors!.length - b.tensors!.length);
  return lesson ?? lessons.find(({ id }) => id === 'stack')!;
}

const start = '#view=lecture&lesson=';

export const lessonHash = (id: LessonId): string => start + id;

/** The lesson that an address names; null where it names none. */
export function lessonOf(hash: string): Lesson | null {
  const [, id] = /[#&]lesson=([\w-]+)/.exec(hash) ?? [];
  return lessons.find((lesson) => lesson.id === id) ?? null;
}

/** Words of texts that mean tokens of the prompt: kinds, and those that have a weight. */
export const tokenWords: readonly string[] = ['bos', 'eos', 'pad', 'weighted'];

/** A part of a text: plain, or words that mean a part of the lesson. */
export interface TextPart {
  readonly words: string;
  readonly means?: string;
}

/** Splits a lesson's text at its `{name:words}`. */
export function partsOf(text: string): TextPart[] {
  return text.split(/(\{[\w-]+:[^}]+\})/).flatMap((part): TextPart[] => {
    const [, means, words] = /^\{([\w-]+):([^}]+)\}$/.exec(part) ?? [];
    if (means) return [{ means, words }];
    return part ? [{ words: part }] : [];
  });
}
