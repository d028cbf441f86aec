import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { png, tEXt } from '../src/files/testing/png.ts';
import { negativePrompt, openOptions, openPage, openTiny, openView, prompt, status, tokenRows } from './page.ts';

const infotext = `a (castle:1.2) on a hill
Negative prompt: fog, (rain:1.1)
Steps: 30, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Clip skip: 2`;

test.use({ permissions: ['clipboard-read', 'clipboard-write'] });

const opened = (page: Page) => page.getByRole('status', { name: 'What was opened' });

/** Puts a text into the clipboard and pastes it into the focused element. */
async function paste(page: Page, text: string): Promise<void> {
  await page.evaluate((text) => navigator.clipboard.writeText(text), text);
  await page.keyboard.press('ControlOrMeta+V');
}

async function drop(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  const transfer = await page.evaluateHandle(
    ([name, bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(bytes)], name));
      return transfer;
    },
    [name, Array.from(bytes)] as const,
  );
  await page.dispatchEvent('.cm-content', 'drop', { dataTransfer: transfer });
}

test('infotext that is pasted fills both prompts, and one undo takes it back', async ({ page }) => {
  await openPage(page);
  await openOptions(page);
  await negativePrompt(page).fill('blurry');
  await prompt(page).fill('a red car');
  await paste(page, infotext);
  await expect(prompt(page)).toHaveText('a (castle:1.2) on a hill');
  await expect(negativePrompt(page)).toHaveText('fog, (rain:1.1)');
  await expect(opened(page)).toContainText('Pasted: prompt, negative prompt, 30 steps and clip skip 2.');
  await expect(page.getByRole('spinbutton', { name: 'Steps' })).toHaveValue('30');
  await expect(page.getByRole('spinbutton', { name: 'Clip skip' })).toHaveValue('2');
  await expect(tokenRows(page).nth(2)).toContainText('castle');

  await page.keyboard.press('ControlOrMeta+Z');
  await expect(prompt(page)).toHaveText('a red car');
  await expect(negativePrompt(page)).toHaveText('blurry');
  await expect(page.getByRole('spinbutton', { name: 'Clip skip' })).toHaveValue('1');
  await page.keyboard.press('ControlOrMeta+Shift+Z');
  await expect(negativePrompt(page)).toHaveText('fog, (rain:1.1)');
  await expect(page.getByRole('spinbutton', { name: 'Steps' })).toHaveValue('30');
  await expect(page.getByRole('spinbutton', { name: 'Clip skip' })).toHaveValue('2');
});

test('infotext can be taken back with a button', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a red car');
  await paste(page, infotext);
  await opened(page).getByRole('button', { name: 'Undo' }).click();
  await expect(prompt(page)).toHaveText('a red car');
  await expect(negativePrompt(page)).toHaveText('low quality, (watermark:1.2)');
  await expect(opened(page)).toBeEmpty();
});

test('any other text is pasted as it is', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('a ');
  await page.keyboard.press('ControlOrMeta+End');
  await paste(page, 'car, mood: dark, light: dim');
  await expect(prompt(page)).toHaveText('a car, mood: dark, light: dim');
  await expect(opened(page)).toBeEmpty();
});

test('a picture dropped on the page fills the prompts', async ({ page }) => {
  await openTiny(page);
  await drop(page, 'castle.png', png(tEXt('parameters', infotext)));
  await expect(prompt(page)).toHaveText('a (castle:1.2) on a hill');
  await expect(negativePrompt(page)).toHaveText('fog, (rain:1.1)');
  await expect(opened(page)).toContainText('From castle.png: prompt, negative prompt, 30 steps and clip skip 2.');
  await page.reload();
  await openOptions(page);
  await expect(page.getByRole('spinbutton', { name: 'Steps' })).toHaveValue('30');
  await expect(page.getByRole('spinbutton', { name: 'Clip skip' })).toHaveValue('2');

  await drop(page, 'photo.png', png());
  await expect(page.getByRole('alert')).toContainText('"photo.png" is a picture without generation data');
  await expect(status(page)).toContainText('Ready: made-up weights, tiny');
});

test('B50, B54: a JPEG’s infotext and ComfyUI’s picture fill the prompts, and each can be taken back', async ({
  page,
}) => {
  await openTiny(page);
  await drop(page, 'a.jpg', readFileSync('src/files/recorded/pictures/a.jpg'));
  await expect(prompt(page)).toHaveText('a (red:1.3) fox, 猫');
  await expect(negativePrompt(page)).toHaveText('blurry, [bad]');
  await expect(opened(page)).toContainText('From a.jpg: prompt, negative prompt, 24 steps and clip skip 2.');

  await drop(page, 'comfy.png', readFileSync('src/files/recorded/pictures/comfy.png'));
  await expect(negativePrompt(page)).toHaveText('(out of frame)');
  await expect(opened(page)).toContainText(
    'From comfy.png: prompt and negative prompt of ComfyUI’s sampler 3 (KSampler).',
  );
  await expect(page.getByRole('combobox', { name: 'Read as' })).toHaveValue('comfy');
  await opened(page).getByRole('button', { name: 'Undo' }).click();
  await expect(prompt(page)).toHaveText('a (red:1.3) fox, 猫');
  await expect(page.getByRole('combobox', { name: 'Read as' })).toHaveValue('a1111');
});

for (const decoder of ['its decoder of pictures', 'a canvas'])
  test(`B48: the browser reads an embedding out of the pixels of a WebP by ${decoder}`, async ({ page }) => {
    if (decoder === 'a canvas') await page.addInitScript(() => Reflect.deleteProperty(window, 'ImageDecoder'));
    await openTiny(page);
    await prompt(page).fill('a photo of rick');
    await drop(page, 'a.png', png(tEXt('parameters', 'a photo of rick')));
    await expect(opened(page)).toContainText('From a.png');
    await drop(page, 'renamed.webp', readFileSync('src/models/recorded/cards/card.webp'));
    // Three words, eight vectors, and the beginning and the end.
    await expect(tokenRows(page).nth(4)).toContainText('rick·1');
    await expect(tokenRows(page).nth(11)).toContainText('rick·8');
    await expect(opened(page)).toBeEmpty();
    await drop(page, 'card_lossy.webp', readFileSync('src/models/recorded/cards/card_lossy.webp'));
    await expect(page.getByRole('alert')).toContainText('"card_lossy.webp" is a picture without generation data');
  });

test('B59: an infotext on one line empties nothing, and both readings can be had', async ({ page }) => {
  await openPage(page);
  await prompt(page).fill('mine');
  await paste(page, 'a red fox,.Negative prompt: blurry.Steps: 24, Sampler: Euler a, CFG scale: 7, Seed: 1');
  await expect(prompt(page)).toHaveText('a red fox');
  await expect(negativePrompt(page)).toHaveText('blurry');
  await opened(page).getByRole('button', { name: 'Read it as A1111' }).click();
  await expect(prompt(page)).toHaveText('');
  await opened(page).getByRole('button', { name: 'Read it as Civitai' }).click();
  await expect(prompt(page)).toHaveText('a red fox');
  await opened(page).getByRole('button', { name: 'Undo' }).click();
  await expect(prompt(page)).toHaveText('mine');
});

test('a picture can be chosen without a pointer', async ({ page }) => {
  await openPage(page);
  await page.getByLabel('Open files…').setInputFiles('src/files/recorded/parameters.png');
  await expect(prompt(page)).toHaveText('a (red:1.3) car');
  await expect(negativePrompt(page)).toHaveText('fog');
});

test('a link brings prompts, options and selection to another page', async ({ page, context }) => {
  await openTiny(page);
  await prompt(page).fill('a (castle:1.2), 小さな猫');
  await negativePrompt(page).fill('fog');
  await openOptions(page);
  await page.getByRole('combobox', { name: 'Mask' }).selectOption('hf');
  await openView(page, 'Attention');
  await page.getByRole('slider', { name: 'Layer' }).fill('2');
  await page.getByRole('slider', { name: 'Head' }).fill('3');
  // The clipboard is asked in the click itself, although the link is not written yet: WebKit refuses it later.
  const isAskedInClick = await page.getByRole('button', { name: 'Copy link' }).evaluate((button) => {
    let isAsked = false;
    const write = Clipboard.prototype.write;
    Clipboard.prototype.write = function (items) {
      isAsked = true;
      return write.call(this, items);
    };
    (button as HTMLButtonElement).click();
    Clipboard.prototype.write = write;
    return isAsked;
  });
  expect(isAskedInClick).toBe(true);
  await expect(page.getByText('Copied.')).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toMatch(/^http:\/\/localhost:\d+\/#share=[\w-]+&view=attention$/);

  const other = await context.newPage();
  const requests: string[] = [];
  other.on('request', (request) => requests.push(request.url()));
  await other.goto(link);
  await expect(prompt(other)).toHaveText('a (castle:1.2), 小さな猫');
  await expect(negativePrompt(other)).toHaveText('fog');
  await openOptions(other);
  await expect(other.getByRole('combobox', { name: 'Mask' })).toHaveValue('hf');
  await expect(other.getByRole('radio', { name: 'Negative' })).toBeChecked();
  await expect(other.getByRole('heading', { name: 'Layer 2, head 3' })).toBeVisible();
  await expect(opened(other)).toContainText('Opened from a link.');
  // The link's contents are not sent, and do not stay in the address.
  expect(requests.filter((url) => url.includes('share='))).toEqual([]);
  expect(new URL(other.url()).hash).toBe('#view=attention');

  // That link as text that people can read.
  await page.getByRole('button', { name: 'Copy it as readable text' }).click();
  await expect(page.getByText('Copied as readable text.')).toBeVisible();
  const readable = await page.evaluate(() => navigator.clipboard.readText());
  expect(readable).toMatch(
    /\/#v=1&prompt=a%20\(castle:1\.2\),%20%E5[%\w]+&negative=fog&language=a1111&mask=hf&view=attention&side=negative&layer=2&head=3$/,
  );
  await prompt(other).fill('mine');
  await other.evaluate((hash) => {
    location.hash = hash;
  }, new URL(readable).hash);
  await expect(prompt(other)).toHaveText('a (castle:1.2), 小さな猫');
  await expect(other.getByRole('heading', { name: 'Layer 2, head 3' })).toBeVisible();
  expect(new URL(other.url()).hash).toBe('#view=attention');
  // An infotext of A1111 as it is, and a link with a mistake.
  const infotext =
    'a red fox\nNegative prompt: blurry\nSteps: 24, Sampler: Euler a, CFG scale: 7, Seed: 1, Clip skip: 2';
  await other.goto(`/#v=1&prompt=${encodeURIComponent(infotext)}&view=tokens`);
  await expect(prompt(other)).toHaveText('a red fox');
  await expect(opened(other)).toContainText('From a link: ');
  await other.evaluate(() => {
    location.hash = '#v=1&prompt=theirs&layr=5';
  });
  await expect(other.getByRole('alert')).toContainText(
    /^The link has “layr”, which is not known here.* so it was not opened\./,
  );
  await expect(prompt(other)).toHaveText('a red fox');

  await prompt(other).fill('mine');
  await other.reload();
  await expect(prompt(other)).toHaveText('mine');
});

test('a link opened over one’s own prompts can be taken back', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('theirs');
  await page.getByRole('button', { name: 'Copy link' }).click();
  await expect(page.getByText('Copied.')).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await prompt(page).fill('mine');
  await page.evaluate((hash) => {
    location.hash = hash;
  }, new URL(link).hash);
  await expect(prompt(page)).toHaveText('theirs');
  await opened(page).getByRole('button', { name: 'Undo' }).click();
  await expect(prompt(page)).toHaveText('mine');
});

for (const [what, hash] of [
  ['garbage', '#share=garbage'],
  ['nothing', '#share='],
  [
    'a link cut off',
    '#share=q1ZKzskszk8sKFayUigoyi8oKVayUiotTi1S0lFKLCkpykwqLUktVrKqVkosSs1LTylWqlWyMtRRKs8vyklRslIyVKrlAgA',
  ],
])
  test(`${what} is one notice, and the page starts as usual`, async ({ page }) => {
    const failures: string[] = [];
    page.on('pageerror', ({ message }) => failures.push(message));
    await page.addInitScript(() => {
      localStorage.clipscope ??= JSON.stringify({ syntheticSize: 'tiny', prompts: { positive: 'mine' } });
    });
    await page.goto(`/${hash}`);
    await expect(page.getByRole('alert')).toHaveCount(1);
    await expect(page.getByRole('alert')).toContainText(/^The link .*, so it was not opened\./);
    await expect(prompt(page)).toHaveText('mine');
    await expect(status(page)).toContainText('Ready: made-up weights, tiny');
    expect(failures).toEqual([]);
  });

test('a link that would be too long becomes a file, which opens when it is dropped', async ({ page }) => {
  await openTiny(page);
  // This text hardly compresses.
  const long = createHash('shake256', { outputLength: 9000 }).update('clipscope').digest('base64url');
  await prompt(page).fill(long);
  await page.getByRole('button', { name: 'Copy link' }).click();
  await expect(page.getByRole('status', { name: 'Link' })).toContainText(/The link would have [\d,]+ characters/);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save a file' }).click();
  const file = await download;
  expect(file.suggestedFilename()).toBe('clipscope-prompt.json');
  const bytes = readFileSync(await file.path());
  await prompt(page).fill('mine');
  await drop(page, 'clipscope-prompt.json', bytes);
  await expect(prompt(page)).toHaveText(long);
  await expect(opened(page)).toContainText('Opened from clipscope-prompt.json.');
});

test('earlier prompts can be brought back, and forgotten', async ({ page }) => {
  await openTiny(page);
  await prompt(page).fill('a red car');
  await prompt(page).press('Tab');
  await prompt(page).fill('a blue car');
  await page.getByRole('button', { name: 'History' }).click();
  const past = page.getByRole('list', { name: 'Earlier prompts' }).getByRole('button');
  await expect(past).toHaveText([/a blue car/, /a red car/]);
  await past.nth(1).click();
  await expect(prompt(page)).toHaveText('a red car');
  await expect(opened(page)).toContainText(/^Brought back from \d\d:\d\d\./);
  await opened(page).getByRole('button', { name: 'Undo' }).click();
  await expect(prompt(page)).toHaveText('a blue car');

  await page.reload();
  await page.getByRole('button', { name: 'History' }).click();
  await expect(past).not.toHaveCount(0);
  await page.getByRole('button', { name: 'Clear history' }).click();
  await expect(past).toHaveCount(0);
  await expect(page.getByText('No earlier prompts yet.')).toBeVisible();
  expect(await page.evaluate(() => localStorage.getItem('clipscope-history'))).toBeNull();
});
