import { readFileSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { fileSource } from '../src/cli/fileSource.ts';
import { referenceEncoder } from '../src/clip/reference.ts';
import { openCheckpoint } from '../src/models/openCheckpoint.ts';
import { defaultOptions } from '../src/road/options.ts';
import { preparePrompt } from '../src/road/pipeline.ts';
import { createTokenizer } from '../src/tokens/tokenizer.ts';
import { openView, own, pointAt, prompt, status, strayed, tokenRows } from './page.ts';

const ready = 'Ready: small CLIP of shapes, trained by clipscope';
const model = (page: Page) => page.getByRole('combobox', { name: 'Model', exact: true });

test('a first visit shows the attention of the small trained model, and asks no other host', async ({ page }) => {
  const strays = strayed(page);
  await page.goto('/');
  await expect(status(page)).toHaveText(ready);
  await expect(model(page).locator('option:checked')).toHaveText('Small CLIP of shapes');
  await expect(page.locator('#encoder')).toContainText('A small model of coloured shapes, not Stable Diffusion');
  const text = 'a (red:1.3) circle left of a dragon';
  await prompt(page).fill(text);
  await openView(page, 'Attention');
  await page.getByRole('slider', { name: 'Layer' }).fill('3');
  await page.getByRole('slider', { name: 'Head' }).fill('2');
  await expect(status(page)).toHaveText(ready);
  await expect(page.locator('[data-stale]:visible')).toHaveCount(0);

  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const encode = await referenceEncoder(await openCheckpoint(fileSource('public/small-clip/model.safetensors')));
  const { attentions } = encode(preparePrompt(text, defaultOptions, tokenizer).chunks[0].pass);
  const shown = 9; // BOS, seven tokens, EOS
  for (const [query, key] of [
    [3, 2],
    [7, 3],
    [8, 7],
  ]) {
    await pointAt(page.locator(own('matrix')).getByRole('application'), query, key, shown);
    const readout = page.locator('#attention .readout');
    await expect(readout).toContainText(`Query ${query} `);
    await expect(readout).toContainText(`key ${key} `);
    const value = Number(await readout.locator('[data-testid="value"]').innerText());
    // Head 2 of layer 3.
    expect(Math.abs(value - attentions[2][(77 + query) * 77 + key])).toBeLessThan(2e-4);
  }
  expect(strays).toEqual([]);
});

test('words that the model never learnt are marked, by signs and in words', async ({ page }) => {
  await page.goto('/');
  await expect(status(page)).toHaveText(ready);
  await prompt(page).fill('a red dragon');
  await openView(page, 'Tokens');
  await expect(tokenRows(page).nth(2)).not.toContainText('world');
  await expect(tokenRows(page).nth(3)).toContainText('not in this model’s world');
  const strip = page.getByRole('group', { name: 'Chunk shown' });
  await expect(strip).toContainText('dragon? (not in this model’s world)');
  await expect(strip.getByTitle(/^dragon<\/w>, id 5471, weight 1; not in this model’s world/)).toBeVisible();
  await openView(page, 'Answer');
  await expect(page.locator('#answer')).toContainText(
    'This model knows 225 tokens, those of its world of coloured shapes; “dragon” is not in its world',
  );
});

test('made-up weights can be chosen, and each choice is that of the next visit', async ({ page }) => {
  await page.goto('/');
  await expect(status(page)).toHaveText(ready);
  await prompt(page).fill('a red dragon');
  await model(page).selectOption({ label: 'Made-up weights, tiny' });
  await expect(status(page)).toHaveText('Ready: made-up weights, tiny');
  await openView(page, 'Tokens');
  await expect(tokenRows(page).nth(3)).not.toContainText('world');
  await page.reload();
  await expect(status(page)).toHaveText('Ready: made-up weights, tiny');
  await model(page).selectOption({ label: 'Small CLIP of shapes' });
  await expect(status(page)).toHaveText(ready);
  await page.reload();
  await expect(status(page)).toHaveText(ready);
});

test('where the small model cannot be fetched, one sentence says so and made-up weights stand in', async ({ page }) => {
  await page.route('**/small-clip/model.safetensors', (route) => route.fulfill({ status: 404 }));
  await page.goto('/');
  await expect(status(page)).toHaveText('Ready: made-up weights, tiny');
  await expect(page.getByRole('alert')).toHaveCount(1);
  await expect(page.getByRole('alert')).toContainText(
    'The small model that comes with the page could not be fetched (the server answers 404), so the page goes on with made-up weights',
  );
  await page.unroute('**/small-clip/model.safetensors');
  await model(page).selectOption({ label: 'Small CLIP of shapes' });
  await expect(status(page)).toHaveText(ready);
});

for (const [colorScheme, width] of [
  ['light', 1366],
  ['dark', 390],
] as const)
  test(`axe finds nothing on a first visit, with an unknown word: ${colorScheme}, ${width} px`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.goto('/');
    await expect(page.locator('.cm-content')).toHaveCount(2);
    await prompt(page).fill('a red dragon');
    await expect(status(page)).toHaveText(ready);
    for (const view of ['Answer', 'Tokens']) {
      await openView(page, view);
      const { violations } = await new AxeBuilder({ page }).setLegacyMode().disableRules('skip-link').analyze();
      expect(violations.map(({ id, nodes }) => `${view}: ${id}: ${nodes[0].html}`)).toEqual([]);
    }
  });
