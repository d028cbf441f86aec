import { existsSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { smallDenoiserFile } from '../src/pictures/testing/smallDenoiser.ts';
import { methodNames } from '../src/weighting/methods.ts';
import { prompt, strayed } from './page.ts';

const panel = (page: Page) => page.getByRole('region', { name: 'Picture', exact: true });
const said = (page: Page) => panel(page).getByRole('status');
const pictures = (page: Page) => panel(page).getByRole('img');
const study = (page: Page, name: string) => panel(page).locator('details', { hasText: name });
const frames = (page: Page, name: string) => study(page, name).locator('canvas[role=img]');
const modelFile = '**/small-pictures/model.safetensors';

test('the prompt is drawn from four seeds as it is typed, and each study has its pictures', async ({ page }) => {
  await page.route(modelFile, (route) =>
    route.fulfill({ body: Buffer.from(smallDenoiserFile()), contentType: 'application/octet-stream' }),
  );
  await page.goto('./#view=picture');
  await expect(said(page)).toHaveText(
    /^The prompt says “red circle left of blue square”: \d of 4 pictures show that\.$/,
  );
  await expect(pictures(page)).toHaveCount(4);
  const before = await pictures(page).first().screenshot();
  await panel(page).getByRole('spinbutton', { name: 'Steps' }).fill('5');
  await prompt(page).fill('a large green star');
  await expect(said(page)).toHaveText(/^The prompt says “large green star”/);
  expect((await pictures(page).first().screenshot()).equals(before)).toBe(false);

  for (const [name, count] of [
    ['Methods side by side', methodNames.length],
    ['A weight from −1 to 3', 17],
    ['Layer by layer', 7],
    ['Which rows carry the meaning', 5],
  ] as const) {
    await study(page, name).locator('summary').click();
    await expect(frames(page, name)).toHaveCount(count);
  }
  const strip = study(page, 'A weight from −1 to 3');
  await expect(strip.getByRole('combobox')).toHaveValue('large');
  // Each method has a sentence about where the picture breaks, and a curve; not weighted is no weighting.
  await strip.getByRole('checkbox', { name: 'By every method' }).check();
  const weighing = methodNames.length - 1;
  await expect(strip.getByRole('radio')).toHaveCount(weighing);
  await expect(strip.getByRole('listitem').filter({ hasText: /: the picture / })).toHaveCount(weighing);
  await expect(
    strip.getByRole('img', { name: `The area in pictures of weights from −1 to 3, by ${weighing} methods` }),
  ).toBeVisible();
  const looks = study(page, 'Where a word looks');
  await looks.locator('summary').click();
  await looks.getByRole('button', { name: 'green' }).hover();
  await expect(looks.locator('.readout')).toHaveText(/^green gets [\d.]+ % of all looks/);
  const figure = study(page, 'From text to picture');
  await figure.locator('summary').click();
  await expect(figure.getByRole('img', { name: 'The conditioning: 77 rows of 128 numbers' })).toBeVisible();
  await prompt(page).fill('a red star AND a blue circle :0.5');
  await expect(figure.getByRole('img', { name: 'The conditioning of part 2: 77 rows of 128 numbers' })).toBeVisible();
  await expect(figure).toContainText('part 2, × 0.5');
  const { violations } = await new AxeBuilder({ page }).include('#picture').analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).toEqual([]);
});

test('without a model the page says so', async ({ page }) => {
  await page.route(modelFile, (route) => route.fulfill({ status: 404 }));
  await page.goto('./#view=picture');
  await expect(panel(page).getByRole('alert')).toHaveText(/^This page has no picture model yet: /);
  await expect(pictures(page)).toHaveCount(0);
});

test('the page’s own model draws red, then blue; words point at their objects, a weight moves what it names, and nobody else is asked', async ({
  page,
}) => {
  test.skip(!existsSync('public/small-pictures/model.safetensors'), 'This build has no picture model.');
  test.slow();
  const strays = strayed(page);
  await page.goto('./#view=picture');
  for (const colour of ['red', 'blue']) {
    await prompt(page).fill(`a ${colour} circle`);
    await expect(said(page)).toHaveText(
      new RegExp(`^The prompt says “${colour} circle”: [34] of 4 pictures show that`),
    );
  }

  // The last layer’s picture is that of the seed itself: of one whose picture is right.
  const right = await panel(page)
    .getByRole('figure')
    .filter({ hasText: /right$/ })
    .first()
    .textContent();
  const [, seed] = right!.match(/^Seed (\d)blue circleright$/)!;
  await panel(page).getByRole('spinbutton', { name: 'Seeds from' }).fill(seed);
  await study(page, 'Layer by layer').locator('summary').click();
  const ofLayers = study(page, 'Layer by layer').getByRole('figure');
  await expect(ofLayers.last()).toHaveText('layer 6blue circleright');
  await expect(ofLayers.first()).toHaveText(/^embeddings.*wrong/);
  await study(page, 'Layer by layer').locator('summary').click();

  // Half as many steps show the same, sooner.
  await panel(page).getByRole('spinbutton', { name: 'Steps' }).fill('10');
  const looks = study(page, 'Where a word looks');
  const readout = looks.locator('.readout');
  await looks.locator('summary').click();
  await prompt(page).fill('a large red circle left of a blue square');
  await expect(said(page)).toHaveText(/^The prompt says “large red circle left of blue square”/);
  for (const [word, place] of [
    ['red', 'in the red circle'],
    ['blue', 'in the blue square'],
  ]) {
    await looks.getByRole('button', { name: word }).hover();
    await expect(readout).toHaveText(new RegExp(`^${word} gets [\\d.]+ % of all looks, and most of them ${place}\\.$`));
  }
  // A row of zeros is looked at as much as any that says nothing.
  const shareOfRed = async () => Number((await readout.textContent())?.match(/^red gets ([\d.]+) %/)?.[1]);
  await looks.getByRole('button', { name: 'red' }).hover();
  const typed = await shareOfRed();
  await prompt(page).fill('a large (red:0) circle left of a blue square');
  await expect(said(page)).toHaveText(/^The prompt says “large circle left of blue square”/);
  await looks.getByRole('button', { name: 'red' }).hover();
  await expect.poll(shareOfRed).not.toBe(typed);

  // At the first step the page shows “big red”, and the picture has the last step’s “blue”: a token has its own word’s row in both.
  await prompt(page).fill('a [big red:blue:0.5] circle');
  await expect(looks.getByRole('button', { name: 'blue' })).toBeVisible();
  await page.locator('.cm-content [data-token="4"]').hover();
  await expect(readout).toHaveText(/^circle gets/);
  await looks.locator('summary').click();

  await prompt(page).fill('a large red circle left of a blue square');
  const strip = study(page, 'A weight from −1 to 3');
  await page.getByRole('heading', { level: 1 }).hover();
  await strip.locator('summary').click();
  await expect(strip.getByRole('combobox')).toHaveValue('large');
  await expect(strip.getByText(/^A1111 Original: the picture keeps its objects (at every weight|from )/)).toBeVisible();
  const chart = strip.getByRole('img', {
    name: /^The area in pictures of weights from −1 to 3, by A1111 Original[.;]/,
  });
  await expect(chart.locator('path[d*="L"]')).toHaveCount(1);
  expect(strays).toEqual([]);
});
