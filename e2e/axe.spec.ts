import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { viewTitles } from '../src/state/view.ts';
import { undescribed } from './described.ts';
import { menuViews, openOptions, openTiny, openView, prompt, status, strayed } from './page.ts';

const looks = [
  { name: 'light', width: 1440, media: { colorScheme: 'light', forcedColors: 'none' } },
  { name: 'dark', width: 390, media: { colorScheme: 'dark', forcedColors: 'none' } },
  { name: 'forced colours', width: 1440, media: { colorScheme: 'dark', forcedColors: 'active' } },
] as const;

for (const { name, width, media } of looks)
  test(`axe finds nothing in any view: ${name}, ${width} px, with messages, errors and options open`, async ({
    page,
  }) => {
    await page.emulateMedia(media);
    await page.setViewportSize({ width, height: 900 });
    const strays = strayed(page);
    await openTiny(page);
    await prompt(page).fill('a (red:1,3) car BREAK:-1 [[blurry]] (cat:0.2), AND a dog');
    await page.getByLabel('Open files…').setInputFiles({
      name: 'broken.safetensors',
      mimeType: 'application/octet-stream',
      buffer: Buffer.from('{"a":'),
    });
    await expect(page.getByRole('alert').first()).toBeVisible();
    await openOptions(page);
    await page.getByRole('button', { name: 'Convert…' }).click();
    await page.getByRole('button', { name: 'Models' }).click();
    await expect(status(page)).toContainText('Ready');
    const found: string[] = [];
    for (const view of menuViews) {
      await openView(page, viewTitles[view]);
      const isFirst = view === menuViews[0];
      // Without frames there is nothing to put together, for which it would open another page each time. It stays in the page.
      const axe = new AxeBuilder({ page, ...(!isFirst && { axeSource: 'axe;' }) }).setLegacyMode();
      // On a narrow page it takes links that are scrolled out of the menu for skip links; keyboard.spec holds the skip link.
      axe.disableRules('skip-link');
      // Forced colours change nothing but colours.
      if (name === 'forced colours') axe.withRules(['color-contrast', 'link-in-text-block']);
      // The rest of the page is the same around every view.
      const { violations } = await (isFirst ? axe : axe.include(`#${view}`)).analyze();
      for (const { id, nodes } of violations)
        for (const { html, failureSummary } of nodes)
          found.push(`${view}: ${id}: ${html.slice(0, 160)}\n${failureSummary}`);
      if (name === 'light') await expect.poll(() => undescribed(page), { message: view }).toEqual([]);
    }
    expect([...new Set(found)].join('\n')).toBe('');
    // Every view was used, within the page's Content-Security-Policy.
    expect(strays).toEqual([]);
  });
