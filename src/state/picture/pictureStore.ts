/** Pictures of the prompt: a row of seeds that is drawn anew as it is typed, and the studies that are open. */

import { createStore, type StoreApi } from 'zustand/vanilla';
import { usualDrawing } from '../../pictures/drawing.ts';
import type { SamplerName } from '../../pictures/sampler.ts';
import type { PromptEmbedding } from '../../tokens/promptTokens.ts';
import {
  type DrawnPicture,
  type FollowedPicture,
  type ModelAddresses,
  type PictureSettings,
  type PictureTake,
  untouched,
} from '../../worker/pictures/pictureMessages.ts';
import { messageOf } from '../notices.ts';
import {
  type AskedTake,
  type PictureInput,
  type StudyName,
  type StudyTake,
  studyNames,
  studyTakes,
  type TriedWords,
} from './pictureStudies.ts';

/** Choices of the panel. The number of steps is one of the prompt's options. */
export interface PictureChoices {
  readonly firstSeed: number;
  readonly sampler: SamplerName;
  readonly guidance: number;
}

/** A picture of the row; it stays until the one that takes its place is there. */
export interface RowPicture {
  readonly seed: number;
  /** Null where there is no picture, because some number was not finite. */
  readonly picture: DrawnPicture | null;
  /** Calls of the denoiser that it took. */
  readonly calls: number;
  readonly drawnFrom: DrawnFrom;
}

/** The facts that something was drawn from, to be compared one by one. */
export type DrawnFrom = readonly unknown[];

export const isSame = (a: DrawnFrom | undefined, b: DrawnFrom): boolean =>
  a?.length === b.length && a.every((fact, i) => fact === b[i]);

/** A picture of a study; it stays, too, until the one that takes its place is there. */
export interface StudyPicture {
  readonly picture: DrawnPicture | null;
  readonly drawnFrom: DrawnFrom;
}

export interface Study {
  readonly takes: readonly StudyTake[];
  /** [takes] Undefined until there is any. */
  readonly pictures: readonly (StudyPicture | undefined)[];
}

/** The positive prompt that was followed on its way, and its picture; null where there is none. */
export interface FollowedPrompt {
  readonly prompt: string;
  readonly picture: FollowedPicture | null;
  readonly drawnFrom: DrawnFrom;
}

export interface PictureFacts {
  readonly choices: PictureChoices;
  /** The prompts and options to draw from; null before the page has read the prompt. */
  readonly input: PictureInput | null;
  readonly embeddings: readonly PromptEmbedding[];
  /** Whether a GPU draws. The pictures are the same, up to rounding. */
  readonly onGpu: boolean;
  /** Numbers that the picture model learned; null before it is there. */
  readonly parameters: number | null;
  readonly row: readonly (RowPicture | null)[];
  /** With `missing` there is no model to draw with: it is looked for again when the view is shown the next time. */
  readonly phase: 'idle' | 'drawing' | 'ready' | 'failed' | 'missing';
  /** The sentence that says why nothing is drawn. */
  readonly message: string | null;
  readonly open: ReadonlySet<StudyName>;
  readonly studies: Readonly<Record<StudyName, Study | null>>;
  /** The words of the weights' study, as they were chosen; null for those that the page chooses. */
  readonly words: TriedWords | null;
  readonly allMethods: boolean;
  /** Pictures that a part of the page asks for, beside those of the prompt. */
  readonly asked: readonly AskedTake[];
  /** Parts of the panel that show how the first picture came, and how it did. */
  readonly followers: ReadonlySet<string>;
  readonly followed: FollowedPrompt | null;
}

/** Whether a picture of the row is drawn from these facts in at least so many calls. */
export const isDrawn = (one: RowPicture | null, calls: number, drawnFrom: DrawnFrom): boolean =>
  one !== null && one.calls >= calls && isSame(one.drawnFrom, drawnFrom);

/** The facts that a study is drawn from now. */
export function studySource(facts: PictureFacts, name: StudyName): DrawnFrom {
  const { input, choices, words, allMethods, asked } = facts;
  const own = name === 'weights' ? [words, allMethods] : name === 'asked' ? [asked] : [];
  return [input, choices, ...own];
}

export interface PictureActions {
  choose(choices: Partial<PictureChoices>): void;
  /** The page has another prompt, or other options. */
  read(input: PictureInput, embeddings: readonly PromptEmbedding[]): void;
  /** The page's own encoder runs on a GPU, or does not: what is drawn from now on is drawn there, too. */
  drawOn(gpu: boolean): void;
  openStudy(name: StudyName, isOpen: boolean): void;
  follow(part: string, follows: boolean): void;
  tryWords(words: TriedWords | null): void;
  tryAllMethods(allMethods: boolean): void;
  ask(takes: readonly AskedTake[]): void;
  /** The view is on show: it draws what is not drawn yet. */
  show(): void;
  hide(): void;
}

export type PictureLab = StoreApi<PictureFacts & PictureActions>;

type Drawn = (picture: DrawnPicture | null, index: number) => void;

export interface PicturePool {
  /** Draws takes, `atOnce` of them side by side, on all workers there are; `hear` gets each as it is there. */
  draw(
    takes: readonly PictureTake[],
    settings: PictureSettings,
    atOnce: number,
    signal: AbortSignal,
    hear: Drawn,
  ): Promise<void>;
  follow(take: PictureTake, settings: PictureSettings, signal: AbortSignal): Promise<FollowedPicture | null>;
  parameters(addresses: ModelAddresses, signal: AbortSignal): Promise<number>;
}

interface PictureSurroundings extends ModelAddresses {
  readonly pool: PicturePool;
  /** Pictures of the row, from as many seeds; 0 where studies alone are shown. */
  readonly seeds: number;
  /** Resolves after so many milliseconds, or at once where the signal is aborted. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Calls of the denoiser while somebody types. */
export const previewCalls = 5;
/** Time after the last key until all steps are made. */
const pause = 350;
/** Pictures of a study that one worker draws side by side. */
const studiedAtOnce = 4;
/** Layers of the text model that comes with the page. */
const smallLayers = 6;

export const firstChoices: PictureChoices = {
  firstSeed: 1,
  sampler: usualDrawing.sampler,
  guidance: usualDrawing.guidance,
};

const noStudies = { methods: null, weights: null, layers: null, rows: null, asked: null } as const;

function toggled<T>(set: ReadonlySet<T>, one: T, isIn: boolean): ReadonlySet<T> {
  const changed = new Set(set);
  if (isIn) changed.add(one);
  else changed.delete(one);
  return changed;
}

/** Draws what the facts ask for, and keeps it in them. */
function drawer({ getState: get, setState: set }: PictureLab, surroundings: PictureSurroundings) {
  const { pool, seeds, merges, model, wait } = surroundings;
  const settingsOf = (calls: number): PictureSettings => {
    const { choices, embeddings, onGpu } = get();
    const { sampler, guidance } = choices;
    return { merges, model, embeddings, sampler, guidance, calls, onGpu };
  };

  const takeOf = (input: PictureInput, seed: number): PictureTake => ({ ...input, seed, ...untouched });

  async function drawRow(input: PictureInput, calls: number, atOnce: number, signal: AbortSignal): Promise<void> {
    const { choices } = get();
    const drawnFrom = [input, choices];
    const { row } = get();
    const missing = [...row.keys()].filter((i) => !isDrawn(row[i], calls, drawnFrom));
    if (missing.length === 0) return;
    const takes = missing.map((i) => takeOf(input, choices.firstSeed + i));
    await pool.draw(takes, settingsOf(calls), atOnce, signal, (picture, n) => {
      const { seed } = takes[n];
      set({ row: get().row.with(missing[n], { seed, picture, calls, drawnFrom }) });
    });
  }

  async function drawStudy(name: StudyName, input: PictureInput, signal: AbortSignal): Promise<void> {
    const { choices, words, allMethods, asked, studies } = get();
    const before = studies[name];
    const drawnFrom = studySource(get(), name);
    const takes = studyTakes[name]({
      ...input,
      seed: choices.firstSeed,
      words,
      layers: smallLayers,
      allMethods,
      asked,
    });
    const pictures = takes.map((_, i) => (before?.takes.length === takes.length ? before.pictures[i] : undefined));
    const missing = [...takes.keys()].filter((i) => !isSame(pictures[i]?.drawnFrom, drawnFrom));
    const keep = (study: Study) => set({ studies: { ...get().studies, [name]: study } });
    if (missing.length > 0 || takes.length !== before?.takes.length) keep({ takes, pictures });
    if (missing.length === 0) return;
    await pool.draw(
      missing.map((i) => takes[i].take),
      settingsOf(input.options.steps),
      studiedAtOnce,
      signal,
      (picture, n) => {
        const { pictures } = get().studies[name]!;
        keep({ takes, pictures: pictures.with(missing[n], { picture, drawnFrom }) });
      },
    );
  }

  async function drawFollowed(input: PictureInput, signal: AbortSignal): Promise<void> {
    const { choices, followed } = get();
    const drawnFrom = [input, choices];
    if (isSame(followed?.drawnFrom, drawnFrom)) return;
    const settings = settingsOf(input.options.steps);
    const picture = await pool.follow(takeOf(input, choices.firstSeed), settings, signal);
    set({ followed: { prompt: input.prompts.positive, picture, drawnFrom } });
  }

  async function countParameters(signal: AbortSignal): Promise<void> {
    if (get().parameters === null) set({ parameters: await pool.parameters({ merges, model }, signal) });
  }

  return async (input: PictureInput, signal: AbortSignal): Promise<void> => {
    const { steps } = input.options;
    await drawRow(input, Math.min(steps, previewCalls), 1, signal);
    await countParameters(signal);
    if (steps > previewCalls) {
      await wait(pause, signal);
      signal.throwIfAborted();
      await drawRow(input, steps, Math.ceil(seeds / 2), signal);
    }
    if (get().followers.size > 0) await drawFollowed(input, signal);
    for (const name of studyNames) if (get().open.has(name)) await drawStudy(name, input, signal);
  };
}

/** Makes the panel's facts and the actions on them. Nothing is drawn before `show`. */
export function createPictureLab(surroundings: PictureSurroundings): PictureLab {
  const store: PictureLab = createStore(() => ({}) as PictureFacts & PictureActions);
  const { getState: get, setState: set } = store;
  const drawAll = drawer(store, surroundings);
  let underway = new AbortController();
  let isShown = false;

  /** Draws what is not drawn yet, and forgets what is under way. */
  function draw(): void {
    underway.abort();
    const { input, phase } = get();
    if (!isShown || !input || phase === 'missing') return;
    underway = new AbortController();
    const { signal } = underway;
    set({ phase: 'drawing', message: null });
    drawAll(input, signal).then(
      () => set({ phase: 'ready' }),
      (error) => {
        if (signal.aborted) return;
        set({ phase: error.name === 'NoPictureModelError' ? 'missing' : 'failed', message: messageOf(error) });
      },
    );
  }

  const actions: PictureActions = {
    choose(choices) {
      set({ choices: { ...get().choices, ...choices } });
      draw();
    },
    read(input, known) {
      // The step whose text the page shows changes nothing of a picture.
      const next = { ...input, options: { ...input.options, step: 1 } };
      const before = get();
      if (JSON.stringify(next) === JSON.stringify(before.input) && known === before.embeddings) return;
      set({ input: next, embeddings: known });
      draw();
    },
    drawOn(gpu) {
      set({ onGpu: gpu });
    },
    openStudy(name, isOpen) {
      set({ open: toggled(get().open, name, isOpen) });
      draw();
    },
    follow(part, follows) {
      set({ followers: toggled(get().followers, part, follows) });
      draw();
    },
    tryWords(words) {
      if (JSON.stringify(words) === JSON.stringify(get().words)) return;
      set({ words });
      if (get().open.has('weights')) draw();
    },
    tryAllMethods(allMethods) {
      set({ allMethods });
      if (get().open.has('weights')) draw();
    },
    ask(takes) {
      if (JSON.stringify(takes) === JSON.stringify(get().asked)) return;
      set({ asked: takes });
      if (get().open.has('asked')) draw();
    },
    show() {
      isShown = true;
      if (get().phase === 'missing') set({ phase: 'idle' });
      draw();
    },
    hide() {
      isShown = false;
      underway.abort();
    },
  };
  set({
    ...{
      choices: firstChoices,
      input: null,
      embeddings: [],
      onGpu: false,
      parameters: null,
      row: Array(surroundings.seeds).fill(null),
      phase: 'idle',
      message: null,
    },
    ...{
      open: new Set(),
      studies: noStudies,
      words: null,
      allMethods: false,
      asked: [],
      followers: new Set(),
      followed: null,
    },
    ...actions,
  });
  return store;
}
