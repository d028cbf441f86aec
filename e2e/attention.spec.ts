import { readFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { clipTiny } from '../src/clip/config.ts';
import type { MaskMode } from '../src/clip/masks.ts';
import { referenceEncoder } from '../src/clip/reference.ts';
import { syntheticWeights } from '../src/models/synthetic.ts';
import { defaultOptions } from '../src/road/options.ts';
import { preparePrompt } from '../src/road/pipeline.ts';
import { createTokenizer } from '../src/tokens/tokenizer.ts';
import { openOptions, openTiny, openView, own, pointAt, prompt, status } from './page.ts';

const text = 'a (red:1.3) car, [blurry]';
const shown = 7; // BOS, five tokens, EOS

const readout = (page: Page) => page.locator('#attention .readout');
const slider = (page: Page, name: string) => page.getByRole('slider', { name });

async function reference(mask: MaskMode) {
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const run = await referenceEncoder(syntheticWeights(clipTiny));
  return run(preparePrompt(text, { ...defaultOptions, mask }, tokenizer).chunks[0].pass);
}

for (const [mask, engine] of [
  ['causal', 'automatic'],
  ['causal', 'webgpu'],
  ['none', 'automatic'],
] as const)
  test(`the maps on the page are those of the float64 reference (${mask}, ${engine})`, async ({ page }) => {
    const { attentions } = await reference(mask);
    await openTiny(page, engine);
    await prompt(page).fill(text);
    await openOptions(page);
    await page.getByRole('combobox', { name: 'Mask' }).selectOption(mask);
    const picture = page.locator(own('matrix')).getByRole('application');
    for (const [layer, head] of [
      [0, 0],
      [0, 3],
      [1, 1],
    ]) {
      await openView(page, 'Attention');
      await slider(page, 'Layer').fill(String(layer + 1));
      await slider(page, 'Head').fill(String(head + 1));
      await expect(page.getByRole('heading', { name: `Layer ${layer + 1}, head ${head + 1}` })).toBeVisible();
      await expect(status(page)).toContainText('Ready');
      await expect(page.locator('[data-stale]:visible')).toHaveCount(0);
      for (const [query, key] of [
        [0, 0],
        [2, 1],
        [5, 0],
        [6, 6],
        [3, 5],
      ]) {
        await openView(page, 'Attention');
        await pointAt(picture, query, key, shown);
        await expect(readout(page)).toContainText(`Query ${query} `);
        await expect(readout(page)).toContainText(`key ${key} `);
        const value = await readout(page).locator('[data-testid="value"]').innerText();
        if (mask === 'causal' && key > query) expect(value).toBe('masked');
        else {
          const expected = attentions[layer][(head * 77 + query) * 77 + key];
          expect(Math.abs(Number(value) - expected), `${layer} ${head} ${query} ${key}: ${value}`).toBeLessThan(1e-5);
        }
      }
    }
  });

test('the overview chooses a head by click and by arrow keys', async ({ page }) => {
  await openTiny(page);
  const overview = page.getByRole('application', { name: 'All heads' });
  await openView(page, 'Attention');
  const box = await overview.boundingBox();
  if (!box) throw new Error('no overview');
  await overview.click({ position: { x: box.width * 0.6, y: box.height * 0.8 } });
  await expect(page.getByRole('heading', { name: 'Layer 2, head 3' })).toBeVisible();
  await expect(slider(page, 'Layer')).toHaveValue('2');
  await expect(slider(page, 'Head')).toHaveValue('3');
  await overview.press('ArrowUp');
  await overview.press('ArrowRight');
  await overview.press('ArrowRight');
  await expect(page.getByRole('heading', { name: 'Layer 1, head 4' })).toBeVisible();
});

test('hidden BOS and PAD leave the matrix, and the colours are rescaled to the rest', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill(text);
  const labels = page.locator(`${own('matrix')} ${own('rows')} li`);
  await openView(page, 'Attention');
  await expect(labels).toHaveText(['BOS', 'a', 'red', 'car', ',', 'blurry', 'EOS']);
  await page.getByRole('checkbox', { name: 'Hide BOS' }).check();
  await expect(labels).toHaveText(['a', 'red', 'car', ',', 'blurry', 'EOS']);
  await expect(page.getByText(/colours run up to the largest share left, 0\.\d+/)).toBeVisible();
  await page.getByRole('checkbox', { name: 'Hide PAD' }).uncheck();
  await expect(labels).toHaveCount(76);
});

test('lines: a token that is pointed at names its strongest keys', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill(text);
  await openView(page, 'Attention');
  await page.getByRole('radio', { name: 'Lines' }).check();
  // A picture that is drawn again forgets the point that was marked before.
  await expect(status(page)).toContainText('Ready');
  await expect(page.locator('[data-stale]:visible')).toHaveCount(0);
  await page
    .locator(`${own('lines')} ${own('rows')} li`)
    .filter({ hasText: 'car' })
    .first()
    .hover();
  await expect(readout(page)).toContainText('Query 3 car');
  await expect(readout(page)).toContainText('entropy');
  const drawn = await page.locator(`${own('lines')} canvas`).evaluate((canvas: HTMLCanvasElement) =>
    canvas
      .getContext('2d')
      ?.getImageData(0, 0, canvas.width, canvas.height)
      .data.some((value) => value > 0),
  );
  expect(drawn).toBe(true);
});

test('embeddings: difference is after less before, and norms follow the weights', async ({ page }) => {
  await openTiny(page);
  await openOptions(page);
  await page.getByRole('combobox', { name: 'Weighting' }).selectOption('scale');
  await prompt(page).fill(text);
  await expect(status(page)).toContainText('Ready');
  await expect(page.locator('[data-stale]:visible')).toHaveCount(0);
  const before = page.locator('#embeddings').getByRole('application', { name: 'Before weighting' });
  await openView(page, 'Embeddings');
  const box = await before.boundingBox();
  await openView(page, 'Attention');
  if (!box) throw new Error('no picture');
  await openView(page, 'Embeddings');
  await before.hover({ position: { x: box.width * 0.3, y: (2.5 / 77) * box.height } });
  await expect(page.locator('#embeddings .readout')).toContainText('Token 2 red, dimension 19: before');
  const values = (await page.locator('#embeddings .readout [data-testid="value"]').allInnerTexts()).map(Number);
  expect(values[1] / values[0]).toBeCloseTo(1.3, 4);
  expect(values[2]).toBeCloseTo(values[1] - values[0], 4);

  const { lastHiddenState } = await reference('causal');
  expect(values[0]).toBeCloseTo(lastHiddenState[2 * 64 + 19], 4);
  const row = await page.locator('#embeddings').getByRole('row', { name: /^red / }).getByRole('cell').allInnerTexts();
  expect(Number(row[1]) / Number(row[0])).toBeCloseTo(1.3, 2);

  await page.getByRole('spinbutton', { name: 'Clip skip' }).fill('2');
  const last = page.getByRole('combobox', { name: 'Stage' }).locator('option').last();
  await expect(last).toHaveText('After layer 1, final LayerNorm (clip skip 2)');
  await page.getByRole('spinbutton', { name: 'Clip skip' }).fill('1');
  await expect(last).toHaveText('Last hidden state (final LayerNorm)');
  await page.getByRole('combobox', { name: 'Stage' }).selectOption('1');
  await expect(page.locator('#embeddings').getByRole('img')).toHaveCount(1);
});

test('the enlarged head comes to rest at the width where its labels begin to be left out', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await openTiny(page);
  await openView(page, 'Attention');
  for (let words = 15; words <= 23; words++) {
    await prompt(page).fill('car '.repeat(words));
    await expect(status(page)).toContainText('Ready');
    // A click waits until what it is for no longer moves.
    await page.locator(`#attention ${own('matrix')} ${own('heatmap')}`).click({ trial: true, timeout: 60_000 });
  }
});
