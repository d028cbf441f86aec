/** The deeds of the lessons’ buttons. */
import type { TensorKey } from '../../clip/stages.ts';
import { withOption } from '../../road/options.ts';
import type { Facts } from '../../state/facts.ts';
import type { Lab } from '../../state/lab/labStore.ts';
import { defaultsOf } from '../../state/presets.ts';
import { prepared, shownChunk } from '../../state/reading.ts';
import { shownConfig, shownHead } from '../../state/shownSizes.ts';
import type { Actions } from '../../state/store.ts';
import { scale } from '../../weighting/scale.ts';
import { eosRow } from './lessonNumbers.ts';
import type { LessonId } from './lessons.ts';

/** Everything that a lesson's button can act on. */
export interface TrialPlace {
  readonly page: Facts & Actions;
  /** Shows this matrix of the encoder. */
  choose(tensor: TensorKey): void;
  /** Masks these tokens as keys in the mask lab. */
  mask(keys: readonly number[]): void;
  readonly lab: Lab;
}

/** Puts a positive prompt in place of the one on the page, in a way that can be taken back. */
function type({ page }: TrialPlace, positive: string, options = page.options): void {
  page.replace({ prompts: { ...page.prompts, positive }, options }, 'Typed by the lesson.');
  page.show({ side: 'positive', chunk: 0 });
}

/** Types more words than fit: one token each, without a comma at which a program could move them to the next chunk. */
function typeTooMany(place: TrialPlace): void {
  const { maxPositionEmbeddings: L } = shownConfig(place.page);
  type(
    place,
    Array(Math.ceil(L / 3) + 4)
      .fill('red blue circle')
      .join(' '),
  );
}

const twoSquares = ['green', 'blue'].map((colour) => `a red circle left of a ${colour} square`);

const lastLayer = ({ page }: TrialPlace) => page.show({ layer: shownConfig(page).numHiddenLayers - 1 });

export const trials: Readonly<Record<LessonId, (place: TrialPlace) => void>> = {
  pipeline: (place) => type(place, twoSquares[place.page.prompts.positive === twoSquares[0] ? 1 : 0]),
  tokens: typeTooMany,
  'pad-mask': ({ page }) =>
    page.replace({ options: withOption(page.options, 'mask', 'lecture') }, 'Set by the lesson: the lecture’s mask.'),
  weighting(place) {
    const { page } = place;
    const options = withOption(page.options, 'weighting', scale.name);
    const weighs = prepared(page, page.side)?.texts.some(({ applied }) =>
      applied.some((row) => row.some((w) => w !== 1)),
    );
    if (weighs) page.replace({ options }, 'Set by the lesson: “No norm”.');
    else
      type(place, 'a (red:1.5) circle left of a blue square', withOption(defaultsOf('a1111'), 'weighting', scale.name));
  },
  'down-weighting': (place) => type(place, 'a (red)0.5 circle left of a blue square', defaultsOf('compel')),
  embedding(place) {
    type(place, 'a red red circle');
    place.choose('token_embedding');
  },
  'layer-norm': lastLayer,
  activations: ({ choose }) => choose('probabilities'),
  attention({ page, choose }) {
    choose('probabilities');
    page.show({ head: (shownHead(page) + 1) % shownConfig(page).numAttentionHeads });
  },
  masks({ page, mask }) {
    const chunk = shownChunk(page);
    if (chunk) mask([eosRow(chunk.chunk.tokens)]);
  },
  mlp: ({ choose }) => choose('fc2'),
  layer(place) {
    place.choose('residual2');
    lastLayer(place);
  },
  stack({ page }) {
    page.replace({ options: withOption(page.options, 'clipSkip', 2) }, 'Set by the lesson: clip skip 2.');
    page.show({ stage: 'last' });
  },
  length: typeTooMany,
  objective: ({ lab }) => void lab.getState().step(),
  temperature: ({ lab }) => lab.getState().change({ temperature: 1, layer: 'byRow' }),
};
