import { expect, type Page, test } from '@playwright/test';
import { clipTiny } from '../src/clip/config.ts';
import { checkpointBytes } from '../src/models/testing/checkpoints.ts';
import { openTiny, openView, own, prompt, status } from './page.ts';

const models = (page: Page) => page.getByRole('region', { name: 'Models' });
const stored = (page: Page) => page.getByRole('list', { name: 'Stored models' });
const keep = (page: Page) => page.getByRole('button', { name: 'Keep in this browser (6.5 MB)' });
const openModels = (page: Page) => page.getByRole('button', { name: 'Get or delete models…' }).click();

/** Opens a whole checkpoint from disk, which holds more than the encoder. */
async function openFromDisk(page: Page, name = 'mine.safetensors') {
  const size = 2_000_000;
  const unet = { name: 'model.diffusion_model.big', dtype: 'F16', shape: [size / 2], data: () => new Uint8Array(size) };
  const file = await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'ldm', extra: [unet] as never });
  await page
    .getByLabel('Open files…')
    .setInputFiles({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(file) });
  await expect(status(page)).toContainText(`Ready: ${name}`);
}

test('a checkpoint from disk that is kept is there on the next visit, and can be deleted', async ({ page }) => {
  await openTiny(page);
  await expect(keep(page)).toHaveCount(0);
  await openFromDisk(page);
  await keep(page).click();
  await expect(page.getByText('Kept in this browser', { exact: true })).toBeVisible();
  await expect(keep(page)).toHaveCount(0);
  await expect(page.getByRole('combobox', { name: 'Model', exact: true }).locator('option:checked')).toHaveText(
    'mine.safetensors',
  );
  // The output of before is still shown: nothing was loaded again.
  await expect(status(page)).toContainText('Ready: mine.safetensors');

  await page.reload();
  await expect(status(page)).toContainText('Ready: mine.safetensors');
  await expect(page.locator('#encoder')).toContainText('16-bit numbers');
  await openModels(page);
  await expect(stored(page).getByRole('listitem')).toHaveText(/^mine\.safetensors6\.5 MB · .* · from a fileIn use/);

  // Equal weights are not stored twice, whatever their file's name.
  await openFromDisk(page, 'again.safetensors');
  await expect(page.getByText('Kept in this browser', { exact: true })).toBeVisible();
  await expect(keep(page)).toHaveCount(0);

  await page.getByRole('button', { name: 'Delete mine.safetensors' }).click();
  await page.getByRole('button', { name: 'Yes, delete' }).click();
  await expect(models(page)).toContainText('None yet.');
  await expect(models(page).getByRole('button', { name: 'Keep (6.5 MB): again.safetensors' })).toBeVisible();
  await page.reload();
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('where the browser has no room for it, one sentence says so and the model in use stays', async ({
  page,
  baseURL,
}) => {
  await openTiny(page);
  await openFromDisk(page);
  const devtools = await page.context().newCDPSession(page);
  const { origin } = new URL(baseURL!);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 3_000_000 });
  await keep(page).click();
  const alert = page.getByRole('alert');
  await expect(alert).toContainText(/^The browser .* but "mine\.safetensors" needs another \d\.\d MB; delete/);
  await prompt(page).fill('a blue car');
  await openView(page, 'Attention');
  await expect(page.locator(`${own('matrix')} ${own('rows')} li`)).toHaveText(['BOS', 'a', 'blue', 'car', 'EOS']);
  await page.getByRole('button', { name: 'Delete stored models…' }).click();
  await expect(models(page)).toContainText('None yet.');
  await devtools.send('Storage.overrideQuotaForOrigin', { origin });
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(stored(page)).toContainText('In use');
  await expect(alert).toHaveCount(0);
});

test('a model that another tab deleted is one sentence, and no longer offered', async ({ page, context }) => {
  await openTiny(page);
  await openFromDisk(page);
  await keep(page).click();
  await expect(page.getByText('Kept in this browser', { exact: true })).toBeVisible();
  const other = await context.newPage();
  await other.goto('/');
  await expect(status(other)).toContainText('Ready: mine.safetensors');
  await page.getByRole('combobox', { name: 'Model', exact: true }).selectOption({ label: 'Made-up weights, tiny' });
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await openModels(page);
  await expect(page.getByRole('button', { name: 'Use mine.safetensors' })).toBeVisible();

  await openModels(other);
  await other.getByRole('button', { name: 'Delete mine.safetensors' }).click();
  await other.getByRole('button', { name: 'Yes, delete' }).click();
  await expect(models(other)).toContainText('None yet.');
  await prompt(other).fill('a blue car');
  await openView(other, 'Attention');
  await expect(other.locator(`${own('matrix')} ${own('rows')} li`)).toHaveText(['BOS', 'a', 'blue', 'car', 'EOS']);
  await expect(other.getByRole('alert')).toHaveCount(0);

  await page.getByRole('button', { name: 'Use mine.safetensors' }).click();
  await expect(page.getByRole('alert')).toHaveCount(1);
  await expect(page.getByRole('alert')).toContainText(
    '"mine.safetensors" is no longer stored in this browser; download or open it again.',
  );
  await expect(models(page)).toContainText('None yet.');
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
});
