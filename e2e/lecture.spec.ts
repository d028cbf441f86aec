import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { type LessonId, lessons, partsOf, tokenWords } from '../src/views/lecture/lessons.ts';
import { undescribed } from './described.ts';
import { own, prompt, status, tokenRows } from './page.ts';

const view = (page: Page) => page.getByRole('region', { name: 'Lecture', exact: true });
const body = (page: Page) => view(page).locator(own('body'));

/** Puts the focus on each word that means something, and collects those that light up nothing, or that nothing lights up. */
async function deafWords(page: Page): Promise<string[]> {
  // A pointer within the lesson would point by itself whenever the page moves under it.
  await page.mouse.move(0, 0);
  return body(page).evaluate(async (lesson, tokenWords) => {
    const deaf: string[] = [];
    const point = (type: string, target: Element) => target.dispatchEvent(new PointerEvent(type, { bubbles: true }));
    for (const word of lesson.querySelectorAll<HTMLElement>('button[data-means]')) {
      const { means = '' } = word.dataset;
      const isOfTokens = tokenWords.includes(means);
      const [part, mark] = isOfTokens ? ['[data-token]', 'data-pointed'] : [`[data-part~="${means}"]`, 'data-lit'];
      word.click();
      word.focus();
      const parts = [...document.querySelectorAll(part)].filter((each) => isOfTokens || lesson.contains(each));
      const lit = parts.filter((each) => each.hasAttribute(mark));
      if (lit.length === 0) deaf.push(`${means} lights up nothing`);
      word.blur();
      if (lit[0]) point('pointerover', lit[0]);
      // A word of tokens is rendered anew.
      await new Promise((resolve) => requestAnimationFrame(resolve));
      if (!word.hasAttribute(mark)) deaf.push(`nothing lights up ${means}`);
      if (lit[0]) point('pointerout', lit[0]);
    }
    return deaf;
  }, tokenWords);
}

const layer = (page: Page) => body(page).getByRole('slider', { name: 'Layer' });
const matrix = (page: Page, name: RegExp) => body(page).getByRole('radio', { name });
const options = (page: Page) => page.getByRole('button', { name: /^Options:/ });

/** Checks in the page what a lesson's button is said to show. */
const seen: Readonly<Record<LessonId, (page: Page) => Promise<void>>> = {
  pipeline: (page) => expect(prompt(page)).toHaveText('a red circle left of a green square'),
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
  'layer-norm': (page) => expect(layer(page)).toHaveValue('6'),
  activations: (page) => expect(matrix(page, /^Softmax/)).toBeChecked(),
  attention: (page) => expect(body(page).getByRole('slider', { name: 'Head' })).toHaveValue('2'),
  masks: (page) =>
    expect(
      page
        .locator(`${own('table')} tbody tr`)
        .filter({ hasText: /^\d+ EOS/ })
        .locator('[data-column="masked"]'),
    ).toHaveText(/%/),
  mlp: (page) => expect(matrix(page, /^Second/)).toBeChecked(),
  layer: async (page) => {
    await expect(layer(page)).toHaveValue('6');
    await expect(body(page).getByTestId('cell-total')).toBeVisible();
  },
  stack: async (page) => {
    await expect(options(page)).toContainText('1 changed');
    await expect(body(page)).toContainText('State after the final LayerNorm');
  },
  length: async (page) => {
    await expect(page.getByRole('group', { name: 'Chunk shown' }).getByRole('radio')).toHaveCount(2);
    await expect(body(page)).toContainText('Token 78 would need row 77 of this table, 128 more numbers.');
  },
  objective: (page) => expect(body(page).locator('dt', { hasText: 'Steps' }).locator('..')).toContainText('1'),
  temperature: (page) => expect(body(page).locator('output')).toContainText('1.00'),
};

/** Everything that a lesson's button can change: prompts, options, and the choices in the lesson. */
const state = async (page: Page) => [
  await prompt(page).textContent(),
  await options(page).textContent(),
  ...(await body(page)
    .locator('input:checked, input[type="range"]')
    .evaluateAll((inputs) =>
      inputs.map((input) => (input as HTMLInputElement).ariaLabel ?? (input as HTMLInputElement).value),
    )),
];

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
    // An equation has its number in the lecture, and numbers of what is on show.
    await expect(body(page)).toContainText(new RegExp(`\\((${equations.join('|')})\\D`));
    await expect(
      body(page).locator('[data-filled] mn, [data-testid="cell-total"], [data-part^="equation-"] mn').first(),
    ).toBeVisible();
    expect(await deafWords(page), id).toEqual([]);
    await expect.poll(() => undescribed(page), { message: id }).toEqual([]);
    const before = await state(page);
    await body(page).getByRole('button', { name: trial.label }).click();
    await expect(body(page).getByRole('status').filter({ hasText: trial.look })).toBeVisible();
    await seen[id](page);
    await body(page).getByRole('button', { name: 'Put it back' }).click();
    await expect.poll(() => state(page), { message: id }).toEqual(before);
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
