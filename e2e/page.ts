import { existsSync } from 'node:fs';
import { expect, type Locator, type Page } from '@playwright/test';
import type { EngineName } from '../src/engine/engineChoice.ts';
import { viewGroups } from '../src/state/view.ts';

/** The views of the menu, in its order. A build without a model for pictures leaves their view out. */
export const menuViews = viewGroups
  .flatMap(({ views }) => views)
  .filter((view) => view !== 'picture' || existsSync('public/small-pictures/model.safetensors'));

export const status = (page: Page) => page.getByRole('status', { name: 'Encoder status' });
/** The sentences about what the last change made the encoder do; they are folded away. */
export const encodingCost = (page: Page) => page.getByRole('banner').locator('details', { hasText: 'The last change' });
export const prompt = (page: Page) => page.getByRole('textbox', { name: 'Prompt', exact: true });
export const negativePrompt = (page: Page) => page.getByRole('textbox', { name: 'Negative prompt' });
export const tokenRows = (page: Page) => page.getByRole('table', { name: 'Tokens' }).locator('tbody').getByRole('row');

/** Selects elements by a class of a component's own style sheet, which the build makes unique. */
export const own = (name: string): string => `[class*="_${name}_"]`;

/** Shows a view, by its link in the menu. */
export async function openView(page: Page, name: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name, exact: true }).click();
  const view = page.getByRole('region', { name, exact: true }).first();
  await expect(view).toBeVisible();
  // Its title stands in its place until its code is there.
  await expect(view).not.toHaveAttribute('aria-busy');
}

/** Unfolds the options, where they are folded. */
export async function openOptions(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: /^Options:/ });
  if ((await button.getAttribute('aria-expanded')) !== 'true') await button.click();
}

/** Opens the page on the table of tokens, with the tiny model, which any engine runs in milliseconds. */
export async function openPage(page: Page, engine: EngineName = 'automatic', address = '/'): Promise<void> {
  await page.addInitScript((engine) => {
    localStorage.clipscope ??= JSON.stringify({
      syntheticSize: 'tiny',
      prompts: {
        positive: 'a photo of a (red:1.3) car, [blurry] background',
        negative: 'low quality, (watermark:1.2)',
      },
      engineChoice: { engine },
    });
  }, engine);
  await page.goto(address);
  // Text fields stand in until the editors are loaded.
  await expect(page.locator('.cm-content')).toHaveCount(2);
  await openView(page, 'Tokens');
}

/** Opens the page with the tiny model, and waits until it is ready. */
export async function openTiny(page: Page, engine?: EngineName, address?: string): Promise<void> {
  await openPage(page, engine, address);
  await expect(status(page)).toHaveText('Ready: made-up weights, tiny');
  // The numbers of the first encode: the status is ready before there is a prompt, too.
  await expect(encodingCost(page)).toBeAttached();
}

/**
 * Writes to the console what the page's Content-Security-Policy keeps a frame or a worker from, or has kept it from before. Playwright hears
 * of a worker's console, and not of its violations.
 */
function tellViolations(): void {
  const observer = new ReportingObserver(
    (reports) => {
      for (const { body } of reports) {
        const { effectiveDirective, blockedURL } = body as unknown as Record<string, string>;
        console.error(`Content-Security-Policy: ${effectiveDirective} keeps it from ${blockedURL}`);
      }
    },
    { types: ['csp-violation'], buffered: true },
  );
  observer.observe();
}

/** Collects what the page and its workers ask other hosts for, and what the page's Content-Security-Policy keeps them from. */
export function strayed(page: Page): string[] {
  const found: string[] = [];
  let home: string | undefined;
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    home ??= origin;
    if (!/^(blob|data):$/.test(protocol) && origin !== home) found.push(request.url());
  });
  void page.addInitScript(tellViolations);
  // A worker that has ended by now did not wait for the answer of another host.
  page.on('worker', (worker) => void worker.evaluate(tellViolations).catch(() => {}));
  page.on('console', (message) => {
    if (/^Content-Security-Policy: /.test(message.text())) found.push(message.text());
  });
  return found;
}

/** Has the encoder's worker run this script before its own. */
async function prepareWorker(page: Page, script: string): Promise<void> {
  await page.route(/\/assets\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script}\n${await response.text()}` });
  });
}

/** Takes WebGPU from the page that is opened next. */
export const withoutWebGpu = (page: Page): Promise<void> =>
  prepareWorker(page, `Object.defineProperty(WorkerNavigator.prototype, 'gpu', { get: () => undefined });`);

/** Takes WebAssembly from the encoder of the page that is opened next. */
export const withoutWebAssembly = (page: Page): Promise<void> => prepareWorker(page, 'delete globalThis.WebAssembly;');

/** Gives the page that is opened next an adapter that does not say that it is software. */
export const withGraphicsCard = (page: Page): Promise<void> =>
  prepareWorker(
    page,
    `for (const [name, value] of Object.entries({ architecture: '', description: 'a card', isFallbackAdapter: false }))
      Object.defineProperty(GPUAdapterInfo.prototype, name, { get: () => value });`,
  );

/** Records every text that the status shows from now on. */
export async function statusHistory(page: Page): Promise<() => Promise<string[]>> {
  await status(page).evaluate((element) => {
    const seen: string[] = [];
    Object.assign(window, { statusesSeen: seen });
    new MutationObserver(() => seen.push(element.textContent)).observe(element, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  });
  return () => page.evaluate(() => (window as unknown as { statusesSeen: string[] }).statusesSeen);
}

/** Reads the RGBA of one pixel of a canvas, in the canvas's own pixels. */
export function pixel(canvas: Locator, x: number, y: number): Promise<number[]> {
  return canvas.evaluate(
    (element, [x, y]) => {
      const context = (element as HTMLCanvasElement).getContext('2d');
      return [...(context?.getImageData(x, y, 1, 1).data ?? [])];
    },
    [x, y],
  );
}

/** Puts the pointer on a cell of a picture of `n` × `n` cells. */
export async function pointAt(picture: Locator, row: number, column: number, n: number): Promise<void> {
  const box = await picture.boundingBox();
  if (!box) throw new Error('The picture is not on the page.');
  const position = { x: ((column + 0.5) / n) * box.width, y: ((row + 0.5) / n) * box.height };
  await picture.hover({ position });
}
