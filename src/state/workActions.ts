import { longestPrompt, tooLongToTake } from '../prompt/bounds.ts';
import type { Side } from '../prompt/side.ts';
import { type PromptOptions, withOption } from '../road/options.ts';
import type { TakenPrompts, WrittenPrompts } from '../road/writtenPrompts.ts';
import type { Facts, Reading, Replacement } from './facts.ts';
import { recallPast, rememberPast, withPrompts } from './history.ts';
import { asTyped, remember } from './memory.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';
import type { Prompts, Work } from './remembered.ts';
import { isSharedLink, readLink, type Shared } from './shared.ts';

export interface WorkActions {
  /** Takes what was typed. What would make a prompt longer than the bound is not taken, and a notice says so. */
  setPrompt(side: Side, prompt: string): void;
  setOption<K extends keyof PromptOptions>(name: K, value: PromptOptions[K]): void;
  /**
   * Puts other prompts (options, …) in place of those on the page, in a way that can be taken back. Prompts longer than the
   * bound are not taken, and a notice says so.
   */
  replace(work: Partial<Work>, message: string): void;
  /** Takes prompts that a program wrote. `from`: where they came from, as a sentence begins: "Pasted". What fails ends as a notice. */
  takeWritten(written: WrittenPrompts, from: string): Promise<void>;
  /** Takes the other reading of what replaced the prompts, and offers the first. */
  takeOther(): void;
  /** Puts back what a replacement replaced, or again what it put in its place. */
  restore(work: Partial<Work>): void;
  /** Takes the replacement's notice away: it stays as it is. */
  acceptReplaced(): void;
  /** Takes prompts, options and selection from a link or a file. */
  useShared(shared: Shared, message: string): void;
  /** Puts the prompts in use that the last visit stopped at. */
  openPutAside(): void;
  dismissPutAside(): void;
  /** Reads a `#share=` link or a readable one; what is wrong with it ends as a notice. */
  openLink(hash: string): Promise<void>;
  /** Puts the prompts into the history. */
  notePrompts(): void;
  clearHistory(): void;
}

/** Makes what one program reads into prompts and options of the page: a prompt that is missing stays as it is `now`. */
function readingOf({ reader, prompts, options, summary }: TakenPrompts, from: string, now: Prompts): Reading {
  const typed = Object.entries(prompts).map(([side, prompt]) => [side, asTyped(prompt)]);
  return {
    label: `Read it as ${reader}`,
    message: `${from}: ${summary}`,
    after: { prompts: { ...now, ...Object.fromEntries(typed) }, options },
  };
}

/** Changes the prompts and options, and keeps their history. */
export function workActions({ memory, tab, get, set, notify }: Page): WorkActions {
  /** The prompts that need not go into the history: those in it, and those nobody has changed. */
  let noted = get().prompts;
  const { putAside } = get();
  if (putAside) {
    // Neither a reload nor another tab is to meet them again.
    remember({ memory, tab }, get());
    const past = withPrompts(get().past, putAside.prompts, Date.now());
    rememberPast(memory, past);
    set({ past });
  }

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

  /** Whether prompts are within the bound; where one is not, a notice says so. */
  function isTaken(prompts: Partial<Prompts> = {}): boolean {
    const longest = Math.max(0, ...Object.values(prompts).map(({ length }) => length));
    if (longest <= longestPrompt) return true;
    notify(tooLongToTake(longest));
    return false;
  }

  /** Says whether it was done. */
  function replace(after: Partial<Work>, message: string, readings?: Replacement['readings']): boolean {
    if (!isTaken(after.prompts)) return false;
    const now = get();
    const before = Object.fromEntries(Object.keys(after).map((name) => [name, now[name as keyof Work]]));
    set({ ...noting(), ...after, replaced: { message, before, after, ...(readings && { readings }) } });
    return true;
  }

  function useShared({ work, selection }: Shared, message: string) {
    if (replace(work, message)) set(selection);
  }

  async function takeWritten(written: WrittenPrompts, from: string): Promise<void> {
    const readers = await import('../road/writtenPrompts.ts').catch((error: unknown) => notify(messageOf(error)));
    if (!readers) return;
    const { prompts, options } = get();
    const [first, second] = readers.readWritten(written, options).map((taken) => readingOf(taken, from, prompts));
    replace(first.after, first.message, second && [first, second]);
  }

  async function openReadable(hash: string): Promise<void> {
    const { readReadableLink } = await import('./linkParameters.ts');
    const link = readReadableLink(hash);
    if (link.kind === 'shared') return useShared(link.shared, 'Opened from a link.');
    await takeWritten({ program: 'a1111', infotext: link.infotext, remarks: [] }, 'From a link');
    set(link.selection);
  }

  return {
    setPrompt(side, prompt) {
      const { prompts } = get();
      // A prompt that is too long already may be shortened bit by bit.
      if (prompt.length >= prompts[side].length && !isTaken({ [side]: prompt })) return;
      set({ prompts: { ...prompts, [side]: asTyped(prompt) } });
    },
    setOption: (name, value) => set({ options: withOption(get().options, name, value) }),
    replace,
    takeWritten,
    takeOther() {
      const { readings, before = {} } = get().replaced ?? {};
      if (!readings) return;
      const [first, { message, after }] = readings;
      if (!isTaken(after.prompts)) return;
      set({ ...after, replaced: { message, after, before, readings: [readings[1], first] } });
    },
    restore: (work) => set({ ...noting(), ...work, replaced: null }),
    acceptReplaced: () => set({ replaced: null }),
    useShared,
    openPutAside() {
      const { putAside } = get();
      if (putAside && replace(putAside, 'Opened the prompts of the last visit.')) set({ putAside: null });
    },
    dismissPutAside: () => set({ putAside: null }),
    async openLink(hash) {
      try {
        if (isSharedLink(hash)) useShared(await readLink(hash), 'Opened from a link.');
        else await openReadable(hash);
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
