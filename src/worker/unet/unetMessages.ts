import type { LayerReads, WeightedRows } from '../../analyses/unetReads.ts';
import type { Call } from '../threadCalls.ts';

/** Weights of a U-Net: a file that the person opened, or the page's own denoiser at an address. */
export type UnetSource =
  | { readonly kind: 'file'; readonly file: File }
  | { readonly kind: 'own'; readonly address: string };

/** The layers of a U-Net with what they read; or the sentence that says why the source has none that can. */
export type UnetFound = { readonly layers: readonly LayerReads[] } | { readonly problem: string };

export interface UnetCalls {
  /** Measures K and V of a conditioning, whose rows [L, d] have d numbers each, in all cross-attention layers. */
  read: Call<WeightedRows & { readonly source: UnetSource; readonly d: number }, UnetFound>;
}
