import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import packageJson from './package.json' with { type: 'json' };

/** Tests of shaders. */
const onGpu = ['src/gpu/**/*.test.ts'];
/** Tests of rooms without state, whose files share what a process has loaded; readOnce replaces modules. */
const pure = ['prompt', 'tokens', 'files', 'clip', 'weighting', 'road', 'world'].map(
  (room) => `src/${room}/**/!(readOnce).test.ts`,
);
/** Files run beside each other. Vitest would leave one core idle, which is half of two. */
const beside = { maxWorkers: '100%', sequence: { groupOrder: 0 } };

export default defineConfig({
  base: './',
  plugins: [react()],
  define: { clipscopeVersion: JSON.stringify(packageJson.version) },
  worker: { format: 'es' },
  css: { modules: { localsConvention: 'camelCaseOnly' } },
  build: { target: 'es2023', chunkSizeWarningLimit: 1000 },
  preview: { port: 4173 },
  test: {
    environment: 'node',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'pure', include: pure, isolate: false, ...beside } },
      {
        extends: true,
        test: { name: 'plain', include: ['src/**/*.test.ts'], exclude: [...onGpu, ...pure], ...beside },
      },
      {
        extends: true,
        // Two Dawn devices at once only fight over the same cores.
        test: { name: 'gpu', include: onGpu, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
