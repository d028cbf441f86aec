import { vi } from 'vitest';

/** Has the kernels compiled without relaxed SIMD until mocks are restored. */
export function withoutRelaxed(): void {
  const { validate } = WebAssembly;
  let asked = 0;
  // The relaxed module is asked for first, then the plain one.
  vi.spyOn(WebAssembly, 'validate').mockImplementation((bytes) => asked++ % 2 === 1 && validate(bytes));
}
