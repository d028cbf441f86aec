import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, type Locator, test } from '@playwright/test';
import { viewTitles } from '../src/state/view.ts';
import {
  encodingCost,
  menuViews,
  openOptions,
  openPage,
  openTiny,
  openView,
  own,
  prompt,
  status,
  tokenRows,
} from './page.ts';

for (const width of [360, 768, 1280, 1600, 2560])
  test(`nothing scrolls sideways or is cut off at ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    await openTiny(page);
    const hidden = status(page)
      .locator('span')
      .evaluate((text) => text.scrollHeight - text.clientHeight);
    expect(await hidden, 'pixels of the status cut off').toBeLessThanOrEqual(0);
    await prompt(page).fill(`(${'supercalifragilistic '.repeat(20)}:1.3), ${'x'.repeat(200)} (unclosed`);
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await expect.poll(overflow).toBeLessThanOrEqual(0);
    await openView(page, 'Attention');
    await page.getByRole('radio', { name: 'Lines' }).check();
    await openOptions(page);
    await page.getByRole('combobox', { name: 'Mask' }).selectOption('lecture');
    await page.getByRole('button', { name: 'Keys' }).click();
    await openView(page, 'Mask lab');
    await expect(page.getByRole('status', { name: 'Mask lab' })).toHaveText('4 of 4 runs of the encoder done');
    await openView(page, 'Vocabulary');
    await expect(page.getByRole('searchbox')).toBeVisible();
    expect(await overflow()).toBeLessThanOrEqual(0);
    // Nothing may stick out of its panel either.
    const sticking = await page.evaluate(() =>
      [...document.querySelectorAll('.panel')].flatMap((panel) => {
        const right = panel.getBoundingClientRect().right;
        return [...panel.querySelectorAll('button, select, canvas, table, input[type=range], p')]
          .filter((element) => element.getBoundingClientRect().right > right + 0.5)
          .map((element) => `${panel.id}: ${element.outerHTML.slice(0, 80)}`);
      }),
    );
    expect(sticking).toEqual([]);
  });

test('what the header says takes few lines, and the engine in use can be read, at any width', async ({ page }) => {
  await openTiny(page);
  const linesOf = (text: Locator) =>
    text.evaluate((element) =>
      Math.round(element.getBoundingClientRect().height / Number.parseFloat(getComputedStyle(element).lineHeight)),
    );
  const engine = page.getByRole('combobox', { name: 'Engine' });
  const widthOf = () => engine.evaluate((select) => select.getBoundingClientRect().width);
  await page.setViewportSize({ width: 1440, height: 800 });
  const whole = await widthOf();
  for (const [width, most] of [
    [1440, 1],
    [1366, 1],
    [390, 2],
    [320, 2],
  ]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await linesOf(status(page).locator('span')), `status at ${width}`).toBeLessThanOrEqual(most);
    expect(await linesOf(page.getByText('See how Stable Diffusion')), `sentence at ${width}`).toBeLessThanOrEqual(2);
    expect(await widthOf(), `engine at ${width}`).toBeGreaterThanOrEqual(whole);
  }
});

for (const width of [390, 1280])
  test(`a click on the menu is not lost when the weights are there between press and release, at ${width} px`, async ({
    page,
  }) => {
    await page.setViewportSize({ width, height: 900 });
    let goOn = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    await page.route(/\/assets\/worker-/, async (route) => {
      await held;
      await route.continue();
    });
    await openPage(page);
    await expect(tokenRows(page).first()).toBeVisible();
    await page.getByRole('link', { name: 'Weights', exact: true }).hover();
    await page.mouse.down();
    goOn();
    await expect(encodingCost(page)).toBeAttached();
    await page.mouse.up();
    await expect(page.getByRole('region', { name: 'Weights', exact: true })).toBeVisible();
  });

test('tapping what is below a readout does not move it away', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 800 });
  await openTiny(page);
  const readout = page.locator('#masks .readout');
  const tops = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('.panel, #masks .help')].map(
        (element) => `${element.id} at ${Math.round(element.getBoundingClientRect().top + scrollY)}`,
      ),
    );
  await openView(page, 'Masks');
  await prompt(page).click();
  await page.keyboard.press('ControlOrMeta+End');
  await expect(readout).toContainText('Query');
  const pointed = await tops();
  await prompt(page).blur();
  await expect(readout).toContainText('Point at a cell');
  expect(await tops()).toEqual(pointed);
});

test('choosing what sticks to the top leaves the page where it is', async ({ page }) => {
  const scrolled = () => page.evaluate(() => scrollY);
  for (const width of [390, 1366]) {
    await page.setViewportSize({ width, height: 768 });
    await openTiny(page);
    await openView(page, 'Embeddings');
    // The last picture, so that nothing grows above the place that is scrolled to.
    await expect(page.locator('#embeddings').getByRole('img', { name: /^Difference/ })).toBeVisible();
    await page.mouse.move(width / 2, 700);
    await page.mouse.wheel(0, 700);
    // Scrolling by the wheel may be animated: it is over when two looks find one place.
    let before = -1;
    await expect
      .poll(
        async () => {
          const last = before;
          before = await scrolled();
          return before > 600 && before === last;
        },
        { intervals: [500] },
      )
      .toBe(true);
    const chip = await page.locator('#strip [data-token]').nth(3).boundingBox();
    if (!chip) throw new Error('The token is not on the page.');
    await page.mouse.click(chip.x + chip.width / 2, chip.y + chip.height / 2);
    await expect(page.locator('#strip input')).toBeFocused();
    expect(await scrolled()).toBe(before);
  }
  const before = await scrolled();
  await prompt(page).click();
  await page.keyboard.type('xy');
  await expect(prompt(page)).toContainText('xy');
  expect(await scrolled()).toBe(before);
});

test('the options that are opened on a scrolled page are in sight', async ({ page }) => {
  await page.setViewportSize({ width: 1366, height: 768 });
  await openTiny(page);
  await openView(page, 'Embeddings');
  await page.mouse.move(700, 700);
  await page.mouse.wheel(0, 700);
  await expect.poll(() => page.evaluate(() => scrollY)).toBe(700);
  await openOptions(page);
  await expect(page.getByRole('combobox', { name: 'Weighting' })).toBeInViewport();
});

test('on a phone the menu shows the view that the address names, and the comparison of programs fits', async ({
  page,
}) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await openTiny(page);
  for (const [view, name] of [
    ['export', 'Export'],
    ['programs', 'Programs'],
  ]) {
    await page.evaluate((view) => {
      location.hash = `view=${view}`;
    }, view);
    const link = page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name, exact: true });
    await expect(link).toHaveAttribute('aria-current', 'page');
    await expect(link).toBeInViewport({ ratio: 0.9 });
  }
  const tokens = page.getByRole('region', { name: 'Tokens in each program' });
  await expect(tokens.getByText('%').first()).toBeVisible();
  expect(await tokens.evaluate((frame) => frame.scrollWidth - frame.clientWidth)).toBeLessThanOrEqual(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
});

test('a prompt of ten tokens takes no more room than one of nine', async ({ page }) => {
  await page.setViewportSize({ width: 1366, height: 768 });
  await openTiny(page);
  const height = () => page.locator('#strip').evaluate((strip) => strip.clientHeight);
  await prompt(page).fill('a b c d e f g h i');
  await expect(page.locator('#strip [data-token]')).toHaveCount(9);
  const before = await height();
  await prompt(page).fill('a b c d e f g h i j');
  await expect(page.locator('#strip [data-token]')).toHaveCount(10);
  expect(await height()).toBe(before);
});

test('the labels of the lines are at the ends of the lines, alike on both sides', async ({ page }) => {
  await openTiny(page);
  await openView(page, 'Attention');
  await page.getByRole('radio', { name: 'Lines' }).check();
  await expect(page.locator(`${own('lines')} ${own('labels')}`)).toHaveCount(2);
  const [queries, keys] = await page.locator(`${own('lines')} ${own('labels')}`).evaluateAll((lists) =>
    lists.map((list) => ({
      size: getComputedStyle(list).fontSize,
      middles: [...list.children].map((label) => {
        const { top, height } = label.getBoundingClientRect();
        return Math.round(top + height / 2);
      }),
    })),
  );
  expect(queries.middles.length).toBeGreaterThan(1);
  expect(keys).toEqual(queries);
});

test('in the mask lab the text has the room beside a small picture', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 800 });
  await openTiny(page);
  await openView(page, 'Mask lab');
  await expect(page.locator(own('trial'))).toHaveCount(5);
  const parts = { picture: own('heatmap'), text: own('text') };
  const trials = await page.locator(own('trial')).evaluateAll(
    (figures, parts) =>
      figures.map((figure) => {
        const box = (part: string) => figure.querySelector(part)!.getBoundingClientRect();
        const [picture, text] = [box(parts.picture), box(parts.text)];
        return { isBeside: text.left >= picture.right, isWider: text.width > picture.width };
      }),
    parts,
  );
  expect(trials).toEqual(Array(5).fill({ isBeside: true, isWider: true }));
});

const background = (page: import('@playwright/test').Page) =>
  page.evaluate(() => {
    const context = document.createElement('canvas').getContext('2d');
    if (!context) throw new Error('no canvas');
    context.fillStyle = getComputedStyle(document.body).backgroundColor;
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data[0];
  });

test('the theme follows the system, or the person', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto('/');
  expect(await background(page)).toBeLessThan(60);
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('light');
  expect(await background(page)).toBeGreaterThan(200);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('dark');
  expect(await background(page)).toBeLessThan(60);
});

test('pictures are redrawn for the dark theme', async ({ page }) => {
  await openTiny(page);
  const middle = () =>
    page
      .locator('#embeddings')
      .getByRole('img', { name: /^Difference/ })
      .evaluate((canvas: HTMLCanvasElement) => canvas.getContext('2d')?.getImageData(0, 0, 1, 1).data[0]);
  // The upper right corner of the first small map: masked, on a canvas that holds all maps.
  const masked = () =>
    page.locator(`${own('overview')} canvas`).evaluate((canvas: HTMLCanvasElement) => {
      const tile = Math.floor(canvas.width / 4) - 5;
      return canvas.getContext('2d')?.getImageData(tile, 1, 1, 1).data[0];
    });
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('light');
  await openView(page, 'Embeddings');
  await expect.poll(middle).toBeGreaterThan(180);
  await openView(page, 'Attention');
  await expect.poll(masked).toBeGreaterThan(180);
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('dark');
  await openView(page, 'Embeddings');
  await expect.poll(middle).toBeLessThan(80);
  await openView(page, 'Attention');
  await expect.poll(masked).toBeLessThan(80);
});

test('prompts, tokens and menu take at most 220 px; answer and lab are in the first screen', async ({ page }) => {
  await page.setViewportSize({ width: 1366, height: 768 });
  await openTiny(page);
  await openView(page, 'Answer');
  const top = page.getByRole('region', { name: 'Prompts' });
  expect((await top.boundingBox())?.height).toBeLessThanOrEqual(220);
  // The second is read aloud once the answer rests.
  await expect(page.getByText('“red” (weight 1.3) grows by').first()).toBeInViewport();
  await openView(page, 'Objective');
  const lab = page.getByRole('region', { name: 'Objective', exact: true });
  await expect(lab.getByRole('button', { name: /^(Play|Pause)$/ })).toBeInViewport({ ratio: 1 });
  await expect(lab.getByRole('application')).toBeInViewport({ ratio: 1 });
});

test('no view is longer than two screens and a little', async ({ page }) => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await openTiny(page);
  const heights: Record<string, number> = {};
  for (const view of menuViews) {
    await openView(page, viewTitles[view]);
    heights[view] = await page.evaluate(() => document.documentElement.scrollHeight);
  }
  expect(Object.entries(heights).filter(([, height]) => height > 2100)).toEqual([]);
});

test('the scripts that the page starts with are at most 150 KB, compressed', () => {
  const html = readFileSync('dist/index.html', 'utf8');
  const scripts = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.js)"/g)].map(([, name]) => `dist/${name}`);
  expect(scripts.length).toBeGreaterThan(0);
  const sizes = scripts.map((name) => gzipSync(readFileSync(name)).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(150_000);
});
