import { expect, type Page, test } from '@playwright/test';
import { negativePrompt, openOptions, openPage, openTiny, own, prompt, status, tokenRows } from './page.ts';

const language = (page: Page) => page.getByRole('combobox', { name: 'Read as' });
const weight = (page: Page, row: number) => tokenRows(page).nth(row).getByRole('cell').nth(3);

test('the same text weighs otherwise in another language', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('(a (cat:2):3)');
  await expect(weight(page, 2)).toHaveText('6');
  await language(page).selectOption('comfy');
  await expect(weight(page, 2)).toHaveText('2');
  await openOptions(page);
  await expect(page.getByRole('combobox', { name: 'Weighting' })).toHaveValue('comfy');
  await expect(status(page)).toContainText('Ready');
  await language(page).selectOption('compel');
  await expect(page.getByRole('combobox', { name: 'Weighting' })).toHaveValue('compel-mask');
  await prompt(page).fill('a cat++ and (a dog)0.5');
  await expect(weight(page, 2)).toHaveText('1.21');
  await expect(weight(page, 5)).toHaveText('0.5');
  await expect(status(page)).toContainText('Ready');
  await page.reload();
  await expect(language(page)).toHaveValue('compel');
});

test('B20: the tokenizer follows the language until another is chosen, which is told where it matters', async ({
  page,
}) => {
  await openTiny(page);
  await prompt(page).fill('a cat that don’t see “猫” schÃ¶n');
  const ids = async () => (await tokenRows(page).locator('td:nth-of-type(2)').allInnerTexts()).join(' ');
  const withFtfy = '49406 320 2368 682 847 713 862 257 163 234 360 257 844 7255 333 49407';
  await expect.poll(ids).toContain(withFtfy);
  await language(page).selectOption('comfy');
  await expect.poll(ids).toContain('49406 320 2368 682 847 728 503 339 862 728 506 163 234 360 728 507 ');
  await openOptions(page);
  const tokenizer = page.getByRole('combobox', { name: 'Tokenizer' });
  await expect(tokenizer.locator('option:checked')).toHaveText('As ComfyUI: transformers 4');
  await tokenizer.selectOption('hf-slow-ftfy');
  await expect.poll(ids).toContain(withFtfy);
  await expect(page.getByText('ComfyUI’s own tokenizer makes other tokens of this')).toBeVisible();
  await language(page).selectOption('a1111');
  await language(page).selectOption('comfy');
  await page.reload();
  await openOptions(page);
  await expect(tokenizer).toHaveValue('hf-slow-ftfy');
  await page.getByRole('button', { name: 'ComfyUI', exact: true }).click();
  await expect(tokenizer).toHaveValue('program');
});

test('a long prompt is encoded chunk by chunk, with the boundaries in the editor', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill(`${'cat '.repeat(70)}, ${'dog '.repeat(20)} BREAK grass`);
  await expect(page.locator(`#prompts ${own('count')}`).first()).toHaveText(
    '92 tokens in 3 chunks (A1111 shows 151/225)',
  );
  const chunks = page.getByRole('group', { name: 'Chunk shown' }).getByRole('radio');
  await expect(chunks).toHaveCount(3);
  // The caret is at the end.
  await prompt(page).press('ControlOrMeta+End');
  await expect(page.getByRole('radio', { name: 'Chunk 3 1/75' })).toBeChecked();
  await expect(tokenRows(page).nth(1)).toContainText('grass');
  await expect(page.locator('.cm-content .starts-chunk')).toHaveText(['dog', 'grass']);
  await page.getByRole('radio', { name: 'Chunk 1 71/75' }).check({ force: true });
  await expect(tokenRows(page).nth(71)).toContainText(',');
  await expect(status(page)).toContainText('Ready');
  await openOptions(page);
  await page.getByRole('spinbutton', { name: 'Comma backtracking' }).fill('0');
  await expect(page.getByRole('radio', { name: 'Chunk 1 75/75' })).toBeChecked();
});

test('the step slider shows which text is encoded at that step', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a [cat:dog:0.5] on [grass|sand]');
  const words = () =>
    tokenRows(page)
      .locator(own('word'))
      .allInnerTexts()
      .then((all) => all.map((word) => word.replace('</w>', '')).join(' '));
  const slider = page.getByRole('slider', { name: 'Step' });
  await expect(slider).toHaveAttribute('aria-valuetext', '1 of 20');
  expect(await words()).toBe('a cat on grass');
  await expect(page.locator('.cm-content .inactive')).toHaveText(['[', ':dog:0.5]', '[', '|sand]']);
  await slider.fill('13');
  await expect.poll(words).toBe('a dog on sand');
  await expect(page.locator(`${own('schedule')} [aria-current]`)).toContainText('a dog on sand');
  await openOptions(page);
  await page.getByRole('spinbutton', { name: 'Steps' }).fill('40');
  await expect.poll(words).toBe('a cat on sand');
  await prompt(page).fill('a cat');
  await expect(slider).toHaveCount(0);
});

test('ComfyUI’s page removes comments and chooses, by a seed or as is picked, also after a reload', async ({
  page,
}) => {
  await openTiny(page);
  await language(page).selectOption('comfy');
  await prompt(page).fill('a {red|blue} cat // note');
  const words = () =>
    tokenRows(page)
      .locator(own('word'))
      .allInnerTexts()
      .then((all) => all.map((word) => word.replace('</w>', '')).join(' '));
  const choice = page.getByRole('region', { name: 'Choice in {a|b}' });
  await choice.getByRole('button', { name: 'Variant 2' }).click();
  await expect.poll(words).toBe('a blue cat');
  await expect(choice.locator('[aria-current]')).toContainText('a blue cat');
  await expect(page.locator('.cm-content .inactive')).toHaveText(['red']);
  await expect(page.locator('.cm-content .comment')).toHaveText(['// note']);
  await expect(page.getByText('ComfyUI’s page chooses one of 2 here: this time “blue”.')).toBeVisible();
  await expect(page.getByText('ComfyUI’s page removes this comment before it reads the prompt.')).toBeVisible();
  // The weight of a word in the option goes into the option.
  await prompt(page).press('ControlOrMeta+Home');
  for (let i = 0; i < 9; i++) await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ControlOrMeta+ArrowUp');
  await expect(prompt(page)).toHaveText('a {red|(blue:1.05)} cat // note');
  await page.reload();
  await expect.poll(words).toBe('a blue cat');
  await choice.getByRole('button', { name: /^Seed/ }).click();
  const seed = page.getByRole('spinbutton', { name: 'Seed of {a|b}' });
  const seen = new Set<string>();
  for (let i = 0; i < 12; i++) {
    await expect(seed).toHaveValue(String(i));
    seen.add(await words());
    await choice.getByRole('button', { name: 'Next seed' }).click();
  }
  expect([...seen].sort()).toEqual(['a blue cat', 'a red cat']);
  await openOptions(page);
  await page.getByRole('combobox', { name: 'ComfyUI’s page: comments and {a|b}' }).selectOption('api');
  await expect(choice).toHaveCount(0);
  await expect.poll(words).toContain('note');
  await expect(status(page)).toContainText('Ready');
});

test('the parts of an AND are encoded apart', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a cat :1.2 AND a dog');
  await expect(page.locator(own('strip'))).toContainText('AND part, guidance × 1.2');
  await prompt(page).press('ControlOrMeta+End');
  await expect(tokenRows(page).nth(2)).toContainText('dog');
  await prompt(page).press('ControlOrMeta+Home');
  await expect(tokenRows(page).nth(2)).toContainText('cat');
  await expect(status(page)).toContainText('Ready');
});

test('prompts are converted with the same weights, or it is said where they cannot be; one undo takes it back', async ({
  page,
}) => {
  await openPage(page);
  await prompt(page).fill('a ((cat:1.3)) BREAK [dog]');
  await negativePrompt(page).fill('(fog)');
  await page.getByRole('button', { name: 'Convert…' }).click();
  const inCompel = page.getByRole('region', { name: 'Prompt in Compel', exact: true });
  await expect(inCompel.locator(own('converted'))).toHaveText('("a (cat)1.43", "(dog)0.909090909091").and()');
  await expect(inCompel).toContainText('All 4 tokens are there and weigh the same.');
  await page.getByRole('radio', { name: 'ComfyUI' }).check({ force: true });
  const inComfy = page.getByRole('region', { name: 'Prompt in ComfyUI', exact: true });
  await expect(inComfy).toContainText('3 of 4 tokens are there and weigh the same.');
  await expect(inComfy.getByRole('row', { name: 'BREAK' })).toContainText('not there');
  await page.getByRole('radio', { name: 'Compel' }).check({ force: true });
  await page.getByRole('button', { name: 'Use this' }).click();
  await expect(prompt(page)).toHaveText('("a (cat)1.43", "(dog)0.909090909091").and()');
  await expect(negativePrompt(page)).toHaveText('(fog)+');
  await expect(language(page)).toHaveValue('compel');
  await prompt(page).focus();
  await page.keyboard.press('ControlOrMeta+Z');
  await expect(prompt(page)).toHaveText('a ((cat:1.3)) BREAK [dog]');
  await expect(negativePrompt(page)).toHaveText('(fog)');
  await expect(language(page)).toHaveValue('a1111');
});

test('what was written for another program is told, and read as that', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a cat++ and (a dog)1.2');
  await page.getByRole('button', { name: 'Read it as Compel' }).click();
  await expect(language(page)).toHaveValue('compel');
  await expect(weight(page, 2)).toHaveText('1.21');
  await expect(page.getByRole('button', { name: /^Read it as/ })).toHaveCount(0);
});

test('weight keys write the language that is chosen', async ({ page }) => {
  await openPage(page);
  await language(page).selectOption('compel');
  await prompt(page).fill('a red car');
  await prompt(page).press('ControlOrMeta+End');
  await page.keyboard.press('ControlOrMeta+ArrowUp');
  await expect(prompt(page)).toHaveText('a red (car)1.05');
  await language(page).selectOption('comfy');
  await prompt(page).fill('(a red car:1.3)');
  await prompt(page).press('ControlOrMeta+End');
  await page.keyboard.press('ControlOrMeta+ArrowUp');
  await expect(prompt(page)).toHaveText('(a red car:1.35)');
});
