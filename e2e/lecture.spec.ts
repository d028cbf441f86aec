import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { type LessonId, lessons, partsOf } from '../src/views/lecture/lessons.ts';
import { own, status, tokenRows } from './page.ts';

const view = (page: Page) => page.getByRole('region', { name: 'Lecture', exact: true });
const body = (page: Page) => view(page).locator(own('body'));

/** Puts the focus on each word that means something, and collects those that light up nothing, or that nothing lights up. */
async function deafWords(page: Page): Promise<string[]> {
  return body(page).evaluate((lesson) => {
    const deaf: string[] = [];
    for (const word of lesson.querySelectorAll<HTMLElement>('button[data-means]')) {
      const { means, token } = word.dataset;
      word.click();
      word.focus();
      const parts = [...lesson.querySelectorAll(`[data-part~="${means}"]`)];
      const isToken = token !== undefined && document.querySelector('[data-token][data-pointed]') !== null;
      if (!isToken && !parts.some((part) => part.hasAttribute('data-lit'))) deaf.push(`${means} lights up nothing`);
      word.blur();
      parts[0]?.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
      if (parts.length > 0 && !word.hasAttribute('data-lit')) deaf.push(`nothing lights up ${means}`);
    }
    return deaf;
  });
}

/** Checks in the page what a lesson's button is said to show. */
const seen: Partial<Record<LessonId, (page: Page) => Promise<void>>> = {
  tokens: (page) => expect(tokenRows(page).last()).toContainText('EOS'),
  'pad-mask': (page) => expect(tokenRows(page).filter({ hasText: 'EOS' }).locator('[data-bit]')).toHaveText('0'),
  weighting: (page) => expect(body(page).locator('tr[data-token="1"]')).toContainText('0 %'),
  'down-weighting': (page) => expect(body(page).locator('[data-part="without"]')).toContainText('0.5000'),
  embedding: async (page) => {
    await expect(
      body(page)
        .locator(`${own('labels')} [data-token="3"]`)
        .first(),
    ).toHaveText('red');
    await expect(body(page).getByTestId('cell-total')).toBeVisible();
  },
  attention: (page) => expect(body(page).getByRole('slider', { name: 'Head' })).toHaveValue('2'),
  masks: (page) =>
    expect(
      page
        .locator(`${own('table')} tbody tr`)
        .filter({ hasText: /^\d+ EOS/ })
        .locator('[data-column="masked"]'),
    ).toHaveText(/%/),
  stack: (page) => expect(view(page)).toContainText('Length of each row'),
  length: (page) => expect(body(page)).toContainText('Token 78 would need row 77 of this table, 128 more numbers.'),
  objective: (page) => expect(body(page).locator('dt', { hasText: 'Steps' }).locator('..')).toContainText('1'),
  temperature: (page) => expect(body(page).locator('output')).toContainText('1.00'),
};

test('a student walks through all lessons: each has its numbers, its words light up, and its button shows what it says', async ({
  page,
}) => {
  await page.goto('/#view=lecture');
  await expect(status(page)).toContainText('Ready');
  for (const [i, { id, title, text, trial, equations }] of lessons.entries()) {
    await expect(page).toHaveURL(new RegExp(`lesson=${id}$`));
    await expect(view(page).getByRole('heading', { level: 3, name: title })).toBeVisible();
    await expect(body(page)).toContainText(partsOf(text)[0].words.trim());
    // A picture is there as soon as its numbers are.
    await expect(body(page).locator('canvas, table, [data-part="hidden"]').first()).toBeVisible();
    if (id === 'masks') await expect(page.getByRole('status', { name: 'Mask lab' })).toContainText('4 of 4');
    expect(await body(page).locator('math').count(), id).toBeGreaterThan(0);
    for (const number of equations.slice(0, 1)) await expect(body(page)).toContainText(String(number));
    expect(await deafWords(page), id).toEqual([]);
    await body(page).getByRole('button', { name: trial.label }).click();
    await expect(body(page).getByRole('status').filter({ hasText: trial.look })).toBeVisible();
    await seen[id]?.(page);
    await body(page).getByRole('button', { name: 'Put it back' }).click();
    if (i === 0 || i === 9 || i === 15) {
      const { violations } = await new AxeBuilder({ page }).setLegacyMode().include(own('views')).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 160)}`)).toEqual([]);
    }
    // By keyboard to the next one, whose title takes the focus.
    const next = lessons[i + 1];
    if (!next) break;
    await view(page).getByRole('link', { name: next.title, exact: false }).last().press('Enter');
    await expect(view(page).getByRole('heading', { level: 3, name: next.title })).toBeFocused();
  }
});
