import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { openView } from './page.ts';

const lab = (page: Page) => page.getByRole('region', { name: 'Objective', exact: true });
const number = (page: Page, name: string) =>
  lab(page).locator('dl').first().locator('div', { hasText: name }).locator('dd');

/** Opens the lab without the encoder's own work, as reduced motion has it: nothing plays by itself. */
async function openLab(page: Page, settings = ''): Promise<void> {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.addInitScript(() => {
    localStorage.clipscope ??= JSON.stringify({ syntheticSize: 'tiny' });
  });
  await page.goto(`./#view=objective${settings}`);
  await expect(lab(page).getByRole('application')).toBeVisible();
}

async function trainUntil(page: Page, steps: number): Promise<void> {
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await expect(async () => {
    expect(Number((await number(page, 'Steps').textContent())!.replace(',', ''))).toBeGreaterThanOrEqual(steps);
  }).toPass();
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
}

test('from scratch to a diagonal; a hand on τ changes the entropy of a row as float64 has it', async ({ page }) => {
  await openLab(page, '&lab.seed=2');
  await expect(number(page, 'Steps')).toHaveText('0');
  await trainUntil(page, 200);
  const picture = lab(page).getByRole('application');
  const summary = await picture.getByRole('img').first().getAttribute('aria-label');
  const diagonal = Number(/([\d.]+)\.$/.exec(summary!)![1]);
  expect(diagonal).toBeGreaterThan(4 / 32);

  // The settings that a run has are in the address, and a reload brings them back.
  await page.getByRole('radio', { name: 'by hand' }).check();
  const slider = lab(page).getByRole('slider');
  await slider.press('Home');
  await expect(slider).toHaveAttribute('aria-valuetext', '0.01');
  await expect(page).toHaveURL(/#view=objective&lab\.seed=2&lab\.temperature=0\.01$/);
  const entropy = async () => {
    const text = await lab(page)
      .getByText(/^entropy/)
      .first()
      .textContent();
    return Number(/[\d.]+/.exec(text!)![0]);
  };
  const sharp = await entropy();
  // Logits at τ = 0.01 over τ = 1: a row of cosines alone, whose entropy is computed here.
  await slider.press('End');
  await expect(slider).toHaveAttribute('aria-valuetext', '1');
  await page.getByRole('radio', { name: 'Cosine' }).check();
  await picture.focus();
  const cosines: number[] = [];
  await picture.press('Home');
  for (let column = 0; column < 32; column++) {
    const cell = lab(page).getByRole('region', { name: 'Cell' });
    await expect(cell.getByText(new RegExp(`^Picture ${column + 1}(,|$)`)).first()).toBeVisible();
    cosines.push(Number((await cell.locator('dd').first().textContent())!.replace('−', '-')));
    await picture.press('ArrowRight');
  }
  const exps = cosines.map(Math.exp);
  const sum = exps.reduce((a, b) => a + b);
  const expected = -exps.reduce((bits, e) => bits + (e / sum) * Math.log2(e / sum), 0);
  expect(Math.abs((await entropy()) - expected)).toBeLessThan(0.011);
  expect(sharp).toBeLessThan(expected);

  await page.reload();
  await expect(lab(page).getByLabel('Seed')).toHaveValue('2');
  await expect(lab(page).getByRole('slider')).toHaveAttribute('aria-valuetext', '1');
});

test('the lab does not write its address over that of a view which is just being opened', async ({ page }) => {
  await page.goto('./#view=tokens');
  await openView(page, 'Objective');
  await openView(page, 'Tokens');
  const hash = await page.evaluate(async () => {
    location.hash = '#view=objective';
    while (!document.querySelector('#objective')?.checkVisibility()) await new Promise(requestAnimationFrame);
    // A click on a link changes the address before the page hears of it.
    history.pushState(null, '', '#view=checkpoint');
    await new Promise((resolve) => setTimeout(resolve, 600));
    return location.hash;
  });
  expect(hash).toBe('#view=checkpoint');
});

test('the lab trains while it is on show, and not behind another view', async ({ page }) => {
  await openLab(page, '&lab.batch=8&lab.side=none');
  const alert = page.getByRole('alert');
  await expect(alert).toContainText(
    'The link has “none” for “lab.side”, which takes one of both, text, image; both is taken instead.',
  );
  await alert.getByRole('button', { name: 'Dismiss' }).click();
  const seed = lab(page).getByRole('spinbutton', { name: 'Seed' });
  await seed.fill('1.5');
  await expect(seed).toHaveAccessibleDescription('Seed: a whole number, 0 to 2147483647. 1 stays in use.');
  await expect(alert).toHaveText('Seed: a whole number, 0 to 2147483647. 1 stays in use.');
  await seed.fill('3');
  await expect(alert).toHaveCount(0);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await expect(number(page, 'Steps')).not.toHaveText('0');
  await openView(page, 'Speed');
  const hidden = page.locator('#objective dl').first().locator('dd').first();
  // The call under way still brings its last step.
  await page.waitForTimeout(1500);
  const steps = await hidden.textContent();
  await page.waitForTimeout(1500);
  expect(await hidden.textContent()).toBe(steps);
  await openView(page, 'Objective');
  await expect(number(page, 'Steps')).not.toHaveText(steps!);
  await expect(alert).toHaveCount(0);

  // A link that is opened while another view is on show is followed, too.
  await openView(page, 'Speed');
  await page.evaluate(() => location.assign('#view=objective&lab.batch=16'));
  await expect(lab(page).getByLabel('Pairs in a batch (N)')).toHaveValue('16');
});

const ranked = (page: Page, name: string) => lab(page).getByRole('list', { name }).getByRole('listitem');

test('a picture of one’s own ranks captions, a caption ranks pictures, and unknown words are marked', async ({
  page,
}) => {
  await openLab(page, '&lab.from=shipped');
  await lab(page).getByText('Your own picture and caption').click();
  const captions = ranked(page, 'Captions for your picture');
  const pictures = ranked(page, 'Pictures for your caption');
  const place = (caption: string) => captions.filter({ hasText: new RegExp(`% ${caption}`) });
  // Three captions are true: with everything, with the relation, and without.
  await expect(place('red circle left of blue square')).toHaveText(/^[1-3]\. /);
  const own = pictures.filter({ hasText: 'your picture' });
  const cosine = async () => Number(/cosine\s+(−?[\d.]+)/.exec(await own.innerText())?.[1].replace('−', '-'));
  await expect(pictures.first()).toHaveText(/^1\. [\d.]+ % your picture, cosine 0\.\d+$/);
  const before = await cosine();
  await expect(captions.filter({ hasText: 'cat' })).toHaveText(/% a photo of a cat\?? \(not in this model’s world\)/);

  // Two objects that change places by keys are the other caption's picture.
  await lab(page)
    .getByRole('button', { name: /^Object 1, red circle/ })
    .press('End');
  await lab(page)
    .getByRole('button', { name: /^Object 2, blue square/ })
    .press('Home');
  await expect(place('red circle right of blue square')).toHaveText(/^[1-3]\. /);
  await expect.poll(cosine).toBeLessThan(before - 0.1);

  // The pointer moves an object, and paints.
  const drag = async (from: number, to: number) => {
    const stage = lab(page).getByRole('img', { name: /^Your picture: red/ });
    await stage.scrollIntoViewIfNeeded();
    const { x, y, width, height } = (await stage.boundingBox())!;
    await page.mouse.move(x + from * width, y + 0.5 * height);
    await page.mouse.down();
    await page.mouse.move(x + to * width, y + 0.9 * height, { steps: 4 });
    await page.mouse.up();
  };
  await drag(0.83, 0.2);
  await expect(lab(page).getByRole('img', { name: /^Your picture: red circle below blue square$/ })).toBeVisible();
  await page.getByRole('radio', { name: 'paints' }).check();
  await drag(0.5, 0.9);
  await expect(lab(page).getByRole('img', { name: /with 1 painted line$/ })).toBeVisible();

  // The cell shows its vectors, and where its caption and its picture are looked at.
  const cell = lab(page).getByRole('region', { name: 'Cell' });
  await expect(cell.getByRole('img', { name: /^u ⊙ v, products: 128 numbers/ })).toBeVisible();
  await expect(cell.getByRole('list', { name: 'Attention of caption 1’s end' })).toContainText(/^startoftext \d+ %/);
  await expect(cell.getByRole('img', { name: /^Attention of picture 1’s class token to 8 × 8 patches/ })).toBeVisible();

  // The address brings the picture and the captions back.
  await lab(page)
    .getByLabel(/^Captions of yours/)
    .fill('red & blue');
  await lab(page)
    .getByLabel(/^A caption that ranks/)
    .fill('a blue square');
  await expect(page).toHaveURL(/&lab\.objects=.*&lab\.query=a%20blue%20square&lab\.typed=red%20%26%20blue&lab\.lines=/);
  await page.reload();
  await expect(
    lab(page).getByRole('img', { name: /^Your picture: red circle below blue square, with 1/ }),
  ).toBeVisible();
  await expect(lab(page).getByLabel(/^Captions of yours/)).toHaveValue('red & blue');
  await expect(lab(page).getByLabel(/^A caption that ranks/)).toHaveValue('a blue square');
  await expect(captions.filter({ hasText: /% red &/ })).toHaveAttribute('data-own', 'true');

  await lab(page).getByText('The same in open_clip').click();
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().include('#objective').analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).toEqual([]);
});

test('texts are compared with texts by the page’s model, which has a projection and a temperature', async ({
  page,
}) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.goto('./#view=objective&lab.batch=8');
  await lab(page).getByText('Texts against texts, by the model in use').click();
  await expect(lab(page).getByText(/^τ = 0\.0\d+, from the file’s logit_scale/)).toBeVisible();
  const cells = lab(page).getByRole('application', { name: /texts with each other/ });
  await cells.press('Home');
  await expect(lab(page).getByText(/cosine 1\.0000, logit [\d.]+, softmax by row [\d.]+ %$/)).toBeVisible();
  await cells.press('ArrowRight');
  await expect(lab(page).getByText(/ with 2 “blue circle left of red square”: cosine 0\.\d{4}, logit/)).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().include('#objective').analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).toEqual([]);
});
