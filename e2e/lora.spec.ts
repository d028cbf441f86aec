import { readFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { clipTiny } from '../src/clip/config.ts';
import { openSafetensors, writeSafetensors } from '../src/files/safetensors.ts';
import { memorySource } from '../src/files/testing/memorySource.ts';
import { negativePrompt, openTiny, openView, prompt, status } from './page.ts';

const { hiddenSize: d, intermediateSize: m } = clipTiny;
const waves = (n: number, seed: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898 + seed) / 4);
const tensor = (name: string, shape: readonly number[], data: Float32Array<ArrayBuffer>) => ({
  name,
  dtype: 'F32' as const,
  shape,
  data,
});

/** Makes a LoRA in kohya's names: Q of the first layer and fc1 of the second, of rank 2, and a tensor of the U-Net. */
function kohyaLora(): Buffer {
  const layer = (part: string) => `lora_te_text_model_encoder_layers_${part}`;
  return Buffer.from(
    writeSafetensors([
      tensor(`${layer('0_self_attn_q_proj')}.lora_down.weight`, [2, d], waves(2 * d, 1)),
      tensor(`${layer('0_self_attn_q_proj')}.lora_up.weight`, [d, 2], waves(d * 2, 2)),
      tensor(`${layer('0_self_attn_q_proj')}.alpha`, [], Float32Array.of(1)),
      tensor(`${layer('1_mlp_fc1')}.lora_down.weight`, [2, d], waves(2 * d, 3)),
      tensor(`${layer('1_mlp_fc1')}.lora_up.weight`, [m, 2], waves(m * 2, 4)),
      tensor('lora_unet_down_blocks_0_proj_in.lora_down.weight', [2, 8], waves(16, 5)),
    ]),
  );
}

/** Reads one number of the embeddings after weighting, to six digits. */
async function shownNumber(page: Page): Promise<string> {
  const picture = page.getByRole('application', { name: /^After weighting/ });
  await openView(page, 'Embeddings');
  await picture.focus();
  for (const key of ['Home', 'PageUp', 'ArrowDown', 'ArrowDown', 'ArrowRight']) await picture.press(key);
  const readout = page.locator('#embeddings .readout');
  await expect(readout).toContainText('Token 2 red, dimension 1:');
  return (await readout.locator('[data-testid="value"]').nth(1).textContent()) ?? '';
}
const ready = (page: Page) => expect(status(page)).toHaveText(/^Ready: made-up weights, tiny/);
const list = (page: Page) => page.getByRole('list', { name: 'LoRAs' });
const named = (page: Page) => page.getByRole('list', { name: 'Named in the prompt', exact: true });

test('a dropped LoRA is merged while the prompt names it, and leaves no trace', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a red car');
  await ready(page);
  await openView(page, 'Embeddings');
  const before = await shownNumber(page);

  const drop = await page.evaluateHandle(
    (bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], 'style.safetensors'));
      return transfer;
    },
    [...kohyaLora()],
  );
  await page.dispatchEvent('#prompts', 'dragover', { dataTransfer: drop });
  await page.dispatchEvent('#prompts', 'drop', { dataTransfer: drop });
  await expect(list(page)).toContainText('rank 2');
  await expect(list(page)).toContainText('Not merged: write <lora:style:1> in the prompt');
  await expect(list(page)).toContainText('Left out: 1 tensor of the image model.');
  const rows = list(page)
    .getByRole('table', { name: 'Change of each layer by style' })
    .locator('tbody')
    .getByRole('row');
  await expect(rows).toHaveText([/^1[\d.]+ %[\d.]+ %(unchanged){5}$/, /^2[\d.]+ %(unchanged){4}[\d.]+ %unchanged$/]);
  expect(await shownNumber(page)).toBe(before);

  await prompt(page).fill('a red car <lora:style:1>');
  await expect(named(page)).toHaveText('LoRA style 1 · merged');
  await expect(list(page)).toContainText('Merged × 1');
  await ready(page);
  const merged = await shownNumber(page);
  expect(merged).not.toBe(before);

  // No earlier output is reused: the next prompt is encoded with the weights as they are now.
  await prompt(page).fill('the red car');
  await ready(page);
  await prompt(page).fill('the red car <lora:style:1>');
  await ready(page);
  await prompt(page).fill('a red car <lora:style:0.5>');
  await ready(page);
  expect([before, merged]).not.toContain(await shownNumber(page));
  await prompt(page).fill('a red car <lora:style:1>');
  await ready(page);
  expect(await shownNumber(page)).toBe(merged);

  await prompt(page).fill('a red car');
  await expect(named(page)).toHaveCount(0);
  await ready(page);
  expect(await shownNumber(page)).toBe(before);

  // The LoRA is read again for another model, whose numbers are not cached.
  await page.getByRole('combobox', { name: 'Model' }).selectOption('full');
  await expect(list(page)).toContainText('expected [768, 768]');
  await page.getByRole('combobox', { name: 'Model' }).selectOption('tiny');
  await expect(list(page)).toContainText('Not merged');
  await ready(page);
  expect(await shownNumber(page)).toBe(before);
  await prompt(page).fill('a red car <lora:style:1>');
  await expect(list(page)).toContainText('Merged × 1');
  await ready(page);
  expect(await shownNumber(page)).toBe(merged);
  await page.getByRole('button', { name: 'Remove LoRA style' }).click();
  await expect(list(page)).toHaveCount(0);
  await expect(named(page)).toHaveText('LoRA style 1 · not loaded: open its file');
  await ready(page);
  expect(await shownNumber(page)).toBe(before);
});

/** Exports the conditioning of both prompts, to the bit. */
async function exported(page: Page): Promise<Buffer> {
  await openView(page, 'Export');
  const panel = page.getByRole('region', { name: 'Export' });
  await expect(panel.getByRole('status', { name: 'Export' })).toHaveText('Ready');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download conditioning.safetensors' }).click();
  return readFileSync(await (await download).path());
}

for (const engine of ['automatic', 'webgpu'] as const)
  test(`what is encoded after a LoRA was merged is to the bit what it is without (${engine})`, async ({ page }) => {
    await openTiny(page, engine);
    await prompt(page).fill('a blue boat');
    await negativePrompt(page).fill('fog');
    await ready(page);
    await openView(page, 'Export');
    const never = await exported(page);

    await prompt(page).fill('a red car <lora:style:1>');
    await negativePrompt(page).fill('');
    await page.reload();
    await ready(page);
    await negativePrompt(page).fill('fog');
    await page
      .getByLabel('Open files…')
      .setInputFiles({ name: 'style.safetensors', mimeType: 'application/octet-stream', buffer: kohyaLora() });
    await expect(list(page)).toContainText('Merged × 1');
    await ready(page);
    const embeds = async (bytes: Buffer) => {
      const { tensors } = await openSafetensors(memorySource(new Uint8Array(bytes)));
      return Promise.all(['prompt_embeds', 'negative_prompt_embeds'].map((name) => tensors.get(name)!.read()));
    };
    await openView(page, 'Export');
    const [, negative] = await embeds(await exported(page));
    const [originalPrompt, originalNegative] = await embeds(never);
    // A1111 encodes the negative prompt with the prompt's LoRAs, too.
    expect(negative).not.toEqual(originalNegative);

    // A prompt whose output the page cannot have cached, since the reload emptied the cache.
    await prompt(page).fill('a blue boat');
    await ready(page);
    const [afterPrompt, afterNegative] = await embeds(await exported(page));
    expect(afterPrompt).toEqual(originalPrompt);
    expect(afterNegative).toEqual(originalNegative);
  });

test('a LoRA that cannot be used is called by its fault; a tag in the negative prompt is text, and nothing is merged', async ({
  page,
}) => {
  await openTiny(page);
  const name = 'lora_te_text_model_encoder_layers_0_mlp_fc1';
  const vera = writeSafetensors([tensor(`${name}.vera_lambda_d`, [d], waves(d, 1))]);
  const open = (file: string, buffer: Buffer) =>
    page.getByLabel('Open files…').setInputFiles({ name: file, mimeType: 'application/octet-stream', buffer });
  await open('vera.safetensors', Buffer.from(vera));
  await expect(page.getByRole('alert')).toContainText('"vera.safetensors" changes the text encoder by VeRA');
  await expect(list(page)).toHaveCount(0);

  await open('style.safetensors', kohyaLora());
  await negativePrompt(page).fill('<lora:style:1> fog');
  await expect(page.getByText(/A1111 takes networks from the positive prompt alone/).first()).toBeVisible();
  await expect(list(page)).toContainText('Not merged');
});
