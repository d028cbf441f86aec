import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { build } from 'vite';

/** Bundles the short training run into one module, as a URL that Node and a page import alike. */
async function shortRunModule(): Promise<string> {
  const made = await build({
    ...{ configFile: false, publicDir: false, logLevel: 'silent' },
    build: {
      lib: { entry: 'src/training/testing/shortRun.ts', formats: ['es'] },
      write: false,
      target: 'es2023',
      rolldownOptions: { output: { codeSplitting: false } },
    },
  });
  const [{ output }] = made as Exclude<typeof made, unknown[] | { close(): unknown }>[];
  return `data:text/javascript;base64,${Buffer.from(output[0].code).toString('base64')}`;
}

test('a short run of training ends in the same bits here and in Node', async ({ page }) => {
  const module = await shortRunModule();
  const merges = readFileSync('public/clip-merges.txt', 'utf8');
  // SHA-256 needs a secure context, which any address of this machine is.
  await page.goto('./clip-merges.txt');
  const here = await page.evaluate(
    async ([module, merges]) => (await import(module)).shortRunHash(merges) as Promise<string>,
    [module, merges] as const,
  );
  const { shortRunHash } = await import(module);
  expect(here).toMatch(/^[0-9a-f]{64}$/);
  expect(here).toBe(await shortRunHash(merges));
});
