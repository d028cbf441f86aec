import { type Browser, expect, type Page, test } from '@playwright/test';
import { chromiumArgs, findChromium } from '../scripts/chromium.mjs';
import { clipTiny } from '../src/clip/config.ts';
import { writeSafetensors } from '../src/files/safetensors.ts';
import { encodingCost, openTiny, openView, prompt, status, tokenRows, withGraphicsCard } from './page.ts';

const ready = (page: Page) => expect(status(page)).toHaveText('Ready: made-up weights, tiny');
const loras = (page: Page) => page.getByRole('list', { name: 'LoRAs' });
const loadAgain = (page: Page) => page.getByRole('button', { name: 'Load again' }).click();
const model = (page: Page) => page.getByRole('combobox', { name: 'Model', exact: true });

/** Opens a LoRA “style” of one matrix. */
async function openLora(page: Page): Promise<void> {
  const { hiddenSize: d, intermediateSize: m } = clipTiny;
  const layer = 'lora_te_text_model_encoder_layers_1_mlp_fc1';
  const matrix = (part: string, shape: readonly number[]) => ({
    name: `${layer}.lora_${part}.weight`,
    dtype: 'F32' as const,
    shape,
    data: new Float32Array(shape[0] * shape[1]).fill(0.1),
  });
  const buffer = Buffer.from(writeSafetensors([matrix('down', [1, d]), matrix('up', [m, 1])]));
  await page
    .getByLabel('Open files…')
    .setInputFiles({ name: 'style.safetensors', mimeType: 'application/octet-stream', buffer });
  await expect(loras(page)).toContainText('rank 1');
}

test('a worker that ends without a word is told, and another takes its place with all that was open', async ({
  page,
}) => {
  await page.addInitScript(() => {
    const Native = Worker;
    window.Worker = class extends Native {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        Object.assign(window, { newestWorker: this });
      }
    };
  });
  await openTiny(page);
  await openLora(page);
  await prompt(page).fill('a red car <lora:style:1>');
  await expect(loras(page)).toContainText('Merged × 1');
  await ready(page);
  await page.evaluate(() => (window as unknown as { newestWorker: Worker }).newestWorker.terminate());
  await expect(status(page)).toHaveText(
    'The encoder’s worker stopped: the browser ended it, perhaps for want of memory.',
  );
  await expect(prompt(page)).toHaveText('a red car <lora:style:1>');
  await loadAgain(page);
  await ready(page);
  await expect(loras(page)).toContainText('Merged × 1');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

for (const [how, end, reason] of [
  ['ends without a word', () => self.close(), 'the browser ended it, perhaps for want of memory'],
  [
    'throws',
    () =>
      void setTimeout(() => {
        throw new Error('it broke');
      }),
    'Uncaught Error: it broke',
  ],
] as const)
  test(`a thread of the encoder that ${how} is told, and loading again goes on with the prompt`, async ({ page }) => {
    await page.addInitScript(() => {
      localStorage.clipscope ??= JSON.stringify({ syntheticSize: 'full', engineChoice: { engine: 'cpu', threads: 2 } });
    });
    await page.goto('/');
    await expect(status(page)).toHaveText('Ready: made-up weights, full size');
    await expect(encodingCost(page)).toBeAttached();
    const thread = () => page.workers().find((worker) => worker.url().includes('shareWorker'));
    await thread()!.evaluate(end);
    await expect(status(page)).toHaveText(`A thread of the encoder stopped: ${reason}.`);
    await expect(encodingCost(page)).toHaveAttribute('data-stale');
    await openView(page, 'Anatomy');
    await expect(page.locator('#anatomy')).toContainText(
      'A thread of the encoder stopped: there is no encoder until the model is loaded again.',
    );
    await prompt(page).fill('a blue car');
    await page.getByRole('button', { name: 'Load again' }).click();
    await expect(status(page)).toHaveText('Ready: made-up weights, full size');
    await expect(page.locator('#encoder')).toContainText('CPU, 2 threads');
    await expect(encodingCost(page)).not.toHaveAttribute('data-stale');
    await expect(prompt(page)).toHaveText('a blue car');
    await expect(page.getByRole('alert')).toHaveCount(0);
  });

test('where the script of the threads is missing, the encoder runs with one and says why', async ({ page }) => {
  // Requests of a worker's own workers are not routed.
  const missing = `const Native = Worker;
    self.Worker = class extends Native { constructor(_, options) { super('/assets/missing.js', options); } };`;
  await page.route(/\/assets\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: missing + (await response.text()) });
  });
  await page.addInitScript(() => {
    localStorage.clipscope = JSON.stringify({ syntheticSize: 'full', engineChoice: { engine: 'cpu', threads: 2 } });
  });
  await page.goto('/');
  await expect(status(page)).toHaveText('Ready: made-up weights, full size');
  await expect(page.locator('#encoder')).toContainText(
    'Further threads could not be started here, so the encoder runs on the CPU with 1 thread.',
  );
});

test('a worker that throws as it starts is told, and can be started again', async ({ page }) => {
  let isBroken = true;
  await page.route(/\/assets\/worker-[^/]*\.js$/, (route) =>
    isBroken
      ? route.fulfill({ contentType: 'text/javascript', body: 'throw new Error("it broke");' })
      : route.continue(),
  );
  await page.addInitScript(() => {
    localStorage.clipscope = JSON.stringify({ syntheticSize: 'tiny' });
  });
  await page.goto('/');
  await expect(status(page)).toHaveText(/^The encoder’s worker stopped: .*it broke\.$/);
  await prompt(page).fill('a blue car');
  isBroken = false;
  await loadAgain(page);
  await ready(page);
  await expect(prompt(page)).toHaveText('a blue car');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

/** Something that is under way on the GPU when it goes away. */
interface Work {
  /** Gets the page ready; the GPU works. */
  prepare(page: Page): Promise<void>;
  /** Starts the work; the GPU's process is held, so that it does not come to an end. */
  start(page: Page): Promise<void>;
  /** Expects the work to be done after the weights were loaded again. */
  check(page: Page): Promise<void>;
}

/** Replaces the prompt from within the page: keys can get stuck while the GPU process stands still, as that draws the page, too. */
const replacePrompt = (page: Page, text: string) =>
  prompt(page).evaluate((editor, text) => {
    (editor as HTMLElement).focus();
    document.execCommand('selectAll');
    document.execCommand('insertText', false, text);
  }, text);

const works: Readonly<Record<string, Work>> = {
  'an encode': {
    prepare: (page) => openTiny(page, 'webgpu'),
    async start(page) {
      await replacePrompt(page, 'a blue house');
      await expect(status(page)).toHaveText(/^Encoding/);
    },
    check: async (page) => expect(prompt(page)).toHaveText('a blue house'),
  },
  'the merge of a LoRA': {
    async prepare(page) {
      await openTiny(page, 'webgpu');
      await openLora(page);
    },
    async start(page) {
      await replacePrompt(page, 'a blue house <lora:style:1>');
      await expect(status(page)).toHaveText(/^Encoding/);
    },
    check: async (page) => expect(loras(page)).toContainText('Merged × 1'),
  },
  'a profile': {
    async prepare(page) {
      await openTiny(page, 'webgpu');
      await openView(page, 'Speed');
    },
    async start(page) {
      await page
        .getByRole('button', { name: 'Time a whole pass' })
        .evaluate((button) => (button as HTMLElement).click());
      await expect(page.locator('#speed')).toContainText('Timing');
    },
    async check(page) {
      await page.getByRole('button', { name: 'Time a whole pass' }).click();
      await expect(page.getByRole('table', { name: 'Stages' })).toBeVisible();
    },
  },
  'a sweep': {
    async prepare(page) {
      await openTiny(page, 'webgpu');
      await prompt(page).fill('a (red:1.3) car');
      await openView(page, 'Sweep');
      await expect(page.getByRole('table', { name: /^Every method at a weight of/ })).toBeVisible();
    },
    async start(page) {
      await replacePrompt(page, 'a (blue:1.3) house');
      await expect(status(page)).toHaveText(/^Encoding/);
    },
    check: (page) => expect(page.getByRole('table', { name: /^Every method at a weight of/ })).toBeVisible(),
  },
};

for (const [name, { prepare, start, check }] of Object.entries(works))
  test(`a GPU process that is killed during ${name} is told, and loading again goes on`, async ({
    playwright,
    baseURL,
  }) => {
    // Chromium keeps GPUs from all pages after a second crash, so each of them has a browser of its own.
    const browser = await playwright.chromium.launch({ executablePath: findChromium(), args: chromiumArgs });
    try {
      const page = await browser.newPage({ baseURL });
      await prepare(page);
      const gpu = await gpuProcess(browser);
      process.kill(gpu, 'SIGSTOP');
      await start(page);
      process.kill(gpu, 'SIGKILL');
      await expect(status(page)).toHaveText(/^The GPU went away: /);
      await loadAgain(page);
      await ready(page);
      await check(page);
      await expect(page.locator('#encoder').getByRole('alert')).toHaveCount(0);
    } finally {
      await browser.close();
    }
  });

test('a GPU process that is killed during a load is told, and a second time that the browser gives no other', async ({
  playwright,
  baseURL,
}) => {
  const browser = await playwright.chromium.launch({ executablePath: findChromium(), args: chromiumArgs });
  try {
    const page = await browser.newPage({ baseURL });
    await openTiny(page, 'webgpu');
    await prompt(page).fill('a blue house');
    await ready(page);
    const gpu = await gpuProcess(browser);
    // The process is held, so that the load is not over before.
    process.kill(gpu, 'SIGSTOP');
    await model(page).selectOption({ label: 'Made-up weights, full size' });
    await expect(page.getByRole('progressbar', { name: 'Loading' })).toBeVisible();
    process.kill(gpu, 'SIGKILL');
    await expect(status(page)).toHaveText(/^The GPU went away: /);
    await loadAgain(page);
    await ready(page);
    await expect(prompt(page)).toHaveText('a blue house');

    process.kill(await gpuProcess(browser), 'SIGKILL');
    await expect(status(page)).toHaveText(/^The GPU went away: /);
    await loadAgain(page);
    await expect(
      page.getByRole('alert').filter({ hasText: 'The browser gives this page no GPU since it went away' }),
    ).toBeVisible();
    await expect(page.getByRole('button', { name: 'Load again' })).toBeVisible();
    await expect(prompt(page)).toHaveText('a blue house');
  } finally {
    await browser.close();
  }
});

test('a GPU process that is killed during an encode: the CPU goes on, the answer comes, and the GPU can be used again', async ({
  playwright,
  baseURL,
}) => {
  const browser = await playwright.chromium.launch({ executablePath: findChromium(), args: chromiumArgs });
  const engine = (page: Page) => page.locator('#encoder');
  try {
    const page = await browser.newPage({ baseURL });
    await withGraphicsCard(page);
    await openTiny(page);
    await openLora(page);
    await prompt(page).fill('a red car <lora:style:1>');
    await expect(loras(page)).toContainText('Merged × 1');
    await ready(page);
    await expect(engine(page)).toContainText('Runs on the GPU, a card');
    const gpu = await gpuProcess(browser);
    process.kill(gpu, 'SIGSTOP');
    await replacePrompt(page, 'a blue house <lora:style:1>');
    await expect(status(page)).toHaveText(/^Encoding/);
    process.kill(gpu, 'SIGKILL');
    const notice = page
      .getByRole('alert')
      .filter({ hasText: 'so the encoder goes on with the CPU; nothing was lost.' });
    await expect(notice).toBeVisible();
    await ready(page);
    await expect(loras(page)).toContainText('Merged × 1');
    await expect(engine(page)).toContainText('CPU, 1 thread');
    await expect(engine(page).getByRole('alert')).toHaveCount(0);
    await openView(page, 'Tokens');
    await expect(tokenRows(page).nth(3)).toContainText('house');
    await openView(page, 'Attention');
    await expect(page.locator('#attention').getByRole('application').first()).toBeVisible();

    await notice.getByRole('button', { name: 'Use the GPU again' }).click();
    await ready(page);
    await expect(engine(page)).toContainText('Runs on the GPU, a card');
    await expect(loras(page)).toContainText('Merged × 1');
    await expect(page.getByRole('alert')).toHaveCount(0);
  } finally {
    await browser.close();
  }
});

test('a GPU that was chosen and goes away can be left for the CPU', async ({ playwright, baseURL }) => {
  const browser = await playwright.chromium.launch({ executablePath: findChromium(), args: chromiumArgs });
  try {
    const page = await browser.newPage({ baseURL });
    await openTiny(page, 'webgpu');
    process.kill(await gpuProcess(browser), 'SIGKILL');
    await expect(status(page)).toHaveText(/^The GPU went away: /);
    await page.getByRole('button', { name: 'Go on with the CPU' }).click();
    await ready(page);
    await expect(page.getByRole('combobox', { name: 'Engine' })).toHaveValue('cpu');
    await expect(page.getByRole('alert')).toHaveCount(0);
  } finally {
    await browser.close();
  }
});

/** Finds the process that does a browser's graphics. */
async function gpuProcess(browser: Browser): Promise<number> {
  const devtools = await browser.newBrowserCDPSession();
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  await devtools.detach();
  return processInfo.find(({ type }) => type === 'GPU')!.id;
}

const forgetful = /^This browser keeps nothing for the next visit, because its storage is full or blocked/;

test('a storage that is full is told once, and the page works on', async ({ page }) => {
  await openTiny(page);
  await page.evaluate(() => {
    for (let piece = 1 << 20; piece >= 1; piece >>= 1)
      for (;;)
        try {
          localStorage.filler = (localStorage.filler ?? '') + 'x'.repeat(piece);
        } catch {
          break;
        }
  });
  // Longer than the prompt that is remembered, which the new one takes the place of.
  const long = `a ${'very '.repeat(20)}blue house`;
  await prompt(page).fill(long);
  const alert = page.getByRole('alert').filter({ hasText: forgetful });
  await expect(alert).toBeVisible();
  await prompt(page).fill(`${long} in the snow`);
  await ready(page);
  await expect(alert).toHaveCount(1);
});

test('a storage that is denied is told, and the page works on', async ({ page }) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'localStorage', {
      get() {
        throw new DOMException('Denied.', 'SecurityError');
      },
    });
  });
  await page.goto('/');
  await expect(page.locator('.cm-content')).toHaveCount(2);
  await model(page).selectOption({ label: 'Made-up weights, tiny' });
  await prompt(page).fill('a blue house');
  await expect(page.getByRole('alert').filter({ hasText: forgetful })).toHaveCount(1);
  await ready(page);
});
