/** Out of GPU memory, or a GPU that refused what it was asked. */
export class GpuError extends Error {
  override name = 'GpuError';
}
