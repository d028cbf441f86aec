import { expect, type Page, test } from '@playwright/test';
import { encodingCost, openTiny, openView, own, prompt, status, tokenRows } from './page.ts';

/** Presses Tab until `found` says that the focus has arrived. */
async function tabTo(page: Page, what: string, found: (element: Element) => boolean): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluateHandle(() => document.activeElement ?? document.body);
    if (await focused.evaluate(found)) return;
  }
  throw new Error(`Tab never came to ${what}.`);
}

test('from the prompt to an attention value without a pointer', async ({ page }) => {
  await openTiny(page);
  await tabTo(page, 'the prompt', (element) => element.id === 'prompt-positive');
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('a (red:1.3) car');
  await expect(tokenRows(page)).toHaveCount(6);

  // Passing through the negative prompt does not change what is shown.
  await tabTo(page, 'the tokens', (element) => element.tagName === 'TR');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect(page.locator('.cm-content [data-pointed]')).toHaveText('red');

  await page.getByRole('link', { name: 'Attention', exact: true }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('slider', { name: 'Layer' })).toBeEnabled();
  await tabTo(page, 'Layer', (element) => (element as HTMLInputElement).labels?.[0]?.textContent === 'Layer');
  await page.keyboard.press('ArrowRight');
  await tabTo(page, 'Head', (element) => (element as HTMLInputElement).labels?.[0]?.textContent === 'Head');
  await page.keyboard.press('End');
  await expect(page.getByRole('heading', { name: 'Layer 2, head 4' })).toBeVisible();

  await tabTo(page, 'the overview', (element) => element.matches('[class*="_overview-picture_"]'));
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByRole('heading', { name: 'Layer 2, head 3' })).toBeVisible();

  await tabTo(page, 'the enlarged head', (element) => element.closest('[class*="_matrix_"]') !== null);
  const readout = page.locator('#attention .readout');
  await page.keyboard.press('ArrowDown');
  await expect(readout).toContainText('Query 0 BOS, key 0 BOS: 1.0');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await expect(readout).toContainText(/^Query 2 red, key 1 a: 0\.\d+/);
  await page.keyboard.press('End');
  await expect(readout).toContainText('key 4 EOS: masked');
  await expect(readout).toHaveAttribute('aria-live', 'polite');
});

test('the focus is always visible', async ({ page }) => {
  await openTiny(page);
  // From the beginning of the page. The button that cancels the load must be gone, as the focus would go with it.
  await page.reload();
  await expect(encodingCost(page)).toBeAttached();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the prompts' })).toBeInViewport();
  for (let i = 0; i < 30; i++) {
    const marked = await page.evaluate(() => {
      const element = document.activeElement;
      // Invisible inputs cover the visible element that is outlined in their place.
      const candidates = [element, element?.nextElementSibling, element?.parentElement];
      return candidates.some((candidate) => {
        if (!candidate) return false;
        const { outlineStyle, boxShadow } = getComputedStyle(candidate);
        return outlineStyle !== 'none' || boxShadow !== 'none';
      });
    });
    const name = await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 100));
    expect(marked, name).toBe(true);
    await page.keyboard.press('Tab');
  }
});

test('every picture and every control has a name', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a red car');
  await openView(page, 'Attention');
  await expect(page.locator(own('matrix'))).toBeVisible();
  const unnamed = await page.getByRole('img', { name: /^$/ }).count();
  expect(unnamed).toBe(0);
  for (const role of ['img', 'application', 'button', 'combobox', 'slider', 'checkbox', 'radio', 'textbox'] as const) {
    const all = await page.getByRole(role).count();
    expect(all, role).toBeGreaterThan(0);
    expect(await page.getByRole(role, { name: /\S/ }).count(), role).toBe(all);
  }
});

for (const view of ['Answer', 'Attention'])
  test(`a screen reader hears one thing when typing rests, and nothing before: ${view}`, async ({ page }) => {
    await openTiny(page);
    await openView(page, view);
    await prompt(page).click();
    await page.keyboard.press('ControlOrMeta+End');
    await expect(page.getByRole('status', { name: 'Encoder', exact: true })).toContainText('Ready');
    await page.evaluate(() => {
      const announcements = { heard: [] as string[], last: performance.now() };
      Object.assign(window, { announcements });
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const element = target instanceof Element ? target : target.parentElement;
          const region = element?.closest('[role="status"], [role="alert"], [aria-live="polite"]');
          if (!region || region.getAttribute('aria-live') === 'off') continue;
          announcements.heard.push(region.textContent);
          announcements.last = performance.now();
        }
      }).observe(document.body, { childList: true, characterData: true, subtree: true });
    });
    type Announcements = { heard: string[]; last: number };
    const announcements = () =>
      page.evaluate(() => {
        const { heard, last } = (window as unknown as { announcements: Announcements }).announcements;
        return { heard: [...heard], still: performance.now() - last };
      });
    // The first answer is announced, too, once it has stood for a while: twice that long has to pass in silence.
    await expect.poll(async () => (await announcements()).still).toBeGreaterThan(3000);
    const before = (await announcements()).heard.length;
    // Typed in the page: a key that comes late from here would be a rest.
    await prompt(page).evaluate(async (_, text) => {
      for (const letter of text) {
        document.execCommand('insertText', false, letter);
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
    }, ', wet street');
    await expect.poll(async () => (await announcements()).heard.length).toBeGreaterThan(before);
    await expect(status(page)).toContainText('Ready');
    await expect.poll(async () => (await announcements()).still).toBeGreaterThan(3000);
    const heard = (await announcements()).heard.slice(before);
    expect(heard).toHaveLength(1);
    expect(heard[0]).toContain(view === 'Answer' ? '“red” (weight 1.3) grows' : '12 / 75');
  });
