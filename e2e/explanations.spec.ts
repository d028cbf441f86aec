import AxeBuilder from '@axe-core/playwright';
import { expect, type Locator, test } from '@playwright/test';
import { openPage, openView, own } from './page.ts';

test('controls say what they do: on hover, on focus, to screen readers, and all at once behind the question mark', async ({
  page,
}) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await openPage(page);
  await openView(page, 'Attention');
  const tip = page.locator(own('tip'));
  const isClearOf = async (control: Locator) => {
    const [a, b] = [await tip.boundingBox(), await control.boundingBox()];
    if (!a || !b) throw new Error('The tip or its control is not on the page.');
    expect(a.y >= b.y + b.height || a.y + a.height <= b.y).toBe(true);
    expect(a.x >= 0 && a.x + a.width <= 390).toBe(true);
  };

  const hideBos = page.getByRole('checkbox', { name: 'Hide BOS' });
  await expect(hideBos).toHaveAccessibleDescription(/which takes most of the attention/);
  await hideBos.hover();
  await expect(tip).toHaveText(/which takes most of the attention/);
  await isClearOf(hideBos);
  await page.keyboard.press('Escape');
  await expect(tip).toBeHidden();

  // Focus shows it, too, with what is chosen.
  const scale = page.getByRole('combobox', { name: 'Colour scale' });
  await scale.selectOption('Logarithmic');
  await expect(scale).toHaveAccessibleDescription(/Logarithmic brings out/);
  await page.getByRole('checkbox', { name: 'Mean over heads' }).focus();
  await page.keyboard.press('Tab');
  await expect(tip).toHaveText(/Logarithmic brings out/);
  await isClearOf(scale);
  // A press is an answer already.
  await hideBos.click();
  await expect(tip).toBeHidden();

  await page.getByRole('button', { name: 'What is this?' }).click();
  const help = page.getByRole('dialog', { name: 'What is this?' });
  for (const text of [/which takes most of the attention/, /reads instead of letters/, /Your prompt in A1111/])
    await expect(help.getByText(text).first()).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().include('dialog').analyze();
  expect(violations).toEqual([]);
  await page.keyboard.press('Escape');
  await expect(help).toBeHidden();
  await expect(page.getByRole('button', { name: 'What is this?' })).toBeFocused();

  // The list is of the view on show: Back leaves both.
  await page.getByRole('button', { name: 'What is this?' }).click();
  await expect(help).toBeVisible();
  await page.goBack();
  await expect(help).toBeHidden();
  await expect(page.getByRole('region', { name: 'Tokens', exact: true }).first()).toBeVisible();
});
