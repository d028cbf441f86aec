import { createStore, type StoreApi } from 'zustand/vanilla';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { defaultOptions } from '../road/options.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { EncoderClient } from '../worker/client.ts';
import type { Lost } from '../worker/messages.ts';
import { type AnalysingActions, analysingActions } from './analysing.ts';
import { type AnatomyActions, anatomyActions } from './anatomy.ts';
import { encodeScheduler } from './encoding.ts';
import { type EngineActions, engineActions } from './engineActions.ts';
import { type ExaminationActions, examinationActions } from './examinationActions.ts';
import type { Facts } from './facts.ts';
import { type KeepingActions, keepingActions } from './fileKeeping.ts';
import { recallPast } from './history.ts';
import { type LoadingActions, modelLoading } from './loading.ts';
import { longReader } from './longReading.ts';
import { type LoraActions, loraActions } from './loraActions.ts';
import { type Memories, type Memory, recall, remember } from './memory.ts';
import { type ModelActions, modelActions } from './modelActions.ts';
import { messageOf, type NoticeActions, noticeActions } from './notices.ts';
import { type OpenedActions, openedActions } from './openedActions.ts';
import type { Page } from './page.ts';
import { type ProfilingActions, profilingActions } from './profiling.ts';
import type { Remembered, Theme, WeightStep } from './remembered.ts';
import { loadRoad } from './road.ts';
import { type ShownParts, wholePage } from './shownParts.ts';
import { firstView } from './view.ts';
import type { Visit } from './visit.ts';
import { type WorkActions, workActions } from './workActions.ts';

/** The facts that a person chooses to see. */
type Selection = Pick<Facts, 'view' | 'side' | 'chunk' | 'layer' | 'head' | 'stage' | 'textAlone' | 'word'>;

interface ShowActions {
  setTheme(theme: Theme): void;
  setWeightStep(step: WeightStep): void;
  show(selection: Partial<Selection>): void;
  /** Has these passes encoded as well, after the prompt's own, as long as `by` needs them; none takes that back. */
  need(by: string, passes: readonly EncoderPass[]): void;
  loadTokenizer(): Promise<void>;
}

/** Everything that can be done to the facts. */
export type Actions = WorkActions &
  ShowActions &
  OpenedActions &
  LoadingActions &
  EngineActions &
  ModelActions &
  KeepingActions &
  LoraActions &
  ExaminationActions &
  ProfilingActions &
  AnatomyActions &
  AnalysingActions &
  NoticeActions;

export type ClipscopeStore = StoreApi<Facts & Actions>;

/** The world outside of the page. */
export interface Surroundings {
  connect(onLost: (lost: Lost) => void): EncoderClient;
  loadTokenizer(): Promise<Tokenizer>;
  readonly memory: Memory | null;
  /** Storage of this tab alone; none unless it is given. */
  readonly tab?: Memory | null;
  /** Marks that this visit draws what it was given, until it has. Nothing is marked where it is missing. */
  readonly visit?: Visit;
  /** Whether the last visit did not come to its end: its prompts are then put aside. */
  readonly wasStopped?: boolean;
  /** The parts of the page on show; all where it is missing. */
  readonly parts?: ShownParts;
  /** Asks the browser to keep what is stored, even when the disk fills up. */
  persist?(): Promise<unknown>;
}

const firstVisit: Remembered = {
  prompts: {
    positive: 'a (red:1.3) circle left of a blue square, [blurry]',
    negative: 'low quality, (text:1.2)',
  },
  options: defaultOptions,
  weightStep: 0.05,
  theme: 'system',
  syntheticSize: null,
  storedModel: null,
  engineChoice: { engine: 'automatic', threads: null },
};

/** The facts that a page starts with. */
function firstFacts({ memory, tab }: Memories, wasStopped: boolean, parts: ShownParts): Facts {
  const remembered = recall({ memory, tab }, firstVisit);
  const { prompts, options } = firstVisit;
  return {
    ...remembered,
    ...(wasStopped && { prompts, options }),
    // An embedded panel has the prompts that its host names, and an example of one until then.
    ...(parts.embed && { prompts: { ...prompts, negative: '' } }),
    putAside: wasStopped ? { prompts: remembered.prompts, options: remembered.options } : null,
    tokenizer: { phase: 'loading' },
    longReadings: { positive: null, negative: null },
    noEngine: null,
    model: null,
    weightsHash: undefined,
    modelRequest: null,
    loading: null,
    file: null,
    stored: null,
    downloads: new Map(),
    keeping: null,
    lost: null,
    loras: new Map(),
    encoded: new Map(),
    revision: 0,
    started: null,
    needed: new Map(),
    encodeFailure: null,
    notices: [],
    newerBuild: null,
    replaced: null,
    compared: null,
    unet: null,
    examined: null,
    profiled: null,
    inspected: null,
    analysed: new Map(),
    heldBytes: 0,
    embeddings: [],
    past: recallPast(memory) ?? [],
    view: parts.embed ?? firstView,
    parts,
    side: 'positive',
    chunk: 0,
    layer: 0,
    head: 0,
    stage: 'last',
    textAlone: false,
    word: null,
  };
}

function showActions({ get, set }: Page, loadTokenizer: Surroundings['loadTokenizer']): ShowActions {
  return {
    setTheme: (theme) => set({ theme }),
    setWeightStep: (weightStep) => set({ weightStep }),
    show: (selection) => set(selection),
    need(by, passes) {
      const needed = new Map(get().needed);
      if (passes.length > 0) needed.set(by, passes);
      else if (!needed.delete(by)) return;
      set({ needed });
    },
    async loadTokenizer() {
      set({ tokenizer: { phase: 'loading' } });
      try {
        const [tokenizer] = await Promise.all([loadTokenizer(), loadRoad()]);
        set({ tokenizer: { phase: 'ready', tokenizer } });
      } catch (error) {
        set({ tokenizer: { phase: 'failed', message: messageOf(error) } });
      }
    },
  };
}

const isChanged = (names: readonly (keyof Facts)[], state: Facts, before: Facts) =>
  names.some((name) => state[name] !== before[name]);

const revisionFacts = ['prompts', 'options', 'side', 'chunk'] as const;
/** The facts whose change may have much drawn anew. */
const drawnFacts = ['prompts', 'options', 'side', 'chunk', 'view', 'tokenizer', 'longReadings', 'encoded'] as const;
const rememberedFacts = [
  'prompts',
  'options',
  'weightStep',
  'theme',
  'syntheticSize',
  'storedModel',
  'engineChoice',
] as const satisfies readonly (keyof Remembered)[];

const forgetful =
  'This browser keeps nothing for the next visit, because its storage is full or blocked: what is typed lasts until the page is closed. “Export” saves it as session.json.';

/** Keeps a listener's error from the others and from whoever changed the facts: it is told of, once until it works again. */
function isolateListeners(store: ClipscopeStore): void {
  const { subscribe } = store;
  store.subscribe = (listener) => {
    let told = '';
    return subscribe((state, before) => {
      try {
        listener(state, before);
        told = '';
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        if (error.message === told) return;
        told = error.message;
        console.error(error);
        state.tellFault({ place: 'the page', error });
      }
    });
  };
}

/** Makes the page's facts and the actions on them. The store loads the tokenizer and a model, and encodes by itself. */
export function createClipscopeStore(surroundings: Surroundings): ClipscopeStore {
  const {
    connect,
    loadTokenizer,
    memory,
    tab = null,
    persist,
    visit,
    wasStopped = false,
    parts = wholePage,
  } = surroundings;
  const client = connect((lost) => lose(lost));
  const store = createStore<Facts & Actions>(() => firstFacts({ memory, tab }, wasStopped, parts) as Facts & Actions);
  isolateListeners(store);
  const { getState: get, setState: set } = store;
  const notices = noticeActions({ get, set });
  const { notify } = notices;
  const page: Page = { client, memory, tab, persist: persist ?? (async () => {}), get, set, notify };
  const { start, lose, loadAnew, ...loading } = modelLoading(page);
  const { readLoras, ...loras } = loraActions(page);
  const work = workActions(page);
  const actions: Actions = {
    ...work,
    ...loading,
    ...engineActions(page, loadAnew),
    ...loras,
    ...openedActions(page, { ...work, ...loading, ...loras }),
    ...showActions(page, loadTokenizer),
    ...modelActions(page, loading.openModel),
    ...keepingActions(page),
    ...examinationActions(page),
    ...profilingActions(page),
    ...anatomyActions(page),
    ...analysingActions(page),
    ...notices,
  };
  set(actions);

  let isToldForgetful = false;
  const rememberFacts = (facts: Facts, before: Facts) => {
    if (remember({ memory, tab }, facts, before) || isToldForgetful) return;
    isToldForgetful = true;
    notify(forgetful);
  };
  const scheduler = encodeScheduler(client, page);
  const reader = longReader(page);
  visit?.begin();
  store.subscribe((state, before) => {
    if (isChanged(drawnFacts, state, before)) visit?.begin();
    if (isChanged(revisionFacts, state, before)) set({ revision: state.revision + 1 });
    if (state.model !== before.model) readLoras();
    reader.changed();
    scheduler.changed(state, before);
    if (isChanged(rememberedFacts, state, before)) rememberFacts(state, before);
  });

  if (parts.problem !== null) notify(parts.problem);
  void actions.loadTokenizer();
  void start();
  return store;
}
