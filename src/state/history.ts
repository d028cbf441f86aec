import type { Memory } from './memory.ts';
import type { Prompts } from './remembered.ts';

export interface PastPrompts {
  readonly prompts: Prompts;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const key = 'clipscope-history';
const most = 50;
/** Characters of all prompts together. */
const mostText = 200_000;

const size = ({ positive, negative }: Prompts) => positive.length + negative.length;
const same = (a: Prompts, b: Prompts) => a.positive === b.positive && a.negative === b.negative;

/** Adds prompts to the history, the newest first: equal ones once, empty ones not, and no more than `most`. */
export function withPrompts(past: readonly PastPrompts[], prompts: Prompts, at: number): readonly PastPrompts[] {
  if (size(prompts) === 0 || size(prompts) > mostText) return past;
  const { positive, negative } = prompts;
  const all = [{ prompts: { positive, negative }, at }, ...past.filter((entry) => !same(entry.prompts, prompts))];
  let text = 0;
  return all.slice(0, most).filter((entry) => {
    text += size(entry.prompts);
    return text <= mostText;
  });
}

/** Reads the prompts that were remembered, without foreign entries; null where nothing can be remembered. */
export function recallPast(memory: Memory | null): readonly PastPrompts[] | null {
  if (!memory) return null;
  let stored: unknown;
  try {
    stored = memory.getItem(key);
  } catch {
    return null;
  }
  try {
    stored = JSON.parse(String(stored));
  } catch {
    return [];
  }
  return Array.isArray(stored) ? stored.filter(isPast).slice(0, most) : [];
}

function isPast(entry: unknown): entry is PastPrompts {
  const { prompts, at } = (entry ?? {}) as Partial<PastPrompts>;
  return typeof at === 'number' && typeof prompts?.positive === 'string' && typeof prompts.negative === 'string';
}

/** Writes the history; an empty one leaves no trace. */
export function rememberPast(memory: Memory | null, past: readonly PastPrompts[]): void {
  try {
    if (past.length === 0) memory?.removeItem(key);
    else memory?.setItem(key, JSON.stringify(past));
  } catch {
    // Full or forbidden: the history lasts as long as the page.
  }
}
