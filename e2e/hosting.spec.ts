/** The build from its archive, in a folder of any name, on a server of static files: kept for visits without it. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
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

const policy = (connections: string) =>
  `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' ${connections}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'`;
const homes =
  'https://huggingface.co https://*.huggingface.co https://*.hf.co https://hf-mirror.com https://*.hf-mirror.com';

test('both pages have their policy, word for word', () => {
  for (const [name, connections] of [
    ['index.html', homes],
    ['any-address.html', 'https: http:'],
  ]) {
    const page = new TextDecoder().decode(server.files.get(name));
    const policies = Array.from(page.matchAll(/<meta http-equiv="Content-Security-Policy" content="([^"]*)"/g));
    expect(policies.map(([, text]) => text)).toEqual([policy(connections)]);
    // A policy holds for what stands after it.
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.search(/<(script|link|style)/));
  }
});

/** Tries to run script that is not the page's own, as somebody would who had smuggled it in. Returns what became of each. */
function smuggle(address: string): Promise<Record<string, string>> {
  const inline = document.createElement('script');
  inline.textContent = 'window.smuggled = true';
  document.head.append(inline);
  const foreign = document.createElement('script');
  foreign.src = address;
  const loaded = new Promise<string>((resolve) => {
    foreign.onload = () => resolve('ran');
    foreign.onerror = () => resolve('refused');
  });
  document.head.append(foreign);
  // A timer runs it as the page's code: developer tools may evaluate whatever they like.
  const evaluated = new Promise<string>((resolve) => {
    setTimeout(() => {
      try {
        resolve(String(new Function('return "ran"')()));
      } catch (error) {
        resolve((error as Error).name);
      }
    });
  });
  return Promise.all([evaluated, loaded]).then(([evaluated, foreign]) => ({
    inline: 'smuggled' in window ? 'ran' : 'refused',
    foreign,
    evaluated,
  }));
}

test('a second visit needs no server, a newer build waits for a person, and workers are under the page’s policy', async ({
  page,
  context,
}) => {
  const strays = strayed(page);
  // Hosts are told that they may leave this page out.
  server.files.delete('any-address.html');
  await page.goto(server.address);
  await expect(status(page)).toHaveText(ready);
  await page.evaluate(() => navigator.serviceWorker.ready);

  // Exactly the build is kept: what the archive has, but for the worker itself, the note on how to open it, and what lies beside
  // the models for people and other programs.
  const kept = () =>
    page.evaluate(async () => {
      const stores = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
      const requests = (await Promise.all(stores.map((cache) => cache.keys()))).flat();
      return requests.map(({ url }) => url.replace(/^.*\/x\/y\//, '') || 'index.html').toSorted();
    });
  const listed = [...server.files.keys()]
    .filter((name) => !['sw.js', 'HOW-TO-OPEN.txt'].includes(name) && !/^small-.*\.(md|jsonl?)$/.test(name))
    .toSorted();
  expect(await kept()).toEqual(listed);
  expect(listed).toContain('small-clip/model.safetensors');

  // It can be installed as an app: the browser finds nothing missing, but that this window is a private one.
  const session = await context.newCDPSession(page);
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
  expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== 'in-incognito')).toEqual([]);

  // Script of others is refused, and the policy that keeps the page from other hosts keeps its worker from them, too.
  expect(strays).toEqual([]);
  const elsewhere = await serveArchive('/');
  const smuggled = await page.evaluate(smuggle, `${elsewhere.address}clip-scope.js`);
  expect(smuggled).toEqual({ inline: 'refused', foreign: 'refused', evaluated: 'EvalError' });
  const foreign = `${elsewhere.address}clip-scope.js`;
  await expect
    .poll(() => strays.toSorted())
    .toEqual([
      'Content-Security-Policy: script-src keeps it from eval',
      `Content-Security-Policy: script-src-elem keeps it from ${foreign}`,
      'Content-Security-Policy: script-src-elem keeps it from inline',
      foreign,
    ]);
  strays.length = 0;
  const worker = page.workers().find((one) => /^blob:.*#worker-/.test(one.url()))!;
  const answer = await worker.evaluate((address) => fetch(address).then(String, String), elsewhere.address);
  expect(answer).toContain('Failed to fetch');
  expect(elsewhere.asked).toEqual([]);
  await elsewhere.close();
  await expect
    .poll(() => strays.splice(0))
    .toEqual([`Content-Security-Policy: connect-src keeps it from ${elsewhere.address}`]);
  // The page's own address is told to nobody. Modules tell the host of the page which of them asks for the next.
  expect(server.referrers.filter((address) => !address.endsWith('.js'))).toEqual([]);

  // The page for any address is not offered where it is not.
  await page.getByRole('button', { name: 'Get or delete models…' }).click();
  await page.getByRole('textbox', { name: 'Another address' }).fill('https://example.org/model.safetensors');
  const absent = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/any-address.html'));
  await page.getByRole('button', { name: 'Download', exact: true }).click();
  await absent;
  const refusal = page.getByRole('alert').filter({ hasText: 'example.org was not asked.' });
  await expect(refusal).toBeVisible();
  await expect(refusal.getByRole('link')).toHaveCount(0);

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

  // Without the server the page opens, and every view works on the trained models, in whatever order they are first opened.
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
  for (const view of menuViews) {
    await openView(later, viewTitles[view]);
    await expect(later.getByRole('alert')).toHaveCount(0);
  }
  if (menuViews.includes('picture')) {
    await openView(later, viewTitles.picture);
    await expect(later.getByText(/^The prompt says “red circle”: \d of 4 pictures show that/)).toBeVisible();
  }
  await expect(status(later)).toHaveText(ready);
  expect(laterStrays).toEqual([]);
});
