import { createStore, type StoreApi } from 'zustand/vanilla';
import { passKey } from '../clip/encode.ts';
import type { Tokenizer } from '../clip/tokenizer.ts';
import { defaultOptions, type PromptOptions } from '../weighting/pipeline.ts';
import { type EncoderClient, SupersededError } from '../worker/client.ts';
import type { ModelRequest } from '../worker/messages.ts';
import { type Facts, type Kept, requestName, type Side, type Theme } from './facts.ts';
import { type Memory, recall, remember } from './memory.ts';
import { missingPasses } from './selectors.ts';

export interface Actions {
  setPrompt(side: Side, prompt: string): void;
  setOption<K extends keyof PromptOptions>(name: K, value: PromptOptions[K]): void;
  setTheme(theme: Theme): void;
  show(selection: Partial<Pick<Facts, 'side' | 'layer' | 'head' | 'stage'>>): void;
  /** Replaces the model when the new one is whole; what can go wrong ends as a notice. */
  openModel(request: ModelRequest): Promise<void>;
  cancelLoad(): void;
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
}

/** Outputs kept; one of the full-size encoder takes 6.7 MB. */
const maxEncoded = 12;

const firstVisit: Kept = {
  prompts: {
    positive: 'a photo of a (red:1.3) car, [blurry] background',
    negative: 'low quality, (watermark:1.2)',
  },
  options: defaultOptions,
  theme: 'system',
  syntheticSize: 'full',
};

const noWebGpu = 'This browser offers no WebGPU.';

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The page's facts and what can be done to them. Finds a GPU, loads the tokenizer and a model, and encodes by itself. */
export function createClipscopeStore({ connect, loadTokenizer, memory }: Surroundings): ClipscopeStore {
  const client = connect((message) => store.setState({ lost: message }));
  let nextNotice = 0;

  const store: ClipscopeStore = createStore((set, get) => ({
    ...recall(memory, firstVisit),
    tokenizer: { phase: 'loading' },
    adapter: client ? { phase: 'starting' } : { phase: 'missing', message: noWebGpu },
    model: null,
    modelRequest: null,
    loading: null,
    file: null,
    lost: null,
    encoded: new Map(),
    encodeFailure: null,
    notices: [],
    side: 'positive',
    layer: 0,
    head: 0,
    stage: 'last',

    setPrompt: (side, prompt) => set({ prompts: { ...get().prompts, [side]: prompt } }),
    setOption: (name, value) => set({ options: { ...get().options, [name]: value } }),
    setTheme: (theme) => set({ theme }),
    show: (selection) => set(selection),
    async openModel(request) {
      if (!client) return notify(`${requestName(request)} was not opened: the encoder needs WebGPU.`);
      const loading = { request, progress: null };
      const isMine = () => get().loading?.request === request;
      set({ loading });
      try {
        const model = await client.load(request, (progress) => {
          if (isMine()) set({ loading: { request, progress } });
        });
        set({
          model,
          modelRequest: request,
          encoded: new Map(),
          encodeFailure: null,
          lost: null,
          ...(request.kind === 'file' ? { file: request.file } : { syntheticSize: request.size }),
        });
      } catch (error) {
        if (!(error instanceof Error && error.name === 'AbortError')) notify(messageOf(error));
      } finally {
        if (isMine()) set({ loading: null });
      }
    },
    cancelLoad: () => client?.cancelLoad(),
    async loadTokenizer() {
      set({ tokenizer: { phase: 'loading' } });
      try {
        set({ tokenizer: { phase: 'ready', tokenizer: await loadTokenizer() } });
      } catch (error) {
        set({ tokenizer: { phase: 'failed', message: messageOf(error) } });
      }
    },
    dismiss: (notice) => set({ notices: get().notices.filter(({ id }) => id !== notice) }),
  }));

  function notify(message: string) {
    store.setState(({ notices }) => ({ notices: [...notices, { id: nextNotice++, message }] }));
  }

  /** Keys of the passes asked for last: while they are the ones missing, they are not asked for again. */
  let asked = '';
  async function encodeMissing(client: EncoderClient) {
    const { model, lost } = store.getState();
    const passes = model && !lost ? missingPasses(store.getState()) : [];
    const keys = passes.map(passKey).join(' ');
    if (keys === asked) return;
    asked = keys;
    if (!model || passes.length === 0) return;
    const hiddenStates = Array.from({ length: model.config.numHiddenLayers + 1 }, (_, i) => i);
    try {
      const { outputs, stats } = await client.encode(passes, { hiddenStates, attentions: true });
      const { model: modelNow, encoded } = store.getState();
      if (modelNow !== model) return;
      const kept = [...encoded, ...outputs.map((output, i) => [passKey(passes[i]), { output, stats }] as const)];
      store.setState({ encoded: new Map(kept.slice(-maxEncoded)), encodeFailure: null });
    } catch (error) {
      if (error instanceof SupersededError || store.getState().model !== model) return;
      store.setState({ encodeFailure: { keys, message: messageOf(error) } });
    }
  }

  store.subscribe((state, before) => {
    if (state.model !== before.model || state.lost !== before.lost) asked = '';
    if (client) void encodeMissing(client);
    if (
      state.prompts !== before.prompts ||
      state.options !== before.options ||
      state.theme !== before.theme ||
      state.syntheticSize !== before.syntheticSize
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
    const { openModel, syntheticSize, loading, model } = store.getState();
    // Someone may have chosen a model before the GPU was found.
    if (!loading && !model) await openModel({ kind: 'synthetic', size: syntheticSize });
  }
  void store.getState().loadTokenizer();
  if (client) void start(client);
  return store;
}
