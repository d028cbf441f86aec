// Times a first visit: from the navigation until the model that comes with the page is ready, in a browser that has seen nothing yet.
import { chromium } from 'playwright';
import { chromiumArgs, findChromium } from '../../scripts/chromium.mjs';

/** Notes when the status first says that the model is ready. */
function noteReady() {
  const isReady = () => document.querySelector('[aria-label="Encoder status"]')?.textContent.startsWith('Ready');
  window.readyAfter = new Promise((resolve) => {
    new MutationObserver((_, observer) => {
      if (!isReady()) return;
      observer.disconnect();
      resolve(performance.now());
    }).observe(document, { childList: true, characterData: true, subtree: true });
  });
}

/** Makes a first visit with this engine. Returns milliseconds from the navigation to the first paint, and until the model is ready. */
export async function firstVisit(address, engine) {
  const browser = await chromium.launch({ executablePath: findChromium(), args: chromiumArgs });
  try {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
    await page.addInitScript(noteReady);
    await page.addInitScript((engine) => {
      if (engine !== 'automatic') localStorage.clipscope ??= JSON.stringify({ engineChoice: { engine } });
    }, engine);
    await page.goto(address, { waitUntil: 'commit' });
    await page.waitForFunction(() => window.readyAfter);
    return await page.evaluate(async () => ({
      ready: await window.readyAfter,
      painted: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    }));
  } finally {
    await browser.close();
  }
}
