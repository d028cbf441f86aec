import { createStore, type StoreApi } from 'zustand/vanilla';
import type { EncoderPass } from '../clip/encoderPass.ts';
import type { Profile, RowSpan } from '../gpu/profile.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import type { StoredModel } from '../models/library/storage.ts';
import { type Infotext, parameterNumber } from '../prompt/a1111/infotext.ts';
import { defaultOptions, ownMethod, type PromptOptions } from '../road/options.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { EncodedRows, EncoderClient } from '../worker/client.ts';
import type { ModelInfo, ModelRequest } from '../worker/messages.ts';
import { type ExaminationActions, examinationActions } from './examinationActions.ts';
import { type EncodedPass, type Facts, requestName, type Task } from './facts.ts';
import { recallPast, rememberPast, withPrompts } from './history.ts';
import { type LoraActions, loraActions } from './loraActions.ts';
import { asTyped, type Memory, recall, remember } from './memory.ts';
import { type ModelActions, modelActions } from './modelActions.ts';
import { readOpened } from './openFile.ts';
import { readOptions } from './readOptions.ts';
import type { Remembered, Side, Theme, WeightStep, Work } from './remembered.ts';
import { editablePasses, keptModel, missingPasses, neededKeys, occasion, outputKey, shownChunk } from './selectors.ts';
import { readLink, type Shared, SharedError } from './shared.ts';

export interface Actions extends ModelActions, ExaminationActions, LoraActions {
  setPrompt(side: Side, prompt: string): void;
  setOption<K extends keyof PromptOptions>(name: K, value: PromptOptions[K]): void;
  setTheme(theme: Theme): void;
  setWeightStep(step: WeightStep): void;
  show(selection: Partial<Pick<Facts, 'side' | 'chunk' | 'layer' | 'head' | 'stage' | 'textAlone' | 'word'>>): void;
  /** Puts other prompts (options, …) in place of those on the page, in a way that can be taken back. */
  replace(work: Partial<Work>, message: string): void;
  /** `from`: where it came from, as a sentence begins: "Pasted". */
  takeInfotext(infotext: Infotext, from: string): void;
  /** Puts back what a replacement replaced, or again what it put in its place. */
  restore(work: Partial<Work>): void;
  keepReplaced(): void;
  /** Reads a `#share=` link; what is wrong with it ends as a notice. */
  openLink(hash: string): Promise<void>;
  /** A picture's prompt, a saved prompt, conditionings, a textual inversion, a LoRA or a checkpoint; what is wrong with it ends as a notice. */
  openFile(file: File): Promise<void>;
  closeCompared(): void;
  removeEmbedding(name: string): void;
  /** Puts the prompts into the history. */
  notePrompts(): void;
  clearHistory(): void;
  /** Has these passes encoded as well, after the prompt's own, as long as `by` needs them; none takes that back. */
  need(by: string, passes: readonly EncoderPass[]): void;
  /** Replaces the model when the new one is whole; what can go wrong ends as a notice. */
  openModel(request: ModelRequest): Promise<void>;
  cancelLoad(): void;
  /** Times the steps of an encode of these rows, and shows them in place of the ones before. */
  profile(rows: RowSpan): Promise<void>;
  loadTokenizer(): Promise<void>;
  dismiss(notice: number): void;
}

export type ClipscopeStore = StoreApi<Facts & Actions>;

/** What the page gets from outside. */
export interface Surroundings {
  /** Null where there is no WebGPU. */
  connect(onLost: (message: string) => void): EncoderClient | null;
  loadTokenizer(): Promise<Tokenizer>;
  readonly memory: Memory | null;
  /** Asks the browser to keep what is stored, even when the disk fills up. */
  persist?(): Promise<unknown>;
}

/** Bytes of outputs kept; one of the full-size encoder with all its states takes 6.7 MB. */
const mostEncoded = 96e6;

const firstVisit: Remembered = {
  prompts: {
    positive: 'a photo of a (red:1.3) car, [blurry] background',
    negative: 'low quality, (watermark:1.2)',
  },
  options: defaultOptions,
  weightStep: 0.05,
  theme: 'system',
  syntheticSize: 'full',
  storedModel: null,
};

const noWebGpu = 'This browser offers no WebGPU.';

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** With another syntax comes its program's own way of weighing, unless another was chosen. */
function withOption<K extends keyof PromptOptions>(
  options: PromptOptions,
  name: K,
  value: PromptOptions[K],
): PromptOptions {
  const changed = { ...options, [name]: value };
  const isOwn = options.weighting === ownMethod[options.syntax];
  if (name === 'syntax' && isOwn) return { ...changed, weighting: ownMethod[changed.syntax] };
  return name === 'steps' ? { ...changed, step: Math.min(changed.step, changed.steps) } : changed;
}

/** What is remembered of a model that was loaded, so that it can be come back to; `kept` is where it is stored, if it is. */
function usedLast(request: ModelRequest, kept: StoredModel | undefined): Partial<Facts> {
  switch (request.kind) {
    case 'file':
      return { file: request.file, ...(kept && { storedModel: { model: kept.id, name: kept.name } }) };
    case 'synthetic':
      return { syntheticSize: request.size, storedModel: null };
    case 'stored':
      return { storedModel: { model: request.model, name: request.name } };
    default:
      return request satisfies never;
  }
}

/** One loaded again takes the place of the one before. */
function withEmbeddings(known: readonly Embedding[], added: readonly Embedding[]): readonly Embedding[] {
  return [...new Map([...known, ...added].map((one) => [one.name, one])).values()];
}

function bytesOf({ output }: EncodedPass): number {
  const { lastHiddenState, hiddenStates, attentions } = output;
  const states = [lastHiddenState, ...hiddenStates.values(), ...(attentions ? [attentions] : [])];
  return states.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** The newest outputs, within what may be kept, and all that are needed. */
function kept(encoded: readonly (readonly [string, EncodedPass])[], needed: ReadonlySet<string>) {
  let bytes = 0;
  return new Map(
    [...new Map(encoded)]
      .toReversed()
      .filter(([key, pass]) => {
        bytes += bytesOf(pass);
        return bytes <= mostEncoded || needed.has(key);
      })
      .toReversed(),
  );
}

/** The page's facts and what can be done to them. Finds a GPU, loads the tokenizer and a model, and encodes by itself. */
export function createClipscopeStore({ connect, loadTokenizer, memory, persist }: Surroundings): ClipscopeStore {
  const client = connect((message) => store.setState({ lost: message }));
  let nextNotice = 0;
  const recalled = recall(memory, firstVisit);
  /** The prompts that need not go into the history: those in it, and those nobody has changed. */
  let noted = recalled.prompts;

  const store: ClipscopeStore = createStore((set, get) => ({
    ...recalled,
    tokenizer: { phase: 'loading' },
    adapter: client ? { phase: 'starting' } : { phase: 'missing', message: noWebGpu },
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
    started: null,
    needed: new Map(),
    encodeFailure: null,
    notices: [],
    replaced: null,
    compared: null,
    examined: null,
    profiled: null,
    gpuBytes: 0,
    embeddings: [],
    past: recallPast(memory) ?? [],
    side: 'positive',
    chunk: 0,
    layer: 0,
    head: 0,
    stage: 'last',
    textAlone: false,
    word: 'photorealistic',

    setPrompt: (side, prompt) => set({ prompts: { ...get().prompts, [side]: asTyped(prompt) } }),
    setOption: (name, value) => set({ options: withOption(get().options, name, value) }),
    setTheme: (theme) => set({ theme }),
    setWeightStep: (weightStep) => set({ weightStep }),
    show: (selection) => set(selection),
    replace(after, message) {
      const now = get();
      const before = Object.fromEntries(Object.keys(after).map((name) => [name, now[name as keyof Work]]));
      set({ ...noting(), ...after, replaced: { message, before, after } });
    },
    takeInfotext({ prompt, negativePrompt, parameters }, from) {
      const steps = parameterNumber(parameters, 'Steps');
      const clipSkip = parameterNumber(parameters, 'Clip skip');
      const { options } = get();
      const parts = ['prompt', 'negative prompt'];
      if (steps) parts.push(steps === 1 ? '1 step' : `${steps} steps`);
      if (clipSkip) parts.push(`clip skip ${clipSkip}`);
      get().replace(
        {
          prompts: { positive: asTyped(prompt), negative: asTyped(negativePrompt) },
          // A1111 writes no clip skip where there is none.
          options: readOptions({
            ...withOption(options, 'syntax', 'a1111'),
            steps: steps ?? options.steps,
            step: 1,
            clipSkip: clipSkip ?? 1,
          }).options,
        },
        `${from}: ${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}.`,
      );
    },
    restore: (work) => set({ ...noting(), ...work, replaced: null }),
    keepReplaced: () => set({ replaced: null }),
    async openLink(hash) {
      try {
        useShared(await readLink(hash), 'Opened from a link.');
      } catch (error) {
        notify(`The link ${messageOf(error)}, so it was not opened.`);
      }
    },
    async openFile(file) {
      try {
        const opened = await readOpened(file);
        if (opened.kind === 'checkpoint') return get().openModel({ kind: 'file', file });
        if (opened.kind === 'lora') {
          if (opened.embeddings.length > 0) set({ embeddings: withEmbeddings(get().embeddings, opened.embeddings) });
          if (opened.problem) notify(opened.problem);
          return get().addLora(file);
        }
        if (opened.kind === 'conditioning') set({ compared: opened.file });
        else if (opened.kind === 'embeddings') set({ embeddings: withEmbeddings(get().embeddings, opened.embeddings) });
        else if (opened.kind === 'infotext') get().takeInfotext(opened.infotext, `From ${file.name}`);
        else useShared(opened.shared, `Opened from ${file.name}.`);
      } catch (error) {
        notify(error instanceof SharedError ? `"${file.name}" ${error.message}.` : messageOf(error));
      }
    },
    closeCompared: () => set({ compared: null }),
    removeEmbedding: (name) => set({ embeddings: get().embeddings.filter((one) => one.name !== name) }),
    notePrompts: () => set(noting()),
    clearHistory() {
      rememberPast(memory, []);
      set({ past: [] });
    },
    need(by, passes) {
      const needed = new Map(get().needed);
      if (passes.length > 0) needed.set(by, passes);
      else if (!needed.delete(by)) return;
      set({ needed });
    },
    async openModel(request) {
      if (await load(request)) set(usedLast(request, keptModel(get())));
    },
    cancelLoad() {
      set(({ loading }) => ({ loading: loading && { ...loading, isCancelled: true } }));
      client?.cancelLoad();
    },
    async profile(rows) {
      const chunk = shownChunk(get());
      if (!client || !chunk) return;
      const running: Facts['profiled'] = { rows, task: { phase: 'running', progress: null } };
      set({ profiled: running });
      const put = (task: Task<Profile>) => get().profiled === running && set({ profiled: { rows, task } });
      try {
        put({ phase: 'done', result: await client.profile(chunk.pass, rows) });
      } catch (error) {
        put({ phase: 'failed', message: messageOf(error) });
      }
    },
    async loadTokenizer() {
      set({ tokenizer: { phase: 'loading' } });
      try {
        const [tokenizer, road] = await Promise.all([loadTokenizer(), import('../road/pipeline.ts')]);
        set({ tokenizer: { phase: 'ready', tokenizer, road } });
      } catch (error) {
        set({ tokenizer: { phase: 'failed', message: messageOf(error) } });
      }
    },
    ...examinationActions({ client, get, set }),
    ...modelActions({ client, persist: persist ?? (async () => {}), get, set, notify }),
    addLora: (file) => loras.addLora(file),
    removeLora: (name) => loras.removeLora(name),
    dismiss: (notice) => set({ notices: get().notices.filter(({ id }) => id !== notice) }),
  }));

  const loras = loraActions({ client, get: store.getState, set: store.setState, notify });

  /** The history with the prompts in it, if someone worked on them. */
  function noting(): Partial<Pick<Facts, 'past'>> {
    const { prompts, past: known } = store.getState();
    if (prompts === noted) return {};
    noted = prompts;
    // Other tabs may have added to it.
    const past = withPrompts(recallPast(memory) ?? known, prompts, Date.now());
    rememberPast(memory, past);
    return { past };
  }

  function useShared({ work, selection }: Shared, message: string) {
    store.getState().replace(work, message);
    store.setState(selection);
  }

  function notify(message: string) {
    store.setState(({ notices }) => ({
      notices: [...notices.filter((one) => one.message !== message), { id: nextNotice++, message }],
    }));
  }

  let loads = 0;
  /** Whether the model is in use now. */
  async function load(request: ModelRequest): Promise<boolean> {
    const { getState: get, setState: set } = store;
    if (!client) {
      notify(`${requestName(request)} was not opened: the encoder needs WebGPU.`);
      return false;
    }
    // Of two loads of one model, too, only the newer one shows.
    const mine = ++loads;
    const isMine = () => mine === loads;
    set({ loading: { request, progress: null, isCancelled: false } });
    try {
      const model = await client.load(request, (progress) => {
        if (isMine()) set(({ loading }) => ({ loading: loading && { ...loading, progress } }));
      });
      const weightsHash = model.random ? undefined : null;
      set({
        model,
        weightsHash,
        modelRequest: request,
        encoded: new Map(),
        started: null,
        gpuBytes: model.gpuBytes,
        encodeFailure: null,
        profiled: null,
        lost: null,
      });
      void hashWeights(client, model);
      return true;
    } catch (error) {
      if (!(error instanceof Error && error.name === 'AbortError')) notify(messageOf(error));
      // Another tab may have deleted it.
      if (request.kind === 'stored') void get().listModels();
      return false;
    } finally {
      if (isMine()) set({ loading: null });
    }
  }

  /** What the weights in use are known by elsewhere; nobody waits for it to use them. */
  async function hashWeights(client: EncoderClient, model: ModelInfo) {
    if (model.random) return;
    const { getState: get, setState: set } = store;
    const weightsHash = await client.weightsHash().catch(() => undefined);
    if (get().model !== model) return;
    set({ weightsHash });
    const { modelRequest } = get();
    if (modelRequest?.kind === 'file') set(usedLast(modelRequest, keptModel(get())));
  }

  /** Keys of the passes asked for last: while they are the ones missing, they are not asked for again. */
  let asked = '';
  /** One at a time, as the encoder runs them: what is asked for next is what is missing then. */
  let underway: { readonly keys: readonly string[]; readonly abort: AbortController } | null = null;
  async function encodeMissing(client: EncoderClient) {
    // Asked for at every change, so that one and the way back are two.
    occasion(store.getState());
    if (underway) {
      // What nobody waits for any more is not finished; the rows that are there are kept.
      const needed = neededKeys(store.getState());
      if (!underway.keys.some((key) => needed.has(key))) underway.abort.abort();
      return;
    }
    const { model, lost } = store.getState();
    const missing = model && !lost ? missingPasses(store.getState()) : null;
    const missingKeys = missing?.keys ?? '';
    if (missingKeys === asked) return;
    asked = missingKeys;
    if (!missing) return;
    const { passes, want, loras } = missing;
    const keys = passes.map((pass) => outputKey(loras, pass));
    const abort = new AbortController();
    const { signal } = abort;
    underway = { keys, abort };
    const onRows = ({ outputs: [output], ready: [ready], stats }: EncodedRows) => {
      const now = store.getState();
      if (now.model === model)
        store.setState({ started: { key: keys[0], output, ready, stats, encodedFor: occasion(now) } });
    };
    try {
      const { outputs, stats, gpuBytes } = await client.encode(passes, want, {
        loras,
        signal,
        alsoNeeded: editablePasses(store.getState()),
        ...(want.attentions && { onRows }),
      });
      underway = null;
      const now = store.getState();
      if (now.model !== model) return;
      const added = outputs.map((output, i) => [keys[i], { output, stats, encodedFor: occasion(now) }] as const);
      store.setState({
        encoded: kept([...now.encoded, ...added], neededKeys(now)),
        started: null,
        encodeFailure: null,
        gpuBytes,
      });
    } catch (error) {
      underway = null;
      // It may be missing once more.
      if (signal.aborted) asked = '';
      store.setState({ started: null });
      if (signal.aborted || store.getState().model !== model) return;
      store.setState({ encodeFailure: { keys: missingKeys, message: messageOf(error) } });
    } finally {
      void encodeMissing(client);
    }
  }

  store.subscribe((state, before) => {
    if (state.model !== before.model) loras.readLoras();
    if (state.model !== before.model || state.lost !== before.lost) asked = '';
    if (client) void encodeMissing(client);
    if (
      state.prompts !== before.prompts ||
      state.options !== before.options ||
      state.weightStep !== before.weightStep ||
      state.theme !== before.theme ||
      state.syntheticSize !== before.syntheticSize ||
      state.storedModel !== before.storedModel
    )
      remember(memory, state);
  });

  async function start(client: EncoderClient) {
    try {
      store.setState({ adapter: { phase: 'ready', info: await client.start() } });
    } catch (error) {
      store.setState({ adapter: { phase: 'missing', message: messageOf(error) } });
      return;
    }
    const { openModel, listModels, storedModel, syntheticSize } = store.getState();
    // Someone may have chosen a model before the GPU was found.
    const hasNone = () => !store.getState().loading && !store.getState().model;
    const listed = listModels();
    if (storedModel && hasNone()) {
      await listed;
      const isStored = store.getState().stored?.models.some(({ id, complete }) => complete && id === storedModel.model);
      if (isStored) await openModel({ kind: 'stored', ...storedModel });
      else if (isStored === false) {
        store.setState({ storedModel: null });
        notify(
          `"${storedModel.name}" is no longer stored in this browser, so the page starts with made-up weights; it can be downloaded or opened again.`,
        );
      }
    }
    // Nobody chose it: what was used last is what the next visit tries again.
    if (hasNone()) await load({ kind: 'synthetic', size: syntheticSize });
  }
  void store.getState().loadTokenizer();
  if (client) void start(client);
  return store;
}
