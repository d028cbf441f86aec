import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import packageJson from './package.json' with { type: 'json' };

/** Tests of rooms without state, whose files share what a process has loaded; readOnce replaces modules. */
const pure = ['prompt', 'tokens', 'files', 'clip', 'weighting', 'road', 'world'].map(
  (room) => `src/${room}/**/!(readOnce).test.ts`,
);
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
    // Vitest would leave one core idle, which is half of two.
    maxWorkers: '100%',
    projects: [
      { extends: true, test: { name: 'pure', include: pure, isolate: false } },
      { extends: true, test: { name: 'isolated', include: ['src/**/*.test.ts'], exclude: pure } },
    ],
  },
});
