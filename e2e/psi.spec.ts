import { existsSync, readFileSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { toFloat32 } from '../src/files/dtypes.ts';
import { openSafetensors } from '../src/files/safetensors.ts';
import { memorySource } from '../src/files/testing/memorySource.ts';
import { smallDenoiserFile } from '../src/pictures/testing/smallDenoiser.ts';
import { negativePrompt, openTiny, openView, own, prompt } from './page.ts';

test.use({ permissions: ['clipboard-read', 'clipboard-write'] });

const [L, d] = [77, 64];
const lab = (page: Page) => page.locator('#psi-lab');
const maps = (page: Page) => lab(page).getByRole('textbox', { name: /^Maps/ });
const finding = (page: Page) => lab(page).locator(own('finding'));
const strip = (page: Page, row: number) => lab(page).getByRole('button', { name: new RegExp(`^row ${row} `) });

interface Map {
  readonly rows: readonly number[];
  readonly kind: string;
  readonly amount?: number;
  readonly other?: string;
}

/** Adds a map by the controls of the lab. */
async function add(page: Page, { rows, kind, amount, other }: Map): Promise<void> {
  for (const row of rows) await strip(page, row).click();
  await lab(page).getByRole('combobox', { name: 'Map' }).selectOption(kind);
  if (amount !== undefined) await lab(page).getByRole('spinbutton', { name: 'Amount' }).fill(String(amount));
  if (other !== undefined) await lab(page).getByRole('textbox', { name: 'The other prompt' }).fill(other);
  await lab(page)
    .getByRole('button', { name: `Add “${kind}”` })
    .click();
}

interface ExportedRows {
  readonly positive: Float32Array;
  readonly negative: Float32Array;
  readonly bytes: Buffer;
}

/** Downloads the conditioning of both prompts, [77, 64] each. */
async function exported(page: Page): Promise<ExportedRows> {
  await openView(page, 'Export');
  const panel = page.getByRole('region', { name: 'Export' });
  await expect(panel.getByRole('status', { name: 'Export' })).toHaveText('Ready');
  const asked = page.waitForEvent('download');
  await panel.getByRole('button', { name: 'Download conditioning.safetensors' }).click();
  const bytes = readFileSync(await (await asked).path());
  const { tensors } = await openSafetensors(memorySource(new Uint8Array(bytes)));
  const rowsOf = async (name: string) => toFloat32(await tensors.get(name)!.read(), 'F32');
  return { positive: await rowsOf('prompt_embeds'), negative: await rowsOf('negative_prompt_embeds'), bytes };
}

const row = (of: ArrayLike<number>, at: number) => Array.from({ length: d }, (_, i) => of[at * d + i]);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);

test('maps of rows go from the lab to the bench, the sweep, the export and a link', async ({ page, context }) => {
  await openTiny(page);
  await negativePrompt(page).fill('');
  await prompt(page).fill('a blue dog');
  await openView(page, 'ψ lab');
  await lab(page).getByRole('button', { name: 'Weigh by these maps' }).click();
  // Without maps the rows are the encoder's own: those of the other prompt, and of the empty one.
  const { positive: other, negative: empty } = await exported(page);
  await negativePrompt(page).fill('fog and rain in the dark');
  await prompt(page).fill('a (red:1.3) circle and a blue square');
  const plain = await exported(page);

  await openView(page, 'ψ lab');
  await expect(finding(page)).toHaveText(/^0 of 77 rows change/);
  await add(page, { rows: [2], kind: 'Scale', amount: -0.5 });
  await add(page, { rows: [3, 4], kind: 'From the empty prompt', amount: 1.5 });
  await add(page, { rows: [5], kind: 'From the mean', amount: 2 });
  await add(page, { rows: [6], kind: 'Project out another prompt', other: 'a blue dog' });
  await maps(page).fill(`${await maps(page).inputValue()}\n7: w * z - empty / 4`);
  const written = [
    ...['2: z * -0.5', '3-4: empty + 1.5 * (z - empty)', '5: mean + 2 * (z - mean)', '6: z - proj(z, r)'],
    ...['r = a blue dog', '7: w * z - empty / 4'],
  ].join('\n');
  await expect(maps(page)).toHaveValue(written);
  await expect(finding(page)).toHaveText(/^6 of 77 rows change/);

  // Subsets do not overlap: that is said, and nothing is added.
  await strip(page, 3).click();
  await expect(lab(page)).toContainText('There is a map for row 3 already: subsets must not overlap.');
  await expect(lab(page).getByRole('button', { name: /^Add “/ })).toBeDisabled();
  await strip(page, 3).click();
  await expect(lab(page)).not.toContainText('subsets must not overlap');

  await openView(page, 'Methods');
  const bench = page.getByRole('table', { name: /^All methods on this prompt/ });
  await expect(bench.getByRole('row', { name: /^ψ by rows/ })).toContainText('6 of 77');

  // The swept word has a map that does not name w, so that its weight changes nothing.
  const norms = async (weight: string) => {
    await page.getByRole('slider', { name: 'Weight' }).fill(weight);
    const table = page.getByRole('table', { name: `Every method at a weight of ${weight}` });
    const norm = (name: string) => table.getByRole('row', { name }).getByRole('cell').nth(0).innerText();
    return { mapped: await norm('Show ψ by rows'), scaled: await norm('Show A1111 No norm') };
  };
  await openView(page, 'Sweep');
  const [one, three] = [await norms('1'), await norms('3')];
  expect(Number(one.mapped)).toBeGreaterThan(0);
  expect(three.mapped).toBe(one.mapped);
  expect(Number(three.scaled) / Number(one.scaled)).toBeCloseTo(3, 2);
  await openView(page, 'ψ lab');
  await maps(page).fill(written.replace('z * -0.5', 'w * z'));
  await openView(page, 'Sweep');
  expect(await norms('3')).toEqual({ mapped: three.scaled, scaled: three.scaled });
  await openView(page, 'ψ lab');
  await maps(page).fill(written);

  const mapped = await exported(page);
  for (const side of ['positive', 'negative'] as const) {
    const z = plain[side];
    const expectedRow = (at: number): number[] => {
      const [own, none, r] = [row(z, at), row(empty, at), row(other, at)];
      if (at === 2) return own.map((value) => -0.5 * value);
      if (at === 3 || at === 4) return own.map((value, i) => none[i] + 1.5 * (value - none[i]));
      if (at === 5) {
        const mean = own.map((_, i) => z.reduce((sum, value, k) => (k % d === i ? sum + value / L : sum), 0));
        return own.map((value, i) => mean[i] + 2 * (value - mean[i]));
      }
      if (at === 6) return own.map((value, i) => value - (dot(own, r) / dot(r, r)) * r[i]);
      if (at === 7) return own.map((value, i) => value - none[i] / 4);
      return own;
    };
    const wrong = Array.from({ length: L }, (_, at) => at).filter((at) => {
      const expected = expectedRow(at);
      const isMapped = at >= 2 && at <= 7;
      return row(mapped[side], at).some((value, i) => Math.abs(value - expected[i]) > (isMapped ? 1e-5 : 0));
    });
    expect(wrong, side).toEqual([]);
    expect([2, 3, 4, 5, 6, 7].filter((at) => row(z, at).join() === row(mapped[side], at).join())).toEqual([]);
  }

  await page.getByRole('button', { name: 'Copy link' }).click();
  await expect(page.getByText('Copied.')).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const opened = await context.newPage();
  await openTiny(opened, undefined, link);
  await openView(opened, 'ψ lab');
  await expect(maps(opened)).toHaveValue(written);
  await expect(finding(opened)).toHaveText(/^6 of 77 rows change/);
  expect((await exported(opened)).bytes.equals(mapped.bytes)).toBe(true);
});

test('a picture is drawn by the maps', async ({ page }) => {
  test.skip(!existsSync('public/small-pictures/model.safetensors'), 'A build without a model has no pictures.');
  await page.route('**/small-pictures/model.safetensors', (route) =>
    route.fulfill({ body: Buffer.from(smallDenoiserFile()), contentType: 'application/octet-stream' }),
  );
  await page.goto('./#view=picture');
  const panel = page.getByRole('region', { name: 'Picture', exact: true });
  const drawn = async () => {
    await expect(panel.getByRole('status')).toHaveText(/^The prompt says “large green star”/);
    await expect(panel.getByRole('img')).toHaveCount(4);
    return panel
      .locator('canvas[role=img]')
      .first()
      .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  };
  await expect(panel.getByRole('status')).toHaveText(/^The prompt says/);
  await panel.getByRole('spinbutton', { name: 'Steps' }).fill('4');
  await prompt(page).fill('a large green star');
  await openView(page, 'ψ lab');
  await lab(page).getByRole('button', { name: 'Weigh by these maps' }).click();
  await openView(page, 'Picture');
  const before = await drawn();
  await openView(page, 'ψ lab');
  await maps(page).fill('1-3: empty; 4: z * 4');
  await openView(page, 'Picture');
  await expect.poll(async () => (await drawn()) === before).toBe(false);
  await openView(page, 'ψ lab');
  await maps(page).fill('1-3: z');
  await openView(page, 'Picture');
  await expect.poll(async () => (await drawn()) === before).toBe(true);
});

test('mistakes in maps are told beside the field, and the rest goes on; text of a link that is long does no harm', async ({
  page,
}) => {
  const hostile = '0-99999,'.repeat(249).slice(0, -1);
  await openTiny(page, undefined, `/#v=1&prompt=a%20cat&method=psi&rowMaps=${encodeURIComponent(`${hostile}:z`)}`);
  await openView(page, 'ψ lab');
  await expect(maps(page)).toHaveValue(`${hostile}:z`);
  await expect(lab(page).getByRole('listitem')).toContainText('There are no rows 77-99999 here: the last row');
  await expect(finding(page)).toHaveText(/^0 of 77 rows change/);

  await maps(page).fill('2: z * 2; 80: empty; 1: z / 0; r = a dog; r = a cat; 2-3: z');
  await expect(lab(page).getByRole('listitem')).toHaveText([
    /^r = a cat r is a row of “a dog” already/,
    /^2-3 Row 2 is in “2” already: subsets must not overlap\.$/,
    /^80: empty There is no row 80 here: the last row of the prompts is 76\.$/,
    /^1: z \/ 0 The result is not finite in row 1: something is divided by 0, or grows too large\.$/,
  ]);
  await expect(maps(page)).toHaveAccessibleDescription(/There is no row 80 here/);
  await expect(finding(page)).toHaveText(
    /^2 of 77 rows change, by [\d.]+ together without row 1, whose numbers are not finite\.$/,
  );
  await prompt(page).fill('a cat BREAK a dog');
  await expect(lab(page).getByRole('listitem').filter({ hasText: 'row 80' })).toHaveCount(0);
});

test('the lab is used with the keyboard, and each control says what it does', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 800 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await openTiny(page);
  await prompt(page).fill('a red cat');
  await openView(page, 'ψ lab');
  const first = strip(page, 0);
  await first.focus();
  for (const key of ['ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
  await expect(strip(page, 2)).toBeFocused();
  await page.keyboard.press('Space');
  await expect(strip(page, 2)).toHaveAttribute('aria-pressed', 'true');
  await page.keyboard.press('Home');
  await expect(first).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(lab(page).getByRole('combobox', { name: 'Map' })).toBeFocused();
  const button = lab(page).getByRole('button', { name: 'Add “Scale” for row 2' });
  await expect(button).toHaveAccessibleDescription(/^Writes the formula/);
  await button.press('Enter');
  await expect(maps(page)).toHaveValue('2: z * 1.3');
  // The button is off now, so that the focus is where it can go on.
  await expect(first).toBeFocused();

  const taken = strip(page, 2);
  await expect(taken).toHaveAccessibleName('row 2 red with the map z * 1.3');
  await taken.hover();
  await expect(page.locator(own('tip'))).toHaveText(/^Adds this token’s row/);
  await page.keyboard.press('Escape');
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().include('#psi-lab').analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await taken.click();
  await lab(page).getByRole('button', { name: 'Remove “z * 1.3”' }).click();
  await expect(maps(page)).toHaveValue('');
});

test('one word is un-leaked by a map of its rows, where no weight is lost to it', async ({ page }) => {
  await openTiny(page);
  await negativePrompt(page).fill('fog and rain');
  await prompt(page).fill('a red circle, a (blue:1.2) square');
  await openView(page, 'Analyses');
  await page.getByRole('navigation', { name: 'Analyses' }).getByRole('link', { name: 'Leakage', exact: true }).click();
  const analyses = page.locator('#analyses');
  const unLeak = analyses.getByRole('button', { name: 'Un-leak “square”' });
  await page.addLocatorHandler(page.getByRole('button', { name: 'Compute it' }), (button) => button.click());
  await expect(unLeak).toBeDisabled();
  await expect(analyses).toContainText('would take the place of “A1111 Original” and leave your typed weights out');
  await prompt(page).fill('a red circle, a blue square');
  await expect(unLeak).toBeEnabled();
  const plain = await exported(page);
  await openView(page, 'Analyses');
  await unLeak.click();
  await expect(unLeak).toHaveAttribute('aria-pressed', 'true');
  await expect(page.getByRole('status', { name: 'What was opened' })).toContainText(
    '“square” is un-leaked: “ψ by rows” is the weighting now.',
  );
  const alone = await exported(page);
  await openView(page, 'ψ lab');
  await expect(maps(page)).toHaveValue('7: alone');
  await page.getByRole('status', { name: 'What was opened' }).getByRole('button', { name: 'Undo' }).click();
  await expect(maps(page)).toHaveValue('');
  await expect(lab(page).getByRole('button', { name: 'Weigh by these maps' })).toBeVisible();

  await openView(page, 'Analyses');
  await analyses.getByRole('button', { name: 'Un-leak the words' }).click();
  await expect(unLeak).toHaveCount(0);
  const allAlone = await exported(page);
  const changed = (a: Float32Array, b: Float32Array) =>
    Array.from({ length: L }, (_, at) => at).filter((at) => row(a, at).join() !== row(b, at).join());
  expect(changed(plain.positive, alone.positive)).toEqual([7]);
  expect(row(alone.positive, 7)).toEqual(row(allAlone.positive, 7));
  expect(changed(plain.positive, allAlone.positive)).toContain(3);
  // The row of the same number in the negative prompt is PAD, and alone, too.
  expect(changed(plain.negative, alone.negative)).toEqual([7]);
});
