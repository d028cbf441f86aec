import { existsSync, readFileSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { clipTiny } from '../src/clip/config.ts';
import { openSafetensors } from '../src/files/safetensors.ts';
import { memorySource } from '../src/files/testing/memorySource.ts';
import { unetBytes } from '../src/models/testing/unets.ts';
import { analysisTitles } from '../src/views/analyses/analysisAddress.ts';
import { undescribed } from './described.ts';
import { openTiny, openView, own, prompt } from './page.ts';

const finding = (page: Page) => page.locator(`#analyses ${own('finding')}`).first();

const tinyUnet = { layout: 'diffusers', d: clipTiny.hiddenSize, smaller: 40 } as const;

/** Starts what does not start by itself because it would take long, as on a busy machine. */
const startLong = (page: Page) =>
  page.addLocatorHandler(page.getByRole('button', { name: 'Compute it' }), (button) => button.click());

/** Opens an analysis. */
async function open(page: Page, name: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Analyses' }).getByRole('link', { name, exact: true }).click();
}

test('each analysis says what it found for the prompt, and its limits', async ({ page }) => {
  await startLong(page);
  await openTiny(page);
  await prompt(page).fill('a red circle, a blue square');
  await openView(page, 'ψ lab');
  const lab = page.locator('#psi-lab');
  await lab.getByRole('button', { name: 'Weigh by these maps' }).click();
  await expect(lab.locator(own('finding'))).toHaveText(/^0 of 77 rows change/);
  await lab.getByRole('button', { name: '2 red' }).click();
  await lab.getByRole('button', { name: 'Add “Scale” for row 2' }).click();
  await expect(lab.locator(own('finding'))).toHaveText(/^1 of 77 rows change/);
  await lab.getByRole('textbox', { name: /^Maps/ }).fill('2: z * 1.3; 2-3: empty');
  await expect(lab.getByText('Row 2 is in “2” already: subsets must not overlap.')).toBeVisible();

  const psi = await new AxeBuilder({ page }).setLegacyMode().include('#psi-lab').analyze();
  expect(psi.violations.map(({ id }) => id)).toEqual([]);

  await openView(page, 'Analyses');
  await expect(finding(page)).toHaveText(/^Of all that sets this prompt apart .* % in PAD\.$/);
  await expect(page.locator('#analyses dd').first()).toHaveText('exactly 0');
  const found: [string, RegExp][] = [
    ['What each word does', /^“.+” changes the rows of other tokens most/],
    ['Leakage', /^“.+” takes most from another word, from “.+”/],
    ['Bag of words', /^The variant that the encoder tells apart least is “.+”/],
    ['Layers', /^EOS comes within half its length/],
    ['Sinks', /^\d of 8 heads do next to nothing/],
    ['Ablation', /^Most depends on (head \d of|the MLP of) layer \d/],
    ['What the U-Net receives', /^The text encoder in use came without a U-Net: open a whole checkpoint/],
  ];
  const wrong: string[] = [];
  for (const [name, sentence] of found) {
    await open(page, name);
    await expect(finding(page)).toHaveText(sentence);
    await expect(page.locator('#analyses')).toContainText('Limits.');
    if (name === 'Sinks') await expect(page.getByText('What it fetches ‖α v W_O‖, layer 1, head 1')).toBeVisible();
    const { violations } = await new AxeBuilder({ page }).setLegacyMode().include('#analyses').analyze();
    wrong.push(...violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].html.slice(0, 160)}`));
  }
  expect(wrong.join('\n')).toBe('');

  // A word is written first where its row offers it, and the analysis is of the prompt as it is then.
  await open(page, 'What each word does');
  await page.getByRole('button', { name: 'Say “circle” first' }).click();
  await expect(prompt(page)).toHaveText('circle a red, a blue square');
  await expect(page.locator('#analyses tbody th').first()).toHaveText('circle');

  await open(page, 'Compare A and B');
  await page.getByRole('button', { name: 'Keep this as A' }).click();
  await expect(finding(page)).toHaveText('All 77 common rows are equal, to the bit, at every stage.');
  // A stays while another analysis is looked at.
  await open(page, 'Sinks');
  await open(page, 'Compare A and B');
  await prompt(page).fill('circle a red, a blue square!');
  await expect(finding(page)).toHaveText(/^\d+ of \d+ common rows differ, first in: /);
  // A cell that is chosen says where the difference of its token is born: EOS stands behind the new sign, one place on.
  const stages = page.getByRole('application', { name: /Enter chooses one$/ });
  await stages.press('ArrowRight');
  for (const [key, count] of [
    ['ArrowRight', 8],
    ['ArrowDown', 1],
  ] as const)
    for (let i = 0; i < count; i++) await stages.press(key);
  await stages.press('Enter');
  await expect(page.getByText(/^The difference of EOS is born in: embeddings/)).toBeVisible();

  // The matrices of a second file read the rows of this encoder.
  await open(page, 'What the U-Net receives');
  let isBroken = true;
  await page.route(/\/unetWorker-[^/]*\.js$/, (route) =>
    isBroken
      ? route.fulfill({ contentType: 'text/javascript', body: 'throw new Error("it broke");' })
      : route.continue(),
  );
  const unet = { name: 'unet.safetensors', mimeType: '', buffer: Buffer.from(unetBytes(tinyUnet)) };
  await page.getByLabel('Open a U-Net').setInputFiles(unet);
  // A question that failed is asked once more by the button beside the message.
  await expect(page.locator('#analyses').getByRole('alert')).toContainText(/^This could not be computed: .*it broke/);
  isBroken = false;
  await page.getByRole('button', { name: 'Try again' }).press('Enter');
  await expect(page.getByRole('region', { name: 'What the U-Net receives' })).toBeFocused();
  // The maps of the lab weigh row 2.
  await expect(finding(page)).toHaveText(
    /^In the mean of its 16 layers, .*; weights move “a” most, its key by 30 % and its value by 30 % of their lengths\.$/,
  );
  const keys = page.getByRole('application', { name: /^Keys as weighted/ });
  await keys.press('ArrowRight');
  await keys.press('ArrowDown');
  await expect(page.getByText(/^layer down 2, token BOS: \S+ ‖K‖$/)).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().include('#analyses').analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 160)}`)).toEqual([]);
});

test('every control of each analysis has a sentence that explains it', async ({ page }) => {
  await startLong(page);
  await openTiny(page);
  await prompt(page).fill('a red circle');
  await openView(page, 'Analyses');
  for (const name of Object.values(analysisTitles)) {
    await open(page, name);
    if (name === 'Compare A and B') await page.getByRole('button', { name: 'Keep this as A' }).click();
    await expect(finding(page)).toBeVisible();
    await expect.poll(() => undescribed(page), { message: name }).toEqual([]);
  }
});

test('the address names the analysis on show, and its numbers and conditionings are saved', async ({ page }) => {
  await startLong(page);
  await openTiny(page);
  await prompt(page).fill('a red circle');
  await page.goto('./#view=analyses&analysis=ablation');
  await expect(finding(page)).toHaveText(/^Most depends on /);
  const menu = page.getByRole('navigation', { name: 'Analyses' });
  await expect(menu.getByRole('link', { name: 'Ablation' })).toHaveAttribute('aria-current', 'page');
  await open(page, 'Layers');
  await expect(page).toHaveURL(/#view=analyses&analysis=layers$/);
  await expect(finding(page)).toHaveText(/^EOS comes within/);
  await page.goBack();
  await expect(finding(page)).toHaveText(/^Most depends on /);

  const saved = async (name: string) => {
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name, exact: true }).click();
    return readFileSync(await (await download).path());
  };
  const lines = (await saved('Save the numbers')).toString().trimEnd().split('\r\n');
  expect(lines[0]).toBe('\ufefftable,row,column,value');
  const { numHiddenLayers: N, numAttentionHeads: h, maxPositionEmbeddings: L } = clipTiny;
  expect(lines).toHaveLength(1 + N * (h + 1) * (1 + L));
  expect(lines[1]).toMatch(/^"‖ΔC‖ of all rows, of ‖C‖",layer 1,head 1,0\.\d+$/);
  const bytes = await saved('Save the conditioning without head 1 of layer 1');
  const { tensors, metadata } = await openSafetensors(memorySource(new Uint8Array(bytes)));
  expect([...tensors].map(([name, { shape }]) => [name, ...shape])).toEqual([
    ['without_layer_1_head_1.prompt_embeds', 1, L, clipTiny.hiddenSize],
  ]);
  expect(metadata.get('prompt')).toBe('a red circle');

  // A name that there is not is passed over, and a readable link keeps the one that it has.
  await page.goto('./#view=analyses&analysis=nonsense');
  await expect(page).toHaveURL(/#view=analyses&analysis=ablation$/);
  await page.goto('./#v=1&prompt=a%20cat&view=analyses&analysis=leakage');
  await expect(prompt(page)).toHaveText('a cat');
  await expect(page).toHaveURL(/#view=analyses&analysis=leakage$/);
  await expect(finding(page)).toHaveText(/^“cat” takes most from another word, from “a”/);
});

test('an analysis is stopped by a button, keeps what was found before, and starts again only when told to', async ({
  page,
}) => {
  // The encoder never hears the fourth question about a layer's tensors, so that the analysis that asks it is still under way.
  await page.route(/\/assets\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    const deaf = `let inspections = 0;
      addEventListener('message', (event) => {
        if (event.data?.type === 'inspect' && ++inspections === 4) event.stopImmediatePropagation();
      });`;
    await route.fulfill({ response, body: `${deaf}\n${await response.text()}` });
  });
  await openTiny(page);
  await prompt(page).fill('a red circle');
  await openView(page, 'Analyses');
  await open(page, 'Sinks');
  const compute = page.getByRole('button', { name: 'Compute it' });
  const stop = page.getByRole('button', { name: 'Stop', exact: true });
  await expect(finding(page).or(compute)).toBeVisible();
  if (await compute.isVisible()) await compute.click();
  await expect(finding(page)).toHaveText(/^\d of 8 heads/);
  const before = await finding(page).textContent();

  await prompt(page).fill('a red circle, a blue square');
  await expect(stop.or(compute)).toBeVisible();
  if (await compute.isVisible()) await compute.click();
  await expect(page.getByRole('progressbar', { name: 'Answers of the encoder' })).toBeVisible();
  await stop.press('Enter');
  await expect(compute).toBeVisible();
  await expect(page.getByRole('region', { name: 'Sinks' })).toBeFocused();
  await expect(finding(page)).toHaveText(before!);
  // Longer than typing rests before an analysis starts by itself.
  await page.waitForTimeout(1_000);
  await expect(stop).toHaveCount(0);
  await compute.press('Enter');
  await expect(page.locator(`#analyses ${own('found')}`)).not.toHaveAttribute('data-stale');
  await expect(compute).toHaveCount(0);
});

test('with the page’s own model, analyses show in pictures what they compare, if there is a picture model', async ({
  page,
}) => {
  await startLong(page);
  await page.goto('./#view=analyses');
  if (!existsSync('public/small-pictures/model.safetensors')) {
    await expect(finding(page)).toHaveText(/^Of all that sets this prompt apart/);
    await expect(page.getByRole('region', { name: 'In pictures' })).toHaveCount(0);
    return;
  }
  const drawn = page.getByRole('region', { name: 'In pictures' }).locator('canvas[role=img]');
  await expect(drawn).toHaveCount(5);
  await prompt(page).fill('red circle left of blue square');
  for (const [name, count] of [
    ['What each word does', 7],
    ['Leakage', 2],
    ['Bag of words', 6],
    ['Layers', 7],
    ['Ablation', 6],
  ] as const) {
    await open(page, name);
    await expect(drawn).toHaveCount(count);
  }
  await open(page, 'Compare A and B');
  await page.getByRole('button', { name: 'Keep this as A' }).click();
  await prompt(page).fill('red circle');
  await expect(drawn).toHaveCount(2);
  await expect(drawn.last()).toHaveAccessibleName(/^B: /);
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().include('#analyses').analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).toEqual([]);
});
