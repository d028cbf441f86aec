/** The build from its archive, in a folder of any name, on a server of static files: kept for visits without it. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { pictureModelPath } from '../src/pictures/pictureModel.ts';
import { viewTitles } from '../src/state/view.ts';
import { type ArchiveServer, serveArchive } from './hosting/archiveServer.ts';
import { menuViews, openView, prompt, status, strayed, tokenRows } from './page.ts';

test.use({ serviceWorkers: 'allow' });

const ready = 'Ready: small CLIP of shapes, trained by clipscope';
let server: ArchiveServer;
test.beforeEach(async () => {
  server = await serveArchive('/x/y/');
});
test.afterEach(() => server.close());

/** Changes text in a file of the server. */
function change(name: string, from: string | RegExp, to: string): void {
  const before = new TextDecoder().decode(server.files.get(name));
  const after = before.replace(from, to);
  expect(after).not.toBe(before);
  server.files.set(name, new TextEncoder().encode(after));
}

test('a second visit needs no server, a newer build waits for a person, and workers are under the page’s policy', async ({
  page,
  context,
}) => {
  const strays = strayed(page);
  await page.goto(server.address);
  await expect(status(page)).toHaveText(ready);
  await page.evaluate(() => navigator.serviceWorker.ready);

  // Exactly the build is kept: its list, which is what the archive has but for the worker itself and the note on how to open it.
  const kept = () =>
    page.evaluate(async () => {
      const stores = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
      const requests = (await Promise.all(stores.map((cache) => cache.keys()))).flat();
      return requests.map(({ url }) => url.replace(/^.*\/x\/y\//, '') || 'index.html').toSorted();
    });
  const small = [...server.files].filter(([, { length }]) => length <= 3 << 20).map(([name]) => name);
  const listed = small.filter((name) => !['sw.js', 'HOW-TO-OPEN.txt'].includes(name)).toSorted();
  expect(await kept()).toEqual(listed);
  expect(listed).toContain('small-clip/model.safetensors');

  // It can be installed as an app: the browser finds nothing missing, but that this window is a private one.
  const session = await context.newCDPSession(page);
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
  expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== 'in-incognito')).toEqual([]);

  // The policy that keeps the page from other hosts keeps its worker from them, too.
  const elsewhere = await serveArchive('/');
  const worker = page.workers().find((one) => /^blob:.*#worker-/.test(one.url()))!;
  const answer = await worker.evaluate((address) => fetch(address).then(String, String), elsewhere.address);
  expect(answer).toContain('Failed to fetch');
  expect(elsewhere.asked).toEqual([]);
  await elsewhere.close();
  expect(strays.splice(0).every((text) => /connect-src/.test(text))).toBe(true);

  // A newer build is fetched, and waits.
  const description = () => page.locator('meta[name="description"]').getAttribute('content');
  change('index.html', /(name="description" content=")[^"]*/, '$1A newer build');
  change('sw.js', /"version":"/, '"version":"newer');
  await page.reload();
  const newer = page.getByRole('status').filter({ hasText: 'A newer version of this page is here' });
  await expect(newer).toBeVisible();
  await page.reload();
  await expect(newer).toBeVisible();
  const { violations, passes } = await new AxeBuilder({ page }).setLegacyMode().include('.notice').analyze();
  expect(violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))).toEqual([]);
  expect(passes.find(({ id }) => id === 'color-contrast')?.nodes.length).toBeGreaterThan(0);
  expect(await description()).not.toBe('A newer build');
  await newer.getByRole('button', { name: 'Use the newer version' }).click();
  await expect.poll(description).toBe('A newer build');
  await expect(newer).toHaveCount(0);
  expect(await kept()).toEqual(listed);

  // A model that is kept only when it is asked for is asked for now. A build without it has nothing to draw pictures with.
  const draws = server.files.has(pictureModelPath);
  if (draws) {
    await openView(page, viewTitles.picture);
    await expect.poll(kept).toContain(pictureModelPath);
  }

  // Without the server the page opens, and every view works on the trained model.
  await server.close();
  // A page that is closed while it draws would count as one that its prompt stopped.
  await page.goto('about:blank');
  await page.close();
  const later = await context.newPage();
  const laterStrays = strayed(later);
  await later.goto(`${server.address}#view=tokens`);
  await expect(status(later)).toHaveText(ready);
  await prompt(later).fill('a red circle');
  await expect(tokenRows(later).nth(3)).toContainText('circle');
  for (const view of menuViews) await openView(later, viewTitles[view]);
  await expect(later.getByRole('alert')).toHaveCount(0);
  await expect(status(later)).toHaveText(ready);
  expect(laterStrays).toEqual([]);
});
