import { expect, type Page, test } from '@playwright/test';
import { methodNames } from '../src/weighting/methods.ts';
import { openOptions, openTiny, openView, own, prompt, status } from './page.ts';

const panel = (page: Page) => page.locator('#methods');
const sweep = (page: Page) => page.locator('#sweep');
const totals = (page: Page) => page.getByRole('table', { name: /^All methods on this prompt/ });
const values = (page: Page) => page.getByRole('table', { name: /of each token by each method$/ });
const readings = (page: Page) => page.getByRole('table', { name: /^The prompt is read as/ });
const atWeight = (page: Page) => page.getByRole('table', { name: /^Every method at a weight of/ });
const reads = (page: Page, program: string) =>
  readings(page)
    .getByRole('row')
    .filter({ has: page.getByRole('rowheader', { name: program, exact: true }) })
    .getByRole('cell');

/** Counts the passes that are sent to the encoder. */
async function countPasses(page: Page): Promise<() => Promise<number>> {
  await page.addInitScript(() => {
    const counted = { passes: 0 };
    Object.assign(window, { counted });
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (this: Worker, message: { type: string; request: { passes: unknown[] } }) {
      if (message.type === 'encode') counted.passes += message.request.passes.length;
      postMessage.call(this, message);
    } as typeof postMessage;
  });
  return () => page.evaluate(() => (window as unknown as { counted: { passes: number } }).counted.passes);
}

async function type(page: Page, text: string): Promise<void> {
  await prompt(page).fill(text);
  await expect(status(page)).toContainText('Ready');
}

async function openBench(page: Page): Promise<void> {
  await openView(page, 'Methods');
  await expect(totals(page)).toBeVisible();
}

async function openSweep(page: Page): Promise<void> {
  await openView(page, 'Sweep');
  await expect(atWeight(page)).toBeVisible();
}

/** Reads the table of tokens: token → method → value. */
async function valuesOf(page: Page): Promise<Record<string, Record<string, number>>> {
  await openView(page, 'Methods');
  const [head, ...rows] = await values(page).evaluate((table: HTMLTableElement) =>
    Array.from(table.rows, (row) => Array.from(row.cells, (cell) => cell.textContent.replaceAll('\u200b', ''))),
  );
  return Object.fromEntries(
    rows.map(([token, ...cells]) => [token, Object.fromEntries(cells.map((cell, i) => [head[i + 1], Number(cell)]))]),
  );
}

test('((cat:1.3)): the languages disagree on the weight, the methods on what it does', async ({ page }) => {
  await openTiny(page);
  await type(page, 'a ((cat:1.3))');
  await openView(page, 'Methods');
  await openBench(page);
  await expect(reads(page, 'A1111')).toHaveText(['“cat” 1.43', 'as typed']);
  await expect(reads(page, 'ComfyUI')).toHaveText(['“cat” 1.3 instead of 1.43', 'a (cat:1.43)']);
  await expect(reads(page, 'Compel')).toHaveText([/“cat” 1 instead of 1\.43.*“:1\.3” as text/, 'a (cat)1.43']);
  const { a, cat, EOS } = await valuesOf(page);
  expect(cat.Weight).toBe(1.43);
  expect(cat['A1111 Ignore']).toBe(0);
  // Compel and ComfyUI both move away from the empty prompt, by the same weight; A1111 scales.
  expect(cat.ComfyUI).toBeGreaterThan(0);
  expect(cat.Compel).toBe(cat.ComfyUI);
  expect(cat['A1111 No norm']).not.toBe(cat.ComfyUI);
  // Only "Original" (and ADV's version of it) changes tokens without a weight.
  for (const token of [a, EOS]) {
    expect(token['A1111 Original']).toBeGreaterThan(0);
    for (const name of ['A1111 No norm', 'ComfyUI', 'Compel']) expect(token[name]).toBe(0);
  }
  await openView(page, 'Methods');
  await expect(totals(page).getByRole('row', { name: /^A1111 Original/ })).toContainText('77 of 77');
  await expect(totals(page).getByRole('row', { name: /^ComfyUI/ })).toContainText('1 of 77');
});

test('(a)0.5: Compel reads a weight where the others read text', async ({ page }) => {
  await openTiny(page);
  await type(page, '(a)0.5 cat');
  await openView(page, 'Methods');
  await openBench(page);
  await expect(reads(page, 'A1111')).toHaveText(['“a” 1.1', 'as typed']);
  await expect(reads(page, 'ComfyUI')).toHaveText(['the same', 'as typed']);
  await expect(reads(page, 'Compel')).toHaveText(['“a” 0.5 instead of 1.1; “0.5” not as text', '(a)+ 0.5 cat']);

  await page.getByRole('combobox', { name: 'Read as' }).selectOption('compel');
  await expect(reads(page, 'Compel')).toHaveText(['“a” 0.5', 'as typed']);
  await expect(reads(page, 'A1111')).toHaveText(['“a” 1.1 instead of 0.5; “0.5” as text', '(a:0.5) cat']);
  await expect.poll(async () => (await valuesOf(page)).a.Weight).toBe(0.5);
  const { a, cat } = await valuesOf(page);
  // With a lower weight, Compel goes to the prompt without the word, and ComfyUI towards the empty one. Later tokens
  // feel only the first.
  expect(a.Compel).not.toBe(a.ComfyUI);
  expect(cat.Compel).toBeGreaterThan(0);
  expect(cat.ComfyUI).toBe(0);

  await page.getByRole('button', { name: 'Why: Compel', exact: true }).click();
  const why = page.getByRole('region', { name: /^Why: Compel, token \d/ });
  await expect(why.getByRole('heading')).toBeFocused();
  await expect(why).toContainText('z′ = 0.5 · E₀ + 0.5 · B₁');
  await expect(why.getByRole('row', { name: /^λ₁/ })).toContainText('1.00000');
  await expect(why).toContainText('Compel 2.4');
  await why.getByRole('button', { name: 'Close' }).click();
  await expect(why).toHaveCount(0);
});

test('methods are sorted by how far they stand apart; two show their difference', async ({ page }) => {
  await openTiny(page);
  await type(page, 'a (red:1.6) car, (blurry:0.4)');
  await openView(page, 'Methods');
  await openBench(page);
  const apart = await totals(page).evaluate((table: HTMLTableElement) =>
    Array.from(table.tBodies[0].rows, (row) => Number(row.cells[1].textContent)),
  );
  expect(apart).toHaveLength(methodNames.length);
  expect(apart).toEqual(apart.toSorted((a, b) => b - a));
  await page.getByRole('radio', { name: 'A: ComfyUI' }).check();
  await page.getByRole('radio', { name: 'B: Compel', exact: true }).check();
  await expect(panel(page).getByRole('img', { name: /^ComfyUI − Compel: 77 tokens as rows/ })).toBeVisible();
  await page.getByRole('radio', { name: 'B: ComfyUI' }).check();
  await expect(panel(page)).toContainText('to the last bit');
  await page.getByRole('radio', { name: 'Length ratio' }).check();
  await expect(page.getByRole('table', { name: 'Length ratio of each token by each method' })).toBeVisible();
  // The keyboard moves from value to value.
  await values(page).getByRole('row', { name: /^BOS/ }).getByRole('button').first().focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('region', { name: /^Why: .*, token 1 “a”$/ })).toBeVisible();
  // A token pointed at here is pointed at everywhere.
  await values(page).getByRole('rowheader', { name: 'car' }).hover();
  await expect(page.locator(`${own('strip')} [data-pointed]`)).toContainText('car');
});

test('a change of weights alone runs no pass', async ({ page }) => {
  const passes = await countPasses(page);
  await openTiny(page);
  await type(page, 'a (red:1.3) car');
  const alone = await passes();
  expect(alone).toBeGreaterThan(0);
  await openView(page, 'Methods');
  await openBench(page);
  const withBench = await passes();
  expect(withBench).toBeGreaterThan(alone);
  const red = async () => (await valuesOf(page)).red;
  const before = await red();
  await type(page, 'a (red:1.9) car');
  await expect.poll(async () => (await red()).Weight).toBe(1.9);
  const after = await red();
  for (const name of ['A1111 No norm', 'A1111 Original', 'ComfyUI', 'Compel'])
    expect(after[name]).toBeGreaterThan(before[name]);
  expect(await passes()).toBe(withBench);
  // A bench off show needs no passes. Below 1, methods that scale or move away from the empty prompt need no more than
  // before.
  await openView(page, 'Tokens');
  for (const method of ['none', 'scale', 'original', 'comfy']) {
    await openOptions(page);
    await page.getByRole('combobox', { name: 'Weighting' }).selectOption(method);
    for (const weight of [0.4, -0.5, 2.2]) await type(page, `a (red:${weight}) car`);
  }
  expect(await passes()).toBe(withBench);
});

test('a sweep needs a few passes once; the slider and the prompt’s own weight need none', async ({ page }) => {
  const passes = await countPasses(page);
  await openTiny(page);
  await type(page, 'a (red:1.3) car');
  await openView(page, 'Methods');
  await openSweep(page);
  const swept = await passes();
  await expect(page.getByRole('radio', { name: 'red, weight 1.3' })).toBeChecked();
  const norm = (name: string) => atWeight(page).getByRole('row', { name }).getByRole('cell').nth(0);
  const before = Number(await norm('Show A1111 No norm').innerText());
  const slider = page.getByRole('slider', { name: 'Weight' });
  await slider.fill('2.6');
  await expect(page.getByRole('table', { name: 'Every method at a weight of 2.6' })).toBeVisible();
  expect(Number(await norm('Show A1111 No norm').innerText()) / before).toBeCloseTo(2, 2);
  await slider.fill('-1');
  await expect(page.getByRole('table', { name: 'Every method at a weight of −1' })).toBeVisible();
  await page.getByRole('button', { name: 'Back to 1.3' }).click();
  await expect(slider).toHaveValue('1.3');
  await slider.fill('0.3');
  await page.getByRole('button', { name: 'Write 0.3 into the prompt' }).click();
  await expect(prompt(page)).toHaveText('a (red:0.3) car');
  await expect(page.getByText('“red” now weighs 0.3.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Write 0.3 into the prompt' })).toBeDisabled();
  await expect(page.getByRole('table', { name: 'Every method at a weight of 0.3' })).toBeVisible();
  await openBench(page);
  expect(await passes()).toBe(swept);

  await openSweep(page);
  await expect(page.locator(`${own('chart')} path${own('curve')}`)).toHaveCount(2 * methodNames.length + 2);
  await page.getByRole('checkbox', { name: 'Show Compel, REMOVE' }).uncheck();
  await expect(page.locator(`${own('chart')} path${own('curve')}`)).toHaveCount(2 * (methodNames.length - 1) + 2);
  // The weight is set by hand, in a picture.
  const picture = page.getByRole('img', { name: /^Norm by weight/ });
  const box = await picture.boundingBox();
  await picture.click({ position: { x: (box?.width ?? 0) - 35, y: 60 } });
  await expect(page.getByRole('table', { name: 'Every method at a weight of 3' })).toBeVisible();
});

test('where A1111 divides by a mean near 0 is marked and said', async ({ page }) => {
  await openTiny(page);
  await type(page, 'a (red:1.3) car');
  await openView(page, 'Methods');
  await openSweep(page);
  await expect(sweep(page)).toContainText(/it would be 0 at a weight of −[\d.]+/);
  await expect(page.locator(own('mean-band'))).toHaveCount(0);
  await type(page, `(${'a red car on the grass, '.repeat(10)}:1.2)`);
  await expect(sweep(page)).toContainText('which is 0 at a weight of');
  await expect(sweep(page)).toContainText('every row of the chunk grows more than tenfold');
  // The band is drawn in each of the three pictures.
  await expect(page.locator(own('mean-band'))).toHaveCount(3);
});

test('nothing scrolls the page sideways, and tables stay within the panel', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 800 });
  await openTiny(page);
  await type(page, `(${'supercalifragilistic '.repeat(20)}:1.3), ((cat)) ${'x'.repeat(200)}`);
  await openView(page, 'Methods');
  await openBench(page);
  await page.getByRole('button', { name: 'Why: Compel', exact: true }).click();
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  expect(await panel(page).evaluate(sticking)).toEqual([]);
  await openSweep(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  expect(await sweep(page).evaluate(sticking)).toEqual([]);
});

/** Lists elements that stick out of a panel and are not in a part that scrolls. */
function sticking(section: Element): string[] {
  const { right } = section.getBoundingClientRect();
  return [...section.querySelectorAll('button, canvas, svg, table, input, p, [class*="_scrolling_"]')]
    .filter((element) => !element.closest('[class*="_scrolling_"]') || element.matches('[class*="_scrolling_"]'))
    .filter((element) => element.getBoundingClientRect().right > right + 0.5)
    .map((element) => element.outerHTML.slice(0, 80));
}

test('without anything to weigh it says what to do', async ({ page }) => {
  await openTiny(page);
  await openView(page, 'Sweep');
  await expect(sweep(page)).toBeInViewport();
  await type(page, '');
  await expect(sweep(page)).toContainText('Type a prompt to sweep a weight of it.');
  await type(page, 'a cat');
  await expect(atWeight(page)).toBeVisible();
  await expect(sweep(page)).toContainText('put them in brackets');
});
