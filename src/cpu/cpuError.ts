/** Out of memory, or a thread that ended. */
export class CpuError extends Error {
  override name = 'CpuError';
}
