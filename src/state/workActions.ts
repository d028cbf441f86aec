import { type Infotext, parameterNumber } from '../prompt/a1111/infotext.ts';
import type { Side } from '../prompt/side.ts';
import { type PromptOptions, withOption } from '../road/options.ts';
import type { Facts } from './facts.ts';
import { recallPast, rememberPast, withPrompts } from './history.ts';
import { asTyped } from './memory.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';
import { readOptions } from './readOptions.ts';
import type { Work } from './remembered.ts';
import { readLink, type Shared } from './shared.ts';

export interface WorkActions {
  setPrompt(side: Side, prompt: string): void;
  setOption<K extends keyof PromptOptions>(name: K, value: PromptOptions[K]): void;
  /** Puts other prompts (options, …) in place of those on the page, in a way that can be taken back. */
  replace(work: Partial<Work>, message: string): void;
  /** `from`: where it came from, as a sentence begins: "Pasted". */
  takeInfotext(infotext: Infotext, from: string): void;
  /** Puts back what a replacement replaced, or again what it put in its place. */
  restore(work: Partial<Work>): void;
  /** Takes the replacement's notice away: it stays as it is. */
  acceptReplaced(): void;
  /** Takes prompts, options and selection from a link or a file. */
  useShared(shared: Shared, message: string): void;
  /** Reads a `#share=` link; what is wrong with it ends as a notice. */
  openLink(hash: string): Promise<void>;
  /** Puts the prompts into the history. */
  notePrompts(): void;
  clearHistory(): void;
}

/** Reads A1111's infotext as work, and says which parts of it there were. */
function readInfotext({ prompt, negativePrompt, parameters }: Infotext, options: PromptOptions) {
  const steps = parameterNumber(parameters, 'Steps');
  const clipSkip = parameterNumber(parameters, 'Clip skip');
  const parts = ['prompt', 'negative prompt'];
  if (steps) parts.push(steps === 1 ? '1 step' : `${steps} steps`);
  if (clipSkip) parts.push(`clip skip ${clipSkip}`);
  const work: Work = {
    prompts: { positive: asTyped(prompt), negative: asTyped(negativePrompt) },
    // A1111 writes no clip skip where there is none.
    options: readOptions({
      ...withOption(options, 'syntax', 'a1111'),
      steps: steps ?? options.steps,
      step: 1,
      clipSkip: clipSkip ?? 1,
    }).options,
  };
  return { work, parts: `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}` };
}

/** Changes the prompts and options, and keeps their history. */
export function workActions({ memory, get, set, notify }: Page): WorkActions {
  /** The prompts that need not go into the history: those in it, and those nobody has changed. */
  let noted = get().prompts;

  /** Writes the prompts into the history if someone worked on them; gives the facts that change. */
  function noting(): Partial<Pick<Facts, 'past'>> {
    const { prompts, past: known } = get();
    if (prompts === noted) return {};
    noted = prompts;
    // Other tabs may have added to it.
    const past = withPrompts(recallPast(memory) ?? known, prompts, Date.now());
    rememberPast(memory, past);
    return { past };
  }

  function replace(after: Partial<Work>, message: string) {
    const now = get();
    const before = Object.fromEntries(Object.keys(after).map((name) => [name, now[name as keyof Work]]));
    set({ ...noting(), ...after, replaced: { message, before, after } });
  }

  function useShared({ work, selection }: Shared, message: string) {
    replace(work, message);
    set(selection);
  }

  return {
    setPrompt: (side, prompt) => set({ prompts: { ...get().prompts, [side]: asTyped(prompt) } }),
    setOption: (name, value) => set({ options: withOption(get().options, name, value) }),
    replace,
    takeInfotext(infotext, from) {
      const { work, parts } = readInfotext(infotext, get().options);
      replace(work, `${from}: ${parts}.`);
    },
    restore: (work) => set({ ...noting(), ...work, replaced: null }),
    acceptReplaced: () => set({ replaced: null }),
    useShared,
    async openLink(hash) {
      try {
        useShared(await readLink(hash), 'Opened from a link.');
      } catch (error) {
        notify(`The link ${messageOf(error)}, so it was not opened.`);
      }
    },
    notePrompts: () => set(noting()),
    clearHistory() {
      rememberPast(memory, []);
      set({ past: [] });
    },
  };
}
