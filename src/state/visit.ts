/**
 * Tells whether the last visit came to its end, or stopped at what it was given to draw. A visit holds a lock, and while it
 * draws it leaves a mark of the same name in the browser's storage, which goes when the drawing has come to rest and when
 * the page is left. A mark whose lock nobody holds is that of a visit that was ended from outside.
 */

/** Storage that the marks are in: localStorage, or anything like it. */
export type Marks = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;

const prefix = 'clipscope-drawing-';
/** The tab's own storage has the mark's name under this one, so that a tab that is loaded again knows its own. */
const tabMark = 'clipscope-drawing';
/** Time after the last change by which the drawing has come to rest, unless the page is held: then the timer waits with it. */
const restMilliseconds = 1_000;
/** A visit that was given nothing to draw for longer than this, and still draws, is held by it, though its tab may be open. */
const heldMilliseconds = 10_000;
/** Time by which what a page wrote at its end is seen by the next, on a machine that is busy, too. */
const settleMilliseconds = 900;
/** Time between two looks. */
const lookMilliseconds = 100;

export interface Visit {
  /** Marks that something is drawn. */
  begin(): void;
  /** The page is left: takes the mark away, and writes no more. */
  leave(): void;
}

/**
 * Opens this visit: it holds the lock by then, and writes its marks, if there is a storage to write them into. The lock is
 * asked for once, because a page that is at work does not get round to that.
 */
export async function openVisit(
  marks: Marks | null,
  locks: LockManager | undefined,
  tab: Pick<Storage, 'setItem' | 'removeItem'> | null = null,
): Promise<Visit> {
  const name = `${prefix}${Date.now()}-${Math.random()}`;
  await heldForLife(locks, name);
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** When the mark was written last; null while there is none. */
  let written: number | null = null;
  let isLeft = false;

  function write(): void {
    written = Date.now();
    try {
      marks?.setItem(name, String(written));
      tab?.setItem(tabMark, name);
    } catch {
      // Full or forbidden: the next visit starts with what this one leaves.
    }
  }
  function end(): void {
    clearTimeout(timer);
    if (written === null) return;
    written = null;
    try {
      tab?.removeItem(tabMark);
      marks?.removeItem(name);
    } catch {
      // Forbidden since.
    }
  }
  return {
    begin() {
      if (isLeft) return;
      if (written === null || Date.now() - written > restMilliseconds) write();
      clearTimeout(timer);
      timer = setTimeout(end, restMilliseconds);
    },
    leave() {
      isLeft = true;
      end();
    },
  };
}

/** Takes a lock that the browser gives back when the page is gone; waits until it is there. */
async function heldForLife(locks: LockManager | undefined, name: string): Promise<void> {
  if (!locks) return;
  await new Promise<void>((resolve) => {
    locks
      .request(name, () => {
        resolve();
        return new Promise<never>(() => {});
      })
      .catch(() => resolve());
  });
}

/** Takes away the mark of this tab's visit before this one, where that did not come to its end, and says whether there was one. */
export function wasTabStopped(
  marks: Pick<Storage, 'removeItem'> | null,
  tab: Pick<Storage, 'getItem' | 'removeItem'> | null,
): boolean {
  try {
    const name = tab?.getItem(tabMark) ?? null;
    if (name === null) return false;
    tab?.removeItem(tabMark);
    marks?.removeItem(name);
    return true;
  } catch {
    return false;
  }
}

/** Takes away the marks of visits that did not come to their end, and says whether there was one. */
export async function wasVisitStopped(marks: Marks | null, locks: LockManager | undefined): Promise<boolean> {
  try {
    const names = Array.from({ length: marks?.length ?? 0 }, (_, i) => marks?.key(i) ?? '');
    const drawing = names.filter((name) => name.startsWith(prefix));
    if (!marks || drawing.length === 0) return false;
    const living = new Set(((await locks?.query())?.held ?? []).map(({ name }) => name));
    const suspects = drawing.filter(
      (name) => !living.has(name) || Date.now() - Number(marks.getItem(name)) > heldMilliseconds,
    );
    if (suspects.length === 0) return false;
    // A visit that was just left may have taken its mark away in another process, whose storage is seen a moment later.
    let stopped = suspects;
    for (let waited = 0; stopped.length > 0 && waited < settleMilliseconds; waited += lookMilliseconds) {
      await new Promise((resolve) => setTimeout(resolve, lookMilliseconds));
      stopped = stopped.filter((name) => marks.getItem(name) !== null);
    }
    for (const name of stopped) marks.removeItem(name);
    return stopped.length > 0;
  } catch {
    return false;
  }
}
