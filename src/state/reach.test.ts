import { expect, test } from 'vitest';
import { pagePolicy } from '../../scripts/hosting.ts';
import { modelOrigins, sd15TextEncoder } from '../models/library/modelSources.ts';
import { anyAddressPage, broughtAddress, mayConnect } from './reach.ts';

const home = 'https://user.github.io';
const listed = pagePolicy(modelOrigins);
const may = (address: string, policy = listed) => mayConnect(address, policy, home);

test('the page may connect to itself and to every home of a model that it lists', () => {
  for (const { urls } of sd15TextEncoder.files) for (const url of urls) expect(may(url), url).toBe(true);
  expect(may('https://cdn-lfs.huggingface.co/a')).toBe(true);
  expect(may('https://cas-bridge.xethub.hf.co/a?signature=b')).toBe(true);
  expect(may(`${home}/models/a.safetensors`)).toBe(true);
});

test.each([
  'https://example.org/a.safetensors',
  'http://huggingface.co/a',
  'https://huggingface.co:8443/a',
  'https://huggingface.co.example.org/a',
  'https://nothuggingface.co/a',
  'https://hf.co/a',
  'http://localhost:8000/a',
])('it may not connect to %s, and the page for any address may', (address) => {
  expect(may(address)).toBe(false);
  expect(may(address, pagePolicy(['https:', 'http:']))).toBe(true);
});

test('a page without a policy may connect to anything', () => {
  expect(mayConnect('https://example.org/', null, home)).toBe(true);
});

test('an address goes to the other page in one piece', () => {
  const address = 'https://example.org/a%20b.safetensors?key=1&other=#2';
  expect(broughtAddress(new URL(anyAddressPage(address), home).hash)).toBe(address);
  expect(broughtAddress('#address=%')).toBeNull();
  expect(broughtAddress('#view=masks')).toBeNull();
});
