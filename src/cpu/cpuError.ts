/** Out of memory, or a thread that ended. */
export class CpuError extends Error {
  override name: string = 'CpuError';
}

/** A thread that could not be started, or that ended before its first answer: fewer threads may still do. */
export class ThreadStartError extends CpuError {
  override name = 'ThreadStartError';
}
