/**
 * Messages between an embedded panel and the page around it. In: `{ clipscope: 1, set: { prompt, layer, … } }`, with the parameters
 * of readable links. Out: `{ clipscope: 1, ready }` and `changed`, with all parameters that are not as they are by themselves;
 * `height`, in CSS pixels; and `problem`, a sentence.
 */

import type { PromptOptions } from '../road/options.ts';
import { readWritten } from '../road/writtenPrompts.ts';
import { type Named, parametersOf, readParameters } from './linkParameters.ts';
import { shared } from './shared.ts';
import type { ClipscopeStore } from './store.ts';

/** The page around this one. Messages go to this origin alone, and come from this window and origin alone. */
export interface Host {
  readonly window: Pick<Window, 'postMessage'>;
  readonly origin: string;
}

/** The most parameters of a message that are looked at. */
const mostParameters = 100;

/** Makes texts of the values of a message. Throws where one is neither a text nor a number. */
function texts(values: object): [string, string][] {
  const entries = Object.entries(values).slice(0, mostParameters);
  const bad = entries.find(([, value]) => typeof value !== 'string' && typeof value !== 'number');
  if (bad) throw new Error(`has a value for “${bad[0]}” that is neither a text nor a number`);
  return entries.map(([name, value]) => [name, String(value)]);
}

/** Changes what is named, and leaves the rest as it is. */
function apply(store: ClipscopeStore, { prompts, options, infotext, selection }: Named): void {
  const { setPrompt, setOption, show, options: now, replace, acceptReplaced } = store.getState();
  if (infotext) {
    const [taken] = readWritten({ program: 'a1111', infotext, remarks: [] }, now);
    replace({ prompts: { positive: '', negative: '', ...taken.prompts }, options: taken.options }, taken.summary);
    // Readers have nothing to take back: their page's author has set it.
    acceptReplaced();
    show(selection);
    return;
  }
  const { syntax, ...others } = options;
  // Another language brings its own weighting, unless one is named.
  if (syntax) setOption('syntax', syntax);
  for (const [name, value] of Object.entries(others)) setOption(name as keyof PromptOptions, value);
  if (prompts.positive !== undefined) setPrompt('positive', prompts.positive);
  if (prompts.negative !== undefined) setPrompt('negative', prompts.negative);
  show(selection);
}

const reportedFacts = ['prompts', 'options', 'side', 'chunk', 'layer', 'head', 'stage', 'view'] as const;

/** Exchanges messages with the page around this one. Returns the listener of messages, and a function that tells a height. */
export function connectHost(store: ClipscopeStore, host: Host) {
  const post = (message: object) => host.window.postMessage({ clipscope: 1, ...message }, host.origin);
  const parameters = () => parametersOf(shared(store.getState()), store.getState().view);
  const atFirst = parameters();
  let told = JSON.stringify(atFirst);
  let isTold = true;
  store.subscribe((state, before) => {
    if (!isTold || reportedFacts.every((name) => state[name] === before[name])) return;
    // Several facts that change together are one message.
    isTold = false;
    queueMicrotask(() => {
      isTold = true;
      // A fact that was set to what it was is no change: a host that answers each change would never come to rest.
      const now = parameters();
      const before = told;
      told = JSON.stringify(now);
      if (told !== before) post({ changed: now });
    });
  });
  post({ ready: atFirst });
  return {
    hear({ source, origin, data }: Pick<MessageEvent, 'source' | 'origin' | 'data'>): void {
      if (source !== host.window || origin !== host.origin) return;
      if (typeof data !== 'object' || data === null || data.clipscope !== 1) return;
      try {
        if (typeof data.set !== 'object' || data.set === null) throw new Error('has nothing to “set”');
        apply(store, readParameters(texts(data.set)));
      } catch (error) {
        post({ problem: `The message ${(error as Error).message}, so nothing was changed.` });
      }
    },
    tellHeight: (height: number) => post({ height }),
  };
}
