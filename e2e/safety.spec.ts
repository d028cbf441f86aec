/** Whatever goes wrong stays where it goes wrong, and no link or remembered prompt stops the page. */
import { deflateRawSync } from 'node:zlib';
import { expect, type Page, test } from '@playwright/test';
import { negativePrompt, openOptions, openPage, openTiny, openView, prompt, status } from './page.ts';

/** Writes a link to a prompt, as the page does. */
function linkTo(positive: string): string {
  const packed = deflateRawSync(JSON.stringify({ clipscope: 1, prompts: { positive, negative: '' } }));
  return `/#share=${packed.toString('base64url')}`;
}

/** Collects the errors that nothing on the page has caught. */
function pageErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  return errors;
}

const alerts = (page: Page) => page.getByRole('alert');
/** The prompt's text as the editor has it; of a long one the beginning. */
const typed = (page: Page) => prompt(page).innerText();

test('another mask with a word of weight 0 and the export on show', async ({ page }) => {
  const errors = pageErrors(page);
  await openTiny(page);
  await prompt(page).fill('(cat:0) dog');
  await openOptions(page);
  await page.getByLabel('Weighting').selectOption({ label: 'ADV comfy++' });
  await openView(page, 'Export');
  await negativePrompt(page).click();
  for (const mask of ['hf', 'none', 'lecture']) {
    await page.getByLabel('Mask', { exact: true }).selectOption(mask);
    await expect(page.getByRole('status', { name: 'Export' })).toHaveText('Ready');
  }
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  expect(await typed(page)).toBe('(cat:0) dog');
  expect(errors).toEqual([]);
  await expect(alerts(page)).toHaveCount(0);
});

test.describe('a picture that fails', () => {
  test.use({ permissions: ['clipboard-read', 'clipboard-write'] });

  test('takes its own view with it and nothing else, until it is tried again', async ({ page }) => {
    await page.addInitScript(() => {
      const { putImageData } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.putImageData = function (...given: unknown[]) {
        if ('isBroken' in window) throw new Error('the picture broke');
        Reflect.apply(putImageData, this, given);
      };
    });
    await openTiny(page);
    await page.evaluate(() => Object.assign(window, { isBroken: true }));
    const open = (name: string) =>
      page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name, exact: true }).click();
    await open('Attention');
    const failed = alerts(page).filter({ hasText: 'Something went wrong in “Attention”: the picture broke.' });
    await expect(failed).toBeVisible();

    // The rest goes on: another prompt is typed and read.
    await prompt(page).fill('a secret cat');
    await openView(page, 'Tokens');
    await expect(page.getByRole('table', { name: 'Tokens' })).toContainText('secret');
    await open('Attention');
    await expect(failed).toBeVisible();

    await failed.getByRole('button', { name: 'Copy what happened' }).click();
    await expect(failed.getByRole('status')).toHaveText('Copied.');
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    const report = await copied();
    expect(report).toMatch(
      /^clipscope \d+\.\d+\.\d+: something went wrong in “Attention”\.\nError: the picture broke\n/,
    );
    expect(report).toContain('"syntax":"a1111"');
    expect(report).not.toContain('secret');
    await failed.getByRole('checkbox', { name: 'with my prompts' }).check();
    await failed.getByRole('button', { name: 'Copy what happened' }).click();
    await expect.poll(copied).toContain('a secret cat');

    await page.evaluate(() => Reflect.deleteProperty(window, 'isBroken'));
    await failed.getByRole('button', { name: 'Try again' }).click();
    await expect(page.getByRole('region', { name: 'Attention', exact: true })).toBeVisible();
    await expect(alerts(page)).toHaveCount(0);
    expect(await typed(page)).toBe('a secret cat');
  });

  test('errors of handlers and promises are told of, and the page goes on', async ({ page }) => {
    await openPage(page);
    await page.evaluate(() => {
      setTimeout(() => {
        throw new Error('a handler broke');
      });
      void Promise.reject(new Error('a promise broke'));
    });
    for (const what of ['a handler broke', 'a promise broke'])
      await expect(
        alerts(page).filter({ hasText: `Something went wrong in the page: ${what}. Your prompts are kept.` }),
      ).toBeVisible();
    await prompt(page).fill('a cat');
    await expect(page.getByRole('table', { name: 'Tokens' })).toContainText('cat');
  });
});

test.describe('a link that unfolds to more than it seems', () => {
  let nested = 'z';
  for (let i = 90; i > 0; i--) nested = `[a${i}|${nested}]`;
  for (const [what, positive, told] of [
    ['BREAKs', 'BREAK '.repeat(10_600), /more than 512 chunks/],
    ['alternations in alternations', `${nested} ${'cat '.repeat(15_000)}`, /texts of this prompt at its steps/],
    ['AND parts', 'a AND '.repeat(10_600), /10,601 parts/],
  ] as const)
    test(what, async ({ page }) => {
      const errors = pageErrors(page);
      await openPage(page);
      const link = linkTo(positive);
      expect(link.length).toBeLessThan(2_000);
      await page.goto(link);
      const strip = page.locator('#strip');
      await expect(strip).toContainText(told);
      await expect(page.getByText('Opened from a link.')).toBeVisible();
      // The page is at work: another prompt is read, and a reload brings that one.
      await prompt(page).fill('a cat');
      await expect(page.getByRole('table', { name: 'Tokens' })).toContainText('cat');
      await page.reload();
      await expect(page.locator('.cm-content')).toHaveCount(2);
      expect(await typed(page)).toBe('a cat');
      expect(errors).toEqual([]);
    });

  test('a megabyte is not taken at all', async ({ page }) => {
    await openPage(page);
    const before = await typed(page);
    await page.goto(linkTo('BREAK '.repeat(150_000)));
    await expect(alerts(page)).toContainText('A prompt of 900,000 characters was not taken: at most 64,000 are read.');
    expect(await typed(page)).toBe(before);
  });

  test('the same pasted', async ({ page }) => {
    await openPage(page);
    const before = await typed(page);
    await prompt(page).evaluate((element) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', 'BREAK '.repeat(20_000));
      element.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    });
    await expect(alerts(page)).toContainText(/A prompt of 120,0\d\d characters was not taken/);
    expect(await typed(page)).toBe(before);
  });
});

test('while a prompt of 64,000 characters is read the page goes on, and keys typed meanwhile are read with it', async ({
  page,
}) => {
  const errors = pageErrors(page);
  // Holds back what waits for its next turn, as the slices of a reading do.
  await page.addInitScript(() => {
    const { setTimeout: later, clearTimeout: drop } = window;
    const held = new Map<number, () => void>();
    let last = 0;
    const start = (work: () => void, milliseconds?: number) => {
      if (!('isHeld' in window) || milliseconds) return later(work, milliseconds);
      const id = --last;
      held.set(id, work);
      return id;
    };
    Object.assign(window, {
      setTimeout: start,
      clearTimeout: (id: number) => void (held.delete(id) || drop(id)),
      release() {
        Reflect.deleteProperty(window, 'isHeld');
        for (const work of held.values()) later(work);
      },
    });
  });
  await openTiny(page);
  await page.evaluate(() => Object.assign(window, { isHeld: true }));
  await page.goto(linkTo('(a:0.9) '.repeat(7_990)));
  await expect(status(page)).toHaveText('Reading the prompt');
  await expect(page.getByText('Opened from a link.')).toBeVisible();
  expect(await typed(page)).toContain('(a:0.9)');

  await openView(page, 'Vocabulary');
  await prompt(page).press('Control+Home');
  await page.keyboard.type('zebra ');
  expect(await typed(page)).toMatch(/^zebra \(a:0\.9\)/);
  await expect(status(page)).toHaveText('Reading the prompt');

  await page.evaluate(() => (window as unknown as { release(): void }).release());
  await openView(page, 'Tokens');
  await expect(page.getByRole('table', { name: 'Tokens' })).toContainText('zebra');
  await expect(status(page)).toHaveText('Ready: made-up weights, tiny');
  expect(errors).toEqual([]);
  await expect(alerts(page)).toHaveCount(0);
});

test('of hundreds of chunks the strip draws those around the one on show, the list of programs the first tokens, and both lead on', async ({
  page,
}) => {
  await openPage(page);
  await page.goto(linkTo('a BREAK '.repeat(499)));
  const strip = page.locator('#strip');
  const chunks = strip.getByRole('radio');
  await expect(chunks).toHaveCount(24);
  await strip.getByRole('button', { name: 'Show chunks 25 to 48 of 499' }).click();
  await expect(chunks).toHaveCount(24);
  await expect(strip.getByRole('radio', { name: 'Chunk 25 ' })).toBeChecked();
  await expect(strip.getByRole('button', { name: 'Show chunks 1 to 24 of 499' })).toBeVisible();

  await openView(page, 'Programs');
  const rows = page.getByRole('table', { name: 'Weight of each token in each program' }).locator('tbody tr');
  await expect(rows).toHaveCount(200);
  await page.getByRole('button', { name: /^Show 200 more of \d+ tokens/ }).click();
  await expect(rows).toHaveCount(400);
});

test.describe('a visit that did not come to its end', () => {
  const aside = (page: Page) => alerts(page).filter({ hasText: 'Last time this prompt stopped the page' });

  test('has the next one put its prompt aside, to be opened', async ({ page, context }) => {
    await openPage(page);
    // A page that is killed has no time to take its mark away.
    await page.evaluate(() => {
      Storage.prototype.removeItem = () => {};
    });
    await prompt(page).fill('a prompt that stops');
    await page.close();
    const next = await context.newPage();
    // The browser takes back the locks of a page a moment after it is closed.
    await next.goto('/clip-merges.txt');
    await expect.poll(() => next.evaluate(async () => (await navigator.locks.query()).held?.length)).toBe(0);
    await openPage(next);
    await expect(aside(next)).toContainText('a prompt that stops');
    expect(await typed(next)).toContain('circle left of a blue square');
    // A further tab does not meet it, and is not told.
    const third = await context.newPage();
    await openPage(third);
    await expect(alerts(third)).toHaveCount(0);
    expect(await typed(third)).toContain('circle left of a blue square');

    await aside(next).getByRole('button', { name: 'Open it' }).click();
    await expect(aside(next)).toHaveCount(0);
    expect(await typed(next)).toBe('a prompt that stops');
  });

  test('is not one that is reloaded, or that another tab is at', async ({ page, context }) => {
    await openPage(page);
    await prompt(page).fill('a cat');
    const other = await context.newPage();
    await openPage(other);
    await expect(alerts(other)).toHaveCount(0);
    await prompt(page).fill('a dog');
    await page.reload();
    await expect(page.locator('.cm-content')).toHaveCount(2);
    await expect(alerts(page)).toHaveCount(0);
    expect(await typed(page)).toBe('a dog');
  });
});
