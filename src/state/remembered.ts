import type { EngineChoice } from '../engine/engineChoice.ts';
import type { Side } from '../prompt/side.ts';
import type { PromptOptions } from '../road/options.ts';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

export type Prompts = Readonly<Record<Side, string>>;

/** The part of the page that a link, a file or an earlier prompt replaces as a whole. */
export interface Work {
  readonly prompts: Prompts;
  readonly options: PromptOptions;
}

export const weightSteps = [0.01, 0.05, 0.1] as const;
export type WeightStep = (typeof weightSteps)[number];

/** The facts that survive a reload. */
export interface Remembered extends Work {
  /** The change of a weight by one key. */
  readonly weightStep: WeightStep;
  readonly theme: Theme;
  /** Size of the made-up weights that the page starts with; null for the small model that comes with the page. */
  readonly syntheticSize: 'full' | 'tiny' | null;
  /** The stored model that the page starts with instead; null where there is none. */
  readonly storedModel: { readonly model: string; readonly name: string } | null;
  readonly engineChoice: EngineChoice;
}
