import { expect, test } from 'vitest';
import { requestGpuDevice, WebGpuUnavailableError } from './device.ts';

test.each([
  ['no WebGPU', undefined, 'has no WebGPU'],
  ['no adapter, as browsers say it', async () => null, 'no graphics adapter'],
  ['no adapter, as Dawn says it', () => Promise.reject(new Error('No adapter.')), 'no graphics adapter'],
])('%s is an error that says what to do', async (_, requestAdapter, sentence) => {
  const gpu = requestAdapter && ({ requestAdapter } as unknown as GPU);
  const request = requestGpuDevice(gpu);
  await expect(request).rejects.toThrow(WebGpuUnavailableError);
  await expect(request).rejects.toThrow(sentence);
});

test('an adapter is described by what the browser tells of it, also where it has to be asked', async () => {
  const descriptionOf = async (told: object) => {
    const adapter = { features: new Set(), requestDevice: async () => ({}), ...told };
    const { description, software } = await requestGpuDevice({ requestAdapter: async () => adapter } as unknown as GPU);
    return software ? `${description}, software` : description;
  };
  const info = { vendor: 'acme', architecture: 'one', description: '' };
  expect(await descriptionOf({ info })).toBe('acme one');
  const requestAdapterInfo = async () => ({ vendor: 'acme', architecture: 'one' });
  expect(await descriptionOf({ requestAdapterInfo })).toBe('acme one');
  expect(await descriptionOf({ requestAdapterInfo, isFallbackAdapter: true })).toBe('acme one, software');
  expect(await descriptionOf({})).toBe('unnamed adapter');
});
