import { rmSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { clipTiny, clipVitL14 } from '../src/clip/config.ts';
import { checkpointBytes, writeCheckpointFile } from '../src/models/testing/checkpoints.ts';
import { encodingCost, openTiny, openView, own, prompt, status, statusHistory, tokenRows } from './page.ts';

const file = (page: import('@playwright/test').Page) => page.getByLabel('Open files…');

/** Has the page start with made-up weights of full size, which take a while to load and to encode. */
const startFull = (page: import('@playwright/test').Page) =>
  page.addInitScript(() => {
    localStorage.clipscope ??= JSON.stringify({ syntheticSize: 'full' });
  });

test('the full-size synthetic encoder says that its weights are random', async ({ page }) => {
  await startFull(page);
  await page.goto('/');
  await expect(status(page)).toHaveText('Ready: made-up weights, full size');
  await expect(page.getByText('mean nothing until you open a checkpoint')).toBeVisible();
  await openView(page, 'Attention');
  await expect(page.getByText('12 layers × 12 heads')).toBeVisible();
  await expect(page.locator('#encoder')).toContainText(/32-bit numbers · \d+ MB of memory/);
});

test('what is typed while the padding is computed stops it', async ({ page }) => {
  await page.addInitScript(() => {
    const heard: string[] = [];
    const Plain = Worker;
    window.Worker = class extends Plain {
      constructor(...of: ConstructorParameters<typeof Worker>) {
        super(...of);
        this.addEventListener('message', ({ data }) => {
          heard.push(data.type === 'failed' ? data.name : data.type);
          // The page itself hears of it first.
          if (data.type === 'news') setTimeout(() => dispatchEvent(new Event('news')));
        });
      }
    };
    Object.assign(window, { heard });
  });
  await startFull(page);
  const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard.splice(0));
  await page.goto('/');
  await expect(status(page)).toContainText('Ready');
  await heard();
  // The page itself types on as soon as there is news: the padding may be done before keys from here arrive.
  await prompt(page).evaluate((editor) =>
    addEventListener(
      'news',
      () => {
        (editor as HTMLElement).focus();
        document.execCommand('selectAll');
        document.execCommand('insertText', false, 'a red car');
      },
      { once: true },
    ),
  );
  await prompt(page).fill('a red cat');
  await expect(prompt(page)).toHaveText('a red car');
  await expect(status(page)).toContainText('Ready: ');
  // The rows up to EOS are news; the answer has all rows.
  expect(await heard()).toEqual(['news', 'AbortError', 'news', 'answer']);
  // Three rows were cached, and the others are not waited for.
  await expect(encodingCost(page)).toContainText('74 of this chunk’s 77 rows');
});

test('a full-size F16 checkpoint in the LDM layout loads, with progress, and encodes', async ({ page }, info) => {
  const path = info.outputPath('v1-5-pruned.safetensors');
  await writeCheckpointFile(path, { config: clipVitL14, dtype: 'F16', layout: 'ldm' });
  await openTiny(page);
  const history = await statusHistory(page);
  await file(page).setInputFiles(path);
  await expect(status(page)).toHaveText('Ready: v1-5-pruned.safetensors');
  expect((await history()).some((text) => /^Loading v1-5-pruned\.safetensors \d+ %$/.test(text))).toBe(true);
  await expect(page.locator('#encoder')).toContainText('16-bit numbers');
  await expect(page.getByText('mean nothing until')).toHaveCount(0);
  await openView(page, 'Attention');
  await expect(page.getByText('12 layers × 12 heads')).toBeVisible();
  await expect(page.getByRole('combobox', { name: 'Model' })).toHaveValue('file');

  // The model select switches back again.
  await page.getByRole('combobox', { name: 'Model' }).selectOption('tiny');
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await expect(page.getByRole('option', { name: 'v1-5-pruned.safetensors' })).toHaveCount(1);
  rmSync(path);
});

test('a corrupt file is called by its fault, and the model in use goes on working', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a red car');
  const whole = Buffer.from(await checkpointBytes({ config: clipTiny, dtype: 'F32', layout: 'hf' }));
  // The message is in sight wherever the page is scrolled.
  await tokenRows(page).last().getByRole('button', { name: 'Expand' }).click();
  await tokenRows(page).last().scrollIntoViewIfNeeded();
  await file(page).setInputFiles({
    name: 'cut.safetensors',
    mimeType: 'application/octet-stream',
    buffer: whole.subarray(0, whole.length / 2),
  });
  const notice = page.getByRole('alert');
  await expect(notice).toContainText('"cut.safetensors" is cut off');
  await expect(page.getByRole('combobox', { name: 'Model' })).not.toBeInViewport();
  await expect(notice).toBeInViewport({ ratio: 1 });
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await expect(page.getByRole('combobox', { name: 'Model' })).toHaveValue('tiny');
  await expect(prompt(page)).toHaveText('a red car');
  await prompt(page).fill('a blue car');
  await openView(page, 'Attention');
  await expect(page.locator(`${own('matrix')} ${own('rows')} li`)).toHaveText(['BOS', 'a', 'blue', 'car', 'EOS']);
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await notice.getByRole('button', { name: 'Dismiss' }).click();
  await expect(notice).toHaveCount(0);

  // Long-CLIP has 248 positions: 100 tokens are one chunk of it, and two of the encoder before.
  const long = { ...clipTiny, maxPositionEmbeddings: 248 };
  const buffer = Buffer.from(await checkpointBytes({ config: long, dtype: 'F16', layout: 'hf' }));
  await prompt(page).fill(Array(100).fill('cat').join(' '));
  await expect(page.getByText('100 tokens in 2 chunks').first()).toBeVisible();
  await file(page).setInputFiles({ name: 'long.safetensors', mimeType: 'application/octet-stream', buffer });
  await expect(status(page)).toHaveText('Ready: long.safetensors');
  await expect(page.getByText('100 / 246 tokens').first()).toBeVisible();
  await expect(page.locator('#encoder')).toContainText('248 positions: each program’s chunks hold 246 tokens here');
  await expect(page.getByRole('img', { name: /attention of 102 queries/ }).first()).toBeVisible();
  await openView(page, 'Export');
  await expect(page.locator('#export')).toContainText('prompt_embeds[1, 248, 64]');
  await expect(page.locator('#export')).toContainText('The chunks have 248 rows');
  await openView(page, 'Lecture');
  await page.evaluate(() => location.assign('#view=lecture&lesson=length'));
  await expect(page.getByText('Token 249 would need row 248 of this table')).toBeVisible();
});

test('a load can be cancelled', async ({ page }) => {
  await openTiny(page);
  await page.getByRole('combobox', { name: 'Model' }).selectOption('full');
  // The button is there for as long as the load takes, which a click that waits for frames may miss.
  await page.getByRole('button', { name: 'Cancel' }).dispatchEvent('click');
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await expect(page.getByRole('combobox', { name: 'Model' })).toHaveValue('tiny');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a first load that was cancelled can be begun again', async ({ page }) => {
  await startFull(page);
  await page.goto('/', { waitUntil: 'commit' });
  await page.getByRole('button', { name: 'Cancel' }).dispatchEvent('click');
  await expect(status(page)).toHaveText('No model loaded');
  await page.getByRole('button', { name: 'Load these weights' }).click();
  await expect(status(page)).toContainText('Ready: made-up weights, full size');
  await expect(page.getByRole('button', { name: 'Load these weights' })).toHaveCount(0);
});

test('a file dropped anywhere on the page is opened', async ({ page }) => {
  await openTiny(page);
  const drop = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['PK\u0003\u0004'], 'model.zip'));
    return transfer;
  });
  await page.dispatchEvent('#prompts', 'dragover', { dataTransfer: drop });
  await expect(page.getByText('Drop to open')).toBeVisible();
  await page.dispatchEvent('#prompts', 'drop', { dataTransfer: drop });
  await expect(page.getByRole('alert')).toContainText('model.zip');
  await expect(page.getByText('Drop to open')).toHaveCount(0);
});
