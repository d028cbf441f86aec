import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import packageJson from './package.json' with { type: 'json' };

/** Tests of shaders. */
const onGpu = ['src/gpu/**/*.test.ts'];

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
      {
        extends: true,
        // Vitest would leave one core idle, which is half of two.
        test: {
          name: 'plain',
          include: ['src/**/*.test.ts'],
          exclude: onGpu,
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // Two Dawn devices at once only fight over the same cores.
        test: { name: 'gpu', include: onGpu, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
