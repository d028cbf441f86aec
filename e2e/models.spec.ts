import { expect, type Page, test } from '@playwright/test';
import { clipTiny } from '../src/clip/config.ts';
import { checkpointBytes } from '../src/models/testing/checkpoints.ts';
import { type Fault, type FaultyServer, startFaultyServer } from '../src/models/testing/faultyServer.ts';
import { openTiny, openView, own, prompt, status, strayed } from './page.ts';

const models = (page: Page) => page.getByRole('region', { name: 'Models' });
const downloads = (page: Page) => page.getByRole('list', { name: 'Downloads' });
const stored = (page: Page) => page.getByRole('list', { name: 'Stored models' });
const choice = (page: Page) => page.getByRole('combobox', { name: 'Model', exact: true });

let server: FaultyServer | undefined;
/** The fault in the answers to requests from here on. */
let fault: Fault = {};
test.afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Serves a file of the tiny encoder. */
async function serve(file: Uint8Array): Promise<string> {
  fault = {};
  // The first request, for the first bytes of the file, succeeds.
  server = await startFaultyServer(file, (request) => (request === 0 ? { ...fault, stallAfter: undefined } : fault));
  return server.origin;
}
const tiny = () => checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'hf-bare' });

/** Opens the page that may connect to any address, with the tiny model. */
const openForAnyAddress = (page: Page) => openTiny(page, undefined, '/any-address.html');

async function download(page: Page, address: string) {
  if (!(await models(page).isVisible())) await page.getByRole('button', { name: 'Get or delete models…' }).click();
  await page.getByRole('textbox', { name: 'Another address' }).fill(address);
  await models(page).getByRole('button', { name: 'Download', exact: true }).click();
}

test('sizes are said before a download, and nothing is fetched without a click', async ({ page }) => {
  const elsewhere: string[] = [];
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).hostname !== 'localhost')
      elsewhere.push(request.url());
  });
  await openTiny(page);
  await expect(page.getByRole('button', { name: 'Download SD 1.5 text encoder (246 MB)' })).toBeVisible();
  await page.getByRole('button', { name: 'Get or delete models…' }).click();
  await expect(
    models(page).getByRole('button', { name: 'Download 246 MB: SD 1.5 text encoder, 16 bit' }),
  ).toBeVisible();
  await expect(
    models(page).getByRole('button', { name: 'Download 492 MB: SD 1.5 text encoder, 32 bit' }),
  ).toBeVisible();
  await expect(models(page)).toContainText('None yet.');
  await download(page, 'model.safetensors');
  const refusal = models(page).getByRole('alert');
  await expect(refusal).toHaveText('Give the address of a file, beginning with https://.');
  await expect(page.getByRole('textbox', { name: 'Another address' })).toHaveAccessibleDescription(
    /^Give the address of a file, beginning with https:\/\/\. A \.safetensors file/,
  );
  await expect(downloads(page)).toHaveCount(0);

  // This page may not connect to other hosts, and says where one can.
  const address = 'https://example.org/models/a%20b.safetensors?key=1';
  await download(page, address);
  await expect(models(page).getByRole('alert')).toContainText('example.org was not asked.');
  await models(page).getByRole('link', { name: 'Open that page' }).click();
  await expect(page).toHaveURL(/\/any-address\.html#address=/);
  await expect(page.getByRole('textbox', { name: 'Another address' })).toHaveValue(address);
  await expect(models(page)).toContainText('This page may connect to any address.');
  expect(elsewhere).toEqual([]);
});

test('a download shows its progress, is used when it is whole, and is there without a network on the next visit', async ({
  page,
}) => {
  const file = await tiny();
  const address = `${await serve(file)}/text_encoder/model.safetensors`;
  fault = { stallAfter: 2_000_000, delay: 4 };
  await openForAnyAddress(page);
  await download(page, address);
  await expect(downloads(page)).toContainText(/^model\.safetensors[12]\.\d of 6\.5 MB · /);
  // The model in use goes on working meanwhile.
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await prompt(page).fill('a blue car');
  await openView(page, 'Attention');
  await expect(page.locator(`${own('matrix')} ${own('rows')} li`)).toHaveText(['BOS', 'a', 'blue', 'car', 'EOS']);

  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(downloads(page)).toContainText('Paused. The part that is downloaded is kept.');
  const before = server!.asked.reduce((sum, { sent }) => sum + sent, 0);
  fault = {};
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(status(page)).toHaveText('Ready: model.safetensors');
  await expect(downloads(page)).toHaveCount(0);
  // Bytes that had arrived are not fetched again, apart from the first bytes and those that were on their way.
  const after = server!.asked.reduce((sum, { sent }) => sum + sent, 0);
  expect(after - before).toBeLessThan(file.length - 900_000);
  await expect(stored(page)).toContainText('In use');
  await expect(stored(page)).toContainText('6.5 MB');
  await expect(choice(page).locator('option:checked')).toHaveText('model.safetensors');

  await server!.close();
  await page.reload();
  await expect(status(page)).toHaveText('Ready: model.safetensors');
  await expect(page.locator('#encoder')).toContainText('16-bit numbers');
});

test('a second tab that downloads the same file is told, and the first goes on', async ({ page, context }) => {
  const address = `${await serve(await tiny())}/model.safetensors`;
  fault = { stallAfter: 2_000_000, delay: 4 };
  await openForAnyAddress(page);
  await download(page, address);
  await expect(downloads(page)).toContainText(/[12]\.\d of 6\.5 MB/);
  const other = await context.newPage();
  await openForAnyAddress(other);
  await download(other, address);
  await expect(downloads(other).getByRole('alert')).toHaveText(
    /^"model\.safetensors" is being written by another download or tab; wait for it or stop it first\./,
  );
  await expect(status(other)).toHaveText('Ready: made-up weights, tiny');
  await page.bringToFront();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(downloads(page)).toContainText('Paused');
  fault = {};
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(status(page)).toContainText('Ready: model.safetensors');
});

test('a part of an earlier visit can be gone on with', async ({ page }) => {
  const address = `${await serve(await tiny())}/model.safetensors`;
  fault = { stallAfter: 2_000_000, delay: 4 };
  await openForAnyAddress(page);
  await download(page, address);
  await expect(downloads(page)).toContainText(/[12]\.\d of 6\.5 MB/);
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(downloads(page)).toContainText('Paused');
  fault = {};
  await page.reload();
  await page.getByRole('button', { name: 'Get or delete models…' }).click();
  await expect(stored(page)).toContainText(/Not complete: [12]\.\d MB of 6\.5 MB/);
  await page.getByRole('button', { name: 'Go on with model.safetensors' }).click();
  await expect(status(page)).toContainText('Ready: model.safetensors');
});

test('of a whole checkpoint only the text encoder is fetched', async ({ page }) => {
  const size = 40_000_000;
  const unet = { name: 'model.diffusion_model.big', dtype: 'F16', shape: [size / 2], data: () => new Uint8Array(size) };
  const file = await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'ldm', extra: [unet] as never });
  await openForAnyAddress(page);
  await download(page, `${await serve(file)}/v1-5-pruned.safetensors`);
  await expect(status(page)).toContainText('Ready: v1-5-pruned.safetensors');
  const sent = server!.asked.reduce((sum, { sent }) => sum + sent, 0);
  expect(file.length).toBeGreaterThan(46_000_000);
  expect(sent).toBeLessThan(7_500_000);
  await expect(stored(page)).toContainText('6.5 MB');
});

const faults: readonly (readonly [string, Fault, string])[] = [
  ['a web page', { body: new TextEncoder().encode('<!doctype html><title>Sign in</title>') }, 'web page'],
  ['a missing file', { status: 404 }, 'There is no file at'],
  ['a gated file', { status: 401 }, 'is not open to everyone (401)'],
  ['a file cut off', { claims: 5_000_000 }, 'cut off'],
];
for (const [name, how, sentence] of faults)
  test(`${name} ends in one sentence, and the model in use stays`, async ({ page }) => {
    const address = `${await serve(await tiny())}/model.safetensors`;
    fault = how;
    await openForAnyAddress(page);
    await download(page, address);
    const alert = downloads(page).getByRole('alert');
    await expect(alert).toContainText(sentence);
    await expect(alert).toHaveCount(1);
    await expect(status(page)).toContainText('Ready: made-up weights, tiny');
    await prompt(page).fill('a blue car');
    await openView(page, 'Attention');
    await expect(page.locator(`${own('matrix')} ${own('rows')} li`)).toHaveText(['BOS', 'a', 'blue', 'car', 'EOS']);
    await downloads(page)
      .getByRole('button', { name: /^(Dismiss|Cancel)$/ })
      .click();
    await expect(downloads(page)).toHaveCount(0);
    await expect(models(page)).toContainText('None yet.');
  });

test('a server that is not there is said', async ({ page }) => {
  const address = `${await serve(new Uint8Array(0))}/model.safetensors`;
  await server!.close();
  await openForAnyAddress(page);
  await download(page, address);
  await expect(downloads(page).getByRole('alert')).toContainText('cannot be reached');
});

test('a stored model can be deleted; the one in use stays, and the next visit starts with made-up weights', async ({
  page,
}) => {
  await openForAnyAddress(page);
  await download(page, `${await serve(await tiny())}/model.safetensors`);
  await expect(status(page)).toContainText('Ready: model.safetensors');
  await page.getByRole('button', { name: 'Delete model.safetensors' }).click();
  await page.getByRole('button', { name: 'Keep', exact: true }).click();
  await page.getByRole('button', { name: 'Delete model.safetensors' }).click();
  await page.getByRole('button', { name: 'Yes, delete' }).click();
  await expect(models(page)).toContainText('None yet.');
  await prompt(page).fill('a blue car');
  await openView(page, 'Attention');
  await expect(page.locator(`${own('matrix')} ${own('rows')} li`)).toHaveText(['BOS', 'a', 'blue', 'car', 'EOS']);
  await expect(status(page)).toContainText('Ready: model.safetensors');
  await page.reload();
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('cancelling deletes what has arrived', async ({ page }) => {
  const address = `${await serve(await tiny())}/model.safetensors`;
  fault = { stallAfter: 2_000_000, delay: 4 };
  await openForAnyAddress(page);
  await download(page, address);
  await expect(downloads(page)).toContainText(/[12]\.\d of 6\.5 MB/);
  await downloads(page).getByRole('button', { name: 'Cancel' }).click();
  await expect(downloads(page)).toHaveCount(0);
  await expect(models(page)).toContainText('None yet.');
});

test('a stored model whose data was cleared is missed with a notice', async ({ page }) => {
  await openForAnyAddress(page);
  await download(page, `${await serve(await tiny())}/model.safetensors`);
  await expect(status(page)).toContainText('Ready: model.safetensors');
  await page.evaluate(async () => (await navigator.storage.getDirectory()).removeEntry('models', { recursive: true }));
  await page.reload();
  await expect(page.getByRole('alert')).toContainText('"model.safetensors" is no longer stored in this browser');
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
});

test('where the browser has no more room, it says so, and a stored model makes room for the next', async ({
  page,
  baseURL,
}) => {
  const { origin } = new URL(baseURL!);
  const address = await serve(await tiny());
  await openForAnyAddress(page);
  await download(page, `${address}/first.safetensors`);
  await expect(status(page)).toContainText('Ready: first.safetensors');
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 10_000_000 });
  await download(page, `${address}/second.safetensors`);
  await expect(downloads(page).getByRole('alert')).toContainText(
    /^The browser .* but "second\.safetensors" needs another \d\.\d MB; delete a stored model/,
  );
  await expect(status(page)).toContainText('Ready: first.safetensors');
  await page.getByRole('button', { name: 'Get or delete models…' }).click();
  await page.getByRole('button', { name: 'Delete stored models…' }).click();
  await page.getByRole('button', { name: 'Delete first.safetensors' }).click();
  await page.getByRole('button', { name: 'Yes, delete' }).click();
  await downloads(page)
    .getByRole('button', { name: /^(Go on|Try again)$/ })
    .click();
  await expect(status(page)).toContainText('Ready: second.safetensors');
});

const withoutFileSystem = `Object.defineProperty(StorageManager.prototype, 'getDirectory', { value: undefined });`;
for (const [place, script, sentence, next] of [
  ['cache', withoutFileSystem, 'cache storage', 'Ready: model.safetensors'],
  [
    'memory',
    `${withoutFileSystem} Object.defineProperty(globalThis, 'caches', { value: undefined });`,
    'until this page is closed',
    'Ready: made-up weights, tiny',
  ],
])
  test(`a browser without a file system keeps models in its ${place}`, async ({ page }) => {
    await page.addInitScript((script) => {
      const Native = Worker;
      window.Worker = class extends Native {
        constructor(url: string | URL, options?: WorkerOptions) {
          const source = `import ${JSON.stringify(new URL(url, location.href).href)};\n${script}`;
          super(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })), options);
        }
      };
    }, script);
    await openForAnyAddress(page);
    await download(page, `${await serve(await tiny())}/model.safetensors`);
    await expect(status(page)).toContainText('Ready: model.safetensors');
    await expect(models(page)).toContainText(sentence);
    await server!.close();
    await page.reload();
    await expect(status(page)).toContainText(next);
  });

test('the text encoder of SD 1.5 is asked of its homes one after the other', async ({ page }) => {
  const asked: string[] = [];
  const referrers: (string | undefined)[] = [];
  const strays = strayed(page);
  page.on('request', (request) => {
    const { host, pathname } = new URL(request.url());
    if (!/\.(co|com)$/.test(host)) return;
    asked.push(`${host}/${pathname.split('/')[1]}`);
    referrers.push(request.headers().referer);
  });
  const storage = 'https://cas-bridge.xethub.hf.co/model';
  await page.route(/huggingface\.co|hf-mirror\.com|hf\.co/, (route) => {
    const headers = { 'access-control-allow-origin': '*' };
    // The last home leads to where it stores its files, as all of them do.
    const isLast = route.request().url().startsWith('https://hf-mirror.com');
    return route.fulfill(
      isLast ? { status: 302, headers: { ...headers, location: storage } } : { status: 404, headers },
    );
  });
  await openTiny(page);
  await page.getByRole('button', { name: 'Download SD 1.5 text encoder (246 MB)' }).click();
  await expect(downloads(page).getByRole('alert')).toContainText(
    /None of 3 addresses could be used; of the first: There is no file at huggingface\.co/,
  );
  expect(asked).toEqual([
    'huggingface.co/stable-diffusion-v1-5',
    'huggingface.co/sd-legacy',
    'hf-mirror.com/stable-diffusion-v1-5',
    'cas-bridge.xethub.hf.co/model',
  ]);
  // The page's policy lets it ask all of these, and none is told who asks.
  expect(strays.filter((text) => !text.startsWith('https://'))).toEqual([]);
  expect(referrers.filter((referrer) => referrer !== undefined)).toEqual([]);
});
