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

test('the lab trains while it is on show, and not behind another view', async ({ page }) => {
  await openLab(page, '&lab.batch=8');
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
});
