import { existsSync, readFileSync } from 'node:fs';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import packageJson from './package.json' with { type: 'json' };
import { hosting } from './scripts/hosting.ts';

/** Tests of rooms without state, whose files share what a process has loaded; readOnce replaces modules. */
const pure = ['prompt', 'tokens', 'files', 'clip', 'weighting', 'road', 'world'].map(
  (room) => `src/${room}/**/!(readOnce).test.ts`,
);

const judgedFile = 'public/small-pictures/judged.json';
/** Shares of the picture model's pictures that a judge found right; null without a model. */
const judged = existsSync(judgedFile) ? JSON.parse(readFileSync(judgedFile, 'utf8')) : null;

export default defineConfig({
  base: './',
  plugins: [react(), hosting()],
  define: {
    clipscopeVersion: JSON.stringify(packageJson.version),
    clipscopeDraws: existsSync('public/small-pictures/model.safetensors'),
    clipscopeRight: JSON.stringify(judged?.seen?.right ?? null),
  },
  worker: { format: 'es' },
  css: { modules: { localsConvention: 'camelCaseOnly' } },
  build: {
    target: 'es2023',
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      output: {
        // A first visit fetches one file of what it always needs, in place of some seventy: browsers ask older servers for six at a time.
        codeSplitting: { groups: [{ name: 'page', tags: ['$initial'], test: (id) => !/main\.tsx$|\.html/.test(id) }] },
      },
    },
  },
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
