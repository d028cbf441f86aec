import { readFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { toFloat32 } from '../src/files/dtypes.ts';
import { readPngTexts } from '../src/files/pngText.ts';
import { openSafetensors } from '../src/files/safetensors.ts';
import { memorySource } from '../src/files/testing/memorySource.ts';
import { negativePrompt, openTiny, openView, prompt, status, tokenRows } from './page.ts';

test.use({ permissions: ['clipboard-read', 'clipboard-write'] });

const panel = (page: Page) => page.getByRole('region', { name: 'Export' });
const comparison = (page: Page) => page.getByRole('region', { name: 'Comparison' });
const d = 64;

/** Clicks a button, and returns the bytes of the download. */
async function download(page: Page, name: string | RegExp, suggested: string) {
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name }).first().click();
  const file = await download;
  expect(file.suggestedFilename()).toBe(suggested);
  return readFileSync(await file.path());
}

async function openExport(page: Page): Promise<void> {
  await openView(page, 'Export');
  await expect(panel(page).getByRole('status', { name: 'Export' })).toHaveText('Ready');
}

async function compareWith(page: Page, name: string, buffer: Buffer): Promise<void> {
  await openView(page, 'Export');
  await page.getByLabel('Compare with a file…').setInputFiles({ name, mimeType: 'application/octet-stream', buffer });
}

test('what is exported is what the page shows, and comes back without a difference', async ({ page }) => {
  await openTiny(page);
  await negativePrompt(page).fill('fog BREAK (sea:0.8)');
  await prompt(page).fill('a photo of a (red:1.3) car');
  await expect(tokenRows(page)).not.toHaveCount(0);
  await openView(page, 'Export');
  await openExport(page);
  const arrays = panel(page).getByRole('table', { name: 'What the file will hold' }).locator('tbody').getByRole('row');
  await expect(arrays).toHaveText([/^prompt_embeds\[1, 154, 64\] F32/, /^negative_prompt_embeds\[1, 154, 64\] F32/]);
  const bytes = await download(page, 'Download conditioning.safetensors', 'conditioning.safetensors');

  const { tensors, metadata } = await openSafetensors(memorySource(new Uint8Array(bytes)));
  expect(metadata.get('prompt')).toBe('a photo of a (red:1.3) car');
  expect(metadata.get('negative_prompt')).toBe('fog BREAK (sea:0.8)');
  expect(metadata.get('model')).toBe('synthetic-tiny');
  const embeds = toFloat32(await tensors.get('prompt_embeds')!.read(), 'F32');

  const picture = page.getByRole('application', { name: /^After weighting/ });
  await openView(page, 'Embeddings');
  await picture.focus();
  for (const key of ['Home', 'PageUp', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight'])
    await picture.press(key);
  const readout = page.locator('#embeddings .readout');
  await expect(readout).toContainText('Token 5 red, dimension 1:');
  const shown = await readout.locator('[data-testid="value"]').nth(1).textContent();
  expect(shown).toBe(embeds[5 * d + 1].toPrecision(6));

  await openView(page, 'Export');
  await compareWith(page, 'mine.safetensors', bytes);
  await expect(comparison(page)).toContainText('Largest difference 0: the file has the same numbers, to the last bit.');
  await expect(comparison(page)).toContainText('a photo of a (red:1.3) car');
  const file = comparison(page).getByRole('combobox', { name: 'Conditioning in the file' });
  await file.selectOption('negative_prompt_embeds');
  await expect(comparison(page)).toContainText('the same numbers');
  await negativePrompt(page).fill('fog BREAK (sea:0.9)');
  await expect(comparison(page)).not.toContainText('the same numbers');
  await expect(comparison(page)).toContainText(/Largest difference [\d.e-]+ at row \d+, dimension \d+/);
  await prompt(page).fill('a cat BREAK a dog BREAK grass');
  await file.selectOption('prompt_embeds');
  await expect(comparison(page)).toContainText('has another shape, 154 × 64; the prompt here has 231 × 64.');
  // The file was no checkpoint, so the model is still in use.
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await comparison(page).getByRole('button', { name: 'Close' }).click();
  await expect(comparison(page)).toHaveCount(0);
});

test('every format, the snippet, the script and the session', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a (red:1.3) car');
  await openView(page, 'Export');
  await openExport(page);
  const format = panel(page).getByRole('combobox', { name: 'Format' });
  const numbers = await download(page, 'Download conditioning.safetensors', 'conditioning.safetensors');

  await format.selectOption('npz');
  const npz = await download(page, 'Download conditioning.npz', 'conditioning.npz');
  await format.selectOption('npy');
  const npy = await download(page, 'Download conditioning.npy', 'conditioning.npy');
  for (const [name, bytes] of [
    ['a.npz', npz],
    ['a.npy', npy],
    ['a.safetensors', numbers],
  ] as const) {
    await openView(page, 'Export');
    await compareWith(page, name, bytes);
    await expect(comparison(page).getByRole('heading', { name })).toBeVisible();
    await expect(comparison(page)).toContainText('the same numbers');
  }

  await format.selectOption('csv');
  const csv = (await download(page, 'Download conditioning.csv', 'conditioning.csv')).toString();
  expect(csv.split('\r\n')[3]).toMatch(/^prompt_embeds,2,736,red,1\.3,[\d.]+,-?[\d.]+,/);

  await format.selectOption('json');
  const session = await download(page, 'Download session.json', 'session.json');
  expect(JSON.parse(session.toString()).tokens.positive[0].tokens[2]).toEqual({ id: 736, token: 'red', weight: 1.3 });
  await prompt(page).fill('mine');
  await page.getByLabel('Open files…').setInputFiles({ name: 'session.json', mimeType: '', buffer: session });
  await expect(prompt(page)).toHaveText('a (red:1.3) car');

  expect((await download(page, 'Download check.py', 'check.py')).toString()).toContain('CLIPTextModel');
  await openView(page, 'Export');
  await expect(panel(page)).toContainText('The session holds no numbers');
  // The snippet reads the file that is chosen.
  for (const [name, loading] of [
    ['npz', 'numpy.load("conditioning.npz")'],
    ['safetensors', 'load_file("conditioning.safetensors")'],
  ]) {
    await format.selectOption(name);
    await panel(page).getByRole('button', { name: 'Copy' }).click();
    await expect(panel(page).getByRole('status', { name: 'Snippet' })).toHaveText('Copied.');
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toContain(loading);
    expect(copied).toContain('negative_prompt_embeds=embeds[');
  }
});

test('pictures are saved with what stands around them', async ({ page }) => {
  await openTiny(page);
  const of = 'positive-chunk-1-of-1-made-up-weights-tiny';
  for (const [view, title, name] of [
    ['Masks', 'Product', `product-${of}.png`],
    ['Embeddings', 'After weighting', `after-weighting-${of}.png`],
    ['Attention', 'Layer 1, head 1', `layer-1-head-1-${of}.png`],
    ['Attention', '2 layers × 4 heads', `2-layers-4-heads-${of}.png`],
  ]) {
    await openView(page, view);
    const png = await download(page, `Save PNG: ${title}`, name);
    const { texts } = await readPngTexts(memorySource(png));
    expect(texts.get('Title')).toBe(title);
    expect(texts.get('Description')).toBe(
      'positive · chunk 1 of 1 · made-up weights, tiny · clipscope\n“a photo of a (red:1.3) car, [blurry] background”',
    );
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    // Width and height of the picture.
    expect(png.readUInt32BE(16)).toBeGreaterThan(400);
    expect(png.readUInt32BE(20)).toBeGreaterThan(150);
  }
  await openView(page, 'Attention');
  await page.getByRole('radio', { name: 'Lines' }).check();
  const svg = (await download(page, 'Save SVG: Layer 1, head 1', `layer-1-head-1-${of}.svg`)).toString();
  expect(svg).toContain('<svg xmlns');
  expect(svg).toContain('>photo</text>');
  expect(svg).toContain('made-up weights, tiny');

  // A picture opens again as what it was made of.
  const png = await download(page, 'Save PNG: 2 layers × 4 heads', `2-layers-4-heads-${of}.png`);
  await prompt(page).fill('mine');
  await page.getByLabel('Open files…').setInputFiles({ name: 'heads.png', mimeType: '', buffer: png });
  await expect(prompt(page)).toHaveText('a photo of a (red:1.3) car, [blurry] background');
});
