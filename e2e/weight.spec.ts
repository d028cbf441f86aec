import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';

test('what the page waits for weighs at most 150 KB, compressed', async ({ request }) => {
  const html = await (await request.get('/')).text();
  const scripts = [...html.matchAll(/(?:src|href)="([^"]+\.js)"/g)].map(([, address]) => address);
  let bytes = 0;
  for (const address of scripts) bytes += gzipSync(await (await request.get(address)).body()).length;
  expect(bytes).toBeLessThanOrEqual(150_000);
  // React alone is larger than this, so the count is complete.
  expect(bytes).toBeGreaterThan(60_000);
});
