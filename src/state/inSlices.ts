import type { Slices } from '../prompt/slices.ts';

/** Work of which a view shows the result: the same function as long as that is the same. */
export interface SlicedWork<T> {
  (): Slices<T>;
  /** Whether it is done in slices; else at once. */
  readonly isLong: boolean;
}

/** The numbers of a prompt of more chunks are worked on in slices. */
export const mostChunksAtOnce = 8;

/** Milliseconds of work after which the page gets round to keys, clicks and drawing. */
const sliceMilliseconds = 12;

/**
 * Does long work between what else the page has to do, beginning after what it is at now. Tells its result to `done` or its
 * error to `failed`, unless the work was cancelled by then. Returns how to cancel it.
 */
export function inSlices<T>(
  slices: Slices<T>,
  done: (result: T) => void,
  failed: (error: unknown) => void = rethrow,
): () => void {
  let timer = setTimeout(work);
  function work(): void {
    const start = performance.now();
    try {
      let slice = slices.next();
      while (!slice.done && performance.now() - start < sliceMilliseconds) slice = slices.next();
      const { done: isDone, value } = slice;
      // The result has a task of its own, because much is drawn with it.
      timer = isDone ? setTimeout(() => done(value)) : setTimeout(work);
    } catch (error) {
      failed(error);
    }
  }
  return () => clearTimeout(timer);
}

function rethrow(error: unknown): never {
  throw error;
}
