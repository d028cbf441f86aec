import { engineNames } from '../engine/engineChoice.ts';
import { readOptions } from './readOptions.ts';
import { type Remembered, themes, weightSteps } from './remembered.ts';

/** The storage of what survives a reload: localStorage, or anything like it. */
export type Memory = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** Storages of what survives: `memory` is that of all tabs, `tab` of this one alone. */
export interface Memories {
  readonly memory: Memory | null;
  readonly tab: Memory | null;
}

const key = 'clipscope';

function oneOf<T>(values: readonly T[], value: unknown, otherwise: T): T {
  return values.includes(value as T) ? (value as T) : otherwise;
}

/** The value if it is an object; else an object without properties. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
}

/** Makes line ends what an editor writes. */
export function asTyped(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}

/** The value if it is a whole number from 1 up; else null. */
export function count(value: unknown): number | null {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : null;
}

/** The record in a storage; one without properties where there is none that can be read. */
function storedIn(memory: Memory | null): Readonly<Record<string, unknown>> {
  try {
    return record(JSON.parse(memory?.getItem(key) ?? 'null'));
  } catch {
    return {};
  }
}

const hasAny = (stored: Readonly<Record<string, unknown>>) => Object.keys(stored).length > 0;

/** Whether a tab has a record of its own, as it has when it is loaded again. */
export const isKnownTab = (tab: Memory | null): boolean => hasAny(storedIn(tab));

/**
 * Reads what was remembered: of this tab, else of the last visit in any. Whatever is missing, foreign or unreadable (storage may be
 * forbidden) is as on a first visit.
 */
export function recall({ memory, tab }: Memories, first: Remembered): Remembered {
  const ofTab = storedIn(tab);
  const stored = hasAny(ofTab) ? ofTab : storedIn(memory);
  const prompts = record(stored.prompts);
  const { model, name } = record(stored.storedModel);
  const { engine, threads } = record(stored.engineChoice);
  const text = (value: unknown, otherwise: string) => (typeof value === 'string' ? asTyped(value) : otherwise);
  return {
    prompts: {
      positive: text(prompts.positive, first.prompts.positive),
      negative: text(prompts.negative, first.prompts.negative),
    },
    options: readOptions(record(stored.options)).options,
    weightStep: oneOf(weightSteps, stored.weightStep, first.weightStep),
    theme: oneOf(themes, stored.theme, first.theme),
    syntheticSize: oneOf(['full', 'tiny', null], stored.syntheticSize, first.syntheticSize),
    storedModel:
      typeof model === 'string' && typeof name === 'string' && model !== '' ? { model, name } : first.storedModel,
    engineChoice: { engine: oneOf(engineNames, engine, first.engineChoice.engine), threads: count(threads) },
  };
}

/**
 * Writes what is to survive a reload: all of it for this tab, and for the next visit what has changed since `before`, so that tabs keep what
 * others wrote. Returns whether there was room and leave to write it.
 */
export function remember({ memory, tab }: Memories, facts: Remembered, before: Partial<Remembered> = {}): boolean {
  const { prompts, options, weightStep, theme, syntheticSize, storedModel, engineChoice } = facts;
  const kept: Remembered = { prompts, options, weightStep, theme, syntheticSize, storedModel, engineChoice };
  const names = Object.keys(kept) as (keyof Remembered)[];
  // Prompts and options are one work: each means nothing without the other.
  const isWorkNew = prompts !== before.prompts || options !== before.options;
  const isNew = (name: keyof Remembered) =>
    name === 'prompts' || name === 'options' ? isWorkNew : kept[name] !== before[name];
  const changed = names.filter(isNew).map((name) => [name, kept[name]]);
  try {
    tab?.setItem(key, JSON.stringify(kept));
  } catch {
    // The next visit does not depend on it.
  }
  try {
    memory?.setItem(key, JSON.stringify({ ...storedIn(memory), ...Object.fromEntries(changed) }));
    return true;
  } catch {
    return false;
  }
}

/** Stands for the storage of a browser that denies it. */
export const deniedMemory: Memory = { getItem: deny, setItem: deny, removeItem: deny };

function deny(): never {
  throw new DOMException('The browser denies its storage.', 'SecurityError');
}
