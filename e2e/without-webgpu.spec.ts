import { expect, type Page, test } from '@playwright/test';
import { clipTiny } from '../src/clip/config.ts';
import { writeSafetensors } from '../src/files/safetensors.ts';
import { checkpointBytes } from '../src/models/testing/checkpoints.ts';
import { openOptions, openTiny, openView, pixel, prompt, status, tokenRows, withoutWebGpu } from './page.ts';

const encoder = (page: Page) => page.locator('#encoder');
const ready = (page: Page) => expect(status(page)).toHaveText(/^Ready: /);
const file = (name: string, bytes: Uint8Array) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(bytes),
});

/** A LoRA “style” of one matrix. */
function lora() {
  const { hiddenSize: d, intermediateSize: m } = clipTiny;
  const matrix = (part: string, shape: readonly number[]) => ({
    name: `lora_te_text_model_encoder_layers_1_mlp_fc1.lora_${part}.weight`,
    dtype: 'F32' as const,
    shape,
    data: new Float32Array(shape[0] * shape[1]).fill(0.1),
  });
  return file('style.safetensors', writeSafetensors([matrix('down', [1, d]), matrix('up', [m, 1])]));
}

let failures: string[];
test.beforeEach(async ({ page }) => {
  failures = [];
  page.on('pageerror', ({ message }) => failures.push(message));
  await withoutWebGpu(page);
  await openTiny(page);
});
test.afterEach(() => expect(failures).toEqual([]));

test('without WebGPU the page says in one sentence what it runs on, and nothing alarms', async ({ page }) => {
  await expect(encoder(page)).toContainText(
    'This browser has no WebGPU, so the encoder runs on the CPU with 1 thread.',
  );
  const line = page.getByText(/^Runs on the CPU, 1 thread · 32-bit numbers · [\d.]+ [kM]B of memory$/);
  await expect(line).toHaveAccessibleDescription(/^CPU, 1 thread, (relaxed )?SIMD · F32 · [\d.]+ [kM]B held$/);
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('without WebGPU: tokens, masks, attention, embeddings, methods and the anatomy', async ({ page }) => {
  await prompt(page).fill('a (red:1.3) car');
  await ready(page);
  await expect(tokenRows(page).nth(2)).toContainText('1.3');
  await openOptions(page);
  await page.getByRole('combobox', { name: 'Mask' }).selectOption('hf');
  await ready(page);
  await expect(tokenRows(page).last().getByRole('cell').last()).toHaveText('0');
  await openView(page, 'Masks');
  const product = page.locator('#masks').getByRole('img', { name: /^Product/ });
  await expect.poll(async () => (await pixel(product, 20, 60))[3]).toBe(0);
  expect((await pixel(product, 2, 60))[3]).toBe(255);
  await openView(page, 'Attention');
  await expect(page.locator('#attention').getByRole('application').first()).toBeVisible();
  await openView(page, 'Embeddings');
  const after = page.getByRole('application', { name: /^After weighting/ });
  await after.focus();
  await after.press('ArrowDown');
  await expect(page.locator('#embeddings .readout')).toContainText('dimension');
  await openView(page, 'Sweep');
  await expect(page.getByRole('table', { name: /^Every method at a weight of/ })).toBeVisible();
  await openView(page, 'Anatomy');
  await expect(page.locator('#anatomy').getByTestId('cell-value')).toBeVisible();
  await openView(page, 'Speed');
  await page.getByRole('button', { name: 'Time a whole pass' }).click();
  await expect(page.getByRole('table', { name: 'Stages' })).toBeVisible();
});

test('without WebGPU: a LoRA, a checkpoint from disk, and an export', async ({ page }) => {
  const input = page.getByLabel('Open files…');
  await input.setInputFiles(lora());
  await prompt(page).fill('a red car <lora:style:1>');
  const loras = page.getByRole('list', { name: 'LoRAs' });
  await expect(loras).toContainText('Merged × 1');
  await input.setInputFiles(
    file('mine.safetensors', await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'ldm' })),
  );
  await expect(status(page)).toHaveText('Ready: mine.safetensors');
  await expect(encoder(page)).toContainText('CPU, 1 thread · 16-bit numbers');
  await expect(loras).toContainText('Merged × 1');
  await openView(page, 'Export');
  await expect(page.getByRole('status', { name: 'Export' })).toHaveText('Ready');
});

test('the engine is chosen by keyboard, and kept', async ({ page }) => {
  const engine = page.getByRole('combobox', { name: 'Engine' });
  await engine.focus();
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('alert').filter({ hasText: 'This browser has no WebGPU; use' })).toBeVisible();
  // The model stays, and the choice with it.
  await expect(engine).toHaveValue('automatic');
  await ready(page);
  await engine.selectOption({ label: 'CPU' });
  await expect(engine).toHaveValue('cpu');
  const threads = page.getByRole('combobox', { name: 'Threads' });
  const most = await threads.getByRole('option').last().textContent();
  await expect(threads).toHaveValue(most!);
  await threads.selectOption('1');
  await ready(page);
  await page.reload();
  await ready(page);
  await expect(engine).toHaveValue('cpu');
  await expect(threads).toHaveValue('1');
});
