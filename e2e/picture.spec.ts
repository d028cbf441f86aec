import { existsSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { smallDenoiserFile } from '../src/pictures/testing/smallDenoiser.ts';
import { methodNames } from '../src/weighting/methods.ts';
import { prompt, strayed } from './page.ts';

const panel = (page: Page) => page.getByRole('region', { name: 'Picture', exact: true });
const said = (page: Page) => panel(page).getByRole('status');
const pictures = (page: Page) => panel(page).getByRole('img');
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

  const study = (name: string) => panel(page).locator('details', { hasText: name });
  for (const [name, count] of [
    ['Methods side by side', methodNames.length],
    ['A weight from −1 to 3', 17],
    ['Layer by layer', 7],
    ['Which rows carry the meaning', 5],
  ] as const) {
    await study(name).locator('summary').click();
    await expect(study(name).locator('canvas[role=img]')).toHaveCount(count);
  }
  await expect(study('A weight from −1 to 3').getByRole('combobox')).toHaveValue('large');
  const looks = study('Where a word looks');
  await looks.locator('summary').click();
  await looks.getByRole('button', { name: 'green' }).hover();
  await expect(looks.locator('.readout')).toHaveText(/^green gets [\d.]+ % of all looks/);
  await study('From text to picture').locator('summary').click();
  await expect(
    study('From text to picture').getByRole('img', { name: 'The conditioning: 77 rows of 128 numbers' }),
  ).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).include('#picture').analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).toEqual([]);
});

test('the page’s own model draws red, then blue, and asks nobody else; without a model the page says so', async ({
  page,
}) => {
  const strays = strayed(page);
  await page.goto('./#view=picture');
  if (existsSync('public/small-pictures/model.safetensors')) {
    for (const colour of ['red', 'blue']) {
      await prompt(page).fill(`a ${colour} circle`);
      await expect(said(page)).toHaveText(
        new RegExp(`^The prompt says “${colour} circle”: [34] of 4 pictures show that`),
      );
    }
  } else {
    await expect(panel(page).getByRole('alert')).toHaveText(/^This page has no picture model yet: /);
    await expect(pictures(page)).toHaveCount(0);
  }
  expect(strays).toEqual([]);
});
