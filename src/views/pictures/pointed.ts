import { type RefObject, useEffect, useRef, useSyncExternalStore } from 'react';

/** The tokens and dimension that the person points at, as indices from 0, for all pictures of the page. */
export interface Pointed {
  readonly query: number | null;
  readonly key: number | null;
  /** Index into the hidden size. */
  readonly dimension: number | null;
  /** Column of the matrix that the anatomy shows. */
  readonly column?: number;
  /** Every token that is meant, where that is more than the one. */
  readonly tokens?: readonly number[];
}

export const nothing: Pointed = { query: null, key: null, dimension: null };

/** Points at a token, both as a query and as a key. */
export function tokenAt(index: number): Pointed {
  return { query: index, key: index, dimension: null };
}

/** Points at several tokens, the first of them as a query and as a key. */
export const tokensAt = (tokens: readonly number[]): Pointed => ({ ...tokenAt(tokens[0]), tokens });

/** Holds what is pointed at. It is in no store, because it changes with every move of the pointer and only marks and readouts follow it. */
export interface Pointing {
  get(): Pointed;
  /** Sets what is under the pointer; null when the pointer has left. */
  over(at: Pointed | null): void;
  /** Sets what the caret or the keyboard is at. It counts while the pointer is elsewhere. */
  rest(at: Pointed | null): void;
  /** Withdraws a `rest` that nobody else has replaced since, for a field that loses the focus. */
  leave(at: Pointed | null): void;
  subscribe(listener: () => void): () => void;
}

/** Makes a pointing of its own, for pictures of other things than the prompt's tokens. `rest` is what is pointed at before. */
export function createPointing(rest: Pointed | null = null): Pointing {
  let over: Pointed | null = null;
  let resting = rest;
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  const pointing: Pointing = {
    get: () => over ?? resting ?? nothing,
    over(at) {
      over = at;
      tell();
    },
    rest(at) {
      resting = at;
      tell();
    },
    leave(at) {
      if (resting === at) pointing.rest(null);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return pointing;
}

/** The page's own. */
export const pointed = createPointing();

export function usePointed(pointing: Pointing = pointed): Pointed {
  return useSyncExternalStore(pointing.subscribe, pointing.get);
}

/** Gives what is pointed at among so many tokens: what is still on show of the model before may have fewer than the prompt now. */
export function usePointedAmong(tokens: number): Pointed {
  const { query, key, ...rest } = usePointed();
  const among = (index: number | null) => (index !== null && index < tokens ? index : null);
  return { ...rest, query: among(query), key: among(key) };
}

/** Returns the index of the token that an element, or one around it, stands for. */
export function tokenOf(target: EventTarget | null): number | null {
  const index = target instanceof Element ? target.closest<HTMLElement>('[data-token]')?.dataset.token : undefined;
  return index === undefined ? null : Number(index);
}

/** Handlers for an element that contains others with `data-token`: the one under the pointer is pointed at. */
export const pointsAtTokens = {
  onPointerOver: ({ target }: { readonly target: EventTarget | null }) => {
    const index = tokenOf(target);
    pointed.over(index === null ? null : tokenAt(index));
  },
  onPointerLeave: () => pointed.over(null),
};

/** Returns handlers by which the element with `data-token` that has the focus is pointed at. */
export function useFocusedToken() {
  const focused = useRef<Pointed | null>(null);
  return {
    onFocus: ({ target }: { readonly target: EventTarget | null }) => {
      const index = tokenOf(target);
      focused.current = index === null ? null : tokenAt(index);
      pointed.rest(focused.current);
    },
    onBlur: () => pointed.leave(focused.current),
  };
}

/**
 * Marks the elements inside that stand for the tokens that are pointed at, without rendering. Elements have
 * `data-token` (first index) and perhaps `data-token-end` (past the last); they get `data-pointed="query"` or `"key"`.
 * `only` limits the marks to one of the two.
 */
export function useMarks(container: RefObject<HTMLElement | null>, only?: 'query' | 'key'): void {
  useEffect(() => {
    const mark = () => {
      const { query, key, tokens = [] } = pointed.get();
      for (const element of container.current?.querySelectorAll<HTMLElement>('[data-token]') ?? []) {
        const start = Number(element.dataset.token);
        const end = Number(element.dataset.tokenEnd ?? start + 1);
        const holds = (index: number | null) => index !== null && start <= index && index < end;
        if (only !== 'key' && [query, ...tokens].some(holds)) element.dataset.pointed = 'query';
        else if (only !== 'query' && holds(key)) element.dataset.pointed = 'key';
        else delete element.dataset.pointed;
      }
    };
    mark();
    return pointed.subscribe(mark);
  });
}
