/** A panel in a page of another origin: what it shows, the messages, and a browser that blocks its storage. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { chromium, expect, type Page, test } from '@playwright/test';
import { chromiumArgs, findWholeChromium } from '../scripts/chromium.mjs';
import { type View, viewTitles } from '../src/state/view.ts';
import { menuViews, openTiny, strayed } from './page.ts';

let lessons: Server;
let lesson = '';
test.beforeEach(async () => {
  lessons = createServer((_, response) => response.setHeader('content-type', 'text/html').end(lesson));
  await new Promise<void>((resolve) => lessons.listen(0, '127.0.0.1', resolve));
});
test.afterEach(() => void lessons.close());

/** Opens a page of another origin that has this in its body, and the element's script. */
async function openLesson(page: Page, baseURL: string, body: string): Promise<void> {
  const script = `<script src="${baseURL}/clip-scope.js"></script>`;
  // Names of the page's own are in nobody's way, and a second copy of the script is none too many.
  lesson = `<!doctype html><title>A lesson</title><script>const home = 'its own';</script>${script}${script}${body}`;
  await page.goto(`http://127.0.0.1:${(lessons.address() as AddressInfo).port}/`);
}

test('the element shows one panel, follows its attributes, tells what changes, and leaves the visitor’s own prompts', async ({
  page,
  context,
  baseURL,
}) => {
  const own = await context.newPage();
  await openTiny(own);
  const remembered = await own.evaluate(() => localStorage.clipscope);

  await openLesson(page, baseURL!, '<clip-scope view="attention" prompt="a red circle" layer="2"></clip-scope>');
  const frame = page.frameLocator('clip-scope iframe');
  await expect(frame.getByRole('heading', { name: 'Layer 2, head 1' })).toBeVisible();
  await expect(frame.getByRole('navigation')).toHaveCount(0);
  await expect(frame.getByRole('textbox')).toHaveCount(0);
  // The frame is as high as what it shows.
  const height = () => page.locator('clip-scope iframe').evaluate((iframe) => iframe.clientHeight);
  const content = () => frame.locator('body').evaluate((body) => Math.ceil(body.getBoundingClientRect().height));
  await expect.poll(async () => (await height()) - (await content())).toBe(0);

  const changes = await page.locator('clip-scope').evaluateHandle((element) => {
    const told: { prompt: string; head?: string }[] = [];
    element.addEventListener('change', (event) => told.push((event as CustomEvent).detail));
    return told;
  });
  await page.locator('clip-scope').evaluate((element) => element.setAttribute('prompt', 'a blue square'));
  await expect.poll(() => changes.evaluate((told) => told.at(-1)?.prompt)).toBe('a blue square');
  await frame.getByRole('slider', { name: 'Head' }).fill('3');
  await expect.poll(() => changes.evaluate((told) => told.at(-1)?.head)).toBe('3');
  await expect(frame.getByRole('link', { name: 'Open in clipscope' })).toHaveAttribute(
    'href',
    /#v=1&prompt=a%20blue%20square&language=a1111&view=attention&layer=2&head=3$/,
  );
  expect(await own.evaluate(() => localStorage.clipscope)).toBe(remembered);

  // Axe looks into the frame as well as at it, for whose answer it would wait half a second.
  const axe = new AxeBuilder({ page }).options({ pingWaitTime: 20_000 }).include('clip-scope');
  const { violations, passes } = await axe.analyze();
  expect(violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))).toEqual([]);
  expect(passes.find(({ id }) => id === 'color-contrast')?.nodes.length).toBeGreaterThan(0);
});

test('each panel for lessons shows itself, says its height and follows, and a page of an origin that is not named hears nothing', async ({
  page,
  baseURL,
}) => {
  await openLesson(page, baseURL!, `<iframe src="${baseURL}/?embed=tokens&origin=https://elsewhere.example"></iframe>`);
  const heard = await page.evaluateHandle(() => {
    const messages: { fromOther: boolean; ready?: object; changed?: { prompt: string }; height?: number }[] = [];
    addEventListener('message', ({ source, data }) => {
      messages.push({ ...data, fromOther: source === document.querySelector('iframe')!.contentWindow });
    });
    return messages;
  });
  const panels: View[] = ['tokens', 'weights', 'attention', 'masks', 'picture', 'objective'];
  for (const view of panels.filter((one) => menuViews.includes(one))) {
    await page.evaluate((view) => {
      document.querySelector('clip-scope')?.remove();
      document.body.insertAdjacentHTML('beforeend', `<clip-scope view="${view}" prompt="a red circle"></clip-scope>`);
    }, view);
    const frame = page.frameLocator('clip-scope iframe');
    await expect(frame.getByRole('region', { name: viewTitles[view], exact: true })).toBeVisible();
    await expect.poll(() => heard.evaluate((messages) => messages.at(-1)?.height ?? 0)).toBeGreaterThan(100);
    await page.locator('clip-scope').evaluate((element) => element.setAttribute('prompt', 'a blue square'));
    const changed = () => heard.evaluate((messages) => messages.findLast(({ changed }) => changed)?.changed?.prompt);
    await expect.poll(changed).toBe('a blue square');
    await expect(frame.getByRole('alert')).toHaveCount(0);
    await heard.evaluate((messages) => messages.splice(0, messages.length, ...messages.filter((one) => one.fromOther)));
  }
  // By now the other frame, which is older, would have answered.
  const other = page.frameLocator('iframe').first();
  const link = other.getByRole('link', { name: 'Open in clipscope' });
  await expect(link).toHaveAttribute('href', /#v=1&prompt=/);
  const before = await link.getAttribute('href');
  await page.evaluate(() => {
    const message = { clipscope: 1, set: { prompt: 'theirs' } };
    document.querySelector('iframe')!.contentWindow!.postMessage(message, '*');
    const own = document.querySelector<HTMLIFrameElement>('clip-scope iframe')!.contentWindow!;
    own.postMessage({ ...message, set: { prompt: 'ours' } }, '*');
  });
  await expect
    .poll(() => heard.evaluate((messages) => messages.findLast(({ changed }) => changed)?.changed?.prompt))
    .toBe('ours');
  expect(await link.getAttribute('href')).toBe(before);
  expect(await heard.evaluate((messages) => messages.filter(({ fromOther }) => fromOther))).toEqual([]);
});

test('parts that the address hides are not there', async ({ page }) => {
  const strip = page.locator('#strip > div').first();
  await page.goto('/?hide=models,export,examples,tools#view=tokens');
  await expect(strip).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'Views' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Export', exact: true })).toHaveCount(0);
  await expect(page.locator('#encoder')).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Copy link' })).toBeHidden();
  await expect(page.getByRole('textbox', { name: 'Prompt', exact: true })).toBeVisible();
  await page.goto('/?hide=header,prompts,strip,menu#view=tokens');
  await expect(page.getByRole('table', { name: 'Tokens' })).toBeVisible();
  await expect(page.getByRole('banner')).toHaveCount(0);
  await expect(page.getByRole('textbox')).toHaveCount(0);
  await expect(page.getByRole('navigation', { name: 'Views' })).toHaveCount(0);
  await expect(strip).toBeHidden();
  await page.goto('/?embed=tokens&hide=link#prompt=a red circle');
  await expect(page.getByRole('table', { name: 'Tokens' })).toContainText('circle');
  await expect(page.getByRole('link', { name: 'Open in clipscope' })).toHaveCount(0);
  await page.goto('/?hide=modles');
  await expect(page.getByRole('alert')).toContainText('The address hides “modles”');
});

test('a panel works where the browser blocks its storage', async ({ baseURL }) => {
  const profile = mkdtempSync(join(tmpdir(), 'clipscope-profile-'));
  mkdirSync(join(profile, 'Default'));
  const blocked = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(blocked));
  const browser = await chromium.launchPersistentContext(profile, {
    // The headless shell has no settings of a profile.
    executablePath: findWholeChromium(),
    args: chromiumArgs,
  });
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    const strays = strayed(page);
    await openLesson(page, baseURL!, `<iframe src="${baseURL}/?embed=attention#prompt=a red circle&layer=2"></iframe>`);
    const frame = page.frameLocator('iframe');
    await expect(frame.getByRole('heading', { name: 'Layer 2, head 1' })).toBeVisible();
    const panel = page.frames().find((one) => one.url().startsWith(baseURL!))!;
    const storage = await panel.evaluate(() => {
      try {
        return typeof localStorage;
      } catch (error) {
        return (error as Error).name;
      }
    });
    expect(storage).toBe('SecurityError');
    await expect(frame.locator('#attention canvas').first()).toBeVisible();
    await expect(frame.getByRole('alert')).toHaveCount(0);
    expect(errors).toEqual([]);
    expect(strays.filter((one) => !one.startsWith(baseURL!))).toEqual([]);
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true });
  }
});
