import { createStore, type StoreApi } from 'zustand/vanilla';
import { passKey } from '../clip/encode.ts';
import type { Tokenizer } from '../clip/tokenizer.ts';
import { type Infotext, parameterNumber } from '../prompt/infotext.ts';
import { defaultOptions, type PromptOptions } from '../weighting/pipeline.ts';
import { type EncoderClient, SupersededError } from '../worker/client.ts';
import type { ModelRequest } from '../worker/messages.ts';
import { type Facts, type Kept, requestName, type Side, type Theme, type WeightStep, type Work } from './facts.ts';
import { recallPast, rememberPast, withPrompts } from './history.ts';
import { asTyped, type Memory, recall, remember } from './memory.ts';
import { readOpened } from './openFile.ts';
import { missingPasses } from './selectors.ts';
import { readLink, type Shared, SharedError } from './shared.ts';

export interface Actions {
  setPrompt(side: Side, prompt: string): void;
  setOption<K extends keyof PromptOptions>(name: K, value: PromptOptions[K]): void;
  setTheme(theme: Theme): void;
  setWeightStep(step: WeightStep): void;
  show(selection: Partial<Pick<Facts, 'side' | 'layer' | 'head' | 'stage' | 'word'>>): void;
  /** Puts other prompts (options, …) in place of those on the page, in a way that can be taken back. */
  replace(work: Partial<Work>, message: string): void;
  /** `from`: where it came from, as a sentence begins: "Pasted". */
  takeInfotext(infotext: Infotext, from: string): void;
  /** Puts back what a replacement replaced, or again what it put in its place. */
  restore(work: Partial<Work>): void;
  keepReplaced(): void;
  forgetRecognised(): void;
  /** Reads a `#share=` link; what is wrong with it ends as a notice. */
  openLink(hash: string): Promise<void>;
  /** A picture's prompt, a saved prompt or a checkpoint; what is wrong with it ends as a notice. */
  openFile(file: File): Promise<void>;
  /** Puts the prompts into the history. */
  notePrompts(): void;
  clearHistory(): void;
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
  recognised: null,
  weightStep: 0.05,
  theme: 'system',
  syntheticSize: 'full',
};

const noWebGpu = 'This browser offers no WebGPU.';

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The page's facts and what can be done to them. Finds a GPU, loads the tokenizer and a model, and encodes by itself. */
export function createClipscopeStore({ connect, loadTokenizer, memory }: Surroundings): ClipscopeStore {
  const client = connect((message) => store.setState({ lost: message }));
  let nextNotice = 0;
  const kept = recall(memory, firstVisit);
  /** The prompts that need not go into the history: those in it, and those nobody has changed. */
  let noted = kept.prompts;

  const store: ClipscopeStore = createStore((set, get) => ({
    ...kept,
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
    replaced: null,
    past: recallPast(memory) ?? [],
    side: 'positive',
    layer: 0,
    head: 0,
    stage: 'last',
    word: 'photorealistic',

    setPrompt: (side, prompt) => set({ prompts: { ...get().prompts, [side]: asTyped(prompt) } }),
    setOption: (name, value) => set({ options: { ...get().options, [name]: value } }),
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
      const parts = ['prompt', 'negative prompt'];
      if (steps) parts.push(steps === 1 ? '1 step' : `${steps} steps`);
      if (clipSkip) parts.push(`clip skip ${clipSkip}`);
      get().replace(
        {
          prompts: { positive: asTyped(prompt), negative: asTyped(negativePrompt) },
          recognised: steps || clipSkip ? { steps, clipSkip } : null,
        },
        `${from}: ${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}.`,
      );
    },
    restore: (work) => set({ ...noting(), ...work, replaced: null }),
    keepReplaced: () => set({ replaced: null }),
    forgetRecognised: () => set({ recognised: null }),
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
        if (opened.kind === 'infotext') get().takeInfotext(opened.infotext, `From ${file.name}`);
        else useShared(opened.shared, `Opened from ${file.name}.`);
      } catch (error) {
        notify(error instanceof SharedError ? `"${file.name}" ${error.message}.` : messageOf(error));
      }
    },
    notePrompts: () => set(noting()),
    clearHistory() {
      rememberPast(memory, []);
      set({ past: [] });
    },
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
      state.recognised !== before.recognised ||
      state.weightStep !== before.weightStep ||
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
