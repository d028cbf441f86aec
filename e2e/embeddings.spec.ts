import { readFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { clipTiny } from '../src/clip/config.ts';
import { fromFloat32, toFloat32 } from '../src/files/dtypes.ts';
import { openSafetensors, writeSafetensors } from '../src/files/safetensors.ts';
import { memorySource } from '../src/files/testing/memorySource.ts';
import { torchBytes } from '../src/files/testing/torch.ts';
import { openTiny, openView, own, prompt, status, tokenRows } from './page.ts';

const tensor = (name: string, vectors: number, width: number) => ({
  name,
  dtype: 'F32' as const,
  shape: [vectors, width],
  data: fromFloat32(
    Float32Array.from({ length: vectors * width }, (_, i) => Math.sin(i)),
    'F32',
  ),
});

const file = (name: string, bytes: Uint8Array) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(bytes),
});
const moody = (vectors = 2, width = clipTiny.hiddenSize) =>
  file('moody.safetensors', writeSafetensors([tensor('emb_params', vectors, width)]));

const input = (page: Page) => page.getByLabel('Open files…');
const list = (page: Page) => page.getByRole('list', { name: 'Textual inversions' });
const named = (page: Page) => page.getByRole('list', { name: 'Named in the prompt' });
const labels = (page: Page) => tokenRows(page).locator('td:nth-child(3)');

async function drop(page: Page, name: string, bytes: Uint8Array) {
  const transfer = await page.evaluateHandle(
    ([name, bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(bytes as number[])], name as string));
      return transfer;
    },
    [name, [...bytes]] as const,
  );
  await page.dispatchEvent('#prompts', 'drop', { dataTransfer: transfer });
}

test('a dropped embedding takes the rows of its name, in A1111 and in ComfyUI', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a (moody:1.2) cat');
  await expect(labels(page).nth(2)).toContainText('moody');
  await expect(named(page)).toHaveCount(0);

  await drop(page, 'moody.safetensors', moody().buffer);
  await expect(list(page).getByRole('listitem')).toContainText('moody');
  await expect(list(page)).toContainText('2 vectors');
  await expect(list(page).locator('code')).toHaveText('moody');
  await expect(labels(page)).toContainText(['BOS', 'a', 'moody·1', 'moody·2', 'cat', 'EOS', 'PAD']);
  await expect(named(page)).toContainText('Textual inversion moody · loaded');
  await expect(status(page)).toContainText('Ready');
  await openView(page, 'Attention');
  await expect(page.locator(`${own('matrix')} ${own('rows')} li`)).toHaveText([
    'BOS',
    'a',
    'moody·1',
    'moody·2',
    'cat',
    'EOS',
  ]);

  await page.getByRole('combobox', { name: 'Read as' }).selectOption('comfy');
  await expect(list(page).locator('code')).toHaveText('embedding:moody');
  await expect(named(page)).toHaveCount(0);
  await prompt(page).fill('a embedding:moody cat, embedding:absent');
  await openView(page, 'Tokens');
  await expect(labels(page)).toContainText(['BOS', 'a', 'moody·1', 'moody·2', 'cat']);
  await expect(named(page).getByRole('listitem')).toHaveText([
    /Textual inversion moody · loaded/,
    /Textual inversion absent · not loaded/,
  ]);

  await page.getByRole('combobox', { name: 'Read as' }).selectOption('compel');
  await expect(list(page).locator('code')).toHaveText('moody');
  await prompt(page).fill('a (moody)1.2 cat');
  await expect(labels(page)).toContainText(['BOS', 'a', 'moody·1', 'moody·2', 'cat', 'EOS', 'PAD']);
  await expect(named(page)).toContainText('Textual inversion moody · loaded');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('Compel takes the token that is in the file', async ({ page }) => {
  await openTiny(page);
  await page.getByRole('combobox', { name: 'Read as' }).selectOption('compel');
  await prompt(page).fill('a <cat-toy>++ house');
  const learned = writeSafetensors([tensor('<cat-toy>', 2, clipTiny.hiddenSize)]);
  await input(page).setInputFiles(file('learned_embeds.safetensors', learned));
  await expect(list(page).locator('code')).toHaveText('<cat-toy>');
  await expect(labels(page)).toContainText(['BOS', 'a', '<cat-toy>·1', '<cat-toy>·2', 'house', 'EOS']);
  await expect(named(page)).toContainText('Textual inversion <cat-toy> · loaded');
  await expect(status(page)).toContainText('Ready');
});

test('a file loaded again replaces the one before; removed, its name is text again', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a moody cat');
  await input(page).setInputFiles(moody());
  await expect(list(page)).toContainText('2 vectors');
  await input(page).setInputFiles(
    file(
      'moody.pt',
      torchBytes([tensor('*', 3, clipTiny.hiddenSize)], { within: (state) => new Map([['string_to_param', state]]) }),
    ),
  );
  await expect(list(page)).toContainText('3 vectors');
  await expect(list(page).getByRole('listitem')).toHaveCount(1);
  await expect(labels(page)).toContainText(['BOS', 'a', 'moody·1', 'moody·2', 'moody·3', 'cat']);
  await page.getByRole('button', { name: 'Remove moody' }).click();
  await expect(list(page)).toHaveCount(0);
  await expect(labels(page)).toContainText(['BOS', 'a', 'moody', 'cat', 'EOS']);
  await expect(status(page)).toContainText('Ready');
});

test('an embedding of another width is named and not used; one of another model is refused', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a moody cat');
  await input(page).setInputFiles(moody(2, 768));
  await expect(list(page)).toContainText('not used: 768 wide, the model is 64');
  await expect(labels(page)).toContainText(['BOS', 'a', 'moody', 'cat', 'EOS']);
  await expect(status(page)).toContainText('Ready');
  await input(page).setInputFiles(file('xl.safetensors', writeSafetensors([tensor('emb_params', 1, 1024)])));
  await expect(page.getByRole('alert')).toContainText(
    '"xl.safetensors" has vectors of width 1024, as for Stable Diffusion 2; expected 768',
  );
  await expect(list(page).getByRole('listitem')).toHaveCount(1);
});

/** Points at a value of the picture “After weighting” with the keyboard, and reads it off. */
async function weightedValue(page: Page, row: number, dimension: number): Promise<string> {
  const picture = page.getByRole('application', { name: 'After weighting' });
  await openView(page, 'Embeddings');
  await picture.focus();
  const keys = ['Home', 'PageUp', ...Array(row).fill('ArrowDown'), ...Array(dimension).fill('ArrowRight')];
  for (const key of keys) await picture.press(key);
  const readout = page.locator('#embeddings .readout');
  await expect(readout).toContainText(new RegExp(`Token ${row} .*, dimension ${dimension}:`));
  return readout.locator('[data-testid="value"]').nth(1).innerText();
}

for (const [composed, chunks] of [
  ['("a cat", "a dog").blend(0.7, 0.3)', 1],
  ['("a cat", "a dog").and(1, 0.5)', 2],
] as const)
  test(`${composed}: the panel shows the rows that the exported file has`, async ({ page }) => {
    await openTiny(page);
    await page.getByRole('combobox', { name: 'Read as' }).selectOption('compel');
    await prompt(page).fill(composed);
    await expect(status(page)).toContainText('Ready');
    const exporting = page.getByRole('region', { name: 'Export' });
    await openView(page, 'Export');
    await expect(exporting.getByRole('status', { name: 'Export' })).toHaveText('Ready');
    const downloaded = page.waitForEvent('download');
    await exporting.getByRole('button', { name: 'Download conditioning.safetensors' }).click();
    const bytes = new Uint8Array(readFileSync(await (await downloaded).path()));
    const { tensors } = await openSafetensors(memorySource(bytes));
    const tensor = tensors.get('prompt_embeds')!;
    expect(tensor.shape).toEqual([1, 77 * chunks, 64]);
    const exported = toFloat32(await tensor.read(), 'F32');

    await page.getByRole('radio', { name: /^Chunk 2/ }).check();
    const firstRow = (chunks - 1) * 77;
    const rows = page.getByRole('combobox', { name: 'Rows' });
    await openView(page, 'Embeddings');
    await expect(rows).toHaveValue('conditioning');
    for (const [row, dimension] of [
      [0, 0],
      [2, 1],
      [3, 5],
    ] as const)
      expect(await weightedValue(page, row, dimension)).toBe(
        exported[(firstRow + row) * 64 + dimension].toPrecision(6),
      );

    // The text by itself is another conditioning: that of "a dog".
    await rows.selectOption('text');
    await expect(rows.locator('option:checked')).toHaveText('“a dog” by itself');
    const alone = await weightedValue(page, 2, 1);
    expect(alone).not.toBe(exported[(firstRow + 2) * 64 + 1].toPrecision(6));
    await prompt(page).fill('a dog');
    await expect(rows).toHaveCount(0);
    await expect(page.locator('[data-stale]:visible')).toHaveCount(0);
    expect(await weightedValue(page, 2, 1)).toBe(alone);
  });
