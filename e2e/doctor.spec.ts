import { expect, type Page, test } from '@playwright/test';
import { clipTiny } from '../src/clip/config.ts';
import { expectedTensors, layerTensor, tokenEmbeddingName } from '../src/clip/weights.ts';
import { fromFloat32, toFloat32 } from '../src/files/dtypes.ts';
import { writeSafetensors } from '../src/files/safetensors.ts';
import { syntheticWeights } from '../src/models/synthetic.ts';
import { openTiny, openView, own, status } from './page.ts';

type Tensor = Parameters<typeof writeSafetensors>[0][number];

/** Makes a file of the tiny encoder with some tensors changed, left out (null) or added. */
async function checkpoint(
  name: string,
  change: (name: string, values: Float32Array<ArrayBuffer>) => Float32Array<ArrayBuffer> | null = (_, values) => values,
  added: readonly Tensor[] = [],
) {
  const weights = syntheticWeights(clipTiny, { dtype: 'F16' });
  const tensors: Tensor[] = [];
  for (const [name, shape] of expectedTensors(clipTiny)) {
    const values = change(name, toFloat32(await weights.read(name), 'F16'));
    if (values) tensors.push({ name, dtype: 'F16', shape, data: fromFloat32(values, 'F16') });
  }
  const buffer = Buffer.from(writeSafetensors([...tensors, ...added]));
  return { name, mimeType: 'application/octet-stream', buffer };
}

/** Position ids of merged checkpoints, where they were averaged in low precision. */
const brokenIds: Tensor = {
  name: 'text_model.embeddings.position_ids',
  dtype: 'F32',
  shape: [1, 77],
  data: fromFloat32(
    Float32Array.from({ length: 77 }, (_, i) => (i === 41 || i === 76 ? i - 0.25 : i)),
    'F32',
  ),
};
const extra: Tensor = { name: 'text_model.leftover', dtype: 'F32', shape: [1], data: new Uint8Array(4) };

const panel = (page: Page) => page.locator('#checkpoint');
const findings = (page: Page) => panel(page).getByRole('list', { name: 'Findings' }).locator(':scope > li');
const rows = (page: Page, name: string) =>
  panel(page).getByRole('region', { name }).getByRole('table').locator('tbody').getByRole('row');

test('the model in use is examined: broken position ids, an extra tensor, statistics and hash', async ({ page }) => {
  await openTiny(page);
  await openView(page, 'Checkpoint');
  await expect(panel(page).getByRole('button', { name: /^Examine (?!a file)/ })).toHaveCount(0);
  await page
    .getByLabel('Open files…')
    .setInputFiles(await checkpoint('merge.safetensors', undefined, [brokenIds, extra]));
  await expect(status(page)).toContainText('Ready: merge.safetensors');
  await expect(findings(page)).toHaveCount(0);
  await page.getByRole('link', { name: 'Checkpoint', exact: true }).click();
  await panel(page).getByRole('button', { name: 'Examine merge.safetensors' }).click();
  await expect(findings(page)).toHaveText([
    /Warning Broken position ids: .*2 ids are not their positions.*position 41: 40.75, truncated 40, rounded 41/,
    /Warning 2 positions collapse.*position 41 onto 40position 76 onto 75/,
    /Note 1 tensor beside the encoder’s.*text_model\.leftover/,
  ]);
  await expect(panel(page).locator('dd code').last()).toHaveText(/^[0-9a-f]{64}$/);
  await expect(rows(page, 'Tensors')).toHaveCount(36);
  await expect(rows(page, 'Tensors').first()).toContainText('embeddings.token_embedding.weight');
  await expect(rows(page, 'Tensors').first()).toContainText('[49408, 64]');
  const shape = panel(page).getByRole('columnheader', { name: 'Shape' });
  await shape.getByRole('button').click();
  await expect(shape).toHaveAttribute('aria-sort', 'descending');
  await shape.getByRole('button').click();
  await expect(shape).toHaveAttribute('aria-sort', 'ascending');
  await expect(rows(page, 'Tensors').first()).toContainText('[64]');
  await expect(rows(page, 'Tensors').last()).toContainText('[49408, 64]');
});

test('a file that cannot be loaded is examined, and the model in use stays', async ({ page }) => {
  await openTiny(page);
  const file = await checkpoint('damaged.safetensors', (name, values) => {
    if (name === 'text_model.final_layer_norm.bias') return null;
    return name === tokenEmbeddingName ? values.with(64 * 320 + 5, Number.NaN) : values;
  });
  await page.getByLabel('Open files…').setInputFiles(file);
  const refusal = page.getByRole('alert').filter({ hasText: 'lacks 1 of the 36 tensors' });
  await refusal.getByRole('button', { name: 'Examine it' }).click();
  await expect(refusal).toHaveCount(0);
  await expect(findings(page)).toHaveText([
    /Error 1 of the encoder’s 36 tensors are missing\.text_model\.final_layer_norm\.bias/,
    /Error NaN or infinity in 1 tensor.*token_embedding\.weight: 1 of 3162112 elements, the first NaN at \[320, 5\]/,
  ]);
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await panel(page).getByRole('button', { name: 'Close' }).click();
  await expect(findings(page)).toHaveCount(0);

  await panel(page)
    .getByLabel('Examine a file…')
    .setInputFiles({ name: 'x.bin', mimeType: '', buffer: Buffer.from('<html>not a model</html>') });
  await expect(panel(page).getByRole('alert')).toContainText('"x.bin" is a web page');
});

test('drift between two encoders, layer by layer', async ({ page }) => {
  await openTiny(page);
  await openView(page, 'Checkpoint');
  await panel(page)
    .getByLabel('Examine a file…')
    .setInputFiles(await checkpoint('a.safetensors'));
  await expect(panel(page).getByText('All 36 tensors are there')).toBeVisible();
  const compare = panel(page).getByLabel('Compare with…');
  const moved = layerTensor(1, 'mlp.fc1.weight');
  await compare.setInputFiles(
    await checkpoint('b.safetensors', (name, values) => (name === moved ? values.map((x) => 1.5 * x) : values)),
  );
  const parts = panel(page).getByRole('table', { name: 'Drift by layer' }).locator('tbody').getByRole('row');
  await expect(parts).toHaveText([/^Embeddings0 %$/, /^Layer 10 %$/, /^Layer 2[\d.]+ %$/, /^Final LayerNorm0 %$/]);
  const width = await parts
    .nth(2)
    .locator(`${own('share')} span`)
    .evaluate((bar) => (bar as HTMLElement).style.inlineSize);
  expect(width).toBe('100%');
  await panel(page)
    .getByRole('region', { name: 'Drift by tensor' })
    .getByRole('button', { name: '‖A − B‖ / ‖A‖' })
    .click();
  await expect(rows(page, 'Drift by tensor').first()).toHaveText(/layers\.1\.mlp\.fc1\.weight50 %/);

  await compare.setInputFiles(await checkpoint('c.safetensors'));
  await expect(panel(page).getByText('are the same, number for number')).toBeVisible();
});

test('a long file name keeps within a narrow page', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 800 });
  await openTiny(page);
  const name = `${'a_merge_of_many_checkpoints_'.repeat(4)}v12.safetensors`;
  await page.getByLabel('Open files…').setInputFiles(await checkpoint(name));
  await expect(status(page)).toContainText('Ready: a_merge');
  await openView(page, 'Checkpoint');
  await panel(page)
    .getByRole('button', { name: `Examine ${name}` })
    .click();
  await expect(rows(page, 'Tensors')).toHaveCount(36);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
});
