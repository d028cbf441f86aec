import type { SwitchedOff } from '../../analyses/analysisEncoder.ts';
import type { RowSelection } from '../../pictures/keptRows.ts';
import type { PictureVerdict } from '../../pictures/pictureVerdict.ts';
import type { SamplerName } from '../../pictures/sampler.ts';
import type { TriedWeight } from '../../pictures/sweptPrompt.ts';
import type { Side } from '../../prompt/side.ts';
import type { PromptOptions } from '../../road/options.ts';
import type { PromptEmbedding } from '../../tokens/promptTokens.ts';
import type { SeenPicture } from '../../world/judge/judge.ts';
import type { Colour } from '../../world/worldWords.ts';
import type { Call } from '../threadCalls.ts';

/** A prompt to draw, and how. */
export interface PictureTake {
  readonly prompts: Readonly<Record<Side, string>>;
  readonly options: PromptOptions;
  readonly seed: number;
  /** Rows of the conditioning that count. */
  readonly rows: RowSelection;
  /** Another weight for words of the positive prompt; null leaves it as it is. */
  readonly tried: TriedWeight | null;
  /** A part of the text encoder that is switched off, for whatever it reads; null leaves it whole. */
  readonly off: SwitchedOff | null;
}

/** A take of the prompts as they stand. */
export const untouched = { rows: 'all', tried: null, off: null } as const satisfies Partial<PictureTake>;

/** Addresses of CLIP's merges and of the picture model. */
export interface ModelAddresses {
  readonly merges: string;
  readonly model: string;
}

/** Everything that pictures have in common. */
export interface PictureSettings extends ModelAddresses {
  /** Textual inversions that prompts may name, of whatever width. */
  readonly embeddings: readonly PromptEmbedding[];
  readonly sampler: SamplerName;
  readonly guidance: number;
  /** Calls of the denoiser. */
  readonly calls: number;
  /** Whether a GPU draws, as far as there is one that is no processor in its place; else the CPU does. */
  readonly onGpu: boolean;
}

/** [S, S, 4] RGBA */
export type PictureBytes = Uint8ClampedArray<ArrayBuffer>;

export interface DrawnPicture {
  readonly bytes: PictureBytes;
  /** The judge's view of it, in numbers and in words. */
  readonly seen: SeenPicture;
  readonly shares: Readonly<Record<Colour, number>>;
  readonly verdict: PictureVerdict;
}

/** A row of a conditioning as the denoiser reads it, and how much the pixels look at it. */
export interface LookedRow {
  /** The vocabulary entry; null where the row completes the length. */
  readonly text: string | null;
  readonly kind: 'bos' | 'text' | 'eos' | 'pad';
  /** Place in the positive prompt; null for BOS, EOS and PAD. */
  readonly range: { readonly start: number; readonly end: number } | null;
  /** Share of all looks, 0 … 1. */
  readonly share: number;
}

/** A picture on its way, and what it is made from. */
export interface FollowedPicture extends DrawnPicture {
  /** The picture with its noise after so many calls, and what the denoiser takes for the clean one there. */
  readonly trail: readonly { readonly call: number; readonly noisy: PictureBytes; readonly clean: PictureBytes }[];
  /** Rows of the last step's conditioning, the parts of an AND one after the other. */
  readonly rows: readonly LookedRow[];
  /** [rows, lookSide²] Share of each square's looks that the row has, 0 … 1. */
  readonly looks: Float32Array;
  /** [rows, d] The conditioning itself. */
  readonly conditioning: Float32Array;
}

/** Every call that the page can make to a worker that draws. All reject with NoPictureModelError where there is no model. */
export interface PictureCalls {
  /** Draws a picture for each take, all side by side; null where a conditioning has numbers that are not finite. */
  draw: Call<PictureSettings & { readonly takes: readonly PictureTake[] }, readonly (DrawnPicture | null)[]>;
  /** Counts the numbers that the picture model learned. */
  parameters: Call<ModelAddresses, number>;
  /** Draws one picture, and tells how it came. */
  follow: Call<PictureSettings & { readonly take: PictureTake }, FollowedPicture | null>;
}
