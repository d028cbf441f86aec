/** Studies of a picture: what is drawn beside it, from the same seed, with one thing changed. */

import { type RowSelection, rowSelections } from '../../pictures/keptRows.ts';
import type { Range } from '../../prompt/ast.ts';
import type { Side } from '../../prompt/side.ts';
import type { PromptOptions } from '../../road/options.ts';
import { type MethodName, methodNames, methods } from '../../weighting/methods.ts';
import { type PictureTake, untouched } from '../../worker/pictures/pictureMessages.ts';

/** Everything that a picture is drawn from, but for its seed. */
export interface PictureInput {
  readonly prompts: Readonly<Record<Side, string>>;
  readonly options: PromptOptions;
}

export const studyNames = ['methods', 'weights', 'layers', 'rows', 'asked'] as const;
export type StudyName = (typeof studyNames)[number];

/** A picture of a study: the text that names it, and how it is drawn. */
export interface StudyTake {
  readonly label: string;
  readonly take: PictureTake;
  /** Weights: the method and the weight. */
  readonly tried?: { readonly method: MethodName; readonly weight: number };
}

/** A picture that another part of the page asks for: what it changes of the prompt on show. */
export interface AskedTake extends Partial<Pick<PictureTake, 'prompts' | 'options' | 'off'>> {
  readonly label: string;
}

/** Words whose weight is tried, in a prompt in which they have brackets of their own. */
export interface TriedWords extends Range {
  readonly positive: string;
}

export interface StudyInput extends PictureInput {
  readonly seed: number;
  /** Null where no words can be tried. */
  readonly words: TriedWords | null;
  /** Layers of the text encoder, N. */
  readonly layers: number;
  /** Methods that the weights are tried by, beside the prompt's own. */
  readonly allMethods: boolean;
  readonly asked: readonly AskedTake[];
}

/** [17] Weights of the film strip. */
export const triedWeights: readonly number[] = Array.from({ length: 17 }, (_, i) => (i - 4) / 4);

const rowLabels: Readonly<Record<RowSelection, string>> = {
  all: 'all rows',
  words: 'words only',
  eos: 'EOS only',
  pad: 'PAD only',
  'without-pad': 'without PAD',
};

const plainTake = ({ prompts, options, seed }: StudyInput): PictureTake => ({
  ...{ prompts, options, seed },
  ...untouched,
});

/** The pictures of a study. */
export const studyTakes: Readonly<Record<StudyName, (input: StudyInput) => readonly StudyTake[]>> = {
  methods: (input) =>
    methodNames.map((weighting) => ({
      label: methods[weighting].label,
      take: { ...plainTake(input), options: { ...input.options, weighting } },
    })),
  weights(input) {
    const { words, options, allMethods } = input;
    if (!words) return [];
    const own = options.weighting;
    const names = allMethods ? [own, ...methodNames.filter((name) => name !== own && name !== 'none')] : [own];
    const { positive, start, end } = words;
    return names.flatMap((method) =>
      triedWeights.map((weight) => ({
        label: String(weight).replace('-', '−'),
        tried: { method, weight },
        take: {
          ...plainTake(input),
          prompts: { ...input.prompts, positive },
          options: { ...options, weighting: method },
          tried: { start, end, weight },
        },
      })),
    );
  },
  layers: (input) =>
    Array.from({ length: input.layers + 1 }, (_, layer) => ({
      label: layer === 0 ? 'embeddings' : `layer ${layer}`,
      take: { ...plainTake(input), options: { ...input.options, clipSkip: input.layers + 1 - layer } },
    })),
  asked: (input) => input.asked.map(({ label, ...changes }) => ({ label, take: { ...plainTake(input), ...changes } })),
  rows: (input) => rowSelections.map((rows) => ({ label: rowLabels[rows], take: { ...plainTake(input), rows } })),
};
