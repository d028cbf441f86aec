/** The objective lab: a run that plays, pauses and steps in a worker, and the runs before it. */

import { createStore, type StoreApi } from 'zustand/vanilla';
import { log } from '../../models/elementary.ts';
import type { LiveMeasures } from '../../training/liveMeasures.ts';
import type { LiveSettings, LiveStep } from '../../training/liveRun.ts';
import type { createAsk } from '../../worker/ask.ts';
import type {
  Embedded,
  EmbedRequest,
  LabBatch,
  LabCalls,
  LabFrame,
  Look,
  LookRequest,
  Trained,
} from '../../worker/lab/labMessages.ts';
import { messageOf } from '../notices.ts';
import { changedSettings, type LabLayer, type LabSettings, layersOf, liveSettings } from './labSettings.ts';
import { firstOwn, type OwnWork } from './ownWork.ts';

/** Steps and measures of one run. */
export interface LabRecord {
  readonly id: number;
  readonly settings: LabSettings;
  /** All of them, or every second, fourth … of the earlier ones of a long run. */
  readonly steps: readonly LiveStep[];
  readonly measures: readonly LiveMeasures[];
}

/** Runs to make one after the other, each until it has seen so many pairs. */
export interface Experiment {
  readonly left: readonly Partial<LiveSettings>[];
  readonly pairs: number;
}

export interface LabFacts {
  readonly settings: LabSettings;
  readonly phase: 'idle' | 'starting' | 'ready' | 'failed';
  /** The sentence that says why it failed, or why it stopped. */
  readonly message: string | null;
  readonly isPlaying: boolean;
  /** The layer that a step walked through in slow motion has come to; null outside of one. */
  readonly stage: LabLayer | null;
  readonly frame: LabFrame | null;
  readonly batch: LabBatch | null;
  /** Parameters of the model; 0 before it is there. */
  readonly parameters: number;
  readonly run: LabRecord;
  /** Earlier runs, the oldest first. */
  readonly past: readonly LabRecord[];
  readonly experiment: Experiment | null;
  /** The picture and the captions that a person made. */
  readonly own: OwnWork;
}

export interface LabActions {
  /** Changes settings; those that a run cannot change begin a new one. */
  change(changes: Partial<LabSettings>): void;
  play(): void;
  pause(): void;
  /** Makes one step, or in slow motion goes to its next stage. */
  step(): Promise<void>;
  /** Begins the run anew. */
  reset(): void;
  forgetPast(): void;
  compare(experiment: Experiment): void;
  /** Has the model embed texts and pictures as it is. Rejects as the worker does. */
  embed(request: EmbedRequest): Promise<Embedded>;
  /** Has the model read a caption and a picture as it is. Rejects as the worker does. */
  look(request: LookRequest): Promise<Look>;
  changeOwn(change: (own: OwnWork) => Partial<OwnWork>): void;
  /** The view is on show: the run starts, or goes on. */
  show(): void;
  /** The view is not on show: nothing is trained. */
  hide(): void;
}

export type Lab = StoreApi<LabFacts & LabActions>;

interface LabSurroundings {
  readonly ask: ReturnType<typeof createAsk<LabCalls>>;
  readonly settings: LabSettings;
  readonly own?: OwnWork;
  /** Address of CLIP's merges. */
  readonly merges: string;
  /** Whether the lab plays as soon as it is first shown. */
  readonly playsAtFirst: boolean;
  /** Resolves after so many milliseconds, or at once where the signal is aborted. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Time of training between two pictures. */
const stretch = 80;
const slowStage = 1100;
/** The most earlier runs that are kept. */
const mostPast = 8;

const emptyRun = (settings: LabSettings, id: number): LabRecord => ({ id, settings, steps: [], measures: [] });

/** Most steps of a run that are kept; a run of hours would else fill the memory. */
export const mostSteps = 20_000;

/** Leaves out every second step where there are too many, but for the last and those that were measured. */
function boundedSteps(steps: readonly LiveStep[], measures: readonly LiveMeasures[]): readonly LiveStep[] {
  if (steps.length <= mostSteps) return steps;
  const measured = new Set(measures.map(({ step }) => step));
  return steps.filter(({ step }, i) => (steps.length - 1 - i) % 2 === 0 || measured.has(step));
}

/** Steps that a run has made. */
export const stepsMade = ({ steps }: Pick<LabRecord, 'steps'>): number => steps.at(-1)?.step ?? 0;

export const pairsSeen = (run: Pick<LabRecord, 'settings' | 'steps'>): number => run.settings.batch * stepsMade(run);

/** −ln τ of the batch on show: the hand's, or the model's. */
export const shownLogScale = ({ settings, frame }: Pick<LabFacts, 'settings' | 'frame'>): number =>
  typeof settings.temperature === 'number' ? -log(settings.temperature) : (frame?.logScale ?? 0);

/** The facts after the worker has trained. */
function trained(facts: LabFacts, { steps, measured, frame }: Trained): Partial<LabFacts> {
  const { run, batch } = facts;
  const { settings } = facts;
  const measures = [...run.measures, ...measured];
  const diverged = steps.some(({ loss }) => !Number.isFinite(loss));
  return {
    frame,
    batch: frame.batch ?? batch,
    run: { ...run, settings, steps: boundedSteps([...run.steps, ...steps], measures), measures },
    ...(diverged && {
      isPlaying: false,
      message: 'The loss is no number any more: the learning rate was too high. Choose a lower one and reset.',
    }),
  };
}

type Store = StoreApi<LabFacts & LabActions>;

/** Runs the worker, and keeps its answers in the facts. */
function labRunner(store: Store, { ask, merges, wait }: LabSurroundings) {
  const { getState: get, setState: set } = store;
  /** Ends the loop under way, and the call that it waits for. */
  let underway = new AbortController();
  let nextId = 1;

  const anew = () => {
    underway.abort();
    underway = new AbortController();
    return underway.signal;
  };
  const fail = (error: unknown) => set({ phase: 'failed', isPlaying: false, stage: null, message: messageOf(error) });

  async function train(steps: number, signal: AbortSignal): Promise<void> {
    const { settings, run } = get();
    const { learningRate, side, temperature, isSlow } = settings;
    const watched = isSlow ? 'step' : settings.watched;
    const knobs = { learningRate, side, temperature };
    const news = await ask('train', { knobs, steps, milliseconds: stretch, watched }, { signal });
    // A run that was paused keeps the steps that it made until then.
    if (get().run.id === run.id) set(trained(get(), news));
  }

  /** Goes to the next stage of a step that is walked through; the first stage makes the step. */
  async function walk(signal: AbortSignal): Promise<void> {
    const { stage, settings } = get();
    const stages = layersOf(settings.objective);
    const next = stage ? stages[stages.indexOf(stage) + 1] : undefined;
    if (next) return set({ stage: next });
    await train(1, signal);
    if (!signal.aborted) set({ stage: stages[0] });
  }

  /** Ends a run of an experiment that has seen its pairs. Returns whether it did. */
  function endsTurn(): boolean {
    const { experiment, run, settings } = get();
    if (!experiment || pairsSeen(run) < experiment.pairs) return false;
    const [next, ...left] = experiment.left;
    if (next) {
      set({ settings: changedSettings(settings, next), experiment: { ...experiment, left } });
      void runner.begin();
    } else set({ experiment: null, isPlaying: false });
    return true;
  }

  async function loop(signal: AbortSignal): Promise<void> {
    while (get().isPlaying && !signal.aborted && !endsTurn()) {
      if (!get().settings.isSlow) await train(Number.POSITIVE_INFINITY, signal);
      else {
        await walk(signal);
        await wait(slowStage, signal);
      }
    }
  }

  /** Makes a part of a run; its end by the signal is none of its failures. */
  const attempt = (part: Promise<void>, signal: AbortSignal) =>
    part.catch((error) => {
      if (!signal.aborted) fail(error);
    });

  const runner = {
    isShown: false,
    /** Begins a run by the settings; the one before is kept where it has come anywhere. */
    begin(): Promise<void> {
      const signal = anew();
      const { settings, run, past } = get();
      const kept = run.steps.length > 1 ? [...past, run].slice(-mostPast) : past;
      set({ phase: 'starting', stage: null, message: null, run: emptyRun(settings, nextId++), past: kept });
      const start = async () => {
        const { frame, parameters } = await ask('start', { settings: liveSettings(settings), merges }, { signal });
        if (signal.aborted) return;
        set({ phase: 'ready', frame, batch: frame.batch ?? null, parameters });
        if (runner.isShown) await loop(signal);
      };
      return attempt(start(), signal);
    },
    /** Trains as long as the lab plays. */
    goOn(): void {
      const { phase } = get();
      if (phase === 'idle' || phase === 'failed') void runner.begin();
      if (phase !== 'ready') return;
      const signal = anew();
      void attempt(loop(signal), signal);
    },
    step(): Promise<void> {
      const signal = anew();
      return attempt(get().settings.isSlow ? walk(signal) : train(1, signal), signal);
    },
    stop(): void {
      if (get().phase === 'ready') underway.abort();
    },
  };
  return runner;
}

/** Makes the lab's facts and the actions on them. Nothing runs before `show`. */
export function createLab(surroundings: LabSurroundings): Lab {
  const store: Store = createStore(() => ({}) as LabFacts & LabActions);
  const { getState: get, setState: set } = store;
  const runner = labRunner(store, surroundings);
  const actions: LabActions = {
    change(changes) {
      const before = get().settings;
      const settings = changedSettings(before, changes);
      set({ settings, ...((!settings.isSlow || settings.layer !== before.layer) && { stage: null }) });
      const isNew = JSON.stringify(liveSettings(settings)) !== JSON.stringify(liveSettings(before));
      if (isNew) set({ experiment: null });
      if (isNew && get().phase !== 'idle') void runner.begin();
      // Slow motion ends its wait, or begins, at once.
      else if (settings.isSlow !== before.isSlow && get().isPlaying && runner.isShown) runner.goOn();
    },
    play() {
      if (get().isPlaying) return;
      set({ isPlaying: true, message: null });
      runner.goOn();
    },
    pause() {
      set({ isPlaying: false });
      runner.stop();
    },
    async step() {
      actions.pause();
      if (get().phase === 'ready') await runner.step();
    },
    reset() {
      set({ experiment: null });
      void runner.begin();
    },
    forgetPast: () => set({ past: [] }),
    compare({ left: [first, ...left], pairs }) {
      const settings = changedSettings(get().settings, { ...first, isSlow: false, from: 'scratch' });
      set({ settings, experiment: { left, pairs }, isPlaying: true });
      void runner.begin();
    },
    embed: (request) => surroundings.ask('embed', request),
    look: (request) => surroundings.ask('look', request),
    changeOwn(change) {
      const { own } = get();
      set({ own: { ...own, ...change(own) } });
    },
    show() {
      runner.isShown = true;
      if (get().phase === 'idle') void runner.begin();
      else if (get().isPlaying) runner.goOn();
    },
    hide() {
      runner.isShown = false;
      runner.stop();
    },
  };
  const { settings, playsAtFirst, own = firstOwn } = surroundings;
  set({
    ...{ settings, phase: 'idle', message: null, isPlaying: playsAtFirst, stage: null, frame: null, batch: null },
    ...{ parameters: 0, run: emptyRun(settings, 0), past: [], experiment: null, own },
    ...actions,
  });
  return store;
}
